"""Bruker NanoScope: force curves, force volumes, PeakForce Capture, images, ASCII export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nrm_plugin.hookspecs import Importer, hookimpl

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

_BINARY = (b"\\*Force file list", b"\\*File list", b"\\*EC File list")
_ASCII = (b'"\\*Force file list', b'"\\?Force file list')


class BrukerImporter:
    """NanoScope 5 to 9.7: what its binary files and its ASCII export hold."""

    name = "bruker"
    description = "Bruker NanoScope 5 to 9.7: force curves and volumes, PeakForce Capture, images"
    suffixes: Sequence[str] = (".spm", ".pfc", ".000", ".001", ".txt")
    page = "bruker.md#what-has-met-a-real-file"

    def sniff(self, head: bytes, path: Path) -> int:
        """Recognise the first line; the name of the file says nothing."""
        first_line = head.splitlines()[0].rstrip() if head else b""
        if first_line in _BINARY:
            return 100
        return 95 if first_line.startswith(_ASCII) else 0

    def open(self, path: Path) -> CurveSet:
        """Open a binary file or an ASCII export."""
        from nrm_importers.bruker import export, read

        with path.open("rb") as file:
            quoted = file.read(1) == b'"'
        return export.open_export(path) if quoted else read.open_binary(path)


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the NanoScope importer."""
    return [BrukerImporter()]
