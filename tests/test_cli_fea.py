"""``nrm fea``: reference values through the command line, files that go on, words for mistakes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import figure_results
import numpy as np
import pytest
from click.testing import CliRunner, Result

import nrm_plugin as nrm
from nrm_plugin import simulate as sim
from nrm_plugin.cli import main
from nrm_plugin.cli.fea import _COMMANDS, command
from nrm_plugin.cli.options import WithUnit
from nrm_plugin.fea import Layer, Steps, Tip, lateral_force, read_shape_factor
from nrm_plugin.fea.force_profile import ForceProfile
from nrm_plugin.fea.pool import Workers, watched
from nrm_plugin.text import columns

NM = 1e-9
ROOT = Path(__file__).resolve().parent.parent
PAPERS = ("--radius", "10nm", "--thickness", "100nm")
ONE = ("--workers", "1")


def run(*arguments: str | Path) -> Result:
    """Run ``nrm fea`` in this process; anything but an exit is a failure."""
    result = CliRunner().invoke(main, ["fea", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def found(*arguments: str | Path) -> Any:
    """What ``--json`` gives; the command must succeed."""
    result = run(*arguments, "--json", *ONE)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


# ---------------------------------------------------------------- help


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
from nrm_plugin.cli import main
for words in (["fea"], *(["fea", name] for name in sys.argv[1:])):
    try:
        main([*words, "--help"])
    except SystemExit as end:
        assert end.code == 0
heavy = {"numpy", "scipy", "skfem", "h5py", "xarray", "pint", "matplotlib", "tqdm"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *_COMMANDS], capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"
    for name in _COMMANDS:
        assert f"  {name} " in done.stdout
        assert f"fea {name} [OPTIONS]" in done.stdout


def _metavar(option: click.Option) -> str:
    of_type = option.type.name.upper() if isinstance(option.type, WithUnit) else ""
    return option.metavar or of_type


@pytest.mark.parametrize("name", _COMMANDS)
def test_options_are_documented(name: str) -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    section = page.split("## `nrm fea`")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \| (`-.*?`) \|", section, re.M)
    assert isinstance(command, click.Group)
    one = command.get_command(click.Context(command), name)
    assert one is not None
    shown = {
        f"`{'`, `'.join(option.opts)} {_metavar(option)}".rstrip() + "`"
        for option in one.params
        if isinstance(option, click.Option)
    }

    def concerns(of: str) -> bool:
        return (f"`{name}`" in of) != of.startswith("all")

    assert {option for of, option in rows if concerns(of)} == shown


# ---------------------------------------------------------------- force


def test_reference_force() -> None:
    """96.668 nm per modulus and amplitude, of another program at finer and finer meshes."""
    values = found(
        "force",
        *PAPERS,
        "--depth",
        "50nm",
        "--domain",
        "400nm",
        "--poisson",
        "0.49",
        "--modulus",
        "1MPa",
        "--amplitude",
        "1nm",
    )
    assert set(values) == {"depth", "force_in_phase", "force_quadrature"}
    assert values["depth"] == [pytest.approx(50 * NM)]
    assert values["force_in_phase"] == [pytest.approx(96.668e-12, abs=0.02e-12)]
    assert values["force_quadrature"] == [0.0]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--radius 10nm --thickness 100nm --depth 50nm --domain 400nm --frictionless", 75.123),
        ("--radius 20nm --thickness 100nm --depth 80nm --domain 500nm --poisson 0.3", 215.591),
        ("--radius 0.01um --thickness 1e-7m --depth 60Å --domain 0.4um", 24.750),
    ],
)
def test_other_tips_and_units(words: str, expected: float) -> None:
    values = found("force", *words.split(), "--modulus", "2MPa", "--amplitude", "0.5nm")
    assert values["force_in_phase"] == [pytest.approx(expected * 1e-12, rel=1e-3)]


def test_loss_and_several_depths() -> None:
    depths = [30, 60]
    words = [word for depth in depths for word in ("--depth", f"{depth}nm")]
    values = found(
        "force", *PAPERS, *words, "--modulus", "3MPa", "--loss", "600kPa", "--amplitude", "1nm"
    )
    assert values["depth"] == pytest.approx([30 * NM, 60 * NM])
    in_phase, quadrature = values["force_in_phase"], values["force_quadrature"]
    assert quadrature == pytest.approx([0.2 * value for value in in_phase], rel=1e-12)
    assert 0.0 < in_phase[0] < in_phase[1]


def test_force_for_people() -> None:
    words = (
        "force",
        *PAPERS,
        "--domain",
        "400nm",
        "--depth",
        "50nm",
        "--depth",
        "51nm",
        "--modulus",
        "10MPa",
        "--amplitude",
        "1nm",
        *ONE,
    )
    head, units, *rows = run(*words).stdout.splitlines()
    assert head.split("  ") == ["depth", "force in phase"]
    assert units.split() == ["nm", "pN"]
    assert [row.split()[0] for row in rows] == ["50", "51"]
    assert float(rows[0].split()[1]) == pytest.approx(966.68, abs=0.2)
    assert "quadrature" in run(*words, "--loss", "1kPa").stdout


# ---------------------------------------------------------------- shape factor


@pytest.fixture(scope="module")
def solved() -> Any:
    return found("shape-factor", *PAPERS, "--domain", "1000nm", "--poisson", "0.49")


def test_reference_shape_factor(solved: Any) -> None:
    assert solved["shape_factor"] == pytest.approx(0.421, rel=0.01)
    assert solved["fit"]["from"] == pytest.approx(20 * NM)
    assert solved["fit"]["to"] == pytest.approx(80 * NM)
    assert solved["fit"]["r_squared"] == pytest.approx(0.996, abs=0.001)
    assert solved["source"] == "solved"
    assert solved["radius_sensitivity"] == pytest.approx(0.43, abs=0.02)
    distance, curve = solved["curve"]["distance"], solved["curve"]["shape_factor"]
    at = np.array([2.0, 5.0, 10.0, 20.0, 40.0, 60.0]) * NM
    expected = [3.92, 1.717, 0.985, 0.616, 0.431, 0.382]
    np.testing.assert_allclose(
        np.exp(np.interp(np.log(at), np.log(distance), np.log(curve))), expected, rtol=0.02
    )


def test_table_is_the_solution(solved: Any) -> None:
    table = found("shape-factor", *PAPERS, "--table")
    assert set(table) == set(solved)
    assert table["source"] == "table"
    assert table["shape_factor"] == pytest.approx(solved["shape_factor"], rel=0.02)


@pytest.mark.parametrize(("radius", "expected"), [(5, 0.326), (20, 0.591), (40, 0.940)])
def test_shape_factor_of_other_radii(radius: int, expected: float) -> None:
    words = ("--radius", f"{radius}nm", "--thickness", "100nm", "--table")
    assert found("shape-factor", *words)["shape_factor"] == pytest.approx(expected, rel=0.01)


def test_shape_factor_for_people() -> None:
    lines = run("shape-factor", *PAPERS, "--table").stdout.splitlines()
    assert lines[0] == "shape factor 0.4211  (table)"
    assert "from 20 nm to 80 nm" in lines[1]
    assert "+4.1 %" in lines[2]
    rows = [line.split() for line in lines[6:]]
    assert [row[0] for row in rows] == [
        "1",
        "2",
        "5",
        "10",
        "20",
        "50",
        "80",
        "90",
        "95",
        "98",
        "99",
    ]
    assert float(rows[3][1]) == pytest.approx(0.985, rel=0.02)


def test_file_is_used_by_a_recipe(tmp_path: Path) -> None:
    """Results have the published local slopes, none outside of the curve, and say so."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    result = run("shape-factor", *PAPERS, "--table", "-o", folder / "rg.h5")
    assert (result.exit_code, f"{folder / 'rg.h5'} written" in result.stderr) == (0, True)
    recipe = folder / "curve.toml"
    recipe.write_text('shape_factor = "rg.h5"\n', encoding="utf-8")
    curves, _ = sim.simulate(
        sim.Sample(),
        sim.Instrument(lateral_stiffness=80.0),
        sim.Ramp(samples=512),
        n_curves=3,
        seed=4,
    )
    curves.save(tmp_path / "curves.h5")
    out = tmp_path / "results.h5"
    done = CliRunner().invoke(
        main, ["process", str(tmp_path / "curves.h5"), "-o", str(out), "--recipe", str(recipe)]
    )
    assert done.exit_code == 0, done.output
    assert "shape factor curve from rg.h5, 1 to 99 nm" in done.stdout
    results = nrm.open_results(out)
    assert "rg.h5" in results.attrs["shape_factor_source"]
    r_g = results["shape_factor"].sel(
        depth=np.array([0.0, 0.5, 2.0, 5.0, 10.0, 20.0, 40.0]) * NM, method="nearest"
    )
    expected = [np.nan, np.nan, 3.92, 1.717, 0.985, 0.616, 0.431]
    np.testing.assert_allclose(r_g, expected, rtol=0.02)
    # E = dF/dz / (4 r_g A), sample by sample
    at = results.isel(curve=0).sel(depth=10 * NM, method="nearest")
    amplitude = results.attrs["dither_amplitude"]
    modulus = float(at["force_gradient_in_phase"]) / (4 * float(at["shape_factor"]) * amplitude)
    assert float(at["storage_modulus"]) == pytest.approx(modulus, rel=1e-5)
    assert np.isnan(results["storage_modulus"].sel(depth=0.0).values).all()


def test_a_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "rg.h5"
    words = ("shape-factor", *PAPERS, "--table", "-o", path)
    path.write_text("precious")
    refused = run(*words)
    assert (refused.exit_code, path.read_text()) == (1, "precious")
    assert "--overwrite" in refused.stderr
    assert run(*words, "--overwrite").exit_code == 0
    assert read_shape_factor(path).constant == pytest.approx(0.421, rel=0.01)
    quiet = CliRunner().invoke(main, ["-q", "fea", *map(str, words), "--overwrite"])
    assert (quiet.exit_code, quiet.stderr) == (0, "")


# ---------------------------------------------------------------- profile


def test_homogeneous_stack_is_seen_as_it_is() -> None:
    words = (
        "--radius",
        "10nm",
        "--layer",
        "30nm=2MPa,500kPa",
        "--layer",
        "20nm=2MPa,500kPa",
        "--amplitude",
        "2nm",
        "--step",
        "2nm",
    )
    values = found("profile", *words)
    distance = np.array(values["distance"])
    np.testing.assert_allclose(np.array(values["depth"]) + distance, 50 * NM)
    middle = (distance > 10 * NM) & (distance < 40 * NM)
    for name, modulus in (("storage_modulus", 2e6), ("loss_modulus", 5e5)):
        np.testing.assert_allclose(values[name], modulus)
        np.testing.assert_allclose(np.array(values[f"apparent_{name}"])[middle], modulus, rtol=0.03)
    np.testing.assert_allclose(
        values["force_quadrature"], 0.25 * np.array(values["force_in_phase"])
    )


def test_one_number_for_all_distances() -> None:
    words = ("--radius", "10nm", "--layer", "50nm=2MPa", "--amplitude", "2nm", "--step", "10nm")
    curve, constant, twice = (
        found("profile", *words, *more)
        for more in ((), ("--shape-factor", "0.591"), ("--shape-factor", "1.182"))
    )
    force, depth = np.array(constant["force_in_phase"]), np.array(constant["depth"])
    expected = np.gradient(force, depth) / (4 * 0.591 * 2 * NM)
    np.testing.assert_allclose(constant["apparent_storage_modulus"], expected)
    np.testing.assert_allclose(
        twice["apparent_storage_modulus"], np.array(constant["apparent_storage_modulus"]) / 2
    )
    assert curve["force_in_phase"] == constant["force_in_phase"]
    assert curve["apparent_storage_modulus"] != constant["apparent_storage_modulus"]


def test_stiff_skin_is_found_and_smeared() -> None:
    """Known of another program: a peak at the outer edge, a precursor, too little below."""
    words = (
        "--radius",
        "10nm",
        "--layer",
        "45nm=1MPa",
        "--layer",
        "10nm=10MPa",
        "--layer",
        "45nm=1MPa",
        "--amplitude",
        "1nm",
        "--step",
        "3nm",
    )
    values = found("profile", *words)
    distance = np.array(values["distance"]) / NM
    apparent = np.array(values["apparent_storage_modulus"]) / 1e6
    assert 6.0 < apparent.max() < 10.0
    assert 49.0 < distance[apparent.argmax()] < 57.0
    assert 1.3 < np.interp(66.0, distance[::-1], apparent[::-1]) < 1.8
    below = (distance > 25.0) & (distance < 43.0)
    assert 0.7 < apparent[below].min() < 0.9
    inside = (distance > 45.5) & (distance < 54.5)
    np.testing.assert_allclose(np.array(values["storage_modulus"])[inside], 10e6)
    assert inside.sum() == 3


def test_profile_leaves_out_what_is_too_close() -> None:
    """A tip of 200 nm is not computed nearer than 2 nm to either side."""
    words = ("--radius", "200nm", "--layer", "60nm=2MPa", "--amplitude", "1nm", "--step", "1.5nm")
    depth = np.array(found("profile", *words, "--shape-factor", "1")["depth"]) / NM
    np.testing.assert_allclose(depth, np.arange(3.0, 58.0, 1.5))


def test_profile_for_people() -> None:
    words = ("profile", "--radius", "10nm", "--amplitude", "1nm", "--step", "10nm", *ONE)
    head, units, *rows = run(*words, "--layer", "50nm=2MPa").stdout.splitlines()
    assert re.split(r"\s{2,}", head) == ["depth", "distance", "F'", "E' (Eq. 5)", "E' there"]
    assert units.split() == ["nm", "nm", "pN", "MPa", "MPa"]
    assert [row.split()[:2] for row in rows] == [
        ["10", "40"],
        ["20", "30"],
        ["30", "20"],
        ["40", "10"],
    ]
    assert "E'' there" in run(*words, "--layer", "50nm=2MPa,1kPa").stdout


# ---------------------------------------------------------------- invert

TRUTH = Layer(40 * NM, Steps([15 * NM], [5e6 + 1e6j, 1e6 + 0.3e6j]), 0.49)
BLUNT = ("--radius", "20nm", "--thickness", "40nm")


@pytest.fixture(scope="module")
def two_layers() -> tuple[np.ndarray, np.ndarray]:
    """Distances, and forces at an amplitude of 1 nm; noise of 0.5 %."""
    distance = np.linspace(4.0, 38.0, 18) * NM
    depths = TRUTH.thickness - distance
    force = lateral_force(Tip(20 * NM), TRUTH, depths, NM, fineness=1.3, workers=1).force
    rng = np.random.default_rng(1)
    noise = 0.005 * np.median(force.real)
    return distance, force + noise * (rng.normal(size=18) + 1j * rng.normal(size=18))


def table_of(path: Path, distance: Any, force: Any, head: bool = True) -> Path:
    rows = [
        f"{z / NM:.3f},{f.real / NM:.6f},{f.imag / NM:.6f}"
        for z, f in zip(distance, force, strict=True)
    ]
    titles = ["distance (nm),force in phase (nN),force quadrature (nN)"] if head else []
    path.write_text("\n".join([*titles, *rows, ""]))
    return path


def close_to_the_truth(one: dict[str, Any]) -> None:
    """Within 10 % where the tip does not see the edge."""
    height = np.array(one["height"]) / NM
    for name, near, far in (("storage", 5e6, 1e6), ("loss", 1e6, 0.3e6)):
        value = np.array(one[f"{name}_modulus"])
        np.testing.assert_allclose(value[height < 10.0], near, rtol=0.1)
        np.testing.assert_allclose(value[(height > 20.0) & (height < 35.0)], far, rtol=0.1)
        assert np.all(np.array(one[f"{name}_low"]) < value)
        assert np.all(value < np.array(one[f"{name}_high"]))


def test_table_is_inverted(two_layers: Any, tmp_path: Path) -> None:
    path = table_of(tmp_path / "force.csv", *two_layers)
    errors = ("--radius-stderr", "1nm", "--cone-angle-stderr", "5deg")
    result = run("invert", path, *BLUNT, "--amplitude", "1nm", "--json", *errors, *ONE)
    assert result.exit_code == 0, result.stderr
    (one,) = json.loads(result.stdout)
    assert set(one) == {
        "of",
        "failed",
        "height",
        "storage_modulus",
        "storage_low",
        "storage_high",
        "loss_modulus",
        "loss_low",
        "loss_high",
        "layers",
        "misfit",
        "noise",
        "parameters",
        "numbers",
        "alternatives",
        "radius_stderr",
        "cone_angle_stderr",
        "contact_stderr",
        "doubts",
    }
    assert (one["of"], one["failed"]) == (str(path), None)
    assert (one["radius_stderr"], one["contact_stderr"]) == (pytest.approx(1 * NM), None)
    assert one["cone_angle_stderr"] == pytest.approx(np.radians(5.0))
    assert "the radius (1 nm) and the half angle (5°)" in one["doubts"][-1]
    assert sum(other["weight"] for other in one["alternatives"]) == pytest.approx(1.0)
    assert one["alternatives"][0]["explanation"] == "2 layers"
    close_to_the_truth(one)


def test_results_are_inverted_by_region(two_layers: Any, tmp_path: Path) -> None:
    """Means over regions: of wrong sign in one, without forces in one; the third goes on."""
    distance, force = two_layers
    results = figure_results.made_results(3, 4, potential=[1.2] * 4 + [0.8] * 4 + [0.6] * 4)
    depth = results["depth"].values
    sign = np.repeat([-1.0, np.nan, 1.0], 4)[:, None]
    rng = np.random.default_rng(2)
    for name, part in (("in_phase", force.real), ("quadrature", force.imag)):
        values = np.interp(depth, distance, part, left=np.nan, right=np.nan)
        noise = 0.002 * np.nanmedian(part) * rng.normal(size=(12, depth.size))
        results[f"lateral_force_{name}"].values[:] = sign * (values + sign * noise)
    results["contact_height_stderr"] = "curve", np.full(12, 0.2 * NM)
    results["contact_height_systematic"] = "curve", np.full(12, 0.1 * NM)
    nrm.save(results, tmp_path / "results.h5")
    words = ("invert", tmp_path / "results.h5", *BLUNT, "--step", "4nm", "--from", "3.5nm", *ONE)
    result = run(*words, "--edges", "1.5,1,0.7,0.5", "--json")
    assert result.exit_code == 1
    wrong, without, right = json.loads(result.stdout)
    assert "wrong way" in wrong["failed"]
    assert "wrong way" in result.stderr
    assert "no force lies between" in without["failed"]
    assert right["failed"] is None
    # of a mean of four, and what all have in common
    assert right["contact_stderr"] == pytest.approx(np.hypot(0.1, 0.1) * NM)
    close_to_the_truth(right)
    outside = run(*words, "--edges", "3,2", "--json")
    assert (outside.exit_code, outside.stdout) == (1, "")
    assert "no curve lies in a region" in outside.stderr


def test_noise_does_not_fall_within_the_window_of_a_fit() -> None:
    distance = np.arange(0.25, 20.0, 0.5) * NM
    one = ForceProfile(
        label="", distance=distance, force=np.ones(distance.size, complex), noise=2e-12 + 4e-12j
    )
    for window, times in ((0.0, 2.0), (1 * NM, np.sqrt(2.0)), (2 * NM, 1.0), (9 * NM, 1.0)):
        found = replace(one, window=window).binned(2 * NM, 0.0, 20 * NM)
        assert found.noise == pytest.approx((2e-12 + 4e-12j) / times)
        np.testing.assert_allclose(found.distance, np.arange(1.0, 20.0, 2.0) * NM)


def test_without_the_right_sign_it_fails_in_words(two_layers: Any, tmp_path: Path) -> None:
    distance, force = two_layers
    path = table_of(tmp_path / "force.csv", distance, -force)
    result = run("invert", path, *BLUNT, "--amplitude", "1nm", *ONE)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "wrong way" in result.stderr


def test_files_that_cannot_be_inverted(two_layers: Any, tmp_path: Path) -> None:
    def said(path: Path, *words: str) -> tuple[int, str]:
        given = words or ("--amplitude", "1nm")
        result = run("invert", path, *BLUNT, *given, *ONE)
        assert result.stdout == ""
        return result.exit_code, result.stderr

    distance, force = two_layers
    good = table_of(tmp_path / "good.csv", distance, force)
    code, words = said(good, "--noise", "1pN")
    assert (code, "--amplitude" in words) == (2, True)
    code, words = said(good, "--amplitude", "1nm", "--curve", "3")
    assert (code, "results of nrm process" in words) == (2, True)
    for option in ("--step", "--from"):
        code, words = said(good, "--amplitude", "1nm", option, "0nm")
        assert (code, f"{option} 0 m" in words) == (1, True)
    code, words = said(good, "--amplitude", "1nm", "--noise=-1pN")
    assert (code, "--noise -1 pN" in words) == (1, True)
    code, words = said(good, "--amplitude", "1nm", "--from", "39nm")
    assert (code, "no force" in words) == (1, True)
    for name, content, says in (
        ("absent.csv", None, "absent.csv"),
        ("empty.csv", "", "no line with two numbers"),
        ("bare.csv", "distance,force in phase\n10,1\n20,1\n", "no unit"),
        ("other.csv", "time (s),force in phase (nN)\n1,1\n2,1\n", "distance"),
        ("short.csv", "distance (nm),force in phase (nN)\n10,1\n20,.5\n", "6 different depths"),
    ):
        if content is not None:
            (tmp_path / name).write_text(content)
        code, words = said(tmp_path / name)
        assert (code, says in words) == (1, True), words
    contacts = figure_results.made_results(1, 2).drop_vars(
        ["lateral_force_in_phase", "lateral_force_quadrature"]
    )
    nrm.save(contacts, tmp_path / "contacts.h5")
    code, words = said(tmp_path / "contacts.h5")
    assert (code, "no lateral force" in words) == (1, True)
    nrm.save(figure_results.made_results(1, 2), tmp_path / "two.h5")
    code, words = said(tmp_path / "two.h5", "--curve", "2")
    assert (code, "no curve 2" in words) == (1, True)
    code, words = said(tmp_path / "two.h5", "--curve", "1", "--edges", "2,1")
    assert (code, "--curve or --edges" in words) == (2, True)


# ---------------------------------------------------------------- mistakes

FORCE = "force --radius 10nm --thickness 100nm --depth 50nm --modulus 1MPa --amplitude 1nm"
PROFILE = "profile --radius 10nm --layer 50nm=1MPa --amplitude 1nm"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (f"{FORCE} --depth 150nm", "150 nm"),
        (f"{FORCE} --depth 100nm", "electrode"),
        (f"{FORCE} --depth 0nm", "0 m"),
        (f"{FORCE} --depth=-5nm", "-5 nm"),
        (f"{FORCE} --depth 99.99nm", "too close"),
        (f"{FORCE} --thickness=-100nm", "thickness is -100 nm"),
        (f"{FORCE} --thickness 1e30nm", "1e+12 Gm"),
        (f"{FORCE} --radius 0nm", "radius is 0 m"),
        (f"{FORCE} --radius nan", "radius is nan"),
        (f"{FORCE} --radius inf", "radius is inf"),
        (f"{FORCE} --poisson 0.6", "0.6"),
        (f"{FORCE} --poisson nan", "nan"),
        (f"{FORCE} --poisson=-0.1", "-0.1"),
        (f"{FORCE} --domain 5nm", "5 nm"),
        (f"{FORCE} --domain 1e30nm", "domain"),
        (f"{FORCE} --half-angle 85deg", "85"),
        (f"{FORCE} --modulus=-1MPa", "modulus"),
        (f"{FORCE} --loss=-5MPa", "-5 MPa"),
        (f"{FORCE} --amplitude 0nm", "amplitude"),
        ("shape-factor --radius 100nm --thickness 20nm", "too thin"),
        ("shape-factor --radius 10nm --thickness 100nm --table --frictionless", "bonded"),
        ("shape-factor --radius 10nm --thickness 100nm --table -o absent/rg.h5", "absent"),
        (f"{PROFILE} --step 0nm", "--step 0 m"),
        (f"{PROFILE} --step=-1nm", "--step -1 nm"),
        (f"{PROFILE} --step 40nm", "50 nm"),
        (f"{PROFILE} --step 1e-9nm", "1000 steps"),
        (f"{PROFILE} --step nan", "nan"),
        (f"{PROFILE} --shape-factor 0", "--shape-factor 0"),
        (f"{PROFILE} --shape-factor nan", "nan"),
        (f"{PROFILE} --layer 0nm=1MPa", "thickness of 0 m"),
        (f"{PROFILE} --layer=-10nm=1MPa", "-10 nm"),
    ],
)
def test_impossible_requests(words: str, says: str) -> None:
    """One sentence that names the value, and the exit code of a calculation that failed."""
    result = run(*words.split(), *ONE)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("nrm: ")
    assert says in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (FORCE.replace("--radius 10nm", "--radius 10"), "'10 nm'"),
        (FORCE.replace("1MPa", "1nm"), "nm cannot be turned into Pa"),
        (FORCE.replace("--radius 10nm", ""), "--radius"),
        (f"{FORCE} --half-angle 20", "'20 deg'"),
        (f"{FORCE} --poisson half", "half"),
        (f"{FORCE} --workers 0", "0 is not"),
        (f"{PROFILE} --layer 10MPa", "THICKNESS=MODULUS"),
        (f"{PROFILE} --layer 10nm=x", "'x'"),
        (f"{PROFILE} --layer 10nm=1MPa,-2MPa", "-2 MPa"),
        ("shape-factor --radius 10nm --thickness 100nm --table -o rg.txt", ".h5"),
        ("nonsense", "nonsense"),
    ],
)
def test_what_is_not_understood(words: str, says: str) -> None:
    result = run(*words.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


# ---------------------------------------------------------------- tables and progress


def test_columns_have_one_prefix_and_as_many_decimals_as_needed() -> None:
    text = columns(
        [
            ("z", "m", [5e-9, 12.5e-9, 1e-7]),
            ("E'", "Pa", [9.0612e6, 995_000.0, float("nan")]),
            ("E''", "Pa", [2e4, 0.0, 1e3]),
            ("r", "", [1.0, 2.0, 30.0]),
        ],
        indent=0,
    )
    assert text.splitlines() == [
        "    z     E'    E''   r",
        "   nm    MPa    MPa",
        "  5.0  9.061  0.020   1",
        " 12.5  0.995  0.000   2",
        "100.0      -  0.001  30",
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_counts_what_is_done(workers: int) -> None:
    seen: list[tuple[int, int]] = []
    with watched(lambda done, wanted: seen.append((done, wanted))), Workers(workers) as pool:
        assert pool.map(pow, [(2, 3), (2, 4)]) == [8, 16]
        assert pool.map(pow, [(2, 5)]) == [32]
    assert seen == [(0, 2), (1, 2), (2, 2), (2, 3), (3, 3)]
    with watched(None), Workers(workers) as pool:
        assert pool.map(pow, [(2, 3)]) == [8]
    assert len(seen) == 5
