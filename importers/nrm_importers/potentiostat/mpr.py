"""EC-Lab's binary files (.mpr): the columns that a potential over time needs.

A file is a row of modules, each with a name, a length and a version. The module ``VMP data`` says
how many points there are and the numbers of their columns, and ends with one record for each point.
Where the records begin depends on the version; that, the columns' numbers and their widths are
facts that galvani's tables hold and that users of EC-Lab published. The width of a column that is
not known follows from the length of the records where that leaves one answer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nrm_importers.potentiostat.log_settings import reference
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import CorruptFile, InvalidInput
from nrm_plugin.potential import Log

_START = 52  # bytes of the file before its first module
_NAME = b"MODULE"
_LONG = 0xFFFFFFFF  # in place of a length: EC-Lab 11.50 and later write longer headings

#: Columns that share the first byte of a record.
_FLAGS = frozenset((1, 2, 3, 21, 31, 65))

#: Widths in bytes by the columns' numbers.
_WIDTHS = {
    **dict.fromkeys((4, 7, 11, 13, 23, 24, 74, 123, 124, 125, 126, 211, 438, 467), 8),
    **dict.fromkeys(range(498, 503), 8),
    **dict.fromkeys((5, 6, 8, 9, 16, 17, 19, 20, 26, 27, 69, 70, 75, 76, 77, 78, 96), 4),
    **dict.fromkeys((*range(32, 39), *range(98, 102), 163, 168, 169, 172, 173, 174, 178, 179), 4),
    **dict.fromkeys(
        (217, 218, 220, 221, 223, 224, *range(230, 243), 271, 272, 301, 302, 331, 332), 4
    ),
    **dict.fromkeys((361, 362, 391, 392, *range(422, 427), *range(430, 436), 441, 462), 4),
    **dict.fromkeys((212, 213, 468, 469, 471, 473, 474, 476, 477, 479, 480), 4),
    **dict.fromkeys((*range(486, 498), 505), 4),
    **dict.fromkeys((39, 131), 2),
    509: 1,
}

#: Columns that are read: their number and type, the best first. Currents are in mA.
_TIME = ((4, "<f8"),)
_POTENTIAL = ((6, "<f4"), (77, "<f4"), (174, "<f4"))
_CURRENT = ((76, "<f4"), (11, "<f8"), (8, "<f4"))
_CYCLE = ((24, "<f8"),)

#: Charge since the start, Q - Qo: in C, and in mA h.
_CHARGE = ((434, "<f4"),)
_CHARGE_MAH = ((13, "<f8"),)

#: Where the settings name the reference electrode: a length, and so many characters of 50.
_REFERENCE, _NAMED = 0x215, 50

#: Half cycles, from 0. Where the cycle is not stored, EC-Lab counts two of them as one when it
#: exports a file ("Cycle Definition : Charge/Discharge alternance"), from 0.
_HALF_CYCLE = ((468, "<u4"), (212, "<u4"))

#: Techniques that have no cycles: OCV, CA, CP, waiting, PEIS, GEIS, ZIR, LSV.
_NO_CYCLES = (0x0B, 0x18, 0x19, 0x1C, 0x1D, 0x1E, 0x32, 0x6C)

#: Bytes before the records, by the module's version.
_BEFORE = {0: 100, 2: 405, 3: 406, 10: 1007, 11: 1007}

#: Where the module of the log may have the date of its start, in days since 30 December 1899.
_DATES = (465, 469, 473, 585)


@dataclass(frozen=True)
class _Module:
    """A module of a file: its version, and what is in it."""

    version: int
    data: bytes


@dataclass(frozen=True, eq=False)
class _Records:
    """Points, shape (n, bytes of a record), and where their columns begin."""

    raw: np.ndarray
    places: dict[int, int]

    def first(self, columns: tuple[tuple[int, str], ...]) -> FloatArray | None:
        """Values of the first of these columns that the points have."""
        for number, kind in columns:
            if number in self.places:
                begin = self.places[number]
                cells = self.raw[:, begin : begin + np.dtype(kind).itemsize]
                return np.ascontiguousarray(cells).view(kind)[:, 0].astype(np.float64)
        return None


def read(path: Path, data: bytes) -> Log:
    """Read a file's points.

    Raises
    ------
    CorruptFile
        If lengths in the file contradict each other.
    InvalidInput
        If it has no potential over time, fewer than two points, or columns whose place cannot be
        worked out.
    """
    modules = _modules(path, data)
    if "VMP data" not in modules:
        raise CorruptFile(path, None, "a module with points (VMP data)", "none")
    records = _records(path, modules["VMP data"])
    time, potential = records.first(_TIME), records.first(_POTENTIAL)
    if time is None or potential is None:
        raise InvalidInput(
            f"{path}: there is no potential over time, only the columns of EC-Lab with the "
            f"numbers {_listed(records.places)}"
        )
    if len(time) < 2:
        raise InvalidInput(
            f"{path}: there is nothing to read in it: its technique recorded {len(time)} points"
        )
    if not np.isfinite(time).all() or np.any(np.diff(time) < 0):
        raise CorruptFile(path, None, "times that rise", "others")
    current, cycle = records.first(_CURRENT), records.first(_CYCLE)
    half = records.first(_HALF_CYCLE)
    if cycle is None and half is not None:
        cycle = half // 2
    charge, mah = records.first(_CHARGE), records.first(_CHARGE_MAH)
    if charge is None and mah is not None:
        charge = 3.6 * mah
    settings = modules["VMP Set"].data if "VMP Set" in modules else b""
    technique = settings[:1]
    return Log(
        time,
        potential,
        None if current is None else current * 1e-3,
        None if cycle is None or (technique and technique[0] in _NO_CYCLES) else cycle,  # type: ignore[arg-type]
        _start(modules.get("VMP LOG")),
        charge=charge,
        reference=_reference(settings),
    )


def _reference(settings: bytes) -> str:
    """Reference electrode by the settings; empty where it is not said, or is no text."""
    length = settings[_REFERENCE] if len(settings) > _REFERENCE + _NAMED else 0
    text = settings[_REFERENCE + 1 : _REFERENCE + 1 + length].decode("cp1252", "replace")
    return reference(text) if 0 < length <= _NAMED and text.isprintable() else ""


def _modules(path: Path, data: bytes) -> dict[str, _Module]:
    """Modules by name; of several of one name, the first."""
    modules: dict[str, _Module] = {}
    at = _START
    while at < len(data):
        if data[at : at + len(_NAME)] != _NAME:
            raise CorruptFile(path, at, "a module", "something else")
        head = at + len(_NAME) + 35
        long = data[head : head + 4] == struct.pack("<I", _LONG)
        begin = head + (24 if long else 16)
        if begin > len(data):
            raise CorruptFile(path, head, "a module's heading", "the end of the file")
        if long:
            length, version, newer = struct.unpack_from("<III", data, head + 4)
            version = version or newer
        else:
            length, version = struct.unpack_from("<II", data, head)
        if begin + length > len(data):
            left = f"{len(data) - begin} to the end of the file"
            raise CorruptFile(path, begin, f"{length} bytes of a module", left)
        name = data[at + len(_NAME) : at + len(_NAME) + 10].decode("latin-1").strip()
        modules.setdefault(name, _Module(version, data[begin : begin + length]))
        at = begin + length
    return modules


def _records(path: Path, module: _Module) -> _Records:
    data = module.data
    before = _BEFORE.get(module.version)
    if before is None:
        raise InvalidInput(
            f"{path}: its points are of version {module.version}, which is not known: export it "
            "from EC-Lab as text (.mpt)"
        )
    if len(data) < before:
        raise CorruptFile(path, None, "a module with points", f"{len(data)} bytes")
    n, count = struct.unpack_from("<IB", data)
    size = "B" if before == 100 else "H"
    at = 6 if before == 1007 else 5
    if at + count * struct.calcsize(size) > before:
        raise CorruptFile(path, None, "numbers of columns before the points", f"{count} columns")
    numbers = struct.unpack_from(f"<{count}{size}", data, at)
    if not n:
        raise InvalidInput(
            f"{path}: there is nothing to read in it: its technique recorded no points"
        )
    width, rest = divmod(len(data) - before, n)
    if rest:
        raise CorruptFile(path, None, f"{n} points of equal length", f"{len(data) - before} bytes")
    raw = np.frombuffer(data, np.uint8, n * width, before).reshape(n, width)
    return _Records(raw, _places(path, numbers, width))


def _places(path: Path, numbers: tuple[int, ...], width: int) -> dict[int, int]:
    """Where each column begins in a record, as far as it is sure.

    Raises
    ------
    InvalidInput
        If a column that is needed lies behind some whose widths are not known.
    CorruptFile
        If the columns that are known do not fill a record.
    """
    known = {k: _WIDTHS.get(k) for k in numbers if k not in _FLAGS}
    unknown = [k for k, w in known.items() if w is None]
    left = width - any(k in _FLAGS for k in numbers) - sum(w or 0 for w in known.values())
    if len(known) + sum(k in _FLAGS for k in numbers) < len(numbers):
        raise CorruptFile(path, None, "each column once", _listed(numbers))
    if left < len(unknown) or (left and not unknown):
        raise CorruptFile(path, None, f"records of {width - left} bytes", f"{width}")
    flags = int(any(k in _FLAGS for k in numbers))
    places = _from_left(known, flags)
    if len(unknown) == 1 or left in (4 * len(unknown), 8 * len(unknown)):
        each = left // len(unknown) if unknown else 0
        places = _from_left({k: w or each for k, w in known.items()}, flags)
    else:  # behind the last unknown column the places are sure again
        at = width
        for number, known_width in reversed(known.items()):
            if known_width is None:
                break
            at -= known_width
            places[number] = at
    needed = {k for k, _ in (*_TIME, *_POTENTIAL)}
    if any(k in needed and k not in places for k in known):
        raise InvalidInput(
            f"{path}: the columns of EC-Lab with the numbers {_listed(unknown)} are not known, "
            "and the potential lies between them: export the file from EC-Lab as text (.mpt)"
        )
    return places


def _from_left(widths: dict[int, int | None], at: int) -> dict[int, int]:
    """Places of columns up to the first whose width is not known, and of that one."""
    places = {}
    for number, width in widths.items():
        places[number] = at
        if width is None:
            break
        at += width
    return places


def _start(module: _Module | None) -> np.datetime64 | None:
    """When the acquisition began; None where no date between 1990 and 2100 is found."""
    for at in _DATES:
        if module is None or at + 8 > len(module.data):
            break
        (days,) = struct.unpack_from("<d", module.data, at)
        if 32874 < days < 73050:
            passed = np.timedelta64(round(days * 86400e3), "ms")
            return np.datetime64("1899-12-30T00:00:00", "us") + passed
    return None


def _listed(numbers: object) -> str:
    return ", ".join(str(k) for k in list(numbers)[:40])  # type: ignore[call-overload]
