"""Mean profiles of many curves with the confidence interval of the mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.statistics.intervals import (
    FEW,
    Mean,
    Sampling,
    approximate,
    mean_interval,
    sampling,
)
from nrm_plugin.statistics.selection import (
    LEFT_OUT,
    Analysis,
    analysis_of,
    half_width,
    profile_variable,
    select,
    step,
    words_of_excluded,
)

#: Distances, a half-width apart, whose correlations are compared.
_NEIGHBOURS = 5


def mean_profile(
    results: xr.Dataset | Analysis,
    variable: str = "shear_modulus_magnitude",
    curves: Sequence[int] | AnyArray | None = None,
    interval: str = "effective",
    level: float = 0.95,
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
) -> xr.Dataset:
    """Mean of curves at every distance, with its confidence interval.

    The curve is the sampling unit, never its samples. Curves within 20 nm are repeats of one
    place and averaged first; the correlation of places in space and time reduces their number to
    an effective one. For the method see `nrm_plugin.statistics.intervals.mean_interval`.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process`.
    variable : str
        A variable over depth: of the results, or ``force_gradient_magnitude``,
        ``modulus_magnitude``, ``shear_modulus_magnitude``, ``shear_storage_modulus``,
        ``shear_loss_modulus``. Magnitudes are those of the mean complex value: noise raises the
        mean of magnitudes (to 1.25 times itself where there is nothing else), but not these.
    curves : array of int or bool, optional
        By default all; those of a `Region`, for example.
    interval : {"effective", "naive"}
        "naive" takes all curves as independent samples; for comparison only.
    level : float
        Of the interval.
    direction : str, optional
        Way of the ramp, where the results have both; by default the first.
    quality : sequence of str
        Curves with one of these flags are left out.

    Returns
    -------
    Dataset
        Over ``depth``: ``mean``, ``low``, ``high``, ``stderr`` (in the variable's unit), ``n``
        curves, ``n_places``, ``n_effective``, ``coverage`` (of such intervals in tests, where it is
        below 90 %). Attributes: ``variable``, ``units``, ``long_name``,
        ``interval``, ``level``, ``n_curves``, ``left_out`` (curves with flags), ``warnings`` (one
        per line). nan where there are no curves; a mean without interval where there is one.

    Raises
    ------
    InvalidInput
        For an unknown variable, curve, flag, direction or interval.
    """
    analysis = analysis_of(results, direction)
    numbers, left_out = select(analysis.results, curves, quality)
    by_hand = words_of_excluded(analysis.results, curves)
    return analysis.once(
        ("mean_profile", variable, interval, level, left_out, *by_hand, numbers.tobytes()),
        lambda: _mean_profile(analysis, variable, numbers, left_out, interval, level, by_hand),
    )


def _mean_profile(
    analysis: Analysis,
    variable: str,
    numbers: IntArray,
    left_out: int,
    interval: str,
    level: float,
    by_hand: list[str],
) -> xr.Dataset:
    results = analysis.results
    chosen = profile_variable(results, variable)
    sample = sampling(analysis, numbers)
    every = max(1, round(half_width(results) / step(results)))
    values = chosen.stored(results, numbers)
    result = mean_interval(values, sample, interval, level, every, _NEIGHBOURS)
    result = result.divided_by(chosen.divisor(results))
    depth = results["depth"].values
    messages = warnings(result, depth, len(numbers), left_out, sample) + by_hand
    dims = ("depth",)
    attributes = {"units": chosen.unit}
    return xr.Dataset(
        {
            "mean": (dims, result.mean, attributes | {"long_name": f"mean {chosen.meaning}"}),
            "low": (dims, result.low, attributes | {"long_name": "lower end of the interval"}),
            "high": (dims, result.high, attributes | {"long_name": "upper end of the interval"}),
            "stderr": (
                dims,
                result.stderr,
                attributes | {"long_name": "standard error of the mean"},
            ),
            "n": (dims, result.n, {"long_name": "curves"}),
            "n_places": (dims, result.n_places, {"long_name": "places"}),
            "n_effective": (dims, result.n_effective, {"long_name": "effective number of places"}),
            "coverage": (
                dims,
                result.coverage,
                {"long_name": "coverage of such intervals in tests, if below 90 %"},
            ),
        },
        {"depth": results["depth"]},
        {
            "variable": variable,
            "units": chosen.unit,
            "long_name": chosen.meaning,
            "interval": interval,
            "level": level,
            "n_curves": len(numbers),
            "left_out": left_out,
            "warnings": "\n".join(messages),
        },
    )


def warnings(
    result: Mean, depth: FloatArray, n_curves: int, left_out: int, sample: Sampling
) -> list[str]:
    """Sentences about a mean that should not be taken at face value."""
    if not n_curves:
        flagged = f": all {left_out} are flagged" if left_out else ""
        return [f"there are no curves{flagged}"]
    messages = []
    if n_curves == 1:
        messages.append("there is one curve: the mean has no interval")
    elif sample.one_place:
        messages.append(
            "all curves are of one place: the interval tells of its repeats, not of the sample"
        )
    few = np.isfinite(result.coverage) & (result.n > 1)
    if n_curves > 1 and few.any():
        where = depth[few] * 1e9
        messages.append(
            f"fewer than {FEW:.0f} effective places from {where.min():.1f} to {where.max():.1f} nm "
            f"(least {result.n_effective[few].min():.1f}): the interval is "
            f"{approximate(float(result.coverage[few].min()))}"
        )
    if not np.isfinite(result.mean).any():
        messages.append("no curve has a value at any distance")
    return messages
