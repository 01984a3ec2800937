"""Mutation testing of the core: is the code made wrong, does a test fail?

    python benchmarks/mutants.py FOLDER [--count 600] [--seed 22] [--lanes 1] [--show]

FOLDER is to be outside of the checkout. It gets a copy of the tree (what git knows, without the
installed one being touched), the map of who runs which line, the sample and the results; stopped
and called again the command goes on. A runner of our own, since mutmut and cosmic-ray do not reach
the library in C. Needs coverage, gcc with gcov, and a system that forks.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import functools
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import mutant_runs
import pytest
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
BUDGET, LONGEST = 25.0, 3.0

#: Files of tests that are tried, by processes that record one after another who runs which line.
TESTS = [
    "kernels kernels_frozen engine_contact engine_derivative engine_profiles normal_channel "
    "lateral_baseline wall_slopes fringes contact_errors sparse_ramps process_methods "
    "process_derived",
    "statistics_profiles statistics_density statistics_places statistics_regions "
    "statistics_revisits statistics_thickness statistics_violins region_thickness comparison "
    "results_out decided_results",
    "calibration_lateral calibration_dither calibration_lockin calibration_registry "
    "calibration_scale calibration_deflection calibration_response calibration_spring "
    "daq_segmentation pairing",
    "store nexus_views kept_logs zarr_results xarray_engine results_gwyddion table tables columns "
    "model formats",
    "bruker_files bruker_header jpk_files nanosurf asylum ardf park_files gwyddion_files "
    "potentiostat",
    "signal_checks wall_checks workbench contacts_by_hand laboratory_contact laboratory_moduli "
    "merge_recorders daq_curves",
    "process_files process_traps process_distances images joining inputs",
    "bruker_real jpk_real park_real gwyddion_real potentiostat_real hdf5_guard",
    "bruker_hostile park_hostile gwyddion_hostile jpk_hostile",
]
LANES = (
    "mutants at once; the files on the disk then stay as they are, so that what tests start in "
    "processes of their own has no mutant, and mutants of what runs at import wait for one lane"
)

#: Tests in them that compile, or are too slow to be tried.
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
        return tests & self.seconds.keys()

    def _of_names(self, drawn: Drawn, tree: Path) -> set[str]:
        """Tests that run a line which names what is changed; else those of the file."""
        pattern = re.compile(rf"\b{drawn.mutant.names[-1]}\b")
        tests: set[str] = set()
        for folder in {drawn.file.split("/")[0], "nrm_plugin"}:
            for path in sorted((tree / folder).rglob(f"*{Path(drawn.file).suffix}")):
                text = path.read_text(encoding="utf-8").splitlines()
                lines = [i for i, line in enumerate(text, 1) if pattern.search(line)]
                tests |= self.of_lines(path.relative_to(tree).as_posix(), lines)
        whole = len((tree / drawn.file).read_text(encoding="utf-8").splitlines())
        return tests or self.of_lines(drawn.file, range(1, whole + 1))

    def chosen(self, tests: set[str], budget: float) -> tuple[list[str], float]:
        """The quickest tests of every file in turn, up to some seconds, sorted by file."""
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
        order = sorted(taken, key=lambda file: sum(self._cost(test) for test in taken[file]))
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
        self._complete = len(maps) == len(TESTS)
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

    def again(self, files: list[str]) -> Iterator[tuple[Drawn, list[str], float]]:
        """Those that survived, with whole files of tests."""
        tests = [test for file in files for test in collected_tests(self.tree, file)]
        for drawn in self.wanted():
            if self._outcome(drawn) == "survived":
                yield drawn, tests, 60.0

    def open(self, first: int) -> Iterator[tuple[Drawn, list[str], float]]:
        """Mutants without a result among the first ones, with their tests."""
        for drawn in self.wanted()[:first]:
            if self._outcome(drawn) is None:
                tests, seconds = self.known.chosen(self.known.of(drawn, self.tree), self._budget)
                if tests:
                    yield drawn, tests, seconds
                elif self._complete:
                    self.note(drawn, "survived", "no test runs it", 0)

    def note(self, drawn: Drawn, outcome: str, by: str, tests: int) -> None:
        """Append a result to the file."""
        result = {"number": drawn.number, "room": drawn.room, "outcome": outcome, "by": by}
        self.results[drawn.number] = result | {"tests": tests}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.results[drawn.number]) + "\n")

    # ------------------------------------------------------------ runs

    def run(self, chosen: Iterable[tuple[Drawn, list[str], float]], lanes: int = 1) -> None:
        """Run mutants: those of imports in forks of this process, then those in functions."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the tree is put back
        mutant_runs.import_libraries()
        os.chdir(self.tree)
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        tree = mutant_runs.Tree(self.tree, scratch)
        later = []
        for drawn, tests, seconds in chosen:
            text = drawn.text(self.tree)
            if drawn.file.endswith(".c"):
                later.append((drawn, tests, seconds))
                continue
            changed = mutant_runs.changed_functions(self.tree / drawn.file, text)
            if changed:
                later.append((drawn, tests, seconds))
            elif changed is None and lanes == 1:
                with tree.changed(drawn.file, text):
                    outcome = mutant_runs.forked(
                        lambda tests=tests: mutant_runs.imported_anew(tests),  # type: ignore[misc]
                        seconds + 20.0,
                        scratch / "tmp",
                    )
                self.note(drawn, *outcome, len(tests))

        def run_later(collected: mutant_runs.Collected) -> None:
            if lanes == 1:
                for one in later:
                    self._run_function(tree, collected, one, on_disk=True)
                self._doubt(collected)
                return
            for lane in range(lanes):
                if not os.fork():
                    tree.scratch = scratch / str(lane)
                    tree.scratch.mkdir(exist_ok=True)
                    for one in later[lane::lanes]:
                        self._run_function(tree, collected, one, on_disk=False)
                    os._exit(0)
            for _ in range(lanes):
                os.wait()
            self._load()
            self._doubt(collected)

        if later:
            files = sorted({test.partition("::")[0] for _, tests, _ in later for test in tests})
            plugins = [mutant_runs.Collected(run_later)]
            pytest.main([*mutant_runs.OPTIONS, "-k", LEFT_OUT, *files], plugins=plugins)

    def _run_function(
        self,
        tree: mutant_runs.Tree,
        collected: mutant_runs.Collected,
        one: tuple[Drawn, list[str], float],
        *,
        on_disk: bool,
    ) -> None:
        drawn, tests, seconds = one
        path, text = self.tree / drawn.file, drawn.text(self.tree)
        compiled = drawn.file.endswith(".c")
        try:
            library, changed = None, {}
            if compiled:
                library = tree.library_with(drawn.file, text, on_disk=on_disk)
            else:
                changed = mutant_runs.changed_functions(path, text) or {}

            def work() -> str:
                if library is not None:
                    mutant_runs.load_library(library)
                else:
                    mutant_runs.put_in(self.tree, path, changed)
                return collected.run(tests)

            none = contextlib.nullcontext()
            here = tree.changed(drawn.file, text, library) if on_disk else none
            with here:
                outcome = mutant_runs.forked(work, seconds, tree.scratch / "tmp")
        except mutant_runs.CompileError as error:
            outcome = ("invalid", str(error))
        self.note(drawn, *outcome, len(tests))

    def _doubt(self, collected: mutant_runs.Collected) -> None:
        """Run the tests that killed without a mutant; those that fail do not count."""
        killers = {str(result["by"]) for result in self.results.values()}
        tests = sorted(test for test in killers if test in self.known.seconds)
        while tests:
            run = functools.partial(collected.run, tests)
            outcome, by = mutant_runs.forked(run, 600.0, self.folder / "scratch" / "tmp")
            if outcome != "killed" or by not in tests:
                break
            with self._unsteady.open("a", encoding="utf-8") as file:
                file.write(f"{by}\n")
            tests = tests[tests.index(by) + 1 :]
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


def collected_tests(tree: Path, file: str) -> list[str]:
    """Names of the tests in a file."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--collect-only", file]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "::" in line]


def copy_tree(tree: Path) -> None:
    """Copy what git knows of the checkout, and build the library there."""
    root = Path(__file__).resolve().parent.parent
    tree.mkdir(parents=True)
    with subprocess.Popen(["git", "archive", "HEAD"], cwd=root, stdout=subprocess.PIPE) as archive:
        subprocess.run(["tar", "x", "-C", tree], stdin=archive.stdout, check=True)
    subprocess.run([sys.executable, tree / "nrm_plugin" / "kernels" / "build.py"], check=True)


def record_tests(folder: Path) -> None:
    """Record who runs which line where that is not done yet."""
    recorder = Path(__file__).with_name("mutant_map.py")
    for i, names in enumerate(TESTS):
        out = folder / "map" / str(i)
        if not Path(out, "tests.json").exists():
            files = [f"tests/test_{name}.py" for name in names.split()]
            command = [sys.executable, recorder, folder / "tree", out, *files, "-k", LEFT_OUT]
            subprocess.run(command, check=False)  # a test that fails is not tried


def main(arguments: list[str]) -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=22)
    parser.add_argument("--lanes", type=int, default=1, help=LANES)
    parser.add_argument(
        "--budget", type=float, default=BUDGET, help="processor time of a mutant, s"
    )
    parser.add_argument("--first", type=int, default=10_000, help="run these of the sample alone")
    parser.add_argument("--again", nargs="+", metavar="FILE", help="survivors, with these tests")
    parser.add_argument("--show", action="store_true", help="run nothing; table and survivors")
    given = parser.parse_args(arguments)
    folder = given.folder.resolve()
    tree = folder / "tree"
    if not tree.exists():
        copy_tree(tree)
    paths = os.pathsep.join(str(tree / part) for part in ("", "daq", "importers"))
    if os.environ.get("PYTHONPATH") != paths:  # the copy comes before the installed checkout
        os.environ.update(PYTHONPATH=paths, OMP_NUM_THREADS="1")
        os.execv(sys.executable, [sys.executable, __file__, *arguments])
    if not given.show:
        record_tests(folder)
    campaign = Campaign(folder, given.count, given.seed, given.budget)
    if not given.show:
        again = campaign.again(given.again) if given.again else campaign.open(given.first)
        campaign.run(again, given.lanes)
    print("\n".join(campaign.survivors()) if given.show else "")
    print(campaign.table())


if __name__ == "__main__":
    main(sys.argv[1:])
