"""The shape factor against published slopes, its table against solutions, its file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from scipy.integrate import trapezoid
from threadpoolctl import threadpool_info, threadpool_limits

from nrm_plugin.cli import main
from nrm_plugin.engine import shape_factor as shape
from nrm_plugin.errors import CorruptFile, InvalidInput, MissingFile, OutputError, RecipeError
from nrm_plugin.fea import (
    Layer,
    ShapeFactor,
    Tip,
    apparent_modulus,
    lateral_force,
    read_shape_factor,
    shape_factor,
    write_shape_factor,
)
from nrm_plugin.fea.pool import Workers
from nrm_plugin.model import CurveSet

NM = 1e-9


def layer(thickness: float = 100.0, poisson_ratio: float = 0.49) -> Layer:
    """A wide layer; thickness in nm."""
    return Layer(thickness * NM, 1e6, poisson_ratio, max(1000.0, 10.0 * thickness) * NM)


@pytest.fixture(scope="module")
def solved() -> ShapeFactor:
    """A tip of 10 nm in a layer of 100 nm."""
    return shape_factor(Tip(10 * NM), layer(), fineness=0.7, workers=1)


@pytest.fixture(scope="module")
def tabled() -> ShapeFactor:
    return shape_factor(Tip(10 * NM), layer(), table=True)


# ---------------------------------------------------------------- the constant


def slope(tip: Tip, of: Layer, points: int) -> float:
    """r_g by a line with intercept through the force at depths from 20 to 80 nm."""
    depths = np.linspace(20.0, 80.0, points) * NM
    force = lateral_force(tip, of, depths, NM, fineness=0.7, workers=1).force.real
    return float(np.polyfit(depths, force, 1)[0] / (4.0 * NM * 1e6))


@pytest.mark.parametrize(
    ("tip", "expected"),
    [
        (Tip(5 * NM), 0.326),
        (Tip(10 * NM), 0.421),
        (Tip(20 * NM), 0.591),
        (Tip(40 * NM), 0.940),
        (Tip(10 * NM, bonded=False), 0.338),
        (Tip(10 * NM, np.radians(10.0)), 0.544),
    ],
    ids=["5 nm", "10 nm", "20 nm", "40 nm", "sliding", "cone"],
)
def test_constants_are_those_of_another_code(tip: Tip, expected: float) -> None:
    found = shape_factor(tip, layer(), fineness=0.5, workers=1)
    assert found.constant == pytest.approx(expected, rel=0.01)


def test_constant_window_and_quality(solved: ShapeFactor) -> None:
    assert solved.constant == pytest.approx(0.421, rel=2e-3)
    assert solved.constant == pytest.approx(slope(Tip(10 * NM), layer(), 7), rel=1e-3)
    assert solved.window == pytest.approx((20 * NM, 80 * NM), rel=1e-9)
    assert solved.r_squared == pytest.approx(0.996, abs=0.001)
    assert solved.radius_sensitivity == pytest.approx(0.43, abs=0.02)
    assert solved.source == "solved"


def test_modulus_of_the_layer_does_not_matter() -> None:
    small = Tip(30 * NM)
    one, other = (
        shape_factor(small, Layer(60 * NM, e, 0.5), fineness=0.3, workers=1)
        for e in (1.0, 3e6 + 1e6j)
    )
    assert other.constant == pytest.approx(one.constant, rel=1e-12)
    np.testing.assert_allclose(other.curve, one.curve, rtol=1e-12)


# ---------------------------------------------------------------- the curve

# Local r_g at distances from the electrode in tip radii, Poisson ratio 0.49, bonded.
ZETA = [0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0]
LOCAL = {
    10.0: [7.52, 3.92, 2.70, 1.717, 1.299, 0.985, 0.740, 0.616, 0.491, 0.431, 0.382],
    20.0: [7.54, 3.93, 2.71, 1.732, 1.315, 1.002, 0.757, 0.632, 0.504, 0.437, 0.366, 0.331, 0.303],
    40.0: [
        7.54,
        3.94,
        2.72,
        1.739,
        1.322,
        1.010,
        0.766,
        0.642,
        0.514,
        0.446,
        0.374,
        0.334,
        0.291,
        0.269,
    ],
}


def test_local_curve_is_that_of_another_code(solved: ShapeFactor) -> None:
    expected = LOCAL[10.0][1:]
    at = np.array(ZETA[1 : 1 + len(expected)]) * 10 * NM
    np.testing.assert_allclose(solved.at(at), expected, rtol=0.015)


def test_curve_integrates_to_the_force(solved: ShapeFactor) -> None:
    """Its integral between two distances is the difference of forces solved for there."""
    far, near = 70 * NM, 25 * NM
    depths = [100 * NM - far, 100 * NM - near]
    force = lateral_force(Tip(10 * NM), layer(), depths, NM, workers=1).force.real
    z = np.linspace(near, far, 2001)
    area = trapezoid(solved.at(z), z) * 4.0 * NM * 1e6
    assert area == pytest.approx(force[1] - force[0], rel=5e-3)


def test_curve_ends_where_it_was_solved(solved: ShapeFactor) -> None:
    assert np.all(np.diff(solved.distance) > 0.0)
    assert solved.distance[[0, -1]] == pytest.approx([1 * NM, 99 * NM], rel=1e-9)
    np.testing.assert_allclose(solved.at(solved.distance), solved.curve, rtol=1e-9)


def test_curve_is_nan_beyond_its_ends(solved: ShapeFactor) -> None:
    outside = [-1 * NM, 0.0, 0.9 * NM, 99.5 * NM, 1.0, np.nan, np.inf]
    assert np.isnan(solved.at(outside)).all()


def test_local_curve_gives_back_the_modulus(solved: ShapeFactor) -> None:
    depths = np.linspace(30.0, 70.0, 17) * NM
    stiff = Layer(100 * NM, 3e6 + 1.2e6j, 0.49, 1000 * NM)
    force = lateral_force(Tip(10 * NM), stiff, depths, 2 * NM, fineness=0.7, workers=1)
    found = apparent_modulus(force, solved)[1:-1]
    np.testing.assert_allclose(found, 3e6 + 1.2e6j, rtol=0.02)
    constant = apparent_modulus(force, 0.421)
    np.testing.assert_allclose(constant, np.gradient(force.force, depths) / (4 * 2 * NM * 0.421))


# ---------------------------------------------------------------- cones, and what gives 1.25


def test_the_force_on_a_sharp_cone_in_a_thick_layer_is_linear() -> None:
    """The depth is its only length: F = 4 r_g(angle) E A d, with one r_g for all depths."""
    tip, of = Tip(0.5 * NM, np.radians(20.0)), Layer(4000 * NM, 1e6, 0.5)
    depths = np.array([20.0, 40.0, 80.0]) * NM
    force = lateral_force(tip, of, depths, NM, fineness=0.6, workers=1).force.real
    constant = force / (4.0 * 1e6 * NM * depths)
    np.testing.assert_allclose(constant, constant[1], rtol=0.02)
    assert constant[1] == pytest.approx(0.38, rel=0.03)


@pytest.mark.parametrize(("radius", "expected"), [(1.0, 0.394), (10.0, 0.408), (20.0, 0.426)])
def test_cones_of_20_degrees_in_a_thick_layer(radius: float, expected: float) -> None:
    found = slope(Tip(radius * NM, np.radians(20.0)), layer(1000.0), 5)
    assert found == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    ("radius", "degrees", "expected"),
    [(10.0, 35.0, 1.04), (20.0, 35.0, 1.15), (10.0, 45.0, 1.42), (20.0, 45.0, 1.53)],
)
def test_cones_about_40_degrees_have_the_papers_number(
    radius: float, degrees: float, expected: float
) -> None:
    """Within 8 % the same for both radii: the tip's flank is what is felt."""
    tip = Tip(radius * NM, np.radians(degrees))
    assert slope(tip, layer(), 5) == pytest.approx(expected, rel=0.03)
    assert shape_factor(tip, layer(), table=True).constant == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(("radius", "expected"), [(10.0, 1.29), (20.0, 1.10)])
def test_a_wall_that_scales_with_the_tip_has_the_papers_number(
    radius: float, expected: float
) -> None:
    narrow = Layer(100 * NM, 1e6, 0.49, 4.5 * radius * NM)
    assert slope(Tip(radius * NM), narrow, 7) == pytest.approx(expected, rel=0.02)


# ---------------------------------------------------------------- the table


def test_table_within_two_percent_of_a_solution(solved: ShapeFactor, tabled: ShapeFactor) -> None:
    assert tabled.source == "table"
    inside = (solved.distance >= tabled.distance[0]) & (solved.distance <= tabled.distance[-1])
    assert inside.sum() > 30
    np.testing.assert_allclose(tabled.at(solved.distance[inside]), solved.curve[inside], rtol=0.02)
    assert tabled.constant == pytest.approx(solved.constant, rel=0.02)
    assert tabled.r_squared == pytest.approx(solved.r_squared, abs=1e-3)
    assert tabled.radius_sensitivity == pytest.approx(solved.radius_sensitivity, abs=0.02)
    assert tabled.window == pytest.approx(solved.window)


@pytest.mark.parametrize(
    ("thickness", "poisson_ratio"),
    [(0.6, 0.33), (1.3, 0.497), (3.1, 0.08), (6.1, 0.48), (17.0, 0.22), (42.0, 0.5)],
)
def test_table_between_its_places(thickness: float, poisson_ratio: float) -> None:
    """Central differences of the force, off the table's thicknesses and Poisson ratios."""
    assert_table(Tip(1.0), thickness, poisson_ratio, 0.02)


@pytest.mark.parametrize(
    ("thickness", "poisson_ratio", "degrees"),
    [
        (0.6, 0.5, 20.0),
        (1.3, 0.49, 44.0),
        (3.1, 0.3, 36.0),
        (6.1, 0.48, 12.0),
        (9.0, 0.0, 40.0),
        (17.0, 0.4, 20.0),
        (33.0, 0.5, 28.0),
        (42.0, 0.3, 4.0),
    ],
)
def test_table_of_cones_between_its_places(
    thickness: float, poisson_ratio: float, degrees: float
) -> None:
    """The same, off the half angles too."""
    assert_table(Tip(1.0, np.radians(degrees)), thickness, poisson_ratio, 0.02)


def assert_table(tip: Tip, thickness: float, poisson_ratio: float, rtol: float) -> None:
    of = Layer(thickness, 1.0, poisson_ratio)
    distance = np.array([0.25, 0.5, 0.8]) * thickness
    step = 0.05 * distance * (1.0 - distance / thickness)
    depths = thickness - np.stack([distance - step, distance + step])
    force = lateral_force(tip, of, depths.ravel(), 1.0, fineness=0.7, workers=1).force.real.reshape(
        2, -1
    )
    expected = (force[0] - force[1]) / (2.0 * step) / 4.0
    found = shape_factor(tip, of, table=True).at(distance)
    np.testing.assert_allclose(found, expected, rtol=rtol)


@pytest.mark.parametrize("thickness", LOCAL)
def test_table_is_the_curve_of_another_code(thickness: float) -> None:
    expected = LOCAL[thickness][1:]  # the first lies on the table's end
    found = shape_factor(Tip(1.0), Layer(thickness, 1.0, 0.49), table=True)
    np.testing.assert_allclose(found.at(ZETA[1 : 1 + len(expected)]), expected, rtol=0.02)


@pytest.mark.parametrize(
    ("thickness", "expected"),
    [(90.0, 0.479), (100.0, 0.421), (110.0, 0.390), (120.0, 0.370)],
)
def test_table_of_thin_layers_over_fixed_depths(thickness: float, expected: float) -> None:
    """The line through 7 depths from 20 to 80 nm, by forces that the curve integrates to."""
    found = shape_factor(Tip(10 * NM), layer(thickness), table=True)
    z = np.linspace(thickness - 80.0, thickness - 20.0, 1201) * NM
    curve = found.at(z)
    middle = 0.5 * (curve[1:] + curve[:-1])
    force = np.concatenate([[0.0], np.cumsum(middle * np.diff(z))])
    places = slice(None, None, 200)
    assert np.polyfit(z[places], force[places], 1)[0] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("poisson_ratio", "expected"),
    [
        (0.0, 0.474),
        (0.2, 0.422),
        (0.3, 0.410),
        (0.4, 0.408),
        (0.45, 0.413),
        (0.49, 0.421),
        (0.499, 0.424),
        (0.5, 0.424),
    ],
)
def test_table_over_the_poisson_ratio(poisson_ratio: float, expected: float) -> None:
    found = shape_factor(Tip(10 * NM), layer(100.0, poisson_ratio), table=True)
    assert found.constant == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("tip", "of", "says"),
    [
        (Tip(10 * NM, np.radians(49.0)), layer(), "up to 48"),
        (Tip(10 * NM, bonded=False), layer(), "bonded"),
        (Tip(1 * NM), layer(), "100"),
        (Tip(250 * NM), layer(), "0.4"),
        (Tip(10 * NM), Layer(100 * NM, domain=300 * NM), "300 nm"),
    ],
)
def test_table_says_what_it_does_not_hold(tip: Tip, of: Layer, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        shape_factor(tip, of, table=True)


# ---------------------------------------------------------------- bad input


def test_a_layer_too_thin_for_the_tip() -> None:
    with pytest.raises(InvalidInput, match="too thin"):
        shape_factor(Tip(500 * NM), layer())


@pytest.mark.parametrize("fineness", [0.0, -1.0, np.nan, np.inf])
def test_impossible_fineness(fineness: float) -> None:
    with pytest.raises(InvalidInput, match="fineness"):
        shape_factor(Tip(10 * NM), layer(), fineness=fineness)


def test_a_derivative_needs_three_depths() -> None:
    force = lateral_force(Tip(10 * NM), layer(), [40 * NM, 50 * NM], NM, workers=1)
    with pytest.raises(InvalidInput, match="3 different depths"):
        apparent_modulus(force, 0.42)


# ---------------------------------------------------------------- processes


def blas_threads(_: int) -> list[int]:
    """Threads that each linear algebra library of this process would use."""
    found = threadpool_info()
    return [lib["num_threads"] for lib in found if lib["user_api"] == "blas"]


def test_a_solution_uses_one_thread_and_leaves_the_others_as_they_were() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads(0)
        with Workers(1) as pool:
            (within,) = pool.map(blas_threads, [(0,)])
        assert before
        assert set(before) == {2}
        assert set(within) == {1}
        assert blas_threads(0) == before


def test_processes_give_what_one_gives() -> None:
    jobs = [(i, 2) for i in range(5)]
    with Workers(2) as pool:
        assert pool.map(pow, jobs) == [0, 1, 4, 9, 16]
    with Workers(2) as pool:  # what cannot be sent is called here
        assert pool.map(lambda a, b: a * b, jobs) == [0, 2, 4, 6, 8]
    with Workers(2) as pool:
        assert pool.map(pow, []) == []


# ---------------------------------------------------------------- files of the curve


@pytest.fixture(scope="module")
def folder(tabled: ShapeFactor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The curve in every form that a recipe takes: ours, the command's, and a table in nm."""
    folder = tmp_path_factory.mktemp("curves")
    write_shape_factor(tabled, folder / "rg.h5")
    options = "--radius 10nm --thickness 100nm --domain 1000nm --poisson 0.49 --table --json"
    said = CliRunner().invoke(main, ["fea", "shape-factor", *options.split()])
    assert said.exit_code == 0, said.output
    (folder / "rg.json").write_text(said.stdout, encoding="utf-8")
    table = np.column_stack([tabled.distance / NM, tabled.curve])
    heading = "distance (nm),shape factor"
    np.savetxt(folder / "rg.csv", table, delimiter=",", header=heading, comments="")
    return folder


def test_what_is_written_is_read(tabled: ShapeFactor, folder: Path) -> None:
    found = read_shape_factor(folder / "rg.h5")
    places = np.geomspace(1.1, 98.9, 50) * NM
    np.testing.assert_allclose(found.at(places), tabled.at(places), rtol=1e-4)
    assert (found.tip, found.layer.thickness) == (tabled.tip, tabled.layer.thickness)
    assert (found.constant, found.window) == (tabled.constant, tabled.window)
    assert (found.r_squared, found.source) == (tabled.r_squared, "table")
    with h5py.File(folder / "rg.h5") as file:
        assert dict(file["distance"].attrs)["units"] == "m"
        assert file.attrs["format"] == "nrm-shape-factor"


def test_an_existing_file_stays(tabled: ShapeFactor, folder: Path) -> None:
    before = (folder / "rg.h5").read_bytes()
    with pytest.raises(OutputError, match=r"rg\.h5"):
        write_shape_factor(tabled, folder / "rg.h5")
    assert (folder / "rg.h5").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tip_radius", "wide"),
        ("tip_radius", -1.0),
        ("poisson_ratio", 0.7),
        ("format", "other"),
        ("constant", None),
        ("distance", [3.0, 2.0]),
        ("distance", [np.nan, 2.0]),
        ("distance", [1.0]),
        ("shape_factor", [[1.0, 1.0]]),
        ("shape_factor", [1.0, -1.0]),
        ("shape_factor", None),
    ],
)
def test_a_damaged_file_is_named(
    tabled: ShapeFactor, tmp_path: Path, name: str, value: object
) -> None:
    path = tmp_path / "rg.h5"
    write_shape_factor(tabled, path)
    with h5py.File(path, "r+") as file:
        place = file if name in file else file.attrs
        del place[name]
        if value is not None:
            place[name] = value
    with pytest.raises(CorruptFile, match=r"rg\.h5"):
        read_shape_factor(path)


def test_what_is_no_file_of_a_curve_is_named(tmp_path: Path) -> None:
    (tmp_path / "rg.h5").write_text("r_g = 1.25")
    with pytest.raises(CorruptFile):
        read_shape_factor(tmp_path / "rg.h5")
    with pytest.raises(MissingFile):
        read_shape_factor(tmp_path / "absent.h5")


def engine_curve(path: Path, depth: np.ndarray) -> tuple[np.ndarray, str]:
    """What the engine reads."""
    curves = CurveSet.from_arrays({"height": (np.linspace(100.0, 0.0, 8)[None] * NM, "m")})
    found = shape.shape_factor(str(path), curves, depth)
    return found.values, found.source


@pytest.mark.parametrize(
    ("name", "accuracy"), [("rg.h5", 1e-3), ("rg.json", 0.02), ("rg.csv", 0.02)]
)
def test_engine_reads_the_curve(
    tabled: ShapeFactor, folder: Path, name: str, accuracy: float
) -> None:
    """It takes straight lines between the points, of which our own file has many."""
    depth = np.array([0.0, 1.5, 5.0, 10.0, 30.0, 60.0, 97.0, 99.9]) * NM
    values, source = engine_curve(folder / name, depth)
    assert np.isnan(values[[0, -1]]).all()
    np.testing.assert_allclose(values[1:-1], tabled.at(depth[1:-1]), rtol=accuracy)
    assert name in source


def test_engine_says_what_the_curve_is_for(folder: Path) -> None:
    _, source = engine_curve(folder / "rg.h5", np.array([10 * NM]))
    assert source == (
        "curve from rg.h5, 1 to 99 nm, for a bonded cylindrical tip of 10 nm radius in a layer of "
        "100 nm, Poisson ratio 0.49"
    )


def test_engine_refuses_a_broken_curve(folder: Path, tmp_path: Path) -> None:
    heading, *lines = (folder / "rg.csv").read_text().splitlines()
    (tmp_path / "falling.csv").write_text("\n".join([heading, *reversed(lines)]))
    for name, error in (("falling.csv", RecipeError), ("absent.csv", MissingFile)):
        with pytest.raises(error):
            engine_curve(tmp_path / name, np.array([10 * NM]))
