"""The simulator, whose answers follow from closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from nrm_plugin import simulate as sim
from nrm_plugin.errors import InvalidInput
from nrm_plugin.simulate.equilibrium import slipping_stiffness
from nrm_plugin.testing import assert_same, check_curves, check_round_trip

QUIET = sim.Detector(deflection_noise=0.0, lateral_noise=0.0)
TWO_LAYERS = sim.Interphase((sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j)), 3e-9)


def noiseless(sample: sim.Sample, ramp: sim.Ramp | None = None, **settings: object) -> tuple:
    instrument = sim.Instrument(detector=QUIET, **settings)  # type: ignore[arg-type]
    curves, truth = sim.simulate(sample, instrument, ramp or sim.Ramp(), n_curves=1)
    channels = {name: curves.read(name, 0) for name in curves.channels}
    return curves, truth, channels


def wall(channels: dict[str, np.ndarray], above: float) -> np.ndarray:
    pressed = channels["deflection"] > above
    return np.polyfit(channels["height"][pressed], channels["deflection"][pressed], 1)


def test_rigid_wall_has_slope_one_and_meets_the_baseline_at_the_contact() -> None:
    _, truth, channels = noiseless(sim.Sample(TWO_LAYERS))
    slope, offset = wall(channels, 30e-9)
    assert slope == pytest.approx(-1.0, abs=1e-9)
    assert -offset / slope == pytest.approx(truth.contact_height[0], abs=1e-15)
    assert truth.contact_height[0] == 0.0
    far = channels["height"] > 50e-9
    assert np.all(channels["deflection"][far] == 0.0)


def test_compliant_wall_is_a_spring_in_series_with_the_cantilever() -> None:
    sample = sim.Sample(TWO_LAYERS, sim.Electrode(stiffness=3.0))
    _, truth, channels = noiseless(sample, spring_constant=0.3)
    slope, offset = wall(channels, 30e-9)
    assert slope == pytest.approx(-3.0 / 3.3, rel=1e-6)
    # F0 = 3 nN is carried at the surface: the asymptote lies F0 / k_w = 1 nm above it.
    assert -offset / slope == pytest.approx(1e-9, rel=1e-6)
    assert truth.contact_height[0] == pytest.approx(1e-9, rel=1e-4)


def test_hertz_wall_is_steeper_the_deeper() -> None:
    sample = sim.Sample(sim.Interphase(), sim.Electrode(modulus=1e9, tip_radius=10e-9))
    _, _, channels = noiseless(sample, spring_constant=0.3)
    height, deflection = channels["height"][:1024], channels["deflection"][:1024]
    indentation = -(height + deflection)
    pressed = indentation > 0
    force = 4 / 3 * 1e9 * np.sqrt(10e-9) * indentation[pressed] ** 1.5
    np.testing.assert_allclose(0.3 * deflection[pressed], force, rtol=1e-3)


def test_turns_at_the_trigger() -> None:
    _, _, channels = noiseless(sim.Sample(TWO_LAYERS), sim.Ramp(trigger=40e-9))
    turn = np.argmin(channels["height"])
    assert turn in (1023, 1024)
    assert channels["deflection"].max() == pytest.approx(40e-9, rel=1e-9)


def test_lateral_force_is_the_integral_of_eq_4() -> None:
    """F = 4 r_g A (10 MPa x 8 nm + 2 MPa x 12 nm) at the electrode, rms as the lock-in shows it."""
    _, truth, channels = noiseless(sim.Sample(TWO_LAYERS, sim.Electrode(lateral_stiffness=0.0)))
    at_contact = np.abs(channels["height"][:1024]).argmin()
    peak = 4 * 1.25 * 1e-9
    in_phase = peak * (10e6 * 8e-9 + 2e6 * 12e-9) / np.sqrt(2)
    quadrature = peak * (3e6 * 8e-9 + 1e6 * 12e-9) / np.sqrt(2)
    pressed = channels["deflection"] > 20e-9
    assert channels["lateral_in_phase"][pressed][0] == pytest.approx(in_phase, rel=1e-9)
    assert channels["lateral_quadrature"][pressed][0] == pytest.approx(quadrature, rel=1e-9)
    assert np.all(channels["lateral_in_phase"][:at_contact] <= in_phase)
    depth = np.array([-1e-9, 4e-9, 8.5e-9, 19e-9, 21e-9])
    assert truth.modulus(0, depth).tolist() == [0, 10e6 + 3e6j, 2e6 + 1e6j, 2e6 + 1e6j, 0]


def test_the_lever_gives_way_in_series() -> None:
    """F = A K k / (K + k) with K = 4 r_g E z: 1 GPa over 10 nm against 30 N/m."""
    sample = sim.Sample(
        sim.Interphase((sim.Layer(10e-9, 1e9 + 0j),)), sim.Electrode(lateral_stiffness=0.0)
    )
    _, _, channels = noiseless(sample, lateral_stiffness=30.0)
    layer = 4 * 1.25 * 1e9 * 10e-9
    expected = 1e-9 * layer * 30.0 / (layer + 30.0) / np.sqrt(2)
    assert channels["lateral_in_phase"].max() == pytest.approx(expected, rel=1e-9)


def test_peak_convention_is_larger_by_root_two() -> None:
    rms = noiseless(sim.Sample(TWO_LAYERS))[2]
    peak = noiseless(sim.Sample(TWO_LAYERS), lock_in=sim.LockIn(convention="peak"))[2]
    np.testing.assert_allclose(
        peak["lateral_in_phase"], rms["lateral_in_phase"] * np.sqrt(2), rtol=1e-14
    )


def test_instrument_phase_turns_the_signal() -> None:
    straight = noiseless(sim.Sample(TWO_LAYERS))[2]
    turned = noiseless(sim.Sample(TWO_LAYERS), lock_in=sim.LockIn(phase=0.3))[2]
    both = turned["lateral_in_phase"] + 1j * turned["lateral_quadrature"]
    back = both * np.exp(-0.3j)
    np.testing.assert_allclose(back.real, straight["lateral_in_phase"], rtol=1e-12, atol=1e-25)


@pytest.mark.parametrize("poles", [1, 2, 3, 4])
def test_filter_delays_a_ramp_by_n_time_constants(poles: int) -> None:
    lock_in = sim.LockIn(time_constant=3e-3, poles=poles)
    time = np.arange(4000) * 1e-3
    out = lock_in.filtered((time + 0j)[None], 1e-3)[0].real
    np.testing.assert_allclose((time - out)[-100:], poles * 3e-3, rtol=1e-9)


def test_filter_of_a_sine_is_that_of_cascaded_rc() -> None:
    omega, tau = 2 * np.pi * 2.0, 20e-3
    time = np.arange(20000) * 1e-4
    out = sim.LockIn(tau, 2).filtered(np.exp(1j * omega * time)[None], 1e-4)[0]
    expected = (1 + 1j * omega * tau) ** -2
    assert (out / np.exp(1j * omega * time))[-1] == pytest.approx(expected, rel=1e-5)


def test_noise_is_as_large_as_asked_for() -> None:
    detector = sim.Detector(deflection_noise=0.2e-9, lateral_noise=10e-12)
    lock_in = sim.LockIn(2e-3, 2, convention="peak")
    curves, _ = sim.simulate(
        sim.Sample(), sim.Instrument(detector=detector, lock_in=lock_in), sim.Ramp(), n_curves=50
    )
    far = curves.read("height") > 20e-9
    assert curves.read("deflection")[far].std() == pytest.approx(0.2e-9, rel=0.02)
    for name in ("lateral_in_phase", "lateral_quadrature"):
        assert curves.read(name)[far].std() == pytest.approx(10e-12, rel=0.03)


def test_slider_dissipates_what_its_loop_encloses() -> None:
    """Loss = loop area / (pi A^2), the area of a Jenkins loop being 4 F (A - F / k)."""
    k, amplitude = 20.0, 1e-9
    for limit in (4e-9, 12e-9, 19e-9):
        answer = slipping_stiffness(np.array([k]), np.array([limit]), amplitude)[0]
        area = 4 * limit * (amplitude - limit / k)
        assert answer.imag == pytest.approx(area / (np.pi * amplitude**2), rel=1e-12)
    phase = np.linspace(0, 2 * np.pi, 200001)[:-1]
    force, slid = np.zeros_like(phase), 0.0
    for _ in range(2):
        for i, x in enumerate(amplitude * np.cos(phase)):
            force[i] = np.clip(k * (x - slid), -12e-9, 12e-9)
            slid = x - force[i] / k
    harmonic = 2 * np.mean(force * np.exp(-1j * phase)) / amplitude
    answer = slipping_stiffness(np.array([k]), np.array([12e-9]), amplitude)[0]
    assert complex(answer) == pytest.approx(complex(harmonic), rel=1e-4)


def test_sticks_below_the_limit_and_slips_above() -> None:
    stuck = slipping_stiffness(np.array([20.0]), np.array([21e-9]), 1e-9)[0]
    assert complex(stuck) == pytest.approx(20.0)
    slipped = slipping_stiffness(np.array([20.0]), np.array([1e-15]), 1e-9)[0]
    assert abs(slipped) == pytest.approx(4 / np.pi * 1e-15 / 1e-9, rel=1e-3)


@pytest.mark.parametrize(("friction", "slips"), [(np.inf, False), (0.3, True)])
def test_truth_says_whether_the_tip_slipped(friction: float, slips: bool) -> None:
    sample = sim.Sample(TWO_LAYERS, sim.Electrode(friction=friction, lateral_stiffness=50.0))
    _, truth, _ = noiseless(sample, sim.Ramp(trigger=30e-9))
    assert bool(truth.slips[0]) is slips


def test_outputs_are_scaled_as_the_back_of_an_sr830() -> None:
    lock_in = sim.LockIn(sensitivity=1e-3, expand_x=10.0, offset_x=0.2)
    settings = {"lateral_stiffness": 100.0, "lateral_sensitivity": 100e-9}
    _, _, plain = noiseless(sim.Sample(TWO_LAYERS), **settings)
    curves, _, scaled = noiseless(sim.Sample(TWO_LAYERS), lock_in=lock_in, **settings)
    at_input = plain["lateral_in_phase"] / (100.0 * 100e-9)
    expected = np.clip((at_input / 1e-3 - 0.2) * 100.0, -10.9, 10.9)
    np.testing.assert_allclose(scaled["lockin_output_x"], expected, rtol=1e-12, atol=1e-12)
    assert "lateral_in_phase" not in curves.channels
    assert curves.metadata["lockin_expand_x"] == 10.0


def test_voltammogram_sweeps_there_and_back() -> None:
    sweep = sim.Voltammogram(start=2.0, turn=0.0, rate=1e-3)
    np.testing.assert_allclose(
        sweep.potential(np.array([0.0, 500.0, 2000.0, 2500.0, 4000.0])), [2.0, 1.5, 0.0, 0.5, 2.0]
    )
    sample = sim.Sample(TWO_LAYERS, onset=1.5)
    assert sample.grown(0.0).thickness == pytest.approx(20e-9)
    assert sample.grown(0.75).thickness == pytest.approx(10e-9)


def test_roughness_is_correlated_as_asked_for() -> None:
    electrode = sim.Electrode(roughness=1e-6, correlation_length=200e-9)
    ramp = sim.Ramp(samples=8)
    truths = [
        sim.simulate(
            sim.Sample(electrode=electrode), sim.Instrument(), ramp, grid=(40, 30), seed=seed
        )[1]
        for seed in range(8)
    ]
    maps = np.array([t.contact_height.reshape(40, 30) for t in truths])
    assert maps.std() == pytest.approx(1e-6, rel=0.15)
    product = (maps[:, :, 4:] * maps[:, :, :-4]).mean() / (maps**2).mean()
    assert product == pytest.approx(np.exp(-1.0), abs=0.12)


def test_all_the_faults_at_once_still_make_honest_curves() -> None:
    detector = sim.Detector(
        flicker=0.3e-9, tilt=1e-3, fringe=0.5e-9, drag=1e-6, glitches=0.5, bits=16
    )
    scanner = sim.Scanner(hysteresis=0.02, creep=2e-9, drift=0.01e-9)
    instrument = sim.Instrument(detector=detector, scanner=scanner, lateral_stiffness=80.0)
    ramp = sim.Ramp(stop_inside=0.3, adhesion=2e-9)
    sample = sim.Sample(TWO_LAYERS, thickness_spread=0.2, modulus_spread=0.3)
    curves, truth = sim.simulate(
        sample, instrument, ramp, grid=(6, 7), voltammogram=sim.Voltammogram(), volts=True, seed=3
    )
    check_curves(curves)
    check_round_trip(curves)
    assert curves.grid == (6, 7)
    assert curves.metadata["simulated"] is True
    assert 0 < truth.came_through.sum() < 42
    assert 0 < truth.glitched.sum() < 42
    assert np.all(np.diff(curves.curve_table["potential"]) <= 0)
    steps = np.diff(np.unique(curves.read("deflection")))
    assert steps.min() == pytest.approx(20.0 / 2**16, rel=1e-6)


def test_the_same_seed_gives_the_same_curves() -> None:
    sets = [
        sim.simulate(
            sim.Sample(TWO_LAYERS), sim.Instrument(), sim.Ramp(samples=64), n_curves=3, seed=s
        )[0]
        for s in (5, 5, 6)
    ]
    assert_same(sets[0], sets[1])
    assert not np.array_equal(sets[0].read("deflection"), sets[2].read("deflection"))


def test_adhesion_holds_the_tip_on_the_way_up() -> None:
    _, _, channels = noiseless(sim.Sample(), sim.Ramp(adhesion=6e-9), spring_constant=0.3)
    up = slice(1024, None)
    assert channels["deflection"][up].min() == pytest.approx(-20e-9, abs=0.4e-9)
    assert channels["deflection"][:1024].min() == 0.0


@pytest.mark.parametrize(
    "arguments",
    [{}, {"n_curves": 2, "grid": (1, 2)}],
)
def test_asks_for_a_number_or_a_grid(arguments: dict) -> None:
    with pytest.raises(InvalidInput, match="n_curves or grid"):
        sim.simulate(sim.Sample(), sim.Instrument(), sim.Ramp(), **arguments)


def test_a_ramp_must_reach_its_trigger() -> None:
    with pytest.raises(InvalidInput, match="shorter than its trigger"):
        sim.simulate(sim.Sample(), sim.Instrument(), sim.Ramp(length=10e-9), n_curves=1)
