"""What the tables of a configuration are made of: checked numbers with units."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nrm_plugin import units
from nrm_plugin.errors import InvalidInput


def in_unit(unit: str) -> BeforeValidator:
    """Turn text with a unit into a number in an SI unit."""
    return BeforeValidator(lambda v: units.parse(v, unit) if isinstance(v, str) else v)


Seconds = Annotated[float, in_unit("s"), Field(gt=0.0, allow_inf_nan=False)]
Hertz = Annotated[float, in_unit("Hz"), Field(gt=0.0, allow_inf_nan=False)]
Volts = Annotated[float, in_unit("V"), Field(gt=0.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def _level(value: Any) -> Any:
    """Refuse a level with a unit: the channel's is not known where the level is read."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise InvalidInput(
                "a plain number in the unit of the channel that tells ramps apart, V where that "
                f"has no scale: 0.2, not {value!r}"
            ) from None
    return value


#: Above 0, in the unit of a channel.
Level = Annotated[float, BeforeValidator(_level), Field(gt=0.0, allow_inf_nan=False)]


class ConfigTable(BaseModel):
    """A table of a configuration: it cannot be changed, and has no keys of other names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
