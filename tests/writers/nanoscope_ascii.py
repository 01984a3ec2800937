"""Write the ASCII export of the NanoScope software."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .nanoscope_header import (
    DATE,
    ForceChannel,
    ScanSettings,
    as_printed,
    default_header_size,
    hold_lines,
    opening,
    ramp_lines,
    sensitivities,
)

__all__ = ["write_ascii"]


def write_ascii(
    path: str | Path,
    channels: Sequence[ForceChannel],
    *,
    n_ext: int,
    n_ret: int,
    version: int = 0x09400105,
    ramp_size_nm: float = 500.0,
    z_sens: tuple[float, str] = (13.2, "nm/V"),
    scan_rate: float = 1.0,
    date: str = DATE,
    columns: Sequence[str] | None = None,
    repeat: bool = True,
    newline: str = "\r\n",
) -> bytes:
    """Write one curve as the ASCII export of the NanoScope software.

    Both halves are in the order of time. ``Time_s`` and ``Calc_Ramp`` come first, then volts, nm,
    pN (deflection only) and 32-bit LSB of every channel, all twice if `repeat`, as the software
    does. Values have seven digits, exponents three, and a tab ends each line. The shorter half
    leaves blank cells. The sections of the header all describe the first channel, in nm.

    Parameters
    ----------
    columns
        Names without ``_Ex`` or ``_Rt`` to write, such as ``"Defl_V"``; ``None`` writes all.
    repeat
        Write the channels' columns a second time.

    The other parameters are those of `write_force`.
    """
    curves = [np.asarray(channel.raw) for channel in channels]
    if any(curve.shape != (1, n_ext + n_ret) for curve in curves):
        raise ValueError("an export holds one curve with an extend and a retract part")
    slot = max(n_ext, n_ret)
    step = 1 / (2 * scan_rate * slot)
    extension = np.concatenate([np.arange(n_ext), n_ext - np.arange(1, n_ret + 1)]) / slot
    table: list[tuple[str, str, np.ndarray[Any, Any]]] = [
        ("Time_s", "Time_s_{}", step * np.arange(n_ext + n_ret)),
        ("Calc_Ramp_nm", "Calc_Ramp_{}_nm", ramp_size_nm * extension),
    ]
    measured: list[tuple[str, str, np.ndarray[Any, Any]]] = []
    for channel, curve in zip(channels, curves, strict=True):
        deflection = channel.internal == "DeflectionError"
        short = "Defl" if deflection else channel.name.replace(" ", "_")
        volts = curve[0] * as_printed(channel.hard)
        quantities = [("V", volts)]
        if channel.sensitivity[2] == "nm/V":
            metric = volts * as_printed(channel.sensitivity[1])
            quantities.append(("nm", metric))
            if deflection:
                quantities.append(("pN", metric * channel.spring_constant * 1000))
        quantities.append(("Lsb", curve[0] * (65536.0 if channel.bytes_pixel == 2 else 1.0)))
        measured += [(f"{short}_{q}", f"{short}_{q}_{{}}", data) for q, data in quantities]
    table += measured * (2 if repeat else 1)
    if columns is not None:
        table = [entry for entry in table if entry[0] in columns]
    cells = [["" for _ in range(2 * len(table))] for _ in range(max(n_ext, n_ret))]
    for place, (_, _, data) in enumerate(table):
        for half, part in enumerate((data[:n_ext], data[n_ext:])):
            for row, value in enumerate(part):
                cells[row][2 * place + half] = _scientific(float(value))
    titles = [title.format(half) for _, title, _ in table for half in ("Ex", "Rt")]
    body = ["".join(f"{cell}\t" for cell in row) for row in [titles, *cells]]
    head = _ascii_header(channels, n_ext, n_ret, version, ramp_size_nm, z_sens, scan_rate, date)
    text = newline.join([*(f'"{line}"' for line in head), *body, ""])
    content = text.encode("cp1252")
    Path(path).write_bytes(content)
    return content


def _ascii_header(
    channels: Sequence[ForceChannel],
    n_ext: int,
    n_ret: int,
    version: int,
    ramp_size_nm: float,
    z_sens: tuple[float, str],
    scan_rate: float,
    date: str,
) -> list[str]:
    """Return the header of an export, whose channel sections state plain nm, without quotes."""
    size, sens = default_header_size(version), sensitivities(channels, version, z_sens)
    scan = ScanSettings("Force", rate=scan_rate)
    lines = opening("?Force file list", version, date, "FOL", size, z_sens, sens, scan)
    volts = ramp_size_nm / z_sens[0]
    per_second, slot = 2 * volts * scan_rate, max(n_ext, n_ret)
    lines += [
        "\\*Ciao force list",
        f"\\Scan rate: {scan_rate:g}",
        f"\\Forward vel.: {per_second:g}",
        f"\\Reverse vel.: {per_second:g}",
        f"\\Samps/line: {slot} {n_ext}",
        f"\\Samps/line, retrace: {n_ret}",
        *hold_lines(version, 0, 0.1, None),
        "\\force/line: 16",
        "\\@4:Image Data: Deflection Error",
        "\\@4:Ramp channel: Z",
        *ramp_lines(version, volts, " Zsweep"),
    ]
    first = channels[0]
    for _ in channels:
        lines += [
            "\\*Ciao force image list",
            f"\\Data offset: {size}",
            f"\\Data length: {8 * slot}",
            f"\\Bytes/pixel: {first.bytes_pixel}",
            f"\\Samps/line: {slot} {n_ext}",
            f"\\Spring Constant: {first.spring_constant:g}",
            "\\X Data Type: Ch2:",
            f"\\@4:Image Data: {first.name}",
            "\\@Z magnify: 1",
            f"\\@4:Z scale: {first.soft * first.sensitivity[1]:g} nm",
            f"\\@4:Ramp Size: {ramp_size_nm:g} nm",
        ]
    return [*lines, "\\*Force file list end"]


def _scientific(value: float) -> str:
    """Return `value` with seven digits and an exponent of three."""
    mantissa, exponent = f"{value:.6e}".split("e")
    return f"{mantissa}e{exponent[0]}{int(exponent[1:]):03d}"
