"""Results as a workbook for spreadsheets: regions, curves, and what they were made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin.errors import MissingPackage
from nrm_plugin.statistics.region_thickness import region_thickness
from nrm_plugin.statistics.regions import everything, regions
from nrm_plugin.statistics.selection import Analysis, column
from nrm_plugin.statistics.summary import COLUMNS, summary
from nrm_plugin.store.results_table import curve_table

#: Rows that a sheet can hold, and characters that a cell can.
_MOST_ROWS, _MOST_TEXT = 1_048_576, 32_767


def write_workbook(results: xr.Dataset, path: Path) -> None:
    """Write three sheets: ``regions`` (as `summary`), ``curves`` (one row each) and ``about``.

    Numbers are in SI, and empty where there is none. Texts are never formulas.

    Raises
    ------
    MissingPackage
        Without openpyxl.
    """
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
    except ImportError:
        raise MissingPackage("openpyxl", "excel") from None
    analysis = Analysis(results)
    potential = column(results, "potential")
    known = potential is not None and bool(np.isfinite(potential).any())
    inside = regions(results) if known else everything(results)
    thickness = region_thickness(analysis, inside)
    rows = summary(analysis, inside, thickness=thickness)
    book = Workbook(write_only=True)

    def fill(title: str, heads: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "A2"
        for number, line in enumerate([heads, *lines]):
            if number >= _MOST_ROWS:
                break
            cells = []
            for value in line:
                cell = WriteOnlyCell(sheet, value=_value(value))
                if isinstance(cell.value, str):
                    cell.data_type = "s"
                cells.append(cell)
            sheet.append(cells)

    fill("regions", COLUMNS, [[row[name] for name in COLUMNS] for row in rows])
    table = curve_table(results)
    fill("curves", list(table.columns), table.itertuples(index=False, name=None))
    about = [(name, value) for name, value in results.attrs.items() if name != "survey"]
    fill("about", ("name", "value"), about)
    book.save(path)


def _value(value: Any) -> Any:
    """What a cell can hold: a number, a text, a time, or nothing."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()  # not a time
    text = "; ".join(map(str, value)) if isinstance(value, list | np.ndarray) else str(value)
    return "".join(c for c in text if c.isprintable() or c == "\n")[:_MOST_TEXT]
