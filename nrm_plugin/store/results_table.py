"""Results as tables: one row per curve, or one per curve and distance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray

if TYPE_CHECKING:
    import pandas as pd

#: What every row of a profile says of its curve, where the results have it.
OF_CURVE = (
    "x",
    "y",
    "row",
    "column",
    "location",
    "potential",
    "sweep",
    "cycle",
    "quality",
    "by_hand",
)

#: Rows that are in memory at once.
_ROWS = 1 << 18


def curve_table(results: xr.Dataset) -> pd.DataFrame:
    """One row per curve, and per direction where there are both.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process` or `nrm_plugin.open_results`.

    Returns
    -------
    DataFrame
        ``curve``, ``direction`` where there are both, and all values that a curve has one of, in
        SI; titles have the unit in parentheses, ``contact_height (m)``. ``flags`` names what is
        doubtful, separated by blanks.
    """
    import pandas as pd

    several = _directions(results)
    within = {"curve", *("direction" for _ in several[:1])}
    names = [n for n, v in results.variables.items() if "curve" in v.dims and set(v.dims) <= within]
    frames = []
    for number in range(len(several) or 1):
        columns: dict[str, AnyArray] = {"curve": np.arange(results.sizes["curve"])}
        if several:
            columns["direction"] = np.full(results.sizes["curve"], several[number])
        for name in names:
            values = _one_direction(results[name], number).values
            columns[_title(results[name])] = values
            if name == "quality":
                columns["flags"] = _flag_names(results[name], values)
        frames.append(pd.DataFrame(columns))
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def profile_tables(results: xr.Dataset) -> Iterator[pd.DataFrame]:
    """One row per curve and distance, in pieces of some curves, so that memory stays small.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process` or `nrm_plugin.open_results`.

    Yields
    ------
    DataFrame
        ``curve``, ``direction`` where there are both, ``distance (m)`` from the electrode, what
        `OF_CURVE` names, and every variable over depth in SI.
    """
    import pandas as pd

    several = _directions(results)
    depth = results["depth"].values
    within = {"curve", "depth", *("direction" for _ in several[:1])}
    profiles = [
        n for n, v in results.data_vars.items() if {"curve", "depth"} <= set(v.dims) <= within
    ]
    per_curve = [n for n in OF_CURVE if n in results.variables]
    step = max(1, _ROWS // max(1, len(depth)))
    for number in range(len(several) or 1):
        for first in range(0, results.sizes["curve"], step):
            part = results.isel(curve=slice(first, first + step))
            n = part.sizes["curve"]
            columns: dict[str, AnyArray] = {
                "curve": np.repeat(np.arange(first, first + n), len(depth))
            }
            if several:
                columns["direction"] = np.full(n * len(depth), several[number])
            columns["distance (m)"] = np.tile(depth, n)
            for name in per_curve:
                values = _one_direction(part[name], number).values
                columns[_title(part[name])] = np.repeat(values, len(depth))
            for variable in profiles:
                data = _one_direction(part[variable], number).transpose("curve", "depth")
                columns[_title(part[variable])] = data.values.ravel()
            yield pd.DataFrame(columns)


def _directions(results: xr.Dataset) -> list[str]:
    """Names of the directions, where results have both."""
    return [str(d) for d in results["direction"].values] if "direction" in results.dims else []


def _one_direction(data: xr.DataArray, number: int) -> xr.DataArray:
    return data.isel(direction=number) if "direction" in data.dims else data


def _title(data: xr.DataArray) -> str:
    unit = data.attrs.get("units", "")
    return f"{data.name} ({unit})" if unit else str(data.name)


def _flag_names(quality: xr.DataArray, values: AnyArray) -> AnyArray:
    names = str(quality.attrs.get("flag_meanings", "")).split()
    masks = np.atleast_1d(quality.attrs.get("flag_masks", [])).tolist()
    flags = dict(zip(masks, names, strict=True))
    kinds, at = np.unique(values, return_inverse=True)
    words = [" ".join(n for m, n in flags.items() if int(k) & int(m)) for k in kinds]
    return np.array(words, dtype=object)[at]
