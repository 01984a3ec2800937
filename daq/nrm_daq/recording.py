"""The file that a running recording grows: blocks behind each other, each with a check sum.

``OUT.h5.part`` begins with `MAGIC`; then follow records: four letters (``NOTE`` or ``DATA``), the
length of what follows and its CRC-32, both as little-endian 32-bit numbers, and the contents. A
note is JSON: the first one describes the recording, later ones what happened to it. Data are the
block's first sample, its arrival (nanoseconds since 1970), the samples that were waiting behind it,
its number of samples, and the volts as float32, channel by channel; what a lock-in in software made
as float64 (``samples`` in the first note), with ``further`` columns behind the channels. Nothing is
ever changed, so that whatever ends the recording, all that was written before is there.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import FileStamp
from nrm_plugin.errors import CorruptFile, MissingFile, OutputError
from nrm_plugin.files import PatientFile, close_after, open_locked

MAGIC = b"NRM recording 1\n"
_RECORD = struct.Struct("<4sII")
_BLOCK = struct.Struct("<qqqq")

#: Samples as they are written.
Volts = NDArray[np.floating[Any]]

#: Where the whole of a damaged recording may be.
ORIGIN = "the computer that recorded it"

_BUSY = "another nrm acquire is recording to it: end that one first, or record under another name"

#: Time in s after which what was written must be on the disk.
FLUSHED = 1.0


@dataclass(frozen=True)
class SampleBlock:
    """Consecutive samples of all channels.

    Attributes
    ----------
    first : int
        Number of the first sample since the start.
    values : (channel, sample) array of float32 or float64
        In V, or as the header says.
    arrived : int
        Nanoseconds since 1970 by this computer's clock.
    backlog : int
        Samples per channel that were waiting behind them in the ring.
    """

    first: int
    values: Volts
    arrived: int
    backlog: int


class Recording:
    """A file that grows; a context manager. Notes and blocks may come from several threads.

    Parameters
    ----------
    path : Path
        There must be nothing. Nobody else can write it until it is closed.
    header : mapping, optional
        What describes the recording, for JSON; or it is described later, before the first block.

    Raises
    ------
    OutputError
        If there is a file, somebody else records to it, or it cannot be written, or no longer:
        the disk is full, the share is gone.
    """

    def __init__(self, path: Path, header: dict[str, Any] | None = None) -> None:
        self.path, self.samples = path, 0
        self._dtype = np.dtype("<f4")
        self._writing = threading.Lock()
        self._file = open_locked(path, _BUSY, PatientFile)
        head = self._file.read(len(MAGIC))
        if head:
            self.close()
            recover = f"get it back with nrm acquire --recover {path}"
            raise OutputError(
                path,
                f"there is a recording that was not finished: {recover}, or delete it"
                if head == MAGIC
                else "there is a file that is no recording: rename or delete it",
            )
        self._flushed = time.monotonic()
        try:
            self._write(MAGIC)
            if header is not None:
                self.describe(header)
        except OutputError:
            self.remove()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def journals(self) -> list[Recording]:
        """The files that grow: this one."""
        return [self]

    def finish(self) -> str:
        """Nothing is left to do when no more blocks come."""
        return ""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def remove(self) -> None:
        """Close and delete the file."""
        close_after(self._file, lambda: self.path.unlink(missing_ok=True))

    def describe(self, header: Mapping[str, Any]) -> None:
        """Write down what describes the recording, as its first note."""
        self._dtype = np.dtype(header.get("samples", "<f4"))
        self.note(**header)

    def note(self, **values: Any) -> None:
        """Write down something that is no block."""
        self._record(b"NOTE", json.dumps(values, default=str).encode())

    def mark(self, text: str) -> int:
        """Write down a remark of a person; return its time in nanoseconds since 1970."""
        now = time.time_ns()
        self.note(marker=text, time=now)
        return now

    def append(self, block: SampleBlock) -> None:
        """Write a block; every second see to it that all is on the disk."""
        n = block.values.shape[1]
        head = _BLOCK.pack(block.first, block.arrived, block.backlog, n)
        self._record(b"DATA", head + np.ascontiguousarray(block.values, self._dtype).tobytes())
        self.samples += n
        if time.monotonic() - self._flushed > FLUSHED:
            self.flush()

    def flush(self) -> None:
        """Have the system write what it holds back."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(self.path, error.strerror or error) from error
        self._flushed = time.monotonic()

    def _record(self, kind: bytes, contents: bytes) -> None:
        record = _RECORD.pack(kind, len(contents), zlib.crc32(contents)) + contents
        with self._writing:
            self._write(record)

    def _write(self, data: bytes) -> None:
        whole = self._file.tell()
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._file.seek(whole)
            self._file.truncate()  # the half of a record is of no use
            raise OutputError(self.path, error.strerror or error) from error


class EmptyRecording(CorruptFile):
    """The recording broke off before there was anything in it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, None, "samples", "none", ORIGIN)
        self.args = (path,)

    def __str__(self) -> str:
        return (
            f"{self.path}: the recording broke off before its first samples were written: nothing "
            "was recorded, and the file can be deleted"
        )


@dataclass(frozen=True, kw_only=True)
class RecordingContents:
    """What a recording holds.

    Attributes
    ----------
    stamp : FileStamp
        The file.
    header : dict
        Its first note.
    notes : tuple of dict
        The others.
    firsts, counts, arrived, backlog : (n_blocks,) arrays of int
        The block table: number of the first sample, samples, arrival in nanoseconds since 1970,
        and the samples that were waiting.
    offsets : (n_blocks,) array of int
        Byte at which each block's volts begin.
    columns : int
        Channels, and what was written down beside them.
    dtype : numpy.dtype
        Of the samples.
    cut : int
        Bytes at the end that are no whole record.
    """

    stamp: FileStamp
    header: dict[str, Any]
    notes: tuple[dict[str, Any], ...]
    firsts: NDArray[np.int64]
    counts: NDArray[np.int64]
    arrived: NDArray[np.int64]
    backlog: NDArray[np.int64]
    offsets: NDArray[np.int64]
    columns: int
    dtype: np.dtype[Any]
    cut: int

    @property
    def n_samples(self) -> int:
        """Samples per channel."""
        return int(self.counts.sum())

    def known(self) -> dict[str, Any]:
        """Return what the notes say last of each thing."""
        return {key: value for note in self.notes for key, value in note.items()}

    @property
    def n_channels(self) -> int:
        """How many channels there are."""
        return len(self.header["channels"])

    def blocks(self) -> Iterator[Volts]:
        """Volts of block after block, shape (channel, sample)."""
        for values in self.all_columns():
            yield values[: self.n_channels]

    def all_columns(self) -> Iterator[Volts]:
        """The same with what was written down beside the channels."""
        with self.stamp.opened() as file:
            for offset, n in zip(self.offsets.tolist(), self.counts.tolist(), strict=True):
                file.seek(offset)
                data = file.read(self.dtype.itemsize * n * self.columns)
                yield np.frombuffer(data, self.dtype).reshape(self.columns, -1)

    def volts(self, channel: int, start: int, stop: int) -> Volts:
        """Volts of one channel from sample `start` to before `stop`."""
        out = np.empty(stop - start, self.dtype)
        block = int(np.searchsorted(self.firsts, start, "right")) - 1
        at, size = start, self.dtype.itemsize
        with self.stamp.opened() as file:
            while at < stop:
                first, n = int(self.firsts[block]), int(self.counts[block])
                end = min(stop, first + n)
                file.seek(int(self.offsets[block]) + size * (channel * n + at - first))
                part = out[at - start : end - start]
                if file.readinto(part.view(np.uint8).data) != part.nbytes:
                    raise CorruptFile(self.stamp.path, file.tell(), "samples", "the end", ORIGIN)
                at, block = end, block + 1
        return out


def read(path: Path) -> RecordingContents:
    """Read what a recording holds, up to the first record that is not whole.

    Raises
    ------
    MissingFile
    CorruptFile
        If it is no recording, or its blocks do not follow each other.
    """
    try:
        stamp = FileStamp.of(path)
        file = PatientFile(path)
    except (OSError, ValueError) as error:
        raise MissingFile(path, error) from None
    table = RecordTable(path)
    with file:
        table.follow(file, stamp.size)
    return table.contents(stamp)


class RecordTable:
    """Which notes and blocks a recording holds, gone through once, or further as it grows.

    Attributes
    ----------
    header : dict
        The first note; empty before there is one.
    notes : list of dict
        The others.
    samples : int
        Per channel, so far.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = 0
        self._blocks: list[tuple[int, ...]] = []
        self.header: dict[str, Any] = {}
        self.notes: list[dict[str, Any]] = []
        self.samples = 0

    def follow(self, file: FileIO, size: int, most: int | None = None) -> list[bytes]:
        """Go on to the first record that is not whole, or to the one behind `most` blocks.

        Returns
        -------
        list of bytes
            The new blocks' volts, channel by channel; empty where `most` is not given.

        Raises
        ------
        CorruptFile
            If it is no recording, or its blocks do not follow each other.
        """
        volts: list[bytes] = []
        file.seek(self._end)
        if not self._end:
            begin = file.read(len(MAGIC))
            if begin != MAGIC and MAGIC.startswith(begin):
                raise EmptyRecording(self._path)
            if begin != MAGIC:
                expected = "a recording of nrm acquire"
                raise CorruptFile(self._path, 0, expected, "something else", ORIGIN)
            self._end = len(MAGIC)
        for kind, contents in _records(file, size):
            if kind == b"DATA" and len(volts) == most:
                break
            at = self._end + _RECORD.size
            self._end = at + len(contents)
            if kind == b"NOTE":
                self._note(json.loads(contents))
                continue
            self._block(contents, at)
            if most is not None:
                volts.append(contents[_BLOCK.size :])
        return volts

    def _note(self, note: dict[str, Any]) -> None:
        if self.header:
            self.notes.append(note)
        elif "channels" in note:
            self.header = note
        else:
            expected = "what describes the recording"
            raise CorruptFile(self._path, len(MAGIC), expected, "a note", ORIGIN)

    def _block(self, contents: bytes, at: int) -> None:
        first, arrived, backlog, n = _BLOCK.unpack_from(contents)
        size = self.dtype.itemsize * n * self.columns
        if not self.columns or len(contents) != _BLOCK.size + size:
            what = f"{len(contents)} bytes"
            raise CorruptFile(self._path, at, "a block of all channels", what, ORIGIN)
        if first != self.samples:
            wanted = f"sample {self.samples}"
            raise CorruptFile(self._path, at, wanted, f"sample {first}", ORIGIN)
        self._blocks.append((first, n, arrived, backlog, at + _BLOCK.size))
        self.samples = first + n

    @property
    def columns(self) -> int:
        """Channels, and what is written down beside them; 0 before they are known."""
        return len(self.header.get("channels", ())) + int(self.header.get("further", 0))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the samples."""
        return np.dtype(str(self.header.get("samples", "<f4")))

    def forget(self, before: int) -> None:
        """Drop blocks that end before a sample."""
        keep = next((i for i, b in enumerate(self._blocks) if b[0] + b[1] > before), None)
        del self._blocks[:keep]

    def contents(self, stamp: FileStamp) -> RecordingContents:
        """Return what was found.

        Raises
        ------
        CorruptFile
            If nothing describes the recording; EmptyRecording if there is nothing at all.
        """
        if not self.header and stamp.size == len(MAGIC):
            raise EmptyRecording(self._path)
        if not self.header:
            expected = "what describes the recording"
            raise CorruptFile(self._path, len(MAGIC), expected, "nothing that is whole", ORIGIN)
        table = np.array(self._blocks, np.int64).reshape(-1, 5)
        firsts, counts, arrivals, backlogs, offsets = table.T
        return RecordingContents(
            stamp=stamp,
            header=self.header,
            notes=tuple(self.notes),
            firsts=firsts,
            counts=counts,
            arrived=arrivals,
            backlog=backlogs,
            offsets=offsets,
            columns=self.columns,
            dtype=self.dtype,
            cut=stamp.size - self._end,
        )


def _records(file: FileIO, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Whole records; the first that is not ends them."""
    while True:
        head = file.read(_RECORD.size)
        if len(head) < _RECORD.size:
            return
        kind, length, crc = _RECORD.unpack(head)
        if kind not in (b"NOTE", b"DATA") or file.tell() + length > size:
            return
        contents = file.read(length)
        if len(contents) < length or zlib.crc32(contents) != crc:
            return
        yield kind, contents
