"""All benchmarks as one table: ``python benchmarks/run.py [WORD ...]``.

README.md says how to read it.

With words, only groups whose titles have one of them: ``python benchmarks/run.py read contact``.
"""

from __future__ import annotations

import argparse
import os
import platform
from importlib import import_module
from pathlib import Path

from measure import Table

#: Modules with a function ``measure(table)``, in the order of the table: the report first, since
#: the memory that this process holds would count as its commands'.
MODULES = (
    "bench_report",
    "bench_viewer",
    "bench_answers",
    "bench_start",
    "bench_reading",
    "bench_gwyddion",
    "bench_process",
    "bench_workbench",
    "bench_files",
    "bench_contact",
    "compare_with_numba",
    "bench_statistics",
    "bench_fea",
    "bench_acquire",
    "bench_lockin",
)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="of the titles of groups")
    parser.add_argument("--repeat", type=int, default=5, help="of each measurement (5)")
    parser.add_argument("--curves", type=int, default=16384, help="of large maps (16384)")
    parser.add_argument("--folder", type=Path, help="for scratch files: 3 GB, or more")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} processors")
    print(f"load {load:.1f} at the start; medians of {given.repeat}, in turns within each group\n")
    table = Table(given.words, given.repeat, given.curves, given.folder)
    try:
        for name in MODULES:
            try:
                module = import_module(name)
            except ImportError as error:
                table.skipped(name, f"not installed: {error.name}")
                continue
            module.measure(table)
    finally:
        table.close()
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
