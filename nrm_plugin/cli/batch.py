"""Many files on their way to one file or a folder: what ``nrm convert`` and others share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from nrm_plugin import formats, plugins
from nrm_plugin.batch import BatchTask
from nrm_plugin.cli import exit_code
from nrm_plugin.cli.options import metadata_of, pairs
from nrm_plugin.cli.spread import Calls, Spread
from nrm_plugin.errors import NrmError, OutputError
from nrm_plugin.files import check_output
from nrm_plugin.joining import join
from nrm_plugin.model import CurveSet
from nrm_plugin.units import parse
from nrm_plugin.vocabulary import CHANNELS, nearest

if TYPE_CHECKING:
    from nrm_plugin.experiment import Experiment

Progress = Callable[[int, int], None]
Command = Callable[..., None]

#: Exit code after Ctrl-C.
STOPPED = 130

_OUTPUT = click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    help="A file: several inputs are merged into it. A folder (existing, or ending with /): "
    "each input becomes a file there.",
)
_EXPERIMENT = click.option(
    "--experiment",
    "experiment",
    metavar="E.toml",
    help="Experiment file: wiring, lock-in settings, calibrations.",
)
_SETTINGS = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Metadata with its unit, spring_constant=0.2N/m. May be repeated.",
)
_NAMES = click.option(
    "--map",
    "names",
    multiple=True,
    metavar="VENDOR_NAME=CHANNEL",
    help="What a channel is, Input1=lockin_output_x. May be repeated.",
)


_TABLE = click.option(
    "--table",
    "table_map",
    metavar="MAP.toml",
    help="What the columns of a table mean (nrm table FILE -o MAP.toml writes one).",
)


def _expanded(
    ctx: click.Context, param: click.Parameter, files: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(map(str, formats.expanded(files)))


def with_files(command: Command) -> Command:
    """Give a command its files: names, folders, patterns."""
    files = click.argument("files", nargs=-1, required=True, metavar="FILE...", callback=_expanded)
    return files(command)


def files_and_output(command: Command) -> Command:
    """Give a command its files and ``-o``."""
    return with_files(_OUTPUT(command))


def opened_together(files: Iterable[str]) -> CurveSet:
    """Open files, folders or patterns, merged in the order in which ``process`` merges them."""
    opened = [formats.open(path) for path in formats.expanded(files)]
    return opened[0] if len(opened) == 1 else join(opened)


def with_curve_options(command: Command) -> Command:
    """Give a command the options that say what the files don't."""
    return _EXPERIMENT(_SETTINGS(_NAMES(_TABLE(command))))


@dataclass(frozen=True)
class CurveOptions:
    """What the command line says about curves.

    Attributes
    ----------
    experiment : Experiment or None
    names : dict
        Channels by the vendor's names.
    settings : dict
        Metadata in SI.
    table_map : str or None
        File that says what the columns of tables mean.
    """

    experiment: Experiment | None = None
    names: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    table_map: str | None = None

    @classmethod
    def given(
        cls,
        experiment: str | None,
        settings: tuple[str, ...],
        names: tuple[str, ...],
        table_map: str | None = None,
    ) -> CurveOptions:
        """Read the options of `with_curve_options`.

        Raises
        ------
        click.UsageError
        RecipeError, MissingFile
            From the experiment file.
        """
        values, channels = metadata_of(settings, parse), _names(names)
        return cls(_experiment(experiment), channels, values, table_map)

    def opened(self, path: str | Path) -> CurveSet:
        """Open a file, a table by its map, and apply all this."""
        return self.about(formats.open_with(path, self.table_map))

    def about(self, curves: CurveSet) -> CurveSet:
        """Return curves with all this."""
        return formats.as_told(curves, self.experiment, self.names, self.settings, "--set")


def _experiment(path: str | None) -> Experiment | None:
    if path is None:
        return None
    from nrm_plugin.experiment import read

    return read(path)


def _names(given: tuple[str, ...]) -> dict[str, str]:
    names = dict(pairs(given, "--map"))
    for new in names.values():
        if new not in CHANNELS:
            raise click.UsageError(f"--map: there is no channel {new!r}.{nearest(new, CHANNELS)}")
    return names


def is_folder(output: str) -> bool:
    """Whether ``-o`` means a folder: one that exists, or a name with a slash at its end.

    A folder that is itself a kind of file (.zarr) is none.
    """
    if getattr(plugins.installed().exporter_of(output), "folder", False):
        return False
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


class _OneOfMany(Exception):
    """A file is one of several that make a map together."""


def made_alone(batch: Batch, path: Path, out: Path, existed: bool) -> dict[str, Any]:
    """Make one file in another process; see `Batch.alone`."""
    return copy(batch).alone(path, out, existed)


class Batch:
    """Files on their way, and what became of each. A subclass knows how one is written.

    Parameters
    ----------
    files : iterable of path
    known : CurveOptions
        What is applied to each.
    overwrite, quiet : bool
    spread : Spread, optional
        Who works at it; this process alone if not given.

    Attributes
    ----------
    written : dict of str to list of str
        What each output was made from.
    skipped : list of str
        Outputs that were up to date.
    failed : dict of str to NrmError
    """

    def __init__(
        self,
        files: Iterable[str | Path],
        known: CurveOptions,
        overwrite: bool,
        quiet: bool = False,
        spread: Spread | None = None,
    ) -> None:
        self.files = list(dict.fromkeys(Path(f) for f in files))
        self.known, self.overwrite, self.quiet = known, overwrite, quiet
        self.written: dict[str, list[str]] = {}
        self.skipped: list[str] = []
        self.failed: dict[str, NrmError] = {}
        self.spread = spread or Spread()
        self._number = len(self.files)
        self._read: set[Path] = set()
        self._told: list[tuple[str, bool]] | None = None

    def write(self, curves: CurveSet, out: Path) -> None:
        """Write what becomes of curves."""
        raise NotImplementedError

    def up_to_date(self, curves: CurveSet, path: Path, out: Path) -> bool:
        """Whether `out` is what writing `curves`, opened from `path`, would give."""
        raise NotImplementedError

    @property
    def code(self) -> int:
        """Exit code of the whole."""
        if not self.failed:
            return 0
        return exit_code(next(iter(self.failed.values()))) if len(self.files) == 1 else 1

    def report(self) -> dict[str, Any]:
        """What became of each file, in types that JSON has."""
        return {
            "written": [{"path": p, "from": origins} for p, origins in self.written.items()],
            "skipped": self.skipped,
            "failed": [{"path": p, "error": str(e)} for p, e in self.failed.items()],
        }

    def summary(self) -> str:
        """One line for people."""
        counts = [
            (len(self.written), "written"),
            (len(self.skipped), "up to date, skipped"),
            (len(self.failed), "failed"),
        ]
        return "nrm: " + ", ".join(f"{n} {what}" for n, what in counts if n)

    def run(self, ctx: click.Context, output: str, suffix: str, as_json: bool) -> None:
        """Make everything, say what became of it, and end the command."""
        try:
            with self.spread.connected():
                if is_folder(output):
                    self.each(Path(output), suffix)
                else:
                    self.all(Path(output))
        except KeyboardInterrupt:
            click.echo(f"nrm: stopped; {self.when_stopped(output)}", err=True)
            ctx.exit(STOPPED)
        if as_json:
            click.echo(json.dumps(self.report(), indent=2))
        elif not self.quiet:
            click.echo(self.summary(), err=True)
        ctx.exit(self.code)

    def when_stopped(self, output: str) -> str:
        """Say what the next call does after Ctrl-C."""
        return "the same call goes on from here"

    def made_before(self, curves: CurveSet, out: Path) -> None:
        """Note what is in a complete file that was made by this very call."""

    def each(self, folder: Path, suffix: str) -> None:
        """Make a file in the folder of every file, named after it with all its suffixes."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(folder, error.strerror or error) from None
        pairs = [(path, folder / f"{path.name}{suffix}") for path in self.files]
        sent = self.spread.sent(pairs)
        there = set(folder.iterdir()) if sent else set()
        tasks = Calls(lambda i: self._call(*pairs[i], pairs[i][1] in there), sent)
        numbers = {number for number, _ in sent}
        with self.spread.made(tasks, folder, self.quiet) as outcomes:
            for number, (path, out) in enumerate(pairs):
                self._number = number + 1
                made = next(outcomes).value if number in numbers else None
                if made is None or made["several"]:
                    self.one(path, out)
                else:
                    self._take(made, path, out)

    def _call(self, path: Path, out: Path, existed: bool) -> BatchTask:
        """What another process does to make one file."""
        name = path.name
        if self.spread.scheduler:
            path, out = path.absolute(), out.absolute()
        return BatchTask(name, made_alone, (self._plain, path, out, existed))

    @cached_property
    def _plain(self) -> Self:
        """The same for another process, without the other files."""
        plain = copy(self)
        plain.files, plain.spread = [], Spread(threads=1)
        return plain

    def alone(self, path: Path, out: Path, existed: bool) -> dict[str, Any]:
        """Make one file in another process: all that becomes of it, and what is to be told."""
        self.files, self._told = [path], []
        self.written, self.skipped, self.failed = {}, [], {}
        several = False
        try:
            self.one(path, out, existed)
        except _OneOfMany:
            several = True
        return {
            "several": several,
            "written": bool(self.written),
            "skipped": bool(self.skipped),
            "failed": self.failed.get(str(path)),
            "told": self._told,
        }

    def _take(self, made: dict[str, Any], path: Path, out: Path) -> None:
        """Note what became of a file in another process, and tell what is to be told."""
        for text, err in made["told"]:
            for one in (out, path):
                text = text.replace(str(one.absolute()), str(one))
            self.echo(text, err=err)
        if made["written"]:
            self.written[str(out)] = [str(path)]
        if made["skipped"]:
            self.skipped.append(str(out))
        if made["failed"] is not None:
            self.failed[str(path)] = made["failed"]

    def echo(self, text: str, *, err: bool = False) -> None:
        """Show a text, or keep it for the process that has the terminal."""
        if self._told is not None:
            self._told.append((text, err))
        else:
            self.spread.echo(text, err=err)

    def one(self, path: Path, out: Path, existed: bool | None = None) -> None:
        """Make one file; `existed` says whether it was there before anything was begun."""
        with self._failures_of(path):
            if path.absolute() in self._read:
                return
            if str(out) in self.written:
                raise OutputError(out, f"it was just made from {self.written[str(out)][0]}")
            curves = self._opened(path)
            if out.exists() and not self.overwrite:
                if not self.up_to_date(curves, path, out):
                    check_output(out, overwrite=False)
                if existed is False:  # by a worker that died before it could tell
                    self.made_before(curves, out)
                    self.written[str(out)] = [str(path)]
                else:
                    self.skipped.append(str(out))
                return
            self.write(curves, out)
            self.written[str(out)] = [str(path)]

    def all(self, out: Path) -> None:
        """Merge all files that can be read into one."""
        check_output(out, overwrite=self.overwrite)
        sets, paths = [], []
        for path in self.files:
            with self._failures_of(path):
                if path.absolute() in self._read:
                    continue
                sets.append(self._opened(path))
                paths.append(path)
        if not sets:
            return
        with self._failures_of(paths[0] if len(paths) == 1 else out):
            curves = join(sets)
            self.say(out, curves.warnings[sum(len(s.warnings) for s in sets) :])
            self.write(curves, out)
            self.written[str(out)] = [str(path) for path in paths]

    def say(self, path: Path, warnings: Iterable[str]) -> None:
        """Show warnings about a file."""
        for warning in () if self.quiet else warnings:
            self.echo(f"nrm: {path}: {warning}", err=True)

    def _opened(self, path: Path) -> CurveSet:
        curves = self.known.opened(path)
        # A map of many files is opened by any of them, and once: by the process that has them all.
        if self._told is not None and len(curves.origins) > 1:
            raise _OneOfMany
        self._read |= {Path(origin.path) for origin in curves.origins[1:] if origin.path}
        self.say(path, curves.warnings)
        return curves

    @contextmanager
    def _failures_of(self, path: Path) -> Iterator[None]:
        """Note an error of this file and go on with the next."""
        try:
            yield
        except NrmError as error:
            self.failed[str(path)] = error
            message = str(error)
            named = message.startswith(str(path)) or isinstance(error, OutputError)
            self.echo(f"nrm: {message}" if named else f"nrm: {path}: {message}", err=True)

    @contextmanager
    def progress(self, out: Path, unit: str) -> Iterator[Progress | None]:
        """Give a function that shows how much of a file is done; None where nobody looks."""
        if self.quiet or self._told is not None or not sys.stderr.isatty():
            yield None
            return
        from tqdm import tqdm

        many = len(self.files) > 1
        name = f"{self._number} of {len(self.files)}, {out.name}" if many else out.name
        with tqdm(unit=f" {unit}", unit_scale=True, desc=name, leave=False) as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            yield show
