"""Results of all curves, where a part of them is processed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.engine.kept_survey import KeptSurvey
from nrm_plugin.engine.signals import plan
from nrm_plugin.engine.surface import slope_of_places
from nrm_plugin.errors import NrmError
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.variables import BIT

if TYPE_CHECKING:
    import xarray as xr

#: Settings that change nothing of what is learnt of all curves.
_UNAFFECTED = frozenset({"derivative.method", "depth.step", "contact.distance", "contact.force"})


@dataclass(frozen=True, kw_only=True)
class Whole:
    """Results of all curves, and where a part of them lies in these.

    Attributes
    ----------
    results : Dataset
    curves : CurveSet
        The part.
    survey : KeptSurvey or None
        What was learnt of all; None where it has to be learnt anew.
    rows : (n,) array of int or None
        Which curve of the results each one is; None where that is not known.
    why : str
        Why nothing that was learnt of all can be used.
    """

    results: xr.Dataset
    curves: CurveSet
    survey: KeptSurvey | None
    rows: IntArray | None
    why: str

    @classmethod
    def of(cls, results: xr.Dataset | str | PathLike[str], curves: CurveSet) -> Whole:
        """Find the part in the results."""
        if isinstance(results, str | PathLike):
            from nrm_plugin.store.read_results import open_results

            results = open_results(results)
        survey, why = KeptSurvey.of(results.attrs)
        if survey and not survey.fits(plan(curves)[1]):
            survey = None
            why = (
                "calibrations or channels are others than those of the results (was an experiment "
                "file left out that they were made with?)"
            )
        rows = rows_of(results, curves)
        return cls(results=results, curves=curves, survey=survey, rows=rows, why=why)

    @property
    def recipe(self) -> Recipe | None:
        """By which the results were made; None where that cannot be read."""
        if self.survey is not None:
            return self.survey.recipe
        try:
            return Recipe.from_text(str(self.results.attrs.get("recipe", "")))
        except NrmError:
            return None

    @property
    def complete(self) -> bool:
        """Whether these are all curves of the results, in their order."""
        n = self.results.sizes["curve"]
        return self.rows is not None and np.array_equal(self.rows, np.arange(n))

    @property
    def attributes(self) -> dict[str, Any]:
        """What results of the part say as well: checks are those of all curves."""
        return {name: self.results.attrs.get(name, "") for name in ("checks", "electrode")}

    @property
    def warnings(self) -> list[str]:
        """What was said of all curves."""
        return str(self.results.attrs.get("warnings", "")).splitlines()

    def cosine(self, direction: str) -> FloatArray | None:
        """Factors of the part's distances, by the slope of the surface among all curves."""
        if self.survey is None or self.rows is None:
            return None
        kept = self._variable("slope_cosine", direction)
        if kept is not None:
            return kept[self.rows]
        height, quality = (self._variable(n, direction) for n in ("contact_height", "quality"))
        if height is None or quality is None:
            return None
        height = np.where((quality & BIT["no_hard_contact"]) != 0, np.nan, height)
        table = {name: self.results[name].values for name in ("x", "y", "location")}
        angle = slope_of_places(table, height, self.curves.metadata)
        return np.where(np.isfinite(angle), np.cos(np.nan_to_num(angle)), 1.0)[self.rows]

    def places(self, direction: str) -> tuple[FloatArray, IntArray] | None:
        """Slope of the surface at the part's curves, in rad, and the flag of steep places."""
        if self.survey is None or self.rows is None:
            return None
        angle, quality = (self._variable(n, direction) for n in ("surface_slope", "quality"))
        if angle is None or quality is None:
            return None
        return angle[self.rows], quality[self.rows] & BIT["slope_of_surface"]

    def _variable(self, name: str, direction: str) -> AnyArray | None:
        """A variable of the results in a direction; None if they do not have it."""
        if name not in self.results:
            return None
        array = self.results[name]
        if "direction" in array.dims:
            return np.asarray(array.sel(direction=direction).values)
        same = self.survey is not None and direction in self.survey.recipe.directions
        return np.asarray(array.values) if same else None

    def notes(self, recipe: Recipe) -> tuple[str, ...]:
        """What is not as it was among all, where the part is processed by a recipe."""
        if self.survey is None:
            return (f"{self.why}: what curves share was learnt anew, of these curves alone",)
        notes = []
        if self.rows is None:
            notes.append(
                "these curves are not among those of the results: the slope of the surface is "
                "taken from themselves"
            )
        missing = [name for name in recipe.directions if name not in self.survey.surveys]
        if missing:
            notes.append(
                f"the results have no {missing[0]}: what curves share in it was learnt of these "
                "alone"
            )
        changed = changed_settings(self.survey.recipe, recipe)
        if changed:
            notes.append(
                "what all curves share was learnt with other values of "
                f"{', '.join(changed)}, and kept: process all curves to have it exact"
            )
        return tuple(notes)


def changed_settings(a: Recipe, b: Recipe) -> list[str]:
    """Settings in which recipes differ, and on which depends what is learnt of all curves."""
    mine, theirs = a.to_dict(), b.to_dict()
    return [
        f"{section}.{key}"
        for section in ("contact", "derivative", "lateral", "depth")
        for key, value in theirs[section].items()
        if mine[section].get(key) != value and f"{section}.{key}" not in _UNAFFECTED
    ]


def rows_of(results: xr.Dataset, curves: CurveSet) -> IntArray | None:
    """Which curve of results each one of a set is; None where any is not known."""
    names = results.attrs.get("source_name", [])
    names = [names] if isinstance(names, str) else list(names)
    if names != [origin.name for origin in curves.origins]:
        return None
    theirs = _keys({str(name): array.values for name, array in results.coords.items()})
    ours = _keys(curves.curve_table)
    if theirs is None or ours is None:
        return None
    order = np.lexsort(theirs.T[::-1])
    sorted_keys = theirs[order]
    if (np.diff(sorted_keys, axis=0) == 0).all(1).any():  # nothing tells some curves apart
        return None
    if np.array_equal(theirs, ours):
        return np.arange(len(theirs))
    # Ranks of both among all keys there are.
    _, ranks = np.unique(np.concatenate([sorted_keys, ours]), axis=0, return_inverse=True)
    ranks = ranks.reshape(-1)
    place = np.searchsorted(ranks[: len(theirs)], ranks[len(theirs) :])
    place = np.minimum(place, len(theirs) - 1)
    rows: IntArray = order[place]
    return rows if np.array_equal(theirs[rows], ours) else None


def _keys(table: Mapping[str, AnyArray]) -> IntArray | None:
    """What tells curves apart, (n, 2): their file, and their number or rank in time in it."""
    number = next((n for n in ("source_curve", "acquisition_order") if n in table), None)
    if number is None or "source" not in table:
        return None
    return np.stack([np.asarray(table["source"]), np.asarray(table[number])], axis=1).astype("i8")
