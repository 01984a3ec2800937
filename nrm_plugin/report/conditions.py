"""The conditions of an experiment against those under which the method is known to work.

Ranges are those of sections 3 to 5 of the paper where it gives one; the others follow from what
the derivative and the lock-in do, see the page on processing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray
from nrm_plugin.engine.checks.check import Check
from nrm_plugin.engine.signals import parts
from nrm_plugin.experiment.stated import Facts
from nrm_plugin.model import CurveSet
from nrm_plugin.report.elements import Cell, HtmlTable, Section, headings, words
from nrm_plugin.report.facts import facts_of, recipe_of
from nrm_plugin.report.self_checks import checks_of
from nrm_plugin.text import NOTHING, measure, significant

GOOD, DOUBTFUL, BAD, UNKNOWN = "good", "doubtful", "bad", "unknown"

#: What people read of a verdict.
VERDICTS = {GOOD: "fine", DOUBTFUL: "doubtful", BAD: "outside", UNKNOWN: "not known"}

#: Range of the dither's amplitude (m) and of the spring constant (N/m), section 4 of the paper.
AMPLITUDES, STIFFNESSES = (0.5e-9, 2e-9), (0.1, 3.0)

#: Amplitude over tip radius: "much smaller" is 2 nm on 10 nm, the ends of the paper's ranges.
SMALL_STRAIN, LARGE_STRAIN = 0.2, 0.5

#: How far the scanner's response may be from 1: nothing near, and something near.
QUIET, NEAR = 0.05, 0.3

#: Lag of the lock-in as depth in m, and samples per m.
SHORT_LAG, LONG_LAG = 0.5e-9, 2e-9
DENSE, SPARSE = 2e9, 1e9

#: Depths up to this multiple of the lag hold signals of the electrode.
_LEAK = 2.5

#: What a verdict of a self-check makes of a condition.
_VERDICTS = {"fine": GOOD, "doubtful": DOUBTFUL, "wrong": BAD}

#: Curves from which the sampling is read.
_FEW = 64


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition.

    Attributes
    ----------
    name : str
    wanted : str
    by : str
        Who asks for it.
    verdict : str
        One of `VERDICTS`.
    effect : str
        What that does to the result, and what helps.
    value : str
        As it was in this experiment; empty if it is not known.
    """

    name: str
    wanted: str
    by: str = "the paper"
    verdict: str = UNKNOWN
    effect: str = ""
    value: str = ""

    def is_(self, verdict: str, effect: str, value: str = "") -> Condition:
        """The same condition, judged."""
        return replace(self, verdict=verdict, effect=effect, value=value)


_OURS = "this package"
_AMPLITUDE = Condition(name="Dither amplitude (peak)", wanted="0.5 to 2 nm")
_STRAIN = Condition(name="Dither amplitude over tip radius", wanted="far below 1 (0.2 or less)")
_FREQUENCY = Condition(name="Dither frequency", wanted="away from resonances of the scanner")
_SPRING = Condition(name="Spring constant of the cantilever", wanted="0.1 to 3 N/m")
_LAG = Condition(name="Lag of the lock-in, as depth", wanted="0.5 nm or less", by=_OURS)
_SAMPLES = Condition(name="Samples per nanometre", wanted="2 or more", by=_OURS)
_PHASE = Condition(name="Phase of the instrument", wanted="measured")


def conditions(results: xr.Dataset, curves: CurveSet | None = None) -> list[Condition]:
    """Judge the conditions of an experiment.

    Parameters
    ----------
    results : Dataset
    curves : CurveSet, optional
        From which the results were made; without them the lag is what the self-check says, and
        the sampling that of the results' bins.
    """
    facts = facts_of(results)
    speed, density = _ramp(facts, curves)
    return [
        _amplitude(facts.number("dither_amplitude")),
        _strain(facts.number("dither_amplitude"), facts.number("tip_radius")),
        _frequency(facts.number("dither_frequency"), facts.number("dither_response")),
        _spring(facts.number("spring_constant")),
        _lag(facts, speed, lag_is_corrected(results), checks_of(results)),
        _samples(density or samples_per_metre(results), results),
        _phase(facts),
    ]


def _amplitude(amplitude: float | None) -> Condition:
    if amplitude is None:
        return _AMPLITUDE.is_(
            UNKNOWN, "Moduli are inversely proportional to it: there are none without it."
        )
    shown = _nm(amplitude)
    if amplitude < AMPLITUDES[0]:
        effect = (
            "Less signal than the paper worked with: the noise of all moduli is larger by the same "
            "factor. Nothing is biased by it."
        )
        return _AMPLITUDE.is_(DOUBTFUL, effect, shown)
    if amplitude > AMPLITUDES[1] * (1.0 + 1e-9):
        effect = (
            "The layer may no longer respond in proportion, and the tip may slip or tear it: "
            "moduli come out too small."
        )
        return _AMPLITUDE.is_(BAD, effect, shown)
    return _AMPLITUDE.is_(
        GOOD, "Enough signal, and a response in proportion to the amplitude.", shown
    )


def _strain(amplitude: float | None, radius: float | None) -> Condition:
    if amplitude is None or radius is None:
        missing = "the tip's radius (tip_radius)" if radius is None else "the dither's amplitude"
        return _STRAIN.is_(UNKNOWN, f"The strain of the layer cannot be told without {missing}.")
    ratio = amplitude / radius
    if ratio <= SMALL_STRAIN * (1.0 + 1e-9):
        verdict, effect = GOOD, "The strain is small, as equation 4 takes it to be."
    elif ratio <= LARGE_STRAIN:
        verdict = DOUBTFUL
        effect = (
            "The layer is strained by tens of percent next to the tip: materials that soften with "
            "strain appear softer than they are."
        )
    else:
        verdict = BAD
        effect = (
            "Equation 4 does not hold for such strains: moduli are no material constants. Use a "
            "smaller amplitude."
        )
    return _STRAIN.is_(verdict, effect, significant(ratio, 2))


def _frequency(frequency: float | None, response: float | None) -> Condition:
    if frequency is None:
        effect = "There is no viscosity without it, and nobody can say whether a resonance is near."
        return _FREQUENCY.is_(UNKNOWN, effect)
    shown = _hertz(frequency)
    if response is None:
        effect = (
            "Scanners that move the sample have resonances from a few Hz to a few kHz. Near one, "
            "amplitude and phase of the dither are wrong: moduli are off by a factor, and storage "
            "and loss mix. nrm calibrate response finds them, and gives dither_response."
        )
        return _FREQUENCY.is_(UNKNOWN, effect, shown)
    shown = f"{shown}, response {significant(response)}"
    off = abs(response - 1.0)
    if off <= QUIET:
        effect = "The scanner moves as far as at rest: no resonance is near."
        return _FREQUENCY.is_(GOOD, effect, shown)
    effect = (
        f"The scanner moves {significant(response, 2)} times as far as at rest, so a resonance is "
        "near: its phase mixes storage and loss, and it drifts with temperature and load."
    )
    return _FREQUENCY.is_(DOUBTFUL if off <= NEAR else BAD, effect, shown)


def _spring(stiffness: float | None) -> Condition:
    if stiffness is None:
        return _SPRING.is_(UNKNOWN, "There is no normal force without it.")
    shown = measure(stiffness, "N/m")
    if stiffness < STIFFNESSES[0]:
        effect = (
            "Too soft: the tip may not come through to the electrode, and the origin of depths "
            "would lie inside the layer."
        )
        return _SPRING.is_(BAD, effect, shown)
    if stiffness > STIFFNESSES[1]:
        effect = (
            "Too stiff: the torsion by a soft layer is small against the noise, and small errors "
            "of height are large forces."
        )
        return _SPRING.is_(BAD, effect, shown)
    return _SPRING.is_(GOOD, "Stiff enough to come through, soft enough in torsion.", shown)


def _lag(facts: Facts, speed: float | None, corrected: bool, checks: Sequence[Check]) -> Condition:
    constant, poles = facts.number("lockin_time_constant"), facts.number("lockin_poles")
    if facts.number("lockin_lag") == 0.0:
        return _LAG.is_(GOOD, "The filter of a digital lock-in is symmetric: X and Y are not late.")
    if constant is None or poles is None or speed is None:
        needed = {
            "lockin_time_constant": constant,
            "lockin_poles": poles,
            "the speed of the ramp": speed,
        }
        said = [check for check in checks if check.name == "lockin_lag"]
        text = f"The self-check says: {said[0].text}." if said else ""
        if said and said[0].verdict in _VERDICTS:
            return _LAG.is_(_VERDICTS[said[0].verdict], text)
        missing = [what for what, value in needed.items() if value is None]
        effect = (
            f"It is speed × time constant × poles; not known: {', '.join(missing)}. On the "
            "approach a lag shifts every profile towards the electrode, and nobody can tell by how "
            f"much. {text}".rstrip()
        )
        return _LAG.is_(UNKNOWN, effect)
    lag = speed * constant * poles
    if lag <= SHORT_LAG:
        verdict, effect = GOOD, "Smaller than the window of the derivative."
    elif lag <= LONG_LAG:
        verdict = DOUBTFUL if corrected else BAD
        effect = "Next to the electrode profiles are blurred by about the lag."
    else:
        verdict = BAD
        effect = (
            f"Depths below about {_nm(_LEAK * lag, 2)} hold signals of the electrode itself. Ramp "
            "slower, or use a smaller time constant."
        )
    done = "It was shifted back; what is left is a blur." if corrected else "It was not corrected."
    return _LAG.is_(verdict, f"{effect} {done}", _nm(lag))


def lag_is_corrected(results: xr.Dataset) -> bool:
    """Whether the lock-in's lag was taken out."""
    recipe = recipe_of(results)
    warnings = str(results.attrs.get("warnings", ""))
    return (recipe is None or recipe.lateral.lag) and "lag is not corrected" not in warnings


def _samples(density: float | None, results: xr.Dataset) -> Condition:
    if density is None:
        return _SAMPLES.is_(
            UNKNOWN, "The results do not hold it; it is read from the curves (--curves)."
        )
    recipe = recipe_of(results)
    width = 4e-9 if recipe is None else 2.0 * recipe.derivative.half_width
    inside = f"{significant(density * width, 2)} samples lie in the window of the derivative"
    if density >= DENSE:
        verdict, effect = GOOD, f"{inside}."
    elif density >= SPARSE:
        verdict, effect = DOUBTFUL, f"{inside}: noise and edges of single curves are coarse."
    else:
        verdict = BAD
        effect = (
            f"{inside}: moduli of single curves rest on next to nothing, and the first nanometres "
            "may have no sample at all. Ramp slower, or sample faster."
        )
    return _SAMPLES.is_(verdict, effect, significant(density * 1e-9))


def _phase(facts: Facts) -> Condition:
    if "lockin_phase" not in facts:
        effect = (
            "It was taken as zero. A phase that is off by 2° moves the loss modulus by 3.5 % of "
            "the storage modulus; nrm calibrate phase measures it."
        )
        return _PHASE.is_(UNKNOWN, effect)
    return _PHASE.is_(GOOD, "Storage and loss are told apart.", facts["lockin_phase"].text)


def _ramp(facts: Facts, curves: CurveSet | None) -> tuple[float | None, float | None]:
    """Speed (m/s) and samples per m of the approach, of the curves where they are given."""
    stated = facts.number("approach_speed")
    if curves is None or not curves.n_curves or "height" not in curves.channels:
        return stated, None
    ranges = parts(curves, "approach")
    usable = np.flatnonzero(ranges[:, 1] - ranges[:, 0] > 2)
    timed = "time" in curves.channels
    densities, speeds = [], []
    for number in usable[:: max(1, len(usable) // _FEW)]:
        begin, end = (int(v) for v in ranges[number])
        length = _span(curves.read("height", int(number))[begin:end])
        densities.append((end - begin - 1) / length if length else np.nan)
        if timed:
            seconds = _span(curves.read("time", int(number))[begin:end])
            speeds.append(length / seconds if seconds else np.nan)
    return _middle(speeds) or stated, _middle(densities)


def samples_per_metre(results: xr.Dataset) -> float | None:
    """Samples per m between the electrode and the end of the bins; None in older results."""
    if "binned_force_count" not in results:
        return None
    step = max(1, results.sizes["curve"] // _FEW)
    some = results["binned_force_count"].isel(curve=slice(None, None, step)).values
    middles = np.asarray(results["distance_bin"].values, np.float64)
    some = some.reshape(-1, len(middles)).astype(np.float64)
    some = some[some.any(1)]
    if len(middles) < 2 or not len(some):
        return None
    there = some > 0
    bins = len(middles) - there[:, ::-1].argmax(1) - there.argmax(1)  # with empty ones between
    return float(some.sum() / bins.sum() / (middles[1] - middles[0]))


def _span(values: AnyArray) -> float:
    return abs(float(values[-1] - values[0]))


def _middle(values: Sequence[float]) -> float | None:
    """Median of what is known, None if nothing is."""
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite) & (finite > 0.0)]
    return float(np.median(finite)) if len(finite) else None


def _nm(value: float, digits: int = 3) -> str:
    return measure(value * 1e9, "nm", digits)


def _hertz(value: float) -> str:
    return measure(value * 1e-3, "kHz") if value >= 1e3 else measure(value, "Hz")


def conditions_section(judged: list[Condition]) -> Section:
    """The conditions with their verdicts."""
    order = {tone: rank for rank, tone in enumerate(("bad", "doubtful", "unknown", "good"))}
    rows = [
        [
            words(one.name),
            words(one.value or NOTHING),
            words(f"{one.wanted} ({one.by})"),
            Cell(VERDICTS[one.verdict], float(order[one.verdict]), one.verdict),
            words(one.effect),
        ]
        for one in judged
    ]
    columns = headings("Condition", "Here", "Wanted (by)", "Verdict", "What it does to the result")
    table = HtmlTable("The conditions against the paper's own ranges", columns, rows)
    intro = (
        "Ranges are those in which the paper worked, where it gives one; the others follow from "
        "the derivative and the lock-in. Outside of them results are not wrong by themselves: the "
        "last column says what to expect."
    )
    return Section(
        title="Conditions of the experiment", words=[intro], tables=[table], anchor="conditions"
    )
