"""JPK's archives: from headers and members to a `CurveSet`.

What readers trip over, all met in real files:

* Channels differ between the segments of one curve, and segments come in any number and order.
* The command's calibrated height is a quarter off the sensor's in a closed loop: the sensor is the
  height where there is one.
* A time stamp is that of its segment's end.
* The deflection is absolute. Signs are as the file says, and never guessed from the numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from nrm_importers.height_choice import choose_height
from nrm_importers.jpk.archive import JpkArchive
from nrm_importers.jpk.encodings import Encoding, Slot, multiplier
from nrm_importers.jpk.java_properties import number
from nrm_importers.jpk.member_columns import LONGEST, SETTINGS, MemberColumn, SegmentClock
from nrm_importers.jpk.positions import MapGrid, Places, grid_of, stamp_of
from nrm_importers.metadata import Metadata
from nrm_plugin import units
from nrm_plugin.columns import AnyArray, Column, FileStamp
from nrm_plugin.errors import CorruptFile, MissingFile
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import SEGMENT
from nrm_plugin.vocabulary import CHANNELS, SegmentKind, own_slug

#: Sensors of the height, best first; the name goes with the instrument's generation.
SENSORS = (
    "measuredHeight",
    "capacitiveSensorHeight",
    "strainGaugeHeight",
    "smoothedMeasuredHeight",
)
#: Commands, best first; head and stage have their own names and carry the same numbers.
COMMANDED = ("height", "head-height", "cellhesion-height")
DEFLECTION, LATERAL = "vDeflection", "hDeflection"
CLOCK = "seriesTime"

_KINDS: dict[str, SegmentKind] = {
    "extend": "approach",
    "retract": "retract",
    "pause": "hold",
    "modulation": "modulation",
}

#: Of fewer samples nobody can tell whether a channel is dead.
_ALIVE = 16

#: A first curve of more samples is not looked at.
_LOOKED_AT = 1 << 22


def open_archive(path: Path) -> CurveSet:
    """Open an archive.

    Read are its directory, its own headers and those of its first curve, and some positions.

    Raises
    ------
    CorruptFile
        If headers, directory and lengths contradict each other, or something was cut off.
    """
    try:
        stamp = FileStamp.of(path)
    except OSError as error:
        raise MissingFile(path, error) from None
    archive = JpkArchive(stamp)
    if not archive.numbers or not archive.rows.total:
        raise CorruptFile(path, None, "force curves in the archive", "none")
    metadata = Metadata()
    grid = grid_of(archive.header)
    places, clock = Places(archive, grid), SegmentClock(archive)
    channels = _channels(archive, clock, metadata)
    _metadata(archive, grid, metadata)
    _doubts(archive, channels, metadata)
    curves = CurveSet(
        archive.rows,
        channels,
        segments_from=lambda: _segments(archive),
        table_from=places.table(clock),
    )
    order = places.order
    if order is not None and grid is not None:
        if (order != np.arange(len(order))).any():
            curves = curves[order]
        curves = replace(curves, grid=(grid.rows, grid.columns))
    text = "\n".join(filter(None, [archive.header_text, archive.shared_text]))
    return metadata.attached(curves, path, "jpk", text)


def _kind(header: Mapping[str, str]) -> SegmentKind:
    """Kind of a segment by its header, with what it shares."""
    for key in (f"{SETTINGS}.style", "force-segment-header.settings.style"):
        if header.get(key) in _KINDS:
            return _KINDS[header[key]]
    name = header.get("force-segment-header.name.name", "")
    return next((kind for word, kind in _KINDS.items() if name.startswith(word)), "other")


def _segments(archive: JpkArchive) -> AnyArray:
    """Segments with samples, of every curve."""
    stop = np.cumsum(archive.counts, axis=1)
    curve, s = np.nonzero(archive.counts)
    kinds: AnyArray = np.array([_kind(header) for header in archive.headers], "U10")[s]
    if archive.kinds_may_differ:
        with archive.stamp.opened() as file:
            for i, place in enumerate(zip(curve.tolist(), s.tolist(), strict=True)):
                kinds[i] = _kind(archive.settings(archive.segment_header(file, *place)))
    out = np.empty(len(curve), SEGMENT)
    out["curve"], out["stop"], out["kind"] = curve, stop[curve, s], kinds
    out["start"] = out["stop"] - archive.counts[curve, s]
    return out


def _channels(archive: JpkArchive, clock: SegmentClock, metadata: Metadata) -> dict[str, Channel]:
    """Every channel of the archive, under canonical names where there are such."""
    per_segment: dict[str, list[Encoding | None]] = {}
    for s, encodings in enumerate(archive.encodings):
        for original, one in encodings.items():
            if one.problem:
                metadata.warn(f"{original} is left out: it is {one.problem}")
                continue
            empty: list[Encoding | None] = [None] * len(archive.numbers)
            per_segment.setdefault(original, empty)[s] = one
    everywhere = {name for name, found in per_segment.items() if _whole(archive, found)}
    sensor = next((name for name in SENSORS if name in everywhere), "")
    commanded = next((name for name in COMMANDED if name in everywhere), COMMANDED[0])
    channels: dict[str, Channel] = {}

    def add(name: str, original: str, *slots: str) -> None:
        channel = _channel(archive, name, original, per_segment[original], slots)
        free = metadata.free_name(channel.name, original, channels)
        channels[free] = replace(channel, name=free)

    for original, found in per_segment.items():
        if original == DEFLECTION:
            add("deflection", original)
            if any("force" in e.slots for e in found if e is not None):
                add("force_normal", original, "force")
        elif original == LATERAL:
            add("lateral", original)
        elif original == sensor:
            add("height_sensor", original, "nominal", "calibrated")
        elif original == commanded:
            add("height_commanded", original, "calibrated", "nominal")
        elif original == CLOCK and original in everywhere:
            add("time", original)
        else:
            add(_own_name(original), original, *_usual(found))
    if "time" not in channels and not clock.durations(0, 1)[0][archive.counts[0] > 0].all():
        metadata.warn("the first curve has a segment without a duration: there are no times")
    elif "time" not in channels:
        source = "derived from the durations of the segments"
        channels["time"] = Channel("time", "s", clock, 1.0, 0.0, "", source)
    choose_height(channels, metadata)
    return channels


def _whole(archive: JpkArchive, found: list[Encoding | None]) -> bool:
    """Whether a channel is there in every segment that has samples."""
    return all(e is not None or not archive.counts[:, s].any() for s, e in enumerate(found))


def _usual(found: list[Encoding | None]) -> tuple[str, ...]:
    """Slot that JPK shows, unless that are volts made of something calibrated."""
    one = next(e for e in found if e is not None)
    default, stored = one.slots.get(one.default), one.slots[one.base]
    less = default is None or (default.unit == "V" and stored.unit != "V")
    return () if less else (one.default,)


def _channel(
    archive: JpkArchive,
    name: str,
    original: str,
    found: list[Encoding | None],
    wanted: tuple[str, ...],
) -> Channel:
    """Make a channel in the first of the wanted slots that it has, else as it is stored."""
    slots: list[Slot | None] = []
    shown = ""
    for one in found:
        if one is None:
            slots.append(None)
            continue
        slot_name, slot = one.best(*([shown] if shown else wanted))
        shown = shown or slot_name
        slots.append(slot)
    there = [slot for slot in slots if slot is not None]
    factor, unit = units.si(there[0].unit) or (1.0, there[0].unit)
    used = [
        (e, slot)
        for s, (e, slot) in enumerate(zip(found, slots, strict=True))
        if archive.counts[:, s].any()
    ]
    alike = len({(e.dtype, slot) if e and slot else None for e, slot in used}) == 1
    source = f"JPK {original}, {shown}"
    column: Column
    if alike and used[0][1] is not None:
        column, gain, offset = MemberColumn(archive, original), used[0][1].gain, used[0][1].offset
    else:
        scales = [(slot.gain, slot.offset) if slot else (1.0, 0.0) for slot in slots]
        column, gain, offset = MemberColumn(archive, original, scales), 1.0, 0.0
    if not _stored_in(name, unit):
        name = _own_name(original)
    return Channel(name, unit, column, gain * factor, offset * factor, original, source)


def _own_name(original: str) -> str:
    """Name of a channel that is not canonical: ``capacitive_sensor_height``."""
    return own_slug(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", original), "jpk")


def _stored_in(name: str, unit: str) -> bool:
    """Whether a channel of that name may have the unit."""
    return name not in CHANNELS or unit in CHANNELS[name].units


def _metadata(archive: JpkArchive, grid: MapGrid | None, metadata: Metadata) -> None:
    """Cantilever, trigger, ramp, instrument and scan."""
    own = _below(archive.header, f"{archive.kind}.")
    for key, name in (
        ("instrument", "description.instrument"),
        ("software_version", "description.source-software"),
        ("title", "description.name"),
        ("comment", "description.comment"),
    ):
        text = own.get(name, "")
        metadata.add(
            key, None if text.startswith("no ") and text.endswith(" entry") else text, name
        )
    metadata.add("operating_mode", archive.kind, "type")
    metadata.add("start_time", _date(own, archive), "start-time or time-stamp")
    for header in archive.headers:
        if DEFLECTION in header.get("channels.list", "").split():
            for key, slot in (("deflection_sensitivity", "distance"), ("spring_constant", "force")):
                if key not in metadata.values:
                    value = multiplier(header, DEFLECTION, slot)
                    metadata.add(key, value, f"{DEFLECTION}, {slot}")
    for header in archive.headers:
        kind = _kind(header)
        if kind not in ("approach", "retract"):
            continue
        begin, end = (number(header, f"{SETTINGS}.{name}") for name in ("z-start", "z-end"))
        seconds = number(header, f"{SETTINGS}.duration")
        if begin is not None and end is not None and math.isfinite(begin - end) and begin != end:
            length = abs(begin - end)
            if "ramp_size" not in metadata.values:
                metadata.add("ramp_size", length, "z-start less z-end")
            if seconds is not None and seconds > 0 and f"{kind}_speed" not in metadata.values:
                metadata.add(f"{kind}_speed", length / seconds, "z-start less z-end by duration")
        trigger = number(header, f"{SETTINGS}.setpoint")
        if kind == "approach" and trigger is not None and math.isfinite(trigger):
            metadata.add("trigger_threshold", trigger, "setpoint")
            metadata.add("trigger_mode", "relative to the baseline", "setpoint")
    if grid is not None:
        metadata.add("scan_size", grid.length, "grid, ulength")
        angle = grid.angle
        metadata.add("scan_angle", angle if angle and math.isfinite(angle) else None, "grid, theta")


def _date(own: Mapping[str, str], archive: JpkArchive) -> str | None:
    """When a map or a curve began."""
    began = stamp_of(own.get("start-time", ""))
    if began is not None:
        return str(began)
    first = archive.headers[0]
    ended = stamp_of(first.get("force-segment-header.time-stamp", ""))
    seconds = number(first, "force-segment-header.duration")
    if ended is None or seconds is None or not 0.0 <= seconds < LONGEST:
        return None
    return str(ended - np.timedelta64(round(seconds * 1e6), "us"))


def _below(header: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {k.removeprefix(prefix): v for k, v in header.items() if k.startswith(prefix)}


def _doubts(archive: JpkArchive, channels: dict[str, Channel], metadata: Metadata) -> None:
    """What the first curve shows: channels that never change."""
    count = archive.rows.start(1)
    for channel in channels.values() if count <= _LOOKED_AT else ():
        values = np.empty(count)
        channel.fill(0, 1, values)
        if len(values) >= _ALIVE and (values == values[0]).all():
            metadata.warn(
                f"{channel.original} is dead: it is {values[0]:g} {channel.unit}".rstrip()
                + " throughout the first curve"
            )
    if "deflection" in channels and "deflection_sensitivity" not in metadata.values:
        metadata.warn("the deflection was not calibrated: it is in volts")
