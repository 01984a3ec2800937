"""Mutation testing of the core: is the code made wrong, does a test fail?

    python benchmarks/mutants.py FOLDER [--count 600] [--seed 22] [--lanes 2] [--show]

FOLDER is to be outside of the checkout. It gets copies of the tree (what git knows), the map of
who runs which line, the sample and the results; stopped and called again the command goes on. A
runner of our own, since mutmut and cosmic-ray do not reach the library in C. Needs coverage, gcc
with gcov, and a system that forks.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import functools
import gc
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mutant_runs
from mutant_map import build_counting, enter, load_build
from mutant_sites import Mutant, c_mutants, python_mutants

ROOMS = {
    "engine": ["nrm_plugin/engine/**/*.py"],
    "kernels": ["nrm_plugin/kernels/*.c"],
    "calibration": ["nrm_plugin/calibration/*.py"],
    "importers": ["importers/nrm_importers/**/*.py"],
    "store": ["nrm_plugin/store/*.py"],
    "statistics": ["nrm_plugin/statistics/*.py"],
    "splitting": ["daq/nrm_daq/segmentation.py", "nrm_plugin/splitting/*.py"],
}

#: What the tests of one mutant may take, s of processor time, and a single one of them.
BUDGET, LONGEST = 30.0, 10.0

#: Beginnings of the names of test files that are not tried: looks of pictures and pages, finite
#: elements, recording in real time, campaigns, and files about the project itself.
NOT_TRIED = (
    *("architecture", "batch", "cli_fea", "crate", "daq_command", "daq_dither", "daq_end"),
    *("daq_hardware", "daq_live", "daq_recording", "daq_shim", "demo", "docs", "electrolytes"),
    *("faults", "fea", "figures_command", "figures_drawn", "figures_fea", "figures_looks"),
    *(
        "fuzzing",
        "gwyddion_program",
        "program",
        "release",
        "report",
        "statistics_coverage",
        "truth",
        "viewer",
    ),
    "vocabulary",
)

#: Processes one after the other that record who runs which line.
RECORDERS = 9

#: Tests of the other files that compile, and are not tried either.
LEFT_OUT = "not another_platform and not sanitizers and not wheel"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawn:
    """A mutant of the sample.

    Attributes
    ----------
    number : int
        Its place in the order of the sample.
    room, file : str
    mutant : Mutant
    """

    number: int
    room: str
    file: str
    mutant: Mutant

    def text(self, tree: Path) -> str:
        """The file with the mutant in it."""
        source = (tree / self.file).read_text(encoding="utf-8")
        return source[: self.mutant.begin] + self.mutant.new + source[self.mutant.end :]


def sample(tree: Path, count: int, seed: int) -> list[Drawn]:
    """A sample of mutants: as many from each room, each prefix again a fair sample."""
    chance = random.Random(seed)
    rooms = []
    for room, patterns in ROOMS.items():
        files = sorted({path for pattern in patterns for path in tree.glob(pattern)})
        every = [
            (room, path.relative_to(tree).as_posix(), mutant)
            for path in files
            for mutant in (c_mutants if path.suffix == ".c" else python_mutants)(
                path.read_text(encoding="utf-8")
            )
        ]
        # Some do not compile: there are more than are wanted.
        rooms.append(chance.sample(every, min(len(every), count // len(ROOMS) + 40)))
    turns = zip(*rooms, strict=False)
    drawn = [one for turn in turns for one in chance.sample(turn, len(turn))]
    return [Drawn(number=i, room=r, file=f, mutant=m) for i, (r, f, m) in enumerate(drawn)]


class KnownTests:
    """The map: who runs which line, and how long it takes."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.seconds: dict[str, float] = {}
        self._shared: dict[str, float] = {}
        self._uses: dict[str, list[str]] = {}
        self._users: dict[str, list[str]] = collections.defaultdict(list)
        self._ran: dict[str, list[tuple[str, list[int]]]] = collections.defaultdict(list)
        self._indices: dict[str, dict[int, set[str]]] = {}
        for folder in folders:
            known = json.loads(Path(folder, "tests.json").read_text(encoding="utf-8"))
            self.seconds |= known["tests"]
            self._shared |= known["fixtures"]
            self._uses |= known["uses"]
            for test, fixtures in known["uses"].items():
                for context in [test, *fixtures]:
                    self._users[context].append(test)
            for context, files in known["lines"].items():
                for file, lines in files.items():
                    self._ran[file].append((context, lines))

    def of_lines(self, file: str, lines: Iterable[int]) -> set[str]:
        """Tests that run any of some lines."""
        if file not in self._indices:
            index = self._indices[file] = collections.defaultdict(set)
            for context, ran in self._ran[file]:
                for line in ran:
                    index[line].update(self._users[context])
        return {test for line in lines for test in self._indices[file].get(line, ())}

    def of(self, drawn: Drawn, tree: Path) -> set[str]:
        """Tests that run what a mutant changes."""
        mutant = drawn.mutant
        tests = self.of_lines(drawn.file, range(mutant.first, mutant.last + 1))
        if not tests and drawn.file.endswith(".c"):  # a line within a statement of several
            for line in range(mutant.first - 1, mutant.first - 8, -1):
                tests = tests or self.of_lines(drawn.file, [line])
        if mutant.names:
            tests |= self._of_names(drawn, tree)
        elif not tests and self._at_import(drawn):
            tests = self._of_file(drawn, tree)
        return tests & self.seconds.keys()

    def _at_import(self, drawn: Drawn) -> bool:
        """Whether a line runs when its module is imported."""
        lines = range(drawn.mutant.first, drawn.mutant.last + 1)
        return any(
            line in lines for context, ran in self._ran[drawn.file] for line in ran if not context
        )

    def _of_file(self, drawn: Drawn, tree: Path) -> set[str]:
        whole = len((tree / drawn.file).read_text(encoding="utf-8").splitlines())
        return self.of_lines(drawn.file, range(1, whole + 1))

    def _of_names(self, drawn: Drawn, tree: Path) -> set[str]:
        """Tests that run a line which names what is changed; else those of the file."""
        pattern = re.compile(rf"\b{drawn.mutant.names[-1]}\b")
        tests: set[str] = set()
        for folder in {drawn.file.split("/")[0], "nrm_plugin"}:
            for path in sorted((tree / folder).rglob(f"*{Path(drawn.file).suffix}")):
                text = path.read_text(encoding="utf-8").splitlines()
                lines = [i for i, line in enumerate(text, 1) if pattern.search(line)]
                tests |= self.of_lines(path.relative_to(tree).as_posix(), lines)
        return tests or self._of_file(drawn, tree)

    def chosen(self, tests: set[str], budget: float) -> tuple[list[str], float]:
        """The quickest tests of every file in turn, up to some seconds, sorted by file.

        Files most of whose tests run it come first: they are about it.
        """
        files: dict[str, list[str]] = collections.defaultdict(list)
        for test in sorted(tests, key=lambda test: (self._cost(test), test)):
            files[test.partition("::")[0]].append(test)
        taken: dict[str, list[str]] = collections.defaultdict(list)
        spent, paid = 0.0, set[str]()
        while files:
            for file, waiting in list(files.items()):
                test = waiting.pop(0)
                new = set(self._uses[test]) - paid
                cost = self.seconds[test] + sum(self._shared[fixture] for fixture in new)
                if (cost < LONGEST and spent + cost <= budget) or not taken:
                    taken[file].append(test)
                    paid |= new
                    spent += cost
                if not waiting:
                    del files[file]
        sizes = collections.Counter(test.partition("::")[0] for test in self.seconds)
        candidates = collections.Counter(test.partition("::")[0] for test in tests)
        order = sorted(taken, key=lambda file: -candidates[file] / sizes[file])
        return [test for file in order for test in taken[file]], spent

    def _cost(self, test: str) -> float:
        return self.seconds[test] + sum(self._shared[fixture] for fixture in self._uses[test])


class Campaign:
    """A sample, and what has become of it."""

    def __init__(self, folder: Path, count: int, seed: int, budget: float = BUDGET) -> None:
        self.folder = folder
        self.tree = folder / "tree"
        self._budget = budget
        self.count = count
        self.drawn = sample(self.tree, count, seed)
        self.results: dict[int, dict[str, object]] = {}
        self._file = folder / "results.jsonl"
        self._unsteady = folder / "unsteady.txt"  # tests that fail without a mutant too
        maps = sorted(path.parent for path in folder.glob("map/*/tests.json"))
        self._complete = len(maps) == RECORDERS
        self.known = KnownTests(maps)
        self._load()

    def _load(self) -> None:
        unsteady = self._unsteady.read_text().splitlines() if self._unsteady.exists() else []
        for test in unsteady:
            self.known.seconds.pop(test, None)
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        results = [json.loads(line) for line in lines]
        self.results = {r["number"]: r for r in results if r["by"] not in unsteady}

    def wanted(self) -> list[Drawn]:
        """The mutants of the sample that count: those that compile, as many as asked for."""
        valid = (d for d in self.drawn if self._outcome(d) != "invalid")
        return [d for _, d in zip(range(self.count), valid, strict=False)]

    def _outcome(self, drawn: Drawn) -> object:
        return self.results.get(drawn.number, {}).get("outcome")

    def open(self, first: int) -> Iterator[tuple[Drawn, list[str], float]]:
        """Mutants without a result among the first ones, with their tests."""
        for drawn in self.wanted()[:first]:
            if self._outcome(drawn) is None:
                tests, seconds = self.known.chosen(self.known.of(drawn, self.tree), self._budget)
                if tests:
                    yield drawn, tests, seconds
                elif self._complete:
                    self.note(drawn, ("survived", "no test runs it"), 0)

    def note(self, drawn: Drawn, outcome: mutant_runs.Outcome, tests: int) -> None:
        """Append a result to the file."""
        result = {"number": drawn.number, "room": drawn.room, "tests": tests}
        self.results[drawn.number] = result | {"outcome": outcome[0], "by": outcome[1]}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.results[drawn.number]) + "\n")

    # ------------------------------------------------------------ runs

    def run(self, chosen: Iterable[tuple[Drawn, list[str], float]], lanes: int = 1) -> None:
        """Run mutants in as many lanes, each with a copy of the tree."""
        work = list(chosen)
        mutant_runs.import_libraries()
        for lane in range(lanes):
            if not os.fork():
                self._run_lane(work[lane::lanes], lane)
                os._exit(0)
        for _ in range(lanes):
            os.wait()
        self._load()
        self._doubt()

    def _run_lane(self, work: list[tuple[Drawn, list[str], float]], lane: int) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the tree is put back
        scratch = self.folder / f"lane-{lane}"
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(self.tree, scratch / "tree", symlinks=True)
        tree = mutant_runs.Tree(scratch / "tree", scratch / "objects")
        enter(tree.root)
        gc.freeze()  # forks share the memory
        for drawn, tests, seconds in work:
            run = functools.partial(mutant_runs.first_failure, tests)
            try:
                with tree.changed(drawn.file, drawn.text(self.tree)):
                    outcome = mutant_runs.forked(run, seconds, scratch / "tmp")
            except mutant_runs.CompileError as error:
                outcome = ("invalid", str(error))
            self.note(drawn, outcome, len(tests))

    def _doubt(self) -> None:
        """Run the tests that killed without a mutant; those that fail do not count."""
        killers = {str(result["by"]) for result in self.results.values()}
        tests = sorted(test for test in killers if test in self.known.seconds)

        def run() -> str:
            enter(self.tree)
            failed = [f"{test}\n" for test in mutant_runs.all_failures(tests)]
            with self._unsteady.open("a", encoding="utf-8") as file:
                file.writelines(failed)
            return ""

        if tests:
            mutant_runs.forked(run, 1000.0, self.folder / "tmp")
            self._load()

    # ------------------------------------------------------------ what came out

    def table(self) -> str:
        """Rows of the table of rooms, as Markdown."""
        head = [
            "room",
            "run",
            "killed",
            "by a test",
            "by a crash or time",
            "survived",
            "not tested",
        ]
        rows = [f"| {' | '.join(head)} |"]
        rows += ["| --- " * 7 + "|"]
        every = [d for d in self.wanted() if self._outcome(d)]
        for room in [*ROOMS, "all"]:
            mine = [self.results[d.number] for d in every if room in (d.room, "all")]
            killed = [r for r in mine if r["outcome"] == "killed"]
            crashed = [r for r in killed if "::" not in str(r["by"])]
            unseen = sum(r["by"] == "no test runs it" for r in mine)
            share = f"{100 * len(killed) / len(mine):.0f} %" if mine else "-"
            numbers = [f"{len(killed)} ({share})", len(killed) - len(crashed), len(crashed)]
            numbers += [len(mine) - len(killed) - unseen, unseen]
            rows.append(f"| {room} | {len(mine)} | " + " | ".join(map(str, numbers)) + " |")
        return "\n".join(rows)

    def survivors(self) -> Iterator[str]:
        """What was changed in those that no test noticed."""
        for drawn in self.wanted():
            if self._outcome(drawn) == "survived":
                mutant = drawn.mutant
                source = (self.tree / drawn.file).read_text(encoding="utf-8")
                line = source.splitlines()[source.count("\n", 0, mutant.begin)].strip()
                by = self.results[drawn.number]
                yield (
                    f"{drawn.number} {drawn.file}:{source.count(chr(10), 0, mutant.begin) + 1} "
                    f"{mutant.operator}, {by['tests']} tests {by['by']}\n    {line}\n"
                    f"    {source[mutant.begin : mutant.end]!r} -> {mutant.new!r}"
                )


def copy_tree(tree: Path) -> None:
    """Copy what git knows of the checkout, and build the library there."""
    root = Path(__file__).resolve().parent.parent
    tree.mkdir(parents=True)
    with subprocess.Popen(["git", "archive", "HEAD"], cwd=root, stdout=subprocess.PIPE) as archive:
        subprocess.run(["tar", "x", "-C", tree], stdin=archive.stdout, check=True)
    _build(tree)


def _build(tree: Path) -> None:
    subprocess.run([sys.executable, tree / "nrm_plugin" / "kernels" / "build.py"], check=True)


def record_tests(folder: Path, lanes: int) -> None:
    """Record who runs which line where that is not done yet, some processes at a time."""
    tree = folder / "tree"
    names = sorted(path.relative_to(tree) for path in tree.glob("tests/test_*.py"))
    files = [n for n in names if not n.stem.removeprefix("test_").startswith(NOT_TRIED)]
    recorder = Path(__file__).with_name("mutant_map.py")

    def record(i: int) -> None:
        command: list[str | Path] = [sys.executable, recorder, tree, folder / "map" / str(i)]
        with Path(folder, f"map-{i}.log").open("w") as log:  # a test that fails is not tried
            subprocess.run(
                [*command, *files[i::RECORDERS], "-k", LEFT_OUT],
                stdout=log,
                stderr=log,
                check=False,
            )

    waiting = [i for i in range(RECORDERS) if not Path(folder, f"map/{i}/tests.json").exists()]
    if waiting:
        build_counting(tree)
        with ThreadPoolExecutor(lanes) as pool:
            list(pool.map(record, waiting))
        load_build(tree).library_path().unlink()  # the one that counts
        _build(tree)


def main(arguments: list[str]) -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=22)
    parser.add_argument("--lanes", type=int, default=2, help="mutants at once")
    parser.add_argument(
        "--budget", type=float, default=BUDGET, help="processor time of a mutant, s"
    )
    parser.add_argument("--first", type=int, default=10_000, help="run these of the sample alone")
    parser.add_argument("--show", action="store_true", help="run nothing; table and survivors")
    given = parser.parse_args(arguments)
    folder = given.folder.resolve()
    tree = folder / "tree"
    if not tree.exists():
        copy_tree(tree)
    if not given.show:
        record_tests(folder, given.lanes)
    campaign = Campaign(folder, given.count, given.seed, given.budget)
    if not given.show:
        campaign.run(campaign.open(given.first), given.lanes)
    print("\n".join(campaign.survivors()) if given.show else "")
    print(campaign.table())


if __name__ == "__main__":
    main(sys.argv[1:])
