"""The shape factor r_g: what the derivative of the lateral force is per modulus."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.forces import numerics_of
from nrm_plugin.fea.geometry import Layer, Tip, check
from nrm_plugin.fea.given import numbers
from nrm_plugin.fea.pool import Workers
from nrm_plugin.fea.problem import Numerics, stiffness

#: The constant is a line through this many penetrations, in these parts of the thickness.
POINTS, WINDOW = 7, (0.2, 0.8)
#: The curve leaves out this part of the tip's radius at electrode and surface.
MARGIN = 0.1
_CURVE = 37
_CHANGE = 1.1  # of the radius, for the sensitivity


@dataclass(frozen=True, eq=False)
class ShapeFactor:
    """``r_g = dF/dz / (4 A E)`` of a tip in a homogeneous layer (Eq. 5 of the method).

    Attributes
    ----------
    distance : ndarray
        Of the apex from the electrode in m, ascending.
    curve : ndarray
        Local r_g at these.
    constant : float
        Slope of a least-squares line, with intercept, of the force against the penetration.
    window : (float, float)
        Penetrations in m from and to which the line goes.
    r_squared : float
        Of that line.
    radius_sensitivity : float
        d ln(constant) / d ln(tip radius).
    tip, layer
        What it is for.
    source : str
        "solved" or "table".
    """

    distance: FloatArray
    curve: FloatArray
    constant: float
    window: tuple[float, float]
    r_squared: float
    radius_sensitivity: float
    tip: Tip
    layer: Layer
    source: str = "solved"

    def at(self, distance: ArrayLike) -> FloatArray:
        """Local r_g at distances in m; NaN beyond the curve."""
        z = numbers("distances", distance)
        inside = (z >= self.distance[0]) & (z <= self.distance[-1])
        spline = CubicSpline(np.log(self.distance), np.log(self.curve))
        where = np.log(np.where(inside, z, self.distance[0]))
        return np.where(inside, np.exp(spline(where)), np.nan)


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
        Look the curve up instead of solving: for bonded cylindrical tips in a layer of 0.5 to 50
        radii, within 2 % of a solution.
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
            f"a layer of {layer.thickness * 1e9:.4g} nm is too thin for a shape factor of a tip of "
            f"{tip.radius * 1e9:.4g} nm: it needs {3 * MARGIN:.1f} radii"
        )
    if table:
        from nrm_plugin.fea.table import look_up

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
        distance,
        -0.25 * slope,
        constant,
        (float(depth[0]), float(depth[-1])),
        r_squared,
        float(sensitivity),
        tip,
        layer,
    )


def crowded(margin: float, thickness: float, count: int) -> FloatArray:
    """Distances from `margin` to `thickness - margin`, the closer the nearer to both ends."""
    end = np.log(thickness / margin - 1.0)
    return np.asarray(thickness / (1.0 + np.exp(-np.linspace(-end, end, count))))


def penetrations(thickness: float) -> FloatArray:
    """Depths of the line that gives the constant."""
    return np.linspace(WINDOW[0] * thickness, WINDOW[1] * thickness, POINTS)


def line(depth: FloatArray, stiffness: FloatArray) -> tuple[float, float]:
    """Shape factor from a line through stiffness per modulus, and the line's R squared."""
    x, y = depth - depth.mean(), stiffness - stiffness.mean()
    slope = float(x @ y / (x @ x))
    return 0.25 * slope, float((x @ y) ** 2 / ((x @ x) * (y @ y)))


def _forces(
    pool: Workers, tip: Tip, layer: Layer, distance: FloatArray, numerics: Numerics
) -> FloatArray:
    """Stiffness per modulus (m) at distances from the electrode."""
    depths = (layer.thickness - distance).tolist()
    jobs = [(tip, layer, depth, numerics) for depth in depths]
    return np.real(np.array(pool.map(stiffness, jobs)))
