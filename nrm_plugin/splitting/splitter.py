"""A stream of samples cut into force curves, while it is recorded and afterwards.

The curves are the same however the stream comes in blocks, and what is kept in memory is bounded:
means of bins (0.5 ms by default), no further back than the longest curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Literal

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.splitting.ramps import (
    Curve,
    RampFinder,
    RampsByDeflection,
    RampsByHeight,
    RampsByMarker,
)
from nrm_plugin.splitting.sample_stream import Bins

By = Literal["height", "deflection", "marker"]

#: TTL levels in V between which a marker keeps its state.
TTL_LOW, TTL_HIGH = 0.8, 2.0

#: Bins of the longest curve, whatever the rate: no recording has as many.
_MOST_BINS = 2**53


class Splitter:
    """Find the force curves of a stream.

    Parameters
    ----------
    rate : float
        Samples per second.
    by : str
        ``height``: a curve is a fall of the z sensor's height and the rise that follows; what z
        does in between (a hold, steps to the next place) belongs to no curve if it is at the top,
        and is a hold segment if it is at the surface.
        ``deflection``, where there is no z: a curve reaches from `pre` s before the deflection
        rises to `post` s after it is back. Neighbours that would overlap share the gap.
        ``marker``: a curve lasts as long as the channel ``marker`` is high.
    travel : float
        For height: a ramp moves at least this far, in m. Must be far above the noise of the
        sensor, and below the length of the ramps.
    threshold : float, optional
        For deflection (needed): what the deflection rises above its baseline in contact, in its
        own unit. For a marker: the level that is high; TTL levels unless given.
    pre, post : float, optional
        For deflection (needed): in s.
    pulses : bool
        For a marker: each rise begins a curve that lasts to the next one.
    resolution : float
        Length of a bin in s. Turning points are found to a fraction of it.
    longest : float
        Time in s. What takes longer to turn is no curve.

    Attributes
    ----------
    warnings : list of str
        What was dropped or is incomplete, and why.

    Raises
    ------
    InvalidInput
        For parameters that are not above 0, and combinations that cannot work.
    """

    def __init__(
        self,
        rate: float,
        by: By = "height",
        *,
        travel: float = 50e-9,
        threshold: float | None = None,
        pre: float | None = None,
        post: float | None = None,
        pulses: bool = False,
        resolution: float = 0.5e-3,
        longest: float = 120.0,
    ) -> None:
        _positive(rate=rate, travel=travel, resolution=resolution, longest=longest)
        self.rate, self.by, self.warnings = float(rate), by, list[str]()
        self._finished = False
        width = max(1, round(rate * resolution))
        most = round(min(longest * rate / width, _MOST_BINS))
        if most < 100:
            raise InvalidInput(f"a curve of {longest:g} s cannot be found with bins this long")
        self._bins = Bins(width, most)
        self._finder: RampFinder
        if by == "height":
            self._finder = RampsByHeight(self._bins, self.warnings, rate, travel)
        elif by == "deflection":
            if threshold is None or pre is None or post is None:
                raise InvalidInput("splitting by deflection needs threshold, pre and post")
            _positive(threshold=threshold, pre=pre, post=post)
            self._finder = RampsByDeflection(self._bins, self.warnings, rate, threshold, pre, post)
        elif by == "marker":
            high, low = TTL_HIGH, TTL_LOW
            if threshold is not None:
                _positive(threshold=threshold)
                high, low = threshold, TTL_LOW / TTL_HIGH * threshold
            self._finder = RampsByMarker(self._bins, self.warnings, rate, high, low, pulses)
        else:
            raise InvalidInput(f"curves are found by height, deflection or marker, not {by!r}")

    @property
    def samples(self) -> int:
        """How many samples have come."""
        return self._bins.samples

    def push(self, block: Mapping[str, FloatArray]) -> list[Curve]:
        """Take the next samples; return the curves that they complete, in order of time.

        Parameters
        ----------
        block : mapping of str to (n,) arrays
            The channels height (m), deflection, potential (V) and marker, as far as there are.
            Others are not looked at.

        Raises
        ------
        InvalidInput
            If the channel that curves are found by is missing, or channels differ in length, come
            and go, or hold something that is no finite number.
        """
        if self._finished:
            raise InvalidInput("the stream was finished: a new one needs a new Splitter")
        if self.by not in block:
            raise InvalidInput(
                f"there is no channel {self.by} to find curves by; the channels are: "
                f"{', '.join(block) or 'none'}"
            )
        names = [name for name in self._finder.uses if name in block]
        channels = {name: np.asarray(block[name], np.float64) for name in names}
        shape = channels[self.by].shape
        for name, values in channels.items():
            if values.ndim != 1 or values.shape != shape:
                raise InvalidInput(f"{name} has the shape {values.shape}, {self.by} has {shape}")
            if not np.isfinite(values).all():
                at = self.samples + int(np.argmin(np.isfinite(values)))
                raise InvalidInput(f"{name} is not a finite number at sample {at}")
        return self._finder.feed(channels) if len(channels[self.by]) else []

    def over(self) -> Curve | None:
        """Return a curve that is over and that `push` returns only when the next one begins.

        It is for those who look while samples come: `push` returns it nevertheless, with an end
        that may differ by milliseconds, or by more where what seemed to be the end was a pause.
        """
        return None if self._finished else self._finder.over()

    def finish(self) -> list[Curve]:
        """End the stream; return what is left, with the curve that it cuts marked incomplete."""
        if self._finished:
            return []
        self._finished = True
        return self._finder.end()


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (isfinite(value) and value > 0.0):
            raise InvalidInput(f"{name} must be above 0, not {value}")
