"""Compiled loops over a stream: means of bins, and where it turns, crosses a level or switches.

Each carries its state in an array from one call to the next, so that what is found does not depend
on how the stream is cut into blocks. None calls another: cached code of a caller would go stale.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nrm_plugin.engine.kernels import compiled, second_difference_noise

#: What was met: nothing yet, the limit given, a fall or rise that has begun, a level crossed.
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
    ``limit``. Returns what was met and the position after it.
    """
    direction, low, low_at = state[DIRECTION], state[LOW], state[LOW_AT]
    high, high_at = state[HIGH], state[HIGH_AT]
    end = min(limit, first + len(values))
    met = NOTHING
    while at < end and met == NOTHING:
        value = values[at - first]
        if value < low:
            low, low_at = value, at
        if value > high:
            high, high_at = value, at
        if direction >= 0.0 and value <= high - travel:
            direction, met = -1.0, FALLING
            low, low_at = value, at
        elif direction <= 0.0 and value >= low + travel:
            direction, met = 1.0, RISING
            high, high_at = value, at
        at += 1
    if met == NOTHING and at >= limit:
        met = LIMIT
    state[DIRECTION], state[LOW], state[LOW_AT] = direction, low, low_at
    state[HIGH], state[HIGH_AT] = high, high_at
    return met, at


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
    met = NOTHING
    while at < end and met == NOTHING:
        value = values[at - first]
        if np.isnan(baseline):
            baseline = value
        above = value - baseline
        if inside > 0.0:
            if above < release:
                inside, met = 0.0, LEFT
        elif above > threshold:
            inside, seen, met = 1.0, 1.0, ENTERED
        else:
            baseline += min(max(above, -step), step)
            below = below + 1.0 if above < -threshold else 0.0
            if below >= settle and seen == 0.0:
                baseline, below = value, 0.0
                state[DROPPED] = 1.0
        at += 1
    if met == NOTHING and at >= limit:
        met = LIMIT
    state[INSIDE], state[BASELINE], state[SEEN], state[BELOW] = inside, baseline, seen, below
    return met, at


@compiled
def next_edge(values: Any, at: Any, high: Any, low: Any, state: Any) -> Any:
    """Find where a marker goes above `high` or below `low`; ``state[0]`` is its level, or nan."""
    level = state[0]
    met = NOTHING
    while at < len(values) and met == NOTHING:
        value = values[at]
        if np.isnan(level):
            level = 1.0 if value >= high else 0.0
            met = ENTERED if level > 0.0 else NOTHING
        elif level == 0.0 and value >= high:
            level, met = 1.0, ENTERED
        elif level == 1.0 and value <= low:
            level, met = 0.0, LEFT
        at += 1
    state[0] = level
    return met, at


def prepare() -> None:
    """Compile all loops: now, not when samples are waiting."""
    some = np.zeros(16)
    bin_means(some, 4, np.zeros(2), np.empty(4))
    next_turn(some, 0, 0, 4, 1.0, np.zeros(5))
    next_contact(some, 0, 0, 4, 1.0, 0.5, 10.0, np.zeros(5))
    next_edge(some, 0, 2.0, 0.8, np.zeros(1))
    second_difference_noise(some)
