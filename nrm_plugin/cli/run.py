"""``nrm run``: a study from its files to its report."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from nrm_plugin.study import read_study
from nrm_plugin.study.study_run import StudyRun, run_study
from nrm_plugin.text import counted

STOPPED = 130


@click.command("run")
@click.argument("file", metavar="STUDY.toml")
@click.option("-o", "--output", required=True, metavar="FOLDER/", help="Where everything goes.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Samples at once, each in a process of its own.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="A Dask scheduler whose workers do it, tcp://host:8786; they see the same files.",
)
@click.option("--rehash", is_flag=True, help="Believe the hash of a file, not its size and time.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of each step.")
@click.pass_context
def command(
    ctx: click.Context,
    file: str,
    output: str,
    jobs: int,
    scheduler: str | None,
    rehash: bool,
    as_json: bool,
) -> None:
    """Process all samples of a study, compare them, draw, and report.

    What is done already, and would be done in the same way again, is not done again: after a
    change, or an interruption, call it again. A file that cannot be read is left out and named at
    the end. Nothing in FOLDER/ but what an earlier run made is replaced.
    """
    study = read_study(file)
    quiet = bool(ctx.obj and ctx.obj["quiet"])
    shown = None if quiet else tell_step
    try:
        run = run_study(
            study, output, jobs=jobs, scheduler=scheduler, rehash=rehash, progress=shown
        )
    except KeyboardInterrupt:
        click.echo("nrm: stopped; the same call goes on from here", err=True)
        ctx.exit(STOPPED)
    if as_json:
        click.echo(json.dumps(report(run), indent=2))
    for message in () if quiet else run.messages:
        click.echo(f"nrm: {message}", err=True)
    report_failures(run)
    if not quiet:
        click.echo(f"nrm: {summary(run)}", err=True)
    ctx.exit(run.code)


def tell_step(done: int, total: int, what: str) -> None:
    """Name a step that was done; on a terminal on one line."""
    if what:
        click.echo(f"nrm: {done} of {total}: {what}", err=True)
    elif sys.stderr.isatty():
        click.echo(f"\rnrm: {done} of {total}", nl=done == total, err=True)


def report_failures(run: StudyRun) -> None:
    """Name what is wrong, and what could not be read or done."""
    for what, sentence in (*run.wrong, *run.failed):
        named = sentence.startswith(what)
        click.echo(f"nrm: {sentence}" if named else f"nrm: {what}: {sentence}", err=True)


def report(run: StudyRun) -> dict[str, object]:
    """What became of a study, in types that JSON has."""
    return {
        "folder": str(run.folder),
        "made": run.made,
        "kept": run.kept,
        "failed": [{"path": what, "error": sentence} for what, sentence in run.failed],
        "wrong": [{"sample": name, "sentence": sentence} for name, sentence in run.wrong],
        "messages": run.messages,
    }


def summary(run: StudyRun) -> str:
    """One line for people."""
    parts = [f"{counted(len(run.made), 'step')} done"] if run.made else []
    parts += [f"{len(run.kept)} up to date"] if run.kept else []
    parts += [f"{len(run.failed)} failed"] if run.failed else []
    parts += [f"{len(run.wrong)} wrong by their self-checks"] if run.wrong else []
    index = Path(run.folder) / "index.html"
    return ", ".join(parts) + (f"; open {index}" if index.exists() else "")
