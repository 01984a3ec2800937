"""A lock-in watched while it is recorded: when its outputs were not what its settings say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from nrm_plugin.errors import InvalidInput
from nrm_plugin.hookspecs import ConnectedLockIn, LockInSettings

#: Settings that scale, shift or delay what is recorded.
WATCHED = (
    "sensitivity",
    "time_constant",
    "poles",
    "offset_x",
    "offset_y",
    "expand_x",
    "expand_y",
    "phase",
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which the lock-in's outputs cannot be trusted.

    Attributes
    ----------
    begin, end : float
        In s, by the clock of the watch.
    faults : tuple of str
        What was wrong, in words.
    """

    begin: float
    end: float
    faults: tuple[str, ...]


class Faults(Protocol):
    """Who knows what is wrong with a lock-in."""

    def faults(self, begin: float, end: float) -> tuple[str, ...]:
        """What was wrong at any time from `begin` to `end`, in s since 1970."""


class LockInWatch:
    """Ask a lock-in again and again whether all is well; a context manager.

    An overload or a lost reference between two looks spoils the time between them: the
    instrument remembers that it happened, not when. A setting that differs from the start, as
    after an automatic change of range, spoils the time from the look before the first at which it
    differs to the look at which it is back.

    Parameters
    ----------
    lockin : ConnectedLockIn
    settings : LockInSettings
        What it was set to at the start.
    interval : float
        Time between looks in s.
    clock : callable
        Gives the time in s. It runs in the thread of the watch.

    Raises
    ------
    InvalidInput
        If `interval` is no positive time.
    """

    def __init__(
        self,
        lockin: ConnectedLockIn,
        settings: LockInSettings,
        *,
        interval: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0.0 < interval < 3600.0:
            raise InvalidInput(f"a lock-in cannot be asked every {interval} s")
        self._lockin, self._settings = lockin, settings
        self._interval, self._clock = interval, clock
        self._stretches: list[Stretch] = []
        self._odd: list[str] = []
        self._seen = clock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lock-in watch", daemon=True)

    def __enter__(self) -> Self:
        self.look()
        self._stretches.clear()  # whatever has happened before
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()
        self.look()

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """When something was wrong, so far, in order of time."""
        return tuple(self._stretches)

    def faults(self, begin: float, end: float) -> tuple[str, ...]:
        """What was wrong at any time from `begin` to `end` (s), each fault once."""
        during = (s.faults for s in self.stretches if s.begin < end and begin < s.end)
        return tuple(dict.fromkeys(fault for faults in during for fault in faults))

    def look(self) -> tuple[str, ...]:
        """Ask once; return what is wrong or was since the last look."""
        begin, now = self._seen, self._clock()
        try:
            faults = [fault for fault, happened in self._lockin.status().items() if happened]
            odd = self._changes()
        except Exception as error:  # what nobody has seen cannot be trusted, whatever the reason
            faults, odd = [f"not watched: {error}"], self._odd
        wrong = tuple(dict.fromkeys([*faults, *odd, *self._odd]))
        self._odd, self._seen = odd, now
        if wrong:
            self._add(Stretch(begin, self._clock(), wrong))
        return wrong

    def _changes(self) -> list[str]:
        """Return what is set otherwise than at the start, in words."""
        read = getattr(self._lockin, "watched", self._lockin.settings)
        now = read()
        return [
            _change(name, old, new)
            for name in WATCHED
            if (old := getattr(self._settings, name)) != (new := getattr(now, name))
        ]

    def _add(self, new: Stretch) -> None:
        last = self._stretches[-1] if self._stretches else None
        if last is not None and last.faults == new.faults and last.end >= new.begin:
            self._stretches[-1] = Stretch(last.begin, new.end, new.faults)
        else:
            self._stretches.append(new)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self.look()


def _change(name: str, before: object, now: object) -> str:
    """A changed setting in words."""

    def shown(value: object) -> str:
        return f"{value:g}" if isinstance(value, int | float) else str(value)

    return f"{name.replace('_', ' ')} changed from {shown(before)} to {shown(now)}"
