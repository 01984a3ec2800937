"""``nrm fea profile``: what a stack of layers would be measured as."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.cli.calibrate.inputs import Quantity, quantity
from nrm_plugin.cli.fea import amplitude, with_poisson, with_tip, with_workers
from nrm_plugin.cli.text import table
from nrm_plugin.errors import InvalidInput

if TYPE_CHECKING:
    from nrm_plugin.fea import ShapeFactor, Tip


class Slab(click.ParamType):  # type: ignore[type-arg]
    """Thickness, storage and loss modulus: ``10nm=10MPa`` or ``10nm=10MPa,1MPa``."""

    name = "layer"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, complex]:
        """See click."""
        if isinstance(value, tuple):
            return value
        thickness, equals, moduli = str(value).partition("=")
        storage, _, loss = moduli.partition(",")
        try:
            if not equals:
                raise InvalidInput(f"{value!r}: write THICKNESS=MODULUS, such as 10nm=10MPa")
            modulus = complex(quantity(storage, "Pa"), quantity(loss, "Pa") if loss else 0.0)
            return quantity(thickness, "m"), modulus
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


@click.command("profile")
@with_tip
@click.option("--layer", "slabs", type=Slab(), multiple=True, required=True,
              metavar="THICKNESS=STORAGE[,LOSS]",
              help="A layer, from the electrode outwards. May be repeated.")  # fmt: skip
@with_poisson
@amplitude
@click.option("--step", type=Quantity("m"), metavar="LENGTH",
              help="Between depths; a fiftieth of the thickness if not given.")  # fmt: skip
@click.option("--shape-factor", "constant", type=float, metavar="R_G",
              help="One number for all distances; the local curve if not given.")  # fmt: skip
@with_workers
@click.option("--json", "as_json", is_flag=True, help="Print SI values for programs.")
def command(
    tip: Tip,
    slabs: tuple[tuple[float, complex], ...],
    poisson: float,
    domain: float | None,
    amplitude: float,
    step: float | None,
    constant: float | None,
    workers: int,
    as_json: bool,
) -> None:
    """Lateral force in a stack of layers, and the modulus that Eq. 5 would give for it."""
    import numpy as np

    from nrm_plugin.fea import Layer, Steps, apparent_modulus, lateral_force

    edges = np.cumsum([thickness for thickness, _ in slabs])
    modulus = Steps(edges[:-1], [modulus for _, modulus in slabs])
    layer = Layer(float(edges[-1]), modulus, poisson, domain)
    factor = _factor(tip, layer, workers) if constant is None else constant
    spacing = step or layer.thickness / 50.0
    depths = np.arange(spacing, layer.thickness - 0.5 * spacing, spacing)
    force = lateral_force(tip, layer, depths, amplitude, workers=workers)
    apparent, true = apparent_modulus(force, factor), layer.moduli(force.distance)
    columns = {
        "depth": force.depth,
        "distance": force.distance,
        "force_in_phase": force.force.real,
        "force_quadrature": force.force.imag,
        "apparent_storage_modulus": apparent.real,
        "apparent_loss_modulus": apparent.imag,
        "storage_modulus": true.real,
        "loss_modulus": true.imag,
    }
    if as_json:
        plain = {
            name: [value if np.isfinite(value) else None for value in values.tolist()]
            for name, values in columns.items()
        }
        click.echo(json.dumps(plain, indent=2))
        return
    scales = (1e9, 1e9, 1e9, 1e9, 1e-6, 1e-6, 1e-6, 1e-6)
    head = ("depth", "distance", "F'", "F''", "E' (Eq. 5)", "E''", "E' here", "E''")
    units = ("nm", "nm", "nN", "nN", "MPa", "MPa", "MPa", "MPa")
    rows = zip(
        *(values * scale for values, scale in zip(columns.values(), scales, strict=True)),
        strict=True,
    )
    click.echo(table([head, units, *(tuple(f"{v:.4g}" for v in row) for row in rows)], 0))


def _factor(tip: Tip, layer: Any, workers: int) -> ShapeFactor:
    """Shape factor from the table where it holds it, else solved for."""
    from nrm_plugin.fea import shape_factor

    try:
        return shape_factor(tip, layer, table=True)
    except InvalidInput:
        return shape_factor(tip, layer, workers=workers)
