"""Numbers, texts and tables for people, and values as TOML has them."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence

#: Prefixes of units by their power of ten.
PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
#: Shown for what is not known.
NOTHING = "–"

#: Units that have no prefix.
_PLAIN = ("", "rad", "°", "1")
#: Units that have one in files that people edit.
_PREFIXED = ("m", "m/V", "m/s", "V", "Hz", "s")


def with_unit(value: object, unit: str, digits: int = 6) -> str:
    """Return a value in a unit with a suitable prefix, to so many significant digits.

    Angles are in degrees.

    Examples
    --------
    >>> with_unit(2.739e-08, "m/V"), with_unit(0.5235987755982988, "rad")
    ('27.39 nm/V', '30 °')
    """
    if not isinstance(value, float) or not math.isfinite(value):
        return f"{value} {unit}".rstrip()
    if unit == "rad":
        value, unit = math.degrees(value), "°"
    value = float(f"{value:.{digits}g}")
    if unit in _PLAIN or value == 0 or (unit in ("N/m", "m/s") and 1e-3 <= abs(value) < 1e3):
        return f"{value:.6g} {unit}".rstrip()
    power = power_of(value)
    return f"{value / 10.0**power:.6g} {PREFIXES[power]}{unit}"


def with_error(value: object, stderr: object, unit: str) -> str:
    """Return a value with its standard error, which is unknown where there is none.

    Examples
    --------
    >>> with_error(0.2, 0.01, "N/m"), with_error(0.2, None, "N/m")
    ('0.2 N/m ± 0.01 N/m', '0.2 N/m ± unknown')
    """
    known = isinstance(stderr, float) and 0.0 < stderr < math.inf
    return f"{with_unit(value, unit)} ± {with_unit(stderr, unit, 3) if known else 'unknown'}"


def power_of(value: float) -> int:
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
        head = [name, f"{PREFIXES[powers[unit]]}{unit}"]
        body = _decimals([v / 10.0 ** powers[unit] for v in values], digits)
        width = max(map(len, [*head, *body]))
        cells.append([text.rjust(width) for text in [*head, *body]])
    return table(zip(*cells, strict=True), indent)


def _common_power(columns: Iterable[tuple[str, str, list[float]]], unit: str) -> int:
    sizes = [abs(v) for _, u, values in columns if u == unit for v in values if math.isfinite(v)]
    if unit == "m":
        return -9
    return power_of(max(sizes)) if unit not in _PLAIN and any(sizes) else 0


def _decimals(values: list[float], digits: int) -> list[str]:
    finite = [v for v in values if math.isfinite(v)]
    largest = max(map(abs, finite), default=0.0)
    if largest and not 1e-3 <= largest < 10.0**6:
        return [f"{v:.{digits}g}" if math.isfinite(v) else "-" for v in values]
    decimals = max(0, digits - 1 - math.floor(math.log10(largest))) if largest else 0
    while decimals and all(f"{v:.{decimals}f}".endswith("0") for v in finite):
        decimals -= 1
    return [f"{v:.{decimals}f}" if math.isfinite(v) else "-" for v in values]


def significant(value: float, digits: int = 3) -> str:
    """Return significant digits without an exponent, as far as that is readable.

    Examples
    --------
    >>> significant(12.345), significant(0.0), significant(1234.5), significant(-0.01234)
    ('12.3', '0', '1230', '−0.0123')
    """
    if not math.isfinite(value):
        return NOTHING
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}"
    places = 0 if not value else digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{round(value, places):.{max(places, 0)}f}" if value else "0"
    return text.replace("-", "−")


def measure(value: float, unit: str, digits: int = 3) -> str:
    """Return significant digits with a unit that stays on their line; the value is in the unit.

    Examples
    --------
    >>> measure(0.5, "nm").split()
    ['0.500', 'nm']
    """
    return (
        f"{significant(value, digits)}\N{NO-BREAK SPACE}{unit}"
        if unit
        else significant(value, digits)
    )


def counted(n: int, noun: str = "curve") -> str:
    """Return a count with its noun: ``1 curve``, ``2 curves``, ``no curves``."""
    return f"{n or 'no'} {noun}{'' if n == 1 else 's'}"


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


def as_html(title: str, rows: Iterable[tuple[str, str]], longest: int = 400) -> str:
    """Return a title and a table of names and texts in HTML, for notebooks.

    Rows without a text are left out, and long texts cut off.
    """
    lines = [f"<strong>{html.escape(title)}</strong>"]
    for name, text in rows:
        if text:
            short = text if len(text) <= longest else f"{text[:longest]} ..."
            cells = f"<th>{html.escape(name)}</th><td>{html.escape(short)}</td>"
            lines.append(f'<tr style="text-align: left; vertical-align: top">{cells}</tr>')
    return "\n".join([lines[0], "<table>", *lines[1:], "</table>"])


def listed(items: Iterable[str], most: int = 5) -> str:
    """Return the first items with semicolons between them, and how many more there are."""
    items = list(items)
    more = [f"and {len(items) - most} more"] if len(items) > most else []
    return "; ".join([*items[:most], *more])


def quoted(text: str) -> str:
    """Return a text as a TOML string on one line."""
    out = []
    for c in text.encode("utf-8", "replace").decode("utf-8"):
        if c in '"\\':
            out.append(f"\\{c}")
        elif c.isprintable():
            out.append(c)
        else:
            out.append(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}")
    return f'"{"".join(out)}"'


def commented(text: str) -> str:
    """Return a text as it may stand in a TOML comment."""
    return printable(text[:500])


def printable(text: str) -> str:
    r"""Return a text on one line, with spaces for what cannot be seen or turns the writing round.

    Examples
    --------
    >>> printable("the tip\u202e\njumped\a")
    'the tip jumped'
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


#: Characters that a terminal obeys or that turn the writing round; the end of a line on Windows is
#: none of them.
_HIDDEN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\r(?!\n)"
)


def visible(text: str) -> str:
    r"""Return a text in which control characters are shown instead of obeyed.

    Those that JSON does not escape are shown as JSON would.

    Examples
    --------
    >>> visible("the tip\u202e\n\x1b[31mjumped\r")
    'the tip\\u202e\n\\x1b[31mjumped\\x0d'
    """
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}"


def as_toml(value: float | str | bool, unit: str) -> str:
    """Return a value as it stands in an experiment file.

    Examples
    --------
    >>> as_toml(2.739e-08, "m/V"), as_toml(4.0, ""), as_toml("rms", "")
    ('"27.39 nm/V"', '4', '"rms"')
    >>> as_toml(0.5235987755982988, "rad")
    '"30 deg"'
    """
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{exact(value, unit)}"' if unit else exact(value, unit)


def exact(value: float, unit: str) -> str:
    """Return a number of up to 15 digits with its unit in ASCII, as `units.parse` reads it."""
    if unit == "rad":
        value, unit = math.degrees(value), "deg"
    power = 0
    if unit in _PREFIXED and value:
        power = min(6, max(-15, 3 * math.floor(math.log10(abs(value)) / 3)))
    prefix = PREFIXES[power].replace("µ", "u")  # survives a terminal's redirection
    return f"{value / 10.0**power:.15g} {prefix}{unit}".rstrip()


def rounded(value: float, stderr: float) -> float:
    """Round a value far below its standard error, so that no digits stand for nothing."""
    if not (value and math.isfinite(stderr) and stderr > 0):
        return value
    digits = math.ceil(math.log10(max(abs(value) / stderr, 1.0))) + 4
    return float(f"{value:.{min(17, max(6, digits))}g}")
