"""Columns of another program's HDF5 file: one-dimensional arrays of numbers that lie together.

Groups with the same arrays, numbered or named, are curves; arrays of compound numbers are columns
for each of their fields. Nothing outside the file is read: links and external storage are left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nrm_importers.table.source_table import SourceColumn, SourceTable, titled
from nrm_plugin.columns import AnyArray, IntArray
from nrm_plugin.errors import CorruptFile, UnknownFormat
from nrm_plugin.files import drive_error, opened_hdf5
from nrm_plugin.hdf5_guard import reason

#: No filter makes numbers so many times smaller; a larger array was never written.
_MOST = 1100

#: Groups and arrays that are looked at.
_MOST_ARRAYS = 1 << 20

#: Attributes that hold a unit.
_UNITS = ("unit", "units", "Unit", "Units")


@dataclass(frozen=True, slots=True)
class StoredArray:
    """An array in the file, or one field of a compound one.

    Attributes
    ----------
    name : str
        Its path in the file.
    field : str
        Empty for plain numbers.
    unit : str
    length : int
    """

    name: str
    field: str
    unit: str
    length: int

    @property
    def title(self) -> str:
        """Last part of its name."""
        return self.field or self.name.rpartition("/")[2]


def open_hdf5(path: Path) -> SourceTable:
    """Open the arrays of an HDF5 file as a table.

    Raises
    ------
    CorruptFile
        If the file cannot be read.
    UnknownFormat
        If no arrays of one length lie together in it.
    """
    arrays: list[StoredArray] = []
    try:
        with opened_hdf5(path, ours=False) as file:
            file.visititems(partial(_collect, arrays))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise drive_error(path, error) or CorruptFile(
            path, None, "an HDF5 file", reason(error)
        ) from None
    groups = _alike(arrays)
    if not groups:
        raise UnknownFormat(
            path,
            hint="It is an HDF5 file of another program, without columns of one length that lie "
            "together: export its curves as text.",
        )
    lengths = np.array([next(iter(g.values())).length for g in groups], np.int64)
    columns = []
    for title, first in groups[0].items():
        text, unit = titled(title)
        parts = [group[title] for group in groups]
        # The title of an array may hold brackets that are no unit: height (measured).
        columns.append(
            SourceColumn(
                title=title if first.unit else text,
                unit=first.unit or unit,
                read=partial(_read, path, parts),
            )
        )
    if len(groups) > 1 and not any(c.title == "curve" for c in columns):
        columns.append(SourceColumn(title="curve", unit="", read=partial(_numbers, lengths)))
    used = {(one.name, one.field) for group in groups for one in group.values()}
    return SourceTable(
        path=path,
        columns=tuple(columns),
        length=int(lengths.sum()),
        left_out=tuple(one.name for one in arrays if (one.name, one.field) not in used),
    )


def _collect(arrays: list[StoredArray], name: str, node: Any) -> bool | None:
    """Note an array of numbers with one dimension; what `visititems` calls."""
    shape = getattr(node, "shape", None)
    if shape is None or len(shape) != 1 or not shape[0] or node.external or node.is_virtual:
        return None
    if len(arrays) >= _MOST_ARRAYS:
        return True
    stored = node.id.get_storage_size()
    if shape[0] * node.dtype.itemsize > _MOST * max(stored, 1):
        return None
    unit = next((_text(node.attrs[key]) for key in _UNITS if key in node.attrs), "")
    fields = [""] if node.dtype.kind in "iuf" else list(node.dtype.names or ())
    for field in fields:
        kind = node.dtype[field] if field else node.dtype
        if kind.kind in "iuf" and not kind.shape:
            arrays.append(StoredArray(name, field, unit if not field else "", int(shape[0])))
    return None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _alike(arrays: list[StoredArray]) -> list[dict[str, StoredArray]]:
    """Groups with the same arrays, of one length in each; those that hold most numbers."""
    found: dict[tuple[str, int], dict[str, StoredArray]] = defaultdict(dict)
    for one in arrays:
        folder = one.name if one.field else one.name.rpartition("/")[0]
        found[folder, one.length][one.title] = one
    kinds: dict[frozenset[str], list[tuple[str, dict[str, StoredArray]]]] = defaultdict(list)
    for (folder, _), group in found.items():
        if len(group) > 1:
            kinds[frozenset(group)].append((folder, group))
    if not kinds:
        return []
    most = max(
        kinds.values(), key=lambda k: sum(len(g) * next(iter(g.values())).length for _, g in k)
    )
    titles = list(most[0][1])
    ordered = sorted(most, key=lambda pair: _by_number(pair[0]))
    return [{title: group[title] for title in titles} for _, group in ordered]


def _by_number(name: str) -> list[tuple[int, str]]:
    """Key by which group 2 comes before group 10, and curve2 before curve10."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in pieces]


def _read(path: Path, parts: list[StoredArray]) -> AnyArray:

    try:
        with opened_hdf5(path, ours=False) as file:
            pieces = [
                np.asarray(file[p.name][p.field] if p.field else file[p.name][:]) for p in parts
            ]
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise drive_error(path, error) or CorruptFile(
            path, None, f"the numbers of {parts[0].title}", reason(error)
        ) from None
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _numbers(lengths: IntArray) -> AnyArray:
    return np.repeat(np.arange(len(lengths)), lengths)
