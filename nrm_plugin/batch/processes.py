"""Tasks in processes of this computer."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from nrm_plugin.batch.tasks import BatchTask, Outcome, grouped, made_together
from nrm_plugin.errors import BatchError

_MOST = 61  # processes that Windows can wait for

#: How often a group of tasks is begun anew whose process died.
_RETRIES = 2

#: Groups that are ahead of the one whose outcome is asked for, per process.
_AHEAD = 8


def outcomes_of_processes(tasks: Sequence[BatchTask], jobs: int) -> Iterator[Outcome]:
    """Make calls in several processes; see `run_tasks`."""
    jobs = min(jobs, len(tasks), _MOST)
    groups = list(grouped(tasks, jobs))
    begin = died = 0
    while begin < len(groups):
        done = 0
        pool = _Processes(jobs)
        try:
            for group, results in pool.results(groups[begin:]):
                done += 1
                died = 0
                for task, (value, error) in zip(group, results, strict=True):
                    yield Outcome(task, value, error)
        except BrokenProcessPool:
            died += 1
            if died > _RETRIES:
                names = ", ".join(task.name for task in groups[begin + done][:3])
                raise BatchError(
                    f"processes were killed {died} times, about where {names} was in work: there "
                    "may be too little memory; call again with fewer --jobs"
                ) from None
        finally:
            pool.end()
        begin += done


class _Processes:
    """Processes that end with the block, also where Ctrl-C ends it."""

    def __init__(self, jobs: int) -> None:
        self._before = set(multiprocessing.active_children())
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(jobs, context, initializer=_deaf)
        self._ahead = _AHEAD * jobs

    def results(
        self, groups: Sequence[list[BatchTask]]
    ) -> Iterator[tuple[list[BatchTask], list[Any]]]:
        """Give what was made of each group, in their order."""
        waiting: deque[tuple[list[BatchTask], Future[list[Any]]]] = deque()
        for group in groups:
            waiting.append((group, self._executor.submit(made_together, group)))
            if len(waiting) >= self._ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
        self._before |= set(multiprocessing.active_children())  # nobody is to be stopped

    def end(self) -> None:
        """Stop what is still going on: files get their names when they are complete."""
        for process in set(multiprocessing.active_children()) - self._before:
            process.terminate()
        self._executor.shutdown(cancel_futures=True)


def _deaf() -> None:
    """Leave Ctrl-C to the process that started this one, and linear algebra to one thread."""
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1, user_api="blas")
