"""Curves are sorted by potential, passes and cycles apart, and everything is counted."""

from __future__ import annotations

import numpy as np
import pytest
from made_results import results_of

from nrm_plugin import NrmError
from nrm_plugin import statistics as st


def with_potential(potential, **columns):
    return results_of(
        np.ones((len(potential), 4)), potential=np.asarray(potential, float), **columns
    )


def numbers(found):
    return [region.curves.tolist() for region in found]


def test_edges_belong_to_the_region_above_them():
    potential = [2.3, 2.0, 1.99, 1.5, 1.2, 1.0, 0.7, 0.5, 0.3, 0.005, 0.004]
    found = st.regions(with_potential(potential))
    assert [r.label for r in found] == ["1.5-2.0 V", "1.0-1.5 V", "0.5-1.0 V", "0.005-0.5 V"]
    assert numbers(found) == [[1, 2, 3], [4, 5], [6, 7], [8, 9]]
    assert (found.outside, found.without_potential, found.other_pass) == (2, 0, 0)
    assert (found.inside[0].low, found.inside[0].high) == (1.5, 2.0)
    assert found.sweep == "cathodic"


def test_edges_in_any_order():
    found = st.regions(with_potential([0.1, 0.6]), edges=(0.0, 1.0, 0.5))
    assert [(r.low, r.high) for r in found] == [(0.5, 1.0), (0.0, 0.5)]
    assert numbers(found) == [[1], [0]]


TRIANGLE = np.concatenate([np.arange(2.0, 0.0, -0.1), np.arange(0.0, 2.0, 0.1)])


def test_passes_do_not_mix():
    found = st.regions(with_potential(TRIANGLE))
    assert found.sweep == "cathodic"
    assert all(max(r.curves, default=0) <= 20 for r in found)
    both = st.regions(with_potential(TRIANGLE), sweep="any")
    assert sum(map(len, both)) > 1.8 * sum(map(len, found))
    assert found.other_pass == len(TRIANGLE) - sum(map(len, found)) - found.outside
    assert any("left out" in word for word in found.warnings)
    assert any("mixed" in word for word in both.warnings)


def test_a_pass_by_its_column():
    sweep = np.array([-1, 1, -1, 1, 0])
    made = with_potential([0.3, 0.3, 0.7, 0.7, 0.7], sweep=sweep, cycle=np.ones(5, int))
    assert numbers(st.regions(made))[2:] == [[2], [0]]
    assert st.regions(made).other_pass == 3
    assert numbers(st.regions(made, sweep="anodic"))[2:] == [[3], [1]]
    assert numbers(st.regions(made, sweep=1))[2:] == [[3], [1]]
    assert numbers(st.regions(made, sweep="any"))[2:] == [[2, 3, 4], [0, 1]]


def test_curves_are_put_in_order_of_time():
    """A table in the order of the grid, not of time, still has one cathodic and one anodic pass."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(TRIANGLE))
    start = np.datetime64("2026-01-01", "ns") + np.arange(len(TRIANGLE)) * np.timedelta64(1, "s")
    straight = st.regions(with_potential(TRIANGLE, start_time=start))
    mixed = st.regions(with_potential(TRIANGLE[order], start_time=start[order]))
    for a, b in zip(straight, mixed, strict=True):
        assert sorted(order[b.curves]) == a.curves.tolist()


def test_the_first_cycle_is_taken():
    cycle = np.array([1, 1, 2, 2, 3])
    made = with_potential([0.3] * 5, sweep=np.full(5, -1), cycle=cycle)
    found = st.regions(made)
    assert numbers(found)[3] == [0, 1]
    assert (found.cycle, found.other_pass) == (1, 3)
    assert numbers(st.regions(made, cycle=2))[3] == [2, 3]
    assert numbers(st.regions(made, cycle="any"))[3] == [0, 1, 2, 3, 4]


def test_curves_without_potential():
    found = st.regions(with_potential([0.3, np.nan, np.nan]))
    assert found.without_potential == 2
    assert any("2 of 3 curves have no potential" in word for word in found.warnings)
    none = st.regions(results_of(np.ones((3, 4))))
    assert (none.without_potential, none.outside, sum(map(len, none))) == (3, 0, 0)
    assert any("--potential" in word for word in none.warnings)


def test_uncertain_potentials_near_an_edge():
    made = with_potential([0.52, 0.7, 0.98], potential_uncertainty=[0.03, 0.03, 0.01])
    assert any(word.startswith("1 curves are nearer") for word in st.regions(made).warnings)


@pytest.mark.parametrize("edges", [(), (1.0,), (1.0, 1.0), (1.0, np.nan), ("a", "b")])
def test_edges_that_make_no_region(edges):
    with pytest.raises(NrmError, match="edges"):
        st.regions(with_potential([0.3]), edges)


@pytest.mark.parametrize("options", [{"sweep": "downwards"}, {"sweep": 2}, {"cycle": "first"}])
def test_passes_that_do_not_exist(options):
    with pytest.raises(NrmError):
        st.regions(with_potential([0.3, 0.2]), **options)


# ------------------------------------------------------------------ what can be selected


def made(n=48, **columns):
    potential = columns.pop("potential", np.linspace(1.9, 0.1, n))
    return results_of(np.ones((n, 8)), potential=potential, **columns)


def test_surfaces_of_one_class():
    classes = np.resize([0, 0, 1, -1], 48)
    results = made().assign(surface_class=("curve", classes.astype("i1")))
    hard = st.regions(results, surface="hard")
    yielding = st.regions(results, surface="yielding")
    assert sum(map(len, hard)) == 24
    assert sum(map(len, yielding)) == 12
    assert all((classes[r.curves] == 0).all() for r in hard)
    assert "hard surfaces" in hard.caption
    assert hard.note == hard.caption
    assert st.regions(results).note == ""
    with pytest.raises(NrmError, match="soft"):
        st.regions(results, surface="soft")
    with pytest.raises(NrmError, match="process the curves again"):
        st.regions(made(), surface="hard")


def test_the_part_of_a_run_before_a_step():
    rng = np.random.default_rng(3)
    slope = -1.0 + 0.003 * rng.standard_normal(48)
    steady = made().assign(wall_slope=("curve", slope))
    with pytest.raises(NrmError, match="no part"):
        st.regions(steady, run="before")
    jumps = made().assign(wall_slope=("curve", np.where(np.arange(48) < 30, slope, 1.05 * slope)))
    before, after = (st.regions(jumps, run=run) for run in ("before", "after"))
    assert np.concatenate([r.curves for r in before]).tolist() == list(range(30))
    assert np.concatenate([r.curves for r in after]).tolist() == list(range(30, 48))
    assert "before the instrument's step" in before.caption


def test_potential_and_time_are_one_in_one_sweep():
    order = np.arange(48)
    one = st.regions(made(acquisition_order=order))
    assert one.not_separable.startswith("Potential and time are not separable")
    assert "repeat the sweep" in one.not_separable
    there_and_back = np.concatenate([np.linspace(1.9, 0.1, 24), np.linspace(0.1, 1.9, 24)])
    both = made(potential=there_and_back, acquisition_order=order)
    assert "other passes or cycles, which hold" in st.regions(both).not_separable
    assert st.regions(both, sweep="any").not_separable == ""
    shuffled = np.random.default_rng(1).permutation(np.linspace(1.9, 0.1, 48))
    mixed = made(potential=shuffled, acquisition_order=order, sweep=np.zeros(48, int))
    assert st.regions(mixed).not_separable == ""


@pytest.mark.parametrize("steps", [[1.8, 0.2], [1.8, 1.2, 0.7, 0.2]])
def test_a_potential_that_is_held_in_steps_is_time_as_well(steps):
    def of(held):
        potential = np.repeat(held, 48 // len(held)) + np.tile([0.001, -0.001], 24)
        return made(potential=potential, acquisition_order=np.arange(48))

    assert "not separable" in st.regions(of(steps), sweep="any").not_separable
    assert st.regions(of([*steps, *steps[::-1]]), sweep="any").not_separable == ""
