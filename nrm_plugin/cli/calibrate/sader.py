"""``nrm calibrate sader``: spring constant from plan view, resonance and quality factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.cli.calibrate import report
from nrm_plugin.cli.calibrate.inputs import errors_of, with_inputs
from nrm_plugin.vocabulary import missing_calibration

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

_KEYS = {
    "length": "cantilever_length",
    "width": "cantilever_width",
    "resonance": "cantilever_resonance",
    "quality_factor": "cantilever_quality_factor",
    "fluid_density": "fluid_density",
    "fluid_viscosity": "fluid_viscosity",
}


@click.command("sader")
@click.option(
    "--fluid",
    type=click.Choice(["air"]),
    help="Take density and viscosity of air at the temperature and 1 atm.",
)
@click.option(
    "--at",
    type=click.Choice(["end", "tip"]),
    default="end",
    show_default=True,
    help="Where the spring constant is to hold; at the tip, tip_setback is needed.",
)
@click.option(
    "--error",
    "errors",
    multiple=True,
    metavar="KEY=VALUE",
    help="Standard error of a known value, cantilever_width=0.5um. May be repeated.",
)
@with_inputs
def command(
    curves: CurveSet,
    fluid: str | None,
    at: str,
    errors: tuple[str, ...],
    output: str | None,
    as_json: bool,
) -> None:
    """Spring constant of a rectangular cantilever by Sader's method.

    Needed are cantilever_length, cantilever_width, cantilever_resonance, cantilever_quality_factor,
    fluid_density and fluid_viscosity, from FILEs, --experiment and --set, in rising order of rank.
    """
    from nrm_plugin.calibration.hydrodynamics import air
    from nrm_plugin.calibration.spring import at_tip, sader

    known = dict(curves.metadata)
    if fluid == "air":
        if "temperature" not in known:
            raise missing_calibration("temperature")
        known["fluid_density"], known["fluid_viscosity"] = air(known["temperature"])
    needed = [*_KEYS.values(), *(["tip_setback"] if at == "tip" else [])]
    missing = [key for key in needed if key not in known]
    if missing:
        raise missing_calibration(missing)
    estimate = sader(
        **{name: float(known[key]) for name, key in _KEYS.items()},
        stderr=_errors(errors),
    )
    if at == "tip":
        estimate = at_tip(estimate, known["cantilever_length"], known["tip_setback"])
    report([estimate], output, as_json)


def _errors(given: tuple[str, ...]) -> dict[str, Any]:
    found = errors_of(given)
    other = set(found) - set(_KEYS.values())
    if other:
        raise click.UsageError(f"--error: {sorted(other)[0]} does not enter Sader's method")
    return {name: found[key] for name, key in _KEYS.items() if key in found}
