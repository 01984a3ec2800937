"""Thickness: the distance from which on an interphase is felt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr

from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import LEFT_OUT, one_direction, signal


def thickness(results: xr.Dataset, direction: str | None = None) -> xr.Dataset:
    """Distance of the detectable onset of every curve.

    Returns
    -------
    Dataset
        ``thickness`` and ``thickness_stderr`` in m over ``curve``; nan where nothing is detected.
    """
    results = one_direction(results, direction)
    chosen = signal(results, "modulus_magnitude")
    every = np.arange(results.sizes["curve"])
    values, noise = chosen.values(results, every), chosen.noise(results, every)
    with np.errstate(invalid="ignore", divide="ignore"):
        strong = np.abs(values) > 4.0 * noise
    depth = results["depth"].values
    found = np.where(strong.any(1), depth[strong.shape[1] - 1 - strong[:, ::-1].argmax(1)], np.nan)
    about = {"units": "m"}
    return xr.Dataset(
        {
            "thickness": ("curve", found, about | {"long_name": "distance of detectable onset"}),
            "thickness_stderr": ("curve", np.full(len(found), np.nan),
                                 about | {"long_name": "its standard error"}),
        },
        attrs={"warnings": ""},
    )  # fmt: skip


def region_thickness(
    results: xr.Dataset,
    regions: Iterable[Region],
    level: float = 0.95,
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
) -> xr.Dataset:
    """Mean thickness of every region with its confidence interval.

    Returns
    -------
    Dataset
        Over ``region`` (labels): ``mean``, ``low``, ``high``, ``stderr``, ``spread`` in m; ``n``
        curves, ``n_detected`` among them, ``n_effective``.
    """
    raise NotImplementedError
