"""``nrm fea force``: lateral force at depths."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from nrm_plugin.cli.fea import (
    LENGTH,
    MODULUS,
    moduli,
    progress,
    with_amplitude,
    with_json,
    with_layer,
    with_tip,
    with_workers,
)
from nrm_plugin.text import columns

if TYPE_CHECKING:
    from nrm_plugin.fea import Layer, Tip


@click.command("force")
@with_tip
@with_layer
@click.option(
    "--depth",
    "depths",
    type=LENGTH,
    multiple=True,
    required=True,
    help="Depth of the apex. May be repeated.",
)
@click.option(
    "--modulus", type=MODULUS, required=True, help="Young's storage modulus of the layer."
)
@click.option("--loss", type=MODULUS, default="0Pa", help="Its loss modulus; none if not given.")
@with_amplitude
@with_workers
@with_json
@click.pass_context
def command(
    ctx: click.Context,
    tip: Tip,
    layer: Layer,
    depths: tuple[float, ...],
    modulus: float,
    loss: float,
    amplitude: float,
    workers: int,
    as_json: bool,
) -> None:
    """Lateral force that moves a tip sideways in a homogeneous layer."""
    from nrm_plugin.fea import lateral_force

    layer = replace(layer, modulus=moduli(modulus, loss))
    with progress(ctx):
        result = lateral_force(tip, layer, depths, amplitude, workers=workers)
    in_phase, quadrature = result.force.real.tolist(), result.force.imag.tolist()
    if as_json:
        values = {
            "depth": result.depth.tolist(),
            "force_in_phase": in_phase,
            "force_quadrature": quadrature,
        }
        click.echo(json.dumps(values, indent=2))
        return
    shown = [
        ("depth", "m", result.depth.tolist()),
        ("force in phase", "N", in_phase),
        ("quadrature", "N", quadrature),
    ]
    click.echo(columns(shown[: 3 if loss else 2], digits=5, indent=0))
