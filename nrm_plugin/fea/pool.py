"""Independent solutions, in several processes where that pays."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from nrm_plugin.batch import BatchTask
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.arguments import whole

if TYPE_CHECKING:
    from nrm_plugin.batch.cluster import Cluster

_LOG = logging.getLogger(__name__)
_START = 2.0  # s until a process has imported what it needs
_MOST = 61  # processes that Windows can wait for

#: Called with how many solutions are done and how many are known to be wanted.
Progress = Callable[[int, int], None]
_WATCHER: ContextVar[_Count | None] = ContextVar("watcher", default=None)

#: Whose workers solve.
_CLUSTER: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


@contextmanager
def on_cluster(cluster: Cluster) -> Iterator[None]:
    """Let the workers of a Dask cluster do all that `Workers` are asked for in the block."""
    token = _CLUSTER.set(cluster)
    try:
        yield
    finally:
        _CLUSTER.reset(token)


@contextmanager
def watched(progress: Progress | None) -> Iterator[None]:
    """Call ``progress(done, wanted)`` after each solution in the block; None does nothing.

    A calculation asks for its solutions in several rounds, so that `wanted` may grow.
    """
    token = _WATCHER.set(None if progress is None else _Count(progress))
    try:
        yield
    finally:
        _WATCHER.reset(token)


class _Count:
    """Solutions that are done and wanted."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.done, self.wanted = progress, 0, 0

    def want(self, count: int) -> None:
        self.wanted += count
        self.progress(self.done, self.wanted)

    def tick(self) -> None:
        self.done += 1
        self.progress(self.done, self.wanted)


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
        most = workers if workers is not None else cores() if _importable() else 1
        self.workers = min(whole("processes", most), _MOST)
        if self.workers < 1:
            raise InvalidInput(f"the number of processes is {most}: give 1 or more")
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[..., Any], jobs: Iterable[Sequence[Any]]) -> list[Any]:
        """Results of ``function(*job)``, in the order of the jobs."""
        with one_thread():
            return self._mapped(function, [tuple(job) for job in jobs])

    def _mapped(self, function: Callable[..., Any], todo: list[tuple[Any, ...]]) -> list[Any]:
        watcher = _WATCHER.get()
        if watcher is not None:
            watcher.want(len(todo))
        done: list[Any] = []
        for result in self._results(function, todo):
            done.append(result)
            if watcher is not None:
                watcher.tick()
        return done

    def _results(self, function: Callable[..., Any], todo: list[tuple[Any, ...]]) -> Iterator[Any]:
        cluster = _CLUSTER.get()
        if cluster is not None and len(todo) > 1 and _travels(function, todo[0]):
            tasks = [BatchTask(f"solution {n}", function, job) for n, job in enumerate(todo, 1)]
            for outcome in cluster.outcomes(tasks):
                if outcome.error is not None:
                    raise outcome.error
                yield outcome.value
            return
        if self._pool is None and todo and self.workers > 1:
            start = time.perf_counter()
            yield function(*todo[0])
            took = time.perf_counter() - start
            todo = todo[1:]
            saved = took * len(todo) * (1.0 - 1.0 / self.workers)
            if len(todo) > 1 and saved > _START and _travels(function, todo[0]):
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(
                    min(self.workers, len(todo)), context, initializer=one_thread
                )
        if self._pool is not None and todo:
            finished = 0
            try:
                for result in self._pool.map(function, *zip(*todo, strict=True), chunksize=1):
                    finished += 1
                    yield result
            except BrokenProcessPool:
                _LOG.warning("processes could not be started; going on in this one")
                self._pool, self.workers, todo = None, 1, todo[finished:]
            else:
                return
        for job in todo:
            yield function(*job)


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
    """Whether a new process can import ``__main__`` without running a user's script again."""
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
