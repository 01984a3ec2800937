"""Profiles of conditions side by side, with their samples, and the ratio of two conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from nrm_plugin.figures import style
from nrm_plugin.figures.panels import far, is_simulated
from nrm_plugin.figures.quantities import DISTANCE, NANO, SHORT_DISTANCE, axis_label, scale
from nrm_plugin.statistics.comparison_types import Comparison, ProfileContrast, StudySample
from nrm_plugin.statistics.condition_profiles import condition_profile, region_labels
from nrm_plugin.statistics.regions import ALL_CURVES
from nrm_plugin.text import printable

#: Dashes of conditions, which tell them apart where colours do not.
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.2, 1.2, 1.2)))

#: Ratios beyond these are cut by the frame.
_LARGEST_RATIO = 1e3


def conditions_of(samples: Sequence[StudySample]) -> list[str]:
    """Conditions in the order of the samples."""
    return list(dict.fromkeys(one.condition for one in samples))


def colour_of_condition(number: int) -> str:
    """Colour of a condition by its place among the others."""
    return style.COLOURS[number % len(style.COLOURS)]


def dashes_of_condition(number: int) -> Any:
    """Dashes of a condition by its place among the others."""
    return _DASHES[number % len(_DASHES)]


def shown_region(label: str) -> str:
    """Label of a region as it is printed."""
    return label.replace("-", "–") if label else ALL_CURVES


def any_simulated(samples: Sequence[StudySample]) -> bool:
    """Whether the data of any sample are simulated."""
    return any(is_simulated(one.results) for one in samples)


def common_far(samples: Sequence[StudySample]) -> float:
    """Distance in m as far as profiles are worth seeing: the largest of all samples."""
    return max((far(one.analysis) for one in samples), default=20e-9)


def rows_and_columns(n: int, width: float) -> tuple[int, int]:
    """How panels of regions stand."""
    columns = min(n, 1 if width <= 1.5 * style.COLUMN else 2 if n <= 4 else 3)
    return -(-n // max(columns, 1)), max(columns, 1)


@style.styled
def comparison_profiles(
    samples: Sequence[StudySample],
    variable: str = "storage_modulus",
    *,
    to: float | None = None,
    level: float = 0.95,
    axes: Sequence[Axes] | None = None,
    figure: Any = None,
    width: float = style.PAGE,
) -> list[Axes]:
    """Mean profiles of conditions, a panel for every region.

    Thick: mean over the samples of a condition with the interval of that mean at each distance
    (Student's, which counts samples); thin: the samples. A condition of one sample has no band.

    Parameters
    ----------
    samples : sequence of StudySample
    variable : str
        A variable over depth, as for `nrm_plugin.statistics.mean_profile`.
    to : float, optional
        Largest distance that is shown, in m.
    level : float
        Of the intervals.
    axes, figure : one Axes per region, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    list of Axes

    Raises
    ------
    InvalidInput
    """
    labels, conditions = region_labels(samples), conditions_of(samples)
    width = style.width_of(figure, width)
    _, columns = rows_and_columns(len(labels), width)
    axes = style.several(
        axes,
        max(len(labels), 1),
        width,
        figure=figure,
        columns=columns,
        row_height=58e-3,
        simulated=any_simulated(samples),
        sharex=True,
        sharey=True,
    )
    if not labels:
        return [style.words(ax, "There are no samples.") for ax in axes]
    to = common_far(samples) if to is None else to
    drawn: list[xr.Dataset] = []
    counts: dict[str, set[int]] = {name: set() for name in conditions}
    for ax, label in zip(axes, labels, strict=True):
        ax.axhline(0.0, color=style.MUTED, lw=0.5, zorder=0)
        for number, name in enumerate(conditions):
            members = [one for one in samples if one.condition == name]
            profile = condition_profile(members, variable, label, level)
            if not np.isfinite(profile["mean"].values).any():
                continue
            counts[name].add(profile.sizes["sample"])
            drawn.append(profile)
            _condition(ax, profile, number)
        style.title(ax, shown_region(label))
    if not drawn:
        return [style.words(ax, "No sample has values here.") for ax in axes]
    unit = scale(str(drawn[0].attrs["units"]))
    low, high = _limits(drawn, to)
    for ax in axes:
        ax.set_xlim(0.0, to * NANO)
        ax.set_ylim(float(unit(low)), float(unit(high)))
        ax.set_xlabel(DISTANCE if columns == 1 else SHORT_DISTANCE)
        ax.set_ylabel(
            axis_label(variable, str(drawn[0].attrs["units"]), str(drawn[0].attrs["long_name"]))
        )
        ax.label_outer()
    _one_legend(axes[0], conditions, counts, level)
    return list(axes)


def _condition(ax: Axes, profile: xr.Dataset, number: int) -> None:
    unit = scale(str(profile.attrs["units"]))
    z = profile["depth"].values * NANO
    colour = colour_of_condition(number)
    for name, row in zip(profile["sample"].values, profile["sample_mean"].values, strict=True):
        ax.plot(z, unit(row), color=colour, lw=0.5, alpha=0.75, gid=f"sample {name}")
    ax.fill_between(
        z,
        unit(profile["low"].values),
        unit(profile["high"].values),
        color=colour,
        alpha=0.2,
        lw=0.0,
        gid="band",
    )
    mean = unit(profile["mean"].values)
    ax.plot(z, mean, color=colour, lw=1.6, ls=dashes_of_condition(number), gid="mean")


def _limits(drawn: Sequence[xr.Dataset], to: float) -> tuple[float, float]:
    """Limits that hold all samples, and bands as far as samples span and half as much again."""
    ends: list[float] = [0.0]
    for profile in drawn:
        near = profile["depth"].values <= to
        means = profile["sample_mean"].values[:, near]
        ends += [float(v) for v in (np.nanmin(means), np.nanmax(means)) if np.isfinite(v)]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0
    for profile in drawn:
        near = profile["depth"].values <= to
        for name in ("low", "high"):
            values = profile[name].values[near]
            values = values[np.isfinite(values)]
            ends += np.clip(values, low - 0.5 * span, high + 0.5 * span).tolist()
    room = 0.04 * (max(ends) - min(ends) or span)
    return min(ends) - room, max(ends) + room


def _one_legend(
    ax: Axes, conditions: Sequence[str], counts: dict[str, set[int]], level: float
) -> None:
    handles: list[Artist] = []
    for number, name in enumerate(conditions):
        some = sorted(counts[name])
        text = "no values"
        if some:
            most = f"{some[0]} to {some[-1]}" if some[0] != some[-1] else f"{some[0]}"
            text = f"{most} sample{'' if some[-1] == 1 else 's'}"
            text += ", no band" if some[-1] == 1 else ""
        colour, dashes = colour_of_condition(number), dashes_of_condition(number)
        label = f"{short(name)} ({text})"
        handles.append(Line2D([], [], color=colour, lw=1.6, ls=dashes, label=label))
    thin = Line2D([], [], color=style.MUTED, lw=0.5, label="one sample")
    band = Patch(
        facecolor=style.MUTED, alpha=0.3, lw=0.0, label=f"{level:.0%} interval of the mean"
    )
    style.legend_below(ax, [*handles, thin, band])


def short(name: str, most: int = 28) -> str:
    """A name as long as a legend has room for, without what would be taken for a formula."""
    name = printable(name)
    text = name if len(name) <= most else f"{name[: most - 1]}…"
    return text.replace("$", r"\$")


@style.styled
def comparison_ratio_profiles(
    comparison: Comparison,
    quantity: str = "storage_modulus",
    *,
    to: float | None = None,
    simulated: bool = False,
    axes: Sequence[Axes] | None = None,
    figure: Any = None,
    width: float = style.PAGE,
) -> list[Axes]:
    """Ratio of the mean profiles of two conditions, or regions, over distance.

    Dark band: the interval at each distance alone; pale band: one that holds at all distances at
    once. Where the pale one does not hold 1, the profiles differ.

    Parameters
    ----------
    comparison : Comparison
        From `nrm_plugin.statistics.compare`.
    quantity : str
        Of those whose profiles were compared.
    to : float, optional
        Largest distance that is shown, in m.
    simulated : bool
        Whether to mark the figure so.
    axes, figure : one Axes per region or pair, Figure, optional

    Returns
    -------
    list of Axes
        One for every contrast; words, where there is none.

    Raises
    ------
    InvalidInput
    """
    shown = [one for one in comparison.profiles if one.quantity == quantity]
    width = style.width_of(figure, width)
    _, columns = rows_and_columns(len(shown), width)
    axes = style.several(
        axes,
        max(len(shown), 1),
        width,
        figure=figure,
        columns=columns,
        row_height=52e-3,
        simulated=simulated,
        sharex=True,
        sharey=True,
    )
    there = [one for one in shown if np.isfinite(one.profile["ratio"].values).any()]
    if not there:
        why = next((one.sentence for one in shown if one.sentence), "")
        text = why or f"No profiles of {quantity.replace('_', ' ')} were compared: no ratio."
        return [style.words(ax, text) for ax in axes]
    low, high = _ratio_limits(there, to)
    for ax, one in zip(axes, shown, strict=True):
        if not np.isfinite(one.profile["ratio"].values).any():
            style.words(ax, one.sentence or "No ratio here.")
        else:
            _ratio(ax, one)
        regions = one.kind == "regions"
        pair = [shown_region(name) if regions else short(name) for name in (one.first, one.second)]
        words = " / ".join(pair)
        words += f"\n{short(one.condition)}" if regions else f"\n{shown_region(one.region)}"
        style.title(ax, f"{words}, n = {one.n_first} and {one.n_second}")
    for ax in axes:
        ax.set_yscale("log")
        ax.set_ylim(low, high)
        ax.yaxis.set_major_formatter(_plain)
        ax.yaxis.set_minor_formatter(_plain_where_few(low, high))
        ax.set_xlim(0.0, (to or _reach(there)) * NANO)
        ax.set_xlabel(SHORT_DISTANCE)
        ax.set_ylabel("ratio")
        ax.label_outer()
    level = f"{there[0].level:.0%}"
    style.legend_below(
        axes[0],
        [
            Line2D([], [], color=style.COLOURS[0], label=f"ratio of {quantity.replace('_', ' ')}"),
            Patch(facecolor=style.COLOURS[0], alpha=0.4, lw=0.0, label=f"{level} at each distance"),
            Patch(
                facecolor=style.COLOURS[0], alpha=0.15, lw=0.0, label=f"{level} at all distances"
            ),
        ],
    )
    return list(axes)


def _ratio(ax: Axes, one: ProfileContrast) -> None:
    z, profile = one.profile["depth"].values * NANO, one.profile
    ax.axhline(1.0, color=style.MARK, lw=0.6, zorder=0)
    for ending, alpha, name in (("", 0.15, "simultaneous"), ("_here", 0.25, "pointwise")):
        if f"ratio_low{ending}" in profile:
            ends = (profile[f"ratio_{end}{ending}"].values for end in ("low", "high"))
            low, high = (np.clip(v, 1.0 / _LARGEST_RATIO, _LARGEST_RATIO) for v in ends)
            ax.fill_between(z, low, high, color=style.COLOURS[0], alpha=alpha, lw=0.0, gid=name)
    ax.plot(z, profile["ratio"].values, color=style.COLOURS[0], gid="ratio")


def _reach(shown: Sequence[ProfileContrast]) -> float:
    """Distance in m as far as there are ratios."""
    return max(
        float(one.profile["depth"].values[np.isfinite(one.profile["ratio"].values)][-1])
        for one in shown
    )


def _ratio_limits(shown: Sequence[ProfileContrast], to: float | None) -> tuple[float, float]:
    """Limits that hold all ratios, and bands as far as they do not hide them."""
    ratios, ends = [1.0], [1.0]
    for one in shown:
        near = one.profile["depth"].values <= (np.inf if to is None else to)
        values = one.profile["ratio"].values[near]
        ratios += values[np.isfinite(values) & (values > 0.0)].tolist()
    least, most = max(min(ratios), 1 / _LARGEST_RATIO), min(max(ratios), _LARGEST_RATIO)
    room = min(max(most / least, 1.5), 3.0)
    for one in shown:
        for name in ("ratio_low", "ratio_high"):
            values = one.profile[name].values
            values = values[np.isfinite(values) & (values > 0.0)]
            ends += np.clip(values, least / room, most * room).tolist()
    return 0.95 * min([least, *ends]), 1.05 * max([most, *ends])


def _plain(value: float, _: Any = None) -> str:
    return f"{value:g}"


def _plain_where_few(low: float, high: float) -> Any:
    """Labels of small ticks, where there are hardly any large ones."""
    wanted = (2, 5) if high / low < 300.0 else ()
    more = (1.5, 3, 7) if high / low < 4.0 else ()

    def words(value: float, _: Any = None) -> str:
        digit = value / 10.0 ** np.floor(np.log10(value) + 1e-9)
        return f"{value:g}" if any(abs(digit - w) < 1e-6 for w in (*wanted, *more)) else ""

    return words
