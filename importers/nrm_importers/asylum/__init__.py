"""Asylum Research: force curves and maps of them, in Igor binary waves and ARDF files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nrm_plugin.files import read_start
from nrm_plugin.hookspecs import Importer, hookimpl

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

#: Versions of Igor's format, with its bytes in either order, and the bytes whose sum is 0. Of
#: version 2 it is said what to do.
_VERSIONS: dict[bytes, tuple[Literal["little", "big"], int]] = {
    b"\x05\0": ("little", 384),
    b"\0\x05": ("big", 384),
    b"\x02\0": ("little", 126),
    b"\0\x02": ("big", 126),
}

#: How long the first piece of an ARDF file is, and its name.
_ARDF = b"\x10\0\0\0ARDF"


class AsylumImporter:
    """``.ibw``: one curve with its channels, or one channel of a curve of a map; ``.ardf``."""

    name = "asylum"
    description = "Asylum Research force curves and force maps"
    suffixes: Sequence[str] = (".ibw", ".ardf")
    page = "other-microscopes.md"

    def sniff(self, head: bytes, path: Path) -> int:
        """Recognise an Igor binary wave by its version and the sum of its headers; ARDF by name."""
        if head[4:12] == _ARDF:
            return 100
        if head[:2] not in _VERSIONS:
            return 0
        order, count = _VERSIONS[head[:2]]
        total = sum(int.from_bytes(head[i : i + 2], order) for i in range(0, count, 2))
        return 100 if len(head) >= count and total & 0xFFFF == 0 else 0

    def open(self, path: Path) -> CurveSet:
        """Open a curve, a file of a map, or the whole map that a curve's channel belongs to."""
        if read_start(path, 12)[4:] == _ARDF:
            from nrm_importers.asylum.ardf import open_ardf

            return open_ardf(path)
        from nrm_importers.asylum.read import open_wave

        return open_wave(path)


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the Asylum importer."""
    return [AsylumImporter()]
