"""Where each value stands in an experiment file: section and key, for every metadata key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nrm_plugin.vocabulary import BESIDE, CALIBRATED, METADATA

#: What moduli stand or fall with, in the order in which a template asks for it, and what a wrong
#: value does. These keys stand above all sections, under their own names.
FIRST: dict[str, str] = {
    "dither_amplitude": "10 nm for 1 nm makes E' and E'' 10 times too small; rms for the peak, "
    "1.41 times too large",
    "lockin_convention": "peak for rms makes E' and E'' 1.41 times too small",
    "lockin_phase": "E' and E'' mix: without 25 deg 7.2 + 2.0i MPa become 5.7 + 4.7i, with -25 deg "
    "3.1 + 6.8i",
    "lockin_sensitivity": "200 mV for 20 mV makes E' and E'' 10 times too large",
    "lateral_sensitivity": "E' and E'' go with it; that of air in liquid, or of a soft contact, is "
    "1.4 times too large",
    "lateral_stiffness": "20 % too large makes E' and E'' of a soft layer 20 % too large",
    "spring_constant": "normal forces go with it, and so does a lateral stiffness computed from it",
    "tip_radius": "without it only the paper's r_g of 1.25; finite elements give E' 3 times as "
    "large for 10 nm in 100 nm",
}

#: The sections in their order, and what is said above each.
SECTIONS: dict[str, str] = {
    "measurement": "What was measured, with what.",
    "channels": "What each recorded signal is.",
    "lock_in": "The lock-in amplifier, as it was set during the measurement.",
    "dither": "The lateral motion of the sample.",
    "cantilever": "The cantilever and its stiffness.",
    "calibration": "From volts to metres.",
    "tip": "The tip.",
    "layer": "The layer on the electrode.",
    "electrolyte": "The electrolyte.",
    "electrode": "The electrode.",
    "potential": "The electrode potential.",
    "notes": "Whatever else is worth keeping.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key of the file.

    Attributes
    ----------
    section, name : str
        Its place in the file.
    key : str
        The metadata key it stands for.
    unit : str
        The unit that a person would write, for the template.
    use : str
        What it is good for, or how to get it.
    varies : bool
        Whether each file of an experiment has a value of its own.
    """

    section: str
    name: str
    key: str
    unit: str = ""
    use: str = ""
    varies: bool = False

    @property
    def place(self) -> str:
        """The place in words: ``[tip] radius``."""
        return f"[{self.section}] {self.name}"


def _section(
    section: str, *rows: tuple[str, str, str, str], varies: bool = False
) -> Iterator[Entry]:
    """Entries of a section, each calibrated value with what is kept beside it."""
    for name, key, unit, use in rows:
        yield Entry(section=section, name=name, key=key, unit=unit, use=use, varies=varies)
        for what in BESIDE if key in CALIBRATED else ():
            yield Entry(
                section=section,
                name=f"{name}_{what}",
                key=f"{key}_{what}",
                unit=unit if what == "stderr" else "",
                use=METADATA[f"{key}_{what}"].meaning,
            )


_SADER = "nrm calibrate sader"
_LATERAL = "nrm calibrate lateral"
_DITHER = "nrm calibrate dither"

ENTRIES: tuple[Entry, ...] = (
    *_section(
        "measurement",
        ("title", "title", "", ""),
        ("instrument", "instrument", "", ""),
        ("scanner", "scanner", "", ""),
        ("ramp_size", "ramp_size", "um", ""),
        ("ramp_rate", "ramp_rate", "Hz", ""),
        ("approach_speed", "approach_speed", "um/s", ""),
        ("retract_speed", "retract_speed", "um/s", ""),
        ("hold_time", "hold_time", "s", ""),
        ("trigger_threshold", "trigger_threshold", "V", ""),
        ("trigger_mode", "trigger_mode", "", ""),
        varies=True,
    ),
    *_section("measurement", ("temperature", "temperature", "K", "for nrm calibrate thermal")),
    *_section(
        "lock_in",
        ("convention", "lockin_convention", "", ""),
        ("sensitivity", "lockin_sensitivity", "mV", ""),
        ("expand_x", "lockin_expand_x", "", "1 = off"),
        ("expand_y", "lockin_expand_y", "", "1 = off"),
        ("offset_x", "lockin_offset_x", "%", "0 = off"),
        ("offset_y", "lockin_offset_y", "%", "0 = off"),
        ("time_constant", "lockin_time_constant", "ms", "takes out the lag of the filter"),
        ("poles", "lockin_poles", "", "takes out the lag of the filter; 24 dB/oct is 4"),
        ("phase", "lockin_phase", "deg", "tells storage from loss; see nrm calibrate phase"),
    ),
    *_section(
        "dither",
        ("amplitude", "dither_amplitude", "nm", f"see {_DITHER}"),
        ("frequency", "dither_frequency", "kHz", "for the viscosity"),
        ("drive", "dither_drive", "V", f"for {_DITHER}"),
        ("drive_convention", "dither_drive_convention", "", f"for {_DITHER}"),
        ("sensitivity", "dither_sensitivity", "nm/V", f"for {_DITHER}"),
        ("response", "dither_response", "", f"for {_DITHER}"),
    ),
    *_section(
        "cantilever",
        ("spring_constant", "spring_constant", "N/m", "for the normal force"),
        ("lateral_stiffness", "lateral_stiffness", "N/m", f"see {_LATERAL}"),
        ("length", "cantilever_length", "um", f"for {_LATERAL}"),
        ("width", "cantilever_width", "um", f"for {_LATERAL}"),
        ("thickness", "cantilever_thickness", "um", f"for {_LATERAL}"),
        ("orientation", "cantilever_orientation", "", f"for {_LATERAL}"),
        ("resonance", "cantilever_resonance", "kHz", f"for {_SADER}"),
        ("quality_factor", "cantilever_quality_factor", "", f"for {_SADER}"),
    ),
    *_section(
        "calibration",
        (
            "deflection_sensitivity",
            "deflection_sensitivity",
            "nm/V",
            "see nrm calibrate deflection",
        ),
        ("lateral_sensitivity", "lateral_sensitivity", "nm/V", f"see {_LATERAL}"),
        ("lateral_output_gain", "lateral_output_gain", "", "if the lock-in saw another voltage"),
        ("fluid_density", "fluid_density", "kg/m^3", f"for {_SADER}"),
        ("fluid_viscosity", "fluid_viscosity", "mPa*s", f"for {_SADER}"),
    ),
    *_section(
        "tip",
        ("radius", "tip_radius", "nm", "for the shape factor"),
        ("half_angle", "tip_half_angle", "deg", "for the shape factor"),
        ("height", "tip_height", "um", f"for {_LATERAL}"),
        ("setback", "tip_setback", "um", f"for {_LATERAL}"),
        ("shape_factor", "shape_factor", "", "scales both moduli"),
    ),
    *_section("layer", ("poisson_ratio", "poisson_ratio", "", "0.5 if not given")),
    *_section("electrolyte", ("composition", "electrolyte", "", "for the report")),
    *_section("electrode", ("material", "electrode", "", "for the report")),
    *_section(
        "potential",
        ("reference", "reference_electrode", "", "for the report"),
        ("reference_potential", "reference_potential", "V", "e.g. against Na/Na+"),
        ("gain", "potential_gain", "", "of the monitor; -1 if its sign is inverted"),
        ("offset", "potential_offset", "V", "of the monitor"),
        ("clock_offset", "clock_offset", "s", "for nrm process --potential"),
        ("time_zone", "time_zone", "", "for nrm process --potential"),
    ),
    *_section("notes", ("comment", "comment", "", ""), varies=True),
)

#: Metadata that an experiment file does not hold, and why.
LEFT_OUT: dict[str, str] = {
    "start_time": "each file has its own date",
    "software_version": "the instrument knows it",
    "operating_mode": "the instrument knows it",
    "scan_size": "each file has its own scan",
    "scan_angle": "each file has its own scan",
    "peakforce_amplitude": "the commanded height of a capture is made of it when it is opened",
    "peakforce_frequency": "the times of a capture are made of it when it is opened",
    "height_source": "follows from the channels",
    "lockin_lag": "nrm lockin says it",
    "lateral_delay": "nrm acquire says it",
    "lockin_noise_bandwidth": "nrm lockin says it",
    "lockin_filter": "nrm lockin says it",
    "lockin_intermodulation": "nrm lockin says it",
    "markers": "they are made while a file is recorded",
    "potential_source": "nrm process says it, with the log's hash",
    "sweep_rate": "the potentiostat's log says it",
    "ohmic_resistance": "the potentiostat's log says it",
    "ohmic_compensation": "the potentiostat's log says it",
    "simulated": "a simulator says so, and nobody takes it back",
}

BY_KEY: dict[str, Entry] = {entry.key: entry for entry in ENTRIES}
BY_PLACE: dict[tuple[str, str], Entry] = {(e.section, e.name): e for e in ENTRIES}


def names_in(section: str) -> list[str]:
    """Keys of a section."""
    return [entry.name for entry in ENTRIES if entry.section == section]
