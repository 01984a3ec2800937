"""What the columns of a table are, by their titles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nrm_plugin import units
from nrm_plugin.errors import InvalidInput

Role = Literal["time", "date", "potential", "current", "cycle"]

#: Titles without signs, in lower case. A date is a moment, a time may be either.
_NAMES: dict[Role, tuple[str, ...]] = {
    "time": (
        "time",
        "t",
        "elapsed time",
        "time elapsed",
        "corrected time",
        "test time",
        "total time",
        "experiment time",
    ),
    "date": (
        "date",
        "datetime",
        "date time",
        "date and time",
        "timestamp",
        "time stamp",
        "absolute time",
        "abs time",
        "unix time",
        "unix timestamp",
        "epoch",
    ),
    "potential": (
        "e",
        "ewe",
        "ecell",
        "vf",
        "vdc",
        "u",
        "v",
        "potential",
        "voltage",
        "electrode potential",
        "working electrode potential",
        "we potential",
        "we 1 potential",
        "cell voltage",
        "cell potential",
    ),
    "current": ("i", "im", "idc", "current", "cell current", "we current", "we 1 current"),
    "cycle": ("cycle", "cycle number", "cyclenumber", "cycle no", "cycle index", "scan"),
}

_SECONDS = {
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "secs": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
}

_BRACKETS = re.compile(r"(.*?)\s*[(\[]([^()\[\]]*)[)\]]\s*(?:vs\b.*)?")
_SLASH = re.compile(r"([^/]+?)\s*/\s*(.+)")
_OTHER = re.compile(r"(.+?)(?:,\s*|_)(\S+)")


@dataclass(frozen=True)
class Title:
    """Name and unit of a column, and its place in the table."""

    name: str
    unit: str
    column: int = -1

    def factor(self, role: Role) -> float:
        """Return the number that values are multiplied by to be in s, V or A.

        Raises
        ------
        InvalidInput
            If the unit is missing, or another.
        """
        usual = {"time": "s", "date": "s", "potential": "V", "current": "A"}.get(role, "")
        if not self.unit:
            raise InvalidInput(f"{self.name} has no unit: call it '{self.name} ({usual})'")
        if usual == "s":
            factor = _SECONDS.get(self.unit.lower())
        else:
            si = units.si(self.unit)
            factor = si[0] if si is not None and si[1] == usual else None
        if factor is None:
            raise InvalidInput(f"{self.name} is in {self.unit[:40]!r}, and must be in {usual}")
        return factor


def title(cell: str, unit: str | None = None) -> Title:
    """Split a title as ``E (V vs. Na/Na+)``, ``Ewe/V``, ``I, mA`` or ``time_s``.

    Parameters
    ----------
    cell : str
    unit : str, optional
        Where the table has it apart.
    """
    cell = cell.strip().strip('"').strip()
    if unit is not None:
        return Title(cell, _plain(unit))
    for pattern in (_BRACKETS, _SLASH, _OTHER):
        match = pattern.fullmatch(cell)
        if match is None or not match[1]:
            continue
        name, inside = match[1], _plain(match[2])
        if inside.lower() in _SECONDS or units.si(inside) or pattern is _BRACKETS:
            return Title(name, inside)
    return Title(cell, "")


def _plain(unit: str) -> str:
    """Unit without what it is measured against: ``V vs. Ref.``."""
    return re.split(r"\s+(?:vs|against)\b", unit.strip().strip('"'), maxsplit=1)[0].strip()


def roles(titles: Sequence[Title]) -> dict[Role, Title]:
    """Columns by what they hold; of several that could be the same, the first."""
    columns: dict[Role, Title] = {}
    for number, one in enumerate(titles):
        name = " ".join(re.sub(r"[\W_]+", " ", one.name.lower()).split())
        for role, names in _NAMES.items():
            if name in names and role not in columns:
                columns[role] = Title(one.name, one.unit, number)
    return columns


def complete(columns: dict[Role, Title]) -> bool:
    """Whether there is a potential over time."""
    return "potential" in columns and ("time" in columns or "date" in columns)
