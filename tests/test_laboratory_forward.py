"""The laboratory itself, against closed forms: what campaigns lean on."""

from __future__ import annotations

import numpy as np
import pytest
from nrm_laboratory import NM, Laboratory

QUIET = {
    "curves": 1,
    "noise": 0.0,
    "lateral_noise": 0.0,
    "phase": 0.0,
    "recorded": "N",
    "convention": "peak",
    "lateral_offset": 0.0,
    "time_constant": 0.0,
}


def traces(**changes: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heights and deflections in nm, lateral forces in nN of one noise-free curve."""
    laboratory = Laboratory(**QUIET | changes)
    curves, truth = laboratory.make()
    height = curves.read("height", 0) / NM - truth.contact[0] / NM
    bent = curves.read("deflection", 0) * laboratory.sensitivity
    lateral = curves.read("lateral_in_phase", 0) + 1j * curves.read("lateral_quadrature", 0)
    return height, bent, lateral / NM


def test_rigid_wall_follows_the_ramp_and_far_away_there_is_nothing() -> None:
    height, bent, lateral = traces()
    wall, far = height < -15.0, height > 25.0
    assert bent[wall] == pytest.approx(-height[wall], abs=1e-9)
    assert np.all(bent[far] == 0.0)
    assert np.all(lateral[far] == 0.0)


def test_electrode_of_hertz_is_in_series_with_the_lever() -> None:
    height, bent, _ = traces(electrode=1.0, push="none", retract=False)
    sunk = -(height + bent)
    pressed = sunk > 0.5
    force = 4 / 3 * 1.0 * np.sqrt(10.0) * sunk[pressed] ** 1.5
    assert 0.3 * bent[pressed] == pytest.approx(force, rel=2e-3)


def test_thick_film_is_hertz_and_thin_film_is_stiffer() -> None:
    found = []
    for thickness in (5000.0, 10.0):
        height, bent, _ = traces(film=thickness, film_modulus=1.0, push="none", retract=False)
        sunk = thickness - (height + bent)
        at = np.argmax(sunk > 0.5)
        found.append(0.3 * bent[at] / (4 / 3 * np.sqrt(10.0) * sunk[at] ** 1.5))
    assert found[0] == pytest.approx(1.0, rel=0.02)
    assert found[1] > 1.2


@pytest.mark.parametrize("k_l", [1.0, 20.0])
def test_layer_and_lever_share_the_dither(k_l: float) -> None:
    height, bent, lateral = traces(lateral_stiffness=k_l)
    tip = height + bent
    at = np.argmin(np.abs(tip[:1024] - 10.0))
    layer = 5e-3 * (2 + 1j) * (20.0 - tip[at])
    assert lateral[at] == pytest.approx(layer * k_l / (layer + k_l), rel=1e-9)


def test_tip_sticks_and_slips_as_a_spring_and_a_slider_do() -> None:
    bare = {"push": "none", "stack": (), "contact_stiffness": 100.0, "contact_power": 0.0}
    height, bent, sticks = traces(**bare)
    series = 20.0 * 100.0 / 120.0
    wall = height < -1.0
    assert sticks[wall] == pytest.approx(series, rel=1e-9)
    _, _, slips = traces(**bare, mu=0.3)
    held = 0.3 * 0.3 * bent[wall]  # friction in nN
    x = held / series
    assert np.all(x < 1.0)
    angle = np.arccos(1 - 2 * x)
    assert slips[wall].real == pytest.approx(series / np.pi * (angle - np.sin(2 * angle) / 2))
    assert slips[wall].imag == pytest.approx(4 * held / np.pi * (1 - x))
    # work that friction takes in a cycle
    assert np.pi * slips[wall].imag == pytest.approx(4 * held * (1.0 - held / series))


def test_drag_parts_the_baselines_and_leaves_the_wall() -> None:
    height, bent, _ = traces(drag=2.0)
    down, up = bent[:1024], bent[1024:]
    assert down[0] == pytest.approx(2.0, abs=1e-9)
    assert up[-1] == pytest.approx(-2.0, abs=1e-9)
    assert down[-1] == pytest.approx(up[0], abs=1e-9)
    wall = height < -15.0
    assert bent[wall] == pytest.approx(-height[wall], abs=1e-9)


def test_lever_friction_changes_the_slope_of_both_ways() -> None:
    height, bent, _ = traces(lever_friction=0.04, push="none")
    for way, slope in ((slice(0, 1024), -1.04), (slice(1024, None), -0.96)):
        wall = (height[way] < -5.0) & (height[way] > -30.0)
        assert np.polyfit(height[way][wall], bent[way][wall], 1)[0] == pytest.approx(
            slope, abs=1e-3
        )


def test_lockin_lags_by_its_poles() -> None:
    _, _, early = traces()
    _, _, late = traces(time_constant=2e-3, poles=2)
    inside = slice(790, 818)
    delay = (early[inside].real - late[inside].real) / np.gradient(early.real)[inside]
    assert np.median(delay) == pytest.approx(4.0, rel=0.1)  # samples of 1 ms


def test_told_and_true_are_two_things() -> None:
    laboratory = Laboratory(
        curves=1, told={"lockin_phase": None, "spring_constant": lambda k: 2 * k}
    )
    said = laboratory.make()[0].metadata
    assert "lockin_phase" not in said
    assert said["spring_constant"] == 0.6
