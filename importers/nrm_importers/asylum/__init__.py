"""Asylum Research: force curves and maps of them in Igor binary waves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nrm_plugin.hookspecs import Importer, hookimpl

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

#: Version 5 of the format, with its bytes in either order.
_VERSIONS: dict[bytes, Literal["little", "big"]] = {b"\x05\0": "little", b"\0\x05": "big"}
_HEADERS = 384


class AsylumImporter:
    """``.ibw``: one curve with its channels, or one channel of a curve of a map."""

    name = "asylum"
    description = "Asylum Research force curves and force maps"
    suffixes: Sequence[str] = (".ibw",)
    page = "other-microscopes.md"

    def sniff(self, head: bytes, path: Path) -> int:
        """Recognise an Igor binary wave by its version and the sum of its headers."""
        order = _VERSIONS.get(head[:2])
        if order is None or len(head) < _HEADERS:
            return 0
        total = sum(int.from_bytes(head[i : i + 2], order) for i in range(0, _HEADERS, 2))
        return 100 if total & 0xFFFF == 0 else 0

    def open(self, path: Path) -> CurveSet:
        """Open a curve, or the whole map that a curve's channel belongs to."""
        from nrm_importers.asylum.read import open_wave

        return open_wave(path)


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the Asylum importer."""
    return [AsylumImporter()]
