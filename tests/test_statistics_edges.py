"""Statistics where values are few, missing or tied: numbers that are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from made_results import map_places, results_of

from nrm_plugin import InvalidInput
from nrm_plugin import statistics as st
from nrm_plugin.statistics.bin_noise import Whitening, whitening
from nrm_plugin.statistics.binned_forces import BinnedForces
from nrm_plugin.statistics.comparison_contrasts import _without
from nrm_plugin.statistics.correlation import Lags, _best, variogram
from nrm_plugin.statistics.falling_moduli import _means, decay_length
from nrm_plugin.statistics.intervals import _skewed, mean_interval, sampling
from nrm_plugin.statistics.map_differences import map_differences
from nrm_plugin.statistics.map_frames import map_frame
from nrm_plugin.statistics.mean_edge import _SPREADS, MeanForce, _EdgeFit, _Tried
from nrm_plugin.statistics.modulus_spectrum import modulus_spectrum
from nrm_plugin.statistics.result_views import result_views
from nrm_plugin.statistics.revisits import revisits_of
from nrm_plugin.statistics.roughness import roughness
from nrm_plugin.statistics.selection import one_direction, profile_variable, select
from nrm_plugin.statistics.stripes import _freedom, _sum_of, grid_of
from nrm_plugin.statistics.study_levels import AddedError
from nrm_plugin.statistics.visits import map_parts
from nrm_plugin.statistics.welch import welch
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


def test_times_that_are_known_in_part_are_no_order() -> None:
    """A falling potential in the file's order: times in another order count if all are known."""
    rng = np.random.default_rng(8)
    seconds = np.timedelta64(1, "s") * rng.permutation(60)
    began = np.datetime64("2026-01-01", "ns") + seconds
    potential, passes = np.linspace(1.9, 0.1, 60), {"sweep": -np.ones(60), "cycle": np.ones(60)}

    def said(times) -> bool:
        made = results_of(np.ones((60, 2)), potential=potential, start_time=times, **passes)
        return st.regions(made).not_separable.startswith("Potential and time are not separable")

    assert not said(began)
    began[7] = np.datetime64("NaT")
    assert said(began)


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


def test_noise_far_away_makes_no_narrow_bandwidth() -> None:
    """Moduli that scatter by 30 % over 10 nm, and noise beyond: nearly as without the noise."""
    rng = np.random.default_rng(3)
    noise = 3e5 * (rng.standard_normal((500, 40)) + 1j * rng.standard_normal((500, 40)))
    layer = 9e6 * np.exp(0.3 * rng.standard_normal((500, 1))) * (np.arange(40) < 20)
    whole, near = (
        st.density(results_of(values, stderr=3e5)).bandwidth[1]
        for values in (noise + layer, (noise + layer)[:, :20])
    )
    assert whole == pytest.approx(near, rel=0.2)


def test_values_below_the_floor_of_noise_are_counted() -> None:
    """Rayleigh's magnitudes are below their mean, sqrt(pi / 2), in 1 - exp(-pi / 4) = 54.4 %."""
    rng = np.random.default_rng(9)
    noise = 3e5 * (rng.standard_normal((500, 40)) + 1j * rng.standard_normal((500, 40)))
    found = st.density(results_of(noise, stderr=3e5))
    assert found.n_below / found.n_values == pytest.approx(0.544, abs=0.01)


def test_densities_reach_to_where_the_longest_curves_end() -> None:
    values = np.full((60, 40), 3e6 + 0j) * np.exp(0.1 * np.random.default_rng(1).random((60, 1)))
    values[30:, 20:] = np.nan
    found = st.density(results_of(values), size=(64, 64))
    step = found.depth[1] - found.depth[0]
    assert found.depth[-1] + 0.5 * step == pytest.approx(19.75 * NM)
    assert found.values[-1].max() > 0.0


def test_variograms_leave_out_what_is_missing() -> None:
    """Pairs (0, 1), (1, 2), (2, 3) of 1, 3, nan, 7: half of 4, from one pair."""
    pairs = Lags(
        first=np.array([0, 1, 2]),
        second=np.array([1, 2, 3]),
        begin=np.array([0]),
        lag=np.ones(1),
        lengths=np.ones(1),
        pair_mean=np.ones((2, 1)),
    )
    gamma, counts = variogram(np.array([[1.0], [3.0], [np.nan], [7.0]]), pairs)
    assert (gamma.tolist(), counts.tolist()) == ([[2.0]], [[1.0]])


@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_the_length_of_a_variogram(exponent: float) -> None:
    """Of an exponential and of a Gaussian of 3: no misfit, and the share 0.6 of its mean."""
    lag = np.linspace(0.5, 12.0, 24)
    y = (0.4 + 0.6 * (1.0 - np.exp(-((lag / 3.0) ** exponent))))[:, None]
    weight = np.ones_like(y)
    misfit, correlation, _ = _best(
        y, weight, y.mean(0), lag, exponent, np.array([1.5, 3.0, 6.0]), np.array([0.1, 0.2, 0.3])
    )
    assert misfit == pytest.approx([0.0], abs=1e-20)
    assert correlation == pytest.approx([0.6 * 0.2])


def test_errors_beside_a_trend_are_those_of_least_squares() -> None:
    """What the potential explains takes degrees of freedom: 12 curves less 1 and its powers."""
    rng = np.random.default_rng(6)
    made = results_of(np.ones((12, 3)), potential=rng.uniform(0.2, 1.8, 12))
    sample = sampling(made, np.arange(12))
    values = rng.standard_normal((12, 3))
    design = np.column_stack([np.ones(12), sample.trend])
    left = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    expected = np.sqrt((left**2).sum(0) / (12 - design.shape[1]) / 12)
    assert design.shape[1] > 1
    np.testing.assert_allclose(mean_interval(values, sample).stderr, expected)


def test_offsets_that_curves_have_are_part_of_the_noise() -> None:
    """White noise of 1, and what each mean far away is off by, 3: 10 in a bin, 9 between two."""
    rng = np.random.default_rng(0)
    white, off = (
        rng.standard_normal((400, n)) + 1j * rng.standard_normal((400, n)) for n in (30, 1)
    )
    found = whitening(white + 3.0 * off, 60, (-5.0, -40.0), line=False).covariance
    assert np.diag(found) == pytest.approx(np.full(60, 10.0), rel=0.1)
    assert found[0, 59] == pytest.approx(9.0, rel=0.1)


def test_the_decay_of_a_mean_force() -> None:
    """An exponential explains itself: its length, and nothing left."""
    z = (np.arange(60)[::-1] + 0.5) * NM
    length = np.geomspace(1.0, 60.0, 60)[30] * NM
    mean = 1e-10 * np.exp(-z / length).astype(complex)
    forces = MeanForce(
        each=mean[None],
        there=np.ones((1, 60), bool),
        mean=mean,
        weight=np.ones(60),
        noise=1e-12,
        own=1e-12,
        z=z,
        white=Whitening(factor=np.eye(60)),
    )
    found, left = _EdgeFit(forces, 60, skewed=False).decay()
    assert found == pytest.approx(length)
    assert left == pytest.approx(0.0, abs=1e-9)


def test_the_difference_without_a_sample() -> None:
    """Errors of calibrations are in ratios alone."""
    first, second = np.array([1.0, 1.3, 9.0]), np.array([0.2, 0.5, -0.1])
    found = _without([first, second], 0, 2, False, 0.95, AddedError(variance=4.0))
    assert found == welch(first[:2], second)
