"""Mean profiles of many curves with the confidence interval of the mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import stats

from nrm_plugin.columns import AnyArray
from nrm_plugin.statistics.selection import LEFT_OUT, one_direction, select, signal

#: Below this effective number of curves an interval deserves a warning.
FEW = 10.0


def mean_profile(
    results: xr.Dataset,
    variable: str = "shear_modulus_magnitude",
    curves: Sequence[int] | AnyArray | None = None,
    interval: str = "effective",
    level: float = 0.95,
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
) -> xr.Dataset:
    """Mean of curves at every distance, with its confidence interval."""
    results = one_direction(results, direction)
    chosen = signal(results, variable)
    numbers, left_out = select(results, curves, quality)
    values = chosen.values(results, numbers)
    there = np.isfinite(values)
    n = there.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, values, 0).sum(0) / n
        spread = np.where(there, np.abs(values - mean) ** 2, 0.0).sum(0) / (n - 1.0)
        stderr = np.sqrt(spread / n)
        reach = stats.t.ppf(0.5 + level / 2.0, np.maximum(n - 1, 1)) * stderr
    if chosen.magnitude:
        mean = np.abs(mean)
    dims = ("depth",)
    about = {"units": chosen.unit}
    return xr.Dataset(
        {
            "mean": (dims, mean, about | {"long_name": f"mean {chosen.meaning}"}),
            "low": (dims, mean - reach, about | {"long_name": "lower end of the interval"}),
            "high": (dims, mean + reach, about | {"long_name": "upper end of the interval"}),
            "stderr": (dims, stderr, about | {"long_name": "standard error of the mean"}),
            "n": (dims, n, {"long_name": "curves"}),
            "n_effective": (dims, n.astype(float), {"long_name": "effective number of curves"}),
        },
        {"depth": results["depth"]},
        {
            "variable": variable,
            "units": chosen.unit,
            "long_name": chosen.meaning,
            "interval": interval,
            "level": level,
            "left_out": left_out,
            "warnings": "" if len(numbers) else "no curves",
        },
    )
