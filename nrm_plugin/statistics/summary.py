"""One table of everything: region by region, bin by bin."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

import xarray as xr

from nrm_plugin.files import write_text
from nrm_plugin.statistics.intervals import FEW, approximate
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import LEFT_OUT, Analysis, analysis_of
from nrm_plugin.statistics.violins import DEFAULT_BINS, violins

#: Columns of the table, in this order.
COLUMNS = (
    "region",
    "potential_low",
    "potential_high",
    "bin",
    "depth_low",
    "depth_high",
    "variable",
    "unit",
    "n",
    "n_effective",
    "mean",
    "low",
    "high",
    "coverage",
    "median",
    "quartile_1",
    "quartile_3",
    "noise_floor",
    "below_floor",
    "modes",
    "p_one_mode",
    "warnings",
    "method",
    "n_right",
    "n_left",
    "limit",
)

#: What a row has where there is nothing.
_NONE: dict[str, Any] = {
    name: "" if name in ("bin", "warnings", "method") else math.nan for name in COLUMNS
}


def summary(
    results: xr.Dataset | Analysis,
    regions: Iterable[Region],
    bins: Sequence[tuple[float, float]] = DEFAULT_BINS,
    variable: str = "shear_modulus_magnitude",
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
    thickness: xr.Dataset | None = None,
) -> list[dict[str, Any]]:
    """Return a table of regions and bins.

    Parameters
    ----------
    results, regions, bins, variable, direction, quality
        As for `violins`.
    thickness : Dataset, optional
        Of `region_thickness` of the same regions; its rows follow, see `thickness_rows`.

    Returns
    -------
    list of dict
        A row per region and bin, with the keys `COLUMNS`; SI, nan where there is nothing. ``mean``
        with its 95 % interval is that of `mean_profile`, over the bin, and ``coverage`` what
        such intervals hold in tests, where that is below 90 %; median, quartiles and
        ``below_floor`` (part of the curves below the noise floor) are those of the violin.
    """
    analysis = analysis_of(results, direction)
    inside = tuple(regions)
    rows = []
    for violin in violins(analysis, inside, bins, variable, quality=quality):
        messages = list(violin.warnings)
        if violin.n > 1 and math.isfinite(violin.coverage):
            messages.append(
                f"fewer than {FEW:.0f} effective places: the interval is "
                f"{approximate(violin.coverage)}"
            )
        rows.append(
            _NONE
            | {
                "region": violin.region.label,
                "potential_low": violin.region.low,
                "potential_high": violin.region.high,
                "bin": violin.label,
                "depth_low": violin.low,
                "depth_high": violin.high,
                "variable": violin.variable,
                "unit": violin.unit,
                "n": violin.n,
                "n_effective": violin.n_effective,
                "mean": violin.mean,
                "low": violin.mean_low,
                "high": violin.mean_high,
                "coverage": violin.coverage,
                "median": violin.median,
                "quartile_1": violin.quartiles[0],
                "quartile_3": violin.quartiles[2],
                "noise_floor": violin.floor,
                "below_floor": violin.below_floor,
                "modes": violin.modes,
                "p_one_mode": violin.p,
                "warnings": "; ".join(messages),
            }
        )
    return rows if thickness is None else rows + thickness_rows(thickness, inside)


def thickness_rows(thickness: xr.Dataset, regions: Iterable[Region]) -> list[dict[str, Any]]:
    """Return a row per region with its thickness, with the keys `COLUMNS`; SI.

    Where it is not measurable, ``mean`` is nan, and ``low`` and ``high`` are bounds. ``method``
    says what the mean is of; in ``n_right`` curves a layer may go on beyond the edge that is
    seen, in ``n_left`` nothing is seen; ``limit`` is |G*| that the mean force would show, Pa.

    Parameters
    ----------
    thickness : Dataset
        Of `region_thickness`.
    regions : iterable of Region
        The same as there.
    """
    said = str(thickness.attrs["warnings"]).splitlines()
    rows = []
    for i, region in enumerate(regions):
        about = f"{region.label}: "
        numbers = {
            name: thickness[name].values[i].item()
            for name in ("mean", "low", "high", "median", "n", "n_effective", "limit")
        }
        rows.append(
            _NONE
            | numbers
            | {
                "region": region.label,
                "potential_low": region.low,
                "potential_high": region.high,
                "variable": "thickness",
                "unit": "m",
                "method": str(thickness["method"].values[i]),
                "n_right": int(thickness["n_right"].values[i]),
                "n_left": int(thickness["n_left"].values[i]),
                "warnings": "; ".join(
                    text.removeprefix(about) for text in said if text.startswith(about)
                ),
            }
        )
    return rows


def write_summary(rows: Iterable[Mapping[str, Any]], path: str | PathLike[str]) -> None:
    """Write the rows of `summary` as CSV, whatever is there.

    Raises
    ------
    OutputError
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
