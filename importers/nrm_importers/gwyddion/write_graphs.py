"""Curves that lie on no grid as graphs: single curves, point lists, repeats at one place.

The first graph is for the eye: force or deflection over height, sorted as Gwyddion's functions
need it. The others hold everything in the order of time, as `own_graphs` describes, so that nothing
is lost.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np

from nrm_importers.gwyddion import file_parts
from nrm_importers.gwyddion.file_parts import FilePart
from nrm_importers.gwyddion.names import NO_UNIT
from nrm_importers.gwyddion.own_graphs import COPY, NO_SEGMENT
from nrm_plugin.columns import FloatArray
from nrm_plugin.model import Channel, CurveSet

#: More curves than these in one graph cannot be told apart.
_MOST_SHOWN = 100

_COLOURS = {"approach": (0.0, 0.2, 0.7), "retract": (0.8, 0.1, 0.0), "hold": (0.0, 0.5, 0.1)}

GraphCurve = tuple[int, str, int, int]


def graphs(curves: CurveSet, channels: list[Channel], meta: dict[str, str]) -> list[FilePart]:
    """Components of the graphs, and of the points where the curves were taken."""
    traces = list(_traces(curves))
    time = _clock(curves)
    made: list[tuple[str, FilePart]] = []
    shown = next((n for n in ("force_normal", "deflection") if n in curves.channels), "")
    if shown and "height" in curves.channels:
        made.append((f"{shown} over height {COPY}", _sorted_copy(curves, shown, traces)))
    for channel in channels:
        if channel.name == "time" and time:
            continue
        made.append((channel.name, _record(curves, channel, traces, time)))
    if time and len(made) == 0:
        made.append(("time", _record(curves, curves.channels["time"], traces, time)))
    out = []
    for number, (_, graph) in enumerate(made, start=1):
        out.append(file_parts.item(f"/0/graph/graph/{number}", graph))
        out.append(file_parts.small(f"/0/graph/graph/{number}/visible", number == 1, "b"))
    return out + _points(curves, meta)


def _traces(curves: CurveSet) -> Iterator[GraphCurve]:
    """Each stretch of each curve with its kind, without gaps."""
    segments = curves.segments
    edges = np.searchsorted(segments["curve"], np.arange(curves.n_curves + 1))
    for curve, size in enumerate(curves.row_size.tolist()):
        at = 0
        for _, start, stop, kind in segments[edges[curve] : edges[curve + 1]].tolist():
            if start > at:
                yield curve, NO_SEGMENT, at, start
            if stop > start:
                yield curve, kind, start, stop
            at = max(at, stop)
        if size > at:
            yield curve, NO_SEGMENT, at, size


def _clock(curves: CurveSet) -> bool:
    """Whether there is a time that never runs backwards, over which everything can be plotted."""
    if "time" not in curves.channels or curves.channels["time"].unit != "s":
        return False
    for curve in range(curves.n_curves):
        time = curves.read("time", curve)
        if not np.isfinite(time).all() or (np.diff(time) < 0).any():
            return False
    return True


def _record(
    curves: CurveSet, channel: Channel, traces: Sequence[GraphCurve], time: bool
) -> FilePart:
    """Graph of a channel in the order of time."""

    def ordinates(trace: GraphCurve) -> Iterator[FloatArray]:
        yield curves.read(channel.name, trace[0])[trace[2] : trace[3]]

    def abscissae(trace: GraphCurve) -> Iterator[FloatArray]:
        curve, _, start, stop = trace
        if time:
            yield curves.read("time", curve)[start:stop]
        else:
            yield np.arange(start, stop, dtype=np.float64)

    parts = [
        _curve(
            trace,
            curves.n_curves > 1,
            file_parts.numbers("xdata", trace[3] - trace[2], functools.partial(abscissae, trace)),
            file_parts.numbers("ydata", trace[3] - trace[2], functools.partial(ordinates, trace)),
        )
        for trace in traces
    ]
    x = ("time", "s") if time else ("sample", "")
    return _graph(channel.name, x, (channel.name, channel.unit or NO_UNIT), parts)


def _sorted_copy(curves: CurveSet, name: str, traces: Sequence[GraphCurve]) -> FilePart:
    """Graph of a channel over the height, as Gwyddion's functions for force curves take it."""

    def sorted_by_height(trace: GraphCurve, which: str) -> Iterator[FloatArray]:
        curve, _, start, stop = trace
        height = curves.read("height", curve)[start:stop]
        order = np.argsort(height, kind="stable")
        yield curves.read(which, curve)[start:stop][order]

    parts = []
    for trace in traces:
        if trace[0] >= _MOST_SHOWN:
            break
        if trace[1] == NO_SEGMENT:
            continue
        count = trace[3] - trace[2]
        x, y = (functools.partial(sorted_by_height, trace, which) for which in ("height", name))
        made = file_parts.numbers("xdata", count, x), file_parts.numbers("ydata", count, y)
        parts.append(_curve(trace, curves.n_curves > 1, *made))
    ordinate = (name, curves.channels[name].unit or NO_UNIT)
    return _graph(f"{name} over height {COPY}", ("height", "m"), ordinate, parts)


def _curve(trace: GraphCurve, numbered: bool, x: FilePart, y: FilePart) -> FilePart:
    curve, kind, _, _ = trace
    colour = _COLOURS.get(kind, (0.4, 0.4, 0.4))
    return file_parts.body(
        "GwyGraphCurveModel",
        [
            file_parts.text("description", f"{curve} {kind}" if numbered else kind),
            *(
                file_parts.small(f"color.{name}", value, "d")
                for name, value in zip(("red", "green", "blue"), colour, strict=True)
            ),
            file_parts.small("type", 2, "i"),
            x,
            y,
        ],
    )


def _graph(title: str, x: tuple[str, str], y: tuple[str, str], parts: list[FilePart]) -> FilePart:
    return file_parts.body(
        "GwyGraphModel",
        [
            file_parts.text("title", title),
            file_parts.text("bottom_label", x[0]),
            file_parts.text("left_label", y[0]),
            file_parts.unit("x_unit", x[1]),
            file_parts.unit("y_unit", y[1]),
            file_parts.items("curves", parts),
        ],
    )


def _points(curves: CurveSet, meta: dict[str, str]) -> list[FilePart]:
    """Points where the curves were taken, each with the curve's number; with the metadata.

    Graphs have no metadata in Gwyddion, points do. Without positions the points stand in a row.
    """
    x, y = curves.curve_table["x"], curves.curve_table["y"]
    known = bool(np.isfinite(x).all() and np.isfinite(y).all())
    number = np.arange(curves.n_curves, dtype=np.float64)
    data = np.stack([x, y, number] if known else [number, 0 * number, number], axis=1)
    parts = [
        file_parts.unit("si_unit_xy", "m" if known else ""),
        file_parts.unit("si_unit_z", ""),
        file_parts.numbers("data", data.size, lambda: [data]),
    ]
    title = "Positions of the curves" if known else "Numbers of the curves (positions not known)"
    return [
        file_parts.item("/surface/0", file_parts.body("GwySurface", parts)),
        file_parts.text("/surface/0/title", title),
        file_parts.small("/surface/0/visible", False, "b"),
        file_parts.dictionary("/surface/0/meta", meta),
    ]
