"""From the measured lateral force to the modulus at each height, by Gauss-Newton.

Unknown are logarithm and phase of E* in cells. Each iteration solves for force and influence of
all depths anew, since the field around the tip follows the stiff parts of the layer. Differences
between neighbouring cells are weighted as total variation does, by iteratively reweighted squares,
so that a layer's edges stay sharp; the weight is the largest that explains the force within its
noise (discrepancy principle).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.fea.forces import amplitude_of
from nrm_plugin.fea.geometry import ComplexArray, Layer, Tip, check
from nrm_plugin.fea.kernel import cells_of
from nrm_plugin.fea.pool import Workers
from nrm_plugin.fea.problem import Numerics, stiffness, stiffness_and_influence

_ITERATIONS = 15
_SETTLED = 0.03  # change of the logarithm between iterations at which nothing more happens
_EDGE = 0.03  # differences of the logarithm well above this count as edges
_JUMP = 0.5  # where the mesh follows them
_CONFIDENCE = 1.96


class InversionFailed(NrmError):
    """No profile explains the force: the reason says what went wrong."""


@dataclass(frozen=True, eq=False)
class Inverted:
    """A profile of the modulus, with bands of 95 %.

    Attributes
    ----------
    cells : ndarray of shape (n + 1,)
        Heights above the electrode in m between the values.
    modulus : ndarray of shape (n,), complex
        E' + iE'' in Pa.
    storage_low, storage_high, loss_low, loss_high : ndarray of shape (n,)
        Bands in Pa: noise, ambiguity and the discretisation.
    force : ndarray of complex
        That the profile gives at the depths of the data, in N.
    misfit : float
        Mean square of the residuals in units of their noise; about 1.
    iterations : int
    """

    cells: FloatArray
    modulus: ComplexArray
    storage_low: FloatArray
    storage_high: FloatArray
    loss_low: FloatArray
    loss_high: FloatArray
    force: ComplexArray
    misfit: float
    iterations: int

    @property
    def heights(self) -> FloatArray:
        """Middle of each cell in m."""
        return np.asarray(0.5 * (self.cells[1:] + self.cells[:-1]))


class Cells:
    """A modulus constant in cells; the mesh is told of jumps only.

    Parameters
    ----------
    cells : ndarray of shape (n + 1,)
    logarithm : ndarray of shape (n,), complex
        Of the modulus in Pa.
    """

    def __init__(self, cells: FloatArray, logarithm: ComplexArray) -> None:
        self.inner, self.moduli = cells[1:-1], np.exp(logarithm)
        self.edges = self.inner[np.abs(np.diff(logarithm)) > _JUMP]

    def __call__(self, heights: FloatArray) -> ComplexArray:
        """E* in Pa at heights in m."""
        return self.moduli[np.searchsorted(self.inner, heights, side="right")]


def invert(
    tip: Tip,
    layer: Layer,
    depths: ArrayLike,
    force: ArrayLike,
    amplitude: float,
    *,
    noise: complex | float | None = None,
    cells: ArrayLike | int | None = None,
    fineness: float = 1.0,
    workers: int | None = None,
) -> Inverted:
    """Modulus at each height from the lateral force at depths.

    Parameters
    ----------
    layer : Layer
        Its modulus is not used.
    depths : sequence of float
        Of the apex below the surface, in m, all different.
    force : sequence of complex
        Amplitude of the lateral force at these in N. If it is real, so is the modulus.
    amplitude : float
        Of the lateral motion in m, peak.
    noise : float or complex, optional
        Standard deviation in N of each part of the force; as a complex number, of the in-phase
        part and of the quadrature. Found from the scatter of neighbouring depths if not given.
    cells : sequence of float or int, optional
        As in `influence`; around the data's distances if not given.
    fineness, workers
        As in `lateral_force`.

    Returns
    -------
    Inverted

    Raises
    ------
    InvalidInput
    InversionFailed
        If no profile explains the force within its noise.
    """
    data = _Data.of(tip, layer, depths, force, amplitude, noise)
    edges = _around(data, layer, tip) if cells is None else cells_of(layer, cells)
    with Workers(workers) as pool:
        return _Search(tip, layer, data, edges, fineness, pool).run()


@dataclass(frozen=True, eq=False)
class _Data:
    """Force and its noise, as real numbers in units of the noise."""

    depth: FloatArray
    force: ComplexArray
    amplitude: float
    sigma: tuple[float, float]
    lossy: bool

    @classmethod
    def of(
        cls,
        tip: Tip,
        layer: Layer,
        depths: ArrayLike,
        force: ArrayLike,
        amplitude: float,
        noise: complex | float | None,
    ) -> _Data:
        depth = check(tip, layer, depths)
        values = np.atleast_1d(np.asarray(force, complex))
        if values.shape != depth.shape or not np.all(np.isfinite(values)):
            raise InvalidInput("every depth needs a finite force")
        order = np.argsort(depth)
        depth, values = depth[order], values[order]
        if depth.size < 5 or np.any(np.diff(depth) <= 0.0):
            raise InvalidInput("an inversion needs the force at 5 different depths or more")
        lossy = bool(np.any(values.imag != 0.0))
        if noise is None:
            sigma = _scatter(values.real), _scatter(values.imag)
        elif isinstance(noise, complex):
            sigma = noise.real, noise.imag
        else:
            sigma = float(noise), float(noise)
        if not all(np.isfinite(s) and s > 0.0 for s in sigma[: 1 + lossy]):
            raise InvalidInput(
                "the noise of the force must be positive: give its standard deviation in N"
            )
        return cls(depth, values, amplitude_of(amplitude), sigma, lossy)

    def stacked(self, values: ComplexArray) -> FloatArray:
        """In-phase parts and, if there are such, quadratures."""
        parts = [values.real / self.sigma[0], values.imag / self.sigma[1]]
        return np.concatenate(parts if self.lossy else parts[:1])


def _scatter(values: FloatArray) -> float:
    """Noise from third differences, which a smooth curve hardly has."""
    return float(1.4826 * np.median(np.abs(np.diff(values, 3))) / np.sqrt(20.0))


def _around(data: _Data, layer: Layer, tip: Tip) -> FloatArray:
    """Cells around the data's distances, none narrower than a tenth of the tip's radius."""
    distance = np.sort(layer.thickness - data.depth)
    narrow = 0.1 * tip.radius
    if np.median(np.diff(distance)) < narrow:
        return cells_of(layer, max(5, round(layer.thickness / narrow)))
    middle = 0.5 * (distance[1:] + distance[:-1])
    return np.concatenate([[0.0], middle, [layer.thickness]])


class _Search:
    """Gauss-Newton from the homogeneous layer on.

    The unknowns are ln|E| in the cells and, for a lossy layer, the phases in units of a typical
    one.
    """

    def __init__(
        self, tip: Tip, layer: Layer, data: _Data, cells: FloatArray, fineness: float, pool: Workers
    ) -> None:
        self.tip, self.layer, self.data, self.cells, self.pool = tip, layer, data, cells, pool
        width = float(np.median(np.diff(cells)))
        self.numerics = Numerics(0.7 * fineness, 3.0 * width, tuple(cells.tolist()), tip.radius)
        self.finer = replace(self.numerics, fineness=1.2 * fineness, reach=layer.thickness)
        phase = float(np.median(np.abs(np.angle(data.force)))) if data.lossy else 0.0
        self.phase_unit = max(phase, 0.02)
        self.bias: ComplexArray = np.zeros(data.depth.size, complex)
        self.corrected = False

    def run(self) -> Inverted:
        """Iterate until neither misfit nor profile changes any more."""
        x = self._start()
        force, jacobian = self._solved(x)
        misfit = self._misfit(force)
        for iteration in range(1, _ITERATIONS + 1):
            wanted, _ = self._proposed(x, force, jacobian, max(1.0, 0.2 * misfit))
            found = self._searched(x, wanted, misfit)
            if found is None:
                break
            change = float(np.abs(found[0] - x).max())
            x, force, jacobian, misfit = found
            if misfit < 3.0 and not self.corrected:
                self._correct(x, force)
                misfit = self._misfit(force)
            elif misfit < 1.2 and change < _SETTLED:
                break
        if not misfit < 1.5:
            raise InversionFailed(
                f"after {iteration} iterations the force of the profile is still off by "
                f"{np.sqrt(misfit):.3g} times the noise: check thickness, radius, amplitude and "
                "the noise, or leave out depths at which the tip touches the electrode"
            )
        if not self.corrected:
            self._correct(x, force)
            misfit = self._misfit(force)
        return self._result(x, force, jacobian, misfit, iteration)

    def _start(self) -> FloatArray:
        """Profile from the slope of the force, compared with that of a homogeneous layer."""
        data = self.data
        unit = replace(self.layer, modulus=1.0)
        jobs = [(self.tip, unit, d, Numerics(self.numerics.fineness)) for d in data.depth.tolist()]
        reference = data.amplitude * np.real(np.array(self.pool.map(stiffness, jobs)))
        mean = complex(np.vdot(reference, data.force) / np.vdot(reference, reference))
        if not mean.real > 0.0:
            raise InversionFailed(
                "the in-phase force points the wrong way, as if the layer pushed the tip along: "
                "check the sign and the phase of the lateral signal"
            )
        slope = np.gradient(data.force, data.depth) / np.gradient(reference, data.depth)
        modulus = np.interp(
            0.5 * (self.cells[1:] + self.cells[:-1]),
            self.layer.thickness - data.depth[::-1],
            np.clip(slope.real, 0.1 * mean.real, 30.0 * mean.real)[::-1],
        )
        phase = np.full(modulus.size, np.angle(mean) / self.phase_unit)
        return np.concatenate([np.log(modulus), phase] if data.lossy else [np.log(modulus)])

    def _logarithm(self, x: FloatArray) -> ComplexArray:
        n = self.cells.size - 1
        phase = x[n:] * self.phase_unit if self.data.lossy else np.zeros(n)
        return np.asarray(x[:n] + 1j * phase)

    def _layer(self, x: FloatArray) -> Layer:
        return replace(self.layer, modulus=Cells(self.cells, self._logarithm(x)))

    def _solved(self, x: FloatArray) -> tuple[ComplexArray, FloatArray]:
        """Force at the depths, and the derivative of the stacked force to the unknowns."""
        layer = self._layer(x)
        jobs = [(self.tip, layer, d, self.numerics) for d in self.data.depth.tolist()]
        found = self.pool.map(stiffness_and_influence, jobs)
        force = self.data.amplitude * np.array([k for k, _ in found])
        moduli = np.exp(self._logarithm(x))
        by_logarithm = self.data.amplitude * np.array([row for _, row in found]) * moduli
        columns = [self.data.stacked(column) for column in by_logarithm.T]
        if self.data.lossy:
            turned = 1j * self.phase_unit * by_logarithm
            columns += [self.data.stacked(column) for column in turned.T]
        return force, np.array(columns).T

    def _misfit(self, force: ComplexArray) -> float:
        return float(np.mean(self.data.stacked(self.data.force - force - self.bias) ** 2))

    def _correct(self, x: FloatArray, force: ComplexArray) -> None:
        """Find what a finer mesh changes in the force; it is taken into account from now on."""
        layer = self._layer(x)
        jobs = [(self.tip, layer, d, self.finer) for d in self.data.depth.tolist()]
        fine = self.data.amplitude * np.array(self.pool.map(stiffness, jobs))
        self.bias, self.corrected = fine - force, True

    def _proposed(
        self, x: FloatArray, force: ComplexArray, jacobian: FloatArray, target: float
    ) -> tuple[FloatArray, FloatArray]:
        """Best profile of the linearised problem, and the inverse of its normal matrix.

        Of the weights of the differences the largest is taken that reaches the target.
        """
        right = self.data.stacked(self.data.force - force - self.bias) + jacobian @ x
        normal, projected = jacobian.T @ jacobian, jacobian.T @ right
        best = x
        for _ in range(6):
            roughness = self._roughness(best)
            scale = np.trace(normal) / np.trace(roughness)
            for weight in scale * np.logspace(3, -7, 41):
                inverse = np.linalg.inv(normal + weight * roughness)
                candidate = inverse @ projected
                if np.mean((right - jacobian @ candidate) ** 2) <= target:
                    break
            best = candidate
        return best, inverse

    def _roughness(self, x: FloatArray) -> FloatArray:
        """Matrix of the weighted squares of the differences between neighbouring cells."""
        n = self.cells.size - 1
        step = np.diff(x.reshape(-1, n), axis=1)
        weight = 1.0 / np.sqrt((step**2).sum(axis=0) + _EDGE**2)
        difference = np.diff(np.eye(n), axis=0)
        block = difference.T @ (weight[:, None] * difference)
        return np.kron(np.eye(x.size // n), block)

    def _searched(
        self, x: FloatArray, wanted: FloatArray, misfit: float
    ) -> tuple[FloatArray, ComplexArray, FloatArray, float] | None:
        """Go as far towards the wanted profile as the misfit allows; None if not at all."""
        for part in (1.0, 0.5, 0.25, 0.1):
            there = x + part * np.clip(wanted - x, -2.0, 2.0)
            try:
                force, jacobian = self._solved(there)
            except InvalidInput:  # a phase beyond a right angle is no material
                continue
            reached = self._misfit(force)
            if reached <= max(1.1, 0.95 * misfit):
                return there, force, jacobian, reached
        return None

    def _result(
        self,
        x: FloatArray,
        force: ComplexArray,
        jacobian: FloatArray,
        misfit: float,
        iterations: int,
    ) -> Inverted:
        """Profile with its bands."""
        _, covariance = self._proposed(x, force, jacobian, 1.0)
        shift = covariance @ (jacobian.T @ self.data.stacked(self.bias))
        covariance = covariance + np.outer(shift, shift)
        n = self.cells.size - 1
        modulus = np.exp(self._logarithm(x))
        storage = np.hstack([np.eye(n)])
        loss = np.zeros((n, n))
        if self.data.lossy:
            phase = np.angle(modulus)
            turn = self.phase_unit * np.eye(n)
            storage = np.hstack([np.eye(n), -np.tan(phase)[:, None] * turn])
            with np.errstate(divide="ignore"):
                loss = np.hstack([np.eye(n), (1.0 / np.tan(phase))[:, None] * turn])
        spread = [
            np.exp(_CONFIDENCE * np.sqrt(np.einsum("ij,jk,ik->i", m, covariance, m)))
            for m in (storage, loss)
        ]
        return Inverted(
            self.cells,
            modulus,
            modulus.real / spread[0],
            modulus.real * spread[0],
            modulus.imag / spread[1],
            modulus.imag * spread[1],
            force + self.bias,
            misfit,
            iterations,
        )
