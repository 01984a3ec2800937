"""Independent solutions, in several processes where that pays."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any

from threadpoolctl import threadpool_limits

from nrm_plugin.errors import InvalidInput

_LOG = logging.getLogger(__name__)
_START = 2.0  # s until a process has imported what it needs


class Workers:
    """Calls of a function, here or in processes that are started when they pay.

    Parameters
    ----------
    workers : int or None
        Processes at most; 1 is this one. None is one for each core where starting processes is
        safe: a script that has no ``if __name__ == "__main__":`` would be run again by each of
        them, so that in a script the number must be given.

    Raises
    ------
    InvalidInput
        For less than one.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise InvalidInput(f"{workers} processes can do nothing: give 1 or more")
        self.workers = workers if workers is not None else cores() if _importable() else 1
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[..., Any], jobs: Iterable[Sequence[Any]]) -> list[Any]:
        """Results of ``function(*job)``, in the order of the jobs."""
        with one_thread():
            return self._mapped(function, [tuple(job) for job in jobs])

    def _mapped(self, function: Callable[..., Any], todo: list[tuple[Any, ...]]) -> list[Any]:
        done: list[Any] = []
        if self._pool is None and todo and self.workers > 1:
            start = time.perf_counter()
            done.append(function(*todo.pop(0)))
            took = time.perf_counter() - start
            saved = took * len(todo) * (1.0 - 1.0 / self.workers)
            if len(todo) > 1 and saved > _START and _travels(function, todo[0]):
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(
                    min(self.workers, len(todo)), context, initializer=one_thread
                )
        if self._pool is not None:
            try:
                columns = zip(*todo, strict=True)
                return done + list(self._pool.map(function, *columns, chunksize=1))
            except BrokenProcessPool:
                _LOG.warning("processes could not be started; going on in this one")
                self._pool, self.workers = None, 1
        return done + [function(*job) for job in todo]


def one_thread() -> threadpool_limits:
    """Keep linear algebra to one thread, from now on or in a ``with`` block.

    The blocks of a factorisation are too small to share: on busy cores threads that wait for each
    other make a solution ten times slower and more.
    """
    return threadpool_limits(1, user_api="blas")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _importable() -> bool:
    """Whether a new process can be started without running a user's script again."""
    main = sys.modules["__main__"]
    started = getattr(main, "__file__", None)
    return started is None or getattr(main, "__spec__", None) is not None


def _travels(function: Callable[..., Any], job: tuple[Any, ...]) -> bool:
    """Whether another process can be given the job; a function defined on the spot cannot."""
    try:
        pickle.dumps((function, job))
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True
