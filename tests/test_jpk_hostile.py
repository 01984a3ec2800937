"""Damaged, cut and hostile JPK archives: a named error within bounds of time and memory."""

from __future__ import annotations

import os
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from bounds import Bounds, rewrite
from writers.jpk import JpkWriter, Part, ramp

import nrm_plugin as nrm
from nrm_importers.jpk import JpkImporter
from nrm_importers.jpk.java_properties import parse

EXAMPLES = int(os.environ.get("NRM_FUZZ_EXAMPLES", "0"))  # 0: few, and always the same

BOUNDS = Bounds(JpkImporter())
survives, refused = BOUNDS.survives, BOUNDS.refused


def curve(path: Path) -> Path:
    return JpkWriter().write(path.with_suffix(".jpk-force"), [ramp(40, 40, pause=10)])


def inline(path: Path) -> Path:
    writer = JpkWriter(inline=True, deflate=False, wide=False)
    return writer.write(path.with_suffix(".jpk-force"), [ramp(40, 40, wide=False)])


def force_map(path: Path) -> Path:
    writer = JpkWriter(grid=(2, 3), back_and_forth=True, header_last=True)
    return writer.write(path.with_suffix(".jpk-force-map"), [ramp(30 + i, 30) for i in range(6)])


MAKERS = [curve, inline, force_map]
every = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)


@every
def test_no_part_of_a_file_opens(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / "whole")
    data = path.read_bytes()
    rng = random.Random(len(data))
    lengths = [0, 1, 4, 29, 30, 60, *range(len(data) - 30, len(data))]
    for length in lengths + [rng.randrange(len(data)) for _ in range(60)]:
        rewrite(path, data[:length])
        refused(path)


@every
def test_flipped_and_lost_bytes(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """What still opens has the numbers that were written: the sums see to it."""
    path = make(tmp_path / "f")
    data = path.read_bytes()
    whole = nrm.open(path)
    names = ("deflection", "height", "lateral", "height_commanded")
    truth = {name: whole.read(name) for name in names}
    rng = random.Random(11)
    opened = 0
    for _ in range(EXAMPLES or 250):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 2])):
            at = rng.randrange(len(changed))
            kind = rng.randrange(3)
            if kind == 0:
                changed[at] = rng.randrange(256)
            elif kind == 1:
                del changed[at : at + rng.choice([1, 4, 40])]
            else:
                changed[at:at] = rng.randbytes(rng.choice([1, 4, 40]))
        rewrite(path, changed)
        curves = survives(path, memory=False)
        if curves is None:
            continue
        opened += 1
        for name in set(names) & set(curves.channels):
            if curves.n_samples == whole.n_samples and curves.grid == whole.grid:
                np.testing.assert_array_equal(curves.read(name), truth[name])
    assert opened


def entries(data: bytes) -> list[int]:
    """Where the entries of an archive's directory begin."""
    out, at = [], data.find(b"PK\x01\x02")
    while at >= 0:
        out.append(at)
        at = data.find(b"PK\x01\x02", at + 4)
    return out


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (20, 0x7FFFFFFF, "bytes more of data"),  # packed size
        (24, 0x7FFFFFFF, "a member of at most"),  # true size
        (42, 0x7FFFFFF0, "bytes more of data"),  # offset
        (42, 1, "the begin of a member"),
        (16, 1, "the sum"),
        (28, 0xFFFF, "entr"),  # length of the name
        (8, 1, "encrypted"),
        (10, 12, "packed in another way"),
    ],
)
def test_directories_that_lie(tmp_path: Path, at: int, value: int, message: str) -> None:
    path = curve(tmp_path / "f")
    data = bytearray(path.read_bytes())
    code = "<I" if at in (16, 20, 24, 42) else "<H"
    for begin in entries(bytes(data)):
        if b"vDeflection" in data[begin : begin + 80]:
            struct.pack_into(code, data, begin + at, value)
    rewrite(path, data)
    assert message in refused(path)


def test_a_count_of_entries_that_is_too_large(tmp_path: Path) -> None:
    path = curve(tmp_path / "f")
    data = bytearray(path.read_bytes())
    end = data.rfind(b"PK\x05\x06")
    struct.pack_into("<2H", data, end + 8, 65535, 65535)
    rewrite(path, data)
    refused(path)


def bomb(path: Path, size: int) -> Path:
    """An archive whose deflection unpacks to so many bytes, all of them 0."""
    parts = [Part("extend", 1.0, {"height": np.zeros(4), "vDeflection": np.zeros(4)})]
    JpkWriter().write(path, [parts])
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, bytes(size) if name.endswith("vDeflection.dat") else data)
    return path


def test_bombs_do_not_go_off(tmp_path: Path) -> None:
    """Megabytes of nothing in kilobytes: other channels are shorter, or no real file is as full."""
    path = bomb(tmp_path / "b.jpk-force", 100_000_000)
    assert path.stat().st_size < 200_000
    assert "members of at most 64 times the archive's" in refused(path)
    path = bomb(tmp_path / "b.jpk-force", 8_000_000)
    assert "as many samples of vDeflection as of the other channels" in refused(path)


def test_a_bomb_whose_channels_agree(tmp_path: Path) -> None:
    """What opens asks for no more than some of what the archive claims."""
    path = tmp_path / "b.jpk-force"
    JpkWriter().write(path, [ramp(1_000_000, 1_000_000)])
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, bytes(len(data)) if name.endswith(".dat") else data)
    assert "members of at most 64 times the archive's" in refused(path)


def test_a_header_that_is_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "b.jpk-force"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.properties", b"a=b\n" * 1_500_000)
    assert "a header of at most" in refused(path)


def test_a_stream_that_is_longer_than_it_says(tmp_path: Path) -> None:
    path = curve(tmp_path / "f")
    data = bytearray(path.read_bytes())
    for begin in entries(bytes(data)):
        if b"segments/1/channels/hDeflection" in data[begin : begin + 80]:
            (offset,) = struct.unpack_from("<I", data, begin + 42)
            deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
            body = deflate.compress(bytes(50_000_000)) + deflate.flush()
            local = struct.unpack_from("<2H", data, offset + 26)
            head = data[offset : offset + 30 + sum(local)]
            struct.pack_into("<I", data, begin + 20, len(body))
            struct.pack_into("<I", data, begin + 42, 0)
            moved = head + body
            break
    # Put the long stream in front, and shift everything else behind it.
    for begin in entries(bytes(data)):
        (offset,) = struct.unpack_from("<I", data, begin + 42)
        if offset or b"header.properties" in data[begin : begin + 70]:
            struct.pack_into("<I", data, begin + 42, offset + len(moved))
    end = data.rfind(b"PK\x05\x06")
    (directory,) = struct.unpack_from("<I", data, end + 16)
    struct.pack_into("<I", data, end + 16, directory + len(moved))
    rewrite(path, bytes(moved) + bytes(data))
    refused(path)


def test_archives_in_archives_are_left_alone(tmp_path: Path) -> None:
    inner = curve(tmp_path / "inner")
    path = tmp_path / "outer.jpk-force"
    with zipfile.ZipFile(path, "w") as file:
        file.write(inner, "inner.jpk-force")
    assert "header.properties in the archive" in refused(path)


def replaced(path: Path, changes: Sequence[tuple[str, str]], *, where: str) -> Path:
    """The same archive with other text in its headers."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    changed = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            if name.endswith(where):
                for old, new in changes:
                    changed += data.count(old.encode())
                    data = data.replace(old.encode(), new.encode())
            file.writestr(name, data)
    assert changed
    return path


@pytest.mark.parametrize(
    ("where", "old", "new"),
    [
        ("shared-data/header.properties", "multiplier=", "multiplier=1e400"),
        ("shared-data/header.properties", "multiplier=", "multiplier=nan#"),
        ("shared-data/header.properties", "base-calibration-slot=volts", "base-calibration-slot=x"),
        ("shared-data/header.properties", "signedinteger", "signedinteger-limited"),
        ("shared-data/header.properties", "signedinteger", "unheard"),
        ("segment-header.properties", "num-points=40", "num-points=99999999999999999999"),
        ("segment-header.properties", "duration=0.5", "duration=-1"),
        ("segment-header.properties", "duration=0.5", "duration=nan"),
        ("segment-header.properties", "channels.list=height", "channels.list=height height x"),
        ("segment-header.properties", "time-stamp=2021", "time-stamp=9999999"),
        ("header.properties", "position.x=-1.5e-06", "position.x=1e300"),
        ("header.properties", "position-index=0", "position-index=-5"),
    ],
)
def test_odd_values_in_headers(tmp_path: Path, where: str, old: str, new: str) -> None:
    survives(replaced(curve(tmp_path / "f"), [(old, new)], where=where))


def test_shared_parts_that_name_each_other(tmp_path: Path) -> None:
    path = replaced(
        curve(tmp_path / "f"),
        [("lcd-infos.count=", "lcd-info.0.a.lcd-info.*=0\nlcd-infos.count=")],
        where="shared-data/header.properties",
    )
    curves = survives(path)
    assert curves is not None
    assert "deflection" in curves.channels


def test_properties() -> None:
    text = "#c=1\n!d=2\na = b\\ c\\:\\u00B5\n\nno sign\nempty=\na=last\n"
    assert parse(text) == {"a": "last", "empty": ""}
    assert parse("k=\\u00b5\\t\\\\")["k"] == "\u00b5\t\\"
