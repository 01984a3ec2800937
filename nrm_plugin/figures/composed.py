"""The whole story in one figure (Fig. 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from nrm_plugin.figures import style
from nrm_plugin.figures.averages import profiles
from nrm_plugin.figures.densities import density
from nrm_plugin.figures.distributions import violin
from nrm_plugin.figures.panels import is_simulated, regions_of
from nrm_plugin.figures.potentials import voltammogram
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import Analysis, analysis_of
from nrm_plugin.statistics.violins import DEFAULT_BINS


@style.styled
def figure4(
    results: xr.Dataset | Analysis,
    regions: Iterable[Region] | None = None,
    *,
    variable: str = "force_gradient_in_phase",
    modulus: str = "shear_modulus_magnitude",
    bins: Sequence[tuple[float, float]] = DEFAULT_BINS,
    conditional: bool = False,
    log: bool = False,
    trace: tuple[ArrayLike, ArrayLike] | None = None,
    direction: str | None = None,
    figure: Any = None,
    width: float = style.PAGE,
) -> Figure:
    """Potential, mean profiles, densities and violins of every region (Fig. 4).

    Parameters
    ----------
    results : Dataset
    regions : Regions, optional
        The paper's if not given.
    variable : str
        Of the mean profiles.
    modulus : str
        Of densities and violins.
    bins : (low, high) in m
        Of the violins.
    conditional, log : bool
        Of the densities: at each distance, and over the logarithm.
    trace : (potential, current), optional
        See `voltammogram`.
    direction : str, optional
        The first one if the results hold both.
    figure : Figure, optional
        An empty one to fill.
    width : float
        In m, of a new figure. Panels stand side by side on a page's width, and below each other
        on a column's.

    Returns
    -------
    Figure

    Raises
    ------
    InvalidInput
    """
    analysis = analysis_of(results, direction)
    results = analysis.results
    shown = regions_of(results, regions)
    width = style.width_of(figure, width)
    wide = width > 1.5 * style.COLUMN
    columns = min(len(shown), 4 if wide else 2)
    rows = -(-len(shown) // columns)
    if wide:
        heights = [0.30 * width, rows * 0.27 * width, 0.32 * width]
    else:
        # Every region more is a line more of the legend.
        above = 0.95 + 0.06 * max(0, len(shown) - 4)
        heights = [above * width, (rows * 0.4 + 0.05) * width, 1.0 * width]
    figure = style.filled(figure, width, sum(heights) + 4e-3)
    style.mark_whole(figure, is_simulated(results))
    parts: Any = figure.subfigures(3, 1, height_ratios=heights)
    top, middle, bottom = parts
    first, second = (top.subplots(1, 2) if wide else top.subplots(2, 1)).ravel()
    voltammogram(results, shown, trace=trace, ax=first)
    chosen = shown if regions is None else regions  # with what was selected
    profiles(analysis, chosen, variable, ax=second)
    panels = middle.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for spare in panels[len(shown) :]:
        spare.remove()
    maps = density(
        analysis,
        shown,
        modulus,
        conditional=conditional,
        log=log,
        axes=panels[: len(shown)],
        width=width,
    )
    shape = (1, len(bins)) if wide else (len(bins), 1)
    below = bottom.subplots(*shape, squeeze=False, sharex=True).ravel()
    bodies = violin(analysis, chosen, bins, modulus, axes=below, width=width)
    for ax, text in zip([first, second, maps[0], bodies[0]], "abcd", strict=True):
        style.letter(ax, text)
    filled: Figure = figure
    return filled
