"""Figures as they stand in the report: drawn, embedded, and described for those who cannot see."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nrm_plugin import figures
from nrm_plugin.errors import NrmError
from nrm_plugin.figures.style import new_figure, root, styled

#: An SVG that is larger is embedded as PNG instead, in bytes.
_HEAVY = 400_000

_DPI = 220.0

_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure in the page, or the words that stand for it.

    Attributes
    ----------
    source : str
        As a data address; empty if it could not be drawn.
    caption : str
    alternative : str
        What can be seen, in words.
    width, height : int
        In CSS pixels.
    """

    source: str
    caption: str
    alternative: str
    width: int = 0
    height: int = 0

    @property
    def narrow(self) -> bool:
        """Whether two of them fit side by side."""
        return 0 < self.width < 400


def picture(draw: Callable[[], Any], caption: str, alternative: str) -> Picture:
    """Draw a figure and embed it: as SVG where it is small, as PNG otherwise."""
    try:
        drawn = draw()
        first = drawn[0] if isinstance(drawn, Sequence) else drawn
        figure = first if isinstance(first, Figure) else root(first)
        data, kind = _written(figure)
    except NrmError as error:
        caption = f"{caption} It could not be drawn: {error}."
        return Picture(source="", caption=caption, alternative=alternative)
    width, height = figure.get_size_inches() * 96.0
    source = f"data:{_TYPES[kind]};base64,{base64.b64encode(data).decode('ascii')}"
    return Picture(
        source=source,
        caption=caption,
        alternative=alternative,
        width=round(width),
        height=round(height),
    )


def _written(figure: Figure) -> tuple[bytes, str]:
    with tempfile.TemporaryDirectory(prefix="nrm-report-") as folder:
        for kind in (".svg", ".png"):
            path = Path(folder) / f"figure{kind}"
            figures.save(figure, path, dpi=_DPI)
            if kind == ".png" or path.stat().st_size <= _HEAVY:
                return path.read_bytes(), kind
    raise AssertionError("there is always a PNG")


@styled
def panels(
    draws: Sequence[Callable[[Any], Any]], columns: int, height: float, width: float
) -> Figure:
    """One figure with a panel for every function that draws on axes.

    Parameters
    ----------
    height : float
        Of a row, in m.
    """
    rows = -(-len(draws) // columns)
    figure = new_figure(width, rows * height)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, draw in zip(axes, draws, strict=False):
        draw(ax)
    for spare in axes[len(draws) :]:
        spare.remove()
    return figure
