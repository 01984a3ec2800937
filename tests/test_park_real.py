"""Park files of real instruments: what is known of each is what comes out.

Expected numbers are read here from the bytes at offsets that were found by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_importers.park import ParkImporter
from nrm_plugin.cli import main
from nrm_plugin.testing import check_importer

pytestmark = pytest.mark.real

CURVES, IMAGE = "ForceCurve_009.tiff", "example_ps.tiff"

#: Samples per half; both halves of a curve have as many.
MEASURED = [47, 47, 43, 46, 45, 45, 47]

#: Positions in um, from the table of points.
X = [2.647561, 2.6158535, 2.187805, 1.2841463, 1.2128049, 2.2908537, 2.5365853]
Y = [1.9969512, 1.6560975, 1.5768293, -0.016463408, 0.15792683, 0.6493902, 0.8871951]


@pytest.fixture
def folder(real_files: Path) -> Path:
    return real_files / "park"


def info(path: Path) -> dict[str, Any]:
    """What ``nrm info --json`` says about one file."""
    ran = CliRunner().invoke(main, ["info", "--json", str(path)])
    assert ran.exit_code == 0, ran.output
    (report,) = json.loads(ran.stdout)
    assert report["importer"] == "park"
    return dict(report)


def stored(folder: Path) -> np.ndarray:
    """All numbers of the force curves: (point, channel, half, sample)."""
    data = (folder / CURVES).read_bytes()
    return np.frombuffer(data, "<f4", 7 * 5 * 1024, 267761).reshape(7, 5, 2, 512)


def measured(folder: Path, channel: int) -> np.ndarray:
    """A channel's numbers without padding, one behind the other."""
    table = stored(folder)[:, channel]
    return np.concatenate(
        [table[point, half, : MEASURED[point]] for point in range(7) for half in (0, 1)]
    ).astype(float)


def has_warning(warnings: Any, *words: str) -> bool:
    return any(all(word in text for word in words) for text in warnings)


# ------------------------------------------------------------------ the force curves


def test_seven_points_without_padding(folder: Path) -> None:
    curves, report = nrm.open(folder / CURVES), info(folder / CURVES)
    assert (curves.n_curves, curves.grid) == (7, None)
    np.testing.assert_array_equal(curves.row_size, 2 * np.array(MEASURED))
    assert (report["n_curves"], report["n_samples"], report["grid"]) == (7, 640, None)
    assert report["segments"] == ["approach", "retract"]
    assert list(curves.segments["kind"]) == ["approach", "retract"] * 7
    np.testing.assert_array_equal(curves.segments["stop"][::2], MEASURED)


def test_what_is_left_out_is_padding(folder: Path) -> None:
    table = stored(folder)
    for point, n in enumerate(MEASURED):
        for half in (0, 1):
            rest = table[point, :, half, n - 1 :]
            assert (rest == rest[:, :1]).all()
            stamps = table[point, 4, half, :n]
            assert (np.diff(stamps) > 0).all()


@pytest.mark.parametrize(
    ("name", "unit", "number", "factor"),
    [
        ("deflection", "V", 0, 1.0),
        ("force_normal", "N", 1, 1e-9),
        ("height_commanded", "m", 2, 1e-6),
        ("height_sensor", "m", 3, 1e-6),
    ],
)
def test_channels_are_as_stored(
    folder: Path, name: str, unit: str, number: int, factor: float
) -> None:
    curves = nrm.open(folder / CURVES)
    assert curves.channels[name].unit == unit
    np.testing.assert_array_equal(curves.read_raw(name), measured(folder, number))
    np.testing.assert_array_equal(curves.read(name), measured(folder, number) * factor)
    channels = {c["name"]: c for c in info(folder / CURVES)["channels"]}
    assert channels[name]["unit"] == unit


def test_z_falls_and_rises_again(folder: Path) -> None:
    curves = nrm.open(folder / CURVES)
    for curve, n in enumerate(MEASURED):
        height = curves.read("height", curve)
        down, up = height[:n], height[n:]
        assert (np.diff(down) < 0).all()
        assert (np.diff(up) > 0).all()
        np.testing.assert_allclose(np.diff(down)[:-1], -6.25e-9, rtol=1e-4)
        assert up[0] == down[-1]
        # In contact at the turn: the deflection is largest there.
        deflection = curves.read("deflection", curve)
        assert abs(int(np.argmax(deflection)) - n) <= 1


def test_dead_detector_is_not_height(folder: Path) -> None:
    curves, report = nrm.open(folder / CURVES), info(folder / CURVES)
    assert np.ptp(curves.read("height_sensor")) == 0.0
    assert curves.read("height_sensor")[0] == pytest.approx(-9.8242617e-6)
    np.testing.assert_array_equal(curves.read("height"), curves.read("height_commanded"))
    for metadata in (curves.metadata, report["metadata"]):
        assert metadata["height_source"] == "commanded"
    for warnings in (curves.warnings, report["warnings"]):
        assert has_warning(warnings, "Z Detector is dead", "-9.82426e-06 m")


def test_sample_times_come_from_the_file(folder: Path) -> None:
    curves = nrm.open(folder / CURVES)
    stamps = measured(folder, 4)
    begin = 0
    for curve, n in enumerate(MEASURED):
        time = curves.read("time", curve)
        expected = stamps[begin : begin + 2 * n]
        np.testing.assert_allclose(time, (expected - expected[0]) * 1e-6, atol=1e-12)
        assert time[1] == pytest.approx(0.31334)
        assert time[n] - time[n - 1] == pytest.approx(0.20002, abs=2e-5)
        begin += 2 * n


def test_positions(folder: Path) -> None:
    table = nrm.open(folder / CURVES).curve_table
    np.testing.assert_allclose(table["x"], np.array(X) * 1e-6, rtol=1e-6)
    np.testing.assert_allclose(table["y"], np.array(Y) * 1e-6, rtol=1e-6)


def test_stored_force_disagrees_with_the_header(folder: Path) -> None:
    curves, report = nrm.open(folder / CURVES), info(folder / CURVES)
    force, volts = curves.read("force_normal", 0), curves.read("deflection", 0)
    assert np.polyfit(volts, force, 1)[0] == pytest.approx(757.9751e-9, rel=1e-5)
    for warnings in (curves.warnings, report["warnings"]):
        assert has_warning(warnings, "stored Force", "757.975 nN/V", "700.14 nN/V")


def test_metadata(folder: Path) -> None:
    curves, report = nrm.open(folder / CURVES), info(folder / CURVES)
    for metadata in (curves.metadata, report["metadata"]):
        assert metadata["spring_constant"] == 42.0
        assert metadata["deflection_sensitivity"] == pytest.approx(1e-6 / 59.98800, rel=1e-6)
        assert metadata["trigger_threshold"] == pytest.approx(2.170, abs=5e-4)
        assert metadata["approach_speed"] == pytest.approx(20e-9)
        assert metadata["software_version"] == "Park Systems SmartScan"
        assert metadata["instrument"] == "Park Systems"
        assert metadata["operating_mode"] == "NCM"
        assert metadata["start_time"] == "2022-11-30T15:26:47"
    assert json.loads(curves.header)["image"]["cantilever"] == "NCHR"


def test_start_times_are_worked_out(folder: Path) -> None:
    """The times in the table of points are all zero, so that they say nothing."""
    table = nrm.open(folder / CURVES).curve_table
    assert set(table["start_time_source"]) == {"file_date_and_order"}
    assert table["start_time"][0] == np.datetime64("2022-11-30T15:26:47")
    steps = np.diff(table["start_time"]) / np.timedelta64(1, "s")
    np.testing.assert_allclose(steps, 2 * 0.31334 * np.array(MEASURED[:-1]), rtol=0.05)
    assert (table["start_time_uncertainty"] > 190).all()


# ------------------------------------------------------------------ images


def test_reference_image(folder: Path) -> None:
    (image,) = nrm.open(folder / CURVES).images
    raw = np.frombuffer((folder / CURVES).read_bytes(), "<f4", 65536, 2065).reshape(256, 256)
    np.testing.assert_array_equal(image.raw, raw)
    np.testing.assert_allclose(
        image.data, raw.astype(float) * (-4.509369689218176 * 1e-6), rtol=1e-12
    )
    assert image.size == pytest.approx((3.25e-6, 3.25e-6))
    (report,) = info(folder / CURVES)["images"]
    assert (report["name"], report["shape"], report["unit"]) == ("Topography", [256, 256], "m")


def test_curves_were_taken_on_the_particles(folder: Path) -> None:
    """Three points lie on particles: with the lowest row first, and the offset in the middle."""
    (image,) = nrm.open(folder / CURVES).images
    flat = image.data - np.median(image.data, axis=1, keepdims=True)
    for point in (2, 3, 4):
        column = int(((X[point] - 1.625) / 3.25 + 0.5) * 256)
        row = int(((Y[point] - 1.125) / 3.25 + 0.5) * 256)
        assert flat[row, column] > 15e-9
        assert flat[255 - row, column] < 15e-9


def test_plain_image(folder: Path) -> None:
    curves, report = nrm.open(folder / IMAGE), info(folder / IMAGE)
    (image,) = curves.images
    raw = np.frombuffer((folder / IMAGE).read_bytes(), "<f4", 512 * 512, 2041).reshape(512, 512)
    np.testing.assert_array_equal(image.raw, raw)
    np.testing.assert_allclose(
        image.data, raw.astype(float) * (-12.227015495171795 * 1e-6), rtol=1e-12
    )
    assert (image.name, image.unit, image.direction) == ("Z Height", "m", "trace")
    assert image.size == pytest.approx((1e-6, 1e-6))
    assert image.data.max() == pytest.approx(21.70887e-9, rel=1e-5)
    assert (curves.n_curves, report["n_curves"], report["n_samples"]) == (0, 0, 0)
    assert [i["name"] for i in report["images"]] == ["Z Height"]
    assert report["warnings"] == []


def test_thumbnail_shows_the_last_row_on_top(folder: Path) -> None:
    """Park's own picture of the image, and the sign of its gain: bright is high."""
    data = (folder / IMAGE).read_bytes()
    strips = np.frombuffer(data, "<u4", 32, 206)
    picture = np.concatenate([np.frombuffer(data, "u1", 2048, s) for s in strips])
    picture = picture.reshape(256, 256)
    colours = np.frombuffer(data, "<u2", 768, 505).reshape(3, 256).sum(axis=0, dtype=float)
    brightness = colours[picture]
    (image,) = nrm.open(folder / IMAGE).images
    shown = image.data[::2, ::2]
    assert np.corrcoef(shown[::-1].ravel(), brightness.ravel())[0, 1] > 0.95
    assert abs(np.corrcoef(shown.ravel(), brightness.ravel())[0, 1]) < 0.1


# ------------------------------------------------------------------ all of them


@pytest.mark.parametrize("name", [CURVES, IMAGE])
def test_compliance(folder: Path, name: str) -> None:
    foreign = [
        path
        for other in ("bruker", "gwyddion", "other")
        for path in sorted((folder.parent / other).iterdir())
    ]
    check_importer(ParkImporter(), [folder / name], foreign=foreign)


@pytest.mark.parametrize("name", [CURVES, IMAGE])
def test_converted_file_holds_the_same(folder: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.h5"
    ran = CliRunner().invoke(main, ["convert", str(folder / name), "-o", str(out)])
    assert ran.exit_code == 0, ran.output
    before, after = nrm.open(folder / name), nrm.open(out)
    assert list(before.channels) == list(after.channels)
    for channel in before.channels:
        np.testing.assert_array_equal(before.read(channel), after.read(channel))
    np.testing.assert_array_equal(before.images[0].data, after.images[0].data)
