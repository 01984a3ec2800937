"""The solid contact of every curve, its errors, and what is doubtful about it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine import kernels
from nrm_plugin.engine.signals import Block, Plan
from nrm_plugin.engine.survey import LEAST_SLOPE, RIGID, Survey
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.hookspecs import ContactMethod
from nrm_plugin.recipe import Contact
from nrm_plugin.variables import BIT

#: A wall shorter than this says little (m).
SHORT_WALL = 10e-9

#: Depth by which the lock-in may lag (m).
MOST_LAG = 0.5e-9

#: On a calibrated lever no wall is steeper.
STEEPEST = 1.3


@dataclass(frozen=True)
class Contacts:
    """What is found for the curves of a block; arrays have one value per curve.

    Attributes
    ----------
    rows : (n, kernels.N_COLUMNS) array
        Everything that the kernels say.
    clean : flat array
        Deflection without spikes and fringe.
    systematic : array
        How far the contact moves if the wall's slope is taken as calibrated instead, in m.
    quality : array of int
        Flags as bits.
    """

    rows: FloatArray
    clean: FloatArray
    systematic: FloatArray
    quality: NDArray[np.int64]


def settings_for(contact: Contact, found: Survey) -> FloatArray:
    """Settings of `kernels.reference`."""
    pooled, calibrated = (found.slope, found.slope_stderr), RIGID
    slope, stderr = {"pooled": pooled, "calibrated": calibrated, "free": (0.0, np.inf)}[
        contact.slope
    ]
    other = pooled if contact.slope == "calibrated" else calibrated
    return np.array(
        [
            float(contact.method == "two-line"),
            contact.baseline,
            contact.wall,
            slope,
            stderr,
            found.wave,
            float(contact.spikes),
            *other,
        ]
    )


def find_contacts(
    block: Block, how: Plan, contact: Contact, found: Survey, method: ContactMethod | None
) -> Contacts:
    """Reference the curves of a block.

    Parameters
    ----------
    method : ContactMethod or None
        A third party's, instead of the kernels' crossing.
    """
    rows = np.empty((len(block), kernels.N_COLUMNS))
    clean = np.empty_like(block.deflection)
    settings = settings_for(contact, found)
    kernels.reference(block.begin, block.height, block.deflection, settings, clean, rows)
    if method is not None:
        _ask(method, block, clean, rows)
    systematic = np.abs(rows[:, kernels.OTHER_CONTACT] - rows[:, kernels.CONTACT])
    return Contacts(rows, clean, systematic, _flags(block, how, rows, systematic, found))


def _ask(method: ContactMethod, block: Block, clean: FloatArray, rows: FloatArray) -> None:
    """Take contacts and their errors from a third party's method.

    Raises
    ------
    InvalidInput
        Naming the method, if it fails or gives something else than two numbers.
    """
    for i, (a, b) in enumerate(pairwise(block.begin)):
        try:
            at, stderr = method.find(block.height[a:b], clean[a:b])
            rows[i, kernels.CONTACT], rows[i, kernels.STDERR] = float(at), float(stderr)
        except NrmError:
            raise
        except Exception as error:
            raise InvalidInput(
                f"the contact method {method.name} failed ({type(error).__name__}: {error})"
            ) from error


def _flags(
    block: Block, how: Plan, rows: FloatArray, systematic: FloatArray, found: Survey
) -> NDArray[np.int64]:
    """Flags of every curve; 0 where there is nothing to report."""
    lengths = np.diff(block.begin)
    column = rows.T
    missing = ~np.isfinite(column[kernels.CONTACT])
    slope = column[kernels.WALL_SLOPE]
    off = np.abs(slope - found.slope)
    stderr = 3.0 * column[kernels.WALL_SLOPE_STDERR]
    soft = missing | (off > np.maximum(stderr, 0.06)) | (slope > -LEAST_SLOPE)
    wall = column[kernels.WALL_LENGTH]
    baseline = column[kernels.BASELINE_END]
    noise = np.maximum(column[kernels.NOISE], 1e-15)
    spread = max(5.0 * found.slope_spread, 0.02)
    dragged = np.zeros(len(lengths), bool)
    if how.lag:
        ends = np.maximum(block.begin[1:] - 1, 0)
        far = np.abs(block.height[ends] - block.height[np.minimum(block.begin[:-1], ends)])
        with np.errstate(invalid="ignore", divide="ignore"):
            speed = far / np.maximum(lengths - 1, 1) / block.interval
            dragged = ~(speed * how.lag <= MOST_LAG)  # also where the clock stands
    raised = {
        "no_hard_contact": soft,
        "short_wall": (wall < SHORT_WALL) | (column[kernels.STDERR] > 0.5e-9),
        "short_baseline": (baseline < 100) | (baseline < column[kernels.WALL_SAMPLES]),
        "saturated": column[kernels.SATURATED] > 0,
        "slope_outlier": ~soft & ((off > np.maximum(stderr, spread)) | (slope < -STEEPEST)),
        "structure": column[kernels.LONG_RUN] > 3.0 * noise,
        "spikes": column[kernels.SPIKES] > 0,
        "lag": dragged,
        "prior_conflict": systematic > 0.5e-9,
        "missing_lateral": np.full(len(lengths), not how.lateral),
    }
    quality = np.zeros(len(lengths), np.int64)
    for name, where in raised.items():
        quality |= np.where(where, BIT[name], 0)
    return quality
