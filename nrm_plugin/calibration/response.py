"""Frequency response of the scanner: resonances, and where a dither is safe.

The dither's amplitude is known from a slow motion; at its own frequency the scanner may move more
or less, and late. Measure the lateral signal of a tip that sticks to a hard sample, or an
interferometer's, at many frequencies with one drive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field
from scipy.signal import find_peaks
from scipy.special import stdtrit

from nrm_plugin.calibration import CalibrationFailed, Estimate
from nrm_plugin.calibration.inputs import merged, only_file
from nrm_plugin.calibration.shared_settings import (
    Angle,
    CalibrationSettings,
    Frequency,
    Pure,
    RegisteredCalibration,
)
from nrm_plugin.columns import FloatArray
from nrm_plugin.delimited import TextTable
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.vocabulary import missing_calibration

#: Fewest frequencies; points of a local fit; points within the width of a resonance.
_FEWEST, _LOCAL, _PER_WIDTH = 20, 9, 4

#: Largest step from point to point: of ln(amplitude), and of the phase in rad.
_STEP, _PHASE_STEP = 0.3, np.pi / 4.0

#: Noise of ln(amplitude) with which nothing can be said.
_NOISY = 0.2

#: Part of the first resonance's frequency up to which the response is one over 1 - (f/f0)**2.
_LOW = 0.25


@dataclass(frozen=True)
class Resonance:
    """A resonance: frequency and its half-power width in Hz, and gain over low frequencies."""

    frequency: float
    width: float
    gain: float

    @property
    def quality(self) -> float:
        """Quality factor."""
        return self.frequency / self.width


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Gain and phase (rad) at a frequency, over those at rest, with standard errors."""

    frequency: float
    gain: float
    gain_stderr: float
    phase: float | None
    phase_stderr: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Response:
    """Motion against frequency, in relation to that at rest.

    Attributes
    ----------
    frequency : (n,) array
        In Hz, rising.
    log_gain : (n,) array
        Natural logarithm of amplitude over that at rest.
    phase : (n,) array or None
        In rad, over that at rest, without jumps.
    log_gain_noise, phase_noise : float
        Standard deviation of a point.
    log_rest_stderr, phase_rest_stderr : float
        Standard error of what is taken for rest.
    """

    frequency: FloatArray
    log_gain: FloatArray
    phase: FloatArray | None
    log_gain_noise: float
    phase_noise: float
    log_rest_stderr: float
    phase_rest_stderr: float

    def at(self, frequency: float) -> Transfer:
        """Gain and phase at a frequency in Hz, by a parabola through the nine nearest points.

        Raises
        ------
        InvalidInput
            Outside the frequencies that were measured.
        """
        f = self.frequency
        if not f[0] <= frequency <= f[-1]:
            raise InvalidInput(
                f"{frequency:g} Hz is outside the response, which goes from {f[0]:g} to "
                f"{f[-1]:g} Hz"
            )
        log, error = self._local(self.log_gain, frequency, self.log_gain_noise)
        gain = float(np.exp(log))
        gain_error = gain * float(np.hypot(error, self.log_rest_stderr))
        phase = phase_error = None
        if self.phase is not None:
            phase, error = self._local(self.phase, frequency, self.phase_noise)
            phase_error = float(np.hypot(error, self.phase_rest_stderr))
        return Transfer(
            frequency=frequency,
            gain=gain,
            gain_stderr=gain_error,
            phase=phase,
            phase_stderr=phase_error,
        )

    def _local(self, values: FloatArray, frequency: float, noise: float) -> tuple[float, float]:
        near = np.sort(np.argsort(np.abs(self.frequency - frequency), kind="stable")[:_LOCAL])
        x = self.frequency[near] - frequency
        x = x / np.abs(x).max()
        design = np.vander(x, 3, increasing=True)
        inverse = np.linalg.inv(design.T @ design)
        coefficients = inverse @ design.T @ values[near]
        rest = values[near] - design @ coefficients
        here = float(np.sqrt(rest @ rest / (_LOCAL - 3)))
        # Where a parabola does not fit, the residuals are larger than noise makes them by chance.
        if here > 2.0 * noise:
            noise = here * float(stdtrit(_LOCAL - 3, 0.975)) / 1.959964
        return float(coefficients[0]), noise * float(np.sqrt(inverse[0, 0]))

    def resonances(self) -> tuple[Resonance, ...]:
        """Peaks of the amplitude, in order of frequency.

        Raises
        ------
        CalibrationFailed
            If one has fewer than four points within its width.
        """
        prominence = max(0.05, 6.0 * self.log_gain_noise)
        peaks, _ = find_peaks(self.log_gain, prominence=prominence)
        resonances = []
        for at in peaks:
            low, high, width = self._half_power(int(at))
            f = self.frequency
            if high - low - 1 < _PER_WIDTH:
                raise CalibrationFailed(
                    f"too coarse: the resonance near {f[at]:.4g} Hz has {high - low - 1} points in "
                    "its width, 4 are needed; measure with smaller steps around it"
                )
            part = slice(max(low, int(at) - 4), min(high, int(at) + 4) + 1)
            x = f[part] - f[at]
            a, b, c = np.polyfit(x / width, self.log_gain[part], 2)
            shift = -b / (2.0 * a) if a < 0.0 and abs(b / (2.0 * a)) < 1.0 else 0.0
            gain = float(np.exp(c + b * shift + a * shift**2))
            resonances.append(Resonance(float(f[at] + shift * width), width, gain))
        return tuple(resonances)

    def _half_power(self, at: int) -> tuple[int, int, float]:
        """First points below half the power to both sides, and the width in Hz between."""
        level = self.log_gain[at] - 0.5 * np.log(2.0)
        low = high = at
        while low > 0 and self.log_gain[low] > level:
            low -= 1
        while high < len(self.frequency) - 1 and self.log_gain[high] > level:
            high += 1
        edges = []
        for outer, inner in ((low, low + 1), (high, high - 1)):
            y = self.log_gain[[outer, inner]]
            part = np.clip((level - y[0]) / (y[1] - y[0]), 0.0, 1.0) if y[1] != y[0] else 0.0
            f = self.frequency[[outer, inner]]
            edges.append(float(f[0] + part * (f[1] - f[0])))
        return low, high, edges[1] - edges[0]

    def safe_band(self, gain: float = 0.05, phase: float = np.radians(2.0)) -> tuple[float, float]:
        """Return the band from the lowest frequency on in which the scanner follows its drive.

        Parameters
        ----------
        gain : float
            Most that the gain may differ from 1.
        phase : float
            Most that the phase may differ from that at rest, in rad.

        Returns
        -------
        low, high : float
            In Hz.

        Raises
        ------
        CalibrationFailed
            If there is none.
        """
        high = None
        for f in self.frequency:
            here = self.at(float(f))
            if abs(here.gain - 1.0) > gain or abs(here.phase or 0.0) > phase:
                break
            high = float(f)
        if high is None or high == self.frequency[0]:
            raise CalibrationFailed(
                f"there is no safe band: at the lowest frequency, {self.frequency[0]:g} Hz, the "
                f"motion already differs by more than {gain:.0%} or {np.degrees(phase):.2g} degrees"
            )
        return float(self.frequency[0]), high

    def estimate(
        self, frequency: float, gain: float = 0.05, phase: float = np.radians(2.0)
    ) -> Estimate:
        """``dither_response`` at a frequency in Hz, with what is to be known of the scanner."""
        here = self.at(frequency)
        notes = []
        if here.phase is None or here.phase_stderr is None:
            notes.append("no phase was given: storage and loss cannot be told apart with this")
        else:
            notes.append(
                f"phase {np.degrees(here.phase):.2f} +- {np.degrees(here.phase_stderr):.2f} "
                "degrees (part of lockin_phase)"
            )
        for one in self.resonances():
            notes.append(
                f"resonance at {one.frequency:.4g} Hz, gain {one.gain:.3g}, Q {one.quality:.3g}"
            )
        bounds = f"gain within {gain:.0%}"
        bounds += "" if self.phase is None else f", phase within {np.degrees(phase):.2g} degrees"
        try:
            low, high = self.safe_band(gain, phase)
            notes.append(f"safe dither band: {low:.4g} to {high:.4g} Hz ({bounds})")
            if not low <= frequency <= high:
                notes.append(f"{frequency:.4g} Hz is outside the safe band")
        except CalibrationFailed as none:
            notes.append(str(none))
        method = f"scanner response at {frequency:.6g} Hz"
        return Estimate("dither_response", here.gain, here.gain_stderr, method, notes=tuple(notes))


def response(
    frequency: FloatArray, amplitude: FloatArray, phase: FloatArray | None = None
) -> Response:
    """Response of a scanner from a sweep.

    What the motion is at rest is extrapolated from the low frequencies: far below a resonance the
    logarithm of the amplitude is linear in the square of the frequency, the phase in the frequency.

    Parameters
    ----------
    frequency : (n,) array
        In Hz, in any order; repeats are averaged.
    amplitude : (n,) array
        In any unit, above 0.
    phase : (n,) array, optional
        In rad.

    Raises
    ------
    CalibrationFailed
        If there are fewer than 20 frequencies, they are too far apart for what happens between
        them, do not reach down far enough, or the amplitudes are noise.
    InvalidInput
        For amplitudes that are not above 0, or lengths that do not fit.
    """
    columns = [np.asarray(a, np.float64).reshape(-1) for a in (frequency, amplitude)]
    columns.append(np.zeros_like(columns[0]) if phase is None else np.asarray(phase, np.float64))
    if len({len(a) for a in columns}) != 1:
        raise InvalidInput("frequency, amplitude and phase have different lengths")
    good = np.isfinite(columns).all(axis=0) & (columns[0] > 0.0)
    f, a, p = (values[good] for values in columns)
    if (a <= 0.0).any():
        raise InvalidInput("amplitudes are above 0; are they in decibels, or X and Y of a lock-in?")
    f, log, p = _averaged(f, np.log(a), p)
    if len(f) < _FEWEST:
        raise CalibrationFailed(f"too coarse: {len(f)} frequencies; 20 or more are needed")
    p = np.unwrap(p)
    noise, phase_noise = _noise(log), _noise(p)
    if noise > _NOISY:
        raise CalibrationFailed(
            f"too noisy: neighbouring amplitudes differ by {np.expm1(noise):.0%} at random; "
            "average for longer at each frequency"
        )
    _dense_enough(f, log, noise, p if phase is not None else None, phase_noise)
    low = _low_part(f, log, noise)
    rest, rest_error = _at_rest(f[low] ** 2, log[low], noise)
    turn, turn_error = _at_rest(f[low], p[low], phase_noise)
    return Response(
        frequency=f,
        log_gain=log - rest,
        phase=None if phase is None else p - turn,
        log_gain_noise=noise,
        phase_noise=phase_noise,
        log_rest_stderr=rest_error,
        phase_rest_stderr=turn_error,
    )


def _averaged(f: FloatArray, log: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    """Means over equal frequencies, in rising order."""
    order = np.argsort(f, kind="stable")
    f, log, p = f[order], log[order], p[order]
    if not len(f):
        return f, log, p
    starts = np.flatnonzero(np.diff(f, prepend=-1.0) > 1e-9 * f)
    counts = np.diff(np.append(starts, len(f)))
    turns = np.add.reduceat(np.exp(1j * p), starts)
    return (
        np.add.reduceat(f, starts) / counts,
        np.add.reduceat(log, starts) / counts,
        np.angle(turns),
    )


def _noise(values: FloatArray) -> float:
    """Standard deviation of noise, from third differences, which a smooth response leaves small.

    The largest fifth is left out, as it may hold a resonance; 0.438 is what the rest of a normal
    distribution has for a mean square. Widened by Student's factor, as few points know it badly.
    """
    squares = np.sort(np.diff(values, 3) ** 2)
    kept = squares[: max(1, int(np.ceil(0.8 * len(squares))))]
    spread = float(np.sqrt(kept.mean() / 0.438 / 20.0))
    return spread * float(stdtrit(len(values) / 2.0, 0.975)) / 1.959964


def _dense_enough(
    f: FloatArray, log: FloatArray, noise: float, p: FloatArray | None, phase_noise: float
) -> None:
    steps = np.abs(np.diff(log)) - 5.0 * noise
    worst = int(np.argmax(steps))
    if steps[worst] > _STEP:
        raise CalibrationFailed(
            f"too coarse: the amplitude changes by {np.expm1(steps[worst]):.0%} between "
            f"{f[worst]:.4g} and {f[worst + 1]:.4g} Hz; measure with smaller steps there"
        )
    if p is None:
        return
    steps = np.abs(np.diff(p)) - 5.0 * phase_noise
    worst = int(np.argmax(steps))
    if steps[worst] > _PHASE_STEP:
        raise CalibrationFailed(
            f"too coarse: the phase changes by {np.degrees(steps[worst]):.0f} degrees between "
            f"{f[worst]:.4g} and {f[worst + 1]:.4g} Hz, which hides a resonance; measure with "
            "smaller steps there"
        )


def _low_part(f: FloatArray, log: FloatArray, noise: float) -> FloatArray:
    """Which frequencies are low: below a quarter of the first extremum, at least five."""
    prominence = max(0.05, 6.0 * noise)
    extrema = np.concatenate(
        [find_peaks(sign * log, prominence=prominence)[0] for sign in (1.0, -1.0)]
    )
    first = float(f[extrema].min()) if len(extrema) else float(f[-1])
    low = f <= _LOW * first
    if low.sum() < 5:
        raise CalibrationFailed(
            f"the response starts at {f[0]:.4g} Hz, too high to know the motion at rest: measure "
            f"five or more frequencies below {_LOW * first:.4g} Hz"
        )
    return np.asarray(low)


def _at_rest(x: FloatArray, values: FloatArray, noise: float) -> tuple[float, float]:
    """Intercept of a line, and its standard error."""
    design = np.vander(x / x.max(), 2, increasing=True)
    inverse = np.linalg.inv(design.T @ design)
    intercept = (inverse @ design.T @ values)[0]
    return float(intercept), noise * float(np.sqrt(inverse[0, 0]))


def from_table(table: TextTable) -> Response:
    """Response from a text file with columns frequency, amplitude (any unit), and phase.

    Raises
    ------
    InvalidInput
        If a column is missing, or frequency or phase have no unit.
    """
    frequency = table.si("Hz", "frequency", "freq", "f")
    amplitude = table.column("amplitude", "gain", "magnitude", "r").values
    phase = table.si("rad", "phase", "theta") if table.has("phase", "theta") else None
    return response(frequency, amplitude, phase)


def from_curves(curves: CurveSet) -> Response:
    """Response from curves that are sweeps: a channel ``frequency`` beside lateral signals.

    Amplitude and phase are ``lateral_amplitude`` and ``lateral_phase``, or follow from
    ``lateral_in_phase`` and ``lateral_quadrature``.

    Raises
    ------
    UnknownChannel
        If there is no frequency or no such signal.
    InvalidInput
        If the frequency is not in Hz.
    """
    names = [n for n in curves.channels if "frequency" in n]
    channel = curves.channel(names[0] if names else "frequency")
    if channel.unit != "Hz":
        raise InvalidInput(f"{channel.name} is in {channel.unit or 'no unit'}, not in Hz")
    frequency = curves.read(channel.name)
    if "lateral_amplitude" in curves.channels:
        with_phase = "lateral_phase" in curves.channels
        phase = curves.read("lateral_phase") if with_phase else None
        return response(frequency, curves.read("lateral_amplitude"), phase)
    signal = curves.read("lateral_in_phase") + 1j * curves.read("lateral_quadrature")
    return response(frequency, np.abs(signal), np.angle(signal))


class ResponseCalibration(RegisteredCalibration):
    """Motion of the scanner at the dither's frequency over that at rest.

    FILE is a table with titles and units, 'frequency (Hz)', 'amplitude (mV)' and 'phase (deg)', or
    curves with a channel frequency beside the lateral signal.
    """

    needs = "table"

    class Settings(CalibrationSettings):
        """Frequency of the dither, and what is safe."""

        at: Frequency | None = Field(
            None, description="Frequency of the dither, 1kHz; by default dither_frequency."
        )
        gain: Pure = Field(
            0.05, description="Most that the gain may differ from 1 in the safe band."
        )
        phase: Angle = Field(  # type: ignore[assignment]  # pydantic reads the text
            "2 deg", description="Most that the phase may differ from that at rest, 2deg."
        )

    def _calibrate(self, inputs: Sequence[CurveSet | TextTable], settings: Settings) -> Estimate:
        source = only_file(inputs, "a sweep of the frequency")
        result = from_table(source) if isinstance(source, TextTable) else from_curves(source)
        metadata = merged(inputs).metadata
        frequency = settings.at if settings.at is not None else metadata.get("dither_frequency")
        if frequency is None:
            raise missing_calibration("dither_frequency")
        return result.estimate(float(frequency), settings.gain, settings.phase)


RESPONSE = ResponseCalibration()
