"""What a viewer of NeXus files shows of results first: a map, or the profiles of the curves.

The results themselves are a plot: a modulus over the distance with its standard error, one curve
after the other. Group ``map`` (NXdata) is there where the curves lie on a
grid: moduli at 5 nm and the contact's height over x and y.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import h5py
import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.store import nexus

if TYPE_CHECKING:
    from nrm_plugin.store.write_results import Results

#: Distance from the electrode at which a map shows the moduli (m).
MAP_DISTANCE = 5e-9

#: What is drawn, best first, and what a viewer offers beside it.
_SIGNALS = ("storage_modulus", "force_normal", "contact_height")
_BESIDE = {"storage_modulus": ("loss_modulus",)}


def describe_profiles(group: h5py.Group, results: Results) -> None:
    """Make the results a plot of profiles; errors get the name that viewers look for."""
    there = [name for name in _SIGNALS if name in results.variables]
    if not there:
        return
    signal = there[0]
    beside = [name for name in _BESIDE.get(signal, ()) if name in results.variables]
    dims = results.dims(signal)
    for name in (signal, *beside):
        if f"{name}_stderr" in results.variables:
            place = f"{group.name}/{name}_stderr"
            group.id.links.create_soft(f"{name}_errors".encode(), place.encode())
            nexus.describe(group[f"{name}_stderr"].id, {"target": place})
        if len(dims) > 1:
            nexus.describe(group[name].id, {"interpretation": "spectrum"})
    # Words are no coordinates to draw along.
    axes = ["." if dim == "direction" else dim for dim in dims]
    attributes = {"signal": signal, "axes": axes, "auxiliary_signals": beside}
    nexus.describe(group.id, {name: value for name, value in attributes.items() if value})


def write_map(entry: h5py.Group, results: Results) -> None:
    """Make the map, and the default plot of it, where the curves lie on a grid."""
    grid = GridOfCurves.of(results.coordinates)
    depth = results.axes.get("depth")
    moduli = [n for n in ("storage_modulus", "loss_modulus") if n in results.variables]
    if grid is None or depth is None or not moduli:
        return
    at = int(np.argmin(np.abs(depth - MAP_DISTANCE)))
    way = f", {results.directions[0]}" if results.directions else ""
    where = f" at {depth[at] * 1e9:.4g} nm"
    group = nexus.group(entry, "map", "NXdata")
    scales = [
        nexus.coordinate(group, axis, values, unit)
        for axis, (values, unit) in zip("yx", grid.axes, strict=True)
    ]
    for name in (*moduli, "contact_height"):
        if name in results.variables:
            variable = results.variables[name]
            column = at if name in moduli else None
            image = grid.image(results.of_first_direction(name, column).astype("<f4"))
            here = where if name in moduli else ""
            meaning = f"{variable.meaning}{here}{way} ({variable.unit})"
            data = nexus.field(group, name, image, variable.unit, meaning)
            for axis, scale in enumerate(scales):
                nexus.along(data.id, axis, scale)
    signal, *beside = [name for name in (*moduli, "contact_height") if name in group]
    about = {"signal": signal, "axes": ["y", "x"], "auxiliary_signals": beside}
    nexus.describe(group.id, about)
    entry.attrs["default"] = "map"


class GridOfCurves(NamedTuple):
    """Where on a grid each curve lies, and the positions of its rows and columns.

    Attributes
    ----------
    row, column : (n_curves,) arrays of int
    axes : ((n_rows,) array, unit), ((n_columns,) array, unit)
        In m; numbers without a unit where positions are not known.
    """

    row: AnyArray
    column: AnyArray
    axes: tuple[tuple[FloatArray, str], ...]

    @classmethod
    def of(cls, table: Mapping[str, AnyArray]) -> GridOfCurves | None:
        """Grid of a curve table; None without one, or where a cell has several curves."""
        if not {"row", "column"} <= set(table) or not len(table["row"]):
            return None
        row, column = (np.asarray(table[name], np.int64) for name in ("row", "column"))
        if min(row.min(), column.min()) < 0:
            return None
        rows, columns = int(row.max()) + 1, int(column.max()) + 1
        if min(rows, columns) < 2 or rows * columns > 4 * len(row):
            return None
        if np.bincount(row * columns + column).max() > 1:
            return None
        places = [np.asarray(table.get(name, np.full(len(row), np.nan))) for name in "yx"]
        axes = (_axis(row, column, places), _axis(column, row, places[::-1]))
        return cls(row, column, axes)

    def image(self, values: AnyArray) -> AnyArray:
        """Values of the curves as an image; nan where there is no curve."""
        shape = tuple(len(values) for values, _ in self.axes)
        image = np.full(shape, np.nan, values.dtype)
        image[self.row, self.column] = values
        return image


def _axis(number: AnyArray, other: AnyArray, places: list[FloatArray]) -> tuple[FloatArray, str]:
    """Positions of rows along y, or of columns along x; distances where the scan was turned.

    Parameters
    ----------
    number, other : arrays of int
        Each curve's number on this axis, and on the other one.
    places : [array, array]
        Positions along this axis and along the other one, m.
    """
    count = np.bincount(number)
    if count.min() == 0 or not all(np.isfinite(place).all() for place in places):
        return np.arange(len(count), dtype=np.float64), ""
    if len(number) < len(count) * (int(other.max()) + 1):
        places = [_without_trend(place, number, other) for place in places]
    along, across = (np.bincount(number, place) / count for place in places)
    steps, aside = np.abs(np.diff(along)), np.abs(across - across[0]).max()
    if not (steps.min() > 0 and np.ptp(np.sign(np.diff(along))) == 0 and aside < 0.1 * steps.min()):
        along = np.hypot(along - along[0], across - across[0])
        if not (np.diff(along) > 0).all():
            return np.arange(len(count), dtype=np.float64), ""
    return along, "m"


def _without_trend(place: FloatArray, number: AnyArray, other: AnyArray) -> FloatArray:
    """Positions without what they change along the other axis: cells may be missing in a row."""
    centred = [values - values.mean() for values in (number, other)]
    terms = np.stack([np.ones(len(place)), *centred], axis=1)
    trend = np.linalg.lstsq(terms, place, rcond=None)[0][2]
    return np.asarray(place - trend * (other - 0.5 * other.max()))
