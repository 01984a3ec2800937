"""Opens files that want to do harm, within bounds of time and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from whole_reading import read_whole

import nrm_plugin as nrm
from nrm_plugin.hookspecs import Importer


def rewrite(path: Path, data: bytes | bytearray) -> None:
    """Give a file other bytes, in its place: a tenth of the time of making it anew."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(data)
        file.truncate()


@dataclass(frozen=True)
class Bounds:
    """How long an importer may take, and how much memory beyond the file's own size.

    With `asks`, files that the importer does not know go to whoever knows them.
    """

    importer: Importer
    asks: bool = False
    seconds: float = 2.0
    megabytes: float = 50.0

    @contextmanager
    def within(self, size: int, *, memory: bool = True) -> Iterator[None]:
        """Fail if the block takes too long or too much.

        Following the memory makes everything four times slower.
        """
        peak = 0
        if memory:
            tracemalloc.start()
        begin = time.process_time()
        try:
            yield
        finally:
            seconds = time.process_time() - begin
            if memory:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
        assert seconds < self.seconds, f"took {seconds:.1f} s"
        assert peak < size + self.megabytes * 1e6, f"took {peak / 1e6:.0f} MB"

    def use(self, path: Path) -> nrm.CurveSet:
        """Open a file and look at everything in it.

        The importer itself opens what it knows: `nrm.open` turns any exception into one of ours,
        and a fault would pass unseen.
        """
        head = b""
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(4096)
        score = self.importer.sniff(head, path)
        assert 0 <= score <= 100
        curves = nrm.open(path) if self.asks and not score else self.importer.open(path)
        read_whole(curves, path)
        return curves

    def survives(self, path: Path, *, memory: bool = True) -> nrm.CurveSet | None:
        """Open and use a file within bounds; None where it ends in one of our errors.

        Any other exception fails the test, and so does a warning of numpy.
        """
        message = ""
        with self.within(path.stat().st_size, memory=memory):
            try:
                return self.use(path)
            except nrm.NrmError as error:
                message = str(error)
        assert str(path) in message
        assert len(message) < 1000
        return None

    def refused(self, path: Path) -> str:
        """Open a file that must not open; what the error says."""
        with self.within(path.stat().st_size), pytest.raises(nrm.NrmError) as caught:
            self.use(path)
        assert str(path) in str(caught.value)
        return str(caught.value)
