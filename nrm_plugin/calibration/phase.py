"""Phase of the instrument: from hard contact, from a reference elastomer, or given.

The recorded X + iY times ``exp(-i lockin_phase)`` is the response to the sample's motion: real
for an elastic sample, with a positive imaginary part for a lossy one. A phase that is off by d
turns E' d of storage into loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import atan, hypot, isfinite, pi

import numpy as np
from pydantic import Field

from nrm_plugin.calibration import CalibrationFailed, Estimate, lockin
from nrm_plugin.calibration.inputs import merged, require
from nrm_plugin.calibration.lateral_contacts import LateralContact, pressed
from nrm_plugin.calibration.pooling import mean_and_error
from nrm_plugin.calibration.shared_settings import (
    Angle,
    CalibrationSettings,
    HardContactSettings,
    Pure,
    RegisteredCalibration,
)
from nrm_plugin.calibration.stick import TURN, plateau
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

_COMPLIANCE = ("dither_amplitude", "lockin_convention", "lateral_stiffness")


def from_hard_contact(curves: CurveSet, *, third_harmonic: str | None = None) -> Estimate:
    """Argument of the signal of a tip that sticks to a hard sample, which is elastic.

    Parameters
    ----------
    curves : CurveSet
    third_harmonic : str, optional
        See `stick.plateau`.

    Raises
    ------
    MissingCalibration
        Naming all that is missing.
    CalibrationFailed
        If the tip does not stick.
    """
    require(curves, *lockin.needed(curves))
    other = "Take the phase from a reference elastomer, or give that of the drive line, instead"
    result = plateau(curves, alternative=other, third_harmonic=third_harmonic)
    return Estimate(
        "lockin_phase",
        _wrapped(result.phase),
        result.phase_stderr,
        "hard contact: phase of a tip that sticks",
        notes=result.notes,
    )


def from_elastomer(
    curves: CurveSet, loss_tangent: float, loss_tangent_stderr: float = 0.0
) -> Estimate:
    """Phase from a sample of known loss tangent at the dither frequency.

    Lever and sample are springs in series, ``F*/A = K k_lat / (K + k_lat)``, so that the signal
    lags behind the drive by less than the sample's own angle. That is corrected where dither
    amplitude, lock-in convention, lateral stiffness and (for a signal in V) sensitivity are known.

    Parameters
    ----------
    curves : CurveSet
        Approaches that press into the elastomer.
    loss_tangent, loss_tangent_stderr : float
        E''/E'.

    Raises
    ------
    MissingCalibration
        Naming the lock-in's settings that are missing.
    CalibrationFailed
        If the phase changes with the load (slip), or the lever is too soft for the sample.
    """
    if not (isfinite(loss_tangent) and loss_tangent >= 0.0):
        raise InvalidInput(f"a loss tangent is 0 or more, not {loss_tangent!r}")
    require(curves, *lockin.needed(curves))
    curves = lockin.at_the_lockin(curves)
    per_lever = _per_lever(curves)
    loss = atan(loss_tangent)
    fitted = [_of_one(c, per_lever, loss) for c in pressed(curves)]
    phases, turns = np.array(fitted).T
    turn, turn_error = mean_and_error(turns)
    if 2.0 * turn_error > 4.0 * TURN:
        raise CalibrationFailed("too much noise to see whether the phase changes with the load")
    if abs(turn) > max(4.0 * TURN, 3.0 * turn_error):
        raise CalibrationFailed(
            f"the phase turns by {np.degrees(turn):.1f} degrees while the load doubles: the tip "
            "slips on the elastomer, or it is not of one loss tangent. Press more gently into a "
            "softer reference, or dither less"
        )
    centre = float(np.angle(np.mean(np.exp(1j * phases))))
    shift, error = mean_and_error(np.angle(np.exp(1j * (phases - centre))))
    notes = [f"{len(fitted)} curves, loss tangent {loss_tangent:g}"]
    if per_lever is None:
        lacking = ", ".join(k for k in _scales(curves) if k not in curves.metadata)
        notes.append(f"the lever's compliance is not corrected for, without {lacking}")
    if not loss_tangent_stderr:
        notes.append("no error of the loss tangent was given: the result has none of it")
    return Estimate(
        "lockin_phase",
        _wrapped(centre + shift),
        hypot(error, loss_tangent_stderr / (1.0 + loss_tangent**2)),
        "reference elastomer of known loss tangent",
        notes=tuple(notes),
    )


def given(phase: float, stderr: float = 0.0) -> Estimate:
    """Return a phase in rad that is known from elsewhere, such as that of the drive line.

    Raises
    ------
    InvalidInput
    """
    if not isfinite(phase) or abs(phase) > 4.0 * pi or not stderr >= 0.0:
        raise InvalidInput(f"a phase of {phase!r} rad is not believable: is it in degrees?")
    return Estimate("lockin_phase", _wrapped(phase), stderr, "given")


def _scales(curves: CurveSet) -> tuple[str, ...]:
    """Keys that turn the signal into a part of the stiffness of the lever."""
    in_volts = curves.channels["lateral_in_phase"].unit == "V"
    return (*_COMPLIANCE, "lateral_sensitivity") if in_volts else _COMPLIANCE


def _per_lever(curves: CurveSet) -> float | None:
    """What turns |signal| into |F*| / (A k_lat); None if that is not known."""
    data = curves.metadata
    if any(key not in data for key in _scales(curves)):
        return None
    peak = lockin.peak_factor(data["lockin_convention"]) / float(data["dither_amplitude"])
    if curves.channels["lateral_in_phase"].unit == "V":
        return peak * float(data["lateral_sensitivity"])
    return peak / float(data["lateral_stiffness"])


def _of_one(contact: LateralContact, per_lever: float | None, loss: float) -> tuple[float, float]:
    """Phase of the instrument from one curve, and its change over the range of loads."""
    mean = contact.signal.mean()
    if abs(mean) < 3.0 * contact.noise:
        raise CalibrationFailed("there is no lateral signal in contact: is the dither on?")
    along = contact.signal * (abs(mean) / mean)
    log_load = np.log(np.maximum(contact.load, 1e-3 * contact.load[-1]))
    away = log_load - log_load.mean()
    angle = np.angle(along)
    if per_lever is not None:
        # The signal's size as a line in log load: noise would bend the correction.
        size = along.real
        smooth = size.mean() + away * float(away @ size) / float(away @ away)
        angle = angle + _less(np.maximum(smooth, 0.0) * per_lever, loss)
    slope = float(away @ angle) / float(away @ away)
    phase = float(np.angle(mean)) + float(angle.mean()) - loss
    return phase, slope * float(np.ptp(log_load))


def _less(ratio: FloatArray, loss: float) -> FloatArray:
    """By how much the lever lessens the sample's angle: arg(K + k), for |F*| / (A k) = ratio.

    With K = s k e^(i loss): ``ratio = s / |1 + s e^(i loss)|``, a quadratic equation for s.

    Raises
    ------
    CalibrationFailed
        If the sample is so stiff that the lever takes up most of the motion.
    """
    if ratio.max() > 0.5:
        raise CalibrationFailed(
            "the sample is not soft against the lever, which takes up half of the motion: take a "
            "softer reference"
        )
    cos = float(np.cos(loss))
    square = ratio**2
    s = (square * cos + ratio * np.sqrt(1.0 - square * (1.0 - cos**2))) / (1.0 - square)
    return np.asarray(np.angle(1.0 + s * np.exp(1j * loss)))


def _wrapped(phase: float) -> float:
    """The same angle between -pi and pi."""
    return float(np.angle(np.exp(1j * phase)))


class HardContactPhase(RegisteredCalibration):
    """Phase of the instrument from a tip that sticks to a hard sample.

    X + iY is multiplied by exp(-i phase). FILEs are approaches onto the sample.
    """

    Settings = HardContactSettings

    def _calibrate(self, inputs: Sequence[CurveSet], settings: HardContactSettings) -> Estimate:
        return from_hard_contact(merged(inputs), third_harmonic=settings.third_harmonic)


class ElastomerPhase(RegisteredCalibration):
    """Phase of the instrument from a reference of known loss tangent.

    X + iY is multiplied by exp(-i phase). FILEs are approaches that press into the reference.
    """

    class Settings(CalibrationSettings):
        """What is known of the reference."""

        loss_tangent: Pure = Field(description="E''/E' at the dither frequency.")
        loss_tangent_error: Pure = Field(0.0, description="Standard error of the loss tangent.")

    def _calibrate(self, inputs: Sequence[CurveSet], settings: Settings) -> Estimate:
        return from_elastomer(merged(inputs), settings.loss_tangent, settings.loss_tangent_error)


class GivenPhase(RegisteredCalibration):
    """Phase of the instrument that is known from elsewhere.

    X + iY is multiplied by exp(-i phase).
    """

    class Settings(CalibrationSettings):
        """The phase."""

        value: Angle = Field(description="The phase, 40deg.")
        value_error: Angle = Field(0.0, description="Standard error of the phase.")

    def _calibrate(self, inputs: Sequence[CurveSet], settings: Settings) -> Estimate:
        return given(settings.value, settings.value_error)


HARD_CONTACT_PHASE = HardContactPhase()
ELASTOMER_PHASE = ElastomerPhase()
GIVEN_PHASE = GivenPhase()
