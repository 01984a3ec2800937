"""Unit strings to SI and back to a number.

The units that instruments write are few, and a table knows them. Anything else that a person
types goes to pint, which is imported only then.
"""

from __future__ import annotations

import math
import re

from nrm_plugin.errors import InvalidInput

_PREFIXES = {
    "": 1.0, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "~": 1e-6,
    "m": 1e-3, "c": 1e-2, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9,
}  # fmt: skip
_SYMBOLS = ("V", "A", "m", "N", "Pa", "Hz", "s", "rad", "W", "J", "C", "F", "Ohm")
_TABLE = {p + s: (f, s) for s in _SYMBOLS for p, f in _PREFIXES.items()} | {
    "": (1.0, ""),
    "1": (1.0, ""),
    "%": (0.01, ""),
    "º": (math.pi / 180, "rad"),
    "°": (math.pi / 180, "rad"),
    "deg": (math.pi / 180, "rad"),
}

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?inf|nan)\s*(.*?)\s*$")


def si(unit: str) -> tuple[float, str] | None:
    """Factor and SI symbol of a unit string, or None for a unit that the table does not know.

    Examples
    --------
    >>> si("nm/V")
    (1e-09, 'm/V')
    >>> si("Arb") is None
    True
    """
    above, slash, below = unit.strip().partition("/")
    top = _TABLE.get(above.strip())
    if top is None:
        return None
    if not slash:
        return top
    bottom = _TABLE.get(below.strip())
    if bottom is None or not bottom[1]:
        return None
    symbol = f"{top[1] or '1'}/{bottom[1]}"
    return top[0] / bottom[0], "" if top[1] == bottom[1] else symbol


def factor(unit: str, target: str) -> float:
    """Return the number that values in `unit` are multiplied by to be in `target` (an SI unit).

    Raises
    ------
    InvalidInput
        If the two do not measure the same thing, or the unit is not known.
    """
    known = si(unit)
    if known is not None and known[1] == target:
        return known[0]
    if known is not None and si(target) is not None and "/" not in unit + target:
        raise InvalidInput(f"{unit or 'no unit'} cannot be turned into {target or 'a pure number'}")
    import pint

    try:
        return float(pint.application_registry.Quantity(1.0, unit).to(target or "").magnitude)
    except Exception as error:  # pint raises many kinds, its tokenizer others
        raise InvalidInput(
            f"{unit or 'no unit'} cannot be turned into {target or 'a pure number'} ({error})"
        ) from None


def parse(text: str, target: str) -> float:
    """Return the value of a number with a unit, ``"0.2 N/m"``, in the SI unit `target`.

    A number without a unit is taken to be in `target`.

    Raises
    ------
    InvalidInput
        If there is no number, or the unit does not fit.
    """
    match = _NUMBER.match(text)
    if match is None:
        raise InvalidInput(f"{text!r} is not a number with a unit such as '1 {target}'")
    number, unit = float(match[1]), match[2]
    return number if not unit else number * factor(unit, target)
