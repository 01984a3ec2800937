"""``nrm demo``: the main job on the sample data."""

from __future__ import annotations

from pathlib import Path

import click

import nrm_plugin
from nrm_plugin.cli.batch import Known
from nrm_plugin.cli.convert import Conversion
from nrm_plugin.cli.info import as_text
from nrm_plugin.errors import MissingFile


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


@click.command("demo")
@click.option("-o", "--output", default="nrm-demo", show_default=True, metavar="FOLDER",
              help="Where the results go.")  # fmt: skip
@click.pass_context
def command(ctx: click.Context, output: str) -> None:
    """Convert the vendor files of the sample data and show what is in them.

    The sample data are made by a script with known contents; no instrument recorded them.
    """
    ours = {".py", ".pyc", ".md"}
    samples = sorted(p for p in sample_data().rglob("*") if p.is_file() and p.suffix not in ours)
    quiet = bool(ctx.obj and ctx.obj["quiet"])
    batch = Conversion(samples, Known(), overwrite=True, quiet=quiet)
    batch.each(Path(output), ".h5")
    for path in batch.written:
        click.echo(as_text(path, nrm_plugin.open(path)))
    click.echo(f"{batch.summary()} in {output}: open them with nrm_plugin.open, h5py or xarray")
    ctx.exit(batch.code)
