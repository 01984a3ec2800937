"""Where an interphase begins to be felt."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from made_results import operando, results_of

from nrm_plugin import NrmError, process
from nrm_plugin import simulate as sim
from nrm_plugin import statistics as st
from nrm_plugin.statistics.regions import everything

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


@pytest.mark.parametrize(
    ("verdict", "said"), [("doubtful", "lateral_baseline is doubtful"), ("unknown", "")]
)
def test_a_layer_that_fills_the_ramp_is_undetermined(verdict, said):
    """Its line is taken for zero far away: nothing is seen, and nothing is known not to be there.

    Seen from one direction only, its slope is named: 0.5 MPa of E* are 2.5 pN per nm, and
    0.5/3 MPa of |G*| at a Poisson's ratio of 0.5.
    """
    made = forces_of([()] * 60, np.random.default_rng(4))
    slope = -2.5e-3 + 5e-5 * np.random.default_rng(5).standard_normal(60)
    check = {"name": "lateral_baseline", "verdict": verdict, "advice": "begin farther away"}
    filled = made.assign(
        lateral_baseline_slope_in_phase=("curve", slope),
        lateral_baseline_slope_quadrature=("curve", np.zeros(60)),
    ).assign_attrs(checks=json.dumps([check]))
    found = st.thickness(filled)
    n = int((found["censored"] == 2).sum())
    assert n >= 58
    lines = found.attrs["warnings"].splitlines()
    expected = said or (
        f"in {n} curves in which no edge is seen the lateral force is a straight line over the "
        "whole baseline, alike in all of them (-2.5 pN per nm): a layer of 0.17 MPa (|G*|)"
    )
    assert lines[0].startswith(expected)
    assert lines[1].startswith(f"undetermined in {n} of 60 curves: no layer of 10 nm stiffer than")
    assert lines[1].endswith("beside what is taken for zero")
    assert "nothing is detected" not in found.attrs["warnings"]
    words = st.region_thickness(filled, everything(filled)).attrs["warnings"].splitlines()
    assert words[0] == lines[0]
    assert f"undetermined in {n} of 60 curves" in words[1]
    assert not any("nothing is detected" in text for text in words)
    # A slope that curves do not have in common, or that no layer makes, is no doubt.
    for other in (0.5 * slope * np.resize([1, -1], 60), -slope):
        level = filled.assign(lateral_baseline_slope_in_phase=("curve", other))
        level.attrs["checks"] = "[]"
        assert st.thickness(level).attrs["warnings"].startswith("nothing is detected in")
        assert st.thickness(level).attrs["doubts"] == ""


def test_a_layer_beyond_the_profile_is_a_bound():
    stack = ((75 * NM, 2e6 + 1e6j),)
    found = st.thickness(forces_of([stack] * 50, np.random.default_rng(3)))
    assert (found["censored"].values == 1).all()
    assert np.isnan(found["thickness"].values).all()
    assert np.isnan(found["thickness_stderr"].values).all()
    assert np.allclose(found["thickness_low"].values, 60 * NM)
    assert np.isinf(found["thickness_high"].values).all()
    assert "goes on beyond" in found.attrs["warnings"]


def test_a_soft_layer_that_no_curve_shows_is_not_left_out():
    """0.1 MPa of 12 nm on 10 MPa: a single curve sees the inner edge, many together more."""
    stack = ((8 * NM, 10e6 + 3e6j), (12 * NM, 0.1e6 + 0.03e6j))
    found = st.thickness(forces_of([stack] * 150, np.random.default_rng(4)))
    inner = (found["censored"] == 0) & (found["thickness_high"] < 19 * NM)
    assert inner.values.mean() <= 0.05
    assert "softer layer may lie outside" in found.attrs["warnings"]
    low = found["thickness_low"].values[found["censored"].values == 1]
    assert (low < 20 * NM).mean() > 0.97


def test_noise_of_thick_curves_is_not_that_of_thin_ones():
    """Half of the layers reach beyond the bins that tell of the noise."""
    stacks = [((6 * NM, 2e6 + 1e6j),), ((90 * NM, 2e6 + 1e6j),)] * 40
    found = st.thickness(forces_of(stacks, np.random.default_rng(5)))
    thin = found.isel(curve=slice(0, None, 2))
    assert (thin["censored"].values == 0).mean() >= 0.95
    assert np.nanquantile(np.abs(thin["thickness"].values - 6 * NM), 0.9) < 2e-9
    assert (found["censored"].values[1::2] == 1).all()


def test_graded_layers_have_a_decay_length_and_no_edge():
    """F* = F0 exp(-z / 8 nm) of 5 and 50 MPa: the onset follows the stiffness."""
    rng = np.random.default_rng(6)
    onsets = []
    for modulus in (5e6, 50e6):
        results = forces_of([()] * 60, rng)
        z = results["distance_bin"].values
        force = PER_MODULUS * modulus * 8e-9 * np.exp(-z / 8e-9) * (1 + 0.4j)
        results["binned_force_in_phase"] += force.real
        results["binned_force_quadrature"] += force.imag
        found = st.thickness(results)
        assert abs(np.nanmedian(found["decay_length"].values) - 8e-9) < 0.3e-9
        assert np.isfinite(found["decay_length"].values).mean() > 0.8
        assert (found["censored"].values == 1).mean() > 0.9
        assert "decay length 8" in found.attrs["warnings"].replace("7.9", "8").replace("8.1", "8")
        onsets.append(np.median(found["thickness_low"].values))
    assert onsets[1] - onsets[0] > 8e-9


def test_layers_of_uniform_modulus_have_no_decay_length():
    stack = ((8 * NM, 10e6 + 3e6j), (12 * NM, 2e6 + 1e6j))
    found = st.thickness(forces_of([stack] * 100, np.random.default_rng(7)))
    assert np.isfinite(found["decay_length"].values).mean() < 0.02


@pytest.mark.parametrize("noise", [10e-12, 28e-12])
@pytest.mark.parametrize("inner", [False, True])
def test_half_of_the_layers_are_found_below_the_limit_and_above_half_of_it(noise, inner):
    rng = np.random.default_rng(8)
    limit = float(st.thickness(forces_of([()] * 64, rng, noise=noise))["limit"].median())
    on = ((8 * NM, 10e6 + 3e6j),) if inner else ()
    edge = (18 if inner else 10) * NM
    shares = []
    for part in (0.5, 1.0):
        stack = (*on, (10 * NM, 3 * part * limit + 0j))  # |E*| = 3 |G*|
        found = st.thickness(forces_of([stack] * 200, rng, noise=noise))
        near = np.abs(found["thickness"].values - edge) < 5e-9
        shares.append(float(np.mean(near)))
    assert shares[0] < 0.5 < shares[1]


def test_an_offset_that_drifts_in_a_bend_makes_the_edge_a_bound():
    rng = np.random.default_rng(9)
    results = forces_of([((20 * NM, 2e6 + 1e6j),)] * 60, rng)
    z = results["distance_bin"].values
    results["binned_force_in_phase"] += 100e-12 * np.cos(np.pi * z / 180e-9)
    found = st.thickness(results)
    assert (found["censored"].values == 1).mean() > 0.95
    assert (found["thickness_low"].values < 20 * NM).mean() > 0.95
    assert "60 of 60 curves" in found.attrs["warnings"]


def test_correlated_noise_raises_the_limit_and_is_said():
    rng = np.random.default_rng(10)
    results = forces_of([()] * 400, rng, noise=5e-12)
    steps = rng.standard_normal((2, 400, 90, 3))
    slow = sum(
        np.array([np.convolve(row, np.exp(-np.arange(90) / length))[:90] for row in part])
        for part, length in zip(
            steps.transpose(3, 0, 1, 2).reshape(3, 800, 90), (2.0, 10.0, 50.0), strict=True
        )
    ).reshape(2, 400, 90)
    slow *= 20e-12 / slow.std()
    results["binned_force_in_phase"] += slow[0]
    results["binned_force_quadrature"] += slow[1]
    found = st.thickness(results)
    assert np.isin(found["censored"].values, (0, 1)).mean() < 0.02
    assert "correlated" in found.attrs["warnings"]


def test_the_kernel_against_dense_least_squares():
    """One curve of white noise: gain and edge are those of a plain least-squares search."""
    from nrm_plugin import kernels
    from nrm_plugin.statistics.onset import penalties, thresholds

    rng = np.random.default_rng(11)
    at = np.arange(40)
    values = 2.0 * np.clip(at - 25.4, 0.0, None) + rng.standard_normal((2, 40))[0] + 0j
    ones = np.ones((1, 40))
    found = kernels.find_onsets(
        values[None], ones, np.array([40]), np.eye(40), thresholds(40), penalties(40)
    )[0]
    tried = np.arange(15.0, 35.0, 0.05)
    # Mean of (x - edge)+ over bins from x to x + 1.
    shapes = [
        0.5 * (np.clip(at + 1 - e, 0, None) ** 2 - np.clip(at - e, 0, None) ** 2) for e in tried
    ]
    gains = [abs(shape @ values) ** 2 / (shape @ shape) for shape in shapes]
    assert abs(found["edge"] - tried[int(np.argmax(gains))]) < 3 * found["stderr"]
    assert found["pieces"] == 1.0
    assert found["low"] < found["edge"] < found["high"]


def test_the_kernel_refuses_counts_beyond_the_bins_and_bears_nan():
    from nrm_plugin import kernels

    ones, eye = np.ones((1, 6)), np.eye(6)
    with pytest.raises(ValueError, match="lengths"):
        kernels.find_onsets(ones + 0j, ones, np.array([7]), eye, np.ones(7), np.ones(6))
    for value in (np.nan, np.inf, 1e308):
        found = kernels.find_onsets(
            np.full((1, 6), value + 0j), ones, np.array([6]), eye, np.ones(7), np.ones(6)
        )
        assert found.shape == (1,)


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
