"""Tables by region of the potential and bin of depth."""

from __future__ import annotations

import base64
import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin.columns import FloatArray
from nrm_plugin.figures.panels import has_potential
from nrm_plugin.report.elements import (
    Cell,
    HtmlColumn,
    HtmlTable,
    count,
    headings,
    interval,
    number,
    words,
)
from nrm_plugin.statistics import Region, Regions, regions
from nrm_plugin.statistics.intervals import NOT_IN_IT, approximate
from nrm_plugin.statistics.regions import ALL, ANY, everything
from nrm_plugin.statistics.selection import select
from nrm_plugin.statistics.summary import COLUMNS
from nrm_plugin.text import NOTHING, significant
from nrm_plugin.variables import BIT

NANO, MEGA = 1e9, 1e-6


def regions_or_all(
    results: xr.Dataset, edges: Sequence[float], selection: Mapping[str, Any] | None = None
) -> Regions:
    """Regions of the potential; all curves as one where no curve has a potential.

    `selection` holds keywords of `nrm_plugin.statistics.regions`: sweep, cycle, surface, run.
    """
    wanted = dict(selection or {})
    if has_potential(results):
        return regions(results, edges, **wanted)
    return everything(results, wanted.get("surface", ANY), wanted.get("run", ALL))


def title_of(label: str) -> str:
    """Name of a region or bin as it is printed."""
    return label.replace("-", "–").replace(" ", "\N{NO-BREAK SPACE}")


def region_cell(region: Region) -> Cell:
    """Name of a region, sorted by its potential."""
    return Cell(title_of(region.label), region.high, "name")


def thickness_table(results: xr.Dataset, found: Regions, thickness: xr.Dataset | None) -> HtmlTable:
    """Curves and thickness of every region."""
    columns = headings("Region", "Curves", "In averages", numbers=("Curves", "In averages"))
    if thickness is not None:
        columns += [
            HtmlColumn("Mean thickness (nm), 95 % interval", True),
            HtmlColumn("From"),
            HtmlColumn("Curves: edge seen / of these perhaps hidden layer / nothing", True),
            HtmlColumn("Spread of curves (nm)", True),
            HtmlColumn("Effective places", True),
        ]
        if np.isfinite(thickness["normal_mean"]).any():
            columns.append(HtmlColumn("Along the normal (nm)", True))
    rows = []
    for i, region in enumerate(found):
        used, _ = select(results, region.curves)
        row = [region_cell(region), count(len(region.curves)), count(len(used))]
        if thickness is not None:
            of = _numbers(thickness, i)
            counts = " / ".join(f"{of[name]:.0f}" for name in ("n_detected", "n_right", "n_left"))
            row += [
                _mean_cell(of),
                words(str(thickness["method"].values[i])),
                Cell(counts, of["n_detected"]),
                number(of["spread"], NANO),
                number(of["n_effective"], digits=2),
            ]
            if len(columns) > len(row):
                normal = [of[f"normal_{name}"] for name in ("mean", "low", "high")]
                row.append(interval(normal[0], normal[1], normal[2], NANO))
        rows.append(row)
    return HtmlTable(
        "Regions of the electrode potential and the thickness of the interphase",
        columns,
        rows,
        "The interval holds the scatter of the curves, what they have in common with their "
        "neighbours, and the contact's common error. From: the mean of single curves; the mean "
        "force of curves that are alike, which sees layers that noise hides in single ones; or "
        "bounds, as if layers that may be hidden ended at the edge that is seen, and as if they "
        "went on to the outermost edge of the region. Curves in which nothing is seen are no "
        "curves of thickness 0."
        if thickness is not None
        else "",
    )


def edges_table(found: Regions, thickness: xr.Dataset) -> HtmlTable:
    """Onset of the mean force, distance at one modulus, and decay length of every region."""
    at = f"|G*| = {significant(float(thickness.attrs['threshold']) * MEGA, 2)} MPa"
    numbers = (
        "Outermost edge (nm), 95 % interval",
        "Detection limit |G*| (MPa)",
        f"Distance at {at} (nm), 95 % interval",
        "Decay length (nm)",
    )
    rows = []
    for i, region in enumerate(found):
        of = _numbers(thickness, i)
        rows.append(
            [
                region_cell(region),
                _edge_cell(*(of[f"outermost{name}"] for name in ("", "_low", "_high"))),
                number(of["limit"], MEGA, 2),
                _edge_cell(*(of[f"threshold_{name}"] for name in ("distance", "low", "high"))),
                number(of["decay_length"], NANO, 2),
            ]
        )
    width = float(thickness.attrs["limit_width"]) * NANO
    return HtmlTable(
        "Where the regions end: onset, one common modulus, decay",
        headings("Region", *numbers, numbers=numbers),
        rows,
        "Outermost edge: where the mean force of the region begins, taken as a straight line; of "
        "curves of 15 and 55 nm it is 55 nm, and it is never a mean thickness. Where the curves' "
        "edges are spread, the force begins gradually, and the interval reaches out to where the "
        "mean force allows one curve in forty to end. Detection limit: the modulus of a layer "
        f"{width:.0f} nm wide that the mean force would show in nearly all cases; material that "
        "is softer, or in few curves, may reach farther out unseen. Regions, and "
        "samples, are compared at one common modulus, the largest of the "
        "limits: an onset moves outwards as the noise falls or the layer stiffens, a distance at "
        "one modulus does not. Decay length: where the mean force falls off exponentially; such a "
        "layer has no edge, and its onset follows its stiffness.",
    )


def _numbers(thickness: xr.Dataset, row: int) -> dict[str, float]:
    """Numbers of a region."""
    return {
        str(name): float(values[row])
        for name, values in thickness.data_vars.items()
        if values.dtype.kind in "fib"
    }


def thickness_cell(thickness: xr.Dataset, row: int) -> Cell:
    """Mean thickness of a region with its interval; bounds where there is no mean."""
    return _mean_cell(_numbers(thickness, row))


def _mean_cell(of: Mapping[str, float]) -> Cell:
    """Mean with its interval; bounds where there is no mean."""
    low, high = of["low"], of["high"]
    if of["measurable"]:
        return interval(of["mean"], low, high, NANO)
    if math.isinf(high) and not low > 0.0:
        return Cell("not measurable", math.nan)
    if not math.isfinite(low):
        return Cell(NOTHING, math.nan)
    bounds = "at least " if math.isinf(high) else ""
    bounds += significant(low * NANO)
    bounds += "" if math.isinf(high) else f" to {significant(high * NANO)}"
    return Cell(f"not measurable: {bounds}", low * NANO)


def _edge_cell(edge: float, low: float, high: float) -> Cell:
    """Distance with its interval, which may be open."""
    if math.isnan(edge):
        return Cell(NOTHING, math.nan)
    if math.isinf(edge) or math.isinf(high):
        return Cell(f"at least {significant(low * NANO)}", low * NANO)
    return interval(edge, low, high, NANO)


def summary_table(rows: Sequence[Mapping[str, Any]], found: Regions) -> HtmlTable:
    """Magnitude of the shear modulus by region and bin."""
    high = {region.label: region.high for region in found}
    numbers = (
        "Curves",
        "Effective places",
        "Mean |G*| (MPa), 95 % interval",
        "Median (MPa)",
        "Quartiles (MPa)",
        "Noise floor (MPa)",
        "Below floor (%)",
        "Modes",
        "p (one mode)",
    )
    columns = headings("Region", "Distance (nm)", *numbers, numbers=numbers)
    table = []
    for row in rows:
        quartiles = [row["quartile_1"], row["quartile_3"]]
        known = all(math.isfinite(q) for q in quartiles)
        between = " to ".join(significant(q * MEGA) for q in quartiles) if known else NOTHING
        cells = [
            Cell(title_of(row["region"]), high.get(row["region"], math.nan), "name"),
            Cell(title_of(row["bin"].removesuffix(" nm")), row["depth_low"], "name"),
            count(row["n"]),
            number(row["n_effective"], digits=2),
            _approximate(interval(row["mean"], row["low"], row["high"], MEGA), row["coverage"]),
            number(row["median"], MEGA),
            Cell(between, quartiles[0]),
            number(row["noise_floor"], MEGA, 2),
            number(row["below_floor"], 100.0, 2),
            count(row["modes"] or math.nan),
            number(row["p_one_mode"], digits=2),
        ]
        table.append(cells)
    return HtmlTable(
        "Magnitude of the shear modulus |G*| by region and distance from the electrode",
        columns,
        table,
        "The mean is the magnitude of the mean complex modulus, which noise does not raise; "
        "median and quartiles are of the magnitudes of single curves, which it does: compare them "
        "with the noise floor and the part of the curves below it. Effective places: how many "
        "independent ones tell as much. Modes: how many the data hold at a level of 5 % of "
        "the whole table (Benjamini and Hochberg), tested on the effective number; p is the "
        "probability of such data if there were only one, of this row alone. Of few effective "
        "places the interval is approximate, with the coverage that it has in tests. "
        f"{NOT_IN_IT[0].upper()}{NOT_IN_IT[1:]}; where places are visited again at known "
        "times, it is measured and is in it.",
    )


def _approximate(cell: Cell, coverage: float) -> Cell:
    """An interval, with its tested coverage where that is below 90 %."""
    if not math.isfinite(coverage):
        return cell
    return Cell(f"{cell.text} ({approximate(coverage)})", cell.key)


#: Of the normal channel: what a column of the table is called, and its unit in SI units.
_NORMAL = {
    "normal_onset": ("Onset (nm)", NANO),
    "lateral_onset": ("Lateral onset (nm)", NANO),
    "first_break_through_force": ("First break-through (nN)", NANO),
    "adhesion_force": ("Attraction (nN)", NANO),
    "pull_off_distance": ("Pull-off (nm)", NANO),
    "normal_work": ("Work (aJ)", 1e18),
}


def normal_table(results: xr.Dataset, found: Regions) -> HtmlTable:
    """The normal channel of every region, by direction: medians, and of how many curves."""
    numbers = ("Curves", *(title for title, _ in _NORMAL.values()))
    both = "direction" in results.dims
    rows = []
    for direction in range(results.sizes["direction"] if both else 1):
        one = results.isel(direction=direction) if both else results
        name = [words(str(one["direction"].values))] if "direction" in one.coords else []
        contact = (one["quality"].values & BIT["no_hard_contact"]) == 0
        for region in found:
            curves = region.curves[contact[region.curves]]
            cells = [
                _median_of(one[what].values[curves], factor) if what in one else words("")
                for what, (_, factor) in _NORMAL.items()
            ]
            rows.append([region_cell(region), *name, count(len(curves)), *cells])
    directions = ("Direction",) if rows and len(rows[0]) > len(numbers) + 1 else ()
    return HtmlTable(
        "Normal force: medians over the curves with contact",
        headings("Region", *directions, *numbers, numbers=numbers),
        rows,
        "In brackets the curves that have one, where not all do. Onset: the largest distance from "
        "the electrode at which the force can be told from noise. Attraction is the adhesion on "
        "the way up, a snap-in on the way down. Work: force integrated over the distance.",
    )


def _median_of(values: FloatArray, factor: float) -> Cell:
    known = values[np.isfinite(values)]
    if not len(known):
        return number(None)
    cell = number(float(np.median(known)), factor)
    return cell if len(known) == len(values) else Cell(f"{cell.text} ({len(known)})", cell.key)


def as_download(rows: Sequence[Mapping[str, Any]]) -> str:
    """The summary as CSV in a data address, SI, as ``nrm_plugin.statistics`` writes it."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return "data:text/csv;base64," + base64.b64encode(text.getvalue().encode()).decode("ascii")
