"""The signals that the engine needs, in their final units, from far away to the surface."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from nrm_plugin.calibration import lockin
from nrm_plugin.columns import (
    AnyArray,
    ArrayColumn,
    FloatArray,
    IntArray,
    RepeatedColumn,
    files_kept_open,
)
from nrm_plugin.errors import InvalidInput
from nrm_plugin.kernels import RawSignal, gather
from nrm_plugin.model import CurveSet
from nrm_plugin.vocabulary import LATERAL_PAIRS, missing_calibration

#: Samples of a channel up to which a data set is read once, and kept.
_KEPT = 1 << 20

#: What is larger (m, N) is no measurement.
MOST_LENGTH, MOST_FORCE = 1e-2, 1.0


#: What `parts` found; surveys, checks and single curves ask again.
_PARTS: WeakKeyDictionary[CurveSet, dict[str, AnyArray]] = WeakKeyDictionary()


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
    told_lag : float
        Delay of X and Y against the other channels in s, where the file says it by itself, as that
        of a digital lock-in does; nan elsewhere.
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
    told_lag: float = math.nan

    @property
    def lag(self) -> float:
        """Delay of the lock-in in s; 0 if it or the times are not known."""
        if math.isfinite(self.told_lag):
            return self.told_lag if self.timed else 0.0
        known = self.timed and self.poles > 0.0
        return lockin.delay(self.time_constant, self.poles) if known else 0.0

    @property
    def settling(self) -> float:
        """Time in s for which a step is felt; twice the delay where only that is known."""
        if math.isfinite(self.told_lag):
            return 2.0 * self.told_lag
        return lockin.settling(self.time_constant, self.poles)

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
        told_lag=float(metadata.get("lockin_lag", math.nan)),
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


def _names(how: Plan) -> list[str]:
    """Channels that are read."""
    sources = (how.deflection, how.in_phase, how.quadrature)
    names = ["height", *(source.channel for source in sources if source)]
    return list(dict.fromkeys([*names, *(["time"] if how.timed else [])]))


def signals_alone(curves: CurveSet, how: Plan) -> CurveSet:
    """The same curves with nothing but the channels that are read: other processes get these."""
    channels = {name: curves.channels[name] for name in _names(how)}
    return CurveSet(curves.rows, channels)


def read_once(curves: CurveSet, how: Plan) -> CurveSet:
    """The same curves with the signals in memory if they are few: surveys and checks ask again."""
    if curves.n_samples > _KEPT:
        return curves
    for name in _names(how):
        channel = curves.channels[name]
        if not isinstance(channel.column, ArrayColumn | RepeatedColumn):
            column = ArrayColumn(curves.read_raw(name), curves.rows)
            curves = curves.with_channel(channel.with_column(column))
    return curves


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
    travel : (n,) array
        Height between first and last sample, in m.
    interval : (n,) array
        Time between samples in s; nan where it is not known or not needed.
    direction : str
    """

    begin: IntArray
    height: FloatArray
    deflection: FloatArray
    in_phase: FloatArray
    quadrature: FloatArray
    travel: FloatArray
    interval: FloatArray
    direction: str

    def __len__(self) -> int:
        return len(self.begin) - 1

    @property
    def lengths(self) -> IntArray:
        """Samples of each curve."""
        return np.diff(self.begin)


@dataclass(frozen=True, kw_only=True)
class RawBlock:
    """The same as it was recorded: numbers, and what makes signals of them.

    Attributes
    ----------
    height, deflection : RawSignal
    lateral : (in phase, quadrature) or None
    first, lengths : (n,) arrays of int
        Samples of each curve's part in the signals.
    phase : float
        The instrument's, in rad, still in the lateral signal.
    travel, interval, direction
        As in `Block`.
    """

    height: RawSignal
    deflection: RawSignal
    lateral: tuple[RawSignal, RawSignal] | None
    first: IntArray
    lengths: IntArray
    phase: float
    travel: FloatArray
    interval: FloatArray
    direction: str

    def __len__(self) -> int:
        return len(self.first)

    @property
    def backwards(self) -> bool:
        """Whether samples were recorded from the surface on."""
        return self.direction == "retract"

    def height_at(self, samples: FloatArray) -> FloatArray:
        """Height in m at one sample of each curve, counted from far away; nan where it has none."""
        inside = (samples >= 0) & (samples < self.lengths)
        counted = np.where(inside, samples, 0.0).astype(np.int64)
        if self.backwards:
            counted = np.maximum(self.lengths - 1, 0) - counted
        heights = np.full(len(self), np.nan)
        heights[inside] = self.height.at((self.first + counted)[inside])
        return heights

    def gathered(self) -> Block:
        """Return the signals in their units."""
        begin = np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)

        def signal(raw: RawSignal) -> FloatArray:
            return gather(raw, self.first, begin, backwards=self.backwards)

        x, y = map(signal, self.lateral) if self.lateral else (np.empty(0), np.empty(0))
        if self.phase:
            x, y = lockin.turned(x, y, self.phase)
        return Block(
            begin=begin,
            height=signal(self.height),
            deflection=signal(self.deflection),
            in_phase=x,
            quadrature=y,
            travel=self.travel,
            interval=self.interval,
            direction=self.direction,
        )


def parts(curves: CurveSet, direction: str) -> AnyArray:
    """First and last sample of each curve's longest segment of a direction; 0, 0 without one."""
    known = _PARTS.setdefault(curves, {})
    if direction not in known:
        known[direction] = _parts(curves, direction)
        known[direction].flags.writeable = False
    return known[direction]


def _parts(curves: CurveSet, direction: str) -> AnyArray:
    found = np.zeros((curves.n_curves, 2), np.int64)
    segments = curves.segments[curves.segments["kind"] == direction]
    size = segments["stop"] - segments["start"]
    order = np.argsort(size, kind="stable")  # the longest is written last
    chosen = segments[order]
    found[chosen["curve"], 0] = chosen["start"]
    found[chosen["curve"], 1] = chosen["stop"]
    return found


@files_kept_open()
def read_raw_block(
    curves: CurveSet, how: Plan, ranges: AnyArray, chosen: slice | IntArray, direction: str
) -> RawBlock:
    """Read the numbers of some curves."""
    numbers = np.arange(curves.n_curves)[chosen]
    ends = np.cumsum(curves.row_size[numbers], dtype=np.int64)
    spans = ranges[numbers]
    lengths = np.ascontiguousarray(spans[:, 1] - spans[:, 0])
    first = np.concatenate([[0], ends[:-1]]).astype(np.int64) + spans[:, 0]
    last = first + np.maximum(lengths - 1, 0)

    def signal(source: ScaledChannel, limit: float) -> RawSignal:
        channel = curves.channels[source.channel]
        return RawSignal(
            numbers=curves.read_raw(source.channel, chosen),
            gain=channel.gain * source.factor,
            offset=channel.offset * source.factor,
            limit=limit,
        )

    lateral = None
    if how.in_phase is not None and how.quadrature is not None:
        lateral = signal(how.in_phase, MOST_FORCE), signal(how.quadrature, MOST_FORCE)
    interval = np.full(len(lengths), np.nan)
    if how.lag:
        span = np.abs(_times(curves, chosen, spans, first, last))
        long = lengths > 1
        interval[long] = span[long] / (lengths[long] - 1)
    height = signal(ScaledChannel("height", 1.0), MOST_LENGTH)
    return RawBlock(
        height=height,
        deflection=signal(how.deflection, MOST_LENGTH),
        lateral=lateral,
        first=first,
        lengths=lengths,
        phase=how.phase,
        travel=np.abs(height.at(last) - height.at(first)),
        interval=interval,
        direction=direction,
    )


def intervals(curves: CurveSet, ranges: AnyArray, numbers: IntArray) -> FloatArray:
    """Time between the samples of some curves' parts, in s; nan where there are no times.

    Parameters
    ----------
    ranges : (n_curves, 2) array of int
        From `parts`.
    numbers : (n,) array of int
    """
    found = np.full(len(numbers), np.nan)
    if "time" not in curves.channels:
        return found
    spans = ranges[numbers]
    ends = np.cumsum(curves.row_size[numbers], dtype=np.int64)
    first = np.concatenate([[0], ends[:-1]]).astype(np.int64) + spans[:, 0]
    lengths = spans[:, 1] - spans[:, 0]
    last = first + np.maximum(lengths - 1, 0)
    span = np.abs(_times(curves, numbers, spans, first, last))
    long = lengths > 1
    found[long] = span[long] / (lengths[long] - 1)
    return np.where(found > 0.0, found, np.nan)


def _times(
    curves: CurveSet, chosen: slice | IntArray, spans: AnyArray, first: IntArray, last: IntArray
) -> FloatArray:
    """Time from the first to the last sample of each curve's part, in s."""
    channel = curves.channels["time"]
    if isinstance(channel.column, RepeatedColumn):  # one clock for all
        numbers = channel.column.values
        first, last = spans[:, 0], np.maximum(spans[:, 1] - 1, spans[:, 0])
    else:
        numbers = curves.read_raw("time", chosen)
    time = RawSignal(numbers=numbers, gain=channel.gain, offset=channel.offset, limit=math.inf)
    return time.at(last) - time.at(first)


def sampled_blocks(
    curves: CurveSet, how: Plan, direction: str, most: int = 512, samples: int = 1 << 20
) -> Iterator[tuple[IntArray, RawBlock]]:
    """Read one direction of a few curves, spread evenly over those that have it.

    Parameters
    ----------
    most : int
        Curves that are read.
    samples : int
        About as many are in memory at once.

    Yields
    ------
    numbers : (n,) array of int
        Of the curves.
    block : RawBlock
    """
    ranges = parts(curves, direction)
    there = np.flatnonzero(ranges[:, 1] > ranges[:, 0])
    numbers = there[np.linspace(0, len(there) - 1, min(most, len(there))).round().astype(np.int64)]
    ends = np.cumsum(curves.row_size[numbers], dtype=np.int64)
    for some in np.split(numbers, np.flatnonzero(np.diff(ends // samples)) + 1):
        if len(some):
            yield some, read_raw_block(curves, how, ranges, some, direction)


def read_block(
    curves: CurveSet, how: Plan, ranges: AnyArray, chosen: slice | IntArray, direction: str
) -> Block:
    """Read signals of some curves and turn them so that they run towards the surface."""
    return read_raw_block(curves, how, ranges, chosen, direction).gathered()
