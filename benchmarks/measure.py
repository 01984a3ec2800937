"""Measures calls in turns and prints one table: wall time, processor time, ratios to a bound."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

Call = Callable[[], Any]

#: A call that is shorter than this, in s, is repeated until it lasts as long.
SHORTEST = 0.02


class Cost(NamedTuple):
    """What a call took in s: by the clock, and of processors, ended children among them."""

    wall: float
    processor: float


def processor_time() -> float:
    """Processor time of this process so far and of its children that have ended, in s."""
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def cost(call: Call, times: int = 1) -> Cost:
    """Cost of one call, as the mean of some in a row."""
    processor, wall = processor_time(), time.perf_counter()
    for _ in range(times):
        call()
    wall, processor = time.perf_counter() - wall, processor_time() - processor
    return Cost(wall / times, processor / times)


def command(*words: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a command that must not fail."""
    done = subprocess.run([*map(str, words)], capture_output=True, check=False, **options)
    if done.returncode:
        shown = " ".join(map(str, words[:8]))
        raise SystemExit(f"failed: {shown} ...\n{done.stderr.decode(errors='replace')}")
    return done


class Table:
    """Prints what is measured, row after row.

    Parameters
    ----------
    words : sequence of str
        Only groups whose title has one of these are measured; all if there are none.
    repeat : int
        How often each call is measured, in turns with the others of its group.
    curves : int
        Of large maps.
    folder : Path, optional
        For scratch files.
    """

    def __init__(
        self, words: Sequence[str], repeat: int, curves: int, folder: Path | None = None
    ) -> None:
        self.words, self.repeat, self.curves = words, repeat, curves
        self._scratch = tempfile.TemporaryDirectory(dir=folder)
        self.folder = Path(self._scratch.name)
        print(f"| {'':44} | {'wall':>9} | {'processor':>9} | {'x wall':>7} | {'x proc.':>7} | |")
        print(f"| {'-' * 44} | {'--------:':>9} | {'--------:':>9} | -----: | -----: | --- |")

    def close(self) -> None:
        """Remove the scratch files."""
        self._scratch.cleanup()

    def wants(self, title: str) -> bool:
        """Whether a group is asked for; its title is printed then."""
        wanted = not self.words or any(word in title for word in self.words)
        if wanted:
            self._line(f"**{title}**")
        return wanted

    def compare(
        self, calls: Mapping[str, Call], *, note: Callable[[Cost], str] = lambda _: ""
    ) -> dict[str, Cost]:
        """Measure calls in turns, after one of each that does not count; the first is the bound.

        A call whose module is not installed is skipped, and the table says so.
        """
        times: dict[str, int] = {}
        for name, call in calls.items():
            try:
                call()
                times[name] = max(1, round(SHORTEST / max(cost(call).wall, 1e-6)))
            except ImportError as error:
                self.skipped(name, f"not installed: {error.name}")
        taken: dict[str, list[Cost]] = {name: [] for name in times}
        for _ in range(self.repeat):
            for name, count in times.items():
                taken[name].append(cost(calls[name], count))
        costs = {name: _middle(of) for name, of in taken.items()}
        bound = next(iter(costs.values()), None)
        for name, one in costs.items():
            self.row(name, one, bound, note(one))
        return costs

    def growth(self, what: str, calls: Mapping[int, Call]) -> None:
        """Measure calls of several sizes, and fit how processor time grows beyond its start."""
        costs = self.compare({f"{size} {what}": call for size, call in calls.items()})
        sizes = np.array(list(calls), float)
        taken = np.array([one.processor for one in costs.values()])
        # Relative residuals count: every size has the same weight.
        slope, start = np.polyfit(sizes, taken, 1, w=1.0 / taken)
        start = min(max(start, 0.0), 0.9 * taken.min())
        power = np.polyfit(np.log(sizes), np.log(taken - start), 1)[0]
        left = (start + slope * sizes) / taken - 1.0
        self._line(
            f"processor ~ {start * 1e3:.0f} ms + {slope * 1e6:.3g} us each",
            note=f"{what}^{power:.2f} beyond the start; line off by at most {abs(left).max():.0%}",
        )

    def row(self, name: str, one: Cost, bound: Cost | None = None, note: str = "") -> None:
        """Print what was measured otherwise, beside its bound."""
        ratios = [f"{a / b:.2f}" if b else "" for a, b in zip(one, bound or (0, 0), strict=True)]
        self._line(f"  {name}", *map(_shown, one), *ratios, note=note)

    def say(self, text: str) -> None:
        """Print a sentence below the rows that it is about."""
        self._line("", note=text)

    def skipped(self, name: str, why: str) -> None:
        """Say what was not measured."""
        self._line(f"  {name}", note=f"SKIPPED: {why}")

    def _line(self, name: str, *cells: str, note: str = "") -> None:
        widths = zip([*cells, "", "", "", ""], (9, 9, 7, 7), strict=False)
        print(f"| {name:44} | {' | '.join(f'{c:>{w}}' for c, w in widths)} | {note} |", flush=True)


def _middle(costs: Sequence[Cost]) -> Cost:
    return Cost(*map(median, zip(*costs, strict=True)))


def _shown(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"


def rate(amount: float, unit: str) -> Callable[[Cost], str]:
    """Note on a row: how much per second of the clock."""
    return lambda one: f"{amount / one.wall:.3g} {unit}/s"


def threads() -> list[int]:
    """Numbers of threads that are tried: 1, 2, and as many as there are processors."""
    return sorted({1, 2, os.cpu_count() or 1})
