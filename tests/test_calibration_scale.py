"""Uncertainty of the absolute scale of E*."""

from __future__ import annotations

import numpy as np
import pytest

from nrm_plugin import CurveSet, InvalidInput
from nrm_plugin.calibration.scale import MEANING, POWERS, scale_of

TYPICAL = {
    "spring_constant": 0.10,
    "cantilever_length": 0.02,
    "tip_height": 0.05,
    "shear_over_young": 0.05,
    "lateral_sensitivity": 0.05,
    "dither_amplitude": 0.03,
    "shape_factor": 0.05,
}


def test_contributions_by_hand() -> None:
    """u^2 = u(kc)^2 + (2 u(L))^2 + (2 u(lt))^2 + u(G/E)^2 + u(S)^2 + u(A)^2 + u(rg)^2."""
    found = scale_of({}, TYPICAL)
    assert found.contributions == pytest.approx(
        {**TYPICAL, "cantilever_length": 0.04, "tip_height": 0.10}
    )
    assert found.total == pytest.approx(np.sqrt(0.03))
    assert found.complete
    assert set(MEANING) == {*POWERS, "lateral_stiffness"}


def test_monte_carlo_agrees() -> None:
    """17 %: a 95 % interval of 0.71 to 1.40, lopsided."""
    found = scale_of({}, TYPICAL)
    assert found.monte_carlo == pytest.approx(found.total, rel=0.02)
    assert found.interval == pytest.approx((0.714, 1.400), abs=0.01)
    width = np.sqrt(sum(POWERS[n] ** 2 * np.log1p(u**2) for n, u in TYPICAL.items()))
    assert found.interval == pytest.approx(np.exp([-1.96 * width, 1.96 * width]), rel=5e-3)
    assert scale_of({}, TYPICAL).interval == found.interval  # seeded
    assert scale_of({}, TYPICAL, seed=1).interval != found.interval


def test_interval_covers_what_wrong_calibrations_do() -> None:
    """1000 experiments with inputs that are off: the modulus is within the interval in 95 %."""
    rng = np.random.default_rng(3)
    low, high = scale_of({}, TYPICAL).interval
    off = {
        n: np.exp(np.sqrt(np.log1p(u**2)) * rng.standard_normal(1000)) for n, u in TYPICAL.items()
    }
    lateral = (
        off["spring_constant"]
        * off["cantilever_length"] ** 2
        * off["shear_over_young"]
        / off["tip_height"] ** 2
    )
    modulus = lateral * off["lateral_sensitivity"] / off["dither_amplitude"] / off["shape_factor"]
    assert 0.93 <= np.mean((low < modulus) & (modulus < high)) <= 0.97


def curves(**metadata: float) -> CurveSet:
    return CurveSet.from_arrays({"height": (np.zeros((1, 4)), "m")}, metadata=metadata)


def test_metadata_of_curves() -> None:
    found = scale_of(
        curves(
            spring_constant=0.3,
            spring_constant_stderr=0.03,
            dither_amplitude=1e-9,
            dither_amplitude_stderr=3e-11,
            shape_factor=1.25,
        )
    )
    assert found.contributions == pytest.approx({"spring_constant": 0.1, "dither_amplitude": 0.03})
    assert found.unknown == (
        "cantilever_length",
        "tip_height",
        "shear_over_young",
        "lateral_sensitivity",
        "shape_factor",
    )
    assert not found.complete
    assert "lateral sensitivity S: unknown" in found.lines()
    assert "or more" in found.lines()[-1]


def test_lateral_stiffness_stands_for_what_it_is_made_of() -> None:
    whole = curves(
        lateral_stiffness=26.0,
        lateral_stiffness_stderr=2.6,
        spring_constant=0.3,
        spring_constant_stderr=0.03,
    )
    found = scale_of(whole)
    assert found.contributions == pytest.approx({"lateral_stiffness": 0.1})
    assert found.unknown == ("lateral_sensitivity", "dither_amplitude", "shape_factor")
    apart = scale_of(whole, {"cantilever_length": 0.02})
    assert apart.contributions == pytest.approx({"spring_constant": 0.1, "cantilever_length": 0.04})
    assert "tip_height" in apart.unknown


def test_nothing_known_is_not_nothing() -> None:
    found = scale_of(curves())
    assert found.total == 0.0
    assert set(found.unknown) == set(POWERS)
    zero = scale_of(curves(spring_constant=0.3, spring_constant_stderr=0.0))
    assert "spring_constant" in zero.unknown


def test_attributes_are_plain() -> None:
    found = scale_of({}, TYPICAL).attributes()
    assert found["scale_stderr"] == pytest.approx(0.1732, abs=1e-4)
    assert found["scale_stderr_tip_height"] == pytest.approx(0.10)
    assert found["scale_unknown"] == ""
    assert all(isinstance(v, float | str | list) for v in found.values())


def test_senseless_errors_are_refused() -> None:
    with pytest.raises(InvalidInput, match="does not scale"):
        scale_of({}, {"temperature": 0.1})
    for error in (-0.1, float("nan"), float("inf")):
        with pytest.raises(InvalidInput, match="relative error"):
            scale_of({}, {"shape_factor": error})
