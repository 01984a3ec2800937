"""The server on this computer, in a thread of its own."""

from __future__ import annotations

import errno
import socket
import threading

import uvicorn

from nrm_plugin.errors import InvalidInput
from nrm_plugin.viewer.access import Gate
from nrm_plugin.viewer.app import Holder, viewer_app
from nrm_plugin.viewer.live import LiveFeed
from nrm_plugin.viewer.sessions import LiveSession, Session

#: Nobody outside of this computer reaches it.
HOST = "127.0.0.1"

#: Seconds within which the server must have begun, or have ended.
PATIENCE = 10.0


class PortInUse(InvalidInput):
    """Another program listens at the port, or it may not be used."""

    def __init__(self, port: int, reason: str = "another program uses it") -> None:
        super().__init__(f"port {port} cannot be used: {reason}. Give another one, or none at all")


class Server:
    """A running server.

    Attributes
    ----------
    url : str
        Address of the page, with its secret.
    port : int
    """

    def __init__(self, shown: Session | LiveSession, port: int = 0) -> None:
        self._holder = Holder(shown)
        self._socket = _bound(port)
        self.port = int(self._socket.getsockname()[1])
        gate = Gate(viewer_app(self._holder), self.port)
        self.url = f"http://{HOST}:{self.port}/{gate.secret}/"
        config = uvicorn.Config(
            gate,
            log_config=None,
            access_log=False,  # addresses hold the secret
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=30,
            limit_concurrency=200,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="nrm-viewer", daemon=True)
        self._began = threading.Event()
        self._thread.start()
        self._began.wait(PATIENCE)

    def _run(self) -> None:
        import asyncio

        async def serve() -> None:
            task = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))
            while not self._server.started and not task.done():
                await asyncio.sleep(0.005)
            self._began.set()
            await task

        asyncio.run(serve())

    def show(self, shown: Session | LiveSession) -> None:
        """Show something else: pages that are open load it."""
        before = self._holder.shown
        shown.use(before.events)
        shown.feed = before.feed
        self._holder.shown = shown
        before.events.post("session")

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the server has ended; whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End it; pages that are open say so."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(PATIENCE)
        self._holder.shown.close()
        self._socket.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def serve(shown: Session | LiveSession | LiveFeed, port: int = 0) -> Server:
    """Serve a session, or the feed of a recording, and return at once.

    Raises
    ------
    PortInUse
    """
    return Server(LiveSession(shown) if isinstance(shown, LiveFeed) else shown, port)


def _bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(port) from None
        raise PortInUse(port, error.strerror or str(error)) from None
    return made
