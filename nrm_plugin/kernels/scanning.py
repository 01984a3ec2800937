"""Streams of a data acquisition: bins, turning points, edges, weighted sums, as they come."""

from __future__ import annotations

import ctypes

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.kernels.library import LIBRARY, check, doubles, pointer, whole
from nrm_plugin.kernels.records import CONTACT_STATE, OPEN_BIN, TURN_STATE, RecordArray

#: What a search through a stream met.
NOTHING, LIMIT, FALLING, RISING, ENTERED, LEFT = range(6)


def bin_means(values: FloatArray, width: int, carry: RecordArray, out: FloatArray) -> int:
    """Write the mean of every full bin of `width` samples; return how many.

    Parameters
    ----------
    carry : record of `OPEN_BIN`
        Of the bin that is not full; from one call to the next.
    """
    values = whole(values)
    count = LIBRARY.nrm_bin_means(
        doubles(values, 0),
        values.size,
        width,
        pointer(carry, OPEN_BIN, 1),
        doubles(out, 0),
        out.size,
    )
    if count < 0:
        raise ValueError("there is no room for all bins")
    return int(count)


def next_turn(
    values: FloatArray, first: int, at: int, limit: int, travel: float, state: RecordArray
) -> tuple[int, int]:
    """Find where a fall or a rise by `travel` after an extreme is complete.

    ``values[0]`` has the position `first`; the search begins at position `at` and ends before
    `limit`. Returns what was met and the position after it. `state` is a record of `TURN_STATE`.
    """
    values = whole(values)
    position = ctypes.c_int64(at)
    met = LIBRARY.nrm_next_turn(
        doubles(values, 0),
        values.size,
        first,
        limit,
        travel,
        pointer(state, TURN_STATE, 1),
        ctypes.byref(position),
    )
    return met, position.value


def next_contact(
    values: FloatArray,
    first: int,
    at: int,
    limit: int,
    threshold: float,
    release: float,
    settle: float,
    state: RecordArray,
) -> tuple[int, int]:
    """Find where the signal rises above its baseline by `threshold`, or is back within `release`.

    The baseline follows the signal outside by steps of ``threshold / settle`` per value, like a
    running median: neither noise nor a short dip moves it. Until the first contact it drops to a
    signal that has stayed far below it for `settle` values: the stream began in contact.
    Positions as in `next_turn`; `state` is a record of `CONTACT_STATE`.
    """
    values = whole(values)
    position = ctypes.c_int64(at)
    met = LIBRARY.nrm_next_contact(
        doubles(values, 0),
        values.size,
        first,
        limit,
        threshold,
        release,
        settle,
        pointer(state, CONTACT_STATE, 1),
        ctypes.byref(position),
    )
    return met, position.value


def next_edge(
    values: FloatArray, at: int, high: float, low: float, level: FloatArray
) -> tuple[int, int]:
    """Find where a marker goes above `high` or below `low`; ``level[0]`` is its level, or nan."""
    values = whole(values)
    position = ctypes.c_int64(at)
    met = LIBRARY.nrm_next_edge(
        doubles(values, 0), values.size, high, low, doubles(level, 1), ctypes.byref(position)
    )
    return met, position.value


def tap_sums(values: FloatArray, step: int, count: int, taps: FloatArray) -> FloatArray:
    """Sums of ``values[i * step + k] * taps[j, k]`` over k, shape (sets of taps, count).

    The order of the additions depends on the number of taps only.
    """
    values, taps = whole(values), whole(taps)
    n_sets, length = taps.shape
    out = np.empty((n_sets, count))
    check(
        LIBRARY.nrm_tap_sums(
            doubles(values, 0),
            values.size,
            step,
            count,
            doubles(taps, 0),
            n_sets,
            length,
            doubles(out, 0),
        )
    )
    return out


def window_means(values: FloatArray, positions: FloatArray, half: float) -> FloatArray:
    """Means of the line through samples, `half` samples to both sides of (fractional) positions.

    The value there if `half` is 0. nan where a sample is no number, and for positions more than
    half a sample outside.
    """
    values, positions = whole(values), whole(positions)
    out = np.empty(len(positions))
    check(
        LIBRARY.nrm_window_means(
            doubles(values, 0),
            values.size,
            doubles(positions, 0),
            positions.size,
            half,
            doubles(out, 0),
        )
    )
    return out
