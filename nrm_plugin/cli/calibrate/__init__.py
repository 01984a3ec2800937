"""``nrm calibrate``: one command per quantity, each in a module of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from math import isnan
from pathlib import Path
from typing import Any

import click

from nrm_plugin.calibration import Estimate
from nrm_plugin.text import with_unit
from nrm_plugin.vocabulary import METADATA

_COMMANDS = {
    "deflection": "Deflection sensitivity from the wall of curves on a stiff sample.",
    "thermal": "Spring constant from thermal noise.",
    "sader": "Spring constant from plan view, resonance and quality factor.",
    "lateral": "Lateral stiffness and sensitivity.",
    "dither": "Amplitude of the dither.",
    "phase": "Phase of the instrument.",
    "response": "Resonances of the scanner, and a safe band for the dither.",
}


class Calibrations(click.Group):
    """Imports a calibration's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all calibrations."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Calibration by name."""
        if cmd_name not in _COMMANDS:
            return None
        found: click.Command = import_module(f"nrm_plugin.cli.calibrate.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them in the help text without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group("calibrate", cls=Calibrations)
def command() -> None:
    """Turn volts into newtons.

    Each command prints what it found with its standard error, and with -o writes it into an
    experiment file, new or existing.
    """


def report(estimates: Sequence[Estimate], output: str | None, as_json: bool) -> None:
    """Print estimates, and write them into an experiment file if one is given."""
    if output is not None:
        from nrm_plugin.experiment import update

        update(Path(output), estimates)
    if as_json:
        click.echo(json.dumps([_plain(e) for e in estimates], indent=2))
        return
    for estimate in estimates:
        unit = METADATA[estimate.key].unit
        value, error = with_unit(estimate.value, unit), with_unit(estimate.stderr, unit)
        click.echo(f"{estimate.key} = {value} +- {error}  ({estimate.method})")
        for note in estimate.notes:
            click.echo(f"  - {note}")


def _plain(estimate: Estimate) -> dict[str, Any]:
    """An estimate in types that JSON has; an unknown error is null."""
    return {
        key: None if isinstance(value, float) and isnan(value) else value
        for key, value in asdict(estimate).items()
    }
