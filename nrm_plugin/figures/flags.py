"""How many curves carry each flag, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nrm_plugin.figures import style
from nrm_plugin.figures.map_drawing import dot, draw_map, has_places, scale_bar
from nrm_plugin.figures.map_layout import laid_out_once_more, panels_of, write_titles
from nrm_plugin.figures.panels import is_simulated
from nrm_plugin.statistics.maps import Map, map_of
from nrm_plugin.statistics.selection import (
    LEFT_OUT,
    Analysis,
    excluded,
    flags_of,
    one_direction,
)
from nrm_plugin.statistics.visits import VISIT, MapPart, map_parts
from nrm_plugin.variables import BIT, FLAGS

#: Quality of a curve in the map: what is drawn, and its colour.
_CLASSES = (
    ("not flagged", "#BBCCEE"),
    ("flagged", style.COLOURS[1]),
    ("left out", style.COLOURS[3]),
)


@style.styled
def quality(
    results: xr.Dataset,
    *,
    direction: str | None = None,
    axes: Sequence[Axes] | None = None,
    figure: Any = None,
    width: float = style.PAGE,
) -> list[Axes]:
    """How many curves carry each flag, and where they are.

    Parameters
    ----------
    results : Dataset
    direction : str, optional
        The first one if the results hold both.
    axes, figure : two Axes, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    list of Axes
        Counts; places, or numbers of the curves where there are no places.

    Raises
    ------
    InvalidInput
    """
    results = one_direction(results, direction)
    width = style.width_of(figure, width)
    axes = style.several(
        axes,
        2,
        width,
        figure=figure,
        columns=2 if width > 1.5 * style.COLUMN else 1,
        row_height=62e-3,
        simulated=is_simulated(results),
    )
    flags = flags_of(results)
    _counts(axes[0], flags, results)
    _where(axes[1], results, flags)
    return list(axes)


def _counts(ax: Axes, flags: np.ndarray, results: xr.Dataset) -> None:
    n = len(flags)
    counts = [int(np.sum((flags & BIT[name]) != 0)) for name in FLAGS]
    clean = int(np.sum(flags == 0))
    names = [name.replace("_", " ") for name in FLAGS]
    colours = [_CLASSES[2][1] if name in LEFT_OUT else _CLASSES[1][1] for name in FLAGS]
    if out := int(excluded(results).sum()):
        counts, names, colours = (
            [*counts, out],
            [*names, "excluded by hand"],
            [*colours, _CLASSES[2][1]],
        )
    ax.barh(
        ["nothing to report", *names],
        [clean, *counts],
        color=[_CLASSES[0][1], *colours],
        height=0.75,
    )
    for place, count in enumerate([clean, *counts]):
        ax.text(
            count + 0.015 * n,
            place,
            str(count),
            va="center",
            fontsize=style.SMALL,
            color=style.MARK if count else style.MUTED,
        )
    ax.invert_yaxis()
    ax.set_xlim(0, 1.12 * max(n, 1))
    steps = MaxNLocator(5, integer=True).tick_values(0, max(n, 1))
    ax.set_xticks([step for step in steps if 0 <= step <= max(n, 1)])
    ax.tick_params(axis="y", length=0.0)
    ax.set_xlabel(f"curves of {n}")


def _where(ax: Axes, results: xr.Dataset, flags: np.ndarray) -> None:
    """Map of the three classes, or the flags of one curve after the other.

    A place that has several curves shows the worst of them; curves of several grids are dots.
    """
    kind = _classes_of(results, flags)
    colours, norm = _colours()
    handles = _handles()
    if not len(flags):
        style.words(ax, "There are no curves.")
        return
    parts = map_parts(results, VISIT)
    if len({part.grid for part in parts.parts}) > 1:
        results = results.drop_vars(["row", "column"], errors="ignore")
    worst = np.argsort(kind, kind="stable")  # drawn last
    mapped = map_of(results.isel(curve=worst), "quality", mean=True)
    if has_places(mapped):
        values = kind[worst]
        if mapped.grid:
            values = np.full(np.shape(mapped.values), np.nan)
            values[results["row"].values[worst], results["column"].values[worst]] = kind[worst]
        draw_map(ax, mapped, values, norm, colours)
    else:
        ax.scatter(np.arange(len(kind)), kind, c=kind, cmap=colours, norm=norm, s=dot(len(kind)))
        ax.set_yticks([0, 1, 2], [name for name, _ in _CLASSES])
        ax.set_ylim(-0.5, 2.5)
        ax.set_xlabel("curve")
        return
    repeated = len({visit for part in parts.parts for visit in part.visits}) > 1
    ax.legend(
        handles=handles,
        title="the worst at each place" if repeated else None,
        title_fontsize=style.SMALL,
        alignment="left",
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=3,
        columnspacing=1.0,
        handlelength=0.8,
    )


def _classes_of(results: xr.Dataset, flags: np.ndarray) -> np.ndarray:
    """Class of every curve, by its place among `_CLASSES`."""
    left_out = sum(BIT[name] for name in LEFT_OUT)
    kind = np.where(flags == 0, 0.0, np.where((flags & left_out) != 0, 2.0, 1.0))
    kind[excluded(results)] = 2.0
    return kind


def _colours() -> tuple[ListedColormap, BoundaryNorm]:
    colours = ListedColormap([colour for _, colour in _CLASSES])
    return colours, BoundaryNorm([-0.5, 0.5, 1.5, 2.5], len(_CLASSES))


def _handles() -> list[Patch]:
    return [Patch(facecolor=colour, label=name) for name, colour in _CLASSES]


def flag_panels(
    analysis: Analysis,
    parts: Sequence[MapPart],
    note: str,
    axes: Sequence[Axes] | None,
    figure: Any,
    width: float | None,
) -> list[Axes]:
    """A map for every part: curves that are not flagged, flagged, or left out.

    A place that has several curves shows the worst of them.
    """
    results = analysis.results
    kind = _classes_of(results, flags_of(results))
    parts = parts or (MapPart(curves=np.arange(0)),)
    frames = {
        grid: np.concatenate([part.curves for part in parts if part.grid == grid])
        for grid in {part.grid for part in parts}
    }
    found = [
        map_of(analysis, "quality", curves=p.curves, mean=True, frame=frames[p.grid]) for p in parts
    ]
    found = [
        replace(one, values=_worst(results, kind, part.curves, frames[part.grid], one))
        for one, part in zip(found, parts, strict=True)
    ]
    simulated, own = is_simulated(results), axes is None
    axes = panels_of(found, axes, figure, width, simulated)
    if not any(one.n for one in found):
        return [style.words(ax, "No curve is chosen: there is no map.") for ax in axes]
    if not any(has_places(one) for one in found):
        return [style.words(ax, "The curves have no positions: there is no map.") for ax in axes]
    colours, norm = _colours()
    for ax, one in zip(axes, found, strict=True):
        draw_map(ax, one, np.asarray(one.values, np.float64), norm, colours)
        if len(found) > 1:
            scale_bar(ax)
    if len(found) == 1:
        style.mark(axes[0], simulated)
    counts = [[int(np.sum(kind[part.curves] == c)) for c in (1.0, 2.0)] for part in parts]
    notes = [f"{flagged} flagged, {out} left out" for flagged, out in counts]
    write_titles(axes, parts, found, notes, len(found) == 1)
    about = [Patch(facecolor="none", edgecolor="none", label=note)] if note else []
    style.legend_below(axes[0], [*_handles(), *about])
    if own:
        laid_out_once_more(axes)
    return list(axes)


def _worst(
    results: xr.Dataset, kind: np.ndarray, curves: np.ndarray, frame: np.ndarray, found: Map
) -> np.ndarray:
    """Worst class at every place of a map."""
    if not found.grid:
        return np.asarray(kind[curves])
    row, col = (np.asarray(results[name].values) for name in ("row", "column"))
    values = np.full(np.shape(found.values), -1.0)
    np.maximum.at(
        values, (row[curves] - row[frame].min(), col[curves] - col[frame].min()), kind[curves]
    )
    return np.where(values < 0.0, np.nan, values)
