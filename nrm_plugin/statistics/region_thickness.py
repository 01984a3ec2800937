"""Mean thickness of regions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr

from nrm_plugin.statistics.intervals import FEW, mean_interval, sampling
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import LEFT_OUT, Analysis, analysis_of, select
from nrm_plugin.statistics.thickness import thickness


def region_thickness(
    results: xr.Dataset | Analysis,
    regions: Iterable[Region],
    level: float = 0.95,
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
) -> xr.Dataset:
    """Mean thickness of every region with its confidence interval.

    Of the curves in which something is detected; how many that are stands beside it.

    Parameters
    ----------
    results : Dataset
    regions : Regions, or regions
    level : float
    direction : str, optional
    quality : sequence of str
        Curves with one of these flags are left out.

    Returns
    -------
    Dataset
        Over ``region`` (labels): ``mean``, ``low``, ``high``, ``stderr`` and ``spread`` (standard
        deviation of curves) in m; ``n`` curves, ``n_detected`` among them, ``n_effective``.
    """
    analysis = analysis_of(results, direction)
    onset = thickness(analysis)["thickness"].values
    regions = list(regions)
    names = ("mean", "low", "high", "stderr", "spread", "n", "n_detected", "n_effective")
    table = np.full((len(regions), len(names)), np.nan)
    messages = []
    for row, region in enumerate(regions):
        numbers, _ = select(analysis.results, region.curves, quality)
        detected = numbers[np.isfinite(onset[numbers])]
        table[row, -3:] = len(numbers), len(detected), 0.0
        if not len(detected):
            messages.append(f"{region.label}: nothing is detected in any of {len(numbers)} curves")
            continue
        sample = sampling(analysis, detected)
        result = mean_interval(onset[detected][:, None], sample, level=level)
        spread = onset[detected].std(ddof=1) if len(detected) > 1 else np.nan
        table[row] = (
            result.mean[0],
            result.low[0],
            result.high[0],
            result.stderr[0],
            spread,
            len(numbers),
            len(detected),
            result.n_effective[0],
        )
        if 10 * len(detected) < 9 * len(numbers):
            messages.append(
                f"{region.label}: something is detected in {len(detected)} of {len(numbers)} "
                "curves, thin ones are missing from the mean"
            )
        if result.n_effective[0] < FEW:
            messages.append(f"{region.label}: fewer than {FEW:.0f} effective places")
    units = dict.fromkeys(names[:5], "m")
    kinds = dict.fromkeys(names[5:7], int)
    return xr.Dataset(
        {
            name: ("region", column.astype(kinds.get(name, float)), {"units": units.get(name, "")})
            for name, column in zip(names, table.T, strict=True)
        },
        {"region": [region.label for region in regions]},
        {"level": level, "warnings": "\n".join(messages)},
    )
