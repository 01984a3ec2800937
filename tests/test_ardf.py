"""Asylum's ARDF: maps by the public layout, and those that want to do harm."""

from __future__ import annotations

import random
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bounds import Bounds, rewrite
from writers.ardf import NOTE, Volume, map_of, piece, write_ardf

import nrm_plugin as nrm
from nrm_importers.asylum import AsylumImporter
from nrm_plugin.testing import check_importer

BOUNDS = Bounds(AsylumImporter())
SHAPE = (3, 4)


def volume(**changes: Any) -> Volume:
    """A map of 3 x 4 curves of 120 samples."""
    made: dict[str, Any] = {"curves": map_of(SHAPE), "shape": SHAPE}
    return Volume(**made | changes)


def uneven(line: int, point: int) -> int:
    return 100 + 2 * point + 10 * line


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_ardf(tmp_path / "a.ardf", [volume(curves=map_of(SHAPE, uneven))])


# ------------------------------------------------------------------ maps


@pytest.mark.parametrize("samples", [lambda line, point: 120, uneven])
def test_a_map(tmp_path: Path, samples: Any) -> None:
    """Curves of one length, which are found by arithmetic, and others."""
    truth = map_of(SHAPE, samples)
    path = write_ardf(tmp_path / "a.ARDF", [volume(curves=truth)])
    curves = nrm.open(path)
    assert curves.grid == SHAPE
    assert curves.warnings == ()
    for i, (place, table) in enumerate(sorted(truth.items())):
        wide, n = table.astype(float), len(table)
        np.testing.assert_array_equal(curves.read("height", i), -wide[:, 2])
        np.testing.assert_array_equal(curves.read("height_commanded", i), -wide[:, 0])
        np.testing.assert_allclose(curves.read("force_normal", i), wide[:, 1] * 2.5, rtol=1e-12)
        np.testing.assert_allclose(curves.read("deflection", i), wide[:, 1] / 5.1e-8, rtol=1e-12)
        np.testing.assert_allclose(curves.read("time", i), np.arange(n) * 5e-4, rtol=1e-12)
        of_curve = curves.segments[curves.segments["curve"] == i]
        assert of_curve["kind"].tolist() == ["approach", "retract"]
        assert of_curve["stop"].tolist() == [n // 2, n]
        table_of = curves.curve_table
        assert (table_of["row"][i], table_of["column"][i]) == place
        assert (table_of["y"][i], table_of["x"][i]) == pytest.approx(np.array(place) * 1e-6)
    assert curves.metadata["spring_constant"] == 2.5
    assert curves.metadata["trigger_threshold"] == 1.96
    assert curves.metadata["instrument"] == "Cypher"
    assert curves.curve_table["start_time"][0] == np.datetime64("2020-02-05T18:18:49")
    assert set(curves.curve_table["start_time_source"]) == {"file_date"}
    assert curves.origins[0].header.startswith("SpringConstant: 2.5\r")
    check_importer(AsylumImporter(), [path])


@pytest.mark.parametrize("samples", [lambda line, point: 120, uneven])
def test_from_the_top_and_backwards(tmp_path: Path, samples: Any) -> None:
    """The order in the file is that of time; curves come in the order of the grid."""
    order = [(line, point) for line in (2, 1, 0) for point in (3, 2, 1, 0)]
    truth = map_of(SHAPE, samples)
    curves = nrm.open(write_ardf(tmp_path / "a.ardf", [volume(curves=truth, order=order)]))
    assert curves.grid == SHAPE
    assert curves.curve_table["acquisition_order"].tolist() == list(range(11, -1, -1))
    for i, table in enumerate(truth[place] for place in sorted(truth)):
        np.testing.assert_array_equal(curves.read("height", i), -table[:, 2].astype(float))


@pytest.mark.parametrize("samples", [lambda line, point: 120, uneven])
def test_both_directions(tmp_path: Path, samples: Any) -> None:
    order = [(line, point) for line in range(3) for point in (3, 2, 1, 0)]
    there, back = map_of(SHAPE, samples), {k: 2 * v for k, v in map_of(SHAPE, samples).items()}
    volumes = [volume(curves=there, kind=10), volume(curves=back, kind=11, order=order)]
    curves = nrm.open(write_ardf(tmp_path / "a.ardf", volumes))
    assert curves.n_curves == 24
    assert curves.grid is None
    assert curves.curve_table["column"].tolist() == [0, 1, 2, 3] * 6
    assert curves.curve_table["acquisition_order"][:16:4].tolist() == [0, 8, 16, 7]
    for i, table in enumerate(
        [*(t for _, t in sorted(there.items())), *(t for _, t in sorted(back.items()))]
    ):
        np.testing.assert_array_equal(curves.read("height", i), -table[:, 2].astype(float))


def test_a_map_that_was_stopped(tmp_path: Path) -> None:
    truth = {place: table for place, table in map_of(SHAPE, uneven).items() if place < (1, 2)}
    curves = nrm.open(write_ardf(tmp_path / "a.ardf", [volume(curves=truth)]))
    assert curves.n_curves == 6
    assert curves.grid is None
    assert curves.curve_table["row"].tolist() == [0, 0, 0, 0, 1, 1]
    assert any("6 of 12 curves were recorded" in w for w in curves.warnings)
    none = nrm.open(write_ardf(tmp_path / "b.ardf", [volume(curves={})]))
    assert none.n_curves == 0
    assert any("no curve of the map was recorded" in w for w in none.warnings)


def test_dwells_and_names_of_parts(tmp_path: Path) -> None:
    """A dwell at the far end, parts without a name that is known, and borders that cannot be."""
    cases = (
        (("Ext", "Ret", "Dwell"), lambda n: (0, 50, 100), ["approach", "retract", "hold"]),
        (("one", "two"), lambda n: (0, n // 2), ["approach", "retract"]),
        (("Ext", "Ret", "Dwell"), lambda n: (0, n // 2, 0), ["approach", "retract"]),
    )
    for parts, borders, kinds in cases:
        one = volume(parts=parts, borders=borders)
        curves = nrm.open(write_ardf(tmp_path / "a.ardf", [one]))
        assert curves.segments["kind"].tolist() == kinds * 12
        assert curves.warnings == ()
    for borders in (lambda n: (0, 80, 40), lambda n: (5, n // 2)):
        one = volume(borders=borders, parts=("Ext", "Ret", "Dwell"))
        curves = nrm.open(write_ardf(tmp_path / "a.ardf", [one]))
        assert any("borders of the curves' parts contradict" in w for w in curves.warnings)
        assert curves.segments["kind"][:2].tolist() == ["approach", "retract"]


def test_recorded_positions_and_units(tmp_path: Path) -> None:
    channels = (("Raw", "nm"), ("DeflVolts", "V"), ("ZSnsr", "m"), ("Lateral", "V"), ("Amp", "°"))
    tables = map_of(SHAPE, uneven)
    wide = {k: np.concatenate([t, t[:, :2] * 3], axis=1) for k, t in tables.items()}
    one = volume(
        curves=wide,
        channels=channels,
        extras=("XLVDT", "YLVDT"),
        extra=lambda line, point: (1e-5 + point * 2e-6, -1e-5 + line * 2e-6),
    )
    curves = nrm.open(write_ardf(tmp_path / "a.ardf", [one]))
    table = curves.curve_table
    np.testing.assert_allclose(table["x"][:4], 1e-5 + 2e-6 * np.arange(4))
    np.testing.assert_allclose(table["y"][::4], -1e-5 + 2e-6 * np.arange(3))
    first = wide[0, 0].astype(float)
    np.testing.assert_allclose(curves.read("height_commanded", 0), -first[:, 0] * 1e-9, rtol=1e-12)
    np.testing.assert_array_equal(curves.read("deflection", 0), first[:, 1])
    np.testing.assert_allclose(curves.read("force_normal", 0), first[:, 1] * 5.1e-8 * 2.5)
    np.testing.assert_array_equal(curves.read("lateral", 0), first[:, 3])
    assert curves.channels["amp"].unit == "rad"
    assert curves.warnings == ()


def test_steps_in_other_units(tmp_path: Path) -> None:
    """Micrometres and milliseconds; where the step is not a time, the note's rate counts."""
    one = volume(step=(1.0, 2.0, 0.25), units=("µm", "µm", "ms"))
    curves = nrm.open(write_ardf(tmp_path / "a.ardf", [one]))
    np.testing.assert_allclose(curves.curve_table["x"][:4], np.arange(4) * 1e-6)
    np.testing.assert_allclose(curves.curve_table["y"][::4], np.arange(3) * 2e-6)
    np.testing.assert_allclose(curves.read("time", 0)[:3], [0, 2.5e-4, 5e-4])
    one = volume(step=(1.0, 1.0, 3.0), units=("V", "V", "nm"))
    curves = nrm.open(write_ardf(tmp_path / "a.ardf", [one]))
    np.testing.assert_allclose(curves.read("time", 0)[:3], [0, 5e-4, 1e-3])
    assert np.isnan(curves.curve_table["x"]).all()


def heads(data: bytes | bytearray, name: bytes, line: int, point: int) -> list[int]:
    """Where the pieces of a curve have the words behind their headings."""
    begins = [i + 8 for i in range(len(data)) if data[i : i + 4] == name]
    return [i for i in begins if struct.unpack_from("<II", data, i + 4) == (line, point)]


@pytest.mark.parametrize("point", [0, 3])
@pytest.mark.parametrize(("word", "value"), [(3, 100), (6, 40)])
def test_one_curve_among_even_ones_is_its_own(
    tmp_path: Path, point: int, word: int, value: int
) -> None:
    """Its samples, or the border of its parts, are others than those of the first curve."""
    path = write_ardf(tmp_path / "a.ardf", [volume()])
    data = bytearray(path.read_bytes())
    places = heads(data, b"VDAT", 1, point)
    assert len(places) == 3
    for at in places:
        struct.pack_into("<I", data, at + 4 * word, value)
    rewrite(path, data)
    curves = nrm.open(path)
    stop = curves.segments["stop"].reshape(12, 2)
    expected = np.tile([60, 120], (12, 1))
    expected[4 + point, 1 if word == 3 else 0] = value
    np.testing.assert_array_equal(stop, expected)


def test_a_line_with_another_number_is_left_out(tmp_path: Path) -> None:
    path = write_ardf(tmp_path / "a.ardf", [volume()])
    data = bytearray(path.read_bytes())
    for point in range(4):
        (at,) = heads(data, b"VSET", 1, point)
        struct.pack_into("<I", data, at + 4, 2)
        struct.pack_into("<I", data, at - 16, zlib.crc32(data[at - 12 : at + 32]))
    rewrite(path, data)
    curves = nrm.open(path)
    assert curves.curve_table["row"].tolist() == [0] * 4 + [2] * 4
    assert any("8 of 12 curves were recorded" in w for w in curves.warnings)


@pytest.mark.parametrize("samples", [lambda line, point: 120, uneven])
def test_volumes_with_channels_in_another_order(tmp_path: Path, samples: Any) -> None:
    """Names say which channel is which; one that a volume lacks is left out with a warning."""
    truth = map_of(SHAPE, samples)
    there = {k: np.concatenate([t, t[:, :1]], axis=1) for k, t in truth.items()}
    back = {k: t[:, ::-1] for k, t in truth.items()}
    named = (("Raw", "m"), ("Defl", "m"), ("ZSnsr", "m"), ("Amp", "m"))
    volumes = [volume(curves=there, channels=named), volume(curves=back, channels=named[2::-1])]
    curves = nrm.open(write_ardf(tmp_path / "a.ardf", volumes))
    for i, table in enumerate([*(t for _, t in sorted(truth.items()))] * 2):
        np.testing.assert_array_equal(curves.read("height", i), -table[:, 2].astype(float))
    assert curves.warnings == ("Amp was not recorded in both directions: left out",)


@pytest.mark.parametrize(
    "other",
    [
        {"channels": (("Raw", "nm"), ("Defl", "m"), ("ZSnsr", "m"))},
        {"step": (1e-6, 1e-6, 1e-3)},
        {"units": ("m", "m", "ms")},
        {"parts": ("Ret", "Ext")},
        {"shape": (3, 5)},
    ],
)
def test_volumes_of_two_maps_are_refused(tmp_path: Path, other: Any) -> None:
    path = write_ardf(tmp_path / "a.ardf", [volume(), volume(**other)])
    with pytest.raises(nrm.CorruptFile):
        nrm.open(path)


def test_an_invols_that_cannot_be(tmp_path: Path) -> None:
    """A deflection 1.5 times as fast as the piezo: with InvOLS in the note, and without."""
    truth = map_of(SHAPE)
    for table in truth.values():
        table[:, 1] = 1.5 * np.maximum(0, table[:, 2] - np.median(table[:, 2]))
    bare = {k: v for k, v in NOTE.items() if k != "InvOLS"}
    for note, wanted in ((NOTE, "at most 34 nm/V"), (bare, "true InvOLS is smaller")):
        curves = nrm.open(write_ardf(tmp_path / "a.ardf", [volume(curves=truth)], note=note))
        (text,) = (w for w in curves.warnings if "times as fast as the piezo" in w)
        assert text.startswith("the deflection moves 1.5 times")
        assert wanted in text


def test_images(tmp_path: Path) -> None:
    height, phase = np.arange(12.0).reshape(SHAPE) * 1e-9, np.ones(SHAPE) * 90
    images = [("HeightRetrace", "m", height), ("PhaseTrace", "°", phase)]
    curves = nrm.open(write_ardf(tmp_path / "a.ardf", [volume()], images=images))
    one, two = curves.images
    np.testing.assert_array_equal(one.data, height.astype("f4").astype(float))
    assert (one.name, one.direction, one.unit, one.size) == ("Height", "retrace", "m", (4e-6, 3e-6))
    assert two.data[0, 0] == pytest.approx(np.pi / 2)
    alone = nrm.open(write_ardf(tmp_path / "b.ardf", [], images=images))
    assert (alone.n_curves, len(alone.images)) == (0, 2)


# ------------------------------------------------------------------ hostile ones


def test_no_part_of_a_file_opens(whole: Path) -> None:
    """But for one that lacks only the picture behind its curves."""
    data = whole.read_bytes()
    picture = 56
    rng = random.Random(1)
    longest = len(data) - picture
    for length in [0, 1, 15, 16, 17, 48, longest - 1, *(rng.randrange(longest) for _ in range(80))]:
        rewrite(whole, data[:length])
        BOUNDS.refused(whole)
    rewrite(whole, data[:longest])
    assert nrm.open(whole).grid == SHAPE


def test_changed_bytes(whole: Path) -> None:
    data = whole.read_bytes()
    rng = random.Random(2)
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 3])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        rewrite(whole, changed)
        BOUNDS.survives(whole, memory=False)


def test_numbers_that_lie_with_the_right_sums(whole: Path) -> None:
    """Lengths, counts and places of every piece, its CRC made anew."""
    data = whole.read_bytes()
    places = []
    for match in re.finditer(rb"[A-Z]{4}", data):
        at = match.start() - 8
        (told, size) = struct.unpack_from("<II", data, max(at, 0))
        if at >= 0 and told == zlib.crc32(data[at + 4 : at + size]):
            places.append((at, size))
    assert len(places) == 80
    rng = random.Random(3)
    for at, size in rng.sample(places, 25):
        for word in range(at + 4, min(at + size, at + 64), 4):
            for value in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, len(data) - 8):
                changed = bytearray(data)
                struct.pack_into("<I", changed, word, value)
                body = bytes(changed[at + 4 : at + size])
                struct.pack_into("<I", changed, at, zlib.crc32(body))
                rewrite(whole, changed)
                BOUNDS.survives(whole, memory=rng.random() < 0.02)


def test_curves_that_return(tmp_path: Path) -> None:
    """A line whose curves point back, and lines that are all the same one."""
    path = write_ardf(tmp_path / "a.ardf", [volume()])
    data = bytearray(path.read_bytes())
    sets = [i - 8 for i in range(len(data)) if data[i : i + 4] == b"VSET"]
    for target in sets[:2]:
        changed = bytearray(data)
        struct.pack_into("<Q", changed, sets[3] + 40, target)
        struct.pack_into("<I", changed, sets[3], zlib.crc32(changed[sets[3] + 4 : sets[3] + 48]))
        rewrite(path, changed)
        BOUNDS.survives(path)
    at = data.index(b"VTOC") + 24
    entry = bytes(data[at : at + 40])
    rewrite(path, data[:at] + entry * 3 + data[at + 120 :])
    assert "each curve once" in BOUNDS.refused(path)


def test_a_table_that_announces_a_million_lines(tmp_path: Path) -> None:
    out = piece("ARDF", b"") + piece("FTOC", struct.pack("<QII", 2**40, 2**32 - 1, 24))
    (tmp_path / "a.ardf").write_bytes(out + bytes(1000))
    assert "a table with entries" in BOUNDS.refused(tmp_path / "a.ardf")


def test_odd_notes(tmp_path: Path) -> None:
    for key, value in (("SpringConstant", "-1e99"), ("InvOLS", "0"), ("Time", "99"), ("x", ":::")):
        path = write_ardf(tmp_path / "a.ardf", [volume()], note=NOTE | {key: value})
        assert BOUNDS.survives(path) is not None


def test_a_large_fast_map_opens_at_once(tmp_path: Path) -> None:
    """65,536 curves: of each line only its ends are looked at."""
    shape = (64, 1024)
    table = map_of((1, 1), lambda line, point: 8)[0, 0]
    made = Volume(curves={(i, j): table for i in range(64) for j in range(1024)}, shape=shape)
    path = write_ardf(tmp_path / "a.ardf", [made])
    with BOUNDS.within(0):
        curves = AsylumImporter().open(path)
        assert curves.n_curves == 65536
    np.testing.assert_array_equal(curves.read("height", 65535), -table[:, 2].astype(float))
