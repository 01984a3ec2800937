"""Reading and writing Gwyddion's curve maps: ours, bare numpy and gwyfile in the same run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bench_reading import read_into
from measure import Table, rate

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


def bare(path: Path) -> Callable[[], Any]:
    """Read all bytes into an array that is there."""
    raw = np.empty(path.stat().st_size, "u1")
    return lambda: read_into(path, 0, raw)


def read_ours(path: Path) -> list[np.ndarray]:
    curves = nrm.open(path)
    return [curves.read(name) for name in SIGNALS]


def read_gwyfile(path: Path) -> Any:
    import gwyfile

    return gwyfile.load(str(path))["/lawn/0"]["data"]


#: Maps of 201, 25 and about 150 MB: samples, and whether curves differ in length.
MAPS = {"2048 samples": (2048, False), "256 samples": (256, False), "ragged": (2048, True)}


def measure(table: Table) -> None:
    """Long, short and ragged curves; 2 GB that are a hole; writing."""
    path = table.folder / "map.gwy"
    for what, (samples, ragged) in MAPS.items():
        if table.wants(f"read a curve map, {what}"):
            formats.save(make(samples, ragged=ragged), path)
            table.compare(
                {
                    "bare numpy, into an array that is there": bare(path),
                    "ours, open and all signals": lambda: read_ours(path),
                    "gwyfile": lambda: read_gwyfile(path),
                },
                note=rate(path.stat().st_size / 1e6, "MB"),
            )
    if table.wants("open a curve map of 2 GB"):
        paths = {c: sparse_map(table.folder / f"{c}.gwy", c) for c in ("GWYP", "GWYQ")}
        table.compare({name: partial(nrm.open, of) for name, of in paths.items()})
        for of in paths.values():
            of.unlink()
    if table.wants("write a curve map of 200 MB"):
        curves = make(2048)
        formats.save(curves, path)
        data, copy = path.read_bytes(), table.folder / "copy.gwy"
        table.compare(
            {
                "the same bytes, from memory": lambda: copy.write_bytes(data),
                "write": lambda: formats.save(curves, path),
            },
            note=rate(len(data) / 1e6, "MB"),
        )
