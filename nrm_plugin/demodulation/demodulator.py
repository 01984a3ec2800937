"""X + iY of a stream of samples, however it comes in blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ldexp, pi

import numpy as np

from nrm_plugin.columns import ComplexArray, FloatArray, IntArray
from nrm_plugin.demodulation.period_filter import PeriodFilter
from nrm_plugin.errors import InvalidInput
from nrm_plugin.kernels import tap_sums

#: A reference that is weaker than this part of its largest value was lost.
_LOST = 0.1
#: Samples that are worked on at once.
_PIECE = 1 << 20
#: Before the names of channels whose means are wanted.
_OTHER = "other "


@dataclass(frozen=True)
class Tone:
    """What is demodulated: a harmonic of a frequency in Hz."""

    frequency: float
    harmonic: int = 1

    @property
    def demodulated(self) -> float:
        """Frequency in Hz that is brought to 0."""
        return self.harmonic * self.frequency


@dataclass(frozen=True, kw_only=True)
class Demodulated:
    """Some values of the output.

    Attributes
    ----------
    position : (m,) array
        Where each stands, in samples from the first of the stream; a half is possible.
    signal : (n_tones, m) array of complex
        X + iY, peak, in the signal's unit: ``A exp(i theta)`` for ``A sin(2 pi k f t + theta)``
        where the reference is ``sin(2 pi f t)``; nan where the reference was lost.
    lines : (n_lines, m) array of complex
        The same of other frequencies, without reference.
    deviation : (n_references, m) array
        Of the reference's frequency from what was told, in Hz; nan where it was lost.
    others : dict of str to (m,) array
        Further channels: the mean over one interval of the output about each position.
    """

    position: FloatArray
    signal: ComplexArray
    lines: ComplexArray
    deviation: FloatArray
    others: dict[str, FloatArray] = field(default_factory=dict)


class Demodulator:
    """Demodulate a stream.

    The signal is multiplied with its tones and filtered, and so is the reference, whose phase is
    taken out: where the generator's clock drifts against the board's the phase follows, and the
    filter's loss at the frequency's deviation is made up for.

    Parameters
    ----------
    tones : sequence of Tone
        Without a reference their phase counts from the stream's first sample.
    filter_ : PeriodFilter
        Made for the frequencies of all tones.
    interval : int
        Samples from one value of the output to the next.
    referenced : bool
        A reference comes with the signal.
    delay : float
        Time in s by which a converter with one multiplexer takes the signal later than the
        reference.
    lines : sequence of float
        Further frequencies in Hz that are only looked at.

    Attributes
    ----------
    length : int
        Samples that a value is made of.
    samples : int
        How many have come.
    """

    def __init__(
        self,
        tones: Sequence[Tone],
        filter_: PeriodFilter,
        interval: int,
        *,
        referenced: bool = True,
        delay: float = 0.0,
        lines: Sequence[float] = (),
    ) -> None:
        if not tones or interval < 1:
            raise InvalidInput("a lock-in needs a tone, and an interval of at least one sample")
        self.tones, self.filter, self.interval = tuple(tones), filter_, interval
        self.referenced, self.samples = referenced, 0
        self._apart = max(1, filter_.box // 4) if referenced else 0
        self.length = len(filter_.taps) + 2 * self._apart
        rate = filter_.rate
        #: Turns per sample as fractions of 2^64: exact, and a product with any position wraps.
        self._steps = [int(ldexp(tone.frequency / rate, 64)) for tone in tones]
        self._late = [2.0 * pi * tone.demodulated * delay for tone in tones]
        taps = [self._taps(step * t.harmonic) for step, t in zip(self._steps, tones, strict=True)]
        self._line_steps = [int(ldexp(f / rate, 64)) for f in lines]
        taps += [self._taps(step) for step in self._line_steps]
        self._signal_taps = np.concatenate(taps)
        self._references = dict(zip([t.frequency for t in tones], self._steps, strict=True))
        if referenced:
            self._reference_taps = np.concatenate(
                [
                    self._taps(step, shift)
                    for step in self._references.values()
                    for shift in (-self._apart, 0, self._apart)
                ]
            )
        else:
            self._references = {}
        self._mean_taps = _mean(interval, self.length)[np.newaxis]
        self._kept: dict[str, FloatArray] = {}
        self._largest = np.zeros(len(self._references))
        self._next = 0  # the output's next value; it begins at sample _next * interval

    def _padded(self, taps: FloatArray, shift: int) -> FloatArray:
        out = np.zeros(self.length)
        begin = self._apart + shift
        out[begin : begin + len(taps)] = taps
        return out

    def _taps(self, step: int, shift: int = 0) -> FloatArray:
        """Real and imaginary part of twice the taps, turned by ``-i exp(...)`` against a sine."""
        envelope = self._padded(self.filter.taps, shift)
        wave = 2j * envelope * np.exp(-2j * pi * _turns(step, np.arange(self.length)))
        return np.stack([wave.real, wave.imag])

    def push(
        self,
        signal: FloatArray,
        reference: FloatArray | None = None,
        others: Mapping[str, FloatArray] | None = None,
    ) -> Demodulated:
        """Take the next samples; return the values of the output that they complete.

        Parameters
        ----------
        signal, reference : (n,) arrays
        others : mapping of str to (n,) arrays, optional
            Channels whose means are wanted.

        Raises
        ------
        InvalidInput
            If lengths differ, or channels come and go.
        """
        channels = {_OTHER + name: values for name, values in (others or {}).items()}
        channels["signal"] = signal
        if (reference is None) == self.referenced:
            raise InvalidInput("a reference is given with every block, or with none")
        if reference is not None:
            channels["reference"] = reference
        n = len(signal)
        if any(np.shape(values) != (n,) for values in channels.values()):
            raise InvalidInput("signal, reference and other channels must have one length")
        if self.samples and channels.keys() != self._kept.keys():
            raise InvalidInput("channels come and go in the middle of the stream")
        parts = [
            self._piece({name: values[a : a + _PIECE] for name, values in channels.items()})
            for a in range(0, max(n, 1), _PIECE)
        ]
        return parts[0] if len(parts) == 1 else joined(parts)

    def _piece(self, channels: Mapping[str, FloatArray]) -> Demodulated:
        self.samples += len(channels["signal"])
        count = max(0, (self.samples - self.length) // self.interval + 1 - self._next)
        first, position = self._next, self._next * self.interval
        self._next += count
        sums: dict[str, FloatArray] = {}
        for name, new in channels.items():
            values = np.asarray(new, np.float64)
            if name in self._kept:
                values = np.concatenate([self._kept[name], values])
            begin = self.samples - len(values)  # of these values in the stream
            taps = self._mean_taps
            if name == "signal":
                taps = self._signal_taps
            elif name == "reference":
                taps = self._reference_taps
            skipped = min(position - begin, len(values))
            sums[name] = tap_sums(values[skipped:], self.interval, count, taps)
            keep = min(self._next * self.interval - begin, len(values))
            self._kept[name] = values[keep:].copy()
        begins = np.arange(first, first + count, dtype=np.int64) * self.interval
        return self._made(begins, sums)

    def _made(self, begins: IntArray, sums: dict[str, FloatArray]) -> Demodulated:
        n = len(self.tones)
        steps = [s * t.harmonic for s, t in zip(self._steps, self.tones, strict=True)]
        parts = _pairs(sums["signal"])
        for row, step in enumerate([*steps, *self._line_steps]):
            parts[row] = _product(parts[row], _wave(step, begins))
        deviation = np.empty((len(self._references), len(begins)))
        back: dict[float, ComplexArray] = {}
        found = _pairs(sums["reference"]) if self.referenced else np.empty((0, 0), complex)
        for row, (frequency, step) in enumerate(self._references.items()):
            unit, deviation[row] = self._phase(row, *found[3 * row : 3 * row + 3])
            back[frequency] = np.conj(_product(unit, _wave(step, begins)))
        for row, tone in enumerate(self.tones):
            late = np.full(len(begins), np.exp(-1j * self._late[row]))
            parts[row] = _product(parts[row], late)
            if self.referenced:
                for _ in range(tone.harmonic):
                    parts[row] = _product(parts[row], back[tone.frequency])
                away = tone.harmonic * deviation[list(self._references).index(tone.frequency)]
                gain = self.filter.response(away)
                parts[row].real /= gain
                parts[row].imag /= gain
        return Demodulated(
            position=begins.astype(np.float64) + 0.5 * (self.length - 1),
            signal=parts[:n],
            lines=parts[n:],
            deviation=deviation,
            others={k.removeprefix(_OTHER): v[0] for k, v in sums.items() if k.startswith(_OTHER)},
        )

    def _phase(
        self, row: int, before: ComplexArray, now: ComplexArray, after: ComplexArray
    ) -> tuple[ComplexArray, FloatArray]:
        """Unit vector of a reference and deviation of its frequency in Hz; nan where it is lost."""
        size = np.sqrt(now.real * now.real + now.imag * now.imag)
        largest = np.fmax.accumulate(np.append(self._largest[row], size))[1:]
        if len(size):
            self._largest[row] = largest[-1]
        there = np.where(size > _LOST * largest, size, np.nan)
        unit = np.empty_like(now)
        unit.real, unit.imag = now.real / there, now.imag / there
        turned = _product(after, np.conj(before))
        angle = np.arctan2(turned.imag.copy(), turned.real.copy())
        angle[np.isnan(there)] = np.nan
        return unit, angle * (self.filter.rate / (4.0 * pi * self._apart))


def joined(parts: Sequence[Demodulated]) -> Demodulated:
    """Values of the output one behind the other."""
    return Demodulated(
        position=np.concatenate([p.position for p in parts]),
        signal=np.concatenate([p.signal for p in parts], axis=1),
        lines=np.concatenate([p.lines for p in parts], axis=1),
        deviation=np.concatenate([p.deviation for p in parts], axis=1),
        others={name: np.concatenate([p.others[name] for p in parts]) for name in parts[0].others},
    )


def _turns(step: int, positions: IntArray) -> FloatArray:
    """Part of a turn at whole positions, from turns per sample in units of 2^-64."""
    wrapped = positions.astype(np.uint64) * np.uint64(step % 2**64)
    return wrapped.astype(np.float64) * 2.0**-64


def _mean(interval: int, length: int) -> FloatArray:
    """Weights of a mean over an interval in the middle of `length` samples."""
    interval = min(interval, length)
    out = np.zeros(length)
    begin = (length - interval) // 2
    out[begin : begin + interval] = 1.0 / interval
    return 0.5 * (out + out[::-1])  # where the middles differ, half a sample on either side


def _wave(step: int, positions: IntArray) -> ComplexArray:
    """``exp(-2 pi i turns)`` at whole positions."""
    angle = 2.0 * pi * _turns(step, positions)
    out = np.empty(len(positions), complex)
    out.real, out.imag = np.cos(angle), -np.sin(angle)
    return out


def _pairs(sums: FloatArray) -> ComplexArray:
    """Complex rows from real ones that are a real and an imaginary part in turn."""
    out = np.empty((len(sums) // 2, sums.shape[1]), complex)
    out.real, out.imag = sums[0::2], sums[1::2]
    return out


def _product(a: ComplexArray, b: ComplexArray) -> ComplexArray:
    """``a * b`` in real numbers: numpy's own depends in its last bit on the arrays' lengths."""
    out = np.empty_like(a)
    out.real = a.real * b.real - a.imag * b.imag
    out.imag = a.real * b.imag + a.imag * b.real
    return out
