"""Reading and writing Gwyddion's curve maps: ours, bare numpy and gwyfile in the same run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gwyfile
import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin import formats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from test_gwyddion_hostile import sparse_map  # noqa: E402

SIDE = 64
SIGNALS = ("height", "input_1", "input_2")


def make(samples: int, *, ragged: bool = False) -> nrm.CurveSet:
    """64 x 64 curves of three signals."""
    n = SIDE * SIDE
    number = np.arange(n)
    sizes = samples // 2 + number * 7919 % (samples // 2) if ragged else np.full(n, samples)
    values = np.arange(sizes.sum()) * 1e-12
    return nrm.CurveSet.from_arrays(
        {name: (values + i * 1e-7, "m" if i == 0 else "V") for i, name in enumerate(SIGNALS)},
        row_size=sizes,
        segments=np.array(
            [(i, 0, size, "approach") for i, size in enumerate(sizes.tolist())],
            [("curve", "i8"), ("start", "i8"), ("stop", "i8"), ("kind", "U10")],
        ),
        curve_table={
            "row": number // SIDE,
            "column": number % SIDE,
            "x": number % SIDE * 1e-8,
            "y": number // SIDE * 1e-8,
        },
    )


@pytest.fixture(scope="module", params=["2048 samples", "256 samples", "ragged"])
def lawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps of 201, 25 and about 150 MB."""
    samples = 256 if request.param == "256 samples" else 2048
    path = tmp_path_factory.mktemp("gwyddion") / "map.gwy"
    formats.save(make(samples, ragged=request.param == "ragged"), path)
    return path


def read_bare(path: Path) -> np.ndarray:
    return np.fromfile(path, "u1")


def read_ours(path: Path) -> list[np.ndarray]:
    curves = nrm.open(path)
    return [curves.read(name) for name in SIGNALS]


def read_gwyfile(path: Path) -> Any:
    return gwyfile.load(str(path))["/lawn/0"]["data"]


READERS: dict[str, Callable[[Path], Any]] = {
    "bare numpy": read_bare,
    "ours, open and all signals": read_ours,
    "gwyfile": read_gwyfile,
}


@pytest.mark.benchmark(group="read curve map")
@pytest.mark.parametrize("reader", READERS)
def test_reader(benchmark: Any, lawn: Path, reader: str) -> None:
    READERS[reader](lawn)
    benchmark.pedantic(READERS[reader], (lawn,), rounds=3)
    seconds = benchmark.stats.stats.median
    benchmark.extra_info["GB/s"] = round(lawn.stat().st_size / seconds / 1e9, 3)


@pytest.mark.benchmark(group="open 2 GB")
@pytest.mark.parametrize("container", ["GWYP", "GWYQ"])
def test_open_2_gb(benchmark: Any, tmp_path: Path, container: str) -> None:
    path = sparse_map(tmp_path / "2gb.gwy", container)
    assert benchmark(nrm.open, path).n_samples * 16 == 1 << 31


@pytest.mark.benchmark(group="write curve map")
def test_write(benchmark: Any, tmp_path: Path) -> None:
    benchmark.pedantic(formats.save, (make(2048), tmp_path / "map.gwy"), rounds=3)
