"""When exactly each curve was taken by the board's clock: its deflection laid on the board's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.model import CurveSet
from nrm_plugin.pairing.stream import Clock

#: Steps in which a curve is shifted until it lies on the board's, the smallest part of a sample
#: that is still a step, and the samples by which it is shifted at most.
_STEPS, _SMALL, _FARTHEST = 6, 2e-3, 20.0


class BoardReader:
    """Values of the board's channels at moments of its clock.

    Rows are kept while the next moments need them; a reader is used by one thread.
    """

    def __init__(self, board: CurveSet, clock: Clock) -> None:
        self._board, self._clock = board, clock
        self._kept: dict[str, tuple[int, int, FloatArray]] = {}

    def _rows(self, begin: float, end: float) -> tuple[int, int]:
        n = len(self._clock.starts)
        first, last = np.searchsorted(self._clock.starts, [begin, end], side="right") - 1
        return min(max(int(first), 0), n - 1), min(max(int(last), 0), n - 1)

    def at(self, name: str, moments: FloatArray, width: float) -> FloatArray:
        """Means of a channel over `width` s about moments; see `SampleStretch.at`."""
        return self.stretch(name, float(moments[0]), float(moments[-1]), width).at(moments)

    def stretch(self, name: str, begin: float, end: float, width: float) -> SampleStretch:
        """A channel from `begin` to `end`, for means over `width` s."""
        step = self._clock.interval
        reach = width + 2.0 * step
        first, values = self._values(name, begin - reach, end + reach)
        # Of the rows only what is needed: rows may be long.
        low = min(max(int((begin - reach - first) / step), 0), max(len(values) - 2, 0))
        values = values[low : max(low + 2, int((end + reach - first) / step) + 2)]
        return SampleStretch(first + low * step, step, values, width)

    def _values(self, name: str, begin: float, end: float) -> tuple[float, FloatArray]:
        """Samples of the rows that hold a stretch, and the moment of the first of them."""
        first, last = self._rows(begin, end)
        piece = self._clock.piece
        middle = piece[self._rows(0.5 * (begin + end), 0.5 * (begin + end))[0]]
        while first < last and piece[first] != middle:
            first += 1
        while last > first and piece[last] != middle:
            last -= 1
        kept = self._kept.get(name)
        if kept is None or (kept[0], kept[1]) != (first, last):
            if kept is not None and kept[0] <= first <= kept[1]:
                old = int(self._board.row_size[kept[0] : first].sum())
                parts = [kept[2][old:]]
                if last > kept[1]:
                    parts.append(self._board.read(name, slice(kept[1] + 1, last + 1)))
                else:
                    parts = [kept[2][old : old + int(self._board.row_size[first : last + 1].sum())]]
                values = np.concatenate(parts)
            else:
                values = self._board.read(name, slice(first, last + 1))
            self._kept[name] = first, last, values
        return float(self._clock.starts[first]), self._kept[name][2]


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
        # Samples without a number spoil the means that hold them, and no others.
        lost = ~np.isfinite(values)
        self._lost = np.concatenate([[0], np.cumsum(lost)]) if lost.any() else None
        if self._half:
            if self._lost is not None:
                self._values = values = np.where(lost, 0.0, values)
            # Integral of the line through the samples.
            self._total = np.empty(len(values))
            self._total[0] = 0.0
            np.cumsum(values[1:] + values[:-1], out=self._total[1:])
            self._total *= 0.5

    def at(self, moments: FloatArray) -> FloatArray:
        """Means about moments, evenly to both sides, so that there is no delay. nan outside."""
        position = (moments - self._first) / self._step
        last = len(self._values) - 1
        if not self._half:
            out = np.interp(position, np.arange(last + 1), self._values)
        else:
            low = np.clip(position - self._half, 0.0, last)
            high = np.clip(position + self._half, 0.0, last)
            out = (self._integral(high) - self._integral(low)) / np.maximum(high - low, 1e-12)
            if self._lost is not None:
                first, behind = np.floor(low).astype(np.int64), np.ceil(high).astype(np.int64) + 1
                out[self._lost[behind] > self._lost[first]] = np.nan
        out[(position < -0.5) | (position > last + 0.5)] = np.nan
        return np.asarray(out)

    def _integral(self, position: FloatArray) -> FloatArray:
        """Integral up to (fractional) positions."""
        whole = np.minimum(position.astype(np.int64), len(self._values) - 2)
        part = position - whole
        value = self._values[whole]
        slope = self._values[whole + 1] - value
        return np.asarray(self._total[whole] + part * (value + 0.5 * part * slope))


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
    reader = BoardReader(board, clock)
    rows = []
    for (time, bent), begin in zip(_traces(curves, pairs), begins, strict=True):
        rows.append(_shifted(reader, time, bent, float(begin)))
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


def _shifted(
    reader: BoardReader, time: FloatArray, bent: FloatArray, begin: float
) -> tuple[float, float, float, float, float]:
    """Gauss-Newton steps in begin, gain and offset."""
    width = float(np.median(np.diff(time)))
    reach = _FARTHEST * width
    stretch = reader.stretch("deflection", begin - reach, begin + time[-1] + reach, width)
    slope = np.gradient(bent, time)
    columns = np.stack([bent, slope, np.ones(len(time))])
    scale = np.abs(columns).max(axis=1)
    scale[scale == 0.0] = 1.0
    columns /= scale[:, None]
    start = begin
    nothing = start, np.inf, np.nan, np.nan, np.nan
    for _ in range(_STEPS):
        seen = stretch.at(begin + time)
        known = np.isfinite(seen)
        n = int(np.count_nonzero(known))
        if n < max(16, len(time) // 2):
            return nothing
        # seen(begin + t) = gain * bent(t + shift) + offset
        design = columns if n == len(time) else columns[:, known]
        seen = seen if n == len(time) else seen[known]
        square = design @ design.T
        try:
            inverse = np.linalg.inv(square)
        except np.linalg.LinAlgError:
            return nothing
        found = inverse @ (design @ seen)
        gain, offset = float(found[0] / scale[0]), float(found[2])
        if gain == 0.0:
            return nothing
        residual = float(np.sqrt(np.mean((seen - found @ design) ** 2)))
        stderr = residual * float(np.sqrt(max(inverse[1, 1], 0.0))) / float(scale[1]) / abs(gain)
        shift = float(found[1] / scale[1]) / gain
        begin = min(max(begin - shift, start - reach), start + reach)
        if abs(shift) < _SMALL * width:
            break
    return begin, stderr, gain, offset, residual
