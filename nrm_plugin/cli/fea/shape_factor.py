"""``nrm fea shape-factor``: r_g of a tip in a layer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from nrm_plugin.cli.fea import with_poisson, with_thickness, with_tip, with_workers
from nrm_plugin.cli.text import human, table

if TYPE_CHECKING:
    from nrm_plugin.fea import ShapeFactor, Tip


@click.command("shape-factor")
@with_tip
@with_thickness
@with_poisson
@click.option("--table", "from_table", is_flag=True,
              help="Look it up instead of solving: bonded cylinders, layers of 0.5 to 50 "
              "radii.")  # fmt: skip
@click.option("-o", "--output", metavar="RG.h5",
              help="File for a recipe: shape_factor = \"RG.h5\".")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@with_workers
@click.option("--json", "as_json", is_flag=True, help="Print SI values for programs.")
@click.pass_context
def command(
    ctx: click.Context,
    tip: Tip,
    thickness: float,
    poisson: float,
    domain: float | None,
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
    from nrm_plugin.errors import OutputError
    from nrm_plugin.fea import Layer, shape_factor, write_shape_factor

    if output is not None and not overwrite:
        from pathlib import Path

        if Path(output).exists():
            raise OutputError(output, "it exists, and is replaced only with --overwrite")
    layer = Layer(thickness, 1.0, poisson, domain)
    found = shape_factor(tip, layer, table=from_table, workers=workers)
    if output is not None:
        write_shape_factor(found, output, overwrite=overwrite)
        if not (ctx.obj and ctx.obj["quiet"]):
            click.echo(f"nrm: {output} written", err=True)
    if as_json:
        values = {
            "shape_factor": found.constant,
            "fit": {
                "from": found.window[0],
                "to": found.window[1],
                "r_squared": found.r_squared,
            },
            "curve": {
                "distance": found.distance.tolist(),
                "shape_factor": found.curve.tolist(),
            },
            "radius_sensitivity": found.radius_sensitivity,
            "source": found.source,
        }
        click.echo(json.dumps(values, indent=2))
    else:
        click.echo(_text(found))


def _text(found: ShapeFactor) -> str:
    start, stop = (human(depth, "m") for depth in found.window)
    sensitivity = found.radius_sensitivity
    lines = [
        f"shape factor {found.constant:.4g}  ({found.source})",
        f"  line through penetrations from {start} to {stop}, R^2 = {found.r_squared:.4f}",
        f"  a tip radius 10 % larger changes it by {100 * (1.1**sensitivity - 1):+.1f} %",
        "",
        "distance   local r_g",
    ]
    every = max(1, found.distance.size // 12)
    pairs = zip(found.distance.tolist(), found.curve.tolist(), strict=True)
    rows = [(f"{z * 1e9:.3g} nm", f"{factor:.3f}") for z, factor in pairs]
    return "\n".join([*lines, table([(a.ljust(9), b) for a, b in rows[::every]], 0)])
