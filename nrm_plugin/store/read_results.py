"""Opens a file of results; its numbers are read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from nrm_plugin.columns import AnyArray, FileStamp
from nrm_plugin.errors import InvalidInput, MissingFile
from nrm_plugin.store import nexus
from nrm_plugin.store.nexus import RESULTS_FORMAT, RESULTS_VERSION
from nrm_plugin.store.read_curves import check_version, contradictions, holds_results, text

_GROUP = "entry/results"


class _Stored(BackendArray):
    """A variable of a file that is open only while numbers are copied."""

    def __init__(self, stamp: FileStamp, data: h5py.Dataset) -> None:
        self.stamp, self.name, self.shape, self.dtype = stamp, data.name, data.shape, data.dtype

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> AnyArray:
        self.stamp.check()
        with contradictions(self.stamp.path), h5py.File(self.stamp.path, "r") as file:
            return np.asarray(file[self.name][key])


def open_results(path: str | PathLike[str]) -> xr.Dataset:
    """Open results that `process` or `save` wrote; profiles are read when they are asked for.

    The file is never kept open.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    xarray.Dataset
        See `nrm_plugin.process`.

    Raises
    ------
    MissingFile, InvalidInput, CorruptFile
        InvalidInput if there are no results in the file.
    """
    path = Path(path)
    try:
        stamp = FileStamp.of(path)
        if not h5py.is_hdf5(path):
            raise InvalidInput(f"{path} holds no results: nrm process makes such files")
    except OSError as error:
        raise MissingFile(path, str(error)) from None
    with contradictions(path), h5py.File(path, "r") as file:
        if text(file.attrs.get("format", "")) != RESULTS_FORMAT:
            raise InvalidInput(f"{path} holds no results: nrm process makes such files")
        check_version(path, file, RESULTS_VERSION)
        group = file[_GROUP]
        coordinates = {"depth", "direction", *text(group.attrs["coordinates"]).split()}
        found = {
            name: _opened(stamp, name, data, name in coordinates)
            for name, data in group.items()
            if name != "curve"
        }
        attributes = {k: _plain(v) for k, v in group.attrs.items() if k not in _OF_THE_FILE}
    return xr.Dataset(
        {name: v for name, v in found.items() if name not in coordinates},
        {name: v for name, v in found.items() if name in coordinates},
        attributes,
    )


class ResultsBackend(BackendEntrypoint):
    """Opens results with ``xarray.open_dataset(path, engine="nrm")``."""

    description = "Results of nrm-plugin: contacts and moduli of force curves (.h5)"
    open_dataset_parameters = ("filename_or_obj", "drop_variables")

    def open_dataset(
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None
    ) -> xr.Dataset:
        """Open results; see `open_results`."""
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables or ()
        return open_results(filename_or_obj).drop_vars(dropped, errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether a file is one of results."""
        return isinstance(filename_or_obj, str | PathLike) and holds_results(filename_or_obj)


_OF_THE_FILE = {"NX_class", "signal", "axes", "coordinates"}
_OF_HDF5 = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "calendar"}


def _opened(stamp: FileStamp, name: str, data: h5py.Dataset, eager: bool) -> xr.Variable:
    dims = tuple(scale[0].name.rsplit("/", 1)[-1] if len(scale) else name for scale in data.dims)
    about = {k: _plain(v) for k, v in data.attrs.items() if k not in _OF_HDF5}
    if not eager and data.ndim > 1:
        lazy = indexing.LazilyIndexedArray(_Stored(stamp, data))
        return xr.Variable(dims, lazy, about)
    values = nexus.column_values(name, data)
    if values.dtype.kind == "M":
        about = {"long_name": about.get("long_name", name)}
        values = values.astype("M8[ns]")
    elif values.dtype.kind in "OU":
        values = values.astype(str)
        about = {k: v for k, v in about.items() if not k.startswith("flag")}
    return xr.Variable(dims, values, about)


def _plain(value: Any) -> Any:
    """Attribute as the writer was given it."""
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.tolist()]
    if isinstance(value, bytes):
        return text(value)
    return value.item() if isinstance(value, np.generic) else value
