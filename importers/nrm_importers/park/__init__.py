"""Park Systems: force spectroscopy in TIFF files, PinPoint, images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nrm_plugin.errors import MissingFile
from nrm_plugin.hookspecs import Importer, hookimpl

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

_PINPOINT = b"PS-PPT/v1\n"
_TIFF = b"II*\0"


class ParkImporter:
    """TIFF files with Park's private tags, and PinPoint's PS-PPT files."""

    name = "park"
    description = "Park Systems force spectroscopy, PinPoint (PS-PPT) and images"
    suffixes: Sequence[str] = (".tiff", ".tif", ".ps-ppt")
    page = "park.md"

    def sniff(self, head: bytes, path: Path) -> int:
        """Recognise PS-PPT by its first line, and a TIFF file by Park's magic number in a tag."""
        if head.startswith(_PINPOINT):
            return 100
        if not head.startswith(_TIFF):
            return 0
        from nrm_importers.park import tiff

        return 100 if tiff.is_park(path) else 0

    def open(self, path: Path) -> CurveSet:
        """Open a TIFF or a PS-PPT file."""
        from nrm_importers.park import pinpoint, read

        try:
            with path.open("rb") as file:
                head = file.read(len(_PINPOINT))
        except OSError as error:
            raise MissingFile(path, error) from None
        return pinpoint.open_pinpoint(path) if head == _PINPOINT else read.open_tiff(path)


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the Park importer."""
    return [ParkImporter()]
