"""A stream of samples: means of bins, and compiled loops that find where it turns or switches.

The loops carry their state in an array from one call to the next, so that the result does not
depend on how the stream is cut into blocks. None calls another: cached code of a caller would go
stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Any

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.kernels import compiled, second_difference_noise
from nrm_plugin.errors import InvalidInput

#: Events: none yet, the limit reached, a fall or rise that has begun, a level crossed.
NOTHING, LIMIT, FALLING, RISING, ENTERED, LEFT = range(6)

#: State of `next_turn`: direction, lowest and highest value and their positions.
DIRECTION, LOW, LOW_AT, HIGH, HIGH_AT = range(5)

#: State of `next_contact`: whether inside, the baseline, whether ever inside, for how many values
#: far below the baseline, whether the baseline has dropped.
INSIDE, BASELINE, SEEN, BELOW, DROPPED = range(5)


@compiled
def bin_means(values: Any, width: Any, carry: Any, out: Any) -> Any:
    """Write the mean of every full bin of `width` samples; return how many.

    ``carry`` holds the sum and the number of samples of the bin that is not full.
    """
    total, count, n = carry[0], carry[1], 0
    for value in values:
        total += value
        count += 1.0
        if count == width:
            out[n] = total / width
            n += 1
            total, count = 0.0, 0.0
    carry[0], carry[1] = total, count
    return n


@compiled
def next_turn(values: Any, first: Any, at: Any, limit: Any, travel: Any, state: Any) -> Any:
    """Find where a fall or a rise by `travel` after an extreme is complete.

    ``values[0]`` has the position ``first``; the search begins at position ``at`` and ends before
    ``limit``. Returns the event and the position after it.
    """
    direction, low, low_at = state[DIRECTION], state[LOW], state[LOW_AT]
    high, high_at = state[HIGH], state[HIGH_AT]
    end = min(limit, first + len(values))
    event = NOTHING
    while at < end and event == NOTHING:
        value = values[at - first]
        if value < low:
            low, low_at = value, at
        if value > high:
            high, high_at = value, at
        if direction >= 0.0 and value <= high - travel:
            direction, event = -1.0, FALLING
            low, low_at = value, at
        elif direction <= 0.0 and value >= low + travel:
            direction, event = 1.0, RISING
            high, high_at = value, at
        at += 1
    if event == NOTHING and at >= limit:
        event = LIMIT
    state[DIRECTION], state[LOW], state[LOW_AT] = direction, low, low_at
    state[HIGH], state[HIGH_AT] = high, high_at
    return event, at


@compiled
def next_contact(
    values: Any,
    first: Any,
    at: Any,
    limit: Any,
    threshold: Any,
    release: Any,
    settle: Any,
    state: Any,
) -> Any:
    """Find where the signal rises above its baseline by `threshold`, or is back within `release`.

    The baseline follows the signal outside by steps of ``threshold / settle`` per value, like a
    running median: neither noise nor a short dip moves it. Until the first contact it drops to a
    signal that has stayed far below it for `settle` values: the stream began in contact.
    """
    inside, baseline, seen, below = state[INSIDE], state[BASELINE], state[SEEN], state[BELOW]
    step = threshold / settle
    end = min(limit, first + len(values))
    event = NOTHING
    while at < end and event == NOTHING:
        value = values[at - first]
        if np.isnan(baseline):
            baseline = value
        above = value - baseline
        if inside > 0.0:
            if above < release:
                inside, event = 0.0, LEFT
        elif above > threshold:
            inside, seen, event = 1.0, 1.0, ENTERED
        else:
            baseline += min(max(above, -step), step)
            below = below + 1.0 if above < -threshold else 0.0
            if below >= settle and seen == 0.0:
                baseline, below = value, 0.0
                state[DROPPED] = 1.0
        at += 1
    if event == NOTHING and at >= limit:
        event = LIMIT
    state[INSIDE], state[BASELINE], state[SEEN], state[BELOW] = inside, baseline, seen, below
    return event, at


@compiled
def next_edge(values: Any, at: Any, high: Any, low: Any, state: Any) -> Any:
    """Find where a marker goes above `high` or below `low`; ``state[0]`` is its level, or nan."""
    level = state[0]
    event = NOTHING
    while at < len(values) and event == NOTHING:
        value = values[at]
        if np.isnan(level):
            level = 1.0 if value >= high else 0.0
            event = ENTERED if level > 0.0 else NOTHING
        elif level == 0.0 and value >= high:
            level, event = 1.0, ENTERED
        elif level == 1.0 and value <= low:
            level, event = 0.0, LEFT
        at += 1
    state[0] = level
    return event, at


def prepare() -> None:
    """Compile all loops: now, not when samples are waiting."""
    some = np.zeros(16)
    bin_means(some, 4, np.zeros(2), np.empty(4))
    next_turn(some, 0, 0, 4, 1.0, np.zeros(5))
    next_contact(some, 0, 0, 4, 1.0, 0.5, 10.0, np.zeros(5))
    next_edge(some, 0, 2.0, 0.8, np.zeros(1))
    second_difference_noise(some)


class Bins:
    """Means of bins of the last part of the stream, by their position in the whole stream."""

    def __init__(self, width: int, most: int) -> None:
        self.width, self.most = width, most
        self.samples = self.first = self.stop = 0
        self._means: dict[str, FloatArray] = {}
        self._carry: dict[str, FloatArray] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._means

    def add(self, channels: Mapping[str, FloatArray]) -> None:
        """Append the bins that new samples fill."""
        n = len(next(iter(channels.values())))
        if self.samples == 0:
            self._means = {name: np.empty(0) for name in channels}
            self._carry = {name: np.zeros(2) for name in channels}
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
