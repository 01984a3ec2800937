"""One value per sample: means over its curves, and distances at the common modulus."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.comparison_types import THICKNESS, Question, SampleValue, StudySample
from nrm_plugin.statistics.depth_bins import bins_of, first_depth
from nrm_plugin.statistics.intervals import mean_interval, sampling
from nrm_plugin.statistics.region_thickness import region_thickness
from nrm_plugin.statistics.regions import ALL_CURVES, Region
from nrm_plugin.statistics.selection import LEFT_OUT, profile_variable, select
from nrm_plugin.vocabulary import nearest


def region_of(sample: StudySample, label: str, samples: Sequence[StudySample]) -> Region | None:
    """Region of a sample by its label; None where only others have it.

    Raises
    ------
    InvalidInput
        If no sample has such a region.
    """
    found = sample.region(label)
    if found is None and all(one.region(label) is None for one in samples):
        known = list(dict.fromkeys(r.label for one in samples for r in one.regions))
        raise InvalidInput(f"no sample has a region {label!r}.{nearest(label, known)}")
    return found


def means_of_samples(
    samples: Sequence[StudySample], question: Question, level: float = 0.95
) -> list[SampleValue]:
    """Means of all samples over the same distances, with the errors that their places leave.

    Where curves of some samples have no values near the electrode, the range begins for all where
    most curves of each sample have some.

    Raises
    ------
    InvalidInput
        For a region that no sample has, a range that is none, or an unknown quantity.
    """
    if question.distance is None or not 0.0 <= question.distance[0] < question.distance[1]:
        raise InvalidInput(
            f"{question.quantity} is compared over a range of distances, the smaller one first"
        )
    low, high = question.distance
    chosen, first = [], []
    for one in samples:
        region = region_of(one, question.region, samples)
        results = one.analysis.results
        variable = profile_variable(results, question.quantity)
        numbers = np.arange(0) if region is None else select(results, region.curves, LEFT_OUT)[0]
        begin = first_depth(results, variable, numbers) if len(numbers) else math.nan
        chosen.append((one, variable, numbers, region))
        first.append(begin)
    inside = [begin for begin in first if begin < high]
    valid = max(inside, default=math.nan)
    values = []
    for one, variable, numbers, region in chosen:
        results = one.analysis.results
        inside_bin = bins_of(results, variable, numbers, [(low, high)], valid)[0]
        result = mean_interval(
            inside_bin.values[:, None], sampling(one.analysis, inside_bin.curves), level=level
        )
        mean, stderr, lower, upper = (
            float(getattr(result, name)[0]) for name in ("mean", "stderr", "low", "high")
        )
        note = ""
        if region is None or not len(numbers):
            note = f"there are no curves in {question.region or ALL_CURVES}"
        elif not math.isfinite(mean):
            note = "no curve has values at these distances"
        elif len(inside_bin.curves) == 1:
            note = "there is one curve: the mean has no error"
        elif inside_bin.low > low * (1.0 + 1e-9) + 1e-12:
            note = f"from {inside_bin.low * 1e9:.3g} nm on, where all samples have values"
        values.append(
            SampleValue(
                sample=one.name,
                condition=one.condition,
                question=question,
                mean=mean,
                stderr=stderr,
                low=lower,
                high=upper,
                n=int(result.n[0]),
                n_effective=float(result.n_effective[0]),
                unit=variable.unit,
                positive=bool(is_positive(mean, stderr)),
                note=note,
            )
        )
    return values


def is_positive(mean: float | FloatArray, stderr: float | FloatArray) -> AnyArray:
    """Whether means are positive beyond two standard errors, where these are known.

    The interval itself is no measure: that of a sample of few lines or places reaches far.
    """
    error = np.nan_to_num(np.asarray(stderr, np.float64), nan=0.0)
    return np.asarray(np.asarray(mean) > 2.0 * error)


def common_modulus(samples: Sequence[StudySample], labels: Sequence[str]) -> float:
    """Largest |G*| that the mean force of a sample's region may hide, Pa; nan where unknown."""
    limits = [
        float(limit)
        for one in samples
        for limit in _thickness(one, labels, None)["limit"].values
        if math.isfinite(limit)
    ]
    return max(limits, default=math.nan)


def thicknesses_of_samples(
    samples: Sequence[StudySample], labels: Sequence[str], modulus: float, level: float = 0.95
) -> list[SampleValue]:
    """Outermost distances at which the mean |G*| of a sample is above the common modulus.

    Where nothing is above it, the value is 0 and its interval ends where the mean is seen first;
    where it is passed nowhere within the profiles, the value is inf.
    """
    values = []
    for one in samples:
        found = _thickness(one, labels, modulus, level)
        for number, label in enumerate(labels):
            region = region_of(one, label, samples)
            numbers = {
                name: float(found[name].values[number])
                for name in (
                    "threshold_distance",
                    "threshold_low",
                    "threshold_high",
                    "n",
                    "n_effective",
                )
            }
            mean, low, high, n, effective = numbers.values()
            note = ""
            if region is None or not n:
                note = f"there are no curves in {label or ALL_CURVES}"
            elif math.isnan(mean):
                note = "no layer and no detection limit are known"
            elif math.isinf(mean):
                note = "the layer goes on beyond the profiles' end: a lower bound"
                last = float(one.analysis.results["depth"].values[-1])
                low = min(low, last) if math.isfinite(low) else last
            elif not mean:
                note = f"nothing is above it: at most {high * 1e9:.2g} nm"
            stderr = (high - low) / 3.92 if math.isfinite(high - low) else math.nan
            values.append(
                SampleValue(
                    sample=one.name,
                    condition=one.condition,
                    question=Question(quantity=THICKNESS, distance=None, region=label),
                    mean=mean,
                    stderr=stderr,
                    low=low,
                    high=high,
                    n=int(n),
                    n_effective=effective,
                    unit="m",
                    positive=math.isfinite(mean) and bool(is_positive(mean, stderr)),
                    note=note,
                )
            )
    return values


def _thickness(
    sample: StudySample, labels: Sequence[str], modulus: float | None, level: float = 0.95
) -> xr.Dataset:
    none = Region("", math.nan, math.nan, np.arange(0))
    inside = [sample.region(label) or none for label in labels]
    return region_thickness(sample.analysis, inside, level, threshold=modulus)
