"""Results while they are made, in memory or in a file.

Layout of the file, version 2.1 (conventions as in the file of curves)::

    /entry                      NXafm, as far as it goes: `nrm_plugin.store.nxafm`
        results     NXdata      curve, depth, distance_bin (and direction): coordinates; every
                                variable with its units; the attributes of the results; profiles
                                of the storage modulus as the plot
        map         NXdata      moduli at 5 nm where the curves lie on a grid: the default plot
        instrument, sample      as NXafm has them
        process     NXprocess   program, version, date
        potentiostat            its logs, where there are some: `nrm_plugin.store.kept_logs`

Profiles are single precision, which is far finer than their noise. What follows from others
(`nrm_plugin.store.derived_variables`) is not in the file; version 1 had it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput, NrmError, OutputError
from nrm_plugin.files import check_output
from nrm_plugin.store.derived_variables import derivable
from nrm_plugin.store.journal import OWN, FileRows, MemoryRows, Place
from nrm_plugin.store.nexus import BLOCK, WORDS
from nrm_plugin.tables import CurveTable
from nrm_plugin.variables import AXES, DECIDED, Variable
from nrm_plugin.vocabulary import COLUMNS

if TYPE_CHECKING:
    import xarray as xr

    from nrm_plugin.potential.log import Log

#: Variables whose mean over the depth is kept for every curve while results are made.
_MEANS = ("storage_modulus", "loss_modulus")


class Results:
    """Results while they are made. Use it in a ``with`` block.

    A file gets its name when the block ends well; otherwise what was written is kept beside it,
    and found again by the next call for the same.

    Parameters
    ----------
    path : Path or None
        None keeps everything in memory.
    n_curves : int
    axes : mapping of str to array
        Distances: ``depth``, and ``distance_bin`` where a variable has it.
    variables : mapping of str to Variable
    directions : sequence of str or None
        Where there are two.
    attributes : dict
        May be changed until the block ends.
    fingerprint : str
        Tells whether a half-finished file is of the same curves and recipe.
    overwrite : bool
        Whether a file that is there may be replaced, once this one is complete.

    Attributes
    ----------
    done : int
        Curves that are already there, all directions one behind the other.
    coordinates : mapping
        Columns over the curves; set before the block ends.
    logs : sequence of Log
        Of the potentiostat; set before the block ends.
    curve_current : (n_curves,) array or None
        Mean current of every curve in A, where there is no log; set before the block ends.
    means : mapping of str to (direction, curve) array
        Mean over the depth of the moduli, as far as they were written.
    """

    def __init__(
        self,
        path: Path | None,
        n_curves: int,
        axes: Mapping[str, FloatArray],
        variables: Mapping[str, Variable],
        directions: Sequence[str] | None,
        attributes: dict[str, Any],
        fingerprint: str = "",
        overwrite: bool = True,
    ) -> None:
        self.path, self.n_curves, self.axes = path, n_curves, axes
        self.variables, self.directions, self.attributes = variables, directions, attributes
        self.coordinates: CurveTable = {}
        self.logs: Sequence[Log] = ()
        self.curve_current: FloatArray | None = None
        self.means = {name: np.full((self._n_directions, n_curves), np.nan) for name in _MEANS}
        self._fingerprint, self._overwrite = fingerprint, overwrite
        self._rows: MemoryRows | FileRows

    @property
    def _n_directions(self) -> int:
        return len(self.directions) if self.directions else 1

    @property
    def done(self) -> int:
        """Curves that are already there."""
        return self._rows.done

    def dims(self, name: str) -> tuple[str, ...]:
        """Names of a variable's dimensions."""
        dims = self.variables[name].dims
        of_each = self.directions and "curve" in dims and name not in DECIDED
        return ("direction", *dims) if of_each else dims

    def _place(self, name: str) -> Place:
        sizes = {"direction": self._n_directions, "curve": self.n_curves}
        sizes |= {axis: len(values) for axis, values in self.axes.items()}
        dims = self.dims(name)
        tail = (sizes[dims[-1]],) if "curve" in dims and dims[-1] in self.axes else ()
        kind = np.dtype(self.variables[name].dtype).newbyteorder("<")
        return Place(tuple(sizes[dim] for dim in dims), tail, kind)

    def __enter__(self) -> Self:
        places = {name: self._place(name) for name in self.variables}
        if self.path is None:
            self._rows = MemoryRows(places)
            return self
        with self._trouble():
            check_output(self.path, overwrite=self._overwrite)
            self._rows = FileRows(self.path, places, self._fingerprint, overwrite=self._overwrite)
            self._rows.begin(self)
            self._recall()
        return self

    def write(self, direction: int, first: int, stop: int, made: Mapping[str, AnyArray]) -> None:
        """Keep what was found for consecutive curves of one direction."""
        row = direction * self.n_curves + first
        with self._trouble():
            for name, values in made.items():
                self._rows.put(name, row, values)
            self._rows.done = direction * self.n_curves + stop
        self._keep_means(direction, slice(first, stop), made)

    def get(self, name: str, direction: int = 0) -> AnyArray:
        """Copy of what there is of a variable of curves."""
        return self._rows.take(name, direction * self.n_curves, self.n_curves)

    def of_first_direction(self, name: str, column: int | None = None) -> FloatArray:
        """Values of a variable of curves in the first direction, at one place of its axis."""
        found = np.empty(self.n_curves)
        length = 1 if column is None else len(self.axes[self.variables[name].dims[-1]])
        step = max(1, BLOCK // length)
        for first in range(0, self.n_curves, step):
            rows = self._rows.take(name, first, min(step, self.n_curves - first))
            found[first : first + len(rows)] = rows if column is None else rows[:, column]
        return found

    def set(self, name: str, values: AnyArray, direction: int = 0) -> None:
        """Write a whole variable, if results have it."""
        if name in self.variables:
            with self._trouble():
                row = direction * self.n_curves if "curve" in self.dims(name) else 0
                self._rows.put(name, row, values)

    def copy(self, name: str, array: xr.DataArray) -> None:
        """Write a variable from elsewhere, some curves at a time."""
        if "curve" not in array.dims:
            self.set(name, array.values)
            return
        step = max(1, BLOCK // max(array.size // max(self.n_curves, 1), 1))
        for direction in range(array.sizes.get("direction", 1)):
            part = array.isel(direction=direction) if "direction" in array.dims else array
            for first in range(0, self.n_curves, step):
                values = part.isel(curve=slice(first, first + step)).values
                with self._trouble():
                    self._rows.put(name, direction * self.n_curves + first, values)

    def dataset(self) -> xr.Dataset:
        """Return the results that were kept in memory, and what follows from them."""
        import xarray as xr

        from nrm_plugin.store.read_results import with_derived

        assert isinstance(self._rows, MemoryRows)
        data = {
            name: (self.dims(name), self._rows.arrays[name], variable.attributes)
            for name, variable in self.variables.items()
        }
        return with_derived(xr.Dataset(data, self._coordinates(), self.attributes))

    def _coordinates(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            axis: (axis, values, AXES[axis].attributes) for axis, values in self.axes.items()
        }
        if self.directions:
            about = {"units": "", "long_name": "way of the ramp"}
            found["direction"] = ("direction", np.array(self.directions), about)
        for name, values in self.coordinates.items():
            about = {"units": COLUMNS[name].units[0], "long_name": COLUMNS[name].meaning}
            if values.dtype.kind == "M":
                del about["units"]
                values = values.astype("M8[ns]")
            found[name] = ("curve", values, about)
        return found

    def _keep_means(self, direction: int, curves: slice, made: Mapping[str, AnyArray]) -> None:
        for name in _MEANS:
            if name in made:
                finite = np.isfinite(made[name])
                total = np.where(finite, made[name], 0.0).sum(1, dtype=np.float64)
                with np.errstate(invalid="ignore", divide="ignore"):
                    self.means[name][direction, curves] = total / finite.sum(1)

    def _recall(self) -> None:
        """Make the means of what a half-finished file holds."""
        step = max(1, BLOCK // max(len(self.axes["depth"]), 1))
        for direction in range(self._n_directions):
            written = min(max(self.done - direction * self.n_curves, 0), self.n_curves)
            for first in range(0, written, step):
                stop = min(first + step, written)
                made = {
                    name: self._rows.take(name, direction * self.n_curves + first, stop - first)
                    for name in _MEANS
                    if name in self.variables
                }
                self._keep_means(direction, slice(first, stop), made)

    @contextlib.contextmanager
    def _trouble(self) -> Iterator[None]:
        """Turn what a disk and HDF5 say into one error that names the file."""
        try:
            yield
        except NrmError:
            raise
        except (OSError, RuntimeError) as error:
            assert self.path is not None  # what is kept in memory meets neither
            raise OutputError(self.path, getattr(error, "strerror", None) or error) from error

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if not isinstance(self._rows, FileRows):
            return
        if kind is not None:
            self._rows.abandon()
            return
        with self._trouble():
            self._rows.finish(self)


def write_results(dataset: xr.Dataset, path: Path) -> None:
    """Write results that are in memory, or in another file, to `path`, whatever is there.

    Raises
    ------
    InvalidInput
        If it is no Dataset of results.
    OutputError
    """
    known = {"direction", "curve", *AXES}
    if not {"curve", "depth"} <= set(dataset.dims) or set(dataset.dims) - known:
        raise InvalidInput(
            f"results have the dimensions curve and depth, not {', '.join(map(str, dataset.dims))}"
        )
    ways = [str(v) for v in dataset["direction"].values] if "direction" in dataset.dims else None
    axes = {axis: dataset[axis].values for axis in AXES if axis in dataset.dims}
    arrays = {
        str(name): array for name, array in dataset.data_vars.items() if not _follows(dataset, name)
    }
    variables = {name: _variable(array) for name, array in arrays.items()}
    _check_attributes("the results", {n: v for n, v in dataset.attrs.items() if not _listed(v)})
    n_curves = dataset.sizes["curve"]
    columns = {str(n): c.values for n, c in dataset.coords.items() if c.dims == ("curve",)}
    if np.array_equal(columns.get("curve", ()), np.arange(n_curves)):
        columns.pop("curve", None)  # the numbers that curves have anyhow
    for name in columns.keys() - COLUMNS.keys():
        raise InvalidInput(
            f"the coordinate {name!r} is no column of the curve table: "
            "leave it out with drop_vars, or make it a variable of numbers with reset_coords"
        )
    for name, values in columns.items():
        if values.dtype.kind not in "iufM" and name not in WORDS:
            raise InvalidInput(f"the coordinate {name!r} holds no numbers")
    with Results(path, n_curves, axes, variables, ways, dict(dataset.attrs)) as results:
        for name, array in arrays.items():
            results.copy(name, array)
        results.coordinates = columns


def _follows(dataset: xr.Dataset, name: Any) -> bool:
    """Whether a variable is what is derived from the others: the file need not hold it."""
    others: set[Any] = set(dataset.variables) - {name}
    if name not in derivable(others, set(dataset.attrs)):
        return False
    from nrm_plugin.store.read_results import derived

    there, wanted = dataset.variables[name], derived(dataset, name)
    if (there.dims, there.dtype, there.attrs) != (wanted.dims, wanted.dtype, wanted.attrs):
        return False
    step = max(1, BLOCK // max(there.size // max(dataset.sizes["curve"], 1), 1))
    parts = (slice(first, first + step) for first in range(0, dataset.sizes["curve"], step))
    return all(
        np.array_equal(there[{"curve": part}].values, wanted[{"curve": part}].values, True)
        for part in parts
    )


def _check_attributes(owner: str, about: Mapping[Any, Any]) -> None:
    """Refuse what the file cannot hold, before it is begun."""
    for name, value in about.items():
        if isinstance(value, str) or (_listed(value) and all(isinstance(v, str) for v in value)):
            continue
        try:
            kind = np.asarray(value).dtype.kind
        except ValueError:  # lists of different lengths
            kind = "O"
        if kind not in "biufcS":
            raise InvalidInput(
                f"the attribute {name!r} of {owner} is a {type(value).__name__}: make it a text, a "
                "number or a list of them"
            )


def _listed(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _variable(array: xr.DataArray) -> Variable:
    about = dict(array.attrs)
    _check_attributes(str(array.name), about)
    if array.name in ("", ".", *OWN) or set("/\0") & set(str(array.name)):
        raise InvalidInput(f"no variable of the file can be called {array.name!r}: rename it")
    unit, meaning = str(about.pop("units", "")), str(about.pop("long_name", array.name))
    dims = tuple(str(d) for d in array.dims if d != "direction")
    order = tuple(d for d in ("direction", "curve", *AXES) if d in array.dims)
    if array.dims != order or array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise InvalidInput(
            f"{array.name} has dimensions {array.dims} of {array.dtype}; "
            "results are numbers over direction, curve and distances"
        )
    return Variable(unit, meaning, dims, array.dtype.str[1:], about=about)
