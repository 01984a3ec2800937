"""Gwyddion files of real data: what is known of each is what comes out.

The originals of most are among the real files too; gwyfile reads them independently.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gwyfile
import numpy as np
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_importers.gwyddion import GwyddionImporter
from nrm_plugin import plugins
from nrm_plugin.cli import main
from nrm_plugin.testing import check_importer

pytestmark = pytest.mark.real

MAP = "gwyddion262_from_Egel_FV_repaired.gwy"
IGOR = "gwyddion262_from_IgorIBWReader_ForceCurve.ibw.gwy"
FRICTION = "gwyddion262_from_si.0_00144.spm.gwy"
SYNTHETIC = "gwyfile_test.gwy"
OLD = "GwiddionReader_chip.gwy"
VOLUME = "20200903_Egel2.0_00023.repaired.spm"


@pytest.fixture
def folder(real_files: Path) -> Path:
    return real_files / "gwyddion"


def info(path: Path) -> dict[str, Any]:
    ran = CliRunner().invoke(main, ["info", "--json", str(path)])
    assert ran.exit_code == 0, ran.output
    (report,) = json.loads(ran.stdout)
    assert report["importer"] == "gwyddion"
    return dict(report)


def has(warnings: Any, *words: str) -> bool:
    return any(all(word in text for word in words) for text in warnings)


# ------------------------------------------------------------------ the curve map


def test_map_is_the_volume_that_it_was_made_from(folder: Path) -> None:
    curves, volume = nrm.open(folder / MAP), nrm.open(folder.parent / "bruker" / VOLUME)
    assert (curves.n_curves, curves.grid, curves.n_samples) == (256, (16, 16), 524288)
    np.testing.assert_array_equal(curves.row_size, volume.row_size)
    np.testing.assert_array_equal(curves.segments, volume.segments)
    ours, theirs = curves.read("deflection"), volume.read("deflection")
    # Gwyddion 2.62 takes the display range of 2.5 V for the hard scale of 24.576 V, and multiplies
    # by the sensitivity of 27.39 nm/V, whose unit the header lacks: nm, labelled V.
    factor = 27.39 * 2.5 / 24.576
    np.testing.assert_allclose(ours, factor * theirs, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(curves.curve_table["row"], volume.curve_table["row"])
    np.testing.assert_array_equal(curves.curve_table["column"], volume.curve_table["column"])
    for axis in ("x", "y"):
        np.testing.assert_allclose(
            np.diff(curves.curve_table[axis]), np.diff(volume.curve_table[axis]), atol=1e-18
        )


def test_map_as_gwyfile_sees_it(folder: Path) -> None:
    root, curves = gwyfile.load(str(folder / MAP)), nrm.open(folder / MAP)
    lawn = root["/lawn/0"]
    np.testing.assert_array_equal(lawn["data"], curves.read("deflection"))
    np.testing.assert_array_equal(lawn["curvelengths"], curves.row_size)
    bounds = lawn["segments"].reshape(-1, 2)
    np.testing.assert_array_equal(bounds[:, 0], curves.segments["start"])
    np.testing.assert_array_equal(bounds[:, 1], curves.segments["stop"])
    assert lawn["si_units_curves"][0]["unitstr"] == curves.channels["deflection"].unit == "V"
    for key, value in root["/1/meta"].items():
        assert f"{key}: {value}" in curves.header


def test_map_and_its_image(folder: Path) -> None:
    curves, volume = nrm.open(folder / MAP), nrm.open(folder.parent / "bruker" / VOLUME)
    (image,), (original,) = curves.images, volume.images
    assert (image.name, image.unit, image.shape) == ("Height", "m", (16, 16))
    assert image.size == original.size
    assert image.direction == original.direction
    np.testing.assert_allclose(image.data, original.data, rtol=1e-9, atol=1e-20)


def test_info_of_the_map(folder: Path) -> None:
    report = info(folder / MAP)
    assert (report["n_curves"], report["grid"], report["segments"]) == (
        256,
        [16, 16],
        ["approach", "retract"],
    )
    (channel,) = report["channels"]
    assert (channel["name"], channel["unit"], channel["original"]) == (
        "deflection",
        "V",
        "DeflectionError",
    )
    assert has(report["warnings"], "NanoScope", "original")
    assert has(report["warnings"], "no height")
    assert has(report["warnings"], "segments have no names", "approach, retract")
    assert "spring_constant" not in report["metadata"]


# ------------------------------------------------------------------ graphs


def test_graphs_of_the_asylum_curve(folder: Path) -> None:
    root, curves = gwyfile.load(str(folder / IGOR)), nrm.open(folder / IGOR)
    assert (curves.n_curves, curves.n_samples) == (1, 1261)
    stored = {}
    for number in (1, 2, 3):
        (curve,) = root[f"/0/graph/graph/{number}"]["curves"]
        stored[curve["description"]] = curve["xdata"], curve["ydata"]
    time, raw = stored["Raw"]
    np.testing.assert_array_equal(curves.read("time"), time)
    np.testing.assert_array_equal(curves.read("deflection"), stored["Defl"][1])
    # The z piezo's signal rises towards the sample: it peaks where the deflection does.
    sensor = stored["ZSnsr"][1]
    assert abs(int(np.argmax(stored["Defl"][1])) - int(np.argmax(sensor))) < 3
    np.testing.assert_array_equal(curves.read("height_sensor"), -sensor)
    np.testing.assert_array_equal(curves.read("height_commanded"), -raw)
    np.testing.assert_array_equal(curves.read("height"), -sensor)
    assert curves.segments["kind"].tolist() == ["approach", "retract"]
    assert curves.segments["stop"][0] == np.argmax(sensor) + 1
    assert not curves.images  # its logs of images that are not there are no images


def test_info_of_the_graphs(folder: Path) -> None:
    report = info(folder / IGOR)
    channels = {c["original"]: (c["name"], c["unit"]) for c in report["channels"]}
    assert channels["Raw"] == ("height_commanded", "m")
    assert channels["Defl"] == ("deflection", "m")
    assert channels["x"] == ("time", "s")
    assert report["metadata"]["height_source"] == "sensor"


# ------------------------------------------------------------------ images


def test_images_of_the_friction_loop(folder: Path) -> None:
    curves = nrm.open(folder / FRICTION)
    original = nrm.open(folder.parent / "bruker" / "si.0_00144.spm")
    assert curves.n_curves == 0
    assert len(curves.images) == len(original.images) == 4
    for image, there in zip(curves.images, original.images, strict=True):
        assert (image.unit, image.shape, image.size) == (there.unit, there.shape, there.size)
        assert image.direction == there.direction
        np.testing.assert_allclose(image.data, there.data, rtol=1e-12, atol=1e-20)
    trace = curves.images[2]
    assert (trace.name, trace.direction) == ("Lateral", "trace")
    assert trace.data.mean() == pytest.approx(2.9478453369140625, rel=1e-12)
    assert curves.metadata["start_time"] == "2021-04-30T14:54:23"
    root = gwyfile.load(str(folder / FRICTION))
    for number, image in enumerate(curves.images):
        np.testing.assert_array_equal(root[f"/{number}/data"].data[::-1], image.data)


def test_image_of_gwyddion_1(folder: Path) -> None:
    (image,) = nrm.open(folder / OLD).images
    stored = np.frombuffer((folder / OLD).read_bytes(), "<f8", 90000, 0xD2).reshape(300, 300)
    np.testing.assert_array_equal(image.data, stored[::-1])
    assert (image.unit, image.shape) == ("m", (300, 300))
    assert image.size == pytest.approx((8e-5, 8e-5), rel=1e-12)
    assert image.data.mean() == pytest.approx(1.614e-5, rel=1e-3)


def test_image_of_gwyfile(folder: Path) -> None:
    (image,) = nrm.open(folder / SYNTHETIC).images
    field = gwyfile.load(str(folder / SYNTHETIC))["/0/data"]
    np.testing.assert_array_equal(image.data, field.data[::-1])
    assert (image.name, image.unit) == ("Test", "")
    assert np.isnan(image.size).all()  # its sides have no unit


# ------------------------------------------------------------------ all of them


def test_compliance(folder: Path) -> None:
    others = [p for n in ("bruker", "park", "other") for p in (folder.parent / n).iterdir()]
    files = [folder / name for name in (MAP, IGOR, FRICTION, SYNTHETIC, OLD)]
    check_importer(GwyddionImporter(), files, foreign=others)


def test_no_other_importer_takes_them(folder: Path) -> None:
    for path in folder.glob("*.gwy"):
        head = path.read_bytes()[:4096]
        scores = {n: i.sniff(head, path) for n, i in plugins.installed().importers.items()}
        assert {name for name, score in scores.items() if score} == {"gwyddion"}


def test_the_map_converts(folder: Path, tmp_path: Path) -> None:
    for out in ("map.h5", "map.gwy"):
        ran = CliRunner().invoke(main, ["convert", str(folder / MAP), "-o", str(tmp_path / out)])
        assert ran.exit_code == 0, ran.output
        np.testing.assert_array_equal(
            nrm.open(tmp_path / out).read("deflection"), nrm.open(folder / MAP).read("deflection")
        )
