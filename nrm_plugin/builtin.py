"""What our own distribution registers: the common file, text tables, methods, figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrm_plugin.hookspecs import Exporter, Importer, hookimpl

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet


class _CommonFile:
    name = "nrm"
    description = "the common file of nrm-plugin (NeXus-like HDF5)"
    suffixes: Sequence[str] = (".h5",)
    suffix = ".h5"
    results = True

    def sniff(self, head: bytes, path: Path) -> int:
        if not head.startswith(b"\x89HDF\r\n\x1a\n"):
            return 0
        from nrm_plugin.store import is_common_file

        return 100 if is_common_file(path) else 0

    def open(self, path: Path) -> CurveSet:
        from nrm_plugin.store import open_curves

        return open_curves(path)

    def write(self, data: Any, path: Path) -> None:
        from nrm_plugin.model import CurveSet
        from nrm_plugin.store import write_curves

        if isinstance(data, CurveSet):
            write_curves(data, path)
            return
        from nrm_plugin.store.results import write_results

        write_results(data, path)


class _Csv:
    name = "csv"
    description = "one line per sample, all channels in SI units"
    suffix = ".csv"

    def write(self, data: Any, path: Path) -> None:
        from nrm_plugin.textual import write_csv

        write_csv(data, path)


_COMMON = _CommonFile()


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the importer of our own files."""
    return [_COMMON]


@hookimpl
def nrm_exporters() -> list[Exporter]:
    """Return the exporters of the core."""
    return [_COMMON, _Csv()]
