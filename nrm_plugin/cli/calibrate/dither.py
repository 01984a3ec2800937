"""``nrm calibrate dither``: amplitude of the dither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nrm_plugin.cli.calibrate import report
from nrm_plugin.cli.calibrate.inputs import Quantity, with_inputs

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet


@click.command("dither")
@click.option(
    "--method",
    type=click.Choice(["drive", "hard"]),
    default="drive",
    show_default=True,
    help="drive: dither_drive x dither_sensitivity x dither_response. hard: signal of a "
    "tip that sticks to a bare, hard sample.",
)
@click.option(
    "--sensitivity-error",
    type=Quantity("m/V"),
    default=0.0,
    metavar="VALUE",
    help="drive: standard error of dither_sensitivity.",
)
@click.option(
    "--response-error",
    type=Quantity(""),
    default=0.0,
    metavar="NUMBER",
    help="drive: standard error of dither_response.",
)
@click.option(
    "--third-harmonic", metavar="CHANNEL", help="hard: channel with the third harmonic's amplitude."
)
@with_inputs
def command(
    curves: CurveSet,
    method: str,
    sensitivity_error: float,
    response_error: float,
    third_harmonic: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Amplitude of the dither, peak.

    Known values come from FILEs, --experiment and --set, in rising order of rank.
    """
    from nrm_plugin.calibration import dither

    if method == "hard":
        estimate = dither.from_hard_contact(curves, third_harmonic=third_harmonic)
    else:
        estimate = dither.from_drive(
            curves, sensitivity_stderr=sensitivity_error, response_stderr=response_error
        )
    report([estimate], output, as_json)
