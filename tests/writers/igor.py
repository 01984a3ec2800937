"""Igor binary waves of version 5, laid out by Wavemetrics' Technical Note 3."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_CODES = {"f4": 2, "f8": 4, "i2": 0x10, "i4": 0x20}


def write_wave(
    path: Path,
    values: Any,
    *,
    labels: Sequence[str] = (),
    note: Mapping[str, str] | str = "",
    step: float = 5e-4,
    name: str = "wave0",
    order: str = "<",
) -> Path:
    """Write an array whose first dimension runs fastest; labels are those of its last one."""
    array = np.asarray(values)
    code = _CODES[array.dtype.str[1:]]
    data = array.astype(array.dtype.newbyteorder(order)).tobytes(order="F")
    text = note if isinstance(note, str) else "\r".join(f"{k}: {v}" for k, v in note.items()) + "\r"
    raw = text.encode("cp1252")
    named = b"".join(label.encode().ljust(32, b"\0") for label in ("", *labels)) if labels else b""
    sizes = [0] * 4
    sizes[max(1, array.ndim - 1)] = len(named)
    shape = [*array.shape, 0, 0, 0, 0][:4]
    wave = bytearray(320)
    struct.pack_into(f"{order}4xIIih", wave, 0, 3663744449, 3663744451, array.size, code)
    struct.pack_into("32s", wave, 28, name.encode())
    struct.pack_into(f"{order}4i", wave, 68, *shape)
    struct.pack_into(f"{order}4d", wave, 84, step, 1.0, 1.0, 1.0)
    struct.pack_into("4s", wave, 148, b"m")
    head = bytearray(64)
    struct.pack_into(f"{order}hh4i", head, 0, 5, 0, 320 + len(data), 0, len(raw), 0)
    struct.pack_into(f"{order}4i", head, 36, *sizes)
    total = sum(struct.unpack(f"{order}192h", bytes(head + wave)))
    struct.pack_into(f"{order}h", head, 2, (-total + 0x8000) % 0x10000 - 0x8000)
    path.write_bytes(bytes(head + wave) + data + raw + named)
    return path


def curve(n: int = 300, dwell: int = 0, *, seed: int = 1) -> tuple[Any, dict[str, str]]:
    """Raw, Defl and ZSnsr (n, 3) on a hard sample, and the note that goes with them."""
    rng = np.random.default_rng(seed)
    half = (n - dwell) // 2
    z = np.concatenate([np.linspace(0, 1e-6, half), np.linspace(1e-6, 0, n - dwell - half)])
    z = np.concatenate([z, np.full(dwell, z[-1])])
    force = np.maximum(z - 0.9e-6, 0.0) - 3e-9 + 2e-11 * rng.normal(size=n)
    table = np.stack([z + 1e-7, force, z + 1e-9 * rng.normal(size=n)], axis=1).astype("f4")
    borders = [0, half - 1, n - dwell - 1] + ([n - 1] if dwell else [])
    note = {
        "Indexes": ",".join(map(str, borders)) + ",",
        "Direction": "NaN,1,-1," + ("0," if dwell else ""),
        "SpringConstant": "2.5",
        "InvOLS": "5.1e-08",
        "AmpInvOLS": "5.5e-08",
        "TriggerChannel": "DeflVolts",
        "TriggerPoint": "1.96",
        "XLVDT": "-1.5e-05",
        "YLVDT": "2.5e-06",
        "Date": "2020-02-05",
        "Time": "6:18:49 PM",
        "Folder": "disk:a:b",
        "MicroscopeModel": "MFP3D",
    }
    return table, note


def write_samples(folder: Path) -> None:
    """Write the sample files."""
    folder.mkdir(parents=True, exist_ok=True)
    table, note = curve(300, 30)
    write_wave(folder / "curve-dwell.ibw", table, labels=("Raw", "Defl", "ZSnsr"), note=note)
