"""Asylum's waves: from headers and notes to a `CurveSet`.

What readers trip over, all met in real files:

* ``Raw`` and ``ZSnsr`` grow towards the surface: their sign is turned.
* ``Defl`` is in m already, made with ``InvOLS``, which may still be the factory's 100 nm/V.
* Keys of the note repeat; those behind the first are left over from panels of the program.
* The third part of a curve may be a dwell at the far end.
* A map that was split has a file per channel and point, and its calibration in an image's note.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nrm_importers.asylum.igor_wave import IgorWave, read_wave
from nrm_importers.asylum.split_map import SplitMap, calibration_of, find_map
from nrm_importers.asylum.wave_channels import (
    doubt_slope,
    first_curve,
    make_channels,
    meaning_of,
)
from nrm_importers.asylum.wave_parts import Span, kinds_by_motion, segments_of, spans_of
from nrm_importers.metadata import Metadata
from nrm_plugin.columns import AnyArray, Column, Rows
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import Channel, CurveSet, Origin
from nrm_plugin.tables import CurveTable
from nrm_plugin.vocabulary import SegmentKind


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
    if len(wave.shape) != 2 or not any(meaning_of(label) for label in wave.labels):
        what = "an image" if len(wave.shape) == 3 else "no force curve"
        raise InvalidInput(
            f"{path}: this Igor wave is {what} of Asylum's software or another program's: open an "
            "image in Gwyddion, or the file of a force curve here"
        )
    return _open_curve(path, wave)


def _open_curve(path: Path, wave: IgorWave) -> CurveSet:
    n, columns = wave.length, wave.shape[1]
    labels = [*wave.labels, *(f"column {i + 1}" for i in range(len(wave.labels), columns))]
    metadata = Metadata()
    rows = Rows.uniform(1, n)
    sources = {label: wave.column(i) for i, label in enumerate(labels[:columns])}
    metadata.add("title", wave.name, "name of the wave")
    wave.note.describe(metadata)
    channels = make_channels(sources, rows, wave.step, metadata)
    spans = spans_of(wave)
    if spans is None:
        metadata.warn("the note has no Indexes that fit: the curve is split where z turns")
    kinds = _kinds(channels, spans, metadata)
    return metadata.attached(
        CurveSet(
            rows,
            channels,
            segments_from=None if spans is None else lambda: segments_of([spans], kinds),
            table_from=_table([wave], metadata),
        ),
        path,
        "asylum",
        wave.note.text,
    )


def _open_map(path: Path, split: SplitMap) -> CurveSet:
    metadata = Metadata()
    first = split.waves[0]
    known = first[next(iter(first))]
    owner = calibration_of(path, metadata)
    (owner or known).note.describe(metadata)
    rows = Rows(np.array([next(iter(w.values())).length for w in split.waves], np.int64))
    sources: dict[str, Column] = {}
    for label in first:
        of_points = [waves[label] for waves in split.waves]
        sources[label] = PointFiles(of_points, rows)
    channels = make_channels(sources, rows, known.step, metadata)
    ones = [next(iter(waves.values())) for waves in split.waves]
    spans = [spans_of(wave) for wave in ones]
    told = [s for s in spans if s is not None]
    if len(told) < len(spans):
        metadata.warn("notes have no Indexes that fit: curves are split where z turns")
    kinds = _kinds(channels, spans[0], metadata)
    if split.left_out:
        metadata.warn(f"{split.left_out} points lack samples or a channel: left out")
    curves = CurveSet(
        rows,
        channels,
        grid=split.grid,
        segments_from=(lambda: segments_of(told, kinds)) if len(told) == len(spans) else None,
        table_from=_table(ones, metadata, split),
    )
    curves = metadata.attached(curves, path, "asylum", known.note.text)
    origins = tuple(
        Origin(w.stamp.path.name, "asylum", header=w.note.text, path=str(w.stamp.path))
        for waves in split.waves
        for w in waves.values()
    )
    return replace(curves, origins=(curves.origins[0], *origins))


def _kinds(
    channels: Mapping[str, Channel], spans: Sequence[Span] | None, metadata: Metadata
) -> list[SegmentKind] | None:
    """Kinds of the parts of the first curve; its slope is looked at on the way."""
    if spans is None:
        return None
    height = first_curve(channels["height"]) if "height" in channels else np.empty(0)
    kinds = kinds_by_motion(spans, height)
    parts = zip(spans, kinds, strict=True)
    doubt_slope(channels, next((end for (_, end, _), k in parts if k == "approach"), 0), metadata)
    return kinds


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


def _table(
    waves: Sequence[IgorWave], metadata: Metadata, split: SplitMap | None = None
) -> Callable[[], CurveTable]:
    def read() -> CurveTable:
        places = [[w.note.number(key) for key in ("XLVDT", "YLVDT")] for w in waves]
        x, y = (
            np.array([np.nan if p[i] is None else p[i] for p in places], np.float64) for i in (0, 1)
        )
        out: dict[str, AnyArray] = {
            name: np.where(np.abs(v) < 1.0, v, np.nan) for name, v in (("x", x), ("y", y))
        }
        dates = [w.note.date for w in waves]
        if any(d is not None for d in dates):
            starts = np.array([np.datetime64("NaT") if d is None else d for d in dates], "M8[us]")
            out["start_time"] = starts
            out["start_time_source"] = np.where(np.isnat(starts), "unknown", "file_date")
        if split is not None:
            out["row"], out["column"] = split.rows, split.columns
        return out

    return read
