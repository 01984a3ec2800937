"""What a board sees of an AFM that ramps on a layered electrode while the potential is swept.

The forces, the lock-in and the electrode are those of `nrm_plugin.simulate`; here they run on in
time, ramp after ramp, as volts at the inputs of a board. The raw lateral signal of the detector is
there too, with the sine that drives the dither, for a lock-in in software.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from nrm_daq.device.board import Board, Signal, TimedSignal
from nrm_daq.device.outputs import OutputWire
from nrm_daq.device.shaker import LoopedBack, ShakenLayer, Shaker
from nrm_plugin import simulate as sim
from nrm_plugin.calibration.lockin import noise_bandwidth
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.simulate.equilibrium import Equilibrium, lateral_stiffness, normal_equilibrium

#: Inputs of the board, and what is connected to them.
WIRING = {
    "deflection": "ai0",
    "lockin_output_x": "ai1",
    "lockin_output_y": "ai2",
    "height": "ai3",
    "potential": "ai4",
    "marker": "ai5",
    "lateral": "ai6",
    "reference": "ai7",
}
#: Output of the board that drives the shaker, where it is used; else a generator does.
DRIVEN = "ao0"

#: What a lock-in in software needs, in place of the outputs of one: and the ranges in V.
RAW = {"lateral": 0.1, "reference": 2.0}

_LAYERS = (sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j))


def _sample() -> sim.Sample:
    return sim.Sample(sim.Interphase(_LAYERS, force=3e-9), sim.Electrode(lateral_stiffness=10.0))


def _instrument() -> sim.Instrument:
    return sim.Instrument(
        lateral_stiffness=80.0,
        dither_frequency=5000.0,
        lock_in=sim.LockIn(time_constant=1e-3, poles=4, phase=0.4, sensitivity=500e-6),
    )


@dataclass(frozen=True, kw_only=True)
class RampingElectrode:
    """An AFM that ramps for ever.

    Attributes
    ----------
    sample : Sample
    instrument : Instrument
        Its lock-in has a sensitivity, and its lateral stiffness is finite.
    voltammogram : Voltammogram
    period : float
        Time in s from ramp to ramp.
    length : float
        Of a ramp that comes through to the electrode, m.
    speed : float
        In m/s.
    trigger : float
        Deflection in m at which the approach turns.
    hold : float
        Time in s at the turn.
    height_per_volt : float
        Of the z sensor in m/V, whose voltage falls where the cantilever rises.
    reference_amplitude : float
        Of the sine that drives the dither, in V.
    seed : int
        Of the noise.
    """

    sample: sim.Sample = field(default_factory=_sample)
    instrument: sim.Instrument = field(default_factory=_instrument)
    voltammogram: sim.Voltammogram = field(
        default_factory=lambda: sim.Voltammogram(start=0.9, turn=0.005, rate=0.01)
    )
    period: float = 2.5
    length: float = 200e-9
    speed: float = 200e-9
    trigger: float = 30e-9
    hold: float = 0.05
    height_per_volt: float = 100e-9
    reference_amplitude: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.instrument.lock_in.sensitivity is None:
            raise InvalidInput("a lock-in without sensitivity has no outputs to record")
        if not np.isfinite(self.instrument.lateral_stiffness):
            raise InvalidInput("signals in volts need a finite lateral_stiffness")
        if 2.0 * self.length / self.speed + self.hold > 0.95 * self.period:
            raise InvalidInput("the ramp does not fit into its period")

    def board(self, **changes: Any) -> Board:
        """Return a board that this is connected to; keywords as of `Board`."""
        cycle = lru_cache(maxsize=4)(self.cycle)
        envelope = _repeated(self, cycle, "lateral")
        shaker, frequency = self.shaker(OutputWire()), self.instrument.dither_frequency
        alone: dict[str, Signal | TimedSignal] = {
            "potential": self._potential,
            "lateral": ShakenLayer(
                shaker=shaker,
                per_metre=self._per_metre(envelope),
                frequency=frequency,
                otherwise=self._lateral(envelope),
                noise=self._noise,
            ),
            "reference": LoopedBack(shaker.wire, self._reference),
        }
        inputs = {
            terminal: alone.get(role) or _repeated(self, cycle, role)
            for role, terminal in WIRING.items()
        }
        options = {
            "product": "Simulated electrode",
            "edges": {"PFI0": 0.25},
            "outputs": {DRIVEN: shaker.wire},
        } | changes
        return Board(inputs, **options)

    def shaker(self, wire: OutputWire) -> Shaker:
        """Return what moves the sample where the board's output drives it: 2 nm/V at rest."""
        return Shaker(wire=wire, sensitivity=2e-9, resonance=30e3, quality=8.0)

    def _per_metre(self, envelope: Signal) -> Signal:
        """Complex lateral signal in V per m of motion."""
        amplitude = self.instrument.dither_amplitude
        return lambda numbers, rate: np.asarray(envelope(numbers, rate) / amplitude)

    def _potential(self, numbers: FloatArray, rate: float) -> FloatArray:
        return self.voltammogram.potential(numbers / rate)

    def _reference(self, numbers: FloatArray, rate: float) -> FloatArray:
        """Volts of the generator: a sine whose phase counts from the first sample."""
        turns = np.remainder(numbers * (self.instrument.dither_frequency / rate), 1.0)
        return np.asarray(self.reference_amplitude * np.sin(2.0 * np.pi * turns))

    def _lateral(self, envelope: Signal) -> Signal:
        """Volts of the detector: what follows the dither, and white noise.

        The noise is as large as makes that of the lock-in behind its filter: a density of
        2 s^2 / rate in one quadrature becomes 4 s^2 B / rate in X, peak, behind a bandwidth B.
        """
        instrument = self.instrument

        def signal(numbers: FloatArray, rate: float) -> FloatArray:
            turns = np.remainder(numbers * (instrument.dither_frequency / rate), 1.0)
            volts = envelope(numbers, rate)
            wave = np.exp(2j * np.pi * turns)
            out = volts.real * wave.imag + volts.imag * wave.real
            return np.asarray(out + self._noise(numbers, rate))

        return signal

    def _noise(self, numbers: FloatArray, rate: float) -> FloatArray:
        lock_in, instrument = self.instrument.lock_in, self.instrument
        if not (lock_in.time_constant and instrument.detector.lateral_noise):
            return np.zeros(len(numbers))
        width = noise_bandwidth(lock_in.time_constant, lock_in.poles)
        size = instrument.detector.lateral_noise * np.sqrt(rate / width) / 2.0
        size /= instrument.lateral_stiffness * instrument.lateral_sensitivity
        return np.asarray(size * _white(numbers, self.seed))

    def interphase(self, number: int) -> sim.Interphase:
        """What is on the electrode during a ramp, counted from 0."""
        potential = self.voltammogram.potential(np.array(number * self.period))
        return self.sample.grown(float(potential))

    def equilibrium(self, number: int) -> Equilibrium:
        """Where cantilever and sample balance during a ramp; the electrode is at height 0."""
        k = self.instrument.spring_constant
        return normal_equilibrium(
            self.interphase(number), self.sample.electrode, k, self.trigger * k
        )

    def height(self, number: int, rate: float) -> FloatArray:
        """Height of the cantilever's base in m during a ramp, rest before and behind included."""
        n = round(self.period * rate)
        time = np.arange(n) / rate
        turn, top = self.equilibrium(number).turn, self.length - self.trigger
        duration = (top - turn) / self.speed
        begin = 0.5 * (self.period - 2.0 * self.length / self.speed - self.hold)
        moments = np.cumsum([0.0, begin, duration, self.hold, duration])
        return np.asarray(np.interp(time, moments, np.array([top, top, turn, turn, top])))

    def cycle(self, number: int, rate: float) -> dict[str, FloatArray]:
        """Volts during a ramp by role, sample by sample; the noise is the same every time.

        Of the raw lateral signal the complex amplitude, peak.
        """
        instrument, lock_in = self.instrument, self.instrument.lock_in
        rng = np.random.default_rng((self.seed, number))
        height = self.height(number, rate)
        gap, force = self.equilibrium(number).at(height)
        stiffness, _ = lateral_stiffness(
            gap, force, self.interphase(number), self.sample.electrode, instrument
        )
        lateral = instrument.dither_amplitude * stiffness * np.exp(1j * lock_in.phase)
        raw = lateral / (instrument.lateral_stiffness * instrument.lateral_sensitivity)
        white = rng.standard_normal((2, len(height)))
        if lock_in.time_constant:  # the noise is meant as it leaves the filter
            width = noise_bandwidth(lock_in.time_constant, lock_in.poles)
            white /= np.sqrt(min(1.0, 2.0 * width / rate))
        lateral = lateral + instrument.detector.lateral_noise * (white[0] + 1j * white[1])
        lateral = lock_in.filtered(lateral, 1.0 / rate) * lock_in.per_peak
        lateral /= instrument.lateral_stiffness * instrument.lateral_sensitivity
        bent = force / instrument.spring_constant
        bent += instrument.detector.deflection_noise * rng.standard_normal(len(height))
        return {
            "deflection": bent / instrument.deflection_sensitivity,
            "lockin_output_x": lock_in.output(lateral.real, lock_in.expand_x, lock_in.offset_x),
            "lockin_output_y": lock_in.output(lateral.imag, lock_in.expand_y, lock_in.offset_y),
            "height": -height / self.height_per_volt,
            "marker": np.where(height < height.max(), 5.0, 0.0),
            "lateral": raw,
        }

    def settings(self, *, raw: bool = False) -> dict[str, Any]:
        """What a configuration has to say for recording this with calibrated channels.

        The marker is among them. With `raw` a lock-in in software takes the place of the other.
        """
        instrument, lock_in = self.instrument, self.instrument.lock_in
        without = ("lockin_output_x", "lockin_output_y") if raw else RAW
        channels: dict[str, dict[str, Any]] = {
            role: {"terminal": f"Sim1/{terminal}"}
            for role, terminal in WIRING.items()
            if role not in without
        }
        channels["height"] |= {"scale": f"{self.height_per_volt!r} m/V", "polarity": "inverted"}
        for role in RAW.keys() & channels.keys():
            channels[role]["range"] = RAW[role]
        box = {
            "sensitivity": lock_in.sensitivity,
            "time_constant": lock_in.time_constant,
            "poles": lock_in.poles,
            "expand_x": lock_in.expand_x,
            "expand_y": lock_in.expand_y,
            "offset_x": lock_in.offset_x,
            "offset_y": lock_in.offset_y,
            "frequency": instrument.dither_frequency,
        }
        return {
            "backend": "simulated",
            "channels": channels,
            "lock_in": {"model": "digital"} if raw else box,
            "metadata": {
                "spring_constant": instrument.spring_constant,
                "deflection_sensitivity": instrument.deflection_sensitivity,
                "lateral_sensitivity": instrument.lateral_sensitivity,
                "lateral_stiffness": instrument.lateral_stiffness,
                "dither_amplitude": instrument.dither_amplitude,
                "lockin_phase": lock_in.phase,
                "ramp_size": self.length,
                "approach_speed": self.speed,
            },
        }


def _repeated(
    electrode: RampingElectrode, cycle: Callable[[int, float], dict[str, FloatArray]], role: str
) -> Callable[[FloatArray, float], FloatArray]:
    """Return volts of one role at any sample numbers in rising order, ramp after ramp."""

    def signal(numbers: FloatArray, rate: float) -> FloatArray:
        n = round(electrode.period * rate)
        out = np.empty(len(numbers), complex if role == "lateral" else float)
        ramps = np.floor_divide(numbers, n)
        for ramp in range(int(ramps[0]), int(ramps[-1]) + 1) if len(numbers) else ():
            part = slice(*np.searchsorted(ramps, [ramp, ramp + 1]))
            volts = cycle(ramp, rate)[role]
            inside = numbers[part] - ramp * n
            whole = inside.astype(np.int64)
            if (inside == whole).all():
                out[part] = volts[whole]
            else:  # a multiplexed channel, sampled in between
                out[part] = np.interp(inside, np.arange(n), volts)
        return out

    return signal


def _white(numbers: FloatArray, seed: int) -> FloatArray:
    """Normal numbers that depend on the sample's number alone, so that blocks may be of any size.

    Two hashed halves of 32 bits each make one by Box and Muller.
    """
    hashed = np.floor(numbers).astype(np.uint64) + np.uint64(seed) * np.uint64(1 << 40)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64
        hashed = (hashed ^ (hashed >> np.uint64(shift))) * np.uint64(factor)
    hashed ^= hashed >> np.uint64(31)
    first = ((hashed >> np.uint64(32)).astype(np.float64) + 0.5) * 2.0**-32
    second = (hashed & np.uint64(0xFFFFFFFF)).astype(np.float64) * 2.0**-32
    return np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second)
