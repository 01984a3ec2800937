"""Passes of a voltammogram: where the potential falls, rises, and turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray

#: A turn is one if the potential comes back by this much in V, by this part of its whole range,
#: and by this many standard deviations of the noise.
_STEP, _PART, _NOISE = 0.02, 0.02, 10.0

#: What differs from a vertex by less than this many standard deviations of the noise is still it.
_BAND = 6.0


@dataclass(frozen=True)
class Sweeps:
    """Direction and number of the pass at every point.

    Attributes
    ----------
    sweep : (n,) array of int
        +1 where the potential rises, -1 where it falls, 0 if it does neither. A hold belongs to
        the pass that it interrupts or ends, one before all passes to the first.
    number : (n,) array of int
        From 0; -1 if there is none.
    """

    sweep: IntArray
    number: IntArray

    @property
    def cycle(self) -> IntArray:
        """Number of the cycle, from 1: two passes are one. -1 without passes."""
        return np.where(self.number < 0, -1, 1 + self.number // 2)


def find_sweeps(potential: FloatArray) -> Sweeps:
    """Divide potentials, in order of time, into passes at the vertices.

    A vertex is an extreme from which the potential comes back further than noise and small steps
    do; it ends where the potential leaves it for good, so that a hold there is part of the pass
    before.

    Parameters
    ----------
    potential : (n,) array
        In V, finite.
    """
    n = len(potential)
    sweep, number = np.zeros(n, np.int64), np.full(n, -1)
    if n < 2:
        return Sweeps(sweep, number)
    noise = _noise(potential)
    threshold = max(_STEP, _PART * float(np.ptp(potential)), _NOISE * noise)
    turns = _turns(potential.tolist(), threshold)
    edges = []
    for extreme, seen in turns:
        near = np.abs(potential[extreme:seen] - potential[extreme]) <= _BAND * noise
        edges.append(extreme + int(np.flatnonzero(near)[-1]))
    for i, edge in enumerate(edges):
        stop = edges[i + 1] + 1 if i + 1 < len(edges) else n
        begin = edge + 1 if i else 0
        rises = potential[turns[i][1]] > potential[turns[i][0]]
        sweep[begin:stop], number[begin:stop] = (1 if rises else -1), i
    return Sweeps(sweep, number)


def _noise(potential: FloatArray) -> float:
    """Standard deviation of the noise, from second differences, which a sweep has none of."""
    bends = np.diff(potential, 2)
    return 1.4826 * float(np.median(np.abs(bends))) / np.sqrt(6.0) if len(bends) else 0.0


def _turns(values: list[float], threshold: float) -> list[tuple[int, int]]:
    """Every extreme, and the point at which it was clear that the potential had turned there."""
    turns: list[tuple[int, int]] = []
    low = high = direction = 0
    for i, value in enumerate(values):
        if direction >= 0 and value >= values[high]:
            high = i
        if direction <= 0 and value <= values[low]:
            low = i
        if direction >= 0 and values[high] - value > threshold:
            turns.append((high, i))
            direction, low = -1, i
        elif direction <= 0 and value - values[low] > threshold:
            turns.append((low, i))
            direction, high = 1, i
    return turns
