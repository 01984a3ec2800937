"""Curves on a grid as a curve map."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nrm_importers.gwyddion import file_parts
from nrm_importers.gwyddion.file_parts import FilePart
from nrm_importers.gwyddion.names import NO_UNIT
from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.model import Channel, CurveSet

#: Samples of all signals that are held at a time.
_BLOCK = 1 << 20

#: Curves that are held at a time for the preview.
_PREVIEW = 256


@dataclass(frozen=True)
class MapPixels:
    """The pixels of a map, row by row, each with the number of its curve; -1 where it has none."""

    rows: int
    columns: int
    curve: IntArray


def map_pixels(curves: CurveSet) -> MapPixels | None:
    """Find the pixel of each curve; None where the curves lie on no grid, or are only one."""
    if curves.n_curves < 2:
        return None
    if curves.grid is not None:
        return MapPixels(*curves.grid, np.arange(curves.n_curves))
    row, column = curves.curve_table["row"], curves.curve_table["column"]
    if row.min() < 0 or column.min() < 0:
        return None
    rows, columns = int(row.max()) + 1, int(column.max()) + 1
    if rows * columns > 4 * curves.n_curves + 1024:
        return None  # a few curves, far apart
    pixel = row * columns + column
    if len(np.unique(pixel)) != len(pixel):
        return None  # several curves at one place
    curve = np.full(rows * columns, -1, np.int64)
    curve[pixel] = np.arange(curves.n_curves)
    return MapPixels(rows, columns, curve)


def curve_map(
    curves: CurveSet,
    channels: list[Channel],
    where: MapPixels,
    meta: dict[str, str],
    *,
    number: int = 0,
    extent: list[FilePart] | None = None,
    title: str = "",
) -> list[FilePart]:
    """Components of the curve map; its size is that of the positions if not given."""
    extent = _extent(curves, where) if extent is None else extent
    key = f"/lawn/{number}"
    sizes = np.where(where.curve >= 0, curves.row_size[where.curve], 0)
    kinds, edges = _segments(curves, where)
    parts = [
        file_parts.small("xres", where.columns, "i"),
        file_parts.small("yres", where.rows, "i"),
        *extent,
        file_parts.small("ncurves", len(channels), "i"),
        file_parts.units("si_units_curves", [c.unit or NO_UNIT for c in channels]),
        file_parts.small("curve_labels", [c.name for c in channels], "S"),
        file_parts.small("curvelengths", sizes.astype("<i4"), "I"),
    ]
    if kinds:
        parts += [
            file_parts.small("nsegments", len(kinds), "i"),
            file_parts.small("segments", edges.astype("<i4").reshape(-1), "I"),
            file_parts.small("segment_labels", [kind.capitalize() for kind in kinds], "S"),
        ]
    count = int(sizes.sum()) * len(channels)
    parts.append(file_parts.numbers("data", count, lambda: _blocks(curves, channels, where)))
    return [
        file_parts.item(key, file_parts.body("GwyLawn", parts)),
        *_preview(curves, where, extent, key),
        file_parts.text(f"{key}/title", title or curves.metadata.get("title") or "Force curves"),
        file_parts.small(f"{key}/visible", number == 0, "b"),
        file_parts.dictionary(f"{key}/meta", meta),
    ]


def _preview(
    curves: CurveSet, where: MapPixels, extent: list[FilePart], key: str
) -> list[FilePart]:
    """What Gwyddion shows of the map: the largest force or deflection of each pixel.

    By itself it shows the first signal, the height, which is alike everywhere.
    """
    name = next((n for n in ("force_normal", "deflection") if n in curves.channels), "")
    if not name:
        return []
    largest = np.zeros(curves.n_curves)
    filled = np.flatnonzero(curves.row_size)
    for first in range(0, len(filled), _PREVIEW):
        chosen = filled[first : first + _PREVIEW]
        starts = np.cumsum(curves.row_size[chosen]) - curves.row_size[chosen]
        largest[chosen] = np.maximum.reduceat(curves.read(name, chosen), starts)
    lowest = float(largest[filled].min())
    values = np.full(len(where.curve), lowest)
    there = where.curve >= 0
    values[there] = np.where(curves.row_size > 0, largest, lowest)[where.curve[there]]
    field = [
        file_parts.small("xres", where.columns, "i"),
        file_parts.small("yres", where.rows, "i"),
        *extent,
        file_parts.unit("si_unit_z", curves.channels[name].unit),
        file_parts.numbers("data", len(values), lambda: [values]),
    ]
    return [file_parts.item(f"{key}/preview", file_parts.body("GwyDataField", field))]


def _blocks(curves: CurveSet, channels: list[Channel], where: MapPixels) -> Iterator[AnyArray]:
    """Numbers pixel by pixel, and in a pixel signal by signal."""
    present = where.curve[where.curve >= 0]
    sizes = curves.row_size[present]
    per_block = np.maximum(1, _BLOCK // max(1, len(channels)))
    ends = np.cumsum(sizes)
    first = 0
    while first < len(present):
        reached = (ends[first - 1] if first else 0) + per_block
        stop = max(first + 1, int(np.searchsorted(ends, reached, "right")))
        chosen, lengths = present[first:stop], sizes[first:stop]
        values = [curves.read(c.name, chosen) for c in channels]
        if (lengths == lengths[0]).all():
            table = [v.reshape(len(chosen), -1) for v in values]
            yield np.stack(table, axis=1)
        else:
            edges = np.cumsum(lengths)[:-1]
            split = [np.split(v, edges) for v in values]
            yield np.concatenate([part for curve in zip(*split, strict=True) for part in curve])
        first = stop


def _segments(curves: CurveSet, where: MapPixels) -> tuple[list[str], AnyArray]:
    """Segments that all pixels have in common, some of them empty, and their bounds."""
    table = curves.segments
    table = table[table["stop"] > table["start"]]
    order: list[list[str]] = [[] for _ in range(curves.n_curves)]
    for curve, kind in zip(table["curve"].tolist(), table["kind"].tolist(), strict=True):
        order[curve].append(kind)
    common: list[str] = []
    positions: dict[tuple[str, ...], list[int]] = {}
    for kinds in sorted({tuple(o) for o in order}, key=lambda o: (-len(o), o)):
        common = _supersequence(common, list(kinds))
    for kinds in {tuple(o) for o in order}:
        positions[kinds] = _positions_in(list(kinds), common)
    column = np.array([p for o in order for p in positions[tuple(o)]], np.int64)
    edges = np.zeros((curves.n_curves, len(common), 2), np.int64)
    edges[table["curve"], column, 0] = table["start"]
    edges[table["curve"], column, 1] = table["stop"]
    if not common:
        return [], edges
    # A segment that a curve lacks is empty and lies where it would be.
    filled = edges[..., 1] > 0
    reached = np.maximum.accumulate(edges[..., 1], axis=1)
    edges[..., 0] = np.where(filled, edges[..., 0], reached)
    edges[..., 1] = np.where(filled, edges[..., 1], reached)
    out = np.zeros((len(where.curve), len(common), 2), np.int64)
    there = where.curve >= 0
    out[there] = edges[where.curve[there]]
    return common, out


def _supersequence(a: list[str], b: list[str]) -> list[str]:
    """Return a sequence that contains both in their order."""
    out = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        out += a[i:j] if tag == "equal" else a[i:j] + b[k:m]
    return out


def _positions_in(kinds: list[str], common: list[str]) -> list[int]:
    """Where in the common sequence each of some kinds is."""
    out, at = [], 0
    for kind in kinds:
        at = common.index(kind, at)
        out.append(at)
        at += 1
    return out


def _extent(curves: CurveSet, where: MapPixels) -> list[FilePart]:
    """Size, offset and unit of the map, from the positions of its curves."""
    (left, dx), (top, dy) = (_axis(curves, where, name) for name in ("x", "y"))
    if not np.isfinite(dx):
        dx = dy
    elif not np.isfinite(dy):
        dy = dx
    if not np.isfinite([left, top, dx, dy]).all():
        return [
            file_parts.small("xreal", float(where.columns), "d"),
            file_parts.small("yreal", float(where.rows), "d"),
        ]
    return [
        file_parts.small("xreal", dx * where.columns, "d"),
        file_parts.small("yreal", dy * where.rows, "d"),
        file_parts.small("xoff", left - 0.5 * dx, "d"),
        file_parts.small("yoff", top - 0.5 * dy, "d"),
        file_parts.unit("si_unit_xy", "m"),
    ]


def _axis(curves: CurveSet, where: MapPixels, name: str) -> tuple[float, float]:
    """Position of the first column (or row) and the distance of two; nan where unknown."""
    values: FloatArray = np.full(len(where.curve), np.nan)
    filled = where.curve >= 0
    values[filled] = curves.curve_table[name][where.curve[filled]]
    table = values.reshape(where.rows, where.columns)
    lines = table if name == "x" else table.T
    known = np.isfinite(lines)
    number = np.flatnonzero(known.any(axis=0))
    if not len(number):
        return np.nan, np.nan
    middle = [float(np.mean(lines[known[:, i], i])) for i in number]
    if len(number) < 2:
        return middle[0], np.nan
    pitch = (middle[-1] - middle[0]) / float(number[-1] - number[0])
    return middle[0] - float(number[0]) * pitch, pitch if pitch > 0 else np.nan
