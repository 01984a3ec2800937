"""Where the numbers of a channel lie, and how they come into memory.

A column knows the vendor's own numbers of every curve and copies those of consecutive curves into
an array that the caller made, times a gain plus an offset, in one pass. Files are mapped for the
duration of that copy and then let go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.errors import ChangedFile, CorruptFile

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
AnyArray = NDArray[Any]


class Rows:
    """How many samples each of N curves has.

    Parameters
    ----------
    sizes : (N,) array of int
        Use ``Rows.uniform`` where all curves are of one length: it takes no memory.
    """

    def __init__(self, sizes: IntArray) -> None:
        self.sizes = sizes.view()
        self.sizes.flags.writeable = False
        self.length = int(sizes[0]) if len(sizes) and not sizes.strides[0] else None
        if self.length is None and len(sizes) and (sizes == sizes[0]).all():
            self.length = int(sizes[0])

    @classmethod
    def uniform(cls, n_curves: int, length: int) -> Rows:
        """`n_curves` curves of `length` samples each."""
        return cls(np.broadcast_to(np.int64(length), (n_curves,)))

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def _starts(self) -> IntArray:
        return np.concatenate([[0], np.cumsum(self.sizes, dtype=np.int64)])

    def start(self, curve: int) -> int:
        """Index of a curve's first sample in the flat column; of N, the number of samples."""
        return curve * self.length if self.length is not None else int(self._starts[curve])

    @property
    def total(self) -> int:
        """Samples of all curves together."""
        return self.start(len(self)) if len(self) else 0


def scaled_copy(target: AnyArray, source: AnyArray, gain: float, offset: float) -> None:
    """Write ``source * gain + offset`` into `target` of the same shape."""
    if gain == 1.0 and offset == 0.0:
        target[...] = source
        return
    np.multiply(source, gain, out=target, dtype=np.float64)
    if offset:
        target += offset


class Column(Protocol):
    """The numbers of one channel for all curves, wherever they are."""

    dtype: np.dtype[Any]
    rows: Rows

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """Copy the curves from `first` up to `stop`, scaled, into the flat array `out`."""


class ArrayColumn:
    """Numbers in memory, flat."""

    def __init__(self, values: AnyArray, rows: Rows) -> None:
        self.values = values.reshape(-1).view()
        self.values.flags.writeable = False
        self.dtype, self.rows = values.dtype, rows

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        part = self.values[self.rows.start(first) : self.rows.start(stop)]
        scaled_copy(out, part, gain, offset)


class RepeatedColumn:
    """The same numbers for every curve: a commanded ramp, a clock. Held once."""

    def __init__(self, values: AnyArray, rows: Rows) -> None:
        if rows.length != len(values) and len(rows):
            raise ValueError("a repeated column needs curves of its own length")
        self.values, self.dtype, self.rows = values, values.dtype, rows

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        one = np.empty(len(self.values), out.dtype)
        scaled_copy(one, self.values, gain, offset)
        out.reshape(stop - first, len(self.values))[...] = one


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file as it was when it was opened."""

    path: Path
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        """Take the stamp of the file as it is now."""
        status = path.stat()
        return cls(path.absolute(), status.st_size, status.st_mtime_ns)

    def check(self) -> None:
        """Raise `ChangedFile` if the file is no longer the one that was opened."""
        try:
            now = self.path.stat()
        except OSError:
            raise ChangedFile(self.path) from None
        if (now.st_size, now.st_mtime_ns) != (self.size, self.mtime_ns):
            raise ChangedFile(self.path)

    def map(self) -> NDArray[np.uint8]:
        """Return the file's bytes, mapped; they are let go with the last array that shows them."""
        self.check()
        try:
            return np.memmap(self.path, np.uint8, mode="r")
        except (OSError, ValueError):
            raise ChangedFile(self.path) from None


@dataclass(frozen=True)
class Strip:
    """A run of samples inside every curve that lies in one piece in the file.

    Attributes
    ----------
    starts : (N,) array of int
        Byte at which each curve's run begins.
    counts : (N,) array of int
        Its samples.
    reverse : bool
        True where the file holds the run's last sample first.
    """

    starts: IntArray
    counts: IntArray
    reverse: bool = False


class FileColumn:
    """A vendor's own numbers in the vendor's own file.

    Parameters
    ----------
    stamp : FileStamp
    dtype : dtype
        As on disk, byte order included.
    strips : sequence of Strip
        In chronological order; together they make up each curve.

    Raises
    ------
    CorruptFile
        If a run reaches beyond the end of the file.
    """

    def __init__(self, stamp: FileStamp, dtype: np.dtype[Any], strips: Sequence[Strip]) -> None:
        self.stamp, self.dtype, self.strips = stamp, np.dtype(dtype), tuple(strips)
        sizes = self.strips[0].counts
        for strip in self.strips[1:]:
            sizes = _add(sizes, strip.counts)
        self.rows = Rows(sizes)
        for strip in self.strips:
            if not len(strip.starts):
                continue
            end = int((strip.starts + strip.counts * self.dtype.itemsize).max())
            if strip.starts.min() < 0 or strip.counts.min() < 0 or end > stamp.size:
                raise CorruptFile(stamp.path, stamp.size, f"data up to byte {end}", "the file end")

    @classmethod
    def regular(
        cls,
        stamp: FileStamp,
        dtype: np.dtype[Any],
        offset: int,
        n_curves: int,
        runs: Sequence[tuple[int, int, bool]],
        stride: int | None = None,
    ) -> FileColumn:
        """Curves of one length, one behind the other.

        Parameters
        ----------
        offset : int
            Byte of the first curve.
        runs : sequence of (start, count, reverse)
            The runs of a curve in chronological order; `start` in samples from its first byte.
        stride : int, optional
            Bytes from curve to curve; by default the curve's own length.
        """
        size = np.dtype(dtype).itemsize
        step = stride if stride is not None else size * sum(count for _, count, _ in runs)
        bases = offset + step * np.arange(n_curves, dtype=np.int64)
        return cls(
            stamp,
            dtype,
            [
                Strip(bases + size * start, np.broadcast_to(np.int64(count), (n_curves,)), reverse)
                for start, count, reverse in runs
            ],
        )

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        if stop <= first:
            return
        data = self.stamp.map()
        if self.rows.length is not None and all(_even(s, first, stop) for s in self.strips):
            self._fill_regular(data, first, stop, out, gain, offset)
        else:
            self._fill_ragged(data, first, stop, out, gain, offset)

    def _fill_regular(
        self, data: AnyArray, first: int, stop: int, out: AnyArray, gain: float, offset: float
    ) -> None:
        n = stop - first
        table = out.reshape(n, -1)
        at = 0
        for strip in self.strips:
            count, start = int(strip.counts[first]), int(strip.starts[first])
            if not count:
                continue
            step = int(strip.starts[first + 1]) - start if n > 1 else 0
            view = np.ndarray((n, count), self.dtype, data.data, start, (step, self.dtype.itemsize))
            source = view[:, ::-1] if strip.reverse else view
            scaled_copy(table[:, at : at + count], source, gain, offset)
            at += count

    def _fill_ragged(
        self, data: AnyArray, first: int, stop: int, out: AnyArray, gain: float, offset: float
    ) -> None:
        at = 0
        for curve in range(first, stop):
            for strip in self.strips:
                count = int(strip.counts[curve])
                view = np.ndarray((count,), self.dtype, data.data, int(strip.starts[curve]))
                source = view[::-1] if strip.reverse else view
                scaled_copy(out[at : at + count], source, gain, offset)
                at += count


def _add(a: IntArray, b: IntArray) -> IntArray:
    """Sum of two lengths per curve; stays a broadcast scalar where both are."""
    if len(a) and not a.strides[0] and not b.strides[0]:
        return np.broadcast_to(a[0] + b[0], a.shape)
    return a + b


def _even(strip: Strip, first: int, stop: int) -> bool:
    """Whether the runs of these curves are of one length and equally far apart."""
    counts = strip.counts[first:stop]
    if counts.strides[0] and (counts != counts[0]).any():
        return False
    steps = np.diff(strip.starts[first:stop])
    return not len(steps) or bool((steps == steps[0]).all())
