"""Makes the checksums of a changed file right again, so that what lies behind them is reached."""

from __future__ import annotations

import re
import struct
import zlib


def zip_members(data: bytes) -> bytes:
    """The sums of the stored members of an archive, where their sizes lead to a place inside."""
    out = bytearray(data)
    at = out.find(b"PK\1\2")
    while at >= 0:
        if at + 46 <= len(out):
            _zip_member(out, at)
        at = out.find(b"PK\1\2", at + 4)
    return bytes(out)


def _zip_member(out: bytearray, entry: int) -> None:
    (method,) = struct.unpack_from("<H", out, entry + 10)
    (size,) = struct.unpack_from("<I", out, entry + 20)
    (local,) = struct.unpack_from("<I", out, entry + 42)
    if method or local + 30 > len(out) or out[local : local + 4] != b"PK\3\4":
        return
    name, extra = struct.unpack_from("<HH", out, local + 26)
    begin = local + 30 + name + extra
    total = zlib.crc32(out[begin : begin + size])
    struct.pack_into("<I", out, entry + 16, total)
    if not out[local + 6] & 8:
        struct.pack_into("<I", out, local + 14, total)


def recording(data: bytes) -> bytes:
    """The sums of the records of a recording."""
    out = bytearray(data)
    at = 16
    while at + 12 <= len(out):
        (length,) = struct.unpack_from("<I", out, at + 4)
        contents = out[at + 12 : at + 12 + length]
        struct.pack_into("<I", out, at + 8, zlib.crc32(contents))
        at += 12 + length
    return bytes(out)


def igor_wave(data: bytes) -> bytes:
    """The sum of the head of an Igor wave."""
    if len(data) < 384 or data[:2] not in (b"\5\0", b"\0\5"):
        return ardf(data)
    order = "<" if data[0] else ">"
    out = bytearray(data)
    struct.pack_into(f"{order}h", out, 2, 0)
    total = sum(struct.unpack_from(f"{order}192h", out))
    struct.pack_into(f"{order}h", out, 2, (-total + 0x8000) % 0x10000 - 0x8000)
    return bytes(out)


_PIECES = re.compile(
    rb"ARDF|FTOC|TTOC|TEXT|IMAG|IDEF|IBOX|VOLM|VDEF|VTOC|VCHN|XDEF|VSET|VNAM|VDAT|XDAT"
)


def ardf(data: bytes) -> bytes:
    """The sums of the pieces of an ARDF file."""
    out = bytearray(data)
    for match in _PIECES.finditer(data):
        at = match.start() - 8
        if at < 0:
            continue
        (length,) = struct.unpack_from("<I", out, at + 4)
        if 16 <= length <= len(out) - at:
            struct.pack_into("<I", out, at, zlib.crc32(out[at + 4 : at + length]))
    return bytes(out)
