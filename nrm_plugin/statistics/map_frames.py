"""Where the curves of a map lie among its rows and columns, and how large it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.statistics.selection import column


@dataclass(frozen=True, kw_only=True)
class MapFrame:
    """Rows and columns of a map; row 0 has the smallest y, column 0 the smallest x.

    Attributes
    ----------
    rows, columns : int
    cell : array of int
        Cell of each curve of the map, row by row.
    everyone : array of int
        Curves of all maps of the same grid.
    size : (float, float)
        Extent along columns and rows in m; nan where positions are not known.
    flipped : (bool, bool)
        Whether rows, columns are counted against y, x in the results.
    """

    rows: int
    columns: int
    cell: IntArray
    everyone: IntArray
    size: tuple[float, float] = (float("nan"), float("nan"))
    flipped: tuple[bool, bool] = (False, False)

    def turned(self, table: AnyArray) -> Any:
        """Table by the results' rows and columns, in the order of this frame."""
        rows, columns = (slice(None, None, -1 if f else 1) for f in self.flipped)
        return table[rows, columns]


def map_frame(results: xr.Dataset, curves: IntArray, everyone: IntArray) -> MapFrame | None:
    """Frame of some curves in that of a whole grid; None where they lie on none.

    Parameters
    ----------
    results : Dataset
    curves, everyone : arrays of int
        Curves of the map, and of all maps of its grid.
    """
    row, col = column(results, "row"), column(results, "column")
    if row is None or col is None or min(row[everyone].min(), col[everyone].min()) < 0:
        return None
    first = int(row[everyone].min()), int(col[everyone].min())
    rows, columns = int(np.ptp(row[everyone])) + 1, int(np.ptp(col[everyone])) + 1
    if rows * columns < 2:
        return None
    steps = _steps(results, row, col, everyone)
    size = np.hypot(*steps)
    along, across = (float(s) for s in size)
    along, across = (along or across), (across or along)
    flipped = bool(_against(steps[::-1, 1])), bool(_against(steps[:, 0]))
    r, c = row[curves].astype(np.int64) - first[0], col[curves].astype(np.int64) - first[1]
    r = rows - 1 - r if flipped[0] else r
    c = columns - 1 - c if flipped[1] else c
    return MapFrame(
        rows=rows,
        columns=columns,
        cell=r * columns + c,
        everyone=everyone,
        size=(along * columns, across * rows) if along > 0 else (float("nan"), float("nan")),
        flipped=flipped,
    )


def _steps(results: xr.Dataset, row: AnyArray, col: AnyArray, curves: IntArray) -> FloatArray:
    """Mean steps in m: (x, y) by (one column, one row); 0 where there is only one of them."""
    x, y = column(results, "x"), column(results, "y")
    if x is None or y is None:
        return np.zeros((2, 2))
    at = np.stack([x[curves], y[curves]], axis=1).astype(np.float64)
    terms = np.stack([np.ones(len(curves)), col[curves], row[curves]], axis=1).astype(np.float64)
    known = np.isfinite(at).all(1)
    if known.sum() < 2:
        return np.zeros((2, 2))
    terms, at = terms[known], at[known]
    terms[:, 1:] -= terms[:, 1:].mean(0)
    found, _, _, _ = np.linalg.lstsq(terms, at, rcond=None)
    return np.asarray(found[1:].T)


def _against(step: FloatArray) -> bool:
    """Whether a step (its own axis, the other one) runs against its own axis."""
    own, other = step
    return bool(own < 0 and abs(own) >= abs(other))
