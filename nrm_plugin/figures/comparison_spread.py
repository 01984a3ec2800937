"""How values are spread in conditions: densities and violins side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from nrm_plugin.figures import style
from nrm_plugin.figures.comparison_lines import (
    any_simulated,
    colour_of_condition,
    common_far,
    conditions_of,
    short,
    shown_region,
)
from nrm_plugin.figures.densities import (
    bar_label,
    draw_density,
    explanations,
    most_of,
    with_common_limits,
)
from nrm_plugin.figures.panels import potential_label
from nrm_plugin.figures.quantities import axis_label, scale
from nrm_plugin.statistics.comparison_types import StudySample
from nrm_plugin.statistics.condition_profiles import condition_density, region_labels
from nrm_plugin.statistics.violins import DEFAULT_BINS, Violin, violins

#: More violins than these in a panel cannot be told apart: quartiles alone are drawn then.
_MANY = 32

#: Place that the samples of a region take, of the distance between regions.
_TAKEN = 0.84


@style.styled
def comparison_density(
    samples: Sequence[StudySample],
    variable: str = "shear_modulus_magnitude",
    *,
    to: float | None = None,
    axes: Sequence[Axes] | None = None,
    figure: Any = None,
    width: float = style.PAGE,
) -> list[Axes]:
    """Densities of a variable over depth: a row for every condition, a column for every region.

    Each is the mean of the densities of the samples, so that each sample counts once; all have
    the same colours.

    Parameters
    ----------
    samples : sequence of StudySample
    variable : str
    to : float, optional
        Largest distance that is shown, in m.
    axes, figure : one Axes per condition and region, Figure, optional

    Returns
    -------
    list of Axes
        Condition by condition; with words where there is nothing.

    Raises
    ------
    InvalidInput
    """
    labels, conditions = region_labels(samples), conditions_of(samples)
    width = style.width_of(figure, width)
    columns = max(len(labels), 1)
    axes = style.several(
        axes,
        max(columns * len(conditions), 1),
        width,
        figure=figure,
        columns=columns,
        row_height=max(0.85 * width / max(columns, 3), 34e-3),
        simulated=any_simulated(samples),
        sharex=True,
        sharey=True,
    )
    made = [
        condition_density([one for one in samples if one.condition == name], label, variable)
        for name in conditions
        for label in labels
    ]
    drawn = [one for one in made if one is not None]
    if not drawn:
        return [style.words(ax, "No sample has values.") for ax in axes]
    norm = Normalize(0.0, max(most_of(one) for one in drawn))
    colours: Any = None
    for number, (ax, one) in enumerate(zip(axes, made, strict=True)):
        name, label = conditions[number // columns], labels[number % columns]
        n = sum(s.condition == name and s.region(label) is not None for s in samples)
        lines = [short(name, 22), shown_region(label)]
        if one is None:
            style.words(ax, "no values")
        else:
            colours = draw_density(ax, one, norm)
            lines.append(f"{n} sample{'s' if n != 1 else ''}, {one.n} curves")
        style.title(ax, "\n".join(lines))
    there = [ax for ax, one in zip(axes, made, strict=True) if one is not None]
    with_common_limits(there, drawn, common_far(samples) if to is None else to)
    style.colour_bar(axes[0], colours, bar_label(drawn[0]), axes[1:], extend="max")
    style.legend_below(axes[-1], explanations(drawn), fontsize=style.SMALL)
    return list(axes)


@style.styled
def comparison_violins(
    samples: Sequence[StudySample],
    bins: Sequence[tuple[float, float]] = DEFAULT_BINS,
    variable: str = "shear_modulus_magnitude",
    *,
    axes: Sequence[Axes] | None = None,
    figure: Any = None,
    width: float = style.PAGE,
) -> list[Axes]:
    """Distributions over the curves of every sample, side by side, a panel for every bin.

    In each region the samples stand condition by condition: a violin each with its median
    (circle) and mean (dash). The bar over them is the mean of the means of the samples.

    Parameters
    ----------
    samples : sequence of StudySample
    bins : (low, high) in m
    variable : str
    axes, figure : one Axes per bin, Figure, optional

    Returns
    -------
    list of Axes

    Raises
    ------
    InvalidInput
    """
    labels, conditions = region_labels(samples), conditions_of(samples)
    width = style.width_of(figure, width)
    axes = style.several(
        axes,
        len(bins),
        width,
        figure=figure,
        columns=1,
        row_height=50e-3,
        simulated=any_simulated(samples),
        sharex=True,
    )
    ordered = sorted(samples, key=lambda one: conditions.index(one.condition))
    places = _places(ordered, conditions)
    made = {one.name: violins(one.analysis, list(one.regions), bins, variable) for one in ordered}
    every = [v for found in made.values() for v in found if v.n]
    if not every:
        return [style.words(ax, "No sample has values at these distances.") for ax in axes]
    unit = scale(every[0].unit)
    outlined = len(labels) * len(ordered) <= _MANY
    for number, ax in enumerate(axes):
        shown = []
        for sample in ordered:
            for one in made[sample.name][number :: len(bins)]:
                if one.n:
                    at = labels.index(one.region.label) + places[sample.name]
                    condition = conditions.index(sample.condition)
                    half = 0.44 * _TAKEN / max(len(ordered), 2)
                    _violin(ax, at, half, one, colour_of_condition(condition), outlined)
                    shown.append((sample.condition, one))
        _means_of_conditions(ax, shown, labels, places, ordered, conditions)
        _panel(ax, shown, labels, bins[number], unit)
    axes[-1].set_xticks(
        range(len(labels)), [shown_region(label).removesuffix(" V") for label in labels]
    )
    if all(label.endswith(" V") for label in labels):
        axes[-1].set_xlabel(potential_label(ordered[0].results))
    for ax in axes[:-1]:
        ax.tick_params(axis="x", labelbottom=False)
    _legend(axes[0], conditions, ordered, every)
    return list(axes)


def _places(ordered: Sequence[StudySample], conditions: Sequence[str]) -> dict[str, float]:
    """Where samples stand about the middle of a region, with a gap between conditions."""
    slots, at, before = {}, 0.0, None
    for one in ordered:
        at += 1.0 if before in (None, one.condition) else 1.6
        slots[one.name], before = at, one.condition
    middle = 0.5 * (min(slots.values()) + at) if slots else 0.0
    wide = max(at, 1.0)
    return {name: _TAKEN * (slot - middle) / wide for name, slot in slots.items()}


def _violin(ax: Axes, at: float, half: float, one: Violin, colour: str, outlined: bool) -> None:
    unit = scale(one.unit)
    if outlined and len(one.density) and np.max(one.density) > 0:
        wide = half * one.density / np.max(one.density)
        ax.fill_betweenx(
            unit(one.value),
            at - wide,
            at + wide,
            facecolor=colour,
            alpha=0.4,
            edgecolor=colour,
            lw=0.4,
            gid="violin",
        )
    low, middle, high = (float(unit(q)) for q in one.quartiles)
    ax.vlines(at, low, high, color=colour if not outlined else style.MARK, lw=1.2)
    ax.plot(at, middle, "o", color=style.MARK, mfc="white", mew=0.5, ms=2.2, zorder=4, gid="median")
    ax.plot(at, float(unit(one.mean)), "_", color=colour, mew=1.1, ms=4.0, zorder=5, gid="mean")


def _means_of_conditions(
    ax: Axes,
    shown: Sequence[tuple[str, Violin]],
    labels: Sequence[str],
    places: dict[str, float],
    ordered: Sequence[StudySample],
    conditions: Sequence[str],
) -> None:
    """A bar over the samples of a condition, at the mean of their means."""
    for number, name in enumerate(conditions):
        at = [places[one.name] for one in ordered if one.condition == name]
        pad = 0.5 * _TAKEN / max(len(ordered), 2)
        for place, label in enumerate(labels):
            means = [v.mean for of, v in shown if of == name and v.region.label == label]
            means = [mean for mean in means if np.isfinite(mean)]
            if len(means) > 1:
                value = float(scale(shown[0][1].unit)(np.mean(means)))
                ax.hlines(
                    value,
                    place + min(at) - pad,
                    place + max(at) + pad,
                    color=colour_of_condition(number),
                    lw=1.3,
                    gid="condition",
                )


def _panel(
    ax: Axes,
    shown: Sequence[tuple[str, Violin]],
    labels: Sequence[str],
    bin_: tuple[float, float],
    unit: Any,
) -> None:
    name = f"{bin_[0] * 1e9:.4g}–{bin_[1] * 1e9:.4g} nm"
    if not shown:
        style.words(ax, f"{name}: no sample has values.")
        return
    ones = [one for _, one in shown]
    tops = [float(np.quantile(one.values, 0.99)) for one in ones]
    low = min(0.0, *(float(one.quartiles[0]) for one in ones))
    ax.set_ylim(float(unit(low)), 1.12 * float(unit(max(tops))))
    ax.set_xlim(-0.6, len(labels) - 0.4)
    for place in range(1, len(labels)):
        ax.axvline(place - 0.5, color=style.NOTHING, lw=0.6, zorder=0)
    ax.set_ylabel(axis_label(ones[0].variable, ones[0].unit, ones[0].meaning))
    floors = [one.floor for one in ones if np.isfinite(one.floor)]
    below = [one.below_floor * one.n for one in ones if np.isfinite(one.below_floor)]
    words = name
    if floors and below:
        part = sum(below) / sum(one.n for one in ones if np.isfinite(one.below_floor))
        words += f", {part:.0%} of the values below the noise floor"
        ax.axhline(float(unit(np.median(floors))), color=style.MARK, lw=0.6, ls="--", gid="floor")
    style.title(ax, words)


def _legend(
    ax: Axes, conditions: Sequence[str], ordered: Sequence[StudySample], every: Sequence[Violin]
) -> None:
    handles: list[Any] = []
    for number, name in enumerate(conditions):
        n = sum(one.condition == name for one in ordered)
        label = f"{short(name)} ({n} sample{'s' if n != 1 else ''})"
        handles.append(Patch(facecolor=colour_of_condition(number), alpha=0.5, lw=0.0, label=label))
    handles.append(Line2D([], [], color=style.MUTED, lw=1.3, label="mean of the samples"))
    median: dict[str, Any] = {
        "marker": "o",
        "mfc": "white",
        "mew": 0.5,
        "ms": 2.2,
        "color": style.MARK,
        "lw": 1.2,
    }
    handles.append(Line2D([], [], **median, label="median, middle half"))
    if any(np.isfinite(one.floor) for one in every):
        handles.append(Line2D([], [], color=style.MARK, lw=0.6, ls="--", label="noise floor"))
    style.legend_below(ax, handles)
