"""A plugin of nrm-plugin that adds one of each kind: copy it, and keep what you need.

This module only registers. What needs numpy, pydantic or matplotlib is in modules of its own, and
`Deferred` imports it when it is first used, so that `nrm --help` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nrm_importer_template.hfc import HfcImporter
from nrm_plugin import hookimpl
from nrm_plugin.hookspecs import Deferred

if TYPE_CHECKING:
    import click


@hookimpl
def nrm_importers() -> list[HfcImporter]:
    """Add a file format."""
    return [HfcImporter()]


@hookimpl
def nrm_contact_methods() -> list[Deferred]:
    """Add a way to find the solid contact."""
    where = "nrm_importer_template.contact:FIXED_WALL"
    return [Deferred("fixed-wall", "the wall is a length before the deepest sample", where)]


@hookimpl
def nrm_derivative_methods() -> list[Deferred]:
    """Add a way to differentiate forces."""
    where = "nrm_importer_template.derivative:SLIDING_LINE"
    return [Deferred("sliding-line", "a straight line in a sliding window", where)]


@hookimpl
def nrm_figures() -> list[Deferred]:
    """Add a kind of figure."""
    where = "nrm_importer_template.figure:WALLS"
    return [Deferred("walls", "contact and wall of every curve", where)]


@hookimpl
def nrm_commands(cli: click.Group) -> None:
    """Add a command: ``nrm hfc-header FILE``."""
    import click

    @cli.command("hfc-header")
    @click.argument("file", type=click.Path(exists=True, dir_okay=False))
    def hfc_header(file: str) -> None:
        """Print the header of an HFC file."""
        from pathlib import Path

        from nrm_importer_template.hfc import HfcHeader

        click.echo(HfcHeader(Path(file)).text, nl=False)
