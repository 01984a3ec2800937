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
from nrm_plugin.statistics.intervals import approximate
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
            HtmlColumn("Thickness (nm), 95 % interval", True),
            HtmlColumn("Spread of curves (nm)", True),
            HtmlColumn("Curves with an onset", True),
            HtmlColumn("Effective places", True),
        ]
    rows = []
    for i, region in enumerate(found):
        used, _ = select(results, region.curves)
        row = [region_cell(region), count(len(region.curves)), count(len(used))]
        if thickness is not None:
            of = {str(name): float(values[i]) for name, values in thickness.data_vars.items()}
            row += [
                interval(of["mean"], of["low"], of["high"], NANO),
                number(of["spread"], NANO),
                count(of["n_detected"]),
                number(of["n_effective"], digits=2),
            ]
        rows.append(row)
    return HtmlTable(
        "Regions of the electrode potential and the thickness of the interphase",
        columns,
        rows,
        "Thickness: distance from the electrode at which the interphase is first felt. The spread "
        "is the standard deviation over curves."
        if thickness is not None
        else "",
    )


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
        "independent ones tell as much. Modes: how many the data hold at a level of 5 %, tested "
        "on the effective number; p is the probability of such data if there were only one. Of "
        "few effective places the interval is approximate, with the coverage that it has in "
        "tests. A gain that drifts from line to line is not in the interval of one map: only "
        "places that are visited again show it.",
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
