"""What the lines above a potentiostat's table say: reference electrode, sweep rate, ohmic drop.

A setting that is not there, or that has several values, is left out: nothing is assumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

#: EC-Lab's settings: a name of up to 20 characters, and a cell of 20 for each step.
_CELL = 20

_REFERENCE = re.compile(r"\W*reference(?: electrode)?\s*[:=]\s*(.+)", re.I)
_KNOWN_POTENTIAL = re.compile(r"\s*\([-+]?\d+[.,]\d+ V\)$")  # EC-Lab's own, against hydrogen
_RATE = re.compile(r"(?:scan|sweep)\s*rate|vorschub|vitesse de balayage", re.I)
_RATE_VALUE = re.compile(
    r"[^\d\n]*?(?:(?P<before>m?V/s)[^\d\n]*?)?"
    r"(?P<value>\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?)\s*(?P<after>m?V/s)?"
)
_RESISTANCE = re.compile(
    r"(?:\bRu\b|(?:uncompensated|solution|ohmic) resistance|\biR.?comp\w*)[^\d\n]*?"
    r"(?P<before>ohms?\b|Ω)?[^\d\n]*?(?P<value>\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?)\s*"
    r"(?P<after>ohms?\b|Ω)?",
    re.I,
)

#: What programs write where nobody said which electrode.
_UNSAID = ("", "(unspecified)", "unspecified", "none", "<none>", "-", "re", "ref", "reference")


def reference(text: str) -> str:
    """Name of a reference electrode without what a program adds; empty where it is none."""
    name = _KNOWN_POTENTIAL.sub("", text.strip().strip('"')).strip()
    return "" if name.lower().rstrip(".") in _UNSAID else name[:80]


def said_of(lines: Sequence[str]) -> dict[str, Any]:
    """Fields of `Log` that lines of any program's export say."""
    names = {reference(m[1]) for line in lines if (m := _REFERENCE.fullmatch(line.strip()))}
    rates = [rate for line in lines if (rate := sweep_rate(line)) is not None]
    return _single(reference=names - {""}, sweep_rate=rates, ohmic_resistance=_resistances(lines))


def sweep_rate(line: str) -> float | None:
    """Rate in V/s from a line such as ``Scan Rate (V/s) = 0.1``."""
    named = _RATE.search(line)
    match = _RATE_VALUE.match(line, named.end()) if named else None
    if match is None:
        return None
    unit = match["before"] or match["after"]
    rate = _number(match["value"])
    return None if unit is None or not rate > 0 else rate * (1e-3 if unit == "mV/s" else 1.0)


def names_a_rate(line: str) -> bool:
    """Whether a line speaks of the rate of a sweep."""
    return _RATE.search(line) is not None


def of_eclab(lines: Sequence[str]) -> dict[str, Any]:
    """Fields of `Log` that the header of an EC-Lab export says."""
    cells: dict[str, list[str]] = {}
    for line in lines:
        row = [line[i : i + _CELL].strip() for i in range(0, len(line.rstrip()), _CELL)]
        if len(row) > 1:
            cells.setdefault(row[0], row[1:])
    names = {reference(m[1]) for line in lines if (m := _REFERENCE.fullmatch(line.strip()))}
    return _single(
        reference=names - {""},
        sweep_rate=_values(cells, "dE/dt", "dE/dt unit", {"mV/s": 1e-3, "V/s": 1.0}),
        ohmic_resistance=_values(cells, "Ru", "unit Ru", {"Ohm": 1.0, "kOhm": 1e3, "mOhm": 1e-3}),
        ohmic_compensation=[1e-2 * _number(t) for t in cells.get("comp. level (%)", []) if t],
    )


def _values(
    cells: dict[str, list[str]], name: str, unit: str, factors: dict[str, float]
) -> list[float]:
    """Values of a setting in SI; none where a unit is not known."""
    pairs = list(zip(cells.get(name, []), cells.get(unit, []), strict=False))
    known = [(t, u) for t, u in pairs if t]
    if any(u not in factors for _, u in known):
        return []
    return [_number(t) * factors[u] for t, u in known]


def _resistances(lines: Iterable[str]) -> list[float]:
    matches = (_RESISTANCE.search(line) for line in lines)
    return [_number(m["value"]) for m in matches if m and (m["before"] or m["after"])]


def _single(**found: Iterable[Any]) -> dict[str, Any]:
    """Settings with one value; several, or one that is no number, say nothing."""
    values = {name: set(one) for name, one in found.items()}
    return {k: v.pop() for k, v in values.items() if len(v) == 1 and float("nan") not in v}


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return float("nan")
