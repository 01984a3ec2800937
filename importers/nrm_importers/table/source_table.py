"""Columns of a table, from whatever kind of file, with their titles and units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nrm_plugin import units
from nrm_plugin.columns import AnyArray
from nrm_plugin.delimited import title
from nrm_plugin.errors import CorruptFile, InvalidInput, MissingPackage

#: No table has as many columns.
_MOST_COLUMNS = 4096


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
    """

    path: Path
    columns: tuple[SourceColumn, ...]
    length: int
    interval: float | None = None

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
        if not found and wanted.isdigit() and 0 < int(wanted) <= len(self.columns):
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
    CorruptFile
        Naming the first row without a number.
    """
    values = np.asarray(column.read())
    if values.dtype.kind in "iuf":
        return values
    if values.dtype.kind == "b":
        return values.astype(np.float64)
    import pandas as pd

    out: AnyArray = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(np.float64)
    wrong = np.isnan(out)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise CorruptFile(
            path,
            None,
            f"a number in row {row + 1} of {column.title!r}",
            repr(str(values[row]))[:60],
        )
    return out


def open_source(path: Path) -> SourceTable:
    """Open a table of any kind.

    Raises
    ------
    CorruptFile, InvalidInput, MissingPackage, MissingFile
    """
    opener = {".npz": _npz, ".parquet": _parquet, ".tdms": _tdms}.get(path.suffix.lower())
    if opener is None:
        from nrm_importers.table.text_table import open_text

        return open_text(path)
    return opener(path)


def _given(values: AnyArray) -> AnyArray:
    return values


def titled(name: str) -> tuple[str, str]:
    """Title and unit of ``deflection (V)``, ``deflection [V]``, ``deflection/V``."""
    text, unit = title(name)
    front, sign, behind = text.rpartition("/")
    if sign and not unit and behind and units.si(behind.strip()) is not None:
        return front.strip(), behind.strip()
    return text, unit


def _table(
    path: Path, columns: Sequence[SourceColumn], lengths: Sequence[int], **more: Any
) -> SourceTable:
    if not columns:
        raise CorruptFile(path, None, "a table with columns", "none")
    if len(columns) > _MOST_COLUMNS:
        raise CorruptFile(path, None, f"at most {_MOST_COLUMNS} columns", f"{len(columns)}")
    if len(set(lengths)) > 1:
        named = ", ".join(
            f"{c.title}: {n}" for c, n in list(zip(columns, lengths, strict=True))[:8]
        )
        raise InvalidInput(
            f"{path}: its columns have different lengths ({named}): keep those that were recorded "
            "together in one file"
        )
    return SourceTable(path=path, columns=tuple(columns), length=lengths[0], **more)


def _npz(path: Path) -> SourceTable:
    columns, lengths = [], []
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            for name in file.files:
                values = file[name]
                if values.ndim != 1 or values.dtype.kind not in "iufbU":
                    continue
                title, unit = titled(name)
                columns.append(SourceColumn(title=title, unit=unit, read=partial(_given, values)))
                lengths.append(len(values))
    except (OSError, ValueError, EOFError, KeyError, MemoryError, ArithmeticError) as error:
        raise CorruptFile(path, None, "arrays of NumPy", str(error)[:200]) from None
    except Exception as error:  # zipfile and zlib raise their own kinds
        raise CorruptFile(
            path, None, "arrays of NumPy", f"{type(error).__name__}: {error}"
        ) from None
    return _table(path, columns, lengths)


def _parquet(path: Path) -> SourceTable:
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingPackage("pyarrow", "tables") from None
    try:
        with path.open("rb") as handle:
            table = parquet.read_table(handle)
    except Exception as error:  # Arrow raises many kinds for damaged files
        raise CorruptFile(path, None, "a Parquet table", str(error)[:200]) from None
    columns = []
    for name in table.column_names:
        title, unit = titled(name)
        part = table.column(name)
        columns.append(
            SourceColumn(title=title, unit=unit, read=partial(part.to_numpy, zero_copy_only=False))
        )
    return _table(path, columns, [table.num_rows] * len(columns))


def _tdms(path: Path) -> SourceTable:
    """Channels of a TDMS file; of several groups, the one with most samples."""
    try:
        from nptdms import TdmsFile
    except ImportError:
        raise MissingPackage("npTDMS", "tables") from None
    try:
        with path.open("rb") as handle:
            file = TdmsFile.read(handle)
        groups = sorted(file.groups(), key=lambda g: max(map(len, g.channels()), default=0))
        channels = groups[-1].channels() if groups else []
        longest = max(map(len, channels), default=0)
        channels = [c for c in channels if len(c) == longest and longest]
        columns, steps = [], set[float]()
        for channel in channels:
            unit = str(
                channel.properties.get("unit_string", "")
                or channel.properties.get("NI_UnitDescription", "")
            )
            title, own = titled(channel.name)
            values = channel[:]
            columns.append(
                SourceColumn(title=title, unit=own or unit, read=partial(_given, values))
            )
            step = channel.properties.get("wf_increment")
            if isinstance(step, float | int) and 0.0 < float(step) < 1e6:
                steps.add(float(step))
    except Exception as error:  # npTDMS raises many kinds for damaged files
        raise CorruptFile(
            path, None, "a TDMS file", f"{type(error).__name__}: {error}"[:200]
        ) from None
    interval = steps.pop() if len(steps) == 1 else None
    return _table(path, columns, [longest] * len(columns), interval=interval)


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
            title=title, unit=halves[0][title].unit, read=partial(_given, np.concatenate(pair))
        )
        for title, pair in parts.items()
    ]
    columns.append(SourceColumn(title="segment", unit="", read=partial(_given, kinds)))
    return SourceTable(path=table.path, columns=tuple(columns), length=sum(counts))


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
        path, SourceColumn(title=column.title, unit="", read=partial(_given, values[:n]))
    )
