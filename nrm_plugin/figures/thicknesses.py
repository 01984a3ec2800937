"""Thickness of the regions: mean or bounds, outermost edge, and the distance at one modulus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.markers import CARETUPBASE

from nrm_plugin.figures import style
from nrm_plugin.figures.panels import (
    colour_of,
    is_simulated,
    note_of,
    potential_label,
    regions_of,
    title_of,
)
from nrm_plugin.figures.quantities import NANO
from nrm_plugin.statistics.region_thickness import region_thickness
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import Analysis, analysis_of
from nrm_plugin.statistics.thickness import thickness as of_curves

#: How far the marks of a region stand from its middle; regions are 1 apart.
_APART = 0.22


@style.styled
def thickness(
    results: xr.Dataset | Analysis,
    regions: Iterable[Region] | None = None,
    *,
    threshold: float | None = None,
    direction: str | None = None,
    ax: Axes | None = None,
    figure: Any = None,
    width: float = style.COLUMN,
) -> Axes:
    """Mean thickness of every region, beside its outermost edge and the distance at one modulus.

    Filled: mean with its 95 % interval; a grey bar without a mark where the mean is not measurable
    and only bounds are known, with an arrow where they are open. Open circle: outermost edge, the
    onset of the region's mean force, with a line out to the last of spread edges. Triangle:
    distance at which the mean |G*| passes the common modulus.

    Parameters
    ----------
    results : Dataset
    regions : Regions, optional
        The paper's if not given; all curves together where there are no potentials.
    threshold : float, optional
        The common modulus |G*| in Pa; the largest detection limit of the regions if not given.
    direction : str, optional
    ax, figure : Axes, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    Axes
        Words, if nothing can be said of any region.
    """
    analysis = analysis_of(results, direction)
    shown = regions_of(analysis.results, regions)
    found = region_thickness(analysis, shown, threshold=threshold)
    ax = style.one(ax, width, figure=figure)
    rows = [
        {name: float(found[name].values[i]) * NANO for name in _SHOWN} for i in range(len(shown))
    ]
    ends = [value for row in rows for value in row.values() if np.isfinite(value)]
    if not any(value > 0.0 for value in ends):
        lines = str(found.attrs["warnings"]).splitlines()
        return style.words(ax, f"No thickness. {lines[0] if lines else 'There are no curves.'}")
    top = 1.08 * max(ends)
    for place, row in enumerate(rows):
        _mean(ax, place - _APART, row, colour_of(place), top)
        _edge(ax, place, row, "outermost", "outermost", "o", top)
        _edge(ax, place + _APART, row, "threshold", "threshold_distance", "^", top)
    common = float(found.attrs["threshold"]) * 1e-6
    handles = [
        ax.plot([], [], "s", color=style.MUTED, ms=4, label="mean of the curves, or bounds")[0],
        ax.plot([], [], "o", color=style.MARK, mfc="white", ms=4, label="outermost edge")[0],
    ]
    if np.isfinite(common):
        label = f"|G*| falls below {common:.2g} MPa"
        handles.append(ax.plot([], [], "^", color=style.MARK, mfc="white", ms=4, label=label)[0])
    if any(np.isinf(row["high"]) and row["low"] <= 0.0 for row in rows):
        # Where a layer may be taken for zero, nothing has been detected and nothing excluded.
        doubted = str(of_curves(analysis).attrs["doubts"])
        nothing = "undetermined" if doubted else "nothing is detected"
        handles.append(ax.plot([], [], ls="", label=f"?  {nothing}, which is not 0 nm")[0])
    style.legend_above(ax, handles, 0.0, 1.04 * top, f"with 95 % intervals{note_of(regions)}")
    names = [title_of(region) for region in shown]
    if all(name.endswith(" V") for name in names):
        names = [name.removesuffix(" V") for name in names]
        ax.set_xlabel(potential_label(analysis.results))
    ax.set_xticks(range(len(shown)), names)
    ax.set_xlim(-0.6, len(shown) - 0.4)
    ax.set_ylabel("distance from the electrode (nm)")
    style.mark(ax, is_simulated(analysis.results))
    return ax


_SHOWN = (
    *("mean", "low", "high"),
    *("outermost", "outermost_low", "outermost_high"),
    *("threshold_distance", "threshold_low", "threshold_high"),
)


def _mean(ax: Axes, at: float, row: Mapping[str, float], colour: str, top: float) -> None:
    known = np.isfinite(row["mean"])
    if np.isnan(row["low"]) and not known:
        return
    if not known and np.isinf(row["high"]) and row["low"] <= 0.0:
        ax.text(at, 0.01 * top, "?", color=style.MUTED, ha="center", va="bottom")
        return
    high = min(row["high"], top)
    if known:
        if np.isfinite(row["low"]):
            ax.vlines(at, row["low"], high, color=colour, lw=1.2)
        ax.plot(at, row["mean"], "s", color=colour, ms=4, gid="mean")
        return
    ax.vlines(at, row["low"], high, color=style.NOTHING, lw=5.0, gid="bounds")
    if np.isinf(row["high"]):
        ax.plot(at, high, marker="^", color=style.NOTHING, ms=6, clip_on=False)


def _edge(
    ax: Axes, at: float, row: Mapping[str, float], ends: str, name: str, marker: str, top: float
) -> None:
    low, high, value = row[f"{ends}_low"], row[f"{ends}_high"], row[name]
    if np.isnan(value) or (not value and marker == "^"):
        return
    if np.isfinite(low):
        ax.vlines(at, low, top if np.isinf(high) else high, color=style.MARK, lw=0.7)
    if np.isfinite(value):
        ax.plot(at, value, marker, color=style.MARK, mfc="white", mew=0.7, ms=4, gid=name)
    if np.isinf(high):
        ax.plot(at, top, marker=CARETUPBASE, color=style.MARK, ms=4, clip_on=False)
