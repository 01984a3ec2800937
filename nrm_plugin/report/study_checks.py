"""The study's own check: self-checks of all samples, and what was told differently of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nrm_plugin.engine.checks.check import MODULI, TITLES, VERDICTS, Check, Verdict
from nrm_plugin.report.elements import Cell, HtmlTable, Part, Section, headings, words
from nrm_plugin.report.self_checks import MARKS, checks_of
from nrm_plugin.report.told_differences import (
    RatioChange,
    ToldDifference,
    ratio_changes,
    told_differences,
)
from nrm_plugin.statistics.comparison_types import StudySample
from nrm_plugin.text import counted, printable


@dataclass(frozen=True, kw_only=True)
class CheckOfSamples:
    """One self-check, over all samples.

    Attributes
    ----------
    name : str
    checks : mapping of str to Check
        By sample; without samples whose results hold no checks.
    changes : list of RatioChange
        Of the ratios of conditions, if what was found were right in every sample. Effects that
        are not known, and those of checks that are fine, count as none.
    unsure : bool
        Whether an effect of a check that is not fine is not known.
    """

    name: str
    checks: Mapping[str, Check]
    changes: Sequence[RatioChange] = ()
    unsure: bool = False

    @property
    def verdict(self) -> Verdict:
        """The worst."""
        return min((one.verdict for one in self.checks.values()), key=VERDICTS.index)

    def samples(self, verdict: Verdict) -> list[str]:
        """Samples with a verdict."""
        return [name for name, one in self.checks.items() if one.verdict == verdict]


@dataclass(frozen=True, kw_only=True)
class StudyChecks:
    """All self-checks of a study.

    Attributes
    ----------
    checks : list of CheckOfSamples
        The worst first.
    differences : list of ToldDifference
        What was told differently of samples; the doubtful first.
    samples : list of str
    without : list of str
        Samples whose results hold no self-checks.
    """

    checks: Sequence[CheckOfSamples]
    differences: Sequence[ToldDifference]
    samples: Sequence[str]
    without: Sequence[str] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of all: ``wrong`` is what a run ends with 1 for."""
        found = [one.verdict for one in self.checks]
        found += [one.verdict for one in self.differences]
        found += ["unknown"] if self.without else []
        return min(found, key=VERDICTS.index, default="fine")

    @property
    def wrong(self) -> bool:
        """Whether the data of a sample refute what was told of it."""
        return self.verdict == "wrong"

    @property
    def refuted(self) -> list[str]:
        """A sentence for each check that is wrong, with its sample."""
        return [
            f"{sample}: {one.sentence}"
            for of in self.checks
            for sample, one in of.checks.items()
            if one.verdict == "wrong"
        ]

    @property
    def sentences(self) -> list[str]:
        """What is wrong, and what differs without a reason, for the terminal."""
        doubtful = [one.sentence for one in self.differences if one.verdict != "fine"]
        return [*self.refuted, *doubtful]


def study_checks(samples: Sequence[StudySample]) -> StudyChecks:
    """Put the self-checks of all samples side by side.

    Parameters
    ----------
    samples : sequence of StudySample
        Of each, the checks that its results hold.
    """
    by_sample = {printable(one.name): checks_of(one.results) for one in samples}
    names = dict.fromkeys(check.name for checks in by_sample.values() for check in checks)
    found = [_of_samples(name, samples, by_sample) for name in names]
    known = list(TITLES)
    found.sort(
        key=lambda one: (
            VERDICTS.index(one.verdict),
            known.index(one.name) if one.name in known else len(known),
        )
    )
    return StudyChecks(
        checks=found,
        differences=told_differences(samples) if len(samples) > 1 else [],
        samples=[one.name for one in samples],
        without=[name for name, checks in by_sample.items() if not checks],
    )


def _of_samples(
    name: str, samples: Sequence[StudySample], by_sample: Mapping[str, Sequence[Check]]
) -> CheckOfSamples:
    here = {
        sample: check
        for sample, checks in by_sample.items()
        for check in checks
        if check.name == name
    }
    logs, unsure = [], False
    for sample in samples:
        check = here.get(printable(sample.name))
        pair = [0.0, 0.0]
        if check is not None and check.verdict != "fine":
            for part, modulus in enumerate(MODULI):
                effect = check.effect.get(modulus, math.nan)
                if math.isfinite(effect) and effect > -100.0:
                    pair[part] = math.log1p(effect / 100.0)
                else:
                    unsure |= check.verdict != "unknown"
        logs.append((pair[0], pair[1]))
    changes = ratio_changes(logs, samples)
    return CheckOfSamples(name=name, checks=here, changes=changes, unsure=unsure)


def study_checks_section(checks: StudyChecks) -> Section:
    """The study's own check, as the page has it."""
    section = Section(title="Self-checks of the study", anchor="study-checks")
    section.words = [_in_short(checks)]
    if checks.without:
        section.words.append(
            f"Results without self-checks (a version that had none made them): "
            f"{', '.join(checks.without)}."
        )
    if checks.checks:
        section.tables.append(_table(checks))
    part = Part(title="What was told differently of samples")
    if checks.differences:
        part.tables.append(_differences_table(checks.differences))
    else:
        part.words.append(
            "Nothing that bears on moduli, distances or potentials: all samples have the same "
            "settings, calibrations and recipe."
        )
    section.parts = [part]
    return section


def _in_short(checks: StudyChecks) -> str:
    counts = [
        f"{sum(one.verdict == verdict for one in checks.checks)} {text}"
        for verdict, text in (
            ("wrong", "refuted by the data of at least one sample"),
            ("doubtful", "doubtful"),
            ("unknown", "not known for some or all"),
            ("fine", "fine for all"),
        )
    ]
    n, of = counted(len(checks.checks), "self-check"), counted(len(checks.samples), "sample")
    return (
        f"Of {n} on {of}: {', '.join(counts)}. What all samples "
        "share cancels in their ratios; what differs between conditions does not."
    )


def _table(checks: StudyChecks) -> HtmlTable:
    rows = []
    for one in checks.checks:
        mark, tone = MARKS[one.verdict]
        title = TITLES.get(one.name, one.name.replace("_", " "))
        rows.append(
            [
                words(title),
                Cell(mark, float(VERDICTS.index(one.verdict)), tone),
                words(_who(one)),
                words(_found(one)),
                words(_change(one)),
            ]
        )
    return HtmlTable(
        "Self-checks of all samples, the worst first",
        headings("Check", "Worst verdict", "Samples", "Found", "What it does to the comparison"),
        rows,
        "What it does: by how much the ratio of two conditions would change if what was found were "
        "right in every sample that is not fine. The reports of the samples have the advice.",
    )


def _who(one: CheckOfSamples) -> str:
    total = len(one.checks)
    parts = []
    for verdict in VERDICTS:
        names = one.samples(verdict)
        text = "not known" if verdict == "unknown" else verdict
        if names:
            parts.append(f"{text}: {'all' if len(names) == total else _some(names)}")
    return "; ".join(parts)


def _some(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _found(one: CheckOfSamples) -> str:
    """What was found: one value, or the smallest and the largest with their samples."""
    numbers = {
        name: check.found
        for name, check in one.checks.items()
        if isinstance(check.found, float) and math.isfinite(check.found)
    }
    if numbers:
        low, high = (fn(numbers, key=lambda n: numbers[n]) for fn in (min, max))
        first, last = (one.checks[name].found_in_words for name in (low, high))
        if len(numbers) == 1 or first == last:
            return first
        return f"{first} ({low}) to {last} ({high})"
    texts = {str(c.found): None for c in one.checks.values() if isinstance(c.found, str)}
    return "; ".join(list(texts)[:4])


def _change(one: CheckOfSamples) -> str:
    if one.verdict == "fine":
        return ""
    parts = [change.text for change in one.changes]
    if one.unsure:
        parts.append("an effect is not known")
    if not parts:
        known = any(
            math.isfinite(effect) for c in one.checks.values() for effect in c.effect.values()
        )
        parts = ["the ratios of conditions hardly change" if known else "not known"]
    return "; ".join(parts)


def _differences_table(differences: Sequence[ToldDifference]) -> HtmlTable:
    rows = []
    for one in differences:
        mark, tone = MARKS[one.verdict]
        does = "; ".join(change.text for change in one.changes) or one.effect
        rows.append(
            [
                words(one.title),
                Cell(mark, float(VERDICTS.index(one.verdict)), tone),
                words("; ".join(f"{v}: {_some(n)}" for v, n in one.values.items())),
                words(one.reason),
                words(does),
            ]
        )
    return HtmlTable(
        "Where samples were not told the same",
        headings(
            "Quantity", "Verdict", "Values and samples", "Why", "What it does to the comparison"
        ),
        rows,
        "Per cent: by how much the ratio of two conditions would change if all samples really had "
        "one and the same value. A value of the lever may differ with the lever.",
    )
