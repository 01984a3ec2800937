"""The tags of a little-endian classic TIFF file, read with bounds on everything.

Only what Park needs: the first directory that has Park's magic number. The page image of such a
file is a thumbnail; curves and images lie in private tags.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from nrm_plugin.errors import CorruptFile, MissingFile, NrmError

MAGIC, VERSION = 50432, 50433
IMAGE_DATA, IMAGE_HEADER = 50434, 50435
COMMENTS = 50436
SPECTROSCOPY_HEADER, SPECTROSCOPY_DATA = 50438, 50439
SOFTWARE, DATE_TIME = 305, 306
STRIP_OFFSETS, STRIP_LENGTHS = 273, 279

_PARK = 0x0E031301

#: No file has as many of them; more come from damaged bytes.
_MOST_DIRECTORIES = 64
_MOST_FIELDS = 4096
_LONGEST_TEXT = 1 << 16

#: Values of one number may lie in one place, bytes.
_SHORT = 16

_ENTRY = struct.Struct("<HHII")
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}


@dataclass(frozen=True)
class Field:
    """The value of a tag: numbers of one kind, and the bytes where they lie."""

    kind: int
    count: int
    offset: int

    @property
    def length(self) -> int:
        """Length in bytes."""
        return _WIDTHS.get(self.kind, 1) * self.count

    @property
    def end(self) -> int:
        """Byte behind the value."""
        return self.offset + self.length


@dataclass(frozen=True)
class Tiff:
    """One directory of a TIFF file.

    Attributes
    ----------
    path : Path
    size : int
        Length of the file.
    fields : dict of int to Field
        By the number of the tag.
    """

    path: Path
    size: int
    fields: dict[int, Field]

    def check(self) -> None:
        """Check that all values and the strips of the thumbnail lie within the file.

        The thumbnail is the last thing in a file, and shows that nothing was cut off.

        Raises
        ------
        CorruptFile
        """
        for tag, field in self.fields.items():
            if field.end > self.size:
                raise CorruptFile(
                    self.path, self.size, f"tag {tag} up to byte {field.end}", "the end of the file"
                )
        offsets, lengths = self.integers(STRIP_OFFSETS), self.integers(STRIP_LENGTHS)
        strips = [(a, a + n) for a, n in zip(offsets, lengths, strict=False)]
        places = [(f.offset, f.end, tag) for tag, f in self.fields.items() if f.length > 4]
        places = sorted([*places, *((*strip, STRIP_OFFSETS) for strip in strips)])
        for (_, end, tag), (offset, other_end, other) in pairwise(places):
            # Short values may be shared.
            if offset < end and max(end, other_end) - offset > _SHORT:
                what = f"tag {other} behind tag {tag}, which ends at byte {end}"
                raise CorruptFile(self.path, offset, what, "both in one place")
        end = max((end for _, end in strips), default=0)
        if end > self.size:
            raise CorruptFile(
                self.path, self.size, f"the thumbnail up to byte {end}", "the end of the file"
            )

    def bytes(self, tag: int, most: int) -> bytes:
        """Return a value's bytes, up to `most` of them; empty if there is no such tag."""
        field = self.fields.get(tag)
        if field is None:
            return b""
        with self.path.open("rb") as file:
            file.seek(field.offset)
            return file.read(min(field.length, most))

    def integers(self, tag: int) -> list[int]:
        """Whole numbers of a tag, the first 4096 of them; empty if there is none."""
        field = self.fields.get(tag)
        if field is None or field.kind not in _INTEGERS:
            return []
        width = _WIDTHS[field.kind]
        data = self.bytes(tag, width * _MOST_FIELDS)
        count = len(data) // width
        return list(struct.unpack(f"<{count}{_INTEGERS[field.kind]}", data[: count * width]))

    def integer(self, tag: int) -> int | None:
        """First whole number of a tag, or None."""
        return next(iter(self.integers(tag)), None)

    def text(self, tag: int) -> str:
        """Text of a tag, up to its first NUL; Park writes both bytes and UTF-16."""
        data = self.bytes(tag, _LONGEST_TEXT)
        wide = len(data) > 3 and not any(data[1:8:2])
        text = data.decode("utf-16-le" if wide else "utf-8", "replace")
        return text.split("\0")[0].strip()


def is_park(path: Path) -> bool:
    """Whether the file is a TIFF with Park's magic number in any of its directories."""
    try:
        read_tiff(path)
    except (NrmError, OSError):
        return False
    return True


def read_tiff(path: Path) -> Tiff:
    """Find the directory that has Park's magic number.

    Raises
    ------
    CorruptFile
        If directories are damaged or none has it.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            for fields in _directories(path, file, size):
                found = Tiff(path, size, fields)
                if found.integer(MAGIC) == _PARK:
                    return found
    except OSError as error:
        raise MissingFile(path, error) from None
    raise CorruptFile(path, None, "a directory with Park's private tags", "none")


def _directories(path: Path, file: BinaryIO, size: int) -> Iterator[dict[int, Field]]:
    """Walk along the chain of directories."""
    head = file.read(8)
    if len(head) < 8 or head[:4] != b"II*\0":
        raise CorruptFile(path, 0, "a little-endian TIFF file", head[:4])
    offset: int = struct.unpack("<I", head[4:])[0]
    seen: set[int] = set()
    while offset:
        if offset in seen or len(seen) >= _MOST_DIRECTORIES:
            raise CorruptFile(path, offset, "a chain of directories that ends", "a loop")
        seen.add(offset)
        file.seek(offset)
        start = file.read(2)
        count = int.from_bytes(start, "little")
        length = count * _ENTRY.size + 4
        if len(start) < 2 or not 0 < count <= _MOST_FIELDS or offset + 2 + length > size:
            raise CorruptFile(path, offset, "a directory of tags", f"{count} tags to the end")
        data = file.read(length)
        yield {
            tag: Field(kind, n, place)
            for tag, kind, n, place in _entries(data[:-4], offset + 2)
            if kind in _WIDTHS
        }
        offset = int.from_bytes(data[-4:], "little")


def _entries(data: bytes, begin: int) -> Iterator[tuple[int, int, int, int]]:
    """Tag, kind, count and place of the value: values of up to 4 bytes lie in the entry."""
    for number, (tag, kind, count, value) in enumerate(_ENTRY.iter_unpack(data)):
        inside = _WIDTHS.get(kind, 1) * count <= 4
        yield tag, kind, count, begin + number * _ENTRY.size + 8 if inside else value
