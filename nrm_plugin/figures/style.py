"""How figures look: sizes for journal columns, type, colours, and the mark on simulated data.

Settings of matplotlib are changed while a function here draws, and for nothing else.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from nrm_plugin.errors import InvalidInput

#: Widths of a journal's column and page, in m.
COLUMN, PAGE = 85e-3, 178e-3

#: Taller than this no page is, in m.
TALLEST = 240e-3

#: Narrower than this no label fits, in m; and no figure is as wide as the second.
NARROWEST, WIDEST = 40e-3, 2.0

_INCH = 25.4e-3

#: Colours of Okabe and Ito, which people who see fewer colours can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
IN_PHASE, QUADRATURE, MARK, MUTED = COLOURS[0], COLOURS[3], "#000000", "#767676"

#: Perceptually uniform colour maps: of values, and of densities, which grow darker.
VALUES, DENSITIES = "viridis", "magma_r"

#: No estimate is this grey.
NOTHING = "#DDDDDD"

#: The smallest type, in points.
SMALL = 6.0

#: Settings of matplotlib (whose stubs name them one by one, others in every version).
STYLE: Any = {
    "axes.formatter.useoffset": False,
    "axes.labelpad": 2.5,
    "axes.labelsize": 7.0,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 3.5,
    "axes.titlesize": 7.0,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.titlesize": SMALL,
    "font.family": "DejaVu Sans",
    "font.size": 7.0,
    "hatch.linewidth": 0.4,
    "image.interpolation": "nearest",
    "legend.borderaxespad": 0.3,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.labelspacing": 0.3,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.0,
    "mathtext.fontset": "dejavusans",
    "patch.linewidth": 0.6,
    "pdf.fonttype": 42,
    "savefig.dpi": 300.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "nrm-plugin",
    "xtick.labelsize": 6.5,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 6.5,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
}

#: A figure with more samples than this holds lines as pixels, so that it stays small.
MANY = 20_000

_SIMULATED = "simulated data"

#: More than this part of axes is not left to type.
_MOST_ROOM = 0.6

#: Part of the height of axes that titles and labels leave, about.
_LEFT = 0.65

P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Draw in this style, and leave matplotlib's settings as they were.

    Axes may be given second, behind the data: ``profiles(results, ax)``.
    """

    @wraps(function)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        if len(args) > 1 and isinstance(args[1], Axes):
            kwargs["ax"], args = args[1], (args[0], *args[2:])  # type: ignore[assignment]
        with journal_style():
            return function(*args, **kwargs)

    return drawn


def journal_style() -> AbstractContextManager[None]:
    """Settings of matplotlib in which these figures are drawn, for axes of your own.

    >>> with journal_style():                                      # doctest: +SKIP
    ...     figure, axes = plt.subplots(1, 2, layout="constrained")
    """
    return mpl.rc_context(STYLE)


def new_figure(width: float = COLUMN, height: float | None = None) -> Figure:
    """Make an empty figure whose labels always fit.

    Parameters
    ----------
    width, height : float
        In m; two thirds of the width if no height is given.

    Raises
    ------
    InvalidInput
        For a width that no page has.
    """
    if not NARROWEST <= width <= WIDEST:
        raise InvalidInput(
            f"a figure is {NARROWEST * 1e3:.0f} mm to {WIDEST * 1e3:.0f} mm wide, "
            f"not {width * 1e3:.4g} mm"
        )
    height = width * 2.0 / 3.0 if height is None else height
    return Figure(figsize=(width / _INCH, height / _INCH), layout="constrained", dpi=150)


def filled(figure: Any, width: float, height: float | None = None) -> Any:
    """Return a new figure of this size in m, or the empty one given, made as high."""
    if figure is None:
        return new_figure(width, height)
    if isinstance(figure, Figure) and height is not None:
        figure.set_figheight(height / _INCH)
    return figure


def width_of(figure: Any, width: float) -> float:
    """Width in m of the figure given, to the nm, or the one asked for."""
    return width if figure is None else round(figure.bbox.width / figure.dpi * _INCH, 9)


def one(ax: Axes | None, width: float, height: float | None = None, figure: Any = None) -> Axes:
    """Return the axes given, or those of a figure."""
    return filled(figure, width, height).add_subplot() if ax is None else ax


def several(
    axes: Sequence[Axes] | None,
    n: int,
    width: float,
    *,
    figure: Any = None,
    columns: int,
    row_height: float,
    simulated: bool,
    **options: Any,
) -> list[Axes]:
    """Return the axes given, or `n` of a figure; the last of them, or it, is marked.

    Raises
    ------
    InvalidInput
        If fewer are given than there are panels.
    """
    if axes is not None:
        given: list[Axes] = np.asarray(axes, dtype=object).ravel().tolist()
        if len(given) < n:
            raise InvalidInput(f"this figure has {n} panels, and {len(given)} axes were given")
        mark(given[n - 1], simulated)
        return given[:n]
    rows = max(1, -(-n // columns))
    figure = filled(figure, width, min(rows * row_height + 8e-3, TALLEST))
    mark_whole(figure, simulated)
    made = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for spare in made[n:]:
        spare.remove()
    return list(made[:n])


def root(ax: Axes) -> Figure:
    """Return the figure that axes stand in, also from within a part of it."""
    figure: Figure = ax.figure.figure
    return figure


def words(ax: Axes, text: str) -> Axes:
    """Say in words why there is nothing to see."""
    ax.set_axis_off()
    columns = max(12, int(size_of(ax)[0] / (0.62 * SMALL)))
    ax.text(
        0.5,
        0.5,
        textwrap.fill(text, columns),
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=SMALL + 0.5,
        color=MUTED,
    )
    return ax


def mark(ax: Axes, simulated: bool) -> None:
    """Say on the axes that their data are simulated, unless the figure as a whole says so."""
    if simulated and _SIMULATED not in root(ax).get_suptitle():
        ax.set_title(_SIMULATED, loc="right", fontsize=SMALL, color=MUTED, style="italic")
        title(ax, ax.get_title(loc="left"))


def title(ax: Axes, text: str) -> None:
    """Write a title at the left, a line above the mark where they don't fit side by side."""
    marked = ax.get_title(loc="right")
    needed = 0.6 * SMALL * (1.15 * len(text.splitlines()[-1] if text else "") + len(marked))
    above = text and marked and needed > size_of(ax)[0]
    ax.set_title(text + "\n" if above else text, loc="left")


def mark_whole(figure: Any, simulated: bool, title: str = "") -> None:
    """Say once on the figure that its data are simulated; a title stands at the left."""
    if title:
        figure.suptitle(f"{title} ({_SIMULATED})" if simulated else title, x=0.01, ha="left")
    elif simulated:
        look = {"fontsize": SMALL, "color": MUTED, "style": "italic"}
        figure.suptitle(_SIMULATED, x=0.99, ha="right", **look)


def colour_bar(
    ax: Axes, shown: ScalarMappable, label: str, others: Sequence[Axes] = (), **options: Any
) -> Colorbar:
    """Put a colour bar beside the axes, as thin as a journal would."""
    bar = ax.figure.colorbar(shown, ax=[ax, *others], aspect=25, pad=0.02, **options)
    bar.set_label(_in_lines(label, [ax, *others]))
    bar.outline.set_linewidth(0.6)
    return bar


def _in_lines(label: str, axes: Sequence[Axes]) -> str:
    """A label beside axes, in two lines where they are lower than it is long."""
    low = min(ax.get_window_extent().y0 for ax in axes)
    high = max(ax.get_window_extent().y1 for ax in axes)
    room = _LEFT * (high - low) / root(axes[0]).dpi * 72.0 / 4.0
    return label if _length(label) <= room else textwrap.fill(label, max(12, int(1.2 * room)))


def _length(text: str) -> int:
    """Characters that are seen of a text with formulas in it."""
    return len(re.sub(r"[$_{}\\]", "", text))


def size_of(ax: Axes) -> tuple[float, float]:
    """Width and height of axes in points, about: labels may still take some of it."""
    box, dpi = ax.get_window_extent(), root(ax).dpi
    return box.width / dpi * 72.0, box.height / dpi * 72.0


def room_for(ax: Axes, lines: float, size: float = SMALL) -> float:
    """Part of the height of axes that lines of type take, with what may be lost to labels."""
    return min(_MOST_ROOM, _taken_by(ax, lines, size))


def _taken_by(ax: Axes, lines: float, size: float) -> float:
    return 1.5 * size * (lines + 0.3) / size_of(ax)[1]


def with_headroom(ax: Axes, low: float, high: float, lines: float, size: float = SMALL) -> None:
    """Set vertical limits that leave lines of type above the data."""
    part = room_for(ax, lines, size)
    ax.set_ylim(low, low + (high - low) / (1.0 - part))


def legend_above(
    ax: Axes, handles: Sequence[Artist], low: float, high: float, said: str | None = None
) -> None:
    """Put a legend at the upper right, above what is drawn there, in the columns that cost least.

    Set vertical limits from `low` to at least `high`.
    """
    if not handles:
        return
    longest = max(_length(str(handle.get_label())) for handle in handles)
    heading = max((len(line) for line in (said or "").splitlines()), default=0)
    room = size_of(ax)[0]
    costs = {}
    for columns in range(1, min(3, len(handles)) + 1):
        wide = max(columns * (3.7 * longest + 22.0), 3.7 * heading + 8.0)
        if columns > 1 and wide > room:
            continue
        lines = -(-len(handles) // columns) + (len(said.splitlines()) if said else 0)
        part = room_for(ax, 1.1 * lines, 6.5)
        lacking = _taken_by(ax, 1.1 * lines, 6.5) - part
        left, right = ax.get_xlim()
        under = min(high, _highest(ax, right - (right - left) * wide / room, low))
        costs[lacking, max(high, low + (under - low) / (1.0 - part))] = columns
    ax.set_ylim(low, min(costs)[1])
    ax.legend(
        handles=handles,
        loc="upper right",
        ncols=costs[min(costs)],
        columnspacing=1.2,
        title=said,
        title_fontsize=6.5,
        alignment="left",
    )


def _highest(ax: Axes, left: float, low: float) -> float:
    """Largest value that is drawn right of a place."""
    drawn: list[Any] = [
        np.column_stack(line.get_data()).astype(np.float64) for line in ax.get_lines()
    ]
    drawn += [path.vertices for shown in ax.collections for path in shown.get_paths()]
    drawn = [np.asarray(at, np.float64) for at in drawn]
    tops = [at[at[:, 0] >= left, 1] for at in drawn]
    return max((float(np.nanmax(top)) for top in tops if np.isfinite(top).any()), default=low)


def legend_below(ax: Axes, handles: Sequence[Artist], **options: Any) -> None:
    """Put a legend below the panels where the figure makes room for it, else into the axes."""
    if not handles:
        return
    if root(ax).get_layout_engine() is not None:
        columns = _columns_that_fit(handles, ax.figure.bbox.width / root(ax).dpi * 72.0)
        ax.figure.legend(handles=handles, loc="outside lower right", ncols=columns, **options)
    else:
        ax.legend(handles=handles, loc="upper right", **options)


def _columns_that_fit(handles: Sequence[Artist], room: float) -> int:
    """Columns of a legend in so many points."""
    for columns in range(len(handles), 1, -1):
        widest = [
            max(len(line) for h in handles[i::columns] for line in str(h.get_label()).split("\n"))
            for i in range(columns)
        ]
        if sum(3.7 * length + 30.0 for length in widest) <= room:
            return columns
    return 1


def limits(values: Any) -> Normalize:
    """Colours from the 1st to the 99th percentile, so that one odd curve does not hide all."""
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return Normalize(0.0, 1.0)
    low, high = np.percentile(finite, [1.0, 99.0])
    if high <= low:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    return Normalize(float(low), float(high))


def letter(ax: Axes, text: str) -> None:
    """Name a panel, a, b and so on, above its left end."""
    left = ax.get_title(loc="left")
    ax.set_title(rf"$\mathbf{{{text}}}$" + (f"  {left}" if left else ""), loc="left")
