"""Tables by region of the potential and bin of depth."""

from __future__ import annotations

import base64
import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from nrm_plugin.figures.panels import everything, has_potential
from nrm_plugin.report.tables import NOTHING, Cell, Column, Table, count, interval, number, rounded
from nrm_plugin.report.uncertainty import Comparison
from nrm_plugin.statistics import Region, Regions, regions
from nrm_plugin.statistics.selection import select
from nrm_plugin.statistics.summary import COLUMNS

NANO, MEGA = 1e9, 1e-6


def regions_or_all(results: xr.Dataset, edges: Sequence[float]) -> Regions:
    """Regions of the potential; all curves as one where no curve has a potential."""
    if has_potential(results):
        return regions(results, edges)
    return Regions(
        inside=(everything(results),), outside=0, without_potential=results.sizes["curve"]
    )


def title_of(label: str) -> str:
    """Name of a region or bin as it is printed."""
    return label.replace("-", "–").replace(" ", "\N{NO-BREAK SPACE}")


def region_cell(region: Region) -> Cell:
    """Name of a region, sorted by its potential."""
    return Cell(title_of(region.label), region.high, "name")


def thickness_table(results: xr.Dataset, found: Regions, thickness: xr.Dataset | None) -> Table:
    """Curves and thickness of every region."""
    columns = [Column("Region"), Column("Curves", True), Column("In averages", True)]
    if thickness is not None:
        columns += [
            Column("Thickness (nm), 95 % interval", True),
            Column("Spread of curves (nm)", True),
            Column("Curves with an onset", True),
            Column("Effective places", True),
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
    return Table(
        "Regions of the electrode potential and the thickness of the interphase",
        columns,
        rows,
        "Thickness: distance from the electrode at which the interphase is first felt. The spread "
        "is the standard deviation over curves."
        if thickness is not None
        else "",
    )


def summary_table(rows: Sequence[Mapping[str, Any]], found: Regions) -> Table:
    """Magnitude of the shear modulus by region and bin."""
    high = {region.label: region.high for region in found}
    columns = [
        Column("Region"),
        Column("Distance (nm)"),
        Column("Curves", True),
        Column("Effective places", True),
        Column("Mean |G*| (MPa), 95 % interval", True),
        Column("Median (MPa)", True),
        Column("Quartiles (MPa)", True),
        Column("Noise floor (MPa)", True),
        Column("Modes", True),
        Column("p (one mode)", True),
    ]
    table = []
    for row in rows:
        quartiles = [row["quartile_1"], row["quartile_3"]]
        known = all(math.isfinite(q) for q in quartiles)
        between = " to ".join(rounded(q * MEGA) for q in quartiles) if known else NOTHING
        cells = [
            Cell(title_of(row["region"]), high.get(row["region"], math.nan), "name"),
            Cell(title_of(row["bin"].removesuffix(" nm")), row["depth_low"], "name"),
            count(row["n"]),
            number(row["n_effective"], digits=2),
            interval(row["mean"], row["low"], row["high"], MEGA),
            number(row["median"], MEGA),
            Cell(between, quartiles[0]),
            number(row["noise_floor"], MEGA, 2),
            count(row["modes"] or math.nan),
            number(row["p_one_mode"], digits=2),
        ]
        table.append(cells)
    return Table(
        "Magnitude of the shear modulus |G*| by region and distance from the electrode",
        columns,
        table,
        "The mean is the magnitude of the mean complex modulus, which noise does not raise; "
        "median and quartiles are of the magnitudes of single curves, which it does: compare them "
        "with the noise floor. Modes: how many the data hold at a level of 5 %; p is the "
        "probability of such data if there were only one.",
    )


def comparison_table(compared: Comparison, found: Regions) -> Table:
    """Storage modulus under each shape factor."""
    high = {region.label: region.high for region in found}
    columns = [Column("Region"), Column("Distance (nm)")]
    for choice in compared.choices:
        columns += [Column(f"r_g, {choice}", True), Column(f"E′ (MPa), {choice}", True)]
    rows = []
    for one in compared.moduli:
        row = [
            Cell(title_of(one.region), high.get(one.region, math.nan), "name"),
            Cell(f"{one.low * NANO:g}–{one.high * NANO:g}", one.low, "name"),
        ]
        for factor, modulus in one.under:
            row += [number(factor), number(modulus, MEGA)]
        rows.append(row)
    return Table("Storage modulus under each shape factor", columns, rows)


def as_download(rows: Sequence[Mapping[str, Any]]) -> str:
    """The summary as CSV in a data address, SI, as ``nrm_plugin.statistics`` writes it."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return "data:text/csv;base64," + base64.b64encode(text.getvalue().encode()).decode("ascii")
