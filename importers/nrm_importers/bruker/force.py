"""Force lists of a NanoScope file: their channels, and the height that belongs to them.

What readers trip over, all met in real files:

* value = raw x hard scale (V/LSB) x sensitivity, for samples of either width; the soft number
  behind the bracket is a display range here.
* A second list with the same samples, plotted against time, is a copy.
* A z sensor's volts rise when the scanner extends, so height falls as they rise.
* Without a recorded z there is only the commanded ramp: it ends where the trigger stopped it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nrm_importers.bruker import metadata
from nrm_importers.bruker.blocks import Block, integers
from nrm_importers.bruker.header import Header
from nrm_importers.bruker.layout import Layout, find_layout
from nrm_importers.bruker.places import curve_table, directions
from nrm_importers.found import Found
from nrm_plugin import units
from nrm_plugin.columns import (
    AnyArray,
    FileColumn,
    FileStamp,
    RepeatedColumn,
    Rows,
    in_steps,
)
from nrm_plugin.errors import CorruptFile
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import regular_segments
from nrm_plugin.vocabulary import own_slug

#: What NanoScope records, by its internal or shown name, under canonical name and unit.
CANONICAL = {
    "deflectionerror": ("deflection", "V"),
    "deflection error": ("deflection", "V"),
    "deflection": ("deflection", "V"),
    "tm deflection": ("deflection", "V"),
    "zsensor": ("height_sensor", "m"),
    "height sensor": ("height_sensor", "m"),
    "height": ("height_commanded", "m"),
    "lateral": ("lateral", "V"),
    "friction": ("lateral", "V"),
    "tr amplitude": ("lateral_amplitude", "V"),
    "tr phase": ("lateral_phase", "rad"),
}

#: A sensor must follow at least this part of the commanded ramp to be trusted as height.
_FOLLOWS = 0.1


def read_force(stamp: FileStamp, header: Header, force: list[Block], found: Found) -> CurveSet:
    """Make curves of the force lists; only the first curve is read, to see what z does.

    Raises
    ------
    CorruptFile
        If the blocks fit no number of curves.
    """
    layout = find_layout(stamp, header, force[0])
    for warning in layout.warnings:
        found.warn(warning)
    channels = _recorded(stamp, header, force, layout, found)
    rows = Rows.uniform(layout.n_curves, layout.n_samples)
    _add_ramp(channels, header, layout, rows, found)
    choose_height(channels, layout, found)
    if layout.grid is not None and directions(header)[1] == "bidirection":
        found.warn("the rows were taken to and fro: the first one is taken to run forward")
    deflection = next((b.section for b in force if _name_of(b)[0] == "deflection"), None)
    metadata.of_ramp(header, deflection, found)
    parts = [(kind, count) for kind, count, _ in layout.parts]
    return CurveSet(
        rows,
        channels,
        grid=layout.grid,
        segments_from=lambda: regular_segments(layout.n_curves, parts),
        table_from=curve_table(header, layout),
    )


def _name_of(block: Block) -> tuple[str, str, str]:
    """Channel name, unit that it must have (or empty), and the vendor's name."""
    internal, shown = block.section.selection("image data")
    original = shown or internal or "unnamed"
    for name in (internal.lower(), shown.lower()):
        if name in CANONICAL:
            return *CANONICAL[name], original
    return own_slug(original, "bruker"), "", original


def _recorded(
    stamp: FileStamp, header: Header, force: list[Block], layout: Layout, found: Found
) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    seen: list[tuple[str, Block]] = []
    for block in force:
        name, wanted, original = _name_of(block)
        if any(n == name and _same_bytes(stamp, b, block) for n, b in seen):
            continue
        seen.append((name, block))
        width = layout.width(block)
        if not width:
            found.warn(f"{original} has other samples than the first channel and is left out")
            continue
        column = FileColumn.regular(
            stamp,
            integers(width),
            block.offset,
            layout.n_curves,
            layout.runs,
            width * layout.on_disk,
        )
        gain, unit = _scale(stamp, header, block, original, wanted, found)
        if wanted and unit != wanted:
            name = own_slug(original, "bruker")
            found.warn(f"{original} cannot be given in {wanted} and is kept as {name} in {unit}")
        channel = Channel(name, unit, column, gain, 0.0, original, f"Bruker {original}")
        if name in channels:
            number = next(i for i in itertools.count(2) if f"{name}_{i}" not in channels)
            channel = replace(channel, name=f"{name}_{number}")
            found.warn(f"there are two channels {original}; the second is {channel.name}")
        channels[channel.name] = channel
    if not channels:
        raise CorruptFile(stamp.path, None, "at least one channel with samples", "none")
    return channels


def _same_bytes(stamp: FileStamp, a: Block, b: Block) -> bool:
    """Whether two blocks hold the same bytes, looked at in up to 64 places."""
    if a.length != b.length:
        return False
    part = min(a.length, 1 << 16)
    starts = np.unique(np.linspace(0, a.length - part, 64).astype(np.int64)).tolist()
    byte = np.dtype(np.uint8)
    return all(
        np.array_equal(stamp.read(a.offset + s, byte, part), stamp.read(b.offset + s, byte, part))
        for s in starts
    )


def _scale(
    stamp: FileStamp, header: Header, block: Block, original: str, wanted: str, found: Found
) -> tuple[float, str]:
    """Gain and unit of a force channel."""
    value = block.section.value("z scale", "fv scale")
    if value is None or value.hard is None:
        raise CorruptFile(stamp.path, None, f"a hard scale (V/LSB) of {original}", "none")
    per_step, unit = units.si(value.hard_unit) or (1.0, value.hard_unit)
    gain = value.hard * per_step
    if unit == wanted or not value.scale or unit != "V":
        return gain, unit
    soft = header.sensitivity(value.scale)
    if wanted:
        found.warn(soft.warning)
    if soft.value is None or (not wanted and soft.warning):
        return gain, unit
    return gain * soft.value, soft.unit


def _add_ramp(
    channels: dict[str, Channel], header: Header, layout: Layout, rows: Rows, found: Found
) -> None:
    """Add what was commanded and when: the same for every curve."""
    times = _times(layout)
    if times is not None:
        source = "derived from " + ("ramp size and speed" if layout.phase is None else "PFT Freq")
        channels["time"] = _repeated("time", "s", times, rows, "", source)
    if "height_commanded" in channels:
        return
    make = _line if layout.phase is None else _sine
    height, source = make(header, layout, found)
    if height is not None:
        channels["height_commanded"] = _repeated(
            "height_commanded", "m", height, rows, "ramp", source
        )


def _repeated(
    name: str, unit: str, values: AnyArray, rows: Rows, original: str, source: str
) -> Channel:
    numbers, step = in_steps(values)
    return Channel(name, unit, RepeatedColumn(numbers, rows), step, 0.0, original, source)


def _times(layout: Layout) -> AnyArray | None:
    if not all(math.isfinite(s) for _, n, s in layout.parts if n):
        return None
    steps = [np.full(n, s / n) for _, n, s in layout.parts if n]
    return np.concatenate([[0.0], np.cumsum(np.concatenate(steps))[:-1]])


def _line(header: Header, layout: Layout, found: Found) -> tuple[AnyArray | None, str]:
    """Commanded ramp: down over the approach, up over the retract, level while it holds."""
    force = header.first("Ciao force list")
    image = header.first("Ciao force image list")
    _, driven = force.selection("ramp channel")
    if driven and driven != "Z":
        found.warn(f"the ramp drives {driven}, not z: there is no commanded height")
        return None, ""
    if layout.scripted:
        found.warn("the ramp is scripted: there is no commanded height")
        return None, ""
    if any(kind == "other" for kind, _, _ in layout.parts):
        return None, ""
    value = force.value("ramp size zsweep") or image.value("ramp size")
    if value is None and header.version < 0x07000000:
        value = force.value("z scan size")
    if value is None or not value.soft:
        found.warn("the header gives no ramp size: there is no commanded height")
        return None, ""
    z = header.sensitivity(value.scale)
    found.warn(z.warning)
    if z.value is None or z.unit != "m":
        found.warn(f"{value.scale or 'z'} is not calibrated: there is no commanded height")
        return None, ""
    size = abs(value.soft * z.value)
    found.add("ramp_size", size, f"Ramp Size x {value.scale}")
    speeds = {kind: size / s for kind, _, s in layout.parts if s > 0}
    found.add("approach_speed", speeds.get("approach"), "Ramp Size, Forward vel.")
    found.add("retract_speed", speeds.get("retract"), "Ramp Size, Reverse vel.")
    # As NanoScope's own export has it: n steps of size / n, an approach begins before its first
    # and a retract after its first, so that they mirror each other.
    ramps: dict[str, Callable[[int], AnyArray]] = {
        "approach": lambda n: size - np.arange(n) * (size / n),
        "hold": np.zeros,
        "retract": lambda n: (np.arange(n) + 1) * (size / n),
    }
    height = np.concatenate([ramps[kind](n) for kind, n, _ in layout.parts if n])
    return height, "commanded ramp (Ramp Size x Sens. Zsens), zero where it was to end"


def _sine(header: Header, layout: Layout, found: Found) -> tuple[AnyArray | None, str]:
    """Motion of PeakForce Tapping: a sine whose lowest point the sync distance gives."""
    scan = header.first("Ciao scan list")
    found.add("peakforce_frequency", (scan.number("pft freq") or 0.0) * 1e3, "PFT Freq")
    amplitude = (scan.number("peak force amplitude") or 0.0) * 1e-9
    if not amplitude:
        found.warn("Peak Force Amplitude is missing: there is no commanded height")
        return None, ""
    found.add("peakforce_amplitude", amplitude, "Peak Force Amplitude")
    assert layout.phase is not None
    height = amplitude * (1.0 - np.cos(layout.phase))
    return height, "commanded PeakForce sine, zero at its lowest point"


def choose_height(channels: dict[str, Channel], layout: Layout, found: Found) -> None:
    """Give ``height``: the sensor if it varies with the ramp, else what was commanded.

    Either is turned so that it falls during the approach.
    """
    approach = _approach(layout)
    for name in ("height_sensor", "height_commanded"):
        if name in channels and not isinstance(channels[name].column, RepeatedColumn):
            channels[name] = _upward(channels[name], layout, approach, found)
    sensor, commanded = channels.get("height_sensor"), channels.get("height_commanded")
    chosen, what = commanded, "commanded"
    if sensor is not None:
        span = _span(sensor, layout, approach)
        ramp = _span(commanded, layout, approach) if commanded is not None else 0.0
        if span > 0 and span >= _FOLLOWS * ramp:
            chosen, what = sensor, "sensor"
        else:
            found.warn("the height sensor does not follow the ramp and is not used as height")
    if chosen is None:
        found.warn("there is no height: neither a z sensor nor a commanded ramp is known")
        return
    channels["height"] = replace(chosen, name="height")
    found.values["height_source"], found.sources["height_source"] = what, chosen.source


def _approach(layout: Layout) -> slice:
    """Samples of the longest approach of a curve; all of them where there is none."""
    best, at = slice(0, layout.n_samples), 0
    longest = 0
    for kind, n, _ in layout.parts:
        if kind == "approach" and n > longest:
            best, longest = slice(at, at + n), n
        at += n
    return best


def _first_curve(channel: Channel, layout: Layout, part: slice) -> AnyArray:
    values = np.empty(layout.n_samples)
    channel.fill(0, 1, values)
    return values[part]


def _span(channel: Channel, layout: Layout, part: slice) -> float:
    """How far the height falls over a part of the first curve."""
    values = _first_curve(channel, layout, part)
    end = max(1, len(values) // 20)
    return float(values[:end].mean() - values[-end:].mean()) if len(values) else 0.0


def _upward(channel: Channel, layout: Layout, approach: slice, found: Found) -> Channel:
    """A recorded z with the sign that makes it a height."""
    turned = replace(
        channel, gain=-channel.gain, source=f"{channel.source}, sign turned: larger = farther"
    )
    if _span(turned, layout, approach) >= 0:
        return turned
    found.warn(f"{channel.original} falls where other files' rises; its sign is left as it is")
    return channel
