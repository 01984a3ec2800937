"""Where an interphase begins to be felt."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from made_results import operando, results_of

from nrm_plugin import NrmError, process
from nrm_plugin import simulate as sim
from nrm_plugin import statistics as st

NM = 1e-9
DEPTH = np.arange(121) * 0.5e-9


#: F* per E* and distance: 4 r_g A.
PER_MODULUS = 4 * 1.25 * 1e-9


def forces_of(stacks, rng, noise=10e-12, counts=4):
    """Results with the lateral force of layers: (thickness in m, E* in Pa) from the electrode."""
    n = len(stacks)
    z = np.arange(0.05e-9, 90e-9, 0.1e-9)
    force = np.zeros((n, len(z)), complex)
    for i, stack in enumerate(stacks):
        low = 0.0
        for width, modulus in stack:
            force[i] += PER_MODULUS * modulus * (width - np.clip(z - low, 0.0, width))
            low += width
    force = force.reshape(n, 90, 10).mean(axis=2)
    white = rng.standard_normal((2, n, 90)) * noise / np.sqrt(counts)
    force += white[0] + 1j * white[1]
    results = results_of(np.full((n, 121), np.nan))
    bins = ("curve", "distance_bin")
    return results.assign(
        binned_force_in_phase=(bins, force.real),
        binned_force_quadrature=(bins, force.imag),
        binned_force_count=(bins, np.full((n, 90), counts)),
        lateral_noise_in_phase=("curve", np.full(n, noise)),
        lateral_noise_quadrature=("curve", np.full(n, noise)),
        shape_factor=("depth", np.full(121, 1.25)),
        distance_bin=(np.arange(90) + 0.5) * NM,
    ).assign_attrs(dither_amplitude=1e-9)


@pytest.mark.parametrize("edge", [6.4, 10.7, 20.0, 45.3, 57.5])
@pytest.mark.parametrize("modulus", [1e6, 10e6])
def test_the_edge_of_one_layer(edge, modulus):
    stack = ((edge * NM, modulus * (1 + 0.3j)),)
    found = st.thickness(forces_of([stack] * 200, np.random.default_rng(0)))
    error = found["thickness"].values - edge * NM
    assert np.isfinite(error).mean() >= 0.97
    assert abs(np.nanmedian(error)) < 0.3e-9
    assert np.nanquantile(np.abs(error), 0.95) < 2e-9
    scaled = error / found["thickness_stderr"].values
    assert 0.4 < 1.4826 * np.nanmedian(np.abs(scaled)) < 1.6
    inside = (found["thickness_low"] <= edge * NM) & (found["thickness_high"] >= edge * NM)
    assert inside.values[found["censored"].values == 0].mean() > 0.86


def test_the_outer_one_of_two_layers():
    stack = ((6 * NM, 40e5 + 0j), (8 * NM, 8e5 + 0j))
    found = st.thickness(forces_of([stack] * 200, np.random.default_rng(1)))["thickness"].values
    assert abs(np.nanmedian(found - 14 * NM)) < 0.6e-9


def test_pure_noise_has_no_thickness():
    found = st.thickness(forces_of([()] * 1500, np.random.default_rng(2)))
    assert np.isin(found["censored"].values, (0, 1)).mean() < 0.01
    assert "nothing is detected" in found.attrs["warnings"]
    assert found.attrs["n_measured"] == 1500


def test_a_layer_beyond_the_profile_is_a_bound():
    stack = ((75 * NM, 2e6 + 1e6j),)
    found = st.thickness(forces_of([stack] * 50, np.random.default_rng(3)))
    assert (found["censored"].values == 1).all()
    assert np.isnan(found["thickness"].values).all()
    assert np.isnan(found["thickness_stderr"].values).all()
    assert np.allclose(found["thickness_low"].values, 60 * NM)
    assert np.isinf(found["thickness_high"].values).all()
    assert "goes on beyond" in found.attrs["warnings"]


def test_results_of_an_earlier_version_have_no_limit():
    found = st.thickness(results_of(np.ones((3, 121), complex)))
    assert "limit unknown; process again" in found.attrs["warnings"]
    assert np.isnan(found["limit"].values).all()
    assert (found["censored"].values == 3).all()


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
