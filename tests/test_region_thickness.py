"""Thickness of regions: of alike curves, of mixed ones, and where it cannot be measured."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from made_layers import NM, laboratory, layered

from nrm_plugin import statistics as st
from nrm_plugin.statistics.censored_curves import kaplan_meier

CURVES = 64


def one(edge, modulus=2 + 1j):
    return ((edge, modulus),)


def found_of(*groups, **options):
    """Thickness of regions that hold the curves of one group each."""
    stacks = [stack for group in groups for stack in group]
    ends = np.cumsum([0, *(len(group) for group in groups)])
    regions = [st.Region(str(i), 0.0, 1.0, np.arange(*ends[i : i + 2])) for i in range(len(groups))]
    return st.region_thickness(layered(stacks, **options), regions)


@pytest.mark.parametrize("seed", range(3))
def test_the_laboratory_of_the_users(seed):
    """Mean edges of 6 to 30 nm; in some curves noise hides the outer layer."""
    rng = np.random.default_rng([seed, 5])
    groups = [laboratory(rng, mean, CURVES) for mean in (6.0, 12.0, 20.0, 30.0)]
    found = found_of(*(stacks for stacks, _ in groups), seed=seed)
    true = np.array([edges.mean() for _, edges in groups]) * NM
    assert ((found["low"] <= true) & (true <= found["high"])).all()
    assert found["measurable"].all()
    assert (found["high"] - found["low"] < 4.5 * NM).all()
    assert (np.abs(found["mean"] - true)[2:] < 1.0 * NM).all()
    assert found.attrs["growth"].startswith("The regions differ at one common modulus")


@pytest.mark.parametrize(("modulus", "within"), [(1.0, 0.5), (0.5, 1.0), (0.3, 1.5)])
def test_a_soft_outer_layer_of_alike_curves(modulus, within):
    stack = ((8.0, 10 + 3j), (12.0, modulus * (1 + 0.3j)))
    found = found_of([stack] * CURVES, noise=10.0)
    assert abs(float(found["outermost"][0]) - 20 * NM) < within * NM
    assert float(found["low"][0]) <= 20 * NM <= float(found["high"][0])


def test_mixed_curves_have_a_mean_and_an_outermost_edge():
    half = CURVES // 2
    found = found_of(
        [one(15)] * half + [one(55)] * half,
        [one(15)] * half + [one(30)] * (half // 2) + [one(50)] * (half // 2),
    )
    assert np.abs(found["outermost"].values / NM - [55, 50]).max() < 1.5
    assert np.abs(found["mean"].values / NM - [35, 27.5]).max() < 0.5
    assert (found["low"] < found["mean"]).all()
    assert (found["mean"] < found["high"]).all()


def test_the_outermost_edge_reaches_out_to_the_last_of_spread_edges():
    """Edges of 4.8 to 7.2, 9.6 to 14.4, 16 to 24 and 24 to 36 nm, evenly spread."""
    rng = np.random.default_rng(77)
    groups = [laboratory(rng, mean, CURVES) for mean in (6.0, 12.0, 20.0, 30.0)]
    found = found_of(*(stacks for stacks, _ in groups), seed=7)
    last = np.array([edges.max() for _, edges in groups]) * NM
    assert (found["outermost_low"] < last).all()
    assert (last < found["outermost_high"] + 0.5 * NM).all()  # half a bin
    assert (found["outermost_high"] < 1.3 * last).all()
    assert (found["outermost"] >= found["mean"] - 0.1 * NM).all()


@pytest.mark.parametrize("seed", range(2))
def test_noise_that_all_curves_have_in_common(seed):
    """5 pN that many curves share do not fall with their number, and are no layer."""
    n = 512
    rng = np.random.default_rng([seed, 9])
    stacks, edges = laboratory(rng, 20.0, n)
    results = layered([*stacks, *[()] * n, *[one(100)] * 32], seed=seed, noise=20.0)
    shared = 5e-12 * rng.standard_normal((2, results.sizes["distance_bin"]))
    results["binned_force_in_phase"] = results["binned_force_in_phase"] + shared[0]
    results["binned_force_quadrature"] = results["binned_force_quadrature"] + shared[1]
    at = (np.arange(n), np.arange(n, 2 * n), np.arange(2 * n, 2 * n + 32))
    regions = [st.Region(str(i), 0, 1, curves) for i, curves in enumerate(at)]
    found = st.region_thickness(results, regions)
    assert found["measurable"].values.tolist() == [True, False, False]
    assert float(found["low"][0]) < edges.mean() * NM < float(found["high"][0])
    assert found["outermost_low"][0] < edges.max() * NM < found["outermost_high"][0] < 30 * NM
    assert np.isnan(float(found["outermost"][1]))
    assert float(found["outermost"][2]) > 60 * NM
    quiet = st.region_thickness(layered(stacks, 20.0), regions[:1])
    assert 4.0 < float(found["limit"][0] / quiet["limit"][0]) < 25.0  # 5 pN for 10/sqrt(512)


def test_what_cannot_be_measured_is_said():
    found = found_of([()] * CURVES, [one(100)] * CURVES, [one(6)] * 40 + [one(88)] * 24)
    assert not found["measurable"].any()
    assert np.isnan(found["mean"]).all()
    assert found["n_left"].values[0] == CURVES
    assert found["n_right"].values[1] == CURVES
    assert found["low"].values[1] > 55 * NM
    assert np.isinf(found["high"].values).all()
    assert found["low"].values[2] < (40 * 6 + 24 * 88) / 64 * NM
    text = found.attrs["warnings"]
    assert "0: nothing is detected in any of 64 curves" in text
    assert "that is no thickness of 0" in text
    assert "1: the mean thickness is not measurable: it is at least" in text


def test_growth_that_is_made_of_noise():
    """The same soft layer; one region is too noisy to show it, and sets the common modulus."""
    stack = ((8.0, 10 + 3j), (12.0, 0.3 + 0.1j))
    quiet, loud = layered([stack] * 32, 5.0), layered([stack] * 32, 120.0, seed=2)
    both = xr.concat([quiet, loud], "curve", data_vars="minimal", combine_attrs="override")
    regions = [st.Region("quiet", 1, 2, np.arange(32)), st.Region("loud", 0, 1, np.arange(32, 64))]
    found = st.region_thickness(both, regions)
    limits = found["limit"].values
    assert limits[1] > 15 * limits[0]
    assert found.attrs["threshold"] == limits[1]
    assert not found.attrs["growth"].startswith("The regions differ at one common modulus")
    at = found["threshold_distance"].values
    assert abs(at[0] - at[1]) < 2.5 * NM


def test_along_the_normal():
    results = layered([one(20)] * 32)
    results = results.assign(surface_slope=("curve", np.full(32, np.radians(60))))
    found = st.region_thickness(results, [st.Region("a", 0, 1, np.arange(32))])
    for name in ("mean", "low", "high"):
        assert float(found[f"normal_{name}"][0]) == pytest.approx(0.5 * float(found[name][0]))


def test_layers_that_fall_off_exponentially():
    z = np.arange(0.5, 60)

    def graded(modulus):
        return tuple((1.0, modulus * np.exp(-a / 8.0) * (1 + 0.3j)) for a in z)

    found = found_of([graded(1.0)] * CURVES, [graded(10.0)] * CURVES, noise=10.0)
    assert np.abs(found["decay_length"].values / NM - 8).max() < 1.0
    assert "its onset follows the stiffness" in found.attrs["warnings"]
    threshold = 0.3e6
    at = st.region_thickness(
        layered([graded(10.0)] * CURVES, 10.0),
        [st.Region("a", 0, 1, np.arange(CURVES))],
        threshold=threshold,
    )["threshold_distance"].values[0]
    true = 8.0 * np.log(10e6 * np.hypot(1, 0.3) / 3.0 / threshold)
    assert abs(at / NM - true) < 2.0


def test_the_median_of_censored_values():
    """Six values of which two are only known to be larger (by hand)."""
    values = np.array([3.0, 5.0, 5.0, 7.0, 8.0, 9.0])
    measured = np.array([True, True, False, True, False, True])
    # 5/6, 4/6, 4/6 * 2/3 = 0.44
    assert kaplan_meier(values, measured) == 7.0
    assert np.isnan(kaplan_meier(values, np.array([True, False, False, False, False, False])))


def test_older_results_say_that_the_limit_is_unknown():
    results = layered([one(20)] * 8).drop_vars("binned_force_count")
    found = st.region_thickness(results, [st.Region("a", 0, 1, np.arange(8))])
    assert np.isnan(found["mean"]).all()
    assert "process again" in found.attrs["warnings"]


def test_a_trend_says_which_ramps_have_no_thickness():
    """Layers of which half have grown beyond the profiles at the second ramp."""
    stacks = [one(20)] * 24 + [one(20)] * 12 + [one(120)] * 12
    places = np.tile(np.arange(24), 2)
    results = layered(stacks, location=places, acquisition_order=np.arange(48))
    found = st.trend(results, "thickness")
    assert found.n_places == 12
    (text,) = [text for text in found.warnings if "not measured" in text]
    assert text.startswith("in 12 of 48 repeated ramps the thickness is not measured")
    assert "0 % of the first and 50 % of the later ramps" in text
    assert not [t for t in st.trend(results, "contact_height").warnings if "measured" in t]


def test_the_figure_of_the_thickness(tmp_path):
    from nrm_plugin import figures

    results = layered([one(20)] * 16 + [()] * 16 + [one(6)] * 10 + [one(100)] * 6)
    regions = [
        st.Region(f"{i}.0-{i + 1}.0 V", i, i + 1, np.arange(16 * i, 16 * i + 16)) for i in range(3)
    ]
    ax = figures.thickness(results, regions)
    marks = {name: [line for line in ax.lines if line.get_gid() == name] for name in SHOWN}
    assert [len(found) for found in marks.values()] == [1, 2, 1]
    assert marks["mean"][0].get_ydata()[0] == pytest.approx(20, abs=0.5)
    assert [one.get_gid() for one in ax.collections].count("bounds") == 1
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert any(label.startswith("|G*| falls below 0.1") for label in labels)
    assert any("which is not 0 nm" in label for label in labels)
    assert ax.get_xlabel() == "potential (V)"
    empty = figures.thickness(results, regions[1:2])
    assert not empty.axison


SHOWN = ("mean", "outermost", "threshold_distance")
