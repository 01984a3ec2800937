"""BioLogic EC-Lab: .mpr, and .mpt as the table that it is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from nrm_importers.potentiostat import mpr
from nrm_importers.potentiostat.log_settings import of_eclab
from nrm_importers.potentiostat.log_table import find_titles, read_table
from nrm_plugin.delimited import load
from nrm_plugin.errors import CorruptFile, InvalidInput
from nrm_plugin.potential import Log

#: Techniques without cycles, as they are named in the export: its cycle numbers count loops or
#: changes of the current's sign.
_NO_CYCLES = re.compile(
    r"open circuit|chrono|linear sweep|wait|impedance|\bZIR\b|IR compensation|polarization", re.I
)


def read(path: Path) -> Log:
    """Read a file of either kind.

    Raises
    ------
    CorruptFile, InvalidInput
    """
    data, encoding = load(path)
    log = mpr.read(path, data) if data.startswith(b"BIO-LOGIC") else _text(path, data, encoding)
    if not log.reference:
        return log
    doubt = (
        f"its settings say that potentials are against {log.reference}: EC-Lab keeps what was once "
        "set, so see that it is so"
    )
    return replace(log, notes=(*log.notes, doubt))


def _text(path: Path, data: bytes, encoding: str) -> Log:
    """Read an export: a counted header, the titles in its last line."""
    lines = data[: 1 << 12].decode(encoding, "replace").split("\n", 4)
    match = re.fullmatch(r"Nb header lines : (\d{1,5})\s*", lines[1]) if len(lines) > 2 else None
    if match is None:
        raise CorruptFile(path, None, "the number of header lines", lines[-1][:40])
    count = int(match[1])
    table = find_titles(data, encoding, count)
    if table is None:
        header = data.split(b"\n", count)
        last = header[count - 1].decode(encoding, "replace").strip() if len(header) > count else ""
        if last.count("\t") < 2:
            raise CorruptFile(path, None, f"the titles of columns in line {count}", last[:40])
        raise InvalidInput(
            f"{path}: there is no potential over time in it (time/s and Ewe/V), only "
            f"{', '.join(last.split(chr(9)))[:200]}"
        )
    log = read_table(path, data, encoding, table, month_first=True, measured=True)
    technique = lines[3].strip() if len(lines) > 3 else ""
    said = of_eclab([line.rstrip("\r") for line in table.above])
    fields = {"sweep_rate": None} | said | ({"cycle": None} if _NO_CYCLES.search(technique) else {})
    return replace(log, **fields)
