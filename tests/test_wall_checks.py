"""What the hard wall says of what was told: of right data nothing, of mistakes their name."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from laboratory_campaigns import mistaken, right, said, slipping, sticking, users
from nrm_laboratory import Laboratory

import nrm_plugin as nrm
from nrm_plugin import fea, kernels
from nrm_plugin.cli import main
from nrm_plugin.engine.checks.check import Check, as_json, effect, from_json
from nrm_plugin.engine.checks.wall_signal import wall_signal
from nrm_plugin.engine.sampled_curves import evidence

#: Checks of the wall that right data of a tip that sticks pass.
WALL = ("deflection_sensitivity", "lateral_scale", "lockin_phase", "stick")

SEED = 31


def named(laboratory: Laboratory) -> dict[str, Check]:
    return {c.name: c for c in nrm.check(laboratory.make()[0])}


def without(curves: nrm.CurveSet, *keys: str) -> nrm.CurveSet:
    channels = {
        name: (curves.read(name).reshape(curves.n_curves, -1), channel.unit)
        for name, channel in curves.channels.items()
    }
    metadata = {k: v for k, v in curves.metadata.items() if k not in keys}
    return nrm.CurveSet.from_arrays(channels, metadata=metadata)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


# ---------------------------------------------------------------- the record in C


def wall_of(stiffness: float, friction: float | None) -> dict[str, Any]:
    """A rigid wall of 50 nm at 0.25 nm per sample, without noise; force in nN per nm of load."""
    height = np.arange(400, -201, -1) * 0.25e-9
    bent = np.maximum(-height, 0.0)
    size = stiffness * (bent > 0.0) if friction is None else friction * bent * 1e9
    force = 1e-9 * size * np.exp(0.3j)
    return {"height": height, "deflection": bent, "force": force + (2e-9 - 1e-9j)}


def rigid() -> kernels.RecordArray:
    """How contacts on a rigid wall are found."""
    nothing = dict.fromkeys(kernels.CONTACT_SETTINGS.names or (), 0.0)
    known = {"slope": -1.0, "other_slope": -1.0, "slope_stderr": 0.01, "other_slope_stderr": 0.01}
    return kernels.record(kernels.CONTACT_SETTINGS, **nothing | known)


@pytest.mark.parametrize("friction", [None, 0.4])
def test_the_record_holds_quarters_of_the_load(friction: float | None) -> None:
    wall = wall_of(8.0, friction)
    begin = np.array([0, len(wall["height"])])
    contacts, clean = kernels.find_contacts(begin, wall["height"], wall["deflection"], rigid())
    force = wall["force"]
    (found,) = kernels.check_lateral(
        begin, clean, force.real.copy(), force.imag.copy(), contacts, None, wall["height"]
    )
    load = np.array([6.25, 18.75, 31.25, 43.75])
    np.testing.assert_allclose(found["load"] * 1e9, load, atol=0.5)
    assert found["onset"] == pytest.approx(0.0, abs=1e-9)
    assert (found["offset_x"], found["offset_y"]) == (pytest.approx(2e-9), pytest.approx(-1e-9))
    true = np.full(4, 8.0) if friction is None else friction * found["load"] * 1e9
    measured = (found["wall_x"] + 1j * found["wall_y"]) * np.exp(-0.3j) * 1e9
    np.testing.assert_allclose(measured, true, rtol=0.03, atol=1e-9)


def test_a_delayed_signal_belongs_to_an_earlier_load() -> None:
    wall = wall_of(0.0, 0.4)
    n, late = len(wall["height"]), 12
    begin = np.array([0, n])
    own = np.zeros(1, kernels.CURVE)
    own["delay"] = late
    recorded = np.concatenate([np.full(late, wall["force"][0]), wall["force"][:-late]])
    contacts, clean = kernels.find_contacts(begin, wall["height"], wall["deflection"], rigid())
    signals = recorded.real.copy(), recorded.imag.copy()
    (found,) = kernels.check_lateral(begin, clean, *signals, contacts, own, wall["height"])
    known = np.isfinite(found["wall_x"])
    assert known[1:].all()
    size = np.abs(found["wall_x"] + 1j * found["wall_y"])[known]
    np.testing.assert_allclose(size, 0.4 * found["load"][known], rtol=1e-6)


# ---------------------------------------------------------------- what walls say


def test_motion_and_phase_are_those_of_springs_in_series() -> None:
    laboratory = users(SEED, curves=24)
    results = nrm.process(laboratory.make()[0])
    load = 0.3 * 50.0  # nN
    contact = laboratory.contact_stiffness * (0.85 * load / 10.0) ** (1 / 3)
    true = contact / (contact + laboratory.lateral_stiffness)
    assert float(results["wall_lateral_amplitude"].median()) == pytest.approx(true * 1e-9, rel=0.02)
    assert abs(float(results["wall_lateral_phase"].median())) < math.radians(0.5)


def test_the_layer_beside_the_contact_is_taken_out() -> None:
    """A lossy layer as stiff as the contact turns the whole by degrees, not the contact's part."""
    stack = ((40.0, 20 + 10j),)
    laboratory = users(SEED, curves=24, stacks=None, stack=stack, contact_stiffness=30.0)
    signal = wall_signal(evidence(laboratory.make()[0], nrm.Recipe()))
    assert signal is not None
    assert abs(np.angle(signal.force)) > math.radians(1.0)
    assert abs(signal.phase) < math.radians(0.3)
    assert signal.sticks


@pytest.mark.parametrize("seed", range(SEED, SEED + 4))
def test_right_data_of_a_tip_that_sticks_pass(seed: int) -> None:
    found = said(sticking(seed, curves=24), process=False)
    assert [found.verdict(name) for name in WALL] == ["fine"] * len(WALL)


@pytest.mark.parametrize("seed", range(SEED, SEED + 4))
def test_right_data_raise_no_alarm_and_slip_is_never_fine(seed: int) -> None:
    assert not set(WALL) & set(said(right(seed, curves=24), process=False).alarms)
    found = said(slipping(seed, curves=24), process=False)
    verdicts = [found.verdict(name) for name in WALL[1:]]
    assert verdicts == ["unknown"] * 3


#: Rows of a table of mistakes: verdict where the tip sticks, a word of the advice.
ROWS = {
    "lock-in sensitivity 200 mV for 20 mV": ("wrong", "lockin_sensitivity (200 mV)"),
    "lock-in sensitivity 2 mV for 20 mV": ("wrong", "lockin_sensitivity (2 mV)"),
    "dither 10 nm for 1 nm": ("wrong", "dither_amplitude"),
    "rms told for peak": ("wrong", "lockin_convention"),
    "lateral sensitivity of air (1.4)": ("wrong", "lateral_sensitivity"),
    "lateral sensitivity / 10": ("wrong", "lateral_sensitivity"),
    "peak told for rms": ("unknown", "glass"),
    "phase never measured": ("wrong", "lockin_phase was never told, and should be 25 degrees"),
    "phase of the wrong sign": ("wrong", "lockin_phase, or Y, has the wrong sign"),
    "X and Y swapped": ("wrong", "X and Y are swapped"),
    "phase +180 degrees": ("wrong", "half a turn"),
    "phase +5 degrees": ("doubtful", "lockin_phase should be 25.0 degrees"),
    "phase -5 degrees": ("doubtful", "film"),
    "sign of Y": ("wrong", "sign of Y"),
    "deflection sensitivity of air (1.4)": ("wrong", "calibrated in air"),
}
CHECK_OF = {"deflection": "deflection_sensitivity", "phase": "lockin_phase"}


@pytest.mark.parametrize("row", ROWS)
def test_mistakes_are_named(row: str) -> None:
    first = row.split()[0]
    name = "lockin_phase" if first in ("X", "sign") else CHECK_OF.get(first, "lateral_scale")
    verdict, words = ROWS[row]
    found = named(mistaken(row, SEED, curves=16))[name]
    assert found.verdict == verdict
    assert words in found.advice
    if verdict == "wrong" and name == "lateral_scale":
        factor = found.found / found.told * 1.13
        for change in found.effect.values():
            assert change == pytest.approx(100.0 * (1.0 / factor - 1.0), rel=0.1)


@pytest.mark.parametrize("row", ROWS)
def test_no_mistake_is_fine_where_the_tip_slips(row: str) -> None:
    first = row.split()[0]
    if first == "deflection":
        return
    name = "lockin_phase" if first in ("X", "sign", "phase") else "lateral_scale"
    found = named(mistaken(row, SEED, slips=True, curves=16))
    assert found[name].verdict in ("unknown", "wrong", "doubtful")
    assert (found["stick"].found, found["stick"].verdict) == ("slips", "unknown")


@pytest.mark.parametrize(
    ("method", "verdict", "words"),
    [
        ("lock and move on the electrode", "doubtful", "(k_c + lateral_stiffness) / k_c"),
        ("wedge method (Ogletree 1996, Varenberg 2003)", "wrong", "does not explain it"),
        ("locked tip: stick part of friction loops, corrected", "wrong", "does not explain it"),
        (None, "wrong", "lateral_sensitivity_method"),
    ],
)
def test_the_calibration_s_method_explains_a_tip_that_moves_too_far(
    method: str | None, verdict: str, words: str
) -> None:
    told = {"lateral_sensitivity": lambda true: 1.3 * true, "lateral_sensitivity_method": method}
    check = named(users(SEED, curves=16, told=told))["lateral_scale"]
    assert check.found == pytest.approx(1.15e-9, rel=0.02)
    assert check.verdict == verdict
    assert words in check.advice


@pytest.mark.parametrize(
    ("method", "verdict"),
    [
        (None, "unknown"),
        ("lock and move", "unknown"),
        ("lock and move, corrected for the contact", "fine"),
        ("wedge method (Ogletree 1996, Varenberg 2003)", "fine"),
    ],
)
def test_a_sensitivity_that_the_wall_itself_gave_cannot_be_checked_there(
    method: str | None, verdict: str
) -> None:
    """Of a contact of 80 N/m: its own lock and move makes the tip move by all of the dither."""
    contact = {"contact_stiffness": 80.0, "contact_power": 0.0}
    factor = (80.0 + 26.0) / 80.0 * 0.99
    told = {
        "lateral_sensitivity": lambda true: factor * true,
        "lateral_sensitivity_method": method,
    }
    check = named(users(SEED, curves=16, told=told, **contact))["lateral_scale"]
    assert check.found == pytest.approx(0.99e-9, rel=0.02)
    assert check.verdict == verdict


def test_glass_tells_peak_for_rms() -> None:
    glass = {"push": "none", "stacks": None, "stack": (), "curves": 16}
    told = {"electrode": "glass"}
    assert named(users(SEED, told=told, **glass))["lateral_scale"].verdict == "fine"
    wrong = users(SEED, told=told | {"lockin_convention": "peak"}, **glass)
    assert named(wrong)["lateral_scale"].verdict == "wrong"


@pytest.mark.parametrize(
    ("key", "words", "check"),
    [
        ("lockin_time_constant", "lag is not corrected", "lockin_lag"),
        ("lateral_stiffness", "not corrected for", "lateral_stiffness"),
    ],
)
def test_what_is_left_out_is_said_once(key: str, words: str, check: str) -> None:
    """By the check, whose text has how much it can do; also on a terminal."""
    curves = Laboratory(curves=16, recorded="N", told={key: None}, seed=SEED).make()[0]
    results = nrm.process(curves)
    said = [line for line in results.attrs["warnings"].splitlines() if words in line]
    assert len(said) == 1
    verdict = {c.name: c for c in nrm.check(results)}[check]
    assert verdict.verdict == "fine" or said == [verdict.sentence]
    assert verdict.left_out is (verdict.verdict == "unknown")


def test_a_fringe_is_said_once() -> None:
    for period in (200.0, 400.0):
        fringe = {"fringe": 1.0, "fringe_period": period, "fringe_uneven": 0.6}
        curves = Laboratory(curves=32, samples=1000, seed=SEED, **fringe).make()[0]
        lines = nrm.process(curves).attrs["warnings"].splitlines()
        assert sum(line.startswith(("fringe", "an interference fringe")) for line in lines) == 1


@pytest.mark.parametrize(("friction", "adhesion"), [(0.1, 20.0), (0.1, 60.0), (0.5, 5.0)])
def test_slip_that_adhesion_hides_is_not_taken_for_a_phase(
    friction: float, adhesion: float
) -> None:
    found = named(users(SEED, curves=16, mu=friction, friction_adhesion=adhesion))
    for name in ("stick", "lockin_phase", "lateral_scale"):
        assert found[name].verdict == "unknown", name


def test_the_electrode_is_felt_by_what_the_finite_elements_say() -> None:
    """Of a tip of 10 nm in 100 nm of 2 + 0.6i MPa they found 4.2, 2.3 and 1.46 times as much."""
    advice = named(users(SEED, curves=8))["shape_factor"].advice
    said = {int(z): int(change) for change, z in re.findall(r"([+-]\d+) % at (\d+) nm", advice)}
    assert said == pytest.approx({5: 320, 10: 130, 20: 46}, abs=10)


def test_effects_are_those_of_the_phase() -> None:
    right_ones = nrm.process(users(SEED, curves=32).make()[0])
    wrong = nrm.process(mistaken("phase never measured", SEED, curves=32).make()[0])
    depth = slice(2e-9, 5e-9)
    check = {c.name: c for c in nrm.check(wrong)}["lockin_phase"]
    for name, change in check.effect.items():
        before, after = (float(r[name].sel(depth=depth).mean()) for r in (wrong, right_ones))
        assert change == pytest.approx(
            100.0 * (after / before - 1.0), abs=12.0
        )  # of the whole layer


@pytest.mark.parametrize(
    ("key", "value"), [("dither_amplitude", 1e-6), ("lockin_phase", 25.0), ("lockin_phase", -7.0)]
)
def test_what_the_input_alone_refutes_is_refused(key: str, value: float) -> None:
    with pytest.raises(nrm.InvalidInput, match=f"{key} = .* is not believable") as refused:
        users(SEED, curves=2, told={key: value}).make()
    assert ("if degrees are meant" in str(refused.value)) == (key == "lockin_phase")


# ---------------------------------------------------------------- what is missing


def test_nothing_told_is_no_error() -> None:
    curves = users(SEED, curves=16).make()[0]
    found = {c.name: c for c in nrm.check(without(curves, *curves.metadata))}
    assert {c.verdict for c in found.values()} <= {"fine", "unknown"}
    wall = found["deflection_sensitivity"]
    assert wall.verdict == "unknown"
    assert wall.told is None
    assert wall.found == pytest.approx(40e-9, rel=0.01)
    for key in ("dither_amplitude", "lockin_sensitivity", "lateral_sensitivity"):
        assert key in found["lateral_scale"].advice
    assert found["lockin_phase"].found == pytest.approx(math.radians(25.0), abs=0.01)
    assert found["stick"].verdict == "fine"


# ---------------------------------------------------------------- the wall's phase


def test_the_wall_gives_the_phase_on_request() -> None:
    curves = users(SEED, curves=32).make()[0]
    right_ones = nrm.process(curves)
    recipe = {"lateral": {"phase": "wall"}}
    found = nrm.process(without(curves, "lockin_phase"), recipe)
    depth = slice(2e-9, 5e-9)
    for name in ("storage_modulus", "loss_modulus"):
        a, b = (float(r[name].sel(depth=depth).median()) for r in (found, right_ones))
        assert a == pytest.approx(b, rel=0.02)
    assert "the wall's: 25." in found.attrs["lockin_phase_source"]
    assert "loss tangent" in found.attrs["lockin_phase_source"]
    assert {c.name: c for c in nrm.check(found)}["lockin_phase"].verdict == "fine"
    with pytest.raises(nrm.InvalidInput, match="the tip slips"):
        nrm.process(users(SEED, slips=True, curves=16).make()[0], recipe)


# ---------------------------------------------------------------- checks as they are kept


def test_checks_survive_json() -> None:
    check = Check(
        name="lateral_scale",
        told=1e-9,
        found=math.nan,
        unit="m",
        verdict="wrong",
        effect=effect(-90.0),
        advice="look",
    )
    (back,) = from_json(as_json([check]))
    assert (back.name, back.told, back.found, back.verdict) == (
        "lateral_scale",
        1e-9,
        None,
        "wrong",
    )
    assert back.effect["storage_modulus"] == -90.0
    assert math.isnan(back.effect["loss_modulus"])
    assert back.sentence == "lateral_scale (wrong): look (E' -90 %)"
    with pytest.raises(nrm.InvalidInput):
        from_json('[{"name": "x"}]')
    with pytest.raises(ValueError, match="verdict"):
        Check(name="x", verdict="good")  # type: ignore[arg-type]


def test_checks_do_not_depend_on_blocks() -> None:
    curves = users(SEED, curves=20).make()[0]
    kept = [nrm.process(curves, block=n, threads=t).attrs["checks"] for n, t in ((3, 1), (20, 2))]
    assert kept[0] == kept[1]
    assert len(json.loads(kept[0])) == len(nrm.check(curves))


# ---------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checked")
    users(SEED, curves=8).make()[0].save(folder / "good.h5")
    row = "lock-in sensitivity 200 mV for 20 mV"
    mistaken(row, SEED, curves=8).make()[0].save(folder / "bad.h5")
    return folder


def test_the_command_says_the_worst_first(files: Path) -> None:
    good = run("check", files / "good.h5")
    assert good.exit_code == 0
    assert "  fine     lateral_scale  told 1 nm" in good.stdout
    bad = run("check", files / "bad.h5")
    assert bad.exit_code == 1
    assert bad.stdout.splitlines()[1].startswith("  WRONG    lateral_scale  told 1 nm  found 8.")
    (plain,) = json.loads(run("check", "--json", files / "bad.h5").stdout)
    assert (plain["kind"], plain["n_curves"], plain["missing"]) == ("curves", 8, [])
    verdicts = {c["name"]: c["verdict"] for c in plain["checks"]}
    assert verdicts["lateral_scale"] == "wrong"


def test_process_writes_and_says_it_first(files: Path) -> None:
    out = files / "out.h5"
    done = run("process", files / "bad.h5", "-o", out)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1].startswith("  WRONG  lateral_scale: on the wall")
    with nrm.open_results(out) as results:
        assert results.attrs["warnings"].startswith("lateral_scale (wrong)")
    assert run("check", out).exit_code == 1
    assert "WRONG" in run("info", out).stdout


def test_a_half_filled_file_is_checked(files: Path) -> None:
    path = files / "half.toml"
    path.write_text('[lock_in]\nsensitivity = "200 mV"\n')
    curves = nrm.open(files / "good.h5")
    bare = without(curves, "dither_amplitude", "lockin_convention")
    bare.save(files / "bare.h5")
    found = run("experiment", files / "bare.h5", "--experiment", path)
    assert found.exit_code == 0
    assert "missing for moduli: lockin_convention, dither_amplitude" in found.stdout
    assert "unknown  lateral_scale" in found.stdout
    wrong = run("experiment", files / "good.h5", "--experiment", path)
    assert wrong.exit_code == 1
    assert "WRONG    lateral_scale" in wrong.stdout


def test_single_curves_are_looked_at_together(files: Path) -> None:
    curves = nrm.open(files / "good.h5")
    paths = [files / f"one-{i}.h5" for i in range(4)]
    for i, path in enumerate(paths):
        curves[[i]].save(path)
    found = run("check", *paths, files / "none.h5")
    assert found.exit_code == 1
    assert "no such file" in found.stderr.lower()
    assert f"{paths[0]} and 3 more  (curves, 4 curves)" in found.stdout
    assert "fine     lateral_scale" in found.stdout


def test_the_electrode_s_effect_is_said_in_per_cent() -> None:
    """A tip of 10 nm in 100 nm: r_g of 1.72, 0.98 and 0.62 at 5, 10 and 20 nm, over 0.421."""
    curves = sticking(SEED, curves=24).make()[0]
    curves = curves.with_metadata({"tip_radius": 10e-9, "poisson_ratio": 0.49}, "--set")
    found = next(check for check in nrm.check(curves) if check.name == "shape_factor")
    said = dict(re.findall(r"\+(\d+) % at (\d+) nm", found.advice))
    changes = {int(z): float(percent) for percent, z in said.items()}
    own = fea.shape_factor(fea.Tip(10e-9), fea.Layer(100e-9, poisson_ratio=0.49), table=True)
    assert set(changes) == {5, 10, 20}
    for z, percent in changes.items():
        expected = 100.0 * (own.at([z * 1e-9])[0] / own.constant - 1.0)
        assert percent == pytest.approx(expected, abs=2.0)
    assert changes[5] > 200.0
