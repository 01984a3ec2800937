"""Tests of the methods on curves and forces whose truth is known."""

import numpy as np
import pytest
from nrm_importer_template.contact import FixedWall
from nrm_importer_template.derivative import SlidingLine

from nrm_plugin.errors import InvalidInput, RecipeError

NM = 1e-9


def curve(contact, noise=0.0):
    """A ramp of 200 nm that ends 30 nm beyond the contact on a rigid wall."""
    height = contact + np.linspace(170, -30, 2001) * NM
    deflection = np.maximum(contact - height, 0) + np.random.default_rng(1).normal(0, noise, 2001)
    return height, deflection


def test_contact_without_noise_is_exact():
    found = FixedWall().find(*curve(12.3 * NM))
    assert found.height == pytest.approx(12.3 * NM, abs=1e-15)
    assert found.lines == pytest.approx((0, 0, 12.3 * NM, -1), abs=1e-9)


def test_contact_is_off_by_no_more_than_its_standard_error_says():
    found = FixedWall().find(*curve(12.3 * NM, noise=0.1 * NM))
    assert found.noise == pytest.approx(0.1 * NM, rel=0.1)
    assert 0 < found.stderr < 0.2 * NM
    assert abs(found.height - 12.3 * NM) < 4 * found.stderr


def test_the_window_of_the_wall_is_as_long_as_its_setting():
    found = FixedWall().find(*curve(0.0), FixedWall.Settings(wall="5 nm"))
    assert found.wall == pytest.approx((-30 * NM, -25 * NM), abs=0.2 * NM)
    assert found.baseline == pytest.approx((90 * NM, 170 * NM), abs=0.2 * NM)


def test_no_contact_in_a_curve_without_wall():
    height, _ = curve(0.0)
    assert np.isnan(FixedWall().find(height, np.zeros_like(height)).height)


@pytest.mark.parametrize("wall", ["5 V", 5.0, -1e-9, "near"])
def test_settings_that_cannot_be_meant_are_refused(wall):
    with pytest.raises((ValueError, InvalidInput, RecipeError)):
        FixedWall.Settings(wall=wall)


def test_gradient_of_a_parabola():
    z = np.linspace(40, 0, 2001) * NM
    at = np.array([5, 20, 35, 45]) * NM
    gradient, stderr = SlidingLine().gradient(z, 0.5 * z**2, at)
    np.testing.assert_allclose(gradient, [5 * NM, 20 * NM, 35 * NM, np.nan], atol=0.02 * NM)
    assert np.isnan(stderr[3])


def test_gradient_is_off_by_no_more_than_its_standard_error_says():
    z = np.linspace(40, 0, 2001) * NM
    force = 0.1 * z + np.random.default_rng(2).normal(0, 10e-12, len(z))
    at = np.linspace(5, 35, 7) * NM
    gradient, stderr = SlidingLine().gradient(z, force, at, SlidingLine.Settings(half_width="4 nm"))
    assert (np.abs(gradient - 0.1) < 4 * stderr).all()
    _, narrow = SlidingLine().gradient(z, force, at, SlidingLine.Settings(half_width="1 nm"))
    assert (narrow > 4 * stderr).all()
