"""``nrm process --potential``: the log on its way to the results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from writers.potentiostat import START, Voltammogram, write_csv, write_mpr, write_mpt

import nrm_plugin as nrm
from nrm_plugin.cli import main

CV = Voltammogram(interval=5.0)


def run(*arguments: str | Path) -> Result:
    """Run ``nrm`` in this process; anything but an exit is a failure."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def made(path: Path, *began: float, **more: Any) -> Path:
    """Save curves that begin so many seconds after the log; their contacts don't matter."""
    height = np.concatenate([np.linspace(100e-9, 0, 60), np.linspace(0, 100e-9, 60)])
    deflection = np.maximum(20e-9 - height, 0.0)
    n = len(began)
    noise = np.random.default_rng(1).normal(0, 1e-10, (n, 120))
    channels = {"height": (np.tile(height, (n, 1)), "m"), "deflection": (deflection + noise, "m")}
    channels |= more.pop("channels", {})
    start = np.datetime64(START, "us") + (np.array(began) * 1e6).astype("m8[us]")
    table = {"start_time": start, "start_time_uncertainty": np.full(n, 1.0)}
    curves = nrm.CurveSet.from_arrays(
        channels, curve_table=table, metadata={"spring_constant": 0.2, **more}
    )
    curves.save(path)
    return path


def columns(path: Path) -> dict[str, np.ndarray]:
    results = nrm.open_results(path)
    return {k: results[k].values for k in ("potential", "potential_uncertainty", "sweep", "cycle")}


@pytest.fixture
def curves(tmp_path: Path) -> Path:
    return made(tmp_path / "curves.h5", 100.0, 1000.0, 1900.0, 2100.0, 3800.0)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    write_mpr(tmp_path / "cv.mpr", CV)
    return tmp_path / "cv.mpr"


def test_the_log_gives_every_curve_its_potential(curves: Path, log: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    result = run("process", curves, "--potential", log, "--clock-offset", "-30s", "-o", out)
    assert result.exit_code == 0, result.stderr
    found = columns(out)
    # The log's clock is 30 s ahead: 100 s after its start by the microscope are 130 s of its own.
    at = np.array([130.0, 1030.0, 1930.0, 2130.0, 3830.0])
    np.testing.assert_allclose(found["potential"], CV.at(at), atol=1e-6)
    np.testing.assert_allclose(found["potential_uncertainty"], 1e-3 + 2.5e-3, atol=1e-6)
    np.testing.assert_array_equal(found["sweep"], [-1, -1, -1, 1, 1])
    np.testing.assert_array_equal(found["cycle"], 1)
    said = nrm.open_results(out).attrs["potential_source"]
    assert said.startswith("cv.mpr (biologic, sha256 ")
    assert said.endswith("; clock offset -30 s; reference 0 V")


def test_info_shows_a_log(log: Path, tmp_path: Path) -> None:
    shown = run("info", log)
    assert shown.exit_code == 0, shown.output
    assert "a potentiostat's log, read by biologic" in shown.output
    assert "799 points over 3990 s, from 0.005 to 2 V" in shown.output
    (about,) = json.loads(run("info", "--json", log).output)
    assert (about["kind"], about["n_points"], about["time_zone"]) == ("log", len(CV.time), None)
    assert about["duration"] == pytest.approx(3990.0)
    assert about["potential"] == pytest.approx([0.005, 2.0], abs=1e-6)
    assert about["cycles"] == [1, 2]
    assert np.datetime64(about["start"]) == np.datetime64(START, "us")
    (tmp_path / "log.csv").write_text("time (s);E\n0;2000\n0,5;1997\n1;1994\n", encoding="utf-8")
    bare = run("info", tmp_path / "log.csv")
    assert bare.exit_code != 0
    assert "--log-unit potential=V" in bare.output
    shown = run("info", tmp_path / "log.csv", "--log-unit", "potential=mV")
    assert "3 points over 1 s, from 1.994 to 2 V" in shown.output
    assert "not in the file: give it with --log-start" in shown.output


def test_units_of_a_log_are_said_to_process(tmp_path: Path, curves: Path) -> None:
    cv = Voltammogram()
    rows = [f"{t};{e * 1e3}" for t, e in zip(cv.time, cv.potential, strict=True)]
    start = f"# start {START.isoformat(sep=' ')}"
    (tmp_path / "log.csv").write_text("\n".join([start, "time (s);E", *rows]), encoding="utf-8")
    given = ("process", curves, "--potential", tmp_path / "log.csv", "--clock-offset", "0s")
    assert run(*given, "-o", tmp_path / "none.h5").exit_code != 0
    done = run(*given, "--log-unit", "potential=mV", "-o", tmp_path / "a.h5")
    assert done.exit_code == 0, done.output
    write_mpr(tmp_path / "cv.mpr", cv)
    given = ("process", curves, "--potential", tmp_path / "cv.mpr", "--clock-offset", "0s")
    done = run(*given, "-o", tmp_path / "b.h5")
    assert done.exit_code == 0, done.output
    one, other = (columns(tmp_path / name)["potential"] for name in ("a.h5", "b.h5"))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_settings_from_the_experiment_and_set(curves: Path, log: Path, tmp_path: Path) -> None:
    experiment = tmp_path / "e.toml"
    lines = [
        "[potential]",
        'reference = "Ag wire"',
        'reference_potential = "2.5 V"',
        'clock_offset = "1 min"',
        "gain = -10",
    ]
    experiment.write_text("\n".join(lines))
    out = tmp_path / "out.h5"
    result = run("process", curves, "--potential", log, "--experiment", experiment, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert "both clocks" not in result.stderr
    # The gain is that of a monitor, which this is not.
    np.testing.assert_allclose(columns(out)["potential"][0], CV.at(np.array(40.0)) + 2.5, atol=1e-6)
    assert 'reference_potential = "2.5 V"' in nrm.open_results(out).attrs["experiment"]


def test_warnings_are_said_and_kept(tmp_path: Path, log: Path) -> None:
    curves = made(tmp_path / "curves.h5", 100.0, 9000.0)
    result = run("process", curves, "--potential", log, "-o", tmp_path / "out.h5")
    assert result.exit_code == 0, result.stderr
    kept = nrm.open_results(tmp_path / "out.h5").attrs["warnings"]
    for words in ("1 of 2 curves were not taken", "both clocks are taken"):
        assert result.stderr.count(words) == 1
        assert words in kept


def test_results_are_made_again_for_another_log(curves: Path, log: Path, tmp_path: Path) -> None:
    def process(*more: str | Path) -> dict[str, Any]:
        folder = f"{tmp_path / 'out'}/"
        result = run("process", curves, "-o", folder, "--overwrite", "--json", *more)
        result = run("process", curves, "-o", folder, "--json", *more)
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def changed(*more: str | Path) -> bool:
        """Whether a call without --overwrite finds results that are not what it would make."""
        result = run("process", curves, "-o", f"{tmp_path / 'out'}/", "--json", *more)
        report = json.loads(result.stdout)
        assert bool(report["failed"]) != bool(report["skipped"])
        return bool(report["failed"])

    plain = ("--potential", log, "--clock-offset", "0s")
    assert len(process(*plain)["skipped"]) == 1
    assert not changed(*plain)
    assert changed()
    assert changed("--potential", log, "--clock-offset", "1s")
    assert changed(*plain, "--set", "reference_potential=0.1V")
    write_mpt(tmp_path / "cv.mpt", CV)
    assert changed("--potential", tmp_path / "cv.mpt", "--clock-offset", "0s")
    write_mpr(log, Voltammogram(interval=5.0, high=1.9))
    assert changed(*plain)


def test_time_zone_and_start_of_a_log(tmp_path: Path, curves: Path) -> None:
    write_csv(tmp_path / "utc.csv", CV)
    out = tmp_path / "out.h5"
    refused = run("process", curves, "--potential", tmp_path / "utc.csv", "-o", out)
    assert refused.exit_code == 1
    assert "--time-zone Europe/London" in refused.stderr
    zone = ("--time-zone", "Europe/London")
    result = run("process", curves, "--potential", tmp_path / "utc.csv", *zone, "-o", out)
    assert result.exit_code == 0, result.stderr
    expected = CV.at(np.array([100.0, 1000.0, 1900.0, 2100.0, 3800.0]))
    np.testing.assert_allclose(columns(out)["potential"], expected, atol=1e-5)
    write_mpr(tmp_path / "no-date.mpr", CV, log=False)
    start = ("--log-start", "2025-03-04T09:41:07.25")
    result = run(
        "process", curves, "--potential", tmp_path / "no-date.mpr", *start, "-o", out, "--overwrite"
    )
    assert result.exit_code == 0, result.stderr
    np.testing.assert_allclose(columns(out)["potential"], expected, atol=1e-6)


def test_no_overlap_is_an_error_that_helps(tmp_path: Path, log: Path) -> None:
    curves = made(tmp_path / "curves.h5", 3600.0 + 3000.0)
    result = run("process", curves, "--potential", log, "-o", tmp_path / "out.h5")
    assert result.exit_code == 1
    assert "clock_offset of 3600 s (+1 h, as between time zones)" in result.stderr
    assert not (tmp_path / "out.h5").exists()


def test_one_file_outside_the_log_does_not_stop_the_others(tmp_path: Path, log: Path) -> None:
    good, bad = made(tmp_path / "a.h5", 10.0), made(tmp_path / "b.h5", 1e6)
    result = run("process", bad, good, "--potential", log, "-o", f"{tmp_path / 'out'}/", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert [Path(w["path"]).name for w in report["written"]] == ["a.h5.h5"]
    assert [Path(f["path"]).name for f in report["failed"]] == ["b.h5"]


def test_a_series_of_files_is_one_experiment(tmp_path: Path, log: Path) -> None:
    files = [made(tmp_path / f"{k}.h5", t) for k, t in enumerate((10.0, 1e6, 3000.0))]
    result = run("process", *files, "--potential", log, "-o", tmp_path / "out.h5")
    assert result.exit_code == 0, result.stderr
    np.testing.assert_array_equal(np.isnan(columns(tmp_path / "out.h5")["potential"]), [0, 1, 0])


def test_two_logs(tmp_path: Path, curves: Path) -> None:
    write_mpr(tmp_path / "1.mpr", Voltammogram(interval=5.0, high=0.5, rate=1e-3))
    rows = "".join(f"{t},1.5\n" for t in range(0, 4001, 10))
    text = f"# start 2025-03-04 09:58:00\ntime (s),E (V)\n{rows}"
    (tmp_path / "2.csv").write_text(text)
    logs = ("--potential", tmp_path / "2.csv", "--potential", tmp_path / "1.mpr")
    result = run("process", curves, *logs, "--clock-offset", "0s", "-o", tmp_path / "out.h5")
    assert result.exit_code == 0, result.stderr
    np.testing.assert_allclose(
        columns(tmp_path / "out.h5")["potential"], [0.4, np.nan, 1.5, 1.5, 1.5], atol=1e-6
    )


def test_a_recorded_channel_needs_no_log(tmp_path: Path) -> None:
    volts = np.array([0.2, 0.15, 0.1])[:, None] * np.ones(120)
    curves = made(
        tmp_path / "curves.h5", 1, 2, 3, channels={"potential": (-volts, "V")}, potential_gain=-10.0
    )
    result = run("process", curves, "-o", tmp_path / "out.h5")
    assert result.exit_code == 0, result.stderr
    found = columns(tmp_path / "out.h5")
    np.testing.assert_allclose(found["potential"], [2.0, 1.5, 1.0])
    np.testing.assert_array_equal(found["sweep"], -1)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--clock-offset", "soon"),
        ("--clock-offset", "3 V"),
        ("--time-zone", "Europe/Lundon"),
        ("--log-start", "yesterday"),
    ],
)
def test_wrong_usage(curves: Path, log: Path, tmp_path: Path, wrong: tuple[str, str]) -> None:
    out = ("-o", tmp_path / "out.h5")
    assert run("process", curves, "--potential", log, *wrong, *out).exit_code == 2
    assert run("process", curves, "--clock-offset", "3s", *out).exit_code == 2


def test_a_bad_log_fails_before_any_work(curves: Path, tmp_path: Path) -> None:
    for name, content in (
        ("none.mpr", None),
        ("bad.mpr", b"BIO-LOGIC MODULAR FILE\x1a"),
        ("notes.txt", b"Electrolyte: none left.\n"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        result = run("process", curves, "--potential", tmp_path / name, "-o", tmp_path / "out.h5")
        assert result.exit_code == 1
        assert str(tmp_path / name) in result.stderr
        assert not (tmp_path / "out.h5").exists()
