"""Noise of neighbouring bins: how it is correlated, and how it is made white."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy

from nrm_plugin.columns import AnyArray, FloatArray

#: Lengths of correlation, in bins, of short memory: that of a lock-in of one pole, and of more.
_ONE_POLE, _MORE_POLES = (1.0, 3.0), (0.7, 1.0, 1.5, 2.2, 3.2, 4.5, 6.5)

#: White noise that there is at least, over the variance: what is smooth is not known that well.
_FLOOR = 0.02

#: Variance of a line that may lie under the force, over that of the noise.
_ANY = 1e6

#: Lengths that together, with equal weights, are 1/f noise.
_FLICKER = np.geomspace(1.0, 2000.0, 12)

#: Shortest stretches that hold some part of a normal distribution's values: the part, half their
#: width in standard deviations, and by how much it is too small in n values, over n^(-2/3).
_SHORTEST = ((0.5, 0.6745, 1.8), (0.25, 0.3186, 5.0))

#: Values from which on they are looked at.
_MANY = 16


@dataclass(frozen=True, kw_only=True)
class Whitening:
    """Noise of the bins of a curve, from outside inwards, and what makes it white.

    Attributes
    ----------
    factor : (m, m) array
        Lower Cholesky factor of the covariance of one component, in units of white noise.
    part : float
        Part of the variance that is white: more samples in a bin reduce it.
    """

    factor: FloatArray
    part: float = 1.0

    def __call__(self, values: AnyArray) -> AnyArray:
        """Whiten rows: what each bin holds beyond what those farther out foretell."""
        white: AnyArray = values @ self.inverse.T
        return white

    @cached_property
    def covariance(self) -> FloatArray:
        """Of the bins, (m, m)."""
        return self.factor @ self.factor.T

    @property
    def memory(self) -> float:
        """Bins over which it falls to a tenth of what neighbouring bins have in common."""
        middle = self.covariance[len(self.covariance) // 2]
        later = np.abs(middle[len(middle) // 2 + 1 :])
        if not len(later) or later[0] < 0.02 * middle[len(middle) // 2]:
            return 0.0
        below = later < 0.1 * later[0]
        return float(below.argmax() + 1 if below.any() else len(later))

    @cached_property
    def inverse(self) -> FloatArray:
        """Lower triangular (m, m) array that makes the noise white and of variance 1."""
        return _inverse_of(self.factor)

    @cached_property
    def inverse_beside_lines(self) -> FloatArray:
        """The same where any straight line may lie under the force."""
        m = len(self.factor)
        lines = np.stack([np.ones(m), np.linspace(0.0, 1.0, m)])
        size = _ANY * np.trace(self.covariance) / m
        return _inverse_of(
            scipy.linalg.cholesky(self.covariance + size * lines.T @ lines, lower=True)
        )


def _inverse_of(factor: FloatArray) -> FloatArray:
    return np.asarray(scipy.linalg.solve_triangular(factor, np.eye(len(factor)), lower=True))


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
        Where the mean or the line was taken, in bins inwards from the outermost one's outer end.
    line : bool
        Whether a line was taken out.
    """
    k = outer.shape[1]
    if len(outer) == 0 or k < 4:
        return Whitening(factor=np.eye(m))
    kinds = _kinds(m, far, line=line)
    parts = np.concatenate([outer.real, outer.imag])
    spectrum = np.maximum(_variances(scipy.fft.dct(parts, norm="ortho", axis=1)), 1e-6)
    shapes = np.stack([_spectrum(kind[:k, :k]) for kind in kinds], axis=1)
    weights, scale = np.zeros(len(kinds)), spectrum
    for _ in range(4):
        weights, _residual = scipy.optimize.nnls(shapes / scale[:, None], spectrum / scale)
        scale = np.maximum(shapes @ weights, 1e-3 * spectrum.mean())
    covariance = np.tensordot(weights, np.stack(kinds), 1)
    white = float(weights[0]) / max(float(np.mean(np.diag(covariance))), 1e-300)
    covariance[np.diag_indices(m)] += _FLOOR * np.trace(covariance) / m
    return Whitening(
        factor=np.asarray(scipy.linalg.cholesky(covariance, lower=True)), part=min(white, 1.0)
    )


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
    kinds = [np.eye(m)]
    kernels = [np.exp(-apart / length) for length in _ONE_POLE]
    kernels += [(1.0 + apart / length) * np.exp(-apart / length) for length in _MORE_POLES]
    kernels.append(np.mean([np.exp(-apart / length) for length in _FLICKER], axis=0))
    kinds += [remove @ kernel @ remove.T for kernel in kernels]
    kinds.append(np.ones((m, m)))  # what the mean far away is off by
    if not line:
        drift = at[:m] - middle
        kinds.append(np.outer(drift, drift) / middle**2)
    return kinds


def _spectrum(kernel: FloatArray) -> FloatArray:
    """Variances of the cosine transform of noise with some covariance."""
    rows = scipy.fft.dct(scipy.fft.dct(kernel, norm="ortho", axis=0), norm="ortho", axis=1)
    return np.asarray(np.diag(rows))


def _variances(values: FloatArray) -> FloatArray:
    """Variance of every column about the place where most of its values are, or about 0."""
    n = len(values)
    raw = np.mean(values**2, axis=0)
    if n < _MANY:
        return np.asarray(raw)
    ordered = np.sort(values, axis=0)
    variance = raw
    for part, width, small in _SHORTEST:
        if part * n < _MANY / 2:
            break
        size = round(part * n)
        shortest = (ordered[size:] - ordered[: n - size]).min(axis=0) / (2.0 * width)
        robust = (shortest * (1.0 + small * n ** (-2.0 / 3.0))) ** 2
        # Where nothing stands out, more values know it better.
        variance = np.where(variance > 2.0 * robust, robust, variance)
    return np.asarray(variance)
