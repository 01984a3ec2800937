"""One curve at a time, as a page shows it: after a click, and after a changed recipe.

``python benchmarks/bench_workbench.py [--curves 65536] [--folder DIR]`` prints the memory besides.
The bound is reading and scaling the curve's own samples with `CurveSet.read`.
"""

from __future__ import annotations

import argparse
import resource
from itertools import count
from pathlib import Path
from typing import Any

from bench_process import make_file
from measure import Table

import nrm_plugin as nrm
from nrm_plugin.decisions import ContactByHand
from nrm_plugin.engine.workbench import Workbench

#: Changes of the recipe: what all curves share stays, its lateral baseline is decided anew, or
#: their contacts are found anew.
CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "another derivative": ("depth", {"step": 0.5e-9}),
    "another half-width": ("derivative", {"half_width": 2e-9}),
    "another window of the wall": ("contact", {"method": "two-line", "wall": 0.3}),
}


def changed(number: int) -> dict[str, nrm.Recipe]:
    """Recipes that were never asked for before."""
    little = 1.0 + 1e-3 * number
    made = {}
    for name, (section, values) in CHANGES.items():
        varied = {k: v * little if isinstance(v, float) else v for k, v in values.items()}
        made[name] = nrm.Recipe().replace(**{section: varied})
    return made


def measure(table: Table) -> None:
    """Single curves of a map whose results are there."""
    n = table.curves
    if not table.wants(f"one curve of {n}, 2048 samples"):
        return
    path, out = table.folder / "looked-at.h5", table.folder / "looked-at-results.h5"
    make_file(path, n)
    nrm.process(path, out=out).close()
    curves, results = nrm.open(path), nrm.open_results(out)
    bench = Workbench(curves, survey=results)
    bench.warm()
    clicks, recipes = count(), count()

    def number() -> int:
        return next(clicks) * 7919 % n

    def read() -> None:
        for name in ("height", "deflection", "lateral_in_phase", "lateral_quadrature"):
            curves.read(name, number())

    def another(name: str) -> None:
        bench.curve(number(), changed(next(recipes))[name])

    table.compare(
        {
            "read its four channels": read,
            "a click": lambda: bench.curve(number()),
            "its contact moved": lambda: bench.curve(number(), contact=ContactByHand(0.0, 1e-9)),
            **{name: lambda name=name: another(name) for name in CHANGES},
            "open curves and results": lambda: Workbench(
                nrm.open(path), survey=nrm.open_results(out)
            ),
            "open, warm up": lambda: Workbench(nrm.open(path), survey=nrm.open_results(out)).warm(),
        }
    )


def main() -> None:
    """Measure a large map, and the memory of this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=65536)
    parser.add_argument("--folder", type=Path, help="for scratch files: 2 GB")
    given = parser.parse_args()
    table = Table((), 5, given.curves, given.folder)
    try:
        measure(table)
    finally:
        table.close()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
