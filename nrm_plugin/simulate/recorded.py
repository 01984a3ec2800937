"""What a file holds of simulated curves: signals in volts or units, and what the metadata tell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.simulate.instrument import Instrument
from nrm_plugin.vocabulary import METADATA, nearest


def as_recorded(
    columns: dict[str, FloatArray],
    instrument: Instrument,
    table: dict[str, AnyArray],
    *,
    volts: bool,
    metadata: Mapping[str, object],
    told: Mapping[str, object],
) -> CurveSet:
    """Signals and settings as a file would hold them.

    Parameters
    ----------
    columns : dict
        time (s), height and deflection (m), x and y (N) by curve and sample.
    metadata : mapping
        What the ramp adds to the instrument's.
    told : mapping
        Metadata that are told otherwise than they are; None leaves them out.

    Raises
    ------
    InvalidInput
    """
    lock_in = instrument.lock_in
    _check_told(told, volts or lock_in.sensitivity is not None, lock_in.sensitivity)
    settings: dict[str, object] = {
        "simulated": True,
        "dither_amplitude": instrument.dither_amplitude,
        "dither_frequency": instrument.dither_frequency,
        "lockin_convention": lock_in.convention,
        "spring_constant": instrument.spring_constant,
        "lockin_poles": lock_in.poles,
        "lockin_phase": lock_in.phase,
        **metadata,
    }
    if lock_in.time_constant:
        settings["lockin_time_constant"] = lock_in.time_constant
    if np.isfinite(instrument.lateral_stiffness):
        settings["lateral_stiffness"] = instrument.lateral_stiffness
    channels = {
        "time": (columns["time"], "s"),
        "height": (columns["height"], "m"),
        "deflection": (columns["deflection"], "m"),
        "lateral_in_phase": (columns["x"], "N"),
        "lateral_quadrature": (columns["y"], "N"),
    }
    if volts or lock_in.sensitivity is not None:
        if not np.isfinite(instrument.lateral_stiffness):
            raise InvalidInput("signals in volts need a finite lateral_stiffness")
        per_volt = instrument.lateral_stiffness * instrument.lateral_sensitivity
        settings["deflection_sensitivity"] = instrument.deflection_sensitivity
        settings["lateral_sensitivity"] = instrument.lateral_sensitivity
        x, y = columns["x"] / per_volt, columns["y"] / per_volt
        channels["deflection"] = (columns["deflection"] / instrument.deflection_sensitivity, "V")
        channels["lateral_in_phase"], channels["lateral_quadrature"] = (x, "V"), (y, "V")
        if lock_in.sensitivity is not None:
            for part in ("in_phase", "quadrature"):
                del channels[f"lateral_{part}"]
            out = lock_in.output
            channels["lockin_output_x"] = (out(x, lock_in.expand_x, lock_in.offset_x), "V")
            channels["lockin_output_y"] = (out(y, lock_in.expand_y, lock_in.offset_y), "V")
            settings["lockin_sensitivity"] = lock_in.sensitivity
            for axis in "xy":
                settings[f"lockin_expand_{axis}"] = getattr(lock_in, f"expand_{axis}")
                settings[f"lockin_offset_{axis}"] = getattr(lock_in, f"offset_{axis}")
    else:
        _in_units_told(channels, instrument, told)
    settings |= told
    settings = {key: value for key, value in settings.items() if value is not None}
    return CurveSet.from_arrays(channels, curve_table=table, metadata=settings)


def _check_told(told: Mapping[str, object], in_volts: bool, sensitivity: float | None) -> None:
    for key in told:
        if key not in METADATA:
            raise InvalidInput(f"told: there is no metadata key {key!r}.{nearest(key, METADATA)}")
    if "lockin_sensitivity" in told and sensitivity is None:
        raise InvalidInput(
            "told: lockin_sensitivity scales the volts of a lock-in's outputs, and this one has "
            "none: give LockIn(sensitivity=...) the true one"
        )
    if not in_volts:
        for key in ("deflection_sensitivity", "lateral_sensitivity", "lateral_stiffness"):
            if key in told and told[key] is None and key != "lateral_stiffness":
                raise InvalidInput(f"told: {key} can be left out only of signals in volts")


def _in_units_told(
    channels: dict[str, tuple[FloatArray, str]], instrument: Instrument, told: Mapping[str, object]
) -> None:
    """Signals in m and N as somebody makes them from volts with what is told."""

    def factor(key: str, true: float) -> float:
        value = told.get(key)
        return value / true if isinstance(value, (int, float)) and np.isfinite(true) else 1.0

    bent = factor("deflection_sensitivity", instrument.deflection_sensitivity)
    sideways = factor("lateral_sensitivity", instrument.lateral_sensitivity)
    sideways *= factor("lateral_stiffness", instrument.lateral_stiffness)
    for name, scale in (
        ("deflection", bent),
        ("lateral_in_phase", sideways),
        ("lateral_quadrature", sideways),
    ):
        if scale != 1.0:
            values, unit = channels[name]
            channels[name] = (values * scale, unit)
