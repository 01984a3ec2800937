"""What happens, told to every page that listens: bounded, and never waited for."""

from __future__ import annotations

import json
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

#: Previews (frames of a stream) that wait for one page; older ones give way.
PREVIEWS = 8

#: Other events that wait for one page. A page that leaves more of them is told to load anew.
WAITING = 256

#: Significant digits of numbers in events.
DIGITS = 6


def plain(value: Any) -> Any:
    """Return a value as JSON can have it: arrays become lists, what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


class Events:
    """A board on which anyone may post, from any thread, and that pages read at their own pace.

    Posting never waits: a page that does not read loses previews first, and of other events the
    oldest, after which it finds a ``session`` event, which asks it to load everything anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()

    def post(
        self, kind: str, data: Mapping[str, Any] | None = None, *, preview: bool = False
    ) -> None:
        """Tell every page.

        Parameters
        ----------
        kind : str
            Name of the event: ``progress``, ``decisions``, ``live``, ...
        data : mapping, optional
            For JSON; arrays are turned into lists.
        preview : bool
            Whether the next one makes up for it if it is left out.
        """
        with self._lock:
            listeners = list(self._listeners)
        if listeners:
            text = json.dumps(plain(data or {}), separators=(",", ":"), allow_nan=False)
            message = f"event: {kind}\ndata: {text}\n\n"
            for listener in listeners:
                listener.put(message, preview)

    def listen(self, wake: Callable[[], None] = lambda: None) -> Listener:
        """Return what collects events from now on; a context manager.

        Parameters
        ----------
        wake : callable
            Called from the thread that posts, whenever there is something to take. It must not
            block: ``loop.call_soon_threadsafe`` of an event, for example.
        """
        listener = Listener(self, wake)
        with self._lock:
            self._listeners.add(listener)
        return listener

    def forget(self, listener: Listener) -> None:
        """Collect nothing more for a listener."""
        with self._lock:
            self._listeners.discard(listener)

    @property
    def listeners(self) -> int:
        """How many pages listen."""
        return len(self._listeners)


class Listener:
    """What waits for one page, in order."""

    def __init__(self, events: Events, wake: Callable[[], None]) -> None:
        self._events, self._wake = events, wake
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, bool]] = deque()
        self._previews = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._events.forget(self)

    def put(self, message: str, preview: bool) -> None:
        """Add a message; drop what is too old to wait for."""
        with self._lock:
            waiting = self._waiting
            waiting.append((message, preview))
            self._previews += preview
            if self._previews > PREVIEWS:
                waiting.remove(next(one for one in waiting if one[1]))
                self._previews -= 1
            if len(waiting) - self._previews > WAITING:
                waiting.clear()
                waiting.append(("event: session\ndata: {}\n\n", False))
                self._previews = 0
        self._wake()

    def take(self) -> list[str]:
        """Return what has come, as messages of ``text/event-stream``, and forget it."""
        with self._lock:
            messages = [message for message, _ in self._waiting]
            self._waiting.clear()
            self._previews = 0
        return messages
