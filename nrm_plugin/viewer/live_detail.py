"""A finished curve as pages of a running recording are shown it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.engine.signals import parts, plan, read_block
from nrm_plugin.engine.workbench import CurveDetail
from nrm_plugin.errors import NrmError
from nrm_plugin.model import CurveSet
from nrm_plugin.variables import FLAG_WORDS

#: Points of a direction of a curve; each is the mean of the samples that it stands for.
POINTS = 300

#: Variables of the results by the names in the event.
PROFILE = {
    "storage": "storage_modulus",
    "loss": "loss_modulus",
    "storage_stderr": "storage_modulus_stderr",
    "loss_stderr": "loss_modulus_stderr",
}

#: Signals by the names in the event.
SIGNALS = ("height", "deflection", "lateral_x", "lateral_y")


def signals(one: CurveSet) -> dict[str, Any]:
    """Samples of a curve, approach and then retract, thinned out, in m and N as far as is known.

    Parameters
    ----------
    one : CurveSet
        Of one curve.

    Returns
    -------
    dict
        As ``curve`` of the event ``ramp``.
    """
    try:
        found, units = _calibrated(one)
    except NrmError:
        found, units = _recorded(one)
    turn = len(found[0]["deflection"]) if found else 0
    joined: dict[str, Any] = dict.fromkeys(SIGNALS)
    for name in found[0] if found else ():
        joined[name] = np.concatenate([part[name] for part in found])
    return {**joined, "units": units, "turn": turn}


def _calibrated(one: CurveSet) -> tuple[list[dict[str, FloatArray]], dict[str, str]]:
    planned, how = plan(one)
    found = []
    for direction, step in (("approach", 1), ("retract", -1)):
        block = read_block(planned, how, parts(one, direction), slice(0, 1), direction)
        part = {"height": block.height, "deflection": block.deflection}
        if how.lateral:
            part |= {"lateral_x": block.in_phase, "lateral_y": block.quadrature}
        found.append({name: thinned(values[::step]) for name, values in part.items()})
    return found, {"deflection": "m", "lateral": "N"}


def _recorded(one: CurveSet) -> tuple[list[dict[str, FloatArray]], dict[str, str]]:
    """The same where calibrations are missing: as it was recorded."""
    pair = one.lateral_pair or ("", "")
    names = {"height": "height", "deflection": "deflection"}
    names |= {"lateral_x": pair[0], "lateral_y": pair[1]}
    known = {name: channel for name, channel in names.items() if channel in one.channels}
    values = {name: one.read(channel) for name, channel in known.items()}
    found = []
    for direction in ("approach", "retract"):
        begin, end = (int(v) for v in parts(one, direction)[0])
        found.append({name: thinned(v[begin:end]) for name, v in values.items()})
    units = {"deflection": "deflection", "lateral": pair[0]}
    return found if "deflection" in values else [], {
        name: one.channels[channel].unit if channel in one.channels else "V"
        for name, channel in units.items()
    }


def thinned(values: AnyArray, points: int = POINTS) -> FloatArray:
    """Means of consecutive samples, at most so many of them, all of the same number."""
    width = max(1, -(-len(values) // points))
    whole = len(values) // width * width
    return np.asarray(values[:whole].reshape(-1, width).mean(axis=1), np.float64)


def described(detail: CurveDetail) -> dict[str, Any]:
    """What was found in a curve, as the event ``ramp`` has it."""
    values: Mapping[str, Any] = detail.values
    profile = None
    if PROFILE["storage"] in values:
        profile = {short: values[name] for short, name in PROFILE.items() if name in values}
    wall = float(values.get("wall_slope", np.nan))
    lateral = float(values.get("wall_lateral_amplitude", np.nan))
    return {
        "contact": detail.contact_height,
        "contact_stderr": detail.contact_height_stderr,
        "baseline": detail.baseline_window,
        "wall": detail.wall_window,
        "flags": [{"name": name, "advice": FLAG_WORDS[name][1]} for name in detail.flags],
        "facts": {
            "F_max": detail.force_max,
            "wall_slope": wall,
            "wall_lateral": lateral,
            "stick": "slip" if "slip" in detail.flags else None,
            "valid_from": float(values.get("depth_valid_min", np.nan)),
        },
        "profile": profile,
        "error": None,
    }


def undescribed(error: Exception) -> dict[str, Any]:
    """The same of a curve that could not be processed, with the reason."""
    nothing = dict.fromkeys(("contact", "contact_stderr", "baseline", "wall", "profile"))
    facts = ("F_max", "wall_slope", "wall_lateral", "stick", "valid_from")
    return {**nothing, "flags": [], "facts": dict.fromkeys(facts), "error": str(error)}
