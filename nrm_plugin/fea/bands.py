"""Bands of 95 % around an inverted profile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nrm_plugin.columns import ComplexArray, FloatArray

_CONFIDENCE = 1.96
_TAIL = 0.025

#: Lower and upper ends of E' and of E''.
Bands = tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]


@np.errstate(over="ignore")  # no end of the band, where the noise is far above the force
def gaussian(values: ComplexArray, spread: FloatArray, phase_unit: float) -> Bands:
    """Lower and upper ends of E' and E'', from the covariance of ln|E| and phases."""
    n = values.size
    if spread.shape[0] == n:
        factor, none = np.exp(_CONFIDENCE * np.sqrt(np.diag(spread))), np.full(n, np.nan)
        return (values.real / factor, values.real * factor), (none, none)
    phase, turn = np.angle(values), phase_unit * np.eye(n)
    tangent = np.tan(phase)[:, None]
    # E' = |E| cos(phase) and E'' = |E| sin(phase), so d ln E' = d ln|E| - tan(phase) d phase
    slopes = (np.eye(n), -tangent * turn), (np.eye(n) * tangent, turn)
    errors = [
        _CONFIDENCE * np.sqrt(np.einsum("ij,jk,ik->i", by, spread, by))
        for by in map(np.hstack, slopes)
    ]
    factor = np.exp(errors[0])
    low, high = values.real / factor, values.real * factor
    off = _CONFIDENCE * phase_unit * np.sqrt(np.diag(spread)[n:])
    either = off >= np.abs(phase)  # sign of E'': no factor leads from one to the other
    factor = np.exp(errors[1] / np.where(either, np.inf, np.abs(tangent[:, 0])))
    ends = np.sort([values.imag / factor, values.imag * factor], axis=0)
    around = [high * np.tan(np.clip(phase + sign * off, -1.5, 1.5)) for sign in (-1.0, 1.0)]
    loss = np.where(either, around, ends)
    return (low, high), (loss[0], loss[1])


def within(x: FloatArray) -> FloatArray:
    """Variance of a profile within its cells, from the steps to the neighbours."""
    return np.asarray((0.5 * np.gradient(x, axis=1)) ** 2 / 3.0)


def with_draws(bands: Bands, draws: Sequence[ComplexArray], weight: float) -> Bands:
    """Bands wide enough for other explanations too.

    Parameters
    ----------
    draws : sequence of ndarray of shape (n, cells)
        Moduli in Pa that each explanation allows, in proportion to how likely it is.
    weight : float
        How likely they are together; the rest is that of the explanation with the bands.
    """
    if weight <= 2.0 * _TAIL:
        return bands
    # Of the draws that part lies beyond which is 2.5 % of all.
    values = np.concatenate([draw for draw in draws if len(draw)])
    ends = np.array([_TAIL / weight, 1.0 - _TAIL / weight])
    (low, high), loss = bands
    found = np.quantile(values.real, ends, axis=0)
    storage = np.fmin(low, found[0]), np.fmax(high, found[1])
    if np.isfinite(loss[0]).any():
        found = np.quantile(values.imag, ends, axis=0)
        loss = np.fmin(loss[0], found[0]), np.fmax(loss[1], found[1])
    return storage, loss
