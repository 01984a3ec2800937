"""Tables as text: potential over time with titles, from any program."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nrm_importers.potentiostat import dates
from nrm_importers.potentiostat.titles import Role, Title, complete, roles, title
from nrm_plugin.columns import FloatArray
from nrm_plugin.delimited import decodable, load
from nrm_plugin.errors import CorruptFile, InvalidInput
from nrm_plugin.potential import Log

#: Titles stand in this part of a file.
_HEAD = 1 << 18

#: Longer lines hold no titles.
_LONGEST = 1 << 13

#: Separators as pandas has them.
_SPACE = r"\s+"
_SEPARATORS = ("\t", ";", ",", _SPACE)

_START = re.compile(r"\bstart\w*\b[^\d\n]*(\d[\d./-]+[T ]+\d\d?:\d\d.*)", re.I)


@dataclass(frozen=True)
class LogTable:
    """Where a table begins, and what is in it.

    Attributes
    ----------
    offset : int
        Byte of the first line behind the titles.
    separator : str
    titles : dict
        Title of each column that is known, by its role.
    above : list of str
        Lines above the titles.
    """

    offset: int
    separator: str
    titles: dict[Role, Title]
    above: list[str]


def sniff(head: bytes) -> int:
    """Say how likely a file is a log: it has titles of a time and a potential, and numbers."""
    data, encoding = decodable(head)
    table = find_titles(data, encoding)
    if table is None:
        return 0
    following = data[table.offset :].decode(encoding, "replace").split("\n")[:4]
    return 30 if any(re.match(r"\s*[\"']?[-+]?\d", line) for line in following) else 10


def read(path: Path) -> Log:
    """Read a table of any program.

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
    return read_table(path, data, encoding, table)


def find_titles(data: bytes, encoding: str, line: int | None = None) -> LogTable | None:
    """Find the first line with titles of a time and a potential; or look at one line only."""
    lines = data[:_HEAD].split(b"\n") if line is None else data.split(b"\n", line)[:line]
    offset = 0
    above: list[str] = []
    for number, raw in enumerate(lines, 1):
        offset += len(raw) + 1
        text = raw.decode(encoding, "replace").rstrip("\r")
        if line in (None, number) and len(text) < _LONGEST:
            for separator in _SEPARATORS:
                cells = re.split(separator, text.lstrip("#").strip(" "))
                titles = roles([title(cell) for cell in cells])
                if separator == _SPACE and not all(one.unit for one in titles.values()):
                    continue  # prose
                if complete(titles):
                    return LogTable(min(offset, len(data)), separator, titles, above)
        above.append(text)
    return None


def read_table(
    path: Path, data: bytes, encoding: str, table: LogTable, *, month_first: bool | None = None
) -> Log:
    """Read what follows the titles.

    Raises
    ------
    InvalidInput, CorruptFile
    """
    frame = read_columns(path, data[table.offset :], table.separator, table.titles, encoding)
    titles, notes = table.titles, []
    potential = numbers(frame["potential"]) * titles["potential"].factor("potential")
    moments = _moments(frame, titles, month_first)
    time = None
    if "time" in titles and "time" not in moments:
        time = numbers(frame["time"]) * titles["time"].factor("time")
    absolute = moments.get("date", moments.get("time"))
    start, zone, step = _start_above(table.above, month_first)
    if absolute is not None:
        start, zone, step = absolute.start, absolute.zone, absolute.step
        if time is None:
            time = absolute.seconds
        else:  # both: the moment of the first line gives the start
            both = np.flatnonzero(np.isfinite(time) & np.isfinite(absolute.seconds))
            shift = absolute.seconds[both[0]] - time[both[0]] if len(both) else np.nan
            start = start + np.timedelta64(round(shift * 1e6), "us") if len(both) else None
    assert time is not None
    current = None
    if "current" in titles:
        try:
            current = numbers(frame["current"]) * titles["current"].factor("current")
        except InvalidInput as error:
            notes.append(f"the current is left out: {error}")
    cycle = numbers(frame["cycle"]) if "cycle" in titles else None
    kept = np.isfinite(time) & np.isfinite(potential)
    notes += _left_out(path, len(kept), int(kept.sum()))
    return Log(
        time,
        potential,
        current,
        cycle,  # type: ignore[arg-type]
        start,
        time_zone=zone,
        start_uncertainty=step,
        notes=tuple(notes),
    )


def read_columns(
    path: Path, body: bytes, separator: str, titles: dict[Role, Title], encoding: str
) -> dict[str, Any]:
    """Read the columns that are known, as texts or numbers.

    Raises
    ------
    CorruptFile
        If there are no lines with all of them.
    """
    first = next((n for n in body[:_HEAD].split(b"\n") if re.match(rb"[\s\"#]*[-+]?\d", n)), b"")
    comma = separator != "," and b"," in first and not re.search(rb"\d\.\d", first)
    wanted = {one.column: role for role, one in titles.items()}
    try:
        frame = pd.read_csv(
            io.BytesIO(body),
            sep=separator,
            header=None,
            usecols=sorted(wanted),
            names=None,
            decimal="," if comma else ".",
            encoding=encoding,
            encoding_errors="replace",
            on_bad_lines="skip",
            skipinitialspace=True,
            low_memory=False,
            na_filter=True,
            dtype={one.column: str for role, one in titles.items() if role == "date"},
        )
    except Exception as error:  # pandas raises many kinds
        what = " ".join(str(error).split())[:100]
        raise CorruptFile(path, None, "lines of numbers below the titles", what) from None
    return {role: frame[column] for column, role in wanted.items()}


def numbers(column: Any) -> FloatArray:
    """Numbers of a column; nan for what is none."""
    if column.dtype.kind not in "iufb":
        column = pd.to_numeric(column.astype(str).str.strip(), errors="coerce")
    return np.asarray(column, np.float64)


def _moments(
    frame: dict[str, Any], titles: dict[Role, Title], month_first: bool | None
) -> dict[str, dates.Dates]:
    """Columns of dates, whatever they are called."""
    moments: dict[str, dates.Dates] = {}
    for role in ("date", "time"):
        if role not in titles:
            continue
        column = frame[role]
        texts = column.dropna().astype(str)
        if column.dtype.kind not in "iufb" and texts.map(dates.looks_like).any():
            moments[role] = dates.parse(column.astype(str).tolist(), month_first=month_first)
        elif role == "date":
            moments[role] = _since_1970(column, titles[role])
    return moments


def _since_1970(column: Any, one: Title) -> dates.Dates:
    if not re.search(r"unix|epoch", one.name, re.I):
        raise InvalidInput(
            f"{one.name} holds no dates with times: write them as 2025-03-04 09:41:07, or call "
            "seconds since 1970 'unix time (s)'"
        )
    seconds = numbers(column) * one.factor("time")
    finite = seconds[np.isfinite(seconds)]
    if not len(finite) or not np.abs(finite).max() < 1e11:
        raise InvalidInput(f"{one.name} holds no seconds since 1970")
    start = np.datetime64(round(finite[0] * 1e6), "us")
    return dates.Dates(seconds - finite[0], start, "UTC", 0.0)


def _start_above(
    lines: list[str], month_first: bool | None
) -> tuple[np.datetime64 | None, str, float]:
    """Start from a line above the titles that says so, its zone, and to what it is rounded."""
    for line in lines:
        match = _START.search(line)
        if match is not None and dates.looks_like(match[1].strip()):
            date = dates.parse([match[1].strip()], month_first=month_first)
            return date.start, date.zone, date.step
    return None, "", 0.0


def _left_out(path: Path, n: int, kept: int) -> list[str]:
    """A note of how many lines are left out, having no time or potential."""
    if kept < 2:
        raise CorruptFile(path, None, "times and potentials", f"{kept} lines with both")
    if n - kept > 1:  # one may hold the units
        return [f"{n - kept} lines without time or potential are left out"]
    return []
