"""The local slope of the surface, from the contact heights of neighbouring places.

Vertical distances overstate a layer's thickness by one over the cosine of the slope.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.model import CurveSet
from nrm_plugin.tables import CurveTable

#: Slope above which a curve is flagged, in rad.
STEEP = float(np.radians(20.0))

#: Neighbours of a place that a plane is laid through, itself among them.
_NEIGHBOURS = 9

#: Neighbours are no farther away than this times the usual distance to the nearest one.
_REACH = 1.6


def surface_slope(curves: CurveSet, contact_height: FloatArray) -> FloatArray:
    """Angle between the surface and the horizontal at every curve.

    A least-squares plane through the place and its neighbours; curves at one place count as one.

    Parameters
    ----------
    curves : CurveSet
        With positions, and a height that counts from one zero for all curves.
    contact_height : (n,) array
        In m; nan where there is none.

    Returns
    -------
    (n,) array
        In rad; nan where there are too few neighbours, or heights of different curves have
        nothing in common.
    """
    return slope_of_places(curves.curve_table, contact_height, curves.metadata)


def slope_of_places(
    table: CurveTable, contact_height: FloatArray, metadata: Mapping[str, Any]
) -> FloatArray:
    """The same of a curve table and metadata."""
    from scipy.spatial import cKDTree

    n_curves = len(contact_height)
    angle = np.full(n_curves, np.nan)
    usable = np.isfinite(contact_height) & np.isfinite(table["x"]) & np.isfinite(table["y"])
    if metadata.get("height_source") == "commanded" or usable.sum() < 3:
        return angle
    place = np.where(table["location"] >= 0, table["location"], np.arange(n_curves))
    where, of_curve = np.unique(place[usable], return_inverse=True)
    if len(where) < 3:
        return angle
    count = np.bincount(of_curve)
    x, y, z = (
        np.bincount(of_curve, values[usable]) / count
        for values in (table["x"], table["y"], contact_height)
    )
    points = np.stack([x, y], axis=1)
    found = cKDTree(points).query(points, k=min(_NEIGHBOURS, len(points)))
    away, near = np.asarray(found[0]), np.asarray(found[1])
    pitch = float(np.median(away[:, 1]))
    within = away <= _REACH * pitch
    dx, dy, dz = ((v[near] - v[:, None]) * within for v in (x, y, z))
    n = within.sum(1)
    dx, dy, dz = ((v - (v.sum(1) / n)[:, None]) * within for v in (dx, dy, dz))
    xx, xy, yy = (dx * dx).sum(1), (dx * dy).sum(1), (dy * dy).sum(1)
    xz, yz = (dx * dz).sum(1), (dy * dz).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        determinant = xx * yy - xy * xy
        flat = determinant <= 1e-6 * (xx + yy) ** 2  # neighbours on one line
        steep = np.hypot(yy * xz - xy * yz, xx * yz - xy * xz) / determinant
    slope = np.where(flat, np.nan, np.arctan(steep))
    angle[usable] = slope[of_curve]
    return angle
