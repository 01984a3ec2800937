"""Changes of inputs that a format's own mistakes look like: numbers, cuts, blocks, lines."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Sequence

_NUMBER = re.compile(rb"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_][\w.-]{1,40}")

#: Numbers that are wrong nearly everywhere.
_TEXTS = (
    *(b"0", b"-1", b"1", b"2", b"255", b"256", b"65535", b"65536", b"2147483647", b"-2147483648"),
    *(
        b"4294967295",
        b"9223372036854775807",
        b"1e308",
        b"1e-320",
        b"nan",
        b"inf",
        b"-inf",
        b"1e999",
    ),
    *(b"", b"0x10", b"1,5", b"1_0", b"9" * 400, b"1.7976931348623157e308", b"\xc2\xb2", b"''"),
)
_WHOLE = (0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**62)
_BYTES = (b"\0", b"\xff", b"\x80", b"\n", b"\r", b"\x1b", b'"', b"[", b"]", b"=", b"\\", b"\xef")
_FORMATS = ["<b", "<h", ">h", "<i", ">i", "<q", ">q", "<f", ">f", "<d", ">d"]

Mutation = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


def mutated(data: bytes, rng: random.Random, seeds: Sequence[bytes], most: int = 4) -> bytes:
    """Return an input with one change or a few.

    Parameters
    ----------
    data : bytes
    rng : Random
    seeds : sequence of bytes
        Other inputs of the same target, of which pieces are taken.
    most : int
        Changes.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 2, most))):
        data = rng.choice(MUTATIONS)(data, rng, seeds)
    return data


def number_in_text(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Change one number in a header, with or without its length."""
    window = _window(data, rng)
    found = list(_NUMBER.finditer(data, window, window + 4096))
    if not found:
        return field(data, rng, seeds)
    match = rng.choice(found)
    new = _other_number(match[0], rng)
    if rng.random() < 0.5 and len(new) < len(match[0]):  # what lies behind stays where it is
        new = new.rjust(len(match[0]), b"0" if new[:1].isdigit() else b" ")
    return data[: match.start()] + new + data[match.end() :]


def _other_number(old: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return rng.choice(_TEXTS)
    try:
        value: float = int(old)
    except ValueError:
        value = float(old)
    new = rng.choice((value + 1, value - 1, value * 2, value // 2, -value, value * 10, value + 256))
    return repr(new).encode()


def field(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Change one binary number: a size, an offset, a count."""
    form = rng.choice(_FORMATS)
    size = struct.calcsize(form)
    if len(data) < size:
        return flip(data, rng, seeds)
    at = min(_window(data, rng) + rng.randrange(512), len(data) - size)
    if rng.random() < 0.7:
        at -= at % size
    value = struct.unpack_from(form, data, at)[0]
    if form[1] in "fd":
        new = rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e300, 1e-300, value * 2))
    else:
        some = (
            value + 1,
            value - 1,
            value * 2,
            value // 2,
            value + size,
            len(data),
            len(data) - at,
        )
        new = rng.choice((*some, *_WHOLE))
        new = (new + (1 << (8 * size - 1))) % (1 << (8 * size)) - (1 << (8 * size - 1))
    try:
        packed = struct.pack(form, new)
    except (OverflowError, struct.error):
        packed = b"\xff" * size
    return data[:at] + packed + data[at + size :]


def flip(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Change one byte."""
    if not data:
        return rng.choice(_BYTES)
    at = rng.randrange(len(data))
    new = rng.choice((bytes([data[at] ^ (1 << rng.randrange(8))]), rng.choice(_BYTES)))
    return data[:at] + new + data[at + 1 :]


def cut(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Lose the end."""
    return data[: rng.randrange(len(data) + 1)]


def block(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Lose, double or move a block, or take one of another input."""
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    last = min(last, first + rng.choice((8, 64, 512, 4096)))
    piece = data[first:last]
    what = rng.randrange(4)
    if what == 0:
        return data[:first] + data[last:]
    if what == 1:
        return data[:last] + piece * rng.choice((1, 1, 3)) + data[last:]
    if what == 2:
        rest = data[:first] + data[last:]
        at = rng.randrange(len(rest) + 1)
        return rest[:at] + piece + rest[at:]
    other = rng.choice(seeds)
    at = rng.randrange(len(other) + 1)
    taken = other[at : at + rng.choice((8, 64, 512, 4096))]
    return data[:first] + taken + data[rng.choice((first, last)) :]


def lines(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Swap, lose or double lines, or take one of another input."""
    own = data.split(b"\n")
    if len(own) < 3:
        return block(data, rng, seeds)
    i, j = rng.randrange(len(own)), rng.randrange(len(own))
    what = rng.randrange(4)
    if what == 0:
        own[i], own[j] = own[j], own[i]
    elif what == 1:
        del own[i]
    elif what == 2:
        own.insert(j, own[i])
    else:
        own.insert(j, rng.choice(rng.choice(seeds).split(b"\n"))[:4096])
    return b"\n".join(own)


def word(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Replace a word, or a number, by one that stands elsewhere."""
    other = rng.choice(seeds)
    window, begin = _window(data, rng), _window(other, rng)
    there = list(_WORD.finditer(data, window, window + 4096))
    new = list(_WORD.finditer(other, begin, begin + 4096))
    if not there or not new:
        return flip(data, rng, seeds)
    match = rng.choice(there)
    return data[: match.start()] + rng.choice(new)[0] + data[match.end() :]


MUTATIONS: tuple[Mutation, ...] = (
    *(number_in_text, number_in_text, field, field, field),
    *(flip, cut, block, lines, word),
)


def _window(data: bytes, rng: random.Random) -> int:
    """A place to begin at: mostly near the start, where headers are."""
    if rng.random() < 0.5:
        return 0
    return rng.randrange(len(data) + 1)
