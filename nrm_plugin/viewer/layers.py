"""Layers of the map: curves of one grid, one visit and one region of the potential."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.statistics.visits import VISIT, MapPart, map_parts
from nrm_plugin.viewer.viewed import Viewed

GRID, POINTS, STRIP = "grid", "points", "strip"


@dataclass(frozen=True, kw_only=True)
class MapLayer:
    """Curves that are shown together.

    Attributes
    ----------
    name : str
    kind : str
        ``grid`` (rows and columns), ``points`` (positions alone) or ``strip`` (neither).
    curves : array of int
    row, column : arrays of int
        In the layer's own frame, row 0 at the smallest y; -1 without a grid.
    x, y : arrays
        m; nan without positions.
    shape : (rows, columns) or None
    size : (x, y) in m or None
        Extent of what is drawn.
    region : str
        Label of the region of the potential; empty without one.
    visit : int or None
    mixed : str
        What the layer mixes, in words; empty if nothing.
    """

    name: str
    kind: str
    curves: IntArray
    row: IntArray
    column: IntArray
    x: FloatArray
    y: FloatArray
    shape: tuple[int, int] | None
    size: tuple[float, float] | None
    region: str = ""
    visit: int | None = None
    mixed: str = ""


def map_layers(view: Viewed) -> list[MapLayer]:
    """Return the layers; every curve is in at least one."""
    if not view.n_curves:
        return []
    found = map_parts(view.places, regions=view.all_regions)
    parts = list(found.parts)
    layers = []
    visits = map_parts(view.places, VISIT)
    if len(parts) > len(visits.parts):
        # Places that were visited once, while the potential ran: a map of all of them, too.
        for part in visits.parts:
            inside = [one for one in parts if np.isin(one.curves, part.curves).any()]
            if len(inside) > 1:
                regions = f"{len(inside)} regions of the potential"
                layers.append(_layer(view, part, f"{_place(part)}all potentials", mixed=regions))
    layers += [_layer(view, part, part.name) for part in parts]
    seen = np.zeros(view.n_curves, bool)
    for layer in layers:
        seen[layer.curves] = True
    for part in visits.parts if not seen.all() else ():
        rest = part.curves[~seen[part.curves]]
        if len(rest):
            left = MapPart(curves=rest, grid=part.grid, grids=part.grids, visits=part.visits)
            layers.append(_layer(view, left, f"{_place(part)}outside of the regions"))
    return layers


def _place(part: MapPart) -> str:
    words = [f"grid {part.grid}"] if part.grids > 1 else []
    words += [f"visit {part.visits[0]}"] if part.visits[0] > 1 else []
    return "".join(f"{word}, " for word in words)


def _layer(view: Viewed, part: MapPart, name: str, mixed: str = "") -> MapLayer:
    curves = np.asarray(part.curves, np.int64)
    row, column = (view.integers(n, -1)[curves] for n in ("row", "column"))
    x, y = (_positions(view, n)[curves] for n in ("x", "y"))
    kind = STRIP
    if len(curves) and min(row.min(), column.min()) >= 0:
        kind = GRID
    elif np.isfinite(x + y).any() and len(curves) > 1:
        kind = POINTS
    shape = None
    if kind == GRID:
        frame = _frame(view, part, row, column)
        row, column = row - frame[0], column - frame[1]
        shape = frame[2:]
    return MapLayer(
        name=name,
        kind=kind,
        curves=curves,
        row=row,
        column=column,
        x=x,
        y=y,
        shape=shape,
        size=_size(kind, row, column, x, y, shape),
        region="" if part.region is None else part.region.label,
        visit=part.visits[0] if len(part.visits) == 1 else None,
        mixed=mixed,
    )


def _positions(view: Viewed, name: str) -> FloatArray:
    found = view.column(name)
    return np.full(view.n_curves, np.nan) if found is None else np.asarray(found, np.float64)


def _frame(
    view: Viewed, part: MapPart, row: IntArray, column: IntArray
) -> tuple[int, int, int, int]:
    """First row and column, and how many there are: of the whole grid, where there is only one."""
    if part.grids == 1:
        row, column = view.integers("row", -1), view.integers("column", -1)
        inside = (row >= 0) & (column >= 0)
        row, column = row[inside], column[inside]
    first = int(row.min()), int(column.min())
    return *first, int(row.max()) + 1 - first[0], int(column.max()) + 1 - first[1]


def _size(
    kind: str,
    row: IntArray,
    column: IntArray,
    x: FloatArray,
    y: FloatArray,
    shape: tuple[int, int] | None,
) -> tuple[float, float] | None:
    """Extent in m: on a grid from edge to edge of its pixels, otherwise from point to point."""
    known = np.isfinite(x + y)
    if kind == STRIP or not known.any():
        return None
    if kind == POINTS or shape is None:
        return float(np.ptp(x[known])), float(np.ptp(y[known]))
    pitch = [_pitch(column[known], x[known]), _pitch(row[known], y[known])]
    both = [one or pitch[1 - i] for i, one in enumerate(pitch)]
    if not all(both):
        return None
    return both[0] * shape[1], both[1] * shape[0]


def _pitch(cell: IntArray, at: FloatArray) -> float:
    """Distance between neighbours in m; 0 if there is only one."""
    span = int(np.ptp(cell))
    if not span:
        return 0.0
    low, high = at[cell == cell.min()].mean(), at[cell == cell.max()].mean()
    return abs(float(high - low)) / span
