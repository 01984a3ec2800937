"""Repeated ramps at one place: what a ramp does to the interphase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.statistics.selection import LEFT_OUT


@dataclass(frozen=True)
class Trend:
    """Change per ramp at one and the same place.

    Attributes
    ----------
    per_ramp, stderr, low, high : float
        Change of the variable with every ramp, in `unit`, with standard error and interval.
    relative : float
        The change divided by the mean of the first ramps.
    p : float
        Probability of such a change if ramps did nothing.
    ramp : (k,) array
        Number of the ramp at its place, from 0.
    mean, mean_stderr : (k,) arrays
        Mean of the places at this ramp, after their own means were made equal.
    n_places, n_curves : int
        With at least two ramps.
    unit, meaning, variable : str
    warnings : tuple of str
    """

    per_ramp: float
    stderr: float
    low: float
    high: float
    relative: float
    p: float
    ramp: FloatArray
    mean: FloatArray
    mean_stderr: FloatArray
    n_places: int
    n_curves: int
    unit: str
    meaning: str
    variable: str
    warnings: tuple[str, ...] = ()


def trend(
    results: xr.Dataset,
    variable: str = "shear_modulus_magnitude",
    between: tuple[float, float] = (0.0, 5e-9),
    curves: Sequence[int] | AnyArray | None = None,
    level: float = 0.95,
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
) -> Trend:
    """Change of a variable over repeated ramps at one place (damage, or creep of the sample).

    Parameters
    ----------
    results : Dataset
    variable : str
        A variable over depth, averaged within `between`; or ``thickness``, or ``contact_height``.
    between : (float, float)
        Depths in m.
    """
    raise NotImplementedError
