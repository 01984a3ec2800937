"""What the page is built of: sections with words, tables and pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from nrm_plugin.report.pictures import Picture
from nrm_plugin.text import NOTHING, measure, significant

#: A longer word may be broken anywhere.
_LONG = 30


@dataclass(frozen=True)
class Cell:
    """What stands in a cell.

    Attributes
    ----------
    text : str
    key : float or str
        By what a column is sorted; nan goes last.
    tone : str
        good, doubtful, bad or unknown where the cell is a verdict; code or hash for what programs
        read; name for what stays on one line; differs for what is not as in the other samples.
    link: str
        Where the text leads to, quoted: see `linked`.
    """

    text: str
    key: float | str
    tone: str = ""
    link: str = ""

    @property
    def classes(self) -> list[str]:
        """Classes of the cell in the page."""
        long = max(map(len, self.text.split()), default=0) > _LONG
        return ([self.tone] if self.tone else []) + (["long"] if long else [])

    @property
    def sort(self) -> str:
        """The key as an attribute in the page has it, empty where there is nothing."""
        if isinstance(self.key, str):
            return self.key
        return f"{self.key:.9g}" if math.isfinite(self.key) else ""


@dataclass(frozen=True)
class HtmlColumn:
    """Heading of a column; numbers stand at the right."""

    title: str
    number: bool = False


def headings(*titles: str, numbers: Sequence[str] = ()) -> list[HtmlColumn]:
    """Columns with these titles; `numbers` are those of them that hold numbers."""
    return [HtmlColumn(title, title in numbers) for title in titles]


@dataclass(frozen=True)
class HtmlTable:
    """A table; the first cell of a row is its heading.

    Attributes
    ----------
    caption : str
    columns : sequence of HtmlColumn
    rows : sequence of rows of Cell
    note : str
        Below the table.
    """

    caption: str
    columns: Sequence[HtmlColumn]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


def words(text: str, tone: str = "") -> Cell:
    """Cell with words, by which it is sorted."""
    return Cell(text or NOTHING, text.lower(), tone)


def linked(text: str, path: str) -> Cell:
    """Cell with words that lead to a file beside the page, whose relative path is given."""
    return Cell(text or NOTHING, text.lower(), link=quote(path.replace("\\", "/"), safe="/"))


def number(value: float | None, factor: float = 1.0, digits: int = 3, unit: str = "") -> Cell:
    """Cell with a number in other units than SI, rounded to significant digits."""
    if value is None or not math.isfinite(value):
        return Cell(NOTHING, math.nan)
    shown = value * factor
    return Cell(measure(shown, unit, digits), shown)


def count(n: float) -> Cell:
    """Cell with a whole number."""
    return Cell(f"{n:.0f}", float(n)) if math.isfinite(n) else Cell(NOTHING, math.nan)


def interval(mean: float, low: float, high: float, factor: float = 1.0) -> Cell:
    """Cell with a mean and its interval, to two digits of the interval's half-width."""
    if not math.isfinite(mean):
        return Cell(NOTHING, math.nan)
    half = 0.5 * (high - low) * abs(factor)
    if not (math.isfinite(half) and half > 0.0):
        return Cell(significant(mean * factor), mean * factor)
    places = max(0, 1 - math.floor(math.log10(half)))
    if places > 6:
        return Cell(f"{mean * factor:.2e} ± {half:.1e}", mean * factor)
    mid, below, above = (f"{v * factor:.{places}f}".replace("-", "−") for v in (mean, low, high))
    return Cell(f"{mid} ({below} to {above})", mean * factor)


@dataclass(kw_only=True)
class Part:
    """Words, tables, pictures and texts under one heading.

    Attributes
    ----------
    title : str
    words : list of str
        One paragraph each.
    missing : bool
        Whether the words say why there is nothing else.
    tables : list of HtmlTable
    pictures : list of Picture
    texts : list of (title, text)
        Shown as they are.
    download : str
        Address of the tables as a file.
    """

    title: str
    words: list[str] = field(default_factory=list)
    missing: bool = False
    tables: list[HtmlTable] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    download: str = ""


@dataclass(kw_only=True)
class Section(Part):
    """A section with an anchor, and parts below it."""

    anchor: str = ""
    parts: Sequence[Part] = ()


def missing(title: str, *words: str) -> Part:
    """Part that says why it is empty."""
    return Part(title=title, words=list(words), missing=True)
