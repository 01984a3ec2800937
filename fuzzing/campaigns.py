"""Campaigns on one target: plain ones, always the same, and ones that coverage guides."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import NamedTuple

from fuzzing import ROOT
from fuzzing.ceilings import Failure, failure_of, limit_address_space, processor_time
from fuzzing.mutations import mutated
from fuzzing.targets import TARGETS, Target

#: Seeds, what campaigns collected, and what failed.
HOME = ROOT / ".fuzzing"

#: How often checksums are made right again.
_REPAIRED = 0.8

#: A process with atheris is started for so much processor time at least, s.
_WORTH_A_START = 2.0


class Found(NamedTuple):
    """A failure and its input."""

    data: bytes
    failure: Failure


class Campaign(NamedTuple):
    """What became of a campaign.

    Attributes
    ----------
    executions : int
    processor : float
        Processor time, s; with that of the processes that were started.
    edges : int
        Branches of our code that were reached; 0 where they were not counted.
    failed : int
        Inputs that failed, one of each kind.
    """

    executions: int
    processor: float
    edges: int
    failed: int


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
    """Run a number of inputs, or as many as there is processor time for; how many, what failed.

    Of several failures with one signature the first counts.
    """
    found: dict[str, Found] = {}
    end = processor_time() + seconds
    done = 0
    for data in inputs(name, seeds, seed):
        if done == most or processor_time() > end:
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


def plain(name: str, seeds: Path, seconds: float, seed: int) -> Campaign:
    """Run a plain campaign for some processor time."""
    limit_address_space()
    own = [path.read_bytes() for path in sorted(seeds.iterdir())]
    begin = processor_time()
    done, found = run_plain(name, own, seed=seed, seconds=seconds)
    used = processor_time() - begin
    for one in found:
        keep(one, HOME / "found" / name)
    return Campaign(done, used, 0, len(found))


def guided(name: str, seeds: Path, seconds: float, seed: int) -> Campaign:
    """Run processes with atheris for some processor time; one that dies is followed by another."""
    corpus, found = HOME / "corpus" / name, HOME / "found" / name
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    longest = max(path.stat().st_size for path in seeds.iterdir())
    begin = processor_time()
    done = edges = 0
    while (left := seconds - (processor_time() - begin)) > _WORTH_A_START:
        options = [
            *(str(corpus), str(seeds), f"-seed={seed}", f"-max_len={2 * longest + 1000}"),
            # Time and signals are ours: by the clock, a busy machine is a slow input.
            *("-len_control=0", "-timeout=100000", "-report_slow_units=1000000", "-handle_segv=0"),
            *("-handle_bus=0", "-handle_abrt=0", "-handle_ill=0", "-handle_fpe=0"),
            *("-rss_limit_mb=6000", "-print_final_stats=1", "-close_fd_mask=1"),
            f"-artifact_prefix={tempfile.gettempdir()}/",
        ]
        command = [sys.executable, "-m", "fuzzing.guided", name, str(seeds), str(found)]
        command += [f"{left:.1f}", *options]
        ran = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, check=False)
        said = ran.stderr.decode("utf-8", "replace")
        counted = re.findall(r"number_of_executed_units: (\d+)", said)
        counted = counted or re.findall(r"#(\d+)\t", said)
        running = _running()
        if not counted and not running.exists():
            raise RuntimeError(f"the process ended at once:\n{said[-2000:]}")
        done += int(counted[-1]) if counted else 1
        edges = max([edges, *map(int, re.findall(r"cov: (\d+)", said))])
        if ran.returncode:
            how = signal.Signals(-ran.returncode).name if ran.returncode < 0 else "ended"
            data = running.read_bytes()
            signature = f"{how}-{sha256(data).hexdigest()[:12]}"
            keep(Found(data, Failure(signature, said[-20000:])), found)
        seed += 1000  # not what the first process has done already
    new = {path for path in found.iterdir() if path.suffix != ".txt"} - before
    return Campaign(done, processor_time() - begin, edges, len(new))


def _running() -> Path:
    """Where the input lies that a process with atheris is at."""
    return Path(tempfile.gettempdir()) / "running"
