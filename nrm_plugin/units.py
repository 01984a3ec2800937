"""Unit strings to SI and back to a number.

The units that instruments write are few, and a table knows them. Anything else that a person
types goes to pint, which is imported only then.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import PREFIXES

#: Prefixes as people and instruments spell them: micro is a letter of two alphabets, or neither.
_SPELT = {"u": -6, "μ": -6, "~": -6, "c": -2, "K": 3}
_PREFIXES = {prefix: float(f"1e{power}") for power, prefix in PREFIXES.items()} | {
    prefix: float(f"1e{power}") for prefix, power in _SPELT.items()
}
_SYMBOLS = ("V", "A", "m", "N", "Pa", "Hz", "s", "rad", "W", "J", "C", "F", "Ohm")
_TABLE = {p + s: (f, s) for s in _SYMBOLS for p, f in _PREFIXES.items()} | {
    "": (1.0, ""),
    "1": (1.0, ""),
    "%": (0.01, ""),
    "\u00c5": (1e-10, "m"),  # the letter
    "\u212b": (1e-10, "m"),  # the sign for Angstrom
    "º": (math.pi / 180, "rad"),
    "°": (math.pi / 180, "rad"),
    "deg": (math.pi / 180, "rad"),
}

#: Written with a number only: its zero lies elsewhere, so it has no factor.
_CELSIUS = ("°C", "ºC", "° C", "℃", "degC", "deg C", "celsius")

#: Symbols with at most a one-digit power: what a unit looks like, and nothing to compute for long.
_SYMBOL = r"(?:[^\W\d_]+|[%°º])(?:(?:\*\*|\^)?-?\d)?"
_UNIT = re.compile(rf"(?:1|{_SYMBOL})?(?:(?:\s*[*/·]\s*|\s+){_SYMBOL})*")
_NUMBER = re.compile(r"([-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d+)?|[-+]?inf|nan)\s*+(.*)$")


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
    if len(unit) > 60 or not _UNIT.fullmatch(unit):
        raise InvalidInput(f"{unit[:60]!r} is no unit")
    import pint

    quantity = pint.application_registry.Quantity
    try:
        value, wanted = quantity(1.0, unit), quantity(1.0, target)
        if value.to_root_units().units != wanted.to_root_units().units:
            raise ValueError("they do not measure the same")  # to pint, 1 rad/s is 1 Hz
        if quantity(0.0, unit).to(target).magnitude != 0:
            raise ValueError("their zeros are not the same")  # degrees Celsius and Fahrenheit
        return float(value.to(target).magnitude)
    except Exception:  # pint raises many kinds, its tokenizer others
        raise InvalidInput(
            f"{unit or 'no unit'} cannot be turned into {target or 'a pure number'}"
        ) from None


def parse(text: str, target: str) -> float:
    """Return the value of a number with a unit, ``"0.2 N/m"``, in the SI unit `target`.

    A number without a unit is taken to be in `target`.

    Raises
    ------
    InvalidInput
        If there is no number, or the unit does not fit.
    """
    match = _NUMBER.match(text.strip())
    if match is None:
        raise InvalidInput(f"{text!r} is not a number with a unit such as '1 {target}'")
    number, unit = float(match[1]), match[2]
    if target == "K" and unit in _CELSIUS:
        return number + 273.15
    if not unit:
        return number
    scale = factor(unit, target)
    whole = round(1 / scale) if 1e-18 < scale < 1 else 0
    # 60 nm is 60 / 10^9 m: dividing by a whole number gives the float that 60e-9 is.
    return number / whole if whole and abs(whole * scale - 1) < 1e-12 else number * scale


def quantity(text: str, unit: str, usual: str = "") -> float:
    """Return a number with its unit in SI; without a unit it is refused, unless it has none.

    Parameters
    ----------
    text, unit : str
        The text; the SI unit of the result.
    usual : str, optional
        Unit that people would write, for the example in the error.

    Raises
    ------
    InvalidInput
        If the unit is missing or does not fit.
    """
    if unit and re.fullmatch(r"\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?\s*", text):
        raise InvalidInput(
            f"{text.strip()!r} has no unit: write for example "
            f"'{text.strip()} {usual or ('deg' if unit == 'rad' else unit)}'"
        )
    return parse(text, unit)


@dataclass(frozen=True)
class Unit:
    """SI unit of a field of settings (pydantic), which may be a number or a text with its unit.

    Attributes
    ----------
    unit : str
        SI unit of the value.
    usual : str
        Unit that people would write, for the example in an error.

    Examples
    --------
    >>> from typing import Annotated
    >>> from pydantic import BaseModel, Field
    >>> class Settings(BaseModel):
    ...     limit: Annotated[float, Unit("V")] = Field(10.0, description="where the detector stops")
    >>> Settings(limit="200 mV").limit
    0.2
    """

    unit: str
    usual: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Have pydantic read texts with units."""
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def read(self, value: Any) -> Any:
        """Return a text with a unit in SI, and anything else as it is.

        Raises
        ------
        ValueError
            As pydantic wants it.
        """
        if not isinstance(value, str):
            return value
        try:
            return quantity(value, self.unit, self.usual)
        except InvalidInput as error:
            raise ValueError(str(error)) from None
