"""Where an interphase begins to be felt."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from made_results import HALF_WIDTH, operando, results_of

from nrm_plugin import NrmError, process
from nrm_plugin import simulate as sim
from nrm_plugin import statistics as st

NM = 1e-9
DEPTH = np.arange(121) * 0.5e-9


def seen(distance):
    """A unit step that ends at 0, as the derivative shows it: under a biweight."""
    u = np.clip(-np.asarray(distance) / HALF_WIDTH, -1, 1)
    return 0.5 + 15 / 16 * (u - 2 * u**3 / 3 + u**5 / 5)


def noise(rng, n, sigma=1e5, m=121):
    """Noise of slopes: white noise of the force under the derivative's window."""
    fine = 10
    white = rng.standard_normal((2, n, m * fine + 2 * 40))
    u = np.linspace(-1, 1, 81)
    kernel = u * (1 - u**2)
    kernel /= np.sqrt(np.sum(kernel**2))
    spectrum = np.fft.rfft(kernel, white.shape[-1])
    shown = np.fft.irfft(np.fft.rfft(white) * spectrum, white.shape[-1])[..., 80::fine][..., :m]
    return sigma * (shown[0] + 1j * shown[1])


@pytest.mark.parametrize("edge", [4.0, 8.0, 15.0, 30.0])
@pytest.mark.parametrize("ratio", [4.0, 20.0])
def test_the_edge_of_one_layer(edge, ratio):
    rng = np.random.default_rng(0)
    values = ratio * 1e5 * (1 + 0.3j) * seen(DEPTH - edge * NM) + noise(rng, 200)
    values[:, DEPTH < 1.2e-9] = np.nan
    found = st.thickness(results_of(values))
    error = found["thickness"].values - edge * NM
    assert np.isfinite(error).mean() >= 0.99
    assert abs(np.nanmedian(error)) < 0.3e-9
    assert np.nanquantile(np.abs(error), 0.95) < 2e-9
    scaled = error / found["thickness_stderr"].values
    assert 0.4 < 1.4826 * np.nanmedian(np.abs(scaled)) < 1.6


def test_the_outer_one_of_two_layers():
    rng = np.random.default_rng(1)
    profile = 40e5 * seen(DEPTH - 6 * NM) + 8e5 * seen(DEPTH - 14 * NM)
    found = st.thickness(results_of(profile + noise(rng, 200)))["thickness"].values
    assert np.median(np.abs(found - 14 * NM)) < 0.6e-9


def test_pure_noise_has_no_thickness():
    found = st.thickness(results_of(noise(np.random.default_rng(2), 1500)))
    assert np.isfinite(found["thickness"].values).mean() < 0.01
    assert "nothing is detected" in found.attrs["warnings"]
    assert found.attrs["n_measured"] == 1500


def test_correlated_noise_is_no_interphase():
    """Noise five times as long as the window shows, and twice as strong as it says."""
    rng = np.random.default_rng(3)
    long = np.repeat(rng.standard_normal((2, 800, 13)), 10, axis=2)[:, :, :121]
    found = st.thickness(results_of(2e5 * (long[0] + 1j * long[1])))
    assert np.isfinite(found["thickness"].values).mean() < 0.02


def test_a_lock_in_with_long_memory():
    """Bare electrode and lock-in noise with 10 ms: next to nothing is detected."""
    instrument = sim.Instrument(
        lateral_stiffness=80.0, lock_in=sim.LockIn(time_constant=3e-3, poles=2)
    )
    ramp = sim.Ramp(length=150e-9, samples=512, trigger=30e-9, retract=False, speed=50e-9)
    curves, _ = sim.simulate(sim.Sample(), instrument, ramp, n_curves=150, seed=4)
    found = st.thickness(process(curves))["thickness"].values
    assert np.mean(found > 5e-9) < 0.02


def test_simulated_thickness_within_two_nanometres():
    results, truth = operando(5)
    true = np.array([interphase.thickness for interphase in truth.interphases])
    found = st.thickness(results)["thickness"].values
    # A layer that hardly reaches beyond the first distance with an estimate need not be found.
    nearest = results["depth_valid_min"].values
    thick = true > np.maximum(2.5e-9, nearest + 1e-9)
    assert np.nanmedian(nearest) <= 1.5e-9
    assert np.isfinite(found[thick]).mean() > 0.97
    assert np.nanmean(np.abs(found - true)[thick] < 2e-9) > 0.93
    bare = results["potential"].values > 1.5
    assert np.isfinite(found[bare]).mean() < 0.05


def test_regions_have_a_mean_thickness():
    results, truth = operando(6)
    regions = st.regions(results)
    found = st.region_thickness(results, regions)
    assert found["region"].values.tolist() == [region.label for region in regions]
    true = np.array([interphase.thickness for interphase in truth.interphases])
    for row, region in list(enumerate(regions))[2:]:
        assert abs(float(found["mean"][row]) - true[region.curves].mean()) < 1e-9
        assert found["low"][row] < found["mean"][row] < found["high"][row]
    assert found["n_detected"][0] < 0.1 * found["n"][0]
    assert "1.5-2.0 V" in found.attrs["warnings"]


def test_nothing_to_find_anything_in():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        none = st.thickness(results_of(np.ones((0, 121))))
        hollow = st.thickness(results_of(np.full((3, 121), np.nan)))
        short = st.thickness(results_of(np.ones((3, 4))))
        empty = st.region_thickness(
            results_of(np.full((3, 121), np.nan)),
            [st.Region("a", 0.0, 1.0, np.arange(0)), st.Region("b", 0.0, 1.0, np.arange(3))],
        )
    assert none["thickness"].shape == (0,)
    assert np.isnan(hollow["thickness"]).all()
    assert np.isnan(short["thickness"]).all()
    assert empty["n"].values.tolist() == [0, 3]
    assert np.isnan(empty["mean"]).all()
    assert empty.attrs["warnings"].count("nothing is detected") == 2
    with pytest.raises(NrmError):
        st.thickness(results_of(np.ones((3, 4))).drop_vars("loss_modulus"))
