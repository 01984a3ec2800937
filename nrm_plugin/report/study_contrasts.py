"""The comparison as the page of a study has it: the primary question, all tests, figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from nrm_plugin import figures
from nrm_plugin.figures.quantities import scale
from nrm_plugin.report.elements import (
    Cell,
    HtmlTable,
    Part,
    Section,
    count,
    headings,
    interval,
    words,
)
from nrm_plugin.report.pictures import Picture, picture
from nrm_plugin.statistics.comparison_conclusions import conclusion
from nrm_plugin.statistics.comparison_types import (
    THICKNESS,
    Comparison,
    Contrast,
    StudySample,
)
from nrm_plugin.statistics.regions import ALL_CURVES
from nrm_plugin.statistics.violins import DEFAULT_BINS
from nrm_plugin.text import NOTHING, counted, printable, significant

#: More values than these are left to the table in a file.
_MOST_VALUES = 80

#: Maps of more samples are left to their files.
_MOST_MAPS = 6

_MEANINGS = {
    "storage_modulus": "E'",
    "loss_modulus": "E''",
    "shear_modulus_magnitude": "|G*|",
    THICKNESS: "thickness",
}


def comparison_section(
    samples: Sequence[StudySample],
    comparison: Comparison,
    kinds: Sequence[str] | None = None,
    bins: Sequence[tuple[float, float]] = DEFAULT_BINS,
) -> Section:
    """The comparison: the primary question first, statements, tables and figures."""
    section = Section(title="Comparison", anchor="comparison")
    primary = comparison.primary_contrasts
    section.words = [
        f"Named before the run: {printable(one.sentence)} {printable(conclusion(one))}"
        for one in primary
    ]
    section.words += [printable(text) for text in comparison.statements]
    every = [*comparison.contrasts, *comparison.thickness]
    every.sort(key=lambda one: not one.primary)
    if every:
        section.tables.append(_contrasts(every, comparison.level))
        untested = [one for one in every if one.p is None]
        if untested:
            section.tables.append(_untested(untested))
        section.pictures.append(_forest(comparison, samples))
    parts = []
    if comparison.sample_values:
        parts.append(Part(title="Values of the samples", tables=[_values(comparison)]))
    parts += _pictures(samples, comparison, kinds, bins)
    section.parts = [part for part in parts if part.pictures or part.tables]
    return section


def _contrasts(every: Sequence[Contrast], level: float) -> HtmlTable:
    usual = {one.unit for one in every} <= {"Pa", "m", ""}
    difference = "Difference (MPa; nm)" if usual else "Difference"
    rows = []
    for one in every:
        rows.append(
            [
                words(f"{'primary: ' if one.primary else ''}{_quantity(one)}"),
                words(_where(one)),
                words(printable(f"{one.first} / {one.second}")),
                _ratio(one.ratio, one.ratio_low, one.ratio_high),
                _difference(one, not usual),
                _ratio(one.effect_size, one.effect_size_low, one.effect_size_high, 2),
                _probability(one.p, one.p_holm),
                words(f"{one.n_first}, {one.n_second}", "name"),
            ]
        )
    return HtmlTable(
        "All contrasts, the primary one first",
        headings(
            *("Quantity", "Region", "First / second", "Ratio", difference, "Effect size"),
            *("p (Holm)", "Samples"),
            numbers=("Ratio", difference, "Effect size", "p (Holm)"),
        ),
        rows,
        f"Ratio and difference with their {level:.0%} intervals: first over second, first minus "
        "second, of means of samples. Effect size: Hedges' g, in units of the spread between "
        "samples. p counts samples; Holm corrects all tests but the primary ones together.",
    )


def _untested(contrasts: Sequence[Contrast]) -> HtmlTable:
    rows = [
        [
            words(f"{_quantity(one)}, {_where(one)}"),
            words(printable(f"{one.first} / {one.second}")),
            words(printable(one.sentence)),
        ]
        for one in contrasts
    ]
    columns = headings("Contrast", "First / second", "Why there is no test")
    return HtmlTable("Contrasts that cannot be tested", columns, rows)


def _quantity(one: Contrast) -> str:
    question = one.question
    name = _MEANINGS.get(question.quantity, question.quantity.replace("_", " "))
    if question.distance is None:
        return name
    low, high = (1e9 * end for end in question.distance)
    return f"{name} at {low:.4g} to {high:.4g} nm"


def _where(one: Contrast) -> str:
    if one.paired:
        return f"within the samples of {printable(one.condition)}"
    return (one.question.region or ALL_CURVES).replace("-", " to ")


def _ratio(value: float | None, low: float | None, high: float | None, digits: int = 3) -> Cell:
    if value is None or not math.isfinite(value):
        return Cell(NOTHING, math.nan)
    text = significant(value, digits)
    if low is not None and high is not None:
        text += f" ({significant(low, digits)} to {significant(high, digits)})"
    return Cell(text, value)


def _difference(one: Contrast, unit: bool) -> Cell:
    shown = scale(one.unit)
    ends = (one.difference, one.difference_low, one.difference_high)
    value, low, high = (None if end is None else end * shown.factor for end in ends)
    cell = _ratio(value, low, high)
    return Cell(f"{cell.text} {shown.unit}", cell.key) if unit and cell.text != NOTHING else cell


def _probability(p: float | None, holm: float | None) -> Cell:
    """A p value, and the corrected one behind it."""
    if p is None:
        return Cell(NOTHING, math.nan)
    plain, corrected = ("< 0.001" if one < 1e-3 else f"{one:.2g}" for one in (p, holm or p))
    return Cell(f"{plain} ({NOTHING if holm is None else corrected})", p)


def _values(comparison: Comparison) -> HtmlTable:
    values, note = comparison.sample_values, ""
    if len(values) > _MOST_VALUES:
        few = [v for v in values if v.question in (comparison.primary, values[0].question)]
        note = f" {len(values) - len(few)} values for other questions: see the table in a file."
        values = tuple(few)
    rows = []
    for one in values:
        shown = scale(one.unit)
        question = one.question
        distance = ""
        if question.distance is not None:
            low, high = (1e9 * end for end in question.distance)
            distance = f"{low:.4g} to {high:.4g} nm"
        cell = interval(one.mean, one.low, one.high, shown.factor)
        text = f"{cell.text} {shown.unit}" if math.isfinite(one.mean) else cell.text
        rows.append(
            [
                words(printable(one.sample)),
                words(printable(one.condition)),
                words(_MEANINGS.get(question.quantity, question.quantity.replace("_", " "))),
                words(distance, "name"),
                words((question.region or ALL_CURVES).replace("-", " to "), "name"),
                Cell(text, cell.key),
                count(one.n),
                Cell(
                    f"{one.n_effective:.0f}" if math.isfinite(one.n_effective) else NOTHING,
                    one.n_effective,
                ),
                words(printable(one.note)),
            ]
        )
    return HtmlTable(
        "What the contrasts are made of: one value per sample and question",
        headings(
            *("Sample", "Condition", "Quantity", "Distance", "Region", "Mean (95 % within it)"),
            *("Curves", "Effective", "Note"),
            numbers=("Mean (95 % within it)", "Curves", "Effective"),
        ),
        rows,
        f"Effective: independent places that tell as much as the curves.{note}",
    )


def _marked(samples: Sequence[StudySample]) -> bool:
    return any(bool(one.results.attrs.get("simulated", 0)) for one in samples)


def _forest(comparison: Comparison, samples: Sequence[StudySample]) -> Picture:
    return picture(
        partial(figures.comparison_ratio, comparison, simulated=_marked(samples)),
        "Ratios of all contrasts with their intervals; filled and bold: the question that was "
        "named before the run.",
        "A row per contrast: a mark at the ratio, a line for its interval, the numbers beside it.",
    )


def _pictures(
    samples: Sequence[StudySample],
    comparison: Comparison,
    kinds: Sequence[str] | None,
    bins: Sequence[tuple[float, float]],
) -> list[Part]:
    """Figures of the kinds that were asked for."""
    every = samples
    samples = [one for one in every if "storage_modulus" in one.results]
    if not samples:
        return _maps(every) if kinds is None or "maps" in kinds else []
    marked: dict[str, Any] = {"simulated": _marked(samples)}
    thick = any(
        math.isfinite(one.mean)
        for one in comparison.sample_values
        if one.question.quantity == THICKNESS
    )
    parts = []
    for title, kind, draws in (
        (
            "Profiles",
            "profiles",
            [
                (
                    partial(figures.comparison_profiles, samples, "storage_modulus"),
                    "Mean storage modulus of the conditions with the interval of the mean over "
                    "samples; thin lines are samples.",
                    "A panel per region: a thick line and a band per condition, thin lines for its "
                    "samples.",
                ),
                (
                    partial(figures.comparison_profiles, samples, "loss_modulus"),
                    "The same of the loss modulus.",
                    "A panel per region, as before.",
                ),
                *(
                    (
                        partial(figures.comparison_ratio_profiles, comparison, quantity, **marked),
                        f"Ratio of the profiles of the {quantity.replace('_', ' ')}. Where the "
                        "pale band, which holds at all distances at once, does not hold 1, the "
                        "profiles differ.",
                        "A panel per contrast: a line for the ratio in two bands, on a log axis.",
                    )
                    for quantity in dict.fromkeys(one.quantity for one in comparison.profiles)
                ),
            ],
        ),
        (
            "Distributions",
            "violin",
            [
                (
                    partial(figures.comparison_violins, samples, bins),
                    "|G*| of single curves, a violin per sample, cut at the frame; dot: median, "
                    "black bar: middle half of the curves, short line: mean of the sample; long "
                    "line: mean of the means of the samples of a condition.",
                    "A panel per range of distance: violins in the colours of the conditions.",
                )
            ],
        ),
        (
            "Densities",
            "density",
            [
                (
                    partial(figures.comparison_density, samples),
                    "Density of |G*| over distance: the mean of the densities of the samples.",
                    "A row per condition, a column per region, darker where more curves are.",
                )
            ],
        ),
        (
            "Thickness",
            "thickness",
            [
                (
                    partial(figures.comparison_thickness, comparison, **marked),
                    f"Thickness of the samples at {_modulus(comparison)}: a dot per sample with "
                    "the interval that its own curves leave; line: mean of the samples.",
                    "A dot per sample in the colour of its condition, by region.",
                )
            ],
        ),
    ):
        if (kinds is None or kind in kinds) and (thick or kind != THICKNESS):
            parts.append(Part(title=title, pictures=[picture(*draw) for draw in draws]))
    return parts


def _maps(samples: Sequence[StudySample]) -> list[Part]:
    """Maps of heights and flags, of samples that have nothing else to show."""
    pictures = [
        picture(
            partial(figures.region_maps, one.analysis, regions=one.regions),
            f"Heights of the solid contact and flags of {printable(one.name)}.",
            "A column per region and visit: heights above, flagged curves below.",
        )
        for one in samples[:_MOST_MAPS]
    ]
    left = len(samples) - len(pictures)
    words = [f"Maps of {counted(left, 'further sample')} are files beside this page."]
    return [Part(title="Maps", pictures=pictures, words=words if left else [])]


def _modulus(comparison: Comparison) -> str:
    modulus = comparison.thickness_modulus
    if not math.isfinite(modulus):
        return "a common modulus"
    return f"|G*| = {significant(modulus * 1e-6)} MPa, the same for all"
