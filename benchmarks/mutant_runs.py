"""Runs mutants in a copy of the tree: tests are collected once, and every mutant is a fork of that.

A mutant inside a function of Python is put into the fork's functions, one of the library in C is
compiled and loaded there; what is computed while modules are imported (constants, defaults) is
tested by a fork that has imported nothing of the project yet. The file is changed on the disk too,
for the processes that tests start.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
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
from types import CodeType, FunctionType
from typing import Any

import pytest
from mutant_map import load_build

#: Address space of a fork, bytes.
MEMORY = 8 << 30

#: What forks that import the project themselves find imported.
LIBRARIES = ("numpy", "h5py", "scipy.stats", "scipy.optimize", "scipy.signal", "pydantic", "click")
LIBRARIES += ("xarray", "matplotlib.figure", "pandas")

Outcome = tuple[str, str]  # killed, survived, or invalid (no mutant, or not tested); by what
Work = Callable[[], str]  # in the fork: the test that failed, or nothing


class Tree:
    """The copy: its files are changed and put back.

    Raises
    ------
    CompileError
        From `changed`, if a mutant of C does not compile.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self.scratch = scratch
        self._build = load_build(root)
        self._kernels = root / "nrm_plugin" / "kernels"
        self._objects: list[Path] = []

    @contextlib.contextmanager
    def changed(self, name: str, text: str, made: Path | None = None) -> Iterator[None]:
        """Have another text in a file, and another library if one is given."""
        path = self.root / name
        before, stat = path.read_bytes(), path.stat()
        library = self._build.library_path()
        kept = library.with_suffix(".kept")
        try:
            if made is not None:
                library.replace(kept)
                shutil.copyfile(made, library)
            path.write_text(text, encoding="utf-8")
            yield
        finally:
            path.write_bytes(before)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            if kept.exists():
                kept.replace(library)

    def library_with(self, name: str, text: str, *, on_disk: bool) -> Path:
        """A library in which one file of C is another, with the hash that it has to have."""
        if not self._objects:
            self._objects = [self._compiled(c, c.stem) for c in sorted(self._kernels.glob("*.c"))]
        path = self.root / name
        other = self.scratch / "changed" / "kernels"
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(self._kernels, other, ignore=shutil.ignore_patterns("*.py", "_*"))
        Path(other, path.name).write_text(text, encoding="utf-8")
        stamp = self._build.sources_hash(other if on_disk else self._kernels)
        stems = {path.stem, "library"}  # the latter holds the hash
        objects = [o for o in self._objects if o.stem not in stems]
        objects += [self._compiled(other / f"{s}.c", f"new-{s}", stamp) for s in sorted(stems)]
        made = self.scratch / "changed.so"
        self._link(made, objects)
        return made

    def _compiled(self, source: Path, name: str, stamp: str = "") -> Path:
        made = self.scratch / f"{name}.o"
        options = [*self._build.OPTIONS, f'-DNRM_SOURCES="{stamp}"', "-fPIC"]
        _compile([*options, "-c", str(source), "-o", str(made)])
        return made

    def _link(self, library: Path, objects: list[Path]) -> None:
        made = library.with_suffix(".part")
        _compile(["-shared", *map(str, objects), "-o", str(made), "-lm"])
        made.replace(library)


class CompileError(Exception):
    """A mutant of C that is none."""


def _compile(options: list[str]) -> None:
    done = subprocess.run(["cc", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(done.stderr[:300])


# ---------------------------------------------------------------- Python


def functions(code: CodeType) -> dict[tuple[str, int], CodeType]:
    """All functions of a module's code, also those inside others, by name and line."""
    found = {}
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_flags & 1:  # optimized: a function, not the body of a class
                found[inner.co_qualname, inner.co_firstlineno] = inner
            found |= functions(inner)
    return found


def changed_functions(path: Path, text: str) -> dict[tuple[str, int], CodeType] | None:
    """Functions that differ; None if what runs at import does.

    Raises
    ------
    SyntaxError
    """
    old = compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True)
    new = compile(text, str(path), "exec", dont_inherit=True)
    if _imported(old) != _imported(new):
        return None
    before, after = functions(old), functions(new)
    return {key: code for key, code in after.items() if before.get(key) != code}


def _imported(code: CodeType) -> list[Any]:
    """What of a code runs at import."""
    shown: list[Any] = [code.co_code, code.co_names]
    for inner in code.co_consts:
        if not isinstance(inner, CodeType):
            shown.append((type(inner), repr(inner)))
        elif not inner.co_flags & 1:
            shown.append(_imported(inner))
        elif inner.co_name.startswith("<") and inner.co_name != "<lambda>":
            shown.append(inner)  # a comprehension
    return shown


def put_in(tree: Path, path: Path, changed: dict[tuple[str, int], CodeType]) -> None:
    """Give the functions of this process other code."""
    parts = path.relative_to(tree).with_suffix("").parts
    name = ".".join(parts[parts[0] in ("daq", "importers") :])
    importlib.import_module(name.removesuffix(".__init__"))
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and function.__code__.co_filename == str(path):
            code = function.__code__
            new = changed.get((code.co_qualname, code.co_firstlineno))
            if new is not None:
                function.__code__ = new.replace(co_freevars=code.co_freevars)


def load_library(path: Path) -> None:
    """Let this process use another library."""
    module = importlib.import_module("nrm_plugin.kernels.library")
    new = ctypes.CDLL(str(path))
    module.LIBRARY.__dict__.clear()
    module.LIBRARY.__dict__.update(new.__dict__)
    module._declare(module.LIBRARY)


# ---------------------------------------------------------------- forks


def forked(work: Work, seconds: float, folder: Path) -> Outcome:
    """Do something in a fork with limits; whether it was killed, and by what.

    Parameters
    ----------
    work : callable
    seconds : float
        What it takes if all is well.
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


def _in_fork(work: Work, seconds: float, folder: Path, write: int) -> None:
    os.setpgrp()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    limit = int(15 + 4 * seconds)
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


class FirstFailure:
    """A plugin of pytest: the first test that failed."""

    def __init__(self) -> None:
        self.test = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.test:
            self.test = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.test:
            self.test = report.nodeid or "collection"


OPTIONS = [
    "-q",
    "-x",
    "-n",
    "0",
    "-s",
    "--tb=no",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:faulthandler",
]


def imported_anew(tests: list[str]) -> str:
    """Run tests in this process, which has imported nothing of the project."""
    first = FirstFailure()
    code = pytest.main([*OPTIONS, *tests], plugins=[first])
    return first.test or ("" if code == 0 else f"pytest ended with {int(code)}")


def import_libraries() -> None:
    """Import what is not the project's."""
    for name in LIBRARIES:
        importlib.import_module(name)


class Collected:
    """A plugin of pytest: it collects, and then does something else than to run all.

    Parameters
    ----------
    then : callable
        Gets this object.
    """

    def __init__(self, then: Callable[[Collected], None]) -> None:
        self._then = then
        self._items: dict[str, pytest.Item] = {}
        self._first = FirstFailure()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        session.config.pluginmanager.register(self._first)
        self._items = {item.nodeid: item for item in session.items}
        self._then(self)
        return True

    def run(self, tests: list[str]) -> str:
        """Run tests until one fails; its name, or nothing."""
        items = [self._items[test] for test in tests if test in self._items]
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._first.test:
                break
        return self._first.test
