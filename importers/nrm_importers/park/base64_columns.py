"""Numbers as base64 within JSON text, found once and decoded curve by curve."""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nrm_importers.park import frames
from nrm_importers.park.frames import CURVE, FrameTable
from nrm_plugin.columns import AnyArray, FileStamp, IntArray, Rows
from nrm_plugin.errors import CorruptFile

_SINGLE = np.dtype("<f4")

_MOST_CHANNELS = 64

#: No frame of a curve is shorter, in bytes, than this and this for each channel.
_LEAST, _LEAST_CHANNEL = 80, 20

_LONGEST_NAME = 60

#: Most pixels along a side of a map.
_MOST_PIXELS = 1 << 16


class EncodedColumn:
    """Single-precision numbers that a file holds as one base64 string per curve.

    Parameters
    ----------
    stamp : FileStamp
    starts, lengths : (N,) arrays of int
        Bytes of each string.
    rows : Rows
        Samples of each curve; its string may hold more.
    """

    def __init__(self, stamp: FileStamp, starts: IntArray, lengths: IntArray, rows: Rows) -> None:
        self.stamp, self.starts, self.lengths, self.rows = stamp, starts, lengths, rows
        self.dtype = _SINGLE

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `nrm_plugin.columns.Column.fill`."""
        flat, at = out.reshape(-1), 0
        with self.stamp.opened() as file, np.errstate(over="ignore", invalid="ignore"):
            for curve in range(first, stop):
                size = int(self.rows.sizes[curve])
                start = int(self.starts[curve])
                file.seek(start)
                data = file.read(int(self.lengths[curve]))
                values = decode(self.stamp.path, start, data)
                if len(values) < size:
                    raise CorruptFile(
                        self.stamp.path, start, f"{size} numbers in base64", f"{len(values)}"
                    )
                flat[at : at + size] = values[:size]
                at += size
        if gain != 1.0:
            flat *= gain
        if offset:
            flat += offset


def decode(path: Path, offset: int, data: bytes) -> AnyArray:
    """Numbers of a base64 string, in which some programs write a backslash before a slash.

    Raises
    ------
    CorruptFile
    """
    try:
        decoded = binascii.a2b_base64(data.replace(b"\\/", b"/"), strict_mode=True)
        return np.frombuffer(decoded, _SINGLE)
    except ValueError as error:
        raise CorruptFile(path, offset, "numbers in base64", str(error)) from None


@dataclass(kw_only=True)
class CurveIndex:
    """Where the strings of all curves lie, in the order of the file.

    Attributes
    ----------
    ids, units : list of str
        Of the channels.
    fast, slow : (N,) arrays of int
        Pixel of each curve.
    starts, lengths : (N, n_channels) arrays of int
        Bytes of the strings.
    sizes : (N,) array of int
        Samples that were measured.
    padded : int
        Curves from which padding was removed.
    """

    ids: list[str]
    units: list[str]
    fast: IntArray
    slow: IntArray
    starts: IntArray
    lengths: IntArray
    sizes: IntArray
    padded: int = field(default=0)


def build_index(table: FrameTable, file: BinaryIO) -> CurveIndex:
    """Go through the frames of all curves once.

    Raises
    ------
    CorruptFile
        If a frame is damaged, or not of the same channels as the first.
    """
    numbers = table.numbers(CURVE)
    path = table.stamp.path
    if not numbers:
        raise CorruptFile(path, None, "frames with curves", "none")
    _, first = table.load(file, numbers[0])
    ids, units = _channels(path, int(table.offsets[numbers[0]]), first)
    shortest = numbers[int(np.argmin(table.lengths[numbers]))]
    if table.lengths[shortest] < _LEAST + _LEAST_CHANNEL * len(ids):
        raise CorruptFile(
            path,
            int(table.offsets[shortest]),
            f"a curve of {len(ids)} channels",
            f"{table.lengths[shortest]} bytes",
        )
    n = len(numbers)
    fast, slow = np.empty((2, n), np.int64)
    starts, lengths = np.empty((2, n, len(ids)), np.int64)
    index = CurveIndex(
        ids=ids,
        units=units,
        fast=fast,
        slow=slow,
        starts=starts,
        lengths=lengths,
        sizes=np.empty(n, np.int64),
    )
    for curve, frame in enumerate(numbers):
        data, content = table.load(file, frame)
        offset, info = int(table.offsets[frame]), content.get("info")
        if content.get("type") != "ppt.rtfd" or not isinstance(info, dict):
            raise CorruptFile(path, offset, "a curve", "something else")
        if info.get("channels") != first["info"]["channels"]:
            raise CorruptFile(path, offset, f"the channels {', '.join(ids[:5])}", "others")
        pixel = [frames.part(info, "index", name) for name in ("fast", "slow")]
        if not all(type(p) is int and 0 <= p < _MOST_PIXELS for p in pixel):
            raise CorruptFile(path, offset, "the pixel of a curve", str(pixel)[:80])
        index.fast[curve], index.slow[curve] = pixel
        _find_strings(index, curve, path, offset, data, content.get("numbers"))
        if info.get("padding") is True:
            _cut_padding(index, curve, path, offset, data)
    return index


def _channels(path: Path, offset: int, content: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Names and units of a frame's channels."""
    channels = frames.part(content, "info", "channels")
    if not isinstance(channels, list) or not 0 < len(channels) <= _MOST_CHANNELS:
        raise CorruptFile(path, offset, "the channels of a curve", "none")
    names = [frames.text(c, "id")[:_LONGEST_NAME] for c in channels]
    return names, [frames.text(c, "unit")[:_LONGEST_NAME] for c in channels]


def _find_strings(
    index: CurveIndex, curve: int, path: Path, offset: int, data: bytes, strings: Any
) -> None:
    """Note where a frame's strings lie, and how many numbers each holds."""
    if not isinstance(strings, list) or len(strings) != len(index.ids):
        raise CorruptFile(path, offset, f"numbers of {len(index.ids)} channels", "others")
    at = max(data.find(b'"numbers"'), 0)
    sizes = set()
    for channel, string in enumerate(strings):
        plain = string.encode("utf-8", "replace") if isinstance(string, str) else b"?"
        spelled, place = plain, data.find(plain, at)
        if place < 0:
            spelled = plain.replace(b"/", b"\\/")
            place = data.find(spelled, at)
        count, rest = divmod(len(plain) // 4 * 3 - plain[-2:].count(b"="), _SINGLE.itemsize)
        if place < 0 or len(plain) % 4 or rest:
            raise CorruptFile(path, offset, "numbers in base64", "something else")
        at = place + len(spelled)
        index.starts[curve, channel] = offset + place
        index.lengths[curve, channel] = len(spelled)
        sizes.add(count)
    if len(sizes) > 1:
        raise CorruptFile(path, offset, "channels of one length", "several lengths")
    index.sizes[curve] = sizes.pop()


def _cut_padding(index: CurveIndex, curve: int, path: Path, offset: int, data: bytes) -> None:
    """Leave out the samples by which all channels of a curve repeat an earlier one to the end."""
    strings = []
    for start, length in zip(index.starts[curve], index.lengths[curve], strict=True):
        begin = int(start) - offset
        strings.append(decode(path, int(start), data[begin : begin + int(length)]))
    table, size = np.stack(strings), int(index.sizes[curve])
    differs = np.flatnonzero((table != table[:, -1:]).any(axis=0))
    measured = min(size, int(differs[-1]) + 2 if len(differs) else 1)
    index.padded += measured < size
    index.sizes[curve] = measured
