"""The deflection of a recording as it ran on in time, in steps that are short against a ramp."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

#: Samples that are read at once.
_AT_ONCE = 1 << 21
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
    """

    interval: float
    starts: FloatArray
    first: np.datetime64 | None
    piece: IntArray


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
    if (gaps < -_JOINT * interval - 1e-6).any():  # whole seconds, or a clock set back
        known, starts, gaps = False, after, np.zeros(len(sizes) - 1)
    piece = np.concatenate([[0], np.cumsum(gaps > _JOINT * interval + 1e-6)])
    return Clock(
        interval=interval,
        starts=np.asarray(starts, float),
        first=began[0] if known else None,
        piece=piece.astype(np.int64),
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


def stream_of(recording: CurveSet, clock: Clock, step: float) -> Stream:
    """Read the deflection of a recording once, and keep the means of steps of about `step` s."""
    width = max(1, round(step / clock.interval))
    parts: list[FloatArray] = []
    times: list[float] = []
    lengths: list[int] = []
    for number in range(int(clock.piece[-1]) + 1 if len(clock.piece) else 0):
        rows = np.flatnonzero(clock.piece == number)
        left = np.empty(0)
        count = 0
        for first, stop in _reads(recording, int(rows[0]), int(rows[-1]) + 1):
            values = np.concatenate([left, recording.read("deflection", slice(first, stop))])
            full = len(values) // width * width
            means = values[:full].reshape(-1, width).mean(axis=1)
            left = values[full:]
            parts.append(means)
            count += len(means)
        times.append(float(clock.starts[rows[0]]) + 0.5 * (width - 1) * clock.interval)
        lengths.append(count)
    return Stream(
        step=width * clock.interval,
        values=np.concatenate(parts) if parts else np.empty(0),
        times=np.array(times),
        edges=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


def _reads(recording: CurveSet, first: int, stop: int) -> list[tuple[int, int]]:
    """Rows that are read together."""
    sizes = recording.row_size[first:stop]
    group = np.cumsum(sizes) // _AT_ONCE
    edges = np.flatnonzero(np.diff(group, prepend=-1, append=group[-1] + 1))
    return [(first + int(a), first + int(b)) for a, b in pairwise(edges)]
