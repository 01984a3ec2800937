"""A stream of samples cut into force curves, while it is recorded and afterwards.

The curves are the same however the stream comes in blocks, and what is kept in memory is bounded:
means of bins (0.5 ms by default), no further back than the longest curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nrm_daq.config import DaqConfig, Split
from nrm_daq.ramps import (
    Curve,
    RampFinder,
    RampsByDeflection,
    RampsByHeight,
    RampsByMarker,
    Segment,
)
from nrm_daq.recording import RecordingContents
from nrm_daq.sample_stream import Bins
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput, NrmError

__all__ = ["Curve", "Segment", "Splitter", "segmented", "splitter_for"]

By = Literal["height", "deflection", "marker"]

#: TTL levels in V between which a marker keeps its state.
TTL_LOW, TTL_HIGH = 0.8, 2.0


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
        most = round(longest * rate / width)
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


#: Channels that curves are found by, or that are shown.
USED = ("height", "deflection", "marker", "potential")


def splitter_for(rate: float, split: Split, channels: Mapping[str, Any]) -> Splitter | None:
    """Return what finds the ramps, None where nothing recorded tells them apart."""
    by: By | None = None
    if split.by != "auto":
        by = split.by
    elif "marker" in channels:
        by = "marker"
    elif "height" in channels:
        by = "height"
    elif "deflection" in channels and split.threshold is not None:
        by = "deflection"
    if by is None:
        return None
    names = {
        "height": ("travel",),
        "deflection": ("threshold", "pre", "post"),
        "marker": ("threshold", "pulses"),
    }[by]
    options: dict[str, Any] = {name: getattr(split, name) for name in names}
    return Splitter(rate, by, longest=split.longest, **options)


def in_units(channels: list[dict[str, Any]], volts: NDArray[np.float32]) -> dict[str, FloatArray]:
    """Values of the channels of a block that ramps are found by or that are shown, in SI."""
    return {
        c["name"]: c["gain"] * volts[i].astype(np.float64) + c["offset"]
        for i, c in enumerate(channels)
        if c["name"] in USED
    }


@dataclass(frozen=True)
class Segmentation:
    """The force curves of a whole recording.

    Attributes
    ----------
    curves : list of Curve
    warnings : list of str
    clipped : dict
        For channels that reach the end of their range, in how many blocks.
    """

    curves: list[Curve]
    warnings: list[str]
    clipped: dict[str, int]


def segmented(recorded: RecordingContents, config: DaqConfig) -> Segmentation:
    """Go through all samples of a recording, block by block."""
    described = recorded.header["channels"]
    limits = range_limits(described)
    reached = np.zeros(len(described), np.int64)
    curves: list[Curve] = []
    warnings: list[str] = []
    splitter = splitter_for(float(recorded.header["setup"]["rate"]), config.split, config.channels)
    if splitter is None:
        warnings.append(
            "no recorded channel shows where ramps begin and end, so the recording is not cut into "
            "curves: record the z sensor or a marker, or give split threshold, pre and post for "
            "the deflection"
        )
    for volts in recorded.blocks():
        reached += np.abs(volts).max(axis=1) > limits
        if splitter is not None:
            try:
                curves += splitter.push(in_units(described, volts))
            except NrmError as error:
                warnings.append(f"the search for curves ended after {len(curves)} of them: {error}")
                splitter = None
    if splitter is not None:
        curves += splitter.finish()
        warnings += splitter.warnings
    clipped = {one["name"]: int(n) for one, n in zip(described, reached, strict=True) if n}
    return Segmentation(curves, warnings, clipped)


def range_limits(described: list[dict[str, Any]]) -> FloatArray:
    """Volts at which each channel reaches the end of its range."""
    return np.array([one["range"] for one in described]) * (1.0 - 1e-3)
