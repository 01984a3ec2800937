"""Films, directions and stability: closed forms, and verdicts on both sides of each bound."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_evidence import NM, NN, contacts, evidence, measured, plan, signals, wall

from nrm_plugin.engine.checks import CHECKS, Check, DragShift, drag_shift
from nrm_plugin.engine.checks.directions import Directions, _explained, compare
from nrm_plugin.engine.checks.films import (
    _against_open_circuit,
    _least_stiffness,
    _mean_compliance,
    against,
    contact_stiffness,
    curvature,
    film_stiffness,
    largest_force,
    modulus_of,
    motion_on_wall,
)
from nrm_plugin.engine.checks.sampled_signals import SampledSignals
from nrm_plugin.engine.checks.stability import adhesion

ALTERNATING = np.tile([-1.0, 1.0], 6)

#: Mean of x^(-1/3) from 0.1 to 0.5 less that from 0.5 to 0.97, which a Hertzian wall falls by.
LOW, HALF, HIGH = (part ** (2.0 / 3.0) for part in (0.1, 0.5, 0.97))
FALL = 1.5 * ((HALF - LOW) / 0.4 - (HIGH - HALF) / 0.47)


# ---------------------------------------------------------------- films


def test_a_sphere_on_a_half_space() -> None:
    """Hertz: F = 4/3 E* sqrt(R) d^(3/2), whose derivative is 2 E* sqrt(R d); nu is 0.3."""
    reduced, radius, depth = 2e9 / (1.0 - 0.3**2), 15 * NM, 1.2 * NM
    force = 4.0 / 3.0 * reduced * math.sqrt(radius) * depth**1.5
    stiffness = 2.0 * reduced * math.sqrt(radius * depth)
    assert contact_stiffness(2e9, force, radius) == pytest.approx(stiffness)
    assert modulus_of(stiffness, force, radius) == pytest.approx(2e9)


def hertzian(compliance: float, scatter: float = 0.02) -> SampledSignals:
    """Walls whose contact has k_n/k_f at 20 nm, and more as the cubic root of the load."""
    made = signals()
    deflection = np.zeros(made.height.shape)
    bent = np.linspace(0.0, 20 * NM, 4001)
    for i, part in enumerate(compliance * (1.0 + scatter * ALTERNATING)):
        way = bent + 1.5 * part * 20 * NM * (bent / (20 * NM)) ** (2.0 / 3.0)
        deflection[i] = np.interp(-made.height[i], way, bent, left=0.0)
    return replace(made, deflection=deflection)


@pytest.mark.parametrize("compliance", [0.02, 0.05])
def test_the_curvature_of_a_hertzian_wall(compliance: float) -> None:
    found = curvature(hertzian(compliance))
    assert found is not None
    assert found.value == pytest.approx(compliance, rel=0.12)
    assert found.stderr == pytest.approx(0.002 / FALL, rel=0.1)
    assert _mean_compliance(0.1, 0.5) - _mean_compliance(0.5, 0.97) == pytest.approx(FALL)


def test_curvatures_of_both_directions() -> None:
    """Their mean where they agree within three errors, else that of the direction itself."""
    one, near, far = hertzian(0.05), hertzian(0.0503), hertzian(0.08)
    alone, other = curvature(one), curvature(near)
    both, apart = curvature(one, near), curvature(one, far)
    assert alone is not None and other is not None and both is not None  # noqa: PT018
    assert both.value == pytest.approx((alone.value + other.value) / 2.0)
    assert both.stderr < alone.stderr
    assert apart == alone
    assert curvature(signals()) is None


def test_slopes_against_a_reference() -> None:
    found = against(-0.8, 0.008, -1.0, 0.02, "it")
    assert found.value == pytest.approx(0.25)
    assert found.stderr == pytest.approx(math.sqrt(0.01**2 + 0.02**2 + 0.003**2))


def test_low_potentials_against_the_highest() -> None:
    """The upper 15 % of the potentials, and the lower half of them; eight curves each, 0.1 V."""
    potential = np.concatenate([np.full(8, 1.0), np.full(4, 0.84), np.full(8, 0.5), np.zeros(8)])
    slopes = np.concatenate([np.full(8, -1.0), np.full(4, -5.0), np.full(16, -0.8)])
    found = _against_open_circuit(slopes, potential)
    assert found is not None
    assert found.value == pytest.approx(0.25)
    assert _against_open_circuit(slopes[1:], potential[1:]) is None
    assert _against_open_circuit(slopes, np.where(potential == 0.5, 0.51, potential)) is not None
    later = np.where(potential < 0.84, 0.51, potential)
    later[-7:] = 0.0
    assert _against_open_circuit(slopes, later) is None
    assert _against_open_circuit(slopes, 0.099 * potential) is None
    assert _against_open_circuit(slopes, 0.101 * potential) is not None
    assert _against_open_circuit(slopes, np.where(potential > 0.9, np.nan, potential)) is None


@pytest.mark.parametrize(
    ("motion", "part"), [(0.84, 0.8), (1.14, 0.97), (1.16, 0.0), (0.0, 0.0), (math.nan, 0.0)]
)
def test_the_stiffness_that_a_motion_needs(motion: float, part: float) -> None:
    """Lateral stiffness of the contact times (2 - nu)/(2 (1 - nu)), with 5 % for the scale."""
    expected = 26.0 * part / (1.0 - part) * 1.7 / 1.4
    assert _least_stiffness(evidence(), motion) == pytest.approx(expected)


def moving(part: float, made: SampledSignals | None = None) -> SampledSignals:
    """The tip moves by a part of 1 nm on the wall, beside a constant far away."""
    made = made or signals()
    lateral = np.where(made.height < 0.0, part * 26.0 * NN * 1j, 0.0) + (2 - 1j) * NN
    return replace(made, lateral=lateral)


def film_of(made: SampledSignals | None, **given: Any) -> Check:
    more = {} if made is None else {"approach": made}
    return CHECKS["film"](evidence(**given, **more))


#: Largest force, and stiffness of 5 nm of 1 GPa under a tip of 15 nm at it.
FORCE = 20 * NM * 0.3
STIFFEST = film_stiffness(1e9, FORCE, 15 * NM, 5 * NM)


def test_what_a_force_and_a_motion_are() -> None:
    known = evidence(approach=moving(0.9))
    assert largest_force(known) == pytest.approx(FORCE)
    assert motion_on_wall(known, moving(0.9)) == pytest.approx(0.9)
    assert math.isnan(motion_on_wall(known, signals()))
    assert math.isnan(largest_force(evidence()))


@pytest.mark.parametrize(("above", "verdict"), [(1.01, "fine"), (0.99, "unknown")])
def test_a_tip_that_moves_as_on_no_film(above: float, verdict: str) -> None:
    """At least 1.3 times as stiff as the film that is sought."""
    lateral = above * 1.3 * STIFFEST * 1.4 / 1.7
    part = lateral / (26.0 + lateral)
    check = film_of(moving(1.05 * part))
    assert check.verdict == verdict
    if verdict == "fine":
        expected = modulus_of(above * 1.3 * STIFFEST, FORCE, 15 * NM)
        assert check.found == pytest.approx(expected)
        assert f"moves by {1.05 * part:.2f} of the dither" in check.advice
    else:
        assert "no slope of a hard sample is known" in check.advice


@pytest.mark.parametrize(("times", "verdict"), [(0.99, "fine"), (1.01, "unknown")])
def test_slopes_that_exclude_a_film(times: float, verdict: str) -> None:
    """Three standard errors have to be less than what 5 nm of 1 GPa do to the slope."""
    sought = 0.3 / STIFFEST
    error = math.sqrt((times * sought / 3.0) ** 2 - 0.003**2)
    metadata = {"deflection_sensitivity": 50e-9, "deflection_sensitivity_stderr": error * 50e-9}
    check = film_of(signals(), metadata=metadata)
    assert check.verdict == verdict
    if verdict == "fine":
        bound = 2.0 * times * sought / 3.0
        assert check.found == pytest.approx(modulus_of(0.3 / bound, FORCE, 15 * NM))
    else:
        assert "no slope of a hard sample" not in check.advice
        assert f"changes the slope by {100 * sought:.1f} %" in check.advice
        assert "the tip's motion on the wall is not known" in check.advice


@pytest.mark.parametrize(("slope", "verdict"), [(0.979, "doubtful"), (0.981, "unknown")])
def test_slopes_that_show_a_film(slope: float, verdict: str) -> None:
    """From four standard errors on, of which 0.003 is what slopes repeat to, and 0.004 is told."""
    made = signals()
    made = replace(made, deflection=slope * made.deflection)
    error = math.sqrt((0.0204 / 4.0) ** 2 - 0.003**2)
    metadata = {"deflection_sensitivity": 50e-9, "deflection_sensitivity_stderr": error * 50e-9}
    check = film_of(made, metadata=metadata | {"tip_radius": 10 * NM})
    assert check.verdict == verdict
    if verdict == "doubtful":
        value = 1.0 / slope - 1.0
        force = 20 * NM * 0.3
        modulus = modulus_of(0.3 / value, force, 10 * NM)
        assert check.found == pytest.approx(modulus)
        assert check.stderr == pytest.approx(1.5 * modulus * 0.0204 / 4.0 / value)
        assert "(tip radius 10 nm)" in check.advice
        assert f"sinks about {force / (0.3 / value) * 1.5 * 1e9:.2g} nm into it" in check.advice


def test_films_of_which_nothing_can_be_said() -> None:
    assert "no wall is long enough" in film_of(None).advice
    blind = film_of(signals(), how=plan(spring_constant=math.nan))
    assert (blind.verdict, blind.found) == ("unknown", None)
    assert "spring_constant is not known" in blind.advice
    assert "the tip moves by 0.20 of the dither, as on a film" in film_of(moving(0.2)).advice


# ---------------------------------------------------------------- directions


def both_ways(
    gap: float = 0.0, drift: float = 0.0, friction: float = 0.0, quick: float = 1.0
) -> tuple[SampledSignals, SampledSignals]:
    """Approach and retract, apart by a gap (nm) everywhere, with drift (m/m) and friction."""
    made = signals()
    h = made.height
    wall = np.maximum(-h, 0.0)
    late = h[:, ::-1] * 0.0 + 100 * NM
    approach = (1.0 + friction) * wall + 0.5 * gap * NM + drift * (80 * NM - h)
    retract = (1.0 - friction) * wall - 0.5 * gap * NM + drift * (late + h + 20 * NM)
    back = replace(made, direction="retract", deflection=retract)
    return replace(made, deflection=approach), replace(back, interval=made.interval / quick)


def test_directions_that_lie_apart() -> None:
    found = compare(*both_ways(gap=2.0, drift=0.01, friction=0.02))
    assert found.gap == pytest.approx(2 * NM)
    assert found.drift == pytest.approx(0.01)
    assert found.difference == pytest.approx(0.04, rel=0.01)
    assert found.slopes == pytest.approx((-1.02 - 0.01 + 0.01, -0.98 + 0.01 - 0.01))
    assert found.wall_at_contact == pytest.approx(2 * NM, rel=1e-6)
    assert found.wall_at_turn == pytest.approx((2.0 + 0.04 * 20.0) * NM)
    assert found.gap_stderr == pytest.approx(
        1.2533 * 0.1 * NM * math.sqrt(2.0 / 600.0) / math.sqrt(12.0) * (1.0 + 2.0 / 12.0), rel=1e-3
    )
    assert compare(*both_ways(quick=3.0)).part == pytest.approx({"approach": 0.25, "retract": 0.75})
    untimed = [replace(s, interval=s.interval * np.nan) for s in both_ways(quick=3.0)]
    assert compare(*untimed).part == pytest.approx({"approach": 0.5, "retract": 0.5})


def apart(**values: Any) -> Directions:
    """A gap of 2 nm, of which nothing is left on the walls; approach at a third of both speeds."""
    usual: dict[str, Any] = {"gap": 2 * NM, "gap_stderr": 0.0, "drift": 0.0, "wall_at_turn": 0.0}
    usual |= {"wall_at_contact": 0.0, "wall_stderr": 0.0, "slopes": (-1.0, -1.0)}
    usual |= {"difference": 0.0, "difference_stderr": 0.0}
    return Directions(**usual | {"part": {"approach": 1 / 3, "retract": 2 / 3}} | values)


@pytest.mark.parametrize(
    ("values", "moved", "unknown"),
    [
        ({}, 2.0, 0.06),
        ({"slopes": (-1.5, -0.5)}, 2.0, 0.06),
        ({"slopes": (-2.0, -2.0)}, 1.0, 0.06),
        ({"slopes": (0.0, 0.0)}, 2.0, 0.06),
        ({"wall_at_turn": 1 * NM, "wall_at_contact": 1 * NM}, 1.0, 0.06),
        ({"wall_at_turn": 1 * NM}, 1.5, math.hypot(0.5, 0.06)),
        ({"wall_at_turn": 2.09 * NM, "wall_at_contact": 2 * NM}, 0.0, 0.06),
        ({"wall_at_turn": 2.11 * NM}, 2.0, 0.06),
        ({"wall_at_turn": -0.34 * NM, "wall_at_contact": math.nan}, 2.25, 0.06),
        ({"wall_at_turn": -0.36 * NM}, 2.0, 0.06),
        ({"wall_at_turn": 5 * NM, "wall_at_contact": math.nan}, 2.0, math.hypot(1.0, 0.06)),
        ({"wall_at_turn": 2.39 * NM, "wall_stderr": 0.1 * NM}, 1.0, math.hypot(1.0, 0.06)),
        ({"wall_at_turn": 2.41 * NM, "wall_stderr": 0.1 * NM}, 2.0, 0.06),
        ({"wall_at_turn": 2.29 * NM, "gap_stderr": 0.2 * NM}, 1.0, math.hypot(1.0, 0.2, 0.06)),
        ({"wall_at_turn": 2.31 * NM, "gap_stderr": 0.2 * NM}, 2.0, math.hypot(0.2, 0.06)),
    ],
)
def test_how_far_drag_moves_contacts(values: dict[str, Any], moved: float, unknown: float) -> None:
    """Gap less what is left on the wall: between -1/8 of it and all, as far as errors let it."""
    found = drag_shift(apart(**values))
    assert found.shift["approach"] == pytest.approx(moved * NM / 3.0, abs=1e-15)
    assert found.shift["retract"] == pytest.approx(-moved * NM * 2.0 / 3.0, abs=1e-15)
    assert found.systematic == pytest.approx(unknown * NM * 2.0 / 3.0)


@pytest.mark.parametrize(
    ("gap", "stderr", "moved"),
    [(0.29, 0.0, False), (0.31, 0.0, True), (2.0, 0.51, False), (2.0, 0.49, True)],
)
def test_gaps_that_are_none(gap: float, stderr: float, moved: bool) -> None:
    """0.3 nm, and four standard errors."""
    found = drag_shift(apart(gap=gap * NM, gap_stderr=stderr * NM))
    assert (found != DragShift()) is moved


@pytest.mark.parametrize(
    ("values", "told", "verdict", "words"),
    [
        ({}, "corrected", "fine", "corrected by 0.67 nm, known to 0.04 nm"),
        ({}, "ignored", "doubtful", "moves the contact heights of the approach by 0.67 nm"),
        ({"gap": -0.29 * NM}, "corrected", "fine", "drag hardly moves the contact"),
        ({"gap": -0.31 * NM}, "corrected", "doubtful", "drag does the opposite"),
        ({"gap": -2 * NM, "gap_stderr": 0.39 * NM}, "corrected", "doubtful", "the opposite"),
        ({"gap": -2 * NM, "gap_stderr": 0.41 * NM}, "corrected", "unknown", "too uncertain"),
        ({"gap": 0.0, "gap_stderr": 0.149 * NM}, "corrected", "fine", "hardly moves"),
        ({"gap": 0.0, "gap_stderr": 0.151 * NM}, "corrected", "unknown", "too uncertain"),
        ({"wall_at_turn": 0.88 * NM}, "corrected", "fine", "known to 0.3 nm"),
        ({"wall_at_turn": 0.92 * NM}, "corrected", "doubtful", "ramp slower"),
        ({"gap": math.nan}, "corrected", "unknown", "Record both directions"),
    ],
)
def test_verdicts_on_drag(values: dict[str, Any], told: str, verdict: str, words: str) -> None:
    check = CHECKS["drag"](evidence(directions=apart(**values), recipe={"contact.drag": told}))
    assert check.verdict == verdict
    assert words in check.advice
    if verdict != "unknown":
        assert check.found == values.get("gap", 2 * NM)
        assert check.effect["storage_modulus"] == 0.0


def test_a_drag_that_nobody_sees() -> None:
    """1 uN s/m at 0.1 um/s are 0.1 pN, which bend 0.3 N/m by 0.33 pm."""
    check = CHECKS["drag"](evidence())
    assert check.verdict == "unknown"
    words = "At 0.1 µm/s each µN s/m of drag on the lever moves the contact by 0.00033 nm"
    assert words in check.advice
    assert "At" not in CHECKS["drag"](evidence(how=plan(spring_constant=math.nan))).advice
    still = measured(interval=np.full(12, np.nan))
    told = {"approach_speed": 3e-7}
    check = CHECKS["drag"](evidence(processed=still, metadata=told))
    assert "At 0.3 µm/s" in check.advice


@pytest.mark.parametrize(
    ("difference", "stderr", "distance", "verdict"),
    [
        (0.0299, 0.0, "wall", "fine"),
        (-0.0301, 0.0, "wall", "doubtful"),
        (0.0301, 0.0, "told", "doubtful"),
        (0.0359, 0.002, "wall", "fine"),
        (0.0361, 0.002, "wall", "doubtful"),
        (0.0, 0.0099, "wall", "fine"),
        (0.0, 0.0101, "wall", "unknown"),
        (math.nan, 0.0, "wall", "unknown"),
    ],
)
def test_verdicts_on_friction(
    difference: float, stderr: float, distance: str, verdict: str
) -> None:
    """Half of the difference of the slopes, beyond 1.5 % and three errors."""
    found = apart(difference=difference, difference_stderr=stderr)
    check = CHECKS["friction"](evidence(directions=found, recipe={"contact.distance": distance}))
    assert check.verdict == verdict
    if math.isfinite(difference):
        assert check.found == pytest.approx(50.0 * difference)
        assert check.stderr == pytest.approx(50.0 * stderr)
    known = verdict == "fine" or (verdict == "doubtful" and distance == "wall")
    assert (check.effect["storage_modulus"] == 0.0) is known
    if verdict == "doubtful" and distance == "wall":
        assert f"normal forces are off by {50 * abs(difference):.1f} %" in check.advice


@pytest.mark.parametrize(
    ("contact", "turn", "words"),
    [
        (0.39, 1.0, "friction of a tilted lever does it"),
        (0.41, 1.0, "or by the error of an open-loop"),
        (1.0, 0.39, "an open-loop scanner does it"),
        (1.0, 0.41, "or by the error of an open-loop"),
    ],
)
@pytest.mark.parametrize(
    ("gap", "offset", "sign"), [(0, 0, 1), (4, 4, 1), (4, -0.5, -1), (-4, 0, 1)]
)
def test_what_makes_slopes_differ(
    contact: float, turn: float, words: str, gap: float, offset: float, sign: float
) -> None:
    """What walls lie apart beyond what drag may leave of its gap, from -1/8 to 1."""
    at = {"wall_at_contact": offset + sign * contact, "wall_at_turn": offset + sign * turn}
    found = apart(gap=gap * NM, **{name: value * NM for name, value in at.items()})
    assert words in _explained(found)


# ---------------------------------------------------------------- stability


def trend(part: float, n: int = 32) -> Any:
    """Values around 1 that grow by a part from beginning to end."""
    return 1.0 + part * np.linspace(-0.5, 0.5, n)


def stability_of(slope: float = 0.0, noise: float = 0.0, n: int = 32, **given: Any) -> Check:
    records = contacts(n, wall_slope=-trend(slope, n), noise=0.1 * NM * trend(noise, n))
    return CHECKS["stability"](evidence(processed=measured(n, contacts=records), n=n, **given))


@pytest.mark.parametrize(
    ("slope", "noise", "verdict", "found"),
    [
        (0.0099, 0.0, "fine", -0.99),
        (0.0101, 0.0, "doubtful", -1.01),
        (-0.0101, 0.0, "doubtful", 1.01),
        (0.0, 0.49, "fine", 49.0),
        (0.0, 0.51, "doubtful", 51.0),
        (0.02, 0.6, "doubtful", -2.0),
        (0.011, 0.6, "doubtful", 60.0),
        (0.008, 0.2, "fine", -0.8),
        (0.002, 0.2, "fine", 20.0),
    ],
)
def test_trends_over_the_acquisition(
    slope: float, noise: float, verdict: str, found: float
) -> None:
    """The quantity that changes most of what matters is told: 1 % of a slope, half of the noise."""
    check = stability_of(slope, noise)
    assert check.verdict == verdict
    assert check.found == pytest.approx(found)
    assert check.effect["storage_modulus"] == 0.0


def test_trends_follow_the_order_in_which_curves_were_taken() -> None:
    when = np.datetime64("2026-01-02T03:04:05", "us") - np.arange(32)
    back = stability_of(0.02, table={"start_time": when})
    assert back.found == pytest.approx(2.0)
    unknown = when.copy()
    unknown[20] = np.datetime64("NaT")
    assert stability_of(0.02, table={"start_time": unknown}).found == pytest.approx(-2.0)


def test_too_few_curves_and_too_much_scatter() -> None:
    few = stability_of(0.02, n=15)
    assert (few.verdict, few.found) == ("unknown", None)
    assert stability_of(0.02, n=16).verdict == "doubtful"
    rng = np.random.default_rng(1)
    for scatter, verdict in ((0.1, "unknown"), (0.002, "fine")):
        records = contacts(32, wall_slope=-1.0 + scatter * rng.standard_normal(32))
        made = measured(32, contacts=records)
        assert CHECKS["stability"](evidence(processed=made, n=32)).verdict == verdict


@pytest.mark.parametrize(("part", "sticks"), [(0.2, True), (0.2, False), (-0.2, True)])
def test_a_motion_that_changes_moves_the_moduli(part: float, sticks: bool) -> None:
    made = signals(32)
    lateral = np.where(made.height < 0.0, trend(part)[:, None] * 20 * NN, 0.0) + 1j * NN
    on_wall = wall() if sticks else wall(exponent=0.9)
    check = stability_of(0.001, approach=replace(made, lateral=lateral), on_wall=on_wall)
    assert check.verdict == ("doubtful" if sticks else "fine")
    if sticks:
        assert check.found == pytest.approx(100.0 * part)
        assert check.effect["loss_modulus"] == pytest.approx(-100.0 * part / (1.0 + part))


def test_adhesion_is_below_the_noise_of_four_samples() -> None:
    made = signals(4)
    depth = np.array([0.59, 0.61, 5.0, 0.61])
    made.deflection[:, 400:404] -= depth[:, None] * NM
    made.deflection[3, 403] += 0.61 * NM
    np.testing.assert_allclose(adhesion(made) / NM, [np.nan, 0.61, 5.0, np.nan])
    empty = signals(2, height=np.empty((2, 0)), deflection=np.empty((2, 0)))
    assert np.isnan(adhesion(empty)).all()
