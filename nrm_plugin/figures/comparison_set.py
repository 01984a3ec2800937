"""All figures of a study, by the names that a study file gives them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.figures import style
from nrm_plugin.figures.comparison_lines import (
    any_simulated,
    comparison_profiles,
    comparison_ratio_profiles,
    short,
)
from nrm_plugin.figures.comparison_points import comparison_ratio, comparison_thickness
from nrm_plugin.figures.comparison_spread import comparison_density, comparison_violins
from nrm_plugin.figures.map_changes import differences, region_maps
from nrm_plugin.figures.map_panels import common_limits
from nrm_plugin.statistics.comparison_types import Comparison, StudySample
from nrm_plugin.statistics.map_differences import map_differences
from nrm_plugin.statistics.violins import DEFAULT_BINS

#: Kinds of figures of a study.
STUDY_KINDS = ("profiles", "density", "violin", "thickness", "contrasts", "maps")


def study_figures(
    samples: Sequence[StudySample],
    comparison: Comparison,
    kinds: Sequence[str] | None = None,
    *,
    bins: Sequence[tuple[float, float]] = DEFAULT_BINS,
    depth: float = 5e-9,
    failed: list[tuple[str, str]] | None = None,
) -> Iterator[tuple[str, Figure]]:
    """Draw the figures of a study, one after the other.

    Parameters
    ----------
    samples : sequence of StudySample
    comparison : Comparison
    kinds : sequence of str, optional
        Of `STUDY_KINDS`; all of them if not given. The contrasts are drawn in any case.
    bins : (low, high) in m
        Of the violins.
    depth : float
        Of the maps, in m.
    failed : list, optional
        Gets the name of a figure that could not be drawn, and why.

    Yields
    ------
    name : str
        As ``profiles-storage_modulus`` or ``maps-3`` (the third sample, from 1).
    figure : Figure

    Raises
    ------
    InvalidInput
        For a kind that does not exist.
    """
    wanted = [*(STUDY_KINDS if kinds is None else kinds), "contrasts"]
    unknown = [kind for kind in wanted if kind not in STUDY_KINDS]
    if unknown:
        raise InvalidInput(f"there is no {unknown[0]!r}: figures are {', '.join(STUDY_KINDS)}")
    marked = any_simulated(samples)
    lateral = [one for one in samples if "storage_modulus" in one.results]
    draws: list[tuple[str, str, Callable[[], Any]]] = []
    if lateral:
        contrasts = partial(comparison_ratio, comparison, simulated=marked)
        draws.append(("contrasts", "contrasts", contrasts))
        for quantity in ("storage_modulus", "loss_modulus"):
            profiles = partial(comparison_profiles, lateral, quantity)
            draws.append((f"profiles-{quantity}", "profiles", profiles))
        for quantity in dict.fromkeys(one.quantity for one in comparison.profiles):
            ratio = partial(comparison_ratio_profiles, comparison, quantity, simulated=marked)
            draws.append((f"ratio-{quantity}", "profiles", ratio))
        thick = partial(comparison_thickness, comparison, simulated=marked)
        draws += [
            ("density", "density", partial(comparison_density, lateral)),
            ("violin", "violin", partial(comparison_violins, lateral, bins)),
            ("thickness", "thickness", thick),
        ]
    if "maps" in wanted:
        draws += _map_draws(samples, depth)
    for name, kind, draw in draws:
        if kind in wanted:
            try:
                with style.journal_style(), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    drawn = draw()
            except NrmError as error:
                if failed is not None:
                    failed.append((name, str(error)))
                continue
            yield name, _whole(drawn)


def _map_draws(
    samples: Sequence[StudySample], depth: float
) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """Maps of each sample, on colours that all samples have in common."""
    parts = {one.name: (one.analysis, one.regions) for one in samples}
    limits = {
        what: found
        for what in ("shear_modulus_magnitude", "thickness")
        if (found := common_limits(parts.values(), what, depth)) is not None
    }
    for number, one in enumerate(samples, 1):
        of: dict[str, Any] = {"depth": depth, "regions": one.regions}
        title = f"{short(one.name)}, {short(one.condition)}"
        draw = partial(region_maps, one.analysis, relief=True, limits=limits, title=title, **of)
        yield f"maps-{number}", "maps", draw
        if "storage_modulus" in one.results and _repeats(one, depth):
            yield f"differences-{number}", "maps", partial(differences, one.analysis, **of)


def _repeats(one: StudySample, depth: float) -> bool:
    """Whether any place of a sample has curves in two regions."""
    what = "shear_modulus_magnitude"
    return bool(map_differences(one.analysis, what, depth, regions=one.regions))


def _whole(drawn: Any) -> Figure:
    """Figure of what a function returns: itself, its axes, or a list of them."""
    if isinstance(drawn, Figure):
        return drawn
    return style.root(drawn[0] if isinstance(drawn, list) else drawn)
