"""What the tables of a configuration are made of: checked numbers with units."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nrm_plugin import units


def in_unit(unit: str) -> BeforeValidator:
    """Turn text with a unit into a number in an SI unit."""
    return BeforeValidator(lambda v: units.parse(v, unit) if isinstance(v, str) else v)


Seconds = Annotated[float, in_unit("s"), Field(gt=0.0, allow_inf_nan=False)]
Hertz = Annotated[float, in_unit("Hz"), Field(gt=0.0, allow_inf_nan=False)]
Volts = Annotated[float, in_unit("V"), Field(gt=0.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class ConfigTable(BaseModel):
    """A table of a configuration: it cannot be changed, and has no keys of other names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
