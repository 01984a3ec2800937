"""`nrm report` and `nrm plot` of a large map: processor time, wall time and peak memory.

    python benchmarks/bench_report.py [--curves 65536] [--folder DIR] [--against PYTHON]

Results of a simulated sodiation are tiled with new noise and written once; every command then runs
in a process of its own. ``--against`` names the Python of another environment, whose commands are
run in turn with ours; the last column is their processor time over ours.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import measure as measuring
import numpy as np
import xarray as xr
from measure import Table, command

import nrm_plugin as nrm
from nrm_plugin.potential import Log, with_potential
from nrm_plugin.simulate.sodiation import BEGAN, sodiation

#: Distance between places in m, and depths in m.
PITCH, LAST, STEP = 100e-9, 60e-9, 0.5e-9

#: What is timed: name, arguments before and behind the results' path.
COMMANDS = {
    "report": (["report"], ["report.html"]),
    "plot profiles": (["plot", "--kind", "profiles"], ["profiles.png"]),
    "plot figure4": (["plot", "--kind", "figure4"], ["figure4.png"]),
    "plot map": (["plot", "--kind", "map"], ["map.png"]),
    "plot thickness": (["plot", "--kind", "map", "--variable", "thickness"], ["thickness.png"]),
}


class Cost(NamedTuple):
    """What a command took, in s and MB."""

    processor: float
    wall: float
    memory: float


def simulated() -> xr.Dataset:
    """Results of 400 curves of a sodiation, with their potentials."""
    curves, log, _ = sodiation(seed=20)
    times = BEGAN + (log["time"] * 1e6).round().astype("m8[us]")
    recorded = Log(times, log["potential"], log["current"])
    recipe = nrm.Recipe(depth={"stop": LAST, "step": STEP})
    return nrm.process(with_potential(curves, recorded, clock_offset=0.0), recipe=recipe)


def tiled(few: xr.Dataset, n: int) -> xr.Dataset:
    """Results of `n` curves: those of a few at about the same time, with new noise."""
    rng = np.random.default_rng(0)
    at = np.arange(n) * few.sizes["curve"] // n + rng.integers(-8, 9, n)
    many = few.isel(curve=np.clip(at, 0, few.sizes["curve"] - 1)).copy(deep=True)
    for name, array in many.data_vars.items():
        error = few.get(f"{name}_stderr")
        if error is not None and array.dims == ("curve", "depth"):
            noise = rng.standard_normal(array.shape, np.float32)
            array.values += noise * many[f"{name}_stderr"].values
    row, column = np.divmod(np.arange(n), int(np.sqrt(n)))
    began, ended = (few["start_time"].values[i] for i in (0, -1))
    return many.assign_coords(
        row=("curve", row),
        column=("curve", column),
        x=("curve", PITCH * column),
        y=("curve", PITCH * row),
        start_time=("curve", began + (ended - began) * np.arange(n) // n),
        potential=("curve", np.linspace(2.0, 0.005, n)),
    )


def measured(command: list[str]) -> Cost:
    """Run a command, and say what it took."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, code, usage = os.wait4(process.pid, 0)
    if code:
        raise SystemExit(f"failed: {' '.join(command)}")
    wall = time.perf_counter() - begin
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def measure(table: Table) -> None:
    """Each command on results of 65 536 curves, or of four times the curves of large maps."""
    n = min(65_536, 4 * table.curves)
    if not table.wants(f"report and plot of {n} curves"):
        return
    path = table.folder / "results-of-a-sodiation.h5"
    command(sys.executable, __file__, "--curves", n, "--make", path)
    for name, (words, (out,)) in COMMANDS.items():
        whole = [sys.executable, "-m", "nrm_plugin", "-q", *words, str(path), "--overwrite", "-o"]
        costs = [measured([*whole, str(table.folder / out)]) for _ in range(min(3, table.repeat))]
        processor, wall, memory = (median(column) for column in zip(*costs, strict=True))
        table.row(name, measuring.Cost(wall, processor), note=f"peak {memory:.0f} MB")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--curves", type=int, default=65_536)
    options.add_argument("--folder", type=Path, help="where results are kept for the next time")
    options.add_argument("--against", metavar="PYTHON", help="of another environment")
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--only", choices=COMMANDS, action="append")
    options.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.make:
        nrm.save(tiled(simulated(), given.curves), given.make)
        return
    pythons = [sys.executable] + ([given.against] if given.against else [])
    with tempfile.TemporaryDirectory() as temporary:
        path = (given.folder or Path(temporary)) / f"results-{given.curves}.h5"
        if not path.exists():
            # In a process of its own: what a parent holds counts as its children's memory.
            words = [sys.executable, __file__, "--curves", str(given.curves), "--make", str(path)]
            subprocess.run(words, check=True)
        print(f"{given.curves} curves, {path.stat().st_size / 1e6:.0f} MB of results")
        print(f"{'':16}{'processor (s)':>16}{'wall (s)':>12}{'peak (MB)':>12}{'ratio':>8}")
        for name in given.only or COMMANDS:
            before, (out,) = COMMANDS[name]
            words = ["-m", "nrm_plugin", "-q", *before, str(path), "--overwrite", "-o"]
            taken: dict[str, list[Cost]] = {python: [] for python in pythons}
            for _ in range(given.repeat):
                for python in pythons:
                    taken[python].append(measured([python, *words, str(Path(temporary) / out)]))
            ours = median(cost.processor for cost in taken[sys.executable])
            for python, costs in taken.items():
                processor, wall, memory = (median(column) for column in zip(*costs, strict=True))
                print(
                    f"{name if python == sys.executable else '  against':16}"
                    f"{processor:16.2f}{wall:12.2f}{memory:12.0f}{processor / ours:8.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
