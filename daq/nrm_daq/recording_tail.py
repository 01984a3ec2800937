"""A recording read while it grows, by another process than the one that writes it.

Who records is not asked for anything: what it has written is in the file, and whoever reads late
finds everything there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Self

import numpy as np

from nrm_daq.recording import RecordingContents, RecordTable, Volts
from nrm_plugin.columns import FileStamp
from nrm_plugin.errors import ChangedFile, MissingFile
from nrm_plugin.files import PatientFile


class GrowingStamp(FileStamp):
    """A file that may grow after it was opened."""

    @contextmanager
    def opened(self) -> Iterator[FileIO]:
        """See `FileStamp.opened`."""
        try:
            file = PatientFile(self.path)
        except OSError:
            raise ChangedFile(self.path) from None
        with file:
            yield file


class RecordingTail:
    """The end of a recording; a context manager. For one thread.

    Parameters
    ----------
    path : Path

    Raises
    ------
    MissingFile
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = PatientFile(path)
        except (OSError, ValueError) as error:
            raise MissingFile(path, error) from None
        self._path = path
        self._table = RecordTable(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    @property
    def header(self) -> dict[str, Any]:
        """What describes the recording; empty before it was read."""
        return self._table.header

    @property
    def samples(self) -> int:
        """Samples per channel that were read."""
        return self._table.samples

    def read(self, most: int = 64) -> list[Volts]:
        """Volts of the blocks that have come since, at most so many, each (channel, sample).

        Raises
        ------
        CorruptFile
        """
        volts = self._table.follow(self._file, self._size, most)
        n, columns = len(self.header.get("channels", ())), self._table.columns
        dtype = self._table.dtype
        return [np.frombuffer(block, dtype).reshape(columns, -1)[:n] for block in volts]

    def forget(self, before: int) -> None:
        """Drop what ends before a sample."""
        self._table.forget(before)

    def contents(self) -> RecordingContents:
        """Return what was read, less what was forgotten; other threads may read its samples.

        Raises
        ------
        CorruptFile
            If nothing was read yet.
        """
        stamp = GrowingStamp(self._path.absolute(), self._size, 0)
        return self._table.contents(stamp)

    @property
    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size
