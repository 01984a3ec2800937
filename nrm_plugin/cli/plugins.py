"""``nrm plugins``: what is installed and what could not be loaded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from nrm_plugin import plugins
from nrm_plugin.hookspecs import settings_model
from nrm_plugin.plugins import KINDS, Plugin
from nrm_plugin.text import table


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print a list with one object per plugin.")
def command(as_json: bool) -> None:
    """List plugins with what they add, and why one could not be loaded."""
    found = plugins.installed().found
    if as_json:
        rows = [(asdict(plugin), offers(plugin)) for plugin in found]
        listed = [row | row.pop("adds") | {"offers": more} for row, more in rows]
        click.echo(json.dumps(listed, indent=2))
        return
    heads = ("plugin", "distribution", "version", "adds")
    click.echo(table([heads, *map(_row, found)], 0))
    for kind, about in KINDS.items():
        of_kind = [one for p in found for one in offers(p) if one["kind"] == kind]
        if of_kind:
            click.echo(f"\n{about.noun}s")
            click.echo(table([(one["name"], _about(one)) for one in of_kind]))


def offers(plugin: Plugin) -> list[dict[str, Any]]:
    """What a plugin adds: kind, name, description, and the settings with meanings and defaults."""
    found = []
    for kind, names in plugin.adds.items():
        objects = plugins.installed().all(kind)
        for name in names:
            entry = {"kind": kind, "name": name, "description": objects[name].description}
            found.append(entry | {"settings": _settings(objects[name])})
    return found


def _settings(offer: Any) -> dict[str, Any]:
    try:
        model = settings_model(offer)
        properties = {} if model is None else model.model_json_schema()["properties"]
    except Exception as error:  # whatever a stranger's module raises on import
        return {"failure": f"{type(error).__name__}: {error}"}
    return {
        name: {key: field[key] for key in ("default", "description") if key in field}
        for name, field in properties.items()
    }


def _row(plugin: Plugin) -> tuple[str, str, str, str]:
    adds = [
        f"{KINDS[kind].noun}{'s' if len(names) > 1 else ''} {', '.join(names)}"
        for kind, names in plugin.adds.items()
        if names
    ]
    listed = {kind.hook for kind in KINDS.values()}
    adds += [hook for hook in plugin.hooks if hook not in listed]
    if plugin.failure:
        blocked = plugin.failure.startswith("disabled")
        adds.append(plugin.failure if blocked else f"FAILED: {plugin.failure}")
    return plugin.name, plugin.distribution, plugin.version, "; ".join(adds) or "nothing"


def _about(offer: dict[str, Any]) -> str:
    names = ", ".join(offer["settings"])
    return f"{offer['description']} (settings: {names})" if names else str(offer["description"])
