"""What all our HDF5 files share: formats, groups, fields and columns as NeXus and CF have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import h5py
import numpy as np

from nrm_plugin import __version__
from nrm_plugin.columns import AnyArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.files import PatientFile
from nrm_plugin.hdf5_guard import UnreadablePart
from nrm_plugin.units import factor
from nrm_plugin.vocabulary import SEGMENT_KINDS, START_TIME_SOURCES

FORMAT = "nrm-curves"
VERSION = (1, 1)

RESULTS_FORMAT = "nrm-results"
RESULTS_VERSION = (2, 1)

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

#: How datasets are made: without the time at which they were, so that the same data are the same
#: bytes.
_TIMELESS = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
_TIMELESS.set_obj_track_times(False)

_ORDER = h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED

#: Groups that list what they hold in the order in which it was written.
_ORDERED = h5py.h5p.create(h5py.h5p.GROUP_CREATE)

#: Files whose first group does so; older h5py would keep its times.
_FILE = h5py.h5p.create(h5py.h5p.FILE_CREATE)
for _made in (_ORDERED, _FILE):
    _made.set_link_creation_order(_ORDER)
    _made.set_attr_creation_order(_ORDER)
    _made.set_obj_track_times(False)

_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable.%10d"


def new_file(disk: Disk) -> h5py.File:
    """Begin an HDF5 file that programs of the year 2018 can read."""
    how = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    how.set_libver_bounds(h5py.h5f.LIBVER_EARLIEST, h5py.h5f.LIBVER_V110)
    how.set_fileobj_driver(h5py.h5fd.fileobj_driver, disk)
    return h5py.File(h5py.h5f.create(b"new", h5py.h5f.ACC_TRUNC, _FILE, how))


def root(file: h5py.File, kind: str, version: tuple[int, int]) -> None:
    """Say what kind of file it is."""
    about = {
        "NX_class": "NXroot",
        "default": "entry",
        "format": kind,
        "format_version": f"{version[0]}.{version[1]}",
        "creator": "nrm-plugin",
        "creator_version": __version__,
    }
    describe(file["/"].id, about)


def group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    """Make a group of a NeXus class."""
    made = h5py.h5g.create(parent.id, name.encode(), gcpl=_ORDERED)
    describe(made, {"NX_class": kind})
    return h5py.Group(made)


# A file has some fifty datasets with some hundred attributes. They are made and read by HDF5's own
# functions: with h5py's they would take longer than the processing of a few dozen curves.


@lru_cache(64)
def _kind(dtype: np.dtype[Any]) -> h5py.h5t.TypeID:
    return h5py.h5t.py_create(dtype, logical=True)


@lru_cache(64)
def _space(shape: tuple[int, ...]) -> h5py.h5s.SpaceID:
    return h5py.h5s.create_simple(shape) if shape else _SCALAR


def dataset(
    group: h5py.Group, name: str, shape: tuple[int, ...], dtype: Any, options: Any = None
) -> h5py.h5d.DatasetID:
    """Make a dataset of numbers; nothing is written to it."""
    kind, space = _kind(np.dtype(dtype)), _space(shape)
    return h5py.h5d.create(group.id, name.encode(), kind, space, options or _TIMELESS)


def describe(item: h5py.h5g.GroupID | h5py.h5d.DatasetID, about: Mapping[str, Any]) -> None:
    """Give attributes to something new: texts, lists of them, numbers and arrays of numbers."""
    for name, value in about.items():
        if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
            texts = h5py.h5a.create(item, name.encode(), _STORED_TEXT, _space((len(value),)))
            texts.write(np.array([safe(one) for one in value], object), _TEXT)
        elif isinstance(value, str):
            text = h5py.h5a.create(item, name.encode(), _STORED_TEXT, _SCALAR)
            text.write(np.array(safe(value), object), _TEXT)
        else:
            values = np.asarray(value)
            kind, space = _kind(values.dtype), _space(values.shape)
            h5py.h5a.create(item, name.encode(), kind, space).write(values)


def coordinate(
    group: h5py.Group, name: str, values: AnyArray, unit: str, meaning: str = ""
) -> h5py.Dataset:
    """Write the coordinate of a dimension, with its meaning if there is more to say."""
    made = bare_field(group, name, values, unit)
    if meaning:
        describe(made.id, {"long_name": meaning})
    h5py.h5ds.set_scale(made.id, name.encode())
    return made


def along(data: h5py.h5d.DatasetID, axis: int, scale: h5py.Dataset) -> None:
    """Say along which dimension the values of an axis lie."""
    h5py.h5ds.attach_scale(data, scale.id, axis)


def value(data: h5py.Dataset) -> Any:
    """All of a dataset: numbers as an array, or a numpy scalar; texts as h5py has them."""
    if data.dtype.kind not in "iuf":
        return data[()]
    values = np.empty(data.shape, data.dtype)
    if values.size:
        data.id.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values[()]


def attribute(item: h5py.HLObject, name: str, default: Any = None) -> Any:
    """Text or number that is an attribute; KeyError if it is not there and has no default."""
    if not h5py.h5a.exists(item.id, name.encode()):
        if default is None:
            raise KeyError(name)
        return default
    stored = h5py.h5a.open(item.id, name.encode())
    kind = stored.get_type()
    if stored.shape == () and isinstance(kind, h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID):
        number = np.empty((), kind.dtype)
        stored.read(number)
        return number[()]
    if stored.shape or not isinstance(kind, h5py.h5t.TypeStringID) or not kind.is_variable_str():
        return item.attrs[name]
    text = np.empty((), object)
    stored.read(text, _TEXT)
    return text[()]


def text(value: Any) -> str:
    """Text of an attribute, however HDF5 has it."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def field(group: h5py.Group, name: str, value: Any, unit: str, meaning: str) -> h5py.Dataset:
    """Write one value or array with its unit and meaning."""
    data = bare_field(group, name, value)
    describe(data.id, {"units": unit, "long_name": meaning})
    return data


def bare_field(group: h5py.Group, name: str, value: Any, unit: str | None = None) -> h5py.Dataset:
    """Write one value or array with a unit at most, as NeXus's definitions describe it."""
    if isinstance(value, str):
        data = h5py.h5d.create(group.id, name.encode(), _STORED_TEXT, _SCALAR, _TIMELESS)
        data.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(safe(value), object), _TEXT)
    else:
        values = np.ascontiguousarray(value).reshape(np.shape(value))
        if values.dtype.kind not in "biuf":
            data = group.create_dataset(name, data=values).id
        else:
            data = dataset(group, name, values.shape, values.dtype)
            if values.size:
                data.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    if unit is not None:
        describe(data, {"units": unit})
    return h5py.Dataset(data)


def safe(text: str) -> str:
    """Text that HDF5 can hold: no NUL, and no half of a character from a file's odd name."""
    return text.replace("\0", "").encode("utf-8", "backslashreplace").decode("utf-8")


def dimension(group: h5py.Group, name: str, length: int) -> h5py.Dataset:
    """Make a dimension that has a name and no coordinates: a scale that takes no room."""
    scale = dataset(group, name, (length,), "<f4")
    h5py.h5ds.set_scale(scale, (_NO_VARIABLE % length).encode())
    describe(scale, {"units": "", "long_name": f"number of the {name}"})
    return h5py.Dataset(scale)


def column(
    group: h5py.Group, name: str, values: AnyArray, dim: h5py.Dataset, unit: str, meaning: str
) -> h5py.h5d.DatasetID:
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
    options = packed(len(values))
    if options:
        data = group.create_dataset(name, data=values, **options).id
    else:
        data = dataset(group, name, values.shape, values.dtype)
        if values.size:
            data.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values))
    describe(data, attributes)
    along(data, 0, dim)
    return data


def column_values(name: str, data: h5py.Dataset, unit: str | None = None) -> AnyArray:
    """Read what `column` wrote, in an SI unit where one is given.

    Raises
    ------
    UnreadablePart
        For words, times or units that mean nothing here.
    """
    values = value(data)
    if name in WORDS:
        return _words(name, data, values)
    of_table = name == "start_time" and unit is not None
    if values.dtype.kind in "iuf" and (of_table or "calendar" in data.attrs):
        return _times(name, values, text(attribute(data, "units", "")))
    if values.dtype.kind == "O":
        return np.asarray(data.asstr()[()])
    gain = 1.0 if unit is None else gain_to(unit, name, data)
    return np.asarray(values if gain == 1.0 else values * gain)


def gain_to(unit: str, name: str, data: h5py.Dataset) -> float:
    """Factor from the unit that is written beside values to an SI unit.

    Raises
    ------
    UnreadablePart
        If there is none, or of another kind.
    """
    stored = text(attribute(data, "units", ""))
    if stored == unit:
        return 1.0
    try:
        return factor(stored, unit)
    except InvalidInput:
        raise UnreadablePart(
            f"{name} in {stored[:60] or 'no unit'} instead of {unit or 'a pure number'}"
        ) from None


def _words(name: str, data: h5py.Dataset, values: AnyArray) -> AnyArray:
    words = text(attribute(data, "flag_meanings", " ".join(WORDS[name]))).split()
    if values.dtype.kind not in "iu":
        raise UnreadablePart(f"{name} in {values.dtype} instead of whole numbers")
    wrong = values[(values < 0) | (values >= len(words))]
    if wrong.size:
        raise UnreadablePart(f"{name} of {wrong.flat[0]}, which stands for no word")
    return np.asarray(np.array(words)[values])


#: Units that times may have, and what numpy calls them.
_SINCE_1970 = re.compile(
    r"(seconds|milliseconds|microseconds|nanoseconds) since "
    r"1970-0?1-0?1(?:[T ]0?0:00(?::00(?:\.0{1,9})?)?)?(?: ?(?:Z|UTC|\+00:?00))?"
)
_STEPS = {"seconds": 1e6, "milliseconds": 1e3, "microseconds": 1.0, "nanoseconds": 1e-3}

#: Largest magnitude of a time, microseconds: the years 1678 to 2261.
_FARTHEST = 9.2e15


def _times(name: str, values: AnyArray, unit: str) -> AnyArray:
    since = _SINCE_1970.fullmatch(unit)
    if since is None:
        raise UnreadablePart(f"{name} in {unit[:60] or 'no unit'} instead of {EPOCH}")
    known = np.isfinite(values) if values.dtype.kind == "f" else values != np.iinfo("i8").min
    step = _STEPS[since[1]]
    with np.errstate(over="ignore"):
        if (np.abs(values[known].astype(float)) * step > _FARTHEST).any():
            raise UnreadablePart(f"{name} outside the years 1678 to 2261")
    micro = np.full(values.shape, np.iinfo("i8").min)
    if step == 1.0 and values.dtype.kind != "f":
        micro[known] = values[known]
    else:
        micro[known] = np.round(values[known] * step)
    return micro.view("M8[us]")


def packed(n: int) -> dict[str, Any]:
    """Options for arrays that repeat themselves; small ones stay as they are."""
    return {"compression": "gzip", "compression_opts": 1, "shuffle": True} if n > 256 else {}


class Disk(PatientFile):
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
