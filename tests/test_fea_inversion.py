"""From forces with noise, computed on another mesh, back to the modulus that they came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea import InversionFailed, Inverted, Layer, Steps, Tip, invert, lateral_force
from nrm_plugin.fea.bands import with_draws
from nrm_plugin.fea.force_profile import ForceProfile
from nrm_plugin.fea.inversion import Explanation

NM = 1e-9
TIP, AMPLITUDE = Tip(10 * NM), 2 * NM
SKIN = Steps([45 * NM, 55 * NM], np.array([1e6, 10e6, 1e6]) * (1.0 + 0.3j))


def forces(
    modulus: complex | Callable[[np.ndarray], np.ndarray], depths: np.ndarray, noise: float = 0.005
) -> tuple[np.ndarray, complex]:
    """Forces in a layer of 100 nm, and their noise: a part of the median of each."""
    layer = Layer(100 * NM, modulus, 0.49)
    resolution = 6 * NM if callable(modulus) else None  # only what varies needs more elements
    force = lateral_force(
        TIP, layer, depths, AMPLITUDE, fineness=1.1, resolution=resolution, workers=1
    ).force
    sigma = noise * complex(np.median(force.real), np.median(force.imag))
    random = np.random.default_rng(7).standard_normal((2, depths.size))
    return force + sigma.real * random[0] + 1j * sigma.imag * random[1], sigma


def inverted(
    modulus: complex | Callable[[np.ndarray], np.ndarray], depths: np.ndarray, **options: Any
) -> Inverted:
    force, sigma = forces(modulus, depths)
    if not np.any(force.imag):
        force = force.real
    layer = Layer(100 * NM, poisson_ratio=0.49)
    noise = sigma if np.iscomplexobj(force) else sigma.real
    return invert(TIP, layer, depths, force, AMPLITUDE, noise=noise, workers=1, **options)


@pytest.fixture(scope="module")
def even() -> tuple[np.ndarray, np.ndarray, float]:
    """Depths, forces and noise of a homogeneous layer without loss."""
    depths = np.arange(20.0, 81.0, 12.0) * NM
    force, sigma = forces(2e6, depths)
    return depths, force.real, sigma.real


def error(found: np.ndarray, true: np.ndarray) -> float:
    """Root mean square in decades."""
    return float(np.sqrt(np.mean(np.log10(found / true) ** 2)))


def covered(low: np.ndarray, true: np.ndarray, high: np.ndarray) -> float:
    return float(np.mean((low <= true) & (true <= high)))


@pytest.mark.slow
def test_a_stiff_skin_comes_out_of_its_forces() -> None:
    """Eq. 5 with the local shape factor is off by 0.19 decades here."""
    found = inverted(SKIN, np.arange(2.0, 99.0, 4.0) * NM, fineness=0.5)
    true = SKIN(found.heights)
    away = (found.heights > 5 * NM) & (found.heights < 95 * NM)
    for edge in SKIN.edges:  # type: ignore[union-attr]
        away &= np.abs(found.heights - edge) > 1.5 * NM
    for value, exact, low, high in (
        (found.modulus.real, true.real, found.storage_low, found.storage_high),
        (found.modulus.imag, true.imag, found.loss_low, found.loss_high),
    ):
        assert error(value, exact) <= 0.06
        assert covered(low[away], exact[away], high[away]) >= 0.9
        assert np.median(0.5 * np.log10(high / low)) <= 0.15
    assert found.layers is not None
    np.testing.assert_allclose(found.layers.edges, [45 * NM, 55 * NM], atol=0.5 * NM)
    np.testing.assert_allclose(np.abs(found.layers.moduli), np.abs(SKIN.moduli), rtol=0.15)
    assert 0.4 < found.misfit < 1.3


def test_a_smooth_profile_is_not_cut_into_layers() -> None:
    def falling(z: np.ndarray) -> np.ndarray:
        return 1e6 + 8e6 * np.exp(-z / (25 * NM))

    found = inverted(falling, np.arange(4.0, 97.0, 4.0) * NM, fineness=0.5)
    true = falling(found.heights)
    assert found.layers is None
    assert error(found.modulus.real, true) <= 0.03
    assert covered(found.storage_low, true, found.storage_high) >= 0.8
    assert np.all(found.modulus.imag == 0.0)
    assert np.isnan(found.loss_low).all()
    assert np.isnan(found.loss_high).all()


def test_few_forces_of_a_gentle_rise_are_no_reason_for_layers() -> None:
    """Four layers would explain them better, with more numbers, and be three times as far off."""

    def rising(z: np.ndarray) -> np.ndarray:
        return 1e6 * np.exp(1.2 * z / (100 * NM))

    found = inverted(rising, np.arange(4.0, 97.0, 6.0) * NM, fineness=0.5)
    assert found.layers is None
    assert error(found.modulus.real, rising(found.heights)) <= 0.03


def test_a_homogeneous_layer_is_one_layer() -> None:
    found = inverted(3e6 + 0.6e6j, np.arange(10.0, 91.0, 8.0) * NM, fineness=0.5)
    assert found.layers is not None
    assert np.size(found.layers.moduli) == 1
    np.testing.assert_allclose(found.modulus.real, 3e6, rtol=0.01)
    np.testing.assert_allclose(found.modulus.imag, 0.6e6, rtol=0.01)
    assert np.all(found.storage_low < 3e6)
    assert np.all(found.storage_high > 3e6)
    np.testing.assert_array_equal(found.depth, np.arange(10.0, 91.0, 8.0) * NM)


def test_order_of_the_depths_does_not_matter(even) -> None:
    depths, force, noise = even
    options = {"noise": noise, "fineness": 0.5, "workers": 1}
    one = invert(TIP, Layer(100 * NM), depths, force, AMPLITUDE, **options)
    other = invert(TIP, Layer(100 * NM), depths[::-1], force[::-1], AMPLITUDE, **options)
    np.testing.assert_array_equal(one.modulus, other.modulus)


def test_a_loss_that_is_only_noise_may_be_none() -> None:
    """The band of each cell holds 0, and what the noise of the quadrature is worth."""
    depths = np.arange(10.0, 91.0, 8.0) * NM
    force, _ = forces(2e6 + 1e3j, depths, noise=0.0)
    noise = 0.005 * float(np.median(force.real))
    random = np.random.default_rng(3).standard_normal((2, depths.size))
    found = invert(
        TIP,
        Layer(100 * NM, poisson_ratio=0.49),
        depths,
        force.real + noise * (random[0] + 1j * random[1]),
        AMPLITUDE,
        noise=noise,
        fineness=0.5,
        workers=1,
    )
    assert np.all(found.loss_low < 0.0)
    assert np.all((found.loss_low < found.modulus.imag) & (found.modulus.imag < found.loss_high))
    assert np.all(found.loss_high < 0.1e6)
    assert covered(found.storage_low, np.full(11, 2e6), found.storage_high) >= 0.9


def test_the_coarsest_meshes_are_good_for_a_homogeneous_layer(even) -> None:
    depths, force, noise = even
    options = {"noise": noise, "fineness": 0.3, "workers": 1}
    found = invert(TIP, Layer(100 * NM), depths, force, AMPLITUDE, **options)
    np.testing.assert_allclose(found.modulus, 2e6, rtol=0.02)


# What cannot be explained is reported, never returned


def test_a_force_that_points_the_wrong_way_fails(even) -> None:
    depths, force, noise = even
    with pytest.raises(InversionFailed, match="wrong way"):
        invert(TIP, Layer(100 * NM), depths, -force, AMPLITUDE, noise=noise, workers=1)


def test_a_force_that_falls_with_the_depth_fails(even) -> None:
    """More layer around the tip can only hold it more."""
    depths, force, noise = even
    options = {"noise": noise, "fineness": 0.5, "workers": 1}
    with pytest.raises(InversionFailed, match="times the noise"):
        invert(TIP, Layer(100 * NM), depths, force[::-1], AMPLITUDE, **options)


# Forces that were fitted


def test_scatter_of_overlapping_fits_is_not_taken_for_the_noise() -> None:
    """Of one curve: means over 4 nm where fits overlap, over the 1 nm asked for otherwise."""
    distance = np.arange(0.25, 40.0, 0.5) * NM
    curve = ForceProfile(
        label="",
        distance=distance,
        force=np.ones(distance.size, complex),
        noise=None,
        window=4 * NM,
    )
    assert curve.binned(1 * NM, 0.0, 40 * NM).distance.size == 10
    assert replace(curve, window=0.0).binned(1 * NM, 0.0, 40 * NM).distance.size == 40
    assert replace(curve, noise=1j).binned(1 * NM, 0.0, 40 * NM).distance.size == 40


# What makes no sense is refused before anything is solved


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"force": [1e-10] * 7}, "one finite force for every depth"),
        ({"force": [1e-10] * 7 + [np.nan]}, "one finite force for every depth"),
        ({"depths": np.array([20.0] * 8) * NM}, "6 different depths"),
        ({"depths": np.arange(4.0) * 20 * NM + 10 * NM, "force": [1e-10] * 4}, "6 different"),
        ({"depths": np.arange(30.0, 110.0, 10.0) * NM}, "through the electrode"),
        ({"noise": 0.0}, "noise"),
        ({"noise": -1e-12}, "noise"),
        ({"noise": np.nan}, "noise"),
        ({"noise": "1 pN"}, "the noise is '1 pN'"),
        ({"noise": [1e-12, 1e-12]}, "the noise is"),
        ({"force": ["1 nN"] * 8}, "forces must be numbers"),
        ({"force": [[1e-10], [1e-10, 2e-10]]}, "forces must be numbers"),
        ({"amplitude": 0.0}, "amplitude"),
        ({"cells": 0}, "cells"),
        ({"cells": [0.0, 50 * NM]}, "cells"),
        ({"fineness": 0.0}, "fineness"),
        ({"workers": 0}, "processes"),
        ({"radius_stderr": 10 * NM}, "not known at all"),
        ({"radius_stderr": -1 * NM}, "standard error of the radius"),
        ({"contact_stderr": np.inf}, "standard error of the contact"),
        ({"contact_stderr": "1 nm"}, "must be a number"),
        ({"cone_angle_stderr": 15.0}, "give it in rad"),
    ],
)
def test_nonsense_is_refused(change: dict[str, Any], says: str) -> None:
    given = {
        "depths": np.arange(10.0, 90.0, 10.0) * NM,
        "force": np.linspace(1e-10, 8e-10, 8),
        "amplitude": AMPLITUDE,
        "noise": 1e-12,
    }
    with pytest.raises(InvalidInput, match=says):
        invert(TIP, Layer(100 * NM), **(given | change))


def test_a_profile_that_follows_the_noise_says_so() -> None:
    """11 numbers for 20 at a misfit of 0.19: a soft layer was invented in such a profile."""
    ten = np.ones(10)
    made = Inverted(
        cells=np.arange(11.0) * NM,
        modulus=ten + 0.2j,
        storage_low=ten,
        storage_high=ten,
        loss_low=ten,
        loss_high=ten,
        layers=None,
        force=ten + 0.2j,
        depth=ten.cumsum() * NM,
        noise=(0.01, 0.01),
        misfit=0.19,
        parameters=11.0,
    )
    assert made.numbers == 20
    (doubt, assumed) = made.doubts
    assert "11 numbers describe it and 20 were measured" in doubt
    assert "taken as told" in assumed
    assert replace(made, misfit=0.8).doubts == [assumed]
    assert replace(made, parameters=6.0).doubts == [assumed]


def test_a_wrong_tip_is_not_seen_and_its_error_holds_the_truth() -> None:
    """A tip of 10 nm told as one of 20 nm explains the force as well, with wrong moduli."""
    depths = np.arange(10.0, 90.0, 8.0) * NM
    force, sigma = forces(2e6 * (1.0 + 0.3j), depths)
    layer = Layer(100 * NM, poisson_ratio=0.49)
    known = {"noise": sigma, "workers": 1, "fineness": 0.5}
    right = invert(TIP, layer, depths, force, AMPLITUDE, **known)
    wrong = invert(Tip(20 * NM), layer, depths, force, AMPLITUDE, **known)
    assert wrong.misfit < 1.5
    inside = right.heights > 10 * NM
    true = np.full(inside.sum(), 2e6)
    assert covered(right.storage_low[inside], true, right.storage_high[inside]) >= 0.9
    assert covered(wrong.storage_low[inside], true, wrong.storage_high[inside]) <= 0.2
    assert any("the misfit does not show" in doubt for doubt in wrong.doubts)
    assert "the radius, the half angle and the contact as told" in wrong.doubts[-1]
    known["radius_stderr"] = 10 * NM
    stated = invert(Tip(20 * NM), layer, depths, force, AMPLITUDE, **known)
    np.testing.assert_array_equal(stated.modulus, wrong.modulus)
    assert covered(stated.storage_low, np.full(10, 2e6), stated.storage_high) >= 0.8
    assert covered(stated.loss_low, np.full(10, 0.6e6), stated.loss_high) >= 0.8
    assert "the standard errors of the radius (10 nm)" in stated.doubts[-1]
    assert "the half angle and the contact as told" in stated.doubts[-1]


@pytest.mark.parametrize(
    ("true", "off", "error"),
    [
        (Tip(10 * NM, np.radians(15.0)), 0.0, {"cone_angle_stderr": np.radians(15.0)}),
        (TIP, 1.0, {"contact_stderr": 1 * NM}),
    ],
)
def test_bands_hold_what_was_told_with_its_error(
    true: Tip, off: float, error: dict[str, float]
) -> None:
    """A cone told as a cylinder; a contact that is off by 1 nm."""
    modulus = Steps([12 * NM], np.array([8e6, 2e6]) * (1.0 + 0.3j))
    depths = np.linspace(3.0, 27.0, 10) * NM
    layer = Layer(30 * NM, modulus, 0.49)
    force = lateral_force(true, layer, depths + off * NM, AMPLITUDE, fineness=1.1, workers=1).force
    sigma = 0.005 * complex(np.median(force.real), np.median(force.imag))
    random = np.random.default_rng(11).standard_normal((2, depths.size))
    force = force + sigma.real * random[0] + 1j * sigma.imag * random[1]
    known = {"noise": sigma, "workers": 1, "fineness": 0.5, **error}
    found = invert(TIP, layer, depths, force, AMPLITUDE, **known)
    exact = modulus(found.heights)
    assert covered(found.storage_low, exact.real, found.storage_high) >= 0.9
    assert covered(found.loss_low, exact.imag, found.loss_high) >= 0.9
    # not by being endless
    assert np.median(0.5 * np.log10(found.storage_high / found.storage_low)) < 0.2


def test_a_thin_skin_from_ten_depths_comes_without_invented_layers() -> None:
    """3 nm, ten times as stiff: a fourth layer of 0.4 MPa was found where 1 MPa is true."""
    modulus = Steps([27 * NM], np.array([1e6, 10e6]) * (1.0 + 0.3j))
    layer, depths = Layer(30 * NM, modulus, 0.49), np.linspace(3.0, 27.0, 10) * NM
    force = lateral_force(TIP, layer, depths, AMPLITUDE, fineness=1.2, workers=1).force
    sigma = 0.005 * complex(np.median(force.real), np.median(force.imag))
    random = np.random.default_rng(3).standard_normal((2, depths.size))
    force = force + sigma.real * random[0] + 1j * sigma.imag * random[1]
    found = invert(TIP, layer, depths, force, AMPLITUDE, noise=sigma, workers=1, fineness=0.5)
    assert found.layers is not None
    assert np.size(found.layers.moduli) <= 3
    assert found.parameters <= 10  # half of the numbers
    exact = modulus(found.heights)
    assert covered(found.storage_low, exact.real, found.storage_high) >= 0.9
    assert covered(found.loss_low, exact.imag, found.loss_high) >= 0.9
    # thickness and modulus of the skin are not known each
    assert found.storage_high[-1] > 15e6
    weights = [one.weight for one in found.alternatives]
    assert sum(weights) == pytest.approx(1.0)
    assert weights == sorted(weights, reverse=True)
    assert found.layers is found.alternatives[0].layers


def test_other_explanations_are_listed_and_widen_the_bands() -> None:
    ten = np.ones(10)
    made = Inverted(
        cells=np.arange(11.0) * NM,
        modulus=ten + 0j,
        storage_low=ten,
        storage_high=ten,
        loss_low=ten,
        loss_high=ten,
        layers=None,
        force=ten + 0j,
        depth=ten.cumsum() * NM,
        noise=(0.01, 0.01),
        misfit=0.9,
        parameters=5.0,
        alternatives=(
            Explanation(layers=Steps([5 * NM], [1e6, 2e6]), misfit=0.8, parameters=3, weight=0.7),
            Explanation(layers=None, misfit=0.9, parameters=5.0, weight=0.3),
        ),
    )
    assert "2 layers 70%, a profile 30%" in made.doubts[0]
    sure = replace(made, alternatives=(replace(made.alternatives[0], weight=1.0),))
    assert len(sure.doubts) == 1

    nothing = np.full(2, np.nan)
    bands = ((np.array([0.9, 0.9]), np.array([1.1, 1.1])), (nothing, nothing))
    # half of all lies evenly in 2 to 3, so that 2.5 % of all is 5 % of it
    even = np.linspace(2.0, 3.0, 1001)[:, None] * np.ones(2) + 0j
    (low, high), loss = with_draws(bands, [even], 0.5)
    np.testing.assert_array_equal(low, [0.9, 0.9])
    np.testing.assert_allclose(high, [2.95, 2.95])
    assert np.isnan(loss).all()
    assert with_draws(bands, [even], 0.04) is bands


def test_a_cone_is_inverted_as_a_cone() -> None:
    tip, layer = Tip(10 * NM, np.radians(20.0)), Layer(60 * NM, 3e6 + 0.6e6j, 0.49)
    depths = np.arange(6.0, 55.0, 6.0) * NM
    force = lateral_force(tip, layer, depths, AMPLITUDE, fineness=0.8, workers=1).force
    noise = 0.003 * float(np.median(force.real))
    random = np.random.default_rng(5).standard_normal((2, depths.size))
    force = force + noise * (random[0] + 1j * random[1])
    found = invert(tip, layer, depths, force, AMPLITUDE, noise=noise, workers=1, fineness=0.5)
    inside = (found.heights > 5 * NM) & (found.heights < 50 * NM)
    np.testing.assert_allclose(found.modulus.real[inside], 3e6, rtol=0.05)
    cylinder = invert(
        Tip(10 * NM), layer, depths, force, AMPLITUDE, noise=noise, workers=1, fineness=0.5
    )
    assert np.abs(cylinder.modulus.real[inside] / 3e6 - 1.0).max() > 0.15
