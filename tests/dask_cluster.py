"""A real Dask scheduler and real workers in processes of their own, on this computer alone."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

#: Seconds in which busy cores start a process that imports much.
PATIENCE = 120.0

#: Workers look neither at their own stacks (100 times a second) nor at the machine.
QUIET = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s",
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until(happened: Callable[[], bool], what: str) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE:.0f} s"
        time.sleep(0.02)


class DaskCluster:
    """A scheduler at a fixed port, which can be killed and started again, and its workers."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self.folder, self.port = folder, free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.start_scheduler()
        for _ in range(workers):
            self.start_worker()
        self.wait(workers)

    def _started(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        code = f"from distributed.cli.dask_{words[0]} import main; main()"
        log = (self.folder / f"{words[0]}.log").open("ab")
        with log:
            return subprocess.Popen(
                [sys.executable, "-c", code, *words[1:]],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=os.environ | QUIET | environment,
            )

    def start_scheduler(self) -> None:
        self.scheduler = self._started(
            *("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"),
            *("--no-show",),
        )

    def start_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        worker = self._started(
            *("worker", self.address, "--nthreads", "1", "--no-dashboard", "--no-nanny"),
            *("--death-timeout", "300", "--memory-limit", "2GB"),
            *("--local-directory", str(self.folder)),
            **environment,
        )
        self.workers.append(worker)
        return worker

    def wait(self, workers: int) -> None:
        from distributed import Client

        end = time.monotonic() + PATIENCE
        while True:
            try:
                with Client(self.address, timeout=5, set_as_default=False) as client:
                    client.wait_for_workers(workers, timeout=PATIENCE)
                    return
            except OSError:  # the scheduler is about to start
                assert time.monotonic() < end, (self.folder / "scheduler.log").read_text()

    def kill_scheduler(self) -> None:
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()

    def stop(self) -> None:
        for process in [*self.workers, self.scheduler]:
            if process is not None:
                process.kill()
                process.wait()


@contextlib.contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[DaskCluster]:
    cluster = DaskCluster(folder, workers)
    try:
        yield cluster
    finally:
        cluster.stop()
