"""``nrm plot``: a figure of a file, in the format that the suffix says.

The kinds of figures and their options are those of the registry: see `nrm_plugin.hookspecs.Figure`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_origin

import click

from nrm_plugin import plugins
from nrm_plugin.cli.options import (
    WithUnit,
    given_settings,
    log_unit_option,
    log_units_of,
    no_decisions_option,
    option_of,
    settings_from,
)
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.files import check_output

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from pydantic.fields import FieldInfo

    from nrm_plugin.model import CurveSet

SUFFIXES = (".png", ".svg", ".pdf")

#: Settings of a kind that the command fills with what it has opened.
_OPENED = ("curves", "potential", "results", "kept")

#: Names that options of the command have.
_TAKEN = (*_OPENED, "file", "output", "kind", "width", "no_decisions", "overwrite", "help")


class PlotCommand(click.Command):
    """A command whose options are those of all kinds of figures that are installed."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """List the file, the output, the options of the kinds, and the other options."""
        file, output, *others = super().get_params(ctx)
        if "nrm.plot" not in ctx.meta:  # the parser wants the same objects each time
            ctx.meta["nrm.plot"] = _options_of_kinds()
        return [file, output, *ctx.meta["nrm.plot"], *others]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the kinds."""
        with formatter.section("Kinds"):
            kinds = plugins.installed().figures
            formatter.write_dl([(name, kind.description) for name, kind in kinds.items()])


def _options_of_kinds() -> list[click.Option]:
    """``--kind``, and an option for every setting of any kind."""
    kinds = list(plugins.installed().figures)
    options = [
        click.Option(
            ["--kind"], type=click.Choice(kinds), metavar="KIND", help=f"One of {', '.join(kinds)}."
        )
    ]
    for name in dict.fromkeys(name for kind in kinds for name in _fields(kind)):
        if name not in _TAKEN:
            options.append(option_of(name, _common_field(name)))
    return options


def _common_field(setting: str) -> FieldInfo:
    """Field for all kinds that have a setting; its description names them."""
    users = _users(setting)
    meanings: dict[str, list[str]] = {}
    for kind in users:
        meanings.setdefault(_fields(kind)[setting].description or setting, []).append(kind)
    text = "; ".join(f"{meaning} ({', '.join(of)})" for meaning, of in meanings.items())
    field: FieldInfo = copy(_fields(users[0])[setting])
    choices = get_origin(field.annotation) is Literal
    if choices and any(_fields(kind)[setting].annotation != field.annotation for kind in users):
        field.annotation = str  # each kind checks its own choices
    field.default, field.description = None, f"{text[:1].upper()}{text[1:]}."
    return field


def _of(kind: str, attribute: str) -> Any:
    """Attribute of a kind; None where it has none, or is a plugin's that cannot be imported."""
    try:
        return getattr(plugins.installed().figures[kind], attribute, None)
    except Exception:
        return None


def _fields(kind: str) -> dict[str, Any]:
    """Settings of a kind by name."""
    settings = _of(kind, "Settings")
    return dict(settings.model_fields) if settings else {}


def _users(setting: str) -> list[str]:
    """Kinds that have a setting, or are drawn from the curves if these are meant."""
    return [
        kind
        for kind in plugins.installed().figures
        if setting in _fields(kind) or (setting == "curves" and _of(kind, "needs") == setting)
    ]


@click.command("plot", cls=PlotCommand)
@click.argument("file", metavar="FILE")
@click.option(
    "-o", "--output", required=True, metavar="FIG", help="The figure: .png, .svg or .pdf."
)
@click.option(
    "--potential",
    metavar="LOG",
    help="A potentiostat's log, for the current; and for potentials, if the results have none.",
)
@log_unit_option
@click.option(
    "--curves",
    metavar="ORIGINAL",
    multiple=True,
    help="The curves that results were made from; a folder or a pattern, or repeated.",
)
@click.option(
    "--width", type=WithUnit("m", "mm"), metavar="WIDTH", help="Width of the figure, 85mm."
)
@no_decisions_option
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    file: str,
    output: str,
    kind: str | None,
    potential: str | None,
    log_units: tuple[str, ...],
    curves: tuple[str, ...],
    width: float | None,
    no_decisions: bool,
    overwrite: bool,
    **options: Any,
) -> None:
    """Draw a figure of FILE: results, curves of any kind, or images.

    Without --kind: of results, the paper's Fig. 4 where there are potentials, else the mean
    profiles; of curves, some of them as recorded; of images, the topography.
    """
    out = Path(output)
    if out.suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"-o {output}: figures are written as {', '.join(SUFFIXES)}")
    check_output(out, overwrite=overwrite)
    from nrm_plugin.figures import save

    opened = _opened(Path(file), curves, potential, log_units_of(log_units), not no_decisions)
    kind = kind or _usual(opened)
    given = given_settings(options)
    given |= {n: opened[n] for n, text in (("curves", curves), ("potential", potential)) if text}
    settings = _settings(kind, given, opened)
    figure, messages = _drawn(kind, _data(kind, file, opened), settings, width)
    save(figure, out, title=f"{kind} of {Path(file).name}", overwrite=overwrite)
    if not (ctx.obj and ctx.obj["quiet"]):
        from nrm_plugin.decisions import by_hand

        decided = by_hand(opened["results"]) if opened["results"] is not None else []
        for message in (*decided, *messages, f"{out} written ({kind})"):
            click.echo(f"nrm: {message}", err=True)


def edges_given(given: str | None) -> list[float] | None:
    """Edges of regions in V from ``--edges``."""
    if given is None:
        return None
    from nrm_plugin.figures.kinds import potentials

    try:
        return list(potentials(given))
    except InvalidInput as error:
        raise click.UsageError(f"--edges: {error}") from None


def _opened(
    path: Path,
    curves: tuple[str, ...],
    potential: str | None,
    units: dict[str, str],
    decisions: bool,
) -> dict[str, Any]:
    """Results, curves and the potentiostat's log, each None where there are none.

    Results without potentials get those of the log.
    """
    from nrm_plugin.cli.batch import opened_together
    from nrm_plugin.store.read_curves import holds_results
    from nrm_plugin.store.read_results import open_results

    of_results = path.is_file() and holds_results(path)
    if curves and not of_results:
        raise click.UsageError(f"--curves goes with results, and {path} holds none")
    opened: dict[str, Any] = {
        "results": open_results(path, decisions) if of_results else None,
        "curves": opened_together(curves or (str(path),)) if curves or not of_results else None,
        "potential": None,
        "kept": None,
    }
    if of_results:
        from nrm_plugin.figures import kept_trace

        opened["kept"] = kept_trace(path, opened["results"])
    if potential is not None and of_results:
        from nrm_plugin.figures.panels import has_potential
        from nrm_plugin.potential import read_log, with_potential

        opened["potential"] = log = read_log(potential, units=units)
        if not has_potential(opened["results"]):
            opened["results"] = with_potential(opened["results"], log)
    return opened


def _usual(opened: dict[str, Any]) -> str:
    """Kind of figure for a file."""
    results: xr.Dataset | None = opened["results"]
    if results is not None:
        from nrm_plugin.figures.panels import has_potential

        if "force_gradient_in_phase" not in results:
            return "quality"
        return "figure4" if has_potential(results) else "profiles"
    return "raw" if opened["curves"].n_curves else "topography"


def _settings(kind: str, given: dict[str, Any], opened: dict[str, Any]) -> Any:
    """Settings of a kind from what was given, and from what was opened where it has a use for it.

    Raises
    ------
    UsageError
        For an option that the kind has no use for, or a value that is none.
    """
    for name in given:
        if kind not in _users(name):
            raise click.UsageError(
                f"--{name.replace('_', '-')} does not go with --kind {kind}: it is for "
                + ", ".join(_users(name))
            )
    model = _of(kind, "Settings")
    return None if model is None else settings_from(model, given | opened)


def _data(kind: str, file: str, opened: dict[str, Any]) -> xr.Dataset | CurveSet:
    """What a kind is drawn from.

    Raises
    ------
    InvalidInput
        If the file holds the other.
    """
    try:
        needs = plugins.installed().figures[kind].needs
    except Exception as error:
        raise InvalidInput(
            f"the figure {kind} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    results, curves = opened["results"], opened["curves"]
    if needs == "results" and results is None:
        raise InvalidInput(
            f"{file} holds curves, and {kind} is drawn from results: make them with nrm process"
        )
    if needs == "curves" and curves is None:
        names = results.attrs.get("source_name", [])
        names = [names] if isinstance(names, str) else list(names)
        made = f" {file} was made from {', '.join(map(str, names))}." if names else ""
        raise InvalidInput(
            f"{kind} is drawn from the curves themselves: give them with --curves.{made}"
        )
    data: xr.Dataset | CurveSet = curves if needs == "curves" or results is None else results
    return data


def _drawn(
    kind: str, data: xr.Dataset | CurveSet, settings: Any, width: float | None
) -> tuple[Figure, Iterable[str]]:
    """Figure, `width` m wide unless that is None, and what was warned of while it was drawn."""
    from nrm_plugin.figures import style

    shown: Any = plugins.installed().figures[kind]
    with style.journal_style(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            wide = getattr(shown, "wide", False)
            wide = wide(data, settings) if callable(wide) else wide
            figure = style.new_figure(width or (style.PAGE if wide else style.COLUMN))
            given = () if settings is None else (settings,)
            if hasattr(shown, "draw_figure"):
                shown.draw_figure(data, figure, *given)
            else:
                ax = figure.add_subplot()
                shown.draw(data, ax, *given)
                about = getattr(data, "metadata", None) or getattr(data, "attrs", {})
                style.mark(ax, bool(about.get("simulated", False)))
        except NrmError:
            raise
        except Exception as error:
            raise InvalidInput(
                f"the figure {kind} could not be drawn: {type(error).__name__}: {error}"
            ) from error
    return figure, dict.fromkeys(str(one.message) for one in caught)
