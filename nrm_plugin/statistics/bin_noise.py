"""Noise of neighbouring bins: how it is correlated, and how it is made white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import dct
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from nrm_plugin.columns import AnyArray, FloatArray

#: Lengths of correlation, in bins, of short memory: that of a lock-in.
_SHORT = (1.0, 3.0)

#: Lengths that together, with equal weights, are 1/f noise.
_FLICKER = np.geomspace(1.0, 2000.0, 12)

#: Half the width of the shortest half of a normal distribution, in standard deviations; by how
#: much it is too small in n values, over n^(-2/3); values from which on it is used.
_SHORTEST_HALF, _TOO_SMALL, _MANY = 0.6745, 1.8, 16


@dataclass(frozen=True, kw_only=True)
class Whitening:
    """What makes the noise of the bins, from outside inwards, white and of unit variance.

    Attributes
    ----------
    factor : (m, m) array
        Lower Cholesky factor of the covariance of one component.
    """

    factor: FloatArray

    def __call__(self, values: AnyArray) -> AnyArray:
        """Whiten rows: what each bin holds beyond what those farther out foretell."""
        parts = [values.real, values.imag] if np.iscomplexobj(values) else [values]
        white = [
            solve_triangular(self.factor, part.T, lower=True, check_finite=False).T
            for part in parts
        ]
        return np.asarray(white[0] + 1j * white[1] if len(white) == 2 else white[0])


def whitening(outer: AnyArray, m: int, far: tuple[float, float], *, line: bool) -> Whitening:
    """Learn from bins beyond the profiles.

    The spectrum of the bins is taken from the curves that agree with each other, so that layers
    that reach there do not count as noise as long as they are not the rule. It is described by
    white noise, that of a memory, 1/f noise and a drift, from all of which the mean far away (or
    the line) is taken out as from the force itself.

    Parameters
    ----------
    outer : (n, k) complex array
        Bins beyond the profiles, in units of white noise.
    m : int
        Bins of a curve.
    far : (begin, end)
        Where the mean or the line was taken, in bins outwards from the outermost one.
    line : bool
        Whether a line was taken out.
    """
    k = outer.shape[1]
    if len(outer) == 0 or k < 4:
        return Whitening(factor=np.eye(m))
    kinds = _kinds(m, far, line=line)
    parts = np.concatenate([outer.real, outer.imag])
    spectrum = np.maximum(_variances(dct(parts, norm="ortho", axis=1)), 1e-6)
    shapes = np.stack([_spectrum(kind[:k, :k]) for kind in kinds], axis=1)
    weights, scale = np.zeros(len(kinds)), spectrum
    for _ in range(4):
        weights, _residual = nnls(shapes / scale[:, None], spectrum / scale)
        scale = np.maximum(shapes @ weights, 1e-3 * spectrum.mean())
    covariance = np.tensordot(weights, np.stack(kinds), 1)
    covariance[np.diag_indices(m)] += 1e-3 * np.trace(covariance) / m
    return Whitening(factor=np.asarray(cholesky(covariance, lower=True)))


def _kinds(m: int, far: tuple[float, float], *, line: bool) -> list[FloatArray]:
    """Covariances of the bins for noise of several kinds, less the mean or line far away."""
    begin, end = far
    # The bins, and places spread over the window far away.
    at = np.append(np.arange(m, dtype=np.float64), np.linspace(begin, end, 64))
    taken = np.ones((1, 64)) if not line else np.vstack([np.ones(64), np.linspace(-1, 1, 64)])
    middle, half = 0.5 * (begin + end), max(0.5 * abs(end - begin), 1e-9)
    shapes = (
        [np.ones(m)] if not line else [np.ones(m), (at[:m] - middle) / half * np.sign(end - begin)]
    )
    fit = np.stack(shapes, 1) @ np.linalg.pinv(taken.T)
    remove = np.hstack([np.eye(m), -fit])
    apart = np.abs(at[:, None] - at)
    white = np.eye(m)
    kinds = [white]
    for lengths in ((_SHORT[0],), (_SHORT[1],), _FLICKER):
        kernel = sum((np.exp(-apart / length) for length in lengths), np.zeros_like(apart))
        kinds.append(remove @ kernel @ remove.T / len(lengths))
    if not line:
        drift = at[:m] - middle
        kinds.append(np.outer(drift, drift) / middle**2)
    return kinds


def _spectrum(kernel: FloatArray) -> FloatArray:
    """Variances of the cosine transform of noise with some covariance."""
    rows = dct(dct(kernel, norm="ortho", axis=0), norm="ortho", axis=1)
    return np.asarray(np.diag(rows))


def _variances(values: FloatArray) -> FloatArray:
    """Variance of every column about the place where most of its values are, or about 0."""
    n = len(values)
    raw = np.mean(values**2, axis=0)
    if n < _MANY:
        return np.asarray(raw)
    ordered = np.sort(values, axis=0)
    half = n // 2
    shortest = (ordered[half:] - ordered[: n - half]).min(axis=0) / (2.0 * _SHORTEST_HALF)
    robust = (shortest * (1.0 + _TOO_SMALL * n ** (-2.0 / 3.0))) ** 2
    # Where nothing stands out, the mean of squares is better known.
    unsure = 2.5 * np.sqrt(2.0 / n)
    return np.asarray(np.where(raw < robust * (1.0 + 2.0 * unsure), raw, robust))
