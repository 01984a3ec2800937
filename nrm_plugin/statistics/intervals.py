"""The mean of curves that are no independent samples, and its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import scipy
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.correlation import Lags, lags, pair_correlation
from nrm_plugin.statistics.repeats import per_place, places, positions, times
from nrm_plugin.statistics.revisits import Revisits, between_visits, revisits_of
from nrm_plugin.statistics.selection import Analysis, analysis_of, column
from nrm_plugin.statistics.stripes import Grid, between_lines, grid_of

#: Below this effective number an interval deserves a warning.
FEW = 10.0

#: Below so many effective places, intervals at 95 % hold this part of the truths in tests.
_TESTED = ((6.0, 0.83), (FEW, 0.88))

#: What no interval of one map holds; reports say it wherever they show intervals of means.
NOT_IN_IT = "a gain that drifts from line to line is not in the interval of one map"

#: How an interval can be made.
INTERVALS = ("effective", "naive")

#: Powers of the potential that are taken out before scatter and correlation are looked at.
_TREND = 3

#: Values that are looked at together: copies in double precision are made of no more.
_TOGETHER = 1 << 19

#: Places per power of the potential, at least.
_PLACES_PER_POWER = 10


#: Values below which skewness is not known.
_SKEWED = 5

#: Largest skewness of a mean, per three standard errors, that the interval follows.
_STEEPEST = 0.5


@dataclass(frozen=True, kw_only=True)
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
    grid : Grid, optional
        Rows and columns of the places, where they are a grid.
    revisits : Revisits, optional
        Places that were visited again, where there are enough.
    """

    place: IntArray
    one_place: bool
    trend: FloatArray
    pairs: tuple[Lags, ...]
    grid: Grid | None = None
    revisits: Revisits | None = None

    @property
    def n_places(self) -> int:
        """Number of units that are averaged."""
        return int(self.place.max(initial=-1)) + 1


def sampling(results: xr.Dataset | Analysis, curves: IntArray) -> Sampling:
    """Find out how curves sample the surface and the time."""
    analysis = analysis_of(results)
    return analysis.once(
        ("sampling", curves.tobytes()), lambda: _sampling(analysis.results, curves)
    )


def _sampling(results: xr.Dataset, curves: IntArray) -> Sampling:
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
    return Sampling(
        place=place,
        one_place=one_place,
        trend=_powers(table[:, 3]),
        pairs=tuple(pairs),
        grid=None if one_place else grid_of(results, curves, place),
        revisits=None if one_place else revisits_of(results, curves, place),
    )


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
    coverage : (m,) array
        What intervals of so few independent places hold in tests at a level of 95 %; nan where it
        is 90 % or more (see `tested_coverage`).
    """

    mean: FloatArray
    stderr: FloatArray
    low: FloatArray
    high: FloatArray
    n: IntArray
    n_places: IntArray
    n_effective: FloatArray
    coverage: FloatArray

    def divided_by(self, divisor: float) -> Mean:
        """Mean of values that are smaller by this factor."""
        scaled = {name: getattr(self, name) / divisor for name in ("mean", "stderr", "low", "high")}
        return replace(self, **scaled)


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
    ``s^2 / (n_eff (1 - r))``; what lines of a map have in common (`stripes.between_lines`), or
    what places that are visited again tell of a drifting gain (`revisits.between_visits`), is
    added. The interval is Student's with ``n_eff - 1`` degrees of freedom (Satterthwaite's with
    both parts), skewed as the values are by Hall's transformation (J. R. Stat. Soc. B 54, 221,
    1992).

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
    m = values.shape[1]
    double = np.result_type(values.dtype, np.float64)
    n, count, mean = np.zeros(m, int), np.zeros(m, int), np.zeros(m, double)
    square, cube = np.zeros(m), np.zeros(m)
    naive = interval == "naive"
    trend = sample.trend[:, :0] if naive else sample.trend
    compared = np.zeros(m, bool)  # columns in which the correlation is found
    if not naive and (sample.pairs or sample.grid or sample.revisits) and m:
        compared[:: max(every, 1)] = compared[-1] = True
    # Correlation, variance from line to line, and one over its degrees of freedom.
    common = np.zeros((3, m))
    columns = max(1, _TOGETHER // max(len(values), 1))
    for first in range(0, m, columns):
        at = slice(first, first + columns)
        units = np.asarray(values[:, at], double)
        n[at] = np.isfinite(units).sum(0)
        units = units if naive else per_place(units, sample.place)
        finite = np.isfinite(units)
        count[at] = finite.sum(0)
        compared[at] &= count[at] >= 8
        mean[at], around = _around(units, finite)
        left = _without_trend(around, finite, trend)
        square[at] = np.einsum("ij,ij->j", left, left)
        if not naive:
            cube[at] = np.einsum("ij,ij,ij->j", left, left, left)
        some = compared[at]
        if some.any():
            common[:, first + np.flatnonzero(some)] = _in_common(
                left[:, some], finite[:, some], square[at][some], sample
            )
            if sample.revisits is not None:
                part = first + np.flatnonzero(some)
                _add_drift(common, part, values[:, part], mean[part], square[part], sample.revisits)
    if compared.any():
        # One column alone is a rough estimate; its neighbours see the same places.
        known = np.flatnonzero(compared)
        for one in common:
            smooth = scipy.ndimage.median_filter(one[compared], neighbours, mode="nearest")
            one[:] = np.interp(np.arange(m), known, smooth)
    together, lines, of_lines = common
    powers = trend.shape[1]
    size = np.abs(mean)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        freedom = count - 1 - powers
        variance = square / np.where(freedom > 0, freedom, np.nan)
        of_field = 1.0 / count + together * (count - 1) / count
        lines = lines * freedom * (1.0 - together)
        effective = 1.0 / (of_field + lines)
        stderr = np.sqrt(variance / (1.0 - together) / effective)
        independent = np.maximum(1.0 / of_field - 1.0 - powers, 1.0)
        independent = (of_field + lines) ** 2 / (of_field**2 / independent + lines**2 * of_lines)
        t = scipy.special.stdtrit(np.maximum(independent, 1.0), 0.5 + level / 2.0)
        skewness = _skewness(square, cube, count)
        below, above = _skewed(t, skewness / np.sqrt(effective))
    effective = np.where(count > 0, effective, 0.0)
    if np.iscomplexobj(values):
        low, high = _rice(size, stderr, t, level, below / t, above / t)
    else:
        low, high = mean - below * stderr, mean + above * stderr
    return Mean(
        mean=size if np.iscomplexobj(values) else mean.real,
        stderr=stderr,
        low=low,
        high=high,
        n=n,
        n_places=count,
        n_effective=effective,
        coverage=tested_coverage(effective),
    )


def _in_common(
    left: FloatArray, finite: AnyArray, square: FloatArray, sample: Sampling
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Correlation of places; of lines the variance of the mean per `square`, and 1/freedom."""
    correlation, lines, of_lines = np.zeros((3, left.shape[1]))
    if sample.pairs:
        part = np.where(finite, left, np.nan)
        correlation = np.max([pair_correlation(part, one) for one in sample.pairs], axis=0)
    if sample.grid is not None:
        lines, freedom = between_lines(left, finite, sample.grid)
        with np.errstate(invalid="ignore", divide="ignore"):
            lines, of_lines = np.where(square > 0, lines / square, 0.0), 1.0 / freedom
    return correlation, lines, of_lines


def _add_drift(
    common: FloatArray,
    part: IntArray,
    values: AnyArray,
    mean: AnyArray,
    square: FloatArray,
    revisits: Revisits,
) -> None:
    """Put what visits differ by in the place of what lines differ by, where it is more."""
    if np.iscomplexobj(values):
        values = np.real(values * np.conj(mean) / np.where(mean == 0, 1.0, np.abs(mean)))
    drift, freedom = between_visits(np.asarray(values, np.float64), revisits)
    with np.errstate(invalid="ignore", divide="ignore"):
        drift = np.where(square > 0, drift / square, 0.0)
    more = drift > common[1, part]
    common[1, part[more]], common[2, part[more]] = drift[more], 1.0 / freedom[more]


def tested_coverage(effective: FloatArray) -> FloatArray:
    """How often intervals at 95 % of so few places hold the truth in tests; nan where 90 % or more.

    Of lognormal values (1.2), which few curves tell least of, and on the average of maps of coarse
    structures (``benchmarks/coverage_of_means.py``).
    """
    coverage = np.full(len(effective), np.nan)
    for below, tested in reversed(_TESTED):
        coverage[(effective > 0) & (effective < below)] = tested
    return coverage


def approximate(coverage: float) -> str:
    """Words for an interval that holds less than it says."""
    return f"approximate: tested coverage {100 * coverage:.0f} %"


def _skewness(square: FloatArray, cube: FloatArray, count: IntArray) -> FloatArray:
    """Skewness of values, corrected for their number; 0 of few."""
    skewness = np.sqrt(count) * cube / np.where(square > 0, square, np.inf) ** 1.5
    corrected = skewness * np.sqrt(count * (count - 1.0)) / (count - 2.0)
    return np.where((count >= _SKEWED) & np.isfinite(corrected), corrected, 0.0)


def _skewed(t: FloatArray, skewness: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Reach of the interval below and above the mean, in standard errors (Hall 1992).

    ``((1 + b T)**3 - 1) / (3 b) + b / 2`` with b a third of the mean's skewness is distributed
    as Student's t where T = (mean - truth) / stderr is not.
    """
    b = np.clip(skewness / 3.0, -_STEEPEST, _STEEPEST)
    straight = np.abs(b) < 1e-6
    some = np.where(straight, 1.0, b)

    def ratio(x: FloatArray) -> FloatArray:
        return np.where(straight, x, (np.cbrt(1.0 + 3.0 * some * (x - some / 2.0)) - 1.0) / some)

    return ratio(t), -ratio(-t)


def _around(units: AnyArray, finite: AnyArray) -> tuple[AnyArray, FloatArray]:
    """Mean of every column, and what is left; of complex values the part along the mean."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(finite, units, 0.0).sum(0) / finite.sum(0)
        around = units - mean
        if np.iscomplexobj(units):
            size = np.abs(mean)
            around = np.real(around * np.conj(mean) / np.where(size > 0, size, 1.0))
    return mean, np.where(finite, around, 0.0)


def _without_trend(around: FloatArray, finite: AnyArray, trend: FloatArray) -> FloatArray:
    """Residuals of least squares on the trend; 0 where there are no values."""
    powers, m = trend.shape[1], around.shape[1]
    if not powers or not m:
        return around
    left = np.array(around)
    # Neighbouring columns mostly have values in the same rows.
    begin = np.append(0, 1 + np.flatnonzero((finite[:, 1:] != finite[:, :-1]).any(0)))
    for a, b in zip(begin, np.append(begin[1:], m), strict=True):
        rows = finite[:, a]
        if rows.sum() <= powers + 1:
            continue
        centred = np.where(rows[:, None], trend - trend[rows].mean(0), 0.0)
        basis = np.linalg.qr(centred)[0]
        left[:, a:b] -= basis @ (basis.T @ around[:, a:b])
    return left


def _rice(
    size: FloatArray,
    stderr: FloatArray,
    t: FloatArray,
    level: float,
    skew_below: FloatArray,
    skew_above: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Interval of a magnitude, given that of its mean and the error along it.

    Both ends are as many times farther than without skewness as those of the mean are, the lower
    one the less so the nearer it is to 0.
    """
    ratio, low, high = _rice_table(level)
    normal = float(scipy.special.ndtri(0.5 + level / 2.0))
    # Few degrees of freedom widen it as they widen Student's interval.
    unit = stderr * t / normal
    with np.errstate(invalid="ignore", divide="ignore"):
        x = size / unit
    finite = np.isfinite(x)
    x = np.where(finite, np.minimum(x, ratio[-1]), 0.0)
    far = size / np.where(unit > 0, unit, np.nan) >= ratio[-1]
    below, above = np.interp(x, ratio, low) * unit, np.interp(x, ratio, high) * unit
    reach = normal * unit
    below, above = np.where(far, size - reach, below), np.where(far, size + reach, above)
    with np.errstate(invalid="ignore", divide="ignore"):
        clear = np.where(size > 0, below / size, 0.0)
    skew_below = 1.0 + clear * (skew_below - 1.0)
    return np.maximum(size - (size - below) * skew_below, 0.0), size + (above - size) * skew_above


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
