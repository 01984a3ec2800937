"""PinPoint: maps of force curves in PS-PPT files.

No file of an instrument was at hand. What is not known for certain is said in a warning, or left
out: the header does not give the unit of ``forceSlope``, and nothing tells the time of a sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from nrm_importers.metadata import Metadata
from nrm_importers.park import frames
from nrm_importers.park.base64_columns import CurveIndex, EncodedColumn, build_index
from nrm_importers.park.frames import (
    PARAMETERS,
    SCAN_START,
    SCAN_STOP,
    FrameTable,
    read_frame_table,
)
from nrm_importers.park.names import name_of, si_unit
from nrm_importers.park.probe import upward
from nrm_plugin.columns import AnyArray, FileStamp, FloatArray, IntArray, Rows
from nrm_plugin.errors import CorruptFile, MissingFile
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import CurveTable

#: So many curves are looked at to see which way z runs.
_LOOKED_AT = 9

#: So many frames of parameters go into the header.
_MOST_PARAMETERS = 16

_LONGEST_TEXT = 1 << 20


def open_pinpoint(path: Path) -> CurveSet:
    """Open a PS-PPT file: each frame of curves is gone through once, to find its numbers.

    Raises
    ------
    CorruptFile
        If a frame is damaged or cut off.
    """
    try:
        stamp = FileStamp.of(path)
        with path.open("rb") as file:
            table = read_frame_table(stamp)
            start = _single(table, file, SCAN_START)
            stop = _single(table, file, SCAN_STOP)
            parameters = [table.load(file, i) for i in table.numbers(PARAMETERS)[:_MOST_PARAMETERS]]
            index = build_index(table, file)
    except OSError as error:
        raise MissingFile(path, error) from None
    if start is None:
        raise CorruptFile(path, None, "a frame scan.start", "none")
    metadata = Metadata()
    if table.further:
        metadata.warn("the file has a further table of frames, which is not read")
    if stop is None:
        metadata.warn("the scan was stopped: the file has no frame scan.stop")
    if index.padded:
        metadata.warn(f"padding was removed from {index.padded} curves")
    order = np.lexsort((index.fast, index.slow))
    rows = Rows(index.sizes[order])
    channels = _channels(stamp, index, order, rows, metadata)
    _settle_height(channels, rows, metadata)
    _metadata(start[1], parameters[0][1] if parameters else {}, metadata)
    grid = _grid(start[1], index, order, metadata)
    texts = [start[0], *(data for data, _ in parameters), stop[0] if stop else b""]
    header = "\n".join(t.decode("utf-8", "replace").rstrip("\0\n ") for t in texts if t)
    table_from = _curve_table(start[1], stop[1] if stop else {}, index, order)
    curves = CurveSet(rows, channels, grid=grid, table_from=table_from)
    return metadata.attached(curves, path, "park", header)


def _single(table: FrameTable, file: Any, kind: int) -> tuple[bytes, dict[str, Any]] | None:
    """Read the one frame of a kind, or None."""
    numbers = table.numbers(kind)
    if not numbers:
        return None
    data, content = table.load(file, numbers[0])
    if len(data) > _LONGEST_TEXT:
        raise CorruptFile(
            table.stamp.path, int(table.offsets[numbers[0]]), "a short frame", f"{len(data)} bytes"
        )
    return data, content


def _channels(
    stamp: FileStamp, index: CurveIndex, order: IntArray, rows: Rows, metadata: Metadata
) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    for number, (original, unit) in enumerate(zip(index.ids, index.units, strict=True)):
        name = metadata.free_name(name_of(original, unit, metadata), original, channels)
        gain, symbol = si_unit(unit)
        starts, lengths = (a[order, number] for a in (index.starts, index.lengths))
        column = EncodedColumn(stamp, starts, lengths, rows)
        channels[name] = Channel(
            name, symbol, column, gain, 0.0, original, f"Park PinPoint {original}"
        )
    return channels


def _settle_height(channels: dict[str, Channel], rows: Rows, metadata: Metadata) -> None:
    """Give ``height``, and turn it if z is largest where the tip is at the sample."""
    with np.errstate(all="ignore"):
        _settle(channels, rows, metadata)


def _settle(channels: dict[str, Channel], rows: Rows, metadata: Metadata) -> None:
    name = next((n for n in ("height_sensor", "height_commanded") if n in channels), None)
    for one, channel in channels.items():
        looked_at = np.concatenate([np.zeros(0), *_some(channel, rows)])
        if len(looked_at) > 1 and (looked_at == looked_at[0]).all():
            metadata.warn(f"{channel.original} is dead: it is {looked_at[0]:g} {channel.unit}")
            name = None if one == name else name
    if name is None:
        metadata.warn("there is no height: no z was recorded that changes")
        return
    dips = []
    for values in _some(channels[name], rows):
        ends = (values[0] + values[-1]) / 2
        dips.append((ends - values.min()) - (values.max() - ends))
    if dips and np.median(dips) < 0:
        channels[name] = upward(channels[name])
    channels["height"] = replace(channels[name], name="height")
    metadata.values["height_source"] = name.removeprefix("height_")
    metadata.sources["height_source"] = channels[name].source


def _some(channel: Channel, rows: Rows) -> list[FloatArray]:
    """Values of a few curves that have any."""
    filled = np.flatnonzero(rows.sizes)
    if not len(filled):
        return []
    chosen = filled[np.unique(np.linspace(0, len(filled) - 1, _LOOKED_AT).astype(int))]
    out = []
    for curve in chosen.tolist():
        values = np.empty(int(rows.sizes[curve]))
        channel.fill(curve, curve + 1, values)
        out.append(values)
    return out


def _metadata(start: dict[str, Any], parameters: dict[str, Any], metadata: Metadata) -> None:
    metadata.add("operating_mode", "PinPoint", "format of the file")
    date = _date(start)
    metadata.add("start_time", date.isoformat() if date else None, "scan.start time")
    width = frames.number(start, "geometry", "width")
    metadata.add("scan_size", width * 1e-6 if width else None, "geometry.width")
    angle = frames.number(start, "geometry", "rotation")
    if angle is not None:
        metadata.add("scan_angle", math.radians(angle), "geometry.rotation")
        if angle:
            metadata.warn("the scan is turned: x and y are along its axes, turned by scan_angle")
    calibration = frames.part(parameters, "cantilever", "cal")
    constant = frames.number(calibration, "forceConstant")
    metadata.add("spring_constant", constant or None, "cantilever.cal.forceConstant")
    slope = frames.number(calibration, "forceSlope")
    if slope:
        metadata.warn(
            f"cantilever.cal.forceSlope is {slope:g} without a unit: there is no "
            f"deflection_sensitivity (if it counts V/nm, it is {1 / slope:.4g} nm/V)"
        )


def _date(frame: dict[str, Any]) -> datetime | None:
    try:
        return datetime.strptime(frames.text(frame, "time"), "%Y/%m/%d %H:%M:%S")
    except ValueError:
        return None


def _grid(
    start: dict[str, Any], index: CurveIndex, order: IntArray, metadata: Metadata
) -> tuple[int, int] | None:
    """Rows and columns, where each pixel has one curve."""
    columns = frames.number(start, "geometry", "pixelWidth") or 0
    rows = frames.number(start, "geometry", "pixelHeight") or 0
    n = len(order)
    if rows * columns == n and (
        (index.slow[order] * int(columns) + index.fast[order] == np.arange(n)).all()
    ):
        return int(rows), int(columns)
    metadata.warn(f"{n} curves do not fill a map of {rows:g} x {columns:g} pixels")
    return None


def _curve_table(
    start: dict[str, Any], stop: dict[str, Any], index: CurveIndex, order: IntArray
) -> Callable[[], CurveTable]:
    """Positions, order and start times, worked out when they are asked for."""

    def table() -> CurveTable:
        n = len(order)
        column, row = index.fast[order], index.slow[order]
        out: dict[str, AnyArray] = {"row": row, "column": column, "acquisition_order": order}
        for name, pixel, extent, count, shift in (
            ("x", column, "width", "pixelWidth", "offsetX"),
            ("y", row, "height", "pixelHeight", "offsetY"),
        ):
            size = frames.number(start, "geometry", extent)
            pixels = frames.number(start, "geometry", count)
            centre = frames.number(start, "geometry", shift)
            if size and pixels and centre is not None:
                with np.errstate(all="ignore"):
                    place = centre + ((pixel + 0.5) / pixels - 0.5) * size
                out[name] = np.where(np.abs(place) < 1e6, place, np.nan) * 1e-6
        begin, end = _date(start), _date(stop)
        if begin is None:
            return out
        seconds = (end - begin).total_seconds() if end else 0.0
        paced = 0 < seconds < 1e8 and n > 1
        late = order * (seconds / n) if paced else np.zeros(n)
        out["start_time"] = np.datetime64(begin, "us") + np.round(late * 1e6).astype("m8[us]")
        source = "file_date_and_order" if paced else "file_date"
        out["start_time_source"] = np.broadcast_to(np.array(source, "U20"), n)
        # Curves are not all of one length, and nothing bounds how far the pace was even.
        known = 1.0 + seconds if paced else (1.0 if n == 1 else np.nan)
        out["start_time_uncertainty"] = np.full(n, known)
        return out

    return table
