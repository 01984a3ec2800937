"""Ramps of 32 to 256 samples; no seed was tuned on."""

from __future__ import annotations

import numpy as np
import pytest
from nrm_generator import MPA, NM, Generator, flagged, rms

import nrm_plugin as nrm


@pytest.mark.parametrize(
    ("samples", "span", "limit"),
    [
        (256, 300.0, 0.20),
        (192, 300.0, 0.20),
        (128, 300.0, 0.20),
        (64, 300.0, 0.45),
        (38, 300.0, 0.45),
        (64, 150.0, 0.20),
        (32, 150.0, 0.45),
        (64, 500.0, 0.45),
        (256, 1000.0, 0.45),
        (128, 1000.0, 0.45),
    ],
)
def test_contacts(samples: int, span: float, limit: float) -> None:
    curves, truth = Generator(
        curves=100, samples=samples, spacing=span / samples, lateral=False, seed=2031
    ).make()
    found = nrm.process(curves)
    assert rms((found["contact_height"].values - truth.contact) / NM) <= limit
    assert not flagged(found, "no_hard_contact").any()


def test_moduli_at_the_resolution_that_is_stated() -> None:
    """Far from steps of the profile; 10 + 3i MPa to 30 nm."""
    made = {"curves": 60, "stack": ((30.0, 10 + 3j), (10.0, 2 + 1j)), "top": 40.0, "seed": 2032}
    for samples, span in ((192, 300.0), (128, 300.0), (64, 150.0), (512, 1000.0)):
        spacing = span / samples
        found = nrm.process(Generator(samples=samples, spacing=spacing, **made).make()[0])
        width = found.attrs["half_width"] / NM
        assert width == pytest.approx(max(2.0, 2.6 * spacing), rel=0.02)
        z = found["depth"].values / NM
        inside = (z > 10) & (z < 17)
        assert np.isfinite(found["storage_modulus"].values[:, inside]).mean() > 0.95
        storage = np.nanmean(found["storage_modulus"].values[:, inside]) / MPA
        loss = np.nanmean(found["loss_modulus"].values[:, inside]) / MPA
        assert storage == pytest.approx(10.0, rel=0.05)
        assert loss == pytest.approx(3.0, rel=0.08)


def test_nothing_is_given_where_samples_do_not_tell() -> None:
    sparse = Generator(curves=40, samples=64, spacing=4.7, seed=2033)
    found = nrm.process(sparse.make()[0])
    near = found["depth"].values < found.attrs["half_width"]
    assert np.isnan(found["storage_modulus"].values[:, near]).all()
    assert np.isfinite(found["storage_modulus"].values[:, ~near]).any(1).all()
    first = found["depth"].values[np.isfinite(found["force_normal"].values).argmax(1)]
    np.testing.assert_array_equal(found["depth_valid_min"], first)


def test_a_wall_of_too_few_samples_has_a_true_reason() -> None:
    found = nrm.process(Generator(curves=40, samples=64, spacing=15.6, seed=2034).make()[0])
    assert flagged(found, "no_hard_contact").all()
    assert "samples are 15.6 nm apart" in found.attrs["warnings"]
