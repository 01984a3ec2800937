"""Sampling of the ramps, and what is far from the surface: baselines, fringes, lateral drift."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.checks.check import Check, effect
from nrm_plugin.engine.checks.evidence import Evidence, Measured
from nrm_plugin.engine.checks.sampled_signals import (
    SampledSignals,
    both_directions,
    lines,
    median,
    pooled,
    signals_of,
)
from nrm_plugin.engine.contact_scatter import SLOW
from nrm_plugin.variables import BIT

#: A window that is wider than asked for by less than this is worth no word.
_WIDER = 2.0

#: A baseline is long enough from so many samples and so much height (m) on.
_SAMPLES, _LENGTH = 24, 20e-9

#: Share of the curves that may be without one.
_FEW = 0.2

#: Noise over 16 samples against that of single ones, above which a baseline has structure.
_STRUCTURE = 3.0

#: From this ratio on slow noise makes contacts several times as uncertain.
_SLOW_MATTERS = 2.0

#: A bent baseline that moves contacts by less than this (m) is one with their errors.
_MOVED = 0.3e-9

#: Periods of a fringe that a baseline should hold.
_HELD = 0.8

#: Slope of a fringe (m/m) up to which contacts were found to be right.
_STEEP = 0.025

#: What is left in the lateral baseline matters from this part of the moduli on.
_MATTERS = 0.05


def sampling(evidence: Evidence) -> Check:
    """Samples per nm against the window of the derivative, and the resolution that results."""
    measured = evidence.processed
    spacing = measured.survey.spacing
    asked = evidence.recipe.derivative.half_width
    used, nearest = measured.survey.half_width(asked), measured.survey.nearest(asked)
    density = 1e-9 / spacing if spacing > 0.0 else math.nan
    common: dict[str, Any] = {
        "name": "sampling",
        "told": asked,
        "found": used,
        "stderr": 0.0,
        "unit": "m",
    }
    if not spacing > 0.0:
        return Check(
            name="sampling", unit="m", verdict="unknown", advice="the heights do not change"
        )
    about = (
        f"{density:.2g} samples per nm ({spacing * 1e9:.2g} nm per sample): steps of the moduli "
        f"appear {used * 1e9:.2g} nm wide"
    )
    if used <= _WIDER * asked:
        return Check(**common, verdict="fine", effect=effect(0.0, 0.0), advice=about)
    if not nearest:
        return Check(
            **common,
            verdict="doubtful",
            advice=f"{about}, since a window needs five samples; {asked * 1e9:.2g} nm were asked "
            "for. Layers thinner than that are smeared out, and next to the electrode moduli are "
            "means over it. Record more samples, or shorter ramps",
        )
    return Check(
        **common,
        verdict="doubtful",
        advice=f"{about}: too sparse for what lies within {nearest * 1e9:.2g} nm of the electrode, "
        "where nothing is given. Record more samples, or shorter ramps",
    )


def baseline(evidence: Evidence) -> Check:
    """Whether ramps begin far enough from the surface."""
    measured = evidence.processed
    contacts = measured.contacts
    ends = np.nan_to_num(contacts["baseline_end"])
    spacing = measured.travel / np.maximum(measured.samples - 1, 1)
    lengths = ends * spacing
    length, stderr = pooled(lengths)
    short = (ends < _SAMPLES) | (lengths < _LENGTH)
    common: dict[str, Any] = {
        "name": "baseline",
        "found": length,
        "stderr": stderr,
        "unit": "m",
    }
    about = f"the median baseline is {length * 1e9:.3g} nm long ({np.median(ends):.0f} samples)"
    share = float(short.mean()) if len(short) else 1.0
    if share > _FEW:
        return Check(
            **common,
            verdict="doubtful",
            advice=f"{about}, and in {100 * share:.0f} % of the curves it is shorter than "
            f"{_LENGTH * 1e9:.0f} nm or {_SAMPLES} samples: ramps begin inside the layer, or stop "
            "far too early. Zero force and the lateral offset are then those of the layer, and "
            "moduli too small. Begin ramps farther away",
        )
    signals = signals_of(evidence, evidence.direction)
    if signals is None:
        return Check(**common, verdict="fine", effect=effect(0.0, 0.0), advice=about)
    wave = measured.survey.wave
    if wave and length * wave < _HELD * 2.0 * np.pi:
        return Check(
            **common,
            verdict="unknown",
            advice=f"{about}: less than a fringe of {2e9 * np.pi / wave:.0f} nm, which was taken "
            "out, and would have taken the tail of a layer with it. Longer ramps would tell",
        )
    bent, bent_stderr, noise = _bend(signals)
    if abs(bent) > 5.0 * bent_stderr + 0.5 * noise:
        moved = _moved(signals)
        about = (
            f"{about}, and it is bent by {bent * 1e9:.2g} nm from end to end: it still feels the "
            "layer, or the detector drifts or interferes. By the outer two thirds of it contacts "
            f"would lie {abs(moved) * 1e9:.2g} nm elsewhere"
        )
        if abs(moved) > _MOVED:
            return Check(
                **common,
                verdict="doubtful",
                advice=f"{about}, and the true ones farther still. Begin ramps farther away",
            )
        return Check(
            **common,
            verdict="fine",
            effect=effect(0.0, 0.0),
            advice=f"{about}, which their systematic error holds",
        )
    slow = _slow(measured)
    if slow > SLOW:
        scatter = measured.survey.contact_scatter
        about = (
            f"{about}; its noise is slow (1/f, hum, vibrations): means of 16 samples scatter as "
            f"those of white noise {slow:.2g} times as large do. Contacts scatter by "
            f"{scatter * 1e9:.2g} nm, which their standard errors hold, as do those of the moduli; "
            "thickness and distances of single curves are as uncertain"
        )
    if slow > _SLOW_MATTERS:
        return Check(
            **common,
            verdict="doubtful",
            advice=f"{about}. Ramp faster, look for hum and a draught, let the laser warm up",
        )
    return Check(
        **common,
        verdict="fine",
        effect=effect(0.0, 0.0),
        advice=about if slow > SLOW else f"{about} and straight",
    )


def _slow(measured: Measured) -> float:
    """Noise over 16 samples against that of single ones, median over curves; nan without any."""
    contacts = measured.contacts
    with np.errstate(invalid="ignore", divide="ignore"):
        return median(contacts["long_run"] / np.maximum(contacts["noise"], 1e-15))


def _bend(signals: SampledSignals) -> tuple[float, float, float]:
    """How far the deflection's baseline is from straight at its inner end, in m."""
    inside = signals.baseline
    ends = np.nan_to_num(signals.contacts["baseline_end"]).astype(int)
    order = np.arange(inside.shape[1])
    outer = order < (0.6 * ends)[:, None]
    inner = inside & (order >= (0.9 * ends)[:, None])
    middle, level, slope = lines(signals.height, signals.deflection, outer)
    at, last, _ = lines(signals.height, signals.deflection, inner)
    off, stderr = pooled(last - level - slope * (at - middle))
    return off, stderr, median(signals.contacts["noise"])


def _moved(signals: SampledSignals) -> float:
    """How far contacts lie from those by the outer two thirds of each baseline, in m."""
    return pooled(signals.contacts["outer_contact"] - signals.contacts["contact"])[0]


def fringe(evidence: Evidence) -> Check:
    """Interference of light in the deflection: taken out, or left."""
    measured = evidence.processed
    wave = measured.survey.wave
    contacts = measured.contacts
    lengths = np.nan_to_num(contacts["baseline_end"]) * measured.travel
    length = float(np.median(lengths / np.maximum(measured.samples - 1, 1)))
    rough = _rough(measured)
    refused, amplitude = measured.survey.fringe.left, measured.survey.fringe.amplitude
    common: dict[str, Any] = {"name": "fringe", "unit": "m"}
    if not evidence.recipe.contact.interference:
        if rough > _STRUCTURE:
            return Check(
                **common,
                verdict="doubtful",
                advice="baselines have structure beyond their noise, and the recipe looks for no "
                "interference fringe (contact.interference)",
            )
        return Check(
            **common,
            verdict="fine",
            effect=effect(0.0, 0.0),
            advice="baselines are as smooth as their noise lets them be",
        )
    if wave:
        period = 2.0 * np.pi / wave
        held = length / period
        about = (
            f"a fringe of {period * 1e9:.0f} nm period and {amplitude * 1e9:.2g} nm amplitude was "
            "taken out"
        )
        if held < _HELD or wave * amplitude > _STEEP:
            return Check(
                **common,
                found=period,
                verdict="doubtful",
                advice=f"{about}; baselines hold {held:.2g} periods of it, and it is as steep as "
                f"{100.0 * wave * amplitude:.1f} % of the wall: some contacts may be off by a nm. "
                "Longer ramps, or another laser spot, help",
            )
        return Check(**common, found=period, verdict="fine", effect=effect(0.0, 0.0), advice=about)
    if refused:
        period = 2.0 * np.pi / refused
        return Check(
            **common,
            found=period,
            verdict="doubtful",
            advice=f"baselines are bent by {amplitude * 1e9:.2g} nm: by slow noise, by a "
            f"long-ranged force, or by a fringe of about {period * 1e9:.0f} nm, of which "
            f"{length * 1e9:.0f} nm of baseline hold too little. It was left, and contacts may be "
            "wrong by nanometres. Longer ramps, or another laser spot, help",
        )
    if rough > _STRUCTURE:
        return Check(
            **common,
            verdict="doubtful",
            advice="baselines have structure beyond their noise, and no common period: an uneven "
            "fringe, vibrations or drift. Contacts are less certain than their standard errors "
            "say. Look at single curves; another laser spot may help",
        )
    if length < 60e-9:
        return Check(
            **common,
            verdict="unknown",
            advice=f"baselines of {length * 1e9:.0f} nm are too short to show a fringe of some "
            "100 nm. Longer ramps would tell",
        )
    return Check(
        **common,
        verdict="fine",
        effect=effect(0.0, 0.0),
        advice="no interference fringe shows in the baselines",
    )


def _rough(measured: Measured) -> float:
    """The same; inf where more than half of the curves are flagged for it."""
    flagged = (measured.quality & BIT["structure"]) != 0
    if len(flagged) and flagged.mean() > 0.5:
        return math.inf
    return _slow(measured)


def lateral_baseline(evidence: Evidence) -> Check:
    """Whether the lateral signal is level far from the surface.

    Drift is common in time and changes its sign with the direction; the tail of a layer is common
    in height.
    """
    common: dict[str, Any] = {"name": "lateral_baseline", "unit": "N/m"}
    if not evidence.plan.lateral:
        return Check(**common, verdict="unknown", advice="there is no lateral signal")
    signals = signals_of(evidence, evidence.direction)
    slope, stderr = (math.nan, math.nan) if signals is None else _tilt(signals)
    if signals is None or not math.isfinite(slope):
        return Check(
            **common,
            verdict="unknown",
            advice="baselines are too short to show whether the lateral signal is level there",
        )
    scale = _per_gradient(evidence)
    near = _modulus(evidence)
    tail, tail_stderr, drifts = _tail(evidence)
    part = abs(tail if abs(tail) > 0.0 else slope) * scale / near if near else math.nan
    found: dict[str, Any] = {"found": slope, "stderr": stderr}
    about = (
        f"far from the surface the lateral force changes by {_pn(slope)} (± {_pn(stderr)}) per nm"
    )
    if abs(tail) > 5.0 * tail_stderr and part > _MATTERS:
        return Check(
            **common,
            **found,
            verdict="doubtful",
            effect=effect(100.0 * part, math.nan),
            advice=f"{about}, alike in both directions: a layer reaches into the baseline, and is "
            "taken for zero. Moduli and thickness are too small. Begin ramps farther away",
        )
    if abs(slope) > 5.0 * stderr and part > _MATTERS:
        if drifts:
            return Check(
                **common,
                **found,
                verdict="fine",
                effect=effect(0.0, 0.0),
                advice=f"{about}, the other way in the other direction: the offset drifts in time, "
                "and the line of each baseline is taken out",
            )
        other = "would tell them apart" if math.isnan(tail) else "is too uncertain to tell"
        return Check(
            **common,
            **found,
            verdict="unknown",
            advice=f"{about}: a drift of the offset, whose line is taken out, or the tail of a "
            f"layer. The other direction {other}",
        )
    if math.isfinite(part) and 3.0 * stderr * scale / near > 2.0 * _MATTERS:
        return Check(
            **common,
            **found,
            verdict="unknown",
            advice=f"{about}: too uncertain to tell whether it matters. More curves, or longer "
            "baselines, would",
        )
    return Check(
        **common,
        **found,
        verdict="fine",
        effect=effect(0.0, 0.0),
        advice=f"{about}: too little to matter",
    )


def _tilt(signals: SampledSignals) -> tuple[float, float]:
    """Slope of the in-phase lateral force on the baseline, in N/m, and its standard error."""
    assert signals.lateral is not None
    ends = np.nan_to_num(signals.contacts["baseline_end"])[:, None]
    # Its inner end may feel the wall in the lock-in, which has not settled after a retract.
    outer = np.arange(signals.height.shape[1]) < 0.7 * ends
    _, _, slope = lines(signals.height, signals.lateral.real, outer)
    return pooled(slope)


def _tail(evidence: Evidence) -> tuple[float, float, bool]:
    """What both directions have in common of that slope, and its error; 0 if nothing, nan alone.

    And whether they have slopes of opposite signs, as a drift gives them.
    """
    found = both_directions(evidence)
    if found is None:
        return math.nan, math.nan, False
    a, r = (_tilt(s) for s in found)
    error = 0.5 * math.hypot(a[1], r[1])
    sure = abs(a[0]) > 4.0 * a[1] and abs(r[0]) > 4.0 * r[1]
    alike = sure and a[0] * r[0] > 0.0
    return 0.5 * (a[0] + r[0]) if alike else 0.0, error, sure and not alike


def _per_gradient(evidence: Evidence) -> float:
    """Modulus in Pa per N/m of the lateral force's gradient (Eq. 4)."""
    shape: FloatArray = evidence.shape.values
    return 1.0 / (4.0 * median(shape) * evidence.plan.amplitude)


def _modulus(evidence: Evidence) -> float:
    """Median storage modulus within 10 nm of the electrode, in Pa; 0 if there is none."""
    made = evidence.profiles_of(evidence.direction)
    if made is None or "storage_modulus" not in made.values:
        return 0.0
    values = made.values["storage_modulus"][:, (made.depth >= 2e-9) & (made.depth <= 10e-9)]
    values = values[np.isfinite(values)]
    return abs(float(np.median(values))) if len(values) else 0.0


def _pn(value: float) -> str:
    return f"{value * 1e3:.2g} pN"
