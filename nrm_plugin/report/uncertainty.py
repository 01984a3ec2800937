"""What is common to all moduli and in none of their intervals, and the section on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.shape_factor import PAPER
from nrm_plugin.errors import NrmError
from nrm_plugin.experiment.stated import Facts
from nrm_plugin.report import regional
from nrm_plugin.report.elements import (
    Cell,
    HtmlColumn,
    HtmlTable,
    Part,
    Section,
    headings,
    missing,
    number,
    words,
)
from nrm_plugin.report.facts import facts_of, recipe_of
from nrm_plugin.statistics import DEFAULT_BINS, Region, Regions, mean_profile
from nrm_plugin.statistics.selection import Analysis, analysis_of
from nrm_plugin.text import significant

#: Calibrations in which E* is linear, or nearly so.
CALIBRATIONS = {
    "lateral_sensitivity": "lateral sensitivity",
    "lateral_stiffness": "lateral stiffness",
    "dither_amplitude": "dither amplitude",
    "shape_factor": "shape factor r_g",
}


@dataclass(frozen=True)
class CalibrationTerm:
    """A calibration: its value and its relative standard error, None where nobody gave one."""

    name: str
    value: str
    relative: float | None
    source: str


@dataclass(frozen=True)
class Systematic:
    """The common factor of all moduli.

    Attributes
    ----------
    terms : list of CalibrationTerm
    relative : float or None
        Relative standard error of the factor; None if no calibration has an error.
    without : list of str
        Calibrations that have a value and no error.
    """

    terms: list[CalibrationTerm]
    relative: float | None
    without: list[str]


def systematic(results: xr.Dataset) -> Systematic:
    """Calibrations of results with their errors."""
    facts = facts_of(results)
    terms = [_term(facts, key, name) for key, name in CALIBRATIONS.items() if key in facts]
    relative = results.attrs.get("calibration_relative_stderr")
    usable = isinstance(relative, int | float) and math.isfinite(relative) and relative >= 0
    return Systematic(
        terms,
        float(relative) if usable and relative is not None else None,
        [term.name for term in terms if term.relative is None],
    )


def _term(facts: Facts, key: str, name: str) -> CalibrationTerm:
    value, error = facts.number(key), facts.stderr(key)
    relative = abs(error / value) if value and error is not None else None
    return CalibrationTerm(name, facts[key].text, relative, facts[key].source)


@dataclass(frozen=True)
class Choice:
    """A shape factor, and the moduli that it gives.

    Attributes
    ----------
    name : str
    values : mapping of region label to array
        r_g at every depth.
    """

    name: str
    values: Mapping[str, FloatArray]


@dataclass(frozen=True)
class Moduli:
    """Mean storage modulus of a region within a bin of depth, under each choice.

    Attributes
    ----------
    region, label : str
    low, high : float
        Bin in m.
    under : list of (float, float)
        r_g and E' in Pa, nan where there is none, in the order of the choices.
    """

    region: str
    low: float
    high: float
    under: list[tuple[float, float]]


@dataclass(frozen=True)
class ShapeFactorComparison:
    """E under the shape factors that can be had.

    Attributes
    ----------
    source : str
        Where the one that was used comes from.
    choices : list of str
    moduli : list of Moduli
    words : list of str
        Why a choice is missing, and what to know of those that are there.
    """

    source: str
    choices: list[str]
    moduli: list[Moduli]
    words: list[str] = field(default_factory=list)


def compare(
    results: xr.Dataset | Analysis,
    regions: Iterable[Region],
    thicknesses: Mapping[str, float],
    bins: Iterable[tuple[float, float]] = DEFAULT_BINS,
) -> ShapeFactorComparison | None:
    """Storage moduli under the shape factor used, the paper's, and the computed one.

    E* is inversely proportional to r_g, so that no curve is processed again.

    Parameters
    ----------
    results : Dataset
        Of one direction.
    regions : Regions
    thicknesses : mapping
        Mean thickness in m by the label of the region, nan where it is not known.

    Returns
    -------
    ShapeFactorComparison or None
        None without moduli.
    """
    analysis = analysis_of(results)
    results = analysis.results
    if "storage_modulus" not in results or "shape_factor" not in results:
        return None
    shown = [region for region in regions if len(region.curves)]
    depth = results["depth"].values.astype(np.float64)
    used = results["shape_factor"].values.astype(np.float64)
    is_papers = bool(np.allclose(used[np.isfinite(used)], PAPER))
    name = f"the paper's {PAPER}, as processed" if is_papers else "as processed"
    choices = [Choice(name, {r.label: used for r in shown})]
    if not is_papers:
        flat = np.full(len(depth), PAPER)
        choices.append(Choice(f"the paper's {PAPER}", {r.label: flat for r in shown}))
    computed, notes = _computed(facts_of(results), shown, thicknesses, depth)
    if computed:
        choices.append(Choice("computed for tip and layer", computed))
    elif "shape_factor_computed" in results:
        values = results["shape_factor_computed"].values.astype(np.float64)
        choices.append(Choice("computed for the tip", {r.label: values for r in shown}))
    note = str(results.attrs.get("shape_factor_note", ""))
    if note:
        notes.insert(0, f"{note}.")
    table = [
        _moduli(analysis, region, depth, used, choices, low, high)
        for region in shown
        for low, high in bins
    ]
    source = str(results.attrs.get("shape_factor_source", ""))
    return ShapeFactorComparison(source, [choice.name for choice in choices], table, notes)


def _moduli(
    analysis: Analysis,
    region: Region,
    depth: FloatArray,
    used: FloatArray,
    choices: list[Choice],
    low: float,
    high: float,
) -> Moduli:
    mean = mean_profile(analysis, "storage_modulus", region.curves)["mean"].values
    inside = (depth >= low) & (depth < high)
    none = np.full(len(depth), np.nan)
    factors = np.array([choice.values.get(region.label, none)[inside] for choice in choices])
    with np.errstate(invalid="ignore", divide="ignore"):
        values = mean[inside] * used[inside] / factors
    finite = np.isfinite(values)
    has_any = finite.any(axis=1)
    # Averages are comparable over the same distances only.
    common = finite[has_any].all(axis=0)
    under = [
        (float(factor[common].mean()), float(value[common].mean()))
        if has and common.any()
        else (math.nan, math.nan)
        for factor, value, has in zip(factors, values, has_any, strict=True)
    ]
    return Moduli(region.label, low, high, under)


def _computed(
    facts: Facts, regions: list[Region], thicknesses: Mapping[str, float], depth: FloatArray
) -> tuple[dict[str, FloatArray], list[str]]:
    """Local shape factor of the tip in the layer of every region, or why there is none."""
    radius = facts.number("tip_radius")
    if radius is None:
        return {}, [
            "It could not be computed for this tip: its radius is not known (tip_radius in the "
            "experiment file)."
        ]
    from nrm_plugin import fea  # here, since a report without a radius needs no solver

    ratio = facts.number("poisson_ratio")
    poisson = 0.5 if ratio is None else ratio
    angle = facts.number("tip_half_angle") or 0.0
    shape = f"cone of {math.degrees(angle):.3g}° half angle" if angle else "cylinder"
    factors: dict[str, FloatArray] = {}
    notes = [
        f"Computed: a bonded {shape} with a spherical end of radius "
        f"{significant(radius * 1e9)} nm in a homogeneous layer as thick as the region's mean, "
        f"Poisson ratio {poisson:g}, at each "
        "distance from the electrode. Next to the electrode it is larger, since the layer is held "
        "there: moduli are smaller than under a constant. The loss modulus goes with the storage "
        "modulus by the same factor."
    ]
    for region in regions:
        thickness = thicknesses.get(region.label, math.nan)
        if not math.isfinite(thickness):
            notes.append(f"{region.label}: none is computed, the thickness is not known.")
            continue
        try:
            layer = fea.Layer(thickness, poisson_ratio=poisson)
            curve = fea.shape_factor(fea.Tip(radius, angle), layer, table=True)
            factors[region.label] = curve.at(depth)
        except NrmError as error:
            notes.append(f"{region.label}: {error}.")
    return factors, notes


def errors_section(
    results: xr.Dataset, common: Systematic, compared: ShapeFactorComparison | None, found: Regions
) -> Section:
    """What is in the intervals, and what is not."""
    section = Section(title="What the errors contain", anchor="errors")
    section.words.append(
        "Intervals are those of the mean over curves, with the noise and the spread of the sample "
        "in them; neighbouring curves that resemble each other count for less than one each. What "
        "follows is common to all curves. No number of curves makes it smaller, and it is in no "
        "interval of this report."
    )
    section.parts = [
        _calibrations(common),
        _shape(compared, found),
        _origin(results),
    ]
    return section


def _calibrations(common: Systematic) -> Part:
    part = Part(title="Calibrations")
    if common.relative is None:
        part.missing = True
        part.words.append(
            "No calibration has a standard error, so nobody knows how far all moduli may be off "
            "together. Calibrations of the lateral force are rarely better than 15 to 20 %. "
            "`nrm calibrate` gives standard errors with the values; or write KEY_stderr into the "
            "experiment file."
        )
    else:
        low, high = (math.exp(s * 1.96 * common.relative) for s in (-1, 1))
        part.words.append(
            f"All moduli share one unknown factor with a relative standard error of "
            f"{significant(100 * common.relative, 2)} %: with 95 % probability they are "
            f"{significant(low, 2)} to {significant(high, 2)} times what is shown, all of them "
            "together. Ratios between regions, depths and places are free of it."
        )
        if common.without:
            part.words.append(
                f"Not in that number, since nobody gave a standard error: "
                f"{', '.join(common.without)}."
            )
    if common.terms:
        rows = [
            [words(t.name), words(t.value), number(t.relative, 100.0, 2, "%"), words(t.source)]
            for t in common.terms
        ]
        columns = [
            *headings("Calibration", "Value"),
            HtmlColumn("Relative standard error", True),
            HtmlColumn("Where from"),
        ]
        part.tables.append(HtmlTable("Calibrations in which moduli are linear", columns, rows))
    return part


def _shape(compared: ShapeFactorComparison | None, found: Regions) -> Part:
    title = "The shape factor"
    if compared is None:
        return missing(title, "Without moduli there is no shape factor.")
    part = Part(
        title=title,
        words=[
            f"E* is inversely proportional to the shape factor r_g. Used here: "
            f"{compared.source or 'one of unknown origin'}. It comes from a model of tip and "
            "layer, and its choice is in none of the intervals."
        ],
    )
    part.words += compared.words
    if compared.moduli:
        part.tables.append(_comparison_table(compared, found))
    return part


def _origin(results: xr.Dataset) -> Part:
    """Blur of the derivative, and how well the origin of distances is known."""
    noise, choice = (
        _median(results, name) for name in ("contact_height_stderr", "contact_height_systematic")
    )
    recipe = recipe_of(results)
    width = None if recipe is None else recipe.derivative.half_width
    valid = _median(results, "depth_valid_min")
    rows = [
        [words(name), number(value, 1e9, unit="nm"), words(effect)]
        for name, value, effect in (
            (
                "Standard error of the solid contact",
                noise,
                "shifts the whole profile of a curve along the distance",
            ),
            ("Shift by another slope of the wall", choice, "the same, for all curves together"),
            (
                "Half-width of the derivative's window",
                width,
                "edges of layers are blurred over about this distance",
            ),
            ("First distance with an estimate", valid, "closer to the electrode nothing is known"),
        )
    ]
    columns = headings(
        "What", "Median over curves", "What it does", numbers=("Median over curves",)
    )
    return Part(
        title="Distances", tables=[HtmlTable("How well distances are known", columns, rows)]
    )


def _median(results: xr.Dataset, name: str) -> float:
    if name not in results:
        return math.nan
    values = np.abs(results[name].values.astype(np.float64))
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else math.nan


def _comparison_table(compared: ShapeFactorComparison, found: Regions) -> HtmlTable:
    """Storage modulus under each shape factor."""
    high = {region.label: region.high for region in found}
    columns = headings("Region", "Distance (nm)")
    for choice in compared.choices:
        columns += [HtmlColumn(f"r_g, {choice}", True), HtmlColumn(f"E′ (MPa), {choice}", True)]
    rows = []
    for one in compared.moduli:
        row = [
            Cell(regional.title_of(one.region), high.get(one.region, math.nan), "name"),
            Cell(f"{one.low * 1e9:g}–{one.high * 1e9:g}", one.low, "name"),
        ]
        for factor, modulus in one.under:
            row += [number(factor), number(modulus, 1e-6)]
        rows.append(row)
    return HtmlTable("Storage modulus under each shape factor", columns, rows)
