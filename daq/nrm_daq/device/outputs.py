"""Analog outputs of the simulated board: what was written, and the volts that stand there."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nrm_plugin.columns import FloatArray

#: How much of what has come out is kept, in s.
KEPT = 60.0


@dataclass(eq=False, kw_only=True)
class OutputRun:
    """Samples that an output puts out one after the other.

    Attributes
    ----------
    rate : float
        In Hz; 0 for a single value that was set at once.
    first : float
        Board's time in s of the first sample; infinite before the trigger.
    ended : float
        Board's time at which it was stopped.
    chunks : list of arrays
        Volts as they were written.
    dropped : int
        Samples before the first chunk that are not kept any more.
    """

    rate: float
    first: float = math.inf
    ended: float = math.inf
    chunks: list[FloatArray] = field(default_factory=list)
    dropped: int = 0

    @property
    def written(self) -> int:
        """Samples so far."""
        return self.dropped + sum(map(len, self.chunks))

    def due(self, now: float) -> int:
        """Samples that should have come out by a time."""
        since = min(now, self.ended) - self.first
        return 0 if since < 0 else math.floor(since * self.rate + 1e-3) + 1

    def index(self, times: FloatArray) -> FloatArray:
        """Where times stand among the samples; a fraction lies between two."""
        place = (np.minimum(times, self.ended) - self.first) * self.rate
        whole = np.rint(place)
        return np.where(np.abs(place - whole) < 2e-3, whole, place)

    def drop(self, before: int) -> None:
        """Forget chunks that end before a sample."""
        while len(self.chunks) > 1 and self.dropped + len(self.chunks[0]) < before:
            self.dropped += len(self.chunks.pop(0))


class OutputWire:
    """What is connected to an output sees this: its volts at any time.

    Parameters
    ----------
    keep : bool
        Whether everything that has come out is kept; otherwise a minute of it.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self.runs: list[OutputRun] = []

    def begin(self, run: OutputRun) -> None:
        """Put a run behind what there is."""
        with self._lock:
            self.runs.append(run)
            if not self._keep and len(self.runs) > 100:
                del self.runs[0]

    def set(self, volts: float, now: float) -> None:
        """Set a voltage at once."""
        self.begin(OutputRun(rate=0.0, first=now, chunks=[np.array([volts])]))

    def extend(self, run: OutputRun, values: FloatArray, now: float) -> None:
        """Write behind a run."""
        with self._lock:
            run.chunks.append(values)
            if not self._keep:
                run.drop(run.due(now - KEPT))

    def plays(self, start: float) -> bool:
        """Whether it plays samples that began at a board's time in s, or before."""
        return any(r.rate and r.first <= start + 1e-9 < r.ended for r in self.runs)

    def snapshot(self) -> Sequence[tuple[OutputRun, int, list[FloatArray]]]:
        """Runs with the number of their first kept sample, and their chunks."""
        with self._lock:
            return [(run, run.dropped, list(run.chunks)) for run in self.runs]

    def volts(self, times: FloatArray) -> FloatArray:
        """Volts at board's times in s: each sample is held until the next, the last one on."""
        times = np.asarray(times, np.float64)
        out = np.zeros(times.shape)
        for run, dropped, chunks in self.snapshot():
            after = times >= run.first - 1e-9
            if not after.any() or not chunks:
                continue
            values = np.concatenate(chunks)
            where = np.floor(run.index(times[after])).astype(np.int64) - dropped
            out[after] = values[np.clip(where, 0, len(values) - 1)]
        return out


@dataclass(eq=False, kw_only=True)
class OutputTask:
    """The output side of a task: its channel, and how far it has been written.

    Attributes
    ----------
    wire : OutputWire
    limit : float
        Largest voltage of the channel.
    regenerates : bool
        Whether old samples are played again when there are no new ones; this is refused here.
    buffer : int
        Samples that can be written ahead.
    run : OutputRun or None
        While it is started.
    """

    wire: OutputWire
    limit: float
    regenerates: bool = True
    buffer: int = 0
    run: OutputRun | None = None
    waiting: list[FloatArray] = field(default_factory=list)

    @property
    def written(self) -> int:
        """Samples written, before the start and since."""
        if self.run is not None:
            return self.run.written
        return sum(map(len, self.waiting))

    def generated(self, now: float) -> int:
        """Samples that have come out."""
        return 0 if self.run is None else min(self.run.due(now), self.run.written)

    def starved(self, now: float) -> bool:
        """Whether it has had nothing to put out."""
        return self.run is not None and bool(self.run.rate) and self.run.due(now) > self.run.written
