"""``nrm convert``: files of any kind to the common file and others, one by one or merged."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin import formats, plugins
from nrm_plugin.cli import exit_code
from nrm_plugin.errors import InvalidInput, NrmError, OutputError
from nrm_plugin.merging import merge
from nrm_plugin.model import CurveSet
from nrm_plugin.units import parse
from nrm_plugin.vocabulary import CHANNELS, METADATA, nearest

if TYPE_CHECKING:
    from nrm_plugin.experiment import Experiment


@click.command("convert")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", required=True, metavar="OUT",
              help="A file: several inputs are merged into it. A folder (existing, or ending "
              "with /): each input becomes a file there.")  # fmt: skip
@click.option("--experiment", "experiment", metavar="E.toml",
              help="Experiment file: wiring, lock-in settings, calibrations.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="Metadata with its unit, spring_constant=0.2N/m. May be repeated.")  # fmt: skip
@click.option("--map", "names", multiple=True, metavar="VENDOR_NAME=CHANNEL",
              help="What a channel is, Input1=lockin_output_x. May be repeated.")  # fmt: skip
@click.option("--to", "suffix", default=".h5", show_default=True, metavar="SUFFIX",
              help="Kind of the files in a folder.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of each file.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    output: str,
    experiment: str | None,
    settings: tuple[str, ...],
    names: tuple[str, ...],
    suffix: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Convert files to .h5 or other formats, or merge them.

    Going on after an interruption: call it again. Files in a folder that are already converted
    to .h5 from the same original with the same settings are skipped.
    """
    batch = Batch(
        list(dict.fromkeys(Path(f) for f in files)),
        _settings(settings),
        _names(names),
        overwrite,
        quiet=bool(ctx.obj and ctx.obj["quiet"]),
        experiment=_experiment(experiment),
    )
    folder = output.endswith(("/", os.sep)) or Path(output).is_dir()
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    wanted = suffix if folder else Path(output).suffix.lower()
    known = sorted(plugins.installed().exporters)
    if wanted.lower() not in known:
        raise click.UsageError(f"nothing writes {wanted or output!r}; there are {', '.join(known)}")
    if folder:
        batch.each(Path(output), suffix)
    else:
        batch.all(Path(output))
    if as_json:
        click.echo(json.dumps(batch.report(), indent=2))
    elif not batch.quiet:
        click.echo(batch.summary(), err=True)
    ctx.exit(batch.code)


def _pairs(given: tuple[str, ...], what: str) -> Iterator[tuple[str, str]]:
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise click.UsageError(f"{what} {text!r}: write it as NAME=VALUE")
        yield key.strip(), value.strip()


def _settings(given: tuple[str, ...]) -> dict[str, Any]:
    """Metadata from ``--set``, in SI.

    Raises
    ------
    click.UsageError
    """
    values: dict[str, Any] = {}
    for name, text in _pairs(given, "--set"):
        key = METADATA.get(name)
        if key is None:
            raise click.UsageError(f"--set: there is no key {name!r}.{nearest(name, METADATA)}")
        try:
            wordy = key.text or key.words or name == "simulated"
            values[name] = key.check(name, text if wordy else parse(text, key.unit))
        except InvalidInput as error:
            about = "" if name in str(error) else f" {name}"
            raise click.UsageError(f"--set{about}: {error}") from None
    return values


def _experiment(path: str | None) -> Experiment | None:
    if path is None:
        return None
    from nrm_plugin.experiment import read

    return read(path)


def _vendor_names(curves: CurveSet) -> dict[str, str]:
    return {name: channel.original for name, channel in curves.channels.items()}


def _names(given: tuple[str, ...]) -> dict[str, str]:
    names = dict(_pairs(given, "--map"))
    for new in names.values():
        if new not in CHANNELS:
            raise click.UsageError(f"--map: there is no channel {new!r}.{nearest(new, CHANNELS)}")
    return names


class Batch:
    """Files on their way, and what became of each."""

    def __init__(
        self,
        files: list[Path],
        settings: dict[str, Any],
        names: dict[str, str],
        overwrite: bool,
        quiet: bool = False,
        experiment: Experiment | None = None,
    ) -> None:
        self.files, self.settings, self.names = files, settings, names
        self.overwrite, self.quiet, self.experiment = overwrite, quiet, experiment
        self.written: dict[str, list[str]] = {}
        self.skipped: list[str] = []
        self.failed: dict[str, NrmError] = {}

    @property
    def code(self) -> int:
        """Exit code of the whole."""
        if not self.failed:
            return 0
        return exit_code(next(iter(self.failed.values()))) if len(self.files) == 1 else 1

    def report(self) -> dict[str, Any]:
        """What became of each file."""
        return {
            "written": [{"path": p, "from": origins} for p, origins in self.written.items()],
            "skipped": self.skipped,
            "failed": [{"path": p, "error": str(e)} for p, e in self.failed.items()],
        }

    def summary(self) -> str:
        """One line for people."""
        counts = [(len(self.written), "written"), (len(self.skipped), "up to date, skipped"),
                  (len(self.failed), "failed")]  # fmt: skip
        return "nrm: " + ", ".join(f"{n} {what}" for n, what in counts if n)

    def each(self, folder: Path, suffix: str) -> None:
        """Convert every file to one in the folder, named after it with all its suffixes."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(folder, error.strerror or error) from None
        for path in self._with_bar(self.files):
            out = folder / f"{path.name}{suffix}"
            with self._failures_of(path):
                if str(out) in self.written:
                    raise OutputError(out, f"it was just made from {self.written[str(out)][0]}")
                curves = self._opened(path)
                if out.exists() and not self.overwrite and self._up_to_date(curves, path, out):
                    self.skipped.append(str(out))
                    continue
                self._save(curves, out)
                self.written[str(out)] = [str(path)]

    def all(self, out: Path) -> None:
        """Merge all files that can be read into one."""
        if out.exists() and not self.overwrite:
            raise OutputError(out, "it exists, and is replaced only with --overwrite")
        sets, paths = [], []
        for path in self.files:
            with self._failures_of(path):
                sets.append(self._opened(path))
                paths.append(str(path))
        if not sets:
            return
        with self._progress(out) as progress:
            self._save(merge(sets), out, progress)
        self.written[str(out)] = paths

    def _opened(self, path: Path) -> CurveSet:
        curves = formats.open(path)
        if self.experiment is not None:
            curves = self.experiment.apply(curves)
        for warning in () if self.quiet else curves.warnings:
            click.echo(f"nrm: {path}: {warning}", err=True)
        if self.names and curves.n_curves:
            curves = curves.with_names(self.names)
        if self.settings:
            curves = curves.with_metadata(self.settings, "--set")
        return curves

    def _save(self, curves: CurveSet, out: Path, progress: Any = None) -> None:
        if out.suffix.lower() == ".h5":
            from nrm_plugin.store import save_curves

            save_curves(curves, out, overwrite=self.overwrite, progress=progress)
        else:
            formats.save(curves, out, overwrite=self.overwrite)

    def _up_to_date(self, now: CurveSet, path: Path, out: Path) -> bool:
        """Whether `out` is what converting `path`, opened as `now`, would give."""
        if out.suffix.lower() != ".h5":
            return False
        from nrm_plugin.store import open_curves, sha256

        try:
            made = open_curves(out)
        except NrmError:
            return False
        return (
            len(made.origins) == 1
            and made.origins[0].sha256 == (now.origins[0].sha256 or sha256(str(path)))
            and made.origins[0].version == now.origins[0].version
            and made.metadata == now.metadata
            and made.metadata_source == now.metadata_source
            and _vendor_names(made) == _vendor_names(now)
        )

    @contextmanager
    def _failures_of(self, path: Path) -> Iterator[None]:
        """Note an error of this file and go on with the next."""
        try:
            yield
        except NrmError as error:
            self.failed[str(path)] = error
            click.echo(f"nrm: {error}", err=True)

    @property
    def _shows_bar(self) -> bool:
        return not self.quiet and sys.stderr.isatty()

    def _with_bar(self, files: list[Path]) -> Iterator[Path]:
        if not self._shows_bar or len(files) < 2:
            yield from files
            return
        from tqdm import tqdm

        yield from tqdm(files, unit="file", leave=False)

    @contextmanager
    def _progress(self, out: Path) -> Iterator[Callable[[int, int], None] | None]:
        if not self._shows_bar:
            yield None
            return
        from tqdm import tqdm

        with tqdm(unit=" samples", unit_scale=True, desc=out.name, leave=False) as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            yield show
