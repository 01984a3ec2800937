"""A potentiostat's times by the microscope's clock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.potential.log import Log
from nrm_plugin.potential.moments import zone

#: Differences between time zones in s: whole hours first, then half ones, the smallest first.
_ZONES = sorted((k * 1800.0 for k in range(-52, 53)), key=lambda s: (s % 3600.0, abs(s)))


#: Clocks in two zones differ by multiples of this, and by less than `_BESIDE` besides (s).
ZONE, _BESIDE = 1800.0, 300.0


def zone_words(offset: float, zone: float) -> Iterator[str]:
    """How much of a clock offset, in s, two time zones would make: nothing, or a sentence."""
    if zone:
        yield f"that is {zone / 3600.0:+g} h, as between two time zones, and {offset - zone:+.3g} s"


def place_by_clocks(begins: FloatArray, told: float) -> int | None:
    """Which of several places of a log the clocks point to, but for a time zone.

    Parameters
    ----------
    begins : (n,) array
        When the log would have begun there, s.
    told : float
        When it began by its own clock, s; nan unknown.

    Returns
    -------
    int or None
        None if none is plainly nearer than the others.
    """
    if not np.isfinite(told):
        return None
    beside = np.abs(begins - told - ZONE * np.round((begins - told) / ZONE))
    near = np.argsort(beside)
    if beside[near[0]] > _BESIDE or beside[near[1]] <= 3.0 * beside[near[0]] + 10.0:
        return None
    return int(near[0])


@dataclass
class MicroscopeClock:
    """How the potentiostat's clock is related to the microscope's.

    Attributes
    ----------
    offset : float or None
        Added to the potentiostat's times in s; None if nobody said.
    zone : str
        Time zone of the microscope's clock; empty if nobody said.
    start : datetime64 or None
        When the log began by the microscope's clock, before the offset; None to believe the log.
    warnings : list of str
        Filled by `begin`.
    """

    offset: float | None = None
    zone: str = ""
    start: np.datetime64 | None = None
    warnings: list[str] = field(default_factory=list)

    def words(self) -> list[str]:
        """The settings in words, as the results keep them."""
        words = [f"clock offset {self.offset or 0.0:g} s"]
        if self.zone:
            words.append(f"time zone {self.zone}")
        if self.start is not None:
            words.append(f"start {self.start}")
        return words

    def begin(self, log: Log) -> np.datetime64:
        """When the log's time 0 was by the microscope's clock.

        Raises
        ------
        InvalidInput
            If the log does not say, or its zone is known and the microscope's is not.
        """
        return self._local(log) + microseconds(self.offset or 0.0)

    def _local(self, log: Log) -> np.datetime64:
        if self.start is not None:
            return self.start
        if log.start is None:
            raise InvalidInput(
                f"{_name_of(log)} does not say when it began: give the date and time by the "
                "microscope's clock (start, --log-start 2025-03-04T09:41:07)"
            )
        if log.time_zone:
            return self._from_utc(log)
        if self.offset is None and not self.zone:
            self._warn(
                f"neither {_name_of(log)} nor the curves say their time zone: both clocks are "
                "taken to show the same time (clock_offset says that, or another difference)"
            )
        return log.start

    def _from_utc(self, log: Log) -> np.datetime64:
        assert log.start is not None
        if self.zone:
            return log.start + _ahead(zone(self.zone), log.start)
        match = re.fullmatch(r"([+-])(\d\d):?(\d\d)", log.time_zone)
        if match is None:
            raise InvalidInput(
                f"the times of {_name_of(log)} are in {log.time_zone}: give the time zone of the "
                "microscope's clock (time_zone, --time-zone Europe/London)"
            )
        ahead_s = (-1 if match[1] == "-" else 1) * (int(match[2]) * 3600.0 + int(match[3]) * 60.0)
        self._warn(
            f"the microscope's clock is taken to show the time of {_name_of(log)}, which is "
            f"{log.time_zone} of UTC (time_zone says that, or another)"
        )
        return log.start + microseconds(ahead_s)

    def steady(self, began: AnyArray, logs: Sequence[Log], joined: JoinedLogs) -> AnyArray:
        """When curves began, by a clock that nobody puts forward or back while the logs run.

        Parameters
        ----------
        began : (n,) array of datetime64
            By the microscope's clock, which follows its time zone where that is known.

        Returns
        -------
        (n,) array of datetime64
            NaT for curves of an hour that comes twice, where their order does not tell which of
            the two it was, and of one that does not exist.
        """
        first = min(logs, key=self.begin)
        if not self.zone or first.start is None or self.start is not None:
            return began
        known, local = zone(self.zone), self._local(first)
        ahead = local - first.start if first.time_zone else _ahead_at_local(known, local)
        low, high = local - ahead, local - ahead + microseconds(float(joined.time[-1]))
        shift = _ahead(known, high) - ahead
        if not shift:
            return began
        while high - low > np.timedelta64(1, "s"):
            middle = low + (high - low) // 2
            low, high = (middle, high) if _ahead(known, middle) == ahead else (low, middle)
        change = high.astype("M8[s]").astype("M8[us]") + ahead + microseconds(self.offset or 0.0)
        none = np.timedelta64(0, "us")
        old, new = began < change + min(shift, none), began >= change + max(shift, none)
        unclear = np.flatnonzero(~old & ~new & ~np.isnat(began))
        back = np.flatnonzero(np.diff(began[unclear]) < none)
        if len(back) == 1 and shift < none:  # in the order of the file the clock was put back once
            old[unclear[: back[0] + 1]], new[unclear[back[0] + 1 :]] = True, True
            unclear = unclear[:0]
        hours = shift / np.timedelta64(1, "h")
        self._warn(
            f"clocks were put {'back' if hours < 0 else 'forward'} by {abs(hours):g} h in "
            f"{self.zone} while the log ran ({_shown(change)}): the microscope's is taken to have "
            "been, too"
        )
        if len(unclear):
            self._warn(
                f"{len(unclear)} of {len(began)} curves were taken in an hour that the clock "
                "showed twice: which potential they have cannot be told"
            )
        return np.where(new, began - shift, np.where(old, began, np.datetime64("NaT", "us")))

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


def _ahead(known: ZoneInfo, utc: np.datetime64) -> np.timedelta64:
    """By how much the clocks of a zone are ahead of UTC at a moment of UTC."""
    moment: datetime = utc.astype("M8[us]").item()
    ahead = known.utcoffset(moment.replace(tzinfo=UTC).astimezone(known)) or timedelta()
    return microseconds(ahead.total_seconds())


def _ahead_at_local(known: ZoneInfo, local: np.datetime64) -> np.timedelta64:
    """The same at a time that these clocks show; the first one of an hour that comes twice."""
    moment: datetime = local.astype("M8[us]").item()
    ahead = known.utcoffset(moment.replace(tzinfo=known)) or timedelta()
    return microseconds(ahead.total_seconds())


@dataclass(frozen=True, eq=False, kw_only=True)
class JoinedLogs:
    """Logs one after the other, by the microscope's clock.

    Attributes
    ----------
    origin : datetime64
        When `time` is 0.
    time, potential : (n,) arrays
        In s and V.
    cycle : (n,) array of int or None
        As the potentiostat counted, where one log did; -1 elsewhere.
    current, charge : (n,) arrays or None
        In A and C; nan where a log has none, and charge where one log alone counted it.
    last : (m,) array of int
        Last point of each stretch without a gap.
    start_uncertainty : float
        The largest of the logs', in s.
    """

    origin: np.datetime64
    time: FloatArray
    potential: FloatArray
    cycle: IntArray | None
    current: FloatArray | None
    charge: FloatArray | None
    last: IntArray
    start_uncertainty: float

    @property
    def end(self) -> np.datetime64:
        """When the last point was taken."""
        return self.origin + microseconds(float(self.time[-1]))


def join_logs(logs: Sequence[Log], clock: MicroscopeClock) -> JoinedLogs:
    """Put logs on the microscope's clock, in order of time.

    A gap between two logs is one if it is longer than twice the usual step within them.

    Raises
    ------
    InvalidInput
        If two of them cover the same time, or see `MicroscopeClock.begin`.
    """
    if clock.start is not None and len(logs) > 1:
        raise InvalidInput("start says when one log began: give one log with it")
    began = [clock.begin(log) for log in logs]
    origin = min(b + microseconds(float(o.time[0])) for b, o in zip(began, logs, strict=True))
    shifts = [(b - origin) / np.timedelta64(1, "s") for b in began]
    parts = sorted(zip(shifts, logs, strict=True), key=lambda part: part[0] + part[1].time[0])
    times = [log.time + shift for shift, log in parts]
    ordered = [log for _, log in parts]
    gaps = []
    for i in range(1, len(times)):
        gap = float(times[i][0] - times[i - 1][-1])
        if gap < 0:
            raise InvalidInput(
                f"{_name_of(ordered[i - 1])} and {_name_of(ordered[i])} cover the same time"
            )
        steps = max(float(np.median(np.diff(t))) for t in (times[i - 1], times[i]))
        if gap > 2.0 * steps:
            gaps.append(i)
    ends = np.cumsum([len(t) for t in times]) - 1
    return JoinedLogs(
        origin=origin,
        time=np.concatenate(times),
        potential=np.concatenate([log.potential for log in ordered]),
        cycle=_cycles(ordered),
        current=_joined(ordered, "current"),
        charge=_joined(ordered, "charge") if sum(o.charge is not None for o in logs) == 1 else None,
        last=ends[[*(i - 1 for i in gaps), len(times) - 1]],
        start_uncertainty=max(log.start_uncertainty for log in logs),
    )


def _cycles(logs: Sequence[Log]) -> IntArray | None:
    """Cycles as they were counted, if one log did: counts of several begin anew."""
    if sum(log.cycle is not None for log in logs) != 1:
        return None
    return np.concatenate([np.full(len(o.time), -1) if o.cycle is None else o.cycle for o in logs])


def _joined(logs: Sequence[Log], name: str) -> FloatArray | None:
    """An array beside the potential, nan where a log has none; None if none has it."""
    values = [getattr(log, name) for log in logs]
    if all(v is None for v in values):
        return None
    return np.concatenate(
        [
            np.full(len(o.time), np.nan) if v is None else v
            for o, v in zip(logs, values, strict=True)
        ]
    )


def no_overlap(began: Any, joined: JoinedLogs, clock: MicroscopeClock) -> InvalidInput:
    """Say that no curve was taken while the log ran, and which offset would make them meet.

    Parameters
    ----------
    began : (n,) array of datetime64
        When the curves began; some are known.
    joined : JoinedLogs
    clock : MicroscopeClock
    """
    known = began[~np.isnat(began)]
    first, last = known.min(), known.max()
    seconds = (known - joined.origin) / np.timedelta64(1, "s")
    end = joined.time[-1]
    counts = [int(((seconds >= s) & (seconds <= s + end)).sum()) for s in _ZONES]
    best = int(np.argmax(counts))
    if counts[best]:
        shift = _ZONES[best]
        hint = f" ({shift / 3600.0:+g} h, as between time zones) they would meet"
    else:
        shift = float(seconds.min())
        hint = " they would begin together"
    total = (clock.offset or 0.0) + shift
    return InvalidInput(
        f"no curve was taken while the potentiostat's log ran: the curves began from "
        f"{_shown(first)} to {_shown(last)}, the log is from {_shown(joined.origin)} to "
        f"{_shown(joined.end)} by the microscope's clock. With a clock_offset of "
        f"{total:.10g} s{hint}"
    )


def microseconds(seconds: float) -> np.timedelta64:
    """Seconds as whole microseconds, in which dates are counted."""
    return np.timedelta64(round(seconds * 1e6), "us")


def _shown(moment: Any) -> str:
    return str(np.datetime64(moment, "s")).replace("T", " ")


def _name_of(log: Log) -> str:
    return log.name or "the log"
