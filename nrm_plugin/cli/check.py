"""``nrm check``: what is doubtful in curves, in what was told of them, and in results."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from nrm_plugin.cli import exit_code
from nrm_plugin.cli.batch import CurveOptions, with_curve_options, with_files
from nrm_plugin.engine.checking import check, holds_results
from nrm_plugin.engine.checks.check import VERDICTS, Check
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.experiment import missing
from nrm_plugin.joining import join
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe, as_recipe
from nrm_plugin.text import with_unit

#: Fewer curves tell nothing on their own: files of so few are looked at together.
_FEW = 3

_WIDTH = 96

#: How verdicts stand in a list.
_MARKS = {"wrong": "WRONG", "doubtful": "doubtful", "unknown": "unknown", "fine": "fine"}


@click.command("check")
@with_files
@with_curve_options
@click.option("--recipe", "recipe", metavar="R.toml", help="What is going to be done with curves.")
@click.option("--json", "as_json", is_flag=True, help="Print a list with one object per file.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    experiment: str | None,
    settings: tuple[str, ...],
    names: tuple[str, ...],
    table_map: str | None,
    recipe: str | None,
    as_json: bool,
) -> None:
    """Say what is doubtful in curves, in what was told of them, and in results.

    Curves are held against their own walls before anything is processed; values may still be
    missing. On bare glass, silicon or mica (--set electrode=glass) more can be told. Results say
    what was found when they were made. Exits with 1 where something is wrong.
    """
    options = CurveOptions.given(experiment, settings, names, table_map)
    chosen = as_recipe(recipe)
    found, codes = checked(files, options, chosen)
    if as_json:
        click.echo(json.dumps([one.plain() for one in found], indent=2))
    else:
        for one in found:
            if one.error is not None:
                click.echo(f"nrm: {one.error}", err=True)
            else:
                click.echo("\n".join(one.lines()))
        for line in told_differently([one.paths[0] for one in found if one.is_of_results]):
            click.echo(line)
    if codes:
        ctx.exit(codes[0] if len(files) == 1 else 1)
    if any(one.wrong for one in found):
        ctx.exit(1)


@dataclass(frozen=True, kw_only=True)
class CheckedFiles:
    """What was found in files that were looked at together.

    Attributes
    ----------
    paths : sequence of str
    kind : str
        ``curves`` or ``results``.
    checks : sequence of Check
    gaps : sequence of str
        Channels and keys that moduli need and that are missing.
    n_curves : int
    error : str or None
        Why nothing was found.
    decided : str
        What was decided by hand about results.
    """

    paths: Sequence[str]
    kind: str = "curves"
    checks: Sequence[Check] = ()
    gaps: Sequence[str] = ()
    n_curves: int = 0
    error: str | None = None
    decided: str = ""

    @property
    def is_of_results(self) -> bool:
        """Whether it is of results that could be read."""
        return self.kind == "results" and self.error is None

    @property
    def wrong(self) -> bool:
        """Whether the data refute something."""
        return any(c.verdict == "wrong" for c in self.checks)

    def plain(self) -> dict[str, Any]:
        """Return the same in types that JSON has."""
        if self.error is not None:
            return {"path": self.paths[0], "error": self.error}
        return {
            "path": self.paths[0],
            "paths": list(self.paths),
            "kind": self.kind,
            "n_curves": self.n_curves,
            "missing": list(self.gaps),
            "checks": [c.plain() for c in self.checks],
            **({"decisions": self.decided} if self.decided else {}),
        }

    def lines(self) -> list[str]:
        """Return the same for people, the worst first."""
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        noun = "curve" if self.n_curves == 1 else "curves"
        lines = [f"{self.paths[0]}{more}  ({self.kind}, {self.n_curves} {noun})"]
        if self.gaps:
            lines += _wrapped(f"missing for moduli: {', '.join(self.gaps)}", "  ")
        if self.decided:
            lines.append(f"  {self.decided}")
        if not self.checks:
            lines.append("  a version without self-checks made these results: process them again")
        for verdict in VERDICTS:
            for c in self.checks:
                if c.verdict == verdict:
                    lines += _of_one(c)
        counts = [f"{sum(c.verdict == v for c in self.checks)} {v}" for v in VERDICTS]
        return [*lines, f"  {', '.join(counts)}"] if self.checks else lines


def checked(
    files: Iterable[str], options: CurveOptions, recipe: Recipe
) -> tuple[list[CheckedFiles], list[int]]:
    """Check files, those of a few curves together.

    Returns
    -------
    list of CheckedFiles
    codes : list of int
        Exit codes of files that could not be checked.
    """
    found: list[CheckedFiles] = []
    codes: list[int] = []
    few: list[tuple[str, CurveSet]] = []
    for path in dict.fromkeys(files):
        try:
            if holds_results(Path(path)):
                found.append(_of_results(path))
                continue
            curves = options.opened(path)
            if not curves.n_curves:
                raise InvalidInput(f"{path}: there are no curves in it")
            if curves.n_curves < _FEW:
                few.append((path, curves))
            else:
                found.append(of_curves([path], curves, recipe))
        except NrmError as error:
            found.append(_failed(path, error))
            codes.append(exit_code(error))
    if few:
        paths = [path for path, _ in few]
        try:
            found.append(of_curves(paths, join([curves for _, curves in few]), recipe))
        except NrmError as error:
            found.append(_failed(paths[0], error))
            codes.append(exit_code(error))
    return found, codes


def told_differently(paths: Sequence[str]) -> list[str]:
    """Lines on what was told differently of several results; none for one file."""
    if len(paths) < 2:
        return []
    from nrm_plugin.report.told_differences import told_differences
    from nrm_plugin.statistics.comparison_types import StudySample
    from nrm_plugin.statistics.regions import everything
    from nrm_plugin.store.read_results import open_results

    samples = []
    for path in paths:
        results = open_results(path)
        samples.append(
            StudySample(name=path, condition="", results=results, regions=everything(results))
        )
    found = told_differences(samples)
    head = [f"told differently of these {len(paths)} results:"] if found else []
    return head + [line for one in found for line in _wrapped(one.sentence, "  ")]


def of_curves(paths: Sequence[str], curves: CurveSet, recipe: Recipe) -> CheckedFiles:
    """Check curves.

    Raises
    ------
    NrmError
    """
    gaps = [gap.key for gap in missing(curves)]
    return CheckedFiles(
        paths=paths, checks=check(curves, recipe), gaps=gaps, n_curves=curves.n_curves
    )


def _of_results(path: str) -> CheckedFiles:
    from nrm_plugin.cli.results_summary import decided
    from nrm_plugin.store.results_file import opened_results

    with opened_results(path) as group:
        n_curves = int(group["quality"].shape[-1])
        words = decided(group, path)
    return CheckedFiles(
        paths=[path], kind="results", checks=check(path), n_curves=n_curves, decided=words
    )


def _failed(path: str, error: NrmError) -> CheckedFiles:
    message = str(error)
    return CheckedFiles(
        paths=[path], error=message if message.startswith(path) else f"{path}: {message}"
    )


def _of_one(c: Check) -> list[str]:
    """A check in some lines."""
    told = "" if c.told is None else f"  told {_value(c.told, c.unit)}"
    found = "" if c.found is None else f"  found {_value(c.found, c.unit)}"
    head = f"  {_MARKS[c.verdict]:9}{c.name}{told}{found}"
    if c.effect_in_words and c.verdict != "fine":
        head += f"  ({c.effect_in_words})"
    return [head, *([] if c.verdict == "fine" else _wrapped(c.advice, " " * 11))]


def _value(value: float | str, unit: str) -> str:
    if isinstance(value, str):
        return value
    if unit == "rad":
        return f"{math.degrees(value):.1f} deg"
    return f"{value:.3g} %" if unit == "%" else with_unit(value, unit, 3)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False
    )
