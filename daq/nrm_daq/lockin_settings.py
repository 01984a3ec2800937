"""Settings of a lock-in: as metadata of curves, refused or warned of, and what has changed.

A board records volts at the lock-in's outputs; only with sensitivity, expand and offset are they
volts at its input (see `nrm_plugin.calibration.lockin`). The settings are read from the instrument
or `given` by a configuration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from nrm_plugin.errors import InvalidInput
from nrm_plugin.hookspecs import ConnectedLockIn, LockInSettings
from nrm_plugin.vocabulary import METADATA, nearest

#: An external reference is measured, not set: smaller changes are no change.
FREQUENCY_TOLERANCE = 1e-3
#: Below this detection frequency in Hz the synchronous filter of an SR830 works.
SYNCHRONOUS_BELOW = 200.0

#: The vocabulary's keys, and the fields of `LockInSettings` that they name.
FIELDS = {
    "lockin_sensitivity": "sensitivity",
    "lockin_time_constant": "time_constant",
    "lockin_poles": "poles",
    "lockin_expand_x": "expand_x",
    "lockin_expand_y": "expand_y",
    "lockin_offset_x": "offset_x",
    "lockin_offset_y": "offset_y",
    "dither_frequency": "reference_frequency",
    "lockin_convention": "convention",
}


def as_metadata(settings: LockInSettings) -> dict[str, float | str | bool]:
    """Return what curves carry of the settings, under the vocabulary's keys.

    What is not known is absent; where nothing is, so is the convention.
    """
    values = {key: getattr(settings, name) for key, name in FIELDS.items()}
    if settings.harmonic not in (None, 1):  # the dither may be at either frequency
        del values["dither_frequency"]
    metadata = {
        key: METADATA[key].check(key, value) for key, value in values.items() if value is not None
    }
    return metadata if len(metadata) > 1 else {}


def check_outputs(settings: LockInSettings) -> None:
    """Refuse settings with which the outputs are no X and Y in volts.

    Raises
    ------
    InvalidInput
    """
    for carried, name, channel in (
        (settings.output_x, "X", "CH1"),
        (settings.output_y, "Y", "CH2"),
    ):
        if carried is False:
            raise InvalidInput(
                f"the lock-in's {channel} output carries its display, or something else that is "
                f"not {name}: set {channel} OUTPUT to {name} on its front panel"
            )
    if settings.input == "current":
        raise InvalidInput(
            "the lock-in measures a current: set its input to A or A-B, where the detector's "
            "voltage is connected"
        )


def warnings_of(settings: LockInSettings) -> list[str]:
    """Return what is unusual about settings, and no error."""
    warnings = []
    if settings.harmonic not in (None, 1):
        warnings.append(
            f"the lock-in detects harmonic {settings.harmonic} of its reference, so that the "
            "frequency of the dither is not known: give dither_frequency"
        )
    shifts = (settings.expand_x, settings.expand_y, settings.offset_x, settings.offset_y)
    if settings.identity and None in shifts:
        warnings.append(
            "the lock-in does not say its expands and offsets: 1 and 0 are taken for those that "
            "the configuration leaves out"
        )
    if settings.identity and settings.poles is None:
        warnings.append("the lock-in's filter has no known number of poles: its lag stays")
    detected = (settings.reference_frequency or math.inf) * (settings.harmonic or 1)
    if settings.synchronous and detected < SYNCHRONOUS_BELOW:
        warnings.append(
            "the lock-in's synchronous filter is on: the signal lags more than time constant and "
            "poles say"
        )
    return warnings


def given(values: Mapping[str, object]) -> LockInSettings:
    """Return settings that nobody reads, from a configuration.

    Parameters
    ----------
    values : mapping
        In SI, under the vocabulary's keys (``lockin_sensitivity`` in V, ...), each optional.

    Raises
    ------
    InvalidInput
        For an unknown key or a value that is not believable.
    """
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in FIELDS:
            raise InvalidInput(f"a lock-in has no {key!r}.{nearest(key, FIELDS)}")
        checked[FIELDS[key]] = METADATA[key].check(key, value)
    poles = checked.get("poles")
    if poles is not None:
        if poles != int(poles):
            raise InvalidInput(f"a lock-in has a whole number of poles, not {poles:g}")
        checked["poles"] = int(poles)
    return LockInSettings(**checked)


def completed(read: LockInSettings, told: LockInSettings) -> LockInSettings:
    """Return what an instrument was read to be set to, and what it does not say as it was told."""
    unknown = [f.name for f in fields(LockInSettings) if getattr(read, f.name) is None]
    return replace(read, **{name: getattr(told, name) for name in unknown})


class CompletedLockIn:
    """A lock-in that leaves open some of its settings, with those that a configuration gives."""

    def __init__(self, lock_in: ConnectedLockIn, told: LockInSettings) -> None:
        self._lock_in, self._told = lock_in, told

    def settings(self) -> LockInSettings:
        """See `ConnectedLockIn`."""
        return completed(self._lock_in.settings(), self._told)

    def watched(self) -> LockInSettings:
        """See `ConnectedLockIn`."""
        read = getattr(self._lock_in, "watched", self._lock_in.settings)
        return completed(read(), self._told)

    def status(self) -> Mapping[str, bool]:
        """See `ConnectedLockIn`."""
        return self._lock_in.status()

    def close(self) -> None:
        """See `ConnectedLockIn`."""
        self._lock_in.close()


def changed(before: LockInSettings, after: LockInSettings) -> dict[str, tuple[object, object]]:
    """What differs between two readings: name of the setting -> (before, after).

    A reference that drifts by less than 0.1 % has not changed.
    """
    differences: dict[str, tuple[object, object]] = {}
    for field in fields(LockInSettings):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.name == "reference_frequency" and None not in (old, new):
            if not math.isclose(old, new, rel_tol=FREQUENCY_TOLERANCE):
                differences[field.name] = old, new
        elif old != new:
            differences[field.name] = old, new
    return differences
