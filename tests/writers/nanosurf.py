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


DEFLECTION, SENSOR = ("Deflection", "N"), ("Z-Axis Sensor", "m")
RANGES = {"Deflection": (-2e-6, 4e-6), "Z-Axis Sensor": (-1.4e-5, 2.8e-5)}


def made(
    path: Path, *, n: int = 3, bits: int = 32, **more: object
) -> tuple[Path, list[np.ndarray]]:
    """Some curves whose approach ends early, and the force of each, in the order of time."""
    rng = np.random.default_rng(4)
    groups: dict[str, dict[tuple[str, str], list[np.ndarray]]] = {
        "Spec forward": {DEFLECTION: [], SENSOR: []},
        "Spec backward": {DEFLECTION: [], SENSOR: []},
    }
    forces, ramps = [], {"Spec forward": [], "Spec backward": []}
    for i in range(n):
        down = np.linspace(-2e-6, -1e-6, 100)[: 100 - 7 * i]
        up = np.linspace(down[-1], -2e-6, 100)
        pair = []
        for group, z in (("Spec forward", down), ("Spec backward", up)):
            force = np.maximum(z + 1.3e-6, 0.0) * 2.5 + 1e-10 * rng.normal(size=len(z))
            counts = counts_of(force, *RANGES["Deflection"], bits)
            turn = slice(None, None, -1 if group == "Spec backward" else 1)
            groups[group][DEFLECTION].append(counts[turn])
            groups[group][SENSOR].append(counts_of(z, *RANGES["Z-Axis Sensor"], bits)[turn])
            low, span = RANGES["Deflection"]
            pair.append(counts / 2.0**bits * span + low + span / 2)
            ramps[group].append((1e-6, float(np.ptp(z))))
        forces.append(np.concatenate(pair))
    groups["SlopeOut00"] = {("NameZ", "m"): [np.zeros(2, int)] * n}
    ranges = RANGES | {"NameZ": (0.0, 1.0)}
    write_nid(path, groups, ranges=ranges, ramps=ramps, bits=bits, **more)  # type: ignore[arg-type]
    return path, forces


def write_samples(folder: Path) -> None:
    """Write the sample files."""
    folder.mkdir(parents=True, exist_ok=True)
    made(folder / "map-of-3.nid", bits=16)
