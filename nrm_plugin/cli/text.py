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
    power = _power(value)
    return f"{value / 10.0**power:.6g} {_PREFIXES[power]}{unit}"


def _power(value: float) -> int:
    """Power of ten of the prefix that suits a value."""
    return min(9, max(-15, 3 * math.floor(math.log10(abs(value) * 1.0000001) / 3)))


def columns(
    given: Iterable[tuple[str, str, Sequence[float]]], digits: int = 4, indent: int = 2
) -> str:
    """Table of columns, each a name, an SI unit and values; what is not finite is a dash.

    Lengths are in nm; all columns of another unit have the prefix that suits the largest value.
    A column has as many decimals as give its largest value the digits asked for, without
    zeros at the end of all.
    """
    columns = [(name, unit, [float(v) for v in values]) for name, unit, values in given]
    powers = {unit: _common_power(columns, unit) for _, unit, _ in columns}
    cells = []
    for name, unit, values in columns:
        head = [name, f"{_PREFIXES[powers[unit]]}{unit}"]
        body = _decimals([v / 10.0 ** powers[unit] for v in values], digits)
        width = max(map(len, [*head, *body]))
        cells.append([text.rjust(width) for text in [*head, *body]])
    return table(zip(*cells, strict=True), indent)


def _common_power(columns: Iterable[tuple[str, str, list[float]]], unit: str) -> int:
    sizes = [abs(v) for _, u, values in columns if u == unit for v in values if math.isfinite(v)]
    if unit == "m":
        return -9
    return _power(max(sizes)) if unit not in _PLAIN and any(sizes) else 0


def _decimals(values: list[float], digits: int) -> list[str]:
    finite = [v for v in values if math.isfinite(v)]
    largest = max(map(abs, finite), default=0.0)
    if largest and not 1e-3 <= largest < 10.0**6:
        return [f"{v:.{digits}g}" if math.isfinite(v) else "-" for v in values]
    decimals = max(0, digits - 1 - math.floor(math.log10(largest))) if largest else 0
    while decimals and all(f"{v:.{decimals}f}".endswith("0") for v in finite):
        decimals -= 1
    return [f"{v:.{decimals}f}" if math.isfinite(v) else "-" for v in values]


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
