"""Results on their way and in their file.

Layout, version 1.0 (conventions as in the file of curves)::

    /entry
        results     NXdata      curve, depth (and direction): coordinates; every variable with its
                                units; the attributes of the results; storage modulus as the plot
        process     NXprocess   program, version, date

Profiles are single precision, which is far finer than their noise.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import xarray as xr

from nrm_plugin import __version__
from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput, NrmError, OutputError
from nrm_plugin.store import fields
from nrm_plugin.store.disk import Disk
from nrm_plugin.store.layout import BLOCK, RESULTS_FORMAT, RESULTS_VERSION
from nrm_plugin.tables import Table
from nrm_plugin.variables import DISTANCE, Variable
from nrm_plugin.vocabulary import COLUMNS

GROUP = "entry/results"

#: Variables whose mean over the depth is kept for every curve while results are made.
_MEANS = ("storage_modulus", "loss_modulus")


class Results:
    """Results while they are made, in memory or in a file under a temporary name.

    Use it in a ``with`` block. The file gets its name when the block ends well; otherwise what
    was written is kept beside it, and found again by the next call for the same.

    Parameters
    ----------
    path : Path or None
        None keeps everything in memory.
    n_curves : int
    depth : (m,) array
    variables : mapping of str to Variable
    directions : sequence of str or None
        Where there are two.
    attributes : dict
        May be changed until the block ends.
    fingerprint : str
        Tells whether a half-finished file is of the same curves and recipe.

    Attributes
    ----------
    done : int
        Curves that are already there, all directions one behind the other.
    means : mapping of str to (direction, curve) array
        Mean over the depth of the moduli, as far as they were written.
    """

    def __init__(
        self,
        path: Path | None,
        n_curves: int,
        depth: FloatArray,
        variables: Mapping[str, Variable],
        directions: Sequence[str] | None,
        attributes: dict[str, Any],
        fingerprint: str = "",
    ) -> None:
        self.n_curves, self.depth, self.variables = n_curves, depth, variables
        self.directions, self.attributes, self.fingerprint = directions, attributes, fingerprint
        self.path = path
        self.done = 0
        self.coordinates: Table = {}
        self.means = {name: np.full((self._ways, n_curves), np.nan) for name in _MEANS}
        self._arrays: dict[str, Any] = {}
        self._disk: Disk | None = None
        self._file: h5py.File | None = None

    @property
    def _ways(self) -> int:
        return len(self.directions) if self.directions else 1

    @property
    def _part(self) -> Path:
        assert self.path is not None
        return self.path.with_name(f"{self.path.name}.part")

    def dims(self, name: str) -> tuple[str, ...]:
        """Names of a variable's dimensions."""
        dims = self.variables[name].dims
        return ("direction", *dims) if self.directions and "curve" in dims else dims

    def _shape(self, name: str) -> tuple[int, ...]:
        sizes = {"direction": self._ways, "curve": self.n_curves, "depth": len(self.depth)}
        return tuple(sizes[dim] for dim in self.dims(name))

    def __enter__(self) -> Self:
        if self.path is None:
            for name, variable in self.variables.items():
                empty = 0 if variable.dtype.startswith("i") else np.nan
                self._arrays[name] = np.full(self._shape(name), empty, variable.dtype)
            return self
        if self.path.exists() and not self.path.is_file():
            raise OutputError(self.path, "it is not a regular file")
        with self._trouble():
            if not self._reopen():
                self._create()
        return self

    def write(self, way: int, first: int, stop: int, made: Mapping[str, AnyArray]) -> None:
        """Keep what was found for consecutive curves of one direction."""
        with self._trouble():
            for name, values in made.items():
                self._arrays[name][self._place(way, slice(first, stop))] = values
            self._keep_means(way, slice(first, stop), made)
            self.done = way * self.n_curves + stop
            if self._file is not None:
                self._file.flush()  # what is counted as done must be there
                self._file[f"{GROUP}/done"][()] = self.done
                self._file.flush()

    def get(self, name: str, way: int = 0) -> AnyArray:
        """Copy of what there is of a variable of curves."""
        return np.array(self._arrays[name][self._place(way, slice(None))])

    def set(self, name: str, values: AnyArray, way: int = 0) -> None:
        """Write a whole variable, if results have it."""
        if name in self.variables:
            with self._trouble():
                at = self._place(way, slice(None)) if "curve" in self.dims(name) else slice(None)
                self._arrays[name][at] = values

    def copy(self, name: str, array: xr.DataArray) -> None:
        """Write a variable from elsewhere, some curves at a time."""
        if "curve" not in array.dims:
            self._arrays[name][...] = array.values
            return
        step = max(1, BLOCK // max(array.size // max(self.n_curves, 1), 1))
        for first in range(0, self.n_curves, step):
            part = {"curve": slice(first, first + step)}
            at = tuple(part.get(str(dim), slice(None)) for dim in array.dims)
            with self._trouble():
                self._arrays[name][at] = array.isel(part).values

    def dataset(self) -> xr.Dataset:
        """Return the results that were kept in memory."""
        data = {
            name: (self.dims(name), array, variable.attributes)
            for (name, variable), array in zip(
                self.variables.items(), self._arrays.values(), strict=True
            )
        }
        return xr.Dataset(data, self._coordinates(), self.attributes)

    def _coordinates(self) -> dict[str, Any]:
        found: dict[str, Any] = {"depth": ("depth", self.depth, DISTANCE.attributes)}
        if self.directions:
            found["direction"] = ("direction", np.array(self.directions))
        for name, values in self.coordinates.items():
            about = {"units": COLUMNS[name].units[0], "long_name": COLUMNS[name].meaning}
            if values.dtype.kind == "M":
                del about["units"]
                values = values.astype("M8[ns]")
            found[name] = ("curve", values, about)
        return found

    def _place(self, way: int, curves: slice) -> tuple[Any, ...]:
        return (way, curves) if self.directions else (curves,)

    def _keep_means(self, way: int, curves: slice, made: Mapping[str, AnyArray]) -> None:
        for name in _MEANS:
            if name in made:
                there = np.isfinite(made[name])
                total = np.where(there, made[name], 0.0).sum(1)
                with np.errstate(invalid="ignore", divide="ignore"):
                    self.means[name][way, curves] = total / there.sum(1)

    # The file

    def _create(self) -> None:
        self._disk = Disk(self._part, "w+")
        self._file = h5py.File(self._disk, "w", libver=("earliest", "v110"), track_order=True)
        self._file.attrs.update(
            NX_class="NXroot",
            default="entry",
            format=RESULTS_FORMAT,
            format_version=f"{RESULTS_VERSION[0]}.{RESULTS_VERSION[1]}",
            creator="nrm-plugin",
            creator_version=__version__,
        )
        entry = fields.group(self._file, "entry", "NXentry")
        entry.attrs["default"] = "results"
        group = fields.group(entry, "results", "NXdata")
        scales = {"curve": fields.dimension(group, "curve", self.n_curves)}
        unit, meaning = DISTANCE.unit, DISTANCE.meaning
        scales["depth"] = fields.field(group, "depth", self.depth, unit, meaning)
        scales["depth"].make_scale("depth")
        if self.directions:
            words = np.array(self.directions, h5py.string_dtype())
            scales["direction"] = fields.field(group, "direction", words, "", "way of the ramp")
            scales["direction"].make_scale("direction")
        for name, variable in self.variables.items():
            data = _allocated(group, name, self._shape(name), variable.dtype)
            data.attrs.update(variable.attributes)
            for axis, dim in enumerate(self.dims(name)):
                data.dims[axis].attach_scale(scales[dim])
            self._arrays[name] = data
        _allocated(group, "done", (), "i8")[()] = 0
        group.attrs["fingerprint"] = self.fingerprint
        self._file.flush()
        self._disk.check()

    def _reopen(self) -> bool:
        """Go on with a half-finished file, if it is one of the same."""
        if not self.fingerprint or not self._part.is_file():
            return False
        try:
            self._disk = Disk(self._part, "r+")
            self._file = h5py.File(self._disk, "r+")
            group = self._file[GROUP]
            if group.attrs["fingerprint"] == self.fingerprint:
                self._arrays = {name: group[name] for name in self.variables}
                self.done = int(group["done"][()])
                self._recall()
                return True
        except (OSError, KeyError, RuntimeError, ValueError):  # whatever was left there
            self.done, self._arrays = 0, {}
        self._close()
        return False

    def _recall(self) -> None:
        for way in range(self._ways):
            there = min(max(self.done - way * self.n_curves, 0), self.n_curves)
            step = max(1, BLOCK // max(len(self.depth), 1))
            for first in range(0, there, step):
                part = slice(first, min(first + step, there))
                made = {n: self._arrays[n][self._place(way, part)] for n in _MEANS
                        if n in self._arrays}  # fmt: skip
                self._keep_means(way, part, made)

    def _finish(self) -> None:
        assert self.path is not None
        assert self._file is not None
        assert self._disk is not None
        group = self._file[GROUP]
        del group["done"], group.attrs["fingerprint"]
        for name, values in self.coordinates.items():
            about = COLUMNS[name]
            fields.column(group, name, values, group["curve"], about.units[0], about.meaning)
        group.attrs["coordinates"] = " ".join(self.coordinates)
        for name, value in self.attributes.items():
            _attribute(group, name, value)
        signal = "storage_modulus" if "storage_modulus" in self.variables else "contact_height"
        group.attrs.update(signal=signal, axes=list(self.dims(signal)))
        process = fields.group(self._file["entry"], "process", "NXprocess")
        for name, value in (
            ("program", "nrm-plugin"),
            ("version", __version__),
            ("date", datetime.now(UTC).isoformat(timespec="seconds")),
        ):
            fields.field(process, name, value, "", name)
        disk = self._disk
        self._close()
        disk.check()
        with self._part.open("rb+") as file:
            os.fsync(file.fileno())
        self._part.replace(self.path)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._disk is not None:
            self._disk.close()
        self._file = self._disk = None

    @contextlib.contextmanager
    def _trouble(self) -> Iterator[None]:
        """Turn what a disk and HDF5 say into one error that names the file."""
        try:
            yield
            if self._disk is not None:
                self._disk.check()
        except NrmError:
            raise
        except (OSError, RuntimeError) as error:
            if self.path is None:
                raise
            what = getattr(error, "strerror", None) or error
            raise OutputError(self.path, what) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.path is None:
            return
        if kind is None:
            with self._trouble():
                self._finish()
            return
        with contextlib.suppress(OSError, RuntimeError):
            self._close()
        if not self.done:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)


def _allocated(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: str) -> h5py.Dataset:
    """Make a dataset with its place in the file fixed at once: a kill leaves it readable."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
    kind = h5py.h5t.py_create(np.dtype(dtype).newbyteorder("<"), logical=True)
    return h5py.Dataset(h5py.h5d.create(group.id, name.encode(), kind, space, plist))


def _attribute(group: h5py.Group, name: str, value: Any) -> None:
    if isinstance(value, (list, tuple)):
        texts = [fields.safe(str(v)) for v in value]
        group.attrs.create(name, texts, (len(texts),), h5py.string_dtype())
    else:
        group.attrs[name] = fields.safe(value) if isinstance(value, str) else value


def write_results(dataset: xr.Dataset, path: Path) -> None:
    """Write results that are in memory, or in another file, to `path`, whatever is there.

    Raises
    ------
    InvalidInput
        If it is no Dataset of results.
    OutputError
    """
    known = {"direction", "curve", "depth"}
    if not {"curve", "depth"} <= set(dataset.dims) or set(dataset.dims) - known:
        raise InvalidInput(
            f"results have the dimensions curve and depth, not {', '.join(map(str, dataset.dims))}"
        )
    ways = [str(v) for v in dataset["direction"].values] if "direction" in dataset.dims else None
    variables = {str(name): _variable(array) for name, array in dataset.data_vars.items()}
    with Results(
        path, dataset.sizes["curve"], dataset["depth"].values, variables, ways, dict(dataset.attrs)
    ) as results:
        for name, array in dataset.data_vars.items():
            results.copy(str(name), array)
        results.coordinates = {
            str(n): c.values for n, c in dataset.coords.items() if c.dims == ("curve",)
        }


def _variable(array: xr.DataArray) -> Variable:
    about = dict(array.attrs)
    unit, meaning = str(about.pop("units", "")), str(about.pop("long_name", array.name))
    dims = tuple(str(d) for d in array.dims if d != "direction")
    order = tuple(d for d in ("direction", "curve", "depth") if d in array.dims)
    if array.dims != order or array.dtype.kind not in "iufb":
        raise InvalidInput(f"{array.name} has dimensions {array.dims} of {array.dtype}; "
                           "results are numbers over direction, curve and depth")  # fmt: skip
    return Variable(unit, meaning, dims, array.dtype.str[1:], about)
