"""The table map: what the columns of a table mean, as a small TOML file says it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nrm_plugin import units
from nrm_plugin.errors import InvalidInput
from nrm_plugin.formats import settings_of
from nrm_plugin.units import Unit
from nrm_plugin.vocabulary import CHANNELS, check_name, nearest

#: Columns of the curve table that a table may have, one value per curve.
OF_CURVES = ("x", "y", "potential", "cycle")

#: Keys that are no channels.
RESERVED = ("curves", "curve", "segment", "position_x", "position_y", "cycle")


class MappedColumn(BaseModel):
    """A column and what it is in.

    A scale with a unit (``"1.2 um/V"``) gives the channel the unit above the line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = Field(description="title of the column, or its number from 1 on")
    unit: str = Field(default="", description="unit of its numbers; by default that of its title")
    scale: float | str = Field(default=1.0, description="factor, or '1.2 um/V'")
    offset: float = Field(default=0.0, allow_inf_nan=False, description="added behind the factor")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"column": str(value)} if isinstance(value, str | int) else value

    def factor(self, own: str) -> tuple[float, str]:
        """Factor to SI and SI unit of the values; `own` is the unit in the column's title.

        Raises
        ------
        InvalidInput
            For a unit that is not known, or one that does not fit the scale's.
        """
        unit = self.unit or own
        known = units.si(unit)
        if known is None:
            raise InvalidInput(f"column {self.column!r}: the unit {unit!r} is not known")
        gain, symbol = known
        if isinstance(self.scale, str):
            number, _, behind = self.scale.strip().partition(" ")
            scale = units.si(behind)
            try:
                value = float(number)
            except ValueError:
                value = math.nan
            if scale is None or not math.isfinite(value):
                raise InvalidInput(
                    f"column {self.column!r}: the scale {self.scale!r} is no number with a unit "
                    "such as '1.2 um/V'"
                )
            above, _, below = scale[1].partition("/")
            if below and below != symbol:
                raise InvalidInput(
                    f"column {self.column!r} is in {symbol or 'no unit'}, and the scale "
                    f"{self.scale!r} is per {below}"
                )
            return gain * value * scale[0], above if below else scale[1] or symbol
        if not math.isfinite(self.scale):
            raise InvalidInput(f"column {self.column!r}: the scale is {self.scale}")
        return gain * self.scale, symbol


class CurveRule(BaseModel):
    """Where a curve begins and ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["auto", "one", "height", "deflection"] = Field(
        default="auto",
        description="one: the whole table; height or deflection: ramps in one long recording",
    )
    travel: Annotated[float, Unit("m"), Field(gt=0.0, allow_inf_nan=False)] = Field(
        default=50e-9, description="height: a ramp moves at least so far"
    )
    threshold: Annotated[float | None, Field(gt=0.0, allow_inf_nan=False)] = Field(
        default=None, description="deflection: what counts as contact, in the channel's SI unit"
    )
    pre: Annotated[float | None, Unit("s"), Field(gt=0.0)] = Field(default=None)
    post: Annotated[float | None, Unit("s"), Field(gt=0.0)] = Field(default=None)
    rate: Annotated[float | None, Unit("Hz"), Field(gt=0.0, allow_inf_nan=False)] = Field(
        default=None, description="samples per second, where there is no column of times"
    )


class TableMap(BaseModel):
    """What the columns of a table mean: the channels by name, and where curves begin.

    ``height``, ``deflection``, ``lateral_in_phase`` and others of the vocabulary, or names of your
    own, each with a column; ``curve``, ``segment``, ``position_x``, ``position_y`` and ``cycle``
    name columns that hold one value for each curve; ``[curves]`` says how a long recording is cut.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, MappedColumn]

    curves: CurveRule = CurveRule()
    curve: MappedColumn | None = None
    segment: MappedColumn | None = None
    position_x: MappedColumn | None = None
    position_y: MappedColumn | None = None
    cycle: MappedColumn | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        for name, part in value.items():
            if name in RESERVED:
                continue
            try:
                check_name(name, "channel")
            except InvalidInput as error:
                raise ValueError(str(error)) from None
            # What a person wrote may be misspelt; the titles of a table are what they are.
            close = nearest(name, [*CHANNELS, *RESERVED])
            if close and name not in CHANNELS and not isinstance(part, MappedColumn):
                raise ValueError(f"{name!r} is no channel of ours.{close}")
        return value

    @property
    def channels(self) -> dict[str, MappedColumn]:
        """Channels by name."""
        return dict(self.__pydantic_extra__)


def parse_map(text: str, name: str) -> TableMap:
    """Read the text of a table map.

    Raises
    ------
    RecipeError
    """
    made: TableMap = settings_of(TableMap, text, name)
    return made


def as_toml(table_map: TableMap) -> str:
    """Text of a table map that reads back as it is."""
    import tomlkit

    plain = table_map.model_dump(exclude_defaults=True, exclude_none=True)
    document = tomlkit.document()
    for name, part in plain.items():
        inline = tomlkit.inline_table()
        inline.update(
            part.model_dump(exclude_defaults=True) if hasattr(part, "model_dump") else part
        )
        document[name] = inline
    return tomlkit.dumps(document)
