"""``nrm fea force``: lateral force at depths."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from nrm_plugin.cli.calibrate.inputs import Quantity
from nrm_plugin.cli.fea import amplitude, with_poisson, with_thickness, with_tip, with_workers
from nrm_plugin.cli.text import human, table

if TYPE_CHECKING:
    from nrm_plugin.fea import Tip


@click.command("force")
@with_tip
@with_thickness
@click.option("--depth", "depths", type=Quantity("m"), multiple=True, required=True,
              metavar="LENGTH", help="Depth of the apex. May be repeated.")  # fmt: skip
@with_poisson
@click.option("--modulus", type=Quantity("Pa"), required=True, metavar="MODULUS",
              help="Young's storage modulus of the layer.")  # fmt: skip
@click.option("--loss", type=Quantity("Pa"), default="0Pa", metavar="MODULUS",
              help="Its loss modulus.")  # fmt: skip
@amplitude
@with_workers
@click.option("--json", "as_json", is_flag=True, help="Print SI values for programs.")
def command(
    tip: Tip,
    thickness: float,
    depths: tuple[float, ...],
    poisson: float,
    domain: float | None,
    modulus: float,
    loss: float,
    amplitude: float,
    workers: int,
    as_json: bool,
) -> None:
    """Lateral force that moves a tip sideways in a homogeneous layer."""
    from nrm_plugin.fea import Layer, lateral_force

    layer = Layer(thickness, complex(modulus, loss), poisson, domain)
    found = lateral_force(tip, layer, depths, amplitude, workers=workers)
    if as_json:
        values = {
            "depth": found.depth.tolist(),
            "force_in_phase": found.force.real.tolist(),
            "force_quadrature": found.force.imag.tolist(),
        }
        click.echo(json.dumps(values, indent=2))
        return
    rows = [("depth", "in phase", "quadrature")]
    for depth, force in zip(found.depth.tolist(), found.force.tolist(), strict=True):
        rows.append((human(depth, "m"), human(force.real, "N"), human(force.imag, "N")))
    click.echo(table(rows, 0))
