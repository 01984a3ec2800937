r"""The grammar of NanoScope headers.

Lines ``\key: value`` in cp1252 under ``\*Section`` titles that repeat. Values of *CIAO* objects
(keys with ``@``) are typed: ``V [scale] (hard U/LSB) soft U``, ``S [internal] "shown"``. The
spelling of keys changes from version to version, so they are found in any case.
"""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nrm_plugin import units
from nrm_plugin.errors import CorruptFile

#: No header of any version comes near this length.
LONGEST = 1 << 20
_MOST_LISTS = 1000
_USUAL = 1 << 17

_PLAIN_KEY = re.compile(r"\\")
_CIAO_KEY = re.compile(r"\\@(?:\d+:)?")
_NO_STEP = (re.compile(r"\] \((?![-+.\d])"), re.compile(r": V \((?![-+.\d])"))
_VALUE = re.compile(r"([VC])\s+(?:\[([^\]]*)\]\s*)?(?:\(([^)]*)\)\s*)?(\S*)\s*(.*)$")
_SELECTION = re.compile(r'S\s+(?:\[([^\]]*)\]\s*)?"([^"]*)"')
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_DATE = re.compile(r"(\d\d):(\d\d):(\d\d) ([AP])M \w{3} (\w{3}) (\d\d) (\d{4})")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def number(text: str | None) -> float | None:
    """First number of a text, or None."""
    match = _NUMBER.search(text or "")
    return _finite(match[0]) if match else None


def _finite(text: str) -> float | None:
    """Return the number that a text is, or None if it is none or too large."""
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CiaoValue:
    """A CIAO value: ``V [scale] (hard hard_unit/LSB) soft unit``; absent parts are None or ''."""

    scale: str
    hard: float | None
    hard_unit: str
    soft: float | None
    unit: str

    @classmethod
    def parse(cls, text: str) -> CiaoValue | None:
        """Take a value apart; None if it is of another type."""
        match = _VALUE.match(text.strip())
        if match is None:
            return None
        _, scale, bracket, soft, unit = match.groups()
        step, _, per = (bracket or "").partition(" ")
        return cls(
            scale=scale or "",
            hard=_finite(step),
            hard_unit=per.strip().removesuffix("/LSB"),
            soft=_finite(soft),
            unit=unit.strip(),
        )


class HeaderSection:
    r"""One list of the header. Keys are found in any case; the first of equal keys counts.

    Nothing is taken apart before it is asked for: headers have a thousand lines, and some twenty
    of them matter.

    Parameters
    ----------
    name : str
    lines : str
        Lines below the title, ended by ``\n`` alone.
    """

    def __init__(self, name: str, lines: str = "") -> None:
        self.name, self._lines = name.strip(), f"\n{lines}\n"
        self._lower = self._lines.lower()

    def text(self, *keys: str) -> str | None:
        """Text of the first of these keys that is there; keys of CIAO objects begin with ``@``."""
        for key in keys:
            needle = f"{key.lstrip('@').lower()}:"
            before = _CIAO_KEY if key.startswith("@") else _PLAIN_KEY
            at = self._lower.find(needle)
            while at >= 0:
                begin = self._lower.rfind("\n", 0, at) + 1
                end = self._lower.find("\n", at)
                if before.fullmatch(self._lower, begin, at):
                    return self._lines[at + len(needle) : end].strip()
                at = self._lower.find(needle, end)
        return None

    def number(self, *keys: str) -> float | None:
        """First number under the first of these keys that is there."""
        return number(self.text(*keys))

    def integers(self, *keys: str) -> list[int]:
        """All whole numbers under the first of these keys that is there."""
        return [int(n) for n in re.findall(r"\d{1,15}", self.text(*keys) or "")]

    def integer(self, *keys: str) -> int | None:
        """First whole number under the first of these keys that is there."""
        found = self.integers(*keys)
        return found[0] if found else None

    def length(self, *keys: str) -> list[float]:
        """Lengths in m: ``2 2 ~m`` or ``-1523.3 nm``."""
        text = self.text(*keys) or ""
        per_unit = units.si(text.split()[-1]) if text.split() else None
        if per_unit is None or per_unit[1] != "m":
            return []
        found = [_finite(n) for n in _NUMBER.findall(text)]
        return [n * per_unit[0] for n in found if n is not None]

    def value(self, *keys: str) -> CiaoValue | None:
        """CIAO value under the first of these keys that is there."""
        text = self.text(*(f"@{key}" for key in keys))
        return None if text is None else CiaoValue.parse(text)

    def selection(self, key: str) -> tuple[str, str]:
        """Internal and shown name of a CIAO selection; empty where there is none."""
        match = _SELECTION.match(self.text(f"@{key}") or "")
        return (match[1] or "", match[2]) if match else ("", "")


@dataclass(frozen=True)
class SoftScale:
    """A soft scale: how many `unit` there are in a volt; None where it was never calibrated."""

    name: str
    value: float | None
    unit: str
    warning: str = ""


@dataclass
class BrukerHeader:
    """All sections of a file in their order."""

    path: Path
    text: str
    sections: list[HeaderSection]

    def all(self, name: str) -> list[HeaderSection]:
        """Return every section of that title."""
        return [s for s in self.sections if s.name.lower() == name.lower()]

    def first(self, *names: str) -> HeaderSection:
        """Return the first section with one of these titles, an empty one if there is none."""
        for name in names:
            for section in self.all(name):
                return section
        return HeaderSection(names[0])

    @property
    def version(self) -> int:
        """Version of the software as a number, 0x09200000 for 9.2; 0 if it is not given."""
        text = self.sections[0].text("version") or ""
        return int(text, 16) if re.fullmatch(r"0x[0-9A-Fa-f]{1,8}", text) else 0

    @property
    def date(self) -> str | None:
        """Date of the file in ISO 8601, by the computer's own clock."""
        match = _DATE.search(self.sections[0].text("date") or "")
        if match is None or match[5] not in _MONTHS:
            return None
        hour = int(match[1]) % 12 + (12 if match[4] == "P" else 0)
        month = _MONTHS.index(match[5]) + 1
        with contextlib.suppress(ValueError):
            day = datetime(int(match[7]), month, int(match[6]), hour, int(match[2]), int(match[3]))
            return day.isoformat()
        return None

    def damaged_values(self) -> list[str]:
        """Keys whose hard scale is not a number: traces of a header that something wrote into."""
        lines = [
            self.text[self.text.rfind("\n", 0, found.start()) + 1 : found.start()]
            for pattern in _NO_STEP
            for found in pattern.finditer(self.text)
        ]
        return [line.partition(": V")[0].lstrip("\\@0123456789:") for line in lines]

    def sensitivity(self, name: str) -> SoftScale:
        """Soft scale by its name, ``Sens. DeflSens``.

        A scale of exactly 1 without a unit was never calibrated; another one without a unit is
        taken as nm/V, with a warning.
        """
        sections = [*self.all("Scanner list"), *self.all("Ciao scan list")]
        for section in sections:
            value = section.value(name)
            if value is None or value.soft is None:
                continue
            if value.unit:
                above, _, below = value.unit.partition("/")
                known = units.si(above)
                if known is None or below.strip() != "V":
                    return SoftScale(name, None, value.unit)
                return SoftScale(name, value.soft * known[0], known[1])
            if value.soft == 1.0:
                return SoftScale(
                    name, None, "", f"{name} is 1 without a unit: taken as not calibrated"
                )
            return SoftScale(
                name,
                value.soft * 1e-9,
                "m",
                f"{name} is {value.soft:g} without a unit: taken as nm/V",
            )
        return SoftScale(name, None, "")


def read_header(path: Path) -> BrukerHeader:
    """Read and take apart the header of a binary file.

    Raises
    ------
    CorruptFile
        If it does not end.
    """
    with path.open("rb") as file:
        head = file.read(_USUAL)
        end = _end(head)
        if end < 0 and len(head) == _USUAL:
            head += file.read(LONGEST - _USUAL)
            end = _end(head)
    if end < 0:
        raise CorruptFile(path, len(head), "the end of the header", "none")
    return parse(path, head[:end].decode("cp1252", "replace"))


def _end(head: bytes) -> int:
    """Byte at which a header ends; -1 if it does not."""
    ends = [i for i in (head.find(b"\x1a"), head.find(b"\\*File list end")) if i >= 0]
    return min(ends, default=-1)


def parse(path: Path, text: str) -> BrukerHeader:
    """Divide the text of a header into its sections."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    parts = f"\n{lines}".replace("\n\\?", "\n\\*").split("\n\\*")[1:]
    if not 0 < len(parts) <= _MOST_LISTS:
        raise CorruptFile(path, 0, f"a header with 1 to {_MOST_LISTS} lists", len(parts))
    sections = [HeaderSection(*part.partition("\n")[::2]) for part in parts]
    return BrukerHeader(path, text, sections)
