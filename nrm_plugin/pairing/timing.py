"""When exactly each curve was taken by the board's clock: its deflection laid on the board's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.model import CurveSet
from nrm_plugin.pairing.stream import Clock

#: Steps in which a curve is shifted until it lies on the board's, and the smallest part of a sample
#: that is still a step.
_STEPS, _SMALL = 6, 1e-3


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
        """Means of a channel over `width` s about moments, or between samples if that is less.

        The window lies evenly about each moment, so that there is no delay. nan outside.
        """
        step = self._clock.interval
        reach = width + 2.0 * step
        begin, end = float(moments[0]) - reach, float(moments[-1]) + reach
        first, values = self._values(name, begin, end)
        position = (moments - first) / step
        n = len(values)
        outside = (position < -0.5) | (position > n - 0.5)
        if width <= 1.5 * step:
            out = np.interp(position, np.arange(n), values)
        else:
            # The integral of the line through the samples, at both ends of the window.
            total = np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]))])
            half = 0.5 * width / step
            low, high = np.clip(position - half, 0, n - 1), np.clip(position + half, 0, n - 1)
            out = (_integral(total, values, high) - _integral(total, values, low)) / np.maximum(
                high - low, 1e-12
            )
        out[outside] = np.nan
        return np.asarray(out)

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


def _integral(total: FloatArray, values: FloatArray, position: FloatArray) -> FloatArray:
    """Integral of the line through `values` up to (fractional) positions."""
    whole = np.minimum(position.astype(np.int64), len(values) - 2)
    part = position - whole
    return np.asarray(
        total[whole]
        + part * values[whole]
        + 0.5 * part * part * (values[whole + 1] - values[whole])
    )


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


def timed(
    curves: CurveSet, board: CurveSet, clock: Clock, pairs: IntArray, begins: FloatArray
) -> Timing:
    """Shift each curve until its deflection lies on the board's.

    Parameters
    ----------
    pairs : (pair,) array of int
        Numbers of the curves, rising.
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
    slope = np.gradient(bent, time)
    n = len(time)
    gain = offset = residual = stderr = np.nan
    for _ in range(_STEPS):
        seen = reader.at("deflection", begin + time, width)
        known = np.isfinite(seen)
        if known.sum() < max(16, n // 2):
            return begin, np.inf, np.nan, np.nan, np.nan
        # seen(begin + t) = gain * bent(t + shift) + offset
        design = np.stack([bent[known], slope[known], np.ones(known.sum())], axis=1)
        scale = np.abs(design).max(axis=0)
        scale[scale == 0.0] = 1.0
        found, *_ = np.linalg.lstsq(design / scale, seen[known], rcond=None)
        found = found / scale
        gain, offset = float(found[0]), float(found[2])
        left = seen[known] - design @ found
        residual = float(np.sqrt(np.mean(left**2)))
        if gain == 0.0:
            return begin, np.inf, np.nan, np.nan, np.nan
        shift = float(found[1]) / gain
        inverse = np.linalg.pinv((design / scale).T @ (design / scale))
        stderr = residual * float(np.sqrt(inverse[1, 1])) / float(scale[1]) / abs(gain)
        begin -= min(max(shift, -20.0 * width), 20.0 * width)
        if abs(shift) < _SMALL * width:
            break
    return begin, stderr, gain, offset, residual
