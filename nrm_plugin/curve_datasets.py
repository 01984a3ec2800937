"""Curves as a dataset of xarray, and back.

Dimensions are curve and sample, with nan behind the end of shorter curves; ``row_size`` tells the
ends. Bookkeeping that is not a number per curve lies in attributes beginning with ``nrm_``, as
JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import nrm_plugin.dataset_accessor  # noqa: F401  (datasets have .nrm from here on)
from nrm_plugin.columns import AnyArray, FloatArray, Rows, runs, scaled_copy
from nrm_plugin.errors import InvalidInput
from nrm_plugin.images import Image
from nrm_plugin.lazy_arrays import LazyArray, lazy_variable
from nrm_plugin.tables import SEGMENT, USUAL, column_dtype
from nrm_plugin.vocabulary import CHANNELS, COLUMNS, METADATA

if TYPE_CHECKING:
    from nrm_plugin.model import Channel, CurveSet

#: Samples that a chunk of Dask holds, about.
_CHUNK = 1 << 20
_OWN = "nrm_"
_IMAGE = "image_"
_SEGMENT = ("start", "stop", "kind")


class _Samples(LazyArray):
    """A channel as a table of curves and samples."""

    dtype = np.dtype(np.float64)

    def __init__(self, channel: Channel, rows: Rows, longest: int) -> None:
        self.channel, self.rows = channel, rows
        self.shape = len(rows), longest

    def part(self, key: tuple[Any, ...]) -> AnyArray:
        """See `LazyArray.part`."""
        chosen = np.arange(self.shape[0])[key[0]]
        numbers = np.atleast_1d(chosen)
        sizes = self.rows.sizes[numbers]
        flat: FloatArray = np.empty(int(sizes.sum()))
        at = 0
        for first, stop in runs(numbers):
            end = at + self.rows.start(stop) - self.rows.start(first)
            self.channel.fill(first, stop, flat[at:end])
            at = end
        if (sizes == self.shape[1]).all():
            table = flat.reshape(len(numbers), self.shape[1])
        else:
            table = np.full((len(numbers), self.shape[1]), np.nan)
            table[np.arange(self.shape[1]) < sizes[:, None]] = flat
        out: AnyArray = (table if np.ndim(chosen) else table[0])[..., key[1]]
        return out


class _PerCurve(LazyArray):
    """A column of the curve table, or of the segments, of curves that read them when asked."""

    def __init__(self, curves: CurveSet, name: str, dtype: np.dtype[Any], *shape: int) -> None:
        self.curves, self.name, self.dtype = curves, name, dtype
        self.shape = curves.n_curves, *shape

    def part(self, key: tuple[Any, ...]) -> AnyArray:
        """See `LazyArray.part`."""
        if len(self.shape) == 1:
            return np.asarray(self.curves.curve_table[self.name][key[0]])
        return np.asarray(_padded(self.curves.segments, self.name, self.shape)[key[0]][..., key[1]])


class _Pixels(LazyArray):
    """An image."""

    dtype = np.dtype(np.float64)

    def __init__(self, image: Image) -> None:
        self.image, self.shape = image, image.shape

    def part(self, key: tuple[Any, ...]) -> AnyArray:
        """See `LazyArray.part`."""
        rows, columns = key
        return np.asarray(self.image.data[rows][..., columns])


def dataset_of(curves: CurveSet) -> xr.Dataset:
    """Curves as a dataset; see `CurveSet.to_xarray`."""
    sizes, rows = curves.row_size, curves.rows
    longest = int(sizes.max(initial=0))
    chunks = {"curve": max(1, _CHUNK // max(longest, 1)), "sample": longest}
    variables: dict[str, xr.Variable] = {
        "row_size": xr.Variable("curve", np.array(sizes), {"long_name": "samples of the curve"})
    }
    for name, channel in curves.channels.items():
        about = {
            "units": channel.unit,
            "long_name": CHANNELS[name].meaning if name in CHANNELS else channel.original or name,
            "original": channel.original,
            "source": channel.source,
        }
        array = _Samples(channel, rows, longest)
        variables[name] = lazy_variable(
            ("curve", "sample"), array, about, {"preferred_chunks": chunks}
        )
    if curves.segments_from is not None:
        variables |= _segment_variables(curves)
    for number, image in enumerate(curves.images):
        variables[f"{_IMAGE}{number:03d}"] = _image_variable(number, image)
    coordinates = {"sample": xr.Variable("sample", np.arange(longest))}
    for name in _column_names(curves):
        column = _PerCurve(curves, name, column_dtype(name))
        coordinates[_stored(name)] = lazy_variable(("curve",), column, _meaning(name))
    return xr.Dataset(variables, coordinates, _attributes(curves))


def _stored(name: str) -> str:
    """Name of a column of the curve table, where a channel may have the same."""
    return f"curve_{name}" if name in CHANNELS else name


def _meaning(name: str) -> dict[str, str]:
    quantity = COLUMNS[name]
    units = {} if name == "start_time" or not quantity.units[0] else {"units": quantity.units[0]}
    return {**units, "long_name": quantity.meaning}


def _attributes(curves: CurveSet) -> dict[str, Any]:
    """Metadata as they are, but for truth values, which netCDF does not know; and bookkeeping."""
    metadata = {
        name: np.int8(value) if isinstance(value, bool) else value
        for name, value in curves.metadata.items()
    }
    own = {
        "metadata_source": curves.metadata_source,
        "warnings": curves.warnings,
        "origins": [asdict(origin) for origin in curves.origins],
        "grid": curves.grid,
        "importer": curves.importer,
    }
    return metadata | {f"{_OWN}{name}": json.dumps(value) for name, value in own.items()}


def _column_names(curves: CurveSet) -> list[str]:
    """Columns of the curve table; without reading it, where its source knows them."""
    names = getattr(curves.table_from, "names", None)
    given = curves.given_table if names is None else names
    return list(dict.fromkeys((*USUAL, *(name for name in given if name in COLUMNS))))


def _segment_variables(curves: CurveSet) -> dict[str, xr.Variable]:
    """Segments as tables of curves and their segments; -1 and empty where a curve has fewer."""
    most = getattr(curves.segments_from, "most", None)
    counted = np.bincount(curves.segments["curve"]).max(initial=0) if most is None else most()
    return {
        f"segment_{name}": lazy_variable(
            ("curve", "segment"), _PerCurve(curves, name, SEGMENT[name], int(counted)), {}
        )
        for name in _SEGMENT
    }


def _padded(segments: AnyArray, name: str, shape: tuple[int, ...]) -> AnyArray:
    curve, kind = segments["curve"], SEGMENT[name]
    table: AnyArray = np.full(shape, "" if kind.kind == "U" else -1, kind)
    table[curve, np.arange(len(curve)) - np.searchsorted(curve, curve)] = segments[name]
    return table


def _image_variable(number: int, image: Image) -> xr.Variable:
    about = {
        "units": image.unit,
        "long_name": image.name,
        "direction": image.direction,
        "original": image.original,
        "size_x": image.size[0],
        "size_y": image.size[1],
    }
    dims = [f"{_IMAGE}{number:03d}_{axis}" for axis in "yx"]
    return lazy_variable(dims, _Pixels(image), about)


class _DatasetColumn:
    """A variable of a dataset as the flat numbers of all curves."""

    def __init__(self, values: xr.Variable, rows: Rows) -> None:
        self._values, self.rows, self.dtype = values, rows, values.dtype

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        table = np.asarray(self._values[first:stop].values)
        inside = np.arange(table.shape[1]) < self.rows.sizes[first:stop, None]
        scaled_copy(out.reshape(-1), table[inside], gain, offset)


class DatasetParts:
    """What a set of curves is made of, from a dataset.

    Raises
    ------
    InvalidInput
        If it has no samples of curves.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        if "sample" not in dataset.dims:
            raise InvalidInput("the dataset has no dimension 'sample': curves have samples")
        self._dataset = dataset if "curve" in dataset.dims else _of_one_curve(dataset)
        longest, n_curves = self._dataset.sizes["sample"], self._dataset.sizes["curve"]
        if "sample" in dataset.coords:
            number = dataset["sample"].values
            if not np.array_equal(number, np.arange(longest)):
                raise InvalidInput(
                    "samples of the curves were left out of the dataset, so their segments are not "
                    "known any more: choose whole curves, or drop the coordinate 'sample'"
                )
        if "row_size" in self._dataset:
            sizes = np.asarray(self._dataset["row_size"].values)
            if sizes.shape != (n_curves,) or sizes.dtype.kind not in "iu" or (sizes < 0).any():
                raise InvalidInput("row_size is the number of samples of each curve")
            if (sizes > longest).any():
                raise InvalidInput(f"row_size is larger than the {longest} samples that there are")
            self.rows = Rows(sizes.astype(np.int64))
        else:
            self.rows = Rows.uniform(n_curves, longest)

    def channels(self) -> Iterator[tuple[str, _DatasetColumn, dict[str, str]]]:
        """Names and numbers of channels, with their units, original names and sources."""
        for name, array in self._dataset.data_vars.items():
            if set(array.dims) == {"curve", "sample"}:
                if array.dtype.kind not in "iuf":
                    raise InvalidInput(f"channel {name!r}: {array.dtype} are no real numbers")
                about = {k: str(array.attrs.get(k, "")) for k in ("units", "original", "source")}
                if not {"original", "source"} & set(array.attrs):
                    about |= {"original": str(name), "source": "given"}
                values = array.variable.transpose("curve", "sample")
                yield str(name), _DatasetColumn(values, self.rows), about

    def table(self) -> dict[str, AnyArray]:
        """Columns of the curve table."""
        variables = self._dataset.variables
        return {
            name: np.asarray(variables[_stored(name)].values)
            for name in COLUMNS
            if _stored(name) in variables and variables[_stored(name)].dims == ("curve",)
        }

    def segments(self) -> AnyArray | None:
        """Segments, if the dataset has them."""
        if not {f"segment_{name}" for name in _SEGMENT} <= set(self._dataset.variables):
            return None
        start, stop, kind = (
            self._dataset[f"segment_{name}"].transpose("curve", "segment").values
            for name in _SEGMENT
        )
        curve, part = np.nonzero(start >= 0)
        out = np.empty(len(curve), SEGMENT)
        out["curve"] = curve
        out["start"], out["stop"], out["kind"] = (v[curve, part] for v in (start, stop, kind))
        return out

    def images(self) -> Iterator[Image]:
        """Images, in their order."""
        for name in sorted(map(str, self._dataset.data_vars)):
            array = self._dataset[name]
            if name.startswith(_IMAGE) and array.dims == (f"{name}_y", f"{name}_x"):
                about = array.attrs
                yield Image(
                    str(about.get("long_name", name)),
                    array.values,
                    str(about.get("units", "")),
                    (float(about.get("size_x", np.nan)), float(about.get("size_y", np.nan))),
                    str(about.get("direction", "")),
                    original=str(about.get("original", "")),
                )

    def metadata(self) -> dict[str, Any]:
        """Attributes that are metadata."""
        return {
            str(name): bool(value) if isinstance(value, np.int8) else value
            for name, value in self._dataset.attrs.items()
            if not str(name).startswith(_OWN)
            and (name in METADATA or isinstance(value, str | bool | int | float | np.number))
        }

    def attribute(self, name: str, default: Any) -> Any:
        """Bookkeeping of ours."""
        text = self._dataset.attrs.get(f"{_OWN}{name}")
        return default if text is None else json.loads(text)

    def grid(self, by_table: tuple[int, int] | None) -> tuple[int, int] | None:
        """Rows and columns, as the curve table has them; of our datasets, as they were told.

        None where curves were left out or put in another order.
        """
        if f"{_OWN}grid" not in self._dataset.attrs:
            return by_table
        told = self.attribute("grid", None)
        rows = self._dataset.variables.get("row")
        if told is None or told[0] * told[1] != len(self.rows):
            return None
        if rows is not None and (rows.values >= 0).all() and by_table != tuple(told):
            return None
        return int(told[0]), int(told[1])


def _of_one_curve(dataset: xr.Dataset) -> xr.Dataset:
    """Give a curve that was taken out alone its dimension back."""
    images = [name for name in dataset.data_vars if str(name).startswith(_IMAGE)]
    alone = dataset.drop_vars(images)
    names = [n for n in alone.variables if n not in ("sample", "segment")]
    alone = alone.reset_coords([n for n in names if n in alone.coords]).expand_dims("curve")
    return alone.assign({name: dataset[name].variable for name in images})
