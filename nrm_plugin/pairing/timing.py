"""When exactly each curve was taken by the board's clock: its deflection laid on the board's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray, IntArray, files_kept_open
from nrm_plugin.model import CurveSet
from nrm_plugin.pairing.stream import Clock, SampleReader

#: Steps in which a curve is shifted until it lies on the board's, the smallest part of a sample
#: that is still a step, and the samples by which it is shifted at most.
_STEPS, _SMALL, _FARTHEST = 6, 2e-3, 20.0


class BoardReader:
    """Values of the board's channels at moments of its clock; it is used by one thread."""

    def __init__(self, board: CurveSet, clock: Clock) -> None:
        self._rows, self._clock = board.rows, clock
        self._readers = {name: SampleReader(board, name) for name in board.channels}

    def _row(self, moment: float) -> int:
        """Number of the row at a moment, or of the nearest one."""
        row = int(np.searchsorted(self._clock.starts, moment, side="right")) - 1
        return min(max(row, 0), len(self._clock.starts) - 1)

    def at(self, name: str, moments: FloatArray, width: float) -> FloatArray:
        """Means of a channel over `width` s about moments; see `SampleStretch.at`."""
        return self.stretch(name, float(moments[0]), float(moments[-1]), width).at(moments)

    def stretch(self, name: str, begin: float, end: float, width: float) -> SampleStretch:
        """A channel from `begin` to `end`, for means over `width` s.

        Of rows that follow each other without a gap only.
        """
        step, piece, rows = self._clock.interval, self._clock.piece, self._rows
        reach = width + 2.0 * step
        first, last = self._row(begin - reach), self._row(end + reach)
        middle = piece[self._row(0.5 * (begin + end))]
        while first < last and piece[first] != middle:
            first += 1
        while last > first and piece[last] != middle:
            last -= 1
        start, n = float(self._clock.starts[first]), rows.start(last + 1) - rows.start(first)
        # Of the rows only what is needed: rows may be long.
        low = min(max(int((begin - reach - start) / step), 0), max(n - 2, 0))
        high = min(max(low + 2, int((end + reach - start) / step) + 2), n)
        at = rows.start(first)
        values = self._readers[name].read(at + low, at + high)
        return SampleStretch(start + low * step, step, values, width)


class SampleStretch:
    """Samples of a channel that follow each other, and means of them about any moments.

    Parameters
    ----------
    first, step : float
        Moment of the first sample, and time between samples, in s.
    values : array
    width : float
        Time over which means are taken, in s; between samples where it is no longer than a step.
    """

    def __init__(self, first: float, step: float, values: FloatArray, width: float) -> None:
        self._first, self._step, self._values = first, step, values
        self._half = 0.5 * width / step if width > 1.5 * step else 0.0

    def at(self, moments: FloatArray) -> FloatArray:
        """Means about moments, evenly to both sides, so that there is no delay.

        nan outside, and where a sample is no number.
        """
        return kernels.window_means(self._values, (moments - self._first) / self._step, self._half)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How curves lie on the board's recording; arrays have one value per pair.

    Attributes
    ----------
    begin : array
        Time of the curve's first sample by the board's clock, s since the board's first sample.
    stderr : array
        Its standard error in s.
    gain, offset : array
        Board's deflection = gain times the microscope's + offset.
    residual : array
        Standard deviation of what is left, in the board's unit.
    """

    begin: FloatArray
    stderr: FloatArray
    gain: FloatArray
    offset: FloatArray
    residual: FloatArray

    def chosen(self, which: IntArray) -> Timing:
        """Some of them."""
        return Timing(
            begin=self.begin[which],
            stderr=self.stderr[which],
            gain=self.gain[which],
            offset=self.offset[which],
            residual=self.residual[which],
        )


def timed(
    curves: CurveSet, board: CurveSet, clock: Clock, pairs: IntArray, begins: FloatArray
) -> Timing:
    """Shift each curve until its deflection lies on the board's.

    Parameters
    ----------
    pairs : (pair,) array of int
        Numbers of the curves.
    begins : (pair,) array
        Where they begin by the board's clock, to a small part of a peak's width.
    """
    reader, slopes, rows = BoardReader(board, clock), _TraceSlopes(np.empty(0)), []
    with files_kept_open():
        for (time, bent), begin in zip(_traces(curves, pairs), begins, strict=True):
            if not np.array_equal(time, slopes.time):  # mostly all curves have the same times
                slopes = _TraceSlopes(time)
            rows.append(_shifted(reader, slopes, bent, float(begin)))
    begin, stderr, gain, offset, residual = np.array(rows).reshape(-1, 5).T
    return Timing(begin=begin, stderr=stderr, gain=gain, offset=offset, residual=residual)


def _traces(curves: CurveSet, pairs: IntArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Times since the first sample, and deflection, of curves."""
    size = curves.row_size
    for a in range(0, len(pairs), 256):
        part = pairs[a : a + 256]
        time, bent = curves.read("time", part), curves.read("deflection", part)
        edges = np.concatenate([[0], np.cumsum(size[part])])
        for first, stop in itertools.pairwise(edges):
            yield time[first:stop] - time[first], bent[first:stop]


class _TraceSlopes:
    """Slopes of traces with the same times: as ``numpy.gradient``, whose weights are kept."""

    def __init__(self, time: FloatArray) -> None:
        self.time = time
        step = np.diff(time)
        self.step = float(np.median(step)) if len(step) else 0.0
        before, behind = step[:-1], step[1:]
        both = before + behind
        self._ends = step[:1], step[-1:]
        self._weights = behind / (before * both), before / (behind * both)

    def of(self, values: FloatArray) -> FloatArray:
        """Slopes at all samples."""
        moves, (left, right), (first, last) = np.diff(values), self._weights, self._ends
        inner = left * moves[:-1] + right * moves[1:]
        return np.concatenate([moves[:1] / first, inner, moves[-1:] / last])


def _shifted(
    reader: BoardReader, slopes: _TraceSlopes, bent: FloatArray, begin: float
) -> tuple[float, float, float, float, float]:
    """Gauss-Newton steps in begin, gain and offset."""
    time, width = slopes.time, slopes.step
    reach = _FARTHEST * width
    stretch = reader.stretch("deflection", begin - reach, begin + time[-1] + reach, width)
    columns = np.stack([bent, slopes.of(bent), np.ones(len(time))])
    scale = np.abs(columns).max(axis=1)
    scale[scale == 0.0] = 1.0
    columns /= scale[:, None]
    start = begin
    nothing = start, np.inf, np.nan, np.nan, np.nan
    design, before, inverse = columns, -1, np.empty(0)
    for _ in range(_STEPS):
        seen = stretch.at(begin + time)
        known = np.isfinite(seen)
        n = int(np.count_nonzero(known))
        if n < max(16, len(time) // 2):
            return nothing
        # seen(begin + t) = gain * bent(t + shift) + offset
        if n < len(time):
            design, seen, before = columns[:, known], seen[known], -1
        if n != before:
            design, before = (columns, n) if n == len(time) else (design, -1)
            try:
                inverse = np.linalg.inv(design @ design.T)
            except np.linalg.LinAlgError:
                return nothing
        found = inverse @ (design @ seen)
        gain, offset = float(found[0] / scale[0]), float(found[2])
        if gain == 0.0:
            return nothing
        shift = float(found[1] / scale[1]) / gain
        begin = min(max(begin - shift, start - reach), start + reach)
        if abs(shift) < _SMALL * width:
            break
    residual = float(np.sqrt(np.mean((seen - found @ design) ** 2)))
    stderr = residual * float(np.sqrt(max(inverse[1, 1], 0.0))) / float(scale[1]) / abs(gain)
    return begin, stderr, gain, offset, residual
