"""Mean profiles of the regions with the confidence interval of the mean (Fig. 4b)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from nrm_plugin.columns import IntArray
from nrm_plugin.figures import overlays, style
from nrm_plugin.figures.panels import (
    colour_of,
    far,
    is_simulated,
    note_of,
    regions_of,
    title_of,
    together,
    why_empty,
)
from nrm_plugin.figures.quantities import DISTANCE, NANO, axis_label, scale
from nrm_plugin.statistics.intervals import approximate
from nrm_plugin.statistics.profiles import mean_profile
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import Analysis, analysis_of

#: Part of the curves below which their effective number is named.
_CLEARLY = 0.75


@style.styled
def profiles(
    results: xr.Dataset | Analysis,
    regions: Iterable[Region] | None = None,
    variable: str = "force_gradient_in_phase",
    *,
    interval: str = "effective",
    level: float = 0.95,
    direction: str | None = None,
    to: float | None = None,
    label: str | None = None,
    ax: Axes | None = None,
    figure: Any = None,
    width: float = style.COLUMN,
) -> Axes:
    """Mean of a variable against distance for every region, with its interval (Fig. 4b).

    Dotted where less than half of the curves have a value: close to the electrode.

    Parameters
    ----------
    results : Dataset
    regions : Regions, optional
        The paper's if not given; all curves together where there are no potentials.
    variable : str
        A variable over depth, or one that `nrm_plugin.statistics` makes of them.
    interval, level, direction
        As for `nrm_plugin.statistics.mean_profile`.
    to : float, optional
        Largest distance that is shown, in m; half as much again as the thickness if not given.
    label : str, optional
        What the data are called in the legend; their title or file if not given, where profiles of
        several data are drawn on the same axes.
    ax, figure : Axes, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    Axes
        Regions that show nothing are in the legend with the reason; words, if none shows anything.

    Raises
    ------
    InvalidInput
        If there is no such variable.
    """
    analysis = analysis_of(results, direction)
    results = analysis.results
    shown = regions_of(results, regions)
    to = far(analysis) if to is None else to
    ax = style.one(ax, width, figure=figure)
    earlier = overlays.overlays(ax)
    taken = sum(one.colours for one in earlier)
    lines: list[Line2D] = []
    drawn: list[xr.Dataset] = []
    empty: dict[str, list[str]] = {}
    for number, region in enumerate(shown):
        profile = mean_profile(analysis, variable, region.curves, interval, level)
        name, colour = title_of(region), colour_of(taken + number)
        if not np.isfinite(profile["mean"].values).any():
            empty.setdefault(why_empty(results, region), []).append(name)
            continue
        drawn.append(profile)
        lines.append(_one(ax, profile, colour, name, to))
    reasons = [f"{together(names)}: {why}" for why, names in empty.items()]
    if not drawn:
        return (
            ax
            if earlier
            else style.words(ax, f"Nothing to average. {'; '.join(reasons) or 'No regions.'}")
        )
    remarks = [
        Patch(facecolor="none", edgecolor="none", label=line)
        for text in reasons
        for line in textwrap.wrap(text, 44)
    ]
    if not earlier:
        ax.axhline(0.0, color=style.MUTED, lw=0.5, zorder=0)
    about = drawn[0].attrs
    low, high = _range(drawn, scale(str(about["units"])).factor)
    data = overlays.label_of(results) if label is None else label
    now = overlays.Overlay(
        label=data,
        always=label is not None,
        lines=lines,
        names=[str(line.get_label()) for line in lines],
        colours=len(shown),
        low=low,
        high=high,
        far=to * NANO,
    )
    every = overlays.add(ax, now)
    ax.set_xlim(0.0, max(one.far for one in every))
    low, high = min(one.low for one in every), max(one.high for one in every)
    handles = overlays.handles(every, *remarks)
    style.legend_above(ax, handles, low, high, _words(drawn, level, to) + note_of(regions))
    ax.set_xlabel(DISTANCE)
    ax.set_ylabel(axis_label(variable, str(about["units"]), str(about["long_name"])))
    style.mark(ax, is_simulated(results))
    return ax


def _one(ax: Axes, profile: xr.Dataset, colour: str, name: str, to: float) -> Line2D:
    z = profile["depth"].values * NANO
    shown = scale(str(profile.attrs["units"]))
    n = profile["n"].values
    most, mean = int(n.max()), shown(profile["mean"].values)
    counted = f"n = {most}" + (_effective(profile, to) if most > 1 else ", no interval")
    ax.plot(z, mean, color=colour, lw=0.7, ls=":", gid=name)
    (line,) = ax.plot(
        z, np.where(_held_by_most(n), mean, np.nan), color=colour, label=f"{name} ({counted})"
    )
    ax.fill_between(
        z,
        shown(profile["low"].values),
        shown(profile["high"].values),
        color=colour,
        alpha=0.22,
        lw=0.0,
    )
    return line


def _effective(profile: xr.Dataset, to: float) -> str:
    """Effective number of curves, where neighbours are so alike that it is clearly smaller.

    The lower quartile over the distances shown: far out there is noise, which is never alike.
    """
    n, effective = profile["n"].values, profile["n_effective"].values
    usable = _held_by_most(n) & np.isfinite(effective) & (profile["depth"].values <= to)
    if not usable.any():
        return ""
    low = float(np.quantile(effective[usable], 0.25))
    return f", $n_{{eff}}$ = {low:.0f}" if low < _CLEARLY * float(np.median(n[usable])) else ""


def _words(drawn: list[xr.Dataset], level: float, to: float) -> str:
    """What is drawn; of few effective places the interval is approximate over most distances."""
    tested = []
    for profile in drawn:
        shown = _held_by_most(profile["n"].values) & (profile["depth"].values <= to)
        coverage = profile["coverage"].values[shown]
        if 2 * np.isfinite(coverage).sum() > len(coverage):
            tested.append(float(np.nanmin(coverage)))
    text = f"mean with its {level:.0%} interval"
    return f"{text},\n{approximate(min(tested))}" if tested else text


def _held_by_most(n: IntArray) -> NDArray[np.bool_]:
    return np.asarray(n >= 0.5 * n.max())


def _range(drawn: list[xr.Dataset], factor: float) -> tuple[float, float]:
    """Limits that hold all means, and intervals wherever most curves have a value.

    Next to the electrode few curves are left, and a place with two or three effective curves has
    an interval that would hide everything else: the frame cuts what lies farther from all means
    than half of what they span.
    """
    means = np.concatenate([profile["mean"].values for profile in drawn])
    low, high = min(0.0, float(np.nanmin(means))), max(0.0, float(np.nanmax(means)))
    span = (high - low) or 1.0 / factor
    ends = [low, high]
    for profile in drawn:
        most = _held_by_most(profile["n"].values)
        for name in ("low", "high"):
            values = profile[name].values[most]
            ends += np.clip(
                values[np.isfinite(values)], low - span / 2.0, high + span / 2.0
            ).tolist()
    room = 0.05 * (max(ends) - min(ends) or span)
    return (min(ends) - room) * factor, (max(ends) + room) * factor
