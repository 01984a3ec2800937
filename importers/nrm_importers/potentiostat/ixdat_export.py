"""Measurements that ixdat exported (``measurement.export("cv.csv")``).

A counted header of ``name = value`` with the start as seconds since 1970 (``tstamp``) and the
``aliases``, which say which series is the time, the potential and the current; then a table. The
layout is that of ixdat 0.4.0's export of an electrochemical measurement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nrm_importers.potentiostat.log_table import LogTable, read_table
from nrm_importers.potentiostat.titles import Role, Title, title
from nrm_plugin.delimited import load
from nrm_plugin.errors import CorruptFile, InvalidInput
from nrm_plugin.potential import Log

#: A line of the header is not longer, nor are there more.
_LINES = 1000

#: Series by ixdat's names: the recorded ones first, as calibrated ones are against another zero.
_SERIES: dict[Role, tuple[str, ...]] = {
    "time": ("t",),
    "potential": ("raw_potential", "potential"),
    "current": ("raw_current", "current"),
    "cycle": ("cycle",),
}


def read(path: Path) -> Log:
    """Read an export.

    Raises
    ------
    CorruptFile, InvalidInput
    """
    data, encoding = load(path)
    lines = data.decode(encoding, "replace").split("\n", _LINES)[:_LINES]
    header = dict(re.findall(r"^(\w[\w ]*?) = (.*?)\r?$", "\n".join(lines), re.M))
    count = header.get("N_header_lines", "")
    if not count.isdecimal() or not 2 < int(count) <= len(lines):
        raise CorruptFile(path, None, "a number of header lines", count[:20] or "none")
    names = lines[int(count) - 1].strip("\r").split(",")
    table = LogTable(
        offset=sum(len(line.encode(encoding, "replace")) + 1 for line in lines[: int(count)]),
        separator=",",
        titles=_titles(path, names, _aliases(header)),
        width=len(names),
        above=[],
    )
    log = read_table(path, data, encoding, table, measured=True)
    start = _moment(header.get("tstamp", ""))
    doubt = () if start is not None else ("its start (tstamp) cannot be read",)
    return replace(
        log, start=start, time_zone="" if start is None else "UTC", notes=(*log.notes, *doubt)
    )


def _aliases(header: Mapping[str, str]) -> dict[str, list[str]]:
    """Names of series by ixdat's names for them."""
    try:
        found: Any = json.loads(header.get("aliases", ""))
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(k): [str(n) for n in names] for k, names in found.items() if isinstance(names, list)
    }


def _titles(path: Path, names: list[str], aliases: dict[str, list[str]]) -> dict[Role, Title]:
    """Titles of the series that ixdat itself takes for time, potential and current.

    Raises
    ------
    InvalidInput
    """
    titles: dict[Role, Title] = {}
    for role, wanted in _SERIES.items():
        for name in (n for w in wanted for n in (*aliases.get(w, []), w)):
            if name in names and role not in titles:
                titles[role] = replace(title(name.replace(" / ", "/")), column=names.index(name))
    if not {"time", "potential"} <= titles.keys():
        raise InvalidInput(
            f"{path}: ixdat's measurement has no potential over time, only {', '.join(names)[:200]}"
        )
    return titles


def _moment(text: str) -> np.datetime64 | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    if not 0 < seconds < 4e9:
        return None
    return np.datetime64(round(seconds * 1e6), "us")
