"""The deflection of a recording as it ran on in time, in steps that are short against a ramp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray, IntArray, SampleColumn, files_kept_open
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

#: Samples that are read at once; they stay in the processor's cache.
_AT_ONCE = 1 << 16
#: A row follows the one before without a gap where its start is off by less than this many samples.
_JOINT = 1.5
#: Rows whose rate is looked at, samples that tell it, and by which part rates may differ.
_LOOKED_AT, _ENOUGH, _ALIKE = 20, 100, 1e-3


@dataclass(frozen=True, kw_only=True)
class Clock:
    """When the samples of a recording were taken, by its own clock.

    Attributes
    ----------
    interval : float
        Between samples, in s.
    starts : (row,) array
        Time of each row's first sample in s since the first row's.
    first : datetime64 or None
        Time of day of the first row's first sample.
    piece : (row,) array of int
        Rows of one number follow each other without a gap.
    placed : bool
        Whether the times between rows are known; not where start times are too coarse for them,
        and rows are laid one behind the other.
    """

    interval: float
    starts: FloatArray
    first: np.datetime64 | None
    piece: IntArray
    placed: bool = True


def clock_of(recording: CurveSet) -> Clock:
    """Return the clock of a recording of even steps.

    Raises
    ------
    InvalidInput
        If there is no time channel, or its steps are not even.
    """
    if "time" not in recording.channels:
        raise InvalidInput(
            "the recording has no time channel, so its samples have no moments: give its sample "
            "rate (in a table map, say), or convert it with one"
        )
    sizes = recording.row_size
    longest = int(np.argmax(sizes))
    interval = _interval(recording.read("time", [longest]))
    others = np.unique(np.linspace(0, len(sizes) - 1, _LOOKED_AT).round().astype(int))
    for row in others[sizes[others] >= _ENOUGH]:
        if abs(_interval(recording.read("time", [row])) / interval - 1.0) > _ALIKE:
            raise InvalidInput(
                "the recording's rows were sampled at different rates, so they do not go on in "
                "time as one stream"
            )
    ends = np.cumsum(sizes)
    after = (ends - sizes) * interval
    began = recording.curve_table["start_time"]
    known = not np.isnat(began).any()
    starts = (began - began[0]) / np.timedelta64(1, "s") if known else after
    gaps = np.diff(starts) - sizes[:-1] * interval
    apart = np.abs(gaps) > _JOINT * interval + 1e-6
    whole = len(starts) > 2 and apart.any() and bool(np.all(starts == np.round(starts)))
    placed = not (whole or (gaps < -_JOINT * interval - 1e-6).any())
    if not placed:  # whole seconds tell no waits between rows; or a clock was set back
        known, starts, gaps = False, after, np.zeros(len(sizes) - 1)
    piece = np.concatenate([[0], np.cumsum(gaps > _JOINT * interval + 1e-6)])
    return Clock(
        interval=interval,
        starts=np.asarray(starts, float),
        first=began[0] if known else None,
        piece=piece.astype(np.int64),
        placed=placed,
    )


def _interval(time: FloatArray) -> float:
    """Time between the samples of a row in s.

    Raises
    ------
    InvalidInput
        If they are too few, or not evenly spaced.
    """
    if len(time) < 3 or not np.isfinite(time).all():
        raise InvalidInput("the recording has fewer than three samples with times")
    interval = float((time[-1] - time[0]) / (len(time) - 1))
    if interval <= 0.0 or np.abs(np.diff(time) - interval).max() > 0.5 * interval:
        raise InvalidInput("the times of the recording's samples are not evenly spaced")
    return interval


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Deflection of a recording in even steps, piece behind piece.

    Attributes
    ----------
    step : float
        In s.
    values : (step,) array
        Mean deflection of each step.
    times : (piece,) array
        Of the middle of each piece's first step.
    edges : (piece + 1,) array of int
        Where pieces begin among the steps.
    """

    step: float
    values: FloatArray
    times: FloatArray
    edges: IntArray

    def time(self, position: FloatArray | IntArray, piece: IntArray | int) -> FloatArray:
        """Time in s of (fractional) positions among the steps."""
        return np.asarray(self.times[piece] + (position - self.edges[piece]) * self.step)


class SampleReader:
    """A channel from any sample of the flat column to any other.

    Of columns that give whole rows only, rows are kept while the next samples need them; a reader
    is used by one thread, from the front to the back.
    """

    def __init__(self, recording: CurveSet, name: str) -> None:
        self._recording, self._name = recording, name
        channel = recording.channel(name)
        self._gain, self._offset = channel.gain, channel.offset
        self._column = channel.column if isinstance(channel.column, SampleColumn) else None
        self._kept = (0, 0, np.empty(0))

    def read(self, at: int, end: int) -> FloatArray:
        """Samples from `at` up to `end` in the channel's unit."""
        if self._column is not None:
            out: FloatArray = np.empty(end - at)
            self._column.fill_samples(at, end, out, self._gain, self._offset)
            return out
        rows = self._recording.rows
        first, stop = rows.holding(at), rows.holding(max(end - 1, at)) + 1
        was, until, values = self._kept
        if not was <= first < until:
            was, until, values = first, first, values[:0]
        if first > was or stop > until:
            values = values[rows.start(first) - rows.start(was) :]
            if stop > until:
                more = self._recording.read(self._name, slice(max(first, until), stop))
                values = np.concatenate([values, more]) if len(values) else more
            self._kept = was, until, values = first, max(stop, until), values
        origin = rows.start(was)
        return values[at - origin : end - origin]


def stream_of(recording: CurveSet, clock: Clock, step: float) -> Stream:
    """Read the deflection of a recording once, and keep the means of steps of about `step` s."""
    width = max(1, round(step / clock.interval))
    taps = np.full((1, width), 1.0 / width)
    at_once = max(1, _AT_ONCE // width) * width
    parts: list[FloatArray] = []
    times: list[float] = []
    lengths: list[int] = []
    reader = SampleReader(recording, "deflection")
    with files_kept_open():
        for number in range(int(clock.piece[-1]) + 1 if len(clock.piece) else 0):
            rows = np.flatnonzero(clock.piece == number)
            at, end = recording.rows.start(int(rows[0])), recording.rows.start(int(rows[-1]) + 1)
            count = (end - at) // width
            for first in range(at, at + count * width, at_once):
                values = reader.read(first, min(first + at_once, at + count * width))
                parts.append(kernels.tap_sums(values, width, len(values) // width, taps)[0])
            times.append(float(clock.starts[rows[0]]) + 0.5 * (width - 1) * clock.interval)
            lengths.append(count)
    return Stream(
        step=width * clock.interval,
        values=np.concatenate(parts) if parts else np.empty(0),
        times=np.array(times),
        edges=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )
