"""A request to the viewer's server, as bytes from a browser or from anybody else on the network."""

from __future__ import annotations

import asyncio
import atexit
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Addresses that would start work in the background, or an answer that never ends.
_NOT_ASKED = ("/api/process", "/api/events")

_SECRET = "secret"


class ServerFault(Exception):
    """The server answered with a fault of ours."""


@contextmanager
def _faults() -> Iterator[list[BaseException]]:
    """Collect the exceptions that the server turns into answers, which it tells its log."""
    found: list[BaseException] = []

    class Catcher(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info and record.exc_info[1]:
                found.append(record.exc_info[1])

    logger, catcher = logging.getLogger("nrm"), Catcher()
    level = logger.level
    logger.addHandler(catcher)
    logger.setLevel(logging.DEBUG)
    try:
        yield found
    finally:
        logger.setLevel(level)
        logger.removeHandler(catcher)


class _Served:
    """A session on results and curves in a folder of its own, made anew when files changed."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="nrm-viewer-"))
        atexit.register(shutil.rmtree, self._home, ignore_errors=True)
        self.folder = self._home / "shown"
        self.loop = asyncio.new_event_loop()
        self._make_originals()
        self.begin()

    def _make_originals(self) -> None:
        import nrm_plugin as nrm
        from fuzzing.seeds import FEW_DEPTHS, small_curves

        originals = self._home / "originals"
        originals.mkdir()
        small_curves().save(originals / "map.h5")
        nrm.process(originals / "map.h5", FEW_DEPTHS, originals / "results.h5").close()

    def begin(self) -> None:
        """Open the files as they were made."""
        from nrm_plugin.viewer.access import Gate
        from nrm_plugin.viewer.app import Holder, viewer_app
        from nrm_plugin.viewer.opening import opened
        from nrm_plugin.viewer.sessions import Session

        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self._home / "originals", self.folder)
        self._names = self._listed()
        session = Session(opened([self.folder / "results.h5"], [self.folder / "map.h5"]))
        self.app = Gate(viewer_app(Holder(session)), 80, _SECRET)

    def _listed(self) -> list[str]:
        return sorted(str(path.relative_to(self._home)) for path in self._home.rglob("*"))

    def answer(self, scope: dict[str, Any], body: bytes) -> None:
        """Answer a request, and look at what it did."""
        with _faults() as faults:
            status = self.loop.run_until_complete(self._asked(scope, body))
        if status >= 500:
            raise ServerFault(f"status {status}") from (faults[-1] if faults else None)
        now = self._listed()
        if now != self._names:
            self.begin()
        outside = [name for name in set(now) - set(self._names) if not name.startswith("shown/")]
        if outside:
            raise ServerFault(f"files outside of the folder: {outside}")

    async def _asked(self, scope: dict[str, Any], body: bytes) -> int:
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self.app(scope, receive, send)
        return statuses[0]


_served: list[_Served] = []


def answer_request(data: bytes) -> None:
    """Give bytes to the server as a connection would: h11 reads them for uvicorn, too."""
    import h11

    connection = h11.Connection(h11.SERVER)
    body = b""
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        request = connection.next_event()
        if not isinstance(request, h11.Request):
            return
        while isinstance(event := connection.next_event(), h11.Data):
            body += event.data
    except h11.RemoteProtocolError:
        return
    raw, _, query = request.target.partition(b"?")
    from urllib.parse import unquote

    path = unquote(raw.decode("ascii"))
    if any(path.removeprefix(f"/{_SECRET}").startswith(name) for name in _NOT_ASKED):
        return
    if not _served:
        _served.append(_Served())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.http_version.decode("ascii"),
        "method": request.method.decode("ascii"),
        "scheme": "http",
        "path": path,
        "raw_path": raw,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers),
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 50000),
    }
    _served[0].answer(scope, body)
