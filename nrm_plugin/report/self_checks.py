"""What the data say of what was told: the self-checks of the results, worst first."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from nrm_plugin.engine.checks.check import VERDICTS, Check, from_json
from nrm_plugin.report.elements import Cell, HtmlTable, Section, headings, words
from nrm_plugin.text import counted

#: What people read of a verdict: a shape, a word; and the tone of the page.
MARKS = {
    "wrong": ("\N{HEAVY MULTIPLICATION X} wrong", "bad"),
    "doubtful": ("\N{BLACK UP-POINTING TRIANGLE} doubtful", "doubtful"),
    "unknown": ("? not known", "unknown"),
    "fine": ("\N{CHECK MARK} fine", "good"),
}


def checks_of(results: xr.Dataset) -> list[Check]:
    """Self-checks of results, worst first; none where a version that had none made them."""
    found = from_json(str(results.attrs.get("checks", "")) or "[]")
    return sorted(found, key=lambda check: VERDICTS.index(check.verdict))


def checks_section(checks: Sequence[Check], electrode: str) -> Section:
    """The checks with their verdicts.

    Parameters
    ----------
    electrode : str
        From where distances count, in words.
    """
    section = Section(title="Self-checks", anchor="checks")
    if not checks:
        section.words = ["These results were made by a version that had no self-checks."]
        section.missing = True
        return section
    section.words = [
        "On the hard electrode the tip follows the sample: the walls of the curves show what the "
        'instrument does, whatever was told of it. "Not known" says that these data cannot tell.'
    ]
    if electrode:
        section.words.append(f"{electrode[0].upper()}{electrode[1:]}.")
    section.tables = [
        HtmlTable(
            "What was told against what the data show",
            headings("Check", "Verdict", "Told", "Found", "Effect", "Advice"),
            [_row(check) for check in checks],
            "Effect: by how much E' and E'' would change if what was found were right.",
        )
    ]
    return section


def _row(check: Check) -> list[Cell]:
    mark, tone = MARKS[check.verdict]
    named = "_" in check.advice.partition(" ")[0]  # a name stays as it is written
    advice = check.advice if named else f"{check.advice[:1].upper()}{check.advice[1:]}"
    return [
        words(check.title),
        Cell(mark, float(VERDICTS.index(check.verdict)), tone),
        words(check.told_in_words),
        words(check.found_in_words),
        words("" if check.verdict == "fine" else check.effect_in_words),
        words(advice if advice.endswith(".") or not advice else f"{advice}."),
    ]


def in_short(checks: Sequence[Check]) -> str:
    """The verdicts in a sentence; empty without checks."""
    if not checks:
        return ""
    parts = []
    for verdict, text in (("wrong", "refuted by the data"), ("doubtful", "doubtful")):
        said = [_named(check) for check in checks if check.verdict == verdict]
        if said:
            parts.append(f"{text}: {', '.join(said)}")
    unknown = [_lower(check.title) for check in checks if check.verdict == "unknown"]
    if unknown:
        parts.append(f"not known: {', '.join(unknown)}")
    fine = sum(check.verdict == "fine" for check in checks)
    start = f"Of {counted(len(checks), 'self-check')} {fine} {'is' if fine == 1 else 'are'} fine"
    return "; ".join([start, *parts]) + "."


def _named(check: Check) -> str:
    by = check.effect_in_words
    return _lower(check.title) + (f" ({by})" if by else "")


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:].split(":")[0]
