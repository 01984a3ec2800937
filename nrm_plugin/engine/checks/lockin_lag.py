"""Lag of the lock-in: what its own noise says, and what the signal at the wall allows.

Noise that has passed n RC filters has the spectrum (1 + (2 pi f tau)^2)^-n. It is independent of
the sample, where samples are dense enough. The signal at the wall, and approach against retract,
are upper bounds only: layers that relax, string or adhere look the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.checks.check import Check, effect
from nrm_plugin.engine.checks.directions import directions_of
from nrm_plugin.engine.checks.evidence import OPPOSITE, Evidence, ProcessedCurves
from nrm_plugin.engine.checks.sampled_signals import (
    SampledSignals,
    lines,
    mean_over_curves,
    median,
    signals_of,
)
from nrm_plugin.engine.checks.stability import adhesion

#: A lag of less depth is no matter (m).
SMALL_DEPTH = 0.5e-9

#: How well the delay has to agree with what was told.
_AGREES = 0.3

#: By so much the likelihood must grow (twice its logarithm) before noise counts as filtered, and
#: the range of delays in which it is no less by the second.
_SURE, _RANGE = 40.0, 9.0

#: Shortest time constant in samples that a spectrum shows.
_FASTEST = 1.5

#: Part of the largest power that is added to all.
_FLOOR = 3e-3

#: Deviance per degree of freedom above which the noise has a spectrum that no filter makes.
_MISFIT = 2.5

#: Part of the delay after which half of a step has come through filters, by their number.
_HALF_STEP = {1: 0.69, 2: 0.84, 3: 0.89, 4: 0.92}

#: Depths (m) at which the effect on the moduli is told.
_DEPTHS = (2e-9, 7e-9)


@dataclass(frozen=True, kw_only=True)
class NoiseDelay:
    """Delay of the filters that the noise has passed.

    Attributes
    ----------
    delay, low, high : float
        In s; nan if the noise does not show it.
    poles : int
    """

    delay: float
    low: float
    high: float
    poles: int


_UNSEEN = NoiseDelay(delay=math.nan, low=math.nan, high=math.nan, poles=0)


def spectrum(table: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean power of the rows of a table over frequency, in bins that widen.

    Parameters
    ----------
    table : (n, m) array
        Samples at equal intervals; a line is taken out of each row.

    Returns
    -------
    frequency : (k,) array
        In cycles per sample.
    power : (k,) array
    count : (k,) array
        Independent values in each.
    """
    n, m = table.shape
    x = np.broadcast_to(np.arange(m, dtype=np.float64), table.shape)
    middle, level, slope = lines(x, table, np.ones(table.shape, bool))
    rest = table - level[:, None] - slope[:, None] * (x - middle[:, None])
    window = np.hanning(m + 2)[1:-1]
    power = np.abs(np.fft.rfft(rest * window, axis=1)) ** 2 / (window**2).sum()
    # The median over rows does not mind single ones with a jump; of exponential values it is
    # ln 2 of the mean.
    mean = np.median(power, axis=0) / np.log(2.0) if n > 8 else power.mean(axis=0)
    edges = np.unique(np.round(np.geomspace(2, m // 2, 48)).astype(int))
    frequency, found, count = [], [], []
    for low, high in pairwise(edges):
        frequency.append(np.exp(np.log(np.arange(low, high)).mean()) / m)
        found.append(mean[low:high].mean())
        # Neighbours share what the window leaks; a median knows less than a mean.
        count.append((high - low) * n * 0.5 * (0.6 if n > 8 else 1.0))
    return np.array(frequency), np.array(found), np.array(count)


def noise_delay(table: FloatArray, interval: float, *several: tuple[int, ...]) -> NoiseDelay:
    """Delay in s of the filters that noise has passed.

    White noise, and noise that grows towards low frequencies, passes the filters; white noise
    comes after them, from the recorder.

    Parameters
    ----------
    table : (n, m) array
        Noise, one row per curve and part of the signal.
    interval : float
        Between samples, in s.
    *several : tuple of int
        Numbers of filters that are tried, the next ones where the noise does not show the first.
    """
    if table.shape[0] < 2 or table.shape[1] < 64:
        return _UNSEEN
    f, power, count = spectrum(table)
    if len(f) < 8 or not (power > 0.0).all():
        return _UNSEEN
    # Far below the rest, spectra are what windows and rounding make of them.
    power = power + _FLOOR * power.max()
    for poles in several:
        seen = _delay_of(f, power, count, table.shape[1], interval, poles)
        if math.isfinite(seen.delay):
            return seen
    return _UNSEEN


def _delay_of(
    f: FloatArray,
    power: FloatArray,
    count: FloatArray,
    samples: int,
    interval: float,
    poles: tuple[int, ...],
) -> NoiseDelay:
    """The same of a spectrum, of rows of so many samples."""
    none = _deviance(np.ones((1, len(f))), f, power, count)[0]
    best: tuple[float, int, FloatArray, FloatArray] | None = None
    for n in poles:
        # In samples; what is faster folds over beyond recognition.
        delays = np.geomspace(_FASTEST * n, max(0.08 * samples, 2.0 * _FASTEST * n), 60)
        left = _deviance(_passed(f, delays / n, n), f, power, count)
        if best is None or left.min() < best[0]:
            best = float(left.min()), n, left, delays
    assert best is not None
    least, n, left, delays = best
    # A spectrum that nothing describes makes all differences larger than they are.
    excess = max(1.0, least / max(len(f) - 4, 1))
    if excess > _MISFIT or none - least < _SURE * excess:
        return _UNSEEN
    possible = left <= least + _RANGE * excess
    if possible[0] or possible[-1]:
        return _UNSEEN
    near, at = delays[possible], int(np.argmin(left))
    return NoiseDelay(
        delay=float(delays[at]) * interval,
        low=float(near[0]) * interval,
        high=float(near[-1]) * interval,
        poles=n,
    )


def _passed(f: FloatArray, time_constants: FloatArray, n: int) -> FloatArray:
    """Power that white noise has behind n filters, with what folds over at the sampling.

    A row per time constant, a column per frequency.
    """
    turns = 2 * np.pi * time_constants[:, None] * f
    total = np.zeros(turns.shape)
    for fold in range(-4, 5):
        part = 1.0 / (1.0 + (turns + 2 * np.pi * fold * time_constants[:, None]) ** 2)
        total += math.prod([part] * n)
    return total


def _deviance(
    passed: FloatArray, f: FloatArray, power: FloatArray, count: FloatArray
) -> FloatArray:
    """Twice the negative logarithm of the likelihood of powers, for each filter.

    Amounts of white noise, of noise as 1/f before the filter, and of white noise behind it are
    fitted (`kernels.noise_amounts`).
    """
    slow = f[0] / f
    amounts = kernels.noise_amounts(passed, slow, power, count)
    model = passed * (amounts[:, :1] + amounts[:, 1:2] * slow) + amounts[:, 2:]
    ratio = power / model
    deviance: FloatArray = 2.0 * (count * (ratio - 1.0 - np.log(ratio))).sum(1)
    return deviance


def baseline_noise(signals: SampledSignals) -> FloatArray:
    """Lateral signal far from the surface: a row per curve and part, all of one length."""
    assert signals.lateral is not None
    ends = np.nan_to_num(signals.contacts["baseline_end"])
    length = int(0.8 * np.median(ends)) if len(ends) else 0
    rows = (ends >= length) & (length >= 64)
    some = signals.lateral[rows, :length]
    table = np.concatenate([some.real, some.imag])
    finite = np.isfinite(table).all(1) & (table.std(1) > 0.0)
    return np.ascontiguousarray(table[finite])


#: How far levels of the lateral force on the wall differ between directions, as a part.
_LEVELS = 0.05

#: Middles of the bins of the way into the wall (m) over which the step is looked at.
_WAY = np.arange(-29.75e-9, 45e-9, 0.5e-9)


def wall_level(signals: SampledSignals) -> complex:
    """Lateral force on the wall, N, with what is far away taken as zero; nan without walls."""
    assert signals.lateral is not None
    wall = signals.on_wall(0.6, 0.97)
    on = (signals.lateral - signals.lateral_zero[:, None])[wall]
    return complex(median(on.real), median(on.imag))


def step(signals: SampledSignals, level: complex) -> FloatArray:
    """Lateral force around the contact, in parts of a level, over `_WAY`; nan in empty bins.

    The way counts from where the tip meets the electrode, or leaves it, into the wall.
    """
    assert signals.lateral is not None
    way = signals.touch[:, None] - signals.height
    width = _WAY[1] - _WAY[0]
    with np.errstate(invalid="ignore"):
        near = (way > _WAY[0] - width / 2) & (way < _WAY[-1] + width / 2)
    near &= np.isfinite(signals.lateral)
    size = (signals.lateral - signals.lateral_zero[:, None])[near]
    along = (size * np.conj(level)).real / abs(level) ** 2
    which = np.round((way[near] - _WAY[0]) / width).astype(int)
    order = np.lexsort((along, which))
    ends = np.searchsorted(which[order], np.arange(len(_WAY) + 1))
    first, count = ends[:-1], np.diff(ends)
    sorted_bins = np.append(along[order], np.nan)  # medians of empty bins are nan
    low = np.where(count > 0, first + (count - 1) // 2, -1)
    high = np.where(count > 0, first + count // 2, -1)
    return np.asarray((sorted_bins[low] + sorted_bins[high]) / 2.0)


def before(profile: FloatArray, direction: str) -> float:
    """What the layer shows before the contact: the level from which the step rises."""
    part = (_WAY > -4e-9) & (_WAY < -2e-9) if direction == "approach" else _WAY < -6e-9
    there = profile[part & np.isfinite(profile)]
    return float(there.max()) if len(there) else 0.0


def crossing(profile: FloatArray, level: float) -> tuple[float, float]:
    """Way at which a profile first comes to a level, in m, and its error; nan if it does not.

    Levels of the two directions are alike to a few per cent: what rises slowly is unsure.
    """
    there = np.flatnonzero(np.isfinite(profile))
    above = np.flatnonzero(profile[there] >= level)
    if not len(above):
        return math.nan, math.nan
    i = above[0]
    if i == 0:
        return float(_WAY[there[0]]), math.inf
    a, b = there[i - 1], there[i]
    part = (level - profile[a]) / (profile[b] - profile[a])
    far = there[max(i - 4, 0)], there[min(i + 3, len(there) - 1)]
    rise = (profile[far[1]] - profile[far[0]]) / (_WAY[far[1]] - _WAY[far[0]])
    return float(_WAY[a] + part * (_WAY[b] - _WAY[a])), _LEVELS / max(float(rise), 1.0)


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What the signals allow.

    Attributes
    ----------
    delay, error : float
        Largest delay in s, and its error; nan if unknown.
    by : str
        What allows it.
    both : bool
        Whether it is from both directions: then it is near the delay itself where the layers of
        the sample do not relax.
    """

    delay: float = math.nan
    error: float = math.nan
    by: str = ""
    both: bool = False


def wall_bound(evidence: Evidence) -> Bound:
    """Largest delay that the step of the lateral force at the wall allows.

    In an approach the lateral force comes late by the delay: its step lies inside the wall. In a
    retract it goes late: outside. Half their distance at one level is free of what the contact
    itself does; one direction alone has it in the bound. Half of a step has come through n filters
    after 0.69, 0.84, 0.89 and 0.92 of their delay; of the slow rise of a tip that slips, all.
    """
    poles = evidence.plan.poles
    part = _HALF_STEP.get(int(poles) if poles > 0.0 else 1, 0.92)
    known = {name: signals_of(evidence, name) for name in (evidence.direction, "retract")}
    known[OPPOSITE[evidence.direction]] = signals_of(evidence, OPPOSITE[evidence.direction])
    retract = known["retract"]
    if retract is not None and np.isfinite(adhesion(retract)).mean() > 0.1:
        # Whether the tip leaves at no load or where it is torn off, nobody knows.
        known = {evidence.direction: known[evidence.direction]}
    used = {name: signals for name, signals in known.items() if signals is not None}
    level = sum(wall_level(signals) for signals in used.values()) / max(len(used), 1)
    own = evidence.direction
    if own not in used or not abs(level) > 0.0:
        return Bound()
    profiles = {name: step(signals, level) for name, signals in used.items()}
    first = "approach" if "approach" in profiles else own
    low = before(profiles[first], first)
    if not low < 0.6:  # the wall adds little to what the layer shows
        return Bound()
    crossed = {name: crossing(p, 0.5 * (low + 1.0)) for name, p in profiles.items()}
    depth = {name: way / part for name, (way, _) in crossed.items()}
    speed = {name: _speed_of(evidence, signals, name) for name, signals in used.items()}
    if not speed[own] > 0.0:
        return Bound()
    sign = 1.0 if own == "approach" else -1.0
    allowed, both = sign * depth[own] / speed[own], False
    error = max(0.4e-9, 0.5 * median(used[own].spacing), crossed[own][1]) / speed[own]
    error += _apart_otherwise(evidence) / speed[own]
    other = OPPOSITE[own]
    if other in depth and math.isfinite(depth[other]) and speed[other] > 0.0:
        between = sign * (depth[own] - depth[other]) / (speed[own] + speed[other])
        allowed, both = min(allowed, between), True
    if not allowed > -2.0 * error:  # what comes before its cause is not the lock-in's
        return Bound()
    return Bound(
        delay=allowed, error=error, by="the step of the lateral force at the wall", both=both
    )


def _apart_otherwise(evidence: Evidence) -> float:
    """How far drag and friction may have moved the directions against each other, in m."""
    found = directions_of(evidence)
    if found is None:
        return 0.0
    apart = np.abs([found.gap, found.wall_at_turn, found.wall_at_contact])
    return 0.3 * float(np.nanmax(apart)) if np.isfinite(apart).any() else 0.0


def layer_bound(evidence: Evidence) -> Bound:
    """Largest delay that the layers allow: how far approach and retract lie apart in them."""
    speeds = {}
    for name in ("approach", "retract"):
        signals = signals_of(evidence, name)
        if signals is None:
            return Bound()
        speeds[name] = _speed_of(evidence, signals, name)
    made = {name: evidence.profiles_of(name) for name in speeds}
    total = speeds["approach"] + speeds["retract"]
    a, r = (_mean_force(made[name]) for name in ("approach", "retract"))
    if a is None or r is None or not total > 0.0:
        return Bound()
    approach, retract = made["approach"], made["retract"]
    assert approach is not None
    assert retract is not None
    shift, error = apart(approach.distance_bin, a, r)
    if not math.isfinite(shift):
        return Bound()
    error += _apart_otherwise(evidence)
    corrected = evidence.plan.lag if evidence.recipe.lateral.lag else 0.0
    delay = corrected + shift / total
    if not delay > -3.0 * error / total:  # what comes before its cause is not the lock-in's
        return Bound()
    return Bound(
        delay=delay,
        error=error / total,
        by="approach against retract in the layers",
        both=True,
    )


def _mean_force(made: ProcessedCurves | None) -> FloatArray | None:
    """Mean lateral force of the curves over the bins of distance, projected on its own phase."""
    if made is None or "binned_force_in_phase" not in made.values:
        return None
    x, y = (made.values[f"binned_force_{part}"] for part in ("in_phase", "quadrature"))
    mean = mean_over_curves(x, 0.5) + 1j * mean_over_curves(y, 0.5)
    size: FloatArray = np.abs(mean)
    return size


def apart(z: FloatArray, a: FloatArray, r: FloatArray) -> tuple[float, float]:
    """How far a profile lies farther out than another one, in m, and an error; nan if unknown.

    Parameters
    ----------
    z : (n,) array
        Distances in equal steps, in m.
    a, r : (n,) arrays
        Sizes of the forces; the second may be smaller by a factor.
    """
    both = np.isfinite(a) & np.isfinite(r) & (z > 1e-9)
    if both.sum() < 16:
        return math.nan, math.nan
    z, a, r = z[both], a[both], r[both]
    far = z > z[0] + 0.75 * (z[-1] - z[0])
    rest = a[far]
    # A layer that fills the bins is a line there.
    noise = float(np.std(rest - np.polyval(np.polyfit(z[far], rest, 1), z[far]))) + 1e-15
    if a.max() - np.median(rest) < 20.0 * noise:
        return math.nan, math.nan
    shifts = np.arange(-12e-9, 12.01e-9, 0.1e-9)
    left = np.empty(len(shifts))
    for i, shift in enumerate(shifts):
        moved = np.interp(z + shift, z, r)
        use = (z + shift >= z[0]) & (z + shift <= z[-1])
        if use.sum() < 8:
            left[i] = np.inf
            continue
        factor = (moved[use] @ a[use]) / max(moved[use] @ moved[use], 1e-300)
        left[i] = np.mean((a[use] - factor * moved[use]) ** 2)
    best = int(np.argmin(left))
    if best in (0, len(shifts) - 1):
        return math.nan, math.nan
    near = shifts[left <= 1.3 * left[best] + 0.1 * noise**2]
    return float(shifts[best]), float(max(0.3e-9, 0.5 * np.ptp(near)))


def _speed_of(evidence: Evidence, signals: SampledSignals, name: str) -> float:
    speed = median(signals.speed)
    return speed if speed > 0.0 else evidence.told(f"{name}_speed")


def lockin_lag(evidence: Evidence) -> Check:
    """Delay of the lock-in, against poles times time constant."""
    plan = evidence.plan
    unknown: dict[str, Any] = {"name": "lockin_lag", "unit": "s", "verdict": "unknown"}
    if not plan.lateral:
        return Check(**unknown, advice="there is no lateral signal")
    if plan.told_lag == 0.0:
        return Check(
            name="lockin_lag",
            unit="s",
            verdict="fine",
            told=0.0,
            effect=effect(0.0, 0.0),
            advice="the filter of a digital lock-in is symmetric: X and Y are not late",
        )
    signals = signals_of(evidence, evidence.direction)
    if signals is None or not len(signals):
        return Check(**unknown, advice="there are no curves to look at")
    speed = _speed_of(evidence, signals, evidence.direction)
    constant = plan.time_constant
    told = constant * plan.poles if constant and plan.poles > 0.0 else plan.told_lag
    if not speed > 0.0:
        return Check(
            **unknown,
            told=told if math.isfinite(told) else None,
            advice="the curves have neither times nor a speed: what depth the lock-in lags behind "
            "is not known. Give approach_speed and retract_speed, or a file with times",
        )
    poles: tuple[tuple[int, ...], ...] = ((1, 2, 4),)
    if plan.poles > 0.0:  # where that number does not suit, another may have been meant
        poles = ((int(plan.poles),), *poles)
    interval = median(signals.interval)
    seen = _UNSEEN
    if math.isfinite(interval):
        seen = noise_delay(baseline_noise(signals), interval, *poles)
    most, told = wall_bound(evidence), told if plan.timed else math.nan
    result = judge(evidence, told, speed, seen, most)
    small = not told * speed > 2.0 * SMALL_DEPTH  # a large lag needs all that is known of it
    if math.isfinite(seen.delay) or (most.both and small and result.verdict != "unknown"):
        return result
    return judge(evidence, told, speed, seen, tighter(most, layer_bound(evidence)))


def tighter(wall: Bound, layers: Bound) -> Bound:
    """The bound that says more: both are upper ones, so the smaller is nearer to the delay."""
    if not math.isfinite(layers.delay):
        return wall
    return wall if wall.both and wall.delay + wall.error < layers.delay + layers.error else layers


def judge(evidence: Evidence, told: float, speed: float, seen: NoiseDelay, allow: Bound) -> Check:
    """Verdict from what was told (s, nan if nothing), what the noise shows and what is allowed."""
    known, most, error = math.isfinite(told), allow.delay, allow.error
    used = told if known and evidence.recipe.lateral.lag else 0.0
    noise = math.isfinite(seen.delay)
    common: dict[str, Any] = {
        "name": "lockin_lag",
        "told": told if known else None,
        "found": seen.delay if noise else None,
        "stderr": 0.5 * (seen.high - seen.low) / 3.0 if noise else math.nan,
        "unit": "s",
    }
    each = f"each ms is {speed * 1e6:.2g} nm of depth"
    allowed = ""
    if math.isfinite(most):
        allowed = f" {allow.by[0].upper()}{allow.by[1:]} allows {_ms(max(most, 0.0))} at most"
    if noise:
        off = (seen.delay - used) * speed
        about = (
            f"the noise of the lateral signal has passed a filter of {_ms(seen.delay)} delay "
            f"({_ms(seen.low)} to {_ms(seen.high)}, {seen.poles} poles)"
        )
        near = seen.low * (1.0 - _AGREES) <= used <= seen.high * (1.0 + _AGREES)
        if near or abs(off) <= SMALL_DEPTH:
            return Check(**common, verdict="fine", effect=effect(0.0, 0.0), advice=about)
        what = (
            f"poles times lockin_time_constant say {_ms(told)}"
            if known
            else "lockin_time_constant and lockin_poles are not known, so that the lag is not "
            "corrected"
        )
        refuted = off < 0.0 and math.isfinite(most) and used > most + 3.0 * error
        if off > 0.0 and math.isfinite(most) and seen.delay > most + 3.0 * error:
            return Check(
                **common,
                verdict="unknown",
                advice=f"{about}, but the step at the wall comes earlier: the noise is slow by "
                f"itself, and says nothing of the filter. {what[0].upper()}{what[1:]}; {each}."
                f"{allowed}",
            )
        return Check(
            **common,
            verdict="wrong" if refuted and abs(off) > 4.0 * SMALL_DEPTH else "doubtful",
            effect=shifted(evidence, off),
            advice=f"{about}, and {what}: profiles are {abs(off) * 1e9:.2g} nm too "
            f"{_where(evidence, off)}. Read the lock-in's settings, and give both",
        )
    if math.isfinite(most):
        off = (most - used) * speed
        if known and used > most + 3.0 * error and -off > 2.0 * SMALL_DEPTH:
            return Check(
                **common,
                verdict="doubtful",
                effect=shifted(evidence, off),
                advice=f"poles times lockin_time_constant say {_ms(told)}, {used * speed * 1e9:.2g}"
                f" nm of depth.{allowed}: the correction is too large. Read the lock-in's settings",
            )
        # A small lag is not too large by more than itself; upper bounds confirm a large one only
        # where they are near.
        if used * speed <= 2.0 * SMALL_DEPTH:
            beyond = (max(most, 0.0) - used + 0.5 * error) * speed
            confirmed = beyond <= 2.0 * SMALL_DEPTH and error * speed <= 3.0 * SMALL_DEPTH
        else:
            near = abs(off) <= SMALL_DEPTH and error * speed <= 2.0 * SMALL_DEPTH
            confirmed = allow.both and near
        if confirmed:
            return Check(
                **common,
                verdict="fine",
                effect=effect(0.0, 0.0),
                advice=f"{each}.{allowed}, and that is corrected or small",
            )
    largest = (
        f" so that profiles may be {off * 1e9:.2g} nm too {_where(evidence, off)}"
        if math.isfinite(most)
        else ""
    )
    if known:
        at_most = (
            f"{allow.by} allows {_ms(max(most, 0.0))} at most (layers that relax look like a lag)"
            if math.isfinite(most)
            else "the wall shows no step either"
        )
        return Check(
            **common,
            verdict="unknown",
            advice=f"{_ms(told)} is corrected as told, and nothing in the data confirms it: the "
            "noise of the lateral signal is too fast for its samples, or comes from the recorder"
            f"; {at_most}. {each[0].upper()}{each[1:]}; ramps at two speeds would tell",
        )
    plan = evidence.plan
    missing = "lockin_poles is" if plan.timed else "times of the samples are"
    missing = missing if plan.time_constant else "lockin_time_constant is"
    return Check(
        **common,
        verdict="unknown",
        advice=f"{missing} not known, so that the lag is not corrected: {each}.{allowed},"
        f"{largest or ' and nothing else in the data shows it'}. "
        "Read the lock-in's settings, and give both",
    )


def shifted(evidence: Evidence, depth: float) -> dict[str, float]:
    """Change of the moduli near the electrode, in per cent, if the signal is late by a depth."""
    made = evidence.profiles_of(evidence.direction)
    if made is None or "storage_modulus" not in made.values:
        return effect()
    z, changes = made.depth, []
    outward = depth if evidence.direction == "approach" else -depth
    for name in ("storage_modulus", "loss_modulus"):
        values = made.values[name]
        mean = mean_over_curves(values, 0.3)
        there = np.isfinite(mean)
        inside = there & (z >= _DEPTHS[0]) & (z <= _DEPTHS[1])
        if inside.sum() < 3 or not there.any():
            return effect()
        # An approach's value at z belongs at z + depth; next to the electrode nothing is known.
        moved = np.interp(z[inside] - outward, z[there], mean[there])
        now = mean[inside].mean()
        changes.append(float(np.clip(100.0 * (moved.mean() / now - 1.0), -999.0, 999.0)))
    return effect(*changes)


def _where(evidence: Evidence, off: float) -> str:
    """Where profiles lie if the signal comes later by `off` than what is corrected."""
    return "near" if (off > 0.0) == (evidence.direction == "approach") else "far"


def _ms(value: float) -> str:
    return f"{value * 1e3:.2g} ms"
