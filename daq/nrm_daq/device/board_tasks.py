"""Tasks on the simulated board: what NI-DAQmx would do with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from nrm_daq.device.board import Board, Refused, Signal, TimedSignal, range_for
from nrm_daq.device.outputs import OutputRun, OutputTask
from nrm_daq.driver import AcquisitionType, DAQmxErrors, RegenerationMode, TaskMode
from nrm_plugin.columns import FloatArray

if TYPE_CHECKING:
    from nrm_daq.device.rack import Rack

#: The signal that tells outputs that the inputs begin.
INPUTS_START = "ai/StartTrigger"

#: Sample rates are whole divisions of this, in Hz.
TIMEBASE = 100e6


@dataclass(frozen=True)
class Input:
    """A channel of a task."""

    name: str
    signal: Signal | TimedSignal
    limit: float


class Task:
    """One task: channels, timing, and how far it has been read."""

    def __init__(self, name: str, rack: Rack) -> None:
        self.name, self.rack = name, rack
        self.board: Board | None = None
        self.channels: list[Input] = []
        self.output: OutputTask | None = None
        self.rate = 0.0
        self.ring = 0
        self._asked_ring = 0
        self._hint = 0
        self.edge = ""
        self.position = 0
        self.began: float | None = None  # of the first sample
        self._first: float | None = None  # the same, kept for reading what is left after a stop
        self._ended = math.inf

    # Set up

    def add_input(self, terminal: str, name: str, low: float, high: float) -> None:
        """Add a voltage channel."""
        self._not_running()
        board, pin = self._found(terminal, "inputs")
        name = name or terminal
        if any(c.name == name for c in self.channels):
            raise Refused(
                DAQmxErrors.CHAN_ALREADY_IN_TASK, f"Channel {name} is already in the task."
            )
        limit = range_for(board, low, high, "AI.Max")
        if self.board is not None and self.board is not board:
            raise Refused(
                DAQmxErrors.MULTI_DEVS_IN_TASK, "Specified operation needs a single device."
            )
        self.board = board
        self.channels.append(Input(name, board.inputs[pin], limit))

    def add_output(self, terminal: str, low: float, high: float) -> None:
        """Add a voltage channel that puts out; one in a task."""
        self._not_running()
        board, pin = self._found(terminal, "outputs")
        self.board = board
        self.output = OutputTask(
            wire=board.outputs[pin], limit=range_for(board, low, high, "AO.Max")
        )

    def _found(self, terminal: str, side: Literal["inputs", "outputs"]) -> tuple[Board, str]:
        device, _, pin = terminal.strip("/").partition("/")
        board = self.rack.board(device)
        if pin not in getattr(board, side):
            raise Refused(
                DAQmxErrors.PHYSICAL_CHAN_DOES_NOT_EXIST,
                "Physical channel specified does not exist on this device.\n"
                f"Physical Channel Name: {pin}\nDevice: {device}",
            )
        return board, pin

    def set_clock(self, rate: float, mode: int, hint: int) -> None:
        """Sample continuously by the board's own clock, as near to `rate` as its divisors allow."""
        self._not_running()
        if mode != AcquisitionType.CONTINUOUS.value or not rate > 0:
            raise Refused(
                DAQmxErrors.INVALID_ATTRIBUTE_VALUE,
                "Requested value is not a supported value for this property.",
            )
        self.rate = TIMEBASE / max(1, round(TIMEBASE / rate))
        self._hint = hint

    def set_trigger(self, terminal: str) -> None:
        """Wait for a digital edge after the start."""
        self._not_running()
        device, _, pin = terminal.strip("/").partition("/")
        board = self.rack.board(device)
        if pin not in board.edges and not (self.output and pin == INPUTS_START):
            raise Refused(
                DAQmxErrors.INVALID_ROUTING_SOURCE_TERMINAL_NAME_ROUTING,
                f"Specified route cannot be satisfied: there is no terminal {terminal}.",
            )
        self.edge = pin

    def set_ring(self, samples: int) -> None:
        """Ask for a ring of this many samples per channel."""
        self._not_running()
        self._asked_ring = samples

    def set_buffer(self, samples: int) -> None:
        """Say how many samples of an output can be written ahead."""
        self._not_running()
        self.playing.buffer = samples

    def set_regeneration(self, mode: int) -> None:
        """Say whether old samples are played again when no new ones are there."""
        self._not_running()
        self.playing.regenerates = mode == RegenerationMode.ALLOW_REGENERATION.value

    @property
    def playing(self) -> OutputTask:
        """The output of the task."""
        if self.output is None:
            raise Refused(
                DAQmxErrors.CAN_NOT_PERFORM_OP_WHEN_NO_CHANS_IN_TASK,
                "Specified operation cannot be performed when there are no channels in the task.",
            )
        return self.output

    @property
    def ring_size(self) -> int:
        """Samples per channel that the ring holds: as asked, or as NI-DAQmx chooses."""
        if self._asked_ring:
            return self._asked_ring
        limits = ((100, 1_000), (10_000, 10_000), (1_000_000, 100_000))
        usual = next((size for rate, size in limits if self.rate <= rate), 1_000_000)
        return max(usual, self._hint)

    @property
    def convert_period(self) -> float:
        """Time in s from one channel to the next; 0 where all are sampled at once.

        NI-DAQmx goes through the channels as fast as the converter can, plus 10 us, or evenly
        where there is no time for that.
        """
        assert self.board is not None
        if self.board.simultaneous:
            return 0.0
        padded = 1.0 / self.board.largest_rate + 10e-6
        return min(padded, 1.0 / (self.rate * len(self.channels)))

    def control(self, action: int) -> None:
        """Verify; reserving and aborting are for the start and the end."""
        if action == TaskMode.TASK_ABORT.value:
            self.stop()
        else:
            self._verify()

    def _verify(self) -> Board:
        if self.board is None:
            raise Refused(
                DAQmxErrors.CAN_NOT_PERFORM_OP_WHEN_NO_CHANS_IN_TASK,
                "Specified operation cannot be performed when there are no channels in the task.",
            )
        board = self.rack.present(self.board)
        total = self.rate * (1 if board.simultaneous else len(self.channels))
        if total > board.largest_rate:
            code = (
                DAQmxErrors.INVALID_ATTRIBUTE_VALUE
                if board.simultaneous
                else DAQmxErrors.SAMPLE_RATE_NUM_CHANS_CONVERT_PERIOD_COMBO
            )
            raise Refused(
                code,
                "Requested sample rate is larger than what the device supports.\n"
                f"Maximum: {board.largest_rate:g}",
            )
        return board

    def _not_running(self) -> None:
        if self.began is not None:
            raise Refused(
                DAQmxErrors.CAN_NOT_PERFORM_OP_WHILE_TASK_RUNNING,
                "Specified operation cannot be performed while the task is running.",
            )

    # Run

    def start(self) -> None:
        """Begin to sample, or to wait for the trigger."""
        self._not_running()
        board = self._verify()
        self.rack.reserve(board, self)
        if self.output is not None:
            self._start_output(self.output)
            return
        delay = board.edges[self.edge] if self.edge else 0.0
        self.position, self._ended = 0, math.inf
        self.began = self._first = self.rack.clock.now() + delay
        self.rack.inputs_begin(board, self.began)

    def _start_output(self, output: OutputTask) -> None:
        if output.regenerates or not output.waiting:
            raise Refused(
                DAQmxErrors.SAMPLES_WILL_NEVER_BE_GENERATED
                if not output.waiting
                else DAQmxErrors.INVALID_ATTRIBUTE_VALUE,
                "The simulated board plays samples that were written before, and none twice.",
            )
        self.began = math.inf
        output.run = OutputRun(rate=self.rate, chunks=output.waiting)
        output.waiting = []
        output.wire.begin(output.run)
        if self.edge != INPUTS_START:
            self.trigger_output(self.rack.clock.now())

    def trigger_output(self, moment: float) -> None:
        """Let an output that waits for it begin."""
        if self.output is not None and self.output.run is not None and self.began == math.inf:
            self.began = self.output.run.first = moment

    def write(self, values: FloatArray, timeout: float, *, start: bool) -> int:
        """Write samples behind those that are there; wait for room as long as is said.

        Returns
        -------
        int
            How many were written.
        """
        output, clock = self.playing, self.rack.clock
        assert self.board is not None
        if np.abs(values).max(initial=0.0) > output.limit * (1.0 + 1e-9):
            raise Refused(
                DAQmxErrors.INVALID_AO_DATA_WRITE,
                "Data requested to write is beyond the range of the output.",
            )
        self.rack.present(self.board)
        if not self.rate:  # on demand
            if not start:
                raise NotImplementedError("an output without a clock is set at once")
            output.wire.set(float(values[-1]), clock.now())
            return len(values)
        if output.run is None:
            output.waiting.append(values)
            return len(values)
        for _ in range(200):  # what waits for a trigger does not make time go on
            if output.run.first < math.inf or self.rack.lost.wait(0.005):
                break
        else:
            raise Refused(
                DAQmxErrors.SAMPLES_CAN_NOT_YET_BE_WRITTEN,
                "Some or all of the samples to write could not be written to the buffer yet.",
            )
        room = output.written + len(values) - output.buffer  # generated by then
        if room > output.generated(clock.now()):
            moment = output.run.first + (room - 1) / self.rate
            clock.wait_until(min(moment, clock.now() + timeout), self.rack.lost)
        self.rack.present(self.board)
        now = clock.now()
        if output.starved(now):
            raise Refused(
                DAQmxErrors.GEN_STOPPED_TO_PREVENT_REGEN_OF_OLD_SAMPLES,
                "The generation has stopped to prevent the regeneration of old samples.",
            )
        n = min(len(values), max(0, output.buffer + output.generated(now) - output.written))
        output.wire.extend(output.run, values[:n], now)
        if n < len(values):
            raise Refused(
                DAQmxErrors.SAMPLES_CAN_NOT_YET_BE_WRITTEN,
                "Some or all of the samples to write could not be written to the buffer yet.",
                written=n,
            )
        return n

    def stop(self) -> None:
        """Stop sampling and give the board back."""
        if self.output is not None and self.output.run is not None:
            self.output.run.ended = self.rack.clock.now()
            self.output.run = None
            self.rack.release(self)
        elif self.began is not None:
            self._ended = self.rack.clock.now()
            self.rack.release(self)
        self.began = None

    @property
    def acquired(self) -> int:
        """Samples per channel so far."""
        if self._first is None:
            return 0
        elapsed = min(self.rack.clock.now(), self._ended) - self._first
        return max(0, math.floor(elapsed * self.rate + 1e-6))

    def read(self, samples: int, timeout: float) -> FloatArray:
        """Wait for samples and return them, shape (channel, sample).

        A timeout below 0 is none.
        """
        clock, first = self.rack.clock, self._first
        if self.board is None or first is None:
            self.start()
            return self.read(samples, timeout)
        deadline = math.inf if timeout < 0 else clock.now() + timeout
        moment = first + (self.position + samples) / self.rate
        if self.acquired < self.position + samples:
            clock.wait_until(min(moment, deadline), self.rack.lost)
        self.rack.present(self.board)
        acquired = self.acquired
        if acquired - self.position > self.ring_size:
            raise Refused(
                DAQmxErrors.SAMPLES_NO_LONGER_AVAILABLE,
                "The application is not able to keep up with the hardware acquisition.\n"
                "Increasing the buffer size, reading the data more frequently, or specifying a "
                "fixed number of samples to read instead of reading all available samples might "
                "correct the problem.",
            )
        if acquired < self.position + samples:
            raise Refused(
                DAQmxErrors.SAMPLES_NOT_YET_AVAILABLE,
                "Some or all of the samples requested have not yet been acquired.",
            )
        values = self.values(self.position, samples)
        self.position += samples
        return values

    def values(self, first: int, samples: int) -> FloatArray:
        """What the converter gives for these samples, whether they are there yet or not."""
        assert self.board is not None
        out = np.empty((len(self.channels), samples))
        numbers = np.arange(first, first + samples, dtype=np.float64)
        shift = self.convert_period * self.rate
        for row, (channel, line) in enumerate(zip(self.channels, out, strict=True)):
            at = numbers + row * shift if row and shift else numbers
            if isinstance(channel.signal, TimedSignal):
                line[:] = channel.signal.at(at, self.rate, self._first or 0.0)
            else:
                line[:] = channel.signal(at, self.rate)
            np.clip(line, -channel.limit, channel.limit, line)
            if self.board.bits:
                step = channel.limit / 2 ** (self.board.bits - 1)
                np.multiply(np.rint(line / step, line), step, line)
        return out
