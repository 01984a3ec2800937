"""Each effect of the simulator alone, against a closed form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nrm_plugin import fea
from nrm_plugin import simulate as sim
from nrm_plugin.errors import InvalidInput
from nrm_plugin.simulate.equilibrium import slipping_stiffness
from nrm_plugin.testing import assert_same

QUIET = sim.Detector(deflection_noise=0.0, lateral_noise=0.0)
LAYERS = sim.Interphase((sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j)), 3e-9)
STUCK = sim.Electrode(lateral_stiffness=100.0)
N = 1024


def recorded(
    sample: sim.Sample | None = None,
    ramp: sim.Ramp | None = None,
    *,
    n_curves: int = 1,
    told: dict[str, object] | None = None,
    volts: bool = False,
    seed: int = 0,
    **settings: Any,
) -> tuple[Any, sim.Truth, dict[str, np.ndarray]]:
    instrument = sim.Instrument(**{"detector": QUIET, **settings})
    curves, truth = sim.simulate(
        sample or sim.Sample(LAYERS, STUCK),
        instrument,
        ramp or sim.Ramp(),
        n_curves=n_curves,
        told=told,
        volts=volts,
        seed=seed,
    )
    channels = {
        name: curves.read(name).reshape(n_curves, -1)[0 if n_curves == 1 else slice(None)]
        for name in curves.channels
    }
    return curves, truth, channels


def slope(channels: dict[str, np.ndarray], part: slice, above: float = 20e-9) -> float:
    """Of the wall."""
    height, deflection = channels["height"][part], channels["deflection"][part]
    pressed = deflection > above
    return float(np.polyfit(height[pressed], deflection[pressed], 1)[0])


DOWN, UP = slice(None, N), slice(N, None)


# ------------------------------------------------------------ what is told


def test_a_sensitivity_told_too_large_makes_the_wall_too_steep() -> None:
    told = {"deflection_sensitivity": 31.5e-9}
    curves, _, channels = recorded(told=told, deflection_sensitivity=30e-9)
    assert slope(channels, DOWN) == pytest.approx(-1.05, rel=1e-9)
    in_volts, _, volts = recorded(
        told=told, volts=True, deflection_sensitivity=30e-9, lateral_stiffness=20.0
    )
    assert slope(volts, DOWN, above=0.5) == pytest.approx(-1.0 / 30e-9, rel=1e-9)
    for data in (curves, in_volts):
        assert data.metadata["deflection_sensitivity"] == 31.5e-9


def test_lateral_scales_told_multiply_the_force() -> None:
    settings = {"lateral_stiffness": 20.0, "lateral_sensitivity": 100e-9}
    told = {"lateral_sensitivity": 140e-9, "lateral_stiffness": 24.0}
    right, wrong = recorded(**settings)[2], recorded(told=told, **settings)[2]
    np.testing.assert_allclose(
        wrong["lateral_in_phase"], right["lateral_in_phase"] * 1.4 * 1.2, rtol=1e-12
    )


def test_what_is_told_leaves_the_signals_as_they_are() -> None:
    lock_in = sim.LockIn(3e-3, 2, phase=0.4, sensitivity=1e-3)
    settings = {"lock_in": lock_in, "lateral_stiffness": 20.0, "detector": sim.Detector()}
    told = {
        "dither_amplitude": 10e-9,
        "lockin_convention": "peak",
        "lockin_phase": -0.4,
        "lockin_sensitivity": 10e-3,
        "lockin_time_constant": None,
        "tip_radius": 10e-9,
    }
    right, _, true = recorded(**settings)
    wrong, _, same = recorded(told=told, **settings)
    for name in right.channels:
        np.testing.assert_array_equal(true[name], same[name])
    assert "lockin_time_constant" in right.metadata
    assert "lockin_time_constant" not in wrong.metadata
    for key, value in told.items():
        assert wrong.metadata.get(key) == value


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"lockin_fase": 0.1}, "lockin_phase"),
        ({"lockin_sensitivity": 1.0}, "LockIn"),
        ({"deflection_sensitivity": None}, "in volts"),
    ],
)
def test_what_cannot_be_told_is_refused(told: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        recorded(told=told)


def test_exchanged_cables_and_the_other_sign_of_y() -> None:
    sample = sim.Sample(
        sim.Interphase((sim.Layer(8e-9, 10e6 + 3e6j),)), sim.Electrode(lateral_stiffness=0.0)
    )

    def loss_tangent(**wiring: bool) -> float:
        channels = recorded(sample, lock_in=sim.LockIn(**wiring))[2]
        return float(channels["lateral_quadrature"][N - 1] / channels["lateral_in_phase"][N - 1])

    assert loss_tangent() == pytest.approx(0.3)
    assert loss_tangent(inverted_y=True) == pytest.approx(-0.3)
    assert loss_tangent(swapped=True) == pytest.approx(1.0 / 0.3)


# ------------------------------------------------------------ the wall


def test_a_sliding_lever_makes_the_wall_steeper_down_and_flatter_up() -> None:
    channels = recorded(lever_friction=0.04)[2]
    assert slope(channels, DOWN) == pytest.approx(-1.04, rel=1e-9)
    assert slope(channels, UP) == pytest.approx(-0.96, rel=1e-9)
    far = channels["height"] > 25e-9
    assert np.all(channels["deflection"][far] == 0.0)


def test_friction_of_the_lever_takes_its_way_to_turn() -> None:
    """4 % of 50 nm: it falls by 2 x 2 nm within 3 nm of the turn, beside the ramp itself."""
    at_once = recorded(lever_friction=0.04)[2]
    slowly = recorded(lever_friction=0.04, lever_friction_turn=3e-9)[2]
    np.testing.assert_array_equal(slowly["deflection"][DOWN], at_once["deflection"][DOWN])
    assert slowly["deflection"][N] == slowly["deflection"][N - 1]
    risen = slowly["height"][UP] - slowly["height"][N]
    left = slowly["deflection"][UP] - at_once["deflection"][UP]
    load = 50e-9 - risen - 10e-9  # on the wall, less the 3 nN that the layer bears
    on_the_way = risen < 3e-9
    expected = 2 * 0.04 * load * (1 - risen / 3e-9)
    np.testing.assert_allclose(left[on_the_way], expected[on_the_way], atol=1e-14)
    assert np.all(left[~on_the_way] == 0.0)


@pytest.mark.parametrize(("left", "gap_at_wall"), [(1.0, 4e-9), (0.0, 0.0), (0.25, 1e-9)])
def test_drag_parts_the_baselines_by_twice_its_deflection(left: float, gap_at_wall: float) -> None:
    """2 nm at this speed; on a rigid wall only the part that is said to stay."""
    detector = replace(QUIET, drag=2e-9 * 0.3 / 300e-9, drag_on_wall=left)
    _, truth, channels = recorded(detector=detector)
    height, deflection = channels["height"], channels["deflection"]
    far = height > 60e-9
    down, up = (np.mean(deflection[part][far[part]]) for part in (DOWN, UP))
    assert down - up == pytest.approx(4e-9, rel=1e-6)
    wall = (deflection[DOWN] - deflection[UP][::-1])[height[DOWN] < -20e-9]
    np.testing.assert_allclose(wall, gap_at_wall, atol=1e-15)
    # The wall's line meets the baseline too deep by what ends on the wall.
    line = np.polyfit(
        height[DOWN][height[DOWN] < -20e-9], deflection[DOWN][height[DOWN] < -20e-9], 1
    )
    contact = (down - line[1]) / line[0]
    assert contact - truth.contact_height[0] == pytest.approx(-2e-9 * (1.0 - left), abs=1e-13)


def test_drag_holds_the_tip_back_in_a_layer_too() -> None:
    """h = g - F(g)/k - delta dg/dh, down and up."""
    detector = replace(QUIET, drag=1e-9 * 0.3 / 300e-9, drag_on_wall=0.0)
    channels = recorded(ramp=sim.Ramp(samples=4096), detector=detector)[2]
    for part, delta in ((slice(None, 4096), 1e-9), (slice(4096, None), -1e-9)):
        height, deflection = channels["height"][part], channels["deflection"][part]
        gap = height + deflection
        inside = (gap > 1e-9) & (gap < 19e-9)
        force = 3e-9 * np.clip(1.0 - gap / 20e-9, 0.0, None) ** 1.5
        expected = force / 0.3 + delta * np.gradient(gap, height)
        np.testing.assert_allclose(deflection[inside], expected[inside], atol=0.02e-9)


def test_heights_shown_too_large_flatten_the_wall() -> None:
    """2 % too large: slope 1/1.02, and a contact on an elastic wall moves with the scale."""
    channels = recorded(scanner=sim.Scanner(gain=0.02))[2]
    assert slope(channels, DOWN) == pytest.approx(-1.0 / 1.02, rel=1e-9)
    soft = sim.Sample(LAYERS, sim.Electrode(stiffness=3.0))
    true, scaled = (
        recorded(soft, scanner=sim.Scanner(gain=gain))[1].contact_height[0] for gain in (0.0, 0.02)
    )
    assert scaled == pytest.approx(1.02 * true, rel=1e-9)


def test_a_settling_scanner_dies_away() -> None:
    still, moved = (
        recorded(scanner=sim.Scanner(settling=distance))[2]["height"] for distance in (0.0, 3e-9)
    )
    expected = 3e-9 * np.exp(-np.arange(2 * N) / (0.1 * N))
    np.testing.assert_allclose(moved - still, expected, atol=1e-20)


def test_a_thick_film_is_a_hertz_contact_and_a_spring_in_series() -> None:
    """k_f = 2 E* sqrt(R delta), slope k_f / (k_f + k), sideways 2 (1 - nu)/(2 - nu) of it."""
    film = sim.Film(modulus=1e9, tip_radius=20e-9, poisson_ratio=0.4)
    sample = sim.Sample(sim.Interphase(), sim.Electrode(film=film))
    _, truth, channels = recorded(sample, lateral_stiffness=20.0)
    height, deflection = channels["height"][DOWN], channels["deflection"][DOWN]
    reduced, force = 1e9 / (1 - 0.16), 0.3 * 50e-9
    dent = (force / (4 / 3 * reduced * np.sqrt(20e-9))) ** (2 / 3)
    stiffness = 2 * reduced * np.sqrt(20e-9 * dent)
    measured = (deflection[-1] - deflection[-3]) / (height[-1] - height[-3])
    at = (0.3 * deflection[-2] / (4 / 3 * reduced * np.sqrt(20e-9))) ** (2 / 3)
    k_f = 2 * reduced * np.sqrt(20e-9 * at)
    assert measured == pytest.approx(-k_f / (k_f + 0.3), rel=1e-5)
    k_c = stiffness * 2 * 0.6 / 1.6
    expected = 1e-9 * k_c * 20.0 / (k_c + 20.0) / np.sqrt(2)
    assert channels["lateral_in_phase"][N - 1] == pytest.approx(expected, rel=1e-4)
    assert truth.surface_height[0] == 0.0
    assert truth.contact_height[0] < 0.0  # the tangent at the turn meets the baseline inside


def test_a_thin_film_feels_the_ground() -> None:
    """Dimitriadis at nu = 1/2: 1 + 1.133 c + 1.283 c^2 + 0.769 c^3."""
    film = sim.Film(modulus=1e9, thickness=10e-9, tip_radius=10e-9, poisson_ratio=0.5)
    dent = np.array([0.5e-9, 2e-9])
    c = np.sqrt(10e-9 * dent) / 10e-9
    hertz = 16 / 9 * 1e9 * np.sqrt(10e-9) * dent**1.5
    series = 1 + 1.133 * c + 1.283 * c**2 + 0.769 * c**3
    np.testing.assert_allclose(film.normal_force(dent), hertz * series, rtol=1e-3)
    step = 1e-13
    numeric = (film.normal_force(dent + step) - film.normal_force(dent - step)) / (2 * step)
    np.testing.assert_allclose(film.stiffness(dent), numeric, rtol=1e-6)


def test_a_lossy_film_turns_the_phase_of_the_wall() -> None:
    """tan(delta) k_l / (k_c + k_l) for small angles."""
    film = sim.Film(modulus=1e9 * (1 + 0.05j), tip_radius=20e-9)
    sample = sim.Sample(sim.Interphase(), sim.Electrode(film=film))
    channels = recorded(sample, lateral_stiffness=20.0)[2]
    x, y = channels["lateral_in_phase"][N - 1], channels["lateral_quadrature"][N - 1]
    force, reduced = 0.3 * 50e-9, 1e9 / (1 - 0.16)
    dent = (force / (4 / 3 * reduced * np.sqrt(20e-9))) ** (2 / 3)
    k_c = 2 * reduced * np.sqrt(20e-9 * dent) * 2 * 0.6 / 1.6
    assert y / x == pytest.approx(0.05 * 20.0 / (k_c + 20.0), rel=2e-3)


def test_a_composite_electrode_has_its_share_of_soft_places() -> None:
    hard, soft = sim.Electrode(), sim.Electrode(stiffness=3.0)
    sample = sim.Sample(LAYERS, hard, other_electrode=soft, other_share=0.3)
    _, truth, channels = recorded(sample, sim.Ramp(samples=N), n_curves=400)
    assert truth.on_other.mean() == pytest.approx(0.3, abs=0.07)
    for other, expected in ((False, -1.0), (True, -3.0 / 3.3)):
        curve = int(np.flatnonzero(truth.on_other == other)[0])
        one = {name: values[curve] for name, values in channels.items()}
        assert slope(one, DOWN) == pytest.approx(expected, rel=1e-6)


def test_slip_of_the_note_with_adhesion() -> None:
    """x = F_s / (k_ser A): F' = k_ser A (theta - sin(2 theta)/2) / pi, F'' = 4 F_s (1 - x) / pi."""
    electrode = sim.Electrode(lateral_stiffness=60.0, friction=0.3, adhesion=4e-9)
    sample = sim.Sample(sim.Interphase(), electrode)
    channels = recorded(sample, lateral_stiffness=20.0, lock_in=sim.LockIn(convention="peak"))[2]
    load = 0.3 * channels["deflection"][N - 1]
    k_c = 60.0 * np.cbrt(load / 1e-9)
    reach = k_c * 20.0 / (k_c + 20.0) * 1e-9
    slip = 0.3 * (load + 4e-9)
    x = slip / reach
    theta = np.arccos(1 - 2 * x)
    assert 0.1 < x < 0.9
    expected = reach / np.pi * (theta - np.sin(2 * theta) / 2) + 4j * slip / np.pi * (1 - x)
    found = channels["lateral_in_phase"][N - 1] + 1j * channels["lateral_quadrature"][N - 1]
    assert found == pytest.approx(expected, rel=1e-9)
    assert slipping_stiffness(np.array([reach / 1e-9]), np.array([slip]), 1e-9)[0] * 1e-9 == (
        pytest.approx(expected, rel=1e-9)
    )
    assert channels["deflection"][UP].min() == pytest.approx(-4e-9 / 0.3, abs=0.4e-9)


# ------------------------------------------------------------ layers


def test_a_layer_that_lets_go_late_moves_its_onset_outwards() -> None:
    """5 ms at 300 nm/s: 1.5 nm, on the way up alone; far up the delayed gap is gap - 1.5 nm."""
    relaxing = replace(LAYERS, force=0.0, relaxation=sim.Relaxation(delay=5e-3))
    electrode = sim.Electrode(lateral_stiffness=0.0)
    plain = recorded(sim.Sample(replace(LAYERS, force=0.0), electrode))[2]
    late = recorded(sim.Sample(relaxing, electrode))[2]
    np.testing.assert_array_equal(late["lateral_in_phase"][DOWN], plain["lateral_in_phase"][DOWN])
    height, up = late["height"][UP], late["lateral_in_phase"][UP]
    moved = (height > 10e-9) & (height < 25e-9)
    soft = LAYERS.stiffness(height[moved] - 1.5e-9, 1.25).real * 1e-9 / np.sqrt(2)
    # The ramp begins to rise before the tip leaves the wall: settled to exp(-10 nm / 1.5 nm).
    np.testing.assert_allclose(up[moved], soft, atol=2e-3 * soft.max())


def test_a_layer_that_has_lost_force_resists_less_on_the_way_up() -> None:
    relaxing = replace(LAYERS, relaxation=sim.Relaxation(force_lost=0.4))
    channels = recorded(sim.Sample(relaxing))[2]
    for part, force in ((DOWN, 3e-9), (UP, 1.8e-9)):
        gap = channels["height"][part] + channels["deflection"][part]
        inside = (gap > 1e-10) & (gap < 20e-9)
        expected = force * (1.0 - gap[inside] / 20e-9) ** 1.5
        np.testing.assert_allclose(
            0.3 * channels["deflection"][part][inside], expected, atol=1e-3 * force
        )
    assert slope(channels, UP) == pytest.approx(-1.0, rel=1e-9)


def test_repulsion_falls_exponentially_beside_the_layers() -> None:
    interphase = replace(LAYERS, repulsion=0.5e-9, repulsion_decay=5e-9)
    channels = recorded(sim.Sample(interphase))[2]
    gap = channels["height"] + channels["deflection"]
    outside = gap > 20.5e-9
    expected = 0.5e-9 * np.exp(-gap[outside] / 5e-9)
    np.testing.assert_allclose(0.3 * channels["deflection"][outside], expected, atol=1e-15)
    assert interphase.at_electrode == pytest.approx(3.5e-9)
    assert recorded(sim.Sample(interphase))[1].contact_height[0] == 0.0


def test_finite_elements_as_law_of_the_lateral_force() -> None:
    moduli = fea.Steps([8e-9], [10e6 + 3e6j, 2e6 + 1e6j])
    layer = fea.Layer(20e-9, modulus=moduli, poisson_ratio=0.49)
    depths = np.array([2.0, 6.0, 10.0, 13.0, 16.0, 18.0, 19.5]) * 1e-9
    found = fea.lateral_force(fea.Tip(10e-9), layer, depths, amplitude=2e-9, workers=1)
    table = sim.StiffnessTable.from_force(found)
    np.testing.assert_allclose(table(found.distance), found.force / 2e-9, rtol=1e-12)
    between = fea.lateral_force(fea.Tip(10e-9), layer, [17e-9], amplitude=1e-9, workers=1)
    assert table(between.distance)[0] == pytest.approx(between.force[0] / 1e-9, rel=0.01)
    assert table(np.array([20e-9, 30e-9])).tolist() == [0.0, 0.0]
    assert table(np.array([0.0]))[0] == pytest.approx(found.force[-1] / 2e-9)
    sample = sim.Sample(replace(LAYERS, lateral=table), sim.Electrode(lateral_stiffness=0.0))
    channels = recorded(sample, lock_in=sim.LockIn(convention="peak"))[2]
    gap = (channels["height"] + channels["deflection"])[DOWN]
    complex_force = (channels["lateral_in_phase"] + 1j * channels["lateral_quadrature"])[DOWN]
    inside = gap > 1e-12
    np.testing.assert_allclose(
        complex_force[inside], 1e-9 * table(gap[inside]), rtol=1e-9, atol=1e-20
    )
    stiffer = replace(LAYERS, lateral=table).scaled(modulus=2.0)
    np.testing.assert_allclose(
        stiffer.stiffness(found.distance, 1.25), found.force / 1e-9, rtol=1e-12
    )
    with pytest.raises(InvalidInput, match="one thickness"):
        replace(LAYERS, lateral=table).scaled(thickness=1.1)


def test_a_table_of_stiffness_must_ascend() -> None:
    with pytest.raises(InvalidInput, match="ascend"):
        sim.StiffnessTable([2e-9, 1e-9], [1.0, 2.0])
    with pytest.raises(InvalidInput, match="as many"):
        sim.StiffnessTable([2e-9, 1e-9], [1.0])


# ------------------------------------------------------------ detector


def test_offsets_drift_along_the_ramp() -> None:
    """0.2 nN and 1 nm during one way."""
    detector = replace(
        QUIET, lateral_offset=0.1e-9, lateral_drift=0.2e-9 - 0.1e-9j, deflection_drift=1e-9
    )
    plain = recorded(lock_in=sim.LockIn(convention="peak"))[2]
    moved = recorded(lock_in=sim.LockIn(convention="peak"), detector=detector)[2]
    passed = np.arange(2 * N) / N
    for name, expected in (
        ("deflection", 1e-9 * passed),
        ("lateral_in_phase", 0.1e-9 + 0.2e-9 * passed),
        ("lateral_quadrature", -0.1e-9 * passed),
    ):
        np.testing.assert_allclose(moved[name] - plain[name], expected, atol=1e-20)


def test_fringes_differ_from_curve_to_curve_and_decay() -> None:
    detector = replace(QUIET, fringe=1e-9, fringe_period=100e-9)
    uneven = replace(detector, fringe_spread=0.6)
    sample = sim.Sample(sim.Interphase())

    def amplitudes(chosen: sim.Detector) -> tuple[np.ndarray, np.ndarray]:
        channels = recorded(sample, n_curves=300, detector=chosen)[2]
        far = channels["height"][0] > 1e-9
        angle = 2 * np.pi * channels["height"][0][far] / 100e-9
        design = np.column_stack([np.sin(angle), np.cos(angle)])
        found = np.linalg.lstsq(design, channels["deflection"][:, far].T, rcond=None)[0]
        return np.hypot(*found), np.arctan2(found[1], found[0])

    size, phase = amplitudes(detector)
    np.testing.assert_allclose(size, 1e-9, rtol=1e-6)
    assert abs(np.exp(1j * phase).mean()) < 0.15  # all phases
    size, same_phase = amplitudes(uneven)
    np.testing.assert_allclose(np.exp(1j * same_phase), np.exp(1j * phase), atol=1e-6)
    assert 0.4e-9 <= size.min() < 0.43e-9 < 1.57e-9 < size.max() <= 1.6e-9
    decaying = recorded(sample, detector=replace(detector, fringe_decay=150e-9))[2]
    steady = recorded(sample, detector=detector)[2]
    far = steady["height"] > 1e-9
    np.testing.assert_allclose(
        decaying["deflection"][far],
        steady["deflection"][far] * np.exp(-steady["height"][far] / 150e-9),
        atol=1e-20,
    )


def test_resonant_noise_is_as_large_as_asked_for_and_where() -> None:
    """300 nm in 1024 samples at 300 nm/s: 1024 Hz."""
    resonance = sim.ResonantNoise(amplitude=0.5e-9, frequency=200.0, quality=20.0)
    detector = replace(
        QUIET, deflection_resonance=resonance, lateral_resonance=replace(resonance, amplitude=5e-12)
    )
    sample, ramp = sim.Sample(sim.Interphase()), sim.Ramp(trigger=1e-9)
    lock_in = sim.LockIn(convention="peak")
    channels = recorded(sample, ramp, n_curves=200, detector=detector, lock_in=lock_in)[2]
    far = channels["height"][0] > 5e-9
    for name, size in (("deflection", 0.5e-9), ("lateral_quadrature", 5e-12)):
        noise = channels[name][:, far][:, :900]
        assert np.sqrt(np.mean(noise**2)) == pytest.approx(size, rel=0.05)
        power = np.mean(np.abs(np.fft.rfft(noise)) ** 2, axis=0)
        assert np.fft.rfftfreq(900, 1 / 1024)[np.argmax(power)] == pytest.approx(200.0, abs=3.0)


def test_flicker_of_the_lateral_signal_has_equal_power_per_octave() -> None:
    detector = replace(QUIET, lateral_flicker=30e-12)
    channels = recorded(
        sim.Sample(sim.Interphase(), sim.Electrode(lateral_stiffness=0.0)),
        n_curves=100,
        detector=detector,
        lock_in=sim.LockIn(convention="peak"),
    )[2]
    noise = channels["lateral_in_phase"]
    assert noise.std() == pytest.approx(30e-12, rel=1e-6)
    power = np.mean(np.abs(np.fft.rfft(noise)) ** 2, axis=0)
    octaves = [power[2**i : 2 ** (i + 1)].sum() for i in range(3, 9)]
    assert max(octaves) / min(octaves) < 1.5


def test_aging_changes_signals_along_the_curves_or_at_once() -> None:
    aging = sim.Aging(deflection=0.1, lateral=-0.2)
    plain = recorded(n_curves=5)[2]
    aged = recorded(n_curves=5, aging=aging)[2]
    at_once = recorded(n_curves=5, aging=replace(aging, step=0.5))[2]
    np.testing.assert_allclose(
        aged["deflection"][:, N - 1] / plain["deflection"][:, N - 1],
        [1.0, 1.025, 1.05, 1.075, 1.1],
    )
    np.testing.assert_allclose(
        at_once["lateral_in_phase"][:, N - 1] / plain["lateral_in_phase"][:, N - 1],
        [1.0, 1.0, 1.0, 0.8, 0.8],
    )


def test_an_effect_leaves_the_random_numbers_of_the_others() -> None:
    """Signals differ by the effect alone."""
    detector = sim.Detector(fringe=0.5e-9)
    plain = recorded(n_curves=3, detector=detector, seed=4)[2]
    noisy = replace(
        detector,
        lateral_flicker=1e-12,
        deflection_resonance=sim.ResonantNoise(amplitude=1e-12, frequency=100.0),
    )
    more = recorded(n_curves=3, detector=noisy, seed=4)[2]
    assert 0 < np.abs(more["deflection"] - plain["deflection"]).max() < 1e-11
    assert 0 < np.abs(more["lateral_in_phase"] - plain["lateral_in_phase"]).max() < 1e-11


# ------------------------------------------------------------ ramps


@pytest.mark.parametrize(("samples", "length"), [(32, 300e-9), (64, 150e-9), (256, 1e-6)])
def test_sparse_ramps(samples: int, length: float) -> None:
    """The same force at the same gap, however few samples there are."""
    ramp = sim.Ramp(length, samples=samples)
    detector = replace(QUIET, drag=1e-9 * 0.3 / 300e-9, drag_on_wall=0.0, fringe=1e-15)
    channels = recorded(ramp=ramp, detector=QUIET)[2]
    gap = channels["height"] + channels["deflection"]
    np.testing.assert_allclose(
        channels["deflection"][gap > 1e-12],
        LAYERS.normal_force(gap[gap > 1e-12]) / 0.3,
        atol=2e-14,
    )
    assert len(channels["height"]) == 2 * samples
    assert np.diff(channels["height"][:samples]) == pytest.approx(-length / samples)
    dragged = recorded(ramp=ramp, detector=detector)[2]["deflection"]
    assert dragged[0] == pytest.approx(1e-9, rel=1e-6)


def test_everything_at_once_and_the_same_seed_twice() -> None:
    detector = sim.Detector(
        flicker=0.1e-9,
        lateral_flicker=5e-12,
        deflection_resonance=sim.ResonantNoise(amplitude=0.1e-9, frequency=300.0),
        fringe=0.5e-9,
        fringe_spread=0.5,
        fringe_decay=500e-9,
        drag=1e-3,
        drag_on_wall=0.2,
        lateral_drift=0.1e-9,
        glitches=0.2,
    )
    film = sim.Film(modulus=1e9, thickness=10e-9)
    sample = sim.Sample(
        replace(LAYERS, repulsion=0.2e-9, relaxation=sim.Relaxation(delay=2e-3, force_lost=0.2)),
        sim.Electrode(friction=0.3, adhesion=1e-9, roughness=20e-9, correlation_length=100e-9),
        thickness_spread=0.2,
        other_electrode=sim.Electrode(film=film),
        other_share=0.4,
    )
    instrument = {
        "detector": detector,
        "scanner": sim.Scanner(gain=0.02, settling=1e-9),
        "aging": sim.Aging(noise=0.5, adhesion=-0.5),
        "lever_friction": -0.03,
        "lateral_stiffness": 20.0,
    }
    ramp = sim.Ramp(stop_inside=0.2)
    first, truth, channels = recorded(sample, ramp, n_curves=30, seed=7, **instrument)
    second, _, _ = recorded(sample, ramp, n_curves=30, seed=7, **instrument)
    assert_same(first, second)
    assert all(np.isfinite(values).all() for values in channels.values())
    assert 0 < truth.on_other.sum() < 30
