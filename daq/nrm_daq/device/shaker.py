"""A shaker at an output of the simulated board, and a tip that it moves, with known answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import pi
from typing import Any

import numpy as np
from scipy.signal import cont2discrete, lfilter, lfiltic

from nrm_daq.device.board import Board, Signal, TimedSignal
from nrm_daq.device.outputs import OutputRun, OutputWire
from nrm_plugin.columns import ComplexArray, FloatArray


class _Followed:
    """Motion along one run of an output, sample by sample, as far as it was written."""

    def __init__(self, shaker: Shaker, run: OutputRun) -> None:
        self.run = run
        turn = 2.0 * pi * shaker.resonance
        damping = turn / shaker.quality
        # Position and velocity, over the volts held from sample to sample.
        system = (
            np.array([[0.0, 1.0], [-turn * turn, -damping]]),
            np.array([[0.0], [shaker.sensitivity * turn * turn]]),
            np.eye(2),
            np.zeros((2, 1)),
        )
        a, b, *_ = cont2discrete(system, 1.0 / run.rate)
        poles = np.poly(a)
        # Of both outputs: C adj(zI - A) B over the characteristic polynomial.
        first, second = b[:, 0], a @ b[:, 0] - np.trace(a) * b[:, 0]
        self._parts = [(np.array([0.0, first[i], second[i]]), poles) for i in (0, 1)]
        self._states = [lfiltic(part, poles, [0.0]) for part, poles in self._parts]
        self.dropped = self.done = 0
        self.values = np.empty((2, 0))

    def follow(self, dropped: int, chunks: list[FloatArray]) -> None:
        new = np.concatenate(chunks)[max(0, self.done - dropped) :]
        if not len(new):
            return
        made = []
        for i, (part, poles) in enumerate(self._parts):
            one, self._states[i] = lfilter(part, poles, new, zi=self._states[i])
            made.append(one)
        self.values = np.concatenate([self.values, made], axis=1)
        self.done += len(new)
        if dropped - self.dropped > 1 << 20:
            self.values = self.values[:, dropped - self.dropped :].copy()
            self.dropped = dropped


@dataclass(frozen=True, kw_only=True)
class Shaker:
    """A scanner that moves the sample sideways as an output says.

    Attributes
    ----------
    wire : OutputWire
        The output.
    sensitivity : float
        Motion per volt at rest, m/V.
    resonance, quality : float
        In Hz, and its quality factor.
    """

    wire: OutputWire
    sensitivity: float = 2e-9
    resonance: float = 3000.0
    quality: float = 8.0
    _followed: dict[int, _Followed] = field(default_factory=dict, init=False, repr=False)

    def transfer(self, frequency: FloatArray) -> ComplexArray:
        """Motion per volt at frequencies in Hz, m/V."""
        f = np.asarray(frequency, np.float64) / self.resonance
        return np.asarray(self.sensitivity / (1.0 - f * f + 1j * f / self.quality))

    def motion(self, times: FloatArray) -> FloatArray:
        """Position in m and velocity in m/s at board's times, shape (2, time)."""
        out = np.zeros((2, len(times)))
        for run, dropped, chunks in self.wire.snapshot():
            after = times >= run.first - 1e-9
            if not run.rate or not chunks or not after.any():
                continue  # what is set at once is taken for rest
            followed = self._followed.setdefault(id(run), _Followed(self, run))
            followed.follow(dropped, chunks)
            place = run.index(times[after]) - followed.dropped
            last = followed.values.shape[1] - 1
            low = np.clip(np.floor(place).astype(np.int64), 0, last)
            high, part = np.minimum(low + 1, last), np.clip(place - low, 0.0, 1.0)
            values = followed.values
            out[:, after] = values[:, low] + part * (values[:, high] - values[:, low])
        return out


@dataclass(frozen=True, kw_only=True)
class StickingTip(TimedSignal):
    """Lateral signal in V of a tip on a hard sample, which holds up to a certain motion.

    What goes beyond it slips: the signal stays where it is. So a sine of amplitude A gives a first
    harmonic of ``(2 / pi)(arcsin(x) + x sqrt(1 - x^2))`` times what it would be, x = grip / A < 1.

    Attributes
    ----------
    shaker : Shaker
    per_metre : float
        Signal in V/m.
    grip : float
        Motion in m up to which it holds.
    noise : float
        Standard deviation in V, of a table of numbers that is gone through again and again.
    """

    shaker: Shaker
    per_metre: float = 1e8
    grip: float = 2e-9
    noise: float = 1e-3
    _table: Any = field(
        default_factory=lambda: np.random.default_rng(5).standard_normal(131_071), repr=False
    )

    def at(self, numbers: FloatArray, rate: float, start: float) -> FloatArray:
        """Volts for sample numbers."""
        moved = np.clip(self.shaker.motion(start + numbers / rate)[0], -self.grip, self.grip)
        number = np.floor(numbers).astype(np.int64) % len(self._table)
        return np.asarray(self.per_metre * moved + self.noise * self._table[number])

    def held(self, amplitude: float) -> float:
        """First harmonic of the signal over that of a tip that holds, for a motion in m."""
        x = self.grip / amplitude
        return 1.0 if x >= 1.0 else float(2 / pi * (np.arcsin(x) + x * np.sqrt(1.0 - x * x)))


@dataclass(frozen=True)
class LoopedBack(TimedSignal):
    """An output that is wired to an input; something else where it has not played.

    Attributes
    ----------
    wire : OutputWire
    otherwise : Signal, optional
    """

    wire: OutputWire
    otherwise: Signal | None = None

    def at(self, numbers: FloatArray, rate: float, start: float) -> FloatArray:
        """Volts for sample numbers."""
        if self.otherwise is not None and not self.wire.plays(start):
            return self.otherwise(numbers, rate)
        return self.wire.volts(start + numbers / rate)


@dataclass(frozen=True, kw_only=True)
class ShakenLayer(TimedSignal):
    """Lateral signal of a sample whose complex stiffness changes, as a dashpot beside a spring.

    Attributes
    ----------
    shaker : Shaker
    per_metre : Signal
        Complex signal in V per m of motion.
    frequency : float
        In Hz, at which its imaginary part is meant.
    otherwise : Signal
        Where the output has not played.
    noise : Signal
        Volts.
    """

    shaker: Shaker
    per_metre: Signal
    frequency: float
    otherwise: Signal
    noise: Signal

    def at(self, numbers: FloatArray, rate: float, start: float) -> FloatArray:
        """Volts for sample numbers."""
        if not self.shaker.wire.plays(start):
            return self.otherwise(numbers, rate)
        stiffness = self.per_metre(numbers, rate)
        position, velocity = self.shaker.motion(start + numbers / rate)
        lost = stiffness.imag * velocity / (2.0 * pi * self.frequency)
        return np.asarray(stiffness.real * position + lost + self.noise(numbers, rate))


def simulated_contact() -> Board:
    """Return a board whose output shakes a tip in contact: lateral signal, and the output itself.

    2 nm/V at rest, a resonance at 3 kHz (quality 8), a tip that holds up to 2 nm.
    """
    wire = OutputWire()
    tip = StickingTip(shaker=Shaker(wire=wire))
    return Board(
        {"ai0": tip, "ai1": LoopedBack(wire)}, outputs={"ao0": wire}, product="Simulated shaker"
    )
