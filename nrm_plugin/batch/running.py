"""Who makes calls that do not depend on each other: this process, others here, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING

from nrm_plugin.batch.tasks import BatchTask, Outcome, made
from nrm_plugin.errors import InvalidInput

if TYPE_CHECKING:
    from nrm_plugin.batch.cluster import Cluster

#: Called with how many tasks are done, and how many there are.
Progress = Callable[[int, int], None]


def run_tasks(
    tasks: Sequence[BatchTask],
    *,
    jobs: int = 1,
    scheduler: str | Cluster | None = None,
    progress: Progress | None = None,
) -> Generator[Outcome, None, None]:
    """Make calls, and give what became of them in the order of the tasks.

    What follows from one outcome may be done before the next is asked for: meanwhile the others
    go on, as far as a bounded number of tasks is ahead. Leaving the loop ends what is not done.

    Parameters
    ----------
    tasks : sequence of BatchTask
    jobs : int
        Processes on this computer; 1 is this one. More are started anew, so that a script that
        asks for them needs ``if __name__ == "__main__":``.
    scheduler : str or Cluster, optional
        Address of a Dask scheduler (``tcp://host:8786``), or its scheduler file; its workers make
        the calls, whatever `jobs` says.
    progress : callable, optional

    Yields
    ------
    Outcome
        Of each task; an `NrmError` that its function raised is in it.

    Raises
    ------
    InvalidInput
        For less than one process.
    BatchError
        If the cluster or its workers cannot be used, or are lost.
    Exception
        What else a function raises.
    """
    if jobs < 1:
        raise InvalidInput(f"the number of processes is {jobs}: give 1 or more")
    if scheduler is not None:
        from nrm_plugin.batch.cluster import Cluster

        with Cluster.of(scheduler) as cluster:
            outcomes = cluster.outcomes(tasks)
            yield from _counted(outcomes, len(tasks), progress)
    elif jobs > 1 and len(tasks) > 1:
        from nrm_plugin.batch.processes import outcomes_of_processes

        yield from _counted(outcomes_of_processes(tasks, jobs), len(tasks), progress)
    else:
        yield from _counted(map(made, tasks), len(tasks), progress)


def _counted(
    outcomes: Iterator[Outcome], total: int, progress: Progress | None
) -> Iterator[Outcome]:
    for done, outcome in enumerate(outcomes, 1):
        if progress is not None:
            progress(done, total)
        yield outcome
