"""Distributions over curves within bins of depth (Fig. 4d)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from nrm_plugin.figures import style
from nrm_plugin.figures.panels import (
    colour_of,
    is_simulated,
    note_of,
    potential_label,
    regions_of,
    title_of,
)
from nrm_plugin.figures.quantities import axis_label, scale
from nrm_plugin.statistics.regions import ALL_CURVES, Region
from nrm_plugin.statistics.selection import Analysis, analysis_of
from nrm_plugin.statistics.violins import DEFAULT_BINS, Violin, violins
from nrm_plugin.text import counted

#: Half of a violin's largest width; violins are 1 apart.
_HALF = 0.4

#: Where the mean stands, beside the median.
_BESIDE = 0.14


@style.styled
def violin(
    results: xr.Dataset | Analysis,
    regions: Iterable[Region] | None = None,
    bins: Sequence[tuple[float, float]] = DEFAULT_BINS,
    variable: str = "shear_modulus_magnitude",
    *,
    direction: str | None = None,
    axes: Sequence[Axes] | None = None,
    figure: Any = None,
    width: float = style.PAGE,
) -> list[Axes]:
    """Distribution over the curves of every region, one panel per bin of depth (Fig. 4d).

    Above each violin stand the number of curves and how many independent ones tell as much, the
    part of them below the noise floor, and the number of modes where there is more than one at a
    level of 5 %. Box: quartiles; white dot: median; cross: mean of the complex values, with its
    95 % interval; dashes: what noise alone shows.

    Parameters
    ----------
    results : Dataset
    regions : Regions, optional
        The paper's if not given; all curves together where there are no potentials.
    bins : (low, high) in m
    variable : str
    direction
        As for `nrm_plugin.statistics.violins`.
    axes, figure : one Axes per bin, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    list of Axes
        One per bin; with words where nothing is in a bin.

    Raises
    ------
    InvalidInput
    """
    analysis = analysis_of(results, direction)
    results = analysis.results
    shown = regions_of(results, regions)
    width = style.width_of(figure, width)
    columns = len(bins) if width > 1.5 * style.COLUMN else 1
    axes = style.several(
        axes,
        len(bins),
        width,
        figure=figure,
        columns=columns,
        row_height=52e-3,
        simulated=is_simulated(results),
        sharex=True,
    )
    made = violins(analysis, shown, bins, variable)
    for number, ax in enumerate(axes):
        of_bin = made[number :: len(bins)]
        _panel(ax, of_bin, potential_label(results) + note_of(regions))
        _only_below(ax)
    return list(axes)


def _panel(ax: Axes, of_bin: Sequence[Violin], potential: str) -> None:
    label = of_bin[0].label if of_bin else ""
    label = next((v.label for v in of_bin if v.n), label).replace("-", "–")
    if not any(v.n for v in of_bin):
        style.words(ax, "No curve has estimates at these distances.")
        style.title(ax, label)
        return
    unit = scale(of_bin[0].unit)
    top = max(float(np.max(v.values)) for v in of_bin if v.n)
    top = max([top, *(float(v.value[-1]) for v in of_bin if len(v.value))])
    short = style.size_of(ax)[0] / (len(of_bin) + 0.2) < 5.2 * style.SMALL
    for place, one in enumerate(of_bin):
        _one(ax, place, one, colour_of(place), short)
    style.title(ax, f"{label}\nn (effective), noise" if short else label)
    ax.set_xlim(-0.6, len(of_bin) - 0.4)
    lines = max(_count_text(one, short).count("\n") + 1 for one in of_bin)
    style.with_headroom(ax, 0.0, float(unit(top)), lines)
    ax.set_ylabel(axis_label(of_bin[0].variable, of_bin[0].unit, of_bin[0].meaning))
    names = [title_of(v.region) for v in of_bin]
    if all(name.endswith(" V") for name in names):
        names = [name.removesuffix(" V") for name in names]
        ax.set_xlabel(potential)
    ax.set_xticks(range(len(of_bin)), names, rotation=30.0, ha="right", rotation_mode="anchor")
    if names == [ALL_CURVES]:
        ax.tick_params(axis="x", rotation=0.0)


def _count_text(one: Violin, short: bool) -> str:
    """What stands above a violin."""
    if not one.n:
        return "0" if short else "no\ncurves"
    lines = [f"{one.n}" if short else f"n = {one.n}"]
    if one.n > 1:
        lines.append(f"({one.n_effective:.0f})" if short else f"eff. {one.n_effective:.0f}")
    if np.isfinite(one.below_floor):
        lines.append(f"{one.below_floor:.0%}" if short else f"{one.below_floor:.0%} noise")
    if one.modes > 1:
        lines.append(f"{one.modes} m." if short else counted(one.modes, "mode"))
    return "\n".join(lines)


def _only_below(ax: Axes) -> None:
    """Leave names and label to the lowest of panels that stand above each other."""
    place = ax.get_subplotspec()
    if place is not None and not place.is_last_row():
        ax.tick_params(axis="x", labelbottom=False)
        ax.set_xlabel("")


def _one(ax: Axes, place: int, one: Violin, colour: str, short: bool) -> None:
    unit = scale(one.unit)
    ax.text(
        place,
        0.985,
        _count_text(one, short),
        transform=ax.get_xaxis_transform(),
        ha="center",
        va="top",
        fontsize=style.SMALL,
        color=style.MARK if one.n else style.MUTED,
        linespacing=1.0,
    )
    if not one.n:
        return
    if np.isfinite(one.floor):
        ax.hlines(
            float(unit(one.floor)), place - _HALF, place + _HALF, color=style.MARK, lw=0.6, ls="--"
        )
    if len(one.density) and np.max(one.density) > 0:
        half = _HALF * one.density / np.max(one.density)
        y = unit(one.value)
        ax.fill_betweenx(
            y, place - half, place + half, facecolor=colour, alpha=0.45, edgecolor=colour, lw=0.6
        )
        low, middle, high = (float(unit(q)) for q in one.quartiles)
        ax.vlines(place, low, high, color=style.MARK, lw=2.2)
        ax.plot(
            place,
            middle,
            "o",
            color=style.MARK,
            mfc="white",
            mew=0.6,
            ms=3.2,
            zorder=4,
            gid="median",
        )
        mean, ends = float(unit(one.mean)), unit(np.array([one.mean_low, one.mean_high]))
        beside = place + _BESIDE
        if np.isfinite(ends).all():
            ax.vlines(beside, max(ends[0], 0.0), ends[1], color=colour, lw=0.9, gid="interval")
        ax.plot(beside, mean, "_", color=colour, mew=1.2, ms=4.5, zorder=4, gid="mean")
    else:
        ax.plot(np.full(one.n, place), unit(one.values), "o", color=colour, ms=3.5, gid="values")
