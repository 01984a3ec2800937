"""Tables as text: potential over time with titles, from any program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nrm_importers.potentiostat import dates
from nrm_importers.potentiostat.cells import Cells, read_cells
from nrm_importers.potentiostat.log_settings import (
    names_a_rate,
    reference,
    said_of,
    sweep_rate,
)
from nrm_importers.potentiostat.titles import Role, Title, complete, roles, title
from nrm_plugin.columns import FloatArray
from nrm_plugin.delimited import decodable, load
from nrm_plugin.errors import InvalidInput
from nrm_plugin.potential import Log

#: Titles stand in this part of a file.
_HEAD = 1 << 18

#: Longer lines hold no titles.
_LONGEST = 1 << 13

#: Separators as pandas has them.
_SPACE = r"\s+"
_SEPARATORS = ("\t", ";", ",", _SPACE)

_START = re.compile(r"\bstart\w*\b[^\d\n]*(\d[\d./-]*\d[T ]+\d\d?[:.]\d\d.*)", re.I)
_QUIET = re.compile(r"quiet time \(s(?:ec)?\)\s*=\s*(\d+(?:\.\d*)?)", re.I)

#: Blanks before the slash of a unit, as Ivium has them: ``t /s   E /V``.
_BEFORE_SLASH = re.compile(r"\s+/(?=\S)")

#: No electrode has a potential beyond this, V.
_BEYOND = 100.0

#: Times in s that no log reaches.
_FARTHEST = 1e12

#: Further zeros than these, at potentials that are never near 0 V, are no measured values.
_ZEROS = 2


@dataclass(frozen=True, kw_only=True)
class LogTable:
    """Where a table begins, and what is in it.

    Attributes
    ----------
    offset : int
        Byte of the first line behind the titles.
    separator : str
    titles : dict
        Title of each column that is known, by its role.
    width : int
        Number of titles.
    above : list of str
        Lines above the titles.
    """

    offset: int
    separator: str
    titles: dict[Role, Title]
    width: int
    above: list[str]


def sniff(head: bytes) -> int:
    """Say how likely a file is a log: it has titles of a time and a potential, and numbers."""
    data, encoding = decodable(head)
    table = find_titles(data, encoding)
    if table is None:
        return 0
    following = data[table.offset :].decode(encoding, "replace").split("\n")[:4]
    return 30 if any(re.match(r"\s*[\"']?[-+]?\d", line) for line in following) else 10


def read(path: Path, units: Mapping[str, str] | None = None) -> Log:
    """Read a table of any program.

    Parameters
    ----------
    path : Path
    units : mapping, optional
        Units of columns whose titles have none: ``{"potential": "mV"}``.

    Raises
    ------
    InvalidInput
        If there are no titles of a time and a potential, or a unit is missing.
    CorruptFile
    """
    data, encoding = load(path)
    table = find_titles(data, encoding)
    if table is None:
        raise InvalidInput(
            f"{path}: there is no line of titles with a time and a potential, "
            "such as 'time (s)' and 'E (V)'"
        )
    return read_table(path, data, encoding, table, units=units)


def find_titles(data: bytes, encoding: str, line: int | None = None) -> LogTable | None:
    """Find the first line with titles of a time and a potential; or look at one line only.

    A potential and a current are enough where a line above says the rate of a sweep.
    """
    lines = data[:_HEAD].split(b"\n") if line is None else data.split(b"\n", line)[:line]
    offset = 0
    above: list[str] = []
    rate = False
    for number, raw in enumerate(lines, 1):
        offset += len(raw) + 1
        text = raw.decode(encoding, "replace").rstrip("\r")
        if line in (None, number) and len(text) < _LONGEST:
            for separator in _SEPARATORS:
                plain = text.lstrip("#").strip(" ")
                if separator == _SPACE:
                    plain = _BEFORE_SLASH.sub("/", plain)
                cells = re.split(separator, plain)
                titles = roles([title(cell) for cell in cells])
                if separator == _SPACE and not all(one.unit for one in titles.values()):
                    continue  # prose
                swept = rate and all(
                    r in titles and titles[r].unit for r in ("potential", "current")
                )
                if complete(titles) or swept:
                    return LogTable(
                        offset=min(offset, len(data)),
                        separator=separator,
                        titles=titles,
                        width=len(cells),
                        above=above,
                    )
        rate = rate or (len(text) < _LONGEST and names_a_rate(text))
        above.append(text)
    return None


def read_table(
    path: Path,
    data: bytes,
    encoding: str,
    table: LogTable,
    *,
    month_first: bool | None = None,
    units: Mapping[str, str] | None = None,
    measured: bool = False,
) -> Log:
    """Read what follows the titles.

    Parameters
    ----------
    units : mapping, optional
        Units of columns whose titles have none.
    measured : bool
        Whether potentials are a converter's values, of which hardly one is exactly 0 V.

    Raises
    ------
    InvalidInput, CorruptFile
    """
    columns = read_cells(
        path, data[table.offset :], table.separator, table.titles, table.width, encoding
    )
    titles = _with_units(table.titles, columns, units or {})
    notes: list[str] = []
    potential = _si(columns, titles, "potential")
    potential, more = _without_zeros(path, potential, columns, titles, measured)
    notes += more
    largest = np.abs(potential[np.isfinite(potential)]).max(initial=0.0)
    if largest > _BEYOND:
        notes.append(
            f"its potentials reach {largest:.4g} V, which no electrode has: if they are in mV, "
            "correct the unit in its title"
        )
    start, zone, step, more = _start_above(table.above, month_first)
    notes += more
    time, moments = _time(path, columns, titles, month_first, notes)
    if moments is not None:
        start, zone, step = moments.start, moments.zone, moments.step
        if time is None:
            time = moments.seconds
        else:  # both: the moment of the first line gives the start
            both = np.flatnonzero(np.isfinite(time) & np.isfinite(moments.seconds))
            shift = moments.seconds[both[0]] - time[both[0]] if len(both) else np.nan
            known = abs(shift) < _FARTHEST
            start = start + np.timedelta64(round(shift * 1e6), "us") if known else None
    if time is None:
        time, more = _of_a_sweep(path, potential, table.above)
        notes += more
    beside: dict[str, FloatArray | None] = {"current": None, "charge": None}
    for role in ("current", "charge"):
        if role in titles:
            try:
                beside[role] = _si(columns, titles, role)
            except InvalidInput as error:
                notes.append(f"the {role} is left out: {error}")
    said = said_of([line for line in table.above if len(line) < _LONGEST])
    against = reference(titles["potential"].against)
    kept = np.isfinite(time) & np.isfinite(potential)
    notes += columns["potential"].left_out(path, kept)
    notes += [note for column in columns.values() for note in column.notes]
    times = time[kept]
    if times[0] == times[-1] and (times == times[0]).all():
        raise InvalidInput(
            f"{path}: there is nothing to read in it: all of its times are {times[0]:g} s"
        )
    return Log(
        time,
        potential,
        beside["current"],
        columns["cycle"].numbers if "cycle" in columns else None,  # type: ignore[arg-type]
        start,
        time_zone=zone,
        start_uncertainty=step,
        charge=beside["charge"],
        notes=tuple(notes),
        **said | ({"reference": against} if against else {}),
    )


def _with_units(
    titles: dict[Role, Title], columns: dict[Role, Cells], given: Mapping[str, str]
) -> dict[Role, Title]:
    """Titles with the units that stand in the line below them, or that were given."""
    out = {}
    for role, one in titles.items():
        wanted = given.get("time" if role == "step time" else role, "")
        if one.unit and wanted and one.unit != wanted:
            raise InvalidInput(f"{one.name} is in {one.unit} by its title, and given in {wanted}")
        unit = one.unit or wanted
        below = columns[role].first.strip().strip("[]() ")
        if not unit and below and title(f"x ({below})").fits(role):
            unit = below
        out[role] = replace(one, unit=unit)
    return out


def _si(columns: dict[Role, Cells], titles: dict[Role, Title], role: Role) -> FloatArray:
    factor = titles[role].factor(role)
    return columns[role].numbers * factor


def _without_zeros(
    path: Path,
    potential: FloatArray,
    columns: dict[Role, Cells],
    titles: dict[Role, Title],
    measured: bool,
) -> tuple[FloatArray, list[str]]:
    """Replace zeros that stand for no value; some versions of EC-Lab write such for ``<Ewe>/V``.

    Raises
    ------
    InvalidInput
        If there are such zeros in measured values, and nothing tells what was measured.
    """
    notes = []
    zero = potential == 0
    if "counter" in columns and "difference" in columns and zero.any():
        other = _si(columns, titles, "difference") + _si(columns, titles, "counter")
        wrong = zero & (np.abs(other) > 1e-3)
        if wrong.any():
            potential = np.where(wrong, other, potential)
            notes.append(
                f"{wrong.sum()} of {len(zero)} potentials are exported as 0 V, which the other "
                "columns contradict: Ewe-Ece + Ece of the same lines are taken for them"
            )
            zero &= ~wrong
    others = np.abs(potential[np.isfinite(potential) & ~zero])
    if zero.sum() > _ZEROS and (not len(others) or others.min() > 0.05):
        what = f"{zero.sum()} of {len(zero)} potentials are exactly 0 V"
        if len(others):
            what += f", and none of the others is nearer to it than {others.min():.3g} V"
        if measured:
            raise InvalidInput(
                f"{path}: {what}: its program wrote zeros for what was measured. Use the .mpr, or "
                "export the file with the columns Ewe/V, or Ewe-Ece/V and Ece/V"
            )
        notes.append(f"{what}: if the program wrote zeros for missing values, take them out")
    return potential, notes


def _time(
    path: Path,
    columns: dict[Role, Cells],
    titles: dict[Role, Title],
    month_first: bool | None,
    notes: list[str],
) -> tuple[FloatArray | None, dates.Dates | None]:
    """Seconds, and moments; either may be missing."""
    moments = _moments(path, columns, titles, month_first, notes)
    seconds: FloatArray | None = None
    if "time" in titles and "time" not in moments:
        seconds = _seconds(columns["time"], titles["time"], "time")
        first = seconds[np.isfinite(seconds)][:1]
        if columns["time"].texts is not None and "date" not in moments and (first > 3600).any():
            notes.append(
                f"its clock begins at {first[0]:g} s: if it shows the time of day, its start "
                "(--log-start) is 00:00 of that day"
            )
    absolute = moments.get("date", moments.get("time"))
    if absolute is not None:
        if seconds is not None and _goes_back(seconds):
            notes.append(f"{titles['time'].name} begins again: the dates give the times")
            seconds = None
        return seconds, absolute
    if seconds is None and "step time" in titles:
        seconds = _seconds(columns["step time"], titles["step time"], "step time")
    steps = "step time" in titles or re.search(
        r"h+:m", titles["time"].unit if seconds is not None and "time" in titles else ""
    )
    if seconds is not None and steps and _goes_back(seconds):
        seconds = _one_after_the_other(seconds)
        notes.append("its time begins again with each step: steps are put one behind the other")
    return seconds, None


def _seconds(cells: Cells, one: Title, role: Role) -> FloatArray:
    """Times as numbers, or as a clock has them."""
    if np.isfinite(cells.numbers).any():
        return cells.numbers * one.factor(role)
    if cells.texts is None:
        return cells.numbers
    values = dates.clock(cells.texts)
    return values if np.isfinite(values).any() else cells.numbers * one.factor(role)


def _goes_back(seconds: FloatArray) -> bool:
    valid = seconds[np.isfinite(seconds)]
    return bool(np.any(np.diff(valid) < 0))


def _one_after_the_other(seconds: FloatArray) -> FloatArray:
    """Times of steps that each begin again, in one row."""
    out = seconds.copy()
    valid = np.flatnonzero(np.isfinite(seconds))
    change = np.diff(seconds[valid], prepend=0.0)
    out[valid] = np.cumsum(np.where(change < 0, seconds[valid], change))
    return out


def _moments(
    path: Path,
    columns: dict[Role, Cells],
    titles: dict[Role, Title],
    month_first: bool | None,
    notes: list[str],
) -> dict[str, dates.Dates]:
    """Columns of dates, whatever they are called."""
    moments: dict[str, dates.Dates] = {}
    roles_of_time: tuple[Role, ...] = ("date", "time")
    for role in roles_of_time:
        if role not in titles:
            continue
        texts = columns[role].texts
        if texts is None or not any(dates.looks_like(t) for t in texts[:200]):
            if texts is not None and role == "date" and "time" in titles:
                clocks = columns["time"].texts  # a day and a time of day apart
                if clocks is not None:
                    texts = [f"{day} {clock}" for day, clock in zip(texts, clocks, strict=True)]
                    if any(dates.looks_like(t) for t in texts[:200]):
                        parsed = dates.parse(texts, month_first=month_first)
                        return {"date": parsed, "time": parsed}
            if role == "date" and ("time" not in titles or _since_epoch(titles[role])):
                moments[role] = _since_1970(path, columns[role], titles[role])
            continue
        try:
            moments[role] = dates.parse(texts, month_first=month_first)
        except InvalidInput as error:
            if role == "time" or "time" not in titles:
                raise
            notes.append(f"{titles[role].name} gives no start: {error}")
    return moments


def _since_epoch(one: Title) -> bool:
    return re.search(r"unix|epoch", one.name, re.I) is not None


def _since_1970(path: Path, cells: Cells, one: Title) -> dates.Dates:
    if not _since_epoch(one):
        raise InvalidInput(
            f"{path}: {one.name} holds no dates with times: write them as 2025-03-04 09:41:07, or "
            "call seconds since 1970 'unix time (s)'"
        )
    seconds = cells.numbers * one.factor("time")
    finite = seconds[np.isfinite(seconds)]
    if not len(finite) or not np.abs(finite).max() < 1e11:
        raise InvalidInput(f"{path}: {one.name} holds no seconds since 1970")
    start = np.datetime64(round(finite[0] * 1e6), "us")
    return dates.Dates(seconds - finite[0], start, "UTC", 0.0)


def _start_above(
    lines: list[str], month_first: bool | None
) -> tuple[np.datetime64 | None, str, float, list[str]]:
    """Start from a line above the titles, its zone, to what it is rounded, and doubts.

    A line that says so, or the first line where it is a date and nothing else.
    """
    for number, line in enumerate(lines):
        match = _START.search(line)
        text = match[1].strip() if match else line.strip()
        if match is None and (number or not dates.looks_like(text)):
            continue
        try:
            date = dates.parse([text], month_first=month_first)
        except InvalidInput:
            return None, "", 0.0, [f"its start {text[:40]!r} is no date that can be read"]
        alone = [] if match else ["the date in its first line is taken for the start"]
        return date.start, date.zone, date.step, alone
    return None, "", 0.0, []


def _of_a_sweep(
    path: Path, potential: FloatArray, above: list[str]
) -> tuple[FloatArray, list[str]]:
    """Times of a sweep from its rate in a line above the titles.

    Raises
    ------
    InvalidInput
        If no line says the rate.
    """
    for line in above:
        rate = sweep_rate(line)
        if rate is None:
            continue
        quiet = next((float(m[1]) for a in above if (m := _QUIET.search(a))), 0.0)
        steps = np.abs(np.diff(potential, prepend=potential[:1]))
        with np.errstate(over="ignore"):  # a rate that no potentiostat has
            time = quiet + np.cumsum(np.nan_to_num(steps)) / rate
        words = f"it has no times: they follow from the scan rate, {rate:g} V/s"
        return time, [f"{words}, after a quiet time of {quiet:g} s" if quiet else words]
    raise InvalidInput(f"{path}: there is no time, and no line says the scan rate with its unit")


def units_given(texts: Mapping[str, str]) -> dict[str, str]:
    """Check units that somebody gave for columns without them.

    Raises
    ------
    InvalidInput
        If there is no such column, or the unit is no unit of it.
    """
    for role, unit in texts.items():
        if role not in ("time", "potential", "current"):
            raise InvalidInput(
                f"{role!r} is no column of a log: units are given for time, potential and current"
            )
        Title(role, unit).factor(role)  # type: ignore[arg-type]
    return dict(texts)
