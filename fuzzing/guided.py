"""A process in which atheris guides a campaign by what of our code it reaches.

Started by ``python -m fuzzing``; it ends when its processor time is over, or with an input that
ends the process, which lies in the file ``running`` of the temporary folder.
"""

from __future__ import annotations

import faulthandler
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

import atheris

OURS = ["nrm_plugin", "nrm_importers", "nrm_daq"]

#: How often a change is one of libFuzzer's own instead of ours.
_PLAIN = 0.3

#: Processor time of one input after which the process is ended, s: Python's own limit comes first
#: wherever Python runs.
_SECONDS = 30.0


def main(name: str, seeds: Path, found: Path, seconds: float, options: list[str]) -> None:
    """Run until the processor time is over."""
    # Much is imported when it is first needed: the hook stays until the end.
    atheris.instrument_imports(include=OURS).__enter__()
    from fuzzing.campaigns import Found, changed, keep
    from fuzzing.ceilings import failure_of, limit_address_space, processor_time
    from fuzzing.targets import TARGETS, prepare

    prepare()
    target = TARGETS[name]
    own = [path.read_bytes() for path in sorted(seeds.iterdir())]
    for data in own:
        failure_of(target.run, data)
    limit_address_space()
    known: set[str] = set()
    running = os.open(Path(tempfile.gettempdir()) / "running", os.O_RDWR | os.O_CREAT)

    def run(data: bytes) -> None:
        os.ftruncate(running, 0)
        os.pwrite(running, data, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
        failure = failure_of(target.run, data)
        if failure is not None and failure.signature not in known:
            known.add(failure.signature)
            keep(Found(data, failure), found)
        if processor_time() > seconds:
            os.kill(os.getpid(), signal.SIGUSR1)  # libFuzzer counts what was done, and ends

    def change(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < _PLAIN:
            return bytes(atheris.Mutate(data, most))
        return changed(target, bytes(data), rng, own)[:most]

    atheris.Setup([sys.argv[0], *options], run, custom_mutator=change)
    faulthandler.enable()
    faulthandler.register(signal.SIGVTALRM, chain=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
