"""Distances count in units of the wall's own slope, and nothing of the wall is a layer.

Deep figures: ``python benchmarks/laboratory.py moduli``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr
from nrm_generator import MPA, NM, Generator, parts_of

import nrm_plugin as nrm
from nrm_plugin import plugins
from nrm_plugin import statistics as st
from nrm_plugin.engine import compiled
from nrm_plugin.figures.referencing import recorded
from nrm_plugin.statistics.selection import select

SEED = 4711
Z = np.arange(121) * 0.5
NEAR = (Z >= 2.0) & (Z <= 5.0)


@cache
def parts(**settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return parts_of(Generator(**{"curves": 60, "seed": SEED, **settings}).make()[0])


def told(error: float = 0.0, **settings: Any) -> nrm.CurveSet:
    """Curves whose deflection is larger than it should be by a part of it."""
    channels, metadata = parts(**settings)
    deflection, unit = channels["deflection"]
    channels = channels | {"deflection": (deflection * (1.0 + error), unit)}
    return nrm.CurveSet.from_arrays(channels, metadata=metadata)


@cache
def processed(error: float = 0.0, distance: str = "wall", **settings: Any) -> xr.Dataset:
    return nrm.process(told(error, **settings), {"contact": {"distance": distance}})


def modulus(results: xr.Dataset) -> float:
    return float(np.nanmean(results["storage_modulus"].values[:, NEAR]) / MPA)


@pytest.mark.parametrize("error", [-0.1, -0.05, -0.03, 0.03, 0.05, 0.1])
def test_the_wall_undoes_a_wrong_sensitivity(error: float) -> None:
    found = processed(error)
    assert found.attrs["distance_slope"] == pytest.approx([1.0 + error], abs=2e-3)
    assert f"{1.0 + error:.2f}" in found.attrs["distance_rule"]
    assert modulus(found) == pytest.approx(modulus(processed()), rel=0.01)
    moved = np.abs(found["contact_height"] - processed()["contact_height"]) / NM
    assert np.sort(moved)[-3] < 0.02  # single ones may take the next larger window
    assert moved.max() < 0.2


@pytest.mark.parametrize("distance", ["wall", "told"])
@pytest.mark.parametrize("error", [-0.1, -0.05, -0.03, 0.03, 0.05, 0.1])
def test_a_mistake_never_brings_estimates_nearer(error: float, distance: str) -> None:
    nearest = processed(error, distance)["depth_valid_min"].values
    assert np.all(nearest >= processed()["depth_valid_min"].values - 1e-12)
    assert np.nanpercentile(processed()["depth_valid_min"], 95) <= 1.5 * NM


def test_distances_as_they_were_told() -> None:
    found = processed(0.05, "told")
    assert found.attrs["distance_slope"] == [1.0]
    assert "deflection_sensitivity alone" in found.attrs["distance_rule"]
    # z is too large by 5 % of the bending, so that the edge at 8 nm (bent by 4.6 nm) is too
    edge = (found["storage_modulus"] - processed()["storage_modulus"]).mean("curve")
    assert edge[(Z > 7.0) & (Z < 9.0)].mean() > 0.2 * MPA


def test_forces_follow_the_told_sensitivity_unless_asked() -> None:
    exact, wrong = processed()["force_normal"], told(0.05)
    for rule, factor in (("told", 1.05), ("wall", 1.0), ("wall-thermal", 1.05**2)):
        found = nrm.process(wrong, {"contact": {"force": rule}})["force_normal"]
        ratio = float((found / exact).where(exact > 0.5 * NM).median())
        assert ratio == pytest.approx(factor, rel=2e-3), rule


@pytest.mark.parametrize("stiffness", [1.0, 5.0, 20.0])
def test_errors_contain_the_gain_of_the_levers_correction(stiffness: float) -> None:
    """Of 100 curves with some three independent distances each, 95 % +- 4 standard deviations."""
    found = processed(curves=150, stiffness=stiffness)
    for name, true in (("storage_modulus", 10.0), ("loss_modulus", 3.0)):
        values, stderr = (found[n].values[:, NEAR] / MPA for n in (name, f"{name}_stderr"))
        inside = np.abs(values - true) < 1.96 * stderr
        assert 0.91 <= inside[np.isfinite(values)].mean() <= 0.98, name


class Same:
    """The local line, as a plugin's."""

    name = "same"
    description = "the local line"

    def gradient_block(self, block: compiled.ReferencedBlock) -> compiled.Profiles:
        return compiled.profiles(block, "local-linear")


def test_methods_of_plugins_have_the_same_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    found = plugins.load()
    found.derivative_methods["same"] = Same()
    monkeypatch.setattr(plugins, "installed", lambda: found)
    ours = nrm.process(told(0.05))
    theirs = nrm.process(told(0.05), {"derivative": {"method": "same"}})
    for name in ("storage_modulus", "loss_modulus_stderr", "depth_valid_min", "force_normal"):
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_figures_count_distances_alike() -> None:
    """On the wall of a curve the tip stays where it is, whatever was told."""
    curves = told(0.1)
    for results in (None, processed(0.1)):
        (one,) = recorded(curves, [3], results)
        assert one.distance_slope == pytest.approx(1.1, abs=2e-3)
        assert np.abs(one.distance[-80:]).mean() < 0.3 * NM


def test_soft_and_hard_walls_are_told_apart() -> None:
    soft = np.arange(60) % 3 == 0
    hard, binder = parts(), parts(substrate=1.0)
    channels = {
        name: (np.where(soft[:, None], binder[0][name][0], values), unit)
        for name, (values, unit) in hard[0].items()
    }
    found = nrm.process(nrm.CurveSet.from_arrays(channels, metadata=hard[1]))
    about = found["surface_class"].attrs
    assert about["flag_meanings"] == "unknown hard yielding"
    assert list(about["flag_values"]) == [-1, 0, 1]
    np.testing.assert_array_equal(found["surface_class"], soft)
    assert found["surface_class"].dtype == np.int8
    assert modulus(found.isel(curve=soft)) == pytest.approx(10.0, rel=0.06)
    numbers, left_out = select(found, quality=("yielding",))
    np.testing.assert_array_equal(numbers, np.flatnonzero(~soft))
    assert left_out == soft.sum()
    profile = st.mean_profile(found, "storage_modulus", quality=("no_hard_contact", "hard"))
    assert profile.attrs["n_curves"] == soft.sum()


def test_a_ramp_that_ends_in_a_layer_has_no_class() -> None:
    found = processed(stops_at=4.0)
    assert (found["surface_class"] == -1).all()
