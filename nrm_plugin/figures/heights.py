"""Topography with its roughness (Fig. 3a and b)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures import style
from nrm_plugin.figures.map_drawing import draw_map, has_places, place_axes
from nrm_plugin.figures.map_layout import height_for, height_of, levelled, roughness_in_words
from nrm_plugin.figures.quantities import length_scale, readable_scale
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet
from nrm_plugin.statistics.maps import map_of
from nrm_plugin.statistics.roughness import roughness

#: Names of images that hold heights, best first.
_HEIGHTS = ("height sensor", "zsensor", "z sensor", "height", "topography", "z height")


@style.styled
def topography(
    source: CurveSet | Image | xr.Dataset,
    name: str | None = None,
    *,
    level: bool = True,
    ax: Axes | None = None,
    figure: Any = None,
    width: float = style.COLUMN,
) -> Axes:
    """Heights of the surface above its plane, with Sa, Sq and Rq (Fig. 3a and b).

    Parameters
    ----------
    source : CurveSet, Image or results
        The image of a microscope; of results, the heights of the solid contact, of one visit:
        `maps` draws several, as ``topography``.
    name : str, optional
        Name of the image, where there are several.
    level : bool
        Take the least-squares plane away. The roughness is always about that plane.
    ax, figure : Axes, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    Axes
        Words, if the source holds no heights.

    Raises
    ------
    InvalidInput
        If there is no image of that name, or results are of several visits or grids.
    """
    width = style.width_of(figure, width)
    if isinstance(source, xr.Dataset):
        return _contacts(ax, figure, source, level, width)
    image = source if isinstance(source, Image) else height_image(source, name)
    simulated = isinstance(source, CurveSet) and bool(source.metadata.get("simulated", False))
    if image is None:
        return style.words(
            style.one(ax, width, figure=figure), "There is no image of heights in this file."
        )
    heights = np.asarray(image.data, np.float64)
    sized = np.isfinite(image.size).all() and min(image.size) > 0
    across, up = image.size if sized else (heights.shape[1], heights.shape[0])
    ax = style.one(ax, width, height_for(across, up, width), figure)
    if np.isfinite(heights).sum() < 3:
        return style.words(ax, f"The image {image.name} holds no heights.")
    result = roughness(heights)
    shown = result.levelled if level else heights
    unit = readable_scale(shown - np.nanmin(shown), "m")
    values = unit(shown - (0.0 if level else np.nanmin(shown)))
    extent = None
    if sized:
        place = length_scale(np.array([0.0, *image.size]))
        extent = (0.0, float(place(image.size[0])), 0.0, float(place(image.size[1])))
    picture = ax.imshow(
        values, origin="lower", extent=extent, cmap=style.VALUES, norm=style.limits(values)
    )
    if sized:
        place_axes(ax, place)
    else:
        ax.set_xlabel("column (size unknown)")
        ax.set_ylabel("row")
    style.colour_bar(ax, picture, f"height ({unit.unit})", extend="both")
    style.title(ax, roughness_in_words(result))
    style.mark(ax, simulated)
    return ax


def _contacts(ax: Axes | None, figure: Any, results: xr.Dataset, level: bool, width: float) -> Axes:
    """Heights of the solid contacts of results."""
    heights = map_of(results, "contact_height")
    ax = style.one(ax, width, height_of(heights, width), figure)
    values = np.asarray(heights.values, np.float64)
    if not has_places(heights):
        return style.words(ax, "The curves have no positions: there is no topography.")
    if np.isfinite(values).sum() < 3:
        return style.words(ax, "Fewer than three curves have a solid contact.")
    shown, result = levelled(heights)
    if not level:
        shown = replace(shown, values=values - np.nanmin(values))
    unit = readable_scale(shown.values, "m")
    norm = style.limits(unit(shown.values))
    picture = draw_map(ax, shown, unit(shown.values), norm, style.VALUES)
    style.colour_bar(ax, picture, f"height of the solid contact ({unit.unit})", extend="both")
    if result is not None:
        style.title(ax, roughness_in_words(result))
    style.mark(ax, bool(results.attrs.get("simulated", 0)))
    return ax


def height_image(curves: CurveSet, name: str | None = None) -> Image | None:
    """Return the image of heights: the one asked for, else the one whose name says so.

    Raises
    ------
    InvalidInput
        If there is no image of that name.
    """
    if name is not None:
        named = [image for image in curves.images if image.name.lower() == name.lower()]
        if not named:
            names = ", ".join(dict.fromkeys(image.name for image in curves.images)) or "none"
            raise InvalidInput(f"there is no image {name!r}; the images are: {names}")
        return named[0]
    lengths = [image for image in curves.images if image.unit == "m"]
    return min(lengths, key=_rank, default=None)


def _rank(image: Image) -> tuple[int, bool]:
    plain = re.sub(r"[^a-z ]+", " ", image.name.lower()).strip()
    best = _HEIGHTS.index(plain) if plain in _HEIGHTS else len(_HEIGHTS)
    return best, image.direction == "retrace"
