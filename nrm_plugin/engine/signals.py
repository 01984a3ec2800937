"""The signals that the engine needs, in their final units, from far away to the surface."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nrm_plugin.calibration import lockin
from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.engine import kernels
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.vocabulary import LATERAL_PAIRS, missing_calibration

#: What is larger (m, N) is no measurement.
MOST_LENGTH, MOST_FORCE = 1e-2, 1.0


@dataclass(frozen=True)
class ScaledChannel:
    """A channel and the factor that brings it to the engine's unit."""

    channel: str
    factor: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where each signal comes from, and what the metadata say about it.

    Attributes
    ----------
    deflection : ScaledChannel
        To m, positive where it is repulsive.
    in_phase, quadrature : ScaledChannel or None
        To N, peak.
    amplitude : float
        Dither in m, peak; nan without lateral signals.
    frequency : float
        In Hz; nan if it is not known.
    time_constant, poles : float
        Of the lock-in, in s; 0 and nan if they are not known.
    timed : bool
        Whether samples have times.
    phase : float
        The instrument's, in rad.
    spring_constant : float
        In N/m; nan if it is not known.
    lateral_stiffness : float
        In N/m; 0 if it is not known.
    poisson_ratio : float
    """

    deflection: ScaledChannel
    in_phase: ScaledChannel | None
    quadrature: ScaledChannel | None
    amplitude: float
    frequency: float
    time_constant: float
    poles: float
    timed: bool
    phase: float
    spring_constant: float
    lateral_stiffness: float
    poisson_ratio: float

    @property
    def lag(self) -> float:
        """Delay of the lock-in in s; 0 if it or the times are not known."""
        known = self.timed and self.poles > 0.0
        return lockin.delay(self.time_constant, self.poles) if known else 0.0

    @property
    def lateral(self) -> bool:
        """Whether there are lateral signals."""
        return self.in_phase is not None


def plan(curves: CurveSet) -> tuple[CurveSet, Plan]:
    """Say how the signals are made.

    Returns
    -------
    curves : CurveSet
        With the lateral signal as volts at the lock-in's input, whatever was recorded.
    plan : Plan

    Raises
    ------
    InvalidInput
        If there is no height or no deflection.
    MissingCalibration
        With every key that is missing.
    """
    metadata = curves.metadata
    if "height" not in curves.channels:
        raise InvalidInput("the curves have no height: nothing can be referenced to the surface")
    missing: list[str] = []
    deflection = _deflection(curves, missing)
    in_phase = quadrature = None
    amplitude = math.nan
    if curves.lateral_pair is not None:
        missing += [k for k in lockin.needed(curves) if k not in metadata]
        missing += [k for k in ("dither_amplitude", "lockin_convention") if k not in metadata]
        if not missing:
            curves = lockin.at_the_lockin(curves)
        peak = lockin.peak_factor(str(metadata.get("lockin_convention")))
        amplitude = float(metadata.get("dither_amplitude", math.nan))
        in_phase = _lateral(curves, "lateral_in_phase", peak, missing)
        quadrature = _lateral(curves, "lateral_quadrature", peak, missing)
    if missing:
        raise missing_calibration(dict.fromkeys(missing))
    return curves, Plan(
        deflection=deflection,
        in_phase=in_phase,
        quadrature=quadrature,
        amplitude=amplitude,
        frequency=float(metadata.get("dither_frequency", math.nan)),
        time_constant=float(metadata.get("lockin_time_constant", 0.0)),
        poles=float(metadata.get("lockin_poles", math.nan)),
        timed="time" in curves.channels,
        phase=float(metadata.get("lockin_phase", 0.0)),
        spring_constant=float(metadata.get("spring_constant", math.nan)),
        lateral_stiffness=float(metadata.get("lateral_stiffness", 0.0)),
        poisson_ratio=float(metadata.get("poisson_ratio", 0.5)),
    )


def _deflection(curves: CurveSet, missing: list[str]) -> ScaledChannel:
    metadata = curves.metadata
    if "deflection" in curves.channels:
        if curves.channels["deflection"].unit == "m":
            return ScaledChannel("deflection", 1.0)
        if "deflection_sensitivity" not in metadata:
            missing.append("deflection_sensitivity")
        return ScaledChannel("deflection", float(metadata.get("deflection_sensitivity", math.nan)))
    if "force_normal" not in curves.channels:
        raise InvalidInput("the curves have neither deflection nor normal force")
    if "spring_constant" not in metadata:
        missing.append("spring_constant")
    return ScaledChannel("force_normal", 1.0 / float(metadata.get("spring_constant", math.nan)))


def _lateral(curves: CurveSet, name: str, peak: float, missing: list[str]) -> ScaledChannel:
    recorded = name if name in curves.channels else (curves.lateral_pair or LATERAL_PAIRS[0])[0]
    if curves.channels[recorded].unit == "N":
        return ScaledChannel(name, peak)
    metadata = curves.metadata
    for key in ("lateral_sensitivity", "lateral_stiffness"):
        if key not in metadata:
            missing.append(key)
    per_volt = metadata.get("lateral_sensitivity", math.nan) * metadata.get(
        "lateral_stiffness", math.nan
    )
    return ScaledChannel(name, peak * float(per_volt))


@dataclass(frozen=True, kw_only=True)
class Block:
    """Signals of some curves in one direction, flat, from far away to the surface.

    Attributes
    ----------
    begin : (n + 1,) array of int
        Where each curve begins, and the end.
    height, deflection : flat arrays
        In m; the deflection is positive where it is repulsive.
    in_phase, quadrature : flat arrays
        Peak force in N, with the instrument's phase taken out; empty without lateral signals.
    interval : (n,) array
        Time between samples in s; nan where it is not known or not needed.
    direction : str
    """

    begin: IntArray
    height: FloatArray
    deflection: FloatArray
    in_phase: FloatArray
    quadrature: FloatArray
    interval: FloatArray
    direction: str

    def __len__(self) -> int:
        return len(self.begin) - 1


def parts(curves: CurveSet, direction: str) -> AnyArray:
    """First and last sample of each curve's longest segment of a direction; 0, 0 without one."""
    found = np.zeros((curves.n_curves, 2), np.int64)
    segments = curves.segments[curves.segments["kind"] == direction]
    size = segments["stop"] - segments["start"]
    order = np.argsort(size, kind="stable")  # the longest is written last
    chosen = segments[order]
    found[chosen["curve"], 0] = chosen["start"]
    found[chosen["curve"], 1] = chosen["stop"]
    return found


def read_block(
    curves: CurveSet, how: Plan, ranges: AnyArray, chosen: slice | IntArray, direction: str
) -> Block:
    """Read signals of some curves and turn them so that they run towards the surface."""
    numbers = np.arange(curves.n_curves)[chosen]
    ends = np.cumsum(curves.row_size[numbers], dtype=np.int64)
    spans = ranges[numbers]
    lengths = spans[:, 1] - spans[:, 0]
    begin = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    first = np.concatenate([[0], ends[:-1]]).astype(np.int64) + spans[:, 0]
    backwards = direction == "retract"

    def signal(source: ScaledChannel | None, limit: float) -> FloatArray:
        if source is None:
            return np.empty(0)
        channel = curves.channels[source.channel]
        gain, offset = channel.gain * source.factor, channel.offset * source.factor
        out = np.empty(begin[-1])
        raw = curves.read_raw(source.channel, chosen)
        kernels.gather(raw, first, begin, backwards, gain, offset, limit, out)
        return out

    x, y = signal(how.in_phase, MOST_FORCE), signal(how.quadrature, MOST_FORCE)
    if how.lateral and how.phase:
        x, y = lockin.turned(x, y, how.phase)
    interval = np.full(len(lengths), np.nan)
    if how.lag:
        time = signal(ScaledChannel("time", 1.0), math.inf)
        long = lengths > 1
        span = time[begin[1:][long] - 1] - time[begin[:-1][long]]
        interval[long] = np.abs(span) / (lengths[long] - 1)
    height = signal(ScaledChannel("height", 1.0), MOST_LENGTH)
    bent = signal(how.deflection, MOST_LENGTH)
    return Block(
        begin=begin,
        height=height,
        deflection=bent,
        in_phase=x,
        quadrature=y,
        interval=interval,
        direction=direction,
    )
