"""``nrm fea figure``: the finite elements in six panels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.cli.fea import LENGTH, MODULUS, with_poisson, with_tip
from nrm_plugin.cli.plot import SUFFIXES
from nrm_plugin.text import with_unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nrm_plugin.fea import Layer, Tip

# Depths of the sections and heights of the skin, in parts of the layer.
_SECTIONS, _SKIN = (0.3, 0.7), (0.45, 0.55)
_STIFFER = 10.0
_FINENESS = 0.7  # good for 0.05 %, which no line of a figure shows


@click.command("figure")
@click.option("-o", "--output", required=True, metavar="FIG", help="A .png, .svg or .pdf.")
@with_tip
@click.option(
    "--thickness", type=LENGTH, default="100nm", show_default=True, help="Thickness of the layer."
)
@with_poisson
@click.option(
    "--modulus",
    type=MODULUS,
    default="1MPa",
    show_default=True,
    help="Young's modulus of the layer.",
)
@click.option(
    "--amplitude",
    type=LENGTH,
    default="2nm",
    show_default=True,
    help="Amplitude of the lateral motion, peak.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
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
) -> None:
    """Draw displacement, stress, force and a stiff skin, as in Fig. 2 of the method's paper.

    Displacement and stress are shown at depths of 30 and 70 % of the layer; forces for this tip
    and one of twice its radius, in this layer and in one ten times as stiff. The skin is a tenth
    of the layer, in its middle, and ten times as stiff.
    """
    out = Path(output)
    if out.suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"-o {output}: figures are written as {', '.join(SUFFIXES)}")
    from nrm_plugin import files
    from nrm_plugin.fea import Layer
    from nrm_plugin.figures import save

    layer = Layer(thickness, modulus, poisson, domain)
    with files.replacing(out, overwrite=overwrite) as part:  # tried before all is computed
        save(_drawn(tip, layer, modulus, amplitude), part, title="finite elements")
    if not (ctx.obj and ctx.obj["quiet"]):
        click.echo(f"nrm: {out} written", err=True)


def _drawn(tip: Tip, layer: Layer, modulus: float, amplitude: float) -> Figure:
    """Figure for a tip in a homogeneous layer of that modulus."""
    import numpy as np

    from nrm_plugin.fea import Steps, apparent_modulus, fields, lateral_force, shape_factor
    from nrm_plugin.fea.geometry import SMALLEST
    from nrm_plugin.fea.shape import crowded
    from nrm_plugin.figures.fea import figure2

    thickness = layer.thickness
    numerics: Any = {"fineness": _FINENESS, "workers": 1}  # more would not be faster
    sections = [
        fields(tip, layer, part * thickness, amplitude, fineness=2.0 * _FINENESS)
        for part in _SECTIONS
    ]
    margin = max(0.02 * thickness, 2.0 * SMALLEST * tip.radius)
    depths = crowded(margin, thickness, 29)
    forces = {}
    for size in (1.0, 2.0):
        other = replace(tip, radius=size * tip.radius)
        force = lateral_force(other, layer, depths, amplitude, **numerics)
        for times in (1.0, _STIFFER):
            name = f"R = {with_unit(other.radius, 'm')}, E = {with_unit(times * modulus, 'Pa')}"
            forces[name] = replace(force, force=times * force.force)
    factor = shape_factor(tip, layer, **numerics)
    edges = np.array(_SKIN) * thickness
    stack = replace(layer, modulus=Steps(edges, [modulus, _STIFFER * modulus, modulus]))
    even = np.linspace(margin, thickness - margin, 49)
    force = lateral_force(tip, stack, even, amplitude, **numerics)
    apparent = apparent_modulus(force, factor).real
    line = (next(iter(forces)), factor, modulus)
    return figure2(sections, forces, line, (force, stack, apparent))
