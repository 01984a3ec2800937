"""What all our HDF5 files share: formats, groups, fields and columns as NeXus and CF have them."""

from __future__ import annotations

from collections.abc import Mapping
from io import FileIO
from typing import Any

import h5py
import numpy as np

from nrm_plugin import __version__
from nrm_plugin.columns import AnyArray
from nrm_plugin.vocabulary import SEGMENT_KINDS, START_TIME_SOURCES

FORMAT = "nrm-curves"
VERSION = (1, 0)

RESULTS_FORMAT = "nrm-results"
RESULTS_VERSION = (2, 0)

#: Unit of stored times, which are whole numbers.
EPOCH = "microseconds since 1970-01-01T00:00:00"

#: Columns of words: stored as numbers, with the words in flag_meanings.
WORDS = {"kind": SEGMENT_KINDS, "start_time_source": START_TIME_SOURCES}

#: Samples that are read or written at once.
BLOCK = 1 << 21

#: A text in a file, in memory, and its shape.
_STORED_TEXT = h5py.h5t.py_create(h5py.string_dtype(), logical=True)
_TEXT = h5py.h5t.py_create(h5py.string_dtype())
_SCALAR = h5py.h5s.create(h5py.h5s.SCALAR)

_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable.%10d"


def root(file: h5py.File, kind: str, version: tuple[int, int]) -> None:
    """Say what kind of file it is."""
    file.attrs.update(
        NX_class="NXroot",
        default="entry",
        format=kind,
        format_version=f"{version[0]}.{version[1]}",
        creator="nrm-plugin",
        creator_version=__version__,
    )


def group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    """Make a group of a NeXus class."""
    group = parent.create_group(name, track_order=True)
    describe(group, {"NX_class": kind})
    return group


def describe(item: h5py.HLObject, about: Mapping[str, Any]) -> None:
    """Give attributes to something new, texts by HDF5's own functions: there are many of them."""
    for name, value in about.items():
        if isinstance(value, str):
            attribute = h5py.h5a.create(item.id, name.encode(), _STORED_TEXT, _SCALAR)
            attribute.write(np.array(safe(value), h5py.string_dtype()), _TEXT)
        else:
            item.attrs[name] = value


def along(data: h5py.Dataset, axis: int, scale: h5py.Dataset) -> None:
    """Say along which dimension the values of an axis lie."""
    h5py.h5ds.attach_scale(data.id, scale.id, axis)


def field(group: h5py.Group, name: str, value: Any, unit: str, meaning: str) -> h5py.Dataset:
    """Write one value or array with its unit and meaning."""
    data = group.create_dataset(name, data=safe(value) if isinstance(value, str) else value)
    describe(data, {"units": unit, "long_name": meaning})
    return data


def safe(text: str) -> str:
    """Text that HDF5 can hold: no NUL, and no half of a character from a file's odd name."""
    return text.replace("\0", "").encode("utf-8", "backslashreplace").decode("utf-8")


def dimension(group: h5py.Group, name: str, length: int) -> h5py.Dataset:
    """Make a dimension that has a name and no coordinates: a scale that takes no room."""
    scale = group.create_dataset(name, shape=(length,), dtype="f4")
    scale.make_scale(_NO_VARIABLE % length)
    describe(scale, {"units": "", "long_name": f"number of the {name}"})
    return scale


def column(
    group: h5py.Group, name: str, values: AnyArray, dim: h5py.Dataset, unit: str, meaning: str
) -> h5py.Dataset:
    """Write one array along a dimension; words as numbers with flag_meanings, times as CF has."""
    attributes: dict[str, Any] = {"units": unit, "long_name": meaning}
    if values.dtype.kind == "M":
        attributes |= {"units": EPOCH, "calendar": "proleptic_gregorian"}
        attributes["_FillValue"] = np.iinfo("i8").min
        values = values.astype("M8[us]").astype("i8")
    elif name in WORDS:
        words = np.array(WORDS[name])
        attributes["flag_values"] = np.arange(len(words), dtype="u1")
        attributes["flag_meanings"] = " ".join(WORDS[name])
        values = np.argmax(values[:, None] == words, axis=1).astype("u1")
    elif values.dtype.kind == "U":
        values = values.astype(h5py.string_dtype())
    data = group.create_dataset(name, data=values, **packed(len(values)))
    describe(data, attributes)
    along(data, 0, dim)
    return data


def column_values(name: str, data: h5py.Dataset) -> AnyArray:
    """Read what `column` wrote."""
    values = data[()]
    if name in WORDS:
        return np.asarray(np.array(WORDS[name])[values])
    if "calendar" in data.attrs:
        return np.asarray(values.view("M8[us]"))
    if values.dtype.kind == "O":
        return np.asarray(data.asstr()[()])
    return np.asarray(values)


def packed(n: int) -> dict[str, Any]:
    """Options for arrays that repeat themselves; small ones stay as they are."""
    return {"compression": "gzip", "compression_opts": 1, "shuffle": True} if n > 256 else {}


class Disk(FileIO):
    """A file that hides a full disk from HDF5, which would crash, and reports it when it closes."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of the data, or remember why that is impossible."""
        left = memoryview(data).cast("B")
        n = len(left)
        try:
            while left and self.error is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return n

    def truncate(self, size: int | None = None) -> int:
        """Set the size, or remember why that is impossible."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def check(self) -> None:
        """Raise the error that was met, if one was."""
        if self.error is not None:
            raise self.error

    def __exit__(self, *exc: object) -> None:
        self.close()
        self.check()
