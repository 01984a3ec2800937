"""What was decided by hand about curves: the list of it, and what it changes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr

from nrm_plugin.decisions import by_hand
from nrm_plugin.errors import NrmError
from nrm_plugin.figures.panels import has_potential
from nrm_plugin.potential import Log, with_potential
from nrm_plugin.report.elements import (
    Cell,
    HtmlTable,
    Part,
    Section,
    count,
    headings,
    interval,
    missing,
    words,
)
from nrm_plugin.report.regional import MEGA, region_cell, thickness_cell
from nrm_plugin.statistics import Regions, region_thickness, summary
from nrm_plugin.statistics.selection import Analysis, select
from nrm_plugin.store.read_results import open_results
from nrm_plugin.text import counted, listed, printable

_NAMES = {"exclude": "excluded", "accept": "accepted", "contact": "contact set"}


def decided(results: xr.Dataset) -> str:
    """What was decided by hand, in few words; empty where nothing was."""
    return "".join(by_hand(results))


def decisions_sections(
    analysis: Analysis,
    regions: Regions,
    file: str | PathLike[str] | None,
    log: Log | None,
    regions_of: Callable[[xr.Dataset], Regions],
) -> list[Section]:
    """List the decisions, and the headline values with and without them; nothing without any.

    Parameters
    ----------
    analysis, regions
        Of the results with the decisions.
    file : path or None
        Of the results.
    log : Log or None
        That gave results their potentials, where they had none.
    regions_of : callable
        Gives the regions of results.
    """
    results = analysis.results
    text = decided(results)
    if not text:
        return []
    said = said_of(results)
    entries = [entry for entry in said.get("decisions", []) if isinstance(entry, dict)]
    section = Section(title="Decisions by hand", anchor="decisions")
    section.words.append(f"{text[:1].upper()}{text[1:]}{_of_file(said)}.")
    if entries:
        more = said.get("more", 0)
        section.words.append(in_view(entries))
        section.tables.append(decisions_table(entries, more if isinstance(more, int) else 0))
    without = as_made(results, file)
    if log is not None and not has_potential(without):
        without = with_potential(without, log)
    headline = Headline.of(analysis, regions)
    section.parts = [_with_and_without(headline, Analysis(without), regions_of)]
    return [section]


def as_made(results: xr.Dataset, file: str | PathLike[str] | None) -> xr.Dataset:
    """Results without what was decided by hand: those of the file, where it is at hand."""
    if file is not None and Path(file).is_file():
        with contextlib.suppress(NrmError):
            made = open_results(file, decisions=False)
            if made.sizes["curve"] == results.sizes["curve"]:
                return made
    return results.drop_vars("by_hand")


def said_of(results: xr.Dataset) -> dict[str, Any]:
    """What results say of the decisions."""
    try:
        said = json.loads(str(results.attrs.get("decisions", "{}")))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _of_file(said: Mapping[str, Any]) -> str:
    return f" ({_text(said, 'file')})" if said.get("file") else ""


def in_view(entries: Sequence[Mapping[str, Any]]) -> str:
    """Whether the outcome could be seen when the decisions were taken."""
    blind = sum(entry.get("visible") == [] for entry in entries)
    unknown = sum(entry.get("visible") is None for entry in entries)
    seen = len(entries) - blind - unknown
    parts = [
        f"{n} {how}"
        for n, how in (
            (blind, "blind, with condition, potential and moduli hidden"),
            (seen, "with some of them in view"),
            (unknown, "without a note of what could be seen"),
        )
        if n
    ]
    return f"Of {counted(len(entries), 'decision')}: {'; '.join(parts)}."


def decisions_table(entries: Sequence[Mapping[str, Any]], more: int) -> HtmlTable:
    """Decisions with their reasons, and how many more stand in the file."""
    rows = []
    for entry in entries:
        n = entry.get("n_curves", 0)
        seen = entry.get("visible")
        if seen is None:
            view = words("not said", "unknown")
        else:
            view = words(printable(", ".join(map(str, seen)))) if seen else words("blind", "good")
        rows.append(
            [
                words(_NAMES.get(_text(entry, "decision"), _text(entry, "decision"))),
                count(float(n) if isinstance(n, int) else np.nan),
                words(_text(entry, "curves") or "none any more"),
                words(_moved(entry)),
                words(_text(entry, "reason")),
                view,
                words(_text(entry, "time").replace("T", " "), "name"),
            ]
        )
    titles = ("Decision", "Curves", "Numbers", "Contact", "Reason", "In view", "Time")
    left = f" {counted(more, 'further decision')} stand in the file." if more else ""
    return HtmlTable(
        "What was decided, and why",
        headings(*titles, numbers=("Curves",)),
        rows,
        "Curves are numbered from 0, as in the results. A decision holds until a later one takes "
        f"it back.{left}",
    )


def _text(entry: Mapping[str, Any], key: str) -> str:
    """Text under a key, which a person may have written, without characters that do harm."""
    return printable(str(entry.get(key, "")))


def _moved(entry: Mapping[str, Any]) -> str:
    """From where to where a contact was set."""
    height = _length(entry, "height")
    if not height:
        return ""
    old = _length(entry, "old_height")
    direction = _text(entry, "direction")
    return f"{f'{old} to ' if old else ''}{height}{f', {direction}' if direction else ''}"


def _length(entry: Mapping[str, Any], name: str) -> str:
    value, error = entry.get(name), entry.get(f"{name.removesuffix('height')}stderr")
    if not isinstance(value, float):
        return ""
    known = f" ± {error * 1e9:.2g}" if isinstance(error, float) else ""
    return f"{value * 1e9:.2f}{known} nm"


def _with_and_without(
    with_decisions: Headline, without: Analysis, regions_of: Callable[[xr.Dataset], Regions]
) -> Part:
    title = "Headline values with the decisions and without"
    try:
        others = Headline.of(without, regions_of(without.results))
    except NrmError as error:
        return missing(title, f"There are none without them: {error}.")
    rows = []
    for i, region in enumerate(with_decisions.regions):
        for name, one in (("with", with_decisions), ("without", others)):
            rows.append([region_cell(region), words(name, "name"), *one.cells(i)])
    numbers = ["Curves in averages"]
    if with_decisions.thickness is not None:
        numbers += ["Mean thickness (nm), 95 % interval", "Mean |G*| (MPa), 95 % interval"]
    distances = listed(dict.fromkeys(str(row["bin"]) for row in with_decisions.nearest.values()))
    note = f"|G*| next to the electrode, at {distances}. " if distances else ""
    return Part(
        title=title,
        tables=[
            HtmlTable(
                "What the decisions change",
                headings("Region", "Decisions", *numbers, numbers=numbers),
                rows,
                f"{note}Where the two differ by more than their intervals, the result stands or "
                "falls with the decisions above.",
            )
        ],
    )


@dataclass(frozen=True, kw_only=True)
class Headline:
    """Headline values of the regions.

    Attributes
    ----------
    analysis : Analysis
    regions : Regions
    thickness : Dataset or None
        Of the regions; None without a lateral signal.
    nearest : mapping of str to mapping
        By region, the row of the summary that is nearest to the electrode.
    """

    analysis: Analysis
    regions: Regions
    thickness: xr.Dataset | None
    nearest: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, analysis: Analysis, regions: Regions) -> Self:
        """Work them out, or take what the analysis has."""
        lateral = "storage_modulus" in analysis.results
        nearest: dict[str, Mapping[str, Any]] = {}
        for row in summary(analysis, regions) if lateral else []:
            nearest.setdefault(str(row["region"]), row)
        return cls(
            analysis=analysis,
            regions=regions,
            thickness=region_thickness(analysis, regions) if lateral else None,
            nearest=nearest,
        )

    def cells(self, number: int) -> list[Cell]:
        """Cells of a region."""
        region = self.regions.inside[number]
        cells = [count(len(select(self.analysis.results, region.curves)[0]))]
        if self.thickness is not None:
            row = self.nearest.get(region.label, {})
            mean, low, high = (float(row.get(name, np.nan)) for name in ("mean", "low", "high"))
            cells.append(thickness_cell(self.thickness, number))
            cells.append(interval(mean, low, high, MEGA))
        return cells
