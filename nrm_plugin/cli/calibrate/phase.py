"""``nrm calibrate phase``: phase of the instrument."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nrm_plugin.cli.calibrate import report
from nrm_plugin.cli.calibrate.inputs import Quantity, with_inputs

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet


@click.command("phase")
@click.option(
    "--method",
    type=click.Choice(["hard", "elastomer", "given"]),
    default="hard",
    show_default=True,
    help="hard: a tip that sticks to a hard sample. elastomer: a reference of known loss tangent.",
)
@click.option(
    "--loss-tangent",
    type=Quantity(""),
    metavar="NUMBER",
    help="elastomer: E''/E' at the dither frequency.",
)
@click.option(
    "--loss-tangent-error",
    type=Quantity(""),
    default=0.0,
    metavar="NUMBER",
    help="elastomer: its standard error.",
)
@click.option(
    "--third-harmonic", metavar="CHANNEL", help="hard: channel with the third harmonic's amplitude."
)
@click.option("--value", type=Quantity("rad"), metavar="VALUE", help="given: the phase, 40deg.")
@click.option(
    "--value-error",
    type=Quantity("rad"),
    default=0.0,
    metavar="VALUE",
    help="given: its standard error.",
)
@with_inputs
def command(
    curves: CurveSet,
    method: str,
    loss_tangent: float | None,
    loss_tangent_error: float,
    third_harmonic: str | None,
    value: float | None,
    value_error: float,
    output: str | None,
    as_json: bool,
) -> None:
    """Phase of the instrument: X + iY is multiplied by exp(-i phase).

    Known values come from FILEs, --experiment and --set, in rising order of rank.
    """
    from nrm_plugin.calibration import phase

    if method == "given":
        if value is None:
            raise click.UsageError("a given phase needs --value")
        estimate = phase.given(value, value_error)
    elif method == "elastomer":
        if loss_tangent is None:
            raise click.UsageError("a reference elastomer needs --loss-tangent")
        estimate = phase.from_elastomer(curves, loss_tangent, loss_tangent_error)
    else:
        estimate = phase.from_hard_contact(curves, third_harmonic=third_harmonic)
    report([estimate], output, as_json)
