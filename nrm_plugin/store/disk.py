"""The file below HDF5: one whose disk may be full."""

from __future__ import annotations

from io import FileIO
from typing import Any


class Disk(FileIO):
    """A file that hides a full disk from HDF5, which would crash, and reports it when it closes."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of the data, or remember why that is impossible."""
        left = memoryview(data).cast("B")
        n = len(left)
        try:
            while left and self.error is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return n

    def truncate(self, size: int | None = None) -> int:
        """Set the size, or remember why that is impossible."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def check(self) -> None:
        """Raise the error that was met, if one was."""
        if self.error is not None:
            raise self.error

    def __exit__(self, *exc: object) -> None:
        self.close()
        self.check()
