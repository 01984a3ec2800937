"""Whether a stiff film lies under the tip: it gives way a little, and counts as electrode.

A film of stiffness k_f under a lever of k_n makes the wall's slope smaller by k_n/k_f. Three signs
are independent of each other: the slope against that of a hard sample, the curvature of the wall
(a Hertzian contact stiffens with the cubic root of the load; no reference is needed), and the
lateral stiffness of the contact, k_f 2 (1 - nu)/(2 - nu), which the tip's motion on the wall shows
(K. L. Johnson, Contact Mechanics, sections 4.2 and 7.2). A film as stiff as the electrode shows
nowhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.checks.check import Check, effect
from nrm_plugin.engine.checks.evidence import OPPOSITE, Evidence
from nrm_plugin.engine.checks.sampled_signals import (
    SampledSignals,
    lines,
    median,
    pooled,
    signals_of,
)
from nrm_plugin.engine.checks.stability import wall_motion

#: Modulus (Pa) and thickness (m) of films that should not go unseen, and their Poisson's ratio.
SOUGHT, THIN, _POISSON = 1e9, 5e-9, 0.3

#: Part of its thickness by which a film is pressed in at most: the series goes no further.
_DEEPEST = 0.9

#: By how much stiffer than the film that is sought a contact has to be, by the tip's motion, to be
#: none: Poisson's ratio, and what the lateral scale may be off.
_STIFFER = 1.3

#: Tip radius (m) where none is told.
_RADIUS = 15e-9

#: Detectors and scanners bend a wall by so much of its slope between the parts below, and repeat
#: a slope no better than that.
_STRAIGHT, _REPEATS = 0.002, 0.003

#: Parts of the largest load between which the slope of the wall is taken.
_UPPER = (0.6, 0.97)

#: Parts of the load behind the place of touch that the curvature compares; the first begins so far
#: behind it (m) at least, and curves where that is too late do not count.
_BEGIN, _HALF, _END, _LATEST, _CLEAR = 0.1, 0.5, 0.97, 0.35, 1.5e-9

#: Two potentials (V) that differ by less are one; and curves that each group needs.
_APART, _ENOUGH = 0.1, 8

_SURE = 4.0


@dataclass(frozen=True, kw_only=True)
class Compliance:
    """Of the contact, in units of the lever's own: k_n/k_f at the largest load.

    Attributes
    ----------
    value, stderr : float
    by : str
        What shows it.
    """

    value: float
    stderr: float
    by: str


def contact_stiffness(modulus: float, force: float, radius: float) -> float:
    """Normal stiffness in N/m of a sphere on an elastic half-space (Hertz).

    Parameters
    ----------
    modulus : float
        Young's, in Pa.
    force : float
        In N.
    radius : float
        In m.
    """
    return float((6.0 * force * radius * (modulus / (1.0 - _POISSON**2)) ** 2) ** (1.0 / 3.0))


def film_stiffness(modulus: float, force: float, radius: float, thickness: float) -> float:
    """Normal stiffness in N/m of a sphere on a film that is bonded to a rigid ground.

    E. K. Dimitriadis et al., Biophys. J. 82 (2002) 2798, Eq. 11; parameters in SI.
    """
    nu = _POISSON
    first = -(1.2876 - 1.4678 * nu + 1.3442 * nu**2) / (1.0 - nu)
    second = (0.6387 - 1.0277 * nu + 1.5164 * nu**2) / (1.0 - nu)
    turned = 2.0 * first / math.pi
    cubic = turned**3 + 32.0 / (15.0 * math.pi) * second
    fourth = turned * (turned**3 + 24.0 / (5.0 * math.pi) * second)
    series = np.array([1.0, -turned, turned**2, -cubic, fourth])
    depth = _DEEPEST * thickness * np.geomspace(1e-8, 1.0, 2001)
    narrow = np.sqrt(radius * depth) / thickness
    hertz = 4.0 / 3.0 * modulus / (1.0 - nu**2) * math.sqrt(radius) * depth**1.5
    pressed = hertz * np.polynomial.polynomial.polyval(narrow, series)
    return float(np.interp(force, pressed, np.gradient(pressed, depth)))


def modulus_of(stiffness: float, force: float, radius: float) -> float:
    """Young's modulus in Pa of a half-space with a stiffness in N/m; see `contact_stiffness`."""
    return float((1.0 - _POISSON**2) * math.sqrt(stiffness**3 / (6.0 * force * radius)))


@dataclass(frozen=True, kw_only=True)
class _Steepening:
    """By which part the wall's slope grows from the lower loads to the higher ones.

    Attributes
    ----------
    change, stderr : float
    fall : float
        The same over the compliance at the largest load, of a Hertzian contact.
    """

    change: float
    stderr: float
    fall: float


def curvature(signals: SampledSignals, other: SampledSignals | None = None) -> Compliance | None:
    """Compliance from how much steeper the wall becomes with the load.

    Of both directions where they agree: what is slow or rubs bends them apart.
    """
    own = _steepening(signals)
    if own is None:
        return None
    change, stderr = own.change, own.stderr
    back = None if other is None else _steepening(other)
    if back is not None and abs(own.change - back.change) < 3.0 * math.hypot(stderr, back.stderr):
        change, stderr = 0.5 * (change + back.change), 0.5 * math.hypot(stderr, back.stderr)
    return Compliance(
        value=change / own.fall,
        stderr=math.hypot(stderr, _STRAIGHT) / own.fall,
        by="the curvature of the wall",
    )


def _steepening(signals: SampledSignals) -> _Steepening | None:
    """Only what lies behind the place where the tip touches counts, and its load from there on.

    The force of a layer carries the tip before, and its gradient is no compliance of what is under
    it.
    """
    if not signals.height.size:
        return None
    above, touch = signals.force, signals.touch
    reach = np.abs(touch - signals.turn)
    way = np.abs(touch[:, None] - signals.height) / np.maximum(reach, 1e-12)[:, None]
    least = np.maximum(_CLEAR, 4.0 * signals.contacts["noise"])
    begin = np.maximum(_BEGIN, least / np.maximum(reach, 1e-12))
    behind = signals.height < touch[:, None]
    with np.errstate(invalid="ignore"):
        low = behind & (way >= begin[:, None]) & (way < _HALF)
        high = behind & (way >= _HALF) & (way <= _END)
    low[begin > _LATEST], high[begin > _LATEST] = False, False
    slopes = [lines(signals.height, above, part)[2] for part in (low, high)]
    with np.errstate(invalid="ignore", divide="ignore"):
        change, stderr = pooled(slopes[1] / slopes[0] - 1.0)
    if not math.isfinite(stderr) or not stderr > 0.0:
        return None
    # The compliance goes as the load to the power of -1/3; means of it over both parts.
    fall = _mean_compliance(median(begin[begin <= _LATEST]), _HALF) - _mean_compliance(_HALF, _END)
    return _Steepening(change=change, stderr=stderr, fall=fall)


def _mean_compliance(low: float, high: float) -> float:
    """Mean of the load, as a part of the largest, to the power of -1/3."""
    return 1.5 * float(high ** (2.0 / 3.0) - low ** (2.0 / 3.0)) / (high - low)


def against(slope: float, stderr: float, reference: float, error: float, by: str) -> Compliance:
    """Compliance from a slope against that of a hard sample."""
    return Compliance(
        value=abs(reference / slope) - 1.0,
        stderr=math.sqrt((stderr / slope) ** 2 + (error / reference) ** 2 + _REPEATS**2),
        by=by,
    )


def _reference(evidence: Evidence, signals: SampledSignals) -> Compliance | None:
    """Slope of the walls against the run's own open-circuit region, else a hard sample's."""
    slopes = lines(signals.height, signals.force, signals.on_wall(*_UPPER))[2]
    table = evidence.curves.curve_table
    if "potential" in table:
        potential = np.asarray(table["potential"], np.float64)[signals.numbers]
        own = _against_open_circuit(slopes, potential)
        if own is not None:
            return own
    error, value = (
        evidence.told("deflection_sensitivity_stderr"),
        evidence.told("deflection_sensitivity"),
    )
    if not (error > 0.0 and value > 0.0):
        return None
    slope, stderr = pooled(slopes)
    if not math.isfinite(slope):
        return None
    by = "the slope of the wall against that of the hard sample"
    return against(slope, stderr, -1.0, error / value, by)


def _against_open_circuit(slopes: FloatArray, potential: FloatArray) -> Compliance | None:
    """Slope at the lower half of the potentials against the highest, where nothing has grown."""
    known = np.isfinite(potential) & np.isfinite(slopes)
    if known.sum() < 2 * _ENOUGH or np.ptp(potential[known]) < _APART:
        return None
    top, span = potential[known].max(), np.ptp(potential[known])
    first = known & (potential >= top - 0.15 * span)
    later = known & (potential <= top - 0.5 * span)
    if first.sum() < _ENOUGH or later.sum() < _ENOUGH:
        return None
    reference, error = pooled(slopes[first])
    slope, stderr = pooled(slopes[later])
    by = "the slope of the wall at low potentials against that at the highest"
    return against(slope, stderr, reference, error, by)


def motion_on_wall(evidence: Evidence, signals: SampledSignals) -> float:
    """Tip's motion on the wall as a part of the dither; nan if it is not known."""
    plan = evidence.plan
    if signals.lateral is None or not plan.lateral_stiffness:
        return math.nan
    force, _ = pooled(wall_motion(signals))
    return force / (plan.lateral_stiffness * plan.amplitude)


def largest_force(evidence: Evidence) -> float:
    """Force in N at which ramps turned, median; nan without a spring constant or contacts."""
    signals = signals_of(evidence, evidence.direction)
    if signals is None or not len(signals):
        return math.nan
    pressed = (signals.contacts["contact"] - signals.turn) * np.abs(signals.contacts["wall_slope"])
    return pooled(pressed)[0] * evidence.plan.spring_constant


def what_distances_are(evidence: Evidence) -> str:
    """What the electrode is in these results, in words."""
    force = largest_force(evidence)
    at = f"F_max = {force * 1e9:.3g} nN" if math.isfinite(force) else "the largest force"
    return (
        f"distances count from where the tip stopped at {at}: a film that was not pierced at that "
        "force counts as electrode"
    )


def film(evidence: Evidence) -> Check:
    """Whether what counts as electrode gives way like a film."""
    stated = what_distances_are(evidence)
    unknown: dict[str, Any] = {"name": "film", "unit": "Pa", "verdict": "unknown"}
    signals = signals_of(evidence, evidence.direction)
    k_n, force = evidence.plan.spring_constant, largest_force(evidence)
    if signals is None or not math.isfinite(force) or not force > 0.0:
        why = "spring_constant is not known" if not math.isfinite(k_n) else "no wall is long enough"
        return Check(**unknown, advice=f"{why}: a stiff film cannot be told; {stated}")
    told = evidence.told("tip_radius")
    radius = told if told > 0.0 else _RADIUS
    reference = _reference(evidence, signals)
    bent = curvature(signals, signals_of(evidence, OPPOSITE[evidence.direction]))
    signs = [one for one in (reference, bent) if one is not None]
    motion = motion_on_wall(evidence, signals)
    stiffest = film_stiffness(SOUGHT, force, radius, THIN)
    sought = k_n / stiffest
    # The tip's motion is that of a sticking tip at most: the contact is at least so stiff.
    least = _least_stiffness(evidence, motion)
    excluded = least > _STIFFER * stiffest
    seen = [one for one in signs if one.value > max(_SURE * one.stderr, 0.004)]
    if seen and not excluded:
        strongest = max(seen, key=lambda one: one.value / one.stderr)
        denied = any(one.value + 3.0 * one.stderr < 0.3 * strongest.value for one in signs)
        if not denied:
            return _yields(strongest, motion, k_n, force, radius, stated)
    if excluded:
        softer = modulus_of(least, force, radius)
        return Check(
            name="film",
            found=softer,
            unit="Pa",
            verdict="fine",
            effect=effect(0.0, 0.0),
            advice=f"on the wall the tip moves by {motion:.2f} of the dither: what is under it "
            f"is as stiff as a body of {softer * 1e-9:.2g} GPa or more; {stated}",
        )
    best = min(signs, key=lambda one: one.stderr) if signs else None
    if best is not None and max(best.value, 0.0) + 3.0 * best.stderr < sought:
        bound = max(best.value, 0.0) + 2.0 * best.stderr
        softer = modulus_of(k_n / bound, force, radius)
        return Check(
            name="film",
            found=softer,
            unit="Pa",
            verdict="fine",
            effect=effect(0.0, 0.0),
            advice=f"by {best.by}, what is under the tip is as stiff as a body of "
            f"{softer * 1e-9:.2g} GPa or more; "
            f"{stated}",
        )
    error = best.stderr if best is not None else 0.05
    needed = 3.0 * error * stiffest
    sides = []
    if reference is None:
        sides.append(
            "no slope of a hard sample is known (nrm calibrate deflection on glass, same mounting, "
            "liquid and laser spot)"
        )
    if k_n < needed:
        sides.append(
            f"a film of 1 GPa and {THIN * 1e9:.0f} nm changes the slope by "
            f"{100.0 * sought:.1f} %, and "
            f"{100.0 * 3.0 * error:.1f} % would show (a lever of {needed:.2g} N/m would do)"
        )
    if not math.isfinite(motion):
        sides.append("the tip's motion on the wall is not known (lateral_stiffness)")
    elif motion < 0.7:
        sides.append(
            f"on the wall the tip moves by {motion:.2f} of the dither, as on a film or as a tip "
            "that slips"
        )
    if not sides:
        sides.append("the signs contradict each other")
    return Check(
        **unknown,
        advice=f"a stiff film under the tip cannot be told from the electrode: {'; '.join(sides)}; "
        f"{stated}",
    )


def _least_stiffness(evidence: Evidence, motion: float) -> float:
    """Normal stiffness in N/m that the contact has at least, by the tip's motion; 0 if unknown."""
    if not 0.0 < motion < 1.15:
        return 0.0
    part = min(motion / 1.05, 0.97)  # what the scale may be off
    lateral = evidence.plan.lateral_stiffness * part / (1.0 - part)
    return lateral * (2.0 - _POISSON) / (2.0 * (1.0 - _POISSON))


def _yields(
    sign: Compliance, motion: float, k_n: float, force: float, radius: float, stated: str
) -> Check:
    stiffness = k_n / sign.value
    modulus = modulus_of(stiffness, force, radius)
    moved = ""
    if math.isfinite(motion):
        moved = f", and the tip moves by {motion:.2f} of the dither on it"
    deep = force / stiffness * 1.5  # Hertz: the stiffness grows on the way
    return Check(
        name="film",
        found=modulus,
        stderr=1.5 * modulus * sign.stderr / sign.value,
        unit="Pa",
        verdict="doubtful",
        advice=f"by {sign.by}, what counts as electrode gives way like a body of about "
        f"{modulus * 1e-9:.2g} GPa (tip radius {radius * 1e9:.3g} nm{moved}): a film that was not "
        f"pierced, or a soft electrode. The tip sinks about {deep * 1e9:.2g} nm into it, which "
        f"distances do not count; {stated}. Press harder, or compare with the bare electrode",
    )
