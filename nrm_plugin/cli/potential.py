"""``nrm potential``: a potentiostat's log looked at, or laid on a recording by its shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nrm_plugin.cli.info import describe_log, log_as_text
from nrm_plugin.cli.options import log_unit_option, log_units_of
from nrm_plugin.files import check_output

if TYPE_CHECKING:
    import xarray as xr

    from nrm_plugin.model import CurveSet


@click.command("potential")
@click.argument("log_path", metavar="LOG")
@click.option(
    "--against",
    metavar="FILE",
    help="A recording of the same potential by another clock: a board's file, or curves or "
    "results with potentials.",
)
@click.option("--picture", metavar="FIG", help="Draw it: .png, .svg or .pdf.")
@log_unit_option
@click.option("--overwrite", is_flag=True, help="Replace a picture that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers, for programs.")
def command(
    log_path: str,
    against: str | None,
    picture: str | None,
    log_units: tuple[str, ...],
    overwrite: bool,
    as_json: bool,
) -> None:
    """Look at a potentiostat's log, or find its clock by the shape of the potential.

    With --against, the offset between the two clocks is what process takes as --clock-offset.
    """
    if picture is not None:
        check_output(Path(picture), overwrite=overwrite)
    from nrm_plugin.potential import read_log

    log = read_log(log_path, units=log_units_of(log_units))
    clock = recorded = None
    if against is not None:
        from nrm_plugin.potential.by_shape import clock_by_shape
        from nrm_plugin.potential.recorded_potential import recorded_potential

        recorded = recorded_potential(_opened(against))
        clock = clock_by_shape(log, recorded)
    if picture is not None:
        from nrm_plugin import figures

        ax = figures.log_over_time(log, recorded, clock)
        figures.save(ax.figure, picture, title=log.name, overwrite=overwrite)
    if as_json:
        about = describe_log(log_path, log)
        if clock is not None:
            about |= {"against": against, "clock": clock.as_json()}
        click.echo(json.dumps(about, indent=2))
        return
    if clock is None:
        click.echo(log_as_text(log_path, log))
        return
    for sentence in clock.sentences():
        click.echo(sentence)


def _opened(path: str) -> CurveSet | xr.Dataset:
    from nrm_plugin import formats
    from nrm_plugin.store.read_curves import holds_results
    from nrm_plugin.store.read_results import open_results

    return open_results(path) if holds_results(path) else formats.open(path)
