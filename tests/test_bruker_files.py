"""Synthetic NanoScope files of every kind are read as what was written into them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from writers.nanoscope import (
    ForceChannel,
    ImageChannel,
    PeakForce,
    as_printed,
    example_force_volume,
    example_images,
    example_peakforce,
    example_single_curve,
    write_ascii,
    write_force,
    write_images,
)

import nrm_plugin as nrm
from nrm_importers.bruker import BrukerImporter
from nrm_plugin.cli import main
from nrm_plugin.testing import check_importer

VERSIONS = {
    "5.31": 0x05310001,
    "6.13": 0x06130000,
    "7.3": 0x07300000,
    "8.15": 0x08150203,
    "9.1": 0x09010300,
    "9.2": 0x0920B046,
    "9.4": 0x09400105,
    "9.7": 0x09700105,
}
every_version = pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)

VOLT = 0.000375  # V/LSB of every channel that counts 16-bit steps
SENSOR = 360.5e-9  # m/V
DEFLECTION = np.arange(-8, 12).reshape(1, 20) ** 3  # 12 + 8 samples, all different


def deflection(raw: Any = DEFLECTION, **changes: Any) -> ForceChannel:
    """Deflection channel with these integers."""
    made = ForceChannel(
        "Deflection Error", "DeflectionError", np.asarray(raw), VOLT, 2.5, ("DeflSens", 30, "nm/V")
    )
    return replace(made, **changes)


def auxiliary(name: str, raw: Any, internal: str | None = None, **changes: Any) -> ForceChannel:
    """Channel in volts whose sensitivity is the 1 without unit that NanoScope writes."""
    named = (name, name if internal is None else internal)
    made = ForceChannel(*named, np.asarray(raw), VOLT, 24.576, (name.replace(" ", ""), 1.0, ""))
    return replace(made, **changes)


def sensor(raw: Any, **changes: Any) -> ForceChannel:
    """Height sensor channel with these integers."""
    made = ForceChannel(
        "Height Sensor", "ZSensor", np.asarray(raw), VOLT, 24.576, ("ZsensSens", 360.5, "nm/V")
    )
    return replace(made, **changes)


def single(folder: Path, *channels: ForceChannel, **options: Any) -> nrm.CurveSet:
    """Open a file with one curve of 12 + 8 samples made of these channels."""
    path = folder / "made.spm"
    write_force(path, channels, **({"n_ext": 12, "n_ret": 8} | options))
    return nrm.open(path)


def edited(path: Path, old: str, new: str, *, keep_size: bool = True) -> Path:
    """Replace a piece of a header's text, all data staying where they are."""
    data = path.read_bytes()
    before, after = old.encode("cp1252"), new.encode("cp1252")
    assert before in data
    changed = data.replace(before, after, 1)
    grown = len(after) - len(before)
    if keep_size:  # out of, or into, the zeros behind the header
        end = changed.index(b"\x1a") + 1
        if grown >= 0:
            assert not any(changed[end : end + grown])
            changed = changed[:end] + changed[end + grown :]
        else:
            changed = changed[:end] + bytes(-grown) + changed[end:]
    path.write_bytes(changed)
    return path


def table(curves: nrm.CurveSet, name: str) -> np.ndarray:
    """Values of a channel, one line per curve."""
    return curves.read(name).reshape(curves.n_curves, -1)


def kinds(curves: nrm.CurveSet, curve: int = 0) -> list[tuple[int, int, str]]:
    """Segments of one curve."""
    return [(int(a), int(b), str(k)) for c, a, b, k in curves.segments if c == curve]


def has_warning(curves: nrm.CurveSet, *words: str) -> bool:
    """Whether one warning has all these words."""
    return any(all(word in text for word in words) for text in curves.warnings)


# ------------------------------------------------------------------ versions


@every_version
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_single_curve_of_every_version(tmp_path: Path, version: int, newline: str) -> None:
    truth = example_single_curve(tmp_path / "c.000", 40, 30, version=version, newline=newline)
    curves = nrm.open(truth.path)
    assert (curves.n_curves, curves.n_samples, curves.grid) == (1, 70, None)
    assert kinds(curves) == [(0, 40, "approach"), (40, 70, "retract")]
    for name, internal in {
        "deflection": "DeflectionError",
        "lateral": "Lateral",
        "input1": "Input1",
        "input2": "Input2",
    }.items():
        assert curves.channels[name].unit == "V"
        np.testing.assert_array_equal(table(curves, name), truth.volts[internal])
    np.testing.assert_allclose(
        table(curves, "height_sensor"), -truth.volts["ZSensor"] * SENSOR, rtol=1e-14
    )
    np.testing.assert_array_equal(curves.read("height"), curves.read("height_sensor"))
    np.testing.assert_allclose(
        table(curves, "height_commanded"), truth.height, rtol=1e-12, atol=1e-20
    )
    # Forward and Reverse vel. are printed with six digits.
    np.testing.assert_allclose(
        curves.read("time"), truth.sample_interval * np.arange(70), rtol=2e-5, atol=1e-9
    )
    found = curves.metadata
    assert found["height_source"] == "sensor"
    assert found["spring_constant"] == 0.1332
    assert found["deflection_sensitivity"] == pytest.approx(30e-9, rel=1e-14)
    assert found["ramp_size"] == pytest.approx(truth.ramp_size, rel=1e-14)
    assert found["ramp_rate"] == 0.5
    assert found["trigger_mode"] == "relative"
    volts = truth.volts["DeflectionError"][0]
    assert found["trigger_threshold"] == pytest.approx(volts[39] - volts[0], rel=1e-6)
    assert found["start_time"] == "2025-03-04T09:41:07"
    assert found["software_version"] == f"{version:#010x}"
    assert found["operating_mode"] == "Force"


@every_version
def test_force_volume_of_every_version(tmp_path: Path, version: int) -> None:
    truth = example_force_volume(tmp_path / "v.spm", 3, 5, version=version, height_sensor=True)
    curves = nrm.open(truth.path)
    assert (curves.n_curves, curves.grid) == (15, (3, 5))
    np.testing.assert_array_equal(table(curves, "deflection"), truth.volts["DeflectionError"])
    np.testing.assert_allclose(
        table(curves, "height_sensor"), -truth.volts["ZSensor"] * SENSOR, rtol=1e-14
    )
    np.testing.assert_allclose(
        table(curves, "height_commanded"), truth.height, rtol=1e-12, atol=1e-20
    )
    assert kinds(curves, 14) == [(0, 64, "approach"), (64, 112, "retract")]
    (image,) = curves.images
    np.testing.assert_array_equal(image.raw, truth.images[0].raw)
    # The image shows the height at which each curve meets the surface, to one step of its own.
    np.testing.assert_allclose(image.data.ravel(), truth.contact_height, atol=6e-9)
    np.testing.assert_allclose(image.size, truth.scan_size, rtol=1e-12)


@every_version
def test_width_on_disk_follows_the_version(tmp_path: Path, version: int) -> None:
    truth = example_force_volume(tmp_path / "v.spm", version=version, height_sensor=True)
    curves = nrm.open(truth.path)
    width = np.int32 if version >= 0x09200000 else np.int16
    stated = {channel.bytes_pixel for channel in truth.channels}
    assert stated == ({2, 4} if version >= 0x09200000 else {2})
    for name, channel in zip(("deflection", "height_sensor"), truth.channels, strict=True):
        raw = curves.read_raw(name)
        assert raw.dtype == width
        np.testing.assert_array_equal(raw.reshape(15, -1), channel.raw)


@pytest.mark.parametrize("version", [VERSIONS["8.15"], VERSIONS["9.7"]], ids=["int16", "int32"])
@pytest.mark.parametrize("stated", [1, 2, 4, 8])
def test_bytes_per_pixel_is_not_the_width_of_curves(
    tmp_path: Path, version: int, stated: int
) -> None:
    curves = single(tmp_path, deflection(bytes_pixel=stated), version=version)
    np.testing.assert_array_equal(table(curves, "deflection"), DEFLECTION * VOLT)


@pytest.mark.parametrize(("stated", "steps"), [(2, 65536.0), (4, 4294967296.0)])
def test_bytes_per_pixel_cuts_the_range_of_images(
    tmp_path: Path, stated: int, steps: float
) -> None:
    raw = np.arange(-6, 6).reshape(3, 4) * 5000
    image = ImageChannel(
        "Height", "Height", raw, 0.1, 400.0, ("Zsens", 13.2, "nm/V"), bytes_pixel=stated
    )
    write_images(tmp_path / "i.spm", [image])
    (found,) = nrm.open(tmp_path / "i.spm").images
    np.testing.assert_array_equal(found.raw, raw)
    np.testing.assert_allclose(found.data, raw * (400.0 / steps * 13.2e-9), rtol=1e-14)


def test_both_kinds_of_steps_in_one_list(tmp_path: Path) -> None:
    fine = as_printed(VOLT / 65536)
    raw = np.linspace(-9e8, 9e8, 20).astype(np.int64)[np.newaxis]
    curves = single(
        tmp_path, deflection(), sensor(raw, hard=fine, bytes_pixel=4), version=VERSIONS["9.4"]
    )
    np.testing.assert_array_equal(table(curves, "deflection"), DEFLECTION * VOLT)
    np.testing.assert_allclose(table(curves, "height_sensor"), -raw * (fine * SENSOR), rtol=1e-14)


def test_a_file_of_settings_alone_is_whole_and_has_nothing(tmp_path: Path) -> None:
    """No list of data, or one with a length of 0: nothing is damaged."""
    path = tmp_path / "settings.spm"
    example_images(path, electrochemistry=True)
    data = path.read_bytes().replace(b"\\*Ciao image list", b"\\*Ciao sonar list")
    path.write_bytes(data)
    curves = nrm.open(path)
    assert (curves.n_curves, len(curves.images)) == (0, 0)
    assert has_warning(curves, "has data that are not read here: Ciao sonar list")
    assert curves.metadata["software_version"] == "0x09700105"
    where = path.read_bytes().index(b"\\*Ciao sonar list")
    path.write_bytes(path.read_bytes()[:where] + b"\\*File list end\r\n\x1a")
    curves = nrm.open(path)
    assert curves.n_curves == 0
    assert has_warning(curves, "has settings and no data")
    check_importer(BrukerImporter(), [path])
    result = CliRunner().invoke(main, ["info", str(path)])
    assert result.exit_code == 0
    assert "has settings and no data" in result.output


@pytest.mark.parametrize("version", [0x04220000, 0x04430408, 0x03000000])
def test_nanoscope_4_and_older_is_refused(tmp_path: Path, version: int) -> None:
    truth = example_single_curve(tmp_path / "c.000", version=version)
    with pytest.raises(nrm.UnknownFormat, match=f"NanoScope {version >> 24}.*export it as text"):
        nrm.open(truth.path)


# ------------------------------------------------------------------ hold, scripts


@pytest.mark.parametrize("version", [VERSIONS["8.15"], VERSIONS["9.2"], VERSIONS["9.7"]])
def test_hold_lies_last_on_disk_and_second_in_time(tmp_path: Path, version: int) -> None:
    truth = example_single_curve(tmp_path / "h.spm", 40, 30, n_hold=20, version=version)
    curves = nrm.open(truth.path)
    assert kinds(curves) == [(0, 40, "approach"), (40, 60, "hold"), (60, 90, "retract")]
    np.testing.assert_array_equal(table(curves, "deflection"), truth.volts["DeflectionError"])
    np.testing.assert_allclose(
        table(curves, "height_commanded"), truth.height, rtol=1e-12, atol=1e-20
    )
    assert curves.metadata["hold_time"] == 0.2
    time = curves.read("time")
    assert time[60] - time[40] == pytest.approx(0.2, rel=1e-9)
    assert time[40] == pytest.approx(40 * truth.sample_interval, rel=2e-5)


def test_hold_in_a_volume(tmp_path: Path) -> None:
    truth = example_force_volume(tmp_path / "h.spm", 2, 3, 16, 12, n_hold=5, height_sensor=True)
    curves = nrm.open(truth.path)
    assert curves.grid == (2, 3)
    for i in range(6):
        assert kinds(curves, i) == [(0, 16, "approach"), (16, 21, "hold"), (21, 33, "retract")]
    np.testing.assert_array_equal(table(curves, "deflection"), truth.volts["DeflectionError"])
    np.testing.assert_array_equal(
        curves.read_raw("height_sensor").reshape(6, -1), truth.channels[1].raw
    )
    # A curve takes two ramps' time (0.5 s) and the hold (0.05 s).
    late = curves.curve_table["start_time"] - curves.curve_table["start_time"][0]
    np.testing.assert_allclose(late / np.timedelta64(1, "s"), 0.55 * np.arange(6), atol=1e-4)


@pytest.mark.parametrize("announced", [7, 20, 28, 112])
def test_hold_samples_announced_but_not_there(tmp_path: Path, announced: int) -> None:
    # 28 more samples would be a volume of 2 rows and 112 one of 4 in 16-bit steps.
    truth = example_force_volume(tmp_path / "h.spm", 4, 3, 16, 12, topography=False)
    edited(truth.path, "Hold Samples: 0", f"Hold Samples: {announced}")
    curves = nrm.open(truth.path)
    assert curves.grid == (4, 3)
    np.testing.assert_array_equal(table(curves, "deflection"), truth.volts["DeflectionError"])


def test_hold_announced_for_a_single_curve_but_not_there(tmp_path: Path) -> None:
    path = tmp_path / "made.spm"
    write_force(path, [deflection()], n_ext=12, n_ret=8)
    curves = nrm.open(edited(path, "Hold Samples: 0", "Hold Samples: 20"))
    np.testing.assert_array_equal(table(curves, "deflection"), DEFLECTION * VOLT)


SCRIPT = [
    {"samples": 6, "duration": 0.3, "type": "Ramp"},
    {"samples": 5, "duration": 0.5, "type": "Hold"},
    {"samples": 4, "duration": 0.1, "type": "Hold"},
    {"samples": 5, "duration": 0.25, "type": "Ramp"},
]


def test_ramp_script_with_ramps_holds_and_modulation(tmp_path: Path) -> None:
    path = tmp_path / "made.spm"
    write_force(
        path, [deflection()], n_ext=12, n_ret=8, version=VERSIONS["9.7"], script_segments=SCRIPT
    )
    edited(
        path,
        "\\Segment Type:",
        "\\Segment Ramp Size: 200, 0, 0, -200, \r\n"
        "\\Segment Modulation Amplitude: 0, 0, 5, 0, \r\n\\Segment Type:",
    )
    curves = nrm.open(path)
    assert kinds(curves) == [
        (0, 6, "approach"),
        (6, 11, "hold"),
        (11, 15, "modulation"),
        (15, 20, "retract"),
    ]
    np.testing.assert_array_equal(table(curves, "deflection"), DEFLECTION * VOLT)
    steps = np.repeat([0.05, 0.1, 0.025, 0.05], [6, 5, 4, 5])
    np.testing.assert_allclose(curves.read("time"), np.cumsum(steps) - steps, atol=1e-12)
    # How far a script's ramps go is not what the ordinary ramp's size says.
    assert "height_commanded" not in curves.channels
    assert "ramp_size" not in curves.metadata
    assert has_warning(curves, "script", "order of time")
    assert has_warning(curves, "scripted", "no commanded height")


def test_script_of_an_approach_and_a_retract_has_no_commanded_height(tmp_path: Path) -> None:
    path = tmp_path / "made.spm"
    write_force(
        path,
        [deflection()],
        n_ext=12,
        n_ret=8,
        version=VERSIONS["9.7"],
        script_segments=[
            {"samples": 12, "duration": 1, "type": "Ramp"},
            {"samples": 8, "duration": 1, "type": "Ramp"},
        ],
    )
    edited(path, "\\Segment Type:", "\\Segment Ramp Size: 90, -90, \r\n\\Segment Type:")
    curves = nrm.open(path)
    assert kinds(curves) == [(0, 12, "approach"), (12, 20, "retract")]
    assert "height" not in curves.channels


def test_script_segments_without_a_ramp_size_are_of_no_known_kind(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(), version=VERSIONS["9.4"], script_segments=SCRIPT)
    assert [k for _, _, k in kinds(curves)] == ["other"] * 4


def test_leftovers_of_a_script_do_not_count(tmp_path: Path) -> None:
    # 9.4 writes "Use Ramp Script: Yes" with 0 segments and the lengths of an earlier script.
    curves = single(tmp_path, deflection(), version=VERSIONS["9.4"])
    assert b"Segment Samples: 10416" in (tmp_path / "made.spm").read_bytes()
    assert kinds(curves) == [(0, 12, "approach"), (12, 20, "retract")]


@pytest.mark.parametrize(("n_ext", "n_ret"), [(12, 8), (20, 0), (0, 20), (19, 1)])
def test_halves_of_any_length(tmp_path: Path, n_ext: int, n_ret: int) -> None:
    curves = single(tmp_path, deflection(), n_ext=n_ext, n_ret=n_ret)
    np.testing.assert_array_equal(table(curves, "deflection"), DEFLECTION * VOLT)
    both = [(0, n_ext, "approach"), (n_ext, 20, "retract")]
    assert kinds(curves) == [part for part in both if part[1] > part[0]]


@pytest.mark.parametrize("slot", [12, 13, 64])
@pytest.mark.parametrize("hold", [0, 3])
@every_version
def test_nothing_behind_the_counts_of_halves_is_read(
    tmp_path: Path, version: int, hold: int, slot: int
) -> None:
    raw = np.concatenate([DEFLECTION[:, :12], np.full((1, hold), 7), DEFLECTION[:, 12:]], axis=1)
    volumes = np.concatenate([raw + i for i in range(6)])
    path = tmp_path / "made.spm"
    options = {"n_ext": 12, "n_ret": 8, "n_hold": hold, "slot": slot, "version": version}
    for grid, values in ((None, raw), ((2, 3), volumes)):
        write_force(path, [deflection(values)], grid=grid, ramp_size_nm=150, **options)
        curves = nrm.open(path)
        assert curves.grid == grid
        np.testing.assert_array_equal(table(curves, "deflection"), values * VOLT)
        lengths = [(kind, stop - start) for start, stop, kind in kinds(curves)]
        held = [("hold", hold)] if hold else []
        assert lengths == [("approach", 12), *held, ("retract", 8)]
        # A trigger that comes early ends the approach, and its steps are those of a whole ramp.
        step = as_printed(150 / 13.2) * 13.2e-9 / slot
        heights = [*(12 - np.arange(12)), *[0] * hold, *(1 + np.arange(8))]
        np.testing.assert_allclose(
            table(curves, "height_commanded")[-1], np.array(heights) * step, rtol=1e-12, atol=1e-20
        )
        if not hold:
            np.testing.assert_allclose(
                curves.read("time", 0), np.arange(20) / (2 * slot), rtol=2e-5
            )


def test_garbage_behind_halves_says_nothing_of_the_header(tmp_path: Path) -> None:
    # Integers beyond 16 bits would be those of data that begin elsewhere, but only as samples.
    path = tmp_path / "made.spm"
    write_force(path, [deflection()], n_ext=12, n_ret=8, slot=2000, version=VERSIONS["9.7"])
    data = bytearray(path.read_bytes())
    block = np.frombuffer(data, "<i4", 4000, 80960)
    for half, count in ((0, 12), (2000, 8)):
        data[80960 + 4 * (half + count) : 80960 + 4 * (half + 2000)] = b"\x7f" * 4 * (2000 - count)
    assert len(block) == 4000
    path.write_bytes(bytes(data))
    curves = nrm.open(path)
    np.testing.assert_array_equal(table(curves, "deflection"), DEFLECTION * VOLT)
    assert not has_warning(curves, "header is damaged")


def test_more_samples_than_a_slot_has_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "made.spm"
    write_force(path, [deflection()], n_ext=12, n_ret=8)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"Samps/line: 12 12", b"Samps/line: 12 13"))
    with pytest.raises(nrm.CorruptFile, match="samples"):
        nrm.open(path)


def test_retract_of_unknown_length_is_read_as_far_as_the_approach(tmp_path: Path) -> None:
    path = tmp_path / "made.spm"
    write_force(path, [deflection()], n_ext=12, n_ret=8, slot=30)
    edited(path, "\\Samps/line, retrace: 8\r\n", "")
    curves = nrm.open(path)
    assert [stop - start for start, stop, _ in kinds(curves)] == [12, 12]
    assert has_warning(curves, "does not say how many samples the retract has")


# ------------------------------------------------------------------ grids, order, places


@pytest.mark.parametrize("grid", [(1, 7), (7, 1), (2, 9), (9, 2), (1, 1)])
@pytest.mark.parametrize("version", [VERSIONS["8.15"], VERSIONS["9.7"]], ids=["8.15", "9.7"])
def test_rectangular_volumes(tmp_path: Path, grid: tuple[int, int], version: int) -> None:
    truth = example_force_volume(tmp_path / "v.spm", *grid, 12, 8, version=version)
    curves = nrm.open(truth.path)
    assert curves.grid == grid
    assert curves.images[0].shape == grid
    found = curves.curve_table
    np.testing.assert_array_equal(found["row"], np.repeat(np.arange(grid[0]), grid[1]))
    np.testing.assert_array_equal(found["column"], np.tile(np.arange(grid[1]), grid[0]))
    np.testing.assert_array_equal(table(curves, "deflection"), truth.volts["DeflectionError"])


def test_volume_that_was_stopped_after_whole_rows(tmp_path: Path) -> None:
    truth = example_force_volume(tmp_path / "v.spm", 2, 5, 12, 8, topography=False)
    edited(truth.path, "\\Lines: 2", "\\Lines: 5")
    curves = nrm.open(truth.path)
    assert curves.grid == (2, 5)
    np.testing.assert_array_equal(table(curves, "deflection"), truth.volts["DeflectionError"])
    assert has_warning(curves, "stopped after 2 whole rows")
    # The rows may be those at the bottom of the scan or at its top.
    assert np.isnan(curves.curve_table["y"]).all()
    np.testing.assert_allclose(curves.curve_table["x"][:5] * 1e9, [-1000, -500, 0, 500, 1000])


def test_volume_whose_image_has_other_pixels(tmp_path: Path) -> None:
    raw = np.arange(60).reshape(6, 10)
    scale = ("Zsens", 13.2, "nm/V")
    image = ImageChannel("Height", "Height", raw, 0.0067, 440.0, scale, scan_size="2 2 ~m")
    curves_raw = np.arange(15)[:, np.newaxis] * 30 + DEFLECTION % 29
    path = tmp_path / "v.spm"
    write_force(
        path,
        [deflection(curves_raw)],
        n_ext=12,
        n_ret=8,
        grid=(3, 5),
        images=[image],
        scan_size=(2000.0, 2000.0),
    )
    curves = nrm.open(path)
    assert curves.grid == (3, 5)
    assert curves.images[0].shape == (6, 10)
    np.testing.assert_array_equal(curves.images[0].raw, raw)
    np.testing.assert_array_equal(table(curves, "deflection"), curves_raw * VOLT)
    # The pixels of both cover the same square.
    np.testing.assert_allclose(curves.curve_table["y"][::5], np.array([-1, 0, 1]) * 2e-6 / 3)


def test_volume_with_half_a_row_is_refused(tmp_path: Path) -> None:
    truth = example_force_volume(tmp_path / "v.spm", 2, 5, 12, 8, topography=False)
    data = truth.path.read_bytes()
    length = 4 * (12 + 12) * 10
    assert f"Data length: {length}".encode() in data
    truth.path.write_bytes(data[: -3 * 96])
    edited(truth.path, f"Data length: {length}", f"Data length: {length - 3 * 96}")
    with pytest.raises(nrm.CorruptFile, match="whole rows"):
        nrm.open(truth.path)


@pytest.mark.parametrize(
    ("frame", "line", "order"),
    [
        ("Up", "Trace", [0, 1, 2, 3, 4, 5]),
        ("Up", "Retrace", [2, 1, 0, 5, 4, 3]),
        ("Down", "Trace", [3, 4, 5, 0, 1, 2]),
        ("Down", "Retrace", [5, 4, 3, 2, 1, 0]),
        ("Up", "Bidirection", [0, 1, 2, 5, 4, 3]),
        ("Down", "Bidirection", [5, 4, 3, 0, 1, 2]),
    ],
)
def test_order_in_time(tmp_path: Path, frame: str, line: str, order: list[int]) -> None:
    truth = example_force_volume(
        tmp_path / "v.spm",
        2,
        3,
        12,
        8,
        capture_direction=frame,
        frame_direction=frame,
        fv_line_direction=line,
        scan_rate=2.0,
    )
    found = nrm.open(truth.path).curve_table
    np.testing.assert_array_equal(found["acquisition_order"], order)
    # 2 ramps per second from the date of the file on, which may be that of the end.
    late = (found["start_time"] - np.datetime64("2025-03-04T09:41:07")) / np.timedelta64(1, "s")
    np.testing.assert_allclose(late, 0.5 * np.array(order), atol=1e-4)
    assert set(found["start_time_source"]) == {"file_date_and_order"}
    np.testing.assert_allclose(found["start_time_uncertainty"], 1 + 6 * 0.5, rtol=1e-4)


def test_start_of_a_single_curve_is_the_date_of_the_file(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(), date="11:59:58 PM Sat Feb 29 2020", scan_rate=0.5)
    found = curves.curve_table
    assert found["start_time"][0] == np.datetime64("2020-02-29T23:59:58")
    assert found["start_time_source"][0] == "file_date"
    assert found["start_time_uncertainty"][0] == pytest.approx(1 + 2, rel=1e-4)


@pytest.mark.parametrize("date", ["", "yesterday", "09:41:07 AM Tue Feb 30 2025"])
def test_without_a_date_there_is_no_start(tmp_path: Path, date: str) -> None:
    curves = single(tmp_path, deflection(), date=date)
    assert np.isnat(curves.curve_table["start_time"][0])
    assert "start_time" not in curves.metadata


def test_positions(tmp_path: Path) -> None:
    truth = example_force_volume(
        tmp_path / "v.spm", 2, 3, 12, 8, scan_size=(3000.0, 2000.0), offsets=(1000.0, -500.0)
    )
    found = nrm.open(truth.path).curve_table
    np.testing.assert_allclose(found["x"] * 1e9, [0, 1000, 2000] * 2, atol=1e-6)
    np.testing.assert_allclose(found["y"] * 1e9, [-1000] * 3 + [0] * 3, atol=1e-6)


def test_position_of_a_single_curve(tmp_path: Path) -> None:
    found = single(tmp_path, deflection(), offsets=(-1523.3, 250.0)).curve_table
    assert found["x"][0] == pytest.approx(-1523.3e-9, rel=1e-12)
    assert found["y"][0] == pytest.approx(250e-9, rel=1e-12)
    assert (found["row"][0], found["column"][0]) == (-1, -1)


def test_turned_scan_says_so(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(), rotate=1.5708)
    assert curves.metadata["scan_angle"] == 1.5708
    assert has_warning(curves, "turned", "scan_angle")


# ------------------------------------------------------------------ channels


def test_duplicate_list_is_dropped(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(), duplicate_list=True)
    assert [c.original for c in curves.channels.values() if c.original == "Deflection Error"] == [
        "Deflection Error"
    ]
    assert not has_warning(curves, "two channels")


def test_a_duplicate_that_differs_behind_the_counts(tmp_path: Path) -> None:
    """What fills the slots of short halves is no data."""
    path = tmp_path / "made.spm"
    single(tmp_path, deflection(), duplicate_list=True, slot=14)
    data = bytearray(path.read_bytes())
    behind = len(data) - 4 * 28 + 4 * 12  # of the copy's approach
    data[behind : behind + 8] = b"12345678"
    path.write_bytes(data)
    curves = nrm.open(path)
    assert "deflection_2" not in curves.channels
    np.testing.assert_array_equal(table(curves, "deflection"), DEFLECTION * VOLT)


@pytest.mark.parametrize("place", [0, 11, 19])
def test_a_list_that_differs_in_one_sample_is_no_duplicate(tmp_path: Path, place: int) -> None:
    other = DEFLECTION.copy()
    other[0, place] += 1
    curves = single(tmp_path, deflection(), deflection(other, x_data_type="Time"))
    np.testing.assert_array_equal(table(curves, "deflection"), DEFLECTION * VOLT)
    np.testing.assert_array_equal(table(curves, "deflection_2"), other * VOLT)
    assert has_warning(curves, "two channels", "deflection_2")


def test_channels_of_one_name_are_all_kept(tmp_path: Path) -> None:
    laterals = [auxiliary("Friction", DEFLECTION + i, "Lateral") for i in range(3)]
    curves = single(tmp_path, *laterals)
    names = [n for n, c in curves.channels.items() if c.original == "Friction"]
    assert len(names) == 3
    assert names[0] == "lateral"
    for i, name in enumerate(names):
        np.testing.assert_array_equal(table(curves, name), (DEFLECTION + i) * VOLT)


def test_two_channels_with_the_same_numbers_are_both_kept(tmp_path: Path) -> None:
    curves = single(tmp_path, auxiliary("Input1", DEFLECTION), auxiliary("Input2", DEFLECTION))
    assert {"input1", "input2"} <= set(curves.channels)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_auxiliary_inputs_in_volts(tmp_path: Path, number: int) -> None:
    raw = DEFLECTION * number
    curves = single(tmp_path, deflection(), auxiliary(f"Input{number}", raw))
    channel = curves.channels[f"input{number}"]
    assert (channel.unit, channel.original) == ("V", f"Input{number}")
    np.testing.assert_array_equal(table(curves, f"input{number}"), raw * VOLT)
    renamed = curves.with_names({f"Input{number}": "lockin_output_x"})
    np.testing.assert_array_equal(table(renamed, "lockin_output_x"), raw * VOLT)


def test_lock_in_on_auxiliary_inputs_by_the_command(tmp_path: Path) -> None:
    truth = example_single_curve(tmp_path / "c.000", 40, 30)
    out = tmp_path / "c.h5"
    names = ["--map", "Input1=lockin_output_x", "--map", "Input2=lockin_output_y"]
    ran = CliRunner().invoke(main, ["convert", str(truth.path), "-o", str(out), *names])
    assert ran.exit_code == 0, ran.output
    curves = nrm.open(out)
    for name, vendor in (("lockin_output_x", "Input1"), ("lockin_output_y", "Input2")):
        assert curves.channels[name].unit == "V"
        assert curves.channels[name].original == vendor
        np.testing.assert_array_equal(table(curves, name), truth.volts[vendor])


def test_calibrated_auxiliary_input(tmp_path: Path) -> None:
    curves = single(tmp_path, auxiliary("Input1", DEFLECTION, sensitivity=("Input1", 50, "mV/V")))
    assert curves.channels["input1"].unit == "V"
    np.testing.assert_allclose(table(curves, "input1"), DEFLECTION * VOLT * 0.05, rtol=1e-14)


@pytest.mark.parametrize(
    ("shown", "internal"),
    [("Friction", "Lateral"), ("Lateral Deflection", "Lateral"), ("Lateral", ""), ("Friction", "")],
)
def test_lateral_by_any_of_its_names(tmp_path: Path, shown: str, internal: str) -> None:
    curves = single(tmp_path, deflection(), auxiliary(shown, DEFLECTION + 5, internal))
    assert curves.channels["lateral"].unit == "V"
    np.testing.assert_array_equal(table(curves, "lateral"), (DEFLECTION + 5) * VOLT)


def test_internal_lock_in(tmp_path: Path) -> None:
    phase = auxiliary("TR Phase", DEFLECTION, "TRPhase", hard=0.005493164, unit="º")
    curves = single(tmp_path, auxiliary("TR Amplitude", DEFLECTION + 1, "TRAmplitude"), phase)
    np.testing.assert_array_equal(table(curves, "lateral_amplitude"), (DEFLECTION + 1) * VOLT)
    assert curves.channels["lateral_phase"].unit == "rad"
    np.testing.assert_allclose(
        table(curves, "lateral_phase"), np.radians(DEFLECTION * 0.005493164), rtol=1e-14
    )


def test_channel_of_the_vendors_own_keeps_its_name(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(), auxiliary("Potential", DEFLECTION))
    assert "potential" not in curves.channels  # that is the electrode's potential
    np.testing.assert_array_equal(table(curves, "bruker_potential"), DEFLECTION * VOLT)


RAMP = np.concatenate([np.arange(12), np.arange(7, -1, -1) * 1.5]).astype(int)[np.newaxis] * 100


def test_height_is_the_sensor_which_falls_as_its_volts_rise(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(), sensor(RAMP), ramp_size_nm=150)
    assert curves.metadata["height_source"] == "sensor"
    np.testing.assert_allclose(table(curves, "height"), -RAMP * VOLT * SENSOR, rtol=1e-14)
    assert curves.channels["height"].source == curves.channels["height_sensor"].source


def test_sensor_with_the_other_sign_keeps_it(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(), sensor(-RAMP), ramp_size_nm=150)
    assert curves.metadata["height_source"] == "sensor"
    np.testing.assert_allclose(table(curves, "height"), -RAMP * VOLT * SENSOR, rtol=1e-14)
    assert has_warning(curves, "Height Sensor", "sign")


@pytest.mark.parametrize(
    "dead", [np.full((1, 20), 4711), 4711 + np.arange(20)[np.newaxis] % 2], ids=["stuck", "noise"]
)
def test_dead_sensor_is_not_chosen(tmp_path: Path, dead: np.ndarray) -> None:
    curves = single(tmp_path, deflection(), sensor(dead), ramp_size_nm=150)
    assert curves.metadata["height_source"] == "commanded"
    size = as_printed(150 / 13.2) * 13.2e-9
    approach, retract = 1 - np.arange(12) / 12, (np.arange(8) + 1) / 12
    np.testing.assert_allclose(
        curves.read("height"), size * np.concatenate([approach, retract]), rtol=1e-12
    )
    assert has_warning(curves, "sensor", "does not follow")
    np.testing.assert_array_equal(np.abs(curves.read_raw("height_sensor")), dead[0])


def test_recorded_ramp_without_a_sensor(tmp_path: Path) -> None:
    commanded = auxiliary("Height", RAMP, hard=0.006713765, sensitivity=("Zsens", 13.2, "nm/V"))
    curves = single(tmp_path, deflection(), commanded, ramp_size_nm=150)
    assert curves.metadata["height_source"] == "commanded"
    np.testing.assert_allclose(table(curves, "height"), -RAMP * 0.006713765 * 13.2e-9, rtol=1e-14)


def test_list_of_other_length_is_left_out_with_a_word(tmp_path: Path) -> None:
    path = tmp_path / "made.spm"
    write_force(path, [deflection(), auxiliary("Input1", DEFLECTION)], n_ext=12, n_ret=8)
    data = path.read_bytes()
    at = data.rindex(b"Data length: 96") + len("Data length: ")
    path.write_bytes(data[:at] + b"72" + data[at + 2 :])
    curves = nrm.open(path)
    assert "input1" not in curves.channels
    assert has_warning(curves, "Input1", "left out")


# ------------------------------------------------------------------ calibration


def test_sensitivity_without_unit_is_taken_as_nm_per_volt(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(sensitivity=("DeflSens", 27.39, "")))
    assert curves.metadata["deflection_sensitivity"] == pytest.approx(27.39e-9, rel=1e-14)
    assert has_warning(curves, "DeflSens", "27.39", "without a unit", "nm/V")


def test_sensitivity_of_exactly_one_without_unit_is_absent(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(sensitivity=("DeflSens", 1.0, "")))
    assert "deflection_sensitivity" not in curves.metadata
    assert has_warning(curves, "DeflSens", "not calibrated")
    np.testing.assert_array_equal(table(curves, "deflection"), DEFLECTION * VOLT)


def test_sensitivity_of_one_with_its_unit_counts(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(sensitivity=("DeflSens", 1.0, "nm/V")))
    assert curves.metadata["deflection_sensitivity"] == pytest.approx(1e-9, rel=1e-14)


@pytest.mark.parametrize(
    ("value", "unit", "metres"), [(0.03, "~m/V", 0.03e-6), (3e4, "pm/V", 3e-8)]
)
def test_sensitivity_in_other_units(tmp_path: Path, value: float, unit: str, metres: float) -> None:
    curves = single(tmp_path, deflection(sensitivity=("DeflSens", value, unit)))
    assert curves.metadata["deflection_sensitivity"] == pytest.approx(metres, rel=1e-9)


def test_uncalibrated_sensor_stays_in_volts(tmp_path: Path) -> None:
    curves = single(
        tmp_path, deflection(), sensor(RAMP, sensitivity=("ZsensSens", 1.0, "")), ramp_size_nm=150
    )
    assert "height_sensor" not in curves.channels
    np.testing.assert_array_equal(table(curves, "bruker_height_sensor"), RAMP * VOLT)
    assert curves.metadata["height_source"] == "commanded"


def test_uncalibrated_z_gives_no_height(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(), z_sens=(1.0, ""), ramp_size_nm=150)
    assert "height" not in curves.channels
    assert "height_source" not in curves.metadata
    assert has_warning(curves, "no height")


def test_spring_constant_is_that_of_the_deflection_list(tmp_path: Path) -> None:
    other = auxiliary("Input1", DEFLECTION, spring_constant=42.0)
    curves = single(tmp_path, other, deflection(spring_constant=0.3758))
    assert curves.metadata["spring_constant"] == 0.3758


def test_stale_z_scan_size_is_not_the_ramp(tmp_path: Path) -> None:
    curves = single(tmp_path, deflection(), version=VERSIONS["8.15"], ramp_size_nm=150)
    assert b"Z scan size" in (tmp_path / "made.spm").read_bytes()
    assert curves.metadata["ramp_size"] == pytest.approx(150e-9, rel=1e-6)


# ------------------------------------------------------------------ PeakForce Capture


CAPTURE = PeakForce(amplitude_nm=50.0, frequency_khz=2.0, sync_distance=150.0, sample_points=250)


@pytest.mark.parametrize("legacy", [False, True], ids=["QNM", "legacy"])
@pytest.mark.parametrize("version", [VERSIONS["8.15"], VERSIONS["9.7"]], ids=["8.15", "9.7"])
def test_peakforce_capture(tmp_path: Path, version: int, legacy: bool) -> None:
    settings = replace(CAPTURE, legacy=legacy)
    truth = example_peakforce(tmp_path / "c.pfc", 2, 3, 125, peakforce=settings, version=version)
    curves = nrm.open(truth.path)
    assert (curves.grid, curves.n_samples) == ((2, 3), 6 * 250)
    # 250 samples of 2 microseconds; highest at sample 25, lowest at 150.
    assert kinds(curves) == [(0, 25, "retract"), (25, 150, "approach"), (150, 250, "retract")]
    np.testing.assert_array_equal(table(curves, "deflection"), truth.volts["DeflectionError"])
    np.testing.assert_allclose(table(curves, "height"), truth.height, atol=1e-17)
    np.testing.assert_allclose(table(curves, "time")[5], 2e-6 * np.arange(250), atol=1e-12)
    assert curves.metadata["peakforce_frequency"] == 2000
    assert curves.metadata["peakforce_amplitude"] == pytest.approx(50e-9, rel=1e-14)
    assert curves.metadata["height_source"] == "commanded"


def test_peakforce_capture_of_fewer_samples_than_the_controller_takes(tmp_path: Path) -> None:
    truth = example_peakforce(tmp_path / "c.pfc", 2, 3, 64, peakforce=CAPTURE)
    curves = nrm.open(truth.path)
    np.testing.assert_allclose(table(curves, "height"), truth.height, atol=1e-17)
    lowest = 150 / 250 * 128  # 76.8
    assert kinds(curves)[1] == (13, 77, "approach")
    assert abs(np.argmin(curves.read("height", 0)) - lowest) < 1


def test_peakforce_capture_with_a_marker(tmp_path: Path) -> None:
    truth = example_peakforce(
        tmp_path / "c.pfc", 2, 3, 125, peakforce=replace(CAPTURE, marker=True)
    )
    curves = nrm.open(truth.path)
    assert curves.n_samples == 6 * 249
    assert kinds(curves) == [(0, 24, "retract"), (24, 149, "approach"), (149, 249, "retract")]
    np.testing.assert_array_equal(
        table(curves, "deflection"), truth.volts["DeflectionError"][:, 1:]
    )
    np.testing.assert_allclose(table(curves, "height"), truth.height[:, 1:], atol=1e-17)
    assert has_warning(curves, "marker")


def test_capture_is_recognised_by_its_header_too(tmp_path: Path) -> None:
    truth = example_peakforce(tmp_path / "renamed.spm", 2, 3, 125, peakforce=CAPTURE)
    np.testing.assert_allclose(table(nrm.open(truth.path), "height"), truth.height, atol=1e-17)


def test_volume_on_a_microscope_that_allows_captures_is_a_volume(tmp_path: Path) -> None:
    truth = example_force_volume(tmp_path / "v.spm", 2, 3, 12, 8)
    edited(truth.path, "PeakForce Capture: Never", "PeakForce Capture: Allow")
    curves = nrm.open(truth.path)
    np.testing.assert_allclose(table(curves, "height"), truth.height, rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize(
    "key", ["PFT Freq: 2 ", "Sync Distance QNM: 150"], ids=["frequency", "sync"]
)
def test_capture_without_its_phase_has_no_height(tmp_path: Path, key: str) -> None:
    truth = example_peakforce(tmp_path / "c.pfc", 2, 3, 125, peakforce=CAPTURE)
    name = key.split(":")[0]
    edited(truth.path, key, f"{name}: 0 ")
    if name.startswith("Sync"):
        edited(truth.path, "Sync Distance: 157", "Sync Distance: 0")
    curves = nrm.open(truth.path)
    assert kinds(curves) == [(0, 250, "other")]
    assert "height" not in curves.channels
    assert has_warning(curves, "missing", "approach")
    np.testing.assert_array_equal(table(curves, "deflection"), truth.volts["DeflectionError"])


# ------------------------------------------------------------------ ASCII export


def export(folder: Path, columns: list[str] | None = None, **options: Any) -> tuple[Path, Any]:
    """Write the ASCII export of a single curve; its truth."""
    truth = example_single_curve(folder / "single.000", 40, 30)
    path = folder / "single.txt"
    write_ascii(
        path,
        truth.channels,
        n_ext=40,
        n_ret=30,
        ramp_size_nm=300.0,
        scan_rate=0.5,
        columns=columns,
        **options,
    )
    return path, truth


def turned_around(path: Path, titles: tuple[str, ...] = ("_Rt",)) -> None:
    """Write the retract half of the columns with these words last sample first."""
    lines = path.read_bytes().decode("cp1252").split("\r\n")
    first = next(i for i, line in enumerate(lines) if "list end" in line) + 1
    names = lines[first].split("\t")
    rows = [line.split("\t") for line in lines[first + 1 : -1]]
    for i, name in enumerate(names):
        if "_Rt" in name and any(word in name for word in titles):
            column = [row[i] for row in rows[:30]][::-1]
            for row, cell in zip(rows, column, strict=False):
                row[i] = cell
    lines[first + 1 : -1] = ["\t".join(row) for row in rows]
    path.write_bytes("\r\n".join(lines).encode("cp1252"))


def check_export(curves: nrm.CurveSet, truth: Any) -> None:
    assert kinds(curves) == [(0, 40, "approach"), (40, 70, "retract")]
    for name, internal in {
        "deflection": "DeflectionError",
        "lateral": "Lateral",
        "input1": "Input1",
    }.items():
        assert curves.channels[name].unit == "V"
        np.testing.assert_allclose(
            table(curves, name), truth.volts[internal], rtol=1e-6, atol=1e-12
        )
    # From the trigger down the export counts extension, we height.
    np.testing.assert_allclose(
        table(curves, "height_commanded"),
        truth.height - truth.height[0, 0],
        rtol=1e-6,
        atol=1e-15,
    )


@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_ascii_export(tmp_path: Path, repeat: bool, newline: str) -> None:
    path, truth = export(tmp_path, repeat=repeat, newline=newline)
    curves = nrm.open(path)
    check_export(curves, truth)
    np.testing.assert_allclose(
        curves.read("time"), truth.sample_interval * np.arange(70), rtol=1e-6, atol=1e-12
    )
    np.testing.assert_allclose(
        table(curves, "height_sensor"), -truth.volts["ZSensor"] * SENSOR, rtol=2e-6, atol=1e-15
    )
    assert curves.metadata["height_source"] == "sensor"
    assert curves.metadata["spring_constant"] == 0.1332
    assert curves.metadata["deflection_sensitivity"] == pytest.approx(30e-9, rel=1e-14)
    assert curves.metadata["software_version"] == "0x09400105"


@pytest.mark.parametrize("time", ["chronological", "turned", "absent"])
def test_ascii_export_with_the_retract_turned_around(tmp_path: Path, time: str) -> None:
    columns = ["Calc_Ramp_nm", "Defl_V", "Height_Sensor_nm", "Friction_V", "Input1_V", "Time_s"]
    path, truth = export(tmp_path, columns[: -1 if time == "absent" else None])
    turned_around(path, ("_Rt",) if time == "turned" else ("Ramp", "Defl", "Sensor", "_V"))
    curves = nrm.open(path)
    check_export(curves, truth)
    assert has_warning(curves, "turned around")
    if time != "absent":
        np.testing.assert_allclose(
            curves.read("time"), truth.sample_interval * np.arange(70), rtol=1e-6, atol=1e-12
        )


def test_ascii_export_of_nm_alone(tmp_path: Path) -> None:
    path, truth = export(tmp_path, ["Calc_Ramp_nm", "Defl_nm"])
    curves = nrm.open(path)
    assert curves.channels["deflection"].unit == "m"
    np.testing.assert_allclose(table(curves, "deflection"), truth.deflection, rtol=1e-6)


def test_ascii_export_of_a_sensor_in_volts(tmp_path: Path) -> None:
    path, truth = export(tmp_path, ["Calc_Ramp_nm", "Defl_V", "Height_Sensor_V"])
    curves = nrm.open(path)
    assert curves.metadata["height_source"] == "commanded"
    assert "height_sensor" not in curves.channels
    assert curves.channels["bruker_height_sensor"].unit == "V"
    np.testing.assert_allclose(
        table(curves, "bruker_height_sensor"), truth.volts["ZSensor"], rtol=1e-6
    )


def edit_cells(path: Path, title: str, change: Callable[[list[str]], list[str]]) -> None:
    """Change the cells of one column of an export, from its first row on."""
    lines = path.read_bytes().decode("cp1252").split("\r\n")
    first = next(i for i, line in enumerate(lines) if "list end" in line) + 1
    number = lines[first].split("\t").index(title)
    rows = [line.split("\t") for line in lines[first + 1 : -1]]
    for row, cell in zip(rows, change([row[number] for row in rows]), strict=True):
        row[number] = cell
    lines[first + 1 : -1] = ["\t".join(row) for row in rows]
    path.write_bytes("\r\n".join(lines).encode("cp1252"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: [*c[:5], "", *c[6:]], "expected numbers in column Defl_V_Ex, found a gap"),
        (lambda c: [*c[:-1], ""], "expected 40 and 30 numbers of defl, found fewer"),
        (lambda c: [*c[:5], "nan", *c[6:]], "expected finite numbers in column Defl_V_Ex, found"),
        (lambda c: [*c[:5], "1.2.3", *c[6:]], "expected numbers in column Defl_V_Ex, found"),
    ],
    ids=["gap", "fewer", "nan", "text"],
)
def test_ascii_export_with_odd_cells(
    tmp_path: Path, change: Callable[[list[str]], list[str]], sentence: str
) -> None:
    path, _ = export(tmp_path, ["Calc_Ramp_nm", "Defl_V"], repeat=False)
    edit_cells(path, "Defl_V_Ex", change)
    with pytest.raises(nrm.CorruptFile) as caught:
        nrm.open(path)
    assert sentence in str(caught.value)


def test_ascii_export_without_columns_of_curves(tmp_path: Path) -> None:
    path, _ = export(tmp_path, ["Defl_V"], repeat=False)
    path.write_bytes(path.read_bytes().replace(b"Defl_V_Ex", b"Deflection").replace(b"_Rt", b"_R"))
    with pytest.raises(nrm.CorruptFile, match="expected columns such as Defl_V_Ex, found"):
        nrm.open(path)


def test_ascii_export_whose_retract_counts_its_own_time(tmp_path: Path) -> None:
    """Times go on behind the approach; without the ramp nothing is turned around."""
    path, truth = export(tmp_path, ["Time_s", "Defl_V"], repeat=False)
    edit_cells(
        path,
        "Time_s_Rt",
        lambda c: [f"{i * truth.sample_interval:.9g}" if i < 30 else "" for i in range(len(c))],
    )
    curves = nrm.open(path)
    wanted = truth.sample_interval * np.arange(70)
    np.testing.assert_allclose(curves.read("time"), wanted, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        table(curves, "deflection"), truth.volts["DeflectionError"], rtol=1e-6, atol=1e-12
    )


# ------------------------------------------------------------------ damage, leftovers


@every_version
@pytest.mark.parametrize("make", [example_single_curve, example_force_volume])
def test_damaged_header_is_read_with_the_true_values(
    tmp_path: Path, version: int, make: Any
) -> None:
    good = make(tmp_path / "good.spm", version=version)
    bad = make(tmp_path / "bad.spm", version=version, damage="offset")
    assert bad.path.stat().st_size == good.path.stat().st_size + 1
    if make is example_force_volume and version < 0x09200000:
        # Nothing tells how far the data of these were moved.
        with pytest.raises(nrm.CorruptFile, match="damaged"):
            nrm.open(bad.path)
        return
    curves, whole = nrm.open(bad.path), nrm.open(good.path)
    np.testing.assert_array_equal(table(curves, "deflection"), good.volts["DeflectionError"])
    for name in whole.channels:
        np.testing.assert_array_equal(curves.read(name), whole.read(name))
    for one, other in zip(curves.images, whole.images, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
    assert curves.metadata == whole.metadata
    assert has_warning(curves, "damaged", "+1 byte")


@every_version
def test_overwritten_number_without_a_shift(tmp_path: Path, version: int) -> None:
    """Samples of 32 bits that count 16-bit steps show that they are where they should be."""
    truth = example_single_curve(tmp_path / "c.spm", 40, 30, version=version)
    edited(truth.path, "TMSetPhase: V (0.005493164", "TMSetPhase: V (\\Data lengt")
    if version < 0x09200000:
        with pytest.raises(nrm.CorruptFile, match="damaged"):
            nrm.open(truth.path)
        return
    curves = nrm.open(truth.path)
    np.testing.assert_array_equal(table(curves, "deflection"), truth.volts["DeflectionError"])
    assert has_warning(curves, "damaged", "where it says")


@every_version
@pytest.mark.parametrize("more", ["k", "kk", "kkk", ""])
def test_edited_note_never_scales_the_data(tmp_path: Path, version: int, more: str) -> None:
    """A note that somebody lengthened in an editor moves all data."""
    truth = example_single_curve(tmp_path / "c.spm", 40, 30, version=version)
    edited(truth.path, "Navigator note: k", f"Navigator note: {more}", keep_size=False)
    try:
        curves = nrm.open(truth.path)
    except nrm.CorruptFile:
        return
    np.testing.assert_array_equal(table(curves, "deflection"), truth.volts["DeflectionError"])


@pytest.mark.parametrize("maps", [1, 3])
def test_undeclared_maps_are_left_out_with_a_word(tmp_path: Path, maps: int) -> None:
    truth = example_force_volume(tmp_path / "v.spm", undeclared_maps=maps)
    curves = nrm.open(truth.path)
    assert len(curves.images) == 1
    assert has_warning(curves, f"{maps} more maps")


def test_part_of_an_undeclared_map_is_refused(tmp_path: Path) -> None:
    truth = example_force_volume(tmp_path / "v.spm", undeclared_maps=2)
    truth.path.write_bytes(truth.path.read_bytes()[:-8])
    with pytest.raises(nrm.CorruptFile, match="8 bytes more of the last map"):
        nrm.open(truth.path)


@pytest.mark.parametrize(
    "make", [example_single_curve, example_force_volume, example_images, example_peakforce]
)
def test_header_is_kept_verbatim(tmp_path: Path, make: Any) -> None:
    truth = make(tmp_path / "f.spm")
    text = truth.path.read_bytes().split(b"\\*File list end")[0].decode("cp1252")
    assert "º" in text
    assert nrm.open(truth.path).header == text


def test_header_of_an_export_is_kept(tmp_path: Path) -> None:
    path, _ = export(tmp_path)
    header = nrm.open(path).header
    text = path.read_bytes().split(b'"\\*Force file list end')[0].decode("cp1252")
    assert header.splitlines() == text.splitlines()


# ------------------------------------------------------------------ images


@every_version
@pytest.mark.parametrize("electrochemistry", [False, True], ids=["plain", "EC"])
def test_files_of_images_only(tmp_path: Path, version: int, electrochemistry: bool) -> None:
    truth = example_images(
        tmp_path / "i.spm", 6, 9, version=version, electrochemistry=electrochemistry
    )
    curves = nrm.open(truth.path)
    assert (curves.n_curves, curves.n_samples, dict(curves.channels)) == (0, 0, {})
    assert [(i.name, i.direction, i.unit) for i in curves.images] == [
        ("Height", "retrace", "m"),
        ("Friction", "trace", "V"),
        ("Friction", "retrace", "V"),
    ]
    for image, written, values in zip(curves.images, truth.images, truth.values, strict=True):
        assert image.shape == (6, 9)
        np.testing.assert_array_equal(image.raw, written.raw)
        np.testing.assert_allclose(image.data, values, rtol=1e-14)
        np.testing.assert_allclose(image.size, truth.scan_size, rtol=1e-12)


def test_image_that_was_stopped_has_the_rows_that_are_there(tmp_path: Path) -> None:
    truth = example_images(tmp_path / "i.spm", 6, 9)
    edited(truth.path, "Number of lines: 6", "Number of lines: 8")
    curves = nrm.open(truth.path)
    np.testing.assert_array_equal(curves.images[0].raw, truth.images[0].raw)
    assert has_warning(curves, "6 rows", "8")


# ------------------------------------------------------------------ point and shoot


def test_point_and_shoot_series(tmp_path: Path) -> None:
    """Four curves at three places, each in a file of its own."""
    places = [(0.0, 0.0), (100.0, 0.0), (100.0, 50.0), (0.0, 0.0)]
    truths = [
        example_single_curve(
            tmp_path / f"shot.{i:03d}",
            20 + i,
            15,
            offsets=place,
            n_hold=3 * (i == 2),
            date=f"09:41:{10 + 3 * i} AM Tue Mar 04 2025",
        )
        for i, place in enumerate(places)
    ]
    paths = [str(t.path) for t in truths]
    merged = nrm.join([nrm.open(path) for path in paths])
    out = tmp_path / "series.h5"
    ran = CliRunner().invoke(main, ["convert", *paths, "-o", str(out), "--json"])
    assert ran.exit_code == 0, ran.output
    assert [Path(p).name for p in json.loads(ran.stdout)["written"][0]["from"]] == [
        t.path.name for t in truths
    ]
    for curves in (merged, nrm.open(out)):
        assert curves.grid is None
        np.testing.assert_array_equal(curves.row_size, [35, 36, 40, 38])
        for i, truth in enumerate(truths):
            np.testing.assert_array_equal(
                curves.read("deflection", i), truth.volts["DeflectionError"][0]
            )
            np.testing.assert_array_equal(curves.read("input2", i), truth.volts["Input2"][0])
        assert kinds(curves, 2) == [(0, 22, "approach"), (22, 25, "hold"), (25, 40, "retract")]
        found = curves.curve_table
        np.testing.assert_allclose(found["x"] * 1e9, [0, 100, 100, 0], atol=1e-9)
        np.testing.assert_allclose(found["y"] * 1e9, [0, 0, 50, 0], atol=1e-9)
        np.testing.assert_array_equal(found["location"], [0, 1, 2, 0])
        np.testing.assert_array_equal(found["source"], [0, 1, 2, 3])
        seconds = (found["start_time"] - found["start_time"][0]) / np.timedelta64(1, "s")
        np.testing.assert_array_equal(seconds, [0, 3, 6, 9])
        assert curves.metadata["spring_constant"] == 0.1332
        assert [o.name for o in curves.origins] == [t.path.name for t in truths]


# ------------------------------------------------------------------ the importers' own promises


def volume(path: Path, **options: Any) -> None:
    example_force_volume(path, 2, 3, 16, 12, **options)


def curve(path: Path, **options: Any) -> None:
    example_single_curve(path, 40, 30, **options)


def capture(path: Path, **changes: Any) -> None:
    example_peakforce(path, 2, 3, 125, peakforce=replace(CAPTURE, **changes))


def ascii_export(path: Path) -> None:
    write_ascii(path, [deflection()], n_ext=12, n_ret=8)


def script(path: Path) -> None:
    write_force(
        path, [deflection()], n_ext=12, n_ret=8, version=VERSIONS["9.7"], script_segments=SCRIPT
    )


VARIANTS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    **{f"curve {name}": ("c.spm", curve, {"version": v}) for name, v in VERSIONS.items()},
    **{f"volume {name}": ("v.spm", volume, {"version": v}) for name, v in VERSIONS.items()},
    **{
        f"images {name}": ("i.spm", example_images, {"version": v, "rows": 6, "columns": 9})
        for name, v in VERSIONS.items()
    },
    "curve with hold": ("c.spm", curve, {"n_hold": 20}),
    "volume with hold": ("v.spm", volume, {"n_hold": 20, "height_sensor": True}),
    "volume with sensor": ("v.spm", volume, {"height_sensor": True, "version": VERSIONS["9.7"]}),
    "volume without map": ("v.spm", volume, {"topography": False}),
    "volume with duplicate": ("v.spm", volume, {"duplicate_list": True}),
    "volume downwards": ("v.spm", volume, {"frame_direction": "Down", "rotate": 0.5}),
    "damaged": ("v.spm", volume, {"damage": "offset"}),
    "no unit": ("v.spm", volume, {"sensitivity_unit": ""}),
    "script": ("s.spm", script, {}),
    "capture": ("c.pfc", capture, {}),
    "capture with marker": ("c.pfc", capture, {"marker": True}),
    "legacy capture": ("c.pfc", capture, {"legacy": True}),
    "electrochemistry": ("e.spm", example_images, {"electrochemistry": True}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_compliance(tmp_path: Path, variant: str) -> None:
    name, make, options = VARIANTS[variant]
    make(tmp_path / name, **options)
    check_importer(BrukerImporter(), [tmp_path / name])


def test_compliance_of_the_ascii_export(tmp_path: Path) -> None:
    ascii_export(tmp_path / "e.txt")
    check_importer(BrukerImporter(), [tmp_path / "e.txt"])
