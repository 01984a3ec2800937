"""Values as text, in units that a person would use."""

from __future__ import annotations

import math

#: ASCII, so that a template survives a terminal's redirection.
_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M"}
_PREFIXED = ("m", "m/V", "m/s", "V", "Hz", "s")


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
    text = text[:500].encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def as_toml(value: float | str | bool, unit: str) -> str:
    """Return a value as it stands in an experiment file.

    Examples
    --------
    >>> as_toml(2.739e-08, "m/V"), as_toml(4.0, ""), as_toml("rms", "")
    ('"27.39 nm/V"', '4', '"rms"')
    """
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{with_unit(value, unit)}"' if unit else with_unit(value, unit)


def with_unit(value: float, unit: str) -> str:
    """Return a number of up to 15 digits with its unit, as `units.parse` reads it."""
    power = 0
    if unit in _PREFIXED and value:
        power = min(6, max(-15, 3 * math.floor(math.log10(abs(value)) / 3)))
    return f"{value / 10.0**power:.15g} {_PREFIXES[power]}{unit}".rstrip()


def rounded(value: float, stderr: float) -> float:
    """Round a value far below its standard error, so that no digits stand for nothing."""
    if not (value and math.isfinite(stderr) and stderr > 0):
        return value
    digits = math.ceil(math.log10(max(abs(value) / stderr, 1.0))) + 4
    return float(f"{value:.{min(17, max(6, digits))}g}")
