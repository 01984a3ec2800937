"""Gamry Framework's .DTA files: settings, and a table of text for each curve.

A table is a line ``CURVE1 TABLE``, a line of titles, one of units, and a line for each point, all
of which begin with a tab. Times of the numbered curves go on from one to the next; those of the
open-circuit record before them stand for themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nrm_importers.potentiostat import dates
from nrm_importers.potentiostat.cells import read_cells
from nrm_importers.potentiostat.titles import complete, roles, title
from nrm_plugin.columns import FloatArray
from nrm_plugin.delimited import load
from nrm_plugin.errors import CorruptFile, InvalidInput
from nrm_plugin.potential import Log

_TABLE = re.compile(r"(\w+)\tTABLE(?:\t(\d+))?\s*")
_OPEN_CIRCUIT = "OCVCURVE"

#: So many samples from 0 s, at most, the times of a table begin that begins anew.
_NEAR = 2.0


@dataclass(frozen=True, kw_only=True)
class GamryCurve:
    """A table: its name, how many points it announces, and its numbers."""

    name: str
    announced: int | None
    time: FloatArray
    potential: FloatArray
    current: FloatArray
    charge: FloatArray
    drop: FloatArray

    @property
    def open_circuit(self) -> bool:
        """Whether it is the record of the open circuit before the numbered curves."""
        return self.name == _OPEN_CIRCUIT

    @property
    def main(self) -> bool:
        """Whether it is what the experiment recorded, and not an auxiliary table."""
        return re.fullmatch(r"CURVE\d*", self.name) is not None


def read(path: Path) -> Log:
    """Read all tables with a potential over time.

    Raises
    ------
    CorruptFile, InvalidInput
    """
    data, encoding = load(path)
    lines = data.decode(encoding, "replace").split("\n")
    curves = _curves(path, lines, encoding)
    if not curves:
        raise InvalidInput(
            f"{path}: there is nothing to read in it: no table with points of T and Vf"
        )
    curves, others = _of_the_measurement(curves)
    notes = [f"the table {c.name} is left out: it is no part of the measurement" for c in others]
    notes += [
        f"{c.name} announces {c.announced} points, and has {len(c.time)}"
        for c in curves
        if c.announced is not None and c.announced > len(c.time)
    ]
    settings = {parts[0]: parts[2:] for line in lines if len(parts := line.strip().split("\t")) > 2}
    start, step, doubt = _start(settings)
    lead = _lead(settings, curves)
    if lead.seconds and start is not None:
        notes.append(
            f"the curve is taken to begin {lead.seconds:g} s after the file's date ({lead.words})"
        )
    times, again = _on_one_axis(path, curves, lead.seconds)
    if again:
        notes.append(
            f"the times of {', '.join(again)[:200]} begin again: the tables are put one behind the "
            "other; a pause between them is not told, and would make their potentials too early"
        )
    drop = _beside([c.drop for c in curves])
    if drop is not None and not np.nan_to_num(drop).any():
        drop = None  # no ohmic drop was measured
    if drop is not None:
        notes.append(
            f"its column Vu, the uncompensated voltage, reaches {np.nanmax(np.abs(drop)):.3g} V: "
            "an ohmic drop was measured beside the potential, which is taken as it stands"
        )
    cycles = [np.full(len(c.time), _number(c)) for c in curves]
    counted = len({c.name for c in curves if not c.open_circuit}) > 1
    return Log(
        np.concatenate(times),
        np.concatenate([c.potential for c in curves]),
        np.concatenate([c.current for c in curves]),
        np.concatenate(cycles) if counted else None,
        start,
        start_uncertainty=step,
        charge=_beside([c.charge for c in curves]),
        ohmic_drop=drop,
        sweep_rate=_sweep_rate(settings),
        notes=(*notes, *doubt),
    )


def _beside(values: list[FloatArray]) -> FloatArray | None:
    """What was recorded beside the potential; None where no table has it."""
    joined = np.concatenate(values)
    return joined if np.isfinite(joined).any() else None


def _sweep_rate(settings: dict[str, list[str]]) -> float | None:
    """Scan rate in V/s, from a setting whose label says that it is in mV/s."""
    cells = settings.get("SCANRATE", [])
    rate = _float(cells[:1])
    return 1e-3 * rate if rate and any("mV/s" in label for label in cells[1:]) else None


def _curves(path: Path, lines: list[str], encoding: str) -> list[GamryCurve]:
    curves = []
    for number, line in enumerate(lines):
        match = _TABLE.fullmatch(line)
        if match is None:
            continue
        end = number + 1
        while end < len(lines) and lines[end][:1] in ("\t", " "):
            end += 1
        if end == len(lines) and end - number > 4:
            end -= 1  # no line break follows: the last line may be cut
        curve = _curve(path, match, lines[number + 1 : end], encoding)
        if curve is not None:
            curves.append(curve)
    return curves


def _curve(path: Path, match: re.Match[str], lines: list[str], encoding: str) -> GamryCurve | None:
    """Read a table; None if it has no potential over time, or no points."""
    if len(lines) < 3:
        return None
    names, units = lines[0].strip().split("\t"), lines[1].strip().split("\t")
    titles = roles([title(n, u) for n, u in zip(names, units, strict=False)])
    if not complete(titles) or "time" not in titles:
        return None
    body = "\n".join(line.strip() for line in lines[2:]).encode(encoding, "replace")
    cells = read_cells(path, body, "\t", titles, len(names), encoding)
    columns = {
        role: cells[role].numbers * titles[role].factor(role)
        for role in ("time", "potential", "current", "charge", "drop")
        if role in cells and (role in ("time", "potential", "current") or titles[role].fits(role))
    }
    finite = np.isfinite(columns["time"]) & np.isfinite(columns["potential"])
    lost = int((~finite).sum())
    if lost == len(finite):
        return None
    if lost > 3:
        raise CorruptFile(
            path, None, f"{len(finite)} points in {match[1]}", f"{len(finite) - lost}"
        )
    beside = {
        role: columns.get(role, np.full(len(finite), np.nan))[finite]
        for role in ("current", "charge", "drop")
    }
    return GamryCurve(
        name=match[1],
        announced=int(match[2]) if match[2] and len(match[2]) < 10 else None,
        time=columns["time"][finite],
        potential=columns["potential"][finite],
        **beside,
    )


def _of_the_measurement(curves: list[GamryCurve]) -> tuple[list[GamryCurve], list[GamryCurve]]:
    """The open circuit and the numbered curves; and tables beside them, such as FRACURVE."""
    if not any(c.main for c in curves):
        return curves, []
    return [c for c in curves if c.main or c.open_circuit], [
        c for c in curves if not (c.main or c.open_circuit)
    ]


def _number(curve: GamryCurve) -> int:
    """Number of a cycle from the table's name; -1 for the open circuit before."""
    match = re.search(r"(\d+)$", curve.name)
    return -1 if curve.open_circuit or match is None else min(int(match[1][:9]), 10**9)


def _on_one_axis(
    path: Path, curves: list[GamryCurve], lead: float
) -> tuple[list[FloatArray], list[str]]:
    """Times since the file's date: open circuit ends where the curves begin.

    A numbered curve whose times begin again follows a sample's time behind the one before.

    Returns
    -------
    list of array, list of str
        The times, and the curves that begin again.

    Raises
    ------
    InvalidInput
        If the times of one curve begin before the last one's end, and not anew.
    """
    out: list[FloatArray] = []
    again: list[str] = []
    last, shift, step = -np.inf, lead, 0.0
    for curve in curves:
        if curve.open_circuit:
            time = curve.time + (lead - curve.time[-1])
        else:
            if len(curve.time) > 1:
                step = float(np.median(np.diff(curve.time)))
            if curve.time[0] + shift < last:
                if not 0.0 <= curve.time[0] <= _NEAR * step:
                    raise InvalidInput(
                        f"{path}: the times of {curve.name} begin at {curve.time[0]:g} s, before "
                        "those of the table above it end"
                    )
                again.append(curve.name)
                shift = last + step - curve.time[0]
            time = curve.time + shift
        last = float(time[-1])
        out.append(time)
    return out, again


@dataclass(frozen=True)
class _Lead:
    """How long after the file's date the first curve begins, and why."""

    seconds: float
    words: str


def _lead(settings: dict[str, list[str]], curves: list[GamryCurve]) -> _Lead:
    """Add up what comes before the first curve."""
    parts: list[tuple[str, float]] = []
    conditioning = settings.get("CONDIT", [])
    if conditioning[:1] == ["T"]:
        parts.append(("conditioning", _float(conditioning[1:2])))
    parts.append(("open circuit", sum(float(c.time[-1]) for c in curves if c.open_circuit)))
    parts.append(("equilibration", _float(settings.get("EQDELAY", [])[:1])))
    parts = [(name, seconds) for name, seconds in parts if seconds > 0]
    words = ", ".join(f"{name} {seconds:g} s" for name, seconds in parts)
    return _Lead(sum(seconds for _, seconds in parts), words)


def _float(cells: list[str]) -> float:
    """Setting as a number; 0 where there is none that makes sense."""
    try:
        value = float(cells[0].replace(",", "."))
    except (IndexError, ValueError):
        return 0.0
    return value if 0.0 <= value < 1e7 else 0.0


def _start(settings: dict[str, list[str]]) -> tuple[np.datetime64 | None, float, list[str]]:
    """Date and time of the file, to what they are rounded, and doubts about them."""
    day, time = (settings.get(name, [""])[0].strip() for name in ("DATE", "TIME"))
    text = f"{day} {time}"
    if not dates.looks_like(text):
        return None, 0.0, ["the file has no date and time that can be read"]
    try:
        date = dates.parse([text])
    except InvalidInput:  # 3/4/2025: the program writes what Windows is set to
        try:
            date = dates.parse([text], month_first=True)
        except InvalidInput:
            return None, 0.0, [f"its date {day[:40]!r} is no date: it says no start"]
        a, b = re.split(r"[/-]", day)[:2]
        same = int(a) == int(b)
        doubt = [] if same else [f"its date {day} is taken as month/day/year"]
        return date.start, date.step, doubt
    return date.start, date.step, []
