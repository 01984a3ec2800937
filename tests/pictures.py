"""Looks at figures: text that is cut off, overlaps or is too small; pictures against references."""

from __future__ import annotations

import os
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text

BASELINE = Path(__file__).resolve().parent / "baseline"

#: The references were made by this matplotlib, which the extra `test` asks for. Others set type and
#: lay out differently: with them, pytest is run with -m "not pictures".
MADE_BY = "3.11"

#: Root mean square of the grey values by which a picture may differ from its reference: a single
#: word that is missing makes 3, a line 6, a legend 23.
TOLERANCE = 2.0

#: Pixels per inch of the references; they are small.
DPI = 80


@contextmanager
def recorded_texts():
    """All texts that are drawn within the block, ticks beyond the limits not among them."""
    drawn: list[Text] = []
    original = Text.draw

    def draw(self, renderer, *args, **kwargs):
        if self.get_visible() and self.get_text().strip():
            drawn.append(self)
        return original(self, renderer, *args, **kwargs)

    with patch.object(Text, "draw", draw):
        yield drawn


def whole(figure: Any) -> Figure:
    """Figure in which something stands."""
    if isinstance(figure, Figure):
        return figure
    if isinstance(figure, list | tuple | np.ndarray):
        return whole(np.ravel(figure)[0])
    return figure.figure.figure


def texts(figure: Figure) -> list[Text]:
    with recorded_texts() as drawn:
        figure.draw_without_rendering()
    return list(dict.fromkeys(drawn))


def corners(text: Text) -> np.ndarray:
    """Corners of the text's own rectangle in pixels, turned as the text is."""
    angle = text.get_rotation()
    if angle % 90 == 0:
        box = text.get_window_extent()
        return np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])
    assert text.get_rotation_mode() == "anchor"
    text.set_rotation(0.0)
    flat = corners(text)
    text.set_rotation(angle)
    at = text.get_transform().transform(text.get_unitless_position())
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return (flat - at) @ np.array([[c, s], [-s, c]]) + at


def overlap(a: np.ndarray, b: np.ndarray, allowed: float = 0.5) -> bool:
    """Whether two rectangles share more than `allowed` pixels (separating axes)."""
    for shape in (a, b):
        for side in (shape[1] - shape[0], shape[2] - shape[1]):
            length = np.hypot(*side)
            if not length:
                return False
            normal = np.array([-side[1], side[0]]) / length
            one, other = a @ normal, b @ normal
            if min(one.max(), other.max()) - max(one.min(), other.min()) <= allowed:
                return False
    return True


def clipped(figure: Figure, found: list[Text] | None = None) -> list[str]:
    """Texts that reach beyond the figure's edge."""
    width, height = figure.bbox.width, figure.bbox.height
    out = []
    for text in texts(figure) if found is None else found:
        at = corners(text)
        if at.min() < -0.5 or at[:, 0].max() > width + 0.5 or at[:, 1].max() > height + 0.5:
            out.append(text.get_text())
    return out


def overlapping(figure: Figure, found: list[Text] | None = None) -> list[tuple[str, str]]:
    """Pairs of texts that overlap."""
    placed = [(t.get_text(), corners(t)) for t in (texts(figure) if found is None else found)]
    return [(a, b) for (a, one), (b, other) in combinations(placed, 2) if overlap(one, other)]


def covered(figure: Figure) -> list[str]:
    """Lines of which a sample lies under a legend; the figure has been drawn."""
    hidden = []
    for ax in figure.axes:
        legend = ax.get_legend()
        if legend is None:
            continue
        box = legend.get_window_extent()
        for line in ax.get_lines():
            at = line.get_transform().transform(np.column_stack(line.get_data()).astype(float))
            if np.any((at > [box.x0, box.y0]).all(1) & (at < [box.x1, box.y1]).all(1)):
                hidden.append(f"{line.get_label()} ({line.get_gid()})")
    return hidden


def empty(figure: Figure) -> list[Axes]:
    """Panels with neither data nor words."""
    return [ax for ax in figure.axes if not ax.has_data() and not ax.texts and ax.get_visible()]


def smallest(figure: Figure, found: list[Text] | None = None) -> float:
    """Smallest type in points."""
    return min(text.get_fontsize() for text in (texts(figure) if found is None else found))


def assert_readable(figure: Any) -> None:
    """Nothing is cut off, nothing overlaps, nothing is too small, no panel is empty."""
    figure = whole(figure)
    found = texts(figure)
    assert clipped(figure, found) == []
    assert overlapping(figure, found) == []
    assert covered(figure) == []
    assert empty(figure) == []
    assert smallest(figure, found) >= 6.0


def difference(figure: Any, name: str, folder: Path) -> str | None:
    """How a picture differs from its reference; None if it does not.

    With NRM_BASELINE=1 the reference is made anew: look at it before it is kept.
    """
    from nrm_plugin.figures import save

    assert mpl.__version__.startswith(f"{MADE_BY}."), (
        f"the references were made by matplotlib {MADE_BY}, and this is {mpl.__version__}: "
        'install that one, or leave their tests out by name (-m "not pictures")'
    )
    reference = BASELINE / f"{name}.png"
    if os.environ.get("NRM_BASELINE"):
        BASELINE.mkdir(exist_ok=True)
        save(whole(figure), reference, dpi=DPI)
        return None
    made = folder / f"{name}.png"
    save(whole(figure), made, dpi=DPI)
    return compare_images(str(reference), str(made), TOLERANCE)


def words_of(ax: Axes) -> str:
    """Words that stand in a panel, on one line."""
    return " ".join(" ".join(text.get_text().split()) for text in ax.texts)
