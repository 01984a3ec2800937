"""What a lock-in's numbers are: volts at its outputs, at its input, rms or peak, late, turned.

Two voltages are told apart everywhere. The one at the lock-in's **output** (BNC) is what a
controller or a DAQ board records; the one at its **input** is what the detector gave. They differ
by up to 10^9, and only sensitivity, expand and offset turn one into the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import gamma, pi, sqrt

import numpy as np

from nrm_plugin.calibration.inputs import require
from nrm_plugin.columns import DerivedColumn, FloatArray
from nrm_plugin.errors import InvalidInput, UnknownChannel
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.text import with_unit
from nrm_plugin.vocabulary import calibrated_by

#: Volts at the output for a full scale, and where the output stops (SR830 manual).
FULL_SCALE = 10.0
LIMIT = 10.9

PARTS = {"x": "lateral_in_phase", "y": "lateral_quadrature"}


def peak_factor(convention: str) -> float:
    """What a lock-in's number is multiplied by to be the peak of the sine it belongs to.

    Parameters
    ----------
    convention : str
        ``rms`` or ``peak``.
    """
    return sqrt(2.0) if convention == "rms" else 1.0


def turned(x: FloatArray, y: FloatArray, phase: float) -> tuple[FloatArray, FloatArray]:
    """X and Y of X + iY times exp(-i phase), the phase of the instrument in rad taken out."""
    turn = np.exp(-1j * phase)
    return x * turn.real - y * turn.imag, x * turn.imag + y * turn.real


def input_scale(
    sensitivity: float, expand: float = 1.0, offset: float = 0.0
) -> tuple[float, float]:
    """Gain and offset (V) that make volts at the input of volts at the X or Y output.

    ``X = (V / (10 V expand) + offset) sensitivity``, the inverse of `output_volts`.

    Parameters
    ----------
    sensitivity : float
        Full scale in V; of the same kind (rms or peak) as the result.
    expand : float
    offset : float
        As a fraction of full scale.
    """
    return sensitivity / (FULL_SCALE * expand), offset * sensitivity


def output_volts(
    x: FloatArray, sensitivity: float, expand: float = 1.0, offset: float = 0.0
) -> FloatArray:
    """Volts at the X or Y output for volts at the input, up to where the output stops.

    ``V = (X / sensitivity - offset) expand 10 V`` (SR830 manual, "CH1 and CH2 outputs"); see
    `input_scale`.
    """
    return np.clip((x / sensitivity - offset) * expand * FULL_SCALE, -LIMIT, LIMIT)


def needed(curves: CurveSet) -> tuple[str, ...]:
    """Metadata keys without which the lateral signal of these curves is no voltage at the input."""
    if "lateral_in_phase" in curves.channels or "lateral_amplitude" in curves.channels:
        return ()
    keys = ["lockin_sensitivity"]
    for axis in PARTS:
        if f"lockin_output_{axis}" in curves.channels:
            keys += [f"lockin_expand_{axis}", f"lockin_offset_{axis}"]
    return tuple(keys) if len(keys) > 1 else ()


def at_input(curves: CurveSet) -> CurveSet:
    """Add lateral_in_phase and lateral_quadrature in volts at the input, from the outputs.

    The new channels share their columns with ``lockin_output_x`` and ``lockin_output_y``: only
    gain and offset differ, nothing is copied.

    Raises
    ------
    MissingCalibration
        Naming all of lockin_sensitivity, lockin_expand_x and so on that are missing.
    UnknownChannel
        If there is no output at all.
    InvalidInput
        If the curves have other channels of that name, so that it is not clear which to use.
    """
    axes = [axis for axis in PARTS if f"lockin_output_{axis}" in curves.channels]
    if not axes:
        raise UnknownChannel("lockin_output_x", curves.channels)
    keys = [f"lockin_{what}_{axis}" for axis in axes for what in ("expand", "offset")]
    known = require(curves, "lockin_sensitivity", *keys)
    sensitivity = known["lockin_sensitivity"]
    for axis in axes:
        channel, name = curves.channels[f"lockin_output_{axis}"], PARTS[axis]
        expand, offset = known[f"lockin_expand_{axis}"], known[f"lockin_offset_{axis}"]
        scale, shift = input_scale(sensitivity, expand, offset)
        made = replace(
            channel,
            name=name,
            gain=channel.gain * scale,
            offset=channel.offset * scale + shift,
            source=f"{channel.name} at the input: sensitivity {sensitivity:g} V, "
            f"expand {expand:g}, offset {offset:g}",
        )
        if curves.channels.get(name, made) != made:
            raise InvalidInput(
                f"the curves have {name} as well as lockin_output_{axis}, with other values; "
                "keep the one that is meant"
            )
        curves = curves.with_channel(made)
    return curves


def from_polar(curves: CurveSet) -> CurveSet:
    """Add lateral_in_phase and lateral_quadrature made of lateral_amplitude and lateral_phase.

    They are computed when they are read.

    Raises
    ------
    UnknownChannel
    """
    size, angle = curves.channel("lateral_amplitude"), curves.channel("lateral_phase")
    return _with_derived(
        curves,
        size.unit,
        "lateral_amplitude and lateral_phase",
        (lambda r, theta: r * np.cos(theta), lambda r, theta: r * np.sin(theta)),
        (size, angle),
    )


def rotated(curves: CurveSet) -> CurveSet:
    """Take out the phase of the instrument: X + iY times exp(-i lockin_phase).

    The curves returned have a ``lockin_phase`` of 0, so that nothing is turned twice.

    Raises
    ------
    MissingCalibration
        Without lockin_phase.
    """
    phase = require(curves, "lockin_phase")["lockin_phase"]
    curves = at_the_lockin(curves)
    x, y = (curves.channel(name) for name in PARTS.values())
    curves = _with_derived(
        curves,
        x.unit,
        f"turned by {with_unit(-phase, 'rad')}",
        (lambda a, b: turned(a, b, phase)[0], lambda a, b: turned(a, b, phase)[1]),
        (x, y),
    )
    done = f"taken out of the channels ({with_unit(phase, 'rad')})"
    known = {k: v for k, v in curves.metadata.items() if calibrated_by(k) == "lockin_phase"}
    return curves.with_metadata({"lockin_phase": 0.0, **known}, done)


def at_the_lockin(curves: CurveSet) -> CurveSet:
    """Return curves that have lateral_in_phase and lateral_quadrature, whatever was recorded.

    Raises
    ------
    MissingCalibration
        If there are the lock-in's outputs without its settings.
    UnknownChannel
        If there is no lateral signal, or one half of it only.
    """
    if "lateral_in_phase" not in curves.channels:
        if "lateral_amplitude" in curves.channels:
            curves = from_polar(curves)
        elif any(f"lockin_output_{axis}" in curves.channels for axis in PARTS):
            curves = at_input(curves)
    for name in PARTS.values():
        curves.channel(name)
    return curves


def refuse_output_volts(curves: CurveSet, chosen: FloatArray) -> None:
    """Raise if what is called a voltage at the input can only be one at the output.

    Parameters
    ----------
    chosen : array
        Some values of lateral_in_phase or lateral_quadrature in V.

    Raises
    ------
    InvalidInput
        If they lie far above the lock-in's full scale.
    """
    full = curves.metadata.get("lockin_sensitivity")
    largest = float(np.nanmax(np.abs(chosen), initial=0.0))
    # An output at its limit with the largest offset stands for 1.09 + 1.05 of full scale.
    if full is not None and largest > 2.2 * float(full):
        raise InvalidInput(
            f"lateral_in_phase or lateral_quadrature reaches {largest:.3g} V, but the lock-in's "
            f"full scale is {float(full):.3g} V: these are volts at its output. Map them to "
            "lockin_output_x and lockin_output_y"
        )


def with_overloads_reported(curves: CurveSet) -> CurveSet:
    """Add a warning for every output that was at its limit, or above full scale. Reads them.

    At the limit (10.9 V) the value is lost. Above full scale (10 V, which is also where many
    DAQ boards stop) it may be.
    """
    for axis in PARTS:
        name = f"lockin_output_{axis}"
        if name not in curves.channels:
            continue
        lost, above = overloads(curves, name)
        for samples, text in (
            (lost, f"at its limit of {LIMIT:g} V: what it stands for is lost there"),
            (above, f"above its full scale of {FULL_SCALE:g} V: check for overload"),
        ):
            if samples.any():
                curves = curves.with_warning(
                    f"{name} is {text} ({int(samples.sum())} samples of "
                    f"{int((samples > 0).sum())} of {curves.n_curves} curves)"
                )
    return curves


def overloads(curves: CurveSet, name: str) -> tuple[FloatArray, FloatArray]:
    """Samples of each curve of an output at the limit, and above full scale but below that."""
    lost, above = np.zeros(curves.n_curves), np.zeros(curves.n_curves)
    for first, stop in curves.blocks():
        volts = np.abs(curves.read(name, slice(first, stop)))
        sizes = curves.row_size[first:stop]
        curve = np.repeat(np.arange(first, stop), sizes)
        over = volts > FULL_SCALE * (1.0 + 1e-6)
        at_limit = volts >= LIMIT * (1.0 - 1e-3)
        np.add.at(lost, curve[at_limit], 1)
        np.add.at(above, curve[over & ~at_limit], 1)
    return lost, above


def delay(time_constant: float, poles: float) -> float:
    """Time in s by which n cascaded RC filters lag behind a slow signal: ``n tau``."""
    return poles * time_constant


def settling(time_constant: float, poles: float, part: float = 1e-3) -> float:
    """Time in s after a step until n poles are within `part` of the end.

    From the n-pole step response, a gamma distribution: 4.6, 6.6, 8.4, 10.0 time constants for
    1 % and 1 to 4 poles.
    """
    from scipy.special import gammainccinv

    return time_constant * float(gammainccinv(poles, part))


def noise_bandwidth(time_constant: float, poles: float) -> float:
    """Equivalent noise bandwidth in Hz of n cascaded RC filters.

    The integral of ``(1 + (2 pi f tau)^2)^-n``: 1/4, 1/8, 3/32, 5/64 per tau for 1 to 4 poles.
    """
    return gamma(poles - 0.5) / (4.0 * sqrt(pi) * gamma(poles) * time_constant)


def _with_derived(
    curves: CurveSet,
    unit: str,
    source: str,
    functions: tuple[Callable[..., FloatArray], Callable[..., FloatArray]],
    sources: tuple[Channel, Channel],
) -> CurveSet:
    """Add X and Y computed from two channels."""
    for name, function in zip(PARTS.values(), functions, strict=True):
        column = DerivedColumn(curves.rows, function, *sources)
        curves = curves.with_channel(Channel(name, unit, column, source=source))
    return curves
