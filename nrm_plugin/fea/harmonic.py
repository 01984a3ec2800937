"""First azimuthal harmonic of linear elasticity, in quadratic displacements and linear pressure.

A body of revolution moved sideways as a whole moves as ``u_r = U cos t``, ``u_t = V sin t``,
``u_z = W cos t``. The unknowns are ``a = (U - V)/2``, ``b = (U + V)/2`` and ``w = W``, for which
a sideways translation is a alone and regularity on the axis is ``b = w = 0``. The pressure
``p = lambda div u`` is an unknown of its own, so that a Poisson ratio of 0.5 is nothing special.
Complex moduli enter by the bilinear form, not the sesquilinear one.

Lengths and moduli are in any units that fit each other; strains are for a displacement of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import splu
from skfem import Basis, ElementQuad1, ElementQuad2, MeshQuad2

from nrm_plugin.columns import AnyArray, ComplexArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput

FREE = np.nan
# The rows of a strain: rr, tt, zz (times cos t), rz (cos t), rt, tz (sin t), the last three
# engineering strains.
_NORMAL = 3
# Corners of the reference element, and a rule along one of its edges.
_CORNERS = np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
_GAUSS = tuple(0.5 * part for part in np.polynomial.legendre.leggauss(4))
_GAUSS = _GAUSS[0] + 0.5, _GAUSS[1]


class Space:
    """Shape functions of a mesh at its quadrature points.

    Attributes
    ----------
    mesh : MeshQuad2
        Coordinates (r, z).
    strain : ndarray of shape (elements, points, 6, 27)
        Strains of unit displacements of an element's nodes.
    dilation : ndarray of shape (elements, points, 27)
        Their sum of normal strains.
    pressure : ndarray of shape (elements, points, 4)
        Linear shape functions.
    weight : ndarray of shape (elements, points)
        Area times r times pi, the integral over the angle.
    r, z : ndarray of shape (elements, points)
        Where the points lie.

    Parameters
    ----------
    mesh : MeshQuad2
    interfaces : sequence of float
        Heights at which the pressure may jump, as it does with the modulus.
    """

    def __init__(self, mesh: MeshQuad2, interfaces: Sequence[float] = ()) -> None:
        self.mesh = mesh
        basis = Basis(mesh, ElementQuad2(), intorder=5, disable_doflocs=True)
        linear = basis.with_element(ElementQuad1())
        self.r, self.z = np.asarray(basis.global_coordinates())
        self.weight = np.pi * basis.dx * self.r
        self.nodes: IntArray = basis.element_dofs.T.astype(np.int64)
        self.corners: IntArray = linear.element_dofs.T.astype(np.int64)
        self._split(interfaces)
        values, gradients = _shapes(basis, self.r)
        self.strain = _strain(values / self.r[..., None], *gradients)
        self.dilation = self.strain[:, :, :_NORMAL].sum(axis=2)
        self.pressure = np.stack([np.broadcast_to(f[0], self.r.shape) for f in linear.basis], -1)

    def _split(self, interfaces: Sequence[float]) -> None:
        """Give the elements above each interface pressures of their own on it."""
        middle = self.z.mean(axis=1)[:, None]
        for height in interfaces:
            on = np.abs(self.mesh.doflocs[1][self.mesh.t.T] - height) < 1e-9
            above = on & (middle > height)
            old, new = np.unique(self.corners[above], return_inverse=True)
            self.corners[above] = self.n_corners + new if old.size else old

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return int(self.mesh.doflocs.shape[1])

    @property
    def n_corners(self) -> int:
        """Number of pressures: the vertices', and those of the upper sides of interfaces."""
        return int(self.corners.max()) + 1


def _shapes(basis: Basis, like: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shape functions (elements, points, functions) and their gradients (2, ...)."""
    values = np.stack([np.broadcast_to(f[0], like.shape) for f in basis.basis], -1)
    return values, np.stack([f[0].grad for f in basis.basis], -1)


def _strain(n_over_r: FloatArray, n_r: FloatArray, n_z: FloatArray) -> FloatArray:
    """Strains of shape functions with the displacements (a, b, w) of each node in turn."""
    strain = np.zeros((*n_r.shape[:2], 6, n_r.shape[2], 3))
    rr, tt, zz, rz, rt, tz = (strain[:, :, i] for i in range(6))
    rr[..., 0] = n_r
    rr[..., 1] = n_r
    tt[..., 1] = 2.0 * n_over_r
    zz[..., 2] = n_z
    rz[..., 0] = n_z
    rz[..., 1] = n_z
    rz[..., 2] = n_r
    rt[..., 0] = -n_r
    rt[..., 1] = n_r - 2.0 * n_over_r
    tz[..., 0] = -n_z
    tz[..., 1] = n_z
    tz[..., 2] = -n_over_r
    return strain.reshape(*strain.shape[:3], -1)


@dataclass(frozen=True, eq=False)
class Solution:
    """What a displacement of 1 does.

    Attributes
    ----------
    displacement : ndarray of shape (nodes, 3)
        a, b and w at the nodes.
    pressure : ndarray of shape (n_corners,)
        lambda div u, positive in tension; see `Space.corners`.
    force : complex
        That the driven boundary needs.
    influence : ndarray of shape (elements, points)
        d(force)/d(modulus) at the quadrature points: the force is the sum of modulus times
        influence.
    """

    displacement: ComplexArray
    pressure: ComplexArray
    force: complex
    influence: ComplexArray


def solve(
    space: Space,
    modulus: ComplexArray,
    poisson_ratio: float,
    prescribed: FloatArray,
    slide: tuple[IntArray, FloatArray] | None = None,
) -> Solution:
    """Solve for the displacement, and find the force as the residual of the driven boundary.

    Parameters
    ----------
    modulus : ndarray of shape (elements, points)
        Young's modulus at the quadrature points.
    prescribed : ndarray of shape (nodes, 3)
        Displacements that are given, NaN where free.
    slide : (nodes, normals), optional
        Nodes at which `prescribed` speaks of the displacements along the normal (r, z), along the
        surface, and around the axis instead of a, b, w. Normals have the shape (2, n).

    Raises
    ------
    InvalidInput
        If there is no solution, for numbers that leave no digits.
    """
    scale = modulus.flat[np.argmax(np.abs(modulus))]
    ratio: AnyArray = modulus / scale
    # A common factor, also a complex one, does not change the displacements.
    if np.all(np.abs(ratio.imag) <= 1e-15 * np.abs(ratio.real)):
        ratio = ratio.real
    system: Any = _assembled(space, ratio, poisson_ratio)
    if slide is not None:
        turn = _turned(space, *slide)
        system = (turn.T @ system @ turn).tocsc()
    fixed = np.concatenate([prescribed.ravel(), np.full(space.n_corners, FREE)])
    if poisson_ratio == 0.0:  # no pressure is coupled to the dilation
        fixed[prescribed.size :] = 0.0
    free = np.isnan(fixed)
    x = np.where(free, 0.0, fixed).astype(ratio.dtype)
    rows = system[free]
    x[free] = _solved(rows[:, free].tocsc(), -(rows @ x))
    force = x[~free] @ (system[~free] @ x)
    if slide is not None:
        x = turn @ x
    displacement = x[: prescribed.size].reshape(-1, 3)
    pressure = x[prescribed.size :]
    influence = _influence(space, displacement, pressure, ratio, poisson_ratio)
    return Solution(displacement, scale * pressure, complex(scale * force), influence)


def _solved(matrix: Any, right: AnyArray) -> AnyArray:
    """Solution of the symmetric, indefinite system.

    Rows are rarely exchanged, which keeps the factors small; what that costs in digits, one
    refinement gives back.
    """
    symmetric = {"SymmetricMode": True}
    try:
        factors = splu(matrix, "MMD_AT_PLUS_A", diag_pivot_thresh=1e-4, options=symmetric)
    except RuntimeError:  # singular
        raise InvalidInput("there is no solution: the Poisson ratio is too small, give 0") from None
    x = factors.solve(right)
    return np.asarray(x + factors.solve(right - matrix @ x))


def _assembled(space: Space, modulus: AnyArray, poisson_ratio: float) -> csc_array:
    """Matrix of the whole mesh: displacements node by node, then pressures."""
    shear = space.weight * modulus / (2.0 * (1.0 + poisson_ratio))
    n, k = space.strain.shape[0], space.strain.shape[3]
    twice = np.array([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    scaled = (shear[:, :, None] * twice)[..., None] * space.strain
    local = np.zeros((n, k + 4, k + 4), modulus.dtype)
    local[:, :k, :k] = space.strain.reshape(n, -1, k).swapaxes(1, 2) @ scaled.reshape(n, -1, k)
    weighted = space.weight[:, :, None] * space.pressure
    local[:, k:, :k] = weighted.swapaxes(1, 2) @ space.dilation
    local[:, :k, k:] = local[:, k:, :k].swapaxes(1, 2)
    if poisson_ratio > 0.0:
        bulk = _compressibility(poisson_ratio) / modulus
        local[:, k:, k:] = -((bulk[:, :, None] * weighted).swapaxes(1, 2) @ space.pressure)
    dofs = np.concatenate(
        [
            (3 * space.nodes[:, :, None] + np.arange(3)).reshape(n, -1),
            3 * space.n_nodes + space.corners,
        ],
        axis=1,
    )
    rows = np.broadcast_to(dofs[:, :, None], local.shape).ravel()
    columns = np.broadcast_to(dofs[:, None, :], local.shape).ravel()
    size = 3 * space.n_nodes + space.n_corners
    return coo_array((local.ravel(), (rows, columns)), shape=(size, size)).tocsc()


def _compressibility(poisson_ratio: float) -> float:
    """Young's modulus over Lame's lambda."""
    return (1.0 - 2.0 * poisson_ratio) * (1.0 + poisson_ratio) / poisson_ratio


def _turned(space: Space, nodes: IntArray, normals: FloatArray) -> csc_array:
    """Matrix from (normal, along, around) at some nodes to (a, b, w) at all."""
    size = 3 * space.n_nodes + space.n_corners
    n_r, n_z = normals
    half = np.full(n_r.size, 0.5)
    # U = n_r u - n_z s, W = n_z u + n_r s; a = (U - V)/2, b = (U + V)/2
    entries = [
        (0, 0, 0.5 * n_r),
        (0, 1, -0.5 * n_z),
        (0, 2, -half),
        (1, 0, 0.5 * n_r),
        (1, 1, -0.5 * n_z),
        (1, 2, half),
        (2, 0, n_z),
        (2, 1, n_r),
    ]
    others = np.setdiff1d(np.arange(size), (3 * nodes[:, None] + np.arange(3)).ravel())
    rows = np.concatenate([3 * nodes + i for i, _, _ in entries] + [others])
    columns = np.concatenate([3 * nodes + j for _, j, _ in entries] + [others])
    values = np.concatenate([v for _, _, v in entries] + [np.ones(others.size)])
    return coo_array((values, (rows, columns)), shape=(size, size)).tocsc()


def _influence(
    space: Space,
    displacement: ComplexArray,
    pressure: ComplexArray,
    modulus: ComplexArray,
    poisson_ratio: float,
) -> ComplexArray:
    """d(force)/d(modulus) at the quadrature points.

    The driven problem is its own adjoint, so the derivative is the strain energy per modulus at
    a fixed solution. The dilation counts by the pressure: with div u itself the sum of modulus
    times influence would not be the force.
    """
    nodal = displacement[space.nodes].reshape(space.nodes.shape[0], 1, -1, 1)
    strain = (space.strain @ nodal)[..., 0]
    square = 2.0 * (strain[..., :_NORMAL] ** 2).sum(-1) + (strain[..., _NORMAL:] ** 2).sum(-1)
    density = square / (2.0 * (1.0 + poisson_ratio))
    if poisson_ratio > 0.0:
        p = np.einsum("eqk,ek->eq", space.pressure, pressure[space.corners])
        density = density + _compressibility(poisson_ratio) * (p / modulus) ** 2
    return np.asarray(space.weight * density)


def edge_influence(
    space: Space,
    solution: Solution,
    heights: Sequence[float],
    moduli: ComplexArray,
    poisson_ratio: float,
) -> ComplexArray:
    """d(force)/d(height) of interfaces that the mesh follows.

    The strains of both sides, multiplied with each other, count by the difference of the
    stiffness: what is parallel to the interface has one strain on both sides, what goes through it
    one stress.

    Parameters
    ----------
    heights : sequence of float
        Of n interfaces.
    moduli : ndarray of shape (n + 1,)
        Below, between and above them.

    Returns
    -------
    ndarray of shape (n,), complex
        NaN for an interface that the mesh does not follow from the axis or the tip on.
    """
    if not len(heights):
        return np.empty(0, complex)
    z = space.mesh.doflocs[1][space.mesh.facets]
    inside = space.mesh.f2t[1] >= 0
    on_interface = [
        np.flatnonzero(np.all(np.abs(z - height) < 1e-9, axis=0) & inside) for height in heights
    ]
    facets = np.concatenate(on_interface).astype(np.int64)
    if not facets.size:
        return np.full(len(heights), complex(np.nan, np.nan))
    edge = np.repeat(np.arange(len(heights)), [part.size for part in on_interface])[:, None]
    below, above = moduli[edge], moduli[edge + 1]
    position, weight = _GAUSS
    ends = space.mesh.facets[:, facets]
    ends = np.take_along_axis(ends, np.argsort(space.mesh.doflocs[0][ends], axis=0), axis=0)
    r_start, r_stop = space.mesh.doflocs[0][ends][..., None]
    product = np.prod([_trace(space, solution, facets, ends[0], side) for side in (0, 1)], axis=0)
    square = 2.0 * product[..., :_NORMAL].sum(-1) + product[..., _NORMAL:].sum(-1)
    density = square / (2.0 * (1.0 + poisson_ratio))
    if poisson_ratio > 0.0:
        p = [_pressure(space, solution, facets, ends, side) for side in (0, 1)]
        density = density + _compressibility(poisson_ratio) * p[0] * p[1] / (below * above)
    r = r_start + (r_stop - r_start) * position
    area = np.pi * r * weight * (r_stop - r_start)
    parts = np.sum(area * (below - above) * density, axis=1)
    total = np.array([parts[edge[:, 0] == k].sum() for k in range(len(heights))], complex)
    total[[not _complete(space, part) for part in on_interface]] = complex(np.nan, np.nan)
    return total


def _trace(
    space: Space, solution: Solution, facets: IntArray, start: IntArray, side: int
) -> ComplexArray:
    """Strain on one side of facets, from their vertex `start` on: (facets, points, 6)."""
    elements = space.mesh.f2t[side, facets]
    local = np.argmax(space.mesh.t2f[:, elements] == facets, axis=0)
    turned = space.mesh.t[local, elements] != start
    strain = np.empty((facets.size, _GAUSS[0].size, 6), solution.displacement.dtype)
    for edge, backwards in {*zip(local.tolist(), turned.tolist(), strict=True)}:
        here = np.flatnonzero((local == edge) & (turned == backwards))
        position = 1.0 - _GAUSS[0] if backwards else _GAUSS[0]
        first, last = _CORNERS[:, edge, None], _CORNERS[:, (edge + 1) % 4, None]
        quadrature = first + (last - first) * position, _GAUSS[1]
        basis = Basis(
            space.mesh,
            ElementQuad2(),
            elements=elements[here],
            quadrature=quadrature,
            disable_doflocs=True,
        )
        r = np.asarray(basis.global_coordinates())[0]
        values, gradients = _shapes(basis, r)
        nodes = basis.element_dofs.T
        nodal = solution.displacement[nodes].reshape(here.size, 1, -1, 1)
        strain[here] = (_strain(values / r[..., None], *gradients) @ nodal)[..., 0]
    return strain


def _pressure(
    space: Space, solution: Solution, facets: IntArray, ends: IntArray, side: int
) -> ComplexArray:
    """Pressure on one side of facets: (facets, points)."""
    elements = space.mesh.f2t[side, facets]
    local = np.argmax(space.mesh.t[:, elements] == ends[:, None], axis=1)
    start, stop = solution.pressure[space.corners[elements, local]][..., None]
    return np.asarray(start + (stop - start) * _GAUSS[0])


def _complete(space: Space, facets: IntArray) -> bool:
    """Whether facets reach from the mesh's inner boundary to its outer one."""
    ends = np.bincount(space.mesh.facets[:, facets].ravel()) == 1
    on_boundary = np.isin(np.flatnonzero(ends), space.mesh.boundary_nodes())
    return bool(on_boundary.sum() == 2)


def strain_at_nodes(space: Space, solution: Solution) -> tuple[ComplexArray, ComplexArray]:
    """Strains of a displacement of 1 and the pressure at the nodes of each element.

    Returns
    -------
    strain : ndarray of shape (elements, 9, 6)
    pressure : ndarray of shape (elements, 9)
    """
    positions = ElementQuad2.doflocs.T
    basis = Basis(
        space.mesh, ElementQuad2(), quadrature=(positions, np.ones(9)), disable_doflocs=True
    )
    r = np.asarray(basis.global_coordinates())[0]
    values, gradients = _shapes(basis, r)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = values / r[..., None]
    # What is divided by r is 0 on the axis: there the quotient is the slope.
    on_axis = (r < 1e-12)[..., None]
    strain = _strain(np.where(on_axis, gradients[0], ratio), *gradients)
    nodal = solution.displacement[space.nodes].reshape(space.nodes.shape[0], 1, -1, 1)
    linear = np.stack(
        [np.broadcast_to(f[0], r.shape) for f in basis.with_element(ElementQuad1()).basis], -1
    )
    pressure = (linear @ solution.pressure[space.corners][:, :, None])[..., 0]
    return (strain @ nodal)[..., 0], pressure
