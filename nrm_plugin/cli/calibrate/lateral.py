"""``nrm calibrate lateral``: lateral stiffness and sensitivity."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from nrm_plugin.cli.calibrate import report
from nrm_plugin.cli.calibrate.inputs import Quantity, errors_of, quantity, with_inputs

if TYPE_CHECKING:
    from nrm_plugin.calibration.lateral_sensitivity import LateralSensitivity
    from nrm_plugin.calibration.wedge import Facet
    from nrm_plugin.model import CurveSet

_COLUMNS = {"slope": "rad", "load": "N", "half_width": "V", "offset": "V"}


@click.command("lateral")
@click.option(
    "--method",
    type=click.Choice(["geometry", "lock-in", "loop", "wedge", "given"]),
    default="geometry",
    show_default=True,
    help="geometry: stiffness of a rectangular cantilever. The others: sensitivity from "
    "the dither on a hard sample, friction loops, wedge, or as given.",
)
@click.option(
    "--error",
    "errors",
    multiple=True,
    metavar="KEY=VALUE",
    help="geometry: standard error of a known value, tip_height=1um. May be repeated.",
)
@click.option(
    "--material-poisson",
    type=Quantity(""),
    metavar="NUMBER",
    help="geometry: Poisson ratio of an isotropic cantilever, 0.25 for silicon nitride.",
)
@click.option(
    "--spring-at",
    type=click.Choice(["tip", "end"]),
    default="tip",
    show_default=True,
    help="geometry: where the spring constant holds, if the tip is set back.",
)
@click.option(
    "--contact-stiffness",
    type=Quantity("N/m"),
    metavar="VALUE",
    help="loop, lock-in: lateral stiffness of the contact, 100N/m; inf to neglect it.",
)
@click.option(
    "--contact-stiffness-error",
    type=Quantity("N/m"),
    default=0.0,
    metavar="VALUE",
    help="loop, lock-in: its standard error.",
)
@click.option(
    "--signal",
    default="Friction",
    show_default=True,
    metavar="NAME",
    help="loop: images with trace and retrace, or a channel of curves.",
)
@click.option(
    "--position", metavar="CHANNEL", help="loop: channel of curves with the lateral position."
)
@click.option(
    "--limit", type=Quantity("V"), metavar="VALUE", help="loop: where the detector stops, 10V."
)
@click.option(
    "--third-harmonic",
    metavar="CHANNEL",
    help="lock-in: channel with the third harmonic's amplitude.",
)
@click.option(
    "--table",
    type=click.Path(dir_okay=False),
    metavar="FILE.csv",
    help="wedge: columns slope, load, half_width, offset; units in brackets, 'load (nN)'.",
)
@click.option(
    "--value", type=Quantity("m/V"), metavar="VALUE", help="given: the sensitivity, '300 nm/V'."
)
@click.option(
    "--value-error",
    type=Quantity("m/V"),
    default=0.0,
    metavar="VALUE",
    help="given: its standard error.",
)
@click.option(
    "--of",
    "of",
    type=click.Choice(["lock-in", "static"]),
    help="given: per volt at the lock-in's input, or of the friction channel.",
)
@with_inputs
def command(
    curves: CurveSet,
    method: str,
    errors: tuple[str, ...],
    material_poisson: float | None,
    spring_at: str,
    contact_stiffness: float | None,
    contact_stiffness_error: float,
    signal: str,
    position: str | None,
    limit: float | None,
    third_harmonic: str | None,
    table: str | None,
    value: float | None,
    value_error: float,
    of: Literal["lock-in", "static"] | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Lateral stiffness from geometry, or lateral sensitivity from a measurement.

    Known values come from FILEs, --experiment and --set, in rising order of rank.
    """
    from nrm_plugin.calibration import friction, lateral, locked, wedge
    from nrm_plugin.calibration.inputs import require, stderr_of

    found: LateralSensitivity
    if method == "geometry":
        estimate = lateral.stiffness_from_geometry(
            curves.metadata,
            poisson_ratio=material_poisson,
            errors=errors_of(errors),
            spring_at=spring_at,
        )
        report([estimate], output, as_json)
        return
    if method == "lock-in":
        found = locked.from_hard_contact(
            curves,
            contact_stiffness=contact_stiffness,
            contact_stiffness_stderr=contact_stiffness_error,
            third_harmonic=third_harmonic,
        )
    elif method == "given":
        if value is None or of is None:
            raise click.UsageError("a given sensitivity needs --value and --of")
        found = locked.given(value, value_error, of)
    else:
        stiffness = require(curves, "lateral_stiffness", "lateral_output_gain")["lateral_stiffness"]
        error = stiffness * stderr_of(curves, "lateral_stiffness")
        if method == "wedge":
            if table is None:
                raise click.UsageError("the wedge method needs --table")
            found = wedge.wedge(read_facets(Path(table))).sensitivity(stiffness, error)
        else:
            if contact_stiffness is None:
                raise click.UsageError(
                    "--contact-stiffness is needed: contact and lever share the motion; "
                    "inf neglects it"
                )
            loops = (
                friction.loops_from_images(curves.images, signal)
                if position is None
                else friction.loops_from_curves(curves, position, signal)
            )
            found = locked.from_loops(
                friction.shape_of(loops, limit),
                stiffness,
                contact_stiffness,
                lateral_stiffness_stderr=error,
                contact_stiffness_stderr=contact_stiffness_error,
            )
    report([found.estimate(curves.metadata.get("lateral_output_gain"))], output, as_json)


def read_facets(path: Path) -> list[Facet]:
    """Loops of the wedge method from a table.

    The first line names the columns with their units: ``slope (deg), load (nN), half_width (mV),
    offset (mV)``; then one line per load and slope.

    Raises
    ------
    MissingFile, InvalidInput
    """
    import numpy as np

    from nrm_plugin.calibration.wedge import Facet
    from nrm_plugin.errors import InvalidInput, MissingFile

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError) as error:
        raise MissingFile(path, str(error)) from None
    names, factors = [], []
    for cell in rows[0] if rows else ():
        name, _, unit = cell.strip().rstrip(")]").replace("[", "(").partition("(")
        names.append(name.strip())
        unit = unit.strip()
        factors.append(quantity(f"1 {unit}", _COLUMNS[names[-1]]) if names[-1] in _COLUMNS else 1.0)
    if not set(_COLUMNS) <= set(names):
        raise InvalidInput(f"{path}: the first line names {', '.join(_COLUMNS)} with their units")
    try:
        numbers = np.array([[float(cell) for cell in row] for row in rows[1:]]) * factors
    except ValueError:
        raise InvalidInput(
            f"{path}: every line below the first holds {len(names)} numbers"
        ) from None
    if numbers.ndim != 2:
        raise InvalidInput(f"{path}: there are no numbers below the first line")
    columns = {name: numbers[:, names.index(name)] for name in _COLUMNS}
    facets = []
    for slope in np.unique(columns["slope"]):
        on = columns["slope"] == slope
        parts = (columns[name][on] for name in ("load", "half_width", "offset"))
        facets.append(Facet(float(slope), *parts))
    return facets
