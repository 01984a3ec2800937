"""Images in a NanoScope file."""

from __future__ import annotations

import numpy as np

from nrm_importers.bruker.blocks import DataBlock, integers, widths
from nrm_importers.bruker.header import BrukerHeader
from nrm_importers.metadata import Metadata
from nrm_plugin import units
from nrm_plugin.columns import FileColumn, FileStamp
from nrm_plugin.errors import CorruptFile
from nrm_plugin.images import Image


def read_image(
    stamp: FileStamp, header: BrukerHeader, block: DataBlock, metadata: Metadata
) -> Image:
    """Make an image of a block, without reading it.

    Images lie in the file with the bottom row, the smallest y, first.

    Raises
    ------
    CorruptFile
        If the block's length fits no number of rows.
    """
    section = block.section
    internal, shown = section.selection("image data")
    name = shown or internal or section.text("data type") or "image"
    columns, rows = section.integer("samps/line") or 0, section.integer("number of lines") or 0
    width = next((w for w in widths(header.version) if w * rows * columns == block.length), 0)
    if not width:
        width = widths(header.version)[0]
        if not columns or block.length % (width * columns):
            raise CorruptFile(
                stamp.path, block.offset, f"an image of {rows} x {columns}", f"{block.length} bytes"
            )
        there = block.length // (width * columns)
        metadata.warn(f"image {name}: {there} rows are there, the header says {rows}")
        rows = there
    gain, unit, note = _scale(header, block)
    metadata.warn(note)
    x, y = _size(header, block, rows, columns)
    direction = (section.text("line direction") or "").lower()
    column = FileColumn.regular(
        stamp, integers(width), block.offset, 1, [(0, rows * columns, False)]
    )
    return Image(
        name,
        column,
        unit,
        (x, y),
        direction if direction in ("trace", "retrace") else "",
        shape=(rows, columns),
        gain=gain,
        original=name,
    )


def _scale(header: BrukerHeader, block: DataBlock) -> tuple[float, str, str]:
    """Gain and unit: the full range divided by the steps it is cut into, times the sensitivity."""
    value = block.section.value("z scale")
    if value is None or value.soft is None:
        return 1.0, "", "an image without a scale: its numbers are the controller's own"
    per_step = value.soft / 2.0 ** (8 * block.steps if block.steps in (2, 4) else 16)
    known = units.si(value.unit) or (1.0, value.unit)
    if not value.scale:
        return per_step * known[0], known[1], ""
    soft = header.sensitivity(value.scale)
    if soft.value is None or known[1] != "V":
        return per_step * known[0], known[1], soft.warning if _matters(value.scale) else ""
    return per_step * known[0] * soft.value, soft.unit, soft.warning


def _matters(scale: str) -> bool:
    """Whether a missing calibration is worth a word: most signals are meant to stay in volts."""
    return "defl" in scale.lower() or "zs" in scale.lower()


def _size(header: BrukerHeader, block: DataBlock, rows: int, columns: int) -> tuple[float, float]:
    sizes = block.section.length("scan size") or header.first("Ciao scan list").length("scan size")
    if not sizes:
        return np.nan, np.nan
    if len(sizes) == 1:
        return sizes[0], sizes[0] * rows / columns
    return sizes[0], sizes[1]
