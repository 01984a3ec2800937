"""From the measured lateral force to the modulus at each height.

First a sketch: a profile in narrow cells whose variation is as small as the noise of the force
allows (`variation`). It finds layers, but rounds edges, and what lies under a stiff layer cannot
be told from a slightly thicker one. Then a stack of few layers with free edges (`stack`). It is
the result if it explains the force with fewer numbers than the smoothest profile needs that does
so as well; otherwise the profile is, on a finer mesh. The bands are those of a profile in both
cases: what the force alone can tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.forces import numerics_of
from nrm_plugin.fea.forward import Forward, InversionFailed
from nrm_plugin.fea.geometry import Layer, Steps, Tip
from nrm_plugin.fea.inversion_data import InversionData
from nrm_plugin.fea.layered_media import cells_of
from nrm_plugin.fea.pool import Workers
from nrm_plugin.fea.problem import Numerics
from nrm_plugin.fea.stack import fitted, refined
from nrm_plugin.fea.variation import (
    CellModulus,
    Profile,
    Search,
    covariance,
    proposed,
    searched,
    smoothest,
)

_CONFIDENCE = 1.96
# Mean squares of residuals in units of the noise: of a profile from which layers can be guessed,
# of layers that explain the force, of a profile that does so barely; of one that never will.
_ROUGH, _AS_GOOD, _ACCEPTABLE = 15.0, 1.3, 1.5
_HOPELESS = 1000.0
_SETTLED = 1.05  # the same of a profile that is not improved any more
_ADVICE = (
    "Check thickness, radius, amplitude and the noise, and leave out depths at which the tip "
    "touches the electrode"
)
#: What no force tells.
TAKEN_AS_TOLD = (
    "radius and half angle of the tip, thickness, amplitude and contact are taken as told, and the "
    "misfit does not show if they are wrong: with a tip of 10 nm told as one of 20 nm it is as "
    "good, and no band holds the truth"
)
# Misfit below which, with more parameters per number than this, a profile follows the noise.
_FOLLOWS, _MANY = 0.5, 0.4
_COARSE, _FINE = 0.65, 0.8  # times the fineness, while searching and for the result
_COARSEST = 0.3


@dataclass(frozen=True, eq=False, kw_only=True)
class Inverted:
    """A profile of the modulus, with bands of 95 %.

    Attributes
    ----------
    cells : ndarray of shape (n + 1,)
        Heights above the electrode in m between the values.
    modulus : ndarray of shape (n,), complex
        E' + iE'' in Pa in the middle of each cell.
    storage_low, storage_high, loss_low, loss_high : ndarray of shape (n,)
        Bands in Pa: what the noise leaves open, and the error of the discretisation. Those of
        the loss modulus are NaN if the force has no quadrature; where its sign is open, they
        reach from below to above 0.
    layers : Steps or None
        The stack of layers, if that is what explains the force.
    force : ndarray of complex
        That the profile gives at `depth`, in N.
    depth : ndarray
        In m, ascending.
    noise : (float, float)
        Standard deviation of in-phase force and quadrature in N, as given or found.
    misfit : float
        Mean square of the residuals in units of their uncertainty, noise and 0.2 % for the
        solver; about 1.
    parameters : float
        How many numbers the force decides in the profile, or describe the layers.
    """

    cells: FloatArray
    modulus: ComplexArray
    storage_low: FloatArray
    storage_high: FloatArray
    loss_low: FloatArray
    loss_high: FloatArray
    layers: Steps | None
    force: ComplexArray
    depth: FloatArray
    noise: tuple[float, float]
    misfit: float
    parameters: float = float("nan")

    @property
    def numbers(self) -> int:
        """How many numbers were measured: a quadrature counts as well."""
        return self.depth.size * (1 + bool(np.isfinite(self.loss_low).any()))

    @property
    def doubts(self) -> list[str]:
        """What to know before trusting the profile, a sentence each."""
        return [*self._overfitted(), TAKEN_AS_TOLD]

    def _overfitted(self) -> list[str]:
        if not (self.misfit < _FOLLOWS and self.parameters > _MANY * self.numbers):
            return []
        return [
            f"over-fitted: {self.parameters:.0f} numbers describe it and {self.numbers} were "
            f"measured, and at a misfit of {self.misfit:.2f}, far below 1, it follows the noise "
            "too: a soft or stiff layer in it may be none. Give more depths, or fewer cells"
        ]

    @property
    def heights(self) -> FloatArray:
        """Middle of each cell in m."""
        return np.asarray(0.5 * (self.cells[1:] + self.cells[:-1]))


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
        If an argument is out of range.
    InversionFailed
        If no profile explains the force within its noise.
    """
    data = InversionData.of(tip, layer, depths, force, amplitude, noise)
    edges = _around(data, layer, tip) if cells is None else cells_of(layer, cells)
    asked = numerics_of(fineness, None, edges)
    fine = replace(asked, fineness=max(_FINE * asked.fineness, _COARSEST))
    coarse = Numerics(max(_COARSE * asked.fineness, _COARSEST))
    phase = float(np.median(np.abs(np.angle(data.force))))
    with Workers(workers) as pool:
        forward = Forward(tip, layer, data, pool)
        search = Search(forward, edges, fine, max(phase, 0.02))
        try:
            modulus, at = _explained(search, coarse)
            if at.misfit < _ACCEPTABLE:
                return _result(search, modulus, at, forward.force(modulus, coarse))
        except (InvalidInput, np.linalg.LinAlgError) as error:
            raise InversionFailed(f"the search failed: {error}. {_ADVICE}") from None
    raise InversionFailed(
        f"the force of the best profile is off by {np.sqrt(at.misfit):.3g} times the noise. "
        f"{_ADVICE}"
    )


def _explained(search: Search, coarse: Numerics) -> tuple[Steps | CellModulus, Profile]:
    """Modulus that explains the force best: layers if they are the simpler explanation."""
    forward, data, edges = search.forward, search.forward.data, search.cells
    rough = replace(
        coarse,
        resolution=3.0 * float(np.median(np.diff(edges))),
        cells=search.numerics.cells,
        reach=forward.tip.radius,
    )
    guess = CellModulus(edges, np.log(forward.start(search.heights)))
    sketch = replace(search, numerics=rough)
    profile = searched(sketch, sketch.of(guess), _ROUGH)
    stack = fitted(sketch, profile, coarse, _AS_GOOD, smoothest(profile, sketch, 1.0)[1])
    modulus: Steps | CellModulus = CellModulus(edges, search.logarithm(profile.x))
    if stack is not None and stack.misfit < profile.misfit:
        profile, modulus = replace(profile, misfit=stack.misfit), stack.modulus
    if profile.misfit > _HOPELESS:
        return modulus, profile
    at = search.of(modulus)
    smooth, parameters = smoothest(at, search, at.misfit)
    if stack is not None and stack.parameters(data.lossy) <= parameters:
        if at.misfit > _AS_GOOD:
            stack = refined(search, stack, Numerics(search.numerics.fineness))
            if stack.misfit < at.misfit:
                modulus, at = stack.modulus, search.of(stack.modulus)
        if at.misfit < _AS_GOOD:
            return modulus, at
    other = searched(search, search.at(proposed(at, search, smooth)), _SETTLED)
    if other.misfit < max(_AS_GOOD, at.misfit):
        return CellModulus(edges, search.logarithm(other.x)), other
    return modulus, at


def _around(data: InversionData, layer: Layer, tip: Tip) -> FloatArray:
    """Cells around the data's distances, none narrower than a tenth of the tip's radius."""
    distance = np.sort(layer.thickness - data.depth)
    narrow = 0.1 * tip.radius
    if np.median(np.diff(distance)) < narrow:
        return cells_of(layer, max(5, round(layer.thickness / narrow)))
    middle = 0.5 * (distance[1:] + distance[:-1])
    return np.concatenate([[0.0], middle, [layer.thickness]])


def _result(
    search: Search, modulus: Steps | CellModulus, at: Profile, coarse: ComplexArray
) -> Inverted:
    """Profile with its bands.

    What a coarser mesh changes in the force counts as an error; for a profile without layers so
    does its distance from the smoothest one.
    """
    data, cells = search.forward.data, search.cells
    n = cells.size - 1
    values = modulus(search.heights)
    spread = covariance(at, search)
    others = [spread @ (at.jacobian.T @ data.stacked(coarse - at.force))]
    if not isinstance(modulus, Steps):
        others.append(smoothest(at, search, max(1.0, at.misfit))[0] - at.x)
        parameters = smoothest(at, search, at.misfit)[1]
    else:
        edges = np.size(modulus.edges)
        parameters = float((edges + 1) * (1 + data.lossy) + edges)
    spread = spread + sum(np.outer(other, other) for other in others)
    spread += np.diag(_within(at.x.reshape(-1, n)).ravel())
    storage, loss = _bands(values, spread, search.phase_unit)
    return Inverted(
        cells=cells,
        modulus=values,
        storage_low=storage[0],
        storage_high=storage[1],
        loss_low=loss[0],
        loss_high=loss[1],
        layers=modulus if isinstance(modulus, Steps) else None,
        force=at.force,
        depth=data.depth,
        noise=data.noise,
        misfit=at.misfit,
        parameters=parameters,
    )


@np.errstate(over="ignore")  # no end of the band, where the noise is far above the force
def _bands(
    values: ComplexArray, spread: FloatArray, phase_unit: float
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """Lower and upper ends of E' and E'', from the covariance of ln|E| and phases."""
    n = values.size
    if spread.shape[0] == n:
        factor, none = np.exp(_CONFIDENCE * np.sqrt(np.diag(spread))), np.full(n, np.nan)
        return (values.real / factor, values.real * factor), (none, none)
    phase, turn = np.angle(values), phase_unit * np.eye(n)
    tangent = np.tan(phase)[:, None]
    # E' = |E| cos(phase) and E'' = |E| sin(phase), so d ln E' = d ln|E| - tan(phase) d phase
    slopes = (np.eye(n), -tangent * turn), (np.eye(n) * tangent, turn)
    errors = [
        _CONFIDENCE * np.sqrt(np.einsum("ij,jk,ik->i", by, spread, by))
        for by in map(np.hstack, slopes)
    ]
    factor = np.exp(errors[0])
    low, high = values.real / factor, values.real * factor
    off = _CONFIDENCE * phase_unit * np.sqrt(np.diag(spread)[n:])
    either = off >= np.abs(phase)  # sign of E'': no factor leads from one to the other
    factor = np.exp(errors[1] / np.where(either, np.inf, np.abs(tangent[:, 0])))
    ends = np.sort([values.imag / factor, values.imag * factor], axis=0)
    around = [high * np.tan(np.clip(phase + sign * off, -1.5, 1.5)) for sign in (-1.0, 1.0)]
    loss = np.where(either, around, ends)
    return (low, high), (loss[0], loss[1])


def _within(x: FloatArray) -> FloatArray:
    """Variance of a profile within its cells, from the steps to the neighbours."""
    return np.asarray((0.5 * np.gradient(x, axis=1)) ** 2 / 3.0)
