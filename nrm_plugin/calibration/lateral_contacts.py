"""Where the tip is pressed against the sample: the load there, and the lateral signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial

from nrm_plugin.calibration import CalibrationFailed, lockin
from nrm_plugin.columns import ComplexArray, FloatArray, IntArray
from nrm_plugin.model import CurveSet
from nrm_plugin.vocabulary import missing_calibration

#: More curves than this teach nothing new; they are then chosen evenly.
MOST_CURVES = 512

_BASELINE = 0.3  # of the approach, from its far end
_STARTS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6)  # of the largest deflection
_FEWEST = 12  # samples in a contact
_BEND = 0.02  # by which the slopes of a straight wall's halves may differ
_RIGID = 0.1  # by which the slope of a calibrated wall may differ from 1


@dataclass(frozen=True, kw_only=True)
class LateralContact:
    """The part of an approach in which the tip is pressed against the sample.

    Attributes
    ----------
    curve : int
    load : (n,) array
        Normal load at the time that each sample of `signal` stands for (earlier than when it was
        recorded, by the lock-in's delay); in `unit`.
    unit : str
        N, m or V: only ratios of loads are needed.
    signal : (n,) array of complex
        Lateral signal as recorded, less its mean far from the surface.
    noise : float
        Standard deviation of each of its parts far from the surface.
    samples : (n,) array of int
        Which samples of the curve they are.
    foot : float
        Deflection, over the largest, where the line of the wall meets the baseline: what a layer
        on the sample bears. 0 on a bare rigid one.
    smear : float
        Standard deviation of the loads that the lock-in averages over, in `unit`.
    """

    curve: int
    load: FloatArray
    unit: str
    signal: ComplexArray
    noise: float
    samples: IntArray
    foot: float
    smear: float


@dataclass(frozen=True, kw_only=True)
class _Approach:
    """One approach; deflection in `unit`, times of the lock-in in samples."""

    curve: int
    height: FloatArray
    deflection: FloatArray
    signal: ComplexArray
    unit: str
    per_m: float  # load per m of a rigid wall; 0 where it is not known
    lag: float
    spread: float
    settling: float
    samples: IntArray


#: Says from which sample on there is contact: approach, deflection without baseline, noise.
_Finder = Callable[[_Approach, FloatArray, float], int]


def walls(curves: CurveSet) -> list[LateralContact]:
    """Hard contacts of the approaches.

    The wall is the last part of an approach, in which the deflection is a straight line against
    height: as large a part as is straight. In m or N it must have the slope of a rigid wall, too.

    Raises
    ------
    CalibrationFailed
        If no more than half of the curves has a wall: a soft contact, or a ramp that stopped
        before the solid.
    MissingCalibration, InvalidInput, UnknownChannel
        If the signals are not there.
    """
    return _contacts(curves, _wall, "hard contact")


def pressed(curves: CurveSet) -> list[LateralContact]:
    """Contacts of the approaches with a soft sample: the upper half of the deflection.

    Raises
    ------
    CalibrationFailed
        If no more than half of the curves touches the sample.
    MissingCalibration, InvalidInput, UnknownChannel
        If the signals are not there.
    """
    return _contacts(curves, _upper_half, "contact")


def _contacts(curves: CurveSet, find: _Finder, what: str) -> list[LateralContact]:
    found: list[LateralContact] = []
    reasons: list[str] = []
    for ramp in _ramps(lockin.at_the_lockin(curves)):
        try:
            found.append(_contact(ramp, find))
        except CalibrationFailed as error:
            reasons.append(str(error))
    if len(found) <= len(reasons):
        none = f"there is no approach of {4 * _FEWEST} samples or more"
        common = max(dict.fromkeys(reasons), key=reasons.count, default=none)
        raise CalibrationFailed(
            f"no {what} in {len(reasons)} of {len(found) + len(reasons)} curves: {common}"
        )
    return found


def _ramps(curves: CurveSet) -> Iterator[_Approach]:
    """Approaches with all that is needed of them; those of fewer than 48 samples are left out."""
    name, gain, unit = _normal(curves)
    segments = curves.segments[curves.segments["kind"] == "approach"]
    tau = float(curves.metadata.get("lockin_time_constant", 0.0))
    poles = float(curves.metadata.get("lockin_poles", 1.0))
    for segment in segments[:: max(1, -(-len(segments) // MOST_CURVES))]:
        i = int(segment["curve"])
        part = slice(int(segment["start"]), int(segment["stop"]))
        x, y = (curves.read(n, i)[part] for n in lockin.PARTS.values())
        if curves.channels["lateral_in_phase"].unit == "V":
            lockin.refuse_output_volts(curves, np.concatenate([x, y]))
        height, deflection = curves.read("height", i)[part], gain * curves.read(name, i)[part]
        good = np.isfinite(x + y + height + deflection)
        if good.sum() < 4 * _FEWEST:
            continue
        interval = _interval(curves, i, part, height) if tau else 1.0
        yield _Approach(
            curve=i,
            height=height[good],
            deflection=deflection[good],
            signal=(x + 1j * y)[good],
            unit=unit,
            per_m={"N": float(curves.metadata.get("spring_constant", 0.0)), "m": 1.0}.get(
                unit, 0.0
            ),
            lag=lockin.delay(tau, poles) / interval,
            spread=tau * float(np.sqrt(poles)) / interval,
            settling=lockin.settling(tau, poles, 1e-4) / interval,
            samples=part.start + np.flatnonzero(good),
        )


def _normal(curves: CurveSet) -> tuple[str, float, str]:
    """Channel of the normal load, the factor to use on it, and the unit that it then has."""
    if "force_normal" in curves.channels:
        return "force_normal", 1.0, "N"
    unit, gain = curves.channel("deflection").unit, 1.0
    if unit == "V" and "deflection_sensitivity" in curves.metadata:
        gain, unit = float(curves.metadata["deflection_sensitivity"]), "m"
    if unit == "m" and "spring_constant" in curves.metadata:
        return "deflection", gain * float(curves.metadata["spring_constant"]), "N"
    return "deflection", gain, unit


def _interval(curves: CurveSet, curve: int, part: slice, height: FloatArray) -> float:
    """Seconds between samples.

    Raises
    ------
    MissingCalibration
        If there is no clock: with a slow lock-in, loads and signals could not be paired.
    """
    if "time" in curves.channels:
        time = curves.read("time", curve)[part]
        return float(time[-1] - time[0]) / (len(time) - 1)
    if "approach_speed" in curves.metadata:
        step = abs(float(height[-1] - height[0])) / (len(height) - 1)
        return step / float(curves.metadata["approach_speed"])
    raise missing_calibration(["approach_speed"])


def _contact(ramp: _Approach, find: _Finder) -> LateralContact:
    """Find the contact in one approach.

    Raises
    ------
    CalibrationFailed
    """
    n = len(ramp.height)
    far = slice(0, max(_FEWEST, int(_BASELINE * n)))
    near = slice(-max(_FEWEST // 2, n // 40), None)
    if not np.ptp(ramp.height[far]) or not np.ptp(ramp.height[near]):
        raise CalibrationFailed("the height does not change along the approach")
    base = Polynomial.fit(ramp.height[far], ramp.deflection[far], 1)
    bent = ramp.deflection - base(ramp.height)
    noise = float(bent[far].std())
    end, _ = _slope(ramp.height[near], ramp.deflection[near], noise)
    start, error = _slope(ramp.height[far], ramp.deflection[far], noise)
    if abs(start) > 0.1 * abs(end) + 5.0 * error:
        raise CalibrationFailed("the approach begins in contact, or far too tilted: no baseline")
    if float(bent[-3:].mean()) <= 20.0 * noise:
        raise CalibrationFailed("the deflection does not rise over a straight baseline")
    if np.ptp(ramp.deflection[-4:]) == 0.0:
        raise CalibrationFailed("the deflection is saturated at the end of the approach")
    start = find(ramp, bent, noise)
    line = Polynomial.fit(np.arange(start, n), bent[start:], 1 if find is _wall else 3)
    first = start + int(np.ceil(ramp.lag + ramp.settling))
    if n - first < _FEWEST:
        raise CalibrationFailed(
            "the lock-in has not settled before the approach ends: ramp slower, press harder, or "
            "shorten its time constant"
        )
    still = ramp.signal[far]
    return LateralContact(
        curve=ramp.curve,
        load=np.asarray(line(np.arange(first, n) - ramp.lag)),
        unit=ramp.unit,
        signal=ramp.signal[first:] - still.mean(),
        noise=float(np.sqrt(0.5 * np.mean(np.abs(still - still.mean()) ** 2))),
        samples=ramp.samples[first:],
        foot=float(bent[np.argmin(np.abs(line(np.arange(n))))] / bent[-1]),
        smear=ramp.spread * abs(float(bent[-1]) - float(bent[start])) / (n - start),
    )


def _upper_half(ramp: _Approach, bent: FloatArray, noise: float) -> int:
    """From where on the deflection is above half of its largest."""
    return _after(bent, 0.5 * float(bent[-3:].mean()))


def _wall(ramp: _Approach, bent: FloatArray, noise: float) -> int:
    """From where on deflection against height is straight up to the end, as early as possible.

    Raises
    ------
    CalibrationFailed
        If nowhere, or the slope is not that of a rigid wall.
    """
    n = len(bent)
    for part in _STARTS:
        start = _after(bent, part * float(bent[-3:].mean()))
        middle = (start + n) // 2
        if n - start < _FEWEST:
            break
        low, low_error = _slope(ramp.height[start:middle], bent[start:middle], noise)
        high, high_error = _slope(ramp.height[middle:], bent[middle:], noise)
        allowed = max(_BEND * abs(high), 3.0 * float(np.hypot(low_error, high_error)))
        if high >= 0.0 or allowed > 0.2 * abs(high) or abs(low - high) > allowed:
            continue
        slope, _ = _slope(ramp.height[start:], bent[start:], noise)
        if ramp.per_m and abs(slope / ramp.per_m + 1.0) > _RIGID:
            raise CalibrationFailed(
                f"the slope of the wall is {-slope / ramp.per_m:.2f} of a rigid one's: a soft "
                "contact, or a wrong deflection sensitivity"
            )
        return start
    raise CalibrationFailed(
        "deflection against height is nowhere a straight line: a soft contact without a wall"
    )


def _slope(x: FloatArray, y: FloatArray, noise: float) -> tuple[float, float]:
    """Slope of a straight line and its standard error for a known noise of y."""
    away = x - x.mean()
    spread = float(away @ away)
    if spread == 0.0:
        return 0.0, float("inf")
    return float(away @ y) / spread, noise / float(np.sqrt(spread))


def _after(bent: FloatArray, level: float) -> int:
    """First sample after the last one below a level."""
    below = np.flatnonzero(bent < level)
    return int(below[-1]) + 1 if len(below) else 0
