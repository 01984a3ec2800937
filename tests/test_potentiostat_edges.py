"""Logs of potentiostats at their edges: damaged modules, and tables without what they promise."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from writers import potentiostat as written

import nrm_plugin as nrm

DATA = b"MODULEVMP data"


def mpr(path: Path, change: Callable[[bytearray, int, int], bytes]) -> Path:
    """A file whose module of points was changed; its heading ends 8 bytes before its data."""
    written.write_mpr(path, log=False)
    data = bytearray(path.read_bytes())
    head = data.index(DATA) + 41
    path.write_bytes(change(data, head, head + 16))
    return path


def shorter(data: bytearray, head: int, begin: int) -> bytes:
    """A module of 100 bytes, which is less than what stands before its points."""
    struct.pack_into("<I", data, head, 100)
    return bytes(data[: begin + 100])


def crowded(data: bytearray, head: int, begin: int) -> bytes:
    """More numbers of columns than there is room for."""
    data[begin + 4] = 255
    return bytes(data)


def narrow(data: bytearray, head: int, begin: int) -> bytes:
    """Points of a byte less than their columns need."""
    n = struct.unpack_from("<I", data, begin)[0]
    width = (len(data) - begin - 405) // n
    struct.pack_into("<I", data, head, 405 + n * (width - 1))
    return bytes(data[: begin + 405 + n * (width - 1)])


def doubled(data: bytearray, head: int, begin: int) -> bytes:
    """The time twice, and no potential."""
    at = data.index(struct.pack("<H", 6), begin + 5 + 2 * 5)
    struct.pack_into("<H", data, at, 4)
    return bytes(data)


def headless(data: bytearray, head: int, begin: int) -> bytes:
    return bytes(data[: head + 3])


REFUSED = {
    "short": (shorter, "expected a module with points, found 100 bytes"),
    "crowded": (crowded, "expected numbers of columns before the points, found 255 columns"),
    "narrow": (narrow, "expected records of 29 bytes, found 28"),
    "doubled": (doubled, "expected each column once, found"),
    "headless": (headless, "expected a module's heading at byte"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_damaged_modules_are_named(tmp_path: Path, case: str) -> None:
    change, sentence = REFUSED[case]
    with pytest.raises(nrm.CorruptFile) as caught:
        nrm.read_log(mpr(tmp_path / "cv.mpr", change))
    assert sentence in str(caught.value)


def text(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


TABLES = {
    "titles": (
        ["a,b", "1,2", "2,3"],
        "there is no line of titles with a time and a potential, such as 'time (s)' and 'E (V)'",
    ),
    "epoch": (
        ["unix time (s),E (V)", "1e13,0.1", "2e13,0.2"],
        "unix time holds no seconds since 1970",
    ),
    "dates": (
        ["date,E (V)", "monday,0.1", "tuesday,0.2"],
        "date holds no dates with times: write them as 2025-03-04 09:41:07, or call seconds since "
        "1970 'unix time (s)'",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_without_what_a_log_needs(tmp_path: Path, case: str) -> None:
    lines, sentence = TABLES[case]
    with pytest.raises(nrm.NrmError) as caught:
        nrm.read_log(text(tmp_path / "log.csv", *lines), "text")
    assert sentence in str(caught.value)
