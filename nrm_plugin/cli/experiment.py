"""``nrm experiment``: an experiment file to fill in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from nrm_plugin import formats
from nrm_plugin.cli import exit_code
from nrm_plugin.cli.batch import CurveOptions, with_files
from nrm_plugin.cli.check import CheckedFiles, of_curves
from nrm_plugin.errors import NrmError
from nrm_plugin.experiment import missing, template
from nrm_plugin.experiment.schema import BY_KEY
from nrm_plugin.files import check_output, replacing
from nrm_plugin.joining import join
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.requirements import unknown_channels
from nrm_plugin.vocabulary import METADATA


@click.command("experiment")
@with_files
@click.option(
    "--experiment",
    "filled",
    metavar="E.toml",
    help="A file that is filled in, or half: say what is still missing, and check its values.",
)
@click.option("-o", "--output", metavar="E.toml", help="Where to write it; printed if not given.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found and what is missing.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    filled: str | None,
    output: str | None,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Write an experiment file to fill in: what files gave, what is missing for moduli, and why.

    Several files are those of one experiment; values on which they differ are left out. With
    --experiment nothing is written unless -o says where: the file's values are held against the
    curves, as nrm check does.
    """
    options = CurveOptions.given(filled, (), ())
    if output is not None:
        check_output(Path(output), overwrite=overwrite)
    sets: list[CurveSet] = []
    failed: dict[str, NrmError] = {}
    for path in dict.fromkeys(files):
        try:
            sets.append(options.about(formats.open(path)))
        except NrmError as error:
            failed[path] = error
            click.echo(f"nrm: {error}", err=True)
    if sets:
        curves = join(sets)
        text = template(curves)
        if output is not None:
            with replacing(Path(output), overwrite=overwrite) as part:
                part.write_bytes(text.encode("utf-8"))
        elif not as_json and filled is None:
            click.echo(text, nl=False)
    checks: CheckedFiles | None = None
    if sets and filled is not None:
        checks = of_curves(list(dict.fromkeys(files)), curves, Recipe())
        if not as_json:
            click.echo("\n".join(checks.lines()))
    if as_json:
        report = describe(curves) if sets else {}
        if checks is not None:
            report["checks"] = [check.plain() for check in checks.checks]
        report["failed"] = [{"path": p, "error": str(e)} for p, e in failed.items()]
        click.echo(json.dumps(report, indent=2))
    if failed:
        ctx.exit(exit_code(next(iter(failed.values()))) if len(set(files)) == 1 else 1)
    if checks is not None and checks.wrong:
        ctx.exit(1)


def describe(curves: CurveSet) -> dict[str, Any]:
    """What was found and what is missing, in types that JSON has."""
    return {
        "files": [origin.name for origin in curves.origins],
        "n_curves": curves.n_curves,
        "found": [
            {
                "key": key,
                "place": BY_KEY[key].place if key in BY_KEY else None,
                "value": value,
                "unit": METADATA[key].unit if key in METADATA else "",
                "source": curves.metadata_source.get(key, ""),
            }
            for key, value in curves.metadata.items()
        ],
        "channels": [
            {
                "name": c.name,
                "original": c.original,
                "unit": c.unit,
                "known": c.name not in unknown_channels(curves),
            }
            for c in curves.channels.values()
        ],
        "missing": [
            {
                "key": gap.key,
                "why": gap.why,
                "place": "[channels]" if gap.is_channel else BY_KEY[gap.key].place,
            }
            for gap in missing(curves)
        ],
        "warnings": list(curves.warnings),
    }
