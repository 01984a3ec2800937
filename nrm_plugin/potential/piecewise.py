"""Potential over time between the points of a log."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray


class PiecewiseLinear:
    """Points joined by straight lines.

    Parameters
    ----------
    time : (n,) array
        In s, none earlier than the one before; at least two.
    potential : (n,) array
        In V.
    """

    def __init__(self, time: FloatArray, potential: FloatArray) -> None:
        self.time, self.potential = time, potential

    def behind(self, time: FloatArray) -> IntArray:
        """Number of the first point at or after a time; 1 for earlier ones, the last for later."""
        return np.clip(np.searchsorted(self.time, time, "left"), 1, len(self.time) - 1)

    def at(self, time: FloatArray) -> FloatArray:
        """Potential at times within the log."""
        return np.interp(time, self.time, self.potential)

    def mean(self, begin: FloatArray, end: FloatArray) -> FloatArray:
        """Mean over intervals, which may be single moments."""
        width = end - begin
        area = self._area(end) - self._area(begin)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(width > 0, area / width, self.at(begin))

    def farthest(self, begin: FloatArray, end: FloatArray, value: FloatArray) -> FloatArray:
        """How far the potential gets from a value in an interval, within the log.

        Half the largest step between points next to it is added: so far it may get between two
        points without leaving a trace, also where it turns.
        """
        a = np.clip(begin, self.time[0], self.time[-1])
        b = np.clip(end, self.time[0], self.time[-1])
        ends = np.maximum(np.abs(self.at(a) - value), np.abs(self.at(b) - value))
        first, stop = self.behind(a), self.behind(b)
        inside = stop > first
        high = window_maximum(self.potential, first[inside], stop[inside]) - value[inside]
        low = value[inside] + window_maximum(-self.potential, first[inside], stop[inside])
        ends[inside] = np.maximum(ends[inside], np.maximum(high, low))
        steps = np.abs(np.diff(self.potential))  # step i lies before point i + 1
        around = window_maximum(steps, np.maximum(first - 2, 0), np.minimum(stop + 1, len(steps)))
        return ends + around / 2.0

    def span(self, begin: FloatArray, end: FloatArray) -> FloatArray:
        """Highest less lowest potential in intervals within the log."""
        high, low = (np.maximum(sign * self.at(begin), sign * self.at(end)) for sign in (1.0, -1.0))
        first, stop = self.behind(begin), self.behind(end)
        inside = stop > first
        for ends, sign in ((high, 1.0), (low, -1.0)):
            within = window_maximum(sign * self.potential, first[inside], stop[inside])
            ends[inside] = np.maximum(ends[inside], within)
        return np.asarray(high + low)

    @cached_property
    def _areas(self) -> FloatArray:
        means = (self.potential[1:] + self.potential[:-1]) / 2.0
        return np.concatenate([[0.0], np.cumsum(means * np.diff(self.time))])

    def _area(self, time: FloatArray) -> FloatArray:
        """Integral of the potential from the first point to a time."""
        last = self.behind(time) - 1
        height = (self.potential[last] + self.at(time)) / 2.0
        return np.asarray(self._areas[last] + height * (time - self.time[last]))


def window_maximum(values: FloatArray, first: IntArray, stop: IntArray) -> FloatArray:
    """Largest of ``values[first:stop]`` for many windows of any lengths, none of them empty.

    Maxima of runs of 1, 2, 4, ... are made one after the other; two of them cover a window.
    """
    out: FloatArray = np.empty(len(first))
    size = stop - first
    level = np.frexp(size.astype(np.float64))[1] - 1 if len(size) else np.empty(0, np.int64)
    runs: Any = values
    for power in range(int(level.max(initial=-1)) + 1):
        if power:
            half = 1 << (power - 1)
            runs = np.maximum(runs[:-half], runs[half:])
        here = level == power
        out[here] = np.maximum(runs[first[here]], runs[stop[here] - (1 << power)])
    return out
