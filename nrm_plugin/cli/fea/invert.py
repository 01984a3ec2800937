"""``nrm fea invert``: from the lateral force to the modulus at each height."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.cli.fea import (
    FORCE,
    LENGTH,
    positive,
    progress,
    with_json,
    with_layer,
    with_tip,
    with_workers,
)
from nrm_plugin.cli.options import WithUnit
from nrm_plugin.errors import NrmError
from nrm_plugin.text import columns

if TYPE_CHECKING:
    from nrm_plugin.fea import Inverted, Layer, Tip
    from nrm_plugin.fea.force_profile import ForceProfile


@click.command("invert")
@click.argument("file", metavar="FILE")
@with_tip
@with_layer
@click.option(
    "--amplitude",
    type=LENGTH,
    help="Amplitude of the lateral motion, peak; that of the results if not given.",
)
@click.option(
    "--curve",
    type=click.IntRange(min=0),
    metavar="N",
    help="Of results: one curve, from 0. The mean of all if not given.",
)
@click.option(
    "--edges", metavar="V,V,...", help="Of results: means over regions between these potentials."
)
@click.option(
    "--step",
    type=LENGTH,
    help="Forces are averaged over steps of this; a fifth of the tip's radius if not given.",
)
@click.option(
    "--from",
    "low",
    type=LENGTH,
    help="Smallest distance from the electrode that is used; a fifth of the tip's "
    "radius if not given.",
)
@click.option(
    "--noise",
    type=FORCE,
    help="Standard deviation of the force of one sample; from the data if not given.",
)
@click.option(
    "--radius-stderr",
    type=LENGTH,
    help="Standard error of the tip's radius, for the bands; unknown if not given.",
)
@click.option(
    "--cone-angle-stderr",
    type=WithUnit("rad", "deg", "angle"),
    help="Standard error of the half angle; unknown if not given.",
)
@click.option(
    "--contact-stderr",
    type=LENGTH,
    help="Standard error of the contact, by which all distances are off; that of the results "
    "if not given.",
)
@with_workers
@with_json
@click.pass_context
def command(
    ctx: click.Context,
    file: str,
    tip: Tip,
    layer: Layer,
    amplitude: float | None,
    curve: int | None,
    edges: str | None,
    step: float | None,
    low: float | None,
    noise: float | None,
    radius_stderr: float | None,
    cone_angle_stderr: float | None,
    contact_stderr: float | None,
    workers: int,
    as_json: bool,
) -> None:
    """Modulus at each height from the lateral force.

    FILE is what nrm process wrote, or a table with the columns "distance (nm)", "force in phase
    (nN)" and "force quadrature (nN)". If no profile explains a force it is reported as failed,
    and the exit code is 1.
    """
    from dataclasses import replace

    from nrm_plugin.fea import invert

    thickness = layer.thickness
    width = 0.2 * tip.radius if step is None else positive("--step", step, "m")
    nearest = 0.2 * tip.radius if low is None else positive("--from", low, "m")
    measured, recorded = _measured(file, curve, edges)
    amplitude = amplitude if amplitude is not None else recorded
    if amplitude is None:
        raise click.UsageError(
            f"{file} does not say the amplitude of the lateral motion: "
            "give --amplitude, such as 1nm"
        )
    reports: list[dict[str, Any]] = []
    for profile in measured:
        if noise is not None:
            sigma = positive("--noise", noise, "N")
            profile = replace(profile, noise=complex(sigma, sigma))
        try:
            data = profile.binned(width, nearest, thickness - 0.1 * tip.radius)
            with progress(ctx):
                result = invert(
                    tip,
                    layer,
                    thickness - data.distance,
                    data.force,
                    amplitude,
                    noise=data.noise,
                    workers=workers,
                    radius_stderr=radius_stderr,
                    cone_angle_stderr=cone_angle_stderr,
                    contact_stderr=data.contact_stderr
                    if contact_stderr is None
                    else contact_stderr,
                )
        except NrmError as error:  # the others go on
            reports.append({"of": profile.label, "failed": str(error)})
            click.echo(f"nrm: {profile.label}: {error}", err=True)
            continue
        if not as_json:
            click.echo(_text(data, result, thickness) + "\n" * (profile is not measured[-1]))
        reports.append({"of": data.label, "failed": None, **_plain(result)})
    if as_json:
        click.echo(json.dumps(reports, indent=2))
    ctx.exit(1 if any(one["failed"] for one in reports) else 0)


def _measured(
    file: str, curve: int | None, edges: str | None
) -> tuple[list[ForceProfile], float | None]:
    """Forces of a file, and the amplitude if it says so."""
    from nrm_plugin.cli.plot import edges_given
    from nrm_plugin.fea.force_profile import from_results, from_table
    from nrm_plugin.store.read_curves import holds_results
    from nrm_plugin.store.read_results import open_results

    if curve is not None and edges is not None:
        raise click.UsageError("give --curve or --edges: one curve, or means over regions")
    if not holds_results(file):
        if curve is not None or edges is not None:
            raise click.UsageError("--curve and --edges go with results of nrm process")
        return [from_table(file)], None
    results = open_results(file)
    amplitude = results.attrs.get("dither_amplitude")
    forces = from_results(results, curve, edges_given(edges))
    return forces, None if amplitude is None else float(amplitude)


def _plain(inverted: Inverted) -> dict[str, Any]:
    """What was found in types that JSON has; what is not known is null."""
    import numpy as np

    def listed(values: Any) -> list[float | None]:
        return [float(v) if np.isfinite(v) else None for v in values]

    layers = None
    if inverted.layers is not None:
        names = ("from", "to", "storage_modulus", "loss_modulus")
        rows = zip(*_layers(inverted, float(inverted.cells[-1])), strict=True)
        layers = [dict(zip(names, row, strict=True)) for row in rows]
    return {
        "height": listed(inverted.heights),
        "storage_modulus": listed(inverted.modulus.real),
        "storage_low": listed(inverted.storage_low),
        "storage_high": listed(inverted.storage_high),
        "loss_modulus": listed(inverted.modulus.imag),
        "loss_low": listed(inverted.loss_low),
        "loss_high": listed(inverted.loss_high),
        "layers": layers,
        "misfit": inverted.misfit,
        "noise": list(inverted.noise),
        "parameters": inverted.parameters,
        "numbers": inverted.numbers,
        "alternatives": [
            {
                "explanation": one.words,
                "edges": [] if one.layers is None else np.asarray(one.layers.edges).tolist(),
                "misfit": one.misfit,
                "parameters": one.parameters,
                "weight": one.weight,
            }
            for one in inverted.alternatives
        ],
        "radius_stderr": inverted.told.radius,
        "cone_angle_stderr": inverted.told.cone_angle,
        "contact_stderr": inverted.told.contact,
        "doubts": inverted.doubts,
    }


def _layers(
    inverted: Inverted, thickness: float
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Where each layer begins and ends, and its two moduli."""
    import numpy as np

    assert inverted.layers is not None
    bounds = [0.0, *np.asarray(inverted.layers.edges).tolist(), thickness]
    moduli = np.asarray(inverted.layers.moduli)
    return bounds[:-1], bounds[1:], moduli.real.tolist(), moduli.imag.tolist()


def _text(data: ForceProfile, inverted: Inverted, thickness: float) -> str:
    """The layers, if there are such, and the profile with its bands."""
    import numpy as np

    lossy = bool(np.isfinite(inverted.loss_low).any())
    lines = [f"{data.label}: misfit {inverted.misfit:.2f} (1 is the noise), bands of 95 %", ""]
    if inverted.layers is not None:
        start, stop, storage, loss = _layers(inverted, thickness)
        shown = [("from", "m", start), ("to", "m", stop), ("E'", "Pa", storage)]
        lines += [columns([*shown, *[("E''", "Pa", loss)] * lossy]), ""]
    shown = [
        ("height", "m", inverted.heights.tolist()),
        ("E'", "Pa", inverted.modulus.real.tolist()),
        ("low", "Pa", inverted.storage_low.tolist()),
        ("high", "Pa", inverted.storage_high.tolist()),
    ]
    if lossy:
        shown += [
            ("E''", "Pa", inverted.modulus.imag.tolist()),
            ("low", "Pa", inverted.loss_low.tolist()),
            ("high", "Pa", inverted.loss_high.tolist()),
        ]
    doubts = [f"  {doubt}" for doubt in inverted.doubts]
    return "\n".join([*lines, columns(shown), "", *doubts])
