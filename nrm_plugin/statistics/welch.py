"""Two groups of samples with few values each: Welch's test, effect sizes, Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from nrm_plugin.columns import FloatArray

#: Spread, as a part of the values, that is rounding and no spread.
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class MeanDifference:
    """Difference of two means, or mean of paired differences.

    Attributes
    ----------
    difference, stderr, low, high : float
    freedom : float
        Degrees of freedom.
    p : float
        Of no difference, two-sided.
    effect_size, effect_size_low, effect_size_high : float
        Hedges' g.
    """

    difference: float
    stderr: float
    low: float
    high: float
    freedom: float
    p: float
    effect_size: float
    effect_size_low: float
    effect_size_high: float


def welch(
    first: FloatArray, second: FloatArray, level: float = 0.95, *, added: float = 0.0
) -> MeanDifference | None:
    """Difference of the means of two groups whose spreads may differ.

    Welch, Biometrika 34, 28 (1947): Student's distribution with the degrees of freedom of
    Satterthwaite.

    Parameters
    ----------
    first, second : arrays
        One value per sample.
    level : float
        Of the intervals.
    added : float
        Variance of the difference that the spread of the values does not show, and that is known
        otherwise (with many degrees of freedom): calibrations that samples have in common.

    Returns
    -------
    MeanDifference or None
        None for fewer than two values in a group, or values without any spread.
    """
    if min(len(first), len(second)) < 2 or not _spread(first, second):
        return None
    parts = [float(np.var(group, ddof=1)) / len(group) for group in (first, second)]
    freedoms = [len(group) - 1.0 for group in (first, second)]
    return _difference(
        float(np.mean(first) - np.mean(second)),
        parts,
        freedoms,
        added,
        level,
        hedges(first, second, level),
    )


def paired(
    differences: FloatArray, level: float = 0.95, *, added: float = 0.0
) -> MeanDifference | None:
    """Mean of differences within samples; None for fewer than two, or without any spread."""
    n = len(differences)
    if n < 2 or not _spread(differences):
        return None
    spread = float(np.std(differences, ddof=1))
    mean = float(np.mean(differences))
    return _difference(
        mean,
        [spread**2 / n],
        [n - 1.0],
        added,
        level,
        _g(mean / spread, 1.0 / math.sqrt(n), n - 1.0, level),
    )


def _spread(*groups: FloatArray) -> bool:
    """Whether values of a group differ by more than rounding."""
    largest = max(float(np.abs(group).max()) for group in groups)
    return any(float(np.ptp(group)) > ROUNDING * largest for group in groups)


def _difference(
    mean: float,
    parts: Sequence[float],
    freedoms: Sequence[float],
    added: float,
    level: float,
    sizes: tuple[float, float, float],
) -> MeanDifference:
    variance = sum(parts) + added
    freedom = satterthwaite(parts, freedoms, added)
    stderr = math.sqrt(variance)
    reach = float(scipy.special.stdtrit(freedom, 0.5 + level / 2.0)) * stderr
    return MeanDifference(
        difference=mean,
        stderr=stderr,
        low=mean - reach,
        high=mean + reach,
        freedom=freedom,
        p=2.0 * float(scipy.special.stdtr(freedom, -abs(mean) / stderr)),
        effect_size=sizes[0],
        effect_size_low=sizes[1],
        effect_size_high=sizes[2],
    )


def satterthwaite(parts: Sequence[float], freedoms: Sequence[float], added: float = 0.0) -> float:
    """Degrees of freedom of a sum of estimated variances and of one that is known."""
    known = sum(part**2 / freedom for part, freedom in zip(parts, freedoms, strict=True))
    return (sum(parts) + added) ** 2 / known


def hedges(
    first: FloatArray, second: FloatArray, level: float = 0.95
) -> tuple[float, float, float]:
    """Hedges' g of two groups with its interval.

    The difference of means in units of the pooled standard deviation, times the factor that makes
    it unbiased (Hedges, J. Educ. Stat. 6, 107, 1981); the interval is that of the noncentral t
    distribution, exact for normal values of equal spread.
    """
    n, m = len(first), len(second)
    freedom = n + m - 2.0
    pooled = ((n - 1) * np.var(first, ddof=1) + (m - 1) * np.var(second, ddof=1)) / freedom
    d = float((np.mean(first) - np.mean(second)) / np.sqrt(pooled))
    return _g(d, math.sqrt(1.0 / n + 1.0 / m), freedom, level)


def _g(d: float, per_t: float, freedom: float, level: float) -> tuple[float, float, float]:
    """Hedges' g and its interval, from a standardized difference: `per_t` times Student's t."""
    gamma = scipy.special.gammaln
    factor = (
        math.exp(gamma(freedom / 2.0) - gamma((freedom - 1.0) / 2.0)) / math.sqrt(freedom / 2.0)
        if freedom > 1.0
        else 0.0
    )
    t = d / per_t
    tail = (1.0 - level) / 2.0
    low, high = (_noncentrality(abs(t), freedom, probability) for probability in (1.0 - tail, tail))
    if t < 0.0:
        low, high = -high, -low
    return factor * d if factor else math.nan, low * per_t, high * per_t


def _noncentrality(t: float, freedom: float, probability: float) -> float:
    """Noncentrality at which values below t have this probability."""

    def beyond(shift: float) -> float:
        return float(scipy.special.nctdtr(freedom, shift, t)) - probability

    # Where t is not negative, neither end is below what belongs to t = 0.
    least = min(float(scipy.special.ndtri(1.0 - probability)), 0.0) - 1.0
    most = t + 10.0
    while most < 1e4 and beyond(most) > 0.0:
        most *= 2.0
    if not (beyond(least) > 0.0 > beyond(most)):
        return math.nan
    return float(scipy.optimize.brentq(beyond, least, most, xtol=1e-6))


def holm(p: Sequence[float]) -> list[float]:
    """Probabilities corrected for their number (Holm, Scand. J. Stat. 6, 65, 1979).

    Rejecting what is at most 5 % rejects any true hypothesis in at most 5 % of studies.
    """
    order = np.argsort(np.asarray(p, np.float64), kind="stable")
    corrected = np.empty(len(p))
    largest = 0.0
    for rank, number in enumerate(order):
        largest = max(largest, min((len(p) - rank) * float(p[number]), 1.0))
        corrected[number] = largest
    return [float(one) for one in corrected]
