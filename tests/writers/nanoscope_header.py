"""Header text of synthetic NanoScope files: the channels a file holds and how their keys are spelt.

Only what a reader needs is written, under the key names of the format, with a few lines that a
careless reader trips over: the ramp of an earlier session, ``force/line`` in a file with a single
curve, a sample period that is not the time per sample, keys with a tab or a blank before the
colon, units such as ``~m`` and the degree sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

IntArray: TypeAlias = NDArray[np.integer[Any]]
Sensitivity: TypeAlias = tuple[str, float, str]
"""Name without ``Sens.``, value, and unit, for example ``("DeflSens", 30.0, "nm/V")``."""

V6, V9, V92, V94, V97 = 0x06000000, 0x09000000, 0x09200000, 0x09400000, 0x09700000
DATE = "09:41:07 AM Tue Mar 04 2025"
Z_HARD = 0.006713765
"""Volts per LSB of the Z drive as every line of the header states it."""


@dataclass(frozen=True)
class ForceChannel:
    """One channel of a force curve or force volume.

    Parameters
    ----------
    name, internal
        Display name (``"Deflection Error"``) and internal name (``"DeflectionError"``,
        ``"ZSensor"``, ``"Lateral"``, ``"Input1"``; may be empty).
    raw
        Integers, one row per curve, samples in the order in which they were measured.
    hard, soft
        Scale per LSB, and the display range behind the parenthesis.
    sensitivity
        Name, value and unit; the unit may be empty. Name and unit are written as they are.
    unit
        Unit of ``hard`` and ``soft``.
    bytes_pixel
        What the header states, which is not the width on disk from version 9.2 on.
    spring_constant
        In N/m, stated in this channel's section.
    x_data_type
        ``"Ramp"``, ``"Time"``, ``"Ch 2:"`` or ``"Ch2:"``.
    """

    name: str
    internal: str
    raw: IntArray
    hard: float
    soft: float
    sensitivity: Sensitivity
    unit: str = "V"
    bytes_pixel: int = 2
    spring_constant: float = 1.0
    x_data_type: str = "Ramp"


@dataclass(frozen=True)
class ImageChannel:
    """One image; ``raw`` is (rows, columns) with the smallest y in row 0.

    The value in volts is ``raw * soft / 2 ** (8 * bytes_pixel)``. ``scan_size`` is the header's
    text (``"2 2 ~m"``). The other fields are those of `ForceChannel`.
    """

    name: str
    internal: str
    raw: IntArray
    hard: float
    soft: float
    sensitivity: Sensitivity
    unit: str = "V"
    bytes_pixel: int = 2
    line_direction: str = "Trace"
    frame_direction: str = "Up"
    scan_size: str = "2 2 ~m"


@dataclass(frozen=True)
class PeakForce:
    """What makes a force volume a PeakForce capture.

    The tip oscillates by ``amplitude_nm`` about its rest position, ``frequency_khz`` times in a
    millisecond, and is lowest at sample ``sync_distance`` of the ``sample_points`` of one period
    (``None``: as many as are stored). With ``legacy`` the header has ``Sync Distance`` only,
    otherwise also ``Sync Distance QNM``. With ``marker`` the first sample of every curve, which is
    the last of the extend half on disk, reads -32768.
    """

    amplitude_nm: float
    frequency_khz: float
    sync_distance: float
    sample_points: int | None = None
    legacy: bool = False
    marker: bool = False


@dataclass(frozen=True)
class ScanSettings:
    """The scan list: lengths in nm, angle in radians."""

    operating_mode: str
    columns: int = 256
    rows: int = 256
    size: tuple[float, float] = (1000.0, 1000.0)
    offsets: tuple[float, float] = (0.0, 0.0)
    rotate: float = 0.0
    rate: float = 1.0
    capture_direction: str = "Up"
    sample_period_us: float = 12.0
    peakforce: PeakForce | None = None


def number(value: float) -> str:
    """Return `value` as the controller prints it: seven digits, no exponent, zero right-aligned."""
    if value == 0:
        return f"{0:>7d}"
    decimals = 6 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(max(decimals, 0), 14)}f}"


def as_printed(value: float) -> float:
    """Return what a reader finds in the header for `value`."""
    return float(number(value))


def default_header_size(version: int) -> int:
    """Return the header size in bytes that this version writes."""
    return 80960 if version >= V92 else 40960


def z_name(version: int) -> str:
    """Return the name of the Z drive's sensitivity."""
    return "Zsens" if version >= V6 else "Zscan"


def spell(key: str, lower: bool) -> str:
    """Return `key` as given, or with all but its first letter in lower case."""
    return key[0] + key[1:].lower() if lower else key


def aspect_ratio(width: float, height: float) -> str:
    """Return the ratio of two lengths as the header's ``"5:3"``."""
    ratio = Fraction(width / height).limit_denominator(64) if width and height else Fraction(1)
    return f"{ratio.numerator}:{ratio.denominator}"


def value_line(key: str, sensitivity: str, hard: float, soft: float, unit: str) -> str:
    """Return a ``V`` line; `sensitivity` may be empty."""
    scale = f"[Sens. {sensitivity}] " if sensitivity else ""
    return f"\\@{key}: V {scale}({number(hard)} {unit}/LSB) {number(soft)} {unit}"


def sensitivities(
    channels: Iterable[ForceChannel | ImageChannel], version: int, z_sens: tuple[float, str]
) -> dict[str, tuple[float, str]]:
    """Return what the scan list states: the channels' own, and some that no channel refers to."""
    found: dict[str, tuple[float, str]] = {z_name(version): z_sens}
    for channel in channels:
        name, value, unit = channel.sensitivity
        if found.setdefault(name, (value, unit)) != (value, unit):
            raise ValueError(f"two values for the sensitivity {name}")
    del found[z_name(version)]
    amplitude = "AmplSens" if version >= V6 else "Amplitude"
    others = {amplitude: (30.5, "nm/V"), "Phase": (1.0, ""), "Friction": (1.0, "")}
    others |= {"ECBiasSens": (1000.0, "mV/V")} if version >= V6 else {}
    return others | found


def opening(
    first_line: str,
    version: int,
    date: str,
    context: str,
    header_size: int,
    z_sens: tuple[float, str],
    sens: Mapping[str, tuple[float, str]],
    scan: ScanSettings,
) -> list[str]:
    """Return the sections that every file starts with: file, equipment, scanner and scan list."""
    lower = version < V6
    period = "Sample period"
    lines = [
        f"\\{first_line}",
        f"\\Version: 0x{version:08X}",
        f"\\Date: {date}",
        f"\\Start context: {context}",
        f"\\Data length: {header_size}",
        "\\Text: ",
        "\\Navigator note: k: 99 N/m, Data offset: 12",
        "\\*Equipment list",
        "\\Description: Synthetic microscope",
        "\\Scanner file: synthetic.scn",
        "\\*Scanner list",
        "\\Scanner type: AFM",
        f"\\{spell('Serial Number', lower)}: 0000S",
        "\\Piezo cal: 440",
        "\\X sensitivity: 210.5",
        f"\\@Sens. {z_name(version)}: V {number(z_sens[0])} {z_sens[1]}",
        "\\@Sens. CurrentSens: V 10.00000 nA/V",
        "\\*Ciao scan list",
        "\\Parameter select: Main",
        f"\\Operating mode: {scan.operating_mode}",
        f"\\{spell('Scan Size', lower)}: {scan.size[0]:g} nm",
        f"\\{spell('X Offset', lower)}: {scan.offsets[0]:g} nm",
        f"\\{spell('Y Offset', lower)}: {scan.offsets[1]:g} nm",
        f"\\Rotate Ang.: {scan.rotate:g}",
        f"\\Samps/line: {scan.columns}",
        f"\\Lines: {scan.rows}",
        f"\\{spell('Aspect Ratio', lower)}: {aspect_ratio(*scan.size)}",
        f"\\{spell('Scan Rate', lower)}: {0.99 * scan.rate:g}",
        f"\\Capture direction: {scan.capture_direction}",
        "\\Capture mode : Single",
    ]
    if version >= V6:
        lines += _peakforce_lines(scan.peakforce, version)
    lines += ['\\@MicroscopeList: S [AFMMode] "Contact"', '\\@SCM Feedback: S [] ""']
    lines += [f"\\@Sens. {key}: V {number(v)} {unit}" for key, (v, unit) in sens.items()]
    return [
        *lines,
        value_line(period, "", 0.1, scan.sample_period_us, "us"),
        value_line("Z center", z_name(version), 0.006713867, 55.0, "V"),
        value_line("2:TMSetPhase", "", 0.005493164, 0.0, "º"),
        value_line("3:CantPhase", "", 0.005493164, 106.2378, "º"),
        "\\@2:SCMIgain: V (0.001525879 1/LSB) 10.00000 ",
    ]


def _peakforce_lines(peakforce: PeakForce | None, version: int) -> list[str]:
    """Return the PeakForce keys, which files of every other kind have as well."""
    if peakforce is None:
        return [
            "\\Sample Points: 128",
            "\\Sync Distance: 137.833",
            "\\Sync Distance New: 0",
            "\\Sync Distance QNM: 0",
            "\\Peak Force Amplitude: 100",
            "\\PFT Freq: 2 kHz",
            "\\PeakForce Capture: Never",
        ]
    other = peakforce.sync_distance if peakforce.legacy else peakforce.sync_distance + 7
    lines = [
        f"\\Sample Points: {peakforce.sample_points}",
        f"\\Sync Distance: {other:g}",
        f"\\Sync Distance New: {other:g}",
    ]
    if not peakforce.legacy:
        lines.append(f"\\Sync Distance QNM: {peakforce.sync_distance:g}")
    return [
        *lines,
        "\\Peak Force Engage Amplitude: 150",
        f"\\Peak Force Amplitude: {peakforce.amplitude_nm:g}",
        f"\\PFT Freq: {peakforce.frequency_khz:g} {'kHz' if version >= V92 else 'KHz'}",
        "\\PeakForce Capture: Allow",
    ]


def hold_lines(
    version: int, n_hold: int, hold_time: float, script: Sequence[Mapping[str, Any]] | None
) -> list[str]:
    """Return the hold keys (9.2 on, or where there is a hold) and the ramp script keys (9.4 on).

    Without a script the list of segment lengths of an earlier one is still there, with 0 segments.
    """
    lines: list[str] = []
    if version >= V92 or n_hold:
        lines += [
            "\\Hold Type: Z Drive",
            f"\\Hold Samples: {n_hold}",
            f"\\Hold Time: {hold_time:g}",
        ]
    if script is not None:
        samples, durations, kinds = (
            "".join(f"{segment[key]}, " for segment in script)
            for key in ("samples", "duration", "type")
        )
        return [
            *lines,
            "\\Use Ramp Script: Yes",
            f"\\Segment Number: {len(script)}",
            f"\\Segment Type: {kinds}",
            f"\\Segment Samples: {samples}",
            f"\\Segment Duration: {durations}",
            f"\\Segment States: {'1, ' * len(script)}",
        ]
    if version >= V94:
        lines += [
            f"\\Use Ramp Script: {'No' if version >= V97 else 'Yes'}",
            "\\Segment Number: 0",
            "\\Segment Type: ",
            "\\Segment Samples: 10416, 2083, 1041, ",
            "\\Segment Duration: ",
            "\\Segment States: 3, 1, 1, ",
        ]
    return lines


def ramp_lines(version: int, ramp_volts: float, sweep: str) -> list[str]:
    """Return the lines that state the Z ramp; `sweep` is ``" Zsweep"`` in the force list."""
    name, lower = z_name(version), version < V92
    lines = [value_line(f"4:{spell('Ramp Size', lower)}{sweep}", name, Z_HARD, ramp_volts, "V")]
    if version < V94:
        lines.append(value_line(f"4:{spell('Ramp Offset', lower)}{sweep}", name, Z_HARD, 0.0, "V"))
    return [
        *lines,
        value_line(f"4:Ramp Begin{sweep}", name, Z_HARD, 0.0, "V"),
        value_line(f"4:Ramp End{sweep}", name, Z_HARD, 0.0, "V"),
    ]


def force_section(
    channel: ForceChannel,
    version: int,
    offset: int,
    length: int,
    samples: str,
    ramp_volts: float,
    frame_direction: str,
) -> list[str]:
    """Return one ``Ciao force image list``."""
    name, hard, unit = channel.sensitivity[0], channel.hard, channel.unit
    stale = [value_line("Z scan size", z_name(version), 0.006713867, 37.59398, "V")]
    return [
        "\\*Ciao force image list",
        f"\\Data offset: {offset}",
        f"\\Data length: {length}",
        f"\\Bytes/pixel: {channel.bytes_pixel}",
        "\\Start context: FOL",
        "\\Data type: AFM",
        "\\Note: ",
        f"\\Frame direction: {frame_direction}",
        f"\\Samps/line: {samples}",
        "\\Scan Line: Main",
        "\\Z direction: Retract",
        f"\\Spring Constant: {channel.spring_constant:g}",
        "\\Force TMR: 2.771651e+001",
        f"\\X Data Type: {channel.x_data_type}",
        f'\\@4:Image Data: S [{channel.internal}] "{channel.name}"',
        "\\@Z magnify: C [4:Z scale] 1.000000 ",
        value_line("4:Z scale", name, hard, channel.soft, unit),
        value_line("4:Z offset", name, hard, -0.7762273, unit),
        value_line("4:FV scale", name, hard, 2.5, unit),
        '\\@4:Ramp channel: S [Zsweep] "Z"',
        *(stale if version < V9 else []),
        *ramp_lines(version, ramp_volts, ""),
    ]


def image_section(
    image: ImageChannel, version: int, context: str, offset: int, length: int
) -> list[str]:
    """Return one ``Ciao image list``."""
    lower, (rows, columns) = version < V6, image.raw.shape
    name, hard, unit = image.sensitivity[0], image.hard, image.unit
    return [
        "\\*Ciao image list",
        f"\\Data offset: {offset}",
        f"\\Data length: {length}",
        f"\\Bytes/pixel: {image.bytes_pixel}",
        f"\\Start context: {context}",
        "\\Data type: AFM",
        "\\Note: I=0, P=50",
        "\\Plane fit: 0 0 0 5",
        f"\\Frame direction: {image.frame_direction}",
        f"\\Samps/line: {columns}",
        f"\\Number of lines: {rows}",
        f"\\{spell('Aspect Ratio', lower)}: {aspect_ratio(columns, rows)}",
        f"\\{spell('Scan Size', lower)}: {image.scan_size}",
        f"\\{spell('Scan Line', lower)}: Main",
        f"\\{spell('Line Direction', lower)}: {image.line_direction}",
        "\\Valid data start X: 0",
        "\\Valid data start Y: 0",
        f"\\Valid data len X: {columns}",
        f"\\Valid data len Y: {rows}",
        f'\\@2:Image Data: S [{image.internal}] "{image.name}"',
        "\\@Z magnify: C [2:Z scale] 0.003959216 ",
        value_line("2:Z scale", name, hard, image.soft, unit),
        value_line("2:Z offset", name, hard, -0.4969325, unit),
    ]
