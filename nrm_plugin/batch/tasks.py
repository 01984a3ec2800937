"""Calls that do not depend on each other, and what becomes of them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nrm_plugin.errors import NrmError


@dataclass(frozen=True)
class BatchTask:
    """A call that any process can make.

    Attributes
    ----------
    name : str
        For people: the file or the sample.
    function : callable
        Of a module that every process can import (or a `functools.partial` of such), since it
        travels by name. Paths in its arguments are absolute.
    arguments : tuple
    size : int
        Bytes that it reads, as far as they are known: small tasks are sent together.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class Outcome:
    """What became of a task: what its function returned, or the error that it raised.

    Attributes
    ----------
    task : BatchTask
    value : object
    error : NrmError or None
    """

    task: BatchTask
    value: Any = None
    error: NrmError | None = None


def made(task: BatchTask) -> Outcome:
    """Make a call here."""
    try:
        return Outcome(task, task.function(*task.arguments))
    except NrmError as error:
        return Outcome(task, error=error)


def made_together(tasks: Sequence[BatchTask]) -> list[tuple[Any, NrmError | None]]:
    """Make some calls one after the other: values and errors, without what is known already."""
    return [(outcome.value, outcome.error) for outcome in map(made, tasks)]


class _Counted(io.RawIOBase):
    """Counts the bytes that are written to it, and has enough at some time."""

    def __init__(self, most: int) -> None:
        self.left = most

    def write(self, data: Any) -> int:
        """See `io`."""
        size = memoryview(data).nbytes
        self.left -= size
        if self.left < 0:
            raise OverflowError
        return size


def travels(value: Any, most: int) -> bool:
    """Whether another process can be given a value in at most so many bytes."""
    try:
        pickle.dump(value, _Counted(most), pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError, OverflowError):
        return False
    return True


def grouped(
    tasks: Sequence[BatchTask], slots: int, most: int = 32, enough: int = 64 << 20
) -> Iterator[list[BatchTask]]:
    """Tasks that travel together: fewer and longer ones for a scheduler to care for.

    Parameters
    ----------
    tasks : sequence of BatchTask
    slots : int
        Tasks that are made at once. Each gets eight groups or more, so that all end together.
    most : int
        Tasks in a group.
    enough : int
        Bytes of a group that gets no more.
    """
    most = max(1, min(most, len(tasks) // (8 * max(slots, 1))))
    group: list[BatchTask] = []
    size = 0
    for task in tasks:
        if group and (len(group) >= most or size + task.size > enough):
            yield group
            group, size = [], 0
        group.append(task)
        size += task.size
    if group:
        yield group
