"""Values of curves at their places, and the quality of the curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures import style
from nrm_plugin.figures.panels import is_simulated
from nrm_plugin.figures.quantities import NANO, Scale, axis_label, length_scale, scale
from nrm_plugin.statistics.maps import Map, map_of
from nrm_plugin.statistics.selection import LEFT_OUT, Analysis, analysis_of, one_direction
from nrm_plugin.text import counted
from nrm_plugin.variables import BIT, FLAGS

#: A depth at which all but the thinnest interphases are felt, in m.
DEPTH = 5e-9

#: Quality of a curve in the map: what is drawn, and its colour.
_CLASSES = (
    ("not flagged", "#BBCCEE"),
    ("flagged", style.COLOURS[1]),
    ("left out", style.COLOURS[3]),
)


@style.styled
def map(
    results: xr.Dataset | Analysis,
    what: str = "shear_modulus_magnitude",
    depth: float | None = DEPTH,
    *,
    direction: str | None = None,
    ax: Axes | None = None,
    figure: Any = None,
    width: float = style.COLUMN,
) -> Axes:
    """Map of a variable at a depth, of the thickness or of another value of the curves.

    Parameters
    ----------
    results : Dataset
    what : str
        A variable over depth, ``thickness``, ``contact_height``, or another variable of curves.
    depth : float
        In m, for a variable over depth.
    direction : str, optional
        The first one if the results hold both.
    ax, figure : Axes, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    Axes
        Curves without a value are grey. Words, if there are no places or no values.

    Raises
    ------
    InvalidInput
    """
    if what == "quality":
        raise InvalidInput("the map of the quality is drawn by the figure quality")
    analysis = analysis_of(results, direction)
    results = analysis.results
    last = float(results["depth"].values[-1])
    if depth is not None and not 0.0 <= depth <= last:
        raise InvalidInput(
            f"a map at a depth of {depth * NANO:.4g} nm: the results reach from 0 to "
            f"{last * NANO:.4g} nm"
        )
    mapped = map_of(analysis, what, depth)
    width = style.width_of(figure, width)
    ax = style.one(ax, width, height_of(mapped, width), figure)
    values = np.asarray(mapped.values, np.float64)
    if not _has_places(mapped):
        return style.words(ax, "The curves have no positions: there is no map.")
    if not np.isfinite(values).any():
        return style.words(ax, f"No curve has a value of {mapped.label}.")
    unit = scale(mapped.unit)
    shown = draw_map(ax, mapped, unit(values), style.limits(unit(values)), style.VALUES)
    over_depth = "depth" in results[what].dims if what in results else what not in _OF_CURVES
    label = axis_label(what, mapped.unit, mapped.label)
    if over_depth:
        label = label.replace(" (", f" at {(depth or 0.0) * NANO:.3g} nm (", 1)
    style.colour_bar(ax, shown, label, extend="both")
    missing = int(np.sum(~np.isfinite(values)))
    if missing:
        style.title(ax, f"{counted(missing)} without a value (grey)")
    style.mark(ax, is_simulated(results))
    return ax


_OF_CURVES = ("thickness", "thickness_stderr")


def draw_map(
    ax: Axes, found: Map, values: FloatArray, norm: Normalize, colours: str | Colormap
) -> ScalarMappable:
    """Colours at the places of curves, with axes in nm or µm."""
    unit = length_scale(found.x, found.y)
    shown: ScalarMappable
    if found.grid:
        x, y = edges(unit(found.x)), edges(unit(found.y))
        ax.set_facecolor(style.NOTHING)
        shown = ax.pcolormesh(
            x,
            y,
            np.ma.masked_invalid(values),
            norm=norm,
            cmap=colours,
            rasterized=values.size > style.MANY,
        )
        ax.set_xlim(x[0], x[-1])
        ax.set_ylim(y[0], y[-1])
    else:
        size = _dot(len(values))
        empty = ~np.isfinite(values)
        ax.scatter(unit(found.x)[empty], unit(found.y)[empty], s=size, color=style.NOTHING)
        shown = ax.scatter(
            unit(found.x)[~empty],
            unit(found.y)[~empty],
            s=size,
            c=values[~empty],
            norm=norm,
            cmap=colours,
        )
    place_axes(ax, unit)
    return shown


def height_of(found: Map, width: float) -> float:
    """Height in m of a figure in which a map fills the width."""
    x, y = (np.asarray(v, np.float64)[np.isfinite(v)] for v in (found.x, found.y))
    if not (len(x) and len(y)):
        return 0.5 * width
    return height_for(float(np.ptp(x)) + _cell(x), float(np.ptp(y)) + _cell(y), width)


def height_for(across: float, up: float, width: float) -> float:
    """Height in m of a figure for a picture of this extent, with its labels and colour bar."""
    ratio = float(np.clip(up / across if across > 0.0 else 1.0, 0.15, 2.0))
    return min(max((width - 27e-3) * ratio + 15e-3, 32e-3), style.TALLEST)


def _cell(at: FloatArray) -> float:
    """How far places are from each other."""
    places = np.unique(at)
    return float(np.min(np.diff(places))) if len(places) > 1 else 0.0


def place_axes(ax: Axes, unit: Scale) -> None:
    """Equal scales, and labels with the unit."""
    ax.set_aspect("equal", adjustable="datalim" if _thin(ax) else "box")
    ax.set_xlabel(f"x ({unit.unit})")
    ax.set_ylabel(f"y ({unit.unit})")


def edges(middles: ArrayLike) -> FloatArray:
    """Edges of cells whose middles are given; places that are not known lie evenly between."""
    at = np.asarray(middles, np.float64)
    known = np.flatnonzero(np.isfinite(at))
    if len(known) < 2:
        return np.arange(len(at) + 1) - 0.5 + (at[known[0]] if len(known) else 0.0)
    index = np.arange(len(at))
    slope = (at[known[-1]] - at[known[0]]) / (known[-1] - known[0])
    full = np.where(np.isfinite(at), at, at[known[0]] + slope * (index - known[0]))
    between = (full[1:] + full[:-1]) / 2.0
    return np.concatenate([[2 * full[0] - between[0]], between, [2 * full[-1] - between[-1]]])


def _thin(ax: Axes) -> bool:
    """Whether the places lie on a line, or nearly so."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    across, up = abs(right - left), abs(high - low)
    return not 1 / 6 < across / (up or 1.0) < 6


def _dot(n: int) -> float:
    """Area of a dot, in square points, so that many do not cover each other."""
    return float(np.clip(2000.0 / max(n, 1), 2.0, 30.0))


def _has_places(found: Map) -> bool:
    return bool(np.isfinite(found.x).any() and np.isfinite(found.y).any())


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
    flags = results["quality"].values.astype(np.int64)
    _counts(axes[0], flags)
    _where(axes[1], results, flags)
    return list(axes)


def _counts(ax: Axes, flags: np.ndarray) -> None:
    n = len(flags)
    counts = [int(np.sum((flags & BIT[name]) != 0)) for name in FLAGS]
    clean = int(np.sum(flags == 0))
    names = [name.replace("_", " ") for name in FLAGS]
    colours = [_CLASSES[2][1] if name in LEFT_OUT else _CLASSES[1][1] for name in FLAGS]
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
    """Map of the three classes, or the flags of one curve after the other."""
    left_out = sum(BIT[name] for name in LEFT_OUT)
    kind = np.where(flags == 0, 0.0, np.where((flags & left_out) != 0, 2.0, 1.0))
    colours = ListedColormap([colour for _, colour in _CLASSES])
    norm = BoundaryNorm([-0.5, 0.5, 1.5, 2.5], 3)
    mapped = map_of(results, "quality")
    handles = [Patch(facecolor=colour, label=name) for name, colour in _CLASSES]
    if not len(flags):
        style.words(ax, "There are no curves.")
        return
    if _has_places(mapped):
        values = kind
        if mapped.grid:
            values = np.full(np.shape(mapped.values), np.nan)
            values[results["row"].values, results["column"].values] = kind
        draw_map(ax, mapped, values, norm, colours)
    else:
        ax.scatter(np.arange(len(kind)), kind, c=kind, cmap=colours, norm=norm, s=_dot(len(kind)))
        ax.set_yticks([0, 1, 2], [name for name, _ in _CLASSES])
        ax.set_ylim(-0.5, 2.5)
        ax.set_xlabel("curve")
        return
    ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=3,
        columnspacing=1.0,
        handlelength=0.8,
    )
