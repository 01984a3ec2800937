"""How often intervals of means hold the truth.

    python benchmarks/coverage_of_means.py [N] [SEED]

N maps (300) of every kind of `map_campaigns.CASES` with 32 x 32 and 16 x 16 curves, and N times few
curves of lognormal values. Prints a table as the page on statistics has it: coverage, what is
promised, and coverage if all curves counted as independent.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from map_campaigns import CASES, coverage_of, few_lognormal


def main(repetitions: int, seed: int) -> None:
    print("| map | 32 x 32 | 16 x 16 | promised, 32 x 32 | all curves taken as independent |")
    print("| --- | --- | --- | --- | --- |")
    for case in CASES:
        large, small = (coverage_of(case, side, repetitions, seed) for side in (32, 16))
        print(
            f"| {case.name} | {large.held:.2f} | {small.held:.2f} | {case.least:.2f} "
            f"| {large.naive:.2f} |",
            flush=True,
        )
    for n in (5, 7, 10, 14, 20):
        held, warned = few_lognormal(n, 1.2, repetitions, seed)
        print(f"{n} curves of lognormal 1.2: {held:.2f}, warned in {warned:.2f}", flush=True)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    main(*(numbers + [300, 1][len(numbers) :]))
