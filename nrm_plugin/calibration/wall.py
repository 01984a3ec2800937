"""The wall of a force curve: where a stiff sample makes deflection and height rise as one.

Everything here is about one direction of one curve, in V against m, counted from the turn
outwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from nrm_plugin.columns import FloatArray

#: Samples of a wall below which no line is fitted.
FEWEST = 12

#: Samples in a block whose mean stands for them, and the fewest blocks that make a baseline.
_BLOCK, _BLOCKS = 16, 4

#: Samples next to the turn that are left out: a trigger chooses them by their noise.
_AT_TURN = 3


class Unusable(Exception):
    """A curve without a wall that a line can be fitted to; the text says why."""


@dataclass(frozen=True, kw_only=True)
class WallContact:
    """Samples in contact, in order from the turn outwards.

    Attributes
    ----------
    height, volts : (n,) arrays
        In m and V, the baseline's line subtracted from the volts.
    noise, height_noise : float
        Standard deviation of white noise of both, from second differences.
    base_slope, base_variance : float
        The baseline's slope in V/m and its variance.
    saturated : int
        Samples left out because the detector had reached its limit.
    """

    height: FloatArray
    volts: FloatArray
    noise: float
    height_noise: float
    base_slope: float
    base_variance: float
    saturated: int


@dataclass(frozen=True)
class WallLine:
    """A slope in V/m and its variance."""

    slope: float
    variance: float


def white_noise(values: FloatArray) -> float:
    """Standard deviation of the part of `values`, shape (n,), that differs from sample to sample.

    From the median of second differences, which a ramp does not change; at least that of rounding
    to the smallest step.
    """
    second = np.abs(np.diff(values, 2))
    steps = np.abs(np.diff(values))
    steps = steps[steps > 1e-9 * np.ptp(values)]
    rounding = float(steps.min()) / np.sqrt(12.0) if len(steps) else 0.0
    spread = 1.4826 * float(np.median(second)) / np.sqrt(6.0)
    return spread if spread > 0.0 else rounding


def contact_of(height: FloatArray, volts: FloatArray, falling: bool) -> WallContact:
    """Find the samples in contact.

    The baseline is grown from the far end in blocks of 16 samples until two blocks in a row leave
    it by four standard errors (which hold drift and interference, as they are taken from block
    means). Contact reaches from the turn to where the deflection sinks below five times the noise.

    Parameters
    ----------
    height, volts : (n,) arrays
        In order of time, in m and V.
    falling : bool
        Whether the turn is at the end (an approach).

    Raises
    ------
    Unusable
    """
    good = np.isfinite(height) & np.isfinite(volts)
    height, volts = height[good], volts[good]
    if len(height) < FEWEST + (_BLOCKS + 2) * _BLOCK:
        raise Unusable("fewer than 108 samples")
    if not np.ptp(volts) or not np.ptp(height):
        raise Unusable("height or deflection does not vary")
    if falling:
        height, volts = height[::-1], volts[::-1]
    noise = white_noise(volts)
    free = _unsaturated(volts, noise)
    level, slope, variance, spread = _baseline(height, volts, free, noise)
    rest = volts - (level + slope * height)
    threshold = 5.0 * max(noise, spread)
    smooth = median_filter(rest, 5, mode="nearest")
    below = np.flatnonzero(smooth < threshold)
    foot = int(below[0]) if len(below) else len(rest)
    # Foot and limit were found by the noise: what lies next to them is left out, too.
    cut = np.flatnonzero(~free[:foot])
    first = int(cut[-1]) + 7 if len(cut) else _AT_TURN
    part = np.arange(first, foot - max(6, (foot - first) // 20))
    saturated = len(cut)
    if len(part) < FEWEST:
        raise Unusable("saturated" if saturated else "no contact of 12 samples or more")
    clean = np.abs(rest[part] - median_filter(rest[part], 7, mode="nearest")) < 6.0 * noise + (
        2.0 * abs(np.median(np.diff(rest[part])))
    )
    part = part[clean]
    if len(part) < FEWEST:
        raise Unusable("no contact of 12 samples or more")
    return WallContact(
        height=height[part],
        volts=rest[part],
        noise=noise,
        height_noise=_height_noise(height),
        base_slope=slope,
        base_variance=variance,
        saturated=saturated,
    )


def _height_noise(height: FloatArray) -> float:
    second = np.diff(height, 2)
    return 1.4826 * float(np.median(np.abs(second - np.median(second)))) / float(np.sqrt(6.0))


def _unsaturated(volts: FloatArray, noise: float) -> np.ndarray:
    """Which samples are within the detector's range: four equal extremes in a row are its limit.

    Where noise can have reached the limit, what is recorded is lopsided; that is left out, too.
    """
    free = np.ones(len(volts), bool)
    for limit, side in ((volts.max(), 1.0), (volts.min(), -1.0)):
        at = volts == limit
        runs = at[3:] & at[2:-1] & at[1:-2] & at[:-3]
        if runs.any():
            free &= side * (limit - volts) > 5.0 * noise
    return free


def _baseline(
    height: FloatArray, volts: FloatArray, free: np.ndarray, noise: float
) -> tuple[float, float, float, float]:
    """Level and slope of the baseline, the slope's variance, and the spread of block means."""
    h, v = height[free][::-1], volts[free][::-1]
    n = len(h) // _BLOCK
    if n < _BLOCKS + 2:
        raise Unusable("saturated")  # all of 108 samples or more would make six blocks
    h = h[: n * _BLOCK].reshape(n, _BLOCK).mean(axis=1)
    v = np.median(v[: n * _BLOCK].reshape(n, _BLOCK), axis=1)
    least = 1.25 * noise / np.sqrt(_BLOCK)
    count, step = max(_BLOCKS, n // 10), max(1, n // 50)
    while count < n:
        level, slope, variance, spread = _block_line(h[:count], v[:count], least)
        ahead = slice(count, count + step + 1)
        away = np.abs(v[ahead] - level - slope * h[ahead])
        reach = 4.0 * np.sqrt(spread**2 + variance * (h[ahead] - h[:count].mean()) ** 2)
        out = away > reach
        if not (out[1:] & out[:-1]).any() and not out.all():
            count += step
        elif step > 1:
            step = 1
        else:
            break
    else:
        raise Unusable("no contact" if free.all() else "saturated")
    return _block_line(h[: max(_BLOCKS, count - 2)], v[: max(_BLOCKS, count - 2)], least)


def _block_line(h: FloatArray, v: FloatArray, least: float) -> tuple[float, float, float, float]:
    x = h - h.mean()
    sxx = float(x @ x)
    slope = float(x @ v) / sxx
    rest = v - v.mean() - slope * x
    spread = max(least, float(np.sqrt(rest @ rest / (len(h) - 2))))
    return float(v.mean() - slope * h.mean()), slope, spread**2 / sxx, spread


def split_slopes(contact: WallContact, count: int, at: float) -> tuple[WallLine, WallLine]:
    """Least-squares slopes of two parts of the first `count` samples, split at this fraction."""
    middle = round(at * count)
    lines = []
    for part in (slice(0, middle), slice(middle, count)):
        x = contact.height[part] - contact.height[part].mean()
        sxx = float(x @ x)
        lines.append(WallLine(float(x @ contact.volts[part]) / sxx, _variance(contact) / sxx))
    return lines[0], lines[1]


def _variance(contact: WallContact) -> float:
    """Variance of a sample about the wall: the detector's noise and the height's."""
    n = len(contact.height)
    run = contact.height[-1] - contact.height[0]
    slope = (contact.volts[-1] - contact.volts[0]) / run if run and n else 0.0
    return float(contact.noise**2 + (slope * contact.height_noise) ** 2)


def robust_line(contact: WallContact, count: int) -> WallLine:
    """Slope of the wall over the first `count` samples by Huber's M-estimator.

    The variance is that of the M-estimator (Huber 1981, section 7.6), times (1 + r)/(1 - r) where
    residuals of neighbours are correlated by r; noise of the height makes slopes too small by
    its share of the height's variance, and that is put right.
    """
    x = contact.height[:count] - contact.height[:count].mean()
    y = contact.volts[:count]
    weight = np.ones(count)
    for _ in range(6):
        total = weight.sum()
        middle, level = (weight @ x) / total, (weight @ y) / total
        sxx = float(weight @ (x - middle) ** 2)
        slope = float(weight @ ((x - middle) * (y - level))) / sxx
        rest = y - level - slope * (x - middle)
        scale = max(1.4826 * float(np.median(np.abs(rest))), 1e-12 * float(np.ptp(y)))
        weight = np.minimum(1.0, 1.345 * scale / np.maximum(np.abs(rest), 1e-300))
    inside = float(np.mean(np.abs(rest) <= 1.345 * scale))
    bent = weight * rest
    variance = float(bent @ bent) / (count - 2) / inside**2 / float(x @ x)
    r = float(bent[1:] @ bent[:-1]) / max(float(bent @ bent), 1e-300)
    if r > 2.0 / np.sqrt(count):
        variance *= (1.0 + min(r, 0.95)) / (1.0 - min(r, 0.95))
    share = contact.height_noise**2 * (count - 1) / float(x @ x)
    slope /= 1.0 - min(share, 0.5)
    return WallLine(slope, variance + contact.base_variance)
