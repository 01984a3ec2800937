"""The library in C against the loops that numba compiled, in one run (`pip install numba`).

The contact alone, a block from numbers in memory to rows of results, and the whole of `process`
from a converted file to a results file, on one thread; and how far the results differ:
``python benchmarks/run.py numba``
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numba_engine
import numpy as np
from bench_process import make_file
from measure import Table, rate

import nrm_plugin as nrm
from nrm_plugin.columns import FloatArray
from nrm_plugin.engine import chain, compiled, pipeline
from nrm_plugin.engine.contact import crossing_for
from nrm_plugin.engine.shape_factor import shape_factor
from nrm_plugin.engine.signals import parts, plan, read_raw_block
from nrm_plugin.engine.survey import survey
from nrm_plugin.recipe import Recipe


def compare(
    table: Table, what: str, theirs: Callable[[], Any], ours: Callable[[], Any], curves: int
) -> None:
    """Measure both in turns."""
    costs = table.compare(
        {f"{what}: numba": theirs, f"{what}: C": ours}, note=rate(curves, "curves")
    )
    old, new = (1e6 * one.processor / curves for one in costs.values())
    table.say(f"numba {old:.1f} us, C {new:.1f} us of processor per curve: {old / new:.2f} times")


def converted(path: Path) -> nrm.CurveSet:
    """Curves of a file whose vendor's file was hashed when it was converted."""
    curves = nrm.open(path)
    return replace(curves, origins=tuple(replace(o, sha256="0" * 64) for o in curves.origins))


def in_memory(table: Table, path: Path, n_curves: int) -> None:
    """Compare the contact alone, and a block from its file's numbers to rows."""
    curves, how = plan(converted(path)[:n_curves])
    recipe, ranges = Recipe(), parts(curves, "approach")
    raw = read_raw_block(curves, how, ranges, slice(None), "approach")
    block = raw.gathered()
    shared = survey(block, interference=True, spikes=True)
    crossing = crossing_for(recipe.contact, shared)
    compare(
        table,
        "contact",
        lambda: numba_engine.contacts(block, crossing),
        lambda: compiled.reference(block.begin, block.height, block.deflection, crossing),
        n_curves,
    )
    depth = np.array(recipe.depth.values)
    work = chain.Chain(
        curves=curves,
        recipe=recipe,
        plan=how,
        depth=depth,
        shape=shape_factor(recipe.shape_factor, curves, depth),
    )
    direction = chain.SurveyedDirection(name="approach", ranges=ranges, survey=shared)
    cosine: FloatArray = np.ones(n_curves)
    arguments = direction, cosine, 0, n_curves
    compare(
        table,
        "block, from the file to rows",
        lambda: numba_engine.block(work, *arguments),
        lambda: work.block(*arguments),
        n_curves,
    )


def stored(work: Any, *arguments: Any) -> dict[str, Any]:
    """What numba's loops find, as far as results files store it; ours find and store more."""
    made, names = numba_engine.block(work, *arguments), work.variables
    return {name: values for name, values in made.items() if name in names}


def from_file_to_file(table: Table, path: Path, n_curves: int) -> None:
    """Compare all that `nrm process` does."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        names = [Path(folder) / "numba.h5", Path(folder) / "c.h5"]

        def run(out: Path) -> None:
            pipeline.run(converted(path), Recipe(), out, threads=1)

        def theirs() -> None:
            with patch.object(chain.Chain, "block", stored):
                run(names[0])

        what = "process, from a file to a file"
        compare(table, what, theirs, lambda: run(names[1]), n_curves)
        old, new = (nrm.open_results(name).load() for name in names)
        moved = np.nanmax(np.abs(old.contact_height - new.contact_height))
        flags = int((old.quality != new.quality).sum())
        off = np.nanmax(np.abs(new.storage_modulus / old.storage_modulus - 1.0))
        holes = int((np.isnan(old.storage_modulus) != np.isnan(new.storage_modulus)).sum())
        table.say(f"contacts differ by {moved * 1e9:.1g} nm, moduli by {off:.1g} of their size,")
        table.say(f"{flags} flags, and {holes} places where there is a value or none")
        old.close()
        new.close()


def measure(table: Table) -> None:
    """Contact, block, and the whole, on one thread."""
    if table.wants("the library in C against numba"):
        path = make_file(table.folder / "numba.h5", table.curves)
        in_memory(table, path, min(512, table.curves))
        from_file_to_file(table, path, table.curves)
