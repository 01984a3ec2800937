"""The microscope between the forces on the tip and the numbers in the file."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from math import inf

import numpy as np

from nrm_plugin.calibration import lockin
from nrm_plugin.columns import ComplexArray, FloatArray


@dataclass(frozen=True)
class LockIn:
    """A lock-in amplifier on the lateral signal.

    Attributes
    ----------
    time_constant : float
        In s; 0 for an instant response.
    poles : int
        1 to 4.
    phase : float
        The instrument's phase in rad: the measured X + iY is the true one times exp(i phase).
    convention : str
        What X and Y are: rms or peak.
    sensitivity : float or None
        Full scale in V (rms). If given, the curves hold the outputs' volts,
        ``(X / sensitivity - offset) * expand * 10 V``, limited to 10.9 V.
    expand_x, expand_y, offset_x, offset_y : float
        Of the outputs; offsets as fractions of full scale.
    swapped : bool
        The cables of X and Y are exchanged.
    inverted_y : bool
        Y has the other sign, as where the phase is counted backwards.
    """

    time_constant: float = 0.0
    poles: int = 1
    _: KW_ONLY
    phase: float = 0.0
    convention: str = "rms"
    sensitivity: float | None = None
    expand_x: float = 1.0
    expand_y: float = 1.0
    offset_x: float = 0.0
    offset_y: float = 0.0
    swapped: bool = False
    inverted_y: bool = False

    @property
    def per_peak(self) -> float:
        """What it shows for a sine of peak 1."""
        return 1.0 / lockin.peak_factor(self.convention)

    def filtered(self, values: ComplexArray, step: float) -> ComplexArray:
        """Pass samples `step` seconds apart through the filter, settled on the first."""
        if not self.time_constant:
            return values
        keep = np.exp(-step / self.time_constant)
        out = np.asarray(values, complex)
        for _ in range(self.poles):
            out = _one_pole(out, keep)
        return out

    def wired(self, values: ComplexArray) -> ComplexArray:
        """X + iY as the inputs are connected."""
        out = values.conj() if self.inverted_y else values
        return np.asarray(1j * out.conj() if self.swapped else out, complex)

    def output(self, volts: FloatArray, expand: float, offset: float) -> FloatArray:
        """Volts at an output of the back, for X or Y at the input."""
        assert self.sensitivity is not None
        return lockin.output_volts(volts, self.sensitivity, expand, offset)


def _one_pole(values: ComplexArray, keep: float) -> ComplexArray:
    """Exponential smoothing along the last axis; the input is taken as linear between samples.

    Exact for such an input: y[i] = keep y[i-1] + a x[i-1] + b x[i].
    """
    from scipy.signal import lfilter

    log = -np.log(keep)  # step over time constant
    b = 1.0 - (1.0 - keep) / log
    a = 1.0 - keep - b
    # Settled on the first sample, as after a long wait far from the surface.
    start = values[..., :1] * (1.0 - b)
    out, _ = lfilter([b, a], [1.0, -keep], values, axis=-1, zi=start)
    return np.asarray(out, complex)


@dataclass(frozen=True, kw_only=True)
class ResonantNoise:
    """Noise about the resonance of a cantilever, scanner or mount.

    Attributes
    ----------
    amplitude : float
        Standard deviation, in m of deflection or N of lateral force.
    frequency : float
        In Hz; below half the sampling rate, or what folds down there.
    quality : float
    """

    amplitude: float
    frequency: float
    quality: float = 10.0


@dataclass(frozen=True)
class Detector:
    """Noise and faults of the optical lever.

    Amounts are in m of deflection or N of lateral force (peak).

    Attributes
    ----------
    deflection_noise, lateral_noise : float
        Standard deviation of white noise; the lateral one as it leaves the lock-in's filter.
    flicker, lateral_flicker : float
        Standard deviation of 1/f noise over a curve; the lateral one in X and in Y.
    deflection_resonance, lateral_resonance : ResonantNoise or None
        Noise about a frequency.
    tilt : float
        Deflection that is faked per m of height (virtual deflection).
    deflection_drift, lateral_drift : float, complex
        What the offset gains during one way of the ramp, evenly in time.
    lateral_offset : complex
        X + iY without any force.
    fringe, fringe_period : float
        Amplitude and period in height of optical interference; its phase differs from curve to
        curve.
    fringe_spread : float
        The amplitude of a curve differs from `fringe` by up to this part of it, either way.
    fringe_decay : float
        Distance in m over which the fringes fall by e as the cantilever rises.
    drag : float
        Hydrodynamic drag in N s/m on the cantilever.
    drag_on_wall : float
        Part of the drag's deflection that stays while the tip stands on the solid. The rest, up to
        all of it for 0, displaces the tip and lasts as long as the tip moves.
    glitches : float
        Part of the curves that have single samples far off.
    bits, full_scale : int, float
        Resolution of the converter and its range in V; 0 bits for none.
    """

    deflection_noise: float = 0.1e-9
    lateral_noise: float = 10e-12
    _: KW_ONLY
    flicker: float = 0.0
    lateral_flicker: float = 0.0
    deflection_resonance: ResonantNoise | None = None
    lateral_resonance: ResonantNoise | None = None
    tilt: float = 0.0
    deflection_drift: float = 0.0
    lateral_drift: complex = 0.0
    lateral_offset: complex = 0.0
    fringe: float = 0.0
    fringe_period: float = 260e-9
    fringe_spread: float = 0.0
    fringe_decay: float = inf
    drag: float = 0.0
    drag_on_wall: float = 1.0
    glitches: float = 0.0
    bits: int = 0
    full_scale: float = 10.0


@dataclass(frozen=True)
class Scanner:
    """A scanner differs from what it is told, or from what its sensor shows.

    Attributes
    ----------
    hysteresis : float
        Largest difference between the ways down and up, as a fraction of the ramp.
    creep : float
        Distance in m that it creeps on after turning, with a time constant of the ramp's half.
    drift : float
        Of the sample against the cantilever, in m/s.
    gain : float
        Part by which heights are shown too large, about the surface's height.
    settling : float
        Distance in m that it still creeps upwards when the ramp begins, with a time constant of a
        tenth of the ramp's half.
    """

    hysteresis: float = 0.0
    creep: float = 0.0
    drift: float = 0.0
    _: KW_ONLY
    gain: float = 0.0
    settling: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Aging:
    """What changes from the first curve to the last, as parts of the value at the beginning.

    Attributes
    ----------
    deflection, lateral : float
        Change of both signals (of what is recorded for the same force): the laser spot moves.
    noise : float
        Of both signals' white noise.
    adhesion : float
        Of the ramp's or the electrode's adhesion: the tip wears or is coated.
    step : float or None
        If given, all of it comes at once after this part of the curves.
    """

    deflection: float = 0.0
    lateral: float = 0.0
    noise: float = 0.0
    adhesion: float = 0.0
    step: float | None = None

    def progress(self, curve: int, n_curves: int) -> float:
        """0 for what is as it was, 1 for all of the change."""
        if self.step is not None:
            return float(curve >= self.step * n_curves)
        return curve / max(1, n_curves - 1)


@dataclass(frozen=True)
class Instrument:
    """Cantilever, lock-in, detector and scanner.

    Attributes
    ----------
    spring_constant : float
        In N/m.
    lateral_stiffness : float
        k_t / l_t**2 in N/m; infinite for a tip that nothing moves.
    deflection_sensitivity, lateral_sensitivity : float
        In m/V.
    dither_amplitude : float
        Peak, in m.
    dither_frequency : float
        In Hz.
    shape_factor : float
        The r_g with which layers resist (Eq. 4).
    lever_friction : float
        Part by which the deflection on the solid is larger on the way down, and smaller on the way
        up, since the tip of a tilted cantilever slides: about the coefficient of friction times
        (tan(tilt) + 2 tip height / cantilever length), and negative where it slides the other way.
    lever_friction_turn : float
        Height in m over which this friction changes its sign after the ramp's turn; 0: at once.
    aging : Aging or None
        Changes over the acquisition.
    """

    spring_constant: float = 0.3
    lateral_stiffness: float = inf
    _: KW_ONLY
    deflection_sensitivity: float = 30e-9
    lateral_sensitivity: float = 300e-9
    dither_amplitude: float = 1e-9
    dither_frequency: float = 1000.0
    shape_factor: float = 1.25
    lever_friction: float = 0.0
    lever_friction_turn: float = 0.0
    aging: Aging | None = None
    lock_in: LockIn = field(default_factory=LockIn)
    detector: Detector = field(default_factory=Detector)
    scanner: Scanner = field(default_factory=Scanner)
