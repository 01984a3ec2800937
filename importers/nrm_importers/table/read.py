"""From a table and what its columns mean to a `CurveSet`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from nrm_importers.clocks import PartClock
from nrm_importers.metadata import Metadata
from nrm_importers.table.meanings import HEIGHTS, SIGNALS, map_of
from nrm_importers.table.memory import remember, remembered
from nrm_importers.table.open_source import open_source
from nrm_importers.table.parts_of_table import find_curves
from nrm_importers.table.source_table import SourceTable, joined_halves, numbers
from nrm_importers.table.table_map import MappedColumn, TableMap, as_toml
from nrm_plugin.columns import AnyArray, ArrayColumn, FloatArray, IntArray, Rows
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import CurveTable
from nrm_plugin.vocabulary import CHANNELS

#: Ends of a ramp, as part of it; the signal varies so many times as much at the surface; and it is
#: judged by no fewer samples.
_END, _PLAINLY, _FEW = 0.1, 5.0, 8


def open_table(path: Path, table_map: TableMap | None = None) -> CurveSet:
    """Open a table as curves.

    Parameters
    ----------
    table_map : TableMap, optional
        What its columns mean; by default what was remembered for such a heading, else what titles
        and units say plainly.

    Raises
    ------
    InvalidInput
        If it is not plain which columns are the height and a signal, or one of them has a
        cell that is no number.
    """
    table = joined_halves(open_source(path))
    metadata = Metadata()
    for text in table.warnings:
        metadata.warn(text)
    given = table_map
    if table_map is None:
        kept = remembered(table.heading)
        if kept is not None:
            table_map, where = kept
            metadata.warn(f"the columns are read by the table map that was remembered in {where}")
    told = table_map is not None
    header = "" if table_map is None else as_toml(table_map)
    if table_map is None:
        table_map = map_of(table.columns)
        if _is_recording(table, table_map):
            metadata.warn(
                "there is no height, without which no contact is found: pair the recording with "
                "the microscope's own file (nrm merge)"
            )
        else:
            _check_understood(table, table_map)
    if table.left_out:
        few = ", ".join(table.left_out[:10]) + (", ..." if len(table.left_out) > 10 else "")
        metadata.warn(f"left out, since it is no column beside the others: {few}")
    channels, values = {}, {}
    for name, mapped in table_map.channels.items():
        try:
            one, array = _channel(table, name, mapped)
        except InvalidInput as error:
            if told or name in CHANNELS:
                raise
            metadata.warn(f"a column is left out: {str(error).removeprefix(f'{path}: ')}")
            continue
        channels[name], values[name] = one, array
    if not channels:
        raise InvalidInput(f"{path}: the table map names no channel")
    if table_map.segment is None:
        _turn_by_signal(channels, values, metadata, told=told)
    rows, segments, kept_rows = find_curves(table, table_map, channels, values, metadata)
    flat = {name: _kept(array, kept_rows) for name, array in values.items()}
    made = {
        name: replace(channel, column=ArrayColumn(flat[name], rows))
        for name, channel in channels.items()
    }
    if "time" in made:
        _from_zero(made, rows)
    elif table.interval is not None:
        clock = PartClock(rows.sizes[:, None], [table.interval], rows)
        source = "derived from the interval that the file tells"
        made["time"] = Channel("time", "s", clock, 1.0, 0.0, "", source)
    if segments is not None and table_map.segment is not None:
        _turn_heights(made, segments, metadata)
    given_height = next((name for name in HEIGHTS if name in made), "height")
    if given_height in made:
        made["height"] = replace(made[given_height], name="height")
    if "height" in made:
        metadata.add("height_source", "given", "the table")
    left = [c.title for c in table.columns if told and not _is_used(table, c.title, table_map)]
    if left:
        metadata.warn(
            f"columns that the table map does not name are left out: {', '.join(left[:20])}"
        )
    first = np.array([rows.start(i) for i in range(len(rows))], np.int64)
    at = first if kept_rows is None else kept_rows[first] if len(first) else first
    curves = CurveSet(
        rows,
        made,
        segments_from=None if segments is None else lambda: segments,
        table_from=_table_from(table, table_map, at),
    )
    if given is not None:
        remember(table.heading, header)
    text = "\n\n".join(filter(None, [table.heading, header]))
    return metadata.attached(curves, path, "table", text)


def _kept(array: AnyArray, rows: IntArray | None) -> AnyArray:
    """Return the rows that are kept; the numbers are not copied where they follow each other."""
    if rows is None or not len(rows):
        return array if rows is None else array[:0]
    first, last = int(rows[0]), int(rows[-1])
    together = last - first == len(rows) - 1 and bool((rows[1:] > rows[:-1]).all())
    return array[first : last + 1] if together else array[rows]


def _is_used(table: SourceTable, title: str, table_map: TableMap) -> bool:
    named = [*table_map.channels.values()]
    named += [m for m in (table_map.curve, table_map.segment, table_map.position_x) if m]
    named += [m for m in (table_map.position_y, table_map.cycle) if m]
    return any(table.column(m.column).title == title for m in named)


def _is_recording(table: SourceTable, table_map: TableMap) -> bool:
    """Whether a recorder without a height wrote it: times, a signal, every column plain."""
    names = set(table_map.channels)
    return (
        ("time" in names or table.interval is not None)
        and bool(names & set(SIGNALS))
        and not names & set(HEIGHTS)
        and all(_is_used(table, c.title, table_map) for c in table.columns)
    )


def _check_understood(table: SourceTable, table_map: TableMap) -> None:
    """Say which column is missing, and why none of the table's is it."""
    names = set(table_map.channels)
    missing = [] if names & set(HEIGHTS) else ["height"]
    if not names & set(SIGNALS):
        missing.append("deflection, force or lateral signal")
    if not missing:
        return
    named = [
        f"{c.title[:30]!r} " + (f"in {c.unit[:20]}" if c.unit else "without a unit")
        for c in table.columns[:12]
    ]
    raise InvalidInput(
        f"{table.path}: it is not plain which column is the {' and the '.join(missing)}: there "
        f"are {', '.join(named)}. Write a table map to fill in, nrm table {table.path.name} "
        "-o map.toml, and give it with --table map.toml"
    )


def _channel(table: SourceTable, name: str, mapped: MappedColumn) -> tuple[Channel, AnyArray]:
    """Make a channel in SI, and its numbers as they stand."""
    column = table.column(mapped.column)
    gain, unit = mapped.factor(column.unit)
    known = CHANNELS.get(name)
    if known is not None and unit not in known.units:
        raise InvalidInput(
            f"{table.path}: column {mapped.column!r} is in {unit or 'no unit'}, and {name} must "
            f"be in {' or '.join(known.units)}: say its unit or a scale in the table map"
        )
    array = numbers(table.path, column)
    if known is not None and not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array)))
        raise InvalidInput(
            f"{table.path}: there is no number in row {row + 1} of {mapped.column!r}"
        )
    nothing = ArrayColumn(np.empty(0), Rows.uniform(0, 0))
    source = f"table, column {column.title}"
    return Channel(name, unit, nothing, gain, mapped.offset, column.title, source), array


def _turn_heights(made: dict[str, Channel], segments: AnyArray, metadata: Metadata) -> None:
    """Turn the sign of a z that rises in what the table calls an approach."""
    approach = segments[(segments["kind"] == "approach") & (segments["curve"] == 0)]
    for name in HEIGHTS:
        if name not in made or not len(approach):
            continue
        channel = made[name]
        values = np.empty(channel.column.rows.start(1))
        channel.fill(0, 1, values)
        part = values[approach["start"][0] : approach["stop"][0]]
        if len(part) > 1 and part[-1] > part[0]:
            made[name] = replace(channel, gain=-channel.gain, offset=-channel.offset)
            metadata.warn(f"{channel.original} rises while the tip approaches: its sign is turned")


def _turn_by_signal(
    channels: dict[str, Channel], values: Mapping[str, AnyArray], metadata: Metadata, *, told: bool
) -> None:
    """Turn the sign of a z that grows towards the surface, where the signal shows it plainly.

    At the end of the ramp where the surface is, deflection or force change; at the other they do
    not. What a table map told is left as it is, with a warning.
    """
    signal = next((values[name] for name in ("deflection", "force_normal") if name in values), None)
    if signal is None:
        return
    for name in HEIGHTS:
        if name not in channels:
            continue
        channel = channels[name]
        z = values[name] * channel.gain
        low, high = z.min(), z.max()
        few = _END * (high - low)
        ends = [_spread(signal[z <= low + few]), _spread(signal[z >= high - few])]
        if not (high > low and ends[1] > _PLAINLY * ends[0]):
            continue
        what = f"{channel.original} grows towards the surface"
        if told:
            metadata.warn(f"{what}, by the signal: if so, give its scale a minus in the table map")
        else:
            channels[name] = replace(channel, gain=-channel.gain, offset=-channel.offset)
            metadata.warn(f"{what}, by the signal: its sign is turned")


def _spread(signal: AnyArray) -> float:
    """How far a signal varies, but for a few samples."""
    if len(signal) < _FEW:
        return math.nan
    low, high = np.percentile(signal, (5.0, 95.0))
    return float(high - low)


def _from_zero(made: dict[str, Channel], rows: Rows) -> None:
    """Times count from each curve's first sample, unless they begin within a step of zero."""
    channel = made["time"]
    column = channel.column
    assert isinstance(column, ArrayColumn)
    values: FloatArray = column.values.astype(np.float64) * channel.gain
    starts = np.array([rows.start(i) for i in range(len(rows))], np.int64)
    if len(starts):
        begins = values[starts]
        steps = values[np.minimum(starts + 1, len(values) - 1)] - begins
        if not ((begins >= 0.0) & (begins < steps)).all():
            values = values - np.repeat(begins, rows.sizes)
    made["time"] = replace(channel, column=ArrayColumn(values, rows), gain=1.0, offset=0.0)


def _table_from(
    table: SourceTable, table_map: TableMap, first: IntArray
) -> Callable[[], CurveTable]:
    """Positions, potential and cycles of the curves: those of their first samples."""

    def read() -> CurveTable:
        out: dict[str, AnyArray] = {}
        if table.start is not None and table.interval is not None:
            passed = np.round(first * table.interval * 1e6).astype("m8[us]")
            out["start_time"] = table.start + passed
            out["start_time_source"] = np.full(len(first), "file_date")
        for name, mapped in (
            ("x", table_map.position_x),
            ("y", table_map.position_y),
            ("cycle", table_map.cycle),
        ):
            if mapped is not None:
                column = table.column(mapped.column)
                gain, _ = mapped.factor(column.unit)
                out[name] = numbers(table.path, column)[first] * gain + mapped.offset
        return out

    return read
