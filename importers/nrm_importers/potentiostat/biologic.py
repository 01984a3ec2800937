"""BioLogic EC-Lab: .mpr through galvani, .mpt as the table that it is."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from nrm_importers.potentiostat.log_table import find_titles, read_table
from nrm_plugin.columns import FloatArray
from nrm_plugin.delimited import load
from nrm_plugin.errors import CorruptFile, InvalidInput, MissingPackage
from nrm_plugin.potential import Log

#: Columns by galvani's names, the best first.
_POTENTIAL = ("Ewe/V", "<Ewe>/V", "Ecell/V")
_CURRENT = ("<I>/mA", "I/mA")
_CYCLE = ("cycle number",)


def read(path: Path) -> Log:
    """Read a file of either kind.

    Raises
    ------
    CorruptFile, InvalidInput, MissingPackage
    """
    data, encoding = load(path)
    return _binary(path, data) if data.startswith(b"BIO-LOGIC") else _text(path, data, encoding)


def _binary(path: Path, data: bytes) -> Log:
    try:
        from galvani.BioLogic import MPRfile
    except ImportError:
        raise MissingPackage("galvani", "biologic") from None
    try:
        with np.errstate(all="ignore"):
            file = MPRfile(io.BytesIO(data))
        columns, announced = file.data, int(file.npts[0])
    except NotImplementedError as error:  # a column that galvani has not met
        raise InvalidInput(
            f"{path}: galvani cannot read this file ({error}): export it from EC-Lab as text (.mpt)"
        ) from None
    except Exception as error:  # galvani checks with assert, and raises many kinds
        what = " ".join(f"{type(error).__name__} {error}".split())[:120]
        raise CorruptFile(path, None, "a file of EC-Lab", what) from None
    names = columns.dtype.names or ()
    if len(columns) != announced or announced < 2:
        raise CorruptFile(path, None, f"{announced} points", f"{len(columns)}")
    if "time/s" not in names or not set(names) & set(_POTENTIAL):
        raise InvalidInput(f"{path}: there is no potential over time, only {', '.join(names)}")
    current = _first(columns, _CURRENT)
    potential = _first(columns, _POTENTIAL)
    assert potential is not None
    moment = getattr(file, "timestamp", None)  # only where the file has a log of the technique
    return Log(
        columns["time/s"].astype(np.float64),
        potential,
        None if current is None else current * 1e-3,
        _first(columns, _CYCLE),  # type: ignore[arg-type]
        None if moment is None else np.datetime64(moment, "us"),
    )


def _first(columns: Any, names: tuple[str, ...]) -> FloatArray | None:
    for name in names:
        if name in columns.dtype.names:
            return np.asarray(columns[name], np.float64)
    return None


def _text(path: Path, data: bytes, encoding: str) -> Log:
    """Read an export: a counted header, the titles in its last line."""
    lines = data[: 1 << 12].decode(encoding, "replace").split("\n", 2)
    match = re.fullmatch(r"Nb header lines : (\d{1,5})\s*", lines[1]) if len(lines) > 2 else None
    if match is None:
        raise CorruptFile(path, None, "the number of header lines", lines[-1][:40])
    table = find_titles(data, encoding, int(match[1]))
    if table is None:
        raise CorruptFile(path, None, f"titles with time/s and Ewe/V in line {match[1]}", "none")
    return read_table(path, data, encoding, table, month_first=True)
