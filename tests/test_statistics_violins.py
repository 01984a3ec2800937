"""Distributions within bins, and how many modes they have."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from made_results import results_of
from scipy.integrate import trapezoid
from scipy.optimize import linprog

from nrm_plugin import NrmError
from nrm_plugin import statistics as st
from nrm_plugin.statistics.depth_bins import noise_of_mean, window_correlation
from nrm_plugin.statistics.dip import dip
from nrm_plugin.statistics.modes import modes
from nrm_plugin.variables import BIT

DEPTH = np.arange(61) * 0.5e-9


def region(curves, label="0.5-1.0 V"):
    return st.Region(label, 0.5, 1.0, np.arange(curves) if np.ndim(curves) == 0 else curves)


# Violins


def test_one_value_per_curve_and_bin():
    """The mean complex value first, then its magnitude: opposite halves cancel."""
    values = np.full((3, 61), 3e6 + 0j)
    values[1] *= 2.0
    values[2] *= np.where(np.arange(61) % 2, -1.0, 1.0)  # 10 values from 5 to 10 nm
    first, second, third = st.violins(results_of(values), [region(3)])
    np.testing.assert_allclose(second.values, [1e6, 2e6, 0.0], atol=1e-6)
    assert second.label == "5-10 nm"
    assert (second.n, second.median) == (3, 1e6)
    assert (first.n, third.label) == (3, "10-20 nm")


def test_the_first_bin_begins_where_curves_have_values():
    values = np.full((5, 61), 3e6 + 0j)
    values[:, DEPTH < 1.4e-9] = np.nan
    values[0, DEPTH < 1.9e-9] = np.nan
    values[1, DEPTH < 4.4e-9] = np.nan  # less than half of 1.5 to 5 nm
    first = st.violins(results_of(values), [region(5)])[0]
    assert first.label == "1.5-5 nm"
    assert first.low == pytest.approx(1.5e-9)
    assert first.curves.tolist() == [0, 2, 3, 4]
    assert first.too_few_depths == 1
    assert any("left out" in word for word in first.warnings)


def test_outline_and_quartiles():
    rng = np.random.default_rng(0)
    sizes = np.abs(rng.normal(2e6, 0.5e6, 400))
    found = st.violins(results_of(3.0 * sizes[:, None] * np.ones(61)), [region(400)])[1]
    assert trapezoid(found.density, found.value) == pytest.approx(1.0, abs=0.01)
    assert found.value.min() >= 0.0
    np.testing.assert_allclose(found.quartiles, np.quantile(sizes, [0.25, 0.5, 0.75]))
    assert found.value[found.density.argmax()] == pytest.approx(2e6, rel=0.15)
    assert (found.modes, found.unit) == (1, "Pa")


def test_two_populations_are_seen():
    rng = np.random.default_rng(1)
    sizes = np.where(rng.random(300) < 0.4, 1e6, 3e6) * np.exp(0.15 * rng.standard_normal(300))
    found = st.violins(results_of(3.0 * sizes[:, None] * np.ones(61)), [region(300)])[0]
    assert (found.modes, found.p <= 0.05) == (2, True)


def test_noise_floor_of_a_bin():
    """Noise of 0.3 MPa in E* that neighbours share as the derivative's windows do."""
    rng = np.random.default_rng(2)
    u = np.linspace(-1, 1, 81)
    kernel = u * (1 - u**2) / np.sqrt(np.sum((u * (1 - u**2)) ** 2))
    white = rng.standard_normal((2, 2000, 61 * 10 + 80))
    shown = [
        np.apply_along_axis(np.convolve, 1, w, kernel, "valid")[:, ::10] for w in white[:, :500]
    ]
    noise = 3e5 * (shown[0] + 1j * shown[1])[:, :61]
    found = st.violins(results_of(noise, stderr=3e5), [region(500)])[2]
    assert found.floor == pytest.approx(found.values.mean(), rel=0.08)


def test_neighbouring_slopes_share_noise():
    correlation = window_correlation(np.array([0.0, 2e-9, 4e-9, 9e-9]), 2e-9)
    assert correlation[0] == pytest.approx(1.0)
    # u (1 - u^2) with itself moved by 1, over the integral of its square from -1 to 1.
    u = np.linspace(0, 1, 100_001)
    product = (u - 1) * (1 - (u - 1) ** 2) * u * (1 - u**2)
    assert correlation[1] == pytest.approx(trapezoid(product, u) / (16 / 105), abs=1e-3)
    np.testing.assert_allclose(correlation[2:], 0.0, atol=1e-12)
    far = np.array([[2.0, 2.0, np.nan]])
    np.testing.assert_allclose(
        noise_of_mean(far, np.array([0.0, 10e-9, 20e-9]), 2e-9), 2 / np.sqrt(2)
    )


def test_nothing_one_and_few():
    values = 3e6 * np.ones((12, 61)) * np.linspace(1, 2, 12)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = st.violins(
            results_of(values, quality=np.r_[np.zeros(8, int), np.full(4, BIT["saturated"])]),
            [region(0), region(1), region(8), region(np.arange(8, 12))],
        )
        hollow = st.violins(results_of(values * np.nan), [region(3)])
    none, one, few, flagged = made[1::3]
    assert (none.n, none.modes) == (0, 0)
    assert none.warnings == ("there are no curves",)
    assert (one.n, one.modes, one.density.size) == (1, 0, 0)
    assert one.quartiles == (1e6, 1e6, 1e6)
    assert "too few to count modes" in few.warnings[0]
    assert few.density.size > 0
    assert "4 are flagged" in flagged.warnings[0]
    assert [violin.n for violin in hollow] == [0, 0, 0]


@pytest.mark.parametrize("bins", [[(5e-9, 5e-9)], [(-1e-9, 5e-9)], [(5e-9, np.nan)]])
def test_bins_that_are_none(bins):
    with pytest.raises(NrmError, match="bins"):
        st.violins(results_of(np.ones((3, 61))), [region(3)], bins)


# Modes


def farthest_from_one_mode(x) -> float:
    """The dip by its definition: the nearest distribution with one mode, found as a linear program.

    Unknown are its values at the sample, with a jump allowed at the mode; convex before it,
    concave behind. Values may be tied; half a value is the least dip there is.
    """
    x, ties = np.unique(x, return_counts=True)
    after = np.cumsum(ties) / ties.sum()
    before = after - ties / ties.sum()
    n = len(x)
    best = 1.0
    for mode in range(n):
        left, right = list(range(mode + 1)), list(range(mode + 1, n + 1))
        rows, limits = [], []

        def add(limit, rows=rows, limits=limits, **terms):
            row = np.zeros(n + 2)
            for name, factor in terms.items():
                row[int(name[1:])] += factor
            rows.append(row)
            limits.append(limit)

        distance = f"v{n + 1}"
        for numbers, places in ((left, range(mode + 1)), (right, range(mode, n))):
            for v, i in zip(numbers, places, strict=True):
                if numbers is left or i != mode:
                    add(before[i], **{f"v{v}": 1.0, distance: -1.0})
                if numbers is right or i != mode:
                    add(-after[i], **{f"v{v}": -1.0, distance: -1.0})
        add(0.0, **{f"v{mode}": 1.0, f"v{mode + 1}": -1.0})
        for numbers, at, sign in ((left, x[: mode + 1], 1.0), (right, x[mode:], -1.0)):
            for a, b in itertools.pairwise(numbers):
                add(0.0, **{f"v{a}": 1.0, f"v{b}": -1.0})
            for j in range(len(numbers) - 2):
                one, two = at[j + 1] - at[j], at[j + 2] - at[j + 1]
                add(
                    0.0,
                    **{
                        f"v{numbers[j]}": -sign / one,
                        f"v{numbers[j + 1]}": sign * (1 / one + 1 / two),
                        f"v{numbers[j + 2]}": -sign / two,
                    },
                )
        goal = np.zeros(n + 2)
        goal[-1] = 1.0
        solved = linprog(goal, A_ub=np.array(rows), b_ub=limits, bounds=(0, 1))
        if solved.success:
            best = min(best, solved.fun)
    return max(best, 0.5 / ties.sum())


@pytest.mark.parametrize("n", [6, 13, 24])
@pytest.mark.parametrize("apart", [0.0, 4.0])
def test_dip_by_its_definition(n, apart):
    rng = np.random.default_rng(n)
    x = rng.standard_normal(n) + apart * (rng.random(n) < 0.5)
    assert dip(x) == pytest.approx(farthest_from_one_mode(x), abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("apart", [0.0, 4.0])
def test_dip_of_rounded_values_by_its_definition(seed, apart):
    rng = np.random.default_rng(seed)
    x = (2.0 * rng.standard_normal(24) + apart * (rng.random(24) < 0.4)).round()
    assert dip(x) == pytest.approx(farthest_from_one_mode(x), abs=1e-9)


def test_dips_that_are_known():
    assert dip(np.arange(10.0)) == pytest.approx(1 / 20)  # evenly spaced: the smallest there is
    assert dip(np.array([3.0])) == pytest.approx(1 / 2)
    assert dip(np.r_[np.zeros(50), np.ones(50)]) == pytest.approx(1 / 4)  # the largest there is
    assert dip(np.r_[np.zeros(99), 1.0]) == pytest.approx(1 / 200)  # nearly all at the mode


def test_one_mode_is_rarely_taken_for_two():
    """At a level of 5 %: 40 samples of each kind, 8 of them more than five would be 1 in 10^4."""
    rng = np.random.default_rng(3)
    for draw in (
        lambda: rng.standard_normal(80),
        lambda: np.exp(0.5 * rng.standard_normal(80)),
        lambda: rng.rayleigh(size=80),
    ):
        assert sum(modes(draw(), 59).count > 1 for _ in range(40)) <= 7


@pytest.mark.parametrize("count", [2, 3])
def test_modes_that_lie_apart_are_counted(count):
    rng = np.random.default_rng(4)
    x = rng.standard_normal(300) + 6.0 * rng.integers(0, count, 300)
    found = modes(x)
    assert found.count == count
    assert found.p <= 0.02


def test_modes_are_the_same_every_time():
    x = np.random.default_rng(5).standard_normal(50)
    assert modes(x) == modes(x[::-1])


@pytest.mark.parametrize("values", [[], [1.0] * 20, [np.nan] * 20, [1.0, 2.0, 3.0]])
def test_modes_of_too_little(values):
    found = modes(np.array(values))
    assert found.count == 0
    assert np.isnan(found.p)
