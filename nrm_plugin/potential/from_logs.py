"""Potentials from a potentiostat's logs, by the times of the curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import FloatArray, IntArray, RepeatedColumn
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.potential.alignment import JoinedLogs, MicroscopeClock, join_logs, no_overlap
from nrm_plugin.potential.log import Log
from nrm_plugin.potential.log_facts import facts_of, stated_in, words_of
from nrm_plugin.potential.piecewise import PiecewiseLinear
from nrm_plugin.potential.settings import CurvePotentials, PotentialSettings, empty_columns, starts
from nrm_plugin.potential.sweeps import find_sweeps

if TYPE_CHECKING:
    import xarray as xr


def from_logs(
    data: CurveSet | xr.Dataset,
    logs: list[Log],
    settings: PotentialSettings,
    start: np.datetime64 | None = None,
) -> CurvePotentials:
    """Take potentials from logs that follow each other; see `with_potential`."""
    clock = MicroscopeClock(settings.number("clock_offset"), settings.text("time_zone"), start)
    joined = join_logs(logs, clock)
    began, unsure = starts(data)
    began = clock.steady(began, logs, joined)
    known = ~np.isnat(began)
    if not known.any():
        raise InvalidInput("the curves have no start times: no log can be matched to them")
    begin = np.full(len(began), np.nan)
    begin[known] = (began[known] - joined.origin) / np.timedelta64(1, "s")
    end = begin + (_durations(data) if isinstance(data, CurveSet) else 0.0)
    inside = _inside(joined, begin, end)
    if not inside.any():
        raise no_overlap(began, joined, clock)
    gain, shift, words = settings.scale(monitor=False)
    columns = empty_columns(len(began))
    trace = PiecewiseLinear(joined.time, joined.potential)
    a, b, more = begin[inside], end[inside], unsure[inside] + joined.start_uncertainty
    mean = trace.mean(a, b)
    early, late = a - np.nan_to_num(more), b + np.nan_to_num(more)
    farthest = np.where(np.isnan(more), np.nan, trace.farthest(early, late, mean))
    columns["potential"][inside] = gain * mean + shift
    columns["potential_uncertainty"][inside] = abs(gain) * farthest
    columns["sweep"][inside], columns["cycle"][inside] = _sweeps(
        joined, trace, np.sign(gain), early, a, late
    )
    if isinstance(data, CurveSet):  # results do not tell how long their curves took
        columns["potential_blur"] = np.full(len(began), np.nan)
        columns["potential_blur"][inside] = abs(gain) * trace.span(a, b)
    for name, values in (("current", joined.current), ("charge_passed", joined.charge)):
        if values is not None:
            columns[name] = np.full(len(began), np.nan)
            columns[name][inside] = _means(joined.time, values, a, b)
    warnings = [f"{log.name}: {note}" if log.name else note for log in logs for note in log.notes]
    warnings += [*clock.warnings, *_missing(known, inside)]
    stated = data.metadata if isinstance(data, CurveSet) else stated_in(data.attrs)
    facts, doubts = facts_of(
        logs, stated | settings.arguments, settings.number("reference_potential") or 0.0
    )
    source = "; ".join([*_names(logs), *clock.words(), words, *words_of(logs)])
    return CurvePotentials(columns, source, [*warnings, *doubts], facts)


def _means(time: FloatArray, values: FloatArray, begin: FloatArray, end: FloatArray) -> FloatArray:
    """Mean over intervals of what was recorded beside the potential; nan where it has gaps."""
    known = np.isfinite(values)
    if known.sum() < 2:
        return np.full(len(begin), np.nan)
    mean = PiecewiseLinear(time[known], values[known]).mean(
        np.clip(begin, time[known][0], time[known][-1]),
        np.clip(end, time[known][0], time[known][-1]),
    )
    lacking = np.concatenate([[0], np.cumsum(~known)])
    first = np.maximum(np.searchsorted(time, begin, "right") - 1, 0)
    stop = np.minimum(np.searchsorted(time, end, "left") + 1, len(time))
    return np.where(lacking[stop] > lacking[first], np.nan, mean)


def _inside(joined: JoinedLogs, begin: FloatArray, end: FloatArray) -> NDArray[np.bool_]:
    """Whether curves lie in a stretch of the log without a gap; False where nan."""
    first = np.concatenate([[0], joined.last[:-1] + 1])
    from_, to = joined.time[first], joined.time[joined.last]
    stretch = np.clip(np.searchsorted(from_, begin, "right") - 1, 0, len(to) - 1)
    return np.asarray((begin >= from_[stretch]) & (end <= to[stretch]))


def _sweeps(
    joined: JoinedLogs,
    trace: PiecewiseLinear,
    sign: float,
    early: FloatArray,
    begin: FloatArray,
    late: FloatArray,
) -> tuple[IntArray, IntArray]:
    """Sweep and cycle; no sweep where a curve may lie on either side of a vertex."""
    sweeps = find_sweeps(sign * joined.potential)
    # A point belongs to what leads to it; the first one to what comes after it.
    before, at, after = (np.where(t > 0, trace.behind(t), 0) for t in (early, begin, late))
    same = sweeps.number[before] == sweeps.number[after]
    cycle = sweeps.cycle if joined.cycle is None else joined.cycle
    return np.where(same, sweeps.sweep[at], 0), cycle[at]


def _names(logs: list[Log]) -> list[str]:
    """Names of logs, with reader and hash."""
    return [
        f"{log.name or 'log'} ({log.reader or 'given'}, sha256 {log.sha256 or 'not known'})"
        for log in logs
    ]


def _missing(known: NDArray[np.bool_], inside: NDArray[np.bool_]) -> list[str]:
    """Say how many curves have no potential, and why."""
    n, outside, unknown = len(known), int((known & ~inside).sum()), int((~known).sum())
    warnings = []
    if outside:
        warnings.append(
            f"{outside} of {n} curves were not taken while the potentiostat's log ran: "
            "they have no potential"
        )
    if unknown:
        warnings.append(f"{unknown} of {n} curves have no start time, and so no potential")
    return warnings


def _durations(curves: CurveSet) -> FloatArray:
    """Time in s from the first to the last sample of each curve; 0 without a time channel."""
    out = np.zeros(curves.n_curves)
    if "time" not in curves.channels or not curves.n_samples:
        return out
    if isinstance(curves.channels["time"].column, RepeatedColumn):
        out[:] = _spans(curves.read("time", 0), np.zeros(1, np.int64))[0]
        return out
    for first, stop in curves.blocks():
        time = curves.read("time", slice(first, stop))
        sizes = curves.row_size[first:stop]
        filled = np.flatnonzero(sizes)
        if len(filled):
            out[first + filled] = _spans(time, (np.cumsum(sizes) - sizes)[filled])
    return out


def _spans(time: FloatArray, begins: IntArray) -> FloatArray:
    """Largest less smallest time of curves that begin at the samples given."""
    spans = np.fmax.reduceat(time, begins) - np.fmin.reduceat(time, begins)
    return np.where(np.isfinite(spans), spans, 0.0)
