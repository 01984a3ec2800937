"""What a release is made of says the same everywhere: version, dependencies, addresses."""

import json
import re
import tomllib
from pathlib import Path

import yaml

import nrm_plugin

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: What stands for addresses until the owner of the project fills them in.
PLACEHOLDER = "https://example.org/nrm-plugin"


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version():
    version = nrm_plugin.__version__
    assert yaml.safe_load(text("CITATION.cff"))["version"] == version
    assert json.loads(text("codemeta.json"))["version"] == version
    assert yaml.safe_load(text("packaging/conda/recipe.yaml"))["context"]["version"] == version


def test_the_conda_recipe_needs_what_the_project_needs():
    run = yaml.safe_load(text("packaging/conda/recipe.yaml"))["requirements"]["run"]
    other_names = {"matplotlib-base": "matplotlib"}
    wanted = dict(re.match(r"([\w.-]+)(.*)", d).groups() for d in PROJECT["dependencies"])
    wanted["python"] = PROJECT["requires-python"]
    found = dict(line.split(" ", 1) for line in run)
    assert {other_names.get(name, name): bound for name, bound in found.items()} == wanted


def test_the_licence_is_the_same_everywhere():
    assert PROJECT["license"] == "MIT" == yaml.safe_load(text("CITATION.cff"))["license"]
    assert json.loads(text("codemeta.json"))["license"].endswith("/MIT")
    about = yaml.safe_load(text("packaging/conda/recipe.yaml"))["about"]
    assert about["license"] == "MIT"
    assert sorted(about["license_file"]) == sorted(PROJECT["license-files"])


def test_placeholders_of_addresses_are_named_where_a_release_is_described():
    """A release with some left would lead its users nowhere."""
    assert all(url.startswith(PLACEHOLDER) for url in PROJECT["urls"].values())
    names = "pyproject.toml", "CITATION.cff", "codemeta.json", "packaging/conda/recipe.yaml"
    holding = [name for name in names if PLACEHOLDER in text(name)]
    steps = text("docs/releasing.md")
    assert all(f"`{name}`" in steps for name in holding), holding


def test_workflows_are_whole():
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        for name, job in jobs.items():
            assert job["steps"], f"{path.name}: {name}"
            needs = job.get("needs", [])
            assert set([needs] if isinstance(needs, str) else needs) <= set(jobs)
