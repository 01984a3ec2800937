"""``nrm fea``: the finite elements, one command in a module each."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from math import isfinite
from typing import Any

import click

from nrm_plugin.cli import SuggestingGroup
from nrm_plugin.cli.options import WithUnit
from nrm_plugin.cli.spread import scheduler_option
from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import with_unit

#: Calculations: their module in this folder, and what they do.
_COMMANDS = {
    "force": ("lateral_force", "Lateral force on a tip at depths in a layer."),
    "shape-factor": ("shape_factor", "Shape factor r_g: curve, constant, and a file for a recipe."),
    "profile": ("profile", "Force and apparent modulus of a stack of layers."),
    "invert": ("invert", "Modulus at each height from the lateral force."),
    "figure": ("figure", "Draw displacement, stress, forces and a stiff skin."),
}

#: Values with a unit on the command line.
LENGTH = WithUnit("m", "nm", "length")
MODULUS = WithUnit("Pa", "MPa", "modulus")
FORCE = WithUnit("N", "nN", "force")


class Calculations(SuggestingGroup):
    """Imports a calculation's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all calculations."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Calculation by name."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"nrm_plugin.cli.fea.{_COMMANDS[cmd_name][0]}")
        loaded: click.Command = module.command
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them in the help text without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group("fea", cls=Calculations)
def command() -> None:
    """Compute with finite elements: forces, the shape factor, layers, and the inversion.

    Lengths, forces and moduli are given with their units: 10nm, 1MPa.
    """


def with_tip(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that describe the tip; the function gets ``tip``."""

    @click.option("--radius", type=LENGTH, required=True, help="Radius of the tip's end.")
    @click.option(
        "--half-angle",
        type=WithUnit("rad", "deg", "angle"),
        default="0deg",
        help="Half the angle of a conical tip; a cylinder if not given.",
    )
    @click.option(
        "--frictionless",
        is_flag=True,
        help="The layer slides along the tip instead of sticking to it.",
    )
    @functools.wraps(function)
    def wrapped(radius: float, half_angle: float, frictionless: bool, **options: Any) -> Any:
        from nrm_plugin.fea import Tip

        return function(tip=Tip(radius, half_angle, not frictionless), **options)

    return wrapped


def with_poisson(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--poisson`` and ``--domain``."""
    domain = click.option(
        "--domain",
        type=LENGTH,
        help="Radius at which the layer is held; 10 thicknesses beyond the tip if not given.",
    )
    poisson = click.option(
        "--poisson",
        type=float,
        default=0.49,
        show_default=True,
        metavar="NUMBER",
        help="Poisson ratio, 0 to 0.5.",
    )
    return poisson(domain(function))


def with_layer(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a layer but for its modulus; the function gets ``layer`` of 1 Pa."""

    @click.option("--thickness", type=LENGTH, required=True, help="Thickness of the layer.")
    @with_poisson
    @functools.wraps(function)
    def wrapped(thickness: float, poisson: float, domain: float | None, **options: Any) -> Any:
        from nrm_plugin.fea import Layer

        return function(layer=Layer(thickness, 1.0, poisson, domain), **options)

    return wrapped


def with_workers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--jobs`` (or ``--workers``): a number, all cores if not given; and ``--scheduler``."""

    @click.option(
        "--jobs",
        "--workers",
        "workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="Processes at most; one for each core if not given.",
    )
    @scheduler_option
    @functools.wraps(function)
    def wrapped(workers: int | None, scheduler: str | None, **options: Any) -> Any:
        from nrm_plugin.fea.pool import cores, on_cluster

        workers = workers or cores()
        if scheduler is None:
            return function(workers=workers, **options)
        from nrm_plugin.batch.cluster import Cluster

        with Cluster(scheduler) as cluster, on_cluster(cluster):
            return function(workers=workers, **options)

    return wrapped


with_json = click.option("--json", "as_json", is_flag=True, help="Print SI values for programs.")

with_amplitude = click.option(
    "--amplitude", type=LENGTH, required=True, help="Amplitude of the lateral motion, peak."
)


def positive(what: str, value: float, unit: str) -> float:
    """Return the value, if it is above 0.

    Raises
    ------
    InvalidInput
    """
    if not (isfinite(value) and value > 0.0):
        raise InvalidInput(
            f"{what} {with_unit(value, unit)} is not possible: give a finite value above 0"
        )
    return value


def moduli(storage: float, loss: float) -> complex:
    """Complex modulus of a material that loses energy.

    Raises
    ------
    InvalidInput
    """
    if not loss >= 0.0:
        raise InvalidInput(
            f"a loss modulus of {with_unit(loss, 'Pa')} would give energy to the tip: "
            "give 0 or more"
        )
    return complex(storage, loss)


@contextmanager
def progress(ctx: click.Context) -> Iterator[None]:
    """Show how many problems have been solved in the block, where somebody looks."""
    if (ctx.obj and ctx.obj["quiet"]) or not sys.stderr.isatty():
        yield
        return
    from tqdm import tqdm

    from nrm_plugin.fea.pool import watched

    with tqdm(unit=" solutions", desc=str(ctx.info_name), leave=False, delay=0.5) as bar:

        def show(done: int, wanted: int) -> None:
            bar.total = wanted
            bar.update(done - bar.n)

        with watched(show):
            yield
