"""The experiment and the processing, as the attributes of results say: values, and two sections."""

from __future__ import annotations

import xarray as xr

from nrm_plugin.errors import RecipeError
from nrm_plugin.experiment.stated import LONGEST, Fact, Facts
from nrm_plugin.recipe import Recipe
from nrm_plugin.report.elements import Cell, HtmlTable, Section, headings, words
from nrm_plugin.text import measure, with_unit
from nrm_plugin.vocabulary import CALIBRATED, CHANNELS, METADATA


def facts_of(results: xr.Dataset) -> Facts:
    """Facts about the experiment of results."""
    return Facts(str(results.attrs.get("experiment", "")))


def recipe_of(results: xr.Dataset) -> Recipe | None:
    """Recipe by which results were made, None if they do not say."""
    text = str(results.attrs.get("recipe", ""))
    try:
        return Recipe.from_text(text) if text.strip() else None
    except RecipeError:
        return None


def texts(results: xr.Dataset, name: str) -> list[str]:
    """Attribute that may be one text or a list of them."""
    value = results.attrs.get(name)
    many = value if isinstance(value, list | tuple) else [value]
    return [str(one)[:LONGEST] for one in many if one is not None]


_LAST = len(METADATA)

#: Facts that stand at the top of the page.
_SHOWN_ABOVE = ("title", "simulated", "potential_source")


def experiment_section(results: xr.Dataset) -> Section:
    """Sample, instrument, settings and signals."""
    section = Section(title="What was measured", anchor="measured")
    facts = facts_of(results)
    if len(facts):
        section.tables.append(_facts_table(facts))
    elif not facts.readable:
        section.words.append("The results' own description of the experiment cannot be read.")
        section.missing = True
    else:
        section.words.append(
            "The results hold no description of the experiment: no calibration, no settings. An "
            "experiment file gives them (`nrm experiment`)."
        )
        section.missing = True
    listed = str(results.attrs.get("channels", "")).split("; ")
    channels = [channel for channel in listed if " = " in channel]
    if channels:
        section.tables.append(_channels_table(channels))
    return section


def _facts_table(facts: Facts) -> HtmlTable:
    names = list(METADATA)
    keys = [k for k in facts.on_their_own if k not in _SHOWN_ABOVE]
    keys.sort(key=lambda key: names.index(key) if key in METADATA else _LAST)
    rows = []
    for key in keys:
        fact, error = facts[key], facts.stderr(key)
        meaning = METADATA[key].meaning if key in METADATA else key
        text = fact.text + (_plus_minus(key, fact, error) if key in CALIBRATED else "")
        rows.append(
            [
                words(meaning[:1].upper() + meaning[1:]),
                words(text),
                Cell(key, key, "code"),
                words(fact.source),
            ]
        )
    columns = headings("Quantity", "Value", "Key", "Where from")
    return HtmlTable("The experiment: sample, instrument and settings", columns, rows)


def _plus_minus(key: str, fact: Fact, error: float | None) -> str:
    """Standard error behind a value, in percent where that can be said."""
    if error is None:
        return ", error unknown"
    if METADATA[key].unit != "rad" and isinstance(fact.value, float) and fact.value:
        return f" ± {measure(100.0 * error / abs(fact.value), '%', 2)}"
    return f" ± {with_unit(error, METADATA[key].unit, 2)}"


def _channels_table(channels: list[str]) -> HtmlTable:
    rows = []
    for channel in channels:
        name, _, original = channel.partition(" = ")
        entry = CHANNELS.get(name)
        rows.append(
            [Cell(name, name, "code"), words(entry.meaning if entry else ""), words(original)]
        )
    columns = headings("Signal", "Meaning", "Called in the file")
    return HtmlTable("Signals, and what the file calls them", columns, rows)


def provenance_section(results: xr.Dataset, own: dict[str, str]) -> Section:
    """Originals, versions, recipe and experiment: what it takes to make the results again.

    Parameters
    ----------
    results : Dataset
    own : dict
        Name and hash of the file of results, if there is one.
    """
    section = Section(title="How the results were made", anchor="made")
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


def _sources(results: xr.Dataset, own: dict[str, str]) -> HtmlTable:
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
    columns = headings("What", "File", "Read by", "SHA-256")
    return HtmlTable("Files", columns, rows)
