"""One map on axes: cells or dots, what hatches and grey mean, a scale bar."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.path import Path
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike, NDArray

from nrm_plugin.columns import FloatArray
from nrm_plugin.figures import style
from nrm_plugin.figures.quantities import Scale, length_scale
from nrm_plugin.statistics.maps import AT_LEAST, UNDETERMINED, Map

#: How far below a map its scale bar is, in points.
_BELOW_MAP = 5.5

_SMALL_HATCH, _CROSSED, _GREATER = "//////", "xxxxxx", "\\\\\\\\"

#: Cells that are not coloured, or coloured and hatched: what the legend calls them, their gid, the
#: hatch, and its colour.
BELOW = ("below the noise", "below noise", _SMALL_HATCH, "#8A8A8A")
NOT_SEEN = ("nothing seen", "nothing seen", _CROSSED, "#8A8A8A")
HATCHED_BEYOND = ("at least", "at least", _GREATER, "#FFFFFF")
NO_VALUE = ("no value", "no value", "", "none")


def below_noise(found: Map) -> NDArray[np.bool_]:
    """Places whose value the noise hides."""
    values = np.asarray(found.values, np.float64)
    return np.zeros(values.shape, bool) if found.below_noise is None else found.below_noise


def censored_as(found: Map, mark: int) -> NDArray[np.bool_]:
    """Places whose value is a bound of that kind: `AT_LEAST` or `UNDETERMINED`."""
    values = np.asarray(found.values, np.float64)
    return np.zeros(values.shape, bool) if found.censored is None else found.censored == mark


def without_value(found: Map) -> NDArray[np.bool_]:
    """Places of curves without a value."""
    empty = ~np.isfinite(np.asarray(found.values, np.float64)) & ~censored_as(found, UNDETERMINED)
    return empty if found.measured is None else empty & found.measured


def draw_map(
    ax: Axes, found: Map, values: FloatArray, norm: Normalize, colours: str | Colormap
) -> ScalarMappable:
    """Colours at the places of curves, with axes in nm or µm.

    What is below the noise, or was not seen, is hatched instead.
    """
    unit = length_scale(found.x, found.y)
    below, unseen = below_noise(found), censored_as(found, UNDETERMINED)
    hatched = ((below, BELOW), (unseen, NOT_SEEN), (censored_as(found, AT_LEAST), HATCHED_BEYOND))
    values = np.where(below | unseen, np.nan, values)
    shown: ScalarMappable
    if found.grid:
        x, y = (
            edges(unit(at), unit(cell_size(other)).item() or 1.0)
            for at, other in ((found.x, found.y), (found.y, found.x))
        )
        _cells(ax, x, y, without_value(found), facecolor=style.NOTHING, gid="no value")
        shown = ax.pcolormesh(
            x,
            y,
            np.ma.masked_invalid(values),
            norm=norm,
            cmap=colours,
            rasterized=values.size > style.MANY,
        )
        for where, (_, name, hatch, colour) in hatched:
            face = "none" if name == HATCHED_BEYOND[1] else "white"
            _cells(ax, x, y, where, facecolor=face, edgecolor=colour, hatch=hatch, gid=name)
        ax.set_xlim(x[0], x[-1])
        ax.set_ylim(y[0], y[-1])
    else:
        at_x, at_y, size = unit(found.x), unit(found.y), dot(len(values))
        for where, look in [(without_value(found), {"color": style.NOTHING, "gid": "no value"})] + [
            (w, {"facecolor": "white", "edgecolor": c, "hatch": 3 * h[:2], "lw": 0.4, "gid": name})
            for w, (_, name, h, c) in hatched[:2]
        ]:
            if where.any():
                ax.scatter(at_x[where], at_y[where], s=size, **look)
        some = np.isfinite(values)
        edge = np.where(censored_as(found, AT_LEAST)[some], style.MARK, "none")
        shown = ax.scatter(
            at_x[some],
            at_y[some],
            s=size,
            c=values[some],
            norm=norm,
            cmap=colours,
            edgecolors=edge.tolist(),
            lw=0.6,
        )
    place_axes(ax, unit)
    if found.grid and _thin(ax):
        ax.set_aspect("auto")  # a line is a strip
    return shown


def _cells(ax: Axes, x: FloatArray, y: FloatArray, where: NDArray[np.bool_], **look: Any) -> None:
    """Mark cells of a grid; neighbours in a row as one."""
    if not where.any():
        return
    padded = np.zeros((where.shape[0], where.shape[1] + 2), np.int8)
    padded[:, 1:-1] = where
    step = np.diff(padded, axis=1)
    (row, begin), (_, end) = np.nonzero(step == 1), np.nonzero(step == -1)
    left, right, low, high = x[begin], x[end], y[row], y[row + 1]
    # One path for all of them: a hatch is drawn once, and not for every cell.
    corners = np.stack(
        [
            np.stack([left, right, right, left, left], 1),
            np.stack([low, low, high, high, low], 1),
        ],
        axis=2,
    ).reshape(-1, 2)
    codes = np.tile([Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY], len(left))
    ax.add_collection(PathCollection([Path(corners, codes)], lw=0.0, **look), autolim=False)


def scale_bar(ax: Axes) -> None:
    """Put a bar below the map, at most 40 % as long, in the place of labelled axes."""
    left, right = ax.get_xlim()
    unit = ax.get_xlabel().partition("(")[2].rstrip(")")
    across = abs(right - left)
    longest = 0.4 * across * (1.0 + 1e-9)
    power = 10.0 ** np.floor(np.log10(longest)) if across > 0.0 else 1.0
    length = max((m * power for m in (1.0, 2.0, 5.0) if m * power <= longest), default=across)
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    for spine in ax.spines.values():
        spine.set_visible(True)
    below = ScaledTranslation(0.0, -_BELOW_MAP / 72.0, ax.figure.dpi_scale_trans)
    place: Any = {"transform": ax.get_xaxis_transform() + below, "color": style.MARK}
    ax.plot(
        [left, left + length],
        [0.0, 0.0],
        lw=1.6,
        solid_capstyle="butt",
        clip_on=False,
        gid="scale bar",
        scalex=False,
        scaley=False,
        **place,
    )
    words = f"{1e3 * length:g} nm" if unit == "µm" and length < 1.0 else f"{length:g} {unit}"
    at = left + length + 0.03 * across
    ax.text(at, 0.0, words, va="center", fontsize=style.SMALL, **place)


def cell_size(at: FloatArray) -> float:
    """How far places are from each other."""
    places = np.unique(at[np.isfinite(at)])
    return float(np.min(np.diff(places))) if len(places) > 1 else 0.0


def place_axes(ax: Axes, unit: Scale) -> None:
    """Equal scales, and labels with the unit."""
    ax.set_aspect("equal", adjustable="datalim" if _thin(ax) else "box")
    ax.set_xlabel(f"x ({unit.unit})")
    ax.set_ylabel(f"y ({unit.unit})")


def edges(middles: ArrayLike, size: float = 1.0) -> FloatArray:
    """Edges of cells whose middles are given; places that are not known lie evenly between.

    A single one is `size` wide.
    """
    at = np.asarray(middles, np.float64)
    known = np.flatnonzero(np.isfinite(at))
    if len(known) < 2:
        return size * (np.arange(len(at) + 1) - 0.5) + (at[known[0]] if len(known) else 0.0)
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


def dot(n: int) -> float:
    """Area of a dot, in square points, so that many do not cover each other."""
    return float(np.clip(2000.0 / max(n, 1), 2.0, 30.0))


def has_places(found: Map) -> bool:
    """Whether anything is known of where curves lie."""
    return bool(np.isfinite(found.x).any() and np.isfinite(found.y).any())
