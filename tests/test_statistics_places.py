"""Tables, maps, and what repeated ramps do."""

from __future__ import annotations

import csv
import warnings

import numpy as np
import pytest
from made_results import map_places, operando, results_of
from scipy import stats

import nrm_plugin as nrm
from nrm_plugin import NrmError
from nrm_plugin import statistics as st
from nrm_plugin.variables import BIT, FLAGS

# Summary


def test_summary_is_the_mean_of_what_violins_show(tmp_path):
    results, _ = operando(7)
    regions = st.regions(results)
    rows = st.summary(results, regions)
    shown = st.violins(results, regions)
    assert len(rows) == len(shown) == 12
    for row, violin in zip(rows, shown, strict=True):
        assert (row["region"], row["bin"], row["n"]) == (
            violin.region.label,
            violin.label,
            violin.n,
        )
        assert row["low"] <= row["mean"] <= row["high"]
        assert row["quartile_1"] <= row["median"] <= row["quartile_3"]
        assert row["n_effective"] <= row["n"] + 1e-9
        # The magnitude of a mean is at most the mean of magnitudes.
        assert row["mean"] <= violin.values.mean() * (1 + 1e-9)
    thickness = st.region_thickness(results, regions)
    more = st.summary(results, regions, thickness=thickness)[len(rows) :]
    assert [row["region"] for row in more] == thickness["region"].values.tolist()
    for name in ("mean", "low", "high", "method", "n_right", "n_left", "limit"):
        np.testing.assert_array_equal([row[name] for row in more], thickness[name].values)
    assert {(row["variable"], row["unit"]) for row in more} == {("thickness", "m")}
    rows += more
    path = tmp_path / "summary.csv"
    st.write_summary(rows, path)
    with path.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["bin"] for row in read] == [row["bin"] for row in rows]
    assert float(read[5]["mean"]) == rows[5]["mean"]


def test_summary_of_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = st.summary(results_of(np.ones((4, 61))), st.regions(results_of(np.ones((4, 61)))))
    assert {row["n"] for row in rows} == {0}
    assert all(np.isnan(row["mean"]) for row in rows)
    assert all("no curves" in row["warnings"] for row in rows)
    with pytest.raises(NrmError, match="not written"):
        st.write_summary(rows, tmp_path / "nowhere" / "summary.csv")


def test_results_in_a_file_give_the_same(tmp_path):
    results, _ = operando(8, grid=(4, 10))
    nrm.save(results, tmp_path / "results.h5")
    stored = nrm.open_results(tmp_path / "results.h5")
    regions = st.regions(stored)
    assert [r.curves.tolist() for r in regions] == [r.curves.tolist() for r in st.regions(results)]
    for region in regions:
        a, b = (st.mean_profile(r, curves=region.curves) for r in (results, stored))
        np.testing.assert_array_equal(a["high"], b["high"])
    rows = (st.summary(r, regions)[7] for r in (stored, results))
    np.testing.assert_equal(*rows)  # nan where there is no tested coverage to state


# Maps


def test_a_map_on_the_grid():
    values = np.arange(1.0, 10.0)[:, None] * 3e6 * np.ones(61)
    order = np.random.default_rng(0).permutation(9)
    columns = {name: array[order] for name, array in map_places(3).items()}
    found = st.map_of(results_of(values[order], **columns), "shear_modulus_magnitude", 5e-9)
    np.testing.assert_allclose(found.values, np.arange(1.0, 10.0).reshape(3, 3) * 1e6)
    np.testing.assert_allclose(found.x, [0, 50e-9, 100e-9], atol=1e-15)
    np.testing.assert_allclose(found.y, [0, 50e-9, 100e-9], atol=1e-15)
    assert (found.grid, found.unit, found.missing) == (True, "Pa", 0)
    assert "at 5 nm" in found.label


def test_a_map_with_a_hole_and_a_flagged_curve():
    columns = {name: array[:-1] for name, array in map_places(3).items()}
    quality = np.array([BIT["no_hard_contact"]] + [0] * 7)
    made = results_of(np.ones((8, 61)), quality=quality, **columns)
    made["contact_height"] = ("curve", np.arange(8.0), {"units": "m"})
    found = st.map_of(made, "contact_height")
    assert np.isnan(found.values[0, 0])
    assert np.isnan(found.values[2, 2])
    assert found.values[2, 1] == 7.0
    assert found.missing == 1
    assert "1 curves are left out" in found.warnings[0]
    flags = st.map_of(made, "quality")
    assert flags.values[0, 0] == BIT["no_hard_contact"]
    assert flags.meanings == FLAGS


def test_repeats_on_a_grid():
    made = results_of(
        np.ones((3, 61)),
        quality=[1024, 2, 0],
        row=[0, 0, 0],
        column=[0, 0, 1],
        x=[0.0, 0.0, 1e-7],
        y=[0.0] * 3,
    )
    made["contact_height"] = ("curve", [1.0, 3.0, 5.0], {"units": "m"})
    # One map would mix the visits: their mean has to be asked for.
    with pytest.raises(NrmError, match="2 visits"):
        st.map_of(made, "contact_height")
    np.testing.assert_allclose(st.map_of(made, "contact_height", mean=True).values, [[2.0, 5.0]])
    np.testing.assert_allclose(st.map_of(made, "quality").values, [[1026, 0]])


def test_scattered_curves_and_none():
    made = results_of(np.ones((4, 61)), x=[0, 1e-6, 3e-6, 2e-6], y=[0, 0, 1e-6, 1e-6])
    found = st.map_of(made, "storage_modulus", 1e-9)
    assert not found.grid
    assert found.values.shape == found.x.shape == (4,)
    nowhere = st.map_of(results_of(np.ones((4, 61))), "thickness")
    assert "no positions" in nowhere.warnings[-1]
    assert st.map_of(results_of(np.ones((0, 61))), "thickness").values.shape == (0,)


@pytest.mark.parametrize(
    ("what", "depth"),
    [
        ("storage_modulus", None),
        ("storage_modulus", 1e-6),
        ("storage_modulus", np.nan),
        ("hardness", 1e-9),
    ],
)
def test_maps_of_what_is_not_there(what, depth):
    with pytest.raises(NrmError):
        st.map_of(results_of(np.ones((4, 61))), what, depth)


# Trend


def repeated(places, ramps, change, spread=0.0, noise=0.0, seed=0, **columns):
    """Ramps at places 1 um apart; E* of 3 MPa changes by `change` with every ramp."""
    rng = np.random.default_rng(seed)
    place, ramp = np.divmod(np.arange(places * ramps), ramps)
    level = 3e6 * (1 + spread * rng.standard_normal(places))[place]
    values = level + change * ramp + noise * rng.standard_normal(places * ramps)
    return results_of(
        values[:, None] * np.ones(61), x=1e-6 * place, y=np.zeros(places * ramps), **columns
    )


def test_trend_of_an_exact_change():
    found = st.trend(repeated(5, 4, -3e4, spread=0.3))
    assert found.per_ramp == pytest.approx(-1e4)
    assert found.stderr == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(np.diff(found.mean), -1e4)
    assert (found.n_places, found.n_curves, found.ramp.tolist()) == (5, 20, [0, 1, 2, 3])


def test_trend_of_one_place_is_a_straight_line():
    made = repeated(1, 12, -3e4, noise=6e4)
    found = st.trend(made, "storage_modulus")
    fit = stats.linregress(np.arange(12), made["storage_modulus"].values[:, 10])
    assert found.per_ramp == pytest.approx(fit.slope)
    assert found.stderr == pytest.approx(fit.stderr)
    assert found.p == pytest.approx(fit.pvalue)


def test_intervals_of_trends_cover():
    """Places change differently, by 1e4 on average and +-1e4: 300 experiments."""
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(300):
        change = 3e4 * (1 + rng.standard_normal(12))
        found = st.trend(repeated(12, 3, np.repeat(change, 3), 0.3, 3e4, seed))
        hits += found.low <= 1e4 <= found.high
    assert 0.91 <= hits / 300 <= 0.985


def test_unequal_repeats_do_not_bend_the_means():
    """Soft places were measured more often: the mean of late ramps is still that of the change."""
    place = np.repeat(np.arange(6), [2, 2, 2, 8, 8, 8])
    ramp = np.concatenate([np.arange(n) for n in (2, 2, 2, 8, 8, 8)])
    values = np.where(place < 3, 9e6, 3e6) - 3e4 * ramp
    made = results_of(values[:, None] * np.ones(61), x=1e-6 * place, y=np.zeros(len(place)))
    np.testing.assert_allclose(np.diff(st.trend(made).mean), -1e4, rtol=1e-6)


def test_trend_follows_time_and_warns_of_the_potential():
    made = repeated(3, 4, -3e4, 0.3, 3e2, 1)
    start = np.datetime64("2026-01-01", "ns") + np.tile([3, 2, 1, 0], 3) * np.timedelta64(1, "s")
    backwards = made.assign_coords(start_time=("curve", start))
    assert st.trend(backwards).per_ramp == pytest.approx(1e4, rel=0.05)
    swept = made.assign_coords(potential=("curve", np.linspace(2.0, 0.0, 12)))
    found = st.trend(swept)
    assert any("potential" in word and "no p is given" in word for word in found.warnings)
    assert np.isnan(found.p)
    assert found.per_ramp == pytest.approx(-1e4, rel=0.05)
    held = st.trend(made.assign_coords(potential=("curve", np.ones(12))))
    assert held.p == st.trend(made).p < 1e-3


def test_trends_that_cannot_be():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        none = st.trend(repeated(5, 1, 0.0))
        two = st.trend(repeated(1, 2, -3e4))
        hollow = st.trend(results_of(np.full((4, 61), np.nan), x=np.zeros(4), y=np.zeros(4)))
    assert np.isnan(none.per_ramp)
    assert "no place has two ramps" in none.warnings[0]
    assert two.per_ramp == pytest.approx(-1e4)
    assert np.isnan(two.stderr)
    assert hollow.n_curves == 0
    with pytest.raises(NrmError):
        st.trend(repeated(2, 2, 0.0), level=2.0)
