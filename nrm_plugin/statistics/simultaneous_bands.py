"""Bands that hold a whole profile of differences at once, of a handful of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.statistics.welch import ROUNDING

#: Studies without a difference that are simulated, and distances in each of them.
_STUDIES, _DISTANCES = 2000, 20

_SEED = 20


@dataclass(frozen=True, kw_only=True)
class Band:
    """Difference of mean profiles, an entry per distance; nan where there is none.

    Attributes
    ----------
    difference : array
    low, high : arrays
        Ends that hold the truth at all distances at once.
    low_here, high_here : arrays
        Ends that hold it at each distance alone.
    """

    difference: FloatArray
    low: FloatArray
    high: FloatArray
    low_here: FloatArray
    high_here: FloatArray


def band(
    groups: Sequence[FloatArray], level: float = 0.95, *, added: float | FloatArray = 0.0
) -> Band:
    """Band of the difference of two groups of profiles, or of the mean of one group.

    Max-t, in the form of the smallest p: studies without a difference are simulated, with as many
    samples, with profiles that are correlated over distances as the residuals of the samples are,
    and Welch's test is made at every distance. The interval at each distance is Welch's at the
    level that 95 % of the smallest p of the studies exceed (Westfall and Young 1993). With so few
    samples a correlation between two distances is hardly known; so it is averaged over all pairs
    that are as far apart.

    Parameters
    ----------
    groups : one or two (n, m) arrays
        Profiles of samples at equal steps; two groups are first minus second, one is of paired
        differences. nan where a sample has no value: there is no band there.
    level : float
    added : float or (m,) array
        Variance of the difference that the spread does not show.

    Returns
    -------
    Band
        Without ends where a group has fewer than two samples, or samples do not differ.
    """
    m = groups[0].shape[1]
    means = [_mean(one) for one in groups]
    difference = means[0] - means[1] if len(groups) > 1 else means[0]
    none = np.full(m, np.nan)
    there = np.flatnonzero(np.isfinite(difference))
    if min(len(one) for one in groups) < 2 or not len(there):
        return Band(difference=difference, low=none, high=none, low_here=none, high_here=none)
    inside = [one[:, there] for one in groups]
    stderr, freedom = _error(inside, np.broadcast_to(added, m)[there])
    spread = stderr > ROUNDING * max(float(np.abs(one).max()) for one in inside)
    least = (
        smallest_p([one[:, spread] for one in inside], there[spread], 1.0 - level)
        if spread.any()
        else 1.0 - level
    )
    ends = []
    for chance in (least, 1.0 - level):
        reach = np.full(m, np.nan)
        reach[there[spread]] = (
            scipy.special.stdtrit(freedom[spread], 1.0 - chance / 2.0) * stderr[spread]
        )
        ends += [difference - reach, difference + reach]
    return Band(
        difference=difference, low=ends[0], high=ends[1], low_here=ends[2], high_here=ends[3]
    )


def _mean(group: FloatArray) -> FloatArray:
    """Mean where all samples have a value."""
    return np.asarray(group.mean(0)) if len(group) else np.full(group.shape[1], np.nan)


def _error(
    groups: Sequence[FloatArray], added: float | FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Standard error and degrees of freedom (Satterthwaite) at every distance; last axis."""
    parts = [one.var(-2, ddof=1) / one.shape[-2] for one in groups]
    known = sum(part**2 / (one.shape[-2] - 1) for part, one in zip(parts, groups, strict=True))
    variance = np.asarray(sum(parts) + added)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(variance), np.where(known > 0.0, variance**2 / known, np.inf)


def smallest_p(groups: Sequence[FloatArray], places: IntArray, part: float) -> float:
    """Value that the smallest p of a profile falls below in this part of studies without effect.

    Parameters
    ----------
    groups : one or two (n, m) arrays
        Profiles of samples.
    places : (m,) array
        Numbers of their distances, in equal steps.
    part : float
    """
    every = max(1, -(-len(places) // _DISTANCES))
    thin = [one[:, ::every] for one in groups]
    mixing = _mixing(thin, np.asarray(places[::every]))
    drawn = _draws(sum(len(one) for one in thin), mixing.shape[0]) @ mixing.T
    first = len(thin[0])
    made = [drawn[:, :first], drawn[:, first:]][: len(thin)]
    least = 1.0
    for spread in _spreads(thin):
        scaled = [one * factor for one, factor in zip(made, spread, strict=True)]
        stderr, freedom = _error(scaled, 0.0)
        shift = scaled[0].mean(1) - (scaled[1].mean(1) if len(scaled) > 1 else 0.0)
        p = 2.0 * scipy.special.stdtr(freedom, -np.abs(shift) / stderr)
        least = min(least, float(np.quantile(p.min(1), part)))
    return min(least, part)


def _spreads(groups: Sequence[FloatArray]) -> list[tuple[float, ...]]:
    """Spreads of the groups in simulated studies: alike, and as they are."""
    if len(groups) < 2:
        return [(1.0,)]
    own = tuple(float(np.sqrt(one.var(0, ddof=1).mean())) for one in groups)
    return [(1.0, 1.0), own] if min(own) > 0.0 else [(1.0, 1.0)]


def _mixing(groups: Sequence[FloatArray], places: IntArray) -> FloatArray:
    """Root of the correlation matrix of distances, by the residuals of samples."""
    residuals = np.concatenate([one - one.mean(0) for one in groups])
    size = np.sqrt(np.sum(residuals**2, axis=0))
    unit = residuals / np.where(size > 0.0, size, 1.0)
    product = unit.T @ unit
    apart = np.abs(places[:, None] - places)
    which = np.unique(apart, return_inverse=True)[1].reshape(apart.shape)
    mean = np.bincount(which.ravel(), product.ravel()) / np.bincount(which.ravel())
    mean[0] = 1.0
    values, vectors = np.linalg.eigh(mean[which])
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(root / np.sqrt(np.sum(root**2, axis=1))[:, None])


@lru_cache(maxsize=4)
def _draws(samples: int, distances: int) -> FloatArray:
    return np.random.default_rng(_SEED).standard_normal((_STUDIES, samples, distances))
