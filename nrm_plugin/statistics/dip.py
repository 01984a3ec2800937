"""The dip: how far a sample is from any distribution with one mode (Hartigan and Hartigan 1985)."""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray


def dip(values: FloatArray) -> float:
    """Largest difference between a sample's distribution and the nearest one with one mode.

    Hartigan and Hartigan, Ann. Stat. 13, 70 (1985), section 4: a modal interval is narrowed down;
    outside of it the distribution is compared with its greatest convex minorant on the left and
    its least concave majorant on the right.

    Parameters
    ----------
    values : (n,) array
        Finite, at least one; they may be tied.

    Returns
    -------
    float
        From ``1 / (2 n)`` to 1/4.
    """
    x = np.sort(np.asarray(values, np.float64))
    n = len(x)
    rank = np.arange(n, dtype=np.float64)  # the distribution jumps from rank to rank + 1
    first, last = 0, n - 1
    widest_gap = 1.0
    while last > first:
        part = slice(first, last + 1)
        lower = _hull(x[part], rank[part]) + first
        upper = _hull(-x[part][::-1], -(rank[part][::-1] + 1.0))
        upper = (last - upper)[::-1]
        convex = np.interp(x[part], x[lower], rank[lower])
        concave = np.interp(x[part], x[upper], rank[upper] + 1.0)
        # At ties that end the interval the curves rise upright, by one rank per value.
        tied = x[part] == x[last]
        convex[tied] = rank[part][tied]
        tied = x[part] == x[first]
        concave[tied] = rank[part][tied] + 1.0
        gap = concave - convex
        touches = np.union1d(lower, upper)
        widest = int(touches[np.argmax(gap[touches - first])])
        # The next touch of the other curve ends the new modal interval.
        if widest in lower:
            new_first = widest
            new_last = int(upper[np.searchsorted(upper, widest)])
        else:
            new_first = int(lower[np.searchsorted(lower, widest, side="right") - 1])
            new_last = widest
        if float(gap[widest - first]) <= widest_gap:
            break
        left = slice(0, new_first - first + 1)
        right = slice(new_last - first, None)
        widest_gap = max(
            widest_gap,
            float(np.max(rank[part][left] + 1.0 - convex[left])),
            float(np.max(concave[right] - rank[part][right])),
        )
        if (new_first, new_last) == (first, last):
            break
        first, last = new_first, new_last
    return widest_gap / (2.0 * n)


def _hull(x: FloatArray, y: FloatArray) -> IntArray:
    """Points where the greatest convex minorant of rising x touches."""
    hull = np.arange(len(x))
    while len(hull) > 2:
        # What lies on or above the line between its two neighbours is no corner.
        xs, ys = x[hull], y[hull]
        below = (ys[1:-1] - ys[:-2]) * (xs[2:] - xs[:-2]) < (ys[2:] - ys[:-2]) * (
            xs[1:-1] - xs[:-2]
        )
        if below.all():
            break
        hull = hull[np.concatenate([[True], below, [True]])]
    return hull
