"""Complex moduli against frequency, in the columns that RheoJAX reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.selection import one_direction, select

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_PARTS = {"storage_modulus": "'", "loss_modulus": "''"}


def modulus_spectrum(
    results: Sequence[xr.Dataset], near: float, far: float, *, shear: bool = False
) -> pd.DataFrame:
    """Mean E' and E'' between two distances against the angular frequency, one row per results.

    Parameters
    ----------
    results : sequence of Dataset
        What `process` made of each tone, of the same curves or of others.
    near, far : float
        Distances from the electrode in m.
    shear : bool
        Give G' and G'' instead, E' and E'' over 2 (1 + nu) with the results' Poisson's ratio (0.5
        where there is none).

    Returns
    -------
    DataFrame
        ``omega (rad/s)``, ``E' (Pa)``, ``E'' (Pa)``, ascending in frequency; standard errors of
        the means over curves behind them, and the number of these curves. Curves count by
        decisions and flags, as for `mean_profile`, if they have both moduli there; each with its
        own mean.

    Raises
    ------
    InvalidInput
        If a frequency is not known or is there twice, or no curve has moduli there.
    """
    import pandas as pd

    rows = []
    for one in results:
        if "dither_frequency" not in one.attrs:
            raise InvalidInput("the dither's frequency is not known of all results")
        if not _PARTS.keys() <= set(one.data_vars):
            raise InvalidInput("there are no moduli in these results: they need lateral signals")
        row = {"omega (rad/s)": 2.0 * np.pi * float(one.attrs["dither_frequency"])}
        errors = {}
        first = one_direction(one)
        counted, _ = select(first)
        chosen = first[list(_PARTS)].sel(depth=slice(near, far)).isel(curve=counted)
        means = chosen.mean("depth").dropna("curve")
        factor = 2.0 * (1.0 + float(one.attrs.get("poisson_ratio", 0.5))) if shear else 1.0
        for name, part in _PARTS.items():
            title = f"{'G' if shear else 'E'}{part} (Pa)"
            values = means[name].values / factor
            if not len(values):
                raise InvalidInput(
                    f"no curve that counts has {title} from {near * 1e9:g} to {far * 1e9:g} nm"
                )
            row[title] = values.mean()
            several = len(values) > 1
            error = values.std(ddof=1) / np.sqrt(len(values)) if several else np.nan
            errors[title.replace(" (", " stderr (")] = error
        rows.append(row | errors | {"curves": means.sizes["curve"]})
    table = pd.DataFrame(rows).sort_values("omega (rad/s)", ignore_index=True)
    if table["omega (rad/s)"].duplicated().any():
        raise InvalidInput("two results are of the same frequency: choose one, or join them")
    return table
