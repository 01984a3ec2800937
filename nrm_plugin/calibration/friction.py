"""Friction loops: the slope of the stick part, half-width, offset.

A loop is the static lateral signal of a tip that is moved over the sample along the fast axis and
back. After each turn the tip sticks, and the signal follows the motion; then the tip slides, and
the signal stays. The slope of the stick part calibrates the signal in V/m (`locked`); half-width
and offset at several loads on slopes calibrate it in V/N (`wedge`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nrm_plugin.calibration import CalibrationFailed
from nrm_plugin.calibration.pooling import mean_and_error
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet

#: Samples in the stick part below which its slope is not taken.
FEWEST = 4

_CLIPPED = 0.05  # part of a line's samples at one extreme value from which on it is clipped


@dataclass(frozen=True)
class Loops:
    """Friction loops, one per line.

    Attributes
    ----------
    step : float
        Distance between samples in m; nan where it is not known.
    trace, retrace : (lines, samples) arrays
        In V, each in the order in which it was recorded.
    """

    step: float
    trace: FloatArray
    retrace: FloatArray


@dataclass(frozen=True, kw_only=True)
class LoopShape:
    """What friction loops have in common; each value with its standard error.

    Attributes
    ----------
    slope, slope_stderr : float
        Of the stick part in V/m, without sign; nan where no stick part is resolved.
    half_width, half_width_stderr : float
        Half of the difference of the two sliding parts, V.
    offset, offset_stderr : float
        Their mean, V.
    stick_length : float
        Way in m on which the tip sticks after a turn; nan without a known step.
    stick_samples : float
    n_lines : int
    """

    slope: float
    slope_stderr: float
    half_width: float
    half_width_stderr: float
    offset: float
    offset_stderr: float
    stick_length: float
    stick_samples: float
    n_lines: int


def loops_from_images(images: Sequence[Image], name: str = "Friction") -> Loops:
    """Loops from the first pair of trace and retrace images of a signal.

    Both are taken to have the smallest x first, as images in files have; the retrace was recorded
    the other way.

    Raises
    ------
    InvalidInput
        If there is no pair, or it is not in V.
    """
    pair: dict[str, Image] = {}
    for image in images:
        if image.name == name and image.direction:
            pair.setdefault(image.direction, image)
    if set(pair) != {"trace", "retrace"}:
        names = ", ".join(f"{i.name} {i.direction}".strip() for i in images) or "none"
        raise InvalidInput(f"no trace and retrace of {name!r} among the images: {names}")
    trace, retrace = pair["trace"], pair["retrace"]
    _in_volts(name, trace.unit)
    if trace.shape != retrace.shape or trace.unit != retrace.unit:
        raise InvalidInput(f"trace and retrace of {name!r} differ in size or unit")
    return Loops(trace.size[0] / trace.shape[1], trace.data, retrace.data[:, ::-1])


def loops_from_curves(curves: CurveSet, position: str, signal: str = "lateral") -> Loops:
    """Loops from curves in which the sample was moved sideways, there and back.

    Parameters
    ----------
    curves : CurveSet
    position : str
        Channel of the lateral position in m.
    signal : str
        Channel of the static lateral signal in V.

    Raises
    ------
    InvalidInput, UnknownChannel
    """
    _in_volts(signal, curves.channel(signal).unit)
    if curves.channel(position).unit != "m":
        unit = curves.channels[position].unit or "no unit"
        raise InvalidInput(f"{position} is in {unit}; a position is a length")
    passes: list[tuple[FloatArray, FloatArray]] = []
    steps = []
    for i in range(curves.n_curves):
        x, volts = curves.read(position, i), curves.read(signal, i)
        turn = int(np.argmax(np.abs(x - x[0]))) + 1
        half = min(turn, len(x) - turn)
        if half < 8:
            raise InvalidInput(f"curve {i}: {position} does not go there and back")
        passes.append((volts[turn - half : turn], volts[turn : turn + half]))
        steps.append(abs(float(x[turn - 1] - x[turn - half])) / (half - 1))
    if not passes:
        raise InvalidInput("there are no curves")
    length = min(len(a) for a, _ in passes)
    trace, retrace = (np.array([both[k][:length] for both in passes]) for k in (0, 1))
    if np.ptp(steps) > 0.01 * np.mean(steps):
        raise InvalidInput(f"{position} has different steps from curve to curve")
    return Loops(float(np.mean(steps)), trace, retrace)


def _in_volts(name: str, unit: str) -> None:
    if unit != "V":
        raise InvalidInput(
            f"{name} is in {unit or 'no unit'}; a friction loop is calibrated in V. "
            "Numbers without a unit cannot be"
        )


def shape_of(loops: Loops, limit: float | None = None) -> LoopShape:
    """Fit each line with a stick part and a sliding part; the scatter of the lines is the error.

    Parameters
    ----------
    loops : Loops
    limit : float, optional
        Where the detector stops, V.

    Raises
    ------
    CalibrationFailed
        If the signal is clipped, the tip never slides, or there is no loop.
    """
    if loops.trace.shape[1] < 8:
        raise CalibrationFailed("a line of fewer than 8 samples shows no loop")
    refuse_clipped(loops, limit)
    up, down = _hinges(loops.trace), _hinges(loops.retrace)
    half, half_error = mean_and_error(0.5 * (up.level - down.level))
    offset, offset_error = mean_and_error(0.5 * (up.level + down.level))
    if abs(half) < 3.0 * half_error:
        raise CalibrationFailed("trace and retrace do not differ: there is no friction loop")
    sign = np.sign(half)
    stick = np.concatenate([up.corner, down.corner])
    samples = float(np.median(stick))
    if samples > 0.8 * loops.trace.shape[1]:
        raise CalibrationFailed(
            "the tip sticks along the whole line, so that there is no sliding part: scan a longer "
            "line or press less"
        )
    slope, slope_error = float("nan"), float("nan")
    if samples >= FEWEST and np.isfinite(loops.step):
        # Of one line both ways, so that what turns a line's baseline drops out.
        slopes = 0.5 * sign * (up.slope - down.slope) / loops.step
        slope, slope_error = mean_and_error(slopes)
    return LoopShape(
        slope=slope,
        slope_stderr=slope_error,
        half_width=abs(half),
        half_width_stderr=half_error,
        offset=offset,
        offset_stderr=offset_error,
        stick_length=samples * loops.step,
        stick_samples=samples,
        n_lines=len(loops.trace),
    )


def refuse_clipped(loops: Loops, limit: float | None = None) -> None:
    """Raise if the signal stops at a value that the detector cannot exceed.

    Without a known limit, the signal counts as clipped if many samples have exactly its largest
    value, or its smallest, or both where these are opposite.

    Raises
    ------
    CalibrationFailed
    """
    values = np.concatenate([loops.trace, loops.retrace])
    if not np.isfinite(values).all():
        raise CalibrationFailed("the friction loop has gaps")
    if limit is not None:
        if np.abs(values).max() >= limit * (1.0 - 1e-6):
            raise CalibrationFailed(f"the friction loop is saturated: it reaches {limit:g} V")
        return
    steps = np.abs(np.diff(values, axis=1))
    smallest = float(steps[steps > 0].min()) if (steps > 0).any() else 0.0
    high, low = (_is_flat(values, float(v), smallest) for v in (values.max(), values.min()))
    both = abs(abs(values.max()) - abs(values.min())) < 1.5 * smallest
    if high != low or (high and both):
        extreme = float(values.max() if high else values.min())
        raise CalibrationFailed(
            f"the friction loop is saturated: many samples are exactly {extreme:.4g} V"
        )


def _is_flat(values: FloatArray, extreme: float, smallest: float) -> bool:
    """Whether many lines have many samples exactly at an extreme value, and few just beside it."""
    extremes = values == extreme
    beside = ~extremes & (np.abs(values - extreme) < 3.0 * smallest)
    lines = extremes.mean(axis=1) > _CLIPPED
    return bool(lines.mean() > 0.25 and beside.sum() < 0.2 * extremes.sum())


@dataclass(frozen=True)
class _Hinges:
    """Per line: slope per sample of the stick part, level of the sliding part, corner."""

    slope: FloatArray
    level: FloatArray
    corner: FloatArray


def _hinges(lines: FloatArray) -> _Hinges:
    """Fit ``level - slope * max(corner - i, 0)`` to each line, i the sample.

    The corner that is best for the mean of all lines is found on a grid;
    then Gauss-Newton steps let every line have its own.
    """
    n = lines.shape[1]
    i = np.arange(n, dtype=np.float64)
    left = lines.mean(axis=0)
    left = left - left.mean()
    tries = np.arange(0.5, n - 2.0, max(0.1, n / 600))
    ramps = np.maximum(tries[:, None] - i, 0.0)
    ramps -= ramps.mean(axis=1, keepdims=True)
    explained = (ramps @ left) ** 2 / (ramps**2).sum(axis=1)
    corner = np.full(len(lines), tries[np.argmax(explained)])
    slope, level = np.zeros(len(lines)), np.zeros(len(lines))
    for _ in range(6):
        ramp = np.maximum(corner[:, None] - i, 0.0)
        away = ramp - ramp.mean(axis=1, keepdims=True)
        spread = (away**2).sum(axis=1)
        slope = -(away * lines).sum(axis=1) / spread
        level = lines.mean(axis=1) + slope * ramp.mean(axis=1)
        rest = lines - level[:, None] + slope[:, None] * ramp
        # Step of the corner with level and slope free: d/dcorner of the model, made orthogonal.
        move = -slope[:, None] * (ramp > 0.0)
        move = move - move.mean(axis=1, keepdims=True)
        move = move - away * ((move * away).sum(axis=1) / spread)[:, None]
        size = (move**2).sum(axis=1)
        change = np.where(size > 0.0, (move * rest).sum(axis=1) / np.maximum(size, 1e-300), 0.0)
        limit = np.maximum(0.2 * corner, 0.5)
        corner = np.clip(corner + np.clip(change, -limit, limit), 1.0, n - 2.0)
    return _Hinges(slope, level, corner)
