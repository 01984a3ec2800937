"""A profile in narrow cells whose variation is as small as the noise of the force allows.

Gauss-Newton on logarithm and phase of E*. Each iteration solves for force and influence of all
depths anew, since the field around the tip follows the stiff parts of the layer. Differences
between neighbouring cells are weighted as total variation does, by iteratively reweighted
squares, so that edges stay sharp; of the weights the largest is taken that explains the force
within its noise (discrepancy principle).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.forward import Forward
from nrm_plugin.fea.geometry import ComplexArray
from nrm_plugin.fea.problem import Numerics

_ITERATIONS = 12
_SETTLED = 0.1  # change of the logarithm at which nothing more happens
_JUMP = 0.5  # of the logarithm, that the mesh follows
_ROUNDED = 0.03  # differences of the logarithm well above this count as edges
_LOOSE = 0.3  # the same for bands: a slope as steep may well be an edge
_LARGEST = 1.0  # change of the logarithm in one iteration


class Cells:
    """A modulus constant in cells; the mesh is told of large jumps only.

    Parameters
    ----------
    cells : ndarray of shape (n + 1,)
        Heights in m.
    logarithm : ndarray of shape (n,), complex
        Of the modulus in Pa.
    """

    def __init__(self, cells: FloatArray, logarithm: ComplexArray) -> None:
        self.inner, self.moduli = cells[1:-1], np.exp(logarithm)
        self.edges = self.inner[np.abs(np.diff(logarithm)) > _JUMP]

    def __call__(self, heights: FloatArray) -> ComplexArray:
        """E* in Pa at heights in m."""
        return self.moduli[np.searchsorted(self.inner, heights, side="right")]


@dataclass(frozen=True, eq=False)
class Profile:
    """A profile on its way.

    Attributes
    ----------
    x : ndarray of shape (n,) or (2n,)
        ln|E| in the cells, then phases in units of `phase_unit` if the layer is lossy.
    force : ndarray of complex
    jacobian : ndarray
        Of the stacked force to x.
    misfit : float
    """

    x: FloatArray
    force: ComplexArray
    jacobian: FloatArray
    misfit: float


@dataclass(frozen=True, eq=False)
class Search:
    """What the search works with.

    Attributes
    ----------
    forward : Forward
    cells : ndarray
    numerics : Numerics
    phase_unit : float
        A typical phase in rad: steps of the phase weigh as much as those of ln|E| in this unit.
    """

    forward: Forward
    cells: FloatArray
    numerics: Numerics
    phase_unit: float

    def at(self, x: FloatArray) -> Profile:
        """Solve for a profile."""
        data = self.forward.data
        logarithm = self.logarithm(x)
        force, rows = self.forward.influence(Cells(self.cells, logarithm), self.numerics)
        jacobian = self.derivative(rows * np.exp(logarithm))
        return Profile(x, force, jacobian, data.misfit(force))

    def derivative(self, by_logarithm: ComplexArray) -> FloatArray:
        """Derivative of the stacked force to the unknowns, from that to the logarithms."""
        data = self.forward.data
        columns = [data.stacked(column) for column in by_logarithm.T]
        if data.lossy:
            columns += [data.stacked(1j * self.phase_unit * column) for column in by_logarithm.T]
        return np.array(columns).T

    def logarithm(self, x: FloatArray, n: int | None = None) -> ComplexArray:
        """Complex logarithm of the moduli, in the cells or in n layers."""
        n = n or self.cells.size - 1
        return np.asarray(x[:n] + (1j * self.phase_unit * x[n:] if x.size > n else 0.0))

    def unknowns(self, modulus: ComplexArray) -> FloatArray:
        """Inverse of `logarithm`, from the moduli."""
        parts = [np.log(np.abs(modulus)), np.angle(modulus) / self.phase_unit]
        return np.concatenate(parts if self.forward.data.lossy else parts[:1])


def searched(search: Search, start: ComplexArray, goal: float) -> Profile:
    """Iterate from moduli until the misfit is at the goal and the profile changes little.

    Returns
    -------
    Profile
        The best that was found, which need not have reached the goal.
    """
    now = search.at(search.unknowns(start))
    for _ in range(_ITERATIONS):
        wanted = _proposed(now, search, max(1.0, 0.05 * now.misfit))
        found = _towards(search, now, wanted, goal)
        if found is None:
            break
        change, now = float(np.abs(found.x - now.x).max()), found
        if now.misfit <= goal and (change < _SETTLED or goal > 1.5):
            break
    return now


def covariance(jacobian: FloatArray, x: FloatArray, residual: FloatArray, n: int) -> FloatArray:
    """Covariance of the unknowns at a profile, when the differences weigh as in the search."""
    right = residual + jacobian @ x
    roughness = _roughness(x, n, _LOOSE)
    return _balanced(jacobian.T @ jacobian, roughness, jacobian, right, 1.0)[1]


def _towards(search: Search, now: Profile, wanted: FloatArray, goal: float) -> Profile | None:
    """Line search: the first part of the way that lowers the misfit, or None."""
    step = np.clip(wanted - now.x, -_LARGEST, _LARGEST)
    for part in (1.0, 0.5, 0.25):
        try:
            found = search.at(now.x + part * step)
        except InvalidInput:  # a phase beyond a right angle is no material
            continue
        if found.misfit < max(goal, 0.98 * now.misfit):
            return found
    return None


def _proposed(now: Profile, search: Search, target: float) -> FloatArray:
    """Smoothest profile of the linearised problem that reaches the target."""
    data = search.forward.data
    right = data.stacked(data.force - now.force) + now.jacobian @ now.x
    normal, x = now.jacobian.T @ now.jacobian, now.x
    for _ in range(6):
        roughness = _roughness(x, search.cells.size - 1, _ROUNDED)
        x, _ = _balanced(normal, roughness, now.jacobian, right, target)
    return x


def _balanced(
    normal: FloatArray,
    roughness: FloatArray,
    jacobian: FloatArray,
    right: FloatArray,
    target: float,
) -> tuple[FloatArray, FloatArray]:
    """Solution with the largest weight that reaches the target, and its inverse matrix."""
    scale = np.trace(normal) / np.trace(roughness)
    for weight in scale * np.logspace(3, -8, 45):
        inverse = np.linalg.inv(normal + weight * roughness)
        x = inverse @ (jacobian.T @ right)
        if np.mean((right - jacobian @ x) ** 2) <= target:
            break
    return x, inverse


def _roughness(x: FloatArray, n: int, rounded: float) -> FloatArray:
    """Matrix of the weighted squares of the differences between neighbouring cells."""
    step = np.diff(x.reshape(-1, n), axis=1)
    weight = 1.0 / np.sqrt((step**2).sum(axis=0) + rounded**2)
    difference = np.diff(np.eye(n), axis=0)
    block = difference.T @ (weight[:, None] * difference)
    return np.kron(np.eye(x.size // n), block)
