"""A process in which atheris guides a campaign by what of our code it reaches.

Started by ``python -m fuzzing``; libFuzzer ends it.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import atheris

OURS = ["nrm_plugin", "nrm_importers", "nrm_daq"]

#: How often a change is one of libFuzzer's own instead of ours.
_PLAIN = 0.3


def main(name: str, seeds: Path, found: Path, options: list[str]) -> None:
    """Run until libFuzzer's time is over."""
    # Much is imported when it is first needed: the hook stays until the end.
    atheris.instrument_imports(include=OURS).__enter__()
    from fuzzing.campaigns import Found, changed, keep
    from fuzzing.ceilings import failure_of, limit_address_space
    from fuzzing.targets import TARGETS, prepare

    prepare()
    target = TARGETS[name]
    own = [path.read_bytes() for path in sorted(seeds.iterdir())]
    for data in own:
        failure_of(target.run, data)
    limit_address_space()
    known: set[str] = set()

    def run(data: bytes) -> None:
        failure = failure_of(target.run, data)
        if failure is not None and failure.signature not in known:
            known.add(failure.signature)
            keep(Found(data, failure), found)

    def change(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < _PLAIN:
            return bytes(atheris.Mutate(data, most))
        return changed(target, bytes(data), rng, own)[:most]

    atheris.Setup([sys.argv[0], *options], run, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
