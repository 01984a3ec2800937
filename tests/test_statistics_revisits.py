"""A gain that drifts: one map does not know it, places that are visited again do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_results import map_places, results_of

from nrm_plugin.statistics.intervals import mean_interval, sampling
from nrm_plugin.statistics.revisits import between_visits, revisits_of

SIDE = 16
SECOND = np.timedelta64(1, "s")
BEGAN = np.datetime64("2026-01-01", "ns")


def two_maps(keep: float, maps: int, seed: int):
    """Two maps of the same places; the gain of lines scatters by 5 %, neighbours keep so much."""
    rng = np.random.default_rng(seed)
    gain = np.empty((2 * SIDE, maps))
    gain[0] = rng.standard_normal(maps)
    for i in range(1, 2 * SIDE):
        gain[i] = keep * gain[i - 1] + np.sqrt(1 - keep**2) * rng.standard_normal(maps)
    sample = np.tile(1.0 + 0.2 * rng.standard_normal((SIDE**2, maps)), (2, 1))
    noise = 1.0 + 0.05 * rng.standard_normal(sample.shape)
    return sample * np.repeat(1.0 + 0.05 * gain, SIDE, axis=0) * noise


def visited_twice(**columns):
    grid = {name: np.tile(column, 2) for name, column in map_places(SIDE).items()}
    return results_of(np.ones((2 * SIDE**2, 2)), **(grid | columns))


@pytest.fixture(scope="module")
def twice():
    n = 2 * SIDE**2
    return sampling(visited_twice(start_time=BEGAN + np.arange(n) * SECOND), np.arange(n))


@pytest.mark.parametrize(("keep", "least", "without"), [(0.5, 0.85, 0.9), (0.9, 0.76, 0.7)])
def test_a_second_visit_measures_the_drift(twice, keep, least, without):
    """In 200 sets of another seed 96 and 84 % (slow drifts have few lines); else 86 and 58 %.

    The bounds leave 100 sets two to three standard deviations.
    """
    values = two_maps(keep, 100, 1)
    known, unknown = (mean_interval(values, how) for how in (twice, replace(twice, revisits=None)))
    held, held_without = (np.mean((one.low <= 1.0) & (one.high >= 1.0)) for one in (known, unknown))
    assert held >= least
    assert held_without < without


def test_visits_that_agree_change_nothing(twice):
    """Noise of 5 % alone: its variance is not that of a gain in most maps, and small in all."""
    rng = np.random.default_rng(2)
    sample = np.tile(1.0 + 0.2 * rng.standard_normal((SIDE**2, 60)), (2, 1))
    values = sample * (1.0 + 0.05 * rng.standard_normal(sample.shape))
    variance, freedom = between_visits(values, twice.revisits)
    assert np.mean(variance == 0.0) > 0.8
    assert np.isinf(freedom[variance == 0.0]).all()
    assert np.sqrt(variance).max() < 0.2 / SIDE


def test_forwards_and_backwards_count_as_visits():
    row = np.repeat(np.arange(SIDE), 2 * SIDE)
    column = np.tile(np.r_[np.arange(SIDE), np.arange(SIDE)[::-1]], SIDE)
    n = len(row)
    places = {"row": row, "column": column, "x": 50e-9 * column, "y": 50e-9 * row}
    made = results_of(np.ones((n, 2)), acquisition_order=np.arange(n), **places)
    found = sampling(made, np.arange(n)).revisits
    assert found is not None
    assert len(found.first) == SIDE**2
    assert found.apart == pytest.approx(1 / (2 * SIDE), rel=0.1)
    assert (made["x"].values[found.first] == made["x"].values[found.last]).all()


def test_without_times_or_repeats_there_are_no_revisits():
    n = 2 * SIDE**2
    made = visited_twice()
    assert sampling(made, np.arange(n)).revisits is None
    once = results_of(
        np.ones((SIDE**2, 2)), acquisition_order=np.arange(SIDE**2), **map_places(SIDE)
    )
    assert revisits_of(once, np.arange(SIDE**2), np.arange(SIDE**2)) is None
