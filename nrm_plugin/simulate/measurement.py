"""Force curves on a sample with an instrument, and what is true of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import AnyArray, ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.simulate.equilibrium import lateral_stiffness, normal_equilibrium
from nrm_plugin.simulate.instrument import Instrument
from nrm_plugin.simulate.sample import Interphase, Sample, Voltammogram


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


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is behind simulated curves; arrays have one value per curve.

    Attributes
    ----------
    contact_height : array
        Height (as the ``height`` channel counts) at which the asymptote of the wall meets the
        baseline, in m: the solid-solid contact.
    interphases : list of Interphase
    came_through : array of bool
        Whether the tip reached the electrode.
    slips : array of bool
        Whether it slipped there.
    glitched : array of bool
    potential : array
        In V; nan without a voltammogram.
    """

    contact_height: FloatArray
    interphases: list[Interphase]
    came_through: NDArray[np.bool_]
    slips: NDArray[np.bool_]
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
    seed : int
        The same seed gives the same curves.
    progress : callable, optional
        Called with the curves made so far and their number.

    Returns
    -------
    CurveSet, Truth
        ``curves.metadata["simulated"]`` is true.

    Raises
    ------
    InvalidInput
        If neither or both of `n_curves` and `grid` are given, or the ramp is too short for its
        trigger.
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
    names = ("height", "deflection", "x", "y")
    columns: dict[str, FloatArray] = {name: np.empty((n, _length(ramp))) for name in names}
    through, slips = np.ones(n, bool), np.zeros(n, bool)
    contact = np.empty(n)
    interphases: list[Interphase] = []
    for i in range(n):
        base = sample.interphase if voltammogram is None else sample.grown(float(potential[i]))
        interphase = base.scaled(float(thick[i]), float(stiff[i]))
        interphases.append(interphase)
        drift = instrument.scanner.drift * began[i]
        one = _curve(rng, sample, interphase, instrument, ramp, bool(stops[i]), bool(glitched[i]))
        through[i], slips[i] = one.came_through, one.slips
        shift = surface[i] + drift
        contact[i] = one.contact + shift
        columns["height"][i] = one.height + shift
        columns["deflection"][i] = one.deflection
        columns["x"][i], columns["y"][i] = one.lateral.real, one.lateral.imag
        if progress is not None:
            progress(i + 1, n)
    table: dict[str, AnyArray] = {**positions, "start_time": began}
    if voltammogram is not None:
        table["potential"] = potential
    curves = _as_recorded(columns, instrument, ramp, table, volts)
    truth = Truth(
        contact_height=contact,
        interphases=interphases,
        came_through=through,
        slips=slips,
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


@dataclass(frozen=True, kw_only=True)
class _SimulatedCurve:
    """One curve as the detectors see it, with the surface at height 0."""

    height: FloatArray
    deflection: FloatArray
    lateral: ComplexArray
    contact: float
    came_through: bool
    slips: bool


def _curve(
    rng: np.random.Generator,
    sample: Sample,
    interphase: Interphase,
    instrument: Instrument,
    ramp: Ramp,
    stops: bool,
    glitched: bool,
) -> _SimulatedCurve:
    k = instrument.spring_constant
    force = ramp.trigger * k
    if stops and interphase.force:
        force = interphase.force * rng.uniform(0.3, 0.95)
    state = normal_equilibrium(interphase, sample.electrode, k, force)
    down = state.turn + ramp.length * (1.0 - (np.arange(ramp.samples) + 1) / ramp.samples)
    height = np.concatenate([down, down[::-1]]) if ramp.retract else down
    gap, normal = state.at(height)
    if ramp.retract and ramp.adhesion:
        gap, normal = _held(gap, normal, height, ramp, k)
    stiffness, slipping = lateral_stiffness(gap, normal, interphase, sample.electrode, instrument)
    lateral = instrument.dither_amplitude * stiffness * np.exp(1j * instrument.lock_in.phase)
    lateral = instrument.lock_in.filtered(lateral, ramp.interval) * instrument.lock_in.per_peak
    lateral = lateral + _lateral_noise(rng, instrument, ramp, len(height))
    deflection = _deflection(rng, normal / k, height, instrument, ramp, glitched)
    return _SimulatedCurve(
        height=_scanned(height, instrument, ramp),
        deflection=deflection,
        lateral=lateral,
        contact=state.contact,
        came_through=bool(state.came_through),
        slips=bool(slipping),
    )


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


def _lateral_noise(
    rng: np.random.Generator, instrument: Instrument, ramp: Ramp, n: int
) -> ComplexArray:
    """Noise that has passed the lock-in's filter, of the standard deviation asked for."""
    lock_in = instrument.lock_in
    sigma = instrument.detector.lateral_noise * lock_in.per_peak
    lead = 64 + (int(20 * lock_in.poles * lock_in.time_constant / ramp.interval))
    white = rng.standard_normal(n + lead) + 1j * rng.standard_normal(n + lead)
    filtered = lock_in.filtered(white, ramp.interval)
    return sigma * filtered[lead:] / _gain_of_noise(lock_in.time_constant, lock_in.poles, ramp)


def _gain_of_noise(time_constant: float, poles: int, ramp: Ramp) -> float:
    """Standard deviation of unit white noise behind the filter, from its impulse response."""
    from nrm_plugin.simulate.instrument import LockIn

    if not time_constant:
        return 1.0
    impulse = np.zeros(64 + int(40 * poles * time_constant / ramp.interval), complex)
    impulse[1] = 1.0
    response = LockIn(time_constant, poles).filtered(impulse, ramp.interval)
    return float(np.sqrt(np.sum(np.abs(response) ** 2)))


def _deflection(
    rng: np.random.Generator,
    bent: FloatArray,
    height: FloatArray,
    instrument: Instrument,
    ramp: Ramp,
    glitched: bool,
) -> FloatArray:
    """Deflection in m as the optical lever shows it."""
    detector = instrument.detector
    n = len(height)
    out = bent + detector.deflection_noise * rng.standard_normal(n)
    out += detector.tilt * height
    if detector.fringe:
        phase = rng.uniform(0, 2 * np.pi)
        out += detector.fringe * np.sin(2 * np.pi * height / detector.fringe_period + phase)
    if detector.drag:
        direction = np.where(np.arange(n) < ramp.samples, 1.0, -1.0)
        out += direction * detector.drag * ramp.speed / instrument.spring_constant
    if detector.flicker:
        out += detector.flicker * _flicker(rng, n)
    if glitched:
        where = rng.choice(n, size=max(1, n // 300), replace=False)
        out[where] += rng.choice([-1.0, 1.0], len(where)) * rng.uniform(3e-9, 30e-9, len(where))
    limit = detector.full_scale * instrument.deflection_sensitivity
    out = np.clip(out, -limit, limit)
    if detector.bits:
        step = 2.0 * limit / 2**detector.bits
        out = np.round(out / step) * step
    return out


def _flicker(rng: np.random.Generator, n: int) -> FloatArray:
    """1/f noise of standard deviation 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum[0] = 0.0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    noise = np.fft.irfft(spectrum, n)
    return np.asarray(noise / noise.std())


def _scanned(height: FloatArray, instrument: Instrument, ramp: Ramp) -> FloatArray:
    """Commanded height for a true one: an open-loop scanner lags behind and creeps."""
    scanner = instrument.scanner
    if not (scanner.hysteresis or scanner.creep or scanner.drift):
        return height
    n = ramp.samples
    part = np.linspace(0.0, 1.0, n)
    lag = scanner.hysteresis * ramp.length * 4.0 * part * (1.0 - part) / 2.0
    time = np.arange(len(height)) * ramp.interval
    out = height - scanner.drift * time
    out[:n] -= lag
    if len(height) > n:
        out[n:] += lag
        out[n:] += scanner.creep * (1.0 - np.exp(-(time[n:] - time[n]) / (n * ramp.interval)))
    return out


def _as_recorded(
    columns: dict[str, FloatArray],
    instrument: Instrument,
    ramp: Ramp,
    table: dict[str, AnyArray],
    volts: bool,
) -> CurveSet:
    """Signals and settings as a file would hold them."""
    lock_in = instrument.lock_in
    metadata: dict[str, object] = {
        "simulated": True,
        "dither_amplitude": instrument.dither_amplitude,
        "dither_frequency": instrument.dither_frequency,
        "lockin_convention": lock_in.convention,
        "spring_constant": instrument.spring_constant,
        "lockin_poles": lock_in.poles,
        "lockin_phase": lock_in.phase,
        "ramp_size": ramp.length,
        "approach_speed": ramp.speed,
    }
    if lock_in.time_constant:
        metadata["lockin_time_constant"] = lock_in.time_constant
    if np.isfinite(instrument.lateral_stiffness):
        metadata["lateral_stiffness"] = instrument.lateral_stiffness
    time = np.broadcast_to(np.arange(_length(ramp)) * ramp.interval, columns["height"].shape)
    channels = {
        "time": (time, "s"),
        "height": (columns["height"], "m"),
        "deflection": (columns["deflection"], "m"),
        "lateral_in_phase": (columns["x"], "N"),
        "lateral_quadrature": (columns["y"], "N"),
    }
    if volts or lock_in.sensitivity is not None:
        if not np.isfinite(instrument.lateral_stiffness):
            raise InvalidInput("signals in volts need a finite lateral_stiffness")
        per_volt = instrument.lateral_stiffness * instrument.lateral_sensitivity
        metadata["deflection_sensitivity"] = instrument.deflection_sensitivity
        metadata["lateral_sensitivity"] = instrument.lateral_sensitivity
        x, y = columns["x"] / per_volt, columns["y"] / per_volt
        channels["deflection"] = (columns["deflection"] / instrument.deflection_sensitivity, "V")
        channels["lateral_in_phase"], channels["lateral_quadrature"] = (x, "V"), (y, "V")
        if lock_in.sensitivity is not None:
            for part in ("in_phase", "quadrature"):
                del channels[f"lateral_{part}"]
            out = lock_in.output
            channels["lockin_output_x"] = (out(x, lock_in.expand_x, lock_in.offset_x), "V")
            channels["lockin_output_y"] = (out(y, lock_in.expand_y, lock_in.offset_y), "V")
            metadata["lockin_sensitivity"] = lock_in.sensitivity
            for axis in "xy":
                metadata[f"lockin_expand_{axis}"] = getattr(lock_in, f"expand_{axis}")
                metadata[f"lockin_offset_{axis}"] = getattr(lock_in, f"offset_{axis}")
    return CurveSet.from_arrays(channels, curve_table=table, metadata=metadata)
