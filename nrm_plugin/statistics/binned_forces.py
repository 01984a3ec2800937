"""The lateral force in bins of the distance, in units of each curve's own noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.statistics.selection import half_width

#: What results hold for a thickness.
NEEDED = (
    "binned_force_in_phase",
    "binned_force_quadrature",
    "binned_force_count",
    "lateral_noise_in_phase",
    "lateral_noise_quadrature",
)

#: Bins with less than this part of the usual samples are known from their neighbours too.
_POOR = 0.5

#: Bins with more than so many times the usual samples count as better known.
_MORE = 1.5


@dataclass(frozen=True, kw_only=True)
class BinnedForces:
    """Of some curves, from outside inwards.

    Attributes
    ----------
    values : (n, m) complex array
        Mean force of a bin over the noise of such means, as it would be if it were white.
    samples : (n, m) array
        Samples of a bin over those of bins far away; 1 where they hardly differ.
    count : (n,) array of int
        Bins from the outermost one to the last before the contact; 0 where there is no profile.
    noise : (n,) array
        What forces were divided by where there are as many samples as far away, N.
    width : float
        Of a bin, m.
    outside : float
        Distance at which the outermost bin begins, m.
    """

    values: AnyArray
    samples: FloatArray
    count: IntArray
    noise: FloatArray
    width: float
    outside: float


def bin_width(results: xr.Dataset) -> tuple[float, int]:
    """Width of the bins that hold samples (m), and how many of the results' they join."""
    width = _bin(results)
    n = results.sizes["curve"]
    some = slice(None, None, max(1, n // 64))
    count = np.asarray(results["binned_force_count"].isel(curve=some).values, np.float64)
    outer = count[:, count.shape[1] // 2 :]
    outer = outer[outer.any(axis=1)]
    mean = float(np.median(outer.mean(axis=1))) if len(outer) else 1.0
    join = 1 if mean >= 1.5 else int(np.ceil(1.5 / max(mean, 0.02)))
    return width * join, join


def binned_forces(
    results: xr.Dataset, some: slice | IntArray, join: int, width: float
) -> BinnedForces:
    """Read the forces of some curves.

    Parameters
    ----------
    results : Dataset
        Of one direction.
    some : slice or array of int
    join : int
        Bins of the results that are taken together.
    width : float
        Of such bins, m.
    """
    x, y, count, noise_x, noise_y = (
        np.asarray(results[name].isel(curve=some).values, np.float64) for name in NEEDED
    )
    size = x.shape[1] // join * join
    x, y, count = (
        values[:, :size].reshape(len(values), size // join, join)[:, ::-1]
        for values in (x, y, count)
    )
    total = count.sum(axis=2)
    noise = np.sqrt((noise_x**2 + noise_y**2) / 2.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        force = np.where(count > 0, (x + 1j * y) * count, 0.0).sum(axis=2) / total
        usual = total[:, : max(3, total.shape[1] // 2)].mean(axis=1)
        usual = np.where(usual > 0, usual, np.nan)
        noise = noise / np.sqrt(usual)
        values = force / noise[:, None]
        poor = ~(total >= _POOR * usual[:, None])
    there = (total > 0) & np.isfinite(values)
    # The last bin is cut by the contact: it tells less than it seems to.
    last = there.shape[1] - there[:, ::-1].argmax(axis=1)
    enough = there.any(axis=1) & np.isfinite(noise) & (noise > 0.0) & there[:, :3].any(axis=1)
    counted = np.where(enough, last, 0)
    weight = np.where(there, total / usual[:, None], 0.0)
    values = _filled(values, weight, poor | ~there, counted)
    return BinnedForces(
        values=values,
        samples=np.where(weight > _MORE, weight, 1.0),
        count=counted.astype(np.int64),
        noise=np.where(enough, noise, np.nan),
        width=width,
        outside=size // join * width,
    )


def _filled(values: AnyArray, weight: FloatArray, poor: AnyArray, count: IntArray) -> AnyArray:
    """The same with bins of few samples moved towards the line between their neighbours."""
    filled = np.where(np.isfinite(values), values, 0.0)
    at = np.arange(values.shape[1])
    for i in np.flatnonzero(poor.any(axis=1) & (count > 2)):
        good = ~poor[i] & (at < count[i])
        bad = poor[i] & (at < count[i])
        if good.sum() < 2 or not bad.any():
            continue
        line = np.interp(at[bad], at[good], filled[i, good].real) + 1j * np.interp(
            at[bad], at[good], filled[i, good].imag
        )
        part = np.clip(weight[i, bad], 0.0, 1.0)
        filled[i, bad] = part * filled[i, bad] + (1.0 - part) * line
    filled[at >= count[:, None]] = 0.0
    return filled


def far_window(results: xr.Dataset, outside: float, width: float) -> tuple[float, float]:
    """Where the mean far away was taken: (begin, end) in bins inwards from the outermost one's end.

    Negative numbers lie outside the bins.

    Parameters
    ----------
    results : Dataset
    outside : float
        Distance at which the outermost bin begins, m.
    width : float
        Of a bin, m.
    """
    depth = np.asarray(results["depth"].values, np.float64)
    reach = float(depth[-1]) + half_width(results)
    top = np.nan
    if "baseline_begin" in results and "contact_height" in results:
        tops = np.abs(results["baseline_begin"].values - results["contact_height"].values)
        top = float(np.nanmedian(tops)) if np.isfinite(tops).any() else np.nan
    if not np.isfinite(top) or top < outside:
        top = outside + 30e-9
    begin = min(reach, outside + 0.66 * (top - outside))
    return (outside - begin) / width, (outside - top) / width


def memory(results: xr.Dataset, width: float) -> float:
    """Bins over which the noise of the lateral force is correlated, and with it the signal."""
    if "lateral_noise_correlation" not in results:
        return 0.0
    samples = np.asarray(results["lateral_noise_correlation"].values, np.float64)
    count = np.asarray(results["binned_force_count"].isel(curve=slice(0, 64)).values, np.float64)
    per_bin = float(np.mean(count[:, count.shape[1] // 2 :])) if count.size else 0.0
    if not np.isfinite(samples).any() or per_bin <= 0.0:
        return 0.0
    return float(np.nanmedian(samples)) / per_bin * (_bin(results) / width)


def _bin(results: xr.Dataset) -> float:
    at = np.asarray(results["distance_bin"].values, np.float64)
    return float(at[1] - at[0]) if len(at) > 1 else 2.0 * float(at[0])
