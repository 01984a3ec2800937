"""Whether tasks for a million files are neither too many nor too large, on 64 workers.

    python benchmarks/simulated_cluster.py

First a real scheduler of Dask with 64 workers in this process, which do next to nothing: what a
task costs the scheduler, the workers and the command. Then a simulation of events with that cost:
files of various length are sent in groups as `nrm process --scheduler` does, no more than a few
groups ahead of the first whose outcome is not yet known.
"""

from __future__ import annotations

import argparse
import heapq
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from nrm_plugin.batch import BatchTask, run_tasks
from nrm_plugin.batch import cluster as on_cluster
from nrm_plugin.batch.tasks import grouped

#: Seconds of a small file, and the standard deviation of its logarithm.
SECONDS, SPREAD = 0.075, 0.7


class Alike(Sequence[BatchTask]):
    """As many tasks as one likes, which take no memory."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.task = count, BatchTask("file", abs, (1,), size)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, at: Any) -> Any:
        if not 0 <= at < self.count:
            raise IndexError
        return self.task


def measured(workers: int, files: int) -> tuple[float, int]:
    """Seconds that a task costs a real scheduler with so many workers, and how many there were."""
    from distributed import LocalCluster

    about = {"n_workers": workers, "threads_per_worker": 1, "processes": False}
    with LocalCluster(**about, dashboard_address=None, memory_limit=None) as local:
        tasks = Alike(files, 0)
        groups = sum(1 for _ in grouped(tasks, workers))
        list(run_tasks(Alike(workers, 0), scheduler=local.scheduler_address))
        before = time.process_time()
        done = sum(1 for _ in run_tasks(tasks, scheduler=local.scheduler_address))
        assert done == files
        return (time.process_time() - before) / groups, groups


def simulated(files: int, workers: int, cost: float, most: int | None) -> dict[str, float]:
    """Simulate a run: groups, seconds of all, and how busy workers and scheduler were."""
    options = {} if most is None else {"most": most}
    rng = np.random.default_rng(1)
    free = [0.0] * workers
    ahead = on_cluster._AHEAD * workers + 2
    taken: list[float] = []
    done: list[float] = []
    scheduler = busy = 0.0
    for number, group in enumerate(grouped(Alike(files, 2 << 20), workers, **options)):
        if number >= ahead:  # the outcome of an earlier one is taken before this is sent
            first = number - ahead
            taken.append(max(taken[-1] if taken else 0.0, done[first]))
        sent = taken[-1] if taken else 0.0
        scheduler = max(scheduler, sent) + cost
        seconds = float(rng.lognormal(np.log(SECONDS) - SPREAD**2 / 2, SPREAD, len(group)).sum())
        end = max(scheduler, heapq.heappop(free)) + seconds
        heapq.heappush(free, end)
        done.append(end)
        busy += seconds
    last = max(done)
    return {
        "groups": len(done),
        "seconds": last,
        "workers": busy / workers / last,
        "scheduler": cost * len(done) / last,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--measured", type=int, default=64_000, help="files for the real scheduler")
    parser.add_argument("--cost", type=float, help="seconds of a task, instead of measuring them")
    given = parser.parse_args()
    if given.cost is None:
        cost, groups = measured(given.workers, given.measured)
        print(
            f"real scheduler, {given.workers} workers in this process: {cost * 1e3:.2f} ms of "
            f"processor for each of {groups} tasks, all sides together"
        )
    else:
        cost = given.cost
    print(f"{given.files} files of {SECONDS * 1e3:.0f} ms, {given.workers} workers:")
    for most in (1, 8, 32, 4096):
        found = simulated(given.files, given.workers, cost, most)
        print(
            f"  up to {most:4} in a task: {found['groups']:9.0f} tasks, {found['seconds']:6.0f} s, "
            f"workers {found['workers']:.1%} busy, scheduler {found['scheduler']:.1%}"
        )


if __name__ == "__main__":
    main()
