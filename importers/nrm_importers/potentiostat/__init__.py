"""Potentiostats: BioLogic EC-Lab, Gamry, and tables as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nrm_plugin.hookspecs import PotentialLog, hookimpl

if TYPE_CHECKING:
    from nrm_plugin.potential import Log

_MPR = b"BIO-LOGIC MODULAR FILE\x1a"
_MPT = (b"EC-Lab ASCII FILE", b"BT-Lab ASCII FILE")


class BioLogicLog:
    """EC-Lab's own files and its export as text."""

    name = "biologic"
    description = "BioLogic EC-Lab: .mpr, and .mpt as text"
    suffixes: Sequence[str] = (".mpr", ".mpt")

    def sniff(self, head: bytes, path: Path) -> int:
        """Both kinds begin with their name."""
        return 100 if head.startswith((_MPR, *_MPT)) else 0

    def read(self, path: Path) -> Log:
        """Read a file of either kind."""
        from nrm_importers.potentiostat import biologic

        return biologic.read(path)


class GamryLog:
    """Gamry Framework's data files."""

    name = "gamry"
    description = "Gamry Framework: .DTA"
    suffixes: Sequence[str] = (".dta",)

    def sniff(self, head: bytes, path: Path) -> int:
        """The first line is EXPLAIN, the second names the experiment."""
        lines = head.lstrip(b"\xef\xbb\xbf").split(b"\n", 2)
        return 100 if lines[0].strip() == b"EXPLAIN" and lines[1:2] != [b""] else 0

    def read(self, path: Path) -> Log:
        """Read all curves of a file."""
        from nrm_importers.potentiostat import gamry

        return gamry.read(path)


class IxdatLog:
    """What ixdat exports."""

    name = "ixdat"
    description = "measurements that ixdat exported as .csv"
    suffixes: Sequence[str] = (".csv",)

    def sniff(self, head: bytes, path: Path) -> int:
        """The first line says ixdat's version."""
        return 100 if head.removeprefix(b"\xef\xbb\xbf").startswith(b"ixdat version = ") else 0

    def read(self, path: Path) -> Log:
        """Read an export."""
        from nrm_importers.potentiostat import ixdat_export

        return ixdat_export.read(path)


class TextLog:
    """Tables as text, of whatever program."""

    name = "text"
    description = "potential over time as text, with titles such as time (s) and E (V)"
    suffixes: Sequence[str] = (".csv", ".tsv", ".txt")
    takes_units = True

    def sniff(self, head: bytes, path: Path) -> int:
        """Look for a line of titles with a time and a potential."""
        if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return 0
        from nrm_importers.potentiostat import log_table

        return log_table.sniff(head)

    def read(self, path: Path, units: Mapping[str, str] | None = None) -> Log:
        """Read a table; `units` are those of columns whose titles have none."""
        from nrm_importers.potentiostat import log_table

        return log_table.read(path, log_table.units_given(units or {}))


@hookimpl
def nrm_potential_logs() -> list[PotentialLog]:
    """Return the readers of BioLogic, Gamry, ixdat's and text files."""
    return [BioLogicLog(), GamryLog(), IxdatLog(), TextLog()]
