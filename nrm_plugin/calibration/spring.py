"""The spring constant: given, by Sader's method, or from thermal noise.

`thermal_tune` takes a `Spectrum`; see `nrm_plugin.calibration.spectrum` for how to get one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from nrm_plugin.calibration import CalibrationFailed, Estimate
from nrm_plugin.calibration.hydrodynamics import air, rectangular, reynolds
from nrm_plugin.calibration.inputs import merged, only_file
from nrm_plugin.calibration.oscillator import Oscillator, fit_oscillator
from nrm_plugin.calibration.shared_settings import (
    CalibrationSettings,
    Errors,
    Frequency,
    RegisteredCalibration,
)
from nrm_plugin.calibration.spectrum import Spectrum, from_curves, from_table
from nrm_plugin.delimited import TextTable
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.units import Unit
from nrm_plugin.vocabulary import METADATA, missing_calibration

BOLTZMANN = 1.380649e-23

#: First root of 1 + cos(a) cosh(a) = 0: the first mode of a clamped beam with a free end.
_ALPHA = 1.8751040687119611

#: ``k <x**2> / (k_B T)`` of the first mode's true displacement at the end: 12 / alpha**4 = 0.971.
DISPLACEMENT_FACTOR = 12.0 / _ALPHA**4


def _optical_lever_factor() -> float:
    """The same for what an optical lever shows, calibrated with a static load at the end: 0.817.

    Butt & Jaschke, Nanotechnology 6, 1 (1995), Eq. 20: a lever that follows slopes shows
    ``16 / (3 alpha**2) (sin sinh / (sin + sinh))**2`` of k_B T / k.
    """
    sine, hyperbolic = np.sin(_ALPHA), np.sinh(_ALPHA)
    return float(16.0 / (3.0 * _ALPHA**2) * (sine * hyperbolic / (sine + hyperbolic)) ** 2)


OPTICAL_LEVER_FACTOR = _optical_lever_factor()

#: Static over dynamic sensitivity of the optical lever, first mode: 1.09.
CHI = float(np.sqrt(DISPLACEMENT_FACTOR / OPTICAL_LEVER_FACTOR))

Detection = Literal["optical_lever", "displacement"]

#: A thermal tune whose own standard error is above this part of the result is refused.
_WORST = 0.2


def given(value: float, stderr: float | None = None) -> Estimate:
    """Return a spring constant that somebody else found, in N/m.

    Raises
    ------
    InvalidInput
        If it is not believable.
    """
    checked = METADATA["spring_constant"].check("spring_constant", value)
    notes = () if stderr is not None else ("no standard error was given; it counts as unknown",)
    error = float("nan") if stderr is None else _error("spring_constant", stderr)
    return Estimate("spring_constant", float(checked), error, "given", notes=notes)


def _error(name: str, stderr: float) -> float:
    if not (np.isfinite(stderr) and stderr >= 0.0):
        raise InvalidInput(f"the standard error of {name} is a number of 0 or more, not {stderr}")
    return float(stderr)


def at_tip(estimate: Estimate, length: float, setback: float) -> Estimate:
    """Spring constant at a tip that stands back from the end: ``k (L / (L - d))**3``.

    For spring constants of the cantilever's end (Sader, geometry). A thermal tune whose deflection
    sensitivity was measured with the tip itself has it already.

    Parameters
    ----------
    estimate : Estimate
        At the end, N/m.
    length, setback : float
        In m.
    """
    if not 0.0 <= setback < length / 2.0:
        raise InvalidInput(f"a tip cannot stand back {setback:g} m on a lever of {length:g} m")
    factor = (length / (length - setback)) ** 3
    note = f"at the tip, {setback:.3g} m from the end: times {factor:.4f}"
    return Estimate(
        estimate.key,
        estimate.value * factor,
        estimate.stderr * factor,
        estimate.method,
        notes=(*estimate.notes, note),
    )


def sader(
    length: float,
    width: float,
    resonance: float,
    quality_factor: float,
    fluid_density: float,
    fluid_viscosity: float,
    *,
    stderr: Mapping[str, float] | None = None,
) -> Estimate:
    """Spring constant of a rectangular cantilever from plan view, resonance and quality factor.

    ``k = 0.1906 rho w**2 L Q omega**2 Gamma_i(omega)``: Sader, Chon & Mulvaney, Rev. Sci. Instrum.
    70, 3967 (1999), with the hydrodynamic function of Sader 1998. It is the constant at the end.

    Parameters
    ----------
    length, width : float
        Plan view in m.
    resonance : float
        Of the first flexural mode in the fluid, Hz.
    quality_factor : float
        Of that resonance.
    fluid_density, fluid_viscosity : float
        In kg/m^3 and Pa s.
    stderr : mapping, optional
        Standard errors under the parameters' names, in their units.

    Returns
    -------
    Estimate
        ``spring_constant`` in N/m; the errors are propagated to first order, taken as independent.

    Raises
    ------
    InvalidInput
        For a value that is not believable in its unit.
    CalibrationFailed
        If the lever is not slender or the resonance too damped for the method.
    """
    given_values = {
        "length": (length, "cantilever_length"),
        "width": (width, "cantilever_width"),
        "resonance": (resonance, "cantilever_resonance"),
        "quality_factor": (quality_factor, "cantilever_quality_factor"),
        "fluid_density": (fluid_density, "fluid_density"),
        "fluid_viscosity": (fluid_viscosity, "fluid_viscosity"),
    }
    x = {name: float(METADATA[key].check(key, v)) for name, (v, key) in given_values.items()}
    if x["length"] < 3.0 * x["width"]:
        raise CalibrationFailed(
            f"length / width is {x['length'] / x['width']:.2g}: Sader's method for rectangular "
            "levers needs 3 or more; use a thermal tune"
        )
    if x["quality_factor"] < 2.0:
        raise CalibrationFailed(
            f"the quality factor {x['quality_factor']:.2g} is too low: Sader's method needs a "
            "resonance that is well above 1; measure it in air"
        )
    number = reynolds(x["fluid_density"], x["fluid_viscosity"], x["resonance"], x["width"])
    damping = rectangular(number).imag
    omega = 2.0 * np.pi * x["resonance"]
    value = (
        0.1906
        * x["fluid_density"]
        * x["width"] ** 2
        * x["length"]
        * x["quality_factor"]
        * omega**2
        * damping
    )
    # d ln(Gamma_i) / d ln(Re), which the other sensitivities contain.
    step = 1.001
    g = float(np.log(rectangular(number * step).imag / damping) / np.log(step))
    powers = {
        "length": 1.0,
        "width": 2.0 + 2.0 * g,
        "resonance": 2.0 + g,
        "quality_factor": 1.0,
        "fluid_density": 1.0 + g,
        "fluid_viscosity": -g,
    }
    errors = dict(stderr or {})
    unknown = [name for name in powers if name not in errors]
    if set(errors) - set(powers):
        raise InvalidInput(f"there is no {sorted(set(errors) - set(powers))} in Sader's method")
    relative = {n: powers[n] * _error(n, e) / x[n] for n, e in errors.items()}
    notes = [
        f"Reynolds number {number:.3g}, damping part of the hydrodynamic function {damping:.4g}",
        "constant at the lever's end, not at a tip that stands back",
    ]
    if x["quality_factor"] < 10.0:
        notes.append("the quality factor is below 10, where the method was not tested: use air")
    if unknown:
        notes.append(f"no standard error was given for {', '.join(unknown)}: not in this one")
    total = float(np.sqrt(sum(r * r for r in relative.values())))
    return Estimate(
        "spring_constant",
        value,
        value * total if relative else float("nan"),
        "Sader's method (Rev. Sci. Instrum. 70, 3967)",
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class ThermalTune:
    """What a thermal spectrum says of a cantilever.

    Attributes
    ----------
    spring_constant, resonance, quality_factor : Estimate
    oscillator : Oscillator
        The fit, in the spectrum's unit.
    """

    spring_constant: Estimate
    resonance: Estimate
    quality_factor: Estimate
    oscillator: Oscillator

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """All three."""
        return self.spring_constant, self.resonance, self.quality_factor


def thermal_tune(
    spectrum: Spectrum,
    temperature: float | None,
    *,
    deflection_sensitivity: float | None = None,
    deflection_sensitivity_stderr: float = 0.0,
    temperature_stderr: float = 0.0,
    detection: Detection = "optical_lever",
    expected: float | None = None,
    band: tuple[float, float] | None = None,
) -> ThermalTune:
    """Spring constant from the thermal noise of the first flexural mode.

    ``k = c k_B T / P`` with P the mean square of the mode, the area of a harmonic oscillator fitted
    to the spectrum. c is 0.817 for an optical lever whose sensitivity was measured with a static
    load at the end, as on the wall of force curves; in it, the mode's own factor 0.971 is
    divided by 1.09 squared, as a lever that follows slopes shows a vibrating beam differently from
    a bent one. c is 0.971 where the end's displacement itself is measured (interferometer,
    vibrometer, or a sensitivity already multiplied by 1.09). Butt & Jaschke, Nanotechnology 6, 1
    (1995); both for the first mode of a rectangular lever with a small spot at its end.

    Parameters
    ----------
    spectrum : Spectrum
        In V^2/Hz or m^2/Hz, one-sided.
    temperature : float
        In K.
    deflection_sensitivity, deflection_sensitivity_stderr : float, optional
        In m/V; needed for a spectrum in V^2/Hz. For one in m^2/Hz, give the standard error as a
        fraction by scaling it to a sensitivity of 1.
    temperature_stderr : float
        In K.
    detection : {"optical_lever", "displacement"}
    expected : float, optional
        Rough resonance in Hz; a peak that is not within a third of it is refused.
    band : (float, float), optional
        Frequencies in Hz to fit, instead of a window found around the peak.

    Raises
    ------
    MissingCalibration
        Without temperature or, for volts, the sensitivity.
    CalibrationFailed
        If there is no peak, it is not resolved, cut off or aliased, not that of one oscillator, or
        the averages are too few for a result within 20 %.
    InvalidInput
        For a value that is not believable.
    """
    if temperature is None:
        raise missing_calibration("temperature")
    kelvin = float(METADATA["temperature"].check("temperature", temperature))
    if spectrum.unit == "V^2/Hz":
        if deflection_sensitivity is None:
            raise missing_calibration("deflection_sensitivity")
        key = METADATA["deflection_sensitivity"]
        per_volt = float(key.check("deflection_sensitivity", deflection_sensitivity))
    else:
        per_volt = 1.0 if deflection_sensitivity is None else float(deflection_sensitivity)
        if per_volt != 1.0:
            raise InvalidInput("a spectrum in m^2/Hz needs no deflection sensitivity")
    factors = {"optical_lever": OPTICAL_LEVER_FACTOR, "displacement": DISPLACEMENT_FACTOR}
    if detection not in factors:
        raise InvalidInput(f"detection is {' or '.join(factors)}, not {detection!r}")
    fit = fit_oscillator(spectrum, expected=expected, band=band)
    if fit.power_stderr > _WORST * fit.power:
        raise CalibrationFailed(
            f"too few averages: the peak's area is known to {fit.power_stderr / fit.power:.0%} "
            "only; record for longer or average more spectra"
        )
    value = factors[detection] * BOLTZMANN * kelvin / (fit.power * per_volt**2)
    parts = {
        "fit": fit.power_stderr / fit.power,
        "deflection sensitivity": 2.0
        * _error("deflection_sensitivity", deflection_sensitivity_stderr)
        / per_volt,
        "temperature": _error("temperature", temperature_stderr) / kelvin,
    }
    notes = [
        f"factor {factors[detection]:.3f} ({detection.replace('_', ' ')}), T = {kelvin:.1f} K",
        "relative standard error: " + ", ".join(f"{n} {v:.2%}" for n, v in parts.items()),
        *fit.notes,
    ]
    if not parts["deflection sensitivity"]:
        notes.append("the error of the deflection sensitivity counts twice and is not in this one")
    error = value * float(np.sqrt(sum(v * v for v in parts.values())))
    method = "thermal noise, harmonic oscillator (Nanotechnology 6, 1)"
    return ThermalTune(
        Estimate("spring_constant", value, error, method, notes=tuple(notes)),
        Estimate("cantilever_resonance", fit.frequency, fit.frequency_stderr, method),
        Estimate("cantilever_quality_factor", fit.quality, fit.quality_stderr, method),
        fit,
    )


_SADER = {
    "cantilever_length": "length",
    "cantilever_width": "width",
    "cantilever_resonance": "resonance",
    "cantilever_quality_factor": "quality_factor",
    "fluid_density": "fluid_density",
    "fluid_viscosity": "fluid_viscosity",
}


class SaderCalibration(RegisteredCalibration):
    """Spring constant of a rectangular cantilever by Sader's method.

    Needed are cantilever_length, cantilever_width, cantilever_resonance, cantilever_quality_factor,
    fluid_density and fluid_viscosity, from FILEs, --experiment and --set, in rising order of rank.
    """

    class Settings(CalibrationSettings):
        """Fluid, place and standard errors."""

        fluid: Literal["air"] | None = Field(
            None, description="Take density and viscosity of air at the temperature and 1 atm."
        )
        at: Literal["end", "tip"] = Field(
            "end", description="Where the spring constant is to hold; tip needs tip_setback."
        )
        error: Errors = Field(
            default_factory=dict,
            description="Standard error of a known value, cantilever_width=0.5um; repeatable.",
        )

        @field_validator("error")
        @classmethod
        def _enters(cls, errors: dict[str, float]) -> dict[str, float]:
            other = sorted(set(errors) - set(_SADER))
            if other:
                raise ValueError(f"{other[0]} does not enter Sader's method")
            return errors

    def _calibrate(self, inputs: Sequence[CurveSet], settings: Settings) -> Estimate:
        metadata = dict(merged(inputs).metadata)
        if settings.fluid == "air":
            if "temperature" not in metadata:
                raise missing_calibration("temperature")
            metadata["fluid_density"], metadata["fluid_viscosity"] = air(metadata["temperature"])
        needed = [*_SADER, *(["tip_setback"] if settings.at == "tip" else [])]
        missing = [key for key in needed if key not in metadata]
        if missing:
            raise missing_calibration(missing)
        values = {name: float(metadata[key]) for key, name in _SADER.items()}
        stderr = {
            name: settings.error[key] for key, name in _SADER.items() if key in settings.error
        }
        estimate = sader(**values, stderr=stderr)
        if settings.at == "tip":
            estimate = at_tip(estimate, metadata["cantilever_length"], metadata["tip_setback"])
        return estimate


class ThermalCalibration(RegisteredCalibration):
    """Spring constant, resonance and quality factor from the thermal noise of a free cantilever.

    FILE is a table with titles and units, either 'frequency (Hz)' and 'psd (V^2/Hz)' or 'time (s)'
    and 'deflection (V)', or curves that recorded the deflection over time. Needed are the
    temperature and, for volts, the deflection_sensitivity.
    """

    needs = "table"

    class Settings(CalibrationSettings):
        """How the lever was seen, and what is fitted."""

        detection: Detection = Field(
            "optical_lever",
            description="optical_lever: sensitivity from the wall of force curves, factor 0.817. "
            "displacement: what an interferometer measures, factor 0.971.",
        )
        expected: Frequency | None = Field(
            None, description="Rough resonance, 70kHz; other peaks are left alone."
        )
        low: Frequency | None = Field(
            None,
            alias="from",
            description="Fit from here, instead of a window found around the peak.",
        )
        high: Frequency | None = Field(None, alias="to", description="Fit up to here.")
        temperature_error: Annotated[float, Unit("K")] = Field(
            0.0, description="Standard error of the temperature."
        )

    def _calibrate(
        self, inputs: Sequence[CurveSet | TextTable], settings: Settings
    ) -> tuple[Estimate, ...]:
        source = only_file(inputs, "a spectrum or a trace")
        spectrum = from_table(source) if isinstance(source, TextTable) else from_curves(source)
        metadata = merged(inputs).metadata
        in_volts = spectrum.unit == "V^2/Hz"
        band = None
        if settings.low is not None or settings.high is not None:
            last = float(spectrum.frequency[-1])
            band = (settings.low or 0.0, settings.high if settings.high is not None else last)
        return thermal_tune(
            spectrum,
            metadata.get("temperature"),
            deflection_sensitivity=metadata.get("deflection_sensitivity") if in_volts else None,
            deflection_sensitivity_stderr=(
                metadata.get("deflection_sensitivity_stderr", 0.0) if in_volts else 0.0
            ),
            temperature_stderr=settings.temperature_error,
            detection=settings.detection,
            expected=settings.expected,
            band=band,
        ).estimates


SADER = SaderCalibration()
THERMAL = ThermalCalibration()
