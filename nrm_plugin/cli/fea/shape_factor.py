"""``nrm fea shape-factor``: r_g of a tip in a layer."""

from __future__ import annotations

import json
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.cli.fea import progress, with_json, with_layer, with_tip, with_workers
from nrm_plugin.files import check_output
from nrm_plugin.text import columns, with_unit

if TYPE_CHECKING:
    from nrm_plugin.fea import Layer, ShapeFactor, Tip


@click.command("shape-factor")
@with_tip
@with_layer
@click.option(
    "--table",
    "from_table",
    is_flag=True,
    help="Look it up instead of solving: bonded tips, half angles up to 48 degrees, layers of 0.5 "
    "to 50 radii.",
)
@click.option("-o", "--output", metavar="RG.h5", help='File for a recipe: shape_factor = "RG.h5".')
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@with_workers
@with_json
@click.pass_context
def command(
    ctx: click.Context,
    tip: Tip,
    layer: Layer,
    from_table: bool,
    output: str | None,
    overwrite: bool,
    workers: int,
    as_json: bool,
) -> None:
    """Shape factor r_g: what the derivative of the force is per modulus and amplitude.

    The curve is the local r_g at distances from the electrode. The constant is the slope of a
    least-squares line through the forces at 7 penetrations from 0.2 to 0.8 of the thickness.
    """
    from nrm_plugin.fea import shape_factor, write_shape_factor

    if output is not None:
        if Path(output).suffix.lower() != ".h5":
            raise click.UsageError(f"-o {output}: the shape factor is written as .h5")
        check_output(Path(output), overwrite=overwrite)
    with progress(ctx):
        factor = shape_factor(tip, layer, table=from_table, workers=workers)
    if output is not None:
        write_shape_factor(factor, output, overwrite=overwrite)
    click.echo(json.dumps(_plain(factor), indent=2) if as_json else _text(factor))
    if output is not None and not (ctx.obj and ctx.obj["quiet"]):
        click.echo(f"nrm: {output} written", err=True)


def _plain(factor: ShapeFactor) -> dict[str, Any]:
    """What was found in types that JSON has."""
    return {
        "shape_factor": factor.constant,
        "fit": {
            "from": factor.window[0],
            "to": factor.window[1],
            "r_squared": factor.r_squared,
        },
        "curve": {"distance": factor.distance.tolist(), "shape_factor": factor.curve.tolist()},
        "radius_sensitivity": factor.radius_sensitivity,
        "source": factor.source,
    }


def _text(factor: ShapeFactor) -> str:
    start, stop = (with_unit(depth, "m") for depth in factor.window)
    change = 100.0 * (1.1**factor.radius_sensitivity - 1.0)
    at = _round_distances(factor)
    inside = [min(max(z, factor.distance[0]), factor.distance[-1]) for z in at]  # but for rounding
    shown = [("distance", "m", at), ("local r_g", "", factor.at(inside).tolist())]
    lines = [
        f"shape factor {factor.constant:#.4g}  ({factor.source})",
        f"  line through penetrations from {start} to {stop}, R^2 = {factor.r_squared:.4f}",
        f"  a tip radius 10 % larger changes it by {change:+.1f} %",
        "",
        columns(shown, indent=0),
    ]
    return "\n".join(lines)


def _round_distances(factor: ShapeFactor) -> list[float]:
    """1, 2, 5, 10, ... nm from either end of the curve to the middle of the layer."""
    thickness = factor.layer.thickness
    low, high = factor.distance[0] * (1.0 - 1e-9), factor.distance[-1] * (1.0 + 1e-9)
    steps = [digit * 10.0**power for power in range(-12, 0) for digit in (1.0, 2.0, 5.0)]
    near = list(takewhile(lambda z: z < 0.5 * thickness, steps))
    mirrored = [0.5 * thickness, *(thickness - z for z in reversed(near))]
    return [float(z) for z in (*near, *mirrored) if low <= z <= high]
