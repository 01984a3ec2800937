"""Amplitude of the dither, peak, in m: from its drive, or from hard contact."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from pydantic import Field

from nrm_plugin.calibration import Estimate, lockin
from nrm_plugin.calibration.inputs import merged, require, stderr_of, without_errors
from nrm_plugin.calibration.lockin import needed
from nrm_plugin.calibration.shared_settings import (
    CalibrationSettings,
    HardContactSettings,
    PerVolt,
    Pure,
    RegisteredCalibration,
)
from nrm_plugin.calibration.stick import bare, plateau
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

#: Metadata keys that `from_drive` needs.
DRIVE = ("dither_drive", "dither_drive_convention", "dither_sensitivity", "dither_response")


def from_drive(
    curves: CurveSet, *, sensitivity_stderr: float = 0.0, response_stderr: float = 0.0
) -> Estimate:
    """Amplitude from the sine that drives the dither.

    ``A = drive * sensitivity * response``, times the root of two if the drive is given as rms, as
    a lock-in's own sine output is. The response (motion at the dither frequency over that at
    rest) is never assumed: far below all resonances, give it as 1.

    Parameters
    ----------
    curves : CurveSet
        Of which the metadata are used.
    sensitivity_stderr : float
        Of ``dither_sensitivity``, m/V.
    response_stderr : float
        Of ``dither_response``.

    Raises
    ------
    MissingCalibration
        Naming all of `DRIVE` that are missing.
    """
    values = require(curves, *DRIVE)
    convention = curves.metadata["dither_drive_convention"]
    drive = values["dither_drive"] * lockin.peak_factor(convention)
    value = drive * values["dither_sensitivity"] * values["dither_response"]
    relative = hypot(
        sensitivity_stderr / values["dither_sensitivity"],
        response_stderr / values["dither_response"],
    )
    notes = [f"drive of {values['dither_drive']:g} V {convention} = {drive:.4g} V peak"]
    if not relative:
        notes.append("no error of sensitivity and response was given: the result has none either")
    return Estimate(
        "dither_amplitude",
        value,
        value * relative,
        "drive x sensitivity x response",
        notes=tuple(notes),
    )


def from_hard_contact(curves: CurveSet, *, third_harmonic: str | None = None) -> Estimate:
    """Amplitude from the plateau of a tip that sticks to a bare, hard sample.

    On an infinitely stiff contact the tip moves with the sample: ``A = V_peak *
    lateral_sensitivity``, or ``F_peak / lateral_stiffness`` for a signal in N. The signal is
    extrapolated to that, as contact and lever are springs in series.

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
    in_newtons = _unit(curves) == "N"
    scale = "lateral_stiffness" if in_newtons else "lateral_sensitivity"
    values = require(curves, *needed(curves), "lockin_convention", scale)
    other = "Take the amplitude from the drive instead (nm/V and frequency response)"
    result = bare(plateau(curves, alternative=other, third_harmonic=third_harmonic), other)
    convention = curves.metadata["lockin_convention"]
    peak = result.rigid * lockin.peak_factor(convention)
    value = peak / values[scale] if in_newtons else peak * values[scale]
    relative = hypot(result.rigid_stderr / result.rigid, stderr_of(curves, scale))
    return Estimate(
        "dither_amplitude",
        value,
        value * relative,
        "hard contact: lateral signal of a tip that sticks",
        notes=(
            *result.notes,
            f"contact's compliance extrapolated away: factor {result.rigid / result.amplitude:.3f}",
            f"lock-in values taken as {convention}",
            *without_errors(curves, scale),
        ),
    )


def _unit(curves: CurveSet) -> str:
    """Unit of the lateral signal.

    Raises
    ------
    InvalidInput
        If there is none.
    """
    for name in ("lateral_in_phase", "lateral_amplitude", "lockin_output_x"):
        if name in curves.channels:
            return curves.channels[name].unit
    raise InvalidInput(
        "the curves have no lateral lock-in signal; if one was recorded under another name, map "
        "it, for example to lockin_output_x"
    )


class DriveDither(RegisteredCalibration):
    """Amplitude of the dither, peak, from the sine that drives it.

    Needed are dither_drive, dither_drive_convention, dither_sensitivity and dither_response, from
    FILEs, --experiment and --set, in rising order of rank.
    """

    class Settings(CalibrationSettings):
        """Standard errors of what is multiplied."""

        sensitivity_error: PerVolt = Field(0.0, description="Standard error of dither_sensitivity.")
        response_error: Pure = Field(0.0, description="Standard error of dither_response.")

    def _calibrate(self, inputs: Sequence[CurveSet], settings: Settings) -> Estimate:
        return from_drive(
            merged(inputs),
            sensitivity_stderr=settings.sensitivity_error,
            response_stderr=settings.response_error,
        )


class HardContactDither(RegisteredCalibration):
    """Amplitude of the dither, peak, from the signal of a tip that sticks to a bare, hard sample.

    FILEs are approaches onto it, with the lock-in's signal and the lateral sensitivity.
    """

    Settings = HardContactSettings

    def _calibrate(self, inputs: Sequence[CurveSet], settings: HardContactSettings) -> Estimate:
        return from_hard_contact(merged(inputs), third_harmonic=settings.third_harmonic)


DRIVE_DITHER = DriveDither()
HARD_CONTACT_DITHER = HardContactDither()
