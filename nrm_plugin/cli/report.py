"""``nrm report``: one HTML file on results."""

from __future__ import annotations

from pathlib import Path

import click

from nrm_plugin.cli.batch import opened_together
from nrm_plugin.cli.options import log_unit_option, log_units_of, no_decisions_option
from nrm_plugin.cli.plot import edges_given
from nrm_plugin.decisions import by_hand
from nrm_plugin.files import check_output
from nrm_plugin.formats import expanded
from nrm_plugin.store.read_results import open_results


@click.command("report")
@click.argument("file", metavar="RESULTS.h5")
@click.option("-o", "--output", required=True, metavar="REPORT.html", help="The report.")
@click.option(
    "--curves",
    "originals",
    metavar="ORIGINAL",
    multiple=True,
    help="The curves that the results were made from: for examples, and how densely they "
    "were sampled. A folder or a pattern, or repeated, as process was given them.",
)
@click.option(
    "--potential",
    "log",
    metavar="LOG",
    help="The potentiostat's log, for the current; and for potentials, if the results have none.",
)
@log_unit_option
@click.option(
    "--edges",
    metavar="V,V,...",
    help="Potentials between which the regions lie, 2,1.5,1,0.5,0.005.",
)
@click.option(
    "--sweep",
    type=click.Choice(["cathodic", "anodic", "any"]),
    help="Pass of the voltammogram; the cathodic one where there are both.",
)
@click.option("--cycle", metavar="N", help="Number of the cycle, or any; by default the first.")
@click.option(
    "--surface",
    type=click.Choice(["any", "hard", "yielding"]),
    default="any",
    show_default=True,
    help="Class of the surface, by the slope of the wall.",
)
@click.option(
    "--run",
    type=click.Choice(["all", "before", "after"]),
    default="all",
    show_default=True,
    help="Part of the run before or after the instrument's step.",
)
@click.option(
    "--crate",
    metavar="CRATE.zip",
    help="Also write a research object (RO-Crate) for a repository such as Zenodo: results, "
    "recipe, report and provenance, with the originals that --curves names.",
)
@no_decisions_option
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    file: str,
    output: str,
    originals: tuple[str, ...],
    log: str | None,
    log_units: tuple[str, ...],
    edges: str | None,
    crate: str | None,
    no_decisions: bool,
    overwrite: bool,
    cycle: str | None,
    **selection: str | None,
) -> None:
    """Write a report on results: what was measured, how, how well, and what came out.

    It is one HTML file with all figures in it, which any browser opens without a network.
    """
    out = Path(output)
    if out.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"-o {output}: a report is written as .html")
    check_output(out, overwrite=overwrite)
    if crate is not None:
        if Path(crate).suffix.lower() != ".zip":
            raise click.UsageError(f"--crate {crate}: a research object is written as .zip")
        check_output(Path(crate), overwrite=overwrite)
    bounds = edges_given(edges)
    results = open_results(file, not no_decisions)
    curves = opened_together(originals) if originals else None
    from nrm_plugin.figures.kinds import cycle_number
    from nrm_plugin.report import write_report
    from nrm_plugin.statistics import DEFAULT_EDGES

    recorded = None
    if log is not None:
        from nrm_plugin.potential import read_log

        recorded = read_log(log, units=log_units_of(log_units))
    write_report(
        results,
        out,
        curves=curves,
        edges=bounds or DEFAULT_EDGES,
        log=recorded,
        file=file,
        selection={"cycle": cycle_number(cycle), **selection},
        overwrite=overwrite,
    )
    written, lacks = [f"{out} written"], []
    if crate is not None:
        from nrm_plugin.report.crate import write_crate

        lacks = write_crate(
            Path(crate),
            results=results,
            file=Path(file),
            report=out,
            originals=expanded(originals),
            overwrite=overwrite,
        )
        written.append(f"{crate} written")
    if not (ctx.obj and ctx.obj["quiet"]):
        for message in (*by_hand(results), *written, *(f"{crate}: {text}" for text in lacks)):
            click.echo(f"nrm: {message}", err=True)
