"""Tables of text: where the numbers begin, what separates them, and what stands above them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from nrm_importers.table.source_table import SourceColumn, SourceTable, as_given, titled
from nrm_importers.table.text_rows import TextLines, TextRows, comma_numbers, read_columns
from nrm_plugin import units
from nrm_plugin.delimited import check_size, decodable
from nrm_plugin.errors import InvalidInput, MissingFile
from nrm_plugin.files import read_start
from nrm_plugin.foreign import foreign_kind

_SEPARATORS = ("\t", ";", ",", None)

#: So many rows decide what separates columns and whether a comma is the decimal sign.
_LOOKED_AT = 60

_NUMBER = re.compile(
    r"[-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)", re.IGNORECASE
)
_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")
_POINT = re.compile(r"[-+]?\d*\.\d+(?:[eE][-+]?\d+)?")

_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")

#: A whole number that needs no sign for thousands.
_BELOW_THOUSAND = re.compile(r"[-+]?\d{1,3}")

#: A cell that somebody meant as a number.
_LIKE = re.compile(r"[-+]?\d[\d., '’]*(?:[eE][-+]?\d+)?")

#: Fewer rows are no table of curves.
_FEWEST = 4

#: Longest line that may be a heading or a row of numbers.
_LONGEST = 1 << 16


@dataclass(frozen=True, kw_only=True)
class TextLayout:
    """How a table of text is laid out.

    Attributes
    ----------
    titles : list of (str, str)
        Title and unit of each column.
    first : int
        Line of the first row.
    separator : str or None
        None for white space.
    decimal : str
        Empty where the first rows have whole numbers alone.
    headings : tuple of str
        The lines of titles, and of units below them; they may stand again above each curve.
    unread : str
        A line of numbers that is no row: one with a sign for thousands.
    """

    titles: list[tuple[str, str]]
    first: int
    separator: str | None
    decimal: str
    headings: tuple[str, ...]
    unread: str


def layout_of(lines: list[str]) -> TextLayout | None:
    """Find rows of at least two numbers, and the titles above them; None without such rows."""
    separator, first = None, len(lines)
    for candidate in _SEPARATORS:
        begin = _begin(lines, candidate)
        if begin < first:
            separator, first = candidate, begin
    if first == len(lines):
        return None
    seen = [line for line in lines[first : first + _LOOKED_AT] if line.strip()]
    rows = [_cells(line, separator) for line in seen]
    width = Counter(map(len, rows)).most_common(1)[0][0]
    titles, at, headings = _titles(lines[:first], separator, width)
    if at is None and width > 2 and all(row[-1:] == [""] for row in rows):
        # Every row has a separator at its end, and the titles have none.
        fewer, at, headings = _titles(lines[:first], separator, width - 1)
        titles = [*fewer, ("", "")] if at is not None else titles
    with_comma = [cell for row in rows for cell in row if _COMMA.fullmatch(cell)]
    unread = ""
    points = any(_POINT.fullmatch(cell) for row in rows for cell in row)
    if separator == "," and with_comma and (points or all(map(_THOUSANDS.fullmatch, with_comma))):
        unread = next(line for line in seen if any(map(_COMMA.fullmatch, _cells(line, ","))))
    elif at is not None:
        between = (line for line in lines[at + 1 : first] if line.strip() not in headings)
        unread = next((one for one in between if any(map(_LIKE.fullmatch, _cells(one, ",")))), "")
    return TextLayout(
        titles=titles,
        first=first,
        separator=separator,
        decimal="." if points and separator != "," else "," if with_comma else "",
        headings=headings,
        unread=unread.strip(),
    )


def _titles(
    lines: list[str], separator: str | None, width: int
) -> tuple[list[tuple[str, str]], int | None, tuple[str, ...]]:
    """Titles and units of the columns, their line, and the texts of that line and of the units'."""
    below: tuple[str, list[str]] | None = None
    for at in range(len(lines) - 1, -1, -1):
        line = lines[at].strip("#% \t\r\n")
        cells = _cells(lines[at].lstrip("#% \t"), separator)
        if len(cells) != width and separator is None:
            cells = re.split(r"\s{2,}", line)
        if not line or len(cells) != width:
            continue
        if below is None and _are_units(cells):
            below = lines[at].strip(), [cell.strip("[]() ") for cell in cells]
            continue
        titles = [titled(cell) for cell in cells]
        if below is None or _are_units(cells):
            return titles, at, (lines[at].strip(),)
        both = [(t, u or b) for (t, u), b in zip(titles, below[1], strict=True)]
        return both, at, (lines[at].strip(), below[0])
    if below is not None:
        return [titled(cell) for cell in below[1]], None, ()
    return [(f"column {i + 1}", "") for i in range(width)], None, ()


def _are_units(cells: list[str]) -> bool:
    """Whether cells are units and nothing else: a line below the titles."""
    found = [cell.strip("[]() ") for cell in cells]
    return any(found) and not any(
        any(map(str.isdigit, one)) or units.si(one) is None for one in found
    )


def _begin(lines: list[str], separator: str | None) -> int:
    """First of two rows in a row with as many cells and two numbers; the last line may be alone."""
    for i, line in enumerate(lines):
        cells = _cells(line, separator)
        if len(cells) < 2 or sum(map(_is_number, cells)) < 2:
            continue
        behind = next((other for other in lines[i + 1 :] if other.strip()), None)
        if behind is None or len(_cells(behind, separator)) == len(cells):
            return i
    return len(lines)


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def _cells(line: str, separator: str | None) -> list[str]:
    if len(line) > _LONGEST or line.startswith("#"):
        return []
    if separator is not None and '"' in line:
        try:
            quoted = next(csv.reader([line.strip("\r\n")], delimiter=separator), [])
        except csv.Error:
            return []
        return [cell.strip() for cell in quoted]
    return [cell.strip().strip('"') for cell in line.strip("\r\n").split(separator)]


def understood(head: bytes) -> bool | None:
    """Whether the begin of a file is a table whose columns are plain, or were told before.

    None for what is no table, or plainly something else.
    """
    from nrm_importers.table.meanings import plain
    from nrm_importers.table.memory import remembered

    if b"\0" in head.replace(b"\0", b"", 0)[:64] and not head.startswith(
        (b"\xff\xfe", b"\xfe\xff")
    ):
        return None
    if head.lstrip(b'"').startswith(b"\\"):  # a list of NanoScope's
        return None
    data, encoding = decodable(head)
    lines = data.decode(encoding, "replace").splitlines()
    layout = layout_of(lines[:-1] if len(head) >= 4096 else lines)
    if layout is None or len(lines) - layout.first < _FEWEST:
        return None
    if remembered(heading(layout.titles)) is not None:
        return True
    return plain([(_without_half(title), unit) for title, unit in layout.titles])


def _without_half(title: str) -> str:
    """Return the title without the word of a half: ``Extend Force``."""
    word, _, rest = title.partition(" ")
    halves = ("extend", "retract", "approach", "trace", "retrace")
    return rest if rest and word.lower() in halves else title


def heading(titles: list[tuple[str, str]]) -> str:
    """Titles and units as `SourceTable.heading` has them."""
    return "\n".join(f"{title} ({unit})" for title, unit in titles)


def open_text(path: Path) -> SourceTable:
    """Open a table of text; its numbers are read at once, the text in pieces.

    Raises
    ------
    InvalidInput
        If there are no rows of numbers, or one of them has another number of cells.
    """
    import pandas as pd

    lines = _lines_of(path)
    layout = _head(lines)
    if layout is None:
        kind = foreign_kind(read_start(path, 4096, "a table"), path)
        what = "no lines with two numbers" if kind is None else f"it is {kind.what}"
        raise InvalidInput(f"{path}: there is no table of numbers in it: {what}")
    if layout.unread:
        raise InvalidInput(
            f"{path}: the line {layout.unread[:60]!r} is no row of numbers: write numbers without "
            "a sign for thousands"
        )
    first, separator = layout.first, layout.separator
    decimal, warnings = _decimal_sign(lines, layout)
    again = layout.headings[:1] and any(
        line.strip() == layout.headings[0] for piece in lines.behind(first) for line in piece
    )
    # From version 3 on, pandas reads numbers to their last bit by itself.
    old = int(pd.__version__.split(".")[0]) < 3
    exact: dict[str, Any] = {"float_precision": "round_trip"} if old else {}
    options = {
        "sep": r"\s+" if separator is None else separator,
        "comment": "#",
        "decimal": decimal,
        "keep_default_na": False,
        "on_bad_lines": "error",
        **exact,
    }
    rows = partial(TextRows, lines, first, layout.headings if again else ())
    try:
        read, length, curve = read_columns(rows, len(layout.titles), options)
    except (ValueError, OverflowError, pd.errors.ParserWarning) as error:
        raise InvalidInput(
            f"{path}: not every row has {len(layout.titles)} cells ({str(error)[:200]})"
        ) from None
    columns = [
        SourceColumn(title=title, unit=unit, read=one)
        for (title, unit), one in zip(layout.titles, read, strict=True)
    ]
    if curve is not None:
        columns.append(SourceColumn(title="curve", unit="", read=partial(as_given, curve)))
    return SourceTable(path=path, columns=tuple(columns), length=length, warnings=warnings)


def _decimal_sign(lines: TextLines, layout: TextLayout) -> tuple[str, tuple[str, ...]]:
    """Decimal sign by all rows, and a warning where commas may stand for thousands as well."""
    if layout.decimal == "." or layout.separator == ",":
        return layout.decimal or ".", ()
    numbers = comma_numbers(lines, layout.first, layout.separator)
    one = next(numbers, "")
    if not one:
        return ".", ()
    if not all(map(_THOUSANDS.fullmatch, chain([one], numbers))):
        return ",", ()
    if _beside_whole_numbers(lines, layout):
        raise InvalidInput(
            f"{lines.path}: the comma of {one} stands for thousands, by the whole numbers beside "
            "it: write numbers without a sign for thousands"
        )
    what = f"{one} is read as {one.replace(',', '.')}"
    return ",", (f"{what}: if its comma stands for thousands, write the numbers without it",)


def _beside_whole_numbers(lines: TextLines, layout: TextLayout) -> bool:
    """Whether ``999`` stands in one column with ``1,000``."""
    with_comma, whole = set[int](), set[int]()
    for line in chain.from_iterable(lines.behind(layout.first)):
        for i, cell in enumerate(_cells(line, layout.separator)):
            if _THOUSANDS.fullmatch(cell):
                with_comma.add(i)
            elif _BELOW_THOUSAND.fullmatch(cell):
                whole.add(i)
    return bool(with_comma & whole)


def _lines_of(path: Path) -> TextLines:
    check_size(path)
    try:
        return TextLines(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MissingFile(path, f"it cannot be read ({reason})") from error


def _head(lines: TextLines) -> TextLayout | None:
    """Layout by the first lines; more of them are read until there are enough rows."""
    head: list[str] = []
    looked_at = 0
    for piece in lines.pieces():
        head += piece
        if len(head) < 2 * looked_at:
            continue
        looked_at = len(head)
        layout = layout_of(head)
        if layout is not None and len(head) - layout.first > 2 * _LOOKED_AT:
            return layout
    return layout_of(head)
