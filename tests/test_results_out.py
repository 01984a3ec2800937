"""Results and curves in the files of other programs, read back by those programs' own readers."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner
from processed_maps import N, processed_map

import nrm_plugin as nrm
from nrm_plugin.cli import main
from nrm_plugin.decisions import Decision, Decisions
from nrm_plugin.store.results_table import curve_table, profile_tables


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Folder with results of a map of 3 x 4 curves, both ways of the ramp."""
    return processed_map(tmp_path_factory.mktemp("made")).parent


@pytest.fixture
def results(made, tmp_path) -> Path:
    return Path(shutil.copy(made / "r.h5", tmp_path / "r.h5"))


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def read(path: Path) -> pd.DataFrame:
    """A table with numbers to the last bit; pandas rounds some of those that are text."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    with path.open(newline="", encoding="utf-8") as file:
        table = pd.DataFrame(list(csv.DictReader(file)))
    words = {"direction", "flags", "start_time", "start_time_source"}
    return table.assign(
        **{name: [float(v or "nan") for v in table[name]] for name in table if name not in words}
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_row_per_curve_and_distance(results, tmp_path, suffix):
    out = tmp_path / f"r{suffix}"
    run("convert", results, "-o", out)
    table = read(out)
    truth = nrm.open_results(results)
    n_depth = truth.sizes["depth"]
    assert len(table) == 2 * N * n_depth
    assert table["curve"].tolist()[: n_depth + 1] == [0] * n_depth + [1]
    assert table["direction"].unique().tolist() == ["approach", "retract"]
    np.testing.assert_array_equal(table["distance (m)"][:n_depth], truth["depth"])
    for name, unit in (("storage_modulus", "Pa"), ("force_gradient_in_phase_stderr", "N/m")):
        expected = truth[name].transpose("direction", "curve", "depth").values
        found = table[f"{name} ({unit})"].to_numpy().reshape(expected.shape)
        np.testing.assert_array_equal(found.astype(np.float32), expected.astype(np.float32))
        assert np.isfinite(found).any()
    assert table["potential (V)"].tolist() == (
        np.repeat([1.2] * 6 + [0.3] * 6, n_depth).tolist() * 2
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_row_per_curve(results, tmp_path, suffix):
    out = tmp_path / f"r{suffix}"
    run("convert", results, "-o", out, "--per", "curve")
    table = read(out)
    truth = nrm.open_results(results)
    assert len(table) == 2 * N
    assert table["direction"].tolist() == ["approach"] * N + ["retract"] * N
    expected = truth["contact_height"].transpose("direction", "curve").values.ravel()
    np.testing.assert_array_equal(table["contact_height (m)"], expected)
    assert "storage_modulus (Pa)" not in table


def test_flags_have_their_names():
    quality = xr.DataArray(
        [0, 2, 2 + 128],
        dims="curve",
        name="quality",
        attrs={"flag_masks": [1, 2, 128], "flag_meanings": "no_hard_contact short_wall lag"},
    )
    table = curve_table(xr.Dataset({"quality": quality}))
    assert table["flags"].tolist() == ["", "short_wall", "short_wall lag"]


def test_a_large_table_comes_in_pieces(results, monkeypatch):
    truth = nrm.open_results(results)
    whole = pd.concat(profile_tables(truth), ignore_index=True)
    monkeypatch.setattr("nrm_plugin.store.results_table._ROWS", 500)
    pieces = list(profile_tables(truth))
    assert len(pieces) == 6
    assert max(map(len, pieces)) <= 500
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_xarray_reads_back_what_was_written(results, tmp_path, suffix):
    out = tmp_path / f"r{suffix}"
    run("convert", results, "-o", out)
    found = xr.open_dataset(out, engine="h5netcdf") if suffix == ".nc" else xr.open_zarr(out)
    truth = nrm.open_results(results)
    with found:
        assert set(found.variables) == set(truth.variables)
        for name, variable in truth.variables.items():
            assert found[name].dims == variable.dims
            np.testing.assert_array_equal(found[name].values, variable.values, err_msg=str(name))
            assert found[name].attrs.get("units") == variable.attrs.get("units") or (
                variable.dtype.kind == "M"
            )
        assert found.attrs["recipe"] == truth.attrs["recipe"]
        assert json.loads(found.attrs["source_name"]) == list(truth.attrs["source_name"])


def test_a_folder_of_zarr_is_replaced_whole_or_not_at_all(results, tmp_path):
    out = tmp_path / "r.zarr"
    run("convert", results, "-o", out)
    again = CliRunner().invoke(main, ["convert", str(results), "-o", str(out)])
    assert again.exit_code == 1
    assert "--overwrite" in again.output
    (out / "stray").write_text("left from before")
    run("convert", results, "-o", out, "--overwrite")
    assert not (out / "stray").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.h5", "r.zarr"]
    mine = tmp_path / "mine.zarr"
    mine.mkdir()
    (mine / "thesis.txt").write_text("no")
    refused = CliRunner().invoke(main, ["convert", str(results), "-o", str(mine), "--overwrite"])
    assert refused.exit_code == 1
    assert "other things" in refused.output
    assert (mine / "thesis.txt").read_text() == "no"


def test_a_workbook(results, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    with h5py.File(results, "r+") as file:
        file["entry/results"].attrs["title"] = '=HYPERLINK("http://example.org")'
    out = tmp_path / "r.xlsx"
    run("convert", results, "-o", out)
    book = openpyxl.load_workbook(out)
    assert book.sheetnames == ["regions", "curves", "about"]
    regions = [[cell.value for cell in row] for row in book["regions"].iter_rows()]
    heads = regions[0]
    of = [dict(zip(heads, row, strict=True)) for row in regions[1:]]
    assert {row["region"] for row in of} >= {"1.0-1.5 V", "0.005-0.5 V"}
    assert all(row["n"] == 6 for row in of if row["region"] in ("1.0-1.5 V", "0.005-0.5 V"))
    curves = list(book["curves"].iter_rows(values_only=True))
    assert len(curves) == 1 + 2 * N
    truth = (
        nrm.open_results(results)["contact_height"].transpose("direction", "curve").values.ravel()
    )
    at = curves[0].index("contact_height (m)")
    np.testing.assert_allclose([row[at] for row in curves[1:]], truth, rtol=1e-15)
    titles = [row for row in book["about"].iter_rows() if row[0].value == "title"]
    assert titles[0][1].data_type == "s"


def test_decisions_go_along(results, tmp_path):
    made = Decisions.for_results(nrm.open_results(results, decisions=False), results)
    made.with_decision(Decision(decision="exclude", curves=[3], reason="a bubble")).write()
    run("convert", results, "-o", tmp_path / "r.csv", "--per", "curve")
    table = read(tmp_path / "r.csv")
    assert table.loc[table["by_hand"] != 0, "curve"].unique().tolist() == [3]


def test_what_a_kind_of_file_cannot_hold_is_said(results, made, tmp_path):
    done = CliRunner().invoke(
        main, ["convert", str(made / "curves.h5"), "-o", str(tmp_path / "c.nc")]
    )
    assert done.exit_code == 1
    assert ".nc holds results" in done.output
    done = CliRunner().invoke(main, ["convert", str(results), "-o", str(tmp_path / "r.npz")])
    assert done.exit_code == 1
    assert "npz holds curves" in done.output
    done = CliRunner().invoke(
        main, ["convert", str(results), str(made / "curves.h5"), "-o", str(tmp_path / "x.csv")]
    )
    assert done.exit_code == 2
    assert "one by one" in done.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.h5"]


def test_several_results_into_a_folder(results, tmp_path):
    shutil.copy(results, tmp_path / "s.h5")
    run("convert", results, tmp_path / "s.h5", "-o", f"{tmp_path / 'out'}/", "--to", ".csv")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["r.h5.csv", "s.h5.csv"]


def test_an_archive_of_numpy(made, tmp_path):
    run("convert", made / "curves.h5", "-o", tmp_path / "c.npz")
    curves = nrm.open(made / "curves.h5")
    with np.load(tmp_path / "c.npz") as found:
        for name, channel in curves.channels.items():
            np.testing.assert_array_equal(found[f"channel/{name}"], curves.read(name))
            assert json.loads(str(found["units"]))[name] == channel.unit
        np.testing.assert_array_equal(found["row_size"], curves.row_size)
        np.testing.assert_array_equal(found["table/x"], curves.curve_table["x"])
        assert found["segments"]["kind"].tolist() == curves.segments["kind"].tolist()
        metadata = json.loads(str(found["metadata"]))
        assert metadata["dither_amplitude"] == curves.metadata["dither_amplitude"]


def test_afmformats_opens_curves(made, tmp_path):
    afmformats = pytest.importorskip("afmformats")
    out = tmp_path / "c.afm.h5"
    run("convert", made / "curves.h5", "-o", out)
    curves = nrm.open(made / "curves.h5")
    group = afmformats.load_data(out)
    assert len(group) == N
    factor = (
        1.0
        if curves.channels["deflection"].unit == "m"
        else float(curves.metadata["deflection_sensitivity"])
    )
    factor *= float(curves.metadata["spring_constant"])
    for number in (0, 7):
        segments = curves.segments[curves.segments["curve"] == number]
        kept = np.concatenate(
            [
                np.arange(s["start"], s["stop"])
                for s in segments
                if s["kind"] in ("approach", "retract")
            ]
        )
        (found,) = [curve for curve in group if curve.metadata["enum"] == number]
        force = curves.read("deflection", number)[kept] * factor
        np.testing.assert_allclose(found["force"], force, rtol=1e-12)
        np.testing.assert_array_equal(
            found["height (measured)"], curves.read("height", number)[kept]
        )
        assert int(np.sum(found["segment"] == 0)) == segments["stop"][0] - segments["start"][0]
        assert found.metadata["spring constant"] == curves.metadata["spring_constant"]
        assert found.metadata["grid index x"] == number % 4


def test_curves_that_afmformats_cannot_hold_are_told(tmp_path, caplog):
    """A dead sensor is not the height; curves without a retract are left out, with a word."""
    n = 40
    height = np.tile(np.r_[np.linspace(1e-7, 0, n), np.linspace(0, 1e-7, n)], (3, 1))
    channels = {
        "height": (height, "m"),
        "height_sensor": (np.zeros_like(height), "m"),
        "force_normal": (np.maximum(0, 2e-8 - height), "N"),
    }
    segments = [(0, 0, n, "approach"), (0, n, 2 * n, "retract"), (1, 0, 2 * n, "approach")]
    segments += [(2, 0, n, "approach"), (2, n, n + 5, "hold"), (2, n + 5, 2 * n, "retract")]
    kind = [("curve", "i8"), ("start", "i8"), ("stop", "i8"), ("kind", "U10")]
    curves = nrm.CurveSet.from_arrays(channels, segments=np.array(segments, kind))
    curves.save(tmp_path / "c.h5")
    done = CliRunner().invoke(
        main, ["convert", str(tmp_path / "c.h5"), "-o", str(tmp_path / "c.afm.h5")]
    )
    assert done.exit_code == 0
    assert "1 of 3 curves have no approach or no retract" in caplog.text
    caplog.clear()
    one = curves[:2]
    nrm.save(one, tmp_path / "one.afm.h5")
    assert "1 of 2 curves have no approach or no retract" in caplog.text
    with h5py.File(tmp_path / "c.afm.h5") as file:
        assert sorted(file) == ["0", "1"]
        np.testing.assert_array_equal(file["0/height (measured)"], height[0])
        np.testing.assert_array_equal(
            file["1/force"], np.delete(channels["force_normal"][0][2], np.s_[n : n + 5])
        )
        assert file["1/segment"][()].tolist() == [0] * n + [1] * (n - 5)
        assert file["1"].attrs["curve id"].endswith(":2")


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files")
@pytest.mark.parametrize(("source", "suffix"), [("r.h5", ".nc"), ("curves.h5", ".afm.h5")])
def test_a_full_disk_is_one_sentence(made, tmp_path, source, suffix):
    """HDF5, which cannot close what it could not write, would crash when the program ends."""
    out = tmp_path / f"out{suffix}"
    code = (
        "import resource, sys; from nrm_plugin.entry_point import run;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, resource.RLIM_INFINITY));"
        f"sys.argv = ['nrm', 'convert', {str(made / source)!r}, '-o', {str(out)!r}]; run()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"nrm: {out} was not written: File too large\nnrm: 1 failed\n"
    assert list(tmp_path.iterdir()) == []
