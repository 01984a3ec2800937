"""The command line: exit codes, data on stdout, batches that go on and take up again."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

import nrm_plugin as nrm
from nrm_plugin.cli import main
from nrm_plugin.text import with_unit

PACKAGE = Path(nrm.__file__).parent
NOISE = np.random.default_rng(1).bytes(5000)


def run(*arguments: str | Path) -> Result:
    """Run ``nrm`` in this process; anything but an exit is a failure."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def nrm_process(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nrm_plugin", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", timeout=60, **options
    )


@pytest.fixture
def single(samples: Any) -> Path:
    return samples.single(n_ext=32, n_ret=24).path  # type: ignore[no-any-return]


@pytest.fixture
def volume(samples: Any) -> Path:
    return samples.volume(rows=2, columns=3, n_ext=16, n_ret=8).path  # type: ignore[no-any-return]


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    path = tmp_path / "noise.spm"
    path.write_bytes(NOISE)
    return path


@pytest.fixture
def cut(tmp_path: Path, single: Path) -> Path:
    path = tmp_path / "cut.spm"
    path.write_bytes(single.read_bytes()[:-20])
    return path


# Imports


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
from nrm_plugin.cli import main
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
heavy = {"numpy", "h5py", "xarray", "pint", "h5netcdf", "scipy", "matplotlib", "tqdm", "pydantic"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    for command in ("info", "convert", "process", "plugins", "demo", "recipe"):
        assert f"  {command} " in done.stdout


def imported(path: Path) -> set[str]:
    """Top-level names of all modules that a source file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").split(".")[0])
    return names


def test_the_core_knows_no_vendor_and_no_hardware() -> None:
    sources = list(PACKAGE.rglob("*.py"))
    assert len(sources) > 15
    others = {"nrm_importers", "nrm_daq"}
    offenders = {
        str(path.relative_to(PACKAGE)): imported(path) & others
        for path in sources
        if any(name in path.read_text(encoding="utf-8") for name in others)  # quicker to see
    }
    assert not {path: names for path, names in offenders.items() if names}
    importer = importlib.util.find_spec("nrm_importers.bruker")
    assert importer is not None
    assert importer.origin is not None
    assert "nrm_plugin" in imported(Path(importer.origin))  # the walk does see imports


# nrm info


def test_info_json(volume: Path, samples: Any) -> None:
    images = samples.images().path
    result = run("info", "--json", volume, images)
    assert result.exit_code == 0
    first, second = json.loads(result.stdout)
    assert set(first) >= {
        "path",
        "importer",
        "n_curves",
        "n_samples",
        "grid",
        "channels",
        "segments",
        "metadata",
        "images",
        "warnings",
    }
    assert first["path"] == str(volume)
    assert first["importer"] == "bruker"
    assert (first["n_curves"], first["n_samples"], first["grid"]) == (6, 6 * 24, [2, 3])
    deflection = next(c for c in first["channels"] if c["name"] == "deflection")
    assert (deflection["unit"], deflection["original"]) == ("V", "Deflection Error")
    assert first["segments"] == ["approach", "retract"]
    assert first["metadata"]["spring_constant"] == pytest.approx(0.1332)
    assert first["images"][0]["name"] == "Height"
    assert (first["images"][0]["shape"], first["images"][0]["unit"]) == ([2, 3], "m")
    assert (second["n_curves"], second["grid"], second["segments"]) == (0, None, [])
    assert [i["shape"] for i in second["images"]] == [[24, 32]] * 3


def test_info_for_people(single: Path) -> None:
    result = run("info", single)
    assert result.exit_code == 0
    assert f"{single}  (read by bruker)" in result.stdout
    assert "1 curve of 56 samples" in result.stdout
    assert "30 nm/V" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("as_json", [True, False])
def test_info_goes_on_past_bad_files(single: Path, noise: Path, cut: Path, as_json: bool) -> None:
    missing = single.with_name("missing.spm")
    empty = single.parent / "empty"
    empty.mkdir()
    files = [noise, single, missing, cut, empty]
    result = run("info", *(["--json"] if as_json else []), *files)
    assert result.exit_code == 1
    if not as_json:
        assert result.stdout.count("read by bruker") == 1
        assert all(str(f) in result.stderr for f in (noise, missing, cut))
        return
    reports = json.loads(result.stdout)
    assert [r["path"] for r in reports] == [str(f) for f in files]
    assert ["error" in r for r in reports] == [True, False, True, True, True]
    assert all(set(r) == {"path", "error"} for r in reports if "error" in r)


@pytest.mark.parametrize(("kind", "code"), [("noise", 3), ("cut", 1), ("missing", 1), ("empty", 3)])
@pytest.mark.parametrize("command", [["info"], ["info", "--json"], ["convert", "-o", "out.h5"]])
def test_exit_code_of_the_only_file(
    kind: str, code: int, command: list[str], noise: Path, cut: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(noise.parent)
    path = {"noise": noise, "cut": cut}.get(kind, noise.with_name(kind))
    if kind == "empty":
        path.write_bytes(b"")
    result = run(*command, path)
    assert result.exit_code == code
    assert not Path("out.h5").exists()


def test_two_unknown_files_are_failures(noise: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.spm"
    other.write_bytes(NOISE)
    assert run("info", noise, other).exit_code == 1
    assert run("convert", noise, other, "-o", tmp_path / "out.h5").exit_code == 1


def test_real_processes(single: Path, noise: Path, tmp_path: Path) -> None:
    """The same through the interpreter: codes, and data alone on the standard output."""
    done = nrm_process("info", "--json", single)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)[0]["n_samples"] == 56
    done = nrm_process("info", noise)
    assert (done.returncode, done.stdout) == (3, "")
    assert "no importer knows this kind of file" in done.stderr
    assert "Traceback" not in done.stderr
    done = nrm_process("convert", single, noise, "-o", tmp_path / "out.h5", "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["written"] == [{"path": str(tmp_path / "out.h5"), "from": [str(single)]}]
    assert [f["path"] for f in report["failed"]] == [str(noise)]
    assert nrm_process("info").returncode == 2
    assert nrm_process("--version").stdout == f"nrm, version {nrm.__version__}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8 are Linux's")
@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_odd_names_and_narrow_terminals(single: Path, tmp_path: Path, encoding: str) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9 \xc2\xb5.000"
    Path(os.fsdecode(odd)).write_bytes(single.read_bytes())
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    options: dict[str, Any] = {"capture_output": True, "env": environment, "timeout": 60}
    command = [sys.executable, "-m", "nrm_plugin"]
    shown = subprocess.run([*command, "info", odd], **options)
    assert (shown.returncode, shown.stderr) == (0, b"")
    listed = subprocess.run([*command, "info", "--json", odd], **options)
    assert os.fsencode(json.loads(listed.stdout)[0]["path"]) == odd
    out = os.fsencode(tmp_path / "out") + b"/"
    for word in (b"1 written", b"1 up to date, skipped"):
        done = subprocess.run([*command, "convert", odd, "-o", out], **options)
        assert done.returncode == 0
        assert word in done.stderr


# nrm convert


def test_convert_one(single: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    result = run("convert", single, "-o", out)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 written" in result.stderr
    assert run("-q", "convert", single, "-o", out, "--overwrite").stderr == ""
    a, b = nrm.open(single), nrm.open(out)
    np.testing.assert_array_equal(a.read("deflection"), b.read("deflection"))


def test_convert_to_csv(single: Path, tmp_path: Path) -> None:
    converted = run("convert", single, "-o", tmp_path / "out.csv")
    assert converted.exit_code == 0
    assert "positions, times, calibration and images stay behind" in converted.stderr
    lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 56
    assert lines[0].startswith("curve,segment,sample,")


def test_merge(single: Path, volume: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    assert run("convert", volume, single, "-o", out).exit_code == 0
    both = nrm.open(out)
    assert both.n_curves == 7
    assert [o.name for o in both.origins] == ["volume.spm", "single.000"]
    expected = np.concatenate([nrm.open(p).read("deflection") for p in (volume, single)])
    np.testing.assert_array_equal(both.read("deflection"), expected)


def test_convert_refuses_to_overwrite(single: Path, volume: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    run("convert", single, "-o", out)
    before = out.read_bytes()
    result = run("convert", volume, "-o", out)
    assert result.exit_code == 1
    assert "--overwrite" in result.stderr
    assert out.read_bytes() == before
    assert run("convert", volume, "-o", out, "--overwrite").exit_code == 0
    assert nrm.open(out).n_curves == 6


def test_convert_onto_itself(single: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    run("convert", single, "-o", out)
    expected = nrm.open(out).read("deflection")
    result = run("convert", out, "-o", out, "--overwrite", "--set", "spring_constant=0.7")
    assert result.exit_code == 0
    assert nrm.open(out).metadata["spring_constant"] == 0.7
    np.testing.assert_array_equal(nrm.open(out).read("deflection"), expected)


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("spring_constant=0.2N/m", "spring_constant", 0.2),
        ("spring_constant = 200 mN/m", "spring_constant", 0.2),
        ("spring_constant=0.2", "spring_constant", 0.2),
        ("deflection_sensitivity=27 nm/V", "deflection_sensitivity", 27e-9),
        ("scan_size=25 µm", "scan_size", 25e-6),
        ("dither_frequency=1.5kHz", "dither_frequency", 1500.0),
        ("lockin_phase=90°", "lockin_phase", np.pi / 2),
        ("lockin_convention=rms", "lockin_convention", "rms"),
        ("title=a = b", "title", "a = b"),
        ("simulated=true", "simulated", True),
    ],
)
def test_set(single: Path, tmp_path: Path, setting: str, key: str, value: Any) -> None:
    out = tmp_path / "out.h5"
    assert run("convert", single, "-o", out, "--set", setting).exit_code == 0
    made = nrm.open(out)
    expected = pytest.approx(value, rel=1e-14) if isinstance(value, float) else value
    assert made.metadata[key] == expected
    assert made.metadata_source[key] == "--set"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "spring_constnt=0.2"], "Did you mean spring_constant?"),
        (["--set", "spring_constant"], "write it as NAME=VALUE"),
        (["--set", "=0.2"], "write it as NAME=VALUE"),
        (["--set", "spring_constant="], "write it as NAME=VALUE"),
        (["--set", "spring_constant=0.2 N"], "spring_constant: N cannot be turned into N/m"),
        (["--set", "spring_constant=nan"], "spring_constant"),
        (["--set", "deflection_sensitivity=27"], "not believable"),
        (["--set", "lockin_convention=loud"], "rms or peak"),
        (["--map", "Input1=lockin_output_xx"], "Did you mean lockin_output_x?"),
        (["--map", "Input1"], "write it as NAME=VALUE"),
        (["--sett", "x=1"], "--set"),
        (["--to", "xyz"], "nothing writes"),
    ],
)
def test_wrong_usage(single: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    folder = f"{tmp_path / 'out'}/"
    result = run("convert", single, "-o", folder, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr.replace("\n", " ")
    assert not Path(folder).exists()


def test_wrong_usage_of_output(single: Path, tmp_path: Path) -> None:
    assert run("convert", single).exit_code == 2
    assert run("convert", single, "-o", tmp_path / "out.xyz").exit_code == 2
    assert run("convert", "-o", tmp_path / "out.h5").exit_code == 2
    assert run("conver", single).exit_code == 2


def test_map(single: Path, tmp_path: Path, samples: Any) -> None:
    out = tmp_path / "out.h5"
    wires = ["--map", "Input1=lockin_output_x", "--map", "Input2=lockin_output_y"]
    assert run("convert", single, "-o", out, *wires).exit_code == 0
    made, truth = nrm.open(out), samples.single("again.000", n_ext=32, n_ret=24)
    for name, original in (("lockin_output_x", "Input1"), ("lockin_output_y", "Input2")):
        assert made.channels[name].original == original
        np.testing.assert_allclose(made.read(name), truth.volts[original][0], rtol=1e-13)


def test_map_of_a_channel_that_is_not_there(single: Path, tmp_path: Path) -> None:
    result = run("convert", single, "-o", tmp_path / "o.h5", "--map", "Input9=lockin_output_x")
    assert result.exit_code == 1
    assert "there is no channel 'Input9'" in result.stderr
    assert "Input1" in result.stderr


# Batches into a folder


def test_batch_goes_on_and_takes_up_again(
    single: Path, volume: Path, noise: Path, cut: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "out"
    files = [noise, single, cut, volume]
    result = run("convert", *files, "-o", f"{folder}/", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    made = [folder / "single.000.h5", folder / "volume.spm.h5"]
    assert [w["path"] for w in report["written"]] == [str(m) for m in made]
    assert [w["from"] for w in report["written"]] == [[str(single)], [str(volume)]]
    assert [f["path"] for f in report["failed"]] == [str(noise), str(cut)]
    assert sorted(folder.iterdir()) == made

    before = [m.stat().st_mtime_ns for m in made]
    made[1].unlink()
    again = json.loads(run("convert", *files, "-o", folder, "--json").stdout)
    assert again["skipped"] == [str(made[0])]
    assert [w["path"] for w in again["written"]] == [str(made[1])]
    assert made[0].stat().st_mtime_ns == before[0]


FIRST = ["--set", "spring_constant=0.2", "--map", "Input1=lockin_output_x"]


@pytest.mark.parametrize(
    ("second", "skipped"),
    [
        (FIRST, True),
        (["--map", "Input1=lockin_output_x", "--set", "spring_constant=200mN/m"], True),
        ([], False),
        (FIRST[:2], False),
        (FIRST[2:], False),
        (["--set", "spring_constant=0.3", *FIRST[2:]], False),
        ([*FIRST, "--set", "title=new"], False),
        ([*FIRST[:2], "--map", "Input2=lockin_output_x"], False),
        ([*FIRST, "--map", "Input2=lockin_output_y"], False),
    ],
)
def test_other_settings_are_not_skipped(
    single: Path, tmp_path: Path, second: list[str], skipped: bool
) -> None:
    folder = f"{tmp_path / 'out'}/"
    run("convert", single, "-o", folder, *FIRST)
    result = run("convert", single, "-o", folder, *second)
    assert result.exit_code == (0 if skipped else 1)
    assert ("up to date" in result.stderr) == skipped
    assert ("it exists" in result.stderr) != skipped
    if not skipped:
        assert run("convert", single, "-o", folder, *second, "--overwrite").exit_code == 0
        assert "up to date" in run("convert", single, "-o", folder, *second).stderr


def test_a_changed_source_is_not_skipped(samples: Any, tmp_path: Path) -> None:
    folder = f"{tmp_path / 'out'}/"
    path = samples.single(n_ext=32).path
    run("convert", path, "-o", folder)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))  # one number, nothing in the header
    result = run("convert", path, "-o", folder)
    assert result.exit_code == 1
    assert "it exists" in result.stderr
    assert run("convert", path, "-o", folder, "--overwrite").exit_code == 0


def test_a_value_from_elsewhere_is_another_result(single: Path, tmp_path: Path) -> None:
    """The file's own spring constant, now given by hand: the same number, another source."""
    folder = f"{tmp_path / 'out'}/"
    run("convert", single, "-o", folder)
    k = nrm.open(single).metadata["spring_constant"]
    assert run("convert", single, "-o", folder, "--set", f"spring_constant={k!r}").exit_code == 1


def test_a_half_written_result_is_not_up_to_date(single: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run("convert", single, "-o", f"{folder}/")
    made = folder / "single.000.h5"
    made.write_bytes(made.read_bytes()[:3000])
    assert run("convert", single, "-o", folder).exit_code == 1


def test_common_files_resume_too(single: Path, tmp_path: Path) -> None:
    run("convert", single, "-o", tmp_path / "one.h5")
    for word in ("1 written", "1 up to date"):
        result = run("convert", tmp_path / "one.h5", "-o", f"{tmp_path / 'out'}/")
        assert word in result.stderr


def test_two_files_of_one_name(single: Path, volume: Path, tmp_path: Path) -> None:
    """The second is an error, not a silent replacement of the first."""
    other = tmp_path / "other" / single.name
    other.parent.mkdir()
    other.write_bytes(volume.read_bytes())
    result = run("convert", single, other, "-o", f"{tmp_path / 'out'}/", "--overwrite")
    assert result.exit_code == 1
    assert "just made from" in result.stderr
    assert nrm.open(tmp_path / "out" / "single.000.h5").n_curves == 1


def test_the_same_file_twice_is_once(single: Path, tmp_path: Path) -> None:
    run("convert", single, single, "-o", tmp_path / "out.h5")
    assert nrm.open(tmp_path / "out.h5").n_curves == 1


def test_folder_of_csv(single: Path, tmp_path: Path) -> None:
    assert run("convert", single, "-o", f"{tmp_path / 'out'}/", "--to", "csv").exit_code == 0
    assert (tmp_path / "out" / "single.000.csv").stat().st_size > 1000


def test_a_folder_that_cannot_be(single: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    result = run("convert", single, "-o", f"{tmp_path / 'file'}/out/")
    assert result.exit_code == 1
    assert "was not written" in result.stderr


# Everything else


def test_plugins() -> None:
    listed = json.loads(run("plugins", "--json").stdout)
    ours = {p["name"]: p for p in listed if p["distribution"] == "nrm-plugin"}
    assert ours["bruker"]["importers"] == ["bruker"]
    assert ours["nrm"]["exporters"][:2] == [".h5", ".csv"]
    assert all(
        set(p)
        == {
            "name",
            "distribution",
            "version",
            "hooks",
            "importers",
            "exporters",
            "contact_methods",
            "derivative_methods",
            "figures",
            "calibrations",
            "lockins",
            "potential_logs",
            "offers",
            "failure",
        }
        for p in listed
    )
    shown = run("plugins").stdout
    assert "importer bruker" in shown
    assert "FAILED" not in shown


def test_every_command_has_help() -> None:
    with click.Context(main) as context:
        names = main.list_commands(context)
    assert {"info", "convert", "process", "plugins", "demo", "recipe"} <= set(names)
    for name in names:
        result = run(name, "--help")
        assert result.exit_code == 0
        assert result.stdout.startswith("Usage: ")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2.739e-08, "m/V", "27.39 nm/V"),
        (0.1332, "N/m", "0.1332 N/m"),
        (1500.0, "Hz", "1.5 kHz"),
        (1e-6, "m", "1 µm"),
        (999.9999999e-9, "m", "1 µm"),
        (-2.5e-3, "V", "-2.5 mV"),
        (0.0, "m", "0 m"),
        (0.5, "", "0.5"),
        (1e-20, "m", "1e-05 fm"),
        (float("inf"), "m", "inf m"),
        ("rms", "", "rms"),
        (True, "", "True"),
    ],
)
def test_numbers_for_people(value: object, unit: str, text: str) -> None:
    assert with_unit(value, unit) == text


def test_an_unknown_error_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    from nrm_plugin.calibration import Estimate
    from nrm_plugin.cli.calibrate import report

    report([Estimate("spring_constant", 0.2, float("nan"), "given")], None, True)
    (shown,) = json.loads(capsys.readouterr().out, parse_constant=lambda text: pytest.fail(text))
    assert (shown["value"], shown["stderr"]) == (0.2, None)
