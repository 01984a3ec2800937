"""What all curves of an experiment share, learnt from some of them before the rest is processed.

The slope of the wall, the period of an interference fringe, and how the lateral noise is
correlated. The curves are chosen by number alone, so that the answer does not depend on chunks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.engine.compiled import Crossing, reference
from nrm_plugin.engine.signals import Block
from nrm_plugin.engine.wall_slopes import (
    WallMode,
    pooled_slope,
    spacing,
    turned_friction,
)

#: Curves that are looked at, and how many neighbours at a time.
SURVEYED = 512
_RUN = 8

#: Slope of a rigid wall where the deflection is calibrated, and how well calibrations hold.
RIGID = (-1.0, 0.003)

#: Standard error of the pooled slope that is always assumed: walls differ from place to place.
_SPREAD = 0.003

#: The same of walls that give way: they are bent.
_SOFT_SPREAD = 0.01

#: Samples that half of a window holds at least, so that five and more lie within all of it.
_IN_HALF_WIDTH = 2.6

#: Where samples lie farther apart than this (m), a window beside the electrode tells nothing.
_TOO_SPARSE = 3e-9

#: A fringe is removed only if it is as unlikely as this to be noise, and as large (m).
_LARGEST_P = 1e-6
_SMALLEST_FRINGE = 0.02e-9

#: Samples whose spectrum is taken at once.
_TRANSFORMED = 1 << 18

#: Part of a baseline that a fringe is fitted to: its end may already feel a layer.
_FRINGE_PART = 0.9

#: Periods within a baseline among which a fringe is sought.
_CYCLES = np.arange(0.6, 16.0, 0.05)

#: Light that interferes does so alike in all curves, or at one period only; slow noise has another
#: amplitude in each and is everywhere.
_MOST_UNEVEN = 0.35
_SHARP = 3.0


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What curves share.

    Attributes
    ----------
    walls : bool
        Whether any curve ends on a wall.
    slope, slope_stderr, slope_spread : float
        Slope of the steepest walls (m/m, negative), its standard error, and how much these curves
        differ.
    modes : tuple of WallMode
        Kinds of walls, steepest first; softer ones are electrodes that give way. Empty without
        walls.
    wave : float
        Wave number of a fringe in rad/m; 0 without one.
    correlation : array
        Autocorrelation of the lateral noise from lag 0 on.
    turn : float
        Height at the end of the curves that is no wall, since the lever's friction turns around, in
        m; 0 without any.
    spacing : float
        Height from one sample to the next in m, median over curves; nan without any.
    """

    walls: bool
    slope: float
    slope_stderr: float
    slope_spread: float
    modes: tuple[WallMode, ...]
    wave: float
    correlation: FloatArray
    turn: float
    spacing: float

    @property
    def hard_share(self) -> float:
        """Part of the walls that are as steep as the steepest; nan without walls."""
        return self.modes[0].share if self.modes else float("nan")

    @property
    def soft_slope(self) -> float:
        """Mean slope of the walls that give way; 0 if there are none."""
        soft = self.modes[1:]
        share = sum(mode.share for mode in soft)
        return sum(mode.share * mode.slope for mode in soft) / share if soft else 0.0

    @property
    def soft_slope_stderr(self) -> float:
        """How well it is known of each of them: they differ, and bend."""
        soft = self.modes[1:]
        share = sum(mode.share for mode in soft)
        between = sum(mode.share * (mode.slope - self.soft_slope) ** 2 for mode in soft)
        within = sum(mode.share * mode.width**2 for mode in soft)
        return max(float(np.sqrt((between + within) / share)), _SOFT_SPREAD) if soft else np.inf

    def half_width(self, asked: float) -> float:
        """Half of the window of derivatives in m: what was asked, or what the sampling allows."""
        return float(np.fmax(asked, _IN_HALF_WIDTH * self.spacing))

    def nearest(self, asked: float) -> float:
        """Smallest distance of estimates in m: beside the electrode sparse samples don't tell."""
        return self.half_width(asked) if self.spacing > _TOO_SPARSE else 0.0


def chosen(n_curves: int) -> NDArray[np.int64]:
    """Curves that are surveyed: all of them, or evenly spread runs of neighbours."""
    if n_curves <= SURVEYED:
        return np.arange(n_curves)
    runs = np.linspace(0, n_curves - _RUN, SURVEYED // _RUN).round().astype(np.int64)
    return np.unique(runs[:, None] + np.arange(_RUN))


def survey(block: Block, *, interference: bool, spikes: bool) -> Survey:
    """Learn from some curves."""
    clean, wave = block.deflection, 0.0
    if interference:
        ends = kernels.rough_baselines(block.begin, block.height, block.deflection)
        # With the fringe gone, more of the baseline shows, and the period better.
        for _ in range(3):
            found = fringe(block, ends)
            if not found:
                break
            wave = found
            crossing = Crossing(wave=wave, spikes=spikes)
            contacts, clean = reference(block.begin, block.height, block.deflection, crossing)
            ends = np.nan_to_num(contacts["baseline_end"]).astype(np.int64)
    turn = 0.0
    if block.direction == "retract":
        turn = turned_friction(block.begin, block.height, clean)
    pooled = pooled_slope(block.begin, block.height, clean, turn)
    slope, stderr = (pooled.slope, pooled.stderr) if pooled else RIGID
    return Survey(
        walls=pooled is not None,
        slope=slope,
        slope_stderr=max(stderr, _SPREAD),
        slope_spread=pooled.spread if pooled else 0.0,
        modes=pooled.modes if pooled else (),
        wave=wave,
        correlation=correlation(block),
        turn=turn,
        spacing=spacing(block.begin, block.height),
    )


def correlation(block: Block, longest: int = 200) -> FloatArray:
    """Autocorrelation of the in-phase signal far from the surface, cut where it has died out."""
    length = int(np.median(np.diff(block.begin))) if len(block) else 0
    longest = min(longest, length // 4)
    if not len(block.in_phase) or longest < 2:
        return np.ones(1)
    total = np.zeros(longest)
    parts = (block.begin[1:] - block.begin[:-1]) // 3
    for n in np.unique(parts[parts >= 4 * longest // 3]):
        begins = block.begin[:-1][parts == n]
        table = block.in_phase[begins[:, None] + np.arange(n)]
        table -= table.mean(1, keepdims=True)
        table = table[np.isfinite(table).all(1)]
        # As many zeros behind the samples as there are lags, and a length that is fast.
        length = 1 << int(n + longest - 1).bit_length()
        power = np.zeros(length // 2 + 1)
        for some in np.array_split(table, len(table) * length // _TRANSFORMED + 1):
            power += (np.abs(np.fft.rfft(some, length)) ** 2).sum(0)
        total += np.fft.irfft(power)[:longest] / (n - np.arange(longest))
    if total[0] <= 0.0:
        return np.ones(1)
    rho = total / total[0]
    gone = np.flatnonzero(rho < 0.05)
    return np.ascontiguousarray(rho[: gone[0] if len(gone) else longest])


def fringe(block: Block, ends: IntArray) -> float:
    """Wave number of a fringe that all baselines share, 0 without one.

    The period is the one whose sine and cosine explain most of all baselines together; a pooled
    F-test says whether that is more than noise explains.
    """
    length, table = _baselines(block, ends)
    n_curves, n = table.shape
    if n_curves < 2:
        return 0.0
    u = np.linspace(0.0, 1.0, n)
    none = float(_left(_waves(u, np.zeros(1)), table)[0])

    def left(cycles: FloatArray) -> FloatArray:
        return _left(_waves(u, 2 * np.pi * cycles), table)

    cycles = _CYCLES
    remains = _left(_sought(n), table)
    best = int(np.argmin(remains))
    freedom = n_curves * (n - 4)
    from scipy.special import fdtrc  # scipy.stats takes a second to import

    ratio = (none - remains[best]) / (2 * n_curves) / max(remains[best] / freedom, 1e-300)
    likely = float(fdtrc(2 * n_curves, freedom, ratio)) * len(cycles)
    size = np.sqrt(max(none - remains[best], 0.0) / table.size * 2.0)
    if likely > _LARGEST_P or size < _SMALLEST_FRINGE:
        return 0.0
    beside = min(left(cycles[best] * np.array([0.5, 1.6])))
    sharp = none - remains[best] > _SHARP * (none - beside)
    if not sharp and _uneven(u, table, 2 * np.pi * cycles[best]) > _MOST_UNEVEN:
        return 0.0
    fine = np.linspace(cycles[best] - 0.05, cycles[best] + 0.05, 41)
    return float(2 * np.pi * fine[int(np.argmin(left(fine)))] / length)


def _baselines(
    block: Block, ends: IntArray, points: int = 64, most: int = 128
) -> tuple[float, FloatArray]:
    """Baselines of some curves on a common grid of relative heights, and how long they are (m)."""
    found: list[tuple[FloatArray, FloatArray]] = []
    for curve in range(min(most, len(block.begin) - 1)):
        a = int(block.begin[curve])
        end = int(_FRINGE_PART * ends[curve]) // 4 * 4
        if end >= 64:
            x, y = block.height[a : a + end], block.deflection[a : a + end]
            away = np.abs(x - x[0]).reshape(-1, 4).mean(1)
            found.append((away, y.reshape(-1, 4).mean(1)))
    if not found:
        return 0.0, np.empty((0, points))
    length = float(np.quantile([x[-1] for x, _ in found], 0.5))
    grid = np.linspace(found[0][0][0], length, points)
    table = np.array([np.interp(grid, x, y) for x, y in found if x[-1] >= length])
    return float(grid[-1] - grid[0]), table


def _uneven(u: FloatArray, table: FloatArray, wave: float) -> float:
    """How much the amplitude at a wave number differs from curve to curve, as a part of it."""
    matrix = np.stack([np.sin(wave * u), np.cos(wave * u), np.ones_like(u), u], axis=1)
    found = np.linalg.lstsq(matrix, table.T, rcond=None)[0]
    size = np.hypot(found[0], found[1])
    middle = float(np.median(size))
    return 1.4826 * float(np.median(np.abs(size - middle))) / middle if middle else np.inf


@cache
def _sought(points: int) -> FloatArray:
    """`_waves` of the periods among which a fringe is sought; the same for every data set."""
    return _waves(np.linspace(0.0, 1.0, points), 2 * np.pi * _CYCLES)


def _waves(u: FloatArray, waves: FloatArray) -> FloatArray:
    """Orthonormal columns, for each wave number, that span a line, and its sine and cosine."""
    columns = [np.ones((len(waves), len(u))), np.broadcast_to(u, (len(waves), len(u)))]
    if waves.any():
        phase = waves[:, None] * u
        columns += [np.sin(phase), np.cos(phase)]
    q, _ = np.linalg.qr(np.stack(columns, axis=-1))
    return q


def _left(q: FloatArray, table: FloatArray) -> FloatArray:
    """Sums of squares that the columns of `_waves` leave of all curves."""
    left: FloatArray = np.sum(table**2) - np.sum((table @ q) ** 2, axis=(1, 2))
    return left
