"""One value from many: a mean whose standard error holds the scatter within and between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from nrm_plugin.calibration import CalibrationFailed
from nrm_plugin.columns import FloatArray

#: Values farther than this many robust standard deviations (more if they are few) from the median
#: are left out; from how many values on their scatter alone says how sure the mean is.
_FAR, _SCATTER_FROM = 5.0, 3

#: Half of the 95 % interval of the normal distribution, in standard errors.
_TWO_SIDED = 1.959964


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """A mean over curves.

    Attributes
    ----------
    mean, stderr : float
        The mean lies within 1.96 standard errors of the truth in 95 % of cases, however few values
        there are.
    least : float
        Standard error if there were no scatter between the values.
    within, between : float
        Median standard error of a single value; standard deviation of the values beyond it.
    outliers : int
        Values left out.
    """

    mean: float
    stderr: float
    least: float
    within: float
    between: float
    outliers: int


def pool(values: FloatArray, variances: FloatArray) -> Pooled:
    """Mean of values with variances of their own and an unknown scatter besides.

    The random-effects model: each value has its own variance plus one common to all, which is
    estimated as Paule & Mandel (J. Res. NBS 87, 377 (1982)) do. From three values on, the standard
    error comes from how the values scatter, whatever the cause (Hartung & Knapp, Stat. Med. 20,
    3875 (2001)); of fewer, from their own variances and the common one. It is widened by Student's
    factor over the normal distribution's.

    Parameters
    ----------
    values, variances : (n,) arrays
        n of at least 1; variances above 0.
    """
    middle = float(np.median(values))
    typical = float(np.median(variances))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    far = _FAR * (1.0 + 6.0 / len(values))
    keep = np.abs(values - middle) <= far * np.sqrt(np.maximum(max(spread**2, typical), variances))
    # A curve whose own variance comes out small by chance must not weigh more.
    x, v = values[keep], np.maximum(variances[keep], typical)
    between = _between(x, v)
    weights = 1.0 / (v + between)
    mean = float(weights @ x / weights.sum())
    variance = 1.0 / float(weights.sum())
    freedom = 1e9
    if len(x) >= _SCATTER_FROM:
        variance *= float(weights @ (x - mean) ** 2) / (len(x) - 1)
        freedom = len(x) - 1
    elif between > 0.0:
        share = between / (between + float(v.mean()))
        freedom = (len(x) - 1) / share**2
    return Pooled(
        mean=mean,
        stderr=widening(freedom) * float(np.sqrt(variance)),
        least=float(1.0 / np.sqrt(np.sum(1.0 / v))),
        within=float(np.sqrt(typical)),
        between=float(np.sqrt(between)),
        outliers=int((~keep).sum()),
    )


def _between(x: FloatArray, v: FloatArray) -> float:
    """Variance for which the weighted squares about the mean add up to n - 1."""
    n = len(x)

    def excess(tau: float) -> float:
        w = 1.0 / (v + tau)
        return float(w @ (x - w @ x / w.sum()) ** 2) - (n - 1)

    if n < 2 or excess(0.0) <= 0.0:
        return 0.0
    # A variance of n times that of the values is too large: it makes less than 1 of the squares.
    low, high = 0.0, max(float(np.var(x)) * n, float(v.max()))
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    return 0.5 * (low + high)


def mean_and_error(values: FloatArray) -> tuple[float, float]:
    """Mean of repeats and its standard error from their scatter.

    The standard error is widened by Student's t, so that 1.96 of them are a 95 % interval for
    any number of repeats.

    Parameters
    ----------
    values : (n,) array
        At least two.

    Raises
    ------
    CalibrationFailed
        With fewer.
    """
    n = len(values)
    if n < 2:
        raise CalibrationFailed("one value has no scatter: at least two curves or lines are needed")
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(n)) * widening(n - 1)


def widening(freedom: float) -> float:
    """Student's t over the normal distribution's width, for an interval of 95 %.

    Parameters
    ----------
    freedom : float
        Degrees of freedom.
    """
    return float(stdtrit(freedom, 0.975)) / _TWO_SIDED
