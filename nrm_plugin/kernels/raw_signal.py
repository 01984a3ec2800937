"""Signals as recorded: their numbers, and their values in SI."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.kernels.library import LIBRARY, check, doubles, pointer, whole
from nrm_plugin.kernels.records import KINDS, SIGNAL, RecordArray, record


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSignal:
    """Numbers as recorded; ``value = number * gain + offset`` in SI.

    Attributes
    ----------
    numbers : flat array
        Of any type.
    gain, offset : float
    limit : float
        What is larger in SI is no measurement and becomes nan.
    """

    numbers: AnyArray
    gain: float
    offset: float
    limit: float

    def at(self, samples: IntArray) -> FloatArray:
        """Values of some samples in SI; nan where there are no numbers at all."""
        if not self.numbers.size:
            return np.full(len(samples), np.nan)
        values = self.numbers[samples].astype(np.float64) * self.gain + self.offset
        values[~(np.abs(values) <= self.limit)] = np.nan
        return values

    def record(self, known: AnyArray) -> RecordArray:
        """Return the signal as the library takes it; `known` is kept alive meanwhile."""
        return record(
            SIGNAL,
            numbers=known.ctypes.data,
            count=known.size,
            kind=KINDS.index(known.dtype),
            gain=self.gain,
            offset=self.offset,
            limit=self.limit,
        )

    def known(self) -> AnyArray:
        """Return the numbers in one piece, float64 where the library does not know their type."""
        numbers = np.ascontiguousarray(self.numbers)
        return numbers if numbers.dtype in KINDS else numbers.astype(np.float64)


def gather(signal: RawSignal, first: IntArray, begin: IntArray, *, backwards: bool) -> FloatArray:
    """Take a part of every curve, in SI, turned around where it was recorded from the surface.

    Parameters
    ----------
    signal : RawSignal
    first : (n,) array of int
        Where the part of each curve begins in the signal.
    begin : (n + 1,) array of int
        Where it begins in the result, and the end.
    """
    n, out = len(begin) - 1, np.empty(int(begin[-1]))
    numbers = signal.known()
    given = signal.record(numbers)
    check(
        LIBRARY.nrm_gather(
            pointer(given, SIGNAL, 1),
            n,
            pointer(first, np.int64, n),
            pointer(begin, np.int64, n + 1),
            int(backwards),
            doubles(out, 0),
            out.size,
        )
    )
    return out


def noise(values: FloatArray) -> float:
    """Standard deviation of white noise from second differences; slopes do not count."""
    values = whole(values)
    return float(LIBRARY.nrm_noise(doubles(values, 0), values.size))
