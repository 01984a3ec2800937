"""Places: curves so close together that they tell of one spot of the sample."""

from __future__ import annotations

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.statistics.selection import column

#: Curves within this distance (m) of the first one of a place belong to it.
REACH = 20e-9

#: Pitches of exactly the reach are places of their own.
_JUST_BELOW = 1.0 - 1e-6


def places(results: xr.Dataset, curves: IntArray, reach: float = REACH) -> IntArray:
    """Number of the place of every curve, from 0.

    Curves are taken in their order: one that lies within `reach` of the first curve of a place
    belongs to it (the nearest, where there are several). Curves without a position go by the
    column ``location``, and without that count as places of their own.
    """
    numbers = np.full(len(curves), -1, np.int64)
    where = positions(results, curves)
    finite = np.isfinite(where).all(1)
    numbers[finite] = _leaders(where[finite], reach * _JUST_BELOW)
    location = column(results, "location")
    rest = np.flatnonzero(~finite)
    groups = np.arange(len(rest)) if location is None else location[curves[rest]]
    numbers[rest] = np.unique(groups, return_inverse=True)[1] + numbers.max(initial=-1) + 1
    return numbers


def positions(results: xr.Dataset, curves: IntArray) -> FloatArray:
    """Positions x, y of curves in m, nan where unknown."""
    columns = [column(results, name) for name in ("x", "y")]
    none = np.full(len(curves), np.nan)
    return np.stack([none if f is None else f[curves].astype(np.float64) for f in columns], axis=1)


def times(results: xr.Dataset, curves: IntArray) -> FloatArray:
    """When curves were taken, s: their start times, else their order, else nan."""
    start = column(results, "start_time")
    if start is not None and start.dtype.kind == "M":
        start = start[curves]
        finite = ~np.isnat(start)
        seconds = np.full(len(curves), np.nan)
        if finite.any():
            seconds[finite] = (start[finite] - start[finite].min()) / np.timedelta64(1, "s")
        return seconds
    order = column(results, "acquisition_order") if start is None else start
    return np.full(len(curves), np.nan) if order is None else order[curves].astype(np.float64)


def _leaders(where: FloatArray, reach: float) -> IntArray:
    """Number of the place of every position, see `places`."""
    from scipy.spatial import cKDTree

    numbers = np.full(len(where), -1, np.int64)
    if not len(where):
        return numbers
    tree = cKDTree(where)
    alone = tree.query_ball_point(where, reach, return_length=True) == 1
    nearest = np.full(len(where), np.inf)
    count = 0
    for i in range(len(where)):
        if numbers[i] >= 0:
            continue
        numbers[i], nearest[i] = count, 0.0
        if not alone[i]:
            near = np.array(tree.query_ball_point(where[i], reach))
            away = np.hypot(*(where[near] - where[i]).T)
            closer = (away < nearest[near]) & (near >= i)
            numbers[near[closer]], nearest[near[closer]] = count, away[closer]
        count += 1
    return numbers


def per_place(values: AnyArray, place: IntArray) -> AnyArray:
    """Mean over the curves of every place, column by column, nan where there are none."""
    count = int(place.max(initial=-1)) + 1
    if count == len(place):
        ordered = np.empty_like(values)
        ordered[place] = values
        return ordered
    order = np.argsort(place, kind="stable")
    begin = np.searchsorted(place[order], np.arange(count))
    finite = np.isfinite(values)
    total = np.add.reduceat(np.where(finite, values, 0.0)[order], begin, axis=0)
    n = np.add.reduceat(finite[order], begin, axis=0, dtype=np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / n)
