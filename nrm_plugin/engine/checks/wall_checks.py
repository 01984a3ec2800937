"""Checks of what was told against the hard wall: sensitivity, lateral scale, phase, stick or slip.

On the wall the deflection grows by what the height falls, and the tip moves by
``A k_c / (k_c + k_l)``, with the contact's stiffness k_c of 50 to 500 N/m on hard electrodes: a
little less than the dither, and in phase with it, as long as it sticks. Friction makes a tip that
slips move less, and lag behind by up to 90 degrees, never more, and never ahead.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np

from nrm_plugin.engine.checks.check import Check, Verdict, effect
from nrm_plugin.engine.checks.doubts import SPARSE
from nrm_plugin.engine.checks.evidence import Evidence, Measured
from nrm_plugin.engine.checks.wall_signal import SCALE_KEYS, WallSignal, wall_signal
from nrm_plugin.engine.shape_factor import PAPER
from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import with_unit

#: Slopes of the wall that sensitivities known to 5 %, friction of a tilted lever and scanners
#: explain; and what no such thing does.
_ORDINARY_SLOPE, _IMPOSSIBLE_SLOPE = 0.05, 0.15

#: A flatter wall may be an electrode or film that gives way, down to this slope.
_YIELDING = 0.9

#: A pooled slope is unsure with a larger standard error, and so is a curve's own.
_UNSURE = 0.02

#: A sensitivity that was calibrated in air and used in a liquid is wrong by its refractive index.
_AIR_IN_LIQUID = (1.3, 1.45)

#: Motion of the tip over the dither: more is impossible; a tip that sticks to a hard sample moves
#: at least so much; less than the last two is a mistake of scale if the force does not depend on
#: the load, doubtful and wrong.
_MOST, _ABOVE, _HARD, _SMALL, _TINY = 1.15, 1.05, 0.72, 0.25, 0.12

#: Lateral stiffness (N/m) of contacts on hard electrodes: the softest, and one in the middle.
_SOFT_CONTACT, _USUAL_CONTACT = 50.0, 150.0

#: Largest exponent of the load that a contact much stiffer than the lever has.
_STIFF = 0.14

#: Phases on the wall in rad: what may come from noise and films, and what may not.
_IN_PHASE, _OUT_OF_PHASE = math.radians(2.5), math.radians(12.0)

#: Mean load of the highest quarter over the highest load.
_MEAN_OF_HIGHEST = 0.875

#: Loss tangent of a film that may lie under the tip, and motion of the tip where it is not known.
_LOSSY, _TYPICAL_MOTION = 0.3, 0.5

#: Friction coefficient and error of a lateral stiffness that are assumed where nothing is known.
_FRICTION, _ERROR_OF_STIFFNESS = 0.3, 0.15

#: A possible change of moduli that is worth no word, per cent.
_SMALL_EFFECT = 6.0

#: Bare samples on which the tip moves almost as far as the dither.
HARD_SAMPLES = ("glass", "silicon", "silica", "quartz", "mica", "sapphire", "fused")

_GLASS = (
    "curves on bare glass (the same lever and liquid, electrode = glass) tell: nrm check GLASS "
    "--set electrode=glass"
)


# ---------------------------------------------------------------- deflection_sensitivity


def deflection_sensitivity(evidence: Evidence) -> Check:
    """Hold the slope of the wall against 1."""
    name = "deflection_sensitivity"
    survey = evidence.processed.survey
    told = evidence.told(name)
    in_volts = math.isfinite(told) or name in evidence.missing
    unit = "m/V" if in_volts else ""
    if not survey.walls and survey.spacing > SPARSE:
        return Check(
            name=name,
            told=_or_none(told) if in_volts else 1.0,
            unit=unit,
            verdict="unknown",
            advice=f"no wall was found: samples are {with_unit(survey.spacing, 'm', 3)} apart; "
            "more samples per ramp, or a larger trigger force, would show one",
        )
    if not survey.walls:
        return Check(
            name=name,
            told=_or_none(told) if in_volts else 1.0,
            unit=unit,
            verdict="doubtful",
            advice="in no curve does the deflection grow as it does on a wall: either no ramp "
            "reaches the electrode, or deflection_sensitivity is far too small (by 1.3 to 1.45: "
            "was it calibrated in air?). Press harder, or measure a hard sample "
            "(nrm calibrate deflection)",
        )
    steep, error = _steepness(evidence.processed)
    scale = abs(evidence.plan.deflection.factor) if in_volts else 1.0
    found = scale / steep if in_volts else steep
    about: dict[str, object] = {
        "name": name,
        "told": (None if name in evidence.missing else abs(told)) if in_volts else 1.0,
        "found": found,
        "stderr": found * error / steep,
        "unit": unit,
    }
    if name in evidence.missing:
        return _check(
            about,
            "unknown",
            f"it was not told; if the wall does not give way it is {with_unit(found, unit, 3)} "
            "(nrm calibrate deflection on a hard sample tells)",
        )
    # Distances in the wall's own slope do not change with the sensitivity, and nor do moduli.
    changed = effect(0.0, 0.0) if _from_the_wall(evidence) else effect()
    return _check(about, *_of_slope(evidence, steep, error), effect=changed)


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
        if _AIR_IN_LIQUID[0] <= ratio <= _AIR_IN_LIQUID[1]
        else ""
    )
    if off <= _ORDINARY_SLOPE:
        return "fine", f"{seen}; {distance}"
    if steep > 1.0:
        verdict: Verdict = "wrong" if off > _IMPOSSIBLE_SLOPE else "doubtful"
        return verdict, (
            f"{seen}, and no more than 1 is possible but for friction of a tilted lever and the "
            f"scanner (some per cent): deflection_sensitivity is too large by that factor{air}. "
            f"{_capital(distance)}; forces keep the told value. Calibrate it on a hard sample"
        )
    stiffness = evidence.plan.spring_constant * steep / (1.0 - steep)
    gives = (
        f" of {stiffness:.2g} N/m" if math.isfinite(stiffness) else ""
    )  # of the contact, in series with the lever
    verdict = "unknown" if steep + 3.0 * error > _YIELDING else "doubtful"
    return verdict, (
        f"{seen} instead of 1: deflection_sensitivity is too small by that factor, or a film or "
        f"the electrode gives way (a contact{gives}), or the scanner is off{air}. "
        f"{_capital(distance)}. The slope on a hard sample, in the same mounting and liquid, tells "
        "(nrm calibrate deflection)"
    )


# ---------------------------------------------------------------- stick


def stick(evidence: Evidence) -> Check:
    """Say whether the tip sticks on the wall: only then can it confirm scale and phase."""
    name = "stick"
    signal, why = _signal(evidence)
    if signal is None:
        return Check(name=name, verdict="unknown", advice=why)
    need, load, most = _what_sticks(evidence, signal)
    told = None if need is None or load is None else need / (_FRICTION * load)
    about: dict[str, object] = {"name": name, "told": told}
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
        return _check(about | {"found": "sticks"}, "fine", f"the tip sticks: {by_load}{advice}")
    if signal.sticks is False:
        return _check(
            about | {"found": "slips"},
            "unknown",
            f"the tip slips on the wall ({by_load}): scale and phase of the lateral signal cannot "
            f"be checked there{advice}. A smaller dither or a larger load, or {_GLASS}",
        )
    if signal.may_slip and math.isfinite(signal.exponent):
        return _check(
            about,
            "unknown",
            f"phase and motion on the wall are also those of a tip that adhesion presses on and "
            f"that slips at any load ({by_load}): scale and phase cannot be checked there{advice}. "
            f"{_GLASS}",
        )
    return _check(
        about,
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


# ---------------------------------------------------------------- lateral_scale


def lateral_scale(evidence: Evidence) -> Check:
    """Hold the motion of the tip on the wall against the dither."""
    name, plan = "lateral_scale", evidence.plan
    signal, why = _signal(evidence)
    lost = sorted(evidence.missing & SCALE_KEYS)
    if not plan.lateral_stiffness and not lost:
        lost = ["lateral_stiffness"]
    told = _or_none(evidence.told("dither_amplitude"))
    if signal is None or lost:
        return Check(
            name=name,
            told=told,
            unit="m",
            verdict="unknown",
            advice=why
            or f"{', '.join(lost)} not told: without it the force on the wall is no "
            "motion of the tip that could be held against the dither",
        )
    motion = abs(signal.force) / plan.lateral_stiffness
    ratio = motion / plan.amplitude
    about: dict[str, object] = {
        "name": name,
        "told": told,
        "found": motion,
        "stderr": signal.force_stderr / plan.lateral_stiffness,
        "unit": "m",
    }
    seen = (
        f"on the wall the tip moves by {with_unit(motion, 'm', 3)} for a dither of "
        f"{with_unit(plan.amplitude, 'm', 3)}"
    )
    usual = _usual_ratio(plan.lateral_stiffness)
    change = 100.0 * (usual / ratio - 1.0)
    by = f"moduli are wrong by about a factor of {max(ratio / usual, usual / ratio):.2g}"
    if ratio > _MOST:
        return _check(
            about, *_too_far(evidence, seen, ratio, by, name), effect=effect(change, change)
        )
    if not signal.sticks:
        return _check(
            about,
            "unknown",
            f"{seen}. {_cannot(signal)}: a scale that is too small cannot be told from it, one "
            f"that is more than {_MOST / max(ratio, 1e-9):.1f} times too large could. {_GLASS}",
        )
    if ratio > _ABOVE:
        return _check(
            about,
            "unknown",
            f"{seen}, a little more than is possible: within the usual errors of "
            f"{_suspects(evidence)}, but also what rms told for peak would show. {_GLASS}",
        )
    small = _too_small(evidence, signal, ratio)
    if small is not None:
        return _check(
            about,
            small,
            f"{seen}, although it sticks and the force does not depend on the load: {by}. "
            f"Look at {_suspects(evidence)}. On a hard wall it moves by about "
            f"{with_unit(usual * plan.amplitude, 'm', 2)}",
            effect=effect(change, change),
        )
    if ratio < _HARD:
        return _check(
            about,
            "unknown",
            f"{seen}: the contact may be soft (a film, a soft electrode), or the scale too small, "
            f"as peak told for rms does (lockin_convention: a factor of 1.41). {_GLASS}",
        )
    return _check(
        about,
        "fine",
        f"{seen}, as a tip does that sticks to a hard wall. lateral_stiffness does not show here",
    )


def _usual_ratio(stiffness: float) -> float:
    """Motion of the tip over the dither on a usual contact."""
    return _USUAL_CONTACT / (_USUAL_CONTACT + stiffness)


def _too_far(
    evidence: Evidence, seen: str, ratio: float, by: str, name: str
) -> tuple[Verdict, str]:
    """Verdict and words about a tip that moves farther than it can."""
    stiffness = evidence.plan.lateral_stiffness
    explained = 1.0 + stiffness / _SOFT_CONTACT
    in_volts = evidence.in_lateral_volts
    seen = f"{seen}: {ratio:.3g} times as far, which cannot be, whether it sticks or slips"
    if in_volts and ratio <= max(explained, _AIR_IN_LIQUID[1]):
        return "doubtful", (
            f"{seen}. A lateral_sensitivity that was calibrated on a contact of stiffness k_c is "
            "too large by (k_c + lateral_stiffness) / k_c unless it was corrected for it; one from "
            "air is too large by 1.3 to 1.45 in a liquid; rms told for peak (lockin_convention) "
            f"is 1.41. Otherwise look at {_suspects(evidence)}: {by}"
        )
    return "wrong", f"{seen}: {by}. Look at {_suspects(evidence)}"


def _too_small(evidence: Evidence, signal: WallSignal, ratio: float) -> Verdict | None:
    """Verdict on a tip that sticks and moves too little; None if its contact may be soft."""
    if _is_hard(evidence):
        least = _SOFT_GLASS / (_SOFT_GLASS + evidence.plan.lateral_stiffness)
        return "wrong" if ratio < least / _MOST else None
    if signal.exponent + 2.0 * signal.exponent_stderr > _STIFF:
        return None
    if ratio < _TINY:
        return "wrong"
    return "doubtful" if ratio < _SMALL else None


#: Lateral stiffness of a contact with glass, silicon or mica at some nN, at least (N/m).
_SOFT_GLASS = 90.0


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


# ---------------------------------------------------------------- lockin_phase


def lockin_phase(evidence: Evidence) -> Check:
    """Hold the phase on the wall against 0, and moduli of the layer against passivity."""
    name = "lockin_phase"
    signal, why = _signal(evidence)
    told = evidence.told(name)
    about: dict[str, object] = {"name": name, "told": _or_none(told), "unit": "rad"}
    if signal is None:
        return _check(about, "unknown", why)
    off, error = signal.phase, signal.phase_stderr
    about |= {"found": _wrapped((0.0 if math.isnan(told) else told) + off), "stderr": error}
    layer = _of_the_layer(signal)
    if signal.sticks:
        return _of_a_tip_that_sticks(evidence, signal, about)
    ahead = -off - 3.0 * error > _OUT_OF_PHASE / 2.0
    behind = off - 3.0 * error > math.pi / 2.0 + _IN_PHASE
    if signal.seen and (ahead or behind):
        return _check(
            about,
            "wrong",
            f"on the wall the lateral force is {math.degrees(abs(off)):.0f} degrees "
            f"{'ahead of' if off < 0.0 else 'behind'} the dither, and no tip, whether it sticks or "
            f"slips, is ahead, or behind by more than 90 degrees: {_phase_suspects(told, off)}",
        )
    if layer:
        return _check(about, "doubtful", f"{layer}: {_phase_suspects(told, off)}")
    not_told = (
        "lockin_phase is not told and taken as 0: every degree turns 1.7 % of E' into E''. "
        if math.isnan(told)
        else ""
    )
    return _check(
        about,
        "unknown",
        f"{not_told}{_cannot(signal)}: neither the phase nor the sign of Y, nor whether X and Y "
        f"are swapped, can be checked on the wall. nrm calibrate phase, or {_GLASS}",
    )


@dataclass(frozen=True, kw_only=True)
class WallPhase:
    """Phase of the instrument as the wall shows it.

    Attributes
    ----------
    value : float
        In rad.
    source : str
        How it was found, with its errors, and what was told.
    """

    value: float
    source: str


def phase_of_the_wall(evidence: Evidence) -> WallPhase:
    """Return the phase at which the tip is in phase with the dither on the wall.

    A lossy film under the tip turns it by loss tangent x k_l / (k_c + k_l), which the motion of
    the tip bounds: its systematic error.

    Raises
    ------
    InvalidInput
        If the tip slips there, or the wall cannot tell.
    """
    signal, why = _signal(evidence)
    if signal is None or not signal.sticks:
        why = why if signal is None else _cannot(signal)
        raise InvalidInput(
            f"the phase cannot be taken from the wall: {why[:1].lower()}{why[1:]}. Give "
            'lockin_phase (nrm calibrate phase), and phase = "told" in [lateral] of the recipe'
        )
    told = evidence.told("lockin_phase")
    value = _wrapped((0.0 if math.isnan(told) else told) + signal.phase)
    scale = evidence.plan.lateral_stiffness * evidence.plan.amplitude
    motion = min(abs(signal.force) / scale, 1.0) if scale else _TYPICAL_MOTION
    film = math.degrees(_LOSSY * (1.0 - motion))
    was = "nothing was told" if math.isnan(told) else f"told were {math.degrees(told):.1f}"
    return WallPhase(
        value=value,
        source=f"the wall's: {math.degrees(value):.2f} +- {math.degrees(signal.phase_stderr):.2f} "
        f"degrees on {signal.n_curves} curves whose tip sticks ({was}); a film under the tip with "
        f"a loss tangent of {_LOSSY:g} would make it {film:.1f} degrees too large",
    )


def _of_a_tip_that_sticks(
    evidence: Evidence, signal: WallSignal, about: dict[str, object]
) -> Check:
    off, error = signal.phase, signal.phase_stderr
    told = evidence.told("lockin_phase")
    degrees = math.degrees(off)
    seen = f"on the wall the tip sticks, and its force is {degrees:+.1f} degrees out of phase"
    change = _turned(signal.layer, signal.layer_stderr, off)
    if evidence.recipe.lateral.phase == "wall":
        return _check(
            about,
            "fine",
            f"{seen} as told; the recipe takes the wall's phase instead, and used is "
            f"{phase_of_the_wall(evidence).source}",
        )
    layer = _of_the_layer(signal)
    if abs(off) - 2.0 * error <= _IN_PHASE:
        if layer:
            return _check(about, "doubtful", f"{layer}: {_phase_suspects(told, off)}")
        return _check(about, "fine", f"{seen}, as it should be{_if_not_told(told)}", effect=change)
    if abs(off) > _OUT_OF_PHASE:
        # Of a file that is still being filled in nothing is held against what is not there yet.
        verdict: Verdict = "unknown" if math.isnan(told) and evidence.missing else "wrong"
        return _check(about, verdict, f"{seen}: {_phase_suspects(told, off)}", effect=change)
    stiffness = evidence.plan.lateral_stiffness
    film = (
        " A film under the tip that is lossy can turn it by as much as loss tangent x "
        "lateral_stiffness / (contact + lateral_stiffness)."
        if off > 0.0 and stiffness
        else ""
    )
    return _check(
        about,
        "doubtful",
        f"{seen}: lockin_phase should be {math.degrees(float(about['found'])):.1f} degrees"  # type: ignore[arg-type]
        f"{_if_not_told(told)}.{film} nrm calibrate phase on glass tells, and the recipe's "
        'phase = "wall" in [lateral] takes it from the wall',
        effect=change,
    )


def _if_not_told(told: float) -> str:
    return " (it is not told, and taken as 0)" if math.isnan(told) else ""


def _of_the_layer(signal: WallSignal) -> str:
    """What is impossible about the layer's force just above the wall; empty if nothing is."""
    x, y, error = signal.layer.real, signal.layer.imag, signal.layer_stderr
    if not math.isfinite(error) or abs(signal.layer) < 5.0 * error:
        return ""
    if x < -5.0 * error and abs(x) > abs(y):
        return "the layer's force is opposite to the dither, as if E' were negative"
    if y < -5.0 * error and -y > 0.03 * abs(x):
        return "the layer's force is ahead of the dither, as if E'' were negative"
    return ""


def _phase_suspects(told: float, off: float) -> str:
    """What may be wrong where the phase is off (rad), the likeliest first."""
    base = 0.0 if math.isnan(told) else told
    near = math.radians(6.0)

    def fits(angle: float) -> bool:
        return abs(_wrapped(off - angle)) < near

    likely = []
    if math.isnan(told):
        likely.append(
            f"lockin_phase was never told, and should be {math.degrees(_wrapped(off)):.0f} degrees"
        )
    elif abs(_wrapped(2.0 * base)) > near and fits(-2.0 * base):
        likely.append("lockin_phase, or Y, has the wrong sign")
    if fits(math.pi / 2.0 - 2.0 * base):
        likely.append("X and Y are swapped")
    if fits(math.pi):
        likely.append("half a turn: the lateral signal has the wrong sign")
    if not likely:
        found = math.degrees(_wrapped(base + off))
        likely.append(f"lockin_phase should be {found:.0f} degrees")
    return (
        f"{', or '.join(likely)}. Look at lockin_phase (its sign; degrees or radians), the sign of "
        "Y, and whether X and Y are swapped"
    )


def _turned(layer: complex, error: float, off: float) -> dict[str, float]:
    """Change of E' and E'' if the phase on the wall is the instrument's, by the layer's own."""
    if not math.isfinite(error) or abs(layer) < 5.0 * error or not (layer.real and layer.imag):
        return effect()
    turned = layer * cmath.exp(-1j * off)
    return effect(
        100.0 * (turned.real / layer.real - 1.0), 100.0 * (turned.imag / layer.imag - 1.0)
    )


# ---------------------------------------------------------------- lateral_stiffness


def lateral_stiffness(evidence: Evidence) -> Check:
    """Say what the lever's lateral stiffness does to moduli, by K/k of the layer itself."""
    name, plan = "lateral_stiffness", evidence.plan
    told = evidence.told(name)
    about: dict[str, object] = {"name": name, "told": _or_none(told), "unit": "N/m"}
    if not plan.lateral:
        return _check(about, "unknown", _NO_LATERAL)
    lost = evidence.missing & (SCALE_KEYS - {name})
    signal = wall_signal(evidence)
    layer = abs(signal.layer) if signal is not None else math.nan
    if lost or not math.isfinite(layer):
        what = f"{', '.join(sorted(lost))} not told" if lost else "no layer above the wall"
        return _check(
            about, "unknown", f"{what}: how far the layer bends the lever aside is not known"
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
        return _check(
            about | {"found": None},
            "fine" if small and not direct else "unknown",
            f"it is not told. The layer pulls with {pull:.2g} N/m: a lever of 20 N/m gives way by "
            f"so much that E' would be {soft:.0f} % larger.{direct} nrm calibrate lateral tells",
            effect=effect(soft, soft),
        )
    part = pull / told
    relative = evidence.told(f"{name}_stderr") / told
    known = math.isfinite(relative)
    relative = relative if known else _ERROR_OF_STIFFNESS
    change = 100.0 * 2.0 * part * relative
    error = f"its error of {100 * relative:.0f} %" if known else f"{100 * relative:.0f} % of error"
    return _check(
        about,
        "fine" if change < _SMALL_EFFECT else "unknown",
        f"the layer bends the lever aside by up to {100 * part / (1.0 + part):.2g} % of the "
        f"dither, which is corrected; {error} changes E' by {change:.1f} % by that."
        + (direct or " No wall shows it"),
        effect=effect(change, change),
    )


# ---------------------------------------------------------------- shape_factor


def shape_factor(evidence: Evidence) -> Check:
    """Hold r_g against the package's own for the tip, and say where E' is apparent."""
    name = "shape_factor"
    if not evidence.plan.lateral:
        return Check(name=name, verdict="unknown", advice=_NO_LATERAL)
    values = evidence.shape.values[np.isfinite(evidence.shape.values)]
    told = float(np.median(values)) if len(values) else math.nan
    radius = evidence.told("tip_radius")
    about: dict[str, object] = {"name": name, "told": _or_none(told)}
    near = (
        f"E' nearer than {with_unit(radius, 'm', 3)}, the tip's radius, is apparent: the electrode "
        "is felt there"
        if math.isfinite(radius)
        else "E' nearer than the tip's radius is apparent: the electrode is felt there"
    )
    computed = evidence.shape.tip_radius is not None
    if computed:
        return _check(about, "fine", f"r_g is a curve that was computed for a tip. {near}")
    if not math.isfinite(radius):
        paper = f" ({PAPER:g} is the paper's number)" if abs(told / PAPER - 1.0) < 1e-6 else ""
        return _check(
            about,
            "unknown",
            f"r_g is {told:.3g}{paper}, and tip_radius is not told, on which it depends: both "
            f"moduli are as uncertain as it is. Tell tip_radius. {near}",
        )
    own = evidence.shape.constant
    if not math.isfinite(own):
        return _check(about, "unknown", f"the package has no r_g of its own for this tip. {near}")
    change = 100.0 * (told / own - 1.0)
    agrees = abs(change) < 10.0
    times = (
        f"{told / own:.3g} times what they are. The curves cannot tell which is right; comparisons "
        "at the same distance do not need it, absolute values do"
    )
    near = _apparent(radius, evidence) or near
    return _check(
        about | {"found": own},
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


# ---------------------------------------------------------------- shared

_NO_LATERAL = "there is no lateral signal"


def _check(
    about: dict[str, object],
    verdict: Verdict,
    advice: str,
    effect: dict[str, float] | None = None,
) -> Check:
    values = about if effect is None else about | {"effect": effect}
    return Check(**values, verdict=verdict, advice=advice)  # type: ignore[arg-type]


def _signal(evidence: Evidence) -> tuple[WallSignal | None, str]:
    """What the walls say, or why they say nothing."""
    if not evidence.plan.lateral:
        return None, _NO_LATERAL
    signal = wall_signal(evidence)
    if signal is None:
        return None, (
            "no curve ends on a wall where the lateral signal could be looked at: press harder, "
            f"or {_GLASS}"
        )
    if not signal.seen:
        return None, (
            "there is no lateral signal on the wall: is the dither on, and the lock-in at its "
            "frequency?"
        )
    return signal, ""


def _cannot(signal: WallSignal) -> str:
    """Why the wall cannot confirm."""
    if signal.sticks is False:
        return f"The tip slips there (the force goes as load to the power {signal.exponent:.2f})"
    return "Whether the tip sticks there is not known"


def _wrapped(angle: float) -> float:
    """Angle in (-pi, pi]."""
    return math.pi - (math.pi - angle) % (2.0 * math.pi)


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
