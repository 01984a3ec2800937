"""Values of curves over the sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.statistics.selection import column, one_direction, signal
from nrm_plugin.statistics.thickness import thickness


@dataclass(frozen=True)
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
        For quality: name of every bit.
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
    results: xr.Dataset, what: str, depth: float | None = None, direction: str | None = None
) -> Map:
    """Map of a variable at a depth, the thickness, the contact height, or the quality.

    Parameters
    ----------
    results : Dataset
    what : str
        ``thickness``, ``contact_height``, ``quality``, another variable of the curves, or a
        variable over depth.
    depth : float, optional
        In m; needed for a variable over depth.
    """
    results = one_direction(results, direction)
    if what == "thickness":
        values, unit, label = thickness(results)["thickness"].values, "m", "thickness"
    elif what in results and results[what].dims == ("curve",):
        array = results[what]
        values, unit = array.values, str(array.attrs.get("units", ""))
        label = str(array.attrs.get("long_name", what))
    else:
        chosen = signal(results, what)
        at = int(np.argmin(np.abs(results["depth"].values - (depth or 0.0))))
        found = chosen.values(results, np.arange(results.sizes["curve"]))[:, at]
        values, unit, label = np.abs(found), chosen.unit, chosen.meaning
    n = results.sizes["curve"]
    x, y = column(results, "x"), column(results, "y")
    x = np.full(n, np.nan) if x is None else x
    y = np.full(n, np.nan) if y is None else y
    row, col = column(results, "row"), column(results, "column")
    if row is None or col is None or (row < 0).any() or (col < 0).any() or not n:
        return Map(x, y, values, unit, label, False)
    table = np.full((row.max() + 1, col.max() + 1), np.nan)
    table[row, col] = values
    xs, ys = np.full(table.shape[1], np.nan), np.full(table.shape[0], np.nan)
    xs[col], ys[row] = x, y
    return Map(xs, ys, table, unit, label, True)
