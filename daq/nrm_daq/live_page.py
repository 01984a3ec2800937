"""The recorder's side of the live page.

A process of its own shows what the file of the recording holds, so that neither its work nor its
clients can hold up a sample. Nothing here waits while samples come: what is told goes through a
short queue, whose oldest message gives way.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from nrm_daq.acquisition import Acquisition
from nrm_daq.hardware import Setup
from nrm_daq.lockin_watch import Faults
from nrm_daq.recording import Recording, SampleBlock
from nrm_daq.software_lockin import DemodulatedRecording
from nrm_plugin.errors import NrmError, OutputError

#: Messages on their way to the page's process.
QUEUED = 64

#: Time in s that the page's process has to let go of a recording that is over, and to end.
PATIENCE = 10.0

#: Longest time in s that a recording waits for the page's process, which begins beside it.
BEGIN = 15.0


@dataclass(frozen=True)
class LiveOptions:
    """How a recording is shown.

    Attributes
    ----------
    port : int
        0 for a free one.
    recipe : str or None
        File of the recipe that curves are processed by.
    """

    port: int = 0
    recipe: str | None = None


class LivePage:
    """A page that shows a recording; a context manager.

    Parameters
    ----------
    options : LiveOptions
    say : callable
        Takes sentences for the terminal, from any thread.
    opened : callable
        Takes the address of the page when it can be opened, from any thread.

    Attributes
    ----------
    url : str
        Address of the page; empty until it can be opened.
    """

    def __init__(
        self,
        options: LiveOptions,
        *,
        say: Callable[[str], None],
        opened: Callable[[str], None],
    ) -> None:
        self._options, self._say, self._opened = options, say, opened
        self._outgoing: queue.Queue[dict[str, Any] | None] = queue.Queue(QUEUED)
        self._ready, self._closed = threading.Event(), threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._threads: list[threading.Thread] = []
        self._recording: Recording | DemodulatedRecording | None = None
        self._setup: Setup | None = None
        self._largest = 0.0
        self._killed = False
        self.url = ""

    def __enter__(self) -> Self:
        detached: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        self._process = subprocess.Popen(  # Ctrl-C is for the recorder alone
            [sys.executable, "-m", "nrm_daq.live_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **detached,
        )
        self._threads = [
            threading.Thread(target=work, name="live page", daemon=True)
            for work in (self._write, self._read)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def start(
        self,
        recording: Recording | DemodulatedRecording,
        setup: Setup,
        out: Path,
        ending: threading.Event,
        *,
        waited_for: bool = True,
    ) -> None:
        """Show a recording whose first note is in the file; return when the page can be opened.

        It is not waited for longer than `BEGIN`, or when `ending` is set, or not at all where the
        recording has begun.
        """
        self._recording, self._setup = recording, setup
        self._tell(
            {
                "part": str(recording.path.absolute()),
                "title": out.name,
                "port": self._options.port,
                "recipe": self._options.recipe,
            }
        )
        until = time.monotonic() + BEGIN
        while (
            waited_for
            and not (self._ready.wait(0.05) or ending.is_set())
            and time.monotonic() < until
        ):
            continue

    def show(self, block: SampleBlock, acquisition: Acquisition, watch: Faults | None) -> None:
        """Tell how the recorder does after a block."""
        if self._setup is None:
            return
        ring = acquisition.backlog / self._setup.ring
        self._largest = max(self._largest, ring)
        now = 1e-9 * block.arrived
        faults = watch.faults(now - 2.0, now) if watch is not None else ()
        state = {
            "ring": ring,
            "ring_most": self._largest,
            "queued": acquisition.queued,
            "faults": faults,
        }
        if self._outgoing.qsize() < QUEUED // 2:  # else the next one will do
            self._tell({"state": state})

    def remarked(self, text: str, moment: int) -> None:
        """Show a marker that was not made on the page, of a time in nanoseconds since 1970."""
        self._tell({"remarked": {"text": text, "time": moment}})

    def let_go(self) -> None:
        """Have the page's process finish with the recording and close it, or end it."""
        if self._recording is None:  # it was never shown
            self.close()
            return
        self._tell({"over": True})
        if not self._closed.wait(PATIENCE):
            self.close()

    def ended(self, report: dict[str, Any]) -> None:
        """Show the file that the recording has become."""
        ended = {
            "path": str(Path(report["path"]).absolute()),
            "stopped": report["stopped"],
            "curves": report["curves_found"],
            "warnings": report["warnings"],
        }
        self._tell({"ended": ended})

    def wait(self, seconds: float) -> bool:
        """Wait; return whether the page is still shown."""
        if self._process is None:
            return False
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def close(self) -> None:
        """End the page's process."""
        process, self._process = self._process, None
        if process is None:
            return
        self._tell(None)
        try:
            process.wait(PATIENCE / 2)
        except subprocess.TimeoutExpired:
            self._killed = True
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join()

    def _tell(self, message: dict[str, Any] | None) -> None:
        """Put a message on its way; where the page's process does not read, the oldest is lost."""
        while True:
            try:
                self._outgoing.put_nowait(message)
                return
            except queue.Full:
                try:
                    self._outgoing.get_nowait()
                except queue.Empty:
                    continue

    # In threads of their own

    def _write(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it has ended: `_read` says so
            while (message := self._outgoing.get()) is not None:
                process.stdin.write(json.dumps(message) + "\n")
                process.stdin.flush()
        with contextlib.suppress(OSError):
            process.stdin.close()

    def _read(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._answer(json.loads(line))
        self._ready.set()
        self._closed.set()
        if process.wait() != 0 and not self._killed:
            self._say("the live page has ended, the recording goes on")

    def _answer(self, message: dict[str, Any]) -> None:
        if "mark" in message:
            self._mark(int(message["mark"]), str(message["text"]))
        elif "url" in message:
            self.url = str(message["url"])
            self._ready.set()
            self._opened(self.url)
        elif "closed" in message:
            self._closed.set()
        elif "said" in message:
            self._say(str(message["said"]))
        elif "failed" in message:
            self._say(f"there is no live page, the recording goes on: {message['failed']}")

    def _mark(self, number: int, text: str) -> None:
        assert self._recording is not None
        try:
            self._tell({"marked": {"id": number, "time": self._recording.mark(text)}})
        except (NrmError, ValueError) as error:  # ValueError: the file was closed
            why = str(error) if isinstance(error, OutputError) else "the recording is over"
            self._tell({"marked": {"id": number, "error": why}})
