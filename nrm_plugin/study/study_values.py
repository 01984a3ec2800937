"""Values of a study file, and the mistakes in them with their lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from nrm_plugin.errors import InvalidInput
from nrm_plugin.statements import statements
from nrm_plugin.units import quantity
from nrm_plugin.vocabulary import nearest

_LONGEST = 500

#: A range has no more characters: the search for its parts takes the third power of their number.
_LONGEST_RANGE = 100

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*(\D*?)\s*(?:-|–|to)\s*({_NUMBER})\s*(\D*?)\s*")

Table = Mapping[str, Any]


class StudyValues:
    """Checks tables one by one and collects the mistakes.

    Parameters
    ----------
    path : Path
    text : str
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.content = path, text
        self.mistakes: list[tuple[int, str]] = []
        self._lines: dict[tuple[Any, ...], int] = {}
        counts: dict[str, int] = {}
        for statement in statements(text):
            section = statement.path[0]
            if statement.header and len(statement.path) == 1:
                counts[section] = counts.get(section, -1) + 1
            where = (section, counts.get(section, 0), *statement.path[1:])
            for end in range(2, len(where) + 1):
                self._lines.setdefault(where[:end], statement.first)

    def wrong(self, what: str, section: str, number: int = 0, key: str = "") -> None:
        """Note a mistake."""
        line = self._lines.get((section, number, key)) or self._lines.get((section, number), 1)
        self.mistakes.append((line, what))

    def table(self, tree: Table, section: str) -> Table:
        """A section, which is empty where it is not there."""
        value = tree.get(section, {})
        if isinstance(value, dict):
            return value
        self.wrong(f"write [{section}]", section)
        return {}

    def tables(self, tree: Table, section: str) -> list[tuple[Table, int]]:
        """Sections that may be several, with their numbers."""
        found = tree.get(section, [])
        if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
            self.wrong(f"there may be several: write [[{section}]]", section)
            return []
        return [(table, number) for number, table in enumerate(found)]

    def keys(self, table: Table, known: Iterable[str], section: str, number: int = 0) -> None:
        """Note keys that are not known."""
        known = tuple(known)
        for key in table:
            if key not in known:
                what = f"[{section}] {key[:80]!r} is not known.{nearest(key, known)}"
                self.wrong(what, section, number, key)

    def text(self, table: Table, key: str, section: str, number: int = 0) -> str:
        """Text under a key, or an empty one."""
        value = table.get(key, "")
        if isinstance(value, str) and len(value) <= _LONGEST and value.isprintable():
            return value.strip()
        if isinstance(value, date | datetime) and key in ("day", "session", "log_start"):
            return value.isoformat()
        self.wrong(f"{key} is a short text in quotes", section, number, key)
        return ""

    def texts(self, table: Table, key: str, section: str, number: int = 0) -> tuple[str, ...]:
        """Texts under a key; one may stand alone."""
        value = table.get(key, [])
        items = [value] if isinstance(value, str) else value
        if isinstance(items, list) and all(isinstance(v, str) and v.strip() for v in items):
            return tuple(items)
        self.wrong(f'{key} is a list of texts, as in ["a", "b"]', section, number, key)
        return ()

    def mapping(self, table: Table, key: str, number: int) -> dict[str, Any]:
        """Names with values under a key."""
        value = table.get(key, {})
        if isinstance(value, dict):
            return value
        self.wrong(
            f"{key} is a list of names with values, as in {{ a = 1 }}", "sample", number, key
        )
        return {}

    def choice(self, table: Table, key: str, words: tuple[str, ...]) -> str | None:
        """One of some words under a key of the regions."""
        value = table.get(key)
        if value is None or value in words:
            return value
        what = f"{key} is {', '.join(words[:-1])} or {words[-1]}, not {str(value)[:80]!r}"
        self.wrong(what, "regions", 0, key)
        return None

    def file(self, place: str, section: str, key: str, number: int = 0) -> None:
        """Note a file that is not there."""
        if place and not (self.path.parent / place).is_file():
            self.wrong(f"{key}: there is no file {place!r}{self.near(place)}", section, number, key)

    def near(self, place: str) -> str:
        """Hint at a file of nearly the same name."""
        wanted = self.path.parent / place
        try:
            others = [p.name for p in wanted.parent.iterdir()]
        except OSError:
            return f": there is no folder {wanted.parent.name!r}"
        if wanted.name in others:
            return ": that is a folder"
        return f".{hint}" if (hint := nearest(wanted.name, others)) else ""


def between(text: str, unit: str, usual: str = "") -> tuple[float, float]:
    """Ends of a range such as ``2-5 nm``, in SI.

    Raises
    ------
    InvalidInput
    """
    match = _RANGE.fullmatch(text) if len(text) <= _LONGEST_RANGE else None
    example = f"0-5 {usual or unit}"
    if match is None:
        raise InvalidInput(f"{text[:80]!r} is no range; write it as {example!r}")
    units = match[2] or match[4], match[4] or match[2]
    low, high = (
        quantity(f"{number} {name}", unit, usual)
        for number, name in zip((match[1], match[3]), units, strict=True)
    )
    if not low < high:
        raise InvalidInput(f"{text[:80]!r} ends before it begins")
    return low, high
