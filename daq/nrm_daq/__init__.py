"""Recording with an NI-DAQ board: ``nrm acquire``, an ordinary plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nrm_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def nrm_commands(cli: click.Group) -> None:
    """Add ``nrm acquire``."""
    from nrm_daq.command import command

    cli.add_command(command)
