"""Where each curve was taken, in which order, and when."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nrm_importers.bruker.force_layout import ForceLayout
from nrm_importers.bruker.header import BrukerHeader
from nrm_plugin.columns import AnyArray
from nrm_plugin.tables import CurveTable

#: No measurement takes as many seconds; a longer one comes from a damaged header.
_LONGEST = 1e8


def curve_table(header: BrukerHeader, layout: ForceLayout) -> Callable[[], CurveTable]:
    """Positions, order and start times, worked out when they are asked for.

    Positions count along the axes of the scan, whose middle lies at its X and Y offset. Rows and
    columns lie in the file from the smallest y and x on, whichever way they were taken. A
    file has one date; whether a volume's is that of its beginning or its end is not known, and
    the uncertainty covers both.
    """

    def table() -> CurveTable:
        n = layout.n_curves
        scan = header.first("Ciao scan list")
        centre = [(scan.length(key) or [math.nan])[0] for key in ("x offset", "y offset")]
        out: dict[str, AnyArray] = {}
        order = np.arange(n)
        if layout.grid is None:
            out["x"], out["y"] = np.full(n, centre[0]), np.full(n, centre[1])
        else:
            rows, columns = layout.grid
            row, column = np.divmod(np.arange(n), columns)
            width, height = _extent(header, rows, columns)
            out["row"], out["column"] = row, column
            out["x"] = centre[0] + ((column + 0.5) / columns - 0.5) * width
            out["y"] = centre[1] + ((row + 0.5) / rows - 0.5) * height
            if layout.stopped:
                out["y"] = np.full(n, np.nan)
            down, line = directions(header)
            late_row = rows - 1 - row if down else row
            backward = late_row % 2 == 1 if line == "bidirection" else line == "retrace"
            late_column = np.where(backward, columns - 1 - column, column)
            order = late_row * columns + late_column
        out["acquisition_order"] = order
        out |= _times(header, layout, order)
        return out

    return table


def _extent(header: BrukerHeader, rows: int, columns: int) -> tuple[float, float]:
    """Width and height of the scan in m."""
    sizes = header.first("Ciao scan list").length("scan size") or [math.nan]
    if len(sizes) > 1:
        return sizes[0], sizes[1]
    parts = (header.first("Ciao scan list").text("aspect ratio") or "").split(":")
    try:
        ratio = float(parts[1]) / float(parts[0])
    except (IndexError, ValueError, ZeroDivisionError):
        ratio = math.nan
    return sizes[0], sizes[0] * (ratio if 0 < ratio < math.inf else rows / columns)


def directions(header: BrukerHeader) -> tuple[bool, str]:
    """Whether a volume was taken from the top row down, and its rows' way: trace or other."""
    force, scan = header.first("Ciao force list"), header.first("Ciao scan list")
    frame = header.first("Ciao force image list").text("frame direction")
    frame = frame or scan.text("capture direction") or ""
    line = force.text("fv line direction") or ""
    return frame.lower() == "down", line.lower()


def _times(header: BrukerHeader, layout: ForceLayout, order: AnyArray) -> CurveTable:
    date = header.date
    if date is None:
        return {}
    n = layout.n_curves
    duration = layout.duration
    begin = np.datetime64(date, "us")
    if n == 1 or not n * duration < _LONGEST:
        late = np.zeros(n)
        source = "file_date"
    else:
        late = order * duration
        source = "file_date_and_order"
    uncertainty = 1.0 + n * duration if math.isfinite(duration) else math.nan
    return {
        "start_time": begin + np.round(late * 1e6).astype("m8[us]"),
        "start_time_source": np.broadcast_to(np.array(source, "U20"), n),
        "start_time_uncertainty": np.full(n, uncertainty),
    }
