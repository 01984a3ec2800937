"""The text of a file of decisions: read with its mistakes named, and changed only where asked.

A person may edit the file. What is written by a program is added at the end, or replaces one list
of curves; comments, order and everything else stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

from nrm_plugin.columns import IntArray
from nrm_plugin.curve_origins import NamedOrigin
from nrm_plugin.curve_runs import runs_of, runs_text
from nrm_plugin.errors import InvalidInput, RecipeError
from nrm_plugin.statements import comments, read_toml, statements
from nrm_plugin.text import commented, quoted
from nrm_plugin.units import quantity
from nrm_plugin.vocabulary import nearest

FORMAT = "nrm decisions"
VERSION = 1

#: Bytes. A decision about each of 65536 curves, one by one in a list, has a tenth of it.
LIMIT = 1 << 22
LONGEST_REASON = 2000

KINDS = ("exclude", "accept", "contact")
DIRECTIONS = ("approach", "retract")
LENGTHS = ("height", "stderr", "old_height", "old_stderr")

_KEYS = ("decision", "origin", "curves", "reason", "time", "visible", "direction", *LENGTHS)
_TOP = ("format", "results", "origin", "decision")
#: Numbers and ranges in one piece of a list; pieces on one line.
_IN_PIECE, _IN_LINE = 16, 12
#: Mistakes that one error names.
_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class DecisionEntry:
    """One decision as it stands in the file.

    Attributes
    ----------
    decision : str
        exclude, accept or contact.
    origin : str
        Name of the file that the curves are of; empty where it does not say.
    runs : (n, 2) array of int
        First and last number of each run of curves, as counted in that file; sorted and apart.
    reason : str
    time : datetime or None
    visible : tuple of str or None
        What could be seen; empty in blind mode, None where it is not said.
    direction : str
    height, stderr, old_height, old_stderr : float
        Of a contact by hand, and of the contact before (m); nan where they are not said.
    line : int
        Where it stands.
    """

    decision: str
    origin: str
    runs: IntArray
    reason: str = ""
    time: datetime | None = None
    visible: tuple[str, ...] | None = None
    direction: str = "approach"
    height: float = np.nan
    stderr: float = np.nan
    old_height: float = np.nan
    old_stderr: float = np.nan
    line: int = 0


def parse(text: str, name: str) -> tuple[list[NamedOrigin], list[DecisionEntry]]:
    """Read the text of a file of decisions.

    Raises
    ------
    RecipeError
        It names each mistake with its line.
    """
    tree = read_toml(text, name, "these are no decisions", RecipeError)
    reader = _TableReader(text)
    for key in tree:
        if key not in _TOP:
            reader.wrong(f"{key[:80]!r} is not known.{nearest(key, _TOP)}", key, 0)
    said = tree.get("format", f"{FORMAT} {VERSION}")
    if said != f"{FORMAT} {VERSION}":
        reader.wrong(f"format is {said!r:.80}, known is '{FORMAT} {VERSION}'", "format", 0)
    origins = [reader.origin(*item) for item in reader.tables(tree, "origin")]
    entries = [reader.entry(*item) for item in reader.tables(tree, "decision")]
    if reader.mistakes:
        named = [f"{name}, line {line}: {what}" for line, what in sorted(reader.mistakes)]
        if len(named) > _NAMED:
            named[_NAMED:] = [f"{name}: {len(named) - _NAMED} more mistakes"]
        raise RecipeError("\n".join(named))
    return origins, entries


class _TableReader:
    """Checks tables one by one and collects the mistakes."""

    def __init__(self, text: str) -> None:
        self.mistakes: list[tuple[int, str]] = []
        self._lines: dict[str, list[int]] = {}
        for number, line in enumerate(text.split("\n"), 1):
            header = re.match(r"\s*\[\[\s*[\"']?(origin|decision)[\"']?\s*\]\]", line)
            if header:
                self._lines.setdefault(header[1], []).append(number)

    def line(self, section: str, number: int) -> int:
        """Line of the header of a table."""
        lines = self._lines.get(section, [])
        return lines[number] if number < len(lines) else 1

    def wrong(self, what: str, section: str, number: int) -> None:
        """Note a mistake."""
        self.mistakes.append((self.line(section, number), what))

    def tables(self, tree: Mapping[str, Any], section: str) -> list[tuple[dict[str, Any], int]]:
        """Tables of a section that is written ``[[section]]``, with their numbers."""
        found = tree.get(section, [])
        if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
            self.wrong(f"there may be several: write [[{section}]]", section, 0)
            return []
        return [(table, number) for number, table in enumerate(found)]

    def text(self, table: Mapping[str, Any], key: str, section: str, number: int) -> str:
        """Text under a key, or an empty one."""
        value = table.get(key, "")
        if isinstance(value, str):
            return value
        self.wrong(f"{key} is a text in quotes", section, number)
        return ""

    def origin(self, table: dict[str, Any], number: int) -> NamedOrigin:
        """Read an origin."""
        for key in table.keys() - {"name", "sha256"}:
            self.wrong(
                f"{key[:80]!r} is not known.{nearest(key, ('name', 'sha256'))}", "origin", number
            )
        name, sha256 = (self.text(table, key, "origin", number) for key in ("name", "sha256"))
        return NamedOrigin(name, sha256.lower())

    def entry(self, table: dict[str, Any], number: int) -> DecisionEntry:
        """Read a decision."""

        def wrong(what: str) -> None:
            self.wrong(what, "decision", number)

        for key in table:
            if key not in _KEYS:
                wrong(f"{key[:80]!r} is not known.{nearest(key, _KEYS)}")
        kind, origin, reason = (
            self.text(table, key, "decision", number) for key in ("decision", "origin", "reason")
        )
        direction = self.text(table, "direction", "decision", number) or "approach"
        if kind not in KINDS:
            wrong(f"decision is {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {kind[:80]!r}")
        if direction not in DIRECTIONS:
            wrong(f"direction is approach or retract, not {direction[:80]!r}")
        lengths = {}
        for key in LENGTHS:
            if key in table:
                try:
                    lengths[key] = _length(table[key], key)
                except InvalidInput as error:
                    wrong(f"{key}: {error}")
        if (kind == "contact") != ("height" in table):
            wrong('a contact has a height, and no other decision has: height = "123.4 nm"')
        visible = table.get("visible")
        if visible is not None and not (
            isinstance(visible, list) and all(isinstance(v, str) for v in visible)
        ):
            wrong('visible is a list of texts, as in ["moduli", "potential"]; [] is blind')
            visible = None
        runs = np.empty((0, 2), np.int64)
        time = None
        try:
            runs = runs_of(table.get("curves", []))
            time = _time(table.get("time"))
        except InvalidInput as error:
            wrong(str(error))
        return DecisionEntry(
            decision=kind,
            origin=origin,
            runs=runs,
            reason=reason[:LONGEST_REASON],
            time=time,
            visible=None if visible is None else tuple(v[:80] for v in visible[:20]),
            direction=direction,
            line=self.line("decision", number),
            **lengths,
        )


def _length(value: object, key: str) -> float:
    if not isinstance(value, str) or len(value) > 100:
        raise InvalidInput("a length is written with its unit, as '123.4 nm'")
    number = quantity(value, "m", "nm")
    if not abs(number) < 1.0 or (key.endswith("stderr") and number < 0):
        raise InvalidInput(f"{value!r} is no length that a curve has")
    return number


def _time(value: object) -> datetime | None:
    """Return a time with its zone; one without is of this computer's zone."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        if isinstance(value, datetime):
            return value.astimezone()
    except (ValueError, OverflowError, OSError):
        pass
    raise InvalidInput("time is written 2026-11-29T10:00:00+01:00, without quotes")


def curves_line(runs: IntArray) -> str:
    """Return the statement ``curves = [...]``; long lists are texts of several numbers each."""
    words = runs_text(runs)
    if len(words) <= _IN_PIECE:
        return f"curves = [{', '.join(w if '-' not in w else quoted(w) for w in words)}]"
    pieces = [quoted(", ".join(words[i : i + _IN_LINE])) for i in range(0, len(words), _IN_LINE)]
    return "curves = [\n" + "".join(f"    {piece},\n" for piece in pieces) + "]"


def length_text(value: float) -> str:
    """Return a length (m) in nanometres, so that reading it gives the same number."""
    for digits in (12, 15, 17):
        text = f"{value * 1e9:.{digits}g} nm"
        if quantity(text, "m") == value:
            return text
    return f"{value!r} m"


def new_text(results: str) -> str:
    """Return the text of a file without decisions."""
    return (
        f"# What was decided by hand about the curves of {commented(results)}.\n"
        '# Curves are numbered from 0 as in the file that they came from; "20-40" is a range.\n'
        f"format = {quoted(f'{FORMAT} {VERSION}')}\nresults = {quoted(results)}\n"
    )


def with_origin(text: str, origin: NamedOrigin) -> str:
    """Return the text with an origin added."""
    return (
        f"{text.rstrip()}\n\n[[origin]]\n"
        f"name = {quoted(origin.name)}\nsha256 = {quoted(origin.sha256)}\n"
    )


def with_entry(text: str, entry: DecisionEntry) -> str:
    """Return the text with a decision added at its end."""
    lines = [f"[[decision]]\ndecision = {quoted(entry.decision)}"]
    if entry.origin:
        lines.append(f"origin = {quoted(entry.origin)}")
    lines.append(curves_line(entry.runs))
    if entry.decision == "contact":
        lines.append(f"direction = {quoted(entry.direction)}")
        values = ((key, getattr(entry, key)) for key in LENGTHS)
        lines += [f"{k} = {quoted(length_text(v))}" for k, v in values if np.isfinite(v)]
    if entry.reason:
        lines.append(f"reason = {quoted(entry.reason[:LONGEST_REASON])}")
    if entry.time is not None:
        lines.append(f"time = {entry.time.isoformat(timespec='seconds')}")
    if entry.visible is not None:
        lines.append(f"visible = [{', '.join(quoted(v) for v in entry.visible)}]")
    return f"{text.rstrip()}\n\n" + "\n".join(lines) + "\n"


def with_runs(text: str, changed: Mapping[int, IntArray], n_entries: int) -> str:
    """Return the text with other curves in some decisions; one without curves is taken out.

    Parameters
    ----------
    text : str
    changed : mapping of int to (n, 2) array
        By the number of the decision in the file.
    n_entries : int

    Raises
    ------
    InvalidInput
        If the decisions are not written as [[decision]].
    """
    rows = text.split("\n")
    blocks = _blocks(text)
    if len(blocks) != n_entries:
        raise InvalidInput(
            "the decisions in the file are not written as [[decision]], so that nothing can be "
            "taken out of them: write them so, or edit the file"
        )
    for number in sorted(changed, reverse=True):
        (first, last), curves = blocks[number]
        if not len(changed[number]):
            kept = comments("\n".join(rows[first - 1 : last]))
            rows[first - 1 : last] = kept
        elif curves is not None:
            first, last = curves
            kept = comments("\n".join(rows[first - 1 : last]))
            behind = f"  {' '.join(kept)}" if kept else ""
            rows[first - 1 : last] = f"{curves_line(changed[number])}{behind}".split("\n")
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(rows))


_Lines = tuple[int, int]


def _blocks(text: str) -> list[tuple[_Lines, _Lines | None]]:
    """Lines of each decision, and those of its curves."""
    blocks: list[tuple[_Lines, _Lines | None]] = []
    inside = False
    for statement in statements(text):
        if statement.header:
            inside = statement.path == ("decision",)
            if inside:
                blocks.append(((statement.first, statement.last), None))
        elif inside:
            (first, _), curves = blocks[-1]
            if statement.path == ("decision", "curves"):
                curves = (statement.first, statement.last)
            blocks[-1] = ((first, statement.last), curves)
    return blocks
