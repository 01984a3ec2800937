"""``nrm fea profile``: what a stack of layers would be measured as."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.cli.fea import (
    LENGTH,
    moduli,
    positive,
    progress,
    with_amplitude,
    with_json,
    with_poisson,
    with_tip,
    with_workers,
)
from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import columns, with_unit
from nrm_plugin.units import quantity

if TYPE_CHECKING:
    from nrm_plugin.fea import Layer, ShapeFactor, Tip

_MOST = 1000  # depths; each takes a fifth of a second


class Slab(click.ParamType):  # type: ignore[type-arg]
    """Thickness, storage and loss modulus: ``10nm=10MPa`` or ``10nm=10MPa,1MPa``."""

    name = "layer"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, complex]:
        """See click."""
        if isinstance(value, tuple):
            return value
        thickness, equals, modulus = str(value).partition("=")
        storage, _, loss = modulus.partition(",")
        try:
            if not equals:
                raise InvalidInput(f"{value!r}: write THICKNESS=MODULUS, such as 10nm=10MPa")
            parts = [quantity(part, "Pa", "MPa") for part in (storage, loss or "0Pa")]
            return quantity(thickness, "m", "nm"), moduli(*parts)
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


@click.command("profile")
@with_tip
@click.option(
    "--layer",
    "slabs",
    type=Slab(),
    multiple=True,
    required=True,
    metavar="THICKNESS=STORAGE[,LOSS]",
    help="A layer, from the electrode outwards. May be repeated.",
)
@with_poisson
@with_amplitude
@click.option(
    "--step", type=LENGTH, help="Between depths; a fiftieth of the thickness if not given."
)
@click.option(
    "--shape-factor",
    "constant",
    type=float,
    metavar="R_G",
    help="One number for all distances; the local curve if not given.",
)
@with_workers
@with_json
@click.pass_context
def command(
    ctx: click.Context,
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

    from nrm_plugin.fea import apparent_modulus, lateral_force
    from nrm_plugin.fea.geometry import SMALLEST

    if constant is not None:
        positive("--shape-factor", constant, "")
    layer = _stack(slabs, poisson, domain)
    spacing = layer.thickness / 50.0 if step is None else positive("--step", step, "m")
    count = int(min(np.ceil(layer.thickness / spacing - 0.5), _MOST + 2.0)) - 1
    if not 3 <= count <= _MOST:
        raise InvalidInput(
            f"--step {with_unit(spacing, 'm')}: 3 to {_MOST} steps must fit into the "
            f"{with_unit(layer.thickness, 'm')} of the layers"
        )
    with progress(ctx):
        factor = _factor(tip, layer, workers) if constant is None else constant
        depths = spacing * np.arange(1, count + 1)
        # A blunt tip cannot be computed as close to surface and electrode as a small step goes.
        near = SMALLEST * tip.radius * (1.0 + 1e-9)
        depths = depths[(depths >= near) & (layer.thickness - depths >= near)]
        force = lateral_force(tip, layer, depths, amplitude, workers=workers)
    apparent, true = apparent_modulus(force, factor), layer.moduli(force.distance)
    values_of = {
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
            for name, values in values_of.items()
        }
        click.echo(json.dumps(plain, indent=2))
        return
    heads = (
        ("depth", "m"),
        ("distance", "m"),
        ("F'", "N"),
        ("F''", "N"),
        ("E' (Eq. 5)", "Pa"),
        ("E'' (Eq. 5)", "Pa"),
        ("E' there", "Pa"),
        ("E'' there", "Pa"),
    )
    lossy = bool(np.any(true.imag != 0.0))
    shown = [
        (name, unit, values.tolist())
        for (name, unit), values in zip(heads, values_of.values(), strict=True)
        if lossy or "''" not in name
    ]
    click.echo(columns(shown, indent=0))


def _stack(slabs: tuple[tuple[float, complex], ...], poisson: float, domain: float | None) -> Layer:
    """Layers from the electrode outwards as one."""
    import numpy as np

    from nrm_plugin.fea import Layer, Steps

    for thickness, _ in slabs:
        positive("a layer's thickness of", thickness, "m")
    edges = np.cumsum([thickness for thickness, _ in slabs])
    modulus = Steps(edges[:-1], [modulus for _, modulus in slabs])
    return Layer(float(edges[-1]), modulus, poisson, domain)


def _factor(tip: Tip, layer: Layer, workers: int) -> ShapeFactor:
    """Shape factor from the table where it holds it, else solved for."""
    from nrm_plugin.fea import shape_factor

    try:
        return shape_factor(tip, layer, table=True)
    except InvalidInput:
        return shape_factor(tip, layer, workers=workers)
