"""Checks that need both directions or the signals themselves, on curves whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_results import without_lateral

import nrm_plugin as nrm
from nrm_plugin.changes import change
from nrm_plugin.engine.checks import CHECKS, Check, from_json
from nrm_plugin.engine.checks.films import contact_stiffness, film_stiffness, modulus_of
from nrm_plugin.engine.checks.lockin_lag import apart, noise_delay
from nrm_plugin.engine.sampled_curves import evidence
from nrm_plugin.report.page import render
from nrm_plugin.simulate import (
    Aging,
    Detector,
    Electrode,
    Film,
    Instrument,
    Interphase,
    Layer,
    LockIn,
    Ramp,
    Relaxation,
    Sample,
    Scanner,
    Truth,
    simulate,
)

NM, NN, MPA, GPA = 1e-9, 1e-9, 1e6, 1e9
LAYERS = (Layer(8 * NM, (10 + 3j) * MPA), Layer(12 * NM, (2 + 1j) * MPA))
SPEED = 300 * NM


def made(seed: int = 1, n: int = 48, **parts: Any) -> tuple[nrm.CurveSet, Truth]:
    """Curves of a laboratory in which one thing is otherwise."""
    detector: dict[str, Any] = {"deflection_noise": 0.2 * NM, "lateral_noise": 10e-12}
    ramp: dict[str, Any] = {"length": 300 * NM, "samples": 1024, "speed": SPEED}
    layers = parts.get("layers", LAYERS)
    interphase = Interphase(layers, 3 * NN if layers else 0.0, **parts.get("interphase", {}))
    instrument = Instrument(
        0.3,
        26.0,
        lock_in=LockIn(**{"time_constant": 0.5e-3, "poles": 2} | parts.get("lock_in", {})),
        detector=Detector(**detector | parts.get("detector", {})),
        scanner=Scanner(**parts.get("scanner", {})),
        **parts.get("instrument", {}),
    )
    sample = Sample(interphase, Electrode(**parts.get("electrode", {})))
    return simulate(sample, instrument, Ramp(**ramp | parts.get("ramp", {})), n_curves=n, seed=seed)


def told(curves: nrm.CurveSet, **values: Any) -> nrm.CurveSet:
    """The same with other metadata; None takes one away."""
    metadata = {k: v for k, v in {**curves.metadata, **values}.items() if v is not None}
    return replace(curves, metadata=metadata)


def found(curves: nrm.CurveSet, name: str, **recipe: Any) -> Check:
    return CHECKS[name](evidence(curves, nrm.Recipe().replace(**recipe)))


# ---------------------------------------------------------------- approach against retract


@pytest.mark.parametrize("size", [0.5, 5.0])
@pytest.mark.parametrize("on_wall", [0.0, 0.5, 1.0])
def test_drag_is_taken_out_of_the_contacts(size: float, on_wall: float) -> None:
    drag = {"drag": size * NM * 0.3 / SPEED, "drag_on_wall": on_wall}
    curves, truth = made(2, detector=drag)
    for direction in ("approach", "retract"):
        results = nrm.process(curves, nrm.Recipe().replace(direction=direction))
        off = (results["contact_height"].values - truth.contact_height) / NM
        assert np.sqrt(np.mean(off**2)) < 0.3
    check = found(curves, "drag")
    assert check.found == pytest.approx(2 * size * NM, rel=0.05)
    assert check.verdict == "fine"


def test_drag_is_said_where_it_is_left() -> None:
    curves, truth = made(3, detector={"drag": 2 * NM * 0.3 / SPEED, "drag_on_wall": 0.0})
    recipe = nrm.Recipe().replace(drag="ignored")
    results = nrm.process(curves, recipe)
    off = (results["contact_height"].values - truth.contact_height) / NM
    assert np.median(off) == pytest.approx(-2.0, abs=0.2)
    corrected = nrm.process(curves)
    for name in ("storage_modulus", "depth_valid_min", "force_normal"):
        np.testing.assert_array_equal(results[name].values, corrected[name].values)
    # The correction is known to some per cent of the 4 nm between the baselines; what is left is
    # the systematic error of all.
    known, left = (r["contact_height_systematic"].values / NM for r in (corrected, results))
    assert 0.02 < known.mean() < 0.4
    np.testing.assert_allclose(left, np.hypot(known, np.median(off)), atol=0.15)
    check = found(curves, "drag", drag="ignored")
    assert check.verdict == "doubtful"
    assert "2 nm" in check.advice


def test_thermal_drift_is_no_drag() -> None:
    curves, _ = made(4, detector={"deflection_drift": 5 * NM})
    check = found(curves, "drag")
    assert abs(check.found) < 0.05 * NM
    assert check.verdict == "fine"
    assert found(curves, "friction").verdict == "fine"


def test_one_direction_shows_neither_drag_nor_friction() -> None:
    curves, _ = made(5, n=20, ramp={"retract": False})
    for name in ("drag", "friction"):
        check = found(curves, name)
        assert check.verdict == "unknown"
        assert "Record both directions" in check.advice


@pytest.mark.parametrize("part", [-0.04, 0.04])
def test_friction_of_the_lever(part: float) -> None:
    curves, _ = made(6, instrument={"lever_friction": part})
    check = found(curves, "friction")
    assert check.verdict == "doubtful"
    assert check.found == pytest.approx(100 * part, abs=0.3)
    assert "friction of a tilted lever" in check.advice
    assert found(curves, "drag").verdict == "fine"


def test_an_open_loop_scanner_is_told_from_friction() -> None:
    curves, _ = made(7, scanner={"hysteresis": 0.02})
    check = found(curves, "friction")
    assert check.verdict == "doubtful"
    assert "open-loop scanner" in check.advice


# ---------------------------------------------------------------- lag of the lock-in


@pytest.mark.parametrize(("poles", "delay"), [(1, 16.0), (2, 12.0), (4, 20.0)])
def test_noise_shows_the_filters_that_it_has_passed(poles: int, delay: float) -> None:
    """Samples are means of what an RC filter of the exact step response gives."""
    rng = np.random.default_rng(poles)
    fine, keep = 8, np.exp(-1.0 / (8 * delay / poles))
    table = rng.standard_normal((48, 600 * fine + 4000))
    for _ in range(poles):
        for i in range(1, table.shape[1]):
            table[:, i] = keep * table[:, i - 1] + (1.0 - keep) * table[:, i]
    seen = noise_delay(table[:, 4000::fine], 1e-3, (poles,))
    assert seen.delay == pytest.approx(delay * 1e-3, rel=0.2)
    assert seen.low < delay * 1e-3 < seen.high * 1.15


def test_white_noise_shows_no_filter() -> None:
    table = np.random.default_rng(0).standard_normal((48, 600))
    assert np.isnan(noise_delay(table, 1e-3, (1, 2, 4)).delay)


def test_profiles_that_lie_apart() -> None:
    z = np.arange(0.5, 60.0) * NM
    shift, error = apart(z, np.clip(20e-9 - z, 0, None), np.clip(22.5e-9 - z, 0, None) * 0.8)
    assert shift == pytest.approx(2.5 * NM, abs=0.3 * NM)
    assert error < 1 * NM
    assert np.isnan(apart(z, 0 * z, 0 * z)[0])


def test_the_lag_that_was_told_is_held_against_the_noise() -> None:
    curves, _ = made(8, lock_in={"time_constant": 5e-3})
    right = found(curves, "lockin_lag")
    assert right.verdict == "fine"
    assert right.found == pytest.approx(10e-3, rel=0.2)
    missing = found(told(curves, lockin_time_constant=None), "lockin_lag")
    assert missing.verdict == "doubtful"
    assert "3" in missing.advice
    assert missing.effect["storage_modulus"] > 5.0
    wrong = found(told(curves, lockin_time_constant=25e-3), "lockin_lag")
    assert wrong.verdict in ("doubtful", "wrong")
    assert "too far" in wrong.advice


@pytest.mark.parametrize("seed", range(6))
def test_no_lag_is_invented_from_layers_that_relax(seed: int) -> None:
    rng = np.random.default_rng(seed)
    relaxation = Relaxation(delay=10 ** rng.uniform(-3, -1.5), force_lost=rng.uniform(0, 0.5))
    curves, _ = made(20 + seed, n=32, interphase={"relaxation": relaxation})
    assert found(curves, "lockin_lag").verdict in ("fine", "unknown")


def test_without_any_speed_the_lag_is_not_known() -> None:
    curves, _ = made(9, n=16)
    channels = {k: v for k, v in curves.channels.items() if k != "time"}
    blind = told(replace(curves, channels=channels), approach_speed=None)
    check = found(blind, "lockin_lag")
    assert check.verdict == "unknown"
    assert "approach_speed" in check.advice


# ---------------------------------------------------------------- films


def test_thick_films_are_hertz_contacts() -> None:
    thick = film_stiffness(1 * GPA, 10 * NN, 15 * NM, 1e-3)
    assert thick == pytest.approx(contact_stiffness(1 * GPA, 10 * NN, 15 * NM), rel=1e-3)
    assert film_stiffness(1 * GPA, 10 * NN, 15 * NM, 5 * NM) > 1.5 * thick
    assert modulus_of(contact_stiffness(2 * GPA, 5 * NN, 10 * NM), 5 * NN, 10 * NM) == (
        pytest.approx(2 * GPA)
    )


def test_a_film_under_the_tip() -> None:
    film = Film(modulus=(0.5 + 0.05j) * GPA, thickness=15 * NM)
    curves, _ = made(10, n=96, electrode={"film": film})
    check = found(curves, "film")
    assert check.verdict == "doubtful"
    assert 0.2 * GPA < check.found < 1.0 * GPA
    assert "F_max = " in check.advice


def test_a_film_is_as_stiff_as_one_of_its_own_poisson_s_ratio() -> None:
    """Pressed in little, a film is a half-space; more, it is stiffer as its ground comes near."""
    thin = [film_stiffness(1 * GPA, force * NN, 15 * NM, 5 * NM) for force in (0.01, 15.0, 60.0)]
    space = [contact_stiffness(1 * GPA, force * NN, 15 * NM) for force in (0.01, 15.0, 60.0)]
    assert thin[0] == pytest.approx(space[0], rel=0.3)
    assert thin[1] / space[1] == pytest.approx(2.1, abs=0.1)
    assert thin[2] > 2.4 * space[2]


def test_a_hard_electrode_and_one_on_which_the_tip_slips() -> None:
    hard, _ = made(11)
    check = found(hard, "film")
    assert check.verdict == "fine"
    assert check.found > 5 * GPA
    slips, _ = made(12, electrode={"friction": 0.3})
    check = found(slips, "film")
    assert check.verdict == "unknown"
    assert "slips" in check.advice
    assert "counts as electrode" in check.advice


# ---------------------------------------------------------------- far away and over time


def test_sampling_says_the_resolution() -> None:
    dense, _ = made(13, n=16)
    assert found(dense, "sampling").verdict == "fine"
    sparse, _ = made(13, n=16, ramp={"samples": 128})
    check = found(sparse, "sampling")
    assert check.verdict == "doubtful"
    assert check.found == pytest.approx(2.6 * 300 * NM / 128, rel=0.02)
    assert "6.1 nm wide" in check.advice


def test_a_layer_that_reaches_into_the_baseline() -> None:
    curves, _ = made(14, layers=(Layer(290 * NM, (2 + 1j) * MPA),))
    check = found(curves, "lateral_baseline")
    assert check.verdict == "doubtful"
    assert "Begin ramps farther away" in check.advice
    drifting, _ = made(15, detector={"lateral_drift": 2e-9})
    check = found(drifting, "lateral_baseline")
    assert check.verdict == "fine"
    assert check.found == pytest.approx(-2e-9 / (300 * NM), rel=0.05)


@pytest.mark.parametrize(
    ("aging", "word"),
    [
        ({"deflection": -0.03}, "wall slope changes"),
        ({"deflection": -0.03, "step": 0.5}, "wall slope jumps"),
        ({"lateral": -0.3}, "tip motion on the wall changes"),
        ({"noise": 2.0}, "noise changes"),
    ],
)
def test_what_changes_over_the_acquisition(aging: dict[str, float], word: str) -> None:
    curves, _ = made(16, n=80, instrument={"aging": Aging(**aging)})
    check = found(curves, "stability")
    assert check.verdict == "doubtful"
    assert word in check.advice


def test_neighbours_that_are_alike_are_no_trend() -> None:
    rng = np.random.default_rng(3)
    raised = 0
    for _ in range(200):
        walk = np.zeros(256)
        for i in range(1, 256):
            walk[i] = 0.9 * walk[i - 1] + rng.standard_normal()
        seen = change(100.0 + walk)
        assert seen is not None
        raised += abs(seen.relative) > 6.0 * seen.stderr
    assert raised <= 2


@pytest.mark.parametrize("seed", range(8))
def test_right_data_raise_no_doubt(seed: int) -> None:
    rng = np.random.default_rng(700 + seed)
    curves, _ = made(
        40 + seed,
        n=int(rng.choice([16, 48])),
        layers=(Layer(rng.uniform(5, 90) * NM, 10 ** rng.uniform(5.7, 7) * (1 + 0.3j)),),
        electrode={
            "lateral_stiffness": 10 ** rng.uniform(0.5, 2.3),
            "friction": rng.choice([np.inf, 0.3]),
            "adhesion": rng.choice([0.0, 2 * NN]),
        },
        detector={"lateral_noise": 10 ** rng.uniform(-11.5, -10), "tilt": 2e-3},
        lock_in={"time_constant": rng.choice([0.3e-3, 1e-3, 3e-3]), "poles": 4},
    )
    of = evidence(curves, nrm.Recipe())
    names = ("lockin_lag", "drag", "friction", "film", "sampling", "baseline", "fringe")
    checks = [CHECKS[name](of) for name in (*names, "lateral_baseline", "stability")]
    assert [c.name for c in checks if c.verdict in ("doubtful", "wrong")] == []
    assert sum(c.verdict == "fine" for c in checks) >= 7


# ---------------------------------------------------------------- what people see


def test_the_report_says_what_the_data_refute_above_all() -> None:
    curves, _ = made(17, n=24)
    results = nrm.process(told(curves, dither_amplitude=0.2 * NM))
    assert results.attrs["electrode"].startswith("distances count from where the tip stopped")
    page = render(results)
    checks = from_json(results.attrs["checks"])
    assert page.index("The data refute what was told") < page.index('id="short"')
    assert page.index('id="checks"') < page.index('id="measured"')
    for check in checks:
        assert check.title in page
    assert "\N{HEAVY MULTIPLICATION X} wrong" in page
    assert "\N{CHECK MARK} fine" in page
    assert "refuted by the data: lateral scale" in page


def test_results_without_checks_say_so() -> None:
    curves, _ = made(18, n=8)
    results = without_lateral(nrm.process(curves))
    del results.attrs["checks"]
    assert "a version that had no self-checks" in render(results)


def test_values_with_errors_share_a_unit() -> None:
    check = Check(name="drag", found=1.98e-9, stderr=4.8e-12, unit="m", verdict="fine")
    assert check.found_in_words == "1.980 ± 0.005 nm"
    check = Check(name="friction", told=None, found=-1.7, stderr=0.03, unit="%", verdict="fine")
    assert check.found_in_words.endswith("1.70 ± 0.030 %")
    assert check.told_in_words == ""


@pytest.mark.parametrize(
    ("found", "stderr", "words"),
    [
        (431e-15, 2700e-15, "0.000 ± 0.003 nm"),
        (-1e-13, 2700e-15, "0.000 ± 0.003 nm"),
        (888e-12, 0.017e-12, "0.888 nm"),
        (227e-9, 1.2e-9, "227.0 ± 1.2 nm"),
        (369.4e-9, math.nan, "369 nm"),
    ],
)
def test_lengths_are_in_nanometres_and_no_finer_than_pm(
    found: float, stderr: float, words: str
) -> None:
    check = Check(name="drag", told=1e-9, found=found, stderr=stderr, unit="m")
    assert check.told_in_words.startswith("1")
    assert check.found_in_words == words
