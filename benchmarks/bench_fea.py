"""Finite elements: one depth, a calibration, and the same tip in three dimensions (NGSolve).

    python benchmarks/bench_fea.py [repetitions]

prints errors beside times, ratios of medians (of 5), what threads do to the factorisation, and
what the table costs. The reference is the tip of 10 nm at 50 nm in a layer of 100 nm.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from measure import Table
from threadpoolctl import threadpool_limits

from nrm_plugin.fea import Layer, Tip, lateral_force, shape_factor
from nrm_plugin.fea.pool import cores, one_thread
from nrm_plugin.fea.problem import Numerics, at_depth, stiffness

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from test_fea_three_dimensions import stiffness_in_three_dimensions

NM = 1e-9
TIP, DEPTH = Tip(10 * NM), 50 * NM
LAYER = Layer(100 * NM, 1e6, 0.49, 400 * NM)
WIDE = Layer(100 * NM, 1e6, 0.49, 1000 * NM)
#: Elements of this fineness give the force to 0.03 %, as the mesh in three dimensions does.
FINENESS = 0.7
#: A calibration: the forces from near the surface to near the electrode.
DEPTHS = np.linspace(5.0, 95.0, 19) * NM


def in_nm(found: complex) -> float:
    """F/(E A) in nm of a stiffness in N/m."""
    return found.real / 1e6 / NM


def one_depth(fineness: float) -> float:
    with one_thread():
        return in_nm(stiffness(TIP, LAYER, DEPTH, Numerics(fineness)))


def calibration(workers: int) -> None:
    lateral_force(TIP, WIDE, DEPTHS, NM, workers=workers)


def three_dimensions() -> float:
    """F/(E A) in nm; NGSolve is looked for first."""
    import ngsolve  # noqa: F401

    return stiffness_in_three_dimensions()


def measure(table: Table) -> None:
    """One depth in two and three dimensions, a calibration, the shape factor."""
    if table.wants("lateral force at one depth, to 0.03 %"):
        table.compare({"half plane": lambda: one_depth(FINENESS), "NGSolve": three_dimensions})
    if table.wants("lateral force at 19 depths"):
        table.compare({f"{n} processes at most": partial(calibration, n) for n in (1, 2)})
    if table.wants("shape factor"):
        table.compare(
            {
                "from the table": lambda: shape_factor(TIP, WIDE, table=True, workers=1),
                "solved": lambda: shape_factor(TIP, WIDE, workers=1),
            }
        )


# By hand


def median(call: Callable[[], object], repetitions: int) -> float:
    """Seconds that a call takes."""
    times = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def in_two_dimensions(repetitions: int) -> tuple[float, float]:
    """Print errors against a fine solution, and times; return the reference and our time."""
    reference = one_depth(4.0)
    print(f"one depth: F/(E A) = {reference:.4f} nm with very small elements")
    took = 0.0
    for fineness in (0.5, FINENESS, 1.0, 1.5):
        error = one_depth(fineness) / reference - 1.0
        solved = at_depth(TIP, LAYER, DEPTH, Numerics(fineness))
        unknowns = 3 * solved.space.n_nodes + solved.space.n_corners
        seconds = median(lambda: one_depth(fineness), repetitions)  # noqa: B023
        print(f"  fineness {fineness}: {unknowns} unknowns, {1e2 * error:+.4f} %, {seconds:.3f} s")
        took = seconds if fineness == FINENESS else took
    return reference, took


def in_three_dimensions(reference: float, ours: float, repetitions: int) -> None:
    try:
        import ngsolve
    except ImportError:
        print("three dimensions: NGSolve is not installed")
        return
    found: list[float] = []
    seconds = median(lambda: found.append(stiffness_in_three_dimensions()), repetitions)
    error = 1e2 * (found[0] / reference - 1.0)
    print(
        f"three dimensions, NGSolve {ngsolve.__version__}, {cores()} threads: {error:+.4f} %, "
        f"{seconds:.1f} s, {seconds / ours:.0f} times as long"
    )


def threads(repetitions: int) -> None:
    """Print what threads of linear algebra cost or save."""

    def solve() -> None:
        stiffness(TIP, LAYER, DEPTH, Numerics(FINENESS))

    rows = {}
    for count in (1, cores()):
        with threadpool_limits(count, user_api="blas"):
            rows[count] = median(solve, repetitions)
    alone, many = rows[1], rows[cores()]
    print(f"{cores()} threads of linear algebra: {many / alone:.2f} times as long as one")


def main(repetitions: int) -> None:
    reference, ours = in_two_dimensions(repetitions)
    threads(repetitions)
    for workers in (1, 2):
        seconds = median(lambda: calibration(workers), repetitions)  # noqa: B023
        print(f"19 depths, at most {workers} processes (started where they pay): {seconds:.2f} s")
    solved = median(lambda: shape_factor(TIP, WIDE, workers=1), repetitions)
    shape_factor(TIP, WIDE, table=True)
    looked_up = median(lambda: shape_factor(TIP, WIDE, table=True), repetitions)
    print(
        f"shape factor, curve and constant: {solved:.2f} s solved by one process, "
        f"{1e3 * looked_up:.1f} ms from the table"
    )
    in_three_dimensions(reference, ours, repetitions)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
