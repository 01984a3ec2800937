"""The low-pass filter of the digital lock-in: means over whole periods, n in a row.

A mean over whole periods of the reference (a sinc in frequency) lets neither the reference nor its
harmonics through; n of them fall off as n poles do. Where a period is no whole number of samples,
or a second tone is there, what would still come through stands at frequencies that are known, and
short symmetric sums take those out exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import comb, cos, factorial, pi

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput

#: Response at an unwanted line above which it is taken out by a sum of its own.
_LEAKS = 1e-14


@dataclass(frozen=True, kw_only=True)
class PeriodFilter:
    """A symmetric FIR filter with a gain of 1 for slow signals and an exact, constant delay.

    Attributes
    ----------
    rate : float
        Samples per second.
    box : int
        Samples of each mean.
    poles : int
        How many means in a row.
    combs : tuple of (int, float)
        Sums ``(x[i - d] - 2 c x[i] + x[i + d]) / (2 - 2 c)`` behind them, as d and c: each lets
        nothing through at one frequency.
    """

    rate: float
    box: int
    poles: int
    combs: tuple[tuple[int, float], ...] = ()

    @classmethod
    def matched(
        cls,
        rate: float,
        frequencies: Sequence[float],
        *,
        poles: int = 4,
        periods: int | None = None,
        bandwidth: float = 80.0,
        lines: Sequence[float] = (),
    ) -> PeriodFilter:
        """Return the filter for a signal that holds tones (Hz), an offset and noise.

        Parameters
        ----------
        rate : float
            Samples per second.
        frequencies : sequence of float
            All that is demodulated; harmonics count by themselves.
        poles : int
            1 to 8.
        periods : int, optional
            Of the slowest tone in each mean; by default what comes nearest to the bandwidth.
        bandwidth : float
            Equivalent noise bandwidth in Hz.
        lines : sequence of float
            Further lines in Hz, weak ones, that are taken out where they lie apart from the tones.

        Raises
        ------
        InvalidInput
            Where tones cannot be told from each other, or from what folds at this sampling rate.
        """
        if not 1 <= poles <= 8:
            raise InvalidInput(f"a filter has 1 to 8 poles, not {poles}")
        if not frequencies or not all(0.0 < f < 0.5 * rate for f in frequencies):
            raise InvalidInput(
                f"tones of {_hertz(frequencies)} cannot be demodulated at {rate:g} samples per "
                "second: they must lie above 0 and below half of that"
            )
        if not bandwidth > 0.0 or (periods is not None and periods < 1):
            raise InvalidInput("the bandwidth must be above 0, and the periods at least 1")
        slowest = min(frequencies)
        if periods is None:
            periods = max(1, round(slowest * spline_bandwidth(poles) / bandwidth))
        filter_ = cls(rate=rate, box=max(2, round(periods * rate / slowest)), poles=poles)
        for line in _unwanted(frequencies):
            filter_ = filter_._without(line)
        for line in lines:
            for apart in (abs(line + sign * f) for f in frequencies for sign in (-1.0, 1.0)):
                if filter_._folded(apart) * filter_.box >= rate:
                    filter_ = filter_._without(apart)
        return filter_

    def _folded(self, line: float) -> float:
        """Where a line in Hz is seen among samples."""
        return abs((line + 0.5 * self.rate) % self.rate - 0.5 * self.rate)

    def _without(self, line: float) -> PeriodFilter:
        """Return the filter that lets nothing through at a frequency in Hz."""
        folded = self._folded(line)
        if folded * self.box < 0.999 * self.rate:
            raise InvalidInput(
                f"a line at {line:.6g} Hz beside the demodulated one, seen at {folded:.6g} Hz with "
                f"{self.rate:g} samples per second, cannot be told from it in "
                f"{self.box / self.rate:.3g} s: choose other tones, more periods or a smaller "
                "bandwidth"
            )
        if abs(float(self.response(np.array(folded)))) < _LEAKS:
            return self
        turn = 2.0 * pi * folded / self.rate
        spacing = max(1, round(pi / turn))
        # Within a sixth of a period of half of it: slow signals pass the three taps well.
        combs = (*self.combs, (spacing, cos(turn * spacing)))
        return PeriodFilter(rate=self.rate, box=self.box, poles=self.poles, combs=combs)

    @cached_property
    def taps(self) -> FloatArray:
        """Weights of the samples, symmetric; their sum is 1."""
        taps = np.ones(1)
        box = np.full(self.box, 1.0 / self.box)
        for _ in range(self.poles):
            taps = np.convolve(taps, box)
        for spacing, cosine in self.combs:
            comb_ = np.zeros(2 * spacing + 1)
            comb_[[0, -1]], comb_[spacing] = 1.0, -2.0 * cosine
            taps = np.convolve(taps, comb_ / (2.0 - 2.0 * cosine))
        taps = 0.5 * (taps + taps[::-1])
        taps /= taps.sum()
        taps.flags.writeable = False
        return taps

    @property
    def delay(self) -> float:
        """Time in s from the middle of the samples that a value is made of to the last of them."""
        return 0.5 * (len(self.taps) - 1) / self.rate

    @property
    def noise_bandwidth(self) -> float:
        """Equivalent noise bandwidth in Hz: half the rate times the sum of the squared taps.

        As for `nrm_plugin.calibration.lockin.noise_bandwidth`, from 0 Hz up.
        """
        return 0.5 * self.rate * float(np.sum(self.taps**2))

    def response(self, frequency: FloatArray) -> FloatArray:
        """Gain, real, at frequencies in Hz from the demodulated one."""
        turn = 2.0 * pi * np.asarray(frequency, np.float64) / self.rate
        half = 0.5 * turn
        with np.errstate(invalid="ignore", divide="ignore"):
            one = np.where(half == 0.0, 1.0, np.sin(self.box * half) / (self.box * np.sin(half)))
        out = np.ones_like(one)
        for _ in range(self.poles):
            out = out * one
        for spacing, cosine in self.combs:
            out = out * (2.0 * np.cos(turn * spacing) - 2.0 * cosine) / (2.0 - 2.0 * cosine)
        return np.asarray(out)


def spline_bandwidth(poles: int) -> float:
    """Noise bandwidth of n means in a row, times the length of one: 1/2, 1/3, 11/40, 151/630 ...

    Half the middle value of the B-spline of order 2 n.
    """
    n = poles
    terms = (
        (-1) ** k * comb(2 * n, k) * (n - k) ** (2 * n - 1) / factorial(2 * n - 1) for k in range(n)
    )
    return 0.5 * float(sum(terms))


def _unwanted(frequencies: Iterable[float]) -> list[float]:
    """Where an offset, images and other tones fall when one of the tones is brought to 0 Hz."""
    tones = sorted(set(frequencies))
    lines = set(tones) | {2.0 * tone for tone in tones}
    for i, low in enumerate(tones):
        lines |= {high - low for high in tones[i + 1 :]} | {high + low for high in tones[i + 1 :]}
    ordered = sorted(lines)
    near = [a for a, b in pairwise(ordered) if b - a <= 1e-12 * b]
    return [line for line in ordered if line not in near]


def _hertz(frequencies: Iterable[float]) -> str:
    return ", ".join(f"{f:.6g} Hz" for f in frequencies) or "no frequency"
