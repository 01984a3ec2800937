"""The names that everything in this package uses: channels, metadata, curve table, segments.

One table each, with unit, meaning and the range in which a value is believable. SI throughout.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from nrm_plugin.errors import InvalidInput, MissingCalibration

SegmentKind = Literal["approach", "hold", "retract", "modulation", "other"]
SEGMENT_KINDS: tuple[SegmentKind, ...] = ("approach", "hold", "retract", "modulation", "other")


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a channel or a column of the curve table holds.

    Attributes
    ----------
    units : tuple of str
        The SI units it may have; the first is the usual one.
    meaning : str
    limit : float
        Largest believable magnitude in any of the units. A larger one is a mistake of units.
    """

    units: tuple[str, ...]
    meaning: str
    limit: float = math.inf


CHANNELS: dict[str, Quantity] = {
    "time": Quantity(("s",), "time since the curve's first sample", 1e7),
    "height": Quantity(("m",), "height of the cantilever's base, larger = farther away", 1e-2),
    "height_sensor": Quantity(("m",), "height as the z sensor measured it", 1e-2),
    "height_commanded": Quantity(("m",), "height as the controller commanded it", 1e-2),
    "deflection": Quantity(("V", "m"), "deflection, larger = more repulsive", 1e3),
    "force_normal": Quantity(("N",), "normal force, positive = repulsive", 1e-3),
    "lateral_in_phase": Quantity(("V", "N"), "in-phase lateral signal at the lock-in's input", 1e3),
    "lateral_quadrature": Quantity(
        ("V", "N"), "out-of-phase lateral signal at the lock-in's input", 1e3
    ),
    "lockin_output_x": Quantity(("V",), "voltage at the lock-in's X (CH1) output", 1e2),
    "lockin_output_y": Quantity(("V",), "voltage at the lock-in's Y (CH2) output", 1e2),
    "lateral_amplitude": Quantity(("V", "N"), "amplitude of the lateral signal", 1e3),
    "lateral_phase": Quantity(("rad",), "phase of the lateral signal", 1e4),
    "lateral": Quantity(("V", "N"), "static lateral signal: torsion, friction", 1e3),
    "potential": Quantity(("V",), "electrode potential", 1e3),
    "current": Quantity(("A",), "current", 1e3),
}

COLUMNS: dict[str, Quantity] = {
    "x": Quantity(("m",), "position along the fast scan axis", 1.0),
    "y": Quantity(("m",), "position along the slow scan axis", 1.0),
    "row": Quantity(("",), "row in the grid, row 0 has the smallest y; -1 without a grid"),
    "column": Quantity(("",), "column in the grid; -1 without a grid"),
    "location": Quantity(("",), "number of the place; curves at one place share it"),
    "start_time": Quantity(("",), "when the curve began, by the instrument's own clock"),
    "start_time_source": Quantity(("",), "where the start time comes from"),
    "start_time_uncertainty": Quantity(("s",), "how far the start time may be off"),
    "acquisition_order": Quantity(("",), "rank in time among the curves of its file, from 0"),
    "potential": Quantity(("V",), "electrode potential during the curve", 1e3),
    "potential_uncertainty": Quantity(("V",), "how far the potential may be off", 1e3),
    "potential_blur": Quantity(("V",), "change of the potential during the curve", 1e3),
    "current": Quantity(("A",), "current at the electrode during the curve", 1e3),
    "charge_passed": Quantity(("C",), "charge that the potentiostat had counted", 1e9),
    "sweep": Quantity(("",), "+1 anodic (rising), -1 cathodic (falling), 0 unknown"),
    "cycle": Quantity(("",), "number of the electrochemical cycle; -1 unknown"),
    "source": Quantity(("",), "number of the source file"),
    "source_curve": Quantity(
        ("",), "number of the curve in its source file, where some are missing"
    ),
}

#: Names beside the channels in the common file, which a channel cannot have.
RESERVED = frozenset(COLUMNS) - frozenset(CHANNELS) | {"row_size", "curve", "sample"}

#: Where a start time can come from, best first.
START_TIME_SOURCES = (
    "time_channel",
    "point_time",
    "file_date",
    "file_date_and_order",
    "given",
    "unknown",
)


@dataclass(frozen=True, slots=True)
class Key:
    """A metadata key: its unit, meaning, and the values that make sense.

    Where the sign is free, `low` and `high` bound the magnitude; `choices` are the only values.
    """

    unit: str
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    _: KW_ONLY
    words: tuple[str, ...] = ()
    choices: tuple[float, ...] = ()
    text: bool = False
    signed: bool = False

    def check(self, name: str, value: object) -> float | str | bool:
        """Return `value` as the key's type.

        Raises
        ------
        InvalidInput
            If it has another type or lies outside the key's range.
        """
        if name == "simulated":
            if isinstance(value, str):
                value = {
                    "true": True,
                    "yes": True,
                    "1": True,
                    "false": False,
                    "no": False,
                    "0": False,
                }.get(value.lower())
            if value not in (True, False):
                raise InvalidInput(f"{name} is true or false")
            return bool(value)
        if self.words or self.text:
            if self.words and isinstance(value, str):
                value = value.lower()
            if not isinstance(value, str) or (self.words and value not in self.words):
                wanted = " or ".join(self.words) or "text"
                raise InvalidInput(f"{name} is {wanted}, not {value!r}")
            return value
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise InvalidInput(f"{name} is a number in {self.unit or '1'}, not {value!r}") from None
        if self.choices and number not in self.choices:
            *first, last = (f"{choice:g}" for choice in self.choices)
            raise InvalidInput(
                f"{name} is {', '.join(first)} or {last}, not {number:g} ({self.meaning})"
            )
        size = abs(number) if self.signed else number
        if not (math.isfinite(number) and self.low <= size <= self.high):
            if self.unit == "rad":
                low, high = (f"{math.degrees(end):.4g}°" for end in (self.low, self.high))
                raise InvalidInput(
                    f"{name} = {number:g} rad ({math.degrees(number):.5g}°) is not believable "
                    f"({self.meaning}: from {low} to {high}); an angle without a unit is in "
                    f"radians: if degrees are meant, write {number:g} deg"
                )
            raise InvalidInput(
                f"{name} = {number:g} {self.unit}".rstrip()
                + f" is not believable ({self.meaning}: from {self.low:g} to {self.high:g})"
            )
        return number


_POSITIVE = 1e-30

#: Expand factors that lock-ins with an expanded output have (SR830 manual, "Output offset and
#: expand").
EXPANDS = (1.0, 10.0, 100.0)

METADATA: dict[str, Key] = {
    "dither_amplitude": Key("m", "lateral motion of the sample, peak", 1e-13, 1e-7),
    "dither_frequency": Key("Hz", "frequency of the lateral motion", 1e-3, 1e7),
    "lockin_convention": Key("", "what the lock-in's numbers are", words=("rms", "peak")),
    "lockin_sensitivity": Key("V", "full-scale sensitivity of the lock-in", 1e-10, 1e2),
    "lockin_expand_x": Key("", "expand factor of the X output", choices=EXPANDS),
    "lockin_expand_y": Key("", "expand factor of the Y output", choices=EXPANDS),
    "lockin_offset_x": Key("", "offset of the X output as a fraction of full scale", -10, 10),
    "lockin_offset_y": Key("", "offset of the Y output as a fraction of full scale", -10, 10),
    "lockin_time_constant": Key("s", "time constant of the lock-in", 1e-9, 1e5),
    "lockin_poles": Key("", "number of poles of the lock-in's filter", 1, 8),
    "lockin_lag": Key(
        "s",
        "delay of X and Y against the other channels, where a filter's constants do not say it",
        0.0,
        1e5,
    ),
    "lateral_delay": Key(
        "s", "time by which the raw lateral signal was taken later than its reference", -1.0, 1.0
    ),
    "lockin_noise_bandwidth": Key("Hz", "equivalent noise bandwidth of the lock-in", 1e-6, 1e7),
    "lockin_filter": Key("", "filter of a digital lock-in", text=True),
    "lockin_intermodulation": Key("", "lines that the dither's tones make together", text=True),
    "lockin_phase": Key("rad", "phase of the instrument", -2 * math.pi, 2 * math.pi),
    "spring_constant": Key("N/m", "spring constant of the cantilever", 1e-6, 1e5),
    "deflection_sensitivity": Key(
        "m/V", "deflection per volt of the detector", 1e-12, 1e-3, signed=True
    ),
    "lateral_sensitivity": Key("m/V", "lateral motion per volt of the detector", 1e-13, 1e-2),
    "lateral_stiffness": Key("N/m", "lateral stiffness of cantilever and tip", 1e-6, 1e7),
    "poisson_ratio": Key("", "Poisson ratio of the layer", -1.0, 0.5),
    "shape_factor": Key("", "shape factor r_g of the tip in the layer", 1e-3, 1e3),
    "lateral_output_gain": Key(
        "", "volts of the lateral channel per volt at the lock-in", 1e-6, 1e6
    ),
    "dither_drive": Key("V", "sine that drives the dither", 1e-9, 1e3),
    "dither_drive_convention": Key("", "what dither_drive is", words=("rms", "peak")),
    "dither_sensitivity": Key("m/V", "motion per volt of the dither's drive", 1e-13, 1e-3),
    "dither_response": Key("", "motion at the dither frequency over that at rest", 1e-6, 1e6),
    "cantilever_length": Key("m", "length of the cantilever", 1e-6, 1e-2),
    "cantilever_width": Key("m", "width of the cantilever", 1e-7, 1e-2),
    "cantilever_thickness": Key("m", "thickness of the cantilever", 1e-8, 1e-3),
    "cantilever_orientation": Key(
        "", "crystal direction along a silicon cantilever", words=("110", "100", "isotropic")
    ),
    "cantilever_resonance": Key("Hz", "first flexural resonance in the fluid", 1e1, 1e8),
    "cantilever_quality_factor": Key("", "quality factor of that resonance", 0.1, 1e7),
    "fluid_density": Key("kg/m^3", "density of the fluid at the calibration", 1e-6, 1e5),
    "fluid_viscosity": Key("Pa*s", "viscosity of the fluid at the calibration", 1e-8, 1e3),
    "temperature": Key("K", "temperature", 1.0, 2000.0),
    "tip_height": Key("m", "height of the tip, from the cantilever's surface", 1e-8, 1e-3),
    "tip_setback": Key("m", "distance of the tip from the cantilever's end", 0.0, 1e-3),
    "tip_radius": Key("m", "radius of the tip's end", 1e-10, 1e-4),
    "tip_half_angle": Key("rad", "half of the tip's opening angle", 0.0, 1.5),
    "electrode": Key("", "electrode material", text=True),
    "electrolyte": Key("", "electrolyte", text=True),
    "reference_electrode": Key("", "electrode that potentials are given against", text=True),
    "reference_potential": Key(
        "V", "potential of the reference electrode against the metal's, added", -100.0, 100.0
    ),
    "potential_gain": Key("", "volts at the electrode per recorded volt", 1e-6, 1e6, signed=True),
    "potential_offset": Key("V", "added to the recorded potential, after the gain", -1e3, 1e3),
    "clock_offset": Key(
        "s", "added to the potentiostat's times to have the microscope's", -1e9, 1e9
    ),
    "time_zone": Key("", "time zone of the microscope's clock, as Europe/London", text=True),
    "potential_source": Key("", "where the electrode potential comes from", text=True),
    "sweep_rate": Key("V/s", "rate of the potential's sweep, as the log says it", 0.0, 1e6),
    "ohmic_resistance": Key("ohm", "resistance of the electrolyte, as the log says it", 0.0, 1e12),
    "ohmic_compensation": Key(
        "", "part of the ohmic drop that the potentiostat compensated", 0.0, 2.0
    ),
    "ramp_size": Key("m", "length of the commanded ramp", _POSITIVE, 1e-2),
    "ramp_rate": Key("Hz", "approach and retract cycles per second", _POSITIVE, 1e6),
    "approach_speed": Key("m/s", "speed of the approach", _POSITIVE, 1.0),
    "retract_speed": Key("m/s", "speed of the retract", _POSITIVE, 1.0),
    "hold_time": Key("s", "time between approach and retract", 0.0, 1e6),
    "trigger_threshold": Key("V", "deflection at which the approach was to turn", -1e3, 1e3),
    "trigger_mode": Key("", "whether the threshold counts from the baseline", text=True),
    "peakforce_amplitude": Key("m", "amplitude of the PeakForce motion, peak", _POSITIVE, 1e-4),
    "peakforce_frequency": Key("Hz", "frequency of the PeakForce motion", _POSITIVE, 1e7),
    "scan_size": Key("m", "length of the scan's fast axis", 0.0, 1e-1),
    "scan_angle": Key("rad", "angle of the fast scan axis in the scanner's frame", -10.0, 10.0),
    "height_source": Key("", "what height is", words=("sensor", "commanded", "given")),
    "start_time": Key("", "date of the file by the instrument's own clock, ISO 8601", text=True),
    "instrument": Key("", "microscope", text=True),
    "scanner": Key("", "scanner", text=True),
    "software_version": Key("", "version of the instrument's software", text=True),
    "operating_mode": Key("", "mode the instrument was in", text=True),
    "title": Key("", "title", text=True),
    "comment": Key("", "comment", text=True),
    "markers": Key("", "remarks made while it was recorded, one line each", text=True),
    "simulated": Key("", "true where a simulator made the data"),
}


#: Calibrated values. Beside each are kept, under its key with these endings, the standard error
#: (absent where it is unknown), the method, the measurement's file, and the day.
CALIBRATED = (
    "spring_constant",
    "deflection_sensitivity",
    "lateral_sensitivity",
    "lateral_stiffness",
    "dither_amplitude",
    "lockin_phase",
    "shape_factor",
    "dither_response",
    "cantilever_resonance",
    "cantilever_quality_factor",
)
BESIDE = ("stderr", "method", "file", "date")
METADATA |= {
    f"{name}_{what}": key
    for name in CALIBRATED
    for what, key in {
        "stderr": Key(METADATA[name].unit, f"standard error of {name}", 0.0),
        "method": Key("", f"how {name} was found", text=True),
        "file": Key("", f"file of the measurement that gave {name}", text=True),
        "date": Key("", f"day of that measurement, or of the calculation of {name}", text=True),
    }.items()
}

#: Characters of a method that reads well with "of" and a file behind it.
_SHORT = 20

_BASE = {f"{name}_{what}": name for name in CALIBRATED for what in BESIDE}


def calibrated_by(key: str) -> str:
    """Return the calibrated value that a key stands beside, empty if it stands for itself.

    Examples
    --------
    >>> calibrated_by("spring_constant_method"), calibrated_by("spring_constant")
    ('spring_constant', '')
    """
    return _BASE.get(key, "")


def where_from(key: str, metadata: Mapping[str, object], source: str) -> str:
    """Where a value comes from: the calibration that gave it, else `source`.

    Examples
    --------
    >>> known = {"spring_constant_method": "thermal tune", "spring_constant_file": "cal.ibw"}
    >>> where_from("spring_constant", known, "experiment file my.toml")
    'thermal tune of cal.ibw'
    """
    method, file, date = (str(metadata.get(f"{key}_{what}", "")).strip() for what in BESIDE[1:])
    short = len(method) < _SHORT
    how = f"{method or 'calibration'}{' of ' if short else ', '}{file}" if file else method
    return ", ".join(part for part in (how or source, date) if part)


#: Pairs of channels that hold the lateral lock-in signal, best first.
LATERAL_PAIRS = (
    ("lateral_in_phase", "lateral_quadrature"),
    ("lateral_amplitude", "lateral_phase"),
    ("lockin_output_x", "lockin_output_y"),
)


def missing_calibration(keys: str | Iterable[str]) -> MissingCalibration:
    """Return the error for metadata keys that are needed and missing, with what they mean."""
    keys = (keys,) if isinstance(keys, str) else tuple(keys)
    meanings = {
        name: f"{METADATA[name].meaning}; in {METADATA[name].unit or 'no unit'}"
        for name in keys
        if name in METADATA
    }
    return MissingCalibration(keys, meanings)


def nearest(name: str, known: Iterable[str]) -> str:
    """`` Did you mean X?`` for a misspelt name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""


def slug(text: str) -> str:
    """Turn a vendor's channel name into a name for a column: lower case, words joined by ``_``.

    Examples
    --------
    >>> slug("Height Sensor (closed loop)")
    'height_sensor_closed_loop'
    """
    name = re.sub(r"[^0-9a-z]+", "_", text.lower()).strip("_")[:60].strip("_")
    return name or "channel"


def check_name(name: object, what: str) -> None:
    """Raise `InvalidInput` for a name that a file cannot hold.

    Letters, digits and ``_`` are what NeXus allows and every program can type.
    """
    if not (isinstance(name, str) and re.fullmatch(r"[0-9A-Za-z_]{1,63}", name)):
        raise InvalidInput(f"{name!r} is no name for a {what}; use {slug(str(name))!r}")
    if what == "channel" and name in RESERVED:
        raise InvalidInput(f"a channel cannot be called {name!r}: the curve table uses that name")


def own_slug(text: str, vendor: str) -> str:
    """Return a slug that cannot be taken for a canonical channel.

    Vendors call many things *Potential* or *Current*; those keep the vendor's name in front.
    """
    name = slug(text)
    return f"{vendor}_{name}" if name in CHANNELS or name in RESERVED else name
