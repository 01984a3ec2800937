"""``nrm process``: from curves of any kind to moduli."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from nrm_plugin.cli import results_summary
from nrm_plugin.cli.batch import (
    Batch,
    CurveOptions,
    files_and_output,
    is_folder,
    with_curve_options,
)
from nrm_plugin.cli.options import log_unit_option
from nrm_plugin.cli.potential_options import PotentialOptions
from nrm_plugin.cli.spread import Spread, with_spread
from nrm_plugin.decisions import Decisions, in_words
from nrm_plugin.engine import provenance
from nrm_plugin.engine.checks.check import Check
from nrm_plugin.engine.checks.doubts import unlogged
from nrm_plugin.engine.contacts_by_hand import as_json, decisions_of
from nrm_plugin.engine.pipeline import run
from nrm_plugin.engine.shape_factor import shape_factor
from nrm_plugin.engine.signals import plan
from nrm_plugin.errors import InvalidInput, NrmError, OutputError
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe, as_recipe
from nrm_plugin.store import results_file


@click.command("process")
@files_and_output
@click.option(
    "--recipe",
    "recipe",
    metavar="R.toml",
    help="What is done; nrm recipe writes one. Defaults otherwise.",
)
@with_curve_options
@click.option(
    "--potential",
    "logs",
    multiple=True,
    metavar="LOG",
    help="Potentiostat's log: every curve gets its potential by the time at which it was "
    "taken. May be repeated, for logs that follow each other.",
)
@click.option(
    "--clock-offset",
    "clock_offset",
    metavar="TIME",
    help="Added to the log's times to have the microscope's, 30s.",
)
@click.option(
    "--time-zone", "time_zone", metavar="ZONE", help="Of the microscope's clock, Europe/London."
)
@click.option(
    "--log-start",
    "log_start",
    metavar="DATE",
    help="When the log began, by the microscope's clock, if it does not say: 2025-03-04T09:41:07.",
)
@log_unit_option
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@with_spread
@click.option("--json", "as_json", is_flag=True, help="Print what became of each file.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    output: str,
    recipe: str | None,
    experiment: str | None,
    settings: tuple[str, ...],
    names: tuple[str, ...],
    table_map: str | None,
    logs: tuple[str, ...],
    clock_offset: str | None,
    time_zone: str | None,
    log_start: str | None,
    log_units: tuple[str, ...],
    overwrite: bool,
    jobs: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Find the solid contact of every curve, and the moduli of what lies above it.

    What a person decided about the curves lies in NAME.decisions.toml beside the results, and stays
    there: contacts by hand replace those that the method finds.

    Going on after an interruption: call it again. Results in a folder that were made of the same
    original by the same recipe, settings and version are skipped.
    """
    options = CurveOptions.given(experiment, settings, names, table_map)
    chosen = as_recipe(recipe)
    folder = is_folder(output)
    if not folder and Path(output).suffix.lower() != ".h5":
        raise click.UsageError(f"-o {output}: results are written as .h5, or to a folder/")
    quiet = bool(ctx.obj and ctx.obj["quiet"])
    potential = PotentialOptions.read(logs, clock_offset, time_zone, log_start, log_units)
    batch = Processing(
        files,
        options,
        overwrite,
        quiet,
        Spread(jobs=jobs, scheduler=scheduler),
        recipe=chosen,
        potential=potential,
        shown=not as_json,
    )
    batch.run(ctx, output, ".h5", as_json)


class Processing(Batch):
    """Curves to results.

    Parameters
    ----------
    recipe : Recipe
    potential : PotentialOptions
        Where that of every curve comes from.
    shown : bool
        Whether a summary of each file is printed when it is done.
    """

    def __init__(
        self,
        *args: Any,
        recipe: Recipe,
        shown: bool,
        potential: PotentialOptions | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.recipe, self.shown, self.potential = recipe, shown, potential or PotentialOptions()
        self._found: dict[str, dict[str, Any]] = {}

    def write(self, curves: CurveSet, out: Path) -> None:
        """Process curves, and say what was found."""
        if not curves.n_curves:
            raise InvalidInput("there are no curves in it")
        if out.exists() and any(out.samefile(path) for path in self.files if path.exists()):
            raise OutputError(out, "it is one of the files to be processed")
        earlier = curves.warnings
        curves = self.potential.apply(curves)
        self.say(out, [w for w in curves.warnings if w not in earlier])
        decided = decisions_of(curves, out)
        if decided is not None and not self.shown:  # the summary has it
            self.say(out, [f"{decided.path.name}: {in_words(decided.by_hand)}"])
        with self.progress(out, "curves") as progress, unlogged():
            run(
                curves,
                self.recipe,
                out,
                progress=progress,
                overwrite=self.overwrite,
                decisions=decided or False,
                threads=self.spread.threads,
                elsewhere=self.spread.elsewhere,
            )
        self._tell(curves, out, decided)

    def made_before(self, curves: CurveSet, out: Path) -> None:
        """See `Batch`."""
        curves = self.potential.apply(curves)
        self._tell(curves, out, decisions_of(curves, out))

    def _tell(self, curves: CurveSet, out: Path, decided: Decisions | None) -> None:
        """Say what was found."""
        with results_file.opened_results(out) as group:
            found = self._found[str(out)] = results_summary.summarize(group, decided)
            names = results_file.attributes(group)["source_name"]
        checked = [Check.from_plain(values) for values in found["checks"]]
        # The summary and the JSON have what checks say; of an unknown one only the name.
        earlier = (*curves.warnings, *(c.sentence for c in checked if not c.left_out))
        self.say(out, [w for w in found["warnings"] if w not in earlier])
        if self.shown and not self.quiet:
            files = [names] if isinstance(names, str) else names
            more = f" and {len(files) - 3} more" if len(files) > 3 else ""
            said = ", ".join(files[:3]) + more or "nothing with a name"
            self.echo("\n".join([f"{out}  (from {said})", *results_summary.lines(found)]))

    def up_to_date(self, curves: CurveSet, path: Path, out: Path) -> bool:
        """Whether results say of themselves what those of `curves` would say."""
        try:
            with results_file.opened_results(out) as made:
                attributes = results_file.attributes(made)
                depth = made["depth"][()]
                factors = made["shape_factor"][()] if "shape_factor" in made else None
        except NrmError:
            return False
        decided = decisions_of(curves, out)
        contacts = as_json(decided.contacts) if decided and decided.contacts else ""
        if attributes.get("contacts_by_hand", "") != contacts:
            return False
        planned, how = plan(self.potential.apply(curves))
        shape = shape_factor(self.recipe.shape_factor, planned, depth)
        wanted = provenance.attributes(planned, self.recipe, how, shape)
        wanted["source_sha256"] = provenance.hashes(planned).result()
        same = all(_same(attributes.get(name), value) for name, value in wanted.items())
        return same and (factors is None or np.array_equal(factors, shape.values, equal_nan=True))

    def alone(self, path: Path, out: Path, existed: bool) -> dict[str, Any]:
        """See `Batch`."""
        self._found = {}
        made = super().alone(path, out, existed)
        return made | {"found": self._found.get(str(out))}

    def _take(self, made: dict[str, Any], path: Path, out: Path) -> None:
        super()._take(made, path, out)
        if made["found"] is not None:
            self._found[str(out)] = made["found"]

    def report(self) -> dict[str, Any]:
        """What became of each file, and what was found."""
        report = super().report()
        report["written"] = [item | self._found[item["path"]] for item in report["written"]]
        return report


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) or (a != a and b != b)  # both nan
