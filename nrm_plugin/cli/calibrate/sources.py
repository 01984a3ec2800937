"""Files that hold a spectrum, a trace or a sweep: tables of text, or curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nrm_plugin.delimited import TextTable
    from nrm_plugin.model import CurveSet

_TEXT = (".csv", ".txt", ".tsv", ".dat", ".asc")


def open_source(path: str) -> TextTable | CurveSet:
    """Open a text file as a table with titles, and anything else as curves.

    Raises
    ------
    NrmError
        If it can be read as neither.
    """
    from nrm_plugin import formats
    from nrm_plugin.delimited import read_table
    from nrm_plugin.errors import NrmError, UnknownFormat

    if Path(path).suffix.lower() in _TEXT:
        return read_table(path)
    try:
        return formats.open(path)
    except UnknownFormat as unknown:
        try:
            return read_table(path)
        except NrmError:
            raise unknown from None
