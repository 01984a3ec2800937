"""Reading force volumes: ours, bare numpy, and peers where they are installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measure import Table, rate

import nrm_plugin as nrm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from writers import jpk, nanoscope  # noqa: E402

REAL = Path(os.environ.get("NRM_REAL_FILES", ROOT.parent / "shared" / "real"))
VOLUME = REAL / "bruker" / "20200903_Egel2.0_00023.repaired.spm"
HEADER = 80960


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


def read_into(path: Path, offset: int, raw: np.ndarray) -> None:
    """Read the bytes that an array holds."""
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        assert file.readinto(raw.view("u1")) == raw.nbytes


def bare(path: Path) -> Callable[[], Any]:
    """Read a volume's numbers and scale them, into arrays that are there: nothing can be faster."""
    raw = np.empty(nrm.open(path).n_samples, "<i4")
    out = np.empty(raw.size)

    def read() -> None:
        read_into(path, HEADER, raw)
        np.multiply(raw, 0.000375, out=out)

    return read


def read_ours(path: Path) -> np.ndarray:
    return nrm.open(path).read("deflection")


def read_magic_afm(path: Path) -> Any:
    from magic_afm import data_readers as readers

    with readers.mmap_path_read_only(path) as data:
        file = readers.NanoscopeFile.parse(data)
        return [list(v.iter_curves()) for v in file.volumes]


def read_pyfmreader(path: Path) -> Any:
    import pyfmreader

    file = pyfmreader.loadfile(str(path))
    return [file.getcurve(i) for i in range(file.filemetadata["Entry_tot_nb_curve"])]


def readers(path: Path) -> dict[str, Callable[[], Any]]:
    """The bound, ours, and peers."""
    curves = nrm.open(path)
    return {
        "bare numpy, into arrays that are there": bare(path),
        "ours, read only": lambda: curves.read("deflection"),
        "ours, open and read": lambda: read_ours(path),
        "magic-afm": lambda: read_magic_afm(path),
        "PyFMReader": lambda: read_pyfmreader(path),
    }


def check(path: Path) -> None:
    """What is timed gives the numbers of the file."""
    first = np.fromfile(path, "<i4", 16, offset=HEADER)
    curve = nrm.open(path).read_raw("deflection", 0)
    half = len(curve) // 2
    np.testing.assert_array_equal(curve[:half][::-1][:16], first)


def measure(table: Table) -> None:
    """A real volume of 256 curves, one of 67 MB, one of 4 GB that is a hole."""
    volume, large = VOLUME, table.folder / "large.spm"
    if table.wants("read a force volume of 256 curves"):
        if not VOLUME.exists():
            volume = make_volume(table.folder / "volume.spm", 16, 1024)
        check(volume)
        table.compare(readers(volume), note=rate(volume.stat().st_size / 1e6, "MB"))
    if table.wants("read a force volume of 67 MB"):
        make_volume(large, 64, 2048)
        check(large)
        table.compare(readers(large), note=rate(large.stat().st_size / 1e6, "MB"))
    if table.wants("open a force volume of 4 GB"):
        path = make_sparse(table.folder / "4gb.spm")
        assert nrm.open(path).n_curves == 65536
        table.compare({"read its header": lambda: read_start(path), "open": lambda: nrm.open(path)})
        path.unlink()
    for half, what in ((60, "small"), (1000, "large")):
        if table.wants(f"read a JPK map of 4096 {what} curves"):
            path = table.folder / "map.jpk-force-map"
            jpk.JpkWriter(grid=(64, 64)).write(path, [jpk.ramp(half, half)] * 4096)
            table.compare(
                {
                    "unzip all of it": lambda p=path: unzip(p),
                    "open and read every channel": lambda p=path: read_all(p),
                    "open": lambda p=path: nrm.open(p),
                },
                note=rate(path.stat().st_size / 1e6, "MB"),
            )
    if table.wants("convert a force volume of 67 MB"):
        make_volume(large, 64, 2048)
        copy, out = table.folder / "copy", table.folder / "converted.h5"
        raw = large.read_bytes()
        table.compare(
            {
                "a copy of the file": lambda: shutil.copyfile(large, copy),
                "the same, and its sha256": lambda: (
                    hashlib.sha256(raw),
                    shutil.copyfile(large, copy),
                ),
                "convert": lambda: nrm.open(large).save(out),
            },
            note=rate(large.stat().st_size / 1e6, "MB"),
        )


def unzip(path: Path) -> None:
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            file.read(name)


def read_all(path: Path) -> None:
    """Read every channel once; the force is the deflection's numbers again."""
    curves = nrm.open(path)
    for name in curves.channels:
        if name not in ("force_normal", "height"):
            curves.read(name)


def read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEADER)


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
