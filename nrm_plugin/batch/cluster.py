"""Tasks on the workers of a Dask cluster that is there already."""

from __future__ import annotations

import logging
import platform
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any, Self

from nrm_plugin import __version__
from nrm_plugin.batch.tasks import BatchTask, Outcome, grouped, made_together
from nrm_plugin.errors import BatchError, MissingFile, MissingPackage

#: How often Dask makes a call again that a worker could not end.
RETRIES = 2

#: Calls that are ahead of the one whose outcome is asked for, per thread of a worker: no worker
#: waits for work, and neither the scheduler nor this process holds more than a few of each.
_AHEAD = 3

_INSTALLED = (
    "install the same version on every worker, in the same kind of environment (docs/scale.md)"
)


class Cluster:
    """A connection to a Dask scheduler. Use it in a ``with`` block.

    Parameters
    ----------
    scheduler : str
        Address (``tcp://host:8786``), or the path of a scheduler file.
    timeout : float
        Seconds until there must be an answer.

    Raises
    ------
    MissingPackage
        Without the extra ``dask``.
    BatchError
        If nobody answers at the address.
    """

    def __init__(self, scheduler: str, timeout: float = 15.0) -> None:
        self.scheduler, self._timeout = scheduler, timeout
        self._client: Any = None
        self._shared: list[tuple[str, str]] = []
        self._stack = ExitStack()

    @staticmethod
    def of(scheduler: str | Cluster) -> Any:
        """Make a context with a cluster: one that is open already stays open."""
        return nullcontext(scheduler) if isinstance(scheduler, Cluster) else Cluster(scheduler)

    def __enter__(self) -> Self:
        try:
            from distributed import Client
        except ImportError:
            raise MissingPackage("distributed", "dask") from None
        self._stack.enter_context(_quiet())
        file = self.scheduler.endswith(".json")
        about: dict[str, Any] = (
            {"scheduler_file": self.scheduler} if file else {"address": self.scheduler}
        )
        try:
            if file and not Path(self.scheduler).is_file():
                raise MissingFile(self.scheduler, "there is no such scheduler file")
            connected: Any = Client  # it has no annotations
            self._client = connected(
                **about, timeout=self._timeout, set_as_default=False, name="nrm"
            )
        except (OSError, ValueError, TypeError) as error:
            self._stack.close()
            why = str(error) or "no answer in time"
            raise BatchError(
                f"no Dask scheduler answers at {self.scheduler} ({why}): is it running, and can "
                "this computer reach it?"
            ) from None
        except BaseException:
            self._stack.close()
            raise
        self._stack.callback(self._closed)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _closed(self) -> None:
        with suppress(Exception):  # it may be lost
            self._client.close(timeout=5.0)

    @property
    def slots(self) -> int:
        """Calls that workers make at once; 1 while there is none."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        return max(1, sum(int(worker["nthreads"]) for worker in workers))

    def share(self, folder: Path) -> None:
        """Make sure that workers see this folder, by a mark that each looks for before its first.

        Results that are written in a folder of the same name on another disk would be lost.
        """
        mark = folder / f".nrm-{secrets.token_hex(8)}"
        mark.touch()
        self._shared.append((str(folder), mark.name))
        self._stack.callback(lambda: mark.unlink(missing_ok=True))

    def outcomes(self, tasks: Sequence[BatchTask]) -> Iterator[Outcome]:
        """Make calls on the workers; see `run_tasks`."""
        from distributed.scheduler import KilledWorker

        groups = list(grouped(tasks, self.slots))
        function = _Checked(made_together, signature(), tuple(self._shared))
        done = 0
        for group, future in self._futures(function, ((group,) for group in groups)):
            try:
                results = self._result(future, f"{done} of {len(tasks)} files were done")
            except KilledWorker:
                names = ", ".join(task.name for task in group[:3])
                error = BatchError(
                    f"workers died {RETRIES + 1} times while they had {names} in work: "
                    "there may be too little memory for each"
                )
                results = [(None, error)] * len(group)
            for task, (value, error) in zip(group, results, strict=True):
                yield Outcome(task, value, error)
            done += len(group)

    def blocks(
        self, function: Callable[..., Any], pieces: Iterable[tuple[int, ...]]
    ) -> Iterator[tuple[Any, ...]]:
        """Call a function for every piece of numbers, and give these and what it returned in order.

        The function travels once to every worker that needs it.
        """
        from distributed.scheduler import KilledWorker

        checked = _Checked(function, signature(), tuple(self._shared))
        there = self._client.scatter(checked, broadcast=False, hash=False)
        for piece, future in self._futures(_call, ((there, *piece) for piece in pieces)):
            try:
                made = self._result(future, "what was done is kept")
            except KilledWorker:
                raise BatchError(
                    f"workers died {RETRIES + 1} times with curves {piece[1]} to {piece[2] - 1} in "
                    "work: there may be too little memory for each"
                ) from None
            yield (*piece[1:], made)

    def _futures(
        self, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]
    ) -> Iterator[tuple[Any, Any]]:
        """Submit calls, no more than a few ahead; give arguments and futures in order."""
        ahead = _AHEAD * self.slots + 2
        waiting: deque[tuple[Any, Any]] = deque()
        try:
            for arguments in calls:
                future = self._client.submit(
                    function, *arguments, pure=False, retries=RETRIES, key=_key()
                )
                waiting.append((arguments if len(arguments) > 1 else arguments[0], future))
                if len(waiting) > ahead:
                    yield waiting.popleft()
                    ahead = _AHEAD * self.slots + 2  # workers may come and go
            while waiting:
                yield waiting.popleft()
        finally:
            for _, future in waiting:
                with suppress(Exception):
                    future.cancel()

    def _result(self, future: Any, done: str) -> Any:
        try:
            result = future.result()
        except CancelledError:
            raise BatchError(
                f"the Dask scheduler at {self.scheduler} was lost; {done}, and the same call goes "
                "on from there when there is a scheduler again"
            ) from None
        except ModuleNotFoundError as error:
            raise BatchError(f"a worker has no package {error.name}: {_INSTALLED}") from None
        future.release()
        if isinstance(result, _Unfit):
            raise BatchError(result.sentence)
        return result


class _Unfit:
    """Why a worker cannot make calls."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


class _Checked:
    """A function that a worker calls when it is known to be as this process is."""

    def __init__(
        self,
        function: Callable[..., Any],
        wanted: dict[str, str],
        shared: tuple[tuple[str, str], ...],
    ) -> None:
        self.function, self.wanted, self.shared = function, wanted, shared

    def __call__(self, *arguments: Any) -> Any:
        """Call it, or say why not."""
        from threadpoolctl import threadpool_limits

        unfit = _unfit(tuple(self.wanted.items()), self.shared)
        if unfit:
            return _Unfit(unfit)
        with threadpool_limits(1, user_api="blas"):
            return self.function(*arguments)


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


@cache
def signature() -> dict[str, str]:
    """Return versions on which results depend."""
    import numpy as np
    import scipy

    from nrm_plugin.kernels.build import sources_hash

    return {
        "nrm-plugin": __version__,
        "the compiled library of nrm-plugin": sources_hash()[:12],
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


@cache
def _unfit(wanted: tuple[tuple[str, str], ...], shared: tuple[tuple[str, str], ...]) -> str:
    """Why this worker cannot make calls; empty if it can."""
    here = f"the worker on {platform.node()}"
    mine = signature()
    for name, version in wanted:
        if mine[name] != version:
            return (
                f"{here} has {name} {mine[name]}, and here it is {version}: results could differ; "
                f"{_INSTALLED}"
            )
    for folder, mark in shared:
        if not (Path(folder) / mark).exists():
            return (
                f"{here} does not see the folder {folder} as it is here: files and results must "
                "lie on storage that all workers share, under the same path"
            )
    return ""


def _key() -> str:
    return f"nrm-{secrets.token_hex(12)}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from logging what is said here in a sentence."""
    logs = [logging.getLogger(f"distributed{part}") for part in ("", ".client", ".core", ".comm")]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.setLevel(level)
