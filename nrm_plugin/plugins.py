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
from dataclasses import KW_ONLY, dataclass, field
from importlib.metadata import EntryPoint, entry_points
from os import PathLike
from pathlib import Path
from typing import Any

import pluggy

from nrm_plugin import hookspecs
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.hookspecs import GROUP, Deferred
from nrm_plugin.vocabulary import nearest

OWN = "nrm-plugin"


@dataclass(frozen=True)
class Kind:
    """A kind of object that plugins add and that is chosen by name.

    Attributes
    ----------
    noun : str
        What one of them is called.
    hook : str
        The hook that returns them.
    needed : tuple of str
        What every one has beside name and description.
    key : str
        The attribute by which it is chosen.
    """

    noun: str
    hook: str
    needed: tuple[str, ...]
    key: str = "name"


#: Everything that can be chosen by name.
KINDS = {
    "importers": Kind("importer", "nrm_importers", ("suffixes", "sniff", "open")),
    "exporters": Kind("exporter", "nrm_exporters", ("suffix", "write"), "suffix"),
    "contact_methods": Kind("contact method", "nrm_contact_methods", ("find",)),
    "derivative_methods": Kind("derivative method", "nrm_derivative_methods", ("gradient",)),
    "figures": Kind("figure", "nrm_figures", ("needs", "draw")),
    "calibrations": Kind("calibration", "nrm_calibrations", ("estimate",)),
    "lockins": Kind("lock-in", "nrm_lockins", ("Settings", "connect")),
    "potential_logs": Kind("potential log", "nrm_potential_logs", ("suffixes", "sniff", "read")),
}


@dataclass(kw_only=True)
class Plugin:
    """One entry point and what became of it.

    Attributes
    ----------
    name, distribution, version : str
    hooks : list of str
        The hooks that it implements.
    adds : dict of str to list of str
        Names of what it adds, by kind (`KINDS`).
    failure : str
        Why it is not used, empty if it is.
    """

    name: str
    distribution: str
    version: str
    hooks: list[str] = field(default_factory=list)
    adds: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    failure: str = ""


@dataclass
class Plugins:
    """The registry: everything that plugins offer, our own distribution included.

    Attributes
    ----------
    manager : pluggy.PluginManager
        For hooks that are called and not listed, such as ``nrm_commands``.
    found : list of Plugin
        In loading order, failed ones included.
    importers, exporters, contact_methods, derivative_methods, figures, calibrations, lockins, \
    potential_logs : dict of str to object
        By name; exporters by suffix.
    """

    manager: pluggy.PluginManager
    _: KW_ONLY
    found: list[Plugin] = field(default_factory=list)
    importers: dict[str, hookspecs.Importer] = field(default_factory=dict)
    exporters: dict[str, hookspecs.Exporter] = field(default_factory=dict)
    contact_methods: dict[str, hookspecs.ContactMethod] = field(default_factory=dict)
    derivative_methods: dict[str, hookspecs.DerivativeMethod] = field(default_factory=dict)
    figures: dict[str, hookspecs.Figure] = field(default_factory=dict)
    calibrations: dict[str, hookspecs.Calibration] = field(default_factory=dict)
    lockins: dict[str, hookspecs.LockInModel] = field(default_factory=dict)
    potential_logs: dict[str, hookspecs.PotentialLog] = field(default_factory=dict)

    def all(self, kind: str) -> dict[str, Any]:
        """Return the objects of a kind by name."""
        objects: dict[str, Any] = getattr(self, kind)
        return objects

    def choose(self, kind: str, name: str, error: type[NrmError] = InvalidInput) -> Any:
        """Return the object of a kind that has a name.

        Raises
        ------
        InvalidInput
            Or `error`, naming those that there are.
        """
        objects = self.all(kind)
        if name not in objects:
            known = ", ".join(objects) or "none"
            hint = nearest(name, objects)
            raise error(f"there is no {KINDS[kind].noun} {name!r}; there are: {known}.{hint}")
        return objects[name]

    def exporter_of(self, path: str | PathLike[str]) -> hookspecs.Exporter | None:
        """Exporter of a file's name: that of the longest suffix with which it ends, or None."""
        name = Path(path).name.lower()
        suffixes = [suffix for suffix in self.exporters if name.endswith(suffix)]
        return self.exporters[max(suffixes, key=len)] if suffixes else None

    def surest(
        self, kind: str, head: bytes, path: Path
    ) -> tuple[str | None, dict[str, int], list[str]]:
        """Ask every object of a kind whether it knows a file.

        Parameters
        ----------
        kind : str
            ``"importers"`` or ``"potential_logs"``.
        head : bytes
            Beginning of the file.
        path : Path

        Returns
        -------
        name : str or None
            Whose score is highest; None where nobody knows the file.
        scores : dict of str to int
        doubts : list of str
            Which of them failed to look at the file, and why.
        """
        scores: dict[str, int] = {}
        doubts = []
        for name, candidate in self.all(kind).items():
            try:
                scores[name] = min(100, int(candidate.sniff(head, path)))
            except Exception as error:  # a stranger's sniff must not keep others from reading
                scores[name] = 0
                doubts.append(f"{KINDS[kind].noun} {name} failed to look at the file: {error}")
        best = max(scores, key=lambda name: scores[name], default="")
        return (best if scores.get(best, 0) > 0 else None), scores, doubts

    def version_of(self, importer: str) -> str:
        """Distribution and version that brought an importer."""
        for plugin in self.found:
            if importer in plugin.adds["importers"]:
                return f"{plugin.distribution} {plugin.version}"
        return ""


def load(points: Iterable[EntryPoint] | None = None) -> Plugins:
    """Load plugins from entry points, by default from all that are installed."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    blocked = {n.strip() for n in os.environ.get("NRM_DISABLE_PLUGINS", "").split(",")} - {""}
    plugins = Plugins(manager)
    ours_first = sorted(
        entry_points(group=GROUP) if points is None else points,
        key=lambda point: (_distribution(point)[0] != OWN, _distribution(point)[0], point.name),
    )
    for point in ours_first:
        name, version = _distribution(point)
        plugin = Plugin(name=point.name, distribution=name, version=version)
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
        offers = {kind: _offers(module, kind) for kind in KINDS}
    except BaseException:
        manager.unregister(module)
        raise
    for kind, objects in offers.items():
        for key, value in objects.items():
            _add(plugins, kind, key, value, plugin)


def _offers(module: Any, kind: str) -> dict[str, Any]:
    """Objects of a kind that a module's hook returns, each checked, by name or suffix."""
    about = KINDS[kind]
    function = getattr(module, about.hook, None)
    if function is None or not hasattr(function, f"{GROUP}_impl"):
        return {}
    offers = {}
    for offer in function():
        needed = ("name", "description") if isinstance(offer, Deferred) else _needed(about)
        missing = [attribute for attribute in needed if not hasattr(offer, attribute)]
        if missing:
            raise TypeError(f"{about.hook}() returned {offer!r}, which lacks {', '.join(missing)}")
        key = getattr(offer, about.key)
        if not isinstance(key, str) or not key:
            raise TypeError(f"{about.hook}() returned {offer!r}, whose {about.key} is {key!r}")
        offers[key.lower() if about.key == "suffix" else key] = offer
    return offers


def _needed(kind: Kind) -> tuple[str, ...]:
    return ("name", "description", *kind.needed)


def _add(plugins: Plugins, kind: str, key: str, value: Any, plugin: Plugin) -> None:
    owner = next((p for p in plugins.found if key in p.adds[kind]), None)
    if owner is not None:
        plugin.failure = f"{key!r} is taken by {owner.distribution}; that one is used"
        return
    plugins.all(kind)[key] = value
    plugin.adds[kind].append(key)


def add_commands(plugins: Plugins, cli: Any) -> None:
    """Let every plugin add its commands; one that fails is noted, and the others go on."""
    for hook in plugins.manager.hook.nrm_commands.get_hookimpls():
        try:
            hook.function(*[cli for _ in hook.argnames])
        except Exception as error:
            for plugin in plugins.found:
                if plugin.name == hook.plugin_name:
                    plugin.failure = f"nrm_commands: {type(error).__name__}: {error}"
