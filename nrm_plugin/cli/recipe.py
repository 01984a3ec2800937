"""``nrm recipe``: a recipe to change, or the one that results were made with."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nrm_plugin import files
from nrm_plugin.recipe import Recipe


@click.command("recipe")
@click.argument("results", required=False, metavar="[RESULTS.h5]")
@click.option("-o", "--output", metavar="R.toml", help="Where to write it; printed if not given.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print the values, lengths in m.")
def command(results: str | None, output: str | None, overwrite: bool, as_json: bool) -> None:
    """Write a commented recipe with every default, or the one that results were made with."""
    recipe = Recipe() if results is None else recipe_of(results)
    text = recipe.to_toml()
    if output is not None:
        with files.replacing(Path(output), overwrite=overwrite) as part:
            part.write_bytes(text.encode("utf-8"))
    if as_json:
        click.echo(json.dumps(recipe.to_dict(), indent=2))
    elif output is None:
        click.echo(text, nl=False)


def recipe_of(path: str) -> Recipe:
    """Return the recipe that results were made with.

    Raises
    ------
    InvalidInput
        If there are no results in the file.
    MissingFile, CorruptFile, RecipeError
    """
    from nrm_plugin.store.read_results import open_results

    return Recipe.from_text(open_results(path).attrs["recipe"])
