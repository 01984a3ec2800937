"""The text of a .nid file, and where its sets of numbers lie behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nrm_plugin.columns import FileStamp, IntArray, read_into
from nrm_plugin.errors import CorruptFile, InvalidInput, MissingFile

#: Between the text and the numbers.
_MARK = b"#!"

#: Longest text that is looked through, bytes; a map of 100 curves has 150,000.
_LONGEST = 1 << 26

_PIECE = 1 << 20

_MOST_GROUPS, _MOST_CHANNELS = 4096, 64

#: No range or count of an instrument is as large.
_LARGEST = 1e30

Section = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class NidSet:
    """One signal of one group: lines of points.

    Attributes
    ----------
    group, signal, unit : str
    order : int
        Number of the channel in its group.
    begin : int
        Byte of its first number.
    bits, points, lines : int
    low, span : float
        What the numbers' range means: ``value = raw / 2^bits * span + low + span / 2``.
    section : dict
    """

    group: str
    signal: str
    unit: str
    order: int
    begin: int
    bits: int
    points: int
    lines: int
    low: float
    span: float
    section: Section

    @property
    def gain(self) -> float:
        """Value of one count."""
        return self.span / 2.0**self.bits

    @property
    def offset(self) -> float:
        """Value of the count 0."""
        return self.low + self.span / 2.0

    def lengths(self) -> IntArray:
        """Points of each line that were measured."""
        out = np.full(self.lines, self.points, np.int64)
        for line in range(self.lines):
            text = self.section.get(f"LineDim{line}Points")
            if text is not None and text.strip().isdecimal():
                out[line] = min(int(text), self.points)
        return out

    def ramp(self, line: int) -> tuple[float, float]:
        """First commanded value of a line and its range; nan where the file does not say."""
        return tuple(  # type: ignore[return-value]
            number(self.section, f"LineDim{line}{what}") for what in ("Min", "Range")
        )


@dataclass(frozen=True, kw_only=True)
class NidFile:
    """A file's text and its sets of numbers.

    Attributes
    ----------
    stamp : FileStamp
    text : str
    sections : dict of str to dict
    sets : list of NidSet
    """

    stamp: FileStamp
    text: str
    sections: dict[str, Section]
    sets: list[NidSet]


def number(section: Mapping[str, str], key: str) -> float:
    """Value as a number, nan where there is none that can be meant."""
    try:
        value = float(section[key])
    except (KeyError, ValueError):
        return math.nan
    return value if abs(value) < _LARGEST else math.nan


def read_nid(path: Path) -> NidFile:
    """Read the text, and lay out the numbers behind it.

    Raises
    ------
    CorruptFile
        If the numbers do not fill the rest of the file.
    """
    try:
        stamp = FileStamp.of(path)
    except OSError as error:
        raise MissingFile(path, error) from None
    data = b""
    with stamp.opened() as file:
        while _MARK not in data[-_PIECE - 1 :]:
            left = stamp.size - len(data)
            if not left or len(data) >= _LONGEST:
                raise CorruptFile(path, len(data), "the mark #! behind the text", "none")
            piece = np.empty(min(_PIECE, left), np.uint8)
            read_into(file, len(data), piece)
            data += piece.tobytes()
    end = data.index(_MARK)
    try:
        text = data[:end].decode("utf-8")
    except UnicodeDecodeError:
        text = data[:end].decode("latin-1")
    sections = _sections(text)
    return NidFile(
        stamp=stamp, text=text, sections=sections, sets=_sets(stamp, sections, end + len(_MARK))
    )


def _sections(text: str) -> dict[str, Section]:
    out: dict[str, Section] = {}
    here: Section = {}
    for line in text.splitlines():
        if line.startswith("[") and line.endswith("]"):
            here = out.setdefault(line[1:-1], {})
        else:
            key, sign, value = line.partition("=")
            if sign:
                here.setdefault(key, value)
    return out


def _sets(stamp: FileStamp, sections: Mapping[str, Section], begin: int) -> list[NidSet]:
    overview = sections.get("DataSet", {})
    count = number(overview, "GroupCount")
    if not 0 <= count <= _MOST_GROUPS:
        raise CorruptFile(stamp.path, None, f"up to {_MOST_GROUPS} groups", f"{count:g}")
    out: list[NidSet] = []
    for group in range(int(count)):
        for channel in range(_MOST_CHANNELS):
            name = overview.get(f"Gr{group}-Ch{channel}")
            section = sections.get(name or "")
            if section is None:
                continue
            bits, points, lines = (number(section, k) for k in ("SaveBits", "Points", "Lines"))
            if section.get("SaveMode", "Binary") != "Binary" or bits not in (8, 16, 32):
                raise InvalidInput(
                    f"{stamp.path}: {name} is saved as {section.get('SaveMode')} of {bits:g} bits, "
                    "which is not read: save it again as binary numbers of 16 or 32 bits"
                )
            if section.get("SaveOrder", "Intel") != "Intel" or not points >= 0 or not lines >= 0:
                raise CorruptFile(stamp.path, None, f"points and lines of {name}", "none")
            size = points * lines * bits / 8
            if begin + size > stamp.size:
                more = f"{begin + size - stamp.size:.0f} bytes more of {name}"
                raise CorruptFile(stamp.path, stamp.size, more, "the end of the file")
            out.append(
                NidSet(
                    group=overview.get(f"Gr{group}-Name", ""),
                    signal=section.get("Dim2Name", ""),
                    unit=section.get("Dim2Unit", ""),
                    order=channel,
                    begin=begin,
                    bits=int(bits),
                    points=int(points),
                    lines=int(lines),
                    low=number(section, "Dim2Min"),
                    span=number(section, "Dim2Range"),
                    section=section,
                )
            )
            begin += int(size)
    if begin != stamp.size:
        raise CorruptFile(stamp.path, begin, "the end of the file", f"{stamp.size - begin} bytes")
    return out
