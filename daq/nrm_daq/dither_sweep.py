"""Sweeps of the dither: the lateral signal at many frequencies, or at many amplitudes.

The board's output goes from step to step without a jump; at each one the signal settles, and is
then demodulated against the tone that was generated, whose phase at every sample is known.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np

from nrm_daq.acquisition import Acquisition
from nrm_daq.analog_output import RunningOutput, prepared_output
from nrm_daq.config import DaqConfig
from nrm_daq.dither_table import DitherTable
from nrm_daq.driver import nidaqmx
from nrm_daq.hardware import Connection, Setup, prepared
from nrm_daq.waveform import Drive, Waveform
from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.demodulation import Demodulator, PeriodFilter, Tone
from nrm_plugin.demodulation.signal_doubts import is_clipped
from nrm_plugin.errors import DaqUnavailable, InvalidInput
from nrm_plugin.text import with_unit

#: Values that are averaged in each step, one behind the other: from their scatter comes the error.
VALUES = 8

#: Time in s in which the output goes over to the next step.
_TURN = 0.02

#: Steps between neighbours that are halved: of ln(amplitude), and of the phase in rad.
_STEP, _PHASE_STEP = 0.15, np.radians(20.0)

#: How often steps are halved.
_ROUNDS = 3

#: The signal has to be so many times its standard error.
_SEEN = 5.0


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """How long each step takes, in s: the signal settles, then it is averaged."""

    settle: float = 0.2
    average: float = 0.2


@dataclass(frozen=True, kw_only=True)
class SweepPoint:
    """The signal at one step.

    Attributes
    ----------
    drive : Drive
    signal : complex
        First harmonic, peak, in the channel's unit; its phase counts from that of the drive.
    stderr : float
        Standard error of its real part, and of its imaginary part.
    harmonics : tuple of float
        Amplitudes of the second and third one over that of the first; nan above half the rate.
    clipped : bool
        Whether the signal reached the end of the board's range.
    """

    drive: Drive
    signal: complex
    stderr: float
    harmonics: tuple[float, float]
    clipped: bool

    @property
    def seen(self) -> bool:
        """Whether the signal is far above its error."""
        return abs(self.signal) > _SEEN * self.stderr


@dataclass(frozen=True, kw_only=True)
class _Step:
    drive: Drive
    first: int  # sample of the inputs at which it begins
    begin: int  # ... from which it is averaged
    end: int
    demodulator: Demodulator


class Sweeper:
    """Steps through drives with a board; the output is at 0 V before and after.

    Parameters
    ----------
    connection : Connection
    config : DaqConfig
        With a ``dither``.
    signal : str
        Channel that is demodulated.
    settings : SweepSettings
    ending : Event
        Ends it between two steps.
    shown : callable
        Called with each point.
    """

    def __init__(
        self,
        connection: Connection,
        config: DaqConfig,
        signal: str,
        settings: SweepSettings,
        *,
        ending: threading.Event | None = None,
        shown: Callable[[SweepPoint], object] = lambda point: None,
    ) -> None:
        if config.dither is None:
            raise InvalidInput("a sweep needs a section [dither] in the configuration")
        if signal not in config.channels:
            raise InvalidInput(
                f"there is no channel {signal!r} to be demodulated; there are: "
                f"{', '.join(config.channels)}. Name the raw lateral signal with --signal"
            )
        self.table: DitherTable = config.dither.model_copy(update={"ramp": _TURN})
        self.metadata: Mapping[str, Any] = config.known_metadata()
        changes = {"channels": {signal: config.channels[signal]}, "trigger": None}
        self._config = config.model_copy(update=changes)
        self._connection, self._settings = connection, settings
        self._ending = ending or threading.Event()
        self._shown = shown
        self.simulated = False

    @property
    def ended(self) -> bool:
        """Whether somebody has ended it."""
        return self._ending.is_set()

    def points(self, drives: Sequence[Drive]) -> list[SweepPoint]:
        """Return the signal of one drive after the other.

        Raises
        ------
        DaqUnavailable, InvalidInput, AcquisitionStopped
        """
        for drive in drives:
            self.table.check((drive,))
        highest = max(drive.frequency for drive in drives)
        with (
            prepared(self._connection, self._config) as (task, setup),
            prepared_output(self._connection, self.table, setup, highest) as output,
        ):
            self.simulated = setup.device.simulated
            steps = self._steps(drives, setup.rate)
            wave = output.waveform()
            for step in steps:
                first = int(np.ceil(step.first * output.rate / setup.rate - 1e-9))
                wave.add(first, [step.drive])
            over = threading.Event()  # of this round
            running = RunningOutput(output, wave, over.set)
            with running:
                found = list(self._measured(task, setup, steps, wave, over))
        if running.problem or running.left_on:
            raise DaqUnavailable(running.problem or running.left_on)
        return found

    def _steps(self, drives: Sequence[Drive], rate: float) -> list[_Step]:
        steps, at = [], 0
        for drive in drives:
            demodulator = _demodulator(drive.frequency, rate, self._settings.average)
            begin = at + round((_TURN + self._settings.settle) * rate) + 1
            end = begin + VALUES * demodulator.length
            steps.append(
                _Step(drive=drive, first=at, begin=begin, end=end, demodulator=demodulator)
            )
            at = end
        return steps

    def _measured(
        self,
        task: nidaqmx.Task,
        setup: Setup,
        steps: Sequence[_Step],
        wave: Waveform,
        over: threading.Event,
    ) -> Iterator[SweepPoint]:
        channel = next(iter(self._config.channels.values()))
        total, kept, first = steps[-1].end, np.empty(0), 0
        left = list(steps)
        with Acquisition(
            task,
            setup,
            block=max(1, round(0.1 * setup.rate)),
            total=total,
            ending=over,
        ) as acquisition:
            for block in acquisition.blocks():
                if self._ending.is_set():
                    return
                kept = np.concatenate([kept, block.values[0].astype(np.float64)])
                while left and first + len(kept) >= left[0].end:
                    step = left.pop(0)
                    own = kept[step.begin - first : step.end - first]
                    point = _point(step, own, setup.rate, wave, channel.range)
                    self._shown(point)
                    yield point
                if left:
                    drop = max(0, min(left[0].first - first, len(kept)))
                    kept, first = kept[drop:], first + drop


def _demodulator(frequency: float, rate: float, average: float) -> Demodulator:
    """A lock-in whose values, one filter's length apart, have nothing in common."""
    tones = [Tone(frequency, k) for k in (1, 2, 3) if 2.2 * k * frequency < rate]
    poles = 2
    periods = max(2, round(average * frequency / (VALUES * poles)))
    filter_ = PeriodFilter.matched(
        rate, [t.demodulated for t in tones] or [frequency], poles=poles, periods=periods
    )
    tones = tones or [Tone(frequency)]
    return Demodulator(tones, filter_, len(filter_.taps), referenced=False)


def _point(step: _Step, volts: FloatArray, rate: float, wave: Waveform, limit: float) -> SweepPoint:
    made = step.demodulator.push(volts)
    values: ComplexArray = made.signal[0]
    drive = step.drive
    turned = np.exp(-1j * wave.phase(step.begin / rate))
    signal = complex(values.mean() * turned)
    n = len(values)
    spread = float(np.sqrt(np.mean(np.abs(values - values.mean()) ** 2) / 2.0 * n / (n - 1) / n))
    others = [float(abs(row.mean())) / max(abs(signal), 1e-300) for row in made.signal[1:]]
    others += [float("nan")] * (2 - len(others))
    at_end = float(np.abs(volts).max()) > 0.999 * limit
    return SweepPoint(
        drive=drive,
        signal=signal,
        stderr=spread,
        harmonics=(others[0], others[1]),
        clipped=at_end or is_clipped(volts),
    )


def frequency_sweep(
    sweeper: Sweeper, low: float, high: float, volts: float, *, points: int = 60
) -> list[SweepPoint]:
    """Signal over frequencies, with smaller steps where amplitude or phase change fast.

    Parameters
    ----------
    sweeper : Sweeper
    low, high : float
        In Hz.
    volts : float
        Amplitude, peak.
    points : int
        Of the first round, evenly in the logarithm.

    Returns
    -------
    list of SweepPoint
        In rising order.
    """
    if not 0.0 < low < high:
        raise InvalidInput(
            f"a sweep goes from a frequency above 0 upwards, not {low:g} to {high:g}"
        )
    if points < 5:
        raise InvalidInput("a sweep of the frequency needs at least 5 points")
    frequencies = np.geomspace(low, high, points)
    found = sweeper.points([Drive(frequency=float(f), volts=volts) for f in frequencies])
    for _ in range(_ROUNDS):
        between = _between(found)
        if not between or sweeper.ended:
            break
        found += sweeper.points([Drive(frequency=f, volts=volts) for f in between])
        found.sort(key=lambda point: point.drive.frequency)
    return found


def _between(points: Sequence[SweepPoint]) -> list[float]:
    """Frequencies between neighbours that differ by much, and beside the summit of a peak."""
    signal = np.array([p.signal for p in points])
    frequency = np.array([p.drive.frequency for p in points])
    error = np.array([p.stderr for p in points]) / np.maximum(np.abs(signal), 1e-300)
    unsure = 5.0 * np.hypot(error[1:], error[:-1])
    ratio = signal[1:] / signal[:-1]
    log, phase = np.abs(np.log(np.abs(ratio))), np.abs(np.angle(ratio))
    coarse = (log - unsure > _STEP) | (phase - unsure > _PHASE_STEP)
    wide = coarse | np.append(coarse[1:], False) | np.append(False, coarse[:-1])
    middle = np.sqrt(frequency[1:] * frequency[:-1])
    return [float(f) for f in middle[wide]]


def phases(points: Sequence[SweepPoint]) -> FloatArray:
    """Phases of points in rad, without jumps, the first between -pi and pi."""
    return np.asarray(np.unwrap(np.angle([p.signal for p in points])))


def doubts(points: Sequence[SweepPoint]) -> Iterator[str]:
    """Sentences about points that should not be believed."""
    clipped = [p for p in points if p.clipped]
    if clipped:
        yield (
            f"the signal is clipped, or constant, in {len(clipped)} of {len(points)} steps: record "
            "it with a larger range, or drive less"
        )
    unseen = [p for p in points if not p.seen]
    if unseen:
        worst = max(unseen, key=lambda p: p.stderr)
        yield (
            f"the signal is not seen above its noise in {len(unseen)} of {len(points)} steps "
            f"(standard error {with_unit(worst.stderr, 'V', 3)}): drive more, or average longer"
        )


def degrees(points: Sequence[SweepPoint]) -> FloatArray:
    """Phases in degrees, and their standard errors, shape (2, point)."""
    error = [p.stderr / max(abs(p.signal), 1e-300) for p in points]
    return np.stack([phases(points), np.asarray(error)]) * (180.0 / pi)
