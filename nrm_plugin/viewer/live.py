"""What a running recording shows to pages: the stream, finished curves, trends, markers.

Whoever records calls a `LiveFeed`, from any thread, and never waits. Pages get what is new as
events, and a page that opens later gets the rest from `LiveFeed.snapshot`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.errors import InvalidInput
from nrm_plugin.viewer.events import Events, plain

#: Length in s of a bin of the stream, of which the lowest and the highest value are shown.
BIN = 0.005

#: Shortest time in s between two frames of the stream.
FRAME = 0.2

#: Longest part of the stream in s that one frame shows; what is older is left out.
LONGEST_FRAME = 2.0

#: Most curves in the trends, markers and alarms that a page that opens later is given.
TRENDS, MARKERS, ALARMS = 4096, 1024, 64

#: Longest marker.
LETTERS = 500


class LiveFeed:
    """What pages are shown of a running recording.

    Parameters
    ----------
    about : mapping
        ``title`` (str), ``rate`` (Hz), ``simulated`` (bool), ``channels``: a list of mappings with
        ``name``, ``label``, ``unit`` and ``factor`` (from SI to that unit).
    mark : callable, optional
        Writes a marker down and returns what was written (``text``, ``time`` in s since 1970,
        ``seconds`` since the first sample). Without it there are no markers.
    events : Events, optional
        Where the pages listen.
    """

    def __init__(
        self,
        about: Mapping[str, Any],
        mark: Callable[[str], Mapping[str, Any]] | None = None,
        events: Events | None = None,
    ) -> None:
        self.about, self.events = dict(about), events or Events()
        self._mark = mark
        self._lock = threading.Lock()
        self._open: dict[str, NDArray[np.float32]] = {}
        self._first = 0  # sample at which what is open begins
        self._ramps = 0
        self._last: dict[str, Any] | None = None
        self._state: dict[str, Any] = {}
        self._regions: dict[str, Any] = {}
        self._trends: deque[Mapping[str, Any]] = deque(maxlen=TRENDS)
        self._markers: deque[Mapping[str, Any]] = deque(maxlen=MARKERS)
        self._alarms: deque[Mapping[str, Any]] = deque(maxlen=ALARMS)
        self._ended: str | None = None

    def stream(
        self,
        channels: Mapping[str, NDArray[np.float32]],
        rate: float,
        state: Mapping[str, Any],
    ) -> None:
        """Show the next samples; several times a second they become a frame.

        Parameters
        ----------
        channels : mapping of str to (n,) arrays
            Values in SI that follow those of the call before.
        rate : float
            Samples per second.
        state : mapping
            ``samples`` (recorded so far, these included), ``ring`` (0 to 1), ``overloads`` (names
            of channels and faults of the lock-in), ``lag`` (s from the last sample to here).
        """
        with self._lock:
            self._state = dict(state)
            n = len(next(iter(channels.values())))
            first = int(state["samples"]) - n
            held = len(next(iter(self._open.values()))) if self._open else 0
            if held and self._first + held == first and self._open.keys() == channels.keys():
                joined = {c: np.concatenate([v, channels[c]]) for c, v in self._open.items()}
            else:
                joined, self._first = dict(channels), first
            width = max(1, round(BIN * rate))
            total = len(next(iter(joined.values())))
            if total < FRAME * rate - 0.5 * width:
                self._open = joined
                return
            # Bins are whole multiples of their width since the first sample.
            begin = -(-max(self._first, self._first + total - round(LONGEST_FRAME * rate)) // width)
            stop = (self._first + total) // width
            inside = slice(begin * width - self._first, stop * width - self._first)
            frame = {}
            for name, values in joined.items():
                bins = values[inside].reshape(-1, width)
                frame[name] = {"low": bins.min(axis=1), "high": bins.max(axis=1)}
            rest = stop * width - self._first
            self._open = {name: values[rest:] for name, values in joined.items()}
            self._first += rest
        self.events.post(
            "live",
            {"begin": begin * width / rate, "bin": width / rate, "channels": frame, "state": state},
            preview=True,
        )

    def ramp(self, detail: Mapping[str, Any]) -> None:
        """Show a finished curve.

        Parameters
        ----------
        detail : mapping
            What the event ``ramp`` holds; it has at least ``number``.
        """
        with self._lock:
            self._ramps = int(detail["number"]) + 1
            self._last = dict(detail)
            if detail.get("trend"):
                self._trends.append(detail["trend"])
            region = detail.get("region")
            if region:
                self._regions[str(region["label"])] = region
        self.events.post("ramp", detail)

    def alarm(self, text: str, **more: Any) -> None:
        """Say that something has changed that should not have."""
        alarm = {"text": text, **more}
        with self._lock:
            self._alarms.append(alarm)
        self.events.post("alarm", alarm)

    def marker(self, text: str) -> dict[str, Any]:
        """Write a marker down and show it.

        Raises
        ------
        InvalidInput
            If there is nothing in it, it is too long, or nothing is being recorded.
        """
        text = " ".join(text.split())
        if not text or len(text) > LETTERS:
            raise InvalidInput(f"a marker has between 1 and {LETTERS} letters, not {len(text)}")
        if self._mark is None or self._ended is not None:
            raise InvalidInput("nothing is being recorded: the marker was not written")
        written = dict(self._mark(text))
        self.marked(written)
        return written

    def marked(self, written: Mapping[str, Any]) -> None:
        """Show a marker that was written down."""
        with self._lock:
            self._markers.append(written)
        self.events.post("marker", written)

    def ended(self, path: str | Path, **more: Any) -> None:
        """Say that the recording is over, and where it is."""
        with self._lock:
            self._ended = str(path)
        self.events.post("ended", {"path": str(path), **more})

    def snapshot(self) -> dict[str, Any]:
        """Return what a page that opens now has to know, for JSON."""
        with self._lock:
            known = {
                **self.about,
                "state": self._state,
                "ramps": self._ramps,
                "last": self._last,
                "regions": list(self._regions.values()),
                "trends": list(self._trends),
                "markers": list(self._markers),
                "alarms": list(self._alarms),
                "ended": self._ended,
            }
        result: dict[str, Any] = plain(known)
        return result
