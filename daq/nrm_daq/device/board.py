"""A board with analog inputs that exists in memory: what NI-DAQmx would do with its tasks.

Every sample is a function of its number, computed when it is read, so that a ring of any length
takes no memory and what was read can be compared with what it should be, sample by sample.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from nrm_daq.device.board_clocks import BoardClock, WallClock
from nrm_daq.driver import AcquisitionType, DAQmxErrors, TaskMode
from nrm_plugin.columns import FloatArray

#: Volts at an input, for sample numbers (those of multiplexed channels lie in between) and the
#: sample rate in Hz.
Signal = Callable[[FloatArray, float], FloatArray]

#: Sample rates are whole divisions of this, in Hz.
TIMEBASE = 100e6


class Refused(Exception):
    """What the driver answers with an error code of its own."""

    def __init__(self, code: DAQmxErrors, text: str) -> None:
        super().__init__(f"{text}\n\nStatus Code: {code.value}")
        self.code = code


@dataclass(frozen=True)
class Board:
    """What the board is, and what is connected to it.

    Attributes
    ----------
    inputs : mapping of str to Signal
        ``ai0``, ... and the volts there.
    name, product : str
    serial : int
    simultaneous : bool
        Whether every channel has a converter of its own. Otherwise one converter goes from
        channel to channel.
    largest_rate : float
        In Hz: of every channel of a simultaneous board, else of all channels together.
    bits : int
        Of the converter; 0 for one without steps.
    ranges : tuple of float
        Largest voltages that can be set, both ways.
    edges : mapping of str to float
        Digital inputs (``PFI0``) that trigger, and how long in s after the start.
    """

    inputs: Mapping[str, Signal]
    _: KW_ONLY
    name: str = "Sim1"
    product: str = "Simulated board"
    serial: int = 0x5EED
    simultaneous: bool = True
    largest_rate: float = 1e6
    bits: int = 16
    ranges: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    edges: Mapping[str, float] = field(default_factory=dict)

    @property
    def terminals(self) -> list[str]:
        """Full names of the inputs."""
        return [f"{self.name}/{terminal}" for terminal in self.inputs]


@dataclass(frozen=True)
class Input:
    """A channel of a task."""

    name: str
    signal: Signal
    limit: float


class Task:
    """One task: channels, timing, and how far it has been read."""

    def __init__(self, name: str, rack: Rack) -> None:
        self.name, self.rack = name, rack
        self.board: Board | None = None
        self.channels: list[Input] = []
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
        device, _, pin = terminal.strip("/").partition("/")
        board = self.rack.board(device)
        if pin not in board.inputs:
            raise Refused(
                DAQmxErrors.PHYSICAL_CHAN_DOES_NOT_EXIST,
                "Physical channel specified does not exist on this device.\n"
                f"Physical Channel Name: {pin}\nDevice: {device}",
            )
        name = name or terminal
        if any(c.name == name for c in self.channels):
            raise Refused(
                DAQmxErrors.CHAN_ALREADY_IN_TASK, f"Channel {name} is already in the task."
            )
        limits = [r for r in sorted(board.ranges) if r >= max(abs(low), abs(high)) * (1 - 1e-9)]
        if not limits or not low < high:
            raise Refused(
                DAQmxErrors.INVALID_ATTRIBUTE_VALUE,
                "Requested value is not a supported value for this property.\n"
                f"Property: AI.Max\nRequested Value: {high:g}\n"
                f"Maximum Value: {max(board.ranges):g}",
            )
        if self.board is not None and self.board is not board:
            raise Refused(
                DAQmxErrors.MULTI_DEVS_IN_TASK, "Specified operation needs a single device."
            )
        self.board = board
        self.channels.append(Input(name, board.inputs[pin], limits[0]))

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
        if pin not in self.rack.board(device).edges:
            raise Refused(
                DAQmxErrors.INVALID_ROUTING_SOURCE_TERMINAL_NAME_ROUTING,
                f"Specified route cannot be satisfied: there is no terminal {terminal}.",
            )
        self.edge = pin

    def set_ring(self, samples: int) -> None:
        """Ask for a ring of this many samples per channel."""
        self._not_running()
        self._asked_ring = samples

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
        delay = board.edges[self.edge] if self.edge else 0.0
        self.position, self._ended = 0, math.inf
        self.began = self._first = self.rack.clock.now() + delay

    def stop(self) -> None:
        """Stop sampling and give the board back."""
        if self.began is not None:
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
            line[:] = channel.signal(numbers + row * shift if row and shift else numbers, self.rate)
            np.clip(line, -channel.limit, channel.limit, line)
            if self.board.bits:
                step = channel.limit / 2 ** (self.board.bits - 1)
                np.multiply(np.rint(line / step, line), step, line)
        return out


class Rack:
    """The boards of a computer and the tasks on them."""

    def __init__(self, boards: Iterable[Board], clock: BoardClock | None = None) -> None:
        self.boards = {board.name: board for board in boards}
        self.clock = clock or WallClock()
        self.lost = threading.Event()
        self.tasks: dict[str, Task] = {}
        self._holder: dict[str, Task] = {}
        self._lock = threading.Lock()

    def board(self, name: str) -> Board:
        """Board by name."""
        if name not in self.boards:
            raise Refused(
                DAQmxErrors.INVALID_DEVICE_ID,
                f"Device identifier is invalid.\nDevice Specified: {name}",
            )
        return self.present(self.boards[name])

    def present(self, board: Board) -> Board:
        """Return the board, if it has not been unplugged."""
        if self.lost.is_set():
            raise Refused(
                DAQmxErrors.DEV_ABSENT_OR_UNAVAILABLE,
                f"Device is not available.\nDevice: {board.name}",
            )
        return board

    def unplug(self) -> None:
        """Take all boards away; whoever waits for samples is told at once."""
        self.lost.set()

    def reserve(self, board: Board, task: Task) -> None:
        """Give the board to a task."""
        with self._lock:
            holder = self._holder.setdefault(board.name, task)
        if holder is not task:
            raise Refused(
                DAQmxErrors.PAL_RESOURCE_RESERVED,
                "The specified resource is reserved. The operation could not be completed as "
                "specified.",
            )

    def release(self, task: Task) -> None:
        """Take boards back from a task."""
        with self._lock:
            self._holder = {n: holder for n, holder in self._holder.items() if holder is not task}

    def add_task(self, name: str) -> Task:
        """Make a task."""
        with self._lock:
            name = name or f"_unnamedTask<{len(self.tasks)}>"
            if name in self.tasks:
                raise Refused(DAQmxErrors.DUPLICATE_TASK, f"Task {name} exists already.")
            self.tasks[name] = Task(name, self)
            return self.tasks[name]

    def task(self, name: str) -> Task:
        """Task by name."""
        if name not in self.tasks:
            raise Refused(DAQmxErrors.INVALID_TASK, f"There is no task {name}.")
        return self.tasks[name]

    def clear(self, name: str) -> None:
        """Stop a task and forget it."""
        self.task(name).stop()
        del self.tasks[name]
