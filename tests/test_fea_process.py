"""The engine with a computed shape factor, on curves made with a constant one, and with ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from nrm_generator import MPA, NM, Generator
from scipy.interpolate import CubicSpline

import nrm_plugin as nrm
from nrm_plugin.fea import Layer, ShapeFactor, Tip, lateral_force, shape_factor, write_shape_factor
from nrm_plugin.fea.shape import crowded

TIP, THICKNESS, NU = Tip(10 * NM), 50.0, 0.49
MODULUS = (3.0 + 1.2j) * MPA
#: Outside of these distances (nm) the curve of this tip in this layer ends.
REACH = 1.0, THICKNESS - 1.0


@pytest.fixture(scope="module")
def factor() -> ShapeFactor:
    return shape_factor(TIP, Layer(THICKNESS * NM, 1.0, NU), fineness=0.7, workers=1)


@pytest.fixture(scope="module")
def curve(factor: ShapeFactor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its file, as a recipe takes it."""
    path = tmp_path_factory.mktemp("curve") / "rg.h5"
    write_shape_factor(factor, path)
    return path


def recipe(shape: str | float | Path, **changes: Any) -> nrm.Recipe:
    given = shape if isinstance(shape, float) else str(shape)
    return nrm.Recipe().replace(shape_factor=given, **changes)


# ---------------------------------------------------------------- a constant, and the curve


@pytest.fixture(scope="module")
def pair(curve: Path) -> tuple[xr.Dataset, xr.Dataset]:
    """Results of the same curves with r_g = 0.5 and with the curve."""
    curves, _ = Generator(curves=8).make()
    return nrm.process(curves, recipe(0.5)), nrm.process(curves, recipe(curve))


@pytest.mark.parametrize("part", ["storage_modulus", "loss_modulus"])
@pytest.mark.parametrize("suffix", ["", "_stderr"])
def test_moduli_are_divided_by_the_curve(
    pair: tuple[xr.Dataset, xr.Dataset], factor: ShapeFactor, part: str, suffix: str
) -> None:
    constant, computed = (results[part + suffix].values for results in pair)
    z = pair[0]["depth"].values
    expected = constant * 0.5 / factor.at(z)
    np.testing.assert_allclose(computed, expected, rtol=1e-3)
    inside = (z > REACH[0] * NM) & (z < REACH[1] * NM)
    assert np.isfinite(computed[:, inside]).mean() > 0.9


def test_there_are_no_moduli_beyond_the_curve(pair: tuple[xr.Dataset, xr.Dataset]) -> None:
    constant, computed = pair
    z = constant["depth"].values / NM
    outside = (z < 0.999 * REACH[0]) | (z > 1.001 * REACH[1])
    for name in ("storage_modulus", "loss_modulus", "storage_modulus_stderr"):
        assert np.isfinite(constant[name].values[:, outside]).any()
        assert np.isnan(computed[name].values[:, outside]).all()
    # What needs no shape factor is the same.
    for name in ("lateral_force_in_phase", "contact_height"):
        np.testing.assert_array_equal(computed[name].values, constant[name].values)
    # So is the gradient, but for two roundings to single precision: it follows from the moduli.
    gradients = [data["force_gradient_in_phase"].values for data in (computed, constant)]
    np.testing.assert_allclose(*gradients, rtol=2.0**-22)


def test_results_say_which_shape_factor(
    pair: tuple[xr.Dataset, xr.Dataset], factor: ShapeFactor
) -> None:
    constant, computed = pair
    assert constant.attrs["shape_factor_source"] == "0.5, given in the recipe"
    assert computed.attrs["shape_factor_source"] == (
        "curve from rg.h5, 1 to 49 nm, for a bonded cylindrical tip of 10 nm radius in a layer of "
        "50 nm, Poisson ratio 0.49"
    )
    assert computed["shape_factor"].dims == ("depth",)
    z = computed["depth"].values
    np.testing.assert_allclose(computed["shape_factor"], factor.at(z), rtol=1e-3)
    assert "does not reach all depths" in computed.attrs["warnings"]


@pytest.mark.parametrize(("radius", "warned"), [(10.0, False), (20.0, True)])
def test_a_curve_of_another_tip_is_warned_of(curve: Path, radius: float, warned: bool) -> None:
    curves, _ = Generator(curves=2, metadata={"tip_radius": radius * NM}).make()
    said = nrm.process(curves, recipe(curve)).attrs["warnings"]
    assert ("tip_radius says 20 nm" in said) is warned


def test_a_recipe_names_the_file_beside_it(curve: Path) -> None:
    place = curve.parent / "recipe.toml"
    place.write_text('shape_factor = "rg.h5"\n', encoding="utf-8")
    curves, _ = Generator(curves=2).make()
    found = nrm.process(curves, nrm.Recipe.from_toml(place))
    assert found.attrs["shape_factor_source"].startswith("curve from rg.h5")


# ---------------------------------------------------------------- computed forces, there and back


@cache
def stiffness() -> tuple[np.ndarray, CubicSpline]:
    """Distances in nm, and lateral force per displacement over their logit."""
    known = crowded(0.3, THICKNESS, 45)
    layer = Layer(THICKNESS * NM, MODULUS, NU)
    depths = (THICKNESS - known) * NM
    found = lateral_force(TIP, layer, depths, NM, fineness=0.8, workers=1)
    return known, CubicSpline(np.log(known / (THICKNESS - known)), found.force / NM)


@dataclass(frozen=True, kw_only=True)
class Computed(Generator):
    """Curves whose lateral force in a homogeneous layer comes from the finite elements."""

    force: Any = 3.0
    top: Any = THICKNESS

    def _stiffness_above(self, z: np.ndarray) -> Any:
        known, spline = stiffness()
        inside = np.clip(z, known[0], known[-1])
        found = spline(np.log(inside / (THICKNESS - inside)))
        return np.where(z < THICKNESS, found, 0.0)


@pytest.fixture(scope="module")
def measured() -> nrm.CurveSet:
    return Computed(curves=12, noise=0.05, lateral_noise=0.1, spacing=0.1, samples=2048).make()[0]


def median(results: xr.Dataset, z: np.ndarray) -> np.ndarray:
    """Complex modulus over the curves at distances in nm."""
    at = results.sel(depth=z * NM, method="nearest")
    storage, loss = (at[name].median("curve") for name in ("storage_modulus", "loss_modulus"))
    return np.asarray(storage.values + 1j * loss.values)


DISTANCES = np.array([5.0, 8.0, 12.0, 16.0, 20.0, 25.0, 30.0, 35.0, 40.0, 44.0])


def test_the_modulus_comes_back(measured: nrm.CurveSet, curve: Path) -> None:
    """E* of the layer at every distance, in both parts."""
    found = median(nrm.process(measured, recipe(curve, half_width=1e-9)), DISTANCES)
    np.testing.assert_allclose(found.real, MODULUS.real, rtol=0.02)
    np.testing.assert_allclose(found.imag, MODULUS.imag, rtol=0.02)
    assert np.median(found.real) == pytest.approx(MODULUS.real, rel=0.01)


def test_what_the_papers_number_makes_of_it(measured: nrm.CurveSet, factor: ShapeFactor) -> None:
    """E r_g(z) / 1.25: one number for all distances gives a layer of one modulus a profile."""
    results = nrm.process(measured, recipe("paper", half_width=1e-9))
    expected = MODULUS * factor.at(DISTANCES * NM) / 1.25
    np.testing.assert_allclose(median(results, DISTANCES).real, expected.real, rtol=0.02)
    assert "the paper's" in results.attrs["shape_factor_source"]
