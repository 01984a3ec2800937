"""Values of curves over the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.selection import (
    LEFT_OUT,
    Analysis,
    analysis_of,
    column,
    profile_variable,
    select,
    step,
)
from nrm_plugin.statistics.thickness import thickness
from nrm_plugin.variables import FLAGS


@dataclass(frozen=True, kw_only=True)
class Map:
    """Values of curves at their places.

    Attributes
    ----------
    x, y : arrays
        In m. On a grid: of its columns and rows. Otherwise one per curve.
    values : array
        (rows, columns) on a grid, nan where no curve is; otherwise one per curve.
    unit, label : str
    grid : bool
    missing : int
        Curves without a value.
    meanings : tuple of str
        For the quality, whose values are sums of bits: the flag of every bit.
    warnings : tuple of str
    """

    x: FloatArray
    y: FloatArray
    values: AnyArray
    unit: str
    label: str
    grid: bool
    missing: int = 0
    meanings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def map_of(
    results: xr.Dataset | Analysis,
    what: str,
    depth: float | None = None,
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
) -> Map:
    """Map of a variable at a distance, the thickness, the contact height, or the quality.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process`.
    what : str
        ``thickness``, ``contact_height``, ``quality``, another variable of the curves, or a
        variable over depth as for `mean_profile` (of single curves).
    depth : float, optional
        Distance from the electrode in m, needed for a variable over depth; the nearest one is
        taken.
    direction : str, optional
        Way of the ramp, where the results have both; by default the first.
    quality : sequence of str
        Curves with one of these flags have no value, except in the map of the quality.

    Raises
    ------
    InvalidInput
        For an unknown variable, flag or direction, or a depth that is missing or not there.
    """
    analysis = analysis_of(results, direction)
    results = analysis.results
    n = results.sizes["curve"]
    values, unit, label = _values(analysis, what, depth)
    messages: list[str] = []
    meanings: tuple[str, ...] = ()
    if what == "quality":
        meanings = FLAGS
    else:
        kept, left_out = select(results, None, quality)
        if left_out:
            messages.append(f"{left_out} curves are left out for their flags")
        shown = np.full(n, np.nan)
        shown[kept] = values[kept]
        values = shown
    missing = int(n - np.isfinite(values).sum())
    x, y, row, col = (column(results, name) for name in ("x", "y", "row", "column"))
    x = np.full(n, np.nan) if x is None else x.astype(np.float64)
    y = np.full(n, np.nan) if y is None else y.astype(np.float64)
    grid = row is not None and col is not None and bool(n and min(row.min(), col.min()) >= 0)
    if grid and row is not None and col is not None:
        values, repeated = _table(values, row, col, what == "quality")
        if repeated:
            messages.append(
                f"{repeated} places have several curves: "
                + ("flags of all are shown" if what == "quality" else "their mean is shown")
            )
        x, y = _axis(x, col, values.shape[1]), _axis(y, row, values.shape[0])
    elif not np.isfinite(x + y).any():
        messages.append("the curves have no positions")
    return Map(
        x=x,
        y=y,
        values=values,
        unit=unit,
        label=label,
        grid=grid,
        missing=missing,
        meanings=meanings,
        warnings=tuple(messages),
    )


def _values(analysis: Analysis, what: str, depth: float | None) -> tuple[AnyArray, str, str]:
    """Value of every curve, its unit, and what it is."""
    results = analysis.results
    if what == "thickness":
        onset = thickness(analysis)["thickness"]
        return onset.values, "m", str(onset.attrs["long_name"])
    if what in results and results[what].dims == ("curve",):
        array = results[what]
        return (
            array.values,
            str(array.attrs.get("units", "")),
            str(array.attrs.get("long_name", what)),
        )
    chosen = profile_variable(results, what)
    depths = np.asarray(results["depth"].values, np.float64)
    if depth is None:
        raise InvalidInput(f"a map of {what} needs a depth in m")
    at = int(np.argmin(np.abs(depths - depth)))
    if not np.isfinite(depth) or abs(depths[at] - depth) > step(results):
        raise InvalidInput(
            f"there are no results at {depth * 1e9:g} nm, but from {depths[0] * 1e9:g} to "
            f"{depths[-1] * 1e9:g} nm"
        )
    level = results.isel(depth=slice(at, at + 1))
    values = chosen.sizes(level, np.arange(results.sizes["curve"]))[:, 0]
    return values, chosen.unit, f"{chosen.meaning} at {depths[at] * 1e9:.3g} nm"


def _table(values: AnyArray, row: IntArray, col: IntArray, flags: bool) -> tuple[AnyArray, int]:
    """Values on the grid, and how many places have several curves."""
    shape = int(row.max()) + 1, int(col.max()) + 1
    place = row * shape[1] + col
    count = np.bincount(place, minlength=shape[0] * shape[1])
    repeated = int(np.sum(count > 1))
    if flags:
        bits = np.zeros(len(count), np.int64)
        np.bitwise_or.at(bits, place, values.astype(np.int64))
        table = np.where(count > 0, bits.astype(np.float64), np.nan)
        return table.reshape(shape), repeated
    finite = np.isfinite(values)
    total = np.bincount(place[finite], values[finite], len(count))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (total / np.bincount(place[finite], minlength=len(count))).reshape(shape), repeated


def _axis(positions: FloatArray, numbers: IntArray, count: int) -> FloatArray:
    """Position of every column or row; those without curves go by their neighbours."""
    finite = np.isfinite(positions)
    total = np.bincount(numbers[finite], positions[finite], count)
    n = np.bincount(numbers[finite], minlength=count)
    present = np.flatnonzero(n)
    if not len(present):
        return np.full(count, np.nan)
    mean = total[present] / n[present]
    if len(present) == 1:
        return np.where(n > 0, mean[0], np.nan)
    slope, start = np.polyfit(present, mean, 1)
    axis = start + slope * np.arange(count)
    axis[present] = mean
    return np.asarray(axis)
