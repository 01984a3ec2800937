"""``nrm study``: a study file proposed for a folder."""

from __future__ import annotations

from pathlib import Path

import click

from nrm_plugin.files import check_output, replacing


@click.command("study")
@click.argument("folder", metavar="FOLDER")
@click.option(
    "-o", "--output", metavar="STUDY.toml", help="Where to write it; printed if not given."
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.pass_context
def command(ctx: click.Context, folder: str, output: str | None, overwrite: bool) -> None:
    """Propose a study file: samples and conditions by folders, names and metadata.

    It says in comments what it guessed. Paths in it are relative to where it is written.
    """
    from nrm_plugin.study.proposal import propose

    if output is None:
        click.echo(propose(folder), nl=False)
        return
    out = Path(output)
    check_output(out, overwrite=overwrite)
    text = propose(folder, out.absolute().parent)
    with replacing(out, overwrite=overwrite) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    if not (ctx.obj and ctx.obj["quiet"]):
        click.echo(f"nrm: {out} written: read what was guessed before nrm run", err=True)
