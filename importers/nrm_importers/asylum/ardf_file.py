"""Pieces of an ARDF file: tables, notes, images, and where the curves of its volumes lie.

Everything is little-endian. A piece has a heading of 16 bytes: the CRC-32 of all that follows it
in the piece, the piece's length, four letters, and a number. A table's piece is followed by its
entries, each of which is a piece, too; what is left of the table is zeros. The layout follows
public descriptions of it (MathWorks File Exchange 80212 by M. Poss among them), which agree.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO

import numpy as np

from nrm_plugin.columns import FileStamp, read_into
from nrm_plugin.errors import CorruptFile

HEADING = 16

#: Places for borders of parts at the head of a channel.
BORDERS = 5
_TABLE = 32

#: Longest piece that is read whole, bytes; notes have some 50,000.
_LONGEST = 1 << 22

#: Most entries of a table.
_MOST = 1 << 20

#: Most rows of an image.
_MOST_ROWS = 1 << 14


@dataclass(frozen=True, slots=True)
class ArdfPiece:
    """A piece: its four letters, where it begins, its length, and its bytes behind the heading."""

    name: str
    at: int
    size: int
    body: bytes

    @property
    def end(self) -> int:
        """Byte behind it."""
        return self.at + self.size


@dataclass(frozen=True, kw_only=True)
class ArdfImage:
    """An image: rows of float32, the bottom one first.

    Attributes
    ----------
    name, unit : str
    columns, rows : int
    begin, stride : int
        Byte of the first number, and bytes from row to row.
    size : (float, float), (str, str)
        Extent in x and y, and their units.
    """

    name: str
    unit: str
    columns: int
    rows: int
    begin: int
    stride: int
    size: tuple[float, float]
    size_units: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class ArdfVolume:
    """What a volume says of its curves.

    Attributes
    ----------
    points, lines : int
        Curves of a line, and lines, as planned.
    steps : (float, float, float)
        From curve to curve in x and y, and from sample to sample.
    units : (str, str, str)
        Those of the steps.
    parts : list of str
        Names of a curve's parts.
    channels : list of (str, str)
        Names and units.
    extras : list of str
        Names of the single values that each curve may have.
    announced : int
        How many curves there are.
    first : list of (int, int)
        Number of each line, and where its first curve lies.
    """

    points: int
    lines: int
    steps: tuple[float, float, float]
    units: tuple[str, str, str]
    parts: list[str]
    channels: list[tuple[str, str]]
    extras: list[str]
    announced: int
    first: list[tuple[int, int]]


class ArdfFile:
    """An ARDF file, open for as long as its pieces are looked at.

    Attributes
    ----------
    entries : list of (str, int)
        Letters and places of its images and volumes.
    note : str
    ended : bool
        Whether a curve was looked for behind the end of the file.

    Raises
    ------
    CorruptFile
        If pieces are not where tables say, or are not what was written.
    """

    def __init__(self, stamp: FileStamp, file: FileIO) -> None:
        self.stamp, self.file, self.path, self.ended = stamp, file, stamp.path, False
        head = self.piece(0, "ARDF")
        entries, end = self.table(head.end, "FTOC")
        self.entries = [(name, pointer) for name, (pointer, *_) in entries]
        texts, _ = self.table(end, "TTOC")
        self.note = self._text(texts[0][1][-1]) if texts else ""

    def bytes_at(self, at: int, count: int) -> bytes:
        """Bytes from a place on."""
        if at < 0 or at + count > self.stamp.size:
            raise CorruptFile(self.path, at, f"{count} bytes", "the end of the file")
        buffer = np.empty(count, np.uint8)
        read_into(self.file, at, buffer)
        return buffer.tobytes()

    def heading(self, at: int) -> tuple[str, int]:
        """Letters and length of the piece at a place; no letters where the file ends."""
        if at < 0 or at + HEADING > self.stamp.size:
            return "", 0
        _, size, name, _ = struct.unpack("<II4sI", self.bytes_at(at, HEADING))
        return name.decode("latin-1"), size

    def piece(self, at: int, *names: str) -> ArdfPiece:
        """Read a piece whole and hold it against its CRC."""
        name, size = self.heading(at)
        if name not in names or not HEADING <= size <= _LONGEST:
            found = f"{name!r} of {size} bytes" if name else "the end of the file"
            raise CorruptFile(self.path, at, f"a piece {' or '.join(names)}", found)
        data = self.bytes_at(at, size)
        self._check(at, data)
        return ArdfPiece(name, at, size, data[HEADING:])

    def _check(self, at: int, data: bytes) -> None:
        (told,) = struct.unpack_from("<I", data)
        if zlib.crc32(data[4:]) != told:
            raise CorruptFile(self.path, at, f"bytes with the CRC {told:08x}", "others")

    def table(self, at: int, name: str) -> tuple[list[tuple[str, tuple[int, ...]]], int]:
        """Entries of a table, each its letters and its numbers, and the byte behind the table."""
        head = self.piece(at, name)
        if len(head.body) < HEADING:
            raise CorruptFile(self.path, at, f"{_TABLE} bytes of a table", f"{head.size}")
        total, count, stride = struct.unpack_from("<QII", head.body)
        form = {24: "<Q", 32: "<QQ", 40: "<IIQQ"}.get(stride)
        if form is None or count > _MOST or total != head.size + count * stride:
            what = f"{count} entries of {stride} bytes in {total}"
            raise CorruptFile(self.path, at, "a table with entries", what)
        data = self.bytes_at(head.end, count * stride)
        entries = []
        for begin in range(0, len(data), stride):
            one = data[begin : begin + stride]
            if not any(one[:HEADING]):
                break  # the rest is not filled in
            self._check(head.end + begin, one)
            letters = one[8:12].decode("latin-1")
            entries.append((letters, struct.unpack_from(form, one, HEADING)))
        return entries, at + total

    def _text(self, at: int) -> str:
        body = self.piece(at, "TEXT").body
        if len(body) < 8:
            raise CorruptFile(self.path, at, "a note", f"{len(body)} bytes")
        (count,) = struct.unpack_from("<I", body, 4)
        return body[8 : 8 + count].decode("cp1252", "replace")

    def image(self, at: int) -> ArdfImage:
        """Look at an image."""
        _, end = self.table(at, "IMAG")
        _, end = self.table(end, "TTOC")
        own = self.piece(end, "IDEF")
        if len(own.body) < 168:
            raise CorruptFile(self.path, end, "168 bytes that define an image", f"{len(own.body)}")
        columns, rows, x, y = struct.unpack_from("<II16xdd", own.body)
        texts = [_name(own.body[i : i + 32]) for i in range(40, 168, 32)]
        box = self.piece(own.end, "IBOX")
        if len(box.body) < HEADING:
            raise CorruptFile(self.path, box.at, "a table of rows", f"{box.size} bytes")
        _, count, stride = struct.unpack_from("<QII", box.body)
        fits = count == rows and stride == HEADING + 4 * columns
        if not fits or not rows or not columns or rows > _MOST_ROWS:
            what = f"{count} of {stride} bytes"
            raise CorruptFile(self.path, box.at, f"{rows} rows of {columns} numbers", what)
        if box.end + count * stride > self.stamp.size:
            raise CorruptFile(self.path, self.stamp.size, f"{rows} rows", "the end of the file")
        return ArdfImage(
            name=texts[2],
            unit=texts[3],
            columns=columns,
            rows=rows,
            begin=box.end + HEADING,
            stride=stride,
            size=(x * columns, y * rows),
            size_units=(texts[0], texts[1]),
        )

    def volume(self, at: int) -> ArdfVolume:
        """Look at what a volume says of its curves; they are not looked at."""
        entries, end = self.table(at, "VOLM")
        announced = next((numbers[0] for name, numbers in entries if name == "NSET"), 0)
        _, end = self.table(end, "TTOC")
        own = self.piece(end, "VDEF")
        if len(own.body) < 184:
            raise CorruptFile(self.path, end, "184 bytes that define a volume", f"{len(own.body)}")
        points, lines, *steps = struct.unpack_from("<II24xddd", own.body)
        texts = [_name(own.body[i : i + 32]) for i in range(56, 184, 32)]
        channels, extras, end = self._columns(own.end)
        lines_of, _ = self.table(end, "VTOC")
        first = [(line, pointer) for _, (_, line, _, pointer) in lines_of if pointer]
        return ArdfVolume(
            points=points,
            lines=lines,
            steps=(steps[0], steps[1], steps[2]),
            units=(texts[0], texts[1], texts[2]),
            parts=[part for part in texts[3].split(";") if part],
            channels=channels,
            extras=extras,
            announced=announced,
            first=first,
        )

    def _columns(self, at: int) -> tuple[list[tuple[str, str]], list[str], int]:
        """Channels of a volume, names of single values, and the byte behind them."""
        channels: list[tuple[str, str]] = []
        while True:
            one = self.piece(at, "VCHN", "XDEF")
            at = one.end
            if one.name == "XDEF":
                break
            channels.append((_name(one.body[:32]), _name(one.body[32:64])))
            if len(channels) > 64:
                raise CorruptFile(self.path, at, "up to 64 channels", "more")
        (count,) = struct.unpack_from("<I", one.body.ljust(8, b"\0"), 4)
        text = one.body[8 : 8 + count].decode("cp1252", "replace")
        return channels, [name for name in text.split(";") if name], at


def _name(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("cp1252", "replace").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArdfCurve:
    """A curve: its place in the file and on the map, and where its channels' numbers begin.

    Attributes
    ----------
    at, next : int
        Its own first byte and that of the curve behind it.
    line, point, kind : int
    count : int
        Samples.
    borders : tuple of int
        Where its parts begin; zeros for parts that it has not.
    begins : dict of int to int
        Byte of the first sample by the channel's number.
    extras : tuple of float
    """

    at: int
    next: int
    line: int
    point: int
    kind: int
    count: int
    borders: tuple[int, ...]
    begins: dict[int, int]
    extras: tuple[float, ...]


def read_curve(file: ArdfFile, at: int) -> ArdfCurve:
    """Read what stands at the heads of a curve's pieces; its samples are not read.

    Raises
    ------
    CorruptFile
        If its channels have different numbers of samples, or are cut off.
    """
    own = file.piece(at, "VSET")
    if len(own.body) < 32:
        raise CorruptFile(file.path, at, "32 bytes of a curve", f"{len(own.body)}")
    _, line, point, kind, _, following = struct.unpack_from("<IIIIQQ", own.body)
    begins: dict[int, int] = {}
    counts: set[int] = set()
    borders: tuple[int, ...] = ()
    extras: tuple[float, ...] = ()
    place = own.end
    while True:
        name, size = file.heading(place)
        if name not in ("VNAM", "VDAT", "XDAT") or size < HEADING:
            break
        if name == "VDAT":
            numbers = struct.unpack("<10I", file.bytes_at(place + HEADING, 40))
            count, channel = numbers[3], numbers[4]
            if size < 56 + 4 * count or place + size > file.stamp.size:
                raise CorruptFile(file.path, place, f"{count} samples", f"{size} bytes")
            begins[channel] = place + 56
            counts.add(count)
            borders = borders or numbers[5:]
        elif name == "XDAT":
            body = file.piece(place, "XDAT").body
            (count,) = struct.unpack_from("<I", body.ljust(HEADING, b"\0"), 12)
            count = min(count, (len(body) - HEADING) // 8)
            extras = struct.unpack_from(f"<{count}d", body, HEADING) if count > 0 else ()
        place += size
    if len(counts) > 1:
        raise CorruptFile(file.path, at, "channels of one length", f"{sorted(counts)[:4]}")
    return ArdfCurve(
        at=at,
        next=following,
        line=line,
        point=point,
        kind=kind,
        count=counts.pop() if counts else 0,
        borders=borders,
        begins=begins,
        extras=extras,
    )


def curves_of_line(file: ArdfFile, at: int, line: int, points: int) -> Iterator[ArdfCurve]:
    """Curves of a line, in the order of time, as far as they were measured."""
    kind = None
    for _ in range(points):
        if file.heading(at)[0] != "VSET":
            file.ended = file.ended or at + HEADING > file.stamp.size
            return
        one = read_curve(file, at)
        if one.line != line or (kind is not None and one.kind != kind):
            return
        if one.point >= points:
            raise CorruptFile(file.path, at, f"one of {points} points of a line", one.point)
        yield one
        kind = one.kind
        if one.next <= at:
            return
        at = one.next
