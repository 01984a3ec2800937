"""``nrm acquire``: record force ramps with an NI-DAQ board."""

from __future__ import annotations

import click


@click.command("acquire")
def command() -> None:
    """Record force ramps with an NI-DAQ board."""
