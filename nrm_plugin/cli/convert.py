"""``nrm convert``: files of any kind to the common file and others, one by one or merged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin import formats, plugins
from nrm_plugin.cli.batch import (
    Batch,
    CurveOptions,
    files_and_output,
    is_folder,
    opened_together,
    with_curve_options,
)
from nrm_plugin.cli.options import WithUnit
from nrm_plugin.cli.spread import Spread, with_spread
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.model import CurveSet

if TYPE_CHECKING:
    import xarray as xr

    from nrm_plugin.statistics.result_views import ResultViews


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
@click.option(
    "--per",
    type=click.Choice(["distance", "curve"]),
    default="distance",
    show_default=True,
    help="Rows of results in a table: one per curve and distance, or one per curve.",
)
@click.option(
    "--curves",
    "originals",
    metavar="ORIGINAL",
    multiple=True,
    help="The curves that results were made from, to lie beside them (.gwy), if they are not "
    "found. May be repeated.",
)
@click.option(
    "--distance",
    "distances",
    type=WithUnit("m", "nm", "distance"),
    metavar="DISTANCE",
    multiple=True,
    help="Distance from the electrode of a map of results (.gwy), 5nm; by default 2.5, 5, 10 and "
    "20 nm. May be repeated.",
)
@click.option(
    "--direction",
    type=click.Choice(["approach", "retract"]),
    help="Way of the ramp of results with both (.gwy); by default the first.",
)
@click.option("--open", "shown", is_flag=True, help="Show the file in its program (.gwy).")
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
    per: str,
    originals: tuple[str, ...],
    distances: tuple[float, ...],
    direction: str | None,
    shown: bool,
    jobs: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Convert files to .h5 or other formats, or join them; results to tables and others.

    Going on after an interruption: call it again. Files in a folder that are already converted
    to .h5 from the same original with the same settings are skipped.
    """
    options = CurveOptions.given(experiment, settings, names, table_map)
    batch = Conversion(
        files,
        options,
        overwrite,
        quiet=bool(ctx.obj and ctx.obj["quiet"]),
        per_curve=per == "curve",
        views=ViewOptions(originals, distances, direction),
        spread=Spread(jobs=jobs, scheduler=scheduler),
    )
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    name = suffix if is_folder(output) else Path(output).name
    exporter = plugins.installed().exporter_of(name)
    if exporter is None:
        suffixes = ", ".join(sorted(plugins.installed().exporters))
        wanted = Path(name).suffix or name
        raise click.UsageError(f"nothing writes {wanted!r}; there are {suffixes}")
    if batch.views.given and not getattr(exporter, "views", False):
        raise click.UsageError(
            f"--curves, --distance and --direction are not for {exporter.suffix}"
        )
    if per == "curve" and getattr(exporter, "views", False):
        raise click.UsageError(f"--per is for tables, which {exporter.suffix} files are not")
    if shown and not hasattr(exporter, "show"):
        raise click.UsageError(f"--open: nothing shows files of the kind {exporter.suffix}")
    if "://" in output:
        if len(files) != 1:
            raise click.UsageError(f"-o {output}: an address takes one file of results")
        formats.save(batch.opened(Path(files[0])), output, overwrite=overwrite)
        return
    try:
        batch.run(ctx, output, suffix, as_json)
    finally:
        for path in batch.written if shown else ():
            click.echo(f"nrm: {exporter.show(Path(path))}", err=True)  # type: ignore[attr-defined]


#: Bytes of a file that are no numbers of curves or results.
_ROOM = 1 << 24

_ONLY_SAMPLES = (
    "a table holds the samples alone: positions, times, calibration and images stay behind "
    "(.h5 keeps all of it)"
)


@dataclass(frozen=True)
class ViewOptions:
    """What the command line says about results as volumes and images.

    Attributes
    ----------
    originals : tuple of str
        The curves.
    distances : tuple of float
        Of the maps, m.
    direction : str or None
    """

    originals: tuple[str, ...] = ()
    distances: tuple[float, ...] = ()
    direction: str | None = None

    @property
    def given(self) -> bool:
        """Whether anything was said."""
        return self != ViewOptions()

    def views(self, results: xr.Dataset, path: Path, largest: int) -> ResultViews:
        """Results of a file as volumes and images, with their curves if these are there and fit."""
        from nrm_plugin.statistics.result_views import result_views
        from nrm_plugin.viewer.opening import found_by_origin, told_the_same

        lacking = ""
        if self.originals:
            curves: CurveSet | None = opened_together(self.originals)
        else:
            curves, lacking = found_by_origin(results, path)
        found = result_views(
            results,
            curves=None if curves is None else told_the_same(curves, results),
            distances=self.distances or None,
            direction=self.direction,
        )
        if lacking and found.images:
            lost = lacking.partition(":")[0]
            return found.without_curves(f"{lost}: no curve map; give them with --curves")
        if found.size > largest - _ROOM and found.curve_maps:
            return found.without_curves(
                f"curves and results together need {found.size / 2**30:.1f} GiB, and the file can "
                f"hold {largest / 2**30:.0f}: the curve map is left out"
            )
        return found


class Conversion(Batch):
    """Curves as they are, or results, in another format.

    Parameters
    ----------
    per_curve : bool
        Whether tables of results have a row per curve only.
    views : ViewOptions
        Of results as volumes and images.
    """

    def __init__(
        self,
        *args: Any,
        per_curve: bool = False,
        views: ViewOptions = ViewOptions(),
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.per_curve, self.views = per_curve, views
        self._source = Path()

    def _opened(self, path: Path) -> Any:
        """Open curves, or results with what was decided about them."""
        from nrm_plugin.store.read_curves import holds_results

        if not holds_results(path):
            return super()._opened(path)
        from nrm_plugin.decisions import by_hand
        from nrm_plugin.store.read_results import open_results

        results = open_results(path)
        self._source = path
        self.say(path, by_hand(results))
        return results.drop_dims("depth") if self.per_curve else results

    def opened(self, path: Path) -> Any:
        """Open a file, and say what there is to say about it."""
        return self._opened(path)

    def all(self, out: Path) -> None:
        """Merge all files into one; results stay what they are, each alone."""
        from nrm_plugin.store.read_curves import holds_results

        results = [path for path in self.files if holds_results(path)]
        if len(self.files) == 1 and results:
            with self._failures_of(results[0]):
                self.write(self._opened(results[0]), out)
                self.written[str(out)] = [str(results[0])]
            return
        if results:
            raise click.UsageError(
                f"{results[0]} holds results, which are converted one by one: "
                "-o FOLDER/ --to SUFFIX"
            )
        super().all(out)

    def write(self, curves: Any, out: Path) -> None:
        """Write the curves or results; the suffix says how."""
        if not isinstance(curves, CurveSet):
            exporter = plugins.installed().exporter_of(out)
            if getattr(exporter, "views", False):
                largest = getattr(exporter, "largest", 1 << 62)
                curves = self.views.views(curves, self._source, largest)
                self.say(out, curves.warnings)
            formats.save(curves, out, overwrite=self.overwrite)
            return
        if self.views.given:
            raise InvalidInput("--curves, --distance and --direction are for results")
        with self.progress(out, "samples") as progress:
            if plugins.installed().exporter_of(out) is not plugins.installed().exporters[".h5"]:
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

    def up_to_date(self, curves: Any, path: Path, out: Path) -> bool:
        """Whether a common file has the same original, metadata and names."""
        own = plugins.installed().exporters[".h5"]
        if not isinstance(curves, CurveSet) or plugins.installed().exporter_of(out) is not own:
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
