"""What figures draw is what the data say: lines, colours and words against known values."""

from __future__ import annotations

import subprocess
import sys
from xml.dom.minidom import parseString

import matplotlib as mpl
import numpy as np
import pytest
from figure_results import DEPTH, PER_MODULUS, VALID, made_results, results_of
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.figure import Figure
from pictures import whole, words_of

from nrm_plugin import CurveSet, Image, figures
from nrm_plugin import simulate as sim
from nrm_plugin.errors import InvalidInput, OutputError
from nrm_plugin.figures import output
from nrm_plugin.potential import Log
from nrm_plugin.statistics.regions import regions
from nrm_plugin.statistics.roughness import roughness
from nrm_plugin.variables import BIT


def lines(ax: Axes) -> dict[str, np.ndarray]:
    """Data of lines by label or gid."""
    found = {}
    for line in ax.get_lines():
        data = np.array(line.get_data(), dtype=float)
        for name in (line.get_label(), line.get_gid()):
            if name and not str(name).startswith("_"):
                found[str(name)] = data
    return found


@pytest.fixture(scope="module")
def measured():
    """Curves of a simulator whose electrode is rough, and the truth."""
    layers = (sim.Layer(8e-9, 10e6 + 3e6j),)
    sample = sim.Sample(sim.Interphase(layers, force=2e-9), sim.Electrode(roughness=80e-9))
    return sim.simulate(
        sample, sim.Instrument(lateral_stiffness=80.0), sim.Ramp(samples=512), n_curves=5, seed=2
    )


# Single curves


def test_raw_draws_samples_as_recorded(measured):
    curves, truth = measured
    ax = figures.raw(curves, [1, 3])
    drawn = lines(ax)
    for number in (1, 3):
        height, deflection = (curves.read(n, number)[:512] * 1e9 for n in ("height", "deflection"))
        np.testing.assert_allclose(drawn[f"curve {number}"], [height, deflection])
    contacts = [line.get_xdata()[0] for line in ax.get_lines() if line.get_gid() == "contact"]
    np.testing.assert_allclose(contacts, truth.contact_height[[1, 3]] * 1e9, atol=0.5)
    assert ax.get_xlabel() == "height (nm)"
    assert ax.get_ylabel() == "deflection (nm)"


def test_raw_draws_baseline_and_wall_of_the_truth(measured):
    curves, truth = measured
    ax = figures.raw(curves, 2)
    drawn, contact = lines(ax), truth.contact_height[2] * 1e9
    np.testing.assert_allclose(drawn["baseline"][1], 0.0, atol=0.1)
    # A rigid electrode lifts the tip by as much as the base comes down.
    np.testing.assert_allclose(drawn["wall"][1], contact - drawn["wall"][0], rtol=0.01, atol=0.5)


def test_raw_in_volts_has_no_lines():
    height = np.linspace(300e-9, 0, 200)
    curves = CurveSet.from_arrays({"height": (height, "m"), "deflection": (height * 1e6, "V")})
    ax = figures.raw(curves)
    assert ax.get_ylabel() == "deflection (V)"
    assert set(lines(ax)) == {"curve 0"}


def test_raw_names_few_curves_and_counts_many(measured):
    curves, _ = measured
    many = figures.raw(curves, [0, 1, 2, 3, 4, 0, 1, 2])
    assert many.get_title(loc="left") == "8 curves"
    assert not [name for name in lines(many) if name.startswith("curve")]


@pytest.mark.parametrize("numbers", [5, [-1], [0.5], []])
def test_curves_that_are_not_there(measured, numbers):
    with pytest.raises(InvalidInput, match="there is no curve"):
        figures.raw(measured[0], numbers)


def test_results_of_other_curves_are_refused(measured):
    with pytest.raises(InvalidInput, match="results are of 48 curves, and these are 5"):
        figures.raw(measured[0], results=made_results())


def test_referenced_counts_from_the_electrode(measured):
    curves, truth = measured
    ax = figures.referenced(curves, [0, 4])
    drawn = lines(ax)
    for number, begin in ((0, 0), (4, 1024)):
        sample, distance = drawn[f"curve {number}"]
        assert sample[0] == begin
        height = curves.read("height", number)
        far = height > truth.contact_height[number] + 50e-9
        expected = (height[far] - truth.contact_height[number]) * 1e9
        np.testing.assert_allclose(distance[far], expected, atol=0.8)
        wall = height < truth.contact_height[number] - 20e-9
        np.testing.assert_allclose(distance[wall], 0.0, atol=0.8)


def test_referenced_deflection_rises_at_the_electrode(measured):
    ax = figures.referenced(measured[0], [0], show="deflection")
    distance, deflection = lines(ax)["curve 0"]
    np.testing.assert_allclose(distance[deflection > 15], 0.0, atol=0.8)
    with pytest.raises(InvalidInput, match="distance or deflection"):
        figures.referenced(measured[0], show="height")


def test_referenced_without_contact_says_so():
    height = np.linspace(300e-9, 0, 200)
    curves = CurveSet.from_arrays({"height": (height, "m"), "deflection": (0 * height, "V")})
    assert "No solid contact" in words_of(figures.referenced(curves))


def test_curve_draws_results_with_their_errors():
    results = made_results()
    force, derivative = figures.curve(results, 7)
    assert force.get_ylabel().endswith("(pN)")
    drawn = lines(force)["in phase (Re)"]
    np.testing.assert_allclose(drawn[0], DEPTH * 1e9)
    np.testing.assert_allclose(drawn[1], results["lateral_force_in_phase"].values[7] * 1e12)
    gradient = results["force_gradient_quadrature"].values[7].astype(float) * 1e3
    np.testing.assert_allclose(lines(derivative)["out of phase (Im)"][1], gradient)
    bands = [c for c in derivative.collections if isinstance(c, PolyCollection)]
    stderr = 0.2e6 * PER_MODULUS * 1e3
    there = np.isfinite(gradient)
    top = max(path.vertices[:, 1].max() for path in bands[1].get_paths())
    assert top == pytest.approx(gradient[there].max() + 1.96 * stderr, rel=1e-5)


def test_curve_without_lateral_signal_says_so():
    results = made_results().drop_vars(["force_gradient_in_phase"])
    assert all("no lateral signal" in words_of(ax) for ax in figures.curve(results, 0))


# By region


def test_profiles_are_the_means_of_the_regions():
    """Each region has one known modulus, so that its mean is known."""
    known = np.repeat([1e6, 2e6, 3e6, 4e6], 5)
    storage = np.repeat(known[:, None], len(DEPTH), axis=1)
    storage[:, DEPTH < VALID] = np.nan
    results = results_of(
        storage,
        storage / 2,
        1e3,
        rows=4,
        columns=5,
        potential=np.repeat([1.75, 1.25, 0.75, 0.25], 5),
    )
    ax = figures.profiles(results, variable="storage_modulus")
    drawn = lines(ax)
    for name, value in (("1.5–2.0 V", 1), ("1.0–1.5 V", 2), ("0.5–1.0 V", 3), ("0.005–0.5 V", 4)):
        there = np.isfinite(drawn[name][1])
        np.testing.assert_allclose(drawn[name][1][there], value, rtol=1e-6)
        assert there.sum() == np.sum(DEPTH >= VALID)
        assert f"{name} (n = 5)" in [t.get_text() for t in ax.get_legend().get_texts()]
    assert ax.get_ylabel() == r"storage modulus $E'$ (MPa)"
    ax = figures.profiles(results, variable="shear_modulus_magnitude")
    there = lines(ax)["0.005–0.5 V"][1]
    np.testing.assert_allclose(there[np.isfinite(there)], np.hypot(4, 2) / 3, rtol=1e-6)


def test_profiles_in_units_of_the_derivative():
    results = results_of(np.full((4, 61), 2e6), np.zeros((4, 61)), 1e3, rows=2, columns=2)
    ax = figures.profiles(results)
    assert ax.get_ylabel().endswith("(pN/nm)")
    np.testing.assert_allclose(lines(ax)["all curves"][1], 2e6 * PER_MODULUS * 1e3, rtol=1e-6)


def test_density_holds_all_curves():
    axes = figures.density(made_results(), to=DEPTH[-1])
    assert len(axes) == 4
    for ax in axes:
        mesh = next(c for c in ax.collections if isinstance(c, QuadMesh))
        at = mesh.get_coordinates()
        cell = np.diff(at[:-1, :, 0], axis=1) * np.diff(at[:, :-1, 1], axis=0)
        whole_density = np.ma.getdata(mesh.get_array()).reshape(cell.shape)
        assert np.nansum(whole_density * cell) == pytest.approx(1.0, abs=0.02)


def test_density_draws_the_noise_floor_and_hatches_weak_data():
    axes = figures.density(made_results())
    floor = lines(axes[0])["floor"][1]
    # |G*| of noise alone: 1.25 sigma, and G is a third of E.
    assert np.nanmedian(floor) == pytest.approx(1.2533 * 0.2 / 3, rel=0.02)
    assert any(getattr(c, "hatches", None) for c in axes[0].collections)
    legend = whole(axes[0]).legends[0]
    assert [t.get_text() for t in legend.get_texts()] == ["noise floor", "below 3 × noise"]


def test_violin_draws_medians_and_counts():
    known = np.arange(1, 22) * 1e5
    storage = np.repeat(known[:, None], len(DEPTH), axis=1)
    results = results_of(storage, 0 * storage, 1e3, rows=3, columns=7, potential=1.7)
    axes = figures.violin(results)
    assert len(axes) == 3
    for ax in axes:
        medians = [line.get_ydata()[0] for line in ax.get_lines() if line.get_gid() == "median"]
        assert medians == [pytest.approx(1.1e6 / 3 * 1e-6, rel=1e-5)]
        # Numbers alone, where four regions share a panel: curves, effective number, noise.
        assert words_of(ax).startswith("21 (")
        assert words_of(ax).split()[2:] == ["0%", "0", "0", "0"]


def test_voltammogram_over_time_and_with_a_current():
    results = made_results()
    ax = figures.voltammogram(results)
    points = np.concatenate([np.column_stack(line.get_data()) for line in ax.get_lines()])
    points = points[np.argsort(points[:, 0])]
    np.testing.assert_allclose(points[:, 0], 2.0 * np.arange(48))
    np.testing.assert_allclose(points[:, 1], results["potential"].values)
    volts, amperes = np.linspace(2, 0, 9), np.linspace(0, -3e-6, 9)
    ax = figures.voltammogram(results, trace=(volts, amperes))
    np.testing.assert_allclose(lines(ax)["trace"], [volts, amperes * 1e6])
    assert ax.get_ylabel() == "current (µA)"
    # A span is a rectangle, or a polygon in older versions of matplotlib.
    spans = sorted(round(np.atleast_2d(p.get_xy())[:, 0].min(), 6) for p in ax.patches)
    assert spans == [0.005, 0.5, 1.0, 1.5]
    with pytest.raises(InvalidInput, match="as many currents"):
        figures.voltammogram(results, trace=(volts, amperes[1:]))


def test_potentials_are_against_the_reference_electrode_that_is_known():
    trace = (np.linspace(2.0, 0.0, 50), -1e-6 * np.ones(50))
    for told in (
        {"reference_electrode": "Na/Na+"},
        {"experiment": 'reference_electrode = "Na/Na+"  # given\n'},
    ):
        results = made_results(**told)
        assert figures.voltammogram(results).get_ylabel() == "E vs. Na/Na+ (V)"
        assert figures.voltammogram(results, trace=trace).get_xlabel() == "E vs. Na/Na+ (V)"
        assert figures.violin(results)[0].get_xlabel() == "E vs. Na/Na+ (V)"
    assert figures.voltammogram(made_results()).get_ylabel() == "potential (V)"


def test_strokes_of_many_curves_are_pale():
    trace = (np.linspace(2.0, 0.0, 50), -1e-6 * np.ones(50))
    few, many = (
        next(
            line
            for line in figures.voltammogram(made_results(rows, 8), trace=trace).get_lines()
            if line.get_gid() == "curves"
        )
        for rows in (1, 200)
    )
    assert few.get_alpha() == 1.0
    assert many.get_alpha() == 0.1


def test_profiles_that_decay_leave_room_for_the_legend():
    """On a page's width the legend stands beside the high values, not above them."""
    ax = figures.profiles(made_results(spread=0.02), width=figures.PAGE)
    low, high = ax.get_ylim()
    top = max(np.nanmax(line.get_ydata()) for line in ax.get_lines())
    assert (top - low) / (high - low) > 0.75


def test_current_recorded_with_the_curves():
    channels = {
        "height": (np.array([3, 2, 1, 3, 2]) * 1e-9, "m"),
        "current": (np.array([1.0, 1.0, 4.0, -1.0, -3.0]), "uA"),
    }
    curves = CurveSet.from_arrays(channels, row_size=[3, 2])
    results = made_results(1, 2, potential=[1.5, 0.5])
    volts, amperes = figures.recorded_trace(curves, results)
    np.testing.assert_allclose(volts, [1.5, 0.5])
    np.testing.assert_allclose(amperes, [2e-6, -2e-6])
    assert figures.recorded_trace(CurveSet.from_arrays({"height": ([1.0], "m")}), results) is None
    with pytest.raises(InvalidInput, match="results are of 48 curves, and these are 2"):
        figures.recorded_trace(curves, made_results())


def test_current_of_a_log_counts_from_the_same_reference():
    log = Log(np.arange(3.0), np.array([1.0, 0.5, 0.0]), np.array([0.0, -1e-6, -2e-6]))
    results = made_results(experiment='reference_potential = "0.1 V"')
    volts, amperes = figures.log_trace(log, results)
    np.testing.assert_allclose(volts, [1.1, 0.6, 0.1])
    np.testing.assert_allclose(amperes, [0.0, -1e-6, -2e-6])
    np.testing.assert_allclose(figures.log_trace(log, made_results())[0], log.potential)
    assert figures.log_trace(Log(np.arange(2.0), np.zeros(2)), results) is None


# Places


def test_map_puts_values_at_their_places():
    rows, columns = 3, 4
    value = 1e6 * (1 + np.arange(12))
    storage = np.repeat(value[:, None], len(DEPTH), axis=1)
    storage[5, :] = np.nan
    results = results_of(storage, 0 * storage, 1e3, rows=rows, columns=columns)
    ax = figures.map(results, "storage_modulus", 5e-9)
    mesh = next(c for c in ax.collections if isinstance(c, QuadMesh))
    shown = np.ma.masked_invalid(mesh.get_array()).reshape(rows, columns)
    expected = 1.0 + np.arange(12).reshape(rows, columns)
    assert shown.mask.sum() == 1
    assert shown.mask[1, 1]
    np.testing.assert_allclose(shown.compressed(), np.delete(expected.ravel(), 5), rtol=1e-6)
    at = mesh.get_coordinates()
    assert at[0, 0].tolist() == pytest.approx([-25, -25])
    assert at[-1, -1].tolist() == pytest.approx([175, 125])
    assert ax.get_title(loc="left").strip() == "n = 12"
    assert [t.get_text() for t in ax.figure.legends[0].get_texts()] == ["no value (1)"]


def test_quality_counts_every_flag():
    flags = np.zeros(48, int)
    flags[:5] |= BIT["no_hard_contact"]
    flags[3:10] |= BIT["spikes"]
    counts, where = figures.quality(made_results(quality=flags))
    names = [t.get_text() for t in counts.get_yticklabels()]
    shown = dict(zip(names, [int(t.get_text()) for t in counts.texts], strict=True))
    assert shown["no hard contact"] == 5
    assert shown["spikes"] == 7
    assert shown["nothing to report"] == 38
    assert shown["lag"] == 0
    mesh = next(c for c in where.collections if isinstance(c, QuadMesh))
    kinds = np.asarray(mesh.get_array()).ravel()
    assert [int(np.sum(kinds == k)) for k in (0, 1, 2)] == [38, 5, 5]


def test_quality_without_places_counts_curves():
    _, where = figures.quality(made_results(places=False))
    assert where.get_xlabel() == "curve"


def test_roughness_of_a_wave_on_a_slope():
    """Sa = 2 a / pi and Sq = a / sqrt 2 of a cosine; a plane below it changes nothing."""
    n = 400
    x = (np.arange(n) + 0.5) / n
    wave = 5.0 * np.cos(2 * np.pi * 4 * x) + np.zeros((60, 1))
    tilted = wave + 300 * x + np.arange(60)[:, None] - 7000
    found = roughness(tilted)
    assert found.sa == pytest.approx(10 / np.pi, rel=1e-3)
    assert found.sq == pytest.approx(5 / np.sqrt(2), rel=1e-9)
    assert found.rq == pytest.approx(5 / np.sqrt(2), rel=1e-9)
    assert found.sz == pytest.approx(10, rel=1e-3)
    np.testing.assert_allclose(found.levelled, wave, atol=1e-9)
    holes = tilted.copy()
    holes[3, 5] = np.nan
    assert roughness(holes).sq == pytest.approx(found.sq, rel=1e-3)


def test_roughness_of_steps_between_rows():
    """Rows that are flat but at different heights are rough over the area, not along rows."""
    found = roughness(np.repeat([[1.0], [-1.0], [-1.0], [1.0]], 8, axis=1))
    assert found.sq == pytest.approx(1.0)
    assert found.rq == pytest.approx(0.0, abs=1e-12)
    assert roughness(np.add.outer(np.arange(9), 3 * np.arange(7))).sq == 0.0
    with pytest.raises(InvalidInput, match="three heights"):
        roughness([[1.0, np.nan], [np.nan, 2.0]])


def test_topography_of_an_image():
    x = (np.arange(256) + 0.5) / 256
    heights = 20e-9 * np.cos(2 * np.pi * 2 * x) + np.zeros((32, 1)) + 1e-6
    friction = Image("Friction", np.ones((2, 2)), "V", (1e-6, 1e-6))
    image = Image("Height Sensor", heights, "m", (4e-6, 2e-6), "trace")
    curves = CurveSet.from_arrays({}, images=[friction, image])
    ax = figures.topography(curves)
    shown = ax.get_images()[0]
    np.testing.assert_allclose(np.asarray(shown.get_array()), (heights - 1e-6) * 1e9, atol=1e-6)
    assert shown.get_extent() == [0.0, pytest.approx(4.0), 0.0, pytest.approx(2.0)]
    assert ax.get_xlabel() == "x (µm)"
    assert ax.get_title(loc="left").startswith("Sa 12.7, Sq 14.1, Rq 14.1 nm")
    assert not ax.yaxis_inverted()  # row 0 has the smallest y
    with pytest.raises(InvalidInput, match="no image 'Phase'; the images are: Friction, Height"):
        figures.topography(curves, "Phase")
    only = CurveSet.from_arrays({}, images=[friction])
    assert "no image of heights" in words_of(figures.topography(only))


def test_topography_of_contacts():
    """Contacts lie on a cosine of 100 nm along x, at the middles of 8 columns."""
    ax = figures.topography(made_results())
    assert ax.get_title(loc="left").startswith("Sa 65.3, Sq 70.7, Rq 70.7 nm")


# Words instead of empty panels


def test_no_potential():
    results = made_results(potential=None)
    assert "No curve has an electrode potential" in words_of(figures.voltammogram(results))
    (said,) = [t.get_text() for t in figures.profiles(results).get_legend().get_texts()]
    assert said.startswith("all curves (n = 48")
    assert len(figures.density(results)) == 1
    assert isinstance(figures.figure4(results), Figure)


def test_regions_without_curves():
    results = made_results(potential=1.7)
    said = [t.get_text() for t in figures.profiles(results).get_legend().get_texts()]
    assert said[0].startswith("1.5–2.0 V (n = 48")
    assert said[1:] == ["1.0–1.5, 0.5–1.0, 0.005–0.5 V: no curves"]
    panels = figures.density(results)
    assert [words_of(ax) for ax in panels[1:]] == ["no curves"] * 3


def test_all_curves_flagged():
    results = made_results(quality=BIT["no_hard_contact"])
    said = words_of(figures.profiles(results))
    assert said.startswith("Nothing to average.")
    assert "12 curves, flagged: no hard contact or saturated" in said
    assert all("flagged" in words_of(ax) for ax in figures.density(results))
    assert all("No curve has estimates" in words_of(ax) for ax in figures.violin(results))


def test_one_curve():
    results = made_results(1, 1, potential=0.3)
    said = [t.get_text() for t in figures.profiles(results).get_legend().get_texts()]
    assert "0.005–0.5 V (n = 1, no interval)" in said
    assert any(line.get_gid() == "values" for line in figures.violin(results)[0].get_lines())
    assert isinstance(figures.figure4(results), Figure)


def test_no_curves_at_all():
    results = made_results(0, 0)
    assert isinstance(figures.figure4(results), Figure)
    assert "no curves" in words_of(figures.quality(results)[1])
    with pytest.raises(InvalidInput, match="there are no curves"):
        figures.curve(results)


def test_no_places():
    results = made_results(places=False)
    assert "no positions" in words_of(figures.map(results))
    assert "no positions" in words_of(figures.topography(results))


def test_nothing_to_map():
    results = made_results(2, 2)
    results["storage_modulus"] = results["storage_modulus"] * np.nan
    assert "No curve has a value" in words_of(figures.map(results, "storage_modulus"))
    with pytest.raises(InvalidInput, match="storage_modulus"):
        figures.map(results, "storage_modulos")


# Style


def everything(results):
    return [
        figures.curve(results)[0],
        figures.voltammogram(results),
        figures.profiles(results),
        figures.density(results)[0],
        figures.violin(results)[0],
        figures.map(results),
        figures.quality(results)[0],
        figures.topography(results),
        figures.figure4(results),
    ]


def marks(figure: Figure) -> int:
    found = [ax.get_title(loc="right") for ax in figure.axes] + [figure.get_suptitle()]
    return found.count("simulated data")


def test_simulated_data_are_marked_and_others_are_not(measured):
    assert all(marks(whole(made)) == 1 for made in everything(made_results(simulated=1)))
    assert all(marks(whole(made)) == 0 for made in everything(made_results(simulated=0)))
    assert marks(whole(figures.raw(measured[0]))) == 1


def test_axes_that_are_given_are_drawn_on_and_marked():
    figure = Figure(figsize=(7, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    assert figures.profiles(made_results(), ax=left) is left
    assert figures.map(made_results(), ax=right) is right
    assert left.get_title(loc="right") == right.get_title(loc="right") == "simulated data"
    axes = figure.subplots(1, 4)
    assert figures.density(made_results(), axes=axes) == list(axes)
    with pytest.raises(InvalidInput, match="4 panels, and 2 axes"):
        figures.density(made_results(), axes=[left, right])


def test_settings_of_matplotlib_are_left_alone():
    before = dict(mpl.rcParams)
    everything(made_results())
    assert dict(mpl.rcParams) == before


def test_nothing_is_imported_before_a_figure_is_drawn():
    code = (
        "import sys, nrm_plugin; from nrm_plugin import cli;"
        "from click.testing import CliRunner;"
        "CliRunner().invoke(cli.main, ['--help']); CliRunner().invoke(cli.main, ['plot', '-h']);"
        "print([m for m in ('matplotlib', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
    code = "import sys, nrm_plugin.figures; print('matplotlib.pyplot' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_regions_given_are_those_drawn():
    results = made_results()
    ax = figures.profiles(results, regions(results, (2.0, 1.0, 0.0)))
    assert [name for name in lines(ax) if "n =" not in name] == ["1.0–2.0 V", "0.0–1.0 V"]


@pytest.mark.parametrize("width", [0.0, float("nan"), 0.02, 5.0])
def test_absurd_widths(width):
    with pytest.raises(InvalidInput, match="mm wide"):
        figures.profiles(made_results(), width=width)


# Files


@pytest.mark.parametrize(
    ("suffix", "head"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_the_same_figure_gives_the_same_file(tmp_path, suffix, head):
    results = made_results()
    for name in "ab":
        figures.save(figures.profiles(results), tmp_path / f"{name}{suffix}", title="Profiles")
    one = (tmp_path / f"a{suffix}").read_bytes()
    assert one.startswith(head)
    assert one == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.filterwarnings("ignore:Glyph 27")
def test_an_svg_with_control_characters_is_xml_all_the_same(tmp_path):
    ax = figures.profiles(made_results())
    ax.set_title("a\x1b[31mb")
    figures.save(ax, tmp_path / "a.svg", title="c\x07\u202ed")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert parseString(text).getElementsByTagName("title")[0].firstChild.data == r"c\x07\u202ed"
    assert r"a\x1b[31mb" in text


def test_a_picture_has_the_width_that_was_asked_for(tmp_path):
    from matplotlib.image import imread

    path = tmp_path / "a.png"
    figures.save(figures.profiles(made_results(), width=85e-3), path)
    assert imread(path).shape[1] == pytest.approx(85 / 25.4 * 300, abs=1)


def test_places_that_cannot_be_written(tmp_path):
    ax = figures.profiles(made_results())
    with pytest.raises(InvalidInput, match=r"\.png, \.svg, \.pdf"):
        figures.save(ax, tmp_path / "a.docx")
    (tmp_path / "a.png").write_bytes(b"mine")
    with pytest.raises(OutputError):
        figures.save(ax, tmp_path / "a.png", overwrite=False)
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    with pytest.raises(OutputError):
        figures.save(ax, tmp_path / "nowhere" / "a.png")


# Several data on the same axes


def legend(ax: Axes) -> dict[str, str]:
    """Colours by the words beside them."""
    found = ax.get_legend()
    return {
        text.get_text(): mpl.colors.to_hex(handle.get_color())
        for handle, text in zip(found.legend_handles, found.get_texts(), strict=True)
        if hasattr(handle, "get_color")
    }


def bare(entries: dict[str, str]) -> list[str]:
    """Words of entries without the numbers of curves."""
    return [name.partition(" (n = 48")[0] for name in entries]


def test_profiles_of_two_data_have_two_colours_and_two_entries():
    first = made_results(potential=None, title="at rest")
    second = made_results(potential=None, seed=5, source_name=["cycled.spm"])
    ax = Figure(figsize=(4, 3)).subplots()
    figures.profiles(first, ax)
    assert bare(legend(ax)) == ["all curves"]
    figures.profiles(second, ax)
    both = legend(ax)
    assert bare(both) == ["at rest: all curves", "cycled.spm: all curves"]
    assert len(set(both.values())) == 2
    for name, results in zip(both, (first, second), strict=True):
        mean = results["force_gradient_in_phase"].mean("curve").values * 1e3
        drawn = lines(ax)[name][1]
        np.testing.assert_allclose(drawn[2:], mean[2:], rtol=1e-5)
    top = max(np.nanmax(lines(ax)[name][1]) for name in both)
    assert ax.get_ylim()[1] > top


def test_data_without_a_name_are_numbered_and_those_of_one_name_too():
    nameless = made_results(potential=None)
    ax = Figure(figsize=(4, 3)).subplots()
    for _ in range(3):
        figures.profiles(nameless, ax=ax)
    assert [name[:2] for name in legend(ax)] == ["1:", "2:", "3:"]
    same = made_results(potential=None, title="cell")
    ax = Figure(figsize=(4, 3)).subplots()
    figures.profiles(same, ax)
    figures.profiles(same, ax)
    assert [name[:9] for name in legend(ax)] == ["cell (1):", "cell (2):"]
    alone = figures.profiles(same, label="mine")
    assert bare(legend(alone)) == ["mine: all curves"]


def test_axes_that_were_cleared_begin_anew():
    ax = figures.profiles(made_results(potential=None))
    colour = next(iter(legend(ax).values()))
    ax.clear()
    figures.profiles(made_results(potential=None), ax)
    assert bare(legend(ax)) == ["all curves"]
    assert list(legend(ax).values()) == [colour]


def test_raw_curves_of_two_data(measured):
    curves, _ = measured
    ax = Figure(figsize=(4, 3)).subplots()
    figures.raw(curves, 1, ax=ax, label="before")
    figures.raw(curves, 3, ax=ax, label="after")
    both = legend(ax)
    assert list(both)[:2] == ["before: curve 1", "after: curve 3"]
    assert len(set(list(both.values())[:2])) == 2
    assert list(both)[2:] == ["baseline, wall", "solid contact"]
    ax = figures.referenced(curves, 1, show="deflection", label="a")
    figures.referenced(curves, 2, show="deflection", label="b", ax=ax)
    assert list(legend(ax)) == ["a: curve 1", "b: curve 2"]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_figure_is_drawn_once_as_savefig_would(suffix, tmp_path, monkeypatch):
    first, figure = (figures.profiles(made_results()).figure for _ in range(2))
    with figures.journal_style():
        first.savefig(tmp_path / f"twice{suffix}", dpi=100, metadata=output.KINDS[suffix])
    draws = []
    draw = Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda self, renderer: draws.append(draw(self, renderer)))
    canvas, dpi = figure.canvas, figure.dpi
    figures.save(figure, tmp_path / f"once{suffix}", dpi=100)
    assert len(draws) == 1
    assert (figure.canvas, figure.dpi) == (canvas, dpi)
    once, twice = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("once", "twice"))
    assert once == twice
