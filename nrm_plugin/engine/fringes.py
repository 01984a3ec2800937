"""A fringe of interference that all curves share: its period, and whether it can be taken out.

Light that passes the lever interferes with light that it reflects: a sine of the height on the
deflection, of one period in all curves, with amplitude and phase of each curve's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.engine.compiled import Crossing, RecordArray, reference
from nrm_plugin.engine.signals import Block

#: A fringe counts only if it is as unlikely as this to be noise, as large (m), and explains this
#: part of what the baselines have beside their lines: less if nothing but white noise is left.
_LARGEST_P = 1e-6
_SMALLEST = 0.02e-9
_LEAST_GAIN, _LEAST_OF_NOISY = 0.5, 0.3

#: What is bent by less than this (m) moves contacts by no more than some tenths of a nanometre.
_SMALLEST_LEFT = 0.06e-9

#: Of baselines that hold fewer periods than the first a fringe is taken out, but contacts stay in
#: doubt; those that hold fewer than the second cannot tell it from a line and a bend.
_ENOUGH_PERIODS, _LEAST_PERIODS = 0.8, 0.3

#: Part of a baseline that a fringe is fitted to: its end may already feel a layer.
FITTED_PART = 0.9

#: Periods within a baseline among which a fringe is sought.
_CYCLES = np.arange(0.6, 16.0, 0.05)

#: Cycles beside the best on which the curvature of what is left is taken.
_BESIDE = 0.05

#: Slow noise has power everywhere. Light that interferes leaves white noise alone once it is taken
#: out (this times its variance at most), is there at one period only, or alike in all curves.
_MOST_LEFT = 1.3
_SHARP = 3.0
_MOST_UNEVEN = 0.35

#: Ranges, as parts of a baseline, of the force of a layer that reaches into it: a tail that leaves
#: no more than this times what a fringe leaves is the better explanation, with half its numbers.
_TAILS = np.geomspace(0.05, 0.8, 12)
_AS_WELL = 1.05

#: Walls are straight: what makes their residuals larger by this part is no fringe.
_MOST_BENT = 0.1


@dataclass(frozen=True, kw_only=True)
class Fringe:
    """A fringe that curves share.

    Attributes
    ----------
    wave : float
        Wave number in rad/m; 0 without one that can be taken out.
    left : float
        Wave number of what cannot be taken out, or not for sure; 0 without any.
    amplitude : float
        Root of the mean square of the curves' amplitudes, in m.
    wave_stderr : float
        Of the wave number, in rad/m.
    """

    wave: float = 0.0
    wave_stderr: float = 0.0
    left: float = 0.0
    amplitude: float = 0.0


def shared_fringe(block: Block, *, spikes: bool) -> tuple[Fringe, FloatArray]:
    """Seek a fringe, and take it out.

    Returns
    -------
    fringe : Fringe
    clean : flat array
        Deflection without it, and then without spikes; else as it is.
    """
    ends = kernels.rough_baselines(block.begin, block.height, block.deflection)
    clean, found, contacts = block.deflection, Fringe(), None
    certain = white = False
    # With the fringe gone, more of the baseline shows, and the period better.
    for _ in range(3):
        now = _period(block, ends)
        if now is None:
            break
        found, certain, white = now
        crossing = Crossing(wave=found.wave, spikes=spikes)
        contacts, clean = reference(block.begin, block.height, block.deflection, crossing)
        ends = np.nan_to_num(contacts["baseline_end"]).astype(np.int64)
    if contacts is None:
        return found, block.deflection
    lengths = _lengths(block, ends)
    periods = float(np.median(lengths)) * found.wave / (2.0 * np.pi) if len(lengths) else 0.0
    if _bends_walls(block, contacts, clean):
        return Fringe(), block.deflection
    left = found.wave if found.amplitude > _SMALLEST_LEFT else 0.0
    if periods >= _ENOUGH_PERIODS and certain:
        return found, clean
    if periods >= _LEAST_PERIODS and certain and white:
        return replace(found, left=left), clean
    return Fringe(left=left, amplitude=found.amplitude), block.deflection


def _lengths(block: Block, ends: IntArray) -> FloatArray:
    """Lengths of baselines in m."""
    there = ends > 1
    first = block.begin[:-1][there]
    lengths: FloatArray = np.abs(block.height[first + ends[there] - 1] - block.height[first])
    return lengths


def _bends_walls(block: Block, contacts: RecordArray, clean: FloatArray) -> bool:
    """Whether walls are straighter before than after a fringe was taken out."""
    before = after = 0.0
    for i, (a, b) in enumerate(zip(block.begin[:-1], block.begin[1:], strict=True)):
        count = contacts["wall_samples"][i]
        if not count >= 12:
            continue
        first = a + int(contacts["wall_begin"][i])
        stop = min(first + int(count), b)
        x = block.height[first:stop]
        before += _about_line(x, block.deflection[first:stop])
        after += _about_line(x, clean[first:stop])
    return after > (1.0 + _MOST_BENT) * before


def _about_line(x: FloatArray, y: FloatArray) -> float:
    """Sum of squares about the line through points."""
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread if spread > 0.0 else 0.0
    return float(np.sum((y - slope * x) ** 2))


def _period(block: Block, ends: IntArray) -> tuple[Fringe, bool, bool] | None:
    """The fringe whose sine and cosine explain most of all baselines together.

    A pooled F-test says whether that is more than noise explains; None if it is not. With it come
    whether it is more than slow noise, too, and whether nothing but white noise is left.
    """
    length, noise, table = _baselines(block, ends)
    n_curves, n = table.shape
    if n_curves < 2 or n < 8:
        return None
    u = np.linspace(0.0, 1.0, n)
    none = float(_left(_waves(u, np.zeros(1)), table)[0])

    def left(cycles: FloatArray) -> FloatArray:
        return _left(_waves(u, 2 * np.pi * cycles), table)

    cycles = _CYCLES[: int(np.searchsorted(_CYCLES, n / 4.0))]
    if not len(cycles):
        return None
    remains = _left(_sought(n, len(cycles)), table)
    best = int(np.argmin(remains))
    freedom = n_curves * (n - 4)
    from scipy.special import fdtrc  # scipy.stats takes a second to import

    gained = none - float(remains[best])
    ratio = gained / (2 * n_curves) / max(remains[best] / freedom, 1e-300)
    likely = float(fdtrc(2 * n_curves, freedom, ratio)) * len(cycles)
    size = np.sqrt(max(gained, 0.0) / table.size * 2.0)
    if likely > _LARGEST_P or size < _SMALLEST:
        return None
    if min(_left(_tails(u), table)) < _AS_WELL * remains[best]:
        return None
    white = remains[best] / freedom < _MOST_LEFT * noise**2
    beside = min(left(cycles[best] * np.array([0.5, 1.6])))
    sharp = gained > _SHARP * (none - beside)
    shared = white or sharp or _uneven(u, table, 2 * np.pi * cycles[best]) <= _MOST_UNEVEN
    fine = np.linspace(cycles[best] - 0.05, cycles[best] + 0.05, 41)
    at = float(fine[int(np.argmin(left(fine)))])
    per_cycle = 2.0 * np.pi / length
    wave = at * per_cycle
    low, middle, high = left(at + _BESIDE * np.array([-1.0, 0.0, 1.0]))
    bend = max((low - 2.0 * middle + high) / _BESIDE**2, 1e-300)
    unsure = float(np.sqrt(2.0 * middle / freedom / bend))
    gain = gained / none
    certain = shared and gain > (_LEAST_OF_NOISY if white else _LEAST_GAIN)
    fringe = Fringe(wave=wave, wave_stderr=unsure * per_cycle, amplitude=float(size))
    return fringe, certain, bool(white)


def _baselines(
    block: Block, ends: IntArray, points: int = 64, most: int = 128
) -> tuple[float, float, FloatArray]:
    """Baselines of some curves on a common grid of relative heights.

    Returns
    -------
    length : float
        Of the grid, in m.
    noise : float
        Of the means of 4 samples that the table is made of, in m.
    table : (n, points) array
        At most as many points as there are means.
    """
    some = slice(min(most, len(block)))
    size = (FITTED_PART * ends[some]).astype(np.int64) // 4
    long = size >= 16
    size, first = size[long], block.begin[:-1][some][long]
    if not len(size):
        return 0.0, 0.0, np.empty((0, points))
    samples = np.concatenate([np.arange(a, a + 4 * n) for a, n in zip(first, size, strict=True)])
    away = np.abs(block.height[samples] - np.repeat(block.height[first], 4 * size))
    stops = np.cumsum(size)
    means = np.split(_means(block.deflection[samples], stops), stops[:-1])
    found = list(zip(np.split(away.reshape(-1, 4).mean(1), stops[:-1]), means, strict=True))
    length = float(np.quantile([x[-1] for x, _ in found], 0.5))
    chosen = _alike([(x, y) for x, y in found if x[-1] >= length])
    grid = np.linspace(found[0][0][0], length, min(points, min(len(x) for x, _ in chosen)))
    table = np.array([np.interp(grid, x, y) for x, y in chosen])
    bends = np.concatenate([np.diff(y, 2) for _, y in chosen])
    noise = float(np.sqrt(np.mean(bends**2) / 6.0))
    return float(grid[-1] - grid[0]), noise, table


def _alike(
    baselines: list[tuple[FloatArray, FloatArray]], most: float = 5.0
) -> list[tuple[FloatArray, FloatArray]]:
    """Baselines without those that scatter about their lines by several times as much as others."""
    scatter = np.array([np.sqrt(_about_line(x, y) / len(x)) for x, y in baselines])
    limit = most * float(np.median(scatter))
    return [pair for pair, size in zip(baselines, scatter, strict=True) if size <= limit]


def _means(values: FloatArray, stops: IntArray) -> FloatArray:
    """Means of 4; the median where a wild sample is among them.

    Curves follow each other, and end with so many means.
    """
    four = values.reshape(-1, 4)
    means: FloatArray = four.mean(1)
    ordered = np.sort(four, axis=1)
    away = (ordered[:, 1] + ordered[:, 2]) / 2.0 - means
    for first, stop in pairwise([0, *stops]):
        size = np.abs(away[first:stop])
        wild = size > 8.0 * np.median(size)
        means[first:stop][wild] += away[first:stop][wild]
    return means


def _uneven(u: FloatArray, table: FloatArray, wave: float) -> float:
    """How much the amplitude at a wave number differs from curve to curve, as a part of it."""
    matrix = np.stack([np.sin(wave * u), np.cos(wave * u), np.ones_like(u), u], axis=1)
    found = np.linalg.lstsq(matrix, table.T, rcond=None)[0]
    size = np.hypot(found[0], found[1])
    middle = float(np.median(size))
    return 1.4826 * float(np.median(np.abs(size - middle))) / middle if middle else np.inf


@cache
def _sought(points: int, periods: int) -> FloatArray:
    """`_waves` of the periods among which a fringe is sought; the same for most data sets."""
    return _waves(np.linspace(0.0, 1.0, points), 2 * np.pi * _CYCLES[:periods])


def _waves(u: FloatArray, waves: FloatArray) -> FloatArray:
    """Orthonormal columns, for each wave number, that span a line, and its sine and cosine."""
    columns = [np.ones((len(waves), len(u))), np.broadcast_to(u, (len(waves), len(u)))]
    if waves.any():
        phase = waves[:, None] * u
        columns += [np.sin(phase), np.cos(phase)]
    q, _ = np.linalg.qr(np.stack(columns, axis=-1))
    return q


def _tails(u: FloatArray) -> FloatArray:
    """Orthonormal columns, for each of `_TAILS`, that span a line and a force that dies out."""
    tails = np.exp((u - u[-1]) / _TAILS[:, None])
    lines = [np.ones_like(tails), np.broadcast_to(u, tails.shape)]
    q, _ = np.linalg.qr(np.stack([*lines, tails], axis=-1))
    return q


def _left(q: FloatArray, table: FloatArray) -> FloatArray:
    """Sums of squares that the columns of `_waves` or `_tails` leave of all curves."""
    left: FloatArray = np.sum(table**2) - np.sum((table @ q) ** 2, axis=(1, 2))
    return left
