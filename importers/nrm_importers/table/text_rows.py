"""Rows of a table of text, read in pieces: memory goes with the numbers, not with the text."""

from __future__ import annotations

import codecs
import io
import re
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nrm_importers.table.source_table import as_given
from nrm_plugin.columns import AnyArray, IntArray
from nrm_plugin.errors import InvalidInput

#: Signs of text, and cells, that are held at once.
_PIECE, _CELLS = 1 << 20, 1 << 18

#: No line is longer.
_LONGEST_LINE = 1 << 24

#: Texts up to so many bytes are kept packed; longer ones are Python's.
_PACKED = 64


class TextLines:
    """Lines of a file of text.

    Attributes
    ----------
    path : Path
    encoding : str
        UTF-8 where all of it is, UTF-16 where a mark says so, else Latin-1.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            start = file.read(3)
            self._mark = 3 if start == codecs.BOM_UTF8 else 0
            self.encoding = "utf-8"
            if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                self.encoding = "utf-16"
                return
            file.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")()
            try:
                while piece := file.read(_PIECE):
                    decoder.decode(piece)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                self.encoding = "latin-1"

    def pieces(self) -> Iterator[list[str]]:
        """Yield whole lines, about `_PIECE` signs at once.

        Raises
        ------
        InvalidInput
            If a line has no end.
        """
        with self.path.open("rb") as raw:
            raw.seek(self._mark)
            text = io.TextIOWrapper(raw, self.encoding, errors="replace", newline="")
            rest = ""
            while piece := text.read(_PIECE):
                lines = (rest + piece).splitlines(keepends=True)
                rest = lines.pop()
                if len(rest) > _LONGEST_LINE:
                    raise InvalidInput(
                        f"{self.path}: a line of more than {_LONGEST_LINE} signs is no row of a "
                        "table"
                    )
                yield [line.rstrip("\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029") for line in lines]
            yield rest.splitlines()

    def behind(self, first: int) -> Iterator[list[str]]:
        """Yield pieces from a line on."""
        for lines in self.pieces():
            if first < len(lines):
                yield lines[first:] if first else lines
            first = max(0, first - len(lines))


class TextRows:
    """Rows as pandas reads them, without the titles that stand again above each curve.

    Parameters
    ----------
    lines : TextLines
    first : int
        Line of the first row.
    headings : tuple of str
        Lines that are no rows; empty where none of them stands again.

    Attributes
    ----------
    curves : list of int
        Row at which each curve begins.
    rows : int
        Rows that were given; only counted with `headings`.
    """

    def __init__(self, lines: TextLines, first: int, headings: tuple[str, ...]) -> None:
        self._pieces, self._headings = lines.behind(first), headings
        self._text, self._at = "", 0
        self.curves, self.rows = [0], 0

    def read(self, count: int = -1) -> str:
        """Return the next signs; fewer than asked for where a piece ends."""
        while self._at >= len(self._text):
            lines = next(self._pieces, None)
            if lines is None:
                return ""
            kept = self._without_headings(lines) if self._headings else lines
            self._text, self._at = "\n".join(kept) + "\n" if kept else "", 0
        begin, self._at = self._at, len(self._text) if count < 0 else self._at + count
        return self._text[begin : self._at]

    def __iter__(self) -> Iterator[str]:
        """Yield lines; pandas asks whether it could."""
        while text := self.read():
            yield from text.splitlines(keepends=True)

    def _without_headings(self, lines: list[str]) -> list[str]:
        kept = []
        for line in lines:
            text = line.strip()
            if text == self._headings[0]:
                if self.rows > self.curves[-1]:
                    self.curves.append(self.rows)
            elif text and text not in self._headings and not text.startswith("#"):
                kept.append(line)
                self.rows += 1
        return kept


def read_columns(
    open_rows: Callable[[], TextRows], width: int, options: dict[str, Any]
) -> tuple[list[Callable[[], AnyArray]], int, IntArray | None]:
    """Read rows: what gives each column's values, how many rows, and each row's curve if told.

    Parameters
    ----------
    open_rows : callable
        Begins with the first row; called again where a column of numbers turns out to be one of
        texts.
    width : int
        Columns.
    options : dict
        For `pandas.read_csv`.

    Raises
    ------
    ValueError, OverflowError
        As pandas does for rows of other widths.
    """
    texts: set[int] = set()
    while True:
        columns = _columns(rows := open_rows(), width, texts, options)
        if columns is not None:
            break
    length = sum(map(len, columns[0]))
    curve = None
    if len(rows.curves) > 1 and rows.rows == length:
        starts = np.array([*rows.curves, length])
        curve = np.repeat(np.arange(len(rows.curves)), np.diff(starts))
    made: list[Callable[[], AnyArray]] = []
    for i in range(width):
        pieces, columns[i] = columns[i], []
        made.append(partial(_unpacked, pieces) if i in texts else partial(as_given, _one(pieces)))
    return made, length, curve


def _columns(
    rows: TextRows, width: int, texts: set[int], options: dict[str, Any]
) -> list[list[AnyArray]] | None:
    """Pieces of every column; None, and more `texts`, where numbers are followed by texts."""
    import pandas as pd

    columns: list[list[AnyArray]] = [[] for _ in range(width)]
    more = False
    # First rows that are longer than the others would lose cells, with this warning alone.
    with (
        warnings.catch_warnings(),
        pd.read_csv(
            rows,
            header=None,
            names=range(width),
            index_col=False,
            dtype=dict.fromkeys(texts, str),
            chunksize=max(256, _CELLS // width),
            low_memory=False,
            **options,
        ) as reader,
    ):
        warnings.simplefilter("error", pd.errors.ParserWarning)
        for number, frame in enumerate(reader):
            for i in range(width):
                values = np.array(frame[i])
                numeric = values.dtype.kind in "iuf"
                if i not in texts and not numeric:
                    more = more or number > 0 or values.dtype.kind == "b"
                    texts.add(i)
                if not more:
                    columns[i].append(values if i not in texts else _packed(values))
    return None if more else columns


def _one(pieces: list[AnyArray]) -> AnyArray:
    """Pieces as one array, of one type."""
    out = np.empty(sum(map(len, pieces)), np.result_type(*pieces))
    at = 0
    pieces.reverse()
    while pieces:
        piece = pieces.pop()
        out[at : at + len(piece)] = piece
        at += len(piece)
    return out


def _packed(values: AnyArray) -> AnyArray:
    """Short texts as bytes of one length; others as they are."""
    if not all(isinstance(v, str) for v in values):
        return values
    encoded = [v.encode("utf-8", "surrogatepass") for v in values]
    longest = max(map(len, encoded), default=0)
    return np.array(encoded, f"S{max(longest, 1)}") if longest <= _PACKED else values


def _unpacked(pieces: list[AnyArray]) -> AnyArray:
    """Texts of a column; equal ones are one object."""
    same: dict[Any, Any] = {}
    out = np.empty(sum(map(len, pieces)), object)
    at = 0
    for piece in pieces:
        for value in piece.tolist():
            text = value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value
            out[at] = same.setdefault(text, text)
            at += 1
    return out


def comma_numbers(lines: TextLines, first: int, separator: str | None) -> Iterator[str]:
    """Yield the cells from a line on that are numbers with a comma."""
    edge = r"\s" if separator is None else rf"{re.escape(separator)}\s\""
    number = rf"(?:^|(?<=[{edge}]))[-+]?\d*,\d+(?:[eE][-+]?\d+)?(?=[{edge}]|$)"
    pattern = re.compile(number, re.MULTILINE)
    for text in map("\n".join, lines.behind(first)):
        if "," in text:
            yield from (match[0] for match in pattern.finditer(text))
