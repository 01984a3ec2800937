"""Results keep the potentiostat's log, so that no figure needs it again."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_plugin import figures
from nrm_plugin.cli import main
from nrm_plugin.potential import Log, read_log
from nrm_plugin.simulate.sodiation import sodiation, write_log
from nrm_plugin.store.kept_logs import read_logs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    curves, log, _ = sodiation((4, 4), seed=3)
    # Reports without a lateral signal have few figures.
    shown = curves.to_xarray().drop_vars(["lateral_in_phase", "lateral_quadrature"])
    nrm.CurveSet.from_xarray(shown).save(folder / "curves.h5")
    write_log(log, folder / "cv.csv")
    done = CliRunner().invoke(
        main,
        [
            *("process", str(folder / "curves.h5"), "-o", str(folder / "results.h5")),
            *("--potential", str(folder / "cv.csv"), "--clock-offset", "0"),
        ],
    )
    assert done.exit_code == 0, done.output
    return folder


def test_the_log_is_in_the_results(folder):
    log = read_log(folder / "cv.csv")
    (kept,) = read_logs(folder / "results.h5").logs
    again = Log(**kept)
    for name in ("time", "potential", "current"):
        assert np.array_equal(getattr(again, name), getattr(log, name)), name
    assert (again.name, again.sha256, again.start) == (log.name, log.sha256, log.start)


def test_the_voltammogram_needs_no_log(folder, tmp_path):
    results = nrm.open_results(folder / "results.h5")
    volts, amperes = figures.kept_trace(folder / "results.h5", results)
    wanted = figures.log_trace(read_log(folder / "cv.csv"), results)
    assert np.array_equal(volts, wanted[0])
    assert np.array_equal(amperes, wanted[1])
    shown = {"v.svg": 'id="trace"', "r.html": "Current against the electrode potential"}
    for name, command in (("v.svg", ["plot", "--kind", "voltammogram"]), ("r.html", ["report"])):
        out = tmp_path / name
        call = [command[0], str(folder / "results.h5"), "-o", str(out), *command[1:]]
        done = CliRunner().invoke(main, call)
        assert done.exit_code == 0, done.output
        assert shown[name] in out.read_text(encoding="utf-8")


def test_results_of_earlier_versions_open(folder, tmp_path):
    path = tmp_path / "old.h5"
    path.write_bytes((folder / "results.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        del file["entry/potentiostat"]
    assert figures.kept_trace(path, nrm.open_results(path)) is None
    done = CliRunner().invoke(main, ["plot", str(path), "-o", str(tmp_path / "old.png")])
    assert done.exit_code == 0, done.output


def test_logs_that_follow_each_other(folder, tmp_path):
    log = read_log(folder / "cv.csv")
    half = len(log.time) // 2
    parts = [
        Log(log.time[part], log.potential[part], log.current[part], start=log.start)
        for part in (slice(half), slice(half, None))
    ]
    curves = nrm.with_potential(nrm.open(folder / "curves.h5"), parts, clock_offset=0.0)
    results = nrm.process(curves, out=tmp_path / "two.h5")
    assert len(read_logs(tmp_path / "two.h5").logs) == 2
    volts, _ = figures.kept_trace(tmp_path / "two.h5", results)
    assert np.flatnonzero(np.isnan(volts)).tolist() == [half]
    assert np.array_equal(volts[half + 1 :], log.potential[half:])


def test_the_current_that_was_recorded_with_the_curves(folder, tmp_path):
    curves = nrm.open(folder / "curves.h5")
    size = int(curves.row_size[0])
    potential = np.linspace(2.0, 0.0, 16)
    channels = {
        name: (curves.read(name).reshape(16, size), channel.unit)
        for name, channel in curves.channels.items()
    }
    channels |= {
        "potential": (np.repeat(potential[:, None], size, 1), "V"),
        "current": (np.repeat(-1e-6 * potential[:, None], size, 1), "A"),
    }
    made = nrm.CurveSet.from_arrays(channels=channels, metadata=curves.metadata)
    results = nrm.process(nrm.with_potential(made), out=tmp_path / "recorded.h5")
    volts, amperes = figures.kept_trace(tmp_path / "recorded.h5", results)
    assert volts == pytest.approx(potential)
    assert amperes == pytest.approx(-1e-6 * potential)


def test_the_same_is_the_same_bytes(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764000000")
    curves = nrm.with_potential(nrm.open(folder / "curves.h5"), folder / "cv.csv", clock_offset=0.0)
    for name in ("a.h5", "b.h5"):
        nrm.process(curves, out=tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["entry/process/date"].asstr()[()] == "2025-11-24T16:00:00+00:00"
        times = [h5py.h5g.get_objinfo(item.id).mtime for item in file["entry/results"].values()]
        assert set(times) == {0}
