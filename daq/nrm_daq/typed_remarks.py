"""Remarks typed on the terminal while a recording runs: each line becomes a marker."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Self

#: Time in s between two looks at whether the recording is over, or the program in the foreground.
_LOOK = 0.2
#: Longest remark in letters.
LETTERS = 500


class TypedRemarks:
    """Lines typed on a terminal; a context manager. Where there is no terminal, nothing happens.

    Parameters
    ----------
    take : callable
        Takes a remark, in a thread of its own; the empty text where Enter was pressed alone.
    """

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="typed remarks", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._file = sys.stdin.fileno()
            typed = os.isatty(self._file)
        except (AttributeError, OSError, ValueError):  # no standard input, or it is closed
            return self
        if typed:
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        if sys.platform != "win32" and self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        # Not through sys.stdin: a thread that waits there holds its lock when the program ends.
        with open(self._file, "rb", buffering=0, closefd=False) as typed:
            while not self._over.is_set():
                if not self._ready():
                    continue
                try:
                    line = typed.read(4096)
                except OSError:
                    return
                if not line:  # the end of the input
                    return
                if not self._over.is_set():
                    self._take(" ".join(line.decode("utf-8", "replace").split())[:LETTERS])

    def _ready(self) -> bool:
        """Whether a line can be read; Windows waits for it where it is read."""
        if sys.platform == "win32":
            return True
        import select

        if not select.select([self._file], [], [], _LOOK)[0]:
            return False
        try:
            mine = os.tcgetpgrp(self._file) == os.getpgrp()
        except OSError:
            mine = True
        if not mine:  # a program in the background that reads is stopped, and its recording with it
            self._over.wait(_LOOK)
        return mine
