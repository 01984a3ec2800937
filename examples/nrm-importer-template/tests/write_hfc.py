"""Write HFC files with known contents: ``python tests/write_hfc.py example.hfc``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def write_hfc(
    path: str | Path,
    columns: int = 3,
    rows: int = 2,
    approach: int = 1200,
    retract: int = 800,
    leave_out: tuple[str, ...] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Write curves on a grid and return their height in m and their deflection in V."""
    n_curves = columns * rows
    turn = np.concatenate([np.linspace(0, 1, approach), np.linspace(1, 0, retract)])
    contact = 0.7 + 0.02 * np.arange(n_curves)[:, None]
    z = np.round(20000 * turn + np.zeros((n_curves, 1))).astype("<i2")
    # On a rigid wall the deflection grows as z does: 200 nm are 19048 counts of 0.3 mV at 35 nm/V.
    noise = np.random.default_rng(1).normal(0, 8, (n_curves, len(turn)))
    deflection = np.round(19048 * np.maximum(turn - contact, 0) + 100 + noise).astype("<i2")
    x, y = np.tile(np.arange(columns), rows), np.repeat(np.arange(rows), columns)
    lines = {
        "date": "2026-03-14T09:26:53",
        "curves": n_curves,
        "samples": f"{approach} {retract}",
        "rate_hz": 2000,
        "z_nm_per_count": 0.01,
        "deflection_mv_per_count": 0.3,
        "spring_constant_n_per_m": 0.2,
        "sensitivity_nm_per_v": 35,
        "x_um": " ".join(map(str, x)),
        "y_um": " ".join(map(str, y)),
    }
    text = [f"{key}: {value}" for key, value in lines.items() if key not in leave_out]
    head = "\n".join(["HFC 1", *text, "end", ""]).encode("ascii")
    Path(path).write_bytes(head + np.stack([z, deflection], axis=1).tobytes())
    return z * -0.01e-9, deflection * 0.3e-3


if __name__ == "__main__":
    write_hfc(sys.argv[1])
