"""Curves of a stream by its deflection, where there is no height."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan

import numpy as np

from nrm_daq import scanning
from nrm_daq.bins import Bins
from nrm_daq.finding import Curve, made
from nrm_daq.scanning import ENTERED, LEFT, NOTHING
from nrm_daq.turning import cuts
from nrm_plugin.columns import FloatArray

#: A contact ends where the deflection is back below this part of the threshold.
RELEASE = 0.5
#: Time in s in which the baseline of the deflection can move by the threshold.
SETTLE = 2.0
#: Bins that a contact lasts at least; shorter ones are glitches.
SHORTEST = 3
#: No limit: later than any position.
NEVER = 2**62


class Contacts:
    """Curves by deflection: contacts with `pre` s before and `post` s after."""

    uses: tuple[str, ...] = ("deflection", "potential")

    def __init__(
        self,
        bins: Bins,
        warnings: list[str],
        rate: float,
        threshold: float,
        pre: float,
        post: float,
    ) -> None:
        per_bin = rate / bins.width
        self._bins, self._warnings, self._rate = bins, warnings, rate
        self._threshold, self._settle = threshold, SETTLE * per_bin
        self._pre, self._post = max(1, round(pre * per_bin)), max(1, round(post * per_bin))
        self._state = np.array([0.0, nan, 0.0, 0.0, 0.0])
        self._at = self._start = 0
        self._entered: int | None = None
        self._left: int | None = None

    def feed(self, channels: Mapping[str, FloatArray]) -> list[Curve]:
        """Take samples; return finished curves."""
        bins, curves = self._bins, list[Curve]()
        bins.add(channels)
        while True:
            met, self._at = scanning.next_contact(
                bins.of("deflection"),
                bins.first,
                self._at,
                self._limit(),
                self._threshold,
                RELEASE * self._threshold,
                self._settle,
                self._state,
            )
            if met == NOTHING:
                break
            position = self._at - 1
            if met == ENTERED:
                curves += self._enter(position)
            elif met == LEFT:
                self._leave(position)
            elif self._left is not None:
                curves.append(self._curve(self._left + self._post))
            else:
                self._stuck()
        if self._state[scanning.DROPPED] == 1.0:
            self._state[scanning.DROPPED] = 2.0
            self._warnings.append("the recording began in contact: what was cut was dropped")
        waiting = self._entered is None and self._left is None
        bins.forget(self._at - self._pre if waiting else self._start)
        return curves

    def end(self) -> list[Curve]:
        """Return the curve that the end of the stream cuts, or that only waits."""
        there = self._bins.stop
        if self._left is not None:
            stop = self._left + self._post
            return [self._curve(min(stop, there), complete=stop <= there)]
        if self._entered is not None:
            return [self._curve(there, complete=False)]
        return []

    def _limit(self) -> int:
        if self._left is not None:
            return self._left + self._post + self._pre
        return NEVER if self._entered is None else self._start + self._bins.most

    def _enter(self, position: int) -> list[Curve]:
        start, curves = position - self._pre, list[Curve]()
        if self._left is not None:
            middle = (self._left + position) // 2
            stop = self._left + self._post
            if stop > start:
                start, stop = max(start, middle), min(stop, middle)
            curves.append(self._curve(stop))
        self._entered, self._start = position, start
        return curves

    def _leave(self, position: int) -> None:
        assert self._entered is not None
        if position - self._entered >= SHORTEST:
            self._left = position
        self._entered = None

    def _stuck(self) -> None:
        """In contact for longer than a curve can be: it is a new baseline."""
        self._warnings.append(
            f"the contact at {self._bins.sample(self._start) / self._rate:.3f} s does not end "
            "within `longest`, and was dropped"
        )
        self._entered = None
        self._state[scanning.INSIDE], self._state[scanning.BASELINE] = 0.0, nan

    def _curve(self, stop: int, *, complete: bool = True) -> Curve:
        bins, start = self._bins, max(self._start, 0)
        a, b = cuts(-bins.of("deflection", start, stop))
        self._left = self._entered = None
        width = bins.width
        end = bins.samples if stop == bins.stop and not complete else stop * width
        if self._start < 0 or not complete:
            complete = False
            self._warnings.append(
                f"the curve at {start * width / self._rate:.3f} s is cut by the recording's "
                f"{'begin' if self._start < 0 else 'end'}"
            )
        at = (start * width, (start + a) * width, (start + b) * width, end)
        return made(bins, *at, complete)
