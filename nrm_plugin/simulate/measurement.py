"""Force curves on a sample with an instrument, and what is true of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import AnyArray, ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.simulate.equilibrium import Equilibrium, lateral_stiffness, normal_equilibrium
from nrm_plugin.simulate.instrument import Instrument, LockIn
from nrm_plugin.simulate.noise import flicker, resonant, white_lateral
from nrm_plugin.simulate.recorded import as_recorded
from nrm_plugin.simulate.sample import Electrode, Interphase, Sample, Voltammogram


@dataclass(frozen=True)
class Ramp:
    """How the cantilever is moved.

    Attributes
    ----------
    length : float
        Way down, and up again, in m.
    samples : int
        In each half.
    speed : float
        In m/s.
    trigger : float
        Deflection in m at which the approach turns.
    stop_inside : float
        Part of the curves that turn inside the interphase, at less than the force it takes to
        come through.
    adhesion : float
        Force in N that holds the tip to the electrode on the way up.
    retract : bool
        Whether the way up is recorded.
    """

    length: float = 300e-9
    samples: int = 1024
    _: KW_ONLY
    speed: float = 300e-9
    trigger: float = 50e-9
    stop_inside: float = 0.0
    adhesion: float = 0.0
    retract: bool = True

    @property
    def interval(self) -> float:
        """Time between samples in s."""
        return self.length / self.samples / self.speed


#: Words of seeds: what came later draws from streams of its own, so that old seeds keep their
#: curves.
_EFFECTS, _PLACES = 1, 2


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is behind simulated curves; arrays have one value per curve.

    Attributes
    ----------
    contact_height : array
        Height (as the ``height`` channel counts) at which the asymptote of the wall meets the
        baseline, in m: the solid-solid contact.
    surface_height : array
        Height at which a cantilever that nothing bends has its tip on the solid's surface, in m:
        from there distances count. It differs from `contact_height` where the solid gives way.
    interphases : list of Interphase
    came_through : array of bool
        Whether the tip reached the electrode.
    slips : array of bool
        Whether it slipped there.
    on_other : array of bool
        Whether it is a place of the sample's other electrode.
    glitched : array of bool
    potential : array
        In V; nan without a voltammogram.
    """

    contact_height: FloatArray
    surface_height: FloatArray
    interphases: list[Interphase]
    came_through: NDArray[np.bool_]
    slips: NDArray[np.bool_]
    on_other: NDArray[np.bool_]
    glitched: NDArray[np.bool_]
    potential: FloatArray

    def modulus(self, curve: int, distance: FloatArray) -> ComplexArray:
        """E* of a curve at distances from the electrode in m."""
        return self.interphases[curve].modulus(distance)


def simulate(
    sample: Sample,
    instrument: Instrument,
    ramp: Ramp,
    *,
    n_curves: int | None = None,
    grid: tuple[int, int] | None = None,
    pitch: float = 50e-9,
    voltammogram: Voltammogram | None = None,
    volts: bool = False,
    told: Mapping[str, object] | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[CurveSet, Truth]:
    """Record force curves on a sample.

    Parameters
    ----------
    sample : Sample
    instrument : Instrument
    ramp : Ramp
    n_curves : int, optional
        Curves side by side, `pitch` m apart; or
    grid : (int, int), optional
        rows and columns, `pitch` m apart.
    voltammogram : Voltammogram, optional
        The potential runs while the curves are taken, one after the other.
    volts : bool
        Give the signals in V with sensitivities in the metadata instead of m and N.
    told : mapping, optional
        Metadata that are told otherwise than they are, by key in SI, such as
        ``{"deflection_sensitivity": 31.5e-9, "lockin_phase": 0.0}``; None leaves a key out. The
        signals stay what they are. Those in m and N are made from volts with what is told.
    seed : int
        The same seed gives the same curves. An effect that is switched on leaves the random numbers
        of all others as they are.
    progress : callable, optional
        Called with the curves made so far and their number.

    Returns
    -------
    CurveSet, Truth
        ``curves.metadata["simulated"]`` is true.

    Raises
    ------
    InvalidInput
        If neither or both of `n_curves` and `grid` are given, the ramp is too short for its
        trigger, or a key of `told` does not exist.
    """
    if (n_curves is None) == (grid is None):
        raise InvalidInput("give either n_curves or grid")
    n = n_curves if grid is None else grid[0] * grid[1]
    assert n is not None
    if ramp.trigger >= ramp.length:
        raise InvalidInput("the ramp is shorter than its trigger deflection")
    rng = np.random.default_rng(seed)
    positions = _positions(grid, n, pitch)
    period = 2 * ramp.samples * ramp.interval
    began = np.arange(n, dtype=np.float64) * period
    potential = np.full(n, np.nan) if voltammogram is None else voltammogram.potential(began)
    surface = sample.electrode.roughness * _field(rng, sample, grid, n, pitch)
    thick = np.exp(sample.thickness_spread * _field(rng, sample, grid, n, pitch))
    stiff = np.exp(sample.modulus_spread * _field(rng, sample, grid, n, pitch))
    stops = rng.random(n) < ramp.stop_inside
    glitched = rng.random(n) < instrument.detector.glitches
    other = _on_other(sample, grid, n, pitch, seed)
    names = ("height", "deflection", "x", "y")
    columns: dict[str, FloatArray] = {name: np.empty((n, _length(ramp))) for name in names}
    through, slips = np.ones(n, bool), np.zeros(n, bool)
    contact, surface_height = np.empty(n), np.empty(n)
    interphases: list[Interphase] = []
    for i in range(n):
        base = sample.interphase if voltammogram is None else sample.grown(float(potential[i]))
        interphase = base.scaled(float(thick[i]), float(stiff[i]))
        interphases.append(interphase)
        drift = instrument.scanner.drift * began[i]
        electrode = sample.electrode
        if other[i]:
            assert sample.other_electrode is not None
            electrode = sample.other_electrode
        aging, progressed = instrument.aging, 0.0
        aged, ramp_now = instrument, ramp
        if aging is not None:
            progressed = aging.progress(i, n)
            aged, electrode, ramp_now = _aged(instrument, electrode, ramp, progressed)
        one = _curve(
            _Draws(rng, np.random.default_rng((seed, _EFFECTS, i))),
            electrode,
            interphase,
            aged,
            ramp_now,
            stops=bool(stops[i]),
            glitched=bool(glitched[i]),
        )
        through[i], slips[i] = one.came_through, one.slips
        shift = surface[i] + drift
        contact[i] = one.contact + shift
        surface_height[i] = shift
        columns["height"][i] = one.height + shift
        columns["deflection"][i] = one.deflection
        columns["x"][i], columns["y"][i] = one.lateral.real, one.lateral.imag
        if aging is not None:
            columns["deflection"][i] *= 1.0 + aging.deflection * progressed
            columns["x"][i] *= 1.0 + aging.lateral * progressed
            columns["y"][i] *= 1.0 + aging.lateral * progressed
        if progress is not None:
            progress(i + 1, n)
    table: dict[str, AnyArray] = {**positions, "start_time": began}
    if voltammogram is not None:
        table["potential"] = potential
    shape = columns["height"].shape
    columns["time"] = np.broadcast_to(np.arange(_length(ramp)) * ramp.interval, shape)
    curves = as_recorded(
        columns,
        instrument,
        table,
        volts=volts,
        metadata={"ramp_size": ramp.length, "approach_speed": ramp.speed},
        told=told or {},
    )
    truth = Truth(
        contact_height=contact,
        surface_height=surface_height,
        interphases=interphases,
        came_through=through,
        slips=slips,
        on_other=other,
        glitched=glitched,
        potential=potential,
    )
    return curves, truth


def _length(ramp: Ramp) -> int:
    return ramp.samples * (2 if ramp.retract else 1)


def _positions(grid: tuple[int, int] | None, n: int, pitch: float) -> dict[str, AnyArray]:
    if grid is None:
        return {"x": pitch * np.arange(n), "y": np.zeros(n)}
    row, column = np.divmod(np.arange(n), grid[1])
    return {"row": row, "column": column, "x": pitch * column, "y": pitch * row}


def _field(
    rng: np.random.Generator, sample: Sample, grid: tuple[int, int] | None, n: int, pitch: float
) -> FloatArray:
    """Normal random values, one per curve, correlated as exp(-distance / correlation length)."""
    length = sample.electrode.correlation_length
    if not length:
        return rng.standard_normal(n)
    rows, columns = grid or (1, n)
    # Twice the size, so that opposite edges do not meet.
    y = np.fft.fftfreq(2 * rows, 1 / (2 * rows)) * pitch
    x = np.fft.fftfreq(2 * columns, 1 / (2 * columns)) * pitch
    covariance = np.exp(-np.hypot(y[:, None], x) / length)
    power = np.maximum(np.fft.fft2(covariance).real, 0.0)
    noise = np.fft.fft2(rng.standard_normal(power.shape))
    values = np.fft.ifft2(noise * np.sqrt(power)).real
    return values[:rows, :columns].reshape(-1)


def _on_other(
    sample: Sample, grid: tuple[int, int] | None, n: int, pitch: float, seed: int
) -> NDArray[np.bool_]:
    """Which curves meet the other electrode; patches of the correlation length's size."""
    if sample.other_electrode is None or not sample.other_share:
        return np.zeros(n, bool)
    from scipy.stats import norm

    values = _field(np.random.default_rng((seed, _PLACES)), sample, grid, n, pitch)
    return np.asarray(values < norm.ppf(sample.other_share))


def _aged(
    instrument: Instrument, electrode: Electrode, ramp: Ramp, progress: float
) -> tuple[Instrument, Electrode, Ramp]:
    """What noise and adhesion have become."""
    aging = instrument.aging
    assert aging is not None
    noise, adhesion = 1.0 + aging.noise * progress, 1.0 + aging.adhesion * progress
    detector = replace(
        instrument.detector,
        deflection_noise=instrument.detector.deflection_noise * noise,
        lateral_noise=instrument.detector.lateral_noise * noise,
    )
    return (
        replace(instrument, detector=detector),
        replace(electrode, adhesion=electrode.adhesion * adhesion),
        replace(ramp, adhesion=ramp.adhesion * adhesion),
    )


@dataclass(frozen=True, kw_only=True)
class _SimulatedCurve:
    """One curve as the detectors see it, with the surface at height 0."""

    height: FloatArray
    deflection: FloatArray
    lateral: ComplexArray
    contact: float
    came_through: bool
    slips: bool


@dataclass(frozen=True)
class _Draws:
    """Random numbers: those that every curve draws, and a stream of this curve's own."""

    common: np.random.Generator
    own: np.random.Generator


@dataclass(frozen=True)
class _Motion:
    """The tip along a curve: gap and bending of the cantilever in m, normal force on it in N."""

    gap: FloatArray
    bent: FloatArray
    normal: FloatArray


def _curve(
    draws: _Draws,
    electrode: Electrode,
    interphase: Interphase,
    instrument: Instrument,
    ramp: Ramp,
    *,
    stops: bool,
    glitched: bool,
) -> _SimulatedCurve:
    force = ramp.trigger * instrument.spring_constant
    if stops and interphase.force:
        force = interphase.force * draws.common.uniform(0.3, 0.95)
    state = normal_equilibrium(interphase, electrode, instrument.spring_constant, force)
    down = state.turn + ramp.length * (1.0 - (np.arange(ramp.samples) + 1) / ramp.samples)
    height = np.concatenate([down, down[::-1]]) if ramp.retract else down
    motion = _moved(height, state, electrode, interphase, instrument, ramp)
    soft = _layer(motion.gap, interphase, instrument, ramp)
    stiffness, slipping = lateral_stiffness(
        motion.gap, motion.normal, interphase, electrode, instrument, soft
    )
    contact = state.contact
    if instrument.scanner.gain:
        contact *= 1.0 + instrument.scanner.gain
    bent = motion.bent
    if instrument.lever_friction:
        pressed = np.where(motion.gap <= 0.0, motion.normal - interphase.at_electrode, 0.0)
        rubbed = np.maximum(pressed, 0.0) / instrument.spring_constant
        bent = bent + instrument.lever_friction * rubbed * _rubbing(height, instrument, ramp)
    # The lateral noise first: the order of old seeds.
    lateral = _lateral(draws, stiffness, instrument, ramp)
    return _SimulatedCurve(
        height=_scanned(height, instrument, ramp),
        deflection=_deflection(draws, bent, height, instrument, ramp, glitched),
        lateral=lateral,
        contact=contact,
        came_through=bool(state.came_through),
        slips=bool(slipping),
    )


def _direction(n: int, ramp: Ramp) -> FloatArray:
    """1 on the way down, -1 on the way up."""
    return np.where(np.arange(n) < ramp.samples, 1.0, -1.0)


def _rubbing(height: FloatArray, instrument: Instrument, ramp: Ramp) -> FloatArray:
    """Sign of the lever's friction, which takes its way to change."""
    sign = _direction(len(height), ramp)
    if instrument.lever_friction_turn and ramp.retract:
        risen = (height[ramp.samples :] - height[ramp.samples]) / instrument.lever_friction_turn
        sign[ramp.samples :] = 1.0 - 2.0 * np.clip(risen, 0.0, 1.0)
    return sign


def _moved(
    height: FloatArray,
    state: Equilibrium,
    electrode: Electrode,
    interphase: Interphase,
    instrument: Instrument,
    ramp: Ramp,
) -> _Motion:
    """Follow the tip down and up again."""
    k = instrument.spring_constant
    detector, relaxation = instrument.detector, interphase.relaxation
    displaced = detector.drag * ramp.speed / k * (1.0 - detector.drag_on_wall)
    upwards = state
    lost = 0.0 if relaxation is None else relaxation.force_lost
    if lost or interphase.crust is not None:
        weaker = replace(interphase, force=interphase.force * (1.0 - lost), crust=None)
        force = ramp.trigger * k
        upwards = normal_equilibrium(weaker, electrode, k, force)
    down, up = height[: ramp.samples], height[ramp.samples :]
    if displaced:
        gap, normal = state.dragged(down, displaced)
    elif upwards is not state:
        gap, normal = state.at(down)
    else:
        gap, normal = state.at(height)
    if len(gap) < len(height):
        gap_up, normal_up = upwards.at(up)
        if displaced:
            gap_up, normal_up = upwards.dragged(up, -displaced, float(gap[-1]))
        if upwards is not state:  # the tip does not fall further in
            kept = gap_up < gap[-1]
            gap_up = np.where(kept, gap[-1], gap_up)
            normal_up = np.where(kept, k * (gap_up - up), normal_up)
        gap, normal = np.append(gap, gap_up), np.append(normal, normal_up)
    adhesion = ramp.adhesion or electrode.adhesion
    if ramp.retract and adhesion:
        gap, normal = _held(gap, normal, height, replace(ramp, adhesion=adhesion), k)
    return _Motion(gap, gap - height if displaced else normal / k, normal)


def _layer(
    gap: FloatArray, interphase: Interphase, instrument: Instrument, ramp: Ramp
) -> ComplexArray | None:
    """Lateral stiffness of a layer that lets go of the tip late; None if it does not."""
    relaxation = interphase.relaxation
    if relaxation is None or not relaxation.delay or not ramp.retract:
        return None
    late = gap.copy()
    risen = np.asarray(gap[ramp.samples - 1 :], complex)
    up = LockIn(relaxation.delay).filtered(risen, ramp.interval)
    late[ramp.samples :] = up.real[1:]
    return interphase.stiffness(np.maximum(late, 0.0), instrument.shape_factor)


def _held(
    gap: FloatArray, normal: FloatArray, height: FloatArray, ramp: Ramp, k: float
) -> tuple[FloatArray, FloatArray]:
    """On the way up the electrode holds the tip until the cantilever pulls with the adhesion."""
    gap, normal = gap.copy(), normal.copy()
    up = slice(ramp.samples, None)
    pulled = -k * height[up]
    held = (gap[up] > 0) & (pulled > -ramp.adhesion) & (pulled < 0)
    gap[up] = np.where(held, 0.0, gap[up])
    normal[up] = np.where(held, pulled, normal[up])
    return gap, normal


def _lateral(
    draws: _Draws, stiffness: ComplexArray, instrument: Instrument, ramp: Ramp
) -> ComplexArray:
    """Lateral signal in N as the lock-in shows it."""
    detector, lock_in = instrument.detector, instrument.lock_in
    n, shown = len(stiffness), lock_in.per_peak
    out = instrument.dither_amplitude * stiffness * np.exp(1j * lock_in.phase)
    out = lock_in.filtered(out, ramp.interval) * shown
    sigma = detector.lateral_noise * shown
    out = out + white_lateral(draws.common, lock_in, sigma, n, ramp.interval)
    if detector.lateral_flicker:
        both = flicker(draws.own, n) + 1j * flicker(draws.own, n)
        out = out + detector.lateral_flicker * shown * both
    if detector.lateral_resonance is not None:
        x, y = (resonant(draws.own, detector.lateral_resonance, n, ramp.interval) for _ in "xy")
        out = out + shown * (x + 1j * y)
    if detector.lateral_offset or detector.lateral_drift:
        passed = np.arange(n) / ramp.samples
        out = out + shown * (detector.lateral_offset + detector.lateral_drift * passed)
    return lock_in.wired(out)


def _deflection(
    draws: _Draws,
    bent: FloatArray,
    height: FloatArray,
    instrument: Instrument,
    ramp: Ramp,
    glitched: bool,
) -> FloatArray:
    """Deflection in m as the optical lever shows it."""
    detector, rng = instrument.detector, draws.common
    n = len(height)
    out = bent + detector.deflection_noise * rng.standard_normal(n)
    out += detector.tilt * height
    if detector.fringe:
        phase = rng.uniform(0, 2 * np.pi)
        amplitude: FloatArray | float = detector.fringe
        if detector.fringe_spread:
            amplitude *= 1.0 + detector.fringe_spread * draws.own.uniform(-1.0, 1.0)
        if np.isfinite(detector.fringe_decay):
            amplitude = amplitude * np.exp(-height / detector.fringe_decay)
        out += amplitude * np.sin(2 * np.pi * height / detector.fringe_period + phase)
    if detector.drag:
        steady = detector.drag * ramp.speed / instrument.spring_constant
        out += _direction(n, ramp) * (steady * detector.drag_on_wall)
    if detector.flicker:
        out += detector.flicker * flicker(rng, n)
    if detector.deflection_resonance is not None:
        out += resonant(draws.own, detector.deflection_resonance, n, ramp.interval)
    if detector.deflection_drift:
        out += detector.deflection_drift * np.arange(n) / ramp.samples
    if glitched:
        where = rng.choice(n, size=max(1, n // 300), replace=False)
        out[where] += rng.choice([-1.0, 1.0], len(where)) * rng.uniform(3e-9, 30e-9, len(where))
    limit = detector.full_scale * instrument.deflection_sensitivity
    out = np.clip(out, -limit, limit)
    if detector.bits:
        step = 2.0 * limit / 2**detector.bits
        out = np.round(out / step) * step
    return out


def _scanned(height: FloatArray, instrument: Instrument, ramp: Ramp) -> FloatArray:
    """Commanded height for a true one: an open-loop scanner lags behind and creeps."""
    scanner = instrument.scanner
    if not any((scanner.hysteresis, scanner.creep, scanner.drift, scanner.gain, scanner.settling)):
        return height
    n = ramp.samples
    part = np.linspace(0.0, 1.0, n)
    lag = scanner.hysteresis * ramp.length * 4.0 * part * (1.0 - part) / 2.0
    time = np.arange(len(height)) * ramp.interval
    out = height - scanner.drift * time
    if scanner.gain:
        out += scanner.gain * height
    out[:n] -= lag
    if len(height) > n:
        out[n:] += lag
        out[n:] += scanner.creep * (1.0 - np.exp(-(time[n:] - time[n]) / (n * ramp.interval)))
    if scanner.settling:
        out += scanner.settling * np.exp(-time / (0.1 * n * ramp.interval))
    return out
