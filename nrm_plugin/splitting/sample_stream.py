"""Means of bins of a stream of samples, however it comes in blocks."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.kernels import OPEN_BIN, RecordArray, bin_means


class Bins:
    """Means of bins of the last part of the stream, by their position in the whole stream."""

    def __init__(self, width: int, most: int) -> None:
        self.width, self.most = width, most
        self.samples = self.first = self.stop = 0
        self._means: dict[str, FloatArray] = {}
        self._carry: dict[str, RecordArray] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._means

    def add(self, channels: Mapping[str, FloatArray]) -> None:
        """Append the bins that new samples fill."""
        n = len(next(iter(channels.values())))
        if self.samples == 0:
            self._means = {name: np.empty(0) for name in channels}
            self._carry = {name: np.zeros((), OPEN_BIN) for name in channels}
        if channels.keys() != self._means.keys():
            raise InvalidInput("channels come and go in the middle of the stream")
        self.samples += n
        kept = self.stop - self.first
        more = self.samples // self.width - self.stop
        for name, values in channels.items():
            means = self._means[name]
            if len(means) < kept + more:
                grown = np.empty(max(kept + more, 2 * len(means), 1024))
                grown[:kept] = means[:kept]
                means = self._means[name] = grown
            bin_means(values, self.width, self._carry[name], means[kept:])
        self.stop += more

    def of(self, name: str, start: int | None = None, stop: int | None = None) -> FloatArray:
        """Means of the bins from `start` to before `stop`."""
        a = self.first if start is None else max(start, self.first)
        b = self.stop if stop is None else stop
        return self._means[name][a - self.first : b - self.first]

    def forget(self, before: int) -> None:
        """Allow the bins before a position to be dropped; done when that frees at least half."""
        drop, kept = min(before, self.stop) - self.first, self.stop - self.first
        if drop < max(kept // 2, 1024):
            return
        for name, means in self._means.items():
            self._means[name] = means[drop:kept].copy()
        self.first += drop

    def sample(self, position: float) -> int:
        """Sample nearest to a fractional position of bin centres."""
        return min(max(floor((position + 0.5) * self.width), 0), self.samples)
