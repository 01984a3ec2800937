"""Settings of methods, for recipes and for the authors of plugins.

>>> class Settings(MethodSettings):
...     window: Length = Field(default=5e-9, description="length that is averaged")
...     part: Fraction = Field(default=0.1, description="part of the samples that is baseline")
>>> Settings(window="3 nm").window
3e-09
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic import Field as Field

from nrm_plugin import units
from nrm_plugin.text import quoted
from nrm_plugin.units import Unit as Unit

#: Lengths that can be meant, in m; others are mistakes of units.
_SHORTEST, _LONGEST = 1e-12, 1e-4


class MethodSettings(BaseModel):
    """Settings that do not change and refuse keys that they do not have."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def number(value: Any, unit: str) -> float:
    """Return the number in SI of a number, or of a text with a unit.

    Raises
    ------
    ValueError
    """
    if isinstance(value, str):
        return units.parse(value, unit)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"it is a number, not {shown(value)}")
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        raise ValueError("it is larger than any number that can be computed with") from None


def _length(value: Any) -> float:
    metres = number(value, "m")
    if not _SHORTEST <= metres <= _LONGEST:
        if isinstance(value, str) and value.strip()[-1:].isalpha():
            raise ValueError(f"{value[:60].strip()} cannot be meant; lengths are 1 pm to 100 µm")
        raise ValueError(f'{metres:g} m cannot be meant; write a length with its unit, "2 nm"')
    return metres


def _fraction(value: Any) -> float:
    part = number(value, "")
    if not 0.0 < part < 1.0:
        raise ValueError(f"it is between 0 and 1, not {part:g}")
    return part


#: A length in m, from 1 pm to 100 um; a text has its unit, "2 nm".
Length = Annotated[float, BeforeValidator(_length)]
#: A number between 0 and 1, both excluded; "30 %" is one, too.
Fraction = Annotated[float, BeforeValidator(_fraction)]


def unit_of(metadata: list[Any]) -> str:
    """SI unit of a field, of its metadata; "" for a number without one."""
    if any(getattr(part, "func", None) is _length for part in metadata):
        return "m"
    return next((part.unit for part in metadata if isinstance(part, Unit)), "")


def shown(value: Any) -> str:
    """Value as TOML has it, as far as it is short."""
    if isinstance(value, Mapping | list | tuple):
        return "a section" if isinstance(value, Mapping) else "a list"
    return quoted(value[:60]) if isinstance(value, str) else written(value)


def written(value: Any, metadata: list[Any] | None = None) -> str:
    """Value as it stands in a recipe; with a field's metadata, lengths in nm.

    Parameters
    ----------
    value : bool, number, str or sequence of them
    metadata : list, optional
        Of the pydantic field.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if any(getattr(part, "func", None) is _length for part in metadata or ()):
        text = f"{value * 1e9:.9g} nm"  # where that says exactly the same
        value = text if units.parse(text, "m") == value else value
    return quoted(value) if isinstance(value, str) else repr(value)
