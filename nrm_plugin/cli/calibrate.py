"""``nrm calibrate``: a command for each calibration of the registry, ours and plugins'."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin import plugins
from nrm_plugin.calibration import Estimate
from nrm_plugin.cli import SuggestingGroup
from nrm_plugin.cli.options import given_settings, metadata_of, options_of, settings_from
from nrm_plugin.hookspecs import Deferred
from nrm_plugin.text import with_unit
from nrm_plugin.vocabulary import METADATA, nearest

if TYPE_CHECKING:
    from nrm_plugin.delimited import TextTable
    from nrm_plugin.model import CurveSet

#: Suffixes of files that are read as a table of text where a calibration wants one.
_TEXT = (".csv", ".txt", ".tsv", ".dat", ".asc")


class Calibrations(SuggestingGroup):
    """Commands by the names in the registry; they are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """First words of all names."""
        return list(dict.fromkeys(name.split()[0] for name in plugins.installed().calibrations))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a calibration, or the methods of a quantity."""
        calibrations = plugins.installed().calibrations
        if cmd_name in calibrations:
            return _command(cmd_name, calibrations[cmd_name])
        if cmd_name not in self.list_commands(ctx):
            return None
        return Methods(
            cmd_name,
            help=f"Methods to calibrate {cmd_name}; each has a --help of its own.",
            subcommand_metavar="METHOD [FILE]...",
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List all of them with their methods, without importing them."""
        _list(formatter, "Commands", "")


class Methods(SuggestingGroup):
    """Methods of a quantity: calibrations whose names have two words, the quantity's first."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Second words of their names."""
        names = plugins.installed().calibrations
        return [n.split()[1] for n in names if n.split()[0] == self.name]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a method."""
        calibration = plugins.installed().calibrations.get(f"{self.name} {cmd_name}")
        return None if calibration is None else _command(cmd_name, calibration)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without importing them."""
        _list(formatter, "Methods", f"{self.name} ")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the method to the front where it is given as ``--method``, as it once was."""
        first = args[0] if args else "--help"
        methods = self.list_commands(ctx)
        if first not in (*methods, *self.get_help_option_names(ctx)):
            args = _method_first(args, methods)
        return super().parse_args(ctx, args)


def _method_first(args: Sequence[str], methods: Sequence[str]) -> list[str]:
    """Arguments with the method in front; without ``--method`` it is the first of all.

    A table for which there was an option is one of the files.
    """
    words = [part for arg in args for part in _split(arg)]
    method = methods[0]
    if "--method" in words:
        at = words.index("--method")
        method = next(iter(words[at + 1 : at + 2]), "")
        del words[at : at + 2]
        if method not in methods:
            hint = nearest(method, methods)
            raise click.UsageError(f"the methods are {', '.join(methods)}, not {method!r}.{hint}")
    return [method, *(word for word in words if word != "--table")]


def _split(arg: str) -> list[str]:
    option, _, value = arg.partition("=")
    return [option, value] if option in ("--method", "--table") and value else [arg]


def _list(formatter: click.HelpFormatter, title: str, start: str) -> None:
    rows = [
        (name.removeprefix(start), calibration.description)
        for name, calibration in plugins.installed().calibrations.items()
        if name.startswith(start)
    ]
    with formatter.section(title):
        formatter.write_dl(rows)


@click.group("calibrate", cls=Calibrations)
def command() -> None:
    """Turn volts into newtons.

    Each command prints what it found with its standard error, and with -o writes it into an
    experiment file, new or existing.
    """


def _command(name: str, calibration: Any) -> click.Command:
    """Make the command of a calibration: its settings as options, and those that all have."""
    target = calibration.target() if isinstance(calibration, Deferred) else calibration
    model = getattr(target, "Settings", None)
    wants_table = getattr(target, "needs", "curves") == "table"
    common = [
        click.Argument(
            ["files"],
            nargs=-1,
            required=wants_table,
            metavar="FILE..." if wants_table else "[FILE]...",
        ),
        *([] if model is None else options_of(model)),
        click.Option(["--experiment"], metavar="E.toml", help="Experiment file with known values."),
        click.Option(
            ["--set", "known"],
            multiple=True,
            metavar="KEY=VALUE",
            help="A known value with its unit, tip_height=12um; may be repeated.",
        ),
        click.Option(
            ["-o", "--output"],
            metavar="E.toml",
            help="Write the result into this experiment file, new or existing.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Print a list of results."),
    ]
    return click.Command(
        name,
        params=common,
        callback=functools.partial(_calibrate, target),
        help=type(target).__doc__ or calibration.description,
    )


def _calibrate(
    calibration: Any,
    files: tuple[str, ...],
    experiment: str | None,
    known: tuple[str, ...],
    output: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    model = getattr(calibration, "Settings", None)
    settings = [] if model is None else [settings_from(model, given_settings(options))]
    wants_table = getattr(calibration, "needs", "curves") == "table"
    inputs = gather(files, experiment, known, wants_table=wants_table)
    estimates = calibration.estimate(inputs, *settings)
    estimates = [estimates] if isinstance(estimates, Estimate) else estimates
    report([_of(one, files, inputs) for one in estimates], output, as_json)


def _of(
    estimate: Estimate, files: Sequence[str], inputs: Sequence[CurveSet | TextTable]
) -> Estimate:
    """Return an estimate that says of which files it is, and of which day."""
    names = list(dict.fromkeys(Path(file).name for file in files))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    days = [str(getattr(one, "metadata", {}).get("start_time", ""))[:10] for one in inputs]
    day = min(filter(None, days), default=datetime.now().astimezone().date().isoformat())
    return replace(
        estimate,
        file=estimate.file or ", ".join(names[:3]) + more,
        date=estimate.date or day,
    )


def gather(
    files: Sequence[str], experiment: str | None, known: Sequence[str], *, wants_table: bool = False
) -> list[CurveSet | TextTable]:
    """Open files, each with what the experiment file and ``--set`` say.

    ``--set`` outranks the experiment file, which outranks the files. Known values that no curves
    can carry, for want of files or because these are tables, are in a set without curves.

    Raises
    ------
    NrmError
    click.UsageError
        For a setting that makes no sense.
    """
    from nrm_plugin import experiment as experiments
    from nrm_plugin import formats
    from nrm_plugin.model import CurveSet

    values = metadata_of(known)
    opened = [_open_table(file) if wants_table else formats.open(file) for file in files]
    if not any(isinstance(one, CurveSet) for one in opened):
        opened.append(CurveSet.from_arrays({}))
    stated = experiments.read(Path(experiment)) if experiment is not None else None
    inputs: list[CurveSet | TextTable] = []
    for one in opened:
        if isinstance(one, CurveSet):
            if stated is not None and wants_table:  # spectra and sweeps have their own channels
                one = one.with_metadata(dict(stated.metadata), stated.source)
            elif stated is not None:
                one = stated.apply(one)
            one = one.with_metadata(values, "--set")
        inputs.append(one)
    return inputs


def _open_table(path: str) -> TextTable | CurveSet:
    """Open a text file as a table with titles, and anything else as curves."""
    from nrm_plugin import formats
    from nrm_plugin.delimited import read_table
    from nrm_plugin.errors import NrmError, UnknownFormat

    if Path(path).suffix.lower() in _TEXT:
        return read_table(path)
    try:
        return formats.open(path)
    except UnknownFormat as unknown:
        try:
            return read_table(path)
        except NrmError:
            raise unknown from None


def report(estimates: Sequence[Estimate], output: str | None, as_json: bool) -> None:
    """Print estimates, and write them into an experiment file if one is given."""
    if output is not None:
        from nrm_plugin.experiment import update

        update(Path(output), estimates)
    if as_json:
        click.echo(json.dumps([_plain(e) for e in estimates], indent=2))
        return
    for estimate in estimates:
        unit = METADATA[estimate.key].unit if estimate.key in METADATA else ""
        value = with_unit(estimate.value, unit)
        error = with_unit(estimate.stderr, unit) if estimate.has_error else "unknown"
        click.echo(f"{estimate.key} = {value} +- {error}  ({estimate.method})")
        for note in estimate.notes:
            click.echo(f"  - {note}")


def _plain(estimate: Estimate) -> dict[str, Any]:
    """An estimate in types that JSON has; an unknown error is null."""
    plain = asdict(estimate) | {"stderr": estimate.stderr if estimate.has_error else None}
    return {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in plain.items()}
