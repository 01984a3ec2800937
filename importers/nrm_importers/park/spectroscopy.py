"""Force-distance spectroscopy in a TIFF file: channels, and the height that belongs to them.

What readers trip over, all met in a real file:

* Most samples of a half can be padding: copies of the last one that was measured.
* A Z Detector can be dead. Then only Z Scan, which was commanded, is a height.
* The stored Force can have been made with another sensitivity than the header's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nrm_importers.found import Found
from nrm_importers.park import probe, units
from nrm_importers.park.columns import SinceStart, TwoPaces
from nrm_importers.park.headers import Header, believable
from nrm_importers.park.layout import Layout, find_layout, measured
from nrm_importers.park.places import curve_table, date_of, read_places
from nrm_importers.park.tiff import Tiff
from nrm_plugin.columns import AnyArray, Column, FileStamp, FloatArray, Rows
from nrm_plugin.errors import CorruptFile
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import SEGMENT
from nrm_plugin.vocabulary import own_slug

#: What Park records, in small letters, under canonical name and unit.
CANONICAL = {
    "vertical (a-b)": ("deflection", "V"),
    "a-b": ("deflection", "V"),
    "force": ("force_normal", "N"),
    "z scan": ("height_commanded", "m"),
    "z drive": ("height_commanded", "m"),
    "z detector": ("height_sensor", "m"),
    "z height": ("height_sensor", "m"),
    "zheight": ("height_sensor", "m"),
    "lateral (c-d)": ("lateral", "V"),
    "c-d": ("lateral", "V"),
    "lateral force": ("lateral", "V"),
    "lateral": ("lateral", "V"),
    "lfm": ("lateral", "V"),
    "time stamp": ("time", "s"),
}


def read_spectroscopy(
    stamp: FileStamp, tiff: Tiff, header: Header, size: int, found: Found
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
        found.warn("the header of a spectroscopy announces no points")
        return CurveSet(Rows.uniform(0, 0), {})
    places = read_places(tiff, header, size, found)
    sources = header["sources"][: layout.n_channels]
    names = [name_of(source["name"], source["unit"], found) for source in sources]
    stamps = names.index("time") if "time" in names else None
    counts, starts = measured(layout, stamps)
    if stamps is not None and starts is None:
        found.warn("the Time Stamp stands still: padding was found by what all channels repeat")
        names[stamps] = "time_stamp"
    layout = replace(layout, counts=counts[places.order], order=places.order)
    starts = None if starts is None else starts[places.order]
    channels = _recorded(tiff, header, layout, names, starts, found)
    _metadata(header, sources, found)
    if "time" not in channels:
        _add_clock(channels, header, layout)
    kinds = probe.settle(channels, layout.counts, found)
    return CurveSet(
        layout.rows,
        channels,
        grid=places.grid,
        segments_from=lambda: _segments(layout, kinds),
        table_from=curve_table(places, date_of(tiff), _durations(channels, layout)),
    )


def name_of(original: str, unit: str, found: Found) -> str:
    """Name of a channel that Park calls `original`, if its unit fits; else a slug."""
    name, wanted = CANONICAL.get(original.lower(), ("", ""))
    if name and units.si(unit)[1] != wanted:
        if original.lower() == "force" and units.si(unit)[1] == "V":
            return "deflection"
        found.warn(f"{original} is in {unit or 'no unit'} and not in {wanted}: kept as it is")
        name = ""
    return name or own_slug(original or "channel", "park")


def free_name(name: str, original: str, taken: dict[str, Channel], found: Found) -> str:
    """Return `name`, with a number behind it if there is such a channel already."""
    if name not in taken:
        return name
    free = next(f"{name}_{i}" for i in itertools.count(2) if f"{name}_{i}" not in taken)
    found.warn(f"there are two channels {original}; the second is {free}")
    return free


def _recorded(
    tiff: Tiff,
    header: Header,
    layout: Layout,
    names: list[str],
    starts: FloatArray | None,
    found: Found,
) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    for number, name in enumerate(names):
        source = header["sources"][number]
        original, unit = source["name"] or f"channel {number + 1}", source["unit"]
        gain, symbol = units.si(unit)
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
                found.warn(f"{original}: its numbers are {what}, as the file has them")
        if offset:
            found.warn(f"{original}: the header's offset of {offset:g} {unit} is added".rstrip())
        column: Column = layout.column(number)
        scale, zero = source["gain"] * gain, offset * gain
        if name == "time" and starts is not None:
            zero = -float(starts[0] * scale)
            if (starts != starts[0]).any():
                column, zero = SinceStart(column, starts), 0.0
        name = free_name(name, original, channels, found)
        channels[name] = Channel(name, symbol, column, scale, zero, original, f"Park {original}")
    return channels


def _add_clock(channels: dict[str, Channel], header: Header, layout: Layout) -> None:
    """Add times by the periods in the header, where no Time Stamp was recorded."""
    steps = [header[key] / layout.half for key in ("forward_period", "backward_period")]
    if not all(math.isfinite(s) and 0 < s < 1e6 for s in steps):
        return
    column = TwoPaces(layout.counts, (steps[0], steps[1]), layout.rows)
    source = "derived from the forward and backward periods"
    channels["time"] = Channel("time", "s", column, 1.0, 0.0, "", source)


def _durations(channels: dict[str, Channel], layout: Layout) -> Callable[[], FloatArray]:
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


def _segments(layout: Layout, kinds: tuple[str, str]) -> AnyArray:
    """Two segments of each curve."""
    out = np.empty((layout.n_points, 2), SEGMENT)
    out["curve"] = np.arange(layout.n_points)[:, None]
    out["start"][:, 0] = 0
    out["stop"][:, 0] = out["start"][:, 1] = layout.counts[:, 0]
    out["stop"][:, 1] = layout.counts.sum(axis=1)
    out["kind"] = kinds
    return out.reshape(-1)


def _metadata(header: Header, sources: list[dict[str, object]], found: Found) -> None:
    """Cantilever, trigger and speeds."""
    driving = header["driving_channel"]
    driven = sources[driving] if 0 <= driving < len(sources) else {}
    per_second, symbol = units.si(str(driven.get("unit", "")))
    if symbol == "m":
        for key, name in (
            ("approach_speed", "forward_speed"),
            ("retract_speed", "backward_speed"),
        ):
            speed = header[name] * per_second
            found.add(key, speed if speed > 0 else None, name.replace("_", " "))
    elif driven:
        found.warn(f"the ramp drives {driven['name']}, not z")
    found.add("spring_constant", header.get("force_constant", None) or None, "force constant")
    sensitivity = header.get("sensitivity_v_per_um", None)
    if sensitivity:
        found.add("deflection_sensitivity", 1e-6 / sensitivity, "sensitivity (V/um)")
    found.add("trigger_threshold", header.get("force_limit_v", None) or None, "force limit")
