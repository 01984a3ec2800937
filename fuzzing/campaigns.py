"""Campaigns on one target: plain ones, always the same, and ones that coverage guides."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

from fuzzing.ceilings import Failure, failure_of
from fuzzing.mutations import mutated
from fuzzing.targets import TARGETS, Target

#: How often checksums are made right again.
_REPAIRED = 0.8


class Found(NamedTuple):
    """A failure and its input."""

    data: bytes
    failure: Failure


def changed(target: Target, data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return a changed input of a target."""
    data = mutated(data, rng, seeds)
    if target.repaired is not None and rng.random() < _REPAIRED:
        data = target.repaired(data)
    return data


def inputs(name: str, seeds: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Seeds, and then changed ones without end; the same for the same `seed`."""
    yield from seeds
    for number in count():
        rng = random.Random(f"{name} {seed} {number}")
        yield changed(TARGETS[name], rng.choice(seeds), rng, seeds)


def run_plain(
    name: str, seeds: Sequence[bytes], *, seed: int, most: int | None = None, seconds: float = 1e9
) -> tuple[int, list[Found]]:
    """Run a number of inputs, or as many as there is time; the executions, and what failed.

    Of several failures with one signature the first counts.
    """
    found: dict[str, Found] = {}
    end = time.monotonic() + seconds
    done = 0
    for data in inputs(name, seeds, seed):
        if done == most or time.monotonic() > end:
            break
        failure = failure_of(TARGETS[name].run, data)
        if failure is not None:
            found.setdefault(failure.signature, Found(data, failure))
        done += 1
    return done, list(found.values())


def keep(found: Found, folder: Path) -> Path:
    """Write an input that failed, and beside it how; the path of the input."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / found.failure.signature
    path.write_bytes(found.data)
    path.with_name(f"{path.name}.txt").write_text(found.failure.report, encoding="utf-8")
    return path
