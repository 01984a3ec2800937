"""What looks wrong with the signals that a lock-in is given: clipped, or at another frequency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.demodulation.demodulator import Tone
from nrm_plugin.demodulation.period_filter import PeriodFilter
from nrm_plugin.demodulation.reference_tone import ENOUGH, find_frequency
from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import with_unit

#: A signal is clipped where this part of its samples, and so many, are at one end of it ...
_PART, _COUNT = 1e-3, 8
#: ... and so many times as many as at the next value, of so many between the ends (a sine has up to
#: 2.4 times as many); and for this part of them the samples before and behind are there, too.
_TIMES, _VALUES, _INSIDE = 4, 16, 0.2
#: Values that differ by this part of their span are one.
_SAME = 1e-6
#: What the recording says of the dither's frequency may be off by this part.
_OFF = 0.02
#: A square wave is within this part of its span of either end for this part of the time; a sine is
#: for 0.41 of it.
_LEVEL, _FLAT = 0.1, 0.7
#: Response at the reference's deviation below which the filter was too narrow for it.
_TOO_FAR = 0.7


def is_clipped(values: FloatArray) -> bool:
    """Whether a wave stops at a value that it does not exceed, as at the end of a board's range.

    One that is constant does, too. Of fewer than about ten samples per period it cannot be told.
    """
    if len(values) < _COUNT or not np.isfinite(values).all():
        return False
    span = float(values.max() - values.min())
    if not span > 0.0:
        return True
    for below in (values.max() - values, values - values.min()):
        there = below <= _SAME * span
        beyond = below[~there]
        step, at_end = float(beyond.min()), len(below) - len(beyond)
        inside = int(np.count_nonzero(there[:-2] & there[1:-1] & there[2:]))
        beside = int(np.count_nonzero(beyond <= step + _SAME * span))
        if (
            at_end >= max(_COUNT, _PART * len(values))
            and at_end >= _TIMES * beside
            and span >= _VALUES * step
            and inside >= _INSIDE * at_end
        ):
            return True
    return False


def doubts_without_reference(
    signal: FloatArray, rate: float, tones: Sequence[Tone]
) -> Iterator[str]:
    """Sentences where a signal (its first samples do) has no line at a frequency that was told."""
    signal = signal[:ENOUGH]
    for frequency in dict.fromkeys(tone.frequency for tone in tones):
        try:
            found = find_frequency(signal, rate, frequency)
        except InvalidInput:
            yield (
                f"the signal has no line at {frequency:.6g} Hz, or within 2 % of it: where that is "
                "not the frequency of the dither, X and Y are noise"
            )
            continue
        # The sample itself turns the phase by less than that.
        if abs(found - frequency) * len(signal) > rate:
            yield (
                f"the signal's line is at {found:.7g} Hz, not at {frequency:.7g} Hz: the phase "
                f"turns {abs(found - frequency):.3g} times per second, and X and Y with it"
            )


def doubts_of_square_wave(reference: FloatArray, rate: float, frequency: float) -> Iterator[str]:
    """A sentence where a reference (its first samples do) of so many Hz has steep edges."""
    reference = reference[:ENOUGH]
    low, high = (float(end(reference)) if len(reference) else 0.0 for end in (np.min, np.max))
    near = _LEVEL * (high - low)
    flat = np.count_nonzero((reference < low + near) | (reference > high - near))
    if high > low and flat > _FLAT * len(reference):
        yield (
            "the reference is a square wave, whose edges are known to a sample: the phase is right "
            f"to {180.0 * frequency / rate:.2g} degrees, and far better only where board and "
            "generator do not beat slowly. A sine has no such limit"
        )


def doubts_of_reference(lost: int, deviation: float, filter_: PeriodFilter) -> Iterator[str]:
    """Sentences where so many values had no reference, or its frequency moved by too many Hz."""
    if lost:
        yield f"the reference was lost for {lost} values; X and Y are nan there"
    if float(filter_.response(np.array(deviation))) < _TOO_FAR:
        yield (
            f"the reference's frequency moved by {deviation:.3g} Hz, too far for a filter of "
            f"{filter_.noise_bandwidth:.3g} Hz: amplitudes are uncertain. Fewer periods help"
        )


def intermodulation_text(lines: Mapping[str, tuple[float, float]], convention: str) -> str:
    """Words for lines of several tones: of each its frequency in Hz and its amplitude in V."""
    return "; ".join(
        f"{name} = {with_unit(frequency, 'Hz', 7)}: {with_unit(amplitude, 'V', 3)} {convention}"
        for name, (frequency, amplitude) in lines.items()
    )


def doubts_of_frequency(told: object, found: float) -> Iterator[str]:
    """A sentence where the recording says another ``dither_frequency`` (Hz) than was found."""
    if isinstance(told, int | float) and abs(found - told) > _OFF * abs(told):
        yield (
            f"the recording says that the dither was at {told:.6g} Hz, and it was demodulated at "
            f"{found:.6g} Hz: a dither above half of the sampling rate is seen at a lower frequency"
        )
