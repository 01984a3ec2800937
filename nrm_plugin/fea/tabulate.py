"""Make the table of shape factors: ``python -m nrm_plugin.fea.tabulate``; some ten minutes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from nrm_plugin.fea.geometry import Layer, Tip
from nrm_plugin.fea.pool import Workers
from nrm_plugin.fea.problem import Numerics, stiffness
from nrm_plugin.fea.shape import MARGIN, crowded

THICKNESS = np.geomspace(0.5, 50.0, 15)
POISSON_RATIO = np.array([0.0, 0.15, 0.3, 0.4, 0.45, 0.475, 0.49, 0.495, 0.5])
POSITIONS = 33
_FINE = Numerics(fineness=1.3)


def curve(thickness: float, poisson_ratio: float) -> list[float]:
    """r_g at the positions of the table, for a tip of radius 1."""
    tip, layer = Tip(1.0), Layer(thickness, 1.0, poisson_ratio)
    distance = crowded(MARGIN, thickness, POSITIONS)
    force = [stiffness(tip, layer, thickness - z, _FINE).real for z in distance.tolist()]
    logit = np.log(distance / (thickness - distance))
    per_distance = thickness / (distance * (thickness - distance))
    return list(-0.25 * CubicSpline(logit, force)(logit, 1) * per_distance)


def main(path: Path) -> None:
    """Solve for all curves and write the table."""
    jobs = [(h, nu) for h in THICKNESS.tolist() for nu in POISSON_RATIO.tolist()]
    with Workers() as pool:
        curves = np.array(pool.map(curve, jobs))
    np.savez_compressed(
        path,
        thickness=THICKNESS,
        poisson_ratio=POISSON_RATIO,
        curve=curves.reshape(THICKNESS.size, POISSON_RATIO.size, POSITIONS).astype(np.float32),
    )


if __name__ == "__main__":
    here = Path(__file__).parent / "data" / "shape_factor.npz"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here)
