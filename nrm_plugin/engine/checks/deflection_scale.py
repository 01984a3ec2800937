"""Deflection sensitivity: the slope of the wall against 1.

On the wall the deflection grows by what the height falls, in units of the true sensitivity.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nrm_plugin.engine.checks.check import UNCHANGED, Check, Verdict
from nrm_plugin.engine.checks.evidence import Evidence, Measured
from nrm_plugin.engine.checks.wall_signal import AIR_IN_LIQUID
from nrm_plugin.text import with_unit

#: Slopes of the wall that sensitivities known to 5 %, friction of a tilted lever and scanners
#: explain; and what no such thing does.
_ORDINARY_SLOPE, _IMPOSSIBLE_SLOPE = 0.05, 0.15

#: A flatter wall may be an electrode or film that gives way, down to this slope.
_YIELDING = 0.9

#: Where samples are farther apart than this (m), the wall may have too few of them.
_SPARSE = 5e-9

#: A pooled slope is unsure with a larger standard error, and so is a curve's own.
_UNSURE = 0.02


def deflection_sensitivity(evidence: Evidence) -> Check:
    """Hold the slope of the wall against 1."""
    name = "deflection_sensitivity"
    survey = evidence.processed.survey
    told, scale = evidence.told(name), abs(evidence.plan.deflection.factor)
    in_volts = math.isfinite(told) or name in evidence.missing
    if not in_volts:
        told, scale = 1.0, 1.0
    known = None if math.isnan(told) else abs(told)
    about = Check(name=name, told=known, unit="m/V" if in_volts else "")
    if not survey.walls and survey.spacing > _SPARSE:
        return about.says(
            "unknown",
            f"no wall was found: samples are {with_unit(survey.spacing, 'm', 3)} apart; "
            "more samples per ramp, or a larger trigger force, would show one",
        )
    if not survey.walls:
        return about.says(
            "doubtful",
            "in no curve does the deflection grow as it does on a wall: either no ramp "
            "reaches the electrode, or deflection_sensitivity is far too small (by 1.3 to 1.45: "
            "was it calibrated in air?). Press harder, or measure a hard sample "
            "(nrm calibrate deflection)",
        )
    steep, error = _steepness(evidence.processed)
    found = scale / steep if in_volts else steep
    about = replace(about, found=found, stderr=found * error / steep)
    if name in evidence.missing:
        return about.says(
            "unknown",
            f"it was not told; if the wall does not give way it is {with_unit(found, 'm/V', 3)} "
            "(nrm calibrate deflection on a hard sample tells)",
        )
    # Distances in the wall's own slope do not change with the sensitivity, and nor do moduli.
    changed = UNCHANGED if _from_the_wall(evidence) else None
    return about.says(*_of_slope(evidence, steep, error), changed)


def _from_the_wall(evidence: Evidence) -> bool:
    return evidence.recipe.contact.distance == "wall"


def _steepness(measured: Measured) -> tuple[float, float]:
    """Steepness of the walls and its standard error: of the pool, or what curves agree on."""
    survey = measured.survey
    if survey.slope_stderr > _UNSURE:
        slopes, errors = measured.contacts["wall_slope"], measured.contacts["wall_slope_stderr"]
        slopes = slopes[errors < _UNSURE]
        if len(slopes) > 0.5 * len(measured):
            middle = float(np.median(slopes))
            spread = 1.4826 * float(np.median(np.abs(slopes - middle)))
            if spread < _UNSURE:
                return abs(middle), max(spread / math.sqrt(len(slopes)), 0.003)
    return abs(survey.slope), survey.slope_stderr


def _of_slope(evidence: Evidence, steep: float, error: float) -> tuple[Verdict, str]:
    """Verdict and words about the slope of a wall."""
    distance = (
        "distances count in the wall's own slope, so that the moduli do not change"
        if _from_the_wall(evidence)
        else "distances are wrong by as much of the deflection, and leak into the inner moduli"
    )
    seen = f"the deflection grows by {steep:.3f} nm per nm on the wall"
    off = abs(steep - 1.0) - 3.0 * error
    ratio = max(steep, 1.0 / steep)
    air = (
        ". A factor of 1.3 to 1.45 is the refractive index of the liquid: was the sensitivity "
        "calibrated in air?"
        if AIR_IN_LIQUID[0] <= ratio <= AIR_IN_LIQUID[1]
        else ""
    )
    if off <= _ORDINARY_SLOPE:
        return "fine", f"{seen}; {distance}"
    distance = distance[:1].upper() + distance[1:]
    if steep > 1.0:
        return "wrong" if off > _IMPOSSIBLE_SLOPE else "doubtful", (
            f"{seen}, and no more than 1 is possible but for friction of a tilted lever and the "
            f"scanner (some per cent): deflection_sensitivity is too large by that factor{air}. "
            f"{distance}; forces keep the told value. Calibrate it on a hard sample"
        )
    stiffness = evidence.plan.spring_constant * steep / (1.0 - steep)
    gives = (
        f" of {stiffness:.2g} N/m" if math.isfinite(stiffness) else ""
    )  # of the contact, in series with the lever
    return "unknown" if steep + 3.0 * error > _YIELDING else "doubtful", (
        f"{seen} instead of 1: deflection_sensitivity is too small by that factor, or a film or "
        f"the electrode gives way (a contact{gives}), or the scanner is off{air}. "
        f"{distance}. The slope on a hard sample, in the same mounting and liquid, tells "
        "(nrm calibrate deflection)"
    )
