"""Where maps stand in a figure: sizes, columns, titles, and heights about their plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from nrm_plugin.figures import style
from nrm_plugin.figures.map_drawing import cell_size
from nrm_plugin.figures.quantities import readable_scale
from nrm_plugin.statistics.maps import Map
from nrm_plugin.statistics.roughness import Roughness, roughness
from nrm_plugin.statistics.visits import MapPart

#: Width of a character in heights, in titles that stand beside the mark on simulated data.
_BESIDE = 0.9


def panels_of(
    found: Sequence[Map],
    axes: Sequence[Axes] | None,
    figure: Any,
    width: float | None,
    simulated: bool,
) -> list[Axes]:
    """Axes for maps: those given, or as many of a figure, as high as the maps need."""
    width = width or (style.COLUMN if len(found) == 1 else style.PAGE)
    width = style.width_of(figure, width)
    if len(found) == 1:
        at = None if axes is None else axes[0]
        return [style.one(at, width, height_of(found[0], width), figure)]
    columns = columns_of(len(found), width)
    return style.several(
        axes,
        len(found),
        width,
        figure=figure,
        columns=columns,
        row_height=row_height(found, columns, width),
        simulated=simulated,
    )


def laid_out_once_more(axes: Sequence[Axes]) -> None:
    """Lay a new figure out once more than usual: equal scales need it."""
    if (layout := style.root(axes[0]).get_layout_engine()) is not None:
        layout.execute(style.root(axes[0]))


def levelled(found: Map) -> tuple[Map, Roughness | None]:
    """Heights of a grid about their plane, with their roughness; others above the lowest."""
    values = np.asarray(found.values, np.float64)
    if np.isfinite(values).sum() < 3 or not found.grid:
        low = np.nanmin(values) if np.isfinite(values).any() else 0.0
        return replace(found, values=values - low), None
    result = roughness(values)
    return replace(found, values=result.levelled), result


def roughness_in_words(found: Roughness) -> str:
    """Sa, Sq and Rq."""
    unit = readable_scale(np.array([found.sq]), "m")
    parts = [("Sa", found.sa), ("Sq", found.sq), ("Rq", found.rq)]
    text = ", ".join(f"{n} {float(unit(v)):.3g}" for n, v in parts if np.isfinite(v))
    return f"{text} {unit.unit}"


def columns_of(n: int, width: float) -> int:
    """In how many columns panels stand."""
    if width <= 1.5 * style.COLUMN:
        return min(n, 2)
    return n if n <= 4 else 3 if n <= 6 else 4


def row_height(found: Sequence[Map], columns: int, width: float) -> float:
    """Height in m of a row of maps, with titles and scale bars."""
    panel = (width - 16e-3) / columns - 3e-3
    ratio = max(_ratio(one) for one in found)
    return min(panel * ratio, 0.4 * style.PAGE) + 14e-3


def write_titles(
    axes: Sequence[Axes],
    parts: Sequence[MapPart],
    found: Sequence[Map],
    notes: Sequence[str],
    single: bool,
) -> None:
    """Grid, region, visit, number of curves, and a note on each, as the roughness."""
    texts = []
    for ax, part, one, note in zip(axes, parts, found, notes, strict=True):
        words = [] if single else part.name.replace("-", "–").split(", ")
        if single and np.ptp(part.potential) >= 0.1 and not note:
            words.append("{:.3g} to {:.3g} V".format(*part.potential))
        if note:
            words += note.split(", ")
        if not note or not single:
            words.append(f"n = {one.n}")
        texts.append(lines_of(words, style.size_of(ax)[0] / 3.9 if not single else 99.0))
    for ax, text in zip(axes, texts, strict=True):
        room = style.size_of(ax)[0] / (style.SMALL * _BESIDE)
        above = single and ax.get_title(loc="right") and len(text) + 14 > room
        ax.set_title(text + "\n" if above else text, loc="left", linespacing=1.15)


def lines_of(words: Sequence[str], room: float) -> str:
    """Words with commas between them, in lines with so much room (characters)."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]}, {word}" if lines[-1] else word
        if len(longer) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def height_of(found: Map, width: float) -> float:
    """Height in m of a figure in which a map fills the width."""
    x, y = (np.asarray(v, np.float64)[np.isfinite(v)] for v in (found.x, found.y))
    if not (len(x) and len(y)):
        return 0.5 * width
    return height_for(float(np.ptp(x)) + cell_size(x), float(np.ptp(y)) + cell_size(y), width)


def height_for(across: float, up: float, width: float) -> float:
    """Height in m of a figure for a picture of this extent, with its labels and colour bar."""
    return min(max((width - 27e-3) * _clipped(across, up) + 15e-3, 32e-3), style.TALLEST)


def _ratio(found: Map) -> float:
    """Height over width of a map."""
    x, y = (np.asarray(v, np.float64)[np.isfinite(v)] for v in (found.x, found.y))
    if not (len(x) and len(y)):
        return 0.7
    return _clipped(float(np.ptp(x)) + cell_size(x), float(np.ptp(y)) + cell_size(y))


def _clipped(across: float, up: float) -> float:
    return float(np.clip(up / across if across > 0.0 else 1.0, 0.15, 2.0))
