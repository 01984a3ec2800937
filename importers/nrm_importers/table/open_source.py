"""Tables that are not text: NumPy's archives, Parquet, TDMS; and the way to those that are."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nrm_importers.table.hdf5_columns import open_hdf5
from nrm_importers.table.source_table import SourceColumn, SourceTable, as_given, titled
from nrm_importers.table.text_table import open_text
from nrm_plugin.errors import CorruptFile, InvalidInput, MissingPackage

#: Suffixes of HDF5 files.
HDF5 = (".h5", ".hdf5", ".hdf")

#: Units as NI-DAQmx writes them.
_SPELT_OUT = {"volts": "V", "amps": "A", "meters": "m", "newtons": "N", "seconds": "s"}

#: No table has as many columns.
_MOST_COLUMNS = 4096


def open_source(path: Path) -> SourceTable:
    """Open a table of any kind.

    Raises
    ------
    CorruptFile, InvalidInput, MissingPackage, MissingFile
    """
    if path.suffix.lower() in HDF5:
        return open_hdf5(path)
    opener = {".npz": _npz, ".parquet": _parquet, ".tdms": _tdms}.get(path.suffix.lower())
    if opener is None:
        return open_text(path)
    return opener(path)


def _table(
    path: Path, columns: Sequence[SourceColumn], lengths: Sequence[int], **more: Any
) -> SourceTable:
    if not columns:
        raise CorruptFile(path, None, "a table with columns", "none")
    if len(columns) > _MOST_COLUMNS:
        raise CorruptFile(path, None, f"at most {_MOST_COLUMNS} columns", f"{len(columns)}")
    if len(set(lengths)) > 1:
        named = ", ".join(
            f"{c.title}: {n}" for c, n in list(zip(columns, lengths, strict=True))[:8]
        )
        raise InvalidInput(
            f"{path}: its columns have different lengths ({named}): keep those that were recorded "
            "together in one file"
        )
    if not lengths[0]:
        raise InvalidInput(f"{path}: its columns are empty: nothing was recorded in it")
    return SourceTable(path=path, columns=tuple(columns), length=lengths[0], **more)


def _npz(path: Path) -> SourceTable:
    columns, lengths, others = [], [], []
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            for name in file.files:
                try:
                    values = file[name]
                except ValueError as error:
                    if "Object arrays" not in str(error):
                        raise
                    others.append(name)  # it is not unpacked: that could run anything
                    continue
                if values.ndim != 1 or values.dtype.kind not in "iufbU":
                    others.append(name)
                    continue
                title, unit = titled(name)
                columns.append(SourceColumn(title=title, unit=unit, read=partial(as_given, values)))
                lengths.append(len(values))
    except (OSError, ValueError, EOFError, KeyError, MemoryError, ArithmeticError) as error:
        raise CorruptFile(path, None, "arrays of NumPy", str(error)[:200]) from None
    except Exception as error:  # zipfile and zlib raise their own kinds
        what = f"{type(error).__name__}: {error}"
        raise CorruptFile(path, None, "arrays of NumPy", what[:200]) from None
    return _table(path, columns, lengths, left_out=tuple(others))


def _parquet(path: Path) -> SourceTable:
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingPackage("pyarrow", "tables") from None
    try:
        with path.open("rb") as handle:
            table = parquet.read_table(handle)
            names = table.column_names
    except Exception as error:  # Arrow raises many kinds for damaged files
        raise CorruptFile(path, None, "a Parquet table", str(error)[:200]) from None
    columns = []
    for name in names:
        title, unit = titled(name)
        part = table.column(name)
        columns.append(
            SourceColumn(title=title, unit=unit, read=partial(part.to_numpy, zero_copy_only=False))
        )
    return _table(path, columns, [table.num_rows] * len(columns))


def _tdms(path: Path) -> SourceTable:
    """Channels of a TDMS file; of several groups, the one with most samples."""
    try:
        from nptdms import TdmsFile
    except ImportError:
        raise MissingPackage("npTDMS", "tables") from None
    try:
        with path.open("rb") as handle, _quiet() as heard:
            file = TdmsFile.read(handle)
            status = file.file_status
            cut = status.incomplete_final_segment or any("incomplete" in text for text in heard)
            lacks = {
                name: one.expected_length - one.read_length
                for name, one in (status.channel_statuses or {}).items()
            }
            groups = {
                group.name: {c: len(c) + lacks.get(c.path, 0) for c in group.channels()}
                for group in file.groups()
            }
            counts = max(groups.values(), key=lambda g: max(g.values(), default=0), default={})
            channels = [c for c in counts if counts[c] == max(counts.values()) > 0]
            length = min(map(len, channels), default=0)
            channels = channels if length else []
            used = {c.path for c in channels}
            others = tuple(c.name for group in groups.values() for c in group if c.path not in used)
            columns, steps, starts = [], set[float](), set[np.datetime64]()
            for channel in channels:
                unit = str(
                    channel.properties.get("unit_string", "")
                    or channel.properties.get("NI_UnitDescription", "")
                )
                title, own = titled(channel.name)
                columns.append(
                    SourceColumn(
                        title=title,
                        unit=own or _SPELT_OUT.get(unit.lower(), unit),
                        read=partial(as_given, channel[:length]),
                    )
                )
                begun = channel.properties.get("wf_start_time")
                if isinstance(begun, np.datetime64):
                    starts.add(begun.astype("M8[us]"))
                step = channel.properties.get("wf_increment")
                if isinstance(step, float | int) and 0.0 < float(step) < 1e6:
                    steps.add(float(step))
    except Exception as error:  # npTDMS raises many kinds for damaged files
        raise CorruptFile(
            path, None, "a TDMS file", f"{type(error).__name__}: {error}"[:200]
        ) from None
    if len(steps) > 1:
        raise InvalidInput(
            f"{path}: its channels were recorded at different rates ({len(steps)} of them): record "
            "or export them at one"
        )
    doubt = (
        "the file ends within its last block: what was recorded last is missing (a recording that "
        "was broken off, or a copy that is not whole)"
    )
    return _table(
        path,
        columns,
        [length] * len(columns),
        interval=steps.pop() if steps else None,
        start=starts.pop() if len(starts) == 1 else None,
        left_out=others,
        warnings=(doubt,) if cut else (),
    )


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """Keep npTDMS from writing its warnings to the terminal; they are given."""
    from nptdms.log import log_manager

    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    level = log_manager.console_handler.level
    log_manager.console_handler.setLevel(logging.CRITICAL)
    for logger in log_manager.loggers.values():
        logger.addHandler(handler)
    try:
        yield heard
    finally:
        log_manager.console_handler.setLevel(level)
        for logger in log_manager.loggers.values():
            logger.removeHandler(handler)
