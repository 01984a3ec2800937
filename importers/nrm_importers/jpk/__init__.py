"""JPK: force curves, maps of them and quantitative imaging, all of them zip archives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nrm_plugin.hookspecs import Importer, hookimpl

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

_ZIP = b"PK\x03\x04"

#: Names with one of which every archive of JPK begins; others may, too.
_FIRST = (b"header.properties", b"index/", b"segments/", b"shared-data/", b"data-image.")


class JpkImporter:
    """``.jpk-force``, ``.jpk-force-map``, ``.jpk-qi-data`` and ``.jpk-qi-series``."""

    name = "jpk"
    description = "JPK force curves, force maps and quantitative imaging (QI)"
    suffixes: Sequence[str] = (".jpk-force", ".jpk-force-map", ".jpk-qi-data", ".jpk-qi-series")
    page = "jpk.md"

    def sniff(self, head: bytes, path: Path) -> int:
        """Recognise a zip archive by its suffix, or by the names of what is in it."""
        if not head.startswith(_ZIP):
            return 0
        if path.suffix.lower() in self.suffixes:
            return 100
        if head[30:].startswith(_FIRST):
            return 80
        from nrm_importers.jpk.zip_directory import holds

        return 80 if holds(path, b"segment-header.properties") else 0

    def open(self, path: Path) -> CurveSet:
        """Open an archive; nothing but its directory and some headers is read."""
        from nrm_importers.jpk.read import open_archive

        return open_archive(path)


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the JPK importer."""
    return [JpkImporter()]
