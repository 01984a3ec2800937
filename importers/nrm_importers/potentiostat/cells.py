"""Cells of a table as numbers: whole columns decide what a comma is, and no line is lost unsaid."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nrm_importers.potentiostat.titles import Role, Title
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput

#: Lines that are read at once.
_LINES = 20_000

#: More lines that cannot be read are an error; a remark or an overload is a stray.
_STRAYS = 3

_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+")


@dataclass(frozen=True, eq=False, kw_only=True)
class Cells:
    """A column.

    Attributes
    ----------
    numbers : (n,) array
        nan for cells that hold none.
    texts : list of str or None
        The cells, where they are kept: of columns that may hold dates or clock times.
    first : str
        The first cell, where it holds no number.
    name : str
        Title.
    notes : tuple of str
        What was taken for granted.
    """

    numbers: FloatArray
    texts: list[str] | None
    first: str
    name: str
    notes: tuple[str, ...] = ()

    def left_out(self, path: Path, kept: np.ndarray) -> list[str]:
        """Say how many lines are left out; ``kept`` is which have a time and a potential.

        Raises
        ------
        InvalidInput
            If fewer than two lines are kept, or more than a few are lost.
        """
        n, good = len(kept), int(kept.sum())
        lost = n - good - (not kept[0] and bool(self.first) if n else 0)  # a line of units
        if good < 2:
            raise InvalidInput(
                f"{path}: there is nothing to read in it: {good} of its {n} lines have a time "
                "and a potential"
            )
        if lost > min(_STRAYS, n // 3):
            where = np.flatnonzero(~kept)
            line = int(where[min(1, len(where) - 1)]) + 1
            raise InvalidInput(
                f"{path}: {lost} of {n} lines below the titles have no time or no potential that "
                f"can be read, such as line {line} below them: mend the table or take them out"
            )
        return [f"{lost} of {n} lines without time or potential are left out"] if lost else []


@dataclass(kw_only=True)
class _Column:
    """A column while it is read."""

    role: Role
    numbers: list[FloatArray] = field(default_factory=list)
    texts: list[str] | None = None
    first: str = ""
    dots: bool = False
    commas: bool = False
    grouped: bool = True  # all commas stand before three digits, as signs for thousands do
    whole: bool = False  # there are whole numbers below 1000
    told: bool = False  # a number with both signs says which is which

    def add(self, series: Any) -> None:
        """Take the next cells."""
        texts = series.fillna("").str.strip().str.strip('"').str.strip()
        plain = texts.str.replace("\u2212", "-", regex=False)
        comma = plain.str.contains(",", regex=False)
        dot = plain.str.contains(".", regex=False)
        values = pd.to_numeric(plain, errors="coerce").to_numpy(np.float64, copy=True)
        self.dots |= bool((dot & ~comma & np.isfinite(values)).any())
        self.whole |= bool(plain.str.fullmatch(r"[-+]?[1-9]\d{0,2}").any())
        if comma.any():
            some = plain[comma]
            mixed = some[dot[comma]]
            english = mixed.str.rfind(".") > mixed.str.rfind(",")
            single = some[~dot[comma]]
            converted = single.str.replace(",", ".", regex=False)
            parsed = pd.to_numeric(converted, errors="coerce")
            self.commas |= bool(parsed.notna().any())
            self.grouped &= all(_THOUSANDS.fullmatch(t) for t in single[parsed.notna()])
            both = pd.Series(
                [
                    t.replace(",", "") if e else t.replace(".", "").replace(",", ".")
                    for t, e in zip(mixed, english, strict=True)
                ],
                mixed.index,
                dtype=object,
            )
            also = pd.to_numeric(both, errors="coerce")
            if also.notna().any():
                self.told = True
                self.dots |= bool(english[also.notna()].any())
                self.commas |= bool((~english[also.notna()]).any())
            at = np.flatnonzero(comma.to_numpy())
            values[at] = pd.concat([parsed, also]).reindex(some.index).to_numpy(np.float64)
        values[~np.isfinite(values)] = np.nan
        if not self.numbers and len(values) and np.isnan(values[0]):
            self.first = str(texts.iloc[0])[:80]
        timed = self.role in ("date", "time", "step time")
        if timed and not self.numbers and np.isnan(values).mean() > 0.5:
            self.texts = []
        if self.texts is not None:
            self.texts += texts.tolist()
        self.numbers.append(values)


def read_cells(
    path: Path,
    body: bytes,
    separator: str,
    titles: dict[Role, Title],
    width: int,
    encoding: str,
) -> dict[Role, Cells]:
    """Read the columns that are known.

    Parameters
    ----------
    body : bytes
        What follows the titles.
    separator : str
        As pandas has it.
    titles : dict
        The columns that are wanted.
    width : int
        Number of titles.

    Raises
    ------
    InvalidInput
        If there are no lines with all of them, decimal signs are mixed, or lines are joined by
        quotation marks.
    """
    columns = {role: _Column(role=role) for role in titles}
    lines = sum(1 for _ in re.finditer(rb"[^\s][^\n]*", body))
    if not lines:
        raise InvalidInput(f"{path}: there is nothing to read in it: no lines below the titles")
    _not_both_commas(path, body, separator, width)
    seen = 0
    try:
        with pd.read_csv(
            io.BytesIO(body),
            sep=separator,
            header=None,
            names=list(range(max(one.column for one in titles.values()) + 1)),
            index_col=False,
            usecols=sorted({one.column for one in titles.values()}),
            encoding=encoding,
            encoding_errors="replace",
            on_bad_lines="skip",
            skipinitialspace=True,
            na_filter=False,
            dtype=str,
            chunksize=_LINES,
        ) as reader:
            for frame in reader:
                seen += len(frame)
                for role, one in titles.items():
                    columns[role].add(frame[one.column].reset_index(drop=True))
    except Exception as error:  # pandas raises many kinds
        what = " ".join(str(error).split())[:100]
        raise InvalidInput(
            f"{path}: the lines below the titles do not have their columns ({what})"
        ) from None
    if lines - seen > _STRAYS:
        raise InvalidInput(
            f"{path}: of {lines} lines below the titles only {seen} can be told apart: are there "
            "quotation marks that are not closed?"
        )
    dots = any(c.dots for c in columns.values())
    told = any(c.told or (c.commas and not c.grouped) for c in columns.values())
    return {role: _decided(path, c, titles[role], dots, told) for role, c in columns.items()}


def _decided(path: Path, column: _Column, one: Title, dots: bool, told: bool) -> Cells:
    numbers = np.concatenate(column.numbers)
    notes: tuple[str, ...] = ()
    if column.commas and column.grouped:
        what = f"commas in {one.name} may stand for decimals or for thousands"
        if dots or (column.whole and not told):
            why = "the table has decimal points" if dots else "there are whole numbers beside them"
            raise InvalidInput(f"{path}: {what}, as {why} too: take them out")
        notes = () if told else (f"{what}; they are taken for decimals",)
    if column.commas and column.dots:
        raise InvalidInput(f"{path}: {one.name} has decimal points and decimal commas")
    return Cells(
        numbers=numbers, texts=column.texts, first=column.first, name=one.name, notes=notes
    )


def _not_both_commas(path: Path, body: bytes, separator: str, width: int) -> None:
    """Refuse decimal commas in a table with commas between the columns.

    Raises
    ------
    InvalidInput
    """
    if separator != ",":
        return
    lines = [line for line in body[: 1 << 16].split(b"\n")[:200] if line.strip()]
    counts = [line.rstrip(b", \r").count(b",") + 1 for line in lines if b'"' not in line]
    if counts and width > 1 and sum(c == 2 * width for c in counts) > len(counts) / 2:
        raise InvalidInput(
            f"{path}: its lines have {2 * width} cells for {width} titles: commas are both the "
            "decimal sign and between the columns. Export it with semicolons or tabs"
        )
