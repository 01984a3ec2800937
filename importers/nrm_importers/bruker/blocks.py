"""Where the data blocks of a NanoScope file lie, and of which integers they are made.

``Bytes/pixel`` is not the width on disk: from version 9.2 on all samples are 4 bytes wide, and
``Bytes/pixel: 2`` then says that the scale counts 16-bit steps. The width follows from the length
of the block and the number of samples in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from nrm_importers.bruker.header import BrukerHeader, HeaderSection
from nrm_plugin.columns import FileStamp
from nrm_plugin.errors import CorruptFile

#: From this version on, samples are 4 bytes wide.
WIDE = 0x09200000

#: Samples that count 16-bit steps cannot be larger; twice that leaves room for offsets.
_LARGEST_16_BIT = 1 << 16

#: No file has as many channels of one kind.
_MOST_CHANNELS = 256

#: A header that was edited is longer by no more than this.
_LONGEST_EDIT = 256


@dataclass(frozen=True)
class DataBlock:
    """One data block as the header announces it, checked against the file's length."""

    section: HeaderSection
    offset: int
    length: int
    steps: int

    @property
    def end(self) -> int:
        """Byte behind the block."""
        return self.offset + self.length


def widths(version: int) -> tuple[int, int]:
    """Widths a sample can have on disk, the likelier one first."""
    return (4, 2) if version >= WIDE else (2, 4)


def integers(width: int) -> np.dtype[np.signedinteger]:
    """Type of samples of this width."""
    return np.dtype("<i4" if width == 4 else "<i2")


@dataclass(frozen=True)
class Halves:
    """Samples of approach and retract, and the slot on disk that each of them begins.

    ``Samps/line: A B`` and ``Samps/line, retrace: C`` give A samples of disk to either half, of
    which B of the approach and C of the retract were recorded; what fills the slots is no data.
    """

    slot: int
    extend: int
    retract: int
    warning: str = ""


def halves_of(header: BrukerHeader, section: HeaderSection) -> Halves | None:
    """Samples of the halves of a channel; None where the header gives none that are possible."""
    force = header.first("Ciao force list")
    counts = section.integers("samps/line") or force.integers("samps/line")
    if not counts:
        return None
    slot, extend = counts[0], counts[min(1, len(counts) - 1)]
    given = section.integer("samps/line, retrace")
    given = force.integer("samps/line, retrace") if given is None else given
    retract, warning = (extend, "") if given is None else (given, "")
    if given is None and extend < slot:
        warning = (
            f"the header does not say how many samples the retract has: {extend}, as many as the "
            "approach"
        )
    if not 0 < slot >= max(extend, retract) >= min(extend, retract) >= 0 or not extend + retract:
        return None
    return Halves(slot, extend, retract, warning)


def blocks(stamp: FileStamp, header: BrukerHeader, title: str) -> list[DataBlock]:
    """Blocks that the lists of this title announce.

    Raises
    ------
    CorruptFile
        If one does not lie between the header and the end of the file.
    """
    sections = header.all(title)
    if len(sections) > _MOST_CHANNELS:
        raise CorruptFile(stamp.path, None, f"up to {_MOST_CHANNELS} channels", len(sections))
    blocks = []
    for section in sections:
        offset, length = section.integer("data offset"), section.integer("data length")
        if offset is None or length is None:
            raise CorruptFile(
                stamp.path, None, "Data offset and Data length in each list", "a list without"
            )
        if not length:
            continue
        if offset < len(header.text):
            raise CorruptFile(stamp.path, offset, "data behind the header", "data within it")
        if offset + length > stamp.size:
            raise CorruptFile(
                stamp.path,
                stamp.size,
                f"{offset + length - stamp.size} bytes more of data",
                "the end of the file",
            )
        blocks.append(DataBlock(section, offset, length, section.integer("bytes/pixel") or 2))
    return blocks


def check_neighbours(stamp: FileStamp, blocks: list[DataBlock]) -> str:
    """Check that blocks do not share bytes; NanoScope writes one right behind the other.

    Returns
    -------
    str
        A warning where bytes between two blocks belong to neither.

    Raises
    ------
    CorruptFile
        If two blocks overlap: one of them has a wrong offset or length.
    """
    ordered = sorted(blocks, key=lambda block: block.offset)
    warning = ""
    for before, after in pairwise(ordered):
        if after.offset < before.end:
            raise CorruptFile(
                stamp.path,
                after.offset,
                "the end of the data block before (Data offset, Data length)",
                f"{before.end - after.offset} bytes that belong to both",
            )
        if after.offset > before.end:
            warning = (
                f"{after.offset - before.end} bytes from byte {before.end} on belong to no "
                "channel: a Data offset or a Data length in the header may be wrong, and so may "
                "the numbers of the channels beside them"
            )
    return warning


def aligned(
    stamp: FileStamp, header: BrukerHeader, force: list[DataBlock], maps: list[DataBlock]
) -> tuple[list[DataBlock], str]:
    """Check that the blocks begin where the header says, as far as can be told.

    A header into which bytes were inserted or lost shifts all data, and shifted integers are off
    by factors of 256. Samples of 4 bytes that count 16-bit steps show it; so do as many bytes too
    many behind the data as there are zeros, from the header's padding, where they should begin.

    Returns
    -------
    list of Block, str
        The blocks, moved if need be, and a warning that says so.

    Raises
    ------
    CorruptFile
        If no shift by up to three bytes gives sensible numbers.
    """
    blocks = force + maps
    damaged = header.damaged_values()
    where = f" (the value of {damaged[0]} is overwritten)" if damaged else ""
    told = [b for b in blocks if b.steps == 2 and header.version >= WIDE and not b.length % 4]
    inserted = _inserted(stamp, force, maps)
    places = [_sample_places(header, block, block in force) for block in told]
    if inserted and (not told or _magnitude(stamp, places, inserted)[0] <= _LARGEST_16_BIT):
        return _moved(blocks, inserted, where)
    if not told:
        if damaged:
            raise CorruptFile(
                stamp.path, None, "a number as hard scale of each value", f"a damaged {damaged[0]}"
            )
        return blocks, ""
    largest, _ = _magnitude(stamp, places, 0)
    if largest <= _LARGEST_16_BIT and not damaged:
        return blocks, ""
    end = max(b.end for b in blocks)
    shifts = [s for s in (0, 1, -1, 2, -2, 3, -3) if end + s <= stamp.size]
    sizes = {s: _magnitude(stamp, places, s) for s in shifts}
    # Shifts that are whole samples apart do equally well: the smallest is meant.
    least = 1.1 * min(mean for _, mean in sizes.values())
    best = next(s for s in shifts if sizes[s][1] <= least)
    if sizes[best][0] > _LARGEST_16_BIT:
        raise CorruptFile(
            stamp.path, blocks[0].offset, "samples within 16 bits", f"samples up to {largest:.3g}"
        )
    if not best:
        return blocks, f"the header is damaged{where}; the data are where it says"
    return _moved(blocks, best, where)


def _moved(blocks: list[DataBlock], shift: int, where: str) -> tuple[list[DataBlock], str]:
    moved = [replace(b, offset=b.offset + shift) for b in blocks]
    return moved, (
        f"the header is damaged{where} and all data begin {shift:+d} "
        f"{'byte' if abs(shift) == 1 else 'bytes'} from where it says; read from there"
    )


def _inserted(stamp: FileStamp, force: list[DataBlock], maps: list[DataBlock]) -> int:
    """How many bytes were inserted into the header, as the rest of the file tells.

    Behind a volume there may be maps that no list announces, and `check_tail` looks at them.
    """
    tail = stamp.size - max(b.end for b in force + maps)
    if (force and maps) or not 0 < tail <= _LONGEST_EDIT:
        return 0
    begin = stamp.read(min(b.offset for b in force + maps), np.dtype(np.uint8), tail)
    return 0 if begin.any() else tail


def _sample_places(header: BrukerHeader, block: DataBlock, curves: bool) -> list[tuple[int, int]]:
    """Bytes at which some samples of a block lie, and how many; never behind a half's count."""
    count = block.length // 4
    part = min(count, 1024)
    halves = halves_of(header, block.section) if curves else None
    if halves is None or halves.slot == max(1, min(halves.extend, halves.retract)):
        return [(block.offset + 4 * begin, part) for begin in {0, (count - part) // 2}]
    hold = block.section.integer("hold samples") or header.first("Ciao force list").integer(
        "hold samples"
    )
    lengths = (2 * halves.slot + (hold or 0), 2 * halves.slot, halves.slot)
    length = next((n for n in lengths if n and not count % n), count)
    places = []
    for curve in {0, count // length // 2}:
        for half, n in enumerate((halves.extend, halves.retract)):
            start = curve * length + half * halves.slot
            if n and (length > halves.slot or not half):
                places.append((block.offset + 4 * start, min(n, count - start, 1024)))
    return places or [(block.offset, 0)]


def _magnitude(
    stamp: FileStamp, places: list[list[tuple[int, int]]], shift: int
) -> tuple[float, float]:
    """Largest and mean magnitude of some samples of the blocks, read `shift` bytes off."""
    largest, total, n = 0.0, 0.0, 0
    for offset, part in (place for block in places for place in block if place[1]):
        size = np.abs(stamp.read(offset + shift, np.dtype("<i4"), part).astype(np.float64))
        largest, total, n = max(largest, float(size.max())), total + float(size.sum()), n + part
    return largest, total / max(n, 1)


def check_tail(stamp: FileStamp, blocks: list[DataBlock], maps: list[DataBlock]) -> str:
    """Look at what lies behind the announced blocks of a force volume.

    NanoScope appends maps that no list announces, as long as the announced ones. A part of a map
    means that the file was cut.

    Returns
    -------
    str
        A warning where there are such maps.

    Raises
    ------
    CorruptFile
        If the last map is cut.
    """
    tail = stamp.size - max((b.end for b in blocks), default=stamp.size)
    if not maps or tail <= 0:
        return ""
    length = maps[0].length
    if tail % length:
        missing = length - tail % length
        raise CorruptFile(
            stamp.path, stamp.size, f"{missing} bytes more of the last map", "the end of the file"
        )
    return f"{tail // length} more maps lie behind the announced data and are left out"
