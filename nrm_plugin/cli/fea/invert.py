"""``nrm fea invert``: from the lateral force to the modulus at each height."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.cli.calibrate.inputs import Quantity
from nrm_plugin.cli.fea import with_poisson, with_thickness, with_tip, with_workers
from nrm_plugin.cli.plot import edges_given
from nrm_plugin.cli.text import table
from nrm_plugin.errors import MissingCalibration

if TYPE_CHECKING:
    from nrm_plugin.fea import Inverted, Tip
    from nrm_plugin.fea.measured import Measured


@click.command("invert")
@click.argument("file", metavar="FILE")
@with_tip
@with_thickness
@with_poisson
@click.option("--amplitude", type=Quantity("m"), metavar="LENGTH",
              help="Amplitude of the lateral motion, peak; that of the results if not "
              "given.")  # fmt: skip
@click.option("--curve", type=int, metavar="N",
              help="Of results: one curve. The mean of all if not given.")  # fmt: skip
@click.option("--edges", metavar="V,V,...",
              help="Of results: means over regions between these potentials.")  # fmt: skip
@click.option("--step", type=Quantity("m"), metavar="LENGTH",
              help="Forces are averaged over steps of this; a fifth of the tip's radius if not "
              "given.")  # fmt: skip
@click.option("--from", "low", type=Quantity("m"), metavar="LENGTH",
              help="Smallest distance from the electrode that is used; a fifth of the tip's "
              "radius if not given.")  # fmt: skip
@click.option("--noise", type=Quantity("N"), metavar="FORCE",
              help="Standard deviation of the force of one sample; from the data if not "
              "given.")  # fmt: skip
@with_workers
@click.option("--json", "as_json", is_flag=True, help="Print SI values for programs.")
@click.pass_context
def command(
    ctx: click.Context,
    file: str,
    tip: Tip,
    thickness: float,
    poisson: float,
    domain: float | None,
    amplitude: float | None,
    curve: int | None,
    edges: str | None,
    step: float | None,
    low: float | None,
    noise: float | None,
    workers: int,
    as_json: bool,
) -> None:
    """Modulus at each height from the lateral force.

    FILE is what nrm process wrote, or a table with the columns "distance (nm)", "force in phase
    (nN)" and "force quadrature (nN)". If no profile explains a force it is reported as failed,
    and the exit code is 1.
    """
    from dataclasses import replace

    from nrm_plugin.fea import InversionFailed, Layer, invert

    measured, known = _measured(file, curve, edges)
    amplitude = amplitude if amplitude is not None else known
    if amplitude is None:
        raise MissingCalibration("dither_amplitude")
    layer = Layer(thickness, 1.0, poisson, domain)
    width = step or 0.2 * tip.radius
    nearest = low or 0.2 * tip.radius
    found: list[dict[str, Any]] = []
    for given in measured:
        if noise is not None:
            given = replace(given, noise=complex(noise, noise))
        data = given.binned(width, nearest, thickness - 0.1 * tip.radius)
        try:
            result = invert(tip, layer, thickness - data.distance, data.force, amplitude,
                            noise=data.noise, workers=workers)  # fmt: skip
        except InversionFailed as error:
            found.append({"of": data.label, "failed": str(error)})
            click.echo(f"nrm: {data.label}: {error}", err=True)
            continue
        found.append({"of": data.label, "failed": None, **_plain(result)})
        if not as_json:
            click.echo(_text(data, result))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    ctx.exit(1 if any(one["failed"] for one in found) else 0)


def _measured(
    file: str, curve: int | None, edges: str | None
) -> tuple[list[Measured], float | None]:
    """Forces of a file, and the amplitude if it says so."""
    from nrm_plugin.fea.measured import from_results, from_table
    from nrm_plugin.store.opened import holds_results, open_results

    if not holds_results(file):
        if curve is not None or edges is not None:
            raise click.UsageError("--curve and --edges go with results of nrm process")
        return [from_table(file)], None
    results = open_results(file)
    amplitude = results.attrs.get("dither_amplitude")
    forces = from_results(results, curve, edges_given(edges))
    return forces, None if amplitude is None else float(amplitude)


def _plain(found: Inverted) -> dict[str, Any]:
    """What was found in types that JSON has; what is not known is null."""
    import numpy as np

    def listed(values: Any) -> list[float | None]:
        return [float(v) if np.isfinite(v) else None for v in values]

    layers = None
    if found.layers is not None:
        bounds = [0.0, *np.asarray(found.layers.edges).tolist(), float(found.cells[-1])]
        layers = [
            {"from": start, "to": stop, "storage_modulus": value.real, "loss_modulus": value.imag}
            for start, stop, value in zip(
                bounds, bounds[1:], np.asarray(found.layers.moduli).tolist(), strict=False
            )
        ]
    return {
        "height": listed(found.heights),
        "storage_modulus": listed(found.modulus.real),
        "storage_low": listed(found.storage_low),
        "storage_high": listed(found.storage_high),
        "loss_modulus": listed(found.modulus.imag),
        "loss_low": listed(found.loss_low),
        "loss_high": listed(found.loss_high),
        "layers": layers,
        "misfit": found.misfit,
        "noise": list(found.noise),
    }


def _text(data: Measured, found: Inverted) -> str:
    """Profile as a table."""
    lines = [f"{data.label}: misfit {found.misfit:.2f} (1 is the noise)"]
    if found.layers is not None:
        lines.append(f"  {len(found.layers.moduli)} layers explain the force")  # type: ignore[arg-type]
    rows = [("height", "E'", "95 %", "E''", "95 %"), ("nm", "MPa", "", "MPa", "")]
    columns = (found.heights * 1e9, found.modulus.real, found.storage_low, found.storage_high,
               found.modulus.imag, found.loss_low, found.loss_high)  # fmt: skip
    for height, *values in zip(*columns, strict=True):
        e, e_low, e_high, loss, l_low, l_high = (f"{v * 1e-6:.3g}" for v in values)
        rows.append((f"{height:.3g}", e, f"{e_low} to {e_high}", loss, f"{l_low} to {l_high}"))
    return "\n".join([*lines, table(rows)])
