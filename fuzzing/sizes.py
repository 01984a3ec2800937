"""Whether a wrong size, count or offset in a file is noticed: same values, or it is said.

Every whole number of a file that can be one of these is made a little larger, doubled and halved,
one at a time. A file that is still read must give the same numbers in the same curves, or have
a warning more than before; all else is a silent difference. Which numbers are samples, and not
sizes, shows in what changes: one of them, and not many.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing import checksums
from fuzzing.targets import scratch
from nrm_plugin import plugins
from nrm_plugin.errors import NrmError
from nrm_plugin.files import HEAD

Repair = Callable[[bytes], bytes]

#: Seeds that are looked at: importer, seed, form of binary numbers, and checksums. Those of an
#: archive are made right for texts only: with binary sizes they are what notices.
CASES: tuple[tuple[str, str, str, Repair | None], ...] = (
    ("nanosurf", "narrow.nid", "", None),
    ("gwyddion", "map-GWYP.gwy", "<I", None),
    ("gwyddion", "spectra-GWYP.gwy", "<I", None),
    ("gwyddion", "time.gwy", "<I", None),
    ("asylum", "little.ibw", "<I", checksums.igor_wave),
    ("asylum", "map.ardf", "<I", checksums.igor_wave),
    ("park", "pinpoint", ">I", None),
    ("jpk", "curve.jpk-force", "", checksums.zip_members),
    ("jpk", "curve.jpk-force", "<I", None),
    ("jpk", "inline.jpk-force", "", checksums.zip_members),
    ("bruker", "volume", "", None),
    ("bruker", "capture", "", None),
)

#: What no reader can know: the file has nothing else that would contradict (see README.md).
UNKNOWABLE: dict[str, str] = {
    "nanosurf": r"[FB]wMod(Time|Datapoints)",
    "asylum": r"byte 1180",
    "jpk": r"lcd-info",
    "bruker": r"Samps/line|Data (offset|length)"
    r"|Sample Points|Sync Distance|Peak Force Amplitude|PFT Freq",
}

#: A whole number of a header as text, and a key on its line or before it.
_NUMBER = re.compile(rb"(?<![\w.+-])\d{1,9}(?![\w.])")

#: Samples that a change of one sample changes, with one that is interpolated beside it.
_ONE_SAMPLE = 2


@dataclass(frozen=True)
class Field:
    """A number that may be a size, and what stands before it (text), or where it is (binary)."""

    at: int
    size: int
    value: int
    form: str
    name: str

    def changed(self, data: bytes, value: int) -> bytes:
        """Return the file with another number there; texts keep their length where they can."""
        if self.form:
            new = struct.pack(self.form, value)
        else:
            new = str(value).encode().rjust(self.size, b"0" if self.size > 1 else b" ")
        return data[: self.at] + new + data[self.at + self.size :]


@dataclass(frozen=True)
class SilentDifference:
    """A field whose change gives other numbers without a word."""

    field: Field
    value: int
    what: str

    def __str__(self) -> str:
        return f"{self.field.name}: {self.field.value} -> {self.value}: {self.what}"


def fields(data: bytes, form: str) -> Iterator[Field]:
    """Whole numbers as text; and with a form such as ``<I`` also binary ones up to the length."""
    texts = [m for m in _NUMBER.finditer(data) if _in_text(data, m.start(), m.end())]
    for match in texts:
        line = data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()]
        name = line[-50:].decode("latin-1").strip()
        yield Field(match.start(), len(match[0]), int(match[0]), "", name)
    if not form:
        return
    size = struct.calcsize(form)
    for at in range(0, len(data) - size + 1, 2):
        (value,) = struct.unpack_from(form, data, at)
        if 0 < value <= len(data):
            yield Field(at, size, value, form, f"byte {at}")


def _in_text(data: bytes, begin: int, end: int) -> bool:
    around = data[max(0, begin - 4) : end + 2]
    return all(byte in b"\r\n\t" or 32 <= byte < 127 for byte in around)


def values_of(name: str, data: bytes) -> tuple[Any, int] | None:
    """Row sizes and raw numbers of all channels, and how many warnings; None if it is refused."""
    path = scratch() / "sized"
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    importer = plugins.installed().importers[name]
    try:
        if not importer.sniff(data[:HEAD], path):
            return None
        curves = importer.open(path)
        raw = {channel: curves.read_raw(channel) for channel in curves.channels}
    except NrmError:
        return None
    return (curves.row_size.tolist(), raw), len(curves.warnings)


def difference(before: Any, after: Any) -> str:
    """Say how values differ by more than one sample; empty if they do not."""
    (sizes, raw), (other_sizes, other_raw) = before, after
    if sizes != other_sizes:
        before, now = (f"{len(n)} curves, {sum(n)} samples" for n in (sizes, other_sizes))
        return f"{before} become {now}"
    for name, values in raw.items():
        if name not in other_raw:
            return f"{name} is not there"
        other = other_raw[name]
        same = (values == other) | ((values != values) & (other != other))
        count = int(np.count_nonzero(~same))
        if count > _ONE_SAMPLE:
            return f"{count} of {len(values)} samples of {name} are others"
    return ""


def silent_differences(
    name: str,
    path: Path,
    form: str = "",
    repaired: Repair | None = None,
    *,
    most: int | None = None,
) -> tuple[int, list[SilentDifference]]:
    """Change fields of a file of an importer: how many changes were tried, and what was silent.

    Parameters
    ----------
    most : int, optional
        Fields that are changed, always the same; by default all.
    """
    data = path.read_bytes()
    original = values_of(name, data)
    assert original is not None, path
    before, warned = original
    tried, found = 0, []
    chosen = list(fields(data, form))
    if most is not None and most < len(chosen):
        chosen = random.Random(1).sample(chosen, most)
    for field in chosen:
        for value in {field.value + 1, field.value * 2, field.value // 2} - {field.value}:
            changed = field.changed(data, value)
            after = values_of(name, repaired(changed) if repaired else changed)
            tried += 1
            if after is None or after[1] > warned:
                continue
            what = difference(before, after[0])
            if what:
                found.append(SilentDifference(field, value, what))
    return tried, found
