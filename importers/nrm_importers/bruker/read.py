"""NanoScope's binary files: from header and blocks to a `CurveSet`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nrm_importers.bruker import blocks as data
from nrm_importers.bruker import metadata
from nrm_importers.bruker.force import read_force
from nrm_importers.bruker.header import Header, read_header
from nrm_importers.bruker.images import read_image
from nrm_importers.found import Found
from nrm_plugin.columns import FileStamp, Rows
from nrm_plugin.errors import CorruptFile, MissingFile
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet, Origin


def open_binary(path: Path) -> CurveSet:
    """Open a binary NanoScope file without reading its samples.

    Raises
    ------
    CorruptFile
        If header and data contradict each other, or one of them is cut short.
    """
    try:
        stamp = FileStamp.of(path)
    except OSError as error:
        raise MissingFile(path, str(error)) from None
    header = read_header(path)
    force = data.blocks(stamp, header, "Ciao force image list")
    maps = data.blocks(stamp, header, "Ciao image list")
    if not force and not maps:
        raise CorruptFile(path, None, "lists of curves or images with data", "none")
    blocks, mended = data.aligned(stamp, header, force, maps)
    force, maps = blocks[: len(force)], blocks[len(force) :]
    found = Found()
    found.warn(mended)
    metadata.general(header, found)
    curves = CurveSet(Rows.uniform(0, 0), {})
    if force:
        found.warn(data.check_tail(stamp, blocks, maps))
        curves = read_force(stamp, header, force, found)
    return finished(curves, header, found, [read_image(stamp, header, b, found) for b in maps])


def finished(curves: CurveSet, header: Header, found: Found, images: list[Image]) -> CurveSet:
    """Put what was found in a file to its curves."""
    path = header.path
    return replace(
        curves,
        metadata=found.values,
        metadata_source=found.sources,
        images=tuple(images),
        warnings=tuple(found.warnings),
        origins=(Origin(path.name, "bruker", header=header.text, path=str(path.absolute())),),
    )
