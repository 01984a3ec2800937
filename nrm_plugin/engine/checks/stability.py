"""Trends and steps over the order of the acquisition: tip wear, drift of the laser, films."""

from __future__ import annotations

import math

import numpy as np

from nrm_plugin.changes import FEWEST, SURE, WORTH, Change, change
from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.engine.checks.check import Check, effect
from nrm_plugin.engine.checks.evidence import Evidence
from nrm_plugin.engine.checks.sampled_signals import SampledSignals, pooled, signals_of
from nrm_plugin.engine.checks.wall_signal import wall_signal

#: What usually is behind it.
_MEANS = {
    "wall slope": "the laser or the liquid drifts, or a film grows on tip or electrode: distances "
    "of early and late curves differ by as much",
    "tip motion on the wall": "the lateral sensitivity, the dither or the tip changes: moduli of "
    "early and late curves differ by as much",
    "noise": "something in the instrument changes: late and early errors differ",
    "adhesion": "the tip wears or something grows on it: its shape factor may change, too",
}


def adhesion(signals: SampledSignals) -> FloatArray:
    """How far below its baseline the deflection goes, in m; nan where it stays within noise."""
    force = np.where(np.isfinite(signals.force), signals.force, np.inf)
    if not force.size:
        return np.full(len(force), np.nan)
    # Means of 4 samples: single ones go below by noise alone.
    m = force.shape[1] // 4 * 4
    means = force[:, :m].reshape(len(force), -1, 4).mean(2) if m else force
    deepest = -means.min(1)
    noise = signals.contacts["noise"]
    with np.errstate(invalid="ignore"):
        return np.where(deepest > 6.0 * noise, deepest, np.nan)


def wall_motion(signals: SampledSignals) -> FloatArray:
    """Lateral force on the last part of the wall, far from the surface taken as zero; N, (n,)."""
    assert signals.lateral is not None
    wall, far = signals.on_wall(0.6, 0.97), signals.baseline
    with np.errstate(invalid="ignore", divide="ignore"):
        on = np.where(wall, signals.lateral, 0.0).sum(1) / wall.sum(1)
        off = np.where(far, signals.lateral, 0.0).sum(1) / far.sum(1)
    size: FloatArray = np.abs(on - off)
    return size


def quantities(evidence: Evidence) -> dict[str, FloatArray]:
    """What is followed over the acquisition, one value per curve in its order."""
    measured = evidence.processed
    signals = signals_of(evidence, evidence.direction)
    found = {
        "wall slope": _ordered(evidence, measured.numbers, measured.contacts["wall_slope"]),
        "noise": _ordered(evidence, measured.numbers, measured.contacts["noise"]),
    }
    wall = wall_signal(evidence)
    sticks = wall is not None and wall.sticks
    # A tip that slips moves as the load lets it, and the load is what the layer leaves of it.
    if sticks and signals is not None and signals.lateral is not None:
        found["tip motion on the wall"] = _ordered(evidence, signals.numbers, wall_motion(signals))
    retract = signals_of(evidence, "retract")
    if retract is not None:
        values = adhesion(retract)
        if len(values) and np.isfinite(values).mean() > 0.7:
            found["adhesion"] = _ordered(evidence, retract.numbers, values)
    return found


def _ordered(evidence: Evidence, numbers: IntArray, values: FloatArray) -> FloatArray:
    """Values in the order in which the curves were taken; in that of the file if times lack."""
    begun: AnyArray = np.asarray(evidence.curves.curve_table["start_time"])[numbers]
    if np.isnat(begun).any():
        begun = numbers
    return values[np.argsort(begun, kind="stable")]


def stability(evidence: Evidence) -> Check:
    """Whether wall, tip motion, noise and adhesion stay as they are over the acquisition."""
    seen, weak, looked = [], [], 0
    all_found = {}
    for name, values in quantities(evidence).items():
        found = change(values)
        if found is None:
            continue
        looked += 1
        if abs(found.relative) > max(WORTH[name], SURE * found.stderr):
            seen.append((name, found))
        elif 3.0 * found.stderr > 2.0 * WORTH[name]:
            weak.append(name)
        all_found[name] = found
    if not looked:
        return Check(
            name="stability",
            unit="%",
            verdict="unknown",
            advice=f"fewer than {FEWEST} curves: a trend over the acquisition would not show",
        )
    if seen:
        name, found = max(seen, key=_weight)
        told = "; ".join(f"{_words(n, c)}: {_MEANS[n]}" for n, c in seen)
        motion = next((c.relative for n, c in seen if n == "tip motion on the wall"), 0.0)
        by = -100.0 * motion / (1.0 + motion) if motion else 0.0
        return Check(
            name="stability",
            found=100.0 * found.relative,
            stderr=100.0 * found.stderr,
            unit="%",
            verdict="doubtful",
            effect=effect(by, by),
            advice=f"{told}. Potential and time are not separable in one run: measure a reference "
            "before and after, or repeat the sweep",
        )
    values = quantities(evidence)["wall slope"]
    if weak and "wall slope" in weak:
        _, stderr = pooled(values)
        return Check(
            name="stability",
            unit="%",
            stderr=100.0 * stderr,
            verdict="unknown",
            advice=f"{', '.join(weak)} scatter too much to show a trend that would matter",
        )
    name, found = max(all_found.items(), key=_weight)
    return Check(
        name="stability",
        found=100.0 * found.relative,
        stderr=100.0 * found.stderr,
        unit="%",
        verdict="fine",
        effect=effect(0.0, 0.0),
        advice=f"over the acquisition {', '.join(all_found)} show no trend and no step that "
        f"matters: at most, {_words(name, found)}, and {100.0 * WORTH[name]:.0f} % would matter",
    )


def _weight(named: tuple[str, Change]) -> float:
    """How large a change is against what is worth a word."""
    return abs(named[1].relative) / WORTH[named[0]]


def _words(name: str, found: Change) -> str:
    if math.isfinite(found.step):
        return (
            f"{name} jumps by {100.0 * found.relative:+.1f} % after {100.0 * found.step:.0f} % of "
            "the curves"
        )
    return f"{name} changes by {100.0 * found.relative:+.1f} % from beginning to end"
