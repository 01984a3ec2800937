"""The objects of a Gwyddion file and where their numbers lie; the numbers themselves stay there.

Three containers, all little endian::

    GWYP   Gwyddion 2       sizes and counts of 32 bits
    GWYQ   Gwyddion 3       sizes and counts of 64 bits
    GWYO   Gwyddion 1       as GWYP, but the items of the outermost container begin with GLib's
                            number of their type, and have no letter

An object is its class name, NUL, the size of its body, and the body: items one behind the other,
each a name, NUL, a letter for the type, and the value. Every object states its size, so an object
is passed over without being looked into, and only those that are asked for are taken apart.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from nrm_plugin.columns import AnyArray, FileStamp
from nrm_plugin.errors import CorruptFile, MissingFile

MAGICS = (b"GWYP", b"GWYQ", b"GWYO")

_SCALARS = {"b": 1, "c": 1, "h": 2, "i": 4, "q": 8, "f": 4, "d": 8}
_FORMATS = {"c": "b", "h": "<h", "i": "<i", "q": "<q", "f": "<f", "d": "<d"}
_ARRAYS: dict[str, np.dtype[Any]] = {
    "B": np.dtype("u1"),
    "C": np.dtype("i1"),
    "H": np.dtype("<i2"),
    "I": np.dtype("<i4"),
    "Q": np.dtype("<i8"),
    "F": np.dtype("<f4"),
    "D": np.dtype("<f8"),
}

#: GLib's numbers of its fundamental types, as a GWYO container has them.
_OLD_TYPES = {
    12: "c",
    16: "c",
    20: "b",
    24: "i",
    28: "i",
    40: "q",
    44: "q",
    60: "d",
    64: "s",
    80: "o",
}

_CLASS = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")

#: Bytes that are looked at in one go.
_WINDOW = 1 << 16

#: Longest name of an item or a class, and longest text that is kept.
_LONGEST_NAME = 4096
_LONGEST_TEXT = 1 << 24

#: Items, texts and objects that are looked at in one file. The largest sets of single spectra stay
#: below; without a bound, the smallest items in a large damaged file would fill the memory.
_MOST_ITEMS = 1_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """A value's type, the byte at which it begins, and how many bytes or elements it has."""

    code: str
    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """An array of numbers in the file."""

    offset: int
    count: int
    dtype: np.dtype[Any]


class GwyFile:
    """An open file, read through a window."""

    def __init__(self, file: FileIO, stamp: FileStamp) -> None:
        self.file, self.stamp, self.path = file, stamp, stamp.path
        self.wide = False
        self._at, self._window, self._spent = 0, b"", 0

    def corrupt(self, offset: int, expected: object, found: object) -> CorruptFile:
        """Return the error for something that cannot be at a place."""
        return CorruptFile(self.path, offset, expected, found)

    def spend(self, offset: int, count: int = 1) -> None:
        """Count what is looked at."""
        self._spent += count
        if self._spent > _MOST_ITEMS:
            raise self.corrupt(offset, f"at most {_MOST_ITEMS} items in all", "more")

    def take(self, offset: int, count: int) -> bytes:
        """Return `count` bytes, which the caller knows to be few and inside the file."""
        begin = offset - self._at
        if begin < 0 or begin + count > len(self._window):
            self._load(offset, max(count, _WINDOW))
            begin = 0
            if len(self._window) < count:
                raise self.corrupt(offset, f"{count} bytes", "the end of the file")
        return self._window[begin : begin + count]

    def _load(self, offset: int, count: int) -> None:
        self.file.seek(offset)
        self._at, self._window = offset, self.file.read(count) or b""

    def end_of_text(self, offset: int, stop: int) -> int:
        """Return the place of the first NUL from `offset` on.

        Raises
        ------
        CorruptFile
            If there is none before `stop`.
        """
        at = offset
        while at < stop:
            begin = at - self._at
            if not 0 <= begin < len(self._window):
                self._load(at, _WINDOW)
                begin = 0
                if not self._window:
                    break
            found = self._window.find(b"\0", begin, begin + stop - at)
            if found >= 0:
                return self._at + found
            at = self._at + len(self._window)
        raise self.corrupt(offset, "a text with an end", "none")

    def name(self, offset: int, stop: int) -> tuple[bytes, int]:
        """Return a short text and the byte behind it."""
        begin = offset - self._at
        if begin >= 0:  # the usual case: it lies in the window
            found = self._window.find(b"\0", begin, begin + min(stop - offset, _LONGEST_NAME))
            if found >= 0:
                return self._window[begin:found], self._at + found + 1
        end = self.end_of_text(offset, min(stop, offset + _LONGEST_NAME))
        return self.take(offset, end - offset), end + 1

    def size(self, offset: int, stop: int) -> tuple[int, int]:
        """Return a size or count and the byte behind it."""
        width = 8 if self.wide else 4
        if offset + width > stop:
            raise self.corrupt(offset, "a size", "the end of the object")
        return int.from_bytes(self.take(offset, width), "little"), offset + width

    def node(self, offset: int, stop: int) -> Node:
        """Return the object at a place.

        Raises
        ------
        CorruptFile
            If there is none, or it does not end before `stop`.
        """
        name, at = self.name(offset, stop)
        if not _CLASS.fullmatch(name):
            raise self.corrupt(offset, "an object", repr(name[:20]))
        size, at = self.size(at, stop)
        if size > stop - at:
            raise self.corrupt(offset, f"an object of at most {stop - at} bytes", size)
        return Node(self, name.decode(), at, at + size)


class Node:
    """One object. Its items are located when one of them is asked for."""

    def __init__(self, source: GwyFile, kind: str, start: int, stop: int) -> None:
        self.source, self.kind, self.start, self.stop = source, kind, start, stop
        self.old = False

    @cached_property
    def items(self) -> dict[str, Item]:
        """Items by name, in the order of the file."""
        source, at, stop = self.source, self.start, self.stop
        found: dict[str, Item] = {}
        while at < stop:
            source.spend(at)
            code = ""
            if self.old:
                if at + 4 > stop:
                    raise source.corrupt(at, "the type of an item", "the end of the object")
                code = _OLD_TYPES.get(int.from_bytes(source.take(at, 4), "little"), "?")
                at += 4
            name, at = source.name(at, stop)
            if not self.old:
                if at >= stop:
                    raise source.corrupt(at, "the type of an item", "the end of the object")
                code = chr(source.take(at, 1)[0])
                at += 1
            text = name.decode("utf-8", "replace")
            width = _SCALARS.get(code)
            if width is None:
                found[text], at = self._locate(text, code, at)
                continue
            if at + width > stop:
                raise source.corrupt(at, f"a value of {text}", "the end of the object")
            found[text] = Item(code, at, width)
            at += width
        return found

    def _locate(self, name: str, code: str, at: int) -> tuple[Item, int]:
        """Return where a value that is no plain number lies, and the byte behind it."""
        source, stop = self.source, self.stop
        if code == "s":
            end = source.end_of_text(at, stop)
            return Item(code, at, end - at), end + 1
        if code in ("o", "r"):
            end = source.node(at, stop).stop
            return Item("o", at, end - at), end
        if code not in _ARRAYS and code not in "SOR":
            raise source.corrupt(at, f"the type of {name}", repr(code))
        count, at = source.size(at, stop)
        least = _ARRAYS[code].itemsize if code in _ARRAYS else 1
        if count > (stop - at) // least:
            room = (stop - at) // least
            raise source.corrupt(at, f"at most {room} elements of {name}", count)
        if code in _ARRAYS:
            return Item(code, at, count), at + count * least
        source.spend(at, count)
        begin, there = at, 0
        for there in range(1, count + 1):
            if code == "S":
                at = source.end_of_text(at, stop) + 1
                continue
            if name in _SHORT and self._ends_early(at, there == 1):
                return Item("O", begin, there - 1), at
            at = source.node(at, stop).stop
        return Item("S" if code == "S" else "O", begin, there), at

    def _ends_early(self, at: int, first: bool) -> bool:
        """Whether an array of units ends here although it should have more.

        Gwyddion 2 writes nothing for an empty unit inside the array but counts it.
        """
        if first or at >= self.stop:
            return not first
        end = min(self.stop, at + 12)
        return not self.source.take(at, end - at).startswith((b"GwySIUnit\0", b"GwyUnit\0"))

    def __contains__(self, name: str) -> bool:
        return name in self.items

    def number(self, name: str, default: float = float("nan")) -> float:
        """Return a number, or `default` where there is none."""
        item = self.items.get(name)
        if item is None or item.code not in _FORMATS:
            return default
        (value,) = struct.unpack(_FORMATS[item.code], self.source.take(item.offset, item.count))
        return float(value)

    def integer(self, name: str) -> int:
        """Return a whole number; 0 where there is none."""
        item = self.items.get(name)
        return int(self.number(name)) if item is not None and item.code in "chiq" else 0

    def text(self, name: str) -> str:
        """Return a text; empty where there is none."""
        item = self.items.get(name)
        return self._text(item) if item is not None and item.code == "s" else ""

    def _text(self, item: Item) -> str:
        if item.count > _LONGEST_TEXT:
            raise self.source.corrupt(
                item.offset, f"a text of at most {_LONGEST_TEXT} bytes", item.count
            )
        raw = self.source.take(item.offset, item.count)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")  # Gwyddion 1

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        item = self.items.get(name)
        out = []
        if item is not None and item.code == "S":
            at = item.offset
            for _ in range(item.count):
                end = self.source.end_of_text(at, self.stop)
                out.append(self._text(Item("s", at, end - at)))
                at = end + 1
        return out

    def child(self, name: str) -> Node | None:
        """Return an object, or None."""
        item = self.items.get(name)
        if item is None or item.code != "o":
            return None
        return self.source.node(item.offset, self.stop)

    def children(self, name: str) -> list[Node]:
        """Return a list of objects."""
        item = self.items.get(name)
        out: list[Node] = []
        if item is not None and item.code == "O":
            at = item.offset
            for _ in range(item.count):
                out.append(self.source.node(at, self.stop))
                at = out[-1].stop
        return out

    def numbers(self, name: str, codes: str = "D") -> Numbers | None:
        """Return where an array lies, or None where there is none of these types."""
        item = self.items.get(name)
        if item is None or item.code not in codes or item.code not in _ARRAYS:
            return None
        return Numbers(item.offset, item.count, _ARRAYS[item.code])

    def array(self, name: str, codes: str = "D") -> AnyArray | None:
        """Return the numbers of an array, read now."""
        values = self.numbers(name, codes)
        return (
            None
            if values is None
            else self.source.stamp.read(values.offset, values.dtype, values.count)
        )


#: Arrays that Gwyddion 2 may leave shorter than it says.
_SHORT = frozenset({"si_units_curves", "units_curves"})


@contextmanager
def open_tree(path: Path) -> Iterator[tuple[Node, str]]:
    """Open a file and give its root object and a warning, until the block ends.

    Raises
    ------
    CorruptFile
        If it does not begin with one complete container.
    MissingFile
    """
    try:
        stamp = FileStamp.of(path)
        file = FileIO(path)
    except (OSError, ValueError) as error:
        raise MissingFile(path, error) from None
    with file:
        source = GwyFile(file, stamp)
        magic = source.take(0, 4) if stamp.size >= 4 else b""
        if magic not in MAGICS:
            raise CorruptFile(path, 0, "GWYP, GWYQ or GWYO", repr(magic))
        source.wide = magic == b"GWYQ"
        root = source.node(4, stamp.size)
        root.old = magic == b"GWYO"
        if root.kind not in ("GwyContainer", "GwyFile"):
            raise CorruptFile(path, 4, "a container", root.kind)
        behind = stamp.size - root.stop
        yield root, f"{behind} bytes behind the data are ignored" if behind else ""
