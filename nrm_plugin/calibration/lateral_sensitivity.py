"""Lateral sensitivity, m of lateral tip motion per V: from a locked tip, or given.

A tip that sticks to the sample is moved by a known way x, and V is read: ``S_x = dV/dx``. Contact
and lever are springs in series, so that the lever twists by less than x:
``S_true = S_x (1 + k_lat / k_con)``, and the m/V that are wanted are 1 / S_true, *fewer* than
dx/dV. Force is then ``k_lat V / S_true``.

Two sensitivities are told apart. The **static** one is per V of a controller's friction channel,
the **lock-in** one per V at the lock-in's input; they differ by ``lateral_output_gain``. Only the
latter is ``lateral_sensitivity`` in the metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, isfinite
from typing import Annotated, Literal

from pydantic import Field

from nrm_plugin.calibration import CalibrationFailed, Estimate, lockin
from nrm_plugin.calibration.friction import (
    FEWEST,
    LoopShape,
    loops_from_curves,
    loops_from_images,
    shape_of,
)
from nrm_plugin.calibration.inputs import merged, require, stderr_of, without_errors
from nrm_plugin.calibration.lockin import needed
from nrm_plugin.calibration.shared_settings import (
    CalibrationSettings,
    ContactError,
    HardContactSettings,
    PerVolt,
    RegisteredCalibration,
    Stiffness,
)
from nrm_plugin.calibration.stick import bare, plateau
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.units import Unit
from nrm_plugin.vocabulary import missing_calibration

#: k_lat / k_con above which the correction for the contact is more than it is worth.
STIFFEST = 2.0


@dataclass(frozen=True, kw_only=True)
class LateralSensitivity:
    """Lateral motion of the tip per volt.

    Attributes
    ----------
    value, stderr : float
        m/V.
    of : str
        Whose volts: ``static`` (the controller's friction channel) or ``lock-in`` (its input).
    method : str
    notes : tuple of str
    """

    value: float
    stderr: float
    of: Literal["static", "lock-in"]
    method: str
    notes: tuple[str, ...] = ()

    def estimate(self, output_gain: float | None) -> Estimate:
        """Return ``lateral_sensitivity``, which is per V at the lock-in's input.

        Parameters
        ----------
        output_gain : float or None
            ``lateral_output_gain``: volts of the friction channel per volt at the lock-in. A
            static sensitivity is multiplied by it.

        Raises
        ------
        MissingCalibration
            For a static sensitivity without gain: it cannot be assumed to be 1.
        """
        if self.of == "lock-in":
            notes = (*self.notes, "per V at the lock-in's input")
            return Estimate(
                "lateral_sensitivity", self.value, self.stderr, self.method, notes=notes
            )
        if output_gain is None:
            raise missing_calibration(["lateral_output_gain"])
        note = (
            f"per V at the lock-in's input; per V of the friction channel (static) it is "
            f"{self.value:.4g} m/V, lateral_output_gain being {output_gain:g}"
        )
        return Estimate(
            "lateral_sensitivity",
            self.value * output_gain,
            self.stderr * output_gain,
            self.method,
            notes=(*self.notes, note),
        )


def mindlin_stiffness(
    load: float,
    radius: float,
    young: tuple[float, float],
    poisson: tuple[float, float],
    adhesion: float = 0.0,
) -> float:
    """Lateral stiffness in N/m of a contact that sticks: ``8 a G*`` (Mindlin 1949).

    With the contact radius of Hertz, ``a^3 = 3 R (F + F_adhesion) / 4 E*``;
    ``1/G* = sum (2 - nu)/G`` and ``1/E* = sum (1 - nu^2)/E`` over tip and sample.

    Parameters
    ----------
    load, adhesion : float
        N.
    radius : float
        Of the tip, m.
    young, poisson : (float, float)
        Of tip and sample; Pa.
    """
    pairs = list(zip(young, poisson, strict=True))
    reduced = 1.0 / sum((1.0 - nu**2) / e for e, nu in pairs)
    shear = 1.0 / sum((2.0 - nu) * 2.0 * (1.0 + nu) / e for e, nu in pairs)
    contact: float = (0.75 * radius * (load + adhesion) / reduced) ** (1.0 / 3.0)
    return 8.0 * contact * shear


def from_loops(
    shape: LoopShape,
    lateral_stiffness: float,
    contact_stiffness: float,
    *,
    lateral_stiffness_stderr: float = 0.0,
    contact_stiffness_stderr: float = 0.0,
) -> LateralSensitivity:
    """Static sensitivity from the stick part of friction loops.

    Parameters
    ----------
    shape : LoopShape
    lateral_stiffness, contact_stiffness : float
        k_lat of lever and tip, and k_con of the contact (`mindlin_stiffness`, or measured), N/m.

    Raises
    ------
    CalibrationFailed
        If the stick part is not resolved, or the lever is too stiff for the contact.
    """
    if not isfinite(shape.slope):
        raise CalibrationFailed(
            f"the stick part of the friction loop is {shape.stick_samples:.1f} samples long, "
            f"fewer than {FEWEST}, or the size of the image is not known: scan a shorter line "
            "with more samples"
        )
    if shape.slope <= 0.0:
        raise CalibrationFailed("the stick part of the friction loop does not rise")
    correction = _correction(lateral_stiffness, contact_stiffness)
    value = 1.0 / (shape.slope * correction)
    part = 1.0 - 1.0 / correction  # of the whole compliance that is the contact's
    ratios = (
        lateral_stiffness_stderr / lateral_stiffness,
        contact_stiffness_stderr / contact_stiffness if isfinite(contact_stiffness) else 0.0,
    )
    relative = hypot(shape.slope_stderr / shape.slope, part * hypot(*ratios))
    return LateralSensitivity(
        value=value,
        stderr=value * relative,
        of="static",
        method="locked tip: stick part of friction loops, S_true = S_x (1 + k_lat/k_con)",
        notes=(
            f"{shape.n_lines} lines, stick part of {shape.stick_samples:.1f} samples, "
            f"S_x = {shape.slope:.4g} V/m",
            f"1 + k_lat/k_con = {correction:.3f}",
        ),
    )


def from_hard_contact(
    curves: CurveSet,
    *,
    contact_stiffness: float | None = None,
    contact_stiffness_stderr: float = 0.0,
    third_harmonic: str | None = None,
) -> LateralSensitivity:
    """Lock-in sensitivity from the dither on a hard sample, of known amplitude.

    ``A / V_peak``, with V_peak extrapolated to an infinitely stiff contact, or corrected by a
    given contact stiffness and ``lateral_stiffness``.

    Parameters
    ----------
    curves : CurveSet
        Approaches onto a bare, hard sample; ``dither_amplitude`` (peak) and
        ``lockin_convention`` in the metadata.
    contact_stiffness, contact_stiffness_stderr : float, optional
        N/m, at the loads of the wall.
    third_harmonic : str, optional
        See `stick.plateau`.

    Raises
    ------
    MissingCalibration
        Naming all that is missing.
    CalibrationFailed
        If the tip does not stick.
    InvalidInput
        If the lateral signal is in N already.
    """
    keys = [*needed(curves), "dither_amplitude", "lockin_convention"]
    known = require(curves, *keys, *(["lateral_stiffness"] if contact_stiffness else []))
    other = "Use friction loops, the wedge method, or a given sensitivity instead"
    result = bare(plateau(curves, alternative=other, third_harmonic=third_harmonic), other)
    if result.unit != "V":
        raise InvalidInput("the lateral signal is in N; it needs no sensitivity")
    volts, error = result.rigid, result.rigid_stderr / result.rigid
    note = f"contact's compliance extrapolated away: factor {result.rigid / result.amplitude:.3f}"
    if contact_stiffness:
        correction = _correction(known["lateral_stiffness"], contact_stiffness)
        volts = result.amplitude * correction
        part = 1.0 - 1.0 / correction
        doubt = hypot(
            contact_stiffness_stderr / contact_stiffness, stderr_of(curves, "lateral_stiffness")
        )
        error = hypot(result.amplitude_stderr / result.amplitude, part * doubt)
        note = f"1 + k_lat/k_con = {correction:.3f}"
    peak = volts * lockin.peak_factor(curves.metadata["lockin_convention"])
    value = known["dither_amplitude"] / peak
    relative = hypot(error, stderr_of(curves, "dither_amplitude"))
    method = "locked tip: dither amplitude over lock-in signal in hard contact"
    return LateralSensitivity(
        value=value,
        stderr=value * relative,
        of="lock-in",
        method=method,
        notes=(*result.notes, note, *without_errors(curves, "dither_amplitude")),
    )


def given(value: float, stderr: float, of: Literal["static", "lock-in"]) -> LateralSensitivity:
    """Return a sensitivity in m/V that is known from elsewhere.

    Raises
    ------
    InvalidInput
        If it is not positive.
    """
    if not (isfinite(value) and value > 0.0 and stderr >= 0.0):
        raise InvalidInput(f"a lateral sensitivity is a positive number in m/V, not {value!r}")
    return LateralSensitivity(value=value, stderr=stderr, of=of, method="given")


def _correction(lateral_stiffness: float, contact_stiffness: float) -> float:
    """1 + k_lat / k_con."""
    if lateral_stiffness <= 0.0 or contact_stiffness <= 0.0:
        raise InvalidInput("stiffnesses are positive")
    ratio = lateral_stiffness / contact_stiffness
    if ratio > STIFFEST:
        raise CalibrationFailed(
            f"the lever is too stiff for this contact: k_lat/k_con = {ratio:.2g}, so that most of "
            "the motion is the contact's. Use a softer lever, more load, or a stiffer sample; or "
            "the wedge method, which needs neither"
        )
    return 1.0 + ratio


def per_lockin_volt(sensitivity: LateralSensitivity, curves: CurveSet) -> Estimate:
    """``lateral_sensitivity`` with the output gain that the curves' metadata have.

    Raises
    ------
    MissingCalibration
    """
    return sensitivity.estimate(curves.metadata.get("lateral_output_gain"))


def stiffness_of(curves: CurveSet) -> tuple[float, float]:
    """Known lateral stiffness (N/m) and its standard error, for a static sensitivity.

    Raises
    ------
    MissingCalibration
        Without it or the output gain.
    """
    stiffness = require(curves, "lateral_stiffness", "lateral_output_gain")["lateral_stiffness"]
    return stiffness, stiffness * stderr_of(curves, "lateral_stiffness")


class LockInCalibration(RegisteredCalibration):
    """Lateral sensitivity from the dither on a bare, hard sample, of known amplitude.

    FILEs are approaches onto the sample.
    """

    class Settings(HardContactSettings):
        """What is known of the contact."""

        contact_stiffness: Stiffness | None = Field(
            None,
            description="Lateral stiffness of the contact, 100N/m; by default it is extrapolated "
            "away.",
        )
        contact_stiffness_error: ContactError = 0.0

    def _calibrate(self, inputs: Sequence[CurveSet], settings: Settings) -> Estimate:
        curves = merged(inputs)
        sensitivity = from_hard_contact(
            curves,
            contact_stiffness=settings.contact_stiffness,
            contact_stiffness_stderr=settings.contact_stiffness_error,
            third_harmonic=settings.third_harmonic,
        )
        return per_lockin_volt(sensitivity, curves)


class LoopCalibration(RegisteredCalibration):
    """Lateral sensitivity from the stick part of friction loops.

    FILEs hold images with trace and retrace, or curves with a channel of the lateral position.
    """

    class Settings(CalibrationSettings):
        """The contact's stiffness, and which signal is the loop."""

        contact_stiffness: Stiffness = Field(
            description="Lateral stiffness of the contact, 100N/m, which shares the motion with "
            "the lever; inf neglects it."
        )
        contact_stiffness_error: ContactError = 0.0
        signal: str = Field(
            "Friction", description="Images with trace and retrace, or a channel of curves."
        )
        position: str | None = Field(
            None, description="Channel of curves with the lateral position, instead of images."
        )
        limit: Annotated[float, Unit("V")] | None = Field(
            None, description="Where the detector stops, 10V."
        )

    def _calibrate(self, inputs: Sequence[CurveSet], settings: Settings) -> Estimate:
        curves = merged(inputs)
        stiffness, error = stiffness_of(curves)
        loops = (
            loops_from_images(curves.images, settings.signal)
            if settings.position is None
            else loops_from_curves(curves, settings.position, settings.signal)
        )
        sensitivity = from_loops(
            shape_of(loops, settings.limit),
            stiffness,
            settings.contact_stiffness,
            lateral_stiffness_stderr=error,
            contact_stiffness_stderr=settings.contact_stiffness_error,
        )
        return per_lockin_volt(sensitivity, curves)


class GivenSensitivity(RegisteredCalibration):
    """Lateral sensitivity that is known from elsewhere."""

    class Settings(CalibrationSettings):
        """The sensitivity."""

        value: PerVolt = Field(description="The sensitivity, '300 nm/V'.")
        value_error: PerVolt = Field(0.0, description="Standard error of the sensitivity.")
        of: Literal["lock-in", "static"] = Field(
            description="Per volt at the lock-in's input, or of the friction channel."
        )

    def _calibrate(self, inputs: Sequence[CurveSet], settings: Settings) -> Estimate:
        return per_lockin_volt(
            given(settings.value, settings.value_error, settings.of), merged(inputs)
        )


LOCK_IN = LockInCalibration()
LOOP = LoopCalibration()
GIVEN_SENSITIVITY = GivenSensitivity()
