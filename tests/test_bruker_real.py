"""Files of real instruments: what is known of each is what comes out.

Expected numbers are the header's own, NanoScope's trigger, or those of an independent reading.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_importers.bruker import BrukerImporter
from nrm_plugin.cli import main
from nrm_plugin.testing import check_importer

pytestmark = pytest.mark.real

VOLUME = "20200903_Egel2.0_00023.repaired.spm"
DAMAGED = "20200903_Egel2.0_00023.spm"
EGEL4 = "20200904_Egel4-Z1.0_00025.spm"
DPPC = "DPPC-DSPC_100times00154.021"
RESOLVE = "cr00028.000"
SILICON = "si.0_00143.spm"
UNEQUAL = "si.0_00177.spm"
FRICTION = "si.0_00144.spm"
JMARINI = "jmarini_full_multiple_images.000"
PHASE = "kpg20080408.007"
CURVES = (VOLUME, DAMAGED, EGEL4, DPPC, RESOLVE, SILICON, UNEQUAL)
IMAGES = (FRICTION, JMARINI, PHASE)


@pytest.fixture
def bruker(real_files: Path) -> Path:
    return real_files / "bruker"


def info(path: Path) -> dict[str, Any]:
    """What ``nrm info --json`` says about one file."""
    ran = CliRunner().invoke(main, ["info", "--json", str(path)])
    assert ran.exit_code == 0, ran.output
    (report,) = json.loads(ran.stdout)
    assert report["path"] == str(path)
    assert report["importer"] == "bruker"
    return dict(report)


def stored(path: Path, offset: int, dtype: str, *shape: int) -> np.ndarray:
    """Integers of a file from a byte on."""
    count = int(np.prod(shape))
    return np.frombuffer(path.read_bytes(), dtype, count, offset).reshape(shape)


def halves(raw: np.ndarray) -> np.ndarray:
    """(curve, 2, n) as on disk, where extend lies backwards, to (curve, 2n) in order of time."""
    return np.concatenate([raw[:, 0, ::-1], raw[:, 1]], axis=1)


def has_warning(warnings: Any, *words: str) -> bool:
    return any(all(word in text for word in words) for text in warnings)


def channel_names(report: dict[str, Any]) -> list[str]:
    return [channel["name"] for channel in report["channels"]]


# ------------------------------------------------------------------ the force volume


@pytest.mark.parametrize(("name", "shift"), [(VOLUME, 0), (DAMAGED, 1)])
def test_force_volume(bruker: Path, name: str, shift: int) -> None:
    curves = nrm.open(bruker / name)
    assert (curves.n_curves, curves.grid, curves.n_samples) == (256, (16, 16), 256 * 2048)
    raw = halves(stored(bruker / name, 80960 + shift, "<i4", 256, 2, 1024))
    np.testing.assert_array_equal(curves.read_raw("deflection").reshape(256, 2048), raw)
    volts = curves.read("deflection").reshape(256, 2048)
    np.testing.assert_array_equal(volts, raw * 0.000375)
    # The approach ends where the relative trigger of 1.2 V stopped it.
    assert volts[0, 1023] - volts[0, 0] == pytest.approx(1.193, abs=5e-4)
    assert np.median(volts[:, 1023] - volts[:, 0]) == pytest.approx(1.2, rel=0.03)
    assert np.abs(volts).max() < 12.3  # the detector's range; 256 times too large is 309 V
    assert curves.channels["deflection"].unit == "V"
    segments = curves.segments
    assert list(segments["kind"]) == ["approach", "retract"] * 256
    assert set(segments["start"]) == {0, 1024}
    assert set(segments["stop"]) == {1024, 2048}


@pytest.mark.parametrize("name", [VOLUME, DAMAGED])
def test_metadata_of_the_force_volume(bruker: Path, name: str) -> None:
    curves, report = nrm.open(bruker / name), info(bruker / name)
    assert (report["n_curves"], report["n_samples"], report["grid"]) == (256, 524288, [16, 16])
    assert report["segments"] == ["approach", "retract"]
    assert "deflection" in channel_names(report)
    for metadata in (curves.metadata, report["metadata"]):
        assert metadata["spring_constant"] == 0.1332
        assert metadata["deflection_sensitivity"] == pytest.approx(27.39e-9, rel=1e-12)
        assert metadata["trigger_threshold"] == 1.2
        assert metadata["trigger_mode"] == "relative"
        assert metadata["ramp_size"] == pytest.approx(151.4807 * 13.203e-9, rel=1e-12)
        assert metadata["ramp_rate"] == 1.01725
        assert metadata["height_source"] == "commanded"
        assert metadata["start_time"] == "2020-09-03T17:30:10"
    for warnings in (curves.warnings, report["warnings"]):
        assert has_warning(warnings, "DeflSens", "27.39", "without a unit")
        assert has_warning(warnings, "3 more maps")
        assert has_warning(warnings, "damaged", "Ramp Size", "+1 byte") == (name == DAMAGED)
    assert "commanded" in curves.channels["height"].source
    heights = {c["name"]: c["source"] for c in report["channels"]}
    assert "commanded" in heights["height"]
    height = curves.read("height", 17)
    assert height[0] == pytest.approx(2e-6, rel=1e-6)
    assert np.ptp(height) == pytest.approx(2e-6, rel=1e-3)
    assert np.argmin(height) in (1023, 1024)


def test_image_of_the_force_volume(bruker: Path) -> None:
    (image,) = nrm.open(bruker / VOLUME).images
    assert (image.name, image.unit, image.direction) == ("Height", "m", "retrace")
    raw = stored(bruker / VOLUME, 2178112, "<i4", 16, 16)
    np.testing.assert_array_equal(image.raw, raw)
    np.testing.assert_allclose(image.data, raw * (439.9933 / 65536 * 13.203e-9), rtol=1e-14)
    (report,) = info(bruker / VOLUME)["images"]
    assert (report["name"], report["shape"], report["unit"]) == ("Height", [16, 16], "m")


def test_places_and_order_of_the_force_volume(bruker: Path) -> None:
    table = nrm.open(bruker / VOLUME).curve_table
    # 2 x 2 micrometres around the origin; frame direction Up, line direction Retrace.
    pixel = 2e-6 / 16
    np.testing.assert_allclose(np.unique(table["x"]), (np.arange(16) - 7.5) * pixel, atol=1e-12)
    np.testing.assert_allclose(table["x"][:16], (np.arange(16) - 7.5) * pixel, atol=1e-12)
    np.testing.assert_allclose(table["y"][::16], (np.arange(16) - 7.5) * pixel, atol=1e-12)
    np.testing.assert_array_equal(table["acquisition_order"][:16], np.arange(15, -1, -1))
    np.testing.assert_array_equal(table["acquisition_order"][240:], np.arange(255, 239, -1))
    in_time = table["start_time"][np.argsort(table["acquisition_order"])]
    steps = np.diff(in_time) / np.timedelta64(1, "s")
    np.testing.assert_allclose(steps, 1 / 1.01725, rtol=1e-3)


def test_damaged_volume_has_the_values_of_the_repaired_one(bruker: Path) -> None:
    one, other = nrm.open(bruker / DAMAGED), nrm.open(bruker / VOLUME)
    assert list(one.channels) == list(other.channels)
    for name in other.channels:
        np.testing.assert_array_equal(one.read(name), other.read(name))
    np.testing.assert_array_equal(one.images[0].data, other.images[0].data)
    assert one.metadata == other.metadata
    for name, column in other.curve_table.items():
        np.testing.assert_array_equal(one.curve_table[name], column)


# ------------------------------------------------------------------ single curves

# name: samples per half, storage, trigger asked and found (V), k, sensitivity, ramp, date
SINGLE: dict[str, tuple[int, str, float, float, float, float | None, float, str]] = {
    EGEL4: (1024, "<i4", 1.2, 1.278, 0.1332, 27.39e-9, 227.2211 * 13.203e-9, "2020-09-04T10:05:18"),
    DPPC: (4096, "<i2", 1.768847, 1.775, 0.363417, 30.85246e-9, 3e-7, "2020-06-04T16:07:20"),
    RESOLVE: (
        4096,
        "<i2",
        1.834217,
        1.8555,
        0.37583,
        14.50635e-9,
        9.661836 * 103.5e-9,
        "2022-12-12T15:33:28",
    ),
    SILICON: (512, "<i4", 0.9, 0.897, 0.999, None, 4e-7, "2021-04-30T14:53:38"),
}


def test_halves_of_unequal_length(bruker: Path) -> None:
    curves = nrm.open(bruker / UNEQUAL)
    assert [tuple(s)[1:] for s in curves.segments] == [(0, 477, "approach"), (477, 989, "retract")]
    disk = stored(bruker / UNEQUAL, 80960, "<i4", 2, 512)
    volts = curves.read("deflection")
    np.testing.assert_array_equal(volts[:477], disk[0, 476::-1] * 0.000375)
    np.testing.assert_array_equal(volts[477:], disk[1] * 0.000375)
    # The trigger of 0.9 V ended the approach; far from the sample the retract is flat.
    assert volts[476] - np.median(volts[-100:]) == pytest.approx(0.8985, abs=5e-4)
    assert curves.metadata["trigger_threshold"] == 0.9
    step = 30.58104 * 13.08e-9 / 512
    np.testing.assert_allclose(np.diff(curves.read("height")[:477]), -step, rtol=1e-9)
    np.testing.assert_allclose(np.diff(curves.read("height")[477:]), step, rtol=1e-9)
    assert np.diff(curves.read("time")) == pytest.approx(0.5 / 1.03013 / 512, rel=1e-3)
    # The tip adheres in the retract, not before.
    assert np.argmin(volts) >= 477


@pytest.mark.parametrize("name", SINGLE)
def test_single_curve(bruker: Path, name: str) -> None:
    n, dtype, asked, found, k, sensitivity, ramp, date = SINGLE[name]
    curves, report = nrm.open(bruker / name), info(bruker / name)
    assert (curves.n_curves, curves.n_samples, curves.grid) == (1, 2 * n, None)
    assert (report["n_curves"], report["n_samples"], report["grid"]) == (1, 2 * n, None)
    assert report["segments"] == ["approach", "retract"]
    assert [tuple(s)[1:3] for s in curves.segments] == [(0, n), (n, 2 * n)]
    offset = 80960 if dtype == "<i4" else 40960
    raw = halves(stored(bruker / name, offset, dtype, 1, 2, n))[0]
    volts = curves.read("deflection")
    np.testing.assert_array_equal(volts, raw * 0.000375)
    assert volts[n - 1] - volts[0] == pytest.approx(found, abs=5e-4)
    assert volts[n] == pytest.approx(volts[n - 1], abs=0.05)
    for metadata in (curves.metadata, report["metadata"]):
        assert metadata["spring_constant"] == k
        assert metadata.get("deflection_sensitivity") == (
            None if sensitivity is None else pytest.approx(sensitivity, rel=1e-12)
        )
        assert metadata["trigger_threshold"] == asked
        assert metadata["ramp_size"] == pytest.approx(ramp, rel=1e-6)
        assert metadata["start_time"] == date
    assert curves.curve_table["start_time"][0] == np.datetime64(date)


def test_height_sensor(bruker: Path) -> None:
    curves, report = nrm.open(bruker / RESOLVE), info(bruker / RESOLVE)
    assert channel_names(report)[:2] == ["deflection", "height_sensor"]
    raw = halves(stored(bruker / RESOLVE, 57344, "<i2", 1, 2, 4096))[0]
    np.testing.assert_allclose(
        curves.read("height_sensor"), raw * (-0.000375 * 363.1347e-9), rtol=1e-14
    )
    np.testing.assert_array_equal(curves.read("height"), curves.read("height_sensor"))
    assert np.ptp(curves.read("height")) == pytest.approx(1238e-9, abs=0.5e-9)
    assert np.ptp(curves.read("height_commanded")) == pytest.approx(1000e-9, rel=1e-3)
    assert report["metadata"]["height_source"] == "sensor"
    assert report["warnings"] == []


def test_position_of_a_single_curve(bruker: Path) -> None:
    table = nrm.open(bruker / RESOLVE).curve_table
    assert table["x"][0] == pytest.approx(-1523.3e-9, rel=1e-12)
    assert table["y"][0] == pytest.approx(-9304.21e-9, rel=1e-12)


@pytest.mark.parametrize("name", [DPPC, SILICON])
def test_duplicate_second_list_appears_once(bruker: Path, name: str) -> None:
    assert (bruker / name).read_bytes().count(b"Image Data: S [DeflectionError]") == 3
    found = [c for c in info(bruker / name)["channels"] if c["original"] == "Deflection Error"]
    assert [(c["name"], c["unit"]) for c in found] == [("deflection", "V")]


def test_commanded_ramp_of_3000_nm(bruker: Path) -> None:
    assert info(bruker / EGEL4)["metadata"]["ramp_size"] == pytest.approx(3000e-9, rel=1e-6)
    height = nrm.open(bruker / EGEL4).read("height")
    assert height[0] == pytest.approx(3000e-9, rel=1e-6)
    # 1024 equal steps down, and up again.
    np.testing.assert_allclose(np.diff(height)[:1023], -3000e-9 / 1024, rtol=1e-6)
    np.testing.assert_allclose(np.diff(height)[1024:], 3000e-9 / 1024, rtol=1e-6)


def test_sensitivity_of_one_without_unit_is_absent(bruker: Path) -> None:
    for warnings in (nrm.open(bruker / SILICON).warnings, info(bruker / SILICON)["warnings"]):
        assert has_warning(warnings, "DeflSens", "1 without a unit", "not calibrated")
        assert has_warning(warnings, "turned", "scan_angle")
    assert info(bruker / SILICON)["metadata"]["scan_angle"] == 1.5708


@pytest.mark.parametrize(("name", "period"), [(SILICON, 1 / 1.03013), (RESOLVE, 1 / 0.500801)])
def test_time_comes_from_the_speeds(bruker: Path, name: str, period: float) -> None:
    time = nrm.open(bruker / name).read("time")
    assert time[0] == 0
    steps = np.diff(time)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
    # Twice the ramp at the speed that the header states is a little less than a period.
    assert steps[0] * len(time) == pytest.approx(period, rel=0.06)


# ------------------------------------------------------------------ images


def test_first_image_equals_the_raw_csv_bit_for_bit(bruker: Path) -> None:
    with gzip.open(bruker / "jmarini_reference_raw.csv.gz", "rt") as file:
        oracle = np.loadtxt(file, delimiter=",", dtype=np.int64)
    image = nrm.open(bruker / JMARINI).images[0]
    assert image.raw.dtype == np.int16
    np.testing.assert_array_equal(image.raw, oracle)
    np.testing.assert_allclose(image.data, oracle * (438.6572 / 65536 * 12.95302e-9), rtol=1e-14)


def test_friction_trace_and_retrace(bruker: Path) -> None:
    curves, report = nrm.open(bruker / FRICTION), info(bruker / FRICTION)
    assert curves.n_curves == 0
    expected = [
        ("Height", "retrace", "m"),
        ("Deflection Error", "retrace", "V"),
        ("Friction", "trace", "V"),
        ("Friction", "retrace", "V"),
    ]
    assert [(i.name, i.direction, i.unit) for i in curves.images] == expected
    assert [(i["name"], i["direction"], i["unit"]) for i in report["images"]] == expected
    assert (report["n_curves"], report["n_samples"]) == (0, 0)
    assert all(i["shape"] == [32, 32] for i in report["images"])
    trace, retrace = curves.images[2:]
    assert trace.data.mean() == pytest.approx(2.9478453369140625, rel=1e-14)
    for k, image in enumerate((trace, retrace)):
        raw = stored(bruker / FRICTION, 80960 + 4096 * (2 + k), "<i4", 32, 32)
        np.testing.assert_array_equal(image.raw, raw)
        np.testing.assert_array_equal(image.data, raw * (24.576 / 65536))


@pytest.mark.parametrize(
    ("name", "shown", "width"),
    [(FRICTION, 4, 32), (JMARINI, 2, 512), (PHASE, 2, 256), (VOLUME, 1, 16)],
)
def test_images_agree_with_pyspm(bruker: Path, name: str, shown: int, width: int) -> None:
    pyspm = pytest.importorskip("pySPM")
    theirs = pyspm.Bruker(str(bruker / name))
    ours = nrm.open(bruker / name).images
    assert len(ours) == shown
    for image in ours:
        other = theirs.get_channel(image.name, backward=image.direction == "retrace", lazy=False)
        # pySPM keeps nm, and calls degrees volts.
        factor = {"m": 1e-9, "V": 1.0, "rad": np.pi / 180}[image.unit]
        assert image.shape == other.pixels.shape == (width, width)
        np.testing.assert_allclose(image.data, other.pixels * factor, rtol=1e-12, atol=1e-24)
        real = other.size["real"]
        assert real["unit"] == "um"
        np.testing.assert_allclose(image.size, (real["x"] * 1e-6, real["y"] * 1e-6), rtol=1e-12)


def test_phase_in_degrees_becomes_radians(bruker: Path) -> None:
    height, phase = nrm.open(bruker / PHASE).images
    assert (height.unit, phase.unit) == ("m", "rad")
    raw = stored(bruker / PHASE, 40960 + 2 * 256 * 256, "<i2", 256, 256)
    np.testing.assert_allclose(phase.data, np.radians(raw * (66.26404 / 65536)), rtol=1e-14)


# ------------------------------------------------------------------ all of them


@pytest.mark.parametrize("name", [*CURVES, *IMAGES])
def test_compliance(bruker: Path, name: str) -> None:
    foreign = [bruker / "PS161143_Roi.tif", bruker.parent / "park" / "ForceCurve_009.tiff"]
    check_importer(BrukerImporter(), [bruker / name], foreign=foreign)


@pytest.mark.parametrize("name", [*CURVES, *IMAGES])
def test_header_is_kept_verbatim(bruker: Path, name: str) -> None:
    text = (bruker / name).read_bytes().split(b"\\*File list end")[0].decode("cp1252", "replace")
    assert nrm.open(bruker / name).header == text


@pytest.mark.parametrize("name", [*CURVES, *IMAGES])
def test_converted_file_holds_the_same(bruker: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.h5"
    ran = CliRunner().invoke(main, ["convert", str(bruker / name), "-o", str(out)])
    assert ran.exit_code == 0, ran.output
    before, after = nrm.open(bruker / name), nrm.open(out)
    assert list(before.channels) == list(after.channels)
    for channel in before.channels:
        np.testing.assert_array_equal(before.read(channel), after.read(channel))
    for one, other in zip(before.images, after.images, strict=True):
        np.testing.assert_array_equal(one.data, other.data)


def test_no_other_file_is_taken_for_a_nanoscope_file(real_files: Path) -> None:
    for folder in ("gwyddion", "park", "other"):
        for path in sorted((real_files / folder).iterdir()):
            with path.open("rb") as file:
                assert BrukerImporter().sniff(file.read(4096), path) == 0, path.name


def test_the_command_itself(bruker: Path) -> None:
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "from nrm_plugin.cli import main; main()",
            "info",
            "--json",
            str(bruker / RESOLVE),
            str(bruker / "PS161143_Roi.tif"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    good, bad = json.loads(ran.stdout)
    assert good["metadata"]["spring_constant"] == 0.37583
    assert set(bad) == {"path", "error"}
    assert "Traceback" not in ran.stderr
