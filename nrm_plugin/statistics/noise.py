"""How noise adds up over depth: neighbouring distances share samples."""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import FloatArray


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
    there = np.isfinite(noise)
    known = np.where(there, noise, 0.0)
    together = window_correlation(depth[:, None] - depth, half_width)
    variance = np.einsum("ij,jk,ik->i", known, together, known, optimize=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)) / there.sum(1))
