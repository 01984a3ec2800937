"""``nrm convert``: files of any kind to the common file and others, one by one or merged."""

from __future__ import annotations

from pathlib import Path

import click

from nrm_plugin import formats, plugins
from nrm_plugin.cli.batch import (
    Batch,
    CurveOptions,
    files_and_output,
    is_folder,
    with_curve_options,
)
from nrm_plugin.cli.spread import Spread, with_spread
from nrm_plugin.errors import NrmError
from nrm_plugin.model import CurveSet


@click.command("convert")
@files_and_output
@with_curve_options
@click.option(
    "--to",
    "suffix",
    default=".h5",
    show_default=True,
    metavar="SUFFIX",
    help="Kind of the files in a folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@with_spread
@click.option("--json", "as_json", is_flag=True, help="Print what became of each file.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    output: str,
    experiment: str | None,
    settings: tuple[str, ...],
    names: tuple[str, ...],
    table_map: str | None,
    suffix: str,
    overwrite: bool,
    jobs: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Convert files to .h5 or other formats, or join them.

    Going on after an interruption: call it again. Files in a folder that are already converted
    to .h5 from the same original with the same settings are skipped.
    """
    options = CurveOptions.given(experiment, settings, names, table_map)
    batch = Conversion(
        files,
        options,
        overwrite,
        quiet=bool(ctx.obj and ctx.obj["quiet"]),
        spread=Spread(jobs=jobs, scheduler=scheduler),
    )
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    wanted = suffix if is_folder(output) else Path(output).suffix.lower()
    writable = sorted(plugins.installed().exporters)
    if wanted.lower() not in writable:
        suffixes = ", ".join(writable)
        raise click.UsageError(f"nothing writes {wanted or output!r}; there are {suffixes}")
    batch.run(ctx, output, suffix, as_json)


_ONLY_SAMPLES = (
    "a table holds the samples alone: positions, times, calibration and images stay behind "
    "(.h5 keeps all of it)"
)


class Conversion(Batch):
    """Curves as they are, in another format."""

    def write(self, curves: CurveSet, out: Path) -> None:
        """Write the curves; the suffix says how."""
        with self.progress(out, "samples") as progress:
            if out.suffix.lower() != ".h5":
                formats.save(curves, out, overwrite=self.overwrite)
                if out.suffix.lower() == ".csv":
                    self.say(out, [_ONLY_SAMPLES])
                return
            from nrm_plugin.store import save_curves

            save_curves(curves, out, overwrite=self.overwrite, progress=progress)

    def when_stopped(self, output: str) -> str:
        """See `Batch`."""
        if is_folder(output):
            return super().when_stopped(output)
        return f"{output} was not written"

    def up_to_date(self, curves: CurveSet, path: Path, out: Path) -> bool:
        """Whether a common file has the same original, metadata and names."""
        if out.suffix.lower() != ".h5":
            return False
        from nrm_plugin.store import open_curves, sha256

        try:
            made = open_curves(out)
        except NrmError:
            return False
        return (
            len(made.origins) == 1
            and made.origins[0].sha256 == (curves.origins[0].sha256 or sha256(str(path)))
            and made.origins[0].version == curves.origins[0].version
            and made.metadata == curves.metadata
            and made.metadata_source == curves.metadata_source
            and _vendor_names(made) == _vendor_names(curves)
        )


def _vendor_names(curves: CurveSet) -> dict[str, str]:
    return {name: channel.original for name, channel in curves.channels.items()}
