"""Results as Gwyddion's volumes, images and graphs: their numbers, and the real program."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import gwyfile
import numpy as np
import pytest
from click.testing import CliRunner
from processed_maps import COLUMNS, ROWS, N, processed_map

import nrm_plugin as nrm
from nrm_plugin.cli import main
from nrm_plugin.decisions import Decision, Decisions
from nrm_plugin.statistics.result_views import result_views

PROGRAM = shutil.which("gwyddion")


@pytest.fixture(scope="module")
def made(tmp_path_factory: Any) -> Path:
    return processed_map(tmp_path_factory.mktemp("made"))


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    shutil.copy(made.parent / "curves.h5", tmp_path)
    return Path(shutil.copy(made, tmp_path / "r.h5"))


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    assert done.exit_code == code, done.output
    return done.output


def volume(root: Any, title: str) -> Any:
    (number,) = [
        k.split("/")[2]
        for k, v in root.items()
        if k.startswith("/brick/") and k.endswith("/title") and v == title
    ]
    brick = root[f"/brick/{number}"]
    return brick, brick["data"].reshape(brick["zres"], brick["yres"], brick["xres"])


def image(root: Any, title: str) -> tuple[Any, Any]:
    """Image of a title, its lowest row first, and its mask."""
    (number,) = [
        k.split("/")[1] for k, v in root.items() if k.endswith("/data/title") if v == title
    ]
    mask = root.get(f"/{number}/mask")
    field = root[f"/{number}/data"]
    return field, None if mask is None else mask.data[::-1]


def by_place(values: Any) -> Any:
    return values.reshape(ROWS, COLUMNS, *values.shape[1:])


def test_volumes_have_the_profiles_over_the_distance(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.gwy"
    said = run("convert", results, "-o", out)
    assert "approach is taken, retract is left out" in said
    root = gwyfile.load(str(out))
    truth = nrm.open_results(results).isel(direction=0)
    levels = np.flatnonzero(np.isfinite(truth["storage_modulus"].values).any(0))
    _, known = volume(root, "1 where there is a value")
    for name, title, unit in (
        ("storage_modulus", "storage modulus E'", "Pa"),
        ("loss_modulus", "loss modulus E''", "Pa"),
        ("force_gradient_in_phase", "in-phase force gradient", "N/m"),
        ("force_gradient_quadrature", "out-of-phase force gradient", "N/m"),
    ):
        brick, data = volume(root, title)
        profiles = truth[name].values[:, levels]
        expected = by_place(profiles)[::-1]  # the topmost row first
        there = np.isfinite(expected)
        np.testing.assert_array_equal(np.moveaxis(data, 0, -1)[there], expected[there])
        np.testing.assert_array_equal(np.moveaxis(known, 0, -1), there)
        assert there.mean() > 0.9
        assert brick["si_unit_w"]["unitstr"] == unit
        assert (brick["si_unit_z"]["unitstr"], brick["si_unit_x"]["unitstr"]) == ("m", "m")
        (axis,) = brick["calibration"]
        np.testing.assert_array_equal(axis["data"], truth["depth"].values[levels])
        assert axis["si_unit_y"]["unitstr"] == "m"
        depth = axis["data"]
        for part, offset, length in ((brick, "zoff", "zreal"), (axis, "off", "real")):
            assert part[offset] == depth[0]
            np.testing.assert_allclose(part[length] / len(depth), np.diff(depth).mean())
        np.testing.assert_allclose((brick["xreal"], brick["yreal"]), (4e-7, 6e-7))
    _, magnitude = volume(root, "shear modulus |G*|")
    _, storage = volume(root, "storage modulus E'")
    _, loss = volume(root, "loss modulus E''")
    np.testing.assert_allclose(magnitude, np.hypot(storage, loss) / 3, rtol=1e-6)


def test_images_have_the_values_of_the_places(results: Path, tmp_path: Path) -> None:
    run("convert", results, "-o", tmp_path / "r.gwy", "--direction", "retract")
    root = gwyfile.load(str(tmp_path / "r.gwy"))
    truth = nrm.open_results(results).isel(direction=1)
    for distance in (2.5, 5, 10, 20):
        field, mask = image(root, f"storage modulus E' at {distance:g} nm")
        at = truth["storage_modulus"].sel(depth=distance * 1e-9, method="nearest")
        expected = by_place(at.values)
        there = np.isfinite(expected) if mask is None else mask == 0
        np.testing.assert_array_equal(field.data[::-1][there], expected[there])
        assert field["si_unit_z"]["unitstr"] == "Pa"
    field, _ = image(root, "height of the solid contact")
    np.testing.assert_array_equal(field.data[::-1], by_place(truth["contact_height"].values))
    field, _ = image(root, "number of the curve")
    np.testing.assert_array_equal(field.data[::-1], np.arange(N).reshape(ROWS, COLUMNS))
    field, _ = image(root, "electrode potential")
    np.testing.assert_array_equal(field.data[::-1].ravel(), [1.2] * 6 + [0.3] * 6)
    assert image(root, "distance of the outermost edge that is detected")


def test_graphs_have_the_mean_of_every_region(results: Path, tmp_path: Path) -> None:
    run("convert", results, "-o", tmp_path / "r.gwy")
    root = gwyfile.load(str(tmp_path / "r.gwy"))
    graph = root["/0/graph/graph/1"]
    assert graph["title"] == "mean profile of the storage modulus E'"
    names = [curve["description"] for curve in graph["curves"]]
    assert names[::3] == ["1.0-1.5 V, 6 curves", "0.005-0.5 V, 6 curves"]
    truth = nrm.open_results(results)
    profile = nrm.statistics.mean_profile(truth, "storage_modulus", np.arange(6))
    for curve, name in zip(graph["curves"][:3], ("mean", "low", "high"), strict=True):
        there = np.isfinite(profile[name].values)
        np.testing.assert_array_equal(curve["xdata"], profile["depth"].values[there])
        np.testing.assert_allclose(curve["ydata"], profile[name].values[there])
    looks = [(curve["line_style"], curve["line_size"]) for curve in graph["curves"]]
    assert looks == [(0, 2), (1, 1), (1, 1)] * 2  # solid means, dotted ends of the interval


def test_the_curves_lie_beside_the_results_and_come_back(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.gwy"
    run("convert", results, "-o", out)
    truth, found = nrm.open(tmp_path / "curves.h5"), nrm.open(out)
    assert any("hold results, which are no curves" in w for w in found.warnings)
    order = np.lexsort((found.curve_table["column"], found.curve_table["row"]))
    np.testing.assert_array_equal(found.curve_table["row"][order], truth.curve_table["row"])
    for number, original in zip(order.tolist(), range(N), strict=True):
        for name in truth.channels:
            np.testing.assert_array_equal(found.read(name, number), truth.read(name, original))
    step = np.diff(found.curve_table["y"][order].reshape(ROWS, COLUMNS), axis=0)
    np.testing.assert_allclose(step, 2e-7)
    root = gwyfile.load(str(out))
    # Curves, volumes and images lie alike: the top left one is the first of the last row.
    lengths = root["/lawn/0"]["curvelengths"]
    first = root["/lawn/0"]["data"][: lengths[0]]
    np.testing.assert_array_equal(first, truth.read("height", N - COLUMNS))


def test_what_was_processed_again_is_asked_for(results: Path, tmp_path: Path) -> None:
    (tmp_path / "curves.h5").rename(tmp_path / "elsewhere")
    out = tmp_path / "r.gwy"
    assert "no curve map; give them with --curves" in run("convert", results, "-o", out)
    assert not any(key.startswith("/lawn") for key in gwyfile.load(str(out)))
    (tmp_path / "elsewhere").rename(tmp_path / "again.h5")
    given = ["--curves", tmp_path / "again.h5", "--distance", "7nm", "--overwrite"]
    run("convert", results, "-o", out, *given)
    root = gwyfile.load(str(out))
    assert "/lawn/0" in root
    titles = [v for k, v in root.items() if k.endswith("/data/title") and " at " in v]
    assert {t.rpartition(" at ")[2] for t in titles} == {"7 nm"}
    assert "the results go from" in run(
        "convert", results, "-o", tmp_path / "x.gwy", "--distance", "3um", code=1
    )


def test_excluded_curves_have_no_values(results: Path, tmp_path: Path) -> None:
    made = Decisions.for_results(nrm.open_results(results, decisions=False), results)
    made.with_decision(Decision(decision="exclude", curves=[3], reason="a bubble")).write()
    run("convert", results, "-o", tmp_path / "r.gwy")
    root = gwyfile.load(str(tmp_path / "r.gwy"))
    _, storage = volume(root, "storage modulus E'")
    assert not storage[:, -1, 3].any()
    assert storage[:, -1, 2].any()
    _, known = volume(root, "1 where there is a value")
    assert not known[:, -1, 3].any()
    field, mask = image(root, "storage modulus E' at 5 nm")
    assert mask[0, 3] == 1
    assert np.isfinite(field.data).all()
    field, _ = image(root, "excluded by hand")
    assert np.flatnonzero(field.data[::-1]).tolist() == [3]


def test_rows_downwards_are_turned(tmp_path: Path) -> None:
    processed_map(tmp_path, upwards=False)
    truth = nrm.open_results(tmp_path / "r.h5").isel(direction=0)
    out = tmp_path / "r.gwy"
    run("convert", tmp_path / "r.h5", "-o", out)
    root = gwyfile.load(str(out))
    field, _ = image(root, "height of the solid contact")
    np.testing.assert_array_equal(field.data, by_place(truth["contact_height"].values))
    _, storage = volume(root, "storage modulus E'")
    expected = by_place(truth["storage_modulus"].values)[..., -len(storage) :]
    there = np.isfinite(expected)
    np.testing.assert_array_equal(np.moveaxis(storage, 0, -1)[there], expected[there])


def test_visits_are_apart(tmp_path: Path) -> None:
    processed_map(tmp_path, visits=2)
    views = result_views(
        nrm.open_results(tmp_path / "r.h5"), curves=nrm.open(tmp_path / "curves.h5")
    )
    assert any("the curves make 2 maps" in w for w in views.warnings)
    assert len(views.volumes) == 12
    assert len(views.curve_maps) == 2
    titles = [v.title for v in views.volumes]
    assert len(set(titles)) == 12
    assert sum("visit 2" in title for title in titles) == 6


def test_without_a_grid_there_are_graphs_alone(tmp_path: Path) -> None:
    processed_map(tmp_path, grid=False)
    said = run("convert", tmp_path / "r.h5", "-o", tmp_path / "r.gwy")
    assert "on no grid: in the graphs only" in said
    root = gwyfile.load(str(tmp_path / "r.gwy"))
    assert {key.split("/")[1] for key in root} == {"0"}
    assert sum(key.endswith("/visible") for key in root) == 3
    found = nrm.open(tmp_path / "r.gwy")
    assert found.n_curves == 0


def test_results_without_a_lateral_signal_have_maps_of_the_contact(tmp_path: Path) -> None:
    curves = nrm.open(processed_map(tmp_path).parent / "curves.h5")
    normal = {n: (curves.read(n), curves.channels[n].unit) for n in ("height", "deflection")}
    table = {n: curves.curve_table[n] for n in ("x", "y", "row", "column")}
    metadata = {n: curves.metadata[n] for n in curves.metadata if "dither" not in n}
    normal_only = nrm.CurveSet.from_arrays(
        normal,
        row_size=curves.row_size,
        segments=curves.segments,
        curve_table=table,
        metadata=metadata,
    )
    views = result_views(nrm.process(normal_only))
    assert not views.volumes
    assert not views.graphs
    titles = [image.title for image in views.images]
    assert "height of the solid contact" in titles
    assert any(title.startswith("flag missing_lateral") for title in titles)
    nrm.save(views, tmp_path / "n.gwy")


def test_saved_in_python(results: Path, tmp_path: Path) -> None:
    nrm.save(nrm.open_results(results), tmp_path / "r.gwy")
    assert "/brick/4" in gwyfile.load(str(tmp_path / "r.gwy"))


def test_options_are_for_results_and_gwyddion(results: Path, tmp_path: Path) -> None:
    said = run("convert", results, "-o", tmp_path / "r.csv", "--distance", "5nm", code=2)
    assert "are not for .csv" in said
    said = run("convert", results, "-o", tmp_path / "r.gwy", "--per", "curve", code=2)
    assert "--per is for tables" in said
    said = run("convert", results, "-o", tmp_path / "r.csv", "--open", code=2)
    assert "nothing shows" in said
    curves = tmp_path / "curves.h5"
    said = run("convert", curves, "-o", tmp_path / "c.gwy", "--distance", "5nm", code=1)
    assert "are for results" in said


@pytest.mark.gwyddion
@pytest.mark.skipif(PROGRAM is None, reason="the program gwyddion is not installed")
@pytest.mark.parametrize("kind", ["map", "visits", "points", "excluded"])
def test_the_real_program_keeps_every_number(kind: str, results: Path, tmp_path: Path) -> None:
    if kind in ("visits", "points"):
        processed_map(tmp_path, grid=kind != "points", visits=1 + (kind == "visits"))
    if kind == "excluded":
        decisions = Decisions.for_results(nrm.open_results(results, decisions=False), results)
        decisions.with_decision(Decision(decision="exclude", curves=[3, 7], reason="x")).write()
    out, again = tmp_path / "r.gwy", tmp_path / "again.gwy"
    run("convert", results, "-o", out)
    environment = {k: v for k, v in os.environ.items() if k != "DISPLAY"} | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [str(PROGRAM), f"--convert-to-gwy={again}", str(out)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    ours, theirs = gwyfile.load(str(out)), gwyfile.load(str(again))
    assert assert_kept(ours, theirs) > 3


def assert_kept(ours: Any, theirs: Any) -> int:
    """All arrays, texts and numbers of an object are in another one; returns the arrays."""
    arrays = 0
    for key, value in ours.items():
        if key in ("zoff", "off"):
            continue  # Gwyddion 2.62 does not save them; it does save the calibration of z
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(theirs[key], value, err_msg=key)
            arrays += 1
        elif isinstance(value, gwyfile.objects.GwyObject):
            arrays += assert_kept(value, theirs[key]) if key in theirs else 0
            assert key in theirs or value.get("unitstr") == "", key
        elif isinstance(value, list) and value and not isinstance(value[0], str):
            pairs = zip(value, theirs[key], strict=True)
            arrays += sum(assert_kept(a, b) for a, b in pairs)
        elif isinstance(value, str | float | list):
            assert theirs[key] == value, key
    return arrays


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, and no display."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return folder


posix = pytest.mark.skipif(os.name == "nt", reason="Gwyddion for Windows takes .exe files only")


@posix
def test_the_plug_in_comes_and_goes(home: Path) -> None:
    path = home / ".gwyddion" / "plugins" / "file" / "nrm"
    assert "nothing to remove" in run("gwyddion", "uninstall")
    run("gwyddion", "install")
    run("gwyddion", "install")
    said = subprocess.run([path, "register"], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["nrm", "Nano-rheology (nrm-plugin)", "*.h5 *.ardf", "load", ""]
    run("gwyddion", "uninstall")
    assert not path.exists()
    path.write_text("#!/bin/sh\n# of somebody else\n")
    assert "not ours" in run("gwyddion", "install", code=1)
    assert "not ours" in run("gwyddion", "uninstall", code=1)
    assert path.exists()


@posix
def test_the_plug_in_gives_the_first_map(home: Path, results: Path, tmp_path: Path) -> None:
    run("gwyddion", "install")
    path, dump = home / ".gwyddion" / "plugins" / "file" / "nrm", tmp_path / "dump"
    subprocess.run([path, "load", dump, results], check=True, timeout=120)
    head, _, rest = dump.read_bytes().partition(b"/0/data=[\n[")
    about = dict(line.split("=", 1) for line in head.decode().splitlines())
    assert (about["/0/data/xres"], about["/0/data/yres"]) == ("4", "3")
    assert about["/0/data/unit-z"] == "Pa"
    assert about["/0/data/title"].startswith("storage modulus E' at 5 nm")
    assert rest.endswith(b"]]\n")
    truth = nrm.open_results(results).isel(direction=0)["storage_modulus"]
    expected = by_place(truth.sel(depth=5e-9, method="nearest").values)[::-1]
    found = np.frombuffer(rest[:-3], "<f8").reshape(ROWS, COLUMNS)
    there = np.isfinite(expected)
    np.testing.assert_array_equal(found[there], expected[there])
    bad = tmp_path / "bad.h5"
    bad.write_bytes(b"nothing")
    done = subprocess.run([path, "load", dump, bad], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "bad.h5" in done.stderr


@pytest.mark.gwyddion
@pytest.mark.skipif(PROGRAM is None, reason="the program gwyddion is not installed")
def test_the_real_program_knows_the_plug_in(home: Path, results: Path) -> None:
    run("gwyddion", "install")
    done = subprocess.run(
        [str(PROGRAM), "--identify", str(results)], capture_output=True, text=True, timeout=120
    )
    assert "[nrm," in done.stdout
    run("gwyddion", "uninstall")
    done = subprocess.run(
        [str(PROGRAM), "--identify", str(results)], capture_output=True, text=True, timeout=120
    )
    assert "[nrm," not in done.stdout


def test_open_says_what_hinders_it(home: Path, results: Path, tmp_path: Path) -> None:
    said = run("convert", results, "-o", tmp_path / "r.gwy", "--open")
    assert "1 written" in said
    assert "is not shown" in said
