"""What is common to all moduli and in none of their intervals: calibrations and shape factor."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.shape import PAPER
from nrm_plugin.errors import NrmError
from nrm_plugin.report.known import Known, known_of
from nrm_plugin.report.tables import rounded
from nrm_plugin.statistics import DEFAULT_BINS, Region, mean_profile

#: Calibrations in which E* is linear, or nearly so.
CALIBRATIONS = {
    "lateral_sensitivity": "lateral sensitivity",
    "lateral_stiffness": "lateral stiffness",
    "dither_amplitude": "dither amplitude",
    "shape_factor": "shape factor r_g",
}


@dataclass(frozen=True)
class Part:
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
    parts : list of Part
    relative : float or None
        Relative standard error of the factor; None if no calibration has an error.
    without : list of str
        Calibrations that have a value and no error.
    """

    parts: list[Part]
    relative: float | None
    without: list[str]


def systematic(results: xr.Dataset) -> Systematic:
    """Calibrations of results with their errors."""
    known = known_of(results)
    parts = [_part(known, key, name) for key, name in CALIBRATIONS.items() if key in known]
    said = results.attrs.get("calibration_relative_stderr")
    usable = isinstance(said, int | float) and math.isfinite(said) and said >= 0
    return Systematic(
        parts,
        float(said) if usable and said is not None else None,
        [part.name for part in parts if part.relative is None],
    )


def _part(known: Known, key: str, name: str) -> Part:
    value, error = known.number(key), known.number(f"{key}_stderr")
    relative = abs(error / value) if value and error is not None else None
    return Part(name, known[key].text, relative, known[key].source)


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
class Comparison:
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
    results: xr.Dataset,
    regions: Iterable[Region],
    thicknesses: Mapping[str, float],
    bins: Iterable[tuple[float, float]] = DEFAULT_BINS,
) -> Comparison | None:
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
    Comparison or None
        None without moduli.
    """
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
    computed, words = _computed(known_of(results), shown, thicknesses, depth)
    if computed:
        choices.append(Choice("computed for tip and layer", computed))
    table = [
        _moduli(results, region, depth, used, choices, low, high)
        for region in shown
        for low, high in bins
    ]
    source = str(results.attrs.get("shape_factor_source", ""))
    return Comparison(source, [choice.name for choice in choices], table, words)


def _moduli(
    results: xr.Dataset,
    region: Region,
    depth: FloatArray,
    used: FloatArray,
    choices: list[Choice],
    low: float,
    high: float,
) -> Moduli:
    mean = mean_profile(results, "storage_modulus", region.curves)["mean"].values
    inside = (depth >= low) & (depth < high)
    none = np.full(len(depth), np.nan)
    factors = np.array([choice.values.get(region.label, none)[inside] for choice in choices])
    with np.errstate(invalid="ignore", divide="ignore"):
        values = mean[inside] * used[inside] / factors
    known = np.isfinite(values)
    has_any = known.any(axis=1)
    # Averages are comparable over the same distances only.
    there = known[has_any].all(axis=0)
    under = [
        (float(factor[there].mean()), float(value[there].mean()))
        if has and there.any()
        else (math.nan, math.nan)
        for factor, value, has in zip(factors, values, has_any, strict=True)
    ]
    return Moduli(region.label, low, high, under)


def _computed(
    known: Known, regions: list[Region], thicknesses: Mapping[str, float], depth: FloatArray
) -> tuple[dict[str, FloatArray], list[str]]:
    """Local shape factor of the tip in the layer of every region, or why there is none."""
    radius = known.number("tip_radius")
    if radius is None:
        return {}, [
            "It could not be computed for this tip: its radius is not known (tip_radius in the "
            "experiment file)."
        ]
    from nrm_plugin import fea  # here, since a report without a radius needs no solver

    ratio = known.number("poisson_ratio")
    poisson = 0.5 if ratio is None else ratio
    found: dict[str, FloatArray] = {}
    words = [
        f"Computed: a bonded cylinder with a spherical end of radius {rounded(radius * 1e9)} nm in "
        f"a homogeneous layer as thick as the region's mean, Poisson ratio {poisson:g}, at each "
        "distance from the electrode. Next to the electrode it is larger, since the layer is held "
        "there: moduli are smaller than under a constant."
    ]
    for region in regions:
        thickness = thicknesses.get(region.label, math.nan)
        if not math.isfinite(thickness):
            words.append(f"{region.label}: none is computed, the thickness is not known.")
            continue
        try:
            layer = fea.Layer(thickness, poisson_ratio=poisson)
            curve = fea.shape_factor(fea.Tip(radius), layer, table=True)
            found[region.label] = curve.at(depth)
        except NrmError as error:
            words.append(f"{region.label}: {error}.")
    return found, words
