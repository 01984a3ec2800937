"""Writes calibrated values into an experiment file, and leaves the rest as it is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrm_plugin.errors import InvalidInput, RecipeError
from nrm_plugin.experiment.schema import BY_KEY, Entry
from nrm_plugin.experiment.statements import Statement, statements
from nrm_plugin.experiment.validation import check, load
from nrm_plugin.files import decode, replacing
from nrm_plugin.text import commented, exact, rounded
from nrm_plugin.vocabulary import METADATA

if TYPE_CHECKING:
    from nrm_plugin.calibration import Estimate

_MARK = "calibrated: "
_BEFORE = "; before: "
_NEW = "# Experiment file, begun by a calibration. nrm experiment FILE lists what else is needed.\n"


def update(path: Path, estimates: Sequence[Estimate]) -> None:
    """Write calibrated values with their standard errors into a new or existing file.

    Comments, order and everything else in the file stay as they are. Each value gets a comment
    that names the method; a comment that stood there before is kept behind it.

    Parameters
    ----------
    path : Path
    estimates : sequence of Estimate

    Raises
    ------
    RecipeError
        If the file that is there has a mistake.
    InvalidInput
        If a value is not believable.
    OutputError
        If the file cannot be written.
    """
    path = Path(path)
    text, encoding = _NEW, "utf-8"
    if path.exists():
        text, encoding = decode(load(path), path.name)
        check(text, path.name)
    dos = "\r\n" in text
    text = updated(text.replace("\r\n", "\n"), estimates, path.name)
    data = (text.replace("\n", "\r\n") if dos else text).encode(encoding)
    with replacing(path, overwrite=True) as part:
        part.write_bytes(data)


def updated(text: str, estimates: Sequence[Estimate], name: str) -> str:
    """Return the text of an experiment file with calibrated values in it."""
    for estimate in estimates:
        entry = BY_KEY.get(estimate.key)
        if entry is None:
            raise InvalidInput(f"an experiment file has no place for {estimate.key!r}")
        value = rounded(estimate.value, estimate.stderr)
        METADATA[estimate.key].check(estimate.key, value)
        text = _set(text, entry, value, estimate.method)
        error = BY_KEY.get(f"{estimate.key}_stderr")
        if error is not None:
            stderr = float(f"{estimate.stderr:.3g}") if estimate.has_error else None
            text = _set(text, error, stderr, "", behind=entry)
    made = check(text, name)
    for estimate in estimates:
        value = rounded(estimate.value, estimate.stderr)
        if not math.isclose(float(made.metadata.get(estimate.key, math.nan)), value, rel_tol=1e-9):
            raise RecipeError(f"{name}: {BY_KEY[estimate.key].place} cannot be changed; see there")
    return text


def _set(
    text: str, entry: Entry, value: float | None, method: str, behind: Entry | None = None
) -> str:
    """Give a key a value, or take it away where there is none."""
    import tomlkit
    from tomlkit.items import InlineTable

    if value is not None:
        text = _with_line(text, entry, behind)
    document = tomlkit.parse(text)
    table: Any = document.get(entry.section)
    if value is None:
        if table is not None:
            table.pop(entry.name, None)
        return document.as_string()
    if table is None:
        table = document[entry.section] = tomlkit.table()
    unit = METADATA[entry.key].unit
    written = exact(value, unit)
    item = tomlkit.item(written if unit else float(written))
    old = table.get(entry.name)
    if not isinstance(table, InlineTable) and method:
        item.comment(f"{_MARK}{commented(method)}{_before(old)}")
    table[entry.name] = item
    return document.as_string()


def _before(old: Any) -> str:
    """What the comment of a value says about the one before it."""
    if old is None or old == _PLACED:
        return ""
    comment = old.trivia.comment.lstrip("# ")
    if comment.startswith(_MARK):
        return f"{_BEFORE}{comment.split(_BEFORE, 1)[1]}" if _BEFORE in comment else ""
    return _BEFORE + commented(f"{old}, {comment}" if comment else str(old))


#: Stands for a value in a line that has just been made for it.
_PLACED = "to be calibrated"


def _with_line(text: str, entry: Entry, behind: Entry | None) -> str:
    """Make a line for a key: in place of the template's, behind another, or in its section."""
    found = list(statements(text))
    if any(s.path[:2] == (entry.section, entry.name) for s in found):
        return text
    lines = text.split("\n")
    line = f'{entry.name} = "{_PLACED}"'
    header = next((s for s in found if s.header and s.path == (entry.section,)), None)
    if header is None:
        if any(s.path[0] == entry.section for s in found):
            return text  # written in another form, which tomlkit knows
        above = [text.rstrip("\n"), ""] if text.strip() else []
        return "\n".join([*above, f"[{entry.section}]", line, ""])
    inside = [s for s in found if s.path[:1] == header.path and s.first >= header.first]
    asked = (s.last for s in inside if behind and s.path == (behind.section, behind.name))
    end = next((s.first - 1 for s in found if s.header and s.first > header.first), len(lines))
    at = next(asked, None)
    if at is None:
        at = _placeholder(lines, entry, inside, end)
        if at is not None:
            lines[at] = line
            return "\n".join(lines)
        at = max(s.last for s in inside)
    return "\n".join([*lines[:at], line, *lines[at:]])


def _placeholder(lines: list[str], entry: Entry, inside: list[Statement], end: int) -> int | None:
    """Index of the line in which the template has the key commented out."""
    pattern = re.compile(rf'#\s*{entry.name} = "\.\.\.')
    taken = {n for s in inside for n in range(s.first - 1, s.last)}
    return next(
        (n for n in range(inside[0].first, end) if n not in taken and pattern.match(lines[n])), None
    )
