"""The recipe as the page's panel has it, and what the page says that changes in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nrm_plugin import units
from nrm_plugin.errors import RecipeError
from nrm_plugin.parameters import unit_of
from nrm_plugin.plugins import installed
from nrm_plugin.recipe import Recipe

#: SI units of recipes, the factor to what is shown, and its name.
_SHOWN = {"m": (1e9, "nm"), "rad": (57.29577951308232, "°")}

#: Most keys in one change.
MOST_KEYS = 200


def recipe_fields(recipe: Recipe) -> list[dict[str, Any]]:
    """Return every key, settings of methods that are not chosen too: what the form shows.

    Each has name (dotted), section, label, unit, factor, value in SI, kind, choices, help, and
    that of a method what each choice is (about).
    """
    return list(_fields(recipe))


def _fields(recipe: Recipe) -> Iterator[dict[str, Any]]:
    for name in Recipe.model_fields:
        value = getattr(recipe, name)
        if isinstance(value, BaseModel):
            yield from _of_section(name, value)
        else:
            yield _field(name, name, value, Recipe.model_fields[name])


def _of_section(name: str, section: Any) -> Iterator[dict[str, Any]]:
    kind = getattr(section, "KIND", None)
    for key, field in type(section).model_fields.items():
        one = _field(f"{name}.{key}", key, getattr(section, key), field, section=name)
        if kind is not None and key == "method":
            about = {n: str(m.description) for n, m in installed().all(kind).items()}
            one |= {"kind": "choice", "choices": list(about), "about": about}
            one["help"] = about.get(str(one["value"])) or one["help"]
        yield one
    for method in section.names() if kind is not None else ():
        try:
            settings = section.settings_of(method)
        except RecipeError:
            continue  # a plugin that cannot be imported: choosing it says so
        for key, field in type(settings).model_fields.items() if settings is not None else ():
            place = f"{name}.{method}"
            yield _field(f"{place}.{key}", key, getattr(settings, key), field, section=place)


def _field(name: str, key: str, value: Any, field: FieldInfo, section: str = "") -> dict[str, Any]:
    unit = unit_of(field.metadata)
    factor, shown = _SHOWN.get(unit, (1.0, unit))
    annotation: Any = field.annotation
    choices: list[Any] = []
    if get_origin(annotation) is Literal:
        kind, choices = "choice", list(get_args(annotation))
    elif isinstance(value, bool):
        kind = "boolean"
    elif isinstance(value, int | float):
        kind = "number"
    else:
        kind = "text"
    return {
        "name": name,
        "section": section,
        "label": key.replace("_", " "),
        "unit": shown,
        "factor": factor,
        "value": value
        if isinstance(value, bool | int | float | str) or value is None
        else str(value),
        "kind": kind,
        "choices": choices,
        "help": " ".join((field.description or "").split()),
    }


def changed_recipe(recipe: Recipe, change: Any) -> Recipe:
    """Return a recipe with what the page changed.

    Parameters
    ----------
    recipe : Recipe
    change : mapping, str or None
        Values by dotted key, in SI; or a whole recipe as TOML. Nothing changes nothing.

    Raises
    ------
    RecipeError
    """
    if change is None or change == {} or change == "":
        return recipe
    if isinstance(change, str):
        return Recipe.from_text(change)
    if not isinstance(change, Mapping) or len(change) > MOST_KEYS:
        raise RecipeError("a change of the recipe is a table of keys and values, or TOML")
    for key, value in change.items():
        if not isinstance(value, bool | int | float | str):
            raise RecipeError(f"{key}: a value is a number, true or false, or a text")
    lengths = {one["name"] for one in _fields(recipe) if one["unit"] == "nm"}
    given = {
        key: _in_nm(value) if key in lengths and type(value) in (int, float) else value
        for key, value in change.items()
    }
    try:
        return recipe.replace(**given)
    except TypeError as error:
        raise RecipeError(str(error)) from None


def _in_nm(metres: float) -> float | str:
    """A length as the form shows it, so that what refuses it says it so too; never another."""
    text = f"{metres * 1e9:.12g} nm"
    same = math.isfinite(metres * 1e9) and units.parse(text, "m") == metres
    return text if same else metres
