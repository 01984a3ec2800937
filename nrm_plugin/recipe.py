"""What `process` does, as one checked value that can be written down and read back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

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
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import InitErrorDetails, PydanticCustomError

from nrm_plugin import plugins
from nrm_plugin.errors import RecipeError
from nrm_plugin.files import decode, read_settings
from nrm_plugin.hookspecs import settings_model
from nrm_plugin.parameters import Fraction as Fraction
from nrm_plugin.parameters import Length as Length
from nrm_plugin.parameters import MethodSettings, number, shown, written
from nrm_plugin.plugins import KINDS
from nrm_plugin.statements import read_toml
from nrm_plugin.text import as_html
from nrm_plugin.vocabulary import METADATA, nearest

#: Distances at which results can be given; more is a mistake of units.
MOST_DEPTHS = 10_000

#: Sections of an experiment file, which the two are taken for each other by.
EXPERIMENT = ("measurement", "channels", "lock_in", "dither", "cantilever", "calibration", "tip")

#: Bytes of a file. A recipe with every default has a hundredth of it.
LIMIT = 1 << 18


def _shape_factor(value: Any) -> float | str:
    """Name, file or number; a number may be written as text."""
    try:
        factor = float(value) if isinstance(value, str) else number(value, "")
    except ValueError:
        if isinstance(value, str) and value.strip():
            return value
        factor = math.nan
    if not 0.0 < factor < math.inf:
        raise ValueError(f'it is "paper", a positive number or a file, not {shown(value)}')
    return factor


ShapeFactor = Annotated[float | str, BeforeValidator(_shape_factor)]


class Depth(MethodSettings):
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


class _WithMethod(BaseModel):
    """A section with a method of the registry, whose own settings have a section inside it.

    Settings that differ from their defaults are kept as extra values under the method's name. Those
    of methods may also stand in the section itself, as they did before methods had sections; they
    then belong to the chosen method, or else to the first that has such a setting.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    KIND: ClassVar[str]
    method: StrictStr

    @classmethod
    def names(cls) -> list[str]:
        """Methods that there are."""
        return list(plugins.installed().all(cls.KIND))

    @classmethod
    def model_of(cls, name: str) -> type[BaseModel] | None:
        """Return the settings of a method, None if it has none.

        Raises
        ------
        RecipeError
            If there is no such method, or it cannot be imported.
        """
        method = plugins.installed().choose(cls.KIND, name, RecipeError)
        try:
            model: type[BaseModel] | None = settings_model(method)
        except Exception as error:
            raise RecipeError(
                f"the {KINDS[cls.KIND].noun} {name} cannot be used "
                f"({type(error).__name__}: {error})"
            ) from error
        return model

    @classmethod
    def home(cls, key: str, chosen: Any = None) -> str | None:
        """The method that has a setting: the chosen one, else the first."""
        names = cls.names()
        for name in sorted(names, key=lambda name: name != chosen):
            if key in _fields(cls, name):
                return name
        return None

    @classmethod
    def sorted_out(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values with settings of methods moved into the sections of their methods."""
        found: dict[str, Any] = {}
        for key, value in values.items():
            name = None
            if not (key in cls.model_fields or key in cls.names()):
                name = cls.home(key, values.get("method", cls.model_fields["method"].default))
            found = _merged(found, {key: value} if name is None else {name: {key: value}})
        return found

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, Mapping):
            return handler(values)
        known: dict[str, Any] = {}
        wrong: list[InitErrorDetails] = []
        for key, value in cls.sorted_out(values).items():
            if key in cls.model_fields:
                known[key] = value
            elif key in cls.names():
                settings, errors = _settings(cls, key, value, direct=values.keys())
                wrong += errors
                known |= settings
            else:
                wrong.append({"type": "extra_forbidden", "loc": (key,), "input": value})
        if isinstance(name := known.get("method"), str):
            try:
                plugins.installed().choose(cls.KIND, name, RecipeError)
            except RecipeError as error:
                wrong.append(_wrong(("method",), name, error))
        try:
            section = handler(known)
        except ValidationError as error:
            wrong = [*_lines(error), *wrong]
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return section

    @property
    def chosen(self) -> Any:
        """The method itself.

        Raises
        ------
        RecipeError
        """
        return plugins.installed().choose(self.KIND, self.method, RecipeError)

    @property
    def settings(self) -> Any:
        """Settings of the method, None if it has none."""
        return self.settings_of(self.method)

    def settings_of(self, name: str) -> Any:
        """Return the settings of any method."""
        stored = (self.model_extra or {}).get(name)
        if stored is not None:
            return stored
        model = self.model_of(name)
        return None if model is None else model()

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Settings by the names that they had before methods had sections."""
            try:
                return super().__getattr__(name)
            except AttributeError:
                home = None if name.startswith("_") else self.home(name, self.method)
                if home is None:
                    raise
                return getattr(self.settings_of(home), name)


class Contact(_WithMethod):
    """How the solid contact of each curve is found."""

    KIND = "contact_methods"
    method: StrictStr = Field(default="grown")
    slope: Literal["pooled", "calibrated", "free"] = Field(
        default="pooled",
        description='slope of the wall: "pooled" from all curves, "calibrated" (-1, as a rigid '
        'electrode has) or "free" (each curve\'s own)',
    )
    distance: Literal["wall", "told"] = Field(
        default="wall",
        description='what a deflection is worth in distance: "wall", in units of the walls\' own '
        'slope, which a wrong sensitivity does not change, or "told", by the sensitivity alone',
    )
    force: Literal["told", "wall", "wall-thermal"] = Field(
        default="told",
        description='sensitivity of normal forces: "told", "wall" (the one that makes the slope of '
        'the walls -1, for electrodes that do not give way) or "wall-thermal" (the same, and the '
        "spring constant times the slope squared, since its thermal tune had the told sensitivity)",
    )
    drag: Literal["corrected", "ignored"] = Field(
        default="corrected",
        description='drag of the liquid on the lever: "corrected" moves the contact heights by '
        'it where both directions show it, "ignored" leaves them',
    )
    interference: StrictBool = Field(
        default=True, description="take a fringe away that all curves share"
    )
    spikes: StrictBool = Field(
        default=True, description="take single samples away that are far off"
    )


class Derivative(_WithMethod):
    """How forces are differentiated."""

    KIND = "derivative_methods"
    method: StrictStr = Field(default="local-linear")
    half_width: Length = Field(
        default=2e-9, description="half of the window; the resolution is about it"
    )


class Lateral(MethodSettings):
    """What is corrected on the lateral signal."""

    lag: StrictBool = Field(
        default=True, description="shift by the lock-in's delay of poles x time constant"
    )
    series_compliance: StrictBool = Field(
        default=True,
        description="correct for the lever's own compliance, where its stiffness is known",
    )
    phase: Literal["told", "wall"] = Field(
        default="told",
        description='phase of the instrument: "told" (lockin_phase) or "wall" (that on the wall, '
        "where the tip sticks)",
    )


class Recipe(MethodSettings):
    """What `process` does.

    Wrong values are a `RecipeError` that names all of them.

    Examples
    --------
    >>> Recipe().replace(half_width="3 nm").derivative.half_width
    3e-09
    """

    direction: Literal["approach", "retract", "both"] = Field(
        default="approach", description='direction of the ramp: "approach", "retract" or "both"'
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
        """Directions of the ramp that are processed."""
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
        values = read_toml(text, "", "this is no recipe", RecipeError)
        if values.keys() & ({*EXPERIMENT, *METADATA} - set(cls.model_fields)):
            raise RecipeError(
                "this is an experiment file, not a recipe: give it with --experiment. A recipe "
                "says how curves are processed; nrm recipe writes one"
            )
        return cls(**values)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: what differs from the defaults."""
        changed = self.model_dump(exclude_defaults=True)
        rows = [(k, str(v)) for k, v in changed.items() if not isinstance(v, dict)]
        for section, values in changed.items():
            if isinstance(values, dict):
                rows += [(f"{section}.{k}", str(v)) for k, v in values.items()]
        return as_html("Recipe" if rows else "Recipe: all defaults", rows)

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with changes.

        Parameters
        ----------
        **changes
            Keys of the recipe. Those of its sections by their own name (``half_width=3e-9``), as a
            section (``contact={"method": "two-line"}``), or dotted
            (``**{"contact.two-line.wall": 0.2}``).

        Raises
        ------
        RecipeError
            Also for a name that two sections have.
        """
        values = self.model_dump()
        for key, value in changes.items():
            first, *rest = _path(key)
            section = _SECTIONS.get(first)
            if isinstance(value, BaseModel):
                values[first] = value.model_dump()
                continue
            for name in reversed(rest):
                value = {name: value}
            if section and issubclass(section, _WithMethod) and isinstance(value, Mapping):
                value = section.sorted_out({"method": values[first]["method"]} | dict(value))
            values = _merged(values, {first: value})
        return Recipe(**values)

    def to_dict(self) -> dict[str, Any]:
        """All values, with the settings of all methods that there are, lengths in m."""
        values = self.model_dump()
        for place, model, _ in self._sections(every=True):
            inner = values
            for name in place[:-1]:
                inner = inner[name]
            inner[place[-1]] = model.model_dump() if len(place) > 1 else inner[place[-1]]
        return values

    def to_toml(self, *, comments: bool = True) -> str:
        """Return the recipe as TOML.

        With comments there are the settings of all methods that there are, and every key with what
        it means; without, the settings of other methods than the chosen are left out where they are
        the defaults.
        """
        lines = [
            _line(name, getattr(self, name), field, comments)
            for name, field in Recipe.model_fields.items()
            if name not in _SECTIONS
        ]
        for place, model, about in self._sections(every=comments):
            lines += ["", f"[{'.'.join(map(_key, place))}]"]
            if comments:
                lines[-1] += f"  # {about}"
            for key, field in type(model).model_fields.items():
                value = getattr(model, key)
                if value is not None:  # TOML has no such thing
                    lines.append(_line(key, value, field, comments, _methods(model, key)))
        return "\n".join(lines) + "\n"

    def _sections(self, *, every: bool) -> Iterator[tuple[tuple[str, ...], BaseModel, str]]:
        """Place of each section, its values and what it is for."""
        for name, kind in _SECTIONS.items():
            section = getattr(self, name)
            yield (name,), section, (kind.__doc__ or "").strip()
            if not isinstance(section, _WithMethod):
                continue
            for method in section.names():
                kept = method == section.method or method in (section.model_extra or {})
                if (every or kept) and _fields(kind, method):
                    about = plugins.installed().all(section.KIND)[method].description
                    yield (name, method), section.settings_of(method), f'of "{method}": {about}'


_SECTIONS: dict[str, type[BaseModel]] = {
    "depth": Depth,
    "contact": Contact,
    "derivative": Derivative,
    "lateral": Lateral,
}


def as_recipe(recipe: Recipe | Mapping[str, Any] | str | PathLike[str] | None) -> Recipe:
    """Return a recipe made from what it may be given as: None is all defaults.

    Raises
    ------
    MissingFile, RecipeError
    """
    if recipe is None or isinstance(recipe, Mapping):
        return Recipe(**(recipe or {}))
    return recipe if isinstance(recipe, Recipe) else Recipe.from_toml(recipe)


def _merged(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Values of both; those of `b` count, and sections are merged."""
    merged = dict(a)
    for key, value in b.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = _merged(old, value)
        merged[key] = value
    return merged


def _fields(section: Any, method: str | None = None) -> Any:
    """Fields of a section, or of a method's settings; none if it cannot be imported."""
    if method is None:
        return section.model_fields
    try:
        model = section.model_of(method)
    except RecipeError:
        return {}
    return {} if model is None else model.model_fields


def _settings(
    section: type[_WithMethod], name: str, values: Any, direct: Any
) -> tuple[dict[str, BaseModel], list[InitErrorDetails]]:
    """Settings of a method that are not its defaults, and what is wrong with them."""
    try:
        model = section.model_of(name)
    except RecipeError as error:
        return {}, [_wrong((name,), values, error)]
    if isinstance(values, BaseModel):
        values = values.model_dump()
    if not isinstance(values, Mapping):
        return {}, [
            InitErrorDetails(type="model_type", loc=(name,), input=values, ctx={"class_name": name})
        ]
    fields = {} if model is None else model.model_fields
    wrong = [
        InitErrorDetails(type="extra_forbidden", loc=(name, key), input=value)
        for key, value in values.items()
        if key not in fields
    ]
    try:
        settings = model(**{k: v for k, v in values.items() if k in fields}) if model else None
    except ValidationError as error:
        # What was written in the section itself is looked for there.
        return {}, wrong + _lines(error, lambda key: () if key in direct else (name,))
    kept = settings is not None and model is not None and settings != model()
    return ({name: settings} if settings is not None and kept else {}), wrong


def _wrong(place: tuple[str, ...], value: Any, error: Exception) -> InitErrorDetails:
    kind = PydanticCustomError("method", "{text}", {"text": str(error)})
    return InitErrorDetails(type=kind, loc=place, input=value)


def _lines(error: ValidationError, before: Any = lambda key: ()) -> list[InitErrorDetails]:
    """What is wrong, to be raised again together with more, at places with something before."""
    lines = []
    for item in error.errors():
        first = item["loc"][0] if item["loc"] else ""
        line = InitErrorDetails(
            type=item["type"],
            loc=(*before(first), *item["loc"]),
            input=item["input"],
            ctx=item.get("ctx", {}),
        )
        lines.append(line)
    return lines


def _path(key: str) -> tuple[str, ...]:
    """Section and name of a key of `Recipe.replace`; no section for those above all.

    Raises
    ------
    RecipeError
    """
    first, *rest = key.split(".")
    if first in _SECTIONS and (rest or key in Recipe.model_fields):
        return first, *rest
    if key in Recipe.model_fields:
        return (key,)
    homes = _homes(key)
    if len(homes) == 1:
        return *homes[0], key
    if homes:
        choice = " or ".join(f'{".".join(h)}={{"{key}": ...}}' for h in homes)
        places = " and ".join(".".join(h) for h in homes)
        raise RecipeError(f"{places} both have a {key!r}: write {choice}")
    raise RecipeError(f"a recipe has no {key!r}.{nearest(key, _all_keys())}")


def _homes(key: str) -> list[tuple[str, ...]]:
    """Sections that have a key; those of methods if no other has."""
    homes: list[tuple[str, ...]] = [(s,) for s, k in _SECTIONS.items() if key in k.model_fields]
    for name, kind in _SECTIONS.items():
        if not homes and issubclass(kind, _WithMethod) and (method := kind.home(key)):
            return [(name, method)]
    return homes


def _all_keys() -> list[str]:
    keys = [*Recipe.model_fields]
    for kind in _SECTIONS.values():
        keys += kind.model_fields
        if issubclass(kind, _WithMethod):
            keys += [key for method in kind.names() for key in _fields(kind, method)]
    return keys


def _methods(model: BaseModel, key: str) -> str:
    """What there is to choose from, for the key that names a method."""
    if not isinstance(model, _WithMethod) or key != "method":
        return ""
    objects = plugins.installed().all(model.KIND)
    return "; ".join(f'"{name}": {method.description}' for name, method in objects.items())


def _line(name: str, value: Any, field: Any, comments: bool, choice: str = "") -> str:
    if not comments:
        return f"{name} = {written(value)}"
    meaning = choice or field.description
    text = f"{name} = {written(value, field.metadata)}"
    return f"{text}  # {' '.join(meaning.split())}" if meaning else text


def _key(name: str) -> str:
    """Name as TOML has it in a heading."""
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else written(name)


def _words(error: ValidationError) -> str:
    """Everything that is wrong, a sentence each."""
    return "; ".join(_sentence(dict(item)) for item in error.errors())


def _sentence(item: dict[str, Any]) -> str:
    place = ".".join(str(p) for p in item["loc"])
    value = shown(item["input"])
    match item["type"]:
        case "extra_forbidden":
            return _unknown([str(p) for p in item["loc"]])
        case "literal_error":
            problem = f"it is {item['ctx']['expected']}, not {value}".replace("'", '"')
        case "bool_type":
            problem = f"it is true or false, not {value}"
        case "string_type":
            problem = f"it is a name in quotes, not {value}"
        case "model_type":
            problem = f"it is a section, [{place}], not {value}"
        case _:
            problem = str(item["msg"]).removeprefix("Value error, ")
    return f"{place}: {problem}"


def _unknown(place: list[str]) -> str:
    """There is no such key: the nearest one, or where it stands."""
    *section, name = place
    kind = _SECTIONS[section[0]] if section else Recipe
    near = nearest(name, _fields(kind, *section[1:]))
    homes = [f"[{'.'.join(home)}]" for home in _homes(name)]
    if name in Recipe.model_fields and name not in _SECTIONS:
        near = " It stands above all sections."
    elif homes:
        near = f" It stands in {' or '.join(homes)}."
    where = f" in [{'.'.join(section)}]" if section else ""
    return f"there is no key {name!r}{where}.{near}"
