"""Park's TIFF files, byte for byte: tags, image header, spectroscopy header, table of points.

Written from the description of the format alone; shares nothing with the importer.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x0E031301
V1, V2 = 0x01000001, 0x01000002
NUMBER_OF_TYPE = {"<i2": 0, "<i4": 1, "<f4": 2}

Tags = dict[int, tuple[int, bytes]]


def wide(text: str, characters: int) -> bytes:
    """Text of 16-bit characters, filled up with NULs."""
    return text.encode("utf-16-le")[: 2 * characters].ljust(2 * characters, b"\0")


@dataclass
class Picture:
    """An image and what its header says."""

    raw: NDArray[np.generic]
    source: str = "Z Height"
    unit: str = "um"
    gain: float = -4.5
    z_scale: float = 1.0
    z_offset: float = 0.0
    size: tuple[float, float] = (3.0, 2.0)
    offset: tuple[float, float] = (1.5, 1.0)
    angle: float = 0.0
    forward: bool = True
    up: bool = False
    swap: bool = False
    log: bool = False
    mode: str = "Contact"

    def header(self, version: int, kind: int) -> bytes:
        """580 bytes in version 1.0.2, 284 in version 1.0.1."""
        rows, columns = self.raw.shape
        out = b"".join(
            [
                struct.pack("<i", kind),
                wide(self.source, 32),
                wide(self.mode, 8),
                struct.pack("<dii", 0.0, 0, 0),
                struct.pack("<ii", columns, rows),
                struct.pack("<did", self.angle, 0, 0.1),
                struct.pack("<iii", self.forward, self.up, self.swap),
                struct.pack("<4d", *self.size, *self.offset),
                struct.pack("<dd", 0.8, 10.0),
                wide("nm", 8),
                struct.pack("<5d", 0.1, 0.2, self.gain, self.z_scale, self.z_offset),
                wide(self.unit, 8),
                struct.pack("<3i", 0, 1, 0),
                struct.pack("<3i", 0, self.log, 0),
            ]
        )
        assert len(out) == 284
        if version == V1:
            return out
        out += b"".join(
            [
                struct.pack("<dd", 1.0, 1.0),
                wide("High", 8) + wide("High", 8) + wide("on", 8),
                struct.pack("<3i", NUMBER_OF_TYPE[self.raw.dtype.str], 0, 0),
                struct.pack("<3d", 15.0, 285e3, 0.0),
                wide("NCHR", 16),
            ]
        )
        assert len(out) == 416
        return out.ljust(580, b"\0")


@dataclass
class ForceChannel:
    """A channel of curves.

    Parameters
    ----------
    name, unit, gain
        As in the header.
    raw : (point, sample) array
        With padding; both halves one behind the other.
    """

    name: str
    unit: str
    raw: NDArray[np.generic]
    gain: float = 1.0
    offset: float = 0.0


@dataclass
class Spectroscopy:
    """Curves and what their header says."""

    channels: Sequence[ForceChannel]
    points: NDArray[np.float64]  # (point, 3): x and y in um, time in s
    volume: bool = False
    per_row: int = 0
    grid: tuple[float, float, float, float] = (-1.0, -1.0, 0.0, 0.0)
    driving: int = 2
    periods: tuple[float, float] = (16.0, 16.0)
    speeds: tuple[float, float] = (0.5, 0.5)
    force_constant: float = 42.0
    sensitivity: float = 60.0
    force_limit: float = 2.0
    reference: bool = False
    extended: bool = True
    n_samples: int | None = None
    n_points: int | None = None
    patches: dict[int, bytes] = field(default_factory=dict)  # by their offset

    def header(self, version: int) -> bytes:
        """1208 bytes in version 1.0.2, 936 in version 1.0.1, and the tables behind them."""
        n, samples = self.channels[0].raw.shape
        out = b""
        for i in range(8):
            if i < len(self.channels):
                c = self.channels[i]
                out += wide(c.name, 32) + wide(c.unit, 8) + struct.pack("<dii", c.gain, 1, 0)
            else:
                out += bytes(96)
        out += struct.pack(
            "<5i4fi",
            len(self.channels),
            0,
            self.n_samples or samples,
            self.n_points if self.n_points is not None else n,
            self.driving,
            *self.periods,
            *self.speeds,
            self.volume,
        )
        offsets = [c.offset for c in self.channels]
        out += struct.pack("<8d", *offsets, *[0.0] * (8 - len(offsets)))
        out += struct.pack("<16i", *[0] * 16)
        assert len(out) == 936
        if version == V2:
            number = NUMBER_OF_TYPE[self.channels[0].raw.dtype.str]
            out += struct.pack(
                "<2i6d",
                self.per_row,
                self.reference,
                *self.grid,
                self.force_constant,
                self.sensitivity,
            )
            out += struct.pack("<7fi", self.force_limit, *[0.0] * 6, 0)
            out += struct.pack("<d", 0.0) + wide("", 8) + struct.pack("<2i", self.extended, 2)
            out += bytes(32 + 20) + struct.pack("<ifi", number, 10.0, 2) + bytes(88)
            assert len(out) == 1208
        out += np.asarray(self.points, "<f4").tobytes()
        if version == V2 and self.extended:
            out += bytes(40 * n * (1 + len(self.channels)))
        for at, data in self.patches.items():
            out = out[:at] + data + out[at + len(data) :]
        return out

    def data(self) -> bytes:
        """Point after point, channel after channel."""
        return np.stack([c.raw for c in self.channels], axis=1).tobytes()


def write_tiff(
    path: Path,
    *,
    picture: Picture | None = None,
    spectroscopy: Spectroscopy | None = None,
    version: int = V2,
    software: str = "Park Systems SmartScan",
    date: str = "2025:03:04 09:41:07",
    comments: str = "",
    directory_last: bool = False,
    thumbnail: int = 16,
    changes: Tags | None = None,
) -> Path:
    """Write a TIFF file whose page is a thumbnail of 8-bit zeros.

    Parameters
    ----------
    directory_last : bool
        Whether the directory lies behind everything else, as some programs put it.
    changes : dict
        Tags that replace others or are added; an empty value removes one.
    """
    path = Path(path)
    tags: Tags = {
        256: (4, struct.pack("<I", thumbnail)),
        257: (4, struct.pack("<I", thumbnail)),
        258: (3, struct.pack("<H", 8)),
        259: (3, struct.pack("<H", 1)),
        262: (3, struct.pack("<H", 3)),
        277: (3, struct.pack("<H", 1)),
        278: (4, struct.pack("<I", thumbnail // 2)),
        305: (2, software.encode() + b"\0"),
        306: (2, date.encode() + b"\0"),
        320: (3, bytes(1536)),
        50432: (4, struct.pack("<I", MAGIC)),
        50433: (4, struct.pack("<I", version)),
    }
    if picture is not None:
        kind = 0 if spectroscopy is None else 2
        tags[50434] = (1, picture.raw.tobytes())
        tags[50435] = (7, picture.header(version, kind))
    if comments:
        tags[50436] = (2, comments.encode() + b"\0")
    if spectroscopy is not None:
        tags[50438] = (7, spectroscopy.header(version))
        tags[50439] = (1, spectroscopy.data())
    tags |= changes or {}
    tags = {tag: value for tag, value in tags.items() if value[1]}
    strip = thumbnail * thumbnail // 2
    tags[273], tags[279] = (4, bytes(8)), (4, struct.pack("<II", strip, strip))
    length = 2 + 12 * len(tags) + 4
    values = sum(len(value) for _, value in tags.values() if len(value) > 4)
    begin = 8 if directory_last else 8 + length
    behind = begin + values
    directory = behind + 2 * strip if directory_last else 8
    tags[273] = (4, struct.pack("<II", behind, behind + strip))
    entries, body = b"", b""
    widths = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}
    for tag in sorted(tags):
        kind, value = tags[tag]
        place = struct.pack("<I", begin + len(body))
        if len(value) > 4:
            body += value
        else:
            place = value.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, len(value) // widths[kind]) + place
    ifd = struct.pack("<H", len(tags)) + entries + bytes(4)
    head = b"II*\0" + struct.pack("<I", directory)
    body += bytes(2 * strip)
    path.write_bytes(head + (body + ifd if directory_last else ifd + body))
    return path
