"""Roughness of a surface, from an image or from the contact heights of a grid of curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput

#: A surface that is a plane but for this part of its heights is one.
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Roughness:
    """Roughness of a levelled surface, in the unit of its heights.

    Attributes
    ----------
    sa, sq, sz : float
        Mean of the absolute height, root mean square, and highest point above the lowest, over
        the area (ISO 25178-2).
    rq : float
        Root mean square along the fast axis: that of the rows, each about its own line (ISO 21920).
    levelled : (rows, columns) array
        Heights above the plane that fits best; nan where there were none.
    """

    sa: float
    sq: float
    sz: float
    rq: float
    levelled: FloatArray


def roughness(heights: ArrayLike) -> Roughness:
    """Level a surface by its least-squares plane and give its roughness.

    Parameters
    ----------
    heights : (rows, columns) array
        Equally spaced; nan where there is none.

    Raises
    ------
    InvalidInput
        If there are fewer than three heights, or they are no table.
    """
    z = np.asarray(heights, np.float64)
    finite = np.isfinite(z)
    if z.ndim != 2 or finite.sum() < 3:
        raise InvalidInput("roughness needs a table of at least three heights")
    levelled = np.full(z.shape, np.nan)
    row, column = np.nonzero(finite)
    levelled[finite] = _without(z[finite], np.stack([row, column], axis=1).astype(np.float64))
    if np.ptp(levelled[finite]) < _ROUNDING * np.max(np.abs(z[finite])):
        levelled[finite] = 0.0
    of_rows = [
        _without(line[known], np.flatnonzero(known)[:, None].astype(np.float64))
        for line in levelled
        if (known := np.isfinite(line)).sum() > 2
    ]
    flat = levelled[finite]
    return Roughness(
        sa=float(np.mean(np.abs(flat))),
        sq=float(np.sqrt(np.mean(flat**2))),
        sz=float(np.ptp(flat)),
        rq=float(np.sqrt(np.mean([np.mean(line**2) for line in of_rows]))) if of_rows else np.nan,
        levelled=levelled,
    )


def _without(z: FloatArray, positions: FloatArray) -> FloatArray:
    """Heights about their least-squares plane or line."""
    terms = np.column_stack([np.ones(len(z)), positions - positions.mean(0)])
    return np.asarray(z - terms @ np.linalg.lstsq(terms, z, rcond=None)[0], np.float64)
