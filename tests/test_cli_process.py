"""``nrm process``: the simulator's truth through the command line, batches, interruptions."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import nrm_plugin as nrm
from nrm_plugin import fea, plugins
from nrm_plugin import simulate as sim
from nrm_plugin.cli import main
from nrm_plugin.cli.batch import CurveOptions
from nrm_plugin.cli.process import Processing
from nrm_plugin.recipe import Recipe
from nrm_plugin.variables import BIT

NM = 1e-9
N = 24
SAMPLE = sim.Sample(
    sim.Interphase((sim.Layer(10 * NM, 10e6 + 3e6j), sim.Layer(10 * NM, 2e6 + 1e6j)), 3e-9)
)
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


def instrument(**settings: Any) -> sim.Instrument:
    detector = sim.Detector(deflection_noise=0.1 * NM, lateral_noise=2e-12)
    return sim.Instrument(detector=detector, lateral_stiffness=80.0, **settings)


def run(*arguments: str | Path) -> Result:
    """Run ``nrm`` in this process; anything but an exit is a failure."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def written(*arguments: str | Path) -> list[dict[str, Any]]:
    """Run ``nrm process --json``, which must succeed, and return what it says of its outputs."""
    result = run("process", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)["written"]
    return found


@pytest.fixture(scope="module")
def curves() -> nrm.CurveSet:
    return sim.simulate(SAMPLE, instrument(), sim.Ramp(), grid=(4, N // 4), seed=7)[0]


@pytest.fixture(scope="module")
def made(curves: nrm.CurveSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("curves") / "curves.h5"
    curves.save(path)
    return path


@pytest.fixture(scope="module")
def in_volts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Curves as a board records them; the deflection's sensitivity is left to the user."""
    found, _ = sim.simulate(SAMPLE, instrument(), sim.Ramp(), n_curves=6, volts=True, seed=8)
    known = {k: v for k, v in found.metadata.items() if k != "deflection_sensitivity"}
    channels = {k: (found.read(k), c.unit) for k, c in found.channels.items()}
    path = tmp_path_factory.mktemp("volts") / "volts.h5"
    nrm.CurveSet.from_arrays(channels, found.row_size, found.segments, metadata=known).save(path)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    return path


# The truth


def test_truth_through_the_command_line(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    (said,) = written(made, "-o", out)
    assert set(said) == {
        "path",
        "from",
        "n_curves",
        "n_contacts",
        "n_unflagged",
        "flags",
        "depth_valid_min",
        "moduli",
        "normal",
        "shape_factor",
        "shape_factor_note",
        "simulated",
        "checks",
        "warnings",
    }
    assert (said["path"], said["from"]) == (str(out), [str(made)])
    assert (said["n_curves"], said["n_contacts"], said["simulated"]) == (N, N, True)
    (normal,) = said["normal"]
    assert normal["normal_onset"] == pytest.approx(18.5e-9, abs=1.5e-9)
    assert (normal["n_broke_through"], normal["n_attracted"], normal["adhesion_force"]) == (
        0,
        0,
        None,
    )
    assert said["n_unflagged"] >= 0.9 * N
    assert 0 < said["depth_valid_min"] <= 2 * NM
    assert said["shape_factor"] == "1.25, the paper's (finite elements, section 4)"
    near, _, second, outside, _ = said["moduli"]
    assert [(m["from"], m["to"]) for m in (near, outside)] == [
        (0, pytest.approx(5 * NM)),
        (pytest.approx(20 * NM), pytest.approx(40 * NM)),
    ]
    assert near["storage_modulus"] == pytest.approx(10e6, rel=0.02)
    assert near["loss_modulus"] == pytest.approx(3e6, rel=0.03)
    assert second["storage_modulus"] == pytest.approx(2e6, rel=0.2)  # the step is in it
    assert abs(outside["storage_modulus"]) < 0.2e6
    lag, *others = said["warnings"]
    assert lag == "lockin_time_constant is not known: the lock-in's lag is not corrected"
    checks = {check["name"]: check for check in said["checks"]}
    assert {c["verdict"] for c in checks.values()} <= {"fine", "unknown"}
    assert [w.partition(" ")[0] for w in others] == [
        name for name, check in checks.items() if check["verdict"] == "unknown"
    ]
    assert checks["stick"]["found"] == "sticks"


def test_the_file_is_what_python_gives(made: Path, curves: nrm.CurveSet, tmp_path: Path) -> None:
    written(made, "-o", tmp_path / "out.h5")
    found, expected = nrm.open_results(tmp_path / "out.h5"), nrm.process(curves)
    assert set(found.data_vars) == set(expected.data_vars)
    for name in expected.data_vars:
        np.testing.assert_array_equal(found[name].values, expected[name].values, err_msg=str(name))


def test_flags_are_counted(tmp_path: Path) -> None:
    """Half of the ramps stop inside the layer: no hard contact there, and nowhere else."""
    ramp = sim.Ramp(stop_inside=0.5, retract=False)
    found, truth = sim.simulate(SAMPLE, instrument(), ramp, n_curves=40, seed=3)
    found.save(tmp_path / "half.h5")
    (said,) = written(tmp_path / "half.h5", "-o", tmp_path / "out.h5")
    stopped = int(np.sum(~truth.came_through))
    assert 10 < stopped < 30
    assert said["flags"]["no_hard_contact"] == stopped
    assert said["n_contacts"] == 40 - stopped
    quality = nrm.open_results(tmp_path / "out.h5")["quality"].values
    assert said["flags"] == {k: n for k, b in BIT.items() if (n := int(np.sum(quality & b != 0)))}
    assert said["n_unflagged"] == int(np.sum(quality == 0))
    assert said["moduli"][0]["storage_modulus"] == pytest.approx(10e6, rel=0.03)


def test_summary_for_people(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    result = run("process", made, "-o", out)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{out}  (from curves.h5)\n")
    assert re.search(rf"{N} curves: contact found in {N}, \d+ without flags\n", result.stdout)
    for text in (
        "0 to 5 nm",
        "E' ",
        "E'' ",
        "first estimate at",
        "shape factor 1.25, the paper's",
        "simulated: no instrument recorded these curves",
    ):
        assert text in result.stdout
    assert "1 written" in result.stderr


def test_both_directions(made: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('direction = "both"\n[depth]\nstop = "20 nm"\n', encoding="utf-8")
    (said,) = written(made, "-o", tmp_path / "out.h5", "--recipe", recipe)
    assert [m["direction"] for m in said["moduli"]] == ["approach"] * 3 + ["retract"] * 3
    for row in said["moduli"][::3]:
        assert row["storage_modulus"] == pytest.approx(10e6, rel=0.03)
    assert said["n_curves"] == N
    shown = run("info", tmp_path / "out.h5").stdout
    assert "retract" in shown
    assert "41 distances up to 20 nm in steps of 0.5 nm" in shown
    (described,) = json.loads(run("info", "--json", tmp_path / "out.h5").stdout)
    (thickness,) = described["thickness"]
    assert (thickness["region"], thickness["n"]) == ("all curves", N)
    assert "mean thickness with its 95 % interval" in shown


# Warnings, bars


def test_warnings_are_said_once_with_the_file(
    made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out.h5"
    with caplog.at_level(logging.DEBUG):
        result = run("process", made, "-o", out)
    text = "lockin_time_constant is not known: the lock-in's lag is not corrected"
    assert result.stderr.count(text) == 1
    assert f"nrm: {out}: {text}\n" in result.stderr
    assert text not in caplog.text
    nrm.process(nrm.open(made))
    assert text in caplog.text  # in Python it is logged again
    quiet = run("-q", "process", made, "-o", out, "--overwrite")
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (0, "", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal_only(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Processing([made], CurveOptions(), True, recipe=Recipe(), shown=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    batch.all(tmp_path / "out.h5")
    assert "\rout.h5: " in sys.stderr.getvalue()
    assert "curves/s]" in sys.stderr.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    batch.all(tmp_path / "out.h5")
    assert "/s]" not in sys.stderr.getvalue()


# What the file does not say


def test_missing_calibration_ends_with_its_name(in_volts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    result = run("process", in_volts, "-o", out)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"nrm: {in_volts}: missing: deflection_sensitivity" in result.stderr
    assert "Give it with --set KEY=VALUE" in result.stderr
    assert not list(tmp_path.iterdir())
    (said,) = written(in_volts, "-o", out, "--set", "deflection_sensitivity=30nm/V")
    assert sim.Instrument().deflection_sensitivity == 30e-9
    assert said["moduli"][0]["storage_modulus"] == pytest.approx(10e6, rel=0.03)


def test_experiment_file_and_set(in_volts: Path, tmp_path: Path) -> None:
    experiment = tmp_path / "e.toml"
    experiment.write_text(
        '[calibration]\ndeflection_sensitivity = "30 nm/V"\n[tip]\nshape_factor = 2.5\n'
        "[layer]\npoisson_ratio = 0.3\n",
        encoding="utf-8",
    )
    out = tmp_path / "out.h5"
    (said,) = written(in_volts, "-o", out, "--experiment", experiment)
    assert said["shape_factor"].startswith("2.5, ")
    assert "e.toml" in said["shape_factor"]
    assert said["moduli"][0]["storage_modulus"] == pytest.approx(5e6, rel=0.03)
    assert nrm.open_results(out).attrs["poisson_ratio"] == 0.3
    options = ["--experiment", experiment, "--set", "shape_factor=1.25", "--overwrite"]
    (said,) = written(in_volts, "-o", out, *options)
    assert said["shape_factor"].startswith("1.25, --set")


def test_a_curve_of_the_shape_factor_beside_the_recipe(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "rg.txt").write_text("distance (nm)\tr_g\n0\t2.5\n60\t2.5\n", encoding="utf-8")
    (folder / "r.toml").write_text('shape_factor = "rg.txt"\n', encoding="utf-8")
    (said,) = written(made, "-o", tmp_path / "out.h5", "--recipe", folder / "r.toml")
    assert said["shape_factor"].startswith("curve from rg.txt")
    assert said["moduli"][0]["storage_modulus"] == pytest.approx(5e6, rel=0.02)


# Usage


def test_what_1_25_is_and_the_moduli_of_this_tip_beside(made: Path, tmp_path: Path) -> None:
    """E* times r_g is the same under both factors; 0.421 is that of 10 nm in 100 nm."""
    (said,) = written(made, "-o", tmp_path / "without.h5")
    assert (
        "1.25 is the paper's number for all distances, whatever the tip"
        in (said["shape_factor_note"])
    )
    assert "Give tip_radius" in said["shape_factor_note"]
    assert not any("storage_modulus_computed" in row for row in said["moduli"])
    out = tmp_path / "with.h5"
    told = ("--set", "tip_radius=10nm", "--set", "poisson_ratio=0.49")
    ran = run("process", made, "-o", out, *told)
    assert re.search(
        r"give 0.42\d for a bonded cylindrical tip of 10 nm in a layer of 100 nm", ran.stdout
    )
    results = nrm.open_results(out)
    assert results.attrs["shape_factor_note"] in ran.stdout
    computed = fea.shape_factor(
        fea.Tip(10 * NM), fea.Layer(100 * NM, poisson_ratio=0.49), table=True
    ).at(results.depth.values)
    np.testing.assert_allclose(results.shape_factor_computed, computed)
    (described,) = json.loads(run("info", "--json", out).stdout)
    row = next(r for r in described["summary"]["moduli"] if r["from"] == 10 * NM)
    inside = (results.depth > 10.1 * NM) & (results.depth < 20.1 * NM)
    ratio = 1.25 / computed[inside.values]
    both = row["storage_modulus_computed"] / row["storage_modulus"]
    assert ratio.min() < both < ratio.max()
    assert f"E' {row['storage_modulus_computed'] * 1e-6:.3g} MPa" in ran.stdout
    blunt = run("process", made, "-o", tmp_path / "blunt.h5", "--set", "tip_radius=1um")
    assert "for this tip none is in the table: " in blunt.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-o", "out.csv"], 2, "results are written as .h5"),
        (["-o", "out"], 2, "results are written as .h5"),
        ([], 2, "Missing option '-o'"),
        (["-o", "out.h5", "--set", "spring_konstant=1"], 2, "Did you mean spring_constant?"),
        (["-o", "out.h5", "--map", "a=b"], 2, "there is no channel"),
        (["-o", "out.h5", "--recipe", "none.toml"], 1, "there is no such file"),
        (["-o", "out.h5", "--recipe", "wrong.toml"], 1, "Did you mean half_width?"),
        (["-o", "out.h5", "--recipe", "unknown.toml"], 1, "there is no contact method 'mine'"),
        (["-o", "out.h5", "--recipe", "curve.toml"], 1, "no_such_curve.txt"),
        (["-o", "out.h5", "--experiment", "none.toml"], 1, "there is no such file"),
    ],
)
def test_wrong_usage(
    made: Path, tmp_path: Path, monkeypatch: Any, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrong.toml").write_text("[derivative]\nhalf_widht = 1\n", encoding="utf-8")
    Path("unknown.toml").write_text('[contact]\nmethod = "mine"\n', encoding="utf-8")
    Path("curve.toml").write_text('shape_factor = "no_such_curve.txt"\n', encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    result = run("process", made, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_refuses_to_overwrite(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    written(made, "-o", out)
    before = out.read_bytes()
    result = run("process", made, "-o", out)
    assert result.exit_code == 1
    assert "only with --overwrite" in result.stderr
    assert out.read_bytes() == before
    written(made, "-o", out, "--overwrite", "--set", "poisson_ratio=0.3")
    assert nrm.open_results(out).attrs["poisson_ratio"] == 0.3


def test_curves_are_never_replaced_by_their_results(made: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.h5"
    own.write_bytes(made.read_bytes())
    result = run("process", own, "-o", own, "--overwrite")
    assert result.exit_code == 1
    assert "it is one of the files to be processed" in result.stderr
    assert own.read_bytes() == made.read_bytes()


def test_results_are_not_processed(made: Path, tmp_path: Path) -> None:
    written(made, "-o", tmp_path / "out.h5")
    result = run("process", tmp_path / "out.h5", "-o", tmp_path / "again.h5")
    assert result.exit_code == 1
    assert "holds results, not curves" in result.stderr


def test_merge(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    sim.simulate(SAMPLE, instrument(), sim.Ramp(), n_curves=5, seed=9)[0].save(other)
    out = tmp_path / "out.h5"
    (said,) = written(made, other, "-o", out)
    assert (said["n_curves"], said["from"]) == (N + 5, [str(made), str(other)])
    results = nrm.open_results(out)
    assert results.attrs["source_name"] == ["curves.h5", "other.h5"]
    np.testing.assert_array_equal(results["source"].values, [0] * N + [1] * 5)


def test_a_merge_says_what_differs(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    softer = instrument(dither_frequency=2000.0)
    sim.simulate(SAMPLE, softer, sim.Ramp(), n_curves=5, seed=9)[0].save(other)
    result = run("process", made, other, "-o", tmp_path / "out.h5")
    assert result.exit_code == 0
    assert result.stderr.count("dither_frequency differs between the files") == 1
    assert result.stderr.count("there is no viscosity") == 1


# Batches


def test_a_batch_goes_on_past_bad_files(made: Path, bad: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    none = tmp_path / "none.spm"
    result = run("process", bad, made, none, "-o", f"{folder}/", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert [w["path"] for w in report["written"]] == [str(folder / "curves.h5.h5")]
    assert [f["path"] for f in report["failed"]] == [str(bad), str(none)]
    assert list(folder.iterdir()) == [folder / "curves.h5.h5"]
    again = run("process", bad, made, "-o", folder)
    assert again.exit_code == 1
    assert "1 up to date, skipped, 1 failed" in again.stderr


def test_the_only_file_decides_the_exit_code(tmp_path: Path) -> None:
    noise = tmp_path / "noise.spm"
    noise.write_bytes(np.random.default_rng(1).bytes(5000))
    assert run("process", noise, "-o", tmp_path / "out.h5").exit_code == 3
    assert run("process", noise, "-o", f"{tmp_path / 'out'}/").exit_code == 3
    assert run("process", tmp_path / "none", "-o", tmp_path / "out.h5").exit_code == 1


def settings(*more: str) -> list[str]:
    return ["--set", "deflection_sensitivity=30nm/V", *more]


@pytest.mark.parametrize(
    ("second", "skipped"),
    [
        (settings(), True),
        (["--set", "deflection_sensitivity=0.03 um/V"], True),
        (["--set", "deflection_sensitivity=31nm/V"], False),
        (settings("--set", "poisson_ratio=0.5"), False),
        (settings("--recipe", "same.toml"), True),
        (settings("--recipe", "other.toml"), False),
        (
            settings(
                "--map",
                "lateral_in_phase=lateral_quadrature",
                "--map",
                "lateral_quadrature=lateral_in_phase",
            ),
            False,
        ),
    ],
)
def test_what_is_up_to_date(
    in_volts: Path, tmp_path: Path, monkeypatch: Any, second: list[str], skipped: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("same.toml").write_text("# all defaults\n", encoding="utf-8")
    Path("other.toml").write_text('[depth]\nstop = "50 nm"\n', encoding="utf-8")
    written(in_volts, "-o", "out/", *settings())
    stamp = Path("out/volts.h5.h5").stat().st_mtime_ns
    result = run("process", in_volts, "-o", "out/", *second)
    assert ("1 up to date, skipped" in result.stderr) == skipped
    assert ("only with --overwrite" in result.stderr) != skipped
    assert result.exit_code == (0 if skipped else 1)
    assert Path("out/volts.h5.h5").stat().st_mtime_ns == stamp
    if not skipped:
        written(in_volts, "-o", "out/", *second, "--overwrite")
        assert "up to date" in run("process", in_volts, "-o", "out/", *second).stderr


def test_a_changed_curve_of_the_shape_factor_is_noticed(made: Path, tmp_path: Path) -> None:
    recipe, curve = tmp_path / "r.toml", tmp_path / "rg.txt"
    recipe.write_text('shape_factor = "rg.txt"\n', encoding="utf-8")
    arguments = ["process", made, "-o", f"{tmp_path / 'out'}/", "--recipe", recipe]
    curve.write_text("distance (nm)\tr_g\n0\t1.25\n60\t1.25\n", encoding="utf-8")
    assert run(*arguments).exit_code == 0
    assert "up to date" in run(*arguments).stderr
    curve.write_text("distance (nm)\tr_g\n0\t1.3\n60\t1.3\n", encoding="utf-8")
    assert "only with --overwrite" in run(*arguments).stderr


def test_a_changed_source_is_noticed(samples: Any, tmp_path: Path) -> None:
    path = samples.single(n_ext=32).path
    arguments = ["process", path, "-o", f"{tmp_path / 'out'}/"]
    assert run(*arguments).exit_code == 0
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))  # one number, nothing in the header
    assert "only with --overwrite" in run(*arguments).stderr


def test_what_another_program_left_is_not_taken_for_results(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "curves.h5.h5").write_bytes(made.read_bytes())
    result = run("process", made, "-o", folder)
    assert result.exit_code == 1
    assert "only with --overwrite" in result.stderr


SAMPLES = Path(__file__).resolve().parent.parent / "sample_data"


def test_sample_files(tmp_path: Path) -> None:
    """Whatever the vendor, a file gives results or a sentence; none has a lateral signal."""
    files = sorted(p for p in SAMPLES.glob("*/*") if p.is_file())
    assert len(files) > 15
    result = run("process", "--json", *files, "-o", f"{tmp_path / 'out'}/")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert len(report["written"]) + len(report["failed"]) == len(files)
    assert len(report["written"]) >= 10
    for one in report["written"]:
        results = nrm.open_results(one["path"])
        assert results.sizes["curve"] == one["n_curves"] == one["flags"]["missing_lateral"]
        assert "storage_modulus" not in results
        assert "there is no lateral signal: contacts are given, moduli are not" in one["warnings"]
    errors = {Path(f["path"]).name: f["error"] for f in report["failed"]}
    assert errors["image.tiff"] == errors["friction.001"] == "there are no curves in it"
    assert "missing: deflection_sensitivity" in errors["volume-2x3.gwy"]


def test_a_vendor_file_wired_on_the_command_line(samples: Any, tmp_path: Path) -> None:
    path = samples.single(n_ext=64, n_ret=64).path
    bare = run("process", path, "-o", tmp_path / "bare.h5")
    assert bare.exit_code == 0
    assert "nobody has said what Input1, Input2 are" in bare.stderr
    assert "--map Input1=lockin_output_x --map Input2=lockin_output_y" in bare.stderr
    options: list[str] = []
    for name in ("Input1=lateral_in_phase", "Input2=lateral_quadrature"):
        options += ["--map", name]
    first = run("process", path, "-o", tmp_path / "out.h5", *options)
    assert first.exit_code == 1
    for key in ("dither_amplitude", "lockin_convention", "lateral_stiffness"):
        assert key in first.stderr
    for value in (
        "dither_amplitude=1nm",
        "lockin_convention=rms",
        "lateral_stiffness=80N/m",
        "lateral_sensitivity=90nm/V",
    ):
        options += ["--set", value]
    written(path, "-o", tmp_path / "out.h5", *options)
    results = nrm.open_results(tmp_path / "out.h5")
    assert "storage_modulus" in results
    assert "lateral_in_phase = Input1" in results.attrs["channels"]
    assert results.attrs["source_sha256"] == [hashlib.sha256(path.read_bytes()).hexdigest()]


def test_what_makes_tables_and_figures_is_not_imported(made: Path, tmp_path: Path) -> None:
    """On the way from a file to a results file, in a process of its own."""
    program = (
        "import sys\n"
        "from nrm_plugin.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "print(sorted({'xarray', 'pandas', 'matplotlib'} & set(sys.modules)))\n"
    )
    for _ in range(2):  # into a file, and up to date in a folder
        command = [sys.executable, "-c", program, "process", made, "-o", f"{tmp_path}/results/"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"
    assert "1 up to date, skipped" in done.stderr


# Interruptions

DYING = """
import os, signal, sys
from nrm_plugin.cli import main, process

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it

def die(done, total):
    if done >= 8:
        os.kill(os.getpid(), signal.{signal})

def slowly(*what, progress, **options):
    return straight(*what, progress=die, block=4, **options)

straight, process.run = process.run, slowly
main(sys.argv[1:])
"""


def interrupted(by: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``nrm`` in a process of its own that gets a signal when 8 curves are done."""
    command = [sys.executable, "-c", DYING.format(signal=by), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@POSIX
@pytest.mark.parametrize(("by", "code"), [("SIGKILL", -signal.SIGKILL), ("SIGINT", 130)])
def test_goes_on_where_it_stopped(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str, code: int
) -> None:
    out, straight = tmp_path / "out.h5", tmp_path / "straight.h5"
    ended = interrupted(by, "process", made, "-o", out)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    if by == "SIGINT":
        assert "stopped; the same call goes on from here" in ended.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["out.h5.process"]
    written(made, "-o", straight)
    reached: list[int] = []

    def watched(*what: Any, progress: None, elsewhere: None, **options: Any) -> Any:
        options |= {"progress": lambda done, _: reached.append(done), "block": 4}
        return nrm.process(*what, **options)

    monkeypatch.setattr("nrm_plugin.cli.process.run", watched)
    (said,) = written(made, "-o", out)
    assert said["n_curves"] == N
    assert reached == list(range(12, N + 1, 4))
    assert not (tmp_path / "out.h5.process").exists()
    a, b = nrm.open_results(out), nrm.open_results(straight)
    for name in b.data_vars:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=str(name))


@POSIX
def test_a_batch_goes_on_where_it_stopped(made: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.h5"
    sim.simulate(SAMPLE, instrument(), sim.Ramp(), n_curves=4, seed=9)[0].save(few)
    arguments = ["process", few, made, "-o", f"{tmp_path / 'out'}/"]
    assert interrupted("SIGKILL", *arguments).returncode == -signal.SIGKILL
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"few.h5.h5", "curves.h5.h5.process"}
    again = run(*arguments)
    assert again.exit_code == 0
    assert "1 written, 1 up to date, skipped" in again.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"few.h5.h5", "curves.h5.h5"}


# nrm info, nrm plugins


def test_info_says_what_is_in_results(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    (said,) = written(made, "-o", out, "--set", "title=Trial")
    result = run("info", "--json", out, made)
    assert result.exit_code == 0
    results, curves = json.loads(result.stdout)
    assert curves["kind"] == "curves"
    assert {"path", "kind", "n_curves", "variables", "attributes", "warnings"} <= set(results)
    assert (results["path"], results["kind"], results["n_curves"]) == (str(out), "results", N)
    assert results["depth"] == {"stop": pytest.approx(60 * NM), "step": 0.5 * NM, "count": 121}
    modulus = next(v for v in results["variables"] if v["name"] == "storage_modulus")
    assert modulus == {
        "name": "storage_modulus",
        "unit": "Pa",
        "meaning": "storage modulus E'",
        "dims": ["curve", "depth"],
    }
    assert results["attributes"]["title"] == "Trial"
    assert Recipe.from_text(results["attributes"]["recipe"]) == Recipe()
    assert results["warnings"] == said["warnings"]
    assert results["summary"]["flags"] == said["flags"]
    shown = run("info", out).stdout
    for text in (
        f"{out}  (results of nrm process {nrm.__version__})",
        "from curves.h5",
        f"{N} curves",
        "121 distances up to 60 nm in steps of 0.5 nm",
        "storage_modulus",
        'method = "grown"',
        "shape factor 1.25, the paper's",
        "lockin_time_constant is not known",
    ):
        assert text in shown


def test_info_json_has_no_nan(made: Path, tmp_path: Path) -> None:
    """Without a dither frequency the attribute is nan, which JSON doesn't have."""
    found = nrm.open(made)
    known = {k: v for k, v in found.metadata.items() if k != "dither_frequency"}
    channels = {k: (found.read(k), c.unit) for k, c in found.channels.items()}
    curves = nrm.CurveSet.from_arrays(channels, found.row_size, found.segments, metadata=known)
    nrm.process(curves, out=tmp_path / "out.h5")
    shown = run("info", "--json", tmp_path / "out.h5").stdout
    (results,) = json.loads(shown, parse_constant=lambda text: pytest.fail(text))
    assert results["attributes"]["dither_frequency"] is None


def test_info_of_damaged_results(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    written(made, "-o", out)
    out.write_bytes(out.read_bytes()[:-2000])
    result = run("info", out)
    assert result.exit_code == 1
    assert str(out) in result.stderr
    assert "Traceback" not in result.stderr


METHOD = """
from nrm_plugin import hookimpl

class Deepest:
    name = "deepest"
    description = "the last sample of the ramp"
    def find(self, height, deflection):
        return height[-1] + deflection[-1], 1e-9

@hookimpl
def nrm_contact_methods():
    return [Deepest()]
"""


def test_contact_methods_of_plugins(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / "my_contact-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-contact\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nrm_plugin]\nmine = my_contact_of_a_test\n")
    (tmp_path / "site" / "my_contact_of_a_test.py").write_text(METHOD)
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = plugins.load()
    monkeypatch.setattr(plugins, "installed", lambda: found)
    assert "contact method deepest" in run("plugins").stdout
    listed = {p["name"]: p for p in json.loads(run("plugins", "--json").stdout)}
    assert listed["mine"]["contact_methods"] == ["deepest"]
    recipe = tmp_path / "r.toml"
    recipe.write_text('[contact]\nmethod = "deepest"\n', encoding="utf-8")
    written(made, "-o", tmp_path / "out.h5", "--recipe", recipe)
    results, curves = nrm.open_results(tmp_path / "out.h5"), nrm.open(made)
    approach = curves.segments[0]["stop"] - 1
    expected = [curves.read(name).reshape(N, -1)[:, approach] for name in ("height", "deflection")]
    np.testing.assert_allclose(results["contact_height"].values, sum(expected), atol=1e-12)
