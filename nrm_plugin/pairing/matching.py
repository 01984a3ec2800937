"""Which curves the other recorder saw too, how sure that is, and by which clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.pairing.deflection_peaks import STEPS, Peaks, peaks_of_curves, peaks_of_stream
from nrm_plugin.pairing.pair_paths import (
    JUMP,
    MOST,
    Intervals,
    Path,
    Table,
    best_path,
    evidence_beside,
    most_evidence,
)
from nrm_plugin.pairing.stream import Clock, Stream, clock_of, stream_of

#: Independent parts of a shape that are compared.
PARTS = 6
#: Evidence by which a pair must beat every other for its curve and its peak.
SURE = 7.0
#: Evidence of a path must be so many times what curves in reversed order give.
BEYOND_CHANCE = 3.0
#: Evidence of a quite different order may be such a part of the best.
UNIQUE = 0.5
#: Rounds in which errors are estimated from the pairs of the round before.
ROUNDS = 3
#: Least evidence that one part of a shape gives: odd things happen to a ramp.
LEAST = -4.0
#: Evidence of a wait that is not like the others, where no start times tell it; and where the
#: microscope did something in it.
UNTOLD, UNTOLD_BESIDE = -5.0, -1.0


@dataclass(frozen=True, kw_only=True)
class Match:
    """Pairs of a curve and a peak in the stream.

    Attributes
    ----------
    curve : (pair,) array of int
        Number of the microscope's curve.
    begin : (pair,) array
        Time in s by the board's clock at which the curve's first sample was taken, to a fraction
        of a step.
    margin : (pair,) array
        Evidence (natural logarithm) by which it beats the next best.
    stretch : (pair,) array of int
        Of undisturbed order.
    height : float
        Of a usual peak, in the board's unit.
    unpaired : dict of int to str
        Curves without a pair, and why.
    evidence, chance : float
        Of the whole, and of the same curves in reversed order.
    """

    curve: IntArray
    begin: FloatArray
    margin: FloatArray
    stretch: IntArray
    height: float
    unpaired: dict[int, str]
    evidence: float
    chance: float


def match(curves: CurveSet, board: CurveSet) -> tuple[Match, Clock]:
    """Find the curves in a recording by the shape and the order of their deflection.

    Raises
    ------
    InvalidInput
        If they cannot be told to belong together; with what speaks against it.
    """
    for name, one in (("microscope's file", curves), ("recording", board)):
        if "deflection" not in one.channels:
            raise InvalidInput(f"the {name} has no deflection, by which curves could be paired")
    if "time" not in curves.channels:
        raise InvalidInput(
            "the microscope's curves have no time channel, so their samples have no moments to be "
            "looked for in the recording"
        )
    mine, duration = peaks_of_curves(curves)
    if len(mine) < 3:
        raise InvalidInput(
            f"{len(mine)} of {curves.n_curves} curves press against a surface: nothing to pair by"
        )
    clock = clock_of(board)
    usual = float(np.median(mine.width))
    period = float(np.nanmedian(duration))
    stream = stream_of(board, clock, usual / STEPS)
    if stream.step > 4.0 * usual / STEPS:
        raise InvalidInput(
            f"the recording has a sample every {1e3 * clock.interval:.3g} ms, too few for peaks of "
            f"{1e3 * usual:.3g} ms"
        )
    times, told = _moments(curves, mine, duration, known=clock.placed)
    found = []
    for sign in (1.0, -1.0):
        theirs = peaks_of_stream(stream, sign, usual, period)
        if len(theirs) >= 3:
            found.append((*_aligned(mine, theirs, times, told, stream), theirs, sign))
    if not found:
        raise InvalidInput(
            "the recording's deflection has no peaks like those of the microscope's curves "
            f"({1e3 * usual:.3g} ms wide): another channel, or another experiment"
        )
    path, gain, chance, beside, theirs, sign = max(found, key=lambda one: one[0].evidence)
    other = max((one[0].evidence for one in found if one[5] != sign), default=0.0)
    _check(path, chance, other, beside)
    sure = path.margin >= SURE
    unpaired = _reasons(curves, mine, duration, path, sure)
    first, second = path.first[sure], path.second[sure]
    return (
        Match(
            curve=mine.curve[first],
            begin=theirs.time[second] - mine.time[first],
            margin=path.margin[sure],
            stretch=path.stretch[sure],
            height=gain * float(np.median(mine.height)),
            unpaired=unpaired,
            evidence=path.evidence,
            chance=chance,
        ),
        clock,
    )


def _moments(
    curves: CurveSet, mine: Peaks, duration: FloatArray, *, known: bool
) -> tuple[FloatArray, float]:
    """Times of the peaks by the microscope's clock, and how well they are told (s).

    Without start times, or where those of the recording's rows are not known, the curves are laid
    one behind the other, and nan is returned: how long the microscope waited between them is
    learnt from the recording.
    """
    began = curves.curve_table["start_time"][mine.curve]
    before = np.concatenate([[0.0], np.cumsum(np.nan_to_num(duration))])[mine.curve]
    if np.isnat(began).any() or not known:
        return before + mine.time, np.nan
    start = (began - began[0]) / np.timedelta64(1, "s")
    if (np.diff(start) < 0.0).any() or not start[-1]:
        return before + mine.time, np.nan
    stated = curves.curve_table["start_time_uncertainty"][mine.curve]
    told = float(np.nanmedian(stated)) if np.isfinite(stated).any() else 0.0
    if np.all(start == np.round(start)):
        told = max(told, 1.0)
    if told < 0.2 * float(np.median(np.diff(start))):
        return start + mine.time, told
    # Times too coarse to tell neighbours apart tell where the microscope rested.
    waits = np.diff(start) - np.diff(before)
    usual = max(0.0, float(np.mean(waits[waits <= np.median(waits) + 1.5 * told])))
    rested = waits > usual + 2.0 * told
    waits = np.where(rested, waits, usual)
    return before + np.concatenate([[0.0], np.cumsum(waits)]) + mine.time, np.nan


def _aligned(
    mine: Peaks, theirs: Peaks, times: FloatArray, told: float, stream: Stream
) -> tuple[Path, float, float, float]:
    """Align with strict errors of the shapes, and if need be with lenient ones; return the better.

    Returns
    -------
    Path
    gain, chance, beside : float
        Stream's deflection per curves', the evidence of the curves in reversed order, and of the
        best path that has no pair with this one in common.
    """
    noise = float(
        np.hypot(mine.noise / np.median(mine.height), theirs.noise / np.median(theirs.height))
    )
    tried = []
    for start in (2.0 * noise, 6.0 * noise + 0.03):
        error = start * float(np.median(mine.height))
        tried.append(_rounds(mine, theirs, times, told, stream, error))
        if np.count_nonzero(tried[-1][0].margin >= SURE) > 0.8 * min(len(mine), len(theirs)):
            break
    path, gain, likeness, intervals = max(tried, key=lambda one: one[0].evidence)
    reversed_order = replace(intervals, first=-intervals.first[::-1])
    chance = most_evidence(likeness[::-1], reversed_order)
    return path, gain, chance, evidence_beside(likeness, intervals, path)


def _rounds(
    mine: Peaks, theirs: Peaks, times: FloatArray, told: float, stream: Stream, error: float
) -> tuple[Path, float, Table, Intervals]:
    """Align in a few rounds; each learns errors, gain and waits from the pairs before it."""
    gain = float(np.median(theirs.height) / np.median(mine.height))
    spacing = np.diff(theirs.time)
    spread = max(float(_spread(spacing)), 4.0 * stream.step)
    moments = times
    unknown = bool(np.isnan(told))
    if unknown:
        wait = max(0.0, float(np.median(spacing)) - float(np.median(np.diff(times))))
        moments = times + wait * np.arange(len(times))
    same = stream.step + (spread if unknown else 1.5 * told)
    errors, bias = np.full(PARTS, error), np.zeros(PARTS)
    before = -1
    for number in range(ROUNDS):
        intervals = Intervals(
            first=moments,
            second=theirs.time,
            same=same,
            other=1.5 * max(spread, same),
            least=UNTOLD if unknown else -JUMP,
            least_beside=UNTOLD_BESIDE if unknown else -JUMP,
        )
        likeness, parts = _likeness(mine, theirs, gain, errors, bias)
        path = best_path(likeness, intervals)
        sure = path.margin >= SURE
        pairs = int(np.count_nonzero(sure))
        if pairs < 5 or number == ROUNDS - 1 or pairs == before:
            break
        before = pairs
        first, second = path.first[sure], path.second[sure]
        gain *= float(np.median(theirs.height[second] / (gain * mine.height[first])))
        off = parts[0][first] - parts[1][second]
        bias[: off.shape[1]] += np.median(off, axis=0)
        errors = np.asarray(_spread(off, axis=0))
        joint = (np.diff(path.stretch[sure]) == 0) & (np.diff(first) == 1)
        off = (np.diff(theirs.time[second]) - np.diff(moments[first]))[joint]
        if len(off) >= 5:
            same = max(float(_spread(off)), 0.25 * stream.step)
            if unknown:
                moments = moments + float(np.median(off)) * np.arange(len(moments))
    return path, gain, likeness, intervals


def _spread(values: FloatArray, axis: int | None = None) -> FloatArray | float:
    """Standard deviation of most values, by the median deviation."""
    middle = np.median(values, axis=axis, keepdims=axis is not None)
    spread = 1.4826 * np.median(np.abs(values - middle), axis=axis)
    return spread if axis is not None else float(spread)


def _likeness(
    mine: Peaks, theirs: Peaks, gain: float, errors: FloatArray, bias: FloatArray
) -> tuple[Table, tuple[FloatArray, FloatArray]]:
    """Evidence of each pair by its shapes, and the parts of the shapes that are compared."""
    a, b = mine.shape, theirs.shape / gain
    middle = np.median(a, axis=0)
    a, b = a - middle, b - middle
    # What curves differ by most; broken-off ramps of the stream must not decide it.
    _, _, axes = np.linalg.svd(a - a.mean(axis=0), full_matrices=False)
    parts = min(PARTS, len(axes))
    a, b = a @ axes[:parts].T, b @ axes[:parts].T + bias[:parts]
    noise = float(np.hypot(mine.noise, theirs.noise / gain))
    errors = np.maximum(errors[:parts], 0.5 * noise)
    other = 1.4142 * np.maximum(np.asarray(_spread(a, axis=0)), errors)
    return kernels.peak_likeness(a, b, errors, other, LEAST, MOST), (a, b)


def _check(path: Path, chance: float, other: float, beside: float) -> None:
    """Refuse what may be chance, or has a second explanation.

    Raises
    ------
    InvalidInput
    """
    pairs = len(path.first)
    sure = int((path.margin >= SURE).sum())
    if path.evidence < BEYOND_CHANCE * max(chance, other) + 2.0 * SURE or pairs < 3:
        raise InvalidInput(
            "the recordings do not seem to be of one experiment: the best order of pairs has "
            f"evidence {path.evidence:.0f}, the curves in reversed order, which cannot be right, "
            f"have {max(chance, other):.0f}. Is it the file of another day, or another channel?"
        )
    if sure < 0.5 * pairs or beside > UNIQUE * path.evidence:
        raise InvalidInput(
            "the recording fits the curves in more than one place (two maps that look alike, or "
            f"curves without differences): the best order has evidence {path.evidence:.0f}, "
            f"another one {beside:.0f}, and {sure} of {pairs} pairs can be told from others. "
            "Give the part of the recording that belongs to them, or files with start times"
        )


def _reasons(
    curves: CurveSet, mine: Peaks, duration: FloatArray, path: Path, sure: NDArray[np.bool_]
) -> dict[int, str]:
    """Say why curves have no pair."""
    paired = set(mine.curve[path.first[sure]].tolist())
    doubtful = set(mine.curve[path.first[~sure]].tolist())
    peaked = set(mine.curve.tolist())
    lowest = min(paired, default=0)
    highest = max(paired, default=-1)
    out = {}
    for number in range(curves.n_curves):
        if number in paired:
            continue
        if not np.isfinite(duration[number]):
            why = "it has missing samples"
        elif number not in peaked:
            why = "it does not press against a surface, or from its first or to its last sample"
        elif number in doubtful:
            why = "more than one peak of the recording could be its own"
        elif number < lowest:
            why = "it was taken before the recording began"
        elif number > highest:
            why = "it was taken after the recording ended"
        else:
            why = "the recording has no peak like it between its neighbours"
        out[number] = why
    return out
