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
        raise MissingFile(path, error) from None
    header = read_header(path)
    if 0 < header.version < _OLDEST:
        raise UnknownFormat(
            path,
            hint=f"It is of NanoScope {header.version >> 24}, whose scales are written otherwise: "
            "save it again with a newer NanoScope Analysis, or export it as text.",
        )
    force = data.blocks(stamp, header, "Ciao force image list")
    maps = data.blocks(stamp, header, "Ciao image list")
    metadata = Metadata()
    if force or maps:
        metadata.warn(data.check_neighbours(stamp, force + maps))
        blocks, mended = data.aligned(stamp, header, force, maps)
        force, maps = blocks[: len(force)], blocks[len(force) :]
        metadata.warn(mended)
    elif header.version:
        metadata.warn(_nothing(header))
    else:
        raise CorruptFile(path, None, "a version, or lists of curves or images with data", "none")
    read_general(header, metadata)
    curves = CurveSet(Rows.uniform(0, 0), {})
    if force:
        metadata.warn(data.check_tail(stamp, blocks, maps))
        curves = read_force(stamp, header, force, metadata)
    images = [read_image(stamp, header, block, metadata) for block in maps]
    return metadata.attached(curves, path, "bruker", header.text, images)


def _nothing(header: BrukerHeader) -> str:
    """What a file is whose header announces neither curves nor images that are read here."""
    with_data = (s for s in header.sections if s.integer("data offset"))
    lists = sorted({s.name for s in with_data if s.integer("data length")})
    if lists:
        return f"this NanoScope file has data that are not read here: {', '.join(lists)[:200]}"
    return (
        "this NanoScope file has settings and no data: its header announces no curves and no images"
    )


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
