"""NanoScope's binary files: from header and blocks to a `CurveSet`."""

from __future__ import annotations

from pathlib import Path

from nrm_importers.bruker import blocks as data
from nrm_importers.bruker.force import read_force
from nrm_importers.bruker.header import BrukerHeader, read_header
from nrm_importers.bruker.images import read_image
from nrm_importers.metadata import Metadata
from nrm_plugin.columns import FileStamp, Rows
from nrm_plugin.errors import CorruptFile, MissingFile, UnknownFormat
from nrm_plugin.model import CurveSet

#: Files of older versions have scales of another kind.
_OLDEST = 0x05000000


def open_binary(path: Path) -> CurveSet:
    """Open a binary NanoScope file without reading its samples.

    Raises
    ------
    CorruptFile
        If header and data contradict each other, or one of them is cut short.
    UnknownFormat
        For NanoScope 4 and older.
    """
    try:
        stamp = FileStamp.of(path)
    except OSError as error:
        raise MissingFile(path, str(error)) from None
    header = read_header(path)
    if 0 < header.version < _OLDEST:
        raise UnknownFormat(
            path,
            hint=f"It is of NanoScope {header.version >> 24}, whose scales are written otherwise: "
            "save it again with a newer NanoScope Analysis, or export it as text.",
        )
    force = data.blocks(stamp, header, "Ciao force image list")
    maps = data.blocks(stamp, header, "Ciao image list")
    if not force and not maps:
        raise CorruptFile(path, None, "lists of curves or images with data", "none")
    blocks, mended = data.aligned(stamp, header, force, maps)
    force, maps = blocks[: len(force)], blocks[len(force) :]
    metadata = Metadata()
    metadata.warn(mended)
    read_general(header, metadata)
    curves = CurveSet(Rows.uniform(0, 0), {})
    if force:
        metadata.warn(data.check_tail(stamp, blocks, maps))
        curves = read_force(stamp, header, force, metadata)
    images = [read_image(stamp, header, block, metadata) for block in maps]
    return metadata.attached(curves, path, "bruker", header.text, images)


def read_general(header: BrukerHeader, metadata: Metadata) -> None:
    """What files of all kinds have: when, with what, in which mode."""
    equipment, scanner = header.first("Equipment list"), header.first("Scanner list")
    scan = header.first("Ciao scan list")
    metadata.add("start_time", header.date, "Date")
    metadata.add("instrument", equipment.text("microscope", "description"), "Microscope")
    metadata.add("scanner", scanner.text("scanner type"), "Scanner type")
    metadata.add("software_version", f"{header.version:#010x}", "Version")
    metadata.add("operating_mode", scan.text("operating mode"), "Operating mode")
    size = scan.length("scan size")
    metadata.add("scan_size", size[0] if size else None, "Scan Size")
    metadata.add("scan_angle", scan.number("rotate ang."), "Rotate Ang.")
