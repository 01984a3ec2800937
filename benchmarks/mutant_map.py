"""Which tests run a line, of Python and of the library in C: the map that mutants are tested by.

A plugin of pytest. Lines of Python come from coverage's contexts, lines of C from gcov; fixtures
that several tests share have contexts of their own, so that all of these tests get their lines.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import coverage
import pytest

#: Packages whose lines are recorded, from the tree's root.
PACKAGES = ("nrm_plugin", "importers/nrm_importers", "daq/nrm_daq")

#: Processor time of this process, and time by the clock, that a test may take while lines are
#: recorded, s; slower ones are left out.
LIMIT, PATIENCE = 4.0, 60.0

_DUMP = """
void __gcov_dump(void);
void __gcov_reset(void);
__attribute__((visibility("default"))) void nrm_lines(void) { __gcov_dump(); __gcov_reset(); }
"""


def _processor_time() -> float:
    """Of this process and of those that it waited for, s."""
    return sum(os.times()[:4])


class _TooSlowError(BaseException):
    """Nothing that a test catches."""


class Recorder:
    """Records the lines and times of every test that passes.

    Attributes
    ----------
    tests : dict
        Seconds of each test that passed.
    fixtures : dict
        Seconds of each shared fixture, by "name@path".
    uses : dict
        Shared fixtures of each test.
    c_lines : dict
        Lines of C by context.
    """

    def __init__(self, tree: Path, folder: Path) -> None:
        self.tests: dict[str, float] = {}
        self.fixtures: dict[str, float] = {}
        self.uses: dict[str, list[str]] = {}
        self.c_lines: dict[str, dict[str, list[int]]] = {}
        self.folder = folder
        self._tree = tree
        self._context = ""
        self._failed = False
        self._spent = 0.0
        self._counters = _Counters(tree, folder / "gcov")
        self.coverage = coverage.Coverage(
            data_file=str(folder / "lines.coverage"),
            branch=True,
            config_file=False,
            source=[str(tree / package) for package in PACKAGES],
        )

    def _switch(self, context: str) -> str:
        """Go on in another context; the one before."""
        lines = self._counters.taken()
        for name, numbers in lines.items():
            known = self.c_lines.setdefault(self._context, {})
            known[name] = sorted({*known.get(name, []), *numbers})
        self.coverage.switch_context(context)
        before, self._context = self._context, context
        return before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._failed, self._spent = False, 0.0
        self._switch(item.nodeid)
        begin = _processor_time()
        done = yield
        seconds = _processor_time() - begin - self._spent
        self._switch("")
        if not self._failed:
            self.tests[item.nodeid] = seconds
        print("failed" if self._failed else f"{seconds:.2f}", item.nodeid, file=sys.stderr)
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed |= report.outcome != "passed"

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        if fixturedef.scope == "function":
            return (yield)
        name = f"{fixturedef.argname}@{fixturedef.baseid}"
        before = self._switch(name)
        begin = _processor_time()
        outer, self._spent = self._spent, 0.0
        try:
            return (yield)
        finally:
            seconds = _processor_time() - begin
            self.fixtures[name] = max(self.fixtures.get(name, 0.0), seconds - self._spent)
            self._spent = outer + seconds
            self._switch(before)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, Any, Any]:
        with _Limited():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        with _Limited():
            return (yield)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            self.uses[item.nodeid] = list(getattr(item, "fixturenames", ()))

    def write(self) -> None:
        """Write tests.json: times, shared fixtures and lines of all tests that passed."""
        self.coverage.stop()
        self.coverage.save()
        lines: dict[str, dict[str, list[int]]] = {k: dict(v) for k, v in self.c_lines.items()}
        data = self.coverage.get_data()
        for file in data.measured_files():
            name = Path(file).relative_to(self._tree).as_posix()
            for number, contexts in data.contexts_by_lineno(file).items():
                for context in contexts:
                    lines.setdefault(context, {}).setdefault(name, []).append(number)
        known = {
            "tests": self.tests,
            "fixtures": self.fixtures,
            "uses": {test: self._shared(test) for test in self.tests},
            "lines": lines,
        }
        Path(self.folder, "tests.json").write_text(json.dumps(known), encoding="utf-8")

    def _shared(self, test: str) -> list[str]:
        """Shared fixtures of a test, by their contexts."""
        found = (fixture.partition("@") for fixture in self.fixtures)
        return [f"{a}@{b}" for a, _, b in found if a in self.uses[test] and test.startswith(b)]


class _Limited:
    """Ends what takes too long."""

    def __enter__(self) -> None:
        signal.signal(signal.SIGPROF, self._end)
        signal.signal(signal.SIGALRM, self._end)
        signal.setitimer(signal.ITIMER_PROF, LIMIT)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.setitimer(signal.ITIMER_REAL, 0.0)

    @staticmethod
    def _end(*_: object) -> None:
        raise _TooSlowError


class _Counters:
    """Counters of the lines of C, of the library that `build_counting` made."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self._folder = folder
        self._empty: dict[str, int] = {}
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(counting_folder(tree), folder)
        os.environ.update(GCOV_PREFIX=str(folder), GCOV_PREFIX_STRIP="99")
        self._library = ctypes.CDLL(str(load_build(tree).library_path()))
        self.taken()
        self._empty = {path.name: path.stat().st_size for path in self._dump()}

    def _dump(self) -> list[Path]:
        for path in self._folder.glob("*.gcda"):
            path.unlink()
        self._library.nrm_lines()
        return sorted(self._folder.glob("*.gcda"))

    def taken(self) -> dict[str, list[int]]:
        """Lines that ran since the last call, by the file's path in the tree."""
        ran = [p.name for p in self._dump() if p.stat().st_size != self._empty.get(p.name)]
        if not ran or not self._empty:
            return {}
        done = subprocess.run(
            ["gcov", "--json-format", "--stdout", *ran],
            cwd=self._folder,
            capture_output=True,
            check=True,
        )
        found: dict[str, list[int]] = {}
        for text in done.stdout.splitlines():
            for file in json.loads(text)["files"]:
                name = Path(file["file"]).name
                lines = [line["line_number"] for line in file["lines"] if line["count"]]
                if lines and name.endswith(".c") and name != "dump.c":
                    found[f"nrm_plugin/kernels/{name}"] = lines
        return found


def counting_folder(tree: Path) -> Path:
    """Where the notes of the compiler about the lines are."""
    return tree.parent / f"{tree.name}-gcov"


def build_counting(tree: Path) -> None:
    """Build the tree's library so that it counts its lines."""
    build, folder = load_build(tree), counting_folder(tree)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    Path(folder, "dump.c").write_text(_DUMP, encoding="utf-8")
    kernels = tree / "nrm_plugin" / "kernels"
    options = [o for o in build.OPTIONS if o not in ("-O3", "-g0")]
    options += ["-O1", "-fPIC", "--coverage", f'-DNRM_SOURCES="{build.sources_hash()}"']
    sources = sorted(kernels.glob("*.c"))
    subprocess.run(["gcc", *options, "-c", *sources, "dump.c"], cwd=folder, check=True)
    made = kernels / "_kernels.part"
    objects = [f"{path.stem}.o" for path in sources] + ["dump.o"]
    subprocess.run(
        ["gcc", "--coverage", "-shared", *objects, "-o", made, "-lm"], cwd=folder, check=True
    )
    made.replace(build.library_path())


def load_build(tree: Path) -> Any:
    """The module that builds the library of a tree, without the project."""
    import importlib.util

    path = tree / "nrm_plugin" / "kernels" / "build.py"
    spec = importlib.util.spec_from_file_location("mutants_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def enter(tree: Path) -> None:
    """Work in a tree: its packages come before those that are installed."""
    paths = [str(tree / part) for part in ("", "daq", "importers")]
    sys.path[:0] = paths
    os.environ.update(PYTHONPATH=os.pathsep.join(paths), OMP_NUM_THREADS="1")
    os.chdir(tree)


def record(tree: Path, folder: Path, files: list[str]) -> int:
    """Run test files and record who runs which line."""
    folder.mkdir(parents=True, exist_ok=True)
    enter(tree)
    recorder = Recorder(tree, folder)
    recorder.coverage.erase()
    recorder.coverage.start()
    code = pytest.main(
        ["-q", "-n", "0", "-p", "no:cacheprovider", "--tb=no", *files], plugins=[recorder]
    )
    recorder.write()
    return int(code)


if __name__ == "__main__":
    sys.exit(record(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), sys.argv[3:]))
