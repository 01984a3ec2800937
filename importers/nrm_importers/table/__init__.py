"""Tables of columns: text, NumPy, Parquet, TDMS, lock-ins' exports, and our own text back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrm_plugin.hookspecs import Importer, hookimpl

if TYPE_CHECKING:
    import click

    from nrm_plugin.model import CurveSet

#: First bytes of tables that are not text.
_BINARY = {".npz": b"PK\x03\x04", ".parquet": b"PAR1", ".tdms": b"TDSm"}
_HDF5 = dict.fromkeys((".h5", ".hdf5", ".hdf"), b"\x89HDF\r\n\x1a\n")
_TEXT = (".csv", ".tsv", ".txt", ".dat")

#: How sure: what the columns mean is plain or was told before; or it may be a table.
_SURE, _MAYBE = 60, 5


class TableImporter:
    """What a table's columns mean comes from their titles and units, or from a table map."""

    name = "table"
    description = "Tables: .csv, .tsv, .txt, .npz, .parquet, TDMS, other programs' HDF5"
    suffixes: Sequence[str] = (*_TEXT, *_BINARY, ".hdf5")
    page = "tables.md"

    @property
    def Settings(self) -> Any:
        """The table map: see `nrm_importers.table.table_map.TableMap`."""
        from nrm_importers.table.table_map import TableMap

        return TableMap

    def sniff(self, head: bytes, path: Path) -> int:
        """Recognise a table by its suffix and first bytes, and its columns by their titles."""
        suffix = path.suffix.lower()
        if suffix in _BINARY:
            return _SURE if head.startswith(_BINARY[suffix]) else 0
        if suffix in _HDF5:
            return _MAYBE if head.startswith(_HDF5[suffix]) else 0
        if suffix not in _TEXT:
            return 0
        from nrm_importers.table.text_table import understood

        plain = understood(head)
        return 0 if plain is None else _SURE if plain else _MAYBE

    def open(self, path: Path, settings: Any = None) -> CurveSet:
        """Open a table; with a table map, its columns are what that says."""
        from nrm_importers.table.read import open_table

        return open_table(path, settings)


@hookimpl
def nrm_commands(cli: click.Group) -> None:
    """Add ``nrm table``."""
    from nrm_importers.table.table_command import command

    cli.add_command(command)


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the importer of tables."""
    return [TableImporter()]
