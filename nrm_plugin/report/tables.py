"""Tables of the report: what is read, and by what it is sorted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Shown for what is not known.
NOTHING = "–"

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
        read; name for what stays on one line.
    """

    text: str
    key: float | str
    tone: str = ""

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
class Column:
    """Heading of a column; numbers stand at the right."""

    title: str
    number: bool = False


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row is its heading.

    Attributes
    ----------
    caption : str
    columns : sequence of Column
    rows : sequence of rows of Cell
    note : str
        Below the table.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


def words(text: str, tone: str = "") -> Cell:
    """Cell with words, sorted by them."""
    return Cell(text or NOTHING, text.lower(), tone)


def number(value: float | None, factor: float = 1.0, digits: int = 3, unit: str = "") -> Cell:
    """Cell with a number in other units than SI, rounded to significant digits."""
    if value is None or not math.isfinite(value):
        return Cell(NOTHING, math.nan)
    shown = value * factor
    return Cell(with_unit(rounded(shown, digits), unit), shown)


def count(n: float) -> Cell:
    """Cell with a whole number."""
    return Cell(f"{n:.0f}", float(n)) if math.isfinite(n) else Cell(NOTHING, math.nan)


def interval(mean: float, low: float, high: float, factor: float = 1.0) -> Cell:
    """Cell with a mean and its interval, to two digits of the interval's half-width."""
    if not math.isfinite(mean):
        return Cell(NOTHING, math.nan)
    half = 0.5 * (high - low) * abs(factor)
    if not (math.isfinite(half) and half > 0.0):
        return Cell(rounded(mean * factor), mean * factor)
    places = max(0, 1 - math.floor(math.log10(half)))
    if places > 6:
        return Cell(f"{mean * factor:.2e} ± {half:.1e}", mean * factor)
    mid, below, above = (f"{v * factor:.{places}f}".replace("-", "−") for v in (mean, low, high))
    return Cell(f"{mid} ({below} to {above})", mean * factor)


def with_unit(text: str, unit: str) -> str:
    """Text with a unit that stays on its line."""
    return f"{text}\N{NO-BREAK SPACE}{unit}" if unit else text


def rounded(value: float, digits: int = 3) -> str:
    """Significant digits without an exponent, as far as that is readable.

    Examples
    --------
    >>> rounded(12.345), rounded(0.0), rounded(1234.5), rounded(-0.01234)
    ('12.3', '0', '1230', '−0.0123')
    """
    if not math.isfinite(value):
        return NOTHING
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}"
    places = 0 if not value else digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{round(value, places):.{max(places, 0)}f}" if value else "0"
    return text.replace("-", "−")
