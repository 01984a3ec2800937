"""JPK archives with a known truth: layouts, channels, segments, places, and what is odd."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from writers.jpk import SENSITIVITY, STIFFNESS, JpkWriter, Part, counts_of, ramp, scale_of

import nrm_plugin as nrm
from nrm_importers.jpk import JpkImporter
from nrm_importers.jpk.java_properties import SharedHeader
from nrm_plugin.testing import check_importer

LAYOUTS = {
    "shared": JpkWriter(),
    "inline": JpkWriter(inline=True, wide=False),
    "header last": JpkWriter(header_last=True, pad=12),
    "stored": JpkWriter(
        deflate=False, extra={"thumbnail.png": b"\x89PNG", "data-image.force": b""}
    ),
}


def true(parts: list[Part], name: str, *, wide: bool = True) -> np.ndarray:
    gain, offset = scale_of(name, wide=wide)
    return np.concatenate([np.asarray(p.counts[name]) for p in parts]) * gain + offset


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_curve(tmp_path: Path, layout: str) -> None:
    writer = LAYOUTS[layout]
    parts = ramp(120, 90, pause=40, wide=writer.wide)
    path = writer.write(tmp_path / "a.jpk-force", [parts])
    curves = nrm.open(path)
    volts = true(parts, "vDeflection", wide=writer.wide)
    np.testing.assert_allclose(curves.read("deflection"), volts, rtol=1e-12)
    np.testing.assert_allclose(
        curves.read("force_normal"), volts * SENSITIVITY * STIFFNESS, rtol=1e-12
    )
    np.testing.assert_allclose(
        curves.read("lateral"), true(parts, "hDeflection", wide=writer.wide), rtol=1e-12
    )
    sensor = true(parts, "measuredHeight", wide=writer.wide) + 2e-6
    np.testing.assert_allclose(curves.read("height"), sensor, rtol=1e-12)
    commanded = (true(parts, "height", wide=writer.wide) * -1e-6 + 1e-4) * 0.75
    np.testing.assert_allclose(curves.read("height_commanded"), commanded, rtol=1e-12)
    assert curves.metadata["height_source"] == "sensor"
    assert [tuple(s) for s in curves.segments] == [
        (0, 0, 120, "approach"),
        (0, 120, 160, "hold"),
        (0, 160, 250, "retract"),
    ]
    # The first sample is the mean over the first step.
    times = curves.read("time")
    np.testing.assert_allclose(times[[0, 119, 120]], [0.5 / 240, 0.5 - 0.5 / 240, 0.5 + 0.025])
    # The stamp of a segment is that of its end, and the pause's and retract's come later.
    assert curves.curve_table["start_time"][0] == np.datetime64("2021-06-30T13:48:07.925")
    assert curves.metadata["comment"] == "\u00b5 :"
    assert "title" not in curves.metadata
    check_importer(JpkImporter(), [path])


def test_what_was_not_calibrated_is_absent(tmp_path: Path) -> None:
    for known, keys in ((1, {"deflection_sensitivity"}), (0, set[str]())):
        path = JpkWriter(known=known).write(tmp_path / f"{known}.jpk-force", [ramp(50, 50)])
        curves = nrm.open(path)
        assert "force_normal" not in curves.channels
        assert curves.channels["deflection"].unit == "V"
        assert {"deflection_sensitivity", "spring_constant"} & set(curves.metadata) == keys
    assert "the deflection was not calibrated: it is in volts" in curves.warnings


@pytest.mark.parametrize("back_and_forth", [False, True])
def test_a_complete_map(tmp_path: Path, back_and_forth: bool) -> None:
    writer = JpkWriter(grid=(3, 4), back_and_forth=back_and_forth)
    every = [ramp(40 + i, 30, seed=i) for i in range(12)]
    path = writer.write(tmp_path / "m.jpk-force-map", every)
    curves = nrm.open(path)
    assert curves.grid == (3, 4)
    table = curves.curve_table
    assert table["row"].tolist() == np.repeat(np.arange(3), 4).tolist()
    assert table["column"].tolist() == np.tile(np.arange(4), 3).tolist()
    np.testing.assert_allclose(table["x"], 1e-5 + (table["column"] - 1.5) * 1e-6, rtol=1e-9)
    np.testing.assert_allclose(table["y"], -2e-5 + (table["row"] - 1.0) * 1e-6, rtol=1e-9)
    for curve in range(12):
        scan = next(i for i in range(12) if writer.place(i) == divmod(curve, 4))
        np.testing.assert_allclose(
            curves.read("deflection", curve), true(every[scan], "vDeflection"), rtol=1e-12
        )
    check_importer(JpkImporter(), [path])


def test_an_incomplete_map_is_not_shifted(tmp_path: Path) -> None:
    writer = JpkWriter(grid=(10, 10), back_and_forth=True)
    path = writer.write(tmp_path / "m.jpk-force-map", [ramp(30, 30)] * 3, indices=[0, 9, 90])
    curves = nrm.open(path)
    assert curves.grid is None
    assert curves.curve_table["column"].tolist() == [0, 9, 9]
    assert curves.curve_table["row"].tolist() == [0, 0, 9]


def test_segments_of_any_number_and_kind(tmp_path: Path) -> None:
    (approach, pause, retract) = ramp(60, 60, pause=30)
    wave = replace(pause, style="modulation")
    parts = [pause, approach, wave, pause, wave, retract, replace(pause, style="rest")]
    path = JpkWriter().write(tmp_path / "a.jpk-force", [parts])
    kinds = ["hold", "approach", "modulation", "hold", "modulation", "retract", "other"]
    assert nrm.open(path).segments["kind"].tolist() == kinds


def test_a_channel_that_one_segment_lacks(tmp_path: Path) -> None:
    approach, pause, retract = ramp(60, 50, pause=30)
    fewer = {k: v for k, v in pause.counts.items() if k != "measuredHeight"}
    parts = [approach, replace(pause, counts=fewer), retract]
    path = JpkWriter().write(tmp_path / "a.jpk-force", [parts])
    curves = nrm.open(path)
    # What is not there throughout is no height.
    assert curves.metadata["height_source"] == "commanded"
    sensor = curves.read("measured_height")
    assert np.isnan(sensor[60:90]).all()
    both = np.concatenate([sensor[:60], sensor[90:]])
    np.testing.assert_allclose(both, true([approach, retract], "measuredHeight") + 2e-6, rtol=1e-12)
    check_importer(JpkImporter(), [path])


def test_even_scales_have_no_member(tmp_path: Path) -> None:
    parts = [
        replace(p, counts={**p.counts, "seriesTime": start + step * np.arange(50)})
        for p, start, step in zip(ramp(50, 50), (0.005, 0.5025), (0.01, 0.005), strict=True)
    ]
    curves = nrm.open(JpkWriter().write(tmp_path / "a.jpk-force", [parts]))
    assert curves.channels["time"].original == "seriesTime"
    np.testing.assert_allclose(curves.read("time")[[0, 49, 50]], [0.005, 0.495, 0.5025], rtol=1e-9)


def test_floats_have_no_encoder(tmp_path: Path) -> None:
    values = [np.linspace(2e-5, 1e-5, 50), np.linspace(1e-5, 2e-5, 50)]
    parts = [
        replace(p, counts={**p.counts, "smoothedMeasuredHeight": v})
        for p, v in zip(ramp(50, 50), values, strict=True)
    ]
    curves = nrm.open(JpkWriter().write(tmp_path / "a.jpk-force", [parts]))
    np.testing.assert_allclose(
        curves.read("smoothed_measured_height"), np.concatenate(values) + 2e-6, rtol=1e-6
    )


def test_a_sensor_that_stands_still_is_no_height(tmp_path: Path) -> None:
    parts = [
        replace(p, counts={**p.counts, "measuredHeight": np.full(60, 7)}) for p in ramp(60, 60)
    ]
    curves = nrm.open(JpkWriter().write(tmp_path / "a.jpk-force", [parts]))
    assert curves.metadata["height_source"] == "commanded"
    np.testing.assert_array_equal(curves.read("height"), curves.read("height_commanded"))
    assert any("measuredHeight is dead" in text for text in curves.warnings)


def test_a_sensor_that_barely_moves_is_no_height(tmp_path: Path) -> None:
    """It sees a hundredth of the ramp: crosstalk, not z."""
    parts = []
    for part in ramp(60, 60):
        moves = (np.asarray(part.counts["measuredHeight"]) - 16) / 100
        parts.append(replace(part, counts={**part.counts, "measuredHeight": moves.astype(int)}))
    curves = nrm.open(JpkWriter().write(tmp_path / "a.jpk-force", [parts]))
    assert curves.metadata["height_source"] == "commanded"
    assert "measuredHeight does not follow the ramp and is not used as height" in curves.warnings


def test_what_a_segment_says_itself_wins() -> None:
    shared = SharedHeader({"lcd-info.0.unit.unit": "V", "lcd-info.0.type": "short-data"})
    own = {"channel.z.lcd-info.*": "0", "channel.z.unit.unit": "m"}
    header = shared.expanded(own)
    assert header["channel.z.unit.unit"] == "m"
    assert header["channel.z.type"] == "short-data"


def test_signs_are_never_guessed(tmp_path: Path) -> None:
    """Attraction below zero, from first to last: the force stays negative."""
    volts = -3.0 - np.linspace(0, 1, 60)
    counts = counts_of("vDeflection", volts, wide=True)
    parts = [replace(p, counts={**p.counts, "vDeflection": counts}) for p in ramp(60, 60)]
    curves = nrm.open(JpkWriter().write(tmp_path / "a.jpk-force", [parts]))
    assert (curves.read("force_normal") < 0).all()


def test_numbers_in_disagreement_are_named(tmp_path: Path) -> None:
    approach, retract = ramp(60, 60)
    short = replace(approach, counts={**approach.counts, "hDeflection": np.arange(59)})
    path = JpkWriter().write(tmp_path / "a.jpk-force", [[short, retract]])
    with pytest.raises(nrm.CorruptFile, match="as many samples of hDeflection"):
        nrm.open(path)


def test_a_curve_that_is_stored_otherwise_is_named(tmp_path: Path) -> None:
    """Not read with the first curve's converters in silence."""
    alike = ramp(60, 60)
    turned = [replace(p, counts=dict(reversed(p.counts.items()))) for p in alike]
    path = JpkWriter(grid=(1, 3)).write(tmp_path / "m.jpk-force-map", [alike, alike, turned])
    curves = nrm.open(path)
    curves.read("deflection", [0, 1])
    with pytest.raises(nrm.CorruptFile, match="channels of curve 2 stored as those of curve 0"):
        curves.read("deflection", 2)


def test_recognised_by_what_is_in_it(tmp_path: Path) -> None:
    path = JpkWriter(header_last=True).write(tmp_path / "renamed.zip", [ramp(40, 40)])
    assert nrm.open(path).importer == "jpk"
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("letter.txt", "Dear Sir")
    with pytest.raises(nrm.UnknownFormat):
        nrm.open(other)
    several = tmp_path / "several.zip"
    with zipfile.ZipFile(several, "w") as file:
        file.write(path, "curve.jpk-force")
    with pytest.raises(nrm.UnknownFormat, match="a zip archive: unpack it"):
        nrm.open(several)


def test_channels_whose_names_become_one_are_all_kept(tmp_path: Path) -> None:
    parts = [
        replace(part, counts={**part.counts, "aux3": part.counts["hDeflection"], "Aux3": 1 + 0 * k})
        for part in ramp(40, 40)
        for k in [part.counts["hDeflection"]]
    ]
    curves = nrm.open(JpkWriter().write(tmp_path / "a.jpk-force", [parts]))
    assert [c.original for c in curves.channels.values() if c.name.startswith("aux3")] == [
        "aux3",
        "Aux3",
    ]


@pytest.mark.parametrize("name", ["head-height", "cellhesion-height"])
def test_a_command_by_another_name_is_a_height(tmp_path: Path, name: str) -> None:
    parts = [
        replace(
            part, counts={name: part.counts["height"], "vDeflection": part.counts["vDeflection"]}
        )
        for part in ramp(40, 40)
    ]
    curves = nrm.open(JpkWriter().write(tmp_path / "a.jpk-force", [parts]))
    assert curves.channels["height"].original == name
    assert curves.metadata["height_source"] == "commanded"


def test_moduli_of_an_archive(tmp_path: Path) -> None:
    """From converters' counts to the contact: the height that the sensor gave."""
    n = 1500
    z = np.linspace(600e-9, -40e-9, n)
    volts = np.maximum(-z, 0.0) / SENSITIVITY
    rng = np.random.default_rng(3)
    volts = volts + 2e-4 * rng.normal(size=n)
    counts = {
        "height": counts_of("height", 50.0 - z * 1e6, wide=True),
        "measuredHeight": counts_of("measuredHeight", 1e-5 + z, wide=True),
        "vDeflection": counts_of("vDeflection", volts, wide=True),
    }
    path = JpkWriter().write(tmp_path / "a.jpk-force", [[Part("extend", 1.0, counts)]])
    results = nrm.process(path)
    assert float(results["contact_height"][0]) == pytest.approx(1.2e-5, abs=0.2e-9)


def edited(path: Path, name: str, old: bytes, new: bytes | None) -> Path:
    """Replace a piece of a member, or leave the member out."""
    with zipfile.ZipFile(path) as file:
        members = {one: file.read(one) for one in file.namelist()}
    assert old in members[name]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for one, data in members.items():
            if one != name:
                file.writestr(one, data)
            elif new is not None:
                file.writestr(one, data.replace(old, new))
    return path


def test_segments_of_other_kinds_in_other_curves(tmp_path: Path) -> None:
    """The second segment of the second curve is the retract, which is the third of the first."""
    curves = [ramp(50, 40, pause=20), ramp(50, 40)]
    path = JpkWriter(grid=(1, 2)).write(tmp_path / "a.jpk-force-map", curves)
    header = "index/1/segments/1/segment-header.properties"
    edited(path, header, b"segment-header-info.*=1", b"segment-header-info.*=2")
    kinds = nrm.open(path).segments["kind"].tolist()
    assert kinds == ["approach", "hold", "retract", "approach", "retract"]


@pytest.mark.parametrize("planned", [True, False])
def test_a_segment_without_a_duration(tmp_path: Path, planned: bool) -> None:
    """What was planned stands for it; without that there are no times, which is said."""
    path = JpkWriter().write(tmp_path / "a.jpk-force", [ramp(50, 50)])
    header = "segments/0/segment-header.properties"
    edited(path, header, b"force-segment-header.duration=", b"force-segment-header.lasted=")
    if not planned:
        edited(path, "shared-data/header.properties", b"settings.duration=", b"settings.lasted=")
    curves = nrm.open(path)
    if planned:
        np.testing.assert_allclose(curves.read("time")[[0, 49]], [0.005, 0.495])
        return
    assert "time" not in curves.channels
    assert any("a segment without a duration: there are no times" in w for w in curves.warnings)


def test_a_segment_without_a_header(tmp_path: Path) -> None:
    path = JpkWriter().write(tmp_path / "a.jpk-force", [ramp(50, 50)])
    edited(path, "segments/0/segment-header.properties", b"", None)
    with pytest.raises(nrm.CorruptFile, match="expected a header of segment 0, found none"):
        nrm.open(path)


def test_the_order_follows_utc_when_clocks_are_put_back(tmp_path: Path) -> None:
    stamps = ("02\\:50\\:00.000 +0200", "02\\:10\\:00.000 +0100", "02\\:30\\:00.000 +0100")
    curves = [
        [replace(part, stamp=f"2026-10-25 {stamp}") for part in ramp(20, 20)] for stamp in stamps
    ]
    path = JpkWriter(grid=(1, 3)).write(tmp_path / "night.jpk-force-map", curves)
    table = nrm.open(path).curve_table
    assert (np.diff(table["start_time"]) / np.timedelta64(1, "m")).tolist() == [-40.0, 20.0]
    assert list(table["acquisition_order"]) == [0, 1, 2]
