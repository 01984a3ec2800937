"""Park files made by our own writer: what was put in comes out."""

from __future__ import annotations

import ast
import inspect
import json
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from writers import park
from writers.park import V1, ParkTruth

import nrm_plugin as nrm
from nrm_importers.park import ParkImporter
from nrm_plugin import vocabulary
from nrm_plugin.testing import check_importer

Maker = Callable[[Path], ParkTruth]

CHANNEL = {
    "Vertical (A-B)": "deflection",
    "Force": "force_normal",
    "Z Scan": "height_commanded",
    "Z Detector": "height_sensor",
    "Lateral (C-D)": "lateral",
    "Time Stamp": "time",
    "ZHeight": "height_sensor",
    "Lfm": "lateral",
}


def points(path: Path) -> ParkTruth:
    return park.example_points(path)


def points_directory_last(path: Path) -> ParkTruth:
    return park.example_points(path, directory_last=True)


def points_int16(path: Path) -> ParkTruth:
    return park.example_points(path, dtype="<i2")


def points_int32(path: Path) -> ParkTruth:
    return park.example_points(path, dtype="<i4", dead="")


def points_v1(path: Path) -> ParkTruth:
    return park.example_points(path, dtype="<i2", version=V1)


def points_without_clock(path: Path) -> ParkTruth:
    return park.example_points(path, time_stamp=False, dead="")


def points_full(path: Path) -> ParkTruth:
    return park.example_points(path, padded=False, reference=False)


def one_point(path: Path) -> ParkTruth:
    return park.example_points(path, 1)


def grid(path: Path) -> ParkTruth:
    return park.example_grid(path)


def grid_square(path: Path) -> ParkTruth:
    return park.example_grid(path, 4, 4, per_row=0)


def grid_v1(path: Path) -> ParkTruth:
    return park.example_grid(path, 3, 3, dtype="<i2", version=V1)


def grid_down(path: Path) -> ParkTruth:
    return park.example_grid(path, 3, 5, down=True, padded=False)


def grid_serpentine(path: Path) -> ParkTruth:
    return park.example_grid(path, 4, 3, serpentine=True, down=True)


def grid_along_y(path: Path) -> ParkTruth:
    return park.example_grid(path, 3, 5, along_y=True)


def grid_without_clock(path: Path) -> ParkTruth:
    return park.example_grid(path, time_stamp=False, dtype="<i4")


def image(path: Path) -> ParkTruth:
    return park.example_image(path)


def image_int32(path: Path) -> ParkTruth:
    return park.example_image(path, dtype="<i4", gain=0.001, z_scale=2.0, z_offset=0.5)


def image_v1(path: Path) -> ParkTruth:
    return park.example_image(path, dtype="<i2", version=V1, directory_last=True)


def pinpoint(path: Path) -> ParkTruth:
    return park.example_pinpoint(path)


def pinpoint_upside_down(path: Path) -> ParkTruth:
    return park.example_pinpoint(path, upside_down=True)


def pinpoint_padded(path: Path) -> ParkTruth:
    return park.example_pinpoint(path, padding=True, slashes=True)


TIFF_CURVES: list[Maker] = [
    points,
    points_directory_last,
    points_int16,
    points_int32,
    points_v1,
    points_without_clock,
    points_full,
    one_point,
    grid,
    grid_square,
    grid_v1,
    grid_down,
    grid_serpentine,
    grid_along_y,
    grid_without_clock,
]
PINPOINT: list[Maker] = [pinpoint, pinpoint_upside_down, pinpoint_padded]
IMAGES: list[Maker] = [image, image_int32, image_v1]


def makers(some: list[Maker]) -> Any:
    return pytest.mark.parametrize("make", some, ids=lambda make: make.__name__)


def has_warning(curves: nrm.CurveSet, *words: str) -> bool:
    return any(all(word in text for word in words) for text in curves.warnings)


# ------------------------------------------------------------------ all variants


@makers(TIFF_CURVES + PINPOINT + IMAGES)
def test_compliance(tmp_path: Path, make: Maker) -> None:
    foreign = tmp_path / "picture.tif"
    park.write_tiff(foreign, changes={50432: (4, b"")})
    check_importer(ParkImporter(), [make(tmp_path / "file").path], foreign=[foreign])


@makers(TIFF_CURVES + PINPOINT)
def test_samples_are_those_that_were_measured(tmp_path: Path, make: Maker) -> None:
    truth = make(tmp_path / "file")
    curves = nrm.open(truth.path)
    np.testing.assert_array_equal(curves.row_size, truth.counts.sum(axis=1))
    for original, parts in truth.values.items():
        if CHANNEL[original] in curves.channels:
            name = CHANNEL[original]
        else:
            assert original == "Force"
            name = "deflection"
        values = curves.read(name)
        np.testing.assert_allclose(values, np.concatenate(parts), rtol=1e-12, atol=1e-12)
        assert curves.channels[name].original == original
        assert original in curves.channels[name].source


@makers(TIFF_CURVES + PINPOINT)
def test_height_falls_and_rises_again(tmp_path: Path, make: Maker) -> None:
    truth = make(tmp_path / "file")
    curves = nrm.open(truth.path)
    assert list(curves.segments["kind"]) == ["approach", "retract"] * curves.n_curves
    down = curves.segments["stop"][::2]
    assert (np.abs(down - truth.counts[:, 0]) <= (1 if make in PINPOINT else 0)).all()
    np.testing.assert_array_equal(curves.segments["start"][::2], 0)
    np.testing.assert_array_equal(curves.segments["start"][1::2], down)
    for curve, n in enumerate(down):
        height = curves.read("height", curve)
        assert (np.diff(height[:n]) < 0).all()
        assert (np.diff(height[n + 1 :]) > 0).all()


@makers(TIFF_CURVES + PINPOINT)
def test_places_and_order(tmp_path: Path, make: Maker) -> None:
    truth = make(tmp_path / "file")
    curves = nrm.open(truth.path)
    table = curves.curve_table
    np.testing.assert_allclose(table["x"], truth.x, rtol=1e-9)
    np.testing.assert_allclose(table["y"], truth.y, rtol=1e-9)
    np.testing.assert_array_equal(table["acquisition_order"], truth.order)
    assert curves.grid == truth.grid
    if truth.grid is not None:
        row, column = np.divmod(np.arange(curves.n_curves), truth.grid[1])
        np.testing.assert_array_equal(table["row"], row)
        np.testing.assert_array_equal(table["column"], column)
        assert table["y"][0] == table["y"].min()
        assert table["x"][0] == table["x"].min()


@makers([*IMAGES, points, points_v1])
def test_images(tmp_path: Path, make: Maker) -> None:
    truth = make(tmp_path / "file")
    (picture,) = nrm.open(truth.path).images
    np.testing.assert_allclose(picture.data, truth.image, rtol=1e-12)
    assert (picture.unit, picture.direction) == ("m", "trace")
    assert picture.size == pytest.approx((3e-6, 2e-6))


# ------------------------------------------------------------------ height and channels


@pytest.mark.parametrize("dead", ["", "Z Detector"])
def test_sensor_is_height_unless_it_is_dead(tmp_path: Path, dead: str) -> None:
    truth = park.example_points(tmp_path / "p.tiff", dead=dead)
    curves = nrm.open(truth.path)
    source, original = ("commanded", "Z Scan") if dead else ("sensor", "Z Detector")
    assert curves.metadata["height_source"] == source
    assert original in curves.channels["height"].source
    np.testing.assert_allclose(curves.read("height"), truth.flat(original), rtol=1e-12)
    assert {"height_sensor", "height_commanded"} <= set(curves.channels)
    assert has_warning(curves, "Z Detector is dead", "-9.824e-06 m") == bool(dead)


def test_sensor_that_hardly_moves_is_not_height(tmp_path: Path) -> None:
    truth = park.example_points(tmp_path / "p.tiff", dead="")
    channels, _, _ = park.curves(3, 20, "<f4", ["Z Scan", "Z Detector"], padded=False)
    channels[1].raw *= np.float32(0.01)
    spectroscopy = park.Spectroscopy(channels, np.zeros((3, 3)), driving=0)
    park.write_tiff(truth.path, spectroscopy=spectroscopy)
    curves = nrm.open(truth.path)
    assert curves.metadata["height_source"] == "commanded"
    assert has_warning(curves, "Z Detector does not follow the ramp")


def test_z_that_rises_towards_the_sample_is_turned(tmp_path: Path) -> None:
    path = tmp_path / "p.tiff"
    channels, counts, values = park.curves(
        3, 20, "<f4", ["Vertical (A-B)", "Z Scan", "Time Stamp"], padded=True
    )
    channels[1].raw *= np.float32(-1)
    park.write_tiff(path, spectroscopy=park.Spectroscopy(channels, np.zeros((3, 3)), driving=1))
    curves = nrm.open(path)
    np.testing.assert_allclose(curves.read("height"), np.concatenate(values["Z Scan"]), rtol=1e-12)
    assert "sign turned" in curves.channels["height"].source
    assert list(curves.segments["kind"][:2]) == ["approach", "retract"]
    np.testing.assert_array_equal(curves.row_size, np.sum(counts, axis=1))


def test_without_z_there_is_no_height(tmp_path: Path) -> None:
    path = tmp_path / "iv.tiff"
    channels, _, _ = park.curves(2, 20, "<f4", ["Vertical (A-B)", "Time Stamp"], padded=True)
    channels[0].name, channels[0].unit = "Tip Bias", "mV"
    park.write_tiff(path, spectroscopy=park.Spectroscopy(channels, np.zeros((2, 3)), driving=0))
    curves = nrm.open(path)
    assert set(curves.channels) == {"tip_bias", "time"}
    assert curves.channels["tip_bias"].unit == "V"
    assert set(curves.segments["kind"]) == {"other"}
    assert has_warning(curves, "no height")
    assert has_warning(curves, "the ramp drives Tip Bias")


def test_two_channels_of_one_name_and_one_in_another_unit(tmp_path: Path) -> None:
    path = tmp_path / "p.tiff"
    channels, _, _ = park.curves(2, 20, "<f4", ["Z Scan"] * 2 + ["Force"], padded=False)
    channels[2].unit = "furlong"
    park.write_tiff(path, spectroscopy=park.Spectroscopy(channels, np.zeros((2, 3)), driving=0))
    curves = nrm.open(path)
    assert {"height_commanded", "height_commanded_2", "force"} <= set(curves.channels)
    assert curves.channels["force"].unit == "furlong"
    assert has_warning(curves, "two channels Z Scan")
    assert has_warning(curves, "Force is in furlong and not in N")


@pytest.mark.parametrize("sensitivity", [60.0, 55.0])
def test_force_made_with_another_sensitivity_is_reported(
    tmp_path: Path, sensitivity: float
) -> None:
    truth = park.example_points(tmp_path / "p.tiff", sensitivity=sensitivity)
    curves = nrm.open(truth.path)
    np.testing.assert_array_equal(
        curves.read("force_normal"), np.concatenate(list(truth.values["Force"]))
    )
    assert has_warning(curves, "763.636 nN/V", "700 nN/V", "+9.1 %") == (sensitivity == 60.0)


def test_offsets_of_channels_are_added(tmp_path: Path) -> None:
    path = tmp_path / "p.tiff"
    channels, _, values = park.curves(2, 20, "<f4", ["Force", "Z Scan"], padded=False)
    channels[0].offset = 3.0
    park.write_tiff(path, spectroscopy=park.Spectroscopy(channels, np.zeros((2, 3)), driving=1))
    curves = nrm.open(path)
    expected = np.concatenate(values["Force"]) + 3e-9
    np.testing.assert_allclose(curves.read("force_normal"), expected, rtol=1e-9, atol=1e-18)
    assert has_warning(curves, "Force", "offset of 3 nN")


# ------------------------------------------------------------------ metadata and times


def test_metadata(tmp_path: Path) -> None:
    truth = park.example_points(tmp_path / "p.tiff", comments="mica in water", force_limit=2.5)
    metadata = nrm.open(truth.path).metadata
    assert metadata["spring_constant"] == 42.0
    assert metadata["deflection_sensitivity"] == pytest.approx(1e-6 / 60.0, rel=1e-12)
    assert metadata["trigger_threshold"] == 2.5
    assert metadata["approach_speed"] == pytest.approx(0.5e-6)
    assert metadata["software_version"] == "Park Systems SmartScan"
    assert metadata["instrument"] == "Park Systems"
    assert metadata["comment"] == "mica in water"
    assert metadata["operating_mode"] == "Contact"
    assert metadata["start_time"] == "2025-03-04T09:41:07"
    assert metadata["scan_size"] == pytest.approx(3e-6)


def test_what_the_old_header_does_not_hold_is_absent(tmp_path: Path) -> None:
    metadata = nrm.open(points_v1(tmp_path / "p.tiff").path).metadata
    absent = {"spring_constant", "deflection_sensitivity", "trigger_threshold"}
    assert not absent & set(metadata)


def test_header_is_kept_as_text(tmp_path: Path) -> None:
    header = json.loads(nrm.open(points(tmp_path / "p.tiff").path).header)
    assert header["spectroscopy"]["force_constant"] == 42.0
    assert header["spectroscopy"]["sources"][1]["name"] == "Force"
    assert header["image"]["source"] == "Topography"
    assert header["image"]["cantilever"] == "NCHR"
    assert header["tags"]["software"] == "Park Systems SmartScan"


def test_start_times_come_from_the_points(tmp_path: Path) -> None:
    table = nrm.open(points(tmp_path / "p.tiff").path).curve_table
    assert set(table["start_time_source"]) == {"point_time"}
    expected = np.datetime64("2025-03-04T09:41:07") + np.arange(7) * np.timedelta64(3, "s")
    np.testing.assert_array_equal(table["start_time"], expected)


def test_without_times_of_points_the_durations_count(tmp_path: Path) -> None:
    truth = park.example_points(tmp_path / "p.tiff", times=False)
    curves = nrm.open(truth.path)
    table = curves.curve_table
    assert set(table["start_time_source"]) == {"file_date_and_order"}
    steps = np.diff(table["start_time"]) / np.timedelta64(1, "s")
    lasts = np.array([parts[-1] for parts in truth.values["Time Stamp"][:-1]])
    samples = truth.counts.sum(axis=1)[:-1]
    np.testing.assert_allclose(steps, lasts * samples / (samples - 1), atol=2e-6)
    assert (table["start_time_uncertainty"] > steps.sum()).all()
    assert set(nrm.open(one_point(tmp_path / "q.tiff").path).curve_table["start_time_source"]) == {
        "file_date"
    }


def test_without_a_date_start_times_are_unknown(tmp_path: Path) -> None:
    truth = park.example_points(tmp_path / "p.tiff", date="yesterday")
    curves = nrm.open(truth.path)
    assert np.isnat(curves.curve_table["start_time"]).all()
    assert "start_time" not in curves.metadata


def test_times_without_a_clock_are_derived_and_say_so(tmp_path: Path) -> None:
    truth = park.example_points(
        tmp_path / "p.tiff", half=48, time_stamp=False, dead="", periods=(48.0, 24.0)
    )
    curves = nrm.open(truth.path)
    assert "derived" in curves.channels["time"].source
    down, up = truth.counts[0]
    expected = np.r_[np.arange(down) * 1.0, down - 1 + 0.5 * (1 + np.arange(up))]
    np.testing.assert_allclose(curves.read("time", 0), expected)


def test_time_begins_at_zero_in_each_curve(tmp_path: Path) -> None:
    truth = points(tmp_path / "p.tiff")
    curves = nrm.open(truth.path)
    for curve in range(7):
        time = curves.read("time", curve)
        assert time[0] == 0.0
        assert (np.diff(time) > 0).all()


# ------------------------------------------------------------------ padding


def test_clock_that_stands_still_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "p.tiff"
    channels, counts, _ = park.curves(
        3, 20, "<f4", ["Z Scan", "Time Stamp"], padded=True, dead="Time Stamp"
    )
    park.write_tiff(path, spectroscopy=park.Spectroscopy(channels, np.zeros((3, 3)), driving=0))
    curves = nrm.open(path)
    np.testing.assert_array_equal(curves.row_size, np.sum(counts, axis=1))
    assert has_warning(curves, "Time Stamp stands still")
    assert "derived" in curves.channels["time"].source


def test_padding_with_zeros_is_removed_by_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "p.tiff"
    channels, counts, values = park.curves(3, 20, "<f4", ["Z Scan", "Time Stamp"], padded=True)
    for channel in channels:
        for point, (down, up) in enumerate(counts):
            channel.raw[point, down:20] = 0
            channel.raw[point, 20 + up :] = 0
    park.write_tiff(path, spectroscopy=park.Spectroscopy(channels, np.zeros((3, 3)), driving=0))
    curves = nrm.open(path)
    np.testing.assert_array_equal(curves.row_size, np.sum(counts, axis=1))
    np.testing.assert_allclose(curves.read("height"), np.concatenate(values["Z Scan"]), rtol=1e-12)


def test_a_flat_end_in_one_channel_is_no_padding(tmp_path: Path) -> None:
    path = tmp_path / "p.tiff"
    channels, _, _ = park.curves(3, 20, "<i2", ["Force", "Z Scan"], padded=False)
    channels[0].raw[:, 10:20] = 100  # saturated, while z goes on
    park.write_tiff(path, spectroscopy=park.Spectroscopy(channels, np.zeros((3, 3)), driving=1))
    assert (nrm.open(path).row_size == 40).all()


# ------------------------------------------------------------------ grids, images, versions


@pytest.mark.parametrize(("n", "per_row"), [(7, 3), (7, 0)])
def test_incomplete_grid_is_read_as_points(tmp_path: Path, n: int, per_row: int) -> None:
    truth = park.example_points(tmp_path / "p.tiff", n, volume=True, per_row=per_row)
    curves = nrm.open(truth.path)
    assert (curves.n_curves, curves.grid) == (n, None)
    assert has_warning(curves, "no whole rows")


def test_points_off_the_grid_are_read_as_points(tmp_path: Path) -> None:
    truth = park.example_points(tmp_path / "p.tiff", 6, volume=True, per_row=3)
    curves = nrm.open(truth.path)
    assert curves.grid is None
    assert has_warning(curves, "do not lie on the grid")
    np.testing.assert_array_equal(curves.curve_table["acquisition_order"], np.arange(6))


def test_turned_grid_is_a_grid(tmp_path: Path) -> None:
    channels, _, _ = park.curves(12, 20, "<f4", ["Force", "Z Scan"], padded=False)
    row, column = np.divmod(np.arange(12), 4)
    place = (0.5 * column + 0.5j * row) * np.exp(0.5j)
    points = np.stack([place.real, place.imag, 0 * row], axis=1)
    spectroscopy = park.Spectroscopy(channels, points, volume=True, per_row=4, driving=1)
    park.write_tiff(tmp_path / "p.tiff", spectroscopy=spectroscopy)
    curves = nrm.open(tmp_path / "p.tiff")
    assert curves.grid == (3, 4)
    np.testing.assert_array_equal(curves.curve_table["acquisition_order"], np.arange(12))


def test_points_without_believable_positions(tmp_path: Path) -> None:
    strange = struct.pack("<ff", float("nan"), 1e30)
    truth = park.example_points(tmp_path / "p.tiff", changes={})
    data = bytearray(truth.path.read_bytes())
    at = data.index(struct.pack("<fff", 0.5, 1.9, 0.0))
    data[at : at + 8] = strange
    truth.path.write_bytes(data)
    curves = nrm.open(truth.path)
    assert np.isnan(curves.curve_table["x"][0])
    assert np.isnan(curves.curve_table["y"][0])
    assert has_warning(curves, "no believable position")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"angle": 30.0}, ["turned"]),
        ({"swap": True}, ["swapped"]),
        ({"log": True}, ["logarithms"]),
    ],
)
def test_flags_of_images_are_reported(
    tmp_path: Path, options: dict[str, Any], words: list[str]
) -> None:
    curves = nrm.open(park.example_image(tmp_path / "i.tiff", **options).path)
    assert has_warning(curves, *words)


def test_retrace_and_unknown_unit(tmp_path: Path) -> None:
    truth = park.example_image(tmp_path / "i.tiff", forward=False, unit="Arb", source="LIA1")
    (picture,) = nrm.open(truth.path).images
    assert (picture.name, picture.unit, picture.direction) == ("LIA1", "Arb", "retrace")


def test_first_row_is_the_lowest(tmp_path: Path) -> None:
    """The writer's slope rises with y; the gain is negative."""
    (picture,) = nrm.open(park.example_image(tmp_path / "i.tiff", gain=2.0).path).images
    assert (np.diff(picture.data, axis=0) > 0).all()
    (picture,) = nrm.open(park.example_image(tmp_path / "i.tiff", gain=-2.0).path).images
    assert (np.diff(picture.data, axis=0) < 0).all()


def test_later_version_is_read_with_a_warning(tmp_path: Path) -> None:
    truth = park.example_points(
        tmp_path / "p.tiff", changes={50433: (4, struct.pack("<I", 0x01000003))}
    )
    curves = nrm.open(truth.path)
    assert curves.n_curves == 7
    assert has_warning(curves, "0x01000003", "not known")


def test_what_lies_beside_curves_need_not_be_an_image(tmp_path: Path) -> None:
    channels, _, _ = park.curves(2, 20, "<f4", ["Force", "Z Scan"], padded=False)
    spectroscopy = park.Spectroscopy(channels, np.zeros((2, 3)), driving=1)
    picture = park.Picture(np.zeros((4, 4), "<f4"))
    path = tmp_path / "p.tiff"
    strange = {50434: (1, bytes(60))}
    park.write_tiff(path, picture=picture, spectroscopy=spectroscopy, changes=strange)
    curves = nrm.open(path)
    assert (curves.n_curves, curves.images) == (2, ())
    assert has_warning(curves, "no image")
    spectroscopy.reference = True
    park.write_tiff(path, picture=picture, spectroscopy=spectroscopy, changes=strange)
    with pytest.raises(nrm.NrmError, match="an image of 4 x 4"):
        nrm.open(path)


# ------------------------------------------------------------------ recognising


def test_other_tiff_files_are_not_parks(tmp_path: Path) -> None:
    path = tmp_path / "p.tiff"
    for changes in (
        {50432: (4, b"")},
        {50432: (4, struct.pack("<I", 7))},
        {50432: (3, struct.pack("<H", 7))},
    ):
        park.write_tiff(path, picture=park.Picture(np.zeros((4, 4), "<f4")), changes=changes)
        assert ParkImporter().sniff(path.read_bytes()[:4096], path) == 0
        with pytest.raises(nrm.CorruptFile, match="private tags"):
            ParkImporter().open(path)


def test_directory_may_be_anywhere(tmp_path: Path) -> None:
    truth = park.example_points(tmp_path / "p.tiff", 20, 400, directory_last=True)
    (directory,) = struct.unpack_from("<I", truth.path.read_bytes(), 4)
    assert directory > 4096
    assert ParkImporter().sniff(truth.path.read_bytes()[:4096], truth.path) == 100
    assert ParkImporter().sniff(b"II*\0", tmp_path / "gone.tiff") == 0


def test_sniffing_needs_no_numpy() -> None:
    code = (
        "import sys, nrm_importers.park as p; from pathlib import Path;"
        "p.ParkImporter().sniff(b'II*\\0', Path('gone'));"
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ------------------------------------------------------------------ PinPoint


def test_pinpoint(tmp_path: Path) -> None:
    truth = pinpoint(tmp_path / "map.ps-ppt")
    curves = nrm.open(truth.path)
    assert curves.grid == (3, 4)
    assert [c.unit for c in curves.channels.values()] == ["m", "V", "V", "m"]
    metadata = curves.metadata
    assert metadata["spring_constant"] == 2.8
    assert "deflection_sensitivity" not in metadata
    assert has_warning(curves, "forceSlope", "0.025", "40 nm/V")
    assert metadata["start_time"] == "2025-09-24T15:43:05"
    assert metadata["operating_mode"] == "PinPoint"
    assert "forceConstant" in curves.header
    steps = np.diff(curves.curve_table["start_time"]) / np.timedelta64(1, "s")
    np.testing.assert_allclose(steps, 5.0)
    assert set(curves.curve_table["start_time_source"]) == {"file_date_and_order"}


def test_padding_of_pinpoint_is_counted(tmp_path: Path) -> None:
    curves = nrm.open(pinpoint_padded(tmp_path / "map.ps-ppt").path)
    assert "padding was removed from 12 curves" in curves.warnings


@pytest.mark.parametrize(("rows", "columns"), [(1, 5), (5, 1)])
def test_an_image_of_one_line(tmp_path: Path, rows: int, columns: int) -> None:
    truth = park.example_image(tmp_path / "i.tiff", rows, columns)
    (image,) = nrm.open(truth.path).images
    assert truth.image is not None
    np.testing.assert_allclose(image.data, truth.image.reshape(rows, columns), rtol=1e-6)


def test_pinpoint_force_in_newtons(tmp_path: Path) -> None:
    truth = park.example_pinpoint(tmp_path / "map.ps-ppt", force_unit="nanonewton")
    curves = nrm.open(truth.path)
    assert curves.channels["force_normal"].unit == "N"
    expected = np.concatenate(truth.values["Force"]) * 1e-9
    np.testing.assert_allclose(curves.read("force_normal"), expected, rtol=1e-12)


def test_pinpoint_turned_and_turned_upside_down(tmp_path: Path) -> None:
    truth = park.example_pinpoint(tmp_path / "map.ps-ppt", upside_down=True, rotation=90)
    curves = nrm.open(truth.path)
    assert "sign turned" in curves.channels["height"].source
    assert curves.metadata["scan_angle"] == pytest.approx(np.pi / 2)
    assert has_warning(curves, "turned by scan_angle")


def test_pinpoint_that_was_stopped(tmp_path: Path) -> None:
    truth = park.example_pinpoint(tmp_path / "map.ps-ppt", missing=3, stopped=True, further=99)
    curves = nrm.open(truth.path)
    assert (curves.n_curves, curves.grid) == (9, None)
    assert has_warning(curves, "9 curves", "3 x 4 pixels")
    assert has_warning(curves, "scan was stopped")
    assert has_warning(curves, "further table")
    assert set(curves.curve_table["start_time_source"]) == {"file_date"}
    assert curves.curve_table["row"].max() == 2


def test_pinpoint_with_an_empty_curve_and_other_order(tmp_path: Path) -> None:
    from writers.park_pinpoint import (
        CURVE,
        SCAN_START,
        SCAN_STOP,
        as_frame,
        curve,
        scan_start,
        scan_stop,
    )

    values = [np.array([3, 1, 2], "<f4"), np.array([], "<f4"), np.array([5, 4, 5, 6], "<f4")]
    frames = [(SCAN_START, as_frame(scan_start(1, 3)))]
    for fast in (2, 1, 0):
        content = curve([("ZHeight", "micrometer", values[fast])], fast, 0)
        frames.append((CURVE, as_frame(content)))
    frames.append((SCAN_STOP, as_frame(scan_stop())))
    park.write_frames(tmp_path / "m.ps-ppt", frames)
    curves = nrm.open(tmp_path / "m.ps-ppt")
    assert curves.grid == (1, 3)
    np.testing.assert_array_equal(curves.row_size, [3, 0, 4])
    np.testing.assert_allclose(curves.read("height"), np.array([3, 1, 2, 5, 4, 5, 6]) * 1e-6)
    np.testing.assert_array_equal(curves.curve_table["acquisition_order"], [2, 1, 0])
    check_importer(ParkImporter(), [tmp_path / "m.ps-ppt"])


def test_changed_file_is_noticed(tmp_path: Path) -> None:
    for make in (points, pinpoint):
        truth = make(tmp_path / "file")
        curves = nrm.open(truth.path)
        truth.path.write_bytes(truth.path.read_bytes() + b" ")
        with pytest.raises(nrm.NrmError, match="changed"):
            curves.read("height")


def test_warnings_that_are_explained_exist() -> None:
    root = Path(__file__).resolve().parent.parent
    trees = [
        ast.parse(path.read_text(encoding="utf-8"))
        for path in (root / "importers" / "nrm_importers").rglob("*.py")
        if path.parent.name != "bruker"
    ]
    texts = " ".join(
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    texts += inspect.getsource(vocabulary.Key)
    page = (root / "docs" / "park.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.*?)` \|", page.split("## Warnings", 1)[1], re.M)
    assert len(rows) > 20
    for warning in rows:
        named = r"\.\.\.|[+-]?\d\S*(?: nN/V,?| nN| m)?|Z Detector|Tip Bias|furlong|logarithms"
        longest = max(re.split(named, warning), key=len).strip(" :")
        assert longest in texts, f"no such warning: {warning}"
