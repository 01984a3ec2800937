"""Who may ask the server: pages that it served itself, on this computer, that know its secret."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from nrm_plugin.viewer.container import as_json

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

#: Largest body of a request in bytes, and of decisions on many curves.
MOST, MOST_DECISIONS = 1 << 20, 4 << 20

_DECISIONS = "/api/decisions"

#: Sent with everything. Styles that the page sets through its objects are no inline styles.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}


class Gate:
    """Lets requests through that come from the page, and answers all others with 403.

    A request must name the secret in its address and this computer as its host; what a browser
    says of where a request comes from must be the page itself. The address of the page may be
    opened from anywhere (a terminal, a notebook), since that tells nothing to whoever opens it.

    Parameters
    ----------
    app : ASGI application
        Sees addresses without the secret.
    port : int
        At which the server listens.
    secret : str, optional
        A new one by default.
    """

    def __init__(self, app: App, port: int, secret: str | None = None) -> None:
        self.app, self.port = app, port
        self.secret = secret or secrets.token_hex(24)
        names = ("127.0.0.1", "localhost")
        self._hosts = {f"{name}:{port}".encode() for name in names}
        self._origins = {b"http://" + host for host in self._hosts}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        first, slash, rest = scope["path"].removeprefix("/").partition("/")
        known = hmac.compare_digest(first.encode(), self.secret.encode())
        if not (known and self._is_ours(scope, rest if slash else "")):
            await _answer(send, 403, "this address is not for you: open the one that nrm printed")
            return
        if not slash:
            place = [(b"location", f"/{self.secret}/".encode())]
            await _answer(send, 307, "the page is one level below", place)
            return
        if scope["method"] == "POST" and not _is_json(scope):
            await _answer(send, 415, "what is sent must be application/json")
            return
        inner = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode(), "root_path": ""}
        most = MOST_DECISIONS if inner["path"] == _DECISIONS else MOST
        body = await _body(scope, receive, most) if scope["method"] == "POST" else b""
        if body is None:
            await _answer(send, 413, f"what was sent has more than {most >> 20} MB")
            return
        await self.app(inner, _given(body, receive), _with_headers(send))

    def _is_ours(self, scope: Message, rest: str) -> bool:
        said = _Said(scope["headers"])
        hosts, origins, sites = (said[n] for n in (b"host", b"origin", b"sec-fetch-site"))
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return False
        if any(origin not in self._origins for origin in origins):
            return False
        if all(site in (b"same-origin", b"none") for site in sites):
            return True
        # Only the page itself, opened as a page.
        opened = said[b"sec-fetch-mode"] == [b"navigate"] and not rest
        return opened and scope["method"] == "GET"


class _Said:
    """Values of headers by name."""

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._headers = headers

    def __getitem__(self, name: bytes) -> list[bytes]:
        return [value for key, value in self._headers if key.lower() == name]


def _is_json(scope: Message) -> bool:
    kinds = _Said(scope["headers"])[b"content-type"]
    return len(kinds) == 1 and kinds[0].split(b";")[0].strip().lower() == b"application/json"


async def _body(scope: Message, receive: Receive, most: int) -> bytes | None:
    """Everything that is sent, None if it is too much."""
    for said in _Said(scope["headers"])[b"content-length"]:
        if not said.isdigit() or int(said) > most:
            return None
    parts: list[bytes] = []
    total = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        total += len(parts[-1])
        if total > most:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _given(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read, then what comes."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return waiting.pop() if waiting else await receive()

    return give


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            kept = [pair for pair in message.get("headers", []) if pair[0].decode() not in HEADERS]
            message = {**message, "headers": [*kept, *ours]}
        await send(message)

    return wrapped


async def _answer(
    send: Send, status: int, sentence: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = as_json({"error": sentence})
    told = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    send = _with_headers(send)
    await send(
        {"type": "http.response.start", "status": status, "headers": [*told, *(headers or [])]}
    )
    await send({"type": "http.response.body", "body": body})
