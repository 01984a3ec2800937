"""The common file: curves of any origin in one HDF5 file that other programs can read.

Layout, version 1.0 (``/entry`` is an NXentry; every field has ``units`` and ``long_name``)::

    /entry
        curves      NXcollection   row_size(curve) and the columns of the curve table;
                                   one column (sample) per channel: the vendor's own numbers with
                                   scale_factor and add_offset, as CF has it
        segments    NXcollection   curve, start, stop, kind (segment)
        metadata    NXcollection   one scalar per key, with its unit and where it came from
        images      NXcollection   image_000 ... (y, x), scaled like the channels
        source      NXcollection   name, sha256, importer, version, header (file)
        preview     NXdata         the first approach (or image) in physical units: the default plot

Curves lie one behind the other along ``sample`` and ``row_size`` counts them: the contiguous
ragged array of the CF conventions.

Versions: the minor number rises when something is added that older readers can ignore, the major
number when they could misread the file. A reader refuses a newer major version by name and warns
of a newer minor one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nrm_plugin import __version__
from nrm_plugin.columns import (
    AnyArray,
    Column,
    FileStamp,
    RepeatedColumn,
    Rows,
    scaled_copy,
)
from nrm_plugin.errors import ChangedFile, CorruptFile, MissingFile
from nrm_plugin.formats import replacing
from nrm_plugin.images import Image
from nrm_plugin.model import Channel, CurveSet, Origin
from nrm_plugin.tables import SEGMENT, Table, segment_array
from nrm_plugin.vocabulary import (
    CHANNELS,
    COLUMNS,
    METADATA,
    SEGMENT_KINDS,
    START_TIME_SOURCES,
)

FORMAT = "nrm-curves"
VERSION = (1, 0)

_EPOCH = "microseconds since 1970-01-01T00:00:00"
_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable.%10d"
_WORDS = {"kind": SEGMENT_KINDS, "start_time_source": START_TIME_SOURCES}
_BLOCK = 1 << 21

Progress = Callable[[int, int], None]


# Writing


def save_curves(
    curves: CurveSet,
    path: str | PathLike[str],
    *,
    overwrite: bool = True,
    progress: Progress | None = None,
) -> None:
    """Write curves to a common file, under a temporary name until it is complete.

    Parameters
    ----------
    progress : callable, optional
        Called with the samples written so far and their number.

    Raises
    ------
    OutputError
    """
    with replacing(Path(path), overwrite=overwrite) as part:
        write_curves(curves, part, progress)


def write_curves(curves: CurveSet, path: Path, progress: Progress | None = None) -> None:
    """Write curves to `path`, whatever is there."""
    with h5py.File(path, "w", libver=("earliest", "v110"), track_order=True) as file:
        file.attrs.update(
            NX_class="NXroot",
            default="entry",
            format=FORMAT,
            format_version=f"{VERSION[0]}.{VERSION[1]}",
            creator="nrm-plugin",
            creator_version=__version__,
        )
        entry = _group(file, "entry", "NXentry")
        if "title" in curves.metadata:
            _field(entry, "title", curves.metadata["title"], "", "title")
        if "start_time" in curves.metadata:
            _field(entry, "start_time", curves.metadata["start_time"], "", "start of the file")
        _write_metadata(entry, curves)
        _write_source(entry, curves)
        _write_segments(entry, curves)
        _write_table(entry, curves)
        _write_images(entry, curves)
        _write_channels(entry, curves, progress)
        _write_preview(entry, curves)


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name, track_order=True)
    group.attrs["NX_class"] = kind
    return group


def _field(group: h5py.Group, name: str, value: Any, unit: str, meaning: str) -> h5py.Dataset:
    data = group.create_dataset(name, data=value)
    data.attrs["units"], data.attrs["long_name"] = unit, meaning
    return data


def _dimension(group: h5py.Group, name: str, length: int) -> h5py.Dataset:
    """Make a dimension that has a name and no coordinates: a scale that takes no room."""
    scale = group.create_dataset(name, shape=(length,), dtype="f4")
    scale.make_scale(_NO_VARIABLE % length)
    scale.attrs["units"], scale.attrs["long_name"] = "", f"number of the {name}"
    return scale


def _column(
    group: h5py.Group, name: str, values: AnyArray, dim: h5py.Dataset, unit: str, meaning: str
) -> h5py.Dataset:
    """Write one array along a dimension; words as numbers with flag_meanings, times as CF has."""
    attributes: dict[str, Any] = {"units": unit, "long_name": meaning}
    if values.dtype.kind == "M":
        attributes |= {"units": _EPOCH, "calendar": "proleptic_gregorian"}
        attributes["_FillValue"] = np.iinfo("i8").min
        values = values.astype("M8[us]").astype("i8")
    elif name in _WORDS:
        words = np.array(_WORDS[name])
        attributes["flag_values"] = np.arange(len(words), dtype="u1")
        attributes["flag_meanings"] = " ".join(_WORDS[name])
        values = np.argmax(values[:, None] == words, axis=1).astype("u1")
    elif values.dtype.kind == "U":
        values = values.astype(h5py.string_dtype())
    data = group.create_dataset(name, data=values, **_packed(len(values)))
    data.attrs.update(attributes)
    data.dims[0].attach_scale(dim)
    return data


def _packed(n: int) -> dict[str, Any]:
    """Options for arrays that repeat themselves; small ones stay as they are."""
    return {"compression": "gzip", "compression_opts": 1, "shuffle": True} if n > 256 else {}


def _write_metadata(entry: h5py.Group, curves: CurveSet) -> None:
    group = _group(entry, "metadata", "NXcollection")
    for name, value in curves.metadata.items():
        key = METADATA.get(name)
        unit, meaning = (key.unit, key.meaning) if key else ("", name)
        data = _field(group, name, value, unit, meaning)
        data.attrs["source"] = curves.metadata_source.get(name, "")
    if curves.warnings:
        group.attrs.create("warnings", list(curves.warnings), dtype=h5py.string_dtype())


def _write_source(entry: h5py.Group, curves: CurveSet) -> None:
    group = _group(entry, "source", "NXcollection")
    dim = _dimension(group, "file", len(curves.origins))
    hashes = [o.sha256 or sha256(o.path) for o in curves.origins]
    for name, meaning, texts in (
        ("name", "name of the original file", [o.name for o in curves.origins]),
        ("sha256", "hash of the original file", hashes),
        ("importer", "importer that read it", [o.importer for o in curves.origins]),
        (
            "version",
            "distribution and version of the importer",
            [o.version for o in curves.origins],
        ),
        ("header", "header of the original file, verbatim", [o.header for o in curves.origins]),
    ):
        safe = [t.encode("utf-8", "surrogateescape").replace(b"\0", b"") for t in texts]
        data = group.create_dataset(
            name, data=np.array(safe, object), dtype=h5py.string_dtype(), shape=(len(texts),)
        )
        data.attrs["units"], data.attrs["long_name"] = "", meaning
        data.dims[0].attach_scale(dim)


def sha256(path: str) -> str:
    """Hash of a file, or an empty string where there is none any more."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _write_segments(entry: h5py.Group, curves: CurveSet) -> None:
    group = _group(entry, "segments", "NXcollection")
    segments = curves.segments
    dim = _dimension(group, "segment", len(segments))
    for name, meaning in (
        ("curve", "number of the curve"),
        ("start", "first sample of the segment in its curve"),
        ("stop", "sample behind the last of the segment in its curve"),
        ("kind", "kind of the segment"),
    ):
        _column(group, name, segments[name], dim, "", meaning)


def _write_table(entry: h5py.Group, curves: CurveSet) -> None:
    group = _group(entry, "curves", "NXcollection")
    group.attrs["featureType"] = "profile"
    dim = _dimension(group, "curve", curves.n_curves)
    sizes = _column(group, "row_size", curves.row_size, dim, "", "samples of the curve")
    sizes.attrs["sample_dimension"] = "sample"
    if curves.grid is not None:
        group.attrs["grid"] = curves.grid
    for name, values in curves.curve_table.items():
        _column(group, f"curve_{name}" if name in CHANNELS else name, values, dim,
                COLUMNS[name].units[0], COLUMNS[name].meaning)  # fmt: skip


def _write_images(entry: h5py.Group, curves: CurveSet) -> None:
    if not curves.images:
        return
    parent = _group(entry, "images", "NXcollection")
    for number, image in enumerate(curves.images):
        group = _group(parent, f"image_{number:03d}", "NXcollection")
        group.attrs.update(title=image.name, direction=image.direction, original=image.original)
        data = group.create_dataset("data", data=image.raw)
        data.attrs.update(
            units=image.unit,
            long_name=image.name,
            scale_factor=image.gain,
            add_offset=image.offset,
        )
        _write_axes(group, data, image)


def _write_axes(group: h5py.Group, data: h5py.Dataset, image: Image) -> None:
    """Write y and x of an image, as coordinates of its two dimensions."""
    for axis, name in enumerate("yx"):
        extent = image.size[1 - axis]
        scale = _field(group, name, _centres(image.shape[axis], extent), "m", name)
        scale.make_scale(name)
        scale.attrs["extent"] = extent
        data.dims[axis].attach_scale(scale)


def _centres(length: int, extent: float) -> AnyArray:
    """Middles of `length` pixels over `extent`; pixel numbers where the extent is not known."""
    pitch = extent / length if length and np.isfinite(extent) else 1.0
    return (np.arange(length) + 0.5) * pitch


def _write_channels(entry: h5py.Group, curves: CurveSet, progress: Progress | None) -> None:
    group = entry["curves"]
    dim = _dimension(group, "sample", curves.n_samples)
    written: dict[tuple[int, float, float], h5py.Dataset] = {}
    done, total = 0, curves.n_samples * len({id(c.column) for c in curves.channels.values()})
    for name, channel in curves.channels.items():
        key = (id(channel.column), channel.gain, channel.offset)
        if key in written:  # height and height_sensor: one column under two names
            group[name] = written[key]
            continue
        if isinstance(channel.column, RepeatedColumn) and curves.n_samples:
            data = _write_repeated(group, name, channel.column)
        else:
            dtype = channel.column.dtype.newbyteorder("<")
            data = group.create_dataset(name, (curves.n_samples,), dtype)
            for first, stop in curves.blocks(_BLOCK):
                at, end = curves.rows.start(first), curves.rows.start(stop)
                block: AnyArray = np.empty(end - at, dtype)
                channel.column.fill(first, stop, block)
                data[at:end] = block
                if progress is not None:
                    progress(done + end, total)
        done += curves.n_samples
        known = CHANNELS.get(name)
        data.attrs.update(
            units=channel.unit,
            long_name=known.meaning if known else channel.original or name,
            scale_factor=channel.gain,
            add_offset=channel.offset,
            original=channel.original,
            source=channel.source,
        )
        data.dims[0].attach_scale(dim)
        written[key] = data


def _write_repeated(group: h5py.Group, name: str, column: RepeatedColumn) -> h5py.Dataset:
    """Write numbers that are the same for every curve: compressed once, stored for all.

    A chunk holds whole curves, so that all chunks are alike.
    """
    length, n_curves = len(column.values), len(column.rows)
    per_chunk = min(n_curves, max(1, _BLOCK // 8 // length))
    chunk = per_chunk * length
    data = group.create_dataset(
        name,
        (n_curves * length,),
        column.dtype.newbyteorder("<"),
        chunks=(chunk,),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
    )
    data[:chunk] = np.tile(column.values, per_chunk)
    group.file.flush()
    mask, packed = data.id.read_direct_chunk((0,))
    for start in range(chunk, n_curves * length, chunk):
        data.id.write_direct_chunk((start,), packed, mask)
    data.attrs["repeats"] = "every curve has the same numbers"
    return data


def _write_preview(entry: h5py.Group, curves: CurveSet) -> None:
    """Write what a viewer shows first: numbers with their unit, never raw integers."""
    if curves.images and not curves.n_samples:
        image = curves.images[0]
        group = _group(entry, "preview", "NXdata")
        group.attrs.update(signal="image", axes=["y", "x"])
        data = _field(group, "image", image.data, image.unit, image.name)
        _write_axes(group, data, image)
        entry.attrs["default"] = "preview"
        return
    signals = [n for n in ("force_normal", "deflection") if n in curves.channels]
    signals += [n for n in curves.channels if n not in (*signals, "height", "time")]
    nonempty = np.flatnonzero(curves.row_size)
    if not signals or not len(nonempty):
        return
    curve = int(nonempty[0])
    part = slice(0, int(curves.row_size[curve]))
    for segment in curves.segments[curves.segments["curve"] == curve]:
        if segment["kind"] == "approach":
            part = slice(int(segment["start"]), int(segment["stop"]))
    axis = next((n for n in ("height", "time") if n in curves.channels), "")
    group = _group(entry, "preview", "NXdata")
    name = signals[0]
    meaning = CHANNELS[name].meaning if name in CHANNELS else name
    values = curves.read(name, curve)[part]
    data = _field(group, name, values, curves.channels[name].unit, f"{meaning}, curve {curve}")
    if axis:
        along = curves.read(axis, curve)[part]
        scale = _field(group, axis, along, curves.channels[axis].unit, CHANNELS[axis].meaning)
    else:
        axis = "sample"
        scale = _field(group, axis, np.arange(len(values)), "", "number of the sample")
    scale.make_scale(axis)
    data.dims[0].attach_scale(scale)
    group.attrs.update(signal=name, axes=[axis])
    entry.attrs["default"] = "preview"


# Reading


class HdfColumn:
    """A dataset of a common file; the file is open only while numbers are copied."""

    def __init__(self, stamp: FileStamp, name: str, dtype: np.dtype[Any], rows: Rows) -> None:
        self.stamp, self.name, self.dtype, self.rows = stamp, name, dtype, rows

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        self.stamp.check()
        at, end = self.rows.start(first), self.rows.start(stop)
        flat = out.reshape(-1)
        try:
            with h5py.File(self.stamp.path, "r") as file:
                data = file[self.name]
                if data.ndim == 2:
                    scaled_copy(flat.reshape(data.shape), data[()], gain, offset)
                    return
                for begin in range(at, end, _BLOCK):
                    until = min(end, begin + _BLOCK)
                    part = flat[begin - at : until - at]
                    scaled_copy(part, data[begin:until], gain, offset)
        except FileNotFoundError:
            raise ChangedFile(self.stamp.path) from None
        except (OSError, RuntimeError, KeyError) as error:
            raise CorruptFile(self.stamp.path, None, f"readable {self.name}", error) from None


def is_common_file(path: Path) -> bool:
    """Whether an HDF5 file is one of ours; a damaged one that may be ours counts."""
    try:
        with h5py.File(path, "r") as file:
            return bool(_text(file.attrs.get("format", "")) == FORMAT)
    except OSError:
        return path.suffix.lower() == ".h5"


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
        raise MissingFile(path, str(error)) from None
    with _contradictions(path), h5py.File(path, "r") as file:
        warnings = _check_version(path, file)
        entry = file["entry"]
        rows, grid = _read_rows(path, entry)
        channels = _read_channels(stamp, entry, rows)
        metadata, sources = _read_metadata(entry)
        stored = [_text(w) for w in entry["metadata"].attrs.get("warnings", [])]
        curves = CurveSet(
            rows,
            channels,
            metadata,
            sources,
            images=tuple(_read_images(stamp, entry)),
            warnings=(*stored, *warnings),
            origins=_read_origins(entry),
            grid=grid,
            segments_from=lambda: _read_segments(stamp, rows),
            table_from=lambda: _read_table(stamp),
        )
    return curves


@contextmanager
def _contradictions(path: Path) -> Iterator[None]:
    """Turn what h5py and numpy say of a damaged file into one named error."""
    try:
        yield
    except FileNotFoundError:
        raise ChangedFile(path) from None
    except (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError,
            MemoryError, OverflowError) as error:  # fmt: skip
        raise CorruptFile(path, None, "a complete common file", error) from error


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _check_version(path: Path, file: h5py.File) -> list[str]:
    version = _text(file.attrs["format_version"])
    major, minor = (int(part) for part in version.split(".")[:2])
    if major > VERSION[0]:
        raise CorruptFile(
            path, None, f"version {VERSION[0]} of the common file",
            f"version {version}, made by a newer nrm-plugin: update it",
        )  # fmt: skip
    if minor > VERSION[1]:
        return [f"made by a newer nrm-plugin (format {version}): some of it may not be shown"]
    return []


def _read_rows(path: Path, entry: h5py.Group) -> tuple[Rows, tuple[int, int] | None]:
    group = entry["curves"]
    sizes = group["row_size"][()].astype(np.int64)
    if sizes.ndim != 1 or (sizes < 0).any():
        raise CorruptFile(path, None, "sample counts of zero or more", "negative ones")
    grid = group.attrs.get("grid")
    if grid is not None:
        grid = (int(grid[0]), int(grid[1]))
        if grid[0] * grid[1] != len(sizes):
            raise CorruptFile(path, None, f"{grid[0]} x {grid[1]} curves", f"{len(sizes)}")
    return Rows(sizes), grid


def _read_channels(stamp: FileStamp, entry: h5py.Group, rows: Rows) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    columns: dict[Any, Column] = {}
    for name, data in entry["curves"].items():
        if not isinstance(data, h5py.Dataset) or "scale_factor" not in data.attrs:
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
                columns[place] = HdfColumn(stamp, data.name, data.dtype, rows)
        channels[name] = Channel(
            name,
            _text(data.attrs["units"]),
            columns[place],
            float(data.attrs["scale_factor"]),
            float(data.attrs["add_offset"]),
            _text(data.attrs.get("original", "")),
            _text(data.attrs.get("source", "")),
        )
    return channels


def _read_metadata(entry: h5py.Group) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, data in entry["metadata"].items():
        value = data[()]
        if isinstance(value, bytes | str):
            value = _text(value)
        elif isinstance(value, np.bool_):
            value = bool(value)
        else:
            value = float(value)
        values[name] = METADATA[name].check(name, value) if name in METADATA else value
        sources[name] = _text(data.attrs.get("source", ""))
    return values, sources


def _read_origins(entry: h5py.Group) -> tuple[Origin, ...]:
    group = entry["source"]
    fields = ("name", "importer", "version", "header", "sha256")
    columns = [[_text(v) for v in group[name][()]] for name in fields]
    return tuple(
        Origin(name, importer, version, header, "", digest)
        for name, importer, version, header, digest in zip(*columns, strict=True)
    )


def _read_segments(stamp: FileStamp, rows: Rows) -> AnyArray:
    stamp.check()
    with _contradictions(stamp.path), h5py.File(stamp.path, "r") as file:
        group = file["entry/segments"]
        table = np.empty(group["curve"].shape, SEGMENT)
        for name in ("curve", "start", "stop"):
            table[name] = group[name][()]
        table["kind"] = np.array(SEGMENT_KINDS)[group["kind"][()]]
        return segment_array(table, rows)


def _read_table(stamp: FileStamp) -> Table:
    stamp.check()
    table: dict[str, AnyArray] = {}
    with _contradictions(stamp.path), h5py.File(stamp.path, "r") as file:
        group = file["entry/curves"]
        for name in COLUMNS:
            data = group.get(f"curve_{name}" if name in CHANNELS else name)
            if data is None:
                continue
            values = data[()]
            if name in _WORDS:
                values = np.array(_WORDS[name])[values]
            elif "calendar" in data.attrs:
                values = values.view("M8[us]")
            table[name] = values
    return table


def _read_images(stamp: FileStamp, entry: h5py.Group) -> Iterator[Image]:
    for group in entry.get("images", {}).values():
        data = group["data"]
        extents = [float(group[name].attrs["extent"]) for name in "xy"]
        column = HdfColumn(stamp, data.name, data.dtype, Rows.uniform(1, data.size))
        yield Image(
            _text(group.attrs["title"]),
            column,
            _text(data.attrs["units"]),
            (extents[0], extents[1]),
            _text(group.attrs["direction"]),
            shape=(int(data.shape[0]), int(data.shape[1])),
            gain=float(data.attrs["scale_factor"]),
            offset=float(data.attrs["add_offset"]),
            original=_text(group.attrs["original"]),
        )


def with_hashes(curves: CurveSet) -> CurveSet:
    """Return a copy whose origins carry the hash of their file."""
    return replace(
        curves,
        origins=tuple(replace(o, sha256=o.sha256 or sha256(o.path)) for o in curves.origins),
    )
