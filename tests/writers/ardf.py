"""ARDF files of Asylum, laid out by the public descriptions of the format."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from writers.igor import curve

CHANNELS = (("Raw", "m"), ("Defl", "m"), ("ZSnsr", "m"))

NOTE = {
    "SpringConstant": "2.5",
    "InvOLS": "5.1e-08",
    "FastScanSize": "3e-06",
    "SlowScanSize": "1e-06",
    "NumPtsPerSec": "2000",
    "Date": "2020-02-05",
    "Time": "6:18:49 PM",
    "MicroscopeModel": "Cypher",
    "TriggerChannel": "DeflVolts",
    "TriggerPoint": "1.96",
}


def piece(name: str, body: bytes, flags: int = 0) -> bytes:
    """CRC, length, four letters, a number, and what there is."""
    rest = struct.pack("<I4sI", 16 + len(body), name.encode(), flags) + body
    return struct.pack("<I", zlib.crc32(rest)) + rest


def table(name: str, entries: Sequence[bytes], stride: int, room: int = 0) -> bytes:
    """Write a table with room for further entries, which is zeros."""
    count = max(len(entries), room)
    head = piece(name, struct.pack("<QII", 32 + count * stride, count, stride))
    return head + b"".join(entries) + bytes(stride * (count - len(entries)))


def text32(text: str) -> bytes:
    """Text in 32 bytes."""
    return text.encode("cp1252").ljust(32, b"\0")


@dataclass(kw_only=True)
class Volume:
    """Curves of one direction, (line, point) -> (samples, channels), and how they are written.

    Attributes
    ----------
    curves : dict
    borders : callable
        Number of samples -> where the parts begin.
    order : sequence of (int, int)
        Places in the order of time.
    extras : sequence of str
        Names of single values; they are ``extra(line, point)``.
    """

    curves: Mapping[tuple[int, int], Any]
    shape: tuple[int, int]
    order: Sequence[tuple[int, int]] = ()
    channels: Sequence[tuple[str, str]] = CHANNELS
    parts: Sequence[str] = ("Ext", "Ret")
    borders: Callable[[int], tuple[int, ...]] = lambda n: (0, n // 2)
    kind: int = 2
    step: tuple[float, float, float] = (1e-6, 1e-6, 5e-4)
    units: tuple[str, str, str] = ("m", "m", "s")
    extras: Sequence[str] = ()
    extra: Callable[[int, int], Sequence[float]] = lambda line, point: ()
    lines: dict[int, int] = field(default_factory=dict)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Places in the order of time."""
        return list(self.order) or sorted(self.curves)


def _set(volume: Volume, place: tuple[int, int], number: int, at: int, before: int) -> bytes:
    """One curve: its set, its name, its channels, and its single values."""
    line, point = place
    data = np.asarray(volume.curves[place], "<f4")
    name = f"Line{line:04}Point{point:04}".encode()
    pieces = [piece("VNAM", struct.pack("<IIII", number, line, point, len(name)) + name + bytes(9))]
    n = len(data)
    borders = [*volume.borders(n), n - 1, 0, 0, 0, 0][:5]
    for k in range(data.shape[1]):
        head = struct.pack("<10I", number, line, point, n, k, *borders)
        pieces.append(piece("VDAT", head + data[:, k].tobytes()))
    if volume.extras:
        values = volume.extra(line, point)
        body = struct.pack("<IIII", number, line, point, len(values))
        pieces.append(piece("XDAT", body + struct.pack(f"<{len(values)}d", *values)))
    size = 48 + sum(map(len, pieces))
    head = struct.pack("<IIIIQQ", number, line, point, volume.kind, before, at + size)
    return piece("VSET", head) + b"".join(pieces)


def _image(name: str, unit: str, values: Any, step: tuple[float, float]) -> bytes:
    rows, columns = values.shape
    own = struct.pack("<II16xdd", columns, rows, *step)
    own += text32("m") + text32("m") + text32(name) + text32(unit)
    data = [piece("IDAT", np.asarray(row, "<f4").tobytes()) for row in values]
    return (
        table("IMAG", [], 24, 2)
        + table("TTOC", [], 32, 3)
        + piece("IDEF", own)
        + table("IBOX", data, 16 + 4 * columns)
        + piece("GAMI", b"")
    )


def write_ardf(
    path: Path,
    volumes: Sequence[Volume],
    *,
    images: Sequence[tuple[str, str, Any]] = (),
    note: Mapping[str, str] | str = NOTE,
) -> Path:
    """Write a file; the sets of several volumes are mixed line by line, as both directions are.

    Offsets depend on lengths alone: the file is laid out twice.
    """
    text = note if isinstance(note, str) else "\r".join(f"{k}: {v}" for k, v in note.items()) + "\r"
    raw = text.encode("cp1252")
    blocks: dict[str, int] = {}
    for _ in range(2):
        out = bytearray(piece("ARDF", b""))
        entries = [
            piece("IMAG", struct.pack("<Q", blocks.get(f"i{i}", 1))) for i in range(len(images))
        ]
        entries += [
            piece("VOLM", struct.pack("<Q", blocks.get(f"v{i}", 1))) for i in range(len(volumes))
        ]
        out += table("FTOC", entries, 24, 8)
        out += table("TTOC", [piece("TOFF", struct.pack("<QQ", 0, blocks.get("text", 1)))], 32, 4)
        blocks["text"] = len(out)
        out += piece("TEXT", struct.pack("<II", 0, len(raw)) + raw + bytes(7))
        for i, (name, unit, values) in enumerate(images):
            blocks[f"i{i}"] = len(out)
            out += _image(name, unit, values, (1e-6, 1e-6))
        for i, volume in enumerate(volumes):
            blocks[f"v{i}"] = len(out)
            out += _volume(volume, len(volumes) > 1)
        before = 0
        turns = [
            (volume, line)
            for number in range(max(v.shape[0] for v in volumes) if volumes else 0)
            for volume in volumes
            for line in list(dict.fromkeys(line for line, _ in volume.places))[number : number + 1]
        ]
        for volume, line in turns:
            volume.lines[line] = len(out)
            for place in volume.places:
                if place[0] == line:
                    at = len(out)
                    out += _set(volume, place, place[0] * volume.shape[1] + place[1], at, before)
                    before = at
        out += piece("THMB", bytes(40))
    path.write_bytes(bytes(out))
    return path


def _volume(volume: Volume, both: bool) -> bytes:
    lines, points = volume.shape
    own = struct.pack("<II24xddd", points, lines, *volume.step)
    own += b"".join(map(text32, volume.units))
    own += text32("".join(f"{part};" for part in volume.parts)) + struct.pack(
        "<Q", len(volume.parts)
    )
    entries = [piece("NEXT", struct.pack("<Q", 1))] if both else []
    entries.append(piece("NSET", struct.pack("<Q", len(volume.curves))))
    names = "".join(f"{name};" for name in volume.extras).encode()
    first = dict.fromkeys(line for line, _ in volume.places)
    offsets = [
        piece("VOFF", struct.pack("<IIQQ", line * points, line, 0, volume.lines.get(line, 1)))
        for line in first
    ]
    return (
        table("VOLM", entries, 24, 4)
        + table("TTOC", [], 32, 2)
        + piece("VDEF", own)
        + b"".join(piece("VCHN", text32(name) + text32(unit)) for name, unit in volume.channels)
        + piece("XDEF", struct.pack("<II", 0, len(names)) + names.ljust(72, b"\0"))
        + table("VTOC", offsets, 40, lines)
        + piece("MLOV", b"")
    )


def map_of(
    shape: tuple[int, int], samples: Callable[[int, int], int] = lambda line, point: 120
) -> dict[tuple[int, int], Any]:
    """Curves on a hard sample at each place: Raw, Defl, ZSnsr."""
    return {
        (line, point): curve(samples(line, point), seed=line * shape[1] + point)[0]
        for line in range(shape[0])
        for point in range(shape[1])
    }


def write_samples(folder: Path) -> None:
    """Write the sample file: a fast map, both directions, the second backwards."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = (2, 3)
    backwards = [(line, point) for line in range(2) for point in (2, 1, 0)]
    volumes = [
        Volume(curves=map_of(shape), shape=shape, kind=10),
        Volume(curves=map_of(shape), shape=shape, kind=11, order=backwards),
    ]
    height = np.arange(6.0).reshape(shape) * 1e-9
    write_ardf(folder / "map-both.ardf", volumes, images=[("HeightRetrace", "m", height)])
