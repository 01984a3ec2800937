"""Asylum's ARDF files: from pieces to a `CurveSet`.

No real file was at hand: layout and meanings are those of public descriptions. A volume holds the
curves of one direction of the fast axis; both become curves of one set. Evenly written volumes
(fast maps have 65,000 curves) are looked at by their lines' ends alone; others curve by curve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nrm_importers.asylum.ardf_file import (
    BORDERS,
    HEADING,
    ArdfCurve,
    ArdfFile,
    ArdfVolume,
    curves_of_line,
    read_curve,
)
from nrm_importers.asylum.wave_channels import doubt_slope, first_curve, make_channels
from nrm_importers.asylum.wave_notes import WaveNote
from nrm_importers.asylum.wave_parts import kinds_by_motion
from nrm_importers.metadata import Metadata
from nrm_plugin import units
from nrm_plugin.columns import (
    AnyArray,
    Column,
    FileColumn,
    FileStamp,
    FloatArray,
    IntArray,
    Rows,
    Strip,
)
from nrm_plugin.errors import CorruptFile, MissingFile
from nrm_plugin.images import Image
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import SEGMENT, CurveTable
from nrm_plugin.vocabulary import SegmentKind

#: Kinds of parts by the begin of their names in small letters.
_PARTS: dict[str, SegmentKind] = {
    "ext": "approach",
    "app": "approach",
    "ret": "retract",
    "dwell": "hold",
    "hold": "hold",
    "pause": "hold",
}

_TYPE = np.dtype("<f4")

_MOST_IMAGES, _MOST_VOLUMES = 1024, 16


@dataclass(frozen=True, kw_only=True)
class ArdfCurves:
    """Curves of all volumes.

    Attributes
    ----------
    at : (n,) array of int
        Where each curve begins in the file: their order in time.
    rows, columns, counts : (n,) arrays of int
        Line, point, and samples.
    begins : (n, n_channels) array of int
        Bytes of the first samples.
    borders : (n, 5) array of int
        Where parts begin.
    extras : (n, n_extras) array of float
        Single values of the curves; nan where there are none.
    """

    at: IntArray
    rows: IntArray
    columns: IntArray
    counts: IntArray
    begins: IntArray
    borders: IntArray
    extras: FloatArray


def open_ardf(path: Path) -> CurveSet:
    """Open a file without reading samples.

    Raises
    ------
    CorruptFile
        If pieces are not where tables say, or are not what was written.
    """
    try:
        stamp = FileStamp.of(path)
    except OSError as error:
        raise MissingFile(path, error) from None
    metadata = Metadata()
    with stamp.opened() as opened:
        file = ArdfFile(stamp, opened)
        pictures, places = (
            [at for name, at in file.entries if name == wanted] for wanted in ("IMAG", "VOLM")
        )
        if len(pictures) > _MOST_IMAGES or len(places) > _MOST_VOLUMES:
            what = f"{len(pictures)} and {len(places)}"
            raise CorruptFile(path, None, "some images and volumes", what)
        images = [_image(file, at) for at in pictures]
        volumes = [file.volume(at) for at in places]
        _check_alike(path, volumes)
        names = _common(volumes, metadata)
        curves = _all_curves(file, volumes, names, metadata) if names else None
    note = WaveNote(file.note)
    note.describe(metadata)
    made = CurveSet(Rows.uniform(0, 0), {})
    if curves is not None and len(curves.at):
        made = _curve_set(stamp, volumes, names, curves, note, metadata)
    elif volumes:
        metadata.warn("no curve of the map was recorded")
    return metadata.attached(made, path, "asylum", file.note, images)


def _common(volumes: list[ArdfVolume], metadata: Metadata) -> list[str]:
    """Names of the channels that all volumes have."""
    names = [name for name, _ in volumes[0].channels] if volumes else []
    common = [n for n in names if all(n in dict(v.channels) for v in volumes)]
    for name in sorted({n for v in volumes for n, _ in v.channels} - set(common)):
        metadata.warn(f"{name} was not recorded in both directions: left out")
    return list(dict.fromkeys(common))


def _check_alike(path: Path, volumes: list[ArdfVolume]) -> None:
    """Refuse volumes that are not both directions of one map: they would share units and times.

    Raises
    ------
    CorruptFile
    """
    what: dict[str, list[object]] = {
        "points and lines": [(v.points, v.lines) for v in volumes],
        "units": [v.units for v in volumes],
        "time between samples": [v.steps[2] for v in volumes],
        "parts": [v.parts for v in volumes if v.parts],
        "single values": [v.extras for v in volumes if v.extras],
    }
    for name, found in what.items():
        if any(one != found[0] for one in found):
            raise CorruptFile(path, None, f"volumes of the same {name}", str(found)[:120])
    units_of: dict[str, str] = {}
    for label, unit in (pair for v in volumes for pair in v.channels):
        if units_of.setdefault(label, unit) != unit:
            raise CorruptFile(path, None, f"{label} in {units_of[label]}", unit)


def _all_curves(
    file: ArdfFile, volumes: list[ArdfVolume], names: list[str], metadata: Metadata
) -> ArdfCurves | None:
    tables = []
    seen: set[int] = set()
    for volume in volumes:
        order = {name: i for i, (name, _) in reversed(list(enumerate(volume.channels)))}
        channels = [order[name] for name in names]
        table = _even(file, volume, channels)
        if table is None:
            found = list(_each(file, volume, seen))
            if file.ended and len(found) < volume.announced:
                wanted = f"{volume.announced} curves"
                raise CorruptFile(file.path, file.stamp.size, wanted, f"{len(found)} of them")
            whole = [c for c in found if all(k in c.begins for k in channels)]
            if len(whole) < len(found):
                metadata.warn(f"{len(found) - len(whole)} curves lack a channel: left out")
            table = _table(whole, channels, len(volume.extras))
        if len(table.at) < volume.points * volume.lines:
            metadata.warn(
                f"{len(table.at)} of {volume.points * volume.lines} curves were recorded: the map "
                "was stopped"
            )
        tables.append(table)
    if not tables:
        return None
    wide = max(t.extras.shape[1] for t in tables)
    fields = {
        name: np.concatenate([getattr(t, name) for t in tables])
        for name in ("at", "rows", "columns", "counts", "begins", "borders")
    }
    extras = np.full((len(fields["at"]), wide), np.nan)
    row = 0
    for one in tables:
        extras[row : row + len(one.at), : one.extras.shape[1]] = one.extras
        row += len(one.at)
    return ArdfCurves(**fields, extras=extras)


def _each(file: ArdfFile, volume: ArdfVolume, seen: set[int]) -> Iterator[ArdfCurve]:
    """Every curve of a volume, line by line; none of them twice in a file."""
    for line, at in volume.first:
        for one in curves_of_line(file, at, line, volume.points):
            if one.at in seen:
                raise CorruptFile(file.path, one.at, "each curve once", "one that returns")
            seen.add(one.at)
            yield one


def _table(found: list[ArdfCurve], channels: list[int], n_extras: int) -> ArdfCurves:
    """Curves in the order of lines and points."""
    found = sorted(found, key=lambda c: (c.line, c.point))
    n = len(found)
    begins = [[c.begins[k] for k in channels] for c in found]
    extras = np.full((n, n_extras), np.nan)
    for row, one in zip(extras, found, strict=True):
        few = one.extras[:n_extras]
        row[: len(few)] = few
    return ArdfCurves(
        at=np.array([c.at for c in found], np.int64),
        rows=np.array([c.line for c in found], np.int64),
        columns=np.array([c.point for c in found], np.int64),
        counts=np.array([c.count for c in found], np.int64),
        begins=np.array(begins, np.int64).reshape(n, len(channels)),
        borders=np.array([c.borders for c in found], np.int64).reshape(n, BORDERS),
        extras=extras,
    )


def _even(file: ArdfFile, volume: ArdfVolume, channels: list[int]) -> ArdfCurves | None:
    """Curves of a whole volume whose lines and curves are equally far apart; None for others.

    The first line is looked at curve by curve, and of each other line its first and last curve.
    """
    n, lines = volume.points, len(volume.first)
    numbers = [number for number, _ in volume.first]
    starts = np.array([at for _, at in volume.first], np.uint64).astype(np.int64)
    if lines < 2 or lines != volume.lines or n < 2 or volume.announced != n * lines:
        return None
    if len(set(np.diff(starts).tolist())) > 1 or len(set(starts.tolist())) < lines:
        return None
    if len(set(numbers)) < lines or n * lines > file.stamp.size // HEADING:
        return None
    line, at = volume.first[0]
    model = list(curves_of_line(file, at, line, n))
    if len(model) < n or any(one.extras for one in model):
        return None
    first, last = model[0], model[-1]
    step = model[1].at - first.at
    turn = last.point - first.point
    if abs(turn) != n - 1 or any(k not in first.begins for k in channels):
        return None
    sign = int(np.sign(turn))
    if any(
        one.point != first.point + i * sign or not _alike(one, first, i * step)
        for i, one in enumerate(model)
    ):
        return None
    for number, begin in zip(numbers, starts.tolist(), strict=True):
        shift = begin - first.at
        ends = read_curve(file, begin), read_curve(file, begin + (n - 1) * step)
        like = _alike(ends[0], first, shift) and _alike(ends[1], last, shift)
        wanted = [(number, first.point), (number, last.point)]
        if not like or [(e.line, e.point) for e in ends] != wanted:
            return None  # lines that run to and fro, too
    points = np.tile(first.point + sign * np.arange(n), lines)
    rows = np.repeat(np.array(numbers, np.int64), n)
    order = np.argsort(rows * n + points)
    offsets = (starts[:, None] + step * np.arange(n)).reshape(-1)[order]
    total = n * lines
    return ArdfCurves(
        at=offsets,
        rows=rows[order],
        columns=points[order],
        counts=np.broadcast_to(np.int64(first.count), (total,)),
        begins=offsets[:, None] + np.array([first.begins[k] - first.at for k in channels]),
        borders=np.broadcast_to(np.array(first.borders, np.int64), (total, len(first.borders))),
        extras=np.empty((total, 0)),
    )


def _alike(one: ArdfCurve, model: ArdfCurve, shift: int) -> bool:
    """Whether a curve is laid out as another is, so many bytes farther on."""
    return (
        one.at == model.at + shift
        and one.count == model.count
        and one.borders == model.borders
        and {k: at - shift for k, at in one.begins.items()} == model.begins
    )


def _curve_set(
    stamp: FileStamp,
    volumes: list[ArdfVolume],
    names: list[str],
    curves: ArdfCurves,
    note: WaveNote,
    metadata: Metadata,
) -> CurveSet:
    rows = Rows(curves.counts)
    sources: dict[str, Column] = {
        name: FileColumn(stamp, _TYPE, [Strip(curves.begins[:, i], curves.counts)])
        for i, name in enumerate(names)
    }
    volume = volumes[0]
    channels = make_channels(sources, rows, _step(volume, note), metadata, dict(volume.channels))
    spans = _spans(volume, curves)
    kinds = _kinds(volume, spans, channels, metadata)
    whole = len(volumes) == 1 and len(curves.at) == volume.points * volume.lines
    cells = curves.rows * volume.points + curves.columns
    return CurveSet(
        rows,
        channels,
        grid=(volume.lines, volume.points)
        if whole and (cells == np.arange(len(cells))).all()
        else None,
        segments_from=None if spans is None else lambda: _segments(spans, kinds),
        table_from=_places(volume, curves, note, metadata),
    )


def _step(volume: ArdfVolume, note: WaveNote) -> float:
    """Time between samples, s."""
    known = units.si(volume.units[2])
    if known is not None and known[1] == "s" and 0.0 < volume.steps[2] < 1e6:
        return float(volume.steps[2] * known[0])
    rate = note.number("NumPtsPerSec")
    return 1.0 / rate if rate and rate > 0 else 0.0


def _spans(volume: ArdfVolume, curves: ArdfCurves) -> IntArray | None:
    """Begin and end of the parts of each curve, (n, parts, 2); None where they contradict.

    A part that a curve has not begins at 0, but for the first.
    """
    parts = min(len(volume.parts), curves.borders.shape[1])
    if not parts:
        return None
    begins = curves.borders[:, :parts].copy()
    begins[:, 1:][begins[:, 1:] == 0] = np.iinfo(np.int64).max
    begins = np.minimum(begins, curves.counts[:, None])
    edges = np.concatenate([begins, curves.counts[:, None]], axis=1)
    if begins[:, 0].any() or (np.diff(edges, axis=1) < 0).any():
        return None
    return np.stack([edges[:, :-1], edges[:, 1:]], axis=2)


def _kinds(
    volume: ArdfVolume, spans: IntArray | None, channels: dict[str, Channel], metadata: Metadata
) -> list[SegmentKind]:
    """Kinds of the parts, by their names, else by how the first curve moves in them."""
    if spans is None:
        metadata.warn("the borders of the curves' parts contradict: curves are split where z turns")
        return []
    told = [
        next((k for begin, k in _PARTS.items() if name.lower().startswith(begin)), None)
        for name in volume.parts[: spans.shape[1]]
    ]
    first = [(int(a), int(b), kind) for (a, b), kind in zip(spans[0], told, strict=True)]
    height = first_curve(channels["height"]) if "height" in channels else np.empty(0)
    kinds = kinds_by_motion(first, height)
    ends = zip(first, kinds, strict=True)
    doubt_slope(channels, next((b for (_, b, _), k in ends if k == "approach"), 0), metadata)
    return kinds


def _segments(spans: IntArray, kinds: list[SegmentKind]) -> AnyArray:
    curve, part = np.nonzero(spans[..., 1] > spans[..., 0])
    out = np.empty(len(curve), SEGMENT)
    out["curve"], out["kind"] = curve, np.array(kinds, "U10")[part]
    out["start"], out["stop"] = spans[curve, part].T
    return out


def _places(
    volume: ArdfVolume, curves: ArdfCurves, note: WaveNote, metadata: Metadata
) -> Callable[[], CurveTable]:
    """Positions: those recorded with the curves, else by the steps of the grid."""
    named = {name.lower(): i for i, name in enumerate(volume.extras)}
    date = note.date

    def read() -> CurveTable:
        out: dict[str, AnyArray] = {
            "row": curves.rows,
            "column": curves.columns,
            "acquisition_order": np.argsort(np.argsort(curves.at)),
        }
        cells = (("x", curves.columns), ("y", curves.rows))
        for axis, (name, cell) in enumerate(cells):
            column = named.get(f"{name}lvdt", -1)
            factor, unit = units.si(volume.units[axis]) or (1.0, "")
            if 0 <= column < curves.extras.shape[1]:
                values: FloatArray = curves.extras[:, column]
            elif unit == "m":
                values = cell.astype(np.float64) * float(volume.steps[axis] * factor)
            else:
                continue
            out[name] = np.where(np.abs(values) < 1.0, values, np.nan)
        if date is not None:
            out["start_time"] = np.full(len(curves.at), date)
            out["start_time_source"] = np.full(len(curves.at), "file_date")
        return out

    return read


def _image(file: ArdfFile, at: int) -> Image:
    one = file.image(at)
    column = FileColumn.regular(
        file.stamp,
        _TYPE,
        one.begin,
        1,
        [(row * one.stride // _TYPE.itemsize, one.columns, False) for row in range(one.rows)],
    )
    known = [units.si(unit) for unit in one.size_units]
    size = [
        extent * unit[0] if unit is not None and unit[1] == "m" else np.nan
        for extent, unit in zip(one.size, known, strict=True)
    ]
    gain, unit = units.si(one.unit) or (1.0, one.unit)
    direction = next((d for d in ("retrace", "trace") if one.name.lower().endswith(d)), "")
    return Image(
        one.name[: len(one.name) - len(direction)] or one.name,
        column,
        unit,
        (size[0], size[1]),
        direction,
        shape=(one.rows, one.columns),
        gain=gain,
        original=one.name,
    )
