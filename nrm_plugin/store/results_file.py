"""Looks into a file of results with nothing but h5py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nrm_plugin.curve_origins import CurveOrigins
from nrm_plugin.decisions import Decisions, decisions_path
from nrm_plugin.errors import InvalidInput, MissingFile
from nrm_plugin.files import opened_hdf5
from nrm_plugin.store.nexus import RESULTS_FORMAT, RESULTS_VERSION
from nrm_plugin.store.read_curves import check_version, contradictions, text

GROUP = "entry/results"

#: Attributes of the group that say how the file is built.
_OF_THE_FILE = {"NX_class", "signal", "axes", "coordinates"}
_OF_HDF5 = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "calendar"}


@contextmanager
def opened_results(path: str | PathLike[str]) -> Iterator[h5py.Group]:
    """Open the group that holds all variables, for as long as the block lasts.

    Raises
    ------
    MissingFile, InvalidInput, CorruptFile
        InvalidInput if there are no results in the file.
    """
    path = Path(path)
    none = f"{path} holds no results: nrm process makes such files"
    try:
        path.stat()
        if not h5py.is_hdf5(path):
            raise InvalidInput(none)
    except OSError as error:
        raise MissingFile(path, str(error)) from None
    with contradictions(path), opened_hdf5(path) as file:
        if text(file.attrs.get("format", "")) != RESULTS_FORMAT:
            raise InvalidInput(none)
        check_version(path, file, RESULTS_VERSION)
        yield file[GROUP]


def decisions_of(group: h5py.Group, path: str | PathLike[str]) -> Decisions | None:
    """Read what was decided by hand about curves of results; None where there is no such file.

    Raises
    ------
    RecipeError, InvalidInput
        If the file has a mistake, or is about other curves.
    """
    if not decisions_path(path).exists():
        return None
    names, hashes = (plain(group.attrs.get(f"source_{what}", [])) for what in ("name", "sha256"))
    table = {name: group[name][()] for name in ("source", "source_curve") if name in group}
    origins = CurveOrigins.of(names, hashes, table, int(group["quality"].shape[-1]))
    return Decisions.read(decisions_path(path), origins)


def attributes(group: h5py.Group) -> dict[str, Any]:
    """Attributes of the results, as the writer was given them."""
    return {k: plain(v) for k, v in group.attrs.items() if k not in _OF_THE_FILE}


def coordinates(group: h5py.Group) -> list[str]:
    """Names of what is no variable: axes, and columns of the curve table."""
    axes = ["direction", "depth", "distance_bin"]
    return [name for name in axes if name in group] + text(group.attrs["coordinates"]).split()


def variables(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """What was found, by name."""
    others = {"curve", *coordinates(group)}
    return {name: data for name, data in group.items() if name not in others}


def dims(name: str, data: h5py.Dataset) -> tuple[str, ...]:
    """Names of a variable's dimensions."""
    return tuple(scale[0].name.rsplit("/", 1)[-1] if len(scale) else name for scale in data.dims)


def variable_attributes(data: h5py.Dataset) -> dict[str, Any]:
    """Unit, meaning and what else is said of a variable."""
    return {k: plain(v) for k, v in data.attrs.items() if k not in _OF_HDF5}


def plain(value: Any) -> Any:
    """Attribute as the writer was given it."""
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.tolist()]
    if isinstance(value, bytes):
        return text(value)
    return value.item() if isinstance(value, np.generic) else value
