"""Curves of a stream by its height."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, inf

import numpy as np

from nrm_daq import scanning
from nrm_daq.bins import Bins
from nrm_daq.finding import Curve, made
from nrm_daq.scanning import FALLING, LIMIT, NOTHING, RISING
from nrm_daq.turning import Corner, corner
from nrm_plugin.columns import FloatArray

#: Noise of the height that is warned of, as a part of the travel that makes a ramp.
NOISY = 1.0 / 12.0


class Ramps:
    """Curves by height: a fall by at least `travel` and the rise after it."""

    uses: tuple[str, ...] = ("height", "potential")

    def __init__(self, bins: Bins, warnings: list[str], rate: float, travel: float) -> None:
        self._bins, self._warnings, self._rate, self._travel = bins, warnings, rate, travel
        self._at = self._begin = self._keep = 0
        # Direction; lowest and highest value and where: see `scanning.next_turn`.
        self._state = np.array([0.0, inf, 0.0, -inf, 0.0])
        self._fall: float | None = None  # where it began; at the begin of what is known if unseen
        self._fall_seen = False
        self._bottom: tuple[float, float] | None = None
        self._rises = False
        self._found = self._noisy = False

    def feed(self, channels: Mapping[str, FloatArray]) -> list[Curve]:
        """Take samples; return finished curves."""
        bins, curves = self._bins, list[Curve]()
        bins.add(channels)
        while True:
            heights, limit = bins.of("height"), self._keep + bins.most
            met, self._at = scanning.next_turn(
                heights, bins.first, self._at, limit, self._travel, self._state
            )
            if met == NOTHING:
                break
            if met == FALLING:
                curves += self._top()
            elif met == RISING:
                self._low()
            elif met == LIMIT:
                curves += self._overlong()
        bins.forget(self._keep)
        return curves

    def end(self) -> list[Curve]:
        """Return the curve that the end of the stream cuts, or that only waits for the next."""
        curves: list[Curve] = []
        if self._bottom is not None:
            stop = self._corner(-1.0, self._bins.stop, after=False).stop
            curves.append(self._curve(stop))
        elif self._fall is not None:
            stop = self._corner(1.0, self._bins.stop, after=False).stop
            end = self._bins.samples
            turn = end if stop is None else self._bins.sample(stop)
            curves.append(self._made(self._bins.sample(self._fall), turn, end, end, False))
            self._say(self._fall, "ended before the retract")
        elif not self._found:
            self._warnings.append(
                f"no ramp of {1e9 * self._travel:g} nm or more was found in "
                f"{self._bins.samples / self._rate:.4g} s: check the channel height, its scale and "
                "travel"
            )
        return curves

    def _corner(self, sign: float, stop: int, *, before: bool = True, after: bool = True) -> Corner:
        """Corner at the lowest (sign 1) or highest (-1) place since the turn before."""
        extreme = int(self._state[scanning.LOW_AT if sign > 0 else scanning.HIGH_AT])
        begin = self._begin
        y = sign * self._bins.of("height", begin, stop)
        found = corner(y, extreme - begin, before=before, after=after)
        if found.noise > NOISY * self._travel and not self._noisy:
            self._noisy = True
            self._warnings.append(
                f"the height's noise of {1e9 * found.noise:.2g} nm is large against travel "
                f"({1e9 * self._travel:g} nm): give a larger travel"
            )
        self._begin = extreme
        return Corner(
            None if found.stop is None else begin + found.stop,
            None if found.start is None else begin + found.start,
            found.noise,
        )

    def _top(self) -> list[Curve]:
        """A fall has begun: finish the curve before."""
        begin = self._begin
        found = self._corner(-1.0, self._at, before=self._rises)
        curves = []
        if self._bottom is not None:
            stop = self._begin if found.stop is None else found.stop
            curves.append(self._curve(stop))
        elif self._rises:
            self._say(begin, "is a retract without an approach, and was dropped")
        self._fall_seen = found.start is not None
        self._fall = begin - 0.5 if found.start is None else found.start
        self._bottom, self._rises = None, False
        self._begin = self._keep = max(begin, floor(self._fall))
        return curves

    def _low(self) -> None:
        """A rise has begun."""
        found = self._corner(1.0, self._at, before=self._fall is not None)
        self._rises = True
        if self._fall is None:
            self._keep = self._begin
            return
        stop = self._begin if found.stop is None else found.stop
        self._bottom = stop, max(stop, self._begin if found.start is None else found.start)

    def _overlong(self) -> list[Curve]:
        """Nothing has turned for the time of the longest curve."""
        curves: list[Curve] = []
        if self._bottom is not None:
            found = self._corner(-1.0, self._at, after=False)
            if found.stop is None:
                self._say(self._fall, "takes longer than `longest`, and was dropped")
            else:
                curves.append(self._curve(found.stop))
        elif self._fall is not None:
            self._say(self._fall, "does not turn within `longest`, and was dropped")
            self._state[:] = 0.0, inf, self._at, -inf, self._at
        self._fall = self._bottom = None
        self._rises = False
        falling = self._state[scanning.LOW] == inf
        self._begin = self._keep = self._at if falling else self._at - self._bins.most // 2
        if not falling:
            kept = self._bins.of("height", self._keep, self._at)
            low, high = int(np.argmin(kept)), int(np.argmax(kept))
            self._state[1:] = kept[low], self._keep + low, kept[high], self._keep + high
        return curves

    def _curve(self, stop: float | None) -> Curve:
        """The curve whose bottom is known; without `stop` the stream ends in it."""
        assert self._fall is not None
        assert self._bottom is not None
        sample = self._bins.sample
        begin, a, b = (sample(x) for x in (self._fall, *self._bottom))
        if not self._fall_seen:
            self._say(self._fall, "has an approach whose begin is missing")
        if stop is None:
            self._say(self._fall, "was not over at the end of the recording")
        end = self._bins.samples if stop is None else sample(stop)
        return self._made(begin, a, b, max(b, end), self._fall_seen and stop is not None)

    def _made(self, begin: int, a: int, b: int, end: int, complete: bool) -> Curve:
        self._found = True
        return made(self._bins, begin, a, b, end, complete)

    def _say(self, position: float | None, what: str) -> None:
        seconds = 0.0 if position is None else self._bins.sample(position) / self._rate
        self._warnings.append(f"the curve at {seconds:.3f} s {what}")
