"""Positions of the pixels of curve maps and volume data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nrm_importers.gwyddion.names import si_unit, unit_text
from nrm_importers.gwyddion.tree import Node
from nrm_plugin.tables import CurveTable

#: No scan is as large, in m.
_LARGEST = 1.0


def is_length(node: Node, *names: str) -> bool:
    """Whether the first unit that an object has under one of the names is the metre."""
    for name in names:
        child = node.child(name)
        if child is not None:
            return si_unit(unit_text(child))[1] == "m"
    return False


def grid_table(node: Node, rows: int, columns: int) -> Callable[[], CurveTable]:
    """Rows, columns and the middles of the pixels, as Gwyddion's own coordinates have them.

    y counts from the top down: row 0 is Gwyddion's topmost and has the smallest y.
    """
    known = is_length(node, "si_unit_xy", "unit_xy", "si_unit_x", "unit_x") and believable(node)
    size = [node.number("xreal"), node.number("yreal")]
    offset = [node.number("xoff", 0.0), node.number("yoff", 0.0)]

    def table() -> CurveTable:
        row, column = np.divmod(np.arange(rows * columns), columns)
        if not known:
            return {"row": row, "column": column}
        return {
            "row": row,
            "column": column,
            "x": offset[0] + (column + 0.5) * (size[0] / columns),
            "y": offset[1] + (row + 0.5) * (size[1] / rows),
        }

    return table


def upward(table: Callable[[], CurveTable] | None, rows: int) -> Callable[[], CurveTable] | None:
    """Table of a map whose lowest row is row 0, and where y counts from there."""
    if table is None:
        return None
    made = table

    def turned() -> CurveTable:
        values = made()
        out = {**values, "row": rows - 1 - values["row"]}
        return (
            {**out, "y": values["y"].max() + values["y"].min() - values["y"]} if "y" in out else out
        )

    return turned


def believable(node: Node) -> bool:
    """Whether size and offset of an object are those of a microscope's scan."""
    names = ("xreal", "yreal", "xoff", "yoff")
    return all(abs(node.number(name, 0.0)) < _LARGEST for name in names)
