"""Opens a file of results; its numbers are read, or computed, when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

import nrm_plugin.dataset_accessor  # noqa: F401  (results have .nrm from here on)
from nrm_plugin.columns import AnyArray, FileStamp
from nrm_plugin.decisions import Decisions
from nrm_plugin.files import opened_hdf5
from nrm_plugin.lazy_arrays import LazyArray, lazy_variable
from nrm_plugin.store import nexus, results_file
from nrm_plugin.store.decided_results import with_decisions
from nrm_plugin.store.derived_variables import FORMULAS, Formula, derivable
from nrm_plugin.store.read_curves import check_version, contradictions
from nrm_plugin.store.results_file import opened_results
from nrm_plugin.store.zarr_results import chunked, is_zarr, open_zarr
from nrm_plugin.variables import DERIVED

__all__ = ["decided", "derived", "open_results", "with_derived"]


class _Stored(LazyArray):
    """A variable of a file that is open only while numbers are copied."""

    one_array = True

    def __init__(self, stamp: FileStamp, data: h5py.Dataset) -> None:
        self.stamp, self.name, self.shape, self.dtype = stamp, data.name, data.shape, data.dtype

    def part(self, key: tuple[Any, ...]) -> AnyArray:
        """See `LazyArray.part`."""
        self.stamp.check()
        with contradictions(self.stamp.path), opened_hdf5(self.stamp.path) as file:
            return np.asarray(file[self.name][key])


class _Derived(LazyArray):
    """A variable that is computed from others, as much of it as is asked for.

    Parameters
    ----------
    formula : Formula
    variables : sequence of Variable
        The first has all dimensions.
    attributes : sequence of float
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, formula: Formula, variables: Sequence[xr.Variable], attributes: Sequence[float]
    ) -> None:
        self.formula, self.variables, self.attributes = formula, variables, attributes
        self.shape = variables[0].shape

    def part(self, key: tuple[Any, ...]) -> AnyArray:
        """See `LazyArray.part`."""
        where = dict(zip(self.variables[0].dims, key, strict=True))
        parts = [v.isel({dim: where[dim] for dim in v.dims}) for v in self.variables]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.formula(parts, list(self.attributes)).values)


def with_derived(results: xr.Dataset) -> xr.Dataset:
    """Add what follows from the variables of results; it is computed when it is asked for."""
    names = derivable({str(name) for name in results.variables}, results.attrs)
    return results.assign({name: derived(results, name) for name in names})


def derived(results: xr.Dataset, name: str) -> xr.Variable:
    """Return a variable as it follows from the others of results."""
    formula = FORMULAS[name]
    variables = [results.variables[part] for part in formula.variables]
    numbers = [float(results.attrs[part]) for part in formula.attributes]
    array = _Derived(formula, variables, numbers)
    return lazy_variable(variables[0].dims, array, DERIVED[name].attributes)


def open_results(
    path: str | PathLike[str],
    decisions: bool = True,
    *,
    chunks: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """Open results that `process` or `save` wrote; profiles are read when they are asked for.

    The file is never kept open. What a file does not hold because it follows from what it holds
    (`nrm_plugin.variables.DERIVED`) is computed when it is asked for.

    Parameters
    ----------
    path : str or Path
        Of a file; or of results as Zarr: a folder, or an address such as ``s3://bucket/map.zarr``.
    decisions : bool
        Whether what was decided by hand counts, which lies in ``NAME.decisions.toml`` beside the
        file: then there is a variable `by_hand`, averages and figures leave out the curves that
        were excluded, and contacts lie where they were set. False gives the results as they were
        made. What is Zarr already has what counted when it was written.
    chunks : mapping of str to int, optional
        Variables are Dask arrays then, in pieces of so many curves (``{"curve": 4096}``), or of
        about a million values (``{}``).

    Returns
    -------
    xarray.Dataset
        See `nrm_plugin.process`.

    Raises
    ------
    MissingFile, InvalidInput, CorruptFile
        InvalidInput if there are no results in the file, or the decisions beside it are about
        other curves.
    RecipeError
        If there is a mistake in the file of decisions.
    MissingPackage
        If `chunks` are asked for, or Zarr, without the extra ``dask``.
    """
    if is_zarr(path):
        return open_zarr(path, chunks)
    with contradictions(Path(path)):  # what is damaged may show only when parts are put together
        results = _open(path, decisions)
    return results if chunks is None else chunked(results, chunks)


def _open(path: str | PathLike[str], decisions: bool) -> xr.Dataset:
    with opened_results(path) as group:
        stamp = FileStamp.of(Path(path))
        names = results_file.coordinates(group)
        stored = {name: group[name] for name in names} | results_file.variables(group)
        variables = {
            name: _opened(stamp, name, data, name in names) for name, data in stored.items()
        }
        attributes = results_file.attributes(group)
        by_hand = results_file.decisions_of(group, path) if decisions else None
        newer = check_version(Path(path), group.file, nexus.RESULTS_VERSION)
    coordinates = {name: variables.pop(name) for name in names}
    results = xr.Dataset(variables, coordinates, attributes)
    if not decisions:
        results = results.drop_vars("by_hand", errors="ignore")
        results.attrs.pop("decisions", None)
    elif by_hand is not None:
        results = with_decisions(results, by_hand)
    elif said := results_file.decisions_left_behind(path, attributes.get("source_sha256", "")):
        results.attrs["warnings"] = "\n".join(filter(None, [attributes.get("warnings"), *said]))
    if newer:
        earlier = results.attrs.get("warnings")
        results.attrs["warnings"] = "\n".join(filter(None, [earlier, *newer]))
    return with_derived(results)


def decided(results: xr.Dataset, decisions: Decisions) -> xr.Dataset:
    """Return results as they were made with what was decided by hand about their curves.

    Parameters
    ----------
    results : Dataset
        As `open_results` gives it without decisions, or `nrm_plugin.process` in memory.
    decisions : Decisions
    """
    others = {str(name) for name in results.variables} - set(DERIVED)
    stored = results.drop_vars(derivable(others, results.attrs), errors="ignore")
    return with_derived(with_decisions(stored, decisions))


def _opened(stamp: FileStamp, name: str, data: h5py.Dataset, eager: bool) -> xr.Variable:
    dims = results_file.dims(name, data)
    about = results_file.variable_attributes(data)
    results_file.check_unit(name, data, about)
    if not eager and data.ndim > 1:
        return lazy_variable(dims, _Stored(stamp, data), about)
    values = nexus.column_values(name, data)
    if values.dtype.kind == "M":
        about = {"long_name": about.get("long_name", name)}
        values = values.astype("M8[ns]")
    elif values.dtype.kind in "OU":
        values = values.astype(str)
        about = {k: v for k, v in about.items() if not k.startswith("flag")}
    return xr.Variable(dims, values, about)
