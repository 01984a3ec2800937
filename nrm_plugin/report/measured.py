"""What was measured, under which conditions, and how it was processed."""

from __future__ import annotations

import xarray as xr

from nrm_plugin.model import CurveSet
from nrm_plugin.report.conditions import VERDICTS, Condition
from nrm_plugin.report.known import Fact, Known, known_of, texts
from nrm_plugin.report.parts import Section
from nrm_plugin.report.tables import NOTHING, Cell, Column, Table, rounded, words
from nrm_plugin.vocabulary import CHANNELS, METADATA

_LAST = len(METADATA)

#: Facts that stand at the top of the page.
_SHOWN_ABOVE = ("title", "simulated", "potential_source")


def measured(results: xr.Dataset, curves: CurveSet | None) -> Section:
    """Sample, instrument, settings and signals."""
    section = Section("What was measured", anchor="measured")
    known = known_of(results)
    if len(known):
        section.tables.append(_facts(known))
    elif not known.readable:
        section.words.append("The results' own description of the experiment cannot be read.")
        section.missing = True
    else:
        section.words.append(
            "The results hold no description of the experiment: no calibration, no settings. An "
            "experiment file gives them (`nrm experiment`)."
        )
        section.missing = True
    wires = [wire for wire in str(results.attrs.get("channels", "")).split("; ") if " = " in wire]
    if wires:
        section.tables.append(_wires(wires))
    return section


def _facts(known: Known) -> Table:
    names = list(METADATA)
    keys = [k for k in known if k not in _SHOWN_ABOVE]
    keys = [k for k in keys if not (k.endswith("_stderr") and k[:-7] in known)]
    keys.sort(key=lambda key: names.index(key) if key in METADATA else _LAST)
    rows = []
    for key in keys:
        fact, error = known[key], known.get(f"{key}_stderr")
        meaning = METADATA[key].meaning if key in METADATA else key
        text = fact.text + ("" if error is None else _plus_minus(fact.value, error))
        rows.append(
            [
                words(meaning[:1].upper() + meaning[1:]),
                words(text),
                Cell(key, key, "code"),
                words(fact.source),
            ]
        )
    columns = [Column("Quantity"), Column("Value"), Column("Key"), Column("Where from")]
    return Table("The experiment: sample, instrument and settings", columns, rows)


def _plus_minus(value: float | str | bool, error: Fact) -> str:
    """Standard error behind a value, in percent where that can be said."""
    if isinstance(value, float) and isinstance(error.value, float) and value:
        return f" ± {rounded(100.0 * error.value / abs(value), 2)}\N{NO-BREAK SPACE}%"
    return f" ± {error.text}"


def _wires(wires: list[str]) -> Table:
    rows = []
    for wire in wires:
        name, _, original = wire.partition(" = ")
        entry = CHANNELS.get(name)
        rows.append(
            [Cell(name, name, "code"), words(entry.meaning if entry else ""), words(original)]
        )
    columns = [Column("Signal"), Column("Meaning"), Column("Called in the file")]
    return Table("Signals, and what the file calls them", columns, rows)


def conditions_section(found: list[Condition]) -> Section:
    """The conditions with their verdicts."""
    order = {tone: rank for rank, tone in enumerate(("bad", "doubtful", "unknown", "good"))}
    rows = [
        [
            words(one.name),
            words(one.value or NOTHING),
            words(f"{one.wanted} ({one.by})"),
            Cell(VERDICTS[one.verdict], float(order[one.verdict]), one.verdict),
            words(one.effect),
        ]
        for one in found
    ]
    columns = [
        Column("Condition"),
        Column("Here"),
        Column("Wanted (by)"),
        Column("Verdict"),
        Column("What it does to the result"),
    ]
    table = Table("The conditions against the paper's own ranges", columns, rows)
    intro = (
        "Ranges are those in which the paper worked, where it gives one; the others follow from "
        "the derivative and the lock-in. Outside of them results are not wrong by themselves: the "
        "last column says what to expect."
    )
    return Section("Conditions of the experiment", [intro], tables=[table], anchor="conditions")


def made(results: xr.Dataset, own: dict[str, str]) -> Section:
    """Originals, versions, recipe and experiment: what it takes to make the results again.

    Parameters
    ----------
    results : Dataset
    own : dict
        Name and hash of the file of results, if there is one.
    """
    section = Section("How the results were made", anchor="made")
    version = str(results.attrs.get("nrm_plugin_version", ""))
    section.words.append(
        f"Processed by nrm-plugin {version or 'of an unknown version'}. The recipe and the "
        "calibrations below, applied to the originals with these hashes, give the same numbers "
        "again: `nrm recipe RESULTS.h5 -o recipe.toml`, then `nrm process --recipe recipe.toml`."
    )
    section.tables.append(_sources(results, own))
    recipe = str(results.attrs.get("recipe", ""))
    experiment = str(results.attrs.get("experiment", ""))
    for title, text in (("Recipe", recipe), ("Experiment", experiment)):
        if text.strip():
            section.texts.append((title, text))
        else:
            section.words.append(f"The results hold no {title.lower()}.")
    return section


def _sources(results: xr.Dataset, own: dict[str, str]) -> Table:
    names, hashes, readers = (
        texts(results, name) for name in ("source_name", "source_sha256", "source_importer")
    )
    rows = []
    for i, name in enumerate(names):
        rows.append(
            [
                words("original"),
                words(name),
                words(readers[i] if i < len(readers) else ""),
                Cell(hashes[i] if i < len(hashes) and hashes[i] else "not known", "", "hash"),
            ]
        )
    rows += [
        [words("potential"), words(text), words(""), words("")]
        for text in texts(results, "potential_source")
    ]
    if own:
        rows.append(
            [
                words("results"),
                words(own["name"]),
                words("nrm-plugin"),
                Cell(own["sha256"], "", "hash"),
            ]
        )
    if not rows:
        rows = [[words("original"), words("not known"), words(""), words("")]]
    columns = [Column("What"), Column("File"), Column("Read by"), Column("SHA-256")]
    return Table("Files", columns, rows)
