"""Asylum's files at their edges: pieces that are too short, odd orders, units that do not fit."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_ardf import SHAPE, volume
from writers.ardf import CHANNELS, Volume, map_of, piece, write_ardf
from writers.igor import curve, write_wave

import nrm_plugin as nrm

IMAGES = [("HeightRetrace", "m", np.arange(12.0).reshape(SHAPE))]


def with_body(letters: str, change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    """A map with an image whose first piece of a kind has another body, its sum made anew."""

    def make(path: Path) -> Path:
        data = write_ardf(path, [volume()], images=IMAGES).read_bytes()
        at = data.index(letters.encode()) - 8
        if letters == "IMAG":  # the first one is an entry of the table of the file
            at = data.index(letters.encode(), at + 12) - 8
        told, size = struct.unpack_from("<II", data, at)
        assert told == zlib.crc32(data[at + 4 : at + size])
        new = piece(letters, change(data[at + 16 : at + size]))
        path.write_bytes(data[:at] + new + data[at + size :])
        return path

    return make


def many_channels(path: Path) -> Path:
    wide = {place: np.tile(table, (1, 22)) for place, table in map_of(SHAPE).items()}
    names = [(f"C{i}", "V") for i in range(66)]
    return write_ardf(path, [volume(curves=wide, channels=names)])


def cut_image(path: Path) -> Path:
    path.write_bytes(write_ardf(path, [], images=IMAGES).read_bytes()[:-120])
    return path


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "note": (with_body("TEXT", lambda b: b[:4]), "expected a note at byte"),
    "table": (with_body("IMAG", lambda b: b[:8]), "bytes of a table at byte"),
    "image": (with_body("IDEF", lambda b: b[:160]), "expected 168 bytes that define an image"),
    "rows": (with_body("IBOX", lambda b: b[:8]), "expected a table of rows at byte"),
    "row": (
        with_body("IBOX", lambda b: b[:8] + struct.pack("<I", 5) + b[12:]),
        "expected 3 rows of 4 numbers at byte",
    ),
    "cut image": (cut_image, "found the end of the file"),
    "volume": (with_body("VDEF", lambda b: b[:180]), "expected 184 bytes that define a volume"),
    "curve": (with_body("VSET", lambda b: b[:24]), "expected 32 bytes of a curve at byte"),
    "channels": (many_channels, "expected up to 64 channels at byte"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_sentence(tmp_path: Path, case: str) -> None:
    make, sentence = REFUSED[case]
    path = make(tmp_path / "a.ardf")
    with pytest.raises(nrm.CorruptFile) as caught:
        nrm.open(path)
    assert sentence in str(caught.value)


def even(line: int, point: int) -> int:
    return 120


@pytest.mark.parametrize(
    ("samples", "points"),
    [
        (lambda line, point: 100 + 10 * point, [[0, 1, 2, 3]] * 3),  # lines alike, curves not
        (even, [[0, 2, 1, 3]] * 3),  # neither forwards nor backwards
        (even, [[0, 1, 2, 3], [3, 2, 1, 0], [0, 1, 2, 3]]),  # to and fro
        (even, [[3, 2, 1, 0], [0, 1, 2, 3], [0, 1, 2, 3]]),
    ],
    ids=["lengths", "odd", "to-and-fro", "once-back"],
)
def test_lines_that_only_look_even(tmp_path: Path, samples: Any, points: list[list[int]]) -> None:
    """Each curve is looked at where arithmetic would find others, and lies where it was taken."""
    truth = map_of(SHAPE, samples)
    order = [(line, point) for line, some in enumerate(points) for point in some]
    path = write_ardf(tmp_path / "a.ardf", [volume(curves=truth, order=order)])
    curves = nrm.open(path)
    table = curves.curve_table
    for i, (place, values) in enumerate(sorted(truth.items())):
        assert (table["row"][i], table["column"][i]) == place
        np.testing.assert_array_equal(curves.read("height", i), -values[:, 2].astype(float))


def test_a_volume_whose_parts_have_no_names(tmp_path: Path) -> None:
    curves = nrm.open(write_ardf(tmp_path / "a.ardf", [volume(parts=())]))
    assert curves.segments["kind"].tolist() == ["approach", "retract"] * 12  # z tells


def test_a_unit_that_is_none_of_the_channel(tmp_path: Path) -> None:
    """A piezo in volts is no height; the sensor is."""
    channels = (("Raw", "V"), *CHANNELS[1:])
    curves = nrm.open(write_ardf(tmp_path / "a.ardf", [volume(channels=channels)]))
    assert "Raw is in V and is kept under its own name" in curves.warnings
    assert "height_commanded" not in curves.channels
    assert curves.channels["raw"].unit == "V"
    assert curves.metadata["height_source"] == "sensor"


@pytest.mark.parametrize("step", [0.0, -1e-3, 1e9, np.nan])
def test_a_wave_without_a_rate_has_no_times(tmp_path: Path, step: float) -> None:
    table, note = curve(300)
    labels = ("Raw", "Defl", "ZSnsr")
    path = write_wave(tmp_path / "a.ibw", table, labels=labels, note=note, step=step)
    assert "time" not in nrm.open(path).channels


def test_a_wave_of_whole_numbers(tmp_path: Path) -> None:
    table, note = curve(300)
    counts = np.rint(table * 1e9).astype("i4")
    path = write_wave(tmp_path / "a.ibw", counts, labels=("Raw", "Defl", "ZSnsr"), note=note)
    np.testing.assert_array_equal(nrm.open(path).read("height"), -counts[:, 2].astype(float))


def test_a_map_of_files_that_never_fit(tmp_path: Path) -> None:
    """Channels of the one point there is have different lengths."""
    table, note = curve(300)
    for label, column in (("Defl", table[:, 1]), ("ZSnsr", table[:100, 2])):
        path = tmp_path / f"Line0000Point0000{label}.ibw"
        write_wave(path, column, labels=(label,), note={"Indexes": note["Indexes"]})
    with pytest.raises(nrm.CorruptFile) as caught:
        nrm.open(path)
    sentence = "expected channels of one length at each point, found others at all"
    assert sentence in str(caught.value)


def test_an_empty_volume(tmp_path: Path) -> None:
    made = Volume(curves={}, shape=SHAPE)
    curves = nrm.open(write_ardf(tmp_path / "a.ardf", [made], images=IMAGES))
    assert curves.n_curves == 0
    assert "no curve of the map was recorded" in curves.warnings
