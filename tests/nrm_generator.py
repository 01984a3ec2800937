"""Force curves of a known truth, made from the forward model alone.

A second, independent way from a layered sample to curves: it shares no code with the package, so
that a mistake in one of the two shows. Lengths in nm and forces in nN inside, SI where curves are
handed over. Heights count from far away to the surface; deflection is positive where repulsive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from nrm_plugin import CurveSet

Values = NDArray[np.float64]
NM, MPA = 1e-9, 1e6

#: Steps of the grid on which the tip's equilibrium is solved (nm).
_STEP = 0.01

#: Samples of the lateral force for each that is recorded: the lock-in sees a smooth signal.
_FINER = 4


@dataclass(frozen=True, kw_only=True)
class Generator:
    """What the curves are made of; a sequence has one value per curve.

    Attributes
    ----------
    curves, samples : int
        Samples of the approach; a retract has as many.
    spacing : float
        Height between samples in nm.
    kind : sequence of str
        Normal force of the layer on the tip: ``none``, ``hertz`` (1 - z/h)^1.5, ``exponential``,
        or ``pierced``, which rises to its peak in the middle and falls to 0.6 of it.
    top, force : sequence of float
        Thickness that the normal force feels (nm), and its largest value (nN).
    decay : float
        Of an exponential layer in nm.
    spring : float
        Of the lever in N/m.
    trigger : sequence of float
        Deflection at which the ramp turns, in nm.
    substrate : float or None
        Modulus of what is below (GPa), a rounded tip of 10 nm presses into it; None is rigid.
    stops_at : sequence of float or None
        Ramps that end this far (nm) above the substrate, instead of at the trigger.
    stack : sequence of (thickness in nm, complex modulus in MPa)
        Layers from the electrode outwards.
    shape : float
        r_g.
    amplitude : float
        Of the dither, nm peak.
    stiffness : float
        Lateral, of lever and tip, N/m; inf is a tip that does not give way.
    wall : str
        Lateral force on the substrate: ``absent``, ``constant`` (20 nN at once), ``stick`` (a
        contact that stiffens with the load's third root) or ``slip`` (0.3 times the load).
    noise, lateral_noise : float
        Standard deviations, nm and pN (peak).
    lateral_noise_kind : str
        ``white``, or ``lockin``: white before the lock-in's filter.
    rate : float
        Samples per second.
    time_constant, poles : float, int
        Of the lock-in (s); 0 passes everything at once.
    phase : float
        Of the instrument, in rad.
    offset : complex
        Lateral signal far away, in nN.
    tilt : sequence of float
        Deflection per height far away (virtual deflection).
    drift : float
        Of the deflection's zero, nm/s.
    fringe, fringe_period : float
        Amplitude and period of an interference fringe in nm; the phase is random.
    uneven : float
        Amplitudes differ by up to this part from curve to curve.
    glitches : float
        Part of the curves with up to five wild samples.
    saturates_at : float or None
        Largest deflection that the detector gives, in nm.
    least_bit : float
        Of the deflection's converter in nm; 0 for none.
    spread, height : float
        Contact heights are spread evenly over so many nm, around this height.
    contact : sequence of float or None
        Contact heights in nm, instead.
    lateral : bool
        Whether there are lateral channels.
    retract : bool
        Whether curves go back as well.
    unit, lateral_unit : str
        What is handed over: deflection in m or V, lateral forces in N or V.
    convention : str
        Lateral values are peak or rms.
    time : bool
        Whether there is a time channel.
    """

    curves: int = 300
    samples: int = 1024
    spacing: float = 0.3
    kind: Any = "hertz"
    top: Any = 20.0
    force: Any = 3.0
    decay: float = 6.0
    spring: float = 0.3
    trigger: Any = 50.0
    substrate: float | None = None
    stops_at: Any = None
    stack: tuple[tuple[float, complex], ...] = ((8.0, 10 + 3j), (12.0, 2 + 1j))
    shape: float = 1.25
    amplitude: float = 1.0
    stiffness: float = np.inf
    wall: Literal["absent", "constant", "stick", "slip"] = "constant"
    noise: float = 0.2
    lateral_noise: float = 10.0
    lateral_noise_kind: Literal["white", "lockin"] = "white"
    rate: float = 1000.0
    time_constant: float = 0.0
    poles: int = 2
    phase: float = 0.0
    offset: complex = 0.1 - 0.05j
    tilt: Any = 0.0
    drift: float = 0.0
    fringe: float = 0.0
    fringe_period: float = 260.0
    uneven: float = 0.0
    glitches: float = 0.0
    saturates_at: float | None = None
    least_bit: float = 0.0
    spread: float = 500.0
    height: float = 3000.0
    contact: Any = None
    lateral: bool = True
    retract: bool = False
    unit: Literal["m", "V"] = "m"
    lateral_unit: Literal["N", "V"] = "N"
    convention: Literal["peak", "rms"] = "peak"
    time: bool = False
    seed: int = 1
    metadata: dict[str, Any] = field(default_factory=dict)

    def modulus(self, z: Values) -> NDArray[np.complex128]:
        """Complex modulus in MPa at a distance from the electrode in nm."""
        z = np.asarray(z, float)
        found = np.zeros(z.shape, complex)
        low = 0.0
        for thickness, modulus in self.stack:
            found[(z >= low) & (z < low + thickness)] = modulus
            low += thickness
        return found

    def _stiffness_above(self, z: Values) -> Any:
        """4 r_g times the modulus integrated from the tip outwards: N/m at distances z >= 0."""
        total = np.zeros(z.shape, complex)
        low = 0.0
        for thickness, modulus in self.stack:
            total += modulus * (thickness - np.clip(z - low, 0.0, thickness))
            low += thickness
        return 4.0 * self.shape * total * 1e-3  # MPa nm = 1e-3 N/m

    def _normal(self, kind: str, top: float, force: float, z: Values) -> Values:
        """Force of the layer on the tip, nN."""
        u = np.clip(1.0 - z / top, 0.0, 1.0)
        if kind == "hertz":
            return force * u**1.5
        if kind == "exponential":
            return np.asarray(force * np.exp(-np.maximum(z, 0.0) / self.decay))
        if kind == "pierced":  # the crust gives way within 1 nm
            return np.asarray(
                force * u**1.5 / 0.5**1.5 * (u <= 0.5)
                + force * np.maximum(1 - (u - 0.5) * top, 0.6) * (u > 0.5)
            )
        return np.zeros_like(z)

    def _tip(self, kind: str, top: float, force: float) -> tuple[Values, Values, Values]:
        """Tip positions from far to near, and the relative heights of the base that reach them.

        Going down the tip passes each as soon as the base has been low enough, going up as soon
        as it has been high enough: it jumps where the layer gives way.
        """
        below = 0.0 if self.substrate is None else -12.0
        z = np.arange(max(top, 8 * self.decay) + 1.0, below - _STEP / 2, -_STEP)
        load = self._normal(kind, top, force, z)
        if self.substrate is not None:
            hertz = 4.0 / 3.0 * self.substrate * np.sqrt(10.0)  # nN per nm^1.5: GPa nm^0.5
            load = load + hertz * np.maximum(-z, 0.0) ** 1.5
        base = z - load / self.spring
        down = np.minimum.accumulate(base)
        up = np.maximum.accumulate(base[::-1])[::-1]
        return z, down, up

    def _position(self, table: Values, z: Values, height: Values) -> Values:
        """Tip position at relative heights of the base; flat parts of the table are jumps."""
        found = np.interp(-height, -table, z)
        far = height > table[0]
        found[far] = height[far]
        if self.substrate is None:
            found[height < table[-1]] = 0.0
        return found

    def make(self) -> tuple[CurveSet, Truth]:
        """Make the curves."""
        random = np.random.default_rng(self.seed)
        n, m = self.curves, self.samples

        def each(value: Any) -> list[Any]:
            if isinstance(value, str) or np.ndim(value) == 0:
                return [value] * n
            return list(value)

        kinds, tops, forces = each(self.kind), each(self.top), each(self.force)
        triggers, stops, tilts = each(self.trigger), each(self.stops_at), each(self.tilt)
        # unrelated to the ramp's phase: contacts lie anywhere between samples
        contact = self.height + self.spread * (random.random(n) - 0.5)
        contact = contact if self.contact is None else np.asarray(self.contact, float)
        total = 2 * m if self.retract else m
        height, bent = np.empty((n, total)), np.empty((n, total))
        lateral = np.empty((n, total), complex)
        asymptote = np.zeros(n)
        finer = _FINER if self.time_constant else 1
        tables: dict[Any, Any] = {}
        for i in range(n):
            layer = kinds[i], tops[i], forces[i]
            if layer not in tables:
                tables[layer] = self._tip(*layer)
            z, down, up = tables[layer]
            lowest = self._lowest(z, down, triggers[i], stops[i])
            lowest += self.spacing * (random.random() - 0.5)
            fine = lowest + self.spacing * (m - 1 - np.arange((m - 1) * finer + 1) / finer)
            tip = self._position(down, z, fine)
            if self.retract:
                back = self._position(up, z, fine[::-1])
                fine = np.concatenate([fine, np.full(finer - 1, lowest), fine[::-1]])
                tip = np.concatenate([tip, np.full(finer - 1, tip[-1]), back])
            height[i], bent[i] = fine[::finer], (tip - fine)[::finer]
            if self.lateral:
                force = self._lateral(tip, tip - fine, self._normal(*layer, np.zeros(1)))
                lateral[i] = self._filtered(force)[::finer]
            if self.substrate is not None:
                asymptote[i] = _crossing(height[i, :m], bent[i, :m])
            bent[i] += tilts[i] * height[i]
        bent += self.drift * np.arange(total) / self.rate
        truth = Truth(contact * NM, (contact + asymptote) * NM, np.zeros(n, bool), self)
        if self.fringe:
            turn = 2 * np.pi * (height / self.fringe_period + random.random((n, 1)))
            size = self.fringe * (1.0 + self.uneven * random.uniform(-1.0, 1.0, (n, 1)))
            bent += size * np.sin(turn)
        bent += self.noise * random.standard_normal(bent.shape)
        for i in np.flatnonzero(random.random(n) < self.glitches):
            truth.glitched[i] = True
            where = random.integers(0, total, random.integers(1, 6))
            sign = random.choice([-1.0, 1.0], len(where))
            bent[i, where] += sign * random.uniform(5, 60, len(where))
        if self.lateral:
            noise = self._noise(random, lateral.shape) + 1j * self._noise(random, lateral.shape)
            lateral += self.offset + 1e-3 * self.lateral_noise * noise
            lateral *= np.exp(1j * self.phase)
        height += contact[:, None]
        if self.least_bit:
            bent = np.round(bent / self.least_bit) * self.least_bit
        if self.saturates_at is not None:
            bent = np.minimum(bent, self.saturates_at)
        return self._curves(height, bent, lateral), truth

    def _lowest(self, z: Values, down: Values, trigger: float, stop: float | None) -> float:
        """Relative height of the base at which the ramp turns."""
        if stop is not None:
            return float(np.interp(-stop, -z, down))
        if self.substrate is None:
            return -trigger
        return float(np.interp(trigger, z - down, down))

    def _lateral(self, tip: Values, bent: Values, borne: Values) -> Any:
        """Peak lateral force in nN, before the lock-in; the layer bears a part of the load."""
        layer = self._stiffness_above(np.maximum(tip, 0.0))
        inside = tip <= 1e-9
        load = np.where(inside, np.maximum(self.spring * bent - borne, 0.0), 0.0)
        added = np.zeros(tip.shape)
        if self.wall == "stick":
            layer = layer + 20.0 * np.cbrt(load)
        elif self.wall == "constant":
            added = 20.0 * (inside & (load > 0.0))
        elif self.wall == "slip":
            added = 0.3 * load
        moved = self.amplitude * layer / (1.0 + layer / self.stiffness)
        return np.asarray(moved + added)

    def _filtered(self, values: Any) -> Any:
        """Pass through the lock-in's poles, exactly for straight lines between fine samples."""
        if not self.time_constant:
            return values
        step = 1.0 / self.rate / _FINER / self.time_constant
        keep = np.exp(-step)
        new = 1.0 - (1.0 - keep) / step
        old = 1.0 - keep - new
        for _ in range(self.poles):
            start = np.array([(keep + old) * values[0]])  # settled far away
            values = lfilter([new, old], [1.0, -keep], values, zi=start)[0]
        return values

    def _noise(self, random: np.random.Generator, shape: tuple[int, ...]) -> Values:
        """Noise of unit standard deviation."""
        if self.lateral_noise_kind == "white" or not self.time_constant:
            return random.standard_normal(shape)
        keep = np.exp(-1.0 / self.rate / self.time_constant)
        values = random.standard_normal((shape[0], shape[1] + 200))
        for _ in range(self.poles):
            values = lfilter([1.0 - keep], [1.0, -keep], values, axis=1)
        return np.asarray(values[:, 200:] / values[:, 200:].std())

    def _curves(self, height: Values, bent: Values, lateral: NDArray[np.complex128]) -> CurveSet:
        metadata: dict[str, Any] = {
            "spring_constant": self.spring,
            "dither_amplitude": self.amplitude * NM,
            "dither_frequency": 1000.0,
            "lockin_convention": self.convention,
            "lockin_phase": self.phase,
        }
        if np.isfinite(self.stiffness):
            metadata["lateral_stiffness"] = self.stiffness
        if self.time_constant:
            metadata |= {"lockin_time_constant": self.time_constant, "lockin_poles": self.poles}
        deflection = bent * NM
        if self.unit == "V":
            metadata["deflection_sensitivity"] = 40e-9
            deflection = deflection / 40e-9
        channels: dict[str, Any] = {
            "height": (height * NM, "m"),
            "deflection": (deflection, self.unit),
        }
        if self.lateral:
            force = lateral * NM / (np.sqrt(2.0) if self.convention == "rms" else 1.0)
            if self.lateral_unit == "V":
                metadata["lateral_sensitivity"] = 120e-9
                force = force / (120e-9 * self.stiffness)
            channels["lateral_in_phase"] = (force.real, self.lateral_unit)
            channels["lateral_quadrature"] = (force.imag, self.lateral_unit)
        if self.time:
            seconds = np.arange(height.shape[1]) / self.rate
            channels["time"] = (np.tile(seconds, (len(height), 1)), "s")
        return CurveSet.from_arrays(channels, metadata=metadata | self.metadata)


@dataclass(frozen=True)
class Truth:
    """What is known of generated curves.

    Attributes
    ----------
    contact : (n,) array
        Height in m at which an unbent lever's tip touches the substrate.
    asymptote : (n,) array
        Height in m at which the noise-free wall's line crosses zero; `contact` where it is rigid.
    glitched : (n,) array of bool
    generator : Generator
    """

    contact: Values
    asymptote: Values
    glitched: NDArray[np.bool_]
    generator: Generator


def _crossing(height: Values, bent: Values) -> float:
    """Where the line through the upper half of a noise-free wall crosses zero."""
    upper = bent > 0.5 * bent[-1]
    slope, at = np.polyfit(height[upper], bent[upper], 1)
    return float(-at / slope)


def parts_of(curves: CurveSet) -> tuple[dict[str, tuple[Values, str]], dict[str, Any]]:
    """Channels as (curve, sample) with their units, and metadata: to change and put together."""
    shape = (curves.n_curves, -1)
    channels = {
        name: (curves.read(name).reshape(shape), channel.unit)
        for name, channel in curves.channels.items()
    }
    return channels, dict(curves.metadata)


def flagged(results: Any, name: str) -> NDArray[np.bool_]:
    """Curves that carry a flag, by what the results say of their bits."""
    about = results["quality"].attrs
    masks = dict(zip(about["flag_meanings"].split(), about["flag_masks"], strict=True))
    return np.asarray((results["quality"].values & masks[name]) != 0)


def rms(values: Any) -> float:
    """Root of the mean square of what is finite."""
    return float(np.sqrt(np.nanmean(np.square(values))))
