"""One tip at one depth: from metres and pascals to the harmonic problem and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from nrm_plugin.columns import ComplexArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.geometry import MOST, Layer, Steps, Tip
from nrm_plugin.fea.harmonic import FREE, Solution, Space, edge_influence, solve
from nrm_plugin.fea.mesh import TipMesh, around_tip
from nrm_plugin.text import with_unit

#: Elements across a layer whose modulus is some function of the height.
_ROWS = 32


@dataclass(frozen=True)
class Numerics:
    """How finely a problem is solved.

    Attributes
    ----------
    fineness : float
        Elements get smaller by it; 1 is good for 0.02 % of the force in a homogeneous layer.
    resolution : float or None
        Largest height of elements in m; what suits the layer's modulus if None.
    cells : tuple of float
        Heights in m that the mesh follows besides the layer's interfaces.
    reach : float
        Only cells that are no farther than this from the apex are followed, in m.
    """

    fineness: float = 1.0
    resolution: float | None = None
    cells: tuple[float, ...] = ()
    reach: float = math.inf


@dataclass(frozen=True, eq=False)
class Solved:
    """A solved problem; lengths in tip radii, moduli and pressure in Pa, displacement of 1."""

    mesh: TipMesh
    space: Space
    modulus: ComplexArray
    solution: Solution


def at_depth(tip: Tip, layer: Layer, depth: float, numerics: Numerics = Numerics()) -> Solved:
    """Solve for a tip at a depth in m, which must have been checked."""
    unit, apex = tip.radius, layer.thickness - depth
    meshed = around_tip(
        replace(tip, radius=1.0),
        layer.thickness / unit,
        layer.radius(tip) / unit,
        depth / unit,
        fineness=numerics.fineness,
        largest=_largest(layer, numerics) / unit,
        edges=[e / unit for e in numerics.cells[1:-1] if abs(e - apex) <= numerics.reach],
        jumps=[e / unit for e in layer.interfaces],
    )
    space = Space(meshed.mesh, meshed.jumps)
    modulus = layer.moduli(space.z * unit)
    prescribed = np.full((space.n_nodes, 3), FREE)
    slide = None
    if tip.bonded:
        prescribed[meshed.tip, 0] = 1.0
        prescribed[meshed.tip, 1:] = 0.0
    else:
        # On the axis the tip only bears on the layer: the displacement a stays free.
        off = meshed.mesh.doflocs[0, meshed.tip] > 1e-12
        slide = meshed.tip[off], meshed.normals[:, off]
        prescribed[slide[0], 0] = slide[1][0]
    prescribed[meshed.axis, 1:] = 0.0
    prescribed[meshed.held] = 0.0
    solution = solve(space, modulus, layer.poisson_ratio, prescribed, slide)
    return Solved(meshed, space, modulus, solution)


def stiffness(tip: Tip, layer: Layer, depth: float, numerics: Numerics) -> complex:
    """Lateral force per displacement in N/m."""
    return at_depth(tip, layer, depth, numerics).solution.force * tip.radius


def stiffness_and_influence(
    tip: Tip, layer: Layer, depth: float, numerics: Numerics
) -> tuple[complex, ComplexArray]:
    """Lateral stiffness in N/m, and its derivative (m) to the modulus in each of the cells."""
    solved = at_depth(tip, layer, depth, numerics)
    return solved.solution.force * tip.radius, _influence(solved, numerics.cells, tip)


def stiffness_of_stack(
    tip: Tip, layer: Layer, depth: float, numerics: Numerics
) -> tuple[complex, ComplexArray, ComplexArray]:
    """Lateral stiffness in N/m of a layer whose modulus is `Steps`, and what it depends on.

    Returns
    -------
    stiffness : complex
    by_modulus : ndarray
        Derivative (m) to the moduli of the stack.
    by_edge : ndarray
        Derivative (N/m^2) to the heights of its edges; NaN for one right at the apex, which the
        mesh does not follow.
    """
    steps = layer.modulus
    assert isinstance(steps, Steps)
    solved = at_depth(tip, layer, depth, numerics)
    edges, moduli = np.asarray(steps.edges), np.asarray(steps.moduli)
    by_edge = edge_influence(
        solved.space, solved.solution, (edges / tip.radius).tolist(), moduli, layer.poisson_ratio
    )
    by_modulus = _influence(solved, (0.0, *edges.tolist(), layer.thickness), tip)
    return solved.solution.force * tip.radius, by_modulus, by_edge


def _influence(solved: Solved, cells: tuple[float, ...], tip: Tip) -> ComplexArray:
    """Sums of the influence over cells, in m."""
    inner = np.array(cells[1:-1]) / tip.radius
    cell = np.searchsorted(inner, solved.space.z.ravel(), side="right")
    influence = solved.solution.influence.ravel() * tip.radius
    parts = [np.bincount(cell, part, inner.size + 1) for part in (influence.real, influence.imag)]
    return np.asarray(parts[0] + 1j * parts[1])


def _largest(layer: Layer, numerics: Numerics) -> float:
    if numerics.resolution is not None:
        if numerics.resolution < layer.thickness / MOST:
            raise InvalidInput(
                f"a resolution of {with_unit(numerics.resolution, 'm')} divides the layer into "
                f"more than {MOST} parts: give {with_unit(layer.thickness / MOST, 'm')} or more"
            )
        return numerics.resolution
    # The mesh follows interfaces that it knows; of other functions it must see the shape.
    followed = layer.homogeneous or hasattr(layer.modulus, "edges")
    return math.inf if followed else layer.thickness / _ROWS
