"""What a page does to the server, in Python: one connection a request, nothing added."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    json: Any = None


class Client:
    """Asks a server, by its address with the secret."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = str(parts.hostname), int(parts.port or 0)
        self.base, self.secret = parts.path, parts.path.strip("/")

    def raw(
        self,
        target: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request exactly so; a Host header is added unless it is given."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        headers = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None and "Content-Length" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        found = Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )
        connection.close()
        kind = found.headers.get("content-type", "")
        if kind.startswith("application/json"):
            found.json = json.loads(found.body)
        elif kind == "application/octet-stream":
            found.json, found.arrays = unpacked(found.body)
        return found

    def get(self, address: str, **headers: str) -> Answer:
        return self.raw(self.base + address, headers=headers)

    def ready(self, address: str, seconds: float = 60.0) -> Answer:
        """Ask until it is not "wait"."""
        end = time.monotonic() + seconds
        while (found := self.get(address)).status == 202 and time.monotonic() < end:
            time.sleep(0.05)
        return found

    def post(self, address: str, data: Any, **headers: str) -> Answer:
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        return self.raw(
            self.base + address, "POST", {"Content-Type": "application/json", **headers}, body
        )


def unpacked(body: bytes) -> tuple[Any, dict[str, np.ndarray]]:
    """Header and arrays of a container."""
    size = int.from_bytes(body[:4], "little")
    header = json.loads(body[4 : 4 + size])
    begin = -(-(4 + size) // 8) * 8
    arrays = {}
    for name, place in header["arrays"].items():
        at = begin + place["offset"]
        assert at % 8 == 0, name
        values = np.frombuffer(body, f"<{place['type']}", place["length"], at)
        arrays[name] = values.reshape(place["shape"])
    return header, arrays
