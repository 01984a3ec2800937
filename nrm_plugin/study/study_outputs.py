"""What follows from all samples together: their comparison, its table and figures, the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nrm_plugin.figures import save, study_figures
from nrm_plugin.files import replacing
from nrm_plugin.report import write_study_report
from nrm_plugin.report.regional import regions_or_all
from nrm_plugin.report.study_checks import StudyChecks, study_checks
from nrm_plugin.statistics import DEFAULT_BINS
from nrm_plugin.statistics.comparison import Comparison, Question, StudySample, compare
from nrm_plugin.statistics.comparison_conclusions import without_lateral
from nrm_plugin.statistics.comparison_table import write_table
from nrm_plugin.statistics.regions import label
from nrm_plugin.store.read_results import open_results
from nrm_plugin.study.study_plan import SampleEntry, Study
from nrm_plugin.study.study_record import made_folder

TABLES = ("table.csv", "table.tex", "table.md")

#: Quantities of which all bins and regions are compared, beside what was named before.
_QUANTITIES = ("storage_modulus", "loss_modulus")

#: Place of a file of a sample, seen from the folder of the run.
PlaceOf = Callable[[SampleEntry, str], str]


def write_outputs(
    study: Study,
    entries: Sequence[SampleEntry],
    folder: Path,
    failed: Sequence[tuple[str, str]],
    place_of: PlaceOf,
) -> tuple[list[Path], StudyChecks, str]:
    """Compare samples, and write the tables, the figures and the report of the study.

    Parameters
    ----------
    study : Study
    entries : sequence of SampleEntry
        Whose results are there.
    folder : Path
        Of the run.
    failed : sequence of (str, str)
        Files and samples that could not be read or processed, and why.
    place_of : callable

    Returns
    -------
    written : list of Path
    checks : StudyChecks
        Self-checks of all samples, and what was told differently of them.
    without : str
        Which samples are not compared since they have no lateral signal; empty where all have one.

    Raises
    ------
    NrmError
    """
    samples = [_sample(study, entry, folder / place_of(entry, "results.h5")) for entry in entries]
    compared, without = _compared(study, samples)
    tables = _tables(compared, folder / "comparison")
    undrawn: list[tuple[str, str]] = []
    pictures = _pictures(study, samples, compared, folder / "comparison" / "figures", undrawn)
    made = [*tables, *pictures]
    index = folder / "index.html"
    checks = study_checks(samples)
    write_study_report(
        index,
        title=study.title,
        samples=samples,
        comparison=compared,
        checks=checks,
        links={entry.name: place_of(entry, "report.html") for entry in entries},
        files={entry.name: folder / place_of(entry, "results.h5") for entry in entries},
        failed=failed,
        downloads={path.name: path.relative_to(folder).as_posix() for path in made},
        undrawn=undrawn,
        kinds=study.figures,
        bins=study.bins or DEFAULT_BINS,
        text=study.text,
    )
    return [*made, index], checks, without


def _pictures(
    study: Study,
    samples: Sequence[StudySample],
    compared: Comparison,
    folder: Path,
    undrawn: list[tuple[str, str]],
) -> list[Path]:
    """Figures as PNG and PDF; `undrawn` gets those that could not be drawn, and why."""
    made_folder(folder)
    bins = study.bins or DEFAULT_BINS
    made = []
    drawn = study_figures(samples, compared, study.figures, bins=bins, failed=undrawn)
    for name, figure in drawn:
        for suffix in (".png", ".pdf"):
            path = folder / f"{name}{suffix}"
            save(figure, path, title=name)
            made.append(path)
    return made


def _sample(study: Study, entry: SampleEntry, path: Path) -> StudySample:
    results = open_results(path)
    chosen = study.regions
    selection = {
        "sweep": chosen.sweep,
        "cycle": chosen.cycle,
        "surface": chosen.surface,
        "run": chosen.run,
    }
    return StudySample(
        name=entry.name,
        condition=entry.condition,
        results=results,
        regions=regions_or_all(results, chosen.edges, selection),
        lever=entry.lever,
        session=entry.session,
        day=entry.day,
    )


def _compared(study: Study, every: Sequence[StudySample]) -> tuple[Comparison, str]:
    """The comparison of the samples that have moduli, and which have none."""
    samples = [one for one in every if "storage_modulus" in one.results]
    names = [one.name for one in every if one not in samples]
    without = without_lateral(names, not samples) if names else ""
    if not samples:
        conditions = tuple(dict.fromkeys(one.condition for one in every))
        return Comparison(statements=(without,), conditions=conditions), without
    there = list(dict.fromkeys(sample.condition for sample in samples))
    between = [
        (pair.first, pair.second)
        for pair in study.pairs
        if pair.first in there and pair.second in there
    ]
    regions = [
        (label(*pair.regions[0]), label(*pair.regions[1]))
        for pair in study.pairs
        if pair.regions is not None
    ]
    primary = study.primary
    asked = None
    if primary is not None:
        region = label(*primary.region) if primary.region else ""
        asked = Question(quantity=primary.quantity, distance=primary.distance, region=region)
    compared = compare(
        samples,
        primary=asked,
        others=[one for one in _others(study, samples) if one != asked],
        between=between if any(pair.first for pair in study.pairs) else None,
        paired_regions=regions or None,
        thickness_modulus=study.thickness_modulus,
    )
    said = (without, *compared.statements) if without else compared.statements
    return replace(compared, statements=said), without


def _others(study: Study, samples: Sequence[StudySample]) -> list[Question]:
    """Questions that nobody named before: every quantity in every bin and region."""
    labels = list(dict.fromkeys(one.label for sample in samples for one in sample.regions))
    held = set.intersection(*(set(map(str, sample.results)) for sample in samples))
    return [
        Question(quantity=quantity, distance=distance, region=region)
        for quantity in _QUANTITIES
        if quantity in held
        for region in labels
        for distance in study.bins or DEFAULT_BINS
    ]


def _tables(compared: Comparison, folder: Path) -> list[Path]:
    made_folder(folder)
    for name in TABLES:
        with replacing(folder / name, overwrite=True) as part:
            write_table(compared, part)
    return [folder / name for name in TABLES]
