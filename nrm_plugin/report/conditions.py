"""The conditions of an experiment against those under which the method is known to work.

Ranges are those of sections 3 to 5 of the paper where it gives one; the others follow from what
the derivative and the lock-in do, see the page on processing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.model import CurveSet
from nrm_plugin.report.known import Known, known_of, recipe_of
from nrm_plugin.report.tables import rounded, with_unit

GOOD, DOUBTFUL, BAD, UNKNOWN = "good", "doubtful", "bad", "unknown"

#: What people read of a verdict.
VERDICTS = {GOOD: "fine", DOUBTFUL: "doubtful", BAD: "outside", UNKNOWN: "not known"}

_PAPER, _PACKAGE = "the paper", "this package"

#: Curves from which the sampling is read.
_FEW = 64


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes
    ----------
    name : str
    value : str
        As it was in this experiment.
    wanted : str
    by : str
        Who asks for it.
    verdict : str
        One of `VERDICTS`.
    effect : str
        What that does to the result, and what helps.
    """

    name: str
    value: str
    wanted: str
    by: str
    verdict: str
    effect: str


@dataclass(frozen=True)
class Ramp:
    """How an approach was sampled: samples per m, and speed in m/s; None if not known."""

    per_metre: float | None = None
    speed: float | None = None


def conditions(results: xr.Dataset, curves: CurveSet | None = None) -> list[Condition]:
    """Judge the conditions of an experiment.

    Parameters
    ----------
    results : Dataset
    curves : CurveSet, optional
        From which the results were made; without them the sampling is not known.
    """
    known = known_of(results)
    ramp = _ramp(known, curves)
    return [
        *_dither(known),
        _frequency(known),
        _spring(known),
        _lag(known, ramp, results),
        _samples(ramp, results),
        _phase(known),
    ]


def _dither(known: Known) -> Iterator[Condition]:
    amplitude, radius = known.number("dither_amplitude"), known.number("tip_radius")
    name, wanted = "Dither amplitude (peak)", "0.5 to 2 nm"
    if amplitude is None:
        yield Condition(name, "", wanted, _PAPER, UNKNOWN,
                        "Moduli are inversely proportional to it: there are none without it.")  # fmt: skip
    elif amplitude < 0.5e-9:
        yield Condition(name, _nm(amplitude), wanted, _PAPER, DOUBTFUL,
                        "Less signal than the paper worked with: the noise of all moduli is larger "
                        "by the same factor. Nothing is biased by it.")  # fmt: skip
    elif amplitude <= 2e-9:
        yield Condition(name, _nm(amplitude), wanted, _PAPER, GOOD,
                        "Enough signal, and a response in proportion to the amplitude.")  # fmt: skip
    else:
        yield Condition(name, _nm(amplitude), wanted, _PAPER, BAD,
                        "The layer may no longer respond in proportion, and the tip may slip or tear "
                        "it: moduli come out too small.")  # fmt: skip
    name, wanted = "Dither amplitude over tip radius", "far below 1 (0.2 or less)"
    if amplitude is None or radius is None:
        missing = "the tip's radius (tip_radius)" if radius is None else "the dither's amplitude"
        yield Condition(name, "", wanted, _PAPER, UNKNOWN,
                        f"The strain of the layer cannot be told without {missing}.")  # fmt: skip
        return
    ratio = amplitude / radius
    if ratio <= 0.2:
        verdict, effect = GOOD, "The strain is small, as equation 4 takes it to be."
    elif ratio <= 0.5:
        verdict, effect = DOUBTFUL, (
            "The strain near the tip is of the order of 1: materials that soften with strain appear "
            "softer than they are."
        )
    else:
        verdict, effect = BAD, (
            "Equation 4 does not hold for such strains: moduli are no material constants. Use a "
            "smaller amplitude."
        )
    yield Condition(name, rounded(ratio, 2), wanted, _PAPER, verdict, effect)


def _frequency(known: Known) -> Condition:
    frequency, response = known.number("dither_frequency"), known.number("dither_response")
    name, wanted = "Dither frequency", "away from resonances of the scanner"
    if frequency is None:
        return Condition(name, "", wanted, _PAPER, UNKNOWN,
                         "There is no viscosity without it, and nobody can say whether a resonance "
                         "is near.")  # fmt: skip
    shown = _hertz(frequency)
    if response is None:
        return Condition(
            name, shown, wanted, _PAPER, UNKNOWN,
            "Scanners that move the sample have resonances from a few Hz to a few kHz. Near one, "
            "amplitude and phase of the dither are wrong: moduli are off by a factor, and storage "
            "and loss mix. nrm calibrate response finds them, and gives dither_response.",
        )  # fmt: skip
    shown = f"{shown}, response {rounded(response)}"
    off = abs(response - 1.0)
    if off <= 0.05:
        return Condition(name, shown, wanted, _PAPER, GOOD,
                         "The scanner moves as far as at rest: no resonance is near.")  # fmt: skip
    effect = (
        f"The scanner moves {rounded(response, 2)} times as far as at rest, so a resonance is near: "
        "its phase mixes storage and loss, and it drifts with temperature and load."
    )
    return Condition(name, shown, wanted, _PAPER, DOUBTFUL if off <= 0.3 else BAD, effect)


def _spring(known: Known) -> Condition:
    stiffness = known.number("spring_constant")
    name, wanted = "Spring constant of the cantilever", "0.1 to 3 N/m"
    if stiffness is None:
        return Condition(name, "", wanted, _PAPER, UNKNOWN,
                         "There is no normal force without it.")  # fmt: skip
    shown = with_unit(rounded(stiffness), "N/m")
    if stiffness < 0.1:
        return Condition(name, shown, wanted, _PAPER, BAD,
                         "Too soft: the tip may not come through to the electrode, and the origin of "
                         "depths would lie inside the layer.")  # fmt: skip
    if stiffness > 3.0:
        return Condition(name, shown, wanted, _PAPER, BAD,
                         "Too stiff: the torsion by a soft layer is small against the noise, and "
                         "small errors of height are large forces.")  # fmt: skip
    return Condition(name, shown, wanted, _PAPER, GOOD,
                     "Stiff enough to come through, soft enough in torsion.")  # fmt: skip


def _lag(known: Known, ramp: Ramp, results: xr.Dataset) -> Condition:
    constant, poles = known.number("lockin_time_constant"), known.number("lockin_poles")
    name, wanted = "Lag of the lock-in, as depth", "0.5 nm or less"
    missing = [
        what
        for what, value in (
            ("lockin_time_constant", constant),
            ("lockin_poles", poles),
            ("the speed of the ramp", ramp.speed),
        )
        if value is None
    ]
    if constant is None or poles is None or ramp.speed is None:
        return Condition(
            name, "", wanted, _PACKAGE, UNKNOWN,
            f"It is speed × time constant × poles, and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not known. A lag shifts every profile towards "
            "the electrode on the approach, and nobody can tell by how much.",
        )  # fmt: skip
    lag = ramp.speed * constant * poles
    corrected = "the lock-in's lag is not corrected" not in str(results.attrs.get("warnings", ""))
    recipe = recipe_of(results)
    corrected = corrected and (recipe is None or recipe.lateral.lag)
    done = "It was shifted back; what is left is a blur." if corrected else "It was NOT corrected."
    if lag <= 0.5e-9:
        verdict, effect = GOOD, "Smaller than the window of the derivative."
    elif lag <= 2e-9:
        verdict, effect = DOUBTFUL, "Next to the electrode profiles are blurred by about the lag."
    else:
        verdict, effect = BAD, (
            f"Depths below about {rounded(2.5 * lag * 1e9, 2)} nm hold signals of the electrode "
            "itself. Ramp slower, or use a smaller time constant."
        )
    if not corrected and lag > 0.5e-9:
        verdict = BAD
    return Condition(name, _nm(lag), wanted, _PACKAGE, verdict, f"{effect} {done}")


def _samples(ramp: Ramp, results: xr.Dataset) -> Condition:
    name, wanted = "Samples per nanometre", "2 or more"
    if ramp.per_metre is None:
        return Condition(name, "", wanted, _PACKAGE, UNKNOWN,
                         "The results do not hold it; it is read from the curves (--curves).")  # fmt: skip
    density = ramp.per_metre * 1e-9
    recipe = recipe_of(results)
    window = 4.0 if recipe is None else 2e9 * recipe.derivative.half_width
    effect = f"{rounded(density * window, 2)} samples lie in the window of the derivative"
    if density >= 2.0:
        verdict, effect = GOOD, f"{effect}."
    elif density >= 1.0:
        verdict, effect = DOUBTFUL, f"{effect}: noise and edges of single curves are coarse."
    else:
        verdict, effect = BAD, (
            f"{effect}: moduli of single curves rest on next to nothing, and the first nanometres "
            "may have no sample at all. Ramp slower, or sample faster."
        )
    return Condition(name, rounded(density), wanted, _PACKAGE, verdict, effect)


def _phase(known: Known) -> Condition:
    phase, name = known.get("lockin_phase"), "Phase of the instrument"
    if phase is None:
        return Condition(name, "", "measured", _PAPER, UNKNOWN,
                         "It was taken as zero. A phase that is off by 2° moves the loss modulus by "
                         "3.5 % of the storage modulus; nrm calibrate phase measures it.")  # fmt: skip
    return Condition(name, phase.text, "measured", _PAPER, GOOD,
                     "Storage and loss are told apart.")  # fmt: skip


def _ramp(known: Known, curves: CurveSet | None) -> Ramp:
    """Sampling of the approach: of the curves, or what the experiment says of it."""
    speed = known.number("approach_speed")
    if curves is None or not curves.n_curves or "height" not in curves.channels:
        return Ramp(None, speed)
    from nrm_plugin.engine.signals import parts

    ranges = parts(curves, "approach")
    there = np.flatnonzero(ranges[:, 1] - ranges[:, 0] > 2)
    densities, speeds = [], []
    for number in there[:: max(1, len(there) // _FEW)]:
        begin, end = (int(v) for v in ranges[number])
        height = curves.read("height", int(number))[begin:end]
        way = abs(float(height[-1] - height[0]))
        if way > 0.0 and np.isfinite(way):
            densities.append((end - begin - 1) / way)
            if "time" in curves.channels:
                time = curves.read("time", int(number))[begin:end]
                speeds.append(way / float(time[-1] - time[0]) if time[-1] > time[0] else np.nan)
    measured = np.asarray(speeds)[np.isfinite(speeds)] if speeds else np.empty(0)
    if len(measured):
        speed = float(np.median(measured))
    return Ramp(float(np.median(densities)) if densities else None, speed)


def _nm(value: float) -> str:
    return with_unit(rounded(value * 1e9), "nm")


def _hertz(value: float) -> str:
    if value >= 1e3:
        return with_unit(rounded(value * 1e-3), "kHz")
    return with_unit(rounded(value), "Hz")
