"""Where curves and segments begin in a table: by its columns, or by its ramps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nrm_importers.metadata import Metadata
from nrm_importers.table.source_table import SourceTable
from nrm_importers.table.table_map import MappedColumn, TableMap
from nrm_plugin.columns import AnyArray, IntArray, Rows
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import Channel
from nrm_plugin.splitting import Curve, Splitter
from nrm_plugin.tables import SEGMENT

#: Words for kinds of segments in other programs' tables.
_KINDS = {
    word: kind
    for kind, words in {
        "approach": "approach extend trace 0",
        "retract": "retract withdraw retrace 1",
        "hold": "hold pause dwell",
        "modulation": "modulation",
    }.items()
    for word in words.split()
}

#: A clock may be uneven by this part of its step.
_EVEN = 0.01

#: Samples in which ramps are looked for at once.
_AT_ONCE = 1 << 16


def find_curves(
    table: SourceTable,
    table_map: TableMap,
    channels: Mapping[str, Channel],
    values: Mapping[str, AnyArray],
    metadata: Metadata,
) -> tuple[Rows, AnyArray | None, IntArray | None]:
    """Samples of each curve, segments where they are known, and the table's rows that are kept."""
    n = table.length
    rule = table_map.curves
    if table_map.curve is not None:
        begins = _changes(table, table_map.curve)
        rows = Rows(np.diff(np.append(begins, n)).astype(np.int64))
        return rows, _told_segments(table, table_map, rows, metadata), None
    if table_map.segment is not None or rule.by == "one":
        rows = Rows.uniform(1, n)
        return rows, _told_segments(table, table_map, rows, metadata), None
    found = _ramps(table, table_map, channels, values, metadata)
    if found is None or (rule.by == "auto" and len(found) < 2):
        return Rows.uniform(1, n), None, None
    if not found:
        raise InvalidInput(
            f"{table.path}: no ramp was found by the {rule.by}: give a smaller travel, another "
            'threshold, or curves = { by = "one" } in the table map'
        )
    lengths = np.array([c.stop - c.start for c in found], np.int64)
    kept = np.concatenate([np.arange(c.start, c.stop) for c in found])
    segments = [
        (i, part.start, part.stop, part.kind) for i, c in enumerate(found) for part in c.segments
    ]
    incomplete = sum(not c.complete for c in found)
    if incomplete:
        metadata.warn(f"{incomplete} ramps are cut by the begin or the end of the recording")
    return Rows(lengths), np.array(segments, SEGMENT), kept


def _ramps(
    table: SourceTable,
    table_map: TableMap,
    channels: Mapping[str, Channel],
    values: Mapping[str, AnyArray],
    metadata: Metadata,
) -> list[Curve] | None:
    """Ramps in one long recording; None where nothing tells them apart."""
    rule = table_map.curves
    by = "height" if rule.by == "auto" else rule.by
    if by not in channels:
        if rule.by == "auto":
            return None
        raise InvalidInput(f"{table.path}: curves are found by {by}, and there is no such channel")
    channel = channels[by]
    signal = values[by]
    rate = rule.rate or _rate(table, channels, values, metadata)
    if by == "deflection" and (
        rate is None or rule.threshold is None or not (rule.pre and rule.post)
    ):
        raise InvalidInput(
            f"{table.path}: to find curves by the deflection, give threshold, pre and post in the "
            "table map, and times or a rate"
        )
    # Without times, samples count: a bin is one of them.
    known = rate is not None
    pace = rate if rate is not None else 1.0
    splitter = Splitter(
        pace,
        "height" if by == "height" else "deflection",
        travel=rule.travel,
        threshold=rule.threshold,
        pre=rule.pre,
        post=rule.post,
        resolution=min(0.5e-3, 20.0 / pace) if known else 1.0,
        longest=120.0 if known else float(max(table.length, 1000)),
    )
    found: list[Curve] = []
    for begin in range(0, len(signal), _AT_ONCE):
        part = np.asarray(
            signal[begin : begin + _AT_ONCE] * channel.gain + channel.offset, np.float64
        )
        found += splitter.push({by: part})
    found += splitter.finish()
    if rule.by != "auto" or len(found) > 1:
        for text in splitter.warnings:
            metadata.warn(text)
    return found


def _rate(
    table: SourceTable,
    channels: Mapping[str, Channel],
    values: Mapping[str, AnyArray],
    metadata: Metadata,
) -> float | None:
    """Samples per second, by the times or by what the file says."""
    if table.interval is not None:
        return 1.0 / table.interval
    if "time" not in channels or table.length < 3:
        return None
    steps = np.diff(values["time"].astype(np.float64)) * channels["time"].gain
    step = float(np.median(steps))
    if not step > 0.0:
        return None
    if np.abs(steps - step).max() > _EVEN * step:
        metadata.warn("the times are not even: pauses, or lost samples")
    return 1.0 / step


def _changes(table: SourceTable, mapped: MappedColumn) -> IntArray:
    """Rows at which a column that numbers or names parts has another value than before.

    Raises
    ------
    InvalidInput
        Naming the first row without a value.
    """
    values = np.asarray(table.column(mapped.column).read())
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    begins = np.append(np.zeros(min(len(values), 1), np.int64), changes)
    for row, value in zip(begins.tolist(), values[begins].tolist(), strict=True):
        if value is None or value != value or str(value).strip() == "":
            raise InvalidInput(
                f"{table.path}: row {row + 1} of {mapped.column!r} is empty: give every row a value"
            )
    return begins


def _told_segments(
    table: SourceTable, table_map: TableMap, rows: Rows, metadata: Metadata
) -> AnyArray | None:
    """Segments by the column that names them; None without one."""
    if table_map.segment is None:
        return None
    edges = {rows.start(i) for i in range(len(rows))}
    turns = _changes(table, table_map.segment)
    begins = np.array(sorted(edges | set(turns.tolist())), np.int64)
    values = np.asarray(table.column(table_map.segment.column).read())[begins]
    whole = values.dtype.kind == "f" and bool((values == np.rint(values)).all())
    words = [
        word.strip().lower() for word in (values.astype(np.int64) if whole else values).astype(str)
    ]
    unknown = sorted({word for word in words if word not in _KINDS} - {"other"})
    if unknown:
        metadata.warn(
            f"segments called {', '.join(map(repr, unknown[:10]))} are kept as other: call them "
            "approach, retract, hold or modulation, or no contact is found in them"
        )
    out = np.empty(len(begins), SEGMENT)
    starts = np.array(sorted(edges), np.int64)
    out["curve"] = np.searchsorted(starts, begins, "right") - 1
    out["start"] = begins - starts[out["curve"]]
    ends = np.append(begins[1:], table.length)
    out["stop"] = ends - starts[out["curve"]]
    out["kind"] = [_KINDS.get(word, "other") for word in words]
    return out
