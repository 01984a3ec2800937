"""Write binary NanoScope files: force curves, force volumes, PeakForce captures, images.

The layout on disk, for every channel a block of its own at ``Data offset``::

    [curve 0: extend reversed ~ | retract ~ | hold] [curve 1: ...] ...

Both halves have a slot of the same length, ``A`` of ``Samps/line: A B``; ``B`` samples of the
approach and ``Samps/line, retrace: C`` of the retract are recorded, and garbage (~) fills the rest.

Curves and image rows start at the bottom of the scan: curve ``row * columns + column``, the
smallest y in row 0. Samples are little-endian int16 before version 9.2 and int32 from then on,
whatever ``Bytes/pixel`` states. No file of a real instrument showed where hold samples, ramp
scripts and PeakForce captures lie; hold and captures follow what other readers expect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .nanoscope_header import (
    DATE,
    V9,
    V92,
    V97,
    ForceChannel,
    ImageChannel,
    IntArray,
    PeakForce,
    ScanSettings,
    default_header_size,
    force_section,
    hold_lines,
    image_section,
    opening,
    ramp_lines,
    sensitivities,
    spell,
    value_line,
    z_name,
)

__all__ = ["write_force", "write_images"]

_END = "\\*File list end"
_MARKER = -32768


def write_force(
    path: str | Path,
    channels: Sequence[ForceChannel],
    *,
    n_ext: int,
    n_ret: int,
    version: int = 0x09200000,
    slot: int | None = None,
    n_hold: int = 0,
    hold_time: float = 0.0,
    grid: tuple[int, int] | None = None,
    images: Sequence[ImageChannel] = (),
    ramp_size_nm: float = 500.0,
    z_sens: tuple[float, str] = (13.2, "nm/V"),
    scan_rate: float = 1.0,
    scan_size: tuple[float, float] = (1000.0, 1000.0),
    offsets: tuple[float, float] = (0.0, 0.0),
    rotate: float = 0.0,
    date: str = DATE,
    capture_direction: str = "Up",
    frame_direction: str = "Up",
    fv_line_direction: str = "Trace",
    trigger_mode: str = "Off",
    trigger_threshold: float = 1.0,
    script_segments: Sequence[Mapping[str, Any]] | None = None,
    peakforce: PeakForce | None = None,
    duplicate_list: bool = False,
    sample_period_us: float = 12.0,
    header_size: int | None = None,
    newline: str = "\r\n",
    undeclared_maps: int = 0,
    trailing: bytes = b"",
    damage: Literal["offset"] | None = None,
) -> bytes:
    """Write a single force curve, a force volume (`grid`) or a PeakForce capture (`peakforce`).

    Parameters
    ----------
    path
        File to write.
    channels
        The channels, with samples in the order of time: ``n_ext`` of approach, ``n_hold`` of hold,
        ``n_ret`` of retract.
    n_ext, n_ret, n_hold, hold_time
        Samples per part, and the duration of the hold in seconds.
    slot
        Samples that each half occupies, those of a whole ramp; ``None`` is the longer half's.
    version
        NanoScope version; decides the spelling of the keys, the header size and the storage width.
    grid
        (rows, columns) of a force volume; ``None`` is a single curve.
    images
        Images that follow the curves.
    ramp_size_nm, z_sens, scan_rate
        Z ramp, value and unit of the Z drive's sensitivity, ramps per second. A whole
        ramp has `slot` samples and takes half of the period; a trigger may end it early.
    scan_size, offsets, rotate
        (x, y) in nm, and the scan angle in radians.
    date, capture_direction, frame_direction, fv_line_direction
        Header texts (line direction ``"Trace"``, ``"Retrace"`` or ``"Bidirection"``).
    trigger_mode, trigger_threshold
        Header text (``"Off"``, ``"Relative"``, ``"Absolute"``), and the threshold in volts.
    script_segments
        Segments of a ramp script, each with ``samples``, ``duration`` (s) and ``type``. They are
        stored one after the other in the order of time, none reversed; ``n_ext`` and ``n_ret``
        then stand in ``Samps/line`` only. This order is an assumption: no real file shows it.
    peakforce
        Makes the file a PeakForce capture: the deflection alone, ``2 * n_ext`` samples per pixel.
    duplicate_list
        Write the first channel again after the others, bit for bit, with ``X Data Type: Time``.
    sample_period_us
        The header's ``Sample period``, which is not the time per sample.
    header_size
        Bytes before the data; ``None`` is the version's own.
    newline
        Line end of the header.
    undeclared_maps, trailing
        Maps of the size of an image behind the last block that no section declares, and more bytes.
    damage
        ``"offset"``: a piece of text overwrites a number in the header and shifts all data by a
        byte, so that every stated offset is one too small, as it was seen in a real file.

    Returns
    -------
    bytes
        What was written.
    """
    if peakforce is not None:
        if n_hold or n_ret != n_ext or script_segments is not None:
            raise ValueError("a PeakForce capture has two equal halves and nothing else")
        points = peakforce.sample_points or 2 * n_ext
        peakforce = replace(peakforce, sample_points=points)
    rows, columns = grid or (1, 1)
    n_samples = n_ext + n_hold + n_ret
    slot = max(n_ext, n_ret) if slot is None else slot
    if script_segments is not None:
        n_samples = sum(int(segment["samples"]) for segment in script_segments)
    header_size = default_header_size(version) if header_size is None else header_size
    volume = grid is not None or peakforce is not None
    mode = "Image" if peakforce else "Force Volume" if volume else "Force"
    scan = ScanSettings(
        mode,
        columns if volume else 256,
        rows if volume else 256,
        scan_size,
        offsets,
        rotate,
        scan_rate,
        capture_direction,
        sample_period_us,
        peakforce,
    )
    ramp = ramp_size_nm / z_sens[0]
    sens = sensitivities([*channels, *images], version, z_sens)
    context = "FVOL" if volume else "FOL"
    lines = opening("*Force file list", version, date, context, header_size, z_sens, sens, scan)
    trigger = (trigger_mode, channels[0].sensitivity[0], trigger_threshold)
    pause = hold_lines(version, n_hold, hold_time, script_segments)
    lines += _force_list(
        version, (slot, n_ext, n_ret), scan, volume, ramp, pause, trigger, fv_line_direction
    )
    lists = list(channels)
    if duplicate_list:
        lists.append(replace(lists[0], x_data_type="Time"))
    blocks: list[bytes] = []
    offset = header_size
    for channel in lists:
        raw = np.asarray(channel.raw)
        if raw.shape != (rows * columns, n_samples):
            raise ValueError(f"{channel.name}: {raw.shape} is not {(rows * columns, n_samples)}")
        if script_segments is None:
            if peakforce is not None and peakforce.marker:
                raw = raw.copy()
                raw[:, 0] = _MARKER
            extend, hold, retract = np.split(raw, [n_ext, n_ext + n_hold], axis=1)
            raw = np.concatenate(
                [_filled(extend[:, ::-1], slot), _filled(retract, slot), hold], axis=1
            )
        blocks.append(_stored(raw, version))
        samples = f"{slot} {n_ext}"
        lines += force_section(
            channel, version, offset, len(blocks[-1]), samples, ramp, frame_direction
        )
        offset += len(blocks[-1])
    for image in images:
        blocks.append(_stored(image.raw, version))
        lines += image_section(image, version, "OL1BIG", offset, len(blocks[-1]))
        offset += len(blocks[-1])
    pattern = 1000 * np.arange(undeclared_maps * rows * columns) % 30011
    blocks += [_stored(pattern, version), trailing]
    head = _encode([*lines, _END], newline, header_size, damage)
    return _write(path, head + b"".join(blocks))


def write_images(
    path: str | Path,
    images: Sequence[ImageChannel],
    *,
    version: int = 0x09700105,
    electrochemistry: bool = False,
    z_sens: tuple[float, str] = (13.2, "nm/V"),
    scan_rate: float = 1.0,
    scan_size: tuple[float, float] = (2000.0, 2000.0),
    offsets: tuple[float, float] = (0.0, 0.0),
    rotate: float = 0.0,
    date: str = DATE,
    capture_direction: str = "Up",
    header_size: int | None = None,
    newline: str = "\r\n",
) -> bytes:
    r"""Write a file that holds images only; the parameters are those of `write_force`.

    With ``electrochemistry`` the first line is ``\*EC File list`` and the context ECCON. The scan
    list states half of the lines that the images have, as some real files do.
    """
    header_size = default_header_size(version) if header_size is None else header_size
    rows, columns = images[0].raw.shape
    scan = ScanSettings(
        "Image",
        columns,
        max(rows // 2, 1),
        scan_size,
        offsets,
        rotate,
        scan_rate,
        capture_direction,
    )
    first_line = "*EC File list" if electrochemistry else "*File list"
    context = "ECCON" if electrochemistry else "OL2BIG" if version >= V92 else "OL2"
    sens = sensitivities(images, version, z_sens)
    lines = opening(first_line, version, date, context, header_size, z_sens, sens, scan)
    lines += ["\\*Fast Scan list", "\\Phase Shift: 0", "\\Closed Loop: Disabled"]
    blocks: list[bytes] = []
    offset = header_size
    for image in images:
        blocks.append(_stored(image.raw, version))
        own = "OL1BIG" if version >= V92 and not electrochemistry else "OL"
        lines += image_section(image, version, own, offset, len(blocks[-1]))
        offset += len(blocks[-1])
    if electrochemistry:
        lines += ["\\*EC AFM plot V vs. T list", "\\Data offset: 0", "\\Data length: 0"]
        lines += ["\\Start context: ECCON", "\\Bytes/pixel: 2", "\\Samps/line: 0 0"]
    head = _encode([*lines, _END], newline, header_size)
    return _write(path, head + b"".join(blocks))


def _force_list(
    version: int,
    samples: tuple[int, int, int],
    scan: ScanSettings,
    volume: bool,
    ramp: float,
    hold: list[str],
    trigger: tuple[str, str, float],
    line_direction: str,
) -> list[str]:
    """Return the ``Ciao force list``; what describes a volume is there for single curves too."""
    slot, n_ext, n_ret = samples
    per_second = 2 * ramp * scan.rate
    curves = f"{scan.columns if volume else 16}{'' if version >= V92 else ' 0'}"
    lines = [
        "\\*Ciao force list",
        f"\\Scan rate: {scan.rate:g}",
        f"\\Forward vel.: {per_second:g}",
        f"\\Reverse vel.: {per_second:g}",
        f"\\Samps/line: {slot} {n_ext}",
        f"\\Samps/line, retrace: {n_ret}",
        f"\\Trigger mode: {trigger[0]}",
        *hold,
        "\\Columns: 7",
        "\\Rows: 2",
        f"\\force/line: {curves}",
        f"\\Samples / line: {curves}",
    ]
    if version >= V92:
        lines += ["\\X Type: Height Sensor", f"\\FV Line Direction: {line_direction}"]
    lines += [
        "\\Deflection Sensitivity Correction: 1.08",
        "\\PF PGain\t: 99.8779",
        "\\PSD Bin Width : 7.62939",
    ]
    if version >= V97:
        lines += [f"\\FV Lines: {scan.rows if volume else 2}", "\\FV Aspect Ratio: 1:1"]
    if version < V9:
        lines += [
            value_line("Z scan start", z_name(version), 0.006713867, 0.3958625, "V"),
            value_line("Z scan size", z_name(version), 0.006713867, 37.59398, "V"),
        ]
    lower = version < V92
    threshold = f"4:{spell('Trig Threshold', lower)} Deflection"
    return [
        *lines,
        value_line(spell("Sample Period", lower), "", 0.1, scan.sample_period_us, "us"),
        '\\@4:Image Data: S [DeflectionError] "Deflection Error"',
        value_line(threshold, trigger[1], 0.000375, trigger[2], "V"),
        '\\@4:Ramp channel: S [Zsweep] "Z"',
        *ramp_lines(version, ramp, " Zsweep"),
    ]


def _filled(half: IntArray, slot: int) -> IntArray:
    """Return a half with the garbage that real files have behind its samples."""
    garbage = np.resize(np.array([-19059, 32483, 0, -32767]), (len(half), slot - half.shape[1]))
    return np.concatenate([half, garbage], axis=1)


def _stored(raw: IntArray, version: int) -> bytes:
    """Return the samples as they lie on disk, or raise where they do not fit."""
    dtype = np.dtype("<i4" if version >= V92 else "<i2")
    limits = np.iinfo(dtype)
    if raw.size and (raw.min() < limits.min or raw.max() > limits.max):
        raise ValueError(f"samples do not fit into {8 * dtype.itemsize} bits")
    return raw.astype(dtype).tobytes()


def _encode(lines: list[str], newline: str, size: int, damage: str | None = None) -> bytes:
    """Return the header, padded to `size`, or one byte longer if it is damaged."""
    text = newline.join([*lines, ""]).encode("cp1252") + b"\x1a"
    if len(text) > size:
        raise ValueError(f"the header takes {len(text)} bytes, more than {size}")
    text = text.ljust(size, b"\0")
    if damage is None:
        return text
    key = text.lower().index(b"\\@4:ramp size zsweep")
    start = text.index(b"(", key) + 1
    return text[:start] + b"\\Data length" + text[text.index(b" ", start) :]


def _write(path: str | Path, content: bytes) -> bytes:
    Path(path).write_bytes(content)
    return content
