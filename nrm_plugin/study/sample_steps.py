"""What is done with one sample, in any process: its curves processed, its results reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.files import sha256

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet
    from nrm_plugin.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class SampleTask:
    """Everything that processing and reporting a sample takes; all paths are absolute.

    Attributes
    ----------
    name : str
    files : tuple of str
        Folders and patterns are expanded.
    results : str
        Where they are written.
    recipe, experiment, table : str
        Empty where there is none.
    logs : tuple of str
    log_units, log_settings : mapping
        Arguments of `read_log` and of `with_potential`.
    settings, names : mapping
        Metadata in SI; channels by the vendor's names.
    threads : int or None
    """

    name: str
    files: tuple[str, ...]
    results: str
    recipe: str = ""
    experiment: str = ""
    table: str = ""
    logs: tuple[str, ...] = ()
    log_units: Mapping[str, str] = field(default_factory=dict)
    log_settings: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class SampleMade:
    """What became of a sample.

    Attributes
    ----------
    n_curves : int
    read : list of (str, str)
        Files that the curves came from, those beside the named ones included, and the file of the
        shape factor that the recipe names; each with its SHA-256.
    failed : list of (str, str)
        Files that could not be read, and why.
    wrong : list of str
        What its self-checks find wrong.
    """

    n_curves: int = 0
    read: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def process_sample(task: SampleTask) -> SampleMade:
    """Process all curves of a sample that can be read.

    Raises
    ------
    NrmError
        If there are no curves, or something that concerns all of them is wrong.
    """
    from nrm_plugin.engine.checks.check import from_json
    from nrm_plugin.engine.checks.doubts import unlogged
    from nrm_plugin.engine.contacts_by_hand import decisions_of
    from nrm_plugin.engine.pipeline import run
    from nrm_plugin.recipe import as_recipe

    curves, failed = sample_curves(task)
    if not curves.n_curves:
        raise InvalidInput("there are no curves in its files")
    out = Path(task.results)
    recipe = as_recipe(task.recipe or None)
    beside = _shape_factor_file(recipe)
    decided = decisions_of(curves, out)
    with unlogged():
        results = run(
            curves,
            recipe,
            out,
            threads=task.threads,
            decisions=decided or False,
        )
    hashes = zip(curves.origins, results.attributes["source_sha256"], strict=True)
    return SampleMade(
        n_curves=curves.n_curves,
        read=[*beside, *((origin.path, digest) for origin, digest in hashes if origin.path)],
        failed=failed,
        wrong=[
            check.sentence
            for check in from_json(str(results.attributes.get("checks", "[]")))
            if check.verdict == "wrong"
        ],
    )


def _shape_factor_file(recipe: Recipe) -> list[tuple[str, str]]:
    """File with a curve of the shape factor that a recipe names, and its SHA-256, if it does."""
    path = recipe.shape_factor
    digest = sha256(path) if isinstance(path, str) and path != "paper" else ""
    return [(str(path), digest)] if digest else []


def contacts_by_hand(task: SampleTask) -> str:
    """Contacts by hand that hold for a sample now, as its results name them."""
    from nrm_plugin.engine.contacts_by_hand import as_json, decisions_of

    decided = decisions_of(sample_curves(task)[0], Path(task.results))
    return as_json(decided.contacts) if decided and decided.contacts else ""


def report_sample(task: SampleTask, out: str, edges: tuple[float, ...], selection: Any) -> None:
    """Write the report on a sample's results.

    Raises
    ------
    NrmError
    """
    from nrm_plugin.report import write_report
    from nrm_plugin.store.read_results import open_results

    results = open_results(task.results)
    write_report(
        results,
        out,
        curves=sample_curves(task)[0],
        edges=edges,
        file=task.results,
        selection=selection,
    )


def sample_curves(task: SampleTask) -> tuple[CurveSet, list[tuple[str, str]]]:
    """Open the curves of a sample with all that is known of them.

    Returns
    -------
    curves : CurveSet
    failed : list of (str, str)
        Files that cannot be read, and why.

    Raises
    ------
    NrmError
        If none can be read, or what concerns all of them is wrong.
    """
    from nrm_plugin import experiment, formats
    from nrm_plugin.joining import join
    from nrm_plugin.potential import read_log, with_potential

    told = experiment.read(task.experiment) if task.experiment else None
    sets: list[CurveSet] = []
    failed: list[tuple[str, str]] = []
    read: set[Path] = set()
    first: NrmError | None = None
    for file in task.files:
        path = Path(file)
        if path.absolute() in read:  # a map of many files is opened by any of them, and once
            continue
        try:
            curves = formats.open_with(path, task.table)
            curves = formats.as_told(curves, told, task.names, task.settings, "study file")
        except NrmError as error:
            first = first or error
            failed.append((file, str(error)))
            continue
        read |= {Path(origin.path) for origin in curves.origins[1:] if origin.path}
        sets.append(curves)
    if not sets:
        assert first is not None
        raise first
    made = join(sets)
    if task.logs:
        logs = [read_log(log, units=task.log_units or None) for log in task.logs]
        return with_potential(made, logs, **task.log_settings), failed
    table = made.curve_table.get("potential")
    known = table is not None and bool((table == table).any())
    return with_potential(made) if known or "potential" in made.channels else made, failed
