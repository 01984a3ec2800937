"""Where things stand in a TOML text, which `tomllib` does not tell, and what is wrong with one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nrm_plugin.errors import NrmError

#: Names in a dotted key. Our files need two; tomllib's time grows with the square.
DEEPEST = 10

#: Characters of a name that an error shows.
LONGEST_NAME = 200

_BARE = re.compile(r"=\s*[-+]?\d[\d.,eE+-]*\s*[^\W\d_%°]")
_AT = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)")

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


def parsed(text: str) -> dict[str, Any]:
    """Values of a TOML text; whatever it is, a fault is a `tomllib.TOMLDecodeError`."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("it is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits, too
        raise tomllib.TOMLDecodeError(str(error)) from None


def read_toml(text: str, name: str, what: str, error: type[NrmError]) -> dict[str, Any]:
    """Values of a TOML text that a person wrote.

    Parameters
    ----------
    text, name : str
        The text; what its file is called in errors, empty where the caller says it.
    what : str
        What it is not where it cannot be one: "this is no recipe".
    error : type
        Class of the error.

    Raises
    ------
    NrmError
        Of that class; it names the line, and what to do about it.
    """
    deep = deep_key(text)
    if deep is not None:
        place = f"{name}, " if name else ""
        raise error(f"{place}line {deep}: {what}: it has a name of many parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        place = f"{name}: " if name else ""
        raise error(f"{place}{what}: it is nested too deeply") from None
    except ValueError as wrong:  # TOMLDecodeError, or a number of thousands of digits
        place = f"{name}, " if name else ""
        raise error(f"{place}{fault(text, str(wrong))}") from None


def fault(text: str, message: str) -> str:
    """Where a text is not TOML, and what to do about it.

    Parameters
    ----------
    text, message : str
        The text; what tomllib says of it.
    """
    rows = text.split("\n")
    at = _AT.search(message)
    what = _AT.sub("", message)
    line, column = (int(at[1]), int(at[2])) if at and at[1] else (len(rows), len(rows[-1]) + 1)
    if column == 1 and line > 1 and what.startswith('Expected "\'"'):
        line, column = line - 1, len(rows[line - 2]) + 1  # where the text should have ended
    twice = _twice("\n".join(rows[:line]))
    if twice and ("overwrite" in what or "twice" in what or "immutable" in what):
        path, first, second = twice
        return f"line {second}: {dotted(path)} is there twice; the first is in line {first}."
    hint = ""
    row = rows[line - 1] if line <= len(rows) else ""
    if any(quote in row for quote in "“”„‟«»‘’"):
        hint = ' Write straight quotes: "..."'
    elif _BARE.search(row):
        hint = ' A value with a unit stands in quotes: "0.2 N/m"'
    elif re.search(r"=\s*[-+]?\d+,\d", row):
        hint = " The decimal sign is a point."
    elif row.count('"') % 2 or row.count("'") % 2:
        hint = ' A text begins and ends with a quote, and one is missing: "0.2 N/m"'
    elif "\\" in row:
        hint = " A backslash is written twice, or the text in 'single quotes'."
    elif what.startswith("Expected '=' after a key") and not row.lstrip().startswith("["):
        hint = " A name with blanks stands in quotes."
    return f"line {line}, column {column}: this is not TOML: {what[:200]}.{hint}"


def _twice(text: str) -> tuple[tuple[str, ...], int, int] | None:
    seen: dict[tuple[str, ...], int] = {}
    for statement in statements(text):
        if statement.path in seen:
            return statement.path, seen[statement.path], statement.first
        seen[statement.path] = statement.first
    return None


def dotted(path: tuple[str, ...]) -> str:
    """Path of a statement as an error shows it: ``[tip] radius``."""
    section, *rest = (part[:LONGEST_NAME] for part in path)
    return f"[{section}] {'.'.join(rest)}".rstrip()


def comments(text: str) -> list[str]:
    """Comments in a text, each from its ``#`` to the end of the line."""
    return [match[0].rstrip() for match in _PIECE.finditer(text) if match[0].startswith("#")]
