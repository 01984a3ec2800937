"""Graphs that this package wrote: every signal of every curve, in the order of time.

A graph per channel, over time or the sample's number; its curves are the segments, called
``approach`` or, with more than one curve, ``3 approach`` for curve 3. Samples outside all
segments are in curves called ``none``. Positions and metadata are with a set of points.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from nrm_importers.gwyddion.curve_group import CurveGroup, GwySignal
from nrm_importers.gwyddion.graphs import Graph, GraphCurve
from nrm_importers.gwyddion.positions import is_length
from nrm_importers.gwyddion.stored_columns import Piece, PiecesColumn
from nrm_importers.gwyddion.tree import Node
from nrm_plugin.tables import SEGMENT, CurveTable

#: Ends the titles of graphs that are there to be looked at only.
COPY = "(sorted copy)"

#: Stands for samples outside all segments.
NO_SEGMENT = "none"

_TRACE = re.compile(r"(?:(\d{1,9}) )?(approach|hold|retract|modulation|other|none)")


def own_curves(graphs: list[Graph], points: Node) -> CurveGroup | None:
    """Make curves of the graphs again; None if they are not as this package writes them."""
    records = [g for g in graphs if not g.title.endswith(COPY)]
    parts = [_parts(g.traces) for g in records]
    if not records or None in parts or any(p != parts[0] for p in parts[1:]):
        return None
    first = parts[0]
    assert first is not None
    if any(
        [t.y.count for t in g.traces] != [t.y.count for t in records[0].traces] for g in records
    ):
        return None
    n = max(first)[0] + 1
    xy = _positions(points)
    if xy is not None:
        n = max(n, len(xy))
    if n > len(first) and (xy is None or len(xy) != n):
        return None

    def column(which: Callable[[GraphCurve], Any], graph: Graph) -> PiecesColumn:
        curves: list[list[Piece]] = [[] for _ in range(n)]
        for (curve, _), trace in zip(first, graph.traces, strict=True):
            curves[curve].append(Piece(which(trace)))
        return PiecesColumn(graph.stamp, curves)

    signals = [GwySignal(g.title, g.y_unit, column(lambda t: t.y, g)) for g in records]
    if records[0].x_unit == "s":
        time = GwySignal("time", "s", column(lambda t: t.x, records[0]), name="time")
        signals.append(time)
    return CurveGroup(
        what="its curves",
        rows=signals[0].column.rows,
        signals=signals,
        table=_table(points, xy),
        segments=_segments(first, records[0].traces),
        literal=True,
    )


def _parts(traces: list[GraphCurve]) -> list[tuple[int, str]] | None:
    """Curve and kind of each trace; None if one is called otherwise."""
    out = []
    for trace in traces:
        match = _TRACE.fullmatch(trace.text)
        if match is None:
            return None
        out.append((int(match[1] or 0), match[2]))
    return out


def _segments(parts: list[tuple[int, str]], traces: list[GraphCurve]) -> Any:
    done: dict[int, int] = {}
    segments = []
    for (curve, kind), trace in zip(parts, traces, strict=True):
        start = done.get(curve, 0)
        done[curve] = start + trace.y.count
        if kind != NO_SEGMENT:
            segments.append((curve, start, done[curve], kind))
    out = np.array(segments, SEGMENT)
    return out[np.lexsort((out["start"], out["curve"]))]


def _positions(points: Node) -> Any:
    """Return x and y of each point, (N, 2); None where there are none."""
    flat = points.array("xy")
    if flat is not None and not len(flat) % 2:
        return flat.reshape(-1, 2)
    flat = points.array("data")
    return flat.reshape(-1, 3)[:, :2] if flat is not None and not len(flat) % 3 else None


def _table(points: Node, xy: Any) -> Callable[[], CurveTable] | None:
    if xy is None or not is_length(points, "si_unit_xy", "unit_xy"):
        return None
    if not (np.abs(xy) < 1.0).all():
        return None
    x, y = xy[:, 0].astype(np.float64), xy[:, 1].astype(np.float64)
    return lambda: {"x": x, "y": y}
