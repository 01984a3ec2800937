"""Maps by region: flags, changes between regions, contours, and several quantities at once."""

from __future__ import annotations

import numpy as np
import pytest
from figure_results import made_results
from pictures import assert_readable
from test_figures_maps import joined, legend, marked, meshes, steps, titles, volume

from nrm_plugin import figures
from nrm_plugin import statistics as st
from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures.map_panels import common_limits
from nrm_plugin.variables import BIT


def with_values(results, **values):
    """The same results with other values of some variables."""
    changed = {n: results[n].copy(data=np.asarray(v, results[n].dtype)) for n, v in values.items()}
    return results.assign(changed)


def test_flags_of_every_region_and_visit():
    flags = np.zeros(80, int)
    flags[[0, 21]] = BIT["spikes"]
    flags[21] |= BIT["no_hard_contact"]
    axes = figures.maps(with_values(steps(), quality=flags), "quality")
    assert titles(axes)[:2] == [
        "1.5–2.0 V, visit 1, 1 flagged, 0 left out, n = 20",
        "1.0–1.5 V, visit 2, 0 flagged, 1 left out, n = 20",
    ]
    first, second, *others = meshes(axes)
    assert first[0, 0] == 1.0
    assert first.sum() == 1.0
    assert second[0, 1] == 2.0
    assert second.sum() == 2.0
    assert all(other.sum() == 0.0 for other in others)
    assert legend(axes[0]) == ["not flagged", "flagged", "left out"]
    assert_readable(axes)


def test_the_worst_flag_of_a_place_where_visits_are_together():
    flags = np.zeros(40, int)
    flags[3], flags[23] = BIT["spikes"], BIT["saturated"]
    both = joined(*(volume(1.0, potential=1.75, number=v) for v in (0, 1)))
    (ax,) = figures.maps(with_values(both, quality=flags), "quality", by="region")
    (values,) = meshes([ax])
    assert values[0, 3] == 2.0
    assert values.sum() == 2.0


def test_changes_between_regions_at_the_same_places():
    found = st.map_differences(steps(), "storage_modulus", 5e-9)
    assert [one.name for one in found] == [
        "1.0-1.5 V less 1.5-2.0 V",
        "0.5-1.0 V less 1.0-1.5 V",
        "0.005-0.5 V less 0.5-1.0 V",
    ]
    for one in found:
        np.testing.assert_allclose(one.map.values, 1e6, rtol=1e-6)
        np.testing.assert_allclose(one.map.noise, np.sqrt(2) * 1e3)
        assert one.n == 20
        assert not one.map.below_noise.any()
    axes = figures.differences(steps(), "storage_modulus")
    assert titles(axes)[0] == "1.0–1.5 V less 1.5–2.0 V, median +1 MPa, n = 20"
    for values in meshes(axes):
        np.testing.assert_allclose(values, 1.0, rtol=1e-6)
    assert_readable(axes)
    assert_readable(figures.differences(steps(), "storage_modulus", width=figures.COLUMN))


def test_changes_within_the_noise_are_hatched():
    """1 MPa against three standard errors of the difference, 3 x sqrt(2) x 0.3 MPa."""
    axes = figures.differences(steps(noise=0.3e6), "storage_modulus")
    assert [marked(ax, "below noise") for ax in axes] == [20, 20, 20]
    assert legend(axes[0]) == ["within the noise (60 of 60)"]
    assert not marked(figures.differences(steps(noise=0.2e6), "storage_modulus")[0], "below noise")


def test_the_mean_over_visits_of_a_region_is_of_complex_values():
    """Loss moduli of opposite sign cancel in the mean of a region, and their magnitudes do not."""
    low = [volume(1.0, potential=1.75, number=v) for v in (0, 1)]
    low = [
        with_values(v, loss_modulus=np.full(v.loss_modulus.shape, s))
        for v, s in zip(low, (2e6, -2e6), strict=True)
    ]
    every = joined(*low, volume(3.0, potential=1.25, number=2))
    (one,) = st.map_differences(every, "modulus_magnitude", 5e-9)
    np.testing.assert_allclose(one.map.values, 2e6, rtol=1e-6)
    np.testing.assert_allclose(one.map.noise, np.sqrt(1e6 / 2 + 1e6), rtol=1e-6)


def test_a_drift_common_to_all_places_is_no_change_of_height():
    results = steps()
    heights = results["contact_height"].values + 7e-9 * np.repeat(np.arange(4), 20)
    heights[23] += 4e-9
    first, second, _ = st.map_differences(
        with_values(results, contact_height=heights), "contact_height"
    )
    assert first.median == pytest.approx(7e-9)
    assert first.map.values[0, 3] == pytest.approx(4e-9)
    assert np.abs(np.delete(first.map.values.ravel(), 3)).max() < 1e-15
    assert second.map.values[0, 3] == pytest.approx(-4e-9)


def test_a_flagged_curve_has_no_change():
    flags = np.zeros(80, int)
    flags[[4, 25]] = BIT["no_hard_contact"]
    axes = figures.differences(with_values(steps(), quality=flags), "storage_modulus")
    assert [marked(ax, "no value") for ax in axes] == [2, 1, 0]
    assert legend(axes[0]) == ["no value in one of the two (3 of 60)"]


def test_places_beside_any_grid_that_are_visited_again():
    """Three spots at two potentials, the second time in another order."""
    first, second = volume(1.0, shape=(1, 3), potential=1.75), volume(3.0, shape=(1, 3), number=1)
    second = second.assign_coords(potential=("curve", np.full(3, 1.25))).isel(curve=[2, 0, 1])
    spots = joined(first, second)
    spots = spots.assign_coords(
        row=("curve", np.full(6, -1)),
        column=("curve", np.full(6, -1)),
        start_time=("curve", np.arange(6.0)),
    )
    (one,) = st.map_differences(spots, "storage_modulus", 5e-9)
    np.testing.assert_allclose(one.map.values, 2e6, rtol=1e-6)
    np.testing.assert_allclose(one.map.x, [0.0, 50e-9, 100e-9], atol=1e-15)
    assert not one.map.grid
    assert_readable(figures.differences(spots, "storage_modulus"))


def test_nothing_repeats():
    """A sweep over one grid: each place was there at one potential only."""
    sweep = volume(1.0, shape=(4, 4))
    sweep = sweep.assign_coords(potential=("curve", np.repeat([1.75, 1.25, 0.75, 0.25], 4)))
    assert st.map_differences(sweep, "storage_modulus", 5e-9) == []
    (ax,) = figures.differences(sweep)
    assert "No place has curves in two" in ax.texts[0].get_text().replace("\n", " ")


def test_the_quality_has_no_differences():
    with pytest.raises(InvalidInput, match="flags have no differences"):
        figures.differences(steps(), "quality")


def hilly():
    """A ridge 80 nm high along the columns of a grid of 5 x 9; the same in all visits."""
    results = steps(shape=(5, 9))
    heights = 80e-9 * np.exp(-(((results["column"].values - 4.0) / 2.0) ** 2))
    return with_values(results, contact_height=heights)


def test_contours_of_the_topography_over_a_map():
    axes = figures.maps(hilly(), "storage_modulus", relief=True)
    assert legend(axes[0])[-1] == "topography, a line every 20 nm"
    for ax in axes:
        (lines,) = [c for c in ax.collections if c.get_gid() == "contours"]
        assert np.allclose(np.diff(lines.levels), 20e-9)
        points = np.concatenate([path.vertices for path in lines.get_paths() if len(path.vertices)])
        # The ridge is symmetric about its column: so are the lines.
        assert np.median(points[:, 0]) == pytest.approx(200.0, abs=1.0)
    plain = figures.maps(hilly(), "storage_modulus")
    assert not any(c.get_gid() == "contours" for ax in plain for c in ax.collections)
    for one, other in zip(meshes(axes), meshes(plain), strict=True):
        np.testing.assert_array_equal(one, other)
    assert_readable(axes)
    assert_readable(figures.maps(hilly(), "storage_modulus", relief=True, width=figures.COLUMN))


@pytest.mark.parametrize("width", [figures.COLUMN, figures.PAGE])
def test_all_quantities_in_one_figure(width):
    results = made_results(6, 8)
    figure = figures.region_maps(results, depth=3e-9, relief=True, width=width)
    panels = [ax for ax in figure.axes if ax.get_title(loc="left")]
    assert len(panels) == 12  # and four panels of words: no layer ends within these profiles
    assert sum("No curve has" in t.get_text() for ax in figure.axes for t in ax.texts) == 4
    assert [t.split("\n")[0].split(",")[0] for t in titles(panels)[::4]] == ["1.5–2.0 V"] * 3
    labels = {ax.get_ylabel().replace("\n", " ") for ax in figure.axes}
    assert {"|$G$*| at 3 nm (MPa)", "height of the solid contact (nm)"} <= labels
    assert_readable(figure)


def test_maps_of_several_samples_have_colours_in_common():
    soft, stiff = (volume(level, potential=1.75) for level in (1.0, 7.0))
    samples = [(st.Analysis(one), None) for one in (soft, stiff)]
    low, high = common_limits(samples, "storage_modulus", 5e-9)
    assert (low, high) == pytest.approx((1e6, 7.019e6), rel=1e-3)
    assert common_limits([], "storage_modulus") is None
    limits = {"storage_modulus": (low, high)}
    for one in (soft, stiff):
        figure = figures.region_maps(
            one, ("storage_modulus",), 5e-9, limits=limits, title="ether 3, ether"
        )
        assert figure.get_suptitle().startswith("ether 3, ether")
        norms = [(c.norm.vmin, c.norm.vmax) for ax in figure.axes for c in ax.collections]
        assert (low * 1e-6, high * 1e-6) in norms


def test_more_than_a_page_is_refused_with_the_way_out():
    many = joined(*(volume(1.0, potential=1.75, number=v) for v in range(20)))
    with pytest.raises(InvalidInput, match="do not fit on a page: by='region'"):
        figures.region_maps(many)
    assert len(figures.region_maps(many, by="region").axes) >= 4


def test_results_without_a_lateral_signal_have_heights_and_flags():
    results = steps().drop_vars([n for n in steps().data_vars if "modul" in n or "lateral" in n])
    figure = figures.region_maps(results)
    assert len([ax for ax in figure.axes if ax.get_title(loc="left")]) == 8
