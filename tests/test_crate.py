"""A research object for a repository: everything in it, described as RO-Crate 1.1 asks."""

import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_results import without_lateral

import nrm_plugin as nrm
from nrm_plugin import simulate as sim
from nrm_plugin.cli import main
from nrm_plugin.decisions import Decision, Decisions
from nrm_plugin.errors import InvalidInput
from nrm_plugin.report.crate import write_crate


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    sample = sim.Sample(sim.Interphase((sim.Layer(12e-9, 2e6 + 1e6j),), force=3e-9))
    curves, _ = sim.simulate(sample, sim.Instrument(), sim.Ramp(), n_curves=3, seed=4)
    curves.save(folder / "my curves.h5")
    results = nrm.process(nrm.open(folder / "my curves.h5"))
    nrm.save(without_lateral(results), folder / "r.h5")
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "f"))


def crate_of(folder: Path, *options: str) -> tuple[zipfile.ZipFile, dict, str]:
    arguments = ["report", str(folder / "r.h5"), "-o", str(folder / "r.html")]
    done = CliRunner().invoke(main, [*arguments, "--crate", str(folder / "c.zip"), *options])
    assert done.exit_code == 0, done.output
    archive = zipfile.ZipFile(folder / "c.zip")
    graph = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
    return archive, {entity["@id"]: entity for entity in graph}, done.output


def test_every_file_is_in_it_and_described(folder):
    made = Decisions.for_results(nrm.open_results(folder / "r.h5"), folder / "r.h5")
    made.with_decision(Decision(decision="exclude", curves=[1], reason="dust")).write()
    archive, entities, said = crate_of(folder, "--curves", str(folder / "my curves.h5"))
    assert archive.testzip() is None
    names = set(archive.namelist()) - {"ro-crate-metadata.json"}
    texts = {"r.html", "r.decisions.toml", "recipe.toml", "experiment.toml"}
    assert names == texts | {"r.h5", "data/my curves.h5"}
    assert {part["@id"].replace("%20", " ") for part in entities["./"]["hasPart"]} == names
    for name in names:
        entity = entities[name.replace(" ", "%20")]
        content = archive.read(name)
        assert entity["contentSize"] == str(len(content))
        assert entity["sha256"] == hashlib.sha256(content).hexdigest()
    assert archive.read("r.h5") == (folder / "r.h5").read_bytes()
    assert archive.read("recipe.toml").decode() == nrm.open_results(folder / "r.h5").attrs["recipe"]
    about = entities["ro-crate-metadata.json"]
    assert about["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert about["about"] == {"@id": "./"}
    assert "simulated" in entities["./"]["description"]
    assert "originals are not in it" not in said
    assert "licence" in said


def test_the_provenance_leads_from_the_original_to_the_results(folder):
    _, entities, said = crate_of(folder)
    action = entities["#processing"]
    (original,) = [entities[o["@id"]] for o in action["object"] if o["@id"].startswith("#original")]
    assert original["name"] == "my curves.h5"
    assert original["sha256"] == hashlib.sha256((folder / "my curves.h5").read_bytes()).hexdigest()
    assert {"@id": "r.h5"} in action["result"]
    assert entities[action["instrument"]["@id"]]["softwareVersion"] == nrm.__version__
    # Every reference leads to something that is described.
    used = set(re.findall(r'"@id": "([^"]*)"', json.dumps(list(entities.values()))))
    assert used - set(entities) == {"https://w3id.org/ro/crate/1.1"}
    assert "originals are not in it (my curves.h5)" in said


def test_nothing_is_replaced_unasked(folder):
    (folder / "c.zip").write_bytes(b"mine")
    arguments = ["report", str(folder / "r.h5"), "-o", str(folder / "r.html")]
    done = CliRunner().invoke(main, [*arguments, "--crate", str(folder / "c.zip")])
    assert done.exit_code == 1
    assert (folder / "c.zip").read_bytes() == b"mine"
    assert not (folder / "r.html").exists()


def test_a_file_that_is_not_the_original_is_named(folder):
    other = folder / "other"
    other.mkdir()
    shutil.copy(folder / "r.h5", other / "my curves.h5")
    (folder / "notes.txt").write_text("none")
    _, _, said = crate_of(folder, "--curves", str(folder / "my curves.h5"))
    assert "another file" not in said
    results = nrm.open_results(folder / "r.h5")
    lacks = write_crate(
        folder / "d.zip",
        results=results,
        file=folder / "r.h5",
        report=folder / "r.html",
        originals=[other / "my curves.h5", folder / "notes.txt"],
    )
    assert "my curves.h5 is another file than the one that the results were made from" in lacks
    assert "notes.txt is not named by the results as their original" in lacks
    with pytest.raises(InvalidInput, match="two files of one name"):
        write_crate(
            folder / "e.zip",
            results=results,
            file=folder / "r.h5",
            report=folder / "r.html",
            originals=[folder / "my curves.h5", other / "my curves.h5"],
        )
    assert not (folder / "e.zip").exists()
