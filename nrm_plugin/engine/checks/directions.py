"""Approach against retract: the drag of the liquid on the lever, and friction on the wall.

Both show where the curves of the two directions lie apart. A thermal drift of the deflection is
common in time, and is taken out first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.checks.check import Check, effect
from nrm_plugin.engine.checks.evidence import OPPOSITE, Evidence
from nrm_plugin.engine.checks.sampled_signals import (
    SampledSignals,
    both_directions,
    lines,
    median,
    pooled,
)

#: A drag that moves the contact by less (m) is no matter.
SMALL_SHIFT = 0.3e-9

#: Walls whose slopes differ by less are alike.
_ALIKE = 0.015

#: A lever whose tip stands on the sample while its base moves is bent by drag the other way, by
#: this part at most: uniform load on a beam that is clamped at one end and supported at the other.
_SUPPORTED = 1.0 / 8.0

#: Walls are not known to be straight well enough to say more of the drag than this part.
_KNOWN = 0.03

#: Part of the largest deflection between which walls of the two directions are compared.
_COMPARED = (0.35, 0.97)


@dataclass(frozen=True, kw_only=True)
class Directions:
    """How approach and retract differ.

    Attributes
    ----------
    gap, gap_stderr : float
        Of the baselines, approach above retract, in m, without drift: the sum of the drags.
    drift : float
        Change of the deflection in time that was taken out, m per m of ramp, approach.
    wall_at_turn, wall_at_contact : float
        The same gap of the walls, at the turn and at the contact, in m; nan without walls.
    wall_stderr : float
    slopes : (float, float)
        Of the walls in approach and retract, over the same loads.
    difference, difference_stderr : float
        Of the slopes, as a part of their mean.
    part : mapping of str to float
        Part of the drag that belongs to each direction: its speed over the sum of both.
    """

    gap: float
    gap_stderr: float
    drift: float
    wall_at_turn: float
    wall_at_contact: float
    wall_stderr: float
    slopes: tuple[float, float]
    difference: float
    difference_stderr: float
    part: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class DragShift:
    """How far drag moves the contacts.

    Attributes
    ----------
    shift : mapping of str to float
        To be added to the contact heights of a direction, in m.
    systematic : float
        What is not known of it, in m.
    """

    shift: Mapping[str, float] = field(default_factory=lambda: {"approach": 0.0, "retract": 0.0})
    systematic: float = 0.0


def compare(approach: SampledSignals, retract: SampledSignals) -> Directions:
    """Compare the directions of the same curves."""
    turn = 0.5 * (approach.turn + retract.turn)
    noise = median(approach.contacts["noise"])
    a, r = (_baseline(s) for s in (approach, retract))
    # Both lines in the middle between them, and how their distance grows from there to the turn:
    # by drift, which has no time to act at the turn itself.
    away = 0.5 * (a.middle + r.middle)
    gaps = a.at(away) - r.at(away)
    least = noise * math.sqrt(2.0 / max(median(a.count), 1.0))
    gap, gap_stderr = pooled(gaps, least)
    tilt, tilt_stderr = pooled(a.slope - r.slope)
    distance = median(away - turn)
    v_a, v_r = _speeds(approach, retract)
    steep = _walls(approach, retract, turn, (a, r))
    return Directions(
        gap=gap - tilt * distance,
        gap_stderr=float(np.hypot(gap_stderr, tilt_stderr * distance)),
        drift=-tilt * v_r / (v_a + v_r),
        **steep,
        part={"approach": v_a / (v_a + v_r), "retract": v_r / (v_a + v_r)},
    )


@dataclass(frozen=True)
class _Line:
    middle: FloatArray
    level: FloatArray
    slope: FloatArray
    count: FloatArray

    def at(self, height: FloatArray) -> FloatArray:
        return self.level + self.slope * (height - self.middle)


def _baseline(signals: SampledSignals) -> _Line:
    inside = signals.baseline
    return _Line(*lines(signals.height, signals.deflection, inside), inside.sum(1))


def _speeds(approach: SampledSignals, retract: SampledSignals) -> tuple[float, float]:
    """Of both ramps; where they have no times, by their samples at one rate."""
    found = [median(s.speed) for s in (approach, retract)]
    if not np.isfinite(found).all():
        found = [median(s.spacing) for s in (approach, retract)]
    return found[0], found[1]


def _walls(
    approach: SampledSignals,
    retract: SampledSignals,
    turn: FloatArray,
    lying: tuple[_Line, _Line],
) -> dict[str, Any]:
    """Lines on both walls over the same loads, without virtual tilt and drift."""
    zero = lying[0].at(turn)
    made = []
    for signals, line in zip((approach, retract), lying, strict=True):
        # Each direction has its own tilt; at the turn, drift has had no time.
        tilt = line.slope[:, None] * (signals.height - turn[:, None])
        above = signals.deflection - zero[:, None] - tilt
        made.append(_Line(*lines(signals.height, above, signals.on_wall(*_COMPARED)), turn))
    a, r = made
    mean = 0.5 * (a.slope + r.slope)
    difference, stderr = pooled((a.slope - r.slope) / mean)
    at_turn, turn_stderr = pooled(a.at(turn) - r.at(turn))
    at = approach.contacts["contact"]
    at_contact, contact_stderr = pooled(a.at(at) - r.at(at))
    return {
        "wall_at_turn": at_turn,
        "wall_at_contact": at_contact,
        "wall_stderr": max(turn_stderr, contact_stderr),
        "slopes": (pooled(a.slope)[0], pooled(r.slope)[0]),
        "difference": difference,
        "difference_stderr": stderr,
    }


def directions_of(evidence: Evidence) -> Directions | None:
    """How the directions of the curves differ; None without both, or without any way."""

    def make() -> Directions | None:
        found = both_directions(evidence)
        # Curves of a sample or two go nowhere.
        return None if found is None or sum(_speeds(*found)) == 0.0 else compare(*found)

    found = evidence.remember("directions", make)
    assert found is None or isinstance(found, Directions)
    return found


def drag_shift(found: Directions) -> DragShift:
    """How far drag moves the contacts.

    Off the wall, the lever is bent by the drag; on it the tip stands still, and the drag bends it
    less, or the other way. The contact is where the lines cross, so that the difference of both
    counts. How far the walls lie apart tells what is left on them: at the turn, where the error of
    a scanner is none, and at the contact, where friction is none.
    """
    gap = found.gap
    if not gap > max(SMALL_SHIFT, 4.0 * found.gap_stderr):
        return DragShift()
    candidates = np.array([found.wall_at_turn, found.wall_at_contact])
    tolerance = 0.1e-9 + 3.0 * np.nan_to_num(found.wall_stderr) + found.gap_stderr
    low, high = -_SUPPORTED * gap, gap
    near = np.isfinite(candidates)
    near &= (candidates > low - tolerance) & (candidates < high + tolerance)
    left = np.clip(candidates[near], low, high)
    if len(left):
        on_wall, spread = float(left.mean()), float(np.ptp(left)) / 2.0
    else:  # friction and the scanner's error hide it
        on_wall, spread = 0.0, 0.5 * gap
    steep = abs(sum(found.slopes)) / 2.0
    moved = (gap - on_wall) / (steep if steep > 0.0 else 1.0)
    systematic = math.hypot(spread, found.gap_stderr, _KNOWN * gap)
    return DragShift(
        shift={
            "approach": moved * found.part["approach"],
            "retract": -moved * found.part["retract"],
        },
        systematic=systematic * max(found.part.values()),
    )


def drag(evidence: Evidence) -> Check:
    """Drag of the liquid on the lever: the baselines of the directions lie apart."""
    found = directions_of(evidence)
    if found is None or not math.isfinite(found.gap):
        return Check(name="drag", unit="m", verdict="unknown", advice=_unseen(evidence))
    told = evidence.recipe.contact.drag
    moved = drag_shift(found)
    shift = abs(moved.shift[evidence.direction])
    about = (
        f"without drift, the baselines of approach and retract lie {_nm(found.gap)} "
        f"(± {_nm(found.gap_stderr)}) apart"
    )
    common: dict[str, Any] = {
        "name": "drag",
        "told": told,
        "found": found.gap,
        "stderr": found.gap_stderr,
        "unit": "m",
    }
    if found.gap < -max(SMALL_SHIFT, 5.0 * found.gap_stderr):
        return Check(
            **common,
            verdict="doubtful",
            effect=effect(0.0, 0.0),
            advice=f"{about}, the retract above the approach: drag does the opposite. The tip may "
            "still be held far from the surface, or the deflection jumps when the ramp turns. "
            "Contacts of both directions differ by as much; moduli hardly do. Use longer ramps",
        )
    if not shift:
        if 4.0 * found.gap_stderr > 2.0 * SMALL_SHIFT:
            return Check(
                **common,
                verdict="unknown",
                advice=f"{about}: too uncertain to see a drag that moves the contact by "
                f"{_nm(SMALL_SHIFT)}. More curves or longer baselines would tell",
            )
        return Check(
            **common,
            verdict="fine",
            effect=effect(0.0, 0.0),
            advice=f"{about}: drag hardly moves the contact",
        )
    if told == "ignored":
        return Check(
            **common,
            verdict="doubtful",
            effect=effect(0.0, 0.0),
            advice=f"{about}: drag moves the contact heights of the {evidence.direction} by "
            f"{_nm(shift)}, and the recipe leaves it so (contact.drag). Distances from the "
            'electrode and moduli hardly change. Set contact.drag to "corrected", or ramp slower',
        )
    corrected = (
        f"{about}: the contact heights are corrected by {_nm(shift)}, "
        f"known to {_nm(moved.systematic)}; distances and moduli do not change"
    )
    if moved.systematic > SMALL_SHIFT:
        return Check(
            **common,
            verdict="doubtful",
            effect=effect(0.0, 0.0),
            advice=f"{corrected}. How much of the drag is left while the tip stands on the wall "
            "cannot be told from friction or the scanner's own error: ramp slower",
        )
    return Check(**common, verdict="fine", effect=effect(0.0, 0.0), advice=corrected)


def _unseen(evidence: Evidence) -> str:
    """What a drag would do that nobody can see."""
    missing = OPPOSITE[evidence.direction]
    stiffness, speed = evidence.plan.spring_constant, _speed(evidence)
    size = ""
    if math.isfinite(stiffness) and math.isfinite(speed):
        size = (
            f" At {speed * 1e6:.3g} µm/s each µN s/m of drag on the lever moves the contact by "
            f"{_nm(1e-6 * speed / stiffness)}."
        )
    return (
        f"the curves have no {missing} that could be compared: drag of the liquid on the lever "
        f"moves the contact heights, and cannot be seen.{size} Record both directions"
    )


def _speed(evidence: Evidence) -> float:
    """Of the direction that is processed, in m/s; nan if it is not known."""
    speed = median(evidence.processed.speed)
    return speed if speed > 0.0 else evidence.told(f"{evidence.direction}_speed")


def friction(evidence: Evidence) -> Check:
    """Friction on the wall: a tilted lever whose tip is dragged along has walls of two slopes."""
    found = directions_of(evidence)
    if found is None:
        return Check(
            name="friction",
            verdict="unknown",
            advice=f"the curves have no {OPPOSITE[evidence.direction]}: friction of the tip on the "
            "wall makes the slopes of both directions differ, and one alone does not show it. "
            "Record both directions",
        )
    if not math.isfinite(found.difference):
        return Check(
            name="friction",
            verdict="unknown",
            advice="too few curves have a wall in both directions: slopes cannot be compared. "
            "Let ramps press further",
        )
    half, stderr = 0.5 * found.difference, 0.5 * found.difference_stderr
    common: dict[str, Any] = {
        "name": "friction",
        "told": None,
        "found": 100.0 * half,
        "stderr": 100.0 * stderr,
        "unit": "%",
    }
    about = (
        f"on the wall the slopes of approach and retract are {100.0 * half:+.1f} % and "
        f"{-100.0 * half:+.1f} % off their mean"
    )
    if abs(half) > _ALIKE + 3.0 * stderr:
        why = _explained(found)
        if evidence.recipe.contact.distance == "wall":
            what = (
                "Each direction counts distances by its own slope, so that moduli hardly change; "
                f"normal forces are off by {100.0 * abs(half):.1f} %"
            )
            change = effect(0.0, 0.0)
        else:
            what = (
                'Distances by the told sensitivity (contact.distance = "told") are wrong next to '
                'the electrode by the difference: use "wall"'
            )
            change = effect()
        return Check(
            **common,
            verdict="doubtful",
            effect=change,
            advice=f"{about}, {why}. {what}. The mean of both directions is the sensitivity",
        )
    if 3.0 * stderr > _ALIKE:
        return Check(
            **common,
            verdict="unknown",
            advice=f"{about} (± {100.0 * stderr:.1f} %): too uncertain. More curves, or a longer "
            "wall, would tell",
        )
    return Check(
        **common,
        verdict="fine",
        effect=effect(0.0, 0.0),
        advice=f"{about}: walls of both directions are alike",
    )


def _explained(found: Directions) -> str:
    """What makes the slopes differ: walls of friction meet at the contact, a scanner's at the turn.

    With drag, what is left of it on the wall keeps them apart in both places.
    """
    drag = max(found.gap, 0.0)
    at_contact, at_turn = (
        max(apart - drag, -_SUPPORTED * drag - apart, 0.0)
        for apart in (found.wall_at_contact, found.wall_at_turn)
    )
    if at_contact < 0.4 * at_turn:
        return "as friction of a tilted lever does it (they meet at the contact)"
    if at_turn < 0.4 * at_contact:
        return "as an open-loop scanner does it (they meet at the turn)"
    return "by friction of a tilted lever or by the error of an open-loop scanner"


def _nm(value: float) -> str:
    return f"{value * 1e9:.2g} nm" if abs(value) < 99.5e-9 else f"{value * 1e9:.0f} nm"
