"""What is found in a stream: curves, their segments and potential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Protocol

from nrm_daq.bins import Bins
from nrm_plugin.columns import FloatArray
from nrm_plugin.vocabulary import SegmentKind


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a curve: samples from `start` to before `stop`, relative to the curve."""

    kind: SegmentKind
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
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


class Finder(Protocol):
    """Something that finds curves; `uses` names the channels that it looks at."""

    uses: tuple[str, ...]

    def feed(self, channels: Mapping[str, FloatArray]) -> list[Curve]:
        """Take samples, at least one; return finished curves."""

    def end(self) -> list[Curve]:
        """Return what is left."""


def made(bins: Bins, begin: int, a: int, b: int, end: int, complete: bool) -> Curve:
    """A curve whose approach ends before sample `a` and whose retract begins at `b`."""
    parts: tuple[tuple[SegmentKind, int, int], ...] = (
        ("approach", begin, a),
        ("hold", a, b),
        ("retract", b, end),
    )
    segments = tuple(Segment(k, i - begin, j - begin) for k, i, j in parts if j > i)
    return Curve(begin, end, segments, complete, potential(bins, begin, end))


def potential(bins: Bins, begin: int, end: int) -> float:
    """Mean potential of the bins that lie mostly in a curve; nan without that channel."""
    if "potential" not in bins:
        return nan
    first, last = round(begin / bins.width), round(end / bins.width)
    values = bins.of("potential", first, last)
    return float(values.mean()) if len(values) else nan
