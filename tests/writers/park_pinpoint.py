"""Park's PS-PPT files: a table of frames, and JSON with base64 numbers in each."""

from __future__ import annotations

import base64
import itertools
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCAN_START, SCAN_STOP, PARAMETERS, CURVE, UNUSED = 0, 1, 16, 17, 255


def write_frames(
    path: Path, frames: Sequence[tuple[int, bytes]], *, unused: int = 3, further: int = 0
) -> Path:
    """Write frames as they are given, with `unused` empty places in the table."""
    path = Path(path)
    n = len(frames) + unused
    out = b"PS-PPT/v1\n" + struct.pack(">4I", 1 << 24 | n, further, 0, 0)
    at = len(out) + 8 * n
    places = itertools.accumulate((len(data) for _, data in frames), initial=at)
    out += b"".join(
        struct.pack(">2I", kind << 24, place)
        for (kind, _), place in zip(frames, places, strict=False)
    )
    out += struct.pack(">2I", UNUSED << 24, 0) * unused
    path.write_bytes(out + b"".join(data for _, data in frames))
    return path


def as_frame(content: Any, *, slashes: bool = False) -> bytes:
    """Write an object as compact JSON and a line feed; with `slashes`, each as ``\\/``."""
    text = json.dumps(content, separators=(",", ":"))
    return (text.replace("/", "\\/") if slashes else text).encode() + b"\n"


def scan_start(rows: int, columns: int, **geometry: Any) -> dict[str, Any]:
    """The frame that a file begins with."""
    return {
        "type": "scan.start",
        "time": "2025/09/24 15:43:05",
        "path": "C:/data/map.ps-ppt",
        "geometry": {
            "pixelWidth": columns,
            "pixelHeight": rows,
            "width": 5.0,
            "height": 4.0,
            "direction": "forward",
            "offsetX": 10.0,
            "offsetY": -20.0,
            "rotation": 0,
        }
        | geometry,
    }


def scan_stop() -> dict[str, Any]:
    """The frame that a file ends with."""
    return {"type": "scan.stop", "time": "2025/09/24 15:44:05"}


def parameters(**calibration: Any) -> dict[str, Any]:
    """Cantilever and settings."""
    return {
        "type": "ppt.param",
        "cantilever": {
            "name": "PPP-FMR",
            "cal": {"forceConstant": 2.8, "forceSlope": 0.025} | calibration,
        },
        "pinpoint": {"basic": {"approachSpeed": 30, "retractSpeed": 30}},
    }


def curve(
    channels: Sequence[tuple[str, str, NDArray[np.float32]]],
    fast: int,
    slow: int,
    *,
    padding: bool = False,
) -> dict[str, Any]:
    """One pixel."""
    return {
        "type": "ppt.rtfd",
        "info": {
            "channels": [{"id": name, "unit": unit} for name, unit, _ in channels],
            "forward": True,
            "index": {"fast": fast, "slow": slow},
            "elapsed_sec": 0.02,
            "padding": padding,
        },
        "numbers": [
            base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()
            for _, _, values in channels
        ],
    }
