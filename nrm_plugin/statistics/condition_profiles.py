"""Profiles and densities of conditions: each sample counts once, however many curves it has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from nrm_plugin.columns import FloatArray
from nrm_plugin.statistics.comparison_types import StudySample
from nrm_plugin.statistics.density import Density, density
from nrm_plugin.statistics.profiles import mean_profile


def region_labels(samples: Iterable[StudySample]) -> list[str]:
    """Labels of the regions of all samples, in the order in which they come up."""
    return list(dict.fromkeys(region.label for one in samples for region in one.regions))


def condition_profile(
    samples: Sequence[StudySample], variable: str, region: str, level: float = 0.95
) -> xr.Dataset:
    """Mean profile of samples of one condition, with the interval of the mean over samples.

    Parameters
    ----------
    samples : sequence of StudySample
        Of one condition.
    variable : str
        As for `mean_profile`.
    region : str
        Label; samples that do not have it are left out.
    level : float
        Of Student's interval at each distance, whose degrees of freedom count samples.

    Returns
    -------
    Dataset
        Over ``depth``: ``mean``, ``low``, ``high`` (nan below two samples), ``n`` (samples); over
        ``sample`` and ``depth``: ``sample_mean``. Attributes ``units``, ``long_name``, ``names``.
        There is a mean where all samples that have values have one: one of whichever samples have
        values jumps where another begins or ends.

    Raises
    ------
    InvalidInput
        If a sample has no such variable.
    """
    from scipy.special import stdtrit

    names, profiles = [], []
    for sample in samples:
        chosen = sample.region(region)
        if chosen is not None and len(chosen.curves):
            names.append(sample.name)
            profiles.append(mean_profile(sample.analysis, variable, chosen.curves))
    grids = [tuple(np.round(p["depth"].values, 15)) for p in profiles]
    depth = np.array(max(grids, key=len, default=()), np.float64)
    means = np.full((len(names), len(depth)), np.nan)
    for row, profile in zip(means, profiles, strict=True):
        row[:] = np.interp(
            depth, profile["depth"].values, profile["mean"].values, left=np.nan, right=np.nan
        )
    known = np.isfinite(means)
    used = means[known.any(1)]
    mean, half = (np.full(len(depth), np.nan) for _ in range(2))
    if len(used):
        mean = used.mean(0)
    if len(used) > 1:
        reach = stdtrit(len(used) - 1, 0.5 + level / 2.0)
        half = reach * used.std(0, ddof=1) / np.sqrt(len(used))
    about = profiles[0].attrs if profiles else {}
    return xr.Dataset(
        {
            "mean": ("depth", mean),
            "low": ("depth", mean - half),
            "high": ("depth", mean + half),
            "n": ("depth", known.sum(0)),
            "sample_mean": (("sample", "depth"), means),
        },
        {"depth": depth, "sample": names},
        {
            "units": str(about.get("units", "")),
            "long_name": str(about.get("long_name", variable)),
            "variable": variable,
            "level": level,
        },
    )


def condition_density(
    samples: Sequence[StudySample], region: str, variable: str = "shear_modulus_magnitude"
) -> Density | None:
    """Density of a condition: the mean of those of its samples. None where no sample has values.

    See `nrm_plugin.statistics.density`; numbers of curves are those of all samples together.
    """
    found = []
    for sample in samples:
        chosen = sample.region(region)
        if chosen is not None and len(chosen.curves):
            one = density(sample.analysis, chosen.curves, variable)
            if one.n_values and np.isfinite(one.values).any():
                found.append(one)
    if not found:
        return None
    last = max(float(one.value[-1]) for one in found)
    first = min(float(one.value[0]) for one in found)
    value = np.linspace(first, last, len(found[0].value))
    depth = max((one.depth for one in found), key=len)
    stack = np.stack([_on(depth, value, one, one.values) for one in found])
    weak = np.stack([_on(depth, value, one, one.hatched.astype(np.float64)) for one in found])
    floors = np.stack([np.interp(depth, one.depth, one.floor) for one in found])
    values = stack.mean(0)
    with np.errstate(invalid="ignore"):
        hatched = (weak * stack).sum(0) > 0.5 * stack.sum(0)
    return replace(
        found[0],
        depth=depth,
        value=value,
        values=values,
        hatched=hatched,
        floor=floors.mean(0),
        n=sum(one.n for one in found),
        n_values=sum(one.n_values for one in found),
        n_below=sum(one.n_below for one in found),
        n_effective=sum(one.n_effective for one in found),
    )


def _on(depth: FloatArray, value: FloatArray, one: Density, values: FloatArray) -> FloatArray:
    """Values of a density on another grid, 0 beyond its own."""
    filled = np.nan_to_num(values)
    over_value = np.stack([np.interp(value, one.value, row, left=0.0, right=0.0) for row in filled])
    return np.stack(
        [np.interp(depth, one.depth, column, left=0.0, right=0.0) for column in over_value.T],
        axis=1,
    )
