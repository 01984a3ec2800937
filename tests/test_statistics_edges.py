"""Statistics where values are few, missing or tied: numbers that are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from made_results import map_places, results_of

from nrm_plugin import InvalidInput
from nrm_plugin import statistics as st
from nrm_plugin.statistics.binned_forces import BinnedForces
from nrm_plugin.statistics.falling_moduli import _means, decay_length
from nrm_plugin.statistics.intervals import _skewed
from nrm_plugin.statistics.map_differences import map_differences
from nrm_plugin.statistics.map_frames import map_frame
from nrm_plugin.statistics.mean_edge import _SPREADS, _Tried
from nrm_plugin.statistics.modulus_spectrum import modulus_spectrum
from nrm_plugin.statistics.result_views import result_views
from nrm_plugin.statistics.revisits import revisits_of
from nrm_plugin.statistics.roughness import roughness
from nrm_plugin.statistics.selection import one_direction, profile_variable, select
from nrm_plugin.statistics.stripes import _freedom, _sum_of, grid_of
from nrm_plugin.statistics.visits import map_parts
from nrm_plugin.variables import BIT

NM = 1e-9
ONES = results_of(np.full((16, 21), 3e6 + 1e6j), **map_places(4))

# What is refused


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: roughness(np.array([[1.0, np.nan], [np.nan, 2.0]])),
            "roughness needs a table of at least three heights",
        ),
        (
            lambda: roughness(np.arange(9.0)),
            "roughness needs a table of at least three heights",
        ),
        (
            lambda: one_direction(xr.Dataset({"a": ("time", np.ones(3))})),
            "these are no results: they have no dimensions curve and depth",
        ),
        (
            lambda: st.regions(ONES, run="middle"),
            "there is no part 'middle' of a run: all, before, after",
        ),
        (
            lambda: modulus_spectrum([ONES], 1 * NM, 5 * NM),
            "the dither's frequency is not known of all results",
        ),
        (
            lambda: st.trend(ONES, level=1.0),
            "the level of an interval lies between 0 and 1, as 0.95",
        ),
        (
            lambda: st.mean_profile(ONES, "valid"),
            "the results have no profiles of 'valid'.",
        ),
        (
            lambda: map_differences(ONES, "quality"),
            "flags have no differences: draw the map of the quality by region",
        ),
    ],
)
def test_what_is_refused(call, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        call()
    assert str(caught.value) == sentence


# Surfaces and maps


def test_a_plane_has_no_roughness() -> None:
    """Heights of micrometres leave picometres of rounding, which are none."""
    row, column = np.mgrid[:5, :7]
    found = roughness(1e-6 + 3e-8 * row - 2e-8 * column)
    assert (found.sa, found.sq, found.sz, found.rq) == (0.0, 0.0, 0.0, 0.0)
    assert not found.levelled.any()


def test_a_grid_is_that_of_the_table() -> None:
    row, column = np.divmod(np.arange(256), 16)
    made = results_of(np.ones((256, 2)), **map_places(16))
    found = grid_of(made, np.arange(256), np.arange(256))
    assert found is not None
    assert (found.row.tolist(), found.column.tolist()) == (row.tolist(), column.tolist())


def test_rows_that_are_not_known_are_no_grid() -> None:
    """A row of -1 says so; without positions there is no other."""
    places = map_places(16)
    row = np.where(np.arange(256) == 3, -1, places["row"])
    made = results_of(np.ones((256, 2)), row=row, column=places["column"])
    assert grid_of(made, np.arange(256), np.arange(256)) is None
    there = results_of(np.ones((256, 2)), **places | {"row": row})
    found = grid_of(there, np.arange(256), np.arange(256))
    assert found is not None
    assert found.row.tolist() == places["row"].tolist()


def test_frames_of_maps() -> None:
    """Columns against x, and one curve, which is no map; without positions a size is not known."""
    turned = map_places(4)
    turned["x"] = -turned["x"]
    frame = map_frame(results_of(np.ones((16, 2)), **turned), np.arange(16), np.arange(16))
    assert frame is not None
    assert (frame.rows, frame.columns, frame.flipped) == (4, 4, (False, True))
    assert frame.cell[:4].tolist() == [3, 2, 1, 0]
    assert frame.size == pytest.approx((200 * NM, 200 * NM))
    assert map_frame(ONES, np.arange(1), np.arange(1)) is None
    bare = ONES.drop_vars(["x", "y"])
    frame = map_frame(bare, np.arange(16), np.arange(16))
    assert frame is not None
    assert np.isnan(frame.size).all()
    lost = ONES.assign_coords(x=("curve", np.full(16, np.nan)))
    frame = map_frame(lost, np.arange(16), np.arange(16))
    assert frame is not None
    assert np.isnan(frame.size).all()


def test_curves_on_no_map_are_counted() -> None:
    """Three of 16 above the regions: visits draw them too, and are the same with regions given."""
    potential = np.where(np.arange(16) < 3, 2.5, 1.7)
    made = results_of(np.ones((16, 2)), potential=potential, **map_places(4))
    found = map_parts(made)
    assert found.left_out == 3
    assert found.warnings == (
        "3 of 16 curves are in no region of the potential and on no map: by='visit' draws them all",
    )
    (part,) = map_parts(made, "visit").parts
    assert part.curves.tolist() == list(range(16))
    (part,) = map_parts(made, "visit", regions=st.regions(made)).parts
    assert part.curves.tolist() == list(range(3, 16))


def test_visits_at_one_time_are_no_revisits() -> None:
    """All curves within one second: nothing tells which visit was the first."""
    place = np.tile(np.arange(64), 2)
    times = np.full(128, np.datetime64("2026-01-01", "ns"))
    assert revisits_of(results_of(np.ones((128, 2)), start_time=times), np.arange(128), place) is (
        None
    )


# Views of results


def test_views_of_one_direction_say_nothing_of_others() -> None:
    views = result_views(ONES)
    assert views.warnings == ()
    assert len(views.images) > 0
    both = xr.concat([ONES, 2.0 * ONES], xr.DataArray(["approach", "retract"], dims="direction"))
    both["quality"] = both["quality"].astype("i4")
    both.attrs.update(ONES.attrs)
    assert result_views(both).warnings == (
        "of the ways of the ramp approach is taken, retract is left out",
    )
    assert result_views(both.isel(direction=[1])).warnings == ()


def test_views_of_results_without_flags() -> None:
    flagged = ONES.copy(deep=True)
    flagged["quality"][3] = BIT["no_hard_contact"]
    flags = [
        [one.title for one in result_views(made).images if one.title.startswith("flag ")]
        for made in (flagged, ONES, ONES.drop_vars("quality"))
    ]
    assert flags == [["flag no_hard_contact"], [], []]


def test_views_at_distances() -> None:
    images = [one.title for one in result_views(ONES, distances=[5 * NM]).images]
    assert any("5 nm" in title for title in images)
    with pytest.raises(InvalidInput) as caught:
        result_views(ONES, distances=[11 * NM])
    assert str(caught.value) == "there is no distance of 11 nm: the results go from 0 to 10 nm"
    short = ONES.isel(depth=slice(0, 3))  # 0 to 1 nm: default distances beyond are left out
    assert not any(" nm" in one.title for one in result_views(short).images)
    hidden = ONES.copy(deep=True)
    hidden["storage_modulus"][:] = np.nan
    hidden["loss_modulus"][:] = np.nan
    assert result_views(hidden).graphs == ()


# Selection


def test_curves_without_flags_all_count() -> None:
    numbers, left_out = select(ONES.drop_vars("quality"))
    assert (numbers.tolist(), left_out) == (list(range(16)), 0)


def test_values_without_errors_and_without_curves() -> None:
    variable = profile_variable(ONES, "shear_modulus_magnitude")
    bare = ONES.drop_vars("loss_modulus_stderr")
    noise = variable.noise(bare, np.arange(3))
    assert noise.shape == (3, 21)
    assert np.isnan(noise).all()
    assert variable.sizes(ONES, np.arange(0)).shape == (0, 21)


def test_regions_of_nothing() -> None:
    found = st.regions(results_of(np.ones((0, 4)), potential=np.empty(0)))
    assert found.warnings[0] == "there are no curves"


# Closed forms


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("side", [1, 2, 7])
def test_sum_of_correlations(rho: float, side: int) -> None:
    lines = np.arange(side)
    matrix = rho ** np.abs(lines[:, None] - lines)
    assert _sum_of(rho, np.array([side]))[0] == pytest.approx(matrix.sum() / side)


def test_differences_without_correlation_are_all_free() -> None:
    """Of 12 differences one is not 0: products of neighbours are 0 at every distance."""
    one = np.zeros((12, 1))
    one[5] = 1.0
    assert _freedom(one, one) == pytest.approx([12.0])


@pytest.mark.parametrize("skewness", [0.0, 0.6, -0.6])
def test_reach_of_skewed_means(skewness: float) -> None:
    """Hall's transform of both ends is Student's t."""
    below, above = (float(x[0]) for x in _skewed(np.array([2.0]), np.array([skewness])))
    b = skewness / 3.0

    def transformed(t: float) -> float:
        return t if not b else ((1.0 + b * t) ** 3 - 1.0) / (3.0 * b) + b / 2.0

    assert (transformed(below), transformed(-above)) == pytest.approx((2.0, -2.0))


def test_means_of_neighbours_leave_out_what_is_missing() -> None:
    values = np.array([[1.0, np.nan, 3.0, 8.0]])
    np.testing.assert_allclose(_means(values, 1), [[1.0, 2.0, 5.5, 5.5]])


def test_ends_of_what_explains_a_mean_force() -> None:
    """Squares of (x - 5)^2 within 4.5: from 3 - 0.5 / 5 to 7 + 0.5 / 5 on straight lines."""
    outer = np.repeat(np.arange(11.0), len(_SPREADS))
    tried = _Tried(outer=outer, spread=0.0 * outer, square=(outer - 5.0) ** 2, level=1.0, rim=0.0)
    assert tried.ends(4.5) == pytest.approx([2.9, 7.1])
    assert tried.ends(99.0) == pytest.approx([0.0, 10.0])


def test_decay_where_curves_end_before_the_electrode() -> None:
    """8 nm, of 90 bins the last 12 missing: whatever stands there is no value, and no 0 either."""
    m, width = 90, NM
    z = (m - np.arange(m) - 0.5) * width
    force = 300.0 * np.exp(-z / (8.0 * NM)).astype(complex)[None]
    for count, there in ((m, 0.0), (m - 12, 0.0), (m - 12, 1e6)):
        values = np.where(np.arange(m) < count, force, there)
        forces = BinnedForces(
            values=values,
            samples=np.ones((1, m)),
            count=np.array([count]),
            noise=np.ones(1),
            width=width,
            outside=m * width,
        )
        assert decay_length(forces, 1.0) == pytest.approx([8.0 * NM], rel=0.02)


def test_weak_depths_do_not_count_for_the_number_of_curves() -> None:
    """Beyond 10 nm ten curves see noise alone: the other hundred tell the moduli."""
    rng = np.random.default_rng(0)
    values = 3e5 * (rng.standard_normal((100, 40)) + 1j * rng.standard_normal((100, 40)))
    values[:, :20] += 9e6
    values[10:, 20:] = np.nan
    found = st.density(results_of(values, stderr=3e5))
    assert found.n_effective == pytest.approx(100.0)


def test_trends_of_nothing_have_no_ramps() -> None:
    found = st.trend(results_of(np.ones((3, 21)), x=1e-6 * np.arange(3), y=np.zeros(3)))
    assert (found.ramp.size, found.mean.size, found.mean_stderr.size) == (0, 0, 0)
