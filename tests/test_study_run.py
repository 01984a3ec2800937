"""A study from its files to its report: what is done, what is not done again, what is survived."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from io import FileIO
from pathlib import Path

import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_plugin.cli import main
from nrm_plugin.decisions import Decision, Decisions
from nrm_plugin.files import open_locked, sha256
from nrm_plugin.simulate.sodiation import sodiation, write_log
from nrm_plugin.study import read_study, run_study
from nrm_plugin.study.sample_steps import SampleTask, process_sample
from nrm_plugin.study.study_record import NAME, StudyRecord

#: A long campaign of kills draws all figures; the suite, which runs often, none.
KILLS = os.environ.get("NRM_STUDY_KILLS")
FIGURES = "" if KILLS else "figures = []"

STUDY = f"""
title = "Two of a kind"
{FIGURES}
[regions]
edges = [2.0, 0.005]
[[sample]]
name = "A 1"
condition = "a"
files = ["a1/*.h5"]
experiment = "a1/cell.toml"
log = "a1/cv.csv"
clock_offset = "0 s"
[[sample]]
name = "B 1"
condition = "b"
files = ["b1"]
log = "b1/cv.csv"
clock_offset = "0 s"
"""

#: The steps of it.
STEPS = ["process A 1", "process B 1", "report A 1", "report B 1", "comparison"]


def make(folder: Path) -> Path:
    for number, name in enumerate(("a1", "b1")):
        home = folder / name
        home.mkdir()
        curves, log, _ = sodiation((2, 3), seed=number)
        curves.save(home / "map.h5")
        write_log(log, home / "cv.csv")
    (folder / "a1" / "cell.toml").write_text('[notes]\ncomment = "first"\n', encoding="utf-8")
    path = folder / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    old = time.time() - 3600
    for file in folder.rglob("*"):
        os.utime(file, (old, old))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was run, to be copied."""
    folder = tmp_path_factory.mktemp("study")
    os.environ["SOURCE_DATE_EPOCH"] = "1764000000"
    try:
        run = run_study(read_study(make(folder)), folder / "out")
    finally:
        del os.environ["SOURCE_DATE_EPOCH"]
    assert (run.made, run.kept, run.failed, run.code) == (STEPS, [], [], 0)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "moved"))


@pytest.fixture(autouse=True)
def epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764000000")


def again(folder: Path, **options: bool):
    return run_study(read_study(folder / "study.toml"), folder / "out", **options)


def files_of(folder: Path) -> dict[str, bytes]:
    """All that a run made but its record, whose times differ."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }


def test_what_a_run_makes(made):
    out = made / "out"
    for name in ("A 1", "B 1"):
        results = nrm.open_results(out / "samples" / name / "results.h5")
        assert results.sizes["curve"] == 6
        assert results["potential"].notnull().all()
        page = (out / "samples" / name / "report.html").read_text(encoding="utf-8")
        assert "Current against the electrode potential" in page
    assert "samples/A 1/report.html" in (out / "index.html").read_text(encoding="utf-8").replace(
        "%20", " "
    )
    for suffix in ("csv", "tex", "md"):
        assert (out / "comparison" / f"table.{suffix}").stat().st_size > 100
    record = json.loads((out / NAME).read_text(encoding="utf-8"))
    places = {place for step in record["steps"].values() for place in step["inputs"]}
    assert places == {"a1/map.h5", "a1/cell.toml", "a1/cv.csv", "b1/map.h5", "b1/cv.csv"}
    assert str(made) not in (out / NAME).read_text(encoding="utf-8")


def test_nothing_changed_and_the_folder_was_moved(folder):
    before = files_of(folder / "out")
    run = again(folder)
    assert (run.made, run.kept) == ([], STEPS)
    assert files_of(folder / "out") == before
    assert again(folder, rehash=True).made == []


def test_a_second_run_needs_no_numpy(folder):
    code = (
        "import sys; from nrm_plugin.study import read_study; "
        "from nrm_plugin.study.study_run import run_study; "
        f"run = run_study(read_study({str(folder / 'study.toml')!r}), {str(folder / 'out')!r}); "
        "assert not run.made, run.made; "
        "assert not {'numpy', 'h5py', 'xarray', 'matplotlib'} & set(sys.modules)"
    )
    path = folder / "study.toml"
    text = path.read_text(encoding="utf-8").replace('["b1"]', '["b1/*.h5"]')
    path.write_text(text, encoding="utf-8")
    assert again(folder).made == []
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_experiment_file_redoes_its_sample(folder):
    told = '[dither]\namplitude = "0.2 nm"\n'  # it was 1 nm
    (folder / "a1" / "cell.toml").write_text(told, encoding="utf-8")
    for made in (["process A 1", "report A 1", "comparison"], []):
        run = again(folder)
        assert run.made == made
        assert len(run.made) + len(run.kept) == len(STEPS)
        # What its data refute, and what was told differently, is said each time.
        assert (run.code, [name for name, _ in run.wrong]) == (1, ["A 1"])
        assert run.wrong[0][1].startswith("lateral_scale (wrong): ")
        assert any("differs (200 pm: A 1; 1 nm: B 1)" in message for message in run.messages)


def test_touched_and_rewritten_files_are_the_same(folder):
    data = (folder / "a1" / "map.h5").read_bytes()
    (folder / "a1" / "map.h5").write_bytes(data)
    assert again(folder).made == []


def test_a_change_that_keeps_size_and_time(folder):
    path = folder / "a1" / "cell.toml"
    again(folder)  # believes the times of the copy
    about = path.stat()
    path.write_text('[notes]\ncomment = "fIrst"\n', encoding="utf-8")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert again(folder).made == []
    record = StudyRecord(folder / "out", folder, rehash=True)
    for name, same in (("process A 1", False), ("process B 1", True)):
        step = record.steps[name]
        inputs = list(step.inputs)
        assert record.up_to_date(name, inputs, (), step.settings, step.versions) is same


def test_a_shape_factor_that_the_recipe_names_is_an_input(folder):
    """The recipe stays the same when the file with the curve of its shape factor changes."""
    tip, recipe = folder / "b1" / "tip.txt", folder / "b1" / "recipe.toml"
    tip.write_text("distance (nm)\tr_g\n0\t1.25\n60\t1.25\n", encoding="utf-8")
    recipe.write_text('shape_factor = "tip.txt"\n', encoding="utf-8")
    made = process_sample(
        SampleTask(
            name="B 1",
            files=(str(folder / "b1" / "map.h5"),),
            results=str(folder / "made.h5"),
            recipe=str(recipe),
        )
    )
    assert dict(made.read)[str(tip)] == sha256(tip)
    assert len(made.read) == 2


def test_what_was_made_and_lost_is_made_again(folder):
    (folder / "out" / "samples" / "B 1" / "report.html").unlink()
    (folder / "out" / "comparison" / "table.md").write_text("", encoding="utf-8")
    assert again(folder).made == ["report B 1", "comparison"]


def test_decisions_beside_the_results_count(folder):
    results = folder / "out" / "samples" / "A 1" / "results.h5"
    opened = nrm.open_results(results)
    decided = Decisions.for_results(opened, results).with_decision(
        Decision(decision="exclude", curves=[2], reason="the tip jumped")
    )
    decided.write()
    run = again(folder)
    assert run.made == ["report A 1", "comparison"]
    assert "the tip jumped" in (results.parent / "report.html").read_text(encoding="utf-8")
    assert again(folder).made == []
    # A study that brings these decisions along gives the same.
    shutil.copy(results.parent / "results.decisions.toml", folder / "a1" / "kept.toml")
    text = (folder / "study.toml").read_text(encoding="utf-8")
    text = text.replace('experiment = "a1', 'decisions = "a1/kept.toml"\nexperiment = "a1')
    (folder / "study.toml").write_text(text, encoding="utf-8")
    assert again(folder).made == []
    (results.parent / "results.decisions.toml").unlink()
    assert again(folder).made == []
    assert (results.parent / "results.decisions.toml").read_bytes() == (
        folder / "a1" / "kept.toml"
    ).read_bytes()


def test_a_bad_file_is_named_and_the_rest_goes_on(folder):
    bad = folder / "b1" / "other.h5"
    bad.write_bytes((folder / "b1" / "map.h5").read_bytes()[:20_000])
    call = ["run", str(folder / "study.toml"), "-o", str(folder / "out"), "--json"]
    for steps in (["process B 1", "comparison"], []):  # the report is on the same results
        done = CliRunner().invoke(main, call)
        told = json.loads(done.stdout)
        assert (done.exit_code, told["made"]) == (1, steps)
        assert [failed["path"] for failed in told["failed"]] == ["b1/other.h5"]
        assert done.stderr.splitlines()[-2].startswith("nrm: b1/other.h5: ")
        assert done.stderr.splitlines()[-2].count("other.h5") == 1
    bad.unlink()
    done = CliRunner().invoke(main, call)
    assert (done.exit_code, json.loads(done.stdout)["failed"]) == (0, [])


def test_a_file_of_curves_in_two_samples_counts_once(folder):
    """A copy under another name, too; here it was already processed."""
    shutil.copy2(folder / "a1" / "map.h5", folder / "b1" / "map.h5")
    record = json.loads((folder / "out" / NAME).read_text(encoding="utf-8"))
    inputs = {name: record["steps"][f"process {name}"]["inputs"] for name in ("A 1", "B 1")}
    inputs["B 1"]["b1/map.h5"] = inputs["A 1"]["a1/map.h5"]
    (folder / "out" / NAME).write_text(json.dumps(record), encoding="utf-8")
    for made in (["comparison"], []):
        run = again(folder)
        assert (run.made, run.code) == (made, 1)
        ((name, sentence),) = run.failed
        assert name == "B 1"
        assert sentence.startswith("b1/map.h5 holds the same curves as a1/map.h5 of sample 'A 1'")
    assert "B 1" not in (folder / "out" / "comparison" / "table.csv").read_text(encoding="utf-8")


def test_a_sample_that_cannot_be_processed(folder):
    (folder / "b1" / "map.h5").write_bytes(b"nothing")
    text = (folder / "study.toml").read_text(encoding="utf-8").replace('"b1"]', '"b1/map.h5"]')
    (folder / "study.toml").write_text(text, encoding="utf-8")
    for _ in range(2):
        run = again(folder)
        assert [what for what, _ in run.failed] == ["B 1"]
        assert run.code == 1
        assert "process B 1" not in run.made + run.kept
    assert run.made == []


def test_two_runs_in_one_folder(folder):
    lock = open_locked(folder / "out" / ".nrm-run.lock", "", FileIO)
    try:
        done = CliRunner().invoke(
            main, ["run", str(folder / "study.toml"), "-o", str(folder / "out")]
        )
    finally:
        lock.close()
    assert done.exit_code == 1
    assert "another nrm run is at work in this folder" in done.stderr
    assert again(folder).made == []
    assert not (folder / "out" / ".nrm-run.lock").exists()


def test_a_sample_that_left_the_study_and_other_regions(folder):
    text = (folder / "study.toml").read_text(encoding="utf-8")
    text = text[: text.rindex("[[sample]]")].replace("[2.0, 0.005]", "[2.0, 1.0, 0.005]")
    (folder / "study.toml").write_text(text, encoding="utf-8")
    run = again(folder)
    assert (run.made, run.kept) == (["report A 1", "comparison"], ["process A 1"])
    assert run.messages == ["samples/B 1 is of no sample of the study any more"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_and_run_again(made, tmp_path):
    folder = Path(shutil.copytree(made, tmp_path / "killed", ignore=shutil.ignore_patterns("out")))
    wanted = files_of(made / "out")
    call = [sys.executable, "-m", "nrm_plugin", "run", str(folder / "study.toml")]
    call += ["-o", str(folder / "out")]
    rng = random.Random(5)
    for _ in range(int(KILLS or 1)):
        process = subprocess.Popen(call, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:  # until some step is done, or all of them are
            if ": process" in line or rng.random() < 0.5:
                break
        time.sleep(rng.random())
        process.kill()
        process.communicate()
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert files_of(folder / "out") == wanted
