"""What an SR830 is set to: its tables, its settings as metadata of curves, what has changed.

A board records volts at the lock-in's outputs; only with sensitivity, expand and offset are they
volts at its input (see `nrm_plugin.calibration.lockin`). The settings are read from the instrument
(`nrm_daq.sr830`), or `given` by a configuration.

Source: Stanford Research Systems, *Model SR830 manual*, chapter 5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from nrm_plugin.errors import InvalidInput
from nrm_plugin.vocabulary import METADATA, nearest

#: Full scales in V rms, 2 nV to 1 V, by the number that ``SENS?`` answers.
SENSITIVITIES = tuple(float(f"{d}e{p}") for p in range(-9, 1) for d in (1, 2, 5))[1:-2]
#: Time constants in s, 10 us to 30 ks, by the number that ``OFLT?`` answers.
TIME_CONSTANTS = tuple(float(f"{d}e{p}") for p in range(-5, 5) for d in (1, 3))
#: Poles of the filter (6 dB per octave each), by the number that ``OFSL?`` answers.
POLES = (1, 2, 3, 4)
#: Expand factors, by the second number that ``OEXP?`` answers.
EXPANDS = (1.0, 10.0, 100.0)
#: What ``ISRC?`` answers; the last two differ in gain.
INPUTS = ("A", "A-B", "current", "current")

#: An external reference is measured, not set: smaller changes are no change.
FREQUENCY_TOLERANCE = 1e-3
#: Below this detection frequency in Hz the synchronous filter works.
SYNCHRONOUS_BELOW = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a lock-in is set to, in SI; None is not known.

    Attributes
    ----------
    identity : str
        What the instrument calls itself; empty for values of the configuration.
    sensitivity : float
        Full scale in V rms.
    time_constant : float
        In s.
    poles : int
        6 dB per octave each.
    offset_x, offset_y : float
        As fractions of full scale.
    expand_x, expand_y : float
    output_x, output_y : bool
        Whether the CH1 and CH2 outputs carry X and Y. Else they carry what the display shows,
        renewed 512 times a second only.
    reference_frequency : float
        In Hz.
    harmonic : int
        Of the reference, at which the signal is detected.
    phase : float
        Shift of the reference in rad. This is not ``lockin_phase``, which also holds what actuator,
        detector and cables do and is found by calibration.
    sine_amplitude : float
        Of the instrument's own oscillator, in V rms.
    internal_reference, synchronous : bool
    input : str
        A, A-B or current.
    """

    identity: str = ""
    sensitivity: float | None = None
    time_constant: float | None = None
    poles: int | None = None
    offset_x: float | None = None
    offset_y: float | None = None
    expand_x: float | None = None
    expand_y: float | None = None
    output_x: bool | None = None
    output_y: bool | None = None
    reference_frequency: float | None = None
    harmonic: int | None = None
    phase: float | None = None
    sine_amplitude: float | None = None
    internal_reference: bool | None = None
    synchronous: bool | None = None
    input: str | None = None

    def metadata(self) -> dict[str, float | str | bool]:
        """What of it curves carry, under the vocabulary's keys; what is not known is absent."""
        values = {key: getattr(self, name) for key, name in _KEYS.items()}
        if self.harmonic not in (None, 1):  # the dither may be at either frequency
            del values["dither_frequency"]
        found = {
            key: METADATA[key].check(key, value)
            for key, value in values.items()
            if value is not None
        }
        return found | {"lockin_convention": "rms"} if found else {}

    def check(self) -> None:
        """Refuse settings with which the outputs are no X and Y in volts.

        Raises
        ------
        InvalidInput
        """
        for output, name in ((self.output_x, "X"), (self.output_y, "Y")):
            if output is False:
                channel = "CH1" if name == "X" else "CH2"
                raise InvalidInput(
                    f"the lock-in's {channel} output carries its display, renewed 512 times a "
                    f"second: set {channel} OUTPUT to {name} on its front panel"
                )
        if self.input == "current":
            raise InvalidInput(
                "the lock-in measures a current: set its input to A or A-B, where the detector's "
                "voltage is connected"
            )

    def warnings(self) -> tuple[str, ...]:
        """What is unusual, and no error."""
        said = []
        if self.harmonic not in (None, 1):
            said.append(
                f"the lock-in detects harmonic {self.harmonic} of its reference, so that the "
                "frequency of the dither is not known: give dither_frequency"
            )
        detected = (self.reference_frequency or math.inf) * (self.harmonic or 1)
        if self.synchronous and detected < SYNCHRONOUS_BELOW:
            said.append(
                "the lock-in's synchronous filter is on: the signal lags more than its time "
                "constant and slope tell"
            )
        return tuple(said)


#: Where the vocabulary's keys are found in `Settings`.
_KEYS = {
    "lockin_sensitivity": "sensitivity",
    "lockin_time_constant": "time_constant",
    "lockin_poles": "poles",
    "lockin_expand_x": "expand_x",
    "lockin_expand_y": "expand_y",
    "lockin_offset_x": "offset_x",
    "lockin_offset_y": "offset_y",
    "dither_frequency": "reference_frequency",
}


def given(values: Mapping[str, object]) -> Settings:
    """Settings of a lock-in that nobody reads, from a configuration.

    Parameters
    ----------
    values : mapping
        In SI, under the vocabulary's keys (``lockin_sensitivity`` in V rms, ...), each optional.

    Raises
    ------
    InvalidInput
        For an unknown key or a value that is not believable.
    """
    known: dict[str, Any] = {}
    for key, value in values.items():
        if key == "lockin_convention":
            if value != "rms":
                raise InvalidInput("an SR830 shows rms values: lockin_convention is rms")
            continue
        if key not in _KEYS:
            names = (*_KEYS, "lockin_convention")
            raise InvalidInput(f"a lock-in has no {key!r}.{nearest(key, names)}")
        known[_KEYS[key]] = METADATA[key].check(key, value)
    if "poles" in known:
        if known["poles"] not in POLES:
            raise InvalidInput(f"an SR830 has 1 to 4 poles, not {known['poles']:g}")
        known["poles"] = int(known["poles"])
    return Settings(**known)


def changed(before: Settings, after: Settings) -> dict[str, tuple[object, object]]:
    """What differs between two readings: name of the setting -> (before, after).

    A reference that drifts by less than 0.1 % has not changed.
    """
    found: dict[str, tuple[object, object]] = {}
    for field in fields(Settings):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.name == "reference_frequency" and None not in (old, new):
            if not math.isclose(old, new, rel_tol=FREQUENCY_TOLERANCE):
                found[field.name] = old, new
        elif old != new:
            found[field.name] = old, new
    return found
