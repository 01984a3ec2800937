"""What all curves of an experiment share, learnt from some of them before the rest is processed.

The slope of the wall, the period of an interference fringe, and how the lateral noise is
correlated. The curves are chosen by number alone, so that the answer does not depend on chunks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.compiled import RecordArray
from nrm_plugin.engine.fringes import Fringe, shared_fringe
from nrm_plugin.engine.lateral_baseline import LateralBaseline
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
_SPREAD = 0.0015

#: The same of walls that give way: they are bent.
_SOFT_SPREAD = 0.01

#: A difference of contacts from those of smaller windows counts if it is this many times its error.
_SIGNIFICANT = 2.0

#: Samples that half of a window holds at least, so that five and more lie within all of it.
_IN_HALF_WIDTH = 2.6

#: Where samples lie farther apart than this (m), a window beside the electrode tells nothing.
_TOO_SPARSE = 3e-9

#: Samples whose spectrum is taken at once.
_TRANSFORMED = 1 << 18


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
    slope_common : float
        Error of the slope that all curves share: its standard error, and the tail of a layer that
        its window may have.
    modes : tuple of WallMode
        Kinds of walls, steepest first; softer ones are electrodes that give way. Empty without
        walls.
    contact_common : float
        Error of the contacts that all curves share, in m: what windows on the wall and the end of
        the baseline take in of a layer.
    fringe : Fringe
        Of interference, in all curves.
    correlation : array
        Autocorrelation of the lateral noise from lag 0 on.
    turn : float
        Height at the end of the curves that is no wall, since the lever's friction turns around, in
        m; 0 without any.
    spacing : float
        Height from one sample to the next in m, median over curves; nan without any.
    lateral : LateralBaseline
        What is taken out of the lateral signal.
    contact_scatter : float
        Error of each contact beside its standard error, in m: slow noise, and fits of a fringe.
    """

    walls: bool
    slope: float
    slope_stderr: float
    slope_common: float
    slope_spread: float
    modes: tuple[WallMode, ...]
    contact_common: float
    fringe: Fringe
    correlation: FloatArray
    turn: float
    spacing: float
    lateral: LateralBaseline = field(default_factory=LateralBaseline)
    contact_scatter: float = 0.0

    @property
    def wave(self) -> float:
        """Wave number of the fringe that is taken out, in rad/m; 0 without one."""
        return self.fringe.wave

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


def chosen(n_curves: int, most: int = SURVEYED) -> NDArray[np.int64]:
    """Curves that are surveyed: all of them, or evenly spread runs of neighbours."""
    if n_curves <= most:
        return np.arange(n_curves)
    runs = np.linspace(0, n_curves - _RUN, most // _RUN).round().astype(np.int64)
    return np.unique(runs[:, None] + np.arange(_RUN))


def survey(block: Block, *, interference: bool, spikes: bool) -> Survey:
    """Learn from some curves."""
    clean, fringe = block.deflection, Fringe()
    if interference:
        fringe, clean = shared_fringe(block, spikes=spikes)
    turn = 0.0
    if block.direction == "retract":
        turn = turned_friction(block.begin, block.height, clean)
    pooled = pooled_slope(block.begin, block.height, clean, turn)
    slope, stderr = (pooled.slope, pooled.stderr) if pooled else RIGID
    return Survey(
        walls=pooled is not None,
        slope=slope,
        slope_stderr=max(stderr, _SPREAD),
        slope_common=pooled.common if pooled else 0.0,
        slope_spread=pooled.spread if pooled else 0.0,
        modes=pooled.modes if pooled else (),
        contact_common=0.0,
        fringe=fringe,
        correlation=correlation(block),
        turn=turn,
        spacing=spacing(block.begin, block.height),
    )


def correlation(block: Block, longest: int = 200, *, line: bool = False) -> FloatArray:
    """Autocorrelation of the in-phase signal far from the surface, cut where it has died out.

    Parameters
    ----------
    block : Block
    longest : int
        Most lags.
    line : bool
        Whether the signal drifts: a line is taken out of each curve's.
    """
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
        if line:
            along = np.arange(n) - (n - 1) / 2.0
            table -= (table @ along / (along @ along))[:, None] * along
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


def with_contacts(found: Survey, contacts: RecordArray) -> Survey:
    """The same with the error that the contacts of the surveyed curves show in common."""
    half, outer = (
        _common(contacts[name] - contacts["contact"]) for name in ("half_contact", "outer_contact")
    )
    return replace(found, contact_common=float(np.hypot(half, outer)))


def _common(moved: FloatArray) -> float:
    """Median of differences if it stands out from their scatter, else 0."""
    moved = moved[np.isfinite(moved)]
    if len(moved) < 3:
        return 0.0
    middle = float(np.median(moved))
    error = 1.2533 * 1.4826 * float(np.median(np.abs(moved - middle))) / np.sqrt(len(moved))
    return middle if abs(middle) > _SIGNIFICANT * error else 0.0
