"""The samples of an output: tones whose amplitudes rise and fall smoothly, known to the last one.

A board holds each sample until the next. That makes a tone smaller, by sinc(f / rate), and half a
sample late; both are made up for here, so that the output's fundamental is ``A sin(2 pi f t)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ldexp, pi, sin

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import with_unit

#: Fewest samples per period; below, what the steps of the output hold beside the tone is large.
FEWEST = 5


@dataclass(frozen=True, kw_only=True)
class Drive:
    """A tone at the output.

    Attributes
    ----------
    frequency : float
        In Hz.
    volts : float
        Amplitude, peak, in V.
    motion : float or None
        What it moves the sample by, peak, in m, where that is known.
    sensitivity : float or None
        Motion per volt at rest, m/V.
    response : float or None
        Motion at the frequency over that at rest.
    """

    frequency: float
    volts: float
    motion: float | None = None
    sensitivity: float | None = None
    response: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Tones from a sample on; their amplitudes go from `before` to `amplitudes`."""

    first: int
    steps: tuple[int, ...]  # turns per sample, in units of 2^-64
    turns: tuple[int, ...]  # at the first sample, in the same units
    before: FloatArray
    amplitudes: FloatArray


class Waveform:
    """Tones one after the other, without a jump of value or phase.

    Parameters
    ----------
    rate : float
        Samples per second.
    ramp : int
        Samples in which amplitudes rise and fall, as a raised cosine.
    max_voltage : float
        What no sample is above.

    Examples
    --------
    >>> wave = Waveform(1000.0, 100, 2.0)
    >>> wave.add(0, [Drive(frequency=50.0, volts=1.0)])
    >>> float(wave.samples(0, 1)[0]), round(float(wave.samples(100, 20).max()), 3)
    (0.0, 0.992)
    """

    def __init__(self, rate: float, ramp: int, max_voltage: float) -> None:
        self.rate, self.ramp, self.max_voltage = rate, max(1, ramp), max_voltage
        self._pieces: list[_Piece] = []

    def add(self, first: int, drives: Sequence[Drive]) -> None:
        """Go over to other tones, as many as before, from sample `first` on.

        Raises
        ------
        InvalidInput
            If they could be above the largest voltage, or have too few samples per period.
        """
        for drive in drives:
            if drive.frequency * FEWEST > self.rate:
                raise InvalidInput(
                    f"a dither of {with_unit(drive.frequency, 'Hz')} needs at least "
                    f"{with_unit(FEWEST * drive.frequency, 'Hz')} samples per second of the "
                    f"output, and there are {with_unit(self.rate, 'Hz')}"
                )
        amplitudes = np.array([d.volts / _held(d.frequency, self.rate) for d in drives])
        if not float(amplitudes.sum()) <= self.max_voltage * (1.0 + 1e-12):  # nan, too
            raise InvalidInput(
                f"the dither's samples would reach {with_unit(float(amplitudes.sum()), 'V', 4)}, "
                f"above max_voltage = {with_unit(self.max_voltage, 'V')}: the peaks of all tones "
                "add up, and the steps of the output take a little more"
            )
        steps = tuple(int(ldexp(d.frequency / self.rate, 64)) for d in drives)
        if self._pieces:
            turns, before = self._at(first)
        else:  # the tone's phase is 0 at sample 0; a held sample stands for its middle
            turns = tuple((step * first + step // 2) % 2**64 for step in steps)
            before = np.zeros(len(drives))
        self._append(first, steps, turns, before, amplitudes)

    def end(self, first: int) -> int:
        """Let everything fade from sample `first` on; return the first sample that stays 0."""
        if not self._pieces:
            return first
        turns, before = self._at(first)
        self._append(first, self._pieces[-1].steps, turns, before, np.zeros(len(before)))
        return first + self.ramp + 1

    def samples(self, first: int, count: int) -> FloatArray:
        """Volts from sample `first` on."""
        out = np.zeros(count)
        for number, piece in enumerate(self._pieces):
            later = self._pieces[number + 1 :]
            a = max(first, piece.first)
            b = min(first + count, later[0].first if later else first + count)
            if a < b:
                out[a - first : b - first] = self._of(piece, np.arange(a, b) - piece.first)
        return out

    def phase(self, time: float, tone: int = 0) -> float:
        """Phase in rad that a tone has at a time in s after the first sample."""
        piece = self._piece(int(time * self.rate + 1e-6))
        since = time * self.rate - piece.first - 0.5  # the middle of a held sample
        return float(
            2.0 * pi * (ldexp(piece.turns[tone], -64) + ldexp(piece.steps[tone], -64) * since)
        )

    def _append(
        self,
        first: int,
        steps: tuple[int, ...],
        turns: tuple[int, ...],
        before: FloatArray,
        amplitudes: FloatArray,
    ) -> None:
        if self._pieces and (
            first < self._pieces[-1].first or len(steps) != len(self._pieces[-1].steps)
        ):
            raise ValueError("pieces follow each other, with one number of tones")
        self._pieces.append(
            _Piece(first=first, steps=steps, turns=turns, before=before, amplitudes=amplitudes)
        )

    def _piece(self, sample: int) -> _Piece:
        return next((p for p in reversed(self._pieces) if p.first <= sample), self._pieces[0])

    def _at(self, sample: int) -> tuple[tuple[int, ...], FloatArray]:
        """Turns and amplitudes at a sample."""
        piece = self._pieces[-1]
        n = sample - piece.first
        turns = tuple(
            (turn + n * step) % 2**64 for turn, step in zip(piece.turns, piece.steps, strict=True)
        )
        rise = float(self._rise(np.array([n]))[0])
        return turns, piece.before + rise * (piece.amplitudes - piece.before)

    def _rise(self, since: IntArray) -> FloatArray:
        part = np.clip(since / self.ramp, 0.0, 1.0)
        return np.asarray(0.5 - 0.5 * np.cos(pi * part))

    def _of(self, piece: _Piece, since: IntArray) -> FloatArray:
        rise = self._rise(since)
        out = np.zeros(len(since))
        tones = zip(piece.steps, piece.turns, piece.before, piece.amplitudes, strict=True)
        for step, turn, before, amplitude in tones:
            wrapped = since.astype(np.uint64) * np.uint64(step) + np.uint64(turn)
            wave = np.sin(2.0 * pi * 2.0**-64 * wrapped.astype(np.float64))
            out += (before + rise * (amplitude - before)) * wave
        return out


def _held(frequency: float, rate: float) -> float:
    """By what a tone becomes smaller where each sample is held until the next."""
    part = pi * frequency / rate
    return sin(part) / part
