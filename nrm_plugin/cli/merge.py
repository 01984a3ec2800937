"""``nrm merge``: what two recorders wrote of one experiment, as one set of curves."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nrm_plugin import formats
from nrm_plugin.cli.batch import CurveOptions, opened_together, with_curve_options
from nrm_plugin.files import check_output


@click.command("merge")
@click.argument("board", metavar="DAQ.h5")
@click.argument("microscope", nargs=-1, required=True, metavar="AFM...")
@click.option("-o", "--output", required=True, metavar="OUT.h5", help="The curves of both.")
@click.option(
    "--picture",
    metavar="FIG",
    help="Draw the alignment: .png, .svg or .pdf. By default beside OUT.h5, as OUT.pairs.png.",
)
@with_curve_options
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print the pairs, for programs.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    board: str,
    microscope: tuple[str, ...],
    output: str,
    picture: str | None,
    experiment: str | None,
    settings: tuple[str, ...],
    names: tuple[str, ...],
    table_map: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Pair the microscope's curves with what a second recorder wrote, by their deflection.

    DAQ.h5 is the recording with the lateral signal (.h5, .tdms, a table, another microscope's
    file), AFM the microscope's files in the order of time. Height, positions and calibration are
    the microscope's; lateral signals and potential the other recorder's. What cannot be told to
    belong together is refused.
    """
    out = Path(output)
    if out.suffix.lower() != ".h5":
        raise click.UsageError(f"-o {output}: the curves of both are written as .h5")
    drawn = out.with_suffix(".pairs.png") if picture is None else Path(picture)
    for path in (out, drawn):
        check_output(path, overwrite=overwrite)
    known = CurveOptions.given(experiment, settings, names)
    recording = formats.open_with(board, table_map)
    curves = opened_together(microscope)
    from nrm_plugin.pairing import pair, paired
    from nrm_plugin.store import save_curves

    found = pair(recording, curves)
    both = known.about(paired(recording, curves, found))
    save_curves(both, out, overwrite=overwrite)
    from nrm_plugin.figures import paired_recordings
    from nrm_plugin.figures.output import save

    figure = paired_recordings(recording, curves, found)
    save(figure, drawn, title=f"{out.name}: pairs", overwrite=overwrite)
    if as_json:
        click.echo(json.dumps({"path": str(out), "picture": str(drawn), **found.as_json()}))
        return
    for sentence in found.sentences():
        click.echo(sentence)
    if not (ctx.obj and ctx.obj["quiet"]):
        click.echo(f"nrm: {out} and {drawn} written", err=True)
