"""Places that are visited again: what they tell of a gain that drifts from line to line.

One visit cannot tell the gain from the sample. The difference of two visits has no sample in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
import xarray as xr

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.statistics.repeats import times

#: Lines, and places of a line, below which nothing is told.
_LEAST = 8

#: Differences have something in common if chance does it in fewer than one of ten maps.
_LEVEL = 0.9

#: Visits that lie apart by less than this part of the run see a part of a slow drift only.
_APART = 0.25

_LONGEST = 0.95


@dataclass(frozen=True)
class Revisits:
    """First and last visit of places that were visited at different times.

    Attributes
    ----------
    first, last : (k,) arrays of int
        Curves, in order of time.
    line : (k,) array of int
        Lines of places that were visited one after the other, from 0.
    apart : float
        Time between visits as a part of the run (median).
    """

    first: IntArray
    last: IntArray
    line: IntArray
    apart: float


def revisits_of(results: xr.Dataset, curves: IntArray, place: IntArray) -> Revisits | None:
    """Find places that were visited again; None where there are too few, or no times."""
    time = times(results, curves)
    count = np.bincount(place) if len(place) else np.zeros(0, int)
    if not np.isfinite(time).all() or np.sum(count > 1) < _LEAST**2:
        return None
    order = np.lexsort((time, place))
    begin = np.searchsorted(place[order], np.flatnonzero(count > 1))
    first, last = order[begin], order[begin + count[count > 1] - 1]
    run = float(np.ptp(time))
    lag = time[last] - time[first]
    first, last = first[lag > 0], last[lag > 0]
    if len(first) < _LEAST**2 or not run:
        return None
    in_time = np.argsort(time[first], kind="stable")
    size = max(_LEAST, round(np.sqrt(len(first))))
    return Revisits(
        first[in_time],
        last[in_time],
        np.arange(len(first)) // size,
        float(np.median(lag[lag > 0])) / run,
    )


def between_visits(values: FloatArray, visits: Revisits) -> tuple[FloatArray, FloatArray]:
    """Variance of the mean that comes from a drifting gain, and its degrees of freedom.

    Means of lines of the differences of two visits scatter by more than single curves explain;
    how alike neighbouring lines are tells how slowly the gain drifts. Of visits that lie far apart
    each has the variance of half a difference. Of visits shortly after each other, as forwards and
    backwards along a line, a random walk is taken to go on over the run, as far as lines differ.

    Parameters
    ----------
    values : (n, m) array
        Real values of the curves; nan where there is none.
    visits : Revisits

    Returns
    -------
    (m,), (m,) arrays
        0 and infinity where visits agree.
    """
    differ = values[visits.last] - values[visits.first]
    finite = np.isfinite(differ)
    lines = int(visits.line.max()) + 1
    member = scipy.sparse.csr_array((np.ones(len(differ)), (visits.line, np.arange(len(differ)))))
    count = member @ finite.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        filled = np.where(finite, differ, 0.0)
        mean = np.where(count > 0, (member @ filled) / count, 0.0)
        around = np.where(finite, differ - mean[visits.line], 0.0)
        inside = (around**2).sum(0) / (count.sum(0) - lines)
        chance = np.mean(inside / count, axis=0)
        square = np.mean(mean**2, axis=0)
        common = np.maximum(square - chance, 0.0)
        alike = np.mean(mean[1:] * mean[:-1], axis=0) / np.where(common > 0, common, np.inf)
        rho = np.clip(alike, 0.0, _LONGEST)
        sums = (1 + rho) / (1 - rho) - 2 * rho * (1 - rho**lines) / (lines * (1 - rho) ** 2)
        variance = common * sums / lines / 4.0
        freedom = np.maximum(lines / sums, 1.0)
        if visits.apart < _APART:
            # No walk is larger than what lines differ by, sample and all.
            level = np.where(finite, values[visits.last] + values[visits.first], 0.0) / 2.0
            of_lines = np.var(np.asarray(member @ level) / count, axis=0)
            walk = np.minimum(common / visits.apart / 3.0, of_lines)
            variance, freedom = np.maximum(variance, walk), np.full(len(rho), lines - 1.0)
        more = square > chance * scipy.special.fdtri(
            lines, np.maximum(count.sum(0) - lines, 1.0), _LEVEL
        )
    there = more & np.isfinite(variance) & (count.min(0) > 0)
    return np.where(there, variance, 0.0), np.where(there, freedom, np.inf)
