"""The image in a TIFF file: a plain one, or the reference of a spectroscopy."""

from __future__ import annotations

import math

from nrm_importers.metadata import Metadata
from nrm_importers.park.headers import ParkHeader, believable
from nrm_importers.park.names import si_unit
from nrm_importers.park.tiff import IMAGE_DATA, Tiff
from nrm_plugin.columns import FileColumn, FileStamp
from nrm_plugin.errors import CorruptFile
from nrm_plugin.images import Image


def read_image(
    stamp: FileStamp, tiff: Tiff, header: ParkHeader, metadata: Metadata
) -> Image | None:
    """Make an image, without reading it; None where the file has none.

    The row with the smallest y comes first. That was seen by the thumbnails, which show the last
    row on top, and by where curves were taken: on the particles of their reference image.

    Raises
    ------
    CorruptFile
        If header and data contradict each other.
    """
    field = tiff.fields.get(IMAGE_DATA)
    columns, rows = header["width"], header["height"]
    if field is None or not field.length:
        return None
    dtype = header.sample_type(tiff)
    if columns <= 0 or rows <= 0 or field.length != columns * rows * dtype.itemsize:
        raise CorruptFile(
            tiff.path,
            field.offset,
            f"an image of {rows} x {columns} numbers of {dtype.itemsize} bytes",
            f"{field.length} bytes",
        )
    gain, unit = si_unit(header["unit"])
    scale = header["gain"] * header["z_scale"] * gain
    offset = header["z_offset"] * gain
    if not (believable(scale) and abs(offset) < 1e30):
        raise CorruptFile(tiff.path, None, "a gain and an offset", f"{scale:g} and {offset:g}")
    name = header["source"] or "image"
    for key, what in (("log_scale", "logarithms"), ("square", "squares")):
        if header[key]:
            metadata.warn(f"image {name}: its numbers are {what}, as the file has them")
    if header["swap_xy"]:
        metadata.warn(f"image {name}: x and y are swapped in it; which way is not known")
    return Image(
        name,
        FileColumn.regular(stamp, dtype, field.offset, 1, [(0, rows * columns, False)]),
        unit,
        (_length(header["x_size_um"]), _length(header["y_size_um"])),
        "trace" if header["forward"] else "retrace",
        shape=(rows, columns),
        gain=scale,
        offset=offset,
        original=name,
    )


def _length(um: float) -> float:
    """Extent in m; nan where the header has none."""
    return um * 1e-6 if 0 < um < 1e6 else math.nan
