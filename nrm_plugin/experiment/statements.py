"""Where things stand in a TOML text, which `tomllib` does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: Names in a dotted key. Our files need two; tomllib's time grows with the square.
DEEPEST = 10

# Strings that do not end are taken to the end, so that any text is gone through once.
_PIECE = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"{3,5}|\Z)'
    r"|'''.*?(?:'{3,5}|\Z)"
    r'|"(?:\\.|[^"\\\n])*"?'
    r"|'[^'\n]*'?"
    r"|#[^\n]*"
    r"|[^\s\"'#=.,{}\[\]]+|[ \t\r]+|.",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A header or an assignment.

    Attributes
    ----------
    path : tuple of str
        ``("tip",)`` for the header of a section, ``("tip", "radius")`` for a key in it.
    first, last : int
        Its lines, counted from 1.
    header : bool
    """

    path: tuple[str, ...]
    first: int
    last: int
    header: bool


def statements(text: str) -> Iterator[Statement]:
    """Headers and assignments of a text in their order.

    The text must be right up to its last line; what cannot be understood is left out.
    """
    section: tuple[str, ...] = ()
    for code, first, last in _chunks(text):
        header = code.startswith("[")
        path = _path(code.rstrip("[] \t") if header else code, header)
        if path is None:
            continue
        section = path if header else section
        yield Statement(path if header else section + path, first, last, header)


def deep_key(text: str) -> int | None:
    """Line of the first key of more than `DEEPEST` names, or None."""
    dots, line = 0, 1
    for match in _PIECE.finditer(text):
        piece = match[0]
        if piece == ".":
            dots += 1
        elif piece in ("=", ",", "{", "}", "[", "]", "\n"):
            dots = 0
        if dots >= DEEPEST:
            return line
        line += piece.count("\n")
    return None


def _chunks(text: str) -> Iterator[tuple[str, int, int]]:
    """Code of each statement up to its ``=``, with its first and last line."""
    code, first, line, depth, named = "", 0, 1, 0, False
    for match in _PIECE.finditer(text):
        piece = match[0]
        if piece == "\n" and depth <= 0:
            if code.strip():
                yield code.strip(), first, line
            code, depth, named = "", 0, False
        elif not piece.startswith("#"):
            if not code.strip():
                code, first = "", line
            is_header = code.startswith("[")
            if named and not is_header:
                depth += (piece in "[{") - (piece in "]}")
            elif piece == "=" and not is_header:
                named = True
            else:
                code += piece
        line += piece.count("\n")
    if code.strip():
        yield code.strip(), first, line


def _path(code: str, header: bool) -> tuple[str, ...] | None:
    """Names of a dotted key; tomllib knows how they are quoted."""
    try:
        found: Any = tomllib.loads(f"{code.lstrip('[') if header else code} = 0")
    except (ValueError, RecursionError):
        return None
    path = []
    while isinstance(found, dict) and found:
        name, found = next(iter(found.items()))
        path.append(str(name))
    return tuple(path)
