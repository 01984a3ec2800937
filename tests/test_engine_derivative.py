"""Derivative by other methods than the local line: moduli in MPa, distances in nm."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import lsq_linear

import nrm_plugin as nrm
from nrm_plugin import kernels
from nrm_plugin import simulate as sim
from nrm_plugin.recipe import Recipe

NM = 1e-9
#: Savitzky and Golay's window in half-widths.
LENGTH = 1.64
OTHERS = ("savitzky-golay", "total-variation")
QUIET = sim.Detector(deflection_noise=1e-16, lateral_noise=1e-19)
NOISY = sim.Detector(deflection_noise=0.1 * NM, lateral_noise=10e-12)
TWO = sim.Sample(
    sim.Interphase((sim.Layer(8 * NM, 10e6 + 3e6j), sim.Layer(12 * NM, 2e6 + 1e6j)), 3e-9)
)
STEP = sim.Sample(
    sim.Interphase((sim.Layer(20 * NM, 10e6 + 0j), sim.Layer(20 * NM, 2e6 + 0j)), 1e-9)
)


def recorded(
    sample: sim.Sample, n: int, detector: sim.Detector = NOISY, **instrument: object
) -> nrm.CurveSet:
    way = sim.Ramp(length=307 * NM, retract=False)
    made = sim.Instrument(detector=detector, **instrument)  # type: ignore[arg-type]
    return sim.simulate(sample, made, way, n_curves=n, seed=4)[0]


def recipe(method: str, step: float = 0.5) -> Recipe:
    return Recipe().replace(derivative={"method": method}, depth={"step": step * NM})


def modulus(results: xr.Dataset) -> np.ndarray:
    return (results.storage_modulus.values + 1j * results.loss_modulus.values) / 1e6


def stderr(results: xr.Dataset) -> np.ndarray:
    errors = results.storage_modulus_stderr.values + 1j * results.loss_modulus_stderr.values
    return np.asarray(errors / 1e6)


def part(results: xr.Dataset, low: float, high: float) -> np.ndarray:
    depth = results.depth.values / NM
    return (depth > low - 1e-6) & (depth < high - 1e-6)


def edge(profile: np.ndarray, depth: np.ndarray) -> float:
    """Width in nm of a step from 10 to 2 at 20 nm, from where 10 % of it are gone to 90 %."""
    near = (depth > 15 * NM) & (depth < 25 * NM)
    z, values = depth[near] / NM, profile[near]
    crossed = []
    for level in (9.2, 2.8):
        k = int(np.argmax(values <= level))
        along = (values[k - 1] - level) / (values[k - 1] - values[k])
        crossed.append(z[k - 1] + along * (z[k] - z[k - 1]))
    return crossed[1] - crossed[0]


@pytest.mark.parametrize("method", OTHERS)
def test_noise_free_modulus_is_exact_in_the_interior(method: str) -> None:
    sample = sim.Sample(sim.Interphase((sim.Layer(40 * NM, 10e6 + 3e6j),), 3e-9))
    results = nrm.process(recorded(sample, 2, QUIET), recipe(method))
    found = modulus(results)
    np.testing.assert_allclose(found[:, part(results, 4, 36)], 10 + 3j, rtol=1e-3)
    assert np.abs(found[:, part(results, 43, 60)]).max() < 1e-3
    # 10 MPa x 4 x 1.25 x 1 nm over 30 nm of it, and the normal force of 3 nN (1 - z / 40 nm)^1.5
    at = results.sel(depth=10 * NM, method="nearest")
    np.testing.assert_allclose(at.lateral_force_in_phase, 1.5e-9, rtol=1e-3)
    np.testing.assert_allclose(at.force_normal, 3e-9 * 0.75**1.5, rtol=1e-3)


@pytest.mark.parametrize("method", OTHERS)
def test_stiff_layer_is_corrected_for_the_lever(method: str) -> None:
    sample = sim.Sample(sim.Interphase((sim.Layer(40 * NM, 1e9 + 0j),), 3e-9))
    results = nrm.process(recorded(sample, 2, QUIET, lateral_stiffness=30.0), recipe(method))
    found = modulus(results)[:, part(results, 4, 36)]
    np.testing.assert_allclose(found.real, 1000.0, rtol=1e-2)


def test_savitzky_golay_resolves_a_half_width() -> None:
    results = nrm.process(recorded(STEP, 2, QUIET), recipe("savitzky-golay", 0.05))
    width = edge(modulus(results)[0].real, results.depth.values)
    assert width == pytest.approx(2.0, rel=0.10)


@pytest.mark.parametrize("time_constant", [0.0, 1e-3])
def test_standard_error_of_savitzky_golay(time_constant: float) -> None:
    """White noise, and noise that two poles of 1 ms correlate over three samples and more."""
    lock_in = sim.LockIn(time_constant=time_constant, poles=2)
    results = nrm.process(recorded(TWO, 400, lock_in=lock_in), recipe("savitzky-golay"))
    found, errors = modulus(results), stderr(results)
    for low, high, true in ((11, 17, 2 + 1j), (23, 35, 0j)):
        here = part(results, low, high)
        off, width = found[:, here] - true, errors[:, here]
        assert 0.93 <= np.mean(np.abs(off.real) <= 1.96 * width.real) <= 0.985
        assert 0.93 <= np.mean(np.abs(off.imag) <= 1.96 * width.imag) <= 0.985
    if not time_constant:
        # A line through all samples within w: var = sigma^2 delta / (2 w^3 / 3).
        half = LENGTH * 2 * NM / 2
        law = np.sqrt(1.5 * 10e-12**2 * 0.2998 * NM / half**3) / (4 * 1.25 * NM) / 1e6
        assert np.median(errors[:, part(results, 23, 35)].real) == pytest.approx(law, rel=0.10)


def test_total_variation_is_better_where_there_are_layers() -> None:
    curves = recorded(TWO, 200)
    line, layers = (nrm.process(curves, recipe(m)) for m in ("local-linear", "total-variation"))
    plateaus = ((0.5, 5, 10 + 3j, 0.44), (10.5, 19, 2 + 1j, 0.34), (22, 35, 0j, 0.28))
    for low, high, true, most in plateaus:
        off, other = (modulus(r)[:, part(r, low, high)] - true for r in (layers, line))
        for error, worse in ((off.real, other.real), (off.imag, other.imag)):
            size = np.sqrt(np.nanmean(error**2))
            assert size <= most
            assert size <= 0.7 * np.sqrt(np.nanmean(worse**2))
        assert np.abs(np.nanmean(off)) <= 0.15
    np.testing.assert_array_equal(np.isfinite(modulus(layers)), np.isfinite(modulus(line)))
    for name in ("storage_modulus_stderr", "loss_modulus_stderr", "viscosity_stderr"):
        assert layers[name].isnull().all()


def test_total_variation_keeps_edges_sharp() -> None:
    results = nrm.process(recorded(STEP, 100), recipe("total-variation", 0.05))
    widths = [edge(profile.real, results.depth.values) for profile in modulus(results)]
    assert np.median(widths) <= 1.0


def test_thin_layer_is_seen_by_total_variation() -> None:
    thin = (sim.Layer(10 * NM, 2e6 + 0j), sim.Layer(4 * NM, 10e6 + 0j), sim.Layer(6 * NM, 2e6 + 0j))
    results = nrm.process(
        recorded(sim.Sample(sim.Interphase(thin, 3e-9)), 100), recipe("total-variation")
    )
    middle = modulus(results)[:, part(results, 12, 12.5)].real
    assert middle.mean() == pytest.approx(10.0, abs=0.5)


def test_trend_filter_finds_the_smallest_sum() -> None:
    """Against bounded least squares of scipy in the multipliers."""
    rng = np.random.default_rng(1)
    for size in (3, 4, 5, 40):
        z = np.cumsum(rng.uniform(0.05, 0.3, size))
        values = 30.0 * np.abs(z - z.mean()) + rng.standard_normal(size)
        weight = rng.uniform(0.1, 3.0, size)
        limit = rng.uniform(0.5, 2.0, size - 2)
        fit, _ = kernels.trend_filter(z, values, weight, limit)
        change = np.diff(np.diff(np.eye(size), axis=0) / np.diff(z)[:, None], axis=0)
        root = np.sqrt(weight)
        dual = lsq_linear(
            (change / root).T, root * values, (-limit, limit), method="bvls", tol=1e-13
        )
        expected = values - change.T @ dual.x / weight
        np.testing.assert_allclose(fit, expected, atol=0.03)
        fit, _ = kernels.trend_filter(z, values, weight, np.full(size - 2, 1e6))
        np.testing.assert_allclose(fit, np.polyval(np.polyfit(z, values, 1, w=root), z), atol=1e-2)


@pytest.mark.parametrize("method", OTHERS)
def test_nothing_is_made_up_where_samples_are_missing(method: str) -> None:
    curves = recorded(TWO, 1, QUIET)
    columns = {name: curves.read(name) for name in curves.channels}
    whole = nrm.process(curves, recipe(method))
    distance = columns["height"] - whole.contact_height.values[0] + columns["deflection"]
    kept = (distance < 30 * NM) | (distance > 35 * NM)
    cut = nrm.CurveSet.from_arrays(
        {
            name: (values[None, kept], curves.channels[name].unit)
            for name, values in columns.items()
        },
        metadata=dict(curves.metadata),
    )
    results = nrm.process(cut, recipe(method))
    found = modulus(results)[0]
    assert np.isnan(found[part(results, 30, 35)]).all()
    assert np.isfinite(found[part(results, 2, 28)]).all()
    assert np.isfinite(found[part(results, 37, 59)]).all()
    assert np.isnan(found[results.depth.values < results.depth_valid_min.values[0]]).all()
    assert np.isnan(found[0])


@pytest.mark.parametrize("method", OTHERS)
def test_bad_curves_spoil_no_others(method: str) -> None:
    curves = recorded(TWO, 12)
    size = [int(n) for n in curves.row_size]
    columns = {
        name: np.split(curves.read(name).copy(), np.cumsum(size)[:-1]) for name in curves.channels
    }
    for name, lists in columns.items():
        lists[1] = lists[1][:1]
        lists[2] = lists[2][:0]
        lists[3] = lists[3][:7]
        if name.startswith("lateral"):
            lists[4] = np.full_like(lists[4], 2e-9)
            lists[5] = np.full_like(lists[5], np.nan)
            lists[6][-200] = np.nan
        elif name != "time":
            lists[7] = np.full_like(lists[7], lists[7][0])
    mixed = nrm.CurveSet.from_arrays(
        {name: (np.concatenate(v), curves.channels[name].unit) for name, v in columns.items()},
        row_size=[len(v) for v in columns["height"]],
        metadata=dict(curves.metadata),
    )
    results = nrm.process(mixed, recipe(method))
    found = modulus(results)
    plateau = found[:, part(results, 11, 17)]
    for bad in (1, 2, 3, 5, 7):
        assert np.isnan(found[bad]).all()
    np.testing.assert_allclose(plateau[4], 0.0, atol=1e-12)
    good = plateau[[0, 8, 9, 10, 11]]
    assert np.abs(good.mean() - (2 + 1j)) < 0.3


@pytest.mark.parametrize("method", OTHERS)
def test_neighbours_and_threads_change_no_bit(method: str) -> None:
    curves = recorded(TWO, 9)
    whole = nrm.process(curves, recipe(method), threads=1)
    pieces = nrm.process(curves, recipe(method), threads=2, block=2)
    for name in ("storage_modulus", "loss_modulus_stderr", "force_normal", "depth_valid_min"):
        np.testing.assert_array_equal(whole[name].values, pieces[name].values)


@pytest.mark.parametrize("method", OTHERS)
def test_normal_force_alone(method: str) -> None:
    curves = recorded(TWO, 4, QUIET)
    channels = {n: (curves.read(n).reshape(4, -1), "m") for n in ("height", "deflection")}
    alone = nrm.CurveSet.from_arrays(channels, metadata=dict(curves.metadata))
    results = nrm.process(alone, recipe(method))
    assert "storage_modulus" not in results
    at = results.sel(depth=10 * NM, method="nearest").force_normal
    np.testing.assert_allclose(at, 3e-9 * 0.5**1.5, rtol=5e-3)


@pytest.mark.parametrize("method", OTHERS)
def test_absurdly_wide_windows_give_nothing(method: str) -> None:
    asked = Recipe().replace(derivative={"method": method, "half_width": 9e-7})
    results = nrm.process(recorded(TWO, 3), asked)
    assert results.storage_modulus.isnull().all()


@pytest.mark.parametrize("method", OTHERS)
def test_absurdly_narrow_windows_are_widened_to_what_samples_carry(method: str) -> None:
    """A window needs five samples: 2.6 of their distances on either side."""
    curves = recorded(TWO, 3)
    height = curves.read("height", [0])
    spacing = abs(height[-1] - height[0]) / (len(height) - 1)
    asked = Recipe().replace(derivative={"method": method, "half_width": 1e-11})
    results = nrm.process(curves, asked)
    assert results.attrs["half_width"] == pytest.approx(2.6 * spacing, rel=1e-3)
    asked = asked.replace(derivative={"half_width": results.attrs["half_width"]})
    xr.testing.assert_equal(results.storage_modulus, nrm.process(curves, asked).storage_modulus)


@pytest.mark.parametrize("method", OTHERS)
def test_layers_on_a_slope_are_thinner_than_their_vertical_extent(method: str) -> None:
    """20 nm straight down are 17.3 nm on a slope of 30 degrees."""
    way = sim.Ramp(length=307 * NM, retract=False)
    curves, _ = sim.simulate(STEP, sim.Instrument(detector=QUIET), way, grid=(4, 4))
    columns = {
        n: (curves.read(n).reshape(16, -1), curves.channels[n].unit) for n in curves.channels
    }
    table = {n: curves.curve_table[n] for n in ("row", "column", "x", "y")}
    tilted = columns["height"][0] + np.tan(np.pi / 6) * np.asarray(table["x"])[:, None]
    columns["height"] = (tilted, "m")
    sloping = nrm.CurveSet.from_arrays(columns, curve_table=table, metadata=dict(curves.metadata))
    results = nrm.process(sloping, recipe(method, 0.1).replace(correct_slope=True))
    near = part(results, 14, 20)
    for profile in modulus(results).real:
        above = results.depth.values[near][profile[near] > 6.0]
        assert above.max() == pytest.approx(20 * NM * np.cos(np.pi / 6), abs=0.2 * NM)
