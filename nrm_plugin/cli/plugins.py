"""``nrm plugins``: what is installed and what could not be loaded."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from nrm_plugin import plugins
from nrm_plugin.plugins import KINDS
from nrm_plugin.text import table


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print a list with one object per plugin.")
def command(as_json: bool) -> None:
    """List plugins: their distribution, version and hooks, and why one could not be loaded."""
    found = plugins.installed().found
    if as_json:
        rows = [asdict(plugin) for plugin in found]
        click.echo(json.dumps([row | row.pop("adds") for row in rows], indent=2))
        return
    rows = [("plugin", "distribution", "version", "adds")]
    for plugin in found:
        adds = [f"{KINDS[kind].noun} {n}" for kind, names in plugin.adds.items() for n in names]
        listed = {kind.hook for kind in KINDS.values()}
        adds += [hook for hook in plugin.hooks if hook not in listed]
        if plugin.failure:
            blocked = plugin.failure.startswith("disabled")
            adds.append(plugin.failure if blocked else f"FAILED: {plugin.failure}")
        rows.append(
            (plugin.name, plugin.distribution, plugin.version, ", ".join(adds) or "nothing")
        )
    click.echo(table(rows, 0))
