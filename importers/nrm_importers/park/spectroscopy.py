"""Force-distance spectroscopy in a TIFF file: channels, and the height that belongs to them.

What readers trip over, all met in a real file:

* Most samples of a half can be padding: copies of the last one that was measured.
* A Z Detector can be dead. Then only Z Scan, which was commanded, is a height.
* The stored Force can have been made with another sensitivity than the header's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nrm_importers.clocks import PartClock
from nrm_importers.metadata import Metadata
from nrm_importers.park import probe
from nrm_importers.park.headers import ParkHeader, believable
from nrm_importers.park.names import name_of, si_unit
from nrm_importers.park.positions import curve_table, date_of, read_positions
from nrm_importers.park.spectroscopy_layout import SpectroscopyLayout, find_layout, measured
from nrm_importers.park.tiff import Tiff
from nrm_importers.park.time_columns import SinceStart
from nrm_plugin.columns import AnyArray, Column, FileStamp, FloatArray, Rows
from nrm_plugin.errors import CorruptFile
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import SEGMENT


def read_spectroscopy(
    stamp: FileStamp, tiff: Tiff, header: ParkHeader, size: int, metadata: Metadata
) -> CurveSet:
    """Make curves of a spectroscopy header and its data.

    Parameters
    ----------
    size : int
        Length of the header in front of the table of points.

    Raises
    ------
    CorruptFile
        If header and data contradict each other.
    """
    layout = find_layout(stamp, tiff, header)
    if layout is None:
        metadata.warn("the header of a spectroscopy announces no points")
        return CurveSet(Rows.uniform(0, 0), {})
    points = read_positions(tiff, header, size, metadata)
    sources = header["sources"][: layout.n_channels]
    names = [name_of(source["name"], source["unit"], metadata) for source in sources]
    stamps = names.index("time") if "time" in names else None
    counts, starts = measured(layout, stamps)
    if stamps is not None and starts is None:
        metadata.warn("the Time Stamp stands still: padding was found by what all channels repeat")
        names[stamps] = "time_stamp"
    layout = replace(layout, counts=counts[points.order], order=points.order)
    starts = None if starts is None else starts[points.order]
    channels = _recorded(tiff, header, layout, names, starts, metadata)
    _metadata(header, sources, metadata)
    if "time" not in channels:
        _add_clock(channels, header, layout)
    kinds = probe.settle(channels, layout.counts, metadata)
    return CurveSet(
        layout.rows,
        channels,
        grid=points.grid,
        segments_from=lambda: _segments(layout, kinds),
        table_from=curve_table(points, date_of(tiff), _durations(channels, layout)),
    )


def _recorded(
    tiff: Tiff,
    header: ParkHeader,
    layout: SpectroscopyLayout,
    names: list[str],
    starts: FloatArray | None,
    metadata: Metadata,
) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    for number, name in enumerate(names):
        source = header["sources"][number]
        original, unit = source["name"] or f"channel {number + 1}", source["unit"]
        gain, symbol = si_unit(unit)
        offset = header["offset"][number]
        if not (believable(source["gain"]) and abs(offset) < 1e30):
            raise CorruptFile(
                tiff.path,
                None,
                f"a gain and an offset of {original}",
                f"{source['gain']:g} and {offset:g}",
            )
        for key, what in (("log_scale", "logarithms"), ("square", "squares")):
            if header[key][number]:
                metadata.warn(f"{original}: its numbers are {what}, as the file has them")
        if offset:
            metadata.warn(f"{original}: the header's offset of {offset:g} {unit} is added".rstrip())
        column: Column = layout.column(number)
        scale, zero = source["gain"] * gain, offset * gain
        if name == "time" and starts is not None:
            zero = -float(starts[0] * scale)
            if (starts != starts[0]).any():
                column, zero = SinceStart(column, starts), 0.0
        name = metadata.free_name(name, original, channels)
        channels[name] = Channel(name, symbol, column, scale, zero, original, f"Park {original}")
    return channels


def _add_clock(
    channels: dict[str, Channel], header: ParkHeader, layout: SpectroscopyLayout
) -> None:
    """Add times by the periods in the header, where no Time Stamp was recorded."""
    steps = [header[key] / layout.half for key in ("forward_period", "backward_period")]
    if not all(math.isfinite(s) and 0 < s < 1e6 for s in steps):
        return
    column = PartClock(layout.counts, steps, layout.rows)
    source = "derived from the forward and backward periods"
    channels["time"] = Channel("time", "s", column, 1.0, 0.0, "", source)


def _durations(
    channels: dict[str, Channel], layout: SpectroscopyLayout
) -> Callable[[], FloatArray]:
    """Seconds of each curve: up to its last sample, and a mean step more."""

    def durations() -> FloatArray:
        out = np.full(layout.n_points, np.nan)
        if "time" not in channels:
            return out
        sizes = layout.rows.sizes
        for first, stop in layout.blocks():
            values = np.empty(int(sizes[first:stop].sum()))
            channels["time"].fill(first, stop, values)
            out[first:stop] = values[np.cumsum(sizes[first:stop]) - 1]
        return out * sizes / np.maximum(sizes - 1, 1)

    return durations


def _segments(layout: SpectroscopyLayout, kinds: tuple[str, str]) -> AnyArray:
    """Two segments of each curve."""
    out = np.empty((layout.n_points, 2), SEGMENT)
    out["curve"] = np.arange(layout.n_points)[:, None]
    out["start"][:, 0] = 0
    out["stop"][:, 0] = out["start"][:, 1] = layout.counts[:, 0]
    out["stop"][:, 1] = layout.counts.sum(axis=1)
    out["kind"] = kinds
    return out.reshape(-1)


def _metadata(header: ParkHeader, sources: list[dict[str, object]], metadata: Metadata) -> None:
    """Cantilever, trigger and speeds."""
    driving = header["driving_channel"]
    driven = sources[driving] if 0 <= driving < len(sources) else {}
    per_second, symbol = si_unit(str(driven.get("unit", "")))
    if symbol == "m":
        for key, name in (("approach_speed", "forward_speed"), ("retract_speed", "backward_speed")):
            speed = header[name] * per_second
            metadata.add(key, speed if speed > 0 else None, name.replace("_", " "))
    elif driven:
        metadata.warn(f"the ramp drives {driven['name']}, not z")
    metadata.add("spring_constant", header.get("force_constant", None) or None, "force constant")
    sensitivity = header.get("sensitivity_v_per_um", None)
    if sensitivity:
        metadata.add("deflection_sensitivity", 1e-6 / sensitivity, "sensitivity (V/um)")
    metadata.add("trigger_threshold", header.get("force_limit_v", None) or None, "force limit")
