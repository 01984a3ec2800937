"""Slopes of the walls of many curves: which is the electrode's own, and which give way.

On a rigid electrode the deflection grows by as much as the height falls, in units of its true
sensitivity. Whatever gives way, an electrode with a binder or a layer that stopped the ramp, makes
the slope smaller, never larger: the steepest mode that stands out from the noise is the
sensitivity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray, IntArray

#: A sensitivity that is wrong by up to this factor, either way, is corrected by the wall: a value
#: of air in a liquid is wrong by 1.33 to 1.45.
MOST_RATIO = 2.0

#: What is less steep than this part of the pooled slope ended in a layer; electrodes of 1 GPa have
#: 0.97 of it.
LEAST_SLOPE = 0.8

#: The smallest window on the wall, in m; it has 6 to 12 samples.
_FIRST = 10e-9

#: Where all slopes are smaller than `LEAST_SLOPE` as told, layers may be all that there is. Walls
#: they are if so many of the curves agree, to this spread, and are straight over this part of what
#: the deflection rises: the slope of its nearer half differs by less than this part.
_AGREE, _ALIKE, _STRAIGHT, _BENT = 0.5, 0.03, 0.4, 0.01

#: Windows in which the slope of a curve is less certain than this are too small, and how certain it
#: should be where modes are sought: as little as it needs, since large windows have layers in them.
_TOO_UNSURE, _SURE = 0.05, (0.01, 0.006, 0.0035)

#: Slopes after the turn of a retract are those of windows of this height, up to so far from the
#: turn, and compared with those farther away (m), from which they differ by no more than this part.
_LOCAL, _LONGEST_TURN, _BEYOND_TURN = 4e-9, 12e-9, np.arange(12e-9, 21e-9, 2e-9)
_OFF_THE_WALL = 0.015

#: Slopes in windows agree within so many standard errors. More takes in a layer's tail.
_AGREES = 2.0

#: A window is tested by its growth where it has so many times the samples of the first one.
_TESTED = 3.0

#: Of the error that a tail makes in a window, which grows at least with its square, half of it
#: shows three quarters.
_OF_ALL = 4.0 / 3.0

#: Modes have a share of at least this, those that give way of this, and they stand apart by so
#: many of their widths (Ashman's D).
_LEAST_SHARE, _LEAST_SOFT, _APART = 0.1, 0.05, 2.0

#: Slopes of one electrode differ by at least this from place to place.
_NARROWEST = 0.0015


@dataclass(frozen=True, kw_only=True)
class WallMode:
    """Walls of one kind.

    Attributes
    ----------
    slope, stderr : float
        In m/m (negative), and its standard error.
    width : float
        How much its walls differ, without what noise adds.
    share : float
        Of all walls.
    """

    slope: float
    stderr: float
    width: float
    share: float


@dataclass(frozen=True, kw_only=True)
class PooledSlope:
    """Slope of the steepest walls of a direction.

    Attributes
    ----------
    slope, stderr : float
        In m/m (negative), and its standard error.
    common : float
        Error that all curves share: what the window may have of a layer's tail, unseen.
    spread : float
        How much its walls differ, noise included.
    modes : tuple of WallMode
        Steepest first.
    """

    slope: float
    stderr: float
    common: float
    spread: float
    modes: tuple[WallMode, ...]


def pooled_slope(
    begin: IntArray, height: FloatArray, deflection: FloatArray, turn: float = 0.0
) -> PooledSlope | None:
    """Slope of the steepest walls; None without any wall.

    The median over the curves of the steepest mode, in the largest window that smaller ones bear
    out. What lies within the height `turn` (m) of the last sample is left out.
    """
    windows = _windows(begin, height)
    found = kernels.tail_slopes(begin, height, deflection, windows, np.array([turn]))
    slopes, errors = (table[0] for table in found)
    limit = _limit(begin, height, deflection, windows, slopes, errors)
    grown = _grown(slopes, errors, limit)
    if grown is None:
        return None
    looked_at = []
    for sure in _SURE:
        column = _sure_column(slopes, errors, limit, sure)
        if column in looked_at:
            continue
        looked_at.append(column)
        modes = () if column is None else _modes_in(slopes, errors, limit, column)
        if len(modes) > 1 and _are_walls(modes, grown.slope):
            # Curves whose electrode gives way do not count.
            hard = slopes[:, column] < (modes[0].slope + modes[1].slope) / 2.0
            grown = _grown(slopes[hard], errors[hard], limit) or grown
            break
    else:
        modes = (_one_mode(slopes[:, grown.column], errors[:, grown.column], grown, limit),)
    return PooledSlope(
        slope=grown.slope,
        stderr=grown.stderr,
        common=max(grown.unseen, _tail_of(slopes, grown, limit, windows)),
        spread=grown.spread,
        modes=modes,
    )


def _tail_of(slopes: FloatArray, grown: _Grown, limit: float, windows: IntArray) -> float:
    """What half of the window says of a tail in all of it; 0 where the window has grown.

    A window that is hardly larger than the smallest one that noise lets tell was not tested by its
    growth.
    """
    size = windows[grown.column]
    if size > _TESTED * windows[grown.first]:
        return 0.0
    half = int(np.argmin(np.abs(windows - size / 2.0)))
    apart = (slopes[:, half] - slopes[:, grown.column])[slopes[:, grown.column] < limit]
    apart = apart[np.isfinite(apart)]
    if len(apart) < 3:
        return 0.0
    middle = float(np.median(apart))
    error = 1.2533 * 1.4826 * float(np.median(np.abs(apart - middle))) / np.sqrt(len(apart))
    return float(_OF_ALL * np.hypot(middle, error))


def _are_walls(modes: tuple[WallMode, ...], slope: float) -> bool:
    """Whether modes are walls, and not windows that have layers in them."""
    narrow = all(mode.width < _ALIKE for mode in modes)
    return narrow and modes[0].slope <= slope + 0.005 * abs(slope)


def _one_mode(slopes: FloatArray, errors: FloatArray, grown: _Grown, limit: float) -> WallMode:
    """All walls as of one kind."""
    walls = slopes < limit
    noise = float(np.median(errors[walls]))
    by_chance = noise**2 * (1.0 + 4.0 * float(np.sqrt(2.0 / walls.sum())))
    width = float(np.sqrt(max(grown.spread**2 - by_chance, _NARROWEST**2)))
    return WallMode(slope=grown.slope, stderr=grown.stderr, width=width, share=1.0)


def _windows(begin: IntArray, height: FloatArray) -> IntArray:
    """Samples of windows on the wall, the first as small as in the search of each curve."""
    longest = int(np.diff(begin).max(initial=0))
    step = spacing(begin, height)
    size = float(np.clip(_FIRST // step, 6, 12)) if step > 0.0 else 12.0
    sizes = []
    while size <= longest // 2:
        sizes.append(int(size))
        size *= 1.15
    return np.unique(np.array(sizes, np.int64))


def spacing(begin: IntArray, height: FloatArray) -> float:
    """Height from one sample to the next in m, median over curves; nan without any."""
    long = np.diff(begin) > 1
    first, last = begin[:-1][long], begin[1:][long] - 1
    steps = np.abs(height[last] - height[first]) / (last - first)
    steps = steps[np.isfinite(steps)]
    return float(np.median(steps)) if len(steps) else float("nan")


def _limit(
    begin: IntArray,
    height: FloatArray,
    deflection: FloatArray,
    windows: IntArray,
    slopes: FloatArray,
    errors: FloatArray,
) -> float:
    """Slope beyond which curves have walls: relative to the steepest mode, whatever was told."""
    told = -LEAST_SLOPE
    column = _sure_column(slopes, errors, -1.0 / MOST_RATIO, _SURE[0])
    if column is None:
        return told
    modes = _modes_in(slopes, errors, -1.0 / MOST_RATIO, column)
    limit = LEAST_SLOPE * modes[0].slope
    if modes[0].slope <= told:
        return min(limit, told) if modes[0].slope < -1.0 / LEAST_SLOPE else told
    grown = _grown(slopes, errors, limit)
    if grown is None or grown.spread > _ALIKE:
        return told
    alike = np.abs(slopes[:, grown.column] - grown.slope) <= 3.0 * grown.spread
    if alike.sum() < _AGREE * len(slopes):
        return told
    risen = np.array([np.ptp(deflection[a:b]) if b > a else np.nan for a, b in pairwise(begin)])
    for number, size in enumerate(windows):
        length = np.abs(grown.slope) * _lengths(begin, height, int(size))
        if np.median((length / risen)[alike]) >= _STRAIGHT:
            half = int(np.argmin(np.abs(windows - size / 2.0)))
            bend = (slopes[:, half] - slopes[:, number])[alike]
            straight = _is_small(bend, errors[alike, half], _BENT * abs(grown.slope))
            return limit if straight else told
    return told


def _is_small(values: FloatArray, errors: FloatArray, most: float) -> bool:
    """Whether values scatter around less than `most`, and are sure enough to tell."""
    middle = float(np.median(values))
    spread = max(1.4826 * float(np.median(np.abs(values - middle))), float(np.median(errors)))
    return abs(middle) <= most and 3.0 * 1.2533 * spread / np.sqrt(len(values)) <= most


def _lengths(begin: IntArray, height: FloatArray, samples: int) -> FloatArray:
    """Height over which the last samples of every curve go, in m."""
    first = np.maximum(begin[1:] - samples, begin[:-1])
    lengths: FloatArray = np.abs(height[np.maximum(begin[1:] - 1, 0)] - height[first])
    return lengths


@dataclass(frozen=True, kw_only=True)
class _Grown:
    """Slope in the largest window that smaller ones bear out."""

    slope: float
    stderr: float
    unseen: float
    spread: float
    column: int
    first: int


def _grown(slopes: FloatArray, errors: FloatArray, limit: float) -> _Grown | None:
    """Grow the window on the walls that are steeper than a limit; None without any."""
    softest, bound, first = np.inf, 0.0, None
    best = None
    for number, (column, error) in enumerate(zip(slopes.T, errors.T, strict=True)):
        walls = column < limit
        if not walls.any():
            continue
        unsure = float(np.median(error[walls]))
        if unsure > _TOO_UNSURE:
            continue
        middle, spread = _steep_mode(column[walls])
        near = column[walls][np.abs(column[walls] - middle) <= 3.0 * spread]
        spread = max(spread, unsure)
        stderr = 1.2533 * spread / np.sqrt(len(near))
        # A layer's tail makes the slope smaller; noise of the height does so in small windows.
        if middle + _AGREES * stderr < softest:
            softest, bound = middle + _AGREES * stderr, stderr
        if middle - _AGREES * stderr > softest:
            break
        first = number if first is None else first
        best = _Grown(
            slope=middle,
            stderr=stderr,
            unseen=stderr + bound,
            spread=spread,
            column=number,
            first=first,
        )
    return best


def _steep_mode(slopes: FloatArray) -> tuple[float, float]:
    """Centre and standard deviation of the steep ones among slopes.

    A layer that stops a curve makes its slope smaller, never larger: begin at the middle of the
    shortest half, take the spread from the slopes beyond it, and settle on what lies within.
    """
    ordered = np.sort(slopes)
    half = (len(ordered) + 1) // 2
    widths = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
    first = int(np.argmin(widths))
    middle, spread = _median_of_sorted(ordered[first : first + half]), 0.0
    for _ in range(10):
        beyond = middle - ordered[ordered < middle]
        spread = 1.4826 * _median_of_sorted(beyond) if len(beyond) else 0.0
        new = _median_of_sorted(ordered[np.abs(ordered - middle) <= 3.0 * spread])
        if new == middle:
            break
        middle = new
    return middle, spread


def _median_of_sorted(values: FloatArray) -> float:
    """The same as numpy's median, which would sort again, and is asked for hundreds of times."""
    n = len(values)
    return float(values[(n - 1) // 2] + values[n // 2]) / 2.0


# ---------------------------------------------------------------- after the turn


def turned_friction(begin: IntArray, height: FloatArray, deflection: FloatArray) -> float:
    """Height (m) after the turn of a retract in which the lever's friction turns around.

    There the local slope is another one than on the wall that follows, which has to be straight:
    0 if the local slope is that of the wall from the turn on, or there is no straight wall.
    """
    step = spacing(begin, height)
    if not step > 0.0:
        return 0.0
    samples = np.array([max(int(_LOCAL / step), 6)])
    places = np.concatenate([np.arange(0.0, _LONGEST_TURN, 1e-9), _BEYOND_TURN])
    local, errors = np.empty(len(places)), np.empty(len(places))
    found = kernels.tail_slopes(begin, height, deflection, samples, places)
    for i, (slopes, error) in enumerate(zip(*found, strict=True)):
        there = np.isfinite(slopes)
        if not there.any():
            return 0.0
        local[i] = np.median(slopes[there])
        errors[i] = 1.2533 * np.median(error[there]) / np.sqrt(there.sum())
    beyond = local[-len(_BEYOND_TURN) :]
    wall = float(np.median(beyond))
    most = _OFF_THE_WALL * abs(wall) + 4.0 * float(errors.max())
    straight = np.abs(beyond - wall).max() <= most < 0.1 * abs(wall)
    if not (straight and wall < -1.0 / MOST_RATIO):
        return 0.0
    off = np.flatnonzero(np.abs(local - wall) > most)
    # What is less than noise there may still be more than the wall's slope is known to.
    return 1.5 * float(places[off[-1] + 1]) if len(off) else 0.0


# ---------------------------------------------------------------- modes


def _sure_column(slopes: FloatArray, errors: FloatArray, limit: float, sure: float) -> int | None:
    """The smallest window in which the slopes beyond a limit are certain enough for modes."""
    best, least = None, _TOO_UNSURE
    for number, (column, error) in enumerate(zip(slopes.T, errors.T, strict=True)):
        walls = column < limit
        if not walls.any():
            continue
        unsure = float(np.median(error[walls]))
        if unsure < least:
            best, least = number, unsure
        if unsure <= sure:
            break
    return best


def _modes_in(
    slopes: FloatArray, errors: FloatArray, limit: float, column: int
) -> tuple[WallMode, ...]:
    walls = slopes[:, column] < limit
    return _modes_of(slopes[walls, column].tobytes(), errors[walls, column].tobytes())


@lru_cache(maxsize=16)
def _modes_of(slopes: bytes, errors: bytes) -> tuple[WallMode, ...]:
    """`wall_modes`, which are asked for with several limits that often leave the same walls."""
    return wall_modes(np.frombuffer(slopes), np.frombuffer(errors))


def wall_modes(slopes: FloatArray, errors: FloatArray) -> tuple[WallMode, ...]:
    """Modes of slopes with known errors, steepest first: a mixture of normal distributions.

    As many as Bayes' information criterion asks for, at most three, over a flat background. What is
    rare or does not stand apart is counted with its neighbour.
    """
    best, least = None, np.inf
    low, high = np.quantile(slopes, [0.02, 0.98])
    by_noise = 4.1 * np.hypot(np.median(errors), _NARROWEST)  # for normal distributions
    for n_modes in range(1, 4 if high - low > 1.3 * by_noise else 2):
        if len(slopes) < 8 * n_modes and n_modes > 1:
            break
        mixture = _mixture(slopes, errors, n_modes)
        criterion = 3 * n_modes * np.log(len(slopes)) - 2.0 * mixture.likelihood
        if criterion < least:
            best, least = mixture, criterion
    assert best is not None
    return _resolved(best, float(np.median(errors)))


@dataclass(frozen=True, kw_only=True)
class _Mixture:
    """Normal distributions with centres, widths (without noise) and numbers of slopes."""

    centres: FloatArray
    widths: FloatArray
    counts: FloatArray
    likelihood: float


def _mixture(slopes: FloatArray, errors: FloatArray, n_modes: int) -> _Mixture:
    """Fit a mixture by expectation and maximization, from evenly spaced quantiles on."""
    n = len(slopes)
    centres = np.quantile(slopes, (np.arange(n_modes) + 0.5) / n_modes)
    centres[0] = np.quantile(slopes, 0.5 if n_modes == 1 else 0.15 / n_modes)
    off = np.abs(slopes - centres[0])
    widths = np.full(n_modes, max(float(np.median(off)), _NARROWEST))
    flat = 0.02 / max(float(np.ptp(slopes)), 0.1)
    shares = np.full(n_modes, 0.98 / n_modes)
    likelihood = -np.inf
    for _ in range(60):
        variance = widths**2 + errors[:, None] ** 2
        off2 = (slopes[:, None] - centres) ** 2
        density = shares * np.exp(-off2 / (2.0 * variance)) / np.sqrt(2.0 * np.pi * variance)
        total = density.sum(1) + flat
        belongs = density / total[:, None]
        counts = belongs.sum(0) + 1e-9
        weights = belongs / variance
        centres = (weights * slopes[:, None]).sum(0) / (weights.sum(0) + 1e-300)
        excess = (belongs * (off2 - errors[:, None] ** 2)).sum(0) / counts
        widths = np.sqrt(np.maximum(excess, _NARROWEST**2))
        shares = 0.98 * counts / max(float(counts.sum()), 1e-9)
        before, likelihood = likelihood, float(np.log(total).sum())
        if likelihood - before < 1e-4 * n:
            break
    return _Mixture(centres=centres, widths=widths, counts=counts, likelihood=likelihood)


def _resolved(mixture: _Mixture, error: float) -> tuple[WallMode, ...]:
    """Modes of a mixture, those that are rare or do not stand apart joined with the next one."""
    order = np.argsort(mixture.centres)
    groups: list[FloatArray] = []  # centre, variance without noise, count
    all_walls = float(mixture.counts.sum())
    for centre, width, count in zip(
        mixture.centres[order], mixture.widths[order], mixture.counts[order], strict=True
    ):
        here = np.array([centre, width**2, count])
        if groups:
            last = groups[-1]
            apart = (here[0] - last[0]) ** 2
            wide = (here[1] + last[1]) / 2.0 + error**2
            rare = last[2] < max(_LEAST_SHARE * all_walls, 3.0)
            rare |= here[2] < max(_LEAST_SOFT * all_walls, 3.0)
            if rare or apart < _APART**2 * wide:
                groups[-1] = _joined(last, here)
                continue
        groups.append(here)
    return tuple(
        WallMode(
            slope=float(centre),
            stderr=float(np.sqrt((variance + error**2) / max(count, 1.0))),
            width=float(np.sqrt(variance)),
            share=float(count / all_walls),
        )
        for centre, variance, count in groups
    )


def _joined(a: FloatArray, b: FloatArray) -> FloatArray:
    """Centre, variance and count of two groups together."""
    count = a[2] + b[2]
    share = b[2] / count
    centre = a[0] + share * (b[0] - a[0])
    variance = (1.0 - share) * a[1] + share * b[1] + share * (1.0 - share) * (b[0] - a[0]) ** 2
    return np.array([centre, variance, count])
