"""``nrm fea figure``: the finite elements in six panels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nrm_plugin.cli.calibrate.inputs import Quantity
from nrm_plugin.cli.fea import with_poisson, with_tip, with_workers
from nrm_plugin.errors import OutputError

if TYPE_CHECKING:
    from nrm_plugin.fea import Tip


@click.command("figure")
@click.option("-o", "--output", required=True, metavar="FIG",
              help="A .png, .svg or .pdf.")  # fmt: skip
@with_tip
@click.option("--thickness", type=Quantity("m"), default="100nm", show_default=True,
              metavar="LENGTH", help="Thickness of the layer.")  # fmt: skip
@with_poisson
@click.option("--modulus", type=Quantity("Pa"), default="1MPa", show_default=True,
              metavar="MODULUS", help="Young's modulus of the layer.")  # fmt: skip
@click.option("--amplitude", type=Quantity("m"), default="2nm", show_default=True,
              metavar="LENGTH", help="Amplitude of the lateral motion, peak.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@with_workers
@click.pass_context
def command(
    ctx: click.Context,
    output: str,
    tip: Tip,
    thickness: float,
    poisson: float,
    domain: float | None,
    modulus: float,
    amplitude: float,
    overwrite: bool,
    workers: int,
) -> None:
    """Draw displacement, stress, force and a stiff skin, as in Fig. 2 of the method's paper.

    Forces are shown for this tip and one of twice its radius, in this layer and in one ten times
    as stiff; the skin is as thick as a tenth of the layer, and ten times as stiff.
    """
    import numpy as np

    from nrm_plugin.fea import (
        Layer,
        Steps,
        apparent_modulus,
        fields,
        lateral_force,
        shape_factor,
    )
    from nrm_plugin.figures import save
    from nrm_plugin.figures.fea import figure2

    out = Path(output)
    if out.exists() and not overwrite:
        raise OutputError(out, "it exists, and is replaced only with --overwrite")
    layer = Layer(thickness, modulus, poisson, domain)
    factor = shape_factor(tip, layer, workers=workers)
    depths = np.linspace(0.02, 0.98, 49) * thickness
    found = {}
    for size in (1.0, 2.0):
        other = replace(tip, radius=size * tip.radius)
        force = lateral_force(other, layer, depths, amplitude, workers=workers)
        for stiffness in (1.0, 10.0):
            name = f"R = {other.radius * 1e9:.3g} nm, E = {stiffness * modulus * 1e-6:.3g} MPa"
            found[name] = replace(force, force=stiffness * force.force)
    first = next(iter(found))
    edges = np.array([0.45, 0.55]) * thickness
    stack = replace(layer, modulus=Steps(edges, [modulus, 10.0 * modulus, modulus]))
    layered = lateral_force(tip, stack, depths, amplitude, workers=workers)
    apparent = apparent_modulus(layered, factor).real
    sections = [fields(tip, layer, part * thickness, amplitude) for part in (0.3, 0.7)]
    drawn = figure2(sections, found, (first, factor, modulus), (layered, stack, apparent))
    save(drawn, out, title="finite elements", overwrite=overwrite)
    if not (ctx.obj and ctx.obj["quiet"]):
        click.echo(f"nrm: {out} written", err=True)
