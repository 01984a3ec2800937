"""Small pieces of the engine, each called with numbers for which the answer is known."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_evidence import NM, contacts, evidence, plan, survey

import nrm_plugin as nrm
from nrm_plugin.engine.chain import SurveyedDirection
from nrm_plugin.engine.checks import Check, DragShift
from nrm_plugin.engine.contact import crossing_for, details, distance_slope, force_factor
from nrm_plugin.engine.contact import windows as windows_of
from nrm_plugin.engine.fringes import Fringe
from nrm_plugin.engine.kept_survey import KeptSurvey, as_json
from nrm_plugin.engine.lateral_baseline import LateralBaseline
from nrm_plugin.engine.provenance import calibration_error, of_distances
from nrm_plugin.engine.sampled_curves import _above_the_wall, without_drag
from nrm_plugin.engine.signals import Block, RawBlock, sampled_blocks
from nrm_plugin.engine.stand_ins import _steepness
from nrm_plugin.engine.survey import chosen, correlation, with_contacts
from nrm_plugin.engine.wall_slopes import WallMode
from nrm_plugin.engine.workbench import _baseline, _lateral, _wall
from nrm_plugin.kernels import RawSignal
from nrm_plugin.recipe import Contact

# ---------------------------------------------------------------- contacts


@pytest.mark.parametrize(
    ("distance", "force", "slope", "factor"),
    [("wall", "told", 0.8, 1.0), ("told", "wall", 1.0, 1.25), ("wall", "wall-thermal", 0.8, 0.8)],
)
def test_what_a_deflection_is_worth(distance: str, force: str, slope: float, factor: float) -> None:
    """A wall of -0.8: the true sensitivity is S/0.8, and a thermal tune's stiffness k 0.64."""
    contact = Contact(distance=distance, force=force)  # type: ignore[arg-type]
    assert distance_slope(contact, -0.8) == pytest.approx(slope)
    assert force_factor(contact, -0.8) == pytest.approx(factor)
    said = of_distances(nrm.Recipe(contact=contact), [-0.8, -0.9])
    assert said["wall_slope_of_all"] == [-0.8, -0.9]
    assert said["distance_slope"] == pytest.approx([0.8, 0.9] if distance == "wall" else [1, 1])
    assert ("0.8000, 0.9000" in said["distance_rule"]) == (distance == "wall")


SOFT = (
    WallMode(slope=-1.0, stderr=0.001, width=0.002, share=0.7),
    WallMode(slope=-0.95, stderr=0.001, width=0.002, share=0.3),
)


@pytest.mark.parametrize(
    ("slope", "own", "other", "soft"),
    [
        ("pooled", (-0.99, 0.004), (-0.985, 0.004), -0.95),
        ("calibrated", (-1.0, 0.003), (-0.99, 0.004), 0.0),
        ("free", (0.0, math.inf), (-1.0, 0.003), 0.0),
    ],
)
def test_what_contacts_take_of_the_survey(slope: str, own: Any, other: Any, soft: float) -> None:
    found = survey(slope=-0.99, slope_stderr=0.004, slope_common=0.005, modes=SOFT, turn=3 * NM)
    crossing = crossing_for(Contact(slope=slope), found)  # type: ignore[arg-type]
    assert (crossing.slope, crossing.slope_stderr) == own
    assert (crossing.other_slope, crossing.other_slope_stderr) == pytest.approx(other)
    assert crossing.soft_slope == pytest.approx(soft)
    assert (crossing.turn, crossing.wave) == (3 * NM, 0.0)


HEIGHT = np.linspace(80 * NM, -20 * NM, 1001)


def test_a_contact_in_words_of_heights() -> None:
    """A wall of -0.9 on a baseline of 0.1: the wall's own line is as steep as -0.8."""
    record = contacts(1, baseline_slope=0.1, baseline_at=2 * NM, wall_slope=-0.9, contact=3 * NM)
    record["wall_begin"], record["wall_samples"] = 800.0, 201.0
    found = details(record[0], HEIGHT)
    assert (found.height, found.stderr, found.noise) == (3 * NM, 0.1 * NM, 0.1 * NM)
    assert found.baseline == pytest.approx((80 * NM, HEIGHT[599]))
    assert found.wall == pytest.approx((0.0, -20 * NM), abs=1e-15)
    at, tilt, wall_at, steep = found.lines or ()
    assert (at, tilt) == (2 * NM, 0.1)
    assert steep == pytest.approx(-0.8)
    assert wall_at + steep * 3 * NM == pytest.approx(2.3 * NM)
    assert math.isnan(details(contacts(1, contact=math.nan)[0], HEIGHT).height)
    assert _baseline(record[0], HEIGHT) == pytest.approx(
        np.array([(80 * NM, 10 * NM), (3 * NM, 2.3 * NM)])
    )
    (zero, crossed), (end, below) = _wall(record[0], HEIGHT) or ((0, 0), (0, 0))
    assert (zero, crossed) == pytest.approx((3 * NM, 2.3 * NM))
    assert end == pytest.approx(-20 * NM)
    assert below == pytest.approx(2.3 * NM + 0.8 * 23 * NM)
    for name in ("contact", "wall_begin", "wall_slope"):
        broken = record.copy()
        broken[name] = math.nan
        assert _wall(broken[0], HEIGHT) is None
    record["wall_samples"] = 0.0
    assert _wall(record[0], HEIGHT) is None


def raw(direction: str = "approach", lengths: tuple[int, ...] = (5, 3)) -> RawBlock:
    """Heights 0, 1, 2, ... as they were recorded."""
    count = sum(lengths)
    height = RawSignal(numbers=np.arange(float(count)), gain=1.0, offset=0.0, limit=math.inf)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return RawBlock(
        height=height,
        deflection=height,
        lateral=None,
        first=first,
        lengths=np.array(lengths),
        phase=0.0,
        travel=np.array(lengths) - 1.0,
        interval=np.ones(len(lengths)),
        direction=direction,
    )


def test_heights_at_samples_counted_from_far_away() -> None:
    inwards, outwards = raw(), raw("retract")
    np.testing.assert_array_equal(inwards.height_at(np.array([0.0, 2.0])), [0.0, 7.0])
    np.testing.assert_array_equal(inwards.height_at(np.array([4.0, 3.0])), [4.0, math.nan])
    np.testing.assert_array_equal(outwards.height_at(np.array([0.0, 2.0])), [4.0, 5.0])
    np.testing.assert_array_equal(outwards.height_at(np.array([-1.0, math.nan])), [math.nan] * 2)
    records = contacts(2, baseline_end=[2.0, 0.0], wall_begin=3.0)
    records["wall_samples"] = 2.0
    found = windows_of(inwards, records)
    np.testing.assert_array_equal(found["baseline_begin"], [0.0, math.nan])
    np.testing.assert_array_equal(found["baseline_end"], [1.0, math.nan])
    np.testing.assert_array_equal(found["wall_begin"], [3.0, math.nan])
    np.testing.assert_array_equal(found["wall_end"], [4.0, math.nan])
    np.testing.assert_array_equal(outwards.gathered().height, [4, 3, 2, 1, 0, 7, 6, 5])
    assert len(inwards) == 2


# ---------------------------------------------------------------- surveys


def test_curves_that_are_surveyed() -> None:
    """All of up to 512; else runs of eight neighbours, evenly from the first to the last."""
    np.testing.assert_array_equal(chosen(512), np.arange(512))
    found = chosen(10_000)
    assert len(found) == 512
    assert (found[0], found[-1]) == (0, 9999)
    runs = found.reshape(64, 8)
    assert (np.diff(runs, axis=1) == 1).all()
    assert np.ptp(np.diff(runs[:, 0])) <= 1
    assert len(chosen(513)) < 513


def noisy(n: int, samples: int, keep: float, slope: float = 0.0) -> Block:
    """Lateral noise of which each sample keeps a part of the one before."""
    rng = np.random.default_rng(8)
    table = rng.standard_normal((n, samples))
    for i in range(1, samples):
        table[:, i] = keep * table[:, i - 1] + math.sqrt(1.0 - keep**2) * table[:, i]
    table += slope * np.arange(samples)
    height = np.tile(np.linspace(80 * NM, -20 * NM, samples), n)
    return Block(
        begin=np.arange(n + 1) * samples,
        height=height,
        deflection=np.zeros(height.size),
        in_phase=table.ravel(),
        quadrature=table.ravel(),
        travel=np.full(n, 100 * NM),
        interval=np.full(n, 1e-3),
        direction="approach",
    )


def test_the_correlation_of_the_lateral_noise() -> None:
    """Autoregressive noise: powers of 0.7, cut before they are less than 0.05."""
    found = correlation(noisy(200, 1200, 0.7))
    np.testing.assert_allclose(found[:5], 0.7 ** np.arange(5), atol=0.02)
    assert len(found) == pytest.approx(math.log(0.05) / math.log(0.7), abs=1.5)
    drifting = noisy(200, 1200, 0.7, slope=0.05)
    assert len(correlation(drifting)) > 100
    np.testing.assert_allclose(correlation(drifting, line=True)[:5], found[:5], atol=0.02)
    np.testing.assert_array_equal(correlation(noisy(3, 7, 0.0)), [1.0])
    assert len(correlation(noisy(200, 1200, 0.99), longest=7)) == 7


def test_what_contacts_have_in_common() -> None:
    """Medians beyond two standard errors, of halved walls and of outer baselines together."""
    side = np.tile([-1.0, 1.0], 8)
    error = 1.2533 * 1.4826 / 4.0
    for middle, expected in ((2.1 * error, 2.1 * error), (1.9 * error, 0.0)):
        records = contacts(16, half_contact=(middle + side) * NM, outer_contact=3 * NM)
        found = with_contacts(survey(), records)
        assert found.contact_common == pytest.approx(math.hypot(expected, 3.0) * NM)
    two = contacts(2, half_contact=3 * NM)
    assert with_contacts(survey(), two).contact_common == 0.0


@pytest.mark.parametrize(("drag", "moved"), [("corrected", True), ("ignored", False)])
def test_what_drag_does_to_contacts(drag: str, moved: bool) -> None:
    shift = DragShift(shift={"approach": 3 * NM, "retract": -4 * NM}, systematic=4 * NM)
    ranges = np.zeros((1, 2), np.int64)
    both = [SurveyedDirection(name, ranges, survey()) for name in ("approach", "retract")]
    contact = Contact(drag=drag)  # type: ignore[arg-type]
    found = [d.drag for d in without_drag(both, shift, contact)]
    left = math.hypot(4.0, 4.0) * NM
    expected = [(3 * NM, 4 * NM), (-4 * NM, 4 * NM)] if moved else [(0, 5 * NM), (0, left)]
    np.testing.assert_allclose(found, expected)
    assert without_drag(both, None, contact) == both


def test_a_survey_that_results_keep() -> None:
    """All bits of all numbers, infinite ones and those that are not known."""
    made = survey(
        slope=-1.0 / 3.0,
        spacing=math.nan,
        slope_spread=math.inf,
        modes=SOFT,
        fringe=Fringe(wave=1e8 / 3.0, left=1.0, amplitude=0.1 * NM, wave_stderr=2.0),
        correlation=np.array([1.0, 0.1 + 0.2]),
        lateral=LateralBaseline(line=True, slope_in_phase=0.1, why="because"),
        contact_scatter=0.3 * NM,
        walls=False,
    )
    direction = SurveyedDirection("approach", np.zeros((1, 2)), made, (1 * NM / 3, 2 * NM))
    text = as_json(plan(), [direction], 0.1 + 0.2)
    attributes = {"survey": text, "recipe": nrm.Recipe().to_toml(comments=False)}
    kept, why = KeptSurvey.of(attributes | {"lockin_phase_source": "the wall"})
    assert kept is not None, why
    again = kept.surveys["approach"]
    np.testing.assert_array_equal(again.correlation, made.correlation)
    for name in ("slope", "slope_spread", "modes", "fringe", "walls", "turn", "contact_scatter"):
        assert getattr(again, name) == getattr(made, name)
    assert math.isnan(again.spacing)
    assert (again.lateral.line, again.lateral.slope_in_phase) == (True, 0.1)
    assert (again.lateral.why, math.isnan(again.lateral.slope_quadrature)) == ("because", True)
    assert kept.drags == {"approach": (1 * NM / 3, 2 * NM)}
    assert (kept.phase, kept.source) == (0.1 + 0.2, "the wall")
    assert kept.fits(plan())
    for other in ({"amplitude": 2 * NM}, {"poles": 4.0}, {"lateral_stiffness": 20.0}):
        assert not kept.fits(plan(**other))
    assert kept.fits(plan(spring_constant=7.0))
    assert "kept no survey" in KeptSurvey.of({})[1]
    newer = text.replace('"version":1', '"version":2')
    assert "newer version" in KeptSurvey.of(attributes | {"survey": newer})[1]
    assert "cannot be read" in KeptSurvey.of(attributes | {"survey": "{}"})[1]


# ---------------------------------------------------------------- signals


def test_some_curves_spread_evenly() -> None:
    n = 9
    flat = np.zeros((n, 4))
    channels = {"height": (flat + np.arange(4.0, 0.0, -1.0) * NM, "m"), "deflection": (flat, "m")}
    curves = nrm.CurveSet.from_arrays(channels)
    how = plan(in_phase=None, quadrature=None, timed=False)
    for most, expected in ((3, [0, 4, 8]), (9, range(9)), (20, range(9))):
        found = list(sampled_blocks(curves, how, "approach", most))
        np.testing.assert_array_equal(np.concatenate([numbers for numbers, _ in found]), expected)
    parted = list(sampled_blocks(curves, how, "approach", 9, samples=8))
    assert [len(numbers) for numbers, _ in parted] == [1, 2, 2, 2, 2]
    for numbers, block in parted:
        assert len(block) == len(numbers)
        np.testing.assert_allclose(block.travel, 3 * NM)
    assert not list(sampled_blocks(curves, how, "retract"))


def test_the_force_just_above_the_wall() -> None:
    """From 1 to 4 nm, weighted by the samples of each bin of 1 nm."""
    x = np.tile(np.arange(12.0), (2, 1))
    count = np.ones((2, 12))
    count[0, 2] = 3.0
    x[0, 3], count[0, 3] = math.nan, 0.0
    count[1] = 0.0
    rows = {"binned_force_in_phase": x, "binned_force_quadrature": -x}
    rows["binned_force_count"] = count
    done: Any = SimpleNamespace(lateral=np.zeros(2), rows=rows, contacts=np.zeros(2))
    mean = (1.0 + 3 * 2.0) / 4.0
    found = _above_the_wall(done)
    assert found[0] == pytest.approx(mean - 1j * mean)
    assert np.isnan(found[1])
    done.lateral = np.zeros(0)
    assert np.isnan(_above_the_wall(done)).all()


def test_the_lateral_force_of_single_samples() -> None:
    """Less the mean far away, or a line; later by a delay of half a sample."""
    made = noisy(1, 1001, 0.0)
    signal = np.where(made.height > 0.0, 5.0, 7.0)
    block = Block(**{**vars(made), "in_phase": signal, "quadrature": 1e9 * made.height})
    record = contacts(1)[0]
    x, y = _lateral(block, record, 40 * NM, 0.5, line=False)
    assert x[:700] == pytest.approx(0.0)
    assert x[802] == pytest.approx(2.0)
    assert np.isnan(x[-1])
    far = made.height[: int(np.flatnonzero(~(made.height > 40 * NM + record["contact"]))[0])]
    assert y[100] == pytest.approx(1e9 * (made.height[100] - far.mean() - 0.05 * NM))
    _, straight = _lateral(block, record, 40 * NM, 0.0, line=True)
    assert straight == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("per", [2.0, -0.5])
def test_the_scale_that_makes_walls_rigid(per: float) -> None:
    deflection = 3.0 + np.maximum(-HEIGHT, 0.0) / (per * NM)
    assert _steepness(HEIGHT, deflection) == pytest.approx(per * NM)
    assert _steepness(HEIGHT[::-1], deflection[::-1]) == pytest.approx(per * NM)
    assert math.isnan(_steepness(HEIGHT, 0.0 * HEIGHT))


def test_errors_of_calibrations_add_in_squares() -> None:
    metadata = {"lateral_sensitivity": 1e-7, "lateral_sensitivity_stderr": 3e-9}
    metadata |= {"dither_amplitude": 1 * NM, "dither_amplitude_stderr": 0.04 * NM}
    metadata |= {"lateral_stiffness": 26.0, "spring_constant": 0.3, "spring_constant_stderr": 0.1}
    assert calibration_error(evidence(metadata=metadata).curves) == pytest.approx(0.05)
    assert calibration_error(evidence(metadata={"lateral_stiffness": 26.0}).curves) is None


# ---------------------------------------------------------------- checks in words


@pytest.mark.parametrize(
    ("storage", "loss", "words"),
    [
        (0.49, -0.49, "moduli hardly change"),
        (0.51, 0.0, "E' +1 %, E'' +0 %"),
        (-12.4, math.nan, "E' -12 %"),
        (0.2, math.nan, ""),
        (math.nan, math.nan, ""),
    ],
)
def test_effects_in_words(storage: float, loss: float, words: str) -> None:
    check = Check(name="x", effect={"storage_modulus": storage, "loss_modulus": loss}, advice="so")
    assert check.effect_in_words == words
    assert check.text == (f"so ({words})" if words else "so")
    assert check.sentence == f"x (not checked): {check.text}"
    again = Check.from_plain(check.plain())
    assert again.effect_in_words == words
    assert math.isnan(again.stderr)
