"""JPK archives that are larger, poorer or odder than most."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_jpk_hostile import force_map, replaced
from writers.jpk import STIFFNESS, JpkWriter, Part, ramp

import nrm_plugin as nrm

WIDE = 0xFFFFFFFF
ENTRY = 46  # bytes of an entry of the directory, before its name


def as_zip64(path: Path, fields: tuple[str, ...] = ("size", "packed", "offset")) -> Path:
    """The same archive as those of more than 4 GB or 65535 members are: numbers of 64 bits."""
    data = path.read_bytes()
    end = data.rfind(b"PK\x05\x06")
    count, _, begin = struct.unpack_from("<HII", data, end + 10)
    at, directory = begin, b""
    for _ in range(count):
        head = bytearray(data[at : at + ENTRY])
        packed, size = struct.unpack_from("<II", head, 20)
        (offset,) = struct.unpack_from("<I", head, 42)
        n, extra, comment = struct.unpack_from("<3H", head, 28)
        name = data[at + ENTRY : at + ENTRY + n]
        values = {"size": (24, size), "packed": (20, packed), "offset": (42, offset)}
        wide = b""
        for field in fields:  # in this order, whichever there are
            place, value = values[field]
            struct.pack_into("<I", head, place, WIDE)
            wide += struct.pack("<Q", value)
        date = struct.pack("<2HBI", 0x5455, 5, 1, 0)
        both = date + struct.pack("<2H", 1, len(wide)) + wide
        struct.pack_into("<H", head, 30, len(both))
        struct.pack_into("<H", head, 32, 0)
        directory += bytes(head) + name + both
        at += ENTRY + n + extra + comment
    place = begin + len(directory)
    last = struct.pack(
        "<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), begin
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, place, 1)
    usual = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, WIDE, WIDE, 0)
    path.write_bytes(data[:begin] + directory + last + locator + usual)
    return path


@pytest.mark.parametrize("fields", [("size", "packed", "offset"), ("size",), ("offset",), ()])
def test_archives_of_more_than_four_gigabytes(tmp_path: Path, fields: tuple[str, ...]) -> None:
    """Their directory has numbers of 64 bits, some or all, behind another extra field."""
    plain = nrm.open(force_map(tmp_path / "plain"))
    path = as_zip64(force_map(tmp_path / "wide"), fields)
    with zipfile.ZipFile(path) as other:
        assert other.testzip() is None  # Python's own reader takes it for a whole archive
    wide = nrm.open(path)
    for name in plain.channels:
        np.testing.assert_array_equal(wide.read(name), plain.read(name))


def test_a_directory_that_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of maps with tens of thousands of members are; the same numbers."""
    plain = nrm.open(force_map(tmp_path / "plain"))
    path = force_map(tmp_path / "long")
    with zipfile.ZipFile(path, "a") as file:
        for i in range(4000):
            file.writestr(f"data-image/a-long-name-that-takes-its-room-{i:040}", b"")
    monkeypatch.setattr("nrm_importers.jpk.zip_directory._PIECE", 1 << 18)
    long = nrm.open(path)
    for name in plain.channels:
        np.testing.assert_array_equal(long.read(name), plain.read(name))


def patched(path: Path, at: int, value: bytes) -> Path:
    """The archive with other bytes behind the begin of its directory's end of 64 bits."""
    data = bytearray(as_zip64(path).read_bytes())
    begin = data.rfind(b"PK\x06\x06")
    data[begin + at : begin + at + len(value)] = value
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("at", "value", "sentence"),
    [
        (0, b"PK\x06\x05", "expected the end of a directory, found b'PK\\x06\\x05'"),
        (16, b"\x01", "the archive is in several parts: save it again as one"),
        (56 + 8, b"\xff" * 7, "expected the directory's end inside the file"),
    ],
    ids=["signature", "parts", "place"],
)
def test_the_end_of_a_wide_directory(tmp_path: Path, at: int, value: bytes, sentence: str) -> None:
    path = patched(force_map(tmp_path / "f"), at, value)
    with pytest.raises(nrm.NrmError) as caught:
        nrm.open(path)
    assert sentence in re.sub(r" at byte \d+", "", str(caught.value))


def headless(path: Path) -> Path:
    """An archive whose header is there, and no curve."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("header.properties", "type=force-scan-map\n")
    return path


def swapped(path: Path) -> Path:
    """Two of many: not among those that are looked at when the map is opened."""
    order = [*range(4), 9, *range(5, 9), 4, *range(10, 80)]
    return JpkWriter(grid=(8, 10)).write(path, [ramp(3, 3)] * 80, order)


def crowded(path: Path) -> Path:
    names = " ".join(f"c{i}" for i in range(300))
    change = ("channels.list=height", f"channels.list={names} height")
    return replaced(force_map(path), [change], where="segment-header.properties")


def scattered(path: Path) -> Path:
    with zipfile.ZipFile(headless(path), "a") as file:
        for i in range(70):
            file.writestr(f"index/{i}/note-{i}", b"")
    return path


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no curves": (headless, "expected force curves in the archive, found none"),
    "two points swapped": (swapped, "expected point 4 in folder 4, found point 9"),
    "channels": (crowded, "expected at most 256 channels, found 304"),
    "names": (scattered, "expected the same members in every folder, found 70 names"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_sentence(tmp_path: Path, case: str) -> None:
    make, sentence = REFUSED[case]
    path = make(tmp_path / "f.jpk-force-map")
    with pytest.raises(nrm.CorruptFile) as caught:
        _ = nrm.open(path).curve_table["row"]
    assert sentence in re.sub(r" at byte \d+", "", str(caught.value))


def test_a_curve_of_a_map_without_its_pause(tmp_path: Path) -> None:
    """It has fewer samples, and its retract begins where its approach ends."""
    curves = [ramp(20, 20, pause=8), ramp(20, 20), ramp(20, 20, pause=8)]
    curves[1] = [curves[1][0], Part("pause", 0.0, {}), curves[1][1]]
    made = JpkWriter(grid=(1, 3))
    path = made.write(tmp_path / "f.jpk-force-map", [curves[0], curves[2]])
    with zipfile.ZipFile(path, "a") as file, zipfile.ZipFile(path) as first:
        for name in first.namelist():
            parts = name.split("/")
            if parts[:2] == ["index", "1"] and parts[2:4] != ["segments", "1"]:
                file.writestr(name.replace("index/1", "index/2"), first.read(name))
    opened = nrm.open(path)
    assert opened.row_size.tolist() == [48, 48, 40]


def test_a_curve_without_a_header_has_no_place(tmp_path: Path) -> None:
    path = force_map(tmp_path / "f")
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    del members["index/3/header.properties"]
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    table = nrm.open(path).curve_table
    assert (table["row"][3], table["column"][3]) == (-1, -1)
    assert np.isnan([table["x"][3], table["y"][3]]).all()
    assert (np.delete(table["row"], 3) >= 0).all()


def test_a_pause_without_the_deflection(tmp_path: Path) -> None:
    """It is not a number there; sensitivity and spring constant are those of the approach."""
    parts = ramp(20, 20, pause=8)
    counts = {name: values for name, values in parts[1].counts.items() if name != "vDeflection"}
    parts[1] = Part("pause", 2.0, counts)
    path = JpkWriter(inline=True).write(tmp_path / "f.jpk-force", [parts])
    curves = nrm.open(path)
    lost = np.isnan(curves.read("deflection"))
    assert np.flatnonzero(lost).tolist() == list(range(20, 28))
    assert curves.metadata["spring_constant"] == STIFFNESS


def test_a_ramp_of_no_length_is_no_ramp(tmp_path: Path) -> None:
    path = JpkWriter(inline=True).write(tmp_path / "f.jpk-force", [ramp(20, 20)])
    assert nrm.open(path).metadata["ramp_size"] == 2e-6
    change = [("z-start=2.0E-6", "z-start=0.0")]
    replaced(path, change, where="segment-header.properties")
    metadata = nrm.open(path).metadata
    assert not {"ramp_size", "approach_speed", "retract_speed"} & set(metadata)


def test_a_grid_of_no_points_is_no_grid(tmp_path: Path) -> None:
    path = replaced(force_map(tmp_path / "f"), [("ilength=3", "ilength=0")], where="r.properties")
    curves = nrm.open(path)
    assert curves.grid is None
    assert (curves.curve_table["row"] == -1).all()


def test_a_scale_without_its_step_is_left_out(tmp_path: Path) -> None:
    parts = ramp(20, 20)
    for part in parts:
        part.counts["seriesTime"] = 0.5 * np.arange(20.0)  # type: ignore[index]
    path = JpkWriter(inline=True).write(tmp_path / "f.jpk-force", [parts])
    assert nrm.open(path).warnings == ()
    replaced(path, [("data.step=", "step=")], where="segment-header.properties")
    wanted = ("seriesTime is left out: it is an even scale without start and step",)
    assert nrm.open(path).warnings == wanted
