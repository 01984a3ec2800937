"""``nrm dither``: sweeps of the dither that the board's output drives, and its end."""

from __future__ import annotations

import csv
import io
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nrm_plugin.cli import SuggestingGroup
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.files import check_output, replacing
from nrm_plugin.text import with_unit
from nrm_plugin.units import parse

if TYPE_CHECKING:
    from nrm_daq.config import DaqConfig
    from nrm_daq.dither_sweep import Sweeper, SweepPoint
    from nrm_daq.dither_table import DitherTable

F = TypeVar("F", bound=Callable[..., Any])

_CONFIG = click.option(
    "--config", "config_path", metavar="DAQ.toml", help="The board, its output and its inputs."
)
_SIMULATE = click.option(
    "--simulate", is_flag=True, help="A simulated shaker with a resonance, and a tip that slips."
)
_SWEEP = (
    click.option("-o", "--output", metavar="OUT.csv", required=True, help="The table to write."),
    _CONFIG,
    _SIMULATE,
    click.option("--signal", default="lateral", help="Channel of the raw signal, lateral."),
    click.option("--settle", default="0.2s", metavar="TIME", help="Wait at each step, 0.2s."),
    click.option("--average", default="0.2s", metavar="TIME", help="Average at each step, 0.2s."),
    click.option("--overwrite", is_flag=True, help="Replace a file that exists."),
    click.option("--json", "as_json", is_flag=True, help="Print what was found, for programs."),
)


def _with(options: Sequence[Any]) -> Callable[[F], F]:
    def decorated(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


@click.group("dither", cls=SuggestingGroup, short_help="Sweep the dither of an NI-DAQ board.")
def command() -> None:
    """Sweep the dither that the output of an NI-DAQ board drives.

    The output is never above max_voltage of the configuration's section [dither], goes smoothly
    from step to step, and ends at 0 V, also at Ctrl-C.
    """


@command.command("sweep", short_help="Transfer of scanner and lever, for nrm calibrate response.")
@click.argument("frequencies", metavar="LOW:HIGH")
@click.option("--amplitude", metavar="V", help="Peak, in V; else that of the configuration.")
@click.option("--points", default=60, help="Frequencies of the first round, 60.")
@_with(_SWEEP)
def sweep(
    frequencies: str, amplitude: str | None, points: int, output: str, as_json: bool, **options: Any
) -> None:
    """Record amplitude and phase of the lateral signal over the frequency, 200Hz:5kHz.

    A second and third round make the steps smaller where the signal changes fast. The table is
    what nrm calibrate response reads.
    """
    from nrm_daq.dither_sweep import degrees, doubts, frequency_sweep

    low, high = _range(frequencies, "Hz")
    with _sweeper(output, as_json, **options) as sweeper:
        volts = _volts(amplitude, sweeper)
        found = frequency_sweep(sweeper, low, high, volts, points=points)
        simulated = sweeper.simulated
    if len(found) < _FEWEST:
        raise InvalidInput(f"ended after {len(found)} steps: nothing was written")
    phase, phase_error = degrees(found)
    head = (
        "frequency (Hz)",
        "amplitude (V/V)",
        "phase (deg)",
        "error of amplitude (V/V)",
        "error of phase (deg)",
    )
    rows = [
        (p.drive.frequency, abs(p.signal) / volts, phi, p.stderr / volts, error)
        for p, phi, error in zip(found, phase, phase_error, strict=True)
    ]
    about = f"lateral signal over the voltage at {sweeper.table.terminal}, {volts:g} V peak"
    _write(output, head, rows, about, simulated, overwrite=options["overwrite"])
    said = list(doubts(found))
    if as_json:
        values = {"path": output, "points": len(found), "warnings": said, "simulated": simulated}
        click.echo(json.dumps(values, indent=2))
        return
    for line in said:
        click.echo(f"nrm: {line}", err=True)
    strongest = max(found, key=lambda p: abs(p.signal))
    click.echo(
        f"{output}: {len(found)} frequencies from {with_unit(low, 'Hz')} to "
        f"{with_unit(high, 'Hz')}, the largest signal at "
        f"{with_unit(strongest.drive.frequency, 'Hz', 4)}{' (simulated)' if simulated else ''}\n"
        f"next: nrm calibrate response {output} --at FREQUENCY"
    )


@command.command("linearity", short_help="Up to which amplitude the signal follows the dither.")
@click.argument("amplitudes", metavar="LOW:HIGH")
@click.option("--at", metavar="FREQUENCY", help="1kHz; else that of the configuration.")
@click.option("--points", default=16, help="Amplitudes, 16.")
@click.option("--within", default="2%", metavar="PART", help="What counts as constant, 2%.")
@click.option("--plot", metavar="OUT.png", help="Draw F*/A over the amplitude.")
@_with(_SWEEP)
def linearity(
    amplitudes: str,
    at: str | None,
    points: int,
    within: str,
    plot: str | None,
    output: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Record the lateral signal over the amplitude, 0.02V:1V or 0.1nm:2nm.

    It is told up to which amplitude F*/A is constant, the linear regime. The last step is the
    first amplitude once more: what has changed since is said.
    """
    import numpy as np

    from nrm_daq.dither_sweep import doubts
    from nrm_daq.linear_regime import linear_regime, told

    low, high = (part.strip() for part in _parts(amplitudes))
    if plot is not None:
        check_output(Path(plot), overwrite=options["overwrite"])
    bound = _number("--within", within, "")
    with _sweeper(output, as_json, **options) as sweeper:
        first, last = (_drive(sweeper, text, at) for text in (low, high))
        if not first.volts < last.volts or points < 4:
            raise click.UsageError("give amplitudes from small to large, and at least 4 points")
        volts = [*np.geomspace(first.volts, last.volts, points).tolist(), first.volts]
        per_volt = None if first.motion is None else first.motion / first.volts
        drives = [_at(first, v, per_volt) for v in volts]
        found = sweeper.points(drives)
        simulated = sweeper.simulated
    if len(found) < len(drives):
        raise InvalidInput(f"ended after {len(found)} of {len(drives)} steps: nothing was written")
    again = found.pop()
    regime = linear_regime(
        np.array([p.drive.volts for p in found]),
        np.array([p.signal for p in found]),
        np.array([p.stderr for p in found]),
        bound,
    )
    amounts = [_amount(p.drive.volts, per_volt) for p in found]
    deviation = regime.deviation
    head = [
        "amplitude (V)",
        "motion (nm)",
        "signal over amplitude (V/V)",
        "error of it (V/V)",
        "change (%)",
        "phase (deg)",
        "second harmonic (%)",
        "third harmonic (%)",
    ]
    rows = [
        (
            p.drive.volts,
            float("nan") if per_volt is None else 1e9 * per_volt * p.drive.volts,
            abs(ratio),
            error,
            100.0 * (abs(1.0 + d) - 1.0),
            float(np.degrees(np.angle(ratio))),
            *(100.0 * h for h in p.harmonics),
        )
        for p, ratio, error, d in zip(found, regime.ratio, regime.stderr, deviation, strict=True)
    ]
    frequency = first.frequency
    about = f"lateral signal over the amplitude at {sweeper.table.terminal}, {frequency:.9g} Hz"
    sentence = told(regime, amounts)
    _write(output, head, rows, f"{about}\n{sentence}", simulated, overwrite=options["overwrite"])
    said = [*doubts(found), *_returned(found[0], again)]
    if plot is not None:
        from nrm_daq.linear_picture import drawn

        drawn(regime, Path(plot), per_volt, sentence, overwrite=options["overwrite"])
    if as_json:
        values = {
            "path": output,
            "up_to": regime.up_to,
            "beyond": regime.beyond,
            "within": bound,
            "motion_per_volt": per_volt,
            "sentence": sentence,
            "warnings": said,
            "simulated": simulated,
        }
        click.echo(json.dumps(values, indent=2))
        return
    for line in said:
        click.echo(f"nrm: {line}", err=True)
    for amount, row in zip(amounts, rows, strict=True):
        click.echo(f"  {amount:>22}  F*/A {row[4]:+7.2f} %  third harmonic {row[7]:6.2f} %")
    click.echo(
        f"{sentence}.{' (simulated)' if simulated else ''}\n{output}: {len(rows)} amplitudes"
    )


@command.command("off", short_help="Set the output to 0 V.")
@_CONFIG
def off(config_path: str | None) -> None:
    """Set the output of the configuration's section [dither] to 0 V at once.

    For an output that a killed program left where it was.
    """
    from nrm_daq.analog_output import set_to_zero
    from nrm_daq.hardware import connected

    config, table = _config(config_path, False)
    with connected(config) as connection:
        problem = set_to_zero(connection, table)
    if problem:
        from nrm_plugin.errors import DaqUnavailable

        raise DaqUnavailable(problem)
    click.echo(f"{table.terminal}: 0 V")


def _config(path: str | None, simulate: bool) -> tuple[DaqConfig, DitherTable]:
    """Return the configuration and its section ``[dither]``."""
    from nrm_daq.config import DaqConfig

    if path is None and not simulate:
        raise click.UsageError("say which board and output with --config DAQ.toml")
    config = DaqConfig.from_values(SIMULATED) if path is None else DaqConfig.from_toml(path)
    if config.dither is None:
        raise InvalidInput(f"{path} has no section [dither]: it says which output, and max_voltage")
    if simulate and path is not None:
        own = config.dither.model_dump() | {"terminal": "Sim1/ao0"}
        kept = config.model_dump(include={"rate", "block", "ring"})
        config = DaqConfig.from_values(SIMULATED | kept | {"dither": own})
    assert config.dither is not None
    return config, config.dither


#: Steps of a sweep that was ended, below which there is no table.
_FEWEST = 2

#: What --simulate sweeps.
SIMULATED: dict[str, Any] = {
    "backend": "simulated",
    "rate": "50 kHz",
    "channels": {"lateral": {"terminal": "Sim1/ai0"}},
    "dither": {
        "terminal": "Sim1/ao0",
        "max_voltage": "2 V",
        "frequency": "1 kHz",
        "amplitude": "0.2 V",
        "sensitivity": "2 nm/V",
        "response": 1.124,
        "max_motion": "5 nm",
    },
}


@contextmanager
def _sweeper(
    output: str,
    as_json: bool,
    *,
    config_path: str | None,
    simulate: bool,
    signal: str,
    settle: str,
    average: str,
    overwrite: bool,
) -> Iterator[Sweeper]:
    """Connect to the board; Ctrl-C ends the sweep after the step that is under way."""
    from nrm_daq.dither_sweep import Sweeper, SweepSettings
    from nrm_daq.hardware import Connection, connected
    from nrm_daq.run import ended_by_signal

    if Path(output).suffix.lower() != ".csv":
        raise click.UsageError(f"a sweep becomes a .csv table, not {output!r}")
    check_output(Path(output), overwrite=overwrite)
    settings = SweepSettings(
        settle=_number("--settle", settle, "s"), average=_number("--average", average, "s")
    )
    config, _ = _config(config_path, simulate)
    ending = threading.Event()
    shown = _Shown(quiet=as_json)

    def swept(connection: Connection) -> Sweeper:
        return Sweeper(connection, config, signal, settings, ending=ending, shown=shown)

    with ended_by_signal(ending):
        if config.backend != "simulated":
            with connected(config) as connection:
                yield swept(connection)
            return
        from nrm_daq.device import SimulatedDaq
        from nrm_daq.device.shaker import simulated_contact

        with SimulatedDaq(simulated_contact()) as daq:
            config = config.model_copy(update={"backend": f"remote {daq.address}"})
            with connected(config) as connection:
                yield swept(connection)


class _Shown:
    """A line on the terminal that says how far a sweep has come."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet or not sys.stderr.isatty()
        self._count = 0

    def __call__(self, point: SweepPoint) -> None:
        self._count += 1
        if not self._quiet:
            drive = point.drive
            text = f"{self._count}: {drive.frequency:.5g} Hz, {drive.volts:.4g} V"
            click.echo(f"\r{text:<50}", nl=False, err=True)


def _parts(text: str) -> tuple[str, str]:
    low, colon, high = text.partition(":")
    if not colon:
        raise click.UsageError(f"{text!r} is no range: LOW:HIGH, each with its unit")
    return low, high


def _range(text: str, unit: str) -> tuple[float, float]:
    low, high = (_number("the range", part, unit) for part in _parts(text))
    return low, high


def _number(name: str, text: str, unit: str) -> float:
    try:
        value = parse(text, unit)
    except InvalidInput as error:
        raise click.UsageError(f"{name}: {error}") from None
    if not 0.0 < value < float("inf"):
        raise click.UsageError(f"{name}: {text} must be above 0")
    return value


def _volts(amplitude: str | None, sweeper: Sweeper) -> float:
    table = sweeper.table
    if amplitude is not None:
        return _number("--amplitude", amplitude, "V")
    if table.amplitude is None or table.frequency is None:
        raise click.UsageError("say how large with --amplitude, in V")
    return table.drives(sweeper.metadata)[0].volts


def _drive(sweeper: Sweeper, amplitude: str, at: str | None) -> Any:
    """Return a drive at the frequency that is asked for."""
    from nrm_daq.dither_table import DitherTone

    table, metadata = sweeper.table, sweeper.metadata
    frequency = table.frequency if at is None else _number("--at", at, "Hz")
    if frequency is None:
        raise click.UsageError("say at which frequency with --at")
    known = table.response or metadata.get("dither_response")
    response = known if frequency == table.frequency else None
    try:
        tone = DitherTone(frequency=frequency, amplitude=amplitude, response=response)
        return table.drive(tone, metadata)
    except NrmError as error:
        raise click.UsageError(str(error)) from None


def _at(first: Any, volts: float, per_volt: float | None) -> Any:
    from dataclasses import replace

    return replace(first, volts=volts, motion=None if per_volt is None else per_volt * volts)


def _amount(volts: float, per_volt: float | None) -> str:
    """Amplitude in words."""
    text = with_unit(volts, "V", 3)
    return text if per_volt is None else f"{text} ({with_unit(volts * per_volt, 'm', 3)})"


def _returned(first: SweepPoint, again: SweepPoint) -> Iterator[str]:
    change = abs(again.signal / first.signal - 1.0)
    error = 3.0 * (again.stderr + first.stderr) / max(abs(first.signal), 1e-300)
    if change > max(0.01, error):
        yield (
            f"the first amplitude, measured again at the end, gives a signal that differs by "
            f"{100 * change:.2g} %: the contact has changed on the way"
        )


def _write(
    output: str,
    head: Sequence[str],
    rows: Sequence[Sequence[float]],
    about: str,
    simulated: bool,
    *,
    overwrite: bool,
) -> None:
    text = io.StringIO()
    day = datetime.now().astimezone().isoformat(timespec="seconds")
    for line in (*about.splitlines(), f"{'simulated, ' if simulated else ''}{day}"):
        text.write(f"# {line}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([f"{value:.9g}" for value in row] for row in rows)
    with replacing(Path(output), overwrite=overwrite) as part:
        part.write_text(text.getvalue(), "utf-8")
