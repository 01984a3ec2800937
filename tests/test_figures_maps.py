"""Maps of mixed data: split by grid, region of the potential and visit, or refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from figure_results import DEPTH, results_of
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.text import Text
from pictures import assert_readable, whole

from nrm_plugin import figures
from nrm_plugin import statistics as st
from nrm_plugin.errors import InvalidInput

STEPS = (1.75, 1.25, 0.75, 0.25)


def volume(
    level,
    *,
    shape=(4, 5),
    potential=None,
    number=0,
    pitch=50e-9,
    corner=(0.0, 0.0),
    source=None,
    noise=1e3,
):
    """A force volume whose storage modulus is `level` MPa everywhere, plus 1 kPa per curve."""
    rows, columns = shape
    n = rows * columns
    storage = (1e6 * level + 1e3 * np.arange(n))[:, None] * np.ones(len(DEPTH))
    results = results_of(
        storage, 0 * storage, noise, rows=rows, columns=columns, potential=potential
    )
    row, column = results["row"].values, results["column"].values
    return results.assign_coords(
        x=("curve", corner[0] + pitch * column),
        y=("curve", corner[1] + pitch * row),
        start_time=("curve", 1e4 * number + 2.0 * np.arange(n)),
        source=("curve", np.full(n, number if source is None else source)),
    )


def joined(*volumes: xr.Dataset) -> xr.Dataset:
    return xr.concat(
        volumes, "curve", combine_attrs="override", coords="different", compat="equals"
    )


def steps(**changes) -> xr.Dataset:
    """Four volumes of one grid at four potentials, of 1, 2, 3 and 4 MPa."""
    return joined(*(volume(1.0 + v, potential=p, number=v, **changes) for v, p in enumerate(STEPS)))


def meshes(axes):
    """Values of the coloured cells of every panel, in MPa or nm; masked where there are none."""
    return [np.ma.masked_invalid(cells(ax).get_array()) for ax in axes]


def cells(ax):
    return next(c for c in ax.collections if isinstance(c, QuadMesh))


def titles(axes):
    return [", ".join(ax.get_title(loc="left").split("\n")) for ax in axes]


def marked(ax, name):
    """Area of the cells that are marked so, in cells of 50 nm."""
    parts = [c for c in ax.collections if c.get_gid() == name]
    boxes = [box for part in parts for path in part.get_paths() for box in path.to_polygons()]
    return round(sum(np.prod(np.ptp(box, axis=0)) for box in boxes) / 50.0**2)


def legend(ax):
    return [text.get_text() for text in whole(ax).legends[0].get_texts()]


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("one_file", [False, True])
def test_four_volumes_at_four_potentials_are_four_maps(one_file, shuffled):
    results = steps(source=0 if one_file else None)
    if shuffled:
        order = np.random.default_rng(1).permutation(results.sizes["curve"])
        results = results.isel(curve=order)
    axes = figures.maps(results, "storage_modulus", 5e-9)
    assert titles(axes) == [
        "1.5–2.0 V, visit 1, n = 20",
        "1.0–1.5 V, visit 2, n = 20",
        "0.5–1.0 V, visit 3, n = 20",
        "0.005–0.5 V, visit 4, n = 20",
    ]
    for level, shown in zip((1.0, 2.0, 3.0, 4.0), meshes(axes), strict=True):
        expected = level + 1e-3 * np.arange(20).reshape(4, 5)
        np.testing.assert_allclose(shown, expected, rtol=1e-6)
    norms = {(c.norm.vmin, c.norm.vmax) for ax in axes for c in ax.collections if c.norm.vmax}
    assert len(norms) == 1
    assert len(whole(axes[0]).axes) == 5  # one colour bar
    label = whole(axes[0]).axes[-1].get_ylabel()
    assert " ".join(label.split()) == "storage modulus $E'$ at 5 nm (MPa)"
    bars = [next(line for line in ax.get_lines() if line.get_gid() == "scale bar") for ax in axes]
    assert {float(np.ptp(bar.get_xdata())) for bar in bars} == {100.0}
    assert {ax.texts[-1].get_text() for ax in axes} == {"100 nm"}
    assert_readable(axes[0])


def test_visits_apart_together_and_some_of_them():
    results = steps()
    assert [m.mean() for m in meshes(figures.maps(results, "storage_modulus", by="visit"))] == (
        pytest.approx([1.0095, 2.0095, 3.0095, 4.0095])
    )
    regions = st.regions(results, [2.0, 1.0, 0.0])
    axes = figures.maps(results, "storage_modulus", by="region", regions=regions)
    assert titles(axes) == [
        "1.0–2.0 V, mean of 2 visits, n = 40",
        "0.0–1.0 V, mean of 2 visits, n = 40",
    ]
    assert [m[0, 0] for m in meshes(axes)] == pytest.approx([1.5, 3.5])
    assert len(figures.maps(results, by=regions)) == 4
    (second,) = figures.maps(results, "storage_modulus", visits=[2])
    assert meshes([second])[0][0, 1] == pytest.approx(2.001)
    with pytest.raises(InvalidInput, match="no visit 5: there are 4"):
        figures.maps(results, visits=[5])
    with pytest.raises(InvalidInput, match="not 'volume'"):
        figures.maps(results, by="volume")


def test_one_map_of_several_visits_is_refused_everywhere():
    results = steps()
    for refused in (
        lambda: figures.map(results),
        lambda: figures.map(results, "thickness"),
        lambda: figures.topography(results),
        lambda: st.map_of(results, "storage_modulus", 5e-9),
        lambda: st.map_of(results, "contact_height"),
    ):
        with pytest.raises(InvalidInput, match=r"4 visits .*figures\.maps\(results\)"):
            refused()
    some = st.map_parts(results).parts[2].curves
    found = st.map_of(results, "storage_modulus", 5e-9, curves=some)
    assert found.values[0, 0] == pytest.approx(3e6)
    assert (found.n, found.missing) == (20, 0)
    assert st.map_of(results, "storage_modulus", 5e-9, mean=True).values[0, 0] == 2.5e6


@pytest.mark.parametrize(("stray", "grids"), [(1, 1), (12, 2)])
def test_a_stray_position_is_no_grid_and_a_few_curves_are_one(stray, grids):
    """One of 200 curves whose stage was off; then twelve that lie elsewhere, of one file."""
    results = volume(1.0, shape=(10, 20), source=0)
    x = results["x"].values.copy()
    x[-stray:] += 3e-6
    parts = st.map_parts(results.assign_coords(x=("curve", x)), "visit").parts
    assert len({part.grid for part in parts}) == grids


@pytest.mark.parametrize("one_file", [False, True])
@pytest.mark.parametrize("first", [(4, 5), (3, 3)])
def test_two_grids_are_two_panels(one_file, first):
    coarse = {"shape": (6, 5), "pitch": 200e-9, "corner": (3e-6, 0.0), "number": 1}
    results = joined(
        volume(1.0, shape=first, source=0),
        volume(2.0, **coarse, source=0 if one_file else 1),
    )
    axes = figures.maps(results, "storage_modulus")
    assert [m.shape for m in meshes(axes)] == [first, (6, 5)]
    assert titles(axes)[0].startswith("grid 1, visit 1")
    assert titles(axes)[1].startswith("grid 2, visit 1")
    across = [cells(ax).get_coordinates()[0, :, 0] for ax in axes]
    np.testing.assert_allclose(np.diff(across[0]), 50.0)
    np.testing.assert_allclose(np.diff(across[1]), 0.2)
    with pytest.raises(InvalidInput, match="2 grids"):
        figures.map(results)
    assert_readable(figures.quality(results))


def test_repeated_ramps_at_each_place_are_visits():
    one = volume(1.0)
    results = joined(one, one, one)
    order = np.argsort(np.tile(np.arange(20), 3), kind="stable")
    results = results.isel(curve=order).assign_coords(start_time=("curve", 1.0 * np.arange(60)))
    scale = np.tile([1.0, 2.0, 3.0], 20)
    results["storage_modulus"] = results["storage_modulus"] * xr.DataArray(scale, dims="curve")
    axes = figures.maps(results, "storage_modulus")
    assert titles(axes) == [f"visit {v}, n = 20" for v in (1, 2, 3)]
    assert [m[0, 0] for m in meshes(axes)] == pytest.approx([1.0, 2.0, 3.0])


def test_a_volume_that_drifted_less_than_half_a_pitch_is_another_visit():
    near, far = volume(2.0, number=1, corner=(2e-8, 0.0)), volume(2.0, number=1, corner=(6e-8, 0.0))
    assert [p.name for p in st.map_parts(joined(volume(1.0), near)).parts] == ["visit 1", "visit 2"]
    names = [p.name for p in st.map_parts(joined(volume(1.0), far)).parts]
    assert names == ["grid 1, visit 1", "grid 2, visit 1"]


def test_curves_at_places_of_their_own():
    """Ramps beside any grid: the second ones at the same places are the second visit."""
    results = steps().isel(curve=slice(0, 40)).drop_vars(["row", "column"])
    axes = figures.maps(results, "storage_modulus", by="visit")
    values = [
        np.concatenate(
            [c.get_array() for c in ax.collections if isinstance(c, PathCollection) and c.norm.vmax]
        )
        for ax in axes
    ]
    assert [float(v.mean()) for v in values] == pytest.approx([1.0095, 2.0095])
    assert titles(axes) == ["1.75 V, visit 1, n = 20", "1.25 V, visit 2, n = 20"]


def test_a_sweep_over_one_grid_is_a_map_for_each_region():
    potential = np.repeat(STEPS, 5)
    results = volume(1.0, potential=potential)
    axes = figures.maps(results, "storage_modulus")
    assert [m.count() for m in meshes(axes)] == [5, 5, 5, 5]
    assert [marked(ax, "no value") for ax in axes] == [0, 0, 0, 0]  # other regions are white
    single = figures.map(results, "storage_modulus")
    assert single.get_title(loc="left").strip() == "0.25 to 1.75 V, n = 20"
    found = st.map_of(results, "storage_modulus", 5e-9)
    assert "the potential changes from place to place (0.25 to 1.75 V)" in found.warnings[-1]


@pytest.mark.parametrize(
    "what",
    [
        "storage_modulus",
        "loss_modulus",
        "shear_modulus_magnitude",
        "modulus_magnitude",
        "viscosity",
        "force_gradient_in_phase",
    ],
)
def test_what_is_below_three_standard_errors_is_hatched_and_not_coloured(what):
    """Half of the places have a signal of ten standard errors, the others one of two."""
    size = np.where(np.arange(20) < 10, 10e4, 2e4)[:, None] * np.ones(len(DEPTH))
    results = results_of(size, size, 1e4, rows=4, columns=5)
    ax = figures.map(results, what)
    (shown,) = meshes([ax])
    assert shown.mask.ravel().tolist() == [False] * 10 + [True] * 10
    assert marked(ax, "below noise") == 10
    assert "below the noise (10 of 20)" in legend(ax)
    assert not any("biased" in text for text in legend(ax))
    assert marked(ax, "no value") == 0


def test_a_map_that_is_mostly_below_the_noise_says_that_the_rest_is_biased_upwards():
    """A signal below three of its standard errors: what passes is what noise has raised."""
    random = np.random.default_rng(3)
    size = 1.5e4 + 1e4 * random.normal(size=(256, 1)) * np.ones(len(DEPTH))
    results = results_of(size, 0 * size, 1e4, rows=16, columns=16)
    found = st.map_of(results, "storage_modulus", 5e-9)
    below = int((np.abs(size[:, 0]) < 3e4).sum())
    left = size[np.abs(size[:, 0]) >= 3e4, 0]
    assert 200 < below < 256
    assert left.min() > 1.9 * 1.5e4
    assert found.mostly_noise
    assert f"{below} of 256 places are below the noise" in found.warnings[-1]
    ax = figures.map(results, "storage_modulus")
    biased = f"below the noise ({below} of 256):\nwhat is left is biased upwards"
    assert legend(ax) == [biased]
    assert_readable(ax)


def test_negative_moduli_that_can_be_told_from_noise_are_shown():
    size = np.where(np.arange(20) < 10, -10e4, 10e4)[:, None] * np.ones(len(DEPTH))
    (shown,) = meshes([figures.map(results_of(size, size, 1e4, rows=4, columns=5), "loss_modulus")])
    assert shown.count() == 20
    assert shown.min() == pytest.approx(-0.1)


def test_noise_has_no_part_in_the_colours_and_all_noise_is_all_hatched():
    size = np.where(np.arange(20) < 10, 1e4, 5e6 + np.arange(20))[:, None] * np.ones(len(DEPTH))
    ax = figures.map(results_of(size, 0 * size, 1e4, rows=4, columns=5), "storage_modulus")
    assert cells(ax).norm.vmin == pytest.approx(5.0, rel=1e-3)
    nothing = results_of(0 * size, 0 * size, 1e4, rows=4, columns=5)
    ax = figures.map(nothing)
    assert marked(ax, "below noise") == 20
    assert_readable(ax)


def test_means_over_visits_are_of_complex_moduli_with_the_error_of_the_mean():
    """Opposite signs cancel; errors of a mean over two visits are smaller by the root of two."""
    plus = results_of(
        2e4 * np.ones((4, len(DEPTH))), np.zeros((4, len(DEPTH))), 1e4, rows=2, columns=2
    )
    minus = plus.copy(deep=True)
    minus["storage_modulus"] = -minus["storage_modulus"]
    both = joined(plus, minus)
    found = st.map_of(both, "modulus_magnitude", 5e-9, mean=True)
    np.testing.assert_allclose(found.values, 0.0, atol=1e-6)
    found = st.map_of(joined(plus, plus), "modulus_magnitude", 5e-9, mean=True)
    np.testing.assert_allclose(found.values, 2e4)
    assert found.below_noise.all()  # 2.8 standard errors
    stronger = joined(plus * 1.2, plus * 1.2).assign_attrs(plus.attrs)
    for name in ("storage_modulus_stderr", "loss_modulus_stderr"):
        stronger[name] = stronger[name] / 1.2
    found = st.map_of(stronger, "modulus_magnitude", 5e-9, mean=True)
    assert not found.below_noise.any()  # 3.4 standard errors


def test_topographies_of_visits_are_apart_and_each_about_its_plane():
    first, second = volume(1.0, shape=(6, 8)), volume(1.0, shape=(6, 8), number=1)
    second["contact_height"] = 2 * second["contact_height"] + 1e-6 + second["x"] * 0.1
    axes = figures.maps(joined(first, second), figures.TOPOGRAPHY)
    one, other = meshes(axes)
    np.testing.assert_allclose(other, 2 * one, atol=1e-3)
    assert abs(float(one.mean())) < 1e-6
    assert titles(axes)[0] == "visit 1, Sa 65.3, Sq 70.7, Rq 70.7 nm, n = 48"
    assert whole(axes[0]).axes[-1].get_ylabel() == "height of the solid contact (nm)"
    assert_readable(axes[0])


def test_more_maps_than_a_page_holds_are_refused_with_the_way_out():
    results = joined(*(volume(1.0, shape=(2, 2), number=v) for v in range(30)))
    with pytest.raises(InvalidInput, match=r"30 maps \(30 visits .*by='region' .* visits=\(1, 2\)"):
        figures.maps(results)
    assert len(figures.maps(results, by="region")) == 1
    assert len(figures.maps(results, visits=range(1, 25))) == 24


def test_curves_in_no_region_are_counted_in_the_legend():
    results = joined(volume(1.0, potential=1.75), volume(2.0, potential=3.0, number=1))
    (ax,) = figures.maps(results, "storage_modulus")
    assert legend(ax) == ["20 curves on no map"]
    outside = joined(volume(1.0, potential=3.5), volume(2.0, potential=3.0, number=1))
    assert titles(figures.maps(outside)) == ["3.5 V, visit 1, n = 20", "3 V, visit 2, n = 20"]


def test_what_is_drawn_on_axes_given_and_words_without_places():
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    given = figure.subplots(1, 4)
    assert figures.maps(steps(), axes=given) == list(given)
    with pytest.raises(InvalidInput, match="4 panels, and 2 axes"):
        figures.maps(steps(), axes=given[:2])
    nowhere = volume(1.0).drop_vars(["x", "y", "row", "column"])
    (ax,) = figures.maps(nowhere)
    assert any("no positions" in t.get_text() for t in ax.findobj(Text))
