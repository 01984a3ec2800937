"""Results in pieces of curves: as Dask arrays, and as Zarr in folders and at addresses.

``file://``, ``s3://``, ``gs://`` and others: an address needs its package of fsspec (s3fs, gcsfs).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import PurePosixPath
from typing import Any
from urllib.request import url2pathname

import xarray as xr

from nrm_plugin.errors import InvalidInput, MissingFile, MissingPackage, OutputError
from nrm_plugin.store.export_results import write_zarr

#: Values of a variable in one piece, about: 4 MB in single precision.
_PIECE = 1 << 20


def is_zarr(path: str | PathLike[str]) -> bool:
    """Whether a path or an address is that of a Zarr store."""
    return PurePosixPath(fspath(path)).suffix.lower() == ".zarr"


def chunked(results: xr.Dataset, chunks: Mapping[str, int]) -> xr.Dataset:
    """Return results whose variables are Dask arrays: pieces of curves if `chunks` is empty.

    Raises
    ------
    MissingPackage
    """
    _need("dask")
    curves = max(1, _PIECE // max(results.sizes.get("depth", 1), 1))
    return results.chunk(dict(chunks) or {"curve": curves})


def save_zarr(results: xr.Dataset, address: str, *, overwrite: bool = True) -> None:
    """Write results as Zarr to an address.

    Parameters
    ----------
    results : Dataset
    address : str
        Ends with ``.zarr``.
    overwrite : bool
        Whether a store that is there may be replaced.

    Raises
    ------
    MissingPackage
        Without the extra ``dask``, or the package of the address.
    OutputError
    """
    _need("zarr", "fsspec")
    try:
        write_zarr(results, _place(address), overwrite=overwrite)
    except ImportError as error:
        raise MissingPackage(str(error.name or error), "dask") from None
    except FileExistsError:
        raise OutputError(address, "it exists, and is replaced only with --overwrite") from None
    except (OSError, ValueError) as error:
        raise OutputError(address, error) from error


def open_zarr(address: str | PathLike[str], chunks: Mapping[str, int] | None) -> xr.Dataset:
    """Open results that were written as Zarr.

    Raises
    ------
    MissingFile
        If there is nothing at the address, or what was written is not complete.
    InvalidInput
        If it holds something else.
    MissingPackage
    """
    _need("zarr", "fsspec")
    address = fspath(address)
    try:
        results = xr.open_zarr(_place(address), chunks=None, consolidated=True)
    except ImportError as error:
        raise MissingPackage(str(error.name or error), "dask") from None
    except (OSError, KeyError, ValueError) as error:
        why = "there are no complete results at this address"
        raise MissingFile(address, f"{why} ({str(error) or type(error).__name__})") from None
    if not {"curve", "depth"} <= set(results.dims) or "recipe" not in results.attrs:
        raise InvalidInput(f"{address} holds no results: nrm process makes such files")
    results.attrs = {name: _as_given(value) for name, value in results.attrs.items()}
    for variable in results.variables.values():
        variable.attrs = {name: _as_given(value) for name, value in variable.attrs.items()}
    return results if chunks is None else chunked(results, chunks)


def _as_given(value: Any) -> Any:
    """Lists of texts, which are written as JSON."""
    return json.loads(value) if isinstance(value, str) and value.startswith('["') else value


def _place(address: str) -> str:
    """Path of a ``file://`` address, whose folders fsspec would not make; others as they are."""
    if not address.startswith("file://"):
        return address
    return url2pathname(address.removeprefix("file://"))


def _need(*packages: str) -> None:
    for name in packages:
        try:
            __import__(name)
        except ImportError:
            raise MissingPackage(name, "dask") from None
