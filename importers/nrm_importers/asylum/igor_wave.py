"""Igor binary waves of version 5: headers, labels and the note, without the numbers.

The layout is that of Wavemetrics' Technical Note 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nrm_importers.asylum.wave_notes import WaveNote
from nrm_plugin.columns import FileColumn, FileStamp, read_into
from nrm_plugin.errors import CorruptFile, InvalidInput, MissingFile

_FILE_HEADER = np.dtype(
    [
        ("version", "i2"),
        ("checksum", "i2"),
        ("wave_size", "i4"),
        ("formula_size", "i4"),
        ("note_size", "i4"),
        ("data_unit_size", "i4"),
        ("unit_sizes", "i4", 4),
        ("label_sizes", "i4", 4),
        ("indices_size", "i4"),
        ("options", "i4", 2),
    ]
)
_WAVE_HEADER = np.dtype(
    {
        "names": ["created", "saved", "count", "type", "name", "shape", "step", "unit"],
        "formats": ["u4", "u4", "i4", "i2", "S32", ("i4", 4), ("f8", 4), "S4"],
        "offsets": [4, 8, 12, 16, 28, 68, 84, 148],
        "itemsize": 320,
    }
)
_BEGIN = _FILE_HEADER.itemsize + _WAVE_HEADER.itemsize

#: Types of numbers that curves are stored in; no complex ones and no text.
_TYPES = {2: "f4", 4: "f8", 0x10: "i2", 0x20: "i4", 0x50: "u2", 0x60: "u4", 8: "i1", 0x48: "u1"}

_LABEL = 32

#: Among so many samples at the begin, those that are not numbers are looked for.
_LONGEST_LEAD = 64

#: Longest note that is read, bytes; real ones have 16,000.
_LONGEST_NOTE = 1 << 22


@dataclass(frozen=True, kw_only=True)
class IgorWave:
    """What a wave is, and where its numbers lie.

    Attributes
    ----------
    stamp : FileStamp
    name : str
    dtype : dtype
        Of the numbers, byte order included.
    shape : tuple of int
        The first dimension runs fastest.
    step : float
        Between points of the first dimension.
    saved : int
        Seconds since 1904, by the instrument's own clock, when it was last saved.
    labels : tuple of str
        Of the columns (layers, in an image); empty where there are none.
    note : WaveNote
    lead : int
        Samples at the begin in which a column has no number yet.
    """

    stamp: FileStamp
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    step: float
    saved: int
    labels: tuple[str, ...]
    note: WaveNote
    lead: int

    @property
    def length(self) -> int:
        """Samples of a curve, without those at the begin that are not numbers."""
        return self.shape[0] - self.lead

    def column(self, number: int = 0) -> FileColumn:
        """Numbers of a column: one curve."""
        at = _BEGIN + (number * self.shape[0] + self.lead) * self.dtype.itemsize
        return FileColumn.regular(self.stamp, self.dtype, at, 1, [(0, self.length, False)])


def read_wave(path: Path) -> IgorWave:
    """Read headers, labels and note of a wave.

    Raises
    ------
    CorruptFile
        If the headers contradict each other or the file's length.
    InvalidInput
        For a version of the format that is not read.
    """
    try:
        stamp = FileStamp.of(path)
    except OSError as error:
        raise MissingFile(path, error) from None
    raw = np.zeros(_BEGIN, np.uint8)
    with stamp.opened() as file:
        read_into(file, 0, raw[:2])
        order: Literal["<", ">"] = "<" if raw[0] else ">"
        version = int(raw[0]) or int(raw[1])
        if version != 5:
            raise InvalidInput(
                f"{path}: a wave of version {version} of Igor's format: save it again with Igor 6 "
                "or newer"
            )
        read_into(file, 0, raw)
        head = raw[: _FILE_HEADER.itemsize].view(_FILE_HEADER.newbyteorder(order))[0]
        wave = raw[_FILE_HEADER.itemsize :].view(_WAVE_HEADER.newbyteorder(order))[0]
        if int(raw.view(np.dtype("u2").newbyteorder(order)).sum()) & 0xFFFF:
            raise CorruptFile(path, 2, "headers whose sum is 0", "another sum")
        code = _TYPES.get(int(wave["type"]))
        if code is None:
            raise InvalidInput(
                f"{path}: a wave of type {wave['type']:#x} (text or complex numbers) is no curve"
            )
        dtype = np.dtype(code).newbyteorder(order)
        shape = tuple(int(n) for n in wave["shape"] if n)
        size = int(head["wave_size"]) - _WAVE_HEADER.itemsize
        count = math.prod(shape) if shape else 0
        if min(shape, default=0) < 0 or count != wave["count"] or size != count * dtype.itemsize:
            raise CorruptFile(
                path, 76, f"a wave of {size} bytes", f"{wave['count']} points of shape {shape}"
            )
        sizes = [int(n) for n in (head["formula_size"], head["note_size"], head["data_unit_size"])]
        sizes += [int(n) for n in head["unit_sizes"]] + [int(n) for n in head["label_sizes"]]
        end = _BEGIN + size + sum(sizes)
        if min(sizes) < 0 or size < 0 or end > stamp.size:
            raise CorruptFile(path, stamp.size, f"{end} bytes", f"{stamp.size}")
        at = _BEGIN + size + sizes[0]
        note = _text(file, at, min(sizes[1], _LONGEST_NOTE)).decode("cp1252", "replace")
        at += sum(sizes[1:7])
        # Columns of a table are labelled in its second dimension, layers of an image in the third.
        last = max(1, len(shape) - 1)
        at += sum(sizes[7 : 7 + last])
        width = sizes[7 + last] if last < len(shape) else 0
        if width and width != _LABEL * (shape[last] + 1):
            raise CorruptFile(path, None, f"labels of {shape[last]} columns", f"{width} bytes")
        width = min(width, _LABEL * (_LABEL + 1))
        labels = _text(file, at, width)
        lead = _lead(file, dtype, shape) if len(shape) in (1, 2) else 0
    found = [labels[i : i + _LABEL].split(b"\0")[0] for i in range(_LABEL, len(labels), _LABEL)]
    return IgorWave(
        stamp=stamp,
        name=wave["name"].split(b"\0")[0].decode("latin-1"),
        dtype=dtype,
        shape=shape,
        step=float(wave["step"][0]),
        saved=int(wave["saved"]),
        labels=tuple(label.decode("latin-1") for label in found if label),
        note=WaveNote(note),
        lead=lead,
    )


def _lead(file: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    """Samples before every column has a number; 0 where that takes too long."""
    count = min(shape[0], _LONGEST_LEAD)
    if dtype.kind != "f" or (len(shape) == 2 and shape[1] > _LABEL):
        return 0
    lead = 0
    for column in range(shape[1] if len(shape) == 2 else 1):
        raw = np.empty(count * dtype.itemsize, np.uint8)
        read_into(file, _BEGIN + column * shape[0] * dtype.itemsize, raw)
        missing = np.isnan(raw.view(dtype))
        lead = max(lead, 0 if missing.all() else int(missing.argmin()))
    return lead


def _text(file: Any, at: int, count: int) -> bytes:
    buffer = np.empty(count, np.uint8)
    read_into(file, at, buffer)
    return buffer.tobytes()
