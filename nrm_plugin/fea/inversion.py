"""From the measured lateral force to the modulus at each height.

First a sketch: a profile in narrow cells whose variation is as small as the noise of the force
allows (`variation`). It finds layers, but rounds edges, and what lies under a stiff layer cannot
be told from a slightly thicker one. Then a stack of few layers with free edges (`stack`). It is
the result if it explains the force with fewer numbers than the smoothest profile needs that does
so as well; otherwise the profile is, on a finer mesh. What else explains the force is weighted by
Bayes' information criterion. The bands are those of a profile in both cases, what the force alone
can tell, widened to hold what the other explanations allow, and the errors of what was told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.bands import gaussian, with_draws, within
from nrm_plugin.fea.forces import numerics_of
from nrm_plugin.fea.forward import Forward, InversionFailed
from nrm_plugin.fea.geometry import Layer, Steps, Tip
from nrm_plugin.fea.inversion_data import InversionData
from nrm_plugin.fea.layered_media import cells_of
from nrm_plugin.fea.pool import Workers
from nrm_plugin.fea.problem import Numerics
from nrm_plugin.fea.stack import Stack, criterion, draws, fitted, refined
from nrm_plugin.fea.told_errors import ToldErrors
from nrm_plugin.fea.variation import (
    CellModulus,
    Profile,
    Search,
    covariance,
    proposed,
    searched,
    smoothest,
)

# Mean squares of residuals in units of the noise: of a profile from which layers can be guessed,
# of layers that explain the force, of a profile that does so barely; of one that never will.
_ROUGH, _AS_GOOD, _ACCEPTABLE = 15.0, 1.3, 1.5
_HOPELESS = 1000.0
_SETTLED = 1.05  # the same of a profile that is not improved any more
_ADVICE = (
    "Check thickness, radius, amplitude and the noise, and leave out depths at which the tip "
    "touches the electrode"
)
# Misfit below which, with more parameters per number than this, a profile follows the noise.
_FOLLOWS, _MANY = 0.5, 0.4
_NEGLIGIBLE = 0.01  # weight of an explanation that is not worth a line
_SURE = 0.9
_DRAWS = 2000
_UNKNOWN = ToldErrors()
_COARSE, _FINE = 0.65, 0.8  # times the fineness, while searching and for the result
_COARSEST = 0.3


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A modulus that explains the force.

    Attributes
    ----------
    layers : Steps or None
        Layers, or None for the profile in cells.
    misfit : float
        Mean square of the residuals in units of their uncertainty.
    parameters : float
        How many numbers describe it.
    weight : float
        How likely it is among all that were tried, by Bayes' information criterion.
    """

    layers: Steps | None
    misfit: float
    parameters: float
    weight: float

    @property
    def words(self) -> str:
        """Such as "3 layers"."""
        if self.layers is None:
            return "a profile"
        count = np.size(self.layers.moduli)
        return f"{count} layer{'s' * (count > 1)}"


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
    alternatives : tuple of Explanation
        What explains the force, the likeliest first, with weights that sum to 1; the profile or
        the layers that are the result are among them.
    told : ToldErrors
        Standard errors of tip and contact, which the bands hold.
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
    alternatives: tuple[Explanation, ...] = ()
    told: ToldErrors = _UNKNOWN

    @property
    def numbers(self) -> int:
        """How many numbers were measured: a quadrature counts as well."""
        return self.depth.size * (1 + bool(np.isfinite(self.loss_low).any()))

    @property
    def doubts(self) -> list[str]:
        """What to know before trusting the profile, a sentence each."""
        return [*self._overfitted(), *self._ambiguous(), self.told.sentence]

    def _overfitted(self) -> list[str]:
        if not (self.misfit < _FOLLOWS and self.parameters > _MANY * self.numbers):
            return []
        return [
            f"over-fitted: {self.parameters:.0f} numbers describe it and {self.numbers} were "
            f"measured, and at a misfit of {self.misfit:.2f}, far below 1, it follows the noise "
            "too: a soft or stiff layer in it may be none. Give more depths, or fewer cells"
        ]

    def _ambiguous(self) -> list[str]:
        if not self.alternatives or self.alternatives[0].weight >= _SURE:
            return []
        listed = ", ".join(f"{one.words} {one.weight:.0%}" for one in self.alternatives)
        return [
            f"not the only explanation of the force: {listed} by Bayes' information criterion. "
            "The bands hold what the others allow; more depths, or less noise, would tell them "
            "apart"
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
    radius_stderr: float | None = None,
    cone_angle_stderr: float | None = None,
    contact_stderr: float | None = None,
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
    radius_stderr, cone_angle_stderr, contact_stderr : float, optional
        Standard errors of the tip's radius in m, of its half angle in rad, and of the height of
        the electrode in m. The bands hold them; an error that is not given is unknown, and the
        bands hold for the tip and the contact as told.

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
    told = ToldErrors.of(tip, radius_stderr, cone_angle_stderr, contact_stderr)
    edges = _around(data, layer, tip) if cells is None else cells_of(layer, cells)
    asked = numerics_of(fineness, None, edges)
    fine = replace(asked, fineness=max(_FINE * asked.fineness, _COARSEST))
    coarse = Numerics(max(_COARSE * asked.fineness, _COARSEST))
    phase = float(np.median(np.abs(np.angle(data.force))))
    with Workers(workers) as pool:
        forward = Forward(tip, layer, data, pool)
        search = Search(forward, edges, fine, max(phase, 0.02))
        try:
            found = _explained(search, coarse)
            if found.at.misfit < _acceptable(data):
                return _result(search, found, coarse, told)
        except (InvalidInput, np.linalg.LinAlgError) as error:
            raise InversionFailed(f"the search failed: {error}. {_ADVICE}") from None
    raise InversionFailed(
        f"the force of the best profile is off by {np.sqrt(found.at.misfit):.3g} times the noise. "
        f"{_ADVICE}"
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Explained:
    """What explains the force best, and how well others do.

    Attributes
    ----------
    modulus : Steps or CellModulus
    at : Profile
        Solved for the modulus on the fine mesh.
    stacks : list of Stack
        That were tried and are no more than the depths can carry.
    criteria : list of float
        Of these.
    smooth : (float, float)
        Misfit and number of parameters of the profile in cells.
    """

    modulus: Steps | CellModulus
    at: Profile
    stacks: list[Stack]
    criteria: list[float]
    smooth: tuple[float, float]


def _explained(search: Search, coarse: Numerics) -> _Explained:
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
    tried = fitted(sketch, profile, coarse, _AS_GOOD, smoothest(profile, sketch, 1.0)[1])
    stacks = [one for one in tried if one.parameters(data.lossy) <= data.carried]
    criteria = [criterion(one, data) for one in stacks]
    stack = stacks[int(np.argmin(criteria))] if stacks else None
    modulus: Steps | CellModulus = CellModulus(edges, search.logarithm(profile.x))
    if stack is not None and stack.misfit < profile.misfit:
        profile, modulus = replace(profile, misfit=stack.misfit), stack.modulus
    found = _Explained(
        modulus=modulus,
        at=profile,
        stacks=stacks,
        criteria=criteria,
        smooth=(profile.misfit, float("nan")),
    )
    if profile.misfit > _HOPELESS:
        return found
    at = search.of(modulus)
    smooth, parameters = smoothest(at, search, at.misfit)
    layered = isinstance(modulus, Steps)
    if stack is not None and layered:
        before = criterion(stack, data)
        if at.misfit > _AS_GOOD and stack.parameters(data.lossy) <= parameters:
            stack = refined(search, stack, Numerics(search.numerics.fineness))
            if stack.misfit < at.misfit:
                modulus, at = stack.modulus, search.of(stack.modulus)
        # The stacks were fitted on a coarse mesh, and are compared with a profile on the fine one.
        own = data.criterion(at.misfit, stack.parameters(data.lossy))
        criteria[:] = [one + own - before for one in criteria]
        if at.misfit < _AS_GOOD and stack.parameters(data.lossy) <= parameters:
            return replace(found, modulus=modulus, at=at, smooth=(at.misfit, parameters))
    other = searched(search, search.at(proposed(at, search, smooth)), _SETTLED)
    parameters = smoothest(other, search, other.misfit)[1]
    found = replace(
        found,
        modulus=CellModulus(edges, search.logarithm(other.x)),
        at=other,
        smooth=(other.misfit, parameters),
    )
    if layered and at.misfit < _acceptable(data):
        if min(criteria) < data.criterion(other.misfit, parameters):
            return replace(found, modulus=modulus, at=at)
    else:  # no layers explain the force
        found = replace(found, stacks=[], criteria=[])
    if other.misfit < max(_AS_GOOD, at.misfit):
        return found
    return replace(found, modulus=modulus, at=at)


def _acceptable(data: InversionData) -> float:
    """Misfit of an explanation: few numbers scatter more."""
    return max(_ACCEPTABLE, 1.0 + 3.0 * float(np.sqrt(2.0 / data.numbers)))


def _around(data: InversionData, layer: Layer, tip: Tip) -> FloatArray:
    """Cells around the data's distances, none narrower than a tenth of the tip's radius."""
    distance = np.sort(layer.thickness - data.depth)
    narrow = 0.1 * tip.radius
    if np.median(np.diff(distance)) < narrow:
        return cells_of(layer, max(5, round(layer.thickness / narrow)))
    middle = 0.5 * (distance[1:] + distance[:-1])
    return np.concatenate([[0.0], middle, [layer.thickness]])


def _result(search: Search, found: _Explained, coarse: Numerics, told: ToldErrors) -> Inverted:
    """Profile with its bands.

    What a coarser mesh changes in the force counts as an error, as does what was told; for a
    profile without layers so does its distance from the smoothest one.
    """
    data, cells, modulus, at = search.forward.data, search.cells, found.modulus, found.at
    n = cells.size - 1
    values = modulus(search.heights)
    spread = covariance(at, search)
    force = search.forward.force(modulus, coarse)
    changes = told.changes(search.forward, modulus, coarse, force)
    others = [
        spread @ (at.jacobian.T @ data.stacked(change)) for change in (force - at.force, *changes)
    ]
    if not isinstance(modulus, Steps):
        others.append(smoothest(at, search, max(1.0, at.misfit))[0] - at.x)
    spread = spread + sum(np.outer(other, other) for other in others)
    spread += np.diag(within(at.x.reshape(-1, n)).ravel())
    alternatives, stacks, weights = _weighed(search, found)
    random = np.random.default_rng(0)
    counts = np.rint(_DRAWS * weights / max(weights.sum(), _NEGLIGIBLE)).astype(int).tolist()
    allowed = [
        np.exp(draws(search, stack, changes, random, count))
        for stack, count in zip(stacks, counts, strict=True)
    ]
    storage, loss = with_draws(gaussian(values, spread, search.phase_unit), allowed, weights.sum())
    layers = modulus if isinstance(modulus, Steps) else None
    parameters = found.smooth[1]
    if layers is not None:
        edges = np.size(layers.edges)
        parameters = float((edges + 1) * (1 + data.lossy) + edges)
    return Inverted(
        cells=cells,
        modulus=values,
        storage_low=storage[0],
        storage_high=storage[1],
        loss_low=loss[0],
        loss_high=loss[1],
        layers=layers,
        force=at.force,
        depth=data.depth,
        noise=data.noise,
        misfit=at.misfit,
        parameters=parameters,
        alternatives=alternatives,
        told=told,
    )


def _weighed(
    search: Search, found: _Explained
) -> tuple[tuple[Explanation, ...], list[Stack], FloatArray]:
    """What explains the force, the likeliest first; stacks among it, and their weights."""
    data = search.forward.data
    criteria = np.array([*found.criteria, data.criterion(*found.smooth)])
    weights = np.exp(-0.5 * (criteria - criteria.min()))
    sizes = [stack.moduli.size for stack in found.stacks]
    if isinstance(found.modulus, Steps) and np.size(found.modulus.moduli) == 1:
        weights[-1] = 0.0  # the smoothest profile is the same
    # Of stacks with as many layers, only the best.
    for k, size in enumerate(sizes):
        rivals = [j for j, other in enumerate(sizes) if other == size]
        if k != min(rivals, key=lambda j: criteria[j]):
            weights[k] = 0.0
    weights[weights < _NEGLIGIBLE * weights.sum()] = 0.0
    weights /= weights.sum()
    rows = [
        Explanation(
            layers=stack.modulus,
            misfit=stack.misfit,
            parameters=stack.parameters(data.lossy),
            weight=float(weight),
        )
        for stack, weight in zip(found.stacks, weights, strict=False)
    ]
    if isinstance(found.modulus, Steps):  # on the fine mesh
        best = int(np.argmin(found.criteria))
        rows[best] = replace(rows[best], layers=found.modulus, misfit=found.at.misfit)
    misfit, parameters = found.smooth
    rows.append(
        Explanation(layers=None, misfit=misfit, parameters=parameters, weight=float(weights[-1]))
    )
    rows = [row for row in rows if row.weight > 0.0]
    kept = [k for k in range(len(sizes)) if weights[k] > 0.0]
    rows.sort(key=lambda row: -row.weight)
    return tuple(rows), [found.stacks[k] for k in kept], weights[kept]
