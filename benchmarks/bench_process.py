"""The whole chain, from a common file in the page cache to a file of results.

Run by hand, it processes a whole map and prints speed, memory, time to the first result and how
the cost grows: ``python benchmarks/bench_process.py [--curves 65536] [--folder DIR]``. The speed
stands beside a bound: reading and scaling the same bytes with numpy on as many threads.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import h5py
import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin import simulate as sim
from nrm_plugin.columns import RepeatedColumn, Rows
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import SEGMENT

NM = 1e-9
#: Results that are compared.
DIGESTED = ("contact_height", "quality", "storage_modulus", "loss_modulus_stderr")

SIGNALS = ("height", "deflection", "lateral_in_phase", "lateral_quadrature")

#: Different curves; a file repeats them.
DIFFERENT = 512


class Tiled:
    """Some curves again and again, as a column."""

    def __init__(self, table: np.ndarray, n_curves: int) -> None:
        self.table, self.dtype = table, table.dtype
        self.rows = Rows.uniform(n_curves, table.shape[1])

    def fill(
        self, first: int, stop: int, out: np.ndarray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        out[...] = self.table[np.arange(first, stop) % len(self.table)].ravel() * gain + offset


def simulated(samples: int, retract: bool) -> CurveSet:
    """Curves on two soft layers, of all samples that a curve is to have."""
    layers = sim.Layer(8 * NM, 10e6 + 3e6j), sim.Layer(12 * NM, 2e6 + 1e6j)
    sample = sim.Sample(
        sim.Interphase(layers, force=3e-9), thickness_spread=0.3, modulus_spread=0.2
    )
    instrument = sim.Instrument(
        lateral_stiffness=30.0,
        lock_in=sim.LockIn(time_constant=2e-3, poles=2),
        detector=sim.Detector(deflection_noise=0.15 * NM, glitches=0.1),
    )
    ramp = sim.Ramp(length=307 * NM, samples=samples // (1 + retract), retract=retract)
    return sim.simulate(sample, instrument, ramp, n_curves=DIFFERENT, seed=1)[0]


def segments(n_curves: int, samples: int, retract: bool) -> np.ndarray:
    kinds = ("approach", "retract") if retract else ("approach",)
    table = np.zeros(n_curves * len(kinds), SEGMENT)
    each = samples // len(kinds)
    table["curve"] = np.repeat(np.arange(n_curves), len(kinds))
    table["kind"] = np.tile(kinds, n_curves)
    table["start"] = np.tile(each * np.arange(len(kinds)), n_curves)
    table["stop"] = table["start"] + each
    return table


def make_file(
    path: Path, n_curves: int, *, samples: int = 2048, retract: bool = True, dtype: str = "<i2"
) -> Path:
    """Write a map of curves: the converter's 16 bits, or floats."""
    curves = simulated(samples, retract)
    rows = Rows.uniform(n_curves, samples)
    time_column = RepeatedColumn(curves.read("time", 0), rows)
    channels = {"time": Channel("time", "s", time_column)}
    for name in SIGNALS:
        values = curves.read(name).reshape(-1, samples)
        gain = np.abs(values).max() / 32000 if dtype == "<i2" else 1.0
        stored = np.rint(values / gain) if dtype == "<i2" else values
        column = Tiled(stored.astype(dtype), n_curves)
        channels[name] = Channel(name, curves.channels[name].unit, column, gain, original=name)
    CurveSet(
        rows,
        channels,
        metadata=dict(curves.metadata),
        segments_from=lambda: segments(n_curves, samples, retract),
    ).save(path)
    return path


def bare(path: Path, threads: int) -> None:
    """Read the four signals' bytes and scale them, on some threads: no chain can be faster."""
    with h5py.File(path) as file:
        group = file["entry/curves"]
        places = [
            (
                group[n].id.get_offset(),
                group[n].dtype,
                group[n].size,
                group[n].attrs["scale_factor"],
            )
            for n in SIGNALS
        ]
    piece = 1 << 18

    def scale(task: tuple[int, int]) -> None:
        offset, dtype, size, gain = places[task[0]]
        count = min(piece, size - task[1])
        raw = np.empty(count, dtype)
        os.preadv(descriptor, [raw.data], offset + task[1] * dtype.itemsize)
        np.multiply(raw, gain, dtype=np.float64)

    descriptor = os.open(path, os.O_RDONLY)
    tasks = [(i, at) for i, place in enumerate(places) for at in range(0, place[2], piece)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(scale, tasks))
    os.close(descriptor)


# With pytest-benchmark: a part of a map

KINDS: dict[str, dict[str, Any]] = {
    "int16": {},
    "float32": {"dtype": "<f4"},
    "int16, approach only": {"retract": False},
}


@pytest.fixture(scope="module", params=KINDS)
def file(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_file(tmp_path_factory.mktemp("map") / "map.h5", 2048, **KINDS[request.param])


@pytest.mark.benchmark(group="process 2048 curves")
class TestProcess:
    def test_bare_numpy(self, benchmark: Any, file: Path) -> None:
        benchmark(bare, file, os.cpu_count() or 1)

    def test_process(self, benchmark: Any, file: Path, tmp_path: Path) -> None:
        out = tmp_path / "results.h5"
        given = nrm.open(file), None, out
        results = benchmark.pedantic(nrm.process, given, rounds=3, warmup_rounds=1)
        assert np.isfinite(results["contact_height"]).mean() > 0.99


# By hand: the whole map


def status(key: str) -> float:
    """A line of /proc/self/status in MB; nan where there is no such file."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(f"{key}:"))


def worker(path: Path, threads: int, block: int | None, times: int) -> None:
    """Process a file in this process, and print what it took, the last time, as JSON."""
    highest, ended = [status("RssAnon")], threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            highest.append(status("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        for _ in range(times):
            curves = nrm.open(path)
            wall, cpu = time.perf_counter(), time.process_time()
            results = nrm.process(curves, out=Path(folder) / "r.h5", threads=threads, block=block)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        ended.set()
        watcher.join()
        digest = hashlib.sha256()
        for name in DIGESTED:
            digest.update(results[name].values.tobytes())
    found = {"wall": wall, "cpu": cpu, "anonymous": max(highest), "peak": status("VmHWM")}
    print(json.dumps({**found, "digest": digest.hexdigest()}))


def run(path: Path, threads: int = 1, block: int | None = None, times: int = 1) -> dict[str, Any]:
    """Process a file in a process of its own."""
    words = [sys.executable, __file__, "--worker", str(path), "--threads", str(threads)]
    words += ["--times", str(times)] + (["--block", str(block)] if block else [])
    begin = time.perf_counter()
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return {**json.loads(text), "process": time.perf_counter() - begin}


def middle(runs: list[dict[str, Any]], key: str) -> float:
    return float(median(found[key] for found in runs))


def bare_seconds(path: Path, threads: int) -> float:
    """Median time of the bare numpy."""
    taken = []
    for _ in range(3):
        begin = time.perf_counter()
        bare(path, threads)
        taken.append(time.perf_counter() - begin)
    return median(taken)


def show_speed(folder: Path, n_curves: int) -> None:
    """Curves per second and memory of whole maps, beside the bound."""
    for kind, settings in KINDS.items():
        path = make_file(folder / "map.h5", n_curves, **settings)
        for threads in sorted({1, 2, os.cpu_count() or 1}):
            bound, found = bare_seconds(path, threads), run(path, threads)
            print(
                f"{kind}, {threads} threads: {n_curves / found['wall']:.0f} curves/s in"
                f" {found['wall']:.1f} s ({found['cpu'] / n_curves * 1e6:.0f} us of processor per"
                f" curve); bare numpy {n_curves / bound:.0f} curves/s; memory: anonymous"
                f" {found['anonymous']:.0f} MB, peak {found['peak']:.0f} MB;"
                f" load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
        path.unlink()


def show_growth(what: str, sizes: list[int], paths: Iterator[Path]) -> None:
    """Fit the processor time of warm calls, and show what the straight line leaves of it."""
    costs = [min(run(path, times=3)["cpu"] for _ in range(2)) for path in paths]
    # Relative residuals count: every size has the same weight.
    slope, start = np.polyfit(sizes, costs, 1, w=1.0 / np.array(costs))
    left = start + slope * np.array(sizes) - costs
    above = np.array(costs) - min(start, 0.9 * min(costs))
    print(f"processor time against {what}:")
    print(" ", ", ".join(f"{n}: {c:.3g} s" for n, c in zip(sizes, costs, strict=True)))
    print(
        f"  line: {start:.3g} s + {slope * 1e6:.3g} us each, residuals"
        f" {', '.join(f'{v:+.0%}' for v in left / costs)};"
        f" beyond the start, size^{np.polyfit(np.log(sizes), np.log(above), 1)[0]:.2f}",
        flush=True,
    )


def report(folder: Path, n_curves: int) -> None:
    """Print everything that is asked of the whole chain."""
    small = make_file(folder / "small.h5", 32)
    run(small)  # compiles, where that has not been done yet
    runs = [run(small) for _ in range(5)]
    print(
        f"32 curves in a fresh process: process {middle(runs, 'wall'):.2f} s,"
        f" with Python and imports {middle(runs, 'process'):.2f} s",
        flush=True,
    )
    show_speed(folder, n_curves)
    part = folder / "part.h5"
    sizes = [2048, 4096, 8192, 16384]
    show_growth("curves of 2048 samples", sizes, (make_file(part, n) for n in sizes))
    sizes = [512, 1024, 2048, 4096, 8192]
    files = (make_file(part, 2048, samples=n, retract=False) for n in sizes)
    show_growth("samples of 2048 curves on a ramp of the same length", sizes, files)
    make_file(part, 2048)
    found = {run(part, *how)["digest"] for how in ((1, None), (2, 7), (4, 64), (2, 2048))}
    print("results of other blocks and threads:", "NOT the same" if len(found) > 1 else "same bits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=65536)
    parser.add_argument("--folder", type=Path, help="for 3 GB of scratch files")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=2, help=argparse.SUPPRESS)
    parser.add_argument("--times", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--block", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        worker(given.worker, given.threads, given.block, given.times)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        report(Path(folder), given.curves)


if __name__ == "__main__":
    main()
