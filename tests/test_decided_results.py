"""Results with decisions beside them: contacts moved after the processing, and what is kept."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from nrm_generator import Generator, parts_of

import nrm_plugin as nrm
from nrm_plugin.cli import main
from nrm_plugin.decisions import ContactByHand, Decision, Decisions
from nrm_plugin.engine.workbench import Workbench
from nrm_plugin.errors import InvalidInput, RecipeError
from nrm_plugin.joining import join
from nrm_plugin.store.decided_results import with_decisions
from nrm_plugin.viewer.opening import opened as viewed_files

MOVED = {3: 4e-9, 8: -5.3e-9, 20: 1.25e-9}


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> nrm.CurveSet:
    channels, metadata = parts_of(
        Generator(samples=600, stiffness=20.0, retract=True, curves=24).make()[0]
    )
    path = tmp_path_factory.mktemp("curves") / "curves.h5"
    nrm.CurveSet.from_arrays(channels, metadata=metadata).save(path)
    return nrm.open(path)


@pytest.fixture(scope="module")
def made(curves: nrm.CurveSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of both directions."""
    path = tmp_path_factory.mktemp("results") / "r.h5"
    nrm.process(curves, nrm.Recipe().replace(direction="both"), out=path)
    return path


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path / "r.h5"))


def decisions(path: Path) -> Decisions:
    return Decisions.for_results(nrm.open_results(path, decisions=False), path)


def moved(path: Path, direction: str = "approach", stderr: float = 1e-9) -> Decisions:
    """Contacts of some curves moved by so much."""
    heights = nrm.open_results(path, decisions=False)["contact_height"].sel(direction=direction)
    made = decisions(path)
    for curve, by in MOVED.items():
        old = float(heights[curve])
        contact = ContactByHand(old + by, stderr, old)
        made = made.with_decision(
            Decision(decision="contact", curves=curve, direction=direction, contact=contact)
        )
    made.write()
    return made


def test_without_decisions_nothing_changes(results):
    xr.testing.assert_identical(
        nrm.open_results(results).load(), nrm.open_results(results, decisions=False).load()
    )
    assert "by_hand" not in nrm.open_results(results)


def test_what_was_decided_is_said(results):
    decisions(results).with_decision(
        Decision(decision="exclude", curves=[1, 2], reason="<b>tip</b>", visible=())
    ).with_decision(Decision(decision="accept", curves=[5])).write()
    found = nrm.open_results(results)
    assert found["by_hand"].dims == ("curve",)
    assert found["by_hand"].dtype == np.int8
    assert np.flatnonzero(found["by_hand"] == 1).tolist() == [1, 2]
    assert np.flatnonzero(found["by_hand"] == 2).tolist() == [5]
    assert found["by_hand"].attrs["flag_masks"] == [1, 2, 4]
    assert found["by_hand"].attrs["flag_meanings"] == "excluded accepted contact_by_hand"
    said = json.loads(found.attrs["decisions"])
    assert (said["excluded"], said["accepted"], said["contacts"], said["blind"]) == (2, 1, 0, 1)
    assert said["file"] == "r.decisions.toml"
    assert said["decisions"][0]["reason"] == "<b>tip</b>"
    plain = nrm.open_results(results, decisions=False)
    xr.testing.assert_identical(found.drop_vars("by_hand").load().drop_attrs(), plain.drop_attrs())
    again = xr.open_dataset(results, engine="nrm")
    np.testing.assert_array_equal(again["by_hand"], found["by_hand"])
    assert "by_hand" not in xr.open_dataset(results, engine="nrm", decisions=False)


@pytest.mark.parametrize("direction", ["approach", "retract"])
def test_distances_follow_a_moved_contact(curves, results, direction):
    wanted = moved(results, direction)
    found, before = nrm.open_results(results), nrm.open_results(results, decisions=False)
    other = {"approach": "retract", "retract": "approach"}[direction]
    for name in found.data_vars:
        if "direction" in found[name].dims:
            xr.testing.assert_identical(
                found[name].sel(direction=other), before[name].sel(direction=other)
            )
    assert "3 contacts moved by hand after the processing" in found.attrs["warnings"]
    assert "nrm process makes them exact" in found.attrs["warnings"]
    found, before = found.sel(direction=direction), before.sel(direction=direction)
    untouched = np.setdiff1d(np.arange(24), list(MOVED))
    for name in before.data_vars:
        if "curve" in before[name].dims:
            xr.testing.assert_identical(
                found[name].isel(curve=untouched), before[name].isel(curve=untouched)
            )
    bench, recipe = Workbench(curves), nrm.Recipe().replace(direction="both")
    off = {name: [] for name in ("storage_modulus", "loss_modulus", "force_normal")}
    for curve in MOVED:
        exact = bench.curve(
            curve, recipe, contact=wanted.contacts[curve, direction], direction=direction
        ).values
        here = found.isel(curve=curve)
        assert float(here["contact_height"]) == float(exact["contact_height"])
        assert float(here["contact_height_stderr"]) == 1e-9
        for name in ("normal_onset", "lateral_onset", "adhesion_distance", "baseline_deflection"):
            assert float(here[name]) == pytest.approx(float(exact[name]), abs=2e-15, nan_ok=True)
        step = 0.5e-9
        assert abs(float(here["depth_valid_min"]) - float(exact["depth_valid_min"])) < 3.1 * step
        for name, collected in off.items():
            error = exact.get(f"{name}_stderr", np.full(121, np.nanmax(exact[name]) * 0.01))
            both = np.isfinite(here[name].values) & np.isfinite(exact[name])
            assert both.sum() > 90
            collected.append(((here[name].values - exact[name]) / error)[both])
    for name, collected in off.items():
        assert np.sqrt(np.mean(np.concatenate(collected) ** 2)) < 0.25, name


def test_parts_are_read_as_the_whole(results):
    moved(results)
    found = nrm.open_results(results)
    whole = nrm.open_results(results).load()
    parts: list[dict[str, Any]] = [
        {"curve": 3},
        {"curve": 4},
        {"curve": slice(2, 9)},
        {"curve": [20, 3, 4], "depth": slice(10, 50, 3)},
        {"curve": [8, 3], "depth": 7, "direction": 0},
        {"direction": 1},
        {"direction": [1, 0], "curve": slice(None, None, -1)},
        {"depth": 11, "distance_bin": 5},
        {"curve": []},
    ]
    for part in parts:
        for name in found.data_vars:
            some = {k: v for k, v in part.items() if k in found[name].dims}
            xr.testing.assert_identical(found[name].isel(some), whole[name].isel(some))


def test_distances_across_a_slope(results):
    moved(results)
    found = nrm.open_results(results, decisions=False)
    tilted = found.assign(slope_cosine=found["wall_slope"] * 0 + 0.8)
    by_hand = decisions(results)
    flat, steep = (with_decisions(one, by_hand) for one in (found, tilted))
    for name in ("normal_onset", "lateral_onset"):
        before, level, across = (one[name].values[0, 3] for one in (found, flat, steep))
        assert level == pytest.approx(before - 4e-9, abs=1e-15)
        assert across == pytest.approx(before - 0.8 * 4e-9, abs=1e-15)


def test_they_can_be_sent_to_another_process(results):
    moved(results)
    found = nrm.open_results(results)
    xr.testing.assert_identical(pickle.loads(pickle.dumps(found)).load(), found.load())


def test_a_contact_that_the_results_were_made_with_is_not_moved_again(results):
    before = nrm.open_results(results, decisions=False)
    height = float(before["contact_height"].sel(direction="approach")[4])
    decisions(results).with_decision(
        Decision(decision="contact", curves=4, contact=ContactByHand(height))
    ).write()
    found = nrm.open_results(results)
    assert found["by_hand"].values[4] == 4
    assert "moved by hand" not in found.attrs["warnings"]
    for name in before.data_vars:
        xr.testing.assert_identical(found[name].load(), before[name].load())


def test_a_contact_where_there_was_none(results):
    import h5py

    with h5py.File(results, "r+") as file:
        for name, data in file["entry/results"].items():
            if name == "contact_height" or data.shape[1:] == (24, 121):
                data[0, 4] = np.nan
    decisions(results).with_decision(
        Decision(decision="contact", curves=4, contact=ContactByHand(2.9e-6))
    ).write()
    found = nrm.open_results(results)
    one = found.sel(direction="approach").isel(curve=4)
    assert float(one["contact_height"]) == 2.9e-6
    assert np.isnan(one["storage_modulus"]).all()
    assert "set by hand where none had been found" in found.attrs["warnings"]


def test_saved_results_keep_what_was_decided(results, tmp_path):
    moved(results).with_decision(Decision(decision="exclude", curves=[1])).write()
    found = nrm.open_results(results)
    nrm.save(found, tmp_path / "copy.h5")
    copy = nrm.open_results(tmp_path / "copy.h5")
    xr.testing.assert_equal(copy.load(), found.load())
    assert copy.attrs["decisions"] == found.attrs["decisions"]
    assert copy["by_hand"].attrs == found["by_hand"].attrs
    assert "by_hand" not in nrm.open_results(tmp_path / "copy.h5", decisions=False)


def test_decisions_that_do_not_fit(results, tmp_path):
    decisions(results).with_decision(Decision(decision="exclude", curves=[1])).write()
    path = tmp_path / "r.decisions.toml"
    text = path.read_text()
    path.write_text(text.replace("curves.h5", "others.h5"))
    if decisions_hash(text):
        digest = decisions_hash(text)
        path.write_text(text.replace(digest, "0" * 64))
    with pytest.raises(InvalidInput, match=r"r\.decisions\.toml is about"):
        nrm.open_results(results)
    path.write_text("[[decision]\n")
    with pytest.raises(RecipeError, match=r"r\.decisions\.toml, line 1"):
        nrm.open_results(results)
    assert "by_hand" not in nrm.open_results(results, decisions=False)


def decisions_hash(text: str) -> str:
    return next((line.split('"')[1] for line in text.splitlines() if line.startswith("sha256")), "")


def test_a_second_run_keeps_both_and_is_exact(curves, results):
    moved(results).with_decision(Decision(decision="exclude", curves=[1, 2], reason="dust")).write()
    text = results.with_name("r.decisions.toml").read_text(encoding="utf-8")
    shifted = nrm.open_results(results).load()
    assert "moved by hand after the processing" in shifted.attrs["warnings"]
    nrm.process(curves, nrm.Recipe().replace(direction="both"), out=results)
    again = nrm.open_results(results)
    assert results.with_name("r.decisions.toml").read_text(encoding="utf-8") == text
    assert "moved by hand after the processing" not in again.attrs["warnings"]
    np.testing.assert_array_equal(again["by_hand"], shifted["by_hand"])
    np.testing.assert_array_equal(again["contact_height"], shifted["contact_height"])
    for name in ("storage_modulus", "loss_modulus"):
        error = again[f"{name}_stderr"].values
        off = ((again[name] - shifted[name]).values / error)[0, list(MOVED)]
        assert np.sqrt(np.nanmean(off**2)) < 0.25
    means = nrm.statistics.mean_profile(again)
    assert means.attrs["n_curves"] == 22
    assert "2 curves excluded by hand" in means.attrs["warnings"]
    results.with_name("r.decisions.toml").unlink()
    decisions(results).with_decision(Decision(decision="exclude", curves=[1])).write()
    stale = (
        "3 contacts set by hand when the curves were processed, and taken back since: nrm process"
    )
    assert stale in nrm.open_results(results).attrs["warnings"]


def test_two_files_merged(tmp_path):
    files = []
    for number in range(2):
        channels, metadata = parts_of(
            Generator(samples=600, stiffness=20.0, curves=6, seed=number).make()[0]
        )
        files.append(tmp_path / f"{'ab'[number]}.h5")
        nrm.CurveSet.from_arrays(channels, metadata=metadata).save(files[-1])
    a, b = (nrm.open(path) for path in files)
    out = tmp_path / "both.h5"
    nrm.process(join([a, b]), out=out)
    decisions(out).with_decision(Decision(decision="exclude", curves=[1, 6, 8])).write()
    assert np.flatnonzero(nrm.open_results(out)["by_hand"]).tolist() == [1, 6, 8]
    text = out.with_name("both.decisions.toml").read_text(encoding="utf-8")
    assert 'origin = "a.h5"' in text
    assert 'origin = "b.h5"' in text
    nrm.process(join([b[[2, 3]], a]), out=out)
    found = nrm.open_results(out)
    assert np.flatnonzero(found["by_hand"]).tolist() == [0, 3]
    assert "1 of its 2 curves are not here: there are 2 curves of b.h5" in found.attrs["warnings"]
    nrm.process(a, out=out)
    found = nrm.open_results(out)
    assert np.flatnonzero(found["by_hand"]).tolist() == [1]
    assert "no longer applies: b.h5 is not among the files here" in found.attrs["warnings"]
    c = tmp_path / "c.h5"
    nrm.CurveSet.from_arrays(channels, metadata={**metadata, "comment": "other"}).save(c)
    with pytest.raises(InvalidInput, match=r"both\.decisions\.toml is about curves of a\.h5"):
        nrm.process(nrm.open(c), out=out)


def test_a_contact_far_outside_of_its_curve_stays_where_it_was(results):
    """In a file edited by hand: 0.5 m, and 300 nm beside; by retract alone one is used."""
    made = nrm.open_results(results, decisions=False)
    old = made["contact_height"].values
    far = decisions(results)
    for curve, direction, by in (
        (3, "approach", 0.5),
        (3, "retract", 1e-9),
        (7, "approach", -300e-9),
        (9, "retract", 300e-9),
        (11, "approach", 2e-9),
    ):
        height = by if by == 0.5 else float(old[int(direction == "retract"), curve]) + by
        far = far.with_decision(
            Decision(
                decision="contact",
                curves=curve,
                direction=direction,
                contact=ContactByHand(height, 3e-9),
            )
        )
    far.write()
    found = nrm.open_results(results)
    assert np.flatnonzero(found["by_hand"]).tolist() == [3, 11]
    said = found.attrs["warnings"].splitlines()
    assert said[-2].startswith(
        "3 contacts set by hand far outside of the heights of the curve and not used: "
        "curve 3 at 500 mm; curve 7 at "
    )
    assert said[-1].startswith("2 contacts moved by hand after the processing")
    for name in ("contact_height", "contact_height_stderr", "storage_modulus"):
        for place in ((0, 3), (0, 7), (1, 9)):
            np.testing.assert_array_equal(found[name].values[place], made[name].values[place])
    assert found["contact_height"].values[0, 11] == pytest.approx(old[0, 11] + 2e-9, abs=1e-15)
    assert found["contact_height_stderr"].values[1, 3] == 3e-9


def test_a_far_contact_of_a_curve_without_windows(results):
    """Where a curve has neither wall nor baseline, the outermost heights of the others count."""
    made = nrm.open_results(results, decisions=False).load()
    for name in ("contact_height", "wall_end", "baseline_begin"):
        made[name].values[0, 5] = np.nan
    inside = float(np.nanmin(made["wall_end"].values)) + 1e-9
    for height, used in ((0.5, False), (inside, True)):
        hand = Decision(decision="contact", curves=5, contact=ContactByHand(height))
        found = with_decisions(made, decisions(results).with_decision(hand))
        assert bool(found["by_hand"][5]) is used
        assert bool(found["contact_height"].values[0, 5] == height) is used
        assert ("not used: curve 5 at 500 mm" in found.attrs["warnings"]) is not used
    # A contact that the processing took, which knows all heights, is not judged again.
    made["contact_height"].values[0, 5] = 0.5
    hand = Decision(decision="contact", curves=5, contact=ContactByHand(0.5))
    found = with_decisions(made, decisions(results).with_decision(hand))
    assert found["by_hand"][5] == 4
    assert "not used" not in found.attrs["warnings"]


def test_decisions_of_results_that_were_renamed_are_named(results, tmp_path):
    decisions(results).with_decision(Decision(decision="exclude", curves=[3])).write()
    renamed = Path(shutil.move(results, tmp_path / "new name.h5"))
    sentence = (
        "decisions about the same curves lie in r.decisions.toml and do not count for new name.h5, "
        "which has another name: to apply them, copy the file to new name.decisions.toml"
    )
    found = nrm.open_results(renamed)
    assert found.attrs["warnings"].splitlines()[-1] == sentence
    assert "by_hand" not in found
    said = CliRunner().invoke(main, ["info", "--json", str(renamed)]).output
    assert sentence in json.dumps(json.loads(said))
    assert sentence in viewed_files([renamed]).messages
    assert sentence not in nrm.open_results(renamed, decisions=False).attrs["warnings"]
    # Others' decisions, empty ones and what cannot be read are none.
    theirs = tmp_path / "r.decisions.toml"
    text = theirs.read_text()
    sha256 = str(np.atleast_1d(found.attrs["source_sha256"])[0])
    (tmp_path / "folder.decisions.toml").mkdir()
    for other in (text.replace(sha256, "0" * 64), text.partition("[[decision]]")[0], "\0"):
        theirs.write_text(other)
        assert "same curves" not in nrm.open_results(renamed).attrs["warnings"]
    theirs.write_text(text.replace(sha256, sha256.upper()))
    assert sentence in nrm.open_results(renamed).attrs["warnings"]
    shutil.copy(theirs, tmp_path / "new name.decisions.toml")
    found = nrm.open_results(renamed)
    assert "same curves" not in found.attrs["warnings"]
    assert np.flatnonzero(found["by_hand"]).tolist() == [3]
