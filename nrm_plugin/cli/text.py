"""Numbers and tables for people: engineering units, aligned columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
_PLAIN = ("", "rad", "1")


def human(value: object, unit: str) -> str:
    """Value with a unit that a person would use.

    Examples
    --------
    >>> human(2.739e-08, "m/V")
    '27.39 nm/V'
    """
    if not isinstance(value, float) or not math.isfinite(value):
        return f"{value} {unit}".rstrip()
    if unit in _PLAIN or value == 0 or (unit in ("N/m", "m/s") and 1e-3 <= abs(value) < 1e3):
        return f"{value:.6g} {unit}".rstrip()
    power = min(9, max(-15, 3 * math.floor(math.log10(abs(value) * 1.0000001) / 3)))
    return f"{value / 10.0**power:.6g} {_PREFIXES[power]}{unit}"


def table(rows: Iterable[Sequence[str]], indent: int = 2) -> str:
    """Lines with aligned columns; the last column is left as it is."""
    rows = [tuple(r) for r in rows]
    if not rows:
        return ""
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(w) for cell, w in zip(row[:-1], widths, strict=False)]
        lines.append((" " * indent + "  ".join([*cells, row[-1]])).rstrip())
    return "\n".join(lines)
