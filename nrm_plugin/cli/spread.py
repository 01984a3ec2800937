"""Who works at many files: this process, several here, or a Dask cluster."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin import formats
from nrm_plugin.batch import BatchTask, Outcome, run_tasks
from nrm_plugin.errors import NrmError

if TYPE_CHECKING:
    from nrm_plugin.batch.cluster import Cluster

#: Bytes from which on a file is not one task: all threads, or all workers, take blocks of it.
LARGE = 256 << 20

_JOBS = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes at most: one file in each. Of one large file N threads take blocks.",
)
scheduler_option = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Dask scheduler whose workers do it (tcp://host:8786, or its scheduler file); needs "
    'pip install "nrm-plugin[dask]".',
)


def with_spread(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--jobs`` and ``--scheduler``."""
    return _JOBS(scheduler_option(command))


class Calls(Sequence[BatchTask]):
    """Tasks that are made when they are asked for: there may be a million.

    Parameters
    ----------
    make : callable
        Task of a number.
    sent : list of (number, bytes)
    """

    def __init__(self, make: Callable[[int], BatchTask], sent: list[tuple[int, int]]) -> None:
        self._make, self._sent = make, sent

    def __len__(self) -> int:
        return len(self._sent)

    def __getitem__(self, at: Any) -> Any:
        number, size = self._sent[at]
        return replace(self._make(number), size=size)


@dataclass(kw_only=True)
class Spread:
    """Who works at many files.

    Attributes
    ----------
    jobs : int or None
        Processes here.
    scheduler : str or None
        Of a Dask cluster.
    threads : int or None
        Of one file that is made in this process.
    """

    jobs: int | None = None
    scheduler: str | None = None
    threads: int | None = None
    _cluster: Cluster | None = field(default=None, repr=False)
    _bar: Any = field(default=None, repr=False)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Connect to the scheduler, if there is one, for as long as the block lasts."""
        self.threads = self.threads or self.jobs
        if self.scheduler is None:
            yield
            return
        from nrm_plugin.batch.cluster import Cluster

        with Cluster(self.scheduler) as self._cluster:
            try:
                yield
            finally:
                self._cluster = None

    @property
    def elsewhere(self) -> Any:
        """What calls a function for blocks of curves on the cluster; None without one."""
        return self._cluster.blocks if self._cluster is not None else None

    def sent(self, pairs: Sequence[tuple[Path, Path]]) -> list[tuple[int, int]]:
        """Which of the pairs of files and outputs are tasks for others, and the files' sizes.

        Not those that are large, and not those of which one is made here first to know what
        becomes of the other: outputs of one name, and files that make a map together.
        """
        if self.scheduler is None and (self.jobs or 1) == 1:
            return []
        outs = Counter(str(out) for _, out in pairs)
        kinds = Counter(map(_kind, (path for path, _ in pairs)))
        together: dict[tuple[str, str], bool] = {}
        found = []
        for number, (path, out) in enumerate(pairs):
            size = 0
            with suppress(OSError):
                size = path.stat().st_size
            kind = _kind(path)
            if kind not in together:
                together[kind] = kinds[kind] > 1 and _of_several(path)
            if outs[str(out)] == 1 and size < LARGE and not together[kind]:
                found.append((number, size))
        return found if len(found) > 1 or self.scheduler else []

    @contextmanager
    def made(
        self, tasks: Sequence[BatchTask], folder: Path, quiet: bool
    ) -> Iterator[Iterator[Outcome]]:
        """Give what became of tasks, in their order."""
        if not tasks:
            yield iter(())
            return
        if self._cluster is not None:
            self._cluster.share(folder.absolute())
        with self._shown(len(tasks), quiet) as progress:
            outcomes = run_tasks(
                tasks, jobs=self.jobs or 1, scheduler=self._cluster, progress=progress
            )
            with closing(outcomes):
                yield map(_whole, outcomes)

    @contextmanager
    def _shown(self, total: int, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
        if quiet or not sys.stderr.isatty():
            yield None
            return
        from tqdm import tqdm

        with tqdm(total=total, unit=" files", leave=False) as self._bar:
            try:
                yield lambda done, total: self._bar.update(done - self._bar.n)
            finally:
                self._bar = None

    def echo(self, text: str, *, err: bool = False) -> None:
        """Show a text, beside the bar if there is one."""
        if self._bar is not None:
            with self._bar.external_write_mode():
                click.echo(text, err=err)
        else:
            click.echo(text, err=err)


def _whole(outcome: Outcome) -> Outcome:
    """Return an outcome with what its function returned: errors of files are in it already."""
    if outcome.error is not None:
        raise outcome.error
    return outcome


def _kind(path: Path) -> tuple[str, str]:
    return str(path.parent), path.suffix.lower()


def _of_several(path: Path) -> bool:
    """Whether a file is opened together with others."""
    try:
        return len(formats.open(path).origins) > 1
    except NrmError:
        return False
