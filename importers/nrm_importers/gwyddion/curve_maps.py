"""Curve maps: an object for all curves of a grid, all signals one behind the other per pixel."""

from __future__ import annotations

import numpy as np

from nrm_importers.gwyddion.curve_group import MOST_SIGNALS, CurveGroup, GwySignal, SegmentBounds
from nrm_importers.gwyddion.names import unit_text
from nrm_importers.gwyddion.positions import believable, grid_table
from nrm_importers.gwyddion.stored_columns import CurveMapColumn
from nrm_importers.gwyddion.tree import Node
from nrm_plugin.columns import IntArray, Rows

_UNITS = ("si_units_curves", "units_curves")


def read_curve_map(node: Node, what: str) -> CurveGroup | None:
    """Make a group of curves from a curve map; its numbers stay in the file.

    Returns
    -------
    CurveGroup or None
        None where it has no curves.

    Raises
    ------
    CorruptFile
        If lengths, segments and numbers do not fit together.
    """
    source = node.source
    columns, rows, count = (node.integer(k) for k in ("xres", "yres", "ncurves"))
    data = node.numbers("data")
    if count < 1 and data is not None and data.count:
        raise source.corrupt(node.start, f"signals of {data.count} numbers", count)
    if count < 1:
        return None
    lengths = node.array("curvelengths", "I")
    if columns < 1 or rows < 1 or count > MOST_SIGNALS:
        raise source.corrupt(node.start, "a map of curves", f"{columns} x {rows} x {count}")
    if lengths is None or len(lengths) != rows * columns:
        there = "none" if lengths is None else len(lengths)
        raise source.corrupt(node.start, f"{rows * columns} lengths of curves", there)
    sizes = _uniform(lengths.astype(np.int64))
    total = int(lengths.sum(dtype=np.int64)) * count
    stored = 0 if data is None else data.count
    if lengths.min() < 0 or total != stored:
        raise source.corrupt(node.start, f"{total} numbers in the curve map", stored)
    warnings: list[str] = []
    labels = _labels(node, count)
    units = _units(node, count, warnings)
    signals = []
    if data is not None:
        bases = data.offset + 8 * count * (np.cumsum(sizes) - sizes)
        for number, (label, unit) in enumerate(zip(labels, units, strict=True)):
            column = CurveMapColumn(source.stamp, bases + 8 * number * sizes, sizes)
            signals.append(GwySignal(label, unit, column))
    else:  # a map of empty pixels only
        empty = CurveMapColumn(source.stamp, 0 * sizes + node.start, sizes)
        signals = [GwySignal(a, u, empty) for a, u in zip(labels, units, strict=True)]
    if not believable(node):
        warnings.append(f"{what}: its size is not believable, positions are left out")
    return CurveGroup(
        what=what,
        rows=Rows(sizes),
        signals=signals,
        geometry=("map", rows, columns, lengths.tobytes()),
        grid=(rows, columns),
        table=grid_table(node, rows, columns),
        bounds=_bounds(node, rows * columns, sizes, what, warnings),
        warnings=warnings,
    )


def _uniform(sizes: IntArray) -> IntArray:
    """Lengths of curves; one number repeated where all are alike."""
    if len(sizes) and (sizes == sizes[0]).all():
        return np.broadcast_to(sizes[0], sizes.shape)
    return sizes


def _labels(node: Node, count: int) -> list[str]:
    labels = node.texts("curve_labels")
    return labels if len(labels) == count else [""] * count


def _units(node: Node, count: int, warnings: list[str]) -> list[str]:
    """Units of the signals.

    A file that Gwyddion 2 saved lacks empty units inside the list, and nothing says which.
    """
    name = next((n for n in _UNITS if n in node), "")
    units = [unit_text(child) for child in node.children(name)]
    if name and len(units) != count:
        warnings.append(
            f"{count - len(units)} of the units of its {count} signals are lost, nobody knows "
            "which: Gwyddion 2 writes maps with an empty unit so; the units are left out"
        )
    return units if len(units) == count else [""] * count


def _bounds(
    node: Node, pixels: int, sizes: IntArray, what: str, warnings: list[str]
) -> SegmentBounds | None:
    parts, edges = node.integer("nsegments"), node.array("segments", "I")
    if parts < 1 or edges is None:
        return None
    if len(edges) != 2 * parts * pixels:
        raise node.source.corrupt(node.start, f"{2 * parts * pixels} segment bounds", len(edges))
    table = edges.astype(np.int64).reshape(pixels, parts, 2)
    if (table < 0).any() or (table > sizes[:, None, None]).any():
        raise node.source.corrupt(node.start, "segments inside the curves", "others")
    if (table[..., 0] > table[..., 1]).any() or _overlap(table):
        warnings.append(f"{what}: its segments overlap and are left out")
        return None
    labels = node.texts("segment_labels")
    return SegmentBounds(table, labels if len(labels) == parts else [""] * parts)


def _overlap(table: IntArray) -> bool:
    """Whether segments of a curve share samples."""
    if (table[:, 1:, 0] >= table[:, :-1, 1]).all():
        return False  # the usual case: they are in order
    filled = table[..., 1] > table[..., 0]
    starts = np.where(filled, table[..., 0], np.iinfo(np.int64).max)
    order = np.argsort(starts, axis=1, kind="stable")
    ordered = np.take_along_axis(table, order[..., None], axis=1)
    kept = np.take_along_axis(filled, order, axis=1)
    over = (ordered[:, 1:, 0] < ordered[:, :-1, 1]) & kept[:, 1:]
    return bool(over.any())
