"""JPK's headers: Java properties, and what several of them share."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

Properties = dict[str, str]

_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_SIGNS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}

#: Shared parts may name shared parts; real ones do so once.
_DEEPEST = 4


def parse(text: str) -> Properties:
    r"""Keys and values of a header; of a key that repeats, the last.

    Examples
    --------
    >>> parse("#Mon May 27\ntime-stamp=2013-05-27 13\\:57\\:03\n")
    {'time-stamp': '2013-05-27 13:57:03'}
    """
    out: Properties = {}
    for line in text.splitlines():
        key, sign, value = line.partition("=")
        if sign and not key.startswith(("#", "!")):
            out[key.strip()] = _ESCAPE.sub(_sign, value.strip()) if "\\" in value else value.strip()
    return out


def _sign(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) == 5 else _SIGNS.get(code, code)


class SharedHeader:
    """What the segments of an archive have in common, once for all of them.

    ``channel.height.lcd-info.*=3`` in a segment's header says that everything that stands below
    ``lcd-info.3.`` here belongs below ``channel.height.`` there.
    """

    def __init__(self, properties: Mapping[str, str]) -> None:
        self._groups: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        for key, value in properties.items():
            pieces = key.split(".", 2)
            if len(pieces) == 3:
                self._groups[pieces[0], pieces[1]].append((pieces[2], value))

    def count(self, name: str) -> int:
        """How many groups of a name there are."""
        return sum(key[0] == name for key in self._groups)

    def expanded(self, header: Mapping[str, str]) -> Properties:
        """Return a header with what it shares; what stands in the header itself wins."""
        out = dict(header)
        references = [key for key in out if key.endswith(".*")]
        for _ in range(_DEEPEST):
            more: list[str] = []
            for reference in references:
                target, _, name = reference.removesuffix(".*").rpartition(".")
                for key, value in self._groups.get((name, out[reference]), ()):
                    whole = f"{target}.{key}"
                    if whole not in out:
                        out[whole] = value
                        if whole.endswith(".*"):
                            more.append(whole)
            if not more:
                break
            references = more
        return out


def number(properties: Mapping[str, str], key: str) -> float | None:
    """Value as a number, None where there is none."""
    try:
        return float(properties[key])
    except (KeyError, ValueError):
        return None


def whole(properties: Mapping[str, str], key: str) -> int | None:
    """Value as a whole number, None where there is none."""
    try:
        return int(properties[key])
    except (KeyError, ValueError):
        return None
