"""Gwyddion: curve maps, volume data, spectra, graphs and images, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrm_plugin.hookspecs import Exporter, Importer, hookimpl

if TYPE_CHECKING:
    import click

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
    description = "Gwyddion file: curve maps, graphs and images; of results also volume data"
    suffix = ".gwy"
    results = True
    views = True
    largest = 1 << 32

    def write(self, data: Any, path: Path) -> None:
        """Write curves and images, or results as `result_views` shows them."""
        from nrm_plugin.model import CurveSet

        if isinstance(data, CurveSet):
            from nrm_importers.gwyddion.write import write_gwy

            write_gwy(data, path)
            return
        from nrm_importers.gwyddion.write_views import write_views
        from nrm_plugin.statistics.result_views import ResultViews, result_views

        write_views(data if isinstance(data, ResultViews) else result_views(data), path)

    def show(self, path: Path) -> str:
        """Show a file in Gwyddion, in the window that runs or a new one."""
        from nrm_importers.gwyddion.gwyddion_window import show

        return show(path)


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the importer of Gwyddion's files."""
    return [GwyddionImporter()]


@hookimpl
def nrm_exporters() -> list[Exporter]:
    """Return the exporter to Gwyddion's files."""
    return [GwyddionExporter()]


@hookimpl
def nrm_commands(cli: click.Group) -> None:
    """Add ``nrm gwyddion``."""
    from nrm_importers.gwyddion.menu_entry import command

    cli.add_command(command)
