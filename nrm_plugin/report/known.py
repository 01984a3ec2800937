"""What results say of their experiment, read back from their attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tomlkit
import xarray as xr
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Item

from nrm_plugin.errors import InvalidInput, RecipeError
from nrm_plugin.recipe import Recipe
from nrm_plugin.text import with_unit
from nrm_plugin.units import parse
from nrm_plugin.vocabulary import METADATA

#: More of a stranger's text than this is not shown.
LONGEST = 2000


@dataclass(frozen=True)
class Fact:
    """A value of the experiment.

    Attributes
    ----------
    value : float, str or bool
        Numbers in SI.
    text : str
        As people read it, with its unit.
    source : str
        Where it comes from.
    """

    value: float | str | bool
    text: str
    source: str


class Known(Mapping[str, Fact]):
    """Facts by the names of the vocabulary.

    Parameters
    ----------
    experiment : str
        The attribute ``experiment`` of results.
    """

    def __init__(self, experiment: str) -> None:
        self._facts: dict[str, Fact] = {}
        self.readable = True
        try:
            document = tomlkit.parse(experiment)
        except TOMLKitError:
            self.readable = False
            return
        for key, item in document.items():
            fact = _fact(key, item)
            if fact is not None:
                self._facts[key] = fact

    def __getitem__(self, key: str) -> Fact:
        return self._facts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def number(self, key: str) -> float | None:
        """Value of a number in SI, None if it is not known."""
        fact = self._facts.get(key)
        usable = fact is not None and isinstance(fact.value, float)
        return float(fact.value) if fact is not None and usable else None


def _fact(key: str, item: Any) -> Fact | None:
    """Fact of a line, None if it is none that the vocabulary could mean."""
    source = item.trivia.comment.lstrip("# ") if isinstance(item, Item) else ""
    value = item.unwrap() if isinstance(item, Item) else item
    entry = METADATA.get(key)
    if isinstance(value, bool):
        return Fact(value, "yes" if value else "no", source)
    if not isinstance(value, str | int | float):
        return None
    if entry is None or entry.text or entry.words or key == "simulated":
        return Fact(str(value), str(value)[:LONGEST], source)
    try:
        number = float(
            entry.check(key, parse(value, entry.unit) if isinstance(value, str) else float(value))
        )
    except (InvalidInput, ValueError, OverflowError):
        return Fact(str(value), str(value)[:LONGEST], source)
    return Fact(number, with_unit(float(f"{number:.6g}"), entry.unit), source)


def known_of(results: xr.Dataset) -> Known:
    """Facts about the experiment of results."""
    return Known(str(results.attrs.get("experiment", "")))


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
