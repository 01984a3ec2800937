"""Which peaks of one recording are those of the other, in the same order.

A path through the table of all possible pairs collects evidence: logarithms of how much more
likely a likeness is for two records of one ramp than for two ramps. Shapes give evidence for a
pair, intervals for two pairs in a row. Peaks may be left out on either side, and a recorder that
was paused starts a new stretch. Paths in forward and backward direction tell for each pair how much
evidence is lost without it (max-marginals), which is what makes it certain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray, IntArray

#: Peaks that may be left out between two pairs of a stretch: of the curves, and of the stream.
SKIPS_OF_CURVES, SKIPS_OF_STREAM = 3, 5
#: Evidence that leaving out one peak costs, and a new stretch.
SKIP, JUMP = 3.0, 16.0
#: Most evidence that one interval, or one part of a shape, can give.
MOST = 6.0

Table = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """How intervals between peaks are compared.

    Attributes
    ----------
    first, second : arrays
        Times of the peaks on the two sides in s.
    same : float
        Standard deviation in s of the difference between two intervals that are the same.
    other : float
        The same of two that are not.
    least : float
        Evidence of intervals that have nothing to do with each other.
    least_beside : float
        The same where peaks of the stream lie between, which take an unknown time.
    """

    first: FloatArray
    second: FloatArray
    same: float
    other: float
    least: float = -JUMP
    least_beside: float = -JUMP

    def turned(self) -> Intervals:
        """The same in reversed time."""
        return replace(self, first=-self.first[::-1], second=-self.second[::-1])


@dataclass(frozen=True, kw_only=True)
class Path:
    """Pairs in order.

    Attributes
    ----------
    first, second : (pair,) arrays of int
        Numbers of the peaks.
    margin : (pair,) array
        Evidence that is lost on the best path without the pair.
    stretch : (pair,) array of int
        Number of the stretch that it belongs to.
    evidence : float
        Of the whole path.
    """

    first: IntArray
    second: IntArray
    margin: FloatArray
    stretch: IntArray
    evidence: float


def best_path(likeness: Table, intervals: Intervals) -> Path:
    """Return the path with the most evidence.

    Parameters
    ----------
    likeness : (n, m) array
        Evidence of each pair's shapes.
    """
    n, m = likeness.shape
    if not n or not m:
        return _no_path()
    forward, steps = _collected(likeness, intervals)
    total = float(forward.max())
    if total <= 0.0:
        return _no_path()
    i, j = np.unravel_index(int(np.argmax(forward)), forward.shape)
    first, second, begins = _traced(forward, steps, likeness, int(i), int(j))
    backward, _ = _collected(likeness[::-1, ::-1], intervals.turned())
    through = forward + backward[::-1, ::-1] - likeness
    here = through[first, second].copy()
    through[first, second] = -np.inf  # a row and a column have one pair of the path at most
    rest = np.maximum(through.max(axis=1)[first], through.max(axis=0)[second])
    return Path(
        first=first,
        second=second,
        margin=np.minimum(here, total) - np.maximum(rest, 0.0),
        stretch=np.cumsum(begins) - 1,
        evidence=total,
    )


def evidence_beside(likeness: Table, intervals: Intervals, path: Path) -> float:
    """Most evidence of a path that has no pair with another path in common."""
    without = likeness.copy()
    without[path.first, path.second] = -np.float32(1e6)
    return most_evidence(without, intervals)


def most_evidence(likeness: Table, intervals: Intervals) -> float:
    """Evidence of the best path."""
    score, _ = _collected(likeness, intervals)
    return max(float(score.max()), 0.0)


def _no_path() -> Path:
    none = np.empty(0, np.int64)
    return Path(first=none, second=none, margin=np.empty(0), stretch=none, evidence=0.0)


def _collected(likeness: Table, intervals: Intervals) -> tuple[Table, NDArray[np.int8]]:
    """Most evidence of paths that end in each pair, and by which step each was reached."""
    settings = kernels.record(
        kernels.PATH_SETTINGS,
        same=intervals.same,
        other=max(intervals.other, intervals.same),
        least=intervals.least,
        least_beside=intervals.least_beside,
        most=MOST,
        skip=SKIP,
        jump=JUMP,
        skips_first=SKIPS_OF_CURVES,
        skips_second=SKIPS_OF_STREAM,
    )
    return kernels.collect_paths(likeness, intervals.first, intervals.second, settings)


def _traced(
    score: Table, steps: NDArray[np.int8], likeness: Table, i: int, j: int
) -> tuple[IntArray, IntArray, NDArray[np.bool_]]:
    """Go back along the best path; return its pairs, and where stretches begin."""
    pairs: list[tuple[int, int, bool]] = []
    while True:
        step = int(steps[i, j])
        pairs.append((i, j, step < 2))
        if step == 0:
            break
        if step == 1:
            part = score[:i, :j]
            i, j = (int(k) for k in np.unravel_index(int(np.argmax(part)), part.shape))
        else:
            a, b = divmod(step - 2, SKIPS_OF_STREAM + 1)
            i, j = i - a - 1, j - b - 1
    first, second, begins = zip(*reversed(pairs), strict=True)
    return np.array(first), np.array(second), np.array(begins)
