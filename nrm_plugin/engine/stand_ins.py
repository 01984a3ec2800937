"""Values that stand in for what nobody told, so that curves can be looked at all the same."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.signals import parts, plan
from nrm_plugin.errors import MissingCalibration
from nrm_plugin.model import CurveSet

#: Of no meaning but their order of magnitude.
STAND_INS: Mapping[str, float | str] = {
    "dither_amplitude": 1e-9,
    "lockin_convention": "peak",
    "lockin_sensitivity": 0.01,
    "lockin_expand_x": 1.0,
    "lockin_expand_y": 1.0,
    "lockin_offset_x": 0.0,
    "lockin_offset_y": 0.0,
    "lateral_sensitivity": 1e-7,
    "lateral_stiffness": 20.0,
}

_CURVES = 16  # that a scale of the deflection is taken from


def with_stand_ins(curves: CurveSet) -> tuple[CurveSet, frozenset[str]]:
    """Return curves of which a plan can be made, and the keys that nobody told.

    A deflection in V, or a force without a spring constant, gets the scale that makes the walls
    rigid.

    Raises
    ------
    MissingCalibration, InvalidInput
        Where nothing can stand in.
    """
    missing: set[str] = set()
    for _ in range(4):
        try:
            plan(curves)
            break
        except MissingCalibration as error:
            new = {key: _stand_in(curves, key) for key in error.keys}
            if missing & new.keys() or any(value is None for value in new.values()):
                raise
            missing |= new.keys()
            known = {key: value for key, value in new.items() if value is not None}
            curves = curves.with_metadata(known, "stands in for what was not told")
    return curves, frozenset(missing)


def _stand_in(curves: CurveSet, key: str) -> float | str | None:
    if key == "deflection_sensitivity":
        return _per_unit(curves, "deflection")
    if key == "spring_constant":
        scale = _per_unit(curves, "force_normal")
        return None if scale is None else 1.0 / scale
    return STAND_INS.get(key)


def _per_unit(curves: CurveSet, channel: str) -> float | None:
    """Height in m by which the base falls while a signal grows by 1 on the walls; None without.

    From the upper half of what the signal rises, the median over some curves.
    """
    found = []
    for direction in ("approach", "retract"):
        ranges = parts(curves, direction)
        there = np.flatnonzero(ranges[:, 1] - ranges[:, 0] >= 32)
        for number in there[:: max(len(there) // _CURVES, 1)][:_CURVES]:
            part = slice(*ranges[number])
            height = curves.read("height", [number])[part]
            signal = curves.read(channel, [number])[part]
            found.append(_steepness(height, signal))
        if found:
            break
    scale = float(np.nanmedian(found)) if np.isfinite(found).any() else math.nan
    return scale if math.isfinite(scale) and scale != 0.0 else None


def _steepness(height: FloatArray, signal: FloatArray) -> float:
    """Fall of the height per rise of the signal near the surface."""
    order = np.argsort(height, kind="stable")
    height, signal = height[order], signal[order]
    far = float(np.median(signal[-len(signal) // 4 :]))
    rise = signal - far
    at_the_end = float(np.median(rise[: max(len(rise) // 50, 3)]))
    upper = rise * np.sign(at_the_end) > 0.5 * abs(at_the_end)
    upper &= np.arange(len(rise)) < len(rise) // 2
    if upper.sum() < 6 or not np.ptp(height[upper]):
        return math.nan
    slope = float(np.polyfit(height[upper], signal[upper], 1)[0])
    return -1.0 / slope if slope else math.nan
