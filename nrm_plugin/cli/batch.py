"""Many files on their way to one file or a folder: what ``nrm convert`` and others share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin import formats
from nrm_plugin.cli import exit_code
from nrm_plugin.cli.options import metadata_of, pairs
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
        return self.about(open_with(path, self.table_map))

    def about(self, curves: CurveSet) -> CurveSet:
        """Return curves with all this; the experiment file first, so that it does not win."""
        if self.experiment is not None:
            curves = self.experiment.apply(curves)
        if self.names and curves.n_curves:
            curves = curves.with_names(self.names)
        if self.settings:
            curves = curves.with_metadata(self.settings, "--set")
        return curves


def open_with(path: str | Path, table_map: str | None) -> CurveSet:
    """Open a file; a table map says what the columns of tables mean."""
    if table_map is None:
        return formats.open(path)
    return formats.open(path, "table", settings=table_map)


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
    """Whether ``-o`` means a folder: one that exists, or a name with a slash at its end."""
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


class Batch:
    """Files on their way, and what became of each. A subclass knows how one is written.

    Parameters
    ----------
    files : iterable of path
    known : CurveOptions
        What is applied to each.
    overwrite, quiet : bool

    Attributes
    ----------
    written : dict of str to list of str
        What each output was made from.
    skipped : list of str
        Outputs that were up to date.
    failed : dict of str to NrmError
    """

    def __init__(
        self, files: Iterable[str | Path], known: CurveOptions, overwrite: bool, quiet: bool = False
    ) -> None:
        self.files = list(dict.fromkeys(Path(f) for f in files))
        self.known, self.overwrite, self.quiet = known, overwrite, quiet
        self.written: dict[str, list[str]] = {}
        self.skipped: list[str] = []
        self.failed: dict[str, NrmError] = {}
        self._number = len(self.files)
        self._read: set[Path] = set()

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

    def each(self, folder: Path, suffix: str) -> None:
        """Make a file in the folder of every file, named after it with all its suffixes."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(folder, error.strerror or error) from None
        for number, path in enumerate(self.files, 1):
            self._number = number
            out = folder / f"{path.name}{suffix}"
            with self._failures_of(path):
                if path.absolute() in self._read:
                    continue
                if str(out) in self.written:
                    raise OutputError(out, f"it was just made from {self.written[str(out)][0]}")
                curves = self._opened(path)
                if out.exists() and not self.overwrite:
                    if not self.up_to_date(curves, path, out):
                        check_output(out, overwrite=False)
                    self.skipped.append(str(out))
                    continue
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
            click.echo(f"nrm: {path}: {warning}", err=True)

    def _opened(self, path: Path) -> CurveSet:
        curves = self.known.opened(path)
        # A map of many files is opened by any of them, and once.
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
            click.echo(f"nrm: {message}" if named else f"nrm: {path}: {message}", err=True)

    @contextmanager
    def progress(self, out: Path, unit: str) -> Iterator[Progress | None]:
        """Give a function that shows how much of a file is done; None where nobody looks."""
        if self.quiet or not sys.stderr.isatty():
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
