"""Self-checks of curves before anything is processed, and of results."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from nrm_plugin.engine import checks
from nrm_plugin.engine.checks import Check
from nrm_plugin.engine.sampled_curves import evidence
from nrm_plugin.errors import NrmError
from nrm_plugin.formats import open as open_curves
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe, as_recipe
from nrm_plugin.store.results_file import attributes, opened_results

if TYPE_CHECKING:
    import xarray as xr


def check(
    curves_or_results: CurveSet | xr.Dataset | str | PathLike[str],
    recipe: Recipe | Mapping[str, object] | str | PathLike[str] | None = None,
) -> list[Check]:
    """What is doubtful about curves and about what was told of them, or about results.

    Values that moduli need may be missing: what depends on them is ``unknown``.

    Parameters
    ----------
    curves_or_results : CurveSet, Dataset or path
        Curves are measured; of results, what `process` found is returned.
    recipe : Recipe, mapping or path, optional
        For curves: what is going to be done with them.

    Returns
    -------
    list of Check
        In a fixed order; empty for results of versions that had no checks.

    Raises
    ------
    InvalidInput
        If there is no height or no deflection, or a sign cannot be right.
    """
    given = curves_or_results
    if isinstance(given, str | PathLike):
        if holds_results(Path(given)):
            with opened_results(Path(given)) as group:
                return checks.from_json(str(attributes(group).get("checks", "") or "[]"))
        given = open_curves(given)
    if isinstance(given, CurveSet):
        return checks.run(evidence(given, as_recipe(recipe)))
    return _of_results(given)


def holds_results(path: Path) -> bool:
    """Whether a file has results instead of curves."""
    try:
        with opened_results(path):
            return True
    except NrmError:
        return False


def _of_results(results: xr.Dataset) -> list[Check]:
    return checks.from_json(str(results.attrs.get("checks", "") or "[]"))
