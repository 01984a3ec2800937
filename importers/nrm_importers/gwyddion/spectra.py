"""Single spectra: curves at points, each over an even abscissa of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nrm_importers.gwyddion.curve_group import CurveGroup, GwySignal
from nrm_importers.gwyddion.names import channel_name, si_unit, unit_text
from nrm_importers.gwyddion.positions import is_length
from nrm_importers.gwyddion.stored_columns import LinesColumn, Piece, PiecesColumn
from nrm_importers.gwyddion.tree import Node, Numbers
from nrm_plugin.columns import FloatArray, Rows
from nrm_plugin.tables import CurveTable
from nrm_plugin.vocabulary import CHANNELS

_LINES = ("GwyDataLine", "GwyLine")


def read_spectra(node: Node, title: str, what: str) -> CurveGroup | None:
    """Make a group of curves from a set of spectra.

    Returns
    -------
    CurveGroup or None
        None where there are none.

    Raises
    ------
    CorruptFile
        If positions and spectra are not equally many.
    """
    source = node.source
    lines = node.children("data")
    places = node.numbers("coords")
    if not lines and places is not None and places.count:
        raise source.corrupt(node.start, f"spectra at {places.count} coordinates", "none")
    if not lines:
        return None
    coords = node.array("coords")
    if coords is None or len(coords) != 2 * len(lines):
        count = "none" if coords is None else len(coords)
        raise source.corrupt(node.start, f"{2 * len(lines)} coordinates", count)
    curves: list[list[Piece]] = []
    starts, steps = np.empty(len(lines)), np.empty(len(lines))
    for number, line in enumerate(lines):
        data = line.numbers("data")
        if line.kind not in _LINES or data is None or data.count != line.integer("res"):
            raise source.corrupt(line.start, "a spectrum", line.kind)
        curves.append([Piece(Numbers(data.offset, data.count, data.dtype))])
        starts[number] = line.number("off", 0.0)
        steps[number] = line.number("real", float(data.count)) / max(1, data.count)
    column = PiecesColumn(source.stamp, curves)
    x_unit, y_unit = (
        unit_text(lines[0].child(f"si_unit_{a}") or lines[0].child(f"unit_{a}")) for a in "xy"
    )
    signals = [
        GwySignal(title or node.text("spec_ylabel") or "value", y_unit, column),
        _abscissa(node.text("spec_xlabel"), x_unit, column.rows, starts, steps),
    ]
    return CurveGroup(
        what=what,
        rows=column.rows,
        signals=signals,
        geometry=("spectra", *(a.tobytes() for a in (coords, starts, steps, column.rows.sizes))),
        table=_table(node, coords),
    )


def _abscissa(
    label: str, unit: str, rows: Rows, starts: FloatArray, steps: FloatArray
) -> GwySignal:
    symbol = si_unit(unit)[1]
    name = channel_name(label, symbol) if label else ""
    if name not in CHANNELS:
        name = {"m": "height_commanded", "s": "time"}.get(symbol, name)
    return GwySignal(
        label or "abscissa", unit, LinesColumn(rows, starts, steps), name=name, shared=True
    )


def _table(node: Node, coords: FloatArray) -> Callable[[], CurveTable] | None:
    if not is_length(node, "si_unit_xy", "unit_xy") or not (np.abs(coords) < 1.0).all():
        return None
    x, y = coords[0::2].astype(np.float64), coords[1::2].astype(np.float64)
    return lambda: {"x": x, "y": y}
