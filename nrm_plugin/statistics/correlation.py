"""How strongly neighbouring places resemble each other, and what that leaves of their number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from nrm_plugin.columns import FloatArray, IntArray

#: Pairs of neighbours and pairs of any distance that are looked at.
_NEAR, _FAR = 60_000, 40_000

#: Distances from which mean correlations are found.
_DISTANCES = 2_000_000

#: Correlation lengths that are tried, and the largest one as a part of the extent.
_LENGTHS, _LONGEST = 32, 1.0 / 3.0

#: Lags up to this part of the extent are looked at: beyond, few pairs are independent.
_REACH = 0.5

_BINS = 16

#: Exponents of the models ``exp(-(d / l)**p)``: rough fields, and smooth ones.
_EXPONENTS = (1.0, 2.0)

#: A correlation must take away so much of the misfit of none to be believed: on maps without one,
#: intervals would otherwise be wider than they need be.
_WORTH = 1.0 / 4.0

#: ... and be so many times as large as products of independent pairs are by chance.
_SIGNIFICANT = 1.6

#: The smooth model sums up to less: it must leave less than this part of the rough one's misfit.
_SMOOTHER = 0.5


@dataclass(frozen=True, kw_only=True)
class Lags:
    """Pairs of points by their distance in space or time.

    Attributes
    ----------
    first, second : (k,) arrays of int
        Points of every pair, ordered by bin.
    begin : (b,) array of int
        Where the pairs of every bin begin.
    lag : (b,) array
        Mean distance of each bin's pairs.
    lengths : (l,) array
        Correlation lengths that are tried.
    pair_mean : (2, l) array
        Mean of ``exp(-(distance / length)**p)`` over all pairs of different points, for rough
        (p = 1) and smooth fields (p = 2).
    """

    first: IntArray
    second: IntArray
    begin: IntArray
    lag: FloatArray
    lengths: FloatArray
    pair_mean: FloatArray


def lags(points: FloatArray, seed: int = 0) -> Lags | None:
    """Sort pairs of points by distance; None where there is too little to see a correlation.

    Parameters
    ----------
    points : (n, d) array
        Positions in m, or times in s; finite.
    """
    n = len(points)
    if n < 8:
        return None
    rng = np.random.default_rng(seed)
    tree = scipy.spatial.cKDTree(points)
    nearest = np.asarray(tree.query(points, 2)[0])[:, 1]
    extent = float(np.ptp(points, axis=0).max())
    spacing = float(np.median(nearest[nearest > 0])) if (nearest > 0).any() else 0.0
    if not (0.0 < spacing < extent / 4.0):
        return None
    first, second = _pairs(tree, points, spacing, rng)
    away = _distance(points, first, second)
    longest = _REACH * extent
    keep = away <= longest
    first, second, away = first[keep], second[keep], away[keep]
    edges = np.concatenate([[0.0], np.geomspace(1.2 * spacing, longest * (1 + 1e-9), _BINS)])
    which = np.searchsorted(edges, away, side="right") - 1
    order = np.argsort(which, kind="stable")
    present, begin = np.unique(which[order], return_index=True)
    if len(present) < 4:
        return None
    counts = np.diff(np.append(begin, len(order)))
    lag = np.add.reduceat(away[order], begin) / counts
    lengths = np.geomspace(0.3 * spacing, _LONGEST * extent, _LENGTHS)
    return Lags(
        first=first[order],
        second=second[order],
        begin=begin,
        lag=lag,
        lengths=lengths,
        pair_mean=_pair_means(points, lengths, rng),
    )


def _distance(points: FloatArray, first: IntArray, second: IntArray) -> FloatArray:
    return np.asarray(np.sqrt(np.sum((points[first] - points[second]) ** 2, axis=1)))


def _pairs(
    tree: scipy.spatial.cKDTree, points: FloatArray, spacing: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """All pairs of few points; of many, pairs of near neighbours and pairs at random."""
    n = len(points)
    if n * (n - 1) // 2 <= _NEAR + _FAR:
        first, second = np.triu_indices(n, 1)
        return first, second
    neighbours = min(24, n - 1)
    some = rng.choice(n, min(n, _NEAR // neighbours), replace=False)
    nearby = tree.query(points[some], neighbours + 1)
    away, other = np.asarray(nearby[0]), np.asarray(nearby[1], np.int64)
    reach = float(np.median(away[:, -1]))
    near = (away > 0) & (away <= reach)
    first, second = np.broadcast_to(some[:, None], other.shape)[near], other[near]
    a, b = rng.integers(0, n, (2, _FAR))
    far = _distance(points, a, b) > reach
    return np.concatenate([first, a[far]]), np.concatenate([second, b[far]])


def _pair_means(points: FloatArray, lengths: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Mean correlation of all pairs of different points, for every model and length."""
    n = len(points)
    some = rng.choice(n, min(n, max(1, _DISTANCES // n)), replace=False)
    unit = lengths[0] / 20.0
    counts = np.zeros(0, np.int64)
    for block in np.array_split(some, max(1, len(some) * n // 500_000)):
        away = np.sqrt(
            sum((points[block, k][:, None] - points[:, k]) ** 2 for k in range(points.shape[1]))
        )
        # Finer than any length where it matters, coarser far away.
        bins = np.asarray(np.log1p(away / unit) * 100.0, np.int64)
        new = np.bincount(bins.ravel(), minlength=len(counts))
        new[: len(counts)] += counts
        counts = new
    counts[0] -= len(some)  # every point with itself
    centre = unit * np.expm1((np.arange(len(counts)) + 0.5) / 100.0)
    centre[0] = 0.0
    weight = counts / counts.sum()
    ratio = centre / lengths[:, None]
    return np.stack([np.exp(-(ratio**p)) @ weight for p in _EXPONENTS])


def pair_correlation(values: FloatArray, pairs: Lags) -> FloatArray:
    """Mean correlation between two different points, column by column.

    A nugget and an exponential or a Gaussian (``c0 + c1 (1 - exp(-(d / l)**p))``, p = 1 or 2) are
    fitted to two variograms: of the normal scores, which no outlier rules, and of the values
    themselves. If the field is any function of a normal one, scores have the larger correlation
    (Lancaster 1957); phases that scatter each by themselves are no such function, and values have
    it. The larger of the two counts, where scores show any.

    Parameters
    ----------
    values : (n, m) array
        nan where there is none.

    Returns
    -------
    (m,) array
        0 where no correlation can be seen.
    """
    of_scores = _fitted(*variogram(normal_scores(values), pairs), pairs)
    correlated = of_scores > 0.0
    if correlated.any():
        some = values[:, correlated]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            spread = np.sqrt(np.nanmean(some**2, axis=0))
            of_values = _fitted(*variogram(some / spread, pairs), pairs)
        of_scores[correlated] = np.fmax(of_scores[correlated], of_values)
    return of_scores


def normal_scores(values: FloatArray) -> FloatArray:
    """Normal quantiles of the ranks in each column, scaled to variance 1."""
    finite = np.isfinite(values)
    n = finite.sum(0)
    ranks = np.apply_along_axis(_ranks, 0, np.where(finite, values, np.inf))
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = scipy.special.ndtri((ranks - 0.5) / n)
        scores[~finite] = np.nan
        scores /= np.sqrt(np.nanmean(scores**2, axis=0)) if len(scores) else 1.0
    return np.asarray(scores)


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1, their mean where values are tied; `scipy.stats` takes a second to import."""
    order = np.argsort(values)
    ordered = values[order]
    begin = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(values)])
    count = np.diff(np.append(begin, len(values)))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(begin + 0.5 * (count + 1), count)
    return ranks


def variogram(scores: FloatArray, pairs: Lags) -> tuple[FloatArray, FloatArray]:
    """Half the mean squared difference, and how many pairs there are, by bin and column."""
    m = scores.shape[1]
    gamma = np.full((len(pairs.begin), m), np.nan)
    counts = np.zeros((len(pairs.begin), m))
    ends = np.append(pairs.begin[1:], len(pairs.first))
    whole = bool(np.isfinite(scores).all())
    for b, (a, e) in enumerate(zip(pairs.begin, ends, strict=True)):
        differ = scores[pairs.first[a:e]] - scores[pairs.second[a:e]]
        if whole:
            gamma[b], counts[b] = np.einsum("ij,ij->j", differ, differ) / (2 * (e - a)), e - a
            continue
        finite = np.isfinite(differ)
        counts[b] = finite.sum(0)
        differ[~finite] = 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            gamma[b] = np.einsum("ij,ij->j", differ, differ) / (2.0 * counts[b])
    return gamma, counts


def _fitted(gamma: FloatArray, counts: FloatArray, pairs: Lags) -> FloatArray:
    """Mean correlation of the fitted model, 0 where a nugget alone fits as well.

    Of a variogram of values of variance 1.
    """
    weight = np.sqrt(np.where(np.isfinite(gamma), counts, 0.0))
    y = np.nan_to_num(gamma)
    total = weight.sum(0)
    total[total == 0] = 1.0
    level = (weight * y).sum(0) / total
    flat = (weight * (y - level) ** 2).sum(0)
    rough, smooth = (
        _best(y, weight, level, pairs.lag, exponent, pairs.lengths, means)
        for exponent, means in zip(_EXPONENTS, pairs.pair_mean, strict=True)
    )
    left, correlation, significance = np.where(smooth[0] < _SMOOTHER * rough[0], smooth, rough)
    there = (left < (1.0 - _WORTH) * flat) & (significance > _SIGNIFICANT)
    return np.where(there, correlation, 0.0)


def _best(
    y: FloatArray,
    weight: FloatArray,
    level: FloatArray,
    lag: FloatArray,
    exponent: float,
    lengths: FloatArray,
    pair_mean: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Misfit, mean correlation and significance of the best length of one model, by column."""
    total = weight.sum(0)
    total[total == 0] = 1.0
    pairs = weight**2
    best = np.full(y.shape[1], np.inf)
    correlation, significance = np.zeros((2, y.shape[1]))
    for length, mean in zip(lengths, pair_mean, strict=True):
        alike = np.exp(-((lag / length) ** exponent))[:, None]
        f = 1.0 - alike
        f_mean = (weight * f).sum(0) / total
        ff = (weight * (f - f_mean) ** 2).sum(0)
        fy = (weight * (f - f_mean) * (y - level)).sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = np.maximum(np.where(ff > 0, fy / ff, 0.0), 0.0)
            nugget = level - slope * f_mean
            # Through the origin where the nugget would be negative.
            through = (weight * f * y).sum(0) / (weight * f * f).sum(0)
            slope = np.where(nugget < 0.0, through, slope)
            nugget = np.maximum(nugget, 0.0)
            left = (weight * (y - nugget - slope * f) ** 2).sum(0)
            share = slope / (slope + nugget)
            chance = np.sqrt((pairs * alike**2).sum(0))
            times = (pairs * alike * (1.0 - y)).sum(0) / chance
        better = left < best
        best = np.where(better, left, best)
        significance = np.where(better, np.nan_to_num(times), significance)
        correlation = np.where(better, np.nan_to_num(share * mean), correlation)
    return best, correlation, significance
