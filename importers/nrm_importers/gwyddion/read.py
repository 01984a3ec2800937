"""Gwyddion's files: from their objects to a `CurveSet`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nrm_importers.found import Found
from nrm_importers.gwyddion import graphs, texts, volumes
from nrm_importers.gwyddion.candidate import Candidate, channels_of, chosen, segment_table
from nrm_importers.gwyddion.heights import settle
from nrm_importers.gwyddion.images import read_image
from nrm_importers.gwyddion.lawns import read_lawn
from nrm_importers.gwyddion.names import MARK
from nrm_importers.gwyddion.parse import Node, opened
from nrm_importers.gwyddion.records import own_curves
from nrm_importers.gwyddion.spectra import read_spectra
from nrm_plugin.columns import AnyArray, Rows
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet, Origin

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


@dataclass(frozen=True)
class Thing:
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
    found = Found()
    # Numbers of a damaged file may be anything.
    with opened(path) as (root, warning), np.errstate(over="ignore", invalid="ignore"):
        found.warn(warning)
        things = _things(root)
        best = chosen(_candidates(things, found), found)
        images = _images(root, things, found)
        header = _header(things)
        own = _own_texts(things)
        texts.restore(own, found)
        if best is not None:
            texts.calibrate(best.meta, found)
        texts.describe([t.meta for t in things], found)
        curves = CurveSet(Rows.uniform(0, 0), {}) if best is None else _curves(best, found)
    if best is None and not images:
        found.warn("there are neither curves nor images in this file")
    found.values.pop("height_source", None) if "height" not in curves.channels else None
    return CurveSet(
        curves.rows,
        curves.channels,
        found.values,
        found.sources,
        tuple(images),
        tuple(found.warnings),
        (Origin(path.name, "gwyddion", header=header, path=str(path.absolute())),),
        curves.grid,
        segments_from=curves.segments_from,
        table_from=curves.table_from,
    )


def _things(root: Node) -> list[Thing]:
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
                Thing(
                    kind,
                    number,
                    key,
                    node,
                    title.strip(),
                    _texts(meta),
                    log.texts("strings")[:1] if log is not None else [],
                )
            )
    order = list(_KINDS)
    return sorted(out, key=lambda t: (order.index(t.kind), t.number))


def _texts(meta: Node | None) -> dict[str, str]:
    if meta is None:
        return {}
    return {key: meta.text(key) for key, item in meta.items.items() if item.code == "s"}


def _own_texts(things: list[Thing]) -> dict[str, str]:
    """Metadata that this package wrote; empty if it did not write the file."""
    return next((t.meta for t in things if MARK in t.meta), {})


def _candidates(things: list[Thing], found: Found) -> list[Candidate]:
    """Everything in the file that could be read as curves."""
    out = []
    bricks = []
    for thing in things:
        made: Candidate | None = None
        if thing.kind == "curve map":
            made = read_lawn(thing.node, thing.what)
        elif thing.kind == "spectra":
            made = read_spectra(thing.node, thing.title, thing.what)
        elif thing.kind == "volume data":
            bricks.append(volumes.read_brick(thing.node, thing.title, thing.what))
        if made is not None:
            made.meta, made.literal = thing.meta, MARK in thing.meta
            if any(line.startswith("file::nanoscope(") for line in thing.log):
                made.warnings.append(
                    "Gwyddion imported these curves from a NanoScope file; some of its versions "
                    "scale the deflection of force volumes wrongly: better open the original"
                )
            out.append(made)
    out += volumes.volumes(bricks)
    return out + _of_graphs(things, found, others=bool(out))


def _of_graphs(things: list[Thing], found: Found, *, others: bool) -> list[Candidate]:
    """Curves of the file's graphs.

    Profiles and histograms beside images or a map are left out.
    """
    made = [graphs.read_graph(t.node, t.what) for t in things if t.kind == "graph"]
    readable = [g for g in made if g is not None]
    if not readable:
        return []
    points = next((t for t in things if t.kind == "points" and MARK in t.meta), None)
    if points is not None:
        own = own_curves(readable, points.node)
        if own is not None:
            return [own]
    candidates = graphs.graph_curves(readable)
    if others or any(t.kind == "image" for t in things):
        left = [c.what for c in candidates if not c.known]
        if left:
            found.warn(
                f"left out, since nothing shows that they are force curves: {left[0]}"
                + (f" and {len(left) - 1} more" if len(left) > 1 else "")
            )
        candidates = [c for c in candidates if c.known]
    return candidates


def _images(root: Node, things: list[Thing], found: Found) -> list[Image]:
    masks = sum(_MASK.fullmatch(key) is not None for key in root.items)
    if masks:
        found.warn(f"{masks} {'mask is' if masks == 1 else 'masks are'} left out")
    return [
        read_image(t.node, t.title, t.number, t.meta, found) for t in things if t.kind == "image"
    ]


def _curves(best: Candidate, found: Found) -> CurveSet:
    """Make curves of a candidate."""
    channels = channels_of(best, found)
    kinds = settle(best, channels, found)
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


def _header(things: list[Thing]) -> str:
    """Texts and plain numbers of all objects but graphs, object by object."""
    parts, length = [], 0
    for thing in things:
        if thing.kind == "graph":
            continue
        numbers = (
            f"{key}: {thing.node.number(key):.17g}"
            for key, item in thing.node.items.items()
            if item.code in "ihqfd"
        )
        lines = [f"[{thing.key}]", f"title: {thing.title}", *numbers]
        lines += [f"{key}: {text}" for key, text in thing.meta.items()]
        parts.append("\n".join(lines) + "\n")
        length += len(parts[-1])
        if length > _LONGEST_HEADER:
            break
    return "\n".join(parts)
