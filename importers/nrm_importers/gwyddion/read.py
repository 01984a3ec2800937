"""Gwyddion's files: from their objects to a `CurveSet`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nrm_importers.gwyddion import graphs, metadata_texts
from nrm_importers.gwyddion.curve_group import CurveGroup, channels_of, choose, segment_table
from nrm_importers.gwyddion.curve_maps import read_curve_map
from nrm_importers.gwyddion.height_signal import settle
from nrm_importers.gwyddion.images import read_image
from nrm_importers.gwyddion.names import MARK, RESULTS, UPWARDS
from nrm_importers.gwyddion.own_graphs import own_curves
from nrm_importers.gwyddion.positions import upward
from nrm_importers.gwyddion.spectra import read_spectra
from nrm_importers.gwyddion.tree import Node, open_tree
from nrm_importers.gwyddion.volumes import read_volume, volume_curves
from nrm_importers.metadata import Metadata
from nrm_plugin.columns import AnyArray, Rows
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet

#: Keys of objects in Gwyddion 2 and 3, with the classes that they hold.
_KINDS = {
    "curve map": (re.compile(r"/(?:lawn|cmap)/(\d{1,9})"), ("GwyLawn",)),
    "volume data": (re.compile(r"/(?:brick|volume)/(\d{1,9})"), ("GwyBrick",)),
    "spectra": (re.compile(r"/(?:sps|spectra)/(\d{1,9})"), ("GwySpectra",)),
    "graph": (re.compile(r"(?:/0/graph)?/graph/(\d{1,9})"), ("GwyGraphModel",)),
    "image": (re.compile(r"/(\d{1,9})/data|/image/(\d{1,9})"), ("GwyDataField", "GwyField")),
    "points": (re.compile(r"/(?:surface|xyz)/(\d{1,9})"), ("GwySurface", "GwyScatter")),
}
_MASK = re.compile(r"/\d{1,9}/mask|/image/\d{1,9}/mask")

#: No more of the metadata's text is kept.
_LONGEST_HEADER = 1 << 24


@dataclass(frozen=True, kw_only=True)
class FileObject:
    """One object of a file, with what lies beside it."""

    kind: str
    number: int
    key: str
    node: Node
    title: str
    meta: dict[str, str]
    log: list[str]

    @property
    def what(self) -> str:
        """Name of the object, for people."""
        return f"{self.kind} {self.number}" + (f" {self.title!r}" if self.title else "")


def open_gwy(path: Path) -> CurveSet:
    """Open a file of Gwyddion without reading its numbers.

    Raises
    ------
    CorruptFile
        If its objects contradict themselves or each other, or the file is cut short.
    """
    metadata = Metadata()
    # Numbers of a damaged file may be anything.
    with open_tree(path) as (root, warning), np.errstate(over="ignore", invalid="ignore"):
        metadata.warn(warning)
        objects = _objects(root)
        best = choose(_curve_groups(objects, metadata), metadata)
        images = _images(root, objects, metadata)
        header = _header(objects)
        stored = _stored_texts(objects)
        metadata_texts.restore(stored, metadata)
        if best is not None:
            metadata_texts.calibrate(best.meta, metadata)
        metadata_texts.describe([t.meta for t in objects], metadata)
        curves = CurveSet(Rows.uniform(0, 0), {}) if best is None else _curves(best, metadata)
    if best is None and not images:
        metadata.warn("there are neither curves nor images in this file")
    if "height" not in curves.channels:
        metadata.values.pop("height_source", None)
    return metadata.attached(curves, path, "gwyddion", header, images)


def _objects(root: Node) -> list[FileObject]:
    """Objects of a file that are of use, kind by kind and in the order of their numbers."""
    out = []
    for key, item in root.items.items():
        if item.code != "o":
            continue
        for kind, (pattern, classes) in _KINDS.items():
            match = pattern.fullmatch(key)
            node = root.child(key) if match else None
            if match is None or node is None or node.kind not in classes:
                continue
            number = int(next(g for g in match.groups() if g is not None))
            base = key.removesuffix("/data")
            meta, log = root.child(f"{base}/meta"), root.child(f"{key}/log")
            title = root.text(f"{key}/title") or node.text("title")
            out.append(
                FileObject(
                    kind=kind,
                    number=number,
                    key=key,
                    node=node,
                    title=title.strip(),
                    meta=_texts(meta),
                    log=log.texts("strings")[:1] if log is not None else [],
                )
            )
    order = list(_KINDS)
    return sorted(out, key=lambda t: (order.index(t.kind), t.number))


def _texts(meta: Node | None) -> dict[str, str]:
    if meta is None:
        return {}
    return {key: meta.text(key) for key, item in meta.items.items() if item.code == "s"}


def _stored_texts(objects: list[FileObject]) -> dict[str, str]:
    """Metadata that this package wrote; empty if it did not write the file."""
    return next((t.meta for t in objects if MARK in t.meta), {})


def _curve_groups(objects: list[FileObject], metadata: Metadata) -> list[CurveGroup]:
    """Everything in the file that could be read as curves."""
    out = []
    volumes = []
    results = 0
    for entry in objects:
        made: CurveGroup | None = None
        if RESULTS in entry.meta or entry.node.text("top_label") == RESULTS:
            results += entry.kind != "image"
            continue
        if entry.kind == "curve map":
            made = read_curve_map(entry.node, entry.what)
        elif entry.kind == "spectra":
            made = read_spectra(entry.node, entry.title, entry.what)
        elif entry.kind == "volume data":
            volumes.append(read_volume(entry.node, entry.title, entry.what))
        if made is not None:
            made.meta, made.literal = entry.meta, MARK in entry.meta
            if UPWARDS in entry.meta and made.grid is not None:
                made.table, made.grid = upward(made.table, made.grid[0]), None
            if any(line.startswith("file::nanoscope(") for line in entry.log):
                made.warnings.append(
                    "Gwyddion imported these curves from a NanoScope file; some of its versions "
                    "scale the deflection of force volumes wrongly: better open the original"
                )
            out.append(made)
    out += volume_curves(volumes)
    if results:
        metadata.warn(
            f"{results} {'object holds' if results == 1 else 'objects hold'} results, which are no "
            "curves: left out"
        )
        objects = [t for t in objects if t.node.text("top_label") != RESULTS]
    return out + _of_graphs(objects, metadata, others=bool(out))


def _of_graphs(objects: list[FileObject], metadata: Metadata, *, others: bool) -> list[CurveGroup]:
    """Curves of the file's graphs.

    Profiles and histograms beside images or a map are left out.
    """
    made = [graphs.read_graph(t.node, t.what) for t in objects if t.kind == "graph"]
    readable = [g for g in made if g is not None]
    if not readable:
        return []
    points = next((t for t in objects if t.kind == "points" and MARK in t.meta), None)
    if points is not None:
        curves = own_curves(readable, points.node)
        if curves is not None:
            return [curves]
    groups = graphs.graph_curves(readable)
    if others or any(t.kind == "image" for t in objects):
        left = [c.what for c in groups if not c.known]
        if left:
            metadata.warn(
                f"left out, since nothing shows that they are force curves: {left[0]}"
                + (f" and {len(left) - 1} more" if len(left) > 1 else "")
            )
        groups = [c for c in groups if c.known]
    return groups


def _images(root: Node, objects: list[FileObject], metadata: Metadata) -> list[Image]:
    masks = sum(_MASK.fullmatch(key) is not None for key in root.items)
    if masks:
        metadata.warn(f"{masks} {'mask is' if masks == 1 else 'masks are'} left out")
    return [
        read_image(t.node, t.title, t.number, t.meta, metadata)
        for t in objects
        if t.kind == "image"
    ]


def _curves(best: CurveGroup, metadata: Metadata) -> CurveSet:
    """Make curves of a candidate."""
    channels = channels_of(best, metadata)
    kinds = settle(best, channels, metadata)
    segments: Callable[[], AnyArray] | None = None
    if best.segments is not None:
        known = best.segments
        segments = lambda: known  # noqa: E731
    elif best.bounds is not None and kinds is not None:
        bounds, sure, sizes = best.bounds, kinds, best.rows.sizes
        segments = lambda: segment_table(bounds, sure, sizes)  # noqa: E731
    return CurveSet(
        best.rows, channels, grid=best.grid, segments_from=segments, table_from=best.table
    )


def _header(objects: list[FileObject]) -> str:
    """Texts and plain numbers of all objects but graphs, object by object."""
    parts, length = [], 0
    for entry in objects:
        if entry.kind == "graph":
            continue
        numbers = (
            f"{key}: {entry.node.number(key):.17g}"
            for key, item in entry.node.items.items()
            if item.code in "ihqfd"
        )
        lines = [f"[{entry.key}]", f"title: {entry.title}", *numbers]
        lines += [f"{key}: {text}" for key, text in entry.meta.items()]
        parts.append("\n".join(lines) + "\n")
        length += len(parts[-1])
        if length > _LONGEST_HEADER:
            break
    return "\n".join(parts)
