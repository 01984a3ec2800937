"""What is learnt of all curves before any is processed: surveys, drag, the phase on the wall."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine import checks, provenance
from nrm_plugin.engine.chain import Chain, SurveyedDirection
from nrm_plugin.engine.checks import Evidence
from nrm_plugin.engine.sampled_curves import evidence_of, survey_direction, without_drag
from nrm_plugin.engine.shape_factor import shape_factor
from nrm_plugin.engine.signals import plan, read_once
from nrm_plugin.engine.surface import surface_slope
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.variables import BIT


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """A chain and what it needs to know of all curves.

    Attributes
    ----------
    chain : Chain
        With the phase that its recipe asks for.
    directions : tuple of SurveyedDirection
        Those of the recipe.
    evidence : Evidence
        What self-checks look at.
    attributes : mapping of str to object
        What results say of it.
    """

    chain: Chain
    directions: tuple[SurveyedDirection, ...]
    evidence: Evidence
    attributes: dict[str, Any]

    def direction(self, name: str) -> SurveyedDirection:
        """What is known of a direction.

        Raises
        ------
        InvalidInput
            If the recipe does not have it.
        """
        for one in self.directions:
            if one.name == name:
                return one
        raise InvalidInput(f"the recipe has no direction {name}")


def learn(curves: CurveSet, recipe: Recipe) -> Ensemble:
    """Survey curves as a recipe asks for it.

    Raises
    ------
    As `process`.
    """
    curves, how = plan(curves)
    curves = read_once(curves, how)
    depth = np.array(recipe.depth.values)
    shape = shape_factor(recipe.shape_factor, curves, depth)
    chain = Chain(curves=curves, recipe=recipe, plan=how, depth=depth, shape=shape)
    directions = [survey_direction(chain, name) for name in recipe.directions]
    evidence = evidence_of(chain, directions)
    directions = without_drag(directions, evidence)
    attributes = provenance.attributes(curves, recipe, how, shape)
    if recipe.lateral.phase == "wall":
        phase = checks.phase_of_the_wall(evidence)
        attributes["lockin_phase_source"] = phase.source
        chain = replace(chain, plan=replace(how, phase=phase.value))
    attributes |= provenance.of_distances(recipe, [d.survey.slope for d in directions])
    if how.lateral:
        attributes |= provenance.of_lateral_baselines([d.survey.lateral for d in directions])
    asked = recipe.derivative.half_width
    attributes["half_width"] = max(d.survey.half_width(asked) for d in directions)
    return Ensemble(
        chain=chain,
        directions=tuple(directions),
        evidence=evidence,
        attributes=attributes,
    )


#: Calls a function for consecutive curves (first, stop) and gives what it returns, in order.
Blocks = Callable[[Callable[[int, int], Any]], Iterator[tuple[int, int, Any]]]


def _one_after_the_other(chain: Chain) -> Blocks:
    def blocks(function: Callable[[int, int], Any]) -> Iterator[tuple[int, int, Any]]:
        for first, stop in chain.curves.blocks():
            yield first, stop, function(first, stop)

    return blocks


def cosines(chain: Chain, direction: SurveyedDirection, blocks: Blocks | None = None) -> FloatArray:
    """Factor of the distances: the cosine of the surface's slope, where the recipe asks for it."""
    n = chain.curves.n_curves
    cosine = np.ones(n)
    if not chain.recipe.correct_slope:
        return cosine
    height = np.empty(n)
    blocks = blocks or _one_after_the_other(chain)
    for first, stop, (_, found) in blocks(lambda a, b: chain.referenced(direction, a, b)):
        height[first:stop] = found.contacts["contact"]
        height[first:stop][(found.quality & BIT["no_hard_contact"]) != 0] = np.nan
    angle = surface_slope(chain.curves, height)
    known = np.isfinite(angle)
    cosine[known] = np.cos(angle[known])
    return cosine
