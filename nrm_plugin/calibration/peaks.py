"""Broad peaks of a noisy spectrum, roughly: where a fit can start."""

from __future__ import annotations

import numpy as np
from scipy.signal import find_peaks

from nrm_plugin.columns import FloatArray

#: Place and full width at half height, in Hz.
Peak = tuple[float, float]

#: Steps per octave over which a spectrum is averaged.
_SMOOTHINGS = (400, 100, 25, 8)


def broad_peaks(f: FloatArray, d: FloatArray, within: tuple[float, float]) -> list[Peak]:
    """Peaks that hold most power at different smoothings, without those that are alike.

    On a logarithmic axis, where 1/f noise has no maximum and is not taken for a peak.

    Parameters
    ----------
    f, d : (n,) arrays
        Frequencies in Hz, rising; densities.
    within : (float, float)
        Frequencies between which peaks are looked for.
    """
    found: list[Peak] = []
    spacing = float(np.median(np.diff(f)))
    for per_octave in _SMOOTHINGS:
        x, y = _in_steps(f, d, per_octave)
        if len(x) < 8:
            continue
        log = np.log(np.maximum(y, 1e-300))
        rough = 1.4826 * np.median(np.abs(np.diff(log))) + 1e-9
        peaks, info = find_peaks(log, prominence=max(4.0 * rough, 0.3))
        best = (0.0, 0.0, 0.0)
        for at, prominence in zip(peaks, info["prominences"], strict=True):
            if not within[0] <= x[at] <= within[1]:
                continue
            above = y[at] * (1.0 - np.exp(-prominence))
            left, right = _half_width(y, int(at), y[at] - above / 2.0)
            width = max(float(x[right] - x[left]), 2.0 * spacing)
            if above * width > best[2]:
                best = float(x[at]), width, float(above * width)
        peak = best[:2]
        if best[2] and not any(_alike(peak, other) for other in found):
            found.append(peak)
    return found


def _alike(one: Peak, other: Peak) -> bool:
    """Whether a fit that starts at one of two peaks leads to where the other does."""
    apart = abs(one[0] - other[0]) < 0.3 * min(one[1], other[1])
    return apart and bool(abs(np.log(one[1] / other[1])) < np.log(2.0))


def _half_width(y: FloatArray, at: int, level: float) -> tuple[int, int]:
    left = at
    while left > 0 and y[left] > level:
        left -= 1
    right = at
    while right < len(y) - 1 and y[right] > level:
        right += 1
    return left, right


def _in_steps(f: FloatArray, d: FloatArray, per_octave: int) -> tuple[FloatArray, FloatArray]:
    """Means over equal steps of the logarithm of the frequency."""
    step = np.floor(np.log2(f / f[0]) * per_octave).astype(np.int64)
    starts = np.flatnonzero(np.diff(step, prepend=-1))
    counts = np.diff(np.append(starts, len(f)))
    return np.add.reduceat(f, starts) / counts, np.add.reduceat(d, starts) / counts
