"""Finds plugins, keeps broken ones from doing harm, and says what was found.

Our own distribution loads first, so that nobody takes its names. A plugin that cannot be loaded,
misspells a hook, or offers something unusable is listed with the reason and left out.
``NRM_DISABLE_PLUGINS`` (names separated by commas, or ``all`` for everything but our own) keeps
plugins from loading.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from nrm_plugin import hookspecs
from nrm_plugin.errors import RecipeError
from nrm_plugin.hookspecs import GROUP, ContactMethod, Exporter, Importer, PotentialLog

OWN = "nrm-plugin"

_NEEDED = {
    "Importer": ("name", "description", "suffixes", "sniff", "open"),
    "Exporter": ("name", "description", "suffix", "write"),
    "ContactMethod": ("name", "description", "find"),
    "PotentialLog": ("name", "description", "suffixes", "sniff", "read"),
}

#: Contact methods of our own, by the names that recipes have for them.
OWN_METHODS = ("grown", "two-line")


@dataclass
class Plugin:
    """One entry point and what became of it."""

    name: str
    distribution: str
    version: str
    hooks: list[str] = field(default_factory=list)
    importers: list[str] = field(default_factory=list)
    exporters: list[str] = field(default_factory=list)
    contact_methods: list[str] = field(default_factory=list)
    potential_logs: list[str] = field(default_factory=list)
    failure: str = ""


@dataclass
class Plugins:
    """Everything that plugins offer.

    Attributes
    ----------
    found : list of Plugin
        In loading order, failed ones included.
    importers : dict of name to Importer
    exporters : dict of suffix to Exporter
    contact_methods : dict of name to ContactMethod
    potential_logs : dict of name to PotentialLog
    manager : pluggy.PluginManager
        For hooks that are called and not listed, such as ``nrm_commands``.
    """

    found: list[Plugin]
    importers: dict[str, Importer]
    exporters: dict[str, Exporter]
    manager: pluggy.PluginManager
    contact_methods: dict[str, ContactMethod] = field(default_factory=dict)
    potential_logs: dict[str, PotentialLog] = field(default_factory=dict)

    def version_of(self, importer: str) -> str:
        """Distribution and version that brought an importer."""
        for plugin in self.found:
            if importer in plugin.importers:
                return f"{plugin.distribution} {plugin.version}"
        return ""


def load(points: Iterable[EntryPoint] | None = None) -> Plugins:
    """Load plugins from entry points, by default from all that are installed."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    blocked = {n.strip() for n in os.environ.get("NRM_DISABLE_PLUGINS", "").split(",")} - {""}
    plugins = Plugins([], {}, {}, manager)
    ours_first = sorted(
        entry_points(group=GROUP) if points is None else points,
        key=lambda point: (_distribution(point)[0] != OWN, _distribution(point)[0], point.name),
    )
    for point in ours_first:
        name, version = _distribution(point)
        plugin = Plugin(point.name, name, version)
        if any(p.name == point.name and p.distribution == name for p in plugins.found):
            continue  # the same distribution seen twice on the path
        plugins.found.append(plugin)
        if point.name in blocked or name in blocked or ("all" in blocked and name != OWN):
            plugin.failure = "disabled by NRM_DISABLE_PLUGINS"
            continue
        try:
            _register(plugins, plugin, point)
        except (Exception, SystemExit) as error:  # whatever a stranger's module raises on import
            what = " ".join(f"{type(error).__name__}: {error}".split())
            plugin.failure = plugin.failure or what
    return plugins


@functools.cache
def installed() -> Plugins:
    """Load the installed plugins, once per process."""
    return load()


def _distribution(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist else ("unknown", "")


def _register(plugins: Plugins, plugin: Plugin, point: EntryPoint) -> None:
    manager = plugins.manager
    other = next((p for p in plugins.found if p.name == plugin.name and p is not plugin), None)
    if other is not None:
        plugin.failure = f"the name is taken by {other.distribution}"
        return
    module = point.load()
    misspelt = [
        name
        for name in dir(module)
        if name.startswith("nrm_")
        and hasattr(getattr(module, name), f"{GROUP}_impl")
        and not hasattr(hookspecs, name)
    ]
    if misspelt:
        known = ", ".join(n for n in dir(hookspecs) if n.startswith("nrm_"))
        plugin.failure = f"unknown hook {', '.join(misspelt)}; the hooks are {known}"
        return
    manager.register(module, plugin.name)
    callers = manager.get_hookcallers(module) or []
    plugin.hooks = [caller.name for caller in callers]
    try:
        importers = _offers(module, "nrm_importers", Importer)
        exporters = _offers(module, "nrm_exporters", Exporter)
        methods = _offers(module, "nrm_contact_methods", ContactMethod)
        logs = _offers(module, "nrm_potential_logs", PotentialLog)
    except BaseException:
        manager.unregister(module)
        raise
    for importer in importers:
        _add(plugins, "importers", importer.name, importer, plugin)
    for exporter in exporters:
        _add(plugins, "exporters", exporter.suffix.lower(), exporter, plugin)
    for method in methods:
        _add(plugins, "contact_methods", method.name, method, plugin)
    for log in logs:
        _add(plugins, "potential_logs", log.name, log, plugin)


def _offers(module: Any, hook: str, kind: type) -> list[Any]:
    """Objects that a module's hook returns, each checked against its protocol."""
    function = getattr(module, hook, None)
    if function is None or not hasattr(function, f"{GROUP}_impl"):
        return []
    offers = list(function())
    for offer in offers:
        if not isinstance(offer, kind):
            lacking = ", ".join(n for n in _NEEDED[kind.__name__] if not hasattr(offer, n))
            raise TypeError(f"{hook}() returned {offer!r}, which lacks {lacking}")
        key = getattr(offer, "suffix" if kind is Exporter else "name")
        if not isinstance(key, str) or not key:
            raise TypeError(f"{hook}() returned {offer!r}, whose name or suffix is {key!r}")
    return offers


def contact_method(name: str) -> ContactMethod | None:
    """Return a third party's contact method, None for the engine's own.

    Raises
    ------
    RecipeError
        If nobody offers it.
    """
    if name in OWN_METHODS:
        return None
    found = installed().contact_methods
    if name not in found:
        known = ", ".join([*OWN_METHODS, *found])
        raise RecipeError(f"there is no contact method {name!r}; there are {known}")
    return found[name]


def _add(plugins: Plugins, what: str, key: str, value: Any, plugin: Plugin) -> None:
    owner = next((p for p in plugins.found if key in getattr(p, what)), None)
    if owner is not None:
        plugin.failure = f"{key!r} is taken by {owner.distribution}; that one is used"
        return
    getattr(plugins, what)[key] = value
    getattr(plugin, what).append(key)


def add_commands(plugins: Plugins, cli: Any) -> None:
    """Let every plugin add its commands; one that fails is noted, and the others go on."""
    for hook in plugins.manager.hook.nrm_commands.get_hookimpls():
        try:
            hook.function(*[cli for _ in hook.argnames])
        except Exception as error:
            for plugin in plugins.found:
                if plugin.name == hook.plugin_name:
                    plugin.failure = f"nrm_commands: {type(error).__name__}: {error}"
