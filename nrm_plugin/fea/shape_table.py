"""The shape factor from a table that ships with the package.

The table holds r_g of a bonded tip with a spherical end over the distance from the electrode and
the thickness in tip radii: of cylinders, and, for half angles up to 48 degrees, of cones.
`nrm_plugin.fea.tabulate` makes it.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from scipy.interpolate import CubicSpline, RegularGridInterpolator, make_interp_spline

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.geometry import Layer, Tip
from nrm_plugin.fea.shape import MARGIN, ShapeFactor, crowded, line, penetrations
from nrm_plugin.text import with_unit

_STEP = 0.02  # of the logarithm of the radius, for the sensitivity


def look_up(tip: Tip, layer: Layer) -> ShapeFactor:
    """Shape factor from the table.

    Raises
    ------
    InvalidInput
        If the table does not hold it.
    """
    thickness = layer.thickness / tip.radius
    _check(tip, layer, thickness)
    case = layer.poisson_ratio, tip.half_angle
    distance, curve = _curve(thickness, *case)
    depth = penetrations(layer.thickness)
    constant, r_squared = _constant(thickness, *case)
    low, high = _range("thickness")
    edges = np.clip(thickness * np.exp([_STEP, -_STEP]), low, high)
    others = [_constant(float(edge), *case)[0] for edge in edges]
    return ShapeFactor(
        distance=distance * tip.radius,
        curve=curve,
        constant=constant,
        window=(float(depth[0]), float(depth[-1])),
        r_squared=r_squared,
        radius_sensitivity=float(np.log(others[1] / others[0]) / np.log(edges[0] / edges[1])),
        tip=tip,
        layer=layer,
        source="table",
    )


def thickest(radius: float) -> float:
    """Thickness in m of the thickest layer that the table holds for tips of a radius in m."""
    return _range("thickness")[1] * radius


def _check(tip: Tip, layer: Layer, thickness: float) -> None:
    widest = float(_data()["half_angle"][-1])
    if tip.half_angle > widest * (1.0 + 1e-9) or not tip.bonded:
        raise InvalidInput(
            f"the table holds bonded tips with half angles up to {math.degrees(widest):.0f}° only: "
            "solve for this tip, without the table"
        )
    low, high = _range("thickness")
    if not low <= thickness <= high:
        raise InvalidInput(
            f"the table holds layers of {low:g} to {high:g} tip radii, and this one has "
            f"{thickness:.4g}: solve for it, without the table"
        )
    if layer.domain is not None and layer.domain < 4.0 * layer.thickness + tip.radius:
        raise InvalidInput(
            f"the table holds wide layers, and this one is held at a radius of "
            f"{with_unit(layer.domain, 'm')}, less than 4 thicknesses beyond the tip: solve for it"
        )


def _curve(
    thickness: float, poisson_ratio: float, half_angle: float
) -> tuple[FloatArray, FloatArray]:
    """Distances in tip radii, and r_g there."""
    distance, curve = _cylinder(thickness, poisson_ratio)
    if half_angle:
        curve = curve * _cone_over_cylinder(thickness, poisson_ratio, half_angle)
    return distance, curve


def _cone_over_cylinder(thickness: float, poisson_ratio: float, half_angle: float) -> FloatArray:
    """Ratio of r_g of a cone to that of a cylinder, at the positions of the table."""
    data = _data()
    ratios, angles = data["cone_poisson_ratio"], np.concatenate([[0.0], data["half_angle"]])
    ratio = np.zeros((ratios.size, angles.size, *data["cone"].shape[2:]))
    cylinders = data["curve"][:, np.searchsorted(data["poisson_ratio"], ratios - 1e-9)]
    ratio[:, 1:] = np.log(data["cone"] / np.moveaxis(cylinders, 1, 0)[:, None])
    # One dimension after the other: the position stays what it is.
    for places, at in (
        (ratios, poisson_ratio),
        (angles, half_angle),
        (np.log(data["thickness"]), np.log(thickness)),
    ):
        ratio = make_interp_spline(places, ratio)(at)
    return np.asarray(np.exp(ratio))


def _cylinder(thickness: float, poisson_ratio: float) -> tuple[FloatArray, FloatArray]:
    """Distances in tip radii, and r_g of a cylinder there."""
    data = _data()
    interpolator = RegularGridInterpolator(
        (np.log(data["thickness"]), data["poisson_ratio"], np.arange(data["curve"].shape[2])),
        np.log(data["curve"]),
        method="cubic",
    )
    n = data["curve"].shape[2]
    points = np.full((n, 3), [np.log(thickness), poisson_ratio, 0.0])
    points[:, 2] = np.arange(n)
    return crowded(MARGIN, thickness, n), np.exp(interpolator(points))


def _constant(thickness: float, poisson_ratio: float, half_angle: float) -> tuple[float, float]:
    """Line through the integral of the curve, as through the force of which it is the slope."""
    distance, curve = _curve(thickness, poisson_ratio, half_angle)
    logit = np.log(distance / (thickness - distance))
    slope = CubicSpline(logit, curve * distance * (thickness - distance) / thickness)
    depth = penetrations(thickness)
    return line(depth, -4.0 * slope.antiderivative()(np.log((thickness - depth) / depth)))


def _range(name: str) -> tuple[float, float]:
    values = _data()[name]
    return float(values[0]), float(values[-1])


@cache
def _data() -> dict[str, FloatArray]:
    """Contents of the file.

    thickness (tip radii), poisson_ratio, curve (of these, positions); cone_poisson_ratio,
    half_angle (rad), cone (of these, thickness, positions).
    """
    with (
        as_file(files("nrm_plugin.fea") / "data" / "shape_factor.npz") as path,
        np.load(path) as file,
    ):
        return {name: file[name].astype(float) for name in file.files}
