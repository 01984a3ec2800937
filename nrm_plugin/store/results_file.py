"""Looks into a file of results with nothing but h5py."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nrm_plugin.curve_origins import CurveOrigins
from nrm_plugin.decisions import SUFFIX, Decisions, decisions_path
from nrm_plugin.decisions_file import LIMIT
from nrm_plugin.errors import InvalidInput, MissingFile, NrmError
from nrm_plugin.files import opened_hdf5, read_start
from nrm_plugin.hdf5_guard import UnreadablePart
from nrm_plugin.store import nexus
from nrm_plugin.store.nexus import RESULTS_FORMAT, RESULTS_VERSION, text
from nrm_plugin.store.read_curves import check_version, contradictions
from nrm_plugin.text import listed
from nrm_plugin.variables import AXES, COMPUTED, CONTACT, DERIVED, LATERAL, OF_SLOPES
from nrm_plugin.vocabulary import COLUMNS

GROUP = "entry/results"

#: Most files of decisions beside results that are looked into.
_LOOKED_INTO = 20

#: Attributes of the group that say how the file is built.
_OF_THE_FILE = {"NX_class", "signal", "axes", "auxiliary_signals", "coordinates"}
_OF_HDF5 = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "calendar"}
_OF_HDF5 |= {"interpretation", "target"}  # what viewers of NeXus files need


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
        raise MissingFile(path, error) from None
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


def decisions_left_behind(path: str | PathLike[str], hashes: str | Sequence[str]) -> list[str]:
    """Name a file of decisions about the same curves that bears the name of other results.

    So it is where results were renamed or copied without their decisions.

    Parameters
    ----------
    path : path
        Of the results.
    hashes : str or sequence of str
        SHA-256 of the files that their curves came from.

    Returns
    -------
    list of str
        A sentence; none where results have decisions of their own, or nothing lies beside them.
    """
    own = decisions_path(path)
    wanted = [h.encode() for h in ([hashes] if isinstance(hashes, str) else hashes) if h]
    if not wanted or own.exists():
        return []
    about = []
    for file in itertools.islice(own.parent.glob(f"*{SUFFIX}"), _LOOKED_INTO):
        with contextlib.suppress(OSError, NrmError):
            data = read_start(file, LIMIT).lower()
            if b"[[decision]]" in data and any(h in data for h in wanted):
                about.append(file.name)
    if not about:
        return []
    return [
        f"decisions about the same curves lie in {listed(sorted(about))} and do not count for "
        f"{Path(path).name}, which has another name: to apply them, copy the file to {own.name}"
    ]


def attributes(group: h5py.Group) -> dict[str, Any]:
    """Attributes of the results, as the writer was given them."""
    return {k: plain(group.attrs[k]) for k in group.attrs if k not in _OF_THE_FILE}


def coordinates(group: h5py.Group) -> list[str]:
    """Names of what is no variable: axes, and columns of the curve table."""
    axes = ["direction", "depth", "distance_bin"]
    return [name for name in axes if name in group] + text(group.attrs["coordinates"]).split()


def variables(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """What was found, by name."""
    others = {"curve", *coordinates(group)}
    return {name: group[name] for name in group if name not in others and not _link(name, group)}


def _link(name: str, group: h5py.Group) -> bool:
    """Whether a name is the second one, for viewers, of a standard error."""
    stem = name.removesuffix("_errors")
    return stem != name and f"{stem}_stderr" in group


def dims(name: str, data: h5py.Dataset) -> tuple[str, ...]:
    """Names of a variable's dimensions."""
    return tuple(scale[0].name.rsplit("/", 1)[-1] if len(scale) else name for scale in data.dims)


def variable_attributes(data: h5py.Dataset) -> dict[str, Any]:
    """Unit, meaning and what else is said of a variable."""
    return {k: plain(data.attrs[k]) for k in data.attrs if k not in _OF_HDF5}


#: SI units of what results hold.
_UNITS = {name: column.units[0] for name, column in COLUMNS.items() if name != "start_time"} | {
    name: variable.unit
    for name, variable in (AXES | CONTACT | LATERAL | COMPUTED | OF_SLOPES | DERIVED).items()
}


def check_unit(name: str, data: h5py.Dataset, about: Mapping[str, Any]) -> None:
    """Refuse numbers that are in another unit than the one in which results are written.

    Without a unit they are in that one: what users compute has no attributes.

    Raises
    ------
    UnreadablePart
    """
    wanted, stored = _UNITS.get(name), str(about.get("units", ""))
    if wanted is None or stored in ("", wanted, wanted or "1"):
        return
    if nexus.gain_to(wanted, name, data) != 1.0:
        raise UnreadablePart(f"{name} in {stored[:60]} instead of {wanted or 'a pure number'}")


def plain(value: Any) -> Any:
    """Attribute as the writer was given it."""
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.tolist()]
    if isinstance(value, bytes):
        return text(value)
    return value.item() if isinstance(value, np.generic) else value
