"""Nanosurf's spectroscopy: from the text of a .nid file to a `CurveSet`.

What readers trip over, all met in a real file:

* The backward curves are stored in the order of z, the last sample first.
* Curves that reached their stop early are filled up: only LineDim's Points were measured.
* Z grows towards the surface: its sign is turned.
* Groups of results (Slope..., Indentation...) and images stand beside the curves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from nrm_importers.clocks import PartClock
from nrm_importers.height_choice import choose_height
from nrm_importers.metadata import Metadata
from nrm_importers.nanosurf.nid_file import NidFile, NidSet, Section, read_nid
from nrm_plugin import units
from nrm_plugin.columns import AnyArray, Column, FileColumn, IntArray, Rows, Strip, scaled_copy
from nrm_plugin.errors import CorruptFile, InvalidInput
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import SEGMENT, CurveTable
from nrm_plugin.vocabulary import SegmentKind, own_slug

#: Groups of the curves, in the order of time. No file with pauses was met.
PARTS: dict[str, SegmentKind] = {
    "Spec forward": "approach",
    "Spec forward pause": "hold",
    "Spec backward": "retract",
    "Spec backward pause": "hold",
}

#: Nanosurf's signals, and what they are here.
CANONICAL = {
    "Deflection": "deflection",
    "Z-Axis Sensor": "height_sensor",
    "Z-Axis Out": "height_commanded",
    "Friction force": "lateral",
}

_VALUE = re.compile(r"D\[([^\]]*)\]\*\[([^\]]*)\]")


def open_nid(path: Path) -> CurveSet:
    """Open a file with spectroscopy.

    Raises
    ------
    CorruptFile
        If text and length contradict each other.
    InvalidInput
        For a file without spectroscopy: images, sweeps.
    """
    file = read_nid(path)
    groups: dict[str, dict[str, NidSet]] = {name: {} for name in PARTS}
    for one in file.sets:
        if one.group in groups:
            groups[one.group].setdefault(one.signal, one)
    parts = {name: signals for name, signals in groups.items() if signals}
    if not any(PARTS[name] == "approach" for name in parts):
        what = ", ".join(sorted({s.group for s in file.sets})) or "nothing"
        raise InvalidInput(
            f"{path}: there is no force spectroscopy in this Nanosurf file (it has: {what[:200]}); "
            "open its images in Gwyddion"
        )
    metadata = Metadata()
    lengths = _lengths(path, parts)
    signals = [s for s in parts["Spec forward"] if all(s in of_part for of_part in parts.values())]
    if not signals:
        raise InvalidInput(f"{path}: no signal was recorded in every part of the curves")
    for name in sorted({s for of_part in parts.values() for s in of_part} - set(signals)):
        metadata.warn(f"{name} was not recorded in every part of the curves: left out")
    _metadata(file, metadata)
    rows = Rows(lengths.sum(axis=1))
    channels: dict[str, Channel] = {}
    for signal in signals:
        _add(channels, file, [of_part[signal] for of_part in parts.values()], lengths, metadata)
    _add_ramp(channels, [of_part[signals[0]] for of_part in parts.values()], lengths, rows)
    _add_clock(channels, file, list(parts), lengths, rows, metadata)
    choose_height(channels, metadata)
    kinds = [PARTS[name] for name in parts]
    if len(rows) > 1:
        metadata.warn("where on the map each curve was taken is not known: its order is not told")
    return metadata.attached(
        CurveSet(
            rows,
            channels,
            segments_from=lambda: _segments(lengths, kinds),
            table_from=lambda: _table(metadata, len(rows)),
        ),
        path,
        "nanosurf",
        file.text,
    )


def _lengths(path: Path, parts: Mapping[str, Mapping[str, NidSet]]) -> IntArray:
    """Samples of each curve and part."""
    columns = []
    for name, signals in parts.items():
        found = [one.lengths() for one in signals.values()]
        if any(len(one) != len(found[0]) or (one != found[0]).any() for one in found):
            raise CorruptFile(path, None, f"signals of one length in {name}", "others")
        columns.append(found[0])
    if len({len(one) for one in columns}) > 1:
        counts = ", ".join(f"{len(one)}" for one in columns)
        raise CorruptFile(path, None, "as many curves forward as backward", counts)
    return np.stack(columns, axis=1)


class ScaledParts:
    """Parts of curves whose numbers mean different things: each by its own scale.

    Parameters
    ----------
    parts : sequence of (FileColumn, gain, offset)
    """

    dtype = np.dtype(np.float64)

    def __init__(self, parts: Sequence[tuple[FileColumn, float, float]]) -> None:
        self.parts = parts
        self.stamp = parts[0][0].stamp
        self.rows = Rows(np.sum([column.rows.sizes for column, _, _ in parts], axis=0))

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        flat, at = out.reshape(-1), 0
        for curve in range(first, stop):
            for column, own_gain, own_offset in self.parts:
                n = int(column.rows.sizes[curve])
                column.fill(curve, curve + 1, flat[at : at + n], own_gain, own_offset)
                at += n
        scaled_copy(flat[:at], flat[:at], gain, offset)


def _add(
    channels: dict[str, Channel],
    file: NidFile,
    parts: Sequence[NidSet],
    lengths: IntArray,
    metadata: Metadata,
) -> None:
    """Add a signal under its canonical name; a deflection in newtons is a force, too."""
    strips = []
    for i, one in enumerate(parts):
        width = one.bits // 8
        starts = one.begin + np.arange(one.lines, dtype=np.int64) * one.points * width
        strips.append(Strip(starts, lengths[:, i], PARTS[one.group] == "retract"))
    first = parts[0]
    scales = {(one.gain, one.offset) for one in parts}
    if not all(math.isfinite(g) and math.isfinite(o) for g, o in scales):
        metadata.warn(f"{first.signal} is left out: its range is not told")
        return
    if len({one.bits for one in parts}) > 1:
        metadata.warn(f"{first.signal} is left out: its parts have numbers of different lengths")
        return
    dtype = np.dtype(f"<i{first.bits // 8}")
    column: Column
    if len(scales) == 1:
        column, (gain, offset) = FileColumn(file.stamp, dtype, strips), next(iter(scales))
    else:
        column = ScaledParts(
            [
                (FileColumn(file.stamp, dtype, [strip]), one.gain, one.offset)
                for strip, one in zip(strips, parts, strict=True)
            ]
        )
        gain, offset = 1.0, 0.0
    factor, unit = units.si(first.unit) or (1.0, first.unit)
    gain, offset = gain * factor, offset * factor
    name = CANONICAL.get(first.signal, "")
    source = f"Nanosurf {first.signal}"
    if name.startswith("height"):
        gain, offset, source = -gain, -offset, f"{source}, sign turned: larger = farther"
    if name == "deflection" and unit == "N":
        channels["force_normal"] = Channel(
            "force_normal", "N", column, gain, offset, first.signal, source
        )
        stiffness = metadata.values.get("spring_constant")
        if not stiffness:
            metadata.warn("the deflection is in newtons and the spring constant is not told")
            return
        gain, offset, unit = gain / stiffness, offset / stiffness, "m"
        source = f"{source} over the spring constant"
    fits = {"deflection": ("V", "m"), "lateral": ("V", "N")}.get(name, ("m",) if name else (unit,))
    if not name or unit not in fits:
        name = own_slug(first.signal, "nanosurf")
    name = metadata.free_name(name, first.signal, channels)
    channels[name] = Channel(name, unit, column, gain, offset, first.signal, source)


class LineRamps:
    """Commanded z of every part of every curve: even steps between two values.

    Parameters
    ----------
    begins, spans : (n_curves, n_parts) arrays
        First value and range in the order of z.
    lengths : (n_curves, n_parts) array of int
    backward : sequence of bool
        Parts that run from the end to the begin.
    """

    dtype = np.dtype(np.float64)

    def __init__(
        self, begins: AnyArray, spans: AnyArray, lengths: IntArray, backward: Sequence[bool]
    ) -> None:
        self.begins, self.spans, self.lengths, self.backward = begins, spans, lengths, backward
        self.rows = Rows(lengths.sum(axis=1))

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        flat, at = out.reshape(-1), 0
        for curve in range(first, stop):
            for part, turned in enumerate(self.backward):
                n = int(self.lengths[curve, part])
                begin, span = self.begins[curve, part], self.spans[curve, part]
                z = begin + span * np.arange(n) / max(n - 1, 1)
                scaled_copy(flat[at : at + n], z[::-1] if turned else z, gain, offset)
                at += n


def _add_ramp(
    channels: dict[str, Channel], parts: Sequence[NidSet], lengths: IntArray, rows: Rows
) -> None:
    """Add the commanded z, where the file tells it for every curve."""
    if "height_commanded" in channels or any(p.section.get("Dim0Unit") != "m" for p in parts):
        return
    table = np.array([[one.ramp(line) for one in parts] for line in range(len(rows))])
    if table.size and np.isfinite(table).all():
        backward = [PARTS[one.group] == "retract" for one in parts]
        column = LineRamps(table[..., 0], table[..., 1], lengths, backward)
        channels["height_commanded"] = Channel(
            "height_commanded",
            "m",
            column,
            -1.0,
            0.0,
            parts[0].section.get("Dim0Name", ""),
            "Nanosurf Z-Axis, commanded, sign turned: larger = farther",
        )


def _add_clock(
    channels: dict[str, Channel],
    file: NidFile,
    parts: list[str],
    lengths: IntArray,
    rows: Rows,
    metadata: Metadata,
) -> None:
    """Add times, from the durations and planned samples of the parts."""
    settings = file.sections.get("DataSet\\Parameters\\Spectroscopy", {})
    steps = []
    for name, measured in zip(parts, lengths.T, strict=True):
        which = "Fw" if "forward" in name else "Bw"
        what = ("PauseTime", "PauseDatapoints") if "pause" in name else ("ModTime", "ModDatapoints")
        seconds, points = (_value(settings, f"{which}{key}") for key in what)
        if not (0.0 < seconds < 1e7 and points >= 1.0):
            return
        if measured.max(initial=0) > points:
            metadata.warn(f"{name} has more than the {points:g} samples planned: no times")
            return
        steps.append(seconds / points)
    source = "derived from the modulation times"
    channels["time"] = Channel("time", "s", PartClock(lengths, steps, rows), 1.0, 0.0, "", source)


def _value(section: Section, key: str) -> float:
    """Value of ``D[1.5]*[s]``, nan where there is none."""
    match = re.fullmatch(r"[DL]\[([^\]]*)\]\*\[[^\]]*\]", section.get(key, ""))
    try:
        return float(match[1]) if match else math.nan
    except ValueError:
        return math.nan


def _metadata(file: NidFile, metadata: Metadata) -> None:
    about = file.sections.get("DataSet-Info", {})
    lever = file.sections.get("DataSet\\Calibration\\Cantilever", {})
    spec = file.sections.get("DataSet\\Parameters\\Spectroscopy", {})
    for i in range(64):
        match = _VALUE.fullmatch(lever.get(f"Prop{i}", ""))
        if match is not None and match[2] == "N/m":
            metadata.add("spring_constant", _float(match[1]), f"Cantilever, Prop{i}")
            break
    for key, name in (
        ("instrument", "Head type"),
        ("software_version", "Software ver."),
        ("operating_mode", "Op. mode"),
    ):
        metadata.add(key, about.get(name), name)
    size = abs(_value(spec, "FwModRange"))
    seconds = _value(spec, "FwModTime")
    metadata.add("ramp_size", size if size > 0 else None, "FwModRange")
    if size > 0 and seconds > 0:
        metadata.add("approach_speed", size / seconds, "FwModRange by FwModTime")
    try:
        stamp = datetime.strptime(
            f"{about.get('Date', '')} {about.get('Time', '')}", "%d-%m-%Y %H:%M:%S"
        )
    except ValueError:
        return
    metadata.add("start_time", stamp.isoformat(), "Date and Time")


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _segments(lengths: IntArray, kinds: Sequence[SegmentKind]) -> AnyArray:
    stops = np.cumsum(lengths, axis=1)
    curve, part = np.nonzero(lengths)
    out = np.empty(len(curve), SEGMENT)
    out["curve"], out["stop"] = curve, stops[curve, part]
    out["start"] = out["stop"] - lengths[curve, part]
    out["kind"] = np.array(kinds, "U10")[part]
    return out


def _table(metadata: Metadata, n: int) -> CurveTable:
    start = metadata.values.get("start_time")
    if start is None:
        return {}
    return {
        "start_time": np.full(n, np.datetime64(str(start), "us")),
        "start_time_source": np.full(n, "file_date"),
    }
