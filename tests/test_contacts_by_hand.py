"""Contacts that a person sets: what follows from a contact follows from them, and they stay."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from nrm_laboratory import Laboratory

import nrm_plugin as nrm
from nrm_plugin.cli import main
from nrm_plugin.decisions import ContactByHand, Decision, Decisions
from nrm_plugin.engine.workbench import Workbench
from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import with_unit

#: Curves with a contact by hand, and how far it lies from the true one (m).
MOVED = {3: 2e-9, 17: -3e-9, 18: 0.0}


def made(seed: int = 1, **how: Any) -> nrm.CurveSet:
    return Laboratory(curves=24, samples=700, seed=seed, **how).make()[0]


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> nrm.CurveSet:
    path = tmp_path_factory.mktemp("curves") / "curves.h5"
    made().save(path)
    return nrm.open(path)


@pytest.fixture(scope="module")
def found(curves: nrm.CurveSet) -> Any:
    return nrm.process(curves, {"direction": "both"})


def decided(out: Path, found: Any, stderr: float = 0.5e-9) -> Decisions:
    """Decisions beside `out`: contacts moved by `MOVED`, and a curve left out."""
    decisions = Decisions.for_results(found, out)
    for curve, by in MOVED.items():
        old = found.sel(direction="approach").isel(curve=curve)
        height, error = float(old["contact_height"]), float(old["contact_height_stderr"])
        hand = ContactByHand(height + by, stderr, height, error)
        decisions = decisions.with_decision(
            Decision(decision="contact", curves=[curve], contact=hand, reason="tip jumped")
        )
    return decisions.with_decision(Decision(decision="exclude", curves=[5], reason="dust"))


def test_what_follows_from_a_contact_follows(
    curves: nrm.CurveSet, found: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out.h5"
    decided(out, found).write()
    with nrm.process(curves, {"direction": "both"}, out) as results:
        assert results["by_hand"].values.tolist() == [
            4 if i in MOVED else 1 if i == 5 else 0 for i in range(24)
        ]
        others = [i for i in range(24) if i not in MOVED]
        for name in set(found.data_vars):
            if "curve" in found[name].dims:
                here, there = (data[name].isel(curve=others).values for data in (results, found))
                np.testing.assert_array_equal(here, there, err_msg=str(name))
        retract = results.sel(direction="retract")["storage_modulus"]
        np.testing.assert_array_equal(retract, found.sel(direction="retract")["storage_modulus"])
        step = float(results["depth"][1])
        for curve, by in MOVED.items():
            old, new = (
                data.sel(direction="approach").isel(curve=curve) for data in (found, results)
            )
            assert float(new["contact_height"] - old["contact_height"]) == pytest.approx(
                by, abs=1e-15
            )
            assert float(new["contact_height_stderr"]) == 0.5e-9
            assert int(new["quality"]) == int(old["quality"])
            for name in ("wall_begin", "wall_slope", "baseline_end", "baseline_slope"):
                assert float(new[name]) == float(old[name])
            shift = round(by / step)
            for name, close in (("force_normal", 2e-11), ("storage_modulus", 3e5)):
                a, b = old[name].values[20:70], new[name].values[20 - shift : 70 - shift]
                np.testing.assert_allclose(a, b, atol=close, rtol=0.05, err_msg=name)
            assert float(new["normal_onset"]) == pytest.approx(
                float(old["normal_onset"]) - by, abs=0.5e-9
            )


@pytest.mark.parametrize("changes", [{}, {"correct_slope": True, "direction": "retract"}])
def test_the_contact_that_was_found_changes_nothing(changes: dict[str, Any]) -> None:
    laboratory = made(lateral_drift=0.05 + 0.02j)
    x, y = np.arange(24) % 6 * 20e-9, np.arange(24) // 6 * 20e-9
    curves = replace(laboratory, table_from=lambda: {"x": x, "y": y})
    bench = Workbench(curves, nrm.Recipe().replace(**changes))
    for number in range(0, 24, 5):
        found = bench.curve(number)
        height = found.contact_found
        again = bench.curve(number, contact=ContactByHand(height, found.contact_height_stderr))
        for name, value in again.values.items():
            wanted = found.values[name]
            scale = float(np.nanmax(np.abs(wanted))) if np.isfinite(wanted).any() else 1.0
            np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-5 * scale, err_msg=name)


def test_the_error_is_the_persons_or_that_of_both(curves: nrm.CurveSet, found: Any) -> None:
    bench = Workbench(curves)
    for number in range(4):
        one = bench.curve(number)
        hand = bench.curve(number, contact=ContactByHand(one.contact_height + 1e-9))
        step = abs(one.height[-1] - one.height[0]) / (len(one.height) - 1)
        wanted = np.hypot(one.contact_height_stderr, step)
        assert hand.contact_height_stderr == pytest.approx(wanted)
        said = bench.curve(number, contact=ContactByHand(one.contact_height, 2e-9))
        assert said.contact_height_stderr == 2e-9


@pytest.mark.parametrize("by", [0.0, 2e-9, -3e-9])
def test_layers_end_where_a_contact_by_hand_says(by: float) -> None:
    """A layer of 12 nm and 4 MPa under drag, contacts set by hand at the true ones and beside."""
    layer = Laboratory(curves=24, samples=700, stack=((12.0, 4 + 1j),), lateral_noise=1.0, drag=2.0)
    curves, truth = layer.make()
    bench = Workbench(curves)
    ones = [bench.curve(i, contact=float(at) + by) for i, at in enumerate(truth.contact)]
    depth = ones[0].depth
    outside = (depth > 4e-9) & (depth < 20e-9)
    moduli = np.nanmean([one.values["storage_modulus"][outside] for one in ones], axis=0)
    inside = np.median(moduli[:8])
    assert inside == pytest.approx(4e6, rel=0.02)
    edge = depth[outside][moduli > inside / 2.0].max()
    assert edge == pytest.approx(12e-9 - by, abs=0.6e-9)


def test_one_curve_by_hand_is_the_row_of_the_whole(
    curves: nrm.CurveSet, found: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out.h5"
    decisions = decided(out, found)
    for changes in ({}, {"contact": {"method": "two-line"}}, {"drag": "ignored"}):
        recipe = nrm.Recipe().replace(direction="both", **changes)
        whole = nrm.process(curves, recipe, decisions=decisions).sel(direction="approach")
        bench = Workbench(curves, recipe)
        for (number, direction), hand in decisions.contacts.items():
            one = bench.curve(number, contact=hand, direction=direction)
            for name, value in one.values.items():
                if name not in ("surface_slope",):
                    np.testing.assert_array_equal(value, whole[name].values[number], err_msg=name)


def test_a_second_run_keeps_them_and_says_what_changed(
    curves: nrm.CurveSet, found: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out.h5"
    decided(out, found).write()
    nrm.process(curves, out=out).close()
    text = out.with_name("out.decisions.toml").read_bytes()
    with nrm.process(curves, {"contact": {"method": "two-line", "wall": 0.05}}, out) as again:
        for curve, by in MOVED.items():
            old = float(found.sel(direction="approach")["contact_height"][curve])
            assert float(again["contact_height"][curve]) == pytest.approx(old + by, abs=1e-15)
        warnings = again.attrs["warnings"]
    assert "contacts set by hand instead of another one than the method finds now" in warnings
    assert out.with_name("out.decisions.toml").read_bytes() == text
    with nrm.process(curves, {"direction": "retract"}, out) as retract:
        assert (
            "3 contacts set by hand in a direction of the ramp that is not processed"
            in (retract.attrs["warnings"])
        )
        assert "by_hand" in retract
    with nrm.process(curves, out=out, decisions=False) as without:
        assert "contacts_by_hand" not in without.attrs


def test_decisions_of_other_curves_are_refused(
    curves: nrm.CurveSet, found: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out.h5"
    decided(out, found).write()
    other = tmp_path / "curves.h5"
    made(seed=2).save(other)
    with pytest.raises(nrm.InvalidInput, match=r"out\.decisions\.toml is about other curves"):
        nrm.process(other, out=out)
    assert not out.exists()


def test_a_curve_without_a_contact_gets_one(tmp_path: Path) -> None:
    """Where nothing presses, the baseline is all that there is; a person may know the contact."""
    curves = made(stops_at=30.0)
    bench = Workbench(curves)
    lost = [i for i in range(len(curves)) if not np.isfinite(bench.curve(i).contact_found)]
    for number in lost[:3]:
        low = float(bench.curve(number).height[-1])
        one = bench.curve(number, contact=ContactByHand(low - 5e-9, 1e-9))
        assert one.contact_height == pytest.approx(low - 5e-9)
        assert np.nanmin(one.distance) > 0.0
        assert np.isfinite(one.values["force_normal"]).any()
        assert "no_hard_contact" in one.flags
    assert lost


def test_the_command_takes_them_by_itself(curves: nrm.CurveSet, found: Any, tmp_path: Path) -> None:
    source = tmp_path / "curves.h5"
    shutil.copy(curves.origins[0].path, source)
    out = tmp_path / "out.h5"
    decided(out, found).write()
    run = CliRunner().invoke(main, ["process", str(source), "-o", str(out)])
    assert run.exit_code == 0, run.output
    assert "out.decisions.toml: 1 curve excluded, 3 contacts set by hand" in run.output
    with nrm.open_results(out, decisions=False) as results:
        assert json.loads(results.attrs["contacts_by_hand"])[0][:2] == [3, "approach"]
    folder = tmp_path / "all"
    call = ["process", str(source), "-o", f"{folder}/"]
    assert CliRunner().invoke(main, call).exit_code == 0
    each = next(folder.glob("*.h5"))
    decided(each, found).write()
    again = CliRunner().invoke(main, [*call, "--overwrite"])
    assert again.exit_code == 0, again.output
    with nrm.open_results(each) as results:
        assert int((results["by_hand"] & 4).sum()) == 3 * 4
        assert "shifted" not in results.attrs["warnings"]
    third = CliRunner().invoke(main, call)
    assert third.exit_code == 0, third.output
    assert "skipped" in third.output


@pytest.mark.parametrize("height", [0.5, -0.3e-6, 0.6e-6])
def test_a_contact_far_outside_of_its_curve_is_said_and_not_used(
    curves: nrm.CurveSet, found: Any, tmp_path: Path, height: float
) -> None:
    """Curves run over less than 300 nm: a slip of the unit or of a digit changes no number."""
    out = tmp_path / "out.h5"
    decisions = Decisions.for_results(found, out)
    near = float(found["contact_height"].sel(direction="approach")[4]) + 1e-9
    for curve, at in ((3, height), (4, near)):
        decisions = decisions.with_decision(
            Decision(decision="contact", curves=[curve], contact=ContactByHand(at, 1e-9))
        )
    decisions.write()
    sentence = (
        "1 contact set by hand far outside of the heights of the curve and not used: curve 3 at "
        f"{with_unit(height, 'm')}"
    )
    in_memory = nrm.process(curves, {"direction": "both"}, decisions=decisions)
    for results in (nrm.process(curves, {"direction": "both"}, out), in_memory):
        assert results.attrs["warnings"].splitlines().count(sentence) == 1
        assert "cannot be used" not in results.attrs["warnings"]
        assert "moved by hand" not in results.attrs["warnings"]
        assert np.flatnonzero(results["by_hand"]).tolist() == [4]
        for name in ("contact_height", "storage_modulus", "quality"):
            here, there = (r[name].sel(direction="approach")[3] for r in (results, found))
            np.testing.assert_allclose(here, there, rtol=1e-6, err_msg=name)
        assert float(results["contact_height"].sel(direction="approach")[4]) == near
    with pytest.raises(InvalidInput, match="1 contact set by hand far outside"):
        Workbench(curves).curve(3, contact=height)


def test_far_is_more_than_a_quarter_of_the_range_outside() -> None:
    heights = [np.nan, 300e-9, -100e-9, 50e-9]
    for at, far in ((-199e-9, False), (399e-9, False), (-201e-9, True), (401e-9, True)):
        assert ContactByHand(at).misses(heights) is far
    assert ContactByHand(np.nan).misses(heights)
    for unknown in ([], [1e-9], [np.nan, 1e-9]):
        assert not ContactByHand(0.5).misses(unknown)
