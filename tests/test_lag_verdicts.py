"""Verdicts on the lock-in's delay from numbers: noise, steps at the wall, and layers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_evidence import DEPTH, NM, NN, evidence, plan, profiles, signals

from nrm_plugin.engine.checks import CHECKS, Check, ProcessedCurves
from nrm_plugin.engine.checks.lockin_lag import (
    Bound,
    NoiseDelay,
    apart,
    before,
    crossing,
    judge,
    layer_bound,
    noise_delay,
    shifted,
    spectrum,
    step,
    tighter,
    wall_bound,
    wall_level,
)
from nrm_plugin.engine.checks.sampled_signals import SampledSignals

MS = 1e-3

#: Middles of the bins of the way into the wall.
WAY = np.arange(-29.75e-9, 45e-9, 0.5e-9)

NOTHING = Bound()


def noise(delay: float, low: float = math.nan, high: float = math.nan) -> NoiseDelay:
    """What noise shows, ms; within 10 % if nothing else is said."""
    low = 0.9 * delay if math.isnan(low) else low
    high = 1.1 * delay if math.isnan(high) else high
    return NoiseDelay(delay=delay * MS, low=low * MS, high=high * MS, poles=2)


UNSEEN = NoiseDelay(delay=math.nan, low=math.nan, high=math.nan, poles=0)


def bound(most: float, error: float, *, both: bool = False) -> Bound:
    return Bound(delay=most * MS, error=error * MS, by="the step", both=both)


def judged(told: float, seen: NoiseDelay, allow: Bound, **given: Any) -> Check:
    """Verdict on a delay in ms at 1 nm per ms, so that numbers are nanometres as well."""
    return judge(evidence(**given), told * MS, 1e-6, seen, allow)


@pytest.mark.parametrize(
    ("told", "delay", "allow", "verdict", "words"),
    [
        (6.31, 10.0, NOTHING, "fine", "9 ms to 11 ms, 2 poles"),
        (6.29, 10.0, NOTHING, "doubtful", "3.7 nm too near"),
        (14.29, 10.0, NOTHING, "fine", "of 10 ms delay"),
        (14.31, 10.0, NOTHING, "doubtful", "4.3 nm too far"),
        (14.31, 10.0, bound(9.0, 1.0), "wrong", "4.3 nm too far"),
        (14.31, 10.0, bound(9.0, 1.8), "doubtful", "4.3 nm too far"),
        (1.49, 1.0, NOTHING, "fine", "of 1 ms delay"),
        (1.51, 1.0, NOTHING, "doubtful", "0.51 nm too far"),
        (2.99, 1.0, bound(0.5, 0.1), "doubtful", "2 nm too far"),
        (3.01, 1.0, bound(0.5, 0.1), "wrong", "2 nm too far"),
        (3.0, 10.0, bound(5.0, 1.6), "unknown", "the noise is slow by itself"),
        (3.0, 10.0, bound(5.0, 1.7), "doubtful", "7 nm too near"),
        (math.nan, 10.0, NOTHING, "doubtful", "are not known, so that the lag is not corrected"),
        (math.nan, 0.49, NOTHING, "fine", "of 0.49 ms delay"),
    ],
)
def test_what_the_noise_says(
    told: float, delay: float, allow: Bound, verdict: str, words: str
) -> None:
    """Right within 30 % of its range, or 0.5 nm; wrong if the wall refutes it, and by 2 nm."""
    check = judged(told, noise(delay), allow)
    assert check.verdict == verdict
    assert words in check.advice
    assert check.found == pytest.approx(delay * MS)
    assert check.stderr == pytest.approx(0.2 * delay * MS / 6.0)
    assert check.told == (None if math.isnan(told) else told * MS)


@pytest.mark.parametrize(
    ("told", "allow", "verdict", "words"),
    [
        (10.0, bound(6.0, 1.3), "doubtful", "the correction is too large"),
        (10.0, bound(6.0, 1.4), "unknown", "nothing in the data confirms it"),
        (3.0, bound(1.9, 0.1), "doubtful", "the correction is too large"),
        (3.0, bound(2.1, 0.1), "unknown", "the step allows 2.1 ms at most"),
        (0.5, bound(1.2, 0.5), "fine", "each ms is 1 nm of depth"),
        (0.5, bound(1.3, 0.5), "unknown", "nothing in the data confirms it"),
        (0.5, bound(0.5, 1.49), "fine", "The step allows 0.5 ms at most"),
        (0.5, bound(0.5, 1.51), "unknown", "nothing in the data confirms it"),
        (0.5, bound(-3.0, 0.8), "doubtful", "The step allows 0 ms at most"),
        (1.0, bound(1.9, 0.1), "fine", "corrected or small"),
        (1.1, bound(1.9, 0.1, both=True), "unknown", "nothing in the data confirms it"),
        (5.0, bound(5.49, 0.9, both=True), "fine", "corrected or small"),
        (5.0, bound(4.51, 0.9, both=True), "fine", "corrected or small"),
        (5.0, bound(5.51, 0.9, both=True), "unknown", "nothing in the data confirms it"),
        (5.0, bound(5.49, 1.01, both=True), "unknown", "nothing in the data confirms it"),
        (5.0, bound(5.0, 0.1), "unknown", "nothing in the data confirms it"),
        (5.0, NOTHING, "unknown", "the wall shows no step either"),
        (math.nan, bound(0.9, 0.1), "fine", "corrected or small"),
        (math.nan, bound(5.0, 0.1), "unknown", "profiles may be 5 nm too near"),
        (math.nan, NOTHING, "unknown", "nothing else in the data shows it"),
    ],
)
def test_what_the_wall_allows(told: float, allow: Bound, verdict: str, words: str) -> None:
    """Upper bounds refute what is larger, and confirm what is small, or near one of both ways."""
    check = judged(told, UNSEEN, allow)
    assert check.verdict == verdict
    assert words in check.advice
    assert check.found is None
    assert math.isnan(check.stderr)


def test_a_lag_that_the_recipe_leaves_is_none_that_is_corrected() -> None:
    given = {"recipe": {"lateral.lag": False}}
    assert judged(10.0, noise(10.0), NOTHING, **given).verdict == "doubtful"
    assert judged(10.0, UNSEEN, bound(0.5, 0.1), **given).verdict == "fine"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "lockin_poles is not known"),
        ({"timed": False}, "times of the samples are not known"),
        ({"time_constant": 0.0}, "lockin_time_constant is not known"),
    ],
)
def test_what_is_missing_is_named(how: dict[str, Any], words: str) -> None:
    assert words in judged(math.nan, UNSEEN, NOTHING, how=plan(**how)).advice


def test_the_tighter_bound() -> None:
    wall, layers = bound(5.0, 1.0, both=True), bound(7.0, 1.0)
    assert tighter(wall, layers) is wall
    assert tighter(wall, bound(4.0, 1.9)) == bound(4.0, 1.9)
    assert tighter(bound(5.0, 1.0), layers) is layers
    assert tighter(bound(5.0, 1.0), NOTHING) == bound(5.0, 1.0)
    assert tighter(NOTHING, layers) is layers


# ---------------------------------------------------------------- effect on the moduli


@pytest.mark.parametrize(("direction", "sign"), [("approach", -1.0), ("retract", 1.0)])
def test_what_a_shift_does(direction: str, sign: float) -> None:
    """Moduli that grow by 1 and 2 MPa/nm, shifted by 0.5 nm, over the means from 2 to 7 nm."""
    z = DEPTH / NM
    made = profiles((1.0 + z) * 1e6, (3.0 + 2.0 * z) * 1e6)
    found = shifted(evidence(of_moduli=made, recipe={"direction": direction}), 0.5 * NM)
    assert found["storage_modulus"] == pytest.approx(sign * 100.0 * 0.5 / 5.5)
    assert found["loss_modulus"] == pytest.approx(sign * 100.0 * 1.0 / 12.0)


def test_shifts_of_which_nothing_is_known() -> None:
    assert math.isnan(shifted(evidence(), 1 * NM)["storage_modulus"])
    values = np.full(60, np.nan)
    values[4:] = 1e6
    few = shifted(evidence(of_moduli=profiles(values)), 1 * NM)
    assert few["storage_modulus"] == pytest.approx(0.0)
    values[4] = np.nan
    assert math.isnan(shifted(evidence(of_moduli=profiles(values)), 1 * NM)["storage_modulus"])
    steep = np.where(DEPTH < 8 * NM, 1.0, 1e4)
    far = shifted(evidence(of_moduli=profiles(steep)), -20 * NM)
    assert far["storage_modulus"] == 999.0


# ---------------------------------------------------------------- steps at the wall


def test_where_a_profile_comes_to_a_level() -> None:
    """A rise over 10 nm: 5 % of it are 0.5 nm."""
    profile = np.clip(WAY / (10 * NM), 0.0, 1.0)
    at, error = crossing(profile, 0.5)
    assert at == pytest.approx(5 * NM)
    assert error == pytest.approx(0.5 * NM)
    profile[::2] = np.nan
    assert crossing(profile, 0.33)[0] == pytest.approx(3.3 * NM)
    assert np.isnan(crossing(profile, 1.1)).all()
    first = crossing(profile, -1.0)
    assert first == (WAY[1], math.inf)
    assert math.isnan(crossing(np.full(len(WAY), np.nan), 0.5)[0])


def test_the_level_before_the_step() -> None:
    profile = np.where(WAY < -6 * NM, 0.1, 0.2)
    profile[(WAY > -4 * NM) & (WAY < -2 * NM)] = [0.3, 0.4, 0.3, np.nan]
    profile[WAY > -2 * NM] = 0.9
    assert before(profile, "approach") == 0.4
    assert before(profile, "retract") == 0.1
    assert before(np.full(len(WAY), np.nan), "approach") == 0.0


def stepped(late: int = 0, layer: float = 0.0, direction: str = "approach") -> SampledSignals:
    """The lateral force steps up at the wall, some samples (0.1 nm, 1 ms) late; phase 0.5 rad.

    It runs the other way in a retract, whose rows are turned around in time.
    """
    made = signals(direction=direction)
    size = np.where(made.height <= 0.0, 1.0, layer)
    shift = late if direction == "approach" else -late
    size = np.roll(size, shift, axis=1)
    size[:, :50], size[:, -50:] = layer, 1.0
    lateral = 5 * NN * size * np.exp(0.5j) + (2 - 3j) * NN
    lateral[:, :600] -= layer * 5 * NN * np.exp(0.5j)  # the baseline itself is zero
    return replace(made, lateral=lateral)


def test_the_step_in_parts_of_the_level() -> None:
    made = stepped(late=30)
    level = wall_level(made)
    np.testing.assert_allclose(made.touch, 0.4 * NM)
    assert level == pytest.approx(5 * NN * np.exp(0.5j))
    profile = step(made, level)
    np.testing.assert_allclose(profile[(WAY > 4 * NM) & (WAY < 19 * NM)], 1.0)
    np.testing.assert_allclose(profile[WAY < 2 * NM], 0.0, atol=1e-9)
    assert np.isnan(profile[WAY > 21 * NM]).all()
    assert crossing(profile, 0.5)[0] == pytest.approx(3.5 * NM)


def of_the_wall(own: str = "approach", poles: float = 2.0, **made: SampledSignals) -> Bound:
    return wall_bound(
        evidence(how=plan(poles=poles), recipe={"direction": own}, **made)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("poles", "part"), [(1.0, 0.69), (2.0, 0.84), (3.0, 0.89), (4.0, 0.92), (math.nan, 0.69)]
)
def test_the_bound_of_one_direction(poles: float, part: float) -> None:
    """3.5 nm at 100 nm/s are the time in which half of a step has come through."""
    found = of_the_wall(poles=poles, approach=stepped(late=30))
    assert not found.both
    assert found.delay == pytest.approx(3.5e-9 / part / 1e-7)
    assert found.error == pytest.approx(0.4e-9 / 1e-7)


def test_the_bound_of_both_directions() -> None:
    """What the contact itself does is the same in both, and falls out of half their distance."""
    for own, a, r in (("approach", 40, 20), ("retract", 20, 40)):
        found = of_the_wall(own, approach=stepped(a), retract=stepped(r, direction="retract"))
        assert found.both
        assert found.delay == pytest.approx(3e-9 / 0.84 / 1e-7)
        assert found.by == "the step of the lateral force at the wall"


def test_steps_that_bound_nothing() -> None:
    """A layer that shows most of the step, what comes before its cause, and no wall at all."""
    assert math.isnan(of_the_wall(approach=stepped(late=-30)).delay)
    assert math.isfinite(of_the_wall(approach=stepped(late=-5)).delay)
    made = stepped()
    level = 5 * NN * np.exp(0.5j)
    made.lateral[:, 750:800] += 0.59 * level
    assert math.isfinite(of_the_wall(approach=made).delay)
    made.lateral[:, 750:800] += 0.02 * level
    assert math.isnan(of_the_wall(approach=made).delay)
    assert math.isnan(of_the_wall().delay)


# ---------------------------------------------------------------- noise and profiles


def test_the_spectrum_of_a_line_that_drifts() -> None:
    """Without its line, white noise of variance 4 has a power of 4 at all frequencies."""
    rng = np.random.default_rng(5)
    table = 2.0 * rng.standard_normal((400, 512)) + 0.1 * np.arange(512)
    f, power, count = spectrum(table)
    np.testing.assert_allclose(power, 4.0, rtol=0.25)
    assert np.average(power, weights=count) == pytest.approx(4.0, rel=0.02)
    assert 2.0 / 512 <= f[0] < 3.0 / 512
    assert 0.45 < f[-1] < 0.5
    assert count.sum() == pytest.approx(254 * 400 * 0.5 * 0.6)
    assert spectrum(table[:9])[2].sum() == pytest.approx(254 * 9 * 0.5 * 0.6)
    few = spectrum(table[:8])
    assert few[2].sum() == pytest.approx(254 * 8 * 0.5)
    assert np.average(few[1], weights=few[2]) == pytest.approx(4.0, rel=0.15)


@pytest.mark.parametrize("shift", [-3.0, -0.5, 0.0, 2.0])
def test_how_far_profiles_lie_apart(shift: float) -> None:
    """Exact profiles of a layer that ends at 20 nm, the second smaller by a fifth."""
    z = np.arange(0.5, 60.0, 0.5) * NM
    first = np.clip(20 * NM - z, 0.0, None)
    second = 0.8 * np.clip((20 + shift) * NM - z, 0.0, None)
    found, error = apart(z, first, second)
    assert found == pytest.approx(shift * NM, abs=0.051 * NM)
    assert error == pytest.approx(0.3 * NM)


def test_profiles_that_say_nothing_of_how_far_they_lie_apart() -> None:
    """Fewer than 16 common distances, a layer within 20 times the noise, more than 12 nm apart."""
    z = np.arange(1.5, 60.0) * NM
    first = np.clip(20 * NM - z, 0.0, None)
    few = np.full(len(z), np.nan)
    few[:15] = first[:15]
    assert np.isnan(apart(z, few, first)).all()
    assert np.isnan(apart(z, first, np.clip(34 * NM - z, 0.0, None))).all()
    assert np.isfinite(apart(z, first, np.clip(30 * NM - z, 0.0, None))).all()
    noise = np.tile([-1.0, 1.0], 29)[: len(z)]
    for size, seen in ((1.0, False), (0.8, True)):
        noisy = first + size * NM * np.append(noise, np.zeros(len(z) - len(noise)))
        assert np.isfinite(apart(z, noisy, first)[0]) == seen


def forces(edge: float) -> ProcessedCurves:
    """Bins of the lateral force of a layer that ends somewhere (nm), in both parts of it."""
    size = np.tile(np.clip(edge * NM - DEPTH, 0.0, None), (12, 1))
    values = {"binned_force_in_phase": 3.0 * size, "binned_force_quadrature": -4.0 * size}
    return ProcessedCurves(depth=DEPTH, distance_bin=DEPTH, values=values, valid=DEPTH[:12])


def layers_apart(by: float, quick: float = 1.0, **given: Any) -> Bound:
    """A retract whose layers end farther out by some nm, both at 100 nm/s."""
    back = signals(direction="retract", interval=np.full(12, 1e-3 / quick))
    made = {"approach": forces(20.0), "retract": forces(20.0 + by)}
    return layer_bound(evidence(of_moduli=made, approach=signals(), retract=back, **given))


@pytest.mark.parametrize("lag", [True, False])
def test_the_bound_of_the_layers(lag: bool) -> None:
    """What is corrected (2 ms) and the distance over the sum of the speeds."""
    found = layers_apart(2.0, recipe={"lateral.lag": lag})
    assert found.delay == pytest.approx(2 * MS * lag + 10 * MS)
    assert found.error == pytest.approx(1.5 * MS)
    assert found.both
    assert "approach against retract" in found.by


def test_layers_that_bound_nothing() -> None:
    assert layers_apart(2.0, quick=3.0).delay == pytest.approx(2 * MS + 5 * MS)
    assert layers_apart(-1.2).delay == pytest.approx(2 * MS - 6 * MS)
    assert layers_apart(-1.4) == Bound()
    assert layer_bound(evidence(approach=signals())) == Bound()
    assert layer_bound(evidence(approach=signals(), retract=signals())) == Bound()
    still = signals(interval=np.full(12, np.nan))
    made = {"approach": forces(20.0), "retract": forces(22.0)}
    assert layer_bound(evidence(of_moduli=made, approach=still, retract=still)) == Bound()
    assert Bound().both is False


def test_noise_of_too_few_samples_shows_nothing() -> None:
    rng = np.random.default_rng(6)
    table = rng.standard_normal((48, 600))
    for i in range(1, 600):
        table[:, i] = 0.9 * table[:, i - 1] + 0.1 * table[:, i]
    seen = noise_delay(table, 1e-3, (1,))
    assert seen.delay == pytest.approx(-1e-3 / math.log(0.9), rel=0.2)
    assert seen.low < seen.delay < seen.high
    for few in (table[:1], table[:, :63], np.zeros((48, 600))):
        assert math.isnan(noise_delay(few, 1e-3, (1,)).delay)


# ---------------------------------------------------------------- the whole check


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({}, 2 * MS),
        ({"time_constant": 0.0}, None),
        ({"poles": math.nan}, None),
        ({"poles": math.nan, "told_lag": 5 * MS}, 5 * MS),
        ({"time_constant": 0.0, "told_lag": 5 * MS}, 5 * MS),
        ({"timed": False}, None),
    ],
)
def test_what_was_told_of_the_lag(how: dict[str, Any], told: float | None) -> None:
    """Poles times time constant, both of which it takes, or what the file says by itself."""
    made = signals()
    made = replace(made, lateral=np.zeros(made.height.shape, complex))
    check = CHECKS["lockin_lag"](evidence(how=plan(**how), approach=made))
    assert check.told == told


def test_lags_that_need_no_look() -> None:
    digital = CHECKS["lockin_lag"](evidence(how=plan(told_lag=0.0)))
    assert (digital.verdict, digital.told) == ("fine", 0.0)
    assert CHECKS["lockin_lag"](evidence(how=plan(in_phase=None))).verdict == "unknown"
    assert "no curves to look at" in CHECKS["lockin_lag"](evidence()).advice
    made = signals(interval=np.full(12, np.nan))
    blind = CHECKS["lockin_lag"](evidence(approach=made))
    assert (blind.verdict, blind.told) == ("unknown", 2 * MS)
    assert "neither times nor a speed" in blind.advice
