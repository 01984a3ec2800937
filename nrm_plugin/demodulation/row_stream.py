"""The rows of a recording on their way through the lock-in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.demodulation.demodulator import Demodulated
from nrm_plugin.demodulation.lock_in_plan import LockInPlan
from nrm_plugin.demodulation.signal_doubts import is_clipped
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

#: Where start times are fine enough to say whether a row goes on where the one before ended.
_TIMED = ("time_channel", "point_time", "given")


@dataclass(kw_only=True)
class StreamedRows:
    """What came out, flat, and what was seen on the way.

    Attributes
    ----------
    columns : dict of str to (m,) array
        Time in s, X and Y (peak) and the other channels.
    sizes : (n_rows,) array of int
        Values of each row.
    positions : (m,) array
        Where each value stands, in samples from the first of its row.
    deviation, mean_deviation : float
        Of the first tone's reference in Hz, the largest and the mean.
    line_amplitudes : (n_lines,) array
        Root mean square of each line's amplitude, peak.
    lost : int
        Values without reference.
    streams, too_short : int
        How often the filter began anew, and how often that was too short for it.
    clipped : dict of str to int
        Rows in which the signal, or the reference, is clipped.
    """

    columns: dict[str, FloatArray]
    sizes: IntArray
    positions: FloatArray
    deviation: float
    mean_deviation: float
    line_amplitudes: FloatArray
    lost: int
    streams: int
    too_short: int
    clipped: dict[str, int]


class RowStream:
    """The rows of a recording, read one after the other and demodulated.

    Parameters
    ----------
    curves : CurveSet
    plan : LockInPlan
    timed : bool
        Whether the times have to be those of the rate.

    Attributes
    ----------
    same : dict of str to str
        Channels that are filtered, each with the one that holds the same numbers.
    """

    def __init__(self, curves: CurveSet, plan: LockInPlan, *, timed: bool) -> None:
        self.curves, self.timed, self.plan = curves, timed, plan
        self.signal, self.reference = plan.settings.signal, plan.settings.reference
        self.rate, self.make, self.names = plan.rate, plan.demodulator, plan.names
        self.same: dict[str, str] = {}
        first: dict[tuple[int, float, float], str] = {}
        for name, channel in curves.channels.items():
            if name not in ("time", self.reference):
                key = (id(channel.column), channel.gain, channel.offset)
                self.same[name] = first.setdefault(key, name)
        self.filtered = list(dict.fromkeys(self.same.values()))

    def run(self) -> StreamedRows:
        """Read and demodulate everything."""
        goes_on = _goes_on(self.curves, self.rate)
        values: list[Demodulated] = []
        positions: list[FloatArray] = []
        times: list[FloatArray] = []
        sizes = np.zeros(self.curves.n_curves, np.int64)
        short = streams = 0
        clipped = {name: 0 for name in (self.signal, self.reference) if name}
        demodulator = self.make()
        begun: list[tuple[int, int, float]] = []  # row, its first sample, and the time of that
        for row, zero, own in self._rows():
            if not goes_on[row]:
                short += bool(begun) and demodulator.samples < demodulator.length
                demodulator, begun = self.make(), []
                streams += 1
            begun.append((row, demodulator.samples, zero))
            for name in clipped:
                clipped[name] += is_clipped(own[name])
            reference = own[self.reference] if self.reference else None
            others = {name: own[name] for name in self.filtered}
            made = demodulator.push(own[self.signal], reference, others)
            rows, starts, zeros = (np.array(part) for part in zip(*begun, strict=True))
            which = np.searchsorted(starts, made.position, "right") - 1
            values.append(made)
            positions.append(made.position - starts[which])
            times.append(zeros[which] + positions[-1] / self.rate)
            np.add.at(sizes, rows[which], 1)
            while len(begun) > 1 and begun[1][1] + demodulator.length < demodulator.samples:
                del begun[0]
        short += bool(begun) and demodulator.samples < demodulator.length
        deviation = np.concatenate([v.deviation for v in values] or [np.empty((0, 0))], axis=1)
        count = max(1, int(sizes.sum()))
        power = sum(np.sum(np.abs(v.lines) ** 2, axis=1) for v in values)
        columns = self._columns(values)
        mine = deviation[0][np.isfinite(deviation[0])] if len(deviation) else np.empty(0)
        return StreamedRows(
            columns={"time": np.concatenate(times or [np.empty(0)]), **columns},
            sizes=sizes,
            positions=np.concatenate(positions or [np.empty(0)]),
            deviation=float(np.abs(mine).max(initial=0.0)),
            mean_deviation=float(mine.mean()) if len(mine) else 0.0,
            line_amplitudes=np.sqrt(np.asarray(power) / count),
            lost=int(np.isnan(columns[self.names[0][0]]).sum()) if self.reference else 0,
            streams=streams,
            too_short=short,
            clipped=clipped,
        )

    def _columns(self, values: list[Demodulated]) -> dict[str, FloatArray]:
        """One channel after the other; what has been taken over is let go."""
        columns: dict[str, FloatArray] = {}
        for name in self.filtered:
            columns[name] = np.concatenate([v.others.pop(name) for v in values])
        for i, (x, y) in enumerate(self.names):
            columns[x] = np.concatenate([v.signal[i].real for v in values])
            columns[y] = np.concatenate([v.signal[i].imag for v in values])
        return columns

    def _rows(self) -> Iterator[tuple[int, float, dict[str, FloatArray]]]:
        """Number of each row, the time of its first sample, and its channels.

        Short rows are read together.
        """
        names = dict.fromkeys([*self.filtered, self.signal, self.reference])
        times = "time" in self.curves.channels
        for first, stop in self.curves.blocks():
            begin = self.curves.rows.start(first)
            values = {n: self.curves.read(n, slice(first, stop)) for n in names if n}
            time = self.curves.read("time", slice(first, stop)) if times else None
            for row in range(first, stop):
                ends = self.curves.rows.start(row), self.curves.rows.start(row + 1)
                part = slice(ends[0] - begin, ends[1] - begin)
                own = {name: one[part] for name, one in values.items()}
                zero = 0.0
                if time is not None and ends[1] > ends[0]:
                    zero = float(time[part.start])
                    if self.timed:
                        self._check_times(row, time[part])
                yield row, zero, own

    def _check_times(self, row: int, time: FloatArray) -> None:
        even = np.arange(len(time)) / self.rate
        if not np.abs(time - time[0] - even).max() < 0.5 / self.rate:
            raise InvalidInput(
                f"the samples of curve {row} are not evenly spaced in time: a lock-in needs every "
                "sample"
            )


def beginning(curves: CurveSet, name: str, rate: float, most: int) -> FloatArray:
    """Return the first samples of the first stream that has so many, or else of the longest."""
    new = np.flatnonzero(~_goes_on(curves, rate))
    ends = np.append(new[1:], curves.n_curves)
    lengths = [int(curves.row_size[a:b].sum()) for a, b in zip(new, ends, strict=True)]
    if not lengths:
        return np.empty(0)
    chosen = int(np.argmax(np.array(lengths) >= min(most, max(lengths))))
    parts: list[FloatArray] = []
    row, left = int(new[chosen]), most
    while row < ends[chosen] and left > 0:
        parts.append(curves.read(name, row)[:left])
        left -= len(parts[-1])
        row += 1
    return np.concatenate(parts)


def _goes_on(curves: CurveSet, rate: float) -> NDArray[np.bool_]:
    """Whether each row begins where the one before ended."""
    out = np.zeros(curves.n_curves, bool)
    table = curves.curve_table
    start, fine = table["start_time"], np.isin(table["start_time_source"], _TIMED)
    if start.dtype.kind != "M" or len(start) < 2:
        return out
    since = (start[1:] - start[:-1]) / np.timedelta64(1, "us") * 1e-6
    late = np.abs(since - curves.row_size[:-1] / rate)
    out[1:] = fine[1:] & fine[:-1] & (late < max(0.5 / rate, 0.6e-6))
    return out
