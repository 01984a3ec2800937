"""What is taken out of the lateral signal: its mean far away, or a line through it.

The offset of a lock-in drifts: far from the sample the signal is then a line, which a layer on top
of it would show as modulus. But a layer that fills the ramp is straight as well, and a line would
take it away. Data tell them apart: drift goes with time, so that its slope against height has
another sign on the way back; a layer goes with height. Of one direction alone, what grows away
from the sample is drift, and so is what is straight over more than twice the distances that are
asked for, while the force of a layer rises on top of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.kernels import RecordArray

#: Standard errors from which on a mean slope is one, and how much more slopes of curves scatter
#: than their noise lets them where each drifts by itself.
_SURE, _SCATTER = 5.0, 3.0

#: Curves without which nothing is decided.
_FEWEST = 3

#: A line of one direction is drift if it is straight over so many times the distances asked for,
#: and the force rises by so many times its change over these.
_LONG, _RISES = 2.0, 2.0


@dataclass(frozen=True, kw_only=True)
class LateralBaseline:
    """What is taken out of the lateral signal of all curves of a direction.

    Attributes
    ----------
    line : bool
        Whether it is a line, of each curve its own; else the mean.
    slope_in_phase, slope_quadrature : float
        Median slope of the lines against height, N/m; nan where it is not known.
    why : str
    """

    line: bool = False
    slope_in_phase: float = float("nan")
    slope_quadrature: float = float("nan")
    why: str = "there is no lateral signal far away"

    @property
    def slope(self) -> float:
        """Size of the median slope, N/m."""
        return float(np.hypot(self.slope_in_phase, self.slope_quadrature))


@dataclass(frozen=True)
class _Slopes:
    """Of many curves: medians in phase and quadrature, their errors, and scatter over noise."""

    median: FloatArray
    stderr: FloatArray
    scatter: float

    @property
    def sure(self) -> bool:
        return bool(np.hypot(*(self.median / self.stderr)) > _SURE)


def _slopes(far: RecordArray, name: str, width: float = 1.0) -> _Slopes:
    """Slopes of some curves; `width` is how much wider than the line's noise theirs is."""
    values = np.stack([far[f"{name}_in_phase"], far[f"{name}_quadrature"]])
    noise = np.stack([far["noise_in_phase"], far["noise_quadrature"]])
    correlation = np.maximum(np.nan_to_num(far["correlation"], nan=1.0), 1.0)
    noise = width * np.median(noise * np.sqrt(correlation / far["spread"]), axis=1)
    median = np.median(values, axis=1)
    spread = 1.4826 * np.median(np.abs(values - median[:, None]), axis=1)
    stderr = 1.2533 * np.maximum(spread, noise) / np.sqrt(values.shape[1])
    scatter = float(np.max(spread / np.maximum(noise, 1e-300)))
    return _Slopes(median, np.maximum(stderr, 1e-300), scatter)


def _usable(far: RecordArray, reach: float) -> RecordArray:
    finite = np.isfinite(far["slope_in_phase"]) & np.isfinite(far["slope_quadrature"])
    with np.errstate(invalid="ignore"):
        usable: RecordArray = far[finite & (far["spread"] > 0.0) & (far["length"] >= 0.5 * reach)]
    return usable


def is_level(far: RecordArray, reach: float) -> bool:
    """Whether the signal shows no slope, so that nothing else need be asked."""
    far = _usable(far, reach)
    if len(far) < _FEWEST:
        return True
    slopes = _slopes(far, "slope")
    return not slopes.sure and slopes.scatter < _SCATTER


def lateral_baseline(far: RecordArray, other: RecordArray | None, reach: float) -> LateralBaseline:
    """Decide between the mean and a line.

    Parameters
    ----------
    far : array of `kernels.LATERAL_BASELINE`
        Of some curves of the direction.
    other : array of `kernels.LATERAL_BASELINE` or None
        Of the same in the other direction.
    reach : float
        Distance up to which moduli are asked for, in m.
    """
    far = _usable(far, reach)
    if len(far) < _FEWEST:
        return LateralBaseline(
            why="the mean far away is taken out: baselines are too short or too few for a line"
        )
    slopes = _slopes(far, "slope")

    def of(line: bool, why: str) -> LateralBaseline:
        taken = "a line of each curve is" if line else "the mean far away is"
        x, y = (float(value) for value in slopes.median)
        return LateralBaseline(
            line=line, slope_in_phase=x, slope_quadrature=y, why=f"{taken} taken out: {why}"
        )

    if not slopes.sure and slopes.scatter < _SCATTER:
        return of(False, "the signal is level there")
    bend = _slopes(far, "bend", width=4.0)  # halves of half the length, less each other
    steep = float(np.hypot(*slopes.median))
    if bend.sure and np.hypot(*bend.median) > 0.5 * steep:
        return of(False, "it bends there, as where a layer begins, and a line would follow that")
    if not slopes.sure:
        return of(True, "the slopes of single curves differ by more than noise")
    back = None if other is None else _usable(other, reach)
    if back is not None and len(back) >= _FEWEST:
        returned = _slopes(back, "slope")
        drift = np.hypot(*(slopes.median - returned.median))
        layer = np.hypot(*(slopes.median + returned.median))
        if drift > layer:
            return of(True, "it drifts, with another sign in the other direction")
        return of(False, "its slope is alike in both directions: a layer reaches as far")
    in_phase, quadrature = slopes.median
    loose = 3.0 * slopes.stderr[1]
    if in_phase > 0.0 or quadrature > loose or abs(quadrature) > 2.0 * abs(in_phase) + loose:
        return of(True, "it drifts, as no layer makes it")
    rise = float(np.nanmedian(far["rise_in_phase"]))
    long = float(np.median(far["length"])) > _LONG * reach
    if long and rise > _RISES * abs(in_phase) * reach:
        return of(True, "it drifts, or else a layer that fills the ramp is taken away with it")
    return of(False, "it may drift, or a layer fills the ramp: the other direction would tell")


def of_curves(far: RecordArray) -> dict[str, FloatArray]:
    """What results hold of each curve's lateral signal far away.

    Parameters
    ----------
    far : array of `kernels.LATERAL_BASELINE`
    """
    kept = ("in_phase", "quadrature", "slope_in_phase", "slope_quadrature")
    found = {f"lateral_baseline_{name}": far[name] for name in kept}
    noise = ("noise_in_phase", "noise_quadrature")
    found |= {f"lateral_{name}": far[name] for name in noise}
    return found | {"lateral_noise_correlation": far["correlation"]}
