"""Thicknesses of a region's curves, of which some are known as bounds alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.statistics.thickness import LEFT, MEASURED, RIGHT


@dataclass(frozen=True, kw_only=True)
class CensoredCurves:
    """Thicknesses of all curves, and which are a region's.

    Attributes
    ----------
    numbers, there : (n,) arrays of int
        The region's curves, and those of them that have a profile.
    thickness, low, censored : arrays
        Of all curves of the results.
    """

    numbers: IntArray
    there: IntArray
    thickness: FloatArray
    low: FloatArray
    censored: IntArray
    last: float

    @classmethod
    def of_results(cls, found: xr.Dataset, numbers: IntArray) -> CensoredCurves:
        """Those of some curves."""
        censored = found["censored"].values
        low = found["thickness_low"].values
        there = numbers[censored[numbers] <= LEFT]
        right = low[censored == RIGHT]
        return cls(
            numbers=numbers,
            there=there,
            thickness=found["thickness"].values,
            low=low,
            censored=censored,
            last=float(right.max()) if len(right) else np.inf,
        )

    def of(self, kind: int) -> IntArray:
        """Curves that are censored in a way."""
        return np.asarray(self.there[self.censored[self.there] == kind])

    def counts(self) -> dict[str, float]:
        """How many there are of each kind."""
        return {
            "n": len(self.numbers),
            "n_detected": len(self.of(MEASURED)) + len(self.of(RIGHT)),
            "n_right": len(self.of(RIGHT)),
            "n_left": len(self.of(LEFT)),
            "n_effective": 0.0,
            "measurable": False,
        }

    def between(self, outermost: float) -> tuple[FloatArray, FloatArray]:
        """Least and largest thickness of the curves that have a profile.

        Where nothing is seen the layer may be as thin as nothing, and as thick as the nearest
        distance that is seen; a hidden one is at least at the edge that is seen, and ends at the
        outermost edge that the mean shows.
        """
        kind = self.censored[self.there]
        value, low = self.thickness[self.there], self.low[self.there]
        least = np.select([kind == MEASURED, kind == RIGHT], [value, low], 0.0)
        most = np.select([kind == MEASURED, kind == RIGHT], [value, outermost], low)
        return least, np.maximum(most, least)

    @property
    def only_ends(self) -> bool:
        """Whether only the ends of profiles censor: that says nothing of the thickness."""
        right = self.low[self.of(RIGHT)]
        return not len(self.of(LEFT)) and bool(np.all(right >= self.last - 1e-9))


def kaplan_meier(values: FloatArray, measured: AnyArray) -> float:
    """Median of values of which some are only known to be larger (Kaplan and Meier 1958).

    nan where more than half of them go on beyond the largest that was measured.
    """
    order = np.lexsort((~measured, values))
    ordered, events = values[order], measured[order]
    left = np.arange(len(ordered), 0, -1)
    surviving = np.cumprod(np.where(events, 1.0 - 1.0 / left, 1.0))
    below = np.flatnonzero(surviving <= 0.5)
    return float(ordered[below[0]]) if len(below) else float("nan")
