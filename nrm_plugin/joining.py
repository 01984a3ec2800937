"""Many sets of curves as one: a series of single curves, repeats of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nrm_plugin.columns import AnyArray, Column, Rows
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import CurveTable, complete_table, source_curves
from nrm_plugin.vocabulary import calibrated_by

#: Keys that differ from file to file as a matter of course.
_OF_THE_FILE = frozenset({"start_time", "title", "comment"})


class JoinedColumn:
    """Columns one behind the other.

    Where the parts agree in type and scale, the raw numbers stay raw. Otherwise the values are
    joined, and ``gain`` is 1.
    """

    def __init__(self, parts: Sequence[Channel | None], rows: Sequence[Rows]) -> None:
        present = [p for p in parts if p is not None]
        first = present[0]
        self.parts = parts
        self.edges = np.cumsum([0] + [len(r) for r in rows])
        self.part_rows = rows
        self.rows = _joined_rows(rows)
        self.same = len(present) == len(parts) and all(
            (p.column.dtype, p.gain, p.offset) == (first.column.dtype, first.gain, first.offset)
            for p in present
        )
        self.dtype: np.dtype[Any] = first.column.dtype if self.same else np.dtype(np.float64)

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        at = 0
        for part, rows, begin in zip(self.parts, self.part_rows, self.edges.tolist(), strict=False):
            a, b = max(first - begin, 0), min(stop - begin, len(rows))
            if a >= b:
                continue
            n = rows.start(b) - rows.start(a)
            here = out[at : at + n]
            if part is None:
                here[...] = np.nan
            elif self.same:
                part.column.fill(a, b, here, gain, offset)
            else:
                part.column.fill(a, b, here, part.gain, part.offset)
            at += n


def join(sets: Sequence[CurveSet]) -> CurveSet:
    """Join sets of curves in the order given.

    A channel that some of them lack is NaN there. A metadata value on which they disagree is
    left out, with a warning, since no single value would be true.

    Raises
    ------
    InvalidInput
        If there are no sets, or a channel has different units.
    """
    if not sets:
        raise InvalidInput("there is nothing to join")
    if len(sets) == 1:
        return sets[0]
    warnings = [f"{_name(s)}: {w}" if _name(s) else w for s in sets for w in s.warnings]
    with_curves = [s for s in sets if s.n_curves] or sets
    rows = [s.rows for s in with_curves]
    channels: dict[str, Channel] = {}
    joined: dict[tuple[Any, ...], Column] = {}
    for name in dict.fromkeys(n for s in with_curves for n in s.channels):
        parts = [s.channels.get(name) for s in with_curves]
        present = [p for p in parts if p is not None]
        if len({p.unit for p in present}) > 1:
            units = ", ".join(sorted({p.unit or "none" for p in present}))
            raise InvalidInput(f"channel {name!r} has different units in the files: {units}")
        lacking = [_name(s) or "one set" for s in with_curves if name not in s.channels]
        if lacking:
            warnings.append(f"{name} is missing in {', '.join(lacking)}; it is NaN there")
        key = tuple((id(p.column), p.gain, p.offset) if p else None for p in parts)
        column = joined.setdefault(key, JoinedColumn(parts, rows))
        same = isinstance(column, JoinedColumn) and column.same
        gain, offset = (present[0].gain, present[0].offset) if same else (1.0, 0.0)
        sources = dict.fromkeys(p.source for p in present)
        channels[name] = replace(
            present[0], column=column, gain=gain, offset=offset, source="; ".join(sources)
        )
    metadata, sources_of, differing = _common_metadata(sets)
    warnings += differing
    tables = [s.curve_table for s in sets]
    return CurveSet(
        _joined_rows(rows),
        channels,
        metadata=metadata,
        metadata_source=sources_of,
        images=tuple(i for s in sets for i in s.images),
        warnings=tuple(warnings),
        origins=tuple(o for s in sets for o in s.origins),
        logs=tuple({id(log): log for s in sets for log in s.logs}.values()),
        segments_from=lambda: _joined_segments(sets),
        table_from=lambda: _joined_table(sets, tables),
    )


def _name(curves: CurveSet) -> str:
    return curves.origins[0].name if curves.origins else ""


def _joined_rows(rows: Sequence[Rows]) -> Rows:
    lengths = {r.length for r in rows if len(r)}
    n = sum(len(r) for r in rows)
    if len(lengths) <= 1 and None not in lengths:
        return Rows.uniform(n, lengths.pop() or 0 if lengths else 0)
    return Rows(np.concatenate([r.sizes for r in rows]))


def _common_metadata(sets: Sequence[CurveSet]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    warnings = []
    left_out = set()
    for key in dict.fromkeys(k for s in sets for k in s.metadata):
        given = list(dict.fromkeys(s.metadata[key] for s in sets if key in s.metadata))
        if key == "start_time":
            given = [min(given)]
        if len(given) == 1:
            values[key] = given[0]
            sources[key] = next(s.metadata_source.get(key, "") for s in sets if key in s.metadata)
        elif key not in _OF_THE_FILE:
            short = [f"{v:g}" if isinstance(v, float) else str(v) for v in given]
            plain = short if len(set(short)) == len(given) else [str(v) for v in given]
            shown = ", ".join(plain[:4])
            warnings.append(f"{key} differs between the files ({shown}) and is left out")
            left_out.add(key)
    # What stands beside a value that is left out belongs to none.
    values = {k: v for k, v in values.items() if calibrated_by(k) not in left_out}
    return values, {k: sources[k] for k in values}, warnings


def _joined_segments(sets: Sequence[CurveSet]) -> AnyArray:
    parts = []
    shift = 0
    for curves in sets:
        part = curves.segments.copy()
        part["curve"] += shift
        parts.append(part)
        shift += curves.n_curves
    return np.concatenate(parts)


def _joined_table(sets: Sequence[CurveSet], tables: Sequence[CurveTable]) -> CurveTable:
    n = [s.n_curves for s in sets]
    out: dict[str, AnyArray] = {}
    if any("source_curve" in t for t in tables):
        tables = [{**t, "source_curve": source_curves(t)} for t in tables]
    for name in dict.fromkeys(name for t in tables for name in t if name != "location"):
        fill = {"cycle": -1, "sweep": 0}.get(name, np.nan)
        columns = [t.get(name, np.full(count, fill)) for t, count in zip(tables, n, strict=True)]
        out[name] = np.concatenate(columns)
    files = np.cumsum([0] + [len(s.origins) for s in sets])
    out["source"] = np.concatenate([t["source"] + files[i] for i, t in enumerate(tables)])
    return complete_table(out, sum(n))
