"""The directory of a zip archive with very many members, and their contents.

A quantitative image has ten members for each of its pixels. An object for each of them, as
Python's own zipfile makes, takes more memory and time than the measurement: here the directory is
a few columns of numbers. The layout is that of PKWARE's APPNOTE.TXT, 4.3 and 4.5.
"""

from __future__ import annotations

import re
import struct
import zlib
from array import array
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import numpy as np

from nrm_plugin.columns import AnyArray, FileStamp, IntArray
from nrm_plugin.errors import CorruptFile, InvalidInput

#: The end of the directory, without and with 64 bits, the way to the latter, and an entry.
_END, _END_64 = struct.Struct("<4s4H2IH"), struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_ENTRY = np.dtype(
    [
        ("signature", "S4"),
        ("made_by", "<u2"),
        ("needs", "<u2"),
        ("flags", "<u2"),
        ("method", "<u2"),
        ("time", "<u2"),
        ("date", "<u2"),
        ("crc", "<u4"),
        ("packed", "<u4"),
        ("size", "<u4"),
        ("name", "<u2"),
        ("extra", "<u2"),
        ("comment", "<u2"),
        ("disk", "<u2"),
        ("attributes", "<u2"),
        ("more_attributes", "<u4"),
        ("offset", "<u4"),
    ]
)
_LENGTHS, _LENGTHS_AT = struct.Struct("<3H"), 28

#: What is kept of an entry.
_FIELDS = np.dtype(
    [
        ("flags", "u2"),
        ("method", "u2"),
        ("crc", "u4"),
        ("packed", "i8"),
        ("size", "i8"),
        ("offset", "i8"),
    ]
)
_LOCAL = struct.Struct("<4s5H3I2H")
_IS_END, _IS_END_64, _IS_LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_IS_ENTRY, _IS_LOCAL = b"PK\x01\x02", b"PK\x03\x04"

#: Folder of a curve.
_FOLDER = re.compile(rb"index/(\d{1,9})/")

#: Longest comment behind the end of the directory.
_COMMENT = 1 << 16

#: Bytes of the directory that are read at once.
_PIECE = 1 << 20

#: A 32-bit number that says that the true one has 64 and stands in the extra field.
_SEE_EXTRA = 0xFFFFFFFF

#: No stream of deflate becomes more times as long (zlib's documentation).
_MOST = 1032

#: Nor do all members of an archive together; a channel that is dead packs to a thousandth, and one
#: in twenty that is not keeps the whole below this. Small archives may claim so many bytes more.
_MOST_TOGETHER, _SMALL = 64, 1 << 23

_STORED, _DEFLATED, _ENCRYPTED = 0, 8, 1

#: Longest header that is read, bytes; real ones have a few thousand.
_LONGEST_TEXT = 1 << 22

#: Read behind a member's name before its extra field is known, bytes.
_SLACK = 64


def holds(path: Path, name: bytes) -> bool:
    """Whether a zip archive has a member with such a name, by the end of its directory.

    Names inside a member that is an archive itself do not count.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 2 * _COMMENT))
            tail = file.read(2 * _COMMENT)
    except OSError:
        return False
    end = tail.rfind(_IS_END)
    if end < 0 or len(tail) - end < _END.size:
        return False
    length = _END.unpack_from(tail, end)[5]
    return name in tail[max(0, end - length) : end]


class ZipDirectory:
    """Where the members of an archive lie.

    Parameters
    ----------
    stamp : FileStamp

    Attributes
    ----------
    folders : (n,) array of int
        Numbers of the folders below ``index/``, rising; empty without such.
    parts : dict of str to int
        Column of `table` for each name inside such a folder.
    table : (n, n_parts) array of int
        Number of the member, -1 where there is none.
    top : dict of str to int
        Number of every member outside.
    sizes : (n_members,) array of int
        Bytes of each member, as the directory has them. They are checked when it is read.

    Raises
    ------
    CorruptFile
        If the directory is missing, cut short, or contradicts itself.
    """

    def __init__(self, stamp: FileStamp) -> None:
        self.stamp = stamp
        self.top: dict[str, int] = {}
        numbers, member, part = array("i"), array("i"), array("i")
        names: dict[bytes, int] = {}
        pieces = [np.empty(0, _FIELDS)]
        with stamp.opened() as file:
            begin, length, count = _find(file, stamp)
            first, folder, number = 0, b"index/", -1
            for fields, found in _entries(file, stamp, begin, length, count):
                pieces.append(fields)
                for i, name in enumerate(found, first):
                    if name.endswith(b"/"):
                        continue
                    if not name.startswith(folder) or number < 0:
                        match = _FOLDER.match(name)
                        if match is None:
                            self.top[name.decode("utf-8", "replace")] = i
                            continue
                        folder, number = match[0], int(match[1])
                    numbers.append(number)
                    member.append(i)
                    part.append(names.setdefault(name[len(folder) :], len(names)))
                first += len(found)
        fields = np.concatenate(pieces)
        self.flags, self.methods, self.crcs = (fields[name] for name in ("flags", "method", "crc"))
        self.packed, self.sizes, self.offsets = (
            fields[name] for name in ("packed", "size", "offset")
        )
        self.parts = {name.decode("utf-8", "replace"): i for name, i in names.items()}
        self._check()
        folders, row = np.unique(np.array(numbers), return_inverse=True)
        if len(folders) * len(names) > 64 * len(self.sizes):
            raise CorruptFile(
                stamp.path, begin, "the same members in every folder", f"{len(names)} names"
            )
        self.folders: IntArray = folders.astype(np.int64)
        self.table = np.full((len(folders), len(names)), -1, np.int32)
        self.table[row, np.array(part)] = member

    def _check(self) -> None:
        ends = self.offsets + self.packed
        wrong = (self.offsets < 0) | (self.packed < 0) | (ends > self.stamp.size)
        if wrong.any():
            more = f"{int(ends.max()) - self.stamp.size} bytes more of data"
            raise CorruptFile(self.stamp.path, self.stamp.size, more, "the end of the file")
        wrong = (self.sizes < 0) | (self.sizes > _MOST * self.packed + 64)
        if wrong.any():
            one = int(np.argmax(wrong))
            raise CorruptFile(
                self.stamp.path,
                int(self.offsets[one]),
                f"a member of at most {_MOST} times its {self.packed[one]} packed bytes",
                f"{self.sizes[one]} bytes",
            )

        claimed = int(self.sizes.sum())
        if claimed > _MOST_TOGETHER * self.stamp.size + _SMALL:
            raise CorruptFile(
                self.stamp.path,
                None,
                f"members of at most {_MOST_TOGETHER} times the archive's {self.stamp.size} bytes",
                f"{claimed} bytes",
            )

    def text(self, member: int, file: FileIO | None = None) -> str:
        """Contents of a header (latin-1).

        Raises
        ------
        CorruptFile, ChangedFile
        """
        if self.sizes[member] > _LONGEST_TEXT:
            raise CorruptFile(
                self.stamp.path,
                int(self.offsets[member]),
                f"a header of at most {_LONGEST_TEXT} bytes",
                f"{self.sizes[member]} bytes",
            )
        if file is not None:
            return self.read(member, file).decode("latin-1")
        with self.stamp.opened() as opened:
            return self.read(member, opened).decode("latin-1")

    def read(self, member: int, file: FileIO) -> bytes:
        """Contents of a member, checked against the directory's length and sum.

        Raises
        ------
        CorruptFile, InvalidInput
            The latter for an archive that is encrypted or packed in a way that JPK does not use.
        """
        at, packed, size = (int(c[member]) for c in (self.offsets, self.packed, self.sizes))
        file.seek(at)
        data = _exactly(file, self.stamp, at, _LOCAL.size + _SLACK + packed, least=_LOCAL.size)
        signature, *_, name, extra = _LOCAL.unpack_from(data)
        if signature != _IS_LOCAL:
            raise CorruptFile(self.stamp.path, at, "the begin of a member", repr(signature))
        begin = _LOCAL.size + name + extra
        if len(data) < begin + packed:
            file.seek(at)
            data = _exactly(file, self.stamp, at, begin + packed)
        body = data[begin : begin + packed]
        method = self.methods[member]
        if self.flags[member] & _ENCRYPTED or method not in (_STORED, _DEFLATED):
            raise InvalidInput(
                f"{self.stamp.path}: the archive is encrypted or packed in another way than JPK "
                "packs (stored or deflated): save it again in JPK's data processing"
            )
        if method == _DEFLATED:
            body = self._inflated(body, size, at)
        if len(body) != size or zlib.crc32(body) != self.crcs[member]:
            raise CorruptFile(
                self.stamp.path,
                at,
                f"a member of {size} bytes with the sum {int(self.crcs[member]):#010x}",
                f"{len(body)} bytes with {zlib.crc32(body):#010x}",
            )
        return body

    def _inflated(self, body: bytes, size: int, at: int) -> bytes:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            out = stream.decompress(body, size + 1)
        except zlib.error as error:
            raise CorruptFile(self.stamp.path, at, "a deflated member", str(error)) from None
        if not stream.eof and len(out) <= size:
            raise CorruptFile(self.stamp.path, at, "the end of a deflated member", "none")
        return out


def _exactly(
    file: FileIO, stamp: FileStamp, at: int, count: int, least: int | None = None
) -> bytes:
    """Read so many bytes; fewer, down to `least`, where the file ends."""
    pieces: list[bytes] = []
    missing = count
    while missing:
        piece = file.read(missing)
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
    if count - missing < (count if least is None else least):
        raise CorruptFile(
            stamp.path, at + count - missing, f"{missing} bytes more of data", "the end of the file"
        )
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _find(file: FileIO, stamp: FileStamp) -> tuple[int, int, int]:
    """Where the directory begins, its bytes, and its entries."""
    tail = min(stamp.size, _COMMENT + _END.size)
    file.seek(stamp.size - tail)
    data = _exactly(file, stamp, stamp.size - tail, tail)
    at = data.rfind(_IS_END)
    if at < 0 or len(data) - at < _END.size:
        raise CorruptFile(stamp.path, None, "the directory of a zip archive at the end", "none")
    _, disk, first, here, count, length, begin, _ = _END.unpack_from(data, at)
    end = stamp.size - tail + at
    if at >= _LOCATOR.size and data[at - _LOCATOR.size :].startswith(_IS_LOCATOR):
        place = _LOCATOR.unpack_from(data, at - _LOCATOR.size)[2]
        if place > stamp.size - _END_64.size:
            raise CorruptFile(stamp.path, end, "the directory's end inside the file", f"{place}")
        file.seek(place)
        wide = _END_64.unpack(_exactly(file, stamp, place, _END_64.size))
        if wide[0] != _IS_END_64:
            raise CorruptFile(stamp.path, place, "the end of a directory", repr(wide[0]))
        disk, first, here, count, length, begin = wide[4:]
        end = place
    if disk or first or here != count:
        raise InvalidInput(f"{stamp.path}: the archive is in several parts: save it again as one")
    if begin + length > end or length < count * _ENTRY.itemsize:
        raise CorruptFile(
            stamp.path,
            end,
            f"a directory of {count} entries in front",
            f"{length} bytes at {begin}",
        )
    return begin, length, count


def _entries(
    file: FileIO, stamp: FileStamp, begin: int, length: int, count: int
) -> Iterator[tuple[AnyArray, list[bytes]]]:
    """Fields (of type `_FIELDS`) and names of the members, piece by piece."""
    lengths, header, longest = _LENGTHS.unpack_from, _ENTRY.itemsize, _ENTRY.itemsize + 3 * _COMMENT
    data, left, place = b"", length, begin
    while count:
        file.seek(place)
        piece = _exactly(file, stamp, place, min(left, _PIECE))
        data, left, place = data + piece, left - len(piece), place + len(piece)
        origin, at, starts, names = place - len(data), 0, array("q"), list[bytes]()
        enough = len(data) - (longest if left else 0)
        while count and at < enough:
            if at + header > len(data):
                break
            n, extra, comment = lengths(data, at + _LENGTHS_AT)
            starts.append(at)
            names.append(data[at + header : at + header + n])
            at += header + n + extra + comment
            count -= 1
        if at > len(data) or (count and not left):
            raise CorruptFile(stamp.path, place, f"{count} more entries of a directory", "the end")
        entries = np.frombuffer(data, np.uint8)[np.array(starts)[:, None] + np.arange(header)].view(
            _ENTRY
        )[:, 0]
        wrong = entries["signature"] != _IS_ENTRY
        if wrong.any():
            one = int(np.argmax(wrong))
            raise CorruptFile(
                stamp.path,
                origin + starts[one],
                "an entry of the directory",
                repr(bytes(entries["signature"][one])),
            )
        fields = np.empty(len(entries), _FIELDS)
        for name in _FIELDS.names or ():
            fields[name] = entries[name]
        wide = (entries["size"] == _SEE_EXTRA) | (entries["packed"] == _SEE_EXTRA)
        for i in np.flatnonzero(wide | (entries["offset"] == _SEE_EXTRA)).tolist():
            stop = starts[i] + header + len(names[i]) + int(entries["extra"][i])
            field = data[stop - int(entries["extra"][i]) : stop]
            values = (int(fields[name][i]) for name in ("size", "packed", "offset"))
            fields["size"][i], fields["packed"][i], fields["offset"][i] = _wide(field, *values)
        yield fields, names
        data = data[at:]


def _wide(extra: bytes, *values: int) -> list[int]:
    """Sizes and offset, those of 64 bits from the extra field."""
    out, at = list(values), 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        field = extra[at + 4 : at + 4 + length]
        if kind == 1:
            for i, value in enumerate(values):
                if value == _SEE_EXTRA and len(field) >= 8:
                    out[i], field = int.from_bytes(field[:8], "little"), field[8:]
            break
        at += 4 + length
    return [min(value, 1 << 62) for value in out]
