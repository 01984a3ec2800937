"""A laboratory of a known truth, in which things are not as they were told.

A forward model that shares no code with the package and none with `nrm_generator`: the tip is
followed along its force balance, the wall gives way as electrodes and films do, the lateral contact
has a stiffness and may slip, the lever feels drag and friction, and signals pass a detector, a
lock-in and noise of several colours. What is true (`Laboratory`) and what the metadata tell
(`told`) are two things.

Lengths in nm, forces in nN, so that stiffness is in N/m; moduli in MPa, electrodes in GPa. SI where
curves are handed over. Heights are counted from the unbent lever's touch of the electrode, larger
= farther; deflection is positive where repulsive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from nrm_plugin import CurveSet

Values = NDArray[np.float64]
Complex = NDArray[np.complex128]
NM, MPA = 1e-9, 1e6

#: Steps of the tip's positions above the wall (nm), and how many lie inside it.
_STEP, _INSIDE = 0.02, 400

#: Samples of the lateral force for each that is recorded: the lock-in sees a smooth signal.
_FINER = 4

#: What a curve's balance of forces depends on, beside the ramp's turn.
_SHAPE = (
    *("electrode", "film", "film_modulus"),
    *("push", "push_force", "push_range"),
    *("steric", "steric_range", "charge", "charge_range"),
)

#: A wall that gives way less than this is what "rigid" is to the eye (GPa).
RIGID = np.inf


@dataclass(frozen=True, kw_only=True)
class Laboratory:
    """What is true. Values marked "each" may be sequences with one value per curve.

    Attributes
    ----------
    curves, samples : int
        Samples of each direction.
    spacing, rate : float
        Height between samples (nm), samples per second; their product is the speed of both ways.
    trigger : float
        Deflection at which the ramp turns (nm); each.
    stops_at : float or None
        Ramps that end with the tip this far (nm) from the electrode instead; each.
    spring, lateral_stiffness : float
        Of the lever, N/m: normal; lateral with the tip.
    radius : float
        Of the tip (nm).
    electrode : float
        Young's modulus over 1 - nu^2 in GPa: a Hertz wall; `RIGID` does not give way; each.
    film, film_modulus : float
        Thickness (nm; 0 for none) and modulus (GPa) of a film that is not pierced, bonded to the
        electrode and in series with it; each.
    push, push_force, push_range, push_power : str, float
        Normal force of the layer: ``power`` is F (1 - z/range)^power, ``exponential``
        F exp(-z/range), ``none``; each but the power.
    steric, steric_range, charge, charge_range : float
        Two exponentials (nN, nm) beside: brush, and double layer; each.
    hamaker : float
        Of the attraction in 1e-20 J, cut off at 0.3 nm.
    back : float
        Factor on the layer's normal force on the way back: it relaxes, or it is dented.
    stretched : float
        Distances on the way back count as so much nearer: the layer strings after the tip.
    strings : bool
        The lateral force strings as well.
    adhesion, adhesion_range : float
        Pull (nN) on the way back that ends over so many nm.
    stack : sequence of (thickness in nm, complex modulus in MPa)
        Layers from the electrode outwards; each (a sequence of stacks) where `stacks` is used.
    stacks : sequence of stacks or None
    law : callable or None
        Complex layer stiffness in N/m of distances in nm, instead of the stack's.
    shape : float
        r_g.
    amplitude : float
        Of the dither, nm peak.
    contact_stiffness : float
        Lateral, of tip and wall, N/m at 10 nN: it goes with the load's third root where
        `contact_power` is 1/3; each. None: what Hertz and Mindlin say of the wall.
    contact_power : float
    mu : float
        Friction of tip and wall; inf sticks.
    friction_adhesion : float
        Load that adhesion adds for friction, nN.
    drag, drag_on_wall : float
        Deflection that drag causes on the way down (nm), the opposite on the way up; the part of
        it that the detector still shows while the tip rests on the wall.
    lever_friction : float
        The wall's slope is larger by this part on the way down, smaller on the way up.
    turns_over : float
        Nanometres of ramp over which friction and drag change sign at the turn.
    scanner : float
        Recorded height over true height.
    backlash : float
        Recorded heights of the way back are so many nm too large.
    sensitivity : float
        True deflection sensitivity, nm/V; each.
    lateral_sensitivity : float
        True, nm/V.
    tilt, drift, creep : float
        Deflection per height far away; nm/s of the deflection's zero; nm/s of the sample.
    fringe, fringe_period, fringe_uneven, fringe_decay : float
        Amplitude and period (nm), by which part amplitudes differ (+-), and a length over which
        it decays from the surface (inf).
    noise, flicker : float
        White and 1/f (rms over the curve), nm.
    hum, hum_frequency : float
        A sine of random phase (nm peak, Hz).
    lateral_noise, lateral_flicker : float
        pN of each component, peak: after the lock-in's filter; 1/f over the curve.
    lateral_offset, lateral_drift : complex
        nN far away, and how much it grows along each direction.
    time_constant, poles : float, int
        Of the lock-in (s); 0 passes everything at once.
    phase : float
        Of the instrument, rad.
    convention : str
        What the lock-in gives: ``rms`` or ``peak``.
    recorded : str
        ``input`` volts, ``output`` volts of X and Y, or ``N``.
    lockin_sensitivity : float
        Full scale in V (rms or peak as it gives them).
    swapped, conjugated : bool
        X and Y are interchanged; Y has the other sign.
    spread, height : float
        Contact heights are spread evenly over so many nm around this height.
    retract, time, lateral : bool
        Whether there is a way back, a time channel, lateral channels.
    told : mapping
        Metadata that differ from the truth; None leaves one out; a callable changes the true value.
    known : tuple of str
        Keys that are told beside those that moduli need.
    seed : int
    """

    curves: int = 100
    samples: int = 1024
    spacing: float = 0.3
    rate: float = 1000.0
    trigger: Any = 50.0
    stops_at: Any = None
    spring: float = 0.3
    lateral_stiffness: float = 20.0
    radius: float = 10.0
    electrode: Any = RIGID
    film: Any = 0.0
    film_modulus: Any = 1.0
    push: Any = "power"
    push_force: Any = 3.0
    push_range: Any = 20.0
    push_power: float = 1.5
    steric: Any = 0.0
    steric_range: Any = 5.0
    charge: Any = 0.0
    charge_range: Any = 8.0
    hamaker: float = 0.0
    back: float = 1.0
    stretched: float = 1.0
    strings: bool = False
    adhesion: float = 0.0
    adhesion_range: float = 3.0
    stack: tuple[tuple[float, complex], ...] = ((8.0, 10 + 3j), (12.0, 2 + 1j))
    stacks: Any = None
    law: Callable[[Values], Complex] | None = None
    shape: float = 1.25
    amplitude: float = 1.0
    contact_stiffness: Any = 150.0
    contact_power: float = 1 / 3
    mu: float = np.inf
    friction_adhesion: float = 0.0
    drag: float = 0.0
    drag_on_wall: float = 0.0
    lever_friction: float = 0.0
    turns_over: float = 3.0
    scanner: float = 1.0
    backlash: float = 0.0
    sensitivity: Any = 40.0
    lateral_sensitivity: float = 120.0
    tilt: Any = 0.0
    drift: float = 0.0
    creep: float = 0.0
    fringe: float = 0.0
    fringe_period: float = 260.0
    fringe_uneven: float = 0.0
    fringe_decay: float = np.inf
    noise: float = 0.2
    flicker: float = 0.0
    hum: float = 0.0
    hum_frequency: float = 50.0
    lateral_noise: float = 10.0
    lateral_flicker: float = 0.0
    lateral_offset: complex = 0.1 - 0.05j
    lateral_drift: complex = 0.0
    time_constant: float = 2e-4
    poles: int = 2
    phase: float = 0.4
    convention: str = "rms"
    recorded: str = "output"
    lockin_sensitivity: float = 0.5
    swapped: bool = False
    conjugated: bool = False
    spread: float = 500.0
    height: float = 3000.0
    retract: bool = True
    time: bool = True
    lateral: bool = True
    told: Mapping[str, Any] = field(default_factory=dict)
    known: tuple[str, ...] = ("tip_radius", "lateral_stiffness", "dither_frequency")
    seed: int = 1

    # ------------------------------------------------------------ what is asked of it

    @property
    def speed(self) -> float:
        """Of both ways, nm/s."""
        return self.spacing * self.rate

    def modulus(self, z: Any, curve: int = 0) -> Complex:
        """Complex modulus in MPa at a distance from the electrode in nm."""
        z = np.asarray(z, float)
        found = np.zeros(z.shape, complex)
        low = 0.0
        for thickness, modulus in self._stack(curve):
            found[(z >= low) & (z < low + thickness)] = modulus
            low += thickness
        return found

    def blurred(self, z: Any, half_width: float, lowest: float = 0.0, curve: int = 0) -> Complex:
        """What a local straight line shows of the modulus, with no sample below `lowest` (nm)."""
        fine = np.arange(lowest, np.max(z) + half_width, 0.05)
        stiffness = self.layer_stiffness(fine, curve) / (4.0 * self.shape * 1e-3)
        found = np.full(np.shape(z), np.nan, complex)
        for i, at in enumerate(np.atleast_1d(z)):
            u = (fine - at) / half_width
            weight = np.clip(1.0 - u**2, 0.0, None)
            x = fine - np.average(fine, weights=weight)
            found[i] = -np.sum(weight * x * stiffness) / np.sum(weight * x**2)
        return found

    def make(self) -> tuple[CurveSet, Truth]:
        """Make the curves."""
        random = np.random.default_rng(self.seed)
        n, m = self.curves, self.samples
        contact = self.height + self.spread * (random.random(n) - 0.5)
        below = self.spacing * random.random(n)
        total = 2 * m if self.retract else m
        seconds = np.arange(total) / self.rate
        finer = _FINER if self.time_constant and self.lateral else 1
        height, bent = np.empty((n, total)), np.empty((n, total))
        force = np.empty((n, total), complex)
        walls = np.zeros(n)
        tables: dict[Any, _Balance] = {}
        for i in range(n):
            balance = self._balance(i, tables)
            lowest = balance.lowest(self._of("trigger", i), self._of("stops_at", i)) - below[i]
            path, tip, load, true_bent = self._ramp(balance, lowest, finer)
            sign = self._turning(len(path), finer)
            on_wall = load > 0.0
            shown = true_bent + sign * self.lever_friction * load / self.spring
            shown += sign * self.drag * self.drag_on_wall * on_wall
            if self.lateral:
                force[i] = self._filtered(self._lateral(tip, load, balance, i))[::finer]
            height[i], bent[i] = path[::finer], shown[::finer]
            bent[i] += self._of("tilt", i) * height[i]
            walls[i] = balance.asymptote(self._of("trigger", i))
        noise = self._deflection_noise(random, height)
        height = height * self.scanner
        height[:, m:] += self.backlash
        height += contact[:, None] * self.scanner
        height += self.creep * seconds
        volts = (bent + noise + self.drift * seconds) / self._array("sensitivity")[:, None]
        lateral = self._lateral_signal(random, force) if self.lateral else None
        truth = Truth(contact * self.scanner * NM, (contact + walls) * self.scanner * NM, self)
        return self._curves(height, volts, lateral, seconds), truth

    # ------------------------------------------------------------ physics

    def _of(self, name: str, i: int) -> Any:
        value = getattr(self, name)
        return value if value is None or isinstance(value, str) or np.ndim(value) == 0 else value[i]

    def _array(self, name: str) -> Values:
        return np.array([self._of(name, i) for i in range(self.curves)], float)

    def _stack(self, i: int) -> tuple[tuple[float, complex], ...]:
        return self.stack if self.stacks is None else tuple(self.stacks[i])

    def _balance(self, i: int, tables: dict[Any, _Balance]) -> _Balance:
        """Where the tip is for each height of the base; made once for each kind of curve."""
        names = (*_SHAPE, "trigger", "stops_at")
        key = tuple(self._of(name, i) for name in names)
        if key not in tables:
            tables[key] = self._solved(i, dict(zip(names, key, strict=True)))
        return tables[key]

    def _surface_force(self, z: Values, of: Mapping[str, Any], back: bool) -> Values:
        """Force of everything but the wall, nN, at distances from the wall's surface."""
        near = np.maximum(z, 0.0)
        stretched = near / self.stretched if back else near
        force = of["steric"] * np.exp(-near / of["steric_range"])
        force = force + of["charge"] * np.exp(-near / of["charge_range"])
        if of["push"] == "power":
            u = np.clip(1.0 - stretched / of["push_range"], 0.0, 1.0)
            pushed = of["push_force"] * u**self.push_power
        elif of["push"] == "exponential":
            pushed = of["push_force"] * np.exp(-stretched / of["push_range"])
        else:
            pushed = np.zeros_like(z)
        force = force + (self.back * pushed if back else pushed)
        # A R / 6 z^2, and 1e-20 J = 0.01 nN nm
        force = force - 1e-2 * self.hamaker * self.radius / 6.0 / (near + 0.3) ** 2
        if back:
            force = force - self.adhesion * np.clip(1.0 - near / self.adhesion_range, 0.0, 1.0)
        return np.asarray(force, float)

    def _solved(self, i: int, of: Mapping[str, Any]) -> _Balance:
        surface = float(of["film"])
        trigger = of["trigger"]
        reach = 8 * max(
            of["steric_range"] * (of["steric"] > 0),
            of["charge_range"] * (of["charge"] > 0),
            of["push_range"] * (of["push"] == "exponential"),
        )
        top = max(of["push_range"] * self.stretched, reach, 10.0) + 5.0
        above = np.arange(top, -_STEP / 2, -_STEP)
        most = self.spring * 1.6 * trigger + 10.0
        load = most * np.linspace(0.0, 1.0, _INSIDE) ** 1.5
        sunk = self._indentation(load, of)
        z = np.concatenate([above, -sunk[1:]])
        wall = np.concatenate([np.zeros(len(above)), load[1:]])
        rigid = bool(sunk[-1] <= 1e-9)
        if rigid:
            z, wall = above, np.zeros(len(above))
        bases = []
        for back in (False, True):
            base = z - (self._surface_force(z, of, back) + wall) / self.spring
            follows = np.minimum.accumulate(base)
            if back:
                follows = np.maximum.accumulate(base[::-1])[::-1]
            bases.append(follows)
        rest = [float(self._surface_force(np.zeros(1), of, back)[0]) for back in (False, True)]
        return _Balance(
            z=z,
            wall=wall,
            bases=(bases[0], bases[1]),
            rigid=rigid,
            surface=surface,
            rest=(rest[0], rest[1]),
            spring=self.spring,
            sunk=sunk,
            load=load,
        )

    def _indentation(self, load: Values, of: Mapping[str, Any]) -> Values:
        """How far the tip sinks into film and electrode under a load."""
        sunk = np.zeros_like(load)
        if np.isfinite(of["electrode"]):
            sunk += (load / (4 / 3 * of["electrode"] * np.sqrt(self.radius))) ** (2 / 3)
        if of["film"] > 0.0:
            deep = 0.95 * of["film"] * np.linspace(0.0, 1.0, 4000) ** 3
            # Dimitriadis et al., Biophys. J. 82, 2798 (2002): bonded, incompressible
            chi = np.sqrt(self.radius * deep) / of["film"]
            thin = 1 + 1.133 * chi + 1.283 * chi**2 + 0.769 * chi**3 + 0.0975 * chi**4
            force = 4 / 3 * of["film_modulus"] * np.sqrt(self.radius) * deep**1.5 * thin
            sunk += np.interp(load, force, deep)
        return sunk

    def _ramp(
        self, balance: _Balance, lowest: float, finer: int
    ) -> tuple[Values, Values, Values, Values]:
        """Heights, distances from the electrode, loads on the wall and deflections in time."""
        m = self.samples
        down = lowest + self.spacing * (m - 1 - np.arange((m - 1) * finer + 1) / finer)
        parts = [(down, False)]
        if self.retract:
            parts.append((np.concatenate([np.full(finer - 1, lowest), down[::-1]]), True))
        heights, tips, loads = [], [], []
        for path, back in parts:
            drag = self.drag * (-1.0 if back else 1.0)
            tip, load = balance.follow(path, drag, back)
            heights.append(path)
            tips.append(tip)
            loads.append(load)
        path, tip = np.concatenate(heights), np.concatenate(tips)
        return path, tip, np.concatenate(loads), tip - path

    def _turning(self, count: int, finer: int) -> Values:
        """+1 on the way down, -1 on the way up, with a passage at the turn."""
        sign = np.ones(count)
        if self.retract:
            turn = (self.samples - 1) * finer + 1
            gone = np.arange(count - turn) * self.spacing / finer
            sign[turn:] = 2 * np.exp(-gone / max(self.turns_over, 1e-9)) - 1
        return sign

    def layer_stiffness(self, z: Values, curve: int = 0) -> Complex:
        """Lateral stiffness of the layer around a tip at distances from the electrode, N/m."""
        z = np.maximum(z, 0.0)
        if self.law is not None:
            return self.law(z)
        total = np.zeros(z.shape, complex)
        low = 0.0
        for thickness, modulus in self._stack(curve):
            total += modulus * (thickness - np.clip(z - low, 0.0, thickness))
            low += thickness
        return 4.0 * self.shape * 1e-3 * total  # MPa nm = 1e-3 N/m

    def _contact_stiffness(self, load: Values, balance: _Balance, i: int) -> Values:
        told = self._of("contact_stiffness", i)
        if told is not None:
            return np.asarray(told * (np.maximum(load, 0.0) / 10.0) ** self.contact_power)
        if balance.rigid:
            return np.where(load > 0.0, 1e6, 0.0)
        # Mindlin: k_c = k_n 2 (1 - nu) / (2 - nu), nu 0.3
        slope = np.gradient(balance.load, np.maximum(balance.sunk, 1e-12 * balance.load + 1e-15))
        return np.interp(load, balance.load, slope) * 0.82 * (load > 0.0)

    def _lateral(self, tip: Values, load: Values, balance: _Balance, i: int) -> Complex:
        """Lateral force on the lever, peak, nN.

        The layer and the contact pull the tip side by side, the lever holds it. What the contact
        sees is the motion without it, through springs in series; it slips where that takes more
        than friction gives.
        """
        k_l, amplitude = self.lateral_stiffness, self.amplitude
        apart = tip
        if self.strings:
            turn = (self.samples - 1) * (_FINER if self.time_constant else 1) + 1
            apart = np.append(tip[:turn], tip[turn:] / self.stretched)
        layer = self.layer_stiffness(apart, i)
        free = amplitude * k_l / (k_l + layer)
        contact = self._contact_stiffness(load, balance, i)
        on = (load > 0.0) & (contact > 0.0)
        spring = np.where(on, contact * (k_l + layer) / (contact + k_l + layer), 0.0)
        pull = spring * free
        if np.isfinite(self.mu):
            most = self.mu * (load + self.friction_adhesion)
            with np.errstate(divide="ignore", invalid="ignore"):
                x = np.where(on, most / np.abs(spring * free), 2.0)
            part = np.clip(x, 0.0, 1.0)
            angle = np.arccos(1.0 - 2.0 * part)
            first = (angle - np.sin(2.0 * angle) / 2.0) / np.pi
            first = first + 1j * 4.0 / np.pi * part * (1.0 - part)
            pull = np.where(x < 1.0, spring * free * first, pull)
        return np.asarray(layer * free + pull * k_l / (k_l + layer))

    # ------------------------------------------------------------ instrument

    def _filtered(self, values: Complex) -> Complex:
        """Pass through the lock-in's poles, exactly for straight lines between fine samples."""
        if not self.time_constant:
            return values
        step = 1.0 / self.rate / _FINER / self.time_constant
        keep = np.exp(-step)
        new = 1.0 - (1.0 - keep) / step
        old = 1.0 - keep - new
        for _ in range(self.poles):
            start = np.array([(keep + old) * values[0]])
            values = lfilter([new, old], [1.0, -keep], values, zi=start)[0]
        return values

    def _flicker(self, random: np.random.Generator, shape: tuple[int, ...]) -> Values:
        """Noise whose power goes as 1/f, of unit rms."""
        count = 2 * shape[1]
        f = np.fft.rfftfreq(count)
        size = np.zeros(len(f))
        size[1:] = f[1:] ** -0.5
        parts = size * (
            random.standard_normal((shape[0], len(f)))
            + 1j * random.standard_normal((shape[0], len(f)))
        )
        values = np.fft.irfft(parts, count)[:, : shape[1]]
        return np.asarray(values / np.sqrt(np.mean(values**2)))

    def _deflection_noise(self, random: np.random.Generator, height: Values) -> Values:
        shape = height.shape
        noise = self.noise * random.standard_normal(shape)
        if self.flicker:
            noise += self.flicker * self._flicker(random, shape)
        if self.hum:
            turn = 2 * np.pi * self.hum_frequency * np.arange(shape[1]) / self.rate
            noise += self.hum * np.sin(turn + 2 * np.pi * random.random((shape[0], 1)))
        if self.fringe:
            turn = 2 * np.pi * (height / self.fringe_period + random.random((shape[0], 1)))
            size = self.fringe * (1 + self.fringe_uneven * random.uniform(-1, 1, (shape[0], 1)))
            noise += size * np.exp(-np.maximum(height, 0.0) / self.fringe_decay) * np.sin(turn)
        return noise

    def _lateral_signal(self, random: np.random.Generator, force: Complex) -> Complex:
        """What the lock-in gives: volts at its input (or nN), with phase, offset and noise."""
        shape = force.shape
        noise = self._lockin_noise(random, shape) + 1j * self._lockin_noise(random, shape)
        force = force + 1e-3 * self.lateral_noise * noise
        if self.lateral_flicker:
            slow = self._flicker(random, shape) + 1j * self._flicker(random, shape)
            force = force + 1e-3 * self.lateral_flicker * slow
        force = force + self.lateral_offset
        force = force + self.lateral_drift * np.arange(shape[1]) / self.samples
        force = force * np.exp(1j * self.phase)
        if self.convention == "rms":
            force = force / np.sqrt(2.0)
        if self.swapped:
            force = force.imag + 1j * force.real
        if self.conjugated:
            force = force.conj()
        if self.recorded == "N":
            return force
        return np.asarray(force / self.lateral_stiffness / self.lateral_sensitivity)

    def _lockin_noise(self, random: np.random.Generator, shape: tuple[int, ...]) -> Values:
        if not self.time_constant:
            return random.standard_normal(shape)
        keep = np.exp(-1.0 / self.rate / self.time_constant)
        values = random.standard_normal((shape[0], shape[1] + 200))
        for _ in range(self.poles):
            values = lfilter([1.0 - keep], [1.0, -keep], values, axis=1)
        return np.asarray(values[:, 200:] / values[:, 200:].std())

    # ------------------------------------------------------------ what is told

    @property
    def metadata(self) -> dict[str, Any]:
        """What the experimenter says."""
        said: dict[str, Any] = {
            "spring_constant": self.spring,
            "deflection_sensitivity": float(np.mean(self.sensitivity)) * NM,
        }
        if self.lateral:
            said |= {
                "dither_amplitude": self.amplitude * NM,
                "lockin_convention": self.convention,
                "lockin_phase": self.phase,
                "lateral_stiffness": self.lateral_stiffness,
                "dither_frequency": 1000.0,
            }
            if self.time_constant:
                said["lockin_time_constant"] = self.time_constant
                said["lockin_poles"] = self.poles
            if self.recorded != "N":
                said["lateral_sensitivity"] = self.lateral_sensitivity * NM
            if self.recorded == "output":
                said["lockin_sensitivity"] = self.lockin_sensitivity
                said |= {f"lockin_expand_{axis}": 1.0 for axis in "xy"}
                said |= {f"lockin_offset_{axis}": 0.0 for axis in "xy"}
        if "tip_radius" in self.known:
            said["tip_radius"] = self.radius * NM
        for key, value in self.told.items():
            said[key] = value(said.get(key)) if callable(value) else value
        return {key: value for key, value in said.items() if value is not None}

    def _curves(
        self, height: Values, volts: Values, lateral: Complex | None, seconds: Values
    ) -> CurveSet:
        channels: dict[str, Any] = {"height": (height * NM, "m"), "deflection": (volts, "V")}
        if lateral is not None and self.recorded == "output":
            out = lateral / self.lockin_sensitivity * 10.0
            channels["lockin_output_x"] = (out.real, "V")
            channels["lockin_output_y"] = (out.imag, "V")
        elif lateral is not None:
            unit = "V" if self.recorded == "input" else "N"
            scale = 1.0 if unit == "V" else NM
            channels["lateral_in_phase"] = (lateral.real * scale, unit)
            channels["lateral_quadrature"] = (lateral.imag * scale, unit)
        if self.time:
            channels["time"] = (np.tile(seconds, (len(height), 1)), "s")
        return CurveSet.from_arrays(channels, metadata=self.metadata)


@dataclass(frozen=True, kw_only=True)
class _Balance:
    """Tip positions from far to near, and the heights of the base that reach them.

    Attributes
    ----------
    z, wall : arrays
        Distances from the wall's surface (negative inside it), and the wall's force there.
    bases : pair of arrays
        Heights of the base above the wall's surface on the way down and up. Flat parts are jumps.
    rigid : bool
    surface : float
        The wall's surface above the electrode.
    rest : pair of float
        Force of all but the wall where the tip rests on it.
    """

    z: Values
    wall: Values
    bases: tuple[Values, Values]
    rigid: bool
    surface: float
    rest: tuple[float, float]
    spring: float
    sunk: Values
    load: Values

    def follow(self, path: Values, drag: float, back: bool) -> tuple[Values, Values]:
        """Distances from the electrode, and loads on the wall, along heights of the base."""
        base = self.bases[int(back)]
        at = path - self.surface + drag
        z = np.interp(-at, -base, self.z)
        far = at > base[0]
        z[far] = at[far]
        if self.rigid:
            inside = at < base[-1]
            load = np.where(inside, np.maximum(-self.spring * at - self.rest[int(back)], 0.0), 0.0)
        else:
            load = np.interp(-z, -self.z, self.wall)
        return z + self.surface, load

    def lowest(self, trigger: float, stop: float | None) -> float:
        """Height of the base at which the ramp turns."""
        base = self.bases[0]
        if stop is not None:
            return float(np.interp(-(stop - self.surface), -self.z, base)) + self.surface
        if self.rigid:
            return -trigger + self.surface
        return float(np.interp(trigger, self.z - base, base)) + self.surface

    def asymptote(self, trigger: float) -> float:
        """Where the line through the upper half of the noise-free wall meets zero deflection."""
        if self.rigid:
            return self.surface
        bent = self.z - self.bases[0]
        touch = self.rest[0] / self.spring
        upper = (bent > 0.5 * (trigger + touch)) & (bent < trigger)
        if upper.sum() < 3:
            return self.surface
        slope, at = np.polyfit(self.bases[0][upper], bent[upper], 1)
        return float(-at / slope) + self.surface


@dataclass(frozen=True)
class Truth:
    """What is known of the curves.

    Attributes
    ----------
    contact : (n,) array
        Recorded height in m at which the tip of an unbent lever touches the electrode.
    asymptote : (n,) array
        The same of the wall's line (upper half of a noise-free wall), where it gives way.
    laboratory : Laboratory
    """

    contact: Values
    asymptote: Values
    laboratory: Laboratory
