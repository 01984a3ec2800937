"""The library in C against the loops that numba compiled, in one run (`pip install numba`).

Prints processor time per curve, medians, on one thread: the contact alone, a block from numbers in
memory to rows of results, and the whole of `process` from a converted file to a results file; and
how far the results differ. ``python benchmarks/compare_with_numba.py [--curves 16384]``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numba_engine
import numpy as np
from bench_process import make_file

import nrm_plugin as nrm
from nrm_plugin.columns import FloatArray
from nrm_plugin.engine import compiled, pipeline
from nrm_plugin.engine.contact import crossing_for
from nrm_plugin.engine.signals import parts, plan, read_raw_block
from nrm_plugin.engine.survey import survey
from nrm_plugin.recipe import Recipe


def processor_time(function: Callable[[], Any]) -> float:
    """Processor time of a call in s, all threads together."""
    begin = time.process_time()
    function()
    return time.process_time() - begin


def compare(
    what: str, theirs: Callable[[], Any], ours: Callable[[], Any], curves: int, times: int
) -> None:
    """Print medians of calls that take turns, after one of each that does not count."""
    theirs()
    ours()
    taken = [(processor_time(theirs), processor_time(ours)) for _ in range(times)]
    old, new = (1e6 * median(one) / curves for one in zip(*taken, strict=True))
    print(f"{what:40} numba {old:6.1f} us, C {new:6.1f} us per curve: {old / new:.2f} times")


def converted(path: Path) -> nrm.CurveSet:
    """Curves of a file whose vendor's file was hashed when it was converted."""
    curves = nrm.open(path)
    return replace(curves, origins=tuple(replace(o, sha256="0" * 64) for o in curves.origins))


def in_memory(path: Path, n_curves: int, times: int) -> None:
    """Compare the contact alone, and a block from its file's numbers to rows."""
    curves, how = plan(converted(path)[:n_curves])
    recipe, ranges = Recipe(), parts(curves, "approach")
    raw = read_raw_block(curves, how, ranges, slice(None), "approach")
    block = raw.gathered()
    shared = survey(block, interference=True, spikes=True)
    crossing = crossing_for(recipe.contact, shared)
    compare(
        "contact",
        lambda: numba_engine.contacts(block, crossing),
        lambda: compiled.reference(block.begin, block.height, block.deflection, crossing),
        n_curves,
        times,
    )
    depth = np.array(recipe.depth.values)
    work = pipeline._Work(
        curves=curves,
        recipe=recipe,
        plan=how,
        depth=depth,
        shape=pipeline.shape_factor(recipe.shape_factor, curves, depth),
    )
    direction = pipeline._Direction(name="approach", ranges=ranges, survey=shared)
    cosine: FloatArray = np.ones(n_curves)
    arguments = direction, cosine, 0, n_curves
    compare(
        "block, from the file to rows",
        lambda: numba_engine.block(work, *arguments),
        lambda: work.block(*arguments),
        n_curves,
        times,
    )


def from_file_to_file(path: Path, n_curves: int, times: int) -> None:
    """Compare all that `process` does."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        names = [Path(folder) / "numba.h5", Path(folder) / "c.h5"]

        def run(out: Path) -> None:
            nrm.process(converted(path), out=out, threads=1).close()

        def theirs() -> None:
            with patch.object(pipeline._Work, "block", numba_engine.block):
                run(names[0])

        what = "process, from a file to a file"
        compare(what, theirs, lambda: run(names[1]), n_curves, times)
        old, new = (nrm.open_results(name).load() for name in names)
        moved = np.nanmax(np.abs(old.contact_height - new.contact_height))
        flags = int((old.quality != new.quality).sum())
        off = np.nanmax(np.abs(new.storage_modulus / old.storage_modulus - 1.0))
        holes = int((np.isnan(old.storage_modulus) != np.isnan(new.storage_modulus)).sum())
        print(f"contacts differ by {moved * 1e9:.1g} nm, moduli by {off:.1g} of their size,")
        print(f"{flags} flags, and {holes} places where there is a value or none")
        old.close()
        new.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=16384)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="for scratch files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = make_file(Path(folder) / "map.h5", options.curves)
        in_memory(path, min(512, options.curves), options.times)
        from_file_to_file(path, options.curves, options.times)


if __name__ == "__main__":
    main()
