"""Clocks: times that count from the first sample of each curve."""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import AnyArray, Column, FloatArray, IntArray, Rows, scaled_copy


class SinceStart:
    """The numbers of another column, less each curve's first one."""

    def __init__(self, column: Column, starts: FloatArray) -> None:
        self.column, self.starts = column, starts
        self.rows, self.dtype = column.rows, np.dtype(np.float64)

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `nrm_plugin.columns.Column.fill`."""
        flat = out.reshape(-1)
        since: FloatArray = np.empty(len(flat), np.float64)
        self.column.fill(first, stop, since)
        with np.errstate(invalid="ignore"):  # stamps of a damaged file may be infinite
            since -= np.repeat(self.starts[first:stop], self.rows.sizes[first:stop])
        scaled_copy(flat, since, gain, offset)


class TwoPaces:
    """Even steps within each of two halves, which follow each other at once.

    Parameters
    ----------
    counts : (N, 2) array of int
        Samples of each half.
    steps : (float, float)
        Between samples of the first and of the second half; the first sample of the second half
        comes a step of its own half behind the last of the first.
    """

    def __init__(self, counts: IntArray, steps: tuple[float, float], rows: Rows) -> None:
        self.counts, self.steps = counts, steps
        self.rows, self.dtype = rows, np.dtype(np.float64)

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `nrm_plugin.columns.Column.fill`."""
        flat = out.reshape(-1)
        sizes = self.rows.sizes[first:stop]
        begin = np.repeat(np.cumsum(sizes) - sizes, sizes)
        index = np.arange(len(flat)) - begin
        last = np.repeat(self.counts[first:stop, 0], sizes) - 1
        down, up = self.steps
        times = np.minimum(index, last) * down + np.maximum(index - last, 0) * up
        scaled_copy(flat, times, gain, offset)
