"""Synthetic NanoScope files with a known truth.

Heights are commanded heights: larger is farther from the sample, 0 is the end of the approach.
Sample ``i`` of the approach is taken at ``ramp * (n_ext - i) / n``, where ``n`` is the longer
half's number of samples, and sample ``i`` of the retract at ``ramp * (i + 1) / n``. The truth
contains what the file can tell: values after quantisation, with scales as they are printed in the
header.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .nanoscope_binary import write_force, write_images
from .nanoscope_header import (
    V6,
    V92,
    V94,
    ForceChannel,
    ImageChannel,
    PeakForce,
    as_printed,
    z_name,
)

__all__ = [
    "CurveTruth",
    "ImageTruth",
    "example_force_volume",
    "example_images",
    "example_peakforce",
    "example_single_curve",
]

FloatArray: TypeAlias = NDArray[np.float64]

Z_SENS = (13.2, "nm/V")
DEFL_SENS = 30.0
SENSOR_SENS = 360.5
HARD = 0.000375
WALL = 0.95
SPRING = 0.1332


@dataclass(frozen=True, kw_only=True)
class CurveTruth:
    """What is known about a file of curves; arrays are (curve, sample), in the order of time.

    Parameters
    ----------
    path, channels, images
        The file, and what was written into it (raw integers among it).
    n_ext, n_ret, n_hold, hold_time
        Samples of the parts, which follow each other as extend, hold, retract; the hold in seconds.
    grid
        (rows, columns), or ``None`` for a single curve. Curves are in row order, smallest y first.
    volts
        Values in volts by the channel's internal name.
    deflection
        In m.
    height
        Commanded height in m.
    contact_height
        Height of the contact of every curve in m.
    ramp_size, spring_constant, deflection_sensitivity
        In m, N/m and m/V.
    sample_interval
        Time between two samples of approach or retract in s.
    scan_size
        (x, y) in m.
    """

    path: Path
    channels: tuple[ForceChannel, ...]
    images: tuple[ImageChannel, ...]
    n_ext: int
    n_ret: int
    n_hold: int
    hold_time: float
    grid: tuple[int, int] | None
    volts: dict[str, FloatArray]
    deflection: FloatArray
    height: FloatArray
    contact_height: FloatArray
    ramp_size: float
    spring_constant: float
    deflection_sensitivity: float
    sample_interval: float
    scan_size: tuple[float, float]


@dataclass(frozen=True)
class ImageTruth:
    """What is known about a file of images; ``values`` are m or V, row 0 has the smallest y."""

    path: Path
    images: tuple[ImageChannel, ...]
    values: tuple[FloatArray, ...]
    scan_size: tuple[float, float]


def example_force_volume(
    path: str | Path,
    rows: int = 3,
    columns: int = 5,
    n_ext: int = 64,
    n_ret: int = 48,
    *,
    n_hold: int = 0,
    version: int = 0x09200000,
    ramp_size_nm: float = 300.0,
    scan_rate: float = 2.0,
    height_sensor: bool = False,
    topography: bool = True,
    sensitivity_unit: str = "nm/V",
    **options: Any,
) -> CurveTruth:
    """Write a force volume whose contact lies at a different height in every pixel.

    The deflection has a baseline with a slight tilt and a straight wall; the retract adheres. No
    trigger ends the approach, so that heights of different pixels can be compared.

    Parameters
    ----------
    path, rows, columns, n_ext, n_ret, n_hold, version, ramp_size_nm, scan_rate
        See `write_force`.
    height_sensor, topography
        Add a height sensor to the curves, and a height image behind them.
    sensitivity_unit
        Unit of the deflection sensitivity in the header; may be empty.
    options
        Further arguments of `write_force`.
    """
    parts = _parts(n_ext, n_ret, n_hold, hold_time=0.05)
    ramp, height = _ramp(ramp_size_nm, n_ext, n_hold, n_ret)
    row, column = (index.ravel() for index in np.indices((rows, columns)))
    pattern = 0.06 * ((3 * row + 5 * column) % 7) / 7
    contact = ramp * (0.3 + 0.1 * column / columns + 0.08 * row / rows + pattern)
    heights = np.broadcast_to(height, (rows * columns, height.size))
    defl = _deflection(heights, contact, n_ext + n_hold)
    channels = [_deflection_channel(defl, version, sensitivity_unit)]
    if height_sensor:
        channels.append(_sensor_channel(ramp - heights, version))
    size = (500.0 * columns, 500.0 * rows)
    images: list[ImageChannel] = []
    if topography:
        images.append(_height_image(contact.reshape(rows, columns), version, size))
    target = Path(path)
    write_force(
        target,
        channels,
        **parts,
        version=version,
        grid=(rows, columns),
        images=images,
        ramp_size_nm=ramp_size_nm,
        z_sens=Z_SENS,
        scan_rate=scan_rate,
        **{"scan_size": size, **options},
    )
    rate = 1 / (scan_rate * 2 * max(n_ext, n_ret))
    grid = rows, columns
    return _truth(target, channels, images, parts, grid, heights, contact, ramp, rate, size)


def example_single_curve(
    path: str | Path,
    n_ext: int = 256,
    n_ret: int = 192,
    *,
    n_hold: int = 0,
    version: int = 0x09010300,
    ramp_size_nm: float = 300.0,
    scan_rate: float = 0.5,
    **options: Any,
) -> CurveTruth:
    """Write one curve with deflection, height sensor, lateral deflection and two auxiliary inputs.

    The sensor's volts grow as the scanner extends towards the sample; it sees 2 % more than the
    commanded ramp. The inputs are those of a lock-in amplifier: in phase and quadrature,
    which rise within 20 nm of the contact. The trigger is met by the last sample of the approach.

    Parameters
    ----------
    path, n_ext, n_ret, n_hold, version, ramp_size_nm, scan_rate
        See `write_force`.
    options
        Further arguments of `write_force`.
    """
    parts = _parts(n_ext, n_ret, n_hold, hold_time=0.2)
    ramp, height = _ramp(ramp_size_nm, n_ext, n_hold, n_ret)
    heights, contact = height[np.newaxis], np.array([0.25 * ramp])
    defl = _deflection(heights, contact, n_ext + n_hold)
    near = np.exp(-np.maximum(heights - contact[0], 0) / 20)
    axis = "Ch2:" if version >= V94 else "Ch 2:"
    lateral = np.round((0.02 + 0.1 * near) / HARD).astype(np.int64)
    inputs = [np.round(part / HARD).astype(np.int64) for part in (0.4 + 2.0 * near, -0.9 * near)]
    range_ = 65536 * HARD
    channels = [
        replace(_deflection_channel(defl, version, "nm/V"), x_data_type=axis),
        replace(_sensor_channel(ramp - heights, version), x_data_type="Time"),
        ForceChannel("Friction", "Lateral", lateral, HARD, range_, ("Friction", 1.0, "")),
        ForceChannel("Input1", "Input1", inputs[0], HARD, range_, ("Input1", 1.0, "")),
        ForceChannel("Input2", "Input2", inputs[1], HARD, range_, ("Input2", 1.0, "")),
    ]
    channels = [replace(channel, spring_constant=SPRING) for channel in channels]
    volts = channels[0].raw[0] * HARD
    target = Path(path)
    write_force(
        target,
        channels,
        **parts,
        version=version,
        ramp_size_nm=ramp_size_nm,
        z_sens=Z_SENS,
        scan_rate=scan_rate,
        trigger_mode="Relative",
        trigger_threshold=float(volts[n_ext - 1] - volts[0]),
        **options,
    )
    rate = 1 / (scan_rate * 2 * max(n_ext, n_ret))
    size = options.get("scan_size", (1000.0, 1000.0))
    return _truth(target, channels, [], parts, None, heights, contact, ramp, rate, size)


def example_peakforce(
    path: str | Path,
    rows: int = 2,
    columns: int = 3,
    n_ext: int = 64,
    *,
    version: int = 0x08150203,
    peakforce: PeakForce | None = None,
    **options: Any,
) -> CurveTruth:
    """Write a PeakForce capture: deflection only, the height an oscillation that is not stored.

    Sample ``i`` of the ``2 * n_ext`` of a pixel lies at
    ``amplitude * (1 - cos(2 pi (i / (2 n_ext) - sync_distance / sample_points)))``,
    whose smallest value is 0. A marker in the file is not in the truth. The parameters are those
    of `write_force`; no real file was met.
    """
    settings = peakforce or PeakForce(50.0, 2.0, 1.1 * n_ext)
    parts = _parts(n_ext, n_ext, 0)
    phase = np.arange(2 * n_ext) / (2 * n_ext)
    phase -= settings.sync_distance / (settings.sample_points or 2 * n_ext)
    height = settings.amplitude_nm * (1 - np.cos(2 * np.pi * phase))
    heights = np.broadcast_to(height, (rows * columns, height.size))
    fraction = np.arange(rows * columns) / (rows * columns)
    contact = settings.amplitude_nm * (0.3 + 0.4 * fraction)
    channels = [_deflection_channel(_deflection(heights, contact, 2 * n_ext), version, "nm/V")]
    size = (500.0 * columns, 500.0 * rows)
    images = [_height_image(contact.reshape(rows, columns), version, size)]
    target = Path(path)
    write_force(
        target,
        channels,
        **parts,
        version=version,
        grid=(rows, columns),
        images=images,
        z_sens=Z_SENS,
        peakforce=settings,
        **{"scan_size": size, **options},
    )
    rate = 1 / (1000 * settings.frequency_khz * 2 * n_ext)
    ramp, grid = 2 * settings.amplitude_nm, (rows, columns)
    return _truth(target, channels, images, parts, grid, heights, contact, ramp, rate, size)


def example_images(
    path: str | Path,
    rows: int = 24,
    columns: int = 32,
    *,
    version: int = 0x09700105,
    **options: Any,
) -> ImageTruth:
    """Write height and friction (trace and retrace), without symmetry and not square.

    The parameters are those of `write_images`. Heights are in m, friction in V.
    """
    size = (62.5 * columns, 62.5 * rows)
    y, x = np.indices((rows, columns)) / max(rows, columns)
    bump = 40.0 * np.exp(-((x - 0.2) ** 2 + (y - 0.5) ** 2) / 0.02)
    height = replace(_height_image(10 * x + 25 * y + bump, version, size), line_direction="Retrace")
    friction = np.round((0.3 + 0.2 * x * (y > x) + 0.1 * y) / HARD).astype(np.int64)
    trace = ImageChannel(
        "Friction",
        "Lateral" if version >= V6 else "Friction",
        friction + round(0.05 / HARD),
        HARD,
        65536 * HARD,
        ("Friction", 1.0, ""),
        scan_size=height.scan_size,
    )
    raw = round(0.05 / HARD) - friction
    images = [height, trace, replace(trace, raw=raw, line_direction="Retrace")]
    target = Path(path)
    write_images(target, images, **{"version": version, "scan_size": size, **options})
    values = tuple(_image_values(image) for image in images)
    return ImageTruth(target, tuple(images), values, (size[0] * 1e-9, size[1] * 1e-9))


def _parts(n_ext: int, n_ret: int, n_hold: int, hold_time: float = 0.0) -> dict[str, Any]:
    """Return the arguments of `write_force` that say of which parts a curve is made."""
    hold_time = hold_time if n_hold else 0.0
    return {"n_ext": n_ext, "n_ret": n_ret, "n_hold": n_hold, "hold_time": hold_time}


def _ramp(size_nm: float, n_ext: int, n_hold: int, n_ret: int) -> tuple[float, FloatArray]:
    """Return the ramp that the header's digits give, and the commanded heights, in nm."""
    size = as_printed(size_nm / Z_SENS[0]) * Z_SENS[0]
    steps = [n_ext - np.arange(n_ext), np.zeros(n_hold), 1 + np.arange(n_ret)]
    return size, size * np.concatenate(steps) / max(n_ext, n_ret)


def _deflection(heights: FloatArray, contact: FloatArray, retract: int) -> FloatArray:
    """Return the deflection in nm; samples from index `retract` on adhere down to -4 nm."""
    wall = WALL * (contact[:, np.newaxis] - heights)
    adhering = np.arange(heights.shape[1]) >= retract
    deflection: FloatArray = np.where((wall > 0) | (adhering & (wall > -4.0)), wall, 0.0)
    return deflection + 6.0 + 0.01 * heights


def _deflection_channel(defl: FloatArray, version: int, unit: str) -> ForceChannel:
    name = "DeflSens" if version >= V6 else "Deflection"
    raw = np.round(defl / DEFL_SENS / HARD).astype(np.int64)
    sensitivity, named = (name, DEFL_SENS, unit), ("Deflection Error", "DeflectionError")
    return ForceChannel(*named, raw, HARD, 2.5, sensitivity, spring_constant=SPRING)


def _sensor_channel(extension: FloatArray, version: int) -> ForceChannel:
    """Return the height sensor (nm); from version 9.2 on its scale counts 32-bit LSB."""
    wide = version >= V92
    hard = as_printed(HARD / 65536) if wide else HARD
    raw = np.round((1.02 * extension - 150.0) / SENSOR_SENS / hard).astype(np.int64)
    sensitivity = ("ZsensSens", SENSOR_SENS, "nm/V")
    return ForceChannel(
        *("Height Sensor", "ZSensor", raw, hard, 24.576, sensitivity),
        bytes_pixel=4 if wide else 2,
        spring_constant=SPRING,
    )


def _height_image(nm: FloatArray, version: int, size: tuple[float, float]) -> ImageChannel:
    soft = 43.99933
    raw = np.round(nm / Z_SENS[0] / soft * 65536).astype(np.int64)
    text = f"{size[0] / 1000:g} {size[1] / 1000:g} ~m"
    scale = (z_name(version), *Z_SENS)
    return ImageChannel("Height", "Height", raw, soft / 65536, soft, scale, scan_size=text)


def _image_values(image: ImageChannel) -> FloatArray:
    volts = image.raw.astype(np.float64) * as_printed(image.soft) / 2.0 ** (8 * image.bytes_pixel)
    metric = image.sensitivity[2] == "nm/V"
    return volts * image.sensitivity[1] * 1e-9 if metric else volts


def _truth(
    path: Path,
    channels: list[ForceChannel],
    images: list[ImageChannel],
    parts: dict[str, Any],
    grid: tuple[int, int] | None,
    heights_nm: FloatArray,
    contact_nm: FloatArray,
    ramp_nm: float,
    interval: float,
    size_nm: tuple[float, float],
) -> CurveTruth:
    volts = {
        item.internal: item.raw.astype(np.float64) * as_printed(item.hard) for item in channels
    }
    return CurveTruth(
        path=path,
        channels=tuple(channels),
        images=tuple(images),
        **parts,
        grid=grid,
        volts=volts,
        deflection=volts["DeflectionError"] * DEFL_SENS * 1e-9,
        height=heights_nm * 1e-9,
        contact_height=contact_nm * 1e-9,
        ramp_size=ramp_nm * 1e-9,
        spring_constant=SPRING,
        deflection_sensitivity=DEFL_SENS * 1e-9,
        sample_interval=interval,
        scan_size=(size_nm[0] * 1e-9, size_nm[1] * 1e-9),
    )
