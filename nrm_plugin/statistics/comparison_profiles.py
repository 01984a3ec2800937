"""Ratios and differences of mean profiles of conditions, and of regions within samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from nrm_plugin.columns import FloatArray
from nrm_plugin.statistics.comparison_types import (
    CONDITIONS,
    REGIONS,
    ProfileContrast,
    StudySample,
)
from nrm_plugin.statistics.comparison_values import is_positive, region_of
from nrm_plugin.statistics.profiles import mean_profile
from nrm_plugin.statistics.simultaneous_bands import Band, band
from nrm_plugin.statistics.study_levels import added_error, confounded
from nrm_plugin.text import counted

#: Names of a band's ends, after the name of what it is of.
_ENDS = {"low": "_low", "high": "_high", "low_here": "_low_here", "high_here": "_high_here"}


def common_depth(samples: Sequence[StudySample]) -> FloatArray:
    """Distances that all samples have, m: those of the sample with the largest steps."""
    grids = [np.asarray(one.analysis.results["depth"].values, np.float64) for one in samples]
    coarse = max(grids, key=lambda one: float(np.diff(one).max(initial=0.0)))
    first, last = max(one[0] for one in grids), min(one[-1] for one in grids)
    inside = (coarse >= first - 1e-13) & (coarse <= last + 1e-13)
    return np.asarray(coarse[inside])


def profile_of_conditions(
    quantity: str,
    region: str,
    first: Sequence[StudySample],
    second: Sequence[StudySample],
    level: float = 0.95,
) -> ProfileContrast | None:
    """Ratio and difference of two conditions at every distance; None where one has no curves."""
    everyone = (*first, *second)
    groups = [[one for one in group if _curves(one, region, everyone)] for group in (first, second)]
    if not all(groups):
        return None
    depth = common_depth([one for group in groups for one in group])
    read = [[_profile(one, quantity, region, depth, level) for one in group] for group in groups]
    values = [np.array([mean for mean, _, _ in group]) for group in read]
    positive = np.all([sure for group in read for _, sure, _ in group], axis=0)
    unit = read[0][0][2]
    added = added_error(groups[0], groups[1], unit)
    scale = np.asarray(sum(np.square(one.mean(0)) for one in values)) / 2.0
    logs = band(_logarithms(values, positive), level, added=added.variance)
    plain = band(values, level, added=added.variance * scale)
    counts = [len(group) for group in groups]
    sentence = ""
    if min(counts) < 2:
        sentence = (
            f"There is {counted(counts[0], 'sample')} of {first[0].condition} and "
            f"{counted(counts[1], 'sample')} of {second[0].condition}: there is no band."
        )
    else:
        shared = [one.sentence for one in confounded(groups[0], groups[1])]
        if not added.known:
            shared.append(
                f"the errors of {', '.join(added.not_stated)} are unknown and not in the band"
            )
        sentence = " ".join(f"{one}." for one in shared)
    return ProfileContrast(
        first=first[0].condition,
        second=second[0].condition,
        kind=CONDITIONS,
        quantity=quantity,
        region=region,
        profile=_dataset(depth, logs, plain, unit),
        n_first=counts[0],
        n_second=counts[1],
        level=level,
        sentence=sentence,
    )


def profile_of_regions(
    quantity: str,
    pair: tuple[str, str],
    samples: Sequence[StudySample],
    level: float = 0.95,
    *,
    everyone: Sequence[StudySample] = (),
) -> ProfileContrast | None:
    """Ratio and difference of two regions within the samples of a condition."""
    known = everyone or samples
    both = [one for one in samples if all(_curves(one, label, known) for label in pair)]
    if not both:
        return None
    depth = common_depth(both)
    read = [[_profile(one, quantity, label, depth, level) for one in both] for label in pair]
    values = [np.array([mean for mean, _, _ in group]) for group in read]
    positive = np.all([sure for group in read for _, sure, _ in group], axis=0)
    first, second = _logarithms(values, positive)
    return ProfileContrast(
        first=pair[0],
        second=pair[1],
        kind=REGIONS,
        condition=samples[0].condition,
        quantity=quantity,
        region="",
        profile=_dataset(
            depth,
            band([first - second], level),
            band([values[0] - values[1]], level),
            read[0][0][2],
        ),
        n_first=len(both),
        n_second=len(both),
        level=level,
        sentence="There is one sample: there is no band." if len(both) < 2 else "",
    )


def _curves(sample: StudySample, label: str, samples: Sequence[StudySample]) -> int:
    region = region_of(sample, label, samples)
    return 0 if region is None else len(region)


def _profile(
    sample: StudySample, quantity: str, label: str, depth: FloatArray, level: float
) -> tuple[FloatArray, FloatArray, str]:
    """Mean profile, whether it is positive beyond its errors, and its unit."""
    region = sample.region(label)
    found = mean_profile(
        sample.analysis, quantity, None if region is None else region.curves, level=level
    )
    own = np.asarray(found["depth"].values, np.float64)
    mean, stderr = (
        np.asarray(found[name].values, np.float64)
        if len(own) == len(depth) and np.array_equal(own, depth)
        else np.interp(depth, own, found[name].values)
        for name in ("mean", "stderr")
    )
    return mean, is_positive(mean, stderr), str(found.attrs["units"])


def _logarithms(values: Sequence[FloatArray], positive: FloatArray) -> list[FloatArray]:
    return [np.log(np.where(positive, one, np.nan)) for one in values]


def _dataset(depth: FloatArray, logs: Band, plain: Band, unit: str) -> xr.Dataset:
    dims = ("depth",)
    made = {}
    with np.errstate(over="ignore"):
        made["ratio"] = (dims, np.exp(logs.difference), {"units": ""})
        for name, ending in _ENDS.items():
            made[f"ratio{ending}"] = (dims, np.exp(getattr(logs, name)), {"units": ""})
    made["difference"] = (dims, plain.difference, {"units": unit})
    for name, ending in _ENDS.items():
        made[f"difference{ending}"] = (dims, getattr(plain, name), {"units": unit})
    return xr.Dataset(made, {"depth": (dims, depth, {"units": "m"})})
