"""Make the table of shape factors: ``python -m nrm_plugin.fea.tabulate``; half an hour."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from nrm_plugin.columns import FloatArray
from nrm_plugin.fea.geometry import Layer, Tip
from nrm_plugin.fea.pool import Workers
from nrm_plugin.fea.problem import Numerics, stiffness
from nrm_plugin.fea.shape import MARGIN, crowded

THICKNESS = np.geomspace(0.5, 50.0, 15)
POISSON_RATIO = np.array([0.0, 0.15, 0.3, 0.4, 0.45, 0.475, 0.49, 0.495, 0.5])
POSITIONS = 33
_FINE = Numerics(fineness=1.3)

#: Half angles in degrees, beside the cylinder's 0, and Poisson ratios of the table of cones; what
#: they do to the ratio between cone and cylinder is smooth.
HALF_ANGLES = np.array([4.0, 8.0, 16.0, 24.0, 32.0, 40.0, 48.0])
OF_CONES = np.array([0.0, 0.3, 0.45, 0.5])
_SOLVED, _GOOD = 21, Numerics(fineness=1.0)


def curve(thickness: float, poisson_ratio: float) -> list[float]:
    """r_g at the positions of the table, for a cylinder of radius 1."""
    return _curve(Tip(1.0), thickness, poisson_ratio, POSITIONS, _FINE)


def curve_of_cone(poisson_ratio: float, degrees: float, thickness: float) -> list[float]:
    """r_g at the positions of the table, for a cone with an end of radius 1."""
    return _curve(Tip(1.0, math.radians(degrees)), thickness, poisson_ratio, _SOLVED, _GOOD)


def _curve(tip: Tip, thickness: float, ratio: float, count: int, numerics: Numerics) -> list[float]:
    layer = Layer(thickness, 1.0, ratio)
    solved, wanted = (crowded(MARGIN, thickness, n) for n in (count, POSITIONS))
    force = [stiffness(tip, layer, thickness - z, numerics).real for z in solved.tolist()]
    spline = CubicSpline(np.log(solved / (thickness - solved)), force)
    per_distance = thickness / (wanted * (thickness - wanted))
    slope: FloatArray = spline(np.log(wanted / (thickness - wanted)), 1) * per_distance
    return list(-0.25 * slope)


def cones(pool: Workers) -> FloatArray:
    """Table of cones: Poisson ratio, half angle, thickness, position."""
    jobs = [
        (nu, angle, h)
        for nu in OF_CONES.tolist()
        for angle in HALF_ANGLES.tolist()
        for h in THICKNESS.tolist()
    ]
    curves = np.array(pool.map(curve_of_cone, jobs))
    return curves.reshape(OF_CONES.size, HALF_ANGLES.size, THICKNESS.size, POSITIONS)


def main(path: Path) -> None:
    """Solve for all curves and write the table."""
    jobs = [(h, nu) for h in THICKNESS.tolist() for nu in POISSON_RATIO.tolist()]
    with Workers() as pool:
        curves = np.array(pool.map(curve, jobs))
        of_cones = cones(pool)
    np.savez_compressed(
        path,
        thickness=THICKNESS,
        poisson_ratio=POISSON_RATIO,
        curve=curves.reshape(THICKNESS.size, POISSON_RATIO.size, POSITIONS).astype(np.float32),
        half_angle=np.radians(HALF_ANGLES),
        cone_poisson_ratio=OF_CONES,
        cone=of_cones.astype(np.float32),
    )


if __name__ == "__main__":
    here = Path(__file__).parent / "data" / "shape_factor.npz"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here)
