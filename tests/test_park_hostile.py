"""Damaged, cut and hostile Park files: a named error within bounds of time and memory."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bounds import Bounds, rewrite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from writers import park
from writers.park_pinpoint import (
    CURVE,
    PARAMETERS,
    SCAN_START,
    SCAN_STOP,
    as_frame,
    curve,
    scan_start,
    scan_stop,
    write_frames,
)

import nrm_plugin as nrm
from nrm_importers.park import ParkImporter

EXAMPLES = int(os.environ.get("NRM_FUZZ_EXAMPLES", "0"))  # 0: few, and always the same


def points(path: Path) -> Path:
    return park.example_points(path, 3, 16).path


def points_v1(path: Path) -> Path:
    return park.example_points(path, 3, 16, version=park.V1, dtype="<i2").path


def grid(path: Path) -> Path:
    return park.example_grid(path, 2, 3, 16, time_stamp=False, directory_last=True).path


def image(path: Path) -> Path:
    return park.example_image(path, 6, 9).path


def pinpoint(path: Path) -> Path:
    return park.example_pinpoint(path, 2, 3, 16, padding=True).path


MAKERS = [points, points_v1, grid, image, pinpoint]
TIFFS = MAKERS[:-1]
every = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
tiffs = pytest.mark.parametrize("make", TIFFS, ids=lambda make: make.__name__)


# ------------------------------------------------------------------ bounds


BOUNDS = Bounds(ParkImporter())
use, survives, refused = BOUNDS.use, BOUNDS.survives, BOUNDS.refused


# ------------------------------------------------------------------ cut and mutated


@every
def test_no_part_of_a_file_opens(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    data = make(tmp_path / "whole").read_bytes()
    short = tmp_path / "short"
    rng = random.Random(len(data))
    lengths = [0, 1, 4, 8, 9, 11, 26, *range(len(data) - 40, len(data) - 2)]
    for length in lengths + [rng.randrange(len(data)) for _ in range(80)]:
        rewrite(short, data[:length])
        refused(short)


@pytest.mark.real
@pytest.mark.parametrize("name", ["ForceCurve_009.tiff", "example_ps.tiff"])
def test_no_part_of_a_real_file_opens(real_files: Path, tmp_path: Path, name: str) -> None:
    data = (real_files / "park" / name).read_bytes()
    short = tmp_path / name
    rng = random.Random(len(data))
    for length in [0, 8, 300, len(data) - 1] + [rng.randrange(len(data)) for _ in range(25)]:
        rewrite(short, data[:length])
        refused(short)


ODD = [
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\x01\0\0\0",
    b"\0\0\xc0\x7f",
    b"\0\0\x80\x7f",
]


@tiffs
def test_odd_numbers_everywhere(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / "f.tiff")
    data = path.read_bytes()
    at = data.find("Topography".encode("utf-16-le"))
    begins = {0, data.find("Vertical".encode("utf-16-le")), max(at - 4, 0)}
    (directory,) = struct.unpack_from("<I", data, 4)
    spans = [range(b, min(b + 1400, len(data) - 4), 4) for b in begins if b >= 0]
    spans.append(range(directory, min(directory + 230, len(data) - 4), 2))
    rng = random.Random(5)
    for span in spans:
        for offset in span if EXAMPLES else rng.sample(span, len(span) // 4):
            odd = rng.choice(ODD)
            rewrite(path, data[:offset] + odd + data[offset + 4 :])
            survives(path, memory=False)


@every
def test_flipped_and_lost_bytes(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / "f")
    data = path.read_bytes()
    rng = random.Random(11)
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 2, 8])):
            at = rng.randrange(len(changed))
            kind = rng.randrange(3)
            if kind == 0:
                changed[at] = rng.randrange(256)
            elif kind == 1:
                del changed[at : at + rng.choice([1, 4, 40])]
            else:
                changed[at:at] = rng.randbytes(rng.choice([1, 4, 40]))
        rewrite(path, changed)
        survives(path, memory=False)


@settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_random_changes(tmp_path: Path, data: st.DataObject) -> None:
    make = data.draw(st.sampled_from(MAKERS))
    path = make(tmp_path / "f")
    content = bytearray(path.read_bytes())
    changes = st.tuples(st.integers(0, len(content) - 1), st.binary(min_size=1, max_size=8))
    for at, new in data.draw(st.lists(changes, min_size=1, max_size=6)):
        content[at : at + len(new)] = new
    path.write_bytes(content)
    survives(path, memory=False)


# ------------------------------------------------------------------ TIFF: directories and counts


def test_directories_in_a_loop(tmp_path: Path) -> None:
    path = tmp_path / "f.tiff"
    entry = struct.pack("<HHII", 256, 4, 1, 7)
    first = struct.pack("<H", 1) + entry + struct.pack("<I", 8 + 18)
    second = struct.pack("<H", 1) + entry + struct.pack("<I", 8)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + first + second)
    assert ParkImporter().sniff(path.read_bytes(), path) == 0
    assert "loop" in refused(path)


def test_a_long_chain_of_directories(tmp_path: Path) -> None:
    path = tmp_path / "f.tiff"
    out = b"II*\0" + struct.pack("<I", 8)
    for number in range(1000):
        out += struct.pack("<HHHII", 1, 256, 4, 1, 7) + struct.pack("<I", 8 + 18 * (number + 1))
    path.write_bytes(out)
    assert "loop" in refused(path)


@pytest.mark.parametrize("offset", [1, 4, 200, 0xFFFFFFFF])
def test_directory_out_of_the_file(tmp_path: Path, offset: int) -> None:
    path = points(tmp_path / "f.tiff")
    data = path.read_bytes()
    path.write_bytes(data[:4] + struct.pack("<I", offset) + data[8:])
    survives(path)


def test_directory_of_very_many_tags(tmp_path: Path) -> None:
    path = tmp_path / "f.tiff"
    path.write_bytes(
        b"II*\0" + struct.pack("<IH", 8, 0xFFFF) + struct.pack("<HHII", 9, 4, 1, 0) * 0xFFFF
    )
    assert "a directory of tags" in refused(path)


@pytest.mark.parametrize("tag", [50434, 50435, 50438, 50439, 273, 279, 305, 306])
@pytest.mark.parametrize(("count", "offset"), [(0, None), (0xFFFFFFFF, None), (None, 0xFFFFFFF0)])
def test_values_out_of_the_file(
    tmp_path: Path, tag: int, count: int | None, offset: int | None
) -> None:
    path = points(tmp_path / "f.tiff")
    data = bytearray(path.read_bytes())
    (entries,) = struct.unpack_from("<H", data, 8)
    for at in range(10, 10 + 12 * entries, 12):
        if struct.unpack_from("<H", data, at)[0] == tag:
            old = struct.unpack_from("<II", data, at + 4)
            new = (old[0] if count is None else count, old[1] if offset is None else offset)
            struct.pack_into("<II", data, at + 4, *new)
    path.write_bytes(data)
    survives(path)
    if count != 0:
        refused(path)


@pytest.mark.parametrize(
    ("offset", "name"),
    [(768, "channels"), (776, "samples"), (780, "points"), (784, "driving"), (1108, "data type")],
)
@pytest.mark.parametrize("number", [0, -1, 2, 9, 1 << 20, (1 << 31) - 1, -(1 << 31)])
def test_absurd_counts_in_the_header(tmp_path: Path, offset: int, name: str, number: int) -> None:
    truth = park.example_points(
        tmp_path / "f.tiff", 3, 16, patches={offset: struct.pack("<i", number)}
    )
    curves = survives(truth.path)
    if name in ("driving",) or (name, number) == ("data type", 2):
        assert curves is not None
    else:
        assert curves is None


@pytest.mark.parametrize("number", [-1, 0, 1, 4, 5, (1 << 31) - 1])
def test_absurd_rows_of_a_grid(tmp_path: Path, number: int) -> None:
    truth = park.example_grid(tmp_path / "f.tiff", 2, 3, 16, per_row=number)
    curves = use(truth.path)
    assert curves.n_curves == 6


@pytest.mark.parametrize("gain", [0.0, float("nan"), float("inf"), 1e-320, 1e300])
def test_gains_that_are_none(tmp_path: Path, gain: float) -> None:
    truth = park.example_points(tmp_path / "f.tiff", 3, 16)
    patched = park.example_points(tmp_path / "g.tiff", 3, 16, patches={80: struct.pack("<d", gain)})
    assert use(truth.path).n_curves == 3
    assert "gain" in refused(patched.path)
    assert "gain" in refused(park.example_image(tmp_path / "i.tiff", gain=gain).path)


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    for value in (np.nan, np.inf, -np.inf):
        channels, _, _ = park.curves(
            3, 16, "<f4", ["Vertical (A-B)", "Force", "Z Scan", "Time Stamp"], padded=True
        )
        for where in range(4):
            for part in (slice(None), slice(0, 1), slice(5, 8), slice(31, None)):
                raw = [c.raw.copy() for c in channels]
                channels[where].raw[:, part] = value
                spectroscopy = park.Spectroscopy(channels, np.zeros((3, 3)))
                park.write_tiff(tmp_path / "f.tiff", spectroscopy=spectroscopy)
                assert survives(tmp_path / "f.tiff", memory=False) is not None
                for channel, old in zip(channels, raw, strict=True):
                    channel.raw = old


def test_version_that_is_none(tmp_path: Path) -> None:
    for number in (0, 1, 0x01000000):
        path = park.example_points(
            tmp_path / "f.tiff", 3, 16, changes={50433: (4, struct.pack("<I", number))}
        ).path
        assert "version" in refused(path)


# ------------------------------------------------------------------ PS-PPT


def good_curve(n: int = 8) -> bytes:
    values = np.arange(n, dtype="<f4")
    return as_frame(curve([("ZHeight", "micrometer", values), ("Force", "volt", values)], 0, 0))


def with_curves(path: Path, *curves: bytes, start: bytes | None = None) -> Path:
    start = as_frame(scan_start(1, 1)) if start is None else start
    frames = [(SCAN_START, start), *((CURVE, data) for data in curves)]
    return write_frames(path, [*frames, (SCAN_STOP, as_frame(scan_stop()))])


def test_a_frame_that_is_good(tmp_path: Path) -> None:
    assert use(with_curves(tmp_path / "f.ps-ppt", good_curve())).n_samples == 8


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"info":[', "[{},"])
@pytest.mark.parametrize("deep", [500, 5_000, 1_000_000])
def test_deeply_nested_frames(tmp_path: Path, opening: str, deep: int) -> None:
    nested = (opening * deep).encode()
    refused(with_curves(tmp_path / "f.ps-ppt", nested))
    refused(with_curves(tmp_path / "f.ps-ppt", good_curve(), start=nested))
    refused(with_curves(tmp_path / "f.ps-ppt", good_curve()[:-2] + b',"more":' + nested + b"}"))
    start = as_frame(scan_start(1, 1))[:-2] + b',"more":' + b"[" * deep + b"]" * deep + b"}"
    survives(with_curves(tmp_path / "f.ps-ppt", good_curve(), start=start))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"{}",
        b"\xff\xfe",
        b"9" * 5000,
        b'{"type":"ppt.rtfd"}',
        b'{"a":' + b"9" * 5000 + b"}",
        good_curve().replace(b"ppt.rtfd", b"ppt.else"),
        good_curve().replace(b'"numbers"', b'"digits"'),
        good_curve().replace(b'"fast":0', b'"fast":-1'),
        good_curve().replace(b'"fast":0', b'"fast":1e5'),
        good_curve().replace(b'"fast":0', b'"fast":true'),
        good_curve().replace(b'"fast":0', b'"fast":' + b"9" * 40),
        good_curve().replace(b'"index"', b'"place"'),
        good_curve().replace(b'"channels"', b'"others"'),
        good_curve().replace(b"AAAAAA", b"AA!AAA"),
        good_curve().replace(b"AAAAAA", b"\\u0041AAAAA"),
        good_curve().replace(b"AAAAAA", "ÄAAAAA".encode()),
        good_curve().replace(b"AAAAAA", b"AAAAA", 1),
        good_curve().replace(b"AAAAAA", b"AAAAAAAAAAAAAA", 1),
        b'{"a":[' + b"1," * 1_000_000 + b"1]}",
        b'{"a":{' + b'"":1,' * 1_000_000 + b'"":1}}',
        b'{"a":"' + b"A" * (8 << 20) + b'"}',
    ],
    ids=lambda data: data[:20].decode("latin-1"),
)
def test_strange_frames_of_curves(tmp_path: Path, data: bytes) -> None:
    refused(with_curves(tmp_path / "f.ps-ppt", data))
    refused(with_curves(tmp_path / "f.ps-ppt", good_curve(), data))


@pytest.mark.parametrize(
    "geometry",
    [
        {"pixelWidth": 10**400},
        {"pixelWidth": -1},
        {"pixelWidth": 1e300},
        {"pixelWidth": "1"},
        {"pixelHeight": None},
        {"pixelHeight": 0},
        {"width": 1e308},
        {"width": -1e308},
        {"width": float("nan")},
        {"width": float("inf")},
        {"width": 1e-320},
        {"height": [1]},
        {"offsetX": 1e308},
        {"rotation": 1e308},
        {"rotation": "north"},
    ],
    ids=str,
)
def test_strange_geometry(tmp_path: Path, geometry: dict[str, object]) -> None:
    start = as_frame(scan_start(1, 1, **geometry))
    survives(with_curves(tmp_path / "f.ps-ppt", good_curve(), start=start))


def test_a_start_without_geometry(tmp_path: Path) -> None:
    for start in (b"{}", b'{"geometry":[]}', b'{"time":7}', b'{"time":"9999/99/99 99:99:99"}'):
        curves = survives(with_curves(tmp_path / "f.ps-ppt", good_curve(), start=start))
        assert curves is not None
        assert np.isnan(curves.curve_table["x"]).all()


def test_strange_calibration(tmp_path: Path) -> None:
    for text in (
        b"{}",
        b'{"cantilever":7}',
        b'{"cantilever":{"cal":{"forceConstant":1e999}}}',
        b'{"cantilever":{"cal":{"forceConstant":-5,"forceSlope":1e-320}}}',
    ):
        frames = [(SCAN_START, as_frame(scan_start(1, 1))), (PARAMETERS, text)]
        path = write_frames(tmp_path / "f.ps-ppt", [*frames, (CURVE, good_curve())])
        assert survives(path) is not None


@pytest.mark.parametrize("n", [0, 5, 1000, 0xFFFFFF])
def test_absurd_tables_of_frames(tmp_path: Path, n: int) -> None:
    path = pinpoint(tmp_path / "f.ps-ppt")
    data = path.read_bytes()
    path.write_bytes(data[:10] + struct.pack(">I", n) + data[14:])
    if n != 5:
        refused(path)
    else:
        survives(path)


@pytest.mark.parametrize("offset", [0, 9, 26, 0xFFFFFFFF])
def test_frames_out_of_the_file(tmp_path: Path, offset: int) -> None:
    path = pinpoint(tmp_path / "f.ps-ppt")
    data = path.read_bytes()
    for entry in range(9):
        at = 26 + 8 * entry + 4
        path.write_bytes(data[:at] + struct.pack(">I", offset) + data[at + 4 :])
        refused(path)


def test_two_curves_in_one_pixel(tmp_path: Path) -> None:
    curves = survives(with_curves(tmp_path / "f.ps-ppt", good_curve(), good_curve()))
    assert curves is not None
    assert (curves.n_curves, curves.grid) == (2, None)


# ------------------------------------------------------------------ no file at all


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(nrm.MissingFile):
            ParkImporter().open(path)
    for data in (b"", b"II*\0", b"MM\0*" + bytes(20), b"PS-PPT/v1\n", b"PS-PPT/v2\n" + bytes(40)):
        path = tmp_path / "f"
        path.write_bytes(data)
        refused(path)
