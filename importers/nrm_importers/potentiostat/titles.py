"""What the columns of a table are, by their titles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nrm_plugin import units
from nrm_plugin.errors import InvalidInput

Role = Literal[
    "time",
    "step time",
    "date",
    "potential",
    "current",
    "charge",
    "cycle",
    "counter",
    "difference",
    "drop",
]

#: Titles without signs, in lower case. A date is a moment, a time may be either; a step's time
#: begins again with each step of a method. Counter and difference (EC-Lab's Ece and Ewe-Ece)
#: tell whether the potential beside them is one; drop is Gamry's uncompensated voltage.
_NAMES: dict[Role, str] = {
    "time": "time|t|elapsed time|time elapsed|corrected time|test time|total time|run time|"
    "experiment time|test|time of day|zeit|uhrzeit|testzeit|versuchszeit|prüfzeit|gesamtzeit|"
    "zeit gesamt|laufzeit|"
    "temps|temps écoulé|temps total|temps de test|durée|heure",
    "step time": "step time|relative time|schrittzeit|zeit schritt|temps du pas|temps partiel",
    "date": "date|datetime|date time|date and time|timestamp|time stamp|absolute time|abs time|"
    "real time|realtime|system time|sys time|systime|dpt time|unix time|unix timestamp|epoch|"
    "datum|datum zeit|datum uhrzeit|zeitstempel|date heure|date et heure|horodatage",
    "potential": "e|ewe|vf|vdc|u|v|vol|volt|volts|potential|voltage|electrode potential|"
    "working electrode potential|we potential|we 1 potential|spannung|elektrodenpotential|"
    "zellspannung|tension|potentiel|potentiel électrode|ecell|cell voltage|cell potential",
    "current": "i|i1|im|idc|cur|amps|current|cell current|we current|we 1 current|strom|courant",
    "charge": "q|charge|q qo|ladung",
    "cycle": "cycle|cycle number|cyclenumber|cycle no|cycle index|cycle id|cyc|scan|zyklus|"
    "zyklusnummer|zyklus nr|numéro de cycle",
    "counter": "ece",
    "difference": "ewe ece",
    "drop": "vu",
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names.split("|")}

#: Taken only where there is none of the others.
_SECOND = ("ecell", "cell voltage", "cell potential", "zellspannung")

#: Where a table has several times, these run on while the others begin again with each step.
_TOTAL = (
    *("total time", "test time", "elapsed time", "time elapsed", "run time", "experiment time"),
    *("testzeit", "gesamtzeit", "zeit gesamt", "temps total", "temps de test"),
)

#: Titles that are their own units.
_IMPLIED = {"volts": "V", "amps": "A"}

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
    "sekunden": 1.0,
    "sek": 1.0,
    "secondes": 1.0,
    "minuten": 60.0,
    "std": 3600.0,
    "stunden": 3600.0,
    "heures": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
}

#: Charge in C, by the unit without dots and in letters as they are.
_CHARGE = {
    **{p + "C": f for p, f in (("", 1.0), ("m", 1e-3), ("u", 1e-6), ("µ", 1e-6))},
    **{p + "Ah": 3600.0 * f for p, f in (("", 1.0), ("m", 1e-3), ("u", 1e-6), ("µ", 1e-6))},
}

#: Words behind "vs." that name no electrode.
_AGAINST = re.compile(r"\b(?:vs|against|gegen)\b\.?\s*(\S.*)", re.I)

_BRACKETS = re.compile(r"(.*?)\s*[(\[]((?:[^()\[\]]|\([^()]*\))*)[)\]]\s*(?:vs\b.*)?")
_INSIDE = re.compile(r"<([^<>/]+)/([^<>]+)>")  # <Ewe/V>, as EC-Lab 11.50 and later write means
_SLASH = re.compile(r"([^/]+?)\s*/\s*(.+)")
_OTHER = re.compile(r"(.+?)(?:,\s*|_)(\S+)")


@dataclass(frozen=True)
class Title:
    """Name and unit of a column, its place in the table, and what a potential is against."""

    name: str
    unit: str
    column: int = -1
    against: str = ""

    def factor(self, role: Role) -> float:
        """Return the number that values are multiplied by to be in s, V or A.

        Raises
        ------
        InvalidInput
            If the unit is missing, or another.
        """
        usual = usual_unit(role)
        if not self.unit:
            option = "" if role == "date" else f" (--log-unit {role.split()[-1]}={usual})"
            raise InvalidInput(
                f"{self.name} has no unit: call it '{self.name} ({usual})', or say it{option}"
            )
        if usual == "C":
            factor = _CHARGE.get(re.sub(r"[.·*\s]", "", self.unit))
        elif usual == "s":
            factor = _SECONDS.get(self.unit.lower().rstrip("."))
        else:
            si = units.si(self.unit)
            factor = si[0] if si is not None and si[1] == usual else None
        if factor is None:
            raise InvalidInput(f"{self.name} is in {self.unit[:40]!r}, and must be in {usual}")
        return factor

    def fits(self, role: Role) -> bool:
        """Whether the unit is one of such a column."""
        try:
            self.factor(role)
        except InvalidInput:
            return False
        return True


def usual_unit(role: str) -> str:
    """SI unit of a column; empty for cycles."""
    kinds = {"cycle": "", "current": "A", "charge": "C", "time": "s", "step time": "s", "date": "s"}
    return kinds.get(role, "V")


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
        return Title(cell, _plain(unit), against=_against(unit))
    return replace(_split(cell), against=_against(cell))


def _against(text: str) -> str:
    """What stands behind *vs.*, without a bracket that was opened before it."""
    match = _AGAINST.search(text)
    if match is None:
        return ""
    name = match[1].strip().strip('"').strip()
    for opened, closed in ("()", "[]"):
        if name.endswith(closed) and name.count(closed) > name.count(opened):
            name = name[:-1].strip()
    return name


def _split(cell: str) -> Title:
    """Name and unit of a title that holds both."""
    inner = _INSIDE.fullmatch(cell)
    if inner is not None:
        return Title(inner[1], _plain(inner[2]))
    for pattern in (_BRACKETS, _SLASH, _OTHER):
        match = pattern.fullmatch(cell)
        if match is None or not match[1]:
            continue
        name, inside = match[1], _plain(match[2])
        known = inside.lower().rstrip(".") in _SECONDS or re.sub(r"[.·]", "", inside) in _CHARGE
        if known or units.si(inside) or pattern is _BRACKETS:
            return Title(name, inside)
    return Title(cell, "")


def _plain(unit: str) -> str:
    """Unit without what it is measured against: ``V vs. Ref.``."""
    return re.split(r"\s+(?:vs|against)\b", unit.strip().strip('"'), maxsplit=1)[0].strip()


def roles(titles: Sequence[Title]) -> dict[Role, Title]:
    """Columns by what they hold; of several that could be the same, the first.

    A time that runs on goes before one that may begin again.
    """
    columns: dict[Role, Title] = {}
    second: dict[Role, Title] = {}
    total: dict[Role, Title] = {}
    for number, one in enumerate(titles):
        apart = re.sub(r"(?<=[a-zµ])(?=[A-Z][a-z])", " ", one.name)  # TestTime
        name = " ".join(re.sub(r"[\W_]+", " ", apart.lower()).split())
        role = _ROLES.get(name)
        if role is None:
            continue
        here = second if name in _SECOND else total if name in _TOTAL else columns
        unit = one.unit or _IMPLIED.get(name, "")
        here.setdefault(role, replace(one, unit=unit, column=number))
    return {**second, **columns, **total}


def complete(columns: dict[Role, Title]) -> bool:
    """Whether there is a potential over time."""
    return "potential" in columns and bool(columns.keys() & {"time", "step time", "date"})
