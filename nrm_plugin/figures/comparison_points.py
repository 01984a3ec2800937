"""Values of conditions side by side: thickness with its samples, and the contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from nrm_plugin.figures import style
from nrm_plugin.figures.comparison_lines import (
    colour_of_condition,
    dashes_of_condition,
    short,
    shown_region,
)
from nrm_plugin.figures.quantities import NANO
from nrm_plugin.statistics.comparison_types import THICKNESS, Comparison, Contrast, SampleValue
from nrm_plugin.text import significant

#: More contrasts than these do not fit on a page: the table has all of them.
MOST_CONTRASTS = 36

#: Ratios that are marked on the axis, where they lie in it.
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100)

_NAMES = {
    "storage_modulus": "E'",
    "loss_modulus": "E''",
    "shear_modulus_magnitude": "|G*|",
    "modulus_magnitude": "|E*|",
    THICKNESS: "thickness",
}


@style.styled
def comparison_thickness(
    comparison: Comparison,
    *,
    simulated: bool = False,
    ax: Axes | None = None,
    figure: Any = None,
    width: float = style.COLUMN,
) -> Axes:
    """Thickness of every sample at the common modulus, by region and condition.

    Dots: samples with their own interval; dash: geometric mean of the samples of a condition,
    where all of them have a value; triangles: up at what a layer is at least, where it goes on
    beyond the profiles, down at what it is at most, where none is seen.

    Parameters
    ----------
    comparison : Comparison
    simulated : bool
        Whether to mark the figure so.
    ax, figure : Axes, Figure, optional

    Returns
    -------
    Axes
        Words, where no sample has a thickness.
    """
    ax = style.one(ax, width, 0.75 * style.width_of(figure, width), figure=figure)
    values = [v for v in comparison.sample_values if v.question.quantity == THICKNESS]
    known = [v for v in values if not np.isnan(v.mean)]
    if not known:
        why = next((v.note for v in values if v.note), "no sample has a value at a common modulus")
        return style.words(ax, f"No thickness to compare: {why}.")
    labels = list(dict.fromkeys(v.question.region for v in values))
    conditions = [c for c in comparison.conditions if any(v.condition == c for v in values)]
    top = 0.0
    for number, name in enumerate(conditions):
        for place, label in enumerate(labels):
            here = [v for v in values if v.condition == name and v.question.region == label]
            middle = place + (number - (len(conditions) - 1) / 2.0) * 0.8 / max(len(conditions), 1)
            top = max(top, _samples(ax, here, middle, 0.6 / max(len(conditions), 1), number))
    ax.set_xlim(-0.6, len(labels) - 0.4)
    for place in range(1, len(labels)):
        ax.axvline(place - 0.5, color=style.NOTHING, lw=0.6, zorder=0)
    names = [shown_region(label) for label in labels]
    if all(name.endswith(" V") for name in names):
        names = [name.removesuffix(" V") for name in names]
        ax.set_xlabel("region of the potential (V)")
    ax.set_xticks(range(len(labels)), names)
    modulus = comparison.thickness_modulus
    at = f" at |G*| = {significant(modulus * 1e-6)} MPa" if np.isfinite(modulus) else ""
    ax.set_ylabel(f"thickness{at} (nm)")
    handles = [
        Line2D(
            [],
            [],
            color=colour_of_condition(number),
            marker="o",
            ms=3.0,
            lw=1.4,
            ls=dashes_of_condition(number),
            label=short(name),
        )
        for number, name in enumerate(conditions)
    ]
    style.legend_above(ax, handles, 0.0, 1.05 * top * NANO)
    style.mark(ax, simulated)
    return ax


def _samples(
    ax: Axes, here: Sequence[SampleValue], middle: float, wide: float, number: int
) -> float:
    """Draw the samples of a condition in a region; the largest value in m that is drawn."""
    colour, top = colour_of_condition(number), 0.0
    offsets = np.linspace(-0.5, 0.5, len(here)) if len(here) > 1 else np.zeros(len(here))
    for one, offset in zip(here, offsets, strict=True):
        at = middle + 0.8 * wide * float(offset)
        if np.isinf(one.mean) and np.isfinite(one.low):
            ax.plot(at, one.low * NANO, "^", color=colour, ms=3.0, gid="at least")
            top = max(top, one.low)
            continue
        if not np.isfinite(one.mean):
            ax.plot(at, 0.0, "x", color=style.MUTED, ms=3.0, clip_on=False, gid="not known")
            continue
        mean = one.mean * NANO
        low, high = (v * NANO if np.isfinite(v) else mean for v in (one.low, one.high))
        ax.vlines(at, low, high, color=colour, lw=0.8, gid="interval")
        if one.mean == 0.0:
            ax.plot(at, high, "v", color=colour, ms=3.0, gid="at most")
        else:
            ax.plot(at, mean, "o", color=colour, ms=3.0, gid="sample")
        top = max(top, one.mean, one.high if np.isfinite(one.high) else 0.0)
    means = np.array([one.mean for one in here])
    if len(here) > 1 and np.isfinite(means).all() and (means > 0.0).all():
        centre = float(np.exp(np.mean(np.log(means)))) * NANO
        ends = middle - 0.5 * wide, middle + 0.5 * wide
        ax.hlines(centre, *ends, color=colour, lw=1.4, gid="condition")
    return top


@style.styled
def comparison_ratio(
    comparison: Comparison,
    *,
    most: int = MOST_CONTRASTS,
    simulated: bool = False,
    ax: Axes | None = None,
    figure: Any = None,
    width: float = style.PAGE,
) -> Axes:
    """Ratios of all contrasts with their intervals, one below the other (a forest plot).

    The question that was named before the run comes first and is filled; the others are open.
    Right: the ratio with its interval, p after Holm's correction where it means something, and the
    samples.

    Parameters
    ----------
    comparison : Comparison
    most : int
        Contrasts that are drawn; the table has all of them.
    simulated : bool
        Whether to mark the figure so.
    ax, figure : Axes, Figure, optional

    Returns
    -------
    Axes
        Words, where no contrast has a ratio.
    """
    every = [*comparison.contrasts, *comparison.thickness]
    every.sort(key=lambda one: not one.primary)
    shown = every[:most]
    width = style.width_of(figure, width)
    height = min((5.4 * len(shown) + 20.0) * 1e-3, style.TALLEST)
    if ax is None:
        figure = style.filled(figure, width, max(height, 30e-3))
        style.mark_whole(figure, simulated)
        ax = figure.add_subplot()
    else:
        style.mark(ax, simulated)
    if not any(one.ratio is not None for one in shown):
        why = next((one.sentence for one in shown if one.sentence), "")
        return style.words(ax, why or "There is nothing to compare.")
    low, high = _limits(shown)
    ax.set_xscale("log")
    ax.axvline(1.0, color=style.MARK, lw=0.6, zorder=0)
    for row, one in enumerate(shown):
        _row(ax, row, one, (low, high))
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_xlim(low, high)
    names = [_name(one) for one in shown]
    ax.set_yticks(range(len(shown)), names)
    for tick, one in zip(ax.get_yticklabels(), shown, strict=True):
        tick.set_fontweight("bold" if one.primary else "normal")
    ax.tick_params(axis="y", length=0.0)
    ticks = [t for t in _TICKS if low <= t <= high]
    ticks = ticks if len(ticks) < 9 else [t for t in ticks if t in (0.01, 0.1, 0.5, 1, 2, 10, 100)]
    ax.set_xticks(ticks)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.minorticks_off()
    level = f"{comparison.level:.0%}"
    ax.set_xlabel(f"ratio, first over second, with its {level} interval; p by Holm; n: samples")
    if len(every) > len(shown):
        left = len(every) - len(shown)
        style.title(ax, f"{len(shown)} of {len(every)} contrasts: the table has the other {left}")
    _numbers(ax, shown)
    return ax


def _limits(shown: Sequence[Contrast]) -> tuple[float, float]:
    """Limits of the axis; an interval that reaches very far is cut."""
    ratios = [one.ratio for one in shown if one.ratio]
    ends = [1.0, *ratios]
    room = max(3.0, (max(ends) / min(ends)) ** 0.75)
    low, high = min(ends) / room, max(ends) * room
    for one in shown:
        ends += [min(max(end, low), high) for end in (one.ratio_low, one.ratio_high) if end]
    return 0.93 * min(ends), 1.07 * max(ends)


def _row(ax: Axes, row: int, one: Contrast, limits: tuple[float, float]) -> None:
    colour = style.COLOURS[0] if one.primary else style.MARK
    if one.ratio is None:
        return
    if one.ratio_low is not None and one.ratio_high is not None:
        ends = [one.ratio_low, one.ratio_high]
        ax.plot(ends, [row, row], color=colour, lw=1.4 if one.primary else 0.8, gid="interval")
        for end, marker in ((one.ratio_low, "<"), (one.ratio_high, ">")):
            if not limits[0] <= end <= limits[1]:  # it goes on beyond the frame
                edge = limits[0] if marker == "<" else limits[1]
                ax.plot(edge, row, marker, color=colour, ms=3.0, clip_on=False)
    face = colour if one.primary else "white"
    ax.plot(
        one.ratio, row, "s" if one.primary else "o", color=colour, mfc=face, ms=3.8, gid="ratio"
    )


def _numbers(ax: Axes, shown: Sequence[Contrast]) -> None:
    """Ratio, p and samples at the right."""
    right = ax.twinx()
    right.set_ylim(ax.get_ylim())
    right.set_yticks(range(len(shown)), [_numbers_of(one) for one in shown])
    right.tick_params(axis="y", length=0.0, labelsize=style.SMALL)
    right.spines[["top", "right", "left", "bottom"]].set_visible(False)
    for tick, one in zip(right.get_yticklabels(), shown, strict=True):
        tick.set_color(style.MARK if one.ratio is not None else style.MUTED)


def _numbers_of(one: Contrast) -> str:
    n = f"n = {one.n_first}" if one.paired else f"n = {one.n_first}, {one.n_second}"
    if one.ratio is None:
        return f"no ratio{_holm(one)}; {n}"
    text = significant(one.ratio)
    if one.ratio_low is not None and one.ratio_high is not None:
        text += f" ({significant(one.ratio_low)} to {significant(one.ratio_high)})"
    return f"{text}{_holm(one)}; {n}"


def _holm(one: Contrast) -> str:
    return "" if one.p_holm is None else f"; p {_probability(one.p_holm)}"


def _probability(p: float) -> str:
    return "< 0.001" if p < 1e-3 else f"= {p:.2g}"


def _name(one: Contrast) -> str:
    """What is compared, in as few words as fit beside an axis."""
    question = one.question
    what = _NAMES.get(question.quantity, question.quantity.replace("_", " "))
    if question.distance is not None:
        low, high = (NANO * end for end in question.distance)
        what += f" {low:.4g}–{high:.4g} nm"
    who = f"{shown_of(one.first, one.paired)} / {shown_of(one.second, one.paired)}"
    where = short(one.condition, 16) if one.paired else shown_region(question.region)
    return f"{what}, {where}: {who}"


def shown_of(name: str, region: bool) -> str:
    """Name of a condition or a region beside an axis."""
    return shown_region(name).removesuffix(" V") + " V" if region else short(name, 16)
