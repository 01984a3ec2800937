"""The boards of a computer and the tasks on them."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable

from nrm_daq.device.board import Board, Refused
from nrm_daq.device.board_clocks import BoardClock, InstantClock, WallClock
from nrm_daq.device.board_tasks import INPUTS_START, Task
from nrm_daq.driver import DAQmxErrors


class Rack:
    """The boards of a computer and the tasks on them."""

    def __init__(self, boards: Iterable[Board], clock: BoardClock | None = None) -> None:
        self.boards = {board.name: board for board in boards}
        self.clock = clock or WallClock()
        if isinstance(self.clock, InstantClock):
            self.clock.waiting_for = lambda: self.sampling() + self.playing()
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
        """Give the board's inputs, or its outputs, to a task."""
        part = f"{board.name}/{'ao' if task.output else 'ai'}"
        with self._lock:
            holder = self._holder.setdefault(part, task)
        if holder is not task:
            raise Refused(
                DAQmxErrors.PAL_RESOURCE_RESERVED,
                "The specified resource is reserved. The operation could not be completed as "
                "specified.",
            )

    def inputs_begin(self, board: Board, moment: float) -> None:
        """Start the outputs that wait for the inputs of a board."""
        for task in list(self._holder.values()):
            if task.board is board and task.edge == INPUTS_START:
                task.trigger_output(moment)

    def playing(self) -> int:
        """Outputs that play."""
        with self._lock:
            return sum(1 for t in self._holder.values() if t.output and t.began != math.inf)

    def sampling(self) -> int:
        """Inputs that sample."""
        with self._lock:
            return sum(1 for t in self._holder.values() if not t.output)

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
