"""Reads the common file, and its samples only when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nrm_plugin.columns import (
    AnyArray,
    Column,
    FileStamp,
    RepeatedColumn,
    Rows,
    read_into,
    scaled_copy,
)
from nrm_plugin.errors import (
    ChangedFile,
    CorruptFile,
    InvalidInput,
    MissingFile,
    NewerFile,
    NrmError,
)
from nrm_plugin.files import HEAD, drive_error, opened_hdf5, read_start
from nrm_plugin.hdf5_guard import UnreadablePart, reason
from nrm_plugin.images import Image
from nrm_plugin.model import Channel, CurveSet, Origin, canonical_unit
from nrm_plugin.store import nexus
from nrm_plugin.store.nexus import BLOCK, FORMAT, RESULTS_FORMAT, VERSION, text
from nrm_plugin.tables import SEGMENT, CurveTable, segment_array
from nrm_plugin.vocabulary import CHANNELS, COLUMNS, METADATA

#: More samples than this are in no file; their sum still is a whole number.
_MOST_SAMPLES = 2.0**53

_HDF5 = b"\x89HDF\r\n\x1a\n"

#: Samples that are read at once; they stay in the processor's cache.
_PIECE = 1 << 16


class HdfColumn:
    """A dataset of a common file; the file is open only while numbers are copied.

    Numbers that lie in one piece (`offset`, where they do) are read without HDF5, which lets only
    one thread in.
    """

    def __init__(self, stamp: FileStamp, data: h5py.Dataset, rows: Rows) -> None:
        self.stamp, self.name, self.dtype, self.rows = stamp, data.name, data.dtype, rows
        self.offset = data.id.get_offset() if data.size else None

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        self.fill_samples(self.rows.start(first), self.rows.start(stop), out, gain, offset)

    def fill_samples(
        self, at: int, end: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `SampleColumn.fill_samples`."""
        flat = out.reshape(-1)
        if self.offset is not None:
            self._copy(self.offset + at * self.dtype.itemsize, flat, gain, offset)
            return
        self.stamp.check()
        try:
            with opened_hdf5(self.stamp.path) as file:
                data = file[self.name]
                if data.ndim == 2:
                    scaled_copy(flat.reshape(data.shape), data[()], gain, offset)
                    return
                for begin in range(at, end, BLOCK):
                    until = min(end, begin + BLOCK)
                    part = flat[begin - at : until - at]
                    scaled_copy(part, data[begin:until], gain, offset)
        except FileNotFoundError:
            raise ChangedFile(self.stamp.path) from None
        except (OSError, RuntimeError, KeyError) as error:
            raise drive_error(self.stamp.path, error) or damaged(
                self.stamp.path, error, f"readable {self.name}"
            ) from None

    def _copy(self, place: int, out: AnyArray, gain: float, offset: float) -> None:
        """Copy numbers that lie in one piece from a byte on: as they are, or scaled in parts."""
        with self.stamp.opened() as file:
            if out.dtype == self.dtype and gain == 1.0 and offset == 0.0:
                read_into(file, place, out.view(np.uint8))
                return
            room: AnyArray = np.empty(min(_PIECE, len(out)), self.dtype)
            for begin in range(0, len(out), _PIECE):
                part = room[: len(out) - begin]
                read_into(file, place + begin * self.dtype.itemsize, part.view(np.uint8))
                scaled_copy(out[begin : begin + len(part)], part, gain, offset)


def is_common_file(path: Path) -> bool:
    """Whether an HDF5 file is one of ours; a damaged one that may be ours counts."""
    try:
        return _format(path) in (FORMAT, RESULTS_FORMAT)
    except (OSError, MissingFile):
        return path.suffix.lower() == ".h5"


def holds_results(path: str | PathLike[str]) -> bool:
    """Whether a file is one of results."""
    try:
        return _format(path) == RESULTS_FORMAT
    except (OSError, ValueError, MissingFile):
        return False


def _format(path: str | PathLike[str]) -> str:
    """What kind of file an HDF5 file says that it is; at its beginning, where we wrote it."""
    head = read_start(path, HEAD)
    for kind in (FORMAT, RESULTS_FORMAT):
        if head.startswith(_HDF5) and kind.encode() in head:
            return kind
    with opened_hdf5(path, ours=False) as file:
        try:
            return text(file.attrs.get("format", ""))
        except (KeyError, RuntimeError, ValueError) as error:  # h5py's, of a damaged file
            raise OSError(f"its attributes are damaged: {error}") from None


def open_curves(path: str | PathLike[str]) -> CurveSet:
    """Open a common file without reading its samples.

    Raises
    ------
    MissingFile, CorruptFile
        CorruptFile also for a file of a newer major version.
    """
    path = Path(path)
    try:
        stamp = FileStamp.of(path)
    except OSError as error:
        raise MissingFile(path, error) from None
    with contradictions(path), opened_hdf5(path) as file:
        if text(file.attrs.get("format", "")) == RESULTS_FORMAT:
            raise InvalidInput(
                f"{path} holds results, not curves: open it with nrm_plugin.open_results"
            )
        warnings = check_version(path, file)
        entry = file["entry"]
        rows, grid = _read_rows(path, entry)
        channels = _read_channels(stamp, entry, rows)
        metadata, sources = _read_metadata(entry)
        stored = [text(w) for w in entry["metadata"].attrs.get("warnings", [])]
        curves = CurveSet(
            rows,
            channels,
            metadata=metadata,
            metadata_source=sources,
            images=tuple(_read_images(stamp, entry)),
            warnings=(*stored, *warnings),
            origins=_read_origins(entry),
            grid=grid,
            segments_from=StoredSegments(stamp, rows),
            table_from=StoredTable(stamp, _column_names(entry["curves"])),
        )
    return curves


@contextmanager
def contradictions(path: Path) -> Iterator[None]:
    """Turn what h5py and numpy say of a damaged file into one named error."""
    try:
        yield
    except InvalidInput as error:
        raise error if str(path) in str(error) else InvalidInput(f"{path}: {error}") from None
    except NrmError:
        raise
    except FileNotFoundError:
        raise ChangedFile(path) from None
    except (
        OSError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        RuntimeError,
        MemoryError,
        OverflowError,
    ) as error:
        raise drive_error(path, error) or damaged(path, error) from error


def damaged(
    path: Path, error: BaseException, expected: str = "a complete file of nrm"
) -> CorruptFile:
    """Return the error for a file of ours, with what speaks against it."""
    return CorruptFile(path, None, expected, reason(error), "where it was written")


def check_version(path: Path, file: h5py.File, known: tuple[int, int] = VERSION) -> list[str]:
    """Refuse a newer major version, and warn of a newer minor one."""
    version = text(file.attrs["format_version"])
    major, minor = (int(part) for part in version.split(".")[:2])
    if major > known[0]:
        raise NewerFile(
            path,
            None,
            f"version {known[0]} of the format",
            f"version {version}, made by a newer nrm-plugin: update it",
        )
    if minor > known[1]:
        return [f"made by a newer nrm-plugin (format {version}): some of it may not be shown"]
    return []


def _read_rows(path: Path, entry: h5py.Group) -> tuple[Rows, tuple[int, int] | None]:
    group = entry["curves"]
    sizes = whole_numbers("row_size", group)
    if sizes.ndim != 1 or (sizes < 0).any() or sizes.sum(dtype=float) > _MOST_SAMPLES:
        raise CorruptFile(path, None, "sample counts of zero or more", "other ones")
    grid = group.attrs.get("grid")
    if grid is not None:
        grid = (int(grid[0]), int(grid[1]))
        if min(grid) < 0 or grid[0] * grid[1] != len(sizes):
            raise CorruptFile(path, None, f"{grid[0]} x {grid[1]} curves", f"{len(sizes)}")
    return Rows(sizes), grid


def whole_numbers(name: str, group: h5py.Group) -> AnyArray:
    """All of a dataset of whole numbers."""
    values = nexus.value(group[name])
    if np.asarray(values).dtype.kind not in "iu":
        raise UnreadablePart(f"{name} in {values.dtype} instead of whole numbers")
    return np.asarray(values).astype(np.int64)


def _scaling(name: str, data: h5py.Dataset, *, constant: bool = False) -> tuple[float, float]:
    """Scale and offset of numbers; the scale may be 0 only where they are `constant`."""
    gain, offset = (float(nexus.attribute(data, key)) for key in ("scale_factor", "add_offset"))
    if not (np.isfinite(gain) and np.isfinite(offset)) or (gain == 0.0 and not constant):
        raise UnreadablePart(f"{name} with the scale {gain:g} and the offset {offset:g}")
    return gain, offset


def _read_channels(stamp: FileStamp, entry: h5py.Group, rows: Rows) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    columns: dict[Any, Column] = {}
    group = entry["curves"]
    for name in group:
        if name == "row_size" or (name in COLUMNS and name not in CHANNELS):
            continue
        data = group[name]
        if not isinstance(data, h5py.Dataset):
            continue
        if "scale_factor" not in data.attrs:
            unscaled = data.shape == (rows.total,) != (len(rows),) and name != "sample"
            if name in CHANNELS or unscaled:  # else the table, a dimension, or of a newer version
                raise UnreadablePart(f"{name} without its scale")
            continue
        if data.shape != (rows.total,) or data.dtype.kind not in "iuf":
            raise CorruptFile(
                stamp.path, None, f"{rows.total} numbers of {name}", f"{data.dtype} {data.shape}"
            )
        place = h5py.h5o.get_info(data.id).addr
        if place not in columns:
            if "repeats" in data.attrs and rows.length:
                columns[place] = RepeatedColumn(data[: rows.length], rows)
            else:
                columns[place] = HdfColumn(stamp, data, rows)
        gain, offset = _scaling(name, data)
        to_si, unit = canonical_unit(name, text(nexus.attribute(data, "units")))
        channels[name] = Channel(
            name,
            unit,
            columns[place],
            gain * to_si,
            offset * to_si,
            text(nexus.attribute(data, "original", "")),
            text(nexus.attribute(data, "source", "")),
        )
    return channels


def _read_metadata(entry: h5py.Group) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, data in entry["metadata"].items():
        value = nexus.value(data)
        if isinstance(value, bytes | str):
            value = text(value)
        elif isinstance(value, np.bool_):
            value = bool(value)
        else:
            to_si = nexus.gain_to(METADATA[name].unit, name, data) if name in METADATA else 1.0
            value = float(value) * to_si
        values[name] = METADATA[name].check(name, value) if name in METADATA else value
        sources[name] = text(nexus.attribute(data, "source", ""))
    return values, sources


def _read_origins(entry: h5py.Group) -> tuple[Origin, ...]:
    group = entry["source"]
    fields = ("name", "importer", "version", "header", "sha256")
    columns = [[text(v) for v in group[name][()]] for name in fields]
    return tuple(
        Origin(name, importer, version, header, "", digest)
        for name, importer, version, header, digest in zip(*columns, strict=True)
    )


class StoredSegments:
    """Segments of a common file, read when they are asked for."""

    def __init__(self, stamp: FileStamp, rows: Rows) -> None:
        self._stamp, self._rows = stamp, rows

    def __call__(self) -> AnyArray:
        """Return all segments."""
        self._stamp.check()
        with contradictions(self._stamp.path), opened_hdf5(self._stamp.path) as file:
            group = file["entry/segments"]
            table = np.empty(group["curve"].shape, SEGMENT)
            for name in ("curve", "start", "stop"):
                table[name] = whole_numbers(name, group)
            table["kind"] = nexus.column_values("kind", group["kind"])
            return segment_array(table, self._rows)

    def most(self) -> int:
        """How many segments a curve has at most."""
        self._stamp.check()
        with contradictions(self._stamp.path), opened_hdf5(self._stamp.path) as file:
            curve = whole_numbers("curve", file["entry/segments"])
            return int(np.bincount(curve).max()) if len(curve) else 0


class StoredTable:
    """The curve table of a common file, read when it is asked for.

    Attributes
    ----------
    names : tuple of str
        Its columns in the file.
    """

    def __init__(self, stamp: FileStamp, names: tuple[str, ...]) -> None:
        self._stamp, self.names = stamp, names

    def __call__(self) -> CurveTable:
        """Return the columns."""
        self._stamp.check()
        with contradictions(self._stamp.path), opened_hdf5(self._stamp.path) as file:
            group = file["entry/curves"]
            return {
                name: nexus.column_values(name, group[_stored(name)], COLUMNS[name].units[0])
                for name in self.names
            }


def _column_names(group: h5py.Group) -> tuple[str, ...]:
    return tuple(name for name in COLUMNS if _stored(name) in group)


def _stored(name: str) -> str:
    """Name of a column of the curve table, where a channel may have the same."""
    return f"curve_{name}" if name in CHANNELS else name


def _read_images(stamp: FileStamp, entry: h5py.Group) -> Iterator[Image]:
    for group in entry.get("images", {}).values():
        data = group["data"]
        extents = [float(group[name].attrs["extent"]) for name in "xy"]
        column = HdfColumn(stamp, data, Rows.uniform(1, data.size))
        gain, offset = _scaling(data.name, data, constant=True)
        yield Image(
            text(group.attrs["title"]),
            column,
            text(data.attrs["units"]),
            (extents[0], extents[1]),
            text(group.attrs["direction"]),
            shape=(int(data.shape[0]), int(data.shape[1])),
            gain=gain,
            offset=offset,
            original=text(group.attrs["original"]),
        )
