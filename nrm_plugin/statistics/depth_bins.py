"""Means of curves over ranges of depth, and the noise of such means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.statistics.selection import ProfileVariable, blocks, half_width


@dataclass(frozen=True, kw_only=True)
class DepthBin:
    """A range of depth, and one value per curve in it.

    Attributes
    ----------
    low, high : float
        In m.
    label : str
    curves : (n,) array of int
        Curves with values in at least half of it.
    values : (n,) array
        Mean over the bin, complex for a magnitude.
    noise : (n,) array
        Standard error of one part of it.
    too_few_depths : int
    """

    low: float
    high: float
    label: str
    curves: IntArray
    values: AnyArray
    noise: FloatArray
    too_few_depths: int


def first_depth(results: xr.Dataset, chosen: ProfileVariable, curves: IntArray) -> float:
    """Depth in m from which on most curves have values; nan without any."""
    depth = results["depth"].values
    first = []
    for some in blocks(curves, len(depth)):
        finite = np.isfinite(chosen.sizes(results, curves[some]))
        first.append(depth[finite.argmax(1)[finite.any(1)]])
    known = np.concatenate(first) if first else np.empty(0)
    return float(np.median(known)) if len(known) else float("nan")


def bins_of(
    results: xr.Dataset,
    chosen: ProfileVariable,
    curves: IntArray,
    bins: Sequence[tuple[float, float]],
    valid: float,
) -> list[DepthBin]:
    """Means of curves over ranges of depth.

    Parameters
    ----------
    results : Dataset
        Of one direction.
    chosen : ProfileVariable
    curves : array of int
    bins : sequence of (float, float)
        In m; the upper end does not belong to a bin.
    valid : float
        From `first_depth`: what lies below is no part of a bin.
    """
    depth = np.asarray(results["depth"].values, np.float64)
    window = half_width(results)
    bins = [(max(low, valid) if valid < high else low, high) for low, high in bins]
    insides = [(depth >= low * (1 - 1e-9)) & (depth < high * (1 - 1e-9)) for low, high in bins]
    enough = np.zeros((len(bins), len(curves)), bool)
    means = np.zeros((len(bins), len(curves)), complex if chosen.magnitude else float)
    errors = np.zeros((len(bins), len(curves)))
    for some in blocks(curves, len(depth)):
        values, noise = (read(results, curves[some]) for read in (chosen.values, chosen.noise))
        for number, inside in enumerate(insides):
            finite = np.isfinite(values[:, inside])
            enough[number, some] = finite.any(1) & (2 * finite.sum(1) >= inside.sum())
            total = np.where(finite, values[:, inside], 0.0).sum(1)
            means[number, some] = total / np.maximum(finite.sum(1), 1)
            error = np.where(finite, noise[:, inside], np.nan)
            errors[number, some] = noise_of_mean(error, depth[inside], window)
    return [
        DepthBin(
            low=low,
            high=high,
            label=f"{low * 1e9:.3g}-{high * 1e9:.3g} nm",
            curves=curves[kept],
            values=mean[kept],
            noise=error[kept],
            too_few_depths=int((~kept).sum()),
        )
        for (low, high), kept, mean, error in zip(bins, enough, means, errors, strict=True)
    ]


def window_correlation(distance: FloatArray, half_width: float) -> FloatArray:
    """Correlation of the noise of two slopes found a distance apart.

    Both are local lines with Epanechnikov weights: each weighs samples with ``u (1 - u^2)``. White
    noise of the force; beyond two half-widths there is none in common.

    Parameters
    ----------
    distance, half_width : array, float
        In m.
    """
    u = np.linspace(-1.0, 1.0, 401)
    shift = np.abs(np.asarray(distance, np.float64)) / half_width
    other = u + shift[..., None]
    both = u * (1.0 - u**2) * np.where(np.abs(other) < 1.0, other * (1.0 - other**2), 0.0)
    return np.asarray(both.sum(-1) / np.sum((u * (1.0 - u**2)) ** 2))


def noise_of_mean(noise: FloatArray, depth: FloatArray, half_width: float) -> FloatArray:
    """Standard error of the mean over some distances, by curve.

    Parameters
    ----------
    noise : (n, m) array
        Standard error at each distance; nan where there is no value.
    depth : (m,) array
        In m.
    half_width : float
        Of the derivative's window, in m.
    """
    finite = np.isfinite(noise)
    filled = np.where(finite, noise, 0.0)
    together = window_correlation(depth[:, None] - depth, half_width)
    variance = np.einsum("ij,jk,ik->i", filled, together, filled, optimize=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)) / finite.sum(1))
