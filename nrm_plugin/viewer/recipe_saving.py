"""A recipe saved beside the results."""

from __future__ import annotations

from pathlib import Path

from nrm_plugin.decisions import SUFFIX
from nrm_plugin.errors import InvalidInput, NrmError, OutputError
from nrm_plugin.files import replacing
from nrm_plugin.recipe import Recipe

#: Longest name of a file, and what it may not have.
_LONGEST = 100
_NOT_IN_NAMES = set('/\\:*?"<>|')


def save_recipe(recipe: Recipe, folder: Path, name: str, *, overwrite: bool) -> Path:
    """Write a recipe into a folder, as a TOML with what every key means.

    Raises
    ------
    InvalidInput
        If the name is none of a file in this folder.
    OutputError
        If there is something that may not be replaced: a recipe without `overwrite`, anything
        else in any case.
    """
    name = name.strip()
    if name and not name.lower().endswith(".toml"):
        name += ".toml"
    wrong = set(name) & _NOT_IN_NAMES or not name.isprintable() or name.startswith(".")
    if not name or wrong or len(name) > _LONGEST or name.lower().endswith(SUFFIX):
        raise InvalidInput(
            f"a recipe has the name of a file in the folder of the results, not {name[:120]!r}"
        )
    path = folder / name
    if path.exists():
        if not overwrite:
            raise OutputError(path, "it exists; say that it may be replaced")
        try:
            Recipe.from_toml(path)
        except NrmError:
            raise OutputError(path, "what is there is no recipe; choose another name") from None
    with replacing(path, overwrite=overwrite) as part:
        part.write_text(recipe.to_toml(), encoding="utf-8", newline="\n")
    return path
