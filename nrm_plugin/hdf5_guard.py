"""What is looked at in an HDF5 file before anything of it is read.

A damaged or hostile file can ask for any amount of memory, point to other files, and let libhdf5
run for ever. Sizes are compared with what the file can hold; texts lie in heaps, and those that
libhdf5 might not get through are tried by a process of their own, which is given up after a while.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

#: Bytes that one byte of compressed data can stand for at most (deflate: 1032).
_RATIO = 1032

#: Less than this needs no check of how far it was compressed.
_SMALL = 1 << 20

#: Dimensions without coordinates, whose values nobody reads.
_DIMENSIONS = {b"file", b"segment", b"curve", b"sample"}

#: Heaps are looked for in parts of so many bytes; in shorter files not only between the data.
_PART = 1 << 24
_WHOLE = 1 << 17

#: How long a process may need for the texts of a doubtful file, s.
PATIENCE = 30.0

_HEAP = b"GCOL\x01\0\0\0"

#: Whether files can be looked at: going through the names of a damaged one crashes HDF5 1.14.
LOOKS = h5py.version.hdf5_version_tuple >= (2, 0, 0)

#: Files that were looked at and are as they were, with what speaks against files of ours.
_passed: dict[tuple[Any, ...], str] = {}
_KEPT = 256


def check(file: h5py.File, path: Path, *, ours: bool) -> None:
    """Refuse a file that is not safe to read; once for each state of it.

    Parameters
    ----------
    file : File
        Just opened; nothing of it has been read.
    path : Path
    ours : bool
        Whether nrm wrote it, if all is well: then nothing of it lies in other files, and sizes are
        those that the file can hold.

    Raises
    ------
    OSError
        Its message says why.
    """
    if not LOOKS:
        return
    status = path.stat()
    key = (os.fspath(path.absolute()), status.st_ino, status.st_size, status.st_mtime_ns)
    if key not in _passed:
        used, complaint = _check_objects(file, status.st_size)
        if ours and complaint:
            raise OSError(complaint)
        if _doubtful_heaps(path, status.st_size, used):
            _try_texts(path)
        _passed[key] = complaint
        while len(_passed) > _KEPT:
            del _passed[next(iter(_passed))]
    elif ours and _passed[key]:
        raise OSError(_passed[key])


def _check_objects(file: h5py.File, size: int) -> tuple[list[tuple[int, int]], str]:
    """Return the bytes (begin, end) at which data lie, and what speaks against a file of ours."""
    root = h5py.h5g.open(file.id, b"/")
    links: list[tuple[bytes, int, int]] = []
    root.links.visit(lambda name, info: links.append((name, info.type, info.u)), info=True)
    links.sort(key=lambda link: link[1] != h5py.h5l.TYPE_EXTERNAL)  # no other file is opened
    seen: set[int] = set()
    used: list[tuple[int, int]] = []
    complaint = ""
    stored = 0
    for name, kind, address in links:
        if kind != h5py.h5l.TYPE_HARD:
            complaint = complaint or _fault(_check_link, root, name, kind)
            continue
        if address in seen:  # one thing may have two names
            continue
        seen.add(address)
        item = h5py.h5o.open(root, name)
        if not isinstance(item, h5py.h5d.DatasetID):
            continue
        room, offset = item.get_storage_size(), item.get_offset()
        if not room and name.rpartition(b"/")[2] in _DIMENSIONS:
            continue
        about = item.get_create_plist() if offset is None else None  # in one piece: a common case
        if about is None:
            places = [(offset, offset + room)]
        elif about.get_layout() == h5py.h5d.CHUNKED:
            places = _chunks(item) if room > _SMALL else []
        elif about.get_layout() == h5py.h5d.COMPACT:
            continue
        else:
            places = []
        used += places
        if about is not None:  # libhdf5 itself compares shapes with data in one piece
            complaint = complaint or _fault(_check_shape, name, item, about, room, size)
        stored += room
    if stored > size:
        complaint = complaint or f"its data take {stored} bytes, more than the file has"
    return used, complaint


def _fault(check: Callable[..., None], *arguments: Any) -> str:
    """Return what a check says; nothing if all is well."""
    try:
        check(*arguments)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        return str(error)
    return ""


def _check_link(root: h5py.h5g.GroupID, name: bytes, kind: int) -> None:
    shown = name.decode("utf-8", "replace")
    if kind == h5py.h5l.TYPE_EXTERNAL:
        raise OSError(f"{shown} lies in another file, which is not read")
    try:
        h5py.h5o.open(root, name)
    except (KeyError, OSError, RuntimeError):
        raise OSError(f"{shown} is a link that leads nowhere") from None


def _check_shape(
    name: bytes, item: h5py.h5d.DatasetID, about: h5py.h5p.PropDCID, room: int, size: int
) -> None:
    shown = name.decode("utf-8", "replace")
    if about.get_external_count() or about.get_layout() == h5py.h5d.VIRTUAL:
        raise OSError(f"the numbers of {shown} lie in another file, which is not read")
    each = item.get_type().get_size()
    wanted = item.get_space().get_simple_extent_npoints() * each
    if not room:
        if wanted:
            raise OSError(f"there are no numbers of {shown}")
        return
    wanted = max(wanted, math.prod(about.get_chunk()) * each)
    packed = [about.get_filter(i)[0] for i in range(about.get_nfilters())]
    if packed.count(h5py.h5z.FILTER_DEFLATE) > 1:
        raise OSError(f"{shown} is compressed twice")
    if wanted > max(min(room, size) * _RATIO, _SMALL):
        raise OSError(f"{shown} is larger than what the file holds of it")


def _chunks(item: h5py.h5d.DatasetID) -> list[tuple[int, int]]:
    found: list[Any] = []
    item.chunk_iter(found.append)
    return [(chunk.byte_offset, chunk.byte_offset + chunk.size) for chunk in found]


def _gaps(used: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Bytes (begin, end) of a file that no data take."""
    ends = np.array([(0, 0), *used, (size, size)], np.float64)  # of a damaged file: any numbers
    places = np.clip(ends, 0, size).astype(np.int64)
    places = places[places[:, 0].argsort(kind="stable")]
    before = np.maximum.accumulate(places[:-1, 1])
    gaps = np.flatnonzero(before < places[1:, 0])
    yield from zip(before[gaps].tolist(), places[gaps + 1, 0].tolist(), strict=True)


def _doubtful_heaps(path: Path, size: int, used: list[tuple[int, int]]) -> bool:
    """Whether libhdf5 might run for ever in one of the heaps, which lie between the data."""
    with path.open("rb", buffering=0) as file:
        for begin, end in _gaps(used if size > _WHOLE else [], size):
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
            number = int.from_bytes(data[at : at + 2], "little")
            length = int.from_bytes(data[at + 8 : at + 16], "little")
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
        raise OSError("it is damaged: reading its texts does not end") from None
    if done.returncode:
        raise OSError("it is damaged: its texts cannot be read")


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
