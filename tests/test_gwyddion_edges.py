"""Gwyddion files at their edges: single lines, gaps, odd points, large runs, and what is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gwyfile
import numpy as np
import pytest
from writers import gwyddion
from writers.gwyddion import Obj, assert_saved, data_field, graph, unit, write

import nrm_plugin as nrm
from nrm_importers.gwyddion import gwyddion_window
from nrm_importers.gwyddion.write_views import write_views
from nrm_plugin.statistics.result_views import ResultViews
from nrm_plugin.tables import SEGMENT

SIX = np.arange(6.0)


def placed(x: list[float], y: list[float], **more: Any) -> nrm.CurveSet:
    """Curves of six samples at these places."""
    n = len(x)
    channels = {"height": (np.tile(SIX[::-1] * 1e-9, (n, 1)), "m")}
    return nrm.CurveSet.from_arrays(channels, curve_table={"x": x, "y": y, **more})


def written(curves: nrm.CurveSet, path: Path) -> nrm.CurveSet:
    nrm.save(curves, path)
    return nrm.open(path)


# ------------------------------------------------------------------ what is written


@pytest.mark.parametrize("turned", [False, True])
def test_a_map_of_one_line_keeps_its_places(tmp_path: Path, turned: bool) -> None:
    """Its cells are as high as they are wide: one line tells no other distance."""
    along, across = [1e-6, 3e-6, 5e-6], [7e-6] * 3
    numbers, zeros = [0, 1, 2], [0, 0, 0]
    if turned:
        curves = placed(across, along, row=numbers, column=zeros)
    else:
        curves = placed(along, across, row=zeros, column=numbers)
    back = written(curves, tmp_path / "a.gwy")
    assert_saved(curves, back)
    made = gwyfile.load(str(tmp_path / "a.gwy"))["/lawn/0"]
    assert sorted([made["xreal"], made["yreal"]]) == pytest.approx([2e-6, 6e-6])


def test_a_few_curves_far_apart_are_points(tmp_path: Path) -> None:
    """No map of a million empty cells for two curves."""
    curves = placed([0.0, 1e-6], [0.0, 2e-6], row=[0, 999], column=[0, 999])
    written(curves, tmp_path / "a.gwy")
    root = gwyfile.load(str(tmp_path / "a.gwy"))
    assert "/lawn/0" not in root
    assert "/0/graph/graph/1" in root


@pytest.mark.parametrize("times", [[0, 1, 2, 1, 3, 4], [0, 1, 2, np.nan, 3, 4]])
def test_times_that_run_back_are_no_abscissa(tmp_path: Path, times: list[float]) -> None:
    """Everything is plotted over the samples then, the times as well."""
    channels = {"deflection": (SIX[None], "V"), "time": (np.array([times], float), "s")}
    curves = nrm.CurveSet.from_arrays(channels)
    assert_saved(curves, written(curves, tmp_path / "a.gwy"))
    first = gwyfile.load(str(tmp_path / "a.gwy"))["/0/graph/graph/1"]
    assert first["bottom_label"] == "sample"


def test_times_alone_are_a_graph(tmp_path: Path) -> None:
    curves = nrm.CurveSet.from_arrays({"time": (SIX[None] * 1e-3, "s")})
    np.testing.assert_array_equal(written(curves, tmp_path / "a.gwy").read("time"), SIX * 1e-3)


def test_the_graph_for_the_eye_has_a_hundred_curves(tmp_path: Path) -> None:
    n = 103
    channels = {
        "height": (np.tile(SIX[::-1] * 1e-9, (n, 1)), "m"),
        "deflection": (np.tile(SIX, (n, 1)), "V"),
    }
    segments = np.zeros(n, SEGMENT)
    segments["curve"], segments["stop"], segments["kind"] = np.arange(n), 6, "approach"
    nrm.save(nrm.CurveSet.from_arrays(channels, segments=segments), tmp_path / "a.gwy")
    root = gwyfile.load(str(tmp_path / "a.gwy"))
    numbers = [len(root[f"/0/graph/graph/{i}"]["curves"]) for i in (1, 2, 3)]
    assert numbers == [100, n, n]


def test_results_without_anything_to_show(tmp_path: Path) -> None:
    with pytest.raises(nrm.InvalidInput) as caught:
        write_views(ResultViews(), tmp_path / "a.gwy")
    sentence = "there is nothing to show: neither profiles nor maps in these results"
    assert str(caught.value) == sentence
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ what is read


def test_long_runs_are_scaled_like_others(tmp_path: Path) -> None:
    """They go straight into the caller's array, and gain and offset are put on them there."""
    values = np.arange(4000.0)
    pixels = [np.stack([values, values]) + i for i in range(4)]
    made = gwyddion.lawn(pixels, 2, 2, ["Z sensor", "Count"], ["m", ""], None, None)
    curves = nrm.open(write(tmp_path / "a.gwy", [("/lawn/0", "o", made)]))
    np.testing.assert_array_equal(curves.read("count", 3), values + 3)
    moved = replace(curves.channels["count"], gain=2.0, offset=5.0)
    curves = curves.with_channel(moved)
    np.testing.assert_array_equal(curves.read("count", 3), 2.0 * (values + 3) + 5.0)
    np.testing.assert_array_equal(curves.read("count")[:4000], 2.0 * values + 5.0)


def test_one_curve_of_a_large_volume(tmp_path: Path) -> None:
    """Read plane by plane, the same numbers as of all curves at once."""
    data = np.arange(5.0 * 60).reshape(5, 6, 10)
    entry = ("/brick/0", "o", gwyddion.brick(data, ("m", "V")))
    curves = nrm.open(write(tmp_path / "a.gwy", [entry]))
    name = next(n for n, c in curves.channels.items() if c.unit == "V")
    for pixel in (0, 37, 59):
        np.testing.assert_array_equal(curves.read(name, pixel), data.reshape(5, 60)[:, pixel])
    np.testing.assert_array_equal(curves.read(name).reshape(60, 5), data.reshape(5, 60).T)


def test_a_calibration_of_another_length_is_none(tmp_path: Path) -> None:
    """The z axis is even then, as the volume itself says."""
    data = np.arange(24.0).reshape(4, 2, 3)
    parts = gwyddion.brick(data, ("m", "V"), calibration=np.arange(3.0)).without("si_unit_z")
    parts.parts.append(("si_unit_z", "o", unit("m")))
    curves = nrm.open(write(tmp_path / "a.gwy", [("/brick/0", "o", parts)]))
    np.testing.assert_allclose(np.sort(curves.read("height", 0)), np.arange(4.0) * 0.25e-6)


def test_a_map_of_empty_pixels(tmp_path: Path) -> None:
    pixels = [np.empty((2, 0))] * 4
    lawn = gwyddion.lawn(pixels, 2, 2, ["Z sensor", "Deflection"], ["m", "V"], None, None)
    entries = [
        ("/lawn/0", "o", lawn.without("data")),
        ("/1/data", "o", data_field(np.ones((2, 2)))),
    ]
    curves = nrm.open(write(tmp_path / "a.gwy", entries))
    assert curves.row_size.tolist() in ([0] * 4, [])
    assert len(curves.images) == 1


def test_four_segments_without_names_or_height(tmp_path: Path) -> None:
    """Nobody knows what they are."""
    pixels = [np.arange(8.0)[None]] * 2
    bounds = [[(0, 2), (2, 4), (4, 6), (6, 8)]] * 2
    made = gwyddion.lawn(pixels, 1, 2, ["Deflection"], ["V"], bounds, None)
    curves = nrm.open(write(tmp_path / "a.gwy", [("/lawn/0", "o", made)]))
    assert set(curves.segments["kind"]) == {"other"}
    assert not [text for text in curves.warnings if "taken as" in text]


def test_segments_that_begin_before_their_curve(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy")
    bounds = np.array(truth.segments).ravel()
    bounds[4] = -1
    write(tmp_path / "b.gwy", [("/lawn/0", "o", truth.lawn.replaced(segments=bounds))])
    with pytest.raises(nrm.CorruptFile, match="expected segments inside the curves"):
        nrm.open(tmp_path / "b.gwy")


def test_texts_that_contradict_each_other_tell_nothing(tmp_path: Path) -> None:
    def file(*microscopes: str) -> nrm.CurveSet:
        entries: list[tuple[str, str, Any]] = []
        for i, name in enumerate(microscopes):
            texts = Obj("GwyContainer", [("Microscope", "s", name), ("Comment", "s", "dry")])
            entries.append((f"/{i}/data", "o", data_field(np.ones((2, 2)))))
            entries.append((f"/{i}/meta", "o", texts))
        return nrm.open(write(tmp_path / "a.gwy", entries))

    assert file("MultiMode 8", "MultiMode 8").metadata["instrument"] == "MultiMode 8"
    told = file("MultiMode 8", "Icon").metadata
    assert "instrument" not in told
    assert told["comment"] == "dry"


def test_a_force_curve_beside_an_image_is_one(tmp_path: Path) -> None:
    """Nothing is left out where every graph is known."""
    x = np.linspace(0, 1e-6, 9)
    force = graph("F-Z", [("Approach", x, x)], ("m", "N"), ("Z", "Force"))
    entries = [("/0/graph/graph/1", "o", force), ("/0/data", "o", data_field(np.ones((2, 2))))]
    curves = nrm.open(write(tmp_path / "a.gwy", entries))
    np.testing.assert_array_equal(np.sort(curves.read("force_normal")), x)
    assert not [text for text in curves.warnings if "left out" in text]


def test_spectra_over_a_named_abscissa(tmp_path: Path) -> None:
    """Its label decides, before its unit does."""
    line = gwyddion.data_line(SIX, ("m", "N"), 6e-9)
    parts = [
        ("title", "s", "Force"),
        ("spec_xlabel", "s", "Z sensor"),
        ("si_unit_xy", "o", unit("m")),
        ("coords", "D", [1e-6, 2e-6]),
        ("data", "O", [line]),
    ]
    curves = nrm.open(write(tmp_path / "a.gwy", [("/sps/0", "o", Obj("GwySpectra", parts))]))
    assert "height_commanded" not in curves.channels
    np.testing.assert_allclose(np.abs(curves.read("height_sensor")), SIX * 1e-9, atol=1e-20)


# ------------------------------------------------------------------ our own graphs, edited


def own(path: Path, points: np.ndarray, *sizes: int, container: str = "GWYP") -> nrm.CurveSet:
    """Two curves and the points that belong to them, as this package writes them."""

    def record(name: str, symbol: str, counts: tuple[int, ...]) -> Obj:
        numbers = [np.arange(float(n)) for n in counts]
        lines = [(f"{i} approach", values, values) for i, values in enumerate(numbers)]
        return graph(name, lines, ("", symbol), ("sample", name))

    surface = Obj(
        "GwySurface",
        [
            ("si_unit_xy", "o", unit("m")),
            ("si_unit_z", "o", unit("")),
            ("data", "D", points.ravel()),
        ],
    )
    meta = Obj("GwyContainer", [("nrm-plugin", "s", "0.1")])
    entries = [
        ("/0/graph/graph/1", "o", record("deflection", "V", (4, 5))),
        ("/0/graph/graph/2", "o", record("lateral", "V", sizes or (4, 5))),
        ("/surface/0", "o", surface),
        ("/surface/0/meta", "o", meta),
    ]
    return nrm.open(write(path, entries, container))


PLACES = np.array([[1e-6, 2e-6, 0.0], [3e-6, 4e-6, 1.0]])


@pytest.mark.parametrize("container", ["GWYP", "GWYQ"])
def test_points_of_our_own_graphs(tmp_path: Path, container: str) -> None:
    curves = own(tmp_path / "a.gwy", PLACES, container=container)
    np.testing.assert_allclose(curves.curve_table["x"], [1e-6, 3e-6])
    np.testing.assert_allclose(curves.curve_table["y"], [2e-6, 4e-6])
    assert curves.row_size.tolist() == [4, 5]


def test_points_beyond_a_metre_are_no_places(tmp_path: Path) -> None:
    curves = own(tmp_path / "a.gwy", PLACES * 1e6)
    assert curves.row_size.tolist() == [4, 5]
    assert np.isnan(curves.curve_table["x"]).all()


def test_a_point_more_is_an_empty_curve(tmp_path: Path) -> None:
    """A curve without samples has no line in a graph, and a point all the same."""
    curves = own(tmp_path / "a.gwy", np.vstack([PLACES, [[5e-6, 6e-6, 2.0]]]))
    assert curves.row_size.tolist() == [4, 5, 0]


def test_graphs_that_were_edited_are_read_like_others(tmp_path: Path) -> None:
    """A signal that was cut is not of the same samples as the others any more."""
    curves = own(tmp_path / "a.gwy", PLACES, 4, 3)
    assert "lateral" not in curves.channels
    np.testing.assert_array_equal(curves.read("deflection"), [0, 1, 2, 3, 0, 1, 2, 3, 4])


# ------------------------------------------------------------------ the program


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that alone is searched for commands."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PATHEXT", ".EXE")
    return tmp_path


def command(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return folder / name


def test_gwyddion_is_found_among_the_commands(computer: Path) -> None:
    """Gwyddion 2 before Gwyddion 3."""
    assert gwyddion_window.program() is None
    third = command(computer, "gwyddion3")
    assert gwyddion_window.program() == str(third)
    second = command(computer, "gwyddion")
    assert gwyddion_window.program() == str(second)


def test_gwyddion_is_found_where_windows_has_it(
    computer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ProgramFiles", str(computer / "programs"))
    monkeypatch.setenv("ProgramFiles(x86)", "")
    place = command(computer / "programs" / "Gwyddion" / "bin", "gwyddion.exe")
    monkeypatch.setattr("sys.platform", "win32")
    assert gwyddion_window.program() == str(place)


def test_without_gwyddion_a_file_is_not_shown(computer: Path) -> None:
    assert gwyddion_window.show(computer / "a.gwy") == (
        "Gwyddion was not found, so that the file is not shown: install it from gwyddion.net, or "
        "add its folder to PATH"
    )
