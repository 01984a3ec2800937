"""Park's TIFF files: from tags and headers to a `CurveSet`."""

from __future__ import annotations

import math
from pathlib import Path

from nrm_importers.metadata import Metadata
from nrm_importers.park import headers, tiff
from nrm_importers.park.headers import ParkHeader
from nrm_importers.park.images import read_image
from nrm_importers.park.positions import date_of
from nrm_importers.park.spectroscopy import read_spectroscopy
from nrm_importers.park.tiff import Tiff, read_tiff
from nrm_plugin.columns import FileStamp, Rows
from nrm_plugin.errors import CorruptFile, MissingFile
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet


def open_tiff(path: Path) -> CurveSet:
    """Open a TIFF file with Park's private tags.

    Nothing but headers is read, apart from what shows which samples are padding.

    Raises
    ------
    CorruptFile
        If tags, headers and data contradict each other, or something was cut off.
    """
    try:
        stamp = FileStamp.of(path)
        file = read_tiff(path)
        file.check()
    except OSError as error:
        raise MissingFile(path, error) from None
    metadata = Metadata()
    version = _version(file, metadata)
    parts: dict[str, ParkHeader] = {}
    curves, images = CurveSet(Rows.uniform(0, 0), {}), list[Image]()
    for name, tag, types in (
        ("image", tiff.IMAGE_HEADER, headers.IMAGE),
        ("spectroscopy", tiff.SPECTROSCOPY_HEADER, headers.SPECTROSCOPY),
    ):
        if tag in file.fields:
            parts[name] = ParkHeader(file, tag, types, version)
    picture, spectroscopy = parts.get("image"), parts.get("spectroscopy")
    _general(file, picture, metadata)
    if picture is not None:
        images = _images(stamp, file, picture, spectroscopy, metadata)
    if spectroscopy is not None:
        size = headers.SPECTROSCOPY[version].itemsize
        curves = read_spectroscopy(stamp, file, spectroscopy, size, metadata)
    if not curves.n_curves and not images:
        raise CorruptFile(path, None, "an image or spectroscopy data", "neither")
    text = headers.as_text(file, parts)
    return metadata.attached(curves, path, "park", text, images)


def _version(file: Tiff, metadata: Metadata) -> int:
    number = file.integer(tiff.VERSION) or 0
    if number in headers.IMAGE:
        return number
    if number > headers.V2:
        metadata.warn(
            f"version {number:#010x} of the format is not known: read as {headers.V2:#010x}"
        )
        return headers.V2
    raise CorruptFile(file.path, None, "version 1.0.1 or 1.0.2 in tag 50433", f"{number:#010x}")


def _images(
    stamp: FileStamp,
    file: Tiff,
    picture: ParkHeader,
    spectroscopy: ParkHeader | None,
    metadata: Metadata,
) -> list[Image]:
    """Read the file's image; beside curves there need not be one."""
    try:
        image = read_image(stamp, file, picture, metadata)
    except CorruptFile as error:
        if spectroscopy is None or spectroscopy.get("reference_image", 0):
            raise
        metadata.warn(f"what lies beside the curves is no image: {error.found}")
        return []
    return [image] if image is not None else []


def _general(file: Tiff, image: ParkHeader | None, metadata: Metadata) -> None:
    """What files of both kinds have: when, with what, in which mode."""
    software = file.text(tiff.SOFTWARE)
    metadata.add("start_time", date_of(file), "tag DateTime")
    metadata.add("software_version", software, "tag Software")
    if software.lower().startswith("park systems"):
        metadata.add("instrument", "Park Systems", "tag Software")
    metadata.add("comment", file.text(tiff.COMMENTS), "tag Comments")
    if image is None:
        return
    metadata.add("operating_mode", image["head_mode"], "head mode")
    size, angle = image["x_size_um"] * 1e-6, image["angle"]
    metadata.add("scan_size", size if size > 0 else None, "x scan size")
    if math.isfinite(angle):
        metadata.add("scan_angle", math.radians(angle), "angle")
        if angle:
            metadata.warn("the scan is turned: the axes of its image are turned by scan_angle")
