"""``nrm demo``: the main job, on sample files and on a simulated experiment."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

import click

import nrm_plugin
from nrm_plugin import plugins
from nrm_plugin.cli import results_summary
from nrm_plugin.cli.batch import CurveOptions
from nrm_plugin.cli.convert import Conversion
from nrm_plugin.errors import MissingFile, OutputError
from nrm_plugin.text import counted, table

#: The same seed gives the same curves.
SEED = 20

#: Names of what is made of the simulated experiment.
CURVES, LOG, RESULTS = "hard-carbon.h5", "hard-carbon-cv.csv", "hard-carbon-results.h5"
FIGURE, SUMMARY, REPORT = "figure4.png", "summary.csv", "report.html"


def sample_data() -> Path:
    """Folder of the sample files: inside an installed package, beside it in a checkout.

    Raises
    ------
    MissingFile
    """
    package = Path(nrm_plugin.__file__).parent
    for folder in (package / "sample_data", package.parent / "sample_data"):
        if folder.is_dir():
            return folder
    raise MissingFile(package / "sample_data", "the sample data are not installed")


def samples() -> list[Path]:
    """Sample files with curves or images: in folders named after their importers."""
    importers = plugins.installed().importers
    return sorted(p for p in sample_data().rglob("*") if p.is_file() and p.parent.name in importers)


@click.command("demo")
@click.option(
    "-o",
    "--output",
    default="nrm-demo",
    show_default=True,
    metavar="FOLDER",
    help="Where the results go.",
)
@click.option(
    "--study",
    "whole_study",
    is_flag=True,
    help="A study instead: two simulated electrolytes, three samples each.",
)
@click.pass_context
def command(ctx: click.Context, output: str, whole_study: bool) -> None:
    """Show the whole of it: sample files converted, an experiment simulated and reported.

    The sample files are made by a script with known contents, and the experiment (hard carbon
    that is sodiated for the first time) by a simulator; no instrument recorded them. What is in
    the folder from an earlier demo is replaced.
    """
    begin = time.perf_counter()
    folder = Path(output)
    quiet = bool(ctx.obj and ctx.obj["quiet"])
    if whole_study:
        ctx.exit(study_of_electrolytes(folder, quiet))
    code = convert_samples(folder / "samples", quiet)
    simulate_and_report(folder)
    seconds = time.perf_counter() - begin
    click.echo(
        f"\nDone in {seconds:.0f} s. All of it is simulated or made by a script.\n"
        f"Now open {folder / REPORT} in a browser."
    )
    ctx.exit(code)


def convert_samples(folder: Path, quiet: bool) -> int:
    """Convert the vendors' sample files, say what is in them, and return the exit code."""
    click.echo("Sample files of vendors, made by a script, become one kind of file:")
    batch = Conversion(samples(), CurveOptions(), overwrite=True, quiet=quiet)
    batch.each(folder, ".h5")
    rows = []
    for path in batch.written:
        curves = nrm_plugin.open(path)
        reader = curves.origins[0].importer if curves.origins else ""
        rows.append(
            (
                Path(path).name,
                reader,
                counted(curves.n_curves),
                counted(len(curves.images), "image"),
            )
        )
    click.echo(table(rows))
    click.echo(f"{batch.summary()} in {folder}")
    return batch.code


def simulate_and_report(folder: Path) -> None:
    """Simulate an experiment, and go the way that a user's own files go."""
    from nrm_plugin import figures, statistics
    from nrm_plugin.potential import read_log, with_potential
    from nrm_plugin.report import write_report
    from nrm_plugin.simulate.sodiation import sodiation, write_log
    from nrm_plugin.store.results_file import opened_results

    click.echo(
        "\nA simulated experiment: an interphase grows on rough hard carbon while the "
        "potential falls\nfrom 2 V to 0.005 V at 1 mV/s."
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(folder, error.strerror or error) from None
    made, log, _ = sodiation(seed=SEED)
    made.save(folder / CURVES)
    write_log(log, folder / LOG)
    say(f"recorded    {CURVES}, {made.n_curves} curves; the potentiostat's log {LOG}")

    curves = with_potential(nrm_plugin.open(folder / CURVES), folder / LOG, clock_offset=0.0)
    results = nrm_plugin.process(curves, out=folder / RESULTS)
    say(f"processed   {RESULTS}")
    with opened_results(folder / RESULTS) as group:
        lines = results_summary.lines(results_summary.summarize(group))
    click.echo(textwrap.indent("\n".join(lines), "  "))

    regions = statistics.regions(results)
    recorded = read_log(folder / LOG)
    trace = figures.log_trace(recorded, results)
    figures.save(figures.figure4(results, regions, trace=trace), folder / FIGURE)
    analysis = statistics.Analysis(results)
    thickness = statistics.region_thickness(analysis, regions)
    rows = statistics.summary(analysis, regions, thickness=thickness)
    statistics.write_summary(rows, folder / SUMMARY)
    say(f"drawn       {FIGURE}; numbers in {SUMMARY}")
    write_report(results, folder / REPORT, curves=curves, log=recorded, file=folder / RESULTS)
    say(f"reported    {REPORT}")


def study_of_electrolytes(folder: Path, quiet: bool) -> int:
    """Simulate a study, run it as a user would, and return the exit code."""
    from nrm_plugin.cli.run import report_failures, tell_step
    from nrm_plugin.simulate.electrolytes import simulated_study
    from nrm_plugin.simulate.study_files import DATA, write_study
    from nrm_plugin.study import read_study
    from nrm_plugin.study.study_run import run_study

    made = simulated_study(SEED)
    first, second = made.between
    click.echo(
        f"A simulated study: {counted(len(made.samples), 'electrode')} in two electrolytes, which "
        f"differ by a factor of {made.shift:g}\nin {made.changed.label} ({first} over {second}), "
        f"and not in {made.unchanged.label};\n{made.outlier} came out otherwise."
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(folder, error.strerror or error) from None
    path = write_study(made, folder)
    say(f"recorded    {DATA}/, {path.name}")
    run = run_study(read_study(path), folder / "out", progress=None if quiet else tell_step)
    report_failures(run)
    click.echo(f"All of it is simulated. Now open {folder / 'out' / 'index.html'} in a browser.")
    click.echo(f"The same by hand: nrm run {path} -o {folder / 'out'}/")
    return run.code


def say(text: str) -> None:
    """Say what has been done."""
    click.echo(f"  {text}")
