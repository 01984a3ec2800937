"""Clocks of the simulated board: on the wall, moved by hand, or jumping to what is read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol


class BoardClock(Protocol):
    """What a simulated board runs by."""

    def now(self) -> float:
        """Time in s."""

    def wait_until(self, moment: float, wake: threading.Event) -> None:
        """Return when it is `moment`, or when `wake` is set."""


class WallClock:
    """Real time."""

    def now(self) -> float:
        """Time in s."""
        return time.monotonic()

    def wait_until(self, moment: float, wake: threading.Event) -> None:
        """Sleep."""
        while (left := moment - time.monotonic()) > 0 and not wake.wait(left):
            pass


class ManualClock:
    """Time that stands still until `advance`: what happens when is then exact."""

    def __init__(self) -> None:
        self._now = 0.0
        self._moved = threading.Condition()

    def now(self) -> float:
        """Time in s."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on, and let those who wait look."""
        with self._moved:
            self._now += seconds
            self._moved.notify_all()

    def wait_until(self, moment: float, wake: threading.Event) -> None:
        """Wait for `advance`."""
        with self._moved:
            while self._now < moment and not wake.is_set():
                self._moved.wait(0.02)


class InstantClock:
    """Time that jumps to whatever is waited for: hours of signal in seconds.

    Attributes
    ----------
    waiting_for : callable
        How many tasks run. Time jumps when so many wait, to what is next, so that an output is
        never overtaken by an input.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._moments: list[float] = []
        self._moved = threading.Condition()
        self.waiting_for: Callable[[], int] = lambda: 1

    def now(self) -> float:
        """Time in s."""
        return self._now

    def wait_until(self, moment: float, wake: threading.Event) -> None:
        """Jump there, or to what others wait for before."""
        with self._moved:
            self._moments.append(moment)
            try:
                while self._now < moment and not wake.is_set():
                    if len(self._moments) >= self.waiting_for():
                        self._now = max(self._now, min(self._moments))
                        self._moved.notify_all()
                    if self._now < moment:
                        self._moved.wait(0.002)
            finally:
                self._moments.remove(moment)
