"""What is learnt of all curves before any is processed: surveys, drag, the phase on the wall."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.decisions import ContactByHand
from nrm_plugin.engine import checks, kept_survey, provenance
from nrm_plugin.engine.chain import Chain, SurveyedDirection
from nrm_plugin.engine.checks import Evidence
from nrm_plugin.engine.kept_survey import KeptSurvey
from nrm_plugin.engine.sampled_curves import (
    SampledCurves,
    drag_of,
    evidence_of,
    survey_direction,
    without_drag,
)
from nrm_plugin.engine.shape_factor import shape_factor
from nrm_plugin.engine.signals import parts, plan, read_once
from nrm_plugin.engine.surface import surface_slope
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe


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


class Surveyor:
    """Learns of curves what a recipe asks for, once for all recipes that ask for the same.

    Parameters
    ----------
    curves : CurveSet
    known : KeptSurvey, optional
        What is known of them already.
    part : bool
        Whether the curves are a part of those that `known` is of: then nothing is learnt of them
        that is known, whatever the recipe.
    keep : bool
        Whether samples of the curves that are surveyed are kept for other recipes.

    Raises
    ------
    As `process`.
    """

    def __init__(
        self,
        curves: CurveSet,
        known: KeptSurvey | None = None,
        *,
        part: bool = False,
        keep: bool = False,
    ) -> None:
        curves, self.plan = plan(curves)
        self.curves = read_once(curves, self.plan)
        self.known = known if known is not None and known.fits(self.plan) else None
        self._part = part
        self.sampled = SampledCurves(keep=keep)
        self._learnt: dict[tuple[Any, ...], Any] = {}

    def learn(
        self, recipe: Recipe, by_hand: Mapping[tuple[int, str], ContactByHand] | None = None
    ) -> Ensemble:
        """Survey the curves as a recipe asks for it.

        Parameters
        ----------
        recipe : Recipe
        by_hand : mapping, optional
            Contacts that a person set, by curve and direction.
        """
        curves, how = self.curves, self.plan
        depth = np.array(recipe.depth.values)
        shape = shape_factor(recipe.shape_factor, curves, depth)
        chain = Chain(
            curves=curves, recipe=recipe, plan=how, depth=depth, shape=shape, by_hand=by_hand or {}
        )
        directions = [self._direction(chain, name) for name in recipe.directions]
        evidence = evidence_of(chain, directions, sampled=self.sampled)
        directions = self._without_drag(directions, evidence)
        attributes = provenance.attributes(curves, recipe, how, shape)
        phase = math.nan
        if recipe.lateral.phase == "wall":
            phase, attributes["lockin_phase_source"] = self._phase(evidence)
            chain = replace(chain, plan=replace(how, phase=phase))
        attributes |= provenance.of_distances(recipe, [d.survey.slope for d in directions])
        if how.lateral:
            attributes |= provenance.of_lateral_baselines([d.survey.lateral for d in directions])
        asked = recipe.derivative.half_width
        attributes["half_width"] = max(d.survey.half_width(asked) for d in directions)
        attributes["survey"] = kept_survey.as_json(how, directions, phase)
        return Ensemble(
            chain=chain,
            directions=tuple(directions),
            evidence=evidence,
            attributes=attributes,
        )

    def warm(self, ensemble: Ensemble) -> None:
        """Read and find beforehand what other recipes need, though it is known for this one."""
        chain = ensemble.chain
        for direction in ensemble.directions:
            self.sampled.survey(chain, direction.name)
        self._drag(ensemble.evidence)

    def _known(self, settings: Callable[[Recipe], tuple[Any, ...]], recipe: Recipe) -> bool:
        """Whether what depends on some settings is known already."""
        if self.known is None:
            return False
        return self._part or settings(self.known.recipe) == settings(recipe)

    def _direction(self, chain: Chain, name: str) -> SurveyedDirection:
        recipe = chain.recipe

        def settings(recipe: Recipe) -> tuple[Any, ...]:
            return kept_survey.of_contacts(recipe), kept_survey.of_reach(recipe)

        if self.known is not None and name in self.known.surveys and self._known(settings, recipe):
            return SurveyedDirection(name, parts(self.curves, name), self.known.surveys[name])
        found: SurveyedDirection = self._once(
            ("survey", name, settings(recipe)),
            lambda: survey_direction(chain, name, sampled=self.sampled),
        )
        return found

    def _without_drag(
        self, directions: list[SurveyedDirection], evidence: Evidence
    ) -> list[SurveyedDirection]:
        recipe = evidence.recipe
        known = self.known.drags if self.known else {}
        if self._known(kept_survey.of_drag, recipe) and {d.name for d in directions} <= set(known):
            drags = [known[d.name] for d in directions]
            return [replace(d, drag=drag) for d, drag in zip(directions, drags, strict=True)]
        return without_drag(directions, self._drag(evidence), recipe.contact)

    def _drag(self, evidence: Evidence) -> checks.DragShift | None:
        contacts = kept_survey.of_contacts(evidence.recipe), evidence.recipe.directions
        found: checks.DragShift | None = self._once(("drag", contacts), lambda: drag_of(evidence))
        return found

    def _once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key not in self._learnt:
            self._learnt[key] = make()
        return self._learnt[key]

    def _phase(self, evidence: Evidence) -> tuple[float, str]:
        """Phase on the wall in rad, and how it was found."""
        known = self.known
        same = self._known(kept_survey.of_phase, evidence.recipe)
        if known is not None and same and math.isfinite(known.phase):
            return known.phase, known.source
        found: checks.WallPhase = self._once(
            ("phase", kept_survey.of_phase(evidence.recipe)),
            lambda: checks.phase_of_the_wall(evidence),
        )
        return found.value, found.source


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
    for first, stop, found in blocks(partial(chain.to_send.hard_contacts, direction)):
        height[first:stop] = found
    angle = surface_slope(chain.curves, height)
    known = np.isfinite(angle)
    cosine[known] = np.cos(angle[known])
    return cosine
