"""A lock-in in software that works while its signals are recorded.

What it makes is written down at once, as any recording is, and becomes a file in the same way. It
is made by the code of `nrm lockin`, and has the same bits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nrm_daq.acquisition import AcquisitionStopped
from nrm_daq.demodulated_files import made_header, shifted_back
from nrm_daq.recording import Recording, SampleBlock, Volts
from nrm_daq.recording_metadata import FIRST_BLOCKS, Start
from nrm_daq.segmentation import range_limits
from nrm_plugin.columns import FloatArray, scaled_copy
from nrm_plugin.demodulation import (
    Demodulated,
    Demodulator,
    DigitalLockIn,
    LockInPlan,
    found_frequencies,
    looks,
    plain_rate,
)
from nrm_plugin.demodulation.signal_doubts import (
    doubts_of_frequency,
    doubts_of_reference,
    doubts_of_square_wave,
    doubts_without_reference,
    is_clipped,
)
from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import with_unit

#: Time in s of a signal that is looked at for clipping at once.
_LOOK = 0.5


class DemodulatedRecording:
    """What a lock-in in software makes of the blocks of a board, in a file that grows.

    It takes the place of a `Recording`, and keeps another recording of
    all samples if it is told to. The samples of the reference's first look are held in memory.

    Parameters
    ----------
    path : Path
        There must be nothing.
    header : mapping
        What describes the recording of all samples.
    settings : DigitalLockIn
    raw : Path, optional
        Where all samples are kept.

    Attributes
    ----------
    samples : int
        Per channel, that the board gave.
    described : callable
        Is called when the first note is in the file.

    Raises
    ------
    OutputError
        As for `Recording`.
    """

    def __init__(
        self,
        path: Path,
        header: Mapping[str, Any],
        settings: DigitalLockIn,
        raw: Path | None = None,
    ) -> None:
        self.path, self.samples = path, 0
        self._raw = Recording(raw, dict(header)) if raw else None
        try:
            self._made = Recording(path)
        except BaseException:
            if self._raw is not None:
                self._raw.remove()
            raise
        self.described: Callable[[], None] = lambda: None
        self._header, self._settings = header, settings
        setup = header["setup"]
        self._rate = plain_rate(float(setup["rate"]))
        self._channels = header["channels"]
        self._lags = lags_of(header)
        self._limits = range_limits(self._channels)
        names = [one["name"] for one in self._channels]
        self._signal = names.index(settings.signal)
        self._reference = names.index(settings.reference) if settings.reference else None
        self._others = [i for i in range(len(names)) if i != self._reference]
        self._looks = looks(self._rate)
        self._next_look = next(self._looks)
        self._waiting: list[tuple[SampleBlock, FloatArray]] = []
        self._last: Volts | None = None
        self._plan: LockInPlan | None = None
        self._demodulator: Demodulator | None = None
        self._early: list[dict[str, Any]] = []  # notes that wait for the first one
        self._lock = threading.Lock()
        self._faults: dict[str, float] = {}
        self._unseen: list[FloatArray] = []
        self._counts: dict[str, dict[str, int]] = {"clipped": {}, "clipped_waves": {}}
        self._began: list[float] = []

    def close(self) -> None:
        """Close the files."""
        for recording in self.journals:
            recording.close()

    @property
    def journals(self) -> list[Recording]:
        """The files that grow: what was made, and all samples."""
        return [self._made, *([self._raw] if self._raw is not None else [])]

    # As a recording

    def note(self, **values: Any) -> None:
        """See `Recording.note`."""
        if self._raw is not None:
            self._raw.note(**values)
        with self._lock:
            if self._plan is None:
                self._early.append(values)
                return
        self._made.note(**values)

    def mark(self, text: str) -> int:
        """See `Recording.mark`."""
        now = time.time_ns()
        self.note(marker=text, time=now)
        return now

    def flush(self) -> None:
        """See `Recording.flush`."""
        for recording in self.journals:
            recording.flush()

    def append(self, block: SampleBlock) -> None:
        """Demodulate a block, and write what that completes.

        Raises
        ------
        OutputError
        AcquisitionStopped
            If there is no clear reference.
        """
        if self._raw is not None:
            self._raw.append(block)
        self.samples += block.values.shape[1]
        self._note_arrival(block)
        self._waiting.append((block, self._in_units(block.values)))
        self._watch(block)
        if self._plan is None and self.samples >= self._next_look:
            self._begin(whole=False)
        if self._plan is not None:
            self._work()

    def finish(self) -> str:
        """Make what is left when no more blocks come; return why there is nothing, if so.

        Raises
        ------
        OutputError
        """
        if self._plan is None and self._waiting:
            try:
                self._begin(whole=True)
            except AcquisitionStopped as error:
                return error.reason
            self._work()
        for what, counts in self._counts.items():
            if counts:
                self.note(**{what: dict(counts)})
        if self._plan is not None and not self._made.samples:
            length = with_unit(self._plan.length / self._rate, "s", 3)
            return f"it is shorter than the lock-in's filter, {length}: there is no X and Y"
        return ""

    def faults(self, begin: float, end: float) -> tuple[str, ...]:
        """What was wrong with signal or reference from `begin` on (s since 1970)."""
        return tuple(fault for fault, seen in self._faults.items() if begin < seen)

    # What is done

    def _in_units(self, volts: Volts) -> FloatArray:
        """Samples in SI, as they are read from a finished file of them."""
        out = np.empty(volts.shape)
        for row, channel in enumerate(self._channels):
            values, lag = volts[row], self._lags[row]
            if lag:
                before = values[:0] if self._last is None else self._last[row : row + 1]
                values = shifted_back(np.append(before, values), lag)[len(before) :]
            scaled_copy(out[row], values, channel["gain"], channel["offset"])
        self._last = volts[:, -1].copy()
        return out

    def _begin(self, *, whole: bool) -> None:
        """Plan, and describe what is going to be made, if the reference is known by now."""
        while self._next_look <= self.samples:
            self._next_look = next(self._looks, self.samples + 1)
        head = np.concatenate([values for _, values in self._waiting], axis=1)
        settings = self._settings
        frequencies: Sequence[float] | None = settings.frequencies
        try:
            if self._reference is not None:
                reference = head[self._reference]
                frequencies = found_frequencies(settings, self._rate, reference, whole=whole)
            if frequencies is None:
                return
            delay = float(self._header["made"].get("lateral_delay", 0.0))
            plan = LockInPlan.made(settings, self._rate, frequencies, delay=delay)
        except InvalidInput as error:
            raise AcquisitionStopped(0, f"the lock-in cannot begin: {error}") from None
        self._demodulator = plan.demodulator()
        told = {**self._header["config"]["metadata"], **self._header["made"]}
        doubts = list(doubts_of_frequency(told.get("dither_frequency"), plan.tones[0].frequency))
        if self._reference is not None:
            reference = head[self._reference]
            doubts += doubts_of_square_wave(reference, self._rate, plan.tones[0].frequency)
        elif not self._header["config"].get("dither"):
            doubts += doubts_without_reference(head[self._signal], self._rate, plan.tones)
        self._made.describe(made_header(self._header, plan, self._others, doubts))
        with self._lock:
            self._plan = plan
            early, self._early = self._early, []
            for note in early:
                self._made.note(**note)
        self.described()

    def _work(self) -> None:
        """Demodulate the blocks that wait."""
        assert self._demodulator is not None
        names = [str(i) for i in self._others]
        for block, values in self._waiting:
            others = dict(zip(names, values[self._others], strict=True))
            reference = None if self._reference is None else values[self._reference]
            made = self._demodulator.push(values[self._signal], reference, others)
            if len(made.position):
                self._check(made, block.arrived)
                rows = _columns(made, names)
                first = self._made.samples
                self._made.append(SampleBlock(first, rows, block.arrived, block.backlog))
        self._waiting.clear()

    def _check(self, made: Demodulated, arrived: int) -> None:
        assert self._plan is not None
        if self._reference is not None and np.isnan(made.signal[0]).any():
            self._faults["the lock-in has no reference"] = 1e-9 * arrived
        if np.isnan(made.signal[0]).all() or not len(made.deviation):
            return
        away = float(np.nanmax(np.abs(made.deviation[0])))
        if any(doubts_of_reference(0, away, self._plan.filter_)):
            self._faults[f"the reference is off by {away:.3g} Hz"] = 1e-9 * arrived

    def _watch(self, block: SampleBlock) -> None:
        """Note inputs at the end of the board's range, and waves that are clipped below it."""
        over = np.abs(block.values).max(axis=1) > self._limits
        for row in over.nonzero()[0]:
            self._count("clipped", self._channels[row]["name"])
        looked = [row for row in (self._signal, self._reference) if row is not None]
        self._unseen.append(self._waiting[-1][1][looked])
        n = round(_LOOK * self._rate)
        if sum(part.shape[1] for part in self._unseen) < n:
            return
        unseen = np.concatenate(self._unseen, axis=1)
        while unseen.shape[1] >= n:
            for row, values in zip(looked, unseen[:, :n], strict=True):
                if is_clipped(values):
                    name = self._channels[row]["name"]
                    self._count("clipped_waves", name)
                    self._faults[f"{name} is clipped, or constant"] = 1e-9 * block.arrived
            unseen = unseen[:, n:]
        self._unseen = [unseen]

    def _count(self, what: str, name: str) -> None:
        """Count what is wrong with a channel, and note it when there is twice as much."""
        counts = self._counts[what]
        n = counts[name] = counts.get(name, 0) + 1
        if n & (n - 1) == 0:
            self.note(**{what: dict(counts)})

    def _note_arrival(self, block: SampleBlock) -> None:
        """Note when the first sample was taken, by what the first blocks say."""
        if len(self._began) >= FIRST_BLOCKS or not self._header["triggered"]:
            return
        self._began.append(1e-9 * block.arrived - (self.samples + block.backlog) / self._rate)
        n = len(self._began)
        if n == FIRST_BLOCKS or n & (n - 1) == 0:
            start = Start.of_arrivals(np.array(self._began))
            self.note(arrivals=[start.time, start.uncertainty])


def lags_of(header: Mapping[str, Any]) -> list[float]:
    """By how many samples each channel is late and is shifted back."""
    setup = header["setup"]
    if header["config"]["skew"] != "correct":
        return [0.0] * len(header["channels"])
    return [
        0.0 if one.get("as_sampled") else delay * float(setup["rate"])
        for one, delay in zip(header["channels"], setup["delays"], strict=True)
    ]


def _columns(made: Demodulated, names: Sequence[str]) -> FloatArray:
    """Channels, the deviation of the first tone's reference, and the power of each line."""
    parts = [made.others[name] for name in names]
    for z in made.signal:
        parts += [z.real, z.imag]
    parts.append(made.deviation[0] if len(made.deviation) else np.zeros(len(made.position)))
    parts += list(np.abs(made.lines) ** 2)
    return np.stack(parts)
