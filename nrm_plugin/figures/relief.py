"""Contour lines of the topography over a map of something else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from nrm_plugin.figures import style
from nrm_plugin.figures.map_layout import levelled
from nrm_plugin.figures.quantities import length_scale, readable_scale
from nrm_plugin.statistics.maps import Map, map_of
from nrm_plugin.statistics.selection import Analysis
from nrm_plugin.statistics.visits import VISIT, MapPart, map_parts

#: Intervals between the lowest and the highest contour, about.
_INTERVALS = 4.0

#: Line and halo of contours, in points: seen on dark colours and on light ones.
_LINE, _HALO = 0.5, 1.3


def reliefs_of(analysis: Analysis, parts: Sequence[MapPart]) -> list[Map | None]:
    """Heights of the solid contact about their plane, of the grid of every map.

    Those of the map's first visit, whatever the potential was; None where curves are on no grid.
    """
    whole = {(p.grid, p.visits[0]): p.curves for p in map_parts(analysis, VISIT).parts}
    frames = {
        grid: np.concatenate([part.curves for part in parts if part.grid == grid])
        for grid in {part.grid for part in parts}
    }
    found: list[Map | None] = []
    for part in parts:
        curves = whole.get((part.grid, part.visits[0]), part.curves)
        # The frame of the map, and only what lies in it.
        curves = _inside(analysis, curves, frames[part.grid])
        heights = map_of(analysis, "contact_height", curves=curves, frame=frames[part.grid])
        enough = heights.grid and min(np.shape(heights.values)) > 2
        found.append(levelled(heights)[0] if enough else None)
    return found


def _inside(analysis: Analysis, curves: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Curves whose row and column lie within those of the frame."""
    inside = np.ones(len(curves), bool)
    for name in ("row", "column"):
        if name in analysis.results.coords:
            at = np.asarray(analysis.results[name].values)
            inside &= (at[curves] >= at[frame].min()) & (at[curves] <= at[frame].max())
    return curves[inside]


def contour_step(reliefs: Sequence[Map | None]) -> float:
    """Height between contours in m, 1, 2 or 5 times a power of ten; 0 where nothing is known."""
    spans = [
        float(np.subtract(*np.nanpercentile(one.values, [98.0, 2.0])))
        for one in reliefs
        if one is not None and np.isfinite(one.values).sum() > 3
    ]
    wanted = max(spans, default=0.0) / _INTERVALS
    if not wanted > 0.0:
        return 0.0
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= wanted * 0.999))


def draw_relief(ax: Axes, relief: Map | None, step: float) -> bool:
    """Draw contours every `step` metres, and say whether there are any."""
    if relief is None or not step:
        return False
    unit = length_scale(relief.x, relief.y)
    heights = np.ma.masked_invalid(np.asarray(relief.values, np.float64))
    low, high = float(heights.min()), float(heights.max())
    levels = step * np.arange(np.ceil(low / step), np.floor(high / step) + 1)
    if not len(levels):
        return False
    for colour, width, gid in (("white", _HALO, "halo"), (style.MARK, _LINE, "contours")):
        lines = ax.contour(
            unit(relief.x),
            unit(relief.y),
            heights,
            levels=levels,
            colors=[colour],
            linewidths=width,
            linestyles="solid",
            alpha=0.5 if gid == "halo" else 0.9,
        )
        lines.set_gid(gid)
    return True


def explained(step: float) -> Line2D:
    """Entry of the legend."""
    unit = readable_scale(np.array([step]), "m")
    label = f"topography, a line every {float(unit(step)):g} {unit.unit}"
    return Line2D([], [], color=style.MARK, lw=_LINE, label=label)
