"""Nanosurf's .nid files: text, the mark, and the sets of numbers back to back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def counts_of(values: Any, low: float, span: float, bits: int) -> Any:
    """Values as counts of a range."""
    return np.rint((np.asarray(values) - low - span / 2) / span * 2.0**bits).astype(int)


def write_nid(
    path: Path,
    groups: Mapping[str, Mapping[tuple[str, str], Sequence[Any]]],
    *,
    ranges: Mapping[str, tuple[float, float]],
    ramps: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    bits: int = 32,
    stiffness: float | None = 2.5,
) -> Path:
    """Write lines of counts per group and signal (name, unit); short lines are filled with 0."""
    overview = ["[DataSet]", "Version=2", f"GroupCount={len(groups)}"]
    sections: list[str] = []
    data = b""
    for g, (group, signals) in enumerate(groups.items()):
        overview += [f"Gr{g}-Name={group}", f"Gr{g}-ID={g}", f"Gr{g}-Count=8"]
        for c, ((signal, unit), lines) in enumerate(signals.items()):
            channel = 7 if c else 0  # channels that are not recorded have no section
            overview.append(f"Gr{g}-Ch{channel}=DataSet-{g}:{channel}")
            points = max(map(len, lines))
            low, span = ranges[signal]
            sections += [
                f"[DataSet-{g}:{channel}]",
                "Version=3",
                f"Points={points}",
                f"Lines={len(lines)}",
                f"Frame={group}",
                "Dim0Name=Z-Axis",
                "Dim0Unit=m",
                f"Dim2Name={signal}",
                f"Dim2Unit={unit}",
                f"Dim2Range={span!r}",
                f"Dim2Min={low!r}",
                "SaveMode=Binary",
                f"SaveBits={bits}",
                "SaveSign=Signed",
                "SaveOrder=Intel",
            ]
            for i, line in enumerate(lines):
                sections.append(f"LineDim{i}Points={len(line)}")
                if ramps and group in ramps:
                    begin, extent = ramps[group][i]
                    sections += [f"LineDim{i}Min={begin!r}", f"LineDim{i}Range={extent!r}"]
                filled = np.zeros(points, f"<i{bits // 8}")
                filled[: len(line)] = line
                data += filled.tobytes()
    lever = [] if stiffness is None else ["PropCount=1", f"Prop0=D[{stiffness}]*[N/m]"]
    text = [
        *overview,
        "[DataSet-Info]",
        "-- Spec --=--------",
        "Date=10-12-2020",
        "Time=15:16:40",
        "Head type=FlexAFM",
        "Image size=5\u00b5m",
        "[DataSet\\Calibration\\Cantilever]",
        *lever,
        "[DataSet\\Parameters\\Spectroscopy]",
        "FwModTime=D[1]*[s]",
        "BwModTime=D[0.5]*[s]",
        "FwModRange=D[1e-06]*[m]",
        "FwModDatapoints=L[100]*[]",
        "BwModDatapoints=L[100]*[]",
        *sections,
    ]
    path.write_bytes("\r\n".join([*text, ""]).encode() + b"#!" + data)
    return path
