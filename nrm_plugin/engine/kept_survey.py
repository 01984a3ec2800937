"""What was learnt of all curves, as their results keep it, so that parts process as they did then.

The attribute ``survey`` of results is JSON: ``version``, ``signals`` (how they were made),
``directions`` (a survey each, and how far drag moves the contacts) and ``lockin_phase`` (of the
wall, where the recipe asks for it). null stands for nan.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_plugin.engine.chain import SurveyedDirection
from nrm_plugin.engine.fringes import Fringe
from nrm_plugin.engine.lateral_baseline import LateralBaseline
from nrm_plugin.engine.signals import Plan
from nrm_plugin.engine.survey import Survey
from nrm_plugin.engine.wall_slopes import WallMode
from nrm_plugin.errors import NrmError
from nrm_plugin.recipe import Recipe

if TYPE_CHECKING:
    pass

VERSION = 1

#: Of a plan, what surveys depend on.
_SIGNALS = (
    "deflection",
    "in_phase",
    "quadrature",
    "amplitude",
    "time_constant",
    "poles",
    "told_lag",
    "timed",
    "phase",
    "lateral_stiffness",
)

#: Settings by what depends on them.
_CONTACT = ("method", "settings", "slope", "interference", "spikes")


def of_contacts(recipe: Recipe) -> tuple[Any, ...]:
    """Settings that decide what a survey says of walls, fringes and contacts."""
    contact = recipe.contact
    return (*(getattr(contact, n) for n in _CONTACT if n != "settings"), repr(contact.settings))


def of_reach(recipe: Recipe) -> tuple[Any, ...]:
    """Settings that decide where the lateral signal is looked at far away."""
    return recipe.depth.values[-1], recipe.derivative.half_width


def of_drag(recipe: Recipe) -> tuple[Any, ...]:
    """Settings on which drag depends."""
    return of_contacts(recipe), recipe.directions, recipe.contact.drag


def of_phase(recipe: Recipe) -> tuple[Any, ...]:
    """Settings on which the phase on the wall depends."""
    parts = recipe.contact, recipe.derivative, recipe.lateral, recipe.depth
    return recipe.directions, *map(repr, parts)


@dataclass(frozen=True, kw_only=True)
class KeptSurvey:
    """What results know of all their curves.

    Attributes
    ----------
    recipe : Recipe
        By which it was learnt.
    signals : mapping
        How signals were made, as `signals_of` says it.
    surveys : mapping of str to Survey
        By direction.
    drags : mapping of str to (float, float)
        As `SurveyedDirection.drag`.
    phase : float
        Of the lock-in as the wall shows it, in rad; nan where the recipe did not ask.
    source : str
        How that was found.
    """

    recipe: Recipe
    signals: Mapping[str, Any]
    surveys: Mapping[str, Survey]
    drags: Mapping[str, tuple[float, float]]
    phase: float
    source: str

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> tuple[KeptSurvey | None, str]:
        """Return the survey that attributes of results hold, or None and why there is none."""
        text = str(attributes.get("survey", ""))
        if not text:
            return None, "the results are of a version that kept no survey of its curves"
        try:
            values = json.loads(text)
            if values["version"] > VERSION:
                return None, "the survey in the results is of a newer version"
            directions = values["directions"]
            kept = cls(
                recipe=Recipe.from_text(str(attributes["recipe"])),
                signals=values["signals"],
                surveys={name: _survey(one["survey"]) for name, one in directions.items()},
                drags={name: _pair(one["drag"]) for name, one in directions.items()},
                phase=_number(values["lockin_phase"]),
                source=str(attributes.get("lockin_phase_source", "")),
            )
        except (NrmError, KeyError, TypeError, ValueError, AttributeError) as error:
            return None, f"the survey in the results cannot be read ({error})"
        return kept, ""

    def fits(self, how: Plan) -> bool:
        """Whether signals are made as they were."""
        return bool(self.signals == signals_of(how))


def signals_of(how: Plan) -> dict[str, Any]:
    """How signals are made, as far as surveys depend on it, in plain numbers."""
    made: dict[str, Any] = _plain({name: asdict(how)[name] for name in _SIGNALS})
    return made


def as_json(how: Plan, directions: Sequence[SurveyedDirection], phase: float) -> str:
    """Write down what was learnt.

    Parameters
    ----------
    how : Plan
        As told, before the wall's phase.
    directions : sequence of SurveyedDirection
    phase : float
        Of the wall, in rad; nan where nobody asked.
    """
    values = {
        "version": VERSION,
        "signals": signals_of(how),
        "directions": {
            d.name: {"survey": _plain(asdict(d.survey)), "drag": _plain(d.drag)} for d in directions
        },
        "lockin_phase": _plain(phase),
    }
    return json.dumps(values, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    """Value as JSON has it; doubles keep all their bits."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return [_plain(part) for part in value.tolist()]
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _number(value: float | str | None) -> float:
    return math.nan if value is None else float(value)


def _pair(values: Sequence[Any]) -> tuple[float, float]:
    first, second = map(_number, values)
    return first, second


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a record; those that are neither true nor words are floats."""
    return {
        name: value if isinstance(value, bool) or name == "why" else _number(value)
        for name, value in values.items()
    }


def _survey(values: Mapping[str, Any]) -> Survey:
    values = dict(values)
    lateral = values.pop("lateral")
    nested: dict[str, Any] = {
        "modes": tuple(WallMode(**_numbers(mode)) for mode in values.pop("modes")),
        "fringe": Fringe(**_numbers(values.pop("fringe"))),
        "correlation": np.array([_number(v) for v in values.pop("correlation")]),
        "lateral": LateralBaseline(**_numbers(lateral)),
    }
    return Survey(**_numbers(values), **nested)
