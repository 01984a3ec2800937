"""Force curves in a stream: by its height, by its deflection, or by a marker.

Each of the three takes samples and returns the curves that they complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, inf, nan
from typing import Protocol

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray
from nrm_plugin.kernels import ENTERED, FALLING, LEFT, LIMIT, NOTHING, RISING
from nrm_plugin.splitting.sample_stream import Bins
from nrm_plugin.splitting.turning_points import Corner, corner, cuts
from nrm_plugin.vocabulary import SegmentKind

#: Noise of the height above which a warning is given, as a part of the travel that makes a ramp.
NOISY = 1.0 / 12.0
#: A contact ends where the deflection is back below this part of the threshold.
RELEASE = 0.5
#: Time in s in which the baseline of the deflection can move by the threshold.
SETTLE = 2.0
#: Bins that a contact lasts at least; shorter ones are glitches. A marked curve with fewer bins is
#: not cut into segments.
SHORTEST = 3
#: Time in s that the height rests before a curve that waits for the next is taken to be over.
REST = 0.02
#: No limit: later than any position.
NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a curve: samples from `start` to before `stop`, relative to the curve."""

    kind: SegmentKind
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A force curve found in the stream.

    Attributes
    ----------
    start, stop : int
        Its first sample and the one after its last, counted from the stream's first.
    segments : tuple of Segment
        In order of time, without gaps.
    complete : bool
        False where the recording began or ended within the curve.
    potential : float
        Mean of the electrode potential over the curve in V; nan without that channel.
    """

    start: int
    stop: int
    segments: tuple[Segment, ...]
    complete: bool = True
    potential: float = nan


class RampFinder(Protocol):
    """Something that finds curves; `uses` names the channels that it looks at."""

    uses: tuple[str, ...]

    def feed(self, channels: Mapping[str, FloatArray]) -> list[Curve]:
        """Take samples, at least one; return finished curves."""

    def over(self) -> Curve | None:
        """Return the curve that is over and only waits for the next; nothing changes by it."""

    def end(self) -> list[Curve]:
        """Return what is left."""


def curve_of(bins: Bins, begin: int, a: int, b: int, end: int, complete: bool) -> Curve:
    """A curve whose approach ends before sample `a` and whose retract begins at `b`."""
    parts: tuple[tuple[SegmentKind, int, int], ...] = (
        ("approach", begin, a),
        ("hold", a, b),
        ("retract", b, end),
    )
    segments = tuple(Segment(k, i - begin, j - begin) for k, i, j in parts if j > i)
    return Curve(
        start=begin,
        stop=end,
        segments=segments,
        complete=complete,
        potential=potential(bins, begin, end),
    )


def potential(bins: Bins, begin: int, end: int) -> float:
    """Mean potential of the bins that lie mostly in a curve; nan without that channel."""
    if "potential" not in bins:
        return nan
    first, last = round(begin / bins.width), round(end / bins.width)
    values = bins.of("potential", first, last)
    return float(values.mean()) if len(values) else nan


class RampsByHeight:
    """Curves by height: a fall by at least `travel` and the rise after it."""

    uses: tuple[str, ...] = ("height", "potential")

    def __init__(self, bins: Bins, warnings: list[str], rate: float, travel: float) -> None:
        self._bins, self._warnings, self._rate, self._travel = bins, warnings, rate, travel
        self._at = self._begin = self._keep = 0
        self._state = kernels.record(
            kernels.TURN_STATE, direction=0.0, low=inf, low_at=0.0, high=-inf, high_at=0.0
        )
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
            event, self._at = kernels.next_turn(
                heights, bins.first, self._at, limit, self._travel, self._state
            )
            if event == NOTHING:
                break
            if event == FALLING:
                curves += self._top()
            elif event == RISING:
                self._low()
            elif event == LIMIT:
                curves += self._overlong()
        bins.forget(self._keep)
        return curves

    def over(self) -> Curve | None:
        """Return the curve whose retract has come to rest, as it would be if nothing followed."""
        if self._bottom is None or self._fall is None:
            return None
        begin, extreme = self._begin, int(self._state["high_at"])
        y = -self._bins.of("height", begin, self._bins.stop)
        stop = corner(y, extreme - begin, after=False).stop
        rest = REST * self._rate / self._bins.width
        if stop is None or begin + stop + rest > self._bins.stop:
            return None
        sample = self._bins.sample
        start, a, b, end = (sample(x) for x in (self._fall, *self._bottom, begin + stop))
        return curve_of(self._bins, start, a, b, max(b, end), self._fall_seen)

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
            curves.append(self._curve_of(self._bins.sample(self._fall), turn, end, end, False))
            self._warn(self._fall, "ended before the retract")
        elif not self._found:
            self._warnings.append(
                f"no ramp of {1e9 * self._travel:g} nm or more was found in "
                f"{self._bins.samples / self._rate:.4g} s: check the channel height, its scale and "
                "travel"
            )
        return curves

    def _corner(self, sign: float, stop: int, *, before: bool = True, after: bool = True) -> Corner:
        """Corner at the lowest (sign 1) or highest (-1) place since the turn before."""
        extreme = int(self._state["low_at" if sign > 0 else "high_at"])
        begin = self._begin
        y = sign * self._bins.of("height", begin, stop)
        turn = corner(y, extreme - begin, before=before, after=after)
        if turn.noise > NOISY * self._travel and not self._noisy:
            self._noisy = True
            self._warnings.append(
                f"the height's noise of {1e9 * turn.noise:.2g} nm is large against travel "
                f"({1e9 * self._travel:g} nm): give a larger travel"
            )
        self._begin = extreme
        return Corner(
            None if turn.stop is None else begin + turn.stop,
            None if turn.start is None else begin + turn.start,
            turn.noise,
        )

    def _top(self) -> list[Curve]:
        """A fall has begun: finish the curve before."""
        begin = self._begin
        turn = self._corner(-1.0, self._at, before=self._rises)
        curves = []
        stop = begin - 0.5
        if self._bottom is not None:
            stop = self._begin if turn.stop is None else turn.stop
            curves.append(self._curve(stop))
        elif self._rises:
            self._warn(begin, "is a retract without an approach, and was dropped")
        self._fall_seen = turn.start is not None
        self._fall = stop if turn.start is None else turn.start  # no sample is in two curves
        self._bottom, self._rises = None, False
        self._begin = self._keep = max(begin, floor(self._fall))
        return curves

    def _low(self) -> None:
        """A rise has begun."""
        turn = self._corner(1.0, self._at, before=self._fall is not None)
        self._rises = True
        if self._fall is None:
            self._keep = self._begin
            return
        stop = self._begin if turn.stop is None else turn.stop
        self._bottom = stop, max(stop, self._begin if turn.start is None else turn.start)

    def _overlong(self) -> list[Curve]:
        """Nothing has turned for the time of the longest curve."""
        curves: list[Curve] = []
        if self._bottom is not None:
            turn = self._corner(-1.0, self._at, after=False)
            if turn.stop is None:
                self._warn(self._fall, "takes longer than `longest`, and was dropped")
            else:
                curves.append(self._curve(turn.stop))
        elif self._fall is not None:
            self._warn(self._fall, "does not turn within `longest`, and was dropped")
            self._state[...] = 0.0, inf, self._at, -inf, self._at
        self._fall = self._bottom = None
        self._rises = False
        falling = self._state["low"] == inf
        self._begin = self._keep = self._at if falling else self._at - self._bins.most // 2
        if not falling:
            kept = self._bins.of("height", self._keep, self._at)
            low, high = int(np.argmin(kept)), int(np.argmax(kept))
            self._state["low"], self._state["low_at"] = kept[low], self._keep + low
            self._state["high"], self._state["high_at"] = kept[high], self._keep + high
        return curves

    def _curve(self, stop: float | None) -> Curve:
        """The curve whose bottom is known; without `stop` the stream ends in it."""
        assert self._fall is not None
        assert self._bottom is not None
        sample = self._bins.sample
        begin, a, b = (sample(x) for x in (self._fall, *self._bottom))
        if not self._fall_seen:
            self._warn(self._fall, "has an approach whose begin is missing")
        if stop is None:
            self._warn(self._fall, "was not over at the end of the recording")
        end = self._bins.samples if stop is None else sample(stop)
        return self._curve_of(begin, a, b, max(b, end), self._fall_seen and stop is not None)

    def _curve_of(self, begin: int, a: int, b: int, end: int, complete: bool) -> Curve:
        self._found = True
        return curve_of(self._bins, begin, a, b, end, complete)

    def _warn(self, position: float | None, what: str) -> None:
        seconds = 0.0 if position is None else self._bins.sample(position) / self._rate
        self._warnings.append(f"the curve at {seconds:.3f} s {what}")


class RampsByDeflection:
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
        self._state = kernels.record(
            kernels.CONTACT_STATE, inside=0.0, baseline=nan, seen=0.0, below=0.0, dropped=0.0
        )
        self._at = self._start = 0
        self._entered: int | None = None
        self._left: int | None = None

    def feed(self, channels: Mapping[str, FloatArray]) -> list[Curve]:
        """Take samples; return finished curves."""
        bins, curves = self._bins, list[Curve]()
        bins.add(channels)
        while True:
            event, self._at = kernels.next_contact(
                bins.of("deflection"),
                bins.first,
                self._at,
                self._limit(),
                self._threshold,
                RELEASE * self._threshold,
                self._settle,
                self._state,
            )
            if event == NOTHING:
                break
            position = self._at - 1
            if event == ENTERED:
                curves += self._enter(position)
            elif event == LEFT:
                self._leave(position)
            elif self._left is not None:
                curves.append(self._curve(self._left + self._post))
            else:
                self._stuck()
        if self._state["dropped"] == 1.0:
            self._state["dropped"] = 2.0
            self._warnings.append("the recording began in contact: what was cut was dropped")
        waiting = self._entered is None and self._left is None
        bins.forget(self._at - self._pre if waiting else self._start)
        return curves

    def over(self) -> Curve | None:
        """Return the curve whose time behind the contact has passed."""
        if self._left is None or self._left + self._post > self._bins.stop:
            return None
        return self._cut(self._left + self._post, complete=self._start >= 0)

    def end(self) -> list[Curve]:
        """Return the curve that the end of the stream cuts, or that only waits."""
        last = self._bins.stop
        if self._left is not None:
            stop = self._left + self._post
            return [self._curve(min(stop, last), complete=stop <= last)]
        if self._entered is not None:
            return [self._curve(last, complete=False)]
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
        self._state["inside"], self._state["baseline"] = 0.0, nan

    def _curve(self, stop: int, *, complete: bool = True) -> Curve:
        self._left = self._entered = None
        if self._start < 0 or not complete:
            complete = False
            start = max(self._start, 0) * self._bins.width
            self._warnings.append(
                f"the curve at {start / self._rate:.3f} s is cut by the recording's "
                f"{'begin' if self._start < 0 else 'end'}"
            )
        return self._cut(stop, complete=complete)

    def _cut(self, stop: int, *, complete: bool) -> Curve:
        bins, start = self._bins, max(self._start, 0)
        width = bins.width
        a, b = cuts(-bins.of("deflection", start, stop))
        end = bins.samples if stop == bins.stop and not complete else stop * width
        at = (start * width, (start + a) * width, (start + b) * width, end)
        return curve_of(bins, *at, complete)


class RampsByMarker:
    """Curves by a marker: as long as it is high, or from each rise to the next."""

    uses: tuple[str, ...] = ("marker", "height", "deflection", "potential")

    def __init__(
        self,
        bins: Bins,
        warnings: list[str],
        rate: float,
        high: float,
        low: float,
        pulses: bool,
    ) -> None:
        self._bins, self._warnings, self._rate = bins, warnings, rate
        self._high, self._low, self._pulses = high, low, pulses
        self._state = np.array([nan])
        self._start: int | None = None
        self._began = False

    def feed(self, channels: Mapping[str, FloatArray]) -> list[Curve]:
        """Take samples; return finished curves."""
        bins, marker, curves = self._bins, channels["marker"], list[Curve]()
        begin, at = bins.samples, 0
        bins.add(channels)
        while True:
            event, at = kernels.next_edge(marker, at, self._high, self._low, self._state)
            if event == NOTHING:
                break
            sample = begin + at - 1
            if self._start is not None and event == (ENTERED if self._pulses else LEFT):
                curves += self._curve(sample)
            if event == ENTERED:
                self._start, self._began = sample, sample == 0
        start = bins.samples if self._start is None else self._start
        bins.forget(max(start // bins.width, bins.stop - bins.most))
        return curves

    def over(self) -> Curve | None:
        """Nothing waits: the marker says at once that a curve is over."""
        return None

    def end(self) -> list[Curve]:
        """Return the curve that the end of the stream cuts."""
        if self._start is None:
            return []
        return self._curve(self._bins.samples, cut=True)

    def _curve(self, stop: int, *, cut: bool = False) -> list[Curve]:
        assert self._start is not None
        bins, start = self._bins, self._start
        self._start = None
        where = f"the marked curve at {start / self._rate:.3f} s"
        if stop - start > bins.most * bins.width:
            self._warnings.append(f"{where} is longer than `longest`, and was dropped")
            return []
        if cut or self._began:
            side = "begin" if self._began else "end"
            self._warnings.append(f"{where} is cut by the recording's {side}")
        complete = not (cut or self._began)
        name = next((name for name in ("height", "deflection") if name in bins), None)
        first, last = -(-start // bins.width), stop // bins.width
        if name is None or last - first < SHORTEST:
            whole = (Segment("other", 0, stop - start),)
            return [
                Curve(
                    start=start,
                    stop=stop,
                    segments=whole,
                    complete=complete,
                    potential=potential(bins, start, stop),
                )
            ]
        sign = 1.0 if name == "height" else -1.0
        a, b = (first + cut for cut in cuts(sign * bins.of(name, first, last)))
        a, b = (start if x == first else stop if x == last else x * bins.width for x in (a, b))
        return [curve_of(bins, start, a, b, stop, complete)]
