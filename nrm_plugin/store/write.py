"""Writes the common file."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nrm_plugin import __version__
from nrm_plugin.columns import (
    AnyArray,
    RepeatedColumn,
)
from nrm_plugin.formats import replacing
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet
from nrm_plugin.store.disk import Disk, sha256
from nrm_plugin.store.layout import BLOCK, EPOCH, FORMAT, VERSION, WORDS
from nrm_plugin.vocabulary import (
    CHANNELS,
    COLUMNS,
    METADATA,
)

_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable.%10d"
_OF_A_CHANNEL = ("gain", "offset", "unit", "original", "source")

Progress = Callable[[int, int], None]


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

    def report(done: int, total: int) -> None:
        disk.check()
        if progress is not None:
            progress(done, total)

    with (
        Disk(path, "w+") as disk,
        h5py.File(disk, "w", libver=("earliest", "v110"), track_order=True) as file,
    ):
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
        _write_channels(entry, curves, report)
        _write_preview(entry, curves)


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name, track_order=True)
    group.attrs["NX_class"] = kind
    return group


def _field(group: h5py.Group, name: str, value: Any, unit: str, meaning: str) -> h5py.Dataset:
    data = group.create_dataset(name, data=_safe(value) if isinstance(value, str) else value)
    data.attrs["units"], data.attrs["long_name"] = _safe(unit), _safe(meaning)
    return data


def _safe(text: str) -> str:
    """Text that HDF5 can hold: no NUL, and no half of a character from a file's odd name."""
    return text.replace("\0", "").encode("utf-8", "backslashreplace").decode("utf-8")


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
        data.attrs["source"] = _safe(curves.metadata_source.get(name, ""))
    if curves.warnings:
        warnings = [_safe(w) for w in curves.warnings]
        group.attrs.create("warnings", warnings, dtype=h5py.string_dtype())


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
        safe = np.array([_safe(t) for t in texts], object)
        data = group.create_dataset(name, (len(texts),), h5py.string_dtype(), data=safe)
        data.attrs["units"], data.attrs["long_name"] = "", meaning
        data.dims[0].attach_scale(dim)


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
        group.attrs.update(
            title=_safe(image.name), direction=image.direction, original=_safe(image.original)
        )
        data = group.create_dataset("data", data=image.raw)
        data.attrs.update(
            units=_safe(image.unit),
            long_name=_safe(image.name),
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


def _write_channels(entry: h5py.Group, curves: CurveSet, progress: Progress) -> None:
    group = entry["curves"]
    dim = _dimension(group, "sample", curves.n_samples)
    written: dict[tuple[Any, ...], h5py.Dataset] = {}
    keys = {
        name: (id(channel.column), *(getattr(channel, what) for what in _OF_A_CHANNEL))
        for name, channel in curves.channels.items()
    }
    done, total = 0, curves.n_samples * len(set(keys.values()))
    for name, channel in curves.channels.items():
        key = keys[name]
        if key in written:  # height and height_sensor: one column under two names
            group[name] = written[key]
            continue
        if isinstance(channel.column, RepeatedColumn) and curves.n_samples:
            data = _write_repeated(group, name, channel.column)
        else:
            dtype = channel.column.dtype.newbyteorder("<")
            data = group.create_dataset(name, (curves.n_samples,), dtype)
            for first, stop in curves.blocks(BLOCK):
                at, end = curves.rows.start(first), curves.rows.start(stop)
                block: AnyArray = np.empty(end - at, dtype)
                channel.column.fill(first, stop, block)
                data[at:end] = block
                progress(done + end, total)
        done += curves.n_samples
        known = CHANNELS.get(name)
        data.attrs.update(
            units=_safe(channel.unit),
            long_name=known.meaning if known else _safe(channel.original or name),
            scale_factor=channel.gain,
            add_offset=channel.offset,
            original=_safe(channel.original),
            source=_safe(channel.source),
        )
        data.dims[0].attach_scale(dim)
        written[key] = data


def _write_repeated(group: h5py.Group, name: str, column: RepeatedColumn) -> h5py.Dataset:
    """Write numbers that are the same for every curve: compressed once, stored for all.

    A chunk holds whole curves, so that all chunks are alike.
    """
    length, n_curves = len(column.values), len(column.rows)
    per_chunk = min(n_curves, max(1, BLOCK // 8 // length))
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
    signals += [n for n in ("height", "time") if n in curves.channels]
    nonempty = np.flatnonzero(curves.row_size)
    if not signals or not len(nonempty):
        return
    curve = int(nonempty[0])
    part = slice(0, int(curves.row_size[curve]))
    for segment in curves.segments[curves.segments["curve"] == curve]:
        if segment["kind"] == "approach":
            part = slice(int(segment["start"]), int(segment["stop"]))
    axis = next((n for n in ("height", "time") if n in curves.channels and n != signals[0]), "")
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
