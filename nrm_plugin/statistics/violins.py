"""Distributions over curves within depth bins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.bandwidth import linear_counts, plug_in_of, smoothed, without_binning
from nrm_plugin.statistics.density import FLOOR
from nrm_plugin.statistics.depth_bins import DepthBin, bins_of, first_depth
from nrm_plugin.statistics.intervals import Mean, mean_interval, sampling
from nrm_plugin.statistics.modes import LEAST, Modes, bumps, modes, surviving
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import (
    LEFT_OUT,
    Analysis,
    ProfileVariable,
    analysis_of,
    profile_variable,
    select,
)

#: Bins of depth in m, as in the paper's Fig. 4d.
DEFAULT_BINS = ((0.0, 5e-9), (5e-9, 10e-9), (10e-9, 20e-9))

#: Points of a violin's outline.
_POINTS = 256

#: By what an outline with more bumps than modes is smoothed more, again and again.
_SMOOTHER = 1.1


@dataclass(frozen=True, kw_only=True)
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
    complex_values : array
        The mean values themselves, where they are complex; `values` otherwise.
    mean, mean_low, mean_high : float
        Mean with its 95 % interval, as that of `mean_profile`; of `complex_values`, which noise
        does not raise. nan where there is none.
    n_effective : float
        Independent places that tell as much.
    coverage : float
        Of the interval in tests on maps of known mean, where it is below 90 %; else nan.
    value, density : arrays
        Outline of the violin; the density per `unit`, its integral is 1. Empty below 3 curves. It
        has no more bumps than `modes`, and one where nothing is known of modes.
    bandwidth : float
    quartiles : (float, float, float)
        With the median in the middle; nan without curves.
    modes : int
        Number of modes that the data hold (level 5 % of all violins together, see
        `modes.surviving`; of the effective number of curves); 0 where it cannot be told.
    p : float
        Probability of such data if there were only one mode, of this violin alone.
    floor : float
        What pure noise shows on average; nan for a variable that is no magnitude.
    below_floor : float
        Part of the values that are below it; nan where there is no floor.
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
    complex_values: AnyArray
    mean: float
    mean_low: float
    mean_high: float
    n_effective: float
    coverage: float
    value: FloatArray
    density: FloatArray
    bandwidth: float
    quartiles: tuple[float, float, float]
    modes: int
    p: float
    floor: float
    below_floor: float
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
    results: xr.Dataset | Analysis,
    regions: Iterable[Region],
    bins: Sequence[tuple[float, float]] = DEFAULT_BINS,
    variable: str = "shear_modulus_magnitude",
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
) -> list[Violin]:
    """Distributions for every region and bin, region by region.

    The curve is the sampling unit: it has one value in a bin, the magnitude of its mean complex
    value there. The outline is a kernel density estimate with the plug-in bandwidth
    (`bandwidth.plug_in`), reflected at 0 for magnitudes; where that has more bumps than the test
    finds modes, the bandwidth is as large as it must be to have no more.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process`.
    regions : Regions, or regions
    bins : sequence of (float, float)
        In m. Where curves have no values near the electrode, a bin begins where most of them do.
    variable : str
        As for `mean_profile`.
    direction : str, optional
    quality : sequence of str
        Curves with one of these flags are left out.

    Raises
    ------
    InvalidInput
        For an unknown variable or flag, or a bin that is none.
    """
    analysis = analysis_of(results, direction)
    results = analysis.results
    chosen = profile_variable(results, variable)
    if any(not 0.0 <= low < high for low, high in bins):
        raise InvalidInput("bins are pairs of depths in m, the smaller one first")
    selected = [(region, select(results, region.curves, quality)) for region in regions]
    every = np.concatenate([numbers for _, (numbers, _) in selected] or [np.arange(0)])
    names = tuple((region.label, left_out) for region, (_, left_out) in selected)

    def made() -> list[Violin]:
        valid = first_depth(results, chosen, every) if len(every) else float("nan")
        pairs = [
            (region, one, left_out)
            for region, (numbers, left_out) in selected
            for one in bins_of(results, chosen, numbers, bins, valid)
        ]
        means = [
            mean_interval(one.values[:, None], sampling(analysis, one.curves))
            for _, one, _ in pairs
        ]
        tests = [
            modes(_sizes(one, chosen), effective=float(mean.n_effective[0]))
            for (_, one, _), mean in zip(pairs, means, strict=True)
        ]
        return [
            _violin(region, one, chosen, left_out, mean, tested)
            for (region, one, left_out), mean, tested in zip(
                pairs, means, surviving(tests), strict=True
            )
        ]

    return analysis.once(("violins", variable, tuple(bins), names, every.tobytes()), made)


def _sizes(one: DepthBin, chosen: ProfileVariable) -> FloatArray:
    """One value per curve: magnitudes of complex ones."""
    return np.asarray(np.abs(one.values) if chosen.magnitude else one.values)


def _violin(
    region: Region,
    one: DepthBin,
    chosen: ProfileVariable,
    left_out: int,
    mean: Mean,
    tested: Modes,
) -> Violin:
    values = _sizes(one, chosen)
    n = len(values)
    effective = float(mean.n_effective[0])
    messages = []
    if not n:
        flagged = f": {left_out} are flagged" if left_out else ""
        messages.append(f"there are no curves{flagged}")
    elif n < LEAST:
        messages.append(f"{n} curve{'s' * (n > 1)}: too few to count modes")
    elif effective < LEAST:
        messages.append(
            f"{n} curves tell as much as {effective:.1f} independent ones: too few to count modes"
        )
    if one.too_few_depths:
        messages.append(
            f"{one.too_few_depths} curves have values in less than half of the bin and are left out"
        )
    grid, shape, bandwidth = _outline(values, chosen.magnitude, max(tested.count, 1))
    quartiles = np.quantile(values, [0.25, 0.5, 0.75]) if n else np.full(3, np.nan)
    floor = below = float("nan")
    if chosen.magnitude and np.isfinite(one.noise).any():
        floor = FLOOR * float(np.sqrt(np.nanmean(one.noise**2)))
        below = float(np.mean(values < FLOOR * one.noise))
    return Violin(
        region=region,
        low=one.low,
        high=one.high,
        label=one.label,
        curves=one.curves,
        values=values,
        complex_values=one.values,
        mean=float(mean.mean[0]),
        mean_low=float(mean.low[0]),
        mean_high=float(mean.high[0]),
        n_effective=effective,
        coverage=float(mean.coverage[0]),
        value=grid,
        density=shape,
        bandwidth=bandwidth,
        quartiles=(float(quartiles[0]), float(quartiles[1]), float(quartiles[2])),
        modes=tested.count,
        p=tested.p,
        floor=floor,
        below_floor=below,
        too_few_depths=one.too_few_depths,
        unit=chosen.unit,
        meaning=chosen.meaning,
        variable=chosen.name,
        warnings=tuple(messages),
    )


def _outline(values: FloatArray, bounded: bool, most: int) -> tuple[FloatArray, FloatArray, float]:
    """Density of values on a grid with no more bumps than `most`, and its bandwidth.

    Empty where there is no shape.
    """
    if len(values) < 3 or np.ptp(values) <= 0.0:
        return np.empty(0), np.empty(0), float("nan")
    low, high = float(values.min()), float(values.max())
    margin = (high - low) / 2.0
    start = max(low - margin, 0.0) if bounded else low - margin
    width = plug_in_of(values, start, high + margin, len(values))
    while True:
        start = low - 4.0 * width
        start = max(start, 0.0) if bounded else start
        cell = (high + 4.0 * width - start) / _POINTS
        sigma = without_binning(max(width, 0.8 * cell), cell)
        shape = smoothed(linear_counts(values[:, None], start, cell, _POINTS)[0], sigma)
        if bumps(np.pad(shape, 1)[None])[0] <= most or width > high - low:
            break
        width *= _SMOOTHER
    grid = start + (np.arange(_POINTS) + 0.5) * cell
    return np.asarray(grid), np.maximum(shape, 0.0) / (len(values) * cell), width
