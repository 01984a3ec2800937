"""Where the numbers of results are while they are made: arrays, or fixed places in a file.

In a file every variable lies in one piece whose place is known from the beginning. Between the
beginning and the end nothing but plain writes happens, so that a file that was left half-finished,
by whatever, can be read and finished.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

from nrm_plugin import __version__
from nrm_plugin.columns import AnyArray
from nrm_plugin.errors import OutputError
from nrm_plugin.files import (
    HEAD,
    check_output,
    close_after,
    open_locked,
    read_start,
    time_of_writing,
)
from nrm_plugin.store import nexus
from nrm_plugin.store.default_plots import describe_profiles, write_map
from nrm_plugin.store.kept_logs import write_logs
from nrm_plugin.store.nexus import RESULTS_FORMAT, RESULTS_VERSION, Disk
from nrm_plugin.store.nxafm import metadata_of, write_nxafm
from nrm_plugin.store.results_file import GROUP
from nrm_plugin.variables import AXES
from nrm_plugin.vocabulary import COLUMNS

if TYPE_CHECKING:
    from nrm_plugin.store.write_results import Results

log = logging.getLogger("nrm")

#: What a journal begins with until HDF5 has laid it out.
_MARK = f"{RESULTS_FORMAT} journal\n".encode()
_HDF5 = b"\x89HDF\r\n\x1a\n"

#: What h5py raises for a damaged file, beside OSError.
_DAMAGED = (KeyError, OverflowError, RuntimeError, ValueError)

_BUSY = (
    "another nrm process is writing these results: wait until it has ended, or give the results "
    "of this one another name"
)


def _of_results(head: bytes) -> bool:
    """Whether a file that begins so is one of results, complete or not, readable or damaged."""
    return head.startswith(_MARK) or (head.startswith(_HDF5) and RESULTS_FORMAT.encode() in head)


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
    """Variables in a journal beside the final file, which it becomes when it is complete.

    One writer at a time. A half-finished journal of the same variables and fingerprint is gone on
    with, one of other results begun anew; a file of another kind is left alone.

    Raises
    ------
    OutputError
        If the journal is being written, or something else is in its place.
    """

    def __init__(
        self, path: Path, places: Mapping[str, Place], fingerprint: str, *, overwrite: bool
    ) -> None:
        self.path, self._places, self._fingerprint = path, places, fingerprint
        self.journal = path.with_name(f"{path.name}.process")
        self._offsets: dict[str, int] = {}
        self._done = 0
        self._disk = open_locked(self.journal, _BUSY, Disk)
        self._new = not self._disk.seek(0, os.SEEK_END)
        try:
            self._recognise()
            self._recall()
            check_output(path, overwrite=overwrite)  # another writer may just have finished it
        except BaseException:
            self.abandon()
            raise

    def _recognise(self) -> None:
        """Refuse a file that is no journal; nothing is written before."""
        self._disk.seek(0)
        if not self._new and not _of_results(self._disk.read(HEAD)):
            raise OutputError(
                self.path,
                f"{self.journal} is in the way, which nrm process did not write: rename or "
                "remove it, or give the results another name",
            )
        earlier = self.path.with_name(f"{self.path.name}.part")
        with contextlib.suppress(OSError):
            if self._new and earlier.is_file() and _of_results(read_start(earlier, HEAD)):
                log.warning(
                    "%s holds unfinished results of an earlier version, which are not gone on "
                    "with: all curves are processed again. Remove it.",
                    earlier,
                )

    def _recall(self) -> None:
        """Find where the variables lie in a journal of the same results."""
        if self._new or not self._fingerprint:
            return
        try:
            with h5py.File(self._disk, "r") as file:
                self._offsets = _offsets(file, self._places)
            if self._read("fingerprint", 0, _HASH).tobytes() == self._fingerprint.encode():
                self._done = int(self._read("done", 0, 1)[0])
            else:
                self._offsets = {}
        except (*_DAMAGED, OSError):  # or killed while it was laid out
            self._offsets = {}

    def begin(self, results: Results) -> None:
        """Lay out a new journal, unless there is a half-finished one."""
        if self._offsets:
            return
        self._new = True
        try:
            self._offsets = self._laid_out(results)
            self.done = 0
            fingerprint = np.frombuffer(self._fingerprint.encode(), np.uint8)
            self._write("fingerprint", 0, fingerprint)
        except BaseException:
            self.abandon()
            raise

    def _laid_out(self, results: Results) -> dict[str, int]:
        """Make everything but the numbers; return the bytes at which the variables begin.

        Files of a folder are mostly laid out alike: the last small layout is kept, and copied.
        """
        global _last
        layout = _Layout.of(results, self._places)
        self._disk.truncate(0)
        if _last is not None and _last[0] == layout:
            self._disk.seek(0)
            self._disk.write(_last[1])
            self._disk.check()
            return _last[2]
        with nexus.new_file(self._disk) as file:
            self._disk.seek(0)
            self._disk.write(_MARK)  # HDF5 writes its own first bytes last
            self._disk.check()
            offsets = _lay_out(file, results, self._places)
        self._disk.check()
        if self._disk.seek(0, os.SEEK_END) <= _SMALL:
            self._disk.seek(0)
            _last = layout, self._disk.read(), offsets
        return offsets

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
        place = self._places[name] if name in self._places else OWN[name]
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
        try:
            self._completed(results)
            self._disk.check()
            os.fsync(self._disk.fileno())
            close_after(self._disk, lambda: self.journal.replace(self.path))
        finally:
            self._disk.close()

    def _completed(self, results: Results) -> None:
        """Write what is known at the end; refuse an earlier journal that is damaged."""
        try:
            with h5py.File(self._disk, "r+") as file:
                _complete(file, results)
        except (*_DAMAGED, OSError):
            self._disk.check()
            if self._new:
                raise
            raise OutputError(
                self.path,
                f"{self.journal}, which an earlier run left, is damaged: remove it and begin again",
            ) from None

    def abandon(self) -> None:
        """Close the journal; what was written stays."""
        with contextlib.suppress(OSError):
            if self._new and not self._done:
                close_after(self._disk, self.journal.unlink)
        self._disk.close()


#: What a journal holds besides the variables: curves that are there, and whose results they are.
_DONE = Place((), (), np.dtype("<i8"))
_HASH = 64
OWN = {"done": _DONE, "fingerprint": Place((_HASH,), (), np.dtype("u1"))}

#: Bytes of the largest layout that is kept.
_SMALL = 1 << 20


class _Layout(NamedTuple):
    """All that the layout of a journal depends on."""

    places: tuple[tuple[str, Place], ...]
    attributes: str
    axes: tuple[tuple[str, bytes], ...]
    directions: tuple[str, ...]

    @classmethod
    def of(cls, results: Results, places: Mapping[str, Place]) -> _Layout:
        """Layout of these results."""
        return cls(
            tuple(places.items()),
            repr([variable.attributes for variable in results.variables.values()]),
            tuple((axis, values.tobytes()) for axis, values in results.axes.items()),
            tuple(results.directions or ()),
        )


_last: tuple[_Layout, bytes, dict[str, int]] | None = None

_AT_ONCE = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
_AT_ONCE.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
_AT_ONCE.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
_AT_ONCE.set_obj_track_times(False)


def _offsets(file: h5py.File, places: Mapping[str, Place]) -> dict[str, int]:
    """Bytes at which the variables begin."""
    group = file[GROUP]
    found = {}
    for name, place in {**places, **OWN}.items():
        data = group[name]
        if data.shape != place.shape or data.dtype != place.dtype:
            raise ValueError(f"{name} is of another kind")
        found[name] = data.id.get_offset() or 0
    return found


def _lay_out(file: h5py.File, results: Results, places: Mapping[str, Place]) -> dict[str, int]:
    nexus.root(file, RESULTS_FORMAT, RESULTS_VERSION)
    entry = nexus.group(file, "entry", "NXentry")
    nexus.describe(entry.id, {"default": "results"})
    group = nexus.group(entry, "results", "NXdata")
    numbers = np.arange(results.n_curves, dtype="<i4")
    scales = {"curve": nexus.coordinate(group, "curve", numbers, "", "number of the curve")}
    for dim, values in results.axes.items():
        scales[dim] = nexus.coordinate(group, dim, values, AXES[dim].unit, AXES[dim].meaning)
    if results.directions:
        words = np.array(results.directions, h5py.string_dtype())
        scales["direction"] = nexus.coordinate(group, "direction", words, "", "way of the ramp")
    offsets = {}
    for name, variable in results.variables.items():
        data = _allocated(group, name, places[name])
        offsets[name] = data.get_offset() or 0
        nexus.describe(data, variable.attributes)
        for axis, dim in enumerate(results.dims(name)):
            nexus.along(data, axis, scales[dim])
    describe_profiles(group, results)
    for name, place in OWN.items():
        offsets[name] = _allocated(group, name, place).get_offset()
    return offsets


def _allocated(group: h5py.Group, name: str, place: Place) -> h5py.h5d.DatasetID:
    """Make a dataset whose place in the file is fixed at once."""
    return nexus.dataset(group, name, place.shape, place.dtype, _AT_ONCE)


def _complete(file: h5py.File, results: Results) -> None:
    group = file[GROUP]
    for name in OWN:
        del group[name]
    curve = group["curve"]
    for name, values in results.coordinates.items():
        about = COLUMNS[name]
        nexus.column(group, name, values, curve, about.units[0], about.meaning)
    attributes = {"coordinates": " ".join(results.coordinates), **results.attributes}
    for name, value in attributes.items():
        texts = [str(v) for v in value] if isinstance(value, (list, tuple)) else value
        nexus.describe(group.id, {name: texts})
    entry = file["entry"]
    write_map(entry, results)
    metadata = metadata_of(str(results.attributes.get("experiment", "")))
    if title := results.attributes.get("title"):
        metadata = {**metadata, "title": title}
    importers = [str(name).split(" ")[0] for name in results.attributes.get("source_importer", [])]
    write_nxafm(entry, metadata, importers, results.coordinates)
    process = nexus.group(entry, "process", "NXprocess")
    now = time_of_writing().isoformat(timespec="seconds")
    program = nexus.bare_field(process, "program", "nrm-plugin")
    nexus.describe(program.id, {"version": __version__})
    nexus.bare_field(process, "version", __version__)
    nexus.bare_field(process, "date", now)
    write_logs(entry, results.logs, results.curve_current)
