"""A potentiostat's clock by steps of the potential that the curves show in levels of their own.

Where no potential was recorded beside the curves, a step of it may still move the deflection's
offset or a lateral level. The log is shifted until its steps fall between curves that jump.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.potential.alignment import ZONE, microseconds, place_by_clocks, zone_words
from nrm_plugin.potential.curve_levels import CurveLevels
from nrm_plugin.potential.level_jumps import SEEN, WIDE, Jumps, nothing_steps, spread_of
from nrm_plugin.potential.log import Log

#: A step of a log: at least so many volts between two points, and so many times the usual change.
_STEP, _USUAL = 0.02, 20.0
#: A place counts if it is so many times likelier than any other (logarithm), and if so many steps
#: are seen there.
_SURE, _FEWEST = float(np.log(1e3)), 3
#: Shifts less likely than the best by this logarithm are left out of what remains uncertain.
_REMAINING = 5.0
#: Around a step so many neighbours are tried, and levels further off than so many standard
#: deviations count as if they were not.
_NEAR, _OFF = 4, 4.0
#: Places are others if they lie so many of the usual distances between curves apart.
_APART = 6.0
#: Logs with steps at moments drawn by lot, which tell what chance makes of the curves, and the
#: evidence that is wanted beyond the best of them.
_DRAWN, _MORE = 100, 4.0
#: Shifts that are tried, at most, and at once.
_TRIED, _AT_ONCE = 200_000, 1 << 20


@dataclass(frozen=True, kw_only=True)
class SteppedClock:
    """Where a log lies on curves that show its steps.

    Attributes
    ----------
    begin, within : float
        When the log's time 0 was, in s since the first curve began, and how far it may lie from
        there: between two curves nothing tells when the potential stepped.
    offset : float
        Added to the log's times (by its own clock) to have the curves', s, known as well as
        `begin`; nan where the log tells no date.
    zone : float
        Multiple of half hours in the offset, s: what a wrong time zone would make.
    start : datetime64
        When the log's time 0 was by the curves' clock.
    signal : str
        What shows the steps most clearly.
    steps, seen : int
        Of the log while curves were taken, and those that the curves show.
    evidence, next_evidence, next_place : float
        Logarithm of how much likelier the jumps are with the log there than without it; of the
        next best place, and how far that is, s.
    by_clocks : bool
        Whether the clocks decided between places that fit alike.
    """

    begin: float
    within: float
    offset: float
    zone: float
    start: np.datetime64
    signal: str
    steps: int
    seen: int
    evidence: float
    next_evidence: float
    next_place: float
    by_clocks: bool

    def sentences(self) -> Iterator[str]:
        """What was found, for people."""
        yield (
            f"no potential is recorded with the curves; {self.signal} steps where the log's "
            f"potential does: {self.seen} of {self.steps} steps are seen"
        )
        if np.isfinite(self.offset):
            yield (
                f"clock offset {self.offset:.2f} s, within {self.within:.2g} s, added to the log's "
                "times (--clock-offset)"
            )
            yield from zone_words(self.offset, self.zone)
        else:
            yield f"the log's time 0 was at {self.start} (--log-start), within {self.within:.2g} s"
        yield (
            "between two curves nothing tells when the potential stepped; two clocks that run "
            "apart are not seen"
        )
        if np.isfinite(self.next_place):
            why = ": the clocks decided" if self.by_clocks else ""
            yield (
                f"evidence {self.evidence:.0f}, of the next place, {self.next_place:.4g} s away, "
                f"{self.next_evidence:.0f}{why}"
            )

    def as_json(self) -> dict[str, float | str | int | bool | None]:
        """For programs, in SI."""
        out: dict[str, float | str | int | bool | None] = {}
        for name in (field.name for field in fields(self) if field.name != "start"):
            value = getattr(self, name)
            missing = isinstance(value, float) and not np.isfinite(value)
            out[name] = None if missing else value
        return out | {"start": str(self.start)}


@dataclass(frozen=True)
class Step:
    """A step of a log's potential: when, in s of its time, and by how much, V."""

    time: float
    size: float


def steps_of(log: Log) -> list[Step]:
    """Steps of a log's potential: changes between neighbours that are no part of a sweep."""
    change = np.diff(log.potential)
    threshold = max(_STEP, _USUAL * float(np.median(np.abs(change))))
    at = np.flatnonzero(np.abs(change) > threshold)
    if not len(at):
        return []
    groups = np.split(at, np.flatnonzero(np.diff(at) > 2) + 1)
    return [
        Step(
            float(log.time[g[0]] + log.time[g[-1] + 1]) / 2.0,
            float(log.potential[g[-1] + 1] - log.potential[g[0]]),
        )
        for g in groups
    ]


def clock_by_steps(log: Log, curves: CurveLevels) -> SteppedClock:
    """Find when a log began by the clock of curves whose levels step with the potential.

    Every shift is tried with which half of the log's steps fall among the curves. The evidence of
    a shift adds up what the jumps of the levels say where a step falls between two curves: jumps
    as they are everywhere, with rare large ones, against a step that is seen, or not.

    Raises
    ------
    InvalidInput
        If the log has no steps, the curves show none where the log has them, or several places
        fit and the clocks do not tell which.
    """
    steps = steps_of(log)
    if len(steps) < _FEWEST:
        raise InvalidInput(
            "no potential is recorded in it, and the log's potential has "
            f"{len(steps) or 'no'} step{'s' * (len(steps) != 1)}, of which {_FEWEST} are needed: "
            "turns and slopes of a sweep do not tell the clocks apart by levels of the curves"
        )
    moments = np.array([s.time for s in steps])
    jumps = Jumps.of(curves)
    edges, evidence = _tried(jumps.told, curves.time, moments)
    places = _places(edges, evidence, _APART * float(np.median(np.diff(curves.time))))
    if not places:
        raise nothing_steps(curves)
    begins = (edges[places] + edges[[p + 1 for p in places]]) / 2.0
    best = float(evidence[places[0]])
    seen, passed = jumps.seen(moments + begins[0])
    if len(seen) < max(_FEWEST, passed / 2.0) or best < _MORE + _by_chance(jumps, moments):
        raise nothing_steps(curves)
    at = _by_log(log, curves)
    alike = [n for n, p in enumerate(places) if best - evidence[p] < _SURE]
    chosen = alike[0] if len(alike) == 1 else _of_several(begins[alike], at)
    here = places[chosen]
    low, high = _settled(curves, jumps, moments, begins[chosen])
    begin = (low + high) / 2.0
    between = float(np.median(np.diff(log.time))) / 2.0
    offset = begin - at
    seen, passed = jumps.seen(moments + begin)
    others = [n for n in range(len(places)) if n != chosen]
    rival = max(others, key=lambda n: evidence[places[n]]) if others else None
    return SteppedClock(
        begin=begin,
        within=float(high - low) / 2.0 + curves.unsure + between,
        offset=offset,
        zone=ZONE * round(offset / ZONE) if np.isfinite(offset) else 0.0,
        start=curves.first + microseconds(begin),
        signal=jumps.clearest(seen),
        steps=passed,
        seen=len(seen),
        evidence=float(evidence[here]),
        next_evidence=np.nan if rival is None else float(evidence[places[rival]]),
        next_place=np.nan if rival is None else float(abs(begins[rival] - begin)),
        by_clocks=len(alike) > 1,
    )


def _tried(
    told: FloatArray, time: FloatArray, moments: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Shifts between which the evidence does not change, and the evidence from each to the next."""
    edges = np.unique(np.subtract.outer(time, moments))
    if len(edges) > _TRIED:
        edges = np.linspace(edges[0], edges[-1], _TRIED)
    middle = (edges[1:] + edges[:-1]) / 2.0
    evidence = np.full(len(middle), -np.inf)
    least = max(_FEWEST, len(moments) / 2.0)
    rows = max(1, _AT_ONCE // len(moments))
    for a in range(0, len(middle), rows):
        gap = np.searchsorted(time, moments[None, :] + middle[a : a + rows, None]) - 1
        inside = (gap >= 0) & (gap < len(told))
        inside[:, 1:] &= gap[:, 1:] - gap[:, :-1] >= WIDE  # one jump is counted once
        added = np.where(inside, told[np.clip(gap, 0, len(told) - 1)], 0.0).sum(axis=1)
        evidence[a : a + rows] = np.where(inside.sum(axis=1) >= least, added, -np.inf)
    return edges, evidence


def _settled(
    curves: CurveLevels, jumps: Jumps, moments: FloatArray, begin: float
) -> tuple[float, float]:
    """First and last shift that leave little more of the levels beside the steps than the best."""
    seen, _ = jumps.seen(moments + begin)
    gap = np.searchsorted(curves.time, moments + begin) - 1
    near: list[tuple[float, int, FloatArray]] = []
    for moment, at in zip(moments, gap, strict=True):
        if at in seen:
            near.append((float(moment), int(at) - _NEAR, _left_by_splits(curves, jumps, int(at))))
    usual = float(np.median(np.diff(curves.time)))
    lo, hi = begin - _NEAR * usual, begin + _NEAR * usual
    edges = np.concatenate([np.clip(curves.time - moment, lo, hi) for moment, _, _ in near])
    edges = np.unique(np.concatenate([[lo, hi], edges]))
    middle = (edges[1:] + edges[:-1]) / 2.0
    left = np.zeros(len(middle))
    for moment, first, cost in near:
        which = np.searchsorted(curves.time, moment + middle) - 1 - first
        inside = (which >= 0) & (which < len(cost))
        left += np.where(inside, cost[np.clip(which, 0, len(cost) - 1)], np.inf)
    good = np.flatnonzero(left <= left.min() + _REMAINING)
    return float(edges[good[0]]), float(edges[good[-1] + 1])


def _left_by_splits(curves: CurveLevels, jumps: Jumps, at: int) -> FloatArray:
    """What levels leave around a step, by the pair of neighbours between which it may lie.

    Half of the sum of squares in standard deviations, as a logarithm of likelihood counts.
    """
    total = np.zeros(2 * _NEAR + 1)
    for name, level in curves.levels.items():
        if jumps.each[name][at] < SEEN:
            continue
        spread = spread_of(np.diff(level)) / np.sqrt(2.0)
        begin, end = max(at - 3 * _NEAR, 0), min(at + 3 * _NEAR + 2, len(level))
        for n in range(len(total)):
            split = at - _NEAR + n + 1
            if not begin < split < end:
                total[n] = np.inf
                continue
            sides = level[begin:split], level[split:end]
            rest = np.concatenate([s - np.median(s) for s in sides]) / spread
            total[n] += 0.5 * float(np.minimum(rest**2, _OFF**2).sum())
    return total


def _by_chance(jumps: Jumps, moments: FloatArray) -> float:
    """Most evidence that logs with as many steps, at moments drawn by lot, find in the curves."""
    rng = np.random.default_rng(0)
    best = 0.0
    for _ in range(_DRAWN):
        drawn = np.sort(rng.uniform(moments[0], moments[-1], len(moments)))
        best = max(best, float(_tried(jumps.told, jumps.time, drawn)[1].max()))
    return best


def _places(edges: FloatArray, evidence: FloatArray, apart: float) -> list[int]:
    """Shifts with the most evidence, the best first, each so far from the others."""
    places: list[int] = []
    for p in np.argsort(evidence)[::-1][:20_000]:
        if len(places) == 10 or not np.isfinite(evidence[p]):
            break
        if all(edges[p] - edges[q + 1] > apart or edges[q] - edges[p + 1] > apart for q in places):
            places.append(int(p))
    return places


def _by_log(log: Log, curves: CurveLevels) -> float:
    """When the log began by its own clock, in s since the first curve; nan unknown."""
    return (
        np.nan if log.start is None else float((log.start - curves.first) / np.timedelta64(1, "s"))
    )


def _of_several(begins: FloatArray, told: float) -> int:
    """Number of the one of several places that the clocks point to.

    Raises
    ------
    InvalidInput
    """
    number = place_by_clocks(begins, told)
    if number is None:
        shown = ", ".join(f"{begin:.0f}" for begin in begins[:5])
        raise InvalidInput(
            f"the log's steps fit the curves at {len(begins)} places ({shown} s after the first "
            "curve), as holds do that are alike, and the clocks do not tell which: give the clock "
            "offset (--clock-offset)"
        )
    return number


def moved_by_steps(log: Log, clock: SteppedClock) -> Log:
    """The log by the curves' clock, for `with_potential`."""
    return replace(
        log,
        start=clock.start,
        time_zone="",
        start_uncertainty=clock.within,
        notes=(*log.notes, *clock.sentences()),
    )
