"""What `process` does, as one checked value that can be written down and read back."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from nrm_plugin import units
from nrm_plugin.errors import InvalidInput, RecipeError
from nrm_plugin.vocabulary import nearest


def _metres(value: Any) -> Any:
    return units.parse(value, "m") if isinstance(value, str) else value


Length = Annotated[float, BeforeValidator(_metres), Field(gt=0.0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


#: Distances at which results can be given; more is a mistake of units.
MOST_DEPTHS = 10_000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Depth(_Part):
    """Distances from the electrode at which results are given; 0 is the electrode."""

    stop: Length = Field(default=60e-9, description="largest distance")
    step: Length = Field(default=0.5e-9, description="step between distances")

    @property
    def count(self) -> int:
        """Number of distances."""
        return int(self.stop / self.step * (1.0 + 1e-12)) + 1

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if self.count > MOST_DEPTHS:
            raise ValueError(f"{self.stop / self.step:.3g} distances are more than {MOST_DEPTHS}")
        return self


class Contact(_Part):
    """How the solid contact of each curve is found."""

    method: str = Field(
        default="grown",
        description='"grown" windows, the paper\'s "two-line" rule, or a plugin\'s name',
    )
    slope: Literal["pooled", "calibrated", "free"] = Field(
        default="pooled",
        description="slope of the wall: that of all curves, -1 as a rigid electrode has, or each "
        "curve's own",
    )
    interference: bool = Field(default=True, description="take a fringe away that all curves share")
    spikes: bool = Field(default=True, description="take single samples away that are far off")
    baseline: Fraction = Field(
        default=0.4, description="two-line: part of the samples that is baseline"
    )
    wall: Fraction = Field(
        default=0.3, description="two-line: part of the largest force above which is wall"
    )


class Derivative(_Part):
    """How forces are differentiated."""

    method: Literal["local-linear", "savitzky-golay", "total-variation"] = Field(
        default="local-linear", description="by name"
    )
    half_width: Length = Field(
        default=2e-9, description="half of the window; the resolution is about it"
    )


class Lateral(_Part):
    """What is corrected on the lateral signal."""

    lag: bool = Field(
        default=True, description="shift by the lock-in's delay of poles x time constant"
    )
    series_compliance: bool = Field(
        default=True,
        description="correct for the lever's own compliance, where its stiffness is known",
    )


class Recipe(_Part):
    """What `process` does.

    Examples
    --------
    >>> Recipe().replace(half_width="3 nm").derivative.half_width
    3e-09
    """

    direction: Literal["approach", "retract", "both"] = Field(
        default="approach", description="way of the ramp"
    )
    shape_factor: float | str = Field(
        default="paper", description='r_g: "paper" (1.25), a number, or a file with a curve r_g(z)'
    )
    correct_slope: bool = Field(
        default=False, description="multiply distances by the cosine of the surface's local slope"
    )
    depth: Depth = Depth()
    contact: Contact = Contact()
    derivative: Derivative = Derivative()
    lateral: Lateral = Lateral()

    @property
    def directions(self) -> tuple[str, ...]:
        """Ways of the ramp that are processed."""
        return ("approach", "retract") if self.direction == "both" else (self.direction,)

    @classmethod
    def from_toml(cls, path: str | PathLike[str]) -> Recipe:
        """Read a recipe.

        Raises
        ------
        RecipeError
            With the nearest known key for one that is not known.
        """
        path = Path(path)
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise RecipeError(f"{path}: {error}") from None
        try:
            return cls.from_values(given)
        except RecipeError as error:
            raise RecipeError(f"{path}: {error}") from None

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Recipe:
        """Make a recipe of nested values, as a TOML file has them.

        Raises
        ------
        RecipeError
        """
        try:
            return cls.model_validate(dict(values))
        except (ValidationError, InvalidInput) as error:
            raise RecipeError(_words(error)) from None

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with changes.

        Parameters
        ----------
        **changes
            Keys of the recipe; of its parts by their own name (``half_width=3e-9``), as a part
            (``contact={"method": "two-line"}``), or dotted (``**{"contact.method": ...}``).

        Raises
        ------
        RecipeError
        """
        values = self.model_dump()
        for key, value in changes.items():
            part, _, name = key.partition(".")
            if name and isinstance(values.get(part), dict):
                values[part][name] = value
            elif isinstance(values.get(key), dict) and isinstance(value, Mapping):
                values[key].update(value)
            elif key in values:
                values[key] = value.model_dump() if isinstance(value, BaseModel) else value
            else:
                parts = [p for p, v in values.items() if isinstance(v, dict) and key in v]
                if len(parts) != 1:
                    known = [
                        *values,
                        *(n for v in values.values() if isinstance(v, dict) for n in v),
                    ]
                    raise RecipeError(f"a recipe has no {key!r}.{nearest(key, known)}")
                values[parts[0]][key] = value
        return Recipe.from_values(values)

    def to_toml(self, *, comments: bool = True) -> str:
        """Return the recipe as TOML, every key with what it means."""
        lines: list[str] = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if not isinstance(value, _Part):
                lines.append(_entry(name, value, field.description if comments else None))
        for name in type(self).model_fields:
            part = getattr(self, name)
            if isinstance(part, _Part):
                lines += ["", f"[{name}]"]
                if comments:
                    lines[-1] += f"  # {(part.__doc__ or '').strip()}"
                for key, field in type(part).model_fields.items():
                    value = getattr(part, key)
                    if comments and field.annotation is float and value < 1e-3:
                        value = f"{value * 1e9:.9g} nm"
                    lines.append(_entry(key, value, field.description if comments else None))
        return "\n".join(lines) + "\n"


def _entry(name: str, value: Any, comment: str | None) -> str:
    shown = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
    shown = shown or (f'"{value}"' if isinstance(value, str) else repr(value))
    return f"{name} = {shown}" + (f"  # {comment}" if comment else "")


def _words(error: ValidationError | InvalidInput) -> str:
    """What is wrong, with the nearest known key."""
    if isinstance(error, InvalidInput):
        return str(error)
    said = []
    for item in error.errors():
        place = ".".join(str(p) for p in item["loc"])
        if item["type"] == "extra_forbidden":
            part = Recipe.model_fields.get(str(item["loc"][0]))
            kind = part.annotation if part is not None else Recipe
            known = getattr(kind, "model_fields", {})
            said.append(f"there is no key {place!r}.{nearest(str(item['loc'][-1]), known)}")
        else:
            said.append(f"{place}: {item['msg']}")
    return "; ".join(said)
