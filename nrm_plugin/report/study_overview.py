"""The samples of a study: their reports, and the conditions under which each was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from nrm_plugin.engine.checks.check import VERDICTS
from nrm_plugin.experiment.stated import Facts
from nrm_plugin.report.conditions import VERDICTS as CONDITION_VERDICTS
from nrm_plugin.report.conditions import conditions
from nrm_plugin.report.elements import Cell, HtmlTable, Section, count, headings, linked, words
from nrm_plugin.report.facts import facts_of, texts
from nrm_plugin.report.self_checks import MARKS, checks_of
from nrm_plugin.statistics.comparison_types import StudySample
from nrm_plugin.statistics.selection import select
from nrm_plugin.text import NOTHING, printable
from nrm_plugin.vocabulary import METADATA, calibrated_by

#: More samples than these do not stand side by side.
_SIDE_BY_SIDE = 7

#: Facts that stand elsewhere on the page, or say nothing of the experiment.
_ELSEWHERE = ("title", "comment", "simulated", "potential_source", "start_time", "markers")


def samples_section(
    samples: Sequence[StudySample],
    links: Mapping[str, str],
    failed: Sequence[tuple[str, str]],
) -> Section:
    """All samples with links to their reports, and files that could not be used."""
    section = Section(title="Samples", anchor="samples")
    if samples:
        section.tables.append(
            HtmlTable(
                "The samples; a name leads to the sample's own report",
                headings(
                    *("Sample", "Condition", "Files", "Curves", "In averages", "Lever"),
                    *("Session", "Day", "Self-checks"),
                    numbers=("Curves", "In averages"),
                ),
                [_sample_row(one, links) for one in samples],
            )
        )
    else:
        section.words.append("No sample has results.")
        section.missing = True
    if failed:
        section.tables.append(
            HtmlTable(
                "Files and samples that could not be used: nothing of them is on this page",
                headings("File or sample", "Why"),
                [[words(printable(name)), words(printable(why))] for name, why in failed],
            )
        )
    return section


def _sample_row(one: StudySample, links: Mapping[str, str]) -> list[Cell]:
    results = one.analysis.results
    name = printable(one.name)
    sources = texts(one.results, "source_name")
    more = f" and {len(sources) - 3} more" if len(sources) > 3 else ""
    verdict = min((c.verdict for c in checks_of(one.results)), key=VERDICTS.index, default=None)
    mark, tone = MARKS[verdict] if verdict else ("none", "unknown")
    return [
        linked(name, links[one.name]) if one.name in links else words(name),
        words(printable(one.condition)),
        words(printable(", ".join(sources[:3])) + more),
        count(results.sizes["curve"]),
        count(len(select(results)[0])),
        words(printable(one.lever)),
        words(printable(one.session)),
        words(printable(one.day)),
        Cell(mark, float(VERDICTS.index(verdict)) if verdict else 9.0, tone),
    ]


def study_conditions_section(samples: Sequence[StudySample]) -> Section:
    """Settings, calibrations and conditions of all samples; cells that differ are marked."""
    section = Section(title="Conditions of the samples", anchor="conditions")
    rows = _rows(samples)
    if not rows:
        section.words.append("The results hold no description of the experiments.")
        section.missing = True
        return section
    section.words.append(
        "Marked cells (a bar, ≠) are not as in most of the samples. What a difference in a "
        "calibration does to the comparison is in the section on self-checks."
    )
    names = [printable(one.name) for one in samples]
    if len(samples) <= _SIDE_BY_SIDE:
        columns = headings("Quantity", *names)
        made = [[words(title), *_marked(values)] for title, values in rows]
    else:
        columns = headings("Quantity", "Most samples", "Others")
        made = [[words(title), *_together(values, names)] for title, values in rows]
    differing = sum(len(set(values)) > 1 for _, values in rows)
    section.tables.append(
        HtmlTable(
            "Settings, calibrations and conditions",
            columns,
            made,
            f"{differing} of {len(rows)} rows are not the same for all samples; these stand first.",
        )
    )
    return section


def _rows(samples: Sequence[StudySample]) -> list[tuple[str, list[str]]]:
    """Quantities with their values; those that differ first."""
    facts = [facts_of(one.results) for one in samples]
    order = list(METADATA)
    keys = dict.fromkeys(key for of in facts for key in of)
    shown = [
        key
        for key in keys
        if key not in _ELSEWHERE and not any(calibrated_by(key) in of for of in facts)
    ]
    shown.sort(key=lambda key: order.index(key) if key in METADATA else len(order))
    rows = [(_title(key), [_value(of, key) for of in facts]) for key in shown]
    judged = [conditions(one.analysis.results) for one in samples]
    for number, first in enumerate(judged[0] if judged else []):
        values = []
        for of in judged:
            one = of[number]
            verdict = CONDITION_VERDICTS[one.verdict]
            values.append(f"{one.value}, {verdict}" if one.value else verdict)
        rows.append((f"{first.name} (wanted: {first.wanted})", values))
    return sorted(rows, key=lambda row: len(set(row[1])) == 1)


def _title(key: str) -> str:
    meaning = METADATA[key].meaning if key in METADATA else key
    return meaning[:1].upper() + meaning[1:]


def _value(facts: Facts, key: str) -> str:
    found = {name: text for name, text, _ in facts.rows()}
    return printable(found.get(key, "").replace(" ± unknown", ""))[:300] or NOTHING


def _most(values: Sequence[str]) -> str:
    """What most samples have; nothing where no value is more frequent than the others."""
    counted = Counter(values).most_common(2)
    if len(counted) > 1 and counted[0][1] == counted[1][1]:
        return ""
    return counted[0][0]


def _marked(values: Sequence[str]) -> list[Cell]:
    same = _most(values)
    return [
        words(value) if value == same else Cell(f"≠ {value}", value.lower(), "differs")
        for value in values
    ]


def _together(values: Sequence[str], names: Sequence[str]) -> list[Cell]:
    """The value of most samples, and the others with their samples."""
    same = Counter(values).most_common(1)[0][0]
    others: dict[str, list[str]] = {}
    for value, name in zip(values, names, strict=True):
        if value != same:
            others.setdefault(value, []).append(name)
    text = "; ".join(
        f"{value}: {', '.join(of[:6])}{f' and {len(of) - 6} more' if len(of) > 6 else ''}"
        for value, of in others.items()
    )
    return [words(same), Cell(f"≠ {text}", text.lower(), "differs") if others else words("")]
