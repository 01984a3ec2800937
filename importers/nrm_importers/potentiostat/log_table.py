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
from nrm_plugin.errors import CorruptFile, InvalidInput, MissingFile
from nrm_plugin.potential import Log

#: Larger files are no log.
_LARGEST = 1 << 30

#: Titles stand in this part of a file.
_HEAD = 1 << 18

#: Longer lines hold no titles.
_LONGEST = 1 << 13

#: Separators as pandas has them.
_SPACE = r"\s+"
_SEPARATORS = ("\t", ";", ",", _SPACE)

_START = re.compile(r"\bstart\w*\b[^\d\n]*(\d[\d./-]+[T ]+\d\d?:\d\d.*)", re.I)


@dataclass(frozen=True)
class Table:
    """Where a table begins, and what is in it.

    Attributes
    ----------
    offset : int
        Byte of the first line behind the titles.
    separator : str
    found : dict
        Title of each column that is known, by its role.
    above : list of str
        Lines above the titles.
    """

    offset: int
    separator: str
    found: dict[Role, Title]
    above: list[str]


def sniff(head: bytes) -> int:
    """Say how likely a file is a log: it has titles of a time and a potential, and numbers."""
    data, encoding = _decoded(head)
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


def load(path: Path) -> tuple[bytes, str]:
    """Bytes of a text file, and how they are to be read.

    Raises
    ------
    MissingFile, InvalidInput
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise InvalidInput(f"{path}: a log of more than 1 GB of text is not read")
        return _decoded(path.read_bytes())
    except OSError as error:
        raise MissingFile(path, f"it cannot be read ({error})") from error


def _decoded(data: bytes) -> tuple[bytes, str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode("utf-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data, "latin-1"
    return data, "utf-8"


def find_titles(data: bytes, encoding: str, line: int | None = None) -> Table | None:
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
                found = roles([title(cell) for cell in cells])
                if separator == _SPACE and not all(one.unit for one in found.values()):
                    continue  # prose
                if complete(found):
                    return Table(min(offset, len(data)), separator, found, above)
        above.append(text)
    return None


def read_table(
    path: Path, data: bytes, encoding: str, table: Table, *, month_first: bool | None = None
) -> Log:
    """Read what follows the titles.

    Raises
    ------
    InvalidInput, CorruptFile
    """
    frame = read_columns(path, data[table.offset :], table.separator, table.found, encoding)
    found, notes = table.found, []
    potential = numbers(frame["potential"]) * found["potential"].factor("potential")
    moments = _moments(frame, found, month_first)
    time = None
    if "time" in found and "time" not in moments:
        time = numbers(frame["time"]) * found["time"].factor("time")
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
    if "current" in found:
        try:
            current = numbers(frame["current"]) * found["current"].factor("current")
        except InvalidInput as error:
            notes.append(f"the current is left out: {error}")
    cycle = numbers(frame["cycle"]) if "cycle" in found else None
    kept = np.isfinite(time) & np.isfinite(potential)
    notes += _lost(path, len(kept), int(kept.sum()))
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
    path: Path, body: bytes, separator: str, found: dict[Role, Title], encoding: str
) -> dict[str, Any]:
    """Read the columns that are known, as texts or numbers.

    Raises
    ------
    CorruptFile
        If there are no lines with all of them.
    """
    first = next((n for n in body[:_HEAD].split(b"\n") if re.match(rb"[\s\"#]*[-+]?\d", n)), b"")
    comma = separator != "," and b"," in first and not re.search(rb"\d\.\d", first)
    wanted = {one.column: role for role, one in found.items()}
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
            dtype={one.column: str for role, one in found.items() if role == "date"},
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
    frame: dict[str, Any], found: dict[Role, Title], month_first: bool | None
) -> dict[str, dates.Dates]:
    """Columns of dates, whatever they are called."""
    moments: dict[str, dates.Dates] = {}
    for role in ("date", "time"):
        if role not in found:
            continue
        column = frame[role]
        texts = column.dropna().astype(str)
        if column.dtype.kind not in "iufb" and texts.map(dates.looks_like).any():
            moments[role] = dates.parse(column.astype(str).tolist(), month_first=month_first)
        elif role == "date":
            moments[role] = _since_1970(column, found[role])
    return moments


def _since_1970(column: Any, one: Title) -> dates.Dates:
    if not re.search(r"unix|epoch", one.name, re.I):
        raise InvalidInput(
            f"{one.name} holds no dates with times: write them as 2025-03-04 09:41:07, or call "
            "seconds since 1970 'unix time (s)'"
        )
    seconds = numbers(column) * one.factor("time")
    known = seconds[np.isfinite(seconds)]
    if not len(known) or not np.abs(known).max() < 1e11:
        raise InvalidInput(f"{one.name} holds no seconds since 1970")
    start = np.datetime64(round(known[0] * 1e6), "us")
    return dates.Dates(seconds - known[0], start, "UTC", 0.0)


def _start_above(
    lines: list[str], month_first: bool | None
) -> tuple[np.datetime64 | None, str, float]:
    """Start from a line above the titles that says so, its zone, and to what it is rounded."""
    for line in lines:
        match = _START.search(line)
        if match is not None and dates.looks_like(match[1].strip()):
            found = dates.parse([match[1].strip()], month_first=month_first)
            return found.start, found.zone, found.step
    return None, "", 0.0


def _lost(path: Path, n: int, kept: int) -> list[str]:
    """Say how many lines are no points."""
    if kept < 2:
        raise CorruptFile(path, None, "times and potentials", f"{kept} lines with both")
    if n - kept > 1:  # one may hold the units
        return [f"{n - kept} lines without time or potential are left out"]
    return []
