"""Many small files: one command line, and what one more file costs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable

from bench_process import make_file
from measure import Table, command, rate

MOST = 200


def measure(table: Table) -> None:
    """Two hundred files of 32 curves, and how processor time grows with the files."""
    if not table.wants("200 files of 32 curves"):
        return
    folder = table.folder / "files"
    folder.mkdir()
    first = make_file(folder / "000.h5", 32)
    files = [first, *(folder / f"{i:03d}.h5" for i in range(1, MOST))]
    for path in files[1:]:
        shutil.copyfile(first, path)
    results = table.folder / "results"
    nrm = [sys.executable, "-m", "nrm_plugin", "-q"]

    def copied() -> None:
        for path in files:
            shutil.copyfile(path, results / path.name)

    def processed(count: int) -> Callable[[], object]:
        words = [*nrm, "process", *files[:count], "-o", results, "--overwrite"]
        return lambda: command(*words)

    def converted() -> None:
        command(*nrm, "convert", *files, "-o", table.folder / "converted", "--overwrite")

    results.mkdir()
    (table.folder / "converted").mkdir()
    bytes_ = MOST * first.stat().st_size
    table.compare({"copies of the files": copied}, note=rate(bytes_ / 1e6, "MB"))
    table.compare(
        {"nrm process": processed(MOST), "nrm convert": converted}, note=rate(MOST, "files")
    )
    table.growth("files", {n: processed(n) for n in (25, 50, 100, MOST)})
