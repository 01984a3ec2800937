"""Runs mutants in copies of the tree: each in a fork that has imported nothing of the project yet.

A mutant is a changed file on the disk, and for C a library built from it, so that functions, what
runs at import and the processes that tests start all have it.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mutant_map import load_build

#: Address space of a fork, bytes.
MEMORY = 8 << 30

#: What forks find imported.
LIBRARIES = ("numpy", "h5py", "scipy.stats", "scipy.optimize", "scipy.signal", "pydantic", "click")
LIBRARIES += ("xarray", "matplotlib.figure", "pandas", "scipy.ndimage", "zarr")

Outcome = tuple[str, str]  # killed, survived, or invalid (no mutant, or not tested); by what


class CompileError(Exception):
    """A mutant of C that is none."""


class Tree:
    """A copy of the tree: its files are changed and put back.

    Raises
    ------
    CompileError
        From `changed`, if a mutant of C does not compile.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self.scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self._build = load_build(root)
        self._kernels = root / "nrm_plugin" / "kernels"
        self._objects: dict[str, Path] = {}

    @contextlib.contextmanager
    def changed(self, name: str, text: str) -> Iterator[None]:
        """Have another text in a file, and for C the library that it makes."""
        path, library = self.root / name, self._build.library_path()
        before, stat = path.read_bytes(), path.stat()
        kept = library.with_suffix(".kept")
        if path.suffix == ".c" and not self._objects:
            self._objects = {c.stem: self._compiled(c) for c in self._kernels.glob("*.c")}
        try:
            path.write_text(text, encoding="utf-8")
            if path.suffix == ".c":
                made = self._library_with(path)
                library.replace(kept)
                shutil.copyfile(made, library)
            yield
        finally:
            path.write_bytes(before)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            if kept.exists():
                kept.replace(library)

    def _library_with(self, path: Path) -> Path:
        """A library in which one file of C is new, and "library.c", which holds the hash of all."""
        new = sorted({path.stem, "library"})
        objects = [made for stem, made in self._objects.items() if stem not in new]
        objects += [self._compiled(self._kernels / f"{stem}.c", "new-") for stem in new]
        made = self.scratch / "changed.so"
        _compile(["-shared", *map(str, objects), "-o", str(made), "-lm"])
        return made

    def _compiled(self, source: Path, prefix: str = "") -> Path:
        made = self.scratch / f"{prefix}{source.stem}.o"
        stamp = f'-DNRM_SOURCES="{self._build.sources_hash()}"'
        options = [*self._build.OPTIONS, stamp, "-fPIC"]
        _compile([*options, "-c", str(source), "-o", str(made)])
        return made


def _compile(options: list[str]) -> None:
    done = subprocess.run(["cc", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(done.stderr[:300])


def import_libraries() -> None:
    """Import what is not the project's, before forks are made."""
    for name in LIBRARIES:
        importlib.import_module(name)


# ---------------------------------------------------------------- forks


def forked(work: Callable[[], str], seconds: float, folder: Path) -> Outcome:
    """Do something in a fork with limits; whether it was killed, and by what.

    Parameters
    ----------
    work : callable
        Returns the test that failed, or nothing.
    seconds : float
        Processor time that it takes if all is well.
    folder : Path
        Where the fork's temporary files go.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sys.stdout.flush()
    read, write = os.pipe()
    child = os.fork()
    if not child:
        _in_fork(work, seconds, folder, write)
    os.close(write)
    ready, _, _ = select.select([read], [], [], 60 + 10 * seconds)
    said = os.read(read, 4096).decode() if ready else ""
    os.close(read)
    if not said:
        time.sleep(0.01)
    done, status = os.waitpid(child, 0 if said or _gone(child) else os.WNOHANG)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not done:
        os.waitpid(child, 0)
        return "killed", "time"
    if said.startswith("failed "):
        return "killed", said[7:]
    if said == "passed":
        return "survived", ""
    if said.startswith("error "):
        return "invalid", said[6:]
    if os.WIFSIGNALED(status):
        late = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        return "killed", "time" if late else f"signal {os.WTERMSIG(status)}"
    return "killed", said or "end of the process"


def _gone(child: int) -> bool:
    """Whether a process has ended (it is not waited for)."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _in_fork(work: Callable[[], str], seconds: float, folder: Path, write: int) -> None:
    os.setpgrp()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    limit = int(30 + 4 * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
    try:
        failed = work()
        said = f"failed {failed}" if failed else "passed"
    except BaseException as error:  # of the runner: pytest catches those of tests
        said = f"error {type(error).__name__}: {error}"
    os.write(write, said.encode()[:4000])
    os._exit(0)


class _Failures:
    """A plugin of pytest: the tests that failed."""

    def __init__(self) -> None:
        self.tests: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.tests.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.tests.append(report.nodeid or "collection")


_OPTIONS = ["-q", "-n", "0", "-s", "--tb=no", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
_OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # pytest runs more than once

#: Files of tests that are collected at once.
_AT_ONCE = 3


def first_failure(tests: list[str]) -> str:
    """Run tests in this process until one fails; its name, or nothing.

    A few files at a time, since to collect the tests of a file may take longer than to run some.

    Raises
    ------
    RuntimeError
        If pytest does not know such tests.
    """
    groups = itertools.groupby(tests, lambda test: test.partition("::")[0])
    files = [list(group) for _, group in groups]
    failures = _Failures()
    for begin in range(0, len(files), _AT_ONCE):
        some = itertools.chain(*files[begin : begin + _AT_ONCE])
        code = pytest.main([*_OPTIONS, "-x", *some], plugins=[failures])
        if failures.tests:
            return failures.tests[0]
        if code != 0:
            raise RuntimeError(f"pytest ended with {int(code)}")
    return ""


def all_failures(tests: list[str]) -> list[str]:
    """Run tests in this process; those that failed."""
    failures = _Failures()
    pytest.main([*_OPTIONS, *tests], plugins=[failures])
    return failures.tests
