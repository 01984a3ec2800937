"""Values of curves at their places: a map for every region of the potential and every visit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Patch
from numpy.typing import NDArray

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures import style
from nrm_plugin.figures.flags import flag_panels
from nrm_plugin.figures.map_drawing import (
    BELOW,
    HATCHED_BEYOND,
    NO_VALUE,
    NOT_SEEN,
    below_noise,
    censored_as,
    draw_map,
    has_places,
    scale_bar,
    without_value,
)
from nrm_plugin.figures.map_layout import (
    laid_out_once_more,
    levelled,
    panels_of,
    roughness_in_words,
    write_titles,
)
from nrm_plugin.figures.panels import is_simulated, note_of
from nrm_plugin.figures.quantities import (
    NANO,
    axis_label,
    readable_scale,
    scale,
)
from nrm_plugin.figures.relief import contour_step, draw_relief, reliefs_of
from nrm_plugin.figures.relief import explained as contours_explained
from nrm_plugin.statistics.maps import AT_LEAST, UNDETERMINED, Map, map_of
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import Analysis, analysis_of
from nrm_plugin.statistics.visits import (
    REGION,
    REGION_AND_VISIT,
    VISIT,
    MapPart,
    map_parts,
)
from nrm_plugin.text import counted

#: A depth at which all but the thinnest interphases are felt, in m.
DEPTH = 5e-9

#: Heights of the solid contact about their plane, as `maps` calls them.
TOPOGRAPHY = "topography"

#: Whether curves are flagged or left out, as `maps` calls it.
QUALITY = "quality"

#: Of these a potential changes nothing: they are split by visit alone.
_HEIGHTS = (TOPOGRAPHY, "contact_height")

#: As many maps fit on a page.
MOST = 24

#: Values of curves that are not in the results under this name.
_OF_CURVES = ("thickness", "thickness_stderr")

#: Of maps that are mostly below the noise: only its upper tail is left.
_BIASED = ":\nwhat is left is biased upwards"


@style.styled
def maps(
    results: xr.Dataset | Analysis,
    what: str = "shear_modulus_magnitude",
    depth: float | None = DEPTH,
    *,
    by: str | Iterable[Region] | None = None,
    regions: Iterable[Region] | None = None,
    visits: Iterable[int] | None = None,
    relief: bool = False,
    limits: tuple[float, float] | None = None,
    direction: str | None = None,
    axes: Sequence[Axes] | None = None,
    figure: Any = None,
    width: float | None = None,
) -> list[Axes]:
    """Maps of a variable: one for every grid, region of the potential and visit.

    All have the same colours, from the 1st to the 99th percentile of what is above the noise.

    Parameters
    ----------
    results : Dataset
    what : str
        A variable over depth, ``thickness``, ``contact_height``, ``topography`` (the same about
        the plane of each map), ``quality`` (whether curves are flagged or left out), or another
        variable of curves.
    depth : float
        In m, for a variable over depth.
    by : str or Regions, optional
        See `nrm_plugin.statistics.map_parts`: ``region+visit``, ``region`` (mean over visits),
        ``visit`` (whatever the potential), or regions of your own. If not given, ``visit`` for
        heights and ``region+visit`` for all others.
    regions : Regions, optional
        The paper's if not given.
    visits : ints, optional
        Only these visits to the same places, from 1.
    relief : bool
        Draw contour lines of the topography over the maps.
    limits : (low, high), optional
        Of the colours, in SI; see `common_limits` for those of several samples.
    direction : str, optional
        The first one if the results hold both.
    axes, figure : Axes, Figure, optional
        Axes to draw on, one per map, or an empty figure to fill; a new one `width` m wide if
        neither is given: a page's, or a column's for a single map.

    Returns
    -------
    list of Axes
        Values below three times their standard error are hatched; curves without a value grey.
        Where more than half of a map is hatched, what is left is biased upwards: that is said.
        Words, if there are no places or no values.

    Raises
    ------
    InvalidInput
        For an unknown variable, a depth that is not there, or more maps than fit on a page.
    """
    analysis = analysis_of(results, direction)
    by = by if by is not None else VISIT if what in _HEIGHTS else REGION_AND_VISIT
    parts = map_parts(analysis, by, regions=regions, visits=visits)
    if len(parts.parts) > MOST:
        together = "" if by == REGION else "by='region' takes the mean over the visits, "
        raise InvalidInput(
            f"this makes {len(parts.parts)} maps ({parts.mixed}), and {MOST} fit on a page: "
            f"{together}visits=(1, 2) takes some of them"
        )
    note = f"{counted(parts.left_out)} on no map" if parts.left_out else ""
    note += note_of(by if regions is None and not isinstance(by, str) else regions)
    note = note.removeprefix(", ")
    if what == QUALITY:
        return flag_panels(analysis, parts.parts, note, axes, figure, width)
    shown = _Wanted(what=what, depth=depth, mean=by == REGION, relief=relief, limits=limits)
    return _panels(analysis, shown, parts.parts, note, axes, figure, width)


@style.styled
def map(
    results: xr.Dataset | Analysis,
    what: str = "shear_modulus_magnitude",
    depth: float | None = DEPTH,
    *,
    relief: bool = False,
    direction: str | None = None,
    ax: Axes | None = None,
    figure: Any = None,
    width: float = style.COLUMN,
) -> Axes:
    """Map of a variable, on axes of its own; see `maps`.

    Parameters
    ----------
    results : Dataset
        Of one visit to the places of one grid.
    what, depth, relief, direction
        As for `maps`.
    ax, figure : Axes, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        Also if one map would mix several visits, or grids.
    """
    analysis = analysis_of(results, direction)
    parts = map_parts(analysis, VISIT)
    if len(parts.parts) > 1:
        raise InvalidInput(
            f"the curves are of {parts.mixed}, which one map would mix: figures.maps(results) "
            "draws one map each"
        )
    axes = None if ax is None else [ax]
    if what == QUALITY:
        return flag_panels(analysis, parts.parts, "", axes, figure, width)[0]
    shown = _Wanted(what=what, depth=depth, relief=relief)
    return _panels(analysis, shown, parts.parts, "", axes, figure, width)[0]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What maps show, as for `maps`; `mean` over the visits."""

    what: str
    depth: float | None
    mean: bool = False
    relief: bool = False
    limits: tuple[float, float] | None = None


def _panels(
    analysis: Analysis,
    wanted: _Wanted,
    parts: tuple[MapPart, ...],
    note: str,
    axes: Sequence[Axes] | None,
    figure: Any,
    width: float | None,
) -> list[Axes]:
    """A map for every part, with common colours and one colour bar."""
    results, what, depth = analysis.results, wanted.what, wanted.depth
    last = float(results["depth"].values[-1])
    if depth is not None and not 0.0 <= depth <= last:
        raise InvalidInput(
            f"a map at a depth of {depth * NANO:.4g} nm: the results reach from 0 to "
            f"{last * NANO:.4g} nm"
        )
    parts = parts or (MapPart(curves=np.arange(0)),)
    variable = "contact_height" if what == TOPOGRAPHY else what
    frames = {grid: frame_of(parts, grid) for grid in {part.grid for part in parts}}
    found = [
        map_of(analysis, variable, depth, curves=p.curves, mean=wanted.mean, frame=frames[p.grid])
        for p in parts
    ]
    notes = [""] * len(found)
    if what == TOPOGRAPHY:
        found, rough = (list(each) for each in zip(*(levelled(f) for f in found), strict=True))
        notes = ["" if one is None else roughness_in_words(one) for one in rough]
    simulated, own = is_simulated(results), axes is None
    axes = panels_of(found, axes, figure, width, simulated)
    if not any(one.n for one in found):
        return [style.words(ax, "No curve is chosen: there is no map.") for ax in axes]
    if not any(has_places(f) for f in found):
        return [style.words(ax, "The curves have no positions: there is no map.") for ax in axes]
    # Common colours, of what can be told from noise.
    strong = np.concatenate([strong_values(f) for f in found])
    every = np.concatenate([np.ravel(f.values)[np.isfinite(np.ravel(f.values))] for f in found])
    if not len(every) and not any(np.any(f.censored) for f in found if f.censored is not None):
        said = f"No curve has a value of {found[0].label}."
        return [style.words(ax, said) for ax in axes]
    heights = what == TOPOGRAPHY
    unit = readable_scale(every, "m") if heights else scale(found[0].unit)
    if wanted.limits is not None:
        low, high = (float(unit(end)) for end in wanted.limits)
        norm = Normalize(low, high)
    else:
        norm = style.limits(unit(strong if len(strong) else every))
    single = len(found) == 1
    shown: Any = None
    reliefs = reliefs_of(analysis, parts) if wanted.relief else [None] * len(found)
    contours, lined = contour_step(reliefs), False
    for ax, one, heights_of in zip(axes, found, reliefs, strict=True):
        drawn = draw_map(ax, one, unit(one.values), norm, style.VALUES)
        shown = shown or drawn
        lined |= draw_relief(ax, heights_of, contours)
        if not single:
            scale_bar(ax)
    if single:
        style.mark(axes[0], simulated)
    write_titles(axes, parts, found, notes, single)
    label = axis_label(variable, found[0].unit, found[0].label)
    if heights:
        label = f"height of the solid contact ({unit.unit})"
    elif variable not in _OF_CURVES and variable != "contact_height" and _over_depth(results, what):
        label = label.replace(" (", f" at {(depth or 0.0) * NANO:.3g} nm (", 1)
    style.colour_bar(axes[0], shown, label, others=axes[1:], extend="both")
    handles = explanations(found, note)
    style.legend_below(axes[0], [*handles, contours_explained(contours)] if lined else handles)
    if own:
        laid_out_once_more(axes)
    return list(axes)


def common_limits(
    samples: Iterable[tuple[Analysis, Iterable[Region] | None]],
    what: str,
    depth: float | None = DEPTH,
) -> tuple[float, float] | None:
    """Colours that maps of several samples have in common, for `limits` of `maps`.

    Parameters
    ----------
    samples : iterable of (Analysis, Regions)
    what, depth
        As for `maps`.

    Returns
    -------
    (low, high) or None
        In SI: the 1st and the 99th percentile of what is above the noise; None where nothing is.
    """
    strong = []
    for analysis, regions in samples:
        if "storage_modulus" in analysis.results:
            parts = map_parts(analysis, REGION_AND_VISIT, regions=regions).parts
            strong += [strong_values(map_of(analysis, what, depth, curves=p.curves)) for p in parts]
    values = np.concatenate(strong) if strong else np.empty(0)
    if not len(values):
        return None
    norm = style.limits(values)
    return float(norm.vmin or 0.0), float(norm.vmax or 0.0)


def frame_of(parts: Iterable[MapPart], grid: int) -> NDArray[np.int64]:
    """Curves of a grid, whose rows and columns all its maps show."""
    return np.concatenate([part.curves for part in parts if part.grid == grid])


def _over_depth(results: xr.Dataset, what: str) -> bool:
    return what not in results or "depth" in results[what].dims


def strong_values(found: Map) -> FloatArray:
    """Values that are not below the noise."""
    values = np.ravel(np.asarray(found.values, np.float64))
    seen = np.isfinite(values)
    if found.below_noise is not None:
        seen &= ~np.ravel(found.below_noise)
    return values[seen]


def explanations(found: Sequence[Map], note: str) -> list[Artist]:
    """What hatches and grey mean, and of how many places."""
    handles: list[Artist] = []
    biased = _BIASED if any(one.mostly_noise for one in found) else ""
    total = f" of {sum(one.n_places for one in found)}"
    for of, kind, face in (
        (below_noise, BELOW, "white"),
        (partial(censored_as, mark=AT_LEAST), HATCHED_BEYOND, "#3B528B"),
        (partial(censored_as, mark=UNDETERMINED), NOT_SEEN, "white"),
        (without_value, NO_VALUE, style.NOTHING),
    ):
        count = sum(int(of(one).sum()) for one in found)
        if count:
            after = f"{total}){biased}" if kind is BELOW else ")"
            handles.append(_explained(kind, face, f"{count}{after}"))
    if note:
        handles.append(Patch(facecolor="none", edgecolor="none", label=note))
    return handles


def _explained(kind: tuple[str, str, str, str], face: str, count: str) -> Patch:
    label, _, hatch, colour = kind
    label = f"{label} ({count}"
    return Patch(facecolor=face, edgecolor=colour, hatch=hatch or None, lw=0.0, label=label)
