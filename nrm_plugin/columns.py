"""Where the numbers of a channel lie, and how they come into memory.

A column knows the vendor's own numbers of every curve and copies those of consecutive curves into
an array that the caller made, times a gain plus an offset. Files are open for the duration of that
copy and read piece by piece: that is faster than mapping them, and a file that somebody cuts
meanwhile is an error with a name instead of the end of the process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.errors import ChangedFile, CorruptFile
from nrm_plugin.files import PatientFile

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
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

    def holding(self, sample: int) -> int:
        """Number of the curve that holds a sample of the flat column."""
        if self.length is not None:
            return sample // self.length
        return int(np.searchsorted(self._starts, sample, side="right")) - 1

    @property
    def total(self) -> int:
        """Samples of all curves together."""
        return self.start(len(self)) if len(self) else 0

    def part(self, chosen: IntArray) -> Rows:
        """Those of some curves."""
        if self.length is not None:
            return Rows.uniform(len(chosen), self.length)
        return Rows(self.sizes[chosen])


def runs(chosen: IntArray) -> Iterator[tuple[int, int]]:
    """Runs of consecutive numbers, each as its first and the one behind its last."""
    if len(chosen) == 1:  # quicker
        yield int(chosen[0]), int(chosen[0]) + 1
        return
    edges = [0, *(np.flatnonzero(np.diff(chosen) != 1) + 1).tolist(), len(chosen)]
    for begin, end in pairwise(edges):
        if end > begin:
            yield int(chosen[begin]), int(chosen[end - 1]) + 1


def scaled_copy(target: AnyArray, source: AnyArray, gain: float, offset: float) -> None:
    """Write ``source * gain + offset`` into `target` of the same shape."""
    with np.errstate(invalid="ignore"):  # a file may hold nan of another kind
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


@runtime_checkable
class SampleColumn(Column, Protocol):
    """A column that can be read from any sample on, in the middle of a curve too."""

    def fill_samples(
        self, at: int, end: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """Copy the samples from `at` up to `end` of the flat column, scaled, into `out`."""


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
        self.fill_samples(self.rows.start(first), self.rows.start(stop), out, gain, offset)

    def fill_samples(
        self, at: int, end: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `SampleColumn.fill_samples`."""
        scaled_copy(out, self.values[at:end], gain, offset)


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


class PartColumn:
    """Some curves of another column, in any order.

    Parameters
    ----------
    column : Column
    chosen : (n,) array of int
        Numbers of the curves in `column`.
    rows : Rows
        Those of the chosen curves.
    """

    def __init__(self, column: Column, chosen: IntArray, rows: Rows) -> None:
        self.column: Column = column
        self.chosen, self.rows, self.dtype = chosen, rows, column.dtype

    @property
    def stamp(self) -> FileStamp | None:
        """The file that the numbers are read from, if it is one."""
        return getattr(self.column, "stamp", None)

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        at = 0
        for a, b in runs(self.chosen[first:stop]):
            end = at + self.column.rows.start(b) - self.column.rows.start(a)
            self.column.fill(a, b, out[at:end], gain, offset)
            at = end


def part_of(column: Column, chosen: IntArray, rows: Rows) -> Column:
    """Return some curves of a column; nothing is read."""
    if isinstance(column, RepeatedColumn):
        return RepeatedColumn(column.values, rows)
    if isinstance(column, PartColumn):
        return PartColumn(column.column, column.chosen[chosen], rows)
    return PartColumn(column, chosen, rows)


class ValueSource(Protocol):
    """Values of all curves that a derived column is made of: a channel, or a column."""

    def fill(self, first: int, stop: int, out: FloatArray) -> None:
        """Write the values of consecutive curves into the flat array `out`."""


#: Samples of a derived column that are computed at once.
_COMPUTED = 1 << 16


class DerivedColumn:
    """Numbers that are computed from other channels when they are read, some curves at a time.

    Parameters
    ----------
    rows : Rows
        Those of the sources.
    function : callable
        Takes one flat float64 array per source and returns one of the same length. A sample of
        its result depends on nothing but the same sample of the sources.
    sources : ValueSource
    """

    dtype: np.dtype[Any] = np.dtype(np.float64)

    def __init__(
        self, rows: Rows, function: Callable[..., FloatArray], *sources: ValueSource
    ) -> None:
        self.rows, self.function, self.sources = rows, function, sources

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        origin = self.rows.start(first)
        a = first
        while a < stop:
            b = a + 1
            while b < stop and self.rows.start(b + 1) - self.rows.start(a) <= _COMPUTED:
                b += 1
            at, end = self.rows.start(a), self.rows.start(b)
            values = [np.empty(end - at, np.float64) for _ in self.sources]
            for source, one in zip(self.sources, values, strict=True):
                source.fill(a, b, one)
            scaled_copy(out[at - origin : end - origin], self.function(*values), gain, offset)
            a = b


def in_steps(values: FloatArray) -> tuple[AnyArray, float]:
    """Return whole numbers and the step that they count, where values are that even.

    A commanded ramp and a clock are; as whole numbers they take next to no room in a file.
    Others are returned as they are, with a step of 1.
    """
    largest = np.abs(values).max(initial=0.0)
    moves = np.abs(np.diff(values))
    moves = moves[moves > 1e-9 * largest]
    if not len(moves):
        return values, 1.0
    step = float(largest / np.rint(largest / moves.min()))
    counts = np.rint(values / step)
    if np.abs(counts).max() >= 2**31 or np.abs(counts * step - values).max() > 1e-12 * largest:
        return values, 1.0
    return counts.astype(np.int32), step


#: Files that stay open from read to read; None where each read opens its own.
_OPEN: ContextVar[dict[FileStamp, FileIO] | None] = ContextVar("_OPEN", default=None)


@contextmanager
def files_kept_open() -> Iterator[None]:
    """Let reads of this thread share open files: single curves are read in many small pieces.

    Raises
    ------
    ChangedFile
        At the end, if one of the files was written to meanwhile.
    """
    kept: dict[FileStamp, FileIO] = {}
    token = _OPEN.set(kept)
    try:
        yield
        for stamp, file in kept.items():
            stamp.check_open(file)
    finally:
        _OPEN.reset(token)
        for file in kept.values():
            file.close()


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
            self._compare(self.path.stat())
        except OSError:
            raise ChangedFile(self.path) from None

    def check_open(self, file: FileIO) -> None:
        """Raise `ChangedFile` if an open file is no longer as it was."""
        self._compare(os.fstat(file.fileno()))

    def _compare(self, now: os.stat_result) -> None:
        if (now.st_size, now.st_mtime_ns) != (self.size, self.mtime_ns):
            raise ChangedFile(self.path)

    @contextmanager
    def opened(self) -> Iterator[FileIO]:
        """Open the file for as long as a read takes, or `files_kept_open` lasts.

        Raises
        ------
        ChangedFile
            Before the read, or behind it if the file was written to meanwhile.
        """
        kept = _OPEN.get()
        if kept is not None and self in kept:
            yield kept[self]
            return
        try:
            file = PatientFile(self.path)
        except OSError:
            raise ChangedFile(self.path) from None
        with ExitStack() as closing:
            closing.enter_context(file)
            self.check_open(file)
            if kept is not None:
                kept[self] = file
                closing.pop_all()
            yield file
            self.check_open(file)

    def read(self, offset: int, dtype: np.dtype[Any], count: int) -> AnyArray:
        """Read `count` numbers from byte `offset` on."""
        out: AnyArray = np.empty(count, dtype)
        with self.opened() as file:
            read_into(file, offset, out.view(np.uint8))
        return out


def read_into(file: FileIO, offset: int, buffer: NDArray[np.uint8]) -> None:
    """Fill a buffer from a place in the file.

    Raises
    ------
    CorruptFile
        If the file ends before.
    """
    file.seek(offset)
    done = 0
    while done < len(buffer):
        n = file.readinto(buffer[done:].data)
        if not n:
            more = f"{len(buffer) - done} bytes more of data"
            raise CorruptFile(str(file.name), offset + done, more, "the end of the file")
        done += n


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


#: Bytes that are read at once; they and what is made of them stay in the processor's cache.
_PIECE = 1 << 18

#: Between the runs of a channel, up to this many times their length is read and thrown away.
_WASTE = 8


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
        if not len(self.rows):
            return
        first, end = self._spans(0, len(self.rows))
        if first.min() < 0 or min(s.counts.min() for s in self.strips) < 0:
            raise CorruptFile(stamp.path, None, "runs of samples inside the file", "one before it")
        most = max(int(s.counts.max()) for s in self.strips)  # so many bytes would overflow `end`
        if end.max() > stamp.size or most > stamp.size:
            more = f"{max(int(end.max()) - stamp.size, most)} bytes more of data"
            raise CorruptFile(stamp.path, stamp.size, more, "the end of the file")
        self._regular = self.rows.length is not None and all(_even(s) for s in self.strips)

    @cached_property
    def _in_one_piece(self) -> bool:
        """Whether the curves lie one behind the other, as they do in memory."""
        strip = self.strips[0]
        size = (self.rows.length or 0) * self.dtype.itemsize
        close = self._regular and len(self.strips) == 1 and not strip.reverse
        return close and bool((np.diff(strip.starts) == size).all())

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
        flat = out.reshape(-1)
        origin = self.rows.start(first)
        if self._in_one_piece and out.dtype == self.dtype and (gain, offset) == (1.0, 0.0):
            with self.stamp.opened() as file:
                read_into(file, int(self.strips[0].starts[first]), flat.view(np.uint8))
            return
        scratch = np.empty(0, np.uint8)
        # Damaged floats may be infinite or signalling; they are handed on as they are.
        with self.stamp.opened() as file, np.errstate(over="ignore", invalid="ignore"):
            for a, b, begin, end in self._pieces(first, stop):
                if end - begin > len(scratch):
                    scratch = np.empty(end - begin, np.uint8)
                piece = scratch[: end - begin]
                read_into(file, begin, piece)
                part = flat[self.rows.start(a) - origin : self.rows.start(b) - origin]
                self._unpack(piece, begin, a, b, part)
                if gain != 1.0:
                    part *= gain
                if offset:
                    part += offset

    def _spans(self, first: int, stop: int) -> tuple[IntArray, IntArray]:
        """First byte of each curve, and the one behind its last."""
        size = self.dtype.itemsize
        begin = self.strips[0].starts[first:stop]
        end = begin + size * self.strips[0].counts[first:stop]
        for strip in self.strips[1:]:
            starts = strip.starts[first:stop]
            begin = np.minimum(begin, starts)
            end = np.maximum(end, starts + size * strip.counts[first:stop])
        return begin, end

    def _pieces(self, first: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
        """Consecutive curves (a, b) and the bytes (begin, end) that hold them.

        Curves are taken together while they lie close to each other, in rising order.
        """
        begins, ends = self._spans(first, stop)
        used = (self.rows.start(stop) - self.rows.start(first)) * self.dtype.itemsize
        span = int(ends.max() - begins.min())
        together = span <= _WASTE * max(used, 1) and bool((ends[1:] >= ends[:-1]).all())
        a = 0
        while a < len(begins):
            b = a + 1
            if together:
                b = max(b, int(np.searchsorted(ends, begins[a] + _PIECE, "right")))
            begin, end = int(begins[a:b].min()), int(ends[b - 1])
            yield first + a, first + b, begin, end
            a = b

    def _unpack(self, piece: NDArray[np.uint8], begin: int, a: int, b: int, out: AnyArray) -> None:
        """Put the runs of some curves, of which `piece` holds the bytes, in their order."""
        if self._regular:
            table, at = out.reshape(b - a, -1), 0
            for strip in self.strips:
                count, start = int(strip.counts[a]), int(strip.starts[a])
                step = int(strip.starts[a + 1]) - start if b - a > 1 else 0
                shape, strides = (b - a, count), (step, self.dtype.itemsize)
                view = np.ndarray(shape, self.dtype, piece.data, start - begin, strides)
                table[:, at : at + count] = view[:, ::-1] if strip.reverse else view
                at += count
            return
        at = 0
        for curve in range(a, b):
            for strip in self.strips:
                count = int(strip.counts[curve])
                start = int(strip.starts[curve]) - begin
                view = piece[start : start + count * self.dtype.itemsize].view(self.dtype)
                out[at : at + count] = view[::-1] if strip.reverse else view
                at += count


def _add(a: IntArray, b: IntArray) -> IntArray:
    """Sum of two lengths per curve; stays a broadcast scalar where both are."""
    if len(a) and not a.strides[0] and not b.strides[0]:
        return np.broadcast_to(a[0] + b[0], a.shape)
    return a + b


def _even(strip: Strip) -> bool:
    """Whether the runs of all curves are of one length and equally far apart."""
    if strip.counts.strides[0] and (strip.counts != strip.counts[0]).any():
        return False
    steps = np.diff(strip.starts)
    return not len(steps) or bool((steps == steps[0]).all())
