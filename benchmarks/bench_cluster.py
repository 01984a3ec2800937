"""Throughput and memory on a Dask cluster of this computer: many small files, and a large one.

    python benchmarks/bench_cluster.py --files 1000 --gigabytes 1

Runs ``nrm process`` in one process, with ``--jobs`` and on one and two workers, and states files
and curves per second, the processor time of workers, and the largest memory of each worker.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_process import make_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from dask_cluster import DaskCluster, dask_cluster

NRM = [sys.executable, "-m", "nrm_plugin"]


def memory(process: int) -> float:
    """Largest resident memory of a process so far, in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def processor(process: int) -> float:
    """Processor time of a process so far, in s."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100.0


def timed(words: list[str], what: str, count: int, unit: str, cluster: DaskCluster | None) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = [processor(worker.pid) for worker in cluster.workers] if cluster else []
    start = time.perf_counter()
    done = subprocess.run([*NRM, *words], capture_output=True, text=True, check=False)
    wall = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    line = f"{what}: {wall:.1f} s, {count / wall:.0f} {unit}/s; processor {own:.1f} s here"
    if cluster:
        workers = [
            f"{processor(w.pid) - b:.1f}" for w, b in zip(cluster.workers, begun, strict=True)
        ]
        peaks = ", ".join(f"{memory(w.pid):.0f}" for w in cluster.workers)
        line += f", {', '.join(workers)} s in workers; largest memory of each {peaks} MB"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--curves", type=int, default=16, help="in each small file")
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
        folder = Path(scratch)
        small = folder / "small"
        small.mkdir()
        first = make_file(small / "map0.h5", given.curves)
        for number in range(1, given.files):
            shutil.copy(first, small / f"map{number}.h5")
        n_curves = round(given.gigabytes * 1e9 / 2048 / 8)
        large = make_file(folder / "large.h5", n_curves)
        size = large.stat().st_size / 1e9
        print(f"{given.files} files of {given.curves} curves; {n_curves} curves, {size:.2f} GB")
        many = ["process", str(small), "-o", f"{folder}/o/", "--overwrite"]
        one = ["process", str(large), "-o", f"{folder}/o.h5", "--overwrite"]
        for workers in (2, 1):
            with dask_cluster(folder, workers) as cluster:
                there = ["--scheduler", cluster.address]
                about = f"{workers} worker{'s' if workers > 1 else ''}"
                timed([*many, *there], f"small files, {about}", given.files, "files", cluster)
                timed([*one, *there], f"large file, {about}", n_curves, "curves", cluster)
        for jobs in (2, 1):
            words = ["--jobs", str(jobs)]
            timed([*many, *words], f"small files, --jobs {jobs}", given.files, "files", None)
            timed([*one, *words], f"large file, --jobs {jobs}", n_curves, "curves", None)


if __name__ == "__main__":
    main()
