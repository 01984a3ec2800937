"""``nrm calibrate thermal``: spring constant from thermal noise."""

from __future__ import annotations

from typing import Literal

import click

from nrm_plugin.cli.calibrate import report
from nrm_plugin.cli.calibrate.inputs import Quantity, gather
from nrm_plugin.cli.calibrate.sources import open_source


@click.command("thermal")
@click.argument("file", metavar="FILE")
@click.option(
    "--detection",
    type=click.Choice(["optical_lever", "displacement"]),
    default="optical_lever",
    show_default=True,
    help="optical_lever: sensitivity from the wall of force curves, factor 0.817. "
    "displacement: what an interferometer measures, factor 0.971.",
)
@click.option(
    "--expected",
    type=Quantity("Hz"),
    metavar="FREQUENCY",
    help="Rough resonance, 70kHz; other peaks are left alone.",
)
@click.option(
    "--from",
    "low",
    type=Quantity("Hz"),
    metavar="FREQUENCY",
    help="Fit from here, instead of a window found around the peak.",
)
@click.option("--to", "high", type=Quantity("Hz"), metavar="FREQUENCY", help="Fit up to here.")
@click.option(
    "--temperature-error",
    type=Quantity("K"),
    default=0.0,
    metavar="VALUE",
    help="Standard error of the temperature.",
)
@click.option("--experiment", metavar="E.toml", help="Experiment file with known values.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A known value with its unit, temperature=22°C.",
)
@click.option(
    "-o",
    "--output",
    metavar="E.toml",
    help="Write the result into this experiment file, new or existing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of results.")
def command(
    file: str,
    detection: Literal["optical_lever", "displacement"],
    expected: float | None,
    low: float | None,
    high: float | None,
    temperature_error: float,
    experiment: str | None,
    settings: tuple[str, ...],
    output: str | None,
    as_json: bool,
) -> None:
    """Spring constant, resonance and quality factor from the thermal noise of a free cantilever.

    FILE is a table with titles and units, either 'frequency (Hz)' and 'psd (V^2/Hz)' or 'time (s)'
    and 'deflection (V)', or curves that recorded the deflection over time. Needed are the
    temperature and, for volts, the deflection_sensitivity.
    """
    from nrm_plugin.calibration import spectrum
    from nrm_plugin.calibration.spring import thermal_tune
    from nrm_plugin.delimited import TextTable

    source = open_source(file)
    known = gather((), experiment, settings).metadata
    if isinstance(source, TextTable):
        found = spectrum.from_table(source)
    else:
        found = spectrum.from_curves(source)
        known = source.metadata | known
    in_volts = found.unit == "V^2/Hz"
    band = None
    if low is not None or high is not None:
        band = (low or 0.0, high if high is not None else float(found.frequency[-1]))
    tune = thermal_tune(
        found,
        known.get("temperature"),
        deflection_sensitivity=known.get("deflection_sensitivity") if in_volts else None,
        deflection_sensitivity_stderr=known.get("deflection_sensitivity_stderr", 0.0)
        if in_volts
        else 0.0,
        temperature_stderr=temperature_error,
        detection=detection,
        expected=expected,
        band=band,
    )
    report(tune.estimates, output, as_json)
