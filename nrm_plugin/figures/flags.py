"""How many curves carry each flag, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nrm_plugin.figures import style
from nrm_plugin.figures.map_drawing import dot, draw_map, has_places
from nrm_plugin.figures.panels import is_simulated
from nrm_plugin.statistics.maps import map_of
from nrm_plugin.statistics.selection import (
    LEFT_OUT,
    excluded,
    flags_of,
    one_direction,
)
from nrm_plugin.statistics.visits import VISIT, map_parts
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
    left_out = sum(BIT[name] for name in LEFT_OUT)
    kind = np.where(flags == 0, 0.0, np.where((flags & left_out) != 0, 2.0, 1.0))
    kind[excluded(results)] = 2.0
    colours = ListedColormap([colour for _, colour in _CLASSES])
    norm = BoundaryNorm([-0.5, 0.5, 1.5, 2.5], 3)
    handles = [Patch(facecolor=colour, label=name) for name, colour in _CLASSES]
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
