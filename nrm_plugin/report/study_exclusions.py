"""Curves left out of a study, by rule and by hand, and what the decisions by hand change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike

from nrm_plugin.errors import NrmError
from nrm_plugin.report.by_hand import (
    Headline,
    as_made,
    decided,
    decisions_table,
    in_view,
    said_of,
)
from nrm_plugin.report.elements import (
    Cell,
    HtmlTable,
    Part,
    Section,
    count,
    headings,
    missing,
    words,
)
from nrm_plugin.report.regional import region_cell
from nrm_plugin.statistics.comparison_types import StudySample
from nrm_plugin.statistics.selection import LEFT_OUT, Analysis, excluded, flags_of, select
from nrm_plugin.text import printable
from nrm_plugin.variables import BIT

_OF_HEADLINES = (
    "|G*| next to the electrode, in the first range of distances. Thickness: mean over curves, "
    "each at its own detection limit; the comparison has that of the mean profile at one common "
    "modulus, which is another number. Intervals are those within a sample. Where values with and "
    "without decisions differ by more than their intervals, the result stands or falls with the "
    "decisions."
)


def exclusions_section(
    samples: Sequence[StudySample], files: Mapping[str, str | PathLike[str]]
) -> Section:
    """Counts of what was left out, all decisions with their reasons, and headline values.

    Parameters
    ----------
    samples : sequence of StudySample
    files : mapping of str to path
        Files of the results by sample, from which values without decisions are taken.
    """
    section = Section(title="Decisions and exclusions", anchor="exclusions")
    if not samples:
        section.words.append("There are no samples.")
        section.missing = True
        return section
    by_hand = [one for one in samples if decided(one.results)]
    section.words.append(
        f"Decisions by hand were taken in {len(by_hand)} of {len(samples)} samples. Rules apply to "
        "all samples alike; decisions that were taken with moduli in view are a selection."
    )
    section.tables.append(_counts(samples))
    parts = []
    for one in by_hand:
        said = said_of(one.results)
        entries = [entry for entry in said.get("decisions", []) if isinstance(entry, dict)]
        part = Part(title=f"Decisions: {printable(one.name)}", words=[f"{decided(one.results)}."])
        if entries:
            more = said.get("more", 0)
            part.words.append(in_view(entries))
            part.tables.append(decisions_table(entries, more if isinstance(more, int) else 0))
        parts.append(part)
    section.parts = [_headlines(samples, files), *parts]
    return section


def _counts(samples: Sequence[StudySample]) -> HtmlTable:
    rows = []
    for one in samples:
        results = one.analysis.results
        flags = flags_of(results)
        kept, left_out = select(results)
        in_regions = sum(len(region.curves) for region in one.regions)
        rows.append(
            [
                words(printable(one.name)),
                count(results.sizes["curve"]),
                count(left_out),
                *(count(int(((flags & BIT[name]) != 0).sum())) for name in LEFT_OUT),
                count(int(excluded(results).sum())),
                count(results.sizes["curve"] - in_regions),
                count(len(kept)),
            ]
        )
    rules = [name.replace("_", " ").capitalize() for name in LEFT_OUT]
    numbers = ["Curves", "By rule", *rules, "By hand", "In no region", "Kept"]
    return HtmlTable(
        "Curves that were left out",
        headings("Sample", *numbers, numbers=numbers),
        rows,
        "By rule: flags that leave a curve out of all averages; one curve may have both. Kept: in "
        "whatever region.",
    )


def _headlines(samples: Sequence[StudySample], files: Mapping[str, str | PathLike[str]]) -> Part:
    """Headline values of all samples, with decisions by hand and, where there are any, without."""
    title = "Headline values with the decisions by hand and without"
    rows: list[list[Cell]] = []
    lateral = all("storage_modulus" in one.results for one in samples)
    for one in samples:
        pairs = [("with" if decided(one.results) else "none taken", one.analysis)]
        if decided(one.results):
            pairs.append(("without", Analysis(as_made(one.results, files.get(one.name)))))
        for name, analysis in pairs:
            try:
                headline = Headline.of(analysis, one.regions)
            except NrmError as error:
                return missing(title, f"There are none: {printable(str(error))}.")
            for number, region in enumerate(one.regions):
                cells = headline.cells(number)
                cells = cells if lateral else cells[:1]
                rows.append(
                    [
                        words(printable(one.name)),
                        region_cell(region),
                        words(name, "name"),
                        *cells,
                    ]
                )
    numbers = ["Curves in averages"]
    if lateral:
        numbers += ["Mean thickness (nm), 95 % interval", "Mean |G*| (MPa), 95 % interval"]
    return Part(
        title=title,
        tables=[
            HtmlTable(
                "Headline values of the samples",
                headings("Sample", "Region", "Decisions", *numbers, numbers=numbers),
                rows,
                _OF_HEADLINES if lateral else "",
            )
        ],
    )
