"""Levels of the curves' signals far from the surface: what an electrode's potential may move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

#: Channels whose level may step with the potential, in people's words.
_SIGNALS = {
    "deflection": "the deflection's offset",
    "lateral_in_phase": "the in-phase lateral level",
    "lateral_quadrature": "the out-of-phase lateral level",
    "lockin_output_x": "the level of X",
    "lockin_output_y": "the level of Y",
    "lateral": "the lateral offset",
}

#: Part of an approach, at its begin, that is far from the surface.
_FAR = 0.1

#: Fewer curves tell nothing.
FEWEST = 12


@dataclass(frozen=True, kw_only=True)
class CurveLevels:
    """Levels of signals, one a curve, in order of time.

    Attributes
    ----------
    first : datetime64
        When `time` is 0.
    time : (n,) array
        Middle of the stretch of each level in s.
    unsure : float
        How far the times may be off, s; 0 where nobody says.
    levels : dict of str to (n,) array
        By what they are called; those that vary.
    """

    first: np.datetime64
    time: FloatArray
    unsure: float
    levels: dict[str, FloatArray]


def curve_levels(curves: CurveSet) -> CurveLevels:
    """Return the levels of a recording's signals at the begin of every approach.

    Without approaches they are medians of whole rows.

    Raises
    ------
    InvalidInput
        If curves or start times are too few, or there is no signal.
    """
    names = [name for name in _SIGNALS if name in curves.channels]
    if not names:
        raise InvalidInput("the recording holds neither a potential nor a deflection or lateral")
    began = curves.curve_table["start_time"]
    first, stop = _stretches(curves)
    known = np.flatnonzero(~np.isnat(began) & (stop > first))
    if len(known) < FEWEST or len(np.unique(began[known])) < FEWEST:
        raise InvalidInput(
            f"no potential is recorded in it, and fewer than {FEWEST} of its curves have start "
            "times of their own: nothing in them can tell when the potential changed"
        )
    order = known[np.argsort(began[known], kind="stable")]
    levels = {_SIGNALS[name]: _levels(curves, name, first, stop)[order] for name in names}
    zero = began[order[0]]
    since = (began[order] - zero) / np.timedelta64(1, "s")
    unsure = curves.curve_table["start_time_uncertainty"][order]
    return CurveLevels(
        first=zero,
        time=since + _middles(curves, first, stop)[order],
        unsure=float(np.nanmedian(unsure)) if np.isfinite(unsure).any() else 0.0,
        levels={k: v for k, v in levels.items() if np.isfinite(v).all() and np.ptp(v) > 0.0},
    )


def _stretches(curves: CurveSet) -> tuple[IntArray, IntArray]:
    """First and last sample, in each curve, of what is far from the surface."""
    first, stop = np.zeros(curves.n_curves, np.int64), curves.row_size.astype(np.int64)
    segments = curves.segments
    approach = segments[segments["kind"] == "approach"][::-1]  # the first of a curve is kept
    begin, end = approach["start"].astype(np.int64), approach["stop"].astype(np.int64)
    first[approach["curve"]] = begin
    stop[approach["curve"]] = begin + np.maximum((_FAR * (end - begin)).astype(np.int64), 1)
    return first, stop


def _levels(curves: CurveSet, name: str, first: IntArray, stop: IntArray) -> FloatArray:
    out = np.full(curves.n_curves, np.nan)
    for a, b in curves.blocks():
        values = curves.read(name, slice(a, b))
        starts = np.cumsum(curves.row_size[a:b]) - curves.row_size[a:b]
        for number in range(a, b):
            at = int(starts[number - a])
            part = values[at + int(first[number]) : at + int(stop[number])]
            good = part[np.isfinite(part)]
            if len(good):
                out[number] = float(np.median(good))
    return out


def _middles(curves: CurveSet, first: IntArray, stop: IntArray) -> FloatArray:
    """Time since each curve's begin at the middle of its stretch, s."""
    out = np.zeros(curves.n_curves)
    if "time" not in curves.channels:
        return out
    for a, b in curves.blocks():
        time = curves.read("time", slice(a, b))
        starts = np.cumsum(curves.row_size[a:b]) - curves.row_size[a:b]
        middle = starts + (first[a:b] + stop[a:b] - 1) // 2
        filled = curves.row_size[a:b] > 0
        out[a:b][filled] = time[middle[filled]] - time[starts[filled]]
    return np.where(np.isfinite(out), out, 0.0)
