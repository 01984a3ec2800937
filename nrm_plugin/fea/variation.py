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

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.forward import Forward
from nrm_plugin.fea.geometry import ModulusProfile
from nrm_plugin.fea.problem import Numerics

_ITERATIONS = 12
_JUMP = 0.5  # of the logarithm, that the mesh follows
_ROUNDED = 0.03  # differences of the logarithm well above this count as edges
_LOOSE = 0.3  # the same for bands: a slope as steep may well be an edge
_LARGEST = 1.0  # change of the logarithm in one iteration
_SAMPLES = 20  # in a cell, for means


class CellModulus:
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

    @property
    def heights(self) -> FloatArray:
        """Middle of each cell in m."""
        return np.asarray(0.5 * (self.cells[1:] + self.cells[:-1]))

    def at(self, x: FloatArray) -> Profile:
        """Solve for unknowns.

        Raises
        ------
        InvalidInput
            If no material is like that.
        """
        logarithm = self.logarithm(x)
        self.forward.plausible(np.exp(logarithm))
        return self.of(CellModulus(self.cells, logarithm))

    def of(self, modulus: ModulusProfile) -> Profile:
        """Solve for any modulus; the unknowns are the means of its logarithm in the cells."""
        force, rows = self.forward.influence(modulus, self.numerics)
        positions = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
        inside = self.cells[:-1, None] + np.diff(self.cells)[:, None] * positions
        values = np.exp(np.log(modulus(inside)).mean(axis=1))
        jacobian = self.derivative(rows * values)
        return Profile(self.unknowns(values), force, jacobian, self.forward.data.misfit(force))

    def derivative(self, by_logarithm: ComplexArray) -> FloatArray:
        """Derivative of the stacked force to the unknowns, from that to the logarithms."""
        data = self.forward.data
        columns = [data.stacked(column) for column in by_logarithm.T]
        if data.lossy:
            columns += [data.stacked(1j * self.phase_unit * column) for column in by_logarithm.T]
        return np.array(columns).T

    def linearised(self, now: Profile) -> FloatArray:
        """What the Jacobian times the unknowns should be, in the problem linearised here."""
        data = self.forward.data
        return data.stacked(data.force - now.force) + now.jacobian @ now.x

    def logarithm(self, x: FloatArray, n: int | None = None) -> ComplexArray:
        """Complex logarithm of the moduli, in the cells or in n layers."""
        n = n or self.cells.size - 1
        return np.asarray(x[:n] + (1j * self.phase_unit * x[n:] if x.size > n else 0.0))

    def unknowns(self, modulus: ComplexArray) -> FloatArray:
        """Inverse of `logarithm`, from the moduli."""
        parts = [np.log(np.abs(modulus)), np.angle(modulus) / self.phase_unit]
        return np.concatenate(parts if self.forward.data.lossy else parts[:1])


def searched(search: Search, now: Profile, goal: float) -> Profile:
    """Iterate until the misfit is at the goal.

    Returns
    -------
    Profile
        The best that was found, which need not have reached the goal.
    """
    for _ in range(_ITERATIONS):
        if now.misfit <= goal:
            break
        after = _towards(search, now, proposed(now, search, now.x), goal)
        if after is None:
            break
        now = after
    return now


def smoothest(now: Profile, search: Search, target: float) -> tuple[FloatArray, float]:
    """Profile of the smallest squared differences whose misfit is at a target.

    Returns
    -------
    x : ndarray
        Of the linearised problem.
    parameters : float
        How many numbers the force decides in it: the trace of the resolution matrix.
    """
    n = search.cells.size - 1
    normal = now.jacobian.T @ now.jacobian
    difference = np.diff(np.eye(n), axis=0)
    roughness = _repeated(difference.T @ difference, now.x.size // n)
    x, inverse = _balanced(normal, roughness, now.jacobian, search.linearised(now), target)
    return x, float(np.sum(inverse * normal))


def covariance(now: Profile, search: Search) -> FloatArray:
    """Covariance of the unknowns at a profile, when the differences weigh as in the search."""
    roughness = _roughness(now.x, search.cells.size - 1, _LOOSE)
    normal = now.jacobian.T @ now.jacobian
    return _balanced(normal, roughness, now.jacobian, search.linearised(now), 1.0)[1]


def _towards(search: Search, now: Profile, wanted: FloatArray, goal: float) -> Profile | None:
    """Line search: the first part of the way that lowers the misfit, or None."""
    for part in (1.0, 0.5, 0.25):
        try:
            trial = search.at(now.x + part * (wanted - now.x))
        except InvalidInput:  # no material is like that
            continue
        if trial.misfit < max(goal, 0.98 * now.misfit):
            return trial
    return None


def proposed(now: Profile, search: Search, x: FloatArray) -> FloatArray:
    """Profile of the smallest variation that explains the force in the linearised problem.

    Begins with the edges of `x`, and does not go farther than the linearisation may hold.
    """
    right, normal = search.linearised(now), now.jacobian.T @ now.jacobian
    target = max(1.0, 0.05 * now.misfit)
    for _ in range(6):
        roughness = _roughness(x, search.cells.size - 1, _ROUNDED)
        x, _ = _balanced(normal, roughness, now.jacobian, right, target)
    return np.asarray(now.x + np.clip(x - now.x, -_LARGEST, _LARGEST))


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
    return _repeated(difference.T @ (weight[:, None] * difference), x.size // n)


def _repeated(block: FloatArray, times: int) -> FloatArray:
    """Block for the magnitude and, if there is one, for the phase."""
    return np.asarray(np.kron(np.eye(times), block), float)
