"""Where the tip pressed: the peak of deflection that each ramp makes, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.model import CurveSet
from nrm_plugin.pairing.stream import Stream

#: Steps of the stream in the width of a usual peak at half of its height.
STEPS = 40
#: Points of a peak's shape, and how many widths they reach to either side.
POINTS, REACH = 80, 2.5
#: A peak is this many times the noise, and within a factor of this of the usual width.
ABOVE, WIDTHS = 8.0, 4.0


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """Peaks of deflection in order of time.

    Attributes
    ----------
    time : (peak,) array
        Of the middle between the two flanks at half of the height, s.
    width : (peak,) array
        Between the flanks, s.
    height : (peak,) array
        Above the baseline, in the unit of the deflection.
    shape : (peak, `POINTS`) array
        Deflection above the baseline around `time`.
    curve : (peak,) array of int
        Number of the curve, or of the piece of the stream.
    noise : float
        Standard deviation of one point of a shape.
    """

    time: FloatArray
    width: FloatArray
    height: FloatArray
    shape: FloatArray
    curve: IntArray
    noise: float

    def __len__(self) -> int:
        return len(self.time)

    def chosen(self, which: IntArray) -> Peaks:
        """Some of them."""
        return Peaks(
            time=self.time[which],
            width=self.width[which],
            height=self.height[which],
            shape=self.shape[which],
            curve=self.curve[which],
            noise=self.noise,
        )


def peaks_of_curves(curves: CurveSet) -> tuple[Peaks, FloatArray]:
    """Find the peak of every curve; times count from the curve's first sample.

    Returns
    -------
    Peaks
        Of the curves that have one.
    array
        Duration of each curve in s.
    """
    found: list[tuple[int, float, float, float]] = []
    traces: list[tuple[FloatArray, FloatArray]] = []
    duration = np.full(curves.n_curves, np.nan)
    noises = []
    for first, stop in curves.blocks():
        time, bent = (
            curves.read("time", slice(first, stop)),
            curves.read("deflection", slice(first, stop)),
        )
        at = 0
        for number in range(first, stop):
            n = int(curves.row_size[number])
            t, y = time[at : at + n], bent[at : at + n]
            at += n
            if n < 16 or not np.isfinite(t).all() or not np.isfinite(y).all():
                continue
            t = t - t[0]
            duration[number] = t[-1] + (t[-1] - t[0]) / (n - 1)
            base = _quantile(y, 0.25)
            y = y - base
            noise = _quantile(np.abs(np.diff(y)), 0.5) / 0.954
            top = int(np.argmax(y))
            if y[top] < ABOVE * noise:
                continue
            flanks = _flanks(y, top, 0.5 * y[top], n)
            if flanks is None:
                continue
            crossed = [_between(t, position) for position in flanks]
            found.append((number, crossed[0], crossed[1], float(y[top])))
            traces.append((t, y))
            noises.append(noise)
    if not found:
        return _none(), duration
    numbers, rise, fall, height = (np.array(column) for column in zip(*found, strict=True))
    width = fall - rise
    middle = 0.5 * (rise + fall)
    usual = float(np.median(width))
    grid = np.linspace(-REACH, REACH, POINTS) * usual
    spread = usual / STEPS
    shape = np.stack(
        [
            _averaged(t, y, moment + grid, spread)
            for (t, y), moment in zip(traces, middle, strict=True)
        ]
    )
    shape = _without_level(shape)
    interval = float(np.nanmedian(duration[numbers] / curves.row_size[numbers]))
    noise = float(np.median(noises)) * min(1.0, np.sqrt(interval / spread))
    peaks = Peaks(
        time=middle,
        width=width,
        height=height,
        shape=shape,
        curve=numbers.astype(np.int64),
        noise=noise,
    )
    return peaks, duration


def peaks_of_stream(stream: Stream, sign: float, usual: float, period: float) -> Peaks:
    """Find the peaks of a stream that are about as wide as a ramp's.

    Parameters
    ----------
    sign : float
        1 where the deflection grows with repulsion, else -1.
    usual : float
        Width in s.
    period : float
        From ramp to ramp, s.
    """
    grid = np.linspace(-REACH, REACH, POINTS) * usual
    reach = int(2.0 * WIDTHS * usual / stream.step) + 2
    parts: list[Peaks] = []
    for piece in range(len(stream.times)):
        a, b = int(stream.edges[piece]), int(stream.edges[piece + 1])
        y = sign * stream.values[a:b]
        known = np.isfinite(y)
        if known.sum() < 2 * POINTS // 3:
            continue
        if not known.all():
            y = np.where(known, y, np.nanmedian(y))
        y = y - _baseline(y, max(16, round(4.0 * period / stream.step)))
        noise = float(np.median(np.abs(np.diff(y)))) / 0.954
        where = _excursions(y, max(ABOVE * noise, 1e-300), 0.5 * usual / stream.step)
        rows = []
        for begin, end in where:
            top = begin + int(np.argmax(y[begin:end]))
            flanks = _flanks(y, top, 0.5 * y[top], reach)
            if flanks is None:
                continue
            rise, fall = flanks
            if not usual / WIDTHS < (fall - rise) * stream.step < usual * WIDTHS:
                continue
            rows.append((rise, fall, y[top]))
        if not rows:
            continue
        rise, fall, height = np.array(rows).T
        middle = 0.5 * (rise + fall)
        positions = middle[:, None] + grid / stream.step
        shape = _without_level(np.interp(positions, np.arange(len(y)), y))
        parts.append(
            Peaks(
                time=np.asarray(stream.time(middle + a, piece)),
                width=(fall - rise) * stream.step,
                height=height,
                shape=shape,
                curve=np.full(len(rows), piece, np.int64),
                noise=noise,
            )
        )
    if not parts:
        return _none()
    return Peaks(
        time=np.concatenate([p.time for p in parts]),
        width=np.concatenate([p.width for p in parts]),
        height=np.concatenate([p.height for p in parts]),
        shape=np.concatenate([p.shape for p in parts]),
        curve=np.concatenate([p.curve for p in parts]),
        noise=float(np.median([p.noise for p in parts])),
    )


def _none() -> Peaks:
    empty = np.empty(0)
    return Peaks(
        time=empty,
        width=empty,
        height=empty,
        shape=np.empty((0, POINTS)),
        curve=np.empty(0, np.int64),
        noise=0.0,
    )


def _without_level(shape: FloatArray) -> FloatArray:
    """Shapes about their mean: a drift of the deflection is no difference."""
    return np.asarray(shape - shape.mean(axis=1, keepdims=True))


def _between(values: FloatArray, position: float) -> float:
    """Value at a fractional position that is not the last one."""
    low = int(position)
    return float(values[low] + (position - low) * (values[low + 1] - values[low]))


def _quantile(values: FloatArray, part: float) -> float:
    """As ``np.quantile``, without what that costs for a single short array."""
    at = part * (len(values) - 1)
    low = int(at)
    two = np.partition(values, [low, min(low + 1, len(values) - 1)])[low : low + 2]
    return float(two[0] + (at - low) * (two[-1] - two[0]))


def _flanks(y: FloatArray, top: int, level: float, reach: int) -> tuple[float, float] | None:
    """Positions before and behind the top, at most `reach` away, at which a level is crossed."""
    first = max(0, top - reach)
    below = np.flatnonzero(y[first:top] < level)
    behind = np.flatnonzero(y[top : top + reach] < level)
    if not len(below) or not len(behind):
        return None
    a, b = first + int(below[-1]), top + int(behind[0])
    rise = a + (level - y[a]) / (y[a + 1] - y[a])
    fall = b - (level - y[b]) / (y[b - 1] - y[b])
    return float(rise), float(fall)


def _baseline(y: FloatArray, block: int) -> FloatArray:
    """The lower quartile of blocks, joined by lines: where the tip is free."""
    n = max(1, len(y) // block)
    edges = np.linspace(0, len(y), n + 1).astype(int)
    level = np.array([np.quantile(y[a:b], 0.25) for a, b in pairwise(edges)])
    if n >= 5:  # a press of many seconds is no baseline
        level = np.array([np.median(level[max(0, i - 2) : i + 3]) for i in range(n)])
    return np.asarray(np.interp(np.arange(len(y)), 0.5 * (edges[:-1] + edges[1:]), level))


def _excursions(y: FloatArray, threshold: float, gap: float) -> list[tuple[int, int]]:
    """Stretches above a threshold; a shorter gap, where the tip jumps off, does not end one."""
    above = np.concatenate([[False], y > threshold, [False]])
    edges = np.flatnonzero(above[1:] != above[:-1])
    if not len(edges):
        return []
    begins, ends = edges[::2], edges[1::2]
    apart = begins[1:] - ends[:-1] > gap
    begins, ends = begins[np.concatenate([[True], apart])], ends[np.concatenate([apart, [True]])]
    return [(int(a), int(b)) for a, b in zip(begins, ends, strict=True) if b - a >= 3]


def _averaged(t: FloatArray, y: FloatArray, at: FloatArray, spread: float) -> FloatArray:
    """Means of a trace within `spread` s about moments."""
    total = np.concatenate([[0.0], np.cumsum(0.5 * (y[1:] + y[:-1]) * np.diff(t))])
    low, high = (np.interp(at + sign * 0.5 * spread, t, total) for sign in (-1.0, 1.0))
    inside = np.clip(at + 0.5 * spread, t[0], t[-1]) - np.clip(at - 0.5 * spread, t[0], t[-1])
    out = np.interp(at, t, y)
    np.divide(high - low, inside, out=out, where=inside > 0.25 * spread)
    return out
