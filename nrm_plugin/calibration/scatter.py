"""Mean of a few repeats with an error that holds for a few, too."""

from __future__ import annotations

import numpy as np

from nrm_plugin.calibration.estimate import CalibrationFailed
from nrm_plugin.columns import FloatArray

#: Half of the 95 % interval of the normal distribution, in standard errors.
_TWO_SIDED = 1.959964


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


def widening(freedom: int) -> float:
    """Student's t over the normal distribution's width, for an interval of 95 %.

    Parameters
    ----------
    freedom : int
        Degrees of freedom.
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975)) / _TWO_SIDED
