"""The electrode potential over time as another recorder has it: a board, or the curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

if TYPE_CHECKING:
    import xarray as xr

#: Points of a recording that a log is compared with.
POINTS = 4000


@dataclass(frozen=True, kw_only=True)
class RecordedPotential:
    """Potential over time by another recorder's clock.

    Attributes
    ----------
    first : datetime64 or None
        When `time` is 0.
    time, potential : arrays
        In s and V as recorded.
    """

    first: np.datetime64 | None
    time: FloatArray
    potential: FloatArray


def holds_potential(data: CurveSet | xr.Dataset) -> bool:
    """Whether a potential was recorded, over time or one a curve."""
    if isinstance(data, CurveSet) and "potential" in data.channels and "time" in data.channels:
        return True
    table = data.curve_table if isinstance(data, CurveSet) else data
    return "potential" in table and bool(np.isfinite(np.asarray(table["potential"], float)).any())


def recorded_potential(data: CurveSet | xr.Dataset) -> RecordedPotential:
    """Return the potential that a recording holds: of its samples, else one a curve.

    Raises
    ------
    InvalidInput
        If it holds none, or no times.
    """
    if isinstance(data, CurveSet) and "potential" in data.channels and "time" in data.channels:
        return _of_samples(data)
    table = data.curve_table if isinstance(data, CurveSet) else data
    if "potential" not in table or "start_time" not in table:
        raise InvalidInput("the recording holds no potential that the log could be laid on")
    began, potential = np.asarray(table["start_time"]), np.asarray(table["potential"], float)
    known = ~np.isnat(began) & np.isfinite(potential)
    if known.sum() < 3:
        raise InvalidInput("fewer than three curves have a potential and a start time")
    began = np.sort(began[known])
    order = np.argsort(np.asarray(table["start_time"])[known], kind="stable")
    time = (began - began[0]) / np.timedelta64(1, "s")
    return RecordedPotential(first=began[0], time=time, potential=potential[known][order])


def _of_samples(curves: CurveSet) -> RecordedPotential:
    """Means of short stretches of the channel."""
    sizes = curves.row_size
    total = int(sizes.sum())
    width = max(1, total // (4 * POINTS))
    began = curves.curve_table["start_time"]
    known = not np.isnat(began).any()
    times: list[FloatArray] = []
    values: list[FloatArray] = []
    after = 0.0
    for first, stop in curves.blocks():
        time, potential = (curves.read(n, slice(first, stop)) for n in ("time", "potential"))
        at = 0
        for number in range(first, stop):
            n = int(sizes[number])
            t, v = time[at : at + n], potential[at : at + n]
            at += n
            if n < 2:
                continue
            start = (began[number] - began[0]) / np.timedelta64(1, "s") if known else after
            after = start + float(t[-1] - t[0]) * n / (n - 1)
            few = max(1, n // width)
            edges = np.linspace(0, n, few + 1).astype(int)
            count = np.diff(edges)
            times.append(start + np.add.reduceat(t - t[0], edges[:-1]) / count)
            values.append(np.add.reduceat(v, edges[:-1]) / count)
    if not times:
        raise InvalidInput("the recording holds no samples of the potential")
    time, potential = np.concatenate(times), np.concatenate(values)
    good = np.isfinite(time) & np.isfinite(potential)
    time, potential = time[good], potential[good]
    order = np.argsort(time, kind="stable")
    return RecordedPotential(
        first=began[0] if known else None, time=time[order], potential=potential[order]
    )
