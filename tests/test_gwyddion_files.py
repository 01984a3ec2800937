"""Gwyddion files made by our own writer: what was put in comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gwyfile
import numpy as np
import pytest
from click.testing import CliRunner
from writers import gwyddion
from writers.gwyddion import CONTAINERS, assert_saved, data_field, graph, texts, unit, write

import nrm_plugin as nrm
from nrm_importers.gwyddion import GwyddionImporter
from nrm_plugin import formats
from nrm_plugin.cli import main
from nrm_plugin.errors import CorruptFile, InvalidInput, OutputError
from nrm_plugin.images import Image
from nrm_plugin.testing import check_importer

containers = pytest.mark.parametrize("container", CONTAINERS)


def has(warnings: Any, *words: str) -> bool:
    return any(all(word in text for word in words) for text in warnings)


# ------------------------------------------------------------------ curve maps


@containers
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("empty", [(), (0, 4), (5,)])
def test_map(tmp_path: Path, container: str, ragged: bool, empty: tuple[int, ...]) -> None:
    truth = gwyddion.example_map(
        tmp_path / "a.gwy", container=container, ragged=ragged, empty=empty
    )
    curves = nrm.open(truth.path)
    assert curves.grid == (2, 3)
    np.testing.assert_array_equal(curves.row_size, [p.shape[1] for p in truth.pixels])
    np.testing.assert_array_equal(curves.read("height_sensor"), truth.signal("Z sensor"))
    np.testing.assert_array_equal(curves.read("height"), truth.signal("Z sensor"))
    np.testing.assert_array_equal(curves.read("deflection"), truth.signal("Deflection"))
    np.testing.assert_array_equal(curves.read("input1"), truth.signal("Input1"))
    np.testing.assert_array_equal(curves.read("input1", 3), truth.pixels[3][2])
    assert curves.metadata["height_source"] == "sensor"
    expected = [
        (i, a, b, kind)
        for i, bounds in enumerate(truth.segments)
        for (a, b), kind in zip(bounds, ("approach", "retract"), strict=True)
        if b > a
    ]
    assert curves.segments.tolist() == expected
    assert [(i.name, i.unit, i.shape) for i in curves.images] == [("Topography", "m", (2, 3))]


def test_places_of_a_map_are_gwyddions_own(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy")
    moved = truth.lawn.replaced(xoff=1e-6, yoff=-2e-6)
    curves = nrm.open(write(tmp_path / "b.gwy", [("/lawn/3", "o", moved)]))
    table = curves.curve_table
    np.testing.assert_array_equal(table["row"], [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(table["column"], [0, 1, 2, 0, 1, 2])
    np.testing.assert_allclose(table["x"][:3], [1.5e-6, 2.5e-6, 3.5e-6], rtol=1e-12)
    np.testing.assert_allclose(table["y"][[0, 3]], [-1.5e-6, -0.5e-6], rtol=1e-12)
    without = truth.lawn.without("si_unit_xy")
    curves = nrm.open(write(tmp_path / "c.gwy", [("/lawn/0", "o", without)]))
    assert np.isnan(curves.curve_table["x"]).all()
    assert curves.curve_table["row"].max() == 1


@pytest.mark.parametrize(
    ("labels", "kinds"),
    [
        (["Approach", "Retract"], ["approach", "retract"]),
        (["Retract", "Approach"], ["retract", "approach"]),
        (["Extend-spm", "Pause-spm"], ["approach", "hold"]),
        (["Approach", "Contact"], ["approach", "hold"]),
        (["one", "two"], ["approach", "retract"]),  # by the height
        (None, ["approach", "retract"]),
    ],
)
def test_names_of_segments(tmp_path: Path, labels: list[str] | None, kinds: list[str]) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy", segment_labels=labels)
    assert nrm.open(truth.path).segments["kind"].tolist() == kinds * 6


def test_without_segments_curves_turn_where_the_height_does(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy", segments=False, approach=20, retract=20)
    segments = nrm.open(truth.path).segments
    assert segments["kind"].tolist() == ["approach", "retract"] * 6
    assert set(segments["start"]) == {0, 20}


def test_three_segments_without_names_or_height(tmp_path: Path) -> None:
    pixels = [np.arange(9.0).reshape(1, 9)] * 2
    bounds = [[(0, 3), (3, 6), (6, 9)]] * 2
    made = gwyddion.lawn(pixels, 1, 2, ["Deflection"], ["V"], bounds, None)
    curves = nrm.open(write(tmp_path / "a.gwy", [("/lawn/0", "o", made)]))
    assert curves.segments["kind"].tolist() == ["approach", "hold", "retract"] * 2
    assert has(curves.warnings, "no names", "approach, hold, retract")
    assert has(curves.warnings, "no height", "--map LABEL=height")


def test_segments_that_overlap_are_left_out(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy")
    bounds = np.array(truth.segments)
    bounds[2, 1] = (3, 36)
    curves = nrm.open(
        write(tmp_path / "b.gwy", [("/lawn/0", "o", truth.lawn.replaced(segments=bounds.ravel()))])
    )
    assert has(curves.warnings, "segments overlap")
    assert curves.segments["kind"].tolist() == ["approach", "retract"] * 6


@pytest.mark.parametrize("segment_labels", [["Approach", "Retract"], None])
@pytest.mark.parametrize("segments", [True, False])
def test_a_height_that_rises_is_turned(
    tmp_path: Path, segments: bool, segment_labels: list[str] | None
) -> None:
    truth = gwyddion.example_map(
        tmp_path / "a.gwy",
        sign=-1.0,
        segments=segments,
        segment_labels=segment_labels if segments else None,
    )
    curves = nrm.open(truth.path)
    np.testing.assert_array_equal(curves.read("height"), -truth.signal("Z sensor"))
    assert "sign turned" in curves.channels["height"].source
    assert curves.segments["kind"].tolist() == ["approach", "retract"] * 6


def test_without_a_contact_the_peak_tells_the_sign(tmp_path: Path) -> None:
    truth = gwyddion.example_map(
        tmp_path / "a.gwy", labels=["Z sensor"], units=["m"], sign=-1.0, segments=False
    )
    curves = nrm.open(truth.path)
    np.testing.assert_array_equal(curves.read("height"), -truth.signal("Z sensor"))


@pytest.mark.parametrize(
    ("label", "symbol", "channel"),
    [
        ("Deflection", "V", "deflection"),
        ("DeflectionError", "m", "deflection"),
        ("vDeflection", "N", "force_normal"),
        ("Force", "N", "force_normal"),
        ("Force", "V", "force"),
        ("hDeflection", "V", "lateral"),
        ("Friction", "N", "lateral"),
        ("Height", "m", "height"),
        ("Ramp", "m", "height_commanded"),
        ("ZSnsr", "m", "height_sensor"),
        ("measuredHeight", "m", "height_sensor"),
        ("Time", "s", "time"),
        ("Potential", "V", "gwyddion_potential"),
        ("Current", "A", "gwyddion_current"),
        ("lateral_in_phase", "V", "lateral_in_phase"),
        ("Deflection", "A", "gwyddion_deflection"),
        ("Phase [1]", "deg", "phase_1"),
        ("row", "V", "gwyddion_row"),
    ],
)
def test_meaning_of_labels(tmp_path: Path, label: str, symbol: str, channel: str) -> None:
    scale = 1e-9 if symbol == "N" else 1.0
    pixels = [np.array([[1.0, 0.5, 0.0, 0.5, 1.0]]) * scale]
    made = gwyddion.lawn(pixels, 1, 1, [label], [symbol], None, None)
    curves = nrm.open(write(tmp_path / "a.gwy", [("/lawn/0", "o", made)]))
    assert channel in curves.channels
    assert curves.channels[channel].original == label
    if symbol == "deg":
        assert curves.channels[channel].unit == "rad"
        assert curves.read(channel)[0] == pytest.approx(np.pi / 180)


def test_height_beside_a_sensor_is_the_commanded_one(tmp_path: Path) -> None:
    truth = gwyddion.example_map(
        tmp_path / "a.gwy", labels=["Height", "ZSensor"], units=["m", "m"], segments=False
    )
    curves = nrm.open(truth.path)
    np.testing.assert_array_equal(curves.read("height_commanded"), truth.signal("Height"))
    assert "height_sensor" in curves.channels


def test_map_option_names_a_channel(tmp_path: Path) -> None:
    labels = ["Wheel", "X out", "Y out"]
    truth = gwyddion.example_map(tmp_path / "a.gwy", labels=labels, segments=False)
    out = tmp_path / "a.h5"
    names = ["--map", "Wheel=height", "--map", "X out=lockin_output_x"]
    ran = CliRunner().invoke(main, ["convert", str(truth.path), "-o", str(out), *names])
    assert ran.exit_code == 0, ran.output
    curves = nrm.open(out)
    np.testing.assert_array_equal(curves.read("height"), truth.signal("Wheel"))
    np.testing.assert_array_equal(curves.read("lockin_output_x"), truth.signal("X out"))
    assert curves.segments["kind"].tolist() == ["approach", "retract"] * 6


def test_units_with_prefixes_mean_what_they_mean_to_gwyddion(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy", units=["nm", "V", ""])
    curves = nrm.open(truth.path)
    np.testing.assert_array_equal(curves.read("height"), truth.signal("Z sensor"))
    assert has(curves.warnings, "'nm' is read as m")
    assert curves.channels["input1"].unit == ""


def test_a_lost_unit_is_said(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy", units=["m", "", "V"])
    curves = nrm.open(truth.path)
    assert has(curves.warnings, "Deflection has no unit", "gwyddion_deflection")
    np.testing.assert_array_equal(curves.read("gwyddion_deflection"), truth.signal("Deflection"))


def test_a_map_that_gwyddion_2_broke_still_opens(tmp_path: Path) -> None:
    """Gwyddion 2.62 leaves an empty unit out of the list, but counts it."""
    truth = gwyddion.example_map(tmp_path / "a.gwy", units=["m", "V", "V"])
    data = truth.path.read_bytes()
    whole = gwyddion.serialise(unit("V"), "GWYP")
    size = 4 + len(b"GwyContainer\0")
    broken = data.replace(whole + b"curve_labels", b"curve_labels", 1)
    assert len(broken) == len(data) - len(whole)
    for at in (size, broken.index(b"GwyLawn\0") + 8):
        old = int.from_bytes(broken[at : at + 4], "little")
        broken = broken[:at] + (old - len(whole)).to_bytes(4, "little") + broken[at + 4 :]
    truth.path.write_bytes(broken)
    curves = nrm.open(truth.path)
    assert has(curves.warnings, "units", "lost")
    np.testing.assert_array_equal(
        curves.read("deflection_2" if "deflection_2" in curves.channels else "gwyddion_deflection"),
        truth.signal("Deflection"),
    )


def test_missing_labels_and_units(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy")
    bare = truth.lawn.without("curve_labels", "si_units_curves")
    curves = nrm.open(write(tmp_path / "b.gwy", [("/lawn/0", "o", bare)]))
    assert list(curves.channels) == ["curve_0", "curve_1", "curve_2"]
    np.testing.assert_array_equal(curves.read("curve_1"), truth.signal("Deflection"))


def test_labels_that_repeat(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy", labels=["Z sensor", "Input1", "Input1"])
    curves = nrm.open(truth.path)
    assert {"input1", "input1_2"} <= set(curves.channels)
    assert has(curves.warnings, "more than one signal Input1")


def test_maps_of_the_same_curves_are_one(tmp_path: Path) -> None:
    one = gwyddion.example_map(
        tmp_path / "a.gwy", labels=["Z sensor", "Deflection"], units=["m", "V"]
    )
    two = gwyddion.example_map(tmp_path / "b.gwy", labels=["Input1", "Input2"], units=["V", "V"])
    path = write(tmp_path / "c.gwy", [("/lawn/0", "o", one.lawn), ("/lawn/5", "o", two.lawn)])
    curves = nrm.open(path)
    assert {"height", "deflection", "input1", "input2"} <= set(curves.channels)
    assert not has(curves.warnings, "left out")


def test_of_other_maps_the_largest_is_read(tmp_path: Path) -> None:
    one = gwyddion.example_map(tmp_path / "a.gwy")
    two = gwyddion.example_map(tmp_path / "b.gwy", approach=50)
    entries = [
        ("/lawn/0", "o", one.lawn),
        ("/lawn/0/title", "s", "small"),
        ("/lawn/1", "o", two.lawn),
        ("/lawn/1/title", "s", "large"),
    ]
    curves = nrm.open(write(tmp_path / "c.gwy", entries))
    np.testing.assert_array_equal(curves.read("deflection"), two.signal("Deflection"))
    assert has(curves.warnings, "curve map 1 'large'", "left out: curve map 0 'small'")


def test_a_map_that_came_from_nanoscope_is_doubted(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy", log_line='file::nanoscope(filename="x")@2026')
    assert has(nrm.open(truth.path).warnings, "NanoScope", "original")


def test_metadata(tmp_path: Path) -> None:
    meta = gwyddion.Obj(
        "GwyContainer",
        [
            ("Spring constant", "s", "0.2 N/m"),
            ("Sens. DeflSens", "s", "30 nm/V"),
            ("Date", "s", "02:54:23 PM Fri Apr 30 2021"),
            ("Comment", "s", "Grafit µ"),
        ],
    )
    curves = nrm.open(gwyddion.example_map(tmp_path / "a.gwy", meta=meta).path)
    assert curves.metadata["spring_constant"] == 0.2
    assert curves.metadata["deflection_sensitivity"] == pytest.approx(30e-9)
    assert curves.metadata["start_time"] == "2021-04-30T14:54:23"
    assert curves.metadata["comment"] == "Grafit µ"
    assert "Sens. DeflSens: 30 nm/V" in curves.header
    assert "xreal: 3.0000000000000001e-06" in curves.header
    unsure = texts(**{"Spring constant": "0.2", "Date": "yesterday"})
    curves = nrm.open(gwyddion.example_map(tmp_path / "b.gwy", meta=unsure).path)
    assert set(curves.metadata) == {"height_source"}


# ------------------------------------------------------------------ everything else


@containers
def test_images(tmp_path: Path, container: str) -> None:
    height, friction = gwyddion.example_images(tmp_path / "a.gwy", container)
    curves = nrm.open(tmp_path / "a.gwy")
    assert curves.n_curves == 0
    one, two = curves.images
    np.testing.assert_array_equal(one.data, height[::-1])
    np.testing.assert_array_equal(two.data, friction[::-1])
    assert (one.name, one.unit, one.size, one.direction) == ("Height", "m", (4e-6, 3e-6), "")
    assert (two.name, two.unit, two.direction) == ("Friction", "V", "retrace")
    assert curves.metadata["instrument"] == "MultiMode 8"
    assert has(curves.warnings, "1 mask is left out")


def test_image_without_a_length_has_no_size(tmp_path: Path) -> None:
    data = np.zeros((2, 2))
    for number, (size, symbol) in enumerate((((2.0, 2.0), "m"), ((1e-6, 1e-6), "V"))):
        made = data_field(data, "m", size, symbol)
        (image,) = nrm.open(write(tmp_path / f"{number}.gwy", [("/0/data", "o", made)])).images
        assert np.isnan(image.size).all()
        assert image.name == "image 0"


@containers
@pytest.mark.parametrize("uneven", [False, True])
def test_volume_data(tmp_path: Path, container: str, uneven: bool) -> None:
    data, axis = gwyddion.example_volume(tmp_path / "a.gwy", container, uneven=uneven)
    curves = nrm.open(tmp_path / "a.gwy")
    assert curves.grid == (2, 3)
    values = curves.read("deflection").reshape(6, 48)
    np.testing.assert_array_equal(values[:, :24], data[0].reshape(24, 6).T[:, ::-1])
    np.testing.assert_array_equal(values[:, 24:], data[1].reshape(24, 6).T)
    np.testing.assert_allclose(curves.read("height", 4), np.r_[axis[::-1], axis], rtol=1e-15)
    np.testing.assert_array_equal(curves.read("deflection", [5, 1]), values[[5, 1]].ravel())
    assert curves.segments["kind"].tolist() == ["approach", "retract"] * 6
    assert not curves.warnings


def test_one_volume_is_a_curve_along_z(tmp_path: Path) -> None:
    data = np.arange(24.0).reshape(4, 2, 3)
    path = write(tmp_path / "a.gwy", [("/brick/0", "o", gwyddion.brick(data, ("V", "A")))])
    curves = nrm.open(path)
    np.testing.assert_array_equal(curves.read("value").reshape(6, 4), data.reshape(4, 6).T)
    assert curves.channels["z_axis"].unit == "V"


@pytest.mark.parametrize("container", ["GWYP", "GWYQ"])
def test_spectra(tmp_path: Path, container: str) -> None:
    force, xy = gwyddion.example_spectra(tmp_path / "a.gwy", container)
    curves = nrm.open(tmp_path / "a.gwy")
    assert (curves.n_curves, curves.grid) == (5, None)
    np.testing.assert_array_equal(curves.read("force_normal").reshape(5, 8), force)
    np.testing.assert_array_equal(curves.read("gwyddion_current").reshape(5, 8), force * 2)
    np.testing.assert_array_equal(curves.curve_table["x"], xy[:, 0])
    height = curves.read("height_commanded", 3)
    np.testing.assert_allclose(np.abs(height), 3e-9 + np.arange(8) * 1e-9, rtol=1e-12)


@containers
@pytest.mark.parametrize("far_first", [True, False])
def test_graphs_of_a_force_curve(tmp_path: Path, container: str, far_first: bool) -> None:
    force, height = gwyddion.example_graphs(tmp_path / "a.gwy", container, far_first=far_first)
    curves = nrm.open(tmp_path / "a.gwy")
    assert curves.n_curves == 1
    np.testing.assert_array_equal(curves.read("force_normal"), force)
    np.testing.assert_array_equal(curves.read("height_sensor"), height)
    np.testing.assert_array_equal(curves.read("height"), height)
    assert (np.diff(curves.read("height_commanded")[:30]) < 0).all()
    assert (np.diff(curves.read("height_commanded")[30:]) > 0).all()
    assert curves.segments.tolist() == [(0, 0, 30, "approach"), (0, 30, 60, "retract")]
    assert not curves.warnings


def test_volts_that_gwyddion_calls_newtons_are_no_force(tmp_path: Path) -> None:
    # As it makes of an uncalibrated NanoScope curve: -2.7 V far away, zeros behind the approach.
    height = np.linspace(0, 4e-7, 30)
    volts = np.where(np.arange(30) < 6, -2.7 + 0.15 * np.arange(6, 36)[::-1] / 6, -2.7)
    volts[-3:] = 0.0
    one = [("Approach", height, volts), ("Retract", height, volts)]
    made = gwyddion.graph("F-Z spectrum", one, ("m", "N"), ("Distance", "Force"))
    gwyddion.write(tmp_path / "a.gwy", [("/0/graph/graph/1", "o", made)])
    curves = nrm.open(tmp_path / "a.gwy")
    assert "force_normal" not in curves.channels
    assert curves.channels["force"].unit == "N"
    assert has(curves.warnings, "2.7 N", "volts", "open the original file")
    # Zeros that fill a half are no contact: the curve is not turned round for them.
    assert (np.diff(curves.read("height")[:30]) < 0).all()


@containers
def test_graphs_over_time(tmp_path: Path, container: str) -> None:
    time, height, deflection = gwyddion.example_time_graphs(tmp_path / "a.gwy", container)
    curves = nrm.open(tmp_path / "a.gwy")
    np.testing.assert_array_equal(curves.read("time"), time)
    np.testing.assert_array_equal(curves.read("deflection"), deflection)
    np.testing.assert_array_equal(curves.read("height_commanded"), height)
    np.testing.assert_array_equal(curves.read("height"), height * 1.01)
    assert curves.segments["kind"].tolist() == ["approach", "retract"]


def test_profiles_beside_an_image_are_no_curves(tmp_path: Path) -> None:
    x = np.arange(5.0) * 1e-9
    profile = graph("Profiles", [("Profile 1", x, x)], ("m", "m"), ("x", "z"))
    image = ("/0/data", "o", data_field(np.zeros((2, 2))))
    curves = nrm.open(write(tmp_path / "a.gwy", [("/0/graph/graph/1", "o", profile), image]))
    assert curves.n_curves == 0
    assert has(curves.warnings, "left out", "Profiles")
    alone = nrm.open(write(tmp_path / "b.gwy", [("/0/graph/graph/1", "o", profile)]))
    assert alone.n_curves == 1


def test_many_curves_in_one_graph_are_many(tmp_path: Path) -> None:
    x = np.linspace(0, 1e-6, 9)
    made = [(f"x: {i}, y: 2", x[: 9 - i], (x * i)[: 9 - i]) for i in range(4)]
    entry = ("/0/graph/graph/1", "o", graph("Curves", made, ("m", "N"), ("Z", "Force")))
    curves = nrm.open(write(tmp_path / "a.gwy", [entry]))
    np.testing.assert_array_equal(curves.row_size, [9, 8, 7, 6])
    np.testing.assert_array_equal(curves.read("force_normal", 2), made[2][2])
    assert has(curves.warnings, "does not say whether")


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    curves = nrm.open(write(tmp_path / "a.gwy", [("/filename", "s", "x")]))
    assert curves.n_curves == 0
    assert has(curves.warnings, "neither curves nor images")


def test_a_text_of_gwyddion_1_is_latin(tmp_path: Path) -> None:
    entries = [
        ("/0/data", "o", data_field(np.zeros((2, 2)))),
        ("/0/data/title", "s", "µm".encode("latin-1")),
    ]
    (image,) = nrm.open(write(tmp_path / "a.gwy", entries, "GWYO")).images
    assert image.name == "µm"


def test_bytes_behind_the_data_are_ignored(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy")
    truth.path.write_bytes(truth.path.read_bytes() + b"rest")
    assert has(nrm.open(truth.path).warnings, "4 bytes behind")


# ------------------------------------------------------------------ compliance


def test_importer_keeps_all_promises(tmp_path: Path) -> None:
    paths = []
    for container in CONTAINERS:
        for number, options in enumerate(
            ({}, {"ragged": True}, {"empty": (1,)}, {"units": ["m", "V", ""]})
        ):
            path = tmp_path / f"map-{container}-{number}.gwy"
            paths.append(gwyddion.example_map(path, container=container, **options).path)
        makers: dict[str, Callable[..., Any]] = {
            "images": gwyddion.example_images,
            "volume": gwyddion.example_volume,
            "graphs": gwyddion.example_graphs,
            "time": gwyddion.example_time_graphs,
            "spectra": gwyddion.example_spectra,
        }
        for name, make in makers.items():
            paths.append(tmp_path / f"{name}-{container}.gwy")
            make(paths[-1], container)
    check_importer(GwyddionImporter(), paths)


def test_the_registering_module_is_light() -> None:
    code = (
        "import sys, nrm_importers.gwyddion; "
        "print([m for m in ('numpy', 'gwyfile', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sniff() -> None:
    importer = GwyddionImporter()
    for head in (b"GWYPGwyContainer\0", b"GWYQGwyFile\0", b"GWYOGwyContainer\0"):
        assert importer.sniff(head + bytes(40), Path("x")) == 100
    assert importer.sniff(b"GWYPsomething", Path("x")) == 60
    assert importer.sniff(b"GWYX", Path("x.gwy")) == 0
    assert importer.sniff(b"", Path("x.gwy")) == 0


# ------------------------------------------------------------------ writing


def written(curves: nrm.CurveSet, path: Path) -> nrm.CurveSet:
    formats.save(curves, path)
    return nrm.open(path)


def a_map(sizes: list[int] | None = None, **options: Any) -> nrm.CurveSet:
    """Six curves on a grid of 2 x 3, with something of everything."""
    sizes = sizes or [30] * 6
    parts = [gwyddion.ramp(n // 2, n - n // 2, 0.001, i) for i, n in enumerate(sizes)]
    image = np.arange(6.0).reshape(2, 3)
    number = np.arange(6)
    return nrm.CurveSet.from_arrays(
        {
            "deflection": (np.concatenate([p[1] for p in parts]), "V"),
            "height": (np.concatenate([p[0] for p in parts]), "m"),
            "count": (np.arange(sum(sizes)) * 1.0, ""),
        },
        row_size=sizes,
        curve_table={
            "x": number % 3 * 1e-6,
            "y": number // 3 * 2e-6,
            "row": number // 3,
            "column": number % 3,
        },
        metadata={
            "spring_constant": 0.1332,
            "lockin_convention": "rms",
            "simulated": True,
            "title": "Grafit µ",
            "poisson_ratio": 0.5,
        },
        images=[Image("Friction", image, "V", (3e-6, 2e-6), "trace"), Image("Count", image.T, "")],
        **options,
    )


@pytest.mark.parametrize("sizes", [[30] * 6, [30, 0, 31, 12, 0, 0], [0, 0, 0, 0, 0, 8]])
def test_map_comes_back(tmp_path: Path, sizes: list[int]) -> None:
    curves = a_map(sizes)
    assert_saved(curves, written(curves, tmp_path / "a.gwy"))


def test_map_as_gwyfile_sees_it(tmp_path: Path) -> None:
    curves = a_map([30, 0, 31, 12, 8, 9])
    formats.save(curves, tmp_path / "a.gwy")
    root = gwyfile.load(str(tmp_path / "a.gwy"))
    made = root["/lawn/0"]
    assert (made["xres"], made["yres"], made["ncurves"], made["nsegments"]) == (3, 2, 3, 2)
    assert made["curve_labels"] == ["height", "deflection", "count"]
    assert [u["unitstr"] for u in made["si_units_curves"]] == ["m", "V", "one"]
    assert made["segment_labels"] == ["Approach", "Retract"]
    np.testing.assert_array_equal(made["curvelengths"], curves.row_size)
    pixels = np.split(made["data"], np.cumsum(3 * curves.row_size)[:-1])
    for number, pixel in enumerate(pixels):
        values = pixel.reshape(3, -1)
        np.testing.assert_array_equal(values[0], curves.read("height", number))
        np.testing.assert_array_equal(values[2], curves.read("count", number))
    assert made["xoff"] == pytest.approx(-0.5e-6)
    assert made["yreal"] == pytest.approx(4e-6)
    assert root["/lawn/0/meta"]["spring_constant"] == "0.1332 N/m"
    np.testing.assert_array_equal(root["/0/data"].data, np.arange(6.0).reshape(2, 3)[::-1])
    assert root["/0/data/title"] == "Friction [trace]"
    forbidden = ("palette", "realsquare", "sps")
    assert not [key for key in root if any(word in key for word in forbidden)]
    assert "/0/meta" not in root
    np.testing.assert_array_equal(
        root["/lawn/0/preview"].data.ravel()[[0, 2]],
        [curves.read("deflection", i).max() for i in (0, 2)],
    )


def test_segments_of_any_kind_come_back(tmp_path: Path) -> None:
    segments = np.array(
        [
            (0, 0, 10, "approach"),
            (0, 10, 15, "hold"),
            (0, 15, 30, "retract"),
            (1, 2, 9, "approach"),
            (1, 9, 30, "retract"),
            (2, 0, 5, "modulation"),
            (2, 5, 9, "approach"),
            (2, 9, 20, "modulation"),
            (4, 0, 30, "other"),
            (5, 0, 10, "retract"),
            (5, 12, 20, "approach"),
        ],
        [("curve", "i8"), ("start", "i8"), ("stop", "i8"), ("kind", "U10")],
    )
    for number, curves in enumerate((a_map(segments=segments), points(segments=segments))):
        assert_saved(curves, written(curves, tmp_path / f"{number}.gwy"))


def test_incomplete_grid_gets_empty_pixels(tmp_path: Path) -> None:
    curves = a_map()
    some = nrm.CurveSet.from_arrays(
        {"height": (curves.read("height", [4, 0, 2]), "m")},
        row_size=[30] * 3,
        curve_table={
            "row": [1, 0, 0],
            "column": [1, 0, 2],
            "x": [1e-6, 0, 2e-6],
            "y": [1e-6, 0, 0],
        },
    )
    back = written(some, tmp_path / "a.gwy")
    np.testing.assert_array_equal(back.row_size, [30, 0, 30, 0, 30, 0])
    np.testing.assert_array_equal(back.read("height", 4), curves.read("height", 4))
    np.testing.assert_allclose(back.curve_table["x"][4], 1e-6, rtol=1e-12)


def points(sizes: list[int] | None = None, *, time: bool = True, **options: Any) -> nrm.CurveSet:
    """Six curves on no grid."""
    curves = a_map(sizes)
    rows = curves.row_size
    channels = {n: (curves.read(n), c.unit) for n, c in curves.channels.items()}
    if time:
        channels["time"] = (np.concatenate([np.arange(n) * 1e-3 for n in rows]), "s")
    return nrm.CurveSet.from_arrays(
        channels,
        row_size=rows,
        curve_table={"x": np.arange(6) ** 2 * 1e-7, "y": np.arange(6) * -1e-7},
        metadata=curves.metadata,
        images=curves.images,
        **options,
    )


@pytest.mark.parametrize("time", [True, False])
@pytest.mark.parametrize("sizes", [[30] * 6, [30, 0, 31, 12, 0, 0]])
def test_points_come_back(tmp_path: Path, sizes: list[int], time: bool) -> None:
    curves = points(sizes, time=time)
    assert_saved(curves, written(curves, tmp_path / "a.gwy"))


def test_one_curve_comes_back(tmp_path: Path) -> None:
    height, deflection = gwyddion.ramp(20, 30, 0.01, 3)
    for number, table in enumerate(({}, {"x": [1e-6], "y": [2e-6]})):
        curves = nrm.CurveSet.from_arrays(
            {"height": (height + deflection * 1e-9, "m"), "deflection": (deflection, "V")},
            row_size=[50],
            curve_table=table,
            metadata={"deflection_sensitivity": 27.39e-9},
        )
        assert_saved(curves, written(curves, tmp_path / f"{number}.gwy"))


def test_repeats_at_one_place_are_graphs(tmp_path: Path) -> None:
    curves = a_map()
    table = {n: curves.curve_table[n] for n in ("x", "y", "row")} | {"column": np.zeros(6, int)}
    twice = nrm.CurveSet.from_arrays(
        {"height": (curves.read("height"), "m")}, row_size=[30] * 6, curve_table=table
    )
    assert_saved(twice, written(twice, tmp_path / "a.gwy"))
    assert "/lawn/0" not in gwyfile.load(str(tmp_path / "a.gwy"))


def test_first_graph_is_for_the_eye(tmp_path: Path) -> None:
    curves = points()
    formats.save(curves, tmp_path / "a.gwy")
    root = gwyfile.load(str(tmp_path / "a.gwy"))
    shown = root["/0/graph/graph/1"]
    assert shown["title"] == "deflection over height (sorted copy)"
    assert (shown["x_unit"]["unitstr"], shown["y_unit"]["unitstr"]) == ("m", "V")
    for curve in shown["curves"]:
        assert (np.diff(curve["xdata"]) >= 0).all()
    assert root["/0/graph/graph/1/visible"]
    assert not root["/0/graph/graph/2/visible"]
    np.testing.assert_array_equal(
        root["/surface/0"]["data"].reshape(-1, 3)[:, 0], curves.curve_table["x"]
    )


def test_images_alone_come_back_with_their_metadata(tmp_path: Path) -> None:
    gwyddion.example_images(tmp_path / "a.gwy")
    curves = nrm.open(tmp_path / "a.gwy")
    assert_saved(curves, written(curves, tmp_path / "b.gwy"))


def test_the_height_is_written_once(tmp_path: Path, samples: Any) -> None:
    curves = nrm.open(samples.volume(height_sensor=True).path)
    back = written(curves, tmp_path / "a.gwy")
    assert_saved(curves, back)
    labels = gwyfile.load(str(tmp_path / "a.gwy"))["/lawn/0"]["curve_labels"]
    assert labels[0] == "height_sensor"
    assert "height" not in labels


def test_vendor_samples_come_back(tmp_path: Path, samples: Any) -> None:
    for number, truth in enumerate(
        (samples.volume(), samples.single(), samples.peakforce(), samples.images())
    ):
        curves = nrm.open(truth.path)
        assert_saved(curves, written(curves, tmp_path / f"{number}.gwy"))


def test_not_a_number_comes_back(tmp_path: Path) -> None:
    values = np.array([[1.0, np.nan, np.inf, -0.0], [0.0, 1.0, 2.0, 3.0]])
    number = np.arange(2)
    curves = nrm.CurveSet.from_arrays(
        {"input": (values, "V")}, curve_table={"row": 0 * number, "column": number}
    )
    assert_saved(curves, written(curves, tmp_path / "a.gwy"))


def test_convert_writes_it(tmp_path: Path, samples: Any) -> None:
    source, out = samples.volume().path, tmp_path / "out.gwy"
    ran = CliRunner().invoke(main, ["convert", str(source), "-o", str(out)])
    assert ran.exit_code == 0, ran.output
    assert_saved(nrm.open(source), nrm.open(out))
    ran = CliRunner().invoke(main, ["info", "--json", str(out)])
    (report,) = json.loads(ran.stdout)
    assert report["importer"] == "gwyddion"
    assert report["grid"] == list(nrm.open(source).grid or ())


def test_nothing_to_write(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="neither"):
        formats.save(nrm.CurveSet.from_arrays({}), tmp_path / "a.gwy")
    assert not list(tmp_path.iterdir())


class _Zeros:
    """As many zeros as wanted, held nowhere."""

    def __init__(self, n_curves: int, length: int) -> None:
        from nrm_plugin.columns import Rows

        self.dtype, self.rows = np.dtype("f8"), Rows.uniform(n_curves, length)

    def fill(
        self, first: int, stop: int, out: np.ndarray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        out[...] = 0.0


def test_4_gib_do_not_fit(tmp_path: Path) -> None:
    from nrm_plugin.model import Channel

    column = _Zeros(1 << 16, 1 << 13)  # 4 GiB of doubles
    curves = nrm.CurveSet(
        column.rows,
        {"input": Channel("input", "V", column)},
        grid=(256, 256),
        segments_from=lambda: np.empty(0, nrm_segment()),
    )
    with pytest.raises(OutputError, match=r"less than 4 GiB.*4\.0 GiB.*\.h5"):
        formats.save(curves, tmp_path / "a.gwy")
    assert not list(tmp_path.iterdir())


def nrm_segment() -> np.dtype[Any]:
    from nrm_plugin.tables import SEGMENT

    return SEGMENT


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(nrm.NrmError, match="No such file"):
        GwyddionImporter().open(tmp_path / "none.gwy")
    (tmp_path / "x.gwy").write_bytes(b"GWYP")
    with pytest.raises(CorruptFile):
        GwyddionImporter().open(tmp_path / "x.gwy")
