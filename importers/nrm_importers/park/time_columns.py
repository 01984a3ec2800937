"""Clocks: times that count from the first sample of each curve."""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import AnyArray, Column, FloatArray, scaled_copy


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
