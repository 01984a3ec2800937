"""The section on the quality of single curves."""

from __future__ import annotations

from functools import partial
from typing import Any

import xarray as xr

from nrm_plugin import figures
from nrm_plugin.figures.quantities import counted
from nrm_plugin.model import CurveSet
from nrm_plugin.report.parts import Part, Section, missing
from nrm_plugin.report.pictures import panels, picture
from nrm_plugin.report.quality import Flag, Quality, places
from nrm_plugin.report.tables import Cell, Column, Table, count, number, words

#: So many doubtful curves are drawn.
_DRAWN = 6


def quality_section(
    results: xr.Dataset, found: Quality, curves: CurveSet | None, why_no_curves: str
) -> Section:
    """How many curves are flagged and why, where they are, and what some of them look like."""
    section = Section("Quality of the curves", anchor="quality")
    if not found.n:
        return Section("Quality of the curves", ["There are no curves."], True, anchor="quality")
    section.words.append(
        f"A solid contact was found in {found.contacts} of {counted(found.n)}; with nothing to "
        f"report: {found.unflagged}; left out of averages and distributions: "
        f"{found.n - found.used}."
    )
    if not found.used:
        section.words.append(
            "All curves are left out for their flags: there are no averages. The flags say what to "
            "change."
        )
    section.pictures.append(
        picture(
            lambda: figures.quality(results),
            "Curves by flag (left), and where they are (right). A curve may carry several flags.",
            "Bars: number of curves with each flag, as in the table below. Map: curves without a "
            "flag, flagged, and left out.",
        )
    )
    if found.flags:
        section.tables.append(_table(results, found))
    section.parts = [_examples(results, found, curves, why_no_curves)]
    return section


def _table(results: xr.Dataset, found: Quality) -> Table:
    rows = []
    for flag in found.flags:
        rows.append(
            [
                words(flag.name.replace("_", " ")),
                count(flag.count),
                number(flag.count / found.n, 100.0, 2, "%"),
                words("left out" if flag.left_out else "counted"),
                words(flag.meaning),
                Cell(", ".join(map(str, flag.examples)), float(flag.examples[0])),
                words(flag.advice),
            ]
        )
    columns = [
        Column("Flag"),
        Column("Curves", True),
        Column("Part", True),
        Column("In averages"),
        Column("What it means"),
        Column("Look at curve"),
        Column("What helps"),
    ]
    return Table(
        "Flags that curves carry", columns, rows, "Curves are numbered from 0, as in the file."
    )


def _examples(
    results: xr.Dataset, found: Quality, curves: CurveSet | None, why_no_curves: str
) -> Part:
    title = "Examples to look at"
    if not found.flags:
        return Part(title, ["No curve is flagged."])
    if curves is None:
        return missing(title, why_no_curves)
    shown = _chosen(found.flags)
    draws = [partial(_one, curves, results, number, names) for number, names in shown]
    where = places(results, [number for number, _ in shown])
    said = "; ".join(
        f"curve {number}{f' {place}' if place else ''}: {names.replace('_', ' ')}"
        for (number, names), place in zip(shown, where, strict=True)
    )
    one = picture(
        lambda: panels(draws, min(2, len(draws)), 0.052, figures.PAGE),
        f"Deflection against height of flagged curves, with the lines of baseline and wall and the "
        f"solid contact where they were found. {said[:1].upper()}{said[1:]}.",
        f"Force curves with a flag: {said}.",
    )
    return Part(title, pictures=[one])


def _chosen(flags: list[Flag]) -> list[tuple[int, str]]:
    """One curve per flag, most frequent flags first, with the flags that it stands for."""
    shown: dict[int, list[str]] = {}
    for flag in flags:
        if any(number in shown for number in flag.examples):
            number = next(number for number in flag.examples if number in shown)
        else:
            number = flag.examples[0]
        shown.setdefault(number, []).append(flag.name)
    return [(number, ", ".join(names)) for number, names in list(shown.items())[:_DRAWN]]


def _one(curves: CurveSet, results: xr.Dataset, number: int, names: str, ax: Any) -> None:
    figures.raw(curves, number, results=results, ax=ax)
    ax.set_title(f"curve {number}: {names.replace('_', ' ')}", loc="left")
