"""The frames of a PS-PPT file: a table of places, and a JSON object at each."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from nrm_plugin.columns import AnyArray, FileStamp, IntArray
from nrm_plugin.errors import CorruptFile

SCAN_START, SCAN_STOP, PARAMETERS, CURVE, UNUSED = 0, 1, 16, 17, 255

#: Behind the first line: number of frames, place of a further table, two reserved numbers.
_HEAD = 10 + 16

#: Longest frame that is read, in bytes. Curves of 200,000 samples are shorter.
_LONGEST = 1 << 22

#: Most opening brackets and commas in a frame; real ones have some dozens. They bound how deep it
#: is nested and of how many parts it is made.
_MOST_PARTS = 1 << 14


@dataclass(frozen=True, kw_only=True)
class FrameTable:
    """Frames in the order of the file.

    Attributes
    ----------
    stamp : FileStamp
    kinds, offsets, lengths : (n_frames,) arrays of int
    further : int
        Where a further table lies, 0 if there is none.
    """

    stamp: FileStamp
    kinds: IntArray
    offsets: IntArray
    lengths: IntArray
    further: int

    def numbers(self, kind: int) -> list[int]:
        """Numbers of the frames of one kind."""
        return [int(i) for i in np.flatnonzero(self.kinds == kind)]

    def load(self, file: BinaryIO, number: int) -> tuple[bytes, dict[str, Any]]:
        """Read a frame: its bytes and the object that they stand for.

        Raises
        ------
        CorruptFile
            If it is too long, too deep, or no JSON object.
        """
        offset, length = int(self.offsets[number]), int(self.lengths[number])
        path = self.stamp.path
        if length > _LONGEST:
            raise CorruptFile(path, offset, f"a frame of up to {_LONGEST} bytes", f"{length} bytes")
        file.seek(offset)
        data = file.read(length)
        if sum(data.count(sign) for sign in (b"[", b"{", b",")) > _MOST_PARTS:
            raise CorruptFile(path, offset, "a frame of few parts", "very many")
        try:
            content = json.loads(data.rstrip(b"\0 \t\r\n"))
        except (ValueError, RecursionError) as error:
            raise CorruptFile(path, offset, "a JSON object", str(error)[:80]) from None
        if not isinstance(content, dict):
            raise CorruptFile(path, offset, "a JSON object", type(content).__name__)
        return data, content


def read_frame_table(stamp: FileStamp) -> FrameTable:
    """Read the table of frames; unused places are left out.

    Raises
    ------
    CorruptFile
        If it is cut, or the frames do not follow each other within the file.
    """
    if stamp.size < _HEAD:
        raise CorruptFile(stamp.path, stamp.size, "a table of frames", "the end of the file")
    head = stamp.read(10, np.dtype(">u4"), 4)
    n, further = int(head[0]) & 0xFFFFFF, int(head[1])
    end = _HEAD + 8 * n
    if end > stamp.size:
        raise CorruptFile(stamp.path, stamp.size, f"a table of {n} frames", "the end of the file")
    entries: AnyArray = stamp.read(_HEAD, np.dtype(">u4"), 2 * n).reshape(n, 2).astype(np.int64)
    entries = entries[entries[:, 0] >> 24 != UNUSED]
    if not len(entries):
        raise CorruptFile(stamp.path, _HEAD, "frames", "none")
    offsets = entries[:, 1].copy()
    lengths = np.diff(offsets, append=stamp.size)
    if offsets[0] < end or (lengths <= 0).any():
        raise CorruptFile(
            stamp.path, _HEAD, "frames that follow each other within the file", "others"
        )
    return FrameTable(
        stamp=stamp, kinds=entries[:, 0] >> 24, offsets=offsets, lengths=lengths, further=further
    )


def part(content: Any, *names: str) -> Any:
    """What lies under a path of names; None where it ends early."""
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content


def number(content: Any, *names: str) -> float | None:
    """Return a finite number under a path of names, or None."""
    value = part(content, *names)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def text(content: Any, *names: str) -> str:
    """Return a text under a path of names, or an empty one."""
    value = part(content, *names)
    return value if isinstance(value, str) else ""
