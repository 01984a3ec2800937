"""Results for other programs: text, Parquet, netCDF and Zarr."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from nrm_plugin.errors import InvalidInput, MissingPackage
from nrm_plugin.store.nexus import Disk
from nrm_plugin.store.results_table import curve_table, profile_tables

if TYPE_CHECKING:
    import pandas as pd


def write_results_csv(results: xr.Dataset, path: Path) -> None:
    """Write a line per curve and distance, or per curve where there are no profiles; SI.

    Numbers are written so that they read back exactly.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        for number, table in enumerate(_tables(results)):
            table.to_csv(file, index=False, header=number == 0, lineterminator="\n")


def write_results_parquet(results: xr.Dataset, path: Path) -> None:
    """Write the same as `write_results_csv`, as Parquet; the attributes are in its metadata.

    Raises
    ------
    MissingPackage
        Without pyarrow.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingPackage("pyarrow", "tables") from None
    about = {b"nrm_plugin": json.dumps(_plain(results.attrs), default=str).encode()}
    writer = None
    try:
        for table in _tables(results):
            rows = pa.Table.from_pandas(table, preserve_index=False)
            if writer is None:
                schema = rows.schema.with_metadata({**(rows.schema.metadata or {}), **about})
                writer = pq.ParquetWriter(path, schema)
            writer.write_table(rows.cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()


def write_netcdf(results: xr.Dataset, path: Path) -> None:
    """Write netCDF 4, one group, every variable with its unit; xarray opens it as it is."""
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    with Disk(path, "w+") as disk, h5netcdf.File(disk, "w") as file:
        _for_others(results).dump_to_store(H5NetCDFStore(file))


def write_zarr(results: xr.Dataset, path: Path | str, *, overwrite: bool = True) -> None:
    """Write a folder of Zarr, or to an address, in pieces of curves; xarray opens it as it is.

    Raises
    ------
    MissingPackage
        Without zarr.
    """
    try:
        import zarr  # noqa: F401
    except ImportError:
        raise MissingPackage("zarr", "dask") from None
    data = _for_others(results)
    curves = max(1, min(results.sizes["curve"], 4096))
    encoding = {
        name: {"chunks": tuple(curves if d == "curve" else n for d, n in v.sizes.items())}
        for name, v in data.variables.items()
        if "curve" in v.dims
    }
    # Format 2: all readers know it, and texts of fixed length are part of it.
    mode: Literal["w", "w-"] = "w" if overwrite else "w-"
    data.to_zarr(path, mode=mode, encoding=encoding, zarr_format=2, consolidated=True)


def _tables(results: xr.Dataset) -> Iterator[pd.DataFrame]:
    if not results.sizes.get("curve"):
        raise InvalidInput("there are no curves in these results")
    return profile_tables(results) if "depth" in results.dims else iter([curve_table(results)])


def _for_others(results: xr.Dataset) -> xr.Dataset:
    """The same with what netCDF can hold as attributes, and texts as texts."""
    data = results.copy()
    data.attrs = _plain(results.attrs)
    for name in data.variables:
        data[name].encoding = {}
        data[name].attrs = _plain(data[name].attrs)
    return data


def _plain(attributes: dict[Any, Any]) -> dict[str, Any]:
    """Attributes as numbers, texts and lists of numbers; others as JSON."""
    out: dict[str, Any] = {}
    for name, value in attributes.items():
        if value is None:
            continue
        values = np.asarray(value)
        if isinstance(value, bool | np.bool_):
            out[str(name)] = int(value)
        elif isinstance(value, str | int | float) or (values.dtype.kind in "iuf" and values.size):
            out[str(name)] = value if values.ndim == 0 else values
        else:
            plain = values.tolist() if isinstance(value, np.ndarray) else value
            out[str(name)] = json.dumps(plain, default=str)
    return out
