"""``nrm potential``: a potentiostat's log looked at, or laid on a recording by its shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.cli.info import describe_log, log_as_text
from nrm_plugin.cli.options import log_unit_option, log_units_of
from nrm_plugin.files import check_output

if TYPE_CHECKING:
    import xarray as xr

    from nrm_plugin.model import CurveSet
    from nrm_plugin.potential import Log


@click.command("potential")
@click.argument("log_path", metavar="LOG")
@click.option(
    "--against",
    metavar="FILE",
    help="A recording by another clock: of the same potential (a board's file, curves or results "
    "with potentials), or curves whose levels show its steps.",
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
    clock: Any = None
    recorded = levels = None
    if against is not None:
        clock, recorded, levels = _clock(log, against)
    if picture is not None:
        from nrm_plugin import figures

        if levels is not None:
            ax = figures.log_on_levels(log, levels, clock)
        else:
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


def _clock(log: Log, against: str) -> tuple[Any, Any, Any]:
    """The log's clock by the potential recorded in a file, or by steps that its curves show."""
    from nrm_plugin.errors import InvalidInput
    from nrm_plugin.model import CurveSet
    from nrm_plugin.potential.recorded_potential import holds_potential, recorded_potential

    data = _opened(against)
    try:
        if holds_potential(data) or not isinstance(data, CurveSet):
            from nrm_plugin.potential.by_shape import clock_by_shape

            recorded = recorded_potential(data)
            return clock_by_shape(log, recorded), recorded, None
        from nrm_plugin.potential.by_steps import clock_by_steps
        from nrm_plugin.potential.curve_levels import curve_levels

        levels = curve_levels(data)
        return clock_by_steps(log, levels), None, levels
    except InvalidInput as error:
        raise InvalidInput(f"{against}: {error}") from None


def _opened(path: str) -> CurveSet | xr.Dataset:
    from nrm_plugin import formats
    from nrm_plugin.store.read_curves import holds_results
    from nrm_plugin.store.read_results import open_results

    return open_results(path) if holds_results(path) else formats.open(path)
