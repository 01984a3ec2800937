"""How spectroscopy data lie in a TIFF file: point after point, channel after channel.

Both halves of a curve have the same number of samples on disk. Where a trigger stops a half early,
the rest of it is filled with copies of its last sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nrm_importers.park.headers import ParkHeader
from nrm_importers.park.tiff import SPECTROSCOPY_DATA, Tiff
from nrm_plugin.columns import AnyArray, FileColumn, FileStamp, FloatArray, IntArray, Rows, Strip
from nrm_plugin.errors import CorruptFile

#: As many channels have room in the header.
_MOST_CHANNELS = 8

#: Samples that are looked at together for padding.
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class SpectroscopyLayout:
    """Curves on disk.

    Attributes
    ----------
    stamp : FileStamp
    dtype : dtype
    offset : int
        First byte of the first point.
    n_points, n_channels, n_samples : int
        Samples of both halves together.
    order : (n_points,) array of int
        For each curve, the number of its point in the file.
    counts : (n_points, 2) array of int
        Samples that were measured, per curve and half.
    """

    stamp: FileStamp
    dtype: np.dtype[np.generic]
    offset: int
    n_points: int
    n_channels: int
    n_samples: int
    order: IntArray
    counts: IntArray

    @property
    def half(self) -> int:
        """Samples of a half on disk."""
        return self.n_samples // 2

    def column(self, channel: int) -> FileColumn:
        """Measured samples of a channel, without padding."""
        size = self.dtype.itemsize
        points = self.offset + size * self.n_channels * self.n_samples * self.order
        first = points + size * self.n_samples * channel
        starts = (first, first + size * self.half)
        strips = [Strip(starts[i], _evenly(self.counts[:, i])) for i in (0, 1)]
        return FileColumn(self.stamp, self.dtype, strips)

    def blocks(self, samples: int = 0) -> list[tuple[int, int]]:
        """Runs of curves with about a million samples together, given those of a curve."""
        step = max(1, _BLOCK // (samples or self.n_samples))
        return [(i, min(i + step, self.n_points)) for i in range(0, self.n_points, step)]

    @cached_property
    def rows(self) -> Rows:
        """Samples of each curve."""
        return Rows(_evenly(self.counts.sum(axis=1)))


def _evenly(counts: IntArray) -> IntArray:
    """Counts; as one number that takes no memory where all are equal."""
    if len(counts) and (counts == counts[0]).all():
        return np.broadcast_to(np.int64(counts[0]), counts.shape)
    return np.ascontiguousarray(counts)


def find_layout(stamp: FileStamp, tiff: Tiff, header: ParkHeader) -> SpectroscopyLayout | None:
    """Work out where the curves lie; None if the file announces no points.

    Raises
    ------
    CorruptFile
        If header and data contradict each other.
    """
    n_points, n_channels = header["n_points"], header["n_channels"]
    n_samples = header["n_samples"]
    field = tiff.fields.get(SPECTROSCOPY_DATA)
    if n_points == 0 and (field is None or not field.length):
        return None
    if not 0 < n_channels <= _MOST_CHANNELS:
        raise CorruptFile(tiff.path, None, f"1 to {_MOST_CHANNELS} channels", n_channels)
    if n_points <= 0 or n_samples <= 0 or n_samples % 2:
        raise CorruptFile(
            tiff.path,
            None,
            "points with an even number of samples",
            f"{n_points} points of {n_samples} samples",
        )
    dtype = header.sample_type(tiff)
    length = n_points * n_channels * n_samples * dtype.itemsize
    if field is None or field.length != length:
        raise CorruptFile(
            tiff.path,
            field.offset if field else None,
            f"{length} bytes of spectroscopy data",
            f"{field.length if field else 0} bytes",
        )
    whole = np.broadcast_to(np.int64(n_samples // 2), (n_points, 2))
    order = np.arange(n_points)
    return SpectroscopyLayout(
        stamp=stamp,
        dtype=dtype,
        offset=field.offset,
        n_points=n_points,
        n_channels=n_channels,
        n_samples=n_samples,
        order=order,
        counts=whole,
    )


def measured(layout: SpectroscopyLayout, stamps: int | None) -> tuple[IntArray, FloatArray | None]:
    """Count the samples of each half that were measured.

    Parameters
    ----------
    layout : Layout
        With nothing left out and the points in the order of the file.
    stamps : int or None
        The channel with the Time Stamp: a half ends with the first sample at which it has
        reached its last value. Without one, a half ends where all channels begin to repeat.

    Returns
    -------
    (n_points, 2) array of int, (n_points,) array or None
        The counts, and each point's first Time Stamp; None if there is none to be used.
    """
    counts = np.empty((layout.n_points, 2), np.int64)
    if stamps is not None:
        column = layout.column(stamps)
        starts: FloatArray = np.empty(layout.n_points)
        for first, stop in layout.blocks():
            values: AnyArray = np.empty((stop - first) * layout.n_samples, layout.dtype)
            column.fill(first, stop, values)
            halves = values.reshape(stop - first, 2, layout.half)
            if layout.dtype.kind == "f":
                halves = np.nan_to_num(halves, nan=-np.inf)
            counts[first:stop] = 1 + np.argmax(halves, axis=2)
            starts[first:stop] = halves[:, 0, 0]
        if (counts.max() > 1 or layout.half == 1) and np.isfinite(starts).all():
            return counts, starts
    size = layout.n_channels * layout.n_samples
    for first, stop in layout.blocks(size):
        at = layout.offset + first * size * layout.dtype.itemsize
        values = layout.stamp.read(at, layout.dtype, (stop - first) * size)
        table = values.reshape(stop - first, layout.n_channels, 2, layout.half)
        differs = (table != table[..., -1:]).any(axis=1)
        repeated = np.argmax(differs[..., ::-1], axis=2)
        repeated[~differs.any(axis=2)] = layout.half
        counts[first:stop] = np.minimum(layout.half - repeated + 1, layout.half)
    return counts, None
