"""The mean of curves that are no independent samples, and its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from scipy import stats
from scipy.ndimage import median_filter

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.correlation import Lags, lags, pair_correlation
from nrm_plugin.statistics.repeats import per_place, places, positions, times
from nrm_plugin.statistics.selection import column

#: Below this effective number an interval deserves a warning.
FEW = 10.0

#: How an interval can be made.
INTERVALS = ("effective", "naive")

#: Powers of the potential that are taken out before scatter and correlation are looked at.
_TREND = 3

#: Places per power of the potential, at least.
_PLACES_PER_POWER = 10


@dataclass(frozen=True)
class Sampling:
    """How curves sample the surface and the time: what their mean's error depends on.

    Attributes
    ----------
    place : (n,) array of int
        Place of every curve; or each its own, if all curves are of one place.
    one_place : bool
        Whether all curves are of one place: then only repeats of it are compared.
    trend : (p, k) array
        Orthonormal functions of the potential, one row per place, without the constant.
    pairs : tuple of Lags
        Of space and time, where they are known.
    """

    place: IntArray
    one_place: bool
    trend: FloatArray
    pairs: tuple[Lags, ...]

    @property
    def n_places(self) -> int:
        """Number of units that are averaged."""
        return int(self.place.max(initial=-1)) + 1


def sampling(results: xr.Dataset, curves: IntArray) -> Sampling:
    """Find out how curves sample the surface and the time."""
    place = places(results, curves)
    one_place = len(curves) > 1 and not place.any()
    if one_place:
        place = np.arange(len(curves))
    where = np.column_stack([positions(results, curves), times(results, curves)])
    potential = column(results, "potential")
    given = np.full(len(curves), np.nan) if potential is None else potential[curves]
    table = per_place(np.column_stack([where, given]).astype(np.float64), place)
    pairs = []
    for points in (table[:, :2], table[:, 2:3]):
        if len(points) and np.isfinite(points).all():
            sorted_pairs = lags(points)
            if sorted_pairs is not None:
                pairs.append(sorted_pairs)
    return Sampling(place, one_place, _powers(table[:, 3]), tuple(pairs))


def _powers(x: FloatArray) -> FloatArray:
    """Orthonormal polynomials of the potential, none where it is unknown or does not change."""
    degree = min(_TREND, len(x) // _PLACES_PER_POWER)
    if degree < 1 or not np.isfinite(x).all() or np.ptp(x) < 1e-6:
        return np.empty((len(x), 0))
    span = 2.0 * (x - x.min()) / np.ptp(x) - 1.0
    q, r = np.linalg.qr(np.polynomial.legendre.legvander(span, degree))
    sound = np.abs(np.diag(r)) > 1e-6 * np.sqrt(len(x))
    return np.asarray(q[:, sound][:, 1:])


@dataclass(frozen=True, kw_only=True)
class Mean:
    """Means with their intervals, an entry per column.

    Attributes
    ----------
    mean, stderr, low, high : (m,) arrays
    n, n_places : (m,) arrays of int
        Curves and places with a value.
    n_effective : (m,) array
        Independent places that would leave the same error.
    """

    mean: FloatArray
    stderr: FloatArray
    low: FloatArray
    high: FloatArray
    n: IntArray
    n_places: IntArray
    n_effective: FloatArray


def mean_interval(
    values: AnyArray,
    sample: Sampling,
    interval: str = "effective",
    level: float = 0.95,
    every: int = 1,
    neighbours: int = 1,
) -> Mean:
    """Mean of curves with the confidence interval of the mean, column by column.

    Repeats at a place are averaged first. What the potential explains (a cubic) is no scatter: the
    mean is that over the potentials at which curves were taken. With the mean correlation r of
    two places (see `correlation.pair_correlation`), ``1/n_eff = 1/n + r (n - 1)/n``; the scatter
    s^2 underestimates the variance by ``1 - r``, so that the squared standard error is
    ``s^2 / (n_eff (1 - r))``, and the interval is Student's with ``n_eff - 1`` degrees of freedom.

    For complex values it is the magnitude of the mean, which noise does not raise on average as
    it does the mean of magnitudes; its scatter is that along the mean. Where the mean is hardly
    larger than its error, the interval is that of Rice's distribution and reaches down to 0.

    Parameters
    ----------
    values : (n, m) array
        Real or complex; nan where there is none.
    sample : Sampling
        Of the same n curves.
    interval : {"effective", "naive"}
        "naive" takes all curves as independent.
    level : float
    every : int
        The correlation is found in every so many columns, and interpolated.
    neighbours : int
        Columns of these whose median is taken, where columns are distances of the same curves.

    Raises
    ------
    InvalidInput
    """
    if interval not in INTERVALS:
        raise InvalidInput(f"there is no interval {interval!r}: {', '.join(INTERVALS)}")
    if not 0.0 < level < 1.0:
        raise InvalidInput("the level of an interval lies between 0 and 1, as 0.95")
    n = np.isfinite(values).sum(0)
    naive = interval == "naive"
    units = values if naive else per_place(values, sample.place)
    finite = np.isfinite(units)
    count = finite.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(finite, units, 0.0).sum(0) / count
        around = units - mean
        size = np.abs(mean)
        if np.iscomplexobj(values):
            around = np.real(around * np.conj(mean) / np.where(size > 0, size, 1.0))
        left, powers = (around, 0) if naive else _without_trend(around, finite, sample.trend)
        together = np.zeros(values.shape[1])
        if not naive:
            together = _together(left, finite, sample.pairs, every, neighbours)
        freedom = count - 1 - powers
        scatter = np.where(finite, left, 0.0)
        variance = np.einsum("ij,ij->j", scatter, scatter) / np.where(freedom > 0, freedom, np.nan)
        effective = 1.0 / (1.0 / count + together * (count - 1) / count)
        stderr = np.sqrt(variance / (1.0 - together) / effective)
        t = stats.t.ppf(0.5 + level / 2.0, np.maximum(effective - 1.0 - powers, 1.0))
    effective = np.where(count > 0, effective, 0.0)
    if np.iscomplexobj(values):
        low, high = _rice(size, stderr, t, level)
        return Mean(
            mean=size, stderr=stderr, low=low, high=high, n=n, n_places=count, n_effective=effective
        )
    return Mean(
        mean=mean.real,
        stderr=stderr,
        low=mean - t * stderr,
        high=mean + t * stderr,
        n=n,
        n_places=count,
        n_effective=effective,
    )


def _without_trend(
    around: FloatArray, finite: AnyArray, trend: FloatArray
) -> tuple[FloatArray, int]:
    """Residuals of least squares on the trend, and how many functions it has."""
    powers = trend.shape[1]
    if not powers:
        return around, 0
    left = np.array(around)
    patterns, which = np.unique(finite, axis=1, return_inverse=True)
    for k in range(patterns.shape[1]):
        rows, columns = patterns[:, k], np.flatnonzero(which.reshape(-1) == k)
        if rows.sum() <= powers + 1:
            continue
        basis = np.linalg.qr(trend[rows] - trend[rows].mean(0))[0]
        y = around[np.ix_(rows, columns)]
        left[np.ix_(rows, columns)] = y - basis @ (basis.T @ y)
    return left, powers


def _together(
    left: FloatArray, finite: AnyArray, pairs: tuple[Lags, ...], every: int, neighbours: int
) -> FloatArray:
    """Mean correlation between two places, by column: the larger of that in space and time."""
    m = left.shape[1]
    together = np.zeros(m)
    some = np.unique(np.append(np.arange(0, m, max(every, 1)), m - 1)) if m else np.arange(0)
    some = some[finite[:, some].sum(0) >= 8]
    if not pairs or not len(some):
        return together
    part = np.where(finite[:, some], left[:, some], np.nan)
    at_some = np.max([pair_correlation(part, one) for one in pairs], axis=0)
    # One column alone is a rough estimate; its neighbours see the same places.
    at_some = median_filter(at_some, neighbours, mode="nearest")
    return np.asarray(np.interp(np.arange(m), some, at_some))


def _rice(
    size: FloatArray, stderr: FloatArray, t: FloatArray, level: float
) -> tuple[FloatArray, FloatArray]:
    """Interval of a magnitude, given that of its mean and the error along it."""
    ratio, low, high = _rice_table(level)
    normal = float(stats.norm.ppf(0.5 + level / 2.0))
    # Few degrees of freedom widen it as they widen Student's interval.
    unit = stderr * t / normal
    with np.errstate(invalid="ignore", divide="ignore"):
        x = size / unit
    finite = np.isfinite(x)
    x = np.where(finite, np.minimum(x, ratio[-1]), 0.0)
    far = size / np.where(unit > 0, unit, np.nan) >= ratio[-1]
    below, above = np.interp(x, ratio, low) * unit, np.interp(x, ratio, high) * unit
    reach = normal * unit
    return np.where(far, size - reach, below), np.where(far, size + reach, above)


@lru_cache(maxsize=8)
def _rice_table(level: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ends of the interval by the ratio of magnitude and error, both in units of the error.

    The ratio follows Rice's distribution; values are accepted in the order of their likelihood
    over the largest one (Feldman and Cousins 1998), which goes over from one-sided to two-sided by
    itself and never leaves an empty interval.
    """
    from scipy.special import ive

    ratio = np.arange(0.01, 14.0, 0.02)
    true = np.arange(0.0, 11.0, 0.02)
    likelihood = np.exp(-0.5 * (ratio - true[:, None]) ** 2) * ive(0, ratio * true[:, None])
    order = np.argsort(-likelihood / likelihood.max(0), axis=1)
    chance = np.take_along_axis(likelihood * ratio, order, axis=1)
    before = np.cumsum(chance, axis=1) - chance
    accepted = np.zeros(likelihood.shape, bool)
    np.put_along_axis(accepted, order, before < level * chance.sum(1, keepdims=True), axis=1)
    some = ratio < 8.0
    low = true[accepted[:, some].argmax(0)]
    high = true[len(true) - 1 - accepted[::-1, some].argmax(0)]
    return ratio[some], low, high
