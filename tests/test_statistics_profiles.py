"""Mean profiles: what is averaged, and whether intervals cover what they should."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from made_results import correlated, expected_profile, map_places, operando, results_of
from scipy import stats

from nrm_plugin import NrmError
from nrm_plugin import statistics as st
from nrm_plugin.variables import BIT


def covers(profile, truth):
    return (profile["low"].values <= truth) & (truth <= profile["high"].values)


# What is averaged


def test_independent_curves_have_students_interval():
    values = np.random.default_rng(0).normal(0, 1e6, (3, 20))
    values = 5e6 + np.concatenate([values, -values])  # as far above as below: no skewness
    found = st.mean_profile(results_of(values), "storage_modulus")
    reach = stats.t.ppf(0.975, 5) * values.std(0, ddof=1) / np.sqrt(6)
    np.testing.assert_allclose(found["mean"], values.mean(0))
    np.testing.assert_allclose(found["high"] - found["mean"], reach)
    assert found["n"].values.tolist() == [6] * 20
    np.testing.assert_allclose(found["n_effective"], 6.0)
    assert found.attrs["units"] == "Pa"
    assert "fewer than 10 effective" in found.attrs["warnings"]


def test_shear_moduli_and_magnitudes():
    """E* = 3 + 4i MPa: |E*| = 5, G' = 1, G'' = 4/3, |G*| = 5/3 MPa for a Poisson ratio of 1/2."""
    made = results_of(np.full((3, 5), 3e6 + 4e6j))
    expected = {
        "storage_modulus": 3e6,
        "modulus_magnitude": 5e6,
        "shear_storage_modulus": 1e6,
        "shear_loss_modulus": 4e6 / 3,
        "shear_modulus_magnitude": 5e6 / 3,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(st.mean_profile(made, name)["mean"], value)
    made = results_of(np.full((3, 5), 3e6 + 4e6j), poisson_ratio=0.25)
    np.testing.assert_allclose(st.mean_profile(made, "shear_modulus_magnitude")["mean"], 2e6)


def test_noise_does_not_raise_the_magnitude():
    """Pure noise of 1 MPa: single magnitudes are 1.25 MPa on average, that of the mean near 0."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1e6, (400, 30)) + 1j * rng.normal(0, 1e6, (400, 30))
    found = st.mean_profile(results_of(noise), "modulus_magnitude")
    assert found["mean"].max() < 0.2e6
    assert np.mean(found["low"].values == 0.0) > 0.8


@pytest.mark.parametrize("size", [0.0, 0.05, 0.1, 0.3, 1.0])
def test_intervals_of_magnitudes_cover(size):
    """For any ratio of the magnitude to its error (0.1 here), also where there is nothing."""
    rng = np.random.default_rng(2)
    draws = 2000  # as depths: each column is an experiment of its own
    values = size + rng.normal(0, 1, (100, draws)) + 1j * rng.normal(0, 1, (100, draws))
    found = st.mean_profile(results_of(values * 1e6), "modulus_magnitude")
    assert 0.93 <= covers(found, size * 1e6).mean() <= 0.97


def test_repeats_at_a_place_count_once():
    """Three places, one measured eight times: the mean is that of the places."""
    x = np.r_[np.zeros(8), 1e-6, 2e-6] + np.r_[np.arange(8) * 1e-9, 0, 0]
    values = np.r_[np.full(8, 1e6), 4e6, 7e6][:, None] * np.ones(12)
    made = results_of(values, x=x, y=np.zeros(10))
    found = st.mean_profile(made, "storage_modulus")
    np.testing.assert_allclose(found["mean"], 4e6)
    assert (int(found["n"][0]), int(found["n_places"][0])) == (10, 3)
    naive = st.mean_profile(made, "storage_modulus", interval="naive")
    np.testing.assert_allclose(naive["mean"], 1.9e6)


def test_a_map_finer_than_a_place_is_grouped_into_places():
    """Pitch 20 nm: every curve is a place; pitch 5 nm: places are discs of 20 nm, not the map."""
    values = np.random.default_rng(3).normal(1e6, 1e5, (144, 4))
    coarse = st.mean_profile(results_of(values, **map_places(12, 20e-9)), "storage_modulus")
    fine = st.mean_profile(results_of(values, **map_places(12, 5e-9)), "storage_modulus")
    assert int(coarse["n_places"][0]) == 144
    assert 4 <= int(fine["n_places"][0]) <= 36


def test_locations_stand_in_for_positions():
    values = np.r_[1e6, 1e6, 1e6, 4e6][:, None] * np.ones(4)
    found = st.mean_profile(results_of(values, location=[5, 5, 5, 9]), "storage_modulus")
    np.testing.assert_allclose(found["mean"], 2.5e6)
    assert int(found["n_places"][0]) == 2


def test_one_place_speaks_for_itself_only():
    made = results_of(
        np.random.default_rng(4).normal(1e6, 1e5, (30, 4)), x=np.zeros(30), y=np.zeros(30)
    )
    found = st.mean_profile(made, "storage_modulus")
    assert "one place" in found.attrs["warnings"]
    assert np.isfinite(found["stderr"]).all()


def test_what_the_potential_explains_is_no_scatter():
    """Moduli follow the potential, noise is 0.1 MPa: the error is that of the noise."""
    rng = np.random.default_rng(5)
    potential = np.linspace(1.0, 0.5, 400)
    values = 1e6 + 20e6 * (1 - potential)[:, None] + rng.normal(0, 1e5, (400, 40))
    found = st.mean_profile(results_of(values, potential=potential), "storage_modulus")
    np.testing.assert_allclose(found["stderr"].mean(), 1e5 / 20, rtol=0.1)
    np.testing.assert_allclose(found["mean"], 6e6, atol=4e4)


def test_flagged_curves_are_left_out_and_counted():
    values = np.r_[1e6, 1e6, 9e6, 9e6][:, None] * np.ones(4)
    quality = [0, BIT["lag"], BIT["no_hard_contact"], BIT["saturated"] | BIT["lag"]]
    made = results_of(values, quality=quality)
    found = st.mean_profile(made, "storage_modulus")
    assert (float(found["mean"][0]), found.attrs["left_out"]) == (1e6, 2)
    every = st.mean_profile(made, "storage_modulus", quality=())
    assert (float(every["mean"][0]), every.attrs["left_out"]) == (5e6, 0)
    strict = st.mean_profile(made, "storage_modulus", quality=("lag",))
    assert (float(strict["mean"][0]), strict.attrs["left_out"]) == (5e6, 2)


def test_directions_are_chosen():
    made = results_of(np.full((3, 4), 1e6))
    import xarray as xr

    both = xr.concat([made, made * 2.0], "direction").assign_coords(
        direction=["approach", "retract"]
    )
    both["quality"] = both["quality"].astype("i4")
    both.attrs = made.attrs
    assert float(st.mean_profile(both, "storage_modulus")["mean"][0]) == 1e6
    found = st.mean_profile(both, "storage_modulus", direction="retract")
    assert float(found["mean"][0]) == 2e6
    with pytest.raises(NrmError, match="sideways"):
        st.mean_profile(both, "storage_modulus", direction="sideways")


# Doubtful and hostile input


def test_nothing_one_and_all_flagged():
    values = np.full((2, 4), 1e6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        none = st.mean_profile(results_of(values[:0]), "storage_modulus")
        one = st.mean_profile(results_of(values), "shear_modulus_magnitude", [1])
        flagged = st.mean_profile(
            results_of(values, quality=[2, 2][:2]), "storage_modulus", quality=("short_wall",)
        )
        hollow = st.mean_profile(results_of(values * np.nan), "storage_modulus")
    assert "no curves" in none.attrs["warnings"]
    assert np.isnan(none["mean"]).all()
    assert "one curve" in one.attrs["warnings"]
    assert np.isfinite(one["mean"]).all()
    assert np.isnan(one["low"]).all()
    assert "all 2 are flagged" in flagged.attrs["warnings"]
    assert "no curve has a value" in hollow.attrs["warnings"]


def test_absurd_values_end_in_no_traceback():
    """Infinite values count as missing; huge ones and errors of zero pass through everything."""
    values = np.full((12, 121), 3e6 + 1e6j)
    values[:3], values[3:5] = np.inf, 1e30
    stderr = np.full((12, 121), 1e5)
    stderr[6] = 0.0
    made = results_of(values, stderr=stderr, potential=np.linspace(0.9, 0.6, 12))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = st.mean_profile(made, "storage_modulus", range(5, 12))
        st.density(made)
        st.density(made, log=True)
        st.summary(made, st.regions(made))
        st.region_thickness(made, st.regions(made))
        st.trend(made)
        st.map_of(made, "storage_modulus", 5e-9)
    np.testing.assert_allclose(found["mean"], 3e6)
    assert int(st.mean_profile(made, "storage_modulus")["n"][0]) == 9


@pytest.mark.parametrize(
    "options",
    [
        {"variable": "storage_moduls"},
        {"variable": "contact_height"},
        {"interval": "bootstrap"},
        {"level": 1.0},
        {"level": np.nan},
        {"curves": [7]},
        {"curves": [-1]},
        {"quality": ("bad",)},
        {"curves": [True]},
    ],
)
def test_bad_arguments_have_names(options):
    with pytest.raises(NrmError):
        st.mean_profile(results_of(np.ones((3, 4))), **options)


def test_results_without_lateral_signal():
    made = results_of(np.ones((3, 4))).drop_vars(["storage_modulus", "loss_modulus"])
    with pytest.raises(NrmError, match="lateral"):
        st.mean_profile(made)


# Whether intervals cover (full repetitions: benchmarks/bench_statistics.py)


@pytest.mark.parametrize(
    ("side", "length", "low", "high"),
    [(32, 0.0, 0.91, 0.99), (32, 0.5, 0.91, 0.99), (32, 1.0, 0.91, 0.99), (32, 3.2, 0.89, 0.98)],
)
def test_intervals_cover_on_correlated_maps(side, length, low, high):
    """Lognormal moduli, 300 maps (as depths): 0.93 to 0.98 without correlation, 0.90 with one.

    The bounds leave some standard deviations of 300 repetitions more.
    """
    spread = 0.5
    fields = correlated(np.random.default_rng(6), side, length, 300)
    made = results_of(1e6 * np.exp(spread * fields), **map_places(side))
    truth = 1e6 * np.exp(spread**2 / 2)
    found = st.mean_profile(made, "storage_modulus")
    assert low <= covers(found, truth).mean() <= high
    if length >= 1.0:
        naive = st.mean_profile(made, "storage_modulus", interval="naive")
        assert covers(naive, truth).mean() < 0.75


def test_correlation_in_time_is_seen():
    """A drift without positions: an autoregressive series of 600 curves, correlated over 10."""
    rng = np.random.default_rng(7)
    keep = np.exp(-1 / 10)
    series = np.empty((600, 200))
    series[0] = rng.standard_normal(200)
    for i in range(1, 600):
        series[i] = keep * series[i - 1] + np.sqrt(1 - keep**2) * rng.standard_normal(200)
    start = np.datetime64("2026-01-01", "ns") + np.arange(600) * np.timedelta64(2, "s")
    found = st.mean_profile(results_of(1e6 * (5 + series), start_time=start), "storage_modulus")
    # Its sum of correlations: 600 (1 - keep) / (1 + keep).
    assert 20 < np.median(found["n_effective"]) < 45
    assert covers(found, 5e6).mean() >= 0.88


def test_operando_intervals_cover_the_smoothed_truth():
    """12 sets of 200 curves; between where all curves see and 45 nm."""
    hits: dict[str, list[np.ndarray]] = {}
    for seed in range(12):
        results, _ = operando(seed)
        depth = results["depth"].values
        here = (depth >= 3e-9) & (depth < 45e-9)
        for region in st.regions(results):
            truth = expected_profile(results["potential"].values[region.curves], depth, 0.2)
            for name, part in (("storage_modulus", truth.real), ("loss_modulus", truth.imag)):
                found = st.mean_profile(results, name, region.curves)
                hits.setdefault(region.label, []).append(covers(found, part)[here])
    for label, found in hits.items():
        assert 0.89 <= np.mean(found) <= 0.99, label


# What was computed is kept


@pytest.fixture(scope="module")
def ragged():
    """Curves of a map that begin and end somewhere, some at the same place."""
    rng = np.random.default_rng(5)
    modulus = (4e6 + 1e6j) * np.exp(0.3 * rng.standard_normal((144, 1)) - np.arange(60) / 20)
    modulus = modulus + 2e5 * (rng.standard_normal((144, 60)) + 1j * rng.standard_normal((144, 60)))
    modulus[np.arange(60) < rng.integers(0, 6, (144, 1))] = np.nan
    columns = map_places(12)
    columns["x"][5] = columns["x"][4]
    potential = np.linspace(2.0, 0.005, 144)
    return results_of(modulus, stderr=2e5, potential=potential, **columns)


def everything_of(results, regions):
    found = {
        name: st.mean_profile(results, name, regions.inside[1].curves)
        for name in ("shear_modulus_magnitude", "loss_modulus")
    }
    found["thickness"] = st.thickness(results)
    found["regions"] = st.region_thickness(results, regions)
    rows = st.summary(results, regions)
    numbers = {
        key: np.array([row[key] for row in rows])
        for key in ("mean", "low", "high", "median", "noise_floor", "n_effective")
    }
    numbers["map"] = st.map_of(results, "thickness").values
    density = st.density(results)
    numbers |= {"density": density.values, "floor": density.floor}
    return numbers | {
        f"{name}, {key}": values.values
        for name, dataset in found.items()
        for key, values in dataset.data_vars.items()
    }


def test_an_analysis_stands_for_results(ragged):
    regions = st.regions(ragged)
    analysis = st.Analysis(ragged)
    expected = everything_of(ragged, regions)
    for _ in range(2):
        for name, values in everything_of(analysis, regions).items():
            np.testing.assert_array_equal(values, expected[name], name)
    assert st.thickness(analysis) is st.thickness(analysis)


def test_blocks_of_any_size_give_the_same(ragged, monkeypatch):
    regions = st.regions(ragged)
    expected = everything_of(ragged, regions)
    monkeypatch.setattr("nrm_plugin.statistics.selection._BLOCK", 7 * 60)
    monkeypatch.setattr("nrm_plugin.statistics.intervals._TOGETHER", 5 * 36)
    for name, values in everything_of(ragged, regions).items():
        if values.dtype.kind in "UOb":
            np.testing.assert_array_equal(values, expected[name], name)
            continue
        scale = np.nanmax(np.abs(expected[name])) if name == "density" else 0.0
        np.testing.assert_allclose(
            values, expected[name], rtol=1e-12, atol=1e-13 * scale, err_msg=name
        )
