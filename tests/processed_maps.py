"""Small maps of simulated curves and their results, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import nrm_plugin as nrm
from nrm_plugin import simulate as sim

ROWS, COLUMNS = 3, 4
N = ROWS * COLUMNS


def processed_map(
    folder: Path, *, grid: bool = True, visits: int = 1, upwards: bool = True
) -> Path:
    """Make results of both ways of the ramp, and beside them ``curves.h5``.

    Places are ramped `visits` times; of each visit, the first six curves are at 1.2 V.
    """
    layers = sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j)
    total = N * visits
    curves, _ = sim.simulate(
        sim.Sample(sim.Interphase(layers, force=3e-9)),
        sim.Instrument(),
        sim.Ramp(),
        n_curves=total,
        seed=11,
    )
    number = np.arange(total) % N
    row, column = number // COLUMNS, number % COLUMNS
    table = {name: curves.curve_table[name] for name in curves.curve_table}
    table |= {
        "x": column * 1e-7,
        "y": (row if upwards else -row) * 2e-7,
        "row": row if grid else np.full(total, -1),
        "column": column if grid else np.full(total, -1),
        "start_time": np.arange(total, dtype=np.float64),
        "potential": np.where(number < 6, 1.2, 0.3),
    }
    channels = {n: (curves.read(n), c.unit) for n, c in curves.channels.items()}
    made = nrm.CurveSet.from_arrays(
        channels,
        row_size=curves.row_size,
        segments=curves.segments,
        curve_table=table,
        metadata=dict(curves.metadata),
    )
    made.save(folder / "curves.h5")
    nrm.process(nrm.open(folder / "curves.h5"), {"direction": "both"}, out=folder / "r.h5")
    return folder / "r.h5"
