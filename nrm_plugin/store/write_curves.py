"""Writes the common file."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nrm_plugin.columns import AnyArray, RepeatedColumn
from nrm_plugin.files import FileHashes, replacing
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet
from nrm_plugin.store import nexus
from nrm_plugin.store.nexus import BLOCK, FORMAT, VERSION, Disk
from nrm_plugin.store.nxafm import write_nxafm
from nrm_plugin.vocabulary import CHANNELS, COLUMNS, METADATA

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
    hashes = FileHashes((origin.sha256, origin.path) for origin in curves.origins)

    def report(done: int, total: int) -> None:
        disk.check()
        hashes.follow(done / max(total, 1))
        if progress is not None:
            progress(done, total)

    with (
        Disk(path, "w+") as disk,
        nexus.new_file(disk) as file,
    ):
        nexus.root(file, FORMAT, VERSION)
        entry = nexus.group(file, "entry", "NXentry")
        write_nxafm(
            entry, curves.metadata, [o.importer for o in curves.origins], curves.curve_table
        )
        _write_metadata(entry, curves)
        _write_segments(entry, curves)
        _write_table(entry, curves)
        _write_images(entry, curves)
        _write_channels(entry, curves, report)
        _write_source(entry, curves, hashes.result())
        _write_preview(entry, curves)


def _write_metadata(entry: h5py.Group, curves: CurveSet) -> None:
    group = nexus.group(entry, "metadata", "NXcollection")
    for name, value in curves.metadata.items():
        key = METADATA.get(name)
        unit, meaning = (key.unit, key.meaning) if key else ("", name)
        data = nexus.field(group, name, value, unit, meaning)
        nexus.describe(data.id, {"source": curves.metadata_source.get(name, "")})
    if curves.warnings:
        warnings = [nexus.safe(w) for w in curves.warnings]
        group.attrs.create("warnings", warnings, dtype=h5py.string_dtype())


def _write_source(entry: h5py.Group, curves: CurveSet, hashes: list[str]) -> None:
    group = nexus.group(entry, "source", "NXcollection")
    dim = nexus.dimension(group, "file", len(curves.origins))
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
        safe = np.array([nexus.safe(t) for t in texts], object)
        data = group.create_dataset(name, (len(texts),), h5py.string_dtype(), data=safe)
        nexus.describe(data.id, {"units": "", "long_name": meaning})
        nexus.along(data.id, 0, dim)


def _write_segments(entry: h5py.Group, curves: CurveSet) -> None:
    group = nexus.group(entry, "segments", "NXcollection")
    segments = curves.segments
    dim = nexus.dimension(group, "segment", len(segments))
    for name, meaning in (
        ("curve", "number of the curve"),
        ("start", "first sample of the segment in its curve"),
        ("stop", "sample behind the last of the segment in its curve"),
        ("kind", "kind of the segment"),
    ):
        nexus.column(group, name, segments[name], dim, "", meaning)


def _write_table(entry: h5py.Group, curves: CurveSet) -> None:
    group = nexus.group(entry, "curves", "NXcollection")
    nexus.describe(group.id, {"featureType": "profile"})
    dim = nexus.dimension(group, "curve", curves.n_curves)
    sizes = nexus.column(group, "row_size", curves.row_size, dim, "", "samples of the curve")
    nexus.describe(sizes, {"sample_dimension": "sample"})
    if curves.grid is not None:
        nexus.describe(group.id, {"grid": curves.grid})
    for name, values in curves.curve_table.items():
        nexus.column(
            group,
            f"curve_{name}" if name in CHANNELS else name,
            values,
            dim,
            COLUMNS[name].units[0],
            COLUMNS[name].meaning,
        )


def _write_images(entry: h5py.Group, curves: CurveSet) -> None:
    if not curves.images:
        return
    parent = nexus.group(entry, "images", "NXcollection")
    for number, image in enumerate(curves.images):
        group = nexus.group(parent, f"image_{number:03d}", "NXcollection")
        of_group = {"title": image.name, "direction": image.direction, "original": image.original}
        nexus.describe(group.id, of_group)
        data = group.create_dataset("data", data=image.raw)
        about = {"units": image.unit, "long_name": image.name}
        scaling = {"scale_factor": image.gain, "add_offset": image.offset}
        nexus.describe(data.id, about | scaling)
        _write_axes(group, data, image)


def _write_axes(group: h5py.Group, data: h5py.Dataset, image: Image) -> None:
    """Write y and x of an image, as coordinates of its two dimensions."""
    for axis, name in enumerate("yx"):
        extent = image.size[1 - axis]
        centres = _centres(image.shape[axis], extent)
        scale = nexus.coordinate(group, name, centres, "m", name)
        nexus.describe(scale.id, {"extent": extent})
        nexus.along(data.id, axis, scale)


def _centres(length: int, extent: float) -> AnyArray:
    """Middles of `length` pixels over `extent`; pixel numbers where the extent is not known."""
    pitch = extent / length if length and np.isfinite(extent) else 1.0
    return (np.arange(length) + 0.5) * pitch


def _write_channels(entry: h5py.Group, curves: CurveSet, progress: Progress) -> None:
    group = entry["curves"]
    dim = nexus.dimension(group, "sample", curves.n_samples)
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
        about = {
            "units": channel.unit,
            "long_name": known.meaning if known else channel.original or name,
            "scale_factor": channel.gain,
            "add_offset": channel.offset,
            "original": channel.original,
            "source": channel.source,
        }
        nexus.describe(data.id, about)
        nexus.along(data.id, 0, dim)
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
        group = nexus.group(entry, "preview", "NXdata")
        nexus.describe(group.id, {"signal": "image", "axes": ["y", "x"]})
        data = nexus.field(group, "image", image.data, image.unit, image.name)
        _write_axes(group, data, image)
        nexus.describe(entry.id, {"default": "preview"})
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
    group = nexus.group(entry, "preview", "NXdata")
    name = signals[0]
    meaning = CHANNELS[name].meaning if name in CHANNELS else name
    values = curves.read(name, curve)[part]
    unit = curves.channels[name].unit
    words = f"{meaning}, curve {curve}" + (f" ({unit})" if unit else "")
    data = nexus.field(group, name, values, unit, words)
    if axis:
        along = curves.read(axis, curve)[part]
        unit = curves.channels[axis].unit
        words = f"{CHANNELS[axis].meaning} ({unit})"
        scale = nexus.coordinate(group, axis, along, unit, words)
    else:
        axis = "sample"
        numbers = np.arange(len(values))
        scale = nexus.coordinate(group, axis, numbers, "", "number of the sample")
    nexus.along(data.id, 0, scale)
    nexus.describe(group.id, {"signal": name, "axes": [axis]})
    nexus.describe(entry.id, {"default": "preview"})
