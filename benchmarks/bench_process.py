"""The whole chain, from a common file in the page cache to a file of results.

Run by hand, it processes whole maps in processes of their own and prints speed and memory:
``python benchmarks/bench_process.py [--curves 65536] [--folder DIR]``. The speed stands beside a
bound: reading and scaling the same bytes with numpy on as many threads, and writing as many as the
results have.
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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from measure import Table, cost, rate, threads

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


class Bare:
    """Reads a file's four signals and scales them, and writes as many bytes as results have.

    On some threads, with arrays that are there and a checksum of all bytes: no chain can be faster.
    """

    PIECE = 1 << 18  # values that are read at once

    def __init__(self, path: Path, threads: int, out: Path, to_write: int) -> None:
        with h5py.File(path) as file:
            group = file["entry/curves"]
            self.places = [
                (data.id.get_offset(), data.dtype, data.size, data.attrs["scale_factor"])
                for data in (group[name] for name in SIGNALS)
            ]
        self.tasks = [(place, at) for place in self.places for at in range(0, place[2], self.PIECE)]
        self.path, self.out, self.threads = path, out, threads
        self.to_write = to_write // len(self.tasks)
        assert self.to_write <= 8 * self.PIECE
        self.own = threading.local()

    def __call__(self) -> None:
        source = os.open(self.path, os.O_RDONLY)
        target = os.open(self.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

        def work(number: int) -> None:
            (offset, dtype, size, gain), at = self.tasks[number]
            raw, scaled = self._buffers(dtype)
            count = min(self.PIECE, size - at)
            os.preadv(source, [raw[:count].data], offset + at * dtype.itemsize)
            hashlib.sha256(raw[:count].data)
            np.multiply(raw[:count], gain, out=scaled[:count])
            some = scaled.view("u1")[: self.to_write].data
            os.pwrite(target, some, number * self.to_write)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(work, range(len(self.tasks))))
        os.close(source)
        os.close(target)

    def _buffers(self, dtype: np.dtype[Any]) -> tuple[np.ndarray, np.ndarray]:
        if not hasattr(self.own, "raw"):
            self.own.raw, self.own.scaled = np.empty(self.PIECE, dtype), np.empty(self.PIECE)
        return self.own.raw, self.own.scaled


#: What is processed: the large map, dense and sparse ramps, other numbers; curves as a part of it.
KINDS: dict[str, tuple[float, dict[str, Any]]] = {
    "int16, 2048 samples": (1.0, {}),
    "float32, 2048 samples": (0.25, {"dtype": "<f4"}),
    "int16, approach only": (0.25, {"retract": False}),
    "dense ramps, 32768 samples": (1 / 128, {"samples": 32768}),
    "sparse ramps, 256 samples": (1.0, {"samples": 256}),
}


def measure(table: Table) -> None:
    """Maps from a converted file to a file of results, beside the bound; and how they grow."""
    path, out = table.folder / "map.h5", table.folder / "results.h5"

    def processed(file: Path, count: int = 1) -> Callable[[], None]:
        return lambda: nrm.process(file, out=out, threads=count).close()

    for kind, (part, settings) in KINDS.items():
        n = max(32, round(table.curves * part))
        if table.wants(f"process {n} curves, {kind}"):
            make_file(path, n, **settings)
            processed(path)()
            size, made = out.stat().st_size, table.folder / "bare"
            table.compare(
                {
                    "bare numpy: read, hash, scale, write": Bare(path, 1, made, size),
                    "process, one thread": processed(path),
                },
                note=rate(n, "curves"),
            )
    n = max(512, table.curves // 4)
    if table.wants("grows with threads"):
        make_file(path, n)
        counts = threads()
        one, *others = table.compare(
            {f"threads: {count}, {n} curves": processed(path, count) for count in counts},
            note=rate(n, "curves"),
        ).values()
        for count, other in zip(counts[1:], others, strict=True):
            power = np.log(one.wall / other.wall) / np.log(count)
            table.say(f"on {count} threads speed ~ threads^{power:.2f}")
    if table.wants("grows with curves"):
        files = {k: make_file(table.folder / f"n{k}.h5", k) for k in (n // 8, n // 4, n // 2, n)}
        table.growth("curves", {k: processed(file) for k, file in files.items()})
    if table.wants("grows with samples"):
        sizes = (512, 1024, 2048, 4096, 8192)
        files = {
            k: make_file(table.folder / f"s{k}.h5", n // 8, samples=k, retract=False) for k in sizes
        }
        table.growth("samples", {k: processed(file) for k, file in files.items()})


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
            written = (Path(folder) / "r.h5").stat().st_size
        ended.set()
        watcher.join()
        digest = hashlib.sha256()
        for name in DIGESTED:
            digest.update(results[name].values.tobytes())
    found = {"wall": wall, "cpu": cpu, "anonymous": max(highest), "peak": status("VmHWM")}
    found["written"] = written
    print(json.dumps({**found, "digest": digest.hexdigest()}))


def run(path: Path, threads: int = 1, block: int | None = None, times: int = 1) -> dict[str, Any]:
    """Process a file in a process of its own."""
    words = [sys.executable, __file__, "--worker", str(path), "--threads", str(threads)]
    words += ["--times", str(times)] + (["--block", str(block)] if block else [])
    begin = time.perf_counter()
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return {**json.loads(text), "process": time.perf_counter() - begin}


def show_speed(folder: Path, whole: int) -> None:
    """Curves per second and memory of whole maps, beside the bound."""
    for kind, (part, settings) in KINDS.items():
        n_curves = round(whole * part)
        path = make_file(folder / "map.h5", n_curves, **settings)
        for count in threads():
            found = run(path, count)
            bound = cost(Bare(path, count, folder / "bare", found["written"])).wall
            print(
                f"{kind}, {count} threads: {n_curves / found['wall']:.0f} curves/s in"
                f" {found['wall']:.1f} s ({found['cpu'] / n_curves * 1e6:.0f} us of processor per"
                f" curve); bare numpy {n_curves / bound:.0f} curves/s; memory: anonymous"
                f" {found['anonymous']:.0f} MB, peak {found['peak']:.0f} MB;"
                f" load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
        path.unlink()


def report(folder: Path, n_curves: int) -> None:
    """Print speed and memory of whole maps, each in a process of its own."""
    show_speed(folder, n_curves)
    part = make_file(folder / "part.h5", 2048)
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
