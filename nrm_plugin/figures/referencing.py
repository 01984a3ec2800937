"""Single curves as they were recorded, and the two lines that find their solid contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.engine.contact import distance_slope, find_contacts
from nrm_plugin.engine.signals import Plan, parts, plan, read_block
from nrm_plugin.engine.survey import chosen, survey
from nrm_plugin.errors import InvalidInput, MissingCalibration
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Contact
from nrm_plugin.statistics.selection import one_direction

#: Curves that are drawn unless numbers are given.
_USUALLY = 3

_NEEDED = ("time", "height", "deflection", "force_normal")

#: What of the results the two lines need.
_LINES = ("contact_height", "wall_slope", "baseline_slope", "baseline_deflection")


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One curve, in the order in which it was recorded.

    Attributes
    ----------
    number : int
    height : array
        In m.
    deflection : array
        In `unit`, positive where it is repulsive.
    signal, unit : str
        deflection in m, or in V without a calibration; or normal force in N.
    approach : slice
        Its samples on the way down; all of them if the segments don't say.
    contact, baseline, baseline_slope, wall_slope : float
        Height of the solid contact (m), the baseline there (m), and the two slopes (m/m); nan
        where they are not known.
    distance_slope : float
        Deflection (m) that stands for a distance of 1 m.
    """

    number: int
    height: FloatArray
    deflection: FloatArray
    signal: str
    unit: str
    approach: slice
    contact: float = np.nan
    baseline: float = np.nan
    baseline_slope: float = np.nan
    wall_slope: float = np.nan
    distance_slope: float = 1.0

    @property
    def referenced(self) -> bool:
        """Whether its solid contact is known."""
        return bool(np.isfinite(self.contact) and np.isfinite(self.baseline)) and self.unit == "m"

    @property
    def lines(self) -> bool:
        """Whether two lines cross at the contact: a method may find it without any."""
        return self.referenced and bool(np.isfinite(self.wall_slope))

    def baseline_at(self, height: FloatArray) -> FloatArray:
        """Deflection of the baseline at heights, in m."""
        return self.baseline + self.baseline_slope * (height - self.contact)

    def wall_at(self, height: FloatArray) -> FloatArray:
        """Deflection of the wall's line at heights, in m."""
        return self.baseline + self.wall_slope * (height - self.contact)

    @property
    def distance(self) -> FloatArray:
        """Distance of the tip from the electrode, in m: height and bending since the contact."""
        bent = self.deflection - self.baseline_at(self.height)
        return (self.height - self.contact) + bent / self.distance_slope


def recorded(
    curves: CurveSet, numbers: Sequence[int] | int | None = None, results: xr.Dataset | None = None
) -> list[Recorded]:
    """Curves with their lines: of the results, or found now by the default recipe.

    Parameters
    ----------
    curves : CurveSet
    numbers : ints, optional
        By default three that are spread evenly.
    results : Dataset, optional
        Of these very curves.

    Raises
    ------
    InvalidInput
        If there are no such curves, no height or no deflection, or the results are of others.
    """
    chosen_ones = checked(numbers, curves.n_curves)
    if results is not None and results.sizes.get("curve") != curves.n_curves:
        raise InvalidInput(
            f"the results are of {results.sizes.get('curve', 0)} curves, and these are "
            f"{curves.n_curves}: give the curves that the results were made from"
        )
    bare = replace(
        curves, channels={n: curves.channels[n] for n in _NEEDED if n in curves.channels}
    )
    planned: Plan | None
    try:
        bare, planned = plan(bare)
    except MissingCalibration:
        planned = None  # a deflection in volts can still be looked at
    ranges = parts(curves, "approach")
    lines = _lines(bare, planned, ranges, chosen_ones, results)
    return [_one(bare, planned, ranges, int(i), lines.get(int(i), {})) for i in chosen_ones]


def checked(numbers: Sequence[int] | int | None, n: int, usually: int = _USUALLY) -> IntArray:
    """Numbers of curves that exist; evenly spread ones if none are given.

    Raises
    ------
    InvalidInput
    """
    if not n:
        raise InvalidInput("there are no curves")
    if numbers is None:
        return np.unique(np.linspace(0, n - 1, min(n, usually)).round().astype(np.int64))
    asked = np.atleast_1d(np.asarray(numbers))
    if asked.dtype.kind not in "iu" or not len(asked) or asked.min() < 0 or asked.max() >= n:
        raise InvalidInput(f"there is no curve {numbers}: the curves are 0 to {n - 1}")
    return asked.astype(np.int64)


def _one(
    curves: CurveSet, how: Plan | None, ranges: Any, number: int, lines: dict[str, float]
) -> Recorded:
    name = "deflection" if "deflection" in curves.channels else "force_normal"
    factor = 1.0 if how is None else how.deflection.factor
    begin, end = (int(v) for v in ranges[number])
    return Recorded(
        number=number,
        height=curves.read("height", number),
        deflection=curves.read(name, number) * factor,
        signal="deflection" if how is not None else name.replace("_", " "),
        unit=curves.channels[name].unit if how is None else "m",
        approach=slice(begin, end) if end > begin else slice(None),
        **lines,
    )


def _lines(
    curves: CurveSet,
    planned: Plan | None,
    ranges: Any,
    numbers: IntArray,
    results: xr.Dataset | None,
) -> dict[int, dict[str, float]]:
    """Contact, baseline and slopes by the number of the curve."""
    names = ("contact", "wall_slope", "baseline_slope", "baseline", "distance_slope")
    if results is not None:
        results = one_direction(results)
        if any(name not in results for name in _LINES):
            return {}
        table = [results[name].values[numbers].astype(np.float64) for name in _LINES]
        slope = float(np.atleast_1d(results.attrs.get("distance_slope", 1.0))[0])
        table.append(np.full(len(numbers), slope))
    else:
        ramped = np.flatnonzero(ranges[:, 1] > ranges[:, 0])
        numbers = np.intersect1d(numbers, ramped)
        if planned is None or not len(numbers):
            return {}
        table = list(_found(curves, planned, ranges, numbers, ramped[chosen(len(ramped))]))
    return {
        int(number): {name: float(row[i]) for name, row in zip(names, table, strict=True)}
        for i, number in enumerate(numbers)
    }


def _found(
    curves: CurveSet, planned: Plan, ranges: Any, numbers: IntArray, surveyed: IntArray
) -> tuple[FloatArray, ...]:
    """Contacts of some curves as `process` finds them, with what all curves share."""
    contact = Contact()
    shared = survey(
        read_block(curves, planned, ranges, surveyed, "approach"),
        interference=contact.interference,
        spikes=contact.spikes,
    )
    block = read_block(curves, planned, ranges, numbers, "approach")
    found = find_contacts(block, planned, contact, shared).contacts
    at, slope = found["contact"], found["baseline_slope"]
    per_distance = np.full(len(at), distance_slope(contact, shared.slope))
    return at, found["wall_slope"], slope, found["baseline_at"] + slope * at, per_distance
