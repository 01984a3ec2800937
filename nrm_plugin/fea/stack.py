"""A stack of few layers with free edges, from a profile in narrow cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import ComplexArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.forward import Forward
from nrm_plugin.fea.geometry import Steps
from nrm_plugin.fea.inversion_data import InversionData
from nrm_plugin.fea.problem import Numerics
from nrm_plugin.fea.variation import Profile, Search

_MOST = 5  # layers
_ITERATIONS = 16
_THINNEST = 0.15  # tip radii
_STEP = 0.4  # tip radii: unit of an edge's height
_LARGEST = 1.0  # change of a logarithm, or of an edge in its unit, in one iteration
_DAMPING = 0.03
# Misfit of layers guessed from a profile, at which they are worth a try: this, or times its own.
_FAR, _WORSE = 40.0, 4.0
_GAIN = 0.15  # of the misfit: less is no progress
_MANY = 0.3  # numbers in the layers for each measured one, above which fewer layers are tried
# What is likely before the force is seen, as a standard deviation around the best layers: of
# logarithms and phases, and of an edge in tip radii.
_PRIOR, _PRIOR_EDGE = 1.5, 1.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Stack:
    """Layers of one modulus each.

    Attributes
    ----------
    edges : ndarray of shape (m - 1,)
        Heights above the electrode in m.
    moduli : ndarray of shape (m,), complex
        In Pa.
    force : ndarray of complex
        At the depths of the data, in N.
    jacobian : ndarray
        Of the stacked force to ln|E|, edges, and phases, in their units.
    misfit : float
    """

    edges: FloatArray
    moduli: ComplexArray
    force: ComplexArray
    jacobian: FloatArray
    misfit: float

    @property
    def modulus(self) -> Steps:
        """As a function of the height."""
        return Steps(self.edges, self.moduli)

    def parameters(self, lossy: bool) -> int:
        """How many numbers describe it."""
        return self.moduli.size * (1 + lossy) + self.edges.size


def guesses(profile: Profile, search: Search) -> list[tuple[FloatArray, ComplexArray]]:
    """Edges and logarithms of the stacks that a profile suggests, those of fewest layers first.

    Neighbouring cells are merged one pair after the other, each time those that the force cares
    for least in the linearised problem, as long as that explains the force nearly as well.
    """
    n = search.cells.size - 1
    right = search.linearised(profile)
    group, stacks = np.arange(n), []
    while group[-1] > 0:
        trials = [np.where(group > k, group - 1, group) for k in range(group[-1])]
        fits = [_linear_fit(profile.jacobian, right, trial, n) for trial in trials]
        best = int(np.argmin([misfit for misfit, _ in fits]))
        group, (misfit, x) = trials[best], fits[best]
        if misfit > max(_FAR, _WORSE * profile.misfit):
            break
        if group[-1] < _MOST:
            first = np.flatnonzero(np.diff(group, prepend=-1))
            mean = np.array(
                [profile.x.reshape(-1, n)[:, group == k].mean(axis=1) for k in range(group[-1] + 1)]
            ).T
            x = mean + np.clip(x.reshape(-1, n)[:, first] - mean, -_LARGEST, _LARGEST)
            stacks.append((search.cells[first[1:]], search.logarithm(x.ravel(), first.size)))
    return stacks[::-1]


def _linear_fit(
    jacobian: FloatArray, right: FloatArray, group: IntArray, n: int
) -> tuple[float, FloatArray]:
    """Misfit and best profile that is constant in groups, in the linearised problem."""
    members = (group[:, None] == np.arange(group[-1] + 1)).astype(float)
    spread = np.kron(np.eye(jacobian.shape[1] // n), members)
    reduced = jacobian @ spread
    normal = reduced.T @ reduced
    solution = np.linalg.lstsq(normal, reduced.T @ right, rcond=1e-12)[0]
    return float(np.mean((right - reduced @ solution) ** 2)), spread @ solution


def fitted(
    search: Search, profile: Profile, numerics: Numerics, goal: float, most: float
) -> list[Stack]:
    """Few layers that explain the force, by Levenberg-Marquardt on their moduli and edges.

    Stacks of fewest layers come first, until one reaches the goal. Where that takes many numbers
    for those measured, layers are merged again as long as the criterion falls: the profile may
    suggest layers that none of the better ones has.

    Parameters
    ----------
    goal : float
        Misfit that is good enough.
    most : float
        Numbers that may describe the layers: with more they are not simpler than a profile.

    Returns
    -------
    list of Stack
        All that were tried; none if the profile suggests none.
    """
    fit, data = _Fit(search.forward, numerics, search.phase_unit), search.forward.data
    stacks: list[Stack] = []
    for edges, logarithm in guesses(profile, search):
        if logarithm.size * (1 + data.lossy) + edges.size > most:
            break
        try:
            stacks.append(fit.improved(*fit.thick(edges, logarithm)))
        except InvalidInput:  # no material is like the guess
            continue
        if stacks[-1].misfit < goal:
            break
    if stacks:
        now = min(stacks, key=lambda stack: stack.misfit)
        while now.edges.size and now.parameters(data.lossy) > _MANY * data.numbers:
            before, fewer = now, fit.merged(now)
            if fewer is None:
                break
            stacks.append(fewer)
            now = fewer
            if (
                criterion(fewer, data) > criterion(before, data)
                and before.parameters(data.lossy) <= data.carried
            ):
                break
    return stacks


def criterion(stack: Stack, data: InversionData) -> float:
    """Bayes' information criterion: the lower, the likelier is so many layers."""
    return data.criterion(stack.misfit, stack.parameters(data.lossy))


def refined(search: Search, stack: Stack, numerics: Numerics) -> Stack:
    """The same number of layers, fitted on another mesh."""
    fit = _Fit(search.forward, numerics, search.phase_unit)
    return fit.improved(np.asarray(stack.edges), np.log(stack.moduli))


def draws(
    search: Search,
    stack: Stack,
    changes: Sequence[ComplexArray],
    random: np.random.Generator,
    n: int,
) -> ComplexArray:
    """Logarithms of moduli in the cells, of stacks that the force does not tell from this one.

    Parameters
    ----------
    changes : sequence of ndarray
        Of the force in N, by one standard error of each thing that was told.
    n : int
        Stacks.

    Returns
    -------
    ndarray of shape (n, cells)
        Each at a random place in the cell: a cell may hold an edge.
    """
    fit, cells = _Fit(search.forward, search.numerics, search.phase_unit), search.cells
    covariance = fit.covariance(stack, changes)
    steps = random.multivariate_normal(np.zeros(len(covariance)), covariance, n, method="eigh")
    places = cells[:-1] + np.diff(cells) * random.random((n, cells.size - 1))
    found = np.empty(places.shape, complex)
    for row, step in enumerate(steps):
        edges, logarithm = fit.moved(stack, step)
        found[row] = logarithm[np.searchsorted(edges, places[row], side="right")]
    return found


@dataclass(frozen=True, eq=False)
class _Fit:
    forward: Forward
    numerics: Numerics
    phase_unit: float

    def improved(self, edges: FloatArray, logarithm: ComplexArray) -> Stack:
        """Iterate from a stack until that brings little."""
        now, damping = self.at(edges, logarithm), _DAMPING
        for _ in range(_ITERATIONS):
            try:
                after = self.at(*self.step(now, damping))
            except InvalidInput:  # no material is like that
                damping *= 10.0
                continue
            if after.misfit < now.misfit:
                gain, now = now.misfit - after.misfit, after
                damping *= 0.2
                if gain < _GAIN * now.misfit:
                    break
            else:
                damping *= 10.0
        return now

    def merged(self, stack: Stack) -> Stack | None:
        """One layer fewer: the two neighbours that it costs least to merge, and then fitted."""
        thickness, logarithm = self._thickness(stack.edges), np.log(stack.moduli)
        trials = []
        for k in range(stack.edges.size):
            parts = thickness[k : k + 2] / thickness[k : k + 2].sum()
            mean = np.log(parts @ stack.moduli[k : k + 2])
            others = np.delete(logarithm, k)
            others[k] = mean
            try:
                trials.append(self.at(np.delete(stack.edges, k), others))
            except InvalidInput:  # no material is like that
                continue
        if not trials:
            return None
        best = min(trials, key=lambda trial: trial.misfit)
        return self.improved(best.edges, np.log(best.moduli))

    def at(self, edges: FloatArray, logarithm: ComplexArray) -> Stack:
        """Solve for a stack.

        Raises
        ------
        InvalidInput
            If no material is like that.
        """
        data, moduli = self.forward.data, np.exp(logarithm)
        self.forward.plausible(moduli)
        force, by_modulus, by_edge = self.forward.stack(Steps(edges, moduli), self.numerics)
        by_logarithm = (by_modulus * moduli).T
        columns = [*by_logarithm, *(self._step * by_edge.T)]
        if data.lossy:
            columns += [1j * self.phase_unit * column for column in by_logarithm]
        jacobian = np.array([data.stacked(column) for column in columns]).T
        return Stack(
            edges=edges,
            moduli=moduli,
            force=force,
            jacobian=jacobian,
            misfit=data.misfit(force),
        )

    def covariance(self, stack: Stack, changes: Sequence[ComplexArray]) -> FloatArray:
        """Of ln|E|, edges and phases: noise, and changes of the force that were told."""
        data, m = self.forward.data, stack.moduli.size
        prior = np.full(stack.jacobian.shape[1], _PRIOR)
        prior[m : 2 * m - 1] = _PRIOR_EDGE / _STEP
        inverse = np.linalg.inv(stack.jacobian.T @ stack.jacobian + np.diag(prior**-2.0))
        told = [inverse @ (stack.jacobian.T @ data.stacked(change)) for change in changes]
        return np.asarray(inverse + sum(np.outer(one, one) for one in told))

    @property
    def _step(self) -> float:
        return _STEP * self.forward.tip.radius

    def step(self, now: Stack, damping: float) -> tuple[FloatArray, ComplexArray]:
        """Edges and logarithms of the next stack to try."""
        data = self.forward.data
        normal = now.jacobian.T @ now.jacobian
        normal += damping * np.diag(np.diag(normal))
        residual = data.stacked(data.force - now.force)
        step = np.linalg.solve(normal, now.jacobian.T @ residual)
        return self.thick(*self.moved(now, np.clip(step, -_LARGEST, _LARGEST)))

    def moved(self, now: Stack, step: FloatArray) -> tuple[FloatArray, ComplexArray]:
        """Edges and logarithms a step away."""
        m = now.moduli.size
        turn = self.phase_unit * step[2 * m - 1 :] if self.forward.data.lossy else np.zeros(m)
        logarithm = np.log(now.moduli) + step[:m] + 1j * turn
        edges = np.sort(now.edges + self._step * step[m : 2 * m - 1])
        # A stiff layer resists with modulus times thickness: change that as the linear step says.
        before, after = self._thickness(now.edges), self._thickness(edges)
        stiff = np.abs(now.moduli)
        inside = np.flatnonzero((stiff[1:-1] > stiff[:-2]) & (stiff[1:-1] > stiff[2:])) + 1
        change = after[inside] / before[inside]
        logarithm[inside] += change - 1.0 - np.log(np.maximum(change, 0.1))
        return edges, logarithm

    def _thickness(self, edges: FloatArray) -> FloatArray:
        return np.diff(np.concatenate([[0.0], edges, [self.forward.layer.thickness]]))

    def thick(self, edges: FloatArray, logarithm: ComplexArray) -> tuple[FloatArray, ComplexArray]:
        """Divide layers that have become too thin to be told between their neighbours."""
        while edges.size and self._thickness(edges).min() < _THINNEST * self.forward.tip.radius:
            thin = int(np.argmin(self._thickness(edges)))
            if 0 < thin < edges.size:
                low, own, high = np.abs(np.exp(logarithm[thin - 1 : thin + 2]))
                part = np.clip((own - high) / (low - high), 0.0, 1.0) if low != high else 0.5
                edges[thin - 1] += part * (edges[thin] - edges[thin - 1])
            logarithm = np.delete(logarithm, thin)
            edges = np.delete(edges, min(thin, edges.size - 1))
        return edges, logarithm
