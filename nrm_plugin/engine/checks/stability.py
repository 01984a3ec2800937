"""Trends and steps over the order of the acquisition: tip wear, drift of the laser, films."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.engine.checks.check import Check, effect
from nrm_plugin.engine.checks.evidence import Evidence
from nrm_plugin.engine.checks.sampled_signals import SampledSignals, pooled, signals_of
from nrm_plugin.engine.checks.wall_signal import wall_signal

#: Curves from which on a trend is looked for.
_FEWEST = 16

#: A change counts from so many standard errors on: four quantities, trends and steps are sought.
_SURE = 6.0

#: Smallest change from beginning to end, as a part, that is worth a word.
_WORTH = {"wall slope": 0.01, "tip motion on the wall": 0.15, "noise": 0.5, "adhesion": 0.5}

#: What usually is behind it.
_MEANS = {
    "wall slope": "the laser or the liquid drifts, or a film grows on tip or electrode: distances "
    "of early and late curves differ by as much",
    "tip motion on the wall": "the lateral sensitivity, the dither or the tip changes: moduli of "
    "early and late curves differ by as much",
    "noise": "something in the instrument changes: late and early errors differ",
    "adhesion": "the tip wears or something grows on it: its shape factor may change, too",
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of a quantity over the acquisition.

    Attributes
    ----------
    relative, stderr : float
        From beginning to end, or across the step, as a part of the median.
    step : float
        Part of the acquisition after which it jumps; nan for a trend.
    """

    relative: float
    stderr: float
    step: float


def change(values: FloatArray) -> Change | None:
    """Trend or step of values in order, whichever explains more; None if they are too few.

    Neighbours may be alike (a rough electrode is so in places): what the rest has in common with
    its neighbours makes the errors larger.
    """
    order = np.flatnonzero(np.isfinite(values))
    y = values[order]
    n = len(y)
    if n < _FEWEST:
        return None
    middle = float(np.median(y))
    spread = 1.4826 * float(np.median(np.abs(y - middle)))
    if not middle or not spread > 0.0:
        return None
    y = np.clip(y, middle - 5.0 * spread, middle + 5.0 * spread)
    x = np.linspace(-0.5, 0.5, n)
    slope = float((x * (y - y.mean())).sum() / (x**2).sum())
    rest = y - y.mean() - slope * x
    count = np.arange(1, n)
    before = np.cumsum(y)[:-1] / count
    after = (y.sum() - np.cumsum(y)[:-1]) / (n - count)
    inside = (count >= n // 8) & (n - count >= n // 8)
    gain = np.where(inside, (after - before) ** 2 * count * (n - count) / n, 0.0)
    at = int(np.argmax(gain))
    jump = float(after[at] - before[at])
    apart = y - np.where(np.arange(n) <= at, before[at], after[at])
    if gain[at] > slope**2 * (x**2).sum():
        error = _error(apart) * math.sqrt(1.0 / (at + 1) + 1.0 / (n - at - 1))
        return Change(
            relative=jump / abs(middle), stderr=error / abs(middle), step=float((at + 1) / n)
        )
    error = _error(rest) / math.sqrt(float((x**2).sum()))
    return Change(relative=slope / abs(middle), stderr=error / abs(middle), step=math.nan)


def _error(rest: FloatArray) -> float:
    """Standard deviation with what neighbours have in common: from means of growing blocks."""
    n = len(rest)
    found = float(rest.std(ddof=2))
    size = 2
    while n // size >= 8:
        blocks = rest[: n // size * size].reshape(-1, size).mean(1)
        found = max(found, float(blocks.std(ddof=1)) * math.sqrt(size))
        size *= 2
    return found


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
    """Values in the order in which the curves were taken."""
    table = evidence.curves.curve_table
    begun: AnyArray = np.asarray(table["start_time"])[numbers] if "start_time" in table else numbers
    if begun.dtype.kind == "f" and not np.isfinite(begun).all():
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
        if abs(found.relative) > max(_WORTH[name], _SURE * found.stderr):
            seen.append((name, found))
        elif 3.0 * found.stderr > 2.0 * _WORTH[name]:
            weak.append(name)
        all_found[name] = found
    if not looked:
        return Check(
            name="stability",
            unit="%",
            verdict="unknown",
            advice=f"fewer than {_FEWEST} curves: a trend over the acquisition would not show",
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
        f"matters: at most, {_words(name, found)}, and {100.0 * _WORTH[name]:.0f} % would matter",
    )


def _weight(named: tuple[str, Change]) -> float:
    """How large a change is against what is worth a word."""
    return abs(named[1].relative) / _WORTH[named[0]]


def _words(name: str, found: Change) -> str:
    if math.isfinite(found.step):
        return (
            f"{name} jumps by {100.0 * found.relative:+.1f} % after {100.0 * found.step:.0f} % of "
            "the curves"
        )
    return f"{name} changes by {100.0 * found.relative:+.1f} % from beginning to end"
