"""Times of samples that follow each other in even steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nrm_plugin.columns import AnyArray, IntArray, Rows, scaled_copy


class PartClock:
    """Times from the first sample of each curve on, with a step for each of its parts.

    The first sample of a part comes a step of its own part behind the last of the part before.

    Parameters
    ----------
    counts : (N, n_parts) array of int
        Samples of each part.
    steps : sequence of float
        Between the samples of each part.
    rows : Rows
    """

    def __init__(self, counts: IntArray, steps: Sequence[float], rows: Rows) -> None:
        self.counts, self.steps = counts, np.asarray(steps, np.float64)
        self.rows, self.dtype = rows, np.dtype(np.float64)

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `nrm_plugin.columns.Column.fill`."""
        counts = self.counts[first:stop]
        # The first sample of a curve is at 0: its own part has a step less.
        moved = counts - (np.arange(len(self.steps)) == 0)
        begins = np.zeros(counts.shape)
        begins[:, 1:] = np.cumsum(moved * self.steps, axis=1)[:, :-1]
        sizes = counts.reshape(-1)
        index = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        part = np.repeat(np.tile(np.arange(len(self.steps)), len(counts)), sizes)
        times = np.repeat(begins.reshape(-1), sizes) + (index + (part > 0)) * self.steps[part]
        scaled_copy(out.reshape(-1), times, gain, offset)
