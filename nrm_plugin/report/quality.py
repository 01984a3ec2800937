"""Which curves are doubtful, why, and which of them to look at: the counts, and their section."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin import figures
from nrm_plugin.columns import IntArray
from nrm_plugin.model import CurveSet
from nrm_plugin.report.elements import (
    Cell,
    HtmlColumn,
    HtmlTable,
    Part,
    Section,
    count,
    missing,
    number,
    words,
)
from nrm_plugin.report.pictures import panels, picture
from nrm_plugin.statistics.selection import (
    LEFT_OUT,
    column,
    excluded,
    flags_of,
    words_of_excluded,
)
from nrm_plugin.text import counted
from nrm_plugin.variables import BIT, FLAG_WORDS

#: So many examples are named for every flag.
_NAMED = 4


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Curves that carry a flag.

    Attributes
    ----------
    name, meaning, advice : str
    count : int
    examples : list of int
        Curves to look at: those with the fewest other flags.
    left_out : bool
        Whether averages leave such curves out.
    """

    name: str
    meaning: str
    advice: str
    count: int
    examples: list[int]
    left_out: bool


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What is doubtful about curves.

    Attributes
    ----------
    n : int
        All curves.
    unflagged, used, contacts : int
        Without flags; with no flag for which averages leave a curve out; with a contact.
    flags : list of Flag
        Those that any curve carries, most frequent first.
    """

    n: int
    unflagged: int
    used: int
    contacts: int
    flags: list[Flag]


def quality_of(results: xr.Dataset) -> Quality:
    """Count flags; where there are two directions, a curve has those of both."""
    bits, out = flags_of(results), excluded(results)
    if "direction" in results["quality"].dims:
        bits = np.bitwise_or.reduce(bits, axis=results["quality"].dims.index("direction"))
    flags = [_flag(name, bits) for name in BIT if (bits & BIT[name]).any()]
    bad = sum(BIT[name] for name in LEFT_OUT)
    return Quality(
        n=len(bits),
        unflagged=int((bits == 0).sum()),
        used=int((((bits & bad) == 0) & ~out).sum()),
        contacts=int(((bits & BIT["no_hard_contact"]) == 0).sum()),
        flags=sorted(flags, key=lambda flag: -flag.count),
    )


def _flag(name: str, bits: IntArray) -> Flag:
    carrying = np.flatnonzero(bits & BIT[name])
    others = np.array([int(b).bit_count() for b in bits[carrying]])
    first = carrying[np.argsort(others, kind="stable")][:_NAMED]
    meaning, advice = FLAG_WORDS[name]
    return Flag(
        name=name,
        meaning=meaning,
        advice=advice,
        count=len(carrying),
        examples=sorted(first.tolist()),
        left_out=name in LEFT_OUT,
    )


def positions(results: xr.Dataset, numbers: list[int]) -> list[str]:
    """Positions of curves in words: ``at (0.4, 1.2) µm``, or nothing."""
    x, y = column(results, "x"), column(results, "y")
    if x is None or y is None:
        return ["" for _ in numbers]
    return [
        f"at ({x[i] * 1e6:.3g}, {y[i] * 1e6:.3g}) µm" if np.isfinite(x[i] + y[i]) else ""
        for i in numbers
    ]


#: So many doubtful curves are drawn.
_SHOWN = 6


def quality_section(
    results: xr.Dataset, quality: Quality, curves: CurveSet | None, why_no_curves: str
) -> Section:
    """How many curves are flagged and why, where they are, and what some of them look like."""
    section = Section(title="Quality of the curves", anchor="quality")
    if not quality.n:
        return Section(
            title="Quality of the curves",
            words=["There are no curves."],
            missing=True,
            anchor="quality",
        )
    section.words.append(
        f"A solid contact was found in {quality.contacts} of {counted(quality.n)}; "
        f"{quality.unflagged} without flags; left out of averages and distributions: "
        f"{quality.n - quality.used}."
        + "".join(f" {words} among them." for words in words_of_excluded(results))
    )
    if not quality.used:
        section.words.append(
            "All curves are left out: there are no averages. The flags say what to change."
        )
    section.pictures.append(
        picture(
            lambda: figures.quality(results),
            "Curves by flag (left), and where they are (right). A curve may carry several flags.",
            "Bars: number of curves with each flag, as in the table below. Map: curves without a "
            "flag, flagged, and left out.",
        )
    )
    if quality.flags:
        section.tables.append(_flags_table(quality))
    section.parts = [_examples_part(results, quality, curves, why_no_curves)]
    return section


def _flags_table(quality: Quality) -> HtmlTable:
    rows = []
    for flag in quality.flags:
        rows.append(
            [
                words(flag.name.replace("_", " ")),
                count(flag.count),
                number(flag.count / quality.n, 100.0, 2, "%"),
                words("left out" if flag.left_out else "counted"),
                words(flag.meaning),
                Cell(", ".join(map(str, flag.examples)), float(flag.examples[0])),
                words(flag.advice),
            ]
        )
    columns = [
        HtmlColumn("Flag"),
        HtmlColumn("Curves", True),
        HtmlColumn("Part", True),
        HtmlColumn("In averages"),
        HtmlColumn("What it means"),
        HtmlColumn("Look at curve"),
        HtmlColumn("What helps"),
    ]
    return HtmlTable(
        "Flags that curves carry", columns, rows, "Curves are numbered from 0, as in the file."
    )


def _examples_part(
    results: xr.Dataset, quality: Quality, curves: CurveSet | None, why_no_curves: str
) -> Part:
    title = "Examples to look at"
    if not quality.flags:
        return Part(title=title, words=["No curve is flagged."])
    if curves is None:
        return missing(title, why_no_curves)
    shown = _chosen(quality.flags)
    draws = [partial(_flagged_curve, curves, results, number, names) for number, names in shown]
    at = positions(results, [number for number, _ in shown])
    captions = "; ".join(
        f"curve {number}{f' {position}' if position else ''}: {names.replace('_', ' ')}"
        for (number, names), position in zip(shown, at, strict=True)
    )
    one = picture(
        lambda: panels(draws, min(2, len(draws)), 0.052, figures.PAGE),
        f"Deflection against height of flagged curves, with the lines of baseline and wall and the "
        f"solid contact where they were found. {captions[:1].upper()}{captions[1:]}.",
        f"Force curves with a flag: {captions}.",
    )
    return Part(title=title, pictures=[one])


def _chosen(flags: list[Flag]) -> list[tuple[int, str]]:
    """One curve per flag, most frequent flags first, with the flags that it stands for."""
    shown: dict[int, list[str]] = {}
    for flag in flags:
        if any(number in shown for number in flag.examples):
            number = next(number for number in flag.examples if number in shown)
        else:
            number = flag.examples[0]
        shown.setdefault(number, []).append(flag.name)
    return [(number, ", ".join(names)) for number, names in list(shown.items())[:_SHOWN]]


def _flagged_curve(curves: CurveSet, results: xr.Dataset, number: int, names: str, ax: Any) -> None:
    figures.raw(curves, number, results=results, ax=ax)
    ax.set_title(f"curve {number}: {names.replace('_', ' ')}", loc="left")
