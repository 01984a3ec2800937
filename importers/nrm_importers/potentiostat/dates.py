"""Dates as potentiostats and spreadsheets write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput

_TIME = r"(\d{1,2}[:.]\d\d)([:.]\d\d)?([.,]\d+)?\s*([AaPp][Mm])?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d\d?)\2(\d\d?)[T ]+{_TIME}\s*(Z|UTC|[+-]\d\d:?\d\d)?")
_YEAR_LAST = re.compile(rf"(\d\d?)([-/.])(\d\d?)\2(\d{{4}}|\d\d),?[T ]+{_TIME}")
#: Months by their names: CH Instruments writes ``Mar. 4, 2025``, others ``04-Mar-2025``.
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier",
            "feb february februar février fév",
            "mar march märz mär mars",
            "apr april avril avr",
            "may mai",
            "jun june juni juin",
            "jul july juli juillet",
            "aug august août",
            "sep sept september septembre",
            "oct october oktober okt octobre",
            "nov november novembre",
            "dec december dezember dez décembre déc",
        ),
        1,
    )
    for name in names.split()
}
_NAMED_FIRST = re.compile(r"([^\W\d_]{3,9})\.?\s+(\d\d?),?\s+(\d{4}),?\s+")
_NAMED_SECOND = re.compile(r"(\d\d?)\.?[-/ ]\s?([^\W\d_]{3,9})\.?[-/ ](\d{4}|\d\d),?\s+")


@dataclass(frozen=True)
class Dates:
    """Moments, as a log has them.

    Attributes
    ----------
    seconds : (n,) array
        Since `start`; nan for what is no date.
    start : datetime64
        The first of them; in UTC where there is a zone.
    zone : str
        ``UTC``, ``+01:00``, or empty.
    step : float
        To what they are rounded, in s.
    """

    seconds: FloatArray
    start: np.datetime64
    zone: str
    step: float


def looks_like(text: str) -> bool:
    """Whether a text is a date with a time."""
    text = numbered(text.strip().strip('"'))
    return bool(_YEAR_FIRST.fullmatch(text) or _YEAR_LAST.fullmatch(text))


def numbered(text: str) -> str:
    """Write a date whose month has a name as 2025-03-04, and leave others as they are."""
    for pattern, day, month in ((_NAMED_FIRST, 2, 1), (_NAMED_SECOND, 1, 2)):
        match = pattern.match(text)
        number = _MONTHS.get(match[month].lower()) if match else None
        if match and number:
            year = int(match[3]) + (2000 if len(match[3]) == 2 else 0)
            return f"{year:04d}-{number:02d}-{int(match[day]):02d} {text[match.end() :]}"
    return text


def clock(texts: Sequence[str]) -> FloatArray:
    """Seconds of times written as ``h:mm:ss`` or ``mm:ss.fff``; nan for others.

    There may be days before them, ``1-02:03:04``, ``1d 02:03:04`` or ``1:02:03:04``. A clock that
    passes midnight goes on from the day before, and one without hours from the hour before.
    """
    stripped = pd.Series(texts, dtype=object).astype(str).str.strip()
    short = stripped.str.extract(r"^(\d+):(\d\d?[.,]\d+)$")
    without_hours = short[0].notna()
    parts = stripped.where(~without_hours, "0:" + stripped).str.extract(
        r"^(?:(\d+)(?:\s*d\w*\s*|[-., ]\s*|:(?=\d+:\d+:\d)))?"
        r"(\d+):(\d+):(\d\d?(?:[.,]\d*)?)$"
    )
    days, hours, minutes, seconds = (
        pd.to_numeric(parts[i].str.replace(",", ".", regex=False), errors="coerce")
        for i in range(4)
    )
    values = days.fillna(0) * 86400.0 + hours * 3600.0 + minutes * 60.0 + seconds
    out: FloatArray = np.array(values, np.float64)
    valid = np.flatnonzero(np.isfinite(out))
    whole, back = (3600.0, -3500.0) if without_hours[valid].all() else (86400.0, -80000.0)
    out[valid] += whole * np.cumsum(np.diff(out[valid], prepend=out[valid][:1]) < back)
    return out


def parse(texts: Sequence[str], *, month_first: bool | None = None) -> Dates:
    """Read dates that are all written in one way.

    Parameters
    ----------
    texts : sequence of str
    month_first : bool, optional
        For dates with the year last. By default dots mean day.month.year, and otherwise the dates
        themselves must show it.

    Raises
    ------
    InvalidInput
        If there is no date, or it could be read two ways.
    """
    series = pd.Series(texts, dtype=object).astype(str).str.strip().str.strip('"')
    first = next((t for t in series if looks_like(t)), None)
    if first is not None and numbered(first) != first:
        series = series.map(numbered)
        first = numbered(first)
    if first is None:
        raise InvalidInput(f"{str(next(iter(texts), ''))[:40]!r} is no date with a time")
    match = _YEAR_FIRST.fullmatch(first)
    if match is None:
        match = _YEAR_LAST.fullmatch(first)
        assert match is not None
        series, zone = _year_first(series, match[2], month_first), ""
    else:
        series = series.str.replace(
            rf"^(\d{{4}}){re.escape(match[2])}(\d+){re.escape(match[2])}", r"\1-\2-", regex=True
        )
        zone = {"Z": "UTC", None: ""}.get(match[9], match[9])
    if "." in match[5]:  # hh.mm.ss
        series = series.str.replace(
            r"([T ])(\d{1,2})\.(\d\d)(?:\.(\d\d))?",
            lambda m: f"{m[1]}{m[2]:0>2}:{m[3]}:{m[4] or '00'}",
            regex=True,
        )
    moments: Any = pd.to_datetime(
        series.str.replace(",", ".", regex=False), format=_format(match), errors="coerce", utc=True
    )
    values = moments.dt.tz_localize(None).to_numpy("M8[us]")
    valid = values[~np.isnat(values)]
    if not len(valid):
        raise InvalidInput(f"{first!r} is no date")
    step = 1.0 if match[6] else 60.0
    seconds = (values - valid[0]) / np.timedelta64(1, "s")
    return Dates(seconds, valid[0], zone, 10.0 ** (1 - len(match[7])) if match[7] else step)


def _format(match: re.Match[str]) -> str:
    """Format of the time for pandas; ISO 8601 where it is one."""
    return "mixed" if match[8] else "ISO8601"


def _year_first(series: Any, sign: str, month_first: bool | None) -> Any:
    """Write dates with the year last as ISO 8601 does."""
    parts = series.str.extract(
        rf"^(\d\d?){re.escape(sign)}(\d\d?){re.escape(sign)}(\d+),?[T ]+(.*)$"
    )
    a, b, year = (pd.to_numeric(parts[i], errors="coerce") for i in range(3))
    if month_first is None:
        if sign == "." or (a > 12).any():
            month_first = False
        elif (b > 12).any():
            month_first = True
        else:
            raise InvalidInput(
                f"{series.iloc[0][:40]!r} can be read as two dates: write it as 2025-03-04 09:41:07"
            )
    month, day = (a, b) if month_first else (b, a)
    year = year.where(year > 99, year + 2000)
    text = [t.map("{:02.0f}".format, na_action="ignore") for t in (month, day)]
    years = year.map("{:04.0f}".format, na_action="ignore")
    return years.str.cat([text[0], text[1]], sep="-").str.cat(parts[3], sep=" ").fillna("")
