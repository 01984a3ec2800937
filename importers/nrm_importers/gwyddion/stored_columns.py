"""Columns for the ways in which Gwyddion lays numbers out that are not plain curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from typing import Any

import numpy as np

from nrm_importers.gwyddion.tree import Numbers
from nrm_plugin.columns import (
    AnyArray,
    FileColumn,
    FileStamp,
    FloatArray,
    IntArray,
    Rows,
    Strip,
    scaled_copy,
)
from nrm_plugin.errors import CorruptFile

_DOUBLE: np.dtype[Any] = np.dtype("<f8")

#: Runs of at least this many bytes are read one by one, shorter ones with what lies between.
_RUN = 6144

#: Planes of a volume are read in parts of about this many numbers.
_PART = 1 << 19


@dataclass(frozen=True, slots=True)
class Piece:
    """An array of the file that is a part of a curve, and whether it runs against time."""

    numbers: Numbers
    reverse: bool = False


class CurveMapColumn(FileColumn):
    """One signal of a curve map: its runs go from the file straight into the caller's array.

    Parameters
    ----------
    starts, counts : (N,) array of int
        First byte and samples of each curve's run.
    """

    def __init__(self, stamp: FileStamp, starts: IntArray, counts: IntArray) -> None:
        super().__init__(stamp, _DOUBLE, [Strip(starts, counts)])

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        strip, n = self.strips[0], stop - first
        if n <= 0:
            return
        starts, counts = strip.starts[first:stop], strip.counts[first:stop]
        total = int(counts.sum(dtype=np.int64))
        straight = out.dtype == _DOUBLE and out.flags.c_contiguous
        if not straight or total * 8 < _RUN * n:
            super().fill(first, stop, out, gain, offset)
            return
        in_one = starts[-1] + 8 * counts[-1] - starts[0] == 8 * total
        runs = [(starts[0], total)] if in_one else zip(starts, counts, strict=True)
        flat, at = out.reshape(-1), 0
        with self.stamp.opened() as file:
            for start, count in runs:
                end = at + int(count)
                _read_into(file, int(start), flat[at:end])
                at = end
        if gain != 1.0:
            out *= gain
        if offset:
            out += offset


def _read_into(file: FileIO, offset: int, out: AnyArray) -> None:
    """Fill an array with the bytes from a place of the file on."""
    file.seek(offset)
    left = out.view(np.uint8).data
    while len(left):
        n = file.readinto(left)
        if not n:
            raise CorruptFile(str(file.name), offset, f"{len(left)} bytes more", "the end")
        left = left[n:]


class PiecesColumn:
    """Curves of which each is made of arrays anywhere in the file: graphs, single spectra."""

    dtype = _DOUBLE

    def __init__(self, stamp: FileStamp, curves: Sequence[Sequence[Piece]]) -> None:
        self.stamp, self.curves = stamp, curves
        sizes = [sum(p.numbers.count for p in pieces) for pieces in curves]
        self.rows = Rows(np.array(sizes, np.int64))

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        at = 0
        with self.stamp.opened() as file:
            for piece in (p for pieces in self.curves[first:stop] for p in pieces):
                numbers = piece.numbers
                values: AnyArray = np.empty(numbers.count, numbers.dtype)
                _read_into(file, numbers.offset, values)
                part = out[at : at + numbers.count]
                scaled_copy(part, values[::-1] if piece.reverse else values, gain, offset)
                at += numbers.count


class LinesColumn:
    """Curves that are straight lines, ``start + step * sample``: the abscissae of spectra."""

    dtype = _DOUBLE

    def __init__(self, rows: Rows, starts: FloatArray, steps: FloatArray) -> None:
        self.rows, self.starts, self.steps = rows, starts, steps

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        origin = self.rows.start(first)
        for curve in range(first, stop):
            begin, end = self.rows.start(curve) - origin, self.rows.start(curve + 1) - origin
            with np.errstate(over="ignore", invalid="ignore"):  # of a damaged file
                line = self.starts[curve] + self.steps[curve] * np.arange(end - begin)
            scaled_copy(out[begin:end], line, gain, offset)


class VolumeColumn:
    """Curves along z of volumes that lie in the file plane by plane.

    Parameters
    ----------
    pixels : int
        Pixels of a plane.
    volumes : sequence of Piece
        One behind the other they make up each curve.
    """

    dtype = _DOUBLE

    def __init__(self, stamp: FileStamp, pixels: int, volumes: Sequence[Piece]) -> None:
        self.stamp, self.pixels, self.volumes = stamp, pixels, volumes
        self.depths = [v.numbers.count // pixels for v in volumes]
        self.rows = Rows.uniform(pixels, sum(self.depths))

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        n = stop - first
        if n <= 0:
            return
        table, at = out.reshape(n, -1), 0
        whole = n * 8 >= self.pixels
        for volume, depth in zip(self.volumes, self.depths, strict=True):
            part = table[:, at : at + depth]
            step = max(1, _PART // self.pixels) if whole else 1
            for plane in range(0, depth, step):
                count = min(step, depth - plane)
                values = self._planes(volume, plane, count, first, n, whole)
                scaled_copy(part[:, plane : plane + count], values.T, gain, offset)
            if volume.reverse:
                part[...] = part[:, ::-1].copy()
            at += depth

    def _planes(
        self, volume: Piece, plane: int, count: int, first: int, n: int, whole: bool
    ) -> AnyArray:
        begin = volume.numbers.offset + 8 * self.pixels * plane
        if not whole:
            return self.stamp.read(begin + 8 * first, _DOUBLE, n).reshape(1, n)
        planes = self.stamp.read(begin, _DOUBLE, count * self.pixels)
        return planes.reshape(count, self.pixels)[:, first : first + n]


class ImageColumn:
    """A table of numbers whose first row in the file is the topmost."""

    def __init__(self, stamp: FileStamp, numbers: Numbers, rows: int, columns: int) -> None:
        self.stamp, self.numbers, self.shape = stamp, numbers, (rows, columns)
        self.dtype, self.rows = numbers.dtype, Rows.uniform(1, rows * columns)

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        if stop > first:
            numbers = self.numbers
            values = self.stamp.read(numbers.offset, numbers.dtype, numbers.count).reshape(
                self.shape
            )
            scaled_copy(out.reshape(self.shape), values[::-1], gain, offset)
