"""Asylum's waves: from headers and notes to a `CurveSet`.

What readers trip over, all met in real files:

* ``Raw`` and ``ZSnsr`` grow towards the surface: their sign is turned.
* ``Defl`` is in m already, made with ``InvOLS``, which may still be the factory's 100 nm/V.
* Keys of the note repeat; those behind the first are left over from panels of the program.
* The third part of a curve may be a dwell at the far end.
* A map that was split has a file per channel and point, and its calibration in an image's note.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from nrm_importers.asylum.igor_wave import IgorWave, read_wave
from nrm_importers.asylum.split_map import SplitMap, calibration_of, find_map
from nrm_importers.clocks import PartClock
from nrm_importers.height_choice import choose_height
from nrm_importers.metadata import Metadata
from nrm_plugin.columns import AnyArray, Column, FloatArray, Rows
from nrm_plugin.errors import CorruptFile, InvalidInput
from nrm_plugin.model import Channel, CurveSet, Origin
from nrm_plugin.tables import SEGMENT, CurveTable
from nrm_plugin.vocabulary import SegmentKind, own_slug

#: Asylum's columns by the begin of their labels (longer names are overwritten by shorter ones),
#: and what they are here: name, unit, and whether the sign is turned.
CANONICAL = {
    "Raw": ("height_commanded", "m", True),
    "ZSnsr": ("height_sensor", "m", True),
    "ZSensor": ("height_sensor", "m", True),
    "Defl": ("deflection", "m", False),
    "Lateral": ("lateral", "V", False),
}

_KINDS: dict[float, SegmentKind] = {1.0: "approach", -1.0: "retract", 0.0: "hold"}
_SPLIT_KINDS: tuple[SegmentKind, ...] = ("approach", "retract", "hold")

#: InvOLS as the instrument leaves the factory, m/V.
_FACTORY = 1e-7

#: The deflection cannot move faster than the piezo; sensitivities are a few per cent off.
_STEEPEST = 1.1

_EPOCH = np.datetime64("1904-01-01T00:00:00", "us")


def open_wave(path: Path) -> CurveSet:
    """Open a curve, or the map that a curve's channel belongs to.

    Raises
    ------
    CorruptFile
        If headers and lengths contradict each other.
    InvalidInput
        For a wave that is no force curve: an image, for example.
    """
    wave = read_wave(path)
    split = find_map(path, wave)
    if split is not None:
        return _open_map(path, split)
    if len(wave.shape) != 2 or not _columns(wave.labels):
        what = "an image" if len(wave.shape) == 3 else "no force curve"
        raise InvalidInput(
            f"{path}: this Igor wave is {what} of Asylum's software or another program's: open an "
            "image in Gwyddion, or the file of a force curve here"
        )
    return _open_curve(path, wave)


def _columns(labels: Sequence[str]) -> list[tuple[int, str]]:
    """Numbers and canonical names of the columns that have such."""
    found = []
    for i, label in enumerate(labels):
        begin = next((name for name in CANONICAL if label.startswith(name)), None)
        if begin is not None:
            found.append((i, CANONICAL[begin][0]))
    return found


def _open_curve(path: Path, wave: IgorWave) -> CurveSet:
    n, columns = wave.length, wave.shape[1]
    labels = [*wave.labels, *(f"column {i + 1}" for i in range(len(wave.labels), columns))]
    metadata = Metadata()
    rows = Rows.uniform(1, n)
    sources = {label: wave.column(i) for i, label in enumerate(labels[:columns])}
    metadata.add("title", wave.name, "name of the wave")
    _metadata(wave, metadata)
    channels = _channels(sources, rows, wave.step, metadata)
    spans = _spans(wave)
    if spans is None:
        metadata.warn("the note has no Indexes: the curve is split where z turns")
    _doubts(channels, spans, metadata)
    return metadata.attached(
        CurveSet(
            rows,
            channels,
            segments_from=None if spans is None else lambda: _segments([spans]),
            table_from=_table([wave], metadata),
        ),
        path,
        "asylum",
        wave.note,
    )


def _open_map(path: Path, split: SplitMap) -> CurveSet:
    metadata = Metadata()
    first = split.waves[0]
    known = first[next(iter(first))]
    owner = calibration_of(path, metadata)
    _metadata(owner or known, metadata)
    rows = Rows(np.array([next(iter(w.values())).length for w in split.waves], np.int64))
    sources: dict[str, Column] = {}
    for label in first:
        of_points = [waves[label] for waves in split.waves]
        sources[label] = PointFiles(of_points, rows)
    channels = _channels(sources, rows, known.step, metadata)
    ones = [next(iter(waves.values())) for waves in split.waves]
    spans = [_spans(wave) for wave in ones]
    told = [s for s in spans if s is not None]
    if len(told) < len(spans):
        metadata.warn("notes have no Indexes: curves are split where z turns")
    _doubts(channels, spans[0], metadata)
    if split.left_out:
        metadata.warn(f"{split.left_out} points lack a channel that the others have: left out")
    curves = CurveSet(
        rows,
        channels,
        grid=split.grid,
        segments_from=(lambda: _segments(told)) if len(told) == len(spans) else None,
        table_from=_table(ones, metadata, split),
    )
    curves = metadata.attached(curves, path, "asylum", known.note)
    origins = tuple(
        Origin(w.stamp.path.name, "asylum", header=w.note, path=str(w.stamp.path))
        for waves in split.waves
        for w in waves.values()
    )
    return replace(curves, origins=(curves.origins[0], *origins))


class PointFiles:
    """A channel of a map with a file per point.

    Parameters
    ----------
    waves : sequence of IgorWave
        One per curve.
    rows : Rows
    """

    def __init__(self, waves: Sequence[IgorWave], rows: Rows) -> None:
        self.waves, self.rows = waves, rows
        self.dtype = waves[0].dtype

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        flat, origin = out.reshape(-1), self.rows.start(first)
        for curve in range(first, stop):
            at, n = self.rows.start(curve) - origin, int(self.rows.sizes[curve])
            self.waves[curve].column().fill(0, 1, flat[at : at + n], gain, offset)


def _channels(
    sources: Mapping[str, Column], rows: Rows, step: float, metadata: Metadata
) -> dict[str, Channel]:
    """Every column, under canonical names where there are such; force and times are made."""
    channels: dict[str, Channel] = {}
    sensitivity = metadata.values.get("deflection_sensitivity")
    stiffness = metadata.values.get("spring_constant")
    for label, column in sources.items():
        begin = next((known for known in CANONICAL if label.startswith(known)), "")
        name, unit, turned = CANONICAL.get(begin, (own_slug(label, "asylum"), "", False))
        name = metadata.free_name(name, label, channels)
        source = f"Asylum {label}"
        gain = 1.0
        if turned:
            gain, source = -1.0, f"{source}, sign turned: larger = farther"
        elif name == "deflection" and sensitivity:
            gain, unit, source = 1.0 / sensitivity, "V", f"{source} over InvOLS"
        elif name == "lateral":
            metadata.warn(f"{label} is taken to be in volts: the file does not say its unit")
        channels[name] = Channel(name, unit, column, gain, 0.0, label, source)
        if name == "deflection" and stiffness:
            force = f"Asylum {label} by SpringConstant"
            channels["force_normal"] = Channel(
                "force_normal", "N", column, stiffness, 0.0, label, force
            )
    if math.isfinite(step) and 0.0 < step < 1e6:
        source = "derived from the sample interval"
        channels["time"] = Channel(
            "time", "s", PartClock(rows.sizes[:, None], [step], rows), 1.0, 0.0, "", source
        )
    choose_height(channels, metadata)
    return channels


def _first(channel: Channel) -> FloatArray:
    values = np.empty(channel.column.rows.start(1))
    channel.fill(0, 1, values)
    return values


Spans = list[tuple[int, int, SegmentKind]]


def _spans(wave: IgorWave) -> Spans | None:
    """Begin, end and kind of the parts of a curve, None where the note does not say.

    Indexes name the samples at the borders, the first and last of the curve among them; Direction
    has one entry per border, of which the first means nothing.
    """
    borders = _numbers(wave.values.get("Indexes", ""))
    kinds = _numbers(wave.values.get("Direction", ""))
    if len(borders) < 2 or not all(math.isfinite(b) for b in borders):
        return None
    n = wave.length
    edges = [0, *(int(b) + 1 - wave.lead for b in borders[1:-1]), n]
    if edges != sorted(set(edges)):
        raise CorruptFile(wave.stamp.path, None, f"borders inside {n} samples", str(borders)[:80])
    out: Spans = []
    for i, (begin, end) in enumerate(pairwise(edges)):
        kind: SegmentKind = _SPLIT_KINDS[i] if i < len(_SPLIT_KINDS) else "other"
        if i + 1 < len(kinds):
            kind = _KINDS.get(kinds[i + 1], "other")
        out.append((begin, end, kind))
    return out


def _numbers(text: str) -> list[float]:
    out = []
    for piece in text.strip().strip(",").split(","):
        try:
            out.append(float(piece))
        except ValueError:
            return []
    return out


def _segments(of_curves: Sequence[Spans]) -> AnyArray:
    found = [(curve, *span) for curve, spans in enumerate(of_curves) for span in spans]
    return np.array(found, SEGMENT)


def _metadata(owner: IgorWave, metadata: Metadata) -> None:
    """Cantilever, trigger, ramp and instrument, by the note of a wave."""
    for key, name in (
        ("spring_constant", "SpringConstant"),
        ("deflection_sensitivity", "InvOLS"),
        ("ramp_size", "ForceDist"),
        ("ramp_rate", "ForceScanRate"),
        ("scan_size", "FastScanSize"),
    ):
        value = owner.number(name)
        metadata.add(key, value if value else None, name)
    angle = owner.number("ScanAngle")
    metadata.add("scan_angle", math.radians(angle) if angle else None, "ScanAngle")
    for key, name in (
        ("instrument", "MicroscopeModel"),
        ("software_version", "Version"),
        ("operating_mode", "ImagingMode"),
    ):
        metadata.add(key, owner.values.get(name), name)
    if owner.values.get("TriggerChannel") == "DeflVolts":
        metadata.add("trigger_threshold", owner.number("TriggerPoint"), "TriggerPoint")
        metadata.add("trigger_mode", "relative to the baseline", "TriggerPoint")
    stamp = date_of(owner)
    metadata.add("start_time", None if stamp is None else str(stamp), "Date and Time, or Seconds")
    if metadata.values.get("deflection_sensitivity") == _FACTORY:
        metadata.warn(
            "InvOLS is 100 nm/V, as the instrument leaves the factory: the deflection's "
            "sensitivity was not calibrated, and forces are wrong by as much as it is off"
        )


def date_of(wave: IgorWave) -> np.datetime64 | None:
    """When a curve was taken: Date and Time, else Seconds since 1904; None without either."""
    day, clock = wave.values.get("Date", ""), wave.values.get("Time", "")
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %I:%M:%S %p", "%m/%d/%Y %I:%M:%S %p"):
        try:
            return np.datetime64(datetime.strptime(f"{day} {clock}", form), "us")
        except ValueError:
            continue
    seconds = wave.number("Seconds")
    if seconds is None or not 0.0 < seconds < 1e10:
        return None
    return _EPOCH + np.timedelta64(round(seconds * 1e6), "us")


def _table(
    waves: Sequence[IgorWave], metadata: Metadata, split: SplitMap | None = None
) -> Callable[[], CurveTable]:
    def read() -> CurveTable:
        places = [[w.number(key) for key in ("XLVDT", "YLVDT")] for w in waves]
        x, y = (
            np.array([np.nan if p[i] is None else p[i] for p in places], np.float64) for i in (0, 1)
        )
        out: dict[str, AnyArray] = {
            name: np.where(np.abs(v) < 1.0, v, np.nan) for name, v in (("x", x), ("y", y))
        }
        dates = [date_of(w) for w in waves]
        if any(d is not None for d in dates):
            starts = np.array([np.datetime64("NaT") if d is None else d for d in dates], "M8[us]")
            out["start_time"] = starts
            out["start_time_source"] = np.where(np.isnat(starts), "unknown", "file_date")
        if split is not None:
            out["row"], out["column"] = split.rows, split.columns
        return out

    return read


def _doubts(channels: Mapping[str, Channel], spans: Spans | None, metadata: Metadata) -> None:
    """Whether the deflection of the first curve moves faster than the piezo."""
    sensitivity = metadata.values.get("deflection_sensitivity")
    if spans is None or "height" not in channels or "deflection" not in channels:
        return
    height, deflection = (_first(channels[n]) for n in ("height", "deflection"))
    unit = channels["deflection"].unit
    if unit == "V":
        deflection = deflection * (sensitivity or np.nan)
    end = next((stop for _, stop, kind in spans if kind == "approach"), 0)
    few = max(8, end // 10)
    if end <= 2 * few:
        return
    z, d = height[end - few : end], deflection[end - few : end]
    if not (np.isfinite(z).all() and np.isfinite(d).all() and np.ptp(z) > 0):
        return
    slope = float(np.polyfit(z, d, 1)[0])
    if -slope > _STEEPEST:
        metadata.warn(
            f"the deflection moves {-slope:.3g} times as fast as the piezo, which cannot be: the "
            f"true InvOLS is at most {-1e9 * (sensitivity or np.nan) / slope:.3g} nm/V, and forces "
            "and moduli are too large by that factor"
        )
