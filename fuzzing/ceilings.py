"""One input within bounds of time and memory, and what it ended in."""

from __future__ import annotations

import os
import re
import resource
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from fuzzing import ROOT
from nrm_plugin.errors import NrmError

#: Processor time of one input, s, and how far it may raise the memory in use, MB.
SECONDS = 10.0
MEGABYTES = 500

#: What may be reserved beside the memory at the start, MB, used or not.
_RESERVED = 3000


class Exceeded(BaseException):
    """An input took too long or too much; no reader may catch it."""


class Failure(NamedTuple):
    """An input that ended in neither nothing nor a named error.

    Attributes
    ----------
    signature : str
        The kind of exception and the last place of ours: the same for the same fault, mostly.
    report : str
        With the traceback.
    """

    signature: str
    report: str


def processor_time() -> float:
    """Processor time of this process, and of those that it started and that have ended, s."""
    return sum(os.times()[:4])


def limit_address_space() -> None:
    """Have this process refuse enormous arrays from now on, whether they are filled or not."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + _RESERVED * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


@contextmanager
def ceilings(seconds: float = SECONDS, megabytes: float = MEGABYTES) -> Iterator[None]:
    """Raise `Exceeded` in the block where it takes too long, behind it if it took too much."""
    before = _peak()
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        grown = _peak() - before
        if grown > megabytes:
            _forget_peak()
    if grown > megabytes:
        raise Exceeded(f"memory: {grown:.0f} MB")


def failure_of(run: Callable[[bytes], None], data: bytes) -> Failure | None:
    """Run one input; None where it ends in nothing or in one of our errors."""
    try:
        with ceilings():
            run(data)
    except NrmError:
        return None
    except (Exception, Exceeded) as error:
        return _described(error)
    return None


def _too_long(number: int, frame: FrameType | None) -> None:
    raise Exceeded("time: more than the ceiling")


def _peak() -> float:
    """Most memory that was in use so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _described(error: BaseException) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if Path(f.filename).is_relative_to(ROOT)]
    ours = [f for f in ours if "fuzzing" not in f.filename or ".venv" in f.filename] or ours
    at = ours[-1] if ours else frames[-1]
    kind = type(error).__name__
    what = str(error).partition(":")[0] if isinstance(error, Exceeded) else ""
    signature = re.sub(r"\W+", "-", f"{kind} {what} {Path(at.filename).stem} {at.name}").strip("-")
    return Failure(signature, "".join(traceback.format_exception(error)))
