"""Options of commands: numbers with units, KEY=VALUE, and those that a settings model has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import click

from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import exact
from nrm_plugin.units import Unit, quantity
from nrm_plugin.vocabulary import METADATA, nearest

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

#: Put before the names of a model's options, so that they are not taken for a command's own.
_OF_SETTINGS = "setting_"


class WithUnit(click.ParamType):  # type: ignore[type-arg]
    """A number with its unit, in SI. Without a unit it is refused, unless it has none.

    Parameters
    ----------
    unit : str
        SI unit.
    usual : str, optional
        Unit that people would write, for the example in the error.
    name : str
        Of the quantity, which stands for the value in the help.
    """

    def __init__(self, unit: str, usual: str = "", name: str = "number") -> None:
        self.unit, self.usual, self.name = unit, usual, name

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """See click."""
        if isinstance(value, float):
            return value
        try:
            return quantity(str(value), self.unit, self.usual)
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


def pairs(texts: Iterable[str], option: str) -> Iterator[tuple[str, str]]:
    """Names and values of an option that is given as NAME=VALUE.

    Raises
    ------
    click.UsageError
    """
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or not value:
            raise click.UsageError(f"{option} {text!r}: write it as NAME=VALUE")
        yield name, value


no_decisions_option = click.option(
    "--no-decisions",
    is_flag=True,
    help="Results as they were made, without what was decided by hand (NAME.decisions.toml).",
)

log_unit_option = click.option(
    "--log-unit",
    "log_units",
    multiple=True,
    metavar="COLUMN=UNIT",
    help="Unit of a log's time, potential or current whose title has none: potential=mV.",
)


def log_units_of(texts: tuple[str, ...]) -> dict[str, str]:
    """Units of a log's columns from ``--log-unit COLUMN=UNIT``.

    Raises
    ------
    click.UsageError
    """
    return dict(pairs(texts, "--log-unit"))


def metadata_of(
    settings: Iterable[str], read: Callable[[str, str], float] = quantity
) -> dict[str, Any]:
    """Metadata from ``--set KEY=VALUE``, in SI.

    Parameters
    ----------
    settings : iterable of str
    read : callable
        Number in SI of a text and the SI unit: `units.quantity` refuses a number without its unit,
        `units.parse` takes it to be in SI.

    Raises
    ------
    click.UsageError
    """
    values: dict[str, Any] = {}
    for name, text in pairs(settings, "--set"):
        key = METADATA.get(name)
        if key is None:
            raise click.UsageError(f"--set: there is no key {name!r}.{nearest(name, METADATA)}")
        try:
            plain = key.text or key.words or name == "simulated"
            values[name] = key.check(name, text if plain else read(text, key.unit))
        except InvalidInput as error:
            about = "" if name in str(error) else f" {name}"
            raise click.UsageError(f"--set{about}: {error}") from None
    return values


def options_of(settings: type[BaseModel]) -> list[click.Option]:
    """One option for each field of a settings model.

    A field is called as its alias is, or as it is itself, with dashes; its description is the
    help, and without a default the option must be given. Words to choose from (`Literal`), flags
    (`bool`), lists (an option that may be repeated) and mappings (KEY=VALUE, repeated) are known;
    any other value is a text that the model checks.
    """
    return [option_of(field.alias or name, field) for name, field in settings.model_fields.items()]


def option_of(name: str, field: FieldInfo) -> click.Option:
    """Return the option for a field of a settings model: see `options_of`."""
    kind, unit = _kind(field.annotation, field.metadata)
    origin = get_origin(kind) or kind
    flag, default = f"--{name.replace('_', '-')}", field.default
    about: dict[str, Any] = {"help": field.description, "required": field.is_required()}
    if origin is bool:
        flag = f"{flag}/--no-{flag[2:]}" if default is True else flag
        about |= {"is_flag": True, "default": None}
    elif origin in (list, tuple, set, frozenset, dict):
        about |= {"multiple": True, "metavar": "KEY=VALUE" if origin is dict else "VALUE"}
    elif origin is Literal:
        about["type"] = click.Choice(get_args(kind))
    elif unit and unit.unit:
        about["metavar"] = "VALUE"
    else:
        about["metavar"] = "NUMBER" if kind in (int, float) else "TEXT"
    if isinstance(default, str | int | float) and default and origin is not bool:
        text = exact(default, unit.unit) if unit and not isinstance(default, str) else default
        about |= {"default": str(text), "show_default": True}
    return click.Option([flag, _OF_SETTINGS + name], **about)


def _kind(annotation: Any, marks: Sequence[Any]) -> tuple[Any, Unit | None]:
    """Type of a field without None, and its unit if it has one."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *marks = get_args(annotation)
        elif get_origin(annotation) in (Union, UnionType):
            annotation = next(a for a in get_args(annotation) if a is not type(None))
        else:
            return annotation, next((m for m in marks if isinstance(m, Unit)), None)


def given_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """What was given for the options of `options_of`, by the names of the fields."""
    return {
        name.removeprefix(_OF_SETTINGS): value
        for name, value in options.items()
        if name.startswith(_OF_SETTINGS) and value is not None and value != ()
    }


def settings_from(model: type[BaseModel], given: Mapping[str, Any]) -> BaseModel:
    """Make settings of `given_settings`, and take the defaults.

    Names that are no fields of the model are passed over, and so are values that are None.

    Raises
    ------
    click.UsageError
        Naming every option with a value that is wrong, and what is wrong with it.
    """
    from pydantic import ValidationError

    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        if given.get(key) is not None:
            is_mapping = get_origin(_kind(field.annotation, ())[0]) is dict
            values[key] = dict(pairs(given[key], f"--{key}")) if is_mapping else given[key]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise click.UsageError("; ".join(map(_wrong, error.errors()))) from None


def _wrong(error: ErrorDetails) -> str:
    option = f"--{str(error['loc'][0]).replace('_', '-')}: " if error["loc"] else ""
    return option + error["msg"].removeprefix("Value error, ")
