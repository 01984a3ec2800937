"""The report of a study as one HTML file: all samples, their comparison, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from nrm_plugin import __version__
from nrm_plugin.files import replacing, time_of_writing
from nrm_plugin.report.by_hand import decided
from nrm_plugin.report.elements import HtmlTable, Part, Section, headings, linked, words
from nrm_plugin.report.methods_paragraph import methods_section
from nrm_plugin.report.page import Report, as_html
from nrm_plugin.report.study_checks import StudyChecks, study_checks, study_checks_section
from nrm_plugin.report.study_contrasts import comparison_section
from nrm_plugin.report.study_exclusions import exclusions_section
from nrm_plugin.report.study_overview import samples_section, study_conditions_section
from nrm_plugin.statistics.comparison_conclusions import (
    conclusion,
    of_far_samples,
    of_other_tests,
)
from nrm_plugin.statistics.comparison_types import Comparison, StudySample
from nrm_plugin.statistics.violins import DEFAULT_BINS
from nrm_plugin.text import counted, printable

#: What the page is called.
KIND = "1D-NRM study"


def write_study_report(
    path: str | PathLike[str],
    *,
    title: str,
    samples: Sequence[StudySample],
    comparison: Comparison,
    checks: StudyChecks | None = None,
    links: Mapping[str, str] | None = None,
    files: Mapping[str, str | PathLike[str]] | None = None,
    failed: Sequence[tuple[str, str]] = (),
    downloads: Mapping[str, str] | None = None,
    undrawn: Sequence[tuple[str, str]] = (),
    kinds: Sequence[str] | None = None,
    bins: Sequence[tuple[float, float]] = DEFAULT_BINS,
    text: str = "",
    overwrite: bool = True,
) -> None:
    """Write the report of a study: one HTML file that needs neither network nor other files.

    Links to the samples' own reports are its only references.

    Parameters
    ----------
    path : str or Path
    title : str
        Of the study; may be empty.
    samples : sequence of StudySample
        Those whose results are there.
    comparison : Comparison
    checks : StudyChecks, optional
        From `study_checks` of the same samples, if they are at hand.
    links : mapping of str to str, optional
        Of each sample, the path of its report relative to this one.
    files : mapping of str to path, optional
        Of each sample, the file of its results, for values without decisions.
    failed : sequence of (str, str)
        Files and samples that could not be used, and why.
    downloads : mapping of str to str, optional
        Tables and figures of the comparison: what they are, and their relative paths.
    undrawn : sequence of (str, str)
        Figures that could not be drawn, and why.
    kinds : sequence of str, optional
        Kinds of figures, see `nrm_plugin.figures.study_figures`; all if not given.
    bins : (low, high) in m
        Ranges of distance of the violins.
    text : str
        The study file, verbatim.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    OutputError
    """
    path = Path(path)
    checks = study_checks(samples) if checks is None else checks
    sections = [
        samples_section(samples, links or {}, failed),
        comparison_section(samples, comparison, kinds, bins),
        study_checks_section(checks),
        study_conditions_section(samples),
        exclusions_section(samples, files or {}),
        methods_section(samples, comparison),
        _made(samples, downloads or {}, undrawn, text),
    ]
    page = Report(
        title=printable(title) or "Study",
        about=_about(samples, comparison),
        simulated=any(bool(one.results.attrs.get("simulated", 0)) for one in samples),
        version=__version__,
        made=f"{time_of_writing():%Y-%m-%d %H:%M} UTC",
        short=_short(samples, comparison, checks, failed),
        warnings=_warnings(checks, failed),
        refuted=[printable(sentence) for sentence in checks.refuted],
        sections=sections,
        kind=KIND,
    )
    with replacing(path, overwrite=overwrite) as part:
        part.write_text(as_html(page), encoding="utf-8", newline="\n")


def _about(samples: Sequence[StudySample], comparison: Comparison) -> str:
    conditions = comparison.conditions or tuple(dict.fromkeys(one.condition for one in samples))
    parts = [
        f"{printable(name)} ({counted(sum(one.condition == name for one in samples), 'sample')})"
        for name in conditions
    ]
    return f"{counted(len(samples), 'sample')}: {', '.join(parts)}." if parts else "No samples."


def _short(
    samples: Sequence[StudySample],
    comparison: Comparison,
    checks: StudyChecks,
    failed: Sequence[tuple[str, str]],
) -> list[str]:
    """The whole in a few sentences."""
    sentences = [*_compared(samples, comparison), _of_checks(checks)]
    by_hand = [printable(one.name) for one in samples if decided(one.results)]
    if by_hand:
        sentences.append(
            f"Decisions by hand were taken in {', '.join(by_hand[:6])}"
            f"{f' and {len(by_hand) - 6} more' if len(by_hand) > 6 else ''}."
        )
    if failed:
        sentences.append(
            f"{counted(len(failed), 'file or sample')} could not be used.".capitalize()
        )
    return sentences


def _compared(samples: Sequence[StudySample], comparison: Comparison) -> list[str]:
    """What was compared, and what may be concluded of it."""
    total = sum(one.results.sizes["curve"] for one in samples)
    n = len(comparison.samples)
    if not n:
        read = f"{counted(total)} of {counted(len(samples), 'sample')} were processed."
        return [read, *map(printable, comparison.statements)]
    of = f"{n} of {counted(len(samples), 'sample')}" if n < len(samples) else counted(n, "sample")
    sentences = [f"{of} with {counted(total)} {'is' if n == 1 else 'are'} compared."]
    primary = comparison.primary_contrasts
    sentences += [
        f"Primary question: {printable(one.sentence)} {printable(conclusion(one))}"
        for one in primary
    ]
    every = [*comparison.contrasts, *comparison.thickness]
    sentences += of_other_tests(every, bool(primary), comparison.level)
    return sentences + [printable(text) for text in of_far_samples(every)]


def _of_checks(checks: StudyChecks) -> str:
    doubtful = [one for one in checks.differences if one.verdict != "fine"]
    told = f"{counted(len(doubtful), 'value')} told differently without a reason"
    return {
        "wrong": f"The data refute what was told of samples; {told}.",
        "doubtful": f"Nothing is refuted by the data; some self-checks are doubtful; {told}.",
        "unknown": f"Nothing is refuted by the data; some self-checks cannot tell; {told}.",
        "fine": f"All self-checks of all samples are fine; {told}.",
    }[checks.verdict]


def _warnings(checks: StudyChecks, failed: Sequence[tuple[str, str]]) -> list[str]:
    found = [printable(one.sentence) for one in checks.differences if one.verdict != "fine"]
    return [*found, *(printable(f"{name}: {why}") for name, why in failed)]


def _made(
    samples: Sequence[StudySample],
    downloads: Mapping[str, str],
    undrawn: Sequence[tuple[str, str]],
    text: str,
) -> Section:
    """Files of the comparison, and the study file."""
    section = Section(title="How the study was made", anchor="made")
    section.words.append(
        f"Made by nrm-plugin {__version__}. `nrm run` with the study file below makes it again; "
        "the samples' own reports have recipes, experiments and the hashes of the originals."
    )
    if downloads:
        section.parts = [Part(title="Files", tables=[_files(samples, downloads)])]
    section.words += [f"Not drawn: {printable(f'{name}: {why}')}." for name, why in undrawn]
    if text.strip():
        section.texts.append(("Study file", text))
    return section


def _files(samples: Sequence[StudySample], downloads: Mapping[str, str]) -> HtmlTable:
    """Tables and figures with links, each in all its formats."""
    formats: dict[str, list[str]] = {}
    for name, path in downloads.items():
        formats.setdefault(Path(name).stem, []).append(path)
    most = max(map(len, formats.values()))
    rows = []
    for stem, paths in formats.items():
        links = [linked(Path(path).suffix.lstrip(".").upper(), path) for path in paths]
        rows.append([words(_in_words(stem, samples)), *links, *([words("")] * (most - len(links)))])
    columns = headings("What", "Files", *([""] * (most - 1)))
    return HtmlTable("Tables and figures beside this page, in folder comparison", columns, rows)


def _in_words(stem: str, samples: Sequence[StudySample]) -> str:
    """What a file holds: ``maps-3`` are the maps of the third sample."""
    kind, _, of = stem.partition("-")
    if of.isdecimal() and 0 < int(of) <= len(samples):
        return f"{kind} of {printable(samples[int(of) - 1].name)} ({stem})"
    return f"{kind} of the {of.replace('_', ' ')}" if of else kind
