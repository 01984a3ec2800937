"""Tables of text: where the numbers begin, what separates them, and what stands above them."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nrm_importers.table.source_table import SourceColumn, SourceTable, titled
from nrm_plugin.columns import AnyArray
from nrm_plugin.delimited import decodable, load
from nrm_plugin.errors import CorruptFile

_SEPARATORS = ("\t", ";", ",", None)

#: So many rows decide what separates columns and whether a comma is the decimal sign.
_LOOKED_AT = 60

_NUMBER = re.compile(
    r"[-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)", re.IGNORECASE
)
_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")

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
    """

    titles: list[tuple[str, str]]
    first: int
    separator: str | None
    decimal: str


def layout_of(lines: list[str]) -> TextLayout | None:
    """Find rows of at least two numbers, and the titles above them; None without such rows."""
    separator, first = None, len(lines)
    for candidate in _SEPARATORS:
        begin = _begin(lines, candidate)
        if begin < first:
            separator, first = candidate, begin
    if first == len(lines):
        return None
    rows = [_cells(line, separator) for line in lines[first : first + _LOOKED_AT] if line.strip()]
    width = Counter(map(len, rows)).most_common(1)[0][0]
    commas = separator != "," and any(_COMMA.fullmatch(cell) for row in rows for cell in row)
    titles = [(f"column {i + 1}", "") for i in range(width)]
    for line in reversed(lines[:first]):
        if not line.strip():
            continue
        cells = _cells(line.lstrip("#% \t"), separator)
        if len(cells) != width and separator is None:
            cells = re.split(r"\s{2,}", line.strip("#% \t"))
        if len(cells) == width:
            titles = [titled(cell) for cell in cells]
            break
    return TextLayout(
        titles=titles, first=first, separator=separator, decimal="," if commas else "."
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
    """Open a table of text; it is read at once.

    Raises
    ------
    CorruptFile
        If there are no rows of numbers, or one of them has another number of cells.
    """
    import pandas as pd

    data, encoding = load(path)
    text = data.decode(encoding)
    lines = text.splitlines()
    layout = layout_of(lines)
    if layout is None:
        raise CorruptFile(path, None, "a table of numbers", "no lines with two numbers")
    body = "\n".join(lines[layout.first :])
    # From version 3 on, pandas reads numbers to their last bit by itself.
    old = int(pd.__version__.split(".")[0]) < 3
    exact: dict[str, Any] = {"float_precision": "round_trip"} if old else {}
    try:
        frame = pd.read_csv(
            io.StringIO(body),
            sep=r"\s+" if layout.separator is None else layout.separator,
            header=None,
            names=range(len(layout.titles)),
            index_col=False,
            comment="#",
            decimal=layout.decimal,
            **exact,
            keep_default_na=False,
            low_memory=False,
            on_bad_lines="error",
        )
    except (ValueError, OverflowError) as error:
        raise CorruptFile(
            path, None, f"rows of {len(layout.titles)} cells", str(error)[:200]
        ) from None
    columns = tuple(
        SourceColumn(title=title, unit=unit, read=_reader(frame[i]))
        for i, (title, unit) in enumerate(layout.titles)
    )
    return SourceTable(path=path, columns=columns, length=len(frame))


def _reader(series: Any) -> Any:
    def read() -> AnyArray:
        return np.asarray(series.to_numpy())

    return read
