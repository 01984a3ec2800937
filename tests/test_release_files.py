"""What a release is made of says the same everywhere: version, dependencies, addresses."""

import json
import re
import runpy
import tomllib
from pathlib import Path

import yaml
from pictures import MADE_BY

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


def workflow(name: str) -> dict:
    return yaml.safe_load(text(f".github/workflows/{name}.yml"))["jobs"]


def test_the_matrix_is_what_the_project_claims():
    """Its oldest and newest Python on each system with wheels; no runner has musl (Alpine)."""
    claimed = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert PROJECT["requires-python"] == f">={claimed[0]}"
    matrix = workflow("tests")["systems"]["strategy"]["matrix"]
    assert matrix["python"] == [claimed[0], claimed[-1]]
    targets = runpy.run_path(str(ROOT / "nrm_plugin" / "kernels" / "build.py"))["TARGETS"]
    assert {target.split("-")[0] for target in targets} - {"musl"} == {
        "linux" if system.startswith("ubuntu") else system.split("-")[0] for system in matrix["os"]
    }


def test_reference_pictures_are_compared_by_one_job_and_left_out_by_name_elsewhere():
    """That job runs `.ci/run`, which installs the matplotlib that made them (the extra `test`)."""
    (pin,) = (d for d in PROJECT["optional-dependencies"]["test"] if d.startswith("matplotlib"))
    assert pin == f"matplotlib=={MADE_BY}.*"
    jobs = workflow("tests")
    runs = {name: "\n".join(step.get("run", "") for step in jobs[name]["steps"]) for name in jobs}
    assert "pictures" not in text(".ci/run")
    assert runs.pop("everything").split() == ["bash", ".ci/run"]
    for name, commands in runs.items():
        if "run.py test" in commands or "-m pytest" in commands:
            assert '-m "not pictures"' in commands, name
    assert '"not pictures"' in text("tests/oldest_dependencies.py")


def test_a_release_is_listed_and_audited_as_its_page_says():
    """The same commands by hand and in the workflow; what could not be asked about is an error."""
    page = text("docs/releasing.md")
    commands = [step["run"] for step in workflow("release")["list"]["steps"] if "run" in step]
    audit = "pip-audit --strict --no-deps --disable-pip -r audited.txt"
    assert audit in commands
    assert audit in page
    assert "python packaging/sbom.py listed sbom.json" in commands
    assert "python packaging/sbom.py listed sbom.json" in page
    publish = workflow("release")["publish"]
    assert set(publish["needs"]) == {"list", "try"}
    assert publish["permissions"] == {"attestations": "write", "id-token": "write"}


def test_what_the_project_carries_is_in_the_list():
    """Each file of others in the page of nrm view belongs to a component of packaging/sbom.py."""
    carried = re.findall(r'"name": "(\w+)"', text("packaging/sbom.py"))
    folder = ROOT / "nrm_plugin" / "viewer" / "page" / "lib"
    assert {path.name.split(".")[0] for path in folder.iterdir()} == set(carried)


def test_tests_that_the_threat_page_names_exist():
    page = text("docs/security.md")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/test_*.py"))
    named = set(re.findall(r"`(test_[\w*]+(?:\.py)?)`", page))
    assert len(named) > 20
    for name in named:
        if name.endswith(".py"):
            assert list(ROOT.glob(f"tests/{name}")), name
        else:
            assert f"def {name}(" in sources, name


def test_workflows_are_whole():
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        for name, job in jobs.items():
            assert job["steps"], f"{path.name}: {name}"
            needs = job.get("needs", [])
            assert set([needs] if isinstance(needs, str) else needs) <= set(jobs)
