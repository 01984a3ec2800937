"""A study from its files to its report: only what is not done yet, sample by sample.

Every step is written down when it is done (`nrm_plugin.study.study_record`), so that a run that was
killed goes on where it was. What needs numpy is imported when there is something to do.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from io import FileIO
from os import PathLike
from pathlib import Path
from typing import Any

from nrm_plugin import formats
from nrm_plugin.batch.running import run_tasks
from nrm_plugin.batch.tasks import BatchTask
from nrm_plugin.errors import NrmError, OutputError
from nrm_plugin.files import close_after, open_locked
from nrm_plugin.study.sample_decisions import placed_decisions
from nrm_plugin.study.sample_steps import (
    SampleMade,
    SampleTask,
    contacts_by_hand,
    process_sample,
    report_sample,
)
from nrm_plugin.study.study_plan import SampleEntry, Study
from nrm_plugin.study.study_record import (
    FileState,
    StepRecord,
    StudyRecord,
    made_folder,
    relative,
    versions_of,
)

INDEX = "index.html"
SAMPLES, RESULTS, REPORT = "samples", "results.h5", "report.html"

_LOCK = ".nrm-run.lock"
_BUSY = "another nrm run is at work in this folder: wait until it has ended, or give another folder"

#: What numbers and pictures depend on beside this program.
_OF_NUMBERS, _OF_PICTURES = ("numpy", "scipy"), ("numpy", "scipy", "matplotlib")

#: Called with the steps done, their number, and what was done.
Progress = Callable[[int, int, str], None]


@dataclass(kw_only=True)
class StudyRun:
    """What became of a study.

    Attributes
    ----------
    folder : Path
    made : list of str
        Steps that were done, in their order: ``process EC 1``, ``report EC 1``, ``comparison``.
    kept : list of str
        Steps whose outcome was there already.
    failed : list of (str, str)
        File or sample, and the sentence that says why.
    wrong : list of (str, str)
        Samples, and what a self-check finds wrong with them.
    messages : list of str
        What else is to be said.
    """

    folder: Path
    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        """Exit code: 1 where something failed or is wrong."""
        return 1 if self.failed or self.wrong else 0


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
    BatchError
        If the cluster is lost; the same call goes on from there.
    """
    folder = Path(folder)
    made_folder(folder)
    with _alone(folder):
        _without_halves(folder)
        record = StudyRecord(folder.absolute(), study.path.absolute().parent, rehash)
        runner = _StudyRunner(study, record, jobs, scheduler, progress)
        return runner.run(StudyRun(folder=folder))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder."""
    path = folder / _LOCK
    try:
        lock = open_locked(path, _BUSY, FileIO)
    except OutputError as error:
        raise OutputError(folder, error.reason) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            close_after(lock, path.unlink)


def _without_halves(folder: Path) -> None:
    """Remove what a run that was killed left of files that it was writing."""
    for place in (".", f"{SAMPLES}/*", "comparison", "comparison/figures"):
        for half in folder.glob(f"{place}/.*.part.*"):
            with contextlib.suppress(OSError):
                half.unlink()


@dataclass(frozen=True, kw_only=True)
class _Planned:
    """A step of a sample that has to be done."""

    sample: SampleEntry
    name: str
    task: BatchTask
    inputs: list[str]
    parts: list[str]
    output: str
    settings: dict[str, Any]
    before: dict[str, tuple[int, int]] = field(default_factory=dict)


class _StudyRunner:
    """One run of a study."""

    def __init__(
        self,
        study: Study,
        record: StudyRecord,
        jobs: int,
        scheduler: str | None,
        progress: Progress | None,
    ) -> None:
        self.study, self.record = study, record
        self.jobs, self.scheduler, self.progress = jobs, scheduler, progress
        self.tasks: dict[str, SampleTask] = {}
        self._total = 2 * len(study.samples) + 1

    def run(self, run: StudyRun) -> StudyRun:
        """Do what is to be done."""
        self.outcome = run
        self._do(self._to_process(), _OF_NUMBERS)
        done = [s for s in self.study.samples if self._is_done(f"process {s.name}")]
        self._do(self._to_report(done), _OF_PICTURES)
        for sample in done:
            step = self.record.steps[f"process {sample.name}"]
            run.failed += step.failed
            run.wrong += [(sample.name, sentence) for sentence in step.wrong]
        self._compare(self._counted_once([s for s in done if self._is_done(f"report {s.name}")]))
        self._forget()
        self.record.write()
        return run

    def _is_done(self, name: str) -> bool:
        return name in self.outcome.made or name in self.outcome.kept

    def _tell(self, name: str, *, made: bool) -> None:
        (self.outcome.made if made else self.outcome.kept).append(name)
        if self.progress is not None:
            count = len(self.outcome.made) + len(self.outcome.kept)
            self.progress(count, self._total, name if made else "")

    def _fail(self, what: str, error: NrmError | str) -> None:
        self.outcome.failed.append((what, str(error)))

    def _place(self, sample: SampleEntry, name: str) -> str:
        """Place of a file of a sample, seen from the folder of the run."""
        return f"{SAMPLES}/{sample.folder}/{name}"

    # Samples

    def _to_process(self) -> Iterator[_Planned]:
        versions = versions_of(*_OF_NUMBERS)
        for sample in self.study.samples:
            name = f"process {sample.name}"
            try:
                task = self.tasks[sample.name] = self._task(sample)
                made_folder(Path(task.results).parent)
                self._place_decisions(sample)
                settings = self._settings(sample, task)
            except NrmError as error:
                self._fail(sample.name, error)
                continue
            named = (*task.files, task.experiment, task.table, task.recipe, *task.logs)
            inputs = [self.record.place_of(Path(file)) for file in named if file]
            if self.record.up_to_date(name, inputs, (), settings, versions):
                self._tell(name, made=False)
                continue
            self.record.steps.pop(name, None)
            yield _Planned(
                sample=sample,
                name=name,
                task=BatchTask(sample.name, process_sample, (task,), _size(task.files)),
                inputs=inputs,
                parts=[],
                output=self._place(sample, RESULTS),
                settings=settings,
                before={place: _stamp(self.record.base / place) for place in inputs},
            )

    def _task(self, sample: SampleEntry) -> SampleTask:
        def absolute(place: str) -> str:
            return str(self.study.at(place).absolute()) if place else ""

        files = formats.expanded(absolute(place) for place in sample.files)
        clock = {
            "clock_offset": sample.clock_offset,
            "time_zone": sample.time_zone or None,
            "start": sample.log_start or None,
        }
        return SampleTask(
            name=sample.name,
            files=tuple(map(str, files)),
            results=str(self.record.folder / self._place(sample, RESULTS)),
            recipe=absolute(self.study.recipe_of(sample)),
            experiment=absolute(sample.experiment),
            table=absolute(sample.table),
            logs=tuple(map(absolute, sample.logs)),
            log_units=dict(sample.log_units),
            log_settings={key: value for key, value in clock.items() if value is not None},
            settings=dict(sample.settings),
            names=dict(sample.names),
            threads=max(1, (os.cpu_count() or 1) // self.jobs) if self.jobs > 1 else None,
        )

    def _place_decisions(self, sample: SampleEntry) -> None:
        beside = self.record.folder / self._decisions(sample)
        given = self.study.at(sample.decisions) if sample.decisions else None
        copied, message = placed_decisions(given, beside, self.record.copied.get(sample.name, ""))
        self.record.copied[sample.name] = copied
        if message:
            self.outcome.messages.append(f"{sample.name}: {message}")

    def _decisions(self, sample: SampleEntry) -> str:
        return self._place(sample, RESULTS.replace(".h5", ".decisions.toml"))

    def _with_decisions(self, sample: SampleEntry) -> list[str]:
        """Results of a sample, and the decisions about them."""
        places = [self._place(sample, RESULTS), self._decisions(sample)]
        return [place for place in places if (self.record.folder / place).is_file()]

    def _settings(self, sample: SampleEntry, task: SampleTask) -> dict[str, Any]:
        """What results depend on beside files, in types that JSON has."""
        found = {
            "files": [self.record.place_of(Path(file)) for file in task.files],
            "roles": [list(sample.logs), sample.experiment, sample.table],
            "recipe": self.study.recipe_of(sample),
            "log": dict(task.log_settings),
            "log_units": dict(task.log_units),
            "set": dict(task.settings),
            "map": dict(task.names),
        }
        return found | {"contacts_by_hand": self._contacts(sample, task)}

    def _contacts(self, sample: SampleEntry, task: SampleTask) -> str:
        """Contacts by hand, of which results are made; other decisions change no results."""
        name, place = f"contacts {sample.name}", self._decisions(sample)
        if not (self.record.folder / place).is_file():
            self.record.steps.pop(name, None)
            return ""
        step = self.record.steps.get(name)
        if step and self.record.up_to_date(name, (), [place], step.settings, {}):
            return str(step.settings["contacts"])
        states = self.record.states([place])
        text = contacts_by_hand(task)
        self.record.done(name, StepRecord(parts=states, settings={"contacts": text}))
        return text

    def _to_report(self, samples: Sequence[SampleEntry]) -> Iterator[_Planned]:
        versions = versions_of(*_OF_PICTURES)
        regions = asdict(self.study.regions)
        settings = {"regions": regions | {"edges": list(self.study.regions.edges)}}
        selection = {name: regions[name] for name in ("sweep", "cycle", "surface", "run")}
        for sample in samples:
            name, out = f"report {sample.name}", self._place(sample, REPORT)
            parts = self._with_decisions(sample)
            if self.record.up_to_date(name, (), parts, settings, versions):
                self._tell(name, made=False)
                continue
            self.record.steps.pop(name, None)
            arguments = (
                self.tasks[sample.name],
                str(self.record.folder / out),
                self.study.regions.edges,
                selection,
            )
            yield _Planned(
                sample=sample,
                name=name,
                task=BatchTask(sample.name, report_sample, arguments),
                inputs=[],
                parts=parts,
                output=out,
                settings=settings,
            )

    def _do(self, steps: Iterator[_Planned], packages: Sequence[str]) -> None:
        """Do steps, and write each down."""
        planned = list(steps)
        versions = versions_of(*packages)
        outcomes = run_tasks([p.task for p in planned], jobs=self.jobs, scheduler=self.scheduler)
        for step, result in zip(planned, outcomes, strict=True):
            if result.error is not None:
                self._fail(step.sample.name, result.error)
                continue
            self.record.done(step.name, self._written_down(step, result.value, versions))
            self._tell(step.name, made=True)

    def _written_down(
        self, step: _Planned, value: SampleMade | None, versions: dict[str, str]
    ) -> StepRecord:
        made = StepRecord(
            parts=self.record.states(step.parts),
            outputs=self.record.states([step.output]),
            settings=step.settings,
            versions=versions,
        )
        if value is None:
            return made
        read = {self.record.place_of(Path(path)): digest for path, digest in value.read}
        made.inputs = self.record.input_states([*step.inputs, *read], read)
        for place, before in step.before.items():
            if _stamp(self.record.base / place) != before:  # it changed meanwhile
                made.inputs[place] = FileState(-1, 0, "")
        made.wrong = value.wrong
        made.failed = [
            (self.record.place_of(Path(file)), why.removeprefix(f"{file}: "))
            for file, why in value.failed
        ]
        return made

    # The study

    def _counted_once(self, samples: Sequence[SampleEntry]) -> list[SampleEntry]:
        """Samples, without those that have a file of curves of an earlier one: it is one sample."""
        owners: dict[str, str] = {}
        different = []
        for sample in samples:
            step = self.record.steps[f"process {sample.name}"]
            unread = {file for file, _ in step.failed}
            places = {self.record.place_of(Path(file)) for file in self.tasks[sample.name].files}
            hashes = {step.inputs[p].sha256: p for p in sorted(places - unread)}
            twice = next((digest for digest in hashes if digest in owners), "")
            if twice:
                self._fail(
                    sample.name,
                    f"{hashes[twice]} holds the same curves as {owners[twice]}: they count once, "
                    "and this sample is left out of the comparison",
                )
                continue
            different.append(sample)
            owners |= {d: f"{p} of sample {sample.name!r}" for d, p in hashes.items() if d}
        return different

    def _compare(self, samples: Sequence[SampleEntry]) -> None:
        """Compare the samples, draw, and write the report of the study."""
        name, versions = "comparison", versions_of(*_OF_PICTURES)
        if not samples:
            return
        parts = [place for sample in samples for place in self._with_decisions(sample)]
        settings = _of_comparison(self.study, samples, self.outcome.failed)
        if self.record.up_to_date(name, (), parts, settings, versions):
            self._say(self.record.steps[name])
            self._tell(name, made=False)
            return
        from nrm_plugin.study.study_outputs import write_outputs

        self.record.steps.pop(name, None)
        states = self.record.states(parts)
        try:
            outputs, checks, without = write_outputs(
                self.study, samples, self.record.folder, self.outcome.failed, self._place
            )
        except NrmError as error:
            self._fail(name, error)
            return
        made = StepRecord(
            parts=states,
            outputs=self.record.states(relative(path, self.record.folder) for path in outputs),
            settings=settings,
            versions=versions,
            wrong=[one.sentence for one in checks.differences if one.verdict == "wrong"],
            doubtful=[
                *([without] if without else []),
                *(one.sentence for one in checks.differences if one.verdict == "doubtful"),
            ],
        )
        self.record.done(name, made)
        self._say(made)
        self._tell(name, made=True)

    def _say(self, compared: StepRecord) -> None:
        """Say what differs between samples without a reason, and which are not compared."""
        self.outcome.wrong += [("the samples", sentence) for sentence in compared.wrong]
        self.outcome.messages += compared.doubtful

    def _forget(self) -> None:
        """Leave steps of samples out of the record that the study has no more."""
        names = {sample.name for sample in self.study.samples}
        kinds = ("process", "report", "contacts")
        known = {"comparison", *(f"{kind} {name}" for kind in kinds for name in names)}
        for step in set(self.record.steps) - known:
            del self.record.steps[step]
        self.record.copied = {n: v for n, v in self.record.copied.items() if n in names}
        folders = {sample.folder for sample in self.study.samples}
        for path in sorted(self.record.folder.glob(f"{SAMPLES}/*/")):
            if path.name not in folders:
                self.outcome.messages.append(
                    f"{SAMPLES}/{path.name} is of no sample of the study any more"
                )


def _of_comparison(
    study: Study, samples: Sequence[SampleEntry], failed: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """What the comparison depends on beside results, in types that JSON has."""
    about = ("name", "condition", "lever", "session", "day")
    found = {
        "title": study.title,
        "figures": study.figures,
        "regions": asdict(study.regions),
        "bins": study.bins,
        "primary": asdict(study.primary) if study.primary else None,
        "thickness_modulus": study.thickness_modulus,
        "pairs": [asdict(pair) for pair in study.pairs],
        "samples": [[getattr(sample, key) for key in about] for sample in samples],
        "failed": list(failed),
    }
    plain: dict[str, Any] = _plain(found)
    return plain


def _plain(value: Any) -> Any:
    """Value in types that JSON has."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _size(files: Sequence[str]) -> int:
    return sum(_stamp(Path(file))[0] for file in files)


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file; nothing where it is not there."""
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns
