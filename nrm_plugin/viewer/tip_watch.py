"""Whether the tip is still the one that it was: slope and lateral motion on the wall, in time.

Where the tip touches the electrode itself, the deflection follows the sample (wall slope -1 with
the right sensitivity), and the tip moves sideways by a part of the dither that contact and lever
decide. A blunted or dirty tip changes both at once; a spot that drifts changes the slope slowly.

A step is told by three curves in a row that lie on one side of what came before, each farther than
noise and more than is worth a word; a drift by the trend of the latest curves
(`nrm_plugin.changes`).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from nrm_plugin.changes import FEWEST, SURE, WORTH, change

#: Curves in a row that tell a step.
IN_A_ROW = 3

#: Curves before them that are needed, and used at most.
BEFORE, MOST_BEFORE = 8, 32

#: Curves from which on a trend is looked for, after how many more it is again, and how far back.
TREND, EVERY, FARTHEST = 64, 16, 1024

#: Distance from the median before, in standard deviations of single curves, that counts.
FAR = 5.0

#: What is watched: name in the results, in words, and the part of it that is worth a word.
WATCHED = {
    "wall_slope": ("the wall's slope", WORTH["wall slope"]),
    "wall_lateral": ("the tip's motion on the wall", WORTH["tip motion on the wall"]),
}


@dataclass(frozen=True, kw_only=True)
class TipAlarm:
    """A change that somebody should look at.

    Attributes
    ----------
    quantity : str
        Key of `WATCHED`.
    number : int
        Curve with which it began.
    text : str
    """

    quantity: str
    number: int
    text: str


@dataclass
class _Series:
    """One quantity: numbers of curves and values since the last alarm."""

    numbers: deque[int] = field(default_factory=lambda: deque(maxlen=FARTHEST))
    values: deque[float] = field(default_factory=lambda: deque(maxlen=FARTHEST))
    since_trend: int = 0


class TipWatch:
    """Take curves in order of time; tell changes of the tip."""

    def __init__(self) -> None:
        self._series = {name: _Series() for name in WATCHED}

    def add(self, number: int, **values: float) -> list[TipAlarm]:
        """Take a curve.

        Parameters
        ----------
        number : int
        **values : float
            By the names of `WATCHED`; what is not finite is no value.
        """
        alarms = []
        for name, series in self._series.items():
            value = values.get(name, math.nan)
            if not math.isfinite(value):
                continue
            series.numbers.append(number)
            series.values.append(value)
            alarm = _step(name, series) or _drift(name, series)
            if alarm is not None:
                alarms.append(alarm)
        return alarms


def _step(name: str, series: _Series) -> TipAlarm | None:
    if len(series.values) < BEFORE + IN_A_ROW:
        return None
    values = np.array(list(series.values)[-MOST_BEFORE - IN_A_ROW :])
    before, last = values[:-IN_A_ROW], values[-IN_A_ROW:]
    middle = float(np.median(before))
    # The median of few deviations is too small on the average; a sample's own scatter is not.
    spread = max(1.4826 * float(np.median(np.abs(before - middle))), float(before.std(ddof=1)))
    words, worth = WATCHED[name]
    away = last - middle
    least = max(FAR * spread, worth * abs(middle))
    if not ((away > least).all() or (away < -least).all()):
        return None
    number = series.numbers[-IN_A_ROW]
    kept = list(series.numbers)[-IN_A_ROW:]
    series.numbers.clear()
    series.values.clear()
    series.numbers.extend(kept)
    series.values.extend(last.tolist())
    series.since_trend = 0
    part = float(np.median(away)) / middle
    return TipAlarm(
        quantity=name,
        number=number,
        text=f"{words} changed by {100.0 * part:+.3g} % at curve {number}: look whether the tip "
        "is damaged or dirty, or the surface another one",
    )


def _drift(name: str, series: _Series) -> TipAlarm | None:
    series.since_trend += 1
    if len(series.values) < max(FEWEST, TREND) or series.since_trend < EVERY:
        return None
    series.since_trend = 0
    values = np.array(series.values)
    found = change(values)
    words, worth = WATCHED[name]
    if found is None or abs(found.relative) < max(worth, SURE * found.stderr):
        return None
    number = series.numbers[0]
    part = math.copysign(1.0, float(np.median(values))) * found.relative  # of a larger magnitude: +
    series.numbers.clear()
    series.values.clear()
    return TipAlarm(
        quantity=name,
        number=number,
        text=f"{words} has changed by {100.0 * part:+.3g} % since curve {number}: the "
        "tip wears, the laser's spot moves, or the surface changes",
    )
