"""Densities of the modulus over depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.statistics.selection import LEFT_OUT, half_width, one_direction, select, signal

#: Signal over noise below which a value is weak.
WEAK = 3.0

#: Mean magnitude of pure noise per standard deviation of one part (Rayleigh).
FLOOR = float(np.sqrt(np.pi / 2.0))


@dataclass(frozen=True)
class Density:
    """Density of a variable over depth, on a grid.

    Attributes
    ----------
    depth : (m,) array
        In m.
    value : (k,) array
        In `unit`; equally spaced, or equally spaced in its logarithm.
    values : (m, k) array
        Density. Joint: its integral over depth and value is 1. Conditional: that over value is 1
        at every depth (nan where there are no data). Per `unit` or, with `log`, per decade.
    bandwidth : (float, float)
        In depth (m) and value (`unit`, or decades).
    floor : (m,) array
        What pure noise shows on average: 1.25 times the standard deviation of one part. nan for
        a variable that is no magnitude.
    hatched : (m, k) array of bool
        Where most of the density comes from values below 3 times their noise.
    n : int
        Curves in it.
    n_values, n_weak : int
        Values in it, and how many of them are weak.
    valid : float
        Depth in m from which on most curves have values.
    unit, meaning, variable : str
    conditional, log : bool
    warnings : tuple of str
    """

    depth: FloatArray
    value: FloatArray
    values: FloatArray
    bandwidth: tuple[float, float]
    floor: FloatArray
    hatched: NDArray[np.bool_]
    n: int
    n_values: int
    n_weak: int
    valid: float
    unit: str
    meaning: str
    variable: str
    conditional: bool = False
    log: bool = False
    warnings: tuple[str, ...] = ()


def density(
    results: xr.Dataset,
    curves: Sequence[int] | AnyArray | None = None,
    variable: str = "shear_modulus_magnitude",
    *,
    conditional: bool = False,
    log: bool = False,
    size: tuple[int, int] = (256, 256),
    direction: str | None = None,
    quality: Sequence[str] = LEFT_OUT,
) -> Density:
    """Density of a variable over depth."""
    results = one_direction(results, direction)
    chosen = signal(results, variable)
    numbers, _ = select(results, curves, quality)
    values = chosen.values(results, numbers)
    values = np.abs(values) if chosen.magnitude else values
    noise = chosen.noise(results, numbers)
    z = np.broadcast_to(results["depth"].values, values.shape)
    there = np.isfinite(values)
    weak = there & (np.abs(values) < WEAK * noise)
    top = float(np.quantile(values[there], 0.999)) if there.any() else 1.0
    axes = (results["depth"].values[0], results["depth"].values[-1]), (0.0, 1.1 * top)
    v = np.log10(values) if log else values
    if log:
        axes = axes[0], (np.log10(top) - 4.0, np.log10(1.1 * top))
    total, z_edges, v_edges = np.histogram2d(z[there], v[there], size, axes)
    part, _, _ = np.histogram2d(z[weak], v[weak], size, axes)
    dz, dv = z_edges[1] - z_edges[0], v_edges[1] - v_edges[0]
    bandwidth = half_width(results) / 2.0, float(8 * dv)
    sigma = (bandwidth[0] / dz, bandwidth[1] / dv)
    total, part = gaussian_filter(total, sigma), gaussian_filter(part, sigma)
    grid, value = (z_edges[1:] + z_edges[:-1]) / 2, (v_edges[1:] + v_edges[:-1]) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        hatched = part > 0.5 * total
        if conditional:
            total = total / (total.sum(1, keepdims=True) * dv)
        else:
            total = total / (total.sum() * dv * dz)
    sd = np.sqrt(np.nanmean(noise**2, 0)) if len(noise) else np.full(results.sizes["depth"], np.nan)
    floor = FLOOR * np.interp(grid, results["depth"].values, sd)
    return Density(
        grid, 10**value if log else value, total, bandwidth, floor, hatched, len(numbers),
        int(there.sum()), int(weak.sum()), float(grid[0]), chosen.unit, chosen.meaning, variable,
        conditional, log,
    )  # fmt: skip
