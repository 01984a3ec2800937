"""Fuzz readers: ``python -m fuzzing [TARGET ...] --seconds N``; without names, all of them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import click

from fuzzing.campaigns import HOME, Campaign, guided, plain
from fuzzing.ceilings import failure_of, processor_time
from fuzzing.seeds import write_seeds
from fuzzing.sizes import CASES, UNKNOWABLE, silent_differences
from fuzzing.targets import TARGETS, prepare


@click.command()
@click.argument("names", nargs=-1, metavar="[TARGET]...", type=click.Choice(list(TARGETS)))
@click.option("--seconds", default=60.0, show_default=True, help="Processor time of each target.")
@click.option("--seed", default=1, show_default=True, help="Of the random changes.")
@click.option("--plain", "is_plain", is_flag=True, help="Without atheris: nothing guides it.")
@click.option("--sizes", is_flag=True, help="Whether wrong sizes are noticed, and nothing else.")
@click.option(
    "--run",
    "files",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Run these inputs of one target, and nothing else.",
)
def main(
    names: tuple[str, ...],
    seconds: float,
    seed: int,
    is_plain: bool,
    sizes: bool,
    files: tuple[Path, ...],
) -> None:
    """Try readers with changed files; inputs that failed lie in .fuzzing/found/TARGET."""
    chosen = list(names or TARGETS)
    shared = Path("/dev/shm")  # in memory, where the system has it
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as scratch:
        os.environ["TMPDIR"] = tempfile.tempdir = scratch
        prepare()
        if files:
            sys.exit(_run_files(names[0], files))
        sys.exit(_sizes() if sizes else _campaigns(chosen, seconds, seed, is_plain))


def _campaigns(names: list[str], seconds: float, seed: int, is_plain: bool) -> int:
    if not is_plain and not importlib.util.find_spec("atheris"):
        raise click.ClickException(
            "atheris is not installed: pip install -e '.[fuzzing]', or --plain"
        )
    failed = executions = 0
    click.echo(f"{'target':14}{'executions':>11}{'processor':>11}{'edges':>7}{'failed':>8}")
    for name in names:
        seeds = HOME / "seeds" / name
        shutil.rmtree(seeds, ignore_errors=True)  # of an earlier version
        write_seeds(name, seeds)
        done: Campaign = (plain if is_plain else guided)(name, seeds, seconds, seed)
        click.echo(
            f"{name:14}{done.executions:11}{done.processor:9.0f} s"
            f"{done.edges or '-':>7}{done.failed:8}"
        )
        failed += done.failed
        executions += done.executions
    click.echo(f"{'together':14}{executions:11}{processor_time():9.0f} s{'':7}{failed:8}")
    return failed > 0


def _run_files(name: str, files: tuple[Path, ...]) -> int:
    failures = [failure_of(TARGETS[name].run, path.read_bytes()) for path in files]
    for path, failure in zip(files, failures, strict=True):
        click.echo(f"{path}: {failure.report if failure else 'nothing, or a named error'}")
    return sum(failure is not None for failure in failures)


def _sizes() -> int:
    """Try all sizes of all cases."""
    silent = 0
    for name, seed, form, repaired in CASES:
        folder = Path(tempfile.gettempdir()) / name
        if not folder.exists():
            write_seeds(name, folder)
        tried, found = silent_differences(name, folder / seed, form, repaired)
        unknowable = UNKNOWABLE.get(name, "$^")
        wrong = [str(one) for one in found if not re.search(unknowable, one.field.name)]
        click.echo(
            f"{name} {seed} {form}: {tried} tried, {len(found) - len(wrong)} that cannot be "
            f"known, {len(wrong)} silent"
        )
        for one in wrong:
            click.echo(f"    {one}")
        silent += len(wrong)
    return silent > 0


if __name__ == "__main__":
    main()
