"""``nrm plugins``: what is installed and what could not be loaded."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from nrm_plugin import plugins
from nrm_plugin.cli.text import table

#: Hooks whose objects are listed by name.
_LISTED = ("nrm_importers", "nrm_exporters", "nrm_contact_methods", "nrm_potential_logs")


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print a list with one object per plugin.")
def command(as_json: bool) -> None:
    """List plugins: their distribution, version and hooks, and why one could not be loaded."""
    found = plugins.installed().found
    if as_json:
        click.echo(json.dumps([asdict(p) for p in found], indent=2))
        return
    rows = [("plugin", "distribution", "version", "adds")]
    for plugin in found:
        adds = [f"importer {n}" for n in plugin.importers]
        adds += [f"exporter {n}" for n in plugin.exporters]
        adds += [f"contact method {n}" for n in plugin.contact_methods]
        adds += [f"potential log {n}" for n in plugin.potential_logs]
        adds += [h for h in plugin.hooks if h not in _LISTED]
        if plugin.failure:
            blocked = plugin.failure.startswith("disabled")
            adds.append(plugin.failure if blocked else f"FAILED: {plugin.failure}")
        rows.append(
            (plugin.name, plugin.distribution, plugin.version, ", ".join(adds) or "nothing")
        )
    click.echo(table(rows, 0))
