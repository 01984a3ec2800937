"""Friction loops: a tip that is dragged over a solid, to and fro."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np

from nrm_plugin.errors import InvalidInput
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet
from nrm_plugin.simulate.instrument import Instrument
from nrm_plugin.simulate.sample import Electrode


@dataclass(frozen=True)
class Scan:
    """How the tip is dragged.

    Attributes
    ----------
    length : float
        Of a line, m.
    samples, lines : int
    load : float
        Normal, without adhesion, N.
    adhesion : float
        N.
    slope : float
        Inclination of the sample along the line, rad.
    """

    length: float = 200e-9
    _: KW_ONLY
    samples: int = 128
    lines: int = 32
    load: float = 20e-9
    adhesion: float = 0.0
    slope: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LoopTruth:
    """What is behind simulated loops.

    Attributes
    ----------
    static_sensitivity : float
        m of lateral tip motion per V of the friction channel.
    force_per_volt : float
        N per V of the friction channel.
    contact_stiffness : float
        Of the solid contact at this load, N/m.
    half_width, offset : float
        Of the loops, V.
    stick_length : float
        Way on which the tip sticks after a turn, m.
    """

    static_sensitivity: float
    force_per_volt: float
    contact_stiffness: float
    half_width: float
    offset: float
    stick_length: float


def friction_loops(
    electrode: Electrode,
    instrument: Instrument,
    scan: Scan,
    *,
    output_gain: float = 1.0,
    noise: float = 1e-3,
    detector_offset: float = 0.0,
    limit: float = np.inf,
    seed: int = 0,
) -> tuple[CurveSet, LoopTruth]:
    """Record friction images, trace and retrace.

    Lever and contact are springs in series up to the force of sliding, which on a slope theta is
    ``(F sin +- mu (F cos + adhesion)) / (cos -+ mu sin)`` (Ogletree et al. 1996).

    Parameters
    ----------
    electrode : Electrode
        With a finite friction.
    instrument : Instrument
        With a finite lateral stiffness.
    scan : Scan
    output_gain : float
        Volts of the friction channel per volt at the lock-in.
    noise : float
        Standard deviation of the friction channel, V.
    detector_offset : float
        V.
    limit : float
        Where the detector stops, V.
    seed : int

    Returns
    -------
    CurveSet, LoopTruth
        No curves; two images ``Friction``.

    Raises
    ------
    InvalidInput
        For a tip that never slides or that nothing moves.
    """
    truth = _truth(electrode, instrument, scan, output_gain, detector_offset)
    series = 2.0 * truth.half_width / truth.stick_length  # V/m while it sticks
    distance = np.arange(scan.samples) * scan.length / scan.samples
    low, high = truth.offset - truth.half_width, truth.offset + truth.half_width
    trace = np.minimum(low + series * distance, high)
    retrace = np.maximum(high - series * distance, low)
    rng = np.random.default_rng(seed)
    shape = (scan.lines, scan.samples)
    size = (scan.length, scan.length * scan.lines / scan.samples)
    images = []
    for one, direction in ((trace, "trace"), (retrace[::-1], "retrace")):
        data = np.clip(one + noise * rng.standard_normal(shape), -limit, limit)
        images.append(Image("Friction", data, "V", size, direction))
    metadata = {
        "simulated": True,
        "lateral_stiffness": instrument.lateral_stiffness,
        "lateral_output_gain": output_gain,
    }
    return CurveSet.from_arrays({}, images=images, metadata=metadata), truth


def _truth(
    electrode: Electrode,
    instrument: Instrument,
    scan: Scan,
    output_gain: float,
    detector_offset: float,
) -> LoopTruth:
    """Loop of a lever and a contact in series that slide at a force.

    Raises
    ------
    InvalidInput
    """
    k, mu = instrument.lateral_stiffness, electrode.friction
    if not np.isfinite(k) or not np.isfinite(mu):
        raise InvalidInput("friction loops need a finite friction and lateral_stiffness")
    sin, cos = float(np.sin(scan.slope)), float(np.cos(scan.slope))
    if mu * abs(sin) >= cos:
        raise InvalidInput("the tip is stuck on so steep a slope")
    held = mu * (scan.load * cos + scan.adhesion)
    up = (scan.load * sin + held) / (cos - mu * sin)
    down = (scan.load * sin - held) / (cos + mu * sin)
    contact = electrode.lateral_stiffness * float(np.cbrt((scan.load + scan.adhesion) / 1e-9))
    per_volt = k * instrument.lateral_sensitivity / output_gain
    return LoopTruth(
        static_sensitivity=instrument.lateral_sensitivity / output_gain,
        force_per_volt=per_volt,
        contact_stiffness=contact,
        half_width=(up - down) / 2.0 / per_volt,
        offset=(up + down) / 2.0 / per_volt + detector_offset,
        stick_length=(up - down) * (k + contact) / (k * contact),
    )


def wedge_loops(
    electrode: Electrode,
    instrument: Instrument,
    scan: Scan,
    *,
    slopes: Sequence[float],
    loads: Sequence[float],
    crosstalk: float = 0.0,
    noise: float = 1e-3,
    seed: int = 0,
) -> tuple[dict[float, list[tuple[float, float, float]]], LoopTruth]:
    """Half-widths and offsets of loops on slopes at several loads, as the wedge method needs.

    Parameters
    ----------
    slopes : sequence of float
        rad.
    loads : sequence of float
        N.
    crosstalk : float
        Volts of the lateral signal per N of normal load.
    noise : float
        Standard deviation of half-widths and offsets, V.

    Returns
    -------
    dict, LoopTruth
        For each slope its (load, half-width, offset); the truth of the last loop.
    """
    rng = np.random.default_rng(seed)
    seen: dict[float, list[tuple[float, float, float]]] = {}
    for slope in slopes:
        seen[slope] = []
        for load in loads:
            one = replace(scan, slope=slope, load=load)
            truth = _truth(electrode, instrument, one, 1.0, 0.0)
            width, offset = noise * rng.standard_normal(2)
            seen[slope].append(
                (load, truth.half_width + width, truth.offset + crosstalk * load + offset)
            )
    return seen, truth
