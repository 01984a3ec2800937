"""Graphs that hold force curves: a graph per signal, a curve of the graph per segment.

Gwyddion brings single force curves as graphs. Each has the abscissa with it, and abscissae ascend
whichever way the tip went, so that one of the halves lies against time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nrm_importers.gwyddion.curve_group import CurveGroup, GwySignal
from nrm_importers.gwyddion.height_signal import turn_around
from nrm_importers.gwyddion.names import (
    channel_name,
    is_canonical,
    segment_kind,
    si_unit,
    unit_text,
)
from nrm_importers.gwyddion.stored_columns import Piece, PiecesColumn
from nrm_importers.gwyddion.tree import Node, Numbers
from nrm_plugin.columns import AnyArray, FileStamp, FloatArray
from nrm_plugin.tables import SEGMENT
from nrm_plugin.vocabulary import CHANNELS, SegmentKind

#: Labels that say nothing.
_EMPTY = frozenset({"", "x", "y", "distance", "calibrated", "nominal", "sample number", "untitled"})


@dataclass(frozen=True)
class GraphCurve:
    """One curve of a graph."""

    text: str
    x: Numbers
    y: Numbers


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One graph."""

    what: str
    title: str
    bottom: str
    left: str
    x_unit: str
    y_unit: str
    traces: list[GraphCurve]
    stamp: FileStamp

    @property
    def kinds(self) -> list[SegmentKind | None]:
        """Kind of segment that each trace's text names."""
        return [segment_kind(trace.text) for trace in self.traces]

    @property
    def segmented(self) -> bool:
        """Whether its traces are the segments of one curve."""
        kinds = self.kinds
        return None not in kinds and len(set(kinds)) == len(kinds)

    @property
    def shape(self) -> tuple[object, ...]:
        """What graphs of the same curves have in common."""
        return (
            self.segmented,
            *((t.y.count, k) for t, k in zip(self.traces, self.kinds, strict=True)),
        )

    def label(self, shared_titles: frozenset[str]) -> str:
        """Name of the signal that it shows."""
        single = self.traces[0].text if len(self.traces) == 1 and not self.segmented else ""
        unit = si_unit(self.y_unit)[1]
        texts = [t for t in (single, self.title, self.left) if t.lower() not in _EMPTY]
        for text in texts:
            if is_canonical(text, unit):
                return text
        distinct = [t for t in texts if t not in shared_titles]
        return (distinct or texts or ["ordinate"])[0]


def read_graph(node: Node, what: str) -> Graph | None:
    """Locate the curves of a graph.

    Raises
    ------
    CorruptFile
        If a curve has not as many abscissae as ordinates.
    """
    traces = []
    for curve in node.children("curves"):
        x, y = curve.numbers("xdata"), curve.numbers("ydata")
        if x is None and y is None:
            continue
        if x is None or y is None:
            raise node.source.corrupt(curve.start, "abscissae and ordinates", "one of the two")
        if x.count != y.count:
            raise node.source.corrupt(curve.start, f"{x.count} ordinates", y.count)
        traces.append(GraphCurve(curve.text("description").strip(), x, y))
    if not traces:
        return None
    return Graph(
        what=what,
        title=node.text("title").strip(),
        bottom=node.text("bottom_label").strip(),
        left=node.text("left_label").strip(),
        x_unit=unit_text(node.child("x_unit")),
        y_unit=unit_text(node.child("y_unit")),
        traces=traces,
        stamp=node.source.stamp,
    )


def is_force_curve(graph: Graph) -> bool:
    """Whether a graph's words show that it is a force curve, and not a profile or a histogram."""
    unit, abscissa = si_unit(graph.y_unit)[1], si_unit(graph.x_unit)[1]
    if abscissa not in ("m", "s", ""):
        return False
    texts = (graph.title, graph.left, *(t.text for t in graph.traces[:1]))
    named = {channel_name(text, unit) for text in texts}
    telling = set(CHANNELS) if abscissa == "s" else {"force_normal", "deflection"}
    return graph.segmented or not named.isdisjoint(telling)


def graph_curves(graphs: list[Graph]) -> list[CurveGroup]:
    """Put graphs together that show signals of the same curves."""
    titles = [g.title for g in graphs]
    shared = (
        frozenset(t for t in titles if titles.count(t) > 1)
        if len(titles) < 1000
        else (frozenset(titles))
    )
    sets: list[dict[tuple[str, str], Graph]] = []
    for graph in graphs:
        key = graph.label(shared), graph.y_unit
        last = sets[-1] if sets else {}
        fits = last and next(iter(last.values())).shape == graph.shape and key not in last
        if fits:
            last[key] = graph
        else:
            sets.append({key: graph})
    alike: dict[tuple[object, ...], list[dict[tuple[str, str], Graph]]] = {}
    for one in sets:
        first = next(iter(one.values()))
        alike.setdefault((*one, first.x_unit, first.bottom, first.segmented), []).append(one)
    return [_curve_group(some) for some in alike.values()]


def _curve_group(sets: list[dict[tuple[str, str], Graph]]) -> CurveGroup:
    """Curves of graphs that show the same signals."""
    keys = list(sets[0])
    first = sets[0][keys[0]]
    stamp = first.stamp
    leading = [_leading(one) for one in sets]
    x_label, x_unit = leading[0].bottom, leading[0].x_unit
    symbol = si_unit(x_unit)[1]
    kinds: list[SegmentKind | None] = first.kinds if first.segmented else [None]
    order, reverse, sign, warnings = _order(sets[0], leading[0], kinds, symbol)
    curves: dict[object, list[list[Piece]]] = {key: [] for key in (*keys, "x")}
    for one, lead in zip(sets, leading, strict=True):
        groups = [order] if first.segmented else [[i] for i in range(len(lead.traces))]
        for group in groups:
            turned = [reverse[i] if first.segmented else False for i in group]
            for key, graph in one.items():
                curves[key].append(
                    [Piece(graph.traces[i].y, t) for i, t in zip(group, turned, strict=True)]
                )
            curves["x"].append(
                [Piece(lead.traces[i].x, t) for i, t in zip(group, turned, strict=True)]
            )
    signals = [GwySignal(*key, PiecesColumn(stamp, curves[key])) for key in keys]
    x_name = {"m": "height_commanded", "s": "time"}.get(symbol, "")
    if x_label.lower() not in _EMPTY:
        told = channel_name(x_label, symbol)
        x_name = told if told in CHANNELS or x_name == "height_commanded" else x_name
    if x_unit or x_label.lower() not in ("", "x", "sample number"):
        column = PiecesColumn(stamp, curves["x"])
        signals.append(GwySignal(x_label or "abscissa", x_unit, column, name=x_name, sign=sign))
    rows = signals[0].column.rows
    segments = None
    if first.segmented:
        named = [kinds[i] or "other" for i in order]
        counts = np.array([[p.numbers.count for p in c] for c in curves[keys[0]]], np.int64)
        segments = segments_of(counts, named)
    return CurveGroup(
        what=first.what if len(sets) * len(keys) == 1 else f"{first.what} and those with it",
        rows=rows,
        signals=signals,
        segments=segments,
        known=any(is_force_curve(g) for one in sets for g in one.values()),
        warnings=warnings,
    )


def _leading(one: dict[tuple[str, str], Graph]) -> Graph:
    """The graph whose abscissa counts: the first that has a unit."""
    return next((g for g in one.values() if g.x_unit), next(iter(one.values())))


def _order(
    one: dict[tuple[str, str], Graph], lead: Graph, kinds: list[SegmentKind | None], x_unit: str
) -> tuple[list[int], list[bool], float, list[str]]:
    """Order of a graph's traces in time, which of them to turn around, and the abscissa's sign."""
    if x_unit == "s":
        return list(range(len(kinds))), [False] * len(kinds), 1.0, []
    traces = lead.traces if lead.segmented else lead.traces[:1]
    x = [_read(lead.stamp, trace.x) for trace in traces]
    y = None
    for (label, unit), graph in one.items():
        if channel_name(label, si_unit(unit)[1]) in ("force_normal", "deflection") or (
            not unit and y is None and channel_name(label, "V") == "deflection"
        ):
            read = [_read(graph.stamp, t.y) for t in graph.traces[: len(traces)]]
            largest = max(float(np.nanmax(np.abs(part), initial=0.0)) for part in read)
            if unit != "N" or largest <= CHANNELS["force_normal"].limit:
                y = read
    reverse, sign, seen = turn_around(kinds, x, y)
    warnings = []
    if not lead.segmented:
        warnings.append(
            f"{lead.what} does not say whether it is an approach or a retract; it is read in the "
            "order of its abscissa"
        )
    elif not seen:
        warnings.append(
            f"{lead.what}: without a force or deflection its curves are taken to run from far "
            "to near"
        )
    first: dict[SegmentKind | None, int] = {"approach": 0, "retract": 2}
    order = sorted(range(len(kinds)), key=lambda i: first.get(kinds[i], 1))
    return order, reverse, sign, warnings


def _read(stamp: FileStamp, numbers: Numbers) -> FloatArray:
    return stamp.read(numbers.offset, numbers.dtype, numbers.count).astype(np.float64)


def segments_of(counts: AnyArray, kinds: list[SegmentKind]) -> AnyArray:
    """Segments one behind the other, (curve, segment) samples each; empty ones are left out."""
    ends = np.cumsum(counts, axis=1)
    out = np.empty(counts.shape, SEGMENT)
    out["curve"] = np.arange(len(counts))[:, None]
    out["start"], out["stop"] = ends - counts, ends
    out["kind"] = kinds
    return out[counts > 0]
