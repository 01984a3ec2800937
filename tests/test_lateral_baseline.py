"""Drift of the lock-in's offset is taken out of the lateral signal, and layers are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from nrm_generator import parts_of
from nrm_laboratory import MPA, Laboratory

import nrm_plugin as nrm

SEED = 8_800
Z = np.arange(121) * 0.5
NEAR, FAR = (Z >= 2.0) & (Z <= 5.0), (Z >= 10.0) & (Z <= 17.0)
LAYERS = (8.0, 10 + 3j), (12.0, 2 + 1j)


def processed(alone: bool = False, recipe: Any = None, **settings: Any) -> xr.Dataset:
    """Both directions are there, or the approach alone."""
    curves = Laboratory(**{"curves": 60, "seed": SEED, **settings}).make()[0]
    if alone:
        channels, metadata = parts_of(curves)
        half = curves.n_samples // curves.n_curves // 2
        channels = {n: (values[:, :half], unit) for n, (values, unit) in channels.items()}
        curves = nrm.CurveSet.from_arrays(channels, metadata=metadata)
    return nrm.process(curves, recipe)


def holds(found: xr.Dataset) -> None:
    for inside, true in ((NEAR, 10 + 3j), (FAR, 2 + 1j)):
        for name, part in (("storage_modulus", true.real), ("loss_modulus", true.imag)):
            values = found[name].values[..., inside] / MPA
            stderr = found[f"{name}_stderr"].values[..., inside] / MPA
            assert np.nanmean(values) == pytest.approx(part, rel=0.05), name
            within = np.abs(values - part) < 1.96 * stderr
            assert 0.88 <= within[np.isfinite(values)].mean() <= 0.99, name


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("drift", [0.2, -0.2, 0.2j, 0.2 + 0.2j])
def test_drift_is_taken_out(drift: complex, alone: bool) -> None:
    """0.2 nN per ramp would be 0.13 MPa."""
    found = processed(alone, lateral_drift=drift)
    assert found.attrs["lateral_baseline"] == ["line"]
    assert "drifts" in found.attrs["lateral_baseline_rule"]
    holds(found)
    way = 300e-9
    for name, part in (("in_phase", drift.real), ("quadrature", drift.imag)):
        slope = float(found[f"lateral_baseline_slope_{name}"].median())
        assert slope == pytest.approx(-part * 1e-9 / way, abs=0.05e-3)
        noise = float(found[f"lateral_noise_{name}"].median())
        assert noise == pytest.approx(10e-12, rel=0.05)
    assert float(found["lateral_noise_correlation"].median()) < 2.0


def test_drift_in_both_directions() -> None:
    found = processed(lateral_drift=0.2, recipe={"direction": "both"})
    assert found.attrs["lateral_baseline"] == ["line", "line"]
    holds(found)


def test_a_level_signal_is_left_alone() -> None:
    found = processed()
    assert found.attrs["lateral_baseline"] == ["mean"]
    assert "level" in found.attrs["lateral_baseline_rule"]
    holds(found)


def test_a_layer_is_not_taken_for_drift() -> None:
    """Its edge far away bends the signal; where it fills the ramp, both directions are alike."""
    edge = processed(stack=(*LAYERS, (70.0, 0.5 + 0.1j)))
    full = processed(stack=(*LAYERS, (480.0, 0.2 + 0.05j)))
    for found, word in ((edge, "bends"), (full, "alike in both directions")):
        assert found.attrs["lateral_baseline"] == ["mean"]
        assert word in found.attrs["lateral_baseline_rule"]
    beyond = np.nanmean(edge["storage_modulus"].values[:, (Z > 25.0) & (Z < 55.0)]) / MPA
    assert beyond == pytest.approx(0.5, rel=0.05)


def test_a_layer_that_fills_the_ramp_is_not_removed() -> None:
    """One direction alone cannot tell it from drift: what would be left of it decides."""
    found = processed(alone=True, stack=((8.0, 10 + 3j), (492.0, 2 + 1j)))
    assert found.attrs["lateral_baseline"] == ["mean"]
    assert "the other direction would tell" in found.attrs["lateral_baseline_rule"]


def test_the_papers_contacts_take_the_same_out() -> None:
    ours = processed(lateral_drift=0.2)
    theirs = processed(lateral_drift=0.2, recipe={"contact": {"method": "two-line"}})
    for name in ("lateral_baseline_slope_in_phase", "lateral_noise_in_phase"):
        np.testing.assert_allclose(theirs[name], ours[name], rtol=0.2, atol=1e-4)
    assert theirs.attrs["lateral_baseline"] == ["line"]
