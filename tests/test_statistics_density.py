"""Densities: against exact estimates, at the edges, and what is said of weak data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from made_results import results_of
from scipy.stats import gaussian_kde

from nrm_plugin import NrmError
from nrm_plugin import statistics as st
from nrm_plugin.statistics.bandwidth import linear_counts, plug_in, smoothed, without_binning


class Diagonal(gaussian_kde):
    """The exact estimate with a bandwidth of its own in each dimension."""

    def __init__(self, points, bandwidth):
        self.bandwidth = np.asarray(bandwidth)
        super().__init__(points)

    def _compute_covariance(self):
        self.factor = 1.0
        self.covariance = np.diag(self.bandwidth**2)
        self.cho_cov = np.diag(self.bandwidth)
        self.log_det = 2 * np.log(self.bandwidth * np.sqrt(2 * np.pi)).sum()


def two_populations(n, m=100, seed=0):
    """|G*| around 1 and 2.5 MPa at the electrode, falling with depth."""
    rng = np.random.default_rng(seed)
    depth = np.arange(m) * 0.5e-9
    kind = np.where(rng.random((n, 1)) < 0.4, 1.0, 2.5)
    size = 1e6 * kind * (0.3 + np.exp(-depth / 10e-9)) * np.exp(0.15 * rng.standard_normal((n, m)))
    return 3.0 * size * np.exp(0.3j)  # G* is a third of E*


def integral(found):
    value = np.log10(found.value) if found.log else found.value
    return np.nansum(found.values) * np.diff(found.depth)[0] * np.diff(value)[0]


def test_exact_estimate_is_met():
    """Within 1e-3 of the largest density, of 1e5 points, with the same bandwidths."""
    values = two_populations(1000)
    found = st.density(results_of(values), reflect=False)
    depth = np.broadcast_to(np.arange(100) * 0.5e-9, values.shape)
    exact = Diagonal(np.stack([depth.ravel(), np.abs(values).ravel() / 3]), found.bandwidth)
    rows, columns = np.random.default_rng(1).integers(0, 256, (2, 40))
    expected = exact(np.stack([found.depth[rows], found.value[columns]]))
    np.testing.assert_allclose(
        found.values[rows, columns], expected, rtol=0, atol=2e-4 * found.values.max()
    )
    assert expected.max() > 0.2 * found.values.max()


@pytest.mark.parametrize(
    "options", [{}, {"log": True}, {"variable": "shear_storage_modulus"}, {"size": (64, 512)}]
)
def test_the_integral_is_one(options):
    assert integral(st.density(results_of(two_populations(300)), **options)) == pytest.approx(
        1.0, abs=0.005
    )


def test_conditional_density_at_every_depth():
    found = st.density(results_of(two_populations(300)), conditional=True)
    per_depth = found.values.sum(1) * np.diff(found.value)[0]
    np.testing.assert_allclose(per_depth, 1.0, atol=1e-9)


@pytest.mark.parametrize("reflect", [True, False])
def test_mass_near_the_valid_depth(reflect):
    """Curves begin at 1, 1.5 or 3 nm: the mass in their first 2 nm, each from its own beginning.

    One value per curve and depth, so the truth is a density that is even over each curve's depths.
    """
    values = two_populations(900)
    depth = np.arange(100) * 0.5e-9
    begin = np.repeat([1e-9, 1.5e-9, 3e-9], 300)
    values[depth < begin[:, None] - 1e-12] = np.nan
    found = st.density(results_of(values), bandwidth=(1e-9, 1e5), reflect=reflect, size=(400, 64))
    margin = found.values.sum(1) * np.diff(found.value)[0]
    edges = np.r_[begin[::300] - 0.25e-9, 49.75e-9]
    total = np.isfinite(values).sum() * 0.5e-9
    true = np.array([300, 600, 900, 900]) / total  # per m, from each beginning on
    first = (found.depth > edges[0]) & (found.depth < edges[0] + 2e-9)
    here = np.searchsorted(edges, found.depth[first]) - 1
    share = margin[first].sum() / true[here].sum()
    if reflect:
        assert share == pytest.approx(1.0, abs=0.03)
        assert not found.values[found.depth < edges[0] - 0.2e-9].any()
    else:
        assert share < 0.96


def test_magnitudes_lose_no_mass_at_zero():
    """Half-normal magnitudes: the density at 0 is sqrt(2 / pi) per standard deviation."""
    rng = np.random.default_rng(2)
    values = 3e6 * np.abs(rng.standard_normal((2000, 20)))
    found = st.density(results_of(values + 0j), conditional=True)
    assert found.value[0] < 0.05e6
    np.testing.assert_allclose(found.values[:, 0].mean() * 1e6, np.sqrt(2 / np.pi), rtol=0.05)


def test_noise_floor_and_weak_values():
    """Pure noise of 0.3 MPa in E*, 0.1 in G*: 1.2533 times it is the mean of magnitudes."""
    rng = np.random.default_rng(3)
    noise = 3e5 * (rng.standard_normal((500, 40)) + 1j * rng.standard_normal((500, 40)))
    strong = np.where(np.arange(40) < 20, 9e6, 0.0)
    found = st.density(results_of(noise + strong, stderr=3e5))
    far = found.depth > 12e-9
    shown = np.abs(noise[:, 25:]).mean() / 3
    np.testing.assert_allclose(found.floor[far], shown, rtol=0.02)
    assert found.n_values == 500 * 40
    assert 0.45 < found.n_weak / found.n_values < 0.5
    at = np.argmin(np.abs(found.value - 0.1e6)), np.argmin(np.abs(found.value - 3e6))
    assert found.hatched[far][:, at[0]].all()
    assert not found.hatched[found.depth < 8e-9][:, at[1]].any()
    assert found.values[far][:, at[0]].min() > 0.0


def test_components_have_no_floor_and_can_be_negative():
    found = st.density(results_of(two_populations(50) - 5e6), variable="storage_modulus")
    assert np.isnan(found.floor).all()
    assert found.value[0] < -4e6


def test_nothing_one_curve_and_one_value():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        none = st.density(results_of(np.ones((0, 30))))
        hollow = st.density(results_of(np.full((3, 30), np.nan)), log=True)
        one = st.density(results_of(two_populations(1)))
        same = st.density(results_of(np.full((5, 30), 3e6 + 0j)))
    for found in (none, hollow):
        assert found.n_values == 0
        assert "there are no values" in found.warnings
        assert found.values.shape == (256, 256)
    assert integral(one) == pytest.approx(1.0, abs=0.02)
    assert same.value[same.values.sum(0).argmax()] == pytest.approx(1e6, rel=0.02)


@pytest.mark.parametrize(
    "options",
    [
        {"variable": "storage_modulus", "log": True},
        {"size": (2, 2)},
        {"size": (10**6, 256)},
        {"bandwidth": (0.0, 1.0)},
        {"bandwidth": (1e-9, np.nan)},
        {"variable": "modulus"},
    ],
)
def test_bad_arguments_have_names(options):
    with pytest.raises(NrmError):
        st.density(results_of(np.ones((3, 30))), **options)


# Bandwidths


def test_plug_in_of_a_normal_sample():
    """The best bandwidth of a normal density is 1.06 sigma n**(-1/5)."""
    rng = np.random.default_rng(4)
    n = 20_000
    found = []
    for _ in range(5):
        counts = linear_counts(rng.standard_normal((n, 1)), -6.0, 12 / 1024, 1024)[0]
        found.append(plug_in(counts, 12 / 1024, n))
    assert np.mean(found) == pytest.approx(1.06 * n**-0.2, rel=0.08)


def test_plug_in_follows_narrow_modes():
    """Two modes 20 sigma apart: nearly the bandwidth of each with half of the values."""
    rng = np.random.default_rng(5)
    n = 20_000
    x = rng.standard_normal((n, 1)) + 20.0 * (rng.random((n, 1)) < 0.5)
    found = plug_in(linear_counts(x, -6.0, 40 / 1024, 1024)[0], 40 / 1024, n)
    assert found == pytest.approx(1.06 * (n / 2) ** -0.2, rel=0.15)


def test_plug_in_without_values():
    assert np.isnan(plug_in(np.zeros(64), 1.0, 10))
    assert np.isnan(plug_in(np.eye(64)[5], 1.0, 10))


def test_smoothing_is_exact_and_reflects():
    cells, sigma = 200, 6.3
    counts = np.zeros(cells)
    counts[[3, 120]] = 1.0, 2.0
    at = np.arange(cells)

    def bell(centre):
        return np.exp(-0.5 * ((at - centre) / sigma) ** 2) / sigma / np.sqrt(2 * np.pi)

    expected = bell(3) + bell(-4) + 2 * bell(120)
    np.testing.assert_allclose(smoothed(counts, sigma), expected, atol=1e-12)


def test_binning_is_taken_out_of_the_bandwidth():
    """Many values spread evenly over a cell, smoothed: the variance asked for."""
    values = np.linspace(0.0, 1.0, 10_001)[:-1, None] + 50.0
    counts = linear_counts(values, 0.0, 1.0, 100)[0]
    shape = smoothed(counts, without_binning(2.0, 1.0)) / counts.sum()
    at = np.arange(100) + 0.5
    mean = shape @ at
    assert mean == pytest.approx(50.5, abs=1e-3)
    assert shape @ (at - mean) ** 2 == pytest.approx(4.0 + 1 / 12, rel=1e-3)


def test_counts_ignore_what_is_outside():
    values = np.array([[np.nan], [-1e9], [1e9], [5.0]])
    counts, marked = linear_counts(values, 0.0, 1.0, 10, values == 5.0)
    np.testing.assert_allclose(counts, [[0, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0]])
    np.testing.assert_allclose(marked, counts)
