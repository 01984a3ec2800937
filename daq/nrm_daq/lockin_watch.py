"""A lock-in watched while it is recorded: when its outputs were not what its settings say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from nrm_daq.lockin_settings import POLES, SENSITIVITIES, TIME_CONSTANTS, Settings, changed
from nrm_daq.sr830 import FAULTS, SR830
from nrm_plugin.errors import InvalidInput


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


class LockInWatch:
    """Ask a lock-in again and again whether all is well; a context manager.

    An overload or a lost reference between two looks spoils the time between them: the
    instrument remembers that it happened, not when. A setting that differs from the start, as
    after an automatic change of range, spoils the time from the look before the first at which it
    differs to the look at which it is back.

    Parameters
    ----------
    lockin : SR830
    settings : Settings
        What it is set to, as `SR830.snapshot` read it.
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
        lockin: SR830,
        settings: Settings,
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.look()

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """When something was wrong, so far, in order of time."""
        return tuple(self._stretches)

    def faults(self, begin: float, end: float) -> tuple[str, ...]:
        """What was wrong at any time from `begin` to `end` (s), each fault once."""
        found = (s.faults for s in self.stretches if s.begin < end and begin < s.end)
        return tuple(dict.fromkeys(fault for faults in found for fault in faults))

    def look(self) -> tuple[str, ...]:
        """Ask once; return what is wrong or was since the last look."""
        begin, now = self._seen, self._clock()
        try:
            status = self._lockin.status()
            odd = [_said(name, *values) for name, values in self._changes().items()]
            faults = [text for bit, text in FAULTS.items() if bit & status]
        except Exception as error:  # what nobody has seen cannot be trusted, whatever the reason
            faults, odd = [f"not watched: {error}"], self._odd
        found = tuple(dict.fromkeys([*faults, *odd, *self._odd]))
        self._odd, self._seen = odd, now
        if found:
            self._add(Stretch(begin, self._clock(), found))
        return found

    def _changes(self) -> dict[str, tuple[object, object]]:
        """Ask for the settings that scale, shift or delay what is recorded."""
        ask, current = self._lockin, self._settings.input == "current"
        offset_x, expand_x = ask.offset_and_expand("x")
        offset_y, expand_y = ask.offset_and_expand("y")
        now = replace(
            self._settings,
            sensitivity=None if current else ask.choice("SENS?", SENSITIVITIES),
            time_constant=ask.choice("OFLT?", TIME_CONSTANTS),
            poles=ask.choice("OFSL?", POLES),
            offset_x=offset_x,
            offset_y=offset_y,
            expand_x=expand_x,
            expand_y=expand_y,
            phase=ask.phase(),
        )
        return changed(self._settings, now)

    def _add(self, new: Stretch) -> None:
        last = self._stretches[-1] if self._stretches else None
        if last is not None and last.faults == new.faults and last.end >= new.begin:
            self._stretches[-1] = Stretch(last.begin, new.end, new.faults)
        else:
            self._stretches.append(new)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self.look()


def _said(name: str, before: object, now: object) -> str:
    """A changed setting in words."""

    def shown(value: object) -> str:
        return f"{value:g}" if isinstance(value, int | float) else str(value)

    return f"{name.replace('_', ' ')} changed from {shown(before)} to {shown(now)}"
