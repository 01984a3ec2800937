"""Distributions over curves within depth bins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import LEFT_OUT, one_direction, select, signal

#: Bins of depth in m, as in the paper's Fig. 4d.
DEFAULT_BINS = ((0.0, 5e-9), (5e-9, 10e-9), (10e-9, 20e-9))


@dataclass(frozen=True)
class Violin:
    """Distribution of a variable over the curves of a region, within a bin of depth.

    Attributes
    ----------
    region : Region
    low, high : float
        Bin in m; `low` is where most curves begin to have values, if that is deeper.
    label : str
        Of the bin, as ``1.5-5 nm``.
    curves : array of int
        Numbers of the curves that have a value.
    values : array
        One value per curve: the magnitude of the mean complex value in the bin, in `unit`.
    value, density : arrays
        Outline of the violin; the density per `unit`, its integral is 1. Empty below 3 curves.
    bandwidth : float
    quartiles : (float, float, float)
        With the median in the middle; nan without curves.
    modes : int
        Number of modes that the data hold (level 5 %); 0 where it cannot be told.
    p : float
        Probability of such data if there were only one mode.
    floor : float
        What pure noise shows on average; nan for a variable that is no magnitude.
    too_few_depths : int
        Curves left out since they have values in less than half of the bin.
    unit, meaning, variable : str
    warnings : tuple of str
    """

    region: Region
    low: float
    high: float
    label: str
    curves: IntArray
    values: FloatArray
    value: FloatArray
    density: FloatArray
    bandwidth: float
    quartiles: tuple[float, float, float]
    modes: int
    p: float
    floor: float
    too_few_depths: int
    unit: str
    meaning: str
    variable: str
    warnings: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of curves."""
        return len(self.values)

    @property
    def median(self) -> float:
        """Median, nan without curves."""
        return self.quartiles[1]


def violins(
    results: xr.Dataset,
    regions: Iterable[Region],
    bins: Sequence[tuple[float, float]] = DEFAULT_BINS,
    variable: str = "shear_modulus_magnitude",
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
) -> list[Violin]:
    """Distributions for every region and bin, region by region."""
    results = one_direction(results, direction)
    chosen = signal(results, variable)
    depth = results["depth"].values
    made = []
    for region in regions:
        numbers, _ = select(results, region.curves, quality)
        values = chosen.values(results, numbers)
        for low, high in bins:
            part = values[:, (depth >= low) & (depth < high)]
            there = np.isfinite(part)
            enough = there.sum(1) * 2 >= part.shape[1]
            mean = np.where(there, part, 0)[enough].sum(1) / there[enough].sum(1)
            mean = np.abs(mean) if chosen.magnitude else mean
            quartiles = np.quantile(mean, [0.25, 0.5, 0.75]) if len(mean) else np.full(3, np.nan)
            grid = shape = np.empty(0)
            if len(mean) > 2 and np.ptp(mean) > 0:
                from scipy.stats import gaussian_kde

                grid = np.linspace(0, mean.max() * 1.2, 256)
                shape = gaussian_kde(mean)(grid)
            made.append(Violin(
                region, low, high, f"{low * 1e9:.3g}-{high * 1e9:.3g} nm", numbers[enough], mean,
                grid, shape, np.nan, (float(quartiles[0]), float(quartiles[1]),
                float(quartiles[2])), 1, np.nan, np.nan, int((~enough).sum()), chosen.unit,
                chosen.meaning, variable,
            ))  # fmt: skip
    return made
