"""Raw columns: vendors' layouts against a reading curve by curve, and files that change."""

from __future__ import annotations

import os
import tracemalloc
import warnings
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrm_plugin.columns import (
    ArrayColumn,
    FileColumn,
    FileStamp,
    RepeatedColumn,
    Rows,
    Strip,
    files_kept_open,
    read_into,
    scaled_copy,
)
from nrm_plugin.errors import ChangedFile, CorruptFile

BYTES = np.random.default_rng(7).integers(0, 256, 5000, np.uint8).tobytes()
DTYPES = st.sampled_from(["<i2", ">i2", "<i4", ">i4", "<u2", "u1", "<i8"])


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("columns") / "noise.bin"
    path.write_bytes(BYTES)
    return path


def brute(dtype: str, strips: list[Strip], curve: int) -> np.ndarray:
    parts = []
    for strip in strips:
        n, start = int(strip.counts[curve]), int(strip.starts[curve])
        part = np.frombuffer(BYTES, dtype, n, start) if n else np.empty(0, dtype)
        parts.append(part[::-1] if strip.reverse else part)
    return np.concatenate(parts)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[str, list[Strip]]:
    """Runs of any lengths anywhere in the file, or all alike and equally far apart."""
    dtype = draw(DTYPES)
    size = np.dtype(dtype).itemsize
    n = draw(st.integers(1, 6))
    strips = []
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            count = draw(st.integers(0, 30))
            start = draw(st.integers(0, 1000))
            step = draw(st.integers(0, 600))
            starts, counts = [start + step * i for i in range(n)], [count] * n
            if draw(st.booleans()):
                starts.reverse()
        else:
            counts = draw(st.lists(st.integers(0, 30), min_size=n, max_size=n))
            starts = [draw(st.integers(0, len(BYTES) - c * size)) for c in counts]
        strips.append(Strip(np.array(starts), np.array(counts), draw(st.booleans())))
    return dtype, strips


@settings(max_examples=300, deadline=None)
@given(layout=layouts(), data=st.data())
def test_file_column_against_brute_force(noise: Path, layout: Any, data: st.DataObject) -> None:
    dtype, strips = layout
    column = FileColumn(FileStamp.of(noise), np.dtype(dtype), strips)
    n = len(strips[0].starts)
    first = data.draw(st.integers(0, n))
    stop = data.draw(st.integers(first, n))
    raw = np.concatenate(
        [np.empty(0, dtype), *(brute(dtype, strips, i) for i in range(first, stop))]
    )

    assert column.rows.sizes.tolist() == [len(brute(dtype, strips, i)) for i in range(n)]
    out: np.ndarray = np.empty(len(raw), raw.dtype.newbyteorder("="))
    column.fill(first, stop, out)
    np.testing.assert_array_equal(out, raw)
    scaled = np.empty(len(raw))
    column.fill(first, stop, scaled, 0.3, -2.0)
    np.testing.assert_array_equal(scaled, raw.astype(np.float64) * 0.3 - 2.0)


@settings(max_examples=50, deadline=None)
@given(
    dtype=DTYPES,
    approach=st.integers(1, 40),
    retract=st.integers(0, 40),
    n=st.integers(1, 7),
    gap=st.integers(0, 20),
)
def test_regular_volume(
    noise: Path, dtype: str, approach: int, retract: int, n: int, gap: int
) -> None:
    """The NanoScope volume: approach stored backwards, then the retract, then perhaps a gap."""
    size = np.dtype(dtype).itemsize
    stride = size * (approach + retract) + gap
    if 100 + n * stride > len(BYTES):
        n = 1
    runs = [(0, approach, True), (approach, retract, False)]
    stamp = FileStamp.of(noise)
    column = FileColumn.regular(stamp, np.dtype(dtype), 100, n, runs, stride if gap else None)
    for i in range(n):
        block = np.frombuffer(BYTES, dtype, approach + retract, 100 + i * stride)
        out = np.empty(approach + retract)
        column.fill(i, i + 1, out)
        np.testing.assert_array_equal(out[:approach], block[:approach][::-1])
        np.testing.assert_array_equal(out[approach:], block[approach:])


@pytest.mark.parametrize(
    ("starts", "counts"),
    [([4990], [6]), ([0, 5000], [1, 1]), ([-2], [1]), ([0], [-1]), ([0], [2**62]), ([2**62], [1])],
)
def test_runs_outside_the_file(noise: Path, starts: list[int], counts: list[int]) -> None:
    strip = Strip(np.array(starts), np.array(counts))
    with pytest.raises(CorruptFile):
        FileColumn(FileStamp.of(noise), np.dtype("<i2"), [strip])


def file_column(path: Path) -> FileColumn:
    path.write_bytes(BYTES)
    return FileColumn.regular(FileStamp.of(path), np.dtype("<i2"), 0, 10, [(0, 100, False)])


def truncate(path: Path) -> None:
    os.truncate(path, 100)


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [truncate, touch, Path.unlink, replace_by_folder])
def test_changed_file(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "a.bin"
    column = file_column(path)
    out = np.empty(100)
    column.fill(3, 4, out)
    change(path)
    with pytest.raises(ChangedFile, match="open it again"):
        column.fill(3, 4, out)


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    """What was read may be half of the old and half of the new."""
    path = tmp_path / "a.bin"
    file_column(path)
    stamp = FileStamp.of(path)

    def change() -> None:
        path.write_bytes(BYTES[1:])
        os.utime(path, ns=(1, stamp.mtime_ns + 1))

    def read_while_it_changes() -> None:
        with stamp.opened() as file:
            file.read(10)
            change()

    def change_between_reads() -> None:
        with files_kept_open():
            for _ in range(2):
                with stamp.opened() as file:
                    file.read(10)
            change()

    with pytest.raises(ChangedFile):
        read_while_it_changes()
    stamp = FileStamp.of(path)
    with pytest.raises(ChangedFile):
        change_between_reads()


def test_a_relative_path_survives_chdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    column = file_column(Path("a.bin"))
    monkeypatch.chdir("/")
    out = np.empty(100)
    column.fill(9, 10, out)
    np.testing.assert_array_equal(out, np.frombuffer(BYTES, "<i2", 100, 1800))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc to count open files")
def test_no_file_stays_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    columns = [file_column(tmp_path / f"{i}.bin") for i in range(5)]
    outs = [np.empty(1000) for _ in columns]
    for column, out in zip(columns, outs, strict=True):
        column.fill(0, 10, out)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_a_sparse_file_of_4_gb_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    n, length = 1 << 18, 4096
    last = np.arange(length, dtype="<i4")
    with path.open("wb") as file:
        file.truncate(4 * n * length)
        file.seek(-4 * length, os.SEEK_END)
        file.write(last.tobytes())
    tracemalloc.start()
    runs = [(0, length // 2, True), (length // 2, length // 2, False)]
    column = FileColumn.regular(FileStamp.of(path), last.dtype, 0, n, runs)
    out = np.empty(length)
    column.fill(n - 1, n, out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size == 1 << 32
    half = length // 2
    np.testing.assert_array_equal(out, np.r_[last[:half][::-1], last[half:]])
    assert peak < 30e6


def test_rows() -> None:
    ragged = Rows(np.array([3, 0, 2]))
    assert [ragged.start(i) for i in range(4)] == [0, 3, 3, 5]
    assert (ragged.total, ragged.length, len(ragged)) == (5, None, 3)
    uniform = Rows.uniform(10**12, 512)  # takes no memory
    assert (uniform.total, uniform.start(3), uniform.length) == (512 * 10**12, 1536, 512)
    assert Rows.uniform(0, 7).total == 0
    assert not ragged.sizes.flags.writeable


def test_array_column_is_read_only() -> None:
    column = ArrayColumn(np.arange(6, dtype="i2"), Rows.uniform(2, 3))
    with pytest.raises(ValueError, match="read-only"):
        column.values[0] = 9


def test_repeated_column() -> None:
    column = RepeatedColumn(np.array([1, 2, 3], "i2"), Rows.uniform(4, 3))
    out = np.empty(6)
    column.fill(1, 3, out, 0.5, 1.0)
    assert out.tolist() == [1.5, 2.0, 2.5] * 2
    with pytest.raises(ValueError, match="own length"):
        RepeatedColumn(np.zeros(2), Rows.uniform(4, 3))


def test_a_read_that_gives_less_goes_on(tmp_path: Path) -> None:
    """Systems read at most 2 GiB at once, and less where they like."""

    class Scanty(FileIO):
        def readinto(self, buffer: Any) -> int:
            return super().readinto(memoryview(buffer)[:7])

    values = np.arange(100, dtype="<i2")
    (tmp_path / "some.bin").write_bytes(b"head" + values.tobytes())
    found = np.zeros(100, "<i2")
    with Scanty(tmp_path / "some.bin") as file:
        read_into(file, 4, found.view(np.uint8))
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (2.0, 0.0), (2.0, 1.0)])
def test_nan_of_another_kind_is_nan(gain: float, offset: float) -> None:
    """Damaged files may hold signalling ones, of which numpy would warn."""
    source = np.array([0x7FA00000, 0x3F800000], np.uint32).view(np.float32)
    out = np.empty(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaled_copy(out, source, gain, offset)
    np.testing.assert_array_equal(out, [np.nan, gain + offset])
