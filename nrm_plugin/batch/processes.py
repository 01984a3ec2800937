"""Tasks in processes of this computer."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
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
    groups = grouped(tasks, jobs)
    begun: deque[list[BatchTask]] = deque()  # and their outcomes are not yet known
    died = 0
    while True:
        pool = _Processes(jobs)
        try:
            for results in pool.results(groups, begun):
                died = 0
                for task, (value, error) in zip(begun.popleft(), results, strict=True):
                    yield Outcome(task, value, error)
            return
        except BrokenProcessPool:
            died += 1
            if died > _RETRIES:
                names = ", ".join(task.name for task in begun[0][:3])
                raise BatchError(
                    f"processes were killed {died} times, about where {names} was in work: there "
                    "may be too little memory; call again with fewer --jobs"
                ) from None
        finally:
            pool.end()


class _Processes:
    """Processes that end with the block, also where Ctrl-C ends it."""

    def __init__(self, jobs: int) -> None:
        self._before = set(multiprocessing.active_children())
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(jobs, context, initializer=_deaf)
        self._ahead = _AHEAD * jobs

    def results(
        self, groups: Iterator[list[BatchTask]], begun: deque[list[BatchTask]]
    ) -> Iterator[list[Any]]:
        """Give what was made of the first group that was begun, again and again.

        Who takes it takes the group away from those that were begun.
        """
        waiting = deque(self._executor.submit(made_together, group) for group in begun)
        for group in groups:
            begun.append(group)
            waiting.append(self._executor.submit(made_together, group))
            if len(waiting) >= self._ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
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
