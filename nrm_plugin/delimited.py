"""Tables in text files: named columns with units, as instruments and spreadsheets write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nrm_plugin import units
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import CorruptFile, InvalidInput, MissingFile, StrPath

#: Larger files are not a table that somebody exported.
_LARGEST = 1 << 30

#: A title without blanks around it, and its unit in (...), [...] or behind a comma. Quantifiers are
#: possessive, so that a title of thousands of blanks takes no time.
_TITLE = re.compile(
    r"(.*?)(?:(?<!\s)|^)\s*+"
    r"(?:\(([^()]*+(?:\([^()]*+\)[^()]*+)?)\)|\[(.*)\]|,\s*+(\S++))?\s*+$"
)


#: A longer title has no unit: brackets that are not closed take a time that grows with its square.
_LONGEST = 500


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column: its title without the unit, the unit, and its numbers, shape (n,)."""

    name: str
    unit: str
    values: FloatArray


@dataclass(frozen=True, eq=False)
class TextTable:
    """Columns of a text file, in order."""

    path: Path
    columns: tuple[TextColumn, ...]

    def has(self, *words: str) -> bool:
        """Whether a column's title has one of these words in it."""
        return any(self._match(c, word) for c in self.columns for word in words)

    @staticmethod
    def _match(column: TextColumn, word: str) -> bool:
        title = column.name.lower()
        return title == word if len(word) == 1 else word in title

    def column(self, *words: str) -> TextColumn:
        """Return the first column whose title has one of these words in it, the first word first.

        Raises
        ------
        InvalidInput
            If there is none.
        """
        for word in words:
            for column in self.columns:
                if self._match(column, word):
                    return column
        titles = ", ".join(c.name or "(no title)" for c in self.columns)
        raise InvalidInput(
            f"{self.path}: no column is called {' or '.join(words[:2])}; there are: {titles}. "
            "Give the columns titles with units, such as 'frequency (Hz)'"
        )

    def si(self, unit: str, *words: str) -> FloatArray:
        """Values of such a column in an SI unit.

        Raises
        ------
        InvalidInput
            If there is none, or its unit is missing or another.
        """
        column = self.column(*words)
        if not column.unit:
            raise InvalidInput(
                f"{self.path}: {column.name} has no unit; call it '{words[0]} ({unit})'"
            )
        return column.values * units.factor(column.unit, unit)


def read_table(path: StrPath) -> TextTable:
    """Read a table of numbers with a line of titles, ``frequency (Hz), amplitude (V)``.

    Columns are separated by commas, semicolons (then a comma may be the decimal sign), tabs or
    spaces. Lines before the titles and lines that start with ``#`` are left out; a comment may
    hold the titles. Cells that are no number become nan.

    Raises
    ------
    MissingFile
        If there is no such file.
    CorruptFile
        If there are no numbers in columns with titles.
    """
    path = Path(path)
    data, encoding = load(path)
    lines = [line for line in data.decode(encoding).splitlines() if line.strip()]
    first = next((i for i, line in enumerate(lines) if _is_data(line)), None)
    if first is None:
        raise CorruptFile(path, None, "a table of numbers", "no line with two numbers")
    separator = _separator(lines[first])
    rows = [_numbers(line, separator) for line in lines[first:] if not line.startswith("#")]
    width = len(rows[0])
    values = np.full((len(rows), width), np.nan)
    for i, row in enumerate(rows):
        values[i, : len(row)] = row[:width]
    titles = _titles(lines[:first], width, separator)
    if titles is None:
        raise CorruptFile(
            path,
            None,
            f"a line of {width} titles with units above the numbers",
            lines[first - 1][:60] if first else "none",
        )
    columns = [TextColumn(n, u, values[:, i]) for i, (n, u) in enumerate(titles)]
    return TextTable(path, tuple(columns))


def load(path: Path) -> tuple[bytes, str]:
    """Bytes of a text file without a mark of their order, and their encoding.

    Raises
    ------
    MissingFile, CorruptFile
        If it cannot be read; if it is larger than any table.
    """
    check_size(path)
    try:
        return decodable(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MissingFile(path, f"it cannot be read ({reason})") from error


def check_size(path: Path) -> None:
    """Refuse files that are larger than any table.

    Raises
    ------
    MissingFile, CorruptFile
        If it cannot be looked at; if it is too large.
    """
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MissingFile(path, f"it cannot be read ({reason})") from error
    if size > _LARGEST:
        raise CorruptFile(path, None, "a table", "more than 1 GB of text")


def decodable(data: bytes) -> tuple[bytes, str]:
    """Text without a mark of its byte order, and its encoding: UTF-8, else Latin-1.

    UTF-16 with a mark is turned into UTF-8.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode("utf-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data, "latin-1"
    return data, "utf-8"


def _separator(line: str) -> str | None:
    for sign in (";", "\t", ","):
        if sign in line:
            return sign
    return None  # any white space


def _numbers(line: str, separator: str | None) -> list[float]:
    values = []
    for cell in line.strip().split(separator):
        cell = cell.strip()
        if separator != "," and "," in cell and "." not in cell:
            cell = cell.replace(",", ".")
        try:
            values.append(float(cell))
        except ValueError:
            values.append(float("nan"))
    return values


def _is_data(line: str) -> bool:
    if line.startswith("#"):
        return False
    values = _numbers(line, _separator(line))
    return len(values) >= 2 and bool(np.isfinite(values).sum() >= 2)


def _titles(above: list[str], width: int, separator: str | None) -> list[tuple[str, str]] | None:
    for line in reversed(above):
        plain = line.lstrip("# \t")
        cells = plain.split(separator)
        if len(cells) != width and separator is None:
            cells = re.split(r"\s{2,}", plain.strip())
        if len(cells) == width:
            return [title(cell) for cell in cells]
    return None


def title(cell: str) -> tuple[str, str]:
    """Return title and unit of a heading: ``deflection (V)``, ``[V]``, or ``deflection, V``."""
    plain = cell.strip().strip('"').strip()
    match = _TITLE.match(plain) if len(plain) <= _LONGEST else None
    if match is None:
        return plain, ""
    return match[1], (match[2] or match[3] or match[4] or "").strip()
