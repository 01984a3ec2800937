"""Tables of text, as spreadsheets and recorders write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_samples(folder: Path) -> None:
    """Write the sample files."""
    folder.mkdir(parents=True, exist_ok=True)
    half = 150
    fall = np.linspace(300.0, 0.0, half)
    rest = np.full(40, 300.0)
    z = np.concatenate([rest, *([fall, fall[::-1], rest] * 2)])
    volts = np.maximum(60.0 - z, 0.0) / 80.0
    x, y = 2e-3 * np.exp(-z / 20.0), 6e-4 * np.exp(-z / 20.0)
    lines = ["time (s);z sensor (nm);deflection (V);lock-in X (V);lock-in Y (V)"]
    for i, row in enumerate(zip(z, volts, x, y, strict=True)):
        cells = [f"{i * 1e-3:.3f}", *(f"{value:.6g}" for value in row)]
        lines.append(";".join(cell.replace(".", ",") for cell in cells))
    (folder / "two-ramps.csv").write_bytes(("\n".join(lines) + "\n").encode())
