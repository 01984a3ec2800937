"""What `process` does, as one checked value that can be written down and read back."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
    model_validator,
)

from nrm_plugin import units
from nrm_plugin.errors import RecipeError
from nrm_plugin.files import decode, read_settings
from nrm_plugin.text import quoted
from nrm_plugin.vocabulary import nearest

#: Distances at which results can be given; more is a mistake of units.
MOST_DEPTHS = 10_000

#: Bytes of a file. A recipe with every default has a hundredth of it.
LIMIT = 1 << 18

#: Lengths that can be meant, in m; others are mistakes of units too.
_SHORTEST, _LONGEST = 1e-12, 1e-4


def _number(value: Any, unit: str) -> float:
    """Number in SI of a number, or of a text with a unit."""
    if isinstance(value, str):
        return units.parse(value, unit)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"it is a number, not {_shown(value)}")
    return float(value)


def _length(value: Any) -> float:
    metres = _number(value, "m")
    if not _SHORTEST <= metres <= _LONGEST:
        raise ValueError(f'{metres:g} m cannot be meant; write a length with its unit, "2 nm"')
    return metres


def _fraction(value: Any) -> float:
    number = _number(value, "")
    if not 0.0 < number < 1.0:
        raise ValueError(f"it is between 0 and 1, not {number:g}")
    return number


def _shape_factor(value: Any) -> float | str:
    """Name, file or number; a number may be written as text."""
    try:
        number = float(value) if isinstance(value, str) else _number(value, "")
    except ValueError:
        if isinstance(value, str) and value.strip():
            return value
        number = math.nan
    if not 0.0 < number < math.inf:
        raise ValueError(f'it is "paper", a positive number or a file, not {_shown(value)}')
    return number


def _shown(value: Any) -> str:
    """Value as TOML has it, as far as it is short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return "a section" if isinstance(value, Mapping) else "a list"
    return quoted(value[:60]) if isinstance(value, str) else repr(value)


Length = Annotated[float, BeforeValidator(_length)]
Fraction = Annotated[float, BeforeValidator(_fraction)]
ShapeFactor = Annotated[float | str, BeforeValidator(_shape_factor)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Depth(_Part):
    """Distances from the electrode at which results are given; 0 is the electrode."""

    stop: Length = Field(default=60e-9, description="largest distance")
    step: Length = Field(default=0.5e-9, description="step between distances")

    @property
    def values(self) -> list[float]:
        """The distances in m, rounded to fm: 60 nm are 6e-08 and not a hair more."""
        return [round(i * self.step, 15) for i in range(self.count)]

    @property
    def count(self) -> int:
        """Number of distances."""
        return int(self.stop / self.step * (1.0 + 1e-12)) + 1

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.step > self.stop:
            raise ValueError("step is larger than stop")
        if self.count > MOST_DEPTHS:
            raise ValueError(f"{self.stop / self.step:.3g} distances are more than {MOST_DEPTHS}")
        return self


class Contact(_Part):
    """How the solid contact of each curve is found."""

    method: StrictStr = Field(
        default="grown",
        description='"grown" windows, the paper\'s "two-line" rule, or a plugin\'s name',
    )
    slope: Literal["pooled", "calibrated", "free"] = Field(
        default="pooled",
        description='slope of the wall: "pooled" from all curves, "calibrated" (-1, as a rigid '
        'electrode has) or "free" (each curve\'s own)',
    )
    interference: StrictBool = Field(
        default=True, description="take a fringe away that all curves share"
    )
    spikes: StrictBool = Field(
        default=True, description="take single samples away that are far off"
    )
    baseline: Fraction = Field(
        default=0.4, description="two-line: part of the samples that is baseline"
    )
    wall: Fraction = Field(
        default=0.3, description="two-line: part of the largest force above which is wall"
    )


class Derivative(_Part):
    """How forces are differentiated."""

    method: Literal["local-linear", "savitzky-golay", "total-variation"] = Field(
        default="local-linear",
        description='"local-linear", "savitzky-golay" or "total-variation" (no standard errors)',
    )
    half_width: Length = Field(
        default=2e-9, description="half of the window; the resolution is about it"
    )


class Lateral(_Part):
    """What is corrected on the lateral signal."""

    lag: StrictBool = Field(
        default=True, description="shift by the lock-in's delay of poles x time constant"
    )
    series_compliance: StrictBool = Field(
        default=True,
        description="correct for the lever's own compliance, where its stiffness is known",
    )


class Recipe(_Part):
    """What `process` does.

    Wrong values are a `RecipeError` that names all of them.

    Examples
    --------
    >>> Recipe().replace(half_width="3 nm").derivative.half_width
    3e-09
    """

    direction: Literal["approach", "retract", "both"] = Field(
        default="approach", description='way of the ramp: "approach", "retract" or "both"'
    )
    shape_factor: ShapeFactor = Field(
        default="paper",
        description='r_g: "paper" (1.25, or that of the experiment file), a number, or a file with '
        "a curve r_g(z), looked for beside the recipe",
    )
    correct_slope: StrictBool = Field(
        default=False, description="multiply distances by the cosine of the surface's local slope"
    )
    depth: Depth = Depth()
    contact: Contact = Contact()
    derivative: Derivative = Derivative()
    lateral: Lateral = Lateral()

    def __init__(self, **values: Any) -> None:
        """Check the values."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise RecipeError(_words(error)) from None

    @property
    def directions(self) -> tuple[str, ...]:
        """Ways of the ramp that are processed."""
        return ("approach", "retract") if self.direction == "both" else (self.direction,)

    @classmethod
    def from_toml(cls, path: str | PathLike[str]) -> Recipe:
        """Read a recipe; a curve of the shape factor is looked for beside it.

        Raises
        ------
        MissingFile
            If there is nothing at the path, or a folder.
        RecipeError
            Naming all that is wrong, with the nearest known key for one that is not known.
        """
        path = Path(path)
        text = decode(read_settings(path, LIMIT, "a recipe"), str(path))[0]
        try:
            recipe = cls.from_text(text.removeprefix("\ufeff"))
        except RecipeError as error:
            raise RecipeError(f"{path}: {error}") from None
        if isinstance(recipe.shape_factor, str) and recipe.shape_factor != "paper":
            beside = path.absolute().parent / recipe.shape_factor
            return recipe.replace(shape_factor=str(beside))
        return recipe

    @classmethod
    def from_text(cls, text: str) -> Recipe:
        """Make a recipe of TOML, as results keep it.

        Raises
        ------
        RecipeError
        """
        try:
            return cls(**tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"this is not TOML: {error}") from None

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with changes.

        Parameters
        ----------
        **changes
            Keys of the recipe. Those of its sections by their own name (``half_width=3e-9``), as a
            section (``contact={"method": "two-line"}``), or dotted (``**{"contact.method": ...}``).

        Raises
        ------
        RecipeError
            Also for a name that two sections have.
        """
        values = self.model_dump()
        for key, value in changes.items():
            given = value.model_dump() if isinstance(value, BaseModel) else value
            section, name = _place(key)
            if section:
                values[section][name] = given
            elif isinstance(values[name], dict) and isinstance(given, Mapping):
                values[name] = values[name] | dict(given)
            else:
                values[name] = given
        return Recipe(**values)

    def to_toml(self, *, comments: bool = True) -> str:
        """Return the recipe as TOML; with comments, every key with what it means."""
        lines: list[str] = []
        for name, field in Recipe.model_fields.items():
            if name not in _SECTIONS:
                lines.append(_line(name, getattr(self, name), field.description, comments))
        for name, kind in _SECTIONS.items():
            lines += ["", f"[{name}]"]
            if comments:
                lines[-1] += f"  # {(kind.__doc__ or '').strip()}"
            for key, field in kind.model_fields.items():
                value = getattr(getattr(self, name), key)
                if comments and any(getattr(m, "func", None) is _length for m in field.metadata):
                    value = _nanometres(value)
                lines.append(_line(key, value, field.description, comments))
        return "\n".join(lines) + "\n"


_SECTIONS: dict[str, type[_Part]] = {
    "depth": Depth,
    "contact": Contact,
    "derivative": Derivative,
    "lateral": Lateral,
}


def _place(key: str) -> tuple[str, str]:
    """Section and name of a key of `Recipe.replace`; the section is empty for those above all.

    Raises
    ------
    RecipeError
    """
    section, _, name = key.rpartition(".")
    if section in _SECTIONS:
        return section, name
    homes = [s for s, kind in _SECTIONS.items() if key in kind.model_fields]
    if key in Recipe.model_fields:
        return "", key
    if len(homes) == 1:
        return homes[0], key
    if homes:
        choice = " or ".join(f'{s}={{"{key}": ...}}' for s in homes)
        raise RecipeError(f"{' and '.join(homes)} both have a {key!r}: write {choice}")
    known = [*Recipe.model_fields, *(n for kind in _SECTIONS.values() for n in kind.model_fields)]
    raise RecipeError(f"a recipe has no {key!r}.{nearest(key, known)}")


def _line(name: str, value: Any, meaning: str | None, comments: bool) -> str:
    return f"{name} = {_shown_whole(value)}" + (f"  # {meaning}" if comments and meaning else "")


def _shown_whole(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else _shown(value)


def _nanometres(metres: float) -> str | float:
    """Length in nm, where that says exactly the same."""
    text = f"{metres * 1e9:.9g} nm"
    return text if units.parse(text, "m") == metres else metres


def _words(error: ValidationError) -> str:
    """Everything that is wrong, a sentence each."""
    return "; ".join(_sentence(dict(item)) for item in error.errors())


def _sentence(item: dict[str, Any]) -> str:
    place = ".".join(str(p) for p in item["loc"])
    given = _shown(item["input"])
    match item["type"]:
        case "extra_forbidden":
            return _unknown([str(p) for p in item["loc"]])
        case "literal_error":
            said = f"it is {item['ctx']['expected']}, not {given}".replace("'", '"')
        case "bool_type":
            said = f"it is true or false, not {given}"
        case "string_type":
            said = f"it is a name in quotes, not {given}"
        case "model_type":
            said = f"it is a section, [{place}], not {given}"
        case _:
            said = str(item["msg"]).removeprefix("Value error, ")
    return f"{place}: {said}"


def _unknown(place: list[str]) -> str:
    """There is no such key; where it may belong."""
    *section, name = place
    kind = _SECTIONS[section[0]] if section else Recipe
    near = nearest(name, kind.model_fields)
    homes = [f"[{s}]" for s, other in _SECTIONS.items() if name in other.model_fields]
    if name in Recipe.model_fields and name not in _SECTIONS:
        near = " It stands above all sections."
    elif homes:
        near = f" It stands in {' or '.join(homes)}."
    where = f" in [{section[0]}]" if section else ""
    return f"there is no key {name!r}{where}.{near}"
