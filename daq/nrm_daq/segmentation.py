"""The force curves of a recording: what tells them apart, and the whole recording gone through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nrm_daq.config import DaqConfig, Split
from nrm_daq.recording import RecordingContents
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import NrmError
from nrm_plugin.splitting import By, Curve, Splitter

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
    with np.errstate(invalid="ignore"):  # a damaged recording may hold nan of another kind
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
    """Volts at which each channel reaches the end of its range, if it has one."""
    return np.array([one["range"] or np.inf for one in described]) * (1.0 - 1e-3)
