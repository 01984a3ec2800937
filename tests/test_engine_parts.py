"""Parts of the engine on numbers for which the answer is known: flags, pools, walls, contacts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_evidence import NM, contacts, plan, survey

import nrm_plugin as nrm
from nrm_plugin.columns import ArrayColumn
from nrm_plugin.decisions import ContactByHand
from nrm_plugin.engine.compiled import Crossing
from nrm_plugin.engine.contact import Referenced, flags, surface_class
from nrm_plugin.engine.contact_scatter import contact_scatter
from nrm_plugin.engine.contacts_by_hand import moved_contacts
from nrm_plugin.engine.fringes import Fringe
from nrm_plugin.engine.signals import Block, intervals, parts, read_once
from nrm_plugin.engine.wall_slopes import (
    WallMode,
    _are_walls,
    _Grown,
    _grown,
    _is_small,
    _joined,
    _Mixture,
    _one_mode,
    _resolved,
    _steep_mode,
    _sure_column,
    spacing,
    turned_friction,
    wall_modes,
)
from nrm_plugin.variables import BIT


def block(n: int = 1, samples: int = 1000, **values: Any) -> Block:
    """Straight ramps from 80 nm to -20 nm, 1 ms per sample, on a rigid wall at 0."""
    height = np.tile(np.linspace(80 * NM, -20 * NM, samples), n)
    usual: dict[str, Any] = {"begin": np.arange(n + 1) * samples, "height": height}
    usual |= {"deflection": np.maximum(-height, 0.0), "in_phase": np.empty(0)}
    usual |= {"quadrature": np.empty(0), "travel": np.full(n, 100 * NM)}
    return Block(**usual | {"interval": np.full(n, 1e-3), "direction": "approach"} | values)


# ---------------------------------------------------------------- flags


def good(**values: Any) -> Any:
    usual = {"wall_length": 20 * NM, "wall_samples": 200.0, "saturated": 0.0, "spikes": 0.0}
    return contacts(1, **usual | {"wall_slope_stderr": 0.001} | values)


def flagged(records: Any, *, how: Any = None, of: Any = None, made: Any = None) -> set[str]:
    how = how or plan(time_constant=1e-3, poles=2.0)
    found = flags(made or block(), how, records, of or survey(slope_spread=0.002))
    return {name for name, bit in BIT.items() if int(found[0]) & bit}


MODE = WallMode(slope=-1.0, stderr=0.001, width=0.002, share=0.7)
SOFT = WallMode(slope=-0.95, stderr=0.001, width=0.002, share=0.3)


@pytest.mark.parametrize(
    ("values", "raised"),
    [
        ({}, set()),
        ({"wall_slope": -0.941}, {"slope_outlier"}),
        ({"wall_slope": -0.939}, {"no_hard_contact"}),
        ({"wall_slope": -1.061}, {"no_hard_contact"}),
        ({"wall_slope": -0.939, "wall_slope_stderr": 0.0155}, set()),
        ({"wall_slope": -0.79, "wall_slope_stderr": 0.1}, {"no_hard_contact"}),
        ({"wall_slope": -0.981}, set()),
        ({"wall_slope": -0.979}, {"slope_outlier"}),
        ({"wall_slope": -0.979, "wall_slope_stderr": 0.0055}, set()),
        ({"wall_slope": -1.31, "wall_slope_stderr": 0.1}, {"slope_outlier"}),
        ({"wall_slope": -1.29, "wall_slope_stderr": 0.1}, set()),
        ({"wall_slope": math.nan, "wall_slope_stderr": math.nan}, set()),
        ({"contact": math.nan, "other_contact": math.nan}, {"no_hard_contact"}),
        ({"wall_length": 9.9 * NM}, {"short_wall"}),
        ({"wall_length": 10.1 * NM}, set()),
        ({"wall_samples": 7.0}, {"short_wall"}),
        ({"wall_samples": 8.0}, set()),
        ({"stderr": 0.51 * NM}, {"short_wall"}),
        ({"stderr": 0.49 * NM}, set()),
        ({"baseline_end": 99.0, "wall_samples": 50.0}, {"short_baseline"}),
        ({"baseline_end": 100.0, "wall_samples": 50.0}, set()),
        ({"baseline_end": 199.0}, {"short_baseline"}),
        ({"baseline_end": 200.0}, set()),
        ({"saturated": 1.0}, {"saturated"}),
        ({"spikes": 1.0}, {"spikes"}),
        ({"long_run": 0.299 * NM}, set()),
        ({"long_run": 0.301 * NM}, {"structure"}),
        ({"other_contact": 0.49 * NM}, set()),
        ({"other_contact": -0.51 * NM}, {"prior_conflict"}),
    ],
)
def test_flags_of_a_curve(values: dict[str, float], raised: set[str]) -> None:
    assert flagged(good(**values), how=plan(timed=False)) == raised


def test_flags_of_all_curves() -> None:
    assert flagged(good(), of=survey(fringe=Fringe(left=1e8)), how=plan(timed=False)) == {
        "structure"
    }
    assert flagged(good(), how=plan(in_phase=None, timed=False)) == {"missing_lateral"}
    wide = survey(slope_spread=0.005)
    for slope, raised in ((-0.976, set()), (-0.974, {"slope_outlier"})):
        assert flagged(good(wall_slope=slope), of=wide, how=plan(timed=False)) == raised
    few = block(samples=200)
    for end, raised in ((49.0, {"short_baseline"}), (50.0, set())):
        records = good(baseline_end=end, wall_samples=20.0)
        assert flagged(records, made=few, how=plan(timed=False)) == raised


@pytest.mark.parametrize(("interval", "late"), [(0.41e-3, False), (0.39e-3, True), (0.0, True)])
def test_curves_that_are_too_fast_for_the_lock_in(interval: float, late: bool) -> None:
    """2 ms of delay are 0.5 nm at 100 nm in 999 steps of 0.4 ms."""
    made = block(interval=np.array([interval]))
    assert (flagged(good(), made=made) == {"lag"}) is late


@pytest.mark.parametrize(("slope", "raised"), [(-0.919, True), (-0.921, False), (-0.979, False)])
def test_walls_that_give_way_are_no_outliers(slope: float, raised: bool) -> None:
    """Within three times 0.01 of the softer mode."""
    records = good(wall_slope=slope, wall_slope_stderr=0.001)
    of = survey(slope=-0.97, modes=(MODE, SOFT), slope_spread=0.002)
    assert ("slope_outlier" in flagged(records, of=of, how=plan(timed=False))) is raised


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"wall_slope": -0.991}, 0),
        ({"wall_slope": -0.989}, 1),
        ({"wall_slope": -0.989, "wall_slope_stderr": 0.004}, 0),
        ({"wall_slope": -0.986, "wall_slope_stderr": 0.004}, 1),
        ({"wall_slope": -1.2}, 0),
        ({"wall_slope": math.nan}, -1),
    ],
)
def test_classes_of_surfaces(values: dict[str, float], expected: int) -> None:
    """Softer than the steepest by 1 % and by three errors."""
    records = good(**values)
    none = np.zeros(1, np.int64)
    assert surface_class(records, none, survey(modes=(MODE, SOFT)))[0] == expected
    assert surface_class(records, none, survey(slope=-1.0, slope_spread=0.002))[0] == expected
    assert surface_class(records, none + BIT["no_hard_contact"], survey(modes=(MODE,)))[0] == -1
    assert surface_class(records, none, survey(modes=(MODE,), walls=False))[0] == -1


# ---------------------------------------------------------------- surveys


def test_walls_that_give_way_in_common() -> None:
    """Two soft modes: mean, and what they differ by, inside and between; 0.01 at least."""
    other = WallMode(slope=-0.85, stderr=0.001, width=0.03, share=0.1)
    found = survey(modes=(replace(MODE, share=0.6), SOFT, other))
    assert found.soft_slope == pytest.approx((0.3 * -0.95 + 0.1 * -0.85) / 0.4)
    variance = (0.3 * 0.025**2 + 0.1 * 0.075**2 + 0.3 * 0.002**2 + 0.1 * 0.03**2) / 0.4
    assert found.soft_slope_stderr == pytest.approx(math.sqrt(variance))
    assert survey(modes=(MODE, SOFT)).soft_slope_stderr == 0.01
    assert survey(modes=(MODE,)).soft_slope == 0.0
    assert survey(modes=(MODE,)).soft_slope_stderr == math.inf
    assert (found.hard_share, math.isnan(survey().hard_share)) == (0.6, True)


def test_contacts_scatter_by_slow_noise() -> None:
    """What the outer baseline and half of the wall say, robust, from 1.5 times the noise on."""
    records = contacts(12)
    side = np.tile([-1.0, 1.0], 6)
    records["outer_contact"], records["half_contact"] = 3 * NM * side, 4 * NM * side
    given = (block(12), records, Crossing(), Fringe())
    for slow, expected in ((1.49, 0.0), (1.51, 1.4826 * 5 * NM)):
        records["long_run"] = slow * records["noise"]
        assert contact_scatter(*given) == pytest.approx(expected)
    two = contacts(2, outer_contact=[0.0, 9 * NM], long_run=1 * NM)
    assert contact_scatter(block(2), two, Crossing(), Fringe()) == 0.0


# ---------------------------------------------------------------- slopes of walls


def test_as_many_modes_as_there_are_walls_for() -> None:
    """Eight slopes for each mode at least."""
    errors = np.full(16, 0.002)
    slopes = np.repeat([-1.0, -0.9], 8) + 0.001 * np.tile([-1.0, 1.0], 8)
    found = wall_modes(slopes, errors)
    assert [round(mode.slope, 3) for mode in found] == [-1.0, -0.9]
    assert [mode.share for mode in found] == pytest.approx([0.5, 0.5], abs=1e-3)
    assert len(wall_modes(slopes[:15], errors[:15])) == 1
    three = np.concatenate([slopes, slopes[:8] + 0.2])
    assert len(wall_modes(three, np.full(24, 0.002))) == 3
    assert len(wall_modes(three[:23], np.full(23, 0.002))) == 2


def test_two_groups_together() -> None:
    a, b = np.array([-1.0, 0.01, 30.0]), np.array([-0.8, 0.03, 10.0])
    centre, variance, count = _joined(a, b)
    assert (centre, count) == (pytest.approx(-0.95), 40.0)
    assert variance == pytest.approx(0.75 * 0.01 + 0.25 * 0.03 + 0.75 * 0.25 * 0.04)


def test_the_steep_ones_among_slopes() -> None:
    """The half that lies closest together, and the spread beyond it; layers lie on one side."""
    steep = -1.0 + 0.01 * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    middle, spread = _steep_mode(np.concatenate([steep, [-0.7, -0.6, -0.3]]))
    assert middle == pytest.approx(-1.0)
    assert spread == pytest.approx(1.4826 * 0.015)
    assert _steep_mode(np.array([-0.9])) == (-0.9, 0.0)


def test_the_smallest_window_that_is_sure_enough() -> None:
    slopes = np.full((4, 4), -1.0)
    errors = np.tile([0.051, 0.02, 0.01, 0.005], (4, 1))
    assert _sure_column(slopes, errors, -0.5, 0.01) == 2
    assert _sure_column(slopes, errors, -0.5, 0.0099) == 3
    assert _sure_column(slopes, errors, -0.5, 0.001) == 3
    assert _sure_column(slopes[:, :1], errors[:, :1], -0.5, 0.1) is None
    assert _sure_column(slopes, errors, -1.0, 0.01) is None


def test_windows_grow_until_a_layer_bends_them() -> None:
    errors = np.full((5, 4), 0.01)
    slopes = -1.0 + 0.01 * np.tile(np.arange(-2.0, 3.0)[:, None], (1, 4))
    slopes[:, 2] += 0.02
    slopes[:, 3] += 0.2
    found = _grown(slopes, errors, -0.5)
    assert found is not None
    assert (found.column, found.first) == (2, 0)
    assert found.slope == pytest.approx(-0.98)
    spread = 1.4826 * 0.015
    stderr = 1.2533 * spread / math.sqrt(5.0)
    assert (found.spread, found.stderr) == (pytest.approx(spread), pytest.approx(stderr))
    assert found.unseen == pytest.approx(2.0 * stderr)
    errors[:, 0] = 0.051
    later = _grown(slopes, errors, -0.5)
    assert later is not None
    assert later.first == 1
    assert _grown(slopes, errors, -2.0) is None


@pytest.mark.parametrize(("most", "small"), [(0.0102, True), (0.0098, False)])
def test_values_that_are_small_for_sure(most: float, small: bool) -> None:
    assert bool(_is_small(np.full(9, 0.01), np.full(9, 1e-4), most)) is small
    scatter = 3.0 * 1.2533 * 0.008 / 3.0
    assert bool(_is_small(np.zeros(9), np.full(9, 0.008), scatter * most / 0.01)) is small


def test_the_spacing_of_samples() -> None:
    height = np.array([0.0, 1.0, 2.0, 5.0, 0.0, 3.0, 6.0]) * NM
    assert spacing(np.array([0, 3, 4, 7]), height) == pytest.approx(2 * NM)
    assert math.isnan(spacing(np.array([0, 1]), height))


def test_walls_after_which_nothing_turns() -> None:
    """Straight from the turn on, too flat to be a wall, bent all along, or no wall at all."""
    height = np.tile(np.linspace(80 * NM, -60 * NM, 1401), 8)
    made = block(8, 1401, height=height, deflection=np.maximum(-height, 0.0))
    rng = np.random.default_rng(3)
    noise = 0.02 * NM * rng.standard_normal(len(made.height))
    for deflection in (made.deflection, 0.4 * made.deflection, 0.0 * made.deflection):
        assert turned_friction(made.begin, made.height, deflection + noise) == 0.0
    rubbed = np.where(made.height < -56 * NM, 56 * NM, made.deflection)
    found = turned_friction(made.begin, made.height, rubbed + noise)
    assert found == pytest.approx(1.5 * 4 * NM, abs=1.6 * NM)
    short = block(2, samples=5)
    assert turned_friction(short.begin, short.height, short.deflection) == 0.0
    assert turned_friction(made.begin, 0.0 * made.height, made.deflection) == 0.0


# ---------------------------------------------------------------- reading


def timed(lengths: tuple[int, ...]) -> nrm.CurveSet:
    total = sum(lengths)
    channels = {"height": (np.arange(total, 0.0, -1.0) * NM, "m")}
    channels |= {"deflection": (np.zeros(total), "m")}
    channels["time"] = (np.concatenate([1e-3 * np.arange(n) for n in lengths]), "s")
    rows = np.array(lengths)
    segments = [(i, 0, n, "approach") for i, n in enumerate(lengths)]
    kinds = [("curve", np.int64), ("start", np.int64), ("stop", np.int64), ("kind", "U16")]
    return nrm.CurveSet.from_arrays(channels, rows, np.array(segments, kinds))


def test_times_between_samples() -> None:
    """A curve of one sample has none, also where it is the last."""
    curves = timed((3, 1, 2, 1))
    found = intervals(curves, parts(curves, "approach"), np.arange(4))
    np.testing.assert_allclose(found, [1e-3, np.nan, 1e-3, np.nan])


def test_few_signals_are_read_once(tmp_path: Path) -> None:
    timed((3, 2)).save(tmp_path / "curves.h5")
    curves = nrm.open(tmp_path / "curves.h5")
    read = read_once(curves, plan(in_phase=None, quadrature=None))
    for name in ("height", "deflection", "time"):
        assert not isinstance(curves.channels[name].column, ArrayColumn)
        assert isinstance(read.channels[name].column, ArrayColumn)
        np.testing.assert_array_equal(read.read(name), curves.read(name))


# ---------------------------------------------------------------- contacts by hand


def by_hand(hand: ContactByHand | None, records: Any, made: Block) -> tuple[Any, Any]:
    referenced = Referenced(records, made.deflection, np.zeros(1, np.int64))
    moved, stderr = moved_contacts(made, referenced, np.array([0.1 * NM]), [hand], 0.5 * NM)
    return moved.contacts[0], stderr[0]


def test_a_contact_by_hand_takes_its_errors_along() -> None:
    """At 3 nm, less 0.5 nm of drag; without an error of its own, that found and one step."""
    records = contacts(1, other_contact=0.2 * NM, half_contact=-0.3 * NM, outer_contact=0.4 * NM)
    made = block(samples=1001)
    record, stderr = by_hand(ContactByHand(3 * NM), records, made)
    assert record["contact"] == pytest.approx(2.5 * NM)
    assert record["other_contact"] == pytest.approx(2.7 * NM)
    assert record["half_contact"] == pytest.approx(2.2 * NM)
    assert record["outer_contact"] == pytest.approx(2.9 * NM)
    assert stderr == record["stderr"] == pytest.approx(math.hypot(0.1, 0.1) * NM)
    record, stderr = by_hand(ContactByHand(3 * NM, 0.7 * NM), records, made)
    assert stderr == record["stderr"] == 0.7 * NM
    for none in (None, ContactByHand(500 * NM)):
        record, stderr = by_hand(none, records, made)
        assert (record["contact"], stderr) == (0.0, 0.1 * NM)


def test_a_curve_without_a_contact_needs_a_baseline_for_one() -> None:
    records = contacts(1, contact=math.nan, stderr=math.nan)
    made = block(samples=1001)
    record, _ = by_hand(ContactByHand(3 * NM), records, made)
    assert record["contact"] == pytest.approx(2.5 * NM)
    assert record["baseline_end"] > 100
    assert record["baseline_slope"] == pytest.approx(0.0, abs=1e-9)
    broken = block(samples=1001, deflection=np.full(1001, np.nan))
    short = block(samples=7)
    for nothing in (broken, short):
        record, stderr = by_hand(ContactByHand(3 * NM), records, nothing)
        assert math.isnan(record["contact"])
        assert stderr == 0.1 * NM


def test_walls_of_one_kind_and_of_several() -> None:
    """What noise adds is taken off the spread; rare modes are counted with their neighbours."""
    slopes, errors = np.full((8, 1), -1.0), np.full((8, 1), 0.01)
    grown = _Grown(slope=-1.0, stderr=0.1, unseen=0.0, spread=0.03, column=0, first=0)
    mode = _one_mode(slopes[:, 0], errors[:, 0], grown, -0.8)
    assert mode.width == pytest.approx(math.sqrt(0.03**2 - 0.01**2 * (1.0 + 4.0 * 0.5)))
    assert (mode.slope, mode.stderr, mode.share) == (-1.0, 0.1, 1.0)
    assert _are_walls((MODE, SOFT), -1.004)
    assert not _are_walls((MODE, SOFT), -1.006)
    assert not _are_walls((MODE, replace(SOFT, width=0.031)), -1.0)
    for counts, kinds in (((11, 89), 2), ((9, 91), 1), ((95, 6), 2), ((96, 4), 1), ((2.9, 20), 1)):
        mixture = _Mixture(
            centres=np.array([-0.9, -1.0]),
            widths=np.array([0.01, 0.01]),
            counts=np.array(counts[::-1], float),
            likelihood=0.0,
        )
        found = _resolved(mixture, 0.01)
        assert len(found) == kinds
        if kinds == 2:
            share = counts[0] / sum(counts)
            assert found[0].share == pytest.approx(share)
            assert found[0].stderr == pytest.approx(math.sqrt(2e-4 / counts[0]))
