"""What the package says where something is not as told, and where everything is.

Deep figures: ``python benchmarks/laboratory.py mistakes alarms rates``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from laboratory_campaigns import MISTAKES, film, mistaken, right, said, slipping, sticking, users
from nrm_laboratory import Laboratory

import nrm_plugin as nrm

#: What a wall that slips cannot refute: the motion is below the dither, and the phase may be any
#: between 0 and 90 degrees.
WALL = ("lateral_scale", "lockin_phase")

#: What nothing on these data can tell: the check says that it cannot, and what would.
HIDDEN = {"peak told for rms": "glass"}


@pytest.mark.parametrize("name", list(MISTAKES))
def test_each_mistake_of_the_users_table_is_named_where_the_tip_sticks(name: str) -> None:
    _, key = MISTAKES[name]
    found = said(mistaken(name, 21, curves=32))
    if name in HIDDEN:
        verdict, advice = found.checks[key]
        assert verdict in ("unknown", "doubtful", "wrong")
        assert HIDDEN[name] in advice
    elif key == "refused":
        assert found.refused
    else:
        assert found.refused or key in found.alarms


@pytest.mark.parametrize("name", [n for n, (_, key) in MISTAKES.items() if key in WALL])
def test_no_mistake_is_fine_where_the_tip_slips(name: str) -> None:
    _, key = MISTAKES[name]
    assert said(mistaken(name, 22, curves=32, slips=True)).verdict(key) != "fine"


def test_right_data_sets_raise_no_alarm() -> None:
    found = {seed: said(right(seed, curves=24)) for seed in range(5000, 5030)}
    assert not any(f.refused for f in found.values())
    some = {seed: f.alarms for seed, f in found.items() if f.alarms}
    assert len(some) <= 3, some  # 2 %: four or more of 30 in 0.3 % of trials


def test_the_force_of_a_layer_is_neither_a_film_nor_a_bent_baseline() -> None:
    # Layers that carry a third of the force, and tails that move contacts by 0.03 to 0.15 nm.
    seeds = (7110, 7342, 7365, 7393, 7211, 7315, 7338, 7347, 7397)
    alarms = {seed: said(right(seed, curves=24)).alarms for seed in seeds}
    assert not any(alarms.values()), alarms


@pytest.mark.parametrize(("thickness", "modulus"), [(5.0, 0.3), (10.0, 0.3), (15.0, 1.0)])
def test_films_are_named_with_a_soft_lever(thickness: float, modulus: float) -> None:
    checks = [said(Laboratory(seed=s, **film(thickness, modulus, 0.3))) for s in range(5300, 5304)]
    assert [c.verdict("film") for c in checks].count("doubtful") >= 3


def test_a_tail_in_the_baseline_that_moves_contacts_is_named() -> None:
    sample = {"push": "exponential", "push_range": 30.0, "push_force": 6.0}
    laboratory = Laboratory(seed=31, curves=24, samples=1024, spacing=250 / 1024, **sample)
    for interference in (True, False):  # it is not taken for a fringe
        found = said(laboratory, {"contact": {"interference": interference}})
        assert found.verdict("baseline") == "doubtful"  # contacts are 1.4 nm off
        assert found.verdict("fringe") == "fine"


def test_checks_of_the_wall_are_fine_where_all_is_right_and_the_tip_sticks() -> None:
    found = [said(sticking(seed, curves=24)) for seed in range(5100, 5120)]
    counts: Counter[str] = Counter()
    for f in found:
        counts.update(name for name, (verdict, _) in f.checks.items() if verdict == "fine")
    for name in ("deflection_sensitivity", "lateral_scale", "lockin_phase", "stick"):
        assert counts[name] >= 11, (name, counts)  # 80 %: less than 11 of 20 in 0.3 % of trials


def test_a_lag_that_is_told_rightly_is_confirmed_and_a_wrong_one_never() -> None:
    kept: Counter[str] = Counter()
    refuted: Counter[str] = Counter()
    for seed in range(5400, 5416):
        base = sticking(seed, curves=24)
        kept[said(base, process=False).verdict("lockin_lag")] += 1
        # Depth in nm that the lock-in lags behind, and what is told of it.
        depth, told = ((3.0, 0.3), (0.75, 3.0), (3.0, None))[seed % 3]
        tau = depth / (base.spacing * base.rate * base.poles)
        given = {"lockin_time_constant": None if told is None else tau * told / depth}
        off = replace(base, time_constant=tau, told=given)
        refuted[said(off, process=False).verdict("lockin_lag")] += 1
    assert kept["fine"] >= 11, kept  # 90 %: less than 11 of 16 in 0.3 % of trials
    assert refuted["doubtful"] + refuted["wrong"] >= 11, refuted
    assert not refuted["fine"], refuted


def test_a_lag_told_too_large_is_not_confirmed_by_adhesion_that_a_layer_hides() -> None:
    # The retract's step at the wall lies 2 nm farther out by adhesion.
    base = sticking(9724, curves=24)
    tau = 0.75 / (base.spacing * base.rate)
    off = replace(base, time_constant=tau, poles=1, told={"lockin_poles": 4})
    assert said(off, process=False).verdict("lockin_lag") == "doubtful"


def test_slipping_tips_are_never_said_to_be_checked() -> None:
    verdicts: Counter[tuple[str, str]] = Counter()
    for seed in range(5200, 5215):
        found = said(slipping(seed, curves=24))
        verdicts.update((name, found.verdict(name)) for name in WALL)
    assert not any(verdict == "fine" for _, verdict in verdicts), verdicts


def test_what_the_input_alone_refutes_is_refused() -> None:
    for told in ({"lockin_phase": 25.0}, {"dither_amplitude": 1e-6}, {"dither_amplitude": 2e-7}):
        with pytest.raises(nrm.InvalidInput, match=next(iter(told))):
            nrm.process(users(1, curves=4, told=told).make()[0])


def test_air_for_liquid_is_explained() -> None:
    for key in ("deflection_sensitivity", "lateral_sensitivity"):
        name = f"{key.replace('_', ' ')} of air (1.4)"
        found = said(mistaken(name, 23, curves=32))
        _, check = MISTAKES[name]
        text = found.refused or found.checks[check][1]
        assert "air" in text
        assert "liquid" in text


def test_sensitivity_from_a_soft_contact_is_not_called_impossible() -> None:
    laboratory = users(24, curves=32, contact_stiffness=80.0, contact_power=0.0)
    soft = (80.0 + 26.0) / 80.0
    told = {
        "lateral_sensitivity": lambda true: true * soft,
        "lateral_sensitivity_method": "lock and move",
    }
    found = said(users(24, curves=32, contact_stiffness=80.0, contact_power=0.0, told=told))
    assert laboratory.lateral_stiffness == 26.0
    assert found.verdict("lateral_scale") in ("fine", "unknown", "doubtful")


@pytest.mark.parametrize(("told", "verdict"), [("rms", "fine"), ("peak", "wrong")])
def test_glass_tells_peak_from_rms(told: str, verdict: str) -> None:
    bare = {"push": "none", "stacks": None, "stack": (), "electrode": 60.0}
    given = {"electrode": "glass", "lockin_convention": told}
    found = said(users(26, curves=32, told=given, **bare), process=False)
    assert found.verdict("lateral_scale") == verdict


def test_told_and_found_agree_with_the_truth() -> None:
    """Numbers of checks are those that were put in."""
    laboratory = users(25, curves=48, told={"lockin_phase": np.radians(25.0) - 0.3})
    curves, _ = laboratory.make()
    checks = {check.name: check for check in nrm.check(curves)}
    phase = checks["lockin_phase"]
    assert phase.told is not None
    assert phase.found is not None
    off = float(phase.found) - float(phase.told)  # type: ignore[arg-type]
    scale = np.pi / 180 if phase.unit.startswith("deg") else 1.0
    assert off * scale == pytest.approx(0.3, abs=0.05)
