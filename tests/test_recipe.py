"""The recipe: round trips, and mistakes that are named with what was probably meant."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import nrm_plugin as nrm
from nrm_plugin.cli import main
from nrm_plugin.errors import MissingFile, RecipeError
from nrm_plugin.recipe import Contact, Recipe

OTHER = Recipe(
    direction="both",
    shape_factor=2.5,
    correct_slope=True,
    depth={"stop": "80 nm", "step": 1e-9},
    contact={"method": "two-line", "slope": "free", "interference": False, "wall": "25 %"},
    derivative={"method": "total-variation", "half_width": 1.2345678901234e-9},
    lateral={"lag": False, "series_compliance": False},
)


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "r.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def refused(**values: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        Recipe(**values)
    return str(caught.value)


# Written down and read back


@pytest.mark.parametrize("recipe", [Recipe(), OTHER], ids=["defaults", "other"])
@pytest.mark.parametrize("comments", [True, False])
def test_round_trip(recipe: Recipe, comments: bool, tmp_path: Path) -> None:
    text = recipe.to_toml(comments=comments)
    assert Recipe.from_text(text) == recipe
    assert Recipe.from_toml(written(tmp_path, text)) == recipe
    assert ("#" in text) == comments


@given(st.floats(1e-12, 1e-6), st.floats(1e-3, 0.999), st.floats(1e-3, 1e3))
def test_numbers_keep_every_digit(length: float, part: float, shape: float) -> None:
    recipe = Recipe().replace(half_width=length, wall=part, shape_factor=shape)
    for comments in (True, False):
        assert Recipe.from_text(recipe.to_toml(comments=comments)) == recipe


@pytest.mark.parametrize("text", ['C:\\curves\\"r".h5', "µ #1.json", "a'b.txt", "tab\there"])
def test_names_of_files_survive(text: str) -> None:
    recipe = Recipe(shape_factor=text)
    assert Recipe.from_text(recipe.to_toml()) == recipe


def test_comments_explain_every_key_and_lengths_are_in_nanometres() -> None:
    lines = [line for line in Recipe().to_toml().splitlines() if line]
    assert all("  # " in line for line in lines)
    assert 'half_width = "2 nm"  # ' in Recipe().to_toml()
    assert 'stop = "60 nm"  # ' in Recipe().to_toml()


def test_defaults_are_those_that_are_promised() -> None:
    assert json.loads(json.dumps(Recipe().model_dump())) == {
        "direction": "approach",
        "shape_factor": "paper",
        "correct_slope": False,
        "depth": {"stop": 60e-9, "step": 0.5e-9},
        "contact": {
            "method": "grown",
            "slope": "pooled",
            "distance": "wall",
            "force": "told",
            "drag": "corrected",
            "interference": True,
            "spikes": True,
        },
        "derivative": {"method": "local-linear", "half_width": 2e-9},
        "lateral": {"lag": True, "series_compliance": True, "phase": "told"},
    }
    assert Recipe().to_dict()["contact"]["two-line"] == {"baseline": 0.4, "wall": 0.3}
    assert Recipe().depth.count == 121


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_as_editors_write_them(tmp_path: Path, encoding: str) -> None:
    text = '# µ\r\ndirection = "retract"\r\n'
    path = written(tmp_path, text.encode(encoding))
    assert Recipe.from_toml(path).direction == "retract"


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert Recipe.from_toml(written(tmp_path, "")) == Recipe()


@pytest.mark.parametrize("name", ["rg.h5", "sub/rg.json", "../rg.txt"])
def test_a_curve_is_looked_for_beside_the_recipe(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    found = Recipe.from_toml(written(folder, f'shape_factor = "{name}"'))
    assert Path(str(found.shape_factor)) == folder / name


def test_an_absolute_curve_and_the_paper_stay(tmp_path: Path) -> None:
    curve = (tmp_path / "elsewhere" / "rg.h5").as_posix()
    assert Recipe.from_toml(written(tmp_path, f'shape_factor = "{curve}"')).shape_factor == curve
    assert Recipe.from_toml(written(tmp_path, 'shape_factor = "paper"')).shape_factor == "paper"


# Files that are none


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("direction = up", "not TOML"),
        ("direction", "not TOML"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "UTF-8"),
        (b"#" * 300_000, "not a recipe: it has more than"),
        ('[contact]\nslope = "flat"\n', 'contact.slope: it is "pooled", "calibrated" or "free"'),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, data: str | bytes, said: str) -> None:
    path = written(tmp_path, data)
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(path)
    assert said in str(caught.value)
    assert str(caught.value).count(str(path)) == 1


def test_nothing_and_folders(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no such file"):
        Recipe.from_toml(tmp_path / "none.toml")
    with pytest.raises(MissingFile, match="folder, not a recipe"):
        Recipe.from_toml(tmp_path)
    with pytest.raises(MissingFile):
        Recipe.from_toml("a\0b")


# Keys that are not known


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"directon": "both"}, "no key 'directon'. Did you mean direction?"),
        ({"depht": {}}, "no key 'depht'. Did you mean depth?"),
        ({"contact": {"metod": "x"}}, "no key 'metod' in [contact]. Did you mean method?"),
        ({"depth": {"zzz": 1}}, "no key 'zzz' in [depth]."),
        ({"half_width": "2 nm"}, "no key 'half_width'. It stands in [derivative]."),
        ({"method": "two-line"}, "It stands in [contact] or [derivative]."),
        ({"contact": {"half_width": 1}}, "in [contact]. It stands in [derivative]."),
        ({"lateral": {"direction": "both"}}, "in [lateral]. It stands above all sections."),
    ],
)
def test_unknown_keys(values: dict[str, Any], said: str) -> None:
    assert said in refused(**values)


def test_everything_wrong_is_said_at_once() -> None:
    said = refused(direction="up", depht={}, contact={"wall": 3, "metod": ""})
    assert all(word in said for word in ("direction:", "'depht'", "contact.wall:", "'metod'"))


# Values that make no sense


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"direction": "up"}, 'direction: it is "approach", "retract" or "both", not "up"'),
        ({"direction": 1}, "not 1"),
        ({"correct_slope": 1}, "correct_slope: it is true or false, not 1"),
        ({"correct_slope": "true"}, 'it is true or false, not "true"'),
        ({"lateral": {"lag": "yes"}}, 'lateral.lag: it is true or false, not "yes"'),
        ({"contact": {"method": 3}}, "contact.method: it is a name in quotes, not 3"),
        ({"contact": {"baseline": 40}}, "contact.baseline: it is between 0 and 1, not 40"),
        ({"contact": {"wall": 0}}, "contact.wall: it is between 0 and 1, not 0"),
        ({"contact": {"wall": math.nan}}, "not nan"),
        ({"contact": {"wall": True}}, "it is a number, not true"),
        ({"contact": 3}, "contact: it is a section, [contact], not 3"),
        ({"contact": [1]}, "not a list"),
        ({"depth": {"stop": 60}}, "depth.stop: 60 m cannot be meant; write a length with its unit"),
        ({"depth": {"stop": "60"}}, "60 m cannot be meant"),
        ({"depth": {"stop": -60e-9}}, "cannot be meant"),
        ({"depth": {"stop": "-60 nm"}}, "depth.stop: -60 nm cannot be meant; lengths are 1 pm to"),
        ({"depth": {"stop": " 2 mm "}}, "depth.stop: 2 mm cannot be meant"),
        ({"depth": {"stop": math.nan}}, "nan m cannot be meant"),
        ({"depth": {"stop": math.inf}}, "inf m cannot be meant"),
        ({"depth": {"stop": True}}, "it is a number, not true"),
        ({"depth": {"stop": None}}, "it is a number, not None"),
        ({"depth": {"stop": "60 V"}}, "depth.stop: V cannot be turned into m"),
        ({"depth": {"stop": "sixty"}}, "is not a number with a unit"),
        ({"depth": {"stop": "1 nm", "step": "2 nm"}}, "step is larger than stop"),
        ({"depth": {"stop": "1 um", "step": "1 pm"}}, "1e+06 distances are more than 10000"),
        ({"derivative": {"half_width": 0}}, "derivative.half_width: 0 m cannot be meant"),
    ],
)
def test_wrong_values(values: dict[str, Any], said: str) -> None:
    assert said in refused(**values)


@pytest.mark.parametrize(
    "value", [True, False, math.nan, "nan", math.inf, 0, -1.25, "-1.25", "", "  ", [1.25], None]
)
def test_what_is_no_shape_factor(value: Any) -> None:
    assert 'shape_factor: it is "paper", a positive number or a file' in refused(shape_factor=value)


@pytest.mark.parametrize(
    ("value", "meant"),
    [("paper", "paper"), (2, 2.0), ("2.5", 2.5), (np.float32(0.5), 0.5), ("rg.h5", "rg.h5")],
)
def test_what_is_one(value: Any, meant: float | str) -> None:
    found = Recipe(shape_factor=value).shape_factor
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.parametrize(
    ("text", "metres"),
    [("3 nm", 3e-9), ("3nm", 3e-9), ("0.003 um", 3e-9), ("30 Å", 3e-9), ("3e-9", 3e-9)],
)
def test_units(text: str, metres: float) -> None:
    assert Recipe().replace(half_width=text).derivative.half_width == pytest.approx(metres, 1e-15)


@pytest.mark.parametrize(
    ("stop", "step", "count"), [("60 nm", "0.5 nm", 121), ("1 nm", "0.3 nm", 4)]
)
def test_count_of_distances(stop: str, step: str, count: int) -> None:
    assert Recipe(depth={"stop": stop, "step": step}).depth.count == count


def test_directions() -> None:
    assert Recipe().directions == ("approach",)
    assert Recipe(direction="both").directions == ("approach", "retract")


def test_a_recipe_does_not_change() -> None:
    recipe = Recipe()
    with pytest.raises(ValidationError):
        recipe.direction = "both"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        recipe.contact.wall = 0.5  # type: ignore[misc]
    changed = recipe.replace(wall=0.5)
    assert (recipe.contact.wall, changed.contact.wall) == (0.3, 0.5)
    assert hash(recipe) == hash(Recipe()) != hash(changed)


# replace


@pytest.mark.parametrize(
    "changes",
    [
        {"slope": "free", "wall": 0.2},
        {"contact.slope": "free", "contact.wall": 0.2},
        {"contact": {"slope": "free", "wall": 0.2}},
        {"contact": Contact(slope="free", wall=0.2)},
        {"contact": {"slope": "free"}, "wall": "20 %"},
    ],
)
def test_ways_to_replace(changes: dict[str, Any]) -> None:
    changed = Recipe().replace(direction="retract", **changes)
    assert (changed.contact.slope, changed.contact.wall) == ("free", 0.2)
    assert changed.direction == "retract"
    assert changed.contact.method == "grown"
    assert changed.derivative == Recipe().derivative


def test_a_section_keeps_what_is_not_named() -> None:
    once = Recipe().replace(contact={"wall": 0.2})
    assert once.replace(contact={"slope": "free"}).contact.wall == 0.2


def test_a_name_in_two_sections_is_not_guessed() -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().replace(method="two-line")
    assert "contact and derivative both have a 'method'" in str(caught.value)
    assert 'contact={"method": ...} or derivative={"method": ...}' in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"half_widht": 1e-9}, "no 'half_widht'. Did you mean half_width?"),
        ({"contact.metod": "x"}, "Did you mean method?"),
        ({"contcat.method": "x"}, "no 'contcat.method'"),
        ({"contact": 3}, "it is a section"),
        ({"contact": {"metod": 3}}, "Did you mean method?"),
        ({"half_width": "2 V"}, "V cannot be turned into m"),
    ],
)
def test_wrong_replacements(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().replace(**changes)
    assert said in str(caught.value)


# nrm recipe


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_the_command_prints_what_can_be_read_back(tmp_path: Path) -> None:
    shown = run("recipe")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert Recipe.from_text(shown.stdout) == Recipe()
    assert json.loads(run("recipe", "--json").stdout) == Recipe().to_dict()
    path = tmp_path / "r.toml"
    assert run("recipe", "-o", path).stdout == ""
    assert path.read_text(encoding="utf-8") == shown.stdout
    path.write_text("mine", encoding="utf-8")
    again = run("recipe", "-o", path)
    assert again.exit_code == 1
    assert "--overwrite" in again.stderr
    assert path.read_text(encoding="utf-8") == "mine"
    assert run("recipe", "-o", path, "--overwrite").exit_code == 0
    assert Recipe.from_toml(path) == Recipe()


def test_the_recipe_of_results(tmp_path: Path, samples: Any) -> None:
    curves = samples.single(n_ext=32).path
    recipe = OTHER.replace(direction="approach")
    nrm.process(nrm.open(curves), recipe, tmp_path / "out.h5")
    shown = run("recipe", tmp_path / "out.h5")
    assert shown.exit_code == 0
    assert Recipe.from_text(shown.stdout) == recipe
    assert tomllib.loads(shown.stdout)["depth"]["stop"] == "80 nm"
    refused = run("recipe", curves)
    assert refused.exit_code == 1
    assert "holds no results" in refused.stderr
    assert run("recipe", tmp_path / "none.h5").exit_code == 1


def test_a_name_of_many_parts_is_no_recipe():
    with pytest.raises(RecipeError, match=r"^line 2: this is no recipe: .*a name of many parts"):
        Recipe.from_text("# mine\na" + ".a" * 100_000 + " = 1\n")
