"""A file of Gwyddion as a tree whose sizes are known before anything is written.

gwyfile turns small components into bytes; it copies large ones half a dozen times. The numbers of
curves are therefore put between its bytes as they are read, so that memory stays small.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gwyfile.objects import GwyObject, GwySIUnit, serialize_component

from nrm_plugin.columns import AnyArray

#: Gives the pieces of an array when they are written.
Pieces = Callable[[], Iterable[AnyArray]]

#: Sizes in a file of Gwyddion 2 have 32 bits.
LIMIT = 1 << 32


@dataclass(frozen=True)
class FilePart:
    """Some bytes of the file: how many, and how to get them."""

    size: int
    chunks: Callable[[], Iterable[bytes | memoryview]]


def small(name: str, value: Any, code: str) -> FilePart:
    """Serialise one component through gwyfile, with its type given: gwyfile guesses badly."""
    data = serialize_component(name, value, code)
    return FilePart(len(data), lambda: [data])


def text(name: str, value: str) -> FilePart:
    """Return a text component, which cannot hold NUL."""
    safe = value.replace("\0", "").encode("utf-8", "replace").decode()
    return small(name, safe, "s")


def unit(name: str, value: str) -> FilePart:
    """Return a unit component."""
    return small(name, GwySIUnit(unitstr=value), "o")


def units(name: str, values: Sequence[str]) -> FilePart:
    """Return a list of units."""
    return small(name, [GwySIUnit(unitstr=value) for value in values], "O")


def dictionary(name: str, values: dict[str, str]) -> FilePart:
    """Return a container of texts."""
    safe = {k: v.replace("\0", "").encode("utf-8", "replace").decode() for k, v in values.items()}
    return small(name, GwyObject("GwyContainer", safe, dict.fromkeys(safe, "s")), "o")


def numbers(name: str, count: int, make: Pieces) -> FilePart:
    """Return an array of doubles that is made piece by piece when it is written."""
    head = name.encode() + b"\0D" + struct.pack("<I", min(count, LIMIT - 1))

    def chunks() -> Iterator[bytes | memoryview]:
        yield head
        for piece in make():
            if piece.size:
                yield np.ascontiguousarray(piece, "<f8").reshape(-1).view(np.uint8).data

    return FilePart(len(head) + 8 * count, chunks)


def together(head: bytes, parts: Sequence[FilePart]) -> FilePart:
    """Return parts one behind the other, behind some bytes."""

    def chunks() -> Iterator[bytes | memoryview]:
        yield head
        for part in parts:
            yield from part.chunks()

    return FilePart(len(head) + sum(p.size for p in parts), chunks)


def body(kind: str, parts: Sequence[FilePart]) -> FilePart:
    """Return an object."""
    size = sum(p.size for p in parts)
    return together(kind.encode() + b"\0" + struct.pack("<I", min(size, LIMIT - 1)), parts)


def item(name: str, content: FilePart) -> FilePart:
    """Return an object as a component."""
    return together(name.encode() + b"\0o", [content])


def items(name: str, contents: Sequence[FilePart]) -> FilePart:
    """Return a list of objects as a component."""
    return together(name.encode() + b"\0O" + struct.pack("<I", len(contents)), contents)
