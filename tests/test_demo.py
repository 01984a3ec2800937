"""nrm demo: the whole of it, with what is known of the simulated experiment."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_plugin import cli
from nrm_plugin.cli import demo
from nrm_plugin.potential import read_log
from nrm_plugin.simulate.sodiation import BEGAN, HardCarbon, sodiation, write_log
from nrm_plugin.statistics import region_thickness, regions


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> tuple[Path, str]:
    """What the demo makes, and what it says."""
    path = tmp_path_factory.mktemp("demo") / "out"
    done = CliRunner().invoke(cli.main, ["-q", "demo", "-o", str(path)], prog_name="nrm")
    assert done.exit_code == 0, done.output
    return path, done.output


def test_everything_is_there(folder):
    path, said = folder
    made = {p.name for p in path.iterdir()}
    assert made == {
        "samples",
        demo.CURVES,
        demo.LOG,
        demo.RESULTS,
        demo.FIGURE,
        demo.SUMMARY,
        demo.REPORT,
    }
    assert said.rstrip().endswith(f"Now open {path / demo.REPORT} in a browser.")
    assert "simulated" in said


def test_sample_files_are_converted(folder):
    names = {p.name for p in (folder[0] / "samples").iterdir()}
    assert names == {f"{p.name}.h5" for p in demo.samples()}
    assert len(names) > 15


def test_all_of_it_says_that_it_is_simulated(folder):
    path, _ = folder
    assert nrm.open(path / demo.CURVES).metadata["simulated"] is True
    assert nrm.open_results(path / demo.RESULTS).attrs["simulated"]
    assert (path / demo.LOG).read_text(encoding="utf-8").startswith("# simulated")
    html = (path / demo.REPORT).read_text(encoding="utf-8")
    assert '<body class="simulated">' in html
    assert "Simulated data." in html


def test_curves_have_the_potential_of_the_sweep(folder):
    """From 2 V at 1 mV/s; a curve lasts 5 s, and its potential is the mean over it."""
    results = nrm.open_results(folder[0] / demo.RESULTS)
    n = results.sizes["curve"]
    period = 1995.0 / n
    seconds = (results["start_time"].values - BEGAN) / np.timedelta64(1, "s")
    np.testing.assert_allclose(seconds, period * np.arange(n), atol=1e-6)
    expected = 2.0 - 1e-3 * (period * (np.arange(n) + 0.5))
    np.testing.assert_allclose(results["potential"].values, expected, atol=0.5e-3)
    assert (results["sweep"].values[1:-1] == -1).all()
    found = regions(results)
    assert [len(region) for region in found] == pytest.approx([n / 4] * 4, abs=2)
    assert (found.outside, found.without_potential) == (0, 0)


def test_the_thickness_is_that_of_the_simulated_interphase(folder):
    """Within 2 nm of the mean thickness over the region's potentials."""
    results = nrm.open_results(folder[0] / demo.RESULTS)
    found = regions(results)
    thickness = region_thickness(results, found)["mean"].values
    for i, region in enumerate(found):
        potentials = np.linspace(region.low, region.high, 201)
        spread = math.exp(0.2**2 / 2)  # the mean of the lognormal thickness
        truth = spread * np.mean([HardCarbon().grown(u).thickness for u in potentials])
        assert thickness[i] == pytest.approx(truth, abs=2e-9), region.label


def test_the_modulus_of_the_outer_layer_is_the_simulated_one(folder):
    """At 0.005 to 0.5 V the layer from 8 to 14 nm is the outer one in nearly all curves."""
    results = nrm.open_results(folder[0] / demo.RESULTS)
    (region,) = (r for r in regions(results) if r.low == 0.005)
    bad = results["quality"].values[region.curves] & 1
    some = results.isel(curve=region.curves[bad == 0], depth=slice(20, 28))  # 10 to 13.5 nm
    found = float(np.nanmean(some["storage_modulus"].values))
    potentials = np.linspace(0.005, 0.5, 51)
    outer = [HardCarbon().grown(u).layers[1].modulus.real for u in potentials]
    assert found == pytest.approx(math.exp(0.35**2 / 2) * np.mean(outer), rel=0.2)


def test_the_summary_is_a_table(folder):
    with (folder[0] / demo.SUMMARY).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["variable"] for row in rows[-5:]] == ["shear_modulus_magnitude"] + 4 * ["thickness"]
    assert len(rows) == 16
    thinnest, *_, thickest = [float(row["mean"]) for row in rows[-4:]]
    assert 0.0 < thinnest < thickest < 60e-9
    assert {row["region"] for row in rows} == {
        "1.5-2.0 V",
        "1.0-1.5 V",
        "0.5-1.0 V",
        "0.005-0.5 V",
    }


def test_a_seed_gives_the_same_curves():
    (first, log, _), (second, same, _) = (sodiation((2, 3), seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.read("deflection"), second.read("deflection"))
    np.testing.assert_array_equal(log["current"], same["current"])


def test_the_log_is_read_as_it_was_written(tmp_path):
    _, log, _ = sodiation((2, 2), seed=5)
    write_log(log, tmp_path / "cv.csv")
    read = read_log(tmp_path / "cv.csv")
    np.testing.assert_allclose(read.potential, log["potential"], atol=1e-6)
    assert read.current is not None
    np.testing.assert_allclose(read.current, log["current"], atol=1e-9)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = CliRunner().invoke(cli.main, ["demo", "-o", str(tmp_path / "file")], prog_name="nrm")
    assert done.exit_code == 1
    assert "file" in done.output
