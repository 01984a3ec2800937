"""Samples from the board to whoever writes them down: all of them, in order, or a named stop.

The board samples by its own clock into a ring in its driver's memory. A thread of its own fetches
block after block with blocking reads (what an event callback raises would be lost) and hands them
on through a queue of limited length. Whatever breaks the row of samples ends it, with the number
of the first sample that is not there.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from nrm_daq.driver import (
    DRIVER_ERRORS,
    AnalogMultiChannelReader,
    DaqError,
    DAQmxErrors,
    driver_errors_named,
    explained,
    nidaqmx,
)
from nrm_daq.hardware import Setup
from nrm_daq.recording import SampleBlock
from nrm_plugin.errors import NrmError

#: Blocks on their way from the reader to the writer.
QUEUED = 32

#: Longest time in s that a block may be late.
LATE = 5.0


class AcquisitionStopped(NrmError):
    """Recording ended before it was to.

    Attributes
    ----------
    sample : int
        Number of the first sample that was not recorded.
    reason : str
    """

    def __init__(self, sample: int, reason: str) -> None:
        super().__init__(sample, reason)
        self.sample, self.reason = sample, reason

    def __str__(self) -> str:
        return f"recording stopped at sample {self.sample}: {self.reason}"


class Acquisition:
    """A running board; a context manager that starts and stops it.

    Parameters
    ----------
    task : nidaqmx.Task
        Set up and not started.
    setup : Setup
    block : int
        Samples per channel to fetch at once.
    total : int, optional
        Samples per channel after which to stop.
    triggered : bool
        Whether the first sample may take its time.
    ending : Event, optional
        Set it from anywhere to stop after the block that is under way.

    Attributes
    ----------
    backlog : int
        Samples per channel in the ring, when last asked.
    began : (int, int)
        Nanoseconds since 1970 before and after the start.
    """

    def __init__(
        self,
        task: nidaqmx.Task,
        setup: Setup,
        *,
        block: int,
        total: int | None = None,
        triggered: bool = False,
        ending: threading.Event | None = None,
    ) -> None:
        self._task, self._setup = task, setup
        self._block, self._total, self._triggered = block, total, triggered
        self._queue: queue.Queue[SampleBlock | None] = queue.Queue(QUEUED)
        self._patience = 0.5 * setup.ring / setup.rate
        self._ending = ending or threading.Event()
        self._error: AcquisitionStopped | None = None
        self._thread = threading.Thread(target=self._run, name="board reader", daemon=True)
        self.position = 0
        self.backlog = 0
        self.began = (0, 0)

    def __enter__(self) -> Self:
        before = time.time_ns()
        with driver_errors_named(self._setup.place):
            self._task.start()
        self.began = before, time.time_ns()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ending.set()
        while self._thread.is_alive():  # it may be waiting for room in the queue
            self._take(0.05)
        try:
            self._task.stop()
        except DRIVER_ERRORS:
            return  # the board has gone

    @property
    def queued(self) -> float:
        """How full the queue is, 0 to 1."""
        return self._queue.qsize() / QUEUED

    def blocks(self) -> Iterator[SampleBlock]:
        """Blocks in order, until the total is reached or `ending` is set.

        Raises
        ------
        AcquisitionStopped
            Behind the last block, if the row of samples is broken.
        """
        while True:
            try:
                block = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            if block is None:
                break
            yield block
        if self._error is not None:
            raise self._error

    def _take(self, timeout: float) -> None:
        try:
            self._queue.get(timeout=timeout)
        except queue.Empty:
            return

    # In the reader's thread

    def _run(self) -> None:
        try:
            if not self._triggered or self._wait_for_trigger():
                self._read()
        except AcquisitionStopped as error:
            self._error = error
        except DRIVER_ERRORS as error:
            self._error = AcquisitionStopped(self.position, self._why(error))
        except Exception as error:  # a thread that dies in silence would hang the writer
            self._error = AcquisitionStopped(self.position, f"{type(error).__name__}: {error}")
        while True:
            try:
                self._queue.put(None, timeout=1.0)
                return
            except queue.Full:
                continue

    def _wait_for_trigger(self) -> bool:
        """Wait for the first sample; False where the recording was ended before."""
        while not self._task.in_stream.total_samp_per_chan_acquired:
            if self._ending.wait(0.02):
                return False
        return True

    def _read(self) -> None:
        reader = AnalogMultiChannelReader(self._task.in_stream)
        reader.verify_array_shape = False  # it would ask the driver every time
        stream = self._task.in_stream
        n_channels = len(self._setup.delays)
        buffer = np.empty((n_channels, self._block))
        while not self._ending.is_set() and self.position != self._total:
            n = self._block
            if self._total is not None and self._total - self.position < n:
                n = self._total - self.position
                buffer = np.empty((n_channels, n))
            n_read = reader.read_many_sample(buffer, n, n / self._setup.rate + LATE)
            arrived = time.time_ns()
            self.backlog = int(stream.avail_samp_per_chan)
            reached = int(stream.curr_read_pos)
            if n_read != n or reached != self.position + n:
                raise AcquisitionStopped(
                    self.position,
                    f"the driver gave {n_read} of {n} samples and stands at sample {reached}: "
                    "samples are missing",
                )
            self._hand_on(SampleBlock(self.position, buffer.astype("<f4"), arrived, self.backlog))
            self.position += n

    def _hand_on(self, block: SampleBlock) -> None:
        try:
            self._queue.put(block, timeout=self._patience)
        except queue.Full:
            raise AcquisitionStopped(
                block.first,
                f"the disk is too slow: nothing was written for {self._patience:.3g} s; record to "
                "a local disk, or fewer channels or samples per second",
            ) from None

    def _why(self, error: Exception) -> str:
        seconds = self._setup.ring / self._setup.rate
        code: Any = error.error_type if isinstance(error, DaqError) else None
        if code is DAQmxErrors.SAMPLES_NO_LONGER_AVAILABLE:
            return (
                f"this computer did not fetch samples for {seconds:.3g} s, and the ring ran over: "
                "close other programs, or make the ring longer"
            )
        if code is DAQmxErrors.SAMPLES_NOT_YET_AVAILABLE:
            return "the board gives no samples any more"
        if code in (DAQmxErrors.INPUT_FIFO_OVERFLOW, DAQmxErrors.INPUT_FIFO_OVERFLOW_2):
            return "the board's own memory ran over before the computer fetched it: sample slower"
        return explained(error)
