"""Stick or slip on the wall, and the motion of the tip there against the dither.

On the wall the tip moves by ``A k_c / (k_c + k_l)``, with the contact's stiffness k_c of 50 to
500 N/m on hard electrodes: a little less than the dither, as long as it sticks. Friction makes a
tip that slips move less.
"""

from __future__ import annotations

import math
from dataclasses import replace

from nrm_plugin.engine.checks.check import Check, Verdict, effect
from nrm_plugin.engine.checks.evidence import Evidence
from nrm_plugin.engine.checks.wall_signal import (
    AIR_IN_LIQUID,
    GLASS,
    SCALE_KEYS,
    WallSignal,
    or_none,
    readable_signal,
    why_not_confirmed,
)
from nrm_plugin.text import with_unit

#: Motion of the tip over the dither: more is impossible; a tip that sticks to a hard sample moves
#: at least so much; less than the last two is a mistake of scale if the force does not depend on
#: the load, doubtful and wrong.
_MOST, _ABOVE, _HARD, _SMALL, _TINY = 1.15, 1.05, 0.72, 0.25, 0.12

#: Lateral stiffness (N/m) of contacts on hard electrodes: the softest, and one in the middle.
_SOFT_CONTACT, _USUAL_CONTACT = 50.0, 150.0

#: The stiffest of them at usual loads.
_STIFFEST_CONTACT = 500.0

#: Largest exponent of the load that a contact much stiffer than the lever has.
_STIFF = 0.14

#: Mean load of the highest quarter over the highest load.
_MEAN_OF_HIGHEST = 0.875

#: Friction coefficient that is assumed.
_FRICTION = 0.3

#: Bare samples on which the tip moves almost as far as the dither.
HARD_SAMPLES = ("glass", "silicon", "silica", "quartz", "mica", "sapphire", "fused")


def stick(evidence: Evidence) -> Check:
    """Say whether the tip sticks on the wall: only then can it confirm scale and phase."""
    name = "stick"
    signal, why = readable_signal(evidence)
    if signal is None:
        return Check(name=name, advice=why)
    need, load, most = _what_sticks(evidence, signal)
    told = None if need is None or load is None else need / (_FRICTION * load)
    about = Check(name=name, told=told)
    by_load = (
        f"the lateral force goes with the load to the power {signal.exponent:.2f}, its phase turns "
        f"by {math.degrees(signal.turn):.1f} degrees"
    )
    advice = ""
    if most is not None and load is not None:
        advice = (
            f". With a friction coefficient of {_FRICTION:g} and {with_unit(load, 'N', 2)} of load "
            f"it sticks up to a dither of {with_unit(most, 'm', 2)}"
        )
    if signal.sticks:
        return replace(about, found="sticks").says("fine", f"the tip sticks: {by_load}{advice}")
    if signal.sticks is False:
        return replace(about, found="slips").says(
            "unknown",
            f"the tip slips on the wall ({by_load}): scale and phase of the lateral signal cannot "
            f"be checked there{advice}. A smaller dither or a larger load, or {GLASS}",
        )
    if signal.may_slip and math.isfinite(signal.exponent):
        return about.says(
            "unknown",
            f"phase and motion on the wall are also those of a tip that adhesion presses on and "
            f"that slips at any load ({by_load}): scale and phase cannot be checked there{advice}. "
            f"{GLASS}",
        )
    return about.says(
        "unknown",
        "the walls do not say whether the tip sticks: "
        + (by_load if math.isfinite(signal.exponent) else "their loads differ too little")
        + f"{advice}. More curves or a larger load would tell",
    )


def _what_sticks(
    evidence: Evidence, signal: WallSignal
) -> tuple[float | None, float | None, float | None]:
    """Force that moves tip and contact by the dither, load (N), and dither that would stick (m)."""
    plan = evidence.plan
    if evidence.missing & SCALE_KEYS or not plan.lateral_stiffness:
        return None, None, None
    series = _USUAL_CONTACT * plan.lateral_stiffness / (_USUAL_CONTACT + plan.lateral_stiffness)
    need = plan.amplitude * series
    if not math.isfinite(plan.spring_constant):
        return need, None, None
    load = plan.spring_constant * signal.load / _MEAN_OF_HIGHEST
    return need, load, _FRICTION * load / series


def lateral_scale(evidence: Evidence) -> Check:
    """Hold the motion of the tip on the wall against the dither."""
    name, plan = "lateral_scale", evidence.plan
    signal, why = readable_signal(evidence)
    lost = sorted(evidence.missing & SCALE_KEYS)
    if not plan.lateral_stiffness and not lost:
        lost = ["lateral_stiffness"]
    about = Check(name=name, told=or_none(evidence.told("dither_amplitude")), unit="m")
    if signal is None or lost:
        return about.says(
            "unknown",
            why
            or f"{', '.join(lost)} not told: without it the force on the wall is no "
            "motion of the tip that could be held against the dither",
        )
    motion = abs(signal.force) / plan.lateral_stiffness
    ratio = motion / plan.amplitude
    about = replace(about, found=motion, stderr=signal.force_stderr / plan.lateral_stiffness)
    seen = (
        f"on the wall the tip moves by {with_unit(motion, 'm', 3)} for a dither of "
        f"{with_unit(plan.amplitude, 'm', 3)}"
    )
    usual = _usual_ratio(plan.lateral_stiffness)
    change = 100.0 * (usual / ratio - 1.0)
    by = f"moduli are wrong by about a factor of {max(ratio / usual, usual / ratio):.2g}"
    if ratio > _MOST:
        return about.says(*_too_far(evidence, seen, ratio, by), effect(change, change))
    if not signal.sticks:
        return about.says(
            "unknown",
            f"{seen}. {why_not_confirmed(signal)}: a scale that is too small cannot be told from "
            f"it, one that is more than {_MOST / max(ratio, 1e-9):.1f} times too large could. "
            f"{GLASS}",
        )
    if ratio > _ABOVE:
        return about.says(
            "unknown",
            f"{seen}, a little more than is possible: within the usual errors of "
            f"{_suspects(evidence)}, but also what rms told for peak would show. {GLASS}",
        )
    small = _too_small(evidence, signal, ratio)
    if small is not None:
        return about.says(
            small,
            f"{seen}, although it sticks and the force does not depend on the load: {by}. "
            f"Look at {_suspects(evidence)}. On a hard wall it moves by about "
            f"{with_unit(usual * plan.amplitude, 'm', 2)}",
            effect=effect(change, change),
        )
    if ratio < _HARD:
        return about.says(
            "unknown",
            f"{seen}: the contact may be soft (a film, a soft electrode), or the scale too small, "
            f"as peak told for rms does (lockin_convention: a factor of 1.41). {GLASS}",
        )
    stiffest = _STIFFEST_CONTACT / (_STIFFEST_CONTACT + plan.lateral_stiffness)
    if evidence.in_lateral_volts and ratio > stiffest and not _is_corrected(evidence):
        soft = 1.0 + plan.lateral_stiffness / _SOFT_CONTACT
        return about.says(
            "unknown",
            f"{seen}, as on a contact of more than {_STIFFEST_CONTACT:.0f} N/m, and so does any "
            "contact whose own calibration gave lateral_sensitivity without a correction for it "
            f"(lock and move): E' and E'' are then too large, by up to {soft:.2f}. Say in "
            "lateral_sensitivity_method that it was corrected, or calibrate it with nrm calibrate "
            "lateral",
            effect=effect(100.0 * (1.0 / soft - 1.0), 100.0 * (1.0 / soft - 1.0)),
        )
    return about.says(
        "fine",
        f"{seen}, as a tip does that sticks to a hard wall. lateral_stiffness does not show here",
    )


def _usual_ratio(stiffness: float) -> float:
    """Motion of the tip over the dither on a usual contact."""
    return _USUAL_CONTACT / (_USUAL_CONTACT + stiffness)


def _too_far(evidence: Evidence, seen: str, ratio: float, by: str) -> tuple[Verdict, str]:
    """Verdict and words about a tip that moves farther than it can.

    How the lateral sensitivity was found says what explains it: on a contact of stiffness k_c it
    comes out too large by (k_c + k_l) / k_c unless that is corrected, in air by the refractive
    index of the liquid. Where nothing is known of it, both may be.
    """
    seen = f"{seen}: {ratio:.3g} times as far, which cannot be, whether it sticks or slips"
    look = f"Look at {_suspects(evidence)}"
    most = 1.0 + evidence.plan.lateral_stiffness / _SOFT_CONTACT
    if not evidence.in_lateral_volts or ratio > max(most, AIR_IN_LIQUID[1]):
        return "wrong", f"{seen}: {by}. {look}"
    known = _method(evidence)
    on_contact = any(word in known.lower() for word in _ON_A_CONTACT)
    if on_contact and not _is_corrected(evidence) and ratio <= most * _ABOVE:
        return "doubtful", (
            f"{seen}. lateral_sensitivity is from {known}: on a contact of stiffness k_c it comes "
            f"out too large by (k_c + lateral_stiffness) / k_c, here by up to {most:.2f}, and both "
            "moduli with it. Correct it for the contact, as nrm calibrate lateral does, or use the "
            f"wedge method. Otherwise {look[:1].lower()}{look[1:]}"
        )
    explained = (
        f"lateral_sensitivity is from {known}, which does not explain it"
        if known
        else "lateral_sensitivity is too large by (k_c + lateral_stiffness) / k_c if it was "
        "calibrated on a contact of stiffness k_c and not corrected for it (say so in "
        "lateral_sensitivity_method)"
    )
    return "wrong", (
        f"{seen}: {by}. {explained}; a sensitivity from air is too large by 1.3 to 1.45 in a "
        f"liquid; rms told for peak (lockin_convention) is 1.41. {look}"
    )


def _method(evidence: Evidence) -> str:
    """How the lateral sensitivity was found; empty if nobody said."""
    return str(evidence.curves.metadata.get("lateral_sensitivity_method", "")).strip()


def _is_corrected(evidence: Evidence) -> bool:
    """Whether it was corrected for the contact's compliance, or needs no contact."""
    how = _method(evidence).lower()
    on_contact = any(word in how for word in _ON_A_CONTACT)
    return bool(how) and (not on_contact or any(word in how for word in _CORRECTED))


#: Words in the method of a lateral sensitivity: of a calibration that moved a tip that sticks to a
#: contact, of one that was corrected for the contact's own compliance.
_ON_A_CONTACT = ("lock", "stick", "contact", "loop", "move", "pressed")
_CORRECTED = ("corrected", "s_true", "dither amplitude over lock-in signal")


def _too_small(evidence: Evidence, signal: WallSignal, ratio: float) -> Verdict | None:
    """Verdict on a tip that sticks and moves too little; None if its contact may be soft."""
    if _is_hard(evidence):
        least = _SOFTGLASS / (_SOFTGLASS + evidence.plan.lateral_stiffness)
        return "wrong" if ratio < least / _MOST else None
    if signal.exponent + 2.0 * signal.exponent_stderr > _STIFF:
        return None
    if ratio < _TINY:
        return "wrong"
    return "doubtful" if ratio < _SMALL else None


#: Lateral stiffness of a contact with glass, silicon or mica at some nN, at least (N/m).
_SOFTGLASS = 90.0


def _is_hard(evidence: Evidence) -> bool:
    """Whether the sample is told to be bare and hard."""
    sample = str(evidence.curves.metadata.get("electrode", "")).lower()
    return any(word in sample for word in HARD_SAMPLES)


def _suspects(evidence: Evidence) -> str:
    """Keys that scale the lateral force or the motion, in words."""
    keys = ["dither_amplitude (is it peak?)", "lockin_convention (rms or peak)"]
    if "lockin_sensitivity" in evidence.curves.metadata:
        value = with_unit(evidence.told("lockin_sensitivity"), "V", 3)
        keys.insert(0, f"lockin_sensitivity ({value})")
    keys.append("lateral_sensitivity" if evidence.in_lateral_volts else "lateral_stiffness")
    return ", ".join(keys[:-1]) + f" and {keys[-1]}"
