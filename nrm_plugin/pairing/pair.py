"""Two recordings paired, with what is known of it; and the two as one set of curves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import (
    AnyArray,
    FloatArray,
    IntArray,
    Rows,
    files_kept_open,
    scaled_copy,
)
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.pairing.matching import match
from nrm_plugin.pairing.stream import Clock
from nrm_plugin.pairing.timing import BoardReader, Timing, timed

#: A pair is dropped where more than this many times the usual is left between the two deflections,
#: (and this part of a peak), or where its gain is off by more than this part.
LEFT, SMALL, GAIN_OFF = 5.0, 5e-3, 0.1
#: Timing errors above this part of a sample are said.
COARSE = 0.5

#: Metadata that the recorder of the lateral signal knows best.
_OF_THE_LATERAL = ("lockin_", "dither_", "lateral_output")
#: Channels of the board that have a name of their own beside the microscope's.
_TWICE = ("deflection", "height", "time")


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """Which curves the board recorded, and when; arrays have one value per pair.

    Attributes
    ----------
    n_curves : int
        Of the microscope.
    curve : array of int
        Numbers of the paired curves, rising.
    begin, stderr : array
        Time of the curve's first sample since the board's first one, by the board's clock, and its
        standard error, in s.
    gain, offset, residual : array
        Board's deflection = gain x microscope's + offset, and the standard deviation of what is
        left, in the board's unit.
    margin : array
        Natural logarithm of how much likelier the pair is than any other of either side.
    stretch : array of int
        Of undisturbed order: a recorder was paused between two of them.
    unpaired : dict of int to str
        The other curves, and why each has no pair.
    clock_offset, clock_offset_stderr : float
        Board's clock minus the microscope's at the earliest pair, and how far the microscope's
        times may all be off, in s; nan where unknown.
    skew, skew_stderr : float
        By how much the board's clock runs faster, as a part of time; nan where unknown.
    clock_residual : array
        Begins minus the line of the two clocks, in s; nan where unknown.
    sample_interval : float
        Of the microscope, s.
    evidence, chance : float
        Evidence of the order, and of the curves in reversed order.
    clock : Clock
        Of the board.
    """

    n_curves: int
    curve: IntArray
    begin: FloatArray
    stderr: FloatArray
    gain: FloatArray
    offset: FloatArray
    residual: FloatArray
    margin: FloatArray
    stretch: IntArray
    unpaired: dict[int, str]
    clock_offset: float
    clock_offset_stderr: float
    skew: float
    skew_stderr: float
    clock_residual: FloatArray
    sample_interval: float
    evidence: float
    chance: float
    clock: Clock

    def sentences(self) -> list[str]:
        """What was found, for people."""
        return list(_sentences(self))

    def as_json(self) -> dict[str, Any]:
        """What was found, for programs; numbers in SI."""
        per_pair = ("curve", "begin", "stderr", "gain", "margin", "stretch")

        def number(value: float) -> float | None:
            return float(value) if np.isfinite(value) else None

        return {
            "n_curves": self.n_curves,
            "n_paired": len(self.curve),
            "clock_offset": number(self.clock_offset),
            "clock_offset_stderr": number(self.clock_offset_stderr),
            "skew": number(self.skew),
            "skew_stderr": number(self.skew_stderr),
            "gain": number(float(np.median(self.gain))),
            "polarity": -1 if np.median(self.gain) < 0.0 else 1,
            "timing_stderr": number(float(np.median(self.stderr))),
            "evidence": self.evidence,
            "evidence_by_chance": self.chance,
            "pairs": [
                {name: getattr(self, name)[i].item() for name in per_pair}
                for i in range(len(self.curve))
            ],
            "unpaired": [{"curve": n, "why": why} for n, why in self.unpaired.items()],
        }


def pair(board: CurveSet, microscope: CurveSet) -> Pairing:
    """Find the microscope's curves in the recording of another instrument.

    By the shape of the deflection and the order of the curves; clocks, gain, offset and polarity
    of the two deflections are found on the way.

    Raises
    ------
    InvalidInput
        If there is nothing to pair by, or the recordings cannot be told to belong together.
    """
    order = _order(microscope)
    in_time = microscope[order]
    found, clock = match(in_time, board)
    timing = timed(in_time, board, clock, found.curve, found.begin)
    duration = _durations(in_time, found.curve)
    interval = float(np.median(duration / in_time.row_size[found.curve]))
    good, why = _accepted(timing, board, clock, duration, SMALL * found.height)
    unpaired = found.unpaired | dict(zip(found.curve[~good].tolist(), why[~good], strict=True))
    if np.count_nonzero(good) < 3:
        raise InvalidInput(
            "fewer than three curves lie wholly in the recording: " + next(iter(unpaired.values()))
        )
    # From here on the curves are as they stand in the microscope's file again.
    rising = np.flatnonzero(good)[np.argsort(order[found.curve[good]])]
    kept = timing.chosen(rising)
    curve, stretch = order[found.curve[rising]], found.stretch[rising]
    clocks = _clocks(microscope, curve, stretch, kept.begin, clock)
    return Pairing(
        n_curves=microscope.n_curves,
        curve=curve,
        begin=kept.begin,
        stderr=kept.stderr,
        gain=kept.gain,
        offset=kept.offset,
        residual=kept.residual,
        margin=found.margin[rising],
        stretch=stretch,
        unpaired=dict(sorted((int(order[n]), reason) for n, reason in unpaired.items())),
        clock_offset=clocks.offset,
        clock_offset_stderr=clocks.offset_stderr,
        skew=clocks.skew,
        skew_stderr=clocks.skew_stderr,
        clock_residual=clocks.left,
        sample_interval=interval,
        evidence=found.evidence,
        chance=found.chance,
        clock=clock,
    )


def _order(microscope: CurveSet) -> IntArray:
    """Numbers of the curves in the order of time: a map may be stored line by line from below."""
    began = microscope.curve_table["start_time"]
    if np.isnat(began).any():
        return np.arange(microscope.n_curves)
    return np.argsort(began, kind="stable").astype(np.int64)


def _durations(curves: CurveSet, chosen: IntArray) -> FloatArray:
    """Time in s between a curve's first and last sample."""
    out = np.empty(len(chosen))
    for a in range(0, len(chosen), 256):
        part = chosen[a : a + 256]
        time = curves.read("time", part)
        ends = np.cumsum(curves.row_size[part])
        out[a : a + 256] = time[ends - 1] - time[ends - curves.row_size[part]]
    return out


def _accepted(
    timing: Timing, board: CurveSet, clock: Clock, duration: FloatArray, small: float
) -> tuple[NDArray[np.bool_], AnyArray]:
    """Which pairs hold on a closer look, and why not the others."""
    ends = clock.starts + board.row_size * clock.interval
    why = np.full(len(timing.begin), "", object)
    first = np.searchsorted(clock.starts, timing.begin + 0.5 * clock.interval, side="right") - 1
    last = np.searchsorted(clock.starts, timing.begin + duration, side="right") - 1
    inside = (first >= 0) & (timing.begin + duration <= ends[last] + 0.5 * clock.interval)
    inside &= clock.piece[np.maximum(first, 0)] == clock.piece[np.maximum(last, 0)]
    why[~inside] = "the recording holds only a part of it"
    usual = np.nanmedian(timing.gain)
    with np.errstate(invalid="ignore"):
        off = np.abs(timing.gain / usual - 1.0) > GAIN_OFF
        left = timing.residual > max(LEFT * float(np.nanmedian(timing.residual)), small)
    bad = inside & (off | left | ~np.isfinite(timing.stderr))
    why[bad] = "its deflection differs from the recording's"
    return inside & ~bad, why


@dataclass(frozen=True, kw_only=True)
class _TwoClocks:
    """The recording's clock against the microscope's; nan where the microscope tells no times."""

    offset: float
    offset_stderr: float
    skew: float
    skew_stderr: float
    left: FloatArray


def _clocks(
    microscope: CurveSet, curve: IntArray, stretch: IntArray, begin: FloatArray, clock: Clock
) -> _TwoClocks:
    """Lay a line through when the curves began by both clocks; a pause may shift it."""
    nothing = _TwoClocks(
        offset=np.nan,
        offset_stderr=np.nan,
        skew=np.nan,
        skew_stderr=np.nan,
        left=np.full(len(curve), np.nan),
    )
    began = microscope.curve_table["start_time"][curve]
    if np.isnat(began).any() or (began == began[0]).all() or not clock.placed:
        return nothing
    earliest = int(np.argmin(began))
    told = (began - began[earliest]) / np.timedelta64(1, "s")
    numbers, group = np.unique(stretch, return_inverse=True)
    design = np.zeros((len(told), len(numbers) + 1))
    design[np.arange(len(told)), group] = 1.0
    design[:, -1] = told
    weight = np.ones(len(told))
    late = begin - told
    for _ in range(8):  # whole seconds and single late starts must not turn the line
        found, *_ = np.linalg.lstsq(design * weight[:, None], late * weight, rcond=None)
        left = late - design @ found
        spread = max(1.4826 * float(np.median(np.abs(left))), 1e-9)
        weight = 1.0 / np.sqrt(1.0 + np.square(left / (2.0 * spread)))
    inverse = np.linalg.pinv((design * weight[:, None]).T @ (design * weight[:, None]))
    offset = np.nan
    if clock.first is not None:
        first = clock.first + np.timedelta64(
            round(1e6 * float(found[group[earliest]] + told[earliest])), "us"
        )
        offset = float((first - began[earliest]) / np.timedelta64(1, "s"))
    # What the microscope rounds away from every time is no scatter.
    stated = microscope.curve_table["start_time_uncertainty"][curve]
    common = float(np.nanmedian(stated)) if np.isfinite(stated).any() else np.nan
    return _TwoClocks(
        offset=offset,
        offset_stderr=common,
        skew=float(found[-1]),
        skew_stderr=spread * float(np.sqrt(inverse[-1, -1])),
        left=left,
    )


def _sentences(pairing: Pairing) -> Iterator[str]:
    n, paired = pairing.n_curves, len(pairing.curve)
    yield (
        f"{paired} of {n} curves are paired; evidence {pairing.evidence:.0f}, of the curves in "
        f"reversed order {pairing.chance:.0f}"
    )
    gain = float(np.median(pairing.gain))
    spread = float(1.4826 * np.median(np.abs(pairing.gain - gain)) / abs(gain))
    polarity = ", with the other polarity" if gain < 0.0 else ""
    yield (
        f"the recording's deflection is {abs(gain):.4g} times the microscope's{polarity} "
        f"(from curve to curve +-{100 * spread:.2g} %)"
    )
    error = float(np.median(pairing.stderr)) / pairing.sample_interval
    yield f"each curve is timed to {error:.2g} of the microscope's samples"
    if np.isfinite(pairing.clock_offset):
        error = pairing.clock_offset_stderr
        within = f"to {error:.2g} s" if np.isfinite(error) else "to an extent that it does not tell"
        apart = _duration(pairing.clock_offset)
        yield f"the recording's clock is {apart} the microscope's, {within}"
    if np.isfinite(pairing.skew):
        yield (
            f"the recording's clock runs {1e6 * pairing.skew:+.1f} +- "
            f"{1e6 * pairing.skew_stderr:.2g} ppm against the microscope's"
        )
    pauses = int(np.count_nonzero(np.diff(pairing.stretch)))
    if pauses:
        yield f"{pauses} pause{'s' * (pauses > 1)} of one of the recorders"
    reasons: dict[str, list[int]] = {}
    for number, why in pairing.unpaired.items():
        reasons.setdefault(why, []).append(number)
    for why, numbers in reasons.items():
        shown = ", ".join(map(str, numbers[:8])) + (" ..." if len(numbers) > 8 else "")
        one = len(numbers) == 1
        yield f"{len(numbers)} curve{'' if one else 's'} without a pair ({shown}): {why}"


def _duration(seconds: float) -> str:
    size = abs(seconds)
    hours, rest = divmod(size, 3600.0)
    minutes, rest = divmod(rest, 60.0)
    parts = [f"{hours:.0f} h"] * (hours > 0) + [f"{minutes:.0f} min"] * (size >= 60.0)
    return " ".join([*parts, f"{rest:.3f} s", "ahead of" if seconds > 0 else "behind"])


class PairedColumn:
    """A channel of the board at the moments of the microscope's samples.

    nan for curves without a pair. Each value is the mean over the microscope's time between
    samples, evenly about its moment, so that nothing is delayed.
    """

    dtype: np.dtype[Any] = np.dtype(np.float64)

    def __init__(self, board: CurveSet, name: str, microscope: CurveSet, pairing: Pairing) -> None:
        self._board, self._name = board, name
        self._microscope, self._pairing = microscope, pairing
        self.rows: Rows = microscope.rows
        self._pair = np.full(microscope.n_curves, -1)
        self._pair[pairing.curve] = np.arange(len(pairing.curve))

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        time = self._microscope.read("time", slice(first, stop))
        reader = BoardReader(self._board, self._pairing.clock)
        values = np.full(len(time), np.nan)
        origin = self.rows.start(first)
        with files_kept_open():
            for number in (first + np.flatnonzero(self._pair[first:stop] >= 0)).tolist():
                which = self._pair[number]
                part = slice(self.rows.start(number) - origin, self.rows.start(number + 1) - origin)
                own = time[part] - time[part.start]
                values[part] = reader.at(
                    self._name, self._pairing.begin[which] + own, self._pairing.sample_interval
                )
        scaled_copy(out, values, gain, offset)


def paired(board: CurveSet, microscope: CurveSet, pairing: Pairing) -> CurveSet:
    """The microscope's curves with the board's channels beside them, on the microscope's samples.

    Height, positions, images and what calibrates the deflection are the microscope's; lateral
    signals, potential and the lock-in's settings the board's. Both files are among the origins.
    """
    channels = dict(microscope.channels)
    warnings = [*microscope.warnings, *(f"board: {text}" for text in board.warnings)]
    for name, channel in board.channels.items():
        if name == "time":
            continue
        new = f"board_{name}" if name in _TWICE and name in channels else name
        if new in channels:
            channels[f"microscope_{new}"] = replace(channels[new], name=f"microscope_{new}")
        source = f"{channel.source or channel.original} of the other recorder, paired by shape"
        channels[new] = Channel(
            new,
            channel.unit,
            PairedColumn(board, name, microscope, pairing),
            1.0,
            0.0,
            original=channel.original or name,
            source=source,
        )
    metadata, sources = dict(microscope.metadata), dict(microscope.metadata_source)
    for key, value in board.metadata.items():
        ours = key.startswith(_OF_THE_LATERAL)
        if key in metadata and not ours:
            continue
        if key in metadata and metadata[key] != value:
            warnings.append(
                f"{key} is {value} by the recording and {metadata[key]} by the microscope's file; "
                "the recording's is taken"
            )
        metadata[key] = value
        sources[key] = board.metadata_source.get(key, "")
    return replace(
        microscope,
        channels=channels,
        metadata=metadata,
        metadata_source=sources,
        origins=(*microscope.origins, *board.origins),
        warnings=(*warnings, *pairing.sentences()),
    )
