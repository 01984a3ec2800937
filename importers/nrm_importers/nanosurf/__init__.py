"""Nanosurf: force spectroscopy in .nid files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nrm_plugin.hookspecs import Importer, hookimpl

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

_BEGIN = b"[DataSet]"


class NanosurfImporter:
    """``.nid`` files with spectroscopy; those with images or sweeps alone are refused kindly."""

    name = "nanosurf"
    description = "Nanosurf force spectroscopy"
    suffixes: Sequence[str] = (".nid",)
    page = "other-microscopes.md"

    def sniff(self, head: bytes, path: Path) -> int:
        """Recognise the text that begins every .nid file."""
        return 100 if head.startswith(_BEGIN) and b"GroupCount=" in head else 0

    def open(self, path: Path) -> CurveSet:
        """Open a file; only its text is read."""
        from nrm_importers.nanosurf.read import open_nid

        return open_nid(path)


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the Nanosurf importer."""
    return [NanosurfImporter()]
