"""The engine of commit 683e836, whose loops numba compiled: kept to compare speeds, nothing else.

`kernels.py` is what it was; `block` is what was done with a block of curves.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nrm_plugin.calibration import lockin
from nrm_plugin.engine import checks
from nrm_plugin.engine.compiled import CONTACT
from nrm_plugin.engine.contact import crossing_for, flags, systematic
from nrm_plugin.engine.signals import MOST_FORCE, MOST_LENGTH, Block, Plan, ScaledChannel
from nrm_plugin.kernels import LATERAL_CHECK
from nrm_plugin.model import CurveSet

from . import kernels


def read_block(
    curves: CurveSet, plan: Plan, ranges: np.ndarray, chosen: slice, direction: str
) -> Block:
    """Signals of some curves as float64, times of all samples among them."""
    numbers = np.arange(curves.n_curves)[chosen]
    ends = np.cumsum(curves.row_size[numbers], dtype=np.int64)
    spans = ranges[numbers]
    lengths = spans[:, 1] - spans[:, 0]
    begin = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    first = np.concatenate([[0], ends[:-1]]).astype(np.int64) + spans[:, 0]

    def signal(source: Any, limit: float) -> np.ndarray:
        channel = curves.channels[source.channel]
        gain, offset = channel.gain * source.factor, channel.offset * source.factor
        out = np.empty(begin[-1])
        raw = curves.read_raw(source.channel, chosen)
        kernels.gather(raw, first, begin, direction == "retract", gain, offset, limit, out)
        return out

    x, y = signal(plan.in_phase, MOST_FORCE), signal(plan.quadrature, MOST_FORCE)
    if plan.phase:
        x, y = lockin.turned(x, y, plan.phase)
    time = signal(ScaledChannel("time", 1.0), math.inf)
    interval = np.abs(time[begin[1:] - 1] - time[begin[:-1]]) / (lengths - 1)
    height = signal(ScaledChannel("height", 1.0), MOST_LENGTH)
    return Block(
        begin=begin,
        height=height,
        deflection=signal(plan.deflection, MOST_LENGTH),
        in_phase=x,
        quadrature=y,
        travel=np.abs(height[begin[1:] - 1] - height[begin[:-1]]),
        interval=interval,
        direction=direction,
    )


def contacts(block: Block, crossing: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows of numbers that are found, and the deflection without spikes and fringe."""
    rows, clean = np.empty((len(block), kernels.N_COLUMNS)), np.empty_like(block.deflection)
    settings = np.array(crossing, np.float64)
    kernels.reference(block.begin, block.height, block.deflection, settings, clean, rows)
    return rows, clean


def block(work: Any, direction: Any, cosine: np.ndarray, first: int, stop: int) -> dict[str, Any]:
    """What `Chain.block` gives, for approaches of our default recipe."""
    plan, survey = work.plan, direction.survey
    signals = read_block(work.curves, plan, direction.ranges, slice(first, stop), direction.name)
    rows, clean = contacts(signals, crossing_for(work.recipe.contact, survey))
    delay = np.nan_to_num(plan.lag / signals.interval, posinf=0.0)
    own = np.stack([delay, np.zeros(len(signals)), cosine[first:stop]], axis=1)
    n, m = len(signals), len(work.depth)
    found, valid = np.empty((n, 7, m)), np.empty(n)
    lateral = signals.in_phase, signals.quadrature
    kernels.profiles(
        signals.begin, signals.height, clean, *lateral, rows, work.depth,
        np.array(
            [work.recipe.derivative.half_width, plan.amplitude, plan.lateral_stiffness,
             plan.spring_constant]
        ),
        own, survey.correlation, found, valid,
    )  # fmt: skip
    lateral_checks, gone = np.empty(n, LATERAL_CHECK), np.empty(n, bool)
    slip = np.empty((n, 3))
    kernels.slip_exponent(signals.begin, clean, *lateral, rows, slip)
    kernels.dead(signals.begin, *lateral, gone)
    lateral_checks["exponent"], lateral_checks["stderr"], lateral_checks["straight"] = slip.T
    lateral_checks["missing"] = gone
    records = np.full(n, np.nan, CONTACT)  # what came later is behind the columns of then
    for name, column in zip(CONTACT.names, rows.T, strict=False):
        records[name] = column
    slope = records["baseline_slope"]
    return moduli(found, plan, work.shape.values) | {
        "contact_height": records["contact"],
        "contact_height_stderr": records["stderr"],
        "contact_height_systematic": systematic(records),
        "quality": flags(signals, plan, records, survey) | checks.lateral_flags(lateral_checks),
        "depth_valid_min": valid,
        "wall_slope": records["wall_slope"],
        "wall_length": records["wall_length"],
        "baseline_slope": slope,
        "baseline_deflection": records["baseline_at"] + slope * records["contact"],
        "deflection_noise": records["noise"],
    }


def moduli(found: np.ndarray, plan: Plan, shape: np.ndarray) -> dict[str, np.ndarray]:
    """Profiles by the names of the results."""
    found, shape = found.astype(np.float32), shape.astype(np.float32)
    per_gradient = 1.0 / (4.0 * shape * plan.amplitude)
    shear = 2.0 * (1.0 + plan.poisson_ratio)
    storage, loss = found[:, 3] * per_gradient, found[:, 4] * per_gradient
    storage_error, loss_error = found[:, 5] * per_gradient, found[:, 6] * per_gradient
    size = np.hypot(storage, loss)
    with np.errstate(invalid="ignore", divide="ignore"):
        size_error = np.hypot(storage * storage_error, loss * loss_error) / size
    per_loss = 1.0 / (shear * 2.0 * np.pi * plan.frequency)
    return {
        "force_normal": found[:, 0],
        "lateral_force_in_phase": found[:, 1],
        "lateral_force_quadrature": found[:, 2],
        "force_gradient_in_phase": found[:, 3],
        "force_gradient_in_phase_stderr": found[:, 5],
        "force_gradient_quadrature": found[:, 4],
        "force_gradient_quadrature_stderr": found[:, 6],
        "storage_modulus": storage,
        "storage_modulus_stderr": storage_error,
        "loss_modulus": loss,
        "loss_modulus_stderr": loss_error,
        "shear_modulus_magnitude": size / shear,
        "shear_modulus_magnitude_stderr": size_error / shear,
        "viscosity": loss * per_loss,
        "viscosity_stderr": loss_error * per_loss,
    }
