"""Columns of a table, from whatever kind of file, with their titles and units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from nrm_plugin import units
from nrm_plugin.columns import AnyArray
from nrm_plugin.delimited import title
from nrm_plugin.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class SourceColumn:
    """A column.

    Attributes
    ----------
    title : str
        Without the unit.
    unit : str
    read : callable
        Gives its values, shape (n,): numbers, or texts.
    """

    title: str
    unit: str
    read: Callable[[], AnyArray]


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """A table.

    Attributes
    ----------
    path : Path
    columns : tuple of SourceColumn
    length : int
        Rows.
    interval : float or None
        Seconds between rows, where the file tells it.
    start : datetime64 or None
        When the first row was taken, by the recording computer's clock.
    left_out : tuple of str
        Titles of what lies in the file and is no column of this table: of another length, mostly.
    warnings : tuple of str
        What is wrong with the file.
    """

    path: Path
    columns: tuple[SourceColumn, ...]
    length: int
    interval: float | None = None
    start: np.datetime64 | None = None
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """Titles and units: what files of one kind have in common."""
        return "\n".join(f"{c.title} ({c.unit})" for c in self.columns)

    def column(self, name: str) -> SourceColumn:
        """Return the column of that title, with or without its unit, or of that number from 1 on.

        Raises
        ------
        InvalidInput
            If there is none, or several.
        """
        wanted = name.strip()
        found = [
            c
            for c in self.columns
            if wanted in (c.title, f"{c.title} ({c.unit})", f"{c.title} [{c.unit}]")
        ]
        if not found and wanted.isdecimal() and 0 < int(wanted) <= len(self.columns):
            found = [self.columns[int(wanted) - 1]]
        if len(found) == 1:
            return found[0]
        titles = ", ".join(c.title for c in self.columns[:30])
        if found:
            raise InvalidInput(
                f"{self.path}: {len(found)} columns are called {wanted!r}: name it by its number"
            )
        raise InvalidInput(f"{self.path}: no column is called {wanted!r}; there are: {titles}")


def numbers(path: Path, column: SourceColumn) -> AnyArray:
    """Values of a column as numbers.

    Raises
    ------
    InvalidInput
        Naming the first row without a number.
    """
    values = np.asarray(column.read())
    if values.dtype.kind in "mM":
        raise InvalidInput(f"{path}: {column.title!r} has dates, not numbers")
    if values.dtype.kind in "iuf":
        return values
    if values.dtype.kind == "b":
        return values.astype(np.float64)
    import pandas as pd

    out: AnyArray = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(np.float64)
    wrong = np.isnan(out)
    if wrong.any():
        row = int(np.argmax(wrong))
        found = repr(str(values[row]))[:60]
        mend = ": write numbers without a sign for thousands, with one decimal sign"
        raise InvalidInput(
            f"{path}: there is no number in row {row + 1} of {column.title!r}, but {found}"
            f"{mend if ',' in found else ''}"
        )
    return out


def as_given(values: AnyArray) -> AnyArray:
    """Return values: a column whose values are there already."""
    return values


def titled(name: str) -> tuple[str, str]:
    """Title and unit of ``deflection (V)``, ``deflection [V]``, ``deflection/V``."""
    text, unit = title(name)
    front, sign, behind = text.rpartition("/")
    if sign and not unit and behind and units.si(behind.strip()) is not None:
        return front.strip(), behind.strip()
    return text, unit


#: Words in front of titles that stand for the halves of a curve, side by side.
_HALVES = (("extend", "retract"), ("approach", "retract"), ("trace", "retrace"))


def joined_halves(table: SourceTable) -> SourceTable:
    """Table whose approach and retract stand side by side, with one behind the other.

    A column called segment says which is which. Other tables are returned as they are.
    """
    for words in _HALVES:
        halves: list[dict[str, SourceColumn]] = [{}, {}]
        for column in table.columns:
            word, _, rest = column.title.partition(" ")
            if word.lower() in words and rest:
                halves[words.index(word.lower())][rest] = column
        if halves[0] and set(halves[0]) == set(halves[1]):
            break
    else:
        return table
    parts = {title: [_measured(table.path, half[title]) for half in halves] for title in halves[0]}
    lengths = {tuple(map(len, pair)) for pair in parts.values()}
    if len(lengths) > 1:
        raise InvalidInput(f"{table.path}: the columns of one half have different lengths")
    counts = lengths.pop()
    kinds = np.repeat(["approach", "retract"], counts)
    columns = [
        SourceColumn(
            title=title, unit=halves[0][title].unit, read=partial(as_given, np.concatenate(pair))
        )
        for title, pair in parts.items()
    ]
    columns.append(SourceColumn(title="segment", unit="", read=partial(as_given, kinds)))
    return replace(table, columns=tuple(columns), length=sum(counts))


def _measured(path: Path, column: SourceColumn) -> AnyArray:
    """Values of a column without the empty cells below a half that is shorter."""
    values = np.asarray(column.read())
    if values.dtype.kind == "f":
        empty = np.isnan(values)
    elif values.dtype.kind == "O":
        empty = np.array([str(v).strip() == "" for v in values])
    else:
        return values
    n = len(values) - int(np.argmin(empty[::-1])) if not empty.all() else 0
    return numbers(
        path, SourceColumn(title=column.title, unit="", read=partial(as_given, values[:n]))
    )
