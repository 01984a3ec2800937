"""Steps of the instrument over the order in which curves were taken."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.changes import SURE, WORTH, Change, change
from nrm_plugin.statistics.repeats import times
from nrm_plugin.statistics.selection import (
    column,
    excluded,
)

#: Quantities that results hold for every curve.
_HELD = {
    "wall slope": "wall_slope",
    "noise": "deflection_noise",
    "adhesion": "adhesion_force",
}


@dataclass(frozen=True, kw_only=True)
class InstrumentStep:
    """Where the instrument changes at once.

    Attributes
    ----------
    what : str
        The quantity that jumps.
    relative : float
        By how much, as a part.
    after : (n,) array of bool
        Curves that were taken after it.
    """

    what: str
    relative: float
    after: np.ndarray


def instrument_step(results: xr.Dataset) -> InstrumentStep | None:
    """Find the largest step of wall slope, noise or adhesion over the acquisition; None if none.

    Parameters
    ----------
    results : Dataset
        Of one direction.
    """
    n = results.sizes["curve"]
    time = times(results, np.arange(n))
    order = np.argsort(time if np.isfinite(time).all() else np.arange(n), kind="stable")
    order = order[~excluded(results)[order]]
    found: list[tuple[float, str, Change]] = []
    for what, name in _HELD.items():
        values = column(results, name)
        if values is None or np.isfinite(values).mean() < 0.7:
            continue
        one = change(np.asarray(values, np.float64)[order])
        if one is None or not math.isfinite(one.step):
            continue
        if abs(one.relative) > max(WORTH[what], SURE * one.stderr):
            found.append((abs(one.relative) / WORTH[what], what, one))
    if not found:
        return None
    _, what, largest = max(found)
    finite = np.flatnonzero(np.isfinite(np.asarray(column(results, _HELD[what]))[order]))
    first = finite[min(round(largest.step * len(finite)), len(finite) - 1)]
    after = np.zeros(n, bool)
    after[order[first:]] = True
    return InstrumentStep(what=what, relative=largest.relative, after=after)
