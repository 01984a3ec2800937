"""Maps of what changed from one region of the potential to the next, and maps of several kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures import style
from nrm_plugin.figures.map_drawing import BELOW, NO_VALUE, draw_map, has_places, scale_bar
from nrm_plugin.figures.map_layout import columns_of, laid_out_once_more, lines_of, panels_of
from nrm_plugin.figures.map_layout import row_height as row_height_of
from nrm_plugin.figures.map_panels import (
    DEPTH,
    MOST,
    QUALITY,
    frame_of,
    maps,
    strong_values,
)
from nrm_plugin.figures.panels import is_simulated, note_of
from nrm_plugin.figures.quantities import NANO, axis_label, scale
from nrm_plugin.figures.relief import contour_step, draw_relief, explained, reliefs_of
from nrm_plugin.statistics.map_differences import map_differences
from nrm_plugin.statistics.maps import Map, map_of
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import Analysis, analysis_of
from nrm_plugin.statistics.visits import REGION_AND_VISIT, map_parts
from nrm_plugin.text import counted

#: From low to high through white: blue and red, which colour-blind readers can tell apart.
CHANGES = "RdBu_r"

#: What is drawn of every region and visit, a row each.
QUANTITIES = ("shear_modulus_magnitude", "thickness", "contact_height", QUALITY)

#: Lower than this, in m, no map with its title can be read.
_LOWEST = 24e-3

_NONE_REPEAT = (
    "No place has curves in two regions of the potential: there is nothing to take a difference of."
)


@style.styled
def differences(
    results: xr.Dataset | Analysis,
    what: str = "shear_modulus_magnitude",
    depth: float | None = DEPTH,
    *,
    regions: Iterable[Region] | None = None,
    visits: Iterable[int] | None = None,
    relief: bool = False,
    direction: str | None = None,
    axes: Sequence[Axes] | None = None,
    figure: Any = None,
    width: float | None = None,
) -> list[Axes]:
    """Maps of what changed from one region of the potential to the next, where places repeat.

    All have the same colours, symmetric about zero, to the 99th percentile of what is above the
    noise. Hatched: less than three times the standard error of the difference.

    Parameters
    ----------
    results : Dataset
    what, depth
        As for `maps`, without ``topography`` and ``quality``; of ``contact_height`` the median,
        which is drift, is taken away.
    regions, visits, relief, direction
        As for `maps`.
    axes, figure : Axes, Figure, optional
        Axes to draw on, one per difference, or an empty figure to fill; a new one `width` m wide
        if neither is given.

    Returns
    -------
    list of Axes
        Words, where no place has curves in two regions.

    Raises
    ------
    InvalidInput
    """
    analysis = analysis_of(results, direction)
    found = map_differences(analysis, what, depth, regions=regions, visits=visits)
    simulated, own = is_simulated(analysis.results), axes is None
    if len(found) > MOST:
        raise InvalidInput(f"this makes {len(found)} maps, and {MOST} fit on a page")
    if not found:
        width = style.width_of(figure, width or style.COLUMN)
        ax = style.one(None if axes is None else axes[0], width, figure=figure)
        return [style.words(ax, _NONE_REPEAT)]
    shown_maps = [one.map for one in found]
    axes = panels_of(shown_maps, axes, figure, width, simulated)
    if not any(has_places(one) for one in shown_maps):
        return [style.words(ax, "The curves have no positions: there is no map.") for ax in axes]
    unit = scale(shown_maps[0].unit)
    norm = _symmetric(unit(_strong_or_all(shown_maps)))
    reliefs = reliefs_of(analysis, [one.second for one in found]) if relief else [None] * len(found)
    step, lined = contour_step(reliefs), False
    drawn: Any = None
    for ax, one, heights in zip(axes, shown_maps, reliefs, strict=True):
        drawn = draw_map(ax, one, unit(one.values), norm, CHANGES)
        lined |= draw_relief(ax, heights, step)
        if len(found) > 1:
            scale_bar(ax)
    if len(found) == 1 and own:
        style.mark_whole(style.root(axes[0]), simulated)
    elif len(found) == 1:
        style.mark(axes[0], simulated)
    for ax, difference in zip(axes, found, strict=True):
        words = [difference.name.replace("-", "–")]
        if np.isfinite(difference.median):
            words.append(f"median {float(unit(difference.median)):+.3g} {unit.unit}")
        words.append(f"n = {difference.n}")
        style.title(ax, lines_of(words, style.size_of(ax)[0] / (3.9 if len(found) > 1 else 5.5)))
    label = axis_label(what, shown_maps[0].unit, shown_maps[0].label)
    over_depth = what not in analysis.results or "depth" in analysis.results[what].dims
    if over_depth and what != "thickness":
        label = label.replace(" (", f" at {(depth or 0.0) * NANO:.3g} nm (", 1)
    label = f"change of {label}"
    style.colour_bar(axes[0], drawn, label, others=axes[1:], extend="both")
    note = note_of(regions).removeprefix(", ")
    handles: list[Any] = [*_marks(shown_maps), *([explained(step)] if lined else [])]
    if note:
        handles.append(Patch(facecolor="none", edgecolor="none", label=note))
    style.legend_below(axes[0], handles)
    if own:
        laid_out_once_more(axes)
    return list(axes)


def _strong_or_all(found: Sequence[Map]) -> np.ndarray:
    strong = np.concatenate([strong_values(one) for one in found])
    return strong if len(strong) else np.concatenate([np.ravel(one.values) for one in found])


def _symmetric(values: np.ndarray) -> Normalize:
    known = np.abs(values[np.isfinite(values)])
    most = float(np.percentile(known, 99.0)) if len(known) else 1.0
    return Normalize(-(most or 1.0), most or 1.0)


def _marks(found: Sequence[Map]) -> list[Patch]:
    """What hatches and grey mean, and of how many places."""
    total = sum(one.n_places for one in found)
    below = sum(int(one.below_noise.sum()) for one in found if one.below_noise is not None)
    none = sum(one.missing for one in found)
    handles = []
    if below:
        label = f"within the noise ({below} of {total})"
        handles.append(
            Patch(facecolor="white", edgecolor=BELOW[3], hatch=BELOW[2], lw=0.0, label=label)
        )
    if none:
        label = f"{NO_VALUE[0]} in one of the two ({none} of {total})"
        handles.append(Patch(facecolor=style.NOTHING, edgecolor="none", label=label))
    return handles


@style.styled
def region_maps(
    results: xr.Dataset | Analysis,
    quantities: Sequence[str] = QUANTITIES,
    depth: float | None = DEPTH,
    *,
    by: str = REGION_AND_VISIT,
    regions: Iterable[Region] | None = None,
    visits: Iterable[int] | None = None,
    relief: bool = False,
    limits: Mapping[str, tuple[float, float]] | None = None,
    title: str = "",
    direction: str | None = None,
    figure: Any = None,
    width: float = style.PAGE,
) -> Figure:
    """Maps of several quantities, one below the other, for every region and visit.

    Parameters
    ----------
    results : Dataset
    quantities : sequence of str
        As ``what`` of `maps`; a row of maps each, with colours of its own. Those that results do
        not have are left out.
    depth, by, regions, visits, relief, direction
        As for `maps`.
    limits : mapping, optional
        Of the colours of some quantities, as `limits` of `maps`.
    title : str
        Above all maps, as the name of the sample.
    figure : Figure, optional
        An empty one to fill.
    width : float
        In m, of a new figure.

    Returns
    -------
    Figure

    Raises
    ------
    InvalidInput
        Also where the maps do not fit on a page.
    """
    analysis = analysis_of(results, direction)
    lateral = "storage_modulus" in analysis.results
    shown = [name for name in quantities if lateral or name in ("contact_height", QUALITY)]
    parts = map_parts(analysis, by, regions=regions, visits=visits).parts
    width = style.width_of(figure, width)
    columns = max(min(len(parts), 4), columns_of(len(parts), width), 1)
    rows = -(-max(len(parts), 1) // columns)
    height = 45e-3
    if parts:
        frames = {part.grid: frame_of(parts, part.grid) for part in parts}
        flat = [
            map_of(analysis, QUALITY, curves=p.curves, mean=True, frame=frames[p.grid])
            for p in parts
        ]
        titles = 0.0 if width > 1.5 * style.COLUMN else 14e-3  # of more lines
        height = rows * (min(row_height_of(flat, columns, width), 70e-3) + titles) + 8e-3
    height = min(height, style.TALLEST / len(shown))
    if height < rows * _LOWEST:
        raise InvalidInput(
            f"{len(shown)} rows of {counted(len(parts), 'map')} do not fit on a page: by='region', "
            "some of the visits or fewer quantities make fewer, a wider figure holds more"
        )
    figure = style.filled(figure, width, height * len(shown))
    style.mark_whole(figure, is_simulated(analysis.results), title)
    split: dict[str, Any] = {"by": by, "regions": regions, "visits": visits}
    pieces = np.atleast_1d(figure.subfigures(len(shown), 1))
    for name, piece in zip(shown, pieces, strict=True):
        panels = piece.subplots(rows, columns, squeeze=False).ravel()
        for spare in panels[max(len(parts), 1) :]:
            spare.remove()
        own_relief = relief and name not in ("contact_height", "topography")
        given = panels[: max(len(parts), 1)]
        own_limits = (limits or {}).get(name)
        more: dict[str, Any] = {"relief": own_relief, "limits": own_limits, "axes": given}
        maps(analysis, name, depth, **split, **more, width=width)
    laid_out_once_more(list(style.root(figure.axes[0]).axes))
    whole: Figure = figure
    return whole
