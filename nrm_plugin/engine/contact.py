"""The solid contact of every curve, its errors, and what is doubtful about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine import kernels
from nrm_plugin.engine.signals import Block, Plan
from nrm_plugin.engine.survey import Survey
from nrm_plugin.recipe import Contact

#: Flags in the order of their bits.
FLAGS = (
    "no_hard_contact",
    "short_wall",
    "short_baseline",
    "saturated",
    "slope_outlier",
    "structure",
    "spikes",
    "lag",
    "prior_conflict",
    "slip",
    "slope_of_surface",
    "missing_lateral",
)
BIT = {name: np.int64(1 << i) for i, name in enumerate(FLAGS)}

#: A wall shorter than this says little (m).
SHORT_WALL = 10e-9


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


class Method(Protocol):
    """A third party's way to find contacts (hook ``nrm_contact_methods``).

    Attributes
    ----------
    name, description : str
    """

    name: str
    description: str

    def find(self, height: FloatArray, deflection: FloatArray) -> tuple[float, float]:
        """Contact height of one curve and its standard error, in m; nan where there is none.

        Parameters
        ----------
        height, deflection : (n,) arrays
            In m, samples from far away to the surface.
        """


def settings_for(contact: Contact, found: Survey, slope: str) -> FloatArray:
    """Settings of `kernels.reference`."""
    prior, stderr = found.slope, found.slope_stderr
    if slope == "calibrated":
        prior, stderr = -1.0, 0.003
    elif slope == "free":
        stderr = np.inf
    return np.array(
        [
            float(contact.method == "two-line"),
            contact.baseline,
            contact.wall,
            prior,
            stderr,
            found.wave,
            float(contact.spikes),
        ]
    )


def find_contacts(
    block: Block, how: Plan, contact: Contact, found: Survey, method: Method | None
) -> Contacts:
    """Reference the curves of a block.

    Parameters
    ----------
    method : Method or None
        A third party's, instead of the kernels' crossing.
    """
    n = len(block.begin) - 1
    rows = np.empty((n, kernels.N_COLUMNS))
    clean = np.empty_like(block.deflection)
    arguments = (block.begin, block.height, block.deflection)
    kernels.reference(*arguments, settings_for(contact, found, contact.slope), clean, rows)
    systematic = np.zeros(n)
    if contact.method != "two-line" and contact.slope == "pooled":
        other = np.empty_like(rows)
        spare = np.empty_like(clean)
        calibrated = settings_for(contact, found, "calibrated")
        kernels.reference(*arguments, calibrated, spare, other)
        systematic = np.abs(other[:, kernels.CONTACT] - rows[:, kernels.CONTACT])
    if method is not None:
        for i in range(n):
            part = slice(int(block.begin[i]), int(block.begin[i + 1]))
            at, stderr = method.find(block.height[part], clean[part])
            rows[i, kernels.CONTACT], rows[i, kernels.STDERR] = at, stderr
    return Contacts(rows, clean, systematic, _flags(block, how, rows, systematic, found))


def _flags(
    block: Block, how: Plan, rows: FloatArray, systematic: FloatArray, found: Survey
) -> NDArray[np.int64]:
    """Flags of every curve; 0 where there is nothing to report."""
    lengths = np.diff(block.begin)
    column = rows.T
    missing = ~np.isfinite(column[kernels.CONTACT])
    off = np.abs(column[kernels.WALL_SLOPE] - found.slope)
    stderr = 3.0 * column[kernels.WALL_SLOPE_STDERR]
    soft = missing | (off > np.maximum(stderr, 0.06))
    wall = column[kernels.WALL_LENGTH]
    baseline = column[kernels.BASELINE_END]
    noise = np.maximum(column[kernels.NOISE], 1e-15)
    spread = max(5.0 * found.slope_spread, 0.02)
    dragged = np.zeros(len(lengths), bool)
    if how.lag and np.isfinite(block.interval):
        speed = np.array(
            [
                abs(block.height[b - 1] - block.height[a]) / max(b - a - 1, 1) / block.interval
                if b > a
                else 0.0
                for a, b in zip(block.begin[:-1], block.begin[1:], strict=True)
            ]
        )
        dragged = speed * how.lag > 0.5e-9
    raised = {
        "no_hard_contact": soft,
        "short_wall": (wall < SHORT_WALL) | (column[kernels.STDERR] > 0.5e-9),
        "short_baseline": (baseline < 100) | (baseline < column[kernels.WALL_SAMPLES]),
        "saturated": column[kernels.SATURATED] > 0,
        "slope_outlier": ~soft & (off > np.maximum(stderr, spread)),
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
