"""What the curves' levels say of a step of the potential between each curve and the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.potential.curve_levels import CurveLevels

#: A jump of a level that is one: tails of the others (degrees of freedom of Student's t), part of
#: the steps that are seen, least scale of those in standard deviations of the others.
_TAILS, _SHOWN, _LARGE = 3.0, 0.7, 10.0
#: A step is seen where it is likelier than none by this (logarithm).
SEEN = 2.0
#: Levels on either side whose medians are compared.
WIDE = 5
#: Pauses between curves, longer than so many of the usual distances, tell of no step.
_PAUSE = 5.0


@dataclass(frozen=True, kw_only=True)
class Jumps:
    """What levels say of a step between each curve and the next.

    Attributes
    ----------
    time : (n,) array
        Of the levels.
    told : (n - 1,) array
        Logarithm of how much likelier the change is with a step there than without.
    each : dict of str to (n - 1,) array
        The same for each signal.
    """

    time: FloatArray
    told: FloatArray
    each: dict[str, FloatArray]

    @classmethod
    def of(cls, curves: CurveLevels) -> Jumps:
        """Compare the changes between neighbours with those that levels usually have."""
        each = {name: _steps_told(level) for name, level in curves.levels.items()}
        if not each:
            raise nothing_steps(curves)
        told = np.logaddexp.reduce(np.stack(list(each.values()))) - np.log(len(each))
        gaps = np.diff(curves.time)
        told[gaps > _PAUSE * np.median(gaps)] = 0.0
        return cls(time=curves.time, told=told, each=each)

    def seen(self, moments: FloatArray) -> tuple[IntArray, int]:
        """Gaps between curves where a step is seen, and how many steps fall between curves."""
        gap = np.unique(np.searchsorted(self.time, moments) - 1)
        gap = gap[(gap >= 0) & (gap < len(self.told))]
        return gap[self.told[gap] > SEEN], len(gap)

    def clearest(self, gaps: IntArray) -> str:
        """Signal that shows these steps most clearly."""
        return max(self.each, key=lambda name: float(self.each[name][gaps].sum()))


def _steps_told(level: FloatArray) -> FloatArray:
    """Logarithm of how much likelier each change of a level is as a step.

    Of a change from one curve to the next that lasts, which tells the moment best, or of one
    between medians before and after, which noise hides less.
    """
    change = np.diff(level)
    change = change - np.median(change)
    few, many = _across(level, 3), _across(level, WIDE)
    # A single level that is off makes two jumps; a step lasts on both sides.
    lasts = np.where(np.sign(few) == np.sign(change), np.minimum(np.abs(few), np.abs(change)), 0.0)
    at_once = _told(lasts, spread_of(change))
    on_average = _told(np.abs(many - np.median(many)), spread_of(many))
    return np.asarray(np.logaddexp(at_once, on_average) - np.log(2.0))


def _across(level: FloatArray, size: int) -> FloatArray:
    """Median of so many levels after each change, less that of those before it."""
    padded = np.pad(level, size - 1, mode="edge")
    medians: FloatArray = np.median(np.lib.stride_tricks.sliding_window_view(padded, size), axis=1)
    return np.asarray(medians[size:] - medians[:-size])[: len(level) - 1]


def spread_of(values: FloatArray) -> float:
    """Standard deviation of the bulk; of values that are nearly all alike, the least other one."""
    away = np.abs(values - np.median(values))
    spread = 1.4826 * float(np.median(away))
    return float(spread or np.min(away[away > 0.0], initial=np.inf))


def _told(size: FloatArray, spread: float) -> FloatArray:
    z = size / spread
    large = z[z > _LARGE]
    scale = max(_LARGE, float(large.mean()) if len(large) else 0.0)
    usual = scipy.stats.t.logpdf(z, _TAILS)
    step = np.log(_SHOWN) - z / scale - np.log(2.0 * scale)
    return np.asarray(np.logaddexp(np.log(1.0 - _SHOWN), step - usual))


def nothing_steps(curves: CurveLevels) -> InvalidInput:
    """Why no place of a log is given, in a sentence that says what was looked at."""
    looked = ", ".join(curves.levels) or "there is no signal that varies"
    return InvalidInput(
        "no potential is recorded in it, and nothing in the curves steps as the log's potential "
        f"does, so that nothing in them can tell the clocks apart (looked at: {looked}). Give the "
        "clock offset by hand (--clock-offset), from both clocks seen side by side"
    )
