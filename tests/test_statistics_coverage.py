"""How often intervals of means hold the truth, and tests of modes their level, on difficult maps.

The full count stands in benchmarks/coverage_of_means.py; the bounds here leave what 100 maps of
one seed differ by.
"""

from __future__ import annotations

import numpy as np
import pytest
from made_results import correlated, map_places, results_of
from map_campaigns import CASES, coverage_of, few_lognormal, smooth

from nrm_plugin import statistics as st
from nrm_plugin.statistics.intervals import mean_interval, sampling
from nrm_plugin.statistics.modes import Modes, modes, surviving
from nrm_plugin.statistics.stripes import grid_of

BY_NAME = {case.name: case for case in CASES}


@pytest.mark.parametrize(
    "name",
    [
        "independent, lognormal 0.5",
        "Gaussian 3 px",
        "exponential 3 px",
        "lognormal 1.2, exponential 4 px",
        "patches 3 px",
        "patches 6 px",
        "stripes",
        "stripes, correlated 0.5",
    ],
)
def test_intervals_hold_what_is_promised(name):
    case = BY_NAME[name]
    found = coverage_of(case, 32, 100, 7)
    assert found.held >= case.least
    if not name.startswith("independent"):
        assert found.naive < 0.75


def test_without_correlation_intervals_are_hardly_wider():
    found = coverage_of(BY_NAME["independent, normal"], 32, 100, 7)
    assert 0.9 <= found.held <= 1.0
    assert found.width < 1.25
    assert found.effective == pytest.approx(1024)


def test_few_skewed_curves_hold_or_are_called_approximate():
    held, warned = few_lognormal(20, 1.2, 1000, 1)
    assert (held > 0.88, warned) == (True, 0.0)
    held, warned = few_lognormal(5, 1.2, 1000, 1)
    assert 0.79 <= held <= 0.89  # "tested coverage 83 %"
    assert warned == 1.0
    made = results_of(1e6 * np.exp(np.random.default_rng(0).standard_normal((5, 4))))
    assert "approximate: tested coverage 83 %" in st.mean_profile(made).attrs["warnings"]


def test_an_interval_is_as_skewed_as_its_values():
    """A quarter of stiff curves: the interval reaches farther up than down; the other way round."""
    values = np.r_[np.full(12, 1e6), np.full(4, 9e6)][:, None] * [1.0, -1.0]
    how = sampling(results_of(values), np.arange(16))
    found = mean_interval(values, how)
    up, down = found.high - found.mean, found.mean - found.low
    assert up[0] > 1.2 * down[0]
    np.testing.assert_allclose([up[1], down[1]], [down[0], up[0]])


def test_lines_that_differ_are_seen_with_columns_or_positions_and_either_way():
    """Offsets of 1 on scatter of 1: means of 16 lines err by 1/4, those of 256 curves by 1/16."""
    rng = np.random.default_rng(3)
    offsets = np.repeat(rng.standard_normal((16, 1, 60)), 16, axis=1)
    table = offsets + rng.standard_normal((16, 16, 60))
    rows, columns = (t.reshape(256, 60) for t in (table, table.transpose(1, 0, 2)))
    grid = map_places(16)
    positions = {name: grid[name] for name in "xy"}
    for values, where in ((rows, grid), (columns, grid), (rows, positions)):
        how = sampling(results_of(np.ones((256, 2)), **where), np.arange(256))
        error = np.median(mean_interval(values, how).stderr)
        assert error == pytest.approx(np.sqrt(1 / 16 + 1 / 256), rel=0.25)


def test_what_is_no_grid_has_no_lines():
    rng = np.random.default_rng(4)
    scattered = results_of(np.ones((100, 2)), x=rng.random(100) * 1e-6, y=rng.random(100) * 1e-6)
    assert grid_of(scattered, np.arange(100), np.arange(100)) is None
    small = results_of(np.ones((49, 2)), **map_places(7))
    assert grid_of(small, np.arange(49), np.arange(49)) is None


@pytest.mark.parametrize("kind", ["exponential", "Gaussian"])
def test_one_population_on_a_smooth_map_has_one_mode(kind):
    """30 maps correlated over 3 pixels: at most 7 % may be taken for two, that is 2."""
    rng = np.random.default_rng(5)
    maps = correlated(rng, 24, 3.0, 30) if kind == "exponential" else smooth(rng, 24, 2.0, 30)
    how = sampling(results_of(np.ones((576, 2)), **map_places(24)), np.arange(576))
    effective = mean_interval(maps, how).n_effective
    assert sum(modes(maps[:, k], 59, effective=effective[k]).count > 1 for k in range(30)) <= 2


def test_two_populations_are_found_with_250_curves():
    """3.5 standard deviations apart: promised in 80 %; 14 of 20 leave three standard deviations."""
    rng = np.random.default_rng(6)
    drawn = rng.standard_normal((250, 20)) + 3.5 * (rng.random((250, 20)) < 0.5)
    assert sum(modes(x).count == 2 for x in drawn.T) >= 14


def test_modes_need_independent_values():
    x = np.r_[np.zeros(50), np.ones(50)] + 0.1 * np.random.default_rng(7).standard_normal(100)
    assert modes(x).count == 2
    assert modes(x, effective=9.0).count == 0


def test_tests_that_are_made_together_share_their_level():
    one, two = Modes(1, 0.5), Modes(2, 0.04)
    assert surviving([two]) == [two]
    assert surviving([two, one, one]) == [Modes(1, 0.04), one, one]
    assert surviving([Modes(2, 0.001), two, one, Modes(0, np.nan)])[:2] == [
        Modes(2, 0.001),
        Modes(1, 0.04),
    ]
    assert surviving([two, two, two]) == [two, two, two]


def test_a_violin_has_no_more_bumps_than_modes():
    """Three clusters of a smooth map tell as much as three curves: one bump, and the reason."""
    values = 3e6 * (2 + np.repeat([0, 1, 2], 48) + 0.05 * np.random.default_rng(8).random(144))
    made = results_of(values[:, None] * np.ones(61), **map_places(12))
    found = st.violins(made, [st.Region("all", 0.5, 1.0, np.arange(144))])[0]
    assert found.n_effective < 10
    assert found.modes == 0
    assert "independent ones: too few to count modes" in " ".join(found.warnings)
    rising = np.diff(found.density) > 0
    assert np.sum(np.diff(rising.astype(int)) < 0) == 1


def test_noise_is_counted_where_it_is_shown():
    """Noise alone: below its mean size, 1.25 standard errors, are 54 % (Rayleigh)."""
    rng = np.random.default_rng(9)
    noise = 3e5 * (rng.standard_normal((600, 61)) + 1j * rng.standard_normal((600, 61)))
    made = results_of(noise, stderr=3e5)
    density = st.density(made)
    assert density.n_below / density.n_values == pytest.approx(1 - np.exp(-np.pi / 4), abs=0.01)
    assert density.n_effective == pytest.approx(600, rel=0.2)
    one = st.violins(made, [st.Region("all", 0.5, 1.0, np.arange(600))], [(0.0, 0.4e-9)])[0]
    assert one.below_floor == pytest.approx(0.544, abs=0.06)
    assert one.mean_low < 0.02e6 < one.floor
