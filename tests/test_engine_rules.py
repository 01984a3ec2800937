"""Rules of the engine on numbers: lateral baselines, flags, slopes, fringes and sentences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from made_evidence import DEPTH, NM, contacts, evidence, plan, survey

import nrm_plugin as nrm
from nrm_plugin.engine.checks import lateral_flags, on_the_wall, refuse_wrong_signs
from nrm_plugin.engine.checks.doubts import _below, _of_fringes, _of_lag
from nrm_plugin.engine.contact import Referenced
from nrm_plugin.engine.derivative import lever_for
from nrm_plugin.engine.fringes import (
    Fringe,
    _about_line,
    _alike,
    _means,
    _sought,
    _uneven,
    shared_fringe,
)
from nrm_plugin.engine.lateral_baseline import LateralBaseline, is_level, lateral_baseline
from nrm_plugin.engine.normal_channel import normal_channel
from nrm_plugin.engine.sampled_curves import SampledCurves
from nrm_plugin.engine.shape_factor import shape_factor
from nrm_plugin.engine.signals import Block
from nrm_plugin.engine.surface import surface_slope
from nrm_plugin.engine.wall_slopes import _Grown, _lengths, _tail_of, _windows
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.geometry import Layer, Tip
from nrm_plugin.fea.shape_table import look_up
from nrm_plugin.kernels import LATERAL_BASELINE, LATERAL_CHECK, NORMAL_CHANNEL
from nrm_plugin.variables import BIT, NORMAL_BIT

# ---------------------------------------------------------------- lateral baselines


def far(x: float, y: float = 0.0, *, n: int = 9, scatter: float = 0.0, **values: Any) -> Any:
    """Slopes in mN/m of baselines of 150 nm whose noise makes them uncertain by 1 mN/m."""
    made = np.zeros(n, LATERAL_BASELINE)
    usual: dict[str, Any] = {"noise_in_phase": 1e-3, "noise_quadrature": 1e-3, "spread": 1.0}
    usual |= {"correlation": 1.0, "length": 150 * NM, "rise_in_phase": 0.0}
    side = scatter * np.resize([-1.0, 1.0], n)
    side[-1] = 0.0
    usual |= {"slope_in_phase": (x + side) * 1e-3, "slope_quadrature": y * 1e-3}
    for name, value in (usual | values).items():
        made[name] = value
    return made


REACH = 60 * NM

#: Standard error of the median of nine slopes, mN/m.
ERROR = 1.2533 / 3.0


@pytest.mark.parametrize(
    ("given", "other", "line", "words"),
    [
        ({"x": 4.9 * ERROR}, None, False, "the signal is level there"),
        ({"x": 5.1 * ERROR}, None, True, "it drifts, as no layer makes it"),
        ({"x": -5.1 * ERROR}, None, False, "the other direction would tell"),
        ({"x": 3.6 * ERROR, "y": 3.6 * ERROR}, None, True, "as no layer makes it"),
        ({"x": 0.0, "scatter": 2.0}, None, False, "the signal is level there"),
        ({"x": 0.0, "scatter": 2.1}, None, True, "differ by more than noise"),
        ({"x": 5.1 * ERROR, "correlation": 4.0}, None, False, "the signal is level there"),
        ({"x": 5.1 * ERROR, "spread": 0.25}, None, False, "the signal is level there"),
        ({"x": -9.0, "bend_in_phase": 9.1e-3}, None, False, "it bends there"),
        ({"x": -9.0, "bend_in_phase": 8.3e-3}, None, False, "the other direction would tell"),
        ({"x": -20.0, "bend_in_phase": 9.9e-3}, None, False, "the other direction would tell"),
        ({"x": -20.0, "bend_quadrature": 10.1e-3}, None, False, "it bends there"),
        ({"x": -9.0}, {"x": 1.0}, True, "with another sign in the other direction"),
        ({"x": -9.0}, {"x": -1.0}, False, "alike in both directions"),
        ({"x": -9.0}, {"x": 1.0, "n": 2}, False, "the other direction would tell"),
        ({"x": -9.0, "y": 2.9 * ERROR}, None, False, "the other direction would tell"),
        ({"x": -9.0, "y": 3.1 * ERROR}, None, True, "as no layer makes it"),
        ({"x": -2.0, "y": -(4.0 + 2.9 * ERROR)}, None, False, "the other direction would tell"),
        ({"x": -2.0, "y": -(4.0 + 3.1 * ERROR)}, None, True, "as no layer makes it"),
        ({"x": -9.0, "rise_in_phase": 1.07e-9}, None, False, "the other direction would tell"),
        ({"x": -9.0, "rise_in_phase": 1.09e-9}, None, True, "or else a layer that fills"),
        (
            {"x": -9.0, "rise_in_phase": 1.09e-9, "length": 119 * NM},
            None,
            False,
            "the other direction would tell",
        ),
    ],
)
def test_a_mean_or_a_line(given: Any, other: Any, line: bool, words: str) -> None:
    """Sure from five errors on; a drift has another sign on the way back, or no layer's."""
    found = lateral_baseline(far(**given), None if other is None else far(**other), REACH)
    assert found.line is line
    assert words in found.why
    assert found.why.startswith("a line of each curve is" if line else "the mean far away is")
    assert found.slope_in_phase == pytest.approx(given["x"] * 1e-3, abs=1e-12)
    assert found.slope == pytest.approx(math.hypot(given["x"], given.get("y", 0.0)) * 1e-3)
    assert is_level(far(**given), REACH) == ("level" in words)


def test_baselines_of_which_nothing_is_decided() -> None:
    assert LateralBaseline().line is False
    assert survey().lateral == LateralBaseline()
    for given in ({"n": 2}, {"length": 29.9 * NM}, {"spread": 0.0}):
        found = lateral_baseline(far(9.0, **given), None, REACH)
        assert (found.line, math.isnan(found.slope)) == (False, True)
        assert "too short or too few" in found.why
        assert is_level(far(9.0, **given), REACH)
    assert lateral_baseline(far(9.0, n=3, length=30.1 * NM), None, REACH).line


def test_what_curves_are_differentiated_with() -> None:
    recipe = nrm.Recipe()
    found = lever_for(recipe, plan(), survey(slope=-1.25, spacing=1 * NM))
    assert found.half_width == pytest.approx(max(2.6 * NM, recipe.derivative.half_width))
    assert (found.amplitude, found.lateral_stiffness) == (1 * NM, 26.0)
    assert found.wall_slope == pytest.approx(1.25)
    assert found.doubt == pytest.approx(0.25)
    assert not found.lateral_line
    told = recipe.replace(**{"contact.distance": "told", "series_compliance": False})
    found = lever_for(told, plan(), survey(slope=-1.25, lateral=LateralBaseline(line=True)))
    assert (found.wall_slope, found.lateral_stiffness) == (1.0, 0.0)
    assert found.doubt == pytest.approx(0.5)
    assert found.lateral_line


# ---------------------------------------------------------------- slopes of walls


def test_what_half_of_a_window_says_of_a_tail() -> None:
    """4/3 of the median difference and its error; nothing of windows that have grown threefold."""
    windows = np.array([8, 12, 16, 24, 25])
    slopes = np.full((5, 5), -1.0)
    slopes[:, 3:] += np.array([0.01, 0.02, 0.03, 0.04, 0.05])[:, None]
    usual: dict[str, Any] = {"slope": -1.0, "stderr": 0.0, "unseen": 0.0, "spread": 0.0}
    grown = _Grown(**usual, column=3, first=0)
    error = 1.2533 * 1.4826 * 0.01 / math.sqrt(5.0)
    expected = 4.0 / 3.0 * math.hypot(0.03, error)
    assert _tail_of(slopes, grown, -0.5, windows) == pytest.approx(expected)
    assert _tail_of(slopes, _Grown(**usual, column=4, first=0), -0.5, windows) == 0.0
    assert _tail_of(slopes[:2], grown, -0.5, windows) == 0.0
    assert _tail_of(slopes[:3], grown, -0.5, windows) > 0.0
    few = _tail_of(slopes, grown, -0.965, windows)
    error = 1.2533 * 1.4826 * 0.01 / math.sqrt(3.0)
    assert few == pytest.approx(4.0 / 3.0 * math.hypot(0.02, error))


def test_windows_on_the_wall() -> None:
    """From 10 nm, 6 to 12 samples, growing by 15 % up to half of the longest curve."""
    for step, first in ((0.5, 12), (0.99, 10), (2.0, 6)):
        height = -step * NM * np.arange(80.0)
        found = _windows(np.array([0, 80]), height)
        assert found[0] == first
        assert 0.86 * 40 < found[-1] <= 40
        assert np.all(np.diff(found) <= 0.15 * found[:-1] + 1.0)
    assert _windows(np.array([0, 80]), np.zeros(80))[0] == 12
    assert not len(_windows(np.array([0, 11]), -NM * np.arange(11.0)))
    assert len(_windows(np.array([0, 20]), -NM * np.arange(20.0))) == 1
    lengths = _lengths(np.array([0, 80, 82]), -NM * np.arange(82.0), 10)
    np.testing.assert_allclose(lengths, [9 * NM, 1 * NM])


# ---------------------------------------------------------------- flags


def test_flags_of_the_normal_channel() -> None:
    found = np.zeros(9, NORMAL_CHANNEL)
    found["onset"], found["lateral_onset"], found["adhesion_at"] = 20 * NM, 20 * NM, math.nan
    records = contacts(9, baseline_end=100.0)
    found["onset"][1] = math.nan
    records["baseline_end"][2] = 99.0
    found["breaks"][3] = 1.0
    found["adhesion_at"][4] = 3 * NM
    found["lateral_onset"][5] = math.nan
    found["onset"][6], found["lateral_onset"][6] = 10 * NM, 15.1 * NM
    found["onset"][7], found["lateral_onset"][7] = 10 * NM, 14.9 * NM
    found["onset"][8], found["lateral_onset"][8] = 23.9 * NM, 18 * NM
    names = ("no_force", "never_free", "broke_through", "attracted", "no_lateral_onset")
    bits = [0, *(NORMAL_BIT[name] for name in names), NORMAL_BIT["onsets_apart"], 0, 0]
    given = {"samples": np.full(9, 1000), "inwards": True, "lateral": True}
    values = normal_channel(found, records, **given)
    np.testing.assert_array_equal(values["normal_quality"], bits)
    found["onset"][8] = 24.1 * NM
    again = normal_channel(found, records, **given)
    assert again["normal_quality"][8] == NORMAL_BIT["onsets_apart"]
    outwards = normal_channel(found, records, **given | {"inwards": False, "lateral": False})
    assert np.isnan(outwards["break_through_count"]).all()
    np.testing.assert_array_equal(
        outwards["normal_quality"], [0, *bits[1:3], 0, bits[4], 0, 0, 0, 0]
    )
    assert "lateral_onset" not in outwards


def test_flags_of_the_lateral_signal() -> None:
    """A power beyond 0.6 by three errors, where the law is straight."""
    lateral = np.zeros(5, LATERAL_CHECK)
    lateral["exponent"], lateral["stderr"] = [0.91, 0.89, 0.91, 0.0, math.nan], 0.1
    lateral["straight"], lateral["missing"] = [1, 1, 0, 1, 1], [0, 0, 0, 1, 0]
    expected = [BIT["slip"], 0, 0, BIT["missing_lateral"], 0]
    np.testing.assert_array_equal(lateral_flags(lateral), expected)
    lateral["wall_x"], lateral["wall_y"] = [0.0, 3e-9, 0.0, math.nan], [0.0, 4e-9, 9e-9, math.nan]
    found = on_the_wall(lateral, 26.0)
    np.testing.assert_allclose(found["wall_lateral_amplitude"], 9e-9 / 26.0)
    np.testing.assert_allclose(found["wall_lateral_phase"], math.pi / 2)
    assert np.isnan(on_the_wall(lateral, 0.0)["wall_lateral_amplitude"]).all()


def wrong(slopes: Any, *, rises: float = 1.0, **values: Any) -> None:
    n = len(slopes)
    height = np.tile(np.linspace(80 * NM, -20 * NM, 100), n)
    usual = {"wall_slope": slopes, "wall_length": 20 * NM, "wall_slope_stderr": 0.001}
    usual |= {"noise": 0.1 * NM}
    block = Block(
        begin=np.arange(n + 1) * 100,
        height=height,
        deflection=rises * np.maximum(-height, 0.0),
        in_phase=np.empty(0),
        quadrature=np.empty(0),
        travel=np.full(n, 100 * NM),
        interval=np.full(n, 1e-3),
        direction="approach",
    )
    records = contacts(n, **usual | values)
    refuse_wrong_signs(block, Referenced(records, block.deflection, np.zeros(n, np.int64)))


def test_signs_and_sensitivities_that_cannot_be() -> None:
    """More than half of the sure walls rise the other way, or by more than 2 nm per nm."""
    with pytest.raises(InvalidInput, match="Give deflection_sensitivity the other sign"):
        wrong([1.0] * 3 + [-1.0] * 2, rises=-1.0)
    with pytest.raises(InvalidInput, match="the height grows"):
        wrong([1.0] * 3 + [-1.0] * 2)
    with pytest.raises(InvalidInput, match=r"grows by 2.1 nm per nm.*too large by that factor"):
        wrong([-2.1] * 3 + [-1.0] * 2)
    wrong([1.0] * 2 + [-1.0] * 2)
    wrong([-1.99] * 5)
    wrong([0.09] * 5, wall_length=90 * NM)
    wrong([1.0] * 5, wall_slope_stderr=0.21)
    wrong([1.0] * 5, wall_length=1.9 * NM)
    with pytest.raises(InvalidInput):
        wrong([1.0] * 5, wall_slope_stderr=0.19)
    with pytest.raises(InvalidInput):
        wrong([1.0] * 5, wall_length=2.1 * NM)


# ---------------------------------------------------------------- surfaces


def test_the_slope_of_a_tilted_surface() -> None:
    """A plane of 0.3 in x and 0.4 in y; places on one line, and far ones, have no slope."""
    x, y = (v.ravel() * 100 * NM for v in np.meshgrid(np.arange(4.0), np.arange(4.0)))
    x, y = np.append(x, 5e-6), np.append(y, 5e-6)
    flat = np.zeros((17, 2))
    channels = {"height": (flat + np.array([1.0, 0.0]), "m"), "deflection": (flat, "m")}
    curves = nrm.CurveSet.from_arrays(channels, curve_table={"x": x, "y": y})
    height = 0.3 * x + 0.4 * y
    found = surface_slope(curves, height)
    np.testing.assert_allclose(found[:16], math.atan(0.5))
    assert math.isnan(found[16])
    height[5] = math.nan
    found = surface_slope(curves, height)
    assert math.isnan(found[5])
    np.testing.assert_allclose(np.delete(found, [5, 16]), math.atan(0.5))
    line = nrm.CurveSet.from_arrays(channels, curve_table={"x": x, "y": 0.0 * y})
    assert np.isnan(surface_slope(line, 0.3 * x)).all()
    commanded = curves.with_metadata({"height_source": "commanded"}, "given")
    assert np.isnan(surface_slope(commanded, 0.3 * x)).all()


# ---------------------------------------------------------------- fringes


def test_means_of_four_without_wild_samples() -> None:
    rng = np.random.default_rng(2)
    values = rng.standard_normal(80)
    values[5] = 1000.0
    found = _means(values.copy(), np.array([10, 20]))
    expected = values.reshape(-1, 4).mean(1)
    expected[1] = np.sort(values[4:8])[1:3].mean()
    np.testing.assert_allclose(found, expected)


def test_periods_that_are_sought() -> None:
    """Steps of 0.05 from 0.6 on; columns span a line, a sine and a cosine, orthonormal."""
    found = _sought(64, 3)
    assert found.shape == (3, 64, 4)
    u = np.linspace(0.0, 1.0, 64)
    for columns, cycles in zip(found, (0.6, 0.65, 0.7), strict=True):
        np.testing.assert_allclose(columns.T @ columns, np.eye(4), atol=1e-12)
        for y in (1.0 + 0 * u, u, np.sin(2 * np.pi * cycles * u), np.cos(2 * np.pi * cycles * u)):
            np.testing.assert_allclose(columns @ (columns.T @ y), y, atol=1e-9)


def test_baselines_that_are_alike() -> None:
    x = np.arange(10.0)
    side = np.resize([-1.0, 1.0], 10)
    pairs = [(x, size * side) for size in (1.0, 1.0, 1.0, 4.9, 5.1)]
    assert [float(y[1]) for _, y in _alike(pairs)] == [1.0, 1.0, 1.0, 4.9]
    assert _about_line(x, 3.0 + 2.0 * x) == pytest.approx(0.0, abs=1e-20)
    assert _about_line(np.zeros(4), np.array([1.0, -1.0, 1.0, -1.0])) == 4.0


def test_how_uneven_amplitudes_are() -> None:
    u = np.linspace(0.0, 1.0, 64)
    sizes = np.array([0.8, 0.9, 1.0, 1.1, 1.2])
    phases = np.arange(5.0)
    table = sizes[:, None] * np.sin(12.0 * u + phases[:, None]) + 3.0 - u
    assert _uneven(u, table, 12.0) == pytest.approx(1.4826 * 0.1)


@pytest.mark.parametrize(("periods", "left"), [(3.0, False), (0.7, True)])
def test_fringes_by_the_periods_that_baselines_hold(periods: float, left: bool) -> None:
    """From 0.8 of a period on for sure; 0.3 at least, and then contacts stay in doubt."""
    rng = np.random.default_rng(4)
    n, samples = 24, 1000
    height = np.linspace(200 * NM, -20 * NM, samples)
    wave = 2.0 * np.pi * periods / (200 * NM)
    phase = rng.uniform(0, 2 * np.pi, n)[:, None]
    deflection = np.maximum(-height, 0.0) + 1 * NM * np.sin(wave * height + phase)
    deflection += 0.05 * NM * rng.standard_normal((n, samples))
    block = Block(
        begin=np.arange(n + 1) * samples,
        height=np.tile(height, n),
        deflection=deflection.ravel(),
        in_phase=np.empty(0),
        quadrature=np.empty(0),
        travel=np.full(n, 220 * NM),
        interval=np.full(n, 1e-3),
        direction="approach",
    )
    found, clean = shared_fringe(block, spikes=False)
    assert found.wave == pytest.approx(wave, rel=0.01 if periods > 1.0 else 0.06)
    assert np.std(clean[:400]) < 0.1 * NM
    assert (found.left > 0.0) is left
    if periods > 1.0:
        assert found.amplitude == pytest.approx(1 * NM, rel=0.1)
        assert 1e-4 * wave < found.wave_stderr < 0.01 * wave


# ---------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, []),
        ({"told_lag": 0.0}, []),
        ({"told_lag": 1e-3, "timed": False}, ["no sample times"]),
        ({"time_constant": 0.0}, ["lockin_time_constant is not known"]),
        ({"timed": False}, ["no sample times"]),
        ({"poles": math.nan}, ["lockin_poles is not known"]),
    ],
)
def test_what_is_missing_for_the_lag(how: dict[str, Any], words: list[str]) -> None:
    said = list(_of_lag(plan(**how)))
    assert len(said) == len(words)
    assert all(word in one for word, one in zip(words, said, strict=True))


def test_means_below_zero_beyond_doubt() -> None:
    """Five standard errors, of three values at least."""
    side = np.array([-1.0, 1.0] * 8)
    error = side.std(ddof=1) / 4.0
    assert _below(side - 5.01 * error)
    assert not _below(side - 4.99 * error)
    assert not _below(side + 5.01 * error)
    assert not _below(np.array([-1.0, -1.1]))
    assert _below(np.array([-1.0, -1.01, -1.02, math.nan]))
    said = list(_of_fringes([survey(), survey(fringe=Fringe(wave=2 * math.pi / (250 * NM)))]))
    assert said == ["an interference fringe of period 250 nm was taken out"]


@pytest.mark.parametrize(("radius", "near"), [(10.0, [2.0, 10.0]), (20.0, [10.0])])
def test_what_is_said_of_a_tip_s_own_factor(radius: float, near: list[float]) -> None:
    """At 2 and 10 nm, as far as the table reaches."""
    curves = evidence(metadata={"tip_radius": radius * NM}).curves
    found = shape_factor("paper", curves, DEPTH)
    computed = look_up(Tip(radius * NM), Layer(100 * NM, poisson_ratio=0.5))
    values = computed.at(np.array(near) * NM)
    words = ", ".join(f"{v:.2g} at {z:g} nm" for v, z in zip(values, near, strict=True))
    assert f", and {words} from the electrode" in found.note
    assert f"a bonded cylindrical tip of {radius:g} nm in a layer of 100 nm" in found.case
    assert found.constant == computed.constant


@pytest.mark.parametrize("keep", [False, True])
def test_samples_are_kept_for_other_recipes_only_if_asked(keep: bool) -> None:
    sampled = SampledCurves(keep=keep)
    made = [
        sampled._made(("raw", number), lambda number=number: [number][:0]) for number in range(6)
    ]
    assert len(made) == 6
    asked: list[int] = []
    sampled._made(("raw", 5), lambda: asked.append(1) or [])
    assert asked == ([] if keep else [1])
    sampled._made(("raw", 0), lambda: asked.append(2) or [])
    assert asked[-1:] == [2]
