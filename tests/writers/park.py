"""Synthetic Park Systems files with a known truth.

The ``example_`` functions make a physically sensible file of each kind: z falls in even steps
until the deflection has reached the force limit, and rises again. What a half has too few samples
is filled with copies of its last one, as the instrument does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .park_pinpoint import (
    CURVE,
    PARAMETERS,
    SCAN_START,
    SCAN_STOP,
    as_frame,
    curve,
    parameters,
    scan_start,
    scan_stop,
    write_frames,
)
from .park_tiff import V1, V2, ForceChannel, Picture, Spectroscopy, write_tiff

__all__ = [
    "V1",
    "V2",
    "ForceChannel",
    "ParkTruth",
    "Picture",
    "Spectroscopy",
    "example_grid",
    "example_image",
    "example_pinpoint",
    "example_points",
    "write_frames",
    "write_samples",
    "write_tiff",
]

FloatArray = NDArray[np.float64]

STEP = 0.00625  # um
SECONDS = 0.02  # per sample
SLOPE = 55.0  # V/um
STIFFNESS = 42.0  # N/m
PAUSE = 0.2  # s between the halves

#: Unit, and gain of integers: one count in that unit.
UNITS = {
    "Vertical (A-B)": ("V", 0.0005),
    "Force": ("nN", 0.25),
    "Z Scan": ("um", 0.0005),
    "Z Detector": ("um", 0.0005),
    "Lateral (C-D)": ("V", 0.001),
    "Time Stamp": ("usec", 500.0),
}
TO_SI = {"V": 1.0, "nN": 1e-9, "um": 1e-6, "usec": 1e-6}


@dataclass(frozen=True)
class ParkTruth:
    """What is known about a file.

    Parameters
    ----------
    path
    counts : (curve, 2) array
        Samples of each half, in the order of the curves.
    values : dict
        By Park's name of a channel: per curve its samples without padding, in SI units, as the
        file can hold them.
    x, y : arrays in m
    order
        For each curve, the number of its point in the file.
    grid, image
    """

    path: Path
    counts: NDArray[np.int64]
    values: dict[str, list[FloatArray]]
    x: FloatArray
    y: FloatArray
    order: NDArray[np.int64]
    grid: tuple[int, int] | None = None
    image: FloatArray | None = None

    def flat(self, name: str) -> FloatArray:
        """All curves' samples of a channel, one behind the other."""
        return np.concatenate(self.values[name])


def noise(number: int, k: NDArray[np.int64]) -> FloatArray:
    """Numbers from -0.5 to 0.5 without a pattern, the same on every machine."""
    return (7919 * (k + 1) * (k + number + 1) % 1009) / 1009 - 0.5


def ramp(number: int, half: int, *, padded: bool) -> tuple[dict[str, list[FloatArray]], list[int]]:
    """Both halves of a curve in Park's units, without padding."""
    n_down = half - 3 - number % 4 if padded else half
    n_up = half - 2 - number % 3 if padded else half
    z_top = 0.1 * number % 1.0 - 0.4
    z_surface = z_top - STEP * (n_down - 8)
    halves: dict[str, list[FloatArray]] = {}
    clock = 0.00012 + 0.001 * (number % 2)
    for n, way in ((n_down, -1), (n_up, 1)):
        k = np.arange(n)
        z = z_top - STEP * k if way < 0 else z_top - STEP * (n_down - 1) + STEP * k
        indentation = np.maximum(z_surface - z, 0.0)
        force = SLOPE * indentation + 0.004 * noise(number, k)
        halves.setdefault("Vertical (A-B)", []).append(force - 0.6)
        halves.setdefault("Force", []).append(STIFFNESS / SLOPE * 1e3 * force)
        halves.setdefault("Z Scan", []).append(z)
        halves.setdefault("Z Detector", []).append(z + 3.0 + 0.001 * noise(number + 1, k))
        halves.setdefault("Lateral (C-D)", []).append(0.01 * way + 0.2 * indentation)
        halves.setdefault("Time Stamp", []).append((clock + SECONDS * k) * 1e6)
        clock += SECONDS * (n - 1) + PAUSE
    return halves, [n_down, n_up]


def curves(
    n_points: int, half: int, dtype: str, names: list[str], *, padded: bool, dead: str = ""
) -> tuple[list[ForceChannel], list[list[int]], dict[str, list[FloatArray]]]:
    """Channels as they lie in the file, samples per half, and what can be read from them."""
    raw = {name: np.zeros((n_points, 2 * half), dtype) for name in names}
    values: dict[str, list[FloatArray]] = {name: [] for name in names}
    counts = []
    for point in range(n_points):
        halves, count = ramp(point, half, padded=padded)
        counts.append(count)
        for name in names:
            unit, step = UNITS[name]
            parts = []
            for i, part in enumerate(halves[name]):
                if name == dead:
                    part = np.full(len(part), -9.824)
                stored = (part if dtype == "<f4" else np.rint(part / step)).astype(dtype)
                raw[name][point, i * half : (i + 1) * half] = np.pad(
                    stored, (0, half - len(part)), mode="edge"
                )
                parts.append(stored.astype(float) * (1.0 if dtype == "<f4" else step))
            scaled = np.concatenate(parts) * TO_SI[unit]
            values[name].append(scaled - scaled[0] if name == "Time Stamp" else scaled)
    channels = [
        ForceChannel(name, UNITS[name][0], raw[name], 1.0 if dtype == "<f4" else UNITS[name][1])
        for name in names
    ]
    return channels, counts, values


def example_points(
    path: Path,
    n_points: int = 7,
    half: int = 48,
    *,
    dtype: str = "<f4",
    version: int = V2,
    padded: bool = True,
    time_stamp: bool = True,
    dead: str = "Z Detector",
    names: list[str] | None = None,
    reference: bool = True,
    times: bool = True,
    **options: Any,
) -> ParkTruth:
    """Single points on a reference image."""
    names = names or [
        "Vertical (A-B)",
        "Force",
        "Z Scan",
        "Z Detector",
        "Lateral (C-D)",
        "Time Stamp",
    ]
    names = [name for name in names if time_stamp or name != "Time Stamp"]
    channels, counts, values = curves(n_points, half, dtype, names, padded=padded, dead=dead)
    k = np.arange(n_points)
    points = np.stack([0.5 + 0.3 * k, 1.9 - 0.25 * k, (3.0 * k if times else 0.0 * k)], axis=1)
    spectroscopy = Spectroscopy(channels, points, reference=reference)
    for key in list(options):
        if hasattr(spectroscopy, key):
            setattr(spectroscopy, key, options.pop(key))
    picture = image = None
    if reference:
        picture = Picture(topography(12, 16, "<i2" if version == V1 else "<f4"), "Topography")
        image = picture.raw.astype(float) * (picture.gain * 1e-6)
    write_tiff(path, picture=picture, spectroscopy=spectroscopy, version=version, **options)
    xy = points.astype("f4").astype(float) * 1e-6
    return ParkTruth(Path(path), np.array(counts), values, xy[:, 0], xy[:, 1], k, image=image)


def example_grid(
    path: Path,
    rows: int = 3,
    columns: int = 5,
    half: int = 32,
    *,
    dtype: str = "<f4",
    version: int = V2,
    padded: bool = True,
    time_stamp: bool = True,
    per_row: int | None = None,
    down: bool = False,
    serpentine: bool = False,
    along_y: bool = False,
    **options: Any,
) -> ParkTruth:
    """A volume; its rows may be taken from the top down, forth and back, or along y."""
    names = ["Vertical (A-B)", "Force", "Z Scan", "Z Detector", "Time Stamp"]
    names = [name for name in names if time_stamp or name != "Time Stamp"]
    n = rows * columns
    channels, counts, values = curves(n, half, dtype, names, padded=padded)
    place = np.arange(n).reshape(rows, columns)  # number of the curve at row, column
    taken = place.T if along_y else place
    taken = taken[::-1] if down else taken
    if serpentine:
        taken = np.stack([line[::-1] if i % 2 else line for i, line in enumerate(taken)])
    curve_of = taken.reshape(-1)
    row, column = np.divmod(curve_of, columns)
    points = np.stack([1.0 + 0.5 * column, -2.0 + 0.4 * row, 1.5 * np.arange(n)], axis=1)
    order = np.argsort(curve_of)
    if per_row is None:
        per_row = taken.shape[1]
    grid = (0.5 * columns, 0.4 * rows, 1.0, -2.0)
    spectroscopy = Spectroscopy(channels, points, volume=True, per_row=per_row, grid=grid)
    write_tiff(path, spectroscopy=spectroscopy, version=version, **options)
    xy = points.astype("f4").astype(float)[order] * 1e-6
    return ParkTruth(
        Path(path),
        np.array(counts)[order],
        {name: [parts[i] for i in order] for name, parts in values.items()},
        xy[:, 0],
        xy[:, 1],
        order,
        (rows, columns),
    )


def topography(rows: int, columns: int, dtype: str) -> NDArray[np.generic]:
    """A slope that rises with the row and, less, with the column."""
    y, x = np.mgrid[:rows, :columns]
    height = (3.0 * y + x) * (1.0 if dtype != "<f4" else 0.001)
    return height.astype(dtype)


def example_image(
    path: Path,
    rows: int = 12,
    columns: int = 16,
    *,
    dtype: str = "<f4",
    version: int = V2,
    **options: Any,
) -> ParkTruth:
    """A plain image."""
    picture = Picture(topography(rows, columns, dtype))
    for key in list(options):
        if hasattr(picture, key):
            setattr(picture, key, options.pop(key))
    write_tiff(path, picture=picture, version=version, **options)
    with np.errstate(all="ignore"):  # a test may ask for an impossible gain
        um = picture.raw.astype(float) * picture.gain * picture.z_scale + picture.z_offset
    none = np.empty(0, int)
    return ParkTruth(Path(path), none, {}, none * 1.0, none * 1.0, none, image=um * 1e-6)


def example_pinpoint(
    path: Path,
    rows: int = 3,
    columns: int = 4,
    samples: int = 40,
    *,
    upside_down: bool = False,
    padding: bool = False,
    slashes: bool = False,
    force_unit: str = "volt",
    missing: int = 0,
    further: int = 0,
    stopped: bool = False,
    **geometry: Any,
) -> ParkTruth:
    """A PinPoint map; `missing` pixels at its end were not taken any more."""
    frames = [
        (SCAN_START, as_frame(scan_start(rows, columns, **geometry))),
        (PARAMETERS, as_frame(parameters())),
    ]
    values: dict[str, list[FloatArray]] = {"ZHeight": [], "Force": [], "Lfm": []}
    counts, pixels = [], []
    for pixel in range(rows * columns - missing):
        slow, fast = divmod(pixel, columns)
        halves, count = ramp(pixel, (samples - pixel % 5) // 2, padded=False)
        z = np.concatenate(halves["Z Scan"]) * (-1.0 if upside_down else 1.0)
        force = np.concatenate(halves["Vertical (A-B)"])
        lateral = np.concatenate(halves["Lateral (C-D)"])
        parts = [
            (name, unit, part.astype("<f4"))
            for name, unit, part in (
                ("ZHeight", "micrometer", z),
                ("Force", force_unit, force),
                ("Lfm", "volt", lateral),
            )
        ]
        for name, _, part in parts:
            sign = -1.0 if name == "ZHeight" and upside_down else 1.0
            scale = 1e-6 if name == "ZHeight" else 1.0
            values[name].append(part.astype(float) * (sign * scale))
        counts.append(count)
        pixels.append((fast, slow))
        if padding:
            parts = [(name, unit, np.pad(part, (0, 6), mode="edge")) for name, unit, part in parts]
        content = curve(parts, fast, slow, padding=padding)
        frames.append((CURVE, as_frame(content, slashes=slashes)))
    if not stopped:
        frames.append((SCAN_STOP, as_frame(scan_stop())))
    write_frames(path, frames, further=further)
    fast, slow = np.array(pixels).T
    x = (10.0 + ((fast + 0.5) / columns - 0.5) * 5.0) * 1e-6
    y = (-20.0 + ((slow + 0.5) / rows - 0.5) * 4.0) * 1e-6
    order = np.arange(len(pixels))
    grid = None if missing else (rows, columns)
    return ParkTruth(Path(path), np.array(counts), values, x, y, order, grid)


def write_samples(folder: Path) -> None:
    """Write the small files that the project shows."""
    folder.mkdir(parents=True, exist_ok=True)
    example_points(folder / "points-dead-detector.tiff")
    example_grid(folder / "volume-3x5.tiff", down=True)
    example_grid(
        folder / "volume-3x3-version-1.tiff", 3, 3, version=V1, dtype="<i2", directory_last=True
    )
    example_image(folder / "image.tiff", forward=False)
    example_pinpoint(folder / "pinpoint-2x3.ps-ppt", 2, 3)
