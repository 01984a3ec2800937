"""What is looked at in an HDF5 file before it is read.

A damaged or hostile file can ask for any amount of memory, point to other files, and let libhdf5
run for ever. Links and sizes are looked at where a thing is opened, and compared with what the
file can hold; texts lie in heaps, and those that libhdf5 might not get through are tried by a
process of their own, which is given up after a while.
"""

from __future__ import annotations

import math
import os
import secrets
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nrm_plugin.errors import NrmError


class UnreadablePart(OSError):
    """A part of a file that cannot or may not be read; the message says which, and why."""


class MissingPart(KeyError):
    """A part of a file that is not there."""

    def __str__(self) -> str:
        return str(self.args[0])


def reason(error: BaseException) -> str:
    """What speaks against a file, in words that do not quote HDF5's own."""
    said = isinstance(error, UnreadablePart | MissingPart | NrmError)
    return str(error) if said else "a part that cannot be read"


#: Bytes that one byte of compressed data can stand for at most (deflate: 1032).
_RATIO = 1032

#: Less than this needs no check of how far it was compressed.
_SMALL = 1 << 20

#: Dimensions without coordinates, whose values nobody reads.
_DIMENSIONS = {b"file", b"segment", b"curve", b"sample"}

#: Heaps are looked for in parts of so many bytes.
_PART = 1 << 24

#: So many bytes are looked through rather than asking which of them are data.
_LITTLE = 1 << 17

#: How long a process may need for the texts of a doubtful file, s.
PATIENCE = 30.0

#: Groups in which most data are, in our files; then the rest.
_MOST_IN = (b"entry/curves", b"entry/results", b"/")

_HEAP = b"GCOL\x01"

#: Number and length of a piece of a heap.
_PIECE = struct.Struct("<H6xQ")

#: Whether heaps are looked for: going through the names of a damaged file crashes HDF5 1.14.
LOOKS = h5py.version.hdf5_version_tuple >= (2, 0, 0)

#: Files whose heaps were looked at and are as they were.
_passed: dict[tuple[Any, ...], None] = {}
_KEPT = 256


def _no_other_files() -> h5py.h5p.PropLAID:
    """Make HDF5 look for files that cannot be there where a link leads into another file."""
    ending = f".{secrets.token_hex(16)}".encode()
    how = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    how.set_fapl_split(ending, None, ending, None)
    links = h5py.h5p.create(h5py.h5p.LINK_ACCESS)
    links.set_elink_fapl(how)
    return links


_THIS_FILE = _no_other_files()


def _holds_lists(kind: h5py.h5t.TypeID) -> bool:
    """Whether there are lists of any length, which nrm does not write: damaged ones end programs.

    Texts of any length are none.
    """
    return bool(kind.detect_class(h5py.h5t.VLEN))


class GuardedAttributes(h5py.AttributeManager):  # type: ignore[misc]
    """Looks at the kind of an attribute before it is read."""

    def __getitem__(self, name: str) -> Any:
        """Read an attribute; UnreadablePart if it is of a kind that is not safe to read."""
        if _holds_lists(h5py.h5a.open(self._id, name.encode()).get_type()):
            raise UnreadablePart(f"the attribute {name} is neither numbers nor text")
        return super().__getitem__(name)


class GuardedDataset(h5py.Dataset):  # type: ignore[misc]
    """Numbers or texts of a file that nrm should have written."""

    @property
    def attrs(self) -> GuardedAttributes:
        """What is said of them."""
        return GuardedAttributes(self)

    def __getitem__(self, where: Any) -> Any:
        """Read some of them; UnreadablePart if they are of a kind that is not safe to read."""
        if _holds_lists(self.id.get_type()):
            raise UnreadablePart(f"{str(self.name).lstrip('/')} is neither numbers nor text")
        return super().__getitem__(where)


class _Guarded(h5py.Group):  # type: ignore[misc]
    """Looks at its members where they are opened.

    Raises UnreadablePart, with a message that says why, for what is not safe to read.
    """

    @property
    def _lapl(self) -> h5py.h5p.PropLAID:
        return _THIS_FILE

    @property
    def attrs(self) -> GuardedAttributes:
        """What is said of it."""
        return GuardedAttributes(self)

    @property
    def file(self) -> GuardedFile:
        """The file that it lies in."""
        return GuardedFile(self.id)

    def __getitem__(self, name: str) -> Any:
        """Open a member."""
        path = name.encode()
        try:
            item = h5py.h5o.open(self.id, path, lapl=_THIS_FILE)
        except (KeyError, RuntimeError, ValueError):
            raise self._refusal(name, path) from None
        if isinstance(item, h5py.h5g.GroupID):
            return GuardedGroup(item)
        if not isinstance(item, h5py.h5d.DatasetID):
            raise UnreadablePart(f"{self._full(name)} is neither a group nor numbers")
        if item.get_offset() is None:  # libhdf5 itself compares shapes with data in one piece
            _check_shape(self._full(name), item)
        return GuardedDataset(item, readonly=True)

    def get(self, name: str, default: Any = None) -> Any:
        """Open a member, if there is one."""
        try:
            return self[name]
        except KeyError:
            return default

    def _full(self, name: str) -> str:
        return f"{self.name}/{name}".lstrip("/")

    def _refusal(self, name: str, path: bytes) -> Exception:
        """Why a member cannot be opened; a KeyError where there is none."""
        full, at, parts = self._full(name), b".", path.strip(b"/").split(b"/")
        for part in parts:
            at += b"/" + part
            try:
                if not self.id.links.exists(at, lapl=_THIS_FILE):
                    return MissingPart(f"there is no {full}")
                kind = self.id.links.get_info(at, lapl=_THIS_FILE).type
            except (KeyError, OSError, RuntimeError, ValueError):
                break
            if kind == h5py.h5l.TYPE_EXTERNAL:
                return UnreadablePart(f"{full} lies in another file, which is not read")
            if kind == h5py.h5l.TYPE_SOFT and part == parts[-1]:
                return UnreadablePart(f"{full} is a link that leads nowhere in this file")
        return UnreadablePart(f"{full} is damaged")


class GuardedGroup(_Guarded):
    """A group of a file that nrm should have written."""


class GuardedFile(_Guarded, h5py.File):  # type: ignore[misc]
    """A file that nrm should have written: nothing of it lies in other files."""

    @property
    def attrs(self) -> GuardedAttributes:
        """What is said of all of it."""
        return GuardedAttributes(self["/"])


def _check_shape(name: str, item: h5py.h5d.DatasetID) -> None:
    """Refuse numbers that lie in other files, are not there, or are more than fit into the file."""
    about = item.get_create_plist()
    how = about.get_layout()
    if how == h5py.h5d.COMPACT:
        return
    if how == h5py.h5d.VIRTUAL or about.get_external_count():
        raise UnreadablePart(f"the numbers of {name} lie in another file, which is not read")
    each = item.get_type().get_size()
    wanted, room = math.prod(item.shape) * each, item.get_storage_size()
    if not room:
        if wanted and name.rpartition("/")[2].encode() not in _DIMENSIONS:
            raise UnreadablePart(f"there are no numbers of {name}")
        return
    largest = max(wanted, math.prod(about.get_chunk()) * each)
    if largest <= _SMALL:
        return
    packed = [about.get_filter(i)[0] for i in range(about.get_nfilters())]
    if packed.count(h5py.h5z.FILTER_DEFLATE) > 1:
        raise UnreadablePart(f"{name} is compressed twice")
    if largest > min(room, h5py.h5i.get_file_id(item).get_filesize()) * _RATIO:
        raise UnreadablePart(f"{name} is larger than what the file holds of it")


def check_texts(file: h5py.File, path: Path) -> None:
    """Refuse a file in whose texts libhdf5 would run for ever; once for each state of it.

    Parameters
    ----------
    file : File
        Just opened; nothing of it has been read.
    path : Path

    Raises
    ------
    UnreadablePart
    """
    if not LOOKS:
        return
    status = path.stat()
    key = (os.fspath(path.absolute()), status.st_ino, status.st_size, status.st_mtime_ns)
    if key in _passed:
        return
    try:
        data = _data(file, status.st_size)
    except (RuntimeError, ValueError, KeyError) as error:  # h5py's, where libhdf5 gave up
        raise OSError(f"it is damaged: {error}") from None
    if _doubtful_heaps(path, status.st_size, data):
        _try_texts(path)
    _passed[key] = None
    while len(_passed) > _KEPT:
        del _passed[next(iter(_passed))]


def _data(file: h5py.File, size: int) -> list[tuple[int, int]]:
    """Bytes (begin, end) at which most of the data lie."""
    found: list[tuple[int, int]] = []
    asked: set[int] = set()
    left = size - _LITTLE
    for name in _MOST_IN:
        if left > 0 and name in file.id:
            for item in _by_room_behind(h5py.h5g.open(file.id, name), size, asked):
                places = _places(item)
                found += places
                left -= sum(end - begin for begin, end in places)
                if left <= 0:
                    break
    return found


def _by_room_behind(
    group: h5py.h5g.GroupID, size: int, asked: set[int]
) -> Iterator[h5py.h5d.DatasetID]:
    """Open what was not asked for yet: those first behind whose description most room is.

    Data are mostly written behind what describes them.
    """
    named: dict[int, bytes] = {}

    def note(name: bytes, link: h5py.h5l.LinkInfo) -> None:
        if link.type == h5py.h5l.TYPE_HARD and link.u not in asked:
            named[link.u] = name

    group.links.visit(note, info=True)
    asked |= set(named)
    begins = sorted(named)
    behind = zip(begins, [*begins[1:], size], strict=True) if begins else ()
    for begin, _ in sorted(behind, key=lambda both: both[0] - both[1]):
        item = h5py.h5o.open(group, named[begin], lapl=_THIS_FILE)
        if isinstance(item, h5py.h5d.DatasetID):
            yield item


def _places(item: h5py.h5d.DatasetID) -> list[tuple[int, int]]:
    """Bytes (begin, end) at which the data of one thing lie."""
    offset, room = item.get_offset(), item.get_storage_size()
    if offset is not None:
        return [(offset, offset + room)]
    if room < _LITTLE or item.get_create_plist().get_layout() != h5py.h5d.CHUNKED:
        return []
    chunks: list[Any] = []
    item.chunk_iter(chunks.append)
    return [(chunk.byte_offset, chunk.byte_offset + chunk.size) for chunk in chunks]


def _gaps(used: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Bytes (begin, end) of a file that no data take."""
    ends = np.array([(0, 0), *used, (size, size)], np.float64)  # of a damaged file: any numbers
    places = np.clip(ends, 0, size).astype(np.int64)
    places = places[places[:, 0].argsort(kind="stable")]
    before = np.maximum.accumulate(places[:-1, 1])
    gaps = np.flatnonzero(before < places[1:, 0])
    yield from zip(before[gaps].tolist(), places[gaps + 1, 0].tolist(), strict=True)


def _doubtful_heaps(path: Path, size: int, data: list[tuple[int, int]]) -> bool:
    """Whether libhdf5 might run for ever in one of the heaps, which lie between the data."""
    with path.open("rb") as file:
        for begin, end in _gaps(data, size):
            for at in range(begin, end, _PART):
                file.seek(at)
                if _loops(file.read(min(end - at, _PART))):
                    return True
    return False


def _loops(data: bytes) -> bool:
    """Whether a heap has a piece of free space without a length, behind which nothing comes."""
    start = data.find(_HEAP)
    while start >= 0:
        end = start + int.from_bytes(data[start + 8 : start + 16], "little")
        at = start + 16
        while at + 16 <= min(end, len(data)):
            number, length = _PIECE.unpack_from(data, at)
            if number == 0 and length == 0:
                return True
            at += length if number == 0 else 16 + -(-length // 8) * 8
        start = data.find(_HEAP, start + 16)
    return False


def _try_texts(path: Path) -> None:
    """Let another process read all texts; refuse the file if it does not get through."""
    command = [sys.executable, "-c", _TRIAL, os.fspath(path)]
    try:
        done = subprocess.run(
            command, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL, capture_output=True
        )
    except subprocess.TimeoutExpired:
        raise UnreadablePart("it is damaged: reading its texts does not end") from None
    if done.returncode:
        raise UnreadablePart("it is damaged: its texts cannot be read")


_TRIAL = """
import sys, h5py
def read(name, item):
    for key in item.attrs:
        item.attrs[key]
    if isinstance(item, h5py.Dataset) and item.dtype.kind == "O":
        for i in range(len(item)) if item.ndim else [()]:
            item[i]
with h5py.File(sys.argv[1], "r", locking=False) as file:
    read("/", file)
    file.visititems(read)
"""
