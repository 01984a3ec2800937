"""``nrm lockin``: X and Y of a raw lateral signal that was recorded beside its reference."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.cli.batch import CurveOptions, with_curve_options
from nrm_plugin.cli.options import WithUnit
from nrm_plugin.text import with_unit

if TYPE_CHECKING:
    from nrm_plugin.demodulation import LockInReport

_HERTZ = WithUnit("Hz", "kHz", "FREQUENCY")


@click.command("lockin")
@click.argument("file", metavar="RAW")
@click.option("-o", "--output", required=True, metavar="OUT.h5", help="The file to be written.")
@click.option(
    "--signal",
    default="lateral",
    show_default=True,
    metavar="CHANNEL",
    help="The raw lateral signal.",
)
@click.option(
    "--reference",
    default=None,
    metavar="CHANNEL",
    help="The recorded reference: a sine or a square wave.  [default: reference, without "
    "--frequency]",
)
@click.option(
    "--frequency",
    type=_HERTZ,
    help="Of a tone without a recorded reference, 5kHz; its phase counts from the first sample.",
)
@click.option(
    "--tone",
    "tones",
    multiple=True,
    type=_HERTZ,
    help="Of each of several tones, 5kHz; those that the reference holds, if there is one. May be "
    "repeated.",
)
@click.option(
    "--harmonic",
    "harmonics",
    multiple=True,
    type=click.IntRange(2, 20),
    help="A harmonic besides, into channels of its own: 3 for slip, 2 for asymmetry. May be "
    "repeated.",
)
@click.option(
    "--poles",
    default=4,
    show_default=True,
    type=click.IntRange(1, 8),
    help="Means over whole periods, one behind the other.",
)
@click.option("--periods", type=click.IntRange(1), help="Of the slowest tone in each mean.")
@click.option(
    "--bandwidth",
    type=_HERTZ,
    help="Equivalent noise bandwidth, 80Hz by default; what is reached is said.",
)
@click.option("--rate", type=_HERTZ, help="Values per second of the output, 1kHz.")
@click.option(
    "--convention",
    type=click.Choice(("rms", "peak")),
    default="rms",
    show_default=True,
    help="What X and Y are.",
)
@click.option(
    "--delay",
    type=WithUnit("s", "us", "TIME"),
    default=None,
    help="By which the converter takes the signal later than the reference, 10us: boards with one "
    "converter for all channels.",
)
@click.option(
    "--amplitude",
    "motions",
    multiple=True,
    type=WithUnit("m", "nm", "LENGTH"),
    help="Motion of the sample by the dither, peak, 1nm: once, or for each tone in its order.",
)
@click.option(
    "--phase",
    "phases",
    multiple=True,
    type=WithUnit("rad", "deg", "ANGLE"),
    help="Phase of the instrument at the dither's frequency, 23deg: once, or for each tone.",
)
@click.option(
    "--largest-motion",
    type=WithUnit("m", "nm", "LENGTH"),
    default=None,
    help="Several tones that move the sample by more together are refused, 2nm by default.",
)
@click.option(
    "--sample-rate", type=_HERTZ, help="Samples per second of a recording without times, 200kHz."
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done.")
@with_curve_options
@click.pass_context
def command(
    ctx: click.Context,
    file: str,
    output: str,
    signal: str,
    reference: str | None,
    frequency: float | None,
    tones: tuple[float, ...],
    harmonics: tuple[int, ...],
    poles: int,
    periods: int | None,
    bandwidth: float | None,
    rate: float | None,
    convention: str,
    delay: float | None,
    motions: tuple[float, ...],
    phases: tuple[float, ...],
    largest_motion: float | None,
    sample_rate: float | None,
    overwrite: bool,
    as_json: bool,
    experiment: str | None,
    settings: tuple[str, ...],
    names: tuple[str, ...],
    table_map: str | None,
) -> None:
    """Demodulate a raw lateral signal: a lock-in in software.

    RAW is any recording with a raw lateral signal and, if possible, its reference, sample by
    sample. OUT.h5 gets lateral_in_phase and lateral_quadrature, and means of all other channels
    about the same times: nothing lags behind anything.
    """
    from nrm_plugin.demodulation import DigitalLockIn, locked_in
    from nrm_plugin.errors import InvalidInput
    from nrm_plugin.files import check_output
    from nrm_plugin.store import save_curves

    if frequency is not None and tones:
        raise click.UsageError("--frequency and --tone: give one tone, or several, not both")
    if periods is not None and bandwidth is not None:
        raise click.UsageError("--periods and --bandwidth say the same: give one of them")
    if Path(output).suffix.lower() != ".h5":
        raise click.UsageError("nrm lockin writes the common file: -o OUT.h5")
    known = CurveOptions.given(experiment, settings, names, table_map)
    out = Path(output)
    check_output(out, overwrite=overwrite)
    curves = known.opened(file)
    given = (*tones,) if frequency is None else (frequency,)
    if reference is None:
        reference = "reference"
        if frequency is not None or (tones and reference not in curves.channels):
            reference = ""
        elif reference not in curves.channels:
            raise InvalidInput(
                f"{file}: there is no channel 'reference' (the channels are: "
                f"{', '.join(curves.channels)}): say which one is the reference, --reference "
                "CHANNEL, or without one the frequency, --frequency 5kHz"
            )
    told: dict[str, Any] = {"bandwidth": bandwidth, "largest_motion": largest_motion}
    told = {name: value for name, value in told.items() if value is not None}
    made, report = locked_in(
        curves,
        DigitalLockIn(
            signal=signal,
            reference=reference,
            frequencies=given,
            harmonics=harmonics,
            poles=poles,
            periods=periods,
            output_rate=rate,
            sample_rate=sample_rate,
            convention=convention,
            delay=delay,
            motions=motions,
            phases=phases,
            **told,
        ),
    )
    save_curves(made, out, overwrite=overwrite)
    if as_json:
        warnings = [text for text in made.warnings if text not in curves.warnings]
        click.echo(json.dumps({"output": output, **asdict(report), "warnings": warnings}, indent=2))
        return
    if not (ctx.obj and ctx.obj["quiet"]):
        for text in made.warnings[len(curves.warnings) :]:
            click.echo(f"nrm: {text}", err=True)
    click.echo(_text(report, convention))


def _text(report: LockInReport, convention: str) -> str:
    lines = [
        f"{name.removesuffix('_in_phase')}: {with_unit(frequency, 'Hz', 9)}"
        for name, frequency in report.channels.items()
    ]
    lines += [
        f"noise bandwidth {with_unit(report.noise_bandwidth, 'Hz', 4)}, each value made of "
        f"{with_unit(report.length / report.sample_rate, 's', 4)}, stamped with its middle",
        f"{with_unit(report.sample_rate, 'Hz', 7)} in, "
        f"{with_unit(report.output_rate, 'Hz', 7)} out; X and Y are {convention}",
    ]
    if report.deviation:
        lines.append(f"the reference moved by {with_unit(report.deviation, 'Hz', 3)} at most")
    lines += [
        f"intermodulation {name} = {with_unit(frequency, 'Hz', 7)}: "
        f"{with_unit(amplitude, 'V', 3)} {convention}, noise included"
        for name, (frequency, amplitude) in report.intermodulation.items()
    ]
    return "\n".join(lines)
