"""What calibrations are given: files, an experiment file, values with units."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.errors import InvalidInput
from nrm_plugin.units import parse
from nrm_plugin.vocabulary import METADATA, nearest

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet


class Quantity(click.ParamType):  # type: ignore[type-arg]
    """A number with its unit, in SI. Without a unit it is refused, unless it has none.

    Parameters
    ----------
    unit : str
        SI unit.
    usual : str, optional
        Unit that people would write, for the example in the error.
    """

    def __init__(self, unit: str, usual: str = "") -> None:
        self.unit, self.usual = unit, usual
        self.name = unit or "number"

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


def quantity(text: str, unit: str, usual: str = "") -> float:
    """Return a number with its unit in SI; `usual` is the unit of the example in the error.

    Raises
    ------
    InvalidInput
        If the unit is missing or does not fit.
    """
    if unit and re.fullmatch(r"\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?\s*", text):
        raise InvalidInput(
            f"{text.strip()!r} has no unit: write for example '{text.strip()} {usual or unit}'"
        )
    return parse(text, unit)


def with_inputs(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all of these calibrations have, and give the function the curves.

    The function gets ``curves``, of which files, experiment file and ``--set`` are already in,
    and ``output`` and ``as_json`` for `report`.
    """

    @click.argument("files", nargs=-1, metavar="[FILE]...")
    @click.option("--experiment", metavar="E.toml", help="Experiment file with known values.")
    @click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="A known value with its unit, tip_height=12um.",
    )
    @click.option(
        "-o",
        "--output",
        metavar="E.toml",
        help="Write the result into this experiment file, new or existing.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print a list of results.")
    @functools.wraps(function)
    def wrapped(
        files: tuple[str, ...],
        experiment: str | None,
        settings: tuple[str, ...],
        **options: Any,
    ) -> Any:
        return function(curves=gather(files, experiment, settings), **options)

    return wrapped


def gather(files: Sequence[str], experiment: str | None, settings: Sequence[str]) -> CurveSet:
    """Open files as one set of curves, with what the experiment file and ``--set`` say.

    ``--set`` outranks the experiment file, which outranks the files.

    Raises
    ------
    NrmError
    click.UsageError
        For a setting that makes no sense.
    """
    from nrm_plugin import formats
    from nrm_plugin.merging import merge
    from nrm_plugin.model import CurveSet

    values = metadata_of(settings)
    curves = merge([formats.open(f) for f in files]) if files else CurveSet.from_arrays({})
    if experiment is not None:
        from nrm_plugin.experiment import read

        curves = read(Path(experiment)).apply(curves)
    return curves.with_metadata(values, "--set")


def metadata_of(settings: Sequence[str], suffix: str = "") -> dict[str, Any]:
    """Metadata from ``KEY=VALUE``, in SI.

    Raises
    ------
    click.UsageError
    """
    option = "--error" if suffix else "--set"
    values: dict[str, Any] = {}
    for given in settings:
        name, equals, text = (part.strip() for part in given.partition("="))
        key = METADATA.get(name)
        if not equals or key is None:
            hint = nearest(name, METADATA)
            raise click.UsageError(f"{option} {given!r}: write KEY=VALUE with a known key.{hint}")
        try:
            wordy = key.text or key.words or name == "simulated"
            value = text if wordy else quantity(text, key.unit)
            values[name] = value if suffix else key.check(name, value)
        except InvalidInput as error:
            raise click.UsageError(f"{option} {name}: {error}") from None
    return values


def errors_of(settings: Sequence[str]) -> dict[str, float]:
    """Standard errors from ``KEY=VALUE`` in the key's unit.

    Raises
    ------
    click.UsageError
    """
    return metadata_of(settings, "_stderr")
