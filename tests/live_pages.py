"""Clients of the live page, as a browser is one: over a socket, with events read as they come."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self


@contextlib.contextmanager
def started(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A recording of the simulated electrode: the process and the page's address."""
    command = [sys.executable, "-m", "nrm_plugin", "acquire", "--simulate", "-o", "out.h5"]
    process = subprocess.Popen(
        [*command, "--live", "--no-browser", *arguments],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        found = None
        while found is None:
            line = process.stderr.readline()
            assert line, "it ended"
            found = re.search(r"http://\S+", line)
        yield process, found[0]
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


class Page:
    """A page that listens to the events of a server; a context manager."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self.host, self.path = parts.netloc, parts.path
        self.events: list[tuple[float, str, Any]] = []
        self._changed = threading.Condition()
        self._connection = http.client.HTTPConnection(self.host, timeout=60.0)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._connection.connect()
        self._socket = self._connection.sock
        self._connection.request("GET", f"{self.path}api/events")
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._answer.close()
        self._connection.close()

    def _listen(self) -> None:
        kind = ""
        try:
            for raw in self._answer:
                line = raw.decode().rstrip("\n")
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    with self._changed:
                        data = json.loads(line.removeprefix("data: "))
                        self.events.append((time.time(), kind, data))
                        self._changed.notify_all()
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            return

    def of(self, kind: str) -> list[Any]:
        """What events of a kind brought, in order."""
        return [data for _, name, data in list(self.events) if name == kind]

    def wait(self, kind: str, count: int = 1, seconds: float = 60.0) -> list[Any]:
        """Wait for so many events of a kind."""
        with self._changed:
            found = self._changed.wait_for(lambda: len(self.of(kind)) >= count, seconds)
        assert found, f"{len(self.of(kind))} of {count} {kind}"
        return self.of(kind)

    def get(self, address: str) -> Any:
        """Get JSON."""
        return self._ask("GET", address, None)[1]

    def post(self, address: str, **body: Any) -> tuple[int, Any]:
        """Post JSON; return status and answer."""
        return self._ask("POST", address, json.dumps(body))

    def _ask(self, method: str, address: str, body: str | None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.host, timeout=30.0)
        headers = {"content-type": "application/json"} if body else {}
        connection.request(method, self.path + address, body, headers)
        answer = connection.getresponse()
        content = answer.status, json.loads(answer.read())
        connection.close()
        return content
