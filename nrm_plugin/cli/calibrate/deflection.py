"""``nrm calibrate deflection``: deflection sensitivity from the wall of curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from nrm_plugin.cli.calibrate import report
from nrm_plugin.cli.calibrate.inputs import with_inputs

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet


@click.command("deflection")
@click.option(
    "--direction",
    type=click.Choice(["both", "approach", "retract"]),
    default="both",
    show_default=True,
    help="Which way of the curves is used; both: their mean.",
)
@with_inputs
def command(
    curves: CurveSet,
    direction: Literal["both", "approach", "retract"],
    output: str | None,
    as_json: bool,
) -> None:
    """Deflection sensitivity from the wall of curves on a bare, stiff sample.

    FILEs are curves with the deflection in volts.
    """
    from nrm_plugin.calibration.deflection import deflection_sensitivity

    report([deflection_sensitivity(curves, direction)], output, as_json)
