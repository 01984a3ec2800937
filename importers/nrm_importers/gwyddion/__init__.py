"""Gwyddion: curve maps, volume data, spectra, graphs and images, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrm_plugin.hookspecs import Exporter, Importer, hookimpl

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

#: Gwyddion 2, Gwyddion 3, Gwyddion 1, each with the class of its container.
_BEGINNINGS = (b"GWYPGwyContainer\0", b"GWYQGwyFile\0", b"GWYOGwyContainer\0")


class GwyddionImporter:
    """Files of Gwyddion 1, 2 and 3."""

    name = "gwyddion"
    description = "Gwyddion curve maps, volume data, spectra, graphs and images"
    suffixes: Sequence[str] = (".gwy",)
    page = "gwyddion.md"

    def sniff(self, head: bytes, path: Path) -> int:
        """Recognise the magic number, and the container behind it."""
        if head.startswith(_BEGINNINGS):
            return 100
        return 60 if head[:4] in (b"GWYP", b"GWYQ", b"GWYO") else 0

    def open(self, path: Path) -> CurveSet:
        """Open a file of any of the three containers."""
        from nrm_importers.gwyddion.read import open_gwy

        return open_gwy(path)


class GwyddionExporter:
    """Files that Gwyddion 2.60 and later, and Gwyddion 3, open."""

    name = "gwyddion"
    description = "Gwyddion file: a curve map (or graphs) and images"
    suffix = ".gwy"

    def write(self, data: Any, path: Path) -> None:
        """Write curves and images."""
        from nrm_importers.gwyddion.write import write_gwy

        write_gwy(data, path)


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the importer of Gwyddion's files."""
    return [GwyddionImporter()]


@hookimpl
def nrm_exporters() -> list[Exporter]:
    """Return the exporter to Gwyddion's files."""
    return [GwyddionExporter()]
