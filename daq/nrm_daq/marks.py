"""Curves of a stream by a marker, such as a TTL output of the microscope."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan

import numpy as np

from nrm_daq import scanning
from nrm_daq.bins import Bins
from nrm_daq.finding import Curve, Segment, made, potential
from nrm_daq.scanning import ENTERED, LEFT, NOTHING
from nrm_daq.turning import cuts
from nrm_plugin.columns import FloatArray

#: Bins that a curve has at least to be cut into segments.
SHORTEST = 3


class Marks:
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
            met, at = scanning.next_edge(marker, at, self._high, self._low, self._state)
            if met == NOTHING:
                break
            sample = begin + at - 1
            if self._start is not None and met == (ENTERED if self._pulses else LEFT):
                curves += self._curve(sample)
            if met == ENTERED:
                self._start, self._began = sample, sample == 0
        start = bins.samples if self._start is None else self._start
        bins.forget(max(start // bins.width, bins.stop - bins.most))
        return curves

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
            return [Curve(start, stop, whole, complete, potential(bins, start, stop))]
        sign = 1.0 if name == "height" else -1.0
        a, b = (first + cut for cut in cuts(sign * bins.of(name, first, last)))
        a, b = (start if x == first else stop if x == last else x * bins.width for x in (a, b))
        return [made(bins, start, a, b, stop, complete)]
