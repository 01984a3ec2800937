"""The curve table and the segments: arrays that go with the curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray, IntArray, Rows
from nrm_plugin.errors import InvalidInput
from nrm_plugin.vocabulary import COLUMNS, SEGMENT_KINDS, START_TIME_SOURCES, nearest

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

CurveTable = Mapping[str, AnyArray]

#: Columns of whole numbers.
_WHOLE = frozenset(
    ("row", "column", "location", "acquisition_order", "sweep", "cycle", "source", "source_curve")
)

SEGMENT = np.dtype([("curve", "i8"), ("start", "i8"), ("stop", "i8"), ("kind", "U10")])

#: Below this part of a curve's height span, a turn is noise and not a second segment.
TURN = 0.05


#: Columns that every table has.
USUAL = (
    "x",
    "y",
    "row",
    "column",
    "start_time",
    "start_time_source",
    "start_time_uncertainty",
    "acquisition_order",
    "source",
    "location",
)


def column_dtype(name: str) -> np.dtype[Any]:
    """Type of a column of the curve table."""
    if name in _WHOLE:
        return np.dtype(np.int64)
    return np.dtype({"start_time": "M8[us]", "start_time_source": "U20"}.get(name, "f8"))


def complete_table(given: CurveTable, n_curves: int) -> CurveTable:
    """Return the curve table with its usual columns filled in and checked.

    Raises
    ------
    InvalidInput
        For an unknown column or one of the wrong length.
    """
    table: dict[str, AnyArray] = {
        "x": np.broadcast_to(np.nan, n_curves),
        "y": np.broadcast_to(np.nan, n_curves),
        "row": np.broadcast_to(np.int64(-1), n_curves),
        "column": np.broadcast_to(np.int64(-1), n_curves),
        "start_time": np.broadcast_to(np.datetime64("NaT", "us"), n_curves),
        "start_time_source": np.broadcast_to(np.array("unknown", "U20"), n_curves),
        "start_time_uncertainty": np.broadcast_to(np.nan, n_curves),
        "acquisition_order": np.arange(n_curves),
        "source": np.broadcast_to(np.int64(0), n_curves),
    }
    for name, values in given.items():
        if name not in COLUMNS:
            raise InvalidInput(f"{name!r} is no column of the curve table.{nearest(name, COLUMNS)}")
        values = np.asarray(values)
        if values.shape != (n_curves,):
            raise InvalidInput(
                f"column {name!r} has shape {values.shape}, needed is ({n_curves},), "
                "one value per curve"
            )
        table[name] = _typed(name, values)
    if "start_time" in given and "start_time_source" not in given:
        table["start_time_source"] = np.broadcast_to(np.array("given", "U20"), n_curves)
    if "location" not in table:
        table["location"] = locations(table["x"], table["y"])
    return table


def source_curves(table: CurveTable) -> IntArray:
    """Number of each curve in its source file: the column, or its rank among those of the file."""
    if "source_curve" in table:
        return np.asarray(table["source_curve"], np.int64)
    source = np.asarray(table["source"])
    order = np.argsort(source, kind="stable")
    ranked = source[order]
    ranks = np.empty(len(source), np.int64)
    ranks[order] = np.arange(len(source)) - np.searchsorted(ranked, ranked, "left")
    return ranks


def _typed(name: str, values: AnyArray) -> AnyArray:
    """Values of a column in the column's own type."""
    try:
        if name == "start_time":
            if values.dtype.kind == "f":
                micro = np.where(np.isfinite(values), np.round(values * 1e6), np.iinfo("i8").min)
                return micro.astype("i8").view("M8[us]")
            return values.astype("M8[s]" if values.dtype.kind in "iu" else "M8[us]").astype(
                "M8[us]"
            )
        if name == "start_time_source":
            unknown = set(np.unique(values)) - set(START_TIME_SOURCES)
            if unknown:
                raise InvalidInput(f"{sorted(unknown)} are no sources of a start time")
            return values.astype("U20")
        if name in _WHOLE:
            return values.astype(np.int64)
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"column {name!r}: {error}") from None


def locations(x: AnyArray, y: AnyArray, tolerance: float = 1e-9) -> AnyArray:
    """Number the places: curves whose positions agree to `tolerance` (m) share a number.

    Curves without a position count as places of their own.
    """
    n = len(x)
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return np.arange(n)
    with np.errstate(over="ignore"):  # positions of 1e300 m, in a damaged file
        cells = np.stack([np.round(x / tolerance), np.round(y / tolerance)], axis=1)
    cells[~known] = np.nan
    _, first, inverse = np.unique(cells[known], axis=0, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    numbers = np.empty(n, np.int64)
    numbers[known] = order[inverse.reshape(-1)]
    numbers[~known] = len(first) + np.arange(n - int(known.sum()))
    return numbers


def segment_array(given: AnyArray, rows: Rows) -> AnyArray:
    """Check segments and return them as a `SEGMENT` array, in order of curve and time.

    Raises
    ------
    InvalidInput
        For missing fields, unknown kinds, or bounds outside the curves or over each other.
    """
    array = np.asarray(given)
    names = array.dtype.names or ()
    if not {"curve", "start", "stop", "kind"} <= set(names):
        raise InvalidInput("segments is a structured array with fields curve, start, stop, kind")
    out = np.empty(len(array), SEGMENT)
    for name in ("curve", "start", "stop", "kind"):
        out[name] = array[name]
    unknown = set(np.unique(out["kind"])) - set(SEGMENT_KINDS)
    if unknown:
        raise InvalidInput(f"{sorted(unknown)} are no kinds of segment: {', '.join(SEGMENT_KINDS)}")
    if len(out) and (out["curve"].min() < 0 or out["curve"].max() >= len(rows)):
        raise InvalidInput(f"segments name curves outside 0 to {len(rows) - 1}")
    sizes = rows.sizes[out["curve"]]
    bad = (out["start"] < 0) | (out["stop"] < out["start"]) | (out["stop"] > sizes)
    if bad.any():
        one = out[np.argmax(bad)]
        raise InvalidInput(
            f"segment {one['start']} to {one['stop']} lies outside curve {one['curve']}"
        )
    out = out[np.lexsort((out["start"], out["curve"]))]
    over = (out["curve"][1:] == out["curve"][:-1]) & (out["start"][1:] < out["stop"][:-1])
    if over.any():
        raise InvalidInput(f"segments of curve {out['curve'][np.argmax(over)]} overlap")
    return out


def part_of_segments(segments: AnyArray, bounds: IntArray, chosen: IntArray) -> AnyArray:
    """Segments of some curves, numbered anew.

    Parameters
    ----------
    segments : SEGMENT array
        Of all curves.
    bounds : (n + 1,) array of int
        Where the segments of each curve begin, and the end of the last.
    chosen : array of int
        Numbers of the curves.
    """
    first, counts = bounds[chosen], bounds[chosen + 1] - bounds[chosen]
    ends = np.cumsum(counts)
    taken = np.repeat(first - ends + counts, counts) + np.arange(counts.sum())
    out: AnyArray = segments[taken]
    out["curve"] = np.repeat(np.arange(len(chosen)), counts)
    return out


def part_of_grid(grid: tuple[int, int] | None, chosen: IntArray) -> tuple[int, int] | None:
    """Rows and columns that some curves of a grid still make, one row behind the other."""
    if grid is None or len(chosen) < 2:
        return None
    row, column = np.divmod(chosen, grid[1])
    width = int((row == row[0]).argmin()) or len(chosen)
    if len(chosen) % width:
        return None
    rows, columns = row[::width], column[:width]
    rising = (np.diff(rows) > 0).all() and (np.diff(columns) > 0).all()
    whole = (chosen.reshape(-1, width) == rows[:, None] * grid[1] + columns).all()
    return (len(rows), width) if rising and whole else None


def regular_segments(n_curves: int, parts: list[tuple[str, int]]) -> AnyArray:
    """Segments of curves that all have the same parts, given as (kind, samples)."""
    parts = [(kind, count) for kind, count in parts if count]
    edges = np.cumsum([0] + [count for _, count in parts])
    out = np.empty((n_curves, len(parts)), SEGMENT)
    out["curve"] = np.arange(n_curves)[:, None]
    out["start"], out["stop"] = edges[:-1], edges[1:]
    out["kind"] = [kind for kind, _ in parts]
    return out.reshape(-1)


def turning_segments(curves: CurveSet) -> AnyArray:
    """Split each curve where its height turns from falling to rising.

    A curve whose height runs one way is one segment; without a height, the kind is other.
    """
    rows = curves.rows
    if "height" not in curves.channels:
        whole: list[tuple[int, int, int, str]] = [
            (i, 0, int(n), "other") for i, n in enumerate(rows.sizes) if n
        ]
        return np.array(whole, SEGMENT)
    found: list[tuple[int, int, int, str]] = []
    for first, stop in curves.blocks():
        height = curves.read("height", slice(first, stop))
        for curve in range(first, stop):
            begin = rows.start(curve) - rows.start(first)
            part = height[begin : begin + int(rows.sizes[curve])]
            found += [(curve, a, b, kind) for a, b, kind in _turn(part)]
    return np.array(found, SEGMENT)


def _turn(height: FloatArray) -> list[tuple[int, int, str]]:
    n = len(height)
    if not n:
        return []
    known = np.isfinite(height)
    if not known.any():
        return [(0, n, "other")]
    height = np.where(known, height, np.nan)
    lowest = int(np.nanargmin(height))
    span = np.nanmax(height) - height[lowest]
    if not span:
        return [(0, n, "other")]
    before: Any = np.nanmax(height[: lowest + 1]) - height[lowest]
    after: Any = np.nanmax(height[lowest:]) - height[lowest]
    if after < TURN * span:
        return [(0, n, "approach")]
    if before < TURN * span:
        return [(0, n, "retract")]
    return [(0, lowest + 1, "approach"), (lowest + 1, n, "retract")]
