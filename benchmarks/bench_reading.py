"""Reading force volumes: ours, bare numpy, and peers where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nrm_plugin as nrm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from writers import nanoscope  # noqa: E402

REAL = Path(os.environ.get("NRM_REAL_FILES", ROOT.parent / "shared" / "real"))
VOLUME = REAL / "bruker" / "20200903_Egel2.0_00023.repaired.spm"
HEADER = 80960


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real force volume of 256 curves, or a synthetic one of the same size."""
    if VOLUME.exists():
        return VOLUME
    return make_volume(tmp_path_factory.mktemp("volume") / "volume.spm", 16, 1024)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 x 64 curves of 2 x 2048 samples: 67 MB."""
    return make_volume(tmp_path_factory.mktemp("large") / "large.spm", 64, 2048)


def make_volume(path: Path, side: int, half: int) -> Path:
    raw = np.tile(np.arange(2 * half) % 30000 - 15000, (side * side, 1))
    channel = nanoscope.ForceChannel(
        "Deflection Error", "DeflectionError", raw, 0.000375, 24.576, ("DeflSens", 30.0, "nm/V")
    )
    nanoscope.write_force(
        path,
        [channel],
        n_ext=half,
        n_ret=half,
        grid=(side, side),
        images=[
            nanoscope.ImageChannel(
                "Height",
                "Height",
                np.zeros((side, side), int),
                0.0067,
                440.0,
                ("Zsens", 13.2, "nm/V"),
            )
        ],
    )
    return path


def read_bare(path: Path, n: int) -> np.ndarray:
    return np.fromfile(path, "<i4", n, offset=HEADER) * 0.000375


def read_ours(path: Path) -> np.ndarray:
    return nrm.open(path).read("deflection")


def read_magic_afm(path: Path) -> Any:
    readers = pytest.importorskip("magic_afm.data_readers")
    with readers.mmap_path_read_only(path) as data:
        file = readers.NanoscopeFile.parse(data)
        return [list(v.iter_curves()) for v in file.volumes]


def read_pyfmreader(path: Path) -> Any:
    pyfmreader = pytest.importorskip("pyfmreader")
    file = pyfmreader.loadfile(str(path))
    return [file.getcurve(i) for i in range(file.filemetadata["Entry_tot_nb_curve"])]


READERS: dict[str, Callable[[Path], Any]] = {
    "ours, open and read": read_ours,
    "magic-afm": read_magic_afm,
    "PyFMReader": read_pyfmreader,
}


def check(path: Path) -> None:
    """What is timed gives the numbers of the file."""
    first = np.fromfile(path, "<i4", 16, offset=HEADER)
    curve = nrm.open(path).read_raw("deflection", 0)
    half = len(curve) // 2
    np.testing.assert_array_equal(curve[:half][::-1][:16], first)


@pytest.mark.benchmark(group="read volume")
class TestVolume:
    def test_bare_numpy(self, benchmark: Any, volume: Path) -> None:
        benchmark(read_bare, volume, nrm.open(volume).n_samples)

    def test_ours_read_only(self, benchmark: Any, volume: Path) -> None:
        check(volume)
        benchmark(nrm.open(volume).read, "deflection")

    @pytest.mark.parametrize("reader", READERS)
    def test_reader(self, benchmark: Any, volume: Path, reader: str) -> None:
        benchmark(READERS[reader], volume)


@pytest.mark.benchmark(group="read large volume")
class TestLargeVolume:
    def test_bare_numpy(self, benchmark: Any, large: Path) -> None:
        benchmark(read_bare, large, nrm.open(large).n_samples)

    @pytest.mark.parametrize("reader", READERS)
    def test_reader(self, benchmark: Any, large: Path, reader: str) -> None:
        benchmark(READERS[reader], large)


@pytest.mark.benchmark(group="open 4 GB")
def test_open_4_gb(benchmark: Any, tmp_path: Path) -> None:
    path = make_sparse(tmp_path / "4gb.spm")
    assert benchmark(nrm.open, path).n_curves == 65536


@pytest.mark.benchmark(group="convert")
class TestConvert:
    def test_copy(self, benchmark: Any, large: Path, tmp_path: Path) -> None:
        benchmark(shutil.copyfile, large, tmp_path / "copy")

    def test_convert(self, benchmark: Any, large: Path, tmp_path: Path) -> None:
        benchmark(nrm.open(large).save, tmp_path / "converted.h5")


@pytest.mark.benchmark(group="start")
@pytest.mark.parametrize("words", ["-c pass", "-m nrm_plugin --help"])
def test_start(benchmark: Any, words: str) -> None:
    def run() -> None:
        subprocess.run([sys.executable, *words.split()], check=True, capture_output=True)

    benchmark(run)


def make_sparse(path: Path, side: int = 256, half: int = 8192) -> Path:
    """Make a force volume of 4 GB whose samples are a hole in the file."""
    small = path.with_suffix(".small")
    channel = nanoscope.ForceChannel(
        "Deflection Error",
        "DeflectionError",
        np.zeros((4, 2 * half), int),
        0.000375,
        24.576,
        ("DeflSens", 30.0, "nm/V"),
    )
    nanoscope.write_force(small, [channel], n_ext=half, n_ret=half, grid=(2, 2))
    text = small.read_bytes()[:HEADER].rstrip(b"\0\x1a").decode("cp1252")
    small.unlink()
    length = 4 * 2 * half * 4
    for old, new in (
        (f"\\Data length: {length}\r", f"\\Data length: {length * side * side // 4}\r"),
        ("\\force/line: 2\r", f"\\force/line: {side}\r"),
        ("\\Lines: 2\r", f"\\Lines: {side}\r"),
    ):
        text = text.replace(old, new)
    with path.open("wb") as file:
        file.write(f"{text}\x1a".encode("cp1252"))
        file.truncate(HEADER + length * side * side // 4)
    return path
