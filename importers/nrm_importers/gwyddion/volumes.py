"""Volume data: each pixel is a curve along z. Several volumes are signals or segments of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nrm_importers.gwyddion.curve_group import MOST_SIGNALS, CurveGroup, GwySignal, SegmentBounds
from nrm_importers.gwyddion.height_signal import turn_around
from nrm_importers.gwyddion.names import (
    channel_name,
    segment_kind,
    si_unit,
    split_title,
    unit_text,
)
from nrm_importers.gwyddion.positions import grid_table
from nrm_importers.gwyddion.stored_columns import Piece, VolumeColumn
from nrm_importers.gwyddion.tree import Node, Numbers
from nrm_plugin.columns import FloatArray, RepeatedColumn, Rows
from nrm_plugin.vocabulary import CHANNELS, SegmentKind

#: In this order the parts of a curve follow each other.
_ORDER: list[SegmentKind] = ["approach", "hold", "modulation", "other", "retract"]


@dataclass(frozen=True, kw_only=True)
class Volume:
    """One volume."""

    node: Node
    what: str
    label: str
    part: str
    unit: str
    z_unit: str
    z: FloatArray
    data: Numbers

    @property
    def kind(self) -> SegmentKind | None:
        """Kind of segment that its title names."""
        return segment_kind(self.part)

    @property
    def plane(self) -> tuple[object, ...]:
        """What volumes of the same curves have in common."""
        sizes = (self.node.number(k, 0.0) for k in ("xreal", "yreal", "xoff", "yoff"))
        return (self.node.integer("xres"), self.node.integer("yres"), *sizes)


def read_volume(node: Node, title: str, what: str) -> Volume:
    """Locate a volume; its z axis is read.

    Raises
    ------
    CorruptFile
        If its numbers are not as many as it says.
    """
    source = node.source
    size = [node.integer(k) for k in ("xres", "yres", "zres")]
    data = node.numbers("data")
    if min(size) < 1 or data is None or data.count != math.prod(size):
        count = "none" if data is None else data.count
        raise source.corrupt(node.start, f"volume data of {' x '.join(map(str, size))}", count)
    unit, z_unit = (
        unit_text(node.child(f"si_unit_{a}") or node.child(f"unit_{a}")) for a in ("w", "z")
    )
    step = node.number("zreal", float(size[2])) / size[2]
    z: FloatArray = node.number("zoff", 0.0) + step * np.arange(size[2], dtype=np.float64)
    lines = [c for c in node.children("calibration") if c.kind in ("GwyDataLine", "GwyLine")]
    if lines:
        values = lines[0].array("data")
        if values is not None and len(values) == size[2]:
            z = values.astype(np.float64)
            z_unit = unit_text(lines[0].child("si_unit_y") or lines[0].child("unit_y"))
    label, part = split_title(title)
    if segment_kind(part) is None:
        label, part = title, ""
    return Volume(
        node=node,
        what=what,
        label=label or "value",
        part=part,
        unit=unit,
        z_unit=z_unit,
        z=z,
        data=data,
    )


def volume_curves(volumes: list[Volume]) -> list[CurveGroup]:
    """Put volumes together that are signals and segments of the same curves."""
    groups: dict[tuple[object, ...], list[Volume]] = {}
    for volume in volumes:
        groups.setdefault(volume.plane, []).append(volume)
    out = []
    for group in groups.values():
        out += _of_one_plane(group)
    return out


def _of_one_plane(group: list[Volume]) -> list[CurveGroup]:
    """Curve groups of volumes of the same pixels: one if their names and z axes allow it."""
    parts: dict[SegmentKind | None, FloatArray] = {}
    signals: dict[tuple[str, str], dict[SegmentKind | None, Volume]] = {}
    left: list[Volume] = []
    for volume in group:
        z = parts.setdefault(volume.kind, volume.z)
        row = signals.setdefault((volume.label, volume.unit), {})
        if not np.array_equal(z, volume.z) or volume.kind in row or len(signals) > MOST_SIGNALS:
            left.append(volume)
            continue
        row[volume.kind] = volume
    kinds = sorted(parts, key=lambda k: -1 if k is None else _ORDER.index(k))
    whole = {key: row for key, row in signals.items() if set(row) == set(parts)}
    if not whole or (len(kinds) > 1 and None in kinds):
        first, *rest = group
        return [_curve_group([first.kind], {(first.label, first.unit): {first.kind: first}})] + (
            [c for b in rest for c in _of_one_plane([b])]
        )
    left += [b for key, row in signals.items() if key not in whole for b in row.values()]
    return [_curve_group(kinds, whole), *(c for b in left for c in _of_one_plane([b]))]


def _curve_group(
    kinds: list[SegmentKind | None],
    signals: dict[tuple[str, str], dict[SegmentKind | None, Volume]],
) -> CurveGroup:
    rows = list(signals.values())
    first = rows[0][kinds[0]]
    stamp, node = first.node.source.stamp, first.node
    columns, lines = node.integer("xres"), node.integer("yres")
    x = [rows[0][kind].z for kind in kinds]
    factor, z_unit, _ = si_unit(first.z_unit)
    reverse, sign, warnings = [False] * len(kinds), 1.0, []
    if z_unit == "m":
        reverse, sign, seen = turn_around(kinds, x, _forces(rows, kinds))
        if not seen and any(kinds):
            warnings.append(
                f"{first.what}: without a force or deflection its curves are taken to run from "
                "far to near"
            )
        sign = sign if any(kinds) else 1.0
    made = []
    for (label, unit), row in signals.items():
        pieces = [Piece(row[k].data, r) for k, r in zip(kinds, reverse, strict=True)]
        made.append(GwySignal(label, unit, VolumeColumn(stamp, columns * lines, pieces)))
    axis = np.concatenate([z[::-1] if r else z for z, r in zip(x, reverse, strict=True)]) * factor
    n = columns * lines
    curves = Rows.uniform(n, len(axis))
    name = {"m": "height_commanded", "s": "time"}.get(z_unit, "z_axis")
    made.append(
        GwySignal(
            "z",
            z_unit if name != "z_axis" else first.z_unit,
            RepeatedColumn(axis, curves),
            name=name,
            sign=sign,
            shared=True,
        )
    )
    bounds = None
    if any(kinds):
        edges = np.cumsum([0] + [len(z) for z in x])
        pairs = np.stack([edges[:-1], edges[1:]], axis=1)
        bounds = SegmentBounds(np.broadcast_to(pairs, (n, *pairs.shape)), [k or "" for k in kinds])
    return CurveGroup(
        what=first.what if len(signals) * len(kinds) == 1 else f"{first.what} and those with it",
        rows=curves,
        signals=made,
        geometry=("volume", *first.plane, axis.tobytes()),
        grid=(lines, columns),
        table=grid_table(node, lines, columns),
        bounds=bounds,
        warnings=warnings,
    )


def _forces(
    rows: list[dict[SegmentKind | None, Volume]], kinds: list[SegmentKind | None]
) -> list[FloatArray] | None:
    """Forces or deflections of the first pixel, part by part."""
    for row in rows:
        volume = next(iter(row.values()))
        name = channel_name(volume.label, si_unit(volume.unit)[1])
        if name not in ("force_normal", "deflection") or name not in CHANNELS:
            continue
        pixels = volume.node.integer("xres") * volume.node.integer("yres")
        out = []
        for kind in kinds:
            column = VolumeColumn(volume.node.source.stamp, pixels, [Piece(row[kind].data)])
            values = np.empty(len(row[kind].z))
            column.fill(0, 1, values)
            out.append(values)
        return out
    return None
