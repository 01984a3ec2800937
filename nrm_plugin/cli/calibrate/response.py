"""``nrm calibrate response``: resonances of the scanner, and a safe band for the dither."""

from __future__ import annotations

import click

from nrm_plugin.cli.calibrate import report
from nrm_plugin.cli.calibrate.inputs import Quantity, gather
from nrm_plugin.cli.calibrate.sources import open_source
from nrm_plugin.vocabulary import missing_calibration


@click.command("response")
@click.argument("file", metavar="FILE")
@click.option(
    "--at",
    type=Quantity("Hz"),
    metavar="FREQUENCY",
    help="Frequency of the dither, 1kHz; by default dither_frequency.",
)
@click.option(
    "--gain",
    type=Quantity(""),
    default=0.05,
    show_default=True,
    metavar="NUMBER",
    help="Most that the gain may differ from 1 in the safe band.",
)
@click.option(
    "--phase",
    type=Quantity("rad"),
    default="2 deg",
    show_default=True,
    metavar="VALUE",
    help="Most that the phase may differ from that at rest, 2deg.",
)
@click.option("--experiment", metavar="E.toml", help="Experiment file with known values.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A known value with its unit, dither_frequency=1kHz.",
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
    at: float | None,
    gain: float,
    phase: float,
    experiment: str | None,
    settings: tuple[str, ...],
    output: str | None,
    as_json: bool,
) -> None:
    """Motion of the scanner at the dither's frequency over that at rest.

    FILE is a table with titles and units, 'frequency (Hz)', 'amplitude (mV)' and 'phase (deg)', or
    curves with a channel frequency beside the lateral signal.
    """
    from nrm_plugin.calibration import response
    from nrm_plugin.delimited import TextTable

    source = open_source(file)
    known = gather((), experiment, settings).metadata
    if isinstance(source, TextTable):
        found = response.from_table(source)
    else:
        found = response.from_curves(source)
        known = source.metadata | known
    frequency = at if at is not None else known.get("dither_frequency")
    if frequency is None:
        raise missing_calibration("dither_frequency")
    report([found.estimate(float(frequency), gain, phase)], output, as_json)
