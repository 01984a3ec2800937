"""The shape factor r_g of a tip in a layer: solved for, or looked up in the table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.forces import numerics_of
from nrm_plugin.fea.geometry import Layer, Tip, check
from nrm_plugin.fea.pool import Workers
from nrm_plugin.fea.problem import Numerics, stiffness
from nrm_plugin.fea.shape import MARGIN, ShapeFactor, crowded, line, penetrations
from nrm_plugin.fea.shape_table import look_up
from nrm_plugin.text import with_unit

_CURVE = 37
_CHANGE = 1.1  # of the radius, for the sensitivity


def shape_factor(
    tip: Tip,
    layer: Layer,
    *,
    table: bool = False,
    fineness: float = 1.0,
    workers: int | None = None,
) -> ShapeFactor:
    """Shape factor of a tip in a layer: the local curve and a constant.

    The modulus of the layer does not matter. The curve is the derivative of the force, solved
    for at distances that crowd at electrode and surface.

    Parameters
    ----------
    table : bool
        Look the curve up instead of solving: for bonded tips with half angles up to 48 degrees
        in a layer of 0.5 to 50 radii, within 2 % of a solution.
    fineness, workers
        As in `lateral_force`.

    Raises
    ------
    InvalidInput
        If the table is asked for what it does not hold, or the layer is too thin for the tip.
    """
    layer = replace(layer, modulus=1.0)
    if layer.thickness < 3.0 * MARGIN * tip.radius:
        raise InvalidInput(
            f"a layer of {with_unit(layer.thickness, 'm')} is too thin for the shape factor of "
            f"a tip of {with_unit(tip.radius, 'm')}: it needs {3 * MARGIN:.1f} radii"
        )
    if table:
        return look_up(tip, layer)
    distance = crowded(MARGIN * tip.radius, layer.thickness, _CURVE)
    check(tip, layer, layer.thickness - distance)
    numerics = numerics_of(fineness, None)
    with Workers(workers) as pool:
        force = _forces(pool, tip, layer, distance, numerics)
        logit = np.log(distance / (layer.thickness - distance))
        spline = CubicSpline(logit, force)
        slope = spline(logit, 1) * layer.thickness / (distance * (layer.thickness - distance))
        depth = penetrations(layer.thickness)
        away = layer.thickness - depth
        constant, r_squared = line(depth, spline(np.log(away / depth)))
        coarse = numerics_of(max(0.6 * fineness, 0.3), None)
        others = [
            line(depth, _forces(pool, replace(tip, radius=tip.radius * k), layer, away, coarse))
            for k in (1.0 / _CHANGE, _CHANGE)
        ]
    sensitivity = np.log(others[1][0] / others[0][0]) / (2.0 * np.log(_CHANGE))
    return ShapeFactor(
        distance=distance,
        curve=-0.25 * slope,
        constant=constant,
        window=(float(depth[0]), float(depth[-1])),
        r_squared=r_squared,
        radius_sensitivity=float(sensitivity),
        tip=tip,
        layer=layer,
    )


def _forces(
    pool: Workers, tip: Tip, layer: Layer, distance: FloatArray, numerics: Numerics
) -> FloatArray:
    """Stiffness per modulus (m) at distances from the electrode."""
    depths = (layer.thickness - distance).tolist()
    jobs = [(tip, layer, depth, numerics) for depth in depths]
    return np.real(np.array(pool.map(stiffness, jobs)))
