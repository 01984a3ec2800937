"""What a digital lock-in is told, and what it does by that once the reference is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, sqrt
from typing import Any

from nrm_plugin.columns import FloatArray
from nrm_plugin.demodulation.demodulator import Demodulator, Tone
from nrm_plugin.demodulation.period_filter import PeriodFilter
from nrm_plugin.demodulation.reference_tone import ENOUGH, find_frequency
from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import with_unit

#: Largest sum of the peaks of several tones in m, unless another is given.
LARGEST_MOTION = 2e-9
#: Time in s of the reference that is looked at first; twice as much each time it does not do.
_LOOK = 0.5


@dataclass(frozen=True, kw_only=True)
class DigitalLockIn:
    """What is demodulated and how.

    Attributes
    ----------
    signal, reference : str
        Channels; without a reference the empty text, and then frequencies must be given.
    frequencies : tuple of float
        Of the tones in Hz; none: that of the reference.
    harmonics : tuple of int
        Of the first tone, besides the first.
    motions, phases : tuple of float
        Of the tones, in their order: motion of the sample in m (peak), and ``lockin_phase`` in
        rad; none, or one for each tone.
    largest_motion : float
        In m: several tones whose motions add up to more are refused.
    poles, periods, bandwidth
        Of the filter; see `PeriodFilter.matched`.
    output_rate : float, optional
        Values per second; by default about four for the length of one mean, whole periods apart.
    sample_rate : float, optional
        Samples per second where the recording has no times.
    convention : str
        What X and Y are: rms or peak.
    delay : float, optional
        Time in s by which the converter takes the signal later than the reference; by default the
        recording's ``lateral_delay``, or none.
    """

    signal: str = "lateral"
    reference: str = "reference"
    frequencies: tuple[float, ...] = ()
    harmonics: tuple[int, ...] = ()
    motions: tuple[float, ...] = ()
    phases: tuple[float, ...] = ()
    largest_motion: float = LARGEST_MOTION
    poles: int = 4
    periods: int | None = None
    bandwidth: float = 80.0
    output_rate: float | None = None
    sample_rate: float | None = None
    convention: str = "rms"
    delay: float | None = None

    def check(self) -> None:
        """Refuse what cannot be, whatever the recording holds.

        Raises
        ------
        InvalidInput
        """
        if not self.reference and not self.frequencies:
            raise InvalidInput("without a reference the frequency must be given")
        if self.convention not in ("rms", "peak"):
            raise InvalidInput(f"X and Y are rms or peak, not {self.convention!r}")
        once = set(self.harmonics)
        if any(h < 2 for h in once) or len(once) < len(self.harmonics):
            raise InvalidInput("harmonics count from 2, each once; the first is always there")
        n = max(1, len(self.frequencies))
        for what, values in (("amplitudes", self.motions), ("phases", self.phases)):
            if len(values) not in (0, n):
                raise InvalidInput(
                    f"{len(values)} {what} of the dither for {n} tones: give one for each, or none"
                )
            if not all(isfinite(v) for v in values) or (
                what == "amplitudes" and min(values, default=1.0) <= 0.0
            ):
                raise InvalidInput(f"{what} of the dither must be numbers, amplitudes above 0")
        if n > 1 and sum(self.motions) > self.largest_motion * (1.0 + 1e-9):
            raise InvalidInput(
                f"the tones move the sample by up to {with_unit(sum(self.motions), 'm', 3)} "
                f"together, more than {with_unit(self.largest_motion, 'm', 3)}: all of them have "
                "to stay small against the tip at once. Make them smaller, or allow a larger motion"
            )


@dataclass(frozen=True, kw_only=True)
class LockInPlan:
    """How a stream is demodulated, all of it fixed.

    Attributes
    ----------
    settings : DigitalLockIn
    rate : float
        Samples per second.
    tones : tuple of Tone
        The first tone, its harmonics, the other tones.
    names : tuple of (str, str)
        Of X and Y of each.
    lines : dict of str to float
        Lines in Hz of two tones, by what they are made of.
    filter_ : PeriodFilter
    interval : int
        Samples from one value to the next.
    delay : float
        Time in s by which the signal is taken later than the reference.
    """

    settings: DigitalLockIn
    rate: float
    tones: tuple[Tone, ...]
    names: tuple[tuple[str, str], ...]
    lines: dict[str, float]
    filter_: PeriodFilter
    interval: int
    delay: float

    @classmethod
    def made(
        cls,
        settings: DigitalLockIn,
        rate: float,
        frequencies: Sequence[float],
        *,
        delay: float = 0.0,
    ) -> LockInPlan:
        """Plan for a stream.

        Parameters
        ----------
        settings : DigitalLockIn
        rate : float
            Samples per second, as of `plain_rate`.
        frequencies : sequence of float
            Of the tones in Hz, exact.
        delay : float
            Where the settings give none.

        Raises
        ------
        InvalidInput
        """
        settings.check()
        tones, names = _tones(frequencies, settings.harmonics)
        lines = _lines(tones, rate)
        filter_ = PeriodFilter.matched(
            rate,
            [tone.demodulated for tone in tones],
            poles=settings.poles,
            periods=settings.periods,
            bandwidth=settings.bandwidth,
            lines=list(lines.values()),
        )
        period = rate / tones[0].frequency
        interval = max(1, round(max(1, round(filter_.box / (4.0 * period))) * period))
        if settings.output_rate is not None:
            if not 0.0 < settings.output_rate <= rate:
                raise InvalidInput(f"the output's rate lies between 0 and {rate:g} Hz")
            interval = round(rate / settings.output_rate)
        return cls(
            settings=settings,
            rate=rate,
            tones=tones,
            names=names,
            lines=lines,
            filter_=filter_,
            interval=interval,
            delay=delay if settings.delay is None else settings.delay,
        )

    def demodulator(self) -> Demodulator:
        """Return a new demodulator."""
        return Demodulator(
            self.tones,
            self.filter_,
            self.interval,
            referenced=bool(self.settings.reference),
            delay=self.delay,
            lines=list(self.lines.values()),
        )

    @cached_property
    def length(self) -> int:
        """Samples that a value is made of."""
        return self.demodulator().length

    @property
    def lead(self) -> float:
        """Time in s from the first sample of a stream to its first value."""
        return 0.5 * (self.length - 1) / self.rate

    @property
    def size(self) -> float:
        """What X and Y are, per peak."""
        return sqrt(0.5) if self.settings.convention == "rms" else 1.0

    def shown(self, name: str) -> str:
        """What a channel of X or Y is."""
        (tone,) = [t for t, pair in zip(self.tones, self.names, strict=True) if name in pair]
        return f"{self.settings.signal} demodulated at {with_unit(tone.demodulated, 'Hz', 9)}"

    def metadata(self, mean_deviation: float = 0.0) -> dict[str, Any]:
        """What curves carry of it.

        Parameters
        ----------
        mean_deviation : float
            Of the first tone's frequency in Hz.
        """
        said: dict[str, Any] = {
            "dither_frequency": self.tones[0].frequency + mean_deviation,
            "lockin_convention": self.settings.convention,
            "lockin_lag": 0.0,
            "lockin_noise_bandwidth": self.filter_.noise_bandwidth,
            "lockin_filter": f"{self.filter_.poles} means of {self.filter_.box} samples in a row "
            f"at {self.rate:.9g} samples per second, stamped with the time of their middle",
        }
        stems = [x.removesuffix("in_phase") for x, _ in self.names]
        for stem, tone in zip(stems[1:], self.tones[1:], strict=True):
            said[f"{stem}frequency"] = tone.demodulated
        firsts = [
            "",
            *(s for s, t in zip(stems[1:], self.tones[1:], strict=True) if t.harmonic == 1),
        ]
        for key, values in (
            ("dither_amplitude", self.settings.motions),
            ("lockin_phase", self.settings.phases),
        ):
            said |= {f"{stem}{key}": v for stem, v in zip(firsts, values, strict=False)}
        return said


def plain_rate(rate: float) -> float:
    """Samples per second without the last digits, as times that were written down give it."""
    # Times that were written in decimal are of rates that are whole.
    return float(round(rate)) if abs(rate - round(rate)) < 1e-7 * rate else float(f"{rate:.12g}")


def looks(rate: float) -> Iterator[int]:
    """How many samples of a reference are looked at: half a second, and more if that does not do.

    A recording that runs and one that is over come to the same frequency by the same samples.
    """
    n = max(32, round(_LOOK * rate))
    while n < ENOUGH:
        yield n
        n *= 2
    yield ENOUGH


def found_frequencies(
    settings: DigitalLockIn, rate: float, reference: FloatArray, *, whole: bool = True
) -> tuple[float, ...] | None:
    """Return the frequencies of the tones in Hz by the first look that finds them.

    Parameters
    ----------
    settings : DigitalLockIn
    rate : float
        Samples per second.
    reference : (n,) array
        Its beginning.
    whole : bool
        No more samples come; else None is returned where more of them may help.

    Raises
    ------
    InvalidInput
    """
    near: list[float | None] = [*settings.frequencies] or [None]
    for n in looks(rate):
        if n > len(reference) and not whole:
            return None
        try:
            return tuple(find_frequency(reference[:n], rate, one) for one in near)
        except InvalidInput:
            if n == ENOUGH or (whole and n >= len(reference)):
                raise
    return None


def _tones(
    frequencies: Sequence[float], harmonics: Sequence[int]
) -> tuple[tuple[Tone, ...], tuple[tuple[str, str], ...]]:
    """Tones, the first one's harmonics behind it, and the names of their channels."""
    if len(set(frequencies)) < len(frequencies):
        raise InvalidInput("two tones have the same frequency")
    tones, stems = [Tone(frequencies[0])], ["lateral"]
    for harmonic in harmonics:
        tones.append(Tone(frequencies[0], harmonic))
        stems.append(f"lateral_harmonic_{harmonic}")
    for number, frequency in enumerate(frequencies[1:], 2):
        tones.append(Tone(frequency))
        stems.append(f"lateral_{number}")
    return tuple(tones), tuple((f"{stem}_in_phase", f"{stem}_quadrature") for stem in stems)


def _lines(tones: Sequence[Tone], rate: float) -> dict[str, float]:
    """Lines that appear where the signal of two tones is not linear, up to the third order."""
    fundamentals = sorted({tone.frequency for tone in tones})
    taken = [tone.demodulated for tone in tones]
    lines: dict[str, float] = {}
    for i, a in enumerate(fundamentals):
        for b in fundamentals[i + 1 :]:
            for m, n in ((1, 1), (-1, 1), (2, -1), (-1, 2), (2, 1), (1, 2)):
                f = abs(m * a + n * b)
                known = any(abs(f - other) < 1e-9 * rate for other in [*taken, *lines.values()])
                if 0.0 < f < 0.5 * rate and not known:
                    lines[f"{m} x {a:.6g} Hz {'+' if n > 0 else '-'} {abs(n)} x {b:.6g} Hz"] = f
    return lines
