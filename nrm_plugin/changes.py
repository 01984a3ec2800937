"""Trends and steps of a quantity over the order in which curves were taken."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import FloatArray

#: Curves from which on a trend is looked for.
FEWEST = 16

#: A change counts from so many standard errors on: four quantities, trends and steps are sought.
SURE = 6.0

#: Smallest change from beginning to end, as a part, that is worth a word.
WORTH = {"wall slope": 0.01, "tip motion on the wall": 0.15, "noise": 0.5, "adhesion": 0.5}


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of a quantity over the acquisition.

    Attributes
    ----------
    relative, stderr : float
        From beginning to end, or across the step, as a part of the median.
    step : float
        Part of the acquisition after which it jumps; nan for a trend.
    """

    relative: float
    stderr: float
    step: float


def change(values: FloatArray) -> Change | None:
    """Trend or step of values in order, whichever explains more; None if they are too few.

    Neighbours may be alike (a rough electrode is so in places): what the rest has in common with
    its neighbours makes the errors larger.
    """
    order = np.flatnonzero(np.isfinite(values))
    y = values[order]
    n = len(y)
    if n < FEWEST:
        return None
    middle = float(np.median(y))
    spread = 1.4826 * float(np.median(np.abs(y - middle)))
    if not middle or not spread > 0.0:
        return None
    y = np.clip(y, middle - 5.0 * spread, middle + 5.0 * spread)
    x = np.linspace(-0.5, 0.5, n)
    slope = float((x * (y - y.mean())).sum() / (x**2).sum())
    rest = y - y.mean() - slope * x
    count = np.arange(1, n)
    before = np.cumsum(y)[:-1] / count
    after = (y.sum() - np.cumsum(y)[:-1]) / (n - count)
    inside = (count >= n // 8) & (n - count >= n // 8)
    gain = np.where(inside, (after - before) ** 2 * count * (n - count) / n, 0.0)
    at = int(np.argmax(gain))
    jump = float(after[at] - before[at])
    apart = y - np.where(np.arange(n) <= at, before[at], after[at])
    if gain[at] > slope**2 * (x**2).sum():
        error = _scatter(apart) * math.sqrt(1.0 / (at + 1) + 1.0 / (n - at - 1))
        return Change(
            relative=jump / abs(middle), stderr=error / abs(middle), step=float((at + 1) / n)
        )
    error = _scatter(rest) / math.sqrt(float((x**2).sum()))
    return Change(relative=slope / abs(middle), stderr=error / abs(middle), step=math.nan)


def _scatter(rest: FloatArray) -> float:
    """Standard deviation with what neighbours have in common: from means of growing blocks."""
    n = len(rest)
    found = float(rest.std(ddof=2))
    size = 2
    while n // size >= 8:
        blocks = rest[: n // size * size].reshape(-1, size).mean(1)
        found = max(found, float(blocks.std(ddof=1)) * math.sqrt(size))
        size *= 2
    return found
