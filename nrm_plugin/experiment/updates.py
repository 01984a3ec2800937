"""Writes calibrated values into an experiment file, and leaves the rest as it is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nrm_plugin.errors import InvalidInput, RecipeError
from nrm_plugin.experiment.schema import BY_KEY, Entry
from nrm_plugin.experiment.validation import UNKNOWN, check, load
from nrm_plugin.files import decode, replacing
from nrm_plugin.statements import Statement, statements
from nrm_plugin.text import commented, exact, rounded
from nrm_plugin.vocabulary import METADATA

if TYPE_CHECKING:
    from nrm_plugin.calibration import Estimate

#: Begins the comment behind a calibrated value, as it was before the method had a key of its own.
_MARK = "calibrated: "
_BEFORE = "before: "
_NEW = "# Experiment file, begun by a calibration. nrm experiment FILE lists what else is needed.\n"


def update(path: Path, estimates: Sequence[Estimate]) -> None:
    """Write calibrated values into a new or existing file, with what is kept beside them.

    That is the standard error, which may be ``"unknown"``, the method, the file of the measurement
    and its date, each under a key of its own. Comments, order and everything else in the file stay
    as they are. What stood there before is kept as a comment.

    Parameters
    ----------
    path : Path
    estimates : sequence of Estimate

    Raises
    ------
    RecipeError
        If the file that is there has a mistake.
    InvalidInput
        If a value is not believable.
    OutputError
        If the file cannot be written.
    """
    path = Path(path)
    text, encoding = _NEW, "utf-8"
    if path.exists():
        text, encoding = decode(load(path), path.name)
        check(text, path.name)
    dos = "\r\n" in text
    text = updated(text.replace("\r\n", "\n"), estimates, path.name)
    data = (text.replace("\n", "\r\n") if dos else text).encode(encoding)
    with replacing(path, overwrite=True) as part:
        part.write_bytes(data)


def updated(text: str, estimates: Sequence[Estimate], name: str) -> str:
    """Return the text of an experiment file with calibrated values in it."""
    for estimate in estimates:
        entry = BY_KEY.get(estimate.key)
        if entry is None:
            raise InvalidInput(f"an experiment file has no place for {estimate.key!r}")
        value = rounded(estimate.value, estimate.stderr)
        METADATA[estimate.key].check(estimate.key, value)
        above = _stands_above(text, entry)
        text = _set(text, KeyPlace.of(entry, above), _item(value, entry), note=True)
        behind = KeyPlace.of(entry, above)
        for what, item in _beside(estimate, entry).items():
            place = KeyPlace.of(BY_KEY[f"{estimate.key}_{what}"], above)
            text = _set(text, place, item, behind=behind)
            behind = place if item is not None else behind
    made = check(text, name)
    for estimate in estimates:
        value = rounded(estimate.value, estimate.stderr)
        if not math.isclose(float(made.metadata.get(estimate.key, math.nan)), value, rel_tol=1e-9):
            raise RecipeError(f"{name}: {BY_KEY[estimate.key].place} cannot be changed; see there")
    return text


class KeyPlace(NamedTuple):
    """Where a key stands: in a section, or above all under its metadata key (section empty)."""

    section: str
    name: str

    @classmethod
    def of(cls, entry: Entry, above: bool) -> KeyPlace:
        """Return the place of a key above all sections, or in its own."""
        return cls("", entry.key) if above else cls(entry.section, entry.name)

    @property
    def path(self) -> tuple[str, ...]:
        """As statements have it."""
        return (self.section, self.name) if self.section else (self.name,)


def _stands_above(text: str, entry: Entry) -> bool:
    """Whether a file has a key above all sections, or a line for it there, and none in its own."""
    found = list(statements(text))
    if any(s.path[:2] == (entry.section, entry.name) for s in found):
        return False
    top = next((s.first - 1 for s in found if s.header), text.count("\n") + 1)
    blank = _blank(text.split("\n"), entry.key, range(top), found)
    return blank is not None or any(s.path == (entry.key,) for s in found)


def _item(value: float, entry: Entry) -> str | float:
    unit = METADATA[entry.key].unit
    written = exact(value, unit)
    return written if unit else float(written)


def _beside(estimate: Estimate, entry: Entry) -> dict[str, str | float | None]:
    """What is kept beside a value, by the endings of the keys; None takes a key away."""
    if f"{estimate.key}_stderr" not in BY_KEY:
        return {}
    known = estimate.has_error
    error = _item(float(f"{estimate.stderr:.3g}"), entry) if known else UNKNOWN
    texts = {
        "method": commented(estimate.method),
        "file": commented(estimate.file),
        "date": commented(estimate.date),
    }
    return {"stderr": error, **{what: text or None for what, text in texts.items()}}


def _set(
    text: str,
    place: KeyPlace,
    value: str | float | None,
    *,
    note: bool = False,
    behind: KeyPlace | None = None,
) -> str:
    """Give a key a value, or take it away where there is none; note what stood there before."""
    import tomlkit
    from tomlkit.items import InlineTable

    if value is not None:
        text = _with_line(text, place, behind)
    document = tomlkit.parse(text)
    table: Any = document.get(place.section) if place.section else document
    if value is None:
        if table is not None:
            table.pop(place.name, None)
        return document.as_string()
    if table is None:
        table = document[place.section] = tomlkit.table()
    item = tomlkit.item(value)
    if note and not isinstance(table, InlineTable):
        before = _before(table.get(place.name), f"{place.name}_method" in table)
        if before:
            item.comment(_BEFORE + before)
    table[place.name] = item
    return document.as_string()


def _before(old: Any, calibrated: bool) -> str:
    """What stood there before a value was first calibrated."""
    if old is None or old == _PLACED:
        return ""
    comment = old.trivia.comment.lstrip("# ")
    if calibrated or comment.startswith(_MARK):
        return str(comment.partition(_BEFORE)[2])
    return commented(f"{old}, {comment}" if comment else str(old))


#: Stands for a value in a line that has just been made for it.
_PLACED = "to be calibrated"


def _with_line(text: str, place: KeyPlace, behind: KeyPlace | None) -> str:
    """Make a line for a key: in place of the template's, behind another, or in its section."""
    found = list(statements(text))
    if any(s.path[:2] == place.path for s in found):
        return text
    lines = text.split("\n")
    line = f'{place.name} = "{_PLACED}"'
    header = next((s for s in found if s.header and s.path == (place.section,)), None)
    if place.section and header is None:
        if any(s.path[0] == place.section for s in found):
            return text  # written in another form, which tomlkit knows
        above = [text.rstrip("\n"), ""] if text.strip() else []
        return "\n".join([*above, f"[{place.section}]", line, ""])
    first = 0 if header is None else header.first
    end = next((s.first - 1 for s in found if s.header and s.first > first), len(lines))
    at = next((s.last for s in found if behind and s.path == behind.path), None)
    if at is None:
        at = _blank(lines, place.name, range(first, end), found)
        if at is not None:
            lines[at] = line
            return "\n".join(lines)
        at = max((s.last for s in found if first <= s.first <= end), default=first)
    return "\n".join([*lines[:at], line, *lines[at:]])


def _blank(lines: list[str], name: str, where: range, found: list[Statement]) -> int | None:
    """Index of the line in which the template has the key commented out."""
    pattern = re.compile(rf'#\s*{name} = "\.\.\.')
    taken = {n for s in found for n in range(s.first - 1, s.last)}
    return next((n for n in where if n not in taken and pattern.match(lines[n])), None)
