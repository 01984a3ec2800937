"""Changes of the tip while curves come: told soon, told once, and not where there are none."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from nrm_plugin.viewer.growing_profiles import GrowingProfiles
from nrm_plugin.viewer.tip_watch import TipAlarm, TipWatch


def watched(slope: np.ndarray, lateral: np.ndarray | None = None) -> list[tuple[int, TipAlarm]]:
    """Alarms, with the curve after which each came."""
    watch, lateral = TipWatch(), np.full(len(slope), np.nan) if lateral is None else lateral
    return [
        (number, alarm)
        for number, (s, x) in enumerate(zip(slope, lateral, strict=True))
        for alarm in watch.add(number, wall_slope=float(s), wall_lateral=float(x))
    ]


def noise(n: int, part: float, seed: int) -> np.ndarray:
    return 1.0 + part * np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize("part", [0.0, 0.001, 0.005, 0.02])
def test_noise_alarms_of_nothing(part: float) -> None:
    """5000 curves each, slope and motion, white noise."""
    for seed in range(5):
        slope, lateral = noise(1000, part, seed), 1e-10 * noise(1000, 5.0 * part, 100 + seed)
        assert watched(-slope, lateral) == []


@pytest.mark.parametrize("at", [11, 40, 500])
def test_a_step_is_told_after_three_curves_and_once(at: int) -> None:
    slope = -noise(600, 0.002, at)
    slope[at:] *= 1.05
    ((number, alarm),) = watched(slope)
    assert (number, alarm.number, alarm.quantity) == (at + 2, at, "wall_slope")
    percent = re.search(r"by \+([0-9.]+) % at curve (\d+)", alarm.text)
    assert percent is not None
    assert int(percent[2]) == at
    assert float(percent[1]) == pytest.approx(5.0, abs=1.0)


def test_a_step_of_the_motion_is_told_by_itself() -> None:
    lateral = 1e-10 * noise(100, 0.01, 3)
    lateral[60:] *= 0.7
    ((number, alarm),) = watched(-noise(100, 0.001, 4), lateral)
    assert (number, alarm.number, alarm.quantity) == (62, 60, "wall_lateral")


def test_single_curves_that_are_far_off_are_no_step() -> None:
    slope = -noise(300, 0.002, 5)
    slope[::20] *= 1.2
    slope[1::20] *= 1.2
    assert watched(slope) == []


def test_a_small_step_is_not_worth_a_word() -> None:
    slope = -noise(300, 0.0005, 6)
    slope[150:] *= 1.008
    assert watched(slope) == []


def test_a_drift_is_told() -> None:
    """3 % over 256 curves: before half of them have come."""
    slope = -noise(256, 0.002, 7) * np.linspace(1.0, 1.03, 256)
    number, alarm = watched(slope)[0]
    assert 64 <= number < 160
    assert alarm.number == 0
    assert "since curve 0" in alarm.text


def test_what_is_not_known_is_no_value() -> None:
    slope = np.full(100, math.nan)
    slope[::2] = -1.0
    assert watched(slope) == []


# Growing profiles


def test_means_and_intervals_are_those_of_all_curves() -> None:
    rng = np.random.default_rng(8)
    curves = rng.normal(1e6, 1e5, (30, 5))
    curves[::3, 0] = np.nan
    curves[:, 4] = np.nan
    profiles = GrowingProfiles()
    for one in curves:
        region = profiles.add(0.7, one, 0.5 * one)
    assert (region["label"], region["n"], region["potential"]) == ("0.5-1.0 V", 30, (0.5, 1.0))
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(region["storage"][:4], np.nanmean(curves[:, :4], 0))
    width = 2.0452296421 * curves[:, 1].std(ddof=1) / math.sqrt(30)
    assert region["storage_high"][1] - region["storage"][1] == pytest.approx(width, rel=1e-6)
    assert region["loss_low"][2] == pytest.approx(0.5 * region["storage_low"][2])
    assert np.isnan(region["storage"][4])


def test_a_visit_is_not_mixed_with_the_one_before() -> None:
    profiles = GrowingProfiles()
    one = np.ones(3)
    labels = []
    for potential in (0.7, 0.505, 0.495, 0.505, 0.48, 0.3, 0.52, 0.7, 0.3, math.nan):
        region = profiles.add(potential, one, one)
        labels.append((region["label"], region["n"]))
    assert labels == [
        ("0.5-1.0 V", 1),
        ("0.5-1.0 V", 2),
        ("0.5-1.0 V", 3),
        ("0.5-1.0 V", 4),
        ("0.005-0.5 V", 1),
        ("0.005-0.5 V", 2),
        ("0.5-1.0 V, visit 2", 1),
        ("0.5-1.0 V, visit 2", 2),
        ("0.005-0.5 V, visit 2", 1),
        ("all curves", 1),
    ]


def test_flagged_curves_and_those_without_moduli_are_counted_and_left_out() -> None:
    profiles, one = GrowingProfiles(), np.ones(3)
    profiles.add(2.5, one, one)
    profiles.add(2.5, 100.0 * one, one, ("no_hard_contact",))
    region = profiles.add(2.5, None, None)
    assert (region["label"], region["n"], region["left_out"]) == ("above 2 V", 1, 2)
    np.testing.assert_array_equal(region["storage"], one)
    assert np.isnan(region["storage_low"]).all()
