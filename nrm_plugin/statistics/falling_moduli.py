"""Layers that become softer outwards: where |G*| falls below a value, and how fast it does."""

from __future__ import annotations

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.statistics.binned_forces import BinnedForces
from nrm_plugin.statistics.selection import blocks, half_width, profile_variable, step

#: Bins of a decay length from which on it is told from thin layers.
_RESOLVED = 3.0

#: Decay lengths (m) that are tried, and how many.
_SHORTEST, _LONGEST, _LENGTHS = 1e-9, 60e-9, 40

#: An exponential fits up to such a sum of squares per degree of freedom, or such a part of all; it
#: must gain so much more than a straight line, and so much at all.
_FITS, _MODEL, _BETTER, _PLAIN = 1.5, 0.003, 10.0, 100.0

#: Curves in which pairs of pieces are tried at once.
_TOGETHER = 256


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


def decay_length(forces: BinnedForces, variance: float) -> FloatArray:
    """Decay length of the force of every curve that falls off exponentially (m); nan for others.

    It does where an exponential explains the whole force as well as the noise lets it, and better
    than one or two straight pieces, as above layers of uniform modulus.

    Parameters
    ----------
    forces : BinnedForces
    variance : float
        Of one component of the values' noise.
    """
    n, m = forces.values.shape
    at = np.arange(m)
    z = (m - at - 0.5) * forces.width
    there = (at < forces.count[:, None]).astype(np.float64)
    values = np.where(there > 0.0, forces.values, 0.0)
    total = np.sum(np.abs(values) ** 2, axis=1) / variance
    lengths = np.geomspace(_SHORTEST, _LONGEST, _LENGTHS)
    falling = _gains(values, there, np.exp(-z / lengths[:, None])) / variance
    edges = (m - np.arange(0, m, 2)) * forces.width
    hinges = np.clip(edges[:, None] - z, 0.0, None)
    straight = _gains(values, there, hinges) / variance
    found = np.full(n, np.nan)
    if not n:
        return found
    best = np.clip(falling.argmax(axis=1), 1, _LENGTHS - 2)
    rows = np.arange(n)
    top = falling[rows, best]
    left, freedom = total - top, 2.0 * forces.count - 3.0
    fits = (
        (left < np.maximum(_FITS * freedom, _MODEL * total))
        & (top > straight.max(axis=1) + _BETTER)
        & (top > _PLAIN)
    )
    fits &= lengths[best] > _RESOLVED * forces.width
    for count in np.unique(forces.count[fits]):
        some = np.flatnonzero(fits & (forces.count == count))
        two = _gain_of_two(values[some, :count], hinges[:, :count]) / variance
        fits[some] = top[some] > two
    before, after = falling[rows, best - 1], falling[rows, best + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.clip(0.5 * (before - after) / (before - 2.0 * top + after), -0.5, 0.5)
    ratio = np.log(_LONGEST / _SHORTEST) / (_LENGTHS - 1)
    found[fits] = (lengths[best] * np.exp(shift * ratio))[fits]
    return found


def _gains(values: AnyArray, there: FloatArray, shapes: FloatArray) -> FloatArray:
    """What each shape explains of each curve's sum of squares: (curve, shape)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        gain = np.abs(values @ shapes.T) ** 2 / (there @ (shapes**2).T)
    return np.nan_to_num(gain)


def _gain_of_two(values: AnyArray, shapes: FloatArray) -> FloatArray:
    """The most that two of the shapes together explain of each curve's sum of squares."""
    along, products = values @ shapes.T, shapes @ shapes.T
    first, second = np.triu_indices(len(shapes), 1)
    square, cross = np.diag(products), products[first, second]
    determinant = square[first] * square[second] - cross**2
    sound = determinant > 1e-9 * square[first] * square[second]
    first, second, cross = first[sound], second[sound], cross[sound]
    most = np.zeros(len(values))
    for i in range(0, len(values), _TOGETHER):
        a, b = along[i : i + _TOGETHER, first], along[i : i + _TOGETHER, second]
        gain = square[second] * np.abs(a) ** 2 + square[first] * np.abs(b) ** 2
        gain -= 2.0 * cross * np.real(a * b.conj())
        most[i : i + _TOGETHER] = np.max(gain / determinant[sound], axis=1, initial=0.0)
    return most
