"""Deflection sensitivity from the wall, on simulated curves of known truth."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from intervals import REPETITIONS, assert_covered
from scipy.optimize import least_squares
from scipy.special import stdtrit

from nrm_plugin import CurveSet
from nrm_plugin import simulate as sim
from nrm_plugin.calibration import CalibrationFailed
from nrm_plugin.calibration.deflection import deflection_sensitivity
from nrm_plugin.calibration.pooling import pool
from nrm_plugin.calibration.wall import WallContact, robust_line, split_slopes
from nrm_plugin.cli import main
from nrm_plugin.errors import UnknownChannel
from nrm_plugin.joining import join

TRUTH = 30e-9


def recorded(
    n: int = 10,
    *,
    layer: sim.Interphase | None = None,
    electrode: sim.Electrode | None = None,
    detector: dict[str, Any] | None = None,
    scanner: dict[str, Any] | None = None,
    ramp: dict[str, Any] | None = None,
    seed: int = 0,
) -> CurveSet:
    """Curves in volts from an instrument of 30 nm/V."""
    instrument = sim.Instrument(
        lateral_stiffness=26.0,
        deflection_sensitivity=TRUTH,
        detector=sim.Detector(**(detector or {})),
        scanner=sim.Scanner(**(scanner or {})),
    )
    sample = sim.Sample(layer or sim.Interphase(), electrode or sim.Electrode())
    made = sim.simulate(
        sample, instrument, sim.Ramp(**(ramp or {})), n_curves=n, volts=True, seed=seed
    )
    return made[0]


def of(height: Any, volts: Any) -> CurveSet:
    return CurveSet.from_arrays({"height": (height, "m"), "deflection": (volts, "V")})


def as_arrays(curves: CurveSet) -> tuple[np.ndarray, np.ndarray]:
    shape = (curves.n_curves, -1)
    return curves.read("height").reshape(shape), curves.read("deflection").reshape(shape)


def test_slopes_of_a_walls_parts_hold_the_noise_of_both_signals() -> None:
    """3 mV and 0.1 nm times 40 mV/nm make 5 mV; the five samples of a part, 10 nm^2."""
    height = 1e-9 * np.arange(10)
    contact = WallContact(
        height=height,
        volts=0.4 - 40e6 * height,
        noise=3e-3,
        height_noise=0.1e-9,
        base_slope=0.0,
        base_variance=0.0,
        saturated=0,
    )
    for line in split_slopes(contact, 10, 0.5):
        assert line.slope == pytest.approx(-40e6)
        assert line.variance == pytest.approx(5e-3**2 / 10e-18)


def test_a_wall_with_outliers_is_fitted_as_hubers_estimate() -> None:
    """The minimum of Huber's loss beyond 1.345 standard deviations, found by another program."""
    rng = np.random.default_rng(3)
    height = 0.5e-9 * np.arange(60)
    volts = 1.2 - 40e6 * height + 5e-3 * rng.standard_normal(60)
    volts[::7] += 0.03
    contact = WallContact(
        height=height,
        volts=volts,
        noise=5e-3,
        height_noise=0.0,
        base_slope=0.0,
        base_variance=0.0,
        saturated=0,
    )
    x, line = height * 1e9, np.array([1.2, -0.04])
    for _ in range(6):  # the scale is that of the residuals themselves
        scale = 1.4826 * np.median(np.abs(volts - line[0] - line[1] * x))
        line = least_squares(
            lambda p: volts - p[0] - p[1] * x, line, loss="huber", f_scale=1.345 * scale
        ).x
    assert robust_line(contact, 60).slope == pytest.approx(line[1] * 1e9, rel=2e-4)


def test_straight_wall_by_hand() -> None:
    """A noiseless curve: 25 nm/V exactly, virtual deflection of 1 % taken off."""
    height = np.concatenate([np.linspace(200e-9, -50e-9, 501), np.linspace(-50e-9, 200e-9, 501)])
    volts = np.maximum(-height, 0.0) / 25e-9 + 0.01 * height / 25e-9
    found = deflection_sensitivity(of(height, volts))
    assert found.value == pytest.approx(25e-9, rel=1e-9)
    assert (found.key, found.method) == (
        "deflection_sensitivity",
        "wall of force curves, approach and retract",
    )


@pytest.mark.slow
@pytest.mark.parametrize(("n", "scatter"), [(1, 0.0), (3, 0.003)])
def test_error_covers_the_truth(n: int, scatter: float) -> None:
    """Sets of one curve, and of few that differ."""
    draws = REPETITIONS
    ramp = {"length": 120e-9, "samples": 256, "trigger": 40e-9, "retract": False}
    height, volts = as_arrays(recorded(n * draws, ramp=ramp, detector={"tilt": 0.005}))
    rng = np.random.default_rng(1)
    volts = volts / (1.0 + scatter * rng.standard_normal((n * draws, 1)))
    z = []
    for first in range(0, n * draws, n):
        part = slice(first, first + n)
        found = deflection_sensitivity(of(height[part], volts[part]), "approach")
        z.append((found.value - TRUTH) / found.stderr)
    assert_covered(z)


@pytest.mark.parametrize(
    ("what", "largest"),
    [
        ({}, 5e-4),
        ({"detector": {"deflection_noise": 0.5e-9}}, 3e-3),
        ({"detector": {"tilt": 0.01}}, 5e-4),
        ({"detector": {"flicker": 0.3e-9}}, 1e-2),
        ({"detector": {"fringe": 0.5e-9}}, 2e-2),
        ({"detector": {"glitches": 0.5}}, 5e-4),
        ({"detector": {"bits": 12}}, 1e-3),
        ({"ramp": {"trigger": 8e-9}}, 2e-2),  # a wall of 5 nm
        ({"ramp": {"adhesion": 5e-9}}, 5e-4),
        ({"detector": {"full_scale": 1.0}}, 2e-3),  # saturates at 30 of 50 nm
        ({"layer": sim.Interphase((sim.Layer(20e-9, 1e6),), force=3e-9)}, 1e-3),
        ({"layer": sim.Interphase((sim.Layer(60e-9, 1e6),), force=3e-9, decay=6e-9)}, 1e-3),
    ],
)
def test_within_its_error_whatever_the_microscope_adds(
    what: dict[str, Any], largest: float
) -> None:
    found = deflection_sensitivity(recorded(**what))
    assert abs(found.value - TRUTH) < 3.0 * found.stderr
    assert found.stderr < largest * TRUTH


def test_hysteresis_is_averaged_out_and_noted() -> None:
    """2 % of hysteresis changes the slopes of both directions by 4 %, in opposite ways."""
    curves = recorded(scanner={"hysteresis": 0.02})
    both = deflection_sensitivity(curves)
    assert both.value == pytest.approx(TRUTH, rel=2e-3)
    assert both.stderr > 0.01 * TRUTH
    assert any("hysteresis or creep" in note for note in both.notes)
    creeping = deflection_sensitivity(recorded(scanner={"creep": 2e-9}))
    assert any("hysteresis or creep" in note for note in creeping.notes)
    assert abs(creeping.value - TRUTH) < 1.96 * creeping.stderr


def test_creep_after_the_turn_is_left_out() -> None:
    """A scanner that runs on by 1 nm when it turns: 4 % too flat over the first 20 nm upwards."""
    height, volts = as_arrays(recorded(5))
    height = height.copy()
    up = np.arange(1024)
    height[:, 1024:] += 1e-9 * (1.0 - np.exp(-up / 15.0))
    found = deflection_sensitivity(of(height, volts))
    assert any("next to the turn were left out" in note for note in found.notes)
    assert abs(found.value - TRUTH) < 2.0 * found.stderr + 2e-3 * TRUTH


def test_one_direction() -> None:
    found = deflection_sensitivity(recorded(ramp={"retract": False}))
    assert any("approach alone" in note for note in found.notes)
    with pytest.raises(CalibrationFailed, match="no retract"):
        deflection_sensitivity(recorded(2, ramp={"retract": False}), "retract")


def test_saturated_samples_are_left_out() -> None:
    found = deflection_sensitivity(recorded(detector={"full_scale": 1.0}))
    assert any("saturated samples were left out in 10 curves" in note for note in found.notes)
    with pytest.raises(CalibrationFailed, match="10 saturated"):
        deflection_sensitivity(recorded(detector={"full_scale": 0.05}))


@pytest.mark.parametrize("modulus", [1e6, 1e7, 1e8, 1e9, 5e9])
def test_soft_contact_is_refused(modulus: float) -> None:
    soft = sim.Electrode(modulus=modulus, tip_radius=10e-9)
    with pytest.raises(CalibrationFailed, match="soft contact"):
        deflection_sensitivity(recorded(electrode=soft, ramp={"length": 600e-9}))


def test_stiff_sample_is_good_enough_or_refused() -> None:
    """100 GPa: 0.2 % of compliance, which no curve can show; the note holds it."""
    found = deflection_sensitivity(recorded(electrode=sim.Electrode(modulus=1e11)))
    assert found.value == pytest.approx(TRUTH, rel=3e-3)
    assert any("Hertzian" in note for note in found.notes)


def test_a_detector_that_is_not_linear_is_refused() -> None:
    height, volts = as_arrays(recorded())
    with pytest.raises(CalibrationFailed, match="not linear"):
        deflection_sensitivity(of(height, 3.0 * np.tanh(volts / 3.0)))


def test_a_short_wall_that_flattens_is_refused() -> None:
    """40 nm in steps of 1 nm against a detector that follows tanh with 2 V."""
    height = np.tile(np.linspace(250e-9, -40e-9, 291), (4, 1))
    volts = 2.0 * np.tanh(np.maximum(-height, 0.0) / 25e-9 / 2.0)
    volts += 1e-4 * np.random.default_rng(0).standard_normal(volts.shape)
    with pytest.raises(
        CalibrationFailed,
        match=r"the wall is curved: its slope changes by 24\.8% \(\+- 0\.0%\) between its halves; "
        "it flattens towards large signals: the detector is not linear there",
    ):
        deflection_sensitivity(of(height, volts))


def test_turned_signs_are_named() -> None:
    height, volts = as_arrays(recorded(3))
    for h, v in ((height, -volts), (-height, volts), (-height, -volts)):
        with pytest.raises(CalibrationFailed, match="sign"):
            deflection_sensitivity(of(h, v))


def test_units_that_make_no_sense() -> None:
    height, volts = as_arrays(recorded(2))
    metres = CurveSet.from_arrays({"height": (height, "m"), "deflection": (volts * 30, "nm")})
    with pytest.raises(CalibrationFailed, match="already in m"):
        deflection_sensitivity(metres)
    curves = of(height, volts)
    from dataclasses import replace

    for unit, text in (("", "no unit"), ("Arb", "unit Arb")):
        bare = curves.with_channel(replace(curves.channel("deflection"), unit=unit))
        with pytest.raises(CalibrationFailed, match=text):
            deflection_sensitivity(bare)
    unscaled = curves.with_channel(replace(curves.channel("height"), unit="V"))
    with pytest.raises(CalibrationFailed, match="height is in V"):
        deflection_sensitivity(unscaled)
    with pytest.raises(UnknownChannel):
        deflection_sensitivity(CurveSet.from_arrays({"height": (height, "m")}))


def test_nothing_to_fit() -> None:
    with pytest.raises(CalibrationFailed, match="no curves"):
        deflection_sensitivity(of(np.empty((0, 100)), np.empty((0, 100))))
    height, volts = as_arrays(recorded(3))
    with pytest.raises(CalibrationFailed, match="108 samples"):
        deflection_sensitivity(of(height, np.full_like(volts, np.nan)))
    with pytest.raises(CalibrationFailed, match="does not vary"):
        deflection_sensitivity(of(height, np.zeros_like(volts)))
    noise = 1e-3 * np.random.default_rng(1).standard_normal(volts.shape)
    with pytest.raises(CalibrationFailed, match="no contact"):
        deflection_sensitivity(of(height, noise))
    with pytest.raises(CalibrationFailed, match="108 samples"):
        deflection_sensitivity(of(height[:, 1000:1040], volts[:, 1000:1040]))


def test_bad_curves_among_good_ones_are_counted() -> None:
    height, volts = as_arrays(recorded(12))
    volts = volts.copy()
    volts[3] = np.nan
    volts[5] = 0.0
    volts[7, ::50] = np.nan
    volts[9] *= 1.3
    found = deflection_sensitivity(of(height, volts))
    assert abs(found.value - TRUTH) < 4.0 * found.stderr
    assert found.stderr < 1e-3 * TRUTH
    text = " ".join(found.notes)
    assert "1 curves whose slope stands apart" in text
    assert "1 fewer than 108 samples" in text


def test_curves_of_one_direction_among_those_of_both_are_counted() -> None:
    both, approach = recorded(3), recorded(2, ramp={"retract": False})
    found = deflection_sensitivity(join([both, approach]))
    assert "curves left out: 2 without retract" in found.notes
    assert found.value == pytest.approx(deflection_sensitivity(both).value)


def test_a_commanded_height_is_told() -> None:
    curves = recorded(3).with_metadata({"height_source": "commanded"}, "test")
    told = "the height is the commanded one: the scanner's own error goes into the value"
    assert told in deflection_sensitivity(curves).notes
    sensor = curves.with_metadata({"height_source": "sensor"}, "test")
    assert told not in deflection_sensitivity(sensor).notes


def test_short_walls_cannot_be_seen_to_be_curved() -> None:
    height = np.linspace(250e-9, -21e-9, 272)
    volts = np.maximum(-height, 0.0) / 25e-9
    volts += 1e-3 * np.random.default_rng(0).standard_normal(len(height))
    found = deflection_sensitivity(of(height, volts))
    assert "the walls are too short to see whether they are curved" in found.notes
    assert found.value == pytest.approx(25e-9, rel=5e-3)


def test_a_wall_of_glitches_is_too_short() -> None:
    """22 samples in contact, every fourth 0.2 V off: 9 are left between foot and turn."""
    height = np.linspace(250e-9, -22e-9, 273)
    volts = np.maximum(-height, 0.0) / 25e-9
    volts += 1e-3 * np.random.default_rng(0).standard_normal(len(height))
    volts[-22::4] += 0.2
    with pytest.raises(CalibrationFailed, match=r"\(1 no contact of 12 samples or more\)"):
        deflection_sensitivity(of(height, volts))


def test_known_sensitivity_is_compared() -> None:
    found = deflection_sensitivity(recorded(3))
    assert any("the file says 30 nm/V: this is 1.000 times" in note for note in found.notes)


def test_noise_of_the_height_does_not_flatten_the_wall() -> None:
    """A wall of 12 nm and a sensor noise of 0.4 nm: least squares would be 1.3 % too flat."""
    rng = np.random.default_rng(2)
    curves = recorded(200, ramp={"trigger": 15e-9, "retract": False})
    height, volts = as_arrays(curves)
    found = deflection_sensitivity(of(height + 0.4e-9 * rng.standard_normal(height.shape), volts))
    assert found.value == pytest.approx(TRUTH, rel=4e-3)


# Pooling


def test_pool_of_equal_values_and_one() -> None:
    one = pool(np.array([2.0]), np.array([0.04]))
    assert (one.mean, one.stderr, one.between) == (2.0, pytest.approx(0.2), 0.0)
    many = pool(np.full(9, 3.0), np.full(9, 0.09))
    assert many.mean == pytest.approx(3.0)
    assert many.least == pytest.approx(0.1)


def test_pool_of_two_that_differ_by_more_than_their_errors() -> None:
    """1 and 4 with variances of 1: 4.5 / (1 + b) = 1, so b = 3.5, and (1 + b) / 2 of the mean."""
    found = pool(np.array([1.0, 4.0]), np.array([1.0, 1.0]))
    assert (found.mean, found.within) == (2.5, 1.0)
    assert found.between == pytest.approx(np.sqrt(3.5))
    assert found.least == pytest.approx(np.sqrt(0.5))
    # (4.5 / 3.5)^2 degrees of freedom, of a spread of which 3.5 parts in 4.5 come from two values
    assert found.stderr == pytest.approx(1.5 * stdtrit(81.0 / 49.0, 0.975) / 1.959964)


@pytest.mark.parametrize(("n", "between"), [(3, 1.0), (5, 0.0), (12, 3.0), (40, 0.5)])
def test_pool_covers_the_truth(n: int, between: float) -> None:
    rng = np.random.default_rng(n)
    z = []
    for _ in range(REPETITIONS):
        own = rng.uniform(0.5, 1.5, n)
        values = rng.standard_normal(n) * np.sqrt(own**2 + between**2)
        found = pool(values, own**2)
        z.append(found.mean / found.stderr)
    assert_covered(z)


# Command


def test_command(tmp_path) -> None:
    path = tmp_path / "glass.h5"
    recorded(5).save(path)
    out = tmp_path / "E.toml"
    result = CliRunner().invoke(
        main, ["calibrate", "deflection", str(path), "-o", str(out), "--json"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)[0]
    assert found["value"] == pytest.approx(TRUTH, rel=2e-3)
    from nrm_plugin.experiment import read

    written = read(out).metadata
    assert written["deflection_sensitivity"] == pytest.approx(found["value"], rel=1e-4)
    assert written["deflection_sensitivity_stderr"] == pytest.approx(found["stderr"], rel=1e-2)
    soft = tmp_path / "gel.h5"
    recorded(5, electrode=sim.Electrode(modulus=1e7), ramp={"length": 600e-9}).save(soft)
    result = CliRunner().invoke(main, ["calibrate", "deflection", str(soft)])
    assert result.exit_code == 1
    assert "soft contact" in result.output
