"""The conditions of an experiment against those under which the method is known to work.

Ranges are those of sections 3 to 5 of the paper where it gives one; the others follow from what
the derivative and the lock-in do, see the page on processing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray
from nrm_plugin.engine.signals import parts
from nrm_plugin.model import CurveSet
from nrm_plugin.report.known import Known, known_of, recipe_of
from nrm_plugin.report.tables import rounded, with_unit

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

#: Curves from which the sampling is read.
_FEW = 64


@dataclass(frozen=True)
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
    by: str
    verdict: str
    effect: str
    value: str = ""


@dataclass(frozen=True)
class _Wish:
    """What is asked for, and by whom."""

    name: str
    wanted: str
    by: str = "the paper"

    def is_(self, verdict: str, effect: str, value: str = "") -> Condition:
        return Condition(self.name, self.wanted, self.by, verdict, effect, value)


_OURS = "this package"
_AMPLITUDE = _Wish("Dither amplitude (peak)", "0.5 to 2 nm")
_STRAIN = _Wish("Dither amplitude over tip radius", "far below 1 (0.2 or less)")
_FREQUENCY = _Wish("Dither frequency", "away from resonances of the scanner")
_SPRING = _Wish("Spring constant of the cantilever", "0.1 to 3 N/m")
_LAG = _Wish("Lag of the lock-in, as depth", "0.5 nm or less", _OURS)
_SAMPLES = _Wish("Samples per nanometre", "2 or more", _OURS)
_PHASE = _Wish("Phase of the instrument", "measured")


def conditions(results: xr.Dataset, curves: CurveSet | None = None) -> list[Condition]:
    """Judge the conditions of an experiment.

    Parameters
    ----------
    results : Dataset
    curves : CurveSet, optional
        From which the results were made; without them the sampling is not known.
    """
    known = known_of(results)
    speed, density = _ramp(known, curves)
    return [
        _amplitude(known.number("dither_amplitude")),
        _strain(known.number("dither_amplitude"), known.number("tip_radius")),
        _frequency(known.number("dither_frequency"), known.number("dither_response")),
        _spring(known.number("spring_constant")),
        _lag(known, speed, _corrected(results)),
        _samples(density, results),
        _phase(known),
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
    return _STRAIN.is_(verdict, effect, rounded(ratio, 2))


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
    shown = f"{shown}, response {rounded(response)}"
    off = abs(response - 1.0)
    if off <= QUIET:
        effect = "The scanner moves as far as at rest: no resonance is near."
        return _FREQUENCY.is_(GOOD, effect, shown)
    effect = (
        f"The scanner moves {rounded(response, 2)} times as far as at rest, so a resonance is "
        "near: its phase mixes storage and loss, and it drifts with temperature and load."
    )
    return _FREQUENCY.is_(DOUBTFUL if off <= NEAR else BAD, effect, shown)


def _spring(stiffness: float | None) -> Condition:
    if stiffness is None:
        return _SPRING.is_(UNKNOWN, "There is no normal force without it.")
    shown = with_unit(rounded(stiffness), "N/m")
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


def _lag(known: Known, speed: float | None, corrected: bool) -> Condition:
    constant, poles = known.number("lockin_time_constant"), known.number("lockin_poles")
    if constant is None or poles is None or speed is None:
        needed = {
            "lockin_time_constant": constant,
            "lockin_poles": poles,
            "the speed of the ramp": speed,
        }
        missing = [what for what, value in needed.items() if value is None]
        effect = (
            f"It is speed × time constant × poles; not known: {', '.join(missing)}. On the "
            "approach a lag shifts every profile towards the electrode, and nobody can tell by how "
            "much."
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


def _corrected(results: xr.Dataset) -> bool:
    """Whether the lock-in's lag was taken out."""
    recipe = recipe_of(results)
    said = str(results.attrs.get("warnings", ""))
    return (recipe is None or recipe.lateral.lag) and "lag is not corrected" not in said


def _samples(density: float | None, results: xr.Dataset) -> Condition:
    if density is None:
        return _SAMPLES.is_(
            UNKNOWN, "The results do not hold it; it is read from the curves (--curves)."
        )
    recipe = recipe_of(results)
    width = 4e-9 if recipe is None else 2.0 * recipe.derivative.half_width
    inside = f"{rounded(density * width, 2)} samples lie in the window of the derivative"
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
    return _SAMPLES.is_(verdict, effect, rounded(density * 1e-9))


def _phase(known: Known) -> Condition:
    if "lockin_phase" not in known:
        effect = (
            "It was taken as zero. A phase that is off by 2° moves the loss modulus by 3.5 % of "
            "the storage modulus; nrm calibrate phase measures it."
        )
        return _PHASE.is_(UNKNOWN, effect)
    return _PHASE.is_(GOOD, "Storage and loss are told apart.", known["lockin_phase"].text)


def _ramp(known: Known, curves: CurveSet | None) -> tuple[float | None, float | None]:
    """Speed (m/s) and samples per m of the approach, of the curves where they are given."""
    said = known.number("approach_speed")
    if curves is None or not curves.n_curves or "height" not in curves.channels:
        return said, None
    ranges = parts(curves, "approach")
    there = np.flatnonzero(ranges[:, 1] - ranges[:, 0] > 2)
    timed = "time" in curves.channels
    densities, speeds = [], []
    for number in there[:: max(1, len(there) // _FEW)]:
        begin, end = (int(v) for v in ranges[number])
        way = _span(curves.read("height", int(number))[begin:end])
        densities.append((end - begin - 1) / way if way else np.nan)
        if timed:
            lasted = _span(curves.read("time", int(number))[begin:end])
            speeds.append(way / lasted if lasted else np.nan)
    return _middle(speeds) or said, _middle(densities)


def _span(values: AnyArray) -> float:
    return abs(float(values[-1] - values[0]))


def _middle(values: Sequence[float]) -> float | None:
    """Median of what is known, None if nothing is."""
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found) & (found > 0.0)]
    return float(np.median(found)) if len(found) else None


def _nm(value: float, digits: int = 3) -> str:
    return with_unit(rounded(value * 1e9, digits), "nm")


def _hertz(value: float) -> str:
    if value >= 1e3:
        return with_unit(rounded(value * 1e-3), "kHz")
    return with_unit(rounded(value), "Hz")
