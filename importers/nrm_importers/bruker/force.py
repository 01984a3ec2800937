"""Force lists of a NanoScope file: their channels, and the height that belongs to them.

What readers trip over, all met in real files:

* value = raw x hard scale (V/LSB) x sensitivity, for samples of either width; the soft number
  behind the bracket is a display range here.
* The two halves of a curve have slots of one length, and the samples behind a half's count are
  zeros or garbage.
* A second list with the same samples, plotted against time, is a copy.
* A z sensor's volts rise when the scanner extends, so height falls as they rise.
* Without a recorded z there is only the commanded ramp: it ends where the trigger stopped it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nrm_importers.bruker.blocks import DataBlock, halves_of, integers
from nrm_importers.bruker.force_layout import ForceLayout, find_layout
from nrm_importers.bruker.header import BrukerHeader, HeaderSection, SoftScale
from nrm_importers.bruker.positions import curve_table, directions
from nrm_importers.metadata import Metadata
from nrm_plugin import units
from nrm_plugin.columns import AnyArray, FileColumn, FileStamp, RepeatedColumn, Rows, in_steps
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


def read_force(
    stamp: FileStamp, header: BrukerHeader, force: list[DataBlock], metadata: Metadata
) -> CurveSet:
    """Make curves of the force lists; only the first curve is read, to see what z does.

    Raises
    ------
    CorruptFile
        If the blocks fit no number of curves.
    """
    layout = find_layout(stamp, header, force[0])
    for warning in layout.warnings:
        metadata.warn(warning)
    channels = _recorded(stamp, header, force, layout, metadata)
    rows = Rows.uniform(layout.n_curves, layout.n_samples)
    _add_ramp(channels, header, layout, rows, metadata)
    choose_height(channels, layout, metadata)
    if layout.grid is not None and directions(header)[1] == "bidirection":
        metadata.warn("the rows were taken to and fro: the first one is taken to run forward")
    deflection = next((b.section for b in force if _name_of(b)[0] == "deflection"), None)
    read_ramp_settings(header, deflection, metadata)
    parts = [(kind, count) for kind, count, _ in layout.parts]
    return CurveSet(
        rows,
        channels,
        grid=layout.grid,
        segments_from=lambda: regular_segments(layout.n_curves, parts),
        table_from=curve_table(header, layout),
    )


def _name_of(block: DataBlock) -> tuple[str, str, str]:
    """Channel name, unit that it must have (or empty), and the vendor's name."""
    internal, shown = block.section.selection("image data")
    original = shown or internal or "unnamed"
    for name in (internal.lower(), shown.lower()):
        if name in CANONICAL:
            return *CANONICAL[name], original
    return own_slug(original, "bruker"), "", original


def _recorded(
    stamp: FileStamp,
    header: BrukerHeader,
    force: list[DataBlock],
    layout: ForceLayout,
    metadata: Metadata,
) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    seen: list[tuple[str, FileColumn]] = []
    for block in force:
        name, wanted, original = _name_of(block)
        width = layout.width(block)
        if not width or halves_of(header, block.section) != halves_of(header, force[0].section):
            metadata.warn(f"{original} has other samples than the first channel and is left out")
            continue
        column = FileColumn.regular(
            stamp,
            integers(width),
            block.offset,
            layout.n_curves,
            layout.runs,
            width * layout.on_disk,
        )
        if any(n == name and _same_samples(c, column) for n, c in seen):
            continue
        seen.append((name, column))
        gain, unit = _scale(stamp, header, block, original, wanted, metadata)
        if wanted and unit != wanted:
            name = own_slug(original, "bruker")
            metadata.warn(f"{original} cannot be given in {wanted} and is kept as {name} in {unit}")
        name = metadata.free_name(name, original, channels)
        channels[name] = Channel(name, unit, column, gain, 0.0, original, f"Bruker {original}")
    if not channels:
        raise CorruptFile(stamp.path, None, "at least one channel with samples", "none")
    return channels


def _same_samples(a: FileColumn, b: FileColumn) -> bool:
    """Whether two columns hold the same samples, looked at in up to 64 curves."""
    if a.dtype != b.dtype:
        return False
    for curve in np.unique(np.linspace(0, len(a.rows) - 1, 64).astype(np.int64)).tolist():
        count = a.rows.start(curve + 1) - a.rows.start(curve)
        one, other = (np.empty(count, a.dtype) for _ in range(2))
        a.fill(curve, curve + 1, one)
        b.fill(curve, curve + 1, other)
        if not np.array_equal(one, other):
            return False
    return True


def _scale(
    stamp: FileStamp,
    header: BrukerHeader,
    block: DataBlock,
    original: str,
    wanted: str,
    metadata: Metadata,
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
        metadata.warn(soft.warning)
    if soft.value is None or (not wanted and soft.warning):
        return gain, unit
    return gain * soft.value, soft.unit


def _add_ramp(
    channels: dict[str, Channel],
    header: BrukerHeader,
    layout: ForceLayout,
    rows: Rows,
    metadata: Metadata,
) -> None:
    """Add what was commanded and when: the same for every curve."""
    times = _times(layout)
    if times is not None:
        source = "derived from " + ("ramp size and speed" if layout.phase is None else "PFT Freq")
        channels["time"] = _repeated("time", "s", times, rows, "", source)
    if "height_commanded" in channels:
        return
    make = _line if layout.phase is None else _sine
    height, source = make(header, layout, metadata)
    if height is not None:
        channels["height_commanded"] = _repeated(
            "height_commanded", "m", height, rows, "ramp", source
        )


def _repeated(
    name: str, unit: str, values: AnyArray, rows: Rows, original: str, source: str
) -> Channel:
    numbers, step = in_steps(values)
    return Channel(name, unit, RepeatedColumn(numbers, rows), step, 0.0, original, source)


def _times(layout: ForceLayout) -> AnyArray | None:
    if not all(math.isfinite(s) for _, n, s in layout.parts if n):
        return None
    steps = [np.full(n, s / n) for _, n, s in layout.parts if n]
    return np.concatenate([[0.0], np.cumsum(np.concatenate(steps))[:-1]])


def _line(
    header: BrukerHeader, layout: ForceLayout, metadata: Metadata
) -> tuple[AnyArray | None, str]:
    """Commanded ramp: down over the approach, up over the retract, level while it holds."""
    force = header.first("Ciao force list")
    image = header.first("Ciao force image list")
    _, driven = force.selection("ramp channel")
    if driven and driven != "Z":
        metadata.warn(f"the ramp drives {driven}, not z: there is no commanded height")
        return None, ""
    if layout.scripted:
        metadata.warn("the ramp is scripted: there is no commanded height")
        return None, ""
    if any(kind == "other" for kind, _, _ in layout.parts):
        return None, ""
    value = force.value("ramp size zsweep") or image.value("ramp size")
    if value is None and header.version < 0x07000000:
        value = force.value("z scan size")
    if value is None or not value.soft:
        metadata.warn("the header gives no ramp size: there is no commanded height")
        return None, ""
    z = header.sensitivity(value.scale)
    metadata.warn(z.warning)
    if z.value is None or z.unit != "m":
        metadata.warn(f"{value.scale or 'z'} is not calibrated: there is no commanded height")
        return None, ""
    size = abs(value.soft * z.value)
    metadata.add("ramp_size", size, f"Ramp Size x {value.scale}")
    step = size / layout.slot
    speeds = {kind: n * step / s for kind, n, s in layout.parts if s > 0}
    metadata.add("approach_speed", speeds.get("approach"), "Ramp Size, Forward vel.")
    metadata.add("retract_speed", speeds.get("retract"), "Ramp Size, Reverse vel.")
    # As NanoScope's own export has it: an approach begins before its first step and a retract
    # after it, so that they mirror each other, whether or not a trigger ended the ramp early.
    extend = sum(n for kind, n, _ in layout.parts if kind == "approach")
    top = size if extend == layout.slot else extend * step
    ramps: dict[str, Callable[[int], AnyArray]] = {
        "approach": lambda n: top - np.arange(n) * step,
        "hold": np.zeros,
        "retract": lambda n: (np.arange(n) + 1) * step,
    }
    height = np.concatenate([ramps[kind](n) for kind, n, _ in layout.parts if n])
    return height, "commanded ramp (Ramp Size x Sens. Zsens), zero where it ended"


def _sine(
    header: BrukerHeader, layout: ForceLayout, metadata: Metadata
) -> tuple[AnyArray | None, str]:
    """Motion of PeakForce Tapping: a sine whose lowest point the sync distance gives."""
    scan = header.first("Ciao scan list")
    metadata.add("peakforce_frequency", (scan.number("pft freq") or 0.0) * 1e3, "PFT Freq")
    amplitude = (scan.number("peak force amplitude") or 0.0) * 1e-9
    if not amplitude:
        metadata.warn("Peak Force Amplitude is missing: there is no commanded height")
        return None, ""
    metadata.add("peakforce_amplitude", amplitude, "Peak Force Amplitude")
    assert layout.phase is not None
    height = amplitude * (1.0 - np.cos(layout.phase))
    return height, "commanded PeakForce sine, zero at its lowest point"


def read_ramp_settings(
    header: BrukerHeader, deflection: HeaderSection | None, metadata: Metadata
) -> None:
    """What files with curves have: cantilever, ramp, trigger."""
    force, scan = header.first("Ciao force list"), header.first("Ciao scan list")
    if deflection is not None:
        constant = deflection.number("spring constant")
        metadata.add("spring_constant", constant or None, "Spring Constant of the deflection list")
        value = deflection.value("z scale")
        scale = deflection_sensitivity(header, value.scale if value else "")
        given = "; give it with --set deflection_sensitivity=...nm/V"
        metadata.warn(scale.warning + (given if scale.warning and scale.value is None else ""))
        if scale.unit == "m":
            metadata.add("deflection_sensitivity", scale.value, scale.name)
    metadata.add("ramp_rate", force.number("scan rate") or None, "Scan rate")
    if force.integer("hold samples"):
        metadata.add("hold_time", force.number("hold time") or None, "Hold Time")
    trigger = force.value("trig threshold deflection")
    metadata.add(
        "trigger_threshold", trigger.soft if trigger else None, "Trig Threshold Deflection"
    )
    metadata.add("trigger_mode", (force.text("trigger mode") or "").lower(), "Trigger mode")
    angle = metadata.values.get("scan_angle") or scan.number("rotate ang.")
    if angle:
        metadata.warn(
            "the scan is turned: x and y are along its axes, turned by scan_angle against the "
            "scanner's"
        )


def deflection_sensitivity(header: BrukerHeader, scale: str) -> SoftScale:
    """Sensitivity of the deflection, under the name that its list gives."""
    return header.sensitivity(scale or "Sens. DeflSens")


def choose_height(channels: dict[str, Channel], layout: ForceLayout, metadata: Metadata) -> None:
    """Give ``height``: the sensor if it varies with the ramp, else what was commanded.

    Either is turned so that it falls during the approach.
    """
    approach = _approach(layout)
    for name in ("height_sensor", "height_commanded"):
        if name in channels and not isinstance(channels[name].column, RepeatedColumn):
            channels[name] = _upward(channels[name], layout, approach, metadata)
    sensor, commanded = channels.get("height_sensor"), channels.get("height_commanded")
    chosen, what = commanded, "commanded"
    if sensor is not None:
        span = _span(sensor, layout, approach)
        ramp = _span(commanded, layout, approach) if commanded is not None else 0.0
        if span > 0 and span >= _FOLLOWS * ramp:
            chosen, what = sensor, "sensor"
        else:
            metadata.warn("the height sensor does not follow the ramp and is not used as height")
    if chosen is None:
        metadata.warn("there is no height: neither a z sensor nor a commanded ramp is known")
        return
    channels["height"] = replace(chosen, name="height")
    metadata.values["height_source"], metadata.sources["height_source"] = what, chosen.source


def _approach(layout: ForceLayout) -> slice:
    """Samples of the longest approach of a curve; all of them where there is none."""
    best, at = slice(0, layout.n_samples), 0
    longest = 0
    for kind, n, _ in layout.parts:
        if kind == "approach" and n > longest:
            best, longest = slice(at, at + n), n
        at += n
    return best


def _first_curve(channel: Channel, layout: ForceLayout, part: slice) -> AnyArray:
    values = np.empty(layout.n_samples)
    channel.fill(0, 1, values)
    return values[part]


def _span(channel: Channel, layout: ForceLayout, part: slice) -> float:
    """How far the height falls over a part of the first curve."""
    values = _first_curve(channel, layout, part)
    end = max(1, len(values) // 20)
    return float(values[:end].mean() - values[-end:].mean()) if len(values) else 0.0


def _upward(channel: Channel, layout: ForceLayout, approach: slice, metadata: Metadata) -> Channel:
    """A recorded z with the sign that makes it a height."""
    turned = replace(
        channel, gain=-channel.gain, source=f"{channel.source}, sign turned: larger = farther"
    )
    if _span(turned, layout, approach) >= 0:
        return turned
    metadata.warn(f"{channel.original} falls where other files' rises; its sign is left as it is")
    return channel
