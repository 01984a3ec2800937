"""Park's TIFF files: from tags and headers to a `CurveSet`."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from nrm_importers.found import Found
from nrm_importers.park import headers, tiff
from nrm_importers.park.headers import Header
from nrm_importers.park.images import read_image
from nrm_importers.park.places import date_of
from nrm_importers.park.spectroscopy import read_spectroscopy
from nrm_importers.park.tiff import Tiff, read_tiff
from nrm_plugin.columns import FileStamp, Rows
from nrm_plugin.errors import CorruptFile, MissingFile
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet, Origin


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
        raise MissingFile(path, str(error)) from None
    found = Found()
    version = _version(file, found)
    parts: dict[str, Header] = {}
    curves, images = CurveSet(Rows.uniform(0, 0), {}), list[Image]()
    for name, tag, types in (
        ("image", tiff.IMAGE_HEADER, headers.IMAGE),
        ("spectroscopy", tiff.SPECTROSCOPY_HEADER, headers.SPECTROSCOPY),
    ):
        if tag in file.fields:
            parts[name] = Header(file, tag, types, version)
    picture, spectroscopy = parts.get("image"), parts.get("spectroscopy")
    _general(file, picture, found)
    if picture is not None:
        images = _images(stamp, file, picture, spectroscopy, found)
    if spectroscopy is not None:
        size = headers.SPECTROSCOPY[version].itemsize
        curves = read_spectroscopy(stamp, file, spectroscopy, size, found)
    if not curves.n_curves and not images:
        raise CorruptFile(path, None, "an image or spectroscopy data", "neither")
    text = headers.as_text(file, parts)
    return replace(
        curves,
        metadata=found.values,
        metadata_source=found.sources,
        images=tuple(images),
        warnings=tuple(found.warnings),
        origins=(Origin(path.name, "park", header=text, path=str(path.absolute())),),
    )


def _version(file: Tiff, found: Found) -> int:
    number = file.integer(tiff.VERSION) or 0
    if number in headers.IMAGE:
        return number
    if number > headers.V2:
        found.warn(f"version {number:#010x} of the format is not known: read as {headers.V2:#010x}")
        return headers.V2
    raise CorruptFile(file.path, None, "version 1.0.1 or 1.0.2 in tag 50433", f"{number:#010x}")


def _images(
    stamp: FileStamp, file: Tiff, picture: Header, spectroscopy: Header | None, found: Found
) -> list[Image]:
    """Read the file's image; beside curves there need not be one."""
    try:
        image = read_image(stamp, file, picture, found)
    except CorruptFile as error:
        if spectroscopy is None or spectroscopy.get("reference_image", 0):
            raise
        found.warn(f"what lies beside the curves is no image: {error.found}")
        return []
    return [image] if image is not None else []


def _general(file: Tiff, image: Header | None, found: Found) -> None:
    """What files of both kinds have: when, with what, in which mode."""
    software = file.text(tiff.SOFTWARE)
    found.add("start_time", date_of(file), "tag DateTime")
    found.add("software_version", software, "tag Software")
    if software.lower().startswith("park systems"):
        found.add("instrument", "Park Systems", "tag Software")
    found.add("comment", file.text(tiff.COMMENTS), "tag Comments")
    if image is None:
        return
    found.add("operating_mode", image["head_mode"], "head mode")
    size, angle = image["x_size_um"] * 1e-6, image["angle"]
    found.add("scan_size", size if size > 0 else None, "x scan size")
    if math.isfinite(angle):
        found.add("scan_angle", math.radians(angle), "angle")
        if angle:
            found.warn("the scan is turned: the axes of its image are turned by scan_angle")
