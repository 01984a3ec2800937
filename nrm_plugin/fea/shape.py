"""The shape factor r_g: the derivative of the lateral force per modulus, 4 and dither amplitude.

What its solution, its table and its file share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from nrm_plugin.columns import FloatArray
from nrm_plugin.fea.arguments import numbers
from nrm_plugin.fea.geometry import Layer, Tip

#: The constant is a line through this many penetrations, in these parts of the thickness.
POINTS, WINDOW = 7, (0.2, 0.8)
#: The curve leaves out this part of the tip's radius at electrode and surface.
MARGIN = 0.1


@dataclass(frozen=True, eq=False, kw_only=True)
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
