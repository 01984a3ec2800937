"""Factors of the moduli that no wall shows: lateral stiffness and shape factor."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nrm_plugin.engine.checks.check import Check, effect
from nrm_plugin.engine.checks.evidence import Evidence
from nrm_plugin.engine.checks.wall_signal import (
    NO_LATERAL,
    SCALE_KEYS,
    or_none,
    wall_signal,
)
from nrm_plugin.engine.shape_factor import PAPER
from nrm_plugin.text import with_unit

#: Error of a lateral stiffness that is assumed where nothing is known.
_ERROR_OF_STIFFNESS = 0.15

#: A possible change of moduli that is worth no word, per cent.
_SMALL_EFFECT = 6.0


def lateral_stiffness(evidence: Evidence) -> Check:
    """Say what the lever's lateral stiffness does to moduli, by K/k of the layer itself."""
    name, plan = "lateral_stiffness", evidence.plan
    told = evidence.told(name)
    about = Check(name=name, told=or_none(told), unit="N/m")
    if not plan.lateral:
        return about.says("unknown", NO_LATERAL)
    lost = evidence.missing & (SCALE_KEYS - {name})
    signal = wall_signal(evidence)
    layer = abs(signal.layer) if signal is not None else math.nan
    if lost or not math.isfinite(layer):
        what = f"{', '.join(sorted(lost))} not told" if lost else "no layer above the wall"
        return about.says(
            "unknown", f"{what}: how far the layer bends the lever aside is not known"
        )
    pull = layer / plan.amplitude  # N/m
    direct = (
        " The lateral signal is in volts, so that both moduli are also proportional to it"
        if evidence.in_lateral_volts
        else ""
    )
    if math.isnan(told):
        soft = 200.0 * pull / 20.0
        small = soft < _SMALL_EFFECT / 2.0
        return replace(about, found=None).says(
            "fine" if small and not direct else "unknown",
            f"it is not told, and moduli are not corrected for it. The layer pulls with {pull:.2g} "
            "N/m: a lever of 20 N/m gives way by "
            f"so much that E' would be {soft:.0f} % larger.{direct} nrm calibrate lateral tells",
            effect=effect(soft, soft),
        )
    part = pull / told
    relative = evidence.told(f"{name}_stderr") / told
    known = math.isfinite(relative)
    relative = relative if known else _ERROR_OF_STIFFNESS
    change = 100.0 * 2.0 * part * relative
    error = f"its error of {100 * relative:.0f} %" if known else f"{100 * relative:.0f} % of error"
    return about.says(
        "fine" if change < _SMALL_EFFECT else "unknown",
        f"the layer bends the lever aside by up to {100 * part / (1.0 + part):.2g} % of the "
        f"dither, which is corrected; {error} changes E' by {change:.1f} % by that."
        + (direct or " No wall shows it"),
        effect=effect(change, change),
    )


def shape_factor(evidence: Evidence) -> Check:
    """Hold r_g against the package's own for the tip, and say where E' is apparent."""
    name = "shape_factor"
    if not evidence.plan.lateral:
        return Check(name=name, advice=NO_LATERAL)
    values = evidence.shape.values[np.isfinite(evidence.shape.values)]
    told = float(np.median(values)) if len(values) else math.nan
    radius = evidence.told("tip_radius")
    about = Check(name=name, told=or_none(told))
    near = (
        f"E' nearer than {with_unit(radius, 'm', 3)}, the tip's radius, is apparent: the electrode "
        "is felt there"
        if math.isfinite(radius)
        else "E' nearer than the tip's radius is apparent: the electrode is felt there"
    )
    computed = evidence.shape.tip_radius is not None
    if computed:
        return about.says("fine", f"r_g is a curve that was computed for a tip. {near}")
    if not math.isfinite(radius):
        paper = f" ({PAPER:g} is the paper's number)" if abs(told / PAPER - 1.0) < 1e-6 else ""
        return about.says(
            "unknown",
            f"r_g is {told:.3g}{paper}, and tip_radius is not told, on which it depends: both "
            f"moduli are as uncertain as it is. Tell tip_radius. {near}",
        )
    own = evidence.shape.constant
    if not math.isfinite(own):
        return about.says("unknown", f"the package has no r_g of its own for this tip. {near}")
    change = 100.0 * (told / own - 1.0)
    agrees = abs(change) < 10.0
    times = (
        f"{told / own:.3g} times what they are. The curves cannot tell which is right; comparisons "
        "at the same distance do not need it, absolute values do"
    )
    near = _apparent(radius, evidence) or near
    return replace(about, found=own).says(
        "fine" if agrees else "unknown",
        f"r_g is {told:.3g}; the package's own finite elements give {own:.2g} for "
        f"{evidence.shape.case}"
        + ("" if agrees else f", under which E' and E'' far from the electrode would be {times}")
        + f". {near}",
        effect=effect(change, change),
    )


def _apparent(radius: float, evidence: Evidence) -> str:
    """How much one r_g for all distances makes of a homogeneous layer near the electrode."""
    shape, depth = evidence.shape, evidence.depth
    if shape.computed is None:
        return ""
    known = np.isfinite(shape.computed)
    change = 100.0 * (shape.computed[known] / shape.constant - 1.0)
    said = [
        f"{np.interp(z, depth[known], change):+.0f} % at {with_unit(z, 'm', 3)}"
        for z in (0.5 * radius, radius, 2.0 * radius)
        if known.any() and depth[known][0] <= z <= depth[known][-1]
    ]
    if not said:
        return ""
    return (
        "With one r_g for all distances E' near the electrode is apparent, since the electrode is "
        f"felt there: that of a homogeneous layer changes by {', '.join(said)}"
    )
