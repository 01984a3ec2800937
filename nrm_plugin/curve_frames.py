"""Curves as tables of pandas and polars: a row per sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nrm_plugin.columns import AnyArray, IntArray
from nrm_plugin.errors import MissingPackage

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from nrm_plugin.model import CurveSet


def pandas_frame(curves: CurveSet, chosen: IntArray) -> pd.DataFrame:
    """Samples of some curves; see `CurveSet.to_pandas`."""
    import pandas as pd

    return pd.DataFrame(_columns(curves, chosen))


def polars_frame(curves: CurveSet, chosen: IntArray) -> pl.DataFrame:
    """Samples of some curves; see `CurveSet.to_polars`."""
    try:
        import polars as pl
    except ImportError:
        raise MissingPackage("polars", "polars") from None
    return pl.DataFrame(_columns(curves, chosen))


def _columns(curves: CurveSet, chosen: IntArray) -> dict[str, AnyArray]:
    sizes = curves.row_size[chosen]
    first = np.cumsum(sizes) - sizes
    numbers = {
        "curve": np.repeat(chosen, sizes),
        "sample": np.arange(int(sizes.sum())) - np.repeat(first, sizes),
    }
    return numbers | {name: curves.read(name, chosen) for name in curves.channels}
