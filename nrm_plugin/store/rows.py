"""Where the numbers of results are while they are made: arrays, or fixed places in a file.

In a file every variable lies in one piece whose place is known from the beginning. Between the
beginning and the end nothing but plain writes happens, so that a file that was left half-finished,
by whatever, can be read and finished.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from nrm_plugin import __version__
from nrm_plugin.columns import AnyArray
from nrm_plugin.store import fields
from nrm_plugin.store.disk import Disk
from nrm_plugin.store.layout import RESULTS_FORMAT, RESULTS_VERSION
from nrm_plugin.variables import DISTANCE
from nrm_plugin.vocabulary import COLUMNS

if TYPE_CHECKING:
    from nrm_plugin.store.results import Results

GROUP = "entry/results"


@dataclass(frozen=True)
class Place:
    """How much room a variable needs: `count` rows of the shape `tail`.

    Variables of curves have a row per curve, those of all directions one behind the other.
    """

    shape: tuple[int, ...]
    tail: tuple[int, ...]
    dtype: np.dtype[Any]


class MemoryRows:
    """Variables in memory.

    Attributes
    ----------
    arrays : mapping of str to array
    done : int
        Rows that are there.
    """

    def __init__(self, places: Mapping[str, Place]) -> None:
        self.done = 0
        self.arrays: dict[str, AnyArray] = {
            name: np.full(place.shape, 0 if place.dtype.kind in "iu" else np.nan, place.dtype)
            for name, place in places.items()
        }
        self._rows = {name: self.arrays[name].reshape(-1, *p.tail) for name, p in places.items()}

    def put(self, name: str, row: int, values: AnyArray) -> None:
        """Write values from a row on."""
        self._rows[name][row : row + len(values)] = values

    def take(self, name: str, row: int, count: int) -> AnyArray:
        """Copy some rows."""
        return self._rows[name][row : row + count].copy()


class FileRows:
    """Variables in a file with a temporary name beside the final one.

    A half-finished file of the same variables and fingerprint is gone on with.
    """

    def __init__(self, path: Path, places: Mapping[str, Place], fingerprint: str) -> None:
        self.path, self._places, self._fingerprint = path, places, fingerprint
        self.part = path.with_name(f"{path.name}.part")
        self._offsets: dict[str, int] = {}
        self._disk = self._reopened() or Disk(self.part, "w+")
        self._done = int(self._read("done", 0, 1)[0]) if self._offsets else 0

    def begin(self, results: Results) -> None:
        """Lay out a new file, unless there is a half-finished one."""
        if self._offsets:
            return
        with h5py.File(self._disk, "w", libver=("earliest", "v110"), track_order=True) as file:
            _lay_out(file, results, self._places, self._fingerprint)
            self._offsets = _offsets(file, self._places)
        self._disk.check()
        self.done = 0

    def _reopened(self) -> Disk | None:
        if not self._fingerprint or not self.part.is_file():
            return None
        disk = Disk(self.part, "r+")
        try:
            with h5py.File(disk, "r") as file:
                if file[GROUP].attrs["fingerprint"] == self._fingerprint:
                    self._offsets = _offsets(file, self._places)
                    return disk
        except (OSError, KeyError, RuntimeError, ValueError):  # whatever was left there
            self._offsets = {}
        disk.close()
        return None

    @property
    def done(self) -> int:
        """Rows that are there."""
        return self._done

    @done.setter
    def done(self, value: int) -> None:
        self._done = value
        self._write("done", 0, np.array([value], _DONE.dtype))

    def put(self, name: str, row: int, values: AnyArray) -> None:
        """Write values from a row on."""
        self._write(name, row, np.ascontiguousarray(values, self._places[name].dtype))

    def take(self, name: str, row: int, count: int) -> AnyArray:
        """Copy some rows."""
        return self._read(name, row, count)

    def _at(self, name: str, row: int) -> tuple[Place, int]:
        place = self._places.get(name, _DONE)
        size = place.dtype.itemsize * math.prod(place.tail)
        return place, self._offsets[name] + row * size

    def _write(self, name: str, row: int, values: AnyArray) -> None:
        if values.size:
            self._disk.seek(self._at(name, row)[1])
            self._disk.write(values.data.cast("B"))
            self._disk.check()

    def _read(self, name: str, row: int, count: int) -> AnyArray:
        place, at = self._at(name, row)
        values: AnyArray = np.empty((count, *place.tail), place.dtype)
        self._disk.seek(at)
        self._disk.readinto(values.data.cast("B"))
        return values

    def finish(self, results: Results) -> None:
        """Write what is known at the end, and give the file its name."""
        with h5py.File(self._disk, "r+") as file:
            _complete(file, results)
        self._disk.close()
        self._disk.check()
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())
        self.part.replace(self.path)

    def abandon(self) -> None:
        """Close the file; what was written stays."""
        self._disk.close()
        if not self._done:
            with contextlib.suppress(OSError):
                self.part.unlink(missing_ok=True)


_DONE = Place((), (), np.dtype("<i8"))


def _offsets(file: h5py.File, places: Mapping[str, Place]) -> dict[str, int]:
    """Bytes at which the variables begin."""
    group = file[GROUP]
    found = {}
    for name, place in [*places.items(), ("done", _DONE)]:
        data = group[name]
        if data.shape != place.shape or data.dtype != place.dtype:
            raise ValueError(f"{name} is of another kind")
        found[name] = data.id.get_offset() or 0
    return found


def _lay_out(
    file: h5py.File, results: Results, places: Mapping[str, Place], fingerprint: str
) -> None:
    fields.root(file, RESULTS_FORMAT, RESULTS_VERSION)
    entry = fields.group(file, "entry", "NXentry")
    entry.attrs["default"] = "results"
    group = fields.group(entry, "results", "NXdata")
    scales = {"curve": fields.dimension(group, "curve", results.n_curves)}
    scales["depth"] = fields.field(group, "depth", results.depth, DISTANCE.unit, DISTANCE.meaning)
    scales["depth"].make_scale("depth")
    if results.directions:
        words = np.array(results.directions, h5py.string_dtype())
        scales["direction"] = fields.field(group, "direction", words, "", "way of the ramp")
        scales["direction"].make_scale("direction")
    for name, variable in results.variables.items():
        data = _allocated(group, name, places[name])
        data.attrs.update(variable.attributes)
        for axis, dim in enumerate(results.dims(name)):
            data.dims[axis].attach_scale(scales[dim])
    _allocated(group, "done", _DONE)
    group.attrs["fingerprint"] = fingerprint


def _allocated(group: h5py.Group, name: str, place: Place) -> h5py.Dataset:
    """Make a dataset whose place in the file is fixed at once."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    simple = h5py.h5s.create_simple
    space = simple(place.shape) if place.shape else h5py.h5s.create(h5py.h5s.SCALAR)
    kind = h5py.h5t.py_create(place.dtype, logical=True)
    return h5py.Dataset(h5py.h5d.create(group.id, name.encode(), kind, space, plist))


def _complete(file: h5py.File, results: Results) -> None:
    group = file[GROUP]
    del group["done"], group.attrs["fingerprint"]
    for name, values in results.coordinates.items():
        about = COLUMNS[name]
        fields.column(group, name, values, group["curve"], about.units[0], about.meaning)
    group.attrs["coordinates"] = " ".join(results.coordinates)
    for name, value in results.attributes.items():
        if isinstance(value, (list, tuple)):
            texts = [fields.safe(str(v)) for v in value]
            group.attrs.create(name, texts, (len(texts),), h5py.string_dtype())
        else:
            group.attrs[name] = fields.safe(value) if isinstance(value, str) else value
    signal = "storage_modulus" if "storage_modulus" in results.variables else "contact_height"
    group.attrs.update(signal=signal, axes=list(results.dims(signal)))
    process = fields.group(file["entry"], "process", "NXprocess")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for name, text in (("program", "nrm-plugin"), ("version", __version__), ("date", now)):
        fields.field(process, name, text, "", name)
