"""Layered media: what each part of the layer contributes, and what Eq. 5 makes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.arguments import ascending, number
from nrm_plugin.fea.forces import LateralForce, amplitude_of, numerics_of
from nrm_plugin.fea.geometry import MOST, Layer, Tip, check
from nrm_plugin.fea.pool import Workers
from nrm_plugin.fea.problem import stiffness_and_influence
from nrm_plugin.fea.shape import ShapeFactor


@dataclass(frozen=True, eq=False)
class Influence:
    """How the lateral force depends on the modulus at each height.

    Attributes
    ----------
    force : LateralForce
    cells : ndarray of shape (n + 1,)
        Heights above the electrode in m between which the layer is divided.
    matrix : ndarray of shape (depths, n), complex
        Derivative of the force to the modulus in a cell, in N/Pa. By the modulus and summed it
        is the force, exactly, if the modulus is constant in each cell.
    """

    force: LateralForce
    cells: FloatArray
    matrix: ComplexArray

    @property
    def kernel(self) -> ComplexArray:
        """K(d, z') in N/(Pa m), shape (depths, n): the force is the integral of E* times K."""
        return self.matrix / np.diff(self.cells)

    @property
    def heights(self) -> FloatArray:
        """Middle of each cell in m."""
        return np.asarray(0.5 * (self.cells[1:] + self.cells[:-1]))


def influence(
    tip: Tip,
    layer: Layer,
    depths: ArrayLike,
    amplitude: float,
    *,
    cells: ArrayLike | int = 50,
    fineness: float = 1.0,
    resolution: float | None = None,
    workers: int | None = None,
) -> Influence:
    """Derivative of the lateral force to the modulus at each height.

    The problem is its own adjoint, so this costs no more than the forces.

    Parameters
    ----------
    cells : sequence of float, or int
        Heights in m that divide the layer, from 0 to its thickness; or a number of equal cells.

    Raises
    ------
    InvalidInput
    """
    depth = check(tip, layer, depths)
    peak = amplitude_of(amplitude)
    edges = cells_of(layer, cells)
    numerics = numerics_of(fineness, resolution, edges)
    with Workers(workers) as pool:
        jobs = [(tip, layer, d, numerics) for d in depth.tolist()]
        solutions = pool.map(stiffness_and_influence, jobs)
    force = LateralForce(
        depth,
        layer.thickness - depth,
        np.array([k for k, _ in solutions], np.complex128) * peak,
        peak,
    )
    return Influence(force, edges, np.array([row for _, row in solutions], np.complex128) * peak)


def cells_of(layer: Layer, cells: ArrayLike | int) -> FloatArray:
    """Edges of the cells.

    Raises
    ------
    InvalidInput
        If they do not divide the layer.
    """
    if isinstance(cells, (int, np.integer)) and not isinstance(cells, bool):
        if not 1 <= cells <= MOST:
            raise InvalidInput(f"{cells} cells cannot divide a layer: give 1 to {MOST}")
        return np.linspace(0.0, layer.thickness, cells + 1)
    edges = ascending("the edges of cells", cells)
    ends = edges[[0, -1]] if edges.size > 1 else np.array([np.nan, np.nan])
    if not np.allclose(ends / layer.thickness, [0.0, 1.0], rtol=0.0, atol=1e-9):
        raise InvalidInput("cells must go from 0, the electrode, to the layer's thickness")
    if edges.size - 1 > MOST:
        raise InvalidInput(f"{edges.size - 1} cells are too many: give {MOST} at most")
    return edges


def apparent_modulus(force: LateralForce, shape_factor: ShapeFactor | float) -> ComplexArray:
    """Modulus in Pa that Eq. 5 gives for a force: ``-dF/dz / (4 A r_g)``.

    Parameters
    ----------
    force : LateralForce
        At 3 depths or more that ascend or descend, whose distance limits what can be resolved.
    shape_factor : ShapeFactor or float
        A curve, or one number for all distances.

    Returns
    -------
    ndarray of complex
        NaN where the curve of the shape factor does not reach.

    Raises
    ------
    InvalidInput
    """
    step = np.diff(force.depth)
    if step.size < 2 or not (np.all(step > 0.0) or np.all(step < 0.0)):
        raise InvalidInput(
            "a derivative needs the force at 3 different depths or more that ascend, or descend"
        )
    if isinstance(shape_factor, ShapeFactor):
        factor = shape_factor.at(force.distance)
    else:
        constant = number("the shape factor", shape_factor)
        if not 0.0 < constant < math.inf:
            raise InvalidInput(f"a shape factor of {constant:g} is out of range: it is positive")
        factor = np.full(force.depth.size, constant)
    slope = np.gradient(force.force, force.depth)
    with np.errstate(invalid="ignore"):  # NaN beyond the curve
        return np.asarray(slope / (4.0 * force.amplitude * factor))
