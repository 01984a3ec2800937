"""A study from its files to its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from nrm_plugin.study.study_plan import Study

#: Called with the steps done, their number, and what is being done.
Progress = Callable[[int, int, str], None]


@dataclass(kw_only=True)
class StudyRun:
    """What became of a study.

    Attributes
    ----------
    folder : Path
    made : list of str
        Steps that were done, in their order: ``process EC 1``, ``report EC 1``, ``comparison``,
        ``index``.
    kept : list of str
        Steps whose outcome was there already.
    failed : list of (str, str)
        File or sample, and the sentence that says why.
    messages : list of str
        What else is to be said.
    """

    folder: Path
    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        """Exit code: 1 where something failed."""
        return 1 if self.failed else 0


def run_study(
    study: Study,
    folder: str | PathLike[str],
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    rehash: bool = False,
    progress: Progress | None = None,
) -> StudyRun:
    """Do all of a study that is not done yet.

    Parameters
    ----------
    study : Study
    folder : path
        What is made lies there: see `docs/study.md`.
    jobs : int
        Processes at once.
    scheduler : str, optional
        Address of a Dask scheduler.
    rehash : bool
        Whether files are compared by their hashes although size and time are the same.
    progress : callable, optional

    Returns
    -------
    StudyRun

    Raises
    ------
    OutputError
        If the folder cannot be written, or another run is at work in it.
    """
    raise NotImplementedError
